//! `/a/{id}/statistics`.

use std::sync::Arc;

use domain::account::Account;
use domain::member::Role;
use gateway::accept::SendRequest;

use crate::house::House;

async fn sent(house: &House, account: &Account, label: &str, to: &str, count: usize) {
    for n in 0..count {
        let request = SendRequest {
            recipients: vec![to.to_owned()],
            text: format!("No. {n}"),
            label: domain::label::Label::parse(label).ok(),
            actor: "test".to_owned(),
            ..SendRequest::default()
        };
        house.gateway.send(&Arc::new(account.clone()), request).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_those_of_the_books_and_say_whose_they_are() {
    let house = House::new().await;
    sent(&house, &house.main, "termin", "+4915123456789", 3).await;
    sent(&house, &house.branch, "werbung", "+33612345678", 2).await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/statistics", house.main.id);
    // 3 at 0.10 and 2 at 0.20: what the books took.
    let spent = 110_000_000 - house.balance(house.main.id).await - house.balance(house.branch.id).await;
    assert_eq!(spent, 700_000);
    owner.get(&path).await.shows(
        &[
            "Nordlicht and all accounts below it",
            "€0.70",
            "Days are those of Europe/Berlin",
            "7 Dec 2025 to 5 Jan 2026",
        ],
        &["CANARY"],
    );
    owner.get(format!("{path}?scope=own")).await.shows(
        &[
            "Nordlicht alone, without the accounts below it",
            "€0.30",
            "messages?from=2026-01-05&#38;to=2026-01-05",
        ],
        &["€0.70"],
    );
    owner
        .get(format!("{path}?scope={}&by=label", house.branch.id))
        .await
        .shows(&["Filiale Köln", "alone, below Nordlicht", "€0.40", "werbung"], &["€0.70", ">termin<"]);
    owner
        .get(format!("{path}?by=subaccount&part=country&measure=cost"))
        .await
        .shows(&["Filiale Köln", "France", "Germany", "€0.40", "Cost, all"], &["CANARY"]);
    owner
        .get(format!("{path}?compare=before&range=last-month"))
        .await
        .shows(&["compared with 1 Nov 2025 to 30 Nov 2025", "Nothing was sent in these dates"], &[]);
    for scope in [house.foreign.id.to_string(), "1".to_owned()] {
        assert_eq!(owner.get(format!("{path}?scope={scope}")).await.status, 404);
    }
    // Nothing reaches up, and roles without money see none.
    let below = house.person(house.branch.id, Role::Owner).await;
    assert_eq!(below.get(&path).await.status, 404);
    assert_eq!(
        below.get(format!("/a/{}/statistics?scope={}", house.branch.id, house.main.id)).await.status,
        404
    );
    let analyst = house.person(house.main.id, Role::Analyst).await;
    analyst.get(format!("{path}?measure=cost")).await.shows(&["Messages by day", ">3<"], &["€", "Filiale"]);
    for role in [Role::Messaging, Role::Developer] {
        assert_eq!(house.person(house.main.id, role).await.get(&path).await.status, 403, "{role:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_comes_as_files_without_what_one_may_not_see() {
    let house = House::new().await;
    sent(&house, &house.main, "termin", "+4915123456789", 3).await;
    sent(&house, &house.branch, "werbung", "+33612345678", 2).await;
    let path = format!("/a/{}/statistics", house.main.id);
    let owner = house.person(house.main.id, Role::Owner).await;
    let file = owner.get(format!("{path}/table.csv?by=label")).await;
    assert!(file.kind.starts_with("text/csv"), "{file:?}");
    assert!(file.has("termin,3,3,") && file.has("total,5,5,") && file.has(",0.70,"), "{file:?}");
    let own = owner.get(format!("{path}/table.csv?by=label&scope=own")).await;
    assert!(own.has("total,3,3,") && !own.has("werbung"), "{own:?}");
    let analyst = house.person(house.main.id, Role::Analyst).await;
    let file = analyst.get(format!("{path}/table.csv?by=label")).await;
    assert!(file.has("termin,3,3,") && !file.has("cost") && !file.has("0.3"), "{file:?}");
}
