//! The overview: what an account has and how long that lasts, what it sent lately, and what somebody
//! should look at; for an account with others below it, the same for all of them and which stand out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::account::{Account, AccountState, effective};
use domain::credits::Credits;
use domain::id::{AccountId, KeyId};
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::product::Product;
use jiff::civil::Date;
use storage::analytics::{self, By, Filter, Whose};
pub use storage::overview::Together;
use storage::statistics::Counts;
use storage::subaccounts::Table;
use storage::{Conn, Result};

use crate::accept::home;
use crate::base::Base;
use crate::clock::{date_of, day_of, days_before, thirty_days};

/// Days that are shown.
const DAYS: i64 = 30;
/// Days of spending by which it is told how long the balance lasts.
const SPEND_DAYS: i64 = 14;
/// Fewer days left than this are told.
const RUNWAY_LOW: i64 = 7;
/// Keys that end within this time are told.
const KEYS_WITHIN: Duration = Duration::from_secs(14 * 86_400);
/// Automatic transfers that failed within this time are told.
const FAILED_WITHIN: Duration = Duration::from_secs(7 * 86_400);
/// Days whose delivery is compared with the four weeks before.
const WEEK: i64 = 7;
/// A drop of the share of messages that arrive by more than this, in millionths, is told.
const DROP: i64 = 50_000;
/// Of fewer messages with a known fate nothing is concluded.
const KNOWN_MIN: i64 = 100;

/// The overview of an account.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What its wallet holds.
    pub wallet: Credits,
    /// What free credit it has.
    pub promo: Credits,
    /// How far below zero its wallet may go.
    pub credit_line: Credits,
    /// What it may still take from the wallet of the account above, where it shares that.
    pub shared: Option<Credits>,
    /// What a segment to its home country costs, and about how many it can still send there.
    pub home: Option<Home>,
    /// The account's own messages.
    pub own: Traffic,
    /// The same for all accounts below it and itself, when there are any.
    pub tree: Option<Tree>,
    /// What somebody should look at, the most urgent first.
    pub attention: Vec<Attention>,
}

impl Overview {
    /// What it holds, free credit included.
    pub fn balance(&self) -> Credits {
        Credits(self.wallet.0.saturating_add(self.promo.0))
    }

    /// What it may spend on messages: with its credit line, and with what it may take from above.
    pub fn available(&self) -> Credits {
        spendable(self.wallet, self.promo, self.credit_line, self.shared)
    }
}

/// What sending to the home country costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// The country.
    pub country: Country,
    /// What a segment costs.
    pub unit: Credits,
    /// How many segments can be paid for; nothing when they cost nothing.
    pub segments: Option<i64>,
}

/// What was sent lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The last thirty days, today last; each is there.
    pub days: Vec<(Date, Counts)>,
    /// All of them together.
    pub recent: Counts,
    /// The thirty days before.
    pub before: Counts,
    /// What the last fourteen days cost.
    pub spent: Credits,
    /// For how many days the balance lasts if it goes on like that; nothing when nothing was spent.
    pub runway: Option<i64>,
    /// The share that arrived in the last seven days, and in the four weeks before, in millionths; nothing
    /// while too little is known.
    pub delivery: (Option<i64>, Option<i64>),
}

/// A tree at a glance.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What all of its accounts are and hold.
    pub together: Together,
    /// What all of them sent.
    pub traffic: Traffic,
    /// How many accounts below have less left than a week of what they use, as of a minute ago at most.
    pub low: i64,
    /// Accounts below that do not do as they did, the most striking first, as of a minute ago at most.
    pub outliers: Arc<Vec<Outlier>>,
}

/// What is striking below an account.
#[derive(Clone, Debug)]
pub(crate) struct Below {
    low: i64,
    outliers: Arc<Vec<Outlier>>,
}

