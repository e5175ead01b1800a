//! PhoneNumber in E.164, and where it leads: its Country by the numbering plan, its Network by the
//! prefix. The check is of what is *possible*: the calling code exists and the length fits its
//! plan. Whether a subscriber has the number is for the carrier to say.
//!
//! Numbers in international form take a path of a few table look-ups; those in national form, and
//! those of plans shared by several countries, ask `rlibphonenumber`, whose metadata is the source
//! of all lengths here.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, Region};

/// The fewest digits of a number with its calling code: Niue's.
pub const DIGITS_MIN: usize = 7;
/// The most digits of a number with its calling code.
///
/// Source: ITU-T E.164 section 6.2.1.
pub const DIGITS_MAX: usize = 15;

/// A country of the numbering plan, by its two letters of ISO 3166.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// What the plan says about a country.
struct CountryRow {
    country: Country,
    calling_code: u16,
    /// What people dial before a national number, which is not part of it: `0` in Germany.
    trunk: &'static str,
    /// Whether nothing else than the trunk prefix may stand before a number. In China, for one,
    /// it may be the code of a carrier.
    plain: bool,
    name: &'static str,
}

/// All countries, by their letters.
static COUNTRIES: LazyLock<Vec<CountryRow>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let mut cells = line.split('\t');
        Some(CountryRow {
            country: Country(cells.next()?.as_bytes().try_into().ok()?),
            calling_code: cells.next()?.parse().ok()?,
            trunk: cells.next()?,
            plain: cells.next()? == "plain",
            name: cells.next()?,
        })
    };
    include_str!("../data/countries.tsv").lines().filter_map(row).collect()
});

impl Country {
    /// The country of two letters in any case, if the numbering plan knows it.
    pub fn parse(letters: &str) -> Option<Country> {
        let letters: [u8; 2] = letters.as_bytes().try_into().ok()?;
        let country = Country(letters.map(|letter| letter.to_ascii_uppercase()));
        country.row().map(|_| country)
    }

    /// Its two letters, upper case.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("a country is two ASCII letters of the table")
    }

    /// Its English name.
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    /// What comes after the plus: 49 for Germany. Several countries may share one.
    pub fn calling_code(self) -> u16 {
        self.row().map_or(0, |row| row.calling_code)
    }

    /// All countries of the numbering plan, in the order of their letters.
    pub fn all() -> impl ExactSizeIterator<Item = Country> {
        COUNTRIES.iter().map(|row| row.country)
    }

    fn row(self) -> Option<&'static CountryRow> {
        let at = COUNTRIES.binary_search_by_key(&self, |row| row.country).ok()?;
        COUNTRIES.get(at)
    }

    fn region(self) -> Option<Region> {
        Region::from_code(self.as_str()).ok()
    }

    fn of_region(region: Region) -> Option<Country> {
        Country::parse(&region.as_region_str())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({})", self.as_str())
    }
}

/// A mobile network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// The mobile country code, three digits: 262. Large countries have several.
    pub mcc: u16,
    /// The mobile network code, two or three digits; `01` and `001` are two codes.
    pub mnc: &'static str,
    /// The brand.
    pub name: &'static str,
}

impl Network {
    /// Both codes as carriers write them: `26201`.
    pub fn mccmnc(&self) -> String {
        format!("{:03}{}", self.mcc, self.mnc)
    }
}

/// Networks by country, and which prefixes were given to them.
struct Networks {
    /// In the order of country and codes.
    rows: Vec<(Country, Network)>,
    /// Where a prefix begins, as the nine digits that numbers start with, and the row it belongs
    /// to, until the next begins. Nested prefixes are laid out flat, so one search answers.
    starts: Vec<(u32, Option<u16>)>,
}

/// How many digits tell the network: the longest prefix has as many.
const PREFIX_DIGITS: u32 = 9;

static NETWORKS: LazyLock<Networks> = LazyLock::new(|| {
    let mut rows = Vec::new();
    let mut ranges: Vec<(u32, u32, Option<u16>)> = Vec::new();
    for line in include_str!("../data/networks.tsv").lines() {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().unwrap_or_default();
        let (country, mcc, mnc, name, prefixes) = (cell(), cell(), cell(), cell(), cell());
        // The last line has no country: its prefixes are of carriers whose network is not known.
        let row = Country::parse(country).zip(mcc.parse().ok()).and_then(|(country, mcc)| {
            rows.push((country, Network { mcc, mnc, name }));
            u16::try_from(rows.len() - 1).ok()
        });
        for prefix in prefixes.split(' ') {
            if let (Ok(digits), Ok(length)) = (prefix.parse::<u32>(), u32::try_from(prefix.len())) {
                let width = 10_u32.pow(PREFIX_DIGITS.saturating_sub(length));
                ranges.push((digits * width, (digits + 1) * width, row));
            }
        }
    }
    Networks { rows, starts: flat(ranges) }
});

