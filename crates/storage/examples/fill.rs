//! Fills a database with transfers, messages and statistics that agree with each other, and measures
//! how long `check` takes to find so.
//!
//! ```text
//! cargo run --release -p storage --example fill -- sqlite:/tmp/fill.db 10000000 1
//! cargo run --release -p storage --example fill -- postgres://postgres@localhost/fill 10000000 1
//! ```
//!
//! The numbers are how many transfers, and how many messages each of them charges. The database must
//! be empty, and is left to be looked at: delete it afterwards.

use std::time::Instant;

use domain::ledger::LedgerAccount;
use domain::product::Product;
use storage::db::Value;
use storage::{Address, Db, Result, Tx, check};

const ACCOUNTS: i64 = 1_000;
const FIRST_ACCOUNT: i64 = 1_900_001;
const FIRST_MESSAGE: i64 = 77_000_000_001;
const PRICE: i64 = 75_000;
const AT_ONCE: i64 = 250_000;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "sqlite:/tmp/fill.db".to_owned());
    let mut number = |default| arguments.next().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (transfers, each): (i64, i64) = (number(10_000_000), number(1));
    let address: Address = address.parse().map_err(storage::Error::Unsupported)?;
    let db = Db::open(&address).await?;
    if db.read().await?.number("select count(*) from accounts", &[]).await? == 0 {
        let begun = now();
        fill(&db, transfers, each).await?;
        println!("{}: filled in {:.1} s", db.engine(), begun.elapsed().as_secs_f64());
    }
    let begun = now();
    let mut snapshot = db.snapshot().await?;
    let report = check::check(&mut snapshot).await?;
    snapshot.end().await?;
    println!(
        "{}: checked {} transfers, {} messages, {} refunds in {:.1} s, ok: {} {:?}",
        db.engine(),
        report.transfers,
        report.messages,
        report.refunds,
        begun.elapsed().as_secs_f64(),
        report.ok,
        report.broken.iter().take(3).collect::<Vec<_>>()
    );
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or(""));
    }
    Ok(())
}

fn now() -> Instant {
    Instant::now()
}

