//! What carriers say, put into the books: answers, delivery reports, and the refunds that follow.
//! It comes in batches, in the transaction that the writer begins: first [`Look`] reads and
//! locks what is concerned, then [`Look::decide`] moves messages and credits in memory, then
//! [`Decided::write`] writes it all down.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use carriers::Report;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::delivery_report::{ReportState, joined};
use domain::id::{AccountId, MessageId};
use domain::ledger::{Book, Cause, CauseKind, Cost, Group};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;
use domain::product::Product;
use jiff::tz::TimeZone;
use storage::messages::{Known, Move, Submitted};
use storage::reports::Early;
use storage::segments::{Stored, Taken};
use storage::statistics::{Counts, Line, Tally};
use storage::{Result, Tx, jobs, messages, outbox, promo, reports, segments};
use tokio::sync::oneshot;

use crate::audit::{self, Changes};
use crate::clock::day_of;
use crate::dispatch::Slots;
use crate::limits::Back;

/// The kind of job that waits until an account above can give its margin back.
pub const REFUND_JOB: &str = "refund";
/// Why a refund waits.
const REFUND_WAITS: &str = "an account above has spent the margin it would have to give back";
/// How long until a refund is tried again.
const REFUND_PAUSE: Duration = Duration::from_secs(30);

/// Something to be put into the books.
pub enum Entry {
    /// Messages are about to be handed over, for the how-manieth time each.
    Mark(Vec<(MessageId, i64)>),
    /// A carrier has taken a part.
    Taken {
        /// Of which message.
        message: MessageId,
        /// Whose message it is.
        account: AccountId,
        /// Which part.
        part: u8,
        /// Who took it.
        carrier: Arc<str>,
        /// What it calls it, as it is stored.
        remote_id: String,
        /// Whether that was the last part.
        complete: bool,
        /// The places that are free once this is stored.
        slots: Slots,
    },
    /// A message came to its end before a carrier had all of it.
    Failed {
        /// Which.
        message: MessageId,
        /// How it ended.
        status: MessageStatus,
        /// Why.
        error: Option<String>,
        /// How many of its parts a carrier has.
        taken_parts: i64,
        /// The places that are free once this is stored.
        slots: Option<Slots>,
    },
    /// A delivery report.
    Report {
        /// As it came.
        report: Report,
        /// The spellings its message may be stored by.
        candidates: Vec<String>,
    },
    /// Scheduled messages are to be taken back.
    Cancel {
        /// Whose they must be.
        account: AccountId,
        /// Its main account.
        root: AccountId,
        /// Which.
        ids: Vec<MessageId>,
        /// Who asks.
        actor: Box<Actor>,
        /// Told which were.
        reply: oneshot::Sender<Result<Vec<MessageId>>>,
    },
    /// Refunds that had to wait are to be tried again.
    Refund(Vec<MessageId>),
    /// Kept reports whose message is there after all.
    Kept(Vec<Early>),
}

impl Entry {
    /// Whether it may move credits.
    pub fn may_refund(&self) -> bool {
        matches!(self, Entry::Failed { .. } | Entry::Cancel { .. } | Entry::Refund(_))
    }

    /// The places that are free once it is stored.
    pub fn slots(&self) -> Option<Slots> {
        match self {
            Entry::Taken { slots, .. } => Some(*slots),
            Entry::Failed { slots, .. } => *slots,
            _ => None,
        }
    }

    /// The segment as it will be stored, if one was taken.
    fn taken(&self) -> Option<Stored> {
        let Entry::Taken { message, part, carrier, remote_id, .. } = self else { return None };
        let (carrier, remote_id) = (carrier.to_string(), remote_id.clone());
        Some(Stored { message: *message, part: *part, carrier, remote_id, report: None })
    }
}

/// What is read before anything is decided.
pub struct Look {
    known: BTreeMap<MessageId, Known>,
    /// Segments by the carrier's name for them.
    called: HashMap<String, Vec<Stored>>,
    /// All segments of long messages that are reported on.
    parts: HashMap<MessageId, Vec<Stored>>,
    early: Vec<Early>,
    withdrawn: BTreeSet<MessageId>,
    /// Refunds that still wait: another node may have booked some meanwhile.
    waiting: BTreeSet<MessageId>,
}

