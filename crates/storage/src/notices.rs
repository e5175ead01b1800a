//! What an account is to be told. Account 0 stands for the operator.

use domain::id::AccountId;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Conn, Result, Tx};

/// What the operator is told is told to this account.
pub const OPERATOR: AccountId = AccountId(0);

/// Something an account is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its number.
    pub id: i64,
    /// Who is to be told.
    pub account: AccountId,
    /// What kind of thing, in a word or two.
    pub kind: String,
    /// The sentence.
    pub text: String,
    /// When it was written.
    pub created_at: Moment,
}

/// Writes a notice.
pub async fn insert(tx: &mut Tx, account: AccountId, kind: &str, text: &str, now: Moment) -> Result<()> {
    let id = counters::draw(tx, "id", 1).await?;
    tx.execute(
        "insert into notices (id, account_id, kind, text, created_at) values ($1, $2, $3, $4, $5)",
        &[id.into(), account.0.into(), kind.into(), text.into(), now.0.into()],
    )
    .await
    .map(drop)
}

/// The newest notices of an account, the newest first.
pub async fn of(conn: &mut Conn, account: AccountId, limit: i64) -> Result<Vec<Notice>> {
    let sql =
        "select id, kind, text, created_at from notices where account_id = $1 order by id desc limit $2";
    let rows = conn.query(sql, &[account.0.into(), limit.into()]).await?;
    rows.into_iter().map(|row| notice(row, account)).collect()
}

/// The newest notices of a kind since a moment, the newest first.
pub async fn since(
    conn: &mut Conn,
    account: AccountId,
    kind: &str,
    since: Moment,
    limit: i64,
) -> Result<Vec<Notice>> {
    let sql = "select id, kind, text, created_at from notices where account_id = $1 and kind = $2
        and created_at >= $3 order by id desc limit $4";
    let rows = conn.query(sql, &[account.0.into(), kind.into(), since.0.into(), limit.into()]).await?;
    rows.into_iter().map(|row| notice(row, account)).collect()
}

fn notice(mut row: crate::db::Row, account: AccountId) -> Result<Notice> {
    Ok(Notice {
        id: row.int(0)?,
        account,
        kind: row.take_text(1),
        text: row.take_text(2),
        created_at: Moment(row.int(3)?),
    })
}
