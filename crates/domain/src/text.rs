//! Text, and what becomes of it on the air: the alphabet it is written in, and the segments it is
//! sent in. Who pays for the segments, and how a PDU carries them, is left to others.
//!
//! The number of [`Content::segments`] is what is charged and shown; [`Content::parts`] is what is
//! sent. Both are cut by the same rule, so they always agree.
//!
//! Source: 3GPP TS 23.038 (alphabets, data coding) and TS 23.040 section 9.2.3.24 (user data
//! header, concatenation).

mod plain;

pub use plain::{Outside, outside_gsm7, replaced_by_gsm7};

/// The longest text, in characters; of a binary message, the most octets.
pub const TEXT_MAX: usize = 1520;

/// The most segments a message can take: [`TEXT_MAX`] emoji, of which 33 fit into a segment. The
/// same length is 23 segments of other UCS-2 and at most 20 of GSM-7.
pub const SEGMENTS_MAX: u8 = 47;

/// What one message holds, in octets, the header included.
pub const SEGMENT_OCTETS: usize = 140;

/// The octets that join the segments of a message: length, element 0 and its length, the
/// reference, how many segments, which one.
const JOIN_OCTETS: usize = 6;

/// The septet that says that the next one is from the extension table.
const ESCAPE: u8 = 0x1B;

/// The letters a message is sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// The GSM 7-bit default alphabet and its extension table.
    Gsm7,
    /// UTF-16, big end first. Its standard name is UCS-2, but every handset of this century reads
    /// surrogate pairs, so emoji are sent.
    Ucs2,
    /// No letters: octets for a program in the handset.
    Binary,
}

impl Alphabet {
    /// All, in the order of their codes.
    pub const ALL: [Alphabet; 3] = [Alphabet::Gsm7, Alphabet::Ucs2, Alphabet::Binary];

    /// The number the books use: 0 to 2.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The alphabet of a number in the books.
    pub fn from_code(code: i64) -> Option<Alphabet> {
        usize::try_from(code).ok().and_then(|i| Alphabet::ALL.get(i)).copied()
    }

    /// The word people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Alphabet::Gsm7 => "gsm",
            Alphabet::Ucs2 => "ucs2",
            Alphabet::Binary => "binary",
        }
    }

    /// The word of the wire, which knows only `gsm` and `ucs2`. Binary is said as `gsm`: clients
    /// read the field into an enum of two (Swift's fails on a third), and `is_binary` stands
    /// beside it.
    pub fn wire_name(self) -> &'static str {
        match self {
            Alphabet::Gsm7 | Alphabet::Binary => "gsm",
            Alphabet::Ucs2 => "ucs2",
        }
    }

    /// The data coding of SMPP and of the air. A plain message has the general group without a
    /// class; a flash message sets bit 4, which makes the two lowest bits a class, and class 0 is
    /// "show at once, do not store".
    ///
    /// Source: 3GPP TS 23.038 section 4.
    fn data_coding(self, flash: bool) -> u8 {
        let alphabet = match self {
            Alphabet::Gsm7 => 0x00,
            Alphabet::Binary => 0x04,
            Alphabet::Ucs2 => 0x08,
        };
        if flash { alphabet | 0x10 } else { alphabet }
    }
}

/// Why something cannot be sent as a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is nothing in it.
    #[error("the text is empty; write at least one character")]
    Empty,
    /// Too many characters.
    #[error("the text has {characters} characters; use at most {max}")]
    TooLong {
        /// How many it has.
        characters: usize,
        /// How many it may have.
        max: usize,
    },
    /// A binary message whose text is not hexadecimal.
    #[error(
        "the text of a binary message is written in hexadecimal, two digits an octet, such as 48656c6c6f"
    )]
    TextNotHex,
    /// A binary message whose header is not hexadecimal.
    #[error("the udh is written in hexadecimal, two digits an octet, such as 0605040B8423F0")]
    UdhNotHex,
    /// A header whose first octet does not count the others.
    #[error("the udh begins with {said} but {octets} octets follow; begin it with the number that follow")]
    UdhLength {
        /// What the first octet says.
        said: u8,
        /// How many octets come after it.
        octets: usize,
    },
    /// A binary message with its own header that does not fit into one message.
    #[error(
        "udh and text are {octets} octets together, and one message holds {max}; shorten the text, or \
         send several messages whose udh joins them"
    )]
    BinaryTooLong {
        /// How many there are.
        octets: usize,
        /// How many there may be.
        max: usize,
    },
}

