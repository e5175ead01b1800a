//! `/a/{id}/events` and `/operator/events`, by real HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::account::Account;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::member::Role;
use domain::moment::Moment;
use gateway::accept::SendRequest;
use gateway::credits::Grant;
use gateway::sign_in::Client;
use gateway::{Base, accounts, credits, logins, members, sessions, visits};

use crate::house::{Browser, House, NOW, Stream};

/// What is revoked must end a stream within this time.
const SOON: Duration = Duration::from_secs(2);

async fn sent(house: &House, from: &Account, to: &str) {
    let request = SendRequest {
        recipients: vec![to.to_owned()],
        text: "Hello".to_owned(),
        actor: "test".to_owned(),
        ..SendRequest::default()
    };
    let sent = house.gateway.send(&Arc::new(from.clone()), request).await.unwrap();
    assert!(sent.messages[0].id.is_some(), "{sent:?}");
}

/// Another process on the same books.
async fn elsewhere(house: &House) -> Base {
    let base = &house.gateway;
    Base::new(base.db.clone(), base.clock.clone(), (*base.rules).clone()).await.unwrap()
}

/// The stream that a page names, as it names it.
async fn way(browser: &Browser<'_>, page: &str) -> String {
    let page = browser.get(page).await;
    let (_, rest) = page.body.split_once("data-events=\"").unwrap_or_else(|| panic!("{}", page.body));
    rest.split('"').next().unwrap().replace("&#38;", "&")
}

/// Opens the stream of a page on which nothing has happened since it was drawn.
async fn listening(browser: &Browser<'_>, address: SocketAddr, page: &str) -> Stream {
    let mut stream = browser.listen(address, &way(browser, page).await, "").await;
    assert_eq!(stream.status(), 200, "{}", stream.head);
    let begin = stream.next().await.unwrap();
    assert_eq!((begin.words.as_str(), begin.retry.as_str()), ("", "1000"), "nothing has happened");
    stream
}

/// Opens the stream of a page anew.
async fn listening_again(browser: &Browser<'_>, address: SocketAddr, page: &str) -> Stream {
    let stream = browser.listen(address, &format!("{page}/events"), "").await;
    assert_eq!(stream.status(), 200, "{}", stream.head);
    stream
}

/// Waits for a word, past others.
async fn hears(stream: &mut Stream, word: &str) {
    while let Some(heard) = stream.next().await {
        if heard.words.split(' ').any(|one| one == word) {
            return;
        }
    }
    panic!("the stream ended without {word}");
}

