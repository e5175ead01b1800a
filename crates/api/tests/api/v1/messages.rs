//! `/v1/messages`, `/v1/statistics` and `/v1/statement`.

use serde_json::{Value, json};

use super::people::ask_first;
use crate::house::House;

async fn send(house: &House, key: &str, form: &str) {
    let answer = house.bare("POST", "/api/sms").header("X-Api-Key", key).form(form).send().await;
    assert_eq!(answer.body, "100", "{form}");
}

fn all<'a>(list: &'a Value, field: &str) -> Vec<&'a Value> {
    list["items"].as_array().unwrap().iter().map(|item| &item[field]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_found_by_what_is_known_of_them() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    send(&house, &key, "to=4915100000001&text=one&label=a&from=Shop&foreign_id=o-1").await;
    send(&house, &key, "to=4366400000002&text=two&label=b&from=Bank").await;
    send(&house, &key, "to=4915100000003&text=three&delay=2026-02-01 10:00").await;
    let list = house.got(&key, "/v1/messages").await;
    assert_eq!(all(&list, "text"), ["three", "two", "one"]);
    assert_eq!(all(&list, "price"), ["0.075", "0.09", "0.075"]);
    #[rustfmt::skip]
    let cases: [(&str, &[&str]); 10] = [
        ("label=a",                       &["one"]),
        ("label=",                        &["three"]),
        ("sender=Bank",                   &["two"]),
        ("country=at",                    &["two"]),
        ("recipient=4915100000001",       &["one"]),
        ("recipient=%2B4915100000001",    &["one"]),
        ("recipient=49151*",              &["three", "one"]),
        ("status=scheduled",              &["three"]),
        ("from=2026-01-05T09:11:11Z",     &[]),
        ("before=2026-01-05T09:11:11Z",   &["three", "two", "one"]),
    ];
    for (query, texts) in cases {
        assert_eq!(all(&house.got(&key, format!("/v1/messages?{query}")).await, "text"), texts, "{query}");
    }
    for (query, name) in [
        ("status=sent", "status"),
        ("recipient=x", "recipient"),
        ("recipient=*", "recipient"),
        ("state=x", "state"),
    ] {
        house.v1(&key, "GET", format!("/v1/messages?{query}")).send().await.wrong_field(name);
    }
    let first = house.got(&key, "/v1/messages?limit=2").await;
    let next = format!("/v1/messages?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(all(&house.got(&key, next).await, "text"), ["one"]);

    let id = list["items"][2]["id"].as_i64().unwrap();
    house.word(&id.to_string()).await;
    let one = house.got(&key, format!("/v1/messages/{id}")).await;
    assert_eq!(
        (&one["status"], &one["foreign_id"], &one["class"]),
        (&json!("delivered"), &json!("o-1"), &json!("normal"))
    );
    assert_eq!(
        (&one["recipient"], &one["country"], &one["report"]),
        (&json!("4915100000001"), &json!("DE"), &json!("DELIVERED"))
    );
    let child = house.account("Child", Some(house.main.id), 0).await;
    let as_child = house.key(child.id, |_| {}).await;
    house.v1(&as_child, "GET", format!("/v1/messages/{id}")).send().await.problem(404, "not_found");
    assert_eq!(house.got(&as_child, "/v1/messages").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_and_statement_agree_to_the_last_digit() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 10).await;
    let key = house.key(house.main.id, |_| {}).await;
    let as_child = house.key(child.id, |_| {}).await;
    send(&house, &key, "to=4915100000001,4915100000002&text=one&label=a").await;
    send(&house, &as_child, "to=4366400000002&text=two&label=b").await;
    let own = house.got(&key, "/v1/statistics").await;
    assert_eq!((&own["from"], &own["to"]), (&json!("2025-12-07"), &json!("2026-01-05")));
    assert_eq!((&own["total"]["accepted"], &own["total"]["cost"]), (&json!(2), &json!("0.15")));
    assert_eq!(own["rows"].as_array().unwrap().len(), 30);
    let tree = house
        .got(&key, "/v1/statistics?all_below=true&group_by=country&columns=label&compare=previous_period")
        .await;
    assert_eq!((&tree["total"]["accepted"], &tree["total"]["cost"]), (&json!(3), &json!("0.24")));
    assert_eq!((&tree["total_before"]["accepted"], &tree["before_to"]), (&json!(0), &json!("2025-12-06")));
    assert_eq!(tree["rows"][0]["of"], json!({ "name": "DE" }));
    assert_eq!(tree["columns"].as_array().unwrap().len(), tree["rows"][0]["cells"].as_array().unwrap().len());
    let below = house.got(&key, format!("/v1/statistics?account={}&group_by=label", child.id)).await;
    assert_eq!((&below["rows"][0]["of"], &below["total"]["cost"]), (&json!({ "name": "b" }), &json!("0.09")));
    let accounts = house.got(&key, "/v1/statistics?all_below=true&group_by=subaccount").await;
    assert_eq!(accounts["rows"][1]["of"], json!({ "name": "Child", "account": child.id.0 }));
    #[rustfmt::skip]
    let cases = [
        ("from=2026-02-30", "from"), ("from=2026-02-01&to=2026-01-01", "from"), ("to=today", "to"), ("from=1990-01-01", "from"),
        ("group_by=color", "group_by"), ("group_by=label&columns=label", "columns"), ("compare=x", "compare"),
        ("account=5", "account"), ("account=0", "account"), ("days=3", "days"),
    ];
    for (query, name) in cases {
        house.v1(&key, "GET", format!("/v1/statistics?{query}")).send().await.wrong_field(name);
    }
    let up = house.v1(&as_child, "GET", format!("/v1/statistics?account={}", house.main.id)).send().await;
    up.wrong_field("account");

    let statement = house.got(&as_child, "/v1/statement").await;
    assert_eq!(all(&statement, "kind"), ["charge", "grant"]);
    assert_eq!(all(&statement, "amount"), ["-0.09", "10.00"]);
    assert_eq!(all(&statement, "balance"), ["9.91", "10.00"]);
    assert_eq!(all(&house.got(&as_child, "/v1/statement?kind=moves").await, "kind"), ["grant"]);
    house.v1(&as_child, "GET", "/v1/statement?kind=x").send().await.wrong_field("kind");
    let first = house.got(&as_child, "/v1/statement?limit=1").await;
    let next = format!("/v1/statement?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(all(&house.got(&as_child, next).await, "amount"), ["10.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_below_are_read_where_they_are_open_and_the_look_is_in_the_log() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 10).await;
    let other = house.account("Other", Some(house.main.id), 10).await;
    let foreign = house.account("Foreign", None, 10).await;
    let key = house.key(house.main.id, |new| new.subaccount_access = true).await;
    let without = house.key(house.main.id, |new| new.subaccount_access = false).await;
    for (of, text) in [(&house.main, "own"), (&child, "child"), (&other, "other"), (&foreign, "CANARY")] {
        let theirs = house.key(of.id, |_| {}).await;
        send(&house, &theirs, &format!("to=4915100000001&text={text}")).await;
    }
    assert_eq!(all(&house.got(&key, "/v1/messages").await, "text"), ["own"]);
    let tree = house.got(&key, "/v1/messages?all_below=true").await;
    assert_eq!(all(&tree, "text"), ["other", "child", "own"]);
    assert_eq!((&tree["left_out"], &tree["items"][1]["account"]), (&json!(0), &json!(child.id.0)));
    let id = tree["items"][1]["id"].as_i64().unwrap();
    assert_eq!(house.got(&key, format!("/v1/messages/{id}")).await["text"], "child");
    house.v1(&without, "GET", format!("/v1/messages/{id}")).send().await.problem(404, "not_found");
    let asked = house.v1(&without, "GET", "/v1/messages?all_below=true").send().await;
    asked.problem(403, "subaccount_access_missing");
    let one = house.got(&key, format!("/v1/messages?account={}", other.id)).await;
    assert_eq!(all(&one, "text"), ["other"]);
    let elsewhere = house.v1(&key, "GET", format!("/v1/messages?account={}", foreign.id)).send().await;
    elsewhere.wrong_field("account");
    let looks = async || {
        let sql = format!(
            "select count(*) from audit where action = 'messages.look' and account_id = {}",
            child.id
        );
        house.gateway.db.read().await.unwrap().number(&sql, &[]).await.unwrap()
    };
    assert_eq!(looks().await, 1);
    ask_first(&house, child.id).await;
    let tree = house.got(&key, "/v1/messages?all_below=true").await;
    assert_eq!(all(&tree, "text"), ["other", "own"]);
    assert_eq!(tree["left_out"], 1);
    house.v1(&key, "GET", format!("/v1/messages/{id}")).send().await.problem(404, "not_found");
    let asked = house.v1(&key, "GET", format!("/v1/messages?account={}", child.id)).send().await;
    asked.problem(403, "access_not_granted");
    assert_eq!(looks().await, 1);
}
