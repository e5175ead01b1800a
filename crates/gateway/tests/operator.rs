//! What the operator reads and does, on both engines.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

mod house;

use domain::actor::Actor;
use domain::id::AccountId;
use domain::message::MessageClass;
use gateway::Clock;
use gateway::mail::{self, Message, To};
use gateway::operator::{self, checks};
use house::*;
use storage::mails::MailState;
use storage::operator::Filter;
use testing::engines;

fn operator() -> Actor {
    Actor::command_line()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tree_is_shown_with_its_size_balance_and_volume() {
    for database in engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 10 * PRICE).await;
        let child = account(&base, "child", Some(&root), 5 * PRICE).await;
        let other = account(&base, "other", None, 3 * PRICE).await;
        let gateway = simulated(&base).await;
        for n in 0..2 {
            sent(&gateway, &child, one(n, MessageClass::Normal)).await;
        }
        let all = operator::trees(&base, &Filter::default(), None, 9).await.unwrap();
        let seen: Vec<_> =
            all.iter().map(|t| (t.root, t.accounts, t.balance.0, t.balance_of_tree.0)).collect();
        assert_eq!(
            seen,
            [(root.id, 2, 10 * PRICE, 13 * PRICE), (other.id, 1, 3 * PRICE, 3 * PRICE)],
            "{}",
            base.db.engine()
        );
        assert_eq!((all[0].messages, all[0].segments, all[0].cost.0), (2, 2, 2 * PRICE));
        assert_eq!((all[1].messages, all[1].cost.0), (0, 0));
        // Page by page, and by name, address or number.
        let second = operator::trees(&base, &Filter::default(), Some(root.id), 9).await.unwrap();
        assert_eq!(second.iter().map(|t| t.root).collect::<Vec<_>>(), [other.id]);
        for (wanted, found) in [
            ("OTHER@", Some(other.id)),
            (&other.id.to_string(), Some(other.id)),
            ("child", None),
            ("%", None),
        ] {
            let filter = Filter { search: Some(wanted.into()), open_only: false };
            let found_now = operator::trees(&base, &filter, None, 9).await.unwrap();
            assert_eq!(found_now.first().map(|t| t.root), found, "{wanted}");
        }
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_carrier_says_is_counted_by_the_minute() {
    let database = testing::sqlite().await;
    let base = base(&database.db, Clock::standing_at(NOW)).await;
    let root = account(&base, "root", None, 100 * PRICE).await;
    let gateway = simulated(&base).await;
    until("the simulator is up", async || gateway.lines()[0].room > 0).await;
    // Two are delivered, one is refused at once, one is not delivered.
    for recipient in [number(1), number(2), fated(3, 99_901), fated(4, 99_903)] {
        sent(&gateway, &root, to([recipient], "hello")).await;
    }
    until("all is reported", async || {
        let said = gateway.lines()[0].said(15);
        said.delivered == 2 && said.failed == 1
    })
    .await;
    let line = &operator::lines(&gateway)[0];
    let said = line.said(1);
    assert_eq!((said.taken, said.refused, said.lost), (3, 1, 0));
    assert_eq!((said.error_rate(), line.since), (Some(0.25), NOW));
    assert_eq!(line.width, None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_destination_has_its_carriers_and_prices() {
    for database in engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        import(&base, "retail", "DE,0.09,2020-01-01\n", false).await;
        let gateway = simulated(&base).await;
        until("the simulator is up", async || gateway.lines()[0].room > 0).await;
        let offers = operator::offers(&gateway).await.unwrap();
        let seen: Vec<_> = offers
            .iter()
            .map(|o| {
                let lists: Vec<_> = o
                    .lists
                    .iter()
                    .map(|l| (l.list.as_str(), l.price.0, l.over_standard.unwrap().0))
                    .collect();
                (o.country.map_or("*".to_owned(), |c| c.to_string()), o.standard.unwrap().0, lists)
            })
            .collect();
        let own = |country: &str, price| (country.to_owned(), price, vec![]);
        assert_eq!(
            seen,
            [
                own("*", 200_000),
                ("DE".to_owned(), PRICE, vec![("retail", 90_000, 15_000)]),
                own("FR", 100_000)
            ]
        );
        assert!(offers.iter().all(|o| o.ways.len() == 1 && o.ways[0].up && o.ways[0].carrier == "simulator"));
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_are_checked_beside_the_traffic_once_at_a_time() {
    for database in engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 10 * PRICE).await;
        let gateway = simulated(&base).await;
        sent(&gateway, &root, one(1, MessageClass::Normal)).await;
        assert!(checks::newest(&base, 9).await.unwrap().is_empty());
        // Another process is at it.
        let mut tx = base.db.begin().await.unwrap();
        let foreign = storage::checks::begin(&mut tx, "other", 5, NOW).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert!(!checks::begin(&base, &operator()).await.unwrap());
        base.clock.set(NOW.after(storage::checks::SILENCE));
        let cut_off = &checks::newest(&base, 9).await.unwrap()[0];
        assert!(cut_off.id == foreign && cut_off.was_cut_off(base.clock.now()));
        assert!(checks::begin(&base, &operator()).await.unwrap());
        until("the check has ended", async || checks::newest(&base, 1).await.unwrap()[0].ended_at.is_some())
            .await;
        let check = checks::newest(&base, 1).await.unwrap().remove(0);
        let found = check.found.clone().unwrap();
        assert!(found.ok && found.broken.is_empty() && check.percent() == 100, "{check:?}");
        assert_eq!((found.accounts, found.messages, check.begun_by.as_str()), (1, 1, "operator"));
        // And a fault is found.
        let mut tx = base.db.begin().await.unwrap();
        tx.execute("update ledger_accounts set balance = balance + 1 where account_id is not null", &[])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(checks::begin(&base, &operator()).await.unwrap());
        until("the check has ended", async || checks::newest(&base, 1).await.unwrap()[0].ended_at.is_some())
            .await;
        let found = checks::newest(&base, 1).await.unwrap().remove(0).found.unwrap();
        assert!(!found.ok && found.broken_count > 0 && !found.broken.is_empty(), "{found:?}");
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_read_and_sent_again() {
    for database in engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 0).await;
        let invitation = Message::Invitation {
            account: (&*root).into(),
            inviter: "Anna",
            role: domain::member::Role::Analyst,
            secret: "open-sesame",
            expires_at: NOW,
        };
        let mut tx = base.db.begin().await.unwrap();
        let mut ids = Vec::new();
        for email in ["a@example.com", "b@example.com"] {
            let to = To { email, account: Some(root.id), ..To::default() };
            ids.push(mail::enqueue(&mut tx, &base, &to, &invitation, NOW).await.unwrap());
        }
        tx.commit().await.unwrap();
        let listed = operator::mails(&base, Some(MailState::Waiting), None, 9).await.unwrap();
        assert_eq!(listed.iter().map(|m| m.id).collect::<Vec<_>>(), [ids[1], ids[0]]);
        assert_eq!(listed[0].subject, "Anna invites you to root");
        let older = operator::mails(&base, None, Some(ids[1]), 9).await.unwrap();
        assert_eq!(older.len(), 1);
        // The operator does not see what opens doors while a server is to deliver it.
        let shown = operator::mail(&base, ids[0]).await.unwrap().unwrap();
        assert!(
            shown.plain.contains("/invitation/•••") && !shown.html.contains("open-sesame"),
            "{}",
            shown.plain
        );
        assert_eq!(shown.secret, None);
        assert!(!operator::send_again(&base, ids[0], &operator()).await.unwrap(), "it waits anyway");

        let folder = tempfile::tempdir().unwrap();
        let post =
            mail::post::Post { server: None, folder: folder.path().to_owned(), from: mail::server::keeper() };
        mail::post::turn(&base, &post, || false).await.unwrap();
        let shown = operator::mail(&base, ids[0]).await.unwrap().unwrap();
        assert!(
            shown.plain.contains("/invitation/open-sesame") && shown.html.contains("/invitation/open-sesame")
        );
        assert!(operator::send_again(&base, ids[0], &operator()).await.unwrap());
        let counts = operator::mail_counts(&base).await.unwrap();
        assert_eq!(
            counts,
            MailState::ALL
                .map(|state| (state, i64::from(matches!(state, MailState::Waiting | MailState::Kept))))
        );
        let filter = storage::audit::Filter { action: Some("mail.".into()), ..Default::default() };
        let log = storage::audit::page(&mut base.db.read().await.unwrap(), root.id, &filter, None, 9)
            .await
            .unwrap();
        assert_eq!(log.len(), 1);
        assert!(operator::mail(&base, 77).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_failed_is_shown_and_tried_now() {
    for database in engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let mut tx = base.db.begin().await.unwrap();
        let later = NOW.after(std::time::Duration::from_secs(3600));
        for reference in [1, 2] {
            storage::jobs::add(&mut tx, "test", reference, NOW).await.unwrap();
        }
        storage::jobs::put_off(&mut tx, "test", 2, later, "the disk is full").await.unwrap();
        tx.commit().await.unwrap();
        let seen = operator::jobs(&base, 9).await.unwrap();
        assert_eq!((seen.all, seen.failed, seen.worst.len()), (2, 1, 1));
        let worst = &seen.worst[0];
        assert_eq!((worst.kind.as_str(), worst.reference, worst.attempts), ("test", 2, 1));
        assert_eq!((worst.error.as_deref(), worst.due_at), (Some("the disk is full"), later));
        let due = async || {
            storage::jobs::due(&mut base.db.read().await.unwrap(), "test", NOW, 9).await.unwrap().len()
        };
        assert_eq!(due().await, 1);
        assert!(operator::retry(&base, worst.id, &operator()).await.unwrap());
        assert_eq!(due().await, 2);
        assert!(!operator::retry(&base, 77, &operator()).await.unwrap());
        assert!(operator::trees(&base, &Filter::default(), Some(AccountId(0)), 9).await.unwrap().is_empty());
    }
}
