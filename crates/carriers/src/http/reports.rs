//! Asking for reports: what was handed over is asked about again and again, seldomer as it gets
//! older, up to a hundred in one request, until its fate is final and stored.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use domain::delivery_report::ReportState;
use domain::phone_number::PhoneNumber;
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::{Line, get};
use crate::{Ack, Event, Outstanding, Report};

/// How many ids one request may name.
const IDS_MAX: usize = 100;
/// How many requests may be under way.
const REQUESTS_MAX: usize = 4;
/// How many messages are asked about; of any more the reports are given up, which is said.
const WATCHED_MAX: usize = 1_000_000;

/// A message that is asked about.
struct Watched {
    remote_id: String,
    recipient: PhoneNumber,
    since: Instant,
    /// How often it was asked about.
    asked: usize,
    /// The last report that was given and not stored yet, or was stored.
    told: Option<ReportState>,
    is_final: bool,
}

struct Asking {
    line: Arc<Line>,
    watched: HashMap<u32, Watched>,
    due: BinaryHeap<Reverse<(Instant, u32)>>,
    next_number: u32,
    acks: UnboundedSender<u32>,
}

/// Asks until the line closes.
pub(super) async fn ask(line: Arc<Line>, mut watching: UnboundedReceiver<Outstanding>) {
    let mut closing = line.closing.subscribe();
    let (acks, mut stored) = mpsc::unbounded_channel();
    let mut asking = Asking { line, watched: HashMap::new(), due: BinaryHeap::new(), next_number: 0, acks };
    let mut requests = JoinSet::new();
    while !*closing.borrow() {
        let next = asking.due.peek().map(|Reverse((at, _))| *at).filter(|_| requests.len() < REQUESTS_MAX);
        tokio::select! {
            _ = closing.changed() => return,
            Some(outstanding) = watching.recv() => asking.watch(outstanding),
            Some(number) = stored.recv() => asking.stored(number),
            Some(answered) = requests.join_next() => {
                if let Ok((numbers, states)) = answered {
                    asking.answered(numbers, &states, Instant::now());
                }
            }
            () = sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {
                let numbers = asking.take_due(Instant::now());
                let ids = asking.ids(&numbers);
                if !ids.is_empty() {
                    requests.spawn(request(asking.line.clone(), numbers, ids));
                }
            }
        }
    }
}

/// The ids asked about together and what was said of each.
type Answered = (Vec<u32>, HashMap<String, ReportState>);

async fn request(line: Arc<Line>, numbers: Vec<u32>, ids: String) -> Answered {
    let states = match get(&line, "status", &[("msg_id", &ids)]).await {
        Ok((_, body)) => states_of(&body),
        Err(error) => {
            tracing::debug!(carrier = %line.name, %error, "no reports now");
            HashMap::new()
        }
    };
    (numbers, states)
}

/// The states an answer tells, by id.
fn states_of(body: &Value) -> HashMap<String, ReportState> {
    let one = |entry: &Value| {
        let id = match entry.get("id")? {
            Value::String(id) => id.clone(),
            id => id.as_u64()?.to_string(),
        };
        Some((id, ReportState::parse(entry.get("status")?.as_str()?)?))
    };
    body.as_array().into_iter().flatten().filter_map(one).collect()
}

impl Asking {
    fn watch(&mut self, outstanding: Outstanding) {
        // An id is put into an address below; one that does not fit there is none of theirs.
        let plain =
            outstanding.remote_id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !plain || self.watched.len() >= WATCHED_MAX {
            tracing::warn!(carrier = %self.line.name, "a message will not be asked about");
            return;
        }
        let now = Instant::now();
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        let Outstanding { remote_id, recipient } = outstanding;
        let watched = Watched { remote_id, recipient, since: now, asked: 0, told: None, is_final: false };
        self.watched.insert(number, watched);
        self.plan(number, now);
    }

    /// Plans the next question about it, or gives it up.
    fn plan(&mut self, number: u32, now: Instant) {
        let settings = &self.line.settings;
        let Some(watched) = self.watched.get_mut(&number) else { return };
        if now.saturating_duration_since(watched.since) > settings.ask_for {
            tracing::debug!(carrier = %self.line.name, "a message was never reported on");
            self.watched.remove(&number);
            return;
        }
        let step = watched.asked.min(settings.ask_after.len().saturating_sub(1));
        let after = settings.ask_after.get(step).copied().unwrap_or(super::AFTER_ALARM);
        watched.asked += 1;
        self.due.push(Reverse((now + after, number)));
    }

    fn take_due(&mut self, now: Instant) -> Vec<u32> {
        let mut numbers = Vec::new();
        while numbers.len() < IDS_MAX && self.due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let number = self.due.pop().map(|Reverse((_, number))| number);
            numbers.extend(number.filter(|number| self.watched.contains_key(number)));
        }
        numbers
    }

    fn ids(&self, numbers: &[u32]) -> String {
        let ids: Vec<&str> = numbers
            .iter()
            .filter_map(|number| self.watched.get(number))
            .map(|w| w.remote_id.as_str())
            .collect();
        ids.join(",")
    }

    /// Tells what is new. What is final is told each time until it is stored.
    fn answered(&mut self, numbers: Vec<u32>, states: &HashMap<String, ReportState>, now: Instant) {
        for number in numbers {
            let Some(watched) = self.watched.get_mut(&number) else { continue };
            let state = states.get(&watched.remote_id).copied();
            if let Some(state) = state.filter(|state| state.is_final() || watched.told != Some(*state)) {
                watched.told = Some(state);
                watched.is_final = state.is_final();
                let report = Report {
                    carrier: self.line.name.clone(),
                    remote_id: watched.remote_id.clone(),
                    recipient: Some(watched.recipient),
                    state,
                    // The wire gives a local time without its zone.
                    done_at: None,
                    error: None,
                    ack: Ack::to(self.acks.clone(), number),
                };
                self.line.tell(Event::Report(report));
            }
            self.plan(number, now);
        }
    }

    fn stored(&mut self, number: u32) {
        if self.watched.get(&number).is_some_and(|watched| watched.is_final) {
            self.watched.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_are_read_by_id() {
        let body = json!([
            {"id": "1", "status": "DELIVERED", "status_time": "2026-01-05 10:11:12.345"},
            {"id": 2, "status": "BUFFERED", "status_time": null},
            {"id": "3", "status": null, "status_time": null},
            {"id": "4", "status": "SOMETHING"},
            {"status": "DELIVERED"},
            "600",
        ]);
        let states = states_of(&body);
        assert_eq!(states.len(), 2);
        assert_eq!(states.get("1"), Some(&ReportState::Delivered));
        assert_eq!(states.get("2"), Some(&ReportState::Buffered));
        assert!(states_of(&json!("600")).is_empty());
    }
}
