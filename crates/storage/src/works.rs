//! Long work that somebody began in an account and may leave: how far it is, and what became of each part.

use std::time::Duration;

use domain::id::AccountId;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Bulk, Conn, Kind as Column, Result, Row, Tx, Value};

/// Without a sign of life for so long, who does it is no more.
pub const SILENCE: Duration = Duration::from_secs(30);

/// What kind of work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Accounts from a file.
    Import,
    /// Credits for many accounts.
    Transfer,
    /// Many accounts are suspended.
    Suspend,
}

impl Kind {
    fn code(self) -> i64 {
        self as i64
    }

    fn from_code(code: i64) -> Kind {
        match code {
            0 => Kind::Import,
            1 => Kind::Transfer,
            _ => Kind::Suspend,
        }
    }
}

/// A piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Its number.
    pub id: i64,
    /// What it does.
    pub kind: Kind,
    /// What whoever began it calls it.
    pub name: String,
    /// What was asked for, as whoever began it wrote it; for a file, what the file is known by.
    pub content: String,
    /// Who began it.
    pub begun_by: String,
    /// When.
    pub begun_at: Moment,
    /// The last sign of life of who does it.
    pub seen_at: Moment,
    /// How many parts are over, well or not.
    pub done: i64,
    /// How many parts it has.
    pub total: i64,
    /// When it ended.
    pub ended_at: Option<Moment>,
    /// Why it broke off.
    pub error: Option<String>,
}

impl Work {
    /// Whether it is under way.
    pub fn runs(&self, now: Moment) -> bool {
        self.ended_at.is_none() && now.since(self.seen_at) < SILENCE
    }
}

/// How a part came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is done.
    Done,
    /// It was done before, and not once more.
    Before,
    /// It was not done.
    Refused,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The line of a file, or which of many.
    pub place: i64,
    /// The account it is about, when there is one.
    pub account: Option<AccountId>,
    /// How it came out.
    pub state: State,
    /// What there is to say of it.
    pub words: String,
}

/// What is to be begun.
#[derive(Clone, Copy, Debug)]
pub struct NewWork<'a> {
    /// In which account.
    pub account: AccountId,
    /// What it does.
    pub kind: Kind,
    /// What whoever begins it calls it.
    pub name: &'a str,
    /// All that is asked for, in one text.
    pub content: &'a str,
    /// Who begins it.
    pub by: &'a str,
    /// How many parts it has.
    pub total: i64,
}

/// What came of beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is the caller's to do, by this number.
    Yours(i64),
    /// Somebody is at it.
    UnderWay,
    /// The name was used for something else.
    Other,
}

static PARTS: Bulk = Bulk::insert(
    "work_parts",
    &[
        ("work_id", Column::Int),
        ("place", Column::Int),
        ("account_id", Column::Int),
        ("state", Column::Int),
        ("words", Column::Text),
    ],
    "on conflict (work_id, place) do nothing",
);

/// Begins work, or begins it once more when it ended or broke off.
pub async fn begin(tx: &mut Tx, new: &NewWork<'_>, now: Moment) -> Result<Begun> {
    // Whoever begins takes the same number first, so that two do not begin the same at once.
    let id = counters::draw(tx, "id", 1).await?;
    let sql =
        "select id, content, ended_at, seen_at from works where account_id = $1 and kind = $2 and name = $3";
    let named = [new.account.0.into(), new.kind.code().into(), Value::from(new.name)];
    let Some(row) = tx.one(sql, &named).await? else {
        tx.execute(
            "insert into works (id, account_id, kind, name, content, begun_by, begun_at, seen_at, done, total)
            values ($1, $2, $3, $4, $5, $6, $7, $7, 0, $8)",
            &[
                id.into(),
                new.account.0.into(),
                new.kind.code().into(),
                new.name.into(),
                new.content.into(),
                new.by.into(),
                now.0.into(),
                new.total.into(),
            ],
        )
        .await?;
        return Ok(Begun::Yours(id));
    };
    if row.text(1)? != new.content {
        return Ok(Begun::Other);
    }
    if row.opt_int(2)?.is_none() && now.since(Moment(row.int(3)?)) < SILENCE {
        return Ok(Begun::UnderWay);
    }
    let id = row.int(0)?;
    tx.execute("delete from work_parts where work_id = $1", &[id.into()]).await?;
    let sql =
        "update works set begun_by = $2, begun_at = $3, seen_at = $3, done = 0, total = $4, ended_at = null,
        error = null where id = $1";
    tx.execute(sql, &[id.into(), new.by.into(), now.0.into(), new.total.into()]).await?;
    Ok(Begun::Yours(id))
}

