//! Sums of the statistics: by account, by tree and property, by month. [`crate::statistics::add`] writes
//! them with what they are sums of, so that they always agree; [`crate::check`] proves it.
//!
//! SQLite has one writer, so there one row holds what was accepted and what became of it; on PostgreSQL
//! they are two, as in the statistics themselves. What is told is always the sum over both.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::id::AccountId;

use crate::accounts::path_of;
use crate::db::{Bulk, Conn, Error, Kind, Question, Result, Row, Tx, Value};
use crate::statistics::{Counts, Tally};

/// The property a sum of a tree is of, as stored in `tree_statistics.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Property {
    All,
    Country,
    Label,
    Sender,
    Account,
}

impl Property {
    pub const ALL: [Property; 5] =
        [Property::All, Property::Country, Property::Label, Property::Sender, Property::Account];

    pub fn code(self) -> i64 {
        self as i64
    }

    /// Whether it is also summed up by month: those of which a tree may have as many as accounts are.
    pub fn has_months(self) -> bool {
        matches!(self, Property::Label | Property::Sender | Property::Account)
    }
}

/// Accounts remembered at the most.
const REMEMBERED_MAX: usize = 50_000;

/// The accounts above each account, as far as a writer has met them. A path never changes.
#[derive(Debug, Default)]
pub struct Paths {
    known: HashMap<AccountId, Arc<Place>>,
}

/// Where an account stands.
#[derive(Debug)]
struct Place {
    /// Its number as text.
    name: String,
    root: AccountId,
    /// Those above it.
    above: Vec<AccountId>,
}

static PATHS: Bulk = Bulk::select(
    &[("id", Kind::Int)],
    "select id, path from accounts where id = $1",
    "select a.id, a.path from {rows} join accounts a on a.id = input.id",
);

impl Paths {
    /// Reads the paths of those of these accounts that are not known yet.
    async fn learn(&mut self, tx: &mut Tx, accounts: impl Iterator<Item = AccountId>) -> Result<()> {
        let mut unknown: Vec<i64> =
            accounts.filter(|id| !self.known.contains_key(id)).map(|id| id.0).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        unknown.dedup();
        if self.known.len() + unknown.len() > REMEMBERED_MAX {
            self.known.clear();
        }
        let cells = unknown.iter().map(|id| Value::from(*id)).collect();
        let paths = |rows: Vec<Row>| {
            let path = |mut row: Row| Ok((AccountId(row.int(0)?), path_of(&row.take_text(1))?));
            rows.into_iter().map(path).collect::<Result<Vec<_>>>()
        };
        for (id, mut above) in tx.ask(Question::new(&PATHS, cells, paths)).await? {
            above.retain(|other| *other != id);
            let root = above.first().copied().unwrap_or(id);
            self.known.insert(id, Arc::new(Place { name: id.to_string(), root, above }));
        }
        Ok(())
    }

    fn of(&self, id: AccountId) -> Result<&Place> {
        let place = self.known.get(&id).map(AsRef::as_ref);
        place.ok_or_else(|| Error::Fault(format!("account {id} is counted and is not there")))
    }
}

static USAGE: Bulk = Bulk::insert(
    "account_usage",
    &[
        ("account_id", Kind::Int),
        ("outcome", Kind::Int),
        ("root_id", Kind::Int),
        ("since_day", Kind::Int),
        ("last_day", Kind::Int),
        ("last_at", Kind::Int),
        ("accepted", Kind::Int),
        ("segments", Kind::Int),
        ("delivered", Kind::Int),
        ("failed", Kind::Int),
        ("cost", Kind::Int),
        ("refunds", Kind::Int),
        ("accepted_before", Kind::Int),
        ("segments_before", Kind::Int),
        ("delivered_before", Kind::Int),
        ("failed_before", Kind::Int),
        ("cost_before", Kind::Int),
        ("refunds_before", Kind::Int),
    ],
    // What is counted for a date before since_day lies before it.
    "on conflict (account_id, outcome) do update set
        accepted = account_usage.accepted + excluded.accepted,
        segments = account_usage.segments + excluded.segments,
        delivered = account_usage.delivered + excluded.delivered,
        failed = account_usage.failed + excluded.failed,
        cost = account_usage.cost + excluded.cost,
        refunds = account_usage.refunds + excluded.refunds,
        accepted_before = account_usage.accepted_before
            + case when excluded.last_day < account_usage.since_day then excluded.accepted else 0 end,
        segments_before = account_usage.segments_before
            + case when excluded.last_day < account_usage.since_day then excluded.segments else 0 end,
        delivered_before = account_usage.delivered_before
            + case when excluded.last_day < account_usage.since_day then excluded.delivered else 0 end,
        failed_before = account_usage.failed_before
            + case when excluded.last_day < account_usage.since_day then excluded.failed else 0 end,
        cost_before = account_usage.cost_before
            + case when excluded.last_day < account_usage.since_day then excluded.cost else 0 end,
        refunds_before = account_usage.refunds_before
            + case when excluded.last_day < account_usage.since_day then excluded.refunds else 0 end,
        last_day = case when excluded.last_day > account_usage.last_day then excluded.last_day
            else account_usage.last_day end,
        last_at = case when excluded.last_at > account_usage.last_at then excluded.last_at
            else account_usage.last_at end",
);

