//! Nothing lost, nothing twice: the server is killed at random times under load, started again, and
//! then every answer that clients hold is compared with the messages, the books and what the SMSC
//! received. `BRANCHLINE_KILLS` says how often (20 unless said otherwise).

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use house::{House, Smsc};
use rand::RngExt;
use testing::TestDatabase;

const CLIENTS: u64 = 12;
const SESSIONS: usize = 2;
const WINDOW: usize = 32;

/// What clients know: by number, the id and price of an accepted message, or nothing when the
/// answer never came.
#[derive(Default)]
struct Held {
    accepted: HashMap<String, (i64, bool)>,
    unanswered: HashSet<String>,
    refused: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_random_times_loses_nothing_on_sqlite() {
    kills(testing::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_random_times_loses_nothing_on_postgres() {
    kills(testing::postgres().await).await;
}

async fn kills(database: TestDatabase) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let engine = database.engine();
    let kills: u64 = std::env::var("BRANCHLINE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let smsc = Smsc::start(Duration::from_millis(3)).await;
    let mut house = House::build(database, &smsc.carrier("alpha", SESSIONS, WINDOW));
    house.run(&["prices", "import", &house.file("prices.csv", "country,price\nDE,0.075\n")]);
    let main = house.run(&[
        "account",
        "create",
        "--company",
        "Main",
        "--email",
        "main@example.com",
        "--credits",
        "100000.00",
    ]);
    let main = main["id"].as_i64().unwrap().to_string();
    let sub = house.run(&[
        "account",
        "create",
        "--company",
        "Sub",
        "--email",
        "sub@example.com",
        "--parent",
        &main,
    ]);
    let sub = sub["id"].as_i64().unwrap().to_string();
    house.run(&["credits", "transfer", "--from", &main, "--to", &sub, "--amount", "50000.00"]);
    let key = |account: &str| {
        house.run(&["key", "create", "--account", account])["key"].as_str().unwrap().to_owned()
    };
    let keys = [key(&main), key(&sub)];

    let held = Arc::new(Mutex::new(Held::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU64::new(0));
    house.start().await;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (held, stop, next) = (held.clone(), stop.clone(), next.clone());
            let (url, key) = (house.url("/api/sms"), keys[n as usize % 2].clone());
            tokio::spawn(client(url, key, held, stop, next))
        })
        .collect();
    for _ in 0..kills {
        // However slow the machine is: it is killed under load, and at no special moment.
        under_load(&held).await;
        let wait = rand::rng().random_range(0..600);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        house.kill();
        house.start().await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    settle(&house).await;
    house.stop().await;

    let held = std::mem::take(&mut *held.lock().unwrap());
    let stored = house.messages().await;
    let mut on_the_wire: HashMap<(String, Vec<u8>), u64> = HashMap::new();
    for submit in smsc.stats.recorded() {
        *on_the_wire.entry((submit.recipient, submit.octets)).or_default() += 1;
    }
    let reached: HashSet<&str> = on_the_wire.keys().map(|(recipient, _)| recipient.as_str()).collect();
    let by_number: HashMap<&str, &house::Message> =
        stored.iter().map(|m| (m.recipient.as_str(), m)).collect();
    assert_eq!(by_number.len(), stored.len(), "no number was stored twice");

    let lost: Vec<_> = held
        .accepted
        .iter()
        .filter(|(number, (id, _))| {
            let message = by_number.get(number.as_str());
            message.is_none_or(|m| m.id != *id) || !reached.contains(number.as_str())
        })
        .collect();
    let never_sent = stored.iter().filter(|m| !reached.contains(m.recipient.as_str())).count();
    let duplicates: u64 = on_the_wire.values().map(|n| n - 1).sum();
    let unflagged: Vec<_> = on_the_wire
        .iter()
        .filter(|((recipient, _), n)| {
            **n > 1 && !by_number.get(recipient.as_str()).is_some_and(|m| m.possible_duplicate)
        })
        .collect();
    let strangers = reached.iter().filter(|number| !by_number.contains_key(**number)).count();
    let check = house.run(&["check"]);
    println!(
        "{engine}: {kills} kills, {} accepted, {} unanswered of which {} stored, {} refused, {} submits, \
         {} lost, {never_sent} never sent, {duplicates} sent twice, {strangers} sent and not stored",
        held.accepted.len(),
        held.unanswered.len(),
        held.unanswered.iter().filter(|n| by_number.contains_key(n.as_str())).count(),
        held.refused,
        on_the_wire.values().sum::<u64>(),
        lost.len(),
    );
    assert!(held.accepted.len() as u64 > kills * 10, "the load was real");
    assert!(lost.is_empty(), "accepted and lost: {lost:?}");
    assert_eq!(never_sent, 0);
    assert_eq!(strangers, 0, "sent and not stored");
    assert!(duplicates <= kills * (SESSIONS * WINDOW) as u64, "{duplicates} duplicates in {kills} kills");
    assert!(unflagged.is_empty(), "sent twice and not marked so: {unflagged:?}");
    assert_eq!(check["ok"], true, "{check}");
    // Charged once each: what both accounts paid is what their messages cost, to the millionth.
    let cost: i64 = stored.iter().map(|m| m.price - m.refunded).sum();
    assert_eq!(house.balance(&main).await + house.balance(&sub).await, 100_000_000_000 - cost);
    let unsettled: Vec<_> =
        stored.iter().filter(|m| !["delivered", "unknown"].contains(&m.status.as_str())).collect();
    assert!(unsettled.is_empty(), "{unsettled:?}");
}

/// Waits until the server has accepted a good number of messages since it was started.
async fn under_load(held: &Mutex<Held>) {
    let accepted = || held.lock().unwrap().accepted.len();
    let (before, begun) = (accepted(), Instant::now());
    while accepted() < before + 20 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is accepted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends without pause, every number once, and remembers what it was told.
async fn client(
    url: String,
    key: String,
    held: Arc<Mutex<Held>>,
    stop: Arc<AtomicBool>,
    next: Arc<AtomicU64>,
) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    while !stop.load(Ordering::SeqCst) {
        // Every seventh request is for several recipients, every fifth text is long.
        let first = next.fetch_add(5, Ordering::SeqCst);
        let count = if first.is_multiple_of(7) { 5 } else { 1 };
        // Their ends are never those by which the simulator does something else than deliver.
        let numbers: Vec<String> =
            (0..count).map(|n| ((49_151_000_000 + first + n) * 100).to_string()).collect();
        let text =
            if first.is_multiple_of(25) { format!("{first} ").repeat(60) } else { format!("number {first}") };
        let body = serde_json::json!({ "to": numbers.join(","), "text": text, "from": "CRASH" });
        let sent = http
            .post(&url)
            .header("X-Api-Key", &key)
            .header("Accept", "application/json")
            .json(&body)
            .send()
            .await;
        let answer = match sent {
            Ok(response) => response.json::<serde_json::Value>().await,
            Err(error) if error.is_connect() => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
            Err(error) => Err(error),
        };
        let mut held = held.lock().unwrap();
        match answer {
            Ok(answer) if answer["messages"].is_array() => {
                for message in answer["messages"].as_array().unwrap() {
                    let number = message["recipient"].as_str().unwrap().to_owned();
                    let id = message["id"].as_str().and_then(|id| id.parse().ok()).unwrap();
                    held.accepted.insert(number, (id, true));
                }
            }
            Ok(_) => held.refused += 1,
            Err(_) => held.unanswered.extend(numbers),
        }
    }
}

/// Waits until nothing is under way any more.
async fn settle(house: &House) {
    let begun = Instant::now();
    loop {
        let under_way = house.number("select count(*) from outbox").await;
        let unreported = house.number("select count(*) from messages where status < 4").await;
        if under_way == 0 && unreported == 0 {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "{under_way} under way, {unreported} without a report"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
