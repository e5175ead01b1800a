//! What pages read of messages, money and statistics, made by the platform at work: it agrees with the
//! books, tells nobody what is not theirs to know, and is never of another tree.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::account::{Account, Email};
use domain::actor::{Actor, ActorKind};
use domain::credits::Credits;
use domain::id::{AccountId, MessageId};
use domain::label::Label;
use domain::ledger::TransferCode;
use domain::member::{Access, Role};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::phone_number::Country;
use gateway::accept::SendRequest;
use gateway::journal::{self, Search, Step};
use gateway::logins::{self, NewLogin};
use gateway::overview::{self, Attention};
use gateway::preview::Draft;
use gateway::scope::Scope;
use gateway::statement::{self, Filter, Kind};
use gateway::statistics::{self, Compare, Dimension, Key, Question, Range};
use gateway::subaccounts::{self, Sort, Table};
use gateway::{Base, Clock, Gateway, credits, prices, settings};
use house::*;
use jiff::civil::Date;
use storage::Db;

const DAY: Duration = Duration::from_secs(86_400);

/// A tree of three levels at two prices, and a foreign account; twelve days of messages.
struct World {
    base: Base,
    gateway: Gateway,
    root: Arc<Account>,
    shop: Arc<Account>,
    branch: Arc<Account>,
    foreign: Arc<Account>,
    sent: Vec<(Arc<Account>, MessageId)>,
}