/// An account that does not do as it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Which.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// What is striking.
    pub what: Striking,
    /// The last seven days.
    pub week: Counts,
    /// The twenty-three days before.
    pub before: Counts,
    /// How far from what was to be expected, in hundredths of a standard deviation.
    pub score: i64,
}

/// What is striking about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Striking {
    /// It sends much more than it did.
    More,
    /// It sends much less than it did.
    Less,
    /// It has sent nothing any more.
    Silent,
    /// Fewer of its messages arrive.
    Undelivered,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attention {
    /// The account, or one above it, does not send: its effective state and the account's own reason.
    NotActive(AccountState, Option<String>),
    /// Nothing can be sent any more.
    NoCredit,
    /// The balance lasts for so many days.
    Runway(i64),
    /// An automatic transfer failed.
    TransferFailed(Moment, String),
    /// Refunds wait until an account above can give its margin back.
    RefundsWaiting(i64),
    /// Fewer messages arrive than did: now and before, in millionths.
    DeliveryDropped(i64, i64),
    /// A key is about to end.
    KeyEnds(KeyId, String, Moment),
    /// Somebody above asks for access.
    AccessRequested(i64),
    /// Invitations wait for an answer.
    InvitationsOpen(i64),
    /// Accounts below have less left than a week of what they use.
    LowBelow(i64),
    /// Accounts below are suspended.
    SuspendedBelow(i64),
}

fn spendable(wallet: Credits, promo: Credits, credit_line: Credits, shared: Option<Credits>) -> Credits {
    let others = [promo, credit_line, shared.unwrap_or_default()];
    others.iter().fold(wallet, |sum, part| Credits(sum.0.saturating_add(part.0)))
}

/// The overview of an account; with `tree` also that of all below it.
pub async fn overview(base: &Base, account: &Account, tree: bool) -> Result<Overview> {
    let now = base.clock.now();
    let today = day_of(now, &base.rules.time_zone);
    let mut conn = base.db.read().await?;
    let (wallet, promo) = storage::ledger::balance(&mut conn, account.id).await?;
    let shared = crate::funding::room(base, account).await?;
    let available = spendable(wallet, promo, account.credit_line, shared);
    let own = traffic(&mut conn, Whose::One(account.id), today, available).await?;
    let mut attention = attention(base, &mut conn, account, available, &own, now).await?;
    let has_below = tree && storage::subaccounts::any(&mut conn, account.id).await?;
    let tree = if has_below { Some(of_tree(base, &mut conn, account, today, now).await?) } else { None };
    if let Some(tree) = &tree {
        attention.extend((tree.low > 0).then_some(Attention::LowBelow(tree.low)));
        let suspended = tree.together.suspended;
        attention.extend((suspended > 0).then_some(Attention::SuspendedBelow(suspended)));
    }
    drop(conn);
    let home = of_home(base, account, available, now).await?;
    Ok(Overview { wallet, promo, credit_line: account.credit_line, shared, home, own, tree, attention })
}

async fn of_home(base: &Base, account: &Account, available: Credits, now: Moment) -> Result<Option<Home>> {
    let country = home(base, account);
    let (path, prices) = (base.path(account).await?, base.prices().await?);
    let levels = Base::levels(&prices, &path, Product::Sms, Some(country), "", now);
    let unit = levels.and_then(|levels| levels.last().map(|(_, price)| price.amount));
    Ok(unit.map(|unit| Home {
        country,
        unit,
        segments: unit.is_positive().then(|| available.0.max(0) / unit.0),
    }))
}

