//! Checks of the books that were begun while the platform serves, so that whoever asks for one can leave
//! and come back, to whichever process.

use std::time::Duration;

use domain::moment::Moment;

use crate::check::Report;
use crate::counters;
use crate::db::{Conn, Result, Row, Tx};

/// Without a sign of life for so long, who checks is no more.
pub const SILENCE: Duration = Duration::from_secs(30);

/// A check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its number; later ones have greater ones.
    pub id: i64,
    /// Who began it.
    pub begun_by: String,
    /// When.
    pub begun_at: Moment,
    /// The last sign of life of who checks.
    pub seen_at: Moment,
    /// How many transfers and messages were read.
    pub done: i64,
    /// How many there are, about.
    pub total: i64,
    /// When it ended.
    pub ended_at: Option<Moment>,
    /// What it found; absent while it runs, and when it could not be ended.
    pub found: Option<Found>,
    /// Why it could not be ended.
    pub error: Option<String>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether nothing is broken.
    pub ok: bool,
    /// How much is broken in all.
    pub broken_count: i64,
    /// What is broken, a sentence each, as many as [`crate::check::TOLD_MAX`].
    pub broken: Vec<String>,
    /// How many accounts were looked at.
    pub accounts: i64,
    /// How many transfers.
    pub transfers: i64,
    /// How many messages.
    pub messages: i64,
}

impl Check {
    /// Whether it is under way.
    pub fn runs(&self, now: Moment) -> bool {
        self.ended_at.is_none() && now.since(self.seen_at) < SILENCE
    }

    /// Whether whoever checked was ended before it was.
    pub fn was_cut_off(&self, now: Moment) -> bool {
        self.ended_at.is_none() && !self.runs(now)
    }

    /// How far it is, in whole percent. What is read may be more than there was at the beginning.
    pub fn percent(&self) -> i64 {
        match self.ended_at {
            Some(_) => 100,
            None => (self.done.saturating_mul(100) / self.total.max(1)).min(99),
        }
    }
}

/// Begins a check. Nothing while another one is under way.
pub async fn begin(tx: &mut Tx, by: &str, total: i64, now: Moment) -> Result<Option<i64>> {
    // Whoever begins one takes the same number first, so that two do not begin at once.
    let id = counters::draw(tx, "id", 1).await?;
    let sql = "select 1 from checks where ended_at is null and seen_at > $1";
    if tx.one(sql, &[now.before(SILENCE).0.into()]).await?.is_some() {
        return Ok(None);
    }
    let sql =
        "insert into checks (id, begun_by, begun_at, seen_at, done, total) values ($1, $2, $3, $3, 0, $4)";
    tx.execute(sql, &[id.into(), by.into(), now.0.into(), total.into()]).await?;
    Ok(Some(id))
}

/// Notes how far a check is.
pub async fn tell(tx: &mut Tx, id: i64, done: i64, now: Moment) -> Result<()> {
    let sql = "update checks set done = $2, seen_at = $3 where id = $1 and ended_at is null";
    tx.execute(sql, &[id.into(), done.into(), now.0.into()]).await.map(drop)
}

/// Notes what a check found.
pub async fn end(tx: &mut Tx, id: i64, report: &Report, now: Moment) -> Result<()> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let broken = report.broken.join("\n");
    tx.execute(
        "update checks set done = $2, seen_at = $3, ended_at = $3, ok = $4, broken_count = $5, broken = $6,
            accounts = $7, transfers = $8, messages = $9 where id = $1",
        &[
            id.into(),
            number(report.transfers + report.messages).into(),
            now.0.into(),
            report.ok.into(),
            number(report.broken_count).into(),
            (&broken).into(),
            number(report.accounts).into(),
            number(report.transfers).into(),
            number(report.messages).into(),
        ],
    )
    .await
    .map(drop)
}

/// Notes why a check could not be ended.
pub async fn fail(tx: &mut Tx, id: i64, why: &str, now: Moment) -> Result<()> {
    let sql = "update checks set seen_at = $2, ended_at = $2, error = $3 where id = $1";
    tx.execute(sql, &[id.into(), now.0.into(), why.into()]).await.map(drop)
}

/// The newest checks, the newest first.
pub async fn newest(conn: &mut Conn, limit: i64) -> Result<Vec<Check>> {
    let sql =
        "select id, begun_by, begun_at, seen_at, done, total, ended_at, ok, broken_count, broken, accounts,
            transfers, messages, error
        from checks order by id desc limit $1";
    conn.query(sql, &[limit.into()]).await?.into_iter().map(check).collect()
}

fn check(mut row: Row) -> Result<Check> {
    let found = match row.opt_int(7)? {
        None => None,
        Some(ok) => Some(Found {
            ok: ok != 0,
            broken_count: row.int(8)?,
            broken: row.take_text(9).lines().map(str::to_owned).collect(),
            accounts: row.int(10)?,
            transfers: row.int(11)?,
            messages: row.int(12)?,
        }),
    };
    Ok(Check {
        id: row.int(0)?,
        begun_by: row.take_text(1),
        begun_at: Moment(row.int(2)?),
        seen_at: Moment(row.int(3)?),
        done: row.int(4)?,
        total: row.int(5)?,
        ended_at: row.opt_int(6)?.map(Moment),
        found,
        error: row.opt_text(13)?,
    })
}
