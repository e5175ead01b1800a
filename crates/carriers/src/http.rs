//! A carrier reached by HTTP: another platform that speaks the wire format our own API speaks
//! (`POST /sms`, `GET /status`, `GET /balance`). Messages go whole, one a request; what became of
//! them is asked for by `reports`, since a program behind a firewall cannot be told.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use domain::id::MessageId;
use domain::text::{Alphabet, Content, alphabet_of, hex_of_octets};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::queue::Queue;
use crate::teller::Teller;
use crate::{Connection, Event, Outcome, Outstanding, Submission};

mod reports;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// After this many failures in a row the carrier counts as down.
const FAILURES_MAX: u32 = 3;
/// How long submissions under way may take to be answered once the line closes.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// The largest answer read.
const ANSWER_OCTETS_MAX: usize = 256 * 1024;
/// How long to wait after a passing fault.
const AFTER_FAULT: Duration = Duration::from_secs(5);
/// How long to wait when somebody must act first: our key is not let in, our credit there is used up.
const AFTER_ALARM: Duration = Duration::from_secs(60);

/// How to reach a carrier by HTTP.
#[derive(Clone)]
pub struct Settings {
    /// The carrier's name here.
    pub name: String,
    /// Where its API begins, such as `https://sms.example.com/api`.
    pub url: String,
    /// Our key there.
    pub key: String,
    /// How many submissions may be under way at once: 1 to 1000.
    pub window: usize,
    /// How long a submission may take before it counts as lost.
    pub answer_within: Duration,
    /// After how long to ask for a report: the first time, the second, and so on; the last repeats.
    pub ask_after: Vec<Duration>,
    /// How long to go on asking.
    pub ask_for: Duration,
    /// How long to wait before looking whether a carrier that was down is up; doubled up to a minute.
    pub probe_after: Duration,
}

impl Settings {
    /// The usual: 16 at once, 30 s for an answer, asking for 72 h.
    pub fn new(name: &str, url: &str, key: &str) -> Settings {
        Settings {
            name: name.to_owned(),
            url: url.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
            window: 16,
            answer_within: Duration::from_secs(30),
            ask_after: [1, 2, 5, 10, 30, 60, 120, 300, 600].map(Duration::from_secs).to_vec(),
            ask_for: Duration::from_secs(72 * 3600),
            probe_after: Duration::from_secs(1),
        }
    }
}

/// Connects to a carrier. Must be called within a tokio runtime, after a default rustls provider
/// was installed.
///
/// # Errors
/// When the HTTP client cannot be made, for want of certificates, say.
pub fn connect(
    settings: Settings,
    events: UnboundedSender<Event>,
) -> Result<Arc<dyn Connection>, reqwest::Error> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(settings.answer_within)
        .pool_max_idle_per_host(settings.window)
        // A carrier that sends us elsewhere would be sent our key and the customer's text.
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let (watched, watching) = mpsc::unbounded_channel();
    let line = Arc::new(Line {
        teller: Teller { name: Arc::from(settings.name.as_str()), events },
        client,
        queue: Queue::new(),
        failures: AtomicU32::new(0),
        failed: Notify::new(),
        closing: watch::Sender::new(false),
        watched,
        settings,
    });
    tokio::spawn(keep(line.clone()));
    for _ in 0..line.window() {
        tokio::spawn(work(line.clone()));
    }
    tokio::spawn(reports::ask(line.clone(), watching));
    Ok(Arc::new(Handle(line)))
}

/// What the workers share.
struct Line {
    teller: Teller,
    settings: Settings,
    client: reqwest::Client,
    queue: Queue<Submission>,
    /// How many submissions failed in a row for want of a connection.
    failures: AtomicU32,
    failed: Notify,
    closing: watch::Sender<bool>,
    watched: UnboundedSender<Outstanding>,
}

impl Deref for Line {
    type Target = Teller;
    fn deref(&self) -> &Teller {
        &self.teller
    }
}

impl Line {
    fn window(&self) -> usize {
        self.settings.window.clamp(1, 1000)
    }

    fn room(&self, takers: usize) {
        self.slots(if takers == 0 { 0 } else { self.window() });
    }

    /// An answer came, whatever it said, or none did.
    fn reached(&self, reached: bool) {
        match reached {
            true => self.failures.store(0, Ordering::Relaxed),
            false => {
                if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_MAX {
                    self.failed.notify_one();
                }
            }
        }
    }
}

struct Handle(Arc<Line>);

impl Connection for Handle {
    fn splits(&self) -> bool {
        false
    }

    fn asks(&self) -> bool {
        true
    }

    fn submit(&self, submission: Submission) {
        let refused = match *self.0.closing.borrow() {
            true => Err(submission),
            false => self.0.queue.offer(submission),
        };
        self.0.not_sent(refused.err());
    }

