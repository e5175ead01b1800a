//! What the tests of a gateway at work share: accounts with credit and prices, a carrier whose every
//! word a test says, and waiting for what is to come without sleeping for it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test takes what it needs, and a test may unwrap")]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use carriers::{Ack, Answer, Connection, Event, Outcome, Report, Submission, simulator};
use domain::account::{Account, AutoTransfer, Email};
use domain::actor::Actor;
use domain::carrier::IdSpelling;
use domain::credits::Credits;
use domain::delivery_report::ReportState;
use domain::id::MessageId;
use domain::message::{MessageClass, MessageStatus};
use domain::moment::Moment;
use domain::phone_number::{Country, PhoneNumber};
use domain::route::Route;
use gateway::accept::{SendRefused, SendRequest, Sent};
use gateway::accounts::NewAccount;
use gateway::credits::{Grant, Transfer};
use gateway::dispatch::Line;
use gateway::{Base, Clock, Gateway, Rules, accounts, credits, prices};
use jiff::tz::TimeZone;
use storage::Db;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

/// 2026-05-28, about half past eight in the evening.
pub const NOW: Moment = Moment(1_780_000_000_000_000);
/// What one segment to Germany costs by the standard list.
pub const PRICE: i64 = 75_000;

/// A text of two segments.
pub const LONG: &str = "A text of more than one segment: 0123456789 0123456789 0123456789 0123456789 0123456789 \
    0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789";

/// A base on a database, with the standard prices: DE 0.075, FR 0.10, the rest of the world 0.20.
pub async fn base(db: &Db, clock: Clock) -> Base {
    let rules = Rules {
        default_country: Country::parse("DE").unwrap(),
        time_zone: TimeZone::UTC,
        currency: "EUR".into(),
        default_sender: "Branchline".into(),
        depth_max: 3,
        public_urls: Vec::new(),
    };
    let base = Base::new(db.clone(), clock, rules).await.unwrap();
    gateway::seal::begin(&base, &gateway::seal::Key::parse(&"A".repeat(43)).unwrap()).await.unwrap();
    import(&base, "standard", "DE,0.075,2020-01-01\nFR,0.10,2020-01-01\n*,0.20,2020-01-01\n", false).await;
    base
}

/// Takes prices in; rows are `country,price,effective_from`.
pub async fn import(base: &Base, list: &str, rows: &str, allow_below_cost: bool) {
    let file = format!("country,price,effective_from\n{rows}");
    prices::import(base, file.as_bytes(), list, allow_below_cost, &Actor::command_line()).await.unwrap();
}

/// The books are in order.
pub async fn sound(base: &Base) {
    let mut snapshot = base.db.snapshot().await.unwrap();
    let report = storage::check::check(&mut snapshot).await.unwrap();
    snapshot.end().await.unwrap();
    assert!(report.ok, "{}: {:#?}", base.db.engine(), report.broken);
}

/// A new account with some credit.
pub async fn account(base: &Base, name: &str, parent: Option<&Account>, credits: i64) -> Arc<Account> {
    let new = NewAccount {
        company: None,
        owner: name.into(),
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        parent: parent.map(|p| p.id),
        credits: Credits(credits),
    };
    Arc::new(accounts::create(base, &new, &Actor::command_line()).await.unwrap())
}

/// The account as it is now.
pub async fn fresh(base: &Base, account: &Account) -> Arc<Account> {
    base.refresh().await.unwrap();
    base.account(account.id).await.unwrap().unwrap()
}

/// What the wallet holds, and what there is of free credit.
pub async fn holds(base: &Base, account: &Account) -> (i64, i64) {
    let (wallet, promo) =
        storage::ledger::balance(&mut base.db.read().await.unwrap(), account.id).await.unwrap();
    (wallet.0, promo.0)
}

/// What the wallet holds.
pub async fn wallet(base: &Base, account: &Account) -> i64 {
    holds(base, account).await.0
}

/// Gives credit, free if it has an end.
pub async fn grant(base: &Base, to: &Account, amount: i64, promo_until: Option<Moment>) {
    credits::grant(base, &granting(to, amount, promo_until), &Actor::command_line()).await.unwrap();
}

/// A grant to be made.
pub fn granting(to: &Account, amount: i64, promo_until: Option<Moment>) -> Grant {
    Grant {
        account: to.id,
        amount: Credits(amount),
        reason: "test".into(),
        idempotency_key: None,
        promo_until,
    }
}