/// What a message says. The constructors check; whoever reads one back from the books may build
/// the variants directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Letters.
    Text {
        /// What it says, exactly as the customer wrote it.
        text: String,
        /// [`Alphabet::Gsm7`] only when the whole text is in it, else [`Alphabet::Ucs2`].
        alphabet: Alphabet,
    },
    /// Octets.
    Binary {
        /// The customer's own header as customers write it: the first octet counts the others.
        /// Empty for none.
        udh: Vec<u8>,
        /// What follows the header.
        octets: Vec<u8>,
    },
}

/// One segment, as it goes into a PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The whole header, its length octet included; empty for none.
    pub udh: Vec<u8>,
    /// The data coding of TS 23.038: 0x00, 0x04, 0x08, or 0x10 more for flash.
    pub data_coding: u8,
    /// What follows the header. GSM-7 is not packed, since SMPP carries one septet an octet; an
    /// escape is an octet of its own.
    pub octets: Vec<u8>,
}

impl Content {
    /// A text in the alphabet that it fits, or in UCS-2 when forced.
    ///
    /// # Errors
    /// [`TextError::Empty`], or [`TextError::TooLong`] beyond [`TEXT_MAX`] characters.
    pub fn text(text: &str, force_ucs2: bool) -> Result<Content, TextError> {
        check_length(text)?;
        let alphabet = if force_ucs2 { Alphabet::Ucs2 } else { alphabet_of(text) };
        Ok(Content::Text { text: text.to_owned(), alphabet })
    }

    /// Octets with a header of the customer's own (with its length octet), or with none. Without
    /// one, a long message is cut and joined as texts are; with one, the customer joins.
    ///
    /// # Errors
    /// [`TextError::Empty`] without octets; [`TextError::UdhLength`];
    /// [`TextError::BinaryTooLong`] beyond 140 octets with the header, or [`TEXT_MAX`] without.
    pub fn binary(udh: Vec<u8>, octets: Vec<u8>) -> Result<Content, TextError> {
        if octets.is_empty() {
            return Err(TextError::Empty);
        }
        let max = if udh.is_empty() { TEXT_MAX } else { SEGMENT_OCTETS };
        match udh.split_first() {
            Some((said, rest)) if usize::from(*said) != rest.len() => {
                Err(TextError::UdhLength { said: *said, octets: rest.len() })
            }
            _ if udh.len() + octets.len() > max => {
                Err(TextError::BinaryTooLong { octets: udh.len() + octets.len(), max })
            }
            _ => Ok(Content::Binary { udh, octets }),
        }
    }

    /// What a request asks for: a header and a text that are both hexadecimal are a binary
    /// message, as is a hexadecimal text with `is_binary`. Anything else is a text, and its `udh`
    /// is ignored: clients send words there and expect the text to be sent.
    ///
    /// # Errors
    /// Those of [`Content::text`] and [`Content::binary`]; when `is_binary` insists,
    /// [`TextError::TextNotHex`] and [`TextError::UdhNotHex`].
    pub fn from_request(
        text: &str,
        udh: Option<&str>,
        is_binary: bool,
        force_ucs2: bool,
    ) -> Result<Content, TextError> {
        let udh = udh.filter(|u| !u.is_empty());
        if udh.is_none() && !is_binary {
            return Content::text(text, force_ucs2);
        }
        check_length(text)?;
        match (udh.map(octets_of_hex), octets_of_hex(text)) {
            (Some(Some(udh)), Some(octets)) => Content::binary(udh, octets),
            (None, Some(octets)) => Content::binary(Vec::new(), octets),
            (_, None) if is_binary => Err(TextError::TextNotHex),
            (Some(None), _) if is_binary => Err(TextError::UdhNotHex),
            _ => Content::text(text, force_ucs2),
        }
    }

    /// The alphabet it is sent in.
    pub fn alphabet(&self) -> Alphabet {
        match self {
            Content::Text { alphabet, .. } => *alphabet,
            Content::Binary { .. } => Alphabet::Binary,
        }
    }

