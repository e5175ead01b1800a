//! What a file of prices would do: to the list, row by row, and to the accounts that pay by it.

use std::collections::HashMap;

use domain::account::Account;
use domain::credits::Credits;
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::{BelowCost, Destination, PriceList, PriceRow};
use domain::product::Product;
use storage::analytics::{self, By, Whose};
use storage::prices::{Effect, List, NewRow, Step};
use storage::{Conn, Result, statistics};

use super::Pair;
use super::costs::Costs;
use super::lists::users;
use crate::base::Base;
use crate::clock::{day_of, thirty_days};

/// Up to how many accounts below one that have prices of their own are taken off what is sent below it.
const APART_MAX: usize = 50;

/// What becomes of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The destination had none of its own.
    Added,
    /// It rises.
    Dearer,
    /// It falls.
    Cheaper,
    /// It ends, and that of the country or of the rest of the world counts.
    Ended,
    /// It stays.
    Same,
}

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sold {
    /// The line.
    pub line: u64,
    /// What for.
    pub destination: Destination,
    /// From when on; nothing is at once.
    pub from: Option<Moment>,
    /// What the destination itself would cost then without the file.
    pub before: Option<Credits>,
    /// What it costs with it.
    pub after: Option<Credits>,
    /// What that comes to.
    pub kind: Kind,
}

/// What a file does to an account that pays by the list.
#[derive(Clone, Debug)]
pub struct ForAccount {
    /// Which.
    pub account: Account,
    /// Segments it sent in the last 30 days to where there is a price, with those of the accounts below
    /// that pay by the same list.
    pub segments: i64,
    /// What they would cost once the whole file counts, but by the list as it is.
    pub before: Credits,
    /// What they would cost with the file.
    pub after: Credits,
    /// Whether what is sent below it is left out, because too many there have prices of their own.
    pub is_alone: bool,
}

/// What a file would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Says that this was seen; [`super::apply`] wants it.
    pub token: String,
    /// To which list.
    pub list: List,
    /// Line by line.
    pub rows: Vec<Sold>,
    /// To whom, as far as they are told: the first hundred by their numbers.
    pub accounts: Vec<ForAccount>,
    /// Who would sell below what the account above pays, and where first.
    pub losses: Vec<(Account, BelowCost)>,
}

impl Preview {
    /// How many lines come to this.
    pub fn count(&self, kind: Kind) -> usize {
        self.rows.iter().filter(|row| row.kind == kind).count()
    }
}

/// What rows that come to these steps would do to a list with the rows `known`.
#[expect(clippy::too_many_arguments, reason = "one question with all that was read for it")]
pub(super) async fn of(
    base: &Base,
    conn: &mut Conn,
    token: String,
    list: List,
    known: Vec<(PriceRow, String)>,
    rows: &[(u64, NewRow)],
    steps: &[Step],
    now: Moment,
) -> Result<Preview> {
    let before = PriceList::of(known.iter().map(|(row, _)| row.clone()));
    let after = PriceList::of(with(known, rows, steps));
    let mut costs = Costs::read(conn).await?;
    costs.lists.insert(list.id, after.clone());
    // When all of the file counts.
    let at = steps.iter().map(|step| step.from).max().unwrap_or(now).max(now);
    let days = (thirty_days(now, &base.rules.time_zone), day_of(now, &base.rules.time_zone));
    let mut accounts = Vec::new();
    for account in users(conn, &list).await? {
        let (sent, is_alone) = sent(conn, &account, &costs, days).await?;
        let mut sum = (0_i64, Credits::ZERO, Credits::ZERO);
        for ((product, country, network), segments) in sent {
            let count = u64::try_from(segments).unwrap_or(0);
            let price = |list: &PriceList| list.price(product, country, &network, at)?.amount.times(count);
            if let (Some(old), Some(new)) = (price(&before), price(&after)) {
                let add = |sum: Credits, more| sum.checked_add(more).unwrap_or(sum);
                sum = (sum.0.saturating_add(segments), add(sum.1, old), add(sum.2, new));
            }
        }
        accounts.push(ForAccount { account, segments: sum.0, before: sum.1, after: sum.2, is_alone });
    }
    let concerns = |pair: &Pair<'_>| pair.own == list.id || pair.above == list.id;
    let losses = costs.losses(now, concerns).into_iter().map(|(account, below)| (account.clone(), below));
    let losses = losses.collect();
    let sold = |((line, row), step): (&(u64, NewRow), &Step)| Sold {
        line: *line,
        destination: row.destination.clone(),
        from: row.effective_from,
        before: step.before,
        after: row.price,
        kind: kind(step, row.price),
    };
    Ok(Preview { token, list, rows: rows.iter().zip(steps).map(sold).collect(), accounts, losses })
}

