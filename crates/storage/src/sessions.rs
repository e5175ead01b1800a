//! Browsers that are signed in. Of the token a browser holds only its hash is stored.
//!
//! What ends a session, or gives it another token, makes a new version ([`counters::changed`]), so
//! that every process notices.

use domain::id::{LoginId, SessionId};
use domain::login::Step;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Bulk, Conn, Error, Kind, Result, Row, Tx, Value};

const COLUMNS: &str = "id, login_id, step, strong_at, address, agent, created_at, seen_at, revoked_at";

/// A browser's being signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Who is signed in.
    pub login: LoginId,
    /// How far.
    pub step: Step,
    /// When a second factor was shown last.
    pub strong_at: Option<Moment>,
    /// The address it began from.
    pub address: String,
    /// The browser, as it calls itself.
    pub agent: String,
    /// When it began.
    pub created_at: Moment,
    /// When it was last used, to the minute.
    pub seen_at: Moment,
    /// When it was ended.
    pub revoked_at: Option<Moment>,
}

/// Draws the number of a new session.
pub async fn draw_id(tx: &mut Tx) -> Result<SessionId> {
    counters::draw(tx, "id", 1).await.map(SessionId)
}

/// Stores a new session with the hash of its token. Nothing that is remembered changes.
pub async fn insert(tx: &mut Tx, session: &Session, hash: &str) -> Result<()> {
    tx.execute(
        "insert into sessions (id, hash, login_id, step, strong_at, address, agent, created_at, seen_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            session.id.0.into(),
            hash.into(),
            session.login.0.into(),
            session.step.code().into(),
            session.strong_at.map(|at| at.0).into(),
            Value::from(&session.address),
            Value::from(&session.agent),
            session.created_at.0.into(),
            session.seen_at.0.into(),
        ],
    )
    .await
    .map(drop)
}

/// The session whose token has this hash, whether it has ended or not.
pub async fn by_hash(conn: &mut Conn, hash: &str) -> Result<Option<Session>> {
    let sql = format!("select {COLUMNS} from sessions where hash = $1");
    conn.one(&sql, &[hash.into()]).await?.map(session).transpose()
}

/// The sessions of a login that nobody has ended and that began after a moment, the last used first.
pub async fn of_login(conn: &mut Conn, login: LoginId, since: Moment) -> Result<Vec<Session>> {
    let sql = format!(
        "select {COLUMNS} from sessions where login_id = $1 and revoked_at is null and created_at > $2
        order by seen_at desc, id desc"
    );
    conn.query(&sql, &[login.0.into(), since.0.into()]).await?.into_iter().map(session).collect()
}

/// Gives a session that goes on another token, by its hash, and lets it be fully in. False when it
/// has ended, or its token is no longer the one of hash `from`.
pub async fn strengthen(tx: &mut Tx, id: SessionId, from: &str, to: &str, now: Moment) -> Result<bool> {
    let sql = "update sessions set hash = $3, step = 1, strong_at = $4, seen_at = $4
        where id = $1 and hash = $2 and revoked_at is null";
    let done = tx.execute(sql, &[id.0.into(), from.into(), to.into(), now.0.into()]).await? == 1;
    if done {
        counters::changed(tx).await?;
    }
    Ok(done)
}

/// Ends the session whose token has this hash. False when there is none that goes on.
pub async fn revoke_by_hash(tx: &mut Tx, hash: &str, now: Moment) -> Result<bool> {
    let sql = "update sessions set revoked_at = $2 where hash = $1 and revoked_at is null";
    let done = tx.execute(sql, &[hash.into(), now.0.into()]).await? == 1;
    if done {
        counters::changed(tx).await?;
    }
    Ok(done)
}

/// Ends a session of a login. False when the login has no such session that goes on.
pub async fn revoke(tx: &mut Tx, login: LoginId, id: SessionId, now: Moment) -> Result<bool> {
    let sql = "update sessions set revoked_at = $3 where id = $1 and login_id = $2 and revoked_at is null";
    let done = tx.execute(sql, &[id.0.into(), login.0.into(), now.0.into()]).await? == 1;
    if done {
        counters::changed(tx).await?;
    }
    Ok(done)
}

/// Ends all sessions of a login but one, or all of them. Gives how many.
pub async fn revoke_others(tx: &mut Tx, login: LoginId, kept: Option<SessionId>, now: Moment) -> Result<u64> {
    let sql = "update sessions set revoked_at = $3 where login_id = $1 and id <> $2 and revoked_at is null";
    let ended = tx.execute(sql, &[login.0.into(), kept.map_or(0, |id| id.0).into(), now.0.into()]).await?;
    counters::changed(tx).await?;
    Ok(ended)
}

static TOUCH: Bulk = Bulk::update("sessions", &[("id", Kind::Int)], &[("seen_at", Kind::Int)]);

/// Notes when sessions were last used: each named once, in the order of their numbers. Nothing that
/// is remembered changes.
pub async fn touch(tx: &mut Tx, used: &[(SessionId, Moment)]) -> Result<()> {
    let cells: Vec<Value<'_>> = used.iter().flat_map(|(id, at)| [id.0.into(), at.0.into()]).collect();
    tx.bulk(&TOUCH, &cells).await
}

/// Forgets sessions that began before a moment and in which nobody stepped into another account.
pub async fn forget(tx: &mut Tx, before: Moment) -> Result<u64> {
    let sql = "delete from sessions where created_at < $1
        and not exists (select 1 from visits v where v.session_id = sessions.id)";
    tx.execute(sql, &[before.0.into()]).await
}

fn session(mut row: Row) -> Result<Session> {
    let step = row.int(2)?;
    Ok(Session {
        id: SessionId(row.int(0)?),
        login: LoginId(row.int(1)?),
        step: Step::from_code(step).ok_or_else(|| Error::unreadable("sessions.step", step))?,
        strong_at: row.opt_int(3)?.map(Moment),
        address: row.take_text(4),
        agent: row.take_text(5),
        created_at: Moment(row.int(6)?),
        seen_at: Moment(row.int(7)?),
        revoked_at: row.opt_int(8)?.map(Moment),
    })
}
