//! One session's life: connect, bind, carry, unbind, and begin again. One task holds the socket,
//! the window and the buffers, so nothing here is shared or locked but the queue and the pace.
//!
//! Each turn of the task takes what has come (submissions, acknowledgements), writes all of it in
//! one go, reads as much as there is, and waits. Reading never waits for writing or the other way
//! round: two ends that both did would stand still for ever once their buffers are full.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::smpp::pdu::{self, INTERFACE_VERSION};
use ::smpp::window::Answered;
use ::smpp::{
    Address, Bind, BindKind, Class, CommandId, Due, End, Frame, FrameError, Frames, Output, Pdu, Session,
    ShortMessage, Status, Timers, Verdict, Window,
};
use domain::id::MessageId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::{Line, translate};
use crate::{Ack, Event, Outcome, Submission};

/// How long a connection, and then the answer to a bind, may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long answers may still come in after the session was told to end.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// How long the answer to an `unbind` may take.
const UNBIND_WITHIN: Duration = Duration::from_secs(1);
/// How long the answer to an `enquire_link` may take at most.
const ENQUIRE_ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How much is read in one go.
const READ_OCTETS: usize = 64 * 1024;
/// Above this many octets not yet taken by the peer nothing is added or read any more.
const OUTPUT_MAX: usize = 256 * 1024;
/// The most reports that may wait to be stored; the carrier keeps the others.
const REPORTS_MAX: usize = 10_000;
/// After this long an unstored report is no longer waited for; the carrier sends it again.
const REPORT_PATIENCE: Duration = Duration::from_secs(120);
/// How many PDUs a minute may be nonsense before the session is given up.
const NONSENSE_MAX: u32 = 20;

/// Keeps one session bound until the line closes, also past a fault of this very code.
pub(super) async fn keep(line: Arc<Line>) {
    while let Err(panic) = tokio::spawn(keep_once(line.clone())).await {
        tracing::error!(carrier = %line.name, %panic, "a session stumbled; it begins again");
        if panic.is_cancelled() {
            return;
        }
        sleep(line.settings.reconnect_after_max).await;
    }
}

async fn keep_once(line: Arc<Line>) {
    let mut closing = line.closing.subscribe();
    let mut wait = line.settings.reconnect_after;
    while !*closing.borrow() {
        let bound_at = Instant::now();
        let broken = tokio::select! {
            bound = bind(&line) => match bound {
                Ok((stream, input)) => Live::new(&line, input).run(stream, closing.clone()).await,
                Err(broken) => broken,
            },
            _ = closing.changed() => return,
        };
        // A session that worked for a while starts over; one that breaks at once does not.
        if bound_at.elapsed() > line.settings.reconnect_after_max.min(Duration::from_secs(5)) {
            wait = line.settings.reconnect_after;
        }
        match &broken {
            Broken::Closed => return,
            Broken::Refused(status) => {
                wait = line.settings.reconnect_after_max;
                tracing::error!(carrier = %line.name, %status, remedy = remedy(*status), "bind refused");
            }
            other => tracing::warn!(carrier = %line.name, reason = %other, "session ended"),
        }
        // Half of it by chance, so that the sessions of many nodes do not all come at once.
        let by_chance = wait.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        tokio::select! {
            () = sleep(by_chance) => {}
            _ = closing.changed() => return,
        }
        wait = (wait * 2).min(line.settings.reconnect_after_max);
    }
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("it was closed here")]
    Closed,
    #[error("the bind was refused: {0}")]
    Refused(Status),
    #[error("the carrier's address cannot be reached: {0}")]
    NotConnected(io::Error),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the carrier closed the connection")]
    Eof,
    #[error("the carrier unbound")]
    Unbound,
    #[error("the carrier did not answer the bind in time")]
    NoBindAnswer,
    #[error("the carrier is silent, it does not even answer enquire_link")]
    Silent,
    #[error("half of the window waits for answers that do not come")]
    Unanswering,
    #[error("the carrier sends what is not SMPP: {0}")]
    Garbage(String),
    #[error("the carrier says that this session is not bound")]
    Rebind,
}

