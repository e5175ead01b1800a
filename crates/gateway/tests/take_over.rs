//! Nodes that come and go: what one leaves behind is found and sent by the next, once its lease has
//! ended or it has left in order; and a node that was away too long does no harm.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carriers::Outcome;
use domain::account::Account;
use domain::delivery_report::ReportState;
use domain::id::MessageId;
use domain::message::{MessageClass, MessageStatus};
use gateway::accept::{SendRefused, SendRequest};
use gateway::{Clock, Gateway};
use house::*;
use storage::{Address, Db};

const CREDIT: i64 = 1_000_000 * PRICE;
const WINDOW: usize = 4;
const MAILING: u64 = 2_600;

/// A gateway in a runtime of its own, so that it can die: its tasks stop where they are.
struct Doomed {
    runtime: tokio::runtime::Runtime,
    gateway: Gateway,
    script: Script,
}

impl Doomed {
    async fn start(address: &Address, clock: Clock) -> Doomed {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let address = address.clone();
        let started = runtime.spawn(async move {
            let base = base(&Db::open(&address).await.unwrap(), clock).await;
            scripted(&base, WINDOW).await
        });
        let (gateway, script) = started.await.unwrap();
        Doomed { runtime, gateway, script }
    }

    fn die(self) {
        self.runtime.shutdown_background();
    }
}

/// What a dead node left: a code and a mailing, of which the carrier has the first [`WINDOW`].
struct Left {
    code: MessageId,
    handed_over: Vec<MessageId>,
}

async fn leave_behind(doomed: &mut Doomed, account: &Arc<Account>) -> Left {
    let gateway = &doomed.gateway;
    let code = sent(gateway, account, one(1_000_000, MessageClass::Otp)).await;
    for first in (0..MAILING).step_by(650) {
        assert_eq!(
            accepted(&gateway.send(account, to((first..first + 650).map(number), "a mailing")).await),
            650
        );
    }
    let submissions = doomed.script.take(WINDOW).await;
    let mut handed_over: Vec<MessageId> = submissions.iter().map(|s| s.message).collect();
    assert_eq!(handed_over.remove(0), code);
    Left { code, handed_over }
}

/// The next node finds all of it, and each message is treated as it should be.
async fn all_is_found(db: &Db, script: Script, left: &Left) {
    script.room(500);
    let mut submitted = script.agreeable();
    let mut times: HashMap<MessageId, usize> = HashMap::new();
    let expected = MAILING as usize + 1 - left.handed_over.len();
    while times.len() < expected {
        let next = tokio::time::timeout(Duration::from_secs(60), submitted.recv()).await;
        let next = next.unwrap_or_else(|_| panic!("{} of {expected} came, then no more", times.len()));
        *times.entry(next.unwrap().message).or_default() += 1;
    }
    handed_over(db).await;
    assert!(times.values().all(|times| *times == 1));
    // The code may have been sent, and is sent once more; what may have been of the mailing is held.
    assert!(seen(db, left.code).await.duplicate);
    for held in &left.handed_over {
        assert!(!times.contains_key(held));
        assert_eq!(seen(db, *held).await.status, MessageStatus::Unknown);
    }
    assert_eq!(count(db, "select count(*) from messages where possible_duplicate = 1").await, 1);
    until("all but those is delivered", async || {
        count(db, "select count(*) from messages where status = 4").await == expected as i64
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_died_is_followed_by_one_that_finds_and_sends_everything() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let before = base(&database.db, clock.clone()).await;
        let account = account(&before, "a", None, CREDIT).await;
        let mut doomed = Doomed::start(&database.address, clock.clone()).await;
        let left = leave_behind(&mut doomed, &account).await;
        doomed.die();
        clock.set(NOW.after(storage::nodes::LEASE + Duration::from_secs(1)));
        let db = Db::open(&database.address).await.unwrap();
        let after = base(&db, clock).await;
        let (gateway, script) = scripted(&after, WINDOW).await;
        all_is_found(&db, script, &left).await;
        assert_eq!(wallet(&after, &account).await, CREDIT - (MAILING as i64 + 1) * PRICE);
        sound(&after).await;
        gateway.stop().await;
    }
}

/// Several processes share PostgreSQL alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_at_work_takes_over_when_the_lease_of_another_has_ended_and_not_before() {
    let database = testing::postgres().await;
    let clock = Clock::standing_at(NOW);
    let there = base(&database.db, clock.clone()).await;
    let account = account(&there, "a", None, CREDIT).await;
    let mut doomed = Doomed::start(&database.address, clock.clone()).await;
    let (gateway, mut script) = scripted(&there, WINDOW).await;
    let left = leave_behind(&mut doomed, &account).await;
    doomed.die();
    clock.set(NOW.after(storage::nodes::LEASE));
    let renewed = format!(
        "select count(*) from nodes where lease_until = {}",
        clock.now().after(storage::nodes::LEASE).0
    );
    until("the living node has renewed its lease", async || count(&there.db, &renewed).await == 1).await;
    assert_eq!(count(&there.db, "select count(*) from nodes").await, 2, "the dead one still has its lease");
    assert!(script.submitted.try_recv().is_err());
    clock.set(NOW.after(storage::nodes::LEASE + Duration::from_millis(1)));
    all_is_found(&there.db, script, &left).await;
    sound(&there).await;
    gateway.stop().await;
}

