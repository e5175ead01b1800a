//! `/v1/transfers/many`, `/v1/accounts/suspend`, `/v1/accounts/activate` and `/v1/accounts/import`.

use domain::key::{Scope, Scopes};
use serde_json::json;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn credit_goes_to_many_once_and_each_has_its_answer() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let (a, b) =
        (house.account("A", Some(house.main.id), 0).await, house.account("B", Some(house.main.id), 0).await);
    let below = house.account("Below", Some(b.id), 0).await;
    let foreign = house.account("Foreign", None, 0).await;
    let body = json!({ "reference": "December", "to": [
        { "account": a.id.0, "amount": "2.50" },
        { "account": foreign.id.0, "amount": "1.00" },
        { "account": b.id.0, "amount": "1000000" },
        { "account": below.id.0, "amount": "1" },
        { "account": house.main.id.0, "amount": "1" },
    ] });
    let ask =
        || house.v1(&key, "POST", "/v1/transfers/many").header("Idempotency-Key", "dec").json_body(&body);
    let answer = ask().send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    assert_eq!((&told["done"], &told["refused"]), (&json!(2), &json!(3)));
    let codes: Vec<&str> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["problem"]["code"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(codes, ["", "not_found", "insufficient_funds", "", "permission_missing"]);
    let transfer = house.got(&key, format!("/v1/transfers/{}", told["items"][0]["transfer"])).await;
    assert_eq!((&transfer["to"], &transfer["amount"]), (&json!(a.id.0), &json!("2.50")));
    assert_eq!(ask().send().await.json(), told, "the same answer to the same");
    assert_eq!(house.balance(a.id).await.0, 2_500_000);
    assert_eq!(house.balance(below.id).await.0, 1_000_000);
    let other = json!({ "to": [{ "account": a.id.0, "amount": "1" }] });
    let reused =
        house.v1(&key, "POST", "/v1/transfers/many").header("Idempotency-Key", "dec").json_body(&other);
    reused.send().await.problem(409, "idempotency_conflict");
    for (to, reason) in [
        (json!([]), "names nobody"),
        (json!([{ "account": a.id.0, "amount": "1" }, { "account": a.id.0, "amount": "1" }]), "named twice"),
    ] {
        let said = house.posted(&key, "/v1/transfers/many", &json!({ "to": to })).await.wrong_field("to");
        assert!(said.contains(reason), "{said}");
    }
    house.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_suspended_and_let_again() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let a = house.account("A", Some(house.main.id), 0).await;
    let b = house.account("B", Some(house.main.id), 0).await;
    let foreign = house.account("Foreign", None, 0).await;
    let all = json!([a.id.0, foreign.id.0, b.id.0]);
    let done =
        house.posted(&key, "/v1/accounts/suspend", &json!({ "accounts": all, "reason": "unpaid" })).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(done.json()["done"], 2);
    assert_eq!(done.json()["items"][1]["problem"]["code"], "not_found");
    assert_eq!(house.got(&key, format!("/v1/accounts/{}", a.id)).await["state"], "suspended");
    let without =
        house.posted(&key, "/v1/accounts/suspend", &json!({ "accounts": [a.id.0], "reason": " " })).await;
    without.wrong_field("reason");
    // What the operator has suspended stays so, and keeps no other from being let.
    let operator = domain::actor::Actor::command_line();
    let c = house.account("C", Some(house.main.id), 0).await;
    gateway::accounts::suspend(&house.gateway, c.id, "spam", &operator).await.unwrap();
    let all = json!({ "accounts": [c.id.0, a.id.0, b.id.0] });
    let done = house.posted(&key, "/v1/accounts/activate", &all).await.json();
    assert_eq!(done["items"][0]["problem"]["code"], "state_locked_by_platform", "{done}");
    assert_eq!(done["done"], 2);
    assert_eq!(house.got(&key, format!("/v1/accounts/{}", b.id)).await["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_checked_before_it_becomes_accounts_once() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let csv = "email,owner,company,preset,credits,invite\n\
        nord@muster.example,Ada Nord,Filiale Nord,branch,2.50,yes\n\
        nobody,Max,,,,\n";
    let report = house.posted(&key, "/v1/accounts/import/check", &json!({ "csv": csv })).await;
    assert_eq!(report.status, 200, "{}", report.body);
    let report = report.json();
    assert_eq!(report["accounts"][0]["email"], "nord@muster.example");
    assert_eq!((&report["credits"], &report["problems"][0]["line"]), (&json!("2.50"), &json!(3)));
    assert_eq!(report["problems"][0]["field"], "email");
    let body = json!({ "csv": csv, "token": report["token"] });
    let wrong = json!({ "csv": csv, "token": "x" });
    house.posted(&key, "/v1/accounts/import", &wrong).await.wrong_field("token");
    let scopes = Scopes::of([Scope::AccountsWrite, Scope::CreditsWrite]);
    let narrow = house.key(house.main.id, |new| new.scopes = scopes).await;
    let refused = house.posted(&narrow, "/v1/accounts/import", &body).await.problem(403, "scope_missing");
    assert_eq!(refused["scope"], "members:write");
    let done = house.posted(&key, "/v1/accounts/import", &body).await.json();
    assert_eq!((&done["done"], &done["refused"]), (&json!(1), &json!(1)), "{done}");
    let created = done["items"][0]["account"].as_i64().unwrap();
    assert_eq!(house.balance(domain::id::AccountId(created)).await.0, 2_500_000);
    let again = house.posted(&key, "/v1/accounts/import", &body).await.json();
    assert_eq!(
        (&again["items"][0]["outcome"], &again["items"][0]["account"]),
        (&json!("before"), &json!(created))
    );
    let unreadable = json!({ "csv": "name\nx\n" });
    house.posted(&key, "/v1/accounts/import/check", &unreadable).await.wrong_field("csv");
    house.sound().await;
}