/// What to do about a refused bind.
fn remedy(status: Status) -> &'static str {
    match status {
        Status::INVALID_PASSWORD => "check `password` of this carrier in branchline.toml",
        Status::INVALID_SYSTEM_ID => "check `system_id` of this carrier in branchline.toml",
        Status::BIND_FAILED => {
            "check `system_id`, `password` and `system_type`, and that the carrier allows our address"
        }
        Status::ALREADY_BOUND => {
            "the carrier allows fewer sessions: lower `sessions`, or end the other binds"
        }
        Status(0x53) => "check `system_type` of this carrier",
        _ => "ask the carrier what this status means; it is tried again",
    }
}

/// Connects and binds; gives the socket and what was read beyond the answer.
async fn bind(line: &Line) -> Result<(TcpStream, Vec<u8>), Broken> {
    let connected = timeout(CONNECT_WITHIN, TcpStream::connect(&line.settings.address)).await;
    let mut stream = match connected {
        Ok(stream) => stream.map_err(Broken::NotConnected)?,
        Err(_) => return Err(Broken::NotConnected(io::ErrorKind::TimedOut.into())),
    };
    stream.set_nodelay(true)?;
    let request = Bind {
        kind: BindKind::Transceiver,
        system_id: line.settings.system_id.as_bytes(),
        password: line.settings.password.as_bytes(),
        system_type: line.settings.system_type.as_bytes(),
        interface_version: INTERFACE_VERSION,
        range: Address::default(),
    };
    let mut out = Vec::new();
    request.write(1, &mut out);
    stream.write_all(&out).await?;
    let mut input = Vec::with_capacity(READ_OCTETS);
    let answer = timeout(CONNECT_WITHIN, bind_answer(&mut stream, &mut input)).await;
    match answer.map_err(|_| Broken::NoBindAnswer)?? {
        Status::OK => Ok((stream, input)),
        status => Err(Broken::Refused(status)),
    }
}

/// Reads up to the answer to the bind and cuts it off the input.
async fn bind_answer(stream: &mut TcpStream, input: &mut Vec<u8>) -> Result<Status, Broken> {
    loop {
        let mut frames = Frames::new(input);
        while let Some(frame) = frames.next() {
            let header = frame.map_err(|error| Broken::Garbage(error.to_string()))?.header;
            if matches!(header.id, CommandId::BindTransceiverResp | CommandId::GenericNack) {
                let consumed = frames.consumed();
                input.drain(..consumed);
                let nacked = header.id == CommandId::GenericNack && header.status.is_ok();
                return Ok(if nacked { Status::BIND_FAILED } else { header.status });
            }
        }
        if input.len() > READ_OCTETS {
            return Err(Broken::Garbage("no answer to the bind in all of it".to_owned()));
        }
        if stream.read_buf(input).await? == 0 {
            return Err(Broken::Eof);
        }
    }
}

/// What a request under way was.
struct Ticket {
    message: MessageId,
    part: u8,
    /// Where in the stream of octets it begins.
    position: u64,
}

/// What a report that waits to be stored came in.
#[derive(Clone, Copy)]
enum Carrying {
    DeliverSm,
    DataSm,
}

/// A bound session.
struct Live<'a> {
    line: &'a Line,
    state: Session,
    timers: Timers,
    window: Window<Ticket>,
    reports: Window<Carrying>,
    acks: UnboundedReceiver<u32>,
    ack_sender: UnboundedSender<u32>,
    input: Vec<u8>,
    output: Output,
    batch: Vec<Submission>,
    scratch: Vec<u8>,
    /// Set when the rate leaves nothing: when to look again.
    starved_until: Option<Instant>,
    ending: Option<Ending>,
    nonsense: u32,
    minute_began_at: Instant,
    originated: u32,
}

/// An orderly end under way.
struct Ending {
    why: Broken,
    until: Instant,
}

type Turn = ControlFlow<Broken>;

