//! How long each page takes to read what it shows.

use std::time::Instant;

use domain::account::Account;
use domain::actor::Actor;
use domain::id::AccountId;
use domain::message::MessageStatus;
use domain::phone_number::PhoneNumber;
use gateway::clock::{date_of, day_of};
use gateway::journal::{Recipient, Search};
use gateway::scope::Scope;
use gateway::statement::{Filter, Kind};
use gateway::statistics::{Compare, Dimension, Question, Range};
use gateway::subaccounts::{Sort, Table};
use gateway::{Base, journal, overview, statement, statistics, subaccounts};
use storage::Result;

/// What is measured, and what it may take: milliseconds at the median.
struct Measured {
    name: String,
    wanted: f64,
    times: Vec<f64>,
    rows: usize,
}

struct Bench<'a> {
    base: &'a Base,
    times: usize,
    all: Vec<Measured>,
}

impl Bench<'_> {
    async fn run<F: Future<Output = Result<usize>>>(
        &mut self,
        name: &str,
        wanted: f64,
        work: impl Fn() -> F,
    ) -> Result<()> {
        let mut times = Vec::with_capacity(self.times);
        let mut worked = 0.0;
        let mut rows = 0;
        for turn in 0..=self.times {
            let (begun, before) = (Instant::now(), worked_for());
            rows = work().await?;
            // The first one warms up.
            if turn > 0 {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
                worked += worked_for() - before;
            }
        }
        times.sort_by(f64::total_cmp);
        let (median, p95) = (times[times.len() / 2], times[times.len() * 95 / 100]);
        let worked = worked / self.times as f64;
        println!(
            "{name:<60} {rows:>6} rows {median:>8.1} ms median {p95:>8.1} ms p95 {worked:>8.1} ms of work {}",
            if median > wanted { "SHORT" } else { "" }
        );
        self.all.push(Measured { name: name.to_owned(), wanted, times, rows });
        Ok(())
    }
}

/// Milliseconds that this thread has worked: on a machine that is busy with other things, what a page takes
/// by itself. Linux tells; elsewhere it is nothing.
fn worked_for() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

pub async fn measure(base: &Base, times: usize) -> Result<()> {
    let first = {
        let mut conn = base.db.read().await?;
        AccountId(conn.number("select min(id) from accounts where parent_id is null", &[]).await?)
    };
    let root = account(base, first).await?;
    let child = account(base, AccountId(first.0 + 1)).await?;
    let quiet = account(base, AccountId(first.0 + 15_000)).await?;
    let mut bench = Bench { base, times, all: Vec::new() };
    let moved = subaccounts::roll(base).await?;
    println!("{}: the thirty days of {moved} accounts were moved on", base.db.engine());
    tables(&mut bench, &root, &child).await?;
    reports(&mut bench, &root, &child).await?;
    journals(&mut bench, &root, &child, &quiet).await?;
    bench
        .run("overview of the tree", 100.0, || async {
            Ok(overview::overview(base, &root, true).await?.attention.len())
        })
        .await?;
    bench
        .run("overview of the largest subaccount", 100.0, || async {
            Ok(overview::overview(base, &child, true).await?.attention.len())
        })
        .await?;
    for of in [&root, &child] {
        for kind in [Kind::All, Kind::Moves, Kind::Usage] {
            let filter = Filter { kind, ..Filter::default() };
            let name = format!("statement of {}, {kind:?}", of.name());
            bench
                .run(&name, 30.0, || async {
                    Ok(statement::page(base, of, &filter, None, 50).await?.lines.len())
                })
                .await?;
        }
        let month = gateway::clock::start_of_day(
            gateway::clock::days_before(day_of(base.clock.now(), &base.rules.time_zone), 30),
            &base.rules.time_zone,
        );
        let filter = Filter { before: month, ..Filter::default() };
        bench
            .run(&format!("statement of {} before a month ago", of.name()), 100.0, || async {
                Ok(statement::page(base, of, &filter, None, 50).await?.lines.len())
            })
            .await?;
    }
    let short = bench.all.iter().filter(|m| m.times[m.times.len() / 2] > m.wanted).count();
    println!("{} of {} within what is wanted", bench.all.len() - short, bench.all.len());
    let slowest =
        bench.all.iter().max_by(|a, b| a.times[a.times.len() / 2].total_cmp(&b.times[b.times.len() / 2]));
    if let Some(slowest) = slowest {
        println!("slowest: {} ({} rows)", slowest.name, slowest.rows);
    }
    Ok(())
}

async fn account(base: &Base, id: AccountId) -> Result<Account> {
    let found =
        base.account(id).await?.ok_or_else(|| storage::Error::Fault(format!("there is no account {id}")))?;
    Ok((*found).clone())
}

