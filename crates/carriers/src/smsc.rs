//! The simulator as a server: an SMPP 3.4 SMSC on a port, for tests, demos and load. It behaves as
//! the invented [`crate::handset`] says and, when told to, badly. Here is what its sessions share;
//! one session's life is in `session`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::smpp::ShortMessage;
use domain::moment::Moment;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::handset::{Behaviour, THROTTLED_TIMES, Told, handset};
use crate::queue::Queue;

mod session;

/// How long sessions may take to end once the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// The most receipts kept for one system id.
const RECEIPTS_MAX: usize = 1_000_000;

/// How the ids of receipts are spelled; those of answers are hexadecimal, eight digits at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiptIds {
    /// As in the answer.
    #[default]
    AsAnswered,
    /// In decimal, ten digits at least.
    Decimal,
    /// Hexadecimal in capitals, without leading zeros.
    Capitals,
}

/// How the SMSC behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The only system id let in; any when absent.
    pub system_id: Option<String>,
    /// The only password let in; any when absent.
    pub password: Option<String>,
    /// How long after its arrival a submission is answered.
    pub answer_after: Duration,
    /// How long after the answer its receipt is due.
    pub receipt_after: Duration,
    /// How many receipts may wait for their acknowledgement in one session.
    pub receipt_window: usize,
    /// When a receipt that was refused for the moment comes again.
    pub receipt_again_after: Duration,
    /// How receipts spell ids.
    pub receipt_ids: ReceiptIds,
    /// After how much silence a client is asked whether it is there.
    pub enquire_link_after: Duration,
    /// What time it is when the server starts, for the dates in receipts.
    pub started_at: Moment,
    /// Whether to keep what is submitted in [`Stats::recorded`].
    pub record: bool,
    /// Where to write what is submitted, a line each: the recipient, a blank, the octets in hex.
    pub record_file: Option<PathBuf>,
    /// What goes wrong on purpose; may be changed while it runs.
    pub faults: Arc<Faults>,
    /// What happened, to be read while it runs.
    pub stats: Arc<Stats>,
}

impl Default for Settings {
    /// Lets everybody in, answers at once, and sends receipts at once.
    fn default() -> Settings {
        Settings {
            system_id: None,
            password: None,
            answer_after: Duration::ZERO,
            receipt_after: Duration::ZERO,
            receipt_window: 256,
            receipt_again_after: Duration::from_secs(5),
            receipt_ids: ReceiptIds::default(),
            enquire_link_after: Duration::from_secs(30),
            started_at: Moment::default(),
            record: false,
            record_file: None,
            faults: Arc::default(),
            stats: Arc::default(),
        }
    }
}

/// What goes wrong on purpose. All 0 or false is nothing.
#[derive(Debug, Default)]
pub struct Faults {
    /// Every so many submissions the connection breaks, that submission and all answers and
    /// receipts not yet written included.
    pub drop_every: AtomicU64,
    /// More submissions than this in one second of one system id are throttled.
    pub throttle_above: AtomicU32,
    /// Reads everything and says nothing.
    pub mute: AtomicBool,
    /// Answers the submissions of each read in reverse order.
    pub reverse: AtomicBool,
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections made.
    pub connections: AtomicU64,
    /// Binds let in.
    pub binds: AtomicU64,
    /// Binds refused.
    pub binds_refused: AtomicU64,
    /// Submissions taken.
    pub submits: AtomicU64,
    /// Submissions refused for good.
    pub refused: AtomicU64,
    /// Submissions throttled.
    pub throttled: AtomicU64,
    /// The most submissions that were ever unanswered in one session.
    pub unanswered_max: AtomicU64,
    /// Receipts written, again ones included.
    pub receipts_sent: AtomicU64,
    /// Receipts acknowledged.
    pub receipts_acked: AtomicU64,
    /// Receipts the client refused.
    pub receipts_refused: AtomicU64,
    /// `enquire_link` received.
    pub enquire_links: AtomicU64,
    /// PDUs that made no sense.
    pub nonsense: AtomicU64,
    /// Sessions ended by `unbind` of the client.
    pub unbinds: AtomicU64,
    seen: Mutex<HashSet<u64>>,
    recorded: Mutex<Vec<Submitted>>,
    changed: Notify,
}

/// A submission as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The recipient's digits.
    pub recipient: String,
    /// The sender.
    pub sender: String,
    /// Type of number and numbering plan of the sender.
    pub sender_ton_npi: (u8, u8),
    /// The class of the message.
    pub esm_class: u8,
    /// How the octets are to be read.
    pub data_coding: u8,
    /// The text, its header in front.
    pub octets: Vec<u8>,
}

