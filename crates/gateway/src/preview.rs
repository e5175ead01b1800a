//! What would become of a message before it is sent: which of the pasted recipients are numbers, what it
//! costs in each country, in how many segments and why, and whether the balance covers it. It is found by
//! the same steps as for a message that is sent ([`crate::accept`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::account::Account;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::phone_number::{Country, PhoneNumber};
use domain::sender_id::SenderError;
use domain::text::{Alphabet, Content, Outside, TEXT_MAX, TextError, outside_gsm7, replaced_by_gsm7};
use storage::Result;

use crate::accept::{RECIPIENTS_MAX, RecipientRefused, Ways, home, sender};
use crate::base::Base;

/// Problems told at the most; the others are counted.
pub const PROBLEMS_MAX: usize = 200;

/// What is to be sent, as far as it has been written.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// Who it is from; absent is the account's default.
    pub sender: Option<String>,
    /// Recipients, pasted from anywhere: one a line, or separated by commas, semicolons, tabs, bars or
    /// spaces.
    pub recipients: String,
}

/// What would become of it.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The text; or why it cannot be sent.
    pub text: std::result::Result<Text, TextError>,
    /// Who it would be from; or why it cannot be.
    pub sender: std::result::Result<String, SenderError>,
    /// The account whose people do not allow that sender, if so.
    pub sender_forbidden_by: Option<AccountId>,
    /// The numbers it would go to, each once, in the order they were written.
    pub numbers: Vec<PhoneNumber>,
    /// What was written and is no number to send to, [`PROBLEMS_MAX`] at the most.
    pub problems: Vec<Problem>,
    /// How many problems there are in all.
    pub problem_count: usize,
    /// Numbers that were written before, and how often more.
    pub duplicates: usize,
    /// Whether there are more numbers than one request may have.
    pub too_many: bool,
    /// What it costs, a country each, the most recipients first.
    pub countries: Vec<OfCountry>,
    /// What it costs in all.
    pub total: Credits,
    /// What the account can spend: wallet, free credit and credit line.
    pub available: Credits,
    /// What the account holds, free credit included.
    pub balance: Credits,
}

impl Preview {
    /// Whether it can be sent as it is.
    pub fn is_ready(&self) -> bool {
        self.text.is_ok()
            && self.sender.is_ok()
            && self.sender_forbidden_by.is_none()
            && !self.numbers.is_empty()
            && !self.too_many
            && self.is_covered()
    }

    /// Whether the account can pay for it.
    pub fn is_covered(&self) -> bool {
        self.total <= self.available
    }
}

/// A text as it goes on the air.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its characters.
    pub characters: usize,
    /// How it is written on the air.
    pub alphabet: Alphabet,
    /// Segments.
    pub segments: u8,
    /// How many plain letters more would still fit into the last segment.
    pub left: usize,
    /// The letters that make it dearer than it need be.
    pub outside: Vec<Outside>,
    /// The text in plain letters, when that takes fewer segments, and how many.
    pub plain: Option<(String, u8)>,
}

/// Something written that is no number to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// On which line, the first being 1.
    pub line: usize,
    /// What was written.
    pub written: String,
    /// Why it cannot be sent to.
    pub why: RecipientRefused,
}

/// What it costs in a country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfCountry {
    /// The country; none for numbers that belong to none.
    pub country: Option<Country>,
    /// How many recipients.
    pub recipients: usize,
    /// Segments of all of them.
    pub segments: i64,
    /// What a segment costs: the least and the most, which differ where networks do.
    pub unit: (Credits, Credits),
    /// What they cost together.
    pub total: Credits,
}

/// What would become of a text. `Err` when it cannot be sent.
pub fn text(text: &str) -> std::result::Result<Text, TextError> {
    let content = Content::from_request(text, None, false, false)?;
    let (alphabet, segments, characters) = (content.alphabet(), content.segments(), text.chars().count());
    let mut longer = text.to_owned();
    let mut left = 0;
    // The longest segment holds 160.
    while left < 160 && characters + left < TEXT_MAX {
        longer.push('a');
        if Content::text(&longer, false).is_ok_and(|longer| longer.segments() > segments) {
            break;
        }
        left += 1;
    }
    let plain = replaced_by_gsm7(text).and_then(|plain| {
        let of_plain = Content::text(&plain, false).ok()?.segments();
        (of_plain < segments).then_some((plain, of_plain))
    });
    Ok(Text { characters, alphabet, segments, left, outside: outside_gsm7(text).collect(), plain })
}

/// The recipients that were pasted, with their lines: numbers, and what is none.
fn pasted(text: &str, home: Country) -> Vec<(usize, String, Option<PhoneNumber>)> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        for piece in text.split([',', ';', '\t', '|']) {
            let piece = piece.trim().trim_matches(['"', '\'', '<', '>']).trim();
            if piece.is_empty() {
                continue;
            }
            let whole = PhoneNumber::parse(piece, home).ok();
            // Spaces stand in numbers and between them: what is no number as a whole may be several.
            let words: Vec<(&str, Option<PhoneNumber>)> = match whole {
                Some(_) => Vec::new(),
                None => piece.split_whitespace().map(|w| (w, PhoneNumber::parse(w, home).ok())).collect(),
            };
            if words.len() > 1 && words.iter().all(|(_, number)| number.is_some()) {
                found.extend(words.into_iter().map(|(word, number)| (line, word.to_owned(), number)));
            } else {
                found.push((line, piece.to_owned(), whole));
            }
        }
    }
    found
}

