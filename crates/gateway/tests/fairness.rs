//! Who is sent next and by which carrier: nobody waits for another's mailing, no carrier is given more
//! than it can hold, and what has to wait is sent in the end.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use carriers::Outcome;
use domain::account::Account;
use domain::actor::Actor;
use domain::carrier::IdSpelling;
use domain::id::MessageId;
use domain::message::{MessageClass, MessageStatus};
use gateway::accept::SendRequest;
use gateway::{Clock, Gateway, accounts};
use house::*;
use tokio::sync::mpsc::UnboundedReceiver;

const CREDIT: i64 = 1_000_000 * PRICE;

/// Sends a mailing in requests of 500.
async fn mail(gateway: &Gateway, account: &Arc<Account>, count: u64) {
    for first in (0..count).step_by(500) {
        let sent = gateway.send(account, to((first..first + 500).map(number), "a mailing")).await;
        assert_eq!(accepted(&sent), 500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailing_delays_nobody_elses_codes_by_more_than_a_window() {
    const WINDOW: usize = 16;
    const MAILING: u64 = 20_000;
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let mailer = account(&base, "mailer", None, CREDIT).await;
        let bank = account(&base, "bank", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, WINDOW).await;
        mail(&gateway, &mailer, MAILING).await;
        // The carrier answers slowly: one after the other.
        let mut held = Vec::new();
        let mut answered = 0;
        let mut kept_free = 0;
        for n in 0..20 {
            let (class, sender) = match n % 4 {
                0..2 => (MessageClass::Otp, &bank),
                2 => (MessageClass::Normal, &bank),
                // The mailer's own codes do not wait for its mailing either.
                _ => (MessageClass::Otp, &mailer),
            };
            let urgent = sent(&gateway, sender, one(1_000_000 + n, class)).await;
            let mut submissions = 0;
            loop {
                let submission = match script.submitted.try_recv() {
                    Ok(submission) => submission,
                    Err(_) if submissions == 0 && script.holds() < WINDOW => script.next().await,
                    Err(_) => {
                        let oldest = held.remove(0);
                        script.answer(&oldest, taken(&format!("x{answered}")));
                        answered += 1;
                        script.next().await
                    }
                };
                let is_urgent = submission.message == urgent;
                held.push(submission);
                if is_urgent {
                    kept_free += usize::from(submissions == 0);
                    break;
                }
                submissions += 1;
                assert!(submissions <= WINDOW, "{n}: {class:?} waits for more than a window");
            }
        }
        assert!(kept_free > 0, "places are kept for those who come next");
        for submission in held {
            script.answer(&submission, taken(&format!("x{answered}")));
            answered += 1;
        }
        script.room(1_000);
        let all = everything(script.agreeable(), MAILING as usize + 20 - answered).await;
        assert!(all.values().all(|times| *times == 1), "nothing was sent twice");
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

/// How often each message was handed over, once there were so many.
async fn everything(
    mut submitted: UnboundedReceiver<carriers::Submission>,
    count: usize,
) -> HashMap<MessageId, usize> {
    let mut times = HashMap::new();
    while times.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(60), submitted.recv()).await;
        let next = next.unwrap_or_else(|_| panic!("{} of {count} came, then no more", times.len()));
        *times.entry(next.unwrap().message).or_default() += 1;
    }
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_memory_holds_is_all_sent_once() {
    const TREES: u64 = 12;
    const EACH: u64 = 2_500;
    const WINDOW: usize = 500;
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        // The carrier is down until all is accepted: 2,000 a tree and 20,000 in all are held in memory.
        let (gateway, script) = scripted(&base, 0).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..TREES {
            let (gateway, account) = (gateway.clone(), account(&base, &format!("t{n}"), None, CREDIT).await);
            tasks.spawn(async move { mail(&gateway, &account, EACH).await });
        }
        tasks.join_all().await;
        assert!(gateway.lines()[0].queued <= 20_000);
        assert!(count(&base.db, "select count(*) from outbox where node_id = 0").await >= 10_000);
        script.room(WINDOW);
        let mouth = script.mouth.clone();
        let all = everything(script.agreeable(), (TREES * EACH) as usize).await;
        assert!(all.values().all(|times| *times == 1), "nothing was sent twice");
        assert!(mouth.most_held() <= WINDOW, "{} were unanswered at once", mouth.most_held());
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_never_exceeded_whatever_the_carrier_says() {
    const WINDOW: usize = 3;
    const MESSAGES: u64 = 300;
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, WINDOW).await;
        let mut ids = HashSet::new();
        for n in 0..MESSAGES {
            let class = MessageClass::ALL[n as usize % 3];
            let text = if n % 4 == 0 { LONG.repeat(2) } else { "short".into() };
            ids.insert(sent(&gateway, &account, SendRequest { text, ..one(n, class) }).await);
        }
        let mouth = script.mouth.clone();
        let speaker = tokio::spawn(async move {
            let mut chance = Seeded(3);
            let mut held = Vec::new();
            for n in 0.. {
                // Answered in any order, and not before some more have come.
                match tokio::time::timeout(Duration::from_millis(2), script.submitted.recv()).await {
                    Ok(Some(submission)) => held.push(submission),
                    Ok(None) => return,
                    Err(_) if held.is_empty() => continue,
                    Err(_) => {}
                }
                if held.len() == WINDOW || chance.below(3) == 0 {
                    let submission = held.swap_remove(chance.below(held.len()));
                    let outcome = match chance.below(12) {
                        0 => Outcome::Lost,
                        1 => refused(),
                        2 => later(),
                        3 => Outcome::NotSent,
                        _ => taken(&format!("x{n}")),
                    };
                    script.answer(&submission, outcome);
                }
            }
        });
        handed_over(&base.db).await;
        until("all places are free again", async || gateway.lines()[0].used == 0).await;
        assert!(mouth.most_held() <= WINDOW, "{} were unanswered at once", mouth.most_held());
        let open = "select count(*) from messages where status < 3";
        assert_eq!(count(&base.db, open).await, 0);
        sound(&base).await;
        speaker.abort();
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_carrier_is_down_the_next_route_takes_over_until_it_is_back() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (mut alpha, first) = Script::new("alpha", IdSpelling::Auto, true);
        let (mut beta, second) = Script::new("beta", IdSpelling::Auto, true);
        let routes = vec![everywhere("beta", 2), everywhere("alpha", 1)];
        let gateway = Gateway::start(base.clone(), vec![first, second], routes).await.unwrap();
        let send = async |n: u64| sent(&gateway, &account, one(n, MessageClass::Normal)).await;
        // Both are down: messages are accepted and wait for whoever is up first.
        let waiting = send(0).await;
        beta.room(4);
        let submission = beta.next().await;
        assert_eq!(submission.message, waiting);
        beta.answer(&submission, taken("b0"));
        alpha.room(2);
        until("alpha is up", async || gateway.lines()[0].room == 2).await;
        let mut all = Vec::new();
        for n in 1..8 {
            all.push(send(n).await);
        }
        let under_way = alpha.take(2).await;
        until("the others wait for alpha", async || gateway.lines()[0].queued == 5).await;
        assert!(beta.submitted.try_recv().is_err(), "it comes second");
        // Alpha breaks: what did not leave goes to beta, with what waited.
        alpha.room(0);
        for submission in &under_way {
            alpha.answer(submission, Outcome::NotSent);
        }
        let mut by_beta = HashSet::new();
        for n in 0..7 {
            let submission = beta.next().await;
            beta.answer(&submission, taken(&format!("b{}", n + 1)));
            by_beta.insert(submission.message);
        }
        assert_eq!(by_beta, all.iter().copied().collect());
        let last = send(20).await;
        let submission = beta.next().await;
        assert_eq!(submission.message, last);
        alpha.room(2);
        until("alpha is up", async || gateway.lines()[0].room == 2).await;
        beta.answer(&submission, taken("b20"));
        let returned = send(21).await;
        let submission = alpha.next().await;
        assert_eq!(submission.message, returned);
        alpha.answer(&submission, taken("a21"));
        becomes(&base.db, returned, MessageStatus::Submitted).await;
        assert_eq!(seen(&base.db, returned).await.carrier.as_deref(), Some("alpha"));
        assert_eq!(seen(&base.db, all[0]).await.carrier.as_deref(), Some("beta"));
        assert!(!seen(&base.db, all[0]).await.duplicate);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_is_sent_when_it_is_due_if_its_account_may_send() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, CREDIT).await;
        let good = account(&base, "good", Some(&root), CREDIT).await;
        let bad = account(&base, "bad", Some(&root), CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let minutes = |m: u64| NOW.after(Duration::from_secs(60 * m));
        let plan = async |account, n: u64, m: u64| {
            let request = SendRequest { send_at: Some(minutes(m)), ..one(n, MessageClass::Normal) };
            sent(&gateway, account, request).await
        };
        let later = plan(&good, 1, 120).await;
        let soon = plan(&good, 2, 60).await;
        let stopped = plan(&bad, 3, 60).await;
        let cancelled = plan(&good, 4, 60).await;
        assert_eq!(gateway.cancel(&good, &[cancelled], &Actor::command_line()).await.unwrap(), [cancelled]);
        accounts::suspend(&base, bad.id, "unpaid", &Actor::command_line()).await.unwrap();
        // What is to be sent in the past is sent now.
        let past = SendRequest { send_at: Some(NOW), ..one(5, MessageClass::Normal) };
        let past = sent(&gateway, &good, past).await;
        let mut next = async || {
            let submission = script.next().await;
            script.answer(&submission, taken(&format!("x{}", submission.message)));
            submission.message
        };
        assert_eq!(next().await, past);
        base.clock.set(minutes(60));
        assert_eq!(next().await, soon);
        let put_off = format!("select due_at from outbox where message_id = {stopped}");
        until("it is put off", async || count(&base.db, &put_off).await == minutes(70).0).await;
        assert_eq!(seen(&base.db, stopped).await.status, MessageStatus::Scheduled);
        accounts::activate(&base, bad.id, &Actor::command_line()).await.unwrap();
        base.clock.set(minutes(70));
        assert_eq!(next().await, stopped);
        base.clock.set(minutes(120));
        assert_eq!(next().await, later);
        handed_over(&base.db).await;
        assert!(script.submitted.try_recv().is_err());
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_is_given_what_is_left_of_a_messages_time() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 1).await;
        let ten_minutes = |n| SendRequest { validity_minutes: Some(10), ..one(n, MessageClass::Normal) };
        sent(&gateway, &account, ten_minutes(1)).await;
        let first = script.next().await;
        assert_eq!(first.validity_minutes, 10);
        sent(&gateway, &account, ten_minutes(2)).await;
        // It waits for a place for four and a half minutes.
        base.clock.set(NOW.after(Duration::from_secs(270)));
        script.answer(&first, taken("x1"));
        let second = script.next().await;
        assert_eq!(second.validity_minutes, 6, "what is left, rounded up");
        script.answer(&second, taken("x2"));
        handed_over(&base.db).await;
        gateway.stop().await;
    }
}

/// A batch that is broken off when it had given a free place to the next message already: that one
/// waits on, and is handed over once, as its first attempt.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_batch_had_promised_a_place_waits_on_and_goes_once() {
    // Only there can a transaction be broken off from outside.
    let database = testing::postgres().await;
    let base = base(&database.db, Clock::of_the_machine()).await;
    let account = account(&base, "a", None, CREDIT).await;
    let (gateway, mut script) = scripted(&base, 2).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(sent(&gateway, &account, one(n, MessageClass::Normal)).await);
    }
    let first = script.take(2).await;
    until("four wait", async || gateway.lines()[0].queued == 4).await;
    // The answers can be read about, not stored.
    let mut held = base.db.begin().await.unwrap();
    held.query("lock table segments in share mode", &[]).await.unwrap();
    for submission in &first {
        script.answer(submission, taken(&format!("x{}", submission.message)));
    }
    let break_off = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..2 {
        until("the batch waits and is broken off", async || count(&base.db, break_off).await == 1).await;
    }
    until("all are back in the queue or promised anew", async || gateway.lines()[0].queued >= 2).await;
    assert!(script.submitted.try_recv().is_err(), "nothing is sent that is not stored");
    drop(held);
    let mut seen: HashSet<MessageId> = first.iter().map(|s| s.message).collect();
    while seen.len() < ids.len() {
        let submission = script.next().await;
        assert!(seen.insert(submission.message), "{} went twice", submission.message);
        script.answer(&submission, taken(&format!("x{}", submission.message)));
    }
    assert_eq!(seen, ids.iter().copied().collect());
    handed_over(&base.db).await;
    until("all places are free again", async || gateway.lines()[0].used == 0).await;
    assert!(script.most_held() <= 2);
    assert_eq!(count(&base.db, "select count(*) from messages where possible_duplicate = 1").await, 0);
    sound(&base).await;
    gateway.stop().await;
}

