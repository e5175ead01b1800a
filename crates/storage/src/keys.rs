//! API keys. Of a secret only its hash is stored.

use domain::id::{AccountId, KeyId};
use domain::key::{Key, Scopes};
use domain::moment::Moment;

use crate::counters;
use crate::db::{Bulk, Conn, Kind, Result, Row, Tx, Value};

const COLUMNS: &str =
    "id, account_id, label, prefix, sandbox, scopes, subaccount_access, expires_at, revoked_at, created_at";
/// How many columns that is: what a statement asks for beside them follows.
const WIDTH: usize = 10;

/// Draws the number of a new key.
pub async fn draw_id(tx: &mut Tx) -> Result<KeyId> {
    counters::draw(tx, "id", 1).await.map(KeyId)
}

/// Stores a new key with the hash of its secret.
pub async fn insert(tx: &mut Tx, key: &Key, hash: &str) -> Result<()> {
    tx.execute(
        "insert into keys (id, account_id, label, prefix, hash, sandbox, scopes, subaccount_access, expires_at,
            revoked_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &[
            key.id.0.into(),
            key.account.0.into(),
            Value::from(&key.label),
            Value::from(&key.prefix),
            hash.into(),
            key.sandbox.into(),
            key.scopes.bits().into(),
            key.subaccount_access.into(),
            key.expires_at.map(|at| at.0).into(),
            key.revoked_at.map(|at| at.0).into(),
            key.created_at.0.into(),
        ],
    )
    .await?;
    counters::changed(tx).await
}

/// The key whose secret has this hash, whether it works or not.
pub async fn by_hash(conn: &mut Conn, hash: &str) -> Result<Option<Key>> {
    let sql = format!("select {COLUMNS} from keys where hash = $1");
    conn.one(&sql, &[hash.into()]).await?.map(key).transpose()
}

/// The key of a number, whether it works or not.
pub async fn find(conn: &mut Conn, id: KeyId) -> Result<Option<Key>> {
    let sql = format!("select {COLUMNS} from keys where id = $1");
    conn.one(&sql, &[id.0.into()]).await?.map(key).transpose()
}

/// The keys of an account, revoked ones too, with when each was last used, the oldest first.
pub async fn of_account(conn: &mut Conn, account: AccountId) -> Result<Vec<(Key, Option<Moment>)>> {
    let sql = format!("select {COLUMNS}, last_used_at from keys where account_id = $1 order by id");
    let rows = conn.query(&sql, &[account.0.into()]).await?;
    rows.into_iter()
        .map(|row| Ok((row.opt_int(WIDTH)?.map(Moment), row)))
        .map(|r: Result<_>| {
            let (used, row) = r?;
            Ok((key(row)?, used))
        })
        .collect()
}

/// Takes a key back. False when it had been taken back before, or there is none.
pub async fn revoke(tx: &mut Tx, id: KeyId, now: Moment) -> Result<bool> {
    let sql = "update keys set revoked_at = $2 where id = $1 and revoked_at is null";
    let revoked = tx.execute(sql, &[id.0.into(), now.0.into()]).await? > 0;
    if revoked {
        counters::changed(tx).await?;
    }
    Ok(revoked)
}

static TOUCH: Bulk = Bulk::update("keys", &[("id", Kind::Int)], &[("last_used_at", Kind::Int)]);

/// Notes when keys were last used: each named once, in the order of their numbers. Nothing that is
/// remembered changes.
pub async fn touch(tx: &mut Tx, used: &[(KeyId, Moment)]) -> Result<()> {
    let cells: Vec<Value<'_>> = used.iter().flat_map(|(id, at)| [id.0.into(), at.0.into()]).collect();
    tx.bulk(&TOUCH, &cells).await
}

fn key(mut row: Row) -> Result<Key> {
    Ok(Key {
        id: KeyId(row.int(0)?),
        account: AccountId(row.int(1)?),
        label: row.take_text(2),
        prefix: row.take_text(3),
        sandbox: row.flag(4)?,
        scopes: Scopes::from_bits(row.int(5)?),
        subaccount_access: row.flag(6)?,
        expires_at: row.opt_int(7)?.map(Moment),
        revoked_at: row.opt_int(8)?.map(Moment),
        created_at: Moment(row.int(9)?),
    })
}
