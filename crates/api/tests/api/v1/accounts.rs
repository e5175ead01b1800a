//! `/v1/accounts`.

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
        "wallet": "0.00", "free_credit": "0.00", "credit_line": "0.00", "spendable": "0.00", "transferable": "0.00",
        "currency": "EUR",
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
    let report = storage::check::check(&mut *house.gateway.db.read().await.unwrap()).await.unwrap();
    assert!(report.broken.is_empty(), "{:?}", report.broken);
}
