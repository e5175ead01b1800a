//! Proves that the books keep what they promise: that every balance is the sum of its transfers, that
//! every message was charged once and refunded once at the most, and what else design.md section 2
//! lists.
//!
//! Transfers and messages are each read once, in the order of their numbers and side by side, in
//! pages. What each batch of messages should have been charged is added up on one side and what was
//! booked for it on the other; the two meet within a page or two, so that little has to be
//! remembered. A charge is compared by a fingerprint: the sum over all places of what each gained
//! times a number of its own, which is the same only if every place gained the same.

mod rollups;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use domain::account::AccountState;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::{CauseKind, LedgerAccount, TransferCode};
use domain::message::MessageStatus;
use domain::product::Product;

use crate::accounts::path_text;
use crate::db::{Conn, Result, Row};

/// How many faults are told; the others are counted.
pub const TOLD_MAX: usize = 100;
/// Rows read at once.
const PAGE: i64 = 20_000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether nothing is broken.
    pub ok: bool,
    /// What is broken, a sentence each, [`TOLD_MAX`] at the most.
    pub broken: Vec<String>,
    /// How much is broken in all.
    pub broken_count: u64,
    /// Accounts.
    pub accounts: u64,
    /// Wallets, promo accounts and the installation's own.
    pub ledger_accounts: u64,
    /// Transfers.
    pub transfers: u64,
    /// Messages.
    pub messages: u64,
    /// Messages that were refunded.
    pub refunds: u64,
    /// Messages that are still to be handed over.
    pub outbox: u64,
    /// Prices, with all versions.
    pub price_rows: u64,
}

impl Report {
    fn broken(&mut self, what: impl FnOnce() -> String) {
        self.broken_count += 1;
        if self.broken.len() < TOLD_MAX {
            self.broken.push(what());
        }
    }

    fn room(&self) -> usize {
        TOLD_MAX.saturating_sub(self.broken.len())
    }
}

/// Checks everything. `conn` should be a [`crate::db::Snapshot`]: while others write, a connection
/// that sees their work between two statements finds faults that are none.
pub async fn check(conn: &mut Conn) -> Result<Report> {
    check_telling(conn, &|_| ()).await
}

/// How many rows [`check`] is going to read, about: transfers and messages.
pub async fn size(conn: &mut Conn) -> Result<i64> {
    // Their numbers have few gaps; to count them would take as long as to check some of them.
    let sql = "select (select coalesce(max(id) - min(id) + 1, 0) from transfers)
        + (select coalesce(max(id) - min(id) + 1, 0) from messages)";
    conn.number(sql, &[]).await
}

/// As [`check`]; `told` hears now and then how many transfers and messages were read.
pub async fn check_telling(conn: &mut Conn, told: &(dyn Fn(u64) + Send + Sync)) -> Result<Report> {
    let mut report = Report::default();
    let tree = tree(conn, &mut report).await?;
    let places = places(conn, &tree, &mut report).await?;
    let prices = prices(conn, &mut report).await?;
    let mut books = Books {
        tree: &tree,
        prices: &prices,
        sums: places.keys().map(|id| (*id, 0)).collect(),
        open: Map::default(),
        of_accounts: Map::default(),
        waiting: 0,
    };
    read_side_by_side(conn, &mut books, &mut report, told).await?;
    for (id, balance) in &places {
        let sum = books.sums[id];
        if sum != i128::from(*balance) {
            let (name, balance) = (name(*id), Credits(*balance));
            report.broken(|| {
                format!("the {name} holds {balance}, but its transfers add up to {}", amount(sum))
            });
        }
    }
    describe_charges(conn, std::mem::take(&mut books.open), &mut report).await?;
    refunds(conn, &mut books, &mut report).await?;
    statistics(conn, &books, &mut report).await?;
    rollups::check(conn, &tree, &mut report).await?;
    outbox(conn, books.waiting, &mut report).await?;
    promo(conn, &places, &mut report).await?;
    report.ok = report.broken_count == 0;
    Ok(report)
}

/// Checks only that the sums of the statistics are their sums, as after [`crate::rollups::rebuild`].
pub async fn check_sums(conn: &mut Conn) -> Result<Report> {
    let mut report = Report::default();
    let tree = tree(conn, &mut report).await?;
    rollups::check(conn, &tree, &mut report).await?;
    report.ok = report.broken_count == 0;
    Ok(report)
}

