//! Browsers somebody has been signed in with, known by a token they keep. It signs nobody in: it
//! tells the guesses of a person from those of strangers.

use domain::id::LoginId;
use domain::moment::Moment;

use crate::db::{Conn, Result, Tx};

/// Notes a browser of a login by the hash of its token.
pub async fn insert(tx: &mut Tx, hash: &str, login: LoginId, now: Moment) -> Result<()> {
    let sql = "insert into devices (hash, login_id, created_at, last_at) values ($1, $2, $3, $3)";
    tx.execute(sql, &[hash.into(), login.0.into(), now.0.into()]).await.map(drop)
}

/// Whether the browser with this token has been signed in as this login.
pub async fn knows(conn: &mut Conn, hash: &str, login: LoginId) -> Result<bool> {
    let sql = "select count(*) from devices where hash = $1 and login_id = $2";
    Ok(conn.number(sql, &[hash.into(), login.0.into()]).await? > 0)
}

/// Whether the browser with this token has been signed in as whoever has this address, folded.
pub async fn knows_address(conn: &mut Conn, hash: &str, email_folded: &str) -> Result<bool> {
    let sql = "select count(*) from devices d join logins l on l.id = d.login_id
        where d.hash = $1 and l.email_folded = $2";
    Ok(conn.number(sql, &[hash.into(), email_folded.into()]).await? > 0)
}

/// Notes that it was signed in again.
pub async fn touch(tx: &mut Tx, hash: &str, login: LoginId, now: Moment) -> Result<()> {
    let sql = "update devices set last_at = $3 where hash = $1 and login_id = $2";
    tx.execute(sql, &[hash.into(), login.0.into(), now.0.into()]).await.map(drop)
}

/// Forgets all browsers of a login.
pub async fn forget_all(tx: &mut Tx, login: LoginId) -> Result<()> {
    tx.execute("delete from devices where login_id = $1", &[login.0.into()]).await.map(drop)
}

/// Forgets browsers that nobody was signed in with since a moment.
pub async fn forget(tx: &mut Tx, before: Moment) -> Result<u64> {
    tx.execute("delete from devices where last_at < $1", &[before.0.into()]).await
}
