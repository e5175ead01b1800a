//! Limits of accounts: what they may send at the most, where to and under which names. They are kept by
//! the intake in the transaction that charges (`crate::intake`); here they are set, taken away and read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::account::{Account, AccountState};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, LimitId};
use domain::label::Label;
use domain::limit::{Applied, Bearing, Limit, MESSAGES_MAX, Measure, Reach, Rule, along, period};
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::sender_id::SenderId;
use storage::limits::Use;
use storage::{Error, accounts, limits};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::clock::{day_of, hour_of};

/// Countries or senders one limit may list.
pub const LISTED_MAX: usize = 300;
/// Limits that may lie on one account.
pub const LIMITS_MAX: usize = 200;

/// The limits that what an account sends must keep, sorted by what they need to be decided.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Those that count.
    pub counting: Arc<[Applied<Limit>]>,
    /// Those of destinations and of senders.
    listing: Vec<Applied<Limit>>,
}

impl Held {
    /// Of the account at the end of a path, out of all limits that lie on accounts of the path.
    pub fn of(path: &[AccountId], all: &[Limit]) -> Held {
        let mut counting = Vec::new();
        let mut listing = Vec::new();
        for Applied { limit, bearing, counted } in applied(path, all) {
            if bearing.counts() {
                let list = if matches!(limit.rule, Rule::Most { .. }) { &mut counting } else { &mut listing };
                list.push(Applied { limit, bearing, counted });
            }
        }
        // Rows are always locked in this order.
        counting.sort_by_key(|applied| (applied.limit.id, applied.counted));
        Held { counting: counting.into(), listing }
    }

    /// The limit that forbids a country, if one does.
    pub fn against_country(&self, country: Option<Country>) -> Option<&Limit> {
        self.listing.iter().map(|applied| &applied.limit).find(|limit| match &limit.rule {
            Rule::Countries(allowed) => !country.is_some_and(|country| allowed.contains(&country)),
            _ => false,
        })
    }

    /// The limit that forbids a sender, if one does.
    pub fn against_sender(&self, sender: &str) -> Option<&Limit> {
        self.listing.iter().map(|applied| &applied.limit).find(|limit| match &limit.rule {
            Rule::Senders(allowed) => !allowed.iter().any(|known| known.eq_ignore_ascii_case(sender)),
            _ => false,
        })
    }
}

/// A message, or a part of one, that never left and was given back.
#[derive(Clone, Debug)]
pub(crate) struct Back {
    /// Whose it was.
    pub account: AccountId,
    /// When it was accepted.
    pub created_at: Moment,
    /// Where it went to.
    pub country: String,
    /// Its label; empty when none.
    pub label: String,
    /// What each account of the path got back.
    pub by_level: Vec<(AccountId, Credits)>,
    /// Whether nothing of it had left.
    pub whole: bool,
}

/// What is used no more of limits, in the order of their rows: the use, its period, and how much.
pub(crate) async fn given_back(base: &Base, backs: &[Back]) -> Result<Vec<(Use, i64, i64)>, Error> {
    let mut sums: BTreeMap<(Use, i64), i64> = BTreeMap::new();
    for back in backs {
        let Some(account) = base.account(back.account).await? else { continue };
        let held = base.limits(&account).await?;
        for applied in held.counting.iter().filter(|applied| applied.limit.since <= back.created_at) {
            let Rule::Most { measure, country, label, .. } = &applied.limit.rule else { continue };
            let elsewhere = country.is_some_and(|country| country.as_str() != back.country);
            if elsewhere || label.as_ref().is_some_and(|label| label.as_str() != back.label) {
                continue;
            }
            // Where all pay the same, only the account's own level is known.
            let level = back.by_level.iter().find(|(at, _)| *at == applied.counted).or(back.by_level.last());
            let amount = match (measure.is_money(), back.whole) {
                (true, _) => level.map_or(0, |(_, amount)| amount.0),
                (false, whole) => i64::from(whole),
            };
            let zone = &base.rules.time_zone;
            let period = period(*measure, day_of(back.created_at, zone), hour_of(back.created_at));
            *sums.entry(((applied.limit.id, applied.counted), period)).or_default() += amount;
        }
    }
    Ok(sums
        .into_iter()
        .filter(|(_, used)| *used > 0)
        .map(|((key, period), used)| (key, period, used))
        .collect())
}

