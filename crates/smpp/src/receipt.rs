//! The text inside a delivery receipt, which the standard only shows as an example and every
//! carrier writes its own way: fields in any order and case, some missing, some twice.
//!
//! `id:0123456789 sub:001 dlvrd:001 submit date:2601051011 done date:2601051012 stat:DELIVRD err:000 text:Hello`
//!
//! Source: SMPP 3.4 appendix B.

use std::fmt::Write as _;

use crate::pdu::{ShortMessage, tag};

/// The longest message id and error code kept, in octets; beyond that it is noise.
const WORD_MAX: usize = 255;

/// What a receipt says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// Waits for its time.
    Scheduled,
    /// On its way.
    Enroute,
    /// It reached the handset.
    Delivered,
    /// Its validity ran out.
    Expired,
    /// Somebody deleted it.
    Deleted,
    /// It cannot be delivered.
    Undeliverable,
    /// Taken over on behalf of the handset.
    Accepted,
    /// Not known.
    Unknown,
    /// Refused.
    Rejected,
    /// Left out on purpose.
    Skipped,
    /// Kept, the handset cannot be reached now. No number of its own; some carriers' word.
    Buffered,
    /// An error while sending. No number of its own; some carriers' word.
    Failed,
}

/// The states with their number in the TLV and their words in the text, the standard's own first.
#[rustfmt::skip]
const STATES: [(MessageState, Option<u8>, &[&str]); 12] = [
    (MessageState::Scheduled,     Some(0), &["SCHEDLD", "SCHEDULED"]),
    (MessageState::Enroute,       Some(1), &["ENROUTE", "EN_ROUTE", "TRANSIT"]),
    (MessageState::Delivered,     Some(2), &["DELIVRD", "DELIVERED", "DELIVRED", "DLVRD"]),
    (MessageState::Expired,       Some(3), &["EXPIRED"]),
    (MessageState::Deleted,       Some(4), &["DELETED"]),
    (MessageState::Undeliverable, Some(5), &["UNDELIV", "UNDELIVERABLE", "UNDELIVERED", "UNDELIVRD", "UNDLVRD"]),
    (MessageState::Accepted,      Some(6), &["ACCEPTD", "ACCEPTED", "ACKED"]),
    (MessageState::Unknown,       Some(7), &["UNKNOWN", "UNKNOWND"]),
    (MessageState::Rejected,      Some(8), &["REJECTD", "REJECTED"]),
    (MessageState::Skipped,       Some(9), &["SKIPPED"]),
    (MessageState::Buffered,      None,    &["BUFFRED", "BUFFERED", "BUFFERD"]),
    (MessageState::Failed,        None,    &["FAILED", "FAIL"]),
];

impl MessageState {
    /// The state of a `message_state` TLV.
    pub fn from_code(code: u8) -> Option<MessageState> {
        STATES.iter().find(|row| row.1 == Some(code)).map(|row| row.0)
    }

    /// The state a word of the text names, in any case.
    pub fn parse(word: &str) -> Option<MessageState> {
        STATES.iter().find(|row| row.2.iter().any(|w| w.eq_ignore_ascii_case(word))).map(|row| row.0)
    }

    /// Its number in the `message_state` TLV, if the standard has one.
    pub fn code(self) -> Option<u8> {
        STATES.iter().find(|row| row.0 == self).and_then(|row| row.1)
    }

    /// Its word in the text, seven letters.
    pub fn as_str(self) -> &'static str {
        STATES.iter().find(|row| row.0 == self).map_or("UNKNOWN", |row| row.2[0])
    }
}

/// What a receipt says, as far as it says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The carrier's id of the message, as spelled here.
    pub id: Option<String>,
    /// What became of the message.
    pub state: Option<MessageState>,
    /// When it was submitted, in seconds since 1970. The text names no time zone; UTC is assumed.
    pub submitted_at_seconds: Option<i64>,
    /// When that became of it, likewise.
    pub done_at_seconds: Option<i64>,
    /// The error code, as spelled.
    pub error: Option<String>,
    /// How many messages were sent, and how many of them were delivered.
    pub counts: (Option<u16>, Option<u16>),
    /// The beginning of the message's own text, where the carrier gives it.
    pub text: Option<String>,
}

/// The fields of the text, by the names they go under.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
}

#[rustfmt::skip]
const FIELDS: [(&[u8], Field); 15] = [
    (b"id",          Field::Id),
    (b"sub",         Field::Sub),
    (b"dlvrd",       Field::Dlvrd),
    (b"delivrd",     Field::Dlvrd),
    (b"submit date", Field::SubmitDate),
    (b"submit_date", Field::SubmitDate),
    (b"submitdate",  Field::SubmitDate),
    (b"done date",   Field::DoneDate),
    (b"done_date",   Field::DoneDate),
    (b"donedate",    Field::DoneDate),
    (b"stat",        Field::Stat),
    (b"status",      Field::Stat),
    (b"err",         Field::Err),
    (b"error",       Field::Err),
    (b"text",        Field::Text),
];

