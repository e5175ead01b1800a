//! Transfers between the accounts of a tree, as each of the two sees them. Reads only.

use domain::credits::Credits;
use domain::id::{AccountId, TransferId};
use domain::ledger::{LedgerAccount, TransferCode};
use domain::moment::Moment;

use crate::db::{Conn, Error, Result, Row, Value};

/// Credit that moved from one account to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its number; later ones have greater numbers.
    pub id: TransferId,
    /// Who gave.
    pub from: AccountId,
    /// Who got.
    pub to: AccountId,
    /// How much.
    pub amount: Credits,
    /// By hand, by rule, or because an account closed.
    pub code: TransferCode,
    /// Who did it, in words.
    pub actor: String,
    /// What they wrote.
    pub reference: String,
    /// When.
    pub at: Moment,
}

/// Which transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those with this account at the other end.
    pub with: Option<AccountId>,
    /// Only those out of (true) or into (false) the account.
    pub out: Option<bool>,
    /// Booked at this moment or later.
    pub from: Option<Moment>,
    /// Booked earlier than this.
    pub before: Option<Moment>,
}

const COLUMNS: &str = "id, from_id, to_id, amount, code, actor, reference, created_at";

/// The transfers of an account with others before one of them, the newest first.
pub async fn page(
    conn: &mut Conn,
    account: AccountId,
    filter: &Filter,
    before: Option<TransferId>,
    limit: i64,
) -> Result<Vec<Moved>> {
    let mut params: Vec<Value<'_>> = vec![LedgerAccount::Wallet(account).id().into(), limit.into()];
    let mut conditions = String::new();
    let all = [
        ("id <", before.map(|id| id.0)),
        ("created_at >=", filter.from.map(|at| at.0)),
        ("created_at <", filter.before.map(|at| at.0)),
    ];
    for (condition, value) in all {
        let Some(value) = value else { continue };
        params.push(value.into());
        conditions.push_str(&format!(" and {condition} ${}", params.len()));
    }
    let other = filter.with.map(|account| {
        params.push(LedgerAccount::Wallet(account).id().into());
        params.len()
    });
    // The condition on the code is written as in the indexes that serve this.
    let side = |mine: &str, theirs: &str| {
        let with = other.map_or(String::new(), |place| format!(" and {theirs} = ${place}"));
        format!(
            "select {COLUMNS} from transfers where {mine} = $1 and {mine} >= 1000
                and code < 40 and code in (30, 32, 33){conditions}{with}"
        )
    };
    let sql = match filter.out {
        Some(true) => side("from_id", "to_id"),
        Some(false) => side("to_id", "from_id"),
        None => format!("{} union all {}", side("from_id", "to_id"), side("to_id", "from_id")),
    };
    let rows = conn.query(&format!("{sql} order by id desc limit $2"), &params).await?;
    let moved = rows.into_iter().map(moved);
    // What moved to where no account is (an own credit that is owed at a closing) is no transfer here.
    moved.filter_map(Result::transpose).collect()
}

/// A transfer of an account with another. One between others is not found.
pub async fn find(conn: &mut Conn, account: AccountId, id: TransferId) -> Result<Option<Moved>> {
    let sql = format!("select {COLUMNS} from transfers where id = $1 and code in (30, 32, 33)");
    let found = conn.one(&sql, &[id.0.into()]).await?.map(moved).transpose()?.flatten();
    Ok(found.filter(|moved| moved.from == account || moved.to == account))
}

fn moved(mut row: Row) -> Result<Option<Moved>> {
    let owner = |id| LedgerAccount::from_id(id).and_then(LedgerAccount::owner);
    let (Some(from), Some(to)) = (owner(row.int(1)?), owner(row.int(2)?)) else { return Ok(None) };
    let code = row.int(4)?;
    Ok(Some(Moved {
        id: TransferId(row.int(0)?),
        from,
        to,
        amount: Credits(row.int(3)?),
        code: TransferCode::from_code(code).ok_or_else(|| Error::unreadable("transfers.code", code))?,
        actor: row.take_text(5),
        reference: row.take_text(6),
        at: Moment(row.int(7)?),
    }))
}