/// What would become of a message of an account. `leads_to` says where carriers take messages to.
pub(crate) async fn preview(
    base: &Base,
    leads_to: impl Fn(Option<Country>) -> bool,
    account: &Arc<Account>,
    draft: &Draft,
) -> Result<Preview> {
    let text = text(&draft.text);
    let written = draft.sender.as_deref().map(str::trim).filter(|sender| !sender.is_empty());
    let sender = sender(base, account, written).map(|sender| sender.as_str().to_owned());
    let (home, path, prices) = (home(base, account), base.path(account).await?, base.prices().await?);
    let held = base.limits(account).await?;
    let against = sender.as_ref().ok().and_then(|sender| held.against_sender(sender));
    let sender_forbidden_by = against.map(|limit| limit.by);
    let mut ways = Ways::new(&prices, &path, &held, base.clock.now(), leads_to);
    // Until the text is there, the price of one segment is shown.
    let segments = text.as_ref().map_or(1, |text| text.segments);
    let mut seen: HashMap<PhoneNumber, ()> = HashMap::new();
    let (mut numbers, mut problems, mut problem_count, mut duplicates) = (Vec::new(), Vec::new(), 0, 0);
    let mut countries: BTreeMap<Option<Country>, OfCountry> = BTreeMap::new();
    let mut total = Credits::ZERO;
    for (line, written, number) in pasted(&draft.recipients, home) {
        if let Some(number) = number
            && seen.insert(number, ()).is_some()
        {
            duplicates += 1;
            continue;
        }
        let drafted = match number {
            Some(number) => ways.draft_of(&written, number),
            None => ways.draft(&written, home),
        };
        match drafted.ready {
            Ok(ready) => {
                numbers.push(ready.number);
                let (price, unit) = (ready.way.price(segments), ready.way.price(1));
                let country = Country::parse(&ready.way.country);
                let of_country = countries.entry(country).or_insert(OfCountry {
                    country,
                    recipients: 0,
                    segments: 0,
                    unit: (unit, unit),
                    total: Credits::ZERO,
                });
                of_country.recipients += 1;
                of_country.segments += i64::from(segments);
                of_country.unit = (of_country.unit.0.min(unit), of_country.unit.1.max(unit));
                of_country.total = Credits(of_country.total.0.saturating_add(price.0));
                total = Credits(total.0.saturating_add(price.0));
            }
            Err(why) => {
                problem_count += 1;
                if problems.len() < PROBLEMS_MAX {
                    problems.push(Problem { line, written, why });
                }
            }
        }
    }
    let mut countries: Vec<OfCountry> = countries.into_values().collect();
    countries.sort_by_key(|of| std::cmp::Reverse(of.recipients));
    let (wallet, promo) = storage::ledger::balance(&mut *base.db.read().await?, account.id).await?;
    let room = crate::funding::room(base, account).await?.unwrap_or_default();
    let balance = Credits(wallet.0.saturating_add(promo.0).saturating_add(room.0));
    Ok(Preview {
        text,
        sender,
        sender_forbidden_by,
        too_many: numbers.len() > RECIPIENTS_MAX,
        numbers,
        problems,
        problem_count,
        duplicates,
        countries,
        total,
        available: Credits(balance.0.saturating_add(account.credit_line.0)),
        balance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String)> {
        let home = Country::parse("DE").unwrap();
        let number = |n: Option<PhoneNumber>, text: String| n.map_or(format!("!{text}"), |n| n.to_string());
        pasted(text, home).into_iter().map(|(line, text, n)| (line, number(n, text))).collect()
    }

    #[test]
    fn recipients_may_be_pasted_from_anywhere() {
        let pasted = "+49 151 12345678, 0151/87654321;\n\n4915112345679 4915112345680\tnobody\n\"+33 6 12 34 56 78\"|12";
        let wanted = [
            (1, "4915112345678"),
            (1, "4915187654321"),
            (3, "4915112345679"),
            (3, "4915112345680"),
            (3, "!nobody"),
            (4, "33612345678"),
            (4, "!12"),
        ];
        assert_eq!(read(pasted), wanted.map(|(line, text)| (line, text.to_owned())));
        assert!(read(" \n;;,,\t\n").is_empty());
    }

    #[test]
    fn a_text_says_what_makes_it_dear() {
        let plain = text(&"a".repeat(150)).unwrap();
        assert_eq!((plain.segments, plain.left, plain.alphabet), (1, 10, Alphabet::Gsm7));
        let dear = text(&format!("„{}“", "a".repeat(100))).unwrap();
        assert_eq!((dear.segments, dear.alphabet), (2, Alphabet::Ucs2));
        assert_eq!(dear.outside.iter().map(|o| o.place).collect::<Vec<_>>(), [0, 101]);
        assert_eq!(dear.plain, Some((format!("\"{}\"", "a".repeat(100)), 1)));
        assert_eq!(text("👍").unwrap().plain, None);
        assert_eq!(text(""), Err(TextError::Empty));
    }
}
