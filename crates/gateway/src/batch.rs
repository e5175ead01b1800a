//! The batch: the writer of messages and charges. It takes what has come in since the last commit,
//! requests and carriers' words alike, decides them in one transaction, commits once for all of it, and
//! only then answers, hands over and acknowledges. While a batch commits, the next one gathers; when
//! nothing is under way, a lone request is committed at once.
//!
//! SQLite has one writer for both. PostgreSQL can commit two things at a time, so there one writer takes
//! the requests and another one the carriers' words.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::id::{AccountId, NodeId};
use domain::ledger::Book;
use domain::moment::Moment;
use storage::rollups::Paths;
use storage::{Error, Result, Tx, ledger, statistics};
use tokio::sync::mpsc;

use crate::accept::SendRefused;
use crate::base::Base;
use crate::changes::What;
use crate::clock::thirty_days;
use crate::dispatch::{Dispatcher, Plan};
use crate::intake::{self, Ids, Request};
use crate::limits;
use crate::report::{self, Afterwards, Entry};

/// Requests that may wait for the next batch; one more is told that we are busy.
pub const REQUESTS_MAX: usize = 4_096;
/// Messages of one batch at the most, so that no request waits behind too many others.
const MESSAGES_MAX: i64 = 4_000;
/// Requests of one batch at the most.
const BATCH_REQUESTS_MAX: usize = 512;
/// Carriers' words of one batch at the most.
const ENTRIES_MAX: usize = 4_096;
/// How long carriers' words wait for requests to share a commit with.
const LINGER: Duration = Duration::from_millis(2);
/// So many words are worth a commit of their own.
const ENTRIES_ENOUGH: usize = 64;
/// How often a batch that met others in the way is tried again.
const TRIES: usize = 5;

/// The writer and all it holds.
pub(crate) struct Writer {
    pub base: Base,
    pub dispatcher: Arc<Dispatcher>,
    pub node: NodeId,
    /// Requests, if this writer takes them.
    pub requests: Option<mpsc::Receiver<Request>>,
    /// Carriers' words, if this writer takes them.
    pub entries: Option<mpsc::UnboundedReceiver<Entry>>,
    pub message_ids: Ids,
    pub transfer_ids: Ids,
    /// The accounts above those that are counted.
    pub paths: Paths,
    /// Whether reports may be kept for answers to come. On shared books another node may have kept
    /// one, so it is always possible there.
    pub early_possible: bool,
    /// Entries that could not be stored yet.
    pub pending: VecDeque<Entry>,
    /// Whether the last batch could not be stored, for those who ask whether we are ready.
    pub unwritable: Arc<AtomicBool>,
}

