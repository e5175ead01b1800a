//! Accounts, keys, prices, requests and free credit as they are stored, on both engines.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

mod world;

use std::collections::HashSet;

use domain::account::{AccountState, AutoTransfer, Email};
use domain::actor::{Actor, ActorKind};
use domain::credits::Credits;
use domain::id::{AccountId, KeyId, MessageId};
use domain::key::{Key, Scope, Scopes};
use domain::ledger::{Book, Cause, CauseKind, Group, LedgerAccount, TransferCode};
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::Destination;
use domain::product::Product;
use storage::ledger::{self, Booked};
use storage::prices::{self, NewRow, Stored};
use storage::requests::{self, Remembered};
use storage::segments::{self, Taken};
use storage::{Tx, accounts, counters, keys, notices, promo};
use world::{NOW, account, posting, wallet};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_read_back_as_it_was_stored_and_changed() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let root = account(&mut tx, None, "Root@Example.com").await;
        let mut child = account(&mut tx, Some(&root), "child@example.com").await;
        let grandchild = account(&mut tx, Some(&child), "grand@example.com").await;
        assert_eq!(accounts::find(&mut tx, child.id).await.unwrap().as_ref(), Some(&child));
        let version = counters::version(&mut tx).await.unwrap();
        let rule = AutoTransfer {
            threshold: Credits(5),
            amount: Credits(20),
            day_max: Some(Credits(100)),
            month_max: None,
        };
        child.auto_transfer = Some(rule);
        child.credit_line = Credits(7);
        child.settings.default_sender = Some("Shop".into());
        child.settings.reload_lock = false;
        child.company = Some("Muster GmbH".into());
        child.state = AccountState::Suspended;
        child.state_reason = Some("unpaid".into());
        accounts::set_auto_transfer(&mut tx, child.id, Some(rule)).await.unwrap();
        accounts::set_credit_line(&mut tx, child.id, Credits(7)).await.unwrap();
        accounts::set_settings(&mut tx, child.id, &child.settings).await.unwrap();
        accounts::set_names(&mut tx, child.id, Some("Muster GmbH"), &child.owner).await.unwrap();
        accounts::set_state(&mut tx, child.id, AccountState::Suspended, Some("unpaid"), NOW).await.unwrap();
        assert_eq!(accounts::find(&mut tx, child.id).await.unwrap().as_ref(), Some(&child));
        assert_eq!(counters::version(&mut tx).await.unwrap(), version + 5);
        tx.commit().await.unwrap();

        let mut conn = database.db.read().await.unwrap();
        let shouted = Email::parse("ROOT@example.COM").unwrap();
        assert_eq!(accounts::by_email(&mut conn, &shouted).await.unwrap().map(|a| a.id), Some(root.id));
        let ids = |accounts: Vec<domain::account::Account>| accounts.iter().map(|a| a.id).collect::<Vec<_>>();
        assert_eq!(ids(accounts::children(&mut conn, root.id).await.unwrap()), [child.id]);
        assert_eq!(ids(accounts::descendants(&mut conn, &root).await.unwrap()), [child.id, grandchild.id]);
        assert_eq!(ids(accounts::descendants(&mut conn, &grandchild).await.unwrap()), []);
        assert_eq!(ids(accounts::page(&mut conn, root.id, 1).await.unwrap()), [child.id]);
        let states = accounts::states(&mut conn, &[root.id.0, child.id.0, 5]).await.unwrap();
        assert_eq!(states.len(), 2);
        assert_eq!(states[&child.id], AccountState::Suspended);
        assert_eq!(accounts::find(&mut conn, AccountId(5)).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_unique_without_case_until_its_account_is_closed() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let first = account(&mut tx, None, "a@example.com").await;
        tx.commit().await.unwrap();
        let mut tx = database.db.begin().await.unwrap();
        let mut second = first.clone();
        second.id = accounts::draw_id(&mut tx).await.unwrap();
        second.path = vec![second.id];
        second.email = Email::parse("A@EXAMPLE.com").unwrap();
        let taken = accounts::insert(&mut tx, &second).await.unwrap_err();
        assert!(taken.is_duplicate_of("accounts", "email_folded"), "{taken}");
        drop(tx);
        let mut tx = database.db.begin().await.unwrap();
        accounts::set_state(&mut tx, first.id, AccountState::Closed, None, NOW).await.unwrap();
        accounts::insert(&mut tx, &second).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_children_are_listed_by_one_statement() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let root = account(&mut tx, None, "root@example.com").await;
        let first = counters::draw(&mut tx, "account", 20_000).await.unwrap();
        let series = "with recursive n (id) as (select $1 + 0 union all select id + 1 from n where id < $2)";
        let range = [first.into(), (first + 19_999).into()];
        tx.execute(
            &format!(
                "insert into accounts (id, parent_id, root_id, path, owner, email, state_at, signing_key, created_at)
                {series} select id, {0}, {0}, '{0}/' || id || '/', 'x', 'x@example.com', 0, 'x', 0 from n",
                root.id
            ),
            &range,
        )
        .await
        .unwrap();
        for (place, owner) in [("1000", "id"), ("1001", "id")] {
            let sql = format!(
                "insert into ledger_accounts (id, account_id, balance, floor)
                {series} select {place} + id * 2, {owner}, 3, 0 from n"
            );
            tx.execute(&sql, &range).await.unwrap();
        }
        let sql = format!(
            "insert into statistics (account_id, day, product, country, network, label, sender, campaign_id,
                accepted, segments, delivered, failed, cost, refunds)
            {series} select id, 20260101, 0, 'DE', '', '', '', 0, 1, 1, 0, 0, 9, 2 from n"
        );
        tx.execute(&sql, &range).await.unwrap();
        storage::rollups::rebuild(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let mut conn = database.db.read().await.unwrap();
        let begun = std::time::Instant::now();
        let lines = accounts::lines_of_children(&mut conn, root.id).await.unwrap();
        eprintln!("{}: {} lines in {:?}", database.engine(), lines.len(), begun.elapsed());
        assert_eq!(lines.len(), 20_000);
        assert!(lines.iter().all(|l| (l.wallet, l.promo, l.usage) == (Credits(3), Credits(3), Credits(7))));
        let ids: Vec<i64> = lines.iter().map(|l| l.account.id.0).collect();
        assert_eq!(accounts::balances(&mut conn, &ids).await.unwrap().len(), 20_000);
        assert_eq!(accounts::total_usage(&mut conn, &ids).await.unwrap().len(), 20_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_found_by_its_hash_and_taken_back_once() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let owner = account(&mut tx, None, "a@example.com").await;
        let mut key = Key {
            id: keys::draw_id(&mut tx).await.unwrap(),
            account: owner.id,
            label: "shop".into(),
            prefix: "bl_live_abcd".into(),
            sandbox: false,
            scopes: Scopes::of([Scope::Sms]),
            subaccount_access: true,
            expires_at: Some(Moment(NOW.0 + 1)),
            revoked_at: None,
            created_at: NOW,
        };
        keys::insert(&mut tx, &key, "hash").await.unwrap();
        assert_eq!(keys::by_hash(&mut tx, "hash").await.unwrap().as_ref(), Some(&key));
        assert_eq!(keys::by_hash(&mut tx, "hush").await.unwrap(), None);
        keys::touch(&mut tx, &[(key.id, Moment(8))]).await.unwrap();
        assert!(keys::revoke(&mut tx, key.id, Moment(9)).await.unwrap());
        assert!(!keys::revoke(&mut tx, key.id, Moment(10)).await.unwrap());
        assert!(!keys::revoke(&mut tx, KeyId(12345), Moment(10)).await.unwrap());
        key.revoked_at = Some(Moment(9));
        assert_eq!(keys::of_account(&mut tx, owner.id).await.unwrap(), [(key, Some(Moment(8)))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_is_remembered_by_account_and_key() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let (a, b) = (AccountId(1), AccountId(2));
        let Remembered::New(id) = requests::remember(&mut tx, a, "k", "x", NOW).await.unwrap() else {
            panic!()
        };
        tx.commit().await.unwrap();
        let mut tx = database.db.begin().await.unwrap();
        assert_eq!(requests::remember(&mut tx, a, "k", "x", NOW).await.unwrap(), Remembered::Same(id));
        assert_eq!(requests::remember(&mut tx, a, "k", "y", NOW).await.unwrap(), Remembered::Other);
        assert!(matches!(requests::remember(&mut tx, b, "k", "y", NOW).await.unwrap(), Remembered::New(_)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_asked_for_at_once_is_new_only_once() {
    for database in testing::engines().await {
        let tasks = (0..20).map(|_| {
            let db = database.db.clone();
            tokio::spawn(async move {
                let mut tx = db.begin().await.unwrap();
                let remembered = requests::remember(&mut tx, AccountId(1), "k", "x", NOW).await.unwrap();
                tx.commit().await.unwrap();
                remembered
            })
        });
        let (mut new, mut ids) = (0, HashSet::new());
        for task in tasks.collect::<Vec<_>>() {
            match task.await.unwrap() {
                Remembered::New(id) => {
                    new += 1;
                    ids.insert(id);
                }
                Remembered::Same(id) => drop(ids.insert(id)),
                Remembered::Other => panic!("the content is the same"),
            }
        }
        assert_eq!((new, ids.len()), (1, 1), "{}", database.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cause_is_booked_once_and_never_with_other_content() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let owner = account(&mut tx, None, "a@example.com").await;
        let group = |amount| Group {
            cause: Cause { kind: CauseKind::Request, id: 77 },
            postings: vec![posting(
                LedgerAccount::PaymentClearing,
                wallet(owner.id),
                amount,
                TransferCode::Grant,
            )],
            actor: "operator".into(),
            reference: String::new(),
        };
        let Booked::Now(id) = ledger::post_one(&mut tx, &group(5), NOW).await.unwrap() else { panic!() };
        assert_eq!(ledger::first_of(&mut tx, group(5).cause).await.unwrap().map(|t| t.0), Some(id));
        tx.commit().await.unwrap();
        let mut tx = database.db.begin().await.unwrap();
        assert!(matches!(ledger::post_one(&mut tx, &group(5), NOW).await.unwrap(), Booked::Before));
        assert!(matches!(ledger::post_one(&mut tx, &group(6), NOW).await.unwrap(), Booked::Differently));
        tx.commit().await.unwrap();
        let mut conn = database.db.read().await.unwrap();
        assert_eq!(ledger::balance(&mut conn, owner.id).await.unwrap().0, Credits(5));
    }
}

/// The server has the commit in hand before we hear what came of the statements before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_to_a_wallet_that_is_not_there_breaks_its_whole_transaction() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let owner = account(&mut tx, None, "a@example.com").await;
        tx.commit().await.unwrap();
        let nobody = AccountId(owner.id.0 + 1);
        let group = |to: AccountId| Group {
            cause: Cause { kind: CauseKind::Request, id: to.0 },
            postings: vec![posting(LedgerAccount::PaymentClearing, wallet(to), 5, TransferCode::Grant)],
            actor: "operator".into(),
            reference: String::new(),
        };
        let mut tx = database.db.begin().await.unwrap();
        let mut book = Book::default();
        ledger::lock(&mut tx, &mut book, [owner.id]).await.unwrap();
        book.load(wallet(nobody).id(), Credits::ZERO, Some(Credits::ZERO));
        let groups = [group(owner.id), group(nobody)];
        groups.iter().for_each(|group| book.post(&group.postings).unwrap());
        let posted = ledger::post(&mut tx, &book, &groups, 9_000_000, NOW).await;
        let refused = if posted.is_ok() { tx.commit().await } else { posted };
        assert!(matches!(refused, Err(storage::Error::Fault(_))), "{refused:?}");
        let mut conn = database.db.read().await.unwrap();
        assert_eq!(ledger::balance(&mut conn, owner.id).await.unwrap().0, Credits::ZERO);
        let stored = "select count(*) from transfers where id >= 9000000";
        assert_eq!(conn.number(stored, &[]).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn free_credit_goes_soonest_first_and_comes_back_to_where_it_was() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let a = AccountId(1);
        let at = |days: i64| Moment(NOW.0 + days * 86_400_000_000);
        let late = promo::insert(&mut tx, a, Credits(10), at(9), NOW).await.unwrap();
        let soon = promo::insert(&mut tx, a, Credits(10), at(1), NOW).await.unwrap();
        promo::use_up(&mut tx, a, Credits(13), NOW).await.unwrap();
        let left = |lots: Vec<promo::Lot>| lots.iter().map(|l| (l.id, l.remaining.0)).collect::<Vec<_>>();
        assert_eq!(left(promo::lots(&mut tx, a, NOW).await.unwrap()), [(late, 7)]);
        assert!(promo::use_up(&mut tx, a, Credits(8), NOW).await.is_err());
        promo::set_remaining(&mut tx, late, Credits(7)).await.unwrap();
        promo::give_back(&mut tx, a, Credits(5), NOW).await.unwrap();
        assert_eq!(left(promo::lots(&mut tx, a, NOW).await.unwrap()), [(soon, 2), (late, 10)]);
        // The lot of the rest has ended: it is not lost.
        assert_eq!(left(promo::lots(&mut tx, a, at(2)).await.unwrap()), [(late, 10)]);
        promo::give_back(&mut tx, a, Credits(8), at(2)).await.unwrap();
        let lots = promo::lots(&mut tx, a, at(2)).await.unwrap();
        assert_eq!(lots.iter().map(|l| l.remaining.0).sum::<i64>(), 18);
        assert_eq!(lots.last().unwrap().expires_at, at(2).after(promo::GIVEN_BACK_LASTS));
        let ended = promo::expired(&mut tx, at(2), 10).await.unwrap();
        assert_eq!(left(ended), [(soon, 2)]);
        notices::insert(&mut tx, a, "free credit", "it ends", NOW).await.unwrap();
        assert_eq!(notices::of(&mut tx, a, 9).await.unwrap()[0].text, "it ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_counts_is_never_changed() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let list = prices::by_name_or_new(&mut tx, prices::STANDARD, NOW).await.unwrap();
        assert_eq!(prices::by_name_or_new(&mut tx, prices::STANDARD, NOW).await.unwrap(), list);
        let row = |country: Option<&str>, price, from: Option<i64>| NewRow {
            destination: Destination {
                product: Product::Sms,
                country: country.and_then(Country::parse),
                network: String::new(),
            },
            price: Some(Credits(price)),
            effective_from: from.map(Moment),
            comment: "why".into(),
        };
        let later = NOW.0 + 3_600_000_000;
        let first = [row(Some("DE"), 75, Some(0)), row(None, 200, None), row(Some("DE"), 80, Some(later))];
        let stored = prices::store(&mut tx, list.id, &first, &Actor::command_line(), NOW).await.unwrap();
        assert_eq!(stored, Stored { added: 3, ..Stored::default() });
        let again =
            prices::store(&mut tx, list.id, &first, &Actor::command_line(), Moment(NOW.0 + 5)).await.unwrap();
        assert_eq!(again, Stored { unchanged: 3, ..Stored::default() });
        // What counts stays, also what is about to; what is an hour away may be replaced.
        let changed = [row(Some("DE"), 76, Some(0)), row(Some("DE"), 81, Some(later))];
        let refused = prices::store(&mut tx, list.id, &changed, &Actor::command_line(), NOW).await.unwrap();
        assert_eq!(refused.fixed, [(0, Some(Credits(75)))]);
        let close = Moment(later - 30_000_000);
        assert_eq!(
            prices::store(&mut tx, list.id, &changed[1..], &Actor::command_line(), close)
                .await
                .unwrap()
                .fixed,
            [(0, Some(Credits(80)))]
        );
        let replaced =
            prices::store(&mut tx, list.id, &changed[1..], &Actor::command_line(), NOW).await.unwrap();
        assert_eq!(replaced, Stored { replaced: 1, ..Stored::default() });
        let rows = prices::rows(&mut tx, list.id).await.unwrap();
        let seen: Vec<_> = rows.iter().map(|(r, _)| (r.price.unwrap().0, r.effective_from.0)).collect();
        assert_eq!(seen, [(200, NOW.0), (75, 0), (81, later)]);
        let all = prices::all(&mut tx).await.unwrap();
        assert_eq!((all.len(), all[0].1.len()), (1, 3));
        // Its history says what became what, and by whom.
        let kept = prices::history::page(&mut tx, list.id, None, 10).await.unwrap();
        let told = |c: &prices::history::Change| (c.before.map(|p| p.0), c.after.map(|p| p.0));
        let told: Vec<_> = kept.iter().map(told).collect();
        assert_eq!(told, [(Some(80), Some(81)), (None, Some(80)), (None, Some(200)), (None, Some(75))]);
        assert_eq!(prices::history::latest(&mut tx, list.id).await.unwrap(), kept[0].id);
        assert_eq!(kept[0].actor, Some((ActorKind::CommandLine, Actor::command_line().name)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_segments_are_forgotten_step_by_step_and_newer_ones_not_looked_at() {
    for database in testing::engines().await {
        let world = world::build(&database.db).await;
        let day = |n: i64| Moment(NOW.0 + n * 86_400_000_000);
        let mut tx = database.db.begin().await.unwrap();
        // One that is still on its way, and one that has come to its end.
        let taken = |message, part| Taken { message, part, carrier: "alpha", remote_id: "1", report: None };
        let old = [taken(world.queued, 0), taken(world.rejected, 0), taken(world.rejected, 1)];
        segments::insert(&mut tx, &old, day(0)).await.unwrap();
        segments::insert(&mut tx, &[taken(world.rejected, 2)], day(9)).await.unwrap();
        let id = |message: MessageId, part: i64| message.0 * 256 + part;
        let step = async |tx: &mut Tx, after, silent| {
            let unused = segments::unused(tx, after, day(7), silent, 2).await.unwrap();
            (unused.ids, unused.after)
        };
        let ended = id(world.rejected, 0);
        assert_eq!(step(&mut tx, i64::MIN, day(-23)).await, (vec![ended], Some(ended)));
        assert_eq!(step(&mut tx, ended, day(-23)).await, (vec![ended + 1], Some(ended + 2)));
        assert_eq!(step(&mut tx, ended + 2, day(-23)).await, (vec![], None), "there are no more");
        assert_eq!(step(&mut tx, ended + 1, day(-23)).await, (vec![], None), "only newer ones");
        // What was never reported on is kept for longer, and not for ever.
        let silent = step(&mut tx, i64::MIN, day(1)).await;
        assert_eq!(silent, (vec![id(world.queued, 0), ended], Some(ended)));
        assert_eq!(segments::forget(&mut tx, &silent.0).await.unwrap(), 2);
        assert_eq!(segments::of(&mut tx, &[world.queued.0, world.rejected.0]).await.unwrap().len(), 2);
    }
}
