//! One client of the simulated SMSC, from its connection to its end. One task holds the socket and
//! the buffers, as on the other side in `smpp::session`, and for the same reasons.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::smpp::pdu::{self, ESM_INTERMEDIATE, ESM_RECEIPT, tag};
use ::smpp::receipt::{MessageState, Receipt};
use ::smpp::window::Answered;
use ::smpp::{
    Address, Bind, Class, CommandId, Due, End, Frame, Frames, Output, Pdu, Session, ShortMessage, State,
    Status, Timers, Verdict, Window,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use super::{Fate, Hub, Pending, ReceiptIds, Stats, System};
use crate::handset::Behaviour;

/// How long a client may take to bind.
const BIND_WITHIN: Duration = Duration::from_secs(10);
/// How much is read in one go.
const READ_OCTETS: usize = 64 * 1024;
/// Above this many octets not yet taken by the client nothing is added or read any more.
const OUTPUT_MAX: usize = 256 * 1024;
/// How much later than its receipt the answer comes, where the receipt is to be first.
const ANSWER_BEHIND_RECEIPT: Duration = Duration::from_millis(50);
/// How many PDUs may be nonsense before the session is given up.
const NONSENSE_MAX: u64 = 50;
/// Who we say we are.
const OWN_SYSTEM_ID: &[u8] = b"branchline-smsc";

/// Serves one client.
pub(super) async fn serve(hub: Arc<Hub>, stream: TcpStream, stopping: watch::Receiver<bool>) {
    let why = match stream.set_nodelay(true) {
        Ok(()) => Client::new(&hub).run(stream, stopping).await,
        Err(error) => Ended::Io(error),
    };
    tracing::debug!(%why, "a client of the simulated SMSC is gone");
    hub.settings.stats.changed.notify_waiters();
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("it unbound")]
    Unbound,
    #[error("the server stopped")]
    Stopped,
    #[error("it closed the connection")]
    Eof,
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("it was cut off on purpose")]
    Cut,
    #[error("its bind was refused, or did not come")]
    NotBound,
    #[error("it is silent")]
    Silent,
    #[error("it sends what is not SMPP")]
    Garbage,
}

type Turn = ControlFlow<Ended>;

/// An answer whose time has not come: when, in which order, and its octets.
type Late = Reverse<(Instant, u64, Vec<u8>)>;

struct Client<'a> {
    hub: &'a Hub,
    state: Session,
    system: Option<Arc<System>>,
    receives: bool,
    receipts: Window<Pending>,
    timers: Timers,
    connected_at: Instant,
    input: Vec<u8>,
    output: Output,
    late: BinaryHeap<Late>,
    order: u64,
    unanswered: u64,
    nonsense: u64,
    batch: Vec<Pending>,
    stopping_since: Option<Instant>,
}