/// What is done once everything is safely stored.
#[derive(Default)]
pub struct Afterwards {
    /// Places that are free again.
    pub slots: Vec<Slots>,
    /// Messages whose attempt is stored.
    pub marked: Vec<MessageId>,
    /// What was cancelled for each who asked, in their order.
    pub cancelled: Vec<Vec<MessageId>>,
}

/// What the entries are about, as far as their names tell: the first step of a [`Look`].
#[derive(Default)]
pub struct Begun {
    called: HashMap<String, Vec<Stored>>,
    early: Vec<Early>,
    /// Names that were asked for.
    names: BTreeSet<String>,
    /// Messages to be locked.
    pub ids: BTreeSet<i64>,
}

impl Begun {
    /// Reads which messages the entries are about. `early_possible` says whether any report is kept
    /// for an answer to come.
    pub async fn at(tx: &mut Tx, entries: &[Entry], early_possible: bool) -> Result<Begun> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let mut new_names: BTreeSet<&str> = BTreeSet::new();
        let mut answered: HashSet<(&str, &str)> = HashSet::new();
        let mut ids: BTreeSet<i64> = BTreeSet::new();
        for entry in entries {
            match entry {
                Entry::Mark(_) => {}
                Entry::Taken { carrier, remote_id, .. } => {
                    new_names.insert(remote_id);
                    answered.insert((carrier, remote_id));
                }
                Entry::Failed { message, .. } => drop(ids.insert(message.0)),
                Entry::Report { candidates, .. } => names.extend(candidates.first().map(String::as_str)),
                Entry::Cancel { ids: wanted, .. } => ids.extend(wanted.iter().map(|id| id.0)),
                Entry::Refund(messages) => ids.extend(messages.iter().map(|id| id.0)),
                Entry::Kept(early) => names.extend(early.iter().map(|e| e.remote_id.as_str())),
            }
        }
        if !early_possible {
            new_names.clear();
        }
        let (found, early) =
            tx.ask((segments::called(names.iter().copied()), reports::kept(new_names))).await?;
        let mut called: HashMap<String, Vec<Stored>> = HashMap::new();
        for stored in found {
            ids.insert(stored.message.0);
            called.entry(stored.remote_id.clone()).or_default().push(stored);
        }
        // Nearly every report spells the id as the answer did; the other spellings are asked for
        // only where that found nothing of the carrier's, in the books or in this very batch.
        let others = other_spellings(entries, |report, first| {
            called.get(first).is_some_and(|found| found.iter().any(|s| *s.carrier == *report.carrier))
                || answered.contains(&(&*report.carrier, first))
        });
        for stored in tx.ask(segments::called(others.iter().copied())).await? {
            ids.insert(stored.message.0);
            called.entry(stored.remote_id.clone()).or_default().push(stored);
        }
        let spellings: HashSet<&str> = other_spellings(entries, |_, _| false).into_iter().collect();
        names.extend(others);
        // Reports may be about segments whose answer is in this very batch.
        for entry in entries {
            if let Some(stored) = entry.taken() {
                let remote_id = &stored.remote_id;
                let named = names.contains(remote_id.as_str()) || spellings.contains(remote_id.as_str());
                let reported = named || early.iter().any(|e| e.remote_id == *remote_id);
                if reported {
                    ids.insert(stored.message.0);
                    called.entry(remote_id.clone()).or_default().push(stored);
                }
            }
        }
        let names = names.into_iter().map(str::to_owned).collect();
        Ok(Begun { called, early, names, ids })
    }
}

