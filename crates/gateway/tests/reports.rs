//! What carriers say, in every disorder: answers and delivery reports that come early, late, twice,
//! spelled otherwise, from another session or not at all.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carriers::{Outcome, Submission};
use domain::carrier::IdSpelling;
use domain::delivery_report::{ReportState, joined};
use domain::id::MessageId;
use domain::message::{MessageClass, MessageStatus};
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::route::Route;
use gateway::accept::SendRequest;
use gateway::{Clock, Gateway};
use house::*;

const CREDIT: i64 = 1_000_000 * PRICE;

async fn early(db: &storage::Db) -> i64 {
    count(db, "select count(*) from early_reports").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_comes_before_the_answer_is_kept_for_it() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let message = sent(&gateway, &account, one(1, MessageClass::Normal)).await;
        let submission = script.next().await;
        script.reported("2A", Some(submission.recipient), ReportState::Delivered).await;
        assert_eq!(seen(&base.db, message).await.status, MessageStatus::Queued);
        assert!(early(&base.db).await > 0);
        script.answer(&submission, taken("2a"));
        becomes(&base.db, message, MessageStatus::Delivered).await;
        assert_eq!(early(&base.db).await, 0, "in no spelling is it kept any longer");
        // Kept reports are found after a restart, too.
        let message = sent(&gateway, &account, one(2, MessageClass::Normal)).await;
        let submission = script.next().await;
        script.reported("43", Some(submission.recipient), ReportState::NotDelivered).await;
        gateway.stop().await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let submission = script.next().await;
        script.answer(&submission, taken("43"));
        becomes(&base.db, message, MessageStatus::Undelivered).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_comes_twice_counts_once_and_the_first_final_word_stays() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let message = sent(&gateway, &account, one(1, MessageClass::Normal)).await;
        let submission = script.next().await;
        script.answer(&submission, taken("1"));
        for (word, status, report) in [
            (ReportState::Buffered, MessageStatus::Submitted, ReportState::Buffered),
            (ReportState::Accepted, MessageStatus::Submitted, ReportState::Accepted),
            (ReportState::Unknown, MessageStatus::Unknown, ReportState::Unknown),
            (ReportState::Buffered, MessageStatus::Unknown, ReportState::Unknown),
            (ReportState::Unknown, MessageStatus::Unknown, ReportState::Unknown),
            (ReportState::Delivered, MessageStatus::Delivered, ReportState::Delivered),
            (ReportState::Delivered, MessageStatus::Delivered, ReportState::Delivered),
            (ReportState::NotDelivered, MessageStatus::Delivered, ReportState::Delivered),
            (ReportState::Buffered, MessageStatus::Delivered, ReportState::Delivered),
        ] {
            script.reported("1", None, word).await;
            let seen = seen(&base.db, message).await;
            assert_eq!((seen.status, seen.report), (status, Some(report)), "after {word:?}");
        }
        assert_eq!(
            count(&base.db, "select cast(sum(delivered * 100 + failed) as bigint) from statistics").await,
            100
        );
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_found_in_every_spelling_before_and_after_the_answer() {
    #[rustfmt::skip]
    let cases = [
        // carrier  answer         receipt
        ("auto",    "1A2B",        "6699"),
        ("auto",    "7001",        "1b59"),
        ("auto",    "00003c4d",    "3C4D"),
        ("auto",    "0000000042",  "42"),
        ("auto",    "43",          "0000000043"),
        ("auto",    "7f3e-u-Form", "7F3E-U-form"),
        ("hex",     "1a2b",        "0000006699"),
        ("hex",     "00000010",    "16"),
        ("dec",     "6699",        "00001A2B"),
        ("as is",   "AbC",         "AbC"),
        ("as is",   "0042",        "0042"),
    ];
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (mut lines, mut routes, mut scripts) = (Vec::new(), Vec::new(), HashMap::new());
        for (name, spelling, country) in [
            ("auto", IdSpelling::Auto, "DE"),
            ("hex", IdSpelling::HexThenDecimal, "FR"),
            ("dec", IdSpelling::DecimalThenHex, "AT"),
            ("as is", IdSpelling::AsIs, "CH"),
        ] {
            let (script, line) = Script::new(name, spelling, true);
            lines.push(line);
            scripts.insert(name, script);
            routes.push(Route {
                carrier: name.into(),
                countries: Country::parse(country).into_iter().collect(),
                priority: 1,
            });
        }
        let gateway = Gateway::start(base.clone(), lines, routes).await.unwrap();
        for script in scripts.values() {
            script.room(8);
        }
        for report_first in [false, true] {
            for (n, (carrier, answer, receipt)) in cases.iter().enumerate() {
                let prefix = match *carrier {
                    "auto" => "+4915112300",
                    "hex" => "+336123456",
                    "dec" => "+436641234",
                    _ => "+417912345",
                };
                let request = SendRequest { no_reload: true, ..to([format!("{prefix}{n:02}")], "a") };
                let message = sent(&gateway, &account, request).await;
                let script = scripts.get_mut(carrier).unwrap();
                let submission = script.next().await;
                // The second time the same ids are given anew: the newest message is meant.
                let answer = if report_first { answer.replace("42", "52") } else { (*answer).to_owned() };
                let receipt = if report_first { receipt.replace("42", "52") } else { (*receipt).to_owned() };
                if report_first {
                    script.reported(&receipt, Some(submission.recipient), ReportState::Buffered).await;
                }
                script.answer(&submission, taken(&answer));
                becomes(&base.db, message, MessageStatus::Submitted).await;
                script.reported(&receipt, Some(submission.recipient), ReportState::Delivered).await;
                let case = (carrier, answer, receipt, base.db.engine());
                assert_eq!(seen(&base.db, message).await.status, MessageStatus::Delivered, "{case:?}");
            }
        }
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_of_two_carriers_means_two_messages() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (mut alpha, first) = Script::new("alpha", IdSpelling::Auto, true);
        let (mut beta, second) = Script::new("beta", IdSpelling::Auto, true);
        let country = |name| Country::parse(name).into_iter().collect();
        let routes = vec![
            Route { carrier: "alpha".into(), countries: country("DE"), priority: 1 },
            Route { carrier: "beta".into(), countries: country("FR"), priority: 1 },
        ];
        let gateway = Gateway::start(base.clone(), vec![first, second], routes).await.unwrap();
        alpha.room(8);
        beta.room(8);
        let german = sent(&gateway, &account, one(1, MessageClass::Normal)).await;
        let french = sent(&gateway, &account, to(["+33612345678".into()], "a")).await;
        let submission = alpha.next().await;
        alpha.answer(&submission, taken("10"));
        let submission = beta.next().await;
        beta.answer(&submission, taken("16"));
        becomes(&base.db, german, MessageStatus::Submitted).await;
        becomes(&base.db, french, MessageStatus::Submitted).await;
        // To alpha, 16 is what it called 10 in hexadecimal; that beta has a 16 does not matter.
        alpha.reported("16", None, ReportState::NotDelivered).await;
        beta.reported("16", None, ReportState::Delivered).await;
        assert_eq!(seen(&base.db, german).await.status, MessageStatus::Undelivered);
        assert_eq!(seen(&base.db, french).await.status, MessageStatus::Delivered);
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_report_names_its_recipient_only_a_message_to_it_is_meant() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let mut all = Vec::new();
        for (n, id) in [(1, "7"), (2, "7"), (3, "10"), (4, "16")] {
            let message = sent(&gateway, &account, one(n, MessageClass::Normal)).await;
            let submission = script.next().await;
            script.answer(&submission, taken(id));
            becomes(&base.db, message, MessageStatus::Submitted).await;
            all.push((message, submission.recipient));
        }
        let status = async |n: usize| seen(&base.db, all[n].0).await.status;
        // The carrier has begun to count anew: the older of the two is meant.
        script.reported("7", Some(all[0].1), ReportState::Delivered).await;
        assert_eq!([status(0).await, status(1).await], [MessageStatus::Delivered, MessageStatus::Submitted]);
        // Without a recipient, the newest.
        script.reported("7", None, ReportState::Expired).await;
        assert_eq!([status(0).await, status(1).await], [MessageStatus::Delivered, MessageStatus::Expired]);
        // What is 16 literally went elsewhere; what is 16 in hexadecimal went there.
        script.reported("16", Some(all[2].1), ReportState::Delivered).await;
        assert_eq!([status(2).await, status(3).await], [MessageStatus::Delivered, MessageStatus::Submitted]);
        // Nothing fits: it is kept, and nothing moves.
        script.reported("16", Some(parsed(&number(99))), ReportState::Delivered).await;
        assert_eq!(status(3).await, MessageStatus::Submitted);
        assert!(early(&base.db).await > 0);
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_report_is_used_for_one_message_only() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let first = sent(&gateway, &account, one(1, MessageClass::Normal)).await;
        let submission = script.next().await;
        script.reported("16", None, ReportState::Delivered).await;
        script.answer(&submission, taken("16"));
        becomes(&base.db, first, MessageStatus::Delivered).await;
        // 16 could also have meant these, but it did not.
        for (n, id) in [(2, "10"), (3, "22")] {
            let other = sent(&gateway, &account, one(n, MessageClass::Normal)).await;
            let submission = script.next().await;
            script.answer(&submission, taken(id));
            becomes(&base.db, other, MessageStatus::Submitted).await;
            script.reported("none", None, ReportState::Delivered).await;
            assert_eq!(seen(&base.db, other).await.status, MessageStatus::Submitted, "{id}");
        }
        gateway.stop().await;
    }
}

