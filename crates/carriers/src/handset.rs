//! The invented handset of the simulator and the simulated SMSC: what it does with a message is
//! told by the last five digits of its number, so that tests and demos can have any fate they like.
//!
//! | number ends in | what happens |
//! |---|---|
//! | `99901` | the submission is refused (invalid recipient) |
//! | `99902` | throttled three times, then taken and delivered |
//! | `99903` | taken, then undelivered |
//! | `99904` | taken, then expired |
//! | `99905` | taken, then rejected by the operator |
//! | `99906` | taken, buffered for a while, then delivered |
//! | `99907` | taken, and never reported on |
//! | `99908` | delivered, and the report comes before the answer |
//! | `99909` | delivered, and the report comes twice |
//! | `99910` | delivered, but the answer to the submission is lost |
//! | `99911` | taken, then failed |
//! | anything else | taken and delivered |

use ::smpp::receipt::MessageState;

/// How often a throttled submission is refused before it is taken.
pub const THROTTLED_TIMES: u8 = 3;

/// What a handset, and the carrier in front of it, does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// Taken and delivered.
    Delivers,
    /// Refused on submission.
    Refused,
    /// Throttled [`THROTTLED_TIMES`] times, then delivered.
    Throttled,
    /// Reported as undeliverable.
    Undelivered,
    /// Reported as expired.
    Expired,
    /// Reported as rejected.
    Rejected,
    /// Reported as buffered, then as delivered.
    Buffered,
    /// Never reported on.
    Silent,
    /// Reported before the submission is answered.
    ReportsFirst,
    /// Reported twice.
    ReportsTwice,
    /// Delivered and reported, but the submission is never answered.
    AnswerLost,
    /// Reported as failed.
    Failed,
}

/// One report: the state it tells, the error code with it, and after how many report delays.
pub type Told = (MessageState, &'static str, u32);

/// What the number's handset does.
pub fn handset(recipient: u64) -> Behaviour {
    match recipient % 100_000 {
        99_901 => Behaviour::Refused,
        99_902 => Behaviour::Throttled,
        99_903 => Behaviour::Undelivered,
        99_904 => Behaviour::Expired,
        99_905 => Behaviour::Rejected,
        99_906 => Behaviour::Buffered,
        99_907 => Behaviour::Silent,
        99_908 => Behaviour::ReportsFirst,
        99_909 => Behaviour::ReportsTwice,
        99_910 => Behaviour::AnswerLost,
        99_911 => Behaviour::Failed,
        _ => Behaviour::Delivers,
    }
}

impl Behaviour {
    /// The reports on a message that was taken, in order.
    pub fn reports(self) -> &'static [Told] {
        match self {
            Behaviour::Delivers | Behaviour::Throttled | Behaviour::AnswerLost => {
                &[(MessageState::Delivered, "000", 1)]
            }
            Behaviour::ReportsFirst => &[(MessageState::Delivered, "000", 0)],
            Behaviour::ReportsTwice => {
                &[(MessageState::Delivered, "000", 1), (MessageState::Delivered, "000", 2)]
            }
            Behaviour::Buffered => &[(MessageState::Buffered, "000", 1), (MessageState::Delivered, "000", 3)],
            Behaviour::Undelivered => &[(MessageState::Undeliverable, "001", 1)],
            Behaviour::Expired => &[(MessageState::Expired, "002", 1)],
            Behaviour::Rejected => &[(MessageState::Rejected, "003", 1)],
            Behaviour::Failed => &[(MessageState::Failed, "004", 1)],
            Behaviour::Refused | Behaviour::Silent => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_number_delivers() {
        for number in [4_915_123_456_789, 4_915_123_499_900, 4_915_199_901_000, 1] {
            assert_eq!(handset(number), Behaviour::Delivers, "{number}");
        }
        assert_eq!(handset(4_915_123_499_901), Behaviour::Refused);
        assert_eq!(handset(99_911), Behaviour::Failed);
    }

    #[test]
    fn every_number_of_the_table_has_its_fate_and_reports_in_order() {
        let fates: std::collections::HashSet<_> = (99_901..=99_911).map(handset).collect();
        assert_eq!(fates.len(), 11);
        assert!(!fates.contains(&Behaviour::Delivers));
        for fate in fates {
            assert!(fate.reports().is_sorted_by_key(|report| report.2));
        }
    }
}
