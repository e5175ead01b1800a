//! The simulator inside the program: the fates of its handsets, and the contract of every line.

#![allow(clippy::unwrap_used, reason = "in a test, a failure is what it is for")]

mod bench;

use std::collections::HashMap;
use std::time::Duration;

use bench::{Watched, message, to};
use carriers::simulator::{self, Settings};
use carriers::{Outcome, Report};
use domain::delivery_report::ReportState;
use domain::id::MessageId;
use tokio::sync::mpsc::unbounded_channel;

fn simulator(settings: Settings) -> Watched {
    let (events, received) = unbounded_channel();
    Watched::of(simulator::connect(settings, events), received)
}

fn quick() -> Settings {
    Settings { report_after: Duration::from_millis(10), ..Settings::new("simulator") }
}

#[tokio::test]
async fn every_handset_does_what_its_number_says() {
    let mut watched = simulator(quick());
    watched.until(|w| w.room == 4096).await;
    let number = |end: u64| 4_915_100_000_000 + end;
    watched.submit_all((99_900..=99_911).map(|end| to(end as i64, number(end))).collect()).await;
    for _ in 0..3 {
        assert!(matches!(watched.answers[&(MessageId(99_902), 0)], Outcome::Later { .. }));
        watched.submit_all(vec![to(99_902, number(99_902))]).await;
    }
    assert!(matches!(watched.answers[&(MessageId(99_901), 0)], Outcome::Refused { .. }));
    assert_eq!(watched.answers[&(MessageId(99_910), 0)], Outcome::Lost);
    assert_eq!(watched.taken(), 10);
    use ReportState::*;
    #[rustfmt::skip]
    let expected: [(u64, &[ReportState]); 12] = [
        (99_900, &[Delivered]),
        (99_901, &[]),
        (99_902, &[Delivered]),
        (99_903, &[NotDelivered]),
        (99_904, &[Expired]),
        (99_905, &[Rejected]),
        (99_906, &[Buffered, Delivered]),
        (99_907, &[]),
        (99_908, &[Delivered]),
        (99_909, &[Delivered, Delivered]),
        (99_910, &[Delivered]),
        (99_911, &[Failed]),
    ];
    let all = expected.iter().map(|(_, states)| states.len()).sum::<usize>();
    watched.until(|w| w.reports.len() == all).await;
    let mut told: HashMap<u64, Vec<ReportState>> = HashMap::new();
    for Report { recipient, state, .. } in &watched.reports {
        told.entry(recipient.unwrap().as_i64().unsigned_abs()).or_default().push(*state);
    }
    for (end, states) in expected {
        assert_eq!(told.get(&number(end)).map_or(&[][..], Vec::as_slice), states, "{end}");
    }
}

#[tokio::test]
async fn a_report_that_is_not_stored_comes_again() {
    let mut watched = simulator(Settings { report_again_after: Duration::from_millis(30), ..quick() });
    watched.submit_all(vec![message(1)]).await;
    watched.until(|w| w.reports.len() == 1).await;
    let first = watched.reports.remove(0);
    watched.until(|w| w.reports.len() == 1).await;
    let again = watched.reports.remove(0);
    assert_eq!(again.remote_id, first.remote_id);
    again.ack.stored();
    // Another one in its place: the stored one does not come a third time before it.
    watched.submit_all(vec![message(2)]).await;
    watched.until(|w| w.reports.len() == 2).await;
    assert!(watched.reports.iter().all(|report| report.remote_id == watched.remote_id(2)));
}

#[tokio::test]
async fn closing_answers_everything() {
    let mut watched = simulator(Settings { answer_after: Duration::from_secs(3600), ..quick() });
    watched.until(|w| w.room > 0).await;
    (1..=100).for_each(|n| watched.submit(message(n)));
    watched.line.close();
    watched.until(|w| w.waiting.is_empty()).await;
    watched.until(|w| w.room == 0).await;
    watched.submit(message(101));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.answers[&(MessageId(101), 0)], Outcome::NotSent);
}