/// Several processes share PostgreSQL alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_comes_by_the_session_of_another_node_is_never_missed() {
    const MESSAGES: u64 = 400;
    let database = testing::postgres().await;
    let here = base(&database.db, Clock::of_the_machine()).await;
    let there = base(&database.db, Clock::of_the_machine()).await;
    let account = account(&here, "a", None, CREDIT).await;
    let (gateway, mut script) = scripted(&here, 64).await;
    let (other, elsewhere) = scripted(&there, 64).await;
    for n in 0..MESSAGES {
        sent(&gateway, &account, one(n, MessageClass::Otp)).await;
        let submission = script.next().await;
        // At the same moment, so that neither node sees what the other is storing.
        let id = format!("x{n}");
        script.answer(&submission, taken(&id));
        elsewhere.report(&id, Some(submission.recipient), ReportState::Delivered);
    }
    let delivered = "select count(*) from messages where status = 4";
    until("all is delivered", async || count(&here.db, delivered).await == MESSAGES as i64).await;
    sound(&here).await;
    gateway.stop().await;
    other.stop().await;
}

/// Sends a text of two or three segments and lets the carrier take all of its parts.
async fn in_parts(
    gateway: &Gateway,
    account: &Arc<domain::account::Account>,
    script: &mut Script,
    n: u64,
    parts: usize,
) -> MessageId {
    let text = LONG.repeat(parts - 1);
    let message = sent(gateway, account, to([number(n)], &text)).await;
    let mut submissions = script.take(parts).await;
    submissions.reverse();
    for part in &submissions {
        assert_eq!(part.message, message);
        script.answer(part, taken(&format!("m{n}p{}", part.part)));
    }
    becomes(&gateway.db, message, MessageStatus::Submitted).await;
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_on_the_parts_of_a_message_join_in_any_order() {
    use ReportState::{Buffered, Delivered, Expired, NotDelivered, Unknown};
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    #[rustfmt::skip]
    let cases = [
        // one word for each part                the message
        ([Delivered, Delivered,    Delivered],   MessageStatus::Delivered),
        ([Delivered, NotDelivered, Delivered],   MessageStatus::Undelivered),
        ([Unknown,   Delivered,    Delivered],   MessageStatus::Unknown),
        ([Unknown,   Delivered,    Expired],     MessageStatus::Expired),
    ];
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let mut n = 0;
        for (words, expected) in cases {
            for order in ORDERS {
                n += 1;
                let message = in_parts(&gateway, &account, &mut script, n, 3).await;
                for part in &order[..2] {
                    let id = format!("m{n}p{part}");
                    script.reported(&id, None, Buffered).await;
                    script.reported(&id, None, words[*part]).await;
                    script.reported(&id, None, words[*part]).await;
                    script.reported(&id, None, Buffered).await;
                    assert_eq!(seen(&base.db, message).await.status, MessageStatus::Submitted, "{order:?}");
                }
                script.reported(&format!("m{n}p{}", order[2]), None, words[order[2]]).await;
                assert_eq!(seen(&base.db, message).await.status, expected, "{words:?} {order:?}");
                if expected == MessageStatus::Unknown {
                    // What was not known of one part may still come to be.
                    script.reported(&format!("m{n}p0"), None, Delivered).await;
                    assert_eq!(seen(&base.db, message).await.status, MessageStatus::Delivered, "{order:?}");
                }
            }
        }
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_on_one_part_is_not_taken_for_one_on_the_whole() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        for n in 0..60 {
            let message = sent(&gateway, &account, to([number(n)], LONG)).await;
            let parts = script.take(2).await;
            let id = |part: usize| format!("m{n}p{part}");
            script.answer(&parts[0], taken(&id(0)));
            if n % 2 == 0 {
                let stored = "select count(*) from segments where report is null and created_at > 0";
                until("the first part is stored", async || count(&base.db, stored).await == 1).await;
            }
            // These come together, so that they are stored in one batch.
            script.answer(&parts[1], taken(&id(1)));
            script.reported(&id(0), None, ReportState::Delivered).await;
            becomes(&base.db, message, MessageStatus::Submitted).await;
            script.reported(&id(1), None, ReportState::NotDelivered).await;
            assert_eq!(seen(&base.db, message).await.status, MessageStatus::Undelivered, "{n}");
        }
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_takes_a_long_message_whole_reports_on_it_as_one() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (mut script, line) = Script::new("alpha", IdSpelling::Auto, false);
        let gateway = Gateway::start(base.clone(), vec![line], vec![everywhere("alpha", 1)]).await.unwrap();
        script.room(8);
        for (n, report_first) in [(1, false), (2, true)] {
            let message = sent(&gateway, &account, to([number(n)], LONG)).await;
            let whole = script.next().await;
            let id = format!("id{n}");
            if report_first {
                script.reported(&id, None, ReportState::Delivered).await;
                script.answer(&whole, taken(&id));
            } else {
                script.answer(&whole, taken(&id));
                script.reported(&id, None, ReportState::Delivered).await;
            }
            becomes(&base.db, message, MessageStatus::Delivered).await;
        }
        let message = sent(&gateway, &account, to([number(3)], LONG)).await;
        let submission = script.next().await;
        script.answer(&submission, refused());
        becomes(&base.db, message, MessageStatus::Rejected).await;
        assert_eq!(wallet(&base, &account).await, CREDIT - 4 * PRICE);
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_were_refused_are_given_back_and_those_taken_are_not() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let end = base.clock.now().after(Duration::from_secs(86_400));
        // Of the first message, two parts are free.
        grant(&base, &account, 2 * PRICE, Some(end)).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        for (n, outcomes) in [
            (1, [taken("a"), refused(), taken("b")]),
            (2, [refused(), refused(), taken("c")]),
            (3, [taken("d"), Outcome::Lost, refused()]),
            (4, [refused(), refused(), refused()]),
        ] {
            let before = holds(&base, &account).await;
            let message = sent(&gateway, &account, to([number(n)], &LONG.repeat(2))).await;
            for (part, outcome) in script.take(3).await.iter().zip(&outcomes) {
                script.answer(part, outcome.clone());
            }
            becomes(&base.db, message, MessageStatus::Rejected).await;
            let parts = outcomes.iter().filter(|o| matches!(o, Outcome::Taken { .. })).count() as i64;
            let after = holds(&base, &account).await;
            assert_eq!(before.0 + before.1 - after.0 - after.1, parts * PRICE, "{n}");
            // Words on the parts that went out change nothing any more.
            script.reported("a", None, ReportState::Delivered).await;
            script.reported("b", None, ReportState::Delivered).await;
            assert_eq!(seen(&base.db, message).await.status, MessageStatus::Rejected);
        }
        assert_eq!(holds(&base, &account).await.1, PRICE, "one free part came back");
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_is_lost_is_sent_once_more_or_held() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        for (n, class) in [(1, MessageClass::Otp), (2, MessageClass::Normal)] {
            let message = sent(&gateway, &account, one(n, class)).await;
            let submission = script.next().await;
            script.answer(&submission, Outcome::Lost);
            let again = script.next().await;
            assert_eq!(again.message, message);
            let of_book = seen(&base.db, message).await;
            assert!(of_book.duplicate, "it is marked before it leaves");
            script.answer(&again, Outcome::Lost);
            becomes(&base.db, message, MessageStatus::Unknown).await;
        }
        let bulk = sent(&gateway, &account, one(3, MessageClass::Bulk)).await;
        let submission = script.next().await;
        script.answer(&submission, Outcome::Lost);
        becomes(&base.db, bulk, MessageStatus::Unknown).await;
        assert!(!seen(&base.db, bulk).await.duplicate);
        // The second try may go well, and only the lost part of a long message is tried.
        let long = sent(&gateway, &account, to([number(4)], LONG)).await;
        let parts = script.take(2).await;
        script.answer(&parts[0], Outcome::Lost);
        script.answer(&parts[1], taken("one"));
        let again = script.next().await;
        assert_eq!((again.message, again.part), (long, 0));
        script.answer(&again, taken("zero"));
        becomes(&base.db, long, MessageStatus::Submitted).await;
        script.reported("zero", None, ReportState::Delivered).await;
        script.reported("one", None, ReportState::Delivered).await;
        assert_eq!(seen(&base.db, long).await.status, MessageStatus::Delivered);
        // Charged once, and not given back: it may have been sent.
        assert_eq!(wallet(&base, &account).await, CREDIT - 5 * PRICE);
        handed_over(&base.db).await;
        sound(&base).await;
        gateway.stop().await;
        assert!(script.submitted.try_recv().is_err(), "nothing else was handed over");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_or_did_not_leave_is_tried_again_and_was_no_attempt() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        for (n, class) in [(1, MessageClass::Otp), (2, MessageClass::Normal), (3, MessageClass::Bulk)] {
            for outcome in [later(), Outcome::NotSent] {
                let request = SendRequest { no_reload: true, ..one(n, class) };
                let message = sent(&gateway, &account, request).await;
                for _ in 0..5 {
                    let submission = script.next().await;
                    assert_eq!(submission.message, message);
                    script.answer(&submission, outcome.clone());
                }
                let submission = script.next().await;
                let attempts = format!("select attempts from outbox where message_id = {message}");
                assert_eq!(count(&base.db, &attempts).await, 1);
                script.answer(&submission, taken(&format!("x{message}")));
                becomes(&base.db, message, MessageStatus::Submitted).await;
                assert!(!seen(&base.db, message).await.duplicate);
            }
        }
        // Of a long message only what was put off is tried again.
        let long = sent(&gateway, &account, to([number(9)], LONG)).await;
        let parts = script.take(2).await;
        script.answer(&parts[1], taken("y1"));
        script.answer(&parts[0], later());
        let again = script.next().await;
        assert_eq!((again.message, again.part), (long, 0));
        script.answer(&again, taken("y0"));
        becomes(&base.db, long, MessageStatus::Submitted).await;
        until("all places are free again", async || gateway.lines()[0].used == 0).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_acknowledged_only_when_it_is_stored() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let message = sent(&gateway, &account, one(1, MessageClass::Normal)).await;
        let submission = script.next().await;
        script.answer(&submission, taken("1"));
        becomes(&base.db, message, MessageStatus::Submitted).await;
        let mut tx = base.db.begin().await.unwrap();
        tx.ask(storage::messages::lock([message.0])).await.unwrap();
        let mut acknowledged = script.report("1", None, ReportState::Delivered);
        let heard = tokio::time::timeout(Duration::from_millis(200), acknowledged.recv()).await;
        assert!(heard.is_err(), "the books cannot be written yet");
        drop(tx);
        assert_eq!(acknowledged.recv().await, Some(1));
        assert_eq!(seen(&base.db, message).await.status, MessageStatus::Delivered);
        script.reported("nobody", None, ReportState::Delivered).await;
        assert_eq!(count(&base.db, "select count(*) from early_reports where remote_id = 'nobody'").await, 1);
        gateway.stop().await;
    }
}

