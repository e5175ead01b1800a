//! SenderId, who a message says it is from: a name, a number, or a short code.

use std::fmt;

/// The most characters of a name.
pub const NAME_MAX: usize = 11;
/// The most digits of a number.
pub const DIGITS_MAX: usize = 16;
/// The most digits of a short code; with more it is a number.
const SHORT_CODE_MAX: usize = 6;

/// What the handset shows as the sender: a name of 1 to 11 characters (letters, digits, space and
/// `/ . - @ _ ! ( ) + $ , &`), or 1 to 16 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderId(String);

/// What kind of sender it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderKind {
    /// A name. It cannot be answered.
    Alphanumeric,
    /// A number in international form, without the plus.
    Numeric,
    /// A short number, known in one country only.
    ShortCode,
}

impl SenderKind {
    /// The word people read.
    pub fn as_str(self) -> &'static str {
        match self {
            SenderKind::Alphanumeric => "alphanumeric",
            SenderKind::Numeric => "numeric",
            SenderKind::ShortCode => "short code",
        }
    }
}

/// Why a text is not a sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// There is nothing in it.
    #[error("the sender is empty; use a name of up to 11 characters or a number of up to 16 digits")]
    Empty,
    /// A name with too many characters.
    #[error("the sender '{0}' has more than 11 characters; shorten the name, or use a number")]
    NameTooLong(String),
    /// A number with too many digits.
    #[error("the sender '{0}' has more than 16 digits; write the number in international form")]
    NumberTooLong(String),
    /// A character outside the alphabet.
    #[error(
        "the sender '{sender}' has the character '{character}'; use letters without accents, digits, \
         space and / . - @ _ ! ( ) + $ , &"
    )]
    Character {
        /// What was given.
        sender: String,
        /// What is not allowed.
        character: char,
    },
}

impl SenderId {
    /// Reads a sender. Spaces around it are dropped. Digits after `+` or `00` are a number in
    /// international form and kept without these; a number may be spaced as people write it
    /// (`+49 151 / 123`), as long as it says with a plus or a double zero that it is one.
    ///
    /// # Errors
    /// When empty, too long, or with a character that handsets do not show.
    pub fn parse(text: &str) -> Result<SenderId, SenderError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SenderError::Empty);
        }
        if let Some(digits) = number_in(text) {
            return match digits.len() {
                0 => Err(SenderError::Empty),
                1..=DIGITS_MAX => Ok(SenderId(digits)),
                _ => Err(SenderError::NumberTooLong(text.to_owned())),
            };
        }
        if let Some(character) = text.chars().find(|c| !allowed(*c)) {
            return Err(SenderError::Character { sender: text.to_owned(), character });
        }
        match text.len() {
            1..=NAME_MAX => Ok(SenderId(text.to_owned())),
            _ => Err(SenderError::NameTooLong(text.to_owned())),
        }
    }

    /// A sender that was read by [`SenderId::parse`] before and comes back from the books.
    pub fn stored(text: &str) -> SenderId {
        SenderId(text.to_owned())
    }

    /// What it is.
    pub fn kind(&self) -> SenderKind {
        match self.0.bytes().all(|b| b.is_ascii_digit()) {
            false => SenderKind::Alphanumeric,
            true if self.0.len() <= SHORT_CODE_MAX => SenderKind::ShortCode,
            true => SenderKind::Numeric,
        }
    }

    /// The type of number and the numbering plan that SMPP wants with it: 5 and 0 for a name, 1
    /// and 1 (international, ISDN) for a number, 3 and 0 (network specific) for a short code.
    ///
    /// Source: SMPP 3.4 sections 5.2.5 and 5.2.6; the choice for short codes is what carriers ask
    /// for most often.
    pub fn ton_npi(&self) -> (u8, u8) {
        match self.kind() {
            SenderKind::Alphanumeric => (5, 0),
            SenderKind::Numeric => (1, 1),
            SenderKind::ShortCode => (3, 0),
        }
    }

    /// Its characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The digits of a number, when the text is one: digits alone, or digits with what people put
