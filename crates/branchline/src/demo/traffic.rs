//! What happened in the invented world on one day: who sent what to whom, and what became of it.
//! Pure: the same day and the same chance give the same traffic.

use std::time::Duration;

use domain::delivery_report::ReportState;
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::world::{DAYS, Kind, MOBILES, NAMES, Rhythm, WORLD, Who};

/// How many people an account knows for each message it sends on a usual day.
const PEOPLE_PER_DAILY_MESSAGE: f64 = 40.0;

/// One request of an account: a text to one recipient or many.
pub struct Sending {
    /// Whose, by its place in the world.
    pub who: usize,
    /// What kind of message.
    pub kind: &'static Kind,
    /// When.
    pub at: Moment,
    /// What it says.
    pub text: String,
    /// To whom, and what became of each.
    pub to: Vec<(PhoneNumber, Fate)>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// Its end.
    pub status: MessageStatus,
    /// The carrier's last word.
    pub report: Option<ReportState>,
    /// Why it failed.
    pub error: Option<&'static str>,
    /// Whether the carrier refused it at once, so that it cost nothing in the end.
    pub refused: bool,
    /// How long after it was accepted that was known.
    pub after: Duration,
}

/// The people each account writes to.
pub struct People(Vec<Vec<PhoneNumber>>);

impl People {
    /// Invents them.
    pub fn new(chance: &mut StdRng) -> People {
        People(WORLD.iter().map(|who| people(who, chance)).collect())
    }
}

fn people(who: &Who, chance: &mut StdRng) -> Vec<PhoneNumber> {
    let many = who.traffic.iter().map(|kind| match kind.rhythm {
        Rhythm::Single { a_day, .. } => a_day * PEOPLE_PER_DAILY_MESSAGE,
        Rhythm::Mailing { recipients, .. } => recipients as f64 * 1.5,
    });
    let many = many.sum::<f64>() as usize;
    (0..many).filter_map(|_| number(pick_weighted(who.countries, chance), chance)).collect()
}

/// A mobile number of a country.
fn number(country: &str, chance: &mut StdRng) -> Option<PhoneNumber> {
    let ranges: Vec<_> = MOBILES.iter().filter(|(c, _, _)| *c == country).collect();
    let (_, prefixes, digits) = ranges.get(chance.random_range(0..ranges.len().max(1)))?;
    let prefix: u64 = prefixes[chance.random_range(0..prefixes.len())].parse().ok()?;
    let unit = 10_u64.pow(*digits);
    // A number that ends in 999.. tells the simulator what to do; nobody here has one.
    let rest = chance.random_range(unit / 10..unit);
    PhoneNumber::from_digits(prefix * unit + if rest % 100_000 >= 99_900 { rest - 50_000 } else { rest })
}

fn pick_weighted<'a>(choices: &[(&'a str, u32)], chance: &mut StdRng) -> &'a str {
    let sum = choices.iter().map(|(_, weight)| weight).sum::<u32>().max(1);
    let mut at = chance.random_range(0..sum);
    for (choice, weight) in choices {
        if at < *weight {
            return choice;
        }
        at -= weight;
    }
    choices.first().map_or("DE", |(choice, _)| choice)
}

fn pick<'a>(choices: &[&'a str], chance: &mut StdRng) -> &'a str {
    choices[chance.random_range(0..choices.len())]
}

/// A day of the world.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    /// How many days after the first.
    pub number: u32,
    /// Of how many in all.
    pub of: u32,
    /// When it begins.
    pub start: Moment,
    /// 0 is Monday.
    pub weekday: usize,
}

/// Everything sent on a day, in the order it was sent.
pub fn of_day(day: Day, people: &People, seed: u64) -> Vec<Sending> {
    let mut sendings = Vec::new();
    for (who, (account, known)) in WORLD.iter().zip(&people.0).enumerate() {
        for (k, kind) in account.traffic.iter().enumerate() {
            // Each account has its own chance, so that one more account changes nobody's history.
            let own = seed ^ (u64::from(day.number) << 32) ^ ((who as u64) << 8) ^ k as u64;
            let mut chance = StdRng::seed_from_u64(own);
            of_kind(day, who, kind, known, &mut chance, &mut sendings);
        }
    }
    sendings.sort_by_key(|sending| (sending.at, sending.who));
    sendings
}