/// Nested ranges (from, to, row) as one line of starts, the innermost on top.
fn flat(mut ranges: Vec<(u32, u32, Option<u16>)>) -> Vec<(u32, Option<u16>)> {
    ranges.sort_unstable_by_key(|(from, to, _)| (*from, std::cmp::Reverse(*to)));
    let mut starts: Vec<(u32, Option<u16>)> = Vec::with_capacity(ranges.len() * 2);
    let mut open: Vec<(u32, Option<u16>)> = Vec::new();
    let mut begin = |at: u32, row: Option<u16>| match starts.last_mut() {
        Some((last, there)) if *last == at => *there = row,
        _ => starts.push((at, row)),
    };
    for (from, to, row) in ranges {
        while let Some((end, _)) = open.pop_if(|(end, _)| *end <= from) {
            begin(end, open.last().and_then(|(_, outer)| *outer));
        }
        begin(from, row);
        open.push((to, row));
    }
    while let Some((end, _)) = open.pop() {
        begin(end, open.last().and_then(|(_, outer)| *outer));
    }
    starts.dedup_by_key(|(_, row)| *row);
    starts.shrink_to_fit();
    starts
}

/// The networks of a country in the order of their codes, for a price list. A network with several
/// codes is there with each.
pub fn networks_of(country: Country) -> Vec<Network> {
    let rows = &NETWORKS.rows;
    let from = rows.partition_point(|(c, _)| *c < country);
    rows[from..].iter().take_while(|(c, _)| *c == country).map(|(_, network)| *network).collect()
}

/// A number in E.164: 7 to 15 digits that begin with a calling code. Printed without the plus.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(u64);

/// A number and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The number.
    pub number: PhoneNumber,
    /// Its country; none for satellites and other codes that belong to no country.
    pub country: Option<Country>,
    /// Its network, as far as the prefix tells; see [`PhoneNumber::network`].
    pub network: Option<Network>,
}

/// Why a text is not a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// There is nothing in it.
    #[error("the number is empty; write it in international form, such as +4915112345678")]
    Empty,
    /// There is something else than a number in it.
    #[error("'{0}' is not a number; use digits, and + or 00 before the country's calling code")]
    NotANumber(String),
    /// No country has this calling code.
    #[error("'{0}' begins with no calling code of any country; check the digits after the plus")]
    UnknownCallingCode(String),
    /// The calling code exists; the number is too short or too long for its plan.
    #[error("'{text}' is no number of the plan of +{calling_code}; check how many digits it has")]
    ImpossibleLength {
        /// What was given.
        text: String,
        /// The calling code it begins with.
        calling_code: u16,
    },
    /// It is not in international form, and not a number of the country either: too short, too
    /// long, or a short code.
    #[error("'{text}' is no number of {}; write it in international form, such as +4915112345678", .country.name())]
    NoSuchNumber {
        /// What was given.
        text: String,
        /// The country it was looked for in.
        country: Country,
    },
}

/// A calling code, and which numbers are possible under it.
#[derive(Clone, Copy)]
struct Plan {
    calling_code: u16,
    /// Bit n is set when the number may have n digits, the calling code included.
    lengths: u32,
    /// The trunk prefix of the main country.
    trunk: &'static str,
    /// Whether nothing else may stand before a number.
    plain: bool,
    home: Home,
}

/// Whose a calling code is.
#[derive(Clone, Copy)]
enum Home {
    One(Country),
    /// Several countries; the main one has the numbers that the plan does not tell apart.
    Shared {
        main: Country,
    },
    /// No country.
    World,
}

impl Home {
    fn main(self) -> Option<Country> {
        match self {
            Home::One(main) | Home::Shared { main } => Some(main),
            Home::World => None,
        }
    }
}

/// The plan for every three digits a number may begin with; none where no calling code does.
static PLANS: LazyLock<Vec<Option<Plan>>> = LazyLock::new(|| {
    let mut plans = vec![None; 1000];
    for code in PHONE_NUMBER_UTIL.get_supported_calling_codes() {
        let Ok(calling_code) = u16::try_from(code) else { continue };
        let width = match calling_code {
            0..10 => 100,
            10..100 => 10,
            _ => 1,
        };
        let home = home_of(code);
        let (trunk, plain) =
            home.main().and_then(Country::row).map_or(("", true), |row| (row.trunk, row.plain));
        let plan = Plan { calling_code, lengths: lengths_of(calling_code), trunk, plain, home };
        let first = usize::from(calling_code) * width;
        plans[first..first + width].fill(Some(plan));
    }
    plans
});