/// A map of numbers. The books' own numbers need no defence against chosen keys.
type Map<V> = HashMap<i64, V, BuildHasherDefault<Mixed>>;

#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_i64(&mut self, n: i64) {
        self.write_u64(n as u64);
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = mixed(self.0 ^ n);
    }
}

/// A number that looks like chance, the same for the same (SplitMix64).
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// What a place gained, as a part of a fingerprint.
fn gained(place: i64, amount: i64) -> u64 {
    // Odd, so that no gain is lost.
    (mixed(place as u64) | 1).wrapping_mul(amount as u64)
}

fn name(place: i64) -> String {
    LedgerAccount::from_id(place).map_or_else(|| format!("ledger account {place}"), LedgerAccount::name)
}

fn amount(sum: i128) -> String {
    i64::try_from(sum).map_or_else(|_| format!("{sum} millionths"), |sum| Credits(sum).to_string())
}

/// An account as far as it is checked.
struct Node {
    path: Vec<AccountId>,
    credit_line: i64,
    closed: bool,
}

async fn tree(conn: &mut Conn, report: &mut Report) -> Result<Map<Node>> {
    let mut tree: Map<Node> = Map::default();
    let sql = "select id, parent_id, root_id, path, credit_line, state from accounts order by id";
    conn.each(sql, &[], |mut row| {
        let (id, parent) = (row.int(0)?, row.opt_int(1)?);
        report.accounts += 1;
        let mut path = match parent.map(|p| tree.get(&p)) {
            None => Vec::new(),
            Some(Some(above)) => above.path.clone(),
            Some(None) => {
                report.broken(|| {
                    format!("account {id} stands below {}, which is not there", parent.unwrap_or(0))
                });
                Vec::new()
            }
        };
        path.push(AccountId(id));
        let (root, stored) = (row.int(2)?, row.take_text(3));
        if stored != path_text(&path) || path.first() != Some(&AccountId(root)) {
            let right = path_text(&path);
            report.broken(|| {
                format!("account {id} has the path {stored} and the root {root}; it should be {right}")
            });
        }
        let closed = row.int(5)? == AccountState::Closed.code();
        tree.insert(id, Node { path, credit_line: row.int(4)?, closed });
        Ok(())
    })
    .await?;
    Ok(tree)
}

/// The balances, after a look at each by itself and at their sum.
async fn places(conn: &mut Conn, tree: &Map<Node>, report: &mut Report) -> Result<Map<i64>> {
    let mut places: Map<i64> = Map::default();
    let mut sum = 0_i128;
    conn.each("select id, account_id, balance, floor from ledger_accounts", &[], |row| {
        let (id, owner, balance, floor) = (row.int(0)?, row.opt_int(1)?, row.int(2)?, row.opt_int(3)?);
        report.ledger_accounts += 1;
        sum += i128::from(balance);
        places.insert(id, balance);
        let place = LedgerAccount::from_id(id);
        if place.is_none() || place.and_then(LedgerAccount::owner).map(|a| a.0) != owner {
            report.broken(|| format!("ledger account {id} belongs to nobody it can belong to"));
        }
        if floor.is_some_and(|floor| balance < floor) {
            let (balance, floor) = (Credits(balance), Credits(floor.unwrap_or(0)));
            report
                .broken(|| format!("the {} holds {balance}, less than the {floor} it may fall to", name(id)));
        }
        let Some(owner) = owner else { return Ok(()) };
        let Some(account) = tree.get(&owner) else {
            report.broken(|| format!("the {} belongs to an account that is not there", name(id)));
            return Ok(());
        };
        let line = if matches!(place, Some(LedgerAccount::Wallet(_))) { account.credit_line } else { 0 };
        if floor != Some(-line) {
            let floor = floor.map_or("nothing".to_owned(), |f| Credits(f).to_string());
            report.broken(|| {
                format!("the {} may fall to {floor}, but its credit line is {}", name(id), Credits(line))
            });
        }
        if account.closed && balance != 0 {
            report
                .broken(|| format!("the {} holds {}, but the account is closed", name(id), Credits(balance)));
        }
        Ok(())
    })
    .await?;
    if sum != 0 {
        report.broken(|| format!("all balances together are {}, not 0", amount(sum)));
    }
    for id in tree.keys() {
        for place in [LedgerAccount::Wallet(AccountId(*id)), LedgerAccount::Promo(AccountId(*id))] {
            if !places.contains_key(&place.id()) {
                report.broken(|| format!("the {} is not there", place.name()));
            }
        }
    }
    Ok(places)
}