impl Look {
    /// Completes what was begun, with the messages it named, locked.
    pub async fn at(tx: &mut Tx, entries: &[Entry], begun: Begun, locked: Vec<Known>) -> Result<Look> {
        let Begun { mut called, early, names, .. } = begun;
        let mut known: BTreeMap<MessageId, Known> = locked.into_iter().map(|k| (k.id, k)).collect();
        // What was found may have gone to somebody else; then another spelling is meant.
        let mut others = other_spellings(entries, |report, first| {
            segment(&called, &known, &report.carrier, first, report.recipient).is_some()
        });
        others.retain(|name| !names.contains(*name));
        let found = tx.ask(segments::called(others)).await?;
        let ids: BTreeSet<i64> =
            found.iter().map(|s| s.message.0).filter(|id| !known.contains_key(&MessageId(*id))).collect();
        known.extend(tx.ask(messages::lock(ids)).await?.into_iter().map(|k| (k.id, k)));
        for stored in found {
            let of_name = called.entry(stored.remote_id.clone()).or_default();
            // Before those of this very batch, which are newer.
            of_name.insert(0, stored);
        }
        let reported: BTreeSet<MessageId> = called.values().flatten().map(|s| s.message).collect();
        let refunds: Vec<i64> = entries
            .iter()
            .filter_map(|e| if let Entry::Refund(ids) = e { Some(ids) } else { None })
            .flatten()
            .map(|id| id.0)
            .collect();
        let waiting: BTreeSet<MessageId> =
            jobs::still(tx, REFUND_JOB, &refunds).await?.into_iter().map(MessageId).collect();
        let long: Vec<i64> = known
            .values()
            .filter(|k| k.segments > 1 && (reported.contains(&k.id) || waiting.contains(&k.id)))
            .map(|k| k.id.0)
            .collect();
        let mut parts: HashMap<MessageId, Vec<Stored>> = HashMap::new();
        for stored in segments::of(tx, &long).await? {
            parts.entry(stored.message).or_default().push(stored);
        }
        // Parts that are taken in this very batch count as those that were before.
        for entry in entries {
            if let Some(stored) = entry.taken()
                && long.binary_search(&stored.message.0).is_ok()
            {
                let of_message = parts.entry(stored.message).or_default();
                of_message.retain(|p| p.part != stored.part);
                of_message.push(stored);
            }
        }
        // A message is only taken back by its own account: those of others are left as they are.
        let mine: BTreeSet<i64> = entries
            .iter()
            .filter_map(
                |e| if let Entry::Cancel { account, ids, .. } = e { Some((account, ids)) } else { None },
            )
            .flat_map(|(account, ids)| {
                let mine = ids.iter().filter(|id| known.get(id).is_some_and(|k| k.account == *account));
                mine.map(|id| id.0)
            })
            .collect();
        let mine: Vec<i64> = mine.into_iter().collect();
        let withdrawn = if mine.is_empty() {
            BTreeSet::new()
        } else {
            outbox::withdraw(tx, &mine).await?.into_iter().collect()
        };
        Ok(Look { known, called, parts, early, withdrawn, waiting })
    }

    /// The accounts whose wallets a decision may touch: those of entries that [`Entry::may_refund`].
    pub fn wallets(&self, entries: &[Entry]) -> BTreeSet<AccountId> {
        let refunded = |entry: &Entry| match entry {
            Entry::Failed { message, .. } => vec![*message],
            Entry::Cancel { ids, .. } => ids.clone(),
            Entry::Refund(ids) => ids.clone(),
            _ => Vec::new(),
        };
        let ids = entries.iter().flat_map(refunded);
        ids.filter_map(|id| self.known.get(&id))
            .flat_map(|k| k.levels.iter().map(|(account, _)| *account))
            .collect()
    }

