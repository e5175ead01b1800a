//! What `check` proves, and that it finds each fault that can be planted.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

mod world;

use domain::ledger::{CauseKind, LedgerAccount, TransferCode};
use storage::check::{TOLD_MAX, check};
use storage::db::Value;
use storage::{Db, Tx};
use world::{World, posting, wallet};

#[tokio::test(flavor = "multi_thread")]
async fn sound_books_are_found_sound() {
    for database in testing::engines().await {
        let empty = check(&mut database.db.read().await.unwrap()).await.unwrap();
        assert!(empty.ok, "{:?}", empty.broken);
        world::build(&database.db).await;
        let mut snapshot = database.db.snapshot().await.unwrap();
        let report = check(&mut snapshot).await.unwrap();
        snapshot.end().await.unwrap();
        assert_eq!(report.broken, Vec::<String>::new(), "{}", database.engine());
        assert!(report.ok);
        let counts = (report.accounts, report.messages, report.refunds, report.outbox, report.price_rows);
        assert_eq!(counts, (3, 2, 1, 1, 2));
        assert_eq!(report.transfers, 11);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_does_not_see_what_is_written_meanwhile() {
    for database in testing::engines().await {
        let world = world::build(&database.db).await;
        let mut snapshot = database.db.snapshot().await.unwrap();
        let mut tx = database.db.begin().await.unwrap();
        world::send(&mut tx, &world, 1, 0).await;
        tx.commit().await.unwrap();
        assert_eq!(check(&mut snapshot).await.unwrap().messages, 2);
        drop(snapshot);
        let report = check(&mut database.db.read().await.unwrap()).await.unwrap();
        assert!(report.ok && report.messages == 3, "{:?}", report.broken);
    }
}

/// Plants a fault, checks, and takes it back.
async fn found(db: &Db, plant: &[(&str, Vec<Value<'_>>)]) -> Vec<String> {
    let mut tx = db.begin().await.unwrap();
    for (sql, params) in plant {
        let changed = tx.execute(sql, params).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert!(changed > 0, "{sql} changed nothing");
    }
    told(tx).await
}

async fn told(mut tx: Tx) -> Vec<String> {
    let report = check(&mut tx).await.unwrap();
    assert_eq!(report.ok, report.broken.is_empty());
    assert_eq!(report.broken_count, report.broken.len() as u64);
    report.broken
}

#[tokio::test(flavor = "multi_thread")]
async fn each_planted_fault_is_named() {
    for database in testing::engines().await {
        let world = world::build(&database.db).await;
        let World { root, child, other, queued, rejected, row } = &world;
        let place = |account: &domain::account::Account| wallet(account.id).id();
        let (r, c, o, q, j) = (place(root), place(child), place(other), queued.0, rejected.0);
        let promo = LedgerAccount::Promo(child.id).id();
        #[rustfmt::skip]
        let cases: Vec<(&str, &str, Vec<i64>)> = vec![
            ("but its transfers add up to",        "update ledger_accounts set balance = balance + 1 where id = $1", vec![c]),
            ("all balances together are",          "update ledger_accounts set balance = balance + 1 where id = $1", vec![c]),
            ("but its credit line is",             "update ledger_accounts set floor = -5 where id = $1", vec![c]),
            ("but the account is closed",          "update accounts set state = 3 where id = $1", vec![child.id.0]),
            ("is not there",                       "delete from ledger_accounts where id = $1", vec![promo]),
            ("belongs to nobody",                  "update ledger_accounts set account_id = 7 where id = $1", vec![c]),
            ("it should be",                       "update accounts set path = 'x/' where id = $1", vec![child.id.0]),
            ("it should be",                       "update accounts set root_id = $2 where id = $1", vec![child.id.0, other.id.0]),
            ("were never charged",                 "delete from transfers where cause_kind = 1 and cause_id = $1", vec![q]),
            ("which has no messages",              "delete from messages where id = $1", vec![q]),
            ("was charged",                        "update transfers set amount = amount + 1 where cause_kind = 1 and cause_id = $1 and place = 1", vec![q]),
            ("was not shared out",                 "update messages set levels = $3 where id = $1 and price = $2", vec![q, 2 * world::PRICE]),
            ("does not say rightly",               "update messages set levels = '1:2' where id = $1", vec![q]),
            ("by price row",                       "update messages set price = price + 1 where id = $1", vec![q]),
            ("which is not there",                 "delete from price_rows where id = $1", vec![*row]),
            ("which says",                         "update price_rows set price = price + 1 where id = $1", vec![*row]),
            ("of free credit",                     "update messages set promo = price + 1 where id = $1", vec![q]),
            ("but not of its tree",                "update messages set root_id = $2 where id = $1", vec![q, other.id.0]),
            ("were given back",                    "update transfers set amount = amount * 9 where cause_kind = 2 and cause_id = $1 and place = 0", vec![j]),
            ("was refunded, but is delivered",     "update messages set status = 4 where id = $1", vec![j]),
            ("was refunded, but is not there",     "delete from messages where id = $1", vec![j]),
            ("taken back from where its charge",   "update transfers set from_id = $2 where cause_kind = 2 and cause_id = $1 and place = 1", vec![j, o]),
            ("from one tree to another",           "update transfers set to_id = $1 where code = 30", vec![o]),
            ("does not fit its places",            "update transfers set code = 10 where code = 30", vec![]),
            ("does not fit its cause",             "update transfers set code = 40, from_id = $1, to_id = 10 where code = 30", vec![r]),
            ("unknown here",                       "update transfers set code = 77 where code = 30", vec![]),
            ("which is not there",                 "update transfers set to_id = 999999 where code = 30", vec![]),
            ("but its lots",                       "update promo_lots set remaining = 5 where account_id = $1", vec![child.id.0]),
            ("which has no promo account",         "update promo_lots set remaining = 5, account_id = 7 where account_id = $1", vec![child.id.0]),
            ("show a cost of",                     "update statistics set cost = cost + 1 where account_id = $1", vec![child.id.0]),
            ("show refunds of",                    "update statistics set refunds = refunds - 1 where account_id = $1", vec![child.id.0]),
            ("show messages:",                     "update statistics set accepted = 9 where account_id = $1", vec![child.id.0]),
            ("show a cost of",                     "delete from statistics where account_id = $1", vec![child.id.0]),
            ("nobody is to do it",                 "delete from outbox where message_id = $1", vec![q]),
            ("is still to be handed over",         "update messages set status = 4 where id = $1", vec![q]),
        ];
        let shared = format!("{}:1,{}:{}", root.id, child.id, 2 * world::PRICE);
        for (expected, sql, numbers) in cases {
            let mut params: Vec<Value<'_>> = numbers.iter().map(|n| (*n).into()).collect();
            if sql.contains("$3") {
                params.push(Value::from(&shared));
            }
            let broken = found(&database.db, &[(sql, params)]).await;
            let named = broken.iter().any(|b| b.contains(expected));
            assert!(
                named,
                "{}: {sql}\nshould be told as '{expected}', but was\n{broken:#?}",
                database.engine()
            );
        }
        let sound = check(&mut database.db.read().await.unwrap()).await.unwrap();
        assert!(sound.ok, "every fault was taken back: {:?}", sound.broken);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_below_its_floor_is_named_even_where_the_tables_forbid_it() {
    for database in testing::engines().await {
        let world = world::build(&database.db).await;
        let id = wallet(world.child.id).id();
        let mut tx = database.db.begin().await.unwrap();
        let free = if tx.is_sqlite() {
            "pragma ignore_check_constraints = on"
        } else {
            "alter table ledger_accounts drop constraint ledger_accounts_check"
        };
        tx.query(free, &[]).await.unwrap();
        tx.execute("update ledger_accounts set balance = -7 where id = $1", &[id.into()]).await.unwrap();
        let broken = told(tx).await;
        assert!(broken.iter().any(|b| b.contains("less than the 0.00 it may fall to")), "{broken:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_charge_and_a_second_refund_are_named() {
    for database in testing::engines().await {
        let world = world::build(&database.db).await;
        for (kind, cause, expected) in [
            (CauseKind::Batch, world.queued, "was charged"),
            (CauseKind::Refund, world.rejected, "were given back"),
        ] {
            // Booked under the same cause by a process that did not look.
            let sql =
                "insert into transfers (id, cause_kind, cause_id, place, from_id, to_id, amount, code, actor,
                    reference, created_at)
                select id + 1000, cause_kind, cause_id, place + 10, from_id, to_id, amount, code, actor,
                    reference, created_at
                from transfers where cause_kind = $1 and cause_id = $2";
            let broken = found(&database.db, &[(sql, vec![(kind as i64).into(), cause.0.into()])]).await;
            assert!(broken.iter().any(|b| b.contains(expected)), "{broken:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_counted_beyond_those_told() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        for n in 0..TOLD_MAX as i64 + 20 {
            tx.execute(
                "insert into ledger_accounts (id, account_id, balance, floor) values ($1, $2, 0, 0)",
                &[(5000 + n).into(), 9.into()],
            )
            .await
            .unwrap();
        }
        let report = check(&mut tx).await.unwrap();
        assert_eq!(report.broken.len(), TOLD_MAX);
        assert!(report.broken_count > TOLD_MAX as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_an_account_closes_with_may_go_up_or_out_but_not_across() {
    for database in testing::engines().await {
        let world = world::build(&database.db).await;
        let (root, child, other) = (wallet(world.root.id), wallet(world.child.id), wallet(world.other.id));
        for (to, sound) in [(root, true), (LedgerAccount::PaymentClearing, true), (other, false)] {
            let mut tx = database.db.begin().await.unwrap();
            let out = posting(child, to, 1, TransferCode::Closing);
            world::post(&mut tx, CauseKind::Closing, world.child.id.0, vec![out]).await;
            assert_eq!(told(tx).await.is_empty(), sound, "{to:?}");
        }
    }
}