impl<'a> Live<'a> {
    fn new(line: &'a Line, input: Vec<u8>) -> Live<'a> {
        let now = Instant::now();
        let patience = line.settings.enquire_link_after;
        let mut state = Session::new(End::Esme);
        state.bound(BindKind::Transceiver);
        let (ack_sender, acks) = mpsc::unbounded_channel();
        line.join();
        tracing::info!(carrier = %line.name, "session bound");
        let mut live = Live {
            line,
            state,
            timers: Timers::new(patience, patience.min(ENQUIRE_ANSWER_WITHIN), now),
            window: Window::new(line.window()),
            reports: Window::new(REPORTS_MAX),
            acks,
            ack_sender,
            input,
            output: Output::with_capacity(READ_OCTETS),
            batch: Vec::new(),
            scratch: Vec::new(),
            starved_until: None,
            ending: None,
            nonsense: 0,
            minute_began_at: now,
            originated: 0,
        };
        // The bind took number 1.
        live.window.sequence_number();
        live
    }

    /// Carries until the session ends, and says why it did. Every submission it took is answered.
    async fn run(mut self, mut stream: TcpStream, mut closing: watch::Receiver<bool>) -> Broken {
        let (mut reader, mut writer) = stream.split();
        let mut ticks = interval(self.tick_every());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // PDUs may have come right behind the answer to the bind.
        let mut turn = self.read();
        let why = loop {
            if let ControlFlow::Break(why) = turn {
                break why;
            }
            if let ControlFlow::Break(why) = self.go_on_ending() {
                break why;
            }
            self.take_submissions();
            self.write_acks();
            self.input.reserve(READ_OCTETS);
            let unsent = self.output.unsent().len();
            let hungry = self.hungry();
            let starved_until = self.starved_until.filter(|_| self.ending.is_none());
            turn = tokio::select! {
                biased;
                written = writer.write(self.output.unsent()), if unsent > 0 => self.wrote(written),
                read = reader.read_buf(&mut self.input), if unsent < OUTPUT_MAX => match read {
                    Ok(0) => Turn::Break(Broken::Eof),
                    Ok(_) => self.read(),
                    Err(error) => Turn::Break(error.into()),
                },
                Some(sequence_number) = self.acks.recv() => {
                    self.write_ack(sequence_number);
                    Turn::Continue(())
                }
                () = self.line.queue.more(), if hungry => Turn::Continue(()),
                () = sleep_until(starved_until.unwrap_or_else(Instant::now).into()), if starved_until.is_some() => {
                    Turn::Continue(())
                }
                _ = closing.changed(), if self.ending.is_none() => {
                    self.end(Broken::Closed);
                    Turn::Continue(())
                }
                _ = ticks.tick() => self.tick(Instant::now()),
            };
        };
        if matches!(why, Broken::Garbage(_) | Broken::Unbound) {
            // The last words; whether they arrive does not matter any more.
            let last_words = writer.write_all(self.output.unsent());
            let _ = timeout(Duration::from_millis(200), last_words).await;
            // Whether submissions were among them is not known, so they count as sent.
            self.output.sent(usize::MAX);
        }
        why
    }

    /// How often timeouts are looked at.
    fn tick_every(&self) -> Duration {
        let settings = &self.line.settings;
        let shortest = settings.enquire_link_after.min(settings.answer_within) / 4;
        shortest.clamp(Duration::from_millis(5), Duration::from_secs(1))
    }

    /// Whether it could take a submission.
    fn hungry(&self) -> bool {
        self.ending.is_none()
            && self.starved_until.is_none()
            && self.window.free() > 0
            && self.output.unsent().len() < OUTPUT_MAX
    }

    /// Takes as many submissions as window, rate and its share allow, and appends them.
    fn take_submissions(&mut self) {
        let now = Instant::now();
        self.starved_until = self.starved_until.filter(|until| now < *until);
        if !self.hungry() {
            return;
        }
        let free = self.window.free();
        let allowed = self.line.with_pace(|pace| {
            let allowed = pace.take(free, now);
            self.line.queue.take(allowed, &mut self.batch);
            pace.give_back(allowed - self.batch.len());
            if allowed == 0 {
                self.starved_until = Some(pace.next());
            }
            allowed
        });
        debug_assert!(self.batch.len() <= allowed);
        let mut batch = std::mem::take(&mut self.batch);
        batch.drain(..).for_each(|submission| self.append(&submission, now));
        self.batch = batch;
    }

    fn append(&mut self, submission: &Submission, now: Instant) {
        let position = self.output.position();
        let ticket = Ticket { message: submission.message, part: submission.part, position };
        let sequence_number = self.window.open(ticket, now);
        let put = translate::put_submit(
            submission,
            &self.line.settings,
            sequence_number,
            &mut self.scratch,
            self.output.buffer(),
        );
        if let Err(reason) = put {
            self.window.answered(sequence_number);
            let reason = reason.to_owned();
            self.line.answer(submission.message, submission.part, Outcome::Refused { reason });
        }
    }

    /// Acknowledges all reports that were stored meanwhile.
    fn write_acks(&mut self) {
        while let Ok(sequence_number) = self.acks.try_recv() {
            self.write_ack(sequence_number);
        }
    }

    fn write_ack(&mut self, sequence_number: u32) {
        match self.reports.answered(sequence_number) {
            Answered::To(Carrying::DeliverSm) => pdu::put_deliver_resp(self.output.buffer(), sequence_number),
            Answered::To(Carrying::DataSm) => pdu::put_data_resp(self.output.buffer(), sequence_number, b""),
            // Too late: the carrier has sent it again, under another number.
            Answered::Late | Answered::Unasked => {}
        }
    }

    fn wrote(&mut self, written: io::Result<usize>) -> Turn {
        match written {
            Ok(0) => Turn::Break(io::Error::from(io::ErrorKind::WriteZero).into()),
            Ok(count) => {
                self.output.sent(count);
                Turn::Continue(())
            }
            Err(error) => Turn::Break(error.into()),
        }
    }

    /// Acts on every whole PDU in the input.
    fn read(&mut self) -> Turn {
        let now = Instant::now();
        // Taken out so that what borrows from it may stand beside `self`.
        let mut input = std::mem::take(&mut self.input);
        let mut taken = 0;
        let mut frames = Frames::new(&input);
        let turn = loop {
            let turn = match frames.next() {
                None => break Turn::Continue(()),
                Some(Ok(frame)) => self.act(&frame, now, &mut taken),
                Some(Err(error)) => self.lost_frame(error),
            };
            if turn.is_break() {
                break turn;
            }
        };
        let consumed = frames.consumed();
        if consumed > 0 {
            self.timers.heard(now);
        }
        input.drain(..consumed);
        self.input = input;
        if taken > 0 {
            self.line.with_pace(|pace| pace.taken(taken, now));
        }
        turn
    }

    /// Where the next PDU begins is no longer known, so nothing more can be said to this peer.
    fn lost_frame(&mut self, error: FrameError) -> Turn {
        pdu::put_header(self.output.buffer(), CommandId::GenericNack, Status::INVALID_COMMAND_LENGTH, 0);
        Turn::Break(Broken::Garbage(error.to_string()))
    }

    fn act(&mut self, frame: &Frame<'_>, now: Instant, taken: &mut u32) -> Turn {
        let header = frame.header;
        let sequence_number = header.sequence_number;
        match self.state.judge(header.id) {
            Verdict::Legal => {}
            Verdict::Ignore => return self.nonsense("a response out of place"),
            Verdict::Answer(status) => {
                let response = header.id.matching_response();
                pdu::put_header(self.output.buffer(), response, status, sequence_number);
                return self.nonsense("a request out of place");
            }
            Verdict::Nack(status) => {
                pdu::put_header(self.output.buffer(), CommandId::GenericNack, status, sequence_number);
                return self.nonsense("an unknown PDU");
            }
        }
        match Pdu::read(frame) {
            Ok(Pdu::SubmitResp { message_id }) => {
                return self.answered(header.status, sequence_number, message_id, now, taken);
            }
            Ok(Pdu::GenericNack) => return self.nacked(header.status, sequence_number),
            Ok(Pdu::Deliver(message)) => self.delivered(&message, sequence_number, Carrying::DeliverSm, now),
            Ok(Pdu::Data(message)) => self.delivered(&message, sequence_number, Carrying::DataSm, now),
            Ok(Pdu::EnquireLink) => {
                pdu::put_header(
                    self.output.buffer(),
                    CommandId::EnquireLinkResp,
                    Status::OK,
                    sequence_number,
                );
            }
            Ok(Pdu::Unbind) => {
                pdu::put_header(self.output.buffer(), CommandId::UnbindResp, Status::OK, sequence_number);
                self.state.close();
                return Turn::Break(Broken::Unbound);
            }
            Ok(Pdu::UnbindResp) => {
                self.state.close();
                let why = self.ending.take().map_or(Broken::Unbound, |ending| ending.why);
                return Turn::Break(why);
            }
            // That it came is all it says; outbind and alert_notification are no use to us.
            Ok(_) => {}
            Err(malformed) => {
                tracing::debug!(carrier = %self.line.name, id = ?header.id, %malformed, "malformed PDU");
                let status = Status::INVALID_COMMAND_LENGTH;
                pdu::put_header(self.output.buffer(), CommandId::GenericNack, status, sequence_number);
                return self.nonsense("a malformed PDU");
            }
        }
        Turn::Continue(())
    }

    fn nonsense(&mut self, what: &str) -> Turn {
        self.nonsense += 1;
        match self.nonsense > NONSENSE_MAX {
            true => Turn::Break(Broken::Garbage(format!("{what}, and too much of the kind"))),
            false => Turn::Continue(()),
        }
    }

    /// A submission was answered.
    fn answered(
        &mut self,
        status: Status,
        sequence_number: u32,
        message_id: &[u8],
        now: Instant,
        taken: &mut u32,
    ) -> Turn {
        let ticket = match self.window.answered(sequence_number) {
            Answered::To(ticket) => ticket,
            Answered::Late => {
                tracing::debug!(carrier = %self.line.name, %status, "an answer came after its time");
                return Turn::Continue(());
            }
            Answered::Unasked => return self.nonsense("an answer to nothing"),
        };
        let outcome = translate::outcome(status, message_id);
        match status.class() {
            Class::Taken => *taken += 1,
            Class::Throttled => {
                let so_far = std::mem::take(taken);
                self.line.with_pace(|pace| {
                    pace.taken(so_far, now);
                    pace.throttled(now);
                });
            }
            Class::Rebind => self.end(Broken::Rebind),
            Class::Retry | Class::Refused => {}
        }
        self.line.answer(ticket.message, ticket.part, outcome);
        Turn::Continue(())
    }

    fn nacked(&mut self, status: Status, sequence_number: u32) -> Turn {
        match self.window.answered(sequence_number) {
            Answered::To(ticket) => {
                self.line.answer(ticket.message, ticket.part, translate::nacked(status));
                Turn::Continue(())
            }
            Answered::Late => Turn::Continue(()),
            Answered::Unasked => self.nonsense("a generic_nack to nothing"),
        }
    }

    /// A receipt goes up and is acknowledged once it is stored. Everything else is left with the
    /// carrier for now: messages from handsets are not taken yet.
    fn delivered(
        &mut self,
        message: &ShortMessage<'_>,
        sequence_number: u32,
        carrying: Carrying,
        now: Instant,
    ) {
        let refuse = |live: &mut Self, status| {
            let response = match carrying {
                Carrying::DeliverSm => CommandId::DeliverSmResp,
                Carrying::DataSm => CommandId::DataSmResp,
            };
            pdu::put_header(live.output.buffer(), response, status, sequence_number);
        };
        if !message.is_receipt() {
            self.originated += 1;
            return refuse(self, Status::RECEIVER_TEMPORARY);
        }
        if self.reports.free() == 0 {
            return refuse(self, Status::RECEIVER_TEMPORARY);
        }
        self.reports.open_as(sequence_number, carrying, now);
        let ack = Ack::to(self.ack_sender.clone(), sequence_number);
        match translate::report(&self.line.name, message, ack) {
            Some(report) => self.line.tell(Event::Report(report)),
            None => {
                // Sent again it would name no message either.
                tracing::warn!(carrier = %self.line.name, "a receipt names no message; it is dropped");
                self.write_ack(sequence_number);
            }
        }
    }

    fn tick(&mut self, now: Instant) -> Turn {
        match self.timers.due(now) {
            Due::Nothing => {}
            Due::PeerSilent => return Turn::Break(Broken::Silent),
            Due::EnquireLink => {
                let sequence_number = self.window.sequence_number();
                pdu::put_header(self.output.buffer(), CommandId::EnquireLink, Status::OK, sequence_number);
            }
        }
        let overdue = self.window.overdue(self.line.settings.answer_within, now);
        if !overdue.is_empty() {
            tracing::warn!(carrier = %self.line.name, count = overdue.len(), "no answers in time");
        }
        for ticket in overdue {
            // Even where none of it has left yet: it is in the output, and may leave any moment.
            self.line.answer(ticket.message, ticket.part, Outcome::Lost);
        }
        if self.window.given_up() * 2 >= self.line.window() && self.window.given_up() > 0 {
            return Turn::Break(Broken::Unanswering);
        }
        self.reports.forget(REPORT_PATIENCE, now);
        if now >= self.minute_began_at + Duration::from_secs(60) {
            self.minute_began_at = now;
            self.nonsense = 0;
            self.warn_of_originated();
        }
        Turn::Continue(())
    }

    fn warn_of_originated(&mut self) {
        match std::mem::take(&mut self.originated) {
            0 => {}
            count => {
                tracing::warn!(carrier = %self.line.name, count, "messages from handsets were left with the carrier");
            }
        }
    }

    /// Begins an orderly end: nothing new is sent, answers are waited for, then it unbinds.
    fn end(&mut self, why: Broken) {
        if self.ending.is_none() {
            self.ending = Some(Ending { why, until: Instant::now() + DRAIN_WITHIN });
        }
    }

    fn go_on_ending(&mut self) -> Turn {
        let Some(ending) = &mut self.ending else { return Turn::Continue(()) };
        let now = Instant::now();
        let unbinding = self.state.state() == ::smpp::State::Unbinding;
        if unbinding && now >= ending.until {
            let why = self.ending.take().map_or(Broken::Closed, |ending| ending.why);
            return Turn::Break(why);
        }
        let drained = self.window.waiting() == 0 && self.output.unsent().is_empty();
        if !unbinding && (drained || now >= ending.until) {
            ending.until = now + UNBIND_WITHIN;
            let sequence_number = self.window.sequence_number();
            pdu::put_header(self.output.buffer(), CommandId::Unbind, Status::OK, sequence_number);
            self.state.unbinding();
        }
        Turn::Continue(())
    }
}

/// The end, whatever it came by, a panic included: what still waits is answered as honestly as can
/// be. A submission was lost if any octet of it has left.
impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.line.leave();
        for ticket in self.window.drain() {
            let left = self.output.has_left(ticket.position);
            let outcome = if left { Outcome::Lost } else { Outcome::NotSent };
            self.line.answer(ticket.message, ticket.part, outcome);
        }
        self.warn_of_originated();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use domain::message::MessageClass;
    use domain::phone_number::PhoneNumber;
    use domain::sender_id::SenderId;
    use domain::text::Content;
    use proptest::prelude::*;