/// The library answers by number and not by plan, so it is asked with one number a length.
fn lengths_of(calling_code: u16) -> u32 {
    let code_digits = digits_of(calling_code.into());
    (DIGITS_MIN..=DIGITS_MAX).fold(0, |lengths, digits| {
        let national = 10_u64.pow((digits - code_digits) as u32 - 1);
        let possible = library_number(calling_code, national, 0).is_possible_with_reason();
        let bit = u32::from(possible == Ok(NumberLengthType::IsPossible));
        lengths | (bit << digits)
    })
}

fn home_of(calling_code: i32) -> Home {
    let regions = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(calling_code);
    let mut countries = regions.into_iter().flatten().filter_map(Country::of_region);
    match (countries.next(), countries.next()) {
        (Some(one), None) => Home::One(one),
        (Some(main), Some(_)) => Home::Shared { main },
        (None, _) => Home::World,
    }
}

fn library_number(calling_code: u16, national: u64, zeros: i32) -> rlibphonenumber::PhoneNumber {
    rlibphonenumber::PhoneNumber {
        country_code: calling_code.into(),
        national_number: national,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 1).then_some(zeros),
        ..Default::default()
    }
}

/// How many decimal digits a number has.
fn digits_of(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

impl PhoneNumber {
    /// Reads a number as people and programs write it: with `+`, `00` or just the calling code; in
    /// national form of the default country (`0151…`); with spaces, dashes, slashes, dots and
    /// brackets, `(0)` after the calling code among them; and as the float that some JSON encoders
    /// make of it (`4.915112345678e+12`).
    ///
    /// Digits without `+` or `00` may be meant either way. With a leading 0 they are national. Else
    /// they are, in this order: international when they begin with the default country's own
    /// calling code and it writes national numbers with a 0; international when the plan has such a
    /// number; national when the country's plan has it; and then the same two by length only, so
    /// that invented numbers for tests are taken.
    ///
    /// # Errors
    /// [`NumberError`], with what was given, when there is no such number.
    pub fn parse(text: &str, default_country: Country) -> Result<PhoneNumber, NumberError> {
        let written = Written::read(text)?;
        match written.form {
            Form::International => international(written.digits.as_str()),
            Form::Bare => bare(written.digits.as_str(), default_country),
        }
        .map_err(|refusal| refusal.with(text.trim(), default_country))
    }

    /// The number of digits that were one before: from the books, or from a carrier.
    pub fn from_digits(digits: u64) -> Option<PhoneNumber> {
        (DIGITS_MIN..=DIGITS_MAX).contains(&digits_of(digits)).then_some(PhoneNumber(digits))
    }

    /// The number as the books keep it.
    pub fn as_i64(self) -> i64 {
        // Fifteen digits always fit.
        self.0.cast_signed()
    }

    /// The number of the books.
    pub fn from_i64(digits: i64) -> Option<PhoneNumber> {
        u64::try_from(digits).ok().and_then(PhoneNumber::from_digits)
    }

    /// The number without what makes it somebody's: its calling code, and zeros to the same length.
    /// One of an unknown plan keeps its first digit.
    pub fn blanked(self) -> PhoneNumber {
        let kept = self.plan().map_or(1, |plan| digits_of(plan.calling_code.into()));
        let zeros = 10_u64.pow(digits_of(self.0).saturating_sub(kept) as u32);
        PhoneNumber(self.0 / zeros * zeros)
    }

    /// Whether it is what [`PhoneNumber::blanked`] leaves.
    pub fn is_blanked(self) -> bool {
        self == self.blanked()
    }

    /// The country it belongs to; none for satellites and other codes that belong to no country.
    ///
    /// Where several countries share a calling code and the plan does not tell them apart, it is
    /// the main one: `+44 7700 900123` is in no plan, and counts as British.
    pub fn country(self) -> Option<Country> {
        let plan = self.plan()?;
        match plan.home {
            Home::One(country) => Some(country),
            Home::World => None,
            Home::Shared { main } => {
                let number = self.as_library(plan);
                Some(number.get_region_code().and_then(Country::of_region).unwrap_or(main))
            }
        }
    }

    /// The network that the number's prefix was given to, where that is known.
    ///
    /// A guess: in most countries people keep their number when they change networks, and some
    /// prefixes have been sold since. The result of an HLR lookup is to be believed before this.
    pub fn network(self) -> Option<Network> {
        let digits = digits_of(self.0) as u32;
        let first = match digits.checked_sub(PREFIX_DIGITS) {
            Some(more) => self.0 / 10_u64.pow(more),
            None => self.0 * 10_u64.pow(PREFIX_DIGITS - digits),
        };
        let after = NETWORKS.starts.partition_point(|(start, _)| u64::from(*start) <= first);
        let (_, row) = NETWORKS.starts.get(after.checked_sub(1)?)?;
        NETWORKS.rows.get(usize::from((*row)?)).map(|(_, network)| *network)
    }

    /// The number with its country and network.
    pub fn destination(self) -> Destination {
        Destination { number: self, country: self.country(), network: self.network() }
    }

    fn plan(self) -> Option<Plan> {
        let first = self.0 / 10_u64.pow((digits_of(self.0) as u32).saturating_sub(3));
        PLANS.get(usize::try_from(first).ok()?).copied().flatten()
    }

    /// As the library writes it, which keeps the zeros that a national number begins with apart.
    fn as_library(self, plan: Plan) -> rlibphonenumber::PhoneNumber {
        let national_digits = digits_of(self.0) - digits_of(plan.calling_code.into());
        let national = self.0 % 10_u64.pow(national_digits as u32);
        let zeros = national_digits - digits_of(national);
        library_number(plan.calling_code, national, zeros as i32)
    }

    /// Whether the plan has the number, and not only numbers of its length.
    fn in_plan(self) -> bool {
        self.plan().is_some_and(|plan| self.as_library(plan).is_valid())
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.0)
    }
}

