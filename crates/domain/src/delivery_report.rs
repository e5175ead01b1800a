//! DeliveryReport, a carrier's word on a message it took, and what it means for the message.

use crate::message::MessageStatus;

/// What a carrier says of a message (or of one of its segments).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportState {
    /// The carrier has taken it over.
    Accepted,
    /// Sent on, should arrive soon.
    Transmitted,
    /// The handset cannot be reached; kept for later.
    Buffered,
    /// It reached the handset.
    Delivered,
    /// It could not be delivered.
    NotDelivered,
    /// Its validity ran out.
    Expired,
    /// The operator refused it.
    Rejected,
    /// An error while sending.
    Failed,
    /// The carrier does not know.
    Unknown,
}

impl ReportState {
    /// All states, in the order of their codes.
    pub const ALL: [ReportState; 9] = [
        ReportState::Accepted,
        ReportState::Transmitted,
        ReportState::Buffered,
        ReportState::Delivered,
        ReportState::NotDelivered,
        ReportState::Expired,
        ReportState::Rejected,
        ReportState::Failed,
        ReportState::Unknown,
    ];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The state of a number in the books.
    pub fn from_code(code: i64) -> Option<ReportState> {
        usize::try_from(code).ok().and_then(|i| ReportState::ALL.get(i)).copied()
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ReportState::Accepted => "ACCEPTED",
            ReportState::Transmitted => "TRANSMITTED",
            ReportState::Buffered => "BUFFERED",
            ReportState::Delivered => "DELIVERED",
            ReportState::NotDelivered => "NOTDELIVERED",
            ReportState::Expired => "EXPIRED",
            ReportState::Rejected => "REJECTED",
            ReportState::Failed => "FAILED",
            ReportState::Unknown => "UNKNOWN",
        }
    }

    /// The state a word of the wire names, in any case.
    pub fn parse(word: &str) -> Option<ReportState> {
        ReportState::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(word))
    }

    /// The status a message gets by this report; `None` while it is only on its way.
    pub fn status(self) -> Option<MessageStatus> {
        match self {
            ReportState::Accepted | ReportState::Transmitted | ReportState::Buffered => None,
            ReportState::Delivered => Some(MessageStatus::Delivered),
            ReportState::NotDelivered | ReportState::Failed => Some(MessageStatus::Undelivered),
            ReportState::Expired => Some(MessageStatus::Expired),
            ReportState::Rejected => Some(MessageStatus::Rejected),
            ReportState::Unknown => Some(MessageStatus::Unknown),
        }
    }

    /// Whether nothing more is to come after this report.
    pub fn is_final(self) -> bool {
        self.status().is_some()
    }

    /// Whether another word may take the place of this one: the last word stays, unless it was that
    /// nothing is known.
    pub fn may_be_followed_by(self, next: ReportState) -> bool {
        !self.is_final() || self == ReportState::Unknown && next.is_final()
    }
}

/// The word on a whole message, from the words on its segments: delivered when all are, else the
/// worst final one once all are final, else none.
pub fn joined(segments: &[Option<ReportState>]) -> Option<ReportState> {
    let known: Option<Vec<ReportState>> = segments.iter().copied().collect();
    let known = known?;
    if known.iter().any(|s| !s.is_final()) {
        return known.into_iter().filter(|s| !s.is_final()).max();
    }
    known.into_iter().max_by_key(|s| match s {
        ReportState::Delivered => 0,
        ReportState::Unknown => 1,
        other => 2 + other.code(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReportState::*;

    #[test]
    fn the_word_on_a_message_joins_those_on_its_segments() {
        #[rustfmt::skip]
        let cases: [(&[Option<ReportState>], Option<ReportState>); 6] = [
            (&[Some(Delivered)],                        Some(Delivered)),
            (&[Some(Delivered), None],                  None),
            (&[Some(Delivered), Some(Delivered)],       Some(Delivered)),
            (&[Some(Delivered), Some(NotDelivered)],    Some(NotDelivered)),
            (&[Some(Buffered), Some(Delivered)],        Some(Buffered)),
            (&[Some(Unknown), Some(Expired)],           Some(Expired)),
        ];
        for (segments, word) in cases {
            assert_eq!(joined(segments), word, "{segments:?}");
        }
    }

    #[test]
    fn every_word_is_read_back() {
        for state in ReportState::ALL {
            assert_eq!(ReportState::parse(&state.as_str().to_lowercase()), Some(state));
            assert_eq!(ReportState::from_code(state.code()), Some(state));
        }
    }
}
