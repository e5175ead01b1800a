//! Answers that are kept, so that a request asked again with the same key of the caller's gets the
//! same answer and does nothing a second time. What is kept is sealed by the caller's own secret,
//! which the books do not have.

use domain::id::KeyId;
use domain::moment::Moment;

use crate::db::{Conn, Result, Tx, Value};

/// What is known of a key of the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing; it is the caller's now.
    New,
    /// The very same was asked for and is not answered yet, since this moment.
    Begun(Moment),
    /// The very same was asked for, and this was the answer.
    Answered(String),
    /// It was used to ask for something else.
    Other,
}

/// Claims a key of the caller's. `content` says all that is asked for in one canonical text.
pub async fn claim(tx: &mut Tx, key: KeyId, name: &str, content: &str, now: Moment) -> Result<Claim> {
    let made = tx
        .execute(
            "insert into answers (key_id, name, content, begun_at) values ($1, $2, $3, $4)
            on conflict (key_id, name) do nothing",
            &[key.0.into(), name.into(), content.into(), now.0.into()],
        )
        .await?;
    if made == 1 {
        return Ok(Claim::New);
    }
    let sql = "select content, begun_at, answer from answers where key_id = $1 and name = $2";
    let row = tx.one(sql, &[key.0.into(), name.into()]).await?;
    // Let go of in this very moment: whoever asks again will get it.
    let Some(row) = row else { return Ok(Claim::Begun(now)) };
    Ok(match (row.text(0)? == content, row.opt_text(2)?) {
        (false, _) => Claim::Other,
        (true, None) => Claim::Begun(Moment(row.int(1)?)),
        (true, Some(answer)) => Claim::Answered(answer),
    })
}

/// Takes over a claim whose owner has died. False when somebody else was faster.
pub async fn take_over(tx: &mut Tx, key: KeyId, name: &str, begun: Moment, now: Moment) -> Result<bool> {
    let sql = "update answers set begun_at = $4
        where key_id = $1 and name = $2 and begun_at = $3 and answer is null";
    let params = [key.0.into(), Value::from(name), begun.0.into(), now.0.into()];
    Ok(tx.execute(sql, &params).await? == 1)
}

/// Keeps the answer.
pub async fn keep(tx: &mut Tx, key: KeyId, name: &str, answer: &str) -> Result<()> {
    let sql = "update answers set answer = $3 where key_id = $1 and name = $2";
    tx.execute(sql, &[key.0.into(), name.into(), answer.into()]).await.map(drop)
}

/// The answer that is kept under a name; nothing while there is none.
pub async fn answer(conn: &mut Conn, key: KeyId, name: &str) -> Result<Option<String>> {
    let sql = "select answer from answers where key_id = $1 and name = $2";
    let row = conn.one(sql, &[key.0.into(), name.into()]).await?;
    row.map_or(Ok(None), |row| row.opt_text(0))
}

/// Lets go of a claim: nothing was done.
pub async fn let_go(tx: &mut Tx, key: KeyId, name: &str) -> Result<()> {
    let sql = "delete from answers where key_id = $1 and name = $2 and answer is null";
    tx.execute(sql, &[key.0.into(), name.into()]).await.map(drop)
}

/// Forgets what was asked for before a moment. Tells how much that was.
pub async fn forget(tx: &mut Tx, before: Moment) -> Result<u64> {
    tx.execute("delete from answers where begun_at < $1", &[before.0.into()]).await
}