async fn traffic(conn: &mut Conn, whose: Whose, today: i64, available: Credits) -> Result<Traffic> {
    let (first, earlier) = (days_before(today, DAYS - 1), days_before(today, 2 * DAYS - 1));
    let filter = Filter::of(whose, earlier, today);
    let mut by_day: HashMap<i64, Counts> = HashMap::new();
    for part in analytics::parted(conn, &[By::Day], &filter).await? {
        let day = part.of[0].parse().unwrap_or(0);
        by_day.entry(day).or_default().add(&part.counts);
    }
    let sum = |from: i64, to: i64| {
        let mut sum = Counts::default();
        let within = by_day.iter().filter(|(day, _)| (from..=to).contains(*day));
        within.for_each(|(_, counts)| sum.add(counts));
        sum
    };
    let days = (0..DAYS).rev().filter_map(|back| {
        let day = days_before(today, back);
        Some((date_of(day)?, by_day.get(&day).copied().unwrap_or_default()))
    });
    let rate =
        |counts: Counts| counts.delivery_rate().filter(|_| counts.delivered + counts.failed >= KNOWN_MIN);
    let week = sum(days_before(today, WEEK - 1), today);
    let weeks_before = sum(days_before(today, 5 * WEEK - 1), days_before(today, WEEK));
    let spent = sum(days_before(today, SPEND_DAYS - 1), today).spent();
    let runway = spent.is_positive().then(|| {
        i64::try_from(i128::from(available.0.max(0)) * i128::from(SPEND_DAYS) / i128::from(spent.0))
            .unwrap_or(i64::MAX)
    });
    Ok(Traffic {
        days: days.collect(),
        recent: sum(first, today),
        before: sum(earlier, days_before(today, DAYS)),
        spent,
        runway,
        delivery: (rate(week), rate(weeks_before)),
    })
}

async fn attention(
    base: &Base,
    conn: &mut Conn,
    account: &Account,
    available: Credits,
    own: &Traffic,
    now: Moment,
) -> Result<Vec<Attention>> {
    let mut attention = Vec::new();
    let state = effective(base.path(account).await?.iter().map(|account| account.state));
    if state != AccountState::Active {
        attention.push(Attention::NotActive(state, account.state_reason.clone()));
    }
    match own.runway {
        _ if !available.is_positive() => attention.push(Attention::NoCredit),
        Some(days) if days < RUNWAY_LOW => attention.push(Attention::Runway(days)),
        _ => {}
    }
    let (keys_before, failed_after) = (now.after(KEYS_WITHIN), now.before(FAILED_WITHIN));
    let open = storage::overview::open(conn, account.id, keys_before, failed_after, now).await?;
    let failed = open.failed_transfers.into_iter();
    attention.extend(failed.map(|notice| Attention::TransferFailed(notice.created_at, notice.text)));
    attention.extend((open.refunds > 0).then_some(Attention::RefundsWaiting(open.refunds)));
    if let (Some(now), Some(before)) = own.delivery
        && before - now > DROP
    {
        attention.push(Attention::DeliveryDropped(now, before));
    }
    attention.extend(open.keys.into_iter().map(|(id, label, at)| Attention::KeyEnds(id, label, at)));
    attention.extend((open.access_requests > 0).then_some(Attention::AccessRequested(open.access_requests)));
    attention.extend((open.invitations > 0).then_some(Attention::InvitationsOpen(open.invitations)));
    Ok(attention)
}

async fn of_tree(base: &Base, conn: &mut Conn, account: &Account, today: i64, now: Moment) -> Result<Tree> {
    let together = storage::overview::together(conn, account).await?;
    let held = Credits(together.wallets.0.saturating_add(together.promo.0));
    let traffic = traffic(conn, Whose::Tree(account.clone()), today, held).await?;
    let below = match base.below(account.id) {
        Some(below) => below,
        None => {
            let since = thirty_days(now, &base.rules.time_zone);
            let low = Table { all_below: true, low: true, ..Table::default() };
            let low = storage::subaccounts::count(conn, account, &low, since).await?;
            let below = Below { low, outliers: Arc::new(outliers(conn, account, today).await?) };
            base.note_below(account.id, below.clone());
            below
        }
    };
    Ok(Tree { together, traffic, low: below.low, outliers: below.outliers })
}

/// How many accounts that stand out are told.
const OUTLIERS_MAX: usize = 5;
/// How far, in standard deviations, something must be from what was to be expected.
const STRIKING: f64 = 4.0;

