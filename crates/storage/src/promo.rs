//! Free credit with an end, in lots: the one that ends soonest is used first. What all lots of an
//! account hold together is what its promo account holds; whoever changes one changes the other in
//! the same transaction, with the promo account locked.

use std::time::Duration;

use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::CauseKind;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Conn, Error, Result, Row, Tx};

/// How long free credit lasts that comes back after its own lot has ended: a refund is not lost
/// because the carrier took its time.
pub const GIVEN_BACK_LASTS: Duration = Duration::from_secs(30 * 86_400);

/// A lot of free credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub account: AccountId,
    /// What was given.
    pub granted: Credits,
    /// What is left.
    pub remaining: Credits,
    /// When it ends.
    pub expires_at: Moment,
}

const COLUMNS: &str = "id, account_id, granted, remaining, expires_at";

/// Makes a lot and gives its number.
pub async fn insert(
    tx: &mut Tx,
    account: AccountId,
    amount: Credits,
    expires_at: Moment,
    now: Moment,
) -> Result<i64> {
    let id = counters::draw(tx, "id", 1).await?;
    tx.execute(
        "insert into promo_lots (id, account_id, granted, remaining, expires_at, created_at)
        values ($1, $2, $3, $3, $4, $5)",
        &[id.into(), account.0.into(), amount.0.into(), expires_at.0.into(), now.0.into()],
    )
    .await?;
    Ok(id)
}

/// The lots an account may use now, the soonest to end first.
pub async fn lots(conn: &mut Conn, account: AccountId, now: Moment) -> Result<Vec<Lot>> {
    let sql = format!(
        "select {COLUMNS} from promo_lots where account_id = $1 and remaining > 0 and expires_at > $2
        order by expires_at, id"
    );
    conn.query(&sql, &[account.0.into(), now.0.into()]).await?.iter().map(lot).collect()
}

/// Every lot of an account that still holds something, ended or not.
pub async fn held(conn: &mut Conn, account: AccountId) -> Result<Vec<Lot>> {
    let sql = format!("select {COLUMNS} from promo_lots where account_id = $1 and remaining > 0 order by id");
    conn.query(&sql, &[account.0.into()]).await?.iter().map(lot).collect()
}

/// The lot of a number.
pub async fn find(conn: &mut Conn, id: i64) -> Result<Option<Lot>> {
    let sql = format!("select {COLUMNS} from promo_lots where id = $1");
    conn.one(&sql, &[id.into()]).await?.map(|row| lot(&row)).transpose()
}

/// Lots that have ended and still hold something.
pub async fn expired(conn: &mut Conn, now: Moment, limit: i64) -> Result<Vec<Lot>> {
    let sql = format!(
        "select {COLUMNS} from promo_lots where remaining > 0 and expires_at <= $1 order by expires_at, id limit $2"
    );
    conn.query(&sql, &[now.0.into(), limit.into()]).await?.iter().map(lot).collect()
}

/// Sets what is left of a lot.
pub async fn set_remaining(tx: &mut Tx, id: i64, remaining: Credits) -> Result<()> {
    let sql = "update promo_lots set remaining = $2 where id = $1";
    tx.execute(sql, &[id.into(), remaining.0.into()]).await.map(drop)
}

/// Uses up free credit, the soonest to end first.
///
/// # Errors
/// [`Error::Fault`] when the lots hold less: the caller has not looked.
pub async fn use_up(tx: &mut Tx, account: AccountId, amount: Credits, now: Moment) -> Result<()> {
    let mut left = amount.0;
    for lot in lots(tx, account, now).await? {
        let used = lot.remaining.0.min(left);
        if used > 0 {
            set_remaining(tx, lot.id, Credits(lot.remaining.0 - used)).await?;
            left -= used;
        }
    }
    if left == 0 {
        return Ok(());
    }
    Err(Error::Fault(format!(
        "account {account} was to use {amount} of free credit and lacks {}",
        Credits(left)
    )))
}

/// Puts free credit back that was not needed: into the lots it may have come from, the last to end
/// first, and what they have no room for into a new one that lasts [`GIVEN_BACK_LASTS`]. A lot whose end
/// is booked takes nothing back, whatever `now` is: it may have ended while the caller waited for the
/// wallet, or by a clock that is ahead, and a lot ends only once.
pub async fn give_back(tx: &mut Tx, account: AccountId, amount: Credits, now: Moment) -> Result<()> {
    let sql = format!(
        "select {COLUMNS} from promo_lots where account_id = $1 and remaining < granted and expires_at > $2
        and not exists (select 1 from transfers where cause_kind = $3 and cause_id = promo_lots.id)
        order by expires_at desc, id desc"
    );
    let ended = CauseKind::PromoExpiry as i64;
    let rows = tx.query(&sql, &[account.0.into(), now.0.into(), ended.into()]).await?;
    let mut left = amount.0;
    for row in &rows {
        let lot = lot(row)?;
        let back = (lot.granted.0 - lot.remaining.0).min(left);
        if back > 0 {
            set_remaining(tx, lot.id, Credits(lot.remaining.0 + back)).await?;
            left -= back;
        }
    }
    if left > 0 {
        insert(tx, account, Credits(left), now.after(GIVEN_BACK_LASTS), now).await?;
    }
    Ok(())
}

fn lot(row: &Row) -> Result<Lot> {
    Ok(Lot {
        id: row.int(0)?,
        account: AccountId(row.int(1)?),
        granted: Credits(row.int(2)?),
        remaining: Credits(row.int(3)?),
        expires_at: Moment(row.int(4)?),
    })
}
