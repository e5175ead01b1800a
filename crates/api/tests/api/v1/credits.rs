//! `/v1/balance`, `/v1/transfers`, `/v1/accounts/{account}/automatic-transfer` and its `/limits`.

use domain::credits::Credits;
use serde_json::json;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn credit_moves_down_and_up_and_stands_in_both_lists() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |new| new.subaccount_access = true).await;
    let down = house
        .posted(&key, "/v1/transfers", &json!({ "to": child.id.0, "amount": "12.5", "reference": "May" }))
        .await;
    assert_eq!(down.status, 201, "{}", down.body);
    let made = down.json();
    assert_eq!(
        (&made["amount"], &made["currency"], &made["kind"]),
        (&json!("12.50"), &json!("EUR"), &json!("transfer"))
    );
    assert_eq!((&made["from"], &made["to"]), (&json!(house.main.id.0), &json!(child.id.0)));
    assert_eq!(house.got(&key, down.header("location").unwrap()).await, made);
    let up = json!({ "from": child.id.0, "to": house.main.id.0, "amount": "2.50" });
    assert_eq!(house.posted(&key, "/v1/transfers", &up).await.status, 201);
    assert_eq!(house.balance(child.id).await, Credits(10_000_000));
    let own = house.got(&key, "/v1/balance").await;
    assert_eq!(own["wallet"], "90.00");
    let theirs =
        house.v1(&key, "GET", "/v1/balance").header("X-Account-Id", &child.id.to_string()).json().await;
    assert_eq!(theirs["transferable"], "10.00");

    let list = house.got(&key, "/v1/transfers").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!(list["items"][1], made);
    assert_eq!(list["next_cursor"], json!(null));
    let as_child = house.key(child.id, |_| {}).await;
    assert_eq!(house.got(&as_child, "/v1/transfers").await["items"], list["items"]);
    let amounts = |list: serde_json::Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|t| t["amount"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(amounts(house.got(&as_child, "/v1/transfers?direction=in").await), ["12.50"]);
    assert_eq!(amounts(house.got(&as_child, "/v1/transfers?direction=out").await), ["2.50"]);
    assert_eq!(amounts(house.got(&as_child, "/v1/transfers?from=2026-01-05T09:11:11Z").await), [""; 0]);
    assert_eq!(amounts(house.got(&key, format!("/v1/transfers?with={}", child.id)).await).len(), 2);
    let other = house.account("Other", Some(house.main.id), 0).await;
    assert_eq!(amounts(house.got(&key, format!("/v1/transfers?with={}", other.id)).await), [""; 0]);
    let as_other = house.key(other.id, |_| {}).await;
    house.v1(&as_other, "GET", down.header("location").unwrap()).send().await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_cannot_be_says_why() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 5).await;
    let other = house.account("Other", Some(house.main.id), 5).await;
    let foreign = house.account("Foreign", None, 5).await;
    let key = house.key(house.main.id, |_| {}).await;
    let ask = |body: serde_json::Value| {
        let (house, key) = (&house, &key);
        async move { house.posted(key, "/v1/transfers", &body).await }
    };
    let to = child.id.0;
    let poor = ask(json!({ "to": to, "amount": "100.01" })).await.problem(402, "insufficient_funds");
    assert_eq!((&poor["available"], &poor["missing"]), (&json!("100.00"), &json!("0.01")));
    ask(json!({ "from": to, "to": other.id.0, "amount": "1" })).await.problem(403, "transfer_not_allowed");
    ask(json!({ "to": house.main.id.0, "amount": "1" })).await.problem(403, "transfer_not_allowed");
    #[rustfmt::skip]
    let cases = [
        (json!({ "to": foreign.id.0, "amount": "1" }),               "to",        "there is no account"),
        (json!({ "from": foreign.id.0, "to": to, "amount": "1" }),   "from",      "there is no account"),
        (json!({ "to": to, "amount": "0" }),                         "amount",    "above zero"),
        (json!({ "to": to, "amount": "-1" }),                        "amount",    "above zero"),
        (json!({ "to": to, "amount": "1.0000001" }),                 "amount",    "more than six decimals"),
        (json!({ "to": to, "amount": 1 }),                           "amount",    "expected an amount as text"),
        (json!({ "to": to }),                                        "amount",    "it is missing"),
        (json!({ "to": to, "amount": "1", "reference": "x".repeat(256) }), "reference", "at most 255"),
    ];
    for (body, name, reason) in cases {
        let said = ask(body).await.wrong_field(name);
        assert!(said.contains(reason), "{name}: {said}");
    }
    assert_eq!(house.balance(house.main.id).await, Credits(100_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_credit_that_comes_by_itself_is_set_read_and_removed() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |_| {}).await;
    let at = format!("/v1/accounts/{}/automatic-transfer", child.id);
    house.v1(&key, "GET", &at).send().await.problem(404, "not_found");
    let rule = json!({ "threshold": "5", "amount": "20", "day_max": "60" });
    let set = house.v1(&key, "PUT", &at).json_body(&rule).json().await;
    let expected = json!({ "threshold": "5.00", "amount": "20.00", "day_max": "60.00", "month_max": null, "currency": "EUR" });
    assert_eq!(set, expected);
    assert_eq!(house.got(&key, &at).await, expected);
    let as_child = house.key(child.id, |_| {}).await;
    assert_eq!(house.got(&as_child, &at).await, expected);
    #[rustfmt::skip]
    let cases = [
        (json!({ "threshold": "5", "amount": "0" }),                    "amount"),
        (json!({ "threshold": "-1", "amount": "1" }),                   "threshold"),
        (json!({ "threshold": "5", "amount": "20", "day_max": "19" }),  "day_max"),
        (json!({ "threshold": "5", "amount": "20", "month_max": "1" }), "month_max"),
    ];
    for (rule, name) in cases {
        house.v1(&key, "PUT", &at).json_body(&rule).send().await.wrong_field(name);
    }
    for _ in 0..2 {
        assert_eq!(house.v1(&key, "DELETE", &at).send().await.status, 204);
    }
    house.v1(&key, "GET", &at).send().await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_set_from_above_and_seen_from_below() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 10_000_000).await;
    let (key, as_child) = (house.key(house.main.id, |_| {}).await, house.key(child.id, |_| {}).await);
    let at = format!("/v1/accounts/{}/limits", child.id);
    let rule = json!({ "kind": "messages_per_day", "messages": 1, "country": "de" });
    let set = house.v1(&key, "POST", &at).json_body(&rule).send().await;
    assert_eq!(set.status, 201, "{}", set.body);
    let set = set.json();
    let id = set["id"].as_i64().unwrap();
    let expected = json!({
        "id": id, "kind": "messages_per_day", "reach": "together", "bearing": "own", "account": child.id.0,
        "set_by": house.main.id.0, "country": "DE", "label": null, "amount": null, "messages": 1,
        "used_amount": null, "used_messages": 0, "list": null, "currency": "EUR",
    });
    assert_eq!(set, expected);
    let one = format!("{at}/{id}");
    assert_eq!(house.got(&as_child, &one).await, expected);
    // It is kept by the door of programs, with a code of its own.
    let sms = |text: &str| format!("/api/sms?to=4915112345678&json=1&text={text}");
    assert_eq!(house.got(&as_child, &sms("one")).await["success"], "100");
    let refused = house.got(&as_child, &sms("two")).await;
    assert_eq!(refused["messages"][0]["error"], 403, "{refused}");
    assert_eq!(house.got(&as_child, &one).await["used_messages"], 1);
    // What came from above is not for those below to change, and what lies above is not theirs to see.
    house.v1(&as_child, "DELETE", &one).send().await.problem(403, "permission_missing");
    let own = json!({ "kind": "spend_per_month", "amount": "500", "reach": "together" });
    let of_main = format!("/v1/accounts/{}/limits", house.main.id);
    assert_eq!(house.v1(&key, "POST", of_main).json_body(&own).send().await.status, 201);
    let all = house.got(&as_child, &at).await;
    let shared = all["items"].as_array().unwrap().iter().find(|limit| limit["bearing"] == "shared").unwrap();
    assert_eq!((&shared["amount"], &shared["used_amount"]), (&json!(null), &json!(null)));
    #[rustfmt::skip]
    let cases = [
        (json!({ "kind": "spend_per_week", "amount": "1" }),                     "kind"),
        (json!({ "kind": "spend_per_day" }),                                     "amount"),
        (json!({ "kind": "spend_per_day", "amount": "-1" }),                     "amount"),
        (json!({ "kind": "spend_per_day", "amount": "1", "messages": 1 }),       "messages"),
        (json!({ "kind": "messages_per_hour", "messages": -1 }),                 "messages"),
        (json!({ "kind": "messages_per_hour", "messages": 1, "label": "a b" }),  "label"),
        (json!({ "kind": "countries", "list": ["DE", "XX"] }),                   "list"),
        (json!({ "kind": "countries", "list": [] }),                             "list"),
        (json!({ "kind": "senders", "list": ["x"], "country": "DE" }),           "country"),
    ];
    for (rule, name) in cases {
        house.v1(&key, "POST", &at).json_body(&rule).send().await.wrong_field(name);
    }
    assert_eq!(house.v1(&key, "DELETE", &one).send().await.status, 204);
    house.v1(&key, "DELETE", &one).send().await.problem(404, "not_found");
    assert_eq!(house.got(&as_child, &sms("three")).await["success"], "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_sends_on_the_wallet_above_as_long_as_it_is_let() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |_| {}).await;
    let own = house.key(child.id, |_| {}).await;
    let at = format!("/v1/accounts/{}/shared-wallet", child.id);
    house.v1(&key, "GET", &at).send().await.problem(404, "not_found");
    for (wrong, field) in [
        (json!({ "cap": "0.00" }), "cap"),
        (json!({ "cap": "5.00", "until": "2020-01-01T00:00:00Z" }), "until"),
    ] {
        house.v1(&key, "PUT", &at).json_body(&wrong).send().await.wrong_field(field);
    }
    // Nobody helps themselves.
    let refused = house.v1(&own, "PUT", &at).json_body(&json!({ "cap": "5.00" })).send().await;
    refused.problem(403, "permission_missing");
    let set = house.v1(&key, "PUT", &at).json_body(&json!({ "cap": "5.00" })).send().await.json();
    assert_eq!(
        (&set["active"], &set["available"], &set["until"]),
        (&json!(true), &json!("5.00"), &json!(null))
    );
    let balance = house.got(&own, "/v1/balance").await;
    assert_eq!((&balance["wallet"], &balance["shared"]), (&json!("0.00"), &json!("5.00")));
    assert_eq!(balance["spendable"], "5.00", "and not what is above");
    assert_eq!(house.got(&own, &at).await["available"], "5.00");
    for _ in 0..2 {
        assert_eq!(house.v1(&key, "DELETE", &at).send().await.status, 204);
    }
    assert_eq!(house.got(&own, "/v1/balance").await["shared"], json!(null));
}
