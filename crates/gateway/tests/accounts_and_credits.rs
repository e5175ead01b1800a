//! Accounts, keys, credits and prices as operations, on both engines; each test ends with a look at
//! the books.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

use std::time::Duration;

use domain::account::{Account, AccountState, AutoTransfer, Email};
use domain::actor::{Actor, ActorKind};
use domain::credits::Credits;
use domain::id::AccountId;
use domain::key::{Scope, Scopes};
use domain::moment::Moment;
use domain::phone_number::Country;
use gateway::accounts::{CloseError, CreateError, NewAccount, StateError, When};
use gateway::credits::{Done, Grant, RuleError, Transfer, TransferError};
use gateway::keys::{CreateKeyError, LastUsed, NewKey, RevokeError};
use gateway::prices::{AssignError, ImportError};
use gateway::{Base, Clock, Rules, accounts, credits, keys, prices};
use jiff::tz::TimeZone;
use testing::TestDatabase;

const NOW: Moment = Moment(1_780_000_000_000_000);

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

async fn base(database: &TestDatabase) -> Base {
    let rules = Rules {
        default_country: Country::parse("DE").unwrap(),
        time_zone: TimeZone::UTC,
        currency: "EUR".into(),
        default_sender: "Branchline".into(),
        depth_max: 3,
        public_urls: Vec::new(),
    };
    let base = Base::new(database.db.clone(), Clock::standing_at(NOW), rules).await.unwrap();
    gateway::seal::begin(&base, &gateway::seal::Key::parse(&"A".repeat(43)).unwrap()).await.unwrap();
    base
}

async fn sound(base: &Base) {
    let mut snapshot = base.db.snapshot().await.unwrap();
    let report = storage::check::check(&mut snapshot).await.unwrap();
    snapshot.end().await.unwrap();
    assert!(report.ok, "{}: {:#?}", base.db.engine(), report.broken);
}

fn new(email: &str, parent: Option<AccountId>) -> NewAccount {
    NewAccount {
        company: Some("Muster GmbH".into()),
        owner: "Max Muster".into(),
        email: Email::parse(email).unwrap(),
        parent,
        credits: Credits::ZERO,
    }
}

async fn account(base: &Base, email: &str, parent: Option<&Account>, credits: i64) -> Account {
    let new = NewAccount { credits: Credits(credits), ..new(email, parent.map(|p| p.id)) };
    accounts::create(base, &new, &Actor::command_line()).await.unwrap()
}

async fn holds(base: &Base, account: &Account) -> i64 {
    storage::ledger::balance(&mut base.db.read().await.unwrap(), account.id).await.unwrap().0.0
}

fn move_(from: &Account, to: &Account, amount: i64, key: Option<&str>) -> Transfer {
    Transfer {
        from: from.id,
        to: to.id,
        amount: Credits(amount),
        reference: "r".into(),
        idempotency_key: key.map(str::to_owned),
        asked_by: None,
    }
}

async fn transfer(base: &Base, from: &Account, to: &Account, amount: i64) -> Result<Done, TransferError> {
    credits::transfer(base, &move_(from, to, amount, None), &Actor::command_line()).await
}

