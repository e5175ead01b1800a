//! What a `command_status` means for the submission it answers: taken, not now, never, or that the
//! session itself is at fault. One table, every number has a row or falls under a stated rule.

use std::fmt;

/// The `command_status` of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(pub u32);

/// What a status asks of whoever sent the submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Done: the message is the carrier's now.
    Taken,
    /// Too fast or too much: send it again, and everything slower.
    Throttled,
    /// A passing fault: send it again later.
    Retry,
    /// Refused for good: the same PDU would be refused again.
    Refused,
    /// The session is at fault, not the message: bind again, then send it again.
    Rebind,
}

impl Status {
    /// No error.
    pub const OK: Status = Status(0x00);
    /// The length of the PDU is wrong.
    pub const INVALID_COMMAND_LENGTH: Status = Status(0x02);
    /// The PDU is not known.
    pub const INVALID_COMMAND_ID: Status = Status(0x03);
    /// The PDU is not legal in this state.
    pub const INVALID_BIND_STATUS: Status = Status(0x04);
    /// A second bind in one session.
    pub const ALREADY_BOUND: Status = Status(0x05);
    /// The peer cannot do it at the moment.
    pub const SYSTEM_ERROR: Status = Status(0x08);
    /// The sender is not valid.
    pub const INVALID_SOURCE: Status = Status(0x0A);
    /// The recipient is not valid.
    pub const INVALID_DESTINATION: Status = Status(0x0B);
    /// The bind was refused.
    pub const BIND_FAILED: Status = Status(0x0D);
    /// The password is wrong.
    pub const INVALID_PASSWORD: Status = Status(0x0E);
    /// The system id is wrong.
    pub const INVALID_SYSTEM_ID: Status = Status(0x0F);
    /// The queue of the peer, or of the recipient, is full.
    pub const QUEUE_FULL: Status = Status(0x14);
    /// The submission failed; the peer does not say why.
    pub const SUBMIT_FAILED: Status = Status(0x45);
    /// More than the peer allows in the time.
    pub const THROTTLED: Status = Status(0x58);
    /// The receiver cannot take the message at the moment; the sender keeps it.
    pub const RECEIVER_TEMPORARY: Status = Status(0x64);
    /// The optional parameters cannot be read.
    pub const INVALID_TLV_STREAM: Status = Status(0xC0);

    /// Whether it says that all went well.
    pub fn is_ok(self) -> bool {
        self == Status::OK
    }

    /// What to do about a submission answered so.
    ///
    /// Numbers without a row of their own are refused: reserved ones (nothing is known of them),
    /// and the vendors' own from 0x400 to 0x4FF and above, which mostly name a reason that does not
    /// pass (blocked content, unknown subscriber, no route). A message refused is refunded and its
    /// sender is told at once; tried again and again it would only be refused later.
    pub fn class(self) -> Class {
        self.row().map_or(Class::Refused, |row| row.1)
    }

    /// Its name in the standard, or what kind of number it is.
    pub fn name(self) -> &'static str {
        match (self.row(), self.0) {
            (Some(row), _) => row.2,
            (None, 0x400..=0x4FF) => "vendor's own error",
            (None, _) => "reserved or unknown error",
        }
    }

    fn row(self) -> Option<&'static (u32, Class, &'static str)> {
        TABLE.binary_search_by_key(&self.0, |row| row.0).ok().map(|at| &TABLE[at])
    }
}

/// For people: the name and the number, `ESME_RTHROTTLED (0x58)`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), self.0)
    }
}