fn of_kind(
    day: Day,
    who: usize,
    kind: &'static Kind,
    known: &[PhoneNumber],
    chance: &mut StdRng,
    sendings: &mut Vec<Sending>,
) {
    if known.is_empty() {
        return;
    }
    // Business grows a little, and no two days are the same.
    let growth = 0.8 + 0.4 * f64::from(day.number) / f64::from(day.of.max(1));
    match &kind.rhythm {
        Rhythm::Single { a_day, hours, week } => {
            let count = a_day * week[day.weekday] * growth * chance.random_range(0.82..1.18);
            for _ in 0..count.round() as usize {
                let at = moment_of(day, hours, chance);
                let to = known[chance.random_range(0..known.len())];
                let text = text_of(kind, chance);
                sendings.push(Sending { who, kind, at, text, to: vec![(to, fate(chance))] });
            }
        }
        Rhythm::Mailing { recipients, weekday, hour } if *weekday == day.weekday => {
            let minute = chance.random_range(0..12);
            let at = day.start.after(Duration::from_secs(3600 * u64::from(*hour) + 60 * minute));
            let text = text_of(kind, chance);
            let many = (*recipients as f64 * growth) as usize;
            let first = chance.random_range(0..known.len());
            let to = known.iter().cycle().skip(first).take(many.min(known.len()));
            let to = to.map(|number| (*number, fate(chance))).collect();
            sendings.push(Sending { who, kind, at, text, to });
        }
        Rhythm::Mailing { .. } => {}
    }
}

fn moment_of(day: Day, hours: &[f64; 24], chance: &mut StdRng) -> Moment {
    let mut at = chance.random_range(0.0..hours.iter().sum::<f64>());
    let mut hour = 0;
    while hour < 23 && at >= hours[hour] {
        at -= hours[hour];
        hour += 1;
    }
    let within = chance.random_range(0..3_600_000_000_u64);
    day.start.after(Duration::from_micros(3_600_000_000 * hour as u64 + within))
}

fn text_of(kind: &Kind, chance: &mut StdRng) -> String {
    let text = pick(kind.texts, chance);
    let time = format!("{}:{:02}", chance.random_range(8..20), chance.random_range(0..4) * 15);
    text.replace("{name}", pick(NAMES, chance))
        .replace("{day}", pick(DAYS, chance))
        .replace("{time}", &time)
        .replace("{code}", &format!("{:06}", chance.random_range(0..1_000_000)))
        .replace("{order}", &format!("{}{}", chance.random_range(10..99), chance.random_range(1000..9999)))
}

/// Nearly all arrive within seconds; some never do.
fn fate(chance: &mut StdRng) -> Fate {
    let soon = Duration::from_secs_f64(0.7 - 3.5 * chance.random_range(0.02_f64..1.0).ln());
    let end =
        |status, report, error, after| Fate { status, report: Some(report), error, refused: false, after };
    match chance.random_range(0..1000) {
        0..965 => end(MessageStatus::Delivered, ReportState::Delivered, None, soon),
        965..984 => end(MessageStatus::Undelivered, ReportState::NotDelivered, Some("001"), soon * 9),
        984..991 => {
            end(MessageStatus::Expired, ReportState::Expired, Some("002"), Duration::from_secs(2880 * 60))
        }
        991..993 => end(MessageStatus::Undelivered, ReportState::Failed, Some("004"), soon * 4),
        _ => Fate {
            refused: true,
            ..end(MessageStatus::Rejected, ReportState::Rejected, Some("invalid recipient"), soon / 8)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_day_is_the_same_twice_and_in_order() {
        let people = People::new(&mut StdRng::seed_from_u64(1));
        let day = Day { number: 3, of: 90, start: Moment::from_seconds(1_760_000_000), weekday: 3 };
        let (one, two) = (of_day(day, &people, 7), of_day(day, &people, 7));
        assert!(one.len() > 500, "{}", one.len());
        assert!(one.is_sorted_by_key(|s| s.at));
        let texts = |day: &[Sending]| day.iter().map(|s| (s.at, s.text.clone())).collect::<Vec<_>>();
        assert_eq!(texts(&one), texts(&two));
    }

    #[test]
    fn everybody_has_a_number_of_the_country_meant() {
        let mut chance = StdRng::seed_from_u64(1);
        for (country, _, _) in MOBILES {
            for _ in 0..50 {
                let number = number(country, &mut chance).unwrap();
                assert_eq!(
                    number.country().map(|c| c.as_str().to_owned()).as_deref(),
                    Some(*country),
                    "{number:?}"
                );
            }
        }
    }
}
