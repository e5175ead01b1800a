//! Limits under load and in a tree: never exceeded by one message, by whatever account and node it is
//! sent; each test ends with a look at the books.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::account::Account;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::label::Label;
use domain::limit::{Bearing, Limit};
use gateway::accept::{RecipientRefused, SendRefused, SendRequest};
use gateway::limits::{self, LimitError, Written};
use gateway::preview::Draft;
use gateway::{Base, Clock, Gateway, prices};
use house::*;
use tokio::task::JoinSet;

const ALLOWED: usize = 300;
const ASKED: usize = 340;

fn most(kind: &str, most: &str) -> Written {
    Written { kind: kind.into(), most: most.into(), ..Written::default() }
}

fn reach(reach: &str, written: Written) -> Written {
    Written { reach: reach.into(), ..written }
}

fn list(kind: &str, list: &[&str]) -> Written {
    Written {
        kind: kind.into(),
        list: list.iter().map(|&word| word.to_owned()).collect(),
        ..Written::default()
    }
}

async fn set(base: &Base, account: &Account, by: &Account, written: &Written) -> Limit {
    limits::set(base, account.id, by.id, written, &Actor::command_line()).await.unwrap()
}

/// Why the only recipient of a request was refused.
async fn refusal(
    gateway: &Gateway,
    account: &Arc<Account>,
    request: SendRequest,
) -> Option<RecipientRefused> {
    gateway.send(account, request).await.unwrap().messages.remove(0).refused
}

/// Many send at once, in turn from these accounts and by these nodes. Gives how many were accepted and
/// how many refused for a limit.
async fn drain(nodes: &[Gateway], accounts: &[Arc<Account>]) -> (usize, usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (gateway, next) = (nodes[client % nodes.len()].clone(), next.clone());
        let account = accounts[client % accounts.len()].clone();
        clients.spawn(async move {
            let mut done = (0, 0);
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= ASKED {
                    return done;
                }
                let sent = gateway.send(&account, to([number(n as u64)], "hello")).await.unwrap();
                match &sent.messages[0].refused {
                    None => done.0 += 1,
                    Some(RecipientRefused::Limit { .. }) => done.1 += 1,
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    clients.join_all().await.into_iter().fold((0, 0), |sum, done| (sum.0 + done.0, sum.1 + done.1))
}

/// Mails of a kind to an account.
async fn mails(base: &Base, account: AccountId) -> i64 {
    count(
        &base.db,
        &format!(
            "select count(*) from mails where kind in ('limit', 'limit-reached') and account_id = {account}"
        ),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn never_one_message_more_whoever_sends_it() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let root = account(&base, "root", None, 0).await;
        let (a, b) = (account(&base, "a", Some(&root), 0).await, account(&base, "b", Some(&root), 0).await);
        let below = account(&base, "below", Some(&a), 0).await;
        for sender in [&a, &b, &below] {
            grant(&base, sender, ASKED as i64 * PRICE, None).await;
        }
        let all = ALLOWED as i64 * PRICE;
        set(&base, &root, &root, &most("spend_per_day", &Credits(all).to_string())).await;
        // Others that are not reached, and one of another account, do not disturb.
        set(&base, &root, &root, &most("messages_per_hour", "1000")).await;
        set(&base, &a, &root, &most("spend_per_month", &Credits(9 * all).to_string())).await;
        // Several nodes on one database; SQLite is one process's.
        let mut nodes = vec![simulated(&base).await];
        if base.db.engine() == "postgres" {
            nodes.push(simulated(&house::base(&database.db, clock.clone()).await).await);
        }
        let senders = [fresh(&base, &a).await, fresh(&base, &b).await, fresh(&base, &below).await];
        assert_eq!(drain(&nodes, &senders).await, (ALLOWED, ASKED - ALLOWED), "{}", base.db.engine());
        let mut left = 0;
        for sender in &senders {
            left += wallet(&base, sender).await;
        }
        assert_eq!(left, (3 * ASKED - ALLOWED) as i64 * PRICE);
        // Each share was told of once.
        assert_eq!(mails(&base, root.id).await, 3);
        // A new date, and it begins anew.
        clock.set(NOW.after(Duration::from_secs(86_400)));
        assert_eq!(refusal(&nodes[0], &senders[0], to([number(1)], "tomorrow")).await, None);
        for node in &nodes {
            handed_over(&base.db).await;
            node.stop().await;
        }
        sound(&base).await;
    }
}

#[tokio::test]
async fn a_limit_says_whose_it_is_and_what_to_do() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 0).await;
        let child = account(&base, "child", Some(&root), 100 * PRICE).await;
        set(&base, &child, &root, &most("messages_per_hour", "2")).await;
        let gateway = simulated(&base).await;
        // Of one request as many as fit are accepted, in their order.
        let sent = gateway.send(&child, to((0..4).map(number), "hello")).await;
        assert_eq!(accepted(&sent), 2);
        let sent = sent.unwrap();
        let why = sent.messages[3].refused.as_ref().unwrap().to_string();
        assert!(why.contains("2 messages an hour"), "{why}");
        assert!(why.contains(&format!("an administrator of account {} can raise it", root.id)), "{why}");
        assert_eq!(sent.messages[3].price, Credits::ZERO);
        assert_eq!(wallet(&base, &child).await, 98 * PRICE);
        // How much an account above allows its whole tree is its own matter.
        set(&base, &root, &root, &most("spend_per_day", "0")).await;
        let why = refusal(&gateway, &child, to([number(9)], "hello")).await.unwrap().to_string();
        assert!(!why.contains("0.00"), "{why}");
        assert!(why.contains(&format!("of account {}", root.id)), "{why}");
        gateway.stop().await;
        sound(&base).await;
    }
}

