//! What the intake must know of accounts inside its own transaction: their states, and the rules
//! by which credit comes to them from above.

use std::collections::HashMap;

use domain::account::{AccountState, AutoTransfer, SharedWallet};
use domain::credits::Credits;
use domain::id::AccountId;

use crate::accounts;
use crate::db::{Bulk, Error, Kind, Question, Result, Row, Tx};

/// How an account stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its own state.
    pub state: AccountState,
    /// The account above.
    pub parent: Option<AccountId>,
    /// Whether what its wallet lacks is paid by the one above.
    pub shared: Option<SharedWallet>,
    /// The rule by which credit comes from above.
    pub auto: Option<AutoTransfer>,
    /// Whether the rule may act: it acts once a crossing.
    pub armed: bool,
    /// The date the sums below are of, as 20261123.
    pub day: i64,
    /// What came by the rule on that day.
    pub day_used: Credits,
    /// What came by the rule in that day's month.
    pub month_used: Credits,
    /// How often the rule has acted.
    pub count: i64,
}

static OF: Bulk = Bulk::select(
    &[("id", Kind::Int)],
    "select id, state, parent_id, auto_threshold, auto_amount, auto_day_max, auto_month_max, auto_armed,
        auto_day, auto_day_used, auto_month_used, auto_count, shared_from, shared_until from accounts where id = $1",
    "select a.id, a.state, a.parent_id, a.auto_threshold, a.auto_amount, a.auto_day_max, a.auto_month_max,
        a.auto_armed, a.auto_day, a.auto_day_used, a.auto_month_used, a.auto_count, a.shared_from, a.shared_until
        from accounts a join {rows} on a.id = input.id",
);

/// How these accounts stand.
pub fn of<'a>(ids: impl IntoIterator<Item = AccountId>) -> Question<'a, HashMap<AccountId, Standing>> {
    Question::new(&OF, ids.into_iter().map(|id| id.0.into()).collect(), standings)
}

fn standings(rows: Vec<Row>) -> Result<HashMap<AccountId, Standing>> {
    let mut all = HashMap::with_capacity(rows.len());
    for row in rows {
        let code = row.int(1)?;
        let auto = match (row.opt_int(3)?, row.opt_int(4)?) {
            (Some(threshold), Some(amount)) => Some(AutoTransfer {
                threshold: Credits(threshold),
                amount: Credits(amount),
                day_max: row.opt_int(5)?.map(Credits),
                month_max: row.opt_int(6)?.map(Credits),
            }),
            _ => None,
        };
        let standing = Standing {
            state: AccountState::from_code(code).ok_or_else(|| Error::unreadable("accounts.state", code))?,
            parent: row.opt_int(2)?.map(AccountId),
            shared: accounts::shared_wallet(&row, 12)?,
            auto,
            armed: row.flag(7)?,
            day: row.int(8)?,
            day_used: Credits(row.int(9)?),
            month_used: Credits(row.int(10)?),
            count: row.int(11)?,
        };
        all.insert(AccountId(row.int(0)?), standing);
    }
    Ok(all)
}

/// Writes back what the rule has done.
pub async fn set_auto(tx: &mut Tx, account: AccountId, standing: &Standing) -> Result<()> {
    tx.execute(
        "update accounts set auto_armed = $2, auto_day = $3, auto_day_used = $4, auto_month_used = $5, auto_count = $6
            where id = $1",
        &[
            account.0.into(),
            standing.armed.into(),
            standing.day.into(),
            standing.day_used.0.into(),
            standing.month_used.0.into(),
            standing.count.into(),
        ],
    )
    .await
    .map(drop)
}