    fn watch(&self, outstanding: Vec<Outstanding>) {
        for one in outstanding {
            let _ = self.0.watched.send(one);
        }
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

/// Announces room while the carrier answers and takes it back while it does not.
async fn keep(line: Arc<Line>) {
    let mut closing = line.closing.subscribe();
    let mut wait = line.settings.probe_after;
    while !*closing.borrow() {
        if probe(&line).await {
            wait = line.settings.probe_after;
            line.failures.store(0, Ordering::Relaxed);
            line.queue.join(|takers| line.room(takers));
            tokio::select! {
                () = line.failed.notified() => {
                    tracing::warn!(carrier = %line.name, "the carrier cannot be reached; looking for it");
                }
                _ = closing.changed() => {}
            }
            let left = line.queue.leave(|takers| line.room(takers));
            line.not_sent(left);
        }
        tokio::select! {
            () = sleep(wait) => {}
            _ = closing.changed() => {}
        }
        wait = (wait * 2).min(Duration::from_secs(60));
    }
}

/// Whether the carrier is there and lets us in.
async fn probe(line: &Line) -> bool {
    let answer = get(line, "balance", &[]).await;
    match answer {
        Ok((status, body)) if status < 500 => match code_of(&body) {
            Some(code @ 900..=903) => {
                tracing::error!(carrier = %line.name, code, "our key is refused: check `key` and its permissions");
                false
            }
            _ => true,
        },
        Ok((status, _)) => {
            tracing::warn!(carrier = %line.name, status, "the carrier answers with a fault");
            false
        }
        Err(error) => {
            tracing::warn!(carrier = %line.name, %error, "the carrier cannot be reached");
            false
        }
    }
}

/// Asks the carrier something; gives the status and the body.
async fn get(line: &Line, path: &str, query: &[(&str, &str)]) -> Result<(u16, Value), reqwest::Error> {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let url = format!("{}/{path}?{}", line.settings.url, pairs.join("&"));
    let request = line.client.get(url.trim_end_matches('?'));
    read(request.header("X-Api-Key", &line.settings.key).header("Accept", "application/json").send().await?)
        .await
}

/// Reads an answer, as far as it is of a sensible size. What is not JSON is null.
async fn read(mut response: reqwest::Response) -> Result<(u16, Value), reqwest::Error> {
    let status = response.status().as_u16();
    let mut octets = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        octets.extend_from_slice(&chunk);
        if octets.len() > ANSWER_OCTETS_MAX {
            return Ok((status, Value::Null));
        }
    }
    Ok((status, serde_json::from_slice(&octets).unwrap_or(Value::Null)))
}

/// One of the workers: takes a submission, sends it, waits for the answer.
async fn work(line: Arc<Line>) {
    let mut closing = line.closing.subscribe();
    let mut batch = Vec::with_capacity(1);
    while !*closing.borrow() {
        line.queue.take(1, &mut batch);
        match batch.pop() {
            Some(submission) => send(&line, &submission, &mut closing).await,
            None => tokio::select! {
                () = line.queue.more() => {}
                _ = closing.changed() => {}
            },
        }
    }
}

/// What one submission is owed: an answer, whatever happens to the worker.
struct Owed<'a> {
    line: &'a Line,
    message: MessageId,
    part: u8,
    outcome: Option<Outcome>,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        self.line.answer(self.message, self.part, self.outcome.take().unwrap_or(Outcome::Lost));
    }
}

async fn send(line: &Line, submission: &Submission, closing: &mut watch::Receiver<bool>) {
    let mut owed = Owed { line, message: submission.message, part: submission.part, outcome: None };
    let post = line
        .client
        .post(format!("{}/sms", line.settings.url))
        .header("X-Api-Key", &line.settings.key)
        .header("Accept", "application/json")
        .json(&request_of(submission));
    let answered = async { read(post.send().await?).await };
    let cut_off = async {
        if !*closing.borrow_and_update() {
            // The sender lives as long as the line.
            let _ = closing.changed().await;
        }
        sleep(DRAIN_WITHIN).await;
    };
    let answered: Result<(u16, Value), reqwest::Error> = tokio::select! {
        answered = answered => answered,
        () = cut_off => return,
    };
    let outcome = match &answered {
        Ok((status, body)) => outcome_of(*status, body),
        Err(error) if error.is_connect() || error.is_builder() => Outcome::NotSent,
        Err(_) => Outcome::Lost,
    };
    line.reached(answered.is_ok());
    if let Ok((_, body)) = &answered {
        alarm(line, body);
    }
    if let Outcome::Taken { remote_id } = &outcome
        && !remote_id.is_empty()
    {
        let outstanding = Outstanding { remote_id: remote_id.clone(), recipient: submission.recipient };
        let _ = line.watched.send(outstanding);
    }
    owed.outcome = Some(outcome);
}

/// What only a person can mend is said loudly.
fn alarm(line: &Line, body: &Value) {
    match code_of(body) {
        Some(code @ 900..=903) => {
            tracing::error!(carrier = %line.name, code, "our key is refused: check `key` and its permissions");
        }
        Some(500) => {
            tracing::error!(carrier = %line.name, "our credit with the carrier is used up: top it up")
        }
        _ => {}
    }
}