/// Notes what became of some parts.
pub async fn tell(tx: &mut Tx, id: i64, parts: &[Part], now: Moment) -> Result<()> {
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(parts.len() * 5);
    for part in parts {
        cells.extend([
            id.into(),
            part.place.into(),
            part.account.map(|account| account.0).into(),
            (part.state as i64).into(),
            Value::from(part.words.as_str()),
        ]);
    }
    tx.bulk(&PARTS, &cells).await?;
    let sql = "update works set seen_at = $2, done = (select count(*) from work_parts where work_id = $1)
        where id = $1";
    tx.execute(sql, &[id.into(), now.0.into()]).await.map(drop)
}

/// Notes the end, and why it broke off if it did.
pub async fn end(tx: &mut Tx, id: i64, error: Option<&str>, now: Moment) -> Result<()> {
    let sql = "update works set seen_at = $2, ended_at = $2, error = $3 where id = $1";
    tx.execute(sql, &[id.into(), now.0.into(), error.into()]).await.map(drop)
}

const WORK: &str = "id, kind, name, content, begun_by, begun_at, seen_at, done, total, ended_at, error";

/// The work of an account by its name.
pub async fn find(conn: &mut Conn, account: AccountId, kind: Kind, name: &str) -> Result<Option<Work>> {
    let sql = format!("select {WORK} from works where account_id = $1 and kind = $2 and name = $3");
    let row = conn.one(&sql, &[account.0.into(), kind.code().into(), name.into()]).await?;
    row.map(work).transpose()
}

/// The work that was begun in an account since a moment, the newest first.
pub async fn since(conn: &mut Conn, account: AccountId, since: Moment, limit: i64) -> Result<Vec<Work>> {
    let sql = format!(
        "select {WORK} from works where account_id = $1 and begun_at >= $2 order by begun_at desc, id desc limit $3"
    );
    let rows = conn.query(&sql, &[account.0.into(), since.0.into(), limit.into()]).await?;
    rows.into_iter().map(work).collect()
}

fn work(mut row: Row) -> Result<Work> {
    Ok(Work {
        id: row.int(0)?,
        kind: Kind::from_code(row.int(1)?),
        name: row.take_text(2),
        content: row.take_text(3),
        begun_by: row.take_text(4),
        begun_at: Moment(row.int(5)?),
        seen_at: Moment(row.int(6)?),
        done: row.int(7)?,
        total: row.int(8)?,
        ended_at: row.opt_int(9)?.map(Moment),
        error: row.opt_text(10)?,
    })
}

/// How many parts of some work came out in each way: done, done before, refused.
pub async fn counts(conn: &mut Conn, id: i64) -> Result<[i64; 3]> {
    let sql = "select cast(coalesce(sum(case when state = 0 then 1 else 0 end), 0) as bigint),
            cast(coalesce(sum(case when state = 1 then 1 else 0 end), 0) as bigint),
            cast(coalesce(sum(case when state = 2 then 1 else 0 end), 0) as bigint)
        from work_parts where work_id = $1";
    let Some(row) = conn.one(sql, &[id.into()]).await? else { return Ok([0; 3]) };
    Ok([row.int(0)?, row.int(1)?, row.int(2)?])
}

/// What became of parts of some work, what was refused first, then in their order.
pub async fn parts(conn: &mut Conn, id: i64, limit: i64) -> Result<Vec<Part>> {
    let sql = "select place, account_id, state, words from work_parts where work_id = $1
        order by case when state = 2 then 0 else 1 end, place limit $2";
    let rows = conn.query(sql, &[id.into(), limit.into()]).await?;
    let part = |mut row: Row| {
        Ok(Part {
            place: row.int(0)?,
            account: row.opt_int(1)?.map(AccountId),
            state: match row.int(2)? {
                0 => State::Done,
                1 => State::Before,
                _ => State::Refused,
            },
            words: row.take_text(3),
        })
    };
    rows.into_iter().map(part).collect()
}

/// Forgets some work that was begun before a moment. Tells how much.
pub async fn forget(tx: &mut Tx, before: Moment, limit: i64) -> Result<u64> {
    let sql = "select id from works where begun_at < $1 order by begun_at limit $2";
    let rows = tx.query(sql, &[before.0.into(), limit.into()]).await?;
    let ids = rows.iter().map(|row| row.int(0)).collect::<Result<Vec<i64>>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    let ids = [Value::from(ids.as_slice())];
    tx.execute("delete from work_parts where work_id in list($1)", &ids).await?;
    tx.execute("delete from works where id in list($1)", &ids).await
}
