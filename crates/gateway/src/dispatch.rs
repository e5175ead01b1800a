//! Who is sent next, and by which carrier. Messages wait in one fair queue a carrier: the most
//! urgent class first, round robin over trees within a class. A message is handed over only when
//! the books say so (its attempt is stored before its first byte leaves), and its place in the
//! carrier's window is free again only when the answer is stored. So after a crash no more messages
//! than the window holds can have gone out without the books knowing.

use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use carriers::{Answer, Connection, Event, Outcome, Submission, Width};
use domain::carrier::IdSpelling;
use domain::id::{AccountId, MessageId};
use domain::message::{MessageClass, MessageStatus, WhenLost};
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::route::{self, Route};
use domain::sender_id::SenderId;
use storage::outbox::Waiting;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::clock::Clock;
use crate::recent::{MINUTES, Recent, Said, minute_of};
use crate::report::Entry;

/// Messages of one tree and class held in memory; further ones wait in the outbox.
const IN_HAND_MAX: usize = 2_000;
/// Messages held in memory in all.
const IN_HAND_TOTAL_MAX: usize = 20_000;

/// A carrier to be connected.
pub struct Line {
    /// Its name.
    pub name: Arc<str>,
    /// How its reports spell its ids.
    pub message_ids: IdSpelling,
    /// Opens the line; it tells what happens through the sender.
    pub connect: Box<dyn FnOnce(UnboundedSender<Event>) -> Arc<dyn Connection> + Send>,
}

/// Places in a carrier's window, to be given back when what they were taken for is stored.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    carrier: usize,
    root: AccountId,
    count: usize,
}

/// How a line is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineState {
    /// The carrier's name.
    pub name: Arc<str>,
    /// How many submissions it can hold unanswered; 0 is down.
    pub room: usize,
    /// How many places of the room are taken.
    pub used: usize,
    /// Messages waiting for it in memory.
    pub queued: usize,
    /// How many sessions it has and how wide they are, where it has such.
    pub width: Option<Width>,
    /// Since when it is up, or down.
    pub since: Moment,
    /// What it said in each of the last minutes, the newest first.
    pub minutes: [Said; MINUTES],
}

impl LineState {
    /// What it said in so many minutes up to now.
    pub fn said(&self, minutes: usize) -> Said {
        let mut said = Said::default();
        self.minutes.iter().take(minutes).for_each(|minute| said.add(minute));
        said
    }
}

/// Hands messages to carriers. All of it is quick and none of it waits, so one lock is enough.
pub struct Dispatcher {
    state: Mutex<State>,
    routes: Vec<Route>,
    entries: UnboundedSender<Entry>,
    clock: Clock,
    /// Until when this node may hand messages over: beyond its lease another one may do so.
    lease_until: AtomicI64,
    /// Told when there is room in memory for a tree that waits in the outbox.
    pub refill: Notify,
}

struct State {
    carriers: Vec<CarrierLine>,
    in_flight: HashMap<MessageId, InFlight>,
    in_hand: HashMap<(MessageClass, AccountId), usize>,
    in_hand_total: usize,
    backlog: HashMap<(MessageClass, AccountId), Backlog>,
    delayed: BinaryHeap<Delayed>,
    /// Messages that would have been handed over, but the lease had ended.
    stalled: Vec<MessageId>,
    /// Batches that were planned and are not yet stored.
    planned: usize,
    closing: bool,
    /// Which minute it is, by the last tick.
    minute: i64,
}

/// A tree that waits in the outbox.
#[derive(Default)]
struct Backlog {
    /// Batches that are adding to it and have not committed.
    adding: usize,
    /// Whether any has begun to since the outbox was last asked for more.
    added: bool,
}

struct CarrierLine {
    name: Arc<str>,
    message_ids: IdSpelling,
    connection: Arc<dyn Connection>,
    room: usize,
    used: usize,
    used_by_root: HashMap<AccountId, usize>,
    queue: FairQueue,
    /// Messages in flight with parts that found no place yet.
    partial: VecDeque<MessageId>,
    /// Since when it is up, or down.
    since: Moment,
    recent: Recent,
}

impl CarrierLine {
    fn free(&self) -> usize {
        self.room.saturating_sub(self.used)
    }

    /// How many places one tree may take: a few are kept for others, so that who comes next finds
    /// one however slowly the carrier answers.
    fn room_of_one(&self) -> usize {
        (self.room - self.room / 8).max(1)
    }

