//! `/v1/accounts`.

use domain::actor::Actor;
use domain::key::{Scope, Scopes};
use gateway::accounts;
use serde_json::json;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_created_read_suspended_and_activated() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let new =
        json!({ "company": "Muster Hamburg", "owner": "Erika Muster", "email": "hamburg@muster.example" });
    let answer = house.posted(&key, "/v1/accounts", &new).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = answer.json();
    let at = format!("/v1/accounts/{}", made["id"]);
    assert_eq!(answer.header("location"), Some(at.as_str()));
    assert_eq!(house.got(&key, &at).await, made);
    assert_eq!(made["parent"], house.main.id.0);
    assert_eq!(made["path"], json!([house.main.id.0, made["id"]]));
    assert_eq!(made["created_at"], "2026-01-05T09:11:10.12Z");
    let nothing = json!({
        "wallet": "0.00", "free_credit": "0.00", "credit_line": "0.00", "shared": null, "spendable": "0.00",
        "transferable": "0.00", "currency": "EUR",
    });
    assert_eq!(made["balance"], nothing);

    let suspended = house.posted(&key, format!("{at}/suspend"), &json!({ "reason": "unpaid" })).await;
    assert_eq!(suspended.status, 200, "{}", suspended.body);
    assert_eq!(suspended.json()["effective_state"], "suspended");
    assert!(suspended.json()["state_reason"].as_str().unwrap().ends_with("unpaid"));
    assert!(
        house.posted(&key, format!("{at}/reopen"), &json!({})).await.problem(409, "wrong_state")["state"]
            == "suspended"
    );
    let active = house.v1(&key, "POST", format!("{at}/activate")).send().await;
    assert_eq!(active.json()["state"], "active");
    assert_eq!(active.json()["state_reason"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_new_account_is_named() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let foreign = house.account("Foreign", None, 0).await;
    let new = |change: serde_json::Value| {
        let mut new = json!({ "owner": "Erika Muster", "email": "new@muster.example" });
        for (name, value) in change.as_object().unwrap() {
            new[name] = value.clone();
        }
        new
    };
    #[rustfmt::skip]
    let cases = [
        (json!({ "email": "nobody" }),            "email",   "is not a valid e-mail address"),
        (json!({ "owner": " " }),                 "owner",   "use 1 to 200"),
        (json!({ "owner": null }),                "owner",   "invalid type: null"),
        (json!({ "company": "x".repeat(201) }),   "company", "use 1 to 200"),
        (json!({ "parent": foreign.id.0 }),       "parent",  "there is no account"),
        (json!({ "parent": 5 }),                  "parent",  "there is no account"),
        (json!({ "parent": "x" }),                "parent",  "invalid type"),
        (json!({ "mail": "x" }),                  "mail",    "there is no such field"),
    ];
    for (change, name, reason) in cases {
        let said = house.posted(&key, "/v1/accounts", &new(change)).await.wrong_field(name);
        assert!(said.contains(reason), "{name}: {said}");
    }
    house
        .posted(&key, "/v1/accounts", &new(json!({ "email": foreign.email.as_str() })))
        .await
        .problem(409, "email_in_use");
    let child = house.account("Child", Some(house.main.id), 0).await;
    let grandchild = house.account("Grandchild", Some(child.id), 0).await;
    let deep = house.posted(&key, "/v1/accounts", &new(json!({ "parent": grandchild.id.0 }))).await;
    assert_eq!(deep.problem(409, "subaccount_limit_reached")["levels_max"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_decides_nothing_of_this_about_itself() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let at = format!("/v1/accounts/{}", house.main.id);
    for (what, body) in [
        ("suspend", json!({ "reason": "x" })),
        ("activate", json!({})),
        ("close", json!({})),
        ("reopen", json!({})),
    ] {
        house.posted(&key, format!("{at}/{what}"), &body).await.problem(403, "permission_missing");
    }
    let rule = json!({ "threshold": "1", "amount": "1" });
    let set = house.v1(&key, "PUT", format!("{at}/automatic-transfer")).json_body(&rule).send().await;
    set.problem(403, "permission_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_suspended_nobody_in_the_tree_activates() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let at = format!("/v1/accounts/{}", child.id);
    let operator = Actor::command_line();
    accounts::suspend(&house.gateway, child.id, "spam", &operator).await.unwrap();
    // Nor by suspending or closing it oneself first.
    house.posted(&key, format!("{at}/suspend"), &json!({ "reason": "mine" })).await;
    house.posted(&key, format!("{at}/activate"), &json!({})).await.problem(409, "state_locked_by_platform");
    house.posted(&key, format!("{at}/close"), &json!({})).await;
    house.posted(&key, format!("{at}/reopen"), &json!({})).await.problem(409, "state_locked_by_platform");
    accounts::activate(&house.gateway, child.id, &operator).await.unwrap();
    house.posted(&key, format!("{at}/suspend"), &json!({ "reason": "mine" })).await;
    assert_eq!(house.posted(&key, format!("{at}/activate"), &json!({})).await.json()["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subaccount_does_not_see_what_is_above_it() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(child.id, |_| {}).await;
    let own = house.got(&key, format!("/v1/accounts/{}", child.id)).await;
    assert_eq!((&own["parent"], &own["path"]), (&json!(null), &json!([child.id.0])));
    for id in [house.main.id.0, 5, 0, -1] {
        house.v1(&key, "GET", format!("/v1/accounts/{id}")).send().await.problem(404, "not_found");
    }
    house.v1(&key, "GET", "/v1/accounts/x").send().await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_closed_when_nothing_keeps_it_open_and_reopened() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let grandchild = house.account("Grandchild", Some(child.id), 7).await;
    let close = |id: domain::id::AccountId, at_once: bool| {
        let body = json!({ "reason": "moved", "at_once": at_once });
        let (house, key) = (&house, &key);
        async move { house.posted(key, format!("/v1/accounts/{id}/close"), &body).await }
    };
    let preview = house.got(&key, format!("/v1/accounts/{}/close", child.id)).await;
    assert_eq!(
        (&preview["possible"], &preview["blockers"][0]["code"]),
        (&json!(false), &json!("has_children"))
    );
    let preview = house.got(&key, format!("/v1/accounts/{}/close", grandchild.id)).await;
    assert_eq!((&preview["possible"], &preview["own_credit"]), (&json!(true), &json!("7.00")));
    assert_eq!(preview["final_at"], "2026-02-04T09:11:10.12Z");
    let kept = close(child.id, false).await.problem(409, "has_children");
    assert_eq!(kept["accounts"], json!([grandchild.id.0]));
    assert_eq!(close(grandchild.id, true).await.problem(409, "balance_not_settled")["own_credit"], "7.00");
    assert_eq!(close(grandchild.id, false).await.json()["state"], "closing");
    let at = format!("/v1/accounts/{}", grandchild.id);
    house.posted(&key, format!("{at}/activate"), &json!({})).await.problem(409, "wrong_state");
    let reopened = house.posted(&key, format!("{at}/reopen"), &json!({})).await;
    assert_eq!(reopened.json()["state"], "active", "{}", reopened.body);
    let back = json!({ "from": grandchild.id.0, "to": child.id.0, "amount": "7" });
    assert_eq!(house.posted(&key, "/v1/transfers", &back).await.status, 201);
    assert_eq!(close(grandchild.id, true).await.json()["state"], "closed");
    assert_eq!(house.got(&key, &at).await["state"], "closed");
    close(grandchild.id, true).await.problem(410, "account_closed");
    for what in ["suspend", "activate", "reopen"] {
        house
            .posted(&key, format!("{at}/{what}"), &json!({ "reason": "x" }))
            .await
            .problem(410, "account_closed");
    }
    close(child.id, true).await;
    let report = storage::check::check(&mut house.gateway.db.read().await.unwrap()).await.unwrap();
    assert!(report.broken.is_empty(), "{:?}", report.broken);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_below_are_searched_sorted_and_paged() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    for (name, credits) in [("Aachen", 3), ("Berlin", 1), ("Celle", 2)] {
        house.account(name, Some(house.main.id), credits).await;
    }
    let berlin = house.got(&key, "/v1/accounts?search=BERL").await;
    assert_eq!((&berlin["total"], &berlin["items"][0]["company"]), (&json!(1), &json!("Berlin")));
    let below = domain::id::AccountId(berlin["items"][0]["id"].as_i64().unwrap());
    house.account("Mitte", Some(below), 0).await;
    let names = |list: serde_json::Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|a| a["company"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(house.got(&key, "/v1/accounts").await), ["Aachen", "Berlin", "Celle"]);
    assert_eq!(names(house.got(&key, "/v1/accounts?sort=-balance").await), ["Aachen", "Celle", "Berlin"]);
    assert_eq!(
        names(house.got(&key, "/v1/accounts?all_below=true").await),
        ["Aachen", "Berlin", "Celle", "Mitte"]
    );
    assert_eq!(names(house.got(&key, "/v1/accounts?state=suspended").await), [""; 0]);
    let first = house.got(&key, "/v1/accounts?limit=2&sort=-name").await;
    let next = format!("/v1/accounts?limit=2&sort=-name&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(
        (names(first), names(house.got(&key, next).await)),
        (vec!["Celle".to_owned(), "Berlin".to_owned()], vec!["Aachen".to_owned()])
    );
    for (query, name) in [("sort=size", "sort"), ("state=x", "state"), ("low=yes", "low")] {
        house.v1(&key, "GET", format!("/v1/accounts?{query}")).send().await.wrong_field(name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_begins_with_a_preset_credit_and_an_invitation_in_one_step() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let new = json!({
        "company": "Branch", "owner": "Erika Muster", "email": "branch@muster.example", "preset": "branch",
        "credits": "20", "automatic_transfer": { "threshold": "5", "amount": "20" }, "invite_owner": true, "language": "de",
    });
    let made = house.posted(&key, "/v1/accounts", &new).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!(
        (&made["preset"], &made["access"], &made["balance"]["wallet"]),
        (&json!("branch"), &json!("open"), &json!("20.00"))
    );
    assert_eq!(made["automatic_transfer"]["amount"], "20.00");
    let mut conn = house.gateway.db.read().await.unwrap();
    let mails = "select count(*) from mails where recipient = 'branch@muster.example'";
    assert_eq!(conn.number(mails, &[]).await.unwrap(), 1);
    drop(conn);
    // Neither more than there is, nor by a key that may not.
    let other = |change: serde_json::Value| {
        let mut new = json!({ "owner": "Erika Muster", "email": "other@muster.example" });
        for (name, value) in change.as_object().unwrap() {
            new[name] = value.clone();
        }
        new
    };
    house
        .posted(&key, "/v1/accounts", &other(json!({ "credits": "80.01" })))
        .await
        .problem(402, "insufficient_funds");
    house.posted(&key, "/v1/accounts", &other(json!({ "language": "tlh" }))).await.wrong_field("language");
    house.posted(&key, "/v1/accounts", &other(json!({ "preset": "galaxy" }))).await.wrong_field("preset");
    let only = house.key(house.main.id, |new| new.scopes = Scopes::of([Scope::AccountsWrite])).await;
    let asked = house.posted(&only, "/v1/accounts", &other(json!({ "credits": "1" }))).await;
    assert_eq!(asked.problem(403, "scope_missing")["scope"], "credits:write");
    let asked = house.posted(&only, "/v1/accounts", &other(json!({ "invite_owner": true }))).await;
    assert_eq!(asked.problem(403, "scope_missing")["scope"], "members:write");
    let customer = house.posted(&only, "/v1/accounts", &other(json!({ "preset": "customer" }))).await.json();
    assert_eq!(customer["access"], "ask");
}
