//! Who a login is at a provider of sign-ins (OpenID Connect).

use domain::id::LoginId;
use domain::moment::Moment;

use crate::db::{Conn, Result, Tx};

/// The login of whom a provider calls so.
pub async fn login(conn: &mut Conn, issuer: &str, subject: &str) -> Result<Option<LoginId>> {
    let sql = "select login_id from identities where issuer = $1 and subject = $2";
    let row = conn.one(sql, &[issuer.into(), subject.into()]).await?;
    row.map(|row| row.int(0).map(LoginId)).transpose()
}

/// The providers a login is known at, with what it is called there and since when.
pub async fn of_login(conn: &mut Conn, login: LoginId) -> Result<Vec<(String, String, Moment)>> {
    let sql =
        "select issuer, subject, created_at from identities where login_id = $1 order by issuer, subject";
    let rows = conn.query(sql, &[login.0.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, Moment(row.int(2)?)))).collect()
}

/// Notes who a login is at a provider. False when somebody is that already.
pub async fn insert(tx: &mut Tx, issuer: &str, subject: &str, login: LoginId, now: Moment) -> Result<bool> {
    let sql = "insert into identities (issuer, subject, login_id, created_at) values ($1, $2, $3, $4)
        on conflict (issuer, subject) do nothing";
    Ok(tx.execute(sql, &[issuer.into(), subject.into(), login.0.into(), now.0.into()]).await? == 1)
}

/// Takes away who a login is at a provider. False when it is nobody there.
pub async fn delete(tx: &mut Tx, issuer: &str, login: LoginId) -> Result<bool> {
    let sql = "delete from identities where issuer = $1 and login_id = $2";
    Ok(tx.execute(sql, &[issuer.into(), login.0.into()]).await? > 0)
}
