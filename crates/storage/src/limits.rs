//! Limits of accounts, and what has been used of them. What is used is written with the messages that
//! use it, in the intake's transaction, behind a lock on the row.

use std::collections::HashMap;

use domain::id::{AccountId, LimitId};
use domain::label::Label;
use domain::limit::{Limit, Measure, Reach, Rule};
use domain::moment::Moment;
use domain::phone_number::Country;

use crate::counters;
use crate::db::{Bulk, Conn, Error, Kind, Question, Result, Row, Tx, Value};

const COLUMNS: &str = "id, account_id, by_id, reach, kind, country, label, most, list, created_at";
/// The kind of [`Rule::Countries`]; those of [`Rule::Most`] are the codes of their measures.
const COUNTRIES: i64 = 10;
/// The kind of [`Rule::Senders`].
const SENDERS: i64 = 11;

/// A rule as columns: kind, country, label, most, list.
fn columns(rule: &Rule) -> (i64, &str, &str, i64, String) {
    match rule {
        Rule::Most { measure, country, label, most } => {
            let country = country.as_ref().map_or("", Country::as_str);
            (measure.code(), country, label.as_ref().map_or("", Label::as_str), *most, String::new())
        }
        Rule::Countries(countries) => {
            let list: Vec<&str> = countries.iter().map(Country::as_str).collect();
            (COUNTRIES, "", "", 0, list.join("\n"))
        }
        Rule::Senders(senders) => (SENDERS, "", "", 0, senders.join("\n")),
    }
}

/// Stores a new limit and gives its number.
///
/// # Errors
/// [`Error::Duplicate`] when the same people have set one on the same thing with the same reach.
pub async fn insert(tx: &mut Tx, limit: &Limit) -> Result<LimitId> {
    let id = counters::draw(tx, "id", 1).await?;
    let (kind, country, label, most, list) = columns(&limit.rule);
    tx.execute(
        "insert into limits (id, account_id, by_id, reach, kind, country, label, most, list, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            id.into(),
            limit.account.0.into(),
            limit.by.0.into(),
            limit.reach.code().into(),
            kind.into(),
            country.into(),
            label.into(),
            most.into(),
            Value::from(&list),
            limit.since.0.into(),
        ],
    )
    .await?;
    counters::changed(tx).await?;
    Ok(LimitId(id))
}

/// Changes what a limit says: how much, which countries, which senders. What it is about stays.
pub async fn set_rule(tx: &mut Tx, id: LimitId, rule: &Rule) -> Result<()> {
    let (_, _, _, most, list) = columns(rule);
    tx.execute(
        "update limits set most = $2, list = $3 where id = $1",
        &[id.0.into(), most.into(), Value::from(&list)],
    )
    .await?;
    // Whoever is told at half of it is told again at half of what it is now.
    tx.execute("update limit_usage set warned = 0 where limit_id = $1", &[id.0.into()]).await?;
    counters::changed(tx).await
}

/// Takes a limit away.
pub async fn delete(tx: &mut Tx, id: LimitId) -> Result<()> {
    tx.execute("delete from limit_usage where limit_id = $1", &[id.0.into()]).await?;
    tx.execute("delete from limits where id = $1", &[id.0.into()]).await?;
    counters::changed(tx).await
}

/// The limits that lie on these accounts.
pub async fn of(conn: &mut Conn, accounts: &[AccountId]) -> Result<Vec<Limit>> {
    let ids: Vec<i64> = accounts.iter().map(|id| id.0).collect();
    let sql = format!(
        "select {COLUMNS} from limits where account_id in list($1)
        order by account_id, kind, country, label, reach, id"
    );
    conn.query(&sql, &[ids.as_slice().into()]).await?.into_iter().map(limit).collect()
}

fn limit(mut row: Row) -> Result<Limit> {
    let reach = row.int(3)?;
    let (kind, country, label, most) = (row.int(4)?, row.take_text(5), row.take_text(6), row.int(7)?);
    let list = row.take_text(8);
    let parse = |word: &str| Country::parse(word).ok_or_else(|| Error::unreadable("limits.country", word));
    let rule = match kind {
        COUNTRIES => Rule::Countries(list.lines().map(parse).collect::<Result<_>>()?),
        SENDERS => Rule::Senders(list.lines().map(str::to_owned).collect()),
        _ => Rule::Most {
            measure: Measure::from_code(kind).ok_or_else(|| Error::unreadable("limits.kind", kind))?,
            country: if country.is_empty() { None } else { Some(parse(&country)?) },
            label: match label.as_str() {
                "" => None,
                word => Some(Label::parse(word).map_err(|_| Error::unreadable("limits.label", word))?),
            },
            most,
        },
    };
    Ok(Limit {
        id: LimitId(row.int(0)?),
        account: AccountId(row.int(1)?),
        by: AccountId(row.int(2)?),
        reach: Reach::from_code(reach).ok_or_else(|| Error::unreadable("limits.reach", reach))?,
        rule,
        since: Moment(row.int(9)?),
    })
}

