//! Letters that make a text dearer than it needs to be, and what may stand in their place.

use super::{OUTSIDE, septet_of};

/// A letter outside GSM-7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outside {
    /// How many characters stand before it.
    pub place: usize,
    /// The letter.
    pub letter: char,
    /// What says the same in GSM-7; nothing when nothing does.
    pub instead: Option<&'static str>,
}

/// The letters of a text that are outside GSM-7, in order.
pub fn outside_gsm7(text: &str) -> impl Iterator<Item = Outside> {
    let letters = text.chars().enumerate().filter(|(_, letter)| septet_of(*letter) == OUTSIDE);
    letters.map(|(place, letter)| Outside { place, letter, instead: instead_of(letter) })
}

/// The text with every letter outside GSM-7 replaced that can be; nothing when none can.
pub fn replaced_by_gsm7(text: &str) -> Option<String> {
    outside_gsm7(text).any(|outside| outside.instead.is_some()).then(|| {
        text.chars().fold(String::with_capacity(text.len()), |mut replaced, letter| {
            match instead_of(letter).filter(|_| septet_of(letter) == OUTSIDE) {
                Some(instead) => replaced.push_str(instead),
                None => replaced.push(letter),
            }
            replaced
        })
    })
}

/// What a word processor or a keyboard makes of plain letters, and letters of the Latin alphabet whose
/// marks GSM-7 does not know.
#[rustfmt::skip]
fn instead_of(letter: char) -> Option<&'static str> {
    Some(match letter {
        '“' | '”' | '„' | '‟' | '«' | '»' | '″' => "\"",
        '‘' | '’' | '‚' | '‛' | '‹' | '›' | '′' | '`' | '´' | 'ʼ' => "'",
        '–' | '—' | '‐' | '‑' | '‒' | '―' | '−' | '\u{AD}' => "-",
        '…' => "...",
        '\u{A0}' | '\u{2002}'..='\u{200A}' | '\u{202F}' | '\u{3000}' | '\t' => " ",
        '\u{200B}'..='\u{200D}' | '\u{FEFF}' | '\u{FE0F}' | '\u{2060}' => "",
        '•' | '·' | '●' | '▪' => "-",
        '×' => "x", '÷' => "/", '°' => " deg", '™' => "(TM)", '®' => "(R)", '©' => "(C)", '№' => "No.",
        '½' => "1/2", '¼' => "1/4", '¾' => "3/4", '²' => "2", '³' => "3", '¹' => "1",
        '←' => "<-", '→' => "->", '≤' => "<=", '≥' => ">=", '≠' => "!=",
        'á' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' => "a", 'Á' | 'À' | 'Â' | 'Ã' | 'Ā' | 'Ă' | 'Ą' => "A",
        'ć' | 'č' | 'ĉ' | 'ċ' | 'ç' => "c", 'Ć' | 'Č' | 'Ĉ' | 'Ċ' => "C",
        'ď' | 'đ' | 'ð' => "d", 'Ď' | 'Đ' | 'Ð' => "D",
        'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e", 'È' | 'Ê' | 'Ë' | 'Ē' | 'Ĕ' | 'Ė' | 'Ę' | 'Ě' => "E",
        'ğ' | 'ĝ' | 'ġ' | 'ģ' => "g", 'Ğ' | 'Ĝ' | 'Ġ' | 'Ģ' => "G", 'ĥ' | 'ħ' => "h", 'Ĥ' | 'Ħ' => "H",
        'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i", 'Í' | 'Ì' | 'Î' | 'Ï' | 'Ī' | 'Į' | 'İ' => "I",
        'ķ' => "k", 'Ķ' => "K", 'ł' | 'ĺ' | 'ļ' | 'ľ' => "l", 'Ł' | 'Ĺ' | 'Ļ' | 'Ľ' => "L",
        'ń' | 'ň' | 'ņ' => "n", 'Ń' | 'Ň' | 'Ņ' => "N",
        'ó' | 'ô' | 'õ' | 'ō' | 'ő' => "o", 'Ó' | 'Ò' | 'Ô' | 'Õ' | 'Ō' | 'Ő' => "O", 'œ' => "oe", 'Œ' => "OE",
        'ŕ' | 'ř' | 'ŗ' => "r", 'Ŕ' | 'Ř' | 'Ŗ' => "R", 'ś' | 'š' | 'ş' | 'ș' => "s", 'Ś' | 'Š' | 'Ş' | 'Ș' => "S",
        'ẞ' => "SS", 'ť' | 'ţ' | 'ț' => "t", 'Ť' | 'Ţ' | 'Ț' => "T",
        'ú' | 'û' | 'ū' | 'ů' | 'ű' | 'ų' => "u", 'Ú' | 'Ù' | 'Û' | 'Ū' | 'Ů' | 'Ű' | 'Ų' => "U",
        'ý' | 'ÿ' => "y", 'Ý' | 'Ÿ' => "Y", 'ź' | 'ż' | 'ž' => "z", 'Ź' | 'Ż' | 'Ž' => "Z",
        'ﬁ' => "fi", 'ﬂ' => "fl",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Alphabet, alphabet_of};

    #[test]
    fn whatever_stands_instead_is_in_gsm7() {
        for letter in '\0'..char::MAX {
            if let Some(instead) = instead_of(letter) {
                assert_eq!(alphabet_of(instead), Alphabet::Gsm7, "{letter}");
            }
        }
    }

    #[test]
    fn the_letters_are_told_with_their_places() {
        let text = "“Ça va…” 👍";
        let found: Vec<(usize, char, Option<&str>)> =
            outside_gsm7(text).map(|o| (o.place, o.letter, o.instead)).collect();
        assert_eq!(
            found,
            [(0, '“', Some("\"")), (6, '…', Some("...")), (7, '”', Some("\"")), (9, '👍', None)]
        );
        assert_eq!(replaced_by_gsm7(text).as_deref(), Some("\"Ça va...\" 👍"));
        assert_eq!(replaced_by_gsm7("plain"), None);
        assert_eq!(replaced_by_gsm7("👍"), None);
    }
}
