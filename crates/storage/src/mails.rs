//! Mails: written in the transaction that causes them, sent by a worker. The secret of a link (what a
//! password is reset with, say) stands apart from the texts until the mail is sent and is then
//! forgotten. It is sealed, so that a copy of the books opens no door.

use std::time::Duration;

use domain::id::AccountId;
use domain::member::Role;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Conn, Error, Result, Row, Tx, Value};

/// What stands in the texts in place of the secret. No name can hold it: it is of the characters
/// that Unicode keeps for private use.
pub const SECRET: &str = "\u{E000}secret\u{E000}";

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailState {
    /// It is to be sent, now or again later.
    Waiting,
    /// The mail server took it.
    Sent,
    /// There was no mail server; it is here to be read.
    Kept,
    /// It was refused for good, or could not be sent for too long.
    GivenUp,
}

impl MailState {
    /// All, in the order of their codes.
    pub const ALL: [MailState; 4] =
        [MailState::Waiting, MailState::Sent, MailState::Kept, MailState::GivenUp];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The state of a number in the books.
    pub fn from_code(code: i64) -> Option<MailState> {
        usize::try_from(code).ok().and_then(|i| MailState::ALL.get(i)).copied()
    }

    /// The word people read.
    pub fn as_str(self) -> &'static str {
        match self {
            MailState::Waiting => "waiting",
            MailState::Sent => "sent",
            MailState::Kept => "kept",
            MailState::GivenUp => "given up",
        }
    }

    /// The state a word names; `given_up` may be written as one word.
    pub fn parse(word: &str) -> Option<MailState> {
        MailState::ALL.into_iter().find(|state| state.as_str() == word.replace('_', " "))
    }
}

/// A mail to be written down.
#[derive(Clone, Copy, Debug)]
pub struct NewMail<'a> {
    /// The account it is about, if any.
    pub account: Option<AccountId>,
    /// What kind of thing, in a word: `invitation`.
    pub kind: &'a str,
    /// To which address.
    pub recipient: &'a str,
    /// In which language it is written.
    pub language: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// Its text, with [`SECRET`] where the secret belongs.
    pub plain: &'a str,
    /// The same as HTML.
    pub html: &'a str,
    /// What its link opens doors with, sealed.
    pub secret: Option<&'a str>,
}

/// A mail as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its number; later mails have greater ones.
    pub id: i64,
    /// The account it is about, if any.
    pub account: Option<AccountId>,
    /// What kind of thing, in a word.
    pub kind: String,
    /// To which address.
    pub recipient: String,
    /// In which language it is written.
    pub language: String,
    /// Its subject.
    pub subject: String,
    /// Its text, with [`SECRET`] where the secret belongs.
    pub plain: String,
    /// The same as HTML.
    pub html: String,
    /// What its link opens doors with, sealed; forgotten once it is sent.
    pub secret: Option<String>,
    /// What became of it.
    pub state: MailState,
    /// How often it was tried.
    pub attempts: i64,
    /// From when the time to give up is counted.
    pub trying_since: Moment,
    /// When it is tried next, while it waits.
    pub due_at: Moment,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was written.
    pub created_at: Moment,
    /// When it was sent.
    pub sent_at: Option<Moment>,
}

const COLUMNS: &str =
    "id, account_id, kind, recipient, language, subject, plain, html, secret, state, attempts,
    trying_since, due_at, error, created_at, sent_at";

fn mail(mut row: Row) -> Result<Mail> {
    let state = row.int(9)?;
    Ok(Mail {
        id: row.int(0)?,
        account: row.opt_int(1)?.map(AccountId),
        kind: row.take_text(2),
        recipient: row.take_text(3),
        language: row.take_text(4),
        subject: row.take_text(5),
        plain: row.take_text(6),
        html: row.take_text(7),
        secret: row.opt_text(8)?,
        state: MailState::from_code(state).ok_or_else(|| Error::unreadable("mails.state", state))?,
        attempts: row.int(10)?,
        trying_since: Moment(row.int(11)?),
        due_at: Moment(row.int(12)?),
        error: row.opt_text(13)?,
        created_at: Moment(row.int(14)?),
        sent_at: row.opt_int(15)?.map(Moment),
    })
}

