//! Visits from above: who stepped into an account and until when, and the yeses that an account which
//! wants to be asked has given.

use domain::id::{AccountId, LoginId};
use domain::moment::Moment;

use crate::counters;
use crate::db::{Conn, Error, Result, Row, Tx, Value};

/// Somebody from above in an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its number.
    pub id: i64,
    /// The account they are in.
    pub account: AccountId,
    /// The account above that they come from.
    pub above: AccountId,
    /// Who.
    pub login: LoginId,
    /// The browser.
    pub session: i64,
    /// The yes they came in by, where one was needed.
    pub grant: Option<i64>,
    /// Why, as they said.
    pub reason: String,
    /// When they stepped in.
    pub began_at: Moment,
    /// When they are led out.
    pub ends_at: Moment,
    /// When they stepped out.
    pub ended_at: Option<Moment>,
}

/// What became of a question for access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantState {
    /// It is not answered.
    Asked,
    /// Yes, until [`Grant::expires_at`].
    Granted,
    /// No.
    Refused,
    /// Yes, and then no longer.
    Withdrawn,
    /// Nobody was asked: the glass was broken.
    Broken,
}

impl GrantState {
    /// All, in the order of their codes.
    pub const ALL: [GrantState; 5] = [
        GrantState::Asked,
        GrantState::Granted,
        GrantState::Refused,
        GrantState::Withdrawn,
        GrantState::Broken,
    ];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The state of a number in the books.
    pub fn from_code(code: i64) -> Option<GrantState> {
        usize::try_from(code).ok().and_then(|i| GrantState::ALL.get(i)).copied()
    }

    /// The word people and programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            GrantState::Asked => "asked",
            GrantState::Granted => "granted",
            GrantState::Refused => "refused",
            GrantState::Withdrawn => "withdrawn",
            GrantState::Broken => "broken",
        }
    }
}

/// A question for access, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its number.
    pub id: i64,
    /// The account that was asked.
    pub account: AccountId,
    /// The account above that it is for.
    pub above: AccountId,
    /// Who asked.
    pub login: LoginId,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Why, as they said.
    pub reason: String,
    /// What became of it.
    pub state: GrantState,
    /// When it was asked.
    pub asked_at: Moment,
    /// Who answered.
    pub answered_by: Option<LoginId>,
    /// When.
    pub answered_at: Option<Moment>,
    /// Until when the question stands, or the yes counts.
    pub expires_at: Option<Moment>,
}

impl Grant {
    /// Whether it opens the account at this time.
    pub fn is_live(&self, now: Moment) -> bool {
        matches!(self.state, GrantState::Granted | GrantState::Broken)
            && self.expires_at.is_some_and(|end| now < end)
    }

    /// Whether it still waits for an answer.
    pub fn waits(&self, now: Moment) -> bool {
        self.state == GrantState::Asked && self.expires_at.is_none_or(|end| now < end)
    }
}

const VISIT: &str = "v.id, v.account_id, v.above_id, v.login_id, v.session_id, v.grant_id, v.reason, v.began_at, v.ends_at, v.ended_at";
/// How many columns that is.
const VISIT_WIDTH: usize = 10;
const GRANT: &str =
    "g.id, g.account_id, g.above_id, g.login_id, l.name, l.email, g.reason, g.state, g.asked_at,
    g.answered_by, g.answered_at, g.expires_at";

fn visit(row: &mut Row) -> Result<Visit> {
    Ok(Visit {
        id: row.int(0)?,
        account: AccountId(row.int(1)?),
        above: AccountId(row.int(2)?),
        login: LoginId(row.int(3)?),
        session: row.int(4)?,
        grant: row.opt_int(5)?,
        reason: row.take_text(6),
        began_at: Moment(row.int(7)?),
        ends_at: Moment(row.int(8)?),
        ended_at: row.opt_int(9)?.map(Moment),
    })
}

fn grant(mut row: Row) -> Result<Grant> {
    let state = row.int(7)?;
    Ok(Grant {
        id: row.int(0)?,
        account: AccountId(row.int(1)?),
        above: AccountId(row.int(2)?),
        login: LoginId(row.int(3)?),
        name: row.take_text(4),
        email: row.take_text(5),
        reason: row.take_text(6),
        state: GrantState::from_code(state).ok_or_else(|| Error::unreadable("access_grants.state", state))?,
        asked_at: Moment(row.int(8)?),
        answered_by: row.opt_int(9)?.map(LoginId),
        answered_at: row.opt_int(10)?.map(Moment),
        expires_at: row.opt_int(11)?.map(Moment),
    })
}

