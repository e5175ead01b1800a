//! Amounts as JSON numbers. The only place where credits become floats: shortest decimals that any
//! client reads back as written.

use domain::credits::{Credits, SCALE};
use serde::{Serialize, Serializer};

/// An amount with a fraction, always: `0.0`, `0.075`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub Credits);

/// An amount that is an integer when it is whole: `3`, `12.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeOrNot(pub Credits);

/// An amount cut to three decimals: what a balance shows.
pub fn cut(balance: Credits) -> Credits {
    Credits(balance.0 / 1000 * 1000)
}

/// A balance as text: three decimals at most, two at least.
pub fn balance_text(balance: Credits) -> String {
    cut(balance).to_string()
}

fn float(credits: Credits) -> f64 {
    // Division rounds to the float nearest to the decimal, which prints as that decimal.
    credits.0 as f64 / SCALE as f64
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(float(self.0))
    }
}

impl Serialize for WholeOrNot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.0 % SCALE {
            0 => serializer.serialize_i64(self.0.0 / SCALE),
            _ => serializer.serialize_f64(float(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_number_that_reads_back() {
        #[rustfmt::skip]
        let cases = [
            (0,            "0.0",      "0"),
            (75_000,       "0.075",    "0.075"),
            (12_000_000,   "12.0",     "12"),
            (41_275_000,   "41.275",   "41.275"),
            (1,            "1e-6",     "1e-6"),
            (-1_500_000,   "-1.5",     "-1.5"),
            (9_007_199_254_740_991, "9007199254.740992", "9007199254.740992"),
        ];
        for (millionths, always, when_needed) in cases {
            let amount = Credits(millionths);
            assert_eq!(serde_json::to_string(&Amount(amount)).unwrap(), always);
            assert_eq!(serde_json::to_string(&WholeOrNot(amount)).unwrap(), when_needed);
        }
    }

    #[test]
    fn a_balance_is_cut_and_keeps_a_fraction() {
        assert_eq!(balance_text(Credits(12_000_000)), "12.00");
        assert_eq!(balance_text(Credits(41_275_999)), "41.275");
        assert_eq!(balance_text(Credits(0)), "0.00");
        assert_eq!(balance_text(Credits(-500)), "0.00");
    }
}