#[tokio::test]
async fn what_cannot_be_paid_takes_nothing_of_a_limit() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, PRICE).await;
        set(&base, &account, &account, &most("messages_per_day", "1")).await;
        let gateway = simulated(&base).await;
        let dear = gateway.send(&account, to([number(1)], LONG)).await;
        assert!(matches!(dear, Err(SendRefused::InsufficientCredits { .. })), "{dear:?}");
        // A recipient that is refused for another reason takes nothing either.
        let wrong = gateway.send(&account, to(["nobody".to_owned()], "hello")).await.unwrap();
        assert!(matches!(wrong.messages[0].refused, Some(RecipientRefused::Number(_))));
        assert_eq!(refusal(&gateway, &account, to([number(1)], "hello")).await, None);
        assert!(matches!(
            refusal(&gateway, &account, to([number(2)], "hello")).await,
            Some(RecipientRefused::Limit { .. })
        ));
        gateway.stop().await;
        sound(&base).await;
    }
}

#[tokio::test]
async fn what_never_left_does_not_count() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 0).await;
        let account = account(&base, "a", Some(&root), 100 * PRICE).await;
        set(&base, &account, &root, &most("messages_per_day", "3")).await;
        set(&base, &root, &root, &most("spend_per_day", "0.225")).await;
        let gateway = simulated(&base).await;
        // The simulator refuses this number, which nothing is charged for in the end.
        let refused = sent(&gateway, &account, to([fated(1, 99_901)], "hello")).await;
        until("it is given back", async || wallet(&base, &account).await == 100 * PRICE).await;
        assert!(seen(&base.db, refused).await.status.is_final());
        assert_eq!(accepted(&gateway.send(&account, to((0..5).map(number), "hello")).await), 3);
        // Nor does what is taken back before it is sent.
        let late =
            SendRequest { send_at: Some(NOW.after(Duration::from_secs(3_600))), ..to([number(77)], "later") };
        let of_root = limits::of(&base, &root, root.id).await.unwrap()[0].limit.id;
        limits::remove(&base, root.id, root.id, of_root, &Actor::command_line()).await.unwrap();
        set(&base, &account, &root, &most("messages_per_day", "4")).await;
        let late = sent(&gateway, &account, late).await;
        assert_eq!(gateway.cancel(&account, &[late], &Actor::command_line()).await.unwrap(), [late]);
        assert_eq!(accepted(&gateway.send(&account, to([number(78), number(79)], "x")).await), 1);
        gateway.stop().await;
        sound(&base).await;
    }
}

#[tokio::test]
async fn what_costs_nothing_and_never_left_does_not_count_either() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        import(&base, "free", "DE,0,2020-01-01\n", true).await;
        let account = account(&base, "a", None, 0).await;
        prices::assign(&base, account.id, Some("free"), true, &Actor::command_line()).await.unwrap();
        let account = fresh(&base, &account).await;
        set(&base, &account, &account, &most("messages_per_day", "1")).await;
        let gateway = simulated(&base).await;
        let refused = sent(&gateway, &account, to([fated(1, 99_901)], "hello")).await;
        until("it is at its end", async || seen(&base.db, refused).await.status.is_final()).await;
        assert_eq!(refusal(&gateway, &account, to([number(1)], "hello")).await, None);
        gateway.stop().await;
        sound(&base).await;
    }
}