    /// Decides what becomes of every message, in memory.
    pub fn decide<'a>(
        mut self,
        entries: &'a [Entry],
        book: &mut Book,
        now: Moment,
        time_zone: &TimeZone,
    ) -> Decided<'a> {
        let mut decided = Decided::default();
        let mut day = Day { time_zone, known: None };
        let mut early = std::mem::take(&mut self.early);
        let mut reports = Vec::new();
        for entry in entries {
            match entry {
                Entry::Mark(marks) => {
                    decided.after.marked.extend(marks.iter().map(|(id, _)| *id));
                    decided.mark(marks.iter().copied());
                }
                Entry::Taken { message, part, carrier, remote_id, complete, slots, .. } => {
                    decided.after.slots.push(*slots);
                    if *complete {
                        decided.done.push(*message);
                        decided.submitted.insert(*message, carrier);
                        if let Some(known) = self.known.get_mut(message) {
                            if known.status.may_become(MessageStatus::Submitted) {
                                known.status = MessageStatus::Submitted;
                            } else {
                                decided.submitted.remove(message);
                            }
                        }
                    }
                    decided.taken.insert((*message, *part), (carrier, remote_id));
                }
                Entry::Failed { message, status, error, taken_parts, slots } => {
                    decided.after.slots.extend(*slots);
                    decided.done.push(*message);
                    self.fail(
                        &mut decided,
                        book,
                        &mut day,
                        *message,
                        *status,
                        error.clone(),
                        *taken_parts,
                        now,
                    );
                }
                Entry::Report { report, candidates } => reports.push((report, candidates)),
                Entry::Kept(kept) => early.extend(kept.iter().cloned()),
                Entry::Cancel { account, root, ids, actor, .. } => {
                    let words = actor.words();
                    let mine: Vec<MessageId> =
                        ids.iter().copied().filter(|id| self.withdrawn.remove(id)).collect();
                    for id in &mine {
                        self.end(&mut decided, *id, MessageStatus::Cancelled, None, None, now);
                        self.refund(&mut decided, book, &mut day, *id, 0, &words);
                    }
                    if !mine.is_empty() {
                        decided.taken_back.push(((*account, *root), actor, mine.clone()));
                    }
                    decided.after.cancelled.push(mine);
                }
                Entry::Refund(ids) => {
                    for id in ids.iter().filter(|id| self.waiting.remove(id)).collect::<Vec<_>>() {
                        let taken_parts = self.parts.get(id).map_or(0, |parts| parts.len() as i64);
                        self.refund(&mut decided, book, &mut day, *id, taken_parts, "carrier");
                        decided.tried_refunds.push(*id);
                    }
                }
            }
        }
        for e in early {
            let Some(segment) = self.segment(&e.carrier, &e.remote_id, e.recipient) else { continue };
            decided.released.push(e.id);
            self.reported(&mut decided, &mut day, segment, e.state, e.done_at, e.error, now);
        }
        for (report, candidates) in reports {
            self.take_report(&mut decided, &mut day, report, candidates, now);
        }
        // What was moved more than once is written once, as it is in the end.
        decided.moves = self.known;
        decided
    }

    fn take_report(
        &mut self,
        decided: &mut Decided<'_>,
        day: &mut Day<'_>,
        report: &Report,
        candidates: &[String],
        now: Moment,
    ) {
        let Report { carrier, recipient, state, done_at, error, .. } = report;
        let (recipient, state) = (*recipient, *state);
        let done_at = done_at.filter(|at| is_plausible(*at, now)).unwrap_or(now);
        let found = candidates.iter().find_map(|name| self.segment(carrier, name, recipient));
        match found {
            Some(segment) => self.reported(decided, day, segment, state, done_at, error.clone(), now),
            None => {
                decided.early.extend((0..).zip(candidates.iter().cloned()).map(|(spelling, remote_id)| {
                    Early {
                        id: spelling,
                        carrier: carrier.to_string(),
                        remote_id,
                        recipient,
                        state,
                        done_at,
                        error: error.clone(),
                    }
                }))
            }
        }
    }

    fn segment(&self, carrier: &str, name: &str, recipient: Option<PhoneNumber>) -> Option<(MessageId, u8)> {
        segment(&self.called, &self.known, carrier, name, recipient)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of decide(), apart for reading")]
    fn reported(
        &mut self,
        decided: &mut Decided<'_>,
        day: &mut Day<'_>,
        (message, part): (MessageId, u8),
        state: ReportState,
        done_at: Moment,
        error: Option<String>,
        now: Moment,
    ) {
        let Some(known) = self.known.get(&message) else { return };
        // Nothing was done before the message was sent.
        let done_at = if done_at < known.send_at { now } else { done_at };
        let word = if known.segments > 1 {
            let parts = self.parts.entry(message).or_default();
            match parts.iter_mut().find(|p| p.part == part) {
                // The last word on a segment stays, unless it was that nothing is known.
                Some(stored) if stored.report.is_some_and(|was| !was.may_be_followed_by(state)) => return,
                Some(stored) => stored.report = Some(state),
                None => parts.push(Stored {
                    message,
                    part,
                    carrier: String::new(),
                    remote_id: String::new(),
                    report: Some(state),
                }),
            }
            // A carrier that took the message whole reports on it as one.
            let whole = parts.len() == 1 && part == 0 && known.status >= MessageStatus::Submitted;
            let mut words: Vec<Option<ReportState>> = parts.iter().map(|p| p.report).collect();
            if !whole {
                words.resize(words.len().max(usize::try_from(known.segments).unwrap_or(1)), None);
            }
            decided.words.insert((message, part), state);
            joined(&words)
        } else {
            decided.words.insert((message, part), state);
            Some(state)
        };
        let Some(word) = word else { return };
        let was = known.status;
        if was.is_final() && was != MessageStatus::Unknown
            || known.report.is_some_and(ReportState::is_final) && word.status().is_none()
        {
            return;
        }
        let next = word.status().filter(|next| was.may_become(*next));
        if word.status().is_some() && next.is_none() {
            return;
        }
        let counted = match next {
            Some(MessageStatus::Delivered) => Counts { delivered: 1, ..Counts::default() },
            Some(MessageStatus::Undelivered | MessageStatus::Expired | MessageStatus::Rejected) => {
                Counts { failed: 1, ..Counts::default() }
            }
            _ => Counts::default(),
        };
        if counted != Counts::default() {
            let line = self.line(message, day);
            let counts = decided.tally.entry(line).or_default();
            counts.delivered += counted.delivered;
            counts.failed += counted.failed;
        }
        self.end_with(decided, message, next, Some((word, done_at)), error, now);
    }

    #[expect(clippy::too_many_arguments, reason = "one step of decide(), apart for reading")]
    fn fail(
        &mut self,
        decided: &mut Decided<'_>,
        book: &mut Book,
        day: &mut Day<'_>,
        message: MessageId,
        status: MessageStatus,
        error: Option<String>,
        taken_parts: i64,
        now: Moment,
    ) {
        let Some(known) = self.known.get(&message) else { return };
        if !known.status.may_become(status) {
            return;
        }
        let word = match status {
            MessageStatus::Expired => ReportState::Expired,
            MessageStatus::Unknown => ReportState::Unknown,
            _ => ReportState::Rejected,
        };
        if status != MessageStatus::Unknown {
            let line = self.line(message, day);
            decided.tally.entry(line).or_default().failed += 1;
            self.refund(decided, book, day, message, taken_parts, "carrier");
        }
        self.end(decided, message, status, Some((word, now)), error, now);
    }

    /// Gives back what the parts cost that no carrier has. The account above that earned a margin
    /// may have spent it; then the whole refund waits until it can be given back.
    fn refund(
        &mut self,
        decided: &mut Decided<'_>,
        book: &mut Book,
        day: &mut Day<'_>,
        message: MessageId,
        taken_parts: i64,
        actor: &str,
    ) {
        let Some(known) = self.known.get(&message) else { return };
        let segments = known.segments.max(1);
        let unsent = segments - taken_parts.clamp(0, segments);
        // A price is a whole number of segments, so the shares are exact.
        let share = |amount: Credits| Credits(amount.0 / segments * unsent);
        let cost = Cost {
            product: Product::Sms,
            by_level: known.levels.iter().map(|(account, amount)| (*account, share(*amount))).collect(),
        };
        let total = cost.total();
        let back = Back {
            account: known.account,
            created_at: known.created_at,
            country: known.country.clone(),
            label: known.label.clone(),
            by_level: cost.by_level.clone(),
            whole: unsent == segments,
        };
        if !total.is_positive() {
            // What costs nothing counts as a message all the same.
            decided.backs.extend((unsent > 0).then_some(back));
            return;
        }
        let promo = Credits(known.promo.0.min(total.0));
        let postings = cost.refund(promo);
        if book.post(&postings).is_err() {
            decided.waiting_refunds.push(message);
            return;
        }
        if promo.is_positive() {
            decided.promo_back.push((known.account, promo));
        }
        decided.groups.push(Group {
            cause: Cause { kind: CauseKind::Refund, id: message.0 },
            postings,
            actor: actor.to_owned(),
            reference: String::new(),
        });
        decided.refunded.push(message);
        decided.backs.push(back);
        let line = self.line(message, day);
        let counts = decided.tally.entry(line).or_default();
        counts.refunds = Credits(counts.refunds.0 + total.0);
    }

    fn line(&self, message: MessageId, day: &mut Day<'_>) -> Line {
        let known = &self.known[&message];
        Line {
            account: known.account,
            day: day.of(known.created_at),
            product: Product::Sms,
            country: known.country.clone(),
            network: known.network.clone(),
            label: known.label.clone(),
            sender: known.sender.clone(),
        }
    }

    fn end(
        &mut self,
        decided: &mut Decided<'_>,
        message: MessageId,
        status: MessageStatus,
        word: Option<(ReportState, Moment)>,
        error: Option<String>,
        now: Moment,
    ) {
        self.end_with(decided, message, Some(status), word, error, now);
    }

    fn end_with(
        &mut self,
        decided: &mut Decided<'_>,
        message: MessageId,
        status: Option<MessageStatus>,
        word: Option<(ReportState, Moment)>,
        error: Option<String>,
        now: Moment,
    ) {
        let Some(known) = self.known.get_mut(&message) else { return };
        known.status = status.unwrap_or(known.status);
        known.report = word.map(|(word, _)| word).or(known.report);
        let end = decided.ends.entry(message).or_default();
        end.report_at = word.map(|(_, at)| at).or(end.report_at);
        end.error = error.or(end.error.take());
        if known.status.is_final() {
            end.done_at = Some(now);
        }
    }
}

