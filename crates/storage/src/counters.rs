//! Numbers that only grow: ids are drawn from here in blocks, and every change of accounts, keys or
//! prices makes a new version of what processes remember.

use crate::db::{Conn, Result, Tx};

/// Draws `count` numbers and gives the first; the others follow it. The names are those of the
/// first migration: `account`, `message`, `transfer`, `id` (everything else) and `node`.
pub async fn draw(tx: &mut Tx, name: &str, count: i64) -> Result<i64> {
    let last = tx
        .number(
            "update counters set value = value + $2 where name = $1 returning value",
            &[name.into(), count.into()],
        )
        .await?;
    Ok(last - count + 1)
}

/// The version of accounts, keys and prices.
pub async fn version(conn: &mut Conn) -> Result<i64> {
    conn.number("select value from counters where name = 'version'", &[]).await
}

/// Makes a new version: to be called by whatever changes an account, a key or a price.
pub async fn changed(tx: &mut Tx) -> Result<()> {
    draw(tx, "version", 1).await.map(drop)
}