    /// What people read: the text, or the octets in hexadecimal.
    pub fn shown(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Content::Text { text, .. } => text.as_str().into(),
            Content::Binary { octets, .. } => hex_of_octets(octets).into(),
        }
    }

    /// The customer's own header in hexadecimal, if there is one.
    pub fn udh_shown(&self) -> Option<String> {
        match self {
            Content::Binary { udh, .. } if !udh.is_empty() => Some(hex_of_octets(udh)),
            _ => None,
        }
    }

    /// How many segments it takes when sent: 1 to [`SEGMENTS_MAX`].
    ///
    /// One segment holds 140 octets: 160 septets of GSM-7 or 70 code units of UCS-2. In a message
    /// of several, each gives 6 octets to the header that joins them: 153, 67 or 134 octets of
    /// binary, and one less where an escape or surrogate pair would be torn.
    ///
    /// Source: 3GPP TS 23.038 section 6; TS 23.040 section 9.2.3.24.1.
    pub fn segments(&self) -> u8 {
        let segments = match self {
            // A byte of UTF-8 never takes more than two septets, nor more than one code unit.
            Content::Text { text, alphabet: Alphabet::Gsm7 } if text.len() <= 80 => 1,
            Content::Text { text, .. } if text.len() <= 70 => 1,
            Content::Text { text, alphabet: Alphabet::Gsm7 } => cuts(text.chars().map(septets_of), 160, 153),
            Content::Text { text, .. } => cuts(text.chars().map(char::len_utf16), 70, 67),
            Content::Binary { udh, octets } if !udh.is_empty() || octets.len() <= SEGMENT_OCTETS => 1,
            Content::Binary { octets, .. } => octets.len().div_ceil(SEGMENT_OCTETS - JOIN_OCTETS),
        };
        // What the constructors let through stays far below.
        u8::try_from(segments).unwrap_or(u8::MAX)
    }

    /// The segments to send, in order. Those of a long message carry the header that joins them:
    /// `05 00 03`, the reference, how many there are, which one this is. The reference should
    /// differ from that of the last long message to the same number.
    pub fn parts(&self, reference: u8, flash: bool) -> Vec<Part> {
        let data_coding = self.alphabet().data_coding(flash);
        let pieces = match self {
            Content::Text { text, alphabet: Alphabet::Gsm7 } => {
                cut(&septets(text), 160, 153, |last| last == ESCAPE, <[u8]>::to_vec)
            }
            Content::Text { text, .. } => {
                let units: Vec<u16> = text.encode_utf16().collect();
                cut(&units, 70, 67, |last| (0xD800..0xDC00).contains(&last), big_endian)
            }
            Content::Binary { udh, octets } if !udh.is_empty() => {
                return vec![Part { udh: udh.clone(), data_coding, octets: octets.clone() }];
            }
            Content::Binary { octets, .. } => {
                cut(octets, SEGMENT_OCTETS, SEGMENT_OCTETS - JOIN_OCTETS, |_| false, <[u8]>::to_vec)
            }
        };
        let total = u8::try_from(pieces.len()).unwrap_or(u8::MAX);
        let udh = |index| if total > 1 { vec![5, 0, 3, reference, total, index] } else { Vec::new() };
        (1..=total).zip(pieces).map(|(index, octets)| Part { udh: udh(index), data_coding, octets }).collect()
    }
}

fn check_length(text: &str) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    // Counting is only needed when the bytes alone do not settle it.
    if text.len() > TEXT_MAX {
        let characters = text.chars().count();
        if characters > TEXT_MAX {
            return Err(TextError::TooLong { characters, max: TEXT_MAX });
        }
    }
    Ok(())
}

/// How many pieces [`cut`] makes of units that belong together in these widths; nothing is allocated.
fn cuts(widths: impl Iterator<Item = usize>, whole: usize, each: usize) -> usize {
    let (mut total, mut pieces, mut filled) = (0, 1, 0);
    for width in widths {
        total += width;
        filled += width;
        if filled > each {
            pieces += 1;
            filled = width;
        }
    }
    if total <= whole { 1 } else { pieces }
}

/// One piece when all fits into `whole`, else pieces of `each` units, cut one earlier where the
/// last unit leads another.
fn cut<U: Copy>(
    units: &[U],
    whole: usize,
    each: usize,
    leads: impl Fn(U) -> bool,
    octets: impl Fn(&[U]) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    if units.len() <= whole {
        return vec![octets(units)];
    }
    let mut pieces = Vec::with_capacity(units.len().div_ceil(each - 1));
    let mut rest = units;
    while rest.len() > each {
        let (piece, after) = rest.split_at(if leads(rest[each - 1]) { each - 1 } else { each });
        pieces.push(octets(piece));
        rest = after;
    }
    pieces.push(octets(rest));
    pieces
}

