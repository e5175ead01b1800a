//! What is asked of the statistics: dates, what they are parted by, whose they are, and the filters.

use std::collections::BTreeSet;

use domain::id::AccountId;
use domain::permission::{self, Action};
use domain::phone_number::Country;
use gateway::clock::{date_of, day_of};
use gateway::scope::Scope;
use gateway::statistics::{self, Compare, Counts, Dimension, Key, Question, Range};
use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Typed};
use crate::format::Format;
use crate::link::Link;
use crate::messages::country_name;
use crate::send::{Offered, sees_money};

/// The ranges offered: the word of the address, what is read.
const RANGES: [(&str, &str); 6] = [
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("month", "This month"),
    ("last-month", "Last month"),
    ("year", "12 months"),
];
/// The range where none is asked for.
const USUAL: &str = "30d";
/// What stands before the number of an account when all below it are meant, too.
pub(crate) const TREE_OF: &str = "tree-";
/// Accounts offered to choose from, those that sent most.
const ACCOUNTS: usize = 30;

/// What is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Messages.
    #[default]
    Messages,
    /// Their segments.
    Segments,
    /// What they cost in the end.
    Cost,
}

impl Measure {
    const ALL: [Measure; 3] = [Measure::Messages, Measure::Segments, Measure::Cost];

    /// As the head of a column.
    pub fn words(self) -> &'static str {
        match self {
            Measure::Messages => "Messages",
            Measure::Segments => "Segments",
            Measure::Cost => "Cost",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Measure::Messages => "messages",
            Measure::Segments => "segments",
            Measure::Cost => "cost",
        }
    }

    /// The number.
    pub fn of(self, counts: &Counts) -> i64 {
        match self {
            Measure::Messages => counts.accepted,
            Measure::Segments => counts.segments,
            Measure::Cost => counts.spent().0,
        }
    }

    /// The number as it is written.
    pub fn shown(self, counts: &Counts, format: &Format) -> String {
        match self {
            Measure::Cost => format.exact(counts.spent()),
            _ => format.count(self.of(counts)),
        }
    }
}

/// What was chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    preset: Option<&'static str>,
    /// The dates.
    pub range: Range,
    by: Dimension,
    part: Option<Dimension>,
    compare: Option<Compare>,
    /// What is measured.
    pub measure: Measure,
    /// Whose.
    pub scope: Scope,
    /// The account below that alone is shown.
    one: Option<(AccountId, String)>,
    /// Whether there are accounts below that the person may look at.
    has_below: bool,
    accounts: Vec<(AccountId, String)>,
    /// Those of them that have others below.
    parents: BTreeSet<AccountId>,
    label: Option<String>,
    country: Option<String>,
    sender: Option<String>,
    own: String,
}

impl Choice {
    /// What an address asks for; what makes no sense is as if it were not there.
    pub async fn of(console: &Console, place: &Place, asked: &Typed) -> Result<Choice, Stop> {
        let base = &console.gateway;
        let today = date_of(day_of(place.format().now, &base.rules.time_zone)).ok_or(Stop::Broken)?;
        let (preset, range) = dates(asked, today);
        let has_below = reaches_down(place)
            && storage::subaccounts::any(&mut *base.db.read().await?, place.account.id).await?;
        let mut one = None;
        let scope = match asked.text("scope") {
            "own" => Scope::Only,
            written if has_below => match written.parse().map(AccountId) {
                Ok(id) if id != place.account.id => {
                    let account = place.below(console, id).await?;
                    one = Some((id, account.name().to_owned()));
                    Scope::One(id)
                }
                Ok(_) => Scope::Only,
                Err(_) => match written.strip_prefix(TREE_OF).map(|id| id.parse().map(AccountId)) {
                    Some(Ok(id)) if id != place.account.id => {
                        let account = place.below(console, id).await?;
                        one = Some((id, account.name().to_owned()));
                        Scope::TreeOf(id)
                    }
                    Some(Err(_)) => return Err(Stop::NotThere),
                    _ => Scope::Tree,
                },
            },
            written => match written.parse().map(AccountId) {
                Ok(id) if id != place.account.id => return Err(Stop::NotThere),
                _ => Scope::Only,
            },
        };
        let given = |name: &str| Some(asked.text(name).to_owned()).filter(|text| !text.is_empty());
        let dimension = |name: &str| Dimension::parse(asked.text(name));
        let days = range.days();
        let usual = if days > 400 {
            Dimension::Month
        } else if days > 92 {
            Dimension::Week
        } else {
            Dimension::Day
        };
        let by = dimension("by").filter(|by| has_below || *by != Dimension::Subaccount).unwrap_or(usual);
        let measure =
            Measure::ALL.into_iter().find(|m| m.as_str() == asked.text("measure")).unwrap_or_default();
        let mut choice = Choice {
            preset,
            range,
            by,
            part: dimension("part").filter(|part| {
                *part != by && !part.is_time() && (has_below || *part != Dimension::Subaccount)
            }),
            compare: match asked.text("compare") {
                "before" => Some(Compare::PreviousPeriod),
                "year" => Some(Compare::SameLastYear),
                _ => None,
            },
            measure: if measure == Measure::Cost && !sees_money(place) { Measure::Messages } else { measure },
            scope,
            one,
            has_below,
            accounts: Vec::new(),
            parents: BTreeSet::new(),
            label: given("label").or_else(|| asked.ticked("no_label").then(String::new)),
            country: given("country").and_then(|code| Some(Country::parse(&code)?.as_str().to_owned())),
            sender: given("sender"),
            own: place.href("statistics"),
        };
        if has_below {
            // Who is offered is found out by the last days: that of a whole year would take most of the
            // time of the page.
            let days = range.last.checked_sub(29.days()).unwrap_or(range.first);
            let recent = Range { first: range.first.max(days), last: range.last };
            choice.accounts = accounts(console, place, recent).await?;
            let offered = choice.accounts.iter().chain(&choice.one).map(|(id, _)| id.0);
            let offered: Vec<i64> = offered.collect();
            let mut conn = base.db.read().await?;
            choice.parents = storage::subaccounts::with_children(&mut conn, &offered).await?;
        }
        Ok(choice)
    }

