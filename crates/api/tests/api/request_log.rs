//! The request log of an account, and what of it is in no log.

use std::time::Duration;

use domain::account::Account;
use domain::actor::Actor;
use domain::member::Access;
use gateway::settings::{self, Change};
use serde_json::json;
use storage::calls::{Call, Filter};

use crate::house::House;

/// The calls of an account, the newest first, once there are so many.
async fn calls(house: &House, account: &Account, count: usize) -> Vec<Call> {
    for _ in 0..300 {
        let mut conn = house.gateway.db.read().await.unwrap();
        let page =
            storage::calls::page(&mut conn, account.id, &Filter::default(), None, 1_000).await.unwrap();
        if page.len() >= count {
            return page;
        }
        drop(conn);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("there are not {count} calls within six seconds");
}

#[tokio::test]
async fn a_call_is_kept_with_its_answer_and_without_its_secrets() {
    let house = House::new().await;
    house.ask("POST", "/api/sms?from=Shop").form("to=4915100000001&text=canary+one").json().await;
    let by_parameter = format!("/api/balance?p={}", house.key);
    house.bare("GET", by_parameter).header("X-Forwarded-For", "203.0.113.7").send().await;
    house.ask("POST", "/api/sms").json_body(&json!({ "to": "4915100000001" })).send().await;
    let weak =
        house.key(house.main.id, |new| new.scopes = domain::key::Scopes::of([domain::key::Scope::Sms])).await;
    house.bare("GET", "/api/journal/outbound").header("X-Api-Key", &weak).send().await;
    house.bare("GET", "/api/balance").header("X-Api-Key", "nobody").send().await;
    let calls = calls(&house, &house.main, 4).await;
    assert_eq!(calls.len(), 4, "who is not known is in nobody's log");
    let [right, empty, balance, sms] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(
        (sms.method.as_str(), sms.path.as_str(), sms.code.as_str(), sms.status),
        ("POST", "/api/sms", "100", 200)
    );
    assert_eq!(sms.request, "from=Shop\nto=4915100000001&text=canary+one");
    assert!(sms.answer.contains("\"success\":\"100\"") && sms.error.is_empty(), "{sms:?}");
    assert_eq!((balance.request.as_str(), balance.address.as_str()), ("p=***", "203.0.113.7"));
    assert_eq!(empty.code, "305");
    assert!(empty.error.contains("text"), "{empty:?}");
    assert_eq!(right.code, "902");
    assert!(right.key.is_some() && right.key != sms.key);
    let masked = gateway::calls::masked(sms);
    assert!(
        !format!("{masked:?}").contains("canary") && !format!("{masked:?}").contains("4915100000001"),
        "{masked:?}"
    );
    let secrets = "select count(*) from calls where replace(request || answer || error, $1, '') <> request || answer || error";
    let mut conn = house.gateway.db.read().await.unwrap();
    assert_eq!(conn.number(secrets, &[house.key.as_str().into()]).await.unwrap(), 0);
}

#[tokio::test]
async fn of_many_calls_a_second_a_few_are_kept_and_all_are_answered() {
    let house = House::new().await;
    for _ in 0..20 {
        house.ask("GET", "/api/balance").json().await;
    }
    for _ in 0..20 {
        house.ask("GET", "/api/status?msg_id=none").send().await;
    }
    let kept = calls(&house, &house.main, 5).await;
    let successes = kept.iter().filter(|call| call.error.is_empty()).count();
    assert!((1..=5).contains(&successes), "the clock stands still: {successes}");
}

#[tokio::test]
async fn what_v1_was_asked_is_kept_too() {
    let house = House::new().await;
    house.ask("GET", "/v1/balance").send().await;
    let new = json!({ "label": "shop", "scopes": ["sms"] });
    let created = house.ask("POST", "/v1/keys").json_body(&new).send().await;
    assert_eq!(created.status, 201, "{}", created.body);
    house.ask("GET", "/v1/accounts/7").send().await;
    let calls = calls(&house, &house.main, 3).await;
    let [missing, key, _] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((missing.status, missing.code.as_str()), (404, "not_found"));
    assert!(!missing.error.is_empty());
    let secret = created.json()["key"].as_str().unwrap_or_else(|| panic!("{}", created.body)).to_owned();
    assert!(secret.starts_with("bl_live_") && !key.answer.contains(&secret), "{key:?}");
    assert!(key.answer.contains(&secret[..12]), "{key:?}");
}

#[tokio::test]
async fn an_account_that_wants_to_be_asked_is_closed_to_keys_from_above() {
    let house = House::new().await;
    let child = house.account("child", Some(house.main.id), 1).await;
    let key = house.key(house.main.id, |new| new.subaccount_access = true).await;
    let below = |method, target: &str| {
        house
            .bare(method, target)
            .header("X-Api-Key", &key)
            .header("Accept", "application/json")
            .header("X-Account-Id", &child.id.to_string())
    };
    assert_eq!(below("GET", "/api/journal/outbound").send().await.body, "[]", "open");
    let mut tx = house.gateway.db.begin().await.unwrap();
    let login = "insert into logins (id, email, email_folded, name, webauthn_id, created_at)
        values (5, 'a@b.example', 'a@b.example', 'Ada', 'a', 1)";
    tx.execute(login, &[]).await.unwrap();
    let owner = domain::member::Role::Owner;
    storage::members::insert(&mut tx, child.id, domain::id::LoginId(5), owner, true, house.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let ask = Change { access: Some(Access::Ask), ..Change::default() };
    settings::change(&house.gateway, child.id, &ask, &Actor::command_line()).await.unwrap();
    for (method, target) in
        [("GET", "/api/journal/outbound"), ("GET", "/api/status?msg_id=1"), ("POST", "/api/sms")]
    {
        let answer = below(method, target).send().await;
        assert_eq!(answer.body, "\"902\"", "{method} {target}");
        assert!(answer.header("x-error-text").unwrap().contains("wants to be asked"));
    }
    let refused = below("GET", "/v1/keys").send().await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (403, Some("access_not_granted")),
        "{}",
        refused.body
    );
    assert_eq!(below("GET", "/api/balance").send().await.status, 200);
    assert_eq!(below("GET", "/v1/balance").send().await.status, 200, "what the one above answers for anyway");

    let sql =
        "insert into access_grants (id, account_id, above_id, login_id, reason, state, asked_at, expires_at)
        values (1, $1, $2, 5, '', 1, 1, $3)";
    let until = house.clock.now().after(Duration::from_secs(60));
    let mut tx = house.gateway.db.begin().await.unwrap();
    tx.execute(sql, &[child.id.0.into(), house.main.id.0.into(), until.0.into()]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(below("GET", "/api/journal/outbound").send().await.body, "[]", "its owner has said yes");
    house.clock.set(until);
    assert_eq!(below("GET", "/api/journal/outbound").send().await.body, "\"902\"", "and that is over");

    // All of that is one line an hour in the account's own log.
    let acts = "select count(*) from audit where account_id = $1 and action = 'key.act' and above_id = $2";
    for _ in 0..200 {
        let mut conn = house.gateway.db.read().await.unwrap();
        if conn.number(acts, &[child.id.0.into(), house.main.id.0.into()]).await.unwrap() == 1 {
            return;
        }
        drop(conn);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("that a key from above is at work is written down");
}