/// Notes that somebody steps in; the number it has is drawn now and stands in what is given back.
pub async fn insert(tx: &mut Tx, new: Visit) -> Result<Visit> {
    let id = counters::draw(tx, "id", 1).await?;
    tx.execute(
        "insert into visits (id, account_id, above_id, login_id, session_id, grant_id, reason, began_at, ends_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            id.into(),
            new.account.0.into(),
            new.above.0.into(),
            new.login.0.into(),
            new.session.into(),
            new.grant.into(),
            Value::from(&new.reason),
            new.began_at.0.into(),
            new.ends_at.0.into(),
        ],
    )
    .await?;
    Ok(Visit { id, ..new })
}

/// The visit that a browser is on in an account.
pub async fn current(
    conn: &mut Conn,
    session: i64,
    account: AccountId,
    now: Moment,
) -> Result<Option<Visit>> {
    let sql = format!(
        "select {VISIT} from visits v
        where v.session_id = $1 and v.account_id = $2 and v.ended_at is null and v.ends_at > $3
        order by v.id desc limit 1"
    );
    let row = conn.one(&sql, &[session.into(), account.0.into(), now.0.into()]).await?;
    row.map(|mut row| visit(&mut row)).transpose()
}

/// All visits that a browser is on.
pub async fn of_session(conn: &mut Conn, session: i64, now: Moment) -> Result<Vec<Visit>> {
    let sql = format!(
        "select {VISIT} from visits v
        where v.session_id = $1 and v.ended_at is null and v.ends_at > $2 order by v.id"
    );
    let rows = conn.query(&sql, &[session.into(), now.0.into()]).await?;
    rows.into_iter().map(|mut row| visit(&mut row)).collect()
}

/// Ends a visit. Tells whether it was still on.
pub async fn end(tx: &mut Tx, id: i64, now: Moment) -> Result<bool> {
    let sql = "update visits set ended_at = $2 where id = $1 and ended_at is null and ends_at > $2";
    Ok(tx.execute(sql, &[id.into(), now.0.into()]).await? == 1)
}

/// Ends the visits that a yes has opened.
pub async fn end_of_grant(tx: &mut Tx, account: AccountId, grant: i64, now: Moment) -> Result<u64> {
    let sql = "update visits set ended_at = $3
        where account_id = $1 and grant_id = $2 and ended_at is null and ends_at > $3";
    tx.execute(sql, &[account.0.into(), grant.into(), now.0.into()]).await
}

/// Ends the visits in an account that no live yes has opened.
pub async fn end_ungranted(tx: &mut Tx, account: AccountId, now: Moment) -> Result<u64> {
    let sql = "update visits set ended_at = $2
        where account_id = $1 and grant_id is null and ended_at is null and ends_at > $2";
    tx.execute(sql, &[account.0.into(), now.0.into()]).await
}

/// Ends what somebody is on as a member of an account above.
pub async fn end_from(tx: &mut Tx, above: AccountId, login: LoginId, now: Moment) -> Result<u64> {
    let sql = "update visits set ended_at = $3
        where login_id = $2 and above_id = $1 and ended_at is null and ends_at > $3";
    tx.execute(sql, &[above.0.into(), login.0.into(), now.0.into()]).await
}

/// A visit, who it was, and from where: a line of the list that an account's members see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The visit.
    pub visit: Visit,
    /// The visitor's name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// The name of the account they came from.
    pub above_name: String,
    /// Whether they came in without being let in.
    pub glass_broken: bool,
}