    /// As it is asked.
    pub fn question(&self, rows_max: usize) -> Question {
        Question {
            series: self.part,
            label: self.label.clone(),
            country: self.country.clone(),
            sender: self.sender.clone(),
            compare: self.compare,
            rows_max,
            ..Question::new(self.scope, self.range, self.by)
        }
    }

    /// All of it as pairs of an address, those that are as usual left out.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = match self.preset {
            Some(USUAL) => Vec::new(),
            Some(preset) => vec![("range", preset.to_owned())],
            None => vec![("from", self.range.first.to_string()), ("to", self.range.last.to_string())],
        };
        pairs.push(("by", self.by.as_str().to_owned()));
        pairs.extend(self.part.map(|part| ("part", part.as_str().to_owned())));
        pairs.extend(self.compare.map(|compare| ("compare", compare_word(compare).to_owned())));
        if self.measure != Measure::Messages {
            pairs.push(("measure", self.measure.as_str().to_owned()));
        }
        pairs.extend(self.scope_word().map(|scope| ("scope", scope)));
        match self.label.as_deref() {
            Some("") => pairs.push(("no_label", "1".to_owned())),
            Some(label) => pairs.push(("label", label.to_owned())),
            None => {}
        }
        pairs.extend(self.country.clone().map(|country| ("country", country)));
        pairs.extend(self.sender.clone().map(|sender| ("sender", sender)));
        pairs
    }

    fn scope_word(&self) -> Option<String> {
        match self.scope {
            Scope::One(id) => Some(id.to_string()),
            Scope::TreeOf(id) => Some(format!("{TREE_OF}{id}")),
            Scope::Only if self.has_below => Some("own".to_owned()),
            _ => None,
        }
    }

    /// An address with the same choice.
    pub fn link(&self, to: &str) -> Link {
        self.pairs().into_iter().fold(Link::to(to), |link, (name, value)| link.with(name, value))
    }

    /// The address of this page with some of the choice other.
    pub fn with(&self, others: &[(&'static str, String)]) -> String {
        let is_dates = |name: &str| matches!(name, "range" | "from" | "to");
        let is_label = |name: &str| matches!(name, "label" | "no_label");
        let replaced = |name: &str| {
            others.iter().any(|(other, _)| {
                *other == name || (is_dates(other) && is_dates(name)) || (is_label(other) && is_label(name))
            })
        };
        let rest = self.pairs().into_iter().filter(|(name, _)| !replaced(name));
        let all = rest.chain(others.iter().cloned());
        all.fold(Link::to(&self.own), |link, (name, value)| link.with(name, value)).into()
    }

    /// The dates offered, each with its address and whether it is chosen.
    pub fn presets(&self, _: &Place) -> Vec<(&'static str, String, bool)> {
        RANGES
            .into_iter()
            .map(|(word, words)| {
                // How it is parted fits the dates, so other dates begin as is usual for them.
                let mut others = vec![("range", word.to_owned())];
                if self.by.is_time() {
                    others.push(("by", String::new()));
                }
                (words, self.with(&others), self.preset == Some(word))
            })
            .collect()
    }

    /// What the form brings along unseen.
    pub fn hidden(&self) -> Vec<(&'static str, String)> {
        let mut hidden: Vec<_> = self.preset.into_iter().map(|preset| ("range", preset.to_owned())).collect();
        if self.label.as_deref() == Some("") {
            hidden.push(("no_label", "1".to_owned()));
        }
        hidden
    }

    /// Whose the numbers are, in words.
    pub fn scope_words(&self, place: &Place) -> String {
        let name = place.account.name();
        match (&self.scope, &self.one) {
            (Scope::TreeOf(_), Some((id, one))) => {
                format!("{one} ({id}) and all accounts below it, below {name}")
            }
            (_, Some((id, one))) => format!("{one} ({id}) alone, below {name}"),
            (Scope::Tree, _) => format!("{name} and all accounts below it"),
            _ if self.has_below => format!("{name} alone, without the accounts below it"),
            _ => name.to_owned(),
        }
    }

    /// The fields: those that are always there, and those that are folded away.
    pub fn fields(&self, offered: &Offered, sees_money: bool) -> [Vec<Field>; 2] {
        let mut typed = Typed::default();
        for (name, value) in self.pairs() {
            typed.set(name, &value);
        }
        typed.set("from", &self.range.first.to_string());
        typed.set("to", &self.range.last.to_string());
        let by = |dimension: Dimension| (dimension.as_str(), super::rows_are(dimension));
        let dimensions = || {
            Dimension::ALL
                .into_iter()
                .filter(|dimension| self.has_below || *dimension != Dimension::Subaccount)
        };
        let parts = dimensions().filter(|dimension| !dimension.is_time()).map(by);
        let measures = Measure::ALL
            .into_iter()
            .filter(|measure| sees_money || *measure != Measure::Cost)
            .map(|measure| (measure.as_str(), measure.words()));
        let compares = [("", "Nothing"), ("before", "The time before"), ("year", "Last year")];
        let mut countries = vec![(String::new(), "Any".to_owned())];
        let chosen = self.country.iter().filter(|code| !offered.countries.contains(code));
        let named = |code: &String| Some((code.clone(), Country::parse(code)?.name().to_owned()));
        countries.extend(offered.countries.iter().chain(chosen).filter_map(named));
        let mut fields = Vec::new();
        if self.has_below {
            let mut scopes = vec![
                (String::new(), "All accounts".to_owned()),
                ("own".to_owned(), "Only this account".to_owned()),
            ];
            let known =
                self.accounts.iter().chain(self.one.iter().filter(|one| !self.accounts.contains(one)));
            for (id, name) in known {
                scopes.push((id.to_string(), name.clone()));
                if self.parents.contains(id) {
                    scopes.push((format!("{TREE_OF}{id}"), format!("{name} and all below")));
                }
            }
            fields.push(typed.choice("scope", "Accounts", scopes));
        }
        fields.extend([
            typed.field("from", "From").of_type("date"),
            typed.field("to", "Until").of_type("date"),
            typed.choice("by", "By", dimensions().map(by)),
            typed.choice("compare", "Compare with", compares),
        ]);
        let more = vec![
            typed.choice("measure", "Show", measures),
            typed.choice("part", "Parted by", std::iter::once(("", "What became of it")).chain(parts)),
            typed.choice("country", "Country", countries),
            typed.field("label", "Label").offers(offered.labels.clone()),
            typed.field("sender", "Sender").offers(offered.senders.clone()),
        ];
        [fields, more]
    }

    /// Whether anything was chosen of what is folded away.
    pub fn has_more(&self) -> bool {
        let filters = [&self.label, &self.country, &self.sender];
        self.part.is_some() || self.measure != Measure::Messages || filters.iter().any(|one| one.is_some())
    }

    /// The filters in words, each with an address without it.
    pub fn chips(&self, _: &Place) -> Vec<(String, String)> {
        let mut chips = Vec::new();
        let mut chip = |words: String, name| chips.push((words, self.with(&[(name, String::new())])));
        if let Some(label) = &self.label {
            let words =
                if label.is_empty() { "Without a label".to_owned() } else { format!("Label {label}") };
            chip(words, "label");
        }
        if let Some(country) = &self.country {
            chip(country_name(country), "country");
        }
        if let Some(sender) = &self.sender {
            chip(format!("Sender {sender}"), "sender");
        }
        if let Some((_, name)) = &self.one {
            let below = if matches!(self.scope, Scope::TreeOf(_)) { " and all below" } else { "" };
            chip(format!("Only {name}{below}"), "scope");
        }
        chips
    }

    /// The filters as pairs of an address of the journal.
    pub fn filters(&self) -> Vec<(&'static str, String)> {
        let names = ["label", "no_label", "country", "sender"];
        self.pairs().into_iter().filter(|(name, _)| names.contains(name)).collect()
    }
}

fn compare_word(compare: Compare) -> &'static str {
    match compare {
        Compare::PreviousPeriod => "before",
        Compare::SameLastYear => "year",
    }
}