async fn prices(conn: &mut Conn, report: &mut Report) -> Result<Map<i64>> {
    let mut prices: Map<i64> = Map::default();
    conn.each("select id, price from price_rows", &[], |row| {
        prices.insert(row.int(0)?, row.int(1)?);
        Ok(())
    })
    .await?;
    report.price_rows = prices.len() as u64;
    Ok(prices)
}

/// What an account's messages add up to.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    messages: i64,
    segments: i64,
    cost: i64,
    refunds: i64,
    last_at: i64,
}

/// What is added up while transfers and messages are read.
struct Books<'a> {
    tree: &'a Map<Node>,
    prices: &'a Map<i64>,
    /// What the transfers of each place add up to.
    sums: Map<i128>,
    /// Batches whose charge and messages have not met yet: the difference of their fingerprints.
    open: Map<u64>,
    of_accounts: Map<Totals>,
    /// Messages that nobody has taken yet.
    waiting: i64,
}

async fn read_side_by_side(
    conn: &mut Conn,
    books: &mut Books<'_>,
    report: &mut Report,
    told: &(dyn Fn(u64) + Send + Sync),
) -> Result<()> {
    let transfers = format!(
        "select id, cause_kind, cause_id, from_id, to_id, amount, code from transfers
        where id > $1 order by id limit {PAGE}"
    );
    let messages = format!(
        "select id, account_id, root_id, batch_id, segments, price, promo, price_row_id, levels, status, created_at from messages
        where id > $1 order by id limit {PAGE}"
    );
    // Where each has been read to, and how far in terms of messages; nothing once at its end.
    let (mut transfer, mut charged) = (i64::MIN, Some(i64::MIN));
    let (mut message, mut accepted) = (i64::MIN, Some(i64::MIN));
    loop {
        let behind = match (accepted, charged) {
            (None, None) => return Ok(()),
            (Some(accepted), Some(charged)) => accepted <= charged,
            (accepted, None) => accepted.is_some(),
            (None, Some(_)) => false,
        };
        let mut count = 0;
        if behind {
            conn.scan(&messages, &[message.into()], |row| {
                count += 1;
                message = row.int(0)?;
                books.message(row, report)
            })
            .await?;
            accepted = (count == PAGE).then_some(message);
        } else {
            let mut last = charged;
            conn.scan(&transfers, &[transfer.into()], |row| {
                count += 1;
                transfer = row.int(0)?;
                if row.int(1)? == CauseKind::Batch as i64 {
                    last = Some(row.int(2)?);
                }
                books.transfer(row, report)
            })
            .await?;
            charged = last.filter(|_| count == PAGE);
        }
        told(report.transfers + report.messages);
    }
}