fn big_endian(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_be_bytes()).collect()
}

/// The default alphabet, by septet. The escape stands for itself and is never written as a letter.
#[rustfmt::skip]
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1B}', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table: the septet after the escape, and its letter.
#[rustfmt::skip]
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2F, '\\'),
    (0x3C, '['), (0x3D, '~'), (0x3E, ']'), (0x40, '|'), (0x65, '€'),
];

/// Letters beyond this are outside GSM-7, the euro sign excepted.
const LETTERS_END: usize = 'Ω' as usize + 1;
/// In [`SEPTETS`]: the letter is outside GSM-7.
const OUTSIDE: u8 = 0xFF;
/// In [`SEPTETS`]: the septet comes after an escape.
const EXTENDED: u8 = 0x80;

/// The septet of each letter below [`LETTERS_END`]: both tables the other way round.
static SEPTETS: [u8; LETTERS_END] = {
    let mut septets = [OUTSIDE; LETTERS_END];
    let mut septet = 0;
    while septet < BASIC.len() {
        if septet != ESCAPE as usize {
            septets[BASIC[septet] as usize] = septet as u8;
        }
        septet += 1;
    }
    let mut row = 0;
    while row < EXTENSION.len() {
        let (septet, letter) = EXTENSION[row];
        if (letter as usize) < LETTERS_END {
            septets[letter as usize] = septet | EXTENDED;
        }
        row += 1;
    }
    septets
};

fn septet_of(letter: char) -> u8 {
    match SEPTETS.get(letter as usize) {
        Some(septet) => *septet,
        None if letter == '€' => 0x65 | EXTENDED,
        None => OUTSIDE,
    }
}

/// How many septets a letter takes. One that is outside counts as the one it is replaced by.
fn septets_of(letter: char) -> usize {
    let septet = septet_of(letter);
    if septet & EXTENDED != 0 && septet != OUTSIDE { 2 } else { 1 }
}

/// The septets of a text, one an octet. A letter outside becomes a question mark; none is, in a
/// [`Content`] that was made by its constructors.
fn septets(text: &str) -> Vec<u8> {
    let mut septets = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match septet_of(letter) {
            OUTSIDE => septets.push(b'?'),
            septet if septet & EXTENDED != 0 => septets.extend([ESCAPE, septet ^ EXTENDED]),
            septet => septets.push(septet),
        }
    }
    septets
}

/// The alphabet a text fits: [`Alphabet::Gsm7`] or else [`Alphabet::Ucs2`].
pub fn alphabet_of(text: &str) -> Alphabet {
    if text.chars().all(|letter| septet_of(letter) != OUTSIDE) { Alphabet::Gsm7 } else { Alphabet::Ucs2 }
}

/// The first letter that makes a text dearer than GSM-7, and how many characters stand before it.
pub fn first_outside_gsm7(text: &str) -> Option<(usize, char)> {
    text.chars().enumerate().find(|(_, letter)| septet_of(*letter) == OUTSIDE)
}

/// The septets of a text, one an octet, or nothing when a letter is outside GSM-7.
pub fn to_gsm7(text: &str) -> Option<Vec<u8>> {
    (alphabet_of(text) == Alphabet::Gsm7).then(|| septets(text))
}

/// The text of septets, one an octet. Lenient, as carriers are not: an escape before a septet that
/// is not in the extension table is left out, as the standard advises handsets, and an octet above
/// 0x7F becomes U+FFFD.
///
/// Source: 3GPP TS 23.038 section 6.2.1.1.
pub fn from_gsm7(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut escaped = false;
    for septet in septets {
        let extended = EXTENSION.iter().find(|(code, _)| escaped && code == septet);
        match (extended, BASIC.get(usize::from(*septet))) {
            (Some((_, letter)), _) => text.push(*letter),
            (None, Some('\u{1B}')) if escaped => text.push(' '),
            (None, Some('\u{1B}')) => {}
            (None, Some(letter)) => text.push(*letter),
            (None, None) => text.push(char::REPLACEMENT_CHARACTER),
        }
        escaped = *septet == ESCAPE && !escaped;
    }
    text
}

/// The text of UCS-2 octets, big end first. Half a pair, or half a unit, becomes U+FFFD.
pub fn from_ucs2(octets: &[u8]) -> String {
    let (units, odd) = octets.as_chunks::<2>();
    let letters = char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit)));
    let odd = odd.first().map(|_| char::REPLACEMENT_CHARACTER);
    letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).chain(odd).collect()
}

