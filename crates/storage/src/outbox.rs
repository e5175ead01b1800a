//! The outbox: messages that are still to be handed to a carrier. A row is made with its message,
//! and goes when the carrier's answer is stored, so that a crash leaves it behind to be found.

use std::collections::HashMap;
use std::sync::Arc;

use domain::id::{AccountId, MessageId, NodeId};
use domain::message::MessageClass;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;
use domain::text::{Alphabet, Content, octets_of_hex};

use crate::db::{Bulk, Conn, Error, Kind, Result, Row, Tx, Value};

/// Nobody has it in hand.
pub const NOBODY: NodeId = NodeId(0);
/// Its time has not come.
pub const LATER: NodeId = NodeId(-1);

/// A message on its way to a carrier.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Which.
    pub id: MessageId,
    /// Whose.
    pub account: AccountId,
    /// Of which tree.
    pub root: AccountId,
    /// How urgent.
    pub class: MessageClass,
    /// Who it says it is from.
    pub sender: Arc<str>,
    /// To whom.
    pub recipient: PhoneNumber,
    /// The text or octets.
    pub content: Arc<Content>,
    /// Whether it is shown at once.
    pub flash: bool,
    /// Segments.
    pub segments: u8,
    /// How long a carrier may try, in minutes.
    pub validity_minutes: u32,
    /// Until when it may be tried.
    pub expires_at: Moment,
    /// How often it was handed over, as stored.
    pub attempts: i64,
    /// Which parts a carrier has taken in an earlier run, and which carrier.
    pub taken: Vec<u8>,
    /// The country it goes to; empty when none.
    pub country: Arc<str>,
}

/// A row of the outbox.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Which message.
    pub message: MessageId,
    /// Of which tree.
    pub root: AccountId,
    /// How urgent.
    pub class: MessageClass,
    /// When it is to be sent.
    pub due_at: Moment,
    /// Who has it in hand.
    pub node: NodeId,
    /// How often it was handed over.
    pub attempts: i64,
}

static INSERT: Bulk = Bulk::insert(
    "outbox",
    &[
        ("message_id", Kind::Int),
        ("root_id", Kind::Int),
        ("class", Kind::Int),
        ("due_at", Kind::Int),
        ("node_id", Kind::Int),
        ("attempts", Kind::Int),
    ],
    "",
);

/// Puts messages in.
pub async fn insert(tx: &mut Tx, entries: &[Entry]) -> Result<()> {
    let cells: Vec<Value<'_>> = entries
        .iter()
        .flat_map(|e| {
            [
                e.message.0.into(),
                e.root.0.into(),
                e.class.code().into(),
                e.due_at.0.into(),
                e.node.0.into(),
                e.attempts.into(),
            ]
        })
        .collect();
    tx.bulk(&INSERT, &cells).await
}

static MARK: Bulk = Bulk::update("outbox", &[("message_id", Kind::Int)], &[("attempts", Kind::Int)]);

/// Notes how often messages were handed over, before the first byte of them leaves.
pub async fn mark(tx: &mut Tx, marks: &[(MessageId, i64)]) -> Result<()> {
    let cells: Vec<Value<'_>> =
        marks.iter().flat_map(|(id, attempts)| [id.0.into(), (*attempts).into()]).collect();
    tx.bulk(&MARK, &cells).await
}

static DELETE: Bulk = Bulk::delete("outbox", &[("message_id", Kind::Int)]);

/// Takes messages out: their answers are stored.
pub async fn remove(tx: &mut Tx, ids: &[MessageId]) -> Result<()> {
    let cells: Vec<Value<'_>> = ids.iter().map(|id| id.0.into()).collect();
    tx.bulk(&DELETE, &cells).await
}

/// Takes out those of these messages whose time has not come, and tells which they were.
pub async fn withdraw(tx: &mut Tx, ids: &[i64]) -> Result<Vec<MessageId>> {
    let sql = "delete from outbox where message_id in list($1) and node_id = -1 returning message_id";
    tx.query(sql, &[ids.into()]).await?.iter().map(|row| row.int(0).map(MessageId)).collect()
}

/// The trees that have messages waiting in nobody's hand, by class.
pub async fn waiting_trees(conn: &mut Conn) -> Result<Vec<(MessageClass, AccountId)>> {
    let sql = "select distinct class, root_id from outbox where node_id = 0";
    let rows = conn.query(sql, &[]).await?;
    rows.iter().map(|row| Ok((class(row.int(0)?)?, AccountId(row.int(1)?)))).collect()
}

/// Takes up to `limit` messages of a tree and class in hand, the oldest first.
pub async fn claim(
    tx: &mut Tx,
    node: NodeId,
    class: MessageClass,
    root: AccountId,
    limit: i64,
) -> Result<Vec<Waiting>> {
    let skip = if tx.is_sqlite() { "" } else { "for update skip locked" };
    let sql = format!(
        "update outbox set node_id = $1 where message_id in (
            select message_id from outbox where node_id = 0 and class = $2 and root_id = $3
            order by message_id limit $4 {skip})
        returning message_id"
    );
    let rows = tx.query(&sql, &[node.0.into(), class.code().into(), root.0.into(), limit.into()]).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_>>()?;
    waiting(tx, &ids).await
}