/// The visits in an account before one of them, the newest first.
pub async fn page(conn: &mut Conn, account: AccountId, before: Option<i64>, limit: i64) -> Result<Vec<Line>> {
    let sql = format!(
        "select {VISIT}, l.name, l.email, coalesce(nullif(a.company, ''), a.owner), coalesce(g.state, -1)
        from visits v
        join logins l on l.id = v.login_id
        join accounts a on a.id = v.above_id
        left join access_grants g on g.id = v.grant_id
        where v.account_id = $1 and v.id < $2
        order by v.id desc limit $3"
    );
    let rows = conn.query(&sql, &[account.0.into(), before.unwrap_or(i64::MAX).into(), limit.into()]).await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(Line {
                visit: visit(&mut row)?,
                name: row.take_text(VISIT_WIDTH),
                email: row.take_text(VISIT_WIDTH + 1),
                above_name: row.take_text(VISIT_WIDTH + 2),
                glass_broken: row.int(VISIT_WIDTH + 3)? == GrantState::Broken.code(),
            })
        })
        .collect()
}

/// A question for access to be stored, or the glass that was broken.
#[derive(Clone, Copy, Debug)]
pub struct NewGrant<'a> {
    /// The account that is asked.
    pub account: AccountId,
    /// The account above that it is for.
    pub above: AccountId,
    /// Who asks.
    pub login: LoginId,
    /// Why.
    pub reason: &'a str,
    /// Asked or broken.
    pub state: GrantState,
    /// Until when the question stands, or the yes counts.
    pub expires_at: Moment,
}

/// Stores a question for access. Gives its number.
pub async fn ask(tx: &mut Tx, new: &NewGrant<'_>, now: Moment) -> Result<i64> {
    let id = counters::draw(tx, "id", 1).await?;
    tx.execute(
        "insert into access_grants (id, account_id, above_id, login_id, reason, state, asked_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            id.into(),
            new.account.0.into(),
            new.above.0.into(),
            new.login.0.into(),
            new.reason.into(),
            new.state.code().into(),
            now.0.into(),
            new.expires_at.0.into(),
        ],
    )
    .await?;
    Ok(id)
}

/// The question of a number, held until the end of the transaction.
pub async fn hold_grant(tx: &mut Tx, id: i64) -> Result<Option<Grant>> {
    // Held first by itself: not every engine locks one table of a join.
    tx.query("select id from access_grants where id = $1 {lock}", &[id.into()]).await?;
    let sql =
        format!("select {GRANT} from access_grants g join logins l on l.id = g.login_id where g.id = $1");
    tx.one(&sql, &[id.into()]).await?.map(grant).transpose()
}

/// The questions somebody from an account above has put to an account, the newest first.
pub async fn grants_of(
    conn: &mut Conn,
    account: AccountId,
    above: AccountId,
    login: LoginId,
    limit: i64,
) -> Result<Vec<Grant>> {
    let sql = format!(
        "select {GRANT} from access_grants g join logins l on l.id = g.login_id
        where g.account_id = $1 and g.above_id = $2 and g.login_id = $3 order by g.id desc limit $4"
    );
    let params = [account.0.into(), above.0.into(), login.0.into(), limit.into()];
    conn.query(&sql, &params).await?.into_iter().map(grant).collect()
}

/// The questions put to an account before one of them, the newest first.
pub async fn grants(
    conn: &mut Conn,
    account: AccountId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Grant>> {
    let sql = format!(
        "select {GRANT} from access_grants g join logins l on l.id = g.login_id
        where g.account_id = $1 and g.id < $2 order by g.id desc limit $3"
    );
    let params = [account.0.into(), before.unwrap_or(i64::MAX).into(), limit.into()];
    conn.query(&sql, &params).await?.into_iter().map(grant).collect()
}

/// Whether an account above has a live yes of an account.
pub async fn any_live(conn: &mut Conn, account: AccountId, above: AccountId, now: Moment) -> Result<bool> {
    let sql = "select 1 from access_grants
        where account_id = $1 and above_id = $2 and state = 1 and expires_at > $3 limit 1";
    Ok(conn.one(sql, &[account.0.into(), above.0.into(), now.0.into()]).await?.is_some())
}

/// Answers a question, or takes a yes back.
pub async fn answer(
    tx: &mut Tx,
    id: i64,
    state: GrantState,
    by: Option<LoginId>,
    expires_at: Moment,
    now: Moment,
) -> Result<()> {
    let sql = "update access_grants set state = $2, answered_by = $3, answered_at = $4, expires_at = $5
        where id = $1";
    let params = [id.into(), state.code().into(), by.map(|l| l.0).into(), now.0.into(), expires_at.0.into()];
    tx.execute(sql, &params).await.map(drop)
}