impl Receipt {
    /// Reads a receipt: what its optional parameters say, and its text for the rest.
    ///
    /// The parameters come first, because carriers that send both write a shortened or otherwise
    /// spelled id into the text. A `message_state` outside the standard is passed over.
    pub fn read(message: &ShortMessage<'_>) -> Receipt {
        let mut receipt = Receipt::parse(message.octets());
        if let Some(id) = message.tlv(tag::RECEIPTED_MESSAGE_ID).and_then(word_of) {
            receipt.id = Some(id);
        }
        let state = message.tlv(tag::MESSAGE_STATE).and_then(|value| value.first());
        if let Some(state) = state.and_then(|code| MessageState::from_code(*code)) {
            receipt.state = Some(state);
        }
        if let (None, Some([_, high, low])) = (&receipt.error, message.tlv(tag::NETWORK_ERROR_CODE)) {
            receipt.error = Some(format!("{:03}", u16::from_be_bytes([*high, *low])));
        }
        receipt
    }

    /// Reads the text alone. Never fails: what is not there is `None`. Of a field that comes twice
    /// the first counts, and once the id and the state are known, everything after `text:` is text,
    /// whatever it looks like: it is what the customer wrote.
    pub fn parse(octets: &[u8]) -> Receipt {
        let mut receipt = Receipt::default();
        let mut at = 0;
        while at < octets.len() {
            let Some((field, value_at)) = field_at(octets, at) else {
                at += 1;
                continue;
            };
            if field == Field::Text && receipt.id.is_some() && receipt.state.is_some() {
                receipt.set(field, &octets[value_at..]);
                break;
            }
            let end = value_end(octets, value_at, field);
            receipt.set(field, &octets[value_at..end]);
            at = end.max(at + 1);
        }
        receipt.state = receipt.state.or_else(|| receipt.state_by_counts());
        receipt
    }

    /// A receipt without a state that counts every message as delivered says so all the same.
    fn state_by_counts(&self) -> Option<MessageState> {
        match self.counts {
            (sent, Some(delivered)) if delivered > 0 && sent.unwrap_or(1) <= delivered => {
                Some(MessageState::Delivered)
            }
            _ => None,
        }
    }

    fn set(&mut self, field: Field, value: &[u8]) {
        fn fill<T>(place: &mut Option<T>, value: Option<T>) {
            if place.is_none() {
                *place = value;
            }
        }
        let word = || word_of(value);
        match field {
            Field::Id => fill(&mut self.id, word()),
            Field::Sub => fill(&mut self.counts.0, word().and_then(|w| w.parse().ok())),
            Field::Dlvrd => fill(&mut self.counts.1, word().and_then(|w| w.parse().ok())),
            Field::SubmitDate => fill(&mut self.submitted_at_seconds, seconds_of(value)),
            Field::DoneDate => fill(&mut self.done_at_seconds, seconds_of(value)),
            Field::Stat => fill(&mut self.state, word().and_then(|w| MessageState::parse(&w))),
            Field::Err => fill(&mut self.error, word()),
            Field::Text => fill(&mut self.text, Some(String::from_utf8_lossy(value).into_owned())),
        }
    }

    /// Writes the text, as the standard shows it.
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(128);
        let sub = self.counts.0.unwrap_or(1);
        let delivered = self.counts.1.unwrap_or(u16::from(self.state == Some(MessageState::Delivered)));
        let date = |seconds: Option<i64>| date_of(seconds.unwrap_or(0));
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "id:{} sub:{sub:03} dlvrd:{delivered:03} submit date:{} done date:{} stat:{} err:{} text:{}",
            self.id.as_deref().unwrap_or(""),
            date(self.submitted_at_seconds),
            date(self.done_at_seconds),
            self.state.unwrap_or(MessageState::Unknown).as_str(),
            self.error.as_deref().unwrap_or("000"),
            self.text.as_deref().unwrap_or(""),
        );
        out
    }
}

/// The field whose name and colon stand here, and where its value begins. A name begins a word:
/// `uuid:` is not an `id:`.
fn field_at(octets: &[u8], at: usize) -> Option<(Field, usize)> {
    let begins = at == 0 || !octets[at - 1].is_ascii_alphanumeric();
    if !begins || !octets[at].is_ascii_alphabetic() {
        return None;
    }
    FIELDS.iter().find_map(|(name, field)| {
        let found = octets.get(at..at + name.len())?.eq_ignore_ascii_case(name);
        let rest = &octets[at + name.len()..];
        let spaces = rest.iter().take_while(|o| **o == b' ').count();
        (found && rest.get(spaces) == Some(&b':')).then_some((*field, at + name.len() + spaces + 1))
    })
}