/// Writes a mail down, to be sent at once. Gives its number.
pub async fn insert(tx: &mut Tx, new: &NewMail<'_>, now: Moment) -> Result<i64> {
    let id = counters::draw(tx, "id", 1).await?;
    tx.execute(
        "insert into mails (id, account_id, kind, recipient, language, subject, plain, html, secret, state, attempts,
            trying_since, due_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10, $10, $10)",
        &[
            id.into(),
            new.account.map(|a| a.0).into(),
            new.kind.into(),
            new.recipient.into(),
            new.language.into(),
            new.subject.into(),
            new.plain.into(),
            new.html.into(),
            new.secret.into(),
            now.0.into(),
        ],
    )
    .await?;
    Ok(id)
}

/// Whether any mail is due.
pub async fn any_due(conn: &mut Conn, now: Moment) -> Result<bool> {
    let sql = "select 1 from mails where state = 0 and due_at <= $1 limit 1";
    Ok(conn.one(sql, &[now.0.into()]).await?.is_some())
}

/// Takes up to `limit` mails that are due, the longest due first, and counts the try. Until `lease_end`
/// nobody else takes them; by then they are to be sent, put off or given up.
pub async fn claim(tx: &mut Tx, now: Moment, lease_end: Moment, limit: i64) -> Result<Vec<Mail>> {
    let skip = if tx.is_sqlite() { "" } else { "for update skip locked" };
    let sql = format!(
        "update mails set due_at = $2, attempts = attempts + 1 where id in (
            select id from mails where state = 0 and due_at <= $1 order by due_at, id limit $3 {skip})
        returning {COLUMNS}"
    );
    let rows = tx.query(&sql, &[now.0.into(), lease_end.0.into(), limit.into()]).await?;
    let mut claimed = rows.into_iter().map(mail).collect::<Result<Vec<_>>>()?;
    claimed.sort_by_key(|mail| mail.id);
    Ok(claimed)
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried<'a> {
    /// The mail server took it.
    Sent,
    /// There is no mail server; it stays here.
    Kept,
    /// It did not work and is tried again at this moment.
    Again(Moment, &'a str),
    /// It did not work and is not tried again.
    GivenUp(&'a str),
}

/// Notes what became of the try that [`claim`] counted. A later try of the same mail stands above it.
pub async fn note(tx: &mut Tx, claimed: &Mail, tried: Tried<'_>, now: Moment) -> Result<()> {
    let (state, due_at, error) = match tried {
        Tried::Sent => (MailState::Sent, claimed.due_at, None),
        Tried::Kept => (MailState::Kept, claimed.due_at, None),
        Tried::Again(at, why) => (MailState::Waiting, at, Some(why)),
        Tried::GivenUp(why) => (MailState::GivenUp, claimed.due_at, Some(why)),
    };
    let sent_at = (state == MailState::Sent).then_some(now.0);
    tx.execute(
        "update mails set state = $3, due_at = $4, error = $5, sent_at = coalesce($6, sent_at),
            secret = case when $6 is null then secret end
        where id = $1 and attempts = $2 and state = 0",
        &[
            claimed.id.into(),
            claimed.attempts.into(),
            state.code().into(),
            due_at.0.into(),
            error.into(),
            sent_at.into(),
        ],
    )
    .await
    .map(drop)
}

/// A mail.
pub async fn find(conn: &mut Conn, id: i64) -> Result<Option<Mail>> {
    let sql = format!("select {COLUMNS} from mails where id = $1");
    conn.one(&sql, &[id.into()]).await?.map(mail).transpose()
}

/// The mails before one of them, the newest first, those of a state or all. Their texts are left out.
pub async fn page(
    conn: &mut Conn,
    state: Option<MailState>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Mail>> {
    let columns = COLUMNS.replace("plain, html, secret", "'', '', null");
    let mut sql = format!("select {columns} from mails where id < $1");
    let mut params: Vec<Value<'_>> = vec![before.unwrap_or(i64::MAX).into(), limit.into()];
    if let Some(state) = state {
        params.push(state.code().into());
        sql.push_str(" and state = $3");
    }
    sql.push_str(" order by id desc limit $2");
    conn.query(&sql, &params).await?.into_iter().map(mail).collect()
}

/// How many mails are in each state.
pub async fn counts(conn: &mut Conn) -> Result<Vec<(MailState, i64)>> {
    let rows = conn.query("select state, count(*) from mails group by state", &[]).await?;
    let mut counts: Vec<_> = MailState::ALL.into_iter().map(|state| (state, 0)).collect();
    for row in rows {
        let code = row.int(0)?;
        let state = MailState::from_code(code).ok_or_else(|| Error::unreadable("mails.state", code))?;
        counts[state as usize].1 = row.int(1)?;
    }
    Ok(counts)
}

/// How many mails of a kind were written about an account since a moment, to whoever got the most.
pub async fn count_since(conn: &mut Conn, account: AccountId, kind: &str, since: Moment) -> Result<i64> {
    let sql = "select coalesce(max(n), 0) from (select count(*) as n from mails
        where account_id = $1 and kind = $2 and created_at >= $3 group by recipient) counted";
    conn.number(sql, &[account.0.into(), kind.into(), since.0.into()]).await
}

/// Lets a mail be sent once more, at once. False when there is none, or it waits anyway, or its link
/// was for once and is forgotten.
pub async fn send_again(tx: &mut Tx, id: i64, now: Moment) -> Result<bool> {
    let sql = "update mails set state = 0, attempts = 0, trying_since = $2, due_at = $2, error = null
        where id = $1 and state <> 0 and (secret is not null or replace(plain, $3, '') = plain)";
    Ok(tx.execute(sql, &[id.into(), now.0.into(), SECRET.into()]).await? == 1)
}

/// At most `limit` secrets of links that do not begin with a mark: of which mail, to whom, and the secret.
pub async fn secrets_without(conn: &mut Conn, mark: &str, limit: i64) -> Result<Vec<(i64, String, String)>> {
    let sql = "select id, recipient, secret from mails
        where secret is not null and substr(secret, 1, length($1)) <> $1 order by id limit $2";
    let rows = conn.query(sql, &[mark.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?, row.text(2)?))).collect()
}

