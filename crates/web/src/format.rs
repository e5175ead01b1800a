//! How amounts, counts, dates and numbers are written, in one place: in the currency of the
//! installation and the time zone of the account.

use std::fmt;

use askama::filters::HtmlSafe;
use domain::credits::Credits;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

/// Writes for people.
#[derive(Clone, Debug)]
pub struct Format {
    /// Whose dates and times are shown.
    pub time_zone: TimeZone,
    /// The currency of all amounts, as ISO 4217 says it.
    pub currency: String,
    /// The moment the page is drawn at.
    pub now: Moment,
}

/// A value or any reference to it: templates hold now one, now the other.
pub trait Held<T> {
    /// The value.
    fn held(&self) -> T;
}

macro_rules! held {
    ($($type:ty),*) => {
        $(impl Held<$type> for $type {
            fn held(&self) -> $type {
                *self
            }
        })*
    };
}

held!(Moment, Credits);

impl<T, H: Held<T> + ?Sized> Held<T> for &H {
    fn held(&self) -> T {
        (**self).held()
    }
}

/// Between the sign of a currency and its amount, and inside a telephone number, no line ends.
const HARD_SPACE: char = '\u{a0}';

impl Format {
    /// An amount with two decimals, cut and never rounded up: `€1,234.56`.
    pub fn money(&self, amount: impl Held<Credits>) -> String {
        let amount = amount.held();
        self.with_currency(&amount.with_places(2))
    }

    /// An amount to its last digit, for prices and whatever must agree with the ledger: `€0.075`.
    pub fn exact(&self, amount: impl Held<Credits>) -> String {
        let amount = amount.held();
        self.with_currency(&amount.to_string())
    }

    /// An exact amount with its direction: `+€25.00`, `−€0.075`.
    pub fn change(&self, amount: impl Held<Credits>) -> String {
        let amount = amount.held();
        let plus = if amount.0 > 0 { "+" } else { "" };
        format!("{plus}{}", self.exact(amount))
    }

    fn with_currency(&self, digits: &str) -> String {
        let (sign, digits) = match digits.strip_prefix('-') {
            Some(rest) => ("\u{2212}", rest),
            None => ("", digits),
        };
        let (whole, rest) = digits.split_once('.').map_or((digits, None), |(w, r)| (w, Some(r)));
        let mut shown = grouped(whole);
        if let Some(rest) = rest {
            shown.push('.');
            shown.push_str(rest);
        }
        match self.currency.as_str() {
            "EUR" => format!("{sign}€{shown}"),
            "USD" => format!("{sign}${shown}"),
            "GBP" => format!("{sign}£{shown}"),
            other => format!("{sign}{other}{HARD_SPACE}{shown}"),
        }
    }

    /// The sign of the currency, for beside a field: `€`, `CHF`.
    pub fn currency_sign(&self) -> &str {
        match self.currency.as_str() {
            "EUR" => "€",
            "USD" => "$",
            "GBP" => "£",
            other => other,
        }
    }

    /// A count with its thousands apart: `1,234,567`.
    pub fn count(&self, count: i64) -> String {
        let sign = if count < 0 { "\u{2212}" } else { "" };
        format!("{sign}{}", grouped(&count.unsigned_abs().to_string()))
    }

    /// A count in three digits or so, for axes: `1.2k`, `35M`.
    pub fn short(&self, count: i64) -> String {
        let whole = count.unsigned_abs();
        let sign = if count < 0 { "\u{2212}" } else { "" };
        let (per, unit) = match whole {
            0..1_000 => return format!("{sign}{whole}"),
            1_000..1_000_000 => (1_000, "k"),
            1_000_000..1_000_000_000 => (1_000_000, "M"),
            _ => (1_000_000_000, "G"),
        };
        let tenths = whole / (per / 10);
        match (tenths / 10, tenths % 10) {
            (big, _) if big >= 100 => format!("{sign}{big}{unit}"),
            (big, 0) => format!("{sign}{big}{unit}"),
            (big, tenth) => format!("{sign}{big}.{tenth}{unit}"),
        }
    }

    /// A share of a whole with one decimal: `97.4%`; a dash when there is no whole. Only all of it is
    /// `100%`, and only nothing of it is `0%`.
    pub fn percent(&self, part: i64, whole: i64) -> String {
        if whole <= 0 {
            return "–".to_owned();
        }
        match (i128::from(part) * 1000 + i128::from(whole) / 2) / i128::from(whole) {
            _ if part == whole => "100%".to_owned(),
            _ if part == 0 => "0%".to_owned(),
            0 => "<0.1%".to_owned(),
            1000 => ">99.9%".to_owned(),
            tenths => format!("{}.{}%", tenths / 10, tenths % 10),
        }
    }

