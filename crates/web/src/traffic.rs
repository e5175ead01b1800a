//! What an account or a tree sent lately: its figures and its charts, the same wherever they are shown.

use domain::credits::Credits;
use gateway::clock::number_of;
use gateway::overview::Traffic;
use gateway::scope::Scope;
use gateway::statistics::Counts;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Console;
use crate::chart::{Chart, Kind, Series, Slot, Unit};
use crate::door::Place;
use crate::error::Stop;
use crate::format::Format;
use crate::link::Link;
use crate::messages::dates_of;
use crate::parts::Figure;
use crate::statistics::TREE_OF;
use crate::statistics::behind::{is_whole, journal_of};

/// How many messages were sent in thirty days, beside the thirty before.
pub fn sent(traffic: &Traffic, format: &Format) -> Figure {
    let (now, before) = (traffic.recent.accepted, traffic.before.accepted);
    Figure::new("Sent, 30 days", format.count(now)).note(compared(now, before, format))
}

/// How many arrived of those whose fate is known.
pub fn delivered(traffic: &Traffic, format: &Format) -> Figure {
    let share = |counts: &Counts| format.percent(counts.delivered, counts.delivered + counts.failed);
    let before = match traffic.before.delivered + traffic.before.failed {
        0 => String::new(),
        _ => format!("{} in the 30 days before", share(&traffic.before)),
    };
    Figure::new("Delivered", share(&traffic.recent)).note(before)
}

/// What it cost, refunds taken off.
pub fn cost(traffic: &Traffic, format: &Format) -> Figure {
    let before = format.money(traffic.before.spent());
    Figure::new("Cost, 30 days", format.money(traffic.recent.spent()))
        .note(format!("{before} in the 30 days before"))
}

/// For how long a balance lasts.
pub fn lasts(traffic: &Traffic, available: Credits) -> Figure {
    let days = match traffic.runway {
        _ if !available.is_positive() => "Nothing left".to_owned(),
        None => "–".to_owned(),
        Some(0) => "Less than a day".to_owned(),
        Some(1) => "1 day".to_owned(),
        Some(days) if days > 730 => "Over 2 years".to_owned(),
        Some(days) => format!("{days} days"),
    };
    let note = match traffic.runway {
        None => "nothing was spent in 14 days",
        Some(_) => "at the pace of the last 14 days",
    };
    let figure = Figure::new("Lasts about", days).note(note);
    if traffic.runway.is_some_and(|days| days < 7) { figure.tone("bad") } else { figure }
}

/// A count beside an earlier one: `+8.1% on the 30 days before`.
fn compared(now: i64, before: i64, format: &Format) -> String {
    match (now, before) {
        (_, 0) => String::new(),
        _ if now == before => "as in the 30 days before".to_owned(),
        _ => {
            let more = now > before;
            let change = format.percent((now - before).abs(), before);
            format!("{}{change} on the 30 days before", if more { "+" } else { "\u{2212}" })
        }
    }
}

/// Where the messages of a day, or of all days, are.
pub struct Behind {
    link: Link,
    counted: TimeZone,
    shown: TimeZone,
}

impl Behind {
    /// Of a scope of the account of a page: its journal, where all of it stands there and the person may
    /// read it, else the statistics by account.
    pub async fn of(console: &Console, place: &Place, scope: Scope) -> Result<Behind, Stop> {
        let counted = console.gateway.rules.time_zone.clone();
        let journal = match is_whole(console, place, scope).await? {
            true => journal_of(place, scope),
            false => None,
        };
        Ok(match journal {
            Some(link) => Behind { link, counted, shown: place.format().time_zone.clone() },
            None => {
                let word = match scope {
                    Scope::Tree => String::new(),
                    Scope::Only => "own".to_owned(),
                    Scope::One(id) => id.to_string(),
                    Scope::TreeOf(id) => format!("{TREE_OF}{id}"),
                };
                let is_tree = matches!(scope, Scope::Tree | Scope::TreeOf(_));
                let by = if is_tree { "subaccount" } else { "country" };
                let link = Link::to(place.href("statistics")).with("scope", word).with("by", by);
                // The statistics count by the same days.
                Behind { link, counted: counted.clone(), shown: counted }
            }
        })
    }

