//! Messages: stored when accepted, moved forward by what carriers say of them.

use domain::credits::Credits;
use domain::delivery_report::ReportState;
use domain::id::{AccountId, MessageId};
use domain::message::{MessageClass, MessageStatus};
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;

use crate::db::{Bulk, Conn, Error, Kind, Question, Result, Row, Tx, Value};

/// A message as it is accepted. Texts are borrowed: those of one request share them.
#[derive(Clone, Debug)]
pub struct NewMessage<'a> {
    /// Its number.
    pub id: MessageId,
    /// Whose it is.
    pub account: AccountId,
    /// The main account of its tree.
    pub root: AccountId,
    /// The first message of its request, by which the charge is known.
    pub batch: MessageId,
    /// Who it says it is from.
    pub sender: &'a str,
    /// To whom.
    pub recipient: PhoneNumber,
    /// The text, or octets in hexadecimal.
    pub text: &'a str,
    /// How it is written on the air ([`domain::text::Alphabet::code`]).
    pub alphabet: i64,
    /// The caller's own header, in hexadecimal.
    pub udh: Option<&'a str>,
    /// Whether it is shown at once.
    pub flash: bool,
    /// Segments.
    pub segments: i64,
    /// What its account pays for it.
    pub price: Credits,
    /// How much of that was free credit.
    pub promo: Credits,
    /// The price row it was charged by.
    pub price_row: i64,
    /// What each account of the path pays, where they differ: see [`levels_text`].
    pub levels: Option<&'a str>,
    /// How urgent.
    pub class: MessageClass,
    /// Its tag.
    pub label: Option<&'a str>,
    /// The caller's name for it.
    pub foreign_id: Option<&'a str>,
    /// The program that sent it.
    pub connection: &'a str,
    /// The country it goes to, as ISO 3166 says it; empty when none.
    pub country: &'a str,
    /// The network it goes to, as MCC and MNC; empty when not known.
    pub network: &'a str,
    /// How long to try.
    pub validity_minutes: i64,
    /// When it was accepted.
    pub created_at: Moment,
    /// When it is to be sent.
    pub send_at: Moment,
    /// Where it is: queued or scheduled.
    pub status: MessageStatus,
}

static INSERT: Bulk = Bulk::insert(
    "messages",
    &[
        ("id", Kind::Int),
        ("account_id", Kind::Int),
        ("root_id", Kind::Int),
        ("batch_id", Kind::Int),
        ("sender", Kind::Text),
        ("recipient", Kind::Int),
        ("text", Kind::Text),
        ("alphabet", Kind::Int),
        ("udh", Kind::Text),
        ("flash", Kind::Int),
        ("segments", Kind::Int),
        ("price", Kind::Int),
        ("promo", Kind::Int),
        ("price_row_id", Kind::Int),
        ("levels", Kind::Text),
        ("class", Kind::Int),
        ("label", Kind::Text),
        ("foreign_id", Kind::Text),
        ("connection", Kind::Text),
        ("country", Kind::Text),
        ("network", Kind::Text),
        ("validity_minutes", Kind::Int),
        ("created_at", Kind::Int),
        ("send_at", Kind::Int),
        ("status", Kind::Int),
    ],
    "",
);

/// Stores accepted messages.
pub async fn insert(tx: &mut Tx, messages: &[NewMessage<'_>]) -> Result<()> {
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(messages.len() * 25);
    for m in messages {
        let row: [Value<'_>; 25] = [
            m.id.0.into(),
            m.account.0.into(),
            m.root.0.into(),
            m.batch.0.into(),
            m.sender.into(),
            m.recipient.as_i64().into(),
            m.text.into(),
            m.alphabet.into(),
            m.udh.into(),
            m.flash.into(),
            m.segments.into(),
            m.price.0.into(),
            m.promo.0.into(),
            m.price_row.into(),
            m.levels.into(),
            m.class.code().into(),
            m.label.into(),
            m.foreign_id.into(),
            m.connection.into(),
            m.country.into(),
            m.network.into(),
            m.validity_minutes.into(),
            m.created_at.0.into(),
            m.send_at.0.into(),
            m.status.code().into(),
        ];
        cells.extend(row);
    }
    tx.bulk(&INSERT, &cells).await
}

/// What each account of a path pays for a message, as stored: `id:millionths` pairs, root first.
pub fn levels_text(levels: &[(AccountId, Credits)]) -> String {
    levels.iter().map(|(account, amount)| format!("{}:{}", account.0, amount.0)).collect::<Vec<_>>().join(",")
}

pub(crate) fn levels_of(text: &str) -> Option<Vec<(AccountId, Credits)>> {
    let pair = |pair: &str| {
        let (account, amount) = pair.split_once(':')?;
        Some((AccountId(account.parse().ok()?), Credits(amount.parse().ok()?)))
    };
    text.split(',').map(pair).collect()
}

// By the index of recipients, which begins with the tree: `+ 0` keeps the engines from the one of accounts.
static RECENT: Bulk = Bulk::select(
    &[
        ("number", Kind::Int),
        ("account_id", Kind::Int),
        ("root_id", Kind::Int),
        ("recipient", Kind::Int),
        ("since", Kind::Int),
        ("text", Kind::Text),
    ],
    "select $1, 0 from messages where root_id = $3 and recipient = $4 and created_at > $5 and account_id + 0 = $2
        and text = $6 and status not in (7, 9) limit 1",
    "select distinct input.number, 0::bigint from {rows} join messages m on m.root_id = input.root_id
        and m.recipient = input.recipient and m.created_at > input.since and m.account_id + 0 = input.account_id
        and m.text = input.text and m.status not in (7, 9)",
);
static TODAY: Bulk = Bulk::select(
    &[
        ("number", Kind::Int),
        ("account_id", Kind::Int),
        ("root_id", Kind::Int),
        ("recipient", Kind::Int),
        ("since", Kind::Int),
    ],
    "select $1, count(*) from messages where root_id = $3 and recipient = $4 and created_at >= $5
        and account_id + 0 = $2 and status not in (7, 9)",
    "select input.number, count(m.id) from {rows} join messages m on m.root_id = input.root_id
        and m.recipient = input.recipient and m.created_at >= input.since
        and m.account_id + 0 = input.account_id and m.status not in (7, 9)
        group by input.number",
);

/// A question about what a recipient has had.
#[derive(Clone, Copy, Debug)]
pub struct Had<'a> {
    /// The asker's number for the question.
    pub number: i64,
    /// From whom.
    pub account: AccountId,
    /// The main account of its tree.
    pub root: AccountId,
    /// The recipient.
    pub recipient: PhoneNumber,
    /// Since when.
    pub since: Moment,
    /// Which text.
    pub text: &'a str,
}

