//! A carrier inside the program, for trying things out: it takes everything and reports as the
//! invented [`crate::handset`] says. One task, one heap of what is due; no task a message.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::id::MessageId;
use domain::phone_number::PhoneNumber;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::handset::{Behaviour, THROTTLED_TIMES, Told, handset};
use crate::smpp::translate;
use crate::teller::Teller;
use crate::{Ack, Connection, Event, Outcome, Report, Submission};

/// How much may be due at once; beyond that submissions are put off, as a full carrier does.
const DUE_MAX: usize = 2_000_000;
/// How many throttled messages are remembered.
const THROTTLED_MAX: usize = 100_000;
/// How many submissions are taken up in one turn.
const BATCH: usize = 1024;

/// How the simulator behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The carrier's name.
    pub name: String,
    /// How long it takes to answer.
    pub answer_after: Duration,
    /// How long after that it reports.
    pub report_after: Duration,
    /// How long a report may stay unacknowledged before it comes again.
    pub report_again_after: Duration,
    /// How many submissions may be unanswered.
    pub window: usize,
}

impl Settings {
    /// Answers at once, reports after a second.
    pub fn new(name: &str) -> Settings {
        Settings {
            name: name.to_owned(),
            answer_after: Duration::ZERO,
            report_after: Duration::from_secs(1),
            report_again_after: Duration::from_secs(30),
            window: 4096,
        }
    }
}

/// Starts the simulator. Must be called within a tokio runtime.
pub fn connect(settings: Settings, events: UnboundedSender<Event>) -> Arc<dyn Connection> {
    let (submissions, arriving) = mpsc::unbounded_channel();
    let closing = watch::Sender::new(false);
    let teller = Teller { name: Arc::from(settings.name.as_str()), events };
    teller.slots(settings.window.max(1));
    let (ack_sender, acks) = mpsc::unbounded_channel();
    let simulator = Simulator {
        teller: teller.clone(),
        settings,
        due: BinaryHeap::new(),
        order: 0,
        // Ids of different runs must not meet in the books.
        next_id: rand::random::<u64>() >> 8,
        throttled: HashMap::new(),
        unacknowledged: HashMap::new(),
        told: VecDeque::new(),
        next_number: 0,
        ack_sender,
    };
    tokio::spawn(simulator.run(arriving, acks, closing.subscribe()));
    Arc::new(Handle { teller, submissions, closing })
}

struct Handle {
    teller: Teller,
    submissions: UnboundedSender<Submission>,
    closing: watch::Sender<bool>,
}

impl Connection for Handle {
    fn splits(&self) -> bool {
        true
    }

    fn submit(&self, submission: Submission) {
        if let Err(mpsc::error::SendError(submission)) = self.submissions.send(submission) {
            self.teller.not_sent([submission]);
        }
    }

    fn close(&self) {
        self.closing.send_replace(true);
    }
}

struct Simulator {
    teller: Teller,
    settings: Settings,
    due: BinaryHeap<Reverse<Due>>,
    order: u64,
    next_id: u64,
    /// How often a message that is to be throttled was.
    throttled: HashMap<(MessageId, u8), u8>,
    /// The reports given and not yet stored, by the number their acknowledgement carries.
    unacknowledged: HashMap<u32, Tale>,
    /// The same numbers in the order they were given.
    told: VecDeque<(Instant, u32)>,
    next_number: u32,
    ack_sender: UnboundedSender<u32>,
}

/// Something to happen at a time; what is due at the same time happens in the order it was planned.
struct Due {
    at: Instant,
    order: u64,
    what: What,
}

enum What {
    Answer { message: MessageId, part: u8, outcome: Outcome },
    Report(Tale),
}

/// A report to be given.
#[derive(Clone, Copy)]
struct Tale {
    id: u64,
    recipient: PhoneNumber,
    told: Told,
}

impl Simulator {
    async fn run(
        mut self,
        mut arriving: UnboundedReceiver<Submission>,
        mut acks: UnboundedReceiver<u32>,
        mut closing: watch::Receiver<bool>,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut stored = Vec::with_capacity(BATCH);
        loop {
            let next = self.next_at();
            tokio::select! {
                biased;
                _ = closing.changed() => break,
                count = arriving.recv_many(&mut batch, BATCH) => if count == 0 { break },
                _ = acks.recv_many(&mut stored, BATCH) => {}
                () = sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {}
            }
            let now = Instant::now();
            batch.drain(..).for_each(|submission| self.take(&submission, now));
            for number in stored.drain(..) {
                self.unacknowledged.remove(&number);
            }
            self.tell_again(now);
            self.fire(now);
        }
        self.end(arriving).await;
    }

