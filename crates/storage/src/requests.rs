//! What was asked for with a key of the caller's, so that asking again does not do it again.

use domain::id::AccountId;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Conn, Result, Tx, Value};

/// The keys of the operator are kept under this account; each other account has keys of its own.
pub const OPERATOR: AccountId = AccountId(0);

/// Whether something had been asked for before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// It is new, and stored now under this number.
    New(i64),
    /// The very same had been asked for, under this number.
    Same(i64),
    /// The key had been used to ask for something else.
    Other,
}

/// Remembers what is asked for. `content` says all of it in one canonical text.
///
/// To be called after the wallets are locked: who asks the same at the same time waits here until
/// this transaction is over, and must not hold what it still needs.
pub async fn remember(
    tx: &mut Tx,
    account: AccountId,
    key: &str,
    content: &str,
    now: Moment,
) -> Result<Remembered> {
    if let Some(before) = stored(tx, account, key, content).await? {
        return Ok(before);
    }
    let id = fresh(tx).await?;
    let made = tx
        .execute(
            "insert into requests (id, account_id, request_key, content, created_at) values ($1, $2, $3, $4, $5)
            on conflict (account_id, request_key) do nothing",
            &[id.into(), account.0.into(), key.into(), content.into(), now.0.into()],
        )
        .await?;
    match made {
        1 => Ok(Remembered::New(id)),
        // Somebody was faster, and has committed by now.
        _ => Ok(stored(tx, account, key, content).await?.unwrap_or(Remembered::Other)),
    }
}

/// Whether a key of an account was used.
pub async fn is_known(conn: &mut Conn, account: AccountId, key: &str) -> Result<bool> {
    let sql = "select 1 from requests where account_id = $1 and request_key = $2";
    Ok(conn.one(sql, &[account.0.into(), Value::from(key)]).await?.is_some())
}

/// The number of a request without a key: nothing is remembered of it.
pub async fn fresh(tx: &mut Tx) -> Result<i64> {
    counters::draw(tx, "id", 1).await
}

async fn stored(tx: &mut Tx, account: AccountId, key: &str, content: &str) -> Result<Option<Remembered>> {
    let sql = "select id, content from requests where account_id = $1 and request_key = $2";
    let row = tx.one(sql, &[account.0.into(), Value::from(key)]).await?;
    let remembered = |row: crate::db::Row| {
        Ok(if row.text(1)? == content { Remembered::Same(row.int(0)?) } else { Remembered::Other })
    };
    row.map(remembered).transpose()
}
