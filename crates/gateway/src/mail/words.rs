//! The words of mails: the language files, and how names, dates and amounts are put into them. What
//! people may choose themselves (a name, a reason, a browser's word for itself) is cleaned before it
//! goes into a sentence, so that it stays one line and cannot pass for the sentence around it.

use std::borrow::Cow;
use std::collections::HashMap;

use domain::credits::Credits;
use domain::member::Role;
use domain::moment::Moment;
use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader, static_loader};
use jiff::Timestamp;
use jiff::tz::TimeZone;

static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
    };
}

/// The language of whoever has chosen none.
pub const LANGUAGE: &str = "en";

/// The languages there are files of, in their order.
pub fn languages() -> Vec<&'static str> {
    let mut all: Vec<&'static str> = LOCALES.locales().map(|l| l.language.as_str()).collect();
    all.sort_unstable();
    all
}

/// The first of these languages that there is a file of; `de-AT` is `de`.
pub fn language(wanted: &[Option<&str>]) -> &'static str {
    let all = languages();
    let known = |wanted: &&str| {
        let plain = wanted.split(['-', '_']).next().unwrap_or_default();
        all.iter().find(|l| l.eq_ignore_ascii_case(plain)).copied()
    };
    wanted.iter().flatten().find_map(known).unwrap_or(LANGUAGE)
}

/// The most characters of a name in a mail.
const NAME_MAX: usize = 100;
/// The most characters of a reason somebody wrote.
const REASON_MAX: usize = 600;
/// The most characters of a subject.
const SUBJECT_MAX: usize = 160;
/// What Fluent puts around values, so that a name in another direction of writing does not turn the
/// words around it.
pub(super) const ISOLATE: [char; 2] = ['\u{2068}', '\u{2069}'];

/// A language, with whose dates and in which currency it speaks.
pub(super) struct Words<'a> {
    pub language: &'static str,
    tag: LanguageIdentifier,
    zone: &'a TimeZone,
    currency: &'a str,
}

impl<'a> Words<'a> {
    pub fn new(language: &'static str, zone: &'a TimeZone, currency: &'a str) -> Words<'a> {
        let tag = LOCALES.locales().find(|l| l.language.as_str() == language).cloned();
        Words { language, tag: tag.unwrap_or_else(|| LOCALES.fallback().clone()), zone, currency }
    }

    /// A sentence of the language file; nothing where there is none of that name.
    pub fn try_say(&self, key: &str, values: &[(&'static str, String)]) -> Option<String> {
        let values: HashMap<Cow<'static, str>, FluentValue<'_>> = values
            .iter()
            .map(|(name, value)| (Cow::from(*name), FluentValue::from(value.as_str())))
            .collect();
        LOCALES.try_lookup_with_args(&self.tag, key, &values)
    }

    /// A sentence of the language file.
    pub fn say(&self, key: &str, values: &[(&'static str, String)]) -> String {
        self.try_say(key, values).unwrap_or_default()
    }

    /// What a role is called.
    pub fn role(&self, role: Role) -> String {
        self.say(&format!("role-{}", role.as_str()), &[])
    }

    /// What a role may do.
    pub fn role_may(&self, role: Role) -> String {
        self.say(&format!("role-{}.may", role.as_str()), &[])
    }

    /// A date and time of day, with the zone they are of.
    pub fn moment(&self, moment: Moment) -> String {
        let at = Timestamp::from_microsecond(moment.0).unwrap_or(Timestamp::UNIX_EPOCH);
        let at = at.to_zoned_datetime(self.zone.clone());
        let values = [
            ("day", at.day().to_string()),
            ("month", self.say(&format!("month-{}", at.month()), &[])),
            ("year", at.year().to_string()),
            ("clock", at.strftime("%H:%M").to_string()),
            ("zone", at.strftime("%Z").to_string()),
        ];
        bare(&self.say("moment", &values))
    }

    /// An amount with its currency.
    pub fn money(&self, amount: Credits) -> String {
        let amount = amount.to_string().replace('.', &self.say("decimal-sign", &[]));
        format!("{amount}\u{A0}{}", self.currency)
    }

    /// A name as it goes into a sentence.
    pub fn clean(&self, text: &str) -> String {
        cut(text, NAME_MAX)
    }

    /// A reason as it goes into a mail.
    pub fn clean_long(&self, text: &str) -> String {
        cut(text, REASON_MAX)
    }

    /// A subject: one line without marks of direction.
    pub fn subject(&self, text: &str) -> String {
        cut(text, SUBJECT_MAX)
    }
}

/// Without the marks that Fluent puts around values.
pub(super) fn bare(text: &str) -> String {
    text.replace(ISOLATE, "")
}

/// One line of at most so many characters, without any that steer: line ends and other controls,
/// marks of direction, what has no width, and what is for private use.
fn cut(text: &str, max: usize) -> String {
    let steers = |c: char| {
        matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}')
    };
    let mut line = String::with_capacity(text.len().min(4 * max));
    let (mut length, mut gap) = (0, false);
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            gap = !line.is_empty();
            continue;
        }
        if steers(c) {
            continue;
        }
        if length + usize::from(gap) >= max {
            line.push('…');
            break;
        }
        if std::mem::take(&mut gap) {
            line.push(' ');
            length += 1;
        }
        line.push(c);
        length += 1;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_steers_nothing() {
        #[rustfmt::skip]
        let cases = [
            ("  Muster  GmbH ",                   "Muster GmbH"),
            ("a\r\nBcc: x@y.z\r\n\r\n<b>",        "a Bcc: x@y.z <b>"),
            ("a\u{2028}b\u{0}c\u{85}d",           "a b c d"),
            ("\u{202E}evil\u{202C} \u{2068}x",    "evil x"),
            ("\u{E000}secret\u{E000}",            "secret"),
            ("شركة المثال",                       "شركة المثال"),
            ("",                                  ""),
        ];
        for (given, wanted) in cases {
            assert_eq!(cut(given, 100), wanted, "{given:?}");
        }
        assert_eq!(cut(&"ä".repeat(200), 100).chars().count(), 101);
    }

    #[test]
    fn a_language_that_is_not_there_is_passed_over() {
        assert_eq!(languages(), ["de", "en"]);
        assert_eq!(language(&[Some("de-AT")]), "de");
        assert_eq!(language(&[None, Some("xx"), Some("DE")]), "de");
        assert_eq!(language(&[Some("xx"), None]), "en");
    }
}