    fn root_fits(&self, root: AccountId, class: MessageClass) -> bool {
        class == MessageClass::Otp || self.used_by_root.get(&root).copied().unwrap_or(0) < self.room_of_one()
    }

    fn take(&mut self, root: AccountId, count: usize) {
        self.used += count;
        *self.used_by_root.entry(root).or_default() += count;
    }

    fn give(&mut self, root: AccountId, count: usize) {
        self.used = self.used.saturating_sub(count);
        if let Some(used) = self.used_by_root.get_mut(&root) {
            *used = used.saturating_sub(count);
            if *used == 0 {
                self.used_by_root.remove(&root);
            }
        }
    }
}

/// A message that waits.
struct Item {
    waiting: Waiting,
    /// Whether the attempt it is about to make is stored already.
    marked: bool,
}

/// A message that was handed over, or is about to be.
struct InFlight {
    waiting: Waiting,
    carrier: usize,
    /// Parts that have not been given to the line.
    to_send: VecDeque<u8>,
    /// Places taken for parts not given to the line yet.
    places: usize,
    /// Parts given to the line and not answered.
    unanswered: usize,
    refused: Option<String>,
    refused_parts: usize,
    later: Option<Duration>,
    lost: usize,
}

/// A message that is tried again at a later time.
struct Delayed {
    at: Moment,
    item: Item,
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Delayed {}
impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Delayed {
    /// The earliest is the greatest, so that it comes out of the heap first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.at.cmp(&self.at)
    }
}

/// Waiting messages of one carrier.
#[derive(Default)]
struct FairQueue {
    classes: [Ring; 3],
    turn: usize,
    len: usize,
}

#[derive(Default)]
struct Ring {
    order: VecDeque<AccountId>,
    by_root: HashMap<AccountId, VecDeque<Item>>,
}

impl FairQueue {
    fn push_back(&mut self, item: Item) {
        self.queue_of(&item).push_back(item);
        self.len += 1;
    }

    fn push_front(&mut self, item: Item) {
        self.queue_of(&item).push_front(item);
        self.len += 1;
    }

    fn queue_of(&mut self, item: &Item) -> &mut VecDeque<Item> {
        let ring = &mut self.classes[item.waiting.class as usize];
        let root = item.waiting.root;
        if !ring.by_root.contains_key(&root) {
            ring.order.push_back(root);
        }
        ring.by_root.entry(root).or_default()
    }

    /// The next message of a tree that `may` send. Urgent classes come first, but of sixteen turns
    /// one begins with the last class and one with the middle one, so that none waits for ever.
    fn pop(&mut self, may: impl Fn(AccountId, MessageClass) -> bool) -> Option<Item> {
        if self.len == 0 {
            return None;
        }
        self.turn = self.turn.wrapping_add(1);
        let order = match self.turn % 16 {
            7 => [1, 0, 2],
            15 => [2, 1, 0],
            _ => [0, 1, 2],
        };
        for class in order {
            let ring = &mut self.classes[class];
            for _ in 0..ring.order.len() {
                let Some(root) = ring.order.pop_front() else { break };
                if !may(root, MessageClass::ALL[class]) {
                    ring.order.push_back(root);
                    continue;
                }
                let Some(queue) = ring.by_root.get_mut(&root) else { continue };
                let item = queue.pop_front();
                if queue.is_empty() {
                    ring.by_root.remove(&root);
                } else {
                    ring.order.push_back(root);
                }
                if item.is_some() {
                    self.len -= 1;
                    return item;
                }
            }
        }
        None
    }

    fn drain(&mut self) -> Vec<Item> {
        let mut all = Vec::with_capacity(self.len);
        for ring in &mut self.classes {
            ring.order.clear();
            all.extend(ring.by_root.drain().flat_map(|(_, queue)| queue));
        }
        self.len = 0;
        all.sort_by_key(|item| item.waiting.id);
        all
    }
}

impl Dispatcher {
    pub(crate) fn new(routes: Vec<Route>, entries: UnboundedSender<Entry>, clock: Clock) -> Dispatcher {
        let state = State {
            carriers: Vec::new(),
            in_flight: HashMap::new(),
            in_hand: HashMap::new(),
            in_hand_total: 0,
            backlog: HashMap::new(),
            delayed: BinaryHeap::new(),
            stalled: Vec::new(),
            planned: 0,
            closing: false,
            minute: minute_of(clock.now()),
        };
        let lease_until = AtomicI64::new(i64::MAX);
        Dispatcher { state: Mutex::new(state), routes, entries, clock, lease_until, refill: Notify::new() }
    }