/// Writes the secret of a link in another way, unless it was changed meanwhile.
pub async fn replace_secret(tx: &mut Tx, id: i64, before: &str, after: &str) -> Result<()> {
    let sql = "update mails set secret = $3 where id = $1 and secret = $2";
    tx.execute(sql, &[id.into(), before.into(), after.into()]).await.map(drop)
}

/// Forgets the secrets that begin with a mark, and gives those of their mails up that wait.
pub async fn give_up_sealed(tx: &mut Tx, mark: &str, why: &str) -> Result<()> {
    let sql = "update mails set secret = null, error = $2, state = case when state = 0 then $3 else state end
        where secret is not null and substr(secret, 1, length($1)) = $1";
    tx.execute(sql, &[mark.into(), why.into(), MailState::GivenUp.code().into()]).await.map(drop)
}

/// Forgets up to `limit` mails that were written before a moment and do not wait. Tells how many.
pub async fn forget(tx: &mut Tx, before: Moment, limit: i64) -> Result<u64> {
    let sql = "delete from mails where id in (
        select id from mails where state <> 0 and created_at < $1 order by id limit $2)";
    tx.execute(sql, &[before.0.into(), limit.into()]).await
}

/// A person to be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their address.
    pub email: String,
    /// Their language, if they chose one.
    pub language: Option<String>,
}

/// The members of an account who have one of these roles, the owner first. Only its own members: whoever
/// stands above is written to as a member of the account above.
pub async fn people(conn: &mut Conn, account: AccountId, roles: &[Role], limit: i64) -> Result<Vec<Person>> {
    let roles: Vec<i64> = roles.iter().map(|role| role.code()).collect();
    let sql = "select l.email, l.language from members m join logins l on l.id = m.login_id
        where m.account_id = $1 and m.role in list($2) and l.disabled_at is null order by m.role, m.id limit $3";
    let rows = conn.query(sql, &[account.0.into(), roles.as_slice().into(), limit.into()]).await?;
    rows.iter().map(|row| Ok(Person { email: row.text(0)?, language: row.opt_text(1)? })).collect()
}

/// What an account says of its language and dates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// Its address, for accounts without members.
    pub email: String,
    /// Its language, if it chose one.
    pub language: Option<String>,
    /// Its time zone, if it chose one.
    pub time_zone: Option<String>,
}

/// What an account says of its language and dates.
pub async fn manners(conn: &mut Conn, account: AccountId) -> Result<Option<Manners>> {
    let sql = "select email, language, time_zone from accounts where id = $1";
    let row = conn.one(sql, &[account.0.into()]).await?;
    row.map(|row| {
        Ok(Manners { email: row.text(0)?, language: row.opt_text(1)?, time_zone: row.opt_text(2)? })
    })
    .transpose()
}

/// How long nobody else takes a mail that was claimed. Longer than any try may last.
pub const LEASE: Duration = Duration::from_secs(300);