/// A transfer to be made.
pub fn moving(from: &Account, to: &Account, amount: i64) -> Transfer {
    Transfer {
        from: from.id,
        to: to.id,
        amount: Credits(amount),
        reference: String::new(),
        idempotency_key: None,
        asked_by: None,
    }
}

/// A rule of automatic transfers without ceilings.
pub fn rule(threshold: i64, amount: i64) -> AutoTransfer {
    AutoTransfer { threshold: Credits(threshold), amount: Credits(amount), day_max: None, month_max: None }
}

/// The German number of an ordinary handset.
pub fn number(n: u64) -> String {
    // The last five digits tell the simulator what to do; those of the table lie above 99,900.
    format!("+49151{:04}{:04}", n / 5_000 % 10_000, n % 5_000)
}

/// The German number of a handset with a fate: see `carriers::handset`.
pub fn fated(n: u64, fate: u64) -> String {
    format!("+49151{:03}{fate:05}", n % 1_000)
}

pub fn parsed(number: &str) -> PhoneNumber {
    PhoneNumber::parse(number, Country::parse("DE").unwrap()).unwrap()
}

/// A request to some numbers.
pub fn to(numbers: impl IntoIterator<Item = String>, text: &str) -> SendRequest {
    SendRequest {
        recipients: numbers.into_iter().collect(),
        text: text.into(),
        actor: "key 1".into(),
        connection: "http".into(),
        ..SendRequest::default()
    }
}

/// A request to one number, as urgent as it says.
pub fn one(n: u64, class: MessageClass) -> SendRequest {
    SendRequest { class: Some(class), ..to([number(n)], &format!("message {n}")) }
}

/// Sends to one recipient and gives the message's number.
pub async fn sent(gateway: &Gateway, account: &Arc<Account>, request: SendRequest) -> MessageId {
    let sent = gateway.send(account, request).await.unwrap();
    sent.messages[0].id.unwrap_or_else(|| panic!("{:?}", sent.messages[0]))
}

/// How many messages of a request were accepted, if it was not refused as a whole.
pub fn accepted(sent: &Result<Sent, SendRefused>) -> usize {
    sent.as_ref().map_or(0, |s| s.messages.iter().filter(|m| m.id.is_some()).count())
}

/// How many send at once where many do.
pub const CLIENTS: usize = 64;