fn granted(to: &Account, amount: i64, key: Option<&str>) -> Grant {
    Grant {
        account: to.id,
        amount: Credits(amount),
        reason: "paid by bank".into(),
        idempotency_key: key.map(str::to_owned),
        promo_until: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_form_trees_of_limited_depth_with_unique_addresses() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 25_000_000).await;
        assert_eq!(holds(&base, &root).await, 25_000_000);
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        let grandchild = account(&base, "grand@example.com", Some(&child), 0).await;
        assert_eq!(grandchild.path, [root.id, child.id, grandchild.id]);
        assert_ne!(root.settings.signing_key, child.settings.signing_key);
        let too_deep =
            accounts::create(&base, &new("x@example.com", Some(grandchild.id)), &Actor::command_line())
                .await
                .unwrap_err();
        assert!(matches!(too_deep, CreateError::TooDeep { max: 3, .. }), "{too_deep}");
        let taken = accounts::create(&base, &new("CHILD@example.com", Some(root.id)), &Actor::command_line())
            .await
            .unwrap_err();
        assert!(taken.to_string().contains("CHILD@example.com"), "{taken}");
        let nobody =
            accounts::create(&base, &new("x@example.com", Some(AccountId(5))), &Actor::command_line())
                .await
                .unwrap_err();
        assert!(matches!(nobody, CreateError::ParentNotFound(AccountId(5))));
        let nameless = NewAccount { owner: "  ".into(), ..new("x@example.com", None) };
        let nameless = accounts::create(&base, &nameless, &Actor::command_line()).await.unwrap_err();
        assert!(matches!(nameless, CreateError::Name { length: 0, .. }), "{nameless}");
        accounts::suspend(&base, root.id, "unpaid", &Actor::command_line()).await.unwrap();
        let below_suspended =
            accounts::create(&base, &new("x@example.com", Some(child.id)), &Actor::command_line())
                .await
                .unwrap_err();
        assert!(matches!(
            below_suspended,
            CreateError::ParentNotActive { state: AccountState::Suspended, .. }
        ));
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_one_address_at_once_become_one_account() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let base = base.clone();
                tokio::spawn(async move {
                    accounts::create(&base, &new("a@example.com", None), &Actor::command_line()).await.is_ok()
                })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            made += usize::from(task.await.unwrap());
        }
        assert_eq!(made, 1);
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_suspended_with_a_reason_and_activated_again() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 0).await;
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        assert!(matches!(
            accounts::suspend(&base, root.id, " ", &Actor::command_line()).await,
            Err(StateError::NoReason(_))
        ));
        let missing = accounts::suspend(&base, AccountId(9), "x", &Actor::command_line()).await;
        assert!(matches!(missing, Err(StateError::NotFound(_))));
        accounts::suspend(&base, root.id, "unpaid", &Actor::command_line()).await.unwrap();
        let seen = base.account(root.id).await.unwrap().unwrap();
        assert_eq!(seen.state_reason.as_deref(), Some("operator: unpaid"));
        let mut conn = base.db.read().await.unwrap();
        assert_eq!(accounts::effective_state(&mut conn, &child).await.unwrap(), AccountState::Suspended);
        accounts::activate(&base, root.id, &Actor::command_line()).await.unwrap();
        assert_eq!(accounts::effective_state(&mut conn, &child).await.unwrap(), AccountState::Active);
        assert_eq!(base.account(root.id).await.unwrap().unwrap().state, AccountState::Active);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_suspended_nobody_in_the_tree_lifts_however_they_go_about_it() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 0).await;
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        let person = |kind, above| Actor {
            kind,
            id: Some(7),
            name: "Eva <eva@example.com>".into(),
            above,
            visit: None,
            address: "192.0.2.7".into(),
            agent: String::new(),
        };
        let operator = person(ActorKind::Operator, None);
        let above = person(ActorKind::Person, Some(root.id));
        let state = async || {
            let mut conn = base.db.read().await.unwrap();
            storage::accounts::find(&mut conn, child.id).await.unwrap().unwrap().state
        };
        for operator in [&operator, &Actor::command_line()] {
            accounts::suspend(&base, child.id, "fraud", operator).await.unwrap();
            // Suspending it on top, more often than anybody reads back, does not make it theirs.
            for _ in 0..60 {
                accounts::suspend(&base, child.id, "unpaid", &above).await.unwrap();
            }
            let refused = accounts::activate(&base, child.id, &above).await;
            assert!(matches!(refused, Err(StateError::Locked(_))));
            // Nor does closing and reopening it.
            accounts::close(&base, child.id, When::Later, "over", &above).await.unwrap();
            let refused = accounts::activate(&base, child.id, &above).await;
            assert!(matches!(refused, Err(StateError::Locked(_))));
            assert_eq!(state().await, AccountState::Closing, "{}", database.engine());
            accounts::activate(&base, child.id, operator).await.unwrap();
            assert_eq!(state().await, AccountState::Active);
            // What they suspend themselves they lift.
            accounts::suspend(&base, child.id, "unpaid", &above).await.unwrap();
            accounts::activate(&base, child.id, &above).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_suspended_at_the_command_line_before_stays_the_operators() {
    let migration = include_str!("../../storage/migrations/0008_lock_by_operator.sql");
    let update =
        migration.split_once("update accounts").map(|(_, rest)| format!("update accounts{rest}")).unwrap();
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 0).await;
        let above = Actor { above: Some(root.id), ..Actor::rule("x") };
        let mut children = Vec::new();
        for name in ["locked", "lifted", "own"] {
            children.push(account(&base, &format!("{name}@example.com"), Some(&root), 0).await.id);
        }
        let line = Actor::command_line();
        accounts::suspend(&base, children[0], "fraud", &line).await.unwrap();
        accounts::suspend(&base, children[0], "unpaid", &above).await.unwrap();
        accounts::suspend(&base, children[1], "fraud", &line).await.unwrap();
        accounts::activate(&base, children[1], &line).await.unwrap();
        accounts::suspend(&base, children[1], "unpaid", &above).await.unwrap();
        accounts::suspend(&base, children[2], "unpaid", &above).await.unwrap();
        let mut tx = base.db.begin().await.unwrap();
        tx.execute("update accounts set operator_lock = 0", &[]).await.unwrap();
        tx.execute(update.trim_end().trim_end_matches(';'), &[]).await.unwrap();
        tx.commit().await.unwrap();
        for (id, locked) in children.into_iter().zip([true, false, false]) {
            let mut conn = base.db.read().await.unwrap();
            assert_eq!(storage::accounts::operator_lock(&mut conn, id).await.unwrap(), locked);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_at_once_gives_handed_down_credit_back_and_frees_the_address() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 100).await;
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        let grandchild = account(&base, "grand@example.com", Some(&child), 0).await;
        transfer(&base, &root, &child, 60).await.unwrap();
        transfer(&base, &root, &grandchild, 5).await.unwrap();
        transfer(&base, &child, &grandchild, 30).await.unwrap();
        transfer(&base, &grandchild, &child, 10).await.unwrap();
        let error =
            accounts::close(&base, child.id, When::AtOnce, "over", &Actor::command_line()).await.unwrap_err();
        assert!(matches!(&error, CloseError::OpenChildren { count: 1, .. }), "{error}");
        assert!(error.to_string().contains(&grandchild.id.to_string()), "{error}");
        // 25 left: 20 of them from the child, 5 from the root.
        let promo = Grant { promo_until: Some(NOW.after(days(3))), ..granted(&grandchild, 7, None) };
        credits::grant(&base, &promo, &Actor::command_line()).await.unwrap();
        let closed = accounts::close(&base, grandchild.id, When::AtOnce, "over", &Actor::command_line())
            .await
            .unwrap();
        assert_eq!(closed.state, AccountState::Closed);
        let held = [holds(&base, &root).await, holds(&base, &child).await, holds(&base, &grandchild).await];
        assert_eq!(held, [40, 60, 0]);
        sound(&base).await;
        let again = accounts::close(&base, grandchild.id, When::AtOnce, "over", &Actor::command_line())
            .await
            .unwrap_err();
        assert!(matches!(again, CloseError::Closed(_)));
        assert!(matches!(
            accounts::activate(&base, grandchild.id, &Actor::command_line()).await,
            Err(StateError::WrongState { .. })
        ));
        for refused in [
            transfer(&base, &child, &grandchild, 1).await,
            transfer(&base, &grandchild, &child, 1).await,
            credits::grant(&base, &granted(&grandchild, 1, None), &Actor::command_line()).await,
        ] {
            assert!(matches!(refused, Err(TransferError::Closed(_))));
        }
        account(&base, "GRAND@example.com", Some(&child), 0).await;
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_at_once_is_refused_while_own_credit_is_left() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 100).await;
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        transfer(&base, &root, &child, 40).await.unwrap();
        credits::grant(&base, &granted(&child, 3_500_000, None), &Actor::command_line()).await.unwrap();
        let error =
            accounts::close(&base, child.id, When::AtOnce, "over", &Actor::command_line()).await.unwrap_err();
        assert!(matches!(error, CloseError::OwnCredit { amount: Credits(3_500_000), .. }), "{error}");
        assert!(error.to_string().contains("3.50"), "{error}");
        assert_eq!(holds(&base, &child).await, 3_500_040);
        // Moved up by hand, it can be closed.
        transfer(&base, &child, &root, 3_500_000).await.unwrap();
        accounts::close(&base, child.id, When::AtOnce, "over", &Actor::command_line()).await.unwrap_err();
        transfer(&base, &child, &root, 40).await.unwrap();
        accounts::close(&base, child.id, When::AtOnce, "over", &Actor::command_line()).await.unwrap();
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_closes_can_be_reopened_for_thirty_days() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 100).await;
        let child = account(&base, "child@example.com", Some(&root), 2_000_000).await;
        transfer(&base, &root, &child, 30).await.unwrap();
        let closing =
            accounts::close(&base, child.id, When::Later, "over", &Actor::command_line()).await.unwrap();
        assert_eq!(closing.state, AccountState::Closing);
        assert_eq!(holds(&base, &child).await, 2_000_030);
        base.clock.set(NOW.after(days(29)));
        assert_eq!(accounts::finish_closings(&base).await.unwrap(), 0);
        accounts::activate(&base, child.id, &Actor::command_line()).await.unwrap();
        base.clock.set(NOW.after(days(31)));
        assert_eq!(accounts::finish_closings(&base).await.unwrap(), 0);
        accounts::close(&base, child.id, When::Later, "over", &Actor::command_line()).await.unwrap();
        accounts::close(&base, root.id, When::Later, "over", &Actor::command_line()).await.unwrap();
        base.clock.set(NOW.after(days(62)));
        assert_eq!(accounts::finish_closings(&base).await.unwrap(), 2);
        assert_eq!([holds(&base, &root).await, holds(&base, &child).await], [0, 0]);
        let mut conn = base.db.read().await.unwrap();
        let told = storage::notices::of(&mut conn, storage::notices::OPERATOR, 9).await.unwrap();
        assert_eq!(told.len(), 2);
        assert!(told[1].text.contains(&format!("account {}", child.id)), "{told:?}");
        sound(&base).await;
        assert_eq!(accounts::finish_closings(&base).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_found_by_its_hash() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 0).await;
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        let leaf = account(&base, "leaf@example.com", Some(&child), 0).await;
        let wanted = NewKey {
            label: " shop ".into(),
            sandbox: true,
            subaccount_access: true,
            scopes: Scopes::of([Scope::Sms, Scope::Balance]),
            expires_at: Some(NOW.after(days(1))),
        };
        let (key, secret) = keys::create(&base, root.id, &wanted, &Actor::command_line()).await.unwrap();
        assert!(
            keys::is_secret(&secret) && secret.starts_with("bl_test_") && secret.starts_with(&key.prefix)
        );
        let found = base.key(&keys::hash(&secret)).await.unwrap().unwrap();
        assert_eq!(*found, key);
        assert_eq!(key.label, "shop");
        assert!(found.works(NOW) && !found.works(NOW.after(days(1))));
        assert!(keys::create(&base, child.id, &wanted, &Actor::command_line()).await.is_ok());
        let refused = keys::create(&base, leaf.id, &wanted, &Actor::command_line()).await.unwrap_err();
        assert!(matches!(refused, CreateKeyError::NoSubaccounts(_)), "{refused}");
        let ended = NewKey { expires_at: Some(NOW), ..wanted.clone() };
        assert!(matches!(
            keys::create(&base, root.id, &ended, &Actor::command_line()).await,
            Err(CreateKeyError::Expired)
        ));
        let idle = NewKey { scopes: Scopes::of([]), ..wanted.clone() };
        assert!(matches!(
            keys::create(&base, root.id, &idle, &Actor::command_line()).await,
            Err(CreateKeyError::NoScopes)
        ));
        let used = LastUsed::default();
        used.note(key.id, NOW);
        used.store(&base.db).await.unwrap();
        used.store(&base.db).await.unwrap();
        let listed = storage::keys::of_account(&mut base.db.read().await.unwrap(), root.id).await.unwrap();
        assert_eq!(listed[0].1, Some(NOW));
        let foreign = keys::revoke(&base, child.id, key.id, &Actor::command_line()).await;
        assert!(matches!(foreign, Err(RevokeError::NotFound { .. })));
        keys::revoke(&base, root.id, key.id, &Actor::command_line()).await.unwrap();
        keys::revoke(&base, root.id, key.id, &Actor::command_line()).await.unwrap();
        assert!(!base.key(&keys::hash(&secret)).await.unwrap().unwrap().works(NOW));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_booked_once_by_its_key() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 0).await;
        let first =
            credits::grant(&base, &granted(&root, 10, Some("k")), &Actor::command_line()).await.unwrap();
        let second =
            credits::grant(&base, &granted(&root, 10, Some("k")), &Actor::command_line()).await.unwrap();
        assert_eq!((first.transfer, first.repeated, second.repeated), (second.transfer, false, true));
        let other = credits::grant(&base, &granted(&root, 11, Some("k")), &Actor::command_line()).await;
        assert!(matches!(other, Err(TransferError::KeyReused(_))));
        for amount in [0, -5] {
            let refused = credits::grant(&base, &granted(&root, amount, None), &Actor::command_line()).await;
            assert!(matches!(refused, Err(TransferError::NotPositive(_))));
        }
        let huge = credits::grant(&base, &granted(&root, i64::MAX, None), &Actor::command_line()).await;
        assert!(matches!(huge, Err(TransferError::TooLarge(_))), "{huge:?}");
        assert_eq!(holds(&base, &root).await, 10);
        let promo = Grant { promo_until: Some(NOW.after(days(3))), ..granted(&root, 7, None) };
        credits::grant(&base, &promo, &Actor::command_line()).await.unwrap();
        sound(&base).await;
        base.clock.set(NOW.after(days(3)));
        assert_eq!(credits::end_free_credit(&base).await.unwrap(), 1);
        assert_eq!(credits::end_free_credit(&base).await.unwrap(), 0);
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_of_one_key_at_once_are_one_transfer() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 1_000).await;
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let (base, transfer) = (base.clone(), move_(&root, &child, 10, Some("k")));
                tokio::spawn(async move {
                    credits::transfer(&base, &transfer, &Actor::command_line()).await.unwrap()
                })
            })
            .collect();
        let mut transfers = Vec::new();
        for task in tasks {
            transfers.push(task.await.unwrap());
        }
        assert!(transfers.iter().all(|t| t.transfer == transfers[0].transfer));
        assert_eq!(transfers.iter().filter(|t| !t.repeated).count(), 1);
        assert_eq!([holds(&base, &root).await, holds(&base, &child).await], [990, 10]);
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_go_up_and_down_one_tree_and_never_on_credit() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 100).await;
        let a = account(&base, "a@example.com", Some(&root), 0).await;
        let leaf = account(&base, "leaf@example.com", Some(&a), 0).await;
        let b = account(&base, "b@example.com", Some(&root), 0).await;
        let foreign = account(&base, "foreign@example.com", None, 100).await;
        transfer(&base, &root, &leaf, 50).await.unwrap();
        transfer(&base, &leaf, &a, 20).await.unwrap();
        transfer(&base, &leaf, &root, 5).await.unwrap();
        assert_eq!(
            [holds(&base, &root).await, holds(&base, &a).await, holds(&base, &leaf).await],
            [55, 20, 25]
        );
        assert!(matches!(transfer(&base, &a, &b, 1).await, Err(TransferError::Sideways { .. })));
        let across = transfer(&base, &root, &foreign, 1).await.unwrap_err();
        let nobody = transfer(&base, &root, &Account { id: AccountId(9), ..a.clone() }, 1).await.unwrap_err();
        let hidden = |e: &TransferError, id: AccountId| e.to_string().replace(&id.to_string(), "X");
        assert_eq!(hidden(&across, foreign.id), hidden(&nobody, AccountId(9)));
        assert!(matches!(transfer(&base, &a, &a, 1).await, Err(TransferError::Same(_))));
        for amount in [0, -1] {
            assert!(matches!(transfer(&base, &root, &a, amount).await, Err(TransferError::NotPositive(_))));
        }
        credits::set_credit_line(&base, a.id, Credits(1_000), &Actor::command_line()).await.unwrap();
        let borrowed = transfer(&base, &a, &root, 21).await.unwrap_err();
        assert!(matches!(borrowed, TransferError::Insufficient { available: Credits(20), .. }), "{borrowed}");
        transfer(&base, &a, &root, 20).await.unwrap();
        // What was refused is not remembered: the key is still good.
        let wanted = move_(&a, &leaf, 4, Some("later"));
        credits::transfer(&base, &wanted, &Actor::command_line()).await.unwrap_err();
        transfer(&base, &root, &a, 4).await.unwrap();
        assert!(!credits::transfer(&base, &wanted, &Actor::command_line()).await.unwrap().repeated);
        // Each account has keys of its own.
        let of_root = Transfer { asked_by: Some(root.id), ..move_(&root, &a, 1, Some("later")) };
        assert!(!credits::transfer(&base, &of_root, &Actor::command_line()).await.unwrap().repeated);
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_at_once_in_all_directions_lose_nothing_and_overdraw_nobody() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 300).await;
        let mut all = vec![root.clone()];
        for n in 0..3 {
            let child = account(&base, &format!("c{n}@example.com"), Some(&root), 0).await;
            all.push(account(&base, &format!("g{n}@example.com"), Some(&child), 0).await);
            all.push(child);
        }
        let tasks: Vec<_> = (0..8_u64)
            .map(|task| {
                let (base, all) = (base.clone(), all.clone());
                tokio::spawn(async move {
                    let mut seed = task + 1;
                    let mut next = |below: usize| {
                        seed = seed
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        (seed >> 33) as usize % below
                    };
                    let mut moved = 0;
                    for _ in 0..40 {
                        let (from, to) = (&all[next(all.len())], &all[next(all.len())]);
                        match transfer(&base, from, to, 1 + next(90) as i64).await {
                            Ok(_) => moved += 1,
                            Err(TransferError::Storage(error)) => panic!("{error}"),
                            Err(_) => {}
                        }
                    }
                    moved
                })
            })
            .collect();
        let mut moved = 0;
        for task in tasks {
            moved += task.await.unwrap();
        }
        let mut sum = 0;
        for account in &all {
            let held = holds(&base, account).await;
            assert!(held >= 0);
            sum += held;
        }
        assert_eq!(sum, 300);
        assert!(moved > 10, "{moved} transfers went through");
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_automatic_transfers_is_checked_kept_and_switched_off() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 100).await;
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        let rule = |threshold, amount, day_max: Option<i64>| AutoTransfer {
            threshold: Credits(threshold),
            amount: Credits(amount),
            day_max: day_max.map(Credits),
            month_max: None,
        };
        credits::set_auto_transfer(&base, child.id, rule(5, 20, Some(20)), &Actor::command_line())
            .await
            .unwrap();
        let seen = base.account(child.id).await.unwrap().unwrap();
        assert_eq!(seen.auto_transfer, Some(rule(5, 20, Some(20))));
        let negative =
            credits::set_auto_transfer(&base, child.id, rule(-5, 20, None), &Actor::command_line()).await;
        assert!(matches!(negative, Err(RuleError::Negative { field: "threshold", .. })));
        let ceiling =
            credits::set_auto_transfer(&base, child.id, rule(5, 20, Some(19)), &Actor::command_line()).await;
        assert!(matches!(ceiling, Err(RuleError::Ceiling { .. })));
        let main =
            credits::set_auto_transfer(&base, root.id, rule(5, 20, None), &Actor::command_line()).await;
        assert!(matches!(main, Err(RuleError::NoParent(_))));
        // Whoever gets credit lets the rules below act again.
        let disarm = "update accounts set auto_armed = 0 where id = $1";
        let mut tx = base.db.begin().await.unwrap();
        tx.execute(disarm, &[child.id.0.into()]).await.unwrap();
        tx.commit().await.unwrap();
        credits::grant(&base, &granted(&root, 1, None), &Actor::command_line()).await.unwrap();
        let mut conn = base.db.read().await.unwrap();
        let armed = "select auto_armed from accounts where id = $1";
        assert_eq!(conn.number(armed, &[child.id.0.into()]).await.unwrap(), 1);
        credits::set_auto_transfer(&base, child.id, rule(0, 0, None), &Actor::command_line()).await.unwrap();
        assert_eq!(base.account(child.id).await.unwrap().unwrap().auto_transfer, None);
        credits::set_credit_line(&base, child.id, Credits(9), &Actor::command_line()).await.unwrap();
        let negative = credits::set_credit_line(&base, child.id, Credits(-1), &Actor::command_line()).await;
        assert!(matches!(negative, Err(RuleError::Negative { .. })));
        sound(&base).await;
    }
}