/// The accounts below one whose last seven days are not as the twenty-three before.
async fn outliers(conn: &mut Conn, node: &Account, today: i64) -> Result<Vec<Outlier>> {
    let recent = storage::overview::recent_below(conn, node).await?;
    let filter = Filter::of(Whose::Tree(node.clone()), days_before(today, WEEK - 1), today);
    let mut weeks: HashMap<i64, Counts> = HashMap::new();
    for part in analytics::parted(conn, &[By::Account], &filter).await? {
        weeks.entry(part.of[0].parse().unwrap_or(0)).or_default().add(&part.counts);
    }
    let mut found: Vec<Outlier> = recent
        .into_iter()
        .filter_map(|(account, counts)| {
            let week = weeks.get(&account.0).copied().unwrap_or_default();
            let mut before = counts;
            before.subtract(&week);
            let (what, score) = striking(&week, &before)?;
            Some(Outlier { account, name: String::new(), what, week, before, score: (score * 100.0) as i64 })
        })
        .collect();
    found.sort_by_key(|outlier| (std::cmp::Reverse(outlier.score), outlier.account));
    found.truncate(OUTLIERS_MAX);
    let ids: Vec<i64> = found.iter().map(|outlier| outlier.account.0).collect();
    let names = analytics::names(conn, &ids).await?;
    for outlier in &mut found {
        outlier.name = names.get(&outlier.account).cloned().unwrap_or_default();
    }
    Ok(found)
}

/// What is striking about seven days after twenty-three others, and by how many standard deviations.
fn striking(week: &Counts, before: &Counts) -> Option<(Striking, f64)> {
    let expected = before.accepted.max(0) as f64 * WEEK as f64 / (DAYS - WEEK) as f64;
    // Counts of things that come by themselves vary by the root of their number; what people send varies
    // by more, so a share of it is not striking yet.
    let off = (week.accepted as f64 - expected) / (expected.max(1.0) + (0.25 * expected).powi(2)).sqrt();
    let volume = match () {
        () if week.accepted == 0 && expected >= 10.0 => Some((Striking::Silent, off.abs() + STRIKING)),
        () if off >= STRIKING && week.accepted >= 20 => Some((Striking::More, off)),
        () if off <= -STRIKING => Some((Striking::Less, -off)),
        () => None,
    };
    let known = |counts: &Counts| (counts.delivered + counts.failed) as f64;
    let (now, then) = (known(week), known(before));
    let delivery = (now >= 20.0 && then >= 50.0)
        .then(|| {
            let share = (week.delivered + before.delivered) as f64 / (now + then);
            let spread = (share * (1.0 - share) * (1.0 / now + 1.0 / then)).sqrt();
            let drop = before.delivered as f64 / then - week.delivered as f64 / now;
            (Striking::Undelivered, if spread > 0.0 { drop / spread } else { 0.0 })
        })
        .filter(|(_, score)| *score >= STRIKING);
    [volume, delivery].into_iter().flatten().max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(accepted: i64, delivered: i64, failed: i64) -> Counts {
        Counts { accepted, delivered, failed, ..Counts::default() }
    }

    #[test]
    fn an_account_stands_out_when_it_does_not_do_as_it_did() {
        let what = |week, before| striking(&week, &before).map(|(what, _)| what);
        let usual = counts(2_300, 2_250, 50);
        assert_eq!(what(counts(700, 685, 15), usual), None);
        assert_eq!(what(counts(900, 880, 20), usual), None);
        assert_eq!(what(counts(3_000, 2_930, 70), usual), Some(Striking::More));
        assert_eq!(what(counts(0, 0, 0), usual), Some(Striking::Silent));
        assert_eq!(what(counts(700, 560, 140), usual), Some(Striking::Undelivered));
        assert_eq!(what(counts(5, 5, 0), counts(0, 0, 0)), None);
        assert_eq!(what(counts(0, 0, 0), counts(0, 0, 0)), None);
    }
}
