//! What is taken out of messages when their time is over: the text, and the digits of the recipient's
//! number. Everything that is counted or paid by stays.
//!
//! Messages have greater numbers the later they are, so an account is gone through once, in the order
//! of the numbers, and how far is remembered.

use domain::id::{AccountId, MessageId};
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;

use crate::db::{Bulk, Conn, Error, Kind, Result, Tx, Value};

/// What stands in place of a text.
pub const TEXT: &str = "[text deleted]";

/// An account that does not keep everything, and how far it is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// The account.
    pub account: AccountId,
    /// How many days it keeps texts.
    pub text_days: Option<i64>,
    /// How many days it keeps numbers.
    pub number_days: Option<i64>,
    /// Texts are out up to this message.
    pub text_to: MessageId,
    /// Numbers are out up to this message.
    pub number_to: MessageId,
}

/// The accounts after one of them that do not keep everything.
pub async fn keepers(conn: &mut Conn, after: AccountId, limit: i64) -> Result<Vec<Keeper>> {
    let sql = "select a.id, a.text_days, a.number_days, coalesce(r.text_to, 0), coalesce(r.number_to, 0)
        from accounts a left join retention r on r.account_id = a.id
        where a.id > $1 and (a.text_days is not null or a.number_days is not null)
        order by a.id limit $2";
    let rows = conn.query(sql, &[after.0.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Keeper {
                account: AccountId(row.int(0)?),
                text_days: row.opt_int(1)?,
                number_days: row.opt_int(2)?,
                text_to: MessageId(row.int(3)?),
                number_to: MessageId(row.int(4)?),
            })
        })
        .collect()
}

/// A message whose time may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The message.
    pub id: MessageId,
    /// Its account.
    pub account: AccountId,
    /// When it was accepted.
    pub created_at: Moment,
    /// Its recipient.
    pub recipient: PhoneNumber,
    /// Whether it is still to be handed to a carrier.
    pub waits: bool,
}

const CANDIDATE: &str = "m.id, m.account_id, m.created_at, m.recipient,
    case when exists (select 1 from outbox o where o.message_id = m.id) then 1 else 0 end";

fn candidate(row: &crate::db::Row) -> Result<Candidate> {
    let digits = row.int(3)?;
    Ok(Candidate {
        id: MessageId(row.int(0)?),
        account: AccountId(row.int(1)?),
        created_at: Moment(row.int(2)?),
        recipient: PhoneNumber::from_i64(digits)
            .ok_or_else(|| Error::unreadable("messages.recipient", digits))?,
        waits: row.flag(4)?,
    })
}

/// The next messages of an account after one of them, in the order of their numbers.
pub async fn next(
    conn: &mut Conn,
    account: AccountId,
    after: MessageId,
    limit: i64,
) -> Result<Vec<Candidate>> {
    let sql = format!(
        "select {CANDIDATE} from messages m where m.account_id = $1 and m.id > $2 order by m.id limit $3"
    );
    let rows = conn.query(&sql, &[account.0.into(), after.0.into(), limit.into()]).await?;
    rows.iter().map(candidate).collect()
}

/// These messages.
pub async fn these(conn: &mut Conn, ids: &[i64]) -> Result<Vec<Candidate>> {
    let sql = format!("select {CANDIDATE} from messages m where m.id in list($1) order by m.id");
    conn.query(&sql, &[ids.into()]).await?.iter().map(candidate).collect()
}

static TEXTS: Bulk = Bulk::update("messages", &[("id", Kind::Int)], &[("text", Kind::Text)]);
static NUMBERS: Bulk = Bulk::update("messages", &[("id", Kind::Int)], &[("recipient", Kind::Int)]);

/// Takes the texts out of messages.
pub async fn take_texts(tx: &mut Tx, messages: &[MessageId]) -> Result<()> {
    let cells: Vec<Value<'_>> = messages.iter().flat_map(|id| [id.0.into(), TEXT.into()]).collect();
    tx.bulk(&TEXTS, &cells).await
}

/// Takes the digits out of the numbers of messages; the calling code and the length stay.
pub async fn take_numbers(tx: &mut Tx, messages: &[(MessageId, PhoneNumber)]) -> Result<()> {
    let cells: Vec<Value<'_>> =
        messages.iter().flat_map(|(id, number)| [id.0.into(), number.blanked().as_i64().into()]).collect();
    tx.bulk(&NUMBERS, &cells).await
}

/// Remembers how far an account is gone through.
pub async fn reached(
    tx: &mut Tx,
    account: AccountId,
    text_to: MessageId,
    number_to: MessageId,
) -> Result<()> {
    tx.execute(
        "insert into retention (account_id, text_to, number_to) values ($1, $2, $3)
        on conflict (account_id) do update set text_to = excluded.text_to, number_to = excluded.number_to",
        &[account.0.into(), text_to.0.into(), number_to.0.into()],
    )
    .await
    .map(drop)
}
