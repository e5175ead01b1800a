//! The line to an SMPP carrier against the simulated SMSC over real sockets: what the contract
//! promises, kept in good times and in bad.

#![allow(clippy::unwrap_used, reason = "in a test, a failure is what it is for")]

mod bench;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bench::{Smsc, Watched, message, quick, soon, to};
use carriers::smsc::{ReceiptIds, Settings};
use carriers::{Outcome, smpp};
use domain::carrier::IdSpelling;
use domain::delivery_report::ReportState;
use domain::message::MessageClass;
use domain::text::Content;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_answered_once_and_reported() {
    // Room for all receipts, since the test stores none before it has seen them all.
    let smsc = Smsc::start(Settings { receipt_window: 10_000, ..Settings::default() }).await;
    let mut watched = Watched::smpp(smpp::Settings { sessions: 3, window: 16, ..quick(smsc.address) });
    watched.until(|w| w.room == 48).await;
    watched.submit_all((1..=5000).map(message).collect()).await;
    assert_eq!(watched.taken(), 5000);
    watched.until(|w| w.reports.len() == 5000).await;
    let recipients: HashMap<String, i64> =
        (1..=5000).map(|n| (watched.remote_id(n).to_owned(), 4_915_100_000_000 + n)).collect();
    assert_eq!(recipients.len(), 5000, "each has an id of its own");
    for report in watched.reports.drain(..) {
        assert_eq!(report.state, ReportState::Delivered);
        assert_eq!(report.recipient.unwrap().as_i64(), recipients[&report.remote_id]);
        report.ack.stored();
    }
    smsc.until(|s| s.receipts_acked.load(Relaxed) == 5000).await;
    assert_eq!(smsc.settings.stats.unique(), 5000);
    assert_eq!(smsc.settings.stats.submits.load(Relaxed), 5000);
    assert_eq!(smsc.settings.stats.nonsense.load(Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_window_of_a_session_is_never_exceeded() {
    let settings = Settings { answer_after: Duration::from_millis(5), ..Settings::default() };
    let smsc = Smsc::start(settings).await;
    let mut watched = Watched::smpp(smpp::Settings { sessions: 2, window: 8, ..quick(smsc.address) });
    watched.until(|w| w.room == 16).await;
    // More than there is room for: the line must hold the rest back by itself.
    (1..=800).for_each(|n| watched.submit(message(n)));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.taken(), 800);
    assert_eq!(smsc.settings.stats.unanswered_max.load(Relaxed), 8, "full, and not more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_out_of_order_find_their_messages() {
    let smsc = Smsc::start(Settings { receipt_window: 10_000, ..Settings::default() }).await;
    smsc.settings.faults.reverse.store(true, Relaxed);
    let mut watched = Watched::smpp(smpp::Settings { window: 64, ..quick(smsc.address) });
    watched.until(|w| w.room == 64).await;
    watched.submit_all((1..=1000).map(message).collect()).await;
    watched.until(|w| w.reports.len() == 1000).await;
    let told: HashMap<&str, i64> =
        watched.reports.iter().map(|r| (r.remote_id.as_str(), r.recipient.unwrap().as_i64())).collect();
    for n in 1..=1000 {
        assert_eq!(told[watched.remote_id(n)], 4_915_100_000_000 + n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_slows_down_and_loses_nothing() {
    let smsc = Smsc::start(Settings::default()).await;
    smsc.settings.faults.throttle_above.store(100, Relaxed);
    let mut watched = Watched::smpp(smpp::Settings { window: 50, ..quick(smsc.address) });
    watched.until(|w| w.room == 50).await;
    let mut left: Vec<i64> = (1..=300).collect();
    let mut rounds = 0;
    while !left.is_empty() {
        watched.submit_all(left.drain(..).map(message).collect()).await;
        left = (1..=300).filter(|n| !matches!(watched.answers[&key(*n)], Outcome::Taken { .. })).collect();
        for n in &left {
            assert!(matches!(watched.answers[&key(*n)], Outcome::Later { .. }));
        }
        rounds += 1;
        assert!(rounds < 50, "{} are still left", left.len());
    }
    assert_eq!(smsc.settings.stats.submits.load(Relaxed), 300);
    assert_eq!(smsc.settings.stats.unique(), 300);
    let throttled = smsc.settings.stats.throttled.load(Relaxed);
    assert!((1..300).contains(&throttled), "{throttled} were throttled: the rate went down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configured_rate_is_kept_over_all_sessions() {
    let smsc = Smsc::start(Settings::default()).await;
    // A little above the rate: what is held up on the way must not look like too fast.
    smsc.settings.faults.throttle_above.store(220, Relaxed);
    let mut watched =
        Watched::smpp(smpp::Settings { sessions: 2, window: 100, rate: 200, ..quick(smsc.address) });
    watched.until(|w| w.room == 200).await;
    watched.submit_all((1..=500).map(message).collect()).await;
    assert_eq!(watched.taken(), 500);
    assert_eq!(smsc.settings.stats.throttled.load(Relaxed), 0, "never too fast");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_leaves_one_honest_answer_each() {
    let smsc = Smsc::start(Settings::default()).await;
    smsc.settings.faults.drop_every.store(37, Relaxed);
    let mut watched = Watched::smpp(smpp::Settings { sessions: 2, window: 20, ..quick(smsc.address) });
    watched.until(|w| w.room > 0).await;
    let mut lost = Vec::new();
    let mut left: Vec<i64> = (1..=1000).collect();
    while !left.is_empty() {
        watched.submit_all(left.iter().copied().map(message).collect()).await;
        let of = |watched: &Watched, outcome: &Outcome, from: &[i64]| -> Vec<i64> {
            from.iter().copied().filter(|n| watched.answers[&key(*n)] == *outcome).collect()
        };
        lost.extend(of(&watched, &Outcome::Lost, &left));
        left = of(&watched, &Outcome::NotSent, &left);
    }
    assert!(!lost.is_empty(), "answers were cut off");
    let stats = &smsc.settings.stats;
    assert_eq!(watched.taken() + lost.len(), 1000, "each has one fate");
    // What was said not to be sent was submitted again, and nothing came twice: it was the truth.
    assert_eq!(stats.submits.load(Relaxed), stats.unique() as u64);
    assert!(stats.unique() >= watched.taken(), "what was taken did arrive");
    assert!(stats.unique() <= watched.taken() + lost.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_carrier_is_noticed_and_what_it_holds_is_lost() {
    let smsc = Smsc::start(Settings::default()).await;
    let patience = Duration::from_millis(200);
    let mut watched =
        Watched::smpp(smpp::Settings { enquire_link_after: patience, window: 4, ..quick(smsc.address) });
    watched.until(|w| w.room == 4).await;
    smsc.settings.faults.mute.store(true, Relaxed);
    (1..=6).for_each(|n| watched.submit(message(n)));
    watched.until(|w| w.room == 0).await;
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.count(|o| *o == Outcome::Lost), 4, "what was in the window");
    assert_eq!(watched.count(|o| *o == Outcome::NotSent), 2, "what was not");
    assert!(smsc.settings.stats.enquire_links.load(Relaxed) > 0);
    smsc.settings.faults.mute.store(false, Relaxed);
    watched.until(|w| w.room == 4).await;
    watched.submit_all(vec![message(7)]).await;
    assert_eq!(watched.taken(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_session_is_kept_alive() {
    let patience = Duration::from_millis(300);
    let smsc = Smsc::start(Settings { enquire_link_after: patience, ..Settings::default() }).await;
    let mut watched = Watched::smpp(smpp::Settings { enquire_link_after: patience, ..quick(smsc.address) });
    watched.until(|w| w.room > 0).await;
    smsc.until(|s| s.enquire_links.load(Relaxed) >= 3).await;
    assert_eq!(smsc.settings.stats.connections.load(Relaxed), 1, "one session all the while");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_do_not_come_are_lost_and_a_late_one_changes_nothing() {
    let settings = Settings { answer_after: Duration::from_millis(500), ..Settings::default() };
    let smsc = Smsc::start(settings).await;
    let mut watched = Watched::smpp(smpp::Settings {
        answer_within: Duration::from_millis(100),
        window: 10,
        ..quick(smsc.address)
    });
    watched.until(|w| w.room == 10).await;
    watched.submit(message(1));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.answers[&key(1)], Outcome::Lost);
    // Its receipt comes all the same, behind the late answer, on the session that still stands.
    watched.until(|w| w.reports.len() == 1).await;
    assert_eq!(smsc.settings.stats.connections.load(Relaxed), 1);
    // A window that waits for nothing but late answers is worth a new session.
    (2..=8).for_each(|n| watched.submit(message(n)));
    watched.until(|w| w.waiting.is_empty()).await;
    smsc.until(|s| s.connections.load(Relaxed) == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_back_when_the_carrier_does() {
    let smsc = Smsc::start(Settings::default()).await;
    let address = smsc.address;
    let mut watched = Watched::smpp(smpp::Settings { sessions: 2, window: 5, ..quick(address) });
    watched.until(|w| w.room == 10).await;
    smsc.stop().await;
    watched.until(|w| w.room == 0).await;
    watched.submit(message(1));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.answers[&key(1)], Outcome::NotSent);
    let again = Smsc::start_at(address, Settings::default()).await;
    watched.until(|w| w.room == 10).await;
    watched.submit_all(vec![message(1)]).await;
    assert_eq!((watched.taken(), again.settings.stats.unique()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_is_acknowledged_when_it_is_stored_and_comes_again_otherwise() {
    let smsc = Smsc::start(Settings::default()).await;
    let mut watched = Watched::smpp(quick(smsc.address));
    watched.until(|w| w.room > 0).await;
    watched.submit_all(vec![message(1)]).await;
    watched.until(|w| w.reports.len() == 1).await;
    // Not stored: the right to acknowledge is dropped.
    let first = watched.reports.remove(0);
    let remote_id = first.remote_id.clone();
    drop(first);
    smsc.settings.faults.drop_every.store(1, Relaxed);
    watched.submit(to(2, 4_915_100_099_907));
    watched.until(|w| w.waiting.is_empty()).await;
    smsc.settings.faults.drop_every.store(0, Relaxed);
    assert_eq!(smsc.settings.stats.receipts_acked.load(Relaxed), 0);
    watched.until(|w| w.reports.len() == 1).await;
    let again = watched.reports.remove(0);
    assert_eq!(again.remote_id, remote_id);
    again.ack.stored();
    smsc.until(|s| s.receipts_acked.load(Relaxed) == 1).await;
    assert_eq!(smsc.settings.stats.receipts_sent.load(Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_gives_no_room_and_is_tried_again() {
    let settings = Settings { password: Some("other".to_owned()), ..Settings::default() };
    let smsc = Smsc::start(settings).await;
    let mut watched = Watched::smpp(quick(smsc.address));
    smsc.until(|s| s.binds_refused.load(Relaxed) >= 2).await;
    watched.submit(message(1));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.answers[&key(1)], Outcome::NotSent);
    assert_eq!(watched.room, 0);
    assert_eq!(smsc.settings.stats.binds.load(Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_answers_everything_and_unbinds() {
    let settings = Settings { answer_after: Duration::from_millis(100), ..Settings::default() };
    let smsc = Smsc::start(settings).await;
    let mut watched = Watched::smpp(smpp::Settings { sessions: 2, window: 10, ..quick(smsc.address) });
    watched.until(|w| w.room == 20).await;
    (1..=50).for_each(|n| watched.submit(message(n)));
    smsc.until(|s| s.submits.load(Relaxed) == 20).await;
    watched.line.close();
    watched.submit(message(51));
    watched.until(|w| w.waiting.is_empty()).await;
    assert_eq!(watched.taken(), 20, "what was under way was waited for");
    assert_eq!(watched.count(|o| *o == Outcome::NotSent), 31);
    smsc.until(|s| s.unbinds.load(Relaxed) == 2).await;
    watched.until(|w| w.room == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letting_go_of_the_line_ends_it() {
    let smsc = Smsc::start(Settings::default()).await;
    let mut watched = Watched::smpp(quick(smsc.address));
    watched.until(|w| w.room > 0).await;
    let Watched { line, mut events, .. } = watched;
    drop(line);
    smsc.until(|s| s.unbinds.load(Relaxed) == 1).await;
    while soon(events.recv()).await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_handset_does_what_its_number_says() {
    let settings = Settings { receipt_after: Duration::from_millis(30), ..Settings::default() };
    let smsc = Smsc::start(settings).await;
    let mut watched = Watched::smpp(smpp::Settings {
        answer_within: Duration::from_millis(400),
        window: 100,
        ..quick(smsc.address)
    });
    watched.until(|w| w.room > 0).await;
    let number = |end: u64| 4_915_100_000_000 + end;
    watched.submit_all((99_900..=99_911).map(|end| to(end as i64, number(end))).collect()).await;
    for attempt in 1..=3 {
        assert!(matches!(watched.answers[&key(99_902)], Outcome::Later { .. }), "attempt {attempt}");
        watched.submit_all(vec![to(99_902, number(99_902))]).await;
    }
    assert!(matches!(watched.answers[&key(99_901)], Outcome::Refused { .. }));
    assert_eq!(watched.answers[&key(99_910)], Outcome::Lost);
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
    for (end, states) in expected {
        let told: Vec<ReportState> = watched
            .reports
            .iter()
            .filter(|r| r.recipient.unwrap().as_i64().unsigned_abs() == number(end))
            .map(|r| r.state)
            .collect();
        assert_eq!(told, states, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_spell_ids_their_own_way_and_are_found() {
    for (receipt_ids, spelling) in [
        (ReceiptIds::Decimal, IdSpelling::HexThenDecimal),
        (ReceiptIds::Decimal, IdSpelling::Auto),
        (ReceiptIds::Capitals, IdSpelling::Auto),
    ] {
        let smsc = Smsc::start(Settings { receipt_ids, ..Settings::default() }).await;
        let mut watched = Watched::smpp(quick(smsc.address));
        watched.until(|w| w.room > 0).await;
        watched.submit_all(vec![message(1)]).await;
        watched.until(|w| w.reports.len() == 1).await;
        let stored = spelling.stored(watched.remote_id(1));
        assert!(spelling.candidates(&watched.reports[0].remote_id).contains(&stored), "{receipt_ids:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_is_what_was_cut_into_segments() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = Settings {
        record: true,
        record_file: Some(file.path().to_owned()),
        started_at: domain::moment::Moment::from_seconds(1_767_607_860),
        ..Settings::default()
    };
    let smsc = Smsc::start(settings).await;
    let mut watched = Watched::smpp(quick(smsc.address));
    watched.until(|w| w.room > 0).await;
    let texts =
        ["Grüße für 5 €".to_owned(), "Привет 👋".to_owned(), "long {} ".repeat(60), "日本語".repeat(50)];
    let mut expected = Vec::new();
    for (n, text) in (1_i64..).zip(&texts) {
        let content = Arc::new(Content::text(text, false).unwrap());
        let parts = content.parts(n.to_le_bytes()[0], false);
        for (part, cut) in (0_u8..).zip(&parts) {
            let submission = carriers::Submission {
                part,
                content: content.clone(),
                class: MessageClass::Otp,
                ..message(n)
            };
            watched.submit_all(vec![submission]).await;
            expected.push(([cut.udh.as_slice(), &cut.octets].concat(), cut.data_coding, !cut.udh.is_empty()));
        }
    }
    let recorded = smsc.settings.stats.recorded();
    let arrived: Vec<_> =
        recorded.iter().map(|s| (s.octets.clone(), s.data_coding, s.esm_class == 0x40)).collect();
    assert_eq!(arrived, expected);
    assert_eq!((recorded[0].sender.as_str(), recorded[0].sender_ton_npi), ("Branch", (5, 0)));
    let lines = std::fs::read_to_string(file.path()).unwrap();
    assert_eq!(lines.lines().count(), expected.len());
    assert!(lines.starts_with("4915100000001 "));
    watched.until(|w| !w.reports.is_empty()).await;
    assert_eq!(watched.reports[0].done_at.unwrap().seconds(), 1_767_607_860);
}

fn key(message: i64) -> (domain::id::MessageId, u8) {
    (domain::id::MessageId(message), 0)
}