/// Every status with a name, in order. Source: SMPP 3.4 section 5.1.3 and SMPP 5.0 section 4.7.6;
/// what is tried again follows what large carriers ask of their own customers (0x08, 0x14, 0x45,
/// 0x58, 0x67, 0xFE, 0xFF).
#[rustfmt::skip]
const TABLE: [(u32, Class, &str); 67] = {
    use Class::*;
    [
    (0x00, Taken,     "ESME_ROK"),
    (0x01, Refused,   "ESME_RINVMSGLEN"),
    // A PDU that the peer cannot read it will not read the next time either.
    (0x02, Refused,   "ESME_RINVCMDLEN"),
    (0x03, Refused,   "ESME_RINVCMDID"),
    // The peer lost our bind (its node changed, say); the message was not even looked at.
    (0x04, Rebind,    "ESME_RINVBNDSTS"),
    (0x05, Rebind,    "ESME_RALYBND"),
    (0x06, Refused,   "ESME_RINVPRTFLG"),
    (0x07, Refused,   "ESME_RINVREGDLVFLG"),
    // "All or part of it is currently unavailable."
    (0x08, Retry,     "ESME_RSYSERR"),
    (0x0A, Refused,   "ESME_RINVSRCADR"),
    (0x0B, Refused,   "ESME_RINVDSTADR"),
    (0x0C, Refused,   "ESME_RINVMSGID"),
    // The three of a refused bind; some send them to a submission when a bind has ended meanwhile.
    (0x0D, Rebind,    "ESME_RBINDFAIL"),
    (0x0E, Rebind,    "ESME_RINVPASWD"),
    (0x0F, Rebind,    "ESME_RINVSYSID"),
    (0x11, Refused,   "ESME_RCANCELFAIL"),
    (0x13, Refused,   "ESME_RREPLACEFAIL"),
    // Its queue, or that of one recipient; either way slower is right.
    (0x14, Throttled, "ESME_RMSGQFUL"),
    (0x15, Refused,   "ESME_RINVSERTYP"),
    (0x33, Refused,   "ESME_RINVNUMDESTS"),
    (0x34, Refused,   "ESME_RINVDLNAME"),
    (0x40, Refused,   "ESME_RINVDESTFLAG"),
    (0x42, Refused,   "ESME_RINVSUBREP"),
    (0x43, Refused,   "ESME_RINVESMCLASS"),
    (0x44, Refused,   "ESME_RCNTSUBDL"),
    // "Failed", without a reason: congestion as often as a bad message. The validity of the message
    // bounds how long it is tried.
    (0x45, Retry,     "ESME_RSUBMITFAIL"),
    (0x48, Refused,   "ESME_RINVSRCTON"),
    (0x49, Refused,   "ESME_RINVSRCNPI"),
    (0x50, Refused,   "ESME_RINVDSTTON"),
    (0x51, Refused,   "ESME_RINVDSTNPI"),
    // A field of the bind, so no message is at fault.
    (0x53, Rebind,    "ESME_RINVSYSTYP"),
    (0x54, Refused,   "ESME_RINVREPFLAG"),
    (0x55, Refused,   "ESME_RINVNUMMSGS"),
    (0x58, Throttled, "ESME_RTHROTTLED"),
    (0x61, Refused,   "ESME_RINVSCHED"),
    (0x62, Refused,   "ESME_RINVEXPIRY"),
    (0x63, Refused,   "ESME_RINVDFTMSGID"),
    // The three of a receiver: temporary, permanent, this message refused.
    (0x64, Retry,     "ESME_RX_T_APPN"),
    (0x65, Refused,   "ESME_RX_P_APPN"),
    (0x66, Refused,   "ESME_RX_R_APPN"),
    // Of a question, not of a submission; carriers that send it ask for another try.
    (0x67, Retry,     "ESME_RQUERYFAIL"),
    (0xC0, Refused,   "ESME_RINVTLVSTREAM"),
    (0xC1, Refused,   "ESME_RTLVNOTALLWD"),
    (0xC2, Refused,   "ESME_RINVTLVLEN"),
    (0xC3, Refused,   "ESME_RMISSINGTLV"),
    (0xC4, Refused,   "ESME_RINVTLVVAL"),
    (0xFE, Retry,     "ESME_RDELIVERYFAILURE"),
    (0xFF, Retry,     "ESME_RUNKNOWNERR"),
    // SMPP 5.0. A prohibition does not pass, an outage does.
    (0x100, Refused,  "ESME_RSERTYPUNAUTH"),
    (0x101, Refused,  "ESME_RPROHIBITED"),
    (0x102, Retry,    "ESME_RSERTYPUNAVAIL"),
    (0x103, Refused,  "ESME_RSERTYPDENIED"),
    (0x104, Refused,  "ESME_RINVDCS"),
    (0x105, Refused,  "ESME_RINVSRCADDRSUBUNIT"),
    (0x106, Refused,  "ESME_RINVDSTADDRSUBUNIT"),
    (0x107, Refused,  "ESME_RINVBCASTFREQINT"),
    (0x108, Refused,  "ESME_RINVBCASTALIAS_NAME"),
    (0x109, Refused,  "ESME_RINVBCASTAREAFMT"),
    (0x10A, Refused,  "ESME_RINVNUMBCAST_AREAS"),
    (0x10B, Refused,  "ESME_RINVBCASTCNTTYPE"),
    (0x10C, Refused,  "ESME_RINVBCASTMSGCLASS"),
    (0x10D, Refused,  "ESME_RBCASTFAIL"),
    (0x10E, Refused,  "ESME_RBCASTQUERYFAIL"),
    (0x10F, Refused,  "ESME_RBCASTCANCELFAIL"),
    (0x110, Refused,  "ESME_RINVBCAST_REP"),
    (0x111, Refused,  "ESME_RINVBCASTSRVGRP"),
    (0x112, Refused,  "ESME_RINVBCASTCHANIND"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    /// What each status must do, for every number from 0x00 to 0x65, 0xFE, 0xFF and 0x400 to 0x4FF;
    /// whatever is not named here must be refused.
    #[rustfmt::skip]
    const NOT_REFUSED: [(u32, Class); 16] = [
        (0x00, Class::Taken),
        (0x04, Class::Rebind),     (0x05, Class::Rebind),  (0x0D, Class::Rebind),
        (0x0E, Class::Rebind),     (0x0F, Class::Rebind),  (0x53, Class::Rebind),
        (0x14, Class::Throttled),  (0x58, Class::Throttled),
        (0x08, Class::Retry),      (0x45, Class::Retry),   (0x64, Class::Retry),
        (0x67, Class::Retry),      (0xFE, Class::Retry),   (0xFF, Class::Retry),
        (0x102, Class::Retry),
    ];

    #[test]
    fn every_status_has_its_class() {
        let numbers = (0..=0x1FF).chain(0x400..=0x4FF).chain([0x500, 0xFFFF, 0xFFFF_FFFF]);
        for number in numbers {
            let expected = NOT_REFUSED.iter().find(|row| row.0 == number).map_or(Class::Refused, |row| row.1);
            assert_eq!(Status(number).class(), expected, "{number:#x}");
            assert!(!Status(number).name().is_empty());
        }
    }

    #[test]
    fn the_table_is_in_order_and_knows_every_status_rusmpp_knows() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for number in 0..0x1000_u32 {
            let named = !matches!(rusmpp::CommandStatus::from(number), rusmpp::CommandStatus::Other(_));
            assert_eq!(Status(number).row().is_some(), named, "{number:#x}");
        }
    }

    #[test]
    fn a_status_is_shown_with_its_number() {
        assert_eq!(Status::THROTTLED.to_string(), "ESME_RTHROTTLED (0x58)");
        assert_eq!(Status(0x4A0).to_string(), "vendor's own error (0x4A0)");
        assert_eq!(Status(0x09).to_string(), "reserved or unknown error (0x09)");
    }
}