fn applied(path: &[AccountId], all: &[Limit]) -> Vec<Applied<Limit>> {
    let mut by_account: HashMap<AccountId, Vec<Limit>> = HashMap::new();
    for limit in all {
        by_account.entry(limit.account).or_default().push(limit.clone());
    }
    let of = |id: &AccountId| by_account.get(id).map_or(&[][..], Vec::as_slice);
    let applied = along(path.iter().map(|id| (*id, of(id))));
    let owned =
        |a: Applied<&Limit>| Applied { limit: a.limit.clone(), bearing: a.bearing, counted: a.counted };
    applied.into_iter().map(owned).collect()
}

/// A limit as an account sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The limit. One of an account above that this account's use counts into says nothing of how much it
    /// allows: see [`Seen::most`].
    pub limit: Limit,
    /// How it stands to the account.
    pub bearing: Bearing,
    /// The account whose use is counted.
    pub counted: AccountId,
    /// What has been used in the period that runs, for limits that count.
    pub used: Option<i64>,
    /// Whether whoever asked may change it.
    pub changeable: bool,
}

/// Every limit that bears on an account, those from above first. `viewer` is the account that the one who
/// asks stands in: the account itself or one above it. How full a limit is that lies above the viewer is
/// not theirs to know, and neither is how much it allows: such ones come without [`Seen::used`].
///
/// # Errors
/// Those of the books.
pub async fn of(base: &Base, account: &Account, viewer: AccountId) -> Result<Vec<Seen>, Error> {
    let mut conn = base.db.read().await?;
    let all = limits::of(&mut conn, &account.path).await?;
    let ids: Vec<LimitId> = all.iter().map(|limit| limit.id).collect();
    let usage =
        if ids.is_empty() { HashMap::new() } else { limits::usage(&mut conn, &ids, &account.path).await? };
    drop(conn);
    let now = base.clock.now();
    let (day, hour) = (day_of(now, &base.rules.time_zone), hour_of(now));
    // From where the viewer stands downwards; what lies above is another's.
    let place = |id: AccountId| account.path.iter().position(|at| *at == id);
    let stands = place(viewer).unwrap_or(account.path.len());
    let seen = applied(&account.path, &all).into_iter().map(|Applied { limit, bearing, counted }| {
        let used = match &limit.rule {
            Rule::Most { measure, .. } if place(counted).is_some_and(|at| at >= stands) => {
                let used = usage.get(&(limit.id, counted)).copied().unwrap_or_default();
                Some(used.in_period(period(*measure, day, hour)).used)
            }
            _ => None,
        };
        let changeable = limit.account == account.id && place(limit.by).is_some_and(|by| by >= stands);
        Seen { limit, bearing, counted, used, changeable }
    });
    Ok(seen.collect())
}

impl Seen {
    /// How much it allows, where that is for whoever asked to know: an amount or a number of messages.
    pub fn most(&self) -> Option<i64> {
        match &self.limit.rule {
            Rule::Most { most, .. } if self.used.is_some() => Some(*most),
            _ => None,
        }
    }
}

/// A limit as somebody writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// What it is about: a word of [`Rule::as_str`].
    pub kind: String,
    /// A word of [`Reach::as_str`]; empty is `together`.
    pub reach: String,
    /// Only messages to this country; empty is all.
    pub country: String,
    /// Only messages with this label; empty is all.
    pub label: String,
    /// How much: an amount such as `12.50`, or a number of messages.
    pub most: String,
    /// The countries or the senders.
    pub list: Vec<String>,
}

/// A field of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the field of `Written` with its name")]
pub enum Field {
    Kind,
    Reach,
    Country,
    Label,
    Most,
    List,
}

