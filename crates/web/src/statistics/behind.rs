//! Where a figure, a bar or a row leads: to the messages behind it where those may be read, else to the
//! accounts it is made of.

use domain::permission::{self, Action, Verdict};
use gateway::scope::Scope;
use gateway::statistics::{Dimension, Key, Report};

use super::choice::{Choice, dates_of};
use crate::door::Place;
use crate::link::Link;

/// What is needed to know it.
pub struct Behind<'a> {
    /// Where the page is.
    pub place: &'a Place,
    /// What was asked.
    pub choice: &'a Choice,
    /// What was found.
    pub report: &'a Report,
}

impl Behind<'_> {
    /// The journal of the one account that is shown, when the person may read it, if need be after
    /// stepping in.
    fn journal(&self) -> Option<Link> {
        let place = self.place;
        let (id, verdict) = match self.choice.scope {
            Scope::Only => (place.account.id, place.verdict_on(Action::SeeMessages)),
            Scope::One(id) => {
                let mut path = place.account.path.clone();
                path.push(id);
                (id, permission::may(&place.person.standings, Action::SeeMessages, &path, false))
            }
            _ => return None,
        };
        let reaches = !matches!(verdict, Verdict::Missing | Verdict::NotThere);
        reaches.then(|| Link::to(format!("/a/{id}/messages")))
    }

    /// The rows behind the sum of all, in a state.
    pub fn all(&self, state: &str) -> Option<String> {
        let range = self.report.question.range;
        let link = self.filtered(self.journal()?, &dates_of(range.first, range.last));
        Some(link.with("state", state).into())
    }

    /// The filters of the page with some of them other.
    fn filtered(&self, link: Link, others: &[(&'static str, String)]) -> Link {
        let rest = self.choice.filters().into_iter();
        let rest = rest.filter(|(name, _)| others.iter().all(|(other, _)| other != name));
        rest.chain(others.iter().cloned()).fold(link, |link, (name, value)| link.with(name, value))
    }

    /// The rows behind a row.
    pub fn row(&self, key: &Key) -> Option<String> {
        let (of, range) = (self.report.question.rows, self.report.question.range);
        let whole = dates_of(range.first, range.last).to_vec();
        let narrow: Vec<(&'static str, String)> = match (key, of) {
            (Key::Dates(first, last), _) => dates_of(*first, *last).to_vec(),
            (Key::Text(text), Dimension::Country) if !text.is_empty() => vec![("country", text.clone())],
            (Key::Text(text), Dimension::Label) if text.is_empty() => vec![("no_label", "1".to_owned())],
            (Key::Text(text), Dimension::Label) => vec![("label", text.clone())],
            (Key::Text(text), Dimension::Sender) if !text.is_empty() => vec![("sender", text.clone())],
            (Key::Account(id, _), _) => {
                let scope = if *id == self.place.account.id { "own".to_owned() } else { id.to_string() };
                return Some(
                    self.choice.with(&[("scope", scope), ("by", Dimension::Day.as_str().to_owned())]),
                );
            }
            _ => return None,
        };
        match self.journal() {
            Some(journal) if of.is_time() => Some(self.filtered(journal, &narrow).into()),
            Some(journal) => Some(self.filtered(journal, &[whole, narrow].concat()).into()),
            None => {
                let by =
                    if self.choice.scope == Scope::Tree { Dimension::Subaccount } else { Dimension::Day };
                let is_finest = of == by || (of.is_time() && by == Dimension::Day);
                let more = [("by", by.as_str().to_owned())];
                (!is_finest).then(|| self.choice.with(&[&narrow[..], &more[..]].concat()))
            }
        }
    }
}