async fn world(db: &Db) -> World {
    let base = base(db, Clock::standing_at(NOW)).await;
    let root = account(&base, "root", None, 100_000_000).await;
    let shop = account(&base, "shop", Some(&root), 0).await;
    let branch = account(&base, "branch", Some(&shop), 0).await;
    let foreign = account(&base, "canary", None, 100_000_000).await;
    import(&base, "retail", "DE,0.09,2020-01-01\nFR,0.15,2020-01-01\n*,0.30,2020-01-01\n", false).await;
    prices::assign(&base, shop.id, Some("retail"), false, &Actor::command_line()).await.unwrap();
    for (from, to, amount) in [(&root, &shop, 60_000_000), (&shop, &branch, 30_000_000)] {
        credits::transfer(&base, &moving(from, to, amount), &Actor::command_line()).await.unwrap();
    }
    grant(&base, &branch, 300_000, Some(NOW.after(DAY * 365))).await;
    let (root, shop, branch, foreign) = (
        fresh(&base, &root).await,
        fresh(&base, &shop).await,
        fresh(&base, &branch).await,
        fresh(&base, &foreign).await,
    );
    let gateway = simulated(&base).await;
    let mut world = World { base, gateway, root, shop, branch, foreign, sent: Vec::new() };
    for day in 0..12_u32 {
        world.base.clock.set(NOW.after(DAY * day));
        for (i, of) in
            [&world.root, &world.shop, &world.branch, &world.foreign].into_iter().cloned().enumerate()
        {
            for n in 0..=i as u64 {
                let to_france = n == 2;
                let number = match n {
                    _ if to_france => format!("+3361234{:04}", 1_000 + day),
                    // One that is refused and refunded.
                    1 if day % 3 == 0 => fated(u64::from(day) * 8 + n, 99_901),
                    _ => number(u64::from(day) * 100 + n * 10 + i as u64),
                };
                let request = SendRequest {
                    text: if i == 3 {
                        "CANARY".into()
                    } else {
                        format!("Hello {day} {n}{}", if n == 1 { LONG } else { "" })
                    },
                    label: Label::parse(if i == 3 { "canary" } else { ["otp", "spring"][n as usize % 2] })
                        .ok(),
                    sender: Some(if i == 3 { "Canary" } else { ["Shop", "Bank"][i % 2] }.into()),
                    no_reload: true,
                    ..to([number], "")
                };
                world.sent.push((of.clone(), sent(&world.gateway, &of, request).await));
            }
        }
    }
    handed_over(db).await;
    for (_, id) in &world.sent {
        until("it has come to its end", async || seen(db, *id).await.status.is_final()).await;
    }
    world
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn all() -> Range {
    Range { first: date("2026-05-01"), last: date("2026-06-30") }
}

/// What the books say accounts spent: charges less refunds, without what they earned on others.
async fn spent(base: &Base, accounts: &[&Account]) -> i64 {
    let mut sum = 0;
    for account in accounts {
        let wallet = domain::ledger::LedgerAccount::Wallet(account.id).id();
        let sql = format!(
            "select cast(coalesce(sum(case when t.from_id in ({wallet}, {wallet} + 1) then t.amount else -t.amount end), 0) as bigint)
            from transfers t where (t.from_id in ({wallet}, {wallet} + 1) or t.to_id in ({wallet}, {wallet} + 1))
            and t.cause_kind in (1, 2) and exists (select 1 from messages m where m.account_id = {} and
                (t.cause_kind = 1 and m.batch_id = t.cause_id or t.cause_kind = 2 and m.id = t.cause_id))",
            account.id
        );
        sum += count(&base.db, &sql).await;
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_the_books_to_the_last_millionth() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let World { base, root, shop, branch, foreign, .. } = &world;
        sound(base).await;
        for (of, scope, accounts) in [
            (root, Scope::Tree, vec![root, shop, branch]),
            (root, Scope::Only, vec![root]),
            (root, Scope::One(branch.id), vec![branch]),
            (root, Scope::TreeOf(shop.id), vec![shop, branch]),
            (shop, Scope::Tree, vec![shop, branch]),
            (foreign, Scope::Tree, vec![foreign]),
        ] {
            let books = spent(base, &accounts.iter().map(|a| a.as_ref()).collect::<Vec<_>>()).await;
            assert!(books > 0);
            for rows in Dimension::ALL {
                for series in [
                    None,
                    Some(Dimension::Month),
                    Some(Dimension::Label),
                    Some(Dimension::Country),
                    Some(Dimension::Subaccount),
                ] {
                    let mut question = Question { series, ..Question::new(scope, all(), rows) };
                    (question.rows_max, question.series_max) = (1, 1);
                    let report = statistics::report(base, of, &question).await.unwrap().unwrap();
                    assert_eq!(report.total.spent().0, books, "{}: {question:?}", base.db.engine());
                    let sum: i64 = report.rows.iter().map(|row| row.counts.spent().0).sum();
                    assert_eq!(sum, books, "{question:?}");
                    for row in &report.rows {
                        assert_eq!(row.cells.len(), report.series.len());
                        if report.question.series.is_some() {
                            let sum: i64 = row.cells.iter().map(|cell| cell.spent().0).sum();
                            assert_eq!(sum, row.counts.spent().0, "{question:?} {row:?}");
                        }
                    }
                    let sheet = report.sheet();
                    assert!(sheet.rows.iter().all(|row| row.len() == sheet.columns.len()));
                    let shown = format!("{:?}{}", report, sheet.csv()).to_lowercase();
                    assert_eq!(shown.contains("canary"), of.id == foreign.id && shown.contains("canary"));
                }
            }
        }
        let nothing =
            statistics::report(base, shop, &Question::new(Scope::One(root.id), all(), Dimension::Day))
                .await
                .unwrap();
        assert!(nothing.is_none(), "what is above is not there");
        let nothing =
            statistics::report(base, root, &Question::new(Scope::TreeOf(foreign.id), all(), Dimension::Day))
                .await
                .unwrap();
        assert!(nothing.is_none());
        world.gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_stands_beside_the_one_before() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let question = Question {
            compare: Some(Compare::PreviousPeriod),
            ..Question::new(
                Scope::Tree,
                Range { first: date("2026-06-03"), last: date("2026-06-08") },
                Dimension::Day,
            )
        };
        let report = statistics::report(&world.base, &world.root, &question).await.unwrap().unwrap();
        assert_eq!(report.compared, Some(Range { first: date("2026-05-28"), last: date("2026-06-02") }));
        // Six messages a day in the tree.
        assert!(report.rows.iter().all(|row| row.counts.accepted == 6 && row.before.unwrap().accepted == 6));
        assert_eq!((report.total.accepted, report.total_before.unwrap().accepted), (36, 36));
        let by_account = Question { rows: Dimension::Subaccount, ..question };
        let report = statistics::report(&world.base, &world.root, &by_account).await.unwrap().unwrap();
        let names: Vec<&str> = report
            .rows
            .iter()
            .map(|row| if let Key::Account(_, name) = &row.key { name.as_str() } else { "?" })
            .collect();
        assert_eq!(names, ["branch", "shop", "root"]);
        assert_eq!(report.rows[0].counts.accepted, 18);
        world.gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_has_the_balance_after_each_line_and_hides_the_price_above() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let World { base, root, shop, branch, foreign, .. } = &world;
        for of in [root, shop, branch, foreign] {
            let (wallet, promo) = holds(base, of).await;
            let whole = statement::page(base, of, &Filter::default(), None, 500).await.unwrap();
            assert!(whole.next.is_none());
            assert_eq!(whole.lines[0].balance, Some(Credits(wallet + promo)));
            let mut balance = 0;
            for line in whole.lines.iter().rev() {
                balance += line.amount.0;
                assert_eq!(line.balance, Some(Credits(balance)), "{}: {line:?}", base.db.engine());
            }
            let (mut paged, mut after) = (Vec::new(), None);
            loop {
                let page = statement::page(base, of, &Filter::default(), after, 3).await.unwrap();
                assert!(page.lines.len() <= 3 && page.searched_to.is_none());
                paged.extend(page.lines);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(paged, whole.lines);
            let from = Some(NOW.after(DAY * 3));
            let before = Some(NOW.after(DAY * 6));
            let within = statement::page(base, of, &Filter { from, before, ..Filter::default() }, None, 500)
                .await
                .unwrap();
            let wanted: Vec<_> = whole
                .lines
                .iter()
                .filter(|line| Some(line.at) >= from && Some(line.at) < before)
                .cloned()
                .collect();
            assert_eq!(within.lines, wanted);
            for code in TransferCode::ALL {
                let kind = Kind::One(code);
                let some = statement::page(base, of, &Filter { kind, ..Filter::default() }, None, 500)
                    .await
                    .unwrap();
                let wanted =
                    whole.lines.iter().filter(|line| line.code == code).map(|line| (line.id, line.amount));
                assert_eq!(
                    some.lines.iter().map(|line| (line.id, line.amount)).collect::<Vec<_>>(),
                    wanted.collect::<Vec<_>>()
                );
            }
            let moves =
                statement::page(base, of, &Filter { kind: Kind::Moves, ..Filter::default() }, None, 500)
                    .await
                    .unwrap();
            let usage =
                statement::page(base, of, &Filter { kind: Kind::Usage, ..Filter::default() }, None, 500)
                    .await
                    .unwrap();
            assert_eq!(moves.lines.len() + usage.lines.len(), whole.lines.len());
            let mut export = statement::export(base, of, Filter::default(), base.rules.time_zone.clone());
            let mut text = String::new();
            while let Some(piece) = export.next().await.unwrap() {
                text.push_str(&piece);
            }
            assert_eq!(text.lines().count(), whole.lines.len() + 1);
        }
        // The shop pays 0.09 and 0.15 a segment; the root 0.075 and 0.10. A shop's charge is one line of
        // what it pays, and nothing in it is what the root pays or earns.
        let lines =
            statement::page(base, shop, &Filter { kind: Kind::Usage, ..Filter::default() }, None, 500)
                .await
                .unwrap()
                .lines;
        assert!(lines.iter().any(|line| line.code == TransferCode::Charge));
        for line in &lines {
            let segments = [90_000, 150_000].iter().any(|unit| line.amount.0 % unit == 0);
            assert!(segments && line.other.is_none(), "{line:?}");
            assert!(!matches!(line.code, TransferCode::Margin | TransferCode::MarginRefund));
        }
        let earned = Filter { kind: Kind::One(TransferCode::Margin), ..Filter::default() };
        let earned = statement::page(base, root, &earned, None, 500).await.unwrap();
        assert!(!earned.lines.is_empty() && earned.lines.iter().all(|line| line.amount.0 > 0));
        world.gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_told_with_its_way_and_its_price_to_those_it_concerns() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let World { base, root, shop, branch, foreign, .. } = &world;
        for (of, id) in &world.sent {
            let own = journal::message(base, of, *id).await.unwrap().unwrap();
            assert_eq!(own.account.id, of.id);
            assert!(matches!(own.timeline.first(), Some((_, Step::Accepted))));
            assert!(own.timeline.is_sorted_by_key(|(at, _)| *at));
            assert_eq!(own.price.unit.0 * own.price.segments, own.price.total.0);
            assert_eq!(own.price.levels, [], "nobody sees what is paid above");
            let row = own.price.row.as_ref().unwrap();
            assert_eq!(row.price, Some(own.price.unit));
            let charged = own.charge.iter().find(|booked| !booked.refund).unwrap();
            assert_eq!(charged.amount, -own.price.total);
            let refunded = own.story.refund.map(|(_, amount)| amount);
            assert_eq!(refunded.is_some(), own.story.sent.fate.status == MessageStatus::Rejected);
            if let Some(amount) = refunded {
                assert_eq!(amount, own.price.total);
                assert!(own.timeline.iter().any(|(_, step)| *step == Step::Refunded(amount)));
            }
            let of_foreign = journal::message(base, foreign, *id).await.unwrap();
            assert_eq!(of_foreign.is_some(), of.id == foreign.id);
            assert_eq!(journal::message(base, root, *id).await.unwrap().is_some(), of.root() == root.id);
            assert_eq!(journal::message(base, branch, *id).await.unwrap().is_some(), of.id == branch.id);
            if of.id == branch.id {
                let above = journal::message(base, root, *id).await.unwrap().unwrap();
                assert_eq!(above.price.levels.len(), 3);
                assert_eq!(above.price.level, Some(shop.id));
                assert_eq!(above.price.list.as_deref(), Some("retail"));
                let shops = journal::message(base, shop, *id).await.unwrap().unwrap();
                assert_eq!(shops.price.levels.len(), 2, "{:?}", shops.price);
                assert_eq!((shops.price.level, shops.price.list), (Some(shop.id), None));
                assert_eq!((own.price.level, own.price.list.as_deref()), (None, None));
            }
        }
        world.gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_exported_whole_and_without_formulas() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let World { base, gateway, root, shop, .. } = &world;
        let evil =
            SendRequest { sender: Some("Shop".into()), ..to([number(77)], "=cmd|'/c calc'!A1, \"x\"\n+1") };
        sent(gateway, shop, evil).await;
        let ours = world.sent.iter().filter(|(of, _)| of.root() == root.id).count() + 1;
        let zone = base.rules.time_zone.clone();
        let mut export =
            journal::export(base, root, Scope::Tree, Search::default(), zone.clone(), &Actor::command_line())
                .await
                .unwrap()
                .unwrap();
        let mut text = export.next().await.unwrap().unwrap();
        // What is sent meanwhile is not in it.
        base.clock.set(base.clock.now().after(DAY));
        sent(gateway, shop, to([number(78)], "later")).await;
        while let Some(piece) = export.next().await.unwrap() {
            text.push_str(&piece);
        }
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), journal::COLUMNS);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), ours);
        assert!(!text.contains("CANARY") && !text.contains("later"));
        assert!(rows.iter().any(|row| row[8].starts_with("'=cmd")));
        assert!(rows.iter().flat_map(|row| row.iter()).all(|cell| !cell.starts_with(['=', '+', '@', '-'])));
        assert!(
            journal::export(base, shop, Scope::One(root.id), Search::default(), zone, &Actor::command_line())
                .await
                .unwrap()
                .is_none()
        );
        world.gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_what_sending_then_costs() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let World { base, gateway, branch, .. } = &world;
        let recipients =
            format!("{}; +33 6 12 34 56 78\n{}\nnobody\n{}", number(900), number(901), number(900));
        let text = "„Grüße“ und mehr als siebzig Zeichen, damit es in UCS-2 zwei Segmente werden …";
        let draft = Draft { text: text.into(), sender: Some("Shop".into()), recipients };
        let preview = gateway.preview(branch, &draft).await.unwrap();
        assert!(preview.is_ready() && preview.is_covered());
        assert_eq!((preview.numbers.len(), preview.duplicates, preview.problem_count), (3, 1, 1));
        assert_eq!((preview.problems[0].line, preview.problems[0].written.as_str()), (3, "nobody"));
        let of_text = preview.text.as_ref().unwrap();
        assert_eq!((of_text.segments, of_text.outside.len()), (2, 3));
        assert_eq!(of_text.plain.as_ref().unwrap().1, 1);
        let countries: BTreeMap<_, _> =
            preview.countries.iter().map(|c| (c.country, (c.recipients, c.total.0))).collect();
        assert_eq!(countries[&Country::parse("DE")], (2, 360_000));
        assert_eq!(countries[&Country::parse("FR")], (1, 300_000));
        let before = holds(base, branch).await;
        assert_eq!(preview.balance.0, before.0 + before.1);
        let numbers = preview.numbers.iter().map(ToString::to_string);
        let sent = gateway
            .send(branch, SendRequest { sender: Some("Shop".into()), ..to(numbers, text) })
            .await
            .unwrap();
        assert_eq!(sent.total, preview.total);
        assert!(sent.messages.iter().all(|message| message.refused.is_none() && message.segments == 2));
        let nothing = gateway.preview(branch, &Draft::default()).await.unwrap();
        assert!(nothing.text.is_err() && !nothing.is_ready());
        let wrong = Draft { text: "x".into(), sender: Some("much too long a sender".into()), ..draft };
        assert!(gateway.preview(branch, &wrong).await.unwrap().sender.is_err());
        world.gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overview_says_what_there_is_and_what_needs_somebody() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let World { base, root, shop, branch, .. } = &world;
        let of_root = overview::overview(base, root, true).await.unwrap();
        let tree = of_root.tree.as_ref().unwrap();
        assert_eq!(tree.together.accounts, 3);
        assert_eq!(tree.traffic.recent.accepted, 12 * 6);
        assert_eq!(tree.traffic.days.len(), 30);
        assert_eq!(tree.traffic.days.iter().map(|(_, counts)| counts.accepted).sum::<i64>(), 12 * 6);
        let mut held = 0;
        for of in [root, shop, branch] {
            let (wallet, promo) = holds(base, of).await;
            held += wallet + promo;
        }
        assert_eq!(tree.together.wallets.0 + tree.together.promo.0, held);
        assert_eq!(of_root.own.recent.accepted, 12);
        let home = of_root.home.unwrap();
        assert_eq!((home.country, home.unit.0), (Country::parse("DE").unwrap(), PRICE));
        assert_eq!(home.segments, Some(of_root.balance().0 / PRICE));
        assert!(of_root.own.runway.unwrap() > 14 && of_root.attention.is_empty(), "{:?}", of_root.attention);
        // The branch has three a day for about half a day's worth left.
        let left = holds(base, branch).await.0 - 100_000;
        credits::transfer(base, &moving(branch, shop, left), &Actor::command_line()).await.unwrap();
        let of_branch = overview::overview(base, branch, true).await.unwrap();
        assert!(of_branch.tree.is_none());
        assert!(matches!(of_branch.attention[..], [Attention::Runway(_)]), "{:?}", of_branch.attention);
        // What is striking below is remembered for a minute.
        base.clock.set(base.clock.now().after(Duration::from_secs(61)));
        let of_root = overview::overview(base, root, true).await.unwrap();
        assert!(of_root.attention.contains(&Attention::LowBelow(1)), "{:?}", of_root.attention);
        gateway::accounts::suspend(base, shop.id, "unpaid", &Actor::command_line()).await.unwrap();
        let of_branch = overview::overview(base, branch, false).await.unwrap();
        assert!(of_branch.attention.iter().any(|a| matches!(a, Attention::NotActive(..))));
        world.gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_says_of_each_subaccount_what_the_books_say() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let World { base, root, shop, branch, .. } = &world;
        let table = Table { all_below: true, sort: Sort::Messages, descending: true, ..Table::default() };
        for moved in [false, true] {
            if moved {
                base.clock.set(NOW.after(DAY * 36));
                subaccounts::roll(base).await.unwrap();
            }
            let page = subaccounts::page(base, root, &table, None, 50).await.unwrap();
            assert_eq!(page.rows.iter().map(|row| row.account.id).collect::<Vec<_>>(), [branch.id, shop.id]);
            // Of the twelve days, those after the seventh are within the last thirty on the thirty-seventh.
            let days = if moved { 5 } else { 12 };
            assert_eq!(page.rows[0].recent.accepted, 3 * days, "{}", base.db.engine());
            assert_eq!(page.rows[0].ever.accepted, 36);
            assert_eq!(page.rows[0].ever.spent().0, spent(base, &[branch]).await);
            assert_eq!((page.rows[0].depth, page.rows[1].depth), (2, 1));
            assert_eq!((page.rows[0].children, page.rows[1].children), (0, 1));
            let last = world.sent.iter().filter(|(of, _)| of.id == branch.id).count();
            assert!(last > 0 && page.rows[0].last_at == Some(Moment(NOW.after(DAY * 11).0)));
        }
        gateway::accounts::suspend(base, shop.id, "unpaid", &Actor::command_line()).await.unwrap();
        let row = subaccounts::one(base, root, branch.id).await.unwrap().unwrap();
        assert_eq!(row.account.state, domain::account::AccountState::Active);
        assert_eq!(row.effective, domain::account::AccountState::Suspended);
        assert!(subaccounts::one(base, branch, shop.id).await.unwrap().is_none());
        sound(base).await;
        world.gateway.stop().await;
    }
}