impl<'a> Had<'a> {
    fn head(&self) -> [Value<'a>; 5] {
        let Had { number, account, root, recipient, since, .. } = *self;
        [number, account.0, root.0, recipient.as_i64(), since.0].map(Value::Int)
    }
}

/// The numbers of those whose recipient has had that very text since then (what was refused or
/// cancelled does not count).
pub fn had_text<'a>(had: &[Had<'a>]) -> Question<'a, Vec<i64>> {
    let cells = had.iter().flat_map(|q| q.head().into_iter().chain([q.text.into()]));
    Question::new(&RECENT, cells.collect(), |rows| rows.iter().map(|row| row.int(0)).collect())
}

/// How many messages the recipient of each number has had since then, of any text.
pub fn had_count<'a>(had: &[Had<'a>]) -> Question<'a, Vec<(i64, i64)>> {
    let cells = had.iter().flat_map(Had::head);
    Question::new(&TODAY, cells.collect(), |rows| {
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    })
}

/// What must be known of a message to move it forward.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its number.
    pub id: MessageId,
    /// Whose it is.
    pub account: AccountId,
    /// Who it says it is from.
    pub sender: String,
    /// To whom.
    pub recipient: PhoneNumber,
    /// Segments.
    pub segments: i64,
    /// What its account paid.
    pub price: Credits,
    /// How much of that was free credit.
    pub promo: Credits,
    /// What each account of the path paid, root first; only the account's own when all paid the same.
    pub levels: Vec<(AccountId, Credits)>,
    /// Its tag; empty when none.
    pub label: String,
    /// The country it goes to.
    pub country: String,
    /// The network it goes to.
    pub network: String,
    /// When it was accepted.
    pub created_at: Moment,
    /// When it was to be sent.
    pub send_at: Moment,
    /// Where it is.
    pub status: MessageStatus,
    /// The last word of the carrier.
    pub report: Option<ReportState>,
}

static LOCK: Bulk = Bulk::select(
    &[("id", Kind::Int)],
    "select id, account_id, sender, recipient, segments, price, promo, levels, label, country, network,
        created_at, status, report, send_at from messages where id = $1",
    "select m.id, m.account_id, m.sender, m.recipient, m.segments, m.price, m.promo, m.levels, m.label, m.country,
        m.network, m.created_at, m.status, m.report, m.send_at from {rows} join messages m on m.id = input.id
        order by m.id for update of m",
);

/// Reads messages to move them forward, and locks them. `ids` are in their order.
pub fn lock<'a>(ids: impl IntoIterator<Item = i64>) -> Question<'a, Vec<Known>> {
    let cells = ids.into_iter().map(Value::from).collect();
    Question::new(&LOCK, cells, |rows| rows.into_iter().map(known).collect())
}

fn known(mut row: Row) -> Result<Known> {
    let account = AccountId(row.int(1)?);
    let price = Credits(row.int(5)?);
    let levels = match row.opt_text(7)? {
        None => vec![(account, price)],
        Some(text) => levels_of(&text).ok_or_else(|| Error::unreadable("messages.levels", &text))?,
    };
    Ok(Known {
        id: MessageId(row.int(0)?),
        account,
        sender: row.take_text(2),
        recipient: recipient(row.int(3)?)?,
        segments: row.int(4)?,
        price,
        promo: Credits(row.int(6)?),
        levels,
        label: row.take_text(8),
        country: row.take_text(9),
        network: row.take_text(10),
        created_at: Moment(row.int(11)?),
        send_at: Moment(row.int(14)?),
        status: status(row.int(12)?)?,
        report: row.opt_int(13)?.and_then(ReportState::from_code),
    })
}

