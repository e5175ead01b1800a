//! Segments a carrier has taken, and what it called them: the way from a report back to its
//! message. A row's id is its message's times 256 plus the part.

use domain::delivery_report::ReportState;
use domain::id::MessageId;
use domain::message::MessageStatus;
use domain::moment::Moment;

use crate::db::{Bulk, Conn, Error, Kind, Question, Result, Row, Tx, Value};

/// Parts a message may have.
const PARTS: i64 = 256;

/// A segment a carrier has taken.
#[derive(Clone, Debug)]
pub struct Taken<'a> {
    /// Of which message.
    pub message: MessageId,
    /// Which part, from 0.
    pub part: u8,
    /// Who took it.
    pub carrier: &'a str,
    /// What the carrier calls it, in the spelling that is stored.
    pub remote_id: &'a str,
    /// The carrier's word on it, where that has come with it.
    pub report: Option<ReportState>,
}

static INSERT: Bulk = Bulk::insert(
    "segments",
    &[
        ("id", Kind::Int),
        ("carrier", Kind::Text),
        ("remote_id", Kind::Text),
        ("created_at", Kind::Int),
        ("report", Kind::Int),
        ("reported_at", Kind::Int),
    ],
    "on conflict (id) do update set carrier = excluded.carrier, remote_id = excluded.remote_id,
        report = excluded.report, reported_at = excluded.reported_at",
);

/// Stores segments as taken. One sent again is known by its new name from then on.
pub async fn insert(tx: &mut Tx, taken: &[Taken<'_>], now: Moment) -> Result<()> {
    let cells: Vec<Value<'_>> = taken
        .iter()
        .flat_map(|t| {
            [
                (t.message.0 * PARTS + i64::from(t.part)).into(),
                t.carrier.into(),
                t.remote_id.into(),
                now.0.into(),
                t.report.map(ReportState::code).into(),
                t.report.map(|_| now.0).into(),
            ]
        })
        .collect();
    tx.bulk(&INSERT, &cells).await
}

/// A segment as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Of which message.
    pub message: MessageId,
    /// Which part.
    pub part: u8,
    /// Who took it.
    pub carrier: String,
    /// What the carrier calls it.
    pub remote_id: String,
    /// The carrier's last word on it.
    pub report: Option<ReportState>,
}

fn stored(row: Row) -> Result<Stored> {
    let mut row = row;
    let id = row.int(0)?;
    Ok(Stored {
        message: MessageId(id.div_euclid(PARTS)),
        part: part(id),
        carrier: row.take_text(1),
        remote_id: row.take_text(2),
        report: row.opt_int(3)?.map(state).transpose()?,
    })
}

fn part(id: i64) -> u8 {
    u8::try_from(id.rem_euclid(PARTS)).unwrap_or(0)
}

fn state(code: i64) -> Result<ReportState> {
    ReportState::from_code(code).ok_or_else(|| Error::unreadable("segments.report", code))
}

static CALLED: Bulk = Bulk::select(
    &[("remote_id", Kind::Text)],
    "select id, carrier, remote_id, report from segments where remote_id = $1 order by id",
    "select s.id, s.carrier, s.remote_id, s.report from {rows} join segments s on s.remote_id = input.remote_id
        order by s.id",
);

/// The segments called by one of these names, by any carrier; those of one name in the order of
/// their ids.
pub fn called<'a>(remote_ids: impl IntoIterator<Item = &'a str>) -> Question<'a, Vec<Stored>> {
    let cells = remote_ids.into_iter().map(Value::from).collect();
    Question::new(&CALLED, cells, |rows| rows.into_iter().map(stored).collect())
}

static OF: Bulk = Bulk::select(
    &[("first", Kind::Int), ("past", Kind::Int)],
    "select id, carrier, remote_id, report from segments where id >= $1 and id < $2",
    "select s.id, s.carrier, s.remote_id, s.report from {rows} join segments s on s.id >= input.first and s.id < input.past",
);

/// All segments of these messages.
pub async fn of(conn: &mut Conn, messages: &[i64]) -> Result<Vec<Stored>> {
    let cells = messages.iter().flat_map(|id| [(id * PARTS).into(), ((id + 1) * PARTS).into()]).collect();
    conn.ask(Question::new(&OF, cells, |rows| rows.into_iter().map(stored).collect())).await
}

/// Which parts of these messages have been taken.
pub async fn taken(conn: &mut Conn, messages: &[i64]) -> Result<Vec<(MessageId, u8)>> {
    Ok(of(conn, messages).await?.into_iter().map(|s| (s.message, s.part)).collect())
}

static REPORT: Bulk =
    Bulk::update("segments", &[("id", Kind::Int)], &[("report", Kind::Int), ("reported_at", Kind::Int)]);

/// Stores the carrier's word on segments.
pub async fn report(tx: &mut Tx, words: &[(MessageId, u8, ReportState)], now: Moment) -> Result<()> {
    let cells: Vec<Value<'_>> = words
        .iter()
        .flat_map(|(message, part, word)| {
            [(message.0 * PARTS + i64::from(*part)).into(), word.code().into(), now.0.into()]
        })
        .collect();
    tx.bulk(&REPORT, &cells).await
}

/// What a carrier has taken since `since` and not reported on: name and recipient.
pub async fn outstanding(
    conn: &mut Conn,
    carrier: &str,
    since: Moment,
) -> Result<Vec<(String, domain::phone_number::PhoneNumber)>> {
    let sql = "select s.remote_id, m.recipient from segments s join messages m on m.id = s.id / 256
        where s.carrier = $1 and s.report is null and s.created_at >= $2 and m.status = 3";
    let rows = conn.query(sql, &[carrier.into(), since.0.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, crate::messages::recipient(row.int(1)?)?))).collect()
}

/// One step of looking for names that nobody uses any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unused {
    /// The segments that may be forgotten.
    pub ids: Vec<i64>,
    /// Behind which segment to look on; nothing at the end.
    pub after: Option<i64>,
}

/// Looks at up to `limit` segments behind `after`, in their order, for those whose name is of no use:
/// taken before `ended_before` where the message has come to its end, or before `before` where no
/// report ever came. Where a whole step finds only newer ones the rest is newer, too, and is not
/// looked at: however much is stored, little is read.
pub async fn unused(
    conn: &mut Conn,
    after: i64,
    ended_before: Moment,
    before: Moment,
    limit: i64,
) -> Result<Unused> {
    let sql = "select s.id, s.created_at, m.status from segments s left join messages m on m.id = s.id / 256
        where s.id > $1 order by s.id limit $2";
    let rows = conn.query(sql, &[after.into(), limit.into()]).await?;
    let mut unused = Unused::default();
    let mut any_older = false;
    for row in &rows {
        let created_at = Moment(row.int(1)?);
        any_older |= created_at < ended_before;
        let ended = row.opt_int(2)?.is_none_or(|status| status >= MessageStatus::Delivered.code());
        if created_at < if ended { ended_before } else { before } {
            unused.ids.push(row.int(0)?);
        }
    }
    if any_older && rows.len() as i64 == limit {
        unused.after = rows.last().map(|row| row.int(0)).transpose()?;
    }
    Ok(unused)
}

/// Forgets the names of segments: no report comes any more.
pub async fn forget(tx: &mut Tx, ids: &[i64]) -> Result<u64> {
    tx.execute("delete from segments where id in list($1)", &[ids.into()]).await
}