/// The segment a carrier means by a name: of those it has called so the newest, and where the report
/// says to whom it went, only one that went there.
fn segment(
    called: &HashMap<String, Vec<Stored>>,
    known: &BTreeMap<MessageId, Known>,
    carrier: &str,
    name: &str,
    recipient: Option<PhoneNumber>,
) -> Option<(MessageId, u8)> {
    let went_there = |s: &Stored| match (recipient, known.get(&s.message)) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(to), Some(known)) => known.recipient == to,
    };
    let mut fitting = called.get(name)?.iter().filter(|s| s.carrier == carrier);
    fitting.rfind(|s| went_there(s)).map(|s| (s.message, s.part))
}

/// Whether something may have been done when a carrier says: its clock may be wrong or in another
/// time zone, and nothing was done after it was told. Most carriers leave the seconds out, so a minute
/// that has just begun says less than the moment at which it is told.
fn is_plausible(done_at: Moment, now: Moment) -> bool {
    const MINUTE: Duration = Duration::from_secs(60);
    let without_seconds = done_at.0 % 60_000_000 == 0;
    done_at <= now && !(without_seconds && now.since(done_at) < MINUTE)
}

/// All spellings but the first of the reports whose first one does not fit.
fn other_spellings(entries: &[Entry], fits: impl Fn(&Report, &str) -> bool) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for entry in entries {
        if let Entry::Report { report, candidates } = entry
            && let Some((first, others)) = candidates.split_first()
            && !fits(report, first)
        {
            names.extend(others.iter().map(String::as_str));
        }
    }
    names
}