pub(crate) fn recipient(digits: i64) -> Result<PhoneNumber> {
    PhoneNumber::from_i64(digits).ok_or_else(|| Error::unreadable("messages.recipient", digits))
}

pub(crate) fn status(code: i64) -> Result<MessageStatus> {
    MessageStatus::from_code(code).ok_or_else(|| Error::unreadable("messages.status", code))
}

/// A carrier that has taken a message whole.
#[derive(Clone, Copy, Debug)]
pub struct Submitted<'a> {
    /// Which message.
    pub id: MessageId,
    /// Who took it.
    pub carrier: &'a str,
    /// When.
    pub at: Moment,
}

static SUBMITTED: Bulk = Bulk::written(
    "messages",
    &[("id", Kind::Int), ("status", Kind::Int), ("carrier", Kind::Text), ("submitted_at", Kind::Int)],
    "update messages set status = $2, carrier = $3, submitted_at = $4 where id = $1 and status < 3",
    "update messages as m set status = input.status, carrier = input.carrier, submitted_at = input.submitted_at
        from {rows} where m.id = input.id and m.status < 3",
);

/// Marks messages as taken. One that is past that stays as it is: another node took it over because
/// this one was away too long.
pub async fn submitted(tx: &mut Tx, taken: &[Submitted<'_>]) -> Result<()> {
    let cells: Vec<Value<'_>> = taken
        .iter()
        .flat_map(|t| {
            [t.id.0.into(), MessageStatus::Submitted.code().into(), t.carrier.into(), t.at.0.into()]
        })
        .collect();
    tx.bulk(&SUBMITTED, &cells).await
}

/// A move of a message, decided by the caller against [`Known`].
#[derive(Clone, Debug)]
pub struct Move<'a> {
    /// Which.
    pub id: MessageId,
    /// Who took it, where that was just now.
    pub submitted: Option<Submitted<'a>>,
    /// Whither.
    pub status: MessageStatus,
    /// The word that counts now.
    pub report: Option<ReportState>,
    /// When that was.
    pub report_at: Option<Moment>,
    /// What went wrong.
    pub error: Option<&'a str>,
    /// When it came to its end.
    pub done_at: Option<Moment>,
}

static MOVE: Bulk = Bulk::update(
    "messages",
    &[("id", Kind::Int)],
    &[
        ("status", Kind::Int),
        ("report", Kind::Int),
        ("report_at", Kind::Int),
        ("error", Kind::Text),
        ("done_at", Kind::Int),
    ],
);
static MOVE_SUBMITTED: Bulk = Bulk::update(
    "messages",
    &[("id", Kind::Int)],
    &[
        ("status", Kind::Int),
        ("report", Kind::Int),
        ("report_at", Kind::Int),
        ("error", Kind::Text),
        ("done_at", Kind::Int),
        ("carrier", Kind::Text),
        ("submitted_at", Kind::Int),
    ],
);

/// Moves messages.
pub async fn advance(tx: &mut Tx, moves: &[Move<'_>]) -> Result<()> {
    let (mut moved, mut submitted) = (Vec::new(), Vec::new());
    for m in moves {
        let cells = if m.submitted.is_some() { &mut submitted } else { &mut moved };
        let row: [Value<'_>; 6] = [
            m.id.0.into(),
            m.status.code().into(),
            m.report.map(ReportState::code).into(),
            m.report_at.map(|at| at.0).into(),
            m.error.into(),
            m.done_at.map(|at| at.0).into(),
        ];
        cells.extend(row);
        if let Some(taken) = m.submitted {
            cells.extend([Value::from(taken.carrier), Value::from(taken.at.0)]);
        }
    }
    tx.bulk(&MOVE, &moved).await?;
    tx.bulk(&MOVE_SUBMITTED, &submitted).await
}

/// Marks messages that are sent once more although they may have been sent.
pub async fn possible_duplicates(tx: &mut Tx, ids: &[i64]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "update messages set possible_duplicate = 1 where id in list($1)";
    tx.execute(sql, &[ids.into()]).await.map(drop)
}

/// How many messages an account has scheduled whose time has not come.
pub async fn scheduled(conn: &mut Conn, account: AccountId) -> Result<i64> {
    let sql = "select count(*) from outbox o join messages m on m.id = o.message_id
        where m.account_id = $1 and o.node_id = -1";
    conn.number(sql, &[account.0.into()]).await
}

/// How many messages an account still has under way or scheduled.
pub async fn under_way(conn: &mut Conn, account: AccountId) -> Result<i64> {
    let sql = "select count(*) from outbox o join messages m on m.id = o.message_id where m.account_id = $1";
    conn.number(sql, &[account.0.into()]).await
}
