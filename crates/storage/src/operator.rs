//! What the operator sees of all trees at once.

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
    /// How many messages the tree was charged for since the given day.
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

/// The main accounts after one of them, in the order of their numbers, with what their trees sent since a
/// day (20261123).
pub async fn trees(
    conn: &mut Conn,
    filter: &Filter,
    since_day: i64,
    after: AccountId,
    limit: i64,
) -> Result<Vec<Tree>> {
    let mut sql =
        "select a.id, a.company, a.owner, a.email, a.state, a.state_reason, a.created_at from accounts a
        where a.parent_id is null and a.id > $1"
            .to_owned();
    let mut params: Vec<Value<'_>> = vec![after.0.into(), limit.into()];
    let search;
    if let Some(wanted) = filter.search.as_deref().map(str::trim).filter(|wanted| !wanted.is_empty()) {
        search = wanted.to_lowercase();
        params.push(Value::from(&search));
        sql.push_str(
            " and (replace(lower(coalesce(a.company, '') || ' ' || a.owner || ' ' || a.email), $3, '')
                <> lower(coalesce(a.company, '') || ' ' || a.owner || ' ' || a.email) or cast(a.id as text) = $3)",
        );
    }
    if filter.open_only {
        sql.push_str(" and a.state <> 3");
    }
    sql.push_str(" order by a.id limit $2");
    let rows = conn.query(&sql, &params).await?;
    let mut trees = Vec::with_capacity(rows.len());
    for mut row in rows {
        let root = AccountId(row.int(0)?);
        let (accounts, balance_of_tree, balance) = holdings(conn, root).await?;
        let (messages, segments, cost) = volume(conn, root, since_day).await?;
        let code = row.int(4)?;
        trees.push(Tree {
            root,
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
        });
    }
    Ok(trees)
}

/// How many accounts a tree has, what they hold together, and what the main account does.
async fn holdings(conn: &mut Conn, root: AccountId) -> Result<(i64, Credits, Credits)> {
    let sql = "select count(*) from accounts where root_id = $1 and state <> 3";
    let accounts = conn.number(sql, &[root.0.into()]).await?;
    // The number of a wallet follows from that of its account; see LedgerAccount::id.
    let first = LedgerAccount::Wallet(AccountId(0)).id();
    let sql = "select cast(coalesce(sum(l.balance), 0) as bigint),
            cast(coalesce(sum(case when a.id = $1 then l.balance else 0 end), 0) as bigint)
        from accounts a join ledger_accounts l on l.id = $2 + a.id * 2
        where a.root_id = $1";
    let row = conn.one(sql, &[root.0.into(), first.into()]).await?;
    let held = |column| row.as_ref().map_or(Ok(0), |row: &Row| row.int(column)).map(Credits);
    Ok((accounts, held(0)?, held(1)?))
}

async fn volume(conn: &mut Conn, root: AccountId, since_day: i64) -> Result<(i64, i64, Credits)> {
    let sql =
        "select cast(coalesce(sum(s.accepted), 0) as bigint), cast(coalesce(sum(s.segments), 0) as bigint),
            cast(coalesce(sum(s.cost - s.refunds), 0) as bigint)
        from accounts a join statistics s on s.account_id = a.id
        where a.root_id = $1 and s.day >= $2";
    let row = conn.one(sql, &[root.0.into(), since_day.into()]).await?;
    row.map_or(Ok((0, 0, Credits::ZERO)), |row| Ok((row.int(0)?, row.int(1)?, Credits(row.int(2)?))))
}