    use super::*;
    use crate::Answer;
    use crate::pace::Pace;
    use crate::queue::Queue;
    use crate::smpp::Settings;
    use crate::teller::Teller;

    fn line() -> (Line, UnboundedReceiver<Event>) {
        let (events, received) = mpsc::unbounded_channel();
        let line = Line {
            teller: Teller { name: Arc::from("alpha"), events },
            queue: Queue::new(),
            pace: Mutex::new(Pace::new(0, Instant::now())),
            closing: watch::Sender::new(false),
            settings: Settings { window: 3, ..Settings::new("alpha", "", "", "") },
        };
        (line, received)
    }

    fn message(number: i64) -> Submission {
        Submission {
            message: MessageId(number),
            part: 0,
            content: Arc::new(Content::text("Hello", false).unwrap()),
            flash: false,
            sender: SenderId::parse("Branch").unwrap(),
            recipient: PhoneNumber::from_digits(4_915_123_456_789).unwrap(),
            validity_minutes: 0,
            class: MessageClass::Normal,
        }
    }

    /// What each message was told at the end of a session that had written this many octets of the
    /// three it could take, of four that waited.
    fn fates(written: impl Fn(usize) -> usize) -> Vec<(i64, Outcome)> {
        let (line, mut received) = line();
        let mut live = Live::new(&line, Vec::new());
        (1..=4).for_each(|n| line.queue.offer(message(n)).unwrap());
        live.take_submissions();
        let each = live.output.unsent().len() / 3;
        live.output.sent(written(each));
        drop(live);
        let mut fates = Vec::new();
        while let Ok(event) = received.try_recv() {
            if let Event::Answer(Answer { message, outcome, .. }) = event {
                fates.push((message.0, outcome));
            }
        }
        fates.sort_by_key(|(message, _)| *message);
        fates
    }

