//! What the operator sees of all trees at once.

use std::collections::HashMap;

use domain::account::AccountState;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::LedgerAccount;
use domain::moment::Moment;

use crate::db::{Conn, Error, Result, Row, Value};

/// A main account with all that stands below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The main account.
    pub root: AccountId,
    /// Its company's name.
    pub company: Option<String>,
    /// Its owner's name.
    pub owner: String,
    /// Its address.
    pub email: String,
    /// Its state.
    pub state: AccountState,
    /// Who or what put it in that state, and why.
    pub state_reason: Option<String>,
    /// How many accounts the tree has that are not closed, the main account included.
    pub accounts: i64,
    /// What the main account holds.
    pub balance: Credits,
    /// What all accounts of the tree hold, free credit left out.
    pub balance_of_tree: Credits,
    /// How many messages the tree sent in the last thirty days.
    pub messages: i64,
    /// How many segments those had.
    pub segments: i64,
    /// What the accounts that sent them paid, each at its own price, refunds taken off.
    pub cost: Credits,
    /// When it was created.
    pub created_at: Moment,
}

impl Tree {
    /// The name to show: the company, else the owner.
    pub fn name(&self) -> &str {
        self.company.as_deref().filter(|c| !c.is_empty()).unwrap_or(&self.owner)
    }
}

/// Which trees.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Whose name, address or number holds this, whatever its case.
    pub search: Option<String>,
    /// Whether closed ones are left out.
    pub open_only: bool,
}

/// The main accounts after one of them, in the order of their numbers, with what their trees sent in the last
/// thirty days (see [`crate::rollups`]).
pub async fn trees(conn: &mut Conn, filter: &Filter, after: AccountId, limit: i64) -> Result<Vec<Tree>> {
    let mut sql = "select id, company, owner, email, state, state_reason, created_at from accounts
        where parent_id is null and id > $1"
        .to_owned();
    let mut params: Vec<Value<'_>> = vec![after.0.into(), limit.into()];
    let search;
    if let Some(wanted) = filter.search.as_deref().map(str::trim).filter(|wanted| !wanted.is_empty()) {
        search = wanted.to_lowercase();
        params.push(Value::from(&search));
        sql.push_str(" and replace(search, $3, '') <> search");
    }
    if filter.open_only {
        sql.push_str(" and state <> 3");
    }
    sql.push_str(" order by id limit $2");
    let rows = conn.query(&sql, &params).await?;
    let roots: Vec<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_>>()?;
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let (held, volumes) = (holdings(conn, &roots).await?, volumes(conn, &roots).await?);
    let tree = |mut row: Row| {
        let (root, code) = (row.int(0)?, row.int(4)?);
        let (accounts, balance_of_tree, balance) = held.get(&root).copied().unwrap_or_default();
        let (messages, segments, cost) = volumes.get(&root).copied().unwrap_or_default();
        Ok(Tree {
            root: AccountId(root),
            company: row.opt_text(1)?,
            owner: row.take_text(2),
            email: row.take_text(3),
            state: AccountState::from_code(code).ok_or_else(|| Error::unreadable("accounts.state", code))?,
            state_reason: row.opt_text(5)?,
            accounts,
            balance,
            balance_of_tree,
            messages,
            segments,
            cost,
            created_at: Moment(row.int(6)?),
        })
    };
    rows.into_iter().map(tree).collect()
}

/// How many open accounts trees have, what they hold together, and what each main account does.
async fn holdings(conn: &mut Conn, roots: &[i64]) -> Result<HashMap<i64, (i64, Credits, Credits)>> {
    // The number of a wallet follows from that of its account; see LedgerAccount::id.
    let first = LedgerAccount::Wallet(AccountId(0)).id();
    let sql = "select a.root_id, count(*), cast(sum(w.balance) as bigint),
            cast(sum(case when a.id = a.root_id then w.balance else 0 end) as bigint)
        from accounts a join ledger_accounts w on w.id = $2 + a.id * 2
        where a.root_id in list($1) and a.state <> 3 group by a.root_id";
    let rows = conn.query(sql, &[roots.into(), first.into()]).await?;
    let held = |row: &Row| Ok((row.int(0)?, (row.int(1)?, Credits(row.int(2)?), Credits(row.int(3)?))));
    rows.iter().map(held).collect()
}

/// How many messages trees sent in the last thirty days, their segments, and what they cost.
async fn volumes(conn: &mut Conn, roots: &[i64]) -> Result<HashMap<i64, (i64, i64, Credits)>> {
    let sql = "select root_id, cast(sum(accepted - accepted_before) as bigint),
            cast(sum(segments - segments_before) as bigint),
            cast(sum(cost - cost_before - refunds + refunds_before) as bigint)
        from account_usage where root_id in list($1) group by root_id";
    let rows = conn.query(sql, &[roots.into()]).await?;
    let sent = |row: &Row| Ok((row.int(0)?, (row.int(1)?, row.int(2)?, Credits(row.int(3)?))));
    rows.iter().map(sent).collect()
}