    /// Notes until when this node may hand messages over. Whoever says nothing may for ever.
    pub(crate) fn may_until(&self, until: Moment) {
        self.lease_until.store(until.0, Ordering::Release);
    }

    fn may_now(&self) -> bool {
        self.clock.now().0 < self.lease_until.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self, name: Arc<str>, message_ids: IdSpelling, connection: Arc<dyn Connection>) {
        self.lock().carriers.push(CarrierLine {
            name,
            message_ids,
            connection,
            room: 0,
            used: 0,
            used_by_root: HashMap::new(),
            queue: FairQueue::default(),
            partial: VecDeque::new(),
            since: self.clock.now(),
            recent: Recent::default(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Whether any route leads to a country.
    pub fn leads_to(&self, country: Option<Country>) -> bool {
        self.routes.iter().any(|r| r.leads_to(country))
    }

    /// How the lines are doing.
    pub fn lines(&self) -> Vec<LineState> {
        let state = self.lock();
        let line = |c: &CarrierLine| LineState {
            name: c.name.clone(),
            room: c.room,
            used: c.used,
            queued: c.queue.len,
            width: c.connection.width(),
            since: c.since,
            minutes: c.recent.minutes(state.minute),
        };
        state.carriers.iter().map(line).collect()
    }

    /// What one batch brings about, decided before it is stored. The places that it makes free go to
    /// messages that wait, whose attempts are stored with it; each new message is either given a place
    /// at once (its first attempt is stored with it), kept in memory, or left in the outbox. To be
    /// followed by [`Dispatcher::committed`] or [`Dispatcher::rolled_back`].
    pub(crate) fn plan(&self, messages: Vec<Waiting>, freed: &[Slots]) -> Plan {
        let mut state = self.lock();
        state.planned += 1;
        let mut plan = Plan::default();
        if !freed.is_empty() && !state.closing && self.may_now() {
            for i in 0..state.carriers.len() {
                let leaving = Leaving::of(freed, i);
                let line = &state.carriers[i];
                // Parts of messages that have begun come first.
                let begun = line.partial.iter().filter_map(|id| state.in_flight.get(id));
                let begun: usize = begun.map(|f| f.to_send.len().saturating_sub(f.places)).sum();
                let free = (line.room + leaving.count).saturating_sub(line.used + begun);
                plan.next.extend(self.reserve(&mut state, i, free, &leaving));
            }
        }
        for mut waiting in messages {
            let key = (waiting.class, waiting.root);
            if !state.closing
                && let Some(carrier) = self.carrier_for(&state, &waiting)
                && state.fits_at_once(carrier, &waiting)
            {
                waiting.attempts = 1;
                plan.at_once.push(waiting.id);
                state.put_in_flight(carrier, waiting, usize::MAX);
            } else if !state.closing && state.may_hold(key) {
                state.hold(key, 1);
                plan.held.push(waiting);
            } else {
                let backlog = state.backlog.entry(key).or_default();
                (backlog.adding, backlog.added) = (backlog.adding + 1, true);
                plan.left.push((key, waiting.id));
            }
        }
        plan
    }

    /// The batch is stored: the places it made free are, what has a place is sent, what is held waits
    /// its turn.
    pub(crate) fn committed(&self, plan: Plan, freed: &[Slots], marked: &[MessageId]) {
        let mut state = self.lock();
        state.planned = state.planned.saturating_sub(1);
        if plan.is_empty() && freed.is_empty() && marked.is_empty() {
            return;
        }
        for slot in freed {
            state.carriers[slot.carrier].give(slot.root, slot.count);
        }
        for id in marked {
            self.submit(&mut state, *id);
        }
        for id in plan.next.iter().map(|next| next.id).chain(plan.at_once) {
            self.submit(&mut state, id);
        }
        for waiting in plan.held {
            self.enqueue(&mut state, Item { waiting, marked: false }, false);
        }
        for (key, _) in plan.left {
            if let Some(backlog) = state.backlog.get_mut(&key) {
                backlog.adding = backlog.adding.saturating_sub(1);
            }
        }
        self.pump(&mut state);
        self.ask_for_more(&state);
    }

    /// Places are free without anything having been stored.
    pub(crate) fn free(&self, slots: &[Slots]) {
        let mut state = self.lock();
        for slot in slots {
            state.carriers[slot.carrier].give(slot.root, slot.count);
        }
        self.pump(&mut state);
    }

    /// The batch was not stored: nothing of it is sent, and what waited waits on.
    pub(crate) fn rolled_back(&self, plan: Plan) {
        let mut state = self.lock();
        state.planned = state.planned.saturating_sub(1);
        for next in plan.next.into_iter().rev() {
            let Some(mut flight) = state.in_flight.remove(&next.id) else { continue };
            let root = flight.waiting.root;
            state.carriers[flight.carrier].give(root, flight.places);
            flight.waiting.attempts -= i64::from(next.attempt.is_some());
            state.hold((flight.waiting.class, root), 1);
            self.enqueue(&mut state, Item { waiting: flight.waiting, marked: next.attempt.is_none() }, true);
        }
        for id in plan.at_once {
            if let Some(flight) = state.in_flight.remove(&id) {
                state.carriers[flight.carrier].give(flight.waiting.root, flight.places);
            }
        }
        for waiting in plan.held {
            state.let_go((waiting.class, waiting.root));
        }
        for (key, _) in plan.left {
            if let Some(backlog) = state.backlog.get_mut(&key) {
                backlog.adding = backlog.adding.saturating_sub(1);
            }
        }
        self.pump(&mut state);
    }

    /// Takes in messages claimed from the outbox.
    pub(crate) fn resume(&self, messages: Vec<Waiting>) {
        let mut state = self.lock();
        for waiting in messages {
            state.hold((waiting.class, waiting.root), 1);
            self.enqueue(&mut state, Item { waiting, marked: false }, false);
        }
        self.pump(&mut state);
    }

    /// Notes that a tree waits in the outbox.
    pub(crate) fn note_backlog(&self, key: (MessageClass, AccountId)) {
        let mut state = self.lock();
        state.backlog.entry(key).or_default();
        self.ask_for_more(&state);
    }

    /// The trees that wait in the outbox and have room in memory, and how many messages each.
    pub(crate) fn wanted(&self) -> Vec<((MessageClass, AccountId), usize)> {
        let state = &mut *self.lock();
        if state.closing {
            return Vec::new();
        }
        let mut total = IN_HAND_TOTAL_MAX.saturating_sub(state.in_hand_total);
        let mut wanted = Vec::new();
        for (key, backlog) in &mut state.backlog {
            let held = state.in_hand.get(key).copied().unwrap_or(0);
            let room = IN_HAND_MAX.saturating_sub(held).min(total);
            if held <= IN_HAND_MAX / 2 && room > 0 {
                total -= room;
                backlog.added = backlog.adding > 0;
                wanted.push((*key, room));
            }
        }
        wanted
    }

    /// Notes that the outbox gave all it had of a tree.
    pub(crate) fn exhausted(&self, key: (MessageClass, AccountId)) {
        let mut state = self.lock();
        if state.backlog.get(&key).is_some_and(|b| b.adding == 0 && !b.added) {
            state.backlog.remove(&key);
        }
    }

    fn ask_for_more(&self, state: &State) {
        let wants =
            |key: &(MessageClass, AccountId)| state.in_hand.get(key).copied().unwrap_or(0) <= IN_HAND_MAX / 2;
        if state.in_hand_total < IN_HAND_TOTAL_MAX && state.backlog.keys().any(wants) {
            self.refill.notify_one();
        }
    }

    /// Takes in what lines tell.
    pub(crate) fn events(&self, events: &mut Vec<Event>) {
        let mut state = self.lock();
        for event in events.drain(..) {
            match event {
                Event::Room { carrier, slots } => {
                    let Some(line) = state.carriers.iter_mut().find(|c| c.name == carrier) else { continue };
                    let turned = (line.room == 0) != (slots == 0);
                    line.room = slots;
                    if turned {
                        line.since = self.clock.now();
                        tracing::info!(carrier = %carrier, slots, "a carrier is {}", if slots == 0 { "down" } else { "up" });
                        self.route_again(&mut state);
                    }
                }
                Event::Answer(answer) => self.answered(&mut state, answer),
                Event::Report(report) => {
                    let minute = state.minute;
                    let line = state.carriers.iter_mut().find(|c| c.name == report.carrier);
                    let mut spelling = IdSpelling::Auto;
                    if let Some(line) = line {
                        spelling = line.message_ids;
                        let said = line.recent.at(minute);
                        match report.state.status() {
                            Some(MessageStatus::Delivered) => said.delivered += 1,
                            Some(status) if status.is_final() && status != MessageStatus::Unknown => {
                                said.failed += 1
                            }
                            _ => {}
                        }
                    }
                    let candidates = spelling.candidates(&report.remote_id);
                    let _ = self.entries.send(Entry::Report { report, candidates });
                }
            }
        }
        self.pump(&mut state);
    }

    /// Brings delayed messages back whose time has come; with `sweep` also lets go of those that
    /// wait for a carrier that is down and have waited too long.
    pub(crate) fn tick(&self, sweep: bool) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.minute = minute_of(now);
        while state.delayed.peek().is_some_and(|d| d.at <= now) {
            let Some(delayed) = state.delayed.pop() else { break };
            self.enqueue(&mut state, delayed.item, true);
        }
        if self.may_now() {
            for id in std::mem::take(&mut state.stalled) {
                self.submit(&mut state, id);
            }
        }
        for i in 0..state.carriers.len() {
            if sweep && state.carriers[i].room == 0 && state.carriers[i].queue.len > 0 {
                for item in state.carriers[i].queue.drain() {
                    self.enqueue(&mut state, item, false);
                }
            }
        }
        self.pump(&mut state);
        self.ask_for_more(&state);
    }

    /// Begins an orderly end: nothing new is handed over.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        // What was to be handed over and is not yet, waits like the others.
        let unsent = state.in_flight.extract_if(|_, flight| flight.unanswered == 0);
        let unsent: Vec<Item> = unsent.map(|(_, f)| Item { waiting: f.waiting, marked: true }).collect();
        for item in unsent {
            self.enqueue(&mut state, item, false);
        }
        for carrier in &state.carriers {
            carrier.connection.close();
        }
    }

    /// At the end, gives the messages in memory that no carrier has, and how often each was handed
    /// over before. What a carrier gave back unsent meanwhile is among them.
    pub(crate) fn unsent(&self) -> Vec<(MessageId, i64)> {
        let mut state = self.lock();
        let mut items: Vec<Item> = state.delayed.drain().map(|d| d.item).collect();
        for carrier in &mut state.carriers {
            items.extend(carrier.queue.drain());
        }
        state.in_hand.clear();
        state.in_hand_total = 0;
        let attempts = |item: &Item| item.waiting.attempts - i64::from(item.marked);
        items.iter().map(|item| (item.waiting.id, attempts(item))).collect()
    }

    /// Messages handed over whose answer is still to come, and batches that are being stored.
    pub(crate) fn under_way(&self) -> usize {
        let state = self.lock();
        state.in_flight.len() + state.planned
    }

    fn carrier_for(&self, state: &State, waiting: &Waiting) -> Option<usize> {
        let index = |name: &str| state.carriers.iter().position(|c| &*c.name == name);
        let country = Country::parse(&waiting.country);
        let up = |name: &str| index(name).is_some_and(|i| state.carriers[i].room > 0);
        if !waiting.taken.is_empty() {
            // The other parts go by a carrier that sends parts, so that the handset can join them; only
            // where there is none, the whole message goes once more.
            let splits =
                |route: &&Route| index(&route.carrier).is_some_and(|i| state.carriers[i].connection.splits());
            let routes: Vec<Route> = self.routes.iter().filter(splits).cloned().collect();
            if let Some(route) = route::choose(&routes, country, up) {
                return index(&route.carrier);
            }
        }
        route::choose(&self.routes, country, up).and_then(|r| index(&r.carrier))
    }

    fn enqueue(&self, state: &mut State, item: Item, at_the_front: bool) {
        if item.waiting.expires_at <= self.clock.now() {
            state.let_go((item.waiting.class, item.waiting.root));
            self.fail(
                state,
                &item.waiting,
                MessageStatus::Expired,
                Some("it could not be sent in time".into()),
                None,
            );
            return;
        }
        match self.carrier_for(state, &item.waiting) {
            Some(carrier) if at_the_front => state.carriers[carrier].queue.push_front(item),
            Some(carrier) => state.carriers[carrier].queue.push_back(item),
            // The route was taken out of the settings after the message was accepted.
            None => {
                let at = self.clock.now().after(Duration::from_secs(30));
                state.delayed.push(Delayed { at, item });
            }
        }
    }

    fn route_again(&self, state: &mut State) {
        let waiting: Vec<Item> = state.carriers.iter_mut().flat_map(|c| c.queue.drain()).collect();
        for item in waiting {
            self.enqueue(state, item, false);
        }
    }

    /// Fills the free places of every carrier.
    fn pump(&self, state: &mut State) {
        if state.closing || !self.may_now() {
            return;
        }
        let mut marks = Vec::new();
        for i in 0..state.carriers.len() {
            while state.carriers[i].free() > 0
                && let Some(id) = state.carriers[i].partial.pop_front()
            {
                state.give_places(id);
                self.submit(state, id);
            }
            let free = state.carriers[i].free();
            for next in self.reserve(state, i, free, &Leaving::default()) {
                match next.attempt {
                    Some(attempt) => marks.push((next.id, attempt)),
                    None => self.submit(state, next.id),
                }
            }
        }
        if !marks.is_empty() {
            let _ = self.entries.send(Entry::Mark(marks));
        }
    }

    /// Gives places of a carrier to the messages whose turn it is.
    fn reserve(&self, state: &mut State, carrier: usize, places: usize, leaving: &Leaving) -> Vec<Next> {
        let mut free = places;
        let mut reserved = Vec::new();
        while free > 0 {
            let line = &mut state.carriers[carrier];
            let (used_by_root, most) = (&line.used_by_root, line.room_of_one());
            let used = |root: AccountId| {
                let used = used_by_root.get(&root).copied().unwrap_or(0);
                used.saturating_sub(leaving.by_root.get(&root).copied().unwrap_or(0))
            };
            let may = |root: AccountId, class: MessageClass| class == MessageClass::Otp || used(root) < most;
            let Some(Item { mut waiting, marked }) = line.queue.pop(may) else { break };
            state.let_go((waiting.class, waiting.root));
            if waiting.expires_at <= self.clock.now() {
                let error = Some("it could not be sent in time".into());
                self.fail(state, &waiting, MessageStatus::Expired, error, None);
                continue;
            }
            waiting.attempts += i64::from(!marked);
            let attempt = (!marked).then_some(waiting.attempts);
            reserved.push(Next { id: waiting.id, attempt });
            free -= state.put_in_flight(carrier, waiting, free);
        }
        reserved
    }

    /// Hands a message over, unless the lease has ended.
    fn submit(&self, state: &mut State, id: MessageId) {
        if self.may_now() {
            state.hand_over(id, self.clock.now());
        } else {
            state.stalled.push(id);
        }
    }

    fn answered(&self, state: &mut State, answer: Answer) {
        let Some(flight) = state.in_flight.get_mut(&answer.message) else { return };
        let carrier = flight.carrier;
        let root = flight.waiting.root;
        if state.carriers[carrier].name != answer.carrier || flight.unanswered == 0 {
            return;
        }
        flight.unanswered -= 1;
        let said = state.carriers[carrier].recent.at(state.minute);
        match answer.outcome {
            Outcome::Taken { .. } => said.taken += 1,
            Outcome::Refused { .. } => said.refused += 1,
            Outcome::Later { .. } | Outcome::NotSent => said.later += 1,
            Outcome::Lost => said.lost += 1,
        }
        match answer.outcome {
            Outcome::Taken { remote_id } => {
                flight.waiting.taken.push(answer.part);
                let complete = flight.to_send.is_empty()
                    && flight.unanswered == 0
                    && flight.refused.is_none()
                    && flight.later.is_none()
                    && flight.lost == 0;
                let line = &state.carriers[carrier];
                let _ = self.entries.send(Entry::Taken {
                    message: answer.message,
                    account: flight.waiting.account,
                    part: answer.part,
                    carrier: line.name.clone(),
                    remote_id: line.message_ids.stored(&remote_id),
                    complete,
                    slots: Slots { carrier, root, count: 1 },
                });
                if complete {
                    state.in_flight.remove(&answer.message);
                    return;
                }
            }
            Outcome::Refused { reason } => {
                flight.refused_parts += 1;
                flight.refused = Some(reason);
            }
            Outcome::Later { reason, after } => {
                tracing::debug!(message = %answer.message, reason, "a carrier says later");
                flight.later = Some(flight.later.map_or(after, |d| d.max(after)));
                state.carriers[carrier].give(root, 1);
            }
            Outcome::NotSent => {
                flight.later = Some(flight.later.unwrap_or(Duration::ZERO));
                state.carriers[carrier].give(root, 1);
            }
            Outcome::Lost => flight.lost += 1,
        }
        if state.in_flight.get(&answer.message).is_some_and(|f| f.unanswered == 0) {
            self.settle(state, answer.message);
        }
    }

    /// Every part that was given has been answered, and not all were taken.
    fn settle(&self, state: &mut State, id: MessageId) {
        let closing = state.closing;
        let stopped = |f: &InFlight| closing || f.refused.is_some() || f.later.is_some() || f.lost > 0;
        let Some(flight) = state.in_flight.get(&id) else { return };
        if !stopped(flight) && !flight.to_send.is_empty() {
            return; // More parts follow as places become free.
        }
        let Some(mut flight) = state.in_flight.remove(&id) else { return };
        let (carrier, root) = (flight.carrier, flight.waiting.root);
        // Places taken for parts that will not be sent now.
        state.carriers[carrier].give(root, flight.places);
        state.carriers[carrier].partial.retain(|p| *p != id);
        let held = Slots { carrier, root, count: flight.refused_parts + flight.lost };
        if let Some(reason) = flight.refused.take() {
            self.fail(state, &flight.waiting, MessageStatus::Rejected, Some(reason), Some(held));
            return;
        }
        let key = (flight.waiting.class, root);
        if flight.lost > 0 {
            match flight.waiting.class.when_lost(flight.waiting.attempts) {
                WhenLost::Hold => {
                    let reason = "the carrier's answer was lost".to_owned();
                    self.fail(state, &flight.waiting, MessageStatus::Unknown, Some(reason), Some(held));
                }
                WhenLost::Resend => {
                    // The next attempt is stored before it is made, so the places are free.
                    state.carriers[carrier].give(root, held.count);
                    state.hold(key, 1);
                    self.again(state, Item { waiting: flight.waiting, marked: false }, flight.later);
                }
            }
            return;
        }
        state.hold(key, 1);
        self.again(state, Item { waiting: flight.waiting, marked: true }, flight.later);
    }

    fn again(&self, state: &mut State, item: Item, after: Option<Duration>) {
        match after.filter(|d| !d.is_zero()) {
            None => self.enqueue(state, item, true),
            Some(after) => {
                let at = self.clock.now().after(after);
                state.delayed.push(Delayed { at, item });
            }
        }
    }

    fn fail(
        &self,
        _: &mut State,
        waiting: &Waiting,
        status: MessageStatus,
        error: Option<String>,
        slots: Option<Slots>,
    ) {
        let _ = self.entries.send(Entry::Failed {
            message: waiting.id,
            status,
            error,
            taken_parts: waiting.taken.len() as i64,
            slots,
        });
    }
}

impl State {
    fn may_hold(&self, key: (MessageClass, AccountId)) -> bool {
        self.in_hand_total < IN_HAND_TOTAL_MAX
            && !self.backlog.contains_key(&key)
            && self.in_hand.get(&key).copied().unwrap_or(0) < IN_HAND_MAX
    }

    fn hold(&mut self, key: (MessageClass, AccountId), count: usize) {
        *self.in_hand.entry(key).or_default() += count;
        self.in_hand_total += count;
    }

    fn let_go(&mut self, key: (MessageClass, AccountId)) {
        self.in_hand_total = self.in_hand_total.saturating_sub(1);
        if let Some(held) = self.in_hand.get_mut(&key) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.in_hand.remove(&key);
            }
        }
    }

