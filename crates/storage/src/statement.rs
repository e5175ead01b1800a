//! The statement of an account: what its wallet and its free credit gained and gave, newest first, with
//! what it held after each. Reads only.
//!
//! A line is what one cause did to the account: transfers that were booked together are one line. What an
//! account above earned on a message is a transfer of its own in the books, and must not be seen by the
//! one below, whom it would tell the price above.

use std::fmt;
use std::str::FromStr;

use domain::credits::Credits;
use domain::id::{AccountId, MessageId, TransferId};
use domain::ledger::{CauseKind, LedgerAccount, TransferCode};
use domain::moment::Moment;

use crate::db::{Conn, Error, Result, Row, Value};

/// A line of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The first transfer of it that concerns the account.
    pub id: TransferId,
    /// When it was booked.
    pub at: Moment,
    /// What for.
    pub code: TransferCode,
    /// What the account gained; below nothing is what it gave.
    pub amount: Credits,
    /// What it held after that, free credit included. Not known where lines are left out.
    pub balance: Option<Credits>,
    /// The other account, where credit came from or went to one.
    pub other: Option<AccountId>,
    /// What caused it: a batch is named by its first message, a refund by its message.
    pub cause: CauseKind,
    /// The number of the cause.
    pub cause_id: i64,
    /// Who did it.
    pub actor: String,
    /// What the one who did it wrote.
    pub reference: String,
}

/// Which lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// All.
    #[default]
    All,
    /// Credit that came or went by itself: grants, transfers, free credit. Not what messages cost.
    Moves,
    /// What messages cost, what was earned on them, and what was given back.
    Usage,
    /// Those of one code.
    One(TransferCode),
}

/// The codes of charges begin here; those below are moves.
const USAGE: i64 = 40;
/// How many transfers one request looks at.
const BUDGET: i64 = 5_000;

/// Which lines, and from when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Which.
    pub kind: Kind,
    /// Booked at this moment or later.
    pub from: Option<Moment>,
    /// Booked earlier than this.
    pub before: Option<Moment>,
}

/// A place in a statement: further pages begin below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the transfer there was booked.
    pub at: Moment,
    /// The transfer.
    pub id: TransferId,
    /// What the account held before it.
    pub balance: Option<Credits>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.0, self.id)?;
        self.balance.map_or(Ok(()), |balance| write!(f, ".{}", balance.0))
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Cursor, ()> {
        let mut numbers = text.split('.').map(|part| part.parse::<i64>().map_err(drop));
        let at = Moment(numbers.next().ok_or(())??);
        let id = TransferId(numbers.next().ok_or(())??);
        let balance = numbers.next().transpose()?.map(Credits);
        if numbers.next().is_some() { Err(()) } else { Ok(Cursor { at, id, balance }) }
    }
}

/// A page of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The lines, newest first.
    pub lines: Vec<Line>,
    /// Where to go on; nothing when that was all.
    pub next: Option<Cursor>,
    /// When the page is not full though there may be more: how far back the search has come.
    pub searched_to: Option<Moment>,
}

/// Postings of one account in one group at the most.
const GROUP_MAX: i64 = 32;

/// A page of the statement of an account. `conn` should be a [`crate::db::Snapshot`] for the first page:
/// what the account holds and its newest transfers are read one after the other.
pub async fn page(
    conn: &mut Conn,
    account: AccountId,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page> {
    let mut balance = match (filter.kind, after) {
        (Kind::All, Some(cursor)) => cursor.balance,
        (Kind::All, None) => Some(balance_at(conn, account, filter.before).await?),
        _ => None,
    };
    // What an account above earns is told apart only once a group is whole: of a charge nobody but that
    // account may see it. So one code of usage is chosen from lines, not from transfers.
    let chosen = match filter.kind {
        Kind::One(code) if code.code() >= USAGE => Some(code),
        _ => None,
    };
    let wanted = if chosen.is_some() { BUDGET } else { limit + GROUP_MAX };
    let rows = rows(conn, account, filter, after, wanted).await?;
    let mut more = rows.len() as i64 == wanted;
    let mut lines: Vec<Line> = Vec::new();
    for row in &rows {
        let line = read(row, account)?;
        match lines.last_mut().filter(|last| (last.cause, last.cause_id) == (line.cause, line.cause_id)) {
            // The transfers of a group are one line, which is called by its first.
            Some(last) => {
                last.amount = Credits(last.amount.0 + line.amount.0);
                (last.id, last.code) = (line.id, line.code);
                last.other = last.other.or(line.other);
            }
            None => lines.push(line),
        }
    }
    if more {
        // More of the last line may follow.
        lines.pop();
    }
    let looked_at = lines.last().map(|line| Cursor { at: line.at, id: line.id, balance: None });
    lines.retain(|line| chosen.is_none_or(|code| line.code == code));
    let limit = usize::try_from(limit).unwrap_or(0);
    more |= lines.len() > limit;
    let full = lines.len() >= limit;
    lines.truncate(limit);
    for line in &mut lines {
        line.balance = balance;
        balance = balance.map(|after| Credits(after.0 - line.amount.0));
    }
    let last = lines.last().map(|line| Cursor { at: line.at, id: line.id, balance });
    let short = chosen.is_some() && !full;
    let next = if short { looked_at } else { last }.filter(|_| more);
    Ok(Page { lines, searched_to: next.filter(|_| short).map(|next| next.at), next })
}

/// What an account held at a moment, free credit included; none is now.
pub async fn balance_at(conn: &mut Conn, account: AccountId, at: Option<Moment>) -> Result<Credits> {
    let (wallet, promo) = crate::ledger::balance(conn, account).await?;
    let mut balance = wallet.0 + promo.0;
    let Some(at) = at else { return Ok(Credits(balance)) };
    for place in places(account) {
        for (side, sign) in [("to_id", -1), ("from_id", 1)] {
            let sql = format!(
                "select cast(coalesce(sum(amount), 0) as bigint) from transfers
                where {side} = $1 and {side} >= 1000 and created_at >= $2"
            );
            balance += sign * conn.number(&sql, &[place.into(), at.0.into()]).await?;
        }
    }
    Ok(Credits(balance))
}

/// What an account gained by the request of a message and by its refund: the first transfer of each, when
/// it was booked, the amount, and whether it was a refund.
pub async fn of_message(
    conn: &mut Conn,
    account: AccountId,
    batch: MessageId,
    message: MessageId,
) -> Result<Vec<(TransferId, Moment, Credits, bool)>> {
    let sql = "select min(id), min(created_at), cast(sum(case when to_id in (cast($3 as bigint), $3 + 1) then amount
            when from_id in (cast($3 as bigint), $3 + 1) then -amount else 0 end) as bigint)
        from transfers where cause_kind = $1 and cause_id = $2";
    let wallet = LedgerAccount::Wallet(account).id();
    let mut booked = Vec::new();
    for (kind, id, refund) in [(CauseKind::Batch, batch, false), (CauseKind::Refund, message, true)] {
        let row = conn.one(sql, &[(kind as i64).into(), id.0.into(), wallet.into()]).await?;
        let Some(row) = row else { continue };
        if let (Some(id), Some(at), Some(amount)) = (row.opt_int(0)?, row.opt_int(1)?, row.opt_int(2)?) {
            booked.push((TransferId(id), Moment(at), Credits(amount), refund));
        }
    }
    Ok(booked)
}

