//! The gateway at work: what doors call, and the workers that carry it out.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carriers::{Event, Outstanding};
use domain::account::{Account, AccountState, effective};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{MessageId, NodeId};
use domain::message::WhenLost;
use domain::route::Route;
use storage::{Error, Result, jobs, nodes, outbox, reports, segments};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::accept::{SendRefused, SendRequest, Sent, draft};
use crate::base::Base;
use crate::batch::{REQUESTS_MAX, Writer};
use crate::calls;
use crate::changes;
use crate::dispatch::{Dispatcher, Line, LineState};
use crate::intake::{Ids, Request};
use crate::report::{Entry, REFUND_JOB};

/// Carriers that must ask for reports are told what is outstanding since this long ago.
const REPORTS_AFTER: Duration = Duration::from_secs(72 * 3600);
/// Names of segments are kept this long where the message has come to its end,
const SEGMENTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// and this long where it was never reported on.
const SILENT_SEGMENTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often what is over is forgotten,
const FORGET_PAUSE: Duration = Duration::from_secs(600);
/// and how many rows at once, so that no batch waits long for it.
const FORGET_STEP: i64 = 500;
/// How long an orderly end waits for carriers' answers.
const DRAIN: Duration = Duration::from_secs(15);
/// How long a scheduled message of a suspended account is put off before it is looked at again.
const SUSPENDED_PAUSE: Duration = Duration::from_secs(600);
/// For this long after a report was kept its message is looked for again: two nodes may have stored
/// the report and the answer at the same moment.
const MEETING: Duration = Duration::from_secs(60);
/// Rows one step of a worker takes.
const STEP: i64 = 2_000;

/// The gateway at work. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    base: Base,
    inner: Arc<Inner>,
}