/// The parts of one message go by carriers that send parts: what is left of it waits for one, also when
/// a carrier is up that could only take it whole.
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_long_message_waits_for_a_carrier_that_sends_parts() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (mut alpha, first) = Script::new("alpha", IdSpelling::Auto, true);
        let (mut beta, second) = Script::new("beta", IdSpelling::Auto, false);
        let routes = vec![everywhere("alpha", 1), everywhere("beta", 2)];
        let gateway = Gateway::start(base.clone(), vec![first, second], routes).await.unwrap();
        alpha.room(2);
        beta.room(2);
        until("both are up", async || gateway.lines().iter().all(|line| line.room == 2)).await;
        let long = sent(&gateway, &account, to([number(1)], LONG)).await;
        let parts = alpha.take(2).await;
        alpha.room(0);
        alpha.answer(&parts[0], taken("a0"));
        alpha.answer(&parts[1], Outcome::NotSent);
        // What comes now goes by the other carrier, and whole.
        let other = sent(&gateway, &account, to([number(2)], LONG)).await;
        let submission = beta.next().await;
        assert_eq!((submission.message, submission.part), (other, 0));
        beta.answer(&submission, taken("b"));
        becomes(&base.db, other, MessageStatus::Submitted).await;
        assert!(beta.submitted.try_recv().is_err(), "half a message is nothing for this one");
        alpha.room(2);
        let rest = alpha.next().await;
        assert_eq!((rest.message, rest.part), (long, 1));
        alpha.answer(&rest, taken("a1"));
        becomes(&base.db, long, MessageStatus::Submitted).await;
        handed_over(&base.db).await;
        until("all places are free again", async || gateway.lines().iter().all(|line| line.used == 0)).await;
        sound(&base).await;
        gateway.stop().await;
    }
}