/// Whether the only message of the account has arrived. The word alone would not tell: it can be chosen
/// on the page, too.
async fn arrived(browser: &Browser<'_>, account: &str) -> bool {
    let page = browser.get(format!("{account}/messages")).await;
    let (_, rows) = page.body.split_once("<tbody").unwrap();
    rows.contains("delivered")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_in_an_account_is_told_there_and_above() {
    for database in testing::engines().await {
        let house = House::on(database).await;
        let address = house.serve().await;
        let owner = house.person(house.main.id, Role::Owner).await;
        let branch_owner = house.person(house.branch.id, Role::Owner).await;
        let foreign = house.person(house.foreign.id, Role::Owner).await;
        let (main, branch) = (format!("/a/{}", house.main.id), format!("/a/{}", house.branch.id));
        let mut above = listening(&owner, address, &main).await;
        let mut own = listening(&branch_owner, address, &branch).await;
        let mut other = listening(&foreign, address, &format!("/a/{}", house.foreign.id)).await;
        sent(&house, &house.branch, "+4915123456789").await;
        assert_eq!(own.next().await.unwrap().words, "balance messages");
        assert_eq!(above.next().await.unwrap().words, "balance below");
        // The page of the message is drawn until it has arrived.
        let until = Instant::now() + Duration::from_secs(10);
        while !arrived(&branch_owner, &branch).await {
            assert!(Instant::now() < until, "it does not arrive");
            hears(&mut own, "messages").await;
        }
        sent(&house, &house.foreign, "+4915123456789").await;
        assert_eq!(other.next().await.unwrap().words, "balance messages", "of all that, nothing else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_hears_what_has_happened_in_between_and_nothing_twice() {
    let house = House::new().await;
    let address = house.serve().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let page = format!("/a/{}", house.main.id);
    let before = way(&owner, &page).await;
    let stream = listening(&owner, address, &page).await;
    drop(stream);
    sent(&house, &house.main, "+4915123456789").await;
    let mut late = owner.listen(address, &before, "").await;
    let first = late.next().await.unwrap();
    assert_eq!(first.words, "balance messages", "since the page was drawn");
    drop(late);
    let id = before.split_once('=').unwrap().1;
    let path = format!("/a/{}/events", house.main.id);
    let mut again = owner.listen(address, &path, &format!("Last-Event-ID: {id}\r\n")).await;
    assert_eq!(again.next().await.unwrap().words, "balance messages", "since the last event");
    let mut unknown = owner.listen(address, &path, "Last-Event-ID: of another process\r\n").await;
    assert_eq!(unknown.next().await.unwrap().words, "balance messages below work", "whatever it was");
    // It has arrived by now, or will: then nothing is new any more.
    let until = Instant::now() + Duration::from_secs(10);
    while !arrived(&owner, &page).await {
        assert!(Instant::now() < until, "it does not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    listening(&owner, address, &page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_much_happens_a_stream_tells_it_once_a_second() {
    let house = House::new().await;
    let address = house.serve().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let mut stream = listening(&owner, address, &format!("/a/{}", house.main.id)).await;
    let began = Instant::now();
    for i in 0..60 {
        sent(&house, &house.main, &format!("+491512345{i:04}")).await;
    }
    let mut told = 0;
    while began.elapsed() < Duration::from_millis(2_500) {
        match tokio::time::timeout(
            Duration::from_millis(2_500).saturating_sub(began.elapsed()),
            stream.next(),
        )
        .await
        {
            Ok(heard) => {
                assert!(heard.is_some(), "it goes on");
                told += 1;
            }
            Err(_) => break,
        }
    }
    assert!((1..=3).contains(&told), "{told} words in two and a half seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_hears_of_what_it_may_see_and_a_foreign_account_is_not_there() {
    let house = House::new().await;
    let address = house.serve().await;
    let path = format!("/a/{}/events", house.main.id);
    for (role, words) in [
        (Role::Owner, "balance messages below work"),
        (Role::Administrator, "balance messages below work"),
        (Role::Developer, ""),
        (Role::Finance, "balance messages"),
        (Role::Messaging, "messages"),
        (Role::Analyst, "messages"),
        (Role::Auditor, "balance messages below"),
    ] {
        let person = house.person(house.main.id, role).await;
        let mut stream = person.listen(address, &path, "").await;
        assert_eq!(stream.next().await.unwrap().words, words, "{role:?}");
        let operator = person.listen(address, "/operator/events", "").await;
        assert_eq!(operator.status(), 403, "{role:?}");
    }
    let foreign = house.person(house.foreign.id, Role::Owner).await;
    assert_eq!(foreign.listen(address, &path, "").await.status(), 404);
    let below = house.person(house.branch.id, Role::Owner).await;
    assert_eq!(below.listen(address, &path, "").await.status(), 404, "nothing reaches up");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_changes_is_told_a_little_later() {
    for database in testing::engines().await {
        let house = House::on(database).await;
        let address = house.serve().await;
        let owner = house.person(house.main.id, Role::Owner).await;
        let mut stream = listening(&owner, address, &format!("/a/{}/credits", house.main.id)).await;
        let grant = Grant {
            account: house.main.id,
            amount: Credits(5_000_000),
            reason: "test".to_owned(),
            idempotency_key: None,
            promo_until: None,
        };
        credits::grant(&elsewhere(&house).await, &grant, &Actor::command_line()).await.unwrap();
        let since = Instant::now();
        assert_eq!(stream.next().await.unwrap().words, "balance");
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    }
}

/// Asserts that a stream ends soon, and says that the page is to be asked for anew.
async fn ends(mut stream: Stream, why: &str) {
    let since = Instant::now();
    let mut last = None;
    while let Some(heard) = stream.next().await {
        last = Some(heard.words);
    }
    assert!(since.elapsed() < SOON, "{why}: it ended after {:?}", since.elapsed());
    assert_eq!(last.as_deref(), Some("main"), "{why}");
}

/// Somebody who steps into an account from above.
async fn stepped_in(browser: &Browser<'_>, account: &Account) {
    let answer = browser.post(format!("/a/{}/step-in", account.id), &[("reason", "a question")]).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(browser.get(format!("/a/{}/messages", account.id)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_within_two_seconds_when_what_it_was_let_in_by_is_gone() {
    for database in testing::engines().await {
        let house = House::on(database).await;
        let (address, other) = (house.serve().await, elsewhere(&house).await);
        let operator = Actor::command_line();
        let main = format!("/a/{}", house.main.id);
        let branch = format!("/a/{}", house.branch.id);
        let session = async |browser: &Browser<'_>| {
            let all = sessions::list(&house.gateway, browser.login).await.unwrap();
            all[0].id
        };
        let member = async |browser: &Browser<'_>| {
            let mut conn = house.gateway.db.read().await.unwrap();
            storage::members::of_login(&mut conn, browser.login).await.unwrap()[0].id
        };

        let browser = house.person(house.main.id, Role::Analyst).await;
        let stream = listening(&browser, address, &main).await;
        browser.post("/sign-out", &[]).await;
        ends(stream, "signed out").await;

        let browser = house.person(house.main.id, Role::Finance).await;
        let stream = listening(&browser, address, &main).await;
        let (who, last) = (browser.signed_in().await, session(&browser).await);
        assert!(sessions::revoke(&other, &who, last, &Client::default()).await.unwrap());
        ends(stream, "the session was revoked").await;
        let again = browser.listen(address, &format!("{main}/events"), "").await;
        assert_eq!(again.status(), 303, "and it is not let in again");

        let browser = house.person(house.main.id, Role::Messaging).await;
        let stream = listening(&browser, address, &main).await;
        members::remove(&other, house.main.id, member(&browser).await, &operator).await.unwrap();
        ends(stream, "the member was removed").await;
        let again = browser.listen(address, &format!("{main}/events"), "").await;
        assert_eq!(again.status(), 404, "and the account is not there for them");

        let browser = house.person(house.main.id, Role::Auditor).await;
        let stream = listening(&browser, address, &main).await;
        let id = member(&browser).await;
        members::change(&other, house.main.id, id, Role::Analyst, false, &operator).await.unwrap();
        ends(stream, "the role was changed").await;
        let mut again = browser.listen(address, &format!("{main}/events"), "").await;
        assert_eq!(again.next().await.unwrap().words, "messages", "it hears what the new role may see");

        let browser = house.person(house.main.id, Role::Developer).await;
        let stream = listening(&browser, address, &main).await;
        logins::set_disabled(&other, browser.login, true).await.unwrap();
        ends(stream, "the login was disabled").await;

        let browser = house.person(house.branch.id, Role::Owner).await;
        for (account, why) in [(house.branch.id, "the account"), (house.main.id, "the account above")] {
            let stream = listening(&browser, address, &branch).await;
            accounts::suspend(&other, account, "unpaid", &operator).await.unwrap();
            ends(stream, &format!("{why} was suspended")).await;
            let again = listening(&browser, address, &branch).await;
            accounts::activate(&other, account, &operator).await.unwrap();
            ends(again, &format!("{why} sends again")).await;
        }

        let browser = house.person(house.main.id, Role::Administrator).await;
        stepped_in(&browser, &house.branch).await;
        let stream = listening(&browser, address, &branch).await;
        visits::end(&other, session(&browser).await.0, house.branch.id, &operator).await.unwrap();
        ends(stream, "the visit was ended").await;

        stepped_in(&browser, &house.branch).await;
        let stream = listening(&browser, address, &branch).await;
        // Its hour is over, and so is that of the session, which was not used for so long.
        house.gateway.clock.set(NOW.after(visits::LASTS));
        ends(stream, "the visit has come to its end").await;
        house.gateway.clock.set(NOW);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_visit_ends_the_stream_though_the_session_goes_on() {
    let house = House::new().await;
    let address = house.serve().await;
    let browser = house.person(house.main.id, Role::Administrator).await;
    stepped_in(&browser, &house.branch).await;
    let half = NOW.after(visits::LASTS / 2);
    house.gateway.clock.set(half);
    let stream = listening(&browser, address, &format!("/a/{}/messages", house.branch.id)).await;
    house.gateway.clock.set(NOW.after(visits::LASTS));
    ends(stream, "the visit has come to its end").await;
    assert_eq!(browser.get(format!("/a/{}", house.main.id)).await.status, 200, "they are still signed in");
    let again = browser.get(format!("/a/{}/messages", house.branch.id)).await;
    assert!(again.location.contains("step-in"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_left_open_keeps_nobody_signed_in() {
    let house = House::new().await;
    let address = house.serve().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let page = format!("/a/{}", house.main.id);
    let stream = listening(&owner, address, &page).await;
    let idle = house.gateway.people_rules().session_idle;
    // The stream asks all the time, and the page draws itself anew.
    house.gateway.clock.set(Moment(NOW.0 + i64::try_from(idle.as_micros()).unwrap() / 2));
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(owner.by_itself(&page).await.status, 200);
    // Nor is it use when a browser opens the stream again, as after a proxy has closed it.
    drop(listening_again(&owner, address, &page).await);
    house.gateway.clock.set(NOW.after(idle));
    ends(stream, "nobody was there").await;
    assert_eq!(owner.by_itself(&page).await.status, 303);
    assert_eq!(owner.get(&page).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_holds_so_many_streams_and_a_closed_one_makes_room() {
    let house = House::new().await;
    let address = house.serve().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/events", house.main.id);
    let mut held = Vec::new();
    let refused = loop {
        let stream = owner.listen(address, &path, "").await;
        if stream.status() != 200 {
            break stream;
        }
        held.push(stream);
        assert!(held.len() < 100, "there is an end to it");
    };
    assert_eq!((refused.status(), held.len()), (429, 20));
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    let other = house.person(house.main.id, Role::Auditor).await;
    assert_eq!(other.listen(address, &path, "").await.status(), 200, "others are not kept out");
    held.pop();
    let until = Instant::now() + Duration::from_secs(5);
    while owner.listen(address, &path, "").await.status() != 200 {
        assert!(Instant::now() < until, "its place is not free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_server_waits_for_no_stream() {
    let house = House::new().await;
    let address = house.serve().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let page = format!("/a/{}", house.main.id);
    let mut stream = listening(&owner, address, &page).await;
    let since = Instant::now();
    house.gateway.end_looking();
    assert_eq!(stream.next().await, None, "without a word: the browser comes back by itself");
    assert!(since.elapsed() < Duration::from_millis(500), "{:?}", since.elapsed());
    let refused = owner.listen(address, &format!("{page}/events"), "").await;
    assert_eq!(refused.status(), 503);
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_the_way_holds_words_back_and_the_policy_lets_them_in() {
    let house = House::new().await;
    let address = house.serve().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/events", house.main.id);
    let mut stream = owner.listen(address, &path, "Accept-Encoding: gzip\r\n").await;
    for header in [
        "content-type: text/event-stream",
        "cache-control: no-store",
        "x-accel-buffering: no",
        "x-content-type-options: nosniff",
        "connect-src 'self'",
    ] {
        assert!(stream.head.contains(header), "{header} is missing in {}", stream.head);
    }
    assert!(!stream.head.contains("content-encoding"), "{}", stream.head);
    assert!(!stream.next().await.unwrap().words.is_empty(), "it can be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_hears_of_lines_and_books_until_they_are_it_no_more() {
    for database in testing::engines().await {
        let house = House::on(database).await;
        let (address, other) = (house.serve().await, elsewhere(&house).await);
        let browsers = [
            house.person(house.main.id, Role::Owner).await,
            house.person(house.main.id, Role::Analyst).await,
        ];
        for browser in &browsers {
            logins::set_operator(&house.gateway, browser.login, true).await.unwrap();
        }
        let mut stream = browsers[0].listen(address, "/operator/events", "").await;
        assert_eq!(stream.next().await.unwrap().words, "lines books", "as it is at the beginning");
        sent(&house, &house.main, "+4915123456789").await;
        hears(&mut stream, "lines").await;
        let answer = browsers[0].post("/operator/check", &[]).await;
        assert_eq!(answer.status, 303);
        hears(&mut stream, "books").await;
        logins::set_operator(&other, browsers[0].login, false).await.unwrap();
        ends(stream, "somebody else is the operator").await;
        assert_eq!(browsers[0].listen(address, "/operator/events", "").await.status(), 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_work_tells_how_far_it_is() {
    let house = House::new().await;
    let address = house.serve().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let finance = house.person(house.main.id, Role::Finance).await;
    let list = format!("/a/{}/subaccounts", house.main.id);
    let mut stream = listening(&owner, address, &list).await;
    let mut deaf = listening(&finance, address, &format!("/a/{}", house.main.id)).await;
    let lines: String = (0..40).map(|n| format!("b{n}@example.com,Owner {n}\n")).collect();
    let file = format!("email,owner\n{lines}");
    let token = owner.upload(format!("{list}/import"), &file).await.value_of("token");
    let begun = owner.post(format!("{list}/import/run"), &[("token", &*token), ("file", &*file)]).await;
    assert_eq!(begun.status, 303, "{begun:?}");
    loop {
        hears(&mut stream, "work").await;
        let page = owner.get(&begun.location).await;
        if page.has("40 of 40 lines became accounts.") {
            break;
        }
        page.shows(&["<progress", "of 40"], &[]);
    }
    let heard = tokio::time::timeout(Duration::from_secs(4), deaf.next()).await;
    assert!(heard.is_err(), "it is nothing of theirs: {heard:?}");
}