/// A submission as a request.
fn request_of(submission: &Submission) -> Value {
    let mut request = json!({
        "to": submission.recipient.to_string(),
        "from": submission.sender.as_str(),
        "foreign_id": submission.message.to_string(),
        // We decide about duplicates; a message sent again after its answer was lost is no mistake.
        "no_reload": 1,
    });
    if submission.validity_minutes > 0 {
        request["ttl"] = submission.validity_minutes.into();
    }
    if submission.flash {
        request["flash"] = 1.into();
    }
    match submission.content.as_ref() {
        Content::Text { text, alphabet } => {
            request["text"] = text.as_str().into();
            if *alphabet == Alphabet::Ucs2 && alphabet_of(text) == Alphabet::Gsm7 {
                request["unicode"] = 1.into();
            }
        }
        Content::Binary { udh, octets } => {
            request["text"] = hex_of_octets(octets).into();
            request["is_binary"] = 1.into();
            if !udh.is_empty() {
                request["udh"] = hex_of_octets(udh).into();
            }
        }
    }
    request
}

/// The code of an answer: that of the message where there is one, else that of the whole.
fn code_of(body: &Value) -> Option<u64> {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    let message = body.get("messages").and_then(|messages| messages.get(0));
    message
        .and_then(|message| message.get("error"))
        .and_then(number)
        .or_else(|| body.get("success").and_then(number))
        .or_else(|| number(body))
}

/// What an answer means for the submission.
fn outcome_of(status: u16, body: &Value) -> Outcome {
    let message = body.get("messages").and_then(|messages| messages.get(0));
    let taken = message.is_some_and(|message| message.get("success") == Some(&Value::Bool(true)));
    if taken {
        let id = message.and_then(|message| message.get("id"));
        let remote_id = match id {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            // A sandbox key: nothing is sent there, and so nothing will be reported.
            _ => String::new(),
        };
        return Outcome::Taken { remote_id };
    }
    let why =
        message.and_then(|message| message.get("error_text")).and_then(Value::as_str).unwrap_or("refused");
    let later =
        |what: &str, after| Outcome::Later { reason: format!("{what} ({})", code_text(status, body)), after };
    match code_of(body) {
        Some(500) => later("our credit with the carrier is used up", AFTER_ALARM),
        Some(900..=903) => later("our key is refused", AFTER_ALARM),
        Some(11 | 600 | 700) => later("the carrier has a fault", AFTER_FAULT),
        // One of our key's or the recipient's limits there; they pass with time.
        Some(403) => later("a limit at the carrier", AFTER_ALARM),
        // A code of its own that is no success: the message is at fault, and stays so.
        Some(code) if code != 100 && code != 101 => Outcome::Refused { reason: format!("{code}: {why}") },
        // The one in front gave up waiting for the one behind, which may well be at it.
        _ if status == 504 => Outcome::Lost,
        _ if status == 429 || status >= 500 => later("the carrier has a fault", AFTER_FAULT),
        _ if status == 401 || status == 403 => later("our key is refused", AFTER_ALARM),
        _ if status >= 400 => Outcome::Refused { reason: format!("HTTP {status}") },
        // Taken, it says, but not by which id, or by words we do not know: it may be on its way.
        _ => Outcome::Lost,
    }
}

fn code_text(status: u16, body: &Value) -> String {
    code_of(body).map_or_else(|| format!("HTTP {status}"), |code| format!("code {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_an_outcome() {
        let message = |success: bool, error: Value| json!({"success": "100", "messages": [{"id": "77990000001", "success": success, "error": error}]});
        #[rustfmt::skip]
        let cases = [
            (200, message(true, Value::Null),        "taken"),
            (200, message(false, json!(202)),        "refused"),
            (200, message(false, json!("201")),      "refused"),
            (200, message(false, json!(500)),        "later"),
            (200, json!("305"),                      "refused"),
            (200, json!("401"),                      "refused"),
            (200, json!(301),                        "refused"),
            (200, json!("500"),                      "later"),
            (401, json!("900"),                      "later"),
            (403, json!("903"),                      "later"),
            (200, json!("600"),                      "later"),
            (200, json!("700"),                      "later"),
            (200, json!("11"),                       "later"),
            (200, json!("403"),                      "later"),
            (502, Value::Null,                       "later"),
            (504, Value::Null,                       "lost"),
            (429, Value::Null,                       "later"),
            (404, Value::Null,                       "refused"),
            (401, Value::Null,                       "later"),
            (200, Value::Null,                       "lost"),
            (200, json!("100"),                      "lost"),
            (200, json!({"success": "100"}),         "lost"),
        ];
        for (status, body, expected) in cases {
            let word = match outcome_of(status, &body) {
                Outcome::Taken { .. } => "taken",
                Outcome::Refused { .. } => "refused",
                Outcome::Later { .. } => "later",
                Outcome::NotSent => "not sent",
                Outcome::Lost => "lost",
            };
            assert_eq!(word, expected, "{status} {body}");
        }
    }

    #[test]
    fn an_id_is_taken_as_text_or_number() {
        for id in [json!("77990000001"), json!(77_990_000_001_u64)] {
            let body = json!({"success": "100", "messages": [{"id": id, "success": true}]});
            assert_eq!(outcome_of(200, &body), Outcome::Taken { remote_id: "77990000001".to_owned() });
        }
    }
}
