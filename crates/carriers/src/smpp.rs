//! A carrier reached by SMPP 3.4: several transceiver sessions that share one queue of submissions
//! and one rate. Here is what they share; one session's life is in `session`, what is said in
//! PDUs in `translate`.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::carrier::IdSpelling;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::pace::Pace;
use crate::queue::Queue;
use crate::teller::Teller;
use crate::{Connection, Event, Submission, Width};

mod session;
pub(crate) mod translate;

/// How to reach a carrier by SMPP.
#[derive(Clone)]
pub struct Settings {
    /// The carrier's name here.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// Who we are to the carrier.
    pub system_id: String,
    /// Our password there.
    pub password: String,
    /// What kind of system we are; mostly empty.
    pub system_type: String,
    /// How many sessions to bind: 1 to 64.
    pub sessions: usize,
    /// How many submissions may wait for their answer in one session: 1 to 10 000.
    pub window: usize,
    /// Submissions a second over all sessions; 0 is without a limit.
    pub rate: u32,
    /// After how much silence to ask whether the carrier is there. It has as long again to answer,
    /// but at most 10 s, so a dead one is noticed after twice this or sooner.
    pub enquire_link_after: Duration,
    /// How long a submission may wait for its answer before it counts as lost.
    pub answer_within: Duration,
    /// How the ids of receipts relate to those of answers. Not used here: whoever matches them asks.
    pub message_ids: IdSpelling,
    /// Type of number and numbering plan of all senders, in place of the sender's own.
    pub source_ton_npi: Option<(u8, u8)>,
    /// Type of number and numbering plan of recipients.
    pub destination_ton_npi: (u8, u8),
    /// The service type; mostly empty.
    pub service_type: String,
    /// How long to wait before connecting again the first time; doubled each time it fails.
    pub reconnect_after: Duration,
    /// How long to wait at most, and after a refused bind at least.
    pub reconnect_after_max: Duration,
}

impl Settings {
    /// The usual: one session with a window of 32, no limit, a dead carrier noticed after 20 s.
    pub fn new(name: &str, address: &str, system_id: &str, password: &str) -> Settings {
        Settings {
            name: name.to_owned(),
            address: address.to_owned(),
            system_id: system_id.to_owned(),
            password: password.to_owned(),
            system_type: String::new(),
            sessions: 1,
            window: 32,
            rate: 0,
            enquire_link_after: Duration::from_secs(10),
            answer_within: Duration::from_secs(60),
            message_ids: IdSpelling::default(),
            source_ton_npi: None,
            destination_ton_npi: (1, 1),
            service_type: String::new(),
            reconnect_after: Duration::from_millis(200),
            reconnect_after_max: Duration::from_secs(30),
        }
    }
}

/// Connects to a carrier and keeps it connected until [`Connection::close`], or until the
/// connection is dropped. Must be called within a tokio runtime.
pub fn connect(settings: Settings, events: UnboundedSender<Event>) -> Arc<dyn Connection> {
    let line = Arc::new(Line {
        teller: Teller { name: Arc::from(settings.name.as_str()), events },
        queue: Queue::new(),
        pace: Mutex::new(Pace::new(settings.rate, Instant::now())),
        closing: watch::Sender::new(false),
        settings,
    });
    for _ in 0..line.settings.sessions.clamp(1, 64) {
        tokio::spawn(session::keep(line.clone()));
    }
    Arc::new(Handle(line))
}

/// What the sessions of a carrier share.
struct Line {
    teller: Teller,
    settings: Settings,
    queue: Queue<Submission>,
    pace: Mutex<Pace>,
    closing: watch::Sender<bool>,
}

impl Deref for Line {
    type Target = Teller;
    fn deref(&self) -> &Teller {
        &self.teller
    }
}

impl Line {
    fn window(&self) -> usize {
        self.settings.window.clamp(1, 10_000)
    }

    fn room(&self, sessions: usize) {
        self.slots(sessions * self.window());
    }

    /// A session is bound.
    fn join(&self) {
        self.queue.join(|sessions| self.room(sessions));
    }

    /// A bound session ended. With the last one, what was never written goes back.
    fn leave(&self) {
        let left = self.queue.leave(|sessions| self.room(sessions));
        self.not_sent(left);
    }

    fn with_pace<T>(&self, act: impl FnOnce(&mut Pace) -> T) -> T {
        act(&mut self.pace.lock().expect("nothing panics while it holds the pace"))
    }
}

/// The line as the gateway holds it; when it lets go, the line ends.
struct Handle(Arc<Line>);

impl Connection for Handle {
    fn splits(&self) -> bool {
        true
    }

    fn submit(&self, submission: Submission) {
        let refused = match *self.0.closing.borrow() {
            true => Err(submission),
            false => self.0.queue.offer(submission),
        };
        self.0.not_sent(refused.err());
    }

    fn width(&self) -> Option<Width> {
        Some(Width {
            sessions: self.0.queue.takers(),
            sessions_wanted: self.0.settings.sessions.clamp(1, 64),
            window: self.0.window(),
            rate: self.0.settings.rate,
        })
    }

    fn close(&self) {
        self.0.closing.send_replace(true);
        self.0.not_sent(self.0.queue.drain());
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}