    /// The parts of a message that a line is to be given, in order.
    fn parts_of(&self, carrier: usize, waiting: &Waiting) -> VecDeque<u8> {
        if !self.carriers[carrier].connection.splits() {
            return VecDeque::from([0]);
        }
        (0..waiting.segments).filter(|part| !waiting.taken.contains(part)).collect()
    }

    /// Whether a new message may pass by the queue: nobody waits, and all of it fits.
    fn fits_at_once(&self, carrier: usize, waiting: &Waiting) -> bool {
        let line = &self.carriers[carrier];
        line.queue.len == 0
            && line.partial.is_empty()
            && line.free() >= usize::from(waiting.segments)
            && line.root_fits(waiting.root, waiting.class)
    }

    /// Notes a message as about to be handed over. Gives how many places it took.
    fn put_in_flight(&mut self, carrier: usize, waiting: Waiting, places_max: usize) -> usize {
        let to_send = self.parts_of(carrier, &waiting);
        let places = to_send.len().min(places_max);
        self.carriers[carrier].take(waiting.root, places);
        let id = waiting.id;
        let flight = InFlight {
            waiting,
            carrier,
            to_send,
            places,
            unanswered: 0,
            refused: None,
            refused_parts: 0,
            later: None,
            lost: 0,
        };
        self.in_flight.insert(id, flight);
        places
    }

