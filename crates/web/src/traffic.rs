//! What an account or a tree sent lately: its figures and its charts, the same wherever they are shown.

use domain::credits::Credits;
use gateway::clock::number_of;
use gateway::overview::Traffic;
use gateway::statistics::Counts;

use crate::chart::{Chart, Kind, Series, Slot, Unit};
use crate::format::Format;
use crate::parts::Figure;

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

fn slots(traffic: &Traffic, format: &Format) -> Vec<Slot> {
    let slot = |day: i64| Slot { label: format.day_short(day), full: format.day(day), href: None };
    traffic.days.iter().map(|(date, _)| slot(number_of(*date))).collect()
}

/// Messages a day, by what became of them.
pub fn messages_chart(id: &'static str, traffic: &Traffic, format: &Format) -> Chart {
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
        slots: slots(traffic, format),
        series: vec![
            of("Delivered", "good", |counts| counts.delivered),
            of("Under way", "busy", Counts::in_flight),
            of("Failed", "bad", |counts| counts.failed),
        ],
        format: format.clone(),
    }
}

/// How many arrived each day, of those whose fate is known.
pub fn delivery_chart(id: &'static str, traffic: &Traffic, format: &Format) -> Chart {
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
        slots: slots(traffic, format),
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
