//! Limit, what an account may send at the most, where to, and under which names. Limits nest: what an
//! account sends counts against its own and against those of every account above it, and where
//! destinations or senders are limited several times, only what all of them allow may be sent.

use crate::credits::Credits;
use crate::id::{AccountId, LimitId};
use crate::label::Label;
use crate::moment::Moment;
use crate::phone_number::Country;

/// The highest number of messages a limit may allow.
pub const MESSAGES_MAX: i64 = 1_000_000_000;
/// Shares of a limit, in percent, at which the account is told.
pub const WARNED_AT: [i64; 3] = [50, 80, 100];

/// What is counted, and over which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// What is spent on one date.
    SpendDay,
    /// What is spent in one month.
    SpendMonth,
    /// Messages accepted within one hour of the clock.
    MessagesHour,
    /// Messages accepted on one date.
    MessagesDay,
}

impl Measure {
    /// All, in the order of their codes.
    pub const ALL: [Measure; 4] =
        [Measure::SpendDay, Measure::SpendMonth, Measure::MessagesHour, Measure::MessagesDay];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The measure of a number in the books.
    pub fn from_code(code: i64) -> Option<Measure> {
        usize::try_from(code).ok().and_then(|i| Measure::ALL.get(i)).copied()
    }

    /// The word programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::SpendDay => "spend_per_day",
            Measure::SpendMonth => "spend_per_month",
            Measure::MessagesHour => "messages_per_hour",
            Measure::MessagesDay => "messages_per_day",
        }
    }

    /// The measure of a word.
    pub fn parse(word: &str) -> Option<Measure> {
        Measure::ALL.into_iter().find(|measure| measure.as_str() == word)
    }

    /// Whether it counts money, and not messages.
    pub fn is_money(self) -> bool {
        matches!(self, Measure::SpendDay | Measure::SpendMonth)
    }
}

/// What a limit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// So much and no more.
    Most {
        /// What is counted.
        measure: Measure,
        /// Only messages to this country; none is all.
        country: Option<Country>,
        /// Only messages with this label; none is all.
        label: Option<Label>,
        /// How much: an amount in the smallest unit, or a number of messages.
        most: i64,
    },
    /// Only to these countries.
    Countries(Vec<Country>),
    /// Only from these senders, whatever their case.
    Senders(Vec<String>),
}

impl Rule {
    /// Whether two rules are about the same thing, so that one can stand for the other.
    pub fn is_about_the_same(&self, other: &Rule) -> bool {
        match (self, other) {
            (
                Rule::Most { measure, country, label, .. },
                Rule::Most { measure: measure2, country: country2, label: label2, .. },
            ) => (measure, country, label) == (measure2, country2, label2),
            (Rule::Countries(_), Rule::Countries(_)) | (Rule::Senders(_), Rule::Senders(_)) => true,
            _ => false,
        }
    }

    /// The word programs read.
    pub fn as_str(&self) -> &'static str {
        match self {
            Rule::Most { measure, .. } => measure.as_str(),
            Rule::Countries(_) => "countries",
            Rule::Senders(_) => "senders",
        }
    }
}

/// Whose use a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The account's and that of all accounts below it, together.
    Together,
    /// That of each account below by itself, unless one between or it itself has a limit of its own on the
    /// same thing.
    EachByDefault,
    /// That of each account below by itself, whatever others say.
    EachEnforced,
}

impl Reach {
    /// All, in the order of their codes.
    pub const ALL: [Reach; 3] = [Reach::Together, Reach::EachByDefault, Reach::EachEnforced];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The reach of a number in the books.
    pub fn from_code(code: i64) -> Option<Reach> {
        usize::try_from(code).ok().and_then(|i| Reach::ALL.get(i)).copied()
    }

    /// The word programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Reach::Together => "together",
            Reach::EachByDefault => "each_by_default",
            Reach::EachEnforced => "each_enforced",
        }
    }

    /// The reach of a word.
    pub fn parse(word: &str) -> Option<Reach> {
        Reach::ALL.into_iter().find(|reach| reach.as_str() == word)
    }
}