impl Books<'_> {
    fn transfer(&mut self, row: &Row, report: &mut Report) -> Result<()> {
        let (id, kind, cause) = (row.int(0)?, row.int(1)?, row.int(2)?);
        let (from, to, amount, code) = (row.int(3)?, row.int(4)?, row.int(5)?, row.int(6)?);
        report.transfers += 1;
        for (place, change) in [(from, -i128::from(amount)), (to, i128::from(amount))] {
            match self.sums.get_mut(&place) {
                Some(sum) => *sum += change,
                None => {
                    report.broken(|| format!("transfer {id} names the {}, which is not there", name(place)))
                }
            }
        }
        if let Some(fault) = self.misplaced(kind, from, to, amount, code) {
            report.broken(|| {
                format!("transfer {id} of {} from {} to {} {fault}", Credits(amount), name(from), name(to))
            });
        }
        if kind == CauseKind::Batch as i64 {
            self.differ(cause, gained(to, amount).wrapping_sub(gained(from, amount)));
        }
        Ok(())
    }

    /// What is wrong with a transfer by itself.
    fn misplaced(&self, kind: i64, from: i64, to: i64, amount: i64, code: i64) -> Option<&'static str> {
        use LedgerAccount::{Goodwill, PaymentClearing, Promo, Revenue, Wallet};
        use TransferCode as Code;
        if amount <= 0 || from == to {
            return Some("moves nothing");
        }
        let Some(code) = TransferCode::from_code(code) else {
            return Some("has a code that is unknown here");
        };
        let (Some(from), Some(to)) = (LedgerAccount::from_id(from), LedgerAccount::from_id(to)) else {
            return Some("has a place that is unknown here");
        };
        let caused_by = |wanted: CauseKind| kind == wanted as i64;
        let for_batch = matches!(code, Code::Charge | Code::Margin);
        let for_refund = matches!(code, Code::Refund | Code::MarginRefund);
        let for_shared = code == Code::SharedUse;
        if for_shared != caused_by(CauseKind::SharedUse)
            || for_batch != caused_by(CauseKind::Batch)
            || for_refund != caused_by(CauseKind::Refund)
        {
            return Some("has a code that does not fit its cause");
        }
        let fits = match (code, from, to) {
            (
                Code::Transfer | Code::AutoTransfer | Code::Closing | Code::SharedUse,
                Wallet(from),
                Wallet(to),
            ) => {
                let root = |account: AccountId| self.tree.get(&account.0).and_then(|node| node.path.first());
                if root(from) != root(to) {
                    return Some("leads from one tree to another");
                }
                true
            }
            // The account's own credit is owed to whoever paid it.
            (Code::Closing, Wallet(_), PaymentClearing) => true,
            (Code::Transfer | Code::AutoTransfer | Code::Closing | Code::SharedUse, _, _) => false,
            (Code::Grant, from, to) => from == PaymentClearing && matches!(to, Wallet(_)),
            (Code::Promo, from, to) => from == Goodwill && matches!(to, Promo(_)),
            (Code::PromoExpiry, from, to) => matches!(from, Promo(_)) && to == Goodwill,
            (Code::Charge, from, to) => from.owner().is_some() && matches!(to, Revenue(_)),
            (Code::Margin, from, to) => from.owner().is_some() && matches!(to, Wallet(_)),
            (Code::Refund, from, to) => matches!(from, Revenue(_)) && to.owner().is_some(),
            (Code::MarginRefund, from, to) => matches!(from, Wallet(_)) && to.owner().is_some(),
            (Code::Correction, _, _) => true,
        };
        if fits { None } else { Some("has a code that does not fit its places") }
    }

    fn differ(&mut self, batch: i64, by: u64) {
        if by == 0 {
            return;
        }
        let open = self.open.entry(batch).or_default();
        *open = open.wrapping_add(by);
        if *open == 0 {
            self.open.remove(&batch);
        }
    }

    fn message(&mut self, row: &Row, report: &mut Report) -> Result<()> {
        let (id, account, batch, segments) = (row.int(0)?, row.int(1)?, row.int(3)?, row.int(4)?);
        let (price, promo, price_row, status) = (row.int(5)?, row.int(6)?, row.int(7)?, row.int(9)?);
        report.messages += 1;
        let node = self.tree.get(&account);
        if node.and_then(|node| node.path.first()).map(|root| root.0) != Some(row.int(2)?) {
            report.broken(|| format!("message {id} is of account {account}, but not of its tree"));
        }
        let charged = self.prices.get(&price_row).and_then(|unit| unit.checked_mul(segments));
        if charged != Some(price) {
            let by_row = match self.prices.get(&price_row) {
                None => "which is not there".to_owned(),
                Some(unit) => format!("which says {} for each of its {segments} segments", Credits(*unit)),
            };
            report.broken(|| {
                format!("message {id} cost {} by price row {price_row}, {by_row}", Credits(price))
            });
        }
        if !(0..=price).contains(&promo) {
            report.broken(|| {
                format!("message {id} cost {} and used {} of free credit", Credits(price), Credits(promo))
            });
        }
        let levels = Levels::read(account, price, row.opt_text(8)?.as_deref());
        match levels {
            Some(levels) if levels.fits(account, price, node) => {
                self.differ(batch, levels.charge(promo).wrapping_neg())
            }
            _ => {
                report.broken(|| format!("message {id} does not say rightly what each account above it pays"))
            }
        }
        let totals = self.of_accounts.entry(account).or_default();
        totals.messages += 1;
        totals.segments = totals.segments.saturating_add(segments);
        totals.cost = totals.cost.saturating_add(price);
        totals.last_at = totals.last_at.max(row.int(10)?);
        self.waiting += i64::from(status < MessageStatus::Submitted.code());
        Ok(())
    }
}