/// Where the value that begins here ends: at the next blank, at the next field, or at the end.
fn value_end(octets: &[u8], from: usize, field: Field) -> usize {
    let is_blank = |octet: u8| octet.is_ascii_whitespace() || matches!(octet, 0 | b';' | b',' | b'|');
    let filled = octets[from..].iter().take_while(|o| is_blank(**o)).count() + from;
    (from..octets.len())
        .find(|at| {
            let ends = field != Field::Text && *at > filled && is_blank(octets[*at]);
            ends || field_at(octets, *at).is_some()
        })
        .unwrap_or(octets.len())
}

/// A value as a word: trimmed, printable, not empty, not endless.
fn word_of(value: &[u8]) -> Option<String> {
    let end = value.iter().position(|octet| *octet == 0).unwrap_or(value.len());
    let text = String::from_utf8_lossy(&value[..end]);
    let word =
        text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ';' | ',' | '|'));
    let usable = !word.is_empty() && word.len() <= WORD_MAX && !word.chars().any(char::is_control);
    usable.then(|| word.to_owned())
}

/// `YYMMDDhhmm`, `YYMMDDhhmmss` or `YYYYMMDDhhmmss` as seconds since 1970.
fn seconds_of(value: &[u8]) -> Option<i64> {
    let word = word_of(value)?;
    if !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (century, rest) = match word.len() {
        10 | 12 => (2000, word.as_str()),
        14 => (0, &word[2..]),
        _ => return None,
    };
    let pair = |at: usize| rest.get(at..at + 2).map_or(Some(0), |p| p.parse::<i64>().ok());
    let year = match century {
        0 => word[..4].parse().ok()?,
        century => century + pair(0)?,
    };
    let (month, day, hour, minute, second) = (pair(2)?, pair(4)?, pair(6)?, pair(8)?, pair(10)?);
    let real =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    real.then(|| days_of(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Seconds since 1970 as `YYMMDDhhmm`.
fn date_of(seconds: i64) -> String {
    let (year, month, day) = day_of(seconds.div_euclid(86_400));
    let time = seconds.rem_euclid(86_400);
    format!("{:02}{month:02}{day:02}{:02}{:02}", year.rem_euclid(100), time / 3600, time % 3600 / 60)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, its years taken to begin in March so
/// that the leap day is their last.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day this many days after 1970-01-01.
fn day_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pdu::put_tlv;

    /// A text, and the id, state and error it says.
    type Case = (&'static str, Option<&'static str>, Option<MessageState>, Option<&'static str>);

    #[test]
    fn a_receipt_is_read_however_it_is_written() {
        use MessageState::*;
        #[rustfmt::skip]
        let cases: [Case; 17] = [
            ("id:0123456789 sub:001 dlvrd:001 submit date:2601051011 done date:2601051012 stat:DELIVRD err:000 text:Hi",
                                                      Some("0123456789"), Some(Delivered),     Some("000")),
            ("STAT:UNDELIV ERR:0AB ID:a1-B2",         Some("a1-B2"),      Some(Undeliverable), Some("0AB")),
            ("id:1 stat:expired",                     Some("1"),          Some(Expired),       None),
            ("Id: 77  Stat: REJECTD  Err: 12",        Some("77"),         Some(Rejected),      Some("12")),
            ("id:5;stat:ACCEPTD;err:1;",              Some("5"),          Some(Accepted),      Some("1")),
            ("id : 6 stat : ENROUTE",                 Some("6"),          Some(Enroute),       None),
            ("id:7 sub:001 dlvrd:001",                Some("7"),          Some(Delivered),     None),
            ("id:7 sub:001 dlvrd:000",                Some("7"),          None,                None),
            ("id:8 stat:WHATEVER err:",               Some("8"),          None,                None),
            ("id: sub:001 stat:DELETED",              None,               Some(Deleted),       None),
            ("uuid:9 status:FAILED error:99",         None,               Some(Failed),        Some("99")),
            ("message id:9 stat:BUFFRED",             Some("9"),          Some(Buffered),      None),
            ("id:1 stat:UNDELIV err:5 text:id:2 stat:DELIVRD err:0",
                                                      Some("1"),          Some(Undeliverable), Some("5")),
            ("text:late id:3 stat:DELIVRD",           Some("3"),          Some(Delivered),     None),
            ("id:1 id:2 stat:EXPIRED stat:DELIVRD",   Some("1"),          Some(Expired),       None),
            ("nothing of the kind",                   None,               None,                None),
            ("",                                      None,               None,                None),
        ];
        for (text, id, state, error) in cases {
            let receipt = Receipt::parse(text.as_bytes());
            assert_eq!(
                (receipt.id.as_deref(), receipt.state, receipt.error.as_deref()),
                (id, state, error),
                "{text}"
            );
        }
    }

    #[test]
    fn dates_are_read_and_written() {
        #[rustfmt::skip]
        let cases = [
            ("2601051011",     Some(1_767_607_860)),
            ("260105101159",   Some(1_767_607_919)),
            ("20260105101159", Some(1_767_607_919)),
            ("2402291200",     Some(1_709_208_000)),
            ("2613051011",     None),
            ("2601052511",     None),
            ("26010510",       None),
            ("26010510aa",     None),
        ];
        for (text, seconds) in cases {
            let receipt = Receipt::parse(format!("id:1 done date:{text} stat:DELIVRD").as_bytes());
            assert_eq!(receipt.done_at_seconds, seconds, "{text}");
        }
        assert_eq!(date_of(1_735_689_540), "2412312359");
        assert_eq!(date_of(0), "7001010000");
    }

    #[test]
    fn parameters_come_before_the_text() {
        let mut tlvs = Vec::new();
        put_tlv(&mut tlvs, tag::RECEIPTED_MESSAGE_ID, b"ABCDEF\0");
        put_tlv(&mut tlvs, tag::MESSAGE_STATE, &[5]);
        put_tlv(&mut tlvs, tag::NETWORK_ERROR_CODE, &[3, 0, 27]);
        let message = ShortMessage { short_message: b"id:1 stat:DELIVRD", tlvs: &tlvs, ..Default::default() };
        let receipt = Receipt::read(&message);
        assert_eq!(receipt.id.as_deref(), Some("ABCDEF"));
        assert_eq!(receipt.state, Some(MessageState::Undeliverable));
        assert_eq!(receipt.error.as_deref(), Some("027"));
    }

    #[test]
    fn parameters_that_make_no_sense_leave_the_text_its_word() {
        let mut tlvs = Vec::new();
        put_tlv(&mut tlvs, tag::RECEIPTED_MESSAGE_ID, b"\0");
        put_tlv(&mut tlvs, tag::MESSAGE_STATE, &[200]);
        put_tlv(&mut tlvs, tag::MESSAGE_STATE, &[]);
        let message = ShortMessage { short_message: b"id:1 stat:DELIVRD", tlvs: &tlvs, ..Default::default() };
        let receipt = Receipt::read(&message);
        assert_eq!((receipt.id.as_deref(), receipt.state), (Some("1"), Some(MessageState::Delivered)));
    }

    #[test]
    fn every_state_is_read_back_by_its_number_and_its_word() {
        for (state, code, words) in STATES {
            assert_eq!(code.and_then(MessageState::from_code), code.map(|_| state));
            for word in words {
                assert_eq!(MessageState::parse(&word.to_lowercase()), Some(state));
            }
            assert_eq!(state.code(), code);
        }
    }

    fn any_state() -> impl Strategy<Value = MessageState> {
        prop::sample::select(STATES.map(|row| row.0).to_vec())
    }

    proptest! {
        #[test]
        fn no_octets_make_it_stumble(octets in prop::collection::vec(any::<u8>(), 0..600)) {
            let receipt = Receipt::parse(&octets);
            prop_assert!(receipt.id.is_none_or(|id| id.len() <= WORD_MAX && !id.is_empty()));
        }

        #[test]
        fn nor_do_receipts_torn_apart(pieces in prop::collection::vec(
            prop::sample::select(vec!["id:", "stat:", "DELIVRD", " ", "text:", "err:", "done date:", "2601051011",
                "submit date", ":", "12", "\0", "é", ";", "ID", "dlvrd:999999"]), 0..40))
        {
            Receipt::parse(pieces.concat().as_bytes());
        }

        #[test]
        fn what_is_written_is_read_back(
            id in "[0-9A-Za-z-]{1,64}", state in any_state(), error in "[0-9A-Z]{3}",
            minutes in 0_i64..52_000_000, text in "[ -~]{0,20}",
        ) {
            let receipt = Receipt {
                id: Some(id),
                state: Some(state),
                submitted_at_seconds: Some(946_684_800 + minutes * 60),
                done_at_seconds: Some(946_684_860 + minutes * 60),
                error: Some(error),
                counts: (Some(1), Some(u16::from(state == MessageState::Delivered))),
                text: Some(text),
            };
            prop_assert_eq!(Receipt::parse(receipt.write().as_bytes()), receipt);
        }
    }
}