/// The dates of moments. Most messages of a batch are of one day, so the last one is remembered.
pub(crate) struct Day<'a> {
    pub time_zone: &'a TimeZone,
    pub known: Option<(Moment, Moment, i64)>,
}

impl Day<'_> {
    pub fn of(&mut self, moment: Moment) -> i64 {
        if let Some((from, until, day)) = self.known
            && (from..until).contains(&moment)
        {
            return day;
        }
        let day = day_of(moment, self.time_zone);
        // An hour never lies in two dates: time zones differ by quarters of an hour at the least,
        // so a quarter is safe to remember.
        const QUARTER: i64 = 900_000_000;
        let from = Moment(moment.0.div_euclid(QUARTER) * QUARTER);
        self.known = Some((from, Moment(from.0 + QUARTER), day));
        day
    }
}

#[derive(Default)]
struct End {
    report_at: Option<Moment>,
    error: Option<String>,
    done_at: Option<Moment>,
}

/// What was decided, ready to be written.
#[derive(Default)]
pub struct Decided<'a> {
    marks: Vec<(MessageId, i64)>,
    duplicates: Vec<i64>,
    taken: BTreeMap<(MessageId, u8), (&'a str, &'a str)>,
    submitted: BTreeMap<MessageId, &'a str>,
    /// Messages that are out of the outbox.
    done: Vec<MessageId>,
    /// The last word of each part: it is written once, as of two in one statement either may stay.
    words: BTreeMap<(MessageId, u8), ReportState>,
    early: Vec<Early>,
    released: Vec<i64>,
    moves: BTreeMap<MessageId, Known>,
    ends: BTreeMap<MessageId, End>,
    waiting_refunds: Vec<MessageId>,
    tried_refunds: Vec<MessageId>,
    refunded: Vec<MessageId>,
    promo_back: Vec<(AccountId, Credits)>,
    /// What was given back, for the limits it was counted by.
    pub(crate) backs: Vec<Back>,
    /// What accounts have taken back of their scheduled messages, and who did.
    taken_back: Vec<((AccountId, AccountId), &'a Actor, Vec<MessageId>)>,
    /// Refunds to be booked.
    pub groups: Vec<Group>,
    /// What is to be counted.
    pub tally: Tally,
    /// What is to be done once all is stored.
    pub after: Afterwards,
}

