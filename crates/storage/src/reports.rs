//! Reports that came before the answer they belong to: kept until that answer is stored.

use domain::delivery_report::ReportState;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;

use crate::db::{Bulk, Conn, Error, Kind, Question, Result, Row, Tx, Value};

/// A report as it came.
#[derive(Clone, Debug)]
pub struct Early {
    /// Its number here; before it is stored, which of the spellings of its report it is, from 0.
    pub id: i64,
    /// Who reports.
    pub carrier: String,
    /// What the carrier calls the message, in one of the spellings it may be stored by.
    pub remote_id: String,
    /// To whom it went, where the report says.
    pub recipient: Option<PhoneNumber>,
    /// What it says.
    pub state: ReportState,
    /// When it happened.
    pub done_at: Moment,
    /// The carrier's error code.
    pub error: Option<String>,
}

static INSERT: Bulk = Bulk::insert(
    "early_reports",
    &[
        ("id", Kind::Int),
        ("carrier", Kind::Text),
        ("remote_id", Kind::Text),
        ("recipient", Kind::Int),
        ("report", Kind::Int),
        ("done_at", Kind::Int),
        ("error", Kind::Text),
        ("received_at", Kind::Int),
    ],
    "",
);

/// The most spellings a report may be kept by. Their numbers lie together, from a multiple of this
/// on, so that all go when one of them is found.
const SPELLINGS: i64 = 4;

/// Keeps reports for which no message is known yet. One row for each spelling a report may be
/// found by; those of one report follow each other.
pub async fn keep(tx: &mut Tx, reports: &[Early], now: Moment) -> Result<()> {
    let count = reports.iter().filter(|r| r.id == 0).count();
    if count == 0 {
        return Ok(());
    }
    let mut number = crate::counters::draw(tx, "id", count as i64).await? - 1;
    let cells: Vec<Value<'_>> = reports
        .iter()
        .flat_map(|r| {
            number += i64::from(r.id == 0);
            let id = number * SPELLINGS + r.id;
            [
                id.into(),
                Value::from(&r.carrier),
                Value::from(&r.remote_id),
                r.recipient.map(PhoneNumber::as_i64).into(),
                r.state.code().into(),
                r.done_at.0.into(),
                r.error.as_ref().into(),
                now.0.into(),
            ]
        })
        .collect();
    tx.bulk(&INSERT, &cells).await
}

static KEPT: Bulk = Bulk::select(
    &[("remote_id", Kind::Text)],
    "select id, carrier, remote_id, recipient, report, done_at, error from early_reports where remote_id = $1",
    "select e.id, e.carrier, e.remote_id, e.recipient, e.report, e.done_at, e.error
        from {rows} join early_reports e on e.remote_id = input.remote_id",
);

/// The kept reports on messages called by one of these names, the oldest first.
pub fn kept<'a>(remote_ids: impl IntoIterator<Item = &'a str>) -> Question<'a, Vec<Early>> {
    let cells = remote_ids.into_iter().map(Value::from).collect();
    Question::new(&KEPT, cells, |rows| {
        let mut kept: Vec<Early> = rows.into_iter().map(early).collect::<Result<_>>()?;
        kept.sort_by_key(|e| e.id);
        Ok(kept)
    })
}

fn early(mut row: Row) -> Result<Early> {
    let state = row.int(4)?;
    Ok(Early {
        id: row.int(0)?,
        carrier: row.take_text(1),
        remote_id: row.take_text(2),
        recipient: row.opt_int(3)?.map(crate::messages::recipient).transpose()?,
        state: ReportState::from_code(state)
            .ok_or_else(|| Error::unreadable("early_reports.report", state))?,
        done_at: Moment(row.int(5)?),
        error: row.opt_text(6)?,
    })
}

/// Whether any report is kept.
pub async fn any_kept(conn: &mut Conn) -> Result<bool> {
    Ok(conn.one("select 1 from early_reports limit 1", &[]).await?.is_some())
}

/// Kept reports that came since a time and whose message is there after all: on shared books a report
/// and its answer may be stored by two nodes at the same moment, and neither sees the other.
pub async fn met(conn: &mut Conn, since: Moment) -> Result<Vec<Early>> {
    let sql = "select id, carrier, remote_id, recipient, report, done_at, error from early_reports e
        where received_at >= $1 and exists (
            select 1 from segments s where s.remote_id = e.remote_id and s.carrier = e.carrier)
        order by id";
    conn.query(sql, &[since.0.into()]).await?.into_iter().map(early).collect()
}

/// Lets go of kept reports that have found their message, by whichever of their spellings.
pub async fn release(tx: &mut Tx, ids: &[i64]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let all: Vec<i64> =
        ids.iter().map(|id| id - id % SPELLINGS).flat_map(|first| first..first + SPELLINGS).collect();
    tx.execute("delete from early_reports where id in list($1)", &[all.as_slice().into()]).await.map(drop)
}

/// Lets go of reports kept since before a time: their message is none of ours.
pub async fn forget(tx: &mut Tx, before: Moment) -> Result<u64> {
    tx.execute("delete from early_reports where received_at < $1", &[before.0.into()]).await
}
