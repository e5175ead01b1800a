//! The line to a carrier reached by HTTP, against a small server that speaks the wire format.

#![allow(clippy::unwrap_used, reason = "in a test, a failure is what it is for")]

mod bench;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use bench::{Watched, message, soon};
use carriers::http::{self, Settings};
use carriers::{Outcome, Outstanding};
use domain::delivery_report::ReportState;
use domain::id::MessageId;
use domain::phone_number::PhoneNumber;
use domain::text::Content;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

/// The carrier: what it was sent, what it says of each message, and how it answers.
#[derive(Default)]
struct Carrier {
    sent: Mutex<Vec<Value>>,
    asked: Mutex<Vec<String>>,
    asked_times: watch::Sender<usize>,
    states: Mutex<HashMap<String, &'static str>>,
    answer: Mutex<Option<Answering>>,
    under_way: Mutex<(usize, usize)>,
}

#[derive(Clone)]
enum Answering {
    With(u16, Value),
    Never,
}

type Shared = State<Arc<Carrier>>;

async fn sms(
    State(carrier): Shared,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    {
        let mut under_way = carrier.under_way.lock().unwrap();
        under_way.0 += 1;
        under_way.1 = under_way.1.max(under_way.0);
    }
    tokio::task::yield_now().await;
    let id = format!("77{:09}", body["foreign_id"].as_str().unwrap().parse::<u64>().unwrap());
    carrier.sent.lock().unwrap().push(body);
    let answer = carrier.answer.lock().unwrap().clone();
    carrier.under_way.lock().unwrap().0 -= 1;
    match answer {
        _ if headers["x-api-key"] != "key" => (StatusCode::OK, Json(json!("900"))),
        Some(Answering::With(status, body)) => (StatusCode::from_u16(status).unwrap(), Json(body)),
        Some(Answering::Never) => std::future::pending().await,
        None => {
            let message = json!({"id": id, "success": true, "error": null});
            (StatusCode::OK, Json(json!({"success": "100", "messages": [message]})))
        }
    }
}

async fn status(State(carrier): Shared, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let ids = &query["msg_id"];
    carrier.asked.lock().unwrap().push(ids.clone());
    carrier.asked_times.send_modify(|times| *times += 1);
    let states = carrier.states.lock().unwrap();
    let entry = |id: &str| json!({"id": id, "status": states.get(id), "status_time": null});
    Json(ids.split(',').map(entry).collect())
}