/// Moves messages whose time has come into nobody's hand. Gives their ids and accounts.
pub async fn due(conn: &mut Conn, now: Moment, limit: i64) -> Result<Vec<(MessageId, AccountId)>> {
    let sql = "select o.message_id, m.account_id from outbox o join messages m on m.id = o.message_id
        where o.node_id = -1 and o.due_at <= $1 order by o.due_at limit $2";
    let rows = conn.query(sql, &[now.0.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((MessageId(row.int(0)?), AccountId(row.int(1)?)))).collect()
}

/// Makes scheduled messages ready, or puts their time off.
pub async fn set_due(tx: &mut Tx, ids: &[i64], put_off_to: Option<Moment>) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    match put_off_to {
        None => {
            let sql = "update outbox set node_id = 0 where message_id in list($1) and node_id = -1";
            tx.execute(sql, &[ids.into()]).await
        }
        Some(at) => {
            let sql = "update outbox set due_at = $2 where message_id in list($1) and node_id = -1";
            tx.execute(sql, &[ids.into(), at.0.into()]).await
        }
    }
    .map(drop)
}

/// A message found in a dead node's hand.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Which.
    pub message: MessageId,
    /// How urgent.
    pub class: MessageClass,
    /// How often it was handed over.
    pub attempts: i64,
}

/// Messages in the hands of nodes that are not alive, up to `limit`. One statement sees both as they are
/// at one moment: a node that has just entered has nothing that it would take for left behind.
pub async fn left_behind(tx: &mut Tx, limit: i64) -> Result<Vec<Left>> {
    let sql = "select message_id, class, attempts from outbox
        where node_id > 0 and not exists (select 1 from nodes where nodes.id = outbox.node_id)
        order by message_id limit $1 {lock}";
    let rows = tx.query(sql, &[limit.into()]).await?;
    let left = |row: &Row| {
        Ok(Left { message: MessageId(row.int(0)?), class: class(row.int(1)?)?, attempts: row.int(2)? })
    };
    rows.iter().map(left).collect()
}

/// Gives messages back into nobody's hand.
pub async fn give_back(tx: &mut Tx, ids: &[i64]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    tx.execute("update outbox set node_id = 0 where message_id in list($1)", &[ids.into()]).await.map(drop)
}

/// Takes messages in a node's hand as they are.
pub async fn take(tx: &mut Tx, ids: &[i64], node: NodeId) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "update outbox set node_id = $2 where message_id in list($1)";
    tx.execute(sql, &[ids.into(), node.0.into()]).await.map(drop)
}

/// Reads all that is needed to hand messages over.
async fn waiting(conn: &mut Conn, ids: &[i64]) -> Result<Vec<Waiting>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql =
        "select m.id, m.account_id, m.root_id, m.class, m.sender, m.recipient, m.text, m.alphabet, m.udh,
        m.flash, m.segments, m.send_at, m.validity_minutes, o.attempts, m.country
        from messages m join outbox o on o.message_id = m.id where m.id in list($1) order by m.id";
    let rows = conn.query(sql, &[ids.into()]).await?;
    let long: Vec<i64> =
        rows.iter().filter(|r| r.int(10).unwrap_or(1) > 1).map(|r| r.int(0)).collect::<Result<_>>()?;
    let mut taken: HashMap<i64, Vec<u8>> = HashMap::new();
    for (message, part) in crate::segments::taken(conn, &long).await? {
        taken.entry(message.0).or_default().push(part);
    }
    let mut all = Vec::with_capacity(rows.len());
    for mut row in rows {
        let id = row.int(0)?;
        let content = content(row.int(7)?, row.take_text(6), row.opt_text(8)?)?;
        let send_at = Moment(row.int(11)?);
        let validity_minutes = u32::try_from(row.int(12)?).unwrap_or(1);
        let validity = std::time::Duration::from_secs(60 * u64::from(validity_minutes));
        all.push(Waiting {
            id: MessageId(id),
            account: AccountId(row.int(1)?),
            root: AccountId(row.int(2)?),
            class: class(row.int(3)?)?,
            sender: row.take_text(4).into(),
            recipient: crate::messages::recipient(row.int(5)?)?,
            content: Arc::new(content),
            flash: row.flag(9)?,
            segments: u8::try_from(row.int(10)?).map_err(|_| Error::unreadable("messages.segments", id))?,
            validity_minutes,
            expires_at: send_at.after(validity),
            attempts: row.int(13)?,
            taken: taken.remove(&id).unwrap_or_default(),
            country: row.take_text(14).into(),
        });
    }
    Ok(all)
}

fn content(alphabet: i64, text: String, udh: Option<String>) -> Result<Content> {
    let octets = |hex: &str| octets_of_hex(hex).ok_or_else(|| Error::unreadable("messages.text", hex));
    match Alphabet::from_code(alphabet) {
        Some(Alphabet::Binary) => Ok(Content::Binary {
            udh: udh.map(|hex| octets(&hex)).transpose()?.unwrap_or_default(),
            octets: octets(&text)?,
        }),
        Some(alphabet) => Ok(Content::Text { text, alphabet }),
        None => Err(Error::unreadable("messages.alphabet", alphabet)),
    }
}

fn class(code: i64) -> Result<MessageClass> {
    MessageClass::from_code(code).ok_or_else(|| Error::unreadable("outbox.class", code))
}
