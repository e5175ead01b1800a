//! `/a/{id}/messages`.

use domain::account::Account;
use domain::actor::Actor;
use domain::id::MessageId;
use domain::member::{Access, Role};
use gateway::accept::SendRequest;
use gateway::settings::{self, Change};

use crate::house::House;

/// Sends to numbers from the console's account, and gives the ids.
async fn sent(house: &House, text: &str, label: &str, to: &[&str], later: bool) -> Vec<MessageId> {
    sent_by(house, &house.main, text, label, to, later).await
}

async fn sent_by(
    house: &House,
    of: &Account,
    text: &str,
    label: &str,
    to: &[&str],
    later: bool,
) -> Vec<MessageId> {
    let request = SendRequest {
        recipients: to.iter().map(|to| (*to).to_owned()).collect(),
        text: text.to_owned(),
        sender: Some("Praxis".to_owned()),
        label: domain::label::Label::parse(label).ok(),
        send_at: later.then(|| crate::house::NOW.after(std::time::Duration::from_secs(3_600))),
        actor: "test".to_owned(),
        ..SendRequest::default()
    };
    let account = std::sync::Arc::new(of.clone());
    let sent = house.gateway.send(&account, request).await.unwrap();
    sent.messages.into_iter().filter_map(|message| message.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_found_by_what_they_are() {
    let house = House::new().await;
    let path = format!("/a/{}/messages", house.main.id);
    let owner = house.person(house.main.id, Role::Owner).await;
    owner.get(&path).await.shows(&["No messages yet", "Send the first one"], &["CSV"]);
    sent(&house, "Termin <b>morgen</b>", "termin", &["+4915123456789"], false).await;
    sent(&house, "Bonjour", "werbung", &["+33612345678"], false).await;
    sent(&house, "Later", "later", &["+4915123456780"], true).await;
    let all = owner.get(&path).await;
    all.shows(
        &[
            "Termin &#60;b&#62;morgen",
            "Bonjour",
            "scheduled",
            "€0.20",
            "Messages of Nordlicht alone",
            "Europe/Berlin",
        ],
        &["<b>morgen", "CANARY"],
    );
    #[rustfmt::skip]
    let cases: [(&str, &[&str], &[&str]); 9] = [
        ("label=termin",               &["Termin", "Label termin"],       &["Bonjour", "Later"]),
        ("recipient=0151+23456789",    &["Termin"],                       &["Bonjour", "Later"]),
        ("recipient=%2B33*",           &["Bonjour"],                      &["Termin &"]),
        ("country=FR",                 &["Bonjour", "France"],            &["Termin &"]),
        ("state=scheduled",            &["Later"],                        &["Bonjour"]),
        ("from=2026-01-05&to=2026-01-05", &["Bonjour", "Until 5 Jan 2026"], &[]),
        ("from=2026-01-06",            &["No message fits"],              &["Bonjour"]),
        ("sender=Praxis",              &["Bonjour", "Termin"],            &[]),
        ("state=nonsense",             &["No message fits"],              &["Bonjour"]),
    ];
    for (query, these, not_those) in cases {
        owner.get(format!("{path}?{query}")).await.shows(these, not_those);
    }
    let messaging = house.person(house.main.id, Role::Messaging).await;
    messaging.get(&path).await.shows(&["Bonjour"], &["€"]);
    for role in [Role::Analyst, Role::Finance, Role::Developer] {
        assert_eq!(house.person(house.main.id, role).await.get(&path).await.status, 403, "{role:?}");
    }
    // Those of others are read nowhere.
    assert_eq!(owner.get(format!("{path}?account={}", house.foreign.id)).await.status, 404);
    assert_eq!(owner.get(format!("/a/{}/messages", house.foreign.id)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_fits_comes_as_a_file_without_what_one_may_not_see() {
    let house = House::new().await;
    let path = format!("/a/{}/messages/export.csv", house.main.id);
    sent(&house, "=1+1", "termin", &["+4915123456789"], false).await;
    sent(&house, "Bonjour", "werbung", &["+33612345678"], false).await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let file = owner.get(&path).await;
    assert!(file.kind.starts_with("text/csv") && file.body.lines().count() == 3, "{file:?}");
    assert!(file.has(",price,") && file.has("'=1+1") && file.has(",0.20,"), "{file:?}");
    let one = owner.get(format!("{path}?label=termin")).await;
    assert_eq!(one.body.lines().count(), 2, "{one:?}");
    let messaging = house.person(house.main.id, Role::Messaging).await;
    let file = messaging.get(&path).await;
    assert!(file.body.lines().count() == 3 && !file.has("price") && !file.has(",0.20,"), "{file:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_tells_what_happened_and_what_it_cost_and_why() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let id = sent(&house, "Termin", "termin", &["+4915123456789"], false).await[0];
    let path = format!("/a/{}/messages/{id}", house.main.id);
    let page = owner.get(&path).await;
    page.shows(
        &[
            "What happened",
            "Accepted",
            "Termin",
            "€0.10",
            "standard",
            "Germany",
            "Send again",
            "1\u{a0}segment",
        ],
        &["alpha", "Cancel the message"],
    );
    let messaging = house.person(house.main.id, Role::Messaging).await;
    messaging.get(&path).await.shows(&["What happened", "Termin"], &["€", "standard"]);
    // Elsewhere it is not there, whoever asks.
    let foreign = house.person(house.foreign.id, Role::Owner).await;
    for account in [house.foreign.id, house.main.id] {
        assert_eq!(foreign.get(format!("/a/{account}/messages/{id}")).await.status, 404);
    }
    assert_eq!(owner.get(format!("/a/{}/messages/1", house.main.id)).await.status, 404);
    assert_eq!(owner.get(format!("/a/{}/messages/x", house.main.id)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scheduled_can_be_taken_back_once() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let id = sent(&house, "Later", "later", &["+4915123456789"], true).await[0];
    assert_eq!(house.balance(house.main.id).await, 99_900_000);
    let path = format!("/a/{}/messages/{id}", house.main.id);
    owner.get(&path).await.shows(&["Cancel the message", "scheduled"], &["data-again"]);
    let auditor = house.person(house.main.id, Role::Auditor).await;
    auditor.get(&path).await.shows(&["scheduled"], &["Cancel the message"]);
    assert_eq!(auditor.post(format!("{path}/cancel"), &[]).await.status, 403);
    for _ in 0..2 {
        assert_eq!(owner.post(format!("{path}/cancel"), &[]).await.location, path);
        assert_eq!(house.balance(house.main.id).await, 100_000_000);
    }
    owner.get(&path).await.shows(&["cancelled", "Refunded"], &["Cancel the message"]);
    house.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_of_a_main_account_reaches_down_where_it_is_let() {
    let house = House::new().await;
    let path = format!("/a/{}/messages", house.main.id);
    let (branch, foreign) = (house.branch.id, house.foreign.id);
    sent(&house, "From the house", "a", &["+4915123456789"], false).await;
    let id = sent_by(&house, &house.branch, "From the branch", "b", &["+4915123456780"], false).await[0];
    sent_by(&house, &house.foreign, "CANARY", "c", &["+4915123456781"], false).await;
    let owner = house.person(house.main.id, Role::Owner).await;
    owner.get(&path).await.shows(&["From the house", "alone"], &["From the branch", "CANARY"]);
    let whole = owner.get(format!("{path}?scope=all")).await;
    whole.shows(
        &["From the house", "From the branch", "Filiale Köln", "accounts below it that are open"],
        &["CANARY", "left out"],
    );
    let one = owner.get(format!("{path}?account={branch}&label=b")).await;
    one.shows(&["From the branch", "alone, below Nordlicht"], &["From the house"]);
    let message = owner.get(format!("{path}/{id}")).await;
    message.shows(&["From the branch", "Filiale Köln", "€0.10"], &["Send again", "Cancel the message"]);
    let file = owner.get(format!("{path}/export.csv?scope=all")).await;
    assert!(file.has("From the branch") && !file.has("CANARY"), "{file:?}");
    // Its members read who looked.
    let theirs = house.person(branch, Role::Owner).await;
    let log = theirs.get(format!("/a/{branch}/audit")).await;
    log.shows(&["read messages from above", "Nordlicht"], &[]);
    assert_eq!(log.body.matches("read messages from above").count(), 1, "once an hour");
    // Now there is somebody to ask, or to mail.
    for access in [Access::Ask, Access::Notify] {
        let change = Change { access: Some(access), ..Change::default() };
        settings::change(&house.gateway, branch, &change, &Actor::command_line()).await.unwrap();
        let whole = owner.get(format!("{path}?scope=all")).await;
        whole.shows(&["From the house", "1\u{a0}account is left out"], &["From the branch"]);
        let one = owner.get(format!("{path}?account={branch}&label=b")).await;
        assert_eq!(one.location, format!("/a/{branch}/messages?label=b"), "{access:?}");
        let door = owner.get(&one.location).await;
        assert!(door.location.starts_with(&format!("/a/{branch}/step-in")), "{door:?}");
        assert_eq!(owner.get(format!("{path}/{id}")).await.location, format!("/a/{branch}/messages/{id}"));
        let file = owner.get(format!("{path}/export.csv?scope=all")).await;
        assert!(file.has("From the house") && !file.has("From the branch"), "{file:?}");
    }
    // Roles that do not reach down see no more than before; nothing reaches up or to others.
    let messaging = house.person(house.main.id, Role::Messaging).await;
    messaging.get(format!("{path}?scope=all")).await.shows(&["From the house"], &["From the branch"]);
    assert_eq!(messaging.get(format!("{path}/{id}")).await.status, 303);
    for account in [foreign.to_string(), "1".to_owned(), "x".to_owned()] {
        assert_eq!(owner.get(format!("{path}?account={account}")).await.status, 404, "{account}");
        assert_eq!(owner.get(format!("{path}/export.csv?account={account}")).await.status, 404, "{account}");
    }
    let up = theirs.get(format!("/a/{branch}/messages?account={}&scope=all", house.main.id)).await;
    assert_eq!(up.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pages_on_and_back() {
    let house = House::new().await;
    let numbers: Vec<String> = (0..120).map(|n| format!("+4915123450{n:03}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    sent(&house, "Many", "a", &numbers, false).await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let first = owner.get(format!("/a/{}/messages?label=a", house.main.id)).await;
    let second = owner.get(first.link("next").unwrap()).await;
    let third = owner.get(second.link("next").unwrap()).await;
    assert_eq!((first.link("prev"), third.link("next")), (None, None));
    let back = owner.get(third.link("prev").unwrap()).await;
    assert_eq!(back.rows(), second.rows());
    let begin = owner.get(back.link("prev").unwrap()).await;
    assert_eq!(begin.rows(), first.rows());
    let all: std::collections::BTreeSet<String> =
        [first.rows(), second.rows(), third.rows()].concat().into_iter().collect();
    assert_eq!(all.len(), 120);
}
