//! Work to be done later, written in the transaction that needs it. A job may run twice without
//! harm, and there is one of a kind for a thing.

use domain::moment::Moment;

use crate::db::{Conn, Result, Tx};

/// A piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// What it is about: a message, an account.
    pub reference: i64,
    /// How often it was tried.
    pub attempts: i64,
}

/// Writes work down, unless it is already.
pub async fn add(tx: &mut Tx, kind: &str, reference: i64, due_at: Moment) -> Result<()> {
    let id = crate::counters::draw(tx, "id", 1).await?;
    tx.execute(
        "insert into jobs (id, kind, reference_id, due_at, attempts) values ($1, $2, $3, $4, 0)
            on conflict (kind, reference_id) do nothing",
        &[id.into(), kind.into(), reference.into(), due_at.0.into()],
    )
    .await
    .map(drop)
}

/// Work of a kind that is due, the longest due first.
pub async fn due(conn: &mut Conn, kind: &str, now: Moment, limit: i64) -> Result<Vec<Job>> {
    let sql = "select id, reference_id, attempts from jobs where kind = $1 and due_at <= $2 order by due_at, id limit $3";
    let rows = conn.query(sql, &[kind.into(), now.0.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| Ok(Job { id: row.int(0)?, reference: row.int(1)?, attempts: row.int(2)? }))
        .collect()
}

/// Which of these are still to be done, held so that nobody else does them meanwhile.
pub async fn still(tx: &mut Tx, kind: &str, references: &[i64]) -> Result<Vec<i64>> {
    if references.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "select reference_id from jobs where kind = $1 and reference_id in list($2) order by id {lock}";
    tx.query(sql, &[kind.into(), references.into()]).await?.iter().map(|row| row.int(0)).collect()
}

/// Puts work off: it was tried, failed for this reason, and is to be tried again.
pub async fn put_off(tx: &mut Tx, kind: &str, reference: i64, to: Moment, why: &str) -> Result<()> {
    let sql = "update jobs set due_at = $3, attempts = attempts + 1, error = $4
        where kind = $1 and reference_id = $2";
    tx.execute(sql, &[kind.into(), reference.into(), to.0.into(), why.into()]).await.map(drop)
}

/// Work that was tried and failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Its number.
    pub id: i64,
    /// What kind of work.
    pub kind: String,
    /// What it is about: a message, an account.
    pub reference: i64,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub due_at: Moment,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// Work that was tried and failed, the most often tried first.
pub async fn failed(conn: &mut Conn, limit: i64) -> Result<Vec<Failed>> {
    let sql = "select id, kind, reference_id, attempts, due_at, error from jobs where attempts > 0
        order by attempts desc, id limit $1";
    let rows = conn.query(sql, &[limit.into()]).await?;
    let failed = |mut row: crate::db::Row| {
        Ok(Failed {
            id: row.int(0)?,
            kind: row.take_text(1),
            reference: row.int(2)?,
            attempts: row.int(3)?,
            due_at: Moment(row.int(4)?),
            error: row.opt_text(5)?,
        })
    };
    rows.into_iter().map(failed).collect()
}

/// How much work there is, and how much of it was tried and failed.
pub async fn counts(conn: &mut Conn) -> Result<(i64, i64)> {
    let sql = "select count(*), coalesce(sum(case when attempts > 0 then 1 else 0 end), 0) from jobs";
    let row = conn.one(sql, &[]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.int(0)?, row.int(1)?)))
}

/// Lets work be tried at once. False when there is none of this number any more.
pub async fn hurry(tx: &mut Tx, id: i64, now: Moment) -> Result<bool> {
    let sql = "update jobs set due_at = $2 where id = $1";
    Ok(tx.execute(sql, &[id.into(), now.0.into()]).await? == 1)
}

/// Takes a piece of work that recurs in hand until a moment, by which it is to be put off or taken in
/// hand again; it is made when there is none. False when it is not due, or somebody else has it.
pub async fn take(tx: &mut Tx, kind: &str, now: Moment, until: Moment) -> Result<bool> {
    add(tx, kind, 0, now).await?;
    let sql = "update jobs set due_at = $3 where kind = $1 and reference_id = 0 and due_at <= $2";
    Ok(tx.execute(sql, &[kind.into(), now.0.into(), until.0.into()]).await? == 1)
}

/// Sets when a piece of work that recurs is due next.
pub async fn due_next(tx: &mut Tx, kind: &str, at: Moment) -> Result<()> {
    let sql = "update jobs set due_at = $2 where kind = $1 and reference_id = 0";
    tx.execute(sql, &[kind.into(), at.0.into()]).await.map(drop)
}

/// Takes work off the list: it is done.
pub async fn done(tx: &mut Tx, kind: &str, references: &[i64]) -> Result<()> {
    if references.is_empty() {
        return Ok(());
    }
    let sql = "delete from jobs where kind = $1 and reference_id in list($2)";
    tx.execute(sql, &[kind.into(), references.into()]).await.map(drop)
}