/// What each account of a path pays for a message, root first.
struct Levels {
    sender: i64,
    levels: Vec<(AccountId, Credits)>,
}

impl Levels {
    fn read(sender: i64, price: i64, text: Option<&str>) -> Option<Levels> {
        let levels = match text {
            None => vec![(AccountId(sender), Credits(price))],
            Some(text) => crate::messages::levels_of(text)?,
        };
        Some(Levels { sender, levels })
    }

    /// Whether they end with the message's own price, and name the whole path where they name more.
    fn fits(&self, account: i64, price: i64, node: Option<&Node>) -> bool {
        let path = || self.levels.iter().map(|(id, _)| *id);
        self.levels.last() == Some(&(AccountId(account), Credits(price)))
            && (self.levels.len() == 1 || node.is_some_and(|node| node.path.iter().copied().eq(path())))
    }

    /// The fingerprint of the charge.
    fn charge(&self, promo: i64) -> u64 {
        let first = self.levels.first().map_or(0, |(_, amount)| amount.0);
        let price = self.levels.last().map_or(0, |(_, amount)| amount.0);
        let mut sum = gained(LedgerAccount::Revenue(Product::Sms).id(), first)
            .wrapping_add(gained(LedgerAccount::Wallet(AccountId(self.sender)).id(), promo - price));
        if promo != 0 {
            sum = sum.wrapping_add(gained(LedgerAccount::Promo(AccountId(self.sender)).id(), -promo));
        }
        for pair in self.levels.windows(2) {
            if let [(above, cost), (_, price)] = pair {
                sum = sum.wrapping_add(gained(LedgerAccount::Wallet(*above).id(), price.0 - cost.0));
            }
        }
        sum
    }

    /// The same for so many of the segments, if every amount can be shared.
    fn share(&self, segments: i64, wanted: i64) -> Levels {
        let share = |amount: &Credits| Credits(amount.0 / segments.max(1) * wanted);
        let levels = self.levels.iter().map(|(account, amount)| (*account, share(amount))).collect();
        Levels { sender: self.sender, levels }
    }
}

/// Says of the batches whose charge and messages never met what is wrong with them.
async fn describe_charges(conn: &mut Conn, open: Map<u64>, report: &mut Report) -> Result<()> {
    let mut batches: Vec<i64> = open.into_keys().collect();
    batches.sort_unstable();
    let told = report.room().min(batches.len());
    for batch in &batches[..told] {
        let sql = "select count(*), cast(coalesce(sum(price), 0) as bigint), coalesce(min(account_id), 0) from messages
            where batch_id = $1 and id between $1 and $1 + 20000";
        let (messages, cost, account) = match conn.one(sql, &[(*batch).into()]).await? {
            Some(row) => (row.int(0)?, row.int(1)?, row.int(2)?),
            None => (0, 0, 0),
        };
        let sql = "select count(*), cast(coalesce(sum(
                case when from_id in ($2, $3) then amount when to_id in ($2, $3) then -amount else 0 end), 0) as bigint),
                cast(coalesce(sum(amount), 0) as bigint)
            from transfers where cause_kind = 1 and cause_id = $1";
        let wallet = LedgerAccount::Wallet(AccountId(account)).id();
        let promo = LedgerAccount::Promo(AccountId(account)).id();
        let (booked, taken, moved) =
            match conn.one(sql, &[(*batch).into(), wallet.into(), promo.into()]).await? {
                Some(row) => (row.int(0)?, Credits(row.int(1)?), Credits(row.int(2)?)),
                None => (0, Credits::ZERO, Credits::ZERO),
            };
        let cost = Credits(cost);
        report.broken(|| match (messages, booked) {
            (0, _) => format!("a charge of {moved} was booked for batch {batch}, which has no messages"),
            (_, 0) => format!("the {messages} messages of batch {batch} of account {account} cost {cost} and were never charged"),
            _ if taken != cost => {
                format!("the {messages} messages of batch {batch} cost {cost}, but account {account} was charged {taken}")
            }
            _ => format!("the charge of batch {batch} of account {account} was not shared out as its messages say"),
        });
    }
    for _ in told..batches.len() {
        report.broken(String::new);
    }
    Ok(())
}