static TREE: Bulk = Bulk::insert(
    "tree_statistics",
    &[
        ("node_id", Kind::Int),
        ("kind", Kind::Int),
        ("period", Kind::Int),
        ("value", Kind::Text),
        ("product", Kind::Int),
        ("outcome", Kind::Int),
        ("accepted", Kind::Int),
        ("segments", Kind::Int),
        ("delivered", Kind::Int),
        ("failed", Kind::Int),
        ("cost", Kind::Int),
        ("refunds", Kind::Int),
    ],
    "on conflict (node_id, kind, period, value, product, outcome) do update set
        accepted = tree_statistics.accepted + excluded.accepted,
        segments = tree_statistics.segments + excluded.segments,
        delivered = tree_statistics.delivered + excluded.delivered,
        failed = tree_statistics.failed + excluded.failed,
        cost = tree_statistics.cost + excluded.cost,
        refunds = tree_statistics.refunds + excluded.refunds",
);

static MONTHS: Bulk = Bulk::insert(
    "month_statistics",
    &[
        ("root_id", Kind::Int),
        ("month", Kind::Int),
        ("account_id", Kind::Int),
        ("country", Kind::Text),
        ("label", Kind::Text),
        ("sender", Kind::Text),
        ("product", Kind::Int),
        ("outcome", Kind::Int),
        ("accepted", Kind::Int),
        ("segments", Kind::Int),
        ("delivered", Kind::Int),
        ("failed", Kind::Int),
        ("cost", Kind::Int),
        ("refunds", Kind::Int),
    ],
    "on conflict (root_id, month, account_id, country, label, sender, product, outcome) do update set
        accepted = month_statistics.accepted + excluded.accepted,
        segments = month_statistics.segments + excluded.segments,
        delivered = month_statistics.delivered + excluded.delivered,
        failed = month_statistics.failed + excluded.failed,
        cost = month_statistics.cost + excluded.cost,
        refunds = month_statistics.refunds + excluded.refunds",
);

type OfTree<'a> = (i64, i64, i64, &'a str, i64, i64);
type OfMonth<'a> = (i64, i64, i64, &'a str, &'a str, &'a str, i64, i64);

/// What one account counts, as it is added up before it is written.
type UsageOf = BTreeMap<(i64, i64), (i64, Counts)>;

/// Adds what the statistics have got to their sums, each table's rows in the order of their keys.
/// `since` is the first of the thirty days that end today.
pub(crate) async fn add(tx: &mut Tx, tally: &Tally, paths: &mut Paths, since: i64) -> Result<()> {
    paths.learn(tx, tally.keys().map(|line| line.account)).await?;
    let together = tx.is_sqlite();
    let mut usage: BTreeMap<i64, UsageOf> = BTreeMap::new();
    let mut tree: BTreeMap<OfTree<'_>, Counts> = BTreeMap::new();
    let mut months: BTreeMap<OfMonth<'_>, Counts> = BTreeMap::new();
    for (line, counts) in tally {
        let place = paths.of(line.account)?;
        let (day, month, product) = (line.day, line.day / 100, line.product.code());
        for (outcome, counts) in counts.rows(together) {
            let of_account = usage.entry(day).or_default().entry((line.account.0, outcome));
            of_account.or_insert((place.root.0, Counts::default())).1.add(&counts);
            let key = (
                place.root.0,
                month,
                line.account.0,
                line.country.as_str(),
                line.label.as_str(),
                line.sender.as_str(),
                product,
                outcome,
            );
            months.entry(key).or_default().add(&counts);
            for node in &place.above {
                for property in Property::ALL {
                    let value = match property {
                        Property::All => "",
                        Property::Country => &line.country,
                        Property::Label => &line.label,
                        Property::Sender => &line.sender,
                        Property::Account => &place.name,
                    };
                    let mut to = |period| {
                        let key = (node.0, property.code(), period, value, product, outcome);
                        tree.entry(key).or_default().add(&counts);
                    };
                    to(day);
                    if property.has_months() {
                        to(month);
                    }
                }
            }
        }
    }
    for (day, accounts) in &usage {
        let mut cells: Vec<Value<'_>> = Vec::with_capacity(accounts.len() * 18);
        for ((account, outcome), (root, counts)) in accounts {
            let before = if *day < since { *counts } else { Counts::default() };
            let last_at = counts.last_at.0;
            cells.extend([*account, *outcome, *root, since, *day, last_at].map(Value::Int));
            cells.extend(counts.numbers().map(Value::Int));
            cells.extend(before.numbers().map(Value::Int));
        }
        tx.bulk(&USAGE, &cells).await?;
    }
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(months.len() * 14);
    for ((root, month, account, country, label, sender, product, outcome), counts) in &months {
        cells.extend([*root, *month, *account].map(Value::Int));
        cells.extend([Value::Text(country), Value::Text(label), Value::Text(sender)]);
        cells.extend([(*product).into(), Value::Int(*outcome)]);
        cells.extend(counts.numbers().map(Value::Int));
    }
    tx.bulk(&MONTHS, &cells).await?;
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(tree.len() * 12);
    for ((node, kind, period, value, product, outcome), counts) in &tree {
        cells.extend([(*node).into(), (*kind).into(), (*period).into(), Value::Text(value)]);
        cells.extend([(*product).into(), Value::Int(*outcome)]);
        cells.extend(counts.numbers().map(Value::Int));
    }
    tx.bulk(&TREE, &cells).await
}