    fn days(&self, first: Date, last: Date) -> String {
        let dates = dates_of(first, last, &self.counted, &self.shown);
        dates.into_iter().fold(self.link.clone(), |link, (name, value)| link.with(name, value)).into()
    }

    /// The messages of all days that are shown.
    pub fn all(&self, traffic: &Traffic) -> Option<String> {
        let (first, last) = (traffic.days.first()?.0, traffic.days.last()?.0);
        Some(self.days(first, last))
    }
}

fn slots(traffic: &Traffic, behind: Option<&Behind>, format: &Format) -> Vec<Slot> {
    let slot = |date: Date| Slot {
        label: format.day_short(number_of(date)),
        full: format.day(number_of(date)),
        href: behind.map(|behind| behind.days(date, date)),
    };
    traffic.days.iter().map(|(date, _)| slot(*date)).collect()
}

/// Messages a day, by what became of them.
pub fn messages_chart(
    id: &'static str,
    traffic: &Traffic,
    behind: Option<&Behind>,
    format: &Format,
) -> Chart {
    let of = |name: &str, tone, read: fn(&Counts) -> i64| Series {
        name: name.to_owned(),
        tone,
        values: traffic.days.iter().map(|(_, counts)| Some(read(counts).max(0))).collect(),
    };
    Chart {
        id,
        title: "Messages a day".to_owned(),
        kind: Kind::Bars,
        unit: Unit::Count,
        slots_are: "Day",
        slots: slots(traffic, behind, format),
        series: vec![
            of("Delivered", "good", |counts| counts.delivered),
            of("Under way", "busy", Counts::in_flight),
            of("Failed", "bad", |counts| counts.failed),
        ],
        format: format.clone(),
    }
}

/// How many arrived each day, of those whose fate is known.
pub fn delivery_chart(
    id: &'static str,
    traffic: &Traffic,
    behind: Option<&Behind>,
    format: &Format,
) -> Chart {
    let share = |counts: &Counts| {
        let known = counts.delivered + counts.failed;
        (known > 0).then(|| counts.delivered.saturating_mul(1_000) / known)
    };
    Chart {
        id,
        title: "Delivery rate".to_owned(),
        kind: Kind::Lines,
        unit: Unit::Share,
        slots_are: "Day",
        slots: slots(traffic, behind, format),
        series: vec![Series {
            name: "Delivered".to_owned(),
            tone: "good",
            values: traffic.days.iter().map(|(_, counts)| share(counts)).collect(),
        }],
        format: format.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use gateway::clock::date_of;

    use super::*;

    /// Thirty days with something in each.
    pub fn sample() -> Traffic {
        let counts = |n: i64| Counts {
            accepted: 100 * n,
            segments: 110 * n,
            delivered: 90 * n,
            failed: 4 * n,
            cost: Credits(75_000 * 110 * n),
            ..Counts::default()
        };
        let day = |n: i64| Some((date_of(20_261_100 + n)?, counts(n)));
        Traffic {
            days: (1..=30).filter_map(day).collect(),
            recent: counts(465),
            before: counts(400),
            spent: counts(200).cost,
            runway: Some(5),
            delivery: (Some(950_000), Some(960_000)),
        }
    }

    #[test]
    fn a_count_is_told_beside_the_one_before() {
        let format = crate::page::Shell::sample("").format;
        assert_eq!(compared(110, 100, &format), "+10.0% on the 30 days before");
        assert_eq!(compared(90, 100, &format), "−10.0% on the 30 days before");
        assert_eq!(compared(90, 0, &format), "");
        assert_eq!(compared(7, 7, &format), "as in the 30 days before");
    }
}