/// A refund whose transfers are being read.
struct Refund {
    message: i64,
    /// What the sender got back.
    back: i64,
    fingerprint: u64,
    /// The message; nothing when it is not there.
    of: Option<Refunded>,
}

struct Refunded {
    account: i64,
    price: i64,
    segments: i64,
    promo: i64,
    status: i64,
    levels: Option<Levels>,
}

async fn refunds(conn: &mut Conn, books: &mut Books<'_>, report: &mut Report) -> Result<()> {
    let sql = format!(
        "select t.cause_id, t.place, t.from_id, t.to_id, t.amount,
            m.account_id, m.price, m.segments, m.promo, m.status, m.levels
        from transfers t left join messages m on m.id = t.cause_id
        where t.cause_kind = 2 and (t.cause_id, t.place) > ($1, $2)
        order by t.cause_id, t.place limit {PAGE}"
    );
    let mut at = (i64::MIN, i64::MIN);
    let mut refund: Option<Refund> = None;
    loop {
        let mut count = 0;
        conn.scan(&sql, &[at.0.into(), at.1.into()], |row| {
            count += 1;
            at = (row.int(0)?, row.int(1)?);
            if refund.as_ref().is_none_or(|r| r.message != at.0)
                && let Some(done) = refund.replace(Refund::begin(row)?)
            {
                done.finish(books, report);
            }
            let (from, to, amount) = (row.int(2)?, row.int(3)?, row.int(4)?);
            if let Some(refund) = &mut refund {
                refund.add(from, to, amount);
            }
            Ok(())
        })
        .await?;
        if count < PAGE {
            break;
        }
    }
    if let Some(done) = refund {
        done.finish(books, report);
    }
    Ok(())
}

impl Refund {
    fn begin(row: &Row) -> Result<Refund> {
        let of = match row.opt_int(5)? {
            None => None,
            Some(account) => Some(Refunded {
                account,
                price: row.int(6)?,
                segments: row.int(7)?,
                promo: row.int(8)?,
                status: row.int(9)?,
                levels: Levels::read(account, row.int(6)?, row.opt_text(10)?.as_deref()),
            }),
        };
        Ok(Refund { message: row.int(0)?, back: 0, fingerprint: 0, of })
    }

    fn add(&mut self, from: i64, to: i64, amount: i64) {
        self.fingerprint =
            self.fingerprint.wrapping_add(gained(to, amount)).wrapping_sub(gained(from, amount));
        let Some(of) = &self.of else { return };
        let own = |place: i64| {
            LedgerAccount::from_id(place).and_then(LedgerAccount::owner) == Some(AccountId(of.account))
        };
        self.back += i64::from(own(to)) * amount - i64::from(own(from)) * amount;
    }

    fn finish(self, books: &mut Books<'_>, report: &mut Report) {
        let Refund { message, back, fingerprint, of } = self;
        report.refunds += 1;
        let Some(of) = of else {
            report.broken(|| format!("message {message} was refunded, but is not there"));
            return;
        };
        let totals = books.of_accounts.entry(of.account).or_default();
        totals.refunds = totals.refunds.saturating_add(back);
        // What some parts of a message cost is given back when only those never left.
        let unit = of.price / of.segments.max(1);
        let parts = if unit > 0 && back % unit == 0 { back / unit } else { 0 };
        if !(1..=of.segments).contains(&parts) {
            let (back, price) = (Credits(back), Credits(of.price));
            report.broken(|| format!("message {message} cost {price}, and {back} were given back for it"));
            return;
        }
        let may = [MessageStatus::Expired, MessageStatus::Rejected, MessageStatus::Cancelled];
        if !may.iter().any(|status| status.code() == of.status) {
            let status = MessageStatus::from_code(of.status).map_or("of no status", MessageStatus::as_str);
            report.broken(|| format!("message {message} was refunded, but is {status}"));
        }
        let expected = of
            .levels
            .map(|levels| levels.share(of.segments, parts).charge(of.promo.min(back)).wrapping_neg());
        if expected != Some(fingerprint) {
            report.broken(|| {
                format!("the refund of message {message} was not taken back from where its charge went")
            });
        }
    }
}