/// Many send at once from these accounts. Gives how many were accepted, and how many refused for want of
/// credit.
pub async fn drain(gateway: &Gateway, accounts: &[Arc<Account>], asked: usize) -> (usize, usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (gateway, next) = (gateway.clone(), next.clone());
        let account = accounts[client % accounts.len()].clone();
        clients.spawn(async move {
            let mut done = (0, 0);
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= asked {
                    return done;
                }
                match gateway.send(&account, to([number(n as u64)], "hello")).await {
                    Ok(sent) if sent.messages[0].id.is_some() => done.0 += 1,
                    Err(SendRefused::InsufficientCredits { .. }) => done.1 += 1,
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    clients.join_all().await.into_iter().fold((0, 0), |sum, done| (sum.0 + done.0, sum.1 + done.1))
}

/// What the books know of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub status: MessageStatus,
    pub report: Option<ReportState>,
    pub duplicate: bool,
    pub carrier: Option<String>,
    pub error: Option<String>,
}

pub async fn seen(db: &Db, message: MessageId) -> Seen {
    let sql = "select status, report, possible_duplicate, carrier, error from messages where id = $1";
    let row = db.read().await.unwrap().one(sql, &[message.0.into()]).await.unwrap().unwrap();
    Seen {
        status: MessageStatus::from_code(row.int(0).unwrap()).unwrap(),
        report: row.opt_int(1).unwrap().and_then(ReportState::from_code),
        duplicate: row.flag(2).unwrap(),
        carrier: row.opt_text(3).unwrap(),
        error: row.opt_text(4).unwrap(),
    }
}

/// A number the books give.
pub async fn count(db: &Db, sql: &str) -> i64 {
    db.read().await.unwrap().number(sql, &[]).await.unwrap()
}

/// How long anything may take that a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until it holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = Instant::now();
    let mut pause = 1;
    while !holds().await {
        assert!(begun.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(pause)).await;
        pause = (pause * 2).min(50);
    }
}

/// Waits until a message is there.
pub async fn becomes(db: &Db, message: MessageId, status: MessageStatus) {
    until(&format!("message {message} is {}", status.as_str()), async || {
        seen(db, message).await.status == status
    })
    .await;
}

/// Waits until nothing is on its way to a carrier any more.
pub async fn handed_over(db: &Db) {
    until("all is handed over", async || {
        count(db, "select count(*) from outbox where node_id <> -1").await == 0
    })
    .await;
}

/// Something to be done together with others.
pub type Work<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Begins all of it, in order, while the wallet of an account is held, so that whatever needs that
/// wallet waits and is decided in one batch; then lets go and waits for all. The first of it should
/// need the wallet: it stops the writer.
pub async fn in_one_batch(base: &Base, held: &Account, mut all: Vec<Work<'_>>) {
    let mut tx = base.db.begin().await.unwrap();
    storage::ledger::lock(&mut tx, &mut domain::ledger::Book::default(), [held.id]).await.unwrap();
    let mut tx = Some(tx);
    std::future::poll_fn(|context| {
        all.retain_mut(|work| work.as_mut().poll(context).is_pending());
        drop(tx.take());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// A gateway whose one carrier is the simulator.
pub async fn simulated(base: &Base) -> Gateway {
    let settings = simulator::Settings {
        report_after: Duration::from_millis(5),
        ..simulator::Settings::new("simulator")
    };
    let line = Line {
        name: "simulator".into(),
        message_ids: IdSpelling::Auto,
        connect: Box::new(move |events| simulator::connect(settings, events)),
    };
    Gateway::start(base.clone(), vec![line], vec![everywhere("simulator", 1)]).await.unwrap()
}

/// A route for all countries.
pub fn everywhere(carrier: &str, priority: i64) -> Route {
    Route { carrier: carrier.into(), countries: Vec::new(), priority }
}

/// A gateway with one scripted carrier named `alpha`, which is up.
pub async fn scripted(base: &Base, window: usize) -> (Gateway, Script) {
    let (script, line) = Script::new("alpha", IdSpelling::Auto, true);
    let gateway = Gateway::start(base.clone(), vec![line], vec![everywhere("alpha", 1)]).await.unwrap();
    script.room(window);
    (gateway, script)
}

/// A carrier whose every word the test says. It counts what it holds unanswered.
pub struct Script {
    pub mouth: Mouth,
    pub submitted: UnboundedReceiver<Submission>,
}

/// What a scripted carrier says it by. Cheap to clone.
#[derive(Clone)]
pub struct Mouth {
    pub name: Arc<str>,
    events: Arc<OnceLock<UnboundedSender<Event>>>,
    unanswered: Arc<Mutex<BTreeMap<(MessageId, u8), Submission>>>,
    most_held: Arc<AtomicUsize>,
    at_close: Arc<Mutex<Outcome>>,
}

struct Scripted {
    splits: bool,
    submitted: UnboundedSender<Submission>,
    mouth: Mouth,
}

impl Connection for Scripted {
    fn splits(&self) -> bool {
        self.splits
    }

    fn submit(&self, submission: Submission) {
        let mut unanswered = self.mouth.unanswered.lock().unwrap();
        let twice = unanswered.insert((submission.message, submission.part), submission.clone());
        assert!(twice.is_none(), "{} was handed over again before it was answered", submission.message);
        self.mouth.most_held.fetch_max(unanswered.len(), Ordering::Relaxed);
        let _ = self.submitted.send(submission);
    }

    fn close(&self) {
        let outcome = self.mouth.at_close.lock().unwrap().clone();
        let unanswered: Vec<_> = self.mouth.unanswered.lock().unwrap().values().cloned().collect();
        for submission in &unanswered {
            self.mouth.answer(submission, outcome.clone());
        }
    }
}

impl Script {
    /// The script and the line that follows it. `splits` as [`Connection::splits`].
    pub fn new(name: &str, message_ids: IdSpelling, splits: bool) -> (Script, Line) {
        let (sender, submitted) = mpsc::unbounded_channel();
        let mouth = Mouth {
            name: name.into(),
            events: Arc::default(),
            unanswered: Arc::default(),
            most_held: Arc::default(),
            at_close: Arc::new(Mutex::new(Outcome::Lost)),
        };
        let told = mouth.clone();
        let connect = move |events| {
            told.events.set(events).unwrap();
            Arc::new(Scripted { splits, submitted: sender, mouth: told }) as Arc<dyn Connection>
        };
        let line = Line { name: name.into(), message_ids, connect: Box::new(connect) };
        (Script { mouth, submitted }, line)
    }

    /// The next submission.
    pub async fn next(&mut self) -> Submission {
        let next = tokio::time::timeout(DEADLINE, self.submitted.recv()).await;
        next.unwrap_or_else(|_| panic!("nothing was handed to {} within {DEADLINE:?}", self.mouth.name))
            .unwrap()
    }

    /// The next so many submissions.
    pub async fn take(&mut self, count: usize) -> Vec<Submission> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(self.next().await);
        }
        all
    }

    /// Takes all that comes, calling it `<part>-<message>`, and reports on it as delivered; gives the
    /// submissions as they come.
    pub fn agreeable(mut self) -> UnboundedReceiver<Submission> {
        let (seen, all) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(submission) = self.submitted.recv().await {
                let id = format!("{}-{}", submission.part, submission.message);
                self.mouth.answer(&submission, taken(&id));
                self.mouth.report(&id, Some(submission.recipient), ReportState::Delivered);
                let _ = seen.send(submission);
            }
        });
        all
    }
}