/// Digits that were one before, as [`PhoneNumber::from_digits`]; for what people write, there is
/// [`PhoneNumber::parse`].
impl FromStr for PhoneNumber {
    type Err = NumberError;

    fn from_str(digits: &str) -> Result<PhoneNumber, NumberError> {
        let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        let number = number.filter(|_| !digits.starts_with('0')).and_then(PhoneNumber::from_digits);
        number.ok_or_else(|| NumberError::NotANumber(short(digits)))
    }
}

/// What stands before the digits that were written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A plus or a double zero.
    International,
    /// Nothing.
    Bare,
}

/// Digits as they were written, without what stood between them.
struct Written {
    form: Form,
    digits: Digits,
}

/// A short row of ASCII digits; national forms may be longer than the number they stand for.
struct Digits {
    row: [u8; Digits::MAX],
    length: u8,
}

impl Digits {
    const MAX: usize = 24;

    fn as_str(&self) -> &str {
        str::from_utf8(&self.row[..usize::from(self.length)]).expect("digits are ASCII")
    }

    /// Adds a digit; false when there are too many.
    fn push(&mut self, digit: u8) -> bool {
        let free = self.row.get_mut(usize::from(self.length));
        free.map(|place| *place = digit).map(|()| self.length += 1).is_some()
    }

    fn without_first(&self, count: usize) -> Digits {
        let mut rest = Digits { row: [0; Digits::MAX], length: 0 };
        self.as_str().bytes().skip(count).for_each(|digit| {
            rest.push(digit);
        });
        rest
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Written {
    fn read(text: &str) -> Result<Written, NumberError> {
        let text = text.trim();
        let refused = || NumberError::NotANumber(short(text));
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        if let Some(digits) = digits_of_float(text) {
            return Ok(Written { form: Form::Bare, digits });
        }
        let mut digits = Digits { row: [0; Digits::MAX], length: 0 };
        let mut form = Form::Bare;
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            // The trunk prefix, for those at home: not dialled from elsewhere.
            let optional = rest.strip_prefix("(0)").filter(|_| digits.length > 0);
            rest = optional.unwrap_or(&rest[character.len_utf8()..]);
            match character {
                _ if optional.is_some() => {}
                '0'..='9' if digits.push(character as u8) => {}
                '+' if form == Form::Bare && digits.length == 0 => form = Form::International,
                _ if stands_between(character) => {}
                _ => return Err(refused()),
            }
        }
        if digits.length == 0 {
            return Err(refused());
        }
        match digits.as_str().starts_with("00") && form == Form::Bare {
            true => Ok(Written { form: Form::International, digits: digits.without_first(2) }),
            false => Ok(Written { form, digits }),
        }
    }
}

/// What people, and programs that lay out text, put between digits.
fn stands_between(character: char) -> bool {
    matches!(
        character,
        ' ' | '\t' | '-' | '/' | '.' | '(' | ')' | '\u{A0}' | '\u{202F}'
            | '\u{2010}'..='\u{2015}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
    )
}

/// The digits of a whole number written as a float with an exponent: Go's JSON encoder and
/// spreadsheets do that to a number of seven digits or more.
fn digits_of_float(text: &str) -> Option<Digits> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: usize = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let zeros = exponent.checked_sub(fraction.len())?;
    if whole.is_empty() || zeros > DIGITS_MAX {
        return None;
    }
    let mut digits = Digits { row: [0; Digits::MAX], length: 0 };
    let written = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', zeros));
    let fits = written.into_iter().all(|digit| digit.is_ascii_digit() && digits.push(digit));
    fits.then_some(digits)
}