/// A limit of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its number.
    pub id: LimitId,
    /// The account it lies on.
    pub account: AccountId,
    /// The account whose people set it. Only they and those above them may change it.
    pub by: AccountId,
    /// Whose use it is about.
    pub reach: Reach,
    /// What it says.
    pub rule: Rule,
    /// Since when it counts.
    pub since: Moment,
}

/// How a limit stands to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bearing {
    /// It lies on the account.
    Own,
    /// It lies on an account above, whose use this account's counts into.
    Shared,
    /// It comes from above by default and counts.
    Inherited,
    /// It comes from above by default and something nearer stands for it.
    Overridden,
    /// It comes from above and cannot be replaced.
    Enforced,
    /// It is for the accounts below this one.
    ForThoseBelow,
}

impl Bearing {
    /// The word programs and people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Bearing::Own => "own",
            Bearing::Shared => "shared",
            Bearing::Inherited => "inherited",
            Bearing::Overridden => "overridden",
            Bearing::Enforced => "enforced",
            Bearing::ForThoseBelow => "for_those_below",
        }
    }

    /// Whether it limits what the account sends.
    pub fn counts(self) -> bool {
        !matches!(self, Bearing::Overridden | Bearing::ForThoseBelow)
    }
}

/// A limit and whose use of it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied<L> {
    /// The limit.
    pub limit: L,
    /// How it stands to the account asked about.
    pub bearing: Bearing,
    /// The account whose use is counted: the one the limit lies on, or the one asked about.
    pub counted: AccountId,
}

/// How the limits along a path, the main account's first, stand to the account at its end. All of the
/// accounts' limits are given, in the order of the path.
pub fn along<'a>(
    path: impl DoubleEndedIterator<Item = (AccountId, &'a [Limit])> + Clone,
) -> Vec<Applied<&'a Limit>> {
    let Some((end, _)) = path.clone().next_back() else { return Vec::new() };
    let mut applied = Vec::new();
    for (place, (account, limits)) in path.clone().enumerate() {
        for limit in limits {
            let replaced = || {
                path.clone().skip(place + 1).any(|(at, nearer)| {
                    // What is for those below the account at the end does not reach it.
                    let reaches = |other: &Limit| at != end || other.reach == Reach::Together;
                    nearer.iter().any(|other| reaches(other) && other.rule.is_about_the_same(&limit.rule))
                })
            };
            let (bearing, counted) = match limit.reach {
                Reach::Together if account == end => (Bearing::Own, end),
                Reach::Together => (Bearing::Shared, account),
                _ if account == end => (Bearing::ForThoseBelow, end),
                Reach::EachEnforced => (Bearing::Enforced, end),
                Reach::EachByDefault if replaced() => (Bearing::Overridden, end),
                Reach::EachByDefault => (Bearing::Inherited, end),
            };
            applied.push(Applied { limit, bearing, counted });
        }
    }
    applied
}

/// The period that a moment is in, as the books know it: a date (20261127), a month (202611), or the hours
/// since 1970. `day` is the moment's date.
pub fn period(measure: Measure, day: i64, hour: i64) -> i64 {
    match measure {
        Measure::SpendDay | Measure::MessagesDay => day,
        Measure::SpendMonth => day / 100,
        Measure::MessagesHour => hour,
    }
}

/// The share of [`WARNED_AT`] that a use has reached: 0 below the first.
pub fn reached(used: i64, most: i64) -> i64 {
    let passed = |share: &i64| i128::from(used) * 100 >= i128::from(most) * i128::from(*share);
    WARNED_AT.into_iter().rfind(passed).unwrap_or(0)
}

/// What a message takes of a limit: its price, or one message.
pub fn taken(measure: Measure, price: Credits) -> i64 {
    if measure.is_money() { price.0 } else { 1 }
}

/// A limit that a message came up against, as the sender is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Its number.
    pub limit: LimitId,
    /// What it counts.
    pub measure: Measure,
    /// How much it allows; none when it lies on an account above, whose matter that is.
    pub most: Option<i64>,
    /// Only messages to this country.
    pub country: Option<Country>,
    /// Only messages with this label.
    pub label: Option<Label>,
    /// The account whose use is counted.
    pub counted: AccountId,
    /// The account whose people can raise it.
    pub by: AccountId,
}