/// Whether the person may see the sums of accounts below.
fn reaches_down(place: &Place) -> bool {
    let mut below = place.account.path.clone();
    below.push(AccountId(0));
    let verdict =
        permission::may(&place.person.standings, Action::SeeStatistics, &below, place.visit.is_some());
    verdict.allows() || place.may(Action::SeeSubaccounts)
}

/// The dates, and the preset they are of.
fn dates(asked: &Typed, today: Date) -> (Option<&'static str>, Range) {
    let preset = RANGES.into_iter().find(|(word, _)| *word == asked.text("range"));
    let preset = preset.map_or(USUAL, |(word, _)| word);
    let usual = range_of(preset, today);
    let (from, to) = (asked.text("from").parse().ok(), asked.text("to").parse().ok());
    if from.is_none() && to.is_none() {
        return (Some(preset), usual);
    }
    let (first, last) = (from.unwrap_or(usual.first), to.unwrap_or(today));
    let range = Range { first: first.min(last), last: last.max(first) };
    ((range == usual).then_some(preset), range)
}

fn range_of(preset: &str, today: Date) -> Range {
    match preset {
        "7d" => Range::ending(today, 7),
        "90d" => Range::ending(today, 90),
        "month" => Range { first: today.first_of_month(), last: today },
        "last-month" => {
            let last = today.first_of_month().saturating_sub(1.day());
            Range { first: last.first_of_month(), last }
        }
        "year" => Range { first: today.saturating_sub(1.year()).saturating_add(1.day()), last: today },
        _ => Range::ending(today, 30),
    }
}

