//! Who pays: accounts that send on the wallet of the account above. Each test ends with a look at the books.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::sync::Arc;
use std::time::Duration;

use domain::account::Account;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::limit::Measure;
use domain::message::MessageStatus;
use domain::moment::Moment;
use gateway::accept::RecipientRefused;
use gateway::accounts::When;
use gateway::funding::{self, Sharing, SharingError};
use gateway::{Base, Clock, accounts, credits, prices};
use house::*;

const DAY: Duration = Duration::from_secs(86_400);

/// At once and without an end, up to a cap.
fn up_to(cap: i64) -> Sharing {
    Sharing { from: None, until: None, cap: Credits(cap) }
}

async fn share(base: &Base, account: &Account, sharing: Sharing) -> Arc<Account> {
    let by = account.parent.unwrap();
    funding::share_wallet(base, account.id, by, sharing, &Actor::command_line()).await.unwrap();
    fresh(base, account).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_own_wallet_lacks_comes_from_above_to_the_millionth() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        import(&base, "retail", "DE,0.09,2020-01-01\n", false).await;
        let root = account(&base, "root", None, 1_000_000).await;
        let middle = account(&base, "middle", Some(&root), 0).await;
        let child = account(&base, "child", Some(&middle), 0).await;
        prices::assign(&base, child.id, Some("retail"), false, &Actor::command_line()).await.unwrap();
        credits::transfer(&base, &moving(&root, &child, 100_000), &Actor::command_line()).await.unwrap();
        // Both share: the wallet at the top pays for the one at the bottom.
        share(&base, &middle, up_to(5_000_000)).await;
        let child = share(&base, &child, up_to(400_000)).await;
        let gateway = simulated(&base).await;
        let first = gateway.send(&child, to([number(1)], "one")).await.unwrap();
        assert_eq!((wallet(&base, &child).await, wallet(&base, &root).await), (10_000, 900_000));
        // The own wallet and what the limit leaves, not what is above.
        assert_eq!(first.balance, Credits(10_000 + 400_000 - 90_000));
        let three = gateway.send(&child, to((2..5).map(number), "three")).await.unwrap();
        assert_eq!(accepted(&Ok(three)), 3);
        assert_eq!(wallet(&base, &child).await, 0, "what it has itself goes first");
        assert_eq!(wallet(&base, &root).await, 900_000 - (270_000 - 10_000));
        assert_eq!(wallet(&base, &middle).await, 4 * 15_000, "its margin is its own");
        assert_eq!(funding::room(&base, &child).await.unwrap(), Some(Credits(40_000)));
        // The cap is a limit, and the next message does not fit.
        let over = gateway.send(&child, to([number(6)], "over")).await.unwrap();
        assert!(
            matches!(&over.messages[0].refused, Some(RecipientRefused::Limit { reached, .. })
                if reached.measure == Measure::SpendMonth && reached.by == middle.id),
            "{over:?}"
        );
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_and_ends_when_it_was_said_and_can_be_taken_back() {
    let actor = Actor::command_line();
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 1_000_000).await;
        let child = account(&base, "child", Some(&root), 0).await;
        let gateway = simulated(&base).await;
        let goes = async |child: &Arc<Account>, text: &str| {
            accepted(&gateway.send(child, to([number(1)], text)).await) == 1
        };
        let sharing =
            Sharing { from: Some(NOW.after(DAY)), until: Some(NOW.after(3 * DAY)), cap: Credits(1_000_000) };
        let child = share(&base, &child, sharing).await;
        for (at, wanted) in [
            (NOW, false),
            (Moment(NOW.after(DAY).0 - 1), false),
            (NOW.after(DAY), true),
            (Moment(NOW.after(3 * DAY).0 - 1), true),
            (NOW.after(3 * DAY), false),
        ] {
            base.clock.set(at);
            assert_eq!(goes(&child, &format!("at {}", at.0)).await, wanted, "{}", at.0 - NOW.0);
        }
        let child = share(&base, &child, up_to(1_000_000)).await;
        assert!(goes(&child, "again").await);
        // To end later, and then at once.
        let end = base.clock.now().after(DAY);
        funding::stop_sharing(&base, child.id, Some(end), &actor).await.unwrap();
        let child = fresh(&base, &child).await;
        assert!(goes(&child, "still").await);
        funding::stop_sharing(&base, child.id, None, &actor).await.unwrap();
        let child = fresh(&base, &child).await;
        assert!(!goes(&child, "no more").await);
        let refused = funding::share_wallet(&base, root.id, root.id, up_to(1), &actor).await;
        assert!(matches!(refused, Err(SharingError::NoParent(_))), "{refused:?}");
        let refused = funding::share_wallet(&base, child.id, root.id, up_to(0), &actor).await;
        assert!(matches!(refused, Err(SharingError::NoCap(_))), "{refused:?}");
        let ended = Sharing { until: Some(NOW), ..up_to(1) };
        let refused = funding::share_wallet(&base, child.id, root.id, ended, &actor).await;
        assert!(matches!(refused, Err(SharingError::EndsFirst)), "{refused:?}");
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wallet_pays_for_many_at_once_and_not_a_message_more() {
    const PAID: usize = 500;
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let root = account(&base, "root", None, PAID as i64 * PRICE).await;
        let mut senders = vec![fresh(&base, &root).await];
        for name in ["a", "b", "c"] {
            let child = account(&base, name, Some(&root), 0).await;
            senders.push(share(&base, &child, up_to(1_000_000_000)).await);
        }
        let gateway = simulated(&base).await;
        assert_eq!(drain(&gateway, &senders, PAID + 40).await, (PAID, 40));
        for sender in &senders {
            assert_eq!(wallet(&base, sender).await, 0);
        }
        // Both sides are told, and not once a message.
        let told = "select count(*) from mails where kind = 'shared-wallet-empty'";
        let told = count(&base.db, told).await;
        assert!((2..=6).contains(&told), "{told} mails");
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_itself_comes_to_the_wallet_that_pays() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let actor = Actor::command_line();
        let root = account(&base, "root", None, 1_000_000).await;
        let middle = account(&base, "middle", Some(&root), 0).await;
        let child = account(&base, "child", Some(&middle), 0).await;
        credits::set_auto_transfer(&base, middle.id, rule(50_000, 200_000), &actor).await.unwrap();
        // Its own rule rests while it shares.
        credits::set_auto_transfer(&base, child.id, rule(50_000, 200_000), &actor).await.unwrap();
        let child = share(&base, &child, up_to(10_000_000)).await;
        let gateway = simulated(&base).await;
        sent(&gateway, &child, to([number(1)], "one")).await;
        assert_eq!(wallet(&base, &child).await, 0);
        assert_eq!(wallet(&base, &middle).await, 200_000 - PRICE);
        assert_eq!(wallet(&base, &root).await, 800_000);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_left_stays_for_the_next_message_and_goes_back_when_it_closes() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let actor = Actor::command_line();
        let root = account(&base, "root", None, 1_000_000).await;
        let child = account(&base, "child", Some(&root), 0).await;
        let child = share(&base, &child, up_to(10_000_000)).await;
        let gateway = simulated(&base).await;
        let refused = 99_901;
        let first = sent(&gateway, &child, to([fated(1, refused)], "one")).await;
        becomes(&base.db, first, MessageStatus::Rejected).await;
        assert_eq!((wallet(&base, &child).await, wallet(&base, &root).await), (PRICE, 1_000_000 - PRICE));
        let second = sent(&gateway, &child, to([fated(2, refused)], "two")).await;
        assert_eq!(wallet(&base, &root).await, 1_000_000 - PRICE, "what was given back is used first");
        becomes(&base.db, second, MessageStatus::Rejected).await;
        assert_eq!(wallet(&base, &child).await, PRICE);
        accounts::close(&base, child.id, When::AtOnce, "done", &actor).await.unwrap();
        assert_eq!((wallet(&base, &child).await, wallet(&base, &root).await), (0, 1_000_000));
        sound(&base).await;
        gateway.stop().await;
    }
}