    #[test]
    fn a_message_is_lost_as_soon_as_one_octet_of_it_has_left() {
        use Outcome::{Lost, NotSent};
        let all = |told: [Outcome; 4]| (1..=4).zip(told).collect::<Vec<_>>();
        assert_eq!(fates(|_| 0), all([NotSent, NotSent, NotSent, NotSent]));
        assert_eq!(fates(|_| 1), all([Lost, NotSent, NotSent, NotSent]));
        assert_eq!(fates(|each| each), all([Lost, NotSent, NotSent, NotSent]));
        assert_eq!(fates(|each| each + 1), all([Lost, Lost, NotSent, NotSent]));
        assert_eq!(fates(|each| each * 3), all([Lost, Lost, Lost, NotSent]));
    }

    /// PDUs of every kind, in any order, with bodies that fit and bodies that do not.
    fn any_pdus() -> impl Strategy<Value = Vec<u8>> {
        let id = prop_oneof![
            4 => prop::sample::select(vec![0x8000_0004_u32, 5, 0x103, 0x15, 0x8000_0015, 0x8000_0000]),
            1 => prop::sample::select(vec![1, 2, 3, 4, 6, 7, 8, 9, 0x0B, 0x21, 0x102, 0x8000_0006, 0x8000_0009]),
            1 => any::<u32>(),
        ];
        let status = prop::sample::select(vec![0, 0x04, 0x08, 0x0B, 0x14, 0x45, 0x58, 0x400]);
        let body = prop_oneof![
            Just(b"1a2b\0".to_vec()),
            Just([&[0; 7][..], &[4], &[0; 9], b"\x11id:1 stat:DELIVRD"].concat()),
            prop::collection::vec(any::<u8>(), 0..80),
        ];
        let pdu = (id, status, 0_u32..12, body).prop_map(|(id, status, sequence_number, body)| {
            let length = u32::try_from(16 + body.len()).unwrap();
            let header = [length, id, status, sequence_number].map(u32::to_be_bytes).concat();
            [header, body].concat()
        });
        prop::collection::vec(pdu, 0..40).prop_map(|pdus| pdus.concat())
    }