impl Field {
    /// The word programs and forms have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Kind => "kind",
            Field::Reach => "reach",
            Field::Country => "country",
            Field::Label => "label",
            Field::Most => "most",
            Field::List => "list",
        }
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}; {remedy}", field.as_str())]
pub struct Problem {
    /// Which.
    pub field: Field,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Why a limit was not set or not taken away. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// It is closed.
    #[error("account {0} is closed; it sends nothing any more")]
    Closed(AccountId),
    /// There is no such limit on the account.
    #[error("account {account} has no limit {limit}")]
    NotFound {
        /// The account.
        account: AccountId,
        /// The limit.
        limit: LimitId,
    },
    /// Somebody further up set it.
    #[error("limit {limit} was set by account {by}; its administrators, or those above it, can change it")]
    FromAbove {
        /// The limit.
        limit: LimitId,
        /// Who set it.
        by: AccountId,
    },
    /// Fields are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Fields(Vec<Problem>),
    /// There are too many.
    #[error("account {0} has {LIMITS_MAX} limits, the most there can be; take one away first")]
    TooMany(AccountId),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(LimitError);

fn problem(field: Field, problem: impl Into<String>, remedy: impl Into<String>) -> Problem {
    Problem { field, problem: problem.into(), remedy: remedy.into() }
}

/// What somebody wrote, read: or all that is wrong with it.
///
/// # Errors
/// [`LimitError::Fields`] names every field that is wrong, with its remedy.
pub fn read(written: &Written) -> Result<(Rule, Reach), LimitError> {
    let mut problems = Vec::new();
    let reach = match written.reach.trim() {
        "" => Some(Reach::Together),
        word => Reach::parse(word),
    };
    if reach.is_none() {
        let words = Reach::ALL.map(Reach::as_str).join(", ");
        problems.push(problem(Field::Reach, "is no reach of a limit", format!("use one of {words}")));
    }
    let rule = match written.kind.trim() {
        "countries" => countries(&written.list, &mut problems).map(Rule::Countries),
        "senders" => senders(&written.list, &mut problems).map(Rule::Senders),
        word => match Measure::parse(word) {
            Some(measure) => most(measure, written, &mut problems),
            None => {
                let words = Measure::ALL.map(Measure::as_str).join(", ");
                let remedy = format!("use one of {words}, countries, senders");
                problems.push(problem(Field::Kind, "is no kind of limit", remedy));
                None
            }
        },
    };
    match (rule, reach) {
        (Some(rule), Some(reach)) if problems.is_empty() => Ok((rule, reach)),
        _ => Err(LimitError::Fields(problems)),
    }
}

fn most(measure: Measure, written: &Written, problems: &mut Vec<Problem>) -> Option<Rule> {
    let text = written.most.trim();
    let most = match measure.is_money() {
        true => text.parse::<Credits>().ok().map(|amount| amount.0).filter(|amount| *amount >= 0),
        false => text.parse::<i64>().ok().filter(|count| (0..=MESSAGES_MAX).contains(count)),
    };
    if most.is_none() {
        let (what, remedy) = match measure.is_money() {
            true => ("is no amount", "write an amount of 0 or more, such as 12.50".to_owned()),
            false => ("is no number of messages", format!("write a whole number from 0 to {MESSAGES_MAX}")),
        };
        let shown: String = text.chars().take(20).collect();
        problems.push(problem(Field::Most, format!("'{shown}' {what}"), remedy));
    }
    let country = match written.country.trim() {
        "" => None,
        word => match Country::parse(&word.to_ascii_uppercase()) {
            Some(country) => Some(country),
            None => {
                problems.push(no_country(Field::Country, word));
                None
            }
        },
    };
    let label = match written.label.trim() {
        "" => None,
        word => match Label::parse(word) {
            Ok(label) => Some(label),
            Err(error) => {
                let remedy = "write the label as messages carry it, or leave it empty for all";
                problems.push(problem(Field::Label, error.to_string(), remedy));
                None
            }
        },
    };
    Some(Rule::Most { measure, country, label, most: most? })
}

fn no_country(field: Field, word: &str) -> Problem {
    let word: String = word.chars().take(20).collect();
    problem(field, format!("'{word}' is not a country"), "write its two letters of ISO 3166, such as DE")
}

/// The words of a list, each once; nothing, and what is wrong, when there are none or too many.
fn listed(list: &[String], what: &str, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    for word in list.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        if !words.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            words.push(word.to_owned());
        }
    }
    if (1..=LISTED_MAX).contains(&words.len()) {
        return Some(words);
    }
    let found = if words.is_empty() { "is empty".to_owned() } else { format!("names {}", words.len()) };
    problems.push(problem(Field::List, found, format!("name 1 to {LISTED_MAX} {what}")));
    None
}

fn countries(list: &[String], problems: &mut Vec<Problem>) -> Option<Vec<Country>> {
    let words = listed(list, "countries", problems)?;
    let mut countries = Vec::with_capacity(words.len());
    for word in words {
        match Country::parse(&word.to_ascii_uppercase()) {
            Some(country) => countries.push(country),
            None => problems.push(no_country(Field::List, &word)),
        }
    }
    Some(countries)
}

fn senders(list: &[String], problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    let words = listed(list, "senders", problems)?;
    let mut senders = Vec::with_capacity(words.len());
    for word in words {
        match SenderId::parse(&word) {
            Ok(sender) => senders.push(sender.as_str().to_owned()),
            Err(error) => {
                let remedy = "write up to 11 letters and digits, or a number of up to 16 digits";
                problems.push(problem(Field::List, error.to_string(), remedy));
            }
        }
    }
    Some(senders)
}