#[tokio::test]
async fn budgets_are_of_labels_and_countries() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, 100 * PRICE).await;
        let of_label = Written { label: "autumn".into(), ..most("spend_per_month", "0.075") };
        let of_country = Written { country: "fr".into(), ..most("messages_per_day", "1") };
        set(&base, &account, &account, &of_label).await;
        set(&base, &account, &account, &of_country).await;
        let gateway = simulated(&base).await;
        let labelled = |n, label: &str| SendRequest {
            label: Some(Label::parse(label).unwrap()),
            ..to([number(n)], "hello")
        };
        assert_eq!(refusal(&gateway, &account, labelled(1, "autumn")).await, None);
        assert!(refusal(&gateway, &account, labelled(2, "autumn")).await.is_some());
        assert_eq!(refusal(&gateway, &account, labelled(3, "winter")).await, None);
        assert_eq!(refusal(&gateway, &account, to([number(4)], "hello")).await, None);
        assert_eq!(refusal(&gateway, &account, to(["+33612345678".into()], "salut")).await, None);
        let why = refusal(&gateway, &account, to(["+33612345679".into()], "salut")).await.unwrap();
        assert!(why.to_string().contains("1 message a day to FR"), "{why}");
        gateway.stop().await;
        sound(&base).await;
    }
}

#[tokio::test]
async fn spending_is_what_the_account_itself_pays() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        import(&base, "retail", "DE,0.09,2020-01-01\n", false).await;
        let root = account(&base, "root", None, 0).await;
        let child = account(&base, "child", Some(&root), 0).await;
        prices::assign(&base, child.id, Some("retail"), false, &Actor::command_line()).await.unwrap();
        grant(&base, &child, 1_000_000, None).await;
        let child = fresh(&base, &child).await;
        // Two messages cost the child 0.18 and the account above 0.15.
        set(&base, &child, &root, &most("spend_per_day", "0.18")).await;
        set(&base, &root, &root, &most("spend_per_day", "0.15")).await;
        let gateway = simulated(&base).await;
        assert_eq!(refusal(&gateway, &child, to([number(1)], "hello")).await, None);
        assert_eq!(refusal(&gateway, &child, to([number(2)], "hello")).await, None);
        let seen = limits::of(&base, &child, root.id).await.unwrap();
        assert_eq!(seen.iter().map(|s| s.used).collect::<Vec<_>>(), [Some(150_000), Some(180_000)]);
        gateway.stop().await;
        sound(&base).await;
    }
}

#[tokio::test]
async fn defaults_give_way_and_enforced_ones_do_not() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 0).await;
        let (a, b) = (
            account(&base, "a", Some(&root), 10 * PRICE).await,
            account(&base, "b", Some(&root), 10 * PRICE).await,
        );
        set(&base, &root, &root, &reach("each_by_default", most("messages_per_day", "1"))).await;
        set(&base, &root, &root, &reach("each_enforced", most("messages_per_day", "3"))).await;
        set(&base, &b, &b, &most("messages_per_day", "100")).await;
        let gateway = simulated(&base).await;
        // Each by itself.
        assert_eq!(accepted(&gateway.send(&a, to((0..5).map(number), "one")).await), 1);
        assert_eq!(accepted(&gateway.send(&b, to((0..5).map(number), "one")).await), 3);
        let bearings = |seen: Vec<limits::Seen>| seen.into_iter().map(|s| s.bearing).collect::<Vec<_>>();
        let of_a = bearings(limits::of(&base, &a, root.id).await.unwrap());
        assert_eq!(of_a, [Bearing::Inherited, Bearing::Enforced]);
        let of_b = bearings(limits::of(&base, &b, root.id).await.unwrap());
        assert_eq!(of_b, [Bearing::Overridden, Bearing::Enforced, Bearing::Own]);
        gateway.stop().await;
        sound(&base).await;
    }
}

