//! What would become of a message, as it is told beside its form: how it looks on a phone, how it is
//! written on the air and why, who gets it, and what it costs.

use domain::permission::Action;
use domain::text::{Alphabet, TextError};
use gateway::preview::{OfCountry, Preview, Text};

use crate::door::Place;
use crate::format::Format;
use crate::sign_in::sentence;

/// Problems shown at the most; the others are counted.
const PROBLEMS_SHOWN: usize = 20;
/// Odd letters shown at the most.
const ODD_SHOWN: usize = 8;

/// What is told of a draft.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Who it is from, as a phone shows it.
    pub sender: String,
    /// The text in pieces, with whether each is a letter that makes it dearer.
    pub bubble: Vec<(String, bool)>,
    /// How long it is, in words.
    pub meter: String,
    /// The letters that are not in the alphabet of SMS, each once, with what says the same.
    pub odd: Vec<(String, &'static str)>,
    /// What those letters do.
    pub odd_words: String,
    /// How many segments it would take in plain letters.
    pub plain: Option<String>,
    /// What was pasted and is no number to send to.
    pub problems: Vec<Problem>,
    /// How many of those are not shown.
    pub more_problems: Option<String>,
    /// What else is to be known about the recipients.
    pub notes: Vec<String>,
    /// How many get it.
    pub recipients: String,
    /// What it costs in each country, for those who may see it.
    pub countries: Vec<Country>,
    /// The sums, for those who may see them: words, amount.
    pub sums: Vec<(&'static str, String)>,
    /// Whether the credit covers it, in a tone and words; nothing while there is nothing to pay for.
    pub cover: Option<(&'static str, String)>,
    /// What the button says that sends it; nothing while it cannot be sent.
    pub act: Option<String>,
    /// What the form brings along, so that what is sent is what was seen.
    pub seen: String,
}

/// A line that is no number.
#[derive(Clone, Debug)]
pub struct Problem {
    /// On which line it stands.
    pub line: usize,
    /// What stands there.
    pub written: String,
    /// Why it cannot be sent to.
    pub why: String,
}

/// What it costs in a country.
#[derive(Clone, Debug)]
pub struct Country {
    /// Its name.
    pub name: String,
    /// How many get it there.
    pub recipients: String,
    /// The price of a segment.
    pub unit: String,
    /// What they cost together.
    pub total: String,
}

impl Look {
    /// A draft as this person may see it.
    pub fn of(preview: &Preview, text: &str, is_later: bool, place: &Place) -> Look {
        let format = place.format();
        let sees_money = sees_money(place);
        let mut look = Look {
            sender: preview.sender.clone().unwrap_or_default(),
            bubble: pieces(text, preview.text.as_ref().ok()),
            recipients: format.many(count(preview.numbers.len()), "recipient", "recipients"),
            seen: seen(preview, sees_money),
            ..Look::default()
        };
        look.tell_text(preview, format);
        look.tell_recipients(preview, format);
        if sees_money {
            look.tell_money(preview, format);
        }
        let has_cost = preview.text.is_ok() && !preview.numbers.is_empty();
        look.cover = has_cost.then(|| cover(preview, sees_money, format));
        if preview.is_ready() {
            let messages = format.many(count(preview.numbers.len()), "message", "messages");
            let verb = if is_later { "Schedule" } else { "Send" };
            look.act = Some(match sees_money {
                true => format!("{verb} {messages} for {}", format.exact(preview.total)),
                false => format!("{verb} {messages}"),
            });
        }
        look
    }

    fn tell_text(&mut self, preview: &Preview, format: &Format) {
        let text = match &preview.text {
            Ok(text) => text,
            Err(TextError::Empty) => {
                self.meter = "160 letters fit into one segment.".to_owned();
                return;
            }
            Err(error) => {
                self.meter = sentence(error);
                return;
            }
        };
        let characters = format.many(count(text.characters), "character", "characters");
        let segments = format.many(i64::from(text.segments), "segment", "segments");
        let left = format.many(count(text.left), "letter", "letters");
        let alphabet = match text.alphabet {
            Alphabet::Ucs2 => "Unicode (UCS-2)",
            _ => "plain letters (GSM-7)",
        };
        self.meter = format!("{characters} · {segments} · {alphabet} · {left} more fit");
        if text.alphabet != Alphabet::Ucs2 {
            return;
        }
        for outside in &text.outside {
            let letter = outside.letter.to_string();
            if self.odd.len() < ODD_SHOWN && self.odd.iter().all(|(known, _)| *known != letter) {
                self.odd.push((letter, outside.instead.unwrap_or_default()));
            }
        }
        let (these, make) = match self.odd.len() {
            1 => ("This character is", "makes"),
            _ => ("These characters are", "make"),
        };
        self.odd_words = format!(
            "{these} not in the alphabet of SMS and {make} the whole text Unicode: 70 letters fit into a message \
             instead of 160."
        );
        self.plain = text.plain.as_ref().map(|(_, segments)| {
            format!("Use plain letters: {}", format.many(i64::from(*segments), "segment", "segments"))
        });
    }

    fn tell_recipients(&mut self, preview: &Preview, format: &Format) {
        self.problems = preview
            .problems
            .iter()
            .take(PROBLEMS_SHOWN)
            .map(|problem| Problem {
                line: problem.line,
                written: problem.written.clone(),
                why: sentence(&problem.why),
            })
            .collect();
        let more = preview.problem_count - self.problems.len();
        self.more_problems = (more > 0).then(|| format!("{} more like these", format.count(count(more))));
        if preview.duplicates > 0 {
            let twice = format.many(count(preview.duplicates), "number stands", "numbers stand");
            self.notes.push(format!("{twice} there more than once; each gets the message once."));
        }
        if preview.too_many {
            self.notes.push(format!(
                "{} are too many at once. Send to at most {} and then to the others.",
                format.count(count(preview.numbers.len())),
                format.count(count(gateway::accept::RECIPIENTS_MAX))
            ));
        }
    }

    fn tell_money(&mut self, preview: &Preview, format: &Format) {
        self.countries = preview.countries.iter().map(|of| country(of, format)).collect();
        if preview.numbers.is_empty() {
            self.sums = vec![("Balance", format.money(preview.balance))];
            return;
        }
        let after = domain::credits::Credits(preview.balance.0.saturating_sub(preview.total.0));
        self.sums = vec![
            ("Together", format.exact(preview.total)),
            ("Balance", format.money(preview.balance)),
            ("Balance after it", format.money(after)),
        ];
    }
}

/// Whether amounts are for this person's eyes.
pub fn sees_money(place: &Place) -> bool {
    place.may(Action::SeeBalance)
}

/// What was seen, so far as the person may see it: the sending of anything else is asked for once more.
pub fn seen(preview: &Preview, sees_money: bool) -> String {
    let segments = preview.text.as_ref().map_or(0, |text| text.segments);
    let recipients = preview.numbers.len();
    if sees_money {
        format!("{recipients}-{segments}-{}", preview.total.0)
    } else {
        format!("{recipients}-{segments}")
    }
}

fn cover(preview: &Preview, sees_money: bool, format: &Format) -> (&'static str, String) {
    if preview.is_covered() {
        return ("good", "The credit covers it.".to_owned());
    }
    let missing = preview.total.0.saturating_sub(preview.available.0);
    match sees_money {
        true => ("bad", format!("{} are missing.", format.exact(domain::credits::Credits(missing)))),
        false => ("bad", "The credit does not cover it. Ask an owner or administrator.".to_owned()),
    }
}

fn country(of: &OfCountry, format: &Format) -> Country {
    let unit = match of.unit {
        (least, most) if least == most => format.exact(least),
        (least, most) => format!("{} to {}", format.exact(least), format.exact(most)),
    };
    Country {
        name: of.country.map_or("No country", |country| country.name()).to_owned(),
        recipients: format.count(count(of.recipients)),
        unit,
        total: format.exact(of.total),
    }
}

/// The text in pieces. Letters are marked only where they make it dearer than plain ones would.
fn pieces(text: &str, told: Option<&Text>) -> Vec<(String, bool)> {
    let is_odd = |place: usize| {
        told.is_some_and(|told| {
            told.alphabet == Alphabet::Ucs2 && told.outside.binary_search_by_key(&place, |o| o.place).is_ok()
        })
    };
    let mut pieces: Vec<(String, bool)> = Vec::new();
    for (place, letter) in text.chars().enumerate() {
        let odd = is_odd(place);
        match pieces.last_mut() {
            Some((piece, was_odd)) if *was_odd == odd => piece.push(letter),
            _ => pieces.push((letter.to_string(), odd)),
        }
    }
    pieces
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_that_make_a_text_dear_are_marked() {
        let text = "„Hi“ ok";
        let told = gateway::preview::text(text).unwrap();
        let marked: Vec<_> = pieces(text, Some(&told)).into_iter().filter(|(_, odd)| *odd).collect();
        assert_eq!(marked, [("„".to_owned(), true), ("“".to_owned(), true)]);
        assert_eq!(pieces("ok", None), [("ok".to_owned(), false)]);
    }
}
