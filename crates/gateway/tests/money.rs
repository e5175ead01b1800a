//! Credits under load: what is charged, given back, handed down by itself and refused, by many at
//! once; each test ends with a look at the books.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::account::{Account, AutoTransfer};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::MessageId;
use domain::ledger::{Cause, CauseKind, Group, LedgerAccount, Posting, TransferCode};
use domain::message::MessageStatus;
use gateway::accept::{RecipientRefused, SendRefused, SendRequest, Sent};
use gateway::accounts::{CloseError, CreateError, NewAccount, When};
use gateway::credits::TransferError;
use gateway::{Base, Clock, Gateway, accounts, credits, prices};
use house::*;
use storage::ledger::Booked;
use tokio::task::JoinSet;

const PAID: usize = 1_000;
const ASKED: usize = 1_010;

#[tokio::test(flavor = "multi_thread")]
async fn exactly_what_is_paid_for_is_accepted() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, PAID as i64 * PRICE).await;
        let gateway = simulated(&base).await;
        assert_eq!(drain(&gateway, std::slice::from_ref(&account), ASKED).await, (PAID, ASKED - PAID));
        assert_eq!(holds(&base, &account).await, (0, 0));
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn free_credit_and_margins_are_exact_under_load() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        import(&base, "retail", "DE,0.09,2020-01-01\n", false).await;
        let root = account(&base, "root", None, 0).await;
        let child = account(&base, "child", Some(&root), 0).await;
        prices::assign(&base, child.id, Some("retail"), false, &Actor::command_line()).await.unwrap();
        // The last message of the free credit is paid by both.
        let free = 300 * 90_000 + 45_000;
        let until = base.clock.now().after(Duration::from_secs(86_400));
        grant(&base, &child, free - 90_000, Some(until)).await;
        grant(&base, &child, 90_000, Some(until.after(Duration::from_secs(5)))).await;
        grant(&base, &child, PAID as i64 * 90_000 - free, None).await;
        let gateway = simulated(&base).await;
        let child = fresh(&base, &child).await;
        assert_eq!(drain(&gateway, std::slice::from_ref(&child), ASKED).await, (PAID, ASKED - PAID));
        assert_eq!(holds(&base, &child).await, (0, 0));
        assert_eq!(wallet(&base, &root).await, PAID as i64 * 15_000);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_too_dear_does_not_fail_its_neighbours() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, 10 * PRICE).await;
        let gateway = simulated(&base).await;
        let done = Mutex::new([None; 3]);
        let ask = |place: usize, request: SendRequest| -> Work<'_> {
            let (gateway, account, done) = (&gateway, &account, &done);
            Box::pin(async move {
                let sent = gateway.send(account, request).await;
                done.lock().unwrap()[place] = Some(accepted(&sent));
            })
        };
        let first = ask(0, to([number(99)], "first"));
        let dear = ask(1, to((0..20).map(number), "x"));
        let fits = ask(2, to((0..5).map(number), "x"));
        in_one_batch(&base, &account, vec![first, dear, fits]).await;
        assert_eq!(*done.lock().unwrap(), [Some(1), Some(0), Some(5)]);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

/// A tree of three levels with margins at each: the root pays 0.075, those below it 0.09 and theirs
/// 0.12 for a segment to Germany.
async fn tree(base: &Base, credits: i64) -> Vec<Arc<Account>> {
    import(base, "retail", "DE,0.09,2020-01-01\nFR,0.12,2020-01-01\n*,0.25,2020-01-01\n", false).await;
    import(base, "end", "DE,0.12,2020-01-01\nFR,0.15,2020-01-01\n*,0.30,2020-01-01\n", false).await;
    let root = account(base, "root", None, credits).await;
    let mut all = vec![root.clone()];
    for (name, count) in [("a", 2), ("b", 1)] {
        let child = account(base, name, Some(&root), credits).await;
        prices::assign(base, child.id, Some("retail"), false, &Actor::command_line()).await.unwrap();
        all.push(child.clone());
        for n in 0..count {
            let leaf = account(base, &format!("{name}{n}"), Some(&child), credits / 10).await;
            prices::assign(base, leaf.id, Some("end"), false, &Actor::command_line()).await.unwrap();
            all.push(leaf);
        }
    }
    all
}

/// Messages that wait for their time, and whose they are.
type Scheduled = Arc<Mutex<Vec<(Arc<Account>, MessageId)>>>;