    /// When something is due next.
    fn next_at(&self) -> Option<Instant> {
        let due = self.due.peek().map(|Reverse(due)| due.at);
        let again = self.told.front().map(|(told_at, _)| *told_at + self.settings.report_again_after);
        due.into_iter().chain(again).min()
    }

    fn take(&mut self, submission: &Submission, now: Instant) {
        let (message, part) = (submission.message, submission.part);
        let behaviour = handset(submission.recipient.as_i64().unsigned_abs());
        let answer_at = now + self.settings.answer_after;
        let outcome = match behaviour {
            _ if self.due.len() >= DUE_MAX => later("the simulator is full"),
            Behaviour::Refused => Outcome::Refused { reason: "invalid recipient".to_owned() },
            Behaviour::Throttled if self.is_throttled(message, part) => later("throttled"),
            Behaviour::AnswerLost => Outcome::Lost,
            _ => Outcome::Taken { remote_id: id_text(self.next_id) },
        };
        let taken = matches!(outcome, Outcome::Taken { .. } | Outcome::Lost);
        let answer = What::Answer { message, part, outcome };
        if taken {
            let id = self.next_id;
            self.next_id += 1;
            for told in behaviour.reports() {
                let report_at = answer_at + self.settings.report_after * told.2;
                self.plan(report_at, What::Report(Tale { id, recipient: submission.recipient, told: *told }));
            }
        }
        // Planned after the reports, so that one due at the same moment comes before its answer.
        self.plan(answer_at, answer);
    }

    fn is_throttled(&mut self, message: MessageId, part: u8) -> bool {
        if self.throttled.len() >= THROTTLED_MAX {
            self.throttled.clear();
        }
        let times = self.throttled.entry((message, part)).or_default();
        *times += 1;
        let throttled = *times <= THROTTLED_TIMES;
        if !throttled {
            self.throttled.remove(&(message, part));
        }
        throttled
    }

    fn plan(&mut self, at: Instant, what: What) {
        self.order += 1;
        self.due.push(Reverse(Due { at, order: self.order, what }));
    }

    fn fire(&mut self, now: Instant) {
        while self.due.peek().is_some_and(|Reverse(due)| due.at <= now) {
            match self.due.pop().map(|Reverse(due)| due.what) {
                Some(What::Answer { message, part, outcome }) => self.teller.answer(message, part, outcome),
                Some(What::Report(tale)) => self.tell(tale, now),
                None => {}
            }
        }
    }

    fn tell(&mut self, tale: Tale, now: Instant) {
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        self.unacknowledged.insert(number, tale);
        self.told.push_back((now, number));
        let (state, error, _) = tale.told;
        let report = Report {
            carrier: self.teller.name.clone(),
            remote_id: id_text(tale.id),
            recipient: Some(tale.recipient),
            state: translate::state(state),
            done_at: None,
            error: (error != "000").then(|| error.to_owned()),
            ack: Ack::to(self.ack_sender.clone(), number),
        };
        self.teller.tell(Event::Report(report));
    }

    /// Gives reports again that were not stored in time.
    fn tell_again(&mut self, now: Instant) {
        while let Some((told_at, number)) = self.told.front().copied() {
            let overdue = now >= told_at + self.settings.report_again_after;
            match self.unacknowledged.contains_key(&number) {
                true if !overdue => return,
                _ => drop(self.told.pop_front()),
            }
            if let Some(tale) = self.unacknowledged.remove(&number) {
                self.tell(tale, now);
            }
        }
    }

    /// Answers everything that is still to be answered; reports are given up.
    async fn end(mut self, mut arriving: UnboundedReceiver<Submission>) {
        self.teller.slots(0);
        arriving.close();
        while let Some(submission) = arriving.recv().await {
            self.teller.answer(submission.message, submission.part, Outcome::NotSent);
        }
        for Reverse(due) in std::mem::take(&mut self.due).into_sorted_vec().into_iter().rev() {
            if let What::Answer { message, part, outcome } = due.what {
                self.teller.answer(message, part, outcome);
            }
        }
    }
}

fn later(reason: &str) -> Outcome {
    Outcome::Later { reason: reason.to_owned(), after: Duration::from_millis(100) }
}

fn id_text(id: u64) -> String {
    format!("{id:014x}")
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.order == other.order
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