/// Why digits are no number, before it is known how they were written.
enum Refusal {
    UnknownCallingCode,
    ImpossibleLength(u16),
    NoSuchNumber,
}

impl Refusal {
    fn with(self, text: &str, country: Country) -> NumberError {
        let text = short(text);
        match self {
            Refusal::UnknownCallingCode => NumberError::UnknownCallingCode(text),
            Refusal::ImpossibleLength(calling_code) => NumberError::ImpossibleLength { text, calling_code },
            Refusal::NoSuchNumber => NumberError::NoSuchNumber { text, country },
        }
    }
}

/// What was given, cut to what fits into an error and a log line.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The number of digits that begin with a calling code.
fn international(digits: &str) -> Result<PhoneNumber, Refusal> {
    let first = digits.get(..3).and_then(|first| first.parse::<usize>().ok());
    let plan = first.and_then(|first| PLANS.get(first).copied().flatten());
    let plan = plan.ok_or(Refusal::UnknownCallingCode)?;
    let national = &digits[digits_of(plan.calling_code.into())..];
    let possible = digits.len() <= DIGITS_MAX && plan.lengths & (1 << digits.len()) != 0;
    let trunk = national.starts_with('0') || (!plan.trunk.is_empty() && national.starts_with(plan.trunk));
    match digits.parse() {
        Ok(number) if possible && plan.plain && !trunk => Ok(PhoneNumber(number)),
        // What looks like a trunk prefix may be one that does not belong here (+49 0151…) or a part
        // of the number (in Italy): the library knows.
        _ => from_library(&format!("+{digits}"), None).ok_or(Refusal::ImpossibleLength(plan.calling_code)),
    }
}

/// The number of digits without a plus; see [`PhoneNumber::parse`] for the order.
fn bare(digits: &str, country: Country) -> Result<PhoneNumber, Refusal> {
    let row = country.row().ok_or(Refusal::NoSuchNumber)?;
    let as_national = || country.region().and_then(|region| from_library(digits, Some(region)));
    if digits.starts_with('0') {
        return as_national().ok_or(Refusal::NoSuchNumber);
    }
    let abroad = international(digits).ok();
    if let Some(number) = abroad
        && row.trunk == "0"
        && number.plan().is_some_and(|plan| plan.calling_code == row.calling_code)
    {
        return Ok(number);
    }
    if let Some(number) = abroad.filter(|number| number.in_plan()) {
        return Ok(number);
    }
    let national = as_national();
    // Where national numbers are written with a 0, what has none and only the length of one is more
    // likely a short code.
    let invented = national.filter(|_| row.trunk != "0");
    national.filter(|number| number.in_plan()).or(abroad).or(invented).ok_or(Refusal::NoSuchNumber)
}