/// Whose use of which limit.
pub type Use = (LimitId, AccountId);

/// What has been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// In which period: see [`domain::limit::period`].
    pub period: i64,
    /// How much.
    pub used: i64,
    /// The share in percent that was told of.
    pub warned: i64,
}

impl Used {
    /// What has been used in this period: nothing when it was last used in another.
    pub fn in_period(self, period: i64) -> Used {
        if self.period == period { self } else { Used { period, ..Used::default() } }
    }
}

static USED: Bulk = Bulk::select(
    &[("limit_id", Kind::Int), ("account_id", Kind::Int)],
    "select limit_id, account_id, period, used, warned from limit_usage where limit_id = $1 and account_id = $2",
    "select u.limit_id, u.account_id, u.period, u.used, u.warned from limit_usage u
        join {rows} on u.limit_id = input.limit_id and u.account_id = input.account_id
        order by u.limit_id, u.account_id for update of u",
);
static OPEN: Bulk = Bulk::insert(
    "limit_usage",
    &[
        ("limit_id", Kind::Int),
        ("account_id", Kind::Int),
        ("period", Kind::Int),
        ("used", Kind::Int),
        ("warned", Kind::Int),
    ],
    "on conflict (limit_id, account_id) do nothing",
);
static GIVE_BACK: Bulk = Bulk::written(
    "limit_usage",
    &[("limit_id", Kind::Int), ("account_id", Kind::Int), ("period", Kind::Int), ("used", Kind::Int)],
    "update limit_usage set used = max(used - $4, 0) where limit_id = $1 and account_id = $2 and period = $3",
    "update limit_usage u set used = greatest(u.used - input.used, 0) from {rows}
        where u.limit_id = input.limit_id and u.account_id = input.account_id and u.period = input.period",
);
static SET: Bulk = Bulk::update(
    "limit_usage",
    &[("limit_id", Kind::Int), ("account_id", Kind::Int)],
    &[("period", Kind::Int), ("used", Kind::Int), ("warned", Kind::Int)],
);

/// Locks what has been used, in the order of the limits; those never used are left out.
pub fn locked<'a>(uses: impl IntoIterator<Item = Use>) -> Question<'a, HashMap<Use, Used>> {
    let cells = uses.into_iter().flat_map(|(limit, account)| [limit.0.into(), account.0.into()]);
    Question::new(&USED, cells.collect(), |rows| rows.iter().map(used).collect())
}

fn used(row: &Row) -> Result<(Use, Used)> {
    let used = Used { period: row.int(2)?, used: row.int(3)?, warned: row.int(4)? };
    Ok(((LimitId(row.int(0)?), AccountId(row.int(1)?)), used))
}

/// Makes rows for what was never used before, so that they can be locked.
pub async fn open(tx: &mut Tx, uses: impl IntoIterator<Item = Use>) -> Result<()> {
    let row = |(limit, account): Use| [limit.0.into(), account.0.into(), 0.into(), 0.into(), 0.into()];
    let cells: Vec<Value<'_>> = uses.into_iter().flat_map(row).collect();
    tx.bulk(&OPEN, &cells).await
}

/// Writes what has been used; the rows are locked by this transaction.
pub async fn set(tx: &mut Tx, all: impl IntoIterator<Item = (Use, Used)>) -> Result<()> {
    let row = |((limit, account), used): (Use, Used)| {
        [limit.0, account.0, used.period, used.used, used.warned].map(Value::Int)
    };
    let cells: Vec<Value<'_>> = all.into_iter().flat_map(row).collect();
    tx.bulk(&SET, &cells).await
}

/// Takes off what was used, where the period still runs: what never left does not count. The uses are in
/// their order, each once.
pub async fn give_back(tx: &mut Tx, all: impl IntoIterator<Item = (Use, i64, i64)>) -> Result<()> {
    let row = |((limit, account), period, used): (Use, i64, i64)| {
        [limit.0, account.0, period, used].map(Value::Int)
    };
    let cells: Vec<Value<'_>> = all.into_iter().flat_map(row).collect();
    tx.bulk(&GIVE_BACK, &cells).await
}

/// What these accounts have used of these limits, for people to see.
pub async fn usage(
    conn: &mut Conn,
    limits: &[LimitId],
    accounts: &[AccountId],
) -> Result<HashMap<Use, Used>> {
    let ids: Vec<i64> = limits.iter().map(|id| id.0).collect();
    let accounts: Vec<i64> = accounts.iter().map(|id| id.0).collect();
    let sql = "select limit_id, account_id, period, used, warned from limit_usage
        where limit_id in list($1) and account_id in list($2)";
    let params = [ids.as_slice().into(), accounts.as_slice().into()];
    conn.query(sql, &params).await?.iter().map(used).collect()
}