struct Inner {
    node: NodeId,
    dispatcher: Arc<Dispatcher>,
    requests: mpsc::Sender<Request>,
    entries: mpsc::UnboundedSender<Entry>,
    stopping: AtomicBool,
    /// Whether another node has taken this one's work over.
    lost: watch::Sender<bool>,
    /// Whether the last batch could not be stored.
    unwritable: Arc<AtomicBool>,
    calls: calls::Log,
    workers: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Deref for Gateway {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

impl Gateway {
    /// Starts the workers: connects the carriers, takes over what an earlier run left, and accepts.
    pub async fn start(base: Base, lines: Vec<Line>, routes: Vec<Route>) -> Result<Gateway> {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let node = nodes::enter(&mut tx, now, !base.db.is_shared()).await?;
        nodes::bury(&mut tx, now).await?;
        tx.commit().await?;
        let (requests, requests_in) = mpsc::channel(REQUESTS_MAX);
        let (entries, entries_in) = mpsc::unbounded_channel();
        let (events, events_in) = mpsc::unbounded_channel();
        let dispatcher = Arc::new(Dispatcher::new(routes, entries.clone(), base.clock.clone()));
        let early_possible = base.db.is_shared() || reports::any_kept(&mut *base.db.read().await?).await?;
        let inner = Inner {
            node,
            dispatcher: dispatcher.clone(),
            requests,
            entries,
            stopping: AtomicBool::new(false),
            lost: watch::Sender::new(false),
            unwritable: Arc::default(),
            calls: calls::Log::default(),
            workers: std::sync::Mutex::default(),
        };
        let gateway = Gateway { base, inner: Arc::new(inner) };
        if gateway.db.is_shared() {
            dispatcher.may_until(now.after(nodes::LEASE));
        }
        gateway.take_over().await?;
        for line in lines {
            let connection = (line.connect)(events.clone());
            // To find them takes a look at all that is stored, so only where they are wanted.
            if connection.asks() {
                let since = now.before(REPORTS_AFTER);
                let outstanding =
                    segments::outstanding(&mut *gateway.db.read().await?, &line.name, since).await?;
                let outstanding = outstanding
                    .into_iter()
                    .map(|(remote_id, recipient)| Outstanding { remote_id, recipient });
                connection.watch(outstanding.collect());
            }
            dispatcher.add(line.name, line.message_ids, connection);
        }
        let writer = |requests, entries| -> Result<Writer> {
            Ok(Writer {
                base: gateway.base.apart()?,
                dispatcher: dispatcher.clone(),
                node,
                requests,
                entries,
                message_ids: Ids::default(),
                transfer_ids: Ids::default(),
                paths: Default::default(),
                early_possible,
                pending: Default::default(),
                unwritable: gateway.inner.unwritable.clone(),
            })
        };
        if gateway.db.is_shared() {
            gateway.run_writer(writer(Some(requests_in), None)?)?;
            gateway.run_writer(writer(None, Some(entries_in))?)?;
        } else {
            gateway.run_writer(writer(Some(requests_in), Some(entries_in))?)?;
        }
        gateway.work(pump(dispatcher.clone(), events_in));
        gateway.work(gateway.clone().refill());
        gateway.work(gateway.clone().every_tick());
        gateway.work(gateway.clone().every_second());
        gateway.work(gateway.clone().when_due());
        gateway.work(gateway.clone().forget());
        gateway.work(changes::carry(gateway.base.clone()));
        if gateway.db.is_shared() {
            gateway.work(gateway.clone().keep_lease());
        }
        Ok(gateway)
    }

    /// A writer has a thread of its own, as with SQLite its commits wait for the disk, and a runtime of
    /// its own, so that PostgreSQL's answers reach it on that thread.
    fn run_writer(&self, writer: Writer) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::Fault(format!("the writer cannot be started: {e}")))?;
        let (ended, end) = oneshot::channel::<()>();
        let spawned = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            runtime.block_on(writer.run());
            drop(ended);
        });
        spawned.map_err(|e| Error::Fault(format!("the writer cannot be started: {e}")))?;
        self.work(async move {
            let _ = end.await;
        });
        Ok(())
    }

    fn work(&self, work: impl Future<Output = ()> + Send + 'static) {
        let handle = tokio::spawn(work);
        self.inner.workers.lock().unwrap_or_else(|p| p.into_inner()).push(handle);
    }

    /// Sends a text to one or more numbers. Answers once that is safely stored.
    ///
    /// # Errors
    /// [`SendRefused`] when nothing of the request is stored. A single recipient that is refused is
    /// no error; see [`crate::accept::SentMessage::refused`].
    pub async fn send(
        &self,
        account: &Arc<Account>,
        request: SendRequest,
    ) -> std::result::Result<Sent, SendRefused> {
        let dispatcher = &self.inner.dispatcher;
        let drafts = draft(&self.base, |country| dispatcher.leads_to(country), account, request).await?;
        let (reply, answer) = oneshot::channel();
        if self.inner.stopping.load(Ordering::Relaxed) || *self.inner.lost.borrow() {
            return Err(SendRefused::Busy);
        }
        self.inner.requests.try_send(Request { drafts, reply }).map_err(|_| SendRefused::Busy)?;
        answer.await.unwrap_or(Err(SendRefused::Busy))
    }

    /// Checks a request as [`Gateway::send`] does, without storing, charging or sending anything:
    /// for sandbox keys. Nothing costs anything.
    pub async fn rehearse(
        &self,
        account: &Arc<Account>,
        request: SendRequest,
    ) -> std::result::Result<Sent, SendRefused> {
        let dispatcher = &self.inner.dispatcher;
        let drafts = draft(&self.base, |country| dispatcher.leads_to(country), account, request).await?;
        let path = self.base.path(account).await.map_err(Arc::new)?;
        let state = effective(path.iter().map(|a| a.state));
        if state != AccountState::Active {
            return Err(SendRefused::NotActive { account: account.id, state });
        }
        let mut messages = drafts.answer(|_| None);
        for message in &mut messages {
            message.price = Credits::ZERO;
        }
        let mut conn = self.db.read().await.map_err(Arc::new)?;
        let (wallet, promo) = storage::ledger::balance(&mut conn, account.id).await.map_err(Arc::new)?;
        drop(conn);
        let room = crate::funding::room(&self.base, account).await.map_err(Arc::new)?;
        let own = wallet.checked_add(promo).unwrap_or(wallet);
        Ok(Sent {
            total: Credits::ZERO,
            balance: room.and_then(|room| own.checked_add(room)).unwrap_or(own),
            content: drafts.content.clone(),
            sender: drafts.sender.to_string(),
            messages,
        })
    }

    /// Tells what would become of a message, without sending it: see [`crate::preview`].
    pub async fn preview(
        &self,
        account: &Arc<Account>,
        draft: &crate::preview::Draft,
    ) -> Result<crate::preview::Preview> {
        let dispatcher = &self.inner.dispatcher;
        crate::preview::preview(&self.base, |country| dispatcher.leads_to(country), account, draft).await
    }

    /// Takes back those of an account's messages that are scheduled and not yet sent, and gives
    /// back what they cost. Gives their ids.
    pub async fn cancel(
        &self,
        account: &Account,
        ids: &[MessageId],
        actor: &Actor,
    ) -> Result<Vec<MessageId>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let entry = Entry::Cancel {
            account: account.id,
            root: account.root(),
            ids: ids.to_vec(),
            actor: Box::new(actor.clone()),
            reply,
        };
        let gone = || Error::Gone("the gateway is stopping".to_owned());
        self.inner.entries.send(entry).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Whether this node does what one alone is to do.
    pub async fn is_first(&self) -> Result<bool> {
        let first = nodes::first(&mut *self.db.read().await?).await?;
        Ok(first == Some(self.inner.node))
    }

    /// Waits until another node has taken over this one's work, because it was away too long. Then
    /// nothing is accepted any more: the process is to end, and may be started again.
    pub async fn lost(&self) {
        // The sender lives as long as we do.
        let _ = self.inner.lost.subscribe().wait_for(|lost| *lost).await;
    }

    /// Whether requests are accepted.
    pub fn ready(&self) -> bool {
        !self.inner.stopping.load(Ordering::Relaxed)
            && !*self.inner.lost.borrow()
            && !self.inner.unwritable.load(Ordering::Relaxed)
            && !self.inner.requests.is_closed()
    }

    /// Which carrier takes what.
    pub fn routes(&self) -> &[Route] {
        self.inner.dispatcher.routes()
    }

    /// How the carriers' lines are doing.
    pub fn lines(&self) -> Vec<LineState> {
        self.inner.dispatcher.lines()
    }

    /// The request log of the programs that call this process.
    pub fn calls(&self) -> &calls::Log {
        &self.inner.calls
    }

    /// Ends in order: accepts nothing new, writes the request log to its end, waits for the carriers'
    /// answers, stores them, and gives back what was not handed over. Doors are to be closed before.
    pub async fn stop(&self) {
        if self.inner.stopping.swap(true, Ordering::SeqCst) {
            return;
        }
        self.base.end_looking();
        self.inner.dispatcher.close();
        if let Err(error) = self.inner.calls.store(&self.db).await {
            tracing::warn!(%error, "the last calls could not be written to the request log");
        }
        let mut waited = Duration::ZERO;
        while self.inner.dispatcher.under_way() > 0 && waited < DRAIN {
            tokio::time::sleep(Duration::from_millis(20)).await;
            waited += Duration::from_millis(20);
        }
        // What was answered just now is stored by one more turn of the writer.
        let (reply, stored) = oneshot::channel();
        let nothing = Entry::Cancel {
            account: domain::id::AccountId(0),
            root: domain::id::AccountId(0),
            ids: Vec::new(),
            actor: Box::new(Actor::rule("rule")),
            reply,
        };
        if self.inner.entries.send(nothing).is_ok() {
            let _ = tokio::time::timeout(DRAIN, stored).await;
        }
        if let Err(error) = self.leave(self.inner.dispatcher.unsent()).await {
            tracing::warn!(%error, "what was not sent could not be given back; the next start finds it");
        }
        for worker in self.inner.workers.lock().unwrap_or_else(|p| p.into_inner()).drain(..) {
            worker.abort();
        }
    }

    async fn leave(&self, back: Vec<(MessageId, i64)>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if !nodes::renew(&mut tx, self.inner.node, self.clock.now()).await? {
            // Another node has taken all of it over already.
            return Ok(());
        }
        outbox::mark(&mut tx, &back).await?;
        let ids: Vec<i64> = back.iter().map(|(id, _)| id.0).collect();
        outbox::give_back(&mut tx, &ids).await?;
        nodes::leave(&mut tx, self.inner.node).await?;
        tx.commit().await
    }

    /// Takes what dead nodes left behind: what was never handed over is sent; what may have been is
    /// sent once more or held, as its class says.
    async fn take_over(&self) -> Result<()> {
        loop {
            let mut tx = self.db.begin().await?;
            let left = outbox::left_behind(&mut tx, STEP).await?;
            if left.is_empty() {
                tx.commit().await?;
                break;
            }
            let (mut back, mut again, mut held) = (Vec::new(), Vec::new(), Vec::new());
            for one in &left {
                match one.attempts {
                    0 => back.push(one.message.0),
                    n if one.class.when_lost(n) == WhenLost::Resend => again.push(one.message.0),
                    _ => held.push(one.message),
                }
            }
            tracing::info!(
                never_sent = back.len(),
                sent_again = again.len(),
                held = held.len(),
                "found after a crash"
            );
            storage::messages::possible_duplicates(&mut tx, &again).await?;
            back.extend(again);
            outbox::give_back(&mut tx, &back).await?;
            // Taken in hand by this node until the writer has stored them as unknown.
            let held_ids: Vec<i64> = held.iter().map(|id| id.0).collect();
            outbox::take(&mut tx, &held_ids, self.inner.node).await?;
            tx.commit().await?;
            for message in held {
                let _ = self.inner.entries.send(Entry::Failed {
                    message,
                    status: domain::message::MessageStatus::Unknown,
                    error: Some("the carrier's answer was lost".to_owned()),
                    taken_parts: 0,
                    slots: None,
                });
            }
        }
        self.note_what_waits().await
    }

    /// Brings messages from the outbox into memory as there is room for them.
    async fn refill(self) {
        loop {
            self.inner.dispatcher.refill.notified().await;
            for (key, room) in self.inner.dispatcher.wanted() {
                if let Err(error) = self.claim(key, room).await {
                    tracing::warn!(%error, "messages could not be taken from the outbox; tried again");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    self.inner.dispatcher.refill.notify_one();
                }
            }
        }
    }

    async fn claim(
        &self,
        key: (domain::message::MessageClass, domain::id::AccountId),
        room: usize,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let claimed = outbox::claim(&mut tx, self.inner.node, key.0, key.1, room as i64).await?;
        tx.commit().await?;
        if claimed.len() < room {
            self.inner.dispatcher.exhausted(key);
        }
        self.inner.dispatcher.resume(claimed);
        Ok(())
    }

    async fn every_tick(self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut turn = 0_u32;
        loop {
            ticks.tick().await;
            turn = turn.wrapping_add(1);
            self.inner.dispatcher.tick(turn.is_multiple_of(100));
        }
    }

    async fn every_second(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut turn = 0_u32;
        loop {
            ticks.tick().await;
            turn = turn.wrapping_add(1);
            if let Err(error) = self.housekeeping(turn).await {
                tracing::warn!(%error, "a turn of the workers failed; tried again in a second");
            }
        }
    }

    /// Renews the lease, whatever else there is to do, and looks for nodes whose lease has ended.
    async fn keep_lease(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(2));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut turn = 0_u32;
        loop {
            ticks.tick().await;
            turn = turn.wrapping_add(1);
            match self.renew(turn).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::error!("this node was away too long and its work was taken over; it ends");
                    self.inner.dispatcher.close();
                    self.inner.lost.send_replace(true);
                    return;
                }
                Err(error) => tracing::warn!(%error, "the lease could not be renewed; tried again"),
            }
        }
    }

    async fn renew(&self, turn: u32) -> Result<bool> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let ours = nodes::renew(&mut tx, self.inner.node, now).await?;
        let died = nodes::bury(&mut tx, now).await?;
        tx.commit().await?;
        if !ours {
            return Ok(false);
        }
        self.inner.dispatcher.may_until(now.after(nodes::LEASE));
        // Whoever buried a node may itself have died before it took over its work.
        if died || turn.is_multiple_of(15) {
            self.take_over().await?;
        }
        Ok(true)
    }

    /// Sends what was scheduled when its time comes.
    async fn when_due(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.send_what_is_due().await {
                tracing::warn!(%error, "scheduled messages could not be sent; tried again in a second");
            }
        }
    }

    async fn housekeeping(&self, turn: u32) -> Result<()> {
        self.base.refresh().await?;
        self.db.checkpoint().await?;
        let now = self.clock.now();
        if self.inner.unwritable.load(Ordering::Relaxed) {
            // Perhaps nobody asks for anything while we are not ready, so we ask ourselves.
            let mut tx = self.db.begin().await?;
            nodes::renew(&mut tx, self.inner.node, now).await?;
            tx.commit().await?;
            self.inner.unwritable.store(false, Ordering::Relaxed);
        }
        if turn.is_multiple_of(30) {
            self.retry_refunds().await?;
            self.note_what_waits().await?;
        }
        if self.db.is_shared() && turn.is_multiple_of(5) {
            let met = reports::met(&mut *self.db.read().await?, now.before(MEETING)).await?;
            if !met.is_empty() {
                let _ = self.inner.entries.send(Entry::Kept(met));
            }
        }
        Ok(())
    }

    /// Forgets every ten minutes what nobody asks for any more.
    async fn forget(self) {
        let mut ticks = tokio::time::interval(FORGET_PAUSE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.forget_what_is_over().await {
                tracing::warn!(%error, "what is over could not be forgotten; tried again later");
            }
        }
    }

    /// Forgets reports whose message never came, and the names that carriers gave to what has long come
    /// to its end. Done every ten minutes by itself, in steps so small that no request waits for them.
    /// Tells how many names were forgotten.
    pub async fn forget_what_is_over(&self) -> Result<u64> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        reports::forget(&mut tx, now.before(REPORTS_AFTER)).await?;
        tx.commit().await?;
        let (ended, silent) = (now.before(SEGMENTS_KEPT), now.before(SILENT_SEGMENTS_KEPT));
        let (mut after, mut forgotten) = (Some(i64::MIN), 0);
        while let Some(from) = after {
            let unused =
                segments::unused(&mut *self.db.read().await?, from, ended, silent, FORGET_STEP).await?;
            if !unused.ids.is_empty() {
                let mut tx = self.db.begin().await?;
                forgotten += segments::forget(&mut tx, &unused.ids).await?;
                tx.commit().await?;
            }
            after = unused.after;
            tokio::task::yield_now().await;
        }
        Ok(forgotten)
    }

    /// Tries the refunds again that had to wait until an account above can give its margin back. Done
    /// every half minute by itself.
    pub async fn retry_refunds(&self) -> Result<()> {
        let due = jobs::due(&mut *self.db.read().await?, REFUND_JOB, self.clock.now(), STEP).await?;
        if !due.is_empty() {
            let ids = due.iter().map(|job| MessageId(job.reference)).collect();
            let _ = self.inner.entries.send(Entry::Refund(ids));
        }
        Ok(())
    }

    /// Scheduled messages whose time has come go into the outbox proper; those of an account that
    /// may not send now are put off.
    async fn send_what_is_due(&self) -> Result<()> {
        for step in 0.. {
            let now = self.clock.now();
            let due = outbox::due(&mut *self.db.read().await?, now, STEP).await?;
            if due.is_empty() && step == 0 {
                return Ok(());
            }
            let (mut ready, mut waiting) = (Vec::new(), Vec::new());
            for (message, account) in &due {
                let Some(account) = self.base.account(*account).await? else { continue };
                let path = self.base.path(&account).await?;
                let active = effective(path.iter().map(|a| a.state)) == AccountState::Active;
                if active { ready.push(message.0) } else { waiting.push(message.0) }
            }
            let mut tx = self.db.begin().await?;
            outbox::set_due(&mut tx, &ready, None).await?;
            outbox::set_due(&mut tx, &waiting, Some(now.after(SUSPENDED_PAUSE))).await?;
            tx.commit().await?;
            // To find the trees takes as long as what waits, so not at every step.
            let last = (due.len() as i64) < STEP;
            if last || step % 16 == 0 {
                self.note_what_waits().await?;
            }
            if last {
                break;
            }
        }
        Ok(())
    }

    async fn note_what_waits(&self) -> Result<()> {
        for key in outbox::waiting_trees(&mut *self.db.read().await?).await? {
            self.inner.dispatcher.note_backlog(key);
        }
        Ok(())
    }
}

/// Carries what lines tell to the dispatcher.
async fn pump(dispatcher: Arc<Dispatcher>, mut events: mpsc::UnboundedReceiver<Event>) {
    let mut came = Vec::with_capacity(1024);
    while events.recv_many(&mut came, 1024).await > 0 {
        dispatcher.events(&mut came);
    }
}