impl Writer {
    /// Runs until its doors are closed and all is stored.
    pub async fn run(mut self) {
        let mut requests: Vec<Request> = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            if self.pending.is_empty() {
                tokio::select! {
                    biased;
                    Some(request) = next_request(&mut self.requests) => requests.push(request),
                    Some(entry) = next_entry(&mut self.entries) => {
                        entries.push(entry);
                        self.linger(&mut requests, &mut entries).await;
                    }
                    else => return,
                }
            }
            entries.extend(self.pending.drain(..));
            let mut messages = Ids::needed(&requests);
            while messages < MESSAGES_MAX
                && requests.len() < BATCH_REQUESTS_MAX
                && let Some(Ok(request)) = self.requests.as_mut().map(mpsc::Receiver::try_recv)
            {
                messages += Ids::needed(std::slice::from_ref(&request));
                requests.push(request);
            }
            while entries.len() < ENTRIES_MAX
                && let Some(Ok(entry)) = self.entries.as_mut().map(mpsc::UnboundedReceiver::try_recv)
            {
                entries.push(entry);
            }
            if !requests.is_empty() || !entries.is_empty() {
                self.store(std::mem::take(&mut requests), std::mem::take(&mut entries)).await;
            }
        }
    }

    /// Carriers' words are in no hurry: they wait a moment for a request, or for more of them, to share
    /// a commit with.
    async fn linger(&mut self, requests: &mut Vec<Request>, entries: &mut Vec<Entry>) {
        let end = tokio::time::sleep(LINGER);
        tokio::pin!(end);
        while entries.len() < ENTRIES_ENOUGH {
            tokio::select! {
                biased;
                Some(request) = next_request(&mut self.requests) => {
                    requests.push(request);
                    return;
                }
                Some(entry) = next_entry(&mut self.entries) => entries.push(entry),
                () = &mut end => return,
            }
        }
    }

    /// Stores a batch, together if possible. What others are in the way of is tried again; if the
    /// books refuse it for another reason, its parts are tried by themselves, so that one does not
    /// fail its neighbours.
    async fn store(&mut self, requests: Vec<Request>, entries: Vec<Entry>) {
        let (mut requests, mut entries) = (requests, entries);
        for attempt in 0..TRIES {
            match self.together(&mut requests, &mut entries).await {
                Ok(()) => {
                    self.unwritable.store(false, Ordering::Relaxed);
                    return;
                }
                Err(error @ (Error::Busy(_) | Error::Gone(_))) if attempt + 1 < TRIES => {
                    tracing::warn!(%error, attempt, "a batch met others in the way and is tried again");
                    tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
                }
                Err(error) => {
                    self.apart(requests, entries, error).await;
                    return;
                }
            }
        }
    }

    async fn apart(&mut self, requests: Vec<Request>, entries: Vec<Entry>, error: Error) {
        let alone = requests.len() + entries.len() == 1;
        if error.retryable() || alone {
            let error = Arc::new(error);
            tracing::error!(%error, requests = requests.len(), entries = entries.len(), "a batch was not stored");
            if error.retryable() {
                // Before anybody is told: who asks then whether we are ready hears the same.
                self.unwritable.store(true, Ordering::Relaxed);
            }
            for request in requests {
                let _ = request.reply.send(Err(SendRefused::Storage(error.clone())));
            }
            if !error.retryable() {
                // It cannot be stored, ever; its places are free all the same.
                let freed: Vec<_> = entries.iter().flat_map(Entry::slots).collect();
                self.dispatcher.free(&freed);
            } else {
                // Carriers' words must not be lost: they wait until the books can be written.
                self.pending.extend(entries);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            return;
        }
        tracing::error!(%error, "a batch was refused by the books; its parts are tried by themselves");
        for entry in entries {
            Box::pin(self.store(Vec::new(), vec![entry])).await;
        }
        for request in requests {
            Box::pin(self.store(vec![request], Vec::new())).await;
        }
    }

    /// One transaction for all. On an error everything is as before, and nobody was told anything.
    async fn together(&mut self, requests: &mut Vec<Request>, entries: &mut Vec<Entry>) -> Result<()> {
        let stored = self.transaction(requests, entries).await;
        match stored {
            Ok(stored) => {
                self.tell(stored, std::mem::take(requests), std::mem::take(entries));
                Ok(())
            }
            Err(error) => {
                // Ids drawn in a transaction that did not happen were not drawn.
                self.message_ids = Ids::default();
                self.transfer_ids = Ids::default();
                Err(error)
            }
        }
    }

    async fn transaction(&mut self, requests: &[Request], entries: &[Entry]) -> Result<Stored> {
        let now = self.base.clock.now();
        let zone = &self.base.rules.time_zone;
        let mut tx = self.base.db.begin().await?;
        let mut book = Book::default();
        // Always in this order, so that two nodes never wait for each other in a circle: messages,
        // wallets by their ids, the use of limits, the installation's own places, statistics. What need not wait for an
        // answer is asked in one journey.
        let begun = report::Begun::at(&mut tx, entries, self.early_possible).await?;
        let ask = intake::Ask::about(requests, now, zone);
        let mut wallets = intake::wallets(requests);
        let messages = storage::messages::lock(begun.ids.iter().copied());
        let locked: Vec<ledger::Locked>;
        let (reported, standing, texts, counts, used);
        if entries.iter().any(Entry::may_refund) {
            let known = tx.ask(messages).await?;
            reported = report::Look::at(&mut tx, entries, begun, known).await?;
            wallets.extend(reported.wallets(entries));
            let ask = (ledger::locked(wallets), ask.used(), ask.standing(), ask.texts(), ask.counts());
            (locked, used, standing, texts, counts) = tx.ask(ask).await?;
        } else {
            let known;
            let ask =
                (messages, ledger::locked(wallets), ask.used(), ask.standing(), ask.texts(), ask.counts());
            (known, locked, used, standing, texts, counts) = tx.ask(ask).await?;
            reported = report::Look::at(&mut tx, entries, begun, known).await?;
        }
        ledger::load(&mut book, &locked);
        let mut reports = reported.decide(entries, &mut book, now, zone);
        let mut intake = intake::Decided::default();
        if !requests.is_empty() {
            let answers = intake::Answers { standing, texts, counts, used };
            let look = intake::Look::at(&mut tx, requests, &ask, answers, &book, now).await?;
            let first_id = self.message_ids.take(&mut tx, "message", Ids::needed(requests), now).await?;
            intake = intake::decide(look, requests, &mut book, first_id, now, zone);
        }
        let plan = self.dispatcher.plan(std::mem::take(&mut intake.ready), &reports.after.slots);
        reports.mark(plan.attempts());
        let changed = match self.base.is_looked_at() {
            true => {
                let mut changed = reports.accounts(entries);
                changed.extend(requests.iter().map(|request| request.drafts.account.id));
                changed
            }
            false => BTreeSet::new(),
        };
        match self.write(tx, &book, requests, &reports, &mut intake, &plan, now).await {
            Ok(()) => {
                self.early_possible |= reports.keeps_early();
                Ok(Stored { answers: intake.answers, after: reports.after, plan, changed })
            }
            Err(error) => {
                self.dispatcher.rolled_back(plan);
                Err(error)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what was decided, and what it is written with")]
    async fn write(
        &mut self,
        mut tx: Tx,
        book: &Book,
        requests: &[Request],
        reports: &report::Decided<'_>,
        intake: &mut intake::Decided,
        plan: &Plan,
        now: Moment,
    ) -> Result<()> {
        // The intake first: what it used of free credit it sets by what it read, and what a refund
        // puts back is added to that.
        intake.write(&mut tx, requests, plan, self.node, now).await?;
        reports.write(&mut tx, now).await?;
        if !reports.backs.is_empty() {
            let back = limits::given_back(&self.base, &reports.backs).await?;
            storage::limits::give_back(&mut tx, back).await?;
        }
        let mut groups = std::mem::take(&mut intake.groups);
        groups.extend_from_slice(&reports.groups);
        if !groups.is_empty() {
            let count = groups.iter().map(|g| g.postings.len() as i64).sum();
            let first = self.transfer_ids.take(&mut tx, "transfer", count, now).await?;
            ledger::post(&mut tx, book, &groups, first, now).await?;
        }
        let mut tally = std::mem::take(&mut intake.tally);
        for (line, counts) in &reports.tally {
            tally.entry(line.clone()).or_default().add(counts);
        }
        let since = thirty_days(now, &self.base.rules.time_zone);
        statistics::add(&mut tx, &tally, &mut self.paths, since).await?;
        intake.tell(&mut tx, &self.base, now).await?;
        tx.commit().await
    }

    /// All is stored: answers go out, messages go on, reports are acknowledged.
    fn tell(&self, stored: Stored, requests: Vec<Request>, entries: Vec<Entry>) {
        let Stored { answers, after, plan, changed } = stored;
        for (request, answer) in requests.into_iter().zip(answers) {
            // Whoever asked may have gone; what was accepted is sent all the same.
            let _ = request.reply.send(answer);
        }
        let Afterwards { slots, marked, cancelled } = after;
        let mut cancelled = cancelled.into_iter();
        for entry in entries {
            match entry {
                Entry::Report { report, .. } => report.ack.stored(),
                Entry::Cancel { reply, .. } => drop(reply.send(Ok(cancelled.next().unwrap_or_default()))),
                _ => {}
            }
        }
        self.dispatcher.committed(plan, &slots, &marked);
        if !changed.is_empty() {
            let what = What::BALANCE.and(What::MESSAGES);
            self.base.changed(changed.into_iter().map(|account| (account, what)));
        }
    }
}

/// The next request, until their door is closed.
async fn next_request(from: &mut Option<mpsc::Receiver<Request>>) -> Option<Request> {
    from.as_mut()?.recv().await
}

/// The next word of a carrier, until their door is closed.
async fn next_entry(from: &mut Option<mpsc::UnboundedReceiver<Entry>>) -> Option<Entry> {
    from.as_mut()?.recv().await
}

/// What a stored batch leaves to be done.
struct Stored {
    answers: Vec<std::result::Result<crate::accept::Sent, SendRefused>>,
    after: Afterwards,
    plan: Plan,
    /// The accounts it concerns, when somebody looks on.
    changed: BTreeSet<AccountId>,
}