/// The number the library reads, when it is a possible one.
fn from_library(text: &str, region: Option<Region>) -> Option<PhoneNumber> {
    let number = rlibphonenumber::PhoneNumber::parse(text, region).ok()?;
    if number.is_possible_with_reason() != Ok(NumberLengthType::IsPossible) {
        return None;
    }
    let digits = format!("{}{}", number.country_code, number.get_national_significant_number());
    digits.parse().ok().and_then(PhoneNumber::from_digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn country(letters: &str) -> Country {
        Country::parse(letters).unwrap()
    }

    #[test]
    fn a_number_is_read_in_every_usual_notation() {
        #[rustfmt::skip]
        let cases = [
            ("DE", "+4915112345678",        "4915112345678"),
            ("DE", "004915112345678",       "4915112345678"),
            ("DE", "4915112345678",         "4915112345678"),
            ("DE", "015112345678",          "4915112345678"),
            ("DE", "15112345678",           "4915112345678"),   // a spreadsheet took the zero
            ("DE", " 0151 / 123 456-78 ",   "4915112345678"),
            ("DE", "(0151) 12345678",       "4915112345678"),
            ("DE", "+49 (0)151 12345678",   "4915112345678"),
            ("DE", "0049 (0) 151.12345678", "4915112345678"),
            ("DE", "(+49) 151 12345678",    "4915112345678"),
            ("DE", "+49 0151 12345678",     "4915112345678"),
            ("DE", "49015112345678",        "4915112345678"),
            ("DE", "\u{202A}+49\u{A0}151\u{2011}12345678\u{202C}", "4915112345678"),
            ("DE", "4.915112345678e+12",    "4915112345678"),
            ("DE", "4.915112345678E12",     "4915112345678"),
            ("DE", "4.9151e+12",            "4915100000000"),
            ("DE", "4.9170e11",             "491700000000"),
            ("DE", "+43 664 1234567",       "436641234567"),
            ("AT", "0664 1234567",          "436641234567"),
            ("DE", "436641234567",          "436641234567"),
            ("CH", "079 123 45 67",         "41791234567"),
            ("FR", "06 12 34 56 78",        "33612345678"),
            ("IT", "06 1234 5678",          "390612345678"),    // the zero is part of the number
            ("IT", "391 234 5678",          "393912345678"),
            ("DE", "+39 06 12345678",       "390612345678"),
            ("ES", "612 345 678",           "34612345678"),
            ("ES", "34612345678",           "34612345678"),
            ("DK", "20 12 34 56",           "4520123456"),
            ("US", "(212) 555-0123",        "12125550123"),
            ("US", "1-212-555-0123",        "12125550123"),
            ("US", "011 49 151 12345678",   "4915112345678"),
            ("US", "4915112345678",         "4915112345678"),
            ("RU", "8 912 345-67-89",       "79123456789"),
            ("DE", "+7 912 3456789",        "79123456789"),
            ("DE", "+683 4001",             "6834001"),
            ("DE", "+8816 2345 6789",       "881623456789"),
            // Invented numbers, as tests and benchmarks use them.
            ("DE", "491700000001",          "491700000001"),
            ("DE", "4915100000001",         "4915100000001"),
            ("DE", "49170000000",           "49170000000"),
            ("DE", "491512345678901",       "491512345678901"),
            ("DE", "+447700900123",         "447700900123"),
            ("DE", "+15005550006",          "15005550006"),
            ("US", "49170000000",           "49170000000"),
        ];
        for (default, text, digits) in cases {
            let number = PhoneNumber::parse(text, country(default));
            assert_eq!(number.map(|n| n.to_string()).as_deref(), Ok(digits), "{text:?} in {default}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let not_a_number = |text: &str| NumberError::NotANumber(text.into());
        let unknown = |text: &str| NumberError::UnknownCallingCode(text.into());
        let length =
            |text: &str, calling_code| NumberError::ImpossibleLength { text: text.into(), calling_code };
        let none = |text: &str| NumberError::NoSuchNumber { text: text.into(), country: country("DE") };
        #[rustfmt::skip]
        let cases = [
            ("",                     NumberError::Empty),
            ("  ",                   NumberError::Empty),
            ("Anna",                 not_a_number("Anna")),
            ("+",                    not_a_number("+")),
            ("-",                    not_a_number("-")),
            ("++4915112345678",      not_a_number("++4915112345678")),
            ("49+15112345678",       not_a_number("49+15112345678")),
            ("+49151123456x8",       not_a_number("+49151123456x8")),
            ("0151 12345678 ext. 3", not_a_number("0151 12345678 ext. 3")),
            ("1800FLOWERS",          not_a_number("1800FLOWERS")),
            ("٠١٥١١٢٣٤٥٦٧٨",         not_a_number("٠١٥١١٢٣٤٥٦٧٨")),
            ("4.9151e2",             not_a_number("4.9151e2")),
            ("4.9151e-2",            not_a_number("4.9151e-2")),
            ("1e99",                 not_a_number("1e99")),
            ("4915112345678,4915112345679", not_a_number("4915112345678,4915112345679")),
            ("1234567890123456789012345", not_a_number("1234567890123456789012345")),
            ("+999123456789",        unknown("+999123456789")),
            ("+210123456789",        unknown("+210123456789")),
            ("+4",                   unknown("+4")),
            ("00",                   unknown("00")),
            ("+49110",               length("+49110", 49)),
            ("+4911",                length("+4911", 49)),
            ("+4915112345678901",    length("+4915112345678901", 49)),
            ("+1212555",             length("+1212555", 1)),
            ("+121255501234",        length("+121255501234", 1)),
            ("110",                  none("110")),
            ("112",                  none("112")),
            ("0",                    none("0")),
            ("911",                  none("911")),
            ("11833",                none("11833")),
            ("12",                   none("12")),
            ("015",                  none("015")),
        ];
        for (text, refused) in cases {
            assert_eq!(PhoneNumber::parse(text, country("DE")), Err(refused), "{text:?}");
        }
    }

    #[test]
    fn a_number_leads_to_a_country_and_a_network() {
        #[rustfmt::skip]
        let cases = [
            ("4915112345678", Some("DE"), Some("26201")),
            ("491621234567",  Some("DE"), Some("26202")),
            ("491761234567",  Some("DE"), Some("26203")),
            ("49301234567",   Some("DE"), None),
            ("436641234567",  Some("AT"), Some("23201")),
            ("41791234567",   Some("CH"), Some("22801")),
            ("12125550123",   Some("US"), None),
            ("14165550123",   Some("CA"), None),
            ("18765550123",   Some("JM"), None),
            ("15005550006",   Some("US"), None),
            ("447700900123",  Some("GB"), None),
            ("441534123456",  Some("JE"), None),
            ("77011234567",   Some("KZ"), Some("40102")),
            ("79211234567",   Some("RU"), Some("25002")),
            ("393331234567",  Some("IT"), Some("22201")),
            ("390669812345",  Some("VA"), None),
            ("881623456789",  None,       None),
        ];
        for (digits, letters, mccmnc) in cases {
            let destination = digits.parse::<PhoneNumber>().unwrap().destination();
            assert_eq!(destination.country.map(|c| c.to_string()).as_deref(), letters, "{digits}");
            if mccmnc.is_some() {
                assert_eq!(destination.network.map(|n| n.mccmnc()).as_deref(), mccmnc, "{digits}");
            }
        }
    }

    #[test]
    fn the_countries_are_those_of_the_plan() {
        assert_eq!(Country::parse("de").map(Country::name), Some("Germany"));
        assert_eq!(country("dE").calling_code(), 49);
        for unknown in ["", "D", "DEU", "ZZ", "AA", "001", "ö", "ÄÖ"] {
            assert_eq!(Country::parse(unknown), None, "{unknown}");
        }
        assert!(Country::all().is_sorted(), "they are searched by halves");
        let known: std::collections::BTreeSet<_> = Country::all().collect();
        let library: std::collections::BTreeSet<_> =
            PHONE_NUMBER_UTIL.get_supported_regions().filter_map(Country::of_region).collect();
        assert_eq!(PHONE_NUMBER_UTIL.get_supported_regions().len(), known.len());
        assert_eq!(known, library);
        for country in known {
            let code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region().unwrap());
            assert_eq!(code, Some(country.calling_code().into()), "{country}");
            assert!(!country.name().is_empty());
        }
    }

    #[test]
    fn the_networks_are_in_order_and_their_prefixes_lead_to_them() {
        let networks = &*NETWORKS;
        assert!(networks.rows.is_sorted_by(|a, b| (a.0, a.1.mcc, a.1.mnc) < (b.0, b.1.mcc, b.1.mnc)));
        assert!(networks.starts.is_sorted_by(|a, b| a.0 < b.0));
        let germany = networks_of(country("DE"));
        assert!(germany.contains(&Network { mcc: 262, mnc: "01", name: "Telekom" }));
        assert!(germany.iter().all(|network| network.mcc == 262));
    }

    #[test]
    fn the_longest_prefix_tells_the_network() {
        let mut by_prefix = std::collections::HashMap::new();
        for line in include_str!("../data/networks.tsv").lines() {
            let cells: Vec<_> = line.split('\t').collect();
            let [_, mcc, mnc, _, prefixes] = cells[..] else { panic!("five cells: {line}") };
            for prefix in prefixes.split_whitespace() {
                let code = (!mcc.is_empty()).then(|| [mcc, mnc].concat());
                assert!(by_prefix.insert(prefix, code).is_none(), "{prefix} is there twice");
            }
        }
        for prefix in by_prefix.keys() {
            // The number of the prefix, and those just before and after all that begin with it.
            let first: u64 = format!("{prefix:0<12}").parse().unwrap();
            let after = first + 10_u64.pow(12 - prefix.len() as u32);
            for number in [first - 1, first, after - 1, after] {
                let digits = number.to_string();
                let longest = (1..=9).rev().find_map(|length| by_prefix.get(&digits[..length]));
                let found = PhoneNumber(number).network().map(|network| network.mccmnc());
                assert_eq!(found, longest.cloned().flatten(), "{number}");
            }
        }
    }

    #[test]
    fn nested_prefixes_are_laid_out_flat() {
        let ranges =
            vec![(10, 20, Some(1)), (12, 15, Some(2)), (13, 14, None), (15, 16, Some(3)), (20, 30, Some(1))];
        let starts = [
            (10, Some(1)),
            (12, Some(2)),
            (13, None),
            (14, Some(2)),
            (15, Some(3)),
            (16, Some(1)),
            (30, None),
        ];
        assert_eq!(flat(ranges), starts);
        assert_eq!(flat(Vec::new()), []);
    }

    /// Numbers over all plans: a calling code that exists and any digits after it.
    fn any_digits() -> impl Strategy<Value = String> {
        let codes: Vec<u16> = Country::all().map(Country::calling_code).collect();
        (proptest::sample::select(codes), "[0-9]{4,12}")
            .prop_map(|(code, national)| format!("{code}{national}"))
    }

    /// What the library makes of an international number, the leniencies of this module aside.
    fn by_library(digits: &str) -> Option<(String, Option<Country>)> {
        let number = rlibphonenumber::PhoneNumber::parse(format!("+{digits}"), None).ok()?;
        let possible = number.is_possible_with_reason() == Ok(NumberLengthType::IsPossible);
        let digits = format!("{}{}", number.country_code, number.get_national_significant_number());
        let fits = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len());
        (possible && fits).then(|| (digits, number.get_region_code().and_then(Country::of_region)))
    }

    fn agrees_with_library(digits: &str) -> Result<(), String> {
        let ours = PhoneNumber::parse(&format!("+{digits}"), country("DE")).ok();
        let agreed = match (ours, by_library(digits)) {
            (None, None) => true,
            (Some(ours), Some((theirs, region))) => {
                ours.to_string() == theirs && (region.is_none() || ours.country() == region)
            }
            _ => false,
        };
        let country = ours.and_then(PhoneNumber::country);
        agreed
            .then_some(())
            .ok_or_else(|| format!("+{digits}: {ours:?} {country:?} {:?}", by_library(digits)))
    }

    #[test]
    fn the_short_path_says_what_the_library_says_of_every_country() {
        use rlibphonenumber::PhoneNumberType::*;
        let mut differing = Vec::new();
        for country in Country::all() {
            for kind in [Mobile, FixedLine, TollFree, VoIP, PersonalNumber, UAN, SharedCost] {
                let example =
                    PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(country.region().unwrap(), kind);
                let Ok(example) = example else { continue };
                let digits = format!("{}{}", example.country_code, example.get_national_significant_number());
                // The example, and its neighbours with one digit changed, added or taken.
                let mut near =
                    vec![digits.clone(), format!("{digits}5"), digits[..digits.len() - 1].to_owned()];
                for at in 3..digits.len() {
                    for digit in ["0", "1", "5", "8"] {
                        near.push(format!("{}{digit}{}", &digits[..at], &digits[at + 1..]));
                    }
                }
                differing.extend(near.iter().filter_map(|digits| agrees_with_library(digits).err()));
            }
        }
        assert!(
            differing.is_empty(),
            "{} differ: {:#?}",
            differing.len(),
            &differing[..differing.len().min(60)]
        );
    }

    proptest! {
        #[test]
        fn the_short_path_says_what_the_library_says(digits in any_digits()) {
            prop_assert_eq!(agrees_with_library(&digits), Ok(()));
        }

        #[test]
        fn whatever_is_accepted_is_read_back(text in "\\PC{0,30}|[+0]{0,2}[0-9 ()/.eE+-]{0,24}", at in 0_usize..240) {
            let default = Country::all().nth(at).unwrap();
            if let Ok(number) = PhoneNumber::parse(&text, default) {
                let digits = number.to_string();
                prop_assert!((DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()), "{}", digits);
                // Of numbers that are in no plan, the library may take another prefix off each time.
                if number.in_plan() {
                    prop_assert_eq!(PhoneNumber::parse(&format!("+{digits}"), default), Ok(number));
                }
                prop_assert_eq!(digits.parse(), Ok(number));
                prop_assert_eq!(PhoneNumber::from_i64(number.as_i64()), Some(number));
                number.destination();
            }
        }

        #[test]
        fn any_digits_from_the_books_can_be_asked(digits in any::<u64>()) {
            if let Some(number) = PhoneNumber::from_digits(digits) {
                number.destination();
            }
        }
    }
}
