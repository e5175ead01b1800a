//! The request log: calls that an account's programs have made, for its developers. Kept for some days
//! and up to some number an account.

use domain::id::{AccountId, KeyId};
use domain::moment::Moment;

use crate::counters;
use crate::db::{Bulk, Conn, Kind, Result, Row, Tx, Value};

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number, drawn when it is stored; later calls have greater ones.
    pub id: i64,
    /// The account that it was made in.
    pub account: AccountId,
    /// The key it was made with.
    pub key: Option<KeyId>,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// The status of the answer.
    pub status: i64,
    /// The code of the wire.
    pub code: String,
    /// How long it took.
    pub milliseconds: i64,
    /// Its query and body, cut and without secrets.
    pub request: String,
    /// The body of the answer, cut and without secrets.
    pub answer: String,
    /// What was wrong; empty when nothing was.
    pub error: String,
    /// The network address it came from.
    pub address: String,
    /// When it was answered.
    pub at: Moment,
}

static INSERT: Bulk = Bulk::insert(
    "calls",
    &[
        ("id", Kind::Int),
        ("account_id", Kind::Int),
        ("key_id", Kind::Int),
        ("method", Kind::Text),
        ("path", Kind::Text),
        ("status", Kind::Int),
        ("code", Kind::Text),
        ("milliseconds", Kind::Int),
        ("request", Kind::Text),
        ("answer", Kind::Text),
        ("error", Kind::Text),
        ("address", Kind::Text),
        ("created_at", Kind::Int),
    ],
    "",
);

/// Stores calls, in the order they were answered. Their numbers are drawn here.
pub async fn insert(tx: &mut Tx, calls: &[Call]) -> Result<()> {
    if calls.is_empty() {
        return Ok(());
    }
    let first = counters::draw(tx, "id", calls.len() as i64).await?;
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(calls.len() * 13);
    for (id, call) in (first..).zip(calls) {
        cells.extend([
            id.into(),
            call.account.0.into(),
            call.key.map(|key| key.0).into(),
            Value::from(&call.method),
            Value::from(&call.path),
            call.status.into(),
            Value::from(&call.code),
            call.milliseconds.into(),
            Value::from(&call.request),
            Value::from(&call.answer),
            Value::from(&call.error),
            Value::from(&call.address),
            call.at.0.into(),
        ]);
    }
    tx.bulk(&INSERT, &cells).await
}

const COLUMNS: &str =
    "id, account_id, key_id, method, path, status, code, milliseconds, request, answer, error,
    address, created_at";

fn call(mut row: Row) -> Result<Call> {
    Ok(Call {
        id: row.int(0)?,
        account: AccountId(row.int(1)?),
        key: row.opt_int(2)?.map(KeyId),
        method: row.take_text(3),
        path: row.take_text(4),
        status: row.int(5)?,
        code: row.take_text(6),
        milliseconds: row.int(7)?,
        request: row.take_text(8),
        answer: row.take_text(9),
        error: row.take_text(10),
        address: row.take_text(11),
        at: Moment(row.int(12)?),
    })
}

/// Which calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Answered at this moment or later.
    pub from: Option<Moment>,
    /// Answered earlier than this.
    pub before: Option<Moment>,
    /// Made with this key.
    pub key: Option<KeyId>,
    /// Whose path begins like this.
    pub path: Option<String>,
    /// Whose answer had this code of the wire.
    pub code: Option<String>,
    /// Only those that failed.
    pub failed: bool,
}

/// The calls of an account before one of them, the newest first.
pub async fn page(
    conn: &mut Conn,
    account: AccountId,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Call>> {
    let mut sql = format!("select {COLUMNS} from calls where account_id = $1");
    let mut params: Vec<Value<'_>> = vec![account.0.into()];
    let mut also = |condition: &str, value: Value<'static>| {
        params.push(value);
        sql.push_str(&format!(" and {}", condition.replace('?', &format!("${}", params.len()))));
    };
    if let Some(id) = before {
        also("id < ?", id.into());
    }
    if let Some(from) = filter.from {
        also("created_at >= ?", from.0.into());
    }
    if let Some(end) = filter.before {
        also("created_at < ?", end.0.into());
    }
    if let Some(key) = filter.key {
        also("key_id = ?", key.0.into());
    }
    if let Some(path) = &filter.path {
        params.push(Value::from(path));
        let place = params.len();
        sql.push_str(&format!(" and substr(path, 1, length(${place})) = ${place}"));
    }
    if let Some(code) = &filter.code {
        params.push(Value::from(code));
        sql.push_str(&format!(" and code = ${}", params.len()));
    }
    if filter.failed {
        sql.push_str(" and error <> ''");
    }
    params.push(limit.into());
    sql.push_str(&format!(" order by id desc limit ${}", params.len()));
    conn.query(&sql, &params).await?.into_iter().map(call).collect()
}

/// A call of an account.
pub async fn find(conn: &mut Conn, account: AccountId, id: i64) -> Result<Option<Call>> {
    let sql = format!("select {COLUMNS} from calls where id = $1 and account_id = $2");
    conn.one(&sql, &[id.into(), account.0.into()]).await?.map(call).transpose()
}

/// Forgets up to `limit` calls that were answered before a moment. Tells how many.
pub async fn forget(tx: &mut Tx, before: Moment, limit: i64) -> Result<u64> {
    let sql = "delete from calls where id in (
        select id from calls where created_at < $1 order by created_at limit $2)";
    tx.execute(sql, &[before.0.into(), limit.into()]).await
}

/// Keeps the newest `keep` calls of an account and forgets up to `limit` of the others.
pub async fn trim(tx: &mut Tx, account: AccountId, keep: i64, limit: i64) -> Result<u64> {
    let sql = "delete from calls where id in (
        select id from calls where account_id = $1 and id <= (
            select id from calls where account_id = $1 order by id desc limit 1 offset $2)
        order by id limit $3)";
    tx.execute(sql, &[account.0.into(), keep.into(), limit.into()]).await
}

/// Whether an account has calls that were answered before a moment.
pub async fn any_before(conn: &mut Conn, account: AccountId, before: Moment) -> Result<bool> {
    // The oldest has the smallest number.
    let sql = "select created_at from calls where account_id = $1 order by id limit 1";
    let oldest = conn.one(sql, &[account.0.into()]).await?;
    oldest.map_or(Ok(false), |row| Ok(row.int(0)? < before.0))
}

/// Forgets the calls of an account that were answered before a moment.
pub async fn forget_of(tx: &mut Tx, account: AccountId, before: Moment) -> Result<u64> {
    let sql = "delete from calls where account_id = $1 and created_at < $2";
    tx.execute(sql, &[account.0.into(), before.0.into()]).await
}
