//! How much a line carries on this machine. Not run with the others: a number, not a truth.
//!
//! `cargo test --release -p carriers --test throughput -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "in a test, a failure is what it is for")]

mod bench;

use std::time::{Duration, Instant};

use bench::{Smsc, Watched, quick, to};
use carriers::smsc::Settings;
use carriers::{Event, simulator, smpp};
use tokio::sync::mpsc::unbounded_channel;

const MESSAGES: i64 = 200_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn by_smpp() {
    let smsc = Smsc::start(Settings { receipt_window: 1000, ..Settings::default() }).await;
    let watched = Watched::smpp(smpp::Settings { sessions: 2, window: 200, ..quick(smsc.address) });
    measure("SMPP, both ends in this process", watched).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn by_the_simulator() {
    let settings =
        simulator::Settings { report_after: Duration::ZERO, ..simulator::Settings::new("simulator") };
    let (events, received) = unbounded_channel();
    measure("simulator", Watched::of(simulator::connect(settings, events), received)).await;
}

/// Submits whenever there is room, and stores each report at once.
async fn measure(what: &str, mut watched: Watched) {
    watched.until(|w| w.room > 0).await;
    // Only numbers of handsets that deliver.
    let number = |n: i64| 4_915_100_000_000 + n.unsigned_abs() % 90_000;
    let submissions: Vec<_> = (1..=MESSAGES).map(|n| to(n, number(n))).collect();
    let mut submissions = submissions.into_iter();
    let (mut waiting, mut answered, mut reported) = (0, 0, 0);
    let (start, cpu) = (Instant::now(), cpu_seconds());
    while reported < MESSAGES || answered < MESSAGES {
        while waiting < watched.room
            && let Some(submission) = submissions.next()
        {
            watched.line.submit(submission);
            waiting += 1;
        }
        match watched.events.recv().await.unwrap() {
            Event::Answer(_) => {
                waiting -= 1;
                answered += 1;
            }
            Event::Report(report) => {
                report.ack.stored();
                reported += 1;
            }
            Event::Room { slots, .. } => watched.room = slots,
        }
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let each = cpu / MESSAGES as f64 * 1e6;
    println!("{what}: {:.0} messages/s, {each:.1} us CPU a message", MESSAGES as f64 / seconds);
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