#[tokio::test]
async fn only_where_and_as_whom_all_above_allow() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 0).await;
        let child = account(&base, "child", Some(&root), 10 * PRICE).await;
        set(&base, &root, &root, &list("countries", &["de", "FR", " at ", "DE"])).await;
        set(&base, &child, &child, &list("countries", &["FR", "IT"])).await;
        set(&base, &child, &root, &list("senders", &["Nordlicht", "Shop"])).await;
        let gateway = simulated(&base).await;
        let from = |sender: &str, number: &str| SendRequest {
            sender: Some(sender.into()),
            ..to([number.to_owned()], "hello")
        };
        assert_eq!(refusal(&gateway, &child, from("nordlicht", "+33612345678")).await, None);
        let by = |refused: Option<RecipientRefused>| match refused {
            Some(RecipientRefused::Country { by, .. }) => by,
            other => panic!("{other:?}"),
        };
        assert_eq!(by(refusal(&gateway, &child, from("Shop", "+491511234567")).await), child.id);
        assert_eq!(by(refusal(&gateway, &child, from("Shop", "+393331234567")).await), root.id);
        let other = gateway.send(&child, from("Bank", "+33612345678")).await;
        let forbidden = matches!(&other, Err(SendRefused::SenderNotAllowed { by, .. }) if *by == root.id);
        assert!(forbidden, "{other:?}");
        // What is shown before sending is what happens.
        let draft = |sender: &str| Draft {
            text: "hello".into(),
            sender: Some(sender.into()),
            recipients: "+33612345678\n+491511234567".into(),
        };
        let good = gateway.preview(&child, &draft("SHOP")).await.unwrap();
        assert_eq!((good.numbers.len(), good.problem_count, good.sender_forbidden_by), (1, 1, None));
        let bad = gateway.preview(&child, &draft("Bank")).await.unwrap();
        assert_eq!((bad.sender_forbidden_by, bad.is_ready()), (Some(root.id), false));
        // A rehearsal keeps them as well.
        let rehearsed = gateway.rehearse(&child, from("Bank", "+33612345678")).await;
        assert!(matches!(rehearsed, Err(SendRefused::SenderNotAllowed { .. })), "{rehearsed:?}");
        gateway.stop().await;
        sound(&base).await;
    }
}

#[tokio::test]
async fn only_those_who_set_it_and_those_above_change_it() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let actor = &Actor::command_line();
        let root = account(&base, "root", None, 0).await;
        let child = account(&base, "child", Some(&root), 0).await;
        let stranger = account(&base, "stranger", None, 0).await;
        let from_above = set(&base, &child, &root, &most("messages_per_day", "5")).await;
        let own = set(&base, &child, &child, &most("messages_per_day", "3")).await;
        assert_ne!(from_above.id, own.id);
        let refused = limits::remove(&base, child.id, child.id, from_above.id, actor).await;
        assert!(matches!(refused, Err(LimitError::FromAbove { by, .. }) if by == root.id), "{refused:?}");
        for outside in [&stranger, &child] {
            let on = if outside.id == child.id { root.id } else { child.id };
            let refused = limits::set(&base, on, outside.id, &most("messages_per_day", "9"), actor).await;
            assert!(matches!(refused, Err(LimitError::NoAccount(_))), "{refused:?}");
            let refused = limits::remove(&base, on, outside.id, own.id, actor).await;
            assert!(matches!(refused, Err(LimitError::NoAccount(_))), "{refused:?}");
        }
        // Setting it again changes it; the same again changes nothing.
        let changed = set(&base, &child, &root, &most("messages_per_day", "6")).await;
        assert_eq!(changed.id, from_above.id);
        set(&base, &child, &root, &most("messages_per_day", "6")).await;
        limits::remove(&base, child.id, root.id, own.id, actor).await.unwrap();
        limits::remove(&base, child.id, root.id, changed.id, actor).await.unwrap();
        let gone = limits::remove(&base, child.id, root.id, changed.id, actor).await;
        assert!(matches!(gone, Err(LimitError::NotFound { .. })), "{gone:?}");
        assert!(limits::of(&base, &child, root.id).await.unwrap().is_empty());
        let audited = "select count(*) from audit where action like 'limit.%'";
        assert_eq!(count(&base.db, audited).await, 5);
        sound(&base).await;
    }
}

#[test]
fn what_is_written_wrongly_is_told_field_by_field() {
    let told = |written: Written| match limits::read(&written) {
        Err(LimitError::Fields(all)) => {
            all.into_iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(told(most("spend_per_week", "1")), ["kind"]);
    assert_eq!(told(reach("everywhere", most("spend_per_day", "-1"))), ["reach", "most"]);
    assert_eq!(told(most("spend_per_day", "1e9999")), ["most"]);
    assert_eq!(told(most("messages_per_hour", "1.5")), ["most"]);
    assert_eq!(told(most("messages_per_hour", "99999999999999999999")), ["most"]);
    let both = Written { country: "Germany".into(), label: "a b".into(), ..most("messages_per_day", "1") };
    assert_eq!(told(both), ["country", "label"]);
    assert_eq!(told(list("countries", &[])), ["list"]);
    assert_eq!(told(list("countries", &["XX", "DE", "Q"])), ["list", "list"]);
    assert_eq!(told(list("senders", &["much too long a sender"])), ["list"]);
    let many: Vec<String> = (0..301).map(|n| format!("S{n}")).collect();
    assert_eq!(told(Written { kind: "senders".into(), list: many, ..Written::default() }), ["list"]);
}
