//! The books. [`post`] is the only place where credits move: it writes what a [`Book`] has decided,
//! in the transaction of whatever caused it.

use std::collections::{BTreeMap, BTreeSet};

use domain::credits::Credits;
use domain::id::{AccountId, TransferId};
use domain::ledger::{Book, Cause, Group, LedgerAccount, PostError, Posting, TransferCode};
use domain::moment::Moment;

use crate::counters;
use crate::db::{Bulk, Conn, Error, Kind, Question, Result, Row, Tx, Value};

/// Makes the wallet and the promo account of a new account, both empty.
pub async fn open(tx: &mut Tx, account: AccountId, credit_line: Credits) -> Result<()> {
    for (place, floor) in
        [(LedgerAccount::Wallet(account), -credit_line), (LedgerAccount::Promo(account), Credits::ZERO)]
    {
        tx.execute(
            "insert into ledger_accounts (id, account_id, balance, floor) values ($1, $2, 0, $3)",
            &[place.id().into(), account.0.into(), floor.0.into()],
        )
        .await?;
    }
    Ok(())
}

/// Sets how far below zero a wallet may go. Refused by the books when it is further down already.
pub async fn set_credit_line(tx: &mut Tx, account: AccountId, credit_line: Credits) -> Result<()> {
    tx.execute(
        "update ledger_accounts set floor = $2 where id = $1",
        &[LedgerAccount::Wallet(account).id().into(), (-credit_line).0.into()],
    )
    .await
    .map(drop)
}

static LOCK: Bulk = Bulk::select(
    &[("id", Kind::Int)],
    "select id, balance, floor from ledger_accounts where id = $1",
    "select l.id, l.balance, l.floor from ledger_accounts l join {rows} on l.id = input.id order by l.id for update of l",
);

/// A balance as it was locked.
#[derive(Clone, Copy, Debug)]
pub struct Locked {
    id: i64,
    balance: Credits,
    floor: Option<Credits>,
}

/// Locks the wallets and promo accounts of these accounts, in the order of their ids. The answer is to be
/// given to [`load`].
pub fn locked<'a>(accounts: impl IntoIterator<Item = AccountId>) -> Question<'a, Vec<Locked>> {
    let ids: BTreeSet<i64> = accounts
        .into_iter()
        .flat_map(|a| [LedgerAccount::Wallet(a).id(), LedgerAccount::Promo(a).id()])
        .collect();
    Question::new(&LOCK, ids.into_iter().map(Value::from).collect(), |rows| {
        let locked = |row: &Row| {
            Ok(Locked { id: row.int(0)?, balance: Credits(row.int(1)?), floor: row.opt_int(2)?.map(Credits) })
        };
        rows.iter().map(locked).collect()
    })
}

/// Takes locked balances into the book.
pub fn load(book: &mut Book, locked: &[Locked]) {
    for place in locked {
        book.load(place.id, place.balance, place.floor);
    }
}

/// Locks the wallets and promo accounts of these accounts and takes their balances into the book.
pub async fn lock(tx: &mut Tx, book: &mut Book, accounts: impl IntoIterator<Item = AccountId>) -> Result<()> {
    load(book, &tx.ask(locked(accounts)).await?);
    Ok(())
}

/// What an account's wallet holds, and what its promo account holds.
pub async fn balance(conn: &mut Conn, account: AccountId) -> Result<(Credits, Credits)> {
    let ids = [LedgerAccount::Wallet(account).id(), LedgerAccount::Promo(account).id()];
    let sql = "select id, balance from ledger_accounts where id in list($1)";
    let mut balance = (Credits::ZERO, Credits::ZERO);
    for row in conn.query(sql, &[ids.as_slice().into()]).await? {
        let amount = Credits(row.int(1)?);
        if row.int(0)? == ids[0] { balance.0 = amount } else { balance.1 = amount }
    }
    Ok(balance)
}

static TRANSFERS: Bulk = Bulk::insert(
    "transfers",
    &[
        ("id", Kind::Int),
        ("cause_kind", Kind::Int),
        ("cause_id", Kind::Int),
        ("place", Kind::Int),
        ("from_id", Kind::Int),
        ("to_id", Kind::Int),
        ("amount", Kind::Int),
        ("code", Kind::Int),
        ("actor", Kind::Text),
        ("reference", Kind::Text),
        ("created_at", Kind::Int),
    ],
    "",
);
static BALANCES: Bulk = Bulk::add("ledger_accounts", &[("id", Kind::Int)], &[("balance", Kind::Int)]);
/// Writes the transfers of groups that `book` has decided, and the balances it changed. The only
/// place where credits move. `first_id` begins as many transfer ids as there are postings.
///
/// The caller has locked every wallet involved by [`lock`] in this transaction, and made sure that
/// no group's cause has been booked before: a cause booked twice breaks the whole transaction.
pub async fn post(tx: &mut Tx, book: &Book, groups: &[Group], first_id: i64, now: Moment) -> Result<()> {
    let count = groups.iter().map(|g| g.postings.len()).sum::<usize>();
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(count * 11);
    let mut ids = first_id..;
    for group in groups {
        for ((place, posting), id) in (0_i64..).zip(&group.postings).zip(ids.by_ref()) {
            cells.extend([
                id.into(),
                (group.cause.kind as i64).into(),
                group.cause.id.into(),
                place.into(),
                posting.from.id().into(),
                posting.to.id().into(),
                posting.amount.0.into(),
                posting.code.code().into(),
                Value::from(&group.actor),
                Value::from(&group.reference),
                now.0.into(),
            ]);
        }
    }
    tx.bulk(&TRANSFERS, &cells).await?;
    let changes = book.changes();
    let cells: Vec<Value<'_>> =
        changes.iter().flat_map(|(id, change)| [(*id).into(), change.0.into()]).collect();
    tx.bulk_each(&BALANCES, &cells).await
}