/// Something a carrier says of one part.
enum Word {
    Answer(usize),
    Report { of: usize, decimal: bool, state: ReportState },
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_find_their_words_in_any_order() {
    const MESSAGES: usize = 10_000;
    const AT_ONCE: usize = 2_500;
    for database in testing::engines().await {
        let base = base(&database.db, Clock::of_the_machine()).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 3 * AT_ONCE).await;
        let mut chance = Seeded(7);
        for round in 0..MESSAGES / AT_ONCE {
            let mut submissions: Vec<Submission> = Vec::new();
            for request in 0..AT_ONCE / 250 {
                let first = (round * AT_ONCE + request * 250) as u64;
                let text = if request % 4 == 0 { LONG } else { "short" };
                let sent = gateway.send(&account, to((first..first + 250).map(number), text)).await;
                assert_eq!(accepted(&sent), 250);
                submissions.extend(script.take(250 * if request % 4 == 0 { 2 } else { 1 }).await);
            }
            // What will be said of each part: perhaps that it is on its way, and how it ends, perhaps
            // more than once, in either spelling; all of it in any order.
            let (mut words, mut ends) = (Vec::new(), HashMap::<MessageId, Vec<Option<ReportState>>>::new());
            for (of, submission) in submissions.iter().enumerate() {
                let end = ReportState::ALL[3 + chance.below(6)];
                ends.entry(submission.message).or_default().push(Some(end));
                words.push(Word::Answer(of));
                for _ in 0..1 + chance.below(2) {
                    words.push(Word::Report { of, decimal: chance.below(2) == 0, state: end });
                }
                for _ in 0..chance.below(2) {
                    words.push(Word::Report { of, decimal: false, state: ReportState::Buffered });
                }
            }
            chance.shuffle(&mut words);
            let mut before = statuses(&base.db).await;
            for (said, word) in words.iter().enumerate() {
                // Far apart, so that no id is another one's in the other spelling.
                let id = |of: usize| 0xa000_0000_u64 + (round * 10_000 + of) as u64;
                match word {
                    Word::Answer(of) => script.answer(&submissions[*of], taken(&format!("{:08X}", id(*of)))),
                    Word::Report { of, decimal, state } => {
                        let id = if *decimal { id(*of).to_string() } else { format!("{:x}", id(*of)) };
                        script.report(&id, Some(submissions[*of].recipient), *state);
                    }
                }
                if said % 1_000 == 0 {
                    let after = statuses(&base.db).await;
                    only_forward(&before, &after);
                    before = after;
                }
            }
            until("all reports are applied", async || {
                let now = statuses(&base.db).await;
                ends.iter().all(|(id, ends)| Some(now[id]) == joined(ends).and_then(ReportState::status))
            })
            .await;
            only_forward(&before, &statuses(&base.db).await);
        }
        handed_over(&base.db).await;
        until("all places are free again", async || gateway.lines()[0].used == 0).await;
        sound(&base).await;
        gateway.stop().await;
    }
}

