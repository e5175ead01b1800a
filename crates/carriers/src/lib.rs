//! How a message leaves and word of it returns: one file a kind of line, all behind the one
//! contract [`Connection`]. What is sent, to whom, in which order and what it costs is decided
//! above; a line only carries, and says truthfully what became of what it was given.

use std::sync::Arc;
use std::time::Duration;

use domain::delivery_report::ReportState;
use domain::id::MessageId;
use domain::message::MessageClass;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;
use domain::sender_id::SenderId;
use domain::text::Content;
use tokio::sync::mpsc::UnboundedSender;

pub mod handset;
pub mod http;
mod pace;
mod queue;
pub mod simulator;
pub mod smpp;
pub mod smsc;
mod teller;

/// A live line to a carrier, possibly several sessions wide.
///
/// What every kind of line keeps:
/// 1. It announces its room by [`Event::Room`]: how many submissions it can hold unanswered; 0
///    while it is down. It is never given more than that at once.
/// 2. Every submission gets exactly one [`Event::Answer`], also when the line breaks.
/// 3. An answer is honest: [`Outcome::NotSent`] only if no byte of it can have left,
///    [`Outcome::Lost`] whenever it may have.
/// 4. A report is acknowledged to the carrier only when its [`Ack`] is, and comes again otherwise.
pub trait Connection: Send + Sync {
    /// Whether a long message is given segment by segment (SMPP) or whole (HTTP).
    fn splits(&self) -> bool;

    /// Takes a submission. Never blocks; the caller holds room for it.
    fn submit(&self, submission: Submission);

    /// Whether the line must ask for reports, and so wants to be told of what is outstanding.
    fn asks(&self) -> bool {
        false
    }

    /// Tells which messages of earlier runs still await their report. Lines that must ask for
    /// reports do so; others ignore it.
    fn watch(&self, outstanding: Vec<Outstanding>) {
        drop(outstanding);
    }

    /// How many sessions it has and how wide they are. Nothing for a line that has no such.
    fn width(&self) -> Option<Width> {
        None
    }

    /// Begins an orderly end: nothing new is sent, SMPP sessions unbind.
    fn close(&self);
}

/// How wide a line is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    /// Sessions that are bound.
    pub sessions: usize,
    /// Sessions that should be.
    pub sessions_wanted: usize,
    /// How many submissions each may hold unanswered.
    pub window: usize,
    /// Submissions a second over all sessions; 0 is no limit.
    pub rate: u32,
}

/// A message, or one segment of it, on its way to a carrier.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The message.
    pub message: MessageId,
    /// Which segment, from 0; 0 too when the message goes whole.
    pub part: u8,
    /// The text or octets of the whole message.
    pub content: Arc<Content>,
    /// Shown on the screen at once and not stored.
    pub flash: bool,
    /// Who it says it is from.
    pub sender: SenderId,
    /// To whom.
    pub recipient: PhoneNumber,
    /// How long it may be tried, in minutes from now.
    pub validity_minutes: u32,
    /// How urgent.
    pub class: MessageClass,
}

/// A message handed over in an earlier run and not yet reported on.
#[derive(Clone, Debug)]
pub struct Outstanding {
    /// The carrier's id of it.
    pub remote_id: String,
    /// To whom it went.
    pub recipient: PhoneNumber,
}

/// What a line tells. All events of all lines go into one channel, in the order they happened.
#[derive(Debug)]
pub enum Event {
    /// How many submissions the line can hold unanswered from now on; 0 is down.
    Room {
        /// The carrier's name.
        carrier: Arc<str>,
        /// The whole room, what is under way included.
        slots: usize,
    },
    /// What became of a submission.
    Answer(Answer),
    /// A delivery report.
    Report(Report),
}

/// What became of one submission.
#[derive(Debug)]
pub struct Answer {
    /// The carrier's name.
    pub carrier: Arc<str>,
    /// The message.
    pub message: MessageId,
    /// Which segment of it.
    pub part: u8,
    /// What the carrier said.
    pub outcome: Outcome,
}

/// What a carrier said to a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took it, and calls it by this id.
    Taken {
        /// The carrier's own id, as it spelled it.
        remote_id: String,
    },
    /// It refused it for good.
    Refused {
        /// The carrier's reason, for people.
        reason: String,
    },
    /// Not now: its queue is full, it throttles us, or a passing fault.
    Later {
        /// The carrier's reason, for people.
        reason: String,
        /// How long to wait at least.
        after: Duration,
    },
    /// The line broke before any of it left.
    NotSent,
    /// The line broke, or the answer did not come in time: it may have been sent.
    Lost,
}

/// A delivery report as it came.
#[derive(Debug)]
pub struct Report {
    /// The carrier's name.
    pub carrier: Arc<str>,
    /// The carrier's id of the message, as this report spells it.
    pub remote_id: String,
    /// To whom the message went, where the report says.
    pub recipient: Option<PhoneNumber>,
    /// What it says.
    pub state: ReportState,
    /// When it happened by the carrier's clock, where it says.
    pub done_at: Option<Moment>,
    /// The carrier's error code, as it spelled it.
    pub error: Option<String>,
    /// Whom to tell once it is safely stored.
    pub ack: Ack,
}

/// The right to acknowledge one report, once. Dropped without [`Ack::stored`], the carrier is told
/// nothing and sends it again.
#[derive(Debug)]
pub struct Ack(Option<(UnboundedSender<u32>, u32)>);

impl Ack {
    /// An acknowledgement nobody waits for.
    pub fn none() -> Ack {
        Ack(None)
    }

    /// The acknowledgement of the PDU with this sequence number, told to its session.
    pub fn to(session: UnboundedSender<u32>, sequence_number: u32) -> Ack {
        Ack(Some((session, sequence_number)))
    }

    /// Acknowledges: the report is stored.
    pub fn stored(self) {
        if let Some((session, sequence_number)) = self.0 {
            // The session may have ended meanwhile; then the carrier sends the report again.
            let _ = session.send(sequence_number);
        }
    }
}
