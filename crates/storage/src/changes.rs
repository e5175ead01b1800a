//! What the books count of accounts, read so that two readings tell whether anything changed between them
//! that a page shows. Reads only.

use domain::id::AccountId;
use domain::ledger::LedgerAccount;

use crate::db::{Conn, Result};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What lies in the account's wallet and free credit.
    Balance,
    /// What became of its own messages.
    Messages,
    /// What became of the messages of all accounts below it.
    Below,
    /// How far the work is that was begun in it.
    Work,
}

/// One reading: of which account, what, and the numbers.
pub type Reading = (AccountId, Part, [i64; 4]);

/// The counts of these accounts, in one order. Of those below an account, the days from `since` on.
pub async fn readings(conn: &mut Conn, accounts: &[i64], since: i64) -> Result<Vec<Reading>> {
    let sql = "select account_id, cast(0 as bigint), id, balance, cast(0 as bigint), cast(0 as bigint)
        from ledger_accounts where id in list($2)
        union all
        select account_id, cast(1 as bigint), cast(sum(accepted) as bigint), cast(sum(delivered) as bigint),
            cast(sum(failed) as bigint), cast(sum(refunds) as bigint)
        from account_usage where account_id in list($1) group by account_id
        union all
        select node_id, cast(2 as bigint), cast(sum(accepted) as bigint), cast(sum(delivered) as bigint),
            cast(sum(failed) as bigint), cast(sum(refunds) as bigint)
        from tree_statistics where node_id in list($1) and kind = 0 and period >= $3 group by node_id
        union all
        select account_id, cast(3 as bigint), max(begun_at), count(*), cast(sum(done) as bigint), count(ended_at)
        from works where account_id in list($1) group by account_id
        order by 1, 2, 3";
    let places = |id: &i64| {
        let id = AccountId(*id);
        [LedgerAccount::Wallet(id).id(), LedgerAccount::Promo(id).id()]
    };
    let places: Vec<i64> = accounts.iter().flat_map(places).collect();
    let params = [accounts.into(), places.as_slice().into(), since.into()];
    let rows = conn.query(sql, &params).await?;
    let reading = |row: &crate::db::Row| {
        let part = match row.int(1)? {
            0 => Part::Balance,
            1 => Part::Messages,
            2 => Part::Below,
            _ => Part::Work,
        };
        Ok((AccountId(row.int(0)?), part, [row.int(2)?, row.int(3)?, row.int(4)?, row.int(5)?]))
    };
    rows.iter().map(reading).collect()
}