async fn tables(bench: &mut Bench<'_>, root: &Account, child: &Account) -> Result<()> {
    let base = bench.base;
    for sort in Sort::ALL {
        for descending in [false, true] {
            let table = Table { sort, descending, ..Table::default() };
            let name = format!(
                "subaccounts by {}{}",
                sort.as_str(),
                if descending { ", greatest first" } else { "" }
            );
            bench
                .run(&name, 30.0, || async {
                    Ok(subaccounts::page(base, root, &table, None, 50).await?.rows.len())
                })
                .await?;
        }
    }
    for (name, table) in [
        ("subaccounts at any depth by name", Table { all_below: true, ..Table::default() }),
        ("subaccounts found by a word", Table { search: "apotheke köln".into(), ..Table::default() }),
        (
            "subaccounts found by a number",
            Table { search: root.id.0.saturating_add(777).to_string(), ..Table::default() },
        ),
        (
            "subaccounts that are low, by balance",
            Table { low: true, sort: Sort::Balance, ..Table::default() },
        ),
    ] {
        bench
            .run(name, 30.0, || async {
                Ok(subaccounts::page(base, root, &table, None, 50).await?.rows.len())
            })
            .await?;
    }
    let mut after = None;
    for _ in 0..200 {
        after = subaccounts::page(base, root, &Table::default(), after.as_deref(), 50).await?.next;
    }
    bench
        .run("subaccounts by name, page 200", 30.0, || async {
            Ok(subaccounts::page(base, root, &Table::default(), after.as_deref(), 50).await?.rows.len())
        })
        .await?;
    bench
        .run("one subaccount", 10.0, || async {
            Ok(usize::from(subaccounts::one(base, root, child.id).await?.is_some()))
        })
        .await
}

async fn reports(bench: &mut Bench<'_>, root: &Account, child: &Account) -> Result<()> {
    let base = bench.base;
    let today = date_of(day_of(base.clock.now(), &base.rules.time_zone)).unwrap_or_default();
    let year = Range::ending(today, 365);
    let months =
        Range { first: year.first.saturating_add(jiff::Span::new().months(1)).first_of_month(), last: today };
    let month = Range::ending(today, 30);
    for (words, range) in [("a year", year), ("twelve months", months), ("30 days", month)] {
        for rows in Dimension::ALL {
            let question = Question::new(Scope::Tree, range, rows);
            let name = format!("{words} of the tree by {}", rows.as_str());
            bench
                .run(&name, 200.0, || async {
                    Ok(statistics::report(base, root, &question).await?.map_or(0, |r| r.rows.len()))
                })
                .await?;
        }
    }
    for (rows, series) in [
        (Dimension::Day, Dimension::Country),
        (Dimension::Day, Dimension::Label),
        (Dimension::Week, Dimension::Subaccount),
        (Dimension::Month, Dimension::Sender),
        (Dimension::Country, Dimension::Label),
        (Dimension::Subaccount, Dimension::Country),
        (Dimension::Subaccount, Dimension::Label),
    ] {
        let question = Question { series: Some(series), ..Question::new(Scope::Tree, months, rows) };
        let name = format!("twelve months of the tree by {} and {}", rows.as_str(), series.as_str());
        bench
            .run(&name, 200.0, || async {
                Ok(statistics::report(base, root, &question).await?.map_or(0, |r| r.rows.len()))
            })
            .await?;
    }
    let compared = Question {
        compare: Some(Compare::PreviousPeriod),
        ..Question::new(Scope::Tree, month, Dimension::Day)
    };
    bench
        .run("30 days of the tree beside those before", 200.0, || async {
            Ok(statistics::report(base, root, &compared).await?.map_or(0, |r| r.rows.len()))
        })
        .await?;
    let own = Question { series: Some(Dimension::Label), ..Question::new(Scope::Only, year, Dimension::Day) };
    bench
        .run("a year of the largest subaccount by day and label", 200.0, || async {
            Ok(statistics::report(base, child, &own).await?.map_or(0, |r| r.rows.len()))
        })
        .await
}

async fn journals(bench: &mut Bench<'_>, root: &Account, child: &Account, quiet: &Account) -> Result<()> {
    let base = bench.base;
    let number = {
        let mut conn = base.db.read().await?;
        let sql = "select recipient from messages where root_id = $1 order by created_at limit 1";
        PhoneNumber::from_i64(conn.number(sql, &[root.id.0.into()]).await?)
    };
    for (name, search) in [
        ("newest", Search::default()),
        ("rejected", Search { status: vec![MessageStatus::Rejected], ..Search::default() }),
        ("of a sender that is nobody", Search { sender: Some("Nobody".into()), ..Search::default() }),
        ("to a number", Search { recipient: number.map(Recipient::Exactly), ..Search::default() }),
        (
            "to numbers that begin with +4366",
            Search { recipient: Some(Recipient::Beginning(4366)), ..Search::default() },
        ),
        ("with a label", Search { label: Some("vip".into()), ..Search::default() }),
    ] {
        for (of, scope) in [(root, Scope::Tree), (child, Scope::Only), (quiet, Scope::Only)] {
            let whose = if scope == Scope::Tree { "the tree" } else { of.name() };
            bench
                .run(&format!("journal of {whose}, {name}"), 50.0, || async {
                    Ok(journal::page(base, of, scope, &search, None, 50, &Actor::command_line())
                        .await?
                        .map_or(0, |found| found.messages.len()))
                })
                .await?;
        }
    }
    let newest =
        journal::page(base, root, Scope::Tree, &Search::default(), None, 1, &Actor::command_line()).await?;
    if let Some(sent) = newest.and_then(|found| found.messages.into_iter().next()) {
        bench
            .run("one message", 10.0, || async {
                Ok(usize::from(journal::message(base, root, sent.fate.id).await?.is_some()))
            })
            .await?;
    }
    Ok(())
}
