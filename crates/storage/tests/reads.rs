//! What pages read, held against sums and lists made by hand: on both engines the same, complete page by
//! page, and never of another tree.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use domain::account::{Account, AccountState};
use domain::credits::Credits;
use domain::id::{AccountId, MessageId};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;
use domain::product::Product;
use storage::analytics::{self, By, Filter, Whose};
use storage::journal::{self, Recipient, Search};
use storage::rollups::{self, Paths};
use storage::statistics::{Counts, Line, Tally};
use storage::subaccounts::{self, Sort, Table};
use storage::{Db, accounts, messages, statistics};
use world::{NOW, account};

/// Chance that is the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Two trees: one of three levels with 70 accounts under one branch, and a foreign one.
struct Trees {
    root: Account,
    branch: Account,
    all: Vec<Account>,
    foreign: Account,
}

async fn trees(db: &Db, leaves: usize) -> Trees {
    let mut tx = db.begin().await.unwrap();
    let root = account(&mut tx, None, "root@example.com").await;
    let branch = account(&mut tx, Some(&root), "branch@example.com").await;
    let mut all = vec![root.clone(), branch.clone()];
    for i in 0..leaves {
        let above = if i % 4 == 0 { &root } else { &branch };
        all.push(account(&mut tx, Some(above), &format!("leaf{i}@example.com")).await);
    }
    let foreign = account(&mut tx, None, "canary@example.com").await;
    let below = account(&mut tx, Some(&foreign), "canary-below@example.com").await;
    tx.commit().await.unwrap();
    all.push(foreign.clone());
    all.push(below);
    Trees { root, branch, all, foreign }
}

const DAYS: [i64; 9] = [
    20_251_115, 20_251_130, 20_251_201, 20_260_101, 20_260_131, 20_260_201, 20_260_228, 20_260_301,
    20_260_315,
];

fn line(chance: &mut Chance, account: AccountId, is_foreign: bool) -> Line {
    let own = format!("own{}", account.0 % 5);
    Line {
        account,
        day: chance.of(&DAYS),
        product: Product::Sms,
        country: if is_foreign { "ZZ".into() } else { chance.of(&["DE", "FR", ""]).into() },
        network: chance.of(&["", "26201"]).into(),
        label: if is_foreign { "canary".into() } else { chance.of(&["", "spring", own.as_str()]).into() },
        sender: if is_foreign { "canary".into() } else { chance.of(&["Shop", own.as_str()]).into() },
    }
}

fn counts(chance: &mut Chance) -> Counts {
    match chance.below(4) {
        0 => Counts { delivered: 1, ..Counts::default() },
        1 => Counts { failed: 1, refunds: Credits(75_000), ..Counts::default() },
        n => Counts {
            accepted: n as i64,
            segments: 2 * n as i64,
            cost: Credits(n as i64 * 75_001),
            last_at: NOW,
            ..Counts::default()
        },
    }
}

/// Counts much in several transactions, and gives all of it.
async fn count(db: &Db, trees: &Trees, chance: &mut Chance, batches: usize) -> Tally {
    let mut all = Tally::new();
    let mut paths = Paths::default();
    for batch in 0..batches {
        let mut tally = Tally::new();
        for _ in 0..60 {
            let of = &trees.all[chance.below(trees.all.len())];
            let line = line(chance, of.id, of.root() == trees.foreign.id);
            let counts = counts(chance);
            tally.entry(line.clone()).or_default().add(&counts);
            all.entry(line).or_default().add(&counts);
        }
        // The thirty days go on, as days do.
        let since = [20_251_101, 20_251_201, 20_260_201][batch * 3 / batches];
        let mut tx = db.begin().await.unwrap();
        statistics::add(&mut tx, &tally, &mut paths, since).await.unwrap();
        tx.commit().await.unwrap();
    }
    all
}

