//! Markup, by how much of a hundred an account sells above (or below) what it pays itself.

use std::fmt;
use std::str::FromStr;

use crate::credits::Credits;

/// Hundredths of a percent in the whole.
const WHOLE: i128 = 10_000;

/// What is put on a price, in hundredths of a percent: from [`Markup::MIN`] to [`Markup::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Markup(i64);

/// Why a text is not a markup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkupError {
    /// There is no number in it.
    #[error("'{0}' is not a percentage; write it with at most two decimals, such as 12.5")]
    NotANumber(String),
    /// It is less than a price can lose, or more than anybody means.
    #[error("{0} % cannot be put on a price; use {min} to {max}", min = Markup::MIN, max = Markup::MAX)]
    OutOfRange(String),
}

impl Markup {
    /// The least: the price would be nothing.
    pub const MIN: Markup = Markup(-10_000);
    /// The most.
    pub const MAX: Markup = Markup(100_000);

    /// The price with it: rounded to the millionth, half of one up.
    pub fn on(self, price: Credits) -> Credits {
        let whole = i128::from(price.0) * (WHOLE + i128::from(self.0));
        let rounded = (whole + WHOLE / 2).div_euclid(WHOLE);
        Credits(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

/// As people write it: `12.5`, `-3`.
impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        match part {
            0 => write!(f, "{sign}{whole}"),
            part if part % 10 == 0 => write!(f, "{sign}{whole}.{}", part / 10),
            part => write!(f, "{sign}{whole}.{part:02}"),
        }
    }
}

impl FromStr for Markup {
    type Err = MarkupError;

    fn from_str(text: &str) -> Result<Markup, MarkupError> {
        let given = text.trim();
        let not_a_number = || MarkupError::NotANumber(given.to_owned());
        let number = given.strip_suffix('%').unwrap_or(given).trim_end().replace(',', ".");
        let (negative, digits) = match number.strip_prefix(['-', '\u{2212}']) {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(&number)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let part = part.trim_end_matches('0');
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = !(whole.is_empty() && part.is_empty()) && all_digits(whole) && all_digits(part);
        if !is_number || part.len() > 2 {
            return Err(not_a_number());
        }
        let out_of_range = || MarkupError::OutOfRange(given.trim_end_matches(['%', ' ']).to_owned());
        let hundredths: i64 = format!("{whole}{part:0<2}").parse().map_err(|_| out_of_range())?;
        let markup = Markup(if negative { -hundredths } else { hundredths });
        if (Markup::MIN..=Markup::MAX).contains(&markup) { Ok(markup) } else { Err(out_of_range()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_markup_is_read_shown_and_put_on_a_price() {
        #[rustfmt::skip]
        let cases = [
            ("12.5",    "12.5",  75_000,  84_375),
            ("12,5 %",  "12.5",  75_000,  84_375),
            ("0",       "0",     75_000,  75_000),
            ("+20.00",  "20",    75_000,  90_000),
            ("-10%",    "-10",   75_000,  67_500),
            (".25",     "0.25",  1,       1),
            ("50",      "50",    1,       2),
            ("-100",    "-100",  75_000,  0),
            ("1000",    "1000",  75_000,  825_000),
        ];
        for (text, shown, price, with) in cases {
            let markup: Markup = text.parse().unwrap();
            assert_eq!(markup.to_string(), shown, "{text}");
            assert_eq!(markup.on(Credits(price)), Credits(with), "{text}");
        }
        // What is not sold below cost by the rule is not by rounding either.
        for price in 0..1_000 {
            assert!("0.01".parse::<Markup>().unwrap().on(Credits(price)) >= Credits(price));
        }
        assert_eq!(Markup::MAX.on(Credits(i64::MAX)), Credits(i64::MAX));
    }

    #[test]
    fn what_is_no_markup_is_refused() {
        for text in ["", "%", "x", "1.234", "1e3", "1 2", "--1", "."] {
            assert!(matches!(text.parse::<Markup>(), Err(MarkupError::NotANumber(_))), "{text}");
        }
        for text in ["-100.01", "1000.01", "99999999999999999999"] {
            assert!(matches!(text.parse::<Markup>(), Err(MarkupError::OutOfRange(_))), "{text}");
        }
    }
}
