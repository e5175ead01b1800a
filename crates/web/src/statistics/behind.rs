//! Where a figure, a bar or a row leads: to the messages behind it where those may be read, else to the
//! accounts it is made of.

use domain::permission::{Action, Verdict};
use gateway::journal;
use gateway::scope::Scope;
use gateway::statistics::{Dimension, Key, Report};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::choice::Choice;
use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::link::Link;
use crate::messages::{dates_of, pairs, reaches_down};

/// What is needed to know it.
pub struct Behind<'a> {
    /// Where the page is.
    pub place: &'a Place,
    /// What was asked.
    pub choice: &'a Choice,
    /// What was found.
    pub report: &'a Report,
    /// Whether messages of all that is counted stand in the journal: of no account they are left out.
    is_whole: bool,
    /// Whose dates are counted.
    counted: TimeZone,
}

/// The journal of a scope, when the person may read it, if need be after stepping in.
pub fn journal_of(place: &Place, scope: Scope) -> Option<Link> {
    let reaches = match scope {
        Scope::Only => !matches!(place.verdict_on(Action::SeeMessages), Verdict::Missing | Verdict::NotThere),
        _ => reaches_down(place),
    };
    let (account, all) = pairs(scope);
    let link = Link::to(place.href("messages"));
    reaches.then(|| link.with("account", account).with("scope", if all { "all" } else { "" }))
}

/// Whether the journal of a scope has the messages of all its accounts. That of one account has, where it
/// is read after stepping in.
pub async fn is_whole(console: &Console, place: &Place, scope: Scope) -> Result<bool, Stop> {
    Ok(match scope {
        Scope::Only | Scope::One(_) => true,
        _ => journal::left_out(&console.gateway, &place.account, scope).await? == Some(0),
    })
}

impl<'a> Behind<'a> {
    /// What is behind a report.
    pub async fn of(
        console: &Console,
        place: &'a Place,
        choice: &'a Choice,
        report: &'a Report,
    ) -> Result<Behind<'a>, Stop> {
        let is_whole = is_whole(console, place, choice.scope).await?;
        let counted = console.gateway.rules.time_zone.clone();
        Ok(Behind { place, choice, report, is_whole, counted })
    }

    /// The messages behind a number: of a row and a column, as far as they are named, in a state.
    pub fn number(&self, keys: &[(Dimension, &Key)], state: &str) -> Option<String> {
        let range = self.report.question.range;
        let (mut scope, mut dates) = (self.choice.scope, (range.first, range.last));
        let mut narrow = Vec::new();
        for (of, key) in keys {
            match (key, of) {
                (Key::Dates(first, last), _) => dates = (*first, *last),
                (Key::Account(id, _), _) if *id == self.place.account.id => scope = Scope::Only,
                (Key::Account(id, _), _) => scope = Scope::One(*id),
                (Key::Text(text), of) => narrow.push(filter(text, *of)?),
                (Key::Others(_), _) => return None,
            }
        }
        if scope == self.choice.scope && !self.is_whole {
            return None;
        }
        let link = self.journal(journal_of(self.place, scope)?, dates, &narrow);
        Some(link.with("state", state).into())
    }

    /// The rows behind the sum of all, in a state.
    pub fn all(&self, state: &str) -> Option<String> {
        self.number(&[], state)
    }

    /// The journal by the filters of the page, some of them other.
    fn journal(&self, link: Link, dates: (Date, Date), others: &[(&'static str, String)]) -> Link {
        let own = &self.place.format().time_zone;
        let is_label = |name: &str| matches!(name, "label" | "no_label");
        let rest = self.choice.filters().into_iter().filter(|(name, _)| {
            others.iter().all(|(other, _)| other != name && !(is_label(other) && is_label(name)))
        });
        let dates = dates_of(dates.0, dates.1, &self.counted, own);
        let all = dates.into_iter().chain(rest).chain(others.iter().cloned());
        all.fold(link, |link, (name, value)| link.with(name, value))
    }

    /// What is behind a row: its messages, or a closer look at it.
    pub fn row(&self, key: &Key) -> Option<String> {
        let of = self.report.question.rows;
        if let Key::Account(id, _) = key {
            let scope = if *id == self.place.account.id { "own".to_owned() } else { id.to_string() };
            return Some(self.choice.with(&[("scope", scope), ("by", Dimension::Day.as_str().to_owned())]));
        }
        if let Some(messages) = self.number(&[(of, key)], "") {
            return Some(messages);
        }
        let narrow = match key {
            Key::Dates(first, last) => vec![("from", first.to_string()), ("to", last.to_string())],
            Key::Text(text) => vec![filter(text, of)?],
            Key::Account(..) | Key::Others(_) => return None,
        };
        let is_tree = matches!(self.choice.scope, Scope::Tree | Scope::TreeOf(_));
        let by = if is_tree { Dimension::Subaccount } else { Dimension::Day };
        let is_finest = of == by || (of.is_time() && by == Dimension::Day);
        let more = [("by", by.as_str().to_owned())];
        (!is_finest).then(|| self.choice.with(&[&narrow[..], &more[..]].concat()))
    }
}

/// A value as a filter of the journal, and of the statistics; nothing where none says it.
fn filter(text: &str, of: Dimension) -> Option<(&'static str, String)> {
    match of {
        Dimension::Label if text.is_empty() => Some(("no_label", "1".to_owned())),
        _ if text.is_empty() => None,
        Dimension::Country => Some(("country", text.to_owned())),
        Dimension::Label => Some(("label", text.to_owned())),
        Dimension::Sender => Some(("sender", text.to_owned())),
        Dimension::Day | Dimension::Week | Dimension::Month | Dimension::Subaccount => None,
    }
}