    /// Takes the free places for parts of a message that found none before.
    fn give_places(&mut self, id: MessageId) {
        let Some(flight) = self.in_flight.get_mut(&id) else { return };
        let line = &mut self.carriers[flight.carrier];
        let places = line.free().min(flight.to_send.len().saturating_sub(flight.places));
        line.take(flight.waiting.root, places);
        flight.places += places;
    }

    /// Gives a line as many parts of a message as there are places for.
    fn hand_over(&mut self, id: MessageId, now: Moment) {
        let Some(flight) = self.in_flight.get_mut(&id) else { return };
        let line = &mut self.carriers[flight.carrier];
        let waiting = &flight.waiting;
        while flight.places > 0
            && let Some(part) = flight.to_send.pop_front()
        {
            flight.places -= 1;
            flight.unanswered += 1;
            line.connection.submit(Submission {
                message: id,
                part,
                content: waiting.content.clone(),
                flash: waiting.flash,
                sender: SenderId::stored(&waiting.sender),
                recipient: waiting.recipient,
                validity_minutes: minutes_left(waiting, now),
                class: waiting.class,
            });
        }
        if !flight.to_send.is_empty() && !line.partial.contains(&id) {
            line.partial.push_back(id);
        }
    }
}

/// How long a carrier may try a message: what it has waited here is over.
fn minutes_left(waiting: &Waiting, now: Moment) -> u32 {
    let left = waiting.expires_at.since(now).as_secs().div_ceil(60);
    u32::try_from(left).unwrap_or(u32::MAX).clamp(1, waiting.validity_minutes.max(1))
}