/// The postings booked for a cause, in order; none when it has not been booked.
pub async fn booked(conn: &mut Conn, cause: Cause) -> Result<Vec<Posting>> {
    let sql = "select from_id, to_id, amount, code from transfers
        where cause_kind = $1 and cause_id = $2 order by place";
    let rows = conn.query(sql, &[(cause.kind as i64).into(), cause.id.into()]).await?;
    let place =
        |id| LedgerAccount::from_id(id).ok_or_else(|| Error::unreadable("transfers.from_id or to_id", id));
    let posting = |row: &crate::db::Row| {
        Ok(Posting {
            from: place(row.int(0)?)?,
            to: place(row.int(1)?)?,
            amount: Credits(row.int(2)?),
            code: TransferCode::from_code(row.int(3)?)
                .ok_or_else(|| Error::unreadable("transfers.code", row.int(3).unwrap_or(0)))?,
        })
    };
    rows.iter().map(posting).collect()
}

/// The number of the first transfer booked for a cause.
pub async fn first_of(conn: &mut Conn, cause: Cause) -> Result<Option<TransferId>> {
    let sql = "select id from transfers where cause_kind = $1 and cause_id = $2 and place = 0";
    let row = conn.one(sql, &[(cause.kind as i64).into(), cause.id.into()]).await?;
    row.map(|row| row.int(0).map(TransferId)).transpose()
}

/// What other accounts of its tree have handed an account and not taken back, each by itself; below
/// zero where the account has given more.
pub async fn handed_down(conn: &mut Conn, account: AccountId) -> Result<BTreeMap<AccountId, Credits>> {
    let wallet = LedgerAccount::Wallet(account).id();
    // The condition on the code is written as in the indexes that serve this.
    let sql = "select from_id, cast(sum(amount) as bigint) from transfers
            where to_id = $1 and to_id >= 1000 and code < 40 and code in (30, 32, 33) group by from_id
        union all
        select to_id, cast(-sum(amount) as bigint) from transfers
            where from_id = $1 and from_id >= 1000 and code < 40 and code in (30, 32, 33) group by to_id
        union all
        select from_id, cast(sum(amount) as bigint) from transfers where to_id = $1 and code = 34 group by from_id
        union all
        select to_id, cast(-sum(amount) as bigint) from transfers where from_id = $1 and code = 34 group by to_id";
    let mut sums: BTreeMap<AccountId, Credits> = BTreeMap::new();
    for row in conn.query(sql, &[wallet.into()]).await? {
        if let Some(LedgerAccount::Wallet(other)) = LedgerAccount::from_id(row.int(0)?) {
            let sum = sums.entry(other).or_default();
            *sum = Credits(sum.0.saturating_add(row.int(1)?));
        }
    }
    Ok(sums)
}

/// What became of a group that was to be booked.
#[derive(Debug)]
pub enum Booked {
    /// It was booked now; this is the id of its first transfer.
    Now(i64),
    /// It had been booked before with the same content; nothing moved now.
    Before,
    /// Its cause had been booked before with another content; nothing moved now.
    Differently,
    /// It is not possible; nothing moved.
    Refused(PostError),
}

/// Books one group: locks its wallets, decides, and writes. For all that is not hot.
pub async fn post_one(tx: &mut Tx, group: &Group, now: Moment) -> Result<Booked> {
    let mut book = Book::default();
    let owners = group.postings.iter().flat_map(|p| [p.from, p.to]).filter_map(LedgerAccount::owner);
    lock(tx, &mut book, owners).await?;
    let before = booked(tx, group.cause).await?;
    if !before.is_empty() {
        return Ok(if before == group.postings { Booked::Before } else { Booked::Differently });
    }
    if let Err(refused) = book.post(&group.postings) {
        return Ok(Booked::Refused(refused));
    }
    let first = counters::draw(tx, "transfer", group.postings.len() as i64).await?;
    post(tx, &book, std::slice::from_ref(group), first, now).await?;
    Ok(Booked::Now(first))
}