/// Septets packed eight into seven octets, as they go on air, after `fill_bits` (0 to 6) of
/// nothing: those that follow a header begin at a whole septet.
pub fn pack(septets: &[u8], fill_bits: u8) -> Vec<u8> {
    let fill = usize::from(fill_bits % 7);
    let mut octets = vec![0; (septets.len() * 7 + fill).div_ceil(8)];
    for (index, septet) in septets.iter().enumerate() {
        let (octet, bit) = ((fill + index * 7) / 8, (fill + index * 7) % 8);
        let [low, high] = (u16::from(septet & 0x7F) << bit).to_le_bytes();
        octets[octet] |= low;
        // A septet that ends with its octet leaves nothing over, and there may be no next one.
        if high != 0 {
            octets[octet + 1] |= high;
        }
    }
    octets
}

/// The septets that were packed: the other way of [`pack`]. As many as `count`, or as there are;
/// the count is needed since seven bits of nothing look like an `@`.
pub fn unpack(octets: &[u8], fill_bits: u8, count: usize) -> Vec<u8> {
    let fill = usize::from(fill_bits % 7);
    let there = (octets.len() * 8).saturating_sub(fill) / 7;
    let septet = |index: usize| {
        let (octet, bit) = ((fill + index * 7) / 8, (fill + index * 7) % 8);
        let high = octets.get(octet + 1).copied().unwrap_or(0);
        ((u16::from_le_bytes([octets[octet], high]) >> bit) & 0x7F) as u8
    };
    (0..count.min(there)).map(septet).collect()
}

/// The octets that a text writes in hexadecimal, two digits each; nothing when it is empty, odd or
/// has other letters.
pub fn octets_of_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.is_empty() || !odd.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()).collect()
}