/// between them after `+` or `00`. A local number that begins with one zero keeps it.
fn number_in(text: &str) -> Option<String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.strip_prefix("00").unwrap_or(text).to_owned());
    }
    let rest = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
    let between = |c: char| matches!(c, ' ' | '-' | '/' | '.' | '(' | ')');
    let is_number = rest.chars().all(|c| c.is_ascii_digit() || between(c));
    (is_number && rest.contains(|c: char| c.is_ascii_digit()))
        .then(|| rest.chars().filter(char::is_ascii_digit).collect())
}

fn allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || " /.-@_!()+$,&".contains(character)
}

impl fmt::Display for SenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SenderKind::*;

    #[test]
    fn a_sender_is_a_name_a_number_or_a_short_code() {
        #[rustfmt::skip]
        let cases = [
            ("Branchline",        "Branchline",       Alphanumeric, (5, 0)),
            ("  Shop  ",          "Shop",             Alphanumeric, (5, 0)),
            ("A",                 "A",                Alphanumeric, (5, 0)),
            ("R&D (x)/$,!",       "R&D (x)/$,!",      Alphanumeric, (5, 0)),
            ("a.b-c@d_e+f",       "a.b-c@d_e+f",      Alphanumeric, (5, 0)),
            ("+Plus",             "+Plus",            Alphanumeric, (5, 0)),
            ("00Seven",           "00Seven",          Alphanumeric, (5, 0)),
            ("+",                 "+",                Alphanumeric, (5, 0)),
            ("491511234567",      "491511234567",     Numeric,      (1, 1)),
            ("+491511234567",     "491511234567",     Numeric,      (1, 1)),
            ("00491511234567",    "491511234567",     Numeric,      (1, 1)),
            ("+49 151 / 123-45",  "4915112345",       Numeric,      (1, 1)),
            ("01511234567",       "01511234567",      Numeric,      (1, 1)),
            ("1234567890123456",  "1234567890123456", Numeric,      (1, 1)),
            ("72727",             "72727",            ShortCode,    (3, 0)),
            ("123456",            "123456",           ShortCode,    (3, 0)),
            ("1234567",           "1234567",          Numeric,      (1, 1)),
        ];
        for (text, kept, kind, ton_npi) in cases {
            let sender = SenderId::parse(text).unwrap();
            assert_eq!((sender.as_str(), sender.kind(), sender.ton_npi()), (kept, kind, ton_npi), "{text}");
            assert_eq!(SenderId::parse(sender.as_str()).unwrap(), sender, "{text} is read back as itself");
        }
    }

    #[test]
    fn what_a_handset_would_not_show_is_refused() {
        #[rustfmt::skip]
        let cases = [
            ("",                   SenderError::Empty),
            ("   ",                SenderError::Empty),
            ("00",                 SenderError::Empty),
            ("TwelveLetter",       SenderError::NameTooLong("TwelveLetter".into())),
            ("12345678901234567",  SenderError::NumberTooLong("12345678901234567".into())),
            ("+12345678901234567", SenderError::NumberTooLong("+12345678901234567".into())),
            ("Müller",             SenderError::Character { sender: "Müller".into(), character: 'ü' }),
            ("a\nb",               SenderError::Character { sender: "a\nb".into(), character: '\n' }),
            ("a\0",                SenderError::Character { sender: "a\0".into(), character: '\0' }),
            ("١٢٣",                SenderError::Character { sender: "١٢٣".into(), character: '١' }),
            ("<b>",                SenderError::Character { sender: "<b>".into(), character: '<' }),
        ];
        for (text, refused) in cases {
            assert_eq!(SenderId::parse(text), Err(refused), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_kept_fits_an_address(text in "\\PC{0,24}|[0-9+ /()-]{0,24}") {
            if let Ok(sender) = SenderId::parse(&text) {
                let max = if sender.kind() == Alphanumeric { NAME_MAX } else { DIGITS_MAX };
                assert!((1..=max).contains(&sender.as_str().len()));
                assert!(sender.as_str().is_ascii());
            }
        }
    }
}