/// A server, and what ends it.
struct Server {
    carrier: Arc<Carrier>,
    address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve() -> Server {
    let carrier = Arc::new(Carrier::default());
    let router = Router::new()
        .route("/api/sms", post(sms))
        .route("/api/status", get(status))
        .route("/api/balance", get(|| async { Json(json!({"amount": 1.5, "currency": "EUR"})) }))
        .with_state(carrier.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server { carrier, address, serving }
}

fn quick(address: SocketAddr) -> Settings {
    Settings {
        ask_after: [10, 20, 30].map(Duration::from_millis).to_vec(),
        probe_after: Duration::from_millis(20),
        ..Settings::new("beta", &format!("http://{address}/api/"), "key")
    }
}

fn connect(settings: Settings) -> Watched {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (events, received) = unbounded_channel();
    Watched::of(http::connect(settings, events).unwrap(), received)
}

#[tokio::test]
async fn messages_go_whole_and_their_reports_are_asked_for() {
    let server = serve().await;
    let mut watched = connect(Settings { window: 8, ..quick(server.address) });
    assert!(!watched.line.splits());
    watched.until(|w| w.room == 8).await;
    watched.submit_all((1..=300).map(message).collect()).await;
    assert_eq!(watched.taken(), 300);
    assert_eq!(watched.remote_id(7), "77000000007");
    assert!(server.carrier.under_way.lock().unwrap().1 <= 8, "never more than the window");
    let sent = server.carrier.sent.lock().unwrap()[0].clone();
    assert_eq!(sent["from"], "Branch");
    assert_eq!(sent["ttl"], 2880);
    assert_eq!(sent["no_reload"], 1);
    for n in 1..=300 {
        server.carrier.states.lock().unwrap().insert(format!("77{n:09}"), "DELIVERED");
    }
    // Each comes, and again until it is stored.
    let mut stored = HashMap::new();
    while stored.len() < 300 {
        watched.until(|w| !w.reports.is_empty()).await;
        for report in watched.reports.drain(..) {
            assert_eq!(report.state, ReportState::Delivered);
            stored.insert(report.remote_id.clone(), report.recipient.unwrap().as_i64());
            report.ack.stored();
        }
    }
    assert_eq!(stored["77000000300"], 4_915_100_000_300);
    let asked = server.carrier.asked.lock().unwrap();
    assert!(asked.iter().all(|ids| ids.split(',').count() <= 100));
}

#[tokio::test]
async fn a_report_on_the_way_is_told_once_and_a_final_one_until_it_is_stored() {
    let server = serve().await;
    let mut watched = connect(quick(server.address));
    server.carrier.states.lock().unwrap().insert("77990000001".to_owned(), "BUFFERED");
    let recipient = PhoneNumber::from_digits(4_915_100_000_001).unwrap();
    watched.line.watch(vec![Outstanding { remote_id: "77990000001".to_owned(), recipient }]);
    watched.until(|w| w.reports.len() == 1).await;
    watched.reports.remove(0).ack.stored();
    let mut asked = server.carrier.asked_times.subscribe();
    let so_far = *asked.borrow();
    soon(asked.wait_for(|times| *times > so_far + 3)).await.unwrap();
    watched.catch_up();
    assert!(watched.reports.is_empty(), "it is still buffered, and that was told");
    server.carrier.states.lock().unwrap().insert("77990000001".to_owned(), "EXPIRED");
    watched.until(|w| w.reports.len() == 1).await;
    drop(watched.reports.remove(0));
    watched.until(|w| w.reports.len() == 1).await;
    assert_eq!(watched.reports[0].state, ReportState::Expired);
}

#[tokio::test]
async fn refusals_and_faults_are_told_apart() {
    let server = serve().await;
    let mut watched = connect(quick(server.address));
    watched.until(|w| w.room > 0).await;
    let answers = [(200, json!("305")), (200, json!("500")), (200, json!("900")), (500, Value::Null)];
    for (n, (status, body)) in (1..).zip(answers) {
        *server.carrier.answer.lock().unwrap() = Some(Answering::With(status, body));
        watched.submit_all(vec![message(n)]).await;
    }
    assert!(matches!(watched.answers[&(MessageId(1), 0)], Outcome::Refused { .. }));
    for n in 2..=4 {
        assert!(matches!(watched.answers[&(MessageId(n), 0)], Outcome::Later { .. }), "{n}");
    }
}

#[tokio::test]
async fn no_answer_is_lost_and_no_connection_was_not_sent() {
    let server = serve().await;
    let address = server.address;
    let mut watched = connect(Settings { answer_within: Duration::from_millis(300), ..quick(address) });
    watched.until(|w| w.room > 0).await;
    *server.carrier.answer.lock().unwrap() = Some(Answering::Never);
    watched.submit_all(vec![message(1)]).await;
    assert_eq!(watched.answers[&(MessageId(1), 0)], Outcome::Lost);
    drop(server);
    let mut n = 2;
    while watched.room > 0 {
        watched.submit(message(n));
        watched.until(|w| w.waiting.is_empty()).await;
        watched.catch_up();
        n += 1;
        assert!(n < 10_000, "it never notices");
    }
    assert_eq!(watched.answers[&(MessageId(n - 1), 0)], Outcome::NotSent);
}

#[tokio::test]
async fn a_carrier_that_was_down_is_found_again() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let mut watched = connect(quick(address));
    watched.submit(message(1));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.answers[&(MessageId(1), 0)], Outcome::NotSent);
    let listener = TcpListener::bind(address).await.unwrap();
    let router = Router::new().route("/api/balance", get(|| async { "1.5" }));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    watched.until(|w| w.room > 0).await;
}

#[tokio::test]
async fn a_refused_key_gives_no_room() {
    let router = Router::new().route("/api/balance", get(|| async { Json(json!("900")) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let mut watched = connect(quick(address));
    watched.submit(message(1));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.room, 0);
}

#[tokio::test]
async fn binary_flash_and_forced_letters_are_said() {
    let server = serve().await;
    let mut watched = connect(quick(server.address));
    watched.until(|w| w.room > 0).await;
    let binary = Content::binary(vec![2, 0x70, 0], vec![1, 2, 0xFF]).unwrap();
    let forced = Content::text("Hello", true).unwrap();
    for (n, content) in [(1, binary), (2, forced)] {
        let submission = carriers::Submission { content: Arc::new(content), flash: n == 2, ..message(n) };
        watched.submit_all(vec![submission]).await;
    }
    let sent = server.carrier.sent.lock().unwrap().clone();
    assert_eq!(
        (&sent[0]["text"], &sent[0]["udh"], &sent[0]["is_binary"]),
        (&json!("0102ff"), &json!("027000"), &json!(1))
    );
    assert_eq!(
        (&sent[1]["text"], &sent[1]["unicode"], &sent[1]["flash"]),
        (&json!("Hello"), &json!(1), &json!(1))
    );
}

#[tokio::test]
async fn closing_answers_everything() {
    let server = serve().await;
    let mut watched = connect(Settings { window: 2, ..quick(server.address) });
    watched.until(|w| w.room == 2).await;
    (1..=20).for_each(|n| watched.submit(message(n)));
    watched.line.close();
    watched.until(|w| w.waiting.is_empty()).await;
    watched.submit(message(21));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.answers[&(MessageId(21), 0)], Outcome::NotSent);
    assert_eq!(watched.taken() + watched.count(|o| *o == Outcome::NotSent), 21);
    watched.until(|w| w.room == 0).await;
}