/// The accounts that sent most in these dates.
async fn accounts(console: &Console, place: &Place, range: Range) -> Result<Vec<(AccountId, String)>, Stop> {
    let question =
        Question { rows_max: ACCOUNTS, ..Question::new(Scope::Tree, range, Dimension::Subaccount) };
    let report = statistics::report(&console.gateway, &place.account, &question).await?;
    let rows = report.into_iter().flat_map(|report| report.rows);
    Ok(rows
        .filter_map(|row| match row.key {
            Key::Account(id, name) if id != place.account.id => Some((id, name)),
            _ => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked for, and the preset and dates it means.
    type Case<'a> = (&'a [(&'a str, &'a str)], (Option<&'a str>, &'a str, &'a str));

    #[test]
    fn dates_are_those_of_a_preset_or_ones_own() {
        let today: Date = "2026-11-27".parse().unwrap();
        let dates = |pairs: &[(&str, &str)]| {
            let mut typed = Typed::default();
            pairs.iter().for_each(|(name, value)| typed.set(name, value));
            let (preset, range) = super::dates(&typed, today);
            (preset, range.first.to_string(), range.last.to_string())
        };
        #[rustfmt::skip]
        let cases: [Case<'_>; 6] = [
            (&[],                                              (Some("30d"), "2026-10-29", "2026-11-27")),
            (&[("range", "last-month")],                       (Some("last-month"), "2026-10-01", "2026-10-31")),
            (&[("range", "year")],                             (Some("year"), "2025-11-28", "2026-11-27")),
            (&[("range", "7d"), ("from", "2026-11-21"), ("to", "2026-11-27")], (Some("7d"), "2026-11-21", "2026-11-27")),
            (&[("range", "7d"), ("from", "2026-11-01"), ("to", "2026-11-27")], (None, "2026-11-01", "2026-11-27")),
            (&[("from", "2026-11-27"), ("to", "2026-11-01")],  (None, "2026-11-01", "2026-11-27")),
        ];
        for (pairs, (preset, first, last)) in cases {
            assert_eq!(dates(pairs), (preset, first.to_owned(), last.to_owned()), "{pairs:?}");
        }
    }
}