    proptest! {
        #[test]
        fn whatever_the_carrier_says_each_message_is_answered_once(
            said in any_pdus(), tail in prop::collection::vec(any::<u8>(), 0..40), cuts in 1_usize..200,
        ) {
            let (line, mut received) = line();
            let mut live = Live::new(&line, Vec::new());
            let mut next = 0;
            for piece in [said, tail].concat().chunks(cuts) {
                next += 1;
                line.queue.offer(message(next)).unwrap();
                live.take_submissions();
                live.input.extend_from_slice(piece);
                if live.read().is_break() || live.tick(Instant::now()).is_break() {
                    break;
                }
                prop_assert!(live.window.waiting() <= 3);
                live.write_acks();
                let unsent = live.output.unsent().len();
                live.output.sent(unsent / 2);
            }
            drop(live);
            let mut answered = Vec::new();
            while let Ok(event) = received.try_recv() {
                if let Event::Answer(answer) = event {
                    answered.push(answer.message.0);
                }
            }
            answered.sort_unstable();
            prop_assert_eq!(answered, (1..=next).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_message_that_cannot_be_said_is_refused_and_holds_no_place() {
        let (line, mut received) = line();
        let mut live = Live::new(&line, Vec::new());
        line.queue.offer(Submission { part: 7, ..message(1) }).unwrap();
        live.take_submissions();
        assert_eq!((live.window.free(), live.output.unsent().len()), (3, 0));
        assert!(matches!(received.try_recv(), Ok(Event::Room { slots: 3, .. })));
        let refused =
            matches!(received.try_recv(), Ok(Event::Answer(Answer { outcome: Outcome::Refused { .. }, .. })));
        assert!(refused);
    }
}