    /// Many or one: `1 message`, `1,200 messages`.
    pub fn many(&self, count: i64, one: &str, many: &str) -> String {
        format!("{}{HARD_SPACE}{}", self.count(count), if count == 1 { one } else { many })
    }

    fn zoned(&self, moment: Moment) -> ZonedDateTime {
        let timestamp = Timestamp::from_microsecond(moment.0).unwrap_or(Timestamp::UNIX_EPOCH);
        timestamp.to_zoned_datetime(self.time_zone.clone())
    }

    /// The date: `27 Nov 2026`.
    pub fn date(&self, moment: impl Held<Moment>) -> Time {
        let moment = moment.held();
        self.shown(moment, "%-d %b %Y")
    }

    /// Date and time to the minute, without the year when it is this one: `27 Nov, 17:35`.
    pub fn time(&self, moment: impl Held<Moment>) -> Time {
        let moment = moment.held();
        let this_year = self.zoned(self.now).year() == self.zoned(moment).year();
        self.shown(moment, if this_year { "%-d %b, %H:%M" } else { "%-d %b %Y, %H:%M" })
    }

    /// Date and time to the second, for timelines: `27 Nov 2026, 17:35:08`.
    pub fn time_exact(&self, moment: impl Held<Moment>) -> Time {
        let moment = moment.held();
        self.shown(moment, "%-d %b %Y, %H:%M:%S")
    }

    /// How long ago or in how long: `just now`, `5 min ago`, `in 2 h`, `3 days ago`; further away the date.
    pub fn ago(&self, moment: impl Held<Moment>) -> Time {
        let moment = moment.held();
        let (past, seconds) = match self.now.0 >= moment.0 {
            true => (true, self.now.since(moment).as_secs()),
            false => (false, moment.since(self.now).as_secs()),
        };
        let span = match seconds {
            0..45 => {
                return Time { words: if past { "just now" } else { "now" }.into(), ..self.date(moment) };
            }
            45..3_570 => format!("{} min", (seconds + 30) / 60),
            3_570..84_600 => format!("{} h", (seconds + 1_800) / 3_600),
            84_600..129_600 => "1 day".to_owned(),
            129_600..1_296_000 => format!("{} days", (seconds + 43_200) / 86_400),
            _ => return self.date(moment),
        };
        let words = if past { format!("{span} ago") } else { format!("in {span}") };
        Time { words: words.replace(' ', "\u{a0}"), ..self.date(moment) }
    }

    fn shown(&self, moment: Moment, pattern: &str) -> Time {
        let zoned = self.zoned(moment);
        Time {
            words: zoned.strftime(pattern).to_string(),
            machine: zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            full: zoned.strftime("%A, %-d %B %Y, %H:%M:%S %Z").to_string(),
        }
    }

    /// A date of the books (20261127): `27 Nov 2026`.
    pub fn day(&self, day: i64) -> String {
        civil(day).map_or_else(|| day.to_string(), |date| date.strftime("%-d %b %Y").to_string())
    }

    /// A date of the books without its year: `27 Nov`.
    pub fn day_short(&self, day: i64) -> String {
        civil(day).map_or_else(|| day.to_string(), |date| date.strftime("%-d %b").to_string())
    }

    /// A telephone number, its country's code apart and the rest in threes: `+49 151 234 567 8`.
    pub fn phone(&self, number: PhoneNumber) -> String {
        phone(number)
    }

    /// The time zone as people know it: `Europe/Berlin`.
    pub fn zone_name(&self) -> &str {
        self.time_zone.iana_name().unwrap_or("UTC")
    }
}

fn civil(day: i64) -> Option<jiff::civil::Date> {
    let year = i16::try_from(day / 10_000).ok()?;
    let month = i8::try_from(day / 100 % 100).ok()?;
    jiff::civil::Date::new(year, month, i8::try_from(day % 100).ok()?).ok()
}