/// A message whose turn it is.
pub(crate) struct Next {
    pub id: MessageId,
    /// The how-manieth attempt, where that is still to be stored.
    pub attempt: Option<i64>,
}

/// The places of one carrier that a batch makes free.
#[derive(Default)]
struct Leaving {
    count: usize,
    by_root: HashMap<AccountId, usize>,
}

impl Leaving {
    fn of(freed: &[Slots], carrier: usize) -> Leaving {
        let mut leaving = Leaving::default();
        for slots in freed.iter().filter(|slots| slots.carrier == carrier) {
            leaving.count += slots.count;
            *leaving.by_root.entry(slots.root).or_default() += slots.count;
        }
        leaving
    }
}

/// What is to happen to the messages of a batch, and to those that waited for it.
#[derive(Default)]
pub(crate) struct Plan {
    /// Older ones that get the places which the batch makes free.
    pub next: Vec<Next>,
    /// They have their places.
    pub at_once: Vec<MessageId>,
    /// They wait in memory.
    pub held: Vec<Waiting>,
    /// They wait in the outbox.
    pub left: Vec<((MessageClass, AccountId), MessageId)>,
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.next.is_empty() && self.at_once.is_empty() && self.held.is_empty() && self.left.is_empty()
    }

    /// The attempts that are to be stored with the batch, of messages that were stored before.
    pub fn attempts(&self) -> impl Iterator<Item = (MessageId, i64)> {
        self.next.iter().filter_map(|next| Some((next.id, next.attempt?)))
    }

    /// The messages that are in nobody's hand.
    pub fn left_ids(&self) -> HashSet<MessageId> {
        self.left.iter().map(|(_, id)| *id).collect()
    }

    /// The messages whose first attempt is stored with them.
    pub fn at_once_ids(&self) -> HashSet<MessageId> {
        self.at_once.iter().copied().collect()
    }
}