impl Stats {
    /// How many different submissions were taken: by recipient and octets.
    pub fn unique(&self) -> usize {
        self.seen.lock().expect("nothing panics while it holds this").len()
    }

    /// What was taken, in order, where [`Settings::record`] is set.
    pub fn recorded(&self) -> Vec<Submitted> {
        self.recorded.lock().expect("nothing panics while it holds this").clone()
    }

    /// Waits until the condition holds.
    pub async fn until(&self, condition: impl Fn(&Stats) -> bool) {
        loop {
            let changed = self.changed.notified();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }

    fn count(counter: &AtomicU64) -> u64 {
        counter.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Serves on the listener until `stop` is done. Sessions are then unbound.
pub async fn serve(listener: TcpListener, settings: Settings, stop: impl Future<Output = ()>) {
    let (planned, plan) = mpsc::unbounded_channel();
    let hub = Arc::new(Hub::new(settings, planned));
    let stopping = watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    let planner = tokio::spawn(hand_out(plan));
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    Stats::count(&hub.settings.stats.connections);
                    hub.settings.stats.changed.notify_waiters();
                    tasks.spawn(session::serve(hub.clone(), stream, stopping.subscribe()));
                }
                // Out of descriptors, say: it may pass, and until it does there is nothing to do.
                Err(error) => {
                    tracing::warn!(%error, "the simulated SMSC cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout(STOP_WITHIN, all).await.is_err() {
        tracing::debug!("sessions of the simulated SMSC were cut off");
    }
    planner.abort();
}

/// What all sessions share.
struct Hub {
    settings: Settings,
    started: Instant,
    systems: Mutex<HashMap<Vec<u8>, Arc<System>>>,
    next_id: AtomicU64,
    submissions: AtomicU64,
    throttled: Mutex<HashMap<u64, u8>>,
    planned: UnboundedSender<Planned>,
    record_file: Option<Mutex<std::fs::File>>,
}

/// What all sessions of one system id share: the receipts they wait for.
struct System {
    receipts: Queue<Pending>,
    second: Mutex<(Instant, u32)>,
}

/// A receipt to be delivered.
#[derive(Clone, Debug)]
struct Pending {
    id: u64,
    recipient: Vec<u8>,
    sender: Vec<u8>,
    told: Told,
    submitted_at_seconds: i64,
    done_at_seconds: i64,
}

/// A receipt whose time has not come.
struct Planned {
    at: Instant,
    system: Arc<System>,
    receipt: Pending,
}

/// What becomes of a submission.
enum Fate {
    Taken {
        id: u64,
        behaviour: Behaviour,
    },
    Refused,
    Throttled,
    /// The connection breaks over it.
    Cut,
}

impl Hub {
    fn new(settings: Settings, planned: UnboundedSender<Planned>) -> Hub {
        let record_file = settings.record_file.as_ref().and_then(|path| {
            let file = std::fs::File::create(path);
            file.inspect_err(|error| tracing::error!(%error, path = %path.display(), "nothing is recorded"))
                .ok()
        });
        Hub {
            settings,
            started: Instant::now(),
            systems: Mutex::default(),
            // Ids of different runs must not meet in the books of whoever is connected.
            next_id: AtomicU64::new(rand::random_range(0x1000_0000..0xF000_0000_0000)),
            submissions: AtomicU64::new(0),
            throttled: Mutex::default(),
            planned,
            record_file: record_file.map(Mutex::new),
        }
    }

    fn system(&self, system_id: &[u8]) -> Arc<System> {
        let mut systems = self.systems.lock().expect("nothing panics while it holds this");
        let system = || Arc::new(System { receipts: Queue::new(), second: Mutex::new((self.started, 0)) });
        systems.entry(system_id.to_vec()).or_insert_with(system).clone()
    }

    /// Decides about a submission, counts it and plans its receipts.
    fn submit(&self, system: &Arc<System>, message: &ShortMessage<'_>, now: Instant) -> Fate {
        let stats = &self.settings.stats;
        let number = digits_of(message.destination.digits);
        let behaviour = handset(number);
        let key = key_of(message);
        if self.is_too_fast(system, now) || (behaviour == Behaviour::Throttled && self.is_throttled(key)) {
            Stats::count(&stats.throttled);
            return Fate::Throttled;
        }
        if behaviour == Behaviour::Refused {
            Stats::count(&stats.refused);
            return Fate::Refused;
        }
        Stats::count(&stats.submits);
        stats.seen.lock().expect("nothing panics while it holds this").insert(key);
        self.record(message);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        if message.registered_delivery & 1 == 1 {
            self.plan_receipts(system, message, id, behaviour, now);
        }
        let drop_every = self.settings.faults.drop_every.load(Ordering::Relaxed);
        let nth = Stats::count(&self.submissions);
        match drop_every > 0 && nth.is_multiple_of(drop_every) {
            true => Fate::Cut,
            false => Fate::Taken { id, behaviour },
        }
    }

    fn is_too_fast(&self, system: &System, now: Instant) -> bool {
        let above = self.settings.faults.throttle_above.load(Ordering::Relaxed);
        if above == 0 {
            return false;
        }
        let mut second = system.second.lock().expect("nothing panics while it holds this");
        if now >= second.0 + Duration::from_secs(1) {
            *second = (now, 0);
        }
        second.1 = second.1.saturating_add(1);
        second.1 > above
    }

    fn is_throttled(&self, key: u64) -> bool {
        let mut throttled = self.throttled.lock().expect("nothing panics while it holds this");
        let times = throttled.entry(key).or_default();
        *times = times.saturating_add(1);
        *times <= THROTTLED_TIMES
    }

    fn plan_receipts(
        &self,
        system: &Arc<System>,
        message: &ShortMessage<'_>,
        id: u64,
        behaviour: Behaviour,
        now: Instant,
    ) {
        for told in behaviour.reports() {
            // One that comes before its answer must not wait for it.
            let after = match told.2 {
                0 => Duration::ZERO,
                times => self.settings.answer_after + self.settings.receipt_after * times,
            };
            let receipt = Pending {
                id,
                recipient: message.destination.digits.to_vec(),
                sender: message.source.digits.to_vec(),
                told: *told,
                submitted_at_seconds: self.seconds(now),
                done_at_seconds: self.seconds(now + after),
            };
            self.plan(system, receipt, after, now);
        }
    }

    fn plan(&self, system: &Arc<System>, receipt: Pending, after: Duration, now: Instant) {
        match after.is_zero() {
            true => system.keep(receipt),
            // Nobody hands out any more only when the server has stopped.
            false => drop(self.planned.send(Planned { at: now + after, system: system.clone(), receipt })),
        }
    }

    fn seconds(&self, at: Instant) -> i64 {
        self.settings.started_at.after(at.saturating_duration_since(self.started)).seconds()
    }

    fn record(&self, message: &ShortMessage<'_>) {
        if let Some(file) = &self.record_file {
            let hex: String = message.octets().iter().map(|octet| format!("{octet:02x}")).collect();
            let line = format!("{} {hex}\n", String::from_utf8_lossy(message.destination.digits));
            let written = file.lock().expect("nothing panics while it holds this").write_all(line.as_bytes());
            if let Err(error) = written {
                tracing::error!(%error, "a submission was not recorded");
            }
        }
        if self.settings.record {
            let submitted = Submitted {
                recipient: String::from_utf8_lossy(message.destination.digits).into_owned(),
                sender: String::from_utf8_lossy(message.source.digits).into_owned(),
                sender_ton_npi: (message.source.ton, message.source.npi),
                esm_class: message.esm_class,
                data_coding: message.data_coding,
                octets: message.octets().to_vec(),
            };
            self.settings.stats.recorded.lock().expect("nothing panics while it holds this").push(submitted);
        }
    }
}

impl System {
    fn keep(&self, receipt: Pending) {
        if self.receipts.len() >= RECEIPTS_MAX {
            tracing::warn!("too many receipts wait in the simulated SMSC; one is dropped");
            return;
        }
        self.receipts.push(receipt);
    }
}

/// Hands out receipts when their time has come.
async fn hand_out(mut plan: UnboundedReceiver<Planned>) {
    let mut due: BinaryHeap<Reverse<Planned>> = BinaryHeap::new();
    let mut arrived = Vec::new();
    loop {
        let next = due.peek().map(|Reverse(planned)| planned.at);
        tokio::select! {
            count = plan.recv_many(&mut arrived, 1024) => if count == 0 { return },
            () = sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {}
        }
        due.extend(arrived.drain(..).map(Reverse));
        let now = Instant::now();
        while due.peek().is_some_and(|Reverse(planned)| planned.at <= now) {
            if let Some(Reverse(planned)) = due.pop() {
                planned.system.keep(planned.receipt);
            }
        }
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Planned) -> bool {
        self.at == other.at && self.receipt.id == other.receipt.id
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Planned) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Planned) -> std::cmp::Ordering {
        (self.at, self.receipt.id).cmp(&(other.at, other.receipt.id))
    }
}

fn digits_of(digits: &[u8]) -> u64 {
    let digits = digits.iter().filter(|octet| octet.is_ascii_digit()).map(|octet| u64::from(octet - b'0'));
    digits.fold(0, |sum, digit| sum.wrapping_mul(10).wrapping_add(digit))
}

fn key_of(message: &ShortMessage<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.destination.digits.hash(&mut hasher);
    message.octets().hash(&mut hasher);
    hasher.finish()
}