fn grouped(digits: &str) -> String {
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

fn phone(number: PhoneNumber) -> String {
    let digits = number.as_i64().to_string();
    let code = number.country().map_or(0, |country| country.calling_code().to_string().len());
    let (code, rest) = digits.split_at(code.min(digits.len()));
    let mut shown = format!("+{code}");
    let groups = rest.len() / 3;
    for (i, digit) in rest.chars().enumerate() {
        // A last digit alone joins the group before it.
        if i % 3 == 0 && (i / 3 < groups || rest.len() % 3 == 2) {
            shown.push(HARD_SPACE);
        }
        shown.push(digit);
    }
    shown
}

/// A point in time as a page shows it; drawn as `<time>` that tells the whole of it when pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    words: String,
    machine: String,
    full: String,
}

impl Time {
    /// The words alone, for titles and other places without markup.
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// None of the three parts can hold a character that HTML minds.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<time datetime=\"{}\" title=\"{}\">{}</time>", self.machine, self.full, self.words)
    }
}

impl HtmlSafe for Time {}

#[cfg(test)]
mod tests {
    use domain::phone_number::Country;

    use super::*;

    fn format(currency: &str) -> Format {
        Format {
            time_zone: TimeZone::get("Europe/Berlin").unwrap(),
            currency: currency.into(),
            now: Moment::from_seconds(1_795_800_000), // 2026-11-27 18:20 in Berlin
        }
    }

    #[test]
    fn amounts_are_written_with_their_currency_and_thousands() {
        let euro = format("EUR");
        #[rustfmt::skip]
        let cases = [
            (0,                   "€0.00",         "€0.00"),
            (75_000,              "€0.07",         "€0.075"),
            (1_234_567_890_000,   "€1,234,567.89", "€1,234,567.89"),
            (-12_500_000,         "−€12.50",       "−€12.50"),
            (999_999_999,         "€999.99",       "€999.999999"),
        ];
        for (amount, money, exact) in cases {
            assert_eq!((&*euro.money(Credits(amount)), &*euro.exact(Credits(amount))), (money, exact));
        }
        assert_eq!(euro.change(Credits(5_000_000)), "+€5.00");
        assert_eq!(format("CHF").money(Credits(5_000_000)), "CHF\u{a0}5.00");
    }

    #[test]
    fn counts_and_shares_are_short_and_true() {
        let f = format("EUR");
        for (count, long, short) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_250, "1,250", "1.2k"),
            (20_000, "20,000", "20k"),
            (1_234_567, "1,234,567", "1.2M"),
            (-1_000, "−1,000", "−1k"),
        ] {
            assert_eq!((&*f.count(count), &*f.short(count)), (long, short));
        }
        for (part, whole, shown) in [
            (0, 0, "–"),
            (0, 10, "0%"),
            (10, 10, "100%"),
            (974, 1000, "97.4%"),
            (999_999, 1_000_000, ">99.9%"),
            (1, 1_000_000, "<0.1%"),
        ] {
            assert_eq!(f.percent(part, whole), shown);
        }
        assert_eq!(f.many(1, "message", "messages"), "1\u{a0}message");
        assert_eq!(f.many(1200, "message", "messages"), "1,200\u{a0}messages");
    }

    #[test]
    fn times_are_those_of_the_account() {
        let f = format("EUR");
        let before = |seconds: i64| Moment::from_seconds(1_795_800_000 - seconds);
        assert_eq!(f.time(before(0)).words(), "27 Nov, 18:20");
        assert_eq!(f.date(before(400 * 86_400)).words(), "23 Oct 2025");
        assert_eq!(
            f.time(before(0)).to_string(),
            "<time datetime=\"2026-11-27T18:20:00+01:00\" title=\"Friday, 27 November 2026, 18:20:00 CET\">27 Nov, 18:20</time>"
        );
        for (seconds, words) in [
            (10, "just now"),
            (300, "5 min ago"),
            (7200, "2 h ago"),
            (86_400, "1 day ago"),
            (3 * 86_400, "3 days ago"),
            (-600, "in 10 min"),
        ] {
            assert_eq!(f.ago(before(seconds)).words().replace('\u{a0}', " "), words);
        }
        assert_eq!(f.day(20_261_127), "27 Nov 2026");
        assert_eq!(f.day_short(20_261_101), "1 Nov");
    }

    #[test]
    fn a_number_is_written_in_groups() {
        let shown = |text: &str| phone(PhoneNumber::parse(text, Country::parse("DE").unwrap()).unwrap());
        assert_eq!(shown("+4915112345678").replace('\u{a0}', " "), "+49 151 123 456 78");
        assert_eq!(shown("+33612345678").replace('\u{a0}', " "), "+33 612 345 678");
    }
}
