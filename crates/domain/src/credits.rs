//! Credits: a prepaid amount in the installation's currency, in whole millionths. Checked
//! arithmetic only; there is no float anywhere near money.

use std::fmt;
use std::ops::Neg;

/// Millionths in one unit of the currency.
pub const SCALE: i64 = 1_000_000;

/// An amount in millionths of the installation's currency; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(pub i64);

impl Credits {
    /// Nothing.
    pub const ZERO: Credits = Credits(0);

    /// The sum, or nothing when it would not fit.
    pub fn checked_add(self, other: Credits) -> Option<Credits> {
        self.0.checked_add(other.0).map(Credits)
    }

    /// The difference, or nothing when it would not fit.
    pub fn checked_sub(self, other: Credits) -> Option<Credits> {
        self.0.checked_sub(other.0).map(Credits)
    }

    /// The amount `count` times, or nothing when it would not fit.
    pub fn times(self, count: u64) -> Option<Credits> {
        i64::try_from(i128::from(self.0) * i128::from(count)).ok().map(Credits)
    }

    /// Whether the amount is above nothing.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// With exactly `places` decimals (0 to 6), cut and not rounded up: a balance shown is never
    /// more than there is.
    pub fn with_places(self, places: usize) -> String {
        let places = places.min(6);
        let unit = SCALE / 10_i64.pow(places as u32);
        let cut = self.0.unsigned_abs() / unit.unsigned_abs();
        let per_whole = 10_u64.pow(places as u32);
        let sign = if self.0 < 0 && cut > 0 { "-" } else { "" };
        match places {
            0 => format!("{sign}{cut}"),
            _ => format!("{sign}{}.{:0places$}", cut / per_whole, cut % per_whole),
        }
    }
}

impl Neg for Credits {
    type Output = Credits;
    fn neg(self) -> Credits {
        Credits(-self.0)
    }
}

/// As people write it: `12.50`, `0.075`, `-3.00`; two decimals at least, six at most.
impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = self.with_places(6);
        let kept = full.trim_end_matches('0');
        let decimals = kept.len() - kept.find('.').map_or(kept.len(), |dot| dot + 1);
        f.write_str(&full[..full.len() - 6 + decimals.max(2)])
    }
}

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditsError {
    /// There is no number in it.
    #[error("'{0}' is not an amount; write it with a dot, such as 25.00")]
    NotANumber(String),
    /// More than six decimals were given.
    #[error("'{0}' has more than six decimals; amounts are counted in millionths")]
    TooFine(String),
    /// It does not fit.
    #[error("'{0}' is too large; the most is 9223372036854.775807")]
    TooLarge(String),
}

impl std::str::FromStr for Credits {
    type Err = CreditsError;

    fn from_str(text: &str) -> Result<Credits, CreditsError> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return Err(CreditsError::NotANumber(text.to_owned()));
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 6 {
            return Err(CreditsError::TooFine(text.to_owned()));
        }
        let too_large = || CreditsError::TooLarge(text.to_owned());
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_large())? };
        let part: i128 = format!("{fraction:0<6}").parse().map_err(|_| too_large())?;
        let sum =
            whole.checked_mul(i128::from(SCALE)).and_then(|w| w.checked_add(part)).ok_or_else(too_large)?;
        i64::try_from(if negative { -sum } else { sum }).map(Credits).map_err(|_| too_large())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_and_shown() {
        #[rustfmt::skip]
        let cases = [
            ("25.00",      25_000_000, "25.00"),
            ("0.075",          75_000, "0.075"),
            ("-3",         -3_000_000, "-3.00"),
            (".5",            500_000, "0.50"),
            ("7.",          7_000_000, "7.00"),
            ("0.000001",            1, "0.000001"),
            ("1.2000000000", 1_200_000, "1.20"),
        ];
        for (text, millionths, shown) in cases {
            let credits: Credits = text.parse().unwrap();
            assert_eq!(credits, Credits(millionths), "{text}");
            assert_eq!(credits.to_string(), shown);
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in ["", ".", "1,5", "1e3", "abc", "--1", "1.0000001", "99999999999999999999", "1 2"] {
            assert!(text.parse::<Credits>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_balance_is_never_shown_as_more_than_it_is() {
        assert_eq!(Credits(1_999_999).with_places(2), "1.99");
        assert_eq!(Credits(-1).with_places(2), "0.00");
        assert_eq!(Credits(-1_500_000).with_places(0), "-1");
    }
}