impl<'a> Decided<'a> {
    /// Whether a report was put aside for an answer to come.
    pub fn keeps_early(&self) -> bool {
        !self.early.is_empty()
    }

    /// The accounts whose messages it is about.
    pub fn accounts(&self, entries: &[Entry]) -> BTreeSet<AccountId> {
        let taken = |entry: &Entry| match entry {
            Entry::Taken { account, .. } => Some(*account),
            _ => None,
        };
        self.moves.values().map(|known| known.account).chain(entries.iter().filter_map(taken)).collect()
    }

    /// Stores further attempts with what was decided.
    pub fn mark(&mut self, attempts: impl Iterator<Item = (MessageId, i64)>) {
        for (id, attempt) in attempts {
            self.marks.push((id, attempt));
            if attempt > 1 {
                self.duplicates.push(id.0);
            }
        }
    }

    /// Writes all but the transfers and the statistics, which the batch writes for everyone.
    pub async fn write(&self, tx: &mut Tx, now: Moment) -> Result<()> {
        outbox::mark(tx, &self.marks).await?;
        messages::possible_duplicates(tx, &self.duplicates).await?;
        let taken: Vec<Taken<'_>> = self
            .taken
            .iter()
            .map(|((message, part), (carrier, remote_id))| Taken {
                message: *message,
                part: *part,
                carrier,
                remote_id,
                report: self.words.get(&(*message, *part)).copied(),
            })
            .collect();
        segments::insert(tx, &taken, now).await?;
        let words = self.words.iter().filter(|(of, _)| !self.taken.contains_key(of));
        let words: Vec<_> = words.map(|((message, part), word)| (*message, *part, *word)).collect();
        segments::report(tx, &words, now).await?;
        let submitted = |(id, carrier): (&MessageId, &&'a str)| Submitted { id: *id, carrier, at: now };
        let moves: Vec<Move<'_>> = self
            .ends
            .iter()
            .filter_map(|(id, end)| {
                let known = self.moves.get(id)?;
                Some(Move {
                    id: *id,
                    submitted: self.submitted.get_key_value(id).map(submitted),
                    status: known.status,
                    report: known.report,
                    report_at: end.report_at,
                    error: end.error.as_deref(),
                    done_at: end.done_at,
                })
            })
            .collect();
        let only_submitted = self.submitted.iter().filter(|(id, _)| !self.ends.contains_key(id));
        messages::submitted(tx, &only_submitted.map(submitted).collect::<Vec<_>>()).await?;
        messages::advance(tx, &moves).await?;
        outbox::remove(tx, &self.done).await?;
        reports::keep(tx, &self.early, now).await?;
        reports::release(tx, &self.released).await?;
        for (account, amount) in &self.promo_back {
            promo::give_back(tx, *account, *amount, now).await?;
        }
        for id in &self.waiting_refunds {
            jobs::add(tx, REFUND_JOB, id.0, now.after(REFUND_PAUSE)).await?;
            // It was tried just now, whether for the first time or again.
            jobs::put_off(tx, REFUND_JOB, id.0, now.after(REFUND_PAUSE), REFUND_WAITS).await?;
        }
        let done: Vec<i64> =
            self.refunded.iter().filter(|id| self.tried_refunds.contains(id)).map(|id| id.0).collect();
        jobs::done(tx, REFUND_JOB, &done).await?;
        for (account, actor, ids) in &self.taken_back {
            let (subject, changes) = taken_back(ids);
            audit::note_at(tx, *account, actor, "message.cancel", &subject, &changes, now).await?;
        }
        Ok(())
    }
}

/// What the audit log says of messages that were taken back: how many, and which are the first.
fn taken_back(ids: &[MessageId]) -> (String, Changes) {
    const NAMED_MAX: usize = 20;
    let subject = match ids {
        [one] => format!("message {one}"),
        all => format!("{} messages", all.len()),
    };
    let named: Vec<i64> = ids.iter().take(NAMED_MAX).map(|id| id.0).collect();
    (subject, Changes::new().new_field("messages", (ids.len() > 1).then_some(named)))
}
