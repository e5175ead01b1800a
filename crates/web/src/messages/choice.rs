//! Which messages are wanted: the filters of the journal, as fields, as chips and as part of an address.

use domain::message::MessageStatus::{self, *};
use domain::moment::Moment;
use domain::phone_number::Country;
use gateway::Base;
use gateway::clock::{number_of, start_of_day};
use gateway::journal::{Search, recipient};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::door::Place;
use crate::form::{Field, Typed};
use crate::link::Link;
use crate::messages::Whose;
use crate::send::Offered;

/// The choices of state: the word of the address, what is read, what it means to the books.
const STATES: [(&str, &str, &[MessageStatus]); 11] = [
    ("under-way", "Under way", &[Accepted, Queued, Submitted]),
    ("open", "Neither delivered nor failed", &[Accepted, Queued, Submitted, Scheduled, Cancelled, Unknown]),
    ("delivered", "Delivered", &[Delivered]),
    ("failed", "Failed, for any reason", &[Undelivered, Expired, Rejected]),
    ("scheduled", "Scheduled", &[Scheduled]),
    ("cancelled", "Cancelled", &[Cancelled]),
    ("unknown", "Unknown", &[Unknown]),
    ("submitted", "Submitted", &[Submitted]),
    ("undelivered", "Undelivered", &[Undelivered]),
    ("expired", "Expired", &[Expired]),
    ("rejected", "Rejected", &[Rejected]),
];

/// The names of all filters.
const NAMES: [&str; 8] = ["recipient", "state", "from", "to", "sender", "label", "no_label", "country"];
/// Those that are folded away.
const MORE: [&str; 4] = ["sender", "label", "no_label", "country"];

/// What was chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    given: Vec<(&'static str, String)>,
    search: Option<Search>,
}