impl std::ops::Deref for Script {
    type Target = Mouth;
    fn deref(&self) -> &Mouth {
        &self.mouth
    }
}

impl Mouth {
    /// How much it holds unanswered.
    pub fn holds(&self) -> usize {
        self.unanswered.lock().unwrap().len()
    }

    /// How much it ever held unanswered.
    pub fn most_held(&self) -> usize {
        self.most_held.load(Ordering::Relaxed)
    }

    /// What becomes of what is unanswered when the line is closed; as long as nothing is said, it is
    /// lost.
    pub fn at_close(&self, outcome: Outcome) {
        *self.at_close.lock().unwrap() = outcome;
    }

    fn say(&self, event: Event) {
        let _ = self.events.get().unwrap().send(event);
    }

    pub fn room(&self, slots: usize) {
        self.say(Event::Room { carrier: self.name.clone(), slots });
    }

    pub fn answer(&self, submission: &Submission, outcome: Outcome) {
        let (message, part) = (submission.message, submission.part);
        if self.unanswered.lock().unwrap().remove(&(message, part)).is_none() {
            return; // It was answered before: a line that was closed gave it up.
        }
        self.say(Event::Answer(Answer { carrier: self.name.clone(), message, part, outcome }));
    }

    /// Reports; what comes back hears when the report is acknowledged.
    pub fn report(
        &self,
        id: &str,
        recipient: Option<PhoneNumber>,
        state: ReportState,
    ) -> UnboundedReceiver<u32> {
        self.report_done(id, recipient, state, None)
    }

    /// The same with the time at which the carrier says that it was done.
    pub fn report_done(
        &self,
        id: &str,
        recipient: Option<PhoneNumber>,
        state: ReportState,
        done_at: Option<Moment>,
    ) -> UnboundedReceiver<u32> {
        let (ack, acknowledged) = mpsc::unbounded_channel();
        self.say(Event::Report(Report {
            carrier: self.name.clone(),
            remote_id: id.into(),
            recipient,
            state,
            done_at,
            error: None,
            ack: Ack::to(ack, 1),
        }));
        acknowledged
    }

    /// Reports, and waits until that is acknowledged.
    pub async fn reported(&self, id: &str, recipient: Option<PhoneNumber>, state: ReportState) {
        let mut acknowledged = self.report(id, recipient, state);
        let heard = tokio::time::timeout(DEADLINE, acknowledged.recv()).await;
        assert_eq!(heard.expect("the report is acknowledged"), Some(1));
    }
}

pub fn taken(id: &str) -> Outcome {
    Outcome::Taken { remote_id: id.into() }
}

pub fn refused() -> Outcome {
    Outcome::Refused { reason: "no".into() }
}

pub fn later() -> Outcome {
    Outcome::Later { reason: "full".into(), after: Duration::from_millis(20) }
}

/// Chance that is the same every time.
pub struct Seeded(pub u64);

impl Seeded {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for i in (1..all.len()).rev() {
            all.swap(i, self.below(i + 1));
        }
    }
}