impl std::fmt::Display for Reached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let per = match self.measure {
            Measure::SpendDay | Measure::MessagesDay => "a day",
            Measure::SpendMonth => "a month",
            Measure::MessagesHour => "an hour",
        };
        let what = match (self.most, self.measure.is_money()) {
            (Some(most), true) => format!("{} {per}", Credits(most)),
            (Some(1), false) => format!("1 message {per}"),
            (Some(most), false) => format!("{most} messages {per}"),
            (None, true) => format!("what may be spent {per}"),
            (None, false) => format!("the messages {per}"),
        };
        write!(f, "{what}")?;
        if let Some(country) = self.country {
            write!(f, " to {}", country.as_str())?;
        }
        if let Some(label) = &self.label {
            write!(f, " with the label {}", label.as_str())?;
        }
        write!(f, " of account {}", self.counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(id: i64, account: i64, reach: Reach, rule: Rule) -> Limit {
        Limit {
            id: LimitId(id),
            account: AccountId(account),
            by: AccountId(account),
            reach,
            rule,
            since: Moment(0),
        }
    }

    fn day(most: i64) -> Rule {
        Rule::Most { measure: Measure::SpendDay, country: None, label: None, most }
    }

    fn seen(path: &[(i64, Vec<Limit>)]) -> Vec<(i64, Bearing, i64)> {
        let path = path.iter().map(|(id, limits)| (AccountId(*id), limits.as_slice()));
        along(path).into_iter().map(|a| (a.limit.id.0, a.bearing, a.counted.0)).collect()
    }

    #[test]
    fn limits_nest_and_defaults_give_way() {
        let main = vec![
            limit(1, 1, Reach::Together, day(100)),
            limit(2, 1, Reach::EachByDefault, day(10)),
            limit(3, 1, Reach::EachEnforced, day(20)),
        ];
        assert_eq!(
            seen(&[(1, main.clone()), (2, vec![])]),
            [(1, Bearing::Shared, 1), (2, Bearing::Inherited, 2), (3, Bearing::Enforced, 2)]
        );
        // What is for those below does not limit the account itself.
        assert_eq!(
            seen(&[(1, main.clone())]),
            [(1, Bearing::Own, 1), (2, Bearing::ForThoseBelow, 1), (3, Bearing::ForThoseBelow, 1)]
        );
        let own = vec![limit(4, 2, Reach::Together, day(15))];
        assert_eq!(
            seen(&[(1, main.clone()), (2, own.clone())]),
            [
                (1, Bearing::Shared, 1),
                (2, Bearing::Overridden, 2),
                (3, Bearing::Enforced, 2),
                (4, Bearing::Own, 2)
            ]
        );
        // Another subject does not replace it, and neither does what is for those below.
        let country =
            Rule::Most { measure: Measure::SpendDay, country: Country::parse("DE"), label: None, most: 5 };
        let others = vec![limit(5, 2, Reach::Together, country), limit(6, 2, Reach::EachByDefault, day(7))];
        assert_eq!(seen(&[(1, main.clone()), (2, others.clone())])[1], (2, Bearing::Inherited, 2));
        // The nearer default stands for the farther one.
        let three = seen(&[(1, main), (2, others), (3, vec![])]);
        assert_eq!(three[1], (2, Bearing::Overridden, 3));
        assert!(three.contains(&(6, Bearing::Inherited, 3)));
        assert!(three.contains(&(5, Bearing::Shared, 2)));
    }

    #[test]
    fn shares_are_told_once_they_are_full() {
        assert_eq!(
            [49, 50, 79, 80, 99, 100, 101].map(|used| reached(used, 100)),
            [0, 50, 50, 80, 80, 100, 100]
        );
        assert_eq!(reached(i64::MAX, i64::MAX), 100);
        assert_eq!(reached(1, 1), 100);
    }

    #[test]
    fn words_and_codes_come_back() {
        for measure in Measure::ALL {
            assert_eq!(Measure::from_code(measure.code()), Some(measure));
            assert_eq!(Measure::parse(measure.as_str()), Some(measure));
        }
        for reach in Reach::ALL {
            assert_eq!(Reach::from_code(reach.code()), Some(reach));
            assert_eq!(Reach::parse(reach.as_str()), Some(reach));
        }
    }
}
