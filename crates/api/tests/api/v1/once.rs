//! `Idempotency-Key`.

use domain::credits::Credits;
use domain::moment::Moment;
use serde_json::{Value, json};

use crate::house::{Answer, House, NOW};

async fn ask(house: &House, key: &str, name: &str, target: &str, body: &Value) -> Answer {
    house.v1(key, "POST", target).header("Idempotency-Key", name).json_body(body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_asked_again_is_done_once_and_answered_alike() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |_| {}).await;
    let other = house.key(house.main.id, |_| {}).await;
    let body = json!({ "to": child.id.0, "amount": "3" });
    let first = ask(&house, &key, "a", "/v1/transfers", &body).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    let again = ask(&house, &key, "a", "/v1/transfers", &body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("content-type"), Some("application/json"));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    // The order of fields and the spaces between them are nobody's business.
    let spaced = format!("{{ \"amount\":\"3\",\n \"to\": {} }}", child.id);
    let written = house
        .v1(&key, "POST", "/v1/transfers")
        .header("Idempotency-Key", "a")
        .body("application/json", &spaced);
    assert_eq!(written.send().await.body, first.body);
    assert_eq!(house.balance(child.id).await, Credits(3_000_000));

    let dearer = json!({ "to": child.id.0, "amount": "4" });
    ask(&house, &key, "a", "/v1/transfers", &dearer).await.problem(409, "idempotency_conflict");
    ask(&house, &key, "a", "/v1/keys", &body).await.problem(409, "idempotency_conflict");
    // Each API key has names of its own.
    assert_eq!(ask(&house, &other, "a", "/v1/transfers", &dearer).await.status, 201);
    assert_eq!(ask(&house, &key, "b", "/v1/transfers", &body).await.status, 201);
    assert_eq!(house.balance(child.id).await, Credits(10_000_000));
    let long = "x".repeat(201);
    for name in [long.as_str(), " "] {
        ask(&house, &key, name, "/v1/transfers", &body).await.wrong_field("Idempotency-Key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ask_at_the_same_time_get_one_thing() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |_| {}).await;
    let transfer = json!({ "to": child.id.0, "amount": "1" });
    let new_key = json!({ "scopes": ["sms"] });
    let account = json!({ "owner": "Erika Muster", "email": "new@muster.example" });
    for (name, target, body) in
        [("t", "/v1/transfers", &transfer), ("k", "/v1/keys", &new_key), ("a", "/v1/accounts", &account)]
    {
        let all = (0..16).map(|_| ask(&house, &key, name, target, body));
        let answers = futures_util::future::join_all(all).await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (201, &answers[0].body), "{target}");
        }
    }
    assert_eq!(house.balance(child.id).await, Credits(1_000_000));
    let mut conn = house.gateway.db.read().await.unwrap();
    // The house's own, this test's, and one.
    assert_eq!(conn.number("select count(*) from keys", &[]).await.unwrap(), 3);
    // The answer that is kept holds a secret, and the books hold none.
    let kept = conn.query("select answer from answers", &[]).await.unwrap();
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|row| !row.text(0).unwrap().contains("bl_live_")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_kept() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let poor = house.key(child.id, |_| {}).await;
    let key = house.key(house.main.id, |_| {}).await;
    let up = json!({ "to": child.id.0, "amount": "101" });
    ask(&house, &key, "a", "/v1/transfers", &up).await.problem(402, "insufficient_funds");
    house.posted(&key, "/v1/transfers", &json!({ "to": child.id.0, "amount": "50" })).await;
    // It may be asked for in another way, too: nothing was done under this name.
    let less = json!({ "to": child.id.0, "amount": "50" });
    assert_eq!(ask(&house, &key, "a", "/v1/transfers", &less).await.status, 201);
    assert_eq!(house.got(&poor, "/v1/balance").await["wallet"], "100.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_interrupted_is_not_done_twice() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |_| {}).await;
    let transfer = json!({ "to": child.id.0, "amount": "1" });
    let new_key = json!({ "scopes": ["sms"] });
    let first = ask(&house, &key, "t", "/v1/transfers", &transfer).await;
    ask(&house, &key, "k", "/v1/keys", &new_key).await;
    // As if the process had died after the work and before the answer was kept.
    let mut tx = house.gateway.db.begin().await.unwrap();
    tx.execute("update answers set answer = null", &[]).await.unwrap();
    tx.commit().await.unwrap();
    house.clock.set(Moment(NOW.0 + 121_000_000));
    let again = ask(&house, &key, "t", "/v1/transfers", &transfer).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(house.balance(child.id).await, Credits(1_000_000));
    for _ in 0..2 {
        let answer = ask(&house, &key, "k", "/v1/keys", &new_key).await;
        assert_eq!(answer.status, 409);
        assert_eq!(answer.json()["code"], "idempotency_unfinished");
    }
    let mut conn = house.gateway.db.read().await.unwrap();
    assert_eq!(conn.number("select count(*) from keys", &[]).await.unwrap(), 3);
    drop(conn);
    // After two days it is forgotten.
    house.clock.set(Moment(NOW.0 + 3 * 86_400_000_000));
    assert_eq!(gateway::once::forget_old(&house.gateway).await.unwrap(), 2);
}