/// Octets in hexadecimal, lower case.
pub fn hex_of_octets(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let both = |octet: &u8| [octet >> 4, octet & 15].map(|half| char::from(DIGITS[usize::from(half)]));
    octets.iter().flat_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_of(text: &str) -> Content {
        Content::text(text, false).unwrap()
    }

    #[test]
    fn a_text_takes_as_many_segments_as_it_is_sent_in() {
        #[rustfmt::skip]
        let cases = [
            ("a".to_owned(),                         Alphabet::Gsm7, 1),
            ("a".repeat(160),                       Alphabet::Gsm7, 1),
            ("a".repeat(161),                       Alphabet::Gsm7, 2),
            ("a".repeat(306),                       Alphabet::Gsm7, 2),
            ("a".repeat(307),                       Alphabet::Gsm7, 3),
            ("€".repeat(80),                        Alphabet::Gsm7, 1),
            ("€".repeat(81),                        Alphabet::Gsm7, 2),
            // 76 pairs in each segment, one septet left free.
            ("€".repeat(152),                       Alphabet::Gsm7, 2),
            ("€".repeat(153),                       Alphabet::Gsm7, 3),
            ("a".repeat(152) + "€" + &"a".repeat(152), Alphabet::Gsm7, 3),
            ("a".repeat(151) + "€" + &"a".repeat(153), Alphabet::Gsm7, 2),
            ("ш".repeat(70),                        Alphabet::Ucs2, 1),
            ("ш".repeat(71),                        Alphabet::Ucs2, 2),
            ("ш".repeat(134),                       Alphabet::Ucs2, 2),
            ("ш".repeat(135),                       Alphabet::Ucs2, 3),
            ("😀".repeat(35),                       Alphabet::Ucs2, 1),
            ("😀".repeat(36),                       Alphabet::Ucs2, 2),
            ("😀".repeat(66),                       Alphabet::Ucs2, 2),
            ("😀".repeat(67),                       Alphabet::Ucs2, 3),
            ("ш".repeat(1520),                      Alphabet::Ucs2, 23),
            ("€".repeat(1520),                      Alphabet::Gsm7, 20),
            ("😀".repeat(1520),                     Alphabet::Ucs2, SEGMENTS_MAX),
        ];
        for (text, alphabet, segments) in cases {
            let content = text_of(&text);
            let start: String = text.chars().take(3).collect();
            assert_eq!(
                (content.alphabet(), content.segments()),
                (alphabet, segments),
                "{start}… {}",
                text.len()
            );
            assert_eq!(content.parts(1, false).len(), usize::from(segments));
        }
    }

    #[test]
    fn the_alphabet_is_found_and_can_be_forced() {
        #[rustfmt::skip]
        let cases = [
            ("Grüße, ÄÖÜ ñ @£$¥ èéùìòÇ Øø Åå Δ_ΦΓΛΩΠΨΣΘΞ Ææß É ¤ ¡¿ § à\n\r", None),
            ("^{}\\[~]|€\u{0C}",  None),
            ("voilà ç",           Some((6, 'ç'))),
            ("`",                 Some((0, '`'))),
            ("a\tb",              Some((1, '\t'))),
            ("“quoted”",          Some((0, '“'))),
            ("esc \u{1B}",        Some((4, '\u{1B}'))),
            ("Ελλάδα",            Some((0, 'Ε'))),
            ("10\u{A0}€",         Some((2, '\u{A0}'))),
            ("Привет",            Some((0, 'П'))),
            ("ok 👍",             Some((3, '👍'))),
        ];
        for (text, outside) in cases {
            assert_eq!(first_outside_gsm7(text), outside, "{text}");
            assert_eq!(text_of(text).alphabet() == Alphabet::Gsm7, outside.is_none(), "{text}");
            assert_eq!(to_gsm7(text).is_some(), outside.is_none(), "{text}");
            assert_eq!(Content::text(text, true).unwrap().alphabet(), Alphabet::Ucs2, "{text}");
        }
    }

    #[test]
    fn a_part_is_ready_for_the_air() {
        let part = |udh: &[u8], data_coding, octets: &[u8]| Part {
            udh: udh.into(),
            data_coding,
            octets: octets.into(),
        };
        assert_eq!(text_of("a@€").parts(7, false), [part(&[], 0x00, &[0x61, 0x00, 0x1B, 0x65])]);
        assert_eq!(text_of("aш").parts(7, false), [part(&[], 0x08, &[0, 0x61, 4, 0x48])]);
        assert_eq!(text_of("hi").parts(7, true), [part(&[], 0x10, b"hi")]);
        assert_eq!(text_of("ш").parts(7, true), [part(&[], 0x18, &[4, 0x48])]);

        let ringtone = Content::from_request("48Ff", Some("0605040B8423F0"), false, false).unwrap();
        let udh = [6, 5, 4, 0x0B, 0x84, 0x23, 0xF0];
        assert_eq!(ringtone.parts(7, false), [part(&udh, 0x04, &[0x48, 0xFF])]);
        assert_eq!(ringtone.parts(7, true), [part(&udh, 0x14, &[0x48, 0xFF])]);

        let parts = text_of(&"x".repeat(200)).parts(0xAB, false);
        assert_eq!(parts[0], part(&[5, 0, 3, 0xAB, 2, 1], 0x00, &[b'x'; 153]));
        assert_eq!(parts[1], part(&[5, 0, 3, 0xAB, 2, 2], 0x00, &[b'x'; 47]));

        let long = Content::binary(Vec::new(), vec![9; 141]).unwrap();
        assert_eq!((long.segments(), long.parts(1, false)[1].octets.len()), (2, 7));
        assert_eq!(Content::binary(Vec::new(), vec![9; 140]).unwrap().segments(), 1);
    }

    #[test]
    fn a_request_is_read_as_it_is_meant() {
        let binary = |udh: &[u8], octets: &[u8]| Content::Binary { udh: udh.into(), octets: octets.into() };
        let text = |text: &str| Content::Text { text: text.into(), alphabet: Alphabet::Gsm7 };
        #[rustfmt::skip]
        let cases = [
            ("Hello",  None,             false, Ok(text("Hello"))),
            ("48ff",   None,             false, Ok(text("48ff"))),
            ("48ff",   Some(""),         false, Ok(text("48ff"))),
            ("48ff",   None,             true,  Ok(binary(&[], &[0x48, 0xFF]))),
            ("48ff",   Some("020102"),   false, Ok(binary(&[2, 1, 2], &[0x48, 0xFF]))),
            ("48ff",   Some("020102"),   true,  Ok(binary(&[2, 1, 2], &[0x48, 0xFF]))),
            // Clients send words as udh and expect the text to be sent.
            ("Hello",  Some("my udh"),   false, Ok(text("Hello"))),
            ("48ff",   Some("my udh"),   false, Ok(text("48ff"))),
            ("Hello",  Some("020102"),   false, Ok(text("Hello"))),
            ("48f",    Some("020102"),   false, Ok(text("48f"))),
            ("Hello",  None,             true,  Err(TextError::TextNotHex)),
            ("Hello",  Some("020102"),   true,  Err(TextError::TextNotHex)),
            ("48ff",   Some("my udh"),   true,  Err(TextError::UdhNotHex)),
            ("48ff",   Some("0102"),     true,  Ok(binary(&[1, 2], &[0x48, 0xFF]))),
            ("48ff",   Some("050102"),   false, Err(TextError::UdhLength { said: 5, octets: 2 })),
            ("",       None,             false, Err(TextError::Empty)),
            ("",       Some("020102"),   true,  Err(TextError::Empty)),
        ];
        for (given, udh, is_binary, read) in cases {
            assert_eq!(
                Content::from_request(given, udh, is_binary, false),
                read,
                "{given} {udh:?} {is_binary}"
            );
        }
        assert_eq!(binary(&[2, 1, 2], &[0x48, 0xFF]).shown(), "48ff");
        assert_eq!(binary(&[2, 1, 2], &[0x48, 0xFF]).udh_shown().as_deref(), Some("020102"));
        assert_eq!(binary(&[], &[1]).udh_shown(), None);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let too_long = |characters| Err(TextError::TooLong { characters, max: 1520 });
        assert_eq!(Content::text(&"a".repeat(1521), false), too_long(1521));
        assert_eq!(Content::text(&"ü".repeat(1521), true), too_long(1521));
        assert_eq!(Content::from_request(&"00".repeat(761), None, true, false), too_long(1522));
        assert!(Content::text(&"😀".repeat(1520), false).is_ok());
        let too_long = |octets, max| Err(TextError::BinaryTooLong { octets, max });
        assert!(Content::binary(vec![2, 1, 2], vec![0; 137]).is_ok());
        assert_eq!(Content::binary(vec![2, 1, 2], vec![0; 138]), too_long(141, 140));
        assert_eq!(Content::binary(vec![], vec![0; 1521]), too_long(1521, 1520));
        assert_eq!(Content::binary(vec![0], vec![]), Err(TextError::Empty));
    }

    #[test]
    fn what_carriers_send_is_always_read() {
        #[rustfmt::skip]
        let cases: [(&[u8], &str); 6] = [
            (&[0x1B, 0x65, 0x00],  "€@"),
            (&[0x1B, 0x41],        "A"),   // not in the extension table: the basic letter
            (&[0x1B, 0x1B, 0x65],  " e"),  // an escape to tables that were never defined
            (&[0x41, 0x1B],        "A"),
            (&[0x41, 0x80],        "A\u{FFFD}"),
            (&[],                  ""),
        ];
        for (septets, text) in cases {
            assert_eq!(from_gsm7(septets), text, "{septets:?}");
        }
        assert_eq!(from_ucs2(&[0, 0x41, 0xD8, 0x3D, 0xDE, 0x00]), "A😀");
        assert_eq!(from_ucs2(&[0xD8, 0x3D, 0, 0x41, 0x41]), "\u{FFFD}A\u{FFFD}");
    }

    #[test]
    fn septets_are_packed_as_on_the_air() {
        // The example that every text on the subject uses.
        assert_eq!(pack(b"hellohello", 0), [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
        assert_eq!(unpack(&pack(b"hellohello", 0), 0, 10), b"hellohello");
        // After a header of six octets one bit is left free, and 153 septets fill the rest.
        assert_eq!(pack(&[0x7F; 153], 1).len(), SEGMENT_OCTETS - JOIN_OCTETS);
        assert_eq!(pack(&[0x7F; 160], 0).len(), SEGMENT_OCTETS);
        assert_eq!(pack(&[0x01], 1), [0x02]);
        assert_eq!(pack(&[], 0), []);
    }

    /// The `gsm7` crate was written by others from the same standard.
    fn by_another_hand(text: &str) -> Option<Vec<u8>> {
        let mut writer = gsm7::Gsm7Writer::new(Vec::new());
        writer.write_str(text).ok()?;
        writer.into_writer().ok()
    }

    #[test]
    fn every_letter_is_written_as_others_write_it() {
        for letter in '\0'..=char::MAX {
            // Eight septets fill their octets, so that there is no padding to differ in.
            let text = letter.to_string().repeat(8);
            // The other one passes on a bare escape; a handset would take it for half a pair.
            if letter != '\u{1B}' {
                assert_eq!(
                    to_gsm7(&text).map(|septets| pack(&septets, 0)),
                    by_another_hand(&text),
                    "{letter:?}"
                );
            }
        }
    }

    #[test]
    fn the_codes_of_the_books_are_read_back() {
        for alphabet in Alphabet::ALL {
            assert_eq!(Alphabet::from_code(alphabet.code()), Some(alphabet));
        }
        assert_eq!(Alphabet::from_code(3), None);
        assert_eq!(Alphabet::from_code(-1), None);
        assert_eq!(Alphabet::Binary.wire_name(), "gsm");
    }

    /// What the octets of a part take on the air, with the header.
    fn octets_on_air(part: &Part, alphabet: Alphabet) -> usize {
        let fill = (7 - part.udh.len() * 8 % 7) % 7;
        match alphabet {
            Alphabet::Gsm7 => part.udh.len() + pack(&part.octets, fill as u8).len(),
            _ => part.udh.len() + part.octets.len(),
        }
    }

    fn read(part: &Part, alphabet: Alphabet) -> String {
        if alphabet == Alphabet::Gsm7 { from_gsm7(&part.octets) } else { from_ucs2(&part.octets) }
    }

    /// Texts with many letters of two units, around the lengths where they are cut.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            proptest::collection::vec(
                prop_oneof!["[a-zA-Z0-9 ]", Just("€".to_owned()), Just("{".to_owned())],
                1..700
            )
            .prop_map(|letters| letters.concat()),
            proptest::collection::vec(
                prop_oneof!["[a-z]", Just("😀".to_owned()), Just("ш".to_owned())],
                1..300
            )
            .prop_map(|letters| letters.concat()),
            "\\PC{1,200}",
        ]
    }

    proptest! {
        #[test]
        fn the_parts_give_back_the_text(text in texts(), force in any::<bool>(), reference in any::<u8>()) {
            let content = Content::text(&text, force).unwrap();
            let alphabet = content.alphabet();
            let parts = content.parts(reference, false);
            prop_assert_eq!(usize::from(content.segments()), parts.len());
            // Every part is read by itself, so a torn pair would show.
            let read: String = parts.iter().map(|part| read(part, alphabet)).collect();
            prop_assert_eq!(read, text);
            for (index, part) in parts.iter().enumerate() {
                prop_assert!(octets_on_air(part, alphabet) <= SEGMENT_OCTETS);
                if parts.len() > 1 {
                    prop_assert_eq!(&part.udh, &vec![5, 0, 3, reference, parts.len() as u8, index as u8 + 1]);
                }
            }
        }

        #[test]
        fn the_parts_give_back_the_octets(octets in proptest::collection::vec(any::<u8>(), 1..TEXT_MAX)) {
            let content = Content::binary(Vec::new(), octets.clone()).unwrap();
            let parts = content.parts(1, false);
            prop_assert_eq!(usize::from(content.segments()), parts.len());
            prop_assert!(parts.iter().all(|part| octets_on_air(part, Alphabet::Binary) <= SEGMENT_OCTETS));
            let read: Vec<u8> = parts.into_iter().flat_map(|part| part.octets).collect();
            prop_assert_eq!(read, octets);
        }

        #[test]
        fn packing_loses_nothing(septets in proptest::collection::vec(0_u8..128, 0..200), fill in 0_u8..7) {
            prop_assert_eq!(unpack(&pack(&septets, fill), fill, septets.len()), septets);
        }

        #[test]
        fn whatever_is_received_is_read(octets in proptest::collection::vec(any::<u8>(), 0..200), fill in any::<u8>()) {
            from_gsm7(&octets);
            from_ucs2(&octets);
            unpack(&octets, fill, 255);
            octets_of_hex(&from_gsm7(&octets));
        }

        #[test]
        fn whatever_is_requested_is_read_or_refused(
            text in "\\PC{0,40}|[0-9a-f]{0,400}",
            udh in proptest::option::of("[0-9a-f]{0,40}|\\PC{0,9}"),
            is_binary in any::<bool>(),
        ) {
            if let Ok(content) = Content::from_request(&text, udh.as_deref(), is_binary, false) {
                prop_assert_eq!(usize::from(content.segments()), content.parts(1, false).len());
                prop_assert_eq!(content.shown().to_lowercase(), text.to_lowercase());
            }
        }
    }
}