async fn statistics(conn: &mut Conn, books: &Books<'_>, report: &mut Report) -> Result<()> {
    let sql = "select account_id, cast(sum(accepted) as bigint), cast(sum(segments) as bigint),
            cast(sum(cost) as bigint), cast(sum(refunds) as bigint)
        from statistics where product = 0 group by account_id";
    let mut counted: Map<Totals> = Map::default();
    conn.each(sql, &[], |row| {
        let totals = Totals {
            messages: row.int(1)?,
            segments: row.int(2)?,
            cost: row.int(3)?,
            refunds: row.int(4)?,
            last_at: 0,
        };
        counted.insert(row.int(0)?, totals);
        Ok(())
    })
    .await?;
    let sql = "select account_id, max(last_at) from account_usage group by account_id";
    conn.each(sql, &[], |row| {
        counted.entry(row.int(0)?).or_default().last_at = row.int(1)?;
        Ok(())
    })
    .await?;
    let none = Totals::default();
    let mut accounts: Vec<i64> = counted.keys().chain(books.of_accounts.keys()).copied().collect();
    accounts.sort_unstable();
    accounts.dedup();
    for account in accounts {
        let (shown, real) =
            (counted.get(&account).unwrap_or(&none), books.of_accounts.get(&account).unwrap_or(&none));
        for (what, shown, real) in [
            ("a cost of", Credits(shown.cost).to_string(), Credits(real.cost).to_string()),
            ("refunds of", Credits(shown.refunds).to_string(), Credits(real.refunds).to_string()),
            ("messages:", shown.messages.to_string(), real.messages.to_string()),
            ("segments:", shown.segments.to_string(), real.segments.to_string()),
            ("a last message at", shown.last_at.to_string(), real.last_at.to_string()),
        ] {
            if shown != real {
                report.broken(|| {
                    format!("the statistics of account {account} show {what} {shown}, and the books {real}")
                });
            }
        }
    }
    Ok(())
}

async fn outbox(conn: &mut Conn, waiting: i64, report: &mut Report) -> Result<()> {
    report.outbox = u64::try_from(conn.number("select count(*) from outbox", &[]).await?).unwrap_or(0);
    let sql = "select o.message_id, m.status from outbox o left join messages m on m.id = o.message_id
        where m.id is null or m.status >= 4 order by o.message_id";
    conn.each(sql, &[], |row| {
        let (id, status) = (row.int(0)?, row.opt_int(1)?);
        let is = match status.and_then(MessageStatus::from_code) {
            None => "is not there".to_owned(),
            Some(status) => format!("is {}", status.as_str()),
        };
        report.broken(|| format!("message {id} {is}, but is still to be handed over"));
        Ok(())
    })
    .await?;
    let sql = "select count(*) from outbox o join messages m on m.id = o.message_id where m.status < 3";
    if conn.number(sql, &[]).await? == waiting {
        return Ok(());
    }
    let sql = "select m.id from messages m where m.status < 3
        and not exists (select 1 from outbox o where o.message_id = m.id) order by m.id";
    conn.each(sql, &[], |row| {
        let id = row.int(0)?;
        report.broken(|| format!("message {id} has not been handed over, and nobody is to do it"));
        Ok(())
    })
    .await
}

async fn promo(conn: &mut Conn, places: &Map<i64>, report: &mut Report) -> Result<()> {
    let mut lots: Map<i64> = Map::default();
    let sql = "select account_id, cast(sum(remaining) as bigint) from promo_lots group by account_id";
    conn.each(sql, &[], |row| {
        lots.insert(row.int(0)?, row.int(1)?);
        Ok(())
    })
    .await?;
    for (id, balance) in places {
        let Some(LedgerAccount::Promo(account)) = LedgerAccount::from_id(*id) else { continue };
        let in_lots = lots.remove(&account.0).unwrap_or(0);
        if in_lots != *balance {
            let (in_lots, balance) = (Credits(in_lots), Credits(*balance));
            report.broken(|| format!("the promo of {account} holds {balance}, but its lots {in_lots}"));
        }
    }
    for (account, in_lots) in lots.into_iter().filter(|(_, remaining)| *remaining != 0) {
        report.broken(|| {
            format!("lots of {} belong to account {account}, which has no promo account", Credits(in_lots))
        });
    }
    Ok(())
}