async fn rollups_agree(db: &Db) {
    let mut snapshot = db.snapshot().await.unwrap();
    let report = storage::check::check_sums(&mut snapshot).await.unwrap();
    snapshot.end().await.unwrap();
    assert!(report.ok, "{}: {:#?}", db.engine(), report.broken);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_those_made_by_hand_whatever_is_asked() {
    for database in testing::engines().await {
        let (db, mut chance) = (&database.db, Chance(7));
        let trees = trees(db, 90).await;
        let tally = count(db, &trees, &mut chance, 40).await;
        rollups_agree(db).await;
        let all_by = [By::Day, By::Month, By::Country, By::Label, By::Sender, By::Account];
        let leaf = trees.all[5].clone();
        let mut conn = db.read().await.unwrap();
        let mut asked = 0;
        for whose in [
            Whose::Tree(trees.root.clone()),
            Whose::Tree(trees.branch.clone()),
            Whose::Tree(leaf.clone()),
            Whose::One(trees.root.id),
            Whose::One(leaf.id),
        ] {
            for (first, last) in [
                (20_251_101, 20_260_331),
                (20_251_116, 20_260_315),
                (20_251_128, 20_260_202),
                (20_260_228, 20_260_228),
            ] {
                for (i, one) in all_by.iter().enumerate() {
                    let two = all_by[(i + 1 + chance.below(5)) % 6];
                    for by in [vec![*one], vec![*one, two]] {
                        let label = chance.of(&[None, None, Some("spring"), Some("")]);
                        let country = chance.of(&[None, None, Some("DE")]);
                        let some = ["spring".to_owned(), "own1".to_owned(), "canary".to_owned()];
                        let ids =
                            [leaf.id.to_string(), trees.foreign.id.to_string(), trees.root.id.to_string()];
                        let only = chance.of(&[
                            None,
                            None,
                            Some((By::Label, &some[..])),
                            Some((By::Account, &ids[..])),
                        ]);
                        let only = only.filter(|(by, _)| *by != By::Label || label.is_none());
                        let filter =
                            Filter { label, country, only, ..Filter::of(whose.clone(), first, last) };
                        let found = analytics::parted(&mut conn, &by, &filter).await.unwrap();
                        let wanted = by_hand(&tally, &trees, &filter, &by);
                        let found: BTreeMap<Vec<String>, Counts> = found
                            .into_iter()
                            .map(|part| (part.of.to_vec(), Counts { last_at: Moment(0), ..part.counts }))
                            .collect();
                        assert_eq!(found, wanted, "{}: {by:?} {filter:?}", db.engine());
                        asked += 1;
                    }
                }
            }
        }
        assert_eq!(asked, 5 * 4 * 12);
    }
}

fn by_hand(tally: &Tally, trees: &Trees, filter: &Filter<'_>, by: &[By]) -> BTreeMap<Vec<String>, Counts> {
    let value = |by: By, line: &Line| match by {
        By::Day => line.day.to_string(),
        By::Month => (line.day / 100).to_string(),
        By::Country => line.country.clone(),
        By::Label => line.label.clone(),
        By::Sender => line.sender.clone(),
        By::Account => line.account.to_string(),
    };
    let mut sums: BTreeMap<Vec<String>, Counts> = BTreeMap::new();
    for (line, counts) in tally {
        let of = trees.all.iter().find(|account| account.id == line.account).unwrap();
        let ours = match &filter.whose {
            Whose::One(id) => *id == line.account,
            Whose::Tree(node) => node.id == of.id || node.is_above(of),
        };
        let fits = ours
            && (filter.first_day..=filter.last_day).contains(&line.day)
            && filter.label.is_none_or(|label| label == line.label)
            && filter.country.is_none_or(|country| country == line.country)
            && filter.only.is_none_or(|(by, values)| values.contains(&value(by, line)));
        if fits {
            let mut key: Vec<String> = by.iter().map(|by| value(*by, line)).collect();
            key.resize(2, String::new());
            sums.entry(key).or_default().add(&Counts { last_at: Moment(0), ..*counts });
        }
    }
    sums.retain(|_, counts| *counts != Counts::default());
    sums
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_thirty_days_are_right_before_and_after_their_beginning_is_moved() {
    for database in testing::engines().await {
        let (db, mut chance) = (&database.db, Chance(11));
        let trees = trees(db, 20).await;
        let mut tally = count(db, &trees, &mut chance, 12).await;
        for since in [20_260_201, 20_260_301, 20_251_201, 20_260_315] {
            for moved in [false, true] {
                if moved {
                    // What comes late, for a day that lies before, is counted there.
                    let more = count(db, &trees, &mut chance, 3).await;
                    for (line, counts) in &more {
                        tally.entry(line.clone()).or_default().add(counts);
                    }
                    let mut steps = 0;
                    loop {
                        let mut tx = db.begin().await.unwrap();
                        let rolled = rollups::roll(&mut tx, since, 7).await.unwrap();
                        tx.commit().await.unwrap();
                        steps += 1;
                        if rolled == 0 {
                            break;
                        }
                    }
                    assert!(steps > 1, "{}", db.engine());
                }
                rollups_agree(db).await;
                let ids: Vec<i64> = trees.all.iter().map(|account| account.id.0).collect();
                let mut conn = db.read().await.unwrap();
                let usage = subaccounts::usage(&mut conn, &ids, since).await.unwrap();
                let table =
                    Table { all_below: true, sort: Sort::Messages, descending: true, ..Table::default() };
                let page = subaccounts::page(&mut conn, &trees.root, &table, since, None, 500).await.unwrap();
                for of in &trees.all {
                    let (mut recent, mut ever) = (Counts::default(), Counts::default());
                    for (line, counts) in tally.iter().filter(|(line, _)| line.account == of.id) {
                        ever.add(counts);
                        if line.day >= since {
                            recent.add(counts);
                        }
                    }
                    let plain = |counts: &Counts| Counts { last_at: Moment(0), ..*counts };
                    let found = usage.get(&of.id.0).copied().unwrap_or_default();
                    assert_eq!(
                        (plain(&found.0), plain(&found.1)),
                        (plain(&recent), plain(&ever)),
                        "{} {since}",
                        db.engine()
                    );
                    if let Some(row) = page.rows.iter().find(|row| row.account.id == of.id) {
                        assert_eq!(plain(&row.recent), plain(&recent));
                    }
                }
                let sorted: Vec<i64> = page.rows.iter().map(|row| row.recent.accepted).collect();
                assert!(sorted.is_sorted_by(|a, b| a >= b), "{} {since} {moved}: {sorted:?}", db.engine());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_that_are_wrong_are_found_and_can_be_made_anew() {
    for database in testing::engines().await {
        let db = &database.db;
        let trees = trees(db, 10).await;
        count(db, &trees, &mut Chance(3), 6).await;
        #[rustfmt::skip]
        let faults = [
            ("the usage of account",     "update account_usage set delivered = delivered + 1 where account_id = $1"),
            ("the usage of account",     "update account_usage set cost_before = cost_before + 1 where account_id = $1"),
            ("the months of account",    "update month_statistics set label = 'x' || label where account_id = $1"),
            ("the months of account",    "delete from month_statistics where account_id = $1"),
            ("the total below account",  "update tree_statistics set cost = cost + 1 where node_id = $1 and kind = 0"),
            ("the labels below account", "update tree_statistics set value = 'x' || value where node_id = $1 and kind = 2"),
            ("the accounts below",       "delete from tree_statistics where node_id = $1 and kind = 4 and period < 1000000"),
        ];
        for (fault, sql) in faults {
            let mut tx = db.begin().await.unwrap();
            let of = if sql.contains("node_id") { trees.root.id } else { trees.branch.id };
            assert!(tx.execute(sql, &[of.0.into()]).await.unwrap() > 0, "{sql}");
            let report = storage::check::check_sums(&mut tx).await.unwrap();
            assert!(report.broken.iter().any(|told| told.contains(fault)), "{fault}: {:?}", report.broken);
            rollups::rebuild(&mut tx).await.unwrap();
            let report = storage::check::check_sums(&mut tx).await.unwrap();
            assert_eq!(report.broken, Vec::<String>::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_subaccounts_is_complete_in_every_order_and_page_by_page() {
    let mut seen: Vec<Vec<Vec<i64>>> = Vec::new();
    for database in testing::engines().await {
        let (db, mut chance) = (&database.db, Chance(23));
        let trees = trees(db, 60).await;
        count(db, &trees, &mut chance, 20).await;
        let mut tx = db.begin().await.unwrap();
        let names =
            ["Ärzte Nord", "bäckerei", "BÄCKEREI", "Zoo 100%", "a_b", "Łódź", "Éclair", "Muster GmbH"];
        for (i, of) in trees.all.iter().enumerate() {
            let name = if of.root() == trees.foreign.id { "CANARY" } else { names[i % names.len()] };
            accounts::set_names(&mut tx, of.id, Some(name), "Owner").await.unwrap();
            if i % 9 == 8 {
                accounts::set_state(&mut tx, of.id, AccountState::Suspended, Some("unpaid"), NOW)
                    .await
                    .unwrap();
            }
            if i % 17 == 16 {
                accounts::set_state(&mut tx, of.id, AccountState::Closed, None, NOW).await.unwrap();
            }
            let balance = chance.below(5) as i64 * 100_000;
            let sql = "update ledger_accounts set balance = $2 where id = $1";
            tx.execute(sql, &[world::wallet(of.id).id().into(), balance.into()]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let since = 20_260_201;
        let mut of_engine = Vec::new();
        let mut conn = db.read().await.unwrap();
        for node in [&trees.root, &trees.branch] {
            for sort in Sort::ALL {
                for descending in [false, true] {
                    for (all_below, search, state, low) in [
                        (true, "", None, false),
                        (false, "", None, false),
                        (true, "BÄCKER", None, false),
                        (true, "0%", None, false),
                        (true, "a_B", None, false),
                        (true, "", Some(AccountState::Suspended), false),
                        (true, "leaf1", None, true),
                        (true, "canary", None, false),
                    ] {
                        let search = search.to_owned();
                        let table = Table { all_below, search, state, low, sort, descending };
                        let whole =
                            subaccounts::page(&mut conn, node, &table, since, None, 500).await.unwrap();
                        assert_eq!(whole.total as usize, whole.rows.len());
                        assert!(whole.next.is_none());
                        assert!(whole.rows.iter().all(|row| node.is_above(&row.account)), "{table:?}");
                        let ids: Vec<i64> = whole.rows.iter().map(|row| row.account.id.0).collect();
                        let (mut paged, mut after) = (Vec::new(), None);
                        loop {
                            let page = subaccounts::page(&mut conn, node, &table, since, after.as_deref(), 7)
                                .await
                                .unwrap();
                            assert_eq!(page.total, whole.total);
                            paged.extend(page.rows.iter().map(|row| row.account.id.0));
                            after = page.next;
                            if after.is_none() {
                                break;
                            }
                        }
                        assert_eq!(paged, ids, "{}: {table:?}", db.engine());
                        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
                        match (table.search.as_str(), low) {
                            ("canary", _) => assert_eq!(ids.len(), 0),
                            ("BÄCKER", _) => assert!(ids.len() > 5),
                            ("0%" | "a_B", _) => {
                                let named = |row: &subaccounts::Subaccount| {
                                    row.account
                                        .company
                                        .as_deref()
                                        .unwrap()
                                        .to_lowercase()
                                        .contains(&table.search.to_lowercase())
                                };
                                assert!(!ids.is_empty() && whole.rows.iter().all(named));
                            }
                            _ => {}
                        }
                        of_engine.push(ids);
                    }
                }
            }
        }
        seen.push(of_engine);
    }
    assert_eq!(seen[0], seen[1], "both engines say the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_grows_while_it_is_paged_loses_and_doubles_nothing() {
    for database in testing::engines().await {
        let db = &database.db;
        let trees = trees(db, 40).await;
        let before: BTreeSet<i64> =
            trees.all.iter().filter(|of| trees.root.is_above(of)).map(|of| of.id.0).collect();
        let table = Table { all_below: true, ..Table::default() };
        let (mut seen, mut after, mut turn) = (Vec::new(), None, 0);
        loop {
            let mut conn = db.read().await.unwrap();
            let page = subaccounts::page(&mut conn, &trees.root, &table, 20_260_201, after.as_deref(), 6)
                .await
                .unwrap();
            drop(conn);
            seen.extend(page.rows.iter().map(|row| row.account.id.0));
            after = page.next;
            if after.is_none() {
                break;
            }
            let mut tx = db.begin().await.unwrap();
            let new = account(&mut tx, Some(&trees.root), &format!("new{turn}@example.com")).await;
            accounts::set_names(&mut tx, new.id, Some(if turn % 2 == 0 { "aaa" } else { "zzz" }), "o")
                .await
                .unwrap();
            tx.commit().await.unwrap();
            turn += 1;
        }
        assert!(turn > 3);
        let set: BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!(set.len(), seen.len(), "nothing twice");
        assert!(before.is_subset(&set), "nothing lost");
    }
}

const SENDERS: [&str; 3] = ["Shop", "Bank", "491700000000"];
const LABELS: [Option<&str>; 3] = [None, Some("spring"), Some("otp")];
const COUNTRIES: [&str; 2] = ["DE", "FR"];

/// Messages as they would be stored, without the books around them.
async fn write(
    db: &Db,
    trees: &Trees,
    chance: &mut Chance,
    count: usize,
    first: i64,
) -> Vec<(AccountId, i64, i64)> {
    let mut rows = Vec::new();
    let mut tx = db.begin().await.unwrap();
    for i in 0..count as i64 {
        let of = &trees.all[chance.below(trees.all.len())];
        let foreign = of.root() == trees.foreign.id;
        // Several of one moment, as a batch has them.
        let at = NOW.0 + (first + i) / 3 * 1_000_000;
        let id = 77_000_000_000 + first + i;
        let text = if foreign { "CANARY" } else { "Hello" };
        let message = messages::NewMessage {
            id: MessageId(id),
            account: of.id,
            root: of.root(),
            batch: MessageId(id),
            sender: chance.of(&SENDERS),
            recipient: PhoneNumber::from_i64(
                [491_701_234_567, 491_709_999_999, 33_612_345_678][chance.below(3)],
            )
            .unwrap(),
            text,
            alphabet: 0,
            udh: None,
            flash: false,
            segments: 1,
            price: Credits(75_000),
            promo: Credits::ZERO,
            price_row: 0,
            levels: None,
            class: domain::message::MessageClass::Normal,
            label: chance.of(&LABELS),
            foreign_id: None,
            connection: "test",
            country: chance.of(&COUNTRIES),
            network: "",
            validity_minutes: 60,
            created_at: Moment(at),
            send_at: Moment(at),
            status: chance.of(&MessageStatus::ALL),
        };
        messages::insert(&mut tx, &[message]).await.unwrap();
        rows.push((of.id, at, id));
    }
    tx.commit().await.unwrap();
    rows
}

/// An account and all below it, as it looks at them itself.
fn tree_of(node: &Account) -> journal::Whose {
    journal::Whose::Open { node: node.clone(), tree: true, asker: node.id }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_looked_through_within_bounds_and_completely() {
    let mut seen: Vec<Vec<Vec<i64>>> = Vec::new();
    for database in testing::engines().await {
        let (db, mut chance) = (&database.db, Chance(31));
        let trees = trees(db, 70).await;
        write(db, &trees, &mut chance, 900, 0).await;
        let mut of_engine = Vec::new();
        let mut conn = db.read().await.unwrap();
        let leaf = trees.all[6].clone();
        for whose in [tree_of(&trees.root), tree_of(&trees.branch), journal::Whose::One(leaf.id)] {
            for case in 0..14 {
                let mut search = Search::default();
                match case {
                    1 => search.label = Some("spring".into()),
                    2 => search.label = Some(String::new()),
                    3 => search.status = vec![MessageStatus::Delivered, MessageStatus::Rejected],
                    4 => {
                        search.recipient =
                            Some(Recipient::Exactly(PhoneNumber::from_i64(491_701_234_567).unwrap()))
                    }
                    5 => search.recipient = Some(Recipient::Beginning(4917)),
                    6 => search.sender = Some("Bank".into()),
                    7 => search.country = Some("FR".into()),
                    8 => search.from = Some(Moment(NOW.0 + 100_000_000)),
                    9 => search.before = Some(Moment(NOW.0 + 100_000_000)),
                    10 => {
                        search.from = Some(Moment(NOW.0 + 50_000_000));
                        search.before = Some(Moment(NOW.0 + 200_000_000));
                        search.sender = Some("Shop".into());
                    }
                    11 => search.sender = Some("nobody".into()),
                    12 => search.recipient = Some(Recipient::Beginning(9)),
                    13 => {
                        search.recipient =
                            Some(Recipient::Exactly(PhoneNumber::from_i64(33_612_345_678).unwrap()));
                        search.country = Some("DE".into());
                    }
                    _ => {}
                }
                let (mut found, mut after, mut short) = (Vec::new(), None, 0);
                loop {
                    // So small a budget that a page comes short again and again.
                    let page =
                        journal::search_within(&mut conn, &whose, &search, after, 10, 40).await.unwrap();
                    assert!(page.messages.len() <= 10);
                    assert!(page.messages.iter().all(|sent| sent.text != "CANARY"));
                    short += usize::from(page.searched_to.is_some());
                    found.extend(page.messages.iter().map(|sent| sent.fate.id.0));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                let whole = journal::search(&mut conn, &whose, &search, None, 2_000).await.unwrap();
                let ids: Vec<i64> = whole.messages.iter().map(|sent| sent.fate.id.0).collect();
                assert_eq!(found, ids, "{}: {whose:?} {search:?}", db.engine());
                assert!(ids.is_sorted_by(|a, b| a > b));
                assert_eq!(ids.is_empty(), matches!(case, 11 | 12), "{search:?}");
                let few = matches!(whose, journal::Whose::One(_));
                assert!(short > 0 || few || !matches!(case, 11 | 12));
                of_engine.push(ids);
            }
        }
        seen.push(of_engine);
    }
    assert_eq!(seen[0], seen[1], "both engines say the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_grows_while_it_is_paged_loses_and_doubles_nothing() {
    for database in testing::engines().await {
        let (db, mut chance) = (&database.db, Chance(37));
        let trees = trees(db, 10).await;
        let before = write(db, &trees, &mut chance, 200, 0).await;
        let ours = |id: &AccountId| trees.all.iter().any(|of| of.id == *id && of.root() == trees.root.id);
        let before: BTreeSet<i64> = before.iter().filter(|(of, ..)| ours(of)).map(|(.., id)| *id).collect();
        let whose = tree_of(&trees.root);
        let (mut found, mut after, mut first) = (Vec::new(), None, 1_000);
        loop {
            let page = {
                let mut conn = db.read().await.unwrap();
                journal::search(&mut conn, &whose, &Search::default(), after, 9).await.unwrap()
            };
            found.extend(page.messages.iter().map(|sent| sent.fate.id.0));
            after = page.next;
            if after.is_none() {
                break;
            }
            write(db, &trees, &mut chance, 5, first).await;
            first += 5;
        }
        assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), before, "{}", db.engine());
        assert_eq!(found.len(), before.len());
    }
}

#[tokio::test]
async fn no_journal_is_read_but_by_an_index_of_its_own_account_or_tree() {
    let database = testing::sqlite().await;
    let mut conn = database.db.read().await.unwrap();
    for (rows, index) in [
        (
            "account_id = 1 and created_at <= 5 and (created_at < 5 or id < 3)",
            "messages_by_account (account_id=? AND created_at<?)",
        ),
        ("root_id = 1 and created_at >= 5", "messages_by_root (root_id=? AND created_at>?)"),
        ("root_id = 1 and recipient = 2", "messages_by_recipient (root_id=? AND recipient=?)"),
    ] {
        let sql = format!(
            "explain query plan select id from (select id, status, text from messages where {rows}
            order by created_at desc, id desc limit 10) m where status = 4 limit 5"
        );
        let plan: Vec<String> =
            conn.query(&sql, &[]).await.unwrap().iter().map(|row| row.text(3).unwrap()).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{rows}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{rows}: {plan:?}");
    }
}

/// What a row is sorted by: whether nothing is known of it, the number, the text.
fn key(row: &subaccounts::Subaccount, sort: Sort) -> (bool, i64, String) {
    let number = |number: i64| (false, number, String::new());
    match sort {
        Sort::Name => (false, 0, row.account.name().to_lowercase()),
        Sort::Created => number(row.account.id.0),
        Sort::Balance => number(row.balance().0),
        Sort::Messages => number(row.recent.accepted),
        Sort::Cost => number(row.recent.spent().0),
        Sort::Delivery => match row.recent.delivered + row.recent.failed {
            known if known > 0 => number(row.recent.delivered * 1_000_000 / known),
            _ => (true, 0, String::new()),
        },
        Sort::State => number(row.account.state.code()),
        Sort::Members => number(row.members),
        Sort::LastSent => number(row.last_at.map_or(0, |at| at.0)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_children_are_paged_completely_and_in_order() {
    for database in testing::engines().await {
        let (db, mut chance) = (&database.db, Chance(41));
        let trees = trees(db, 3_200).await;
        count(db, &trees, &mut chance, 60).await;
        let mut tx = db.begin().await.unwrap();
        for (i, of) in trees.all.iter().enumerate().filter(|(i, _)| i % 3 != 0) {
            let name = ["Ärzte", "bäckerei", "BÄCKEREI", "Zoo", "Łódź", "Éclair"][i % 6];
            accounts::set_names(&mut tx, of.id, Some(&format!("{name} {}", i % 700)), "Owner").await.unwrap();
            let sql = "update ledger_accounts set balance = $2 where id = $1";
            let balance = chance.below(50) as i64 * 100_000;
            tx.execute(sql, &[world::wallet(of.id).id().into(), balance.into()]).await.unwrap();
            if i % 9 == 8 {
                let why = Some("unpaid");
                accounts::set_state(&mut tx, of.id, AccountState::Suspended, why, NOW).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        let children: BTreeSet<i64> =
            trees.all.iter().filter(|of| of.parent == Some(trees.branch.id)).map(|of| of.id.0).collect();
        assert_eq!(children.len(), 2_400);
        let mut conn = db.read().await.unwrap();
        for (sort, descending) in Sort::ALL.into_iter().flat_map(|sort| [(sort, false), (sort, true)]) {
            let table = Table { sort, descending, ..Table::default() };
            let (mut rows, mut after) = (Vec::new(), None);
            loop {
                let page =
                    subaccounts::page(&mut conn, &trees.branch, &table, 20_260_201, after.as_deref(), 99)
                        .await
                        .unwrap();
                assert_eq!(page.total, 2_400);
                rows.extend(page.rows);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let ids: BTreeSet<i64> = rows.iter().map(|row| row.account.id.0).collect();
            assert_eq!((rows.len(), &ids), (2_400, &children), "{} {table:?}", db.engine());
            let in_order = rows.is_sorted_by(|a, b| {
                let ((a_none, a_key, a_text), (b_none, b_key, b_text)) = (key(a, sort), key(b, sort));
                let (one, other) = ((a_key, a_text, a.account.id), (b_key, b_text, b.account.id));
                // Of which nothing is known comes last either way.
                match (a_none, b_none) {
                    (false, true) => true,
                    (true, false) => false,
                    _ if descending => one > other,
                    _ => one < other,
                }
            });
            assert!(in_order, "{} {table:?}", db.engine());
        }
    }
}