fn kind(step: &Step, after: Option<Credits>) -> Kind {
    match (step.effect, step.before, after) {
        (Effect::Nothing, ..) => Kind::Same,
        (_, None, Some(_)) => Kind::Added,
        (_, _, None) => Kind::Ended,
        (_, Some(before), Some(after)) if after > before => Kind::Dearer,
        (_, Some(before), Some(after)) if after < before => Kind::Cheaper,
        _ => Kind::Same,
    }
}

/// The rows of a list as they would be.
fn with(known: Vec<(PriceRow, String)>, rows: &[(u64, NewRow)], steps: &[Step]) -> Vec<PriceRow> {
    let mut all: Vec<PriceRow> = known.into_iter().map(|(row, _)| row).collect();
    for ((_, row), step) in rows.iter().zip(steps) {
        let id = match step.effect {
            Effect::Add => domain::id::PriceRowId(i64::MAX),
            Effect::Replace(id) => id,
            Effect::Nothing | Effect::Fixed(_) => continue,
        };
        all.retain(|old| old.id != id || step.effect == Effect::Add);
        all.push(PriceRow {
            id,
            destination: row.destination.clone(),
            price: row.price,
            effective_from: step.from,
        });
    }
    all
}

type Sent = HashMap<(Product, Option<Country>, String), i64>;

/// Segments of an account, by network, and of those below it that pay by the same list, by country; and
/// whether the latter are left out.
async fn sent(
    conn: &mut Conn,
    account: &Account,
    costs: &Costs,
    (first, last): (i64, i64),
) -> Result<(Sent, bool)> {
    let mut all = Sent::new();
    for (product, country, network, segments) in statistics::networks(conn, account.id, first, last).await? {
        *all.entry((product, Country::parse(&country), network)).or_default() += segments;
    }
    let others: Vec<&Account> = costs.with_own.iter().map(|(other, _)| other).collect();
    let others: Vec<&Account> = others.into_iter().filter(|other| account.is_above(other)).collect();
    // Those below one of them are in its tree.
    let is_first = |one: &&&Account| !others.iter().any(|other| other.is_above(one));
    if others.len() > APART_MAX {
        return Ok((all, true));
    }
    let mut below = Sent::new();
    let mut add = async |conn: &mut Conn, whose: Whose, sign: i64| {
        let filter = analytics::Filter::of(whose, first, last);
        for part in analytics::parted(conn, &[By::Country], &filter).await? {
            let key = (part.product, Country::parse(&part.of[0]), String::new());
            *below.entry(key).or_default() += sign * part.counts.segments;
        }
        Result::<()>::Ok(())
    };
    add(conn, Whose::Tree(account.clone()), 1).await?;
    add(conn, Whose::One(account.id), -1).await?;
    for other in others.iter().filter(is_first) {
        add(conn, Whose::Tree((*other).clone()), -1).await?;
    }
    for (key, segments) in below.into_iter().filter(|(_, segments)| *segments > 0) {
        *all.entry(key).or_default() += segments;
    }
    Ok((all, false))
}
