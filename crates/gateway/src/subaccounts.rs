//! The accounts below one as a table.

use domain::account::Account;
use domain::id::AccountId;
use storage::Result;
pub use storage::subaccounts::{Page, Sort, Subaccount, Table};

use crate::base::Base;
use crate::clock::thirty_days;

/// Rows of a page.
pub const PAGE: i64 = 50;
/// Rows of a page at the most.
pub const PAGE_MAX: i64 = 500;
/// Accounts whose thirty days are moved on in one transaction.
const STEP: i64 = 500;

/// A page of the accounts below one. `after` is the [`Page::next`] of the page before.
pub async fn page(
    base: &Base,
    node: &Account,
    table: &Table,
    after: Option<&str>,
    limit: i64,
) -> Result<Page> {
    let since = thirty_days(base.clock.now(), &base.rules.time_zone);
    let mut conn = base.db.read().await?;
    storage::subaccounts::page(&mut conn, node, table, since, after, limit.clamp(1, PAGE_MAX)).await
}

/// The row of one account: one below, or the account itself.
pub async fn one(base: &Base, node: &Account, id: AccountId) -> Result<Option<Subaccount>> {
    let Some(found) = base.account(id).await? else { return Ok(None) };
    if found.id != node.id && !node.is_above(&found) {
        return Ok(None);
    }
    let since = thirty_days(base.clock.now(), &base.rules.time_zone);
    storage::subaccounts::one(&mut *base.db.read().await?, node, id, since).await
}

/// Moves the beginning of everybody's last thirty days on when a day has ended. To be called every
/// minute; whatever is read in between is right all the same. Tells for how many it was moved.
pub async fn roll(base: &Base) -> Result<usize> {
    let since = thirty_days(base.clock.now(), &base.rules.time_zone);
    let mut moved = 0;
    loop {
        let mut tx = base.db.begin().await?;
        let step = storage::rollups::roll(&mut tx, since, STEP).await?;
        tx.commit().await?;
        moved += step;
        if (step as i64) < STEP {
            return Ok(moved);
        }
        // Messages come first.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
