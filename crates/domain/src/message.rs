//! Message, what the customer sent: its status and the moves it may make, its class, and what is
//! done with one whose answer was lost.

/// Where a message is. It moves forward only; see [`MessageStatus::may_become`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageStatus {
    /// Accepted and charged, to be sent at a later time.
    Scheduled,
    /// Accepted and charged, to be sent now.
    Accepted,
    /// In the queue of a carrier.
    Queued,
    /// A carrier has taken it.
    Submitted,
    /// It reached the handset. Final.
    Delivered,
    /// It did not reach the handset. Final.
    Undelivered,
    /// Its validity ran out, with us or with the carrier. Final.
    Expired,
    /// Refused by the carrier or the operator. Final.
    Rejected,
    /// Handed over and never heard of. Final, unless a report comes after all.
    Unknown,
    /// Taken back before it was sent. Final.
    Cancelled,
}

impl MessageStatus {
    /// All, in the order of their codes.
    pub const ALL: [MessageStatus; 10] = [
        MessageStatus::Scheduled,
        MessageStatus::Accepted,
        MessageStatus::Queued,
        MessageStatus::Submitted,
        MessageStatus::Delivered,
        MessageStatus::Undelivered,
        MessageStatus::Expired,
        MessageStatus::Rejected,
        MessageStatus::Unknown,
        MessageStatus::Cancelled,
    ];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The status of a number in the books.
    pub fn from_code(code: i64) -> Option<MessageStatus> {
        usize::try_from(code).ok().and_then(|i| MessageStatus::ALL.get(i)).copied()
    }

    /// The word people read.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageStatus::Scheduled => "scheduled",
            MessageStatus::Accepted => "accepted",
            MessageStatus::Queued => "queued",
            MessageStatus::Submitted => "submitted",
            MessageStatus::Delivered => "delivered",
            MessageStatus::Undelivered => "undelivered",
            MessageStatus::Expired => "expired",
            MessageStatus::Rejected => "rejected",
            MessageStatus::Unknown => "unknown",
            MessageStatus::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more is to happen to the message.
    pub fn is_final(self) -> bool {
        self >= MessageStatus::Delivered
    }

    /// Whether a message may move from here to `next`. Forward only, and finals are final, with
    /// one exception: a message given up as unknown may still be reported on.
    pub fn may_become(self, next: MessageStatus) -> bool {
        use MessageStatus::*;
        matches!(
            (self, next),
            (Scheduled, Accepted | Queued | Cancelled | Submitted | Expired | Rejected | Unknown)
                | (Accepted, Queued | Submitted | Cancelled | Expired | Rejected | Unknown)
                | (Accepted | Queued | Submitted, Delivered | Undelivered)
                | (Queued, Submitted | Expired | Rejected | Unknown)
                | (Submitted, Expired | Rejected | Unknown)
                | (Unknown, Delivered | Undelivered | Expired | Rejected)
        )
    }
}

/// How urgent a message is, and what becomes of it when its fate at the carrier is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageClass {
    /// A one-time code: first in every queue, sent once more when its answer was lost.
    Otp,
    /// The usual: sent once more when its answer was lost.
    #[default]
    Normal,
    /// A mailing: last in every queue, held as unknown when its answer was lost.
    Bulk,
}

impl MessageClass {
    /// All, the most urgent first, in the order of their codes.
    pub const ALL: [MessageClass; 3] = [MessageClass::Otp, MessageClass::Normal, MessageClass::Bulk];

    /// The number the books use: 0 to 2.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The class of a number in the books.
    pub fn from_code(code: i64) -> Option<MessageClass> {
        usize::try_from(code).ok().and_then(|i| MessageClass::ALL.get(i)).copied()
    }

    /// The word of the setting and the parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageClass::Otp => "otp",
            MessageClass::Normal => "normal",
            MessageClass::Bulk => "bulk",
        }
    }

    /// The class a word names.
    pub fn parse(word: &str) -> Option<MessageClass> {
        MessageClass::ALL.into_iter().find(|c| c.as_str() == word)
    }

    /// What is done with a message that was handed over `attempts` times (at least once) and never
    /// answered.
    pub fn when_lost(self, attempts: i64) -> WhenLost {
        match self {
            MessageClass::Otp | MessageClass::Normal if attempts < 2 => WhenLost::Resend,
            _ => WhenLost::Hold,
        }
    }
}

/// What is done with a message whose fate at the carrier is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenLost {
    /// Send it once more, marked as a possible duplicate.
    Resend,
    /// Leave it as unknown; a late report may still settle it.
    Hold,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_only_moves_forward() {
        for from in MessageStatus::ALL {
            for to in MessageStatus::ALL {
                if from.may_become(to) {
                    assert!(to > from || from == MessageStatus::Unknown, "{from:?} to {to:?}");
                    assert!(!from.is_final() || from == MessageStatus::Unknown, "{from:?} to {to:?}");
                }
            }
        }
    }

    #[test]
    fn a_lost_one_is_sent_once_more_or_held() {
        assert_eq!(MessageClass::Otp.when_lost(1), WhenLost::Resend);
        assert_eq!(MessageClass::Normal.when_lost(1), WhenLost::Resend);
        assert_eq!(MessageClass::Normal.when_lost(2), WhenLost::Hold);
        assert_eq!(MessageClass::Bulk.when_lost(1), WhenLost::Hold);
    }
}