/// Several processes share PostgreSQL alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_taken_for_dead_stops_and_moves_nothing_back() {
    let database = testing::postgres().await;
    let here = base(&database.db, Clock::standing_at(NOW)).await;
    let there = base(&database.db, Clock::standing_at(NOW.after(Duration::from_secs(60)))).await;
    let account = account(&here, "a", None, CREDIT).await;
    let (gateway, mut script) = scripted(&here, 1).await;
    let code = sent(&gateway, &account, one(1, MessageClass::Otp)).await;
    let waits = sent(&gateway, &account, one(2, MessageClass::Normal)).await;
    let unanswered = script.next().await;
    // To the other node, whose clock is ahead, this one is dead.
    script.at_close(taken("late"));
    let (other, mut elsewhere) = scripted(&there, 8).await;
    for n in 0..2 {
        let submission = elsewhere.next().await;
        let id = format!("e{n}");
        elsewhere.answer(&submission, taken(&id));
        elsewhere.reported(&id, Some(submission.recipient), ReportState::Delivered).await;
    }
    becomes(&there.db, code, MessageStatus::Delivered).await;
    becomes(&there.db, waits, MessageStatus::Delivered).await;
    until("it has noticed", async || !gateway.ready()).await;
    let refused = gateway.send(&account, one(3, MessageClass::Normal)).await;
    assert!(matches!(refused, Err(SendRefused::Busy)), "{refused:?}");
    // What its carrier told it late is stored, and changes nothing.
    let late = "select count(*) from segments where remote_id = 'late'";
    until("the late answer is stored", async || count(&there.db, late).await == 1).await;
    assert_eq!(unanswered.message, code);
    assert_eq!(seen(&there.db, code).await.status, MessageStatus::Delivered);
    assert!(script.submitted.try_recv().is_err(), "it hands nothing over any more");
    // Its end takes nothing away from the other.
    let held = sent(&other, &account, one(4, MessageClass::Normal)).await;
    let submission = elsewhere.next().await;
    gateway.stop().await;
    assert_eq!(count(&there.db, "select count(*) from outbox where node_id = 0").await, 0);
    elsewhere.answer(&submission, taken("e4"));
    becomes(&there.db, held, MessageStatus::Submitted).await;
    sound(&there).await;
    other.stop().await;
}

/// Several processes share PostgreSQL alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_renew_its_lease_hands_nothing_over_until_it_can() {
    let database = testing::postgres().await;
    let clock = Clock::standing_at(NOW);
    let base = base(&database.db, clock.clone()).await;
    let account = account(&base, "a", None, CREDIT).await;
    let (gateway, mut script) = scripted(&base, 1).await;
    let first = sent(&gateway, &account, one(1, MessageClass::Normal)).await;
    let second = sent(&gateway, &account, one(2, MessageClass::Normal)).await;
    let submission = script.next().await;
    let mut tx = base.db.begin().await.unwrap();
    tx.query("select id from nodes {lock}", &[]).await.unwrap();
    clock.set(NOW.after(storage::nodes::LEASE));
    script.answer(&submission, taken("1"));
    becomes(&base.db, first, MessageStatus::Submitted).await;
    let heard = tokio::time::timeout(Duration::from_millis(200), script.submitted.recv()).await;
    assert!(heard.is_err(), "another node may have taken it over by now");
    drop(tx);
    let submission = script.next().await;
    assert_eq!(submission.message, second);
    script.answer(&submission, taken("2"));
    becomes(&base.db, second, MessageStatus::Submitted).await;
    sound(&base).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_in_order_gives_back_all_that_no_carrier_has() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, WINDOW).await;
        // Two of three parts fit beside the first two messages, and one of those is taken.
        let mut all = Vec::new();
        for n in 0..2 {
            all.push(sent(&gateway, &account, one(n, MessageClass::Bulk)).await);
        }
        let mut submissions = script.take(2).await;
        let long = SendRequest { class: Some(MessageClass::Otp), ..to([number(10)], &LONG.repeat(2)) };
        let long = sent(&gateway, &account, long).await;
        submissions.extend(script.take(2).await);
        for n in 11..200 {
            all.push(sent(&gateway, &account, one(n, MessageClass::Bulk)).await);
        }
        script.answer(&submissions[2], taken("zero"));
        assert_eq!((submissions[2].message, submissions[2].part), (long, 0));
        // The third part takes the place of the first.
        let third = script.next().await;
        assert_eq!((third.message, third.part), (long, 2));
        script.at_close(Outcome::NotSent);
        gateway.stop().await;
        assert!(!gateway.ready());
        assert_eq!(count(&base.db, "select count(*) from nodes").await, 0);
        assert_eq!(count(&base.db, "select count(*) from outbox where node_id <> 0").await, 0);
        assert_eq!(count(&base.db, "select count(*) from outbox where attempts > 0").await, 0);
        assert_eq!(count(&base.db, "select count(*) from outbox").await, all.len() as i64 + 1);
        let (gateway, script) = scripted(&base, WINDOW).await;
        let mut submitted = script.agreeable();
        let mut times: HashMap<(MessageId, u8), usize> = HashMap::new();
        while times.len() < all.len() + 2 {
            let submission =
                tokio::time::timeout(Duration::from_secs(60), submitted.recv()).await.unwrap().unwrap();
            *times.entry((submission.message, submission.part)).or_default() += 1;
        }
        handed_over(&base.db).await;
        assert!(times.values().all(|times| *times == 1));
        assert!(!times.contains_key(&(long, 0)), "the carrier has that part");
        assert_eq!(count(&base.db, "select count(*) from messages where possible_duplicate = 1").await, 0);
        assert_eq!(count(&base.db, "select count(*) from messages where status = 8").await, 0);
        sound(&base).await;
        gateway.stop().await;
    }
}