/// One account of a thousand each gets a tenth of a thousandth, and so on in turn: transfer `n` is of
/// account `n % ACCOUNTS`. Every hundredth transfer is a refund of the first message of the batch 99
/// before it.
async fn fill(db: &Db, transfers: i64, each: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    let grant = transfers / ACCOUNTS * each * PRICE * 2 + 1_000_000;
    run(&mut tx, "insert into price_lists (id, name, created_at) values (1, 'standard', 0)", &[]).await?;
    let sql = "insert into price_rows (id, price_list_id, product, country, network, price, effective_from, comment,
        created_at) values (2, 1, 0, 'DE', '', $1, 0, '', 0)";
    run(&mut tx, sql, &[PRICE.into()]).await?;
    let of = [0.into(), (ACCOUNTS - 1).into()];
    series(
        &mut tx,
        "insert into accounts (id, root_id, path, owner, email, state_at, signing_key, created_at)",
        &format!("n + {FIRST_ACCOUNT}, n + {FIRST_ACCOUNT}, (n + {FIRST_ACCOUNT}) || '/', 'x', 'x@example.com', 0, 'x', 0"),
        "",
        &of,
    )
    .await?;
    // Charges and refunds of account n: as many as there are numbers below `transfers` that leave n.
    let batches = "(($3 - 1 - n) / 1000 + 1)";
    let refunds = "(case when n % 100 = 99 then 1 else 0 end)";
    let spent = format!("(cast({batches} as bigint) * (1 - {refunds}) * {PRICE} * {each})");
    let back = format!(
        "(case when n % 100 = 0 then cast((($3 - 1 - n - 99) / 1000 + 1) as bigint) * {PRICE} else 0 end)"
    );
    let held = format!("{grant} - {spent} + {back}");
    let with_count = [of[0], of[1], transfers.into()];
    let wallets = "insert into ledger_accounts (id, account_id, balance, floor)";
    let wallet = format!("1000 + (n + {FIRST_ACCOUNT}) * 2, n + {FIRST_ACCOUNT}, {held}, 0");
    series(&mut tx, wallets, &wallet, "", &with_count).await?;
    let promo = format!("1001 + (n + {FIRST_ACCOUNT}) * 2, n + {FIRST_ACCOUNT}, 0, 0");
    series(&mut tx, wallets, &promo, "", &of).await?;
    let clearing = format!("update ledger_accounts set balance = {} where id = 1", -grant * ACCOUNTS);
    run(&mut tx, &clearing, &[]).await?;
    let sms = LedgerAccount::Revenue(Product::Sms).id();
    let earned = format!(
        "update ledger_accounts set balance = {} - (
            select cast(sum(balance) as bigint) from ledger_accounts where account_id is not null) where id = {sms}",
        grant * ACCOUNTS
    );
    run(&mut tx, &earned, &[]).await?;
    let into = "insert into transfers (id, cause_kind, cause_id, place, from_id, to_id, amount, code, actor, reference,
        created_at)";
    let grants =
        format!("n + 1, 3, n + 1, 0, 1, 1000 + (n + {FIRST_ACCOUNT}) * 2, {grant}, 10, 'operator', '', 0");
    series(&mut tx, into, &grants, "", &of).await?;
    let counted = format!(
        "n + {FIRST_ACCOUNT}, 20260101, 0, 'DE', '', '', '', 0, {batches} * (1 - {refunds}) * {each},
        {batches} * (1 - {refunds}) * {each}, 0, 0, {spent}, {back}"
    );
    let statistics =
        "insert into statistics (account_id, day, product, country, network, label, sender, campaign_id,
        accepted, segments, delivered, failed, cost, refunds)";
    series(&mut tx, statistics, &counted, "", &with_count).await?;
    tx.commit().await?;
    let account = format!("(n % {ACCOUNTS} + {FIRST_ACCOUNT})");
    let message = format!("({FIRST_MESSAGE} + n * {each})");
    let charges = format!(
        "n + 2001, 1, {message}, 0, 1000 + {account} * 2, {sms}, {}, 40, 'key 12', '', 1780000000000000 + n",
        PRICE * each
    );
    let refund = format!(
        "n + 2001, 2, {message} - 99 * {each}, 0, {sms}, 1000 + ({account} - 99) * 2, {PRICE}, 50, 'carrier', '',
        1780000000000000 + n"
    );
    let messages = "insert into messages (id, account_id, root_id, batch_id, sender, recipient, text, alphabet, flash,
        segments, price, promo, price_row_id, class, label, connection, country, network, validity_minutes, created_at,
        send_at, status, carrier, submitted_at)";
    let message = format!(
        "{message} + k, {account}, {account}, {message}, 'Branchline', 491700000000 + n, 'Your code is 123456. Do not share it.',
        0, 0, 1, {PRICE}, 0, 2, 1, 'label', 'http', 'DE', '26201', 2880, 1780000000000000 + n, 1780000000000000 + n,
        case when n % 100 = 0 and k = 0 and n + 99 < $3 then 7 else 4 end, 'alpha', 1780000000000000 + n"
    );
    for first in (0..transfers).step_by(AT_ONCE as usize) {
        let mut tx = db.begin().await?;
        let range = [first.into(), (first + AT_ONCE - 1).min(transfers - 1).into(), transfers.into()];
        series(&mut tx, into, &charges, "where n % 100 <> 99", &range[..2]).await?;
        series(&mut tx, into, &refund, "where n % 100 = 99", &range[..2]).await?;
        let each_of = format!(
            "cross join (with recursive e (k) as (select 0 union all select k + 1 from e where k < {each} - 1) select k from e) e where n % 100 <> 99"
        );
        series(&mut tx, messages, &message, &each_of, &range).await?;
        tx.commit().await?;
        db.checkpoint().await?;
    }
    let mut tx = db.begin().await?;
    storage::rollups::rebuild(&mut tx).await?;
    tx.commit().await?;
    if !db.is_shared() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    run(&mut tx, "analyze", &[]).await?;
    tx.commit().await
}

async fn run(tx: &mut Tx, sql: &str, params: &[Value<'_>]) -> Result<()> {
    tx.execute(sql, params).await.map(drop)
}

async fn series(tx: &mut Tx, insert: &str, select: &str, rest: &str, params: &[Value<'_>]) -> Result<()> {
    let with = "with recursive s (n) as (
        select cast($1 as bigint) union all select n + 1 from s where n < cast($2 as bigint))";
    run(tx, &format!("{insert} {with} select {select} from s {rest}"), params).await
}