async fn statuses(db: &storage::Db) -> HashMap<MessageId, MessageStatus> {
    let rows = db.read().await.unwrap().query("select id, status from messages", &[]).await.unwrap();
    let status = |row: &storage::db::Row| MessageStatus::from_code(row.int(1).unwrap()).unwrap();
    rows.iter().map(|row| (MessageId(row.int(0).unwrap()), status(row))).collect()
}

fn only_forward(before: &HashMap<MessageId, MessageStatus>, after: &HashMap<MessageId, MessageStatus>) {
    for (id, was) in before {
        let is = after[id];
        assert!(was == &is || was.may_become(is), "{id} moved from {was:?} to {is:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_forgotten_and_what_may_still_be_reported_on_is_not() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 8).await;
        let over = sent(&gateway, &account, one(1, MessageClass::Normal)).await;
        let silent = sent(&gateway, &account, one(2, MessageClass::Normal)).await;
        for _ in 0..2 {
            let submission = script.next().await;
            script.answer(&submission, taken(&format!("x{}", submission.message)));
        }
        handed_over(&base.db).await;
        script.reported(&format!("x{over}"), None, ReportState::Delivered).await;
        script.reported("nobodys", None, ReportState::Delivered).await;
        let segments = async || count(&base.db, "select count(*) from segments").await;
        let days = |n: u64| NOW.after(Duration::from_secs(n * 86_400));
        base.clock.set(days(6));
        assert_eq!(gateway.forget_what_is_over().await.unwrap(), 0);
        assert_eq!((segments().await, early(&base.db).await), (2, 0), "nobody's report is given up");
        base.clock.set(days(8));
        assert_eq!(gateway.forget_what_is_over().await.unwrap(), 1);
        script.reported(&format!("x{silent}"), None, ReportState::Delivered).await;
        becomes(&base.db, silent, MessageStatus::Delivered).await;
        assert_eq!(gateway.forget_what_is_over().await.unwrap(), 1);
        assert_eq!(segments().await, 0);
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carriers_clock_is_believed_as_far_as_it_can_be_right() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let account = account(&base, "a", None, CREDIT).await;
        let (gateway, mut script) = scripted(&base, 16).await;
        // Accepted 40 seconds into a minute, told of two minutes and five seconds later.
        let at = |seconds: i64| Moment(NOW.0 + seconds * 1_000_000);
        assert_eq!(NOW.seconds() % 60, 40);
        let told_at = at(125);
        #[rustfmt::skip]
        let cases = [
            // done, by the carrier    what is taken for it
            (None,                     told_at),
            (Some(at(20)),             at(20)),     // the next minute began, and it may have been then
            (Some(at(31)),             at(31)),
            (Some(at(80)),             told_at),    // this minute, the seconds left out
            (Some(at(81)),             at(81)),
            (Some(at(-40)),            told_at),    // before it was sent
            (Some(at(-5 * 3_600)),     told_at),    // another time zone
            (Some(at(2 * 3_600)),      told_at),
        ];
        let mut messages = Vec::new();
        for n in 0..cases.len() as u64 {
            messages.push(sent(&gateway, &account, one(n, MessageClass::Normal)).await);
            let submission = script.next().await;
            script.answer(&submission, taken(&format!("x{n}")));
        }
        handed_over(&base.db).await;
        base.clock.set(told_at);
        for (n, (message, (done_at, expected))) in messages.into_iter().zip(cases).enumerate() {
            let word = ReportState::Delivered;
            script.report_done(&format!("x{n}"), None, word, done_at).recv().await.unwrap();
            let seen = count(&base.db, &format!("select report_at from messages where id = {message}")).await;
            assert_eq!(seen, expected.0, "{n}: {done_at:?}");
        }
        gateway.stop().await;
    }
}