/// What many do at once in a tree, until it is over.
#[derive(Clone)]
struct Bustle {
    base: Base,
    gateway: Gateway,
    all: Vec<Arc<Account>>,
    over: Arc<AtomicBool>,
    scheduled: Scheduled,
    granted: Arc<Mutex<i64>>,
    accepted: Arc<AtomicUsize>,
    cancelled: Arc<AtomicUsize>,
}

impl Bustle {
    fn on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn any(&self, chance: &mut Seeded) -> Arc<Account> {
        self.all[chance.below(self.all.len())].clone()
    }

    async fn send(self, mut chance: Seeded) {
        while self.on() {
            let account = self.any(&mut chance);
            let account = self.base.account(account.id).await.unwrap().unwrap();
            let mut numbers = Vec::new();
            for _ in 0..1 + chance.below(4) {
                numbers.push(match chance.below(20) {
                    0..4 => fated(chance.below(1_000) as u64, 99_901),
                    4 => fated(chance.below(1_000) as u64, 99_902),
                    5 => fated(chance.below(1_000) as u64, 99_910),
                    6 => format!("+3361234{:04}", chance.below(10_000)),
                    7 => "+390".into(),
                    _ => number(chance.below(100_000) as u64),
                });
            }
            let later = chance.below(3) == 0;
            let request = SendRequest {
                send_at: later.then(|| self.base.clock.now().after(Duration::from_secs(3_600))),
                no_reload: chance.below(2) == 0,
                ..to(numbers, if chance.below(4) == 0 { LONG } else { "short" })
            };
            match self.gateway.send(&account, request).await {
                Ok(sent) => {
                    let ids = sent.messages.iter().filter_map(|m| m.id);
                    let ids: Vec<_> = ids.map(|id| (account.clone(), id)).collect();
                    self.accepted.fetch_add(ids.len(), Ordering::Relaxed);
                    if later {
                        self.scheduled.lock().unwrap().extend(ids);
                    }
                }
                Err(SendRefused::InsufficientCredits { .. } | SendRefused::NotActive { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    async fn cancel(self, mut chance: Seeded) {
        while self.on() {
            let some: Vec<_> = {
                let mut scheduled = self.scheduled.lock().unwrap();
                let count = chance.below(4).min(scheduled.len());
                scheduled.drain(..count).collect()
            };
            for (account, id) in some {
                let (once, repeated, actor) = ([id], [id, id], Actor::command_line());
                let twice = tokio::join!(
                    self.gateway.cancel(&account, &repeated, &actor),
                    self.gateway.cancel(&account, &once, &actor)
                );
                let taken_back = twice.0.unwrap().len() + twice.1.unwrap().len();
                assert!(taken_back <= 1, "{id} was cancelled twice");
                self.cancelled.fetch_add(taken_back, Ordering::Relaxed);
            }
            self.gateway.retry_refunds().await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn transfer(self, mut chance: Seeded) {
        while self.on() {
            let (from, to) = (self.any(&mut chance), self.any(&mut chance));
            let amount = 1 + chance.below(3_000_000) as i64;
            if let Err(TransferError::Storage(error)) =
                credits::transfer(&self.base, &moving(&from, &to, amount), &Actor::command_line()).await
            {
                panic!("{error}");
            }
        }
    }

    async fn grant(self, mut chance: Seeded) {
        while self.on() {
            let to = self.any(&mut chance);
            if chance.below(2) == 0 {
                let end = self.base.clock.now().after(Duration::from_millis(50 + chance.below(2_000) as u64));
                let grant = granting(&to, 1 + chance.below(500_000) as i64, Some(end));
                match credits::grant(&self.base, &grant, &Actor::command_line()).await {
                    // On a busy machine the end comes before the grant.
                    Ok(_) | Err(TransferError::Ended) => {}
                    Err(error) => panic!("{error}"),
                }
                credits::end_free_credit(&self.base).await.unwrap();
            } else {
                let amount = 1 + chance.below(500_000) as i64;
                grant(&self.base, &to, amount, None).await;
                *self.granted.lock().unwrap() += amount;
            }
        }
    }

    async fn change_prices(self, mut chance: Seeded) {
        while self.on() {
            let (list, least) = if chance.below(2) == 0 { ("retail", 90) } else { ("end", 120) };
            let rows = format!("country,price\nDE,0.{:03}\n", least + chance.below(29));
            prices::import(&self.base, rows.as_bytes(), list, chance.below(2) == 0, &Actor::command_line())
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn suspend_and_rule(self, mut chance: Seeded) {
        while self.on() {
            let account = self.any(&mut chance);
            accounts::suspend(&self.base, account.id, "test", &Actor::command_line()).await.unwrap();
            accounts::activate(&self.base, account.id, &Actor::command_line()).await.unwrap();
            if account.parent.is_some() {
                let rule = rule(chance.below(2_000_000) as i64, 1 + chance.below(3_000_000) as i64);
                credits::set_auto_transfer(&self.base, account.id, rule, &Actor::command_line())
                    .await
                    .unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Opens accounts below another, lets them send, and closes them.
    async fn come_and_go(self, mut chance: Seeded) {
        for n in 0.. {
            if !self.on() {
                return;
            }
            let above = self.all[[0, 1, 4][chance.below(3)]].clone();
            let email = domain::account::Email::parse(&format!("guest{n}@example.com")).unwrap();
            let new = NewAccount {
                company: None,
                owner: "Guest".into(),
                email,
                parent: Some(above.id),
                credits: Credits::ZERO,
            };
            let guest = match accounts::create(&self.base, &new, &Actor::command_line()).await {
                Ok(guest) => Arc::new(guest),
                Err(CreateError::ParentNotActive { .. }) => continue,
                Err(other) => panic!("{other}"),
            };
            let _ =
                credits::transfer(&self.base, &moving(&above, &guest, 400_000), &Actor::command_line()).await;
            let sending = {
                let (gateway, guest) = (self.gateway.clone(), guest.clone());
                tokio::spawn(async move {
                    for n in 0..5 {
                        let _ = gateway.send(&guest, to([number(n), fated(n, 99_901)], "bye")).await;
                    }
                })
            };
            loop {
                match accounts::close(&self.base, guest.id, When::AtOnce, "over", &Actor::command_line())
                    .await
                {
                    Ok(_) => break,
                    Err(CloseError::UnderWay { .. }) => self.gateway.retry_refunds().await.unwrap(),
                    Err(CloseError::OwnCredit { amount, .. }) => {
                        // Refunds make nothing that was not handed down.
                        panic!("{} has {amount} of its own", guest.id)
                    }
                    Err(other) => panic!("{other}"),
                }
                if !self.on() {
                    break;
                }
            }
            sending.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_at_once_the_books_stay_right() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let all = tree(&base, 40_000_000).await;
        let given: i64 = count(&base.db, "select -balance from ledger_accounts where id = 1").await;
        let gateway = simulated(&base).await;
        let bustle = Bustle {
            base: base.clone(),
            gateway: gateway.clone(),
            all,
            over: Arc::default(),
            scheduled: Arc::default(),
            granted: Arc::new(Mutex::new(given)),
            accepted: Arc::default(),
            cancelled: Arc::default(),
        };
        let mut tasks = JoinSet::new();
        for n in 0..6 {
            tasks.spawn(bustle.clone().send(Seeded(n)));
        }
        for n in 0..2 {
            tasks.spawn(bustle.clone().transfer(Seeded(20 + n)));
            tasks.spawn(bustle.clone().cancel(Seeded(30 + n)));
        }
        tasks.spawn(bustle.clone().grant(Seeded(40)));
        tasks.spawn(bustle.clone().change_prices(Seeded(50)));
        tasks.spawn(bustle.clone().suspend_and_rule(Seeded(60)));
        tasks.spawn(bustle.clone().come_and_go(Seeded(70)));
        let begun = Instant::now();
        let so_far = || (bustle.accepted.load(Ordering::Relaxed), bustle.cancelled.load(Ordering::Relaxed));
        let enough = |(accepted, cancelled)| accepted > 100 && cancelled > 5;
        while begun.elapsed() < Duration::from_secs(3)
            || !enough(so_far()) && begun.elapsed() < Duration::from_secs(60)
        {
            // While they work, too, the books are right.
            sound(&base).await;
        }
        bustle.over.store(true, Ordering::Relaxed);
        tasks.join_all().await;
        assert!(enough(so_far()), "accepted and cancelled: {:?}", so_far());
        handed_over(&base.db).await;
        sound(&base).await;
        let sum = "select cast(sum(balance) as bigint) from ledger_accounts";
        assert_eq!(count(&base.db, sum).await, 0);
        let clearing = count(&base.db, "select balance from ledger_accounts where id = 1").await;
        assert_eq!(-clearing, *bustle.granted.lock().unwrap());
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_left_is_given_back_with_the_margins() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let all = tree(&base, 10_000_000).await;
        let (root, child, leaf) = (&all[0], &all[1], fresh(&base, &all[2]).await);
        let later = NOW.after(Duration::from_secs(86_400));
        grant(&base, &leaf, 150_000, Some(later)).await;
        let all_hold =
            async || [holds(&base, root).await, holds(&base, child).await, holds(&base, &leaf).await];
        let before = all_hold().await;
        // The carrier is down at first.
        let (gateway, mut script) = scripted(&base, 0).await;
        let refused_one = sent(&gateway, &leaf, to([number(1)], LONG)).await;
        assert_eq!(
            all_hold().await,
            [(10_030_000, 0), (10_060_000, 0), (1_000_000 - 90_000, 0)],
            "the margins went up, and free credit went first"
        );
        let expired =
            sent(&gateway, &leaf, SendRequest { validity_minutes: Some(1), ..to([number(2)], "a") }).await;
        let planned = SendRequest { send_at: Some(later), ..to([number(3)], "b") };
        let planned = sent(&gateway, &leaf, planned).await;
        assert_eq!(
            gateway.cancel(root, &[planned], &Actor::command_line()).await.unwrap(),
            [],
            "nobody cancels what is another's"
        );
        assert_eq!(
            gateway.cancel(&leaf, &[planned, refused_one], &Actor::command_line()).await.unwrap(),
            [planned]
        );
        assert_eq!(gateway.cancel(&leaf, &[planned], &Actor::command_line()).await.unwrap(), []);
        base.clock.set(NOW.after(Duration::from_secs(61)));
        becomes(&base.db, expired, MessageStatus::Expired).await;
        script.room(8);
        for part in script.take(2).await {
            script.answer(&part, refused());
        }
        becomes(&base.db, refused_one, MessageStatus::Rejected).await;
        assert_eq!(all_hold().await, before);
        assert_eq!(seen(&base.db, planned).await.status, MessageStatus::Cancelled);
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_waits_until_the_margin_above_can_be_given_back_and_is_booked_once() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        import(&base, "retail", "DE,0.09,2020-01-01\n", false).await;
        let root = account(&base, "root", None, 0).await;
        let child = account(&base, "child", Some(&root), 0).await;
        prices::assign(&base, child.id, Some("retail"), false, &Actor::command_line()).await.unwrap();
        grant(&base, &child, 90_000, None).await;
        let gateway = simulated(&base).await;
        let child = fresh(&base, &child).await;
        let send_at = Some(NOW.after(Duration::from_secs(86_400)));
        let message = sent(&gateway, &child, SendRequest { send_at, ..to([number(1)], "a") }).await;
        credits::transfer(&base, &moving(&root, &child, 15_000), &Actor::command_line()).await.unwrap();
        assert_eq!(gateway.cancel(&child, &[message], &Actor::command_line()).await.unwrap(), [message]);
        assert_eq!(seen(&base.db, message).await.status, MessageStatus::Cancelled);
        assert_eq!([wallet(&base, &root).await, wallet(&base, &child).await], [0, 15_000]);
        sound(&base).await;
        let closing = accounts::close(&base, child.id, When::AtOnce, "over", &Actor::command_line()).await;
        assert!(matches!(closing, Err(CloseError::UnderWay { count: 1, .. })), "its refund is still to come");
        // The margin is still spent, so it is put off once more.
        base.clock.set(NOW.after(Duration::from_secs(31)));
        gateway.retry_refunds().await.unwrap();
        let tried = "select count(*) from jobs where kind = 'refund' and attempts = 1";
        until("the refund was tried", async || count(&base.db, tried).await == 1).await;
        assert_eq!(wallet(&base, &child).await, 15_000);
        grant(&base, &root, 20_000, None).await;
        base.clock.set(NOW.after(Duration::from_secs(62)));
        let mut tries = JoinSet::new();
        for _ in 0..10 {
            let gateway = gateway.clone();
            tries.spawn(async move { gateway.retry_refunds().await.unwrap() });
        }
        tries.join_all().await;
        until("the refund is booked", async || count(&base.db, "select count(*) from jobs").await == 0).await;
        assert_eq!([wallet(&base, &root).await, wallet(&base, &child).await], [5_000, 105_000]);
        // The writer is still well: a refund booked twice would have broken its batch.
        sent(&gateway, &child, to([number(2)], "b")).await;
        assert_eq!(count(&base.db, "select count(*) from transfers where cause_kind = 2").await, 2);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn free_credit_that_comes_back_while_more_is_used_is_not_lost() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, 0).await;
        let end = NOW.after(Duration::from_secs(86_400 * 2));
        grant(&base, &account, 20 * PRICE, Some(end)).await;
        let gateway = simulated(&base).await;
        let send_at = Some(NOW.after(Duration::from_secs(86_400)));
        let mut planned = Vec::new();
        for n in 0..5 {
            planned.push(sent(&gateway, &account, SendRequest { send_at, ..to([number(n)], "a") }).await);
        }
        let (gateway, account, planned) = (&gateway, &account, &planned);
        let send = |n: u64| -> Work<'_> {
            Box::pin(async move {
                sent(gateway, account, to([number(n)], "b")).await;
            })
        };
        let cancel: Work<'_> = Box::pin(async move {
            assert_eq!(gateway.cancel(account, planned, &Actor::command_line()).await.unwrap(), *planned);
        });
        in_one_batch(&base, account, vec![send(50), send(51), cancel, send(52)]).await;
        assert_eq!(holds(&base, account).await, (0, 17 * PRICE));
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

/// A batch may have begun just before free credit ended, and give some back just after.
#[tokio::test(flavor = "multi_thread")]
async fn free_credit_that_has_ended_takes_nothing_back() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, 0).await;
        let days = |n: u64| NOW.after(Duration::from_secs(n * 86_400));
        grant(&base, &account, 3 * PRICE, Some(days(1))).await;
        let gateway = simulated(&base).await;
        let planned = SendRequest { send_at: Some(days(2)), ..to([number(1)], "a") };
        let planned = sent(&gateway, &account, planned).await;
        base.clock.set(days(1));
        assert_eq!(credits::end_free_credit(&base).await.unwrap(), 1);
        assert_eq!(holds(&base, &account).await, (0, 0));
        base.clock.set(NOW);
        let cancelled = gateway.cancel(&account, &[planned], &Actor::command_line()).await.unwrap();
        assert_eq!((cancelled, holds(&base, &account).await), (vec![planned], (0, PRICE)));
        base.clock.set(days(2));
        assert_eq!(credits::end_free_credit(&base).await.unwrap(), 0, "what came back lasts");
        base.clock.set(days(31));
        assert_eq!(credits::end_free_credit(&base).await.unwrap(), 1);
        assert_eq!(holds(&base, &account).await, (0, 0));
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_allows_selling_below_cost_bears_it() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        import(&base, "cheap", "DE,0.06,2020-01-01\n", false).await;
        let root = account(&base, "root", None, 0).await;
        let child = account(&base, "child", Some(&root), 600_000).await;
        prices::assign(&base, child.id, Some("cheap"), false, &Actor::command_line()).await.unwrap_err();
        prices::assign(&base, child.id, Some("cheap"), true, &Actor::command_line()).await.unwrap();
        let child = fresh(&base, &child).await;
        let gateway = simulated(&base).await;
        let unborne = gateway.send(&child, to([number(1)], "a")).await;
        assert!(matches!(unborne, Err(SendRefused::InsufficientCredits { .. })), "{unborne:?}");
        grant(&base, &root, 30_000, None).await;
        for n in 2..4 {
            sent(&gateway, &child, to([number(n)], "a")).await;
        }
        assert!(
            gateway.send(&child, to([number(4)], "a")).await.is_err(),
            "there is nothing left to bear it"
        );
        assert_eq!([wallet(&base, &root).await, wallet(&base, &child).await], [0, 480_000]);
        grant(&base, &root, 15_000, None).await;
        let back = sent(&gateway, &child, to([fated(5, 99_901)], "a")).await;
        becomes(&base.db, back, MessageStatus::Rejected).await;
        assert_eq!([wallet(&base, &root).await, wallet(&base, &child).await], [15_000, 480_000]);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cause_is_booked_once() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, 0).await;
        let group = |amount: i64| Group {
            cause: Cause { kind: CauseKind::Request, id: 9_999_999 },
            postings: vec![Posting {
                from: LedgerAccount::PaymentClearing,
                to: LedgerAccount::Wallet(account.id),
                amount: Credits(amount),
                code: TransferCode::Grant,
            }],
            actor: "test".into(),
            reference: String::new(),
        };
        let post = async |amount: i64| {
            let mut tx = base.db.begin().await.unwrap();
            let booked = storage::ledger::post_one(&mut tx, &group(amount), NOW).await.unwrap();
            tx.commit().await.unwrap();
            booked
        };
        assert!(matches!(post(10).await, Booked::Now(_)));
        assert!(matches!(post(10).await, Booked::Before));
        assert!(matches!(post(11).await, Booked::Differently));
        // Who does not look before cannot do it either: the books refuse all of it.
        let mut tx = base.db.begin().await.unwrap();
        let mut book = domain::ledger::Book::default();
        storage::ledger::lock(&mut tx, &mut book, [account.id]).await.unwrap();
        book.post(&group(10).postings).unwrap();
        let posted = storage::ledger::post(&mut tx, &book, &[group(10)], 5_000_000, NOW).await;
        // PostgreSQL may hear of it with the commit only.
        let refused = if posted.is_ok() { tx.commit().await } else { posted };
        assert!(matches!(refused, Err(storage::Error::Duplicate(_))), "{refused:?}");
        assert_eq!(wallet(&base, &account).await, 10);
        sound(&base).await;
    }
}

fn why(sent: &Sent) -> Vec<&'static str> {
    let word = |refused: &Option<RecipientRefused>| match refused {
        None => "sent",
        Some(RecipientRefused::Reload { .. }) => "reload",
        Some(RecipientRefused::DayMax { .. }) => "day",
        Some(_) => "other",
    };
    sent.messages.iter().map(|m| word(&m.refused)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_goes_to_the_same_recipient_once_in_three_minutes() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, 1_000 * PRICE).await;
        let gateway = simulated(&base).await;
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (gateway, account) = (gateway.clone(), account.clone());
            tasks.spawn(async move { why(&gateway.send(&account, to([number(1)], "a")).await.unwrap()) });
        }
        let words: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(words.iter().filter(|w| **w == "sent").count(), 1, "{words:?}");
        let send = async |request| why(&gateway.send(&account, request).await.unwrap());
        assert_eq!(send(to([number(1), number(2), number(2)], "a")).await, ["reload", "sent", "reload"]);
        assert_eq!(send(to([number(1)], "another")).await, ["sent"]);
        assert_eq!(send(SendRequest { no_reload: true, ..to([number(1)], "a") }).await, ["sent"]);
        base.clock.set(NOW.after(Duration::from_millis(179_999)));
        assert_eq!(send(to([number(1)], "a")).await, ["reload"]);
        base.clock.set(NOW.after(Duration::from_secs(180)));
        assert_eq!(send(to([number(1)], "a")).await, ["sent"]);
        // What was refused or taken back has not gone there.
        let refused = sent(&gateway, &account, to([fated(7, 99_901)], "a")).await;
        becomes(&base.db, refused, MessageStatus::Rejected).await;
        assert_eq!(send(to([fated(7, 99_901)], "a")).await, ["sent"]);
        let send_at = Some(base.clock.now().after(Duration::from_secs(60)));
        let planned = sent(&gateway, &account, SendRequest { send_at, ..to([number(8)], "a") }).await;
        assert_eq!(send(to([number(8)], "a")).await, ["reload"]);
        gateway.cancel(&account, &[planned], &Actor::command_line()).await.unwrap();
        assert_eq!(send(to([number(8)], "a")).await, ["sent"]);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_gets_no_more_a_day_than_the_account_allows() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, 1_000 * PRICE).await;
        let mut settings = account.settings.clone();
        (settings.recipient_day_max, settings.reload_lock) = (3, false);
        let mut tx = base.db.begin().await.unwrap();
        storage::accounts::set_settings(&mut tx, account.id, &settings).await.unwrap();
        tx.commit().await.unwrap();
        let account = fresh(&base, &account).await;
        let gateway = simulated(&base).await;
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (gateway, account) = (gateway.clone(), account.clone());
            tasks.spawn(async move { why(&gateway.send(&account, to([number(1)], "a")).await.unwrap()) });
        }
        let words: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(words.iter().filter(|w| **w == "sent").count(), 3, "{words:?}");
        let send = async |numbers: &[u64]| {
            why(&gateway.send(&account, to(numbers.iter().map(|n| number(*n)), "a")).await.unwrap())
        };
        assert_eq!(send(&[2, 2, 1, 2, 2]).await, ["sent", "sent", "day", "sent", "day"]);
        // The day of the installation ends at midnight.
        let midnight = gateway::clock::start_of_day(20_260_529, &base.rules.time_zone).unwrap();
        base.clock.set(midnight.before(Duration::from_micros(1)));
        assert_eq!(send(&[2]).await, ["day"]);
        base.clock.set(midnight);
        assert_eq!(send(&[2, 2, 2, 2]).await, ["sent", "sent", "sent", "day"]);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

/// A root and a child with so many messages' worth of credit each, a gateway, and a rule for the child.
async fn with_rule(
    base: &Base,
    root: i64,
    child: i64,
    rule: AutoTransfer,
) -> (Gateway, Arc<Account>, Arc<Account>) {
    let root = account(base, "root", None, root * PRICE).await;
    let below = account(base, "child", Some(&root), child * PRICE).await;
    credits::set_auto_transfer(base, below.id, rule, &Actor::command_line()).await.unwrap();
    (simulated(base).await, root, fresh(base, &below).await)
}

async fn came_by_rule(base: &Base) -> i64 {
    count(&base.db, "select count(*) from transfers where code = 32").await
}

async fn told(base: &Base, account: &Account) -> Vec<String> {
    let mut conn = base.db.read().await.unwrap();
    storage::notices::of(&mut conn, account.id, 100).await.unwrap().into_iter().map(|n| n.text).collect()
}

/// To whom mails about an account went, and their subjects.
async fn mailed(base: &Base, account: &Account) -> Vec<(String, String)> {
    let all = gateway::operator::mails(base, None, None, 100).await.unwrap();
    let mut of_it: Vec<_> = all.into_iter().filter(|m| m.account == Some(account.id)).collect();
    of_it.sort_by_key(|mail| mail.id);
    of_it.into_iter().map(|mail| (mail.recipient, mail.subject)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_not_flooded_with_mails_about_those_below_it() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let root = account(&base, "root", None, 100 * PRICE).await;
        let gateway = simulated(&base).await;
        for n in 0..12 {
            let child = account(&base, &format!("child{n}"), Some(&root), 0).await;
            credits::transfer(&base, &moving(&root, &child, 5 * PRICE), &Actor::command_line())
                .await
                .unwrap();
            let rule = rule(5 * PRICE, 1_000 * PRICE);
            credits::set_auto_transfer(&base, child.id, rule, &Actor::command_line()).await.unwrap();
            sent(&gateway, &fresh(&base, &child).await, to([number(n)], "a")).await;
            assert_eq!(mailed(&base, &child).await.len(), 1);
        }
        assert_eq!((mailed(&base, &root).await.len(), told(&base, &root).await.len()), (10, 12));
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_comes_by_itself_once_a_crossing() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let (gateway, root, child) = with_rule(&base, 100, 10, rule(10 * PRICE, PRICE / 2)).await;
        let mut tasks = JoinSet::new();
        for n in 0..9 {
            let (gateway, child) = (gateway.clone(), child.clone());
            tasks.spawn(async move { sent(&gateway, &child, to([number(n)], "a")).await });
        }
        tasks.join_all().await;
        // It fell below once and stayed there.
        assert_eq!(came_by_rule(&base).await, 1);
        assert_eq!(wallet(&base, &child).await, PRICE + PRICE / 2);
        credits::transfer(&base, &moving(&root, &child, 10 * PRICE), &Actor::command_line()).await.unwrap();
        sent(&gateway, &child, to([number(50)], "a")).await;
        assert_eq!(came_by_rule(&base).await, 1, "it is above again");
        sent(&gateway, &child, to([number(51)], "a")).await;
        assert_eq!(came_by_rule(&base).await, 2);
        assert!(told(&base, &child).await.is_empty());
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_comes_before_the_request_that_needs_it_if_it_helps() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let (gateway, root, child) = with_rule(&base, 100, 4, rule(2 * PRICE, 5 * PRICE)).await;
        let dear = gateway.send(&child, to((0..10).map(number), "a")).await;
        assert!(matches!(dear, Err(SendRefused::InsufficientCredits { .. })), "{dear:?}");
        assert_eq!([wallet(&base, &root).await, wallet(&base, &child).await], [100 * PRICE, 4 * PRICE]);
        assert_eq!(accepted(&gateway.send(&child, to((0..6).map(number), "a")).await), 6);
        assert_eq!([wallet(&base, &root).await, wallet(&base, &child).await], [95 * PRICE, 3 * PRICE]);
        assert_eq!(came_by_rule(&base).await, 1);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_comes_by_itself_than_the_ceilings_of_day_and_month_allow() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let rule = AutoTransfer {
            day_max: Some(Credits(5 * PRICE)),
            month_max: Some(Credits(10 * PRICE)),
            ..rule(2 * PRICE, 3 * PRICE)
        };
        let (gateway, root, child) = with_rule(&base, 100, 2, rule).await;
        let day = |day: i64| gateway::clock::start_of_day(day, &base.rules.time_zone).unwrap();
        // How much comes on each day while five messages are asked for, and how many were sent.
        for (date, came, sent) in [
            (day(20_260_528), 1, 5), // 2 - 5 + 3 = 0
            (day(20_260_529), 1, 3),
            (day(20_260_530), 1, 3),
            (day(20_260_531), 0, 0), // 9 of 10 have come this month.
            (day(20_260_601), 1, 3),
        ] {
            base.clock.set(date);
            let before = came_by_rule(&base).await;
            let mut ok = 0;
            for n in 0..5 {
                ok += accepted(&gateway.send(&child, to([number(n)], "a")).await);
            }
            assert_eq!((came_by_rule(&base).await - before, ok), (came, sent), "{date:?}");
        }
        let both = [told(&base, &child).await, told(&base, &root).await];
        assert_eq!(both[0], both[1]);
        assert_eq!(both[0].len(), 5, "once a day: {both:?}");
        assert!(both[0][0].contains("the ceiling of the day or month is reached"), "{both:?}");
        assert_eq!([mailed(&base, &child).await.len(), mailed(&base, &root).await.len()], [5, 5]);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_account_above_lacks_credit_nothing_moves_and_both_are_told() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let (gateway, root, child) = with_rule(&base, 4, 10, rule(8 * PRICE, 5 * PRICE)).await;
        // A credit line above is no credit to hand down.
        credits::set_credit_line(&base, root.id, Credits(100 * PRICE), &Actor::command_line()).await.unwrap();
        for n in 0..6 {
            sent(&gateway, &child, to([number(n)], "a")).await;
        }
        assert_eq!([wallet(&base, &root).await, wallet(&base, &child).await], [4 * PRICE, 4 * PRICE]);
        for account in [&root, &child] {
            let told = told(&base, account).await;
            assert_eq!(told.len(), 1, "once, not with every message: {told:?}");
            assert!(told[0].contains(&format!("account {} holds less than", root.id)), "{told:?}");
        }
        let subject = "No automatic transfer to child";
        for account in [&root, &child] {
            let address = account.email.as_str().to_owned();
            assert_eq!(mailed(&base, account).await, [(address, subject.to_owned())], "and mailed as often");
        }
        // The account above gets credit, so it is tried again.
        grant(&base, &root, PRICE, None).await;
        sent(&gateway, &child, to([number(20)], "a")).await;
        assert_eq!([wallet(&base, &root).await, wallet(&base, &child).await], [0, 8 * PRICE]);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_comes_by_itself_makes_the_next_account_above_ask_too() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let (gateway, root, child) = with_rule(&base, 100, 12, rule(5 * PRICE, 20 * PRICE)).await;
        let leaf = account(&base, "leaf", Some(&child), 2 * PRICE).await;
        credits::set_auto_transfer(&base, leaf.id, rule(2 * PRICE, 10 * PRICE), &Actor::command_line())
            .await
            .unwrap();
        let leaf = fresh(&base, &leaf).await;
        let all = async || {
            [wallet(&base, &root).await, wallet(&base, &child).await, wallet(&base, &leaf).await]
                .map(|w| w / PRICE)
        };
        sent(&gateway, &leaf, to([number(1)], "a")).await;
        assert_eq!(all().await, [80, 22, 11]);
        // What the leaf needs is not there, but comes to the child in the same batch.
        credits::transfer(&base, &moving(&child, &root, 18 * PRICE), &Actor::command_line()).await.unwrap();
        credits::transfer(&base, &moving(&leaf, &root, 9 * PRICE), &Actor::command_line()).await.unwrap();
        sent(&gateway, &leaf, to([number(2)], "a")).await;
        assert_eq!(all().await, [87, 24, 1]);
        sent(&gateway, &leaf, to([number(3)], "a")).await;
        assert_eq!(all().await, [87, 14, 10]);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
    }
}
