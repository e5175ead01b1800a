//! One message with all that is known of it.

use domain::credits::Credits;
use domain::delivery_report::ReportState;
use domain::id::{AccountId, MessageId};
use domain::ledger::CauseKind;
use domain::message::MessageClass;
use domain::moment::Moment;

use super::{COLUMNS, Sent, read};
use crate::db::{Conn, Error, Result};
use crate::messages::levels_of;

/// How many columns [`COLUMNS`] are: what is asked for beside them follows.
const WIDTH: usize = 18;

/// A message and all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// As the journal lists it.
    pub sent: Sent,
    /// The main account of its tree.
    pub root: AccountId,
    /// The first message of its request, by which the charge is known.
    pub batch: MessageId,
    /// How it is written on the air ([`domain::text::Alphabet::code`]).
    pub alphabet: i64,
    /// The caller's own header, in hexadecimal.
    pub udh: Option<String>,
    /// Whether it is shown at once and not stored.
    pub flash: bool,
    /// How urgent.
    pub class: MessageClass,
    /// How much of its price was free credit.
    pub promo: Credits,
    /// The price row it was charged by.
    pub price_row: i64,
    /// What each account of the path paid, root first; only the account's own where all paid the same.
    pub levels: Vec<(AccountId, Credits)>,
    /// How long to try, in minutes.
    pub validity_minutes: i64,
    /// Who took it.
    pub carrier: Option<String>,
    /// When it was taken whole.
    pub submitted_at: Option<Moment>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whether it may have been sent twice.
    pub possible_duplicate: bool,
    /// How often it has been handed over, while it still waits for a carrier's answer.
    pub attempts: Option<i64>,
    /// Its parts as far as a carrier has taken them and their names are still kept.
    pub parts: Vec<Part>,
    /// When it was refunded, and how much went to its account.
    pub refund: Option<(Moment, Credits)>,
    /// Whether its refund waits until an account above can give its margin back.
    pub refund_waits: bool,
}

/// A part of a message that a carrier has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which, from 0.
    pub part: i64,
    /// Who took it.
    pub carrier: String,
    /// What the carrier calls it.
    pub remote_id: String,
    /// When it was taken.
    pub taken_at: Moment,
    /// The carrier's word on it, and when it came.
    pub report: Option<(ReportState, Moment)>,
}

/// A message of a tree.
pub async fn message(conn: &mut Conn, root: AccountId, id: MessageId) -> Result<Option<Story>> {
    let sql = format!(
        "select {COLUMNS}, batch_id, alphabet, udh, flash, class, promo, price_row_id, levels, validity_minutes,
            carrier, submitted_at, error, possible_duplicate,
            (select attempts from outbox where message_id = messages.id),
            (select count(*) from jobs where kind = 'refund' and reference_id = messages.id)
        from messages where id = $1 and root_id = $2"
    );
    let Some(row) = conn.one(&sql, &[id.0.into(), root.0.into()]).await? else { return Ok(None) };
    let at = |column: usize| WIDTH + column;
    let class = row.int(at(4))?;
    let levels = row.opt_text(at(7))?;
    let mut story = Story {
        root,
        batch: MessageId(row.int(at(0))?),
        alphabet: row.int(at(1))?,
        udh: row.opt_text(at(2))?,
        flash: row.flag(at(3))?,
        class: MessageClass::from_code(class).ok_or_else(|| Error::unreadable("messages.class", class))?,
        promo: Credits(row.int(at(5))?),
        price_row: row.int(at(6))?,
        levels: Vec::new(),
        validity_minutes: row.int(at(8))?,
        carrier: row.opt_text(at(9))?,
        submitted_at: row.opt_int(at(10))?.map(Moment),
        error: row.opt_text(at(11))?,
        possible_duplicate: row.flag(at(12))?,
        attempts: row.opt_int(at(13))?,
        refund_waits: row.flag(at(14))?,
        parts: Vec::new(),
        refund: None,
        sent: read(row)?,
    };
    story.levels = match levels {
        None => vec![(story.sent.account, story.sent.price)],
        Some(text) => levels_of(&text).ok_or_else(|| Error::unreadable("messages.levels", &text))?,
    };
    story.parts = parts(conn, id).await?;
    story.refund = refund(conn, id, story.sent.account).await?;
    Ok(Some(story))
}

async fn parts(conn: &mut Conn, id: MessageId) -> Result<Vec<Part>> {
    let sql = "select id - $1, carrier, remote_id, created_at, report, reported_at from segments
        where id >= $1 and id < $1 + 256 order by id";
    let part = |mut row: crate::db::Row| {
        let report = row.opt_int(4)?.and_then(ReportState::from_code);
        let taken_at = Moment(row.int(3)?);
        let reported_at = row.opt_int(5)?.map_or(taken_at, Moment);
        Ok(Part {
            part: row.int(0)?,
            carrier: row.take_text(1),
            remote_id: row.take_text(2),
            taken_at,
            report: report.map(|state| (state, reported_at)),
        })
    };
    conn.query(sql, &[(id.0 * 256).into()]).await?.into_iter().map(part).collect()
}

async fn refund(conn: &mut Conn, id: MessageId, account: AccountId) -> Result<Option<(Moment, Credits)>> {
    let sql = "select max(created_at), cast(sum(case when to_id in (cast($3 as bigint), $3 + 1) then amount
            when from_id in (cast($3 as bigint), $3 + 1) then -amount else 0 end) as bigint)
        from transfers where cause_kind = $1 and cause_id = $2";
    let wallet = domain::ledger::LedgerAccount::Wallet(account).id();
    let params = [(CauseKind::Refund as i64).into(), id.0.into(), wallet.into()];
    let row = conn.one(sql, &params).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(match (row.opt_int(0)?, row.opt_int(1)?) {
        (Some(at), Some(amount)) => Some((Moment(at), Credits(amount))),
        _ => None,
    })
}
