//! What the tests of this crate share: a carrier on a port, a line to it, and a careful eye on
//! what the line promises. Nothing sleeps; everything waits for what is to happen.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use carriers::smpp::Settings;
use carriers::{Connection, Event, Outcome, Report, Submission, smpp, smsc};
use domain::id::MessageId;
use domain::message::MessageClass;
use domain::phone_number::PhoneNumber;
use domain::sender_id::SenderId;
use domain::text::Content;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that must happen.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

/// A simulated SMSC that serves until this is dropped or stopped.
pub struct Smsc {
    pub address: SocketAddr,
    pub settings: smsc::Settings,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Smsc {
    pub async fn start(settings: smsc::Settings) -> Smsc {
        Smsc::start_at("127.0.0.1:0".parse().unwrap(), settings).await
    }

    pub async fn start_at(address: SocketAddr, settings: smsc::Settings) -> Smsc {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = smsc::serve(listener, settings.clone(), async move {
            let _ = stopped.await;
        });
        Smsc { address, settings, stop: Some(stop), serving: Some(tokio::spawn(served)) }
    }

    pub async fn stop(mut self) {
        drop(self.stop.take());
        soon(self.serving.take().unwrap()).await.unwrap();
    }

    pub async fn until(&self, condition: impl Fn(&smsc::Stats) -> bool) {
        soon(self.settings.stats.until(condition)).await;
    }
}

/// A line's settings with short patience.
pub fn quick(address: SocketAddr) -> Settings {
    Settings {
        reconnect_after: Duration::from_millis(10),
        reconnect_after_max: Duration::from_millis(100),
        ..Settings::new("alpha", &address.to_string(), "branch", "secret")
    }
}

/// A line, and what it has told. It sees to it that nothing is answered twice or unasked.
pub struct Watched {
    pub line: Arc<dyn Connection>,
    pub events: UnboundedReceiver<Event>,
    pub room: usize,
    pub waiting: HashSet<(MessageId, u8)>,
    pub answers: HashMap<(MessageId, u8), Outcome>,
    pub reports: Vec<Report>,
}

impl Watched {
    pub fn smpp(settings: Settings) -> Watched {
        let (events, received) = unbounded_channel();
        Watched::of(smpp::connect(settings, events), received)
    }

    pub fn of(line: Arc<dyn Connection>, events: UnboundedReceiver<Event>) -> Watched {
        Watched {
            line,
            events,
            room: 0,
            waiting: HashSet::new(),
            answers: HashMap::new(),
            reports: Vec::new(),
        }
    }

    pub fn submit(&mut self, submission: Submission) {
        let key = (submission.message, submission.part);
        assert!(self.waiting.insert(key), "the test submits {key:?} twice at once");
        self.answers.remove(&key);
        self.line.submit(submission);
    }

    /// Takes in one event.
    pub async fn next(&mut self) {
        let event = soon(self.events.recv()).await.expect("the line lives");
        self.take(event);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Room { slots, .. } => self.room = slots,
            Event::Answer(answer) => {
                let key = (answer.message, answer.part);
                assert!(self.waiting.remove(&key), "{key:?} was answered unasked: {:?}", answer.outcome);
                self.answers.insert(key, answer.outcome);
            }
            Event::Report(report) => self.reports.push(report),
        }
    }

    /// Takes in events until the condition holds.
    pub async fn until(&mut self, condition: impl Fn(&Watched) -> bool) {
        while !condition(self) {
            self.next().await;
        }
    }

    /// Takes in what has come already.
    pub fn catch_up(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
    }

    /// Submits all, never more at once than there is room, until all are answered.
    pub async fn submit_all(&mut self, submissions: Vec<Submission>) {
        for submission in submissions {
            self.until(|w| w.waiting.len() < w.room).await;
            self.submit(submission);
        }
        self.until(|w| w.waiting.is_empty()).await;
    }

    pub fn count(&self, of: impl Fn(&Outcome) -> bool) -> usize {
        self.answers.values().filter(|outcome| of(outcome)).count()
    }

    pub fn taken(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Taken { .. }))
    }

    /// The carrier's id of a message that was taken.
    pub fn remote_id(&self, message: i64) -> &str {
        match &self.answers[&(MessageId(message), 0)] {
            Outcome::Taken { remote_id } => remote_id,
            other => panic!("{message} was not taken: {other:?}"),
        }
    }
}

/// A message of its own to a number of its own.
pub fn message(number: i64) -> Submission {
    to(number, 4_915_100_000_000 + number.unsigned_abs())
}

/// A message to this number.
pub fn to(number: i64, recipient: u64) -> Submission {
    Submission {
        message: MessageId(number),
        part: 0,
        content: Arc::new(Content::text(&format!("Hello {number}"), false).unwrap()),
        flash: false,
        sender: SenderId::parse("Branch").unwrap(),
        recipient: PhoneNumber::from_digits(recipient).unwrap(),
        validity_minutes: 2880,
        class: MessageClass::Normal,
    }
}