impl Choice {
    /// What an address asks for. What makes no sense finds nothing.
    pub fn of(asked: &Typed, place: &Place, base: &Base) -> Choice {
        let given: Vec<(&'static str, String)> = NAMES
            .into_iter()
            .map(|name| (name, asked.text(name).to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let search = search(&given, place, base);
        Choice { given, search }
    }

    /// What to look for; nothing when no message can be meant.
    pub fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// Whether anything was chosen.
    pub fn is_anything(&self) -> bool {
        !self.given.is_empty()
    }

    /// Whether anything was chosen of what is folded away.
    pub fn has_more(&self) -> bool {
        self.given.iter().any(|(name, _)| MORE.contains(name))
    }

    /// An address with the same choice.
    pub fn link(&self, to: Link) -> Link {
        self.given.iter().fold(to, |link, (name, value)| link.with(name, value))
    }

    fn link_without(&self, own: &str, left_out: &str) -> Link {
        let rest = self.given.iter().filter(|(name, _)| *name != left_out);
        rest.fold(Link::to(own), |link, (name, value)| link.with(name, value))
    }

    /// What was chosen in words, each with an address without it.
    pub fn chips(&self, own: &str, whose: &Whose, place: &Place) -> Vec<(String, String)> {
        let words = |name: &str, value: &str| match name {
            "recipient" => format!("To {value}"),
            "state" => STATES.iter().find(|(word, ..)| *word == value).map_or(value, |s| s.1).to_owned(),
            "from" => format!("From {}", shown(value, place)),
            "to" => format!("Until {}", shown(value, place)),
            "sender" => format!("Sender {value}"),
            "label" => format!("Label {value}"),
            "no_label" => "Without a label".to_owned(),
            "country" => country_name(value),
            other => other.to_owned(),
        };
        let without = |name: &str| whose.link(self.link_without(own, name)).into();
        self.given.iter().map(|(name, value)| (words(name, value), without(name))).collect()
    }

    /// The fields that are always there.
    pub fn fields(&self, asked: &Typed) -> Vec<Field> {
        let states = STATES.into_iter().map(|(word, words, _)| (word, words));
        vec![
            asked
                .field("recipient", "Recipient")
                .of_type("search")
                .example("A number, or how it begins: +49 151*"),
            asked.choice("state", "State", std::iter::once(("", "Any")).chain(states)),
            date_or_moment(asked, "from", "From"),
            date_or_moment(asked, "to", "Until"),
        ]
    }

    /// The fields that are folded away.
    pub fn more(&self, asked: &Typed, offered: &Offered) -> Vec<Field> {
        let mut countries: Vec<(String, String)> = vec![(String::new(), "Any".to_owned())];
        let chosen = Some(asked.text("country").to_owned()).filter(|code| !offered.countries.contains(code));
        let known = offered.countries.iter().cloned().chain(chosen);
        countries
            .extend(known.filter_map(|code| Some((code.clone(), Country::parse(&code)?.name().to_owned()))));
        vec![
            asked.field("sender", "Sender").offers(offered.senders.clone()),
            asked.field("label", "Label").offers(offered.labels.clone()),
            asked.choice("country", "Country", countries),
        ]
    }
}

/// A field of a date. A moment, as links of pages that count dates otherwise name it, stays as it is: no
/// picker of dates can hold one.
fn date_or_moment(asked: &Typed, name: &'static str, label: &str) -> Field {
    let field = asked.field(name, label);
    match asked.text(name).parse::<Timestamp>() {
        Ok(_) => field,
        Err(_) => field.of_type("date"),
    }
}

/// What a country is called; what is none stays as it was written.
pub(crate) fn country_name(code: &str) -> String {
    Country::parse(code).map_or_else(|| code.to_owned(), |country| country.name().to_owned())
}

fn shown(date: &str, place: &Place) -> String {
    let format = place.format();
    if let Ok(moment) = date.parse::<Timestamp>() {
        return format.time(Moment(moment.as_microsecond())).words().to_owned();
    }
    date.parse::<Date>().map_or_else(|_| date.to_owned(), |d| format.day(number_of(d)))
}

fn search(given: &[(&'static str, String)], place: &Place, base: &Base) -> Option<Search> {
    let mut search = Search::default();
    let zone = &place.format().time_zone;
    for (name, value) in given {
        match *name {
            "recipient" => {
                let own = place.account.settings.default_country.as_deref().and_then(Country::parse);
                search.recipient = Some(recipient(value, own.unwrap_or(base.rules.default_country))?);
            }
            "state" => {
                let (.., statuses) = STATES.iter().find(|(word, ..)| word == value)?;
                search.status = statuses.to_vec();
            }
            "from" => search.from = Some(at(value, zone, false)?),
            "to" => search.before = Some(at(value, zone, true)?),
            "sender" => search.sender = Some(value.clone()),
            "label" => search.label = Some(value.clone()),
            "no_label" => search.label = Some(String::new()),
            "country" => search.country = Some(Country::parse(value)?.as_str().to_owned()),
            _ => {}
        }
    }
    Some(search)
}

/// The beginning of a date, or its end, as the account counts dates; or a moment, as the links of pages
/// that count them otherwise name it.
fn at(text: &str, zone: &TimeZone, is_end: bool) -> Option<Moment> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(Moment(moment.as_microsecond()));
    }
    let date: Date = text.parse().ok()?;
    start_of_day(number_of(if is_end { date.tomorrow().ok()? } else { date }), zone)
}

/// Dates from one to another, both included, as the journal of an account is to be asked for them. They
/// are dates of `counted`, which may be another zone than the account's own.
pub(crate) fn dates_of(
    first: Date,
    last: Date,
    counted: &TimeZone,
    own: &TimeZone,
) -> [(&'static str, String); 2] {
    if counted == own {
        return [("from", first.to_string()), ("to", last.to_string())];
    }
    let begin = |date: Date| {
        let at = start_of_day(number_of(date), counted)?;
        Timestamp::from_microsecond(at.0).ok().map(|at| at.to_string())
    };
    let end = last.tomorrow().ok().and_then(begin);
    [("from", begin(first).unwrap_or_default()), ("to", end.unwrap_or_default())]
}