impl<'a> Client<'a> {
    fn new(hub: &'a Hub) -> Client<'a> {
        let now = Instant::now();
        let patience = hub.settings.enquire_link_after;
        Client {
            hub,
            state: Session::new(End::Smsc),
            system: None,
            receives: false,
            receipts: Window::new(hub.settings.receipt_window.max(1)),
            timers: Timers::new(patience, patience, now),
            connected_at: now,
            input: Vec::with_capacity(READ_OCTETS),
            output: Output::with_capacity(READ_OCTETS),
            late: BinaryHeap::new(),
            order: 0,
            unanswered: 0,
            nonsense: 0,
            batch: Vec::new(),
            stopping_since: None,
        }
    }

    async fn run(mut self, mut stream: TcpStream, mut stopping: watch::Receiver<bool>) -> Ended {
        let (mut reader, mut writer) = stream.split();
        let mut ticks = interval(Duration::from_millis(200).min(self.hub.settings.enquire_link_after / 4));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = Turn::Continue(());
        let why = loop {
            if let ControlFlow::Break(why) = turn {
                break why;
            }
            self.answer_late(Instant::now());
            self.deliver();
            if self.hub.settings.faults.mute.load(Ordering::Relaxed) {
                let unsent = self.output.unsent().len();
                self.output.sent(unsent);
            }
            self.input.reserve(READ_OCTETS);
            let unsent = self.output.unsent().len();
            let next_late = self.late.peek().map(|Reverse((at, _, _))| *at);
            let system = self.system.clone().filter(|_| self.receives && self.receipts.free() > 0);
            let more = async {
                match &system {
                    Some(system) => system.receipts.more().await,
                    None => std::future::pending().await,
                }
            };
            turn = tokio::select! {
                biased;
                written = writer.write(self.output.unsent()), if unsent > 0 => match written {
                    Ok(0) => Turn::Break(io::Error::from(io::ErrorKind::WriteZero).into()),
                    Ok(count) => {
                        self.output.sent(count);
                        Turn::Continue(())
                    }
                    Err(error) => Turn::Break(error.into()),
                },
                read = reader.read_buf(&mut self.input), if unsent < OUTPUT_MAX => match read {
                    Ok(0) => Turn::Break(Ended::Eof),
                    Ok(_) => self.read(),
                    Err(error) => Turn::Break(error.into()),
                },
                () = more, if unsent < OUTPUT_MAX => Turn::Continue(()),
                () = sleep_until(next_late.unwrap_or_else(Instant::now).into()), if next_late.is_some() => {
                    Turn::Continue(())
                }
                _ = stopping.changed(), if self.stopping_since.is_none() => self.stop(),
                _ = ticks.tick() => self.tick(Instant::now()),
            };
        };
        if !matches!(why, Ended::Cut | Ended::Io(_)) {
            let last_words = writer.write_all(self.output.unsent());
            let _ = timeout(Duration::from_millis(200), last_words).await;
        }
        why
    }

    /// Writes the answers whose time has come.
    fn answer_late(&mut self, now: Instant) {
        while self.late.peek().is_some_and(|Reverse((at, _, _))| *at <= now) {
            if let Some(Reverse((_, _, octets))) = self.late.pop() {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.output.buffer().extend_from_slice(&octets);
            }
        }
    }

    /// Writes as many receipts as the window allows.
    fn deliver(&mut self) {
        let Some(system) = self.system.clone().filter(|_| self.receives) else { return };
        if self.output.unsent().len() >= OUTPUT_MAX || !matches!(self.state.state(), State::Bound(_)) {
            return;
        }
        let now = Instant::now();
        let mut batch = std::mem::take(&mut self.batch);
        system.receipts.take(self.receipts.free(), &mut batch);
        for receipt in batch.drain(..) {
            let sequence_number = self.receipts.open(receipt.clone(), now);
            put_receipt(&receipt, self.hub.settings.receipt_ids, sequence_number, self.output.buffer());
            Stats::count(&self.hub.settings.stats.receipts_sent);
        }
        self.batch = batch;
    }

    fn read(&mut self) -> Turn {
        let now = Instant::now();
        let mut input = std::mem::take(&mut self.input);
        let mut answers = Vec::new();
        let mut frames = Frames::new(&input);
        let turn = loop {
            let turn = match frames.next() {
                None => break Turn::Continue(()),
                Some(Ok(frame)) => self.act(&frame, now, &mut answers),
                Some(Err(_)) => {
                    let status = Status::INVALID_COMMAND_LENGTH;
                    pdu::put_header(self.output.buffer(), CommandId::GenericNack, status, 0);
                    Stats::count(&self.hub.settings.stats.nonsense);
                    Turn::Break(Ended::Garbage)
                }
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
        if self.hub.settings.faults.reverse.load(Ordering::Relaxed) {
            answers.reverse();
        }
        for (sequence_number, fate) in answers {
            self.answer(sequence_number, &fate, now);
        }
        self.hub.settings.stats.changed.notify_waiters();
        turn
    }

    fn act(&mut self, frame: &Frame<'_>, now: Instant, answers: &mut Vec<(u32, Fate)>) -> Turn {
        let (id, sequence_number) = (frame.header.id, frame.header.sequence_number);
        match self.state.judge(id) {
            Verdict::Legal => {}
            Verdict::Ignore => return self.nonsense(),
            Verdict::Answer(status) => {
                pdu::put_header(self.output.buffer(), id.matching_response(), status, sequence_number);
                return self.nonsense();
            }
            Verdict::Nack(status) => {
                pdu::put_header(self.output.buffer(), CommandId::GenericNack, status, sequence_number);
                return self.nonsense();
            }
        }
        match Pdu::read(frame) {
            Ok(Pdu::Bind(bind)) => return self.bind(&bind, sequence_number),
            Ok(Pdu::Submit(message)) => return self.submitted(&message, sequence_number, now, answers),
            Ok(Pdu::DeliverResp) => self.acknowledged(frame.header.status, sequence_number, now),
            Ok(Pdu::EnquireLink) => {
                Stats::count(&self.hub.settings.stats.enquire_links);
                pdu::put_header(
                    self.output.buffer(),
                    CommandId::EnquireLinkResp,
                    Status::OK,
                    sequence_number,
                );
            }
            Ok(Pdu::Unbind) => {
                Stats::count(&self.hub.settings.stats.unbinds);
                pdu::put_header(self.output.buffer(), CommandId::UnbindResp, Status::OK, sequence_number);
                self.state.close();
                return Turn::Break(Ended::Unbound);
            }
            Ok(Pdu::UnbindResp) => return Turn::Break(Ended::Stopped),
            Ok(Pdu::Other(_) | Pdu::Data(_)) if u32::from(id) & 0x8000_0000 == 0 => {
                let status = Status::INVALID_COMMAND_ID;
                pdu::put_header(self.output.buffer(), id.matching_response(), status, sequence_number);
            }
            Ok(_) => {}
            Err(_) => {
                let status = Status::INVALID_COMMAND_LENGTH;
                pdu::put_header(self.output.buffer(), CommandId::GenericNack, status, sequence_number);
                return self.nonsense();
            }
        }
        Turn::Continue(())
    }

    fn nonsense(&mut self) -> Turn {
        self.nonsense += 1;
        Stats::count(&self.hub.settings.stats.nonsense);
        match self.nonsense > NONSENSE_MAX {
            true => Turn::Break(Ended::Garbage),
            false => Turn::Continue(()),
        }
    }

    fn bind(&mut self, bind: &Bind<'_>, sequence_number: u32) -> Turn {
        let settings = &self.hub.settings;
        let known = |wanted: &Option<String>, given: &[u8]| {
            wanted.as_ref().is_none_or(|wanted| wanted.as_bytes() == given)
        };
        let status =
            match (known(&settings.system_id, bind.system_id), known(&settings.password, bind.password)) {
                (true, true) => Status::OK,
                (false, _) => Status::INVALID_SYSTEM_ID,
                (_, false) => Status::INVALID_PASSWORD,
            };
        pdu::put_bind_resp(self.output.buffer(), bind.kind, status, sequence_number, OWN_SYSTEM_ID);
        if !status.is_ok() {
            Stats::count(&settings.stats.binds_refused);
            return Turn::Break(Ended::NotBound);
        }
        Stats::count(&settings.stats.binds);
        self.state.bound(bind.kind);
        let system = self.hub.system(bind.system_id);
        self.receives = bind.kind.receives();
        if self.receives {
            system.receipts.join(|_| ());
        }
        self.system = Some(system);
        Turn::Continue(())
    }

    fn submitted(
        &mut self,
        message: &ShortMessage<'_>,
        sequence_number: u32,
        now: Instant,
        answers: &mut Vec<(u32, Fate)>,
    ) -> Turn {
        let Some(system) = &self.system else { return Turn::Continue(()) };
        self.unanswered += 1;
        self.hub.settings.stats.unanswered_max.fetch_max(self.unanswered, Ordering::Relaxed);
        match self.hub.submit(system, message, now) {
            Fate::Cut => Turn::Break(Ended::Cut),
            fate => {
                answers.push((sequence_number, fate));
                Turn::Continue(())
            }
        }
    }

    fn answer(&mut self, sequence_number: u32, fate: &Fate, now: Instant) {
        let mut octets = Vec::new();
        let mut after = self.hub.settings.answer_after;
        let refuse = |status, octets: &mut Vec<u8>| {
            pdu::put_header(octets, CommandId::SubmitSmResp, status, sequence_number);
        };
        match fate {
            Fate::Taken { behaviour: Behaviour::AnswerLost, .. } => return,
            Fate::Taken { id, behaviour } => {
                if *behaviour == Behaviour::ReportsFirst {
                    after += ANSWER_BEHIND_RECEIPT;
                }
                let out = if after.is_zero() { self.output.buffer() } else { &mut octets };
                pdu::put_submit_resp(out, sequence_number, answered_id(*id).as_bytes());
            }
            Fate::Refused => refuse(Status::INVALID_DESTINATION, &mut octets),
            Fate::Throttled => refuse(Status::THROTTLED, &mut octets),
            Fate::Cut => return,
        }
        if after.is_zero() {
            self.unanswered = self.unanswered.saturating_sub(1);
            self.output.buffer().extend_from_slice(&octets);
        } else {
            self.order += 1;
            self.late.push(Reverse((now + after, self.order, octets)));
        }
    }

    /// The client took a receipt, or did not.
    fn acknowledged(&mut self, status: Status, sequence_number: u32, now: Instant) {
        let Answered::To(receipt) = self.receipts.answered(sequence_number) else { return };
        let stats = &self.hub.settings.stats;
        if status.is_ok() {
            Stats::count(&stats.receipts_acked);
            return;
        }
        Stats::count(&stats.receipts_refused);
        let again = matches!(status.class(), Class::Retry | Class::Throttled);
        if let Some(system) = self.system.as_ref().filter(|_| again) {
            self.hub.plan(system, receipt, self.hub.settings.receipt_again_after, now);
        }
    }

    fn tick(&mut self, now: Instant) -> Turn {
        if self.stopping_since.is_some_and(|since| now >= since + Duration::from_secs(1)) {
            return Turn::Break(Ended::Stopped);
        }
        if self.system.is_none() && now >= self.connected_at + BIND_WITHIN {
            return Turn::Break(Ended::NotBound);
        }
        match self.timers.due(now) {
            Due::Nothing => Turn::Continue(()),
            Due::PeerSilent => Turn::Break(Ended::Silent),
            Due::EnquireLink => {
                let sequence_number = self.receipts.sequence_number();
                pdu::put_header(self.output.buffer(), CommandId::EnquireLink, Status::OK, sequence_number);
                Turn::Continue(())
            }
        }
    }

    fn stop(&mut self) -> Turn {
        if self.system.is_none() {
            return Turn::Break(Ended::Stopped);
        }
        self.stopping_since = Some(Instant::now());
        let sequence_number = self.receipts.sequence_number();
        pdu::put_header(self.output.buffer(), CommandId::Unbind, Status::OK, sequence_number);
        self.state.unbinding();
        Turn::Continue(())
    }
}

/// What the client did not acknowledge waits for its next session, or for another one.
impl Drop for Client<'_> {
    fn drop(&mut self) {
        if let Some(system) = self.system.take().filter(|_| self.receives) {
            let left = self.receipts.drain();
            let left_behind = system.receipts.leave(|_| ());
            system.receipts.put_back(left.into_iter().chain(left_behind));
        }
    }
}

fn answered_id(id: u64) -> String {
    format!("{id:08x}")
}

/// Appends a receipt as a `deliver_sm`.
fn put_receipt(receipt: &Pending, ids: ReceiptIds, sequence_number: u32, out: &mut Vec<u8>) {
    let (state, error, _) = receipt.told;
    let id = match ids {
        ReceiptIds::AsAnswered => answered_id(receipt.id),
        ReceiptIds::Decimal => format!("{:010}", receipt.id),
        ReceiptIds::Capitals => format!("{:X}", receipt.id),
    };
    let mut tlvs = Vec::with_capacity(32);
    pdu::put_tlv(&mut tlvs, tag::RECEIPTED_MESSAGE_ID, &[id.as_bytes(), &[0]].concat());
    if let Some(code) = state.code() {
        pdu::put_tlv(&mut tlvs, tag::MESSAGE_STATE, &[code]);
    }
    let text = Receipt {
        id: Some(id),
        state: Some(state),
        submitted_at_seconds: Some(receipt.submitted_at_seconds),
        done_at_seconds: Some(receipt.done_at_seconds),
        error: Some(error.to_owned()),
        ..Receipt::default()
    };
    let text = text.write();
    let on_the_way = matches!(state, MessageState::Buffered | MessageState::Enroute);
    let message = ShortMessage {
        source: Address { ton: 1, npi: 1, digits: &receipt.recipient },
        destination: Address { ton: 0, npi: 0, digits: &receipt.sender },
        esm_class: if on_the_way { ESM_INTERMEDIATE } else { ESM_RECEIPT },
        short_message: text.as_bytes(),
        tlvs: &tlvs,
        ..ShortMessage::default()
    };
    message.write(CommandId::DeliverSm, sequence_number, out);
}