/// Sets a limit on an account on behalf of `by`, the account itself or one above it. One that the same
/// people have set on the same thing is changed. It counts what is sent from now on.
///
/// # Errors
/// [`LimitError`]; nothing has changed then.
pub async fn set(
    base: &Base,
    account: AccountId,
    by: AccountId,
    written: &Written,
    actor: &Actor,
) -> Result<Limit, LimitError> {
    let (rule, reach) = read(written)?;
    let rule = &rule;
    let limit = again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = hold(&mut tx, account, by).await?;
        let limit = put(&mut tx, &found, by, rule, reach, actor, now).await?;
        tx.commit().await?;
        Ok::<Limit, LimitError>(limit)
    })
    .await?;
    base.refresh().await?;
    Ok(limit)
}

/// Sets a limit on an account that is held, or changes the one that the same people have set on the same
/// thing. What it was is in the audit log then, if it was different.
pub(crate) async fn put(
    tx: &mut storage::Tx,
    account: &Account,
    by: AccountId,
    rule: &Rule,
    reach: Reach,
    actor: &Actor,
    now: Moment,
) -> Result<Limit, LimitError> {
    let all = limits::of(tx, &[account.id]).await?;
    let known =
        all.iter().find(|limit| (limit.by, limit.reach) == (by, reach) && limit.rule.is_about_the_same(rule));
    let wanted = Limit { id: LimitId(0), account: account.id, by, reach, rule: rule.clone(), since: now };
    match known {
        Some(known) if known.rule == *rule => Ok(known.clone()),
        Some(known) => {
            let changes = Changes::new().field("limit", words(known), words(&wanted));
            audit::note(tx, account, actor, "limit.change", &subject(known), &changes, now).await?;
            limits::set_rule(tx, known.id, rule).await?;
            Ok(Limit { id: known.id, since: known.since, ..wanted })
        }
        None if all.len() >= LIMITS_MAX => Err(LimitError::TooMany(account.id)),
        None => {
            let changes = Changes::new().new_field("limit", words(&wanted));
            audit::note(tx, account, actor, "limit.set", &subject(&wanted), &changes, now).await?;
            let id = limits::insert(tx, &wanted).await?;
            Ok(Limit { id, ..wanted })
        }
    }
}

/// Takes a limit off an account on behalf of `by`, the account itself or one above it.
///
/// # Errors
/// [`LimitError`]; nothing has changed then.
pub async fn remove(
    base: &Base,
    account: AccountId,
    by: AccountId,
    limit: LimitId,
    actor: &Actor,
) -> Result<(), LimitError> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = hold(&mut tx, account, by).await?;
        let all = limits::of(&mut tx, &[account]).await?;
        let known = all.iter().find(|known| known.id == limit);
        let known = known.ok_or(LimitError::NotFound { account, limit })?;
        let place = |id: AccountId| found.path.iter().position(|at| *at == id);
        if place(by) > place(known.by) {
            return Err(LimitError::FromAbove { limit, by: known.by });
        }
        let changes = Changes::new().old_field("limit", words(known));
        audit::note(&mut tx, &found, actor, "limit.remove", &subject(known), &changes, now).await?;
        limits::delete(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(())
    })
    .await?;
    Ok(base.refresh().await?)
}

async fn hold(tx: &mut storage::Tx, account: AccountId, by: AccountId) -> Result<Account, LimitError> {
    let found = accounts::hold(tx, account).await?.ok_or(LimitError::NoAccount(account))?;
    if !found.path.contains(&by) {
        // For those who stand elsewhere the account does not exist.
        return Err(LimitError::NoAccount(account));
    }
    if found.state == AccountState::Closed {
        return Err(LimitError::Closed(account));
    }
    Ok(found)
}

/// What a limit is about, for the audit log.
fn subject(limit: &Limit) -> String {
    match &limit.rule {
        Rule::Most { measure, country, label, .. } => {
            let mut text = format!("limit {}", measure.as_str());
            if let Some(country) = country {
                text.push_str(&format!(" to {}", country.as_str()));
            }
            if let Some(label) = label {
                text.push_str(&format!(" label {}", label.as_str()));
            }
            text
        }
        rule => format!("limit {}", rule.as_str()),
    }
}

/// What a limit allows, for the audit log.
fn words(limit: &Limit) -> String {
    let what = match &limit.rule {
        Rule::Most { measure, most, .. } if measure.is_money() => Credits(*most).to_string(),
        Rule::Most { most, .. } => most.to_string(),
        Rule::Countries(all) => all.iter().map(Country::as_str).collect::<Vec<_>>().join(", "),
        Rule::Senders(all) => all.join(", "),
    };
    match limit.reach {
        Reach::Together => what,
        reach => format!("{what} ({})", reach.as_str().replace('_', " ")),
    }
}
