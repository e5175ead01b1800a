//! Passkeys: what authenticators hold the other half of.

use domain::id::{LoginId, PasskeyId};
use domain::moment::Moment;

use crate::counters;
use crate::db::{Conn, Result, Row, Tx};

const COLUMNS: &str = "id, login_id, credential_id, passkey, label, created_at, last_used_at";

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Its number.
    pub id: PasskeyId,
    /// Whose it is.
    pub login: LoginId,
    /// What authenticators know it by, in base64url.
    pub credential_id: String,
    /// Its public half and counters, as JSON.
    pub passkey: String,
    /// What its owner calls it.
    pub label: String,
    /// When it was registered.
    pub created_at: Moment,
    /// When it was last shown.
    pub last_used_at: Option<Moment>,
}

/// Stores a new passkey and gives its number.
///
/// # Errors
/// [`crate::Error::Duplicate`] of `passkeys.credential_id` when it is registered already.
pub async fn insert(
    tx: &mut Tx,
    login: LoginId,
    credential_id: &str,
    passkey: &str,
    label: &str,
    now: Moment,
) -> Result<PasskeyId> {
    let id = counters::draw(tx, "id", 1).await?;
    let sql = "insert into passkeys (id, login_id, credential_id, passkey, label, created_at)
        values ($1, $2, $3, $4, $5, $6)";
    let params =
        [id.into(), login.0.into(), credential_id.into(), passkey.into(), label.into(), now.0.into()];
    tx.execute(sql, &params).await?;
    counters::changed(tx).await?;
    Ok(PasskeyId(id))
}

/// The passkeys of a login, the oldest first.
pub async fn of_login(conn: &mut Conn, login: LoginId) -> Result<Vec<Passkey>> {
    let sql = format!("select {COLUMNS} from passkeys where login_id = $1 order by id");
    conn.query(&sql, &[login.0.into()]).await?.into_iter().map(passkey).collect()
}

/// Notes that a passkey was shown, and its new counters. Nothing that is remembered changes.
pub async fn shown(tx: &mut Tx, id: PasskeyId, passkey: &str, now: Moment) -> Result<()> {
    let sql = "update passkeys set passkey = $2, last_used_at = $3 where id = $1";
    tx.execute(sql, &[id.0.into(), passkey.into(), now.0.into()]).await.map(drop)
}

/// Renames a passkey. False when the login has no such passkey.
pub async fn rename(tx: &mut Tx, login: LoginId, id: PasskeyId, label: &str) -> Result<bool> {
    let sql = "update passkeys set label = $3 where id = $1 and login_id = $2";
    Ok(tx.execute(sql, &[id.0.into(), login.0.into(), label.into()]).await? == 1)
}

/// Takes a passkey away. False when the login has no such passkey.
pub async fn delete(tx: &mut Tx, login: LoginId, id: PasskeyId) -> Result<bool> {
    let sql = "delete from passkeys where id = $1 and login_id = $2";
    let done = tx.execute(sql, &[id.0.into(), login.0.into()]).await? == 1;
    counters::changed(tx).await?;
    Ok(done)
}

/// Takes all passkeys of a login away.
pub async fn delete_all(tx: &mut Tx, login: LoginId) -> Result<()> {
    tx.execute("delete from passkeys where login_id = $1", &[login.0.into()]).await?;
    counters::changed(tx).await
}

fn passkey(mut row: Row) -> Result<Passkey> {
    Ok(Passkey {
        id: PasskeyId(row.int(0)?),
        login: LoginId(row.int(1)?),
        credential_id: row.take_text(2),
        passkey: row.take_text(3),
        label: row.take_text(4),
        created_at: Moment(row.int(5)?),
        last_used_at: row.opt_int(6)?.map(Moment),
    })
}