static ROLLED: Bulk = Bulk::written(
    "account_usage",
    &[
        ("account_id", Kind::Int),
        ("outcome", Kind::Int),
        ("since_day", Kind::Int),
        ("accepted", Kind::Int),
        ("segments", Kind::Int),
        ("delivered", Kind::Int),
        ("failed", Kind::Int),
        ("cost", Kind::Int),
        ("refunds", Kind::Int),
    ],
    "update account_usage set since_day = $3, accepted_before = accepted_before + $4,
        segments_before = segments_before + $5, delivered_before = delivered_before + $6,
        failed_before = failed_before + $7, cost_before = cost_before + $8, refunds_before = refunds_before + $9
        where account_id = $1 and outcome = $2",
    "update account_usage as u set since_day = input.since_day,
        accepted_before = u.accepted_before + input.accepted,
        segments_before = u.segments_before + input.segments,
        delivered_before = u.delivered_before + input.delivered,
        failed_before = u.failed_before + input.failed,
        cost_before = u.cost_before + input.cost,
        refunds_before = u.refunds_before + input.refunds
        from {rows} where u.account_id = input.account_id and u.outcome = input.outcome",
);

/// Moves the beginning of the last thirty days to `since` for at most `limit` accounts whose is
/// another, and tells for how many. To be called every minute until it says less than `limit`; what is
/// read in between is right all the same.
pub async fn roll(tx: &mut Tx, since: i64, limit: i64) -> Result<usize> {
    // Held, so that nobody counts by the old beginning meanwhile.
    let sql = "select account_id, outcome, since_day from account_usage where since_day < $1
        order by since_day, account_id, outcome limit $2 {lock}";
    let mut rows = tx.query(sql, &[since.into(), limit.into()]).await?;
    if rows.is_empty() {
        // The clock was ahead.
        let sql = "select account_id, outcome, since_day from account_usage where since_day > $1
            order by since_day, account_id, outcome limit $2 {lock}";
        rows = tx.query(sql, &[since.into(), limit.into()]).await?;
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let of_outcome = if tx.is_sqlite() { "" } else { "and outcome = $4" };
    let sql = format!(
        "select cast(coalesce(sum(accepted), 0) as bigint), cast(coalesce(sum(segments), 0) as bigint),
            cast(coalesce(sum(delivered), 0) as bigint), cast(coalesce(sum(failed), 0) as bigint),
            cast(coalesce(sum(cost), 0) as bigint), cast(coalesce(sum(refunds), 0) as bigint)
        from statistics where account_id = $1 and day >= $2 and day < $3 {of_outcome}"
    );
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(rows.len() * 9);
    for row in &rows {
        let (account, outcome, was) = (row.int(0)?, row.int(1)?, row.int(2)?);
        let mut params: Vec<Value<'_>> = vec![account.into(), was.min(since).into(), was.max(since).into()];
        if !tx.is_sqlite() {
            params.push(outcome.into());
        }
        let sums = tx.one(&sql, &params).await?;
        cells.extend([account, outcome, since].map(Value::Int));
        for column in 0..6 {
            let sum = sums.as_ref().map_or(Ok(0), |row| row.int(column))?;
            cells.push(Value::Int(if was < since { sum } else { -sum }));
        }
    }
    tx.bulk(&ROLLED, &cells).await?;
    Ok(rows.len())
}

/// Whether the beginning of the last thirty days of some account of a tree is not `since`.
pub(crate) async fn is_behind(conn: &mut Conn, root: AccountId, since: i64) -> Result<bool> {
    for sql in [
        "select 1 from account_usage where root_id = $1 and since_day < $2 limit 1",
        "select 1 from account_usage where root_id = $1 and since_day > $2 limit 1",
    ] {
        if conn.one(sql, &[root.0.into(), since.into()]).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes all sums anew from the statistics.
pub async fn rebuild(tx: &mut Tx) -> Result<()> {
    for table in ["account_usage", "tree_statistics", "month_statistics"] {
        tx.execute(&format!("delete from {table}"), &[]).await?;
    }
    crate::db::script(tx, crate::migrations::FILL_ROLLUPS).await
}
