//! By which key the secrets in the books are sealed: only as much as tells whether a key is that one.

use crate::db::{Conn, Result, Tx};

/// What is to be opened by the key, once secrets are sealed.
pub async fn proof(conn: &mut Conn) -> Result<Option<String>> {
    conn.one("select proof from seals where id = 1", &[]).await?.map(|row| row.text(0)).transpose()
}

/// Notes by which key secrets are sealed, unless that is noted.
pub async fn begin(tx: &mut Tx, proof: &str) -> Result<()> {
    let sql = "insert into seals (id, proof) values (1, $1) on conflict (id) do nothing";
    tx.execute(sql, &[proof.into()]).await.map(drop)
}

/// Forgets by which key they were. False when that is not noted.
pub async fn forget(tx: &mut Tx) -> Result<bool> {
    Ok(tx.execute("delete from seals where id = 1", &[]).await? == 1)
}
