//! `/a/{id}/messages`.

use domain::id::MessageId;
use domain::member::Role;
use gateway::accept::SendRequest;

use crate::house::House;

/// Sends to numbers from the console's account, and gives the ids.
async fn sent(house: &House, text: &str, label: &str, to: &[&str], later: bool) -> Vec<MessageId> {
    let request = SendRequest {
        recipients: to.iter().map(|to| (*to).to_owned()).collect(),
        text: text.to_owned(),
        sender: Some("Praxis".to_owned()),
        label: domain::label::Label::parse(label).ok(),
        send_at: later.then(|| crate::house::NOW.after(std::time::Duration::from_secs(3_600))),
        actor: "test".to_owned(),
        ..SendRequest::default()
    };
    let account = std::sync::Arc::new(house.main.clone());
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
    // Those of an account below are read there, those of others nowhere.
    let below = owner.get(format!("{path}?account={}&label=x", house.branch.id)).await;
    assert_eq!(below.location, format!("/a/{}/messages?label=x", house.branch.id));
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