fn places(account: AccountId) -> [i64; 2] {
    [LedgerAccount::Wallet(account).id(), LedgerAccount::Promo(account).id()]
}

const COLUMNS: &str = "id, cause_kind, cause_id, from_id, to_id, amount, code, actor, created_at, reference";

/// The transfers of an account, newest first, at most `limit`.
async fn rows(
    conn: &mut Conn,
    account: AccountId,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Row>> {
    let [wallet, promo] = places(account);
    let mut params: Vec<Value<'_>> = vec![wallet.into(), promo.into(), limit.into()];
    let mut param = |n: i64| {
        params.push(n.into());
        format!("cast(${} as bigint)", params.len())
    };
    let mut within = String::new();
    if let Some(from) = filter.from {
        within += &format!(" and created_at >= {}", param(from.0));
    }
    if let Some(before) = filter.before {
        within += &format!(" and created_at < {}", param(before.0));
    }
    if let Some(Cursor { at, id, .. }) = after {
        let (at, id) = (param(at.0), param(id.0));
        within += &format!(" and created_at <= {at} and (created_at < {at} or id < {id})");
    }
    // The conditions on the code are written as in the indexes that serve them; the numbers are ours.
    within += &match filter.kind {
        Kind::All => String::new(),
        Kind::Moves => " and code < 40".to_owned(),
        Kind::One(code) if code.code() < USAGE => format!(" and code < 40 and code = {}", code.code()),
        Kind::Usage | Kind::One(_) => " and code >= 40".to_owned(),
    };
    let side = |place: &str, side: &str| {
        format!(
            "select {COLUMNS} from (select {COLUMNS} from transfers
                where {side} = {place} and {side} >= 1000{within}
                order by created_at desc, id desc limit $3) s"
        )
    };
    let sides = [side("$1", "from_id"), side("$1", "to_id"), side("$2", "from_id"), side("$2", "to_id")];
    let sql = format!(
        "select {COLUMNS} from ({}) t order by created_at desc, id desc limit $3",
        sides.join(" union ")
    );
    conn.query(&sql, &params).await
}

fn read(row: &Row, account: AccountId) -> Result<Line> {
    let (kind, code) = (row.int(1)?, row.int(6)?);
    let place = |column: usize| -> Result<LedgerAccount> {
        let id = row.int(column)?;
        LedgerAccount::from_id(id).ok_or_else(|| Error::unreadable("transfers.from_id or to_id", id))
    };
    let (from, to, amount) = (place(3)?, place(4)?, row.int(5)?);
    let own = |place: LedgerAccount| place.owner() == Some(account);
    let code = TransferCode::from_code(code).ok_or_else(|| Error::unreadable("transfers.code", code))?;
    // Who is on the other side of a charge is nobody's to know but that account's.
    let told = matches!(
        code,
        TransferCode::Transfer | TransferCode::AutoTransfer | TransferCode::Closing | TransferCode::SharedUse
    );
    let other = [from, to].into_iter().filter_map(LedgerAccount::owner).find(|other| *other != account);
    Ok(Line {
        id: TransferId(row.int(0)?),
        at: Moment(row.int(8)?),
        code,
        amount: Credits(i64::from(own(to)) * amount - i64::from(own(from)) * amount),
        balance: None,
        other: other.filter(|_| told),
        cause: CauseKind::from_code(kind).ok_or_else(|| Error::unreadable("transfers.cause_kind", kind))?,
        cause_id: row.int(2)?,
        actor: row.text(7)?,
        reference: row.text(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        for balance in [None, Some(Credits(-7))] {
            let cursor = Cursor { at: Moment(17), id: TransferId(5), balance };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert!("1".parse::<Cursor>().is_err() && "1.2.3.4".parse::<Cursor>().is_err());
    }
}