/// Somebody who can be asked.
async fn member(base: &Base, of: &Account) {
    let email = Email::parse(&format!("member-{}@example.com", of.id)).unwrap();
    let new = NewLogin { email: &email, name: "M", language: None, operator: false, password: None };
    let mut tx = base.db.begin().await.unwrap();
    let login = logins::create(&mut tx, &new, base.clock.now()).await.unwrap();
    storage::members::insert(&mut tx, of.id, login.id, Role::Owner, false, base.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn takes_visits(base: &Base, of: &Account, access: Access) {
    let change = settings::Change { access: Some(access), ..settings::Change::default() };
    settings::change(base, of.id, &change, &Actor::command_line()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_reaches_down_into_accounts_that_are_open_and_each_look_is_in_their_log() {
    for database in testing::engines().await {
        let world = world(&database.db).await;
        let World { base, root, shop, branch, foreign, .. } = &world;
        let actor =
            Actor { kind: ActorKind::Person, id: Some(7), name: "Eva".into(), ..Actor::command_line() };
        let whole = Search::default();
        let read = async |of: &Account, scope, search: &Search| {
            let found = journal::page(base, of, scope, search, None, 500, &actor).await.unwrap().unwrap();
            let accounts: std::collections::BTreeSet<AccountId> =
                found.messages.iter().map(|sent| sent.account).collect();
            (accounts, journal::left_out(base, of, scope).await.unwrap().unwrap())
        };
        let looks = async |of: &Account| {
            let sql = format!(
                "select count(*) from audit where action = 'messages.look' and account_id = {}",
                of.id
            );
            count(&base.db, &sql).await
        };
        let ids = |of: &[&Arc<Account>]| of.iter().map(|of| of.id).collect::<std::collections::BTreeSet<_>>();
        // Whoever has no members has nobody to ask, whatever was chosen.
        takes_visits(base, branch, Access::Ask).await;
        assert_eq!(read(root, Scope::Tree, &whole).await, (ids(&[root, shop, branch]), 0));
        // Once an hour for the same person is enough, and nobody looks into their own account.
        read(root, Scope::TreeOf(shop.id), &whole).await;
        assert_eq!((looks(root).await, looks(shop).await, looks(branch).await), (0, 1, 1));
        base.clock.set(base.clock.now().after(Duration::from_secs(3_600)));
        assert_eq!(read(root, Scope::One(shop.id), &whole).await, (ids(&[shop]), 0));
        assert_eq!((looks(shop).await, looks(branch).await), (2, 1));
        // Nothing was seen of the branch by this, so nothing is written down.
        let shops = Search { sender: Some("Bank".into()), ..Search::default() };
        read(root, Scope::Tree, &shops).await;
        assert_eq!(looks(branch).await, 1);
        member(base, branch).await;
        for access in [Access::Ask, Access::Notify] {
            takes_visits(base, branch, access).await;
            assert_eq!(read(root, Scope::Tree, &whole).await, (ids(&[root, shop]), 1), "{access:?}");
            assert_eq!(read(shop, Scope::Tree, &whole).await, (ids(&[shop]), 1), "{access:?}");
            assert_eq!(read(root, Scope::One(branch.id), &whole).await, (ids(&[]), 1), "{access:?}");
            assert_eq!(read(branch, Scope::Only, &whole).await, (ids(&[branch]), 0), "{access:?}");
            let number =
                Search { recipient: journal::recipient("+33*", base.rules.default_country), ..whole.clone() };
            assert_eq!(read(root, Scope::Tree, &number).await.0, ids(&[]), "only the branch sent there");
            let (of, id) = world.sent.iter().find(|(of, _)| of.id == branch.id).unwrap();
            let look = journal::look(base, root, *id, &actor).await.unwrap();
            assert_eq!(look, Some(journal::Look::StepIn(of.id)), "{access:?}");
            let file = export_of(base, root, &actor).await;
            assert!(!file.contains(&format!(",{},", branch.id)) && file.contains(&format!(",{},", shop.id)));
        }
        assert_eq!(looks(branch).await, 1, "what was left out was not looked at");
        takes_visits(base, branch, Access::Open).await;
        assert_eq!(read(root, Scope::Tree, &whole).await, (ids(&[root, shop, branch]), 0));
        assert_eq!(looks(branch).await, 2);
        // Nothing reaches up or sideways.
        let sideways = journal::page(base, shop, Scope::One(root.id), &whole, None, 9, &actor).await.unwrap();
        assert!(sideways.is_none());
        let (_, theirs) = world.sent.iter().find(|(of, _)| of.id == foreign.id).unwrap();
        assert_eq!(journal::look(base, root, *theirs, &actor).await.unwrap(), None);
        let (_, above) = world.sent.iter().find(|(of, _)| of.id == root.id).unwrap();
        assert_eq!(journal::look(base, shop, *above, &actor).await.unwrap(), None);
        world.gateway.stop().await;
    }
}

async fn export_of(base: &Base, of: &Account, actor: &Actor) -> String {
    let zone = base.rules.time_zone.clone();
    let mut export =
        journal::export(base, of, Scope::Tree, Search::default(), zone, actor).await.unwrap().unwrap();
    let mut text = String::new();
    while let Some(piece) = export.next().await.unwrap() {
        text.push_str(&piece);
    }
    text
}