const HEAD: &str = "product,country,network,price,effective_from,comment\n";

async fn import(base: &Base, list: &str, rows: &str, allow: bool) -> Result<prices::Imported, ImportError> {
    prices::import(base, format!("{HEAD}{rows}").as_bytes(), list, allow, &Actor::command_line()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_prices_is_taken_in_whole_and_given_back() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let rows = "sms,DE,,0.075,2026-01-01,\n,de,26201,0.07,2026-01-01T00:00:00+01:00,\"good, cheap\"\nsms,*,,0.2,,\n";
        let done = import(&base, "standard", rows, false).await.unwrap();
        assert_eq!((done.added, done.unchanged), (3, 0));
        let again = import(&base, "standard", rows, false).await.unwrap();
        assert_eq!((again.added, again.replaced, again.unchanged), (0, 0, 3));
        let file = prices::export(&base, "standard").await.unwrap().unwrap();
        assert!(file.contains("sms,DE,26201,0.07,2025-12-31T23:00:00Z,\"good, cheap\"\n"), "{file}");
        let back =
            prices::import(&base, file.as_bytes(), "standard", false, &Actor::command_line()).await.unwrap();
        assert_eq!((back.added, back.unchanged), (0, 3));
        assert_eq!(prices::export(&base, "none").await.unwrap(), None);
        let semicolons = "country;price\nFR;0.1\n";
        assert_eq!(
            prices::import(&base, semicolons.as_bytes(), "standard", false, &Actor::command_line())
                .await
                .unwrap()
                .added,
            1
        );
        assert!(!base.prices().await.unwrap().standard.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_is_refused_with_every_line_named() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    let rows = "sms,DE,,\"0,075\",,\nfax,XX,1,-1,tomorrow,\nsms,*,26201,0.1,,\nsms,FR,,0.1,,\nsms,FR,,0.2,,\nsms,IT,,0.1,,a,b\n";
    let error = import(&base, "standard", rows, false).await.unwrap_err();
    let told = error.to_string();
    for expected in [
        "line 2, price: '0,075' is not an amount",
        "line 3, product: 'fax' is not a product",
        "line 3, country: 'XX' is not a country",
        "line 3, network: '1' is not a network",
        "line 3, price: -1.00 is below zero",
        "line 3, effective_from: 'tomorrow' is not a time",
        "line 4, network: a network belongs to a country",
        "line 6, effective_from: line 5 has a price for the same",
        "line 7, comment: the line has more fields",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    assert_eq!(prices::export(&base, "standard").await.unwrap(), None);
    for (file, expected) in [
        ("country\nDE\n", "the column 'price' is missing"),
        ("country,price,colour\n", "'colour' is not a column"),
        ("country,price,price\n", "is there twice"),
        ("country,price\n", "has no prices"),
    ] {
        let told = prices::import(&base, file.as_bytes(), "standard", false, &Actor::command_line())
            .await
            .unwrap_err()
            .to_string();
        assert!(told.contains(expected), "{told}");
    }
    import(&base, "standard", "sms,DE,,0.1,2026-01-01,\n", false).await.unwrap();
    let fixed = import(&base, "standard", "sms,DE,,0.2,2026-01-01,\n", false).await.unwrap_err().to_string();
    assert!(fixed.contains("line 2, price: 0.20 differs from 0.10"), "{fixed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sells_below_cost_unless_it_is_allowed() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None, 0).await;
        let child = account(&base, "child@example.com", Some(&root), 0).await;
        let leaf = account(&base, "leaf@example.com", Some(&child), 0).await;
        import(&base, "standard", "sms,DE,,0.070,2026-01-01,\n", false).await.unwrap();
        import(&base, "cheap", "sms,DE,,0.060,2026-01-01,\n", false).await.unwrap();
        import(&base, "retail", "sms,DE,,0.090,2026-01-01,\n", false).await.unwrap();
        import(&base, "dear", "sms,DE,,0.120,2026-01-01,\n", false).await.unwrap();
        let loss =
            prices::assign(&base, child.id, Some("cheap"), false, &Actor::command_line()).await.unwrap_err();
        assert!(matches!(loss, AssignError::BelowCost(_)));
        assert!(loss.to_string().contains("for 0.06") && loss.to_string().contains("pays 0.07"), "{loss}");
        // A main account pays the installation, which may give it what it likes.
        prices::assign(&base, root.id, Some("cheap"), false, &Actor::command_line()).await.unwrap();
        prices::assign(&base, root.id, None, false, &Actor::command_line()).await.unwrap();
        let missing = prices::assign(&base, root.id, Some("none"), false, &Actor::command_line()).await;
        assert!(matches!(missing, Err(AssignError::NoList(_))));
        prices::assign(&base, leaf.id, Some("retail"), false, &Actor::command_line()).await.unwrap();
        // What the leaf sells by would be less than what the child pays then.
        let above =
            prices::assign(&base, child.id, Some("dear"), false, &Actor::command_line()).await.unwrap_err();
        assert!(above.to_string().contains(&format!("account {}", leaf.id)), "{above}");
        prices::assign(&base, child.id, Some("retail"), false, &Actor::command_line()).await.unwrap();
        // Costs that rise, now or later, are found as well.
        let rise = import(&base, "standard", "sms,DE,,0.1,2027-01-01,\n", false).await.unwrap_err();
        assert!(rise.to_string().contains("2027-01-01"), "{rise}");
        let fall = import(&base, "retail", "sms,DE,,0.065,2027-01-01,\n", false).await.unwrap_err();
        assert!(matches!(fall, ImportError::BelowCost(_)));
        assert!(!prices::export(&base, "retail").await.unwrap().unwrap().contains("0.065"));
        import(&base, "retail", "sms,DE,,0.065,2027-01-01,\n", true).await.unwrap();
        // What was allowed stays allowed.
        import(&base, "retail", "sms,DE,,0.064,2027-02-01,\n", false).await.unwrap();
        prices::assign(&base, child.id, Some("cheap"), true, &Actor::command_line()).await.unwrap();
        // Every account pays by its own list, else by the one above.
        let prices = base.prices().await.unwrap();
        let leaf = base.account(leaf.id).await.unwrap().unwrap();
        let path = base.path(&leaf).await.unwrap();
        let de = Country::parse("DE");
        let levels = Base::levels(&prices, &path, domain::product::Product::Sms, de, "", NOW).unwrap();
        assert_eq!(levels.iter().map(|(_, p)| p.amount.0).collect::<Vec<_>>(), [70_000, 60_000, 90_000]);
    }
}
