//! Carrier, the company that takes messages from us: how its message ids are spelled and what its
//! answers mean for a message. The live line to it is `carriers::Connection`.

/// How the ids of a carrier's receipts relate to those of its submit answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdSpelling {
    /// Try as given, then without leading zeros, then the other base.
    #[default]
    Auto,
    /// Exactly as given.
    AsIs,
    /// The answer was hexadecimal, the receipt is decimal.
    HexThenDecimal,
    /// The answer was decimal, the receipt is hexadecimal.
    DecimalThenHex,
}

impl IdSpelling {
    /// What an id of a submit answer is stored as: trimmed, lower case, without leading zeros.
    pub fn stored(self, id: &str) -> String {
        match self {
            IdSpelling::AsIs => id.trim().to_owned(),
            _ => folded(id),
        }
    }

    /// What an id of a receipt may be stored as, the likeliest first, at most three.
    pub fn candidates(self, id: &str) -> Vec<String> {
        let plain = folded(id);
        let as_hex = plain.parse::<u128>().ok().map(|n| format!("{n:x}"));
        let as_decimal = u128::from_str_radix(&plain, 16).ok().map(|n| n.to_string());
        let mut all = match self {
            IdSpelling::AsIs => vec![id.trim().to_owned()],
            IdSpelling::Auto => [Some(plain), as_hex, as_decimal].into_iter().flatten().collect(),
            IdSpelling::HexThenDecimal => vec![as_hex.unwrap_or(plain)],
            IdSpelling::DecimalThenHex => vec![as_decimal.unwrap_or(plain)],
        };
        let mut seen = Vec::new();
        all.retain(|c| {
            !seen.contains(c) && {
                seen.push(c.clone());
                true
            }
        });
        all
    }
}

fn folded(id: &str) -> String {
    let lower = id.trim().to_ascii_lowercase();
    let stripped = lower.trim_start_matches('0');
    if stripped.is_empty() { "0".to_owned() } else { stripped.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_finds_its_answer_in_every_spelling() {
        #[rustfmt::skip]
        let cases = [
            // answer           receipt          spelling
            ("1A2B",            "6699",          IdSpelling::Auto),
            ("6699",            "1a2b",          IdSpelling::Auto),
            ("00001a2b",        "1A2B",          IdSpelling::Auto),
            ("0000000042",      "42",            IdSpelling::Auto),
            ("42",              "0000000042",    IdSpelling::Auto),
            ("1a2b",            "0000006699",    IdSpelling::HexThenDecimal),
            ("6699",            "00001A2B",      IdSpelling::DecimalThenHex),
            ("7f3e-uuid-Form",  "7F3E-UUID-form", IdSpelling::Auto),
            ("AbC",             "AbC",           IdSpelling::AsIs),
        ];
        for (answer, receipt, spelling) in cases {
            let stored = spelling.stored(answer);
            assert!(spelling.candidates(receipt).contains(&stored), "{answer} {receipt}");
        }
    }

    #[test]
    fn as_is_does_not_guess() {
        assert_eq!(IdSpelling::AsIs.candidates("0042"), ["0042"]);
    }
}
