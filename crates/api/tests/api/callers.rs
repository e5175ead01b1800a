//! Who may call, on every endpoint: README of the wire, sections 4, 7 and 8.

use domain::account::AccountState;
use domain::actor::Actor;
use domain::id::AccountId;
use domain::key::{Scope, Scopes};
use domain::moment::Moment;
use gateway::{accounts, keys};

use crate::house::{Answer, House, NOW};

/// Every endpoint, the scope it needs, and how it is asked.
#[rustfmt::skip]
const ENDPOINTS: [(&str, &str, Scope); 24] = [
    ("POST",   "/api/sms?to=4915100000001&text=Hi",       Scope::Sms),
    ("GET",    "/api/sms?to=4915100000001&text=Hi",       Scope::Sms),
    ("DELETE", "/api/sms?ids=1",                          Scope::Sms),
    ("GET",    "/api/status?msg_id=1",                    Scope::Status),
    ("POST",   "/api/status?msg_id=1",                    Scope::Status),
    ("GET",    "/api/balance",                            Scope::Balance),
    ("GET",    "/api/pricing?country=DE",                 Scope::Pricing),
    ("GET",    "/api/journal/outbound",                   Scope::Journal),
    ("GET",    "/api/journal/inbound",                    Scope::Journal),
    ("GET",    "/api/journal/replies",                    Scope::Journal),
    ("GET",    "/api/journal/voice",                      Scope::Journal),
    ("GET",    "/api/journal?type=outbound",              Scope::Journal),
    ("GET",    "/api/analytics/date",                     Scope::Analytics),
    ("GET",    "/api/analytics/country",                  Scope::Analytics),
    ("GET",    "/api/analytics/label",                    Scope::Analytics),
    ("GET",    "/api/analytics/subaccount",               Scope::Analytics),
    ("GET",    "/api/analytics?group_by=label",           Scope::Analytics),
    ("GET",    "/api/subaccounts/list",                   Scope::Subaccounts),
    ("GET",    "/api/subaccounts/read",                   Scope::Subaccounts),
    ("POST",   "/api/subaccounts/create",                 Scope::Subaccounts),
    ("POST",   "/api/subaccounts/update",                 Scope::Subaccounts),
    ("POST",   "/api/subaccounts/transfer_credits",       Scope::Subaccounts),
    ("POST",   "/api/subaccounts/delete",                 Scope::Subaccounts),
    ("GET",    "/api/subaccounts?action=read",            Scope::Subaccounts),
];

fn is_code(answer: &Answer, code: &str) -> bool {
    answer.status == 200 && answer.body == code
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_authentication_is_taken() {
    let house = House::new().await;
    let key = house.key.clone();
    let base64 = |text: String| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let ask = |target: &str| house.bare("GET", target);
    #[rustfmt::skip]
    let requests = [
        ("X-Api-Key",                  ask("/api/balance").header("X-Api-Key", &key)),
        ("x-api-key",                  ask("/api/balance").header("x-api-key", &key)),
        ("Basic, raw",                 ask("/api/balance").header("Authorization", &format!("Basic {key}"))),
        ("basic, raw",                 ask("/api/balance").header("Authorization", &format!("basic {key}"))),
        ("Basic, key as user",         ask("/api/balance").header("Authorization", &format!("Basic {}", base64(format!("{key}:"))))),
        ("Basic, key as password",     ask("/api/balance").header("Authorization", &format!("Basic {}", base64(format!("me:{key}"))))),
        ("Bearer",                     ask("/api/balance").header("Authorization", &format!("Bearer {key}"))),
        ("p in the query",             ask(&format!("/api/balance?p={key}"))),
        ("p in a form",                house.bare("POST", "/api/balance").form(&format!("p={key}"))),
        ("p in JSON",                  house.bare("POST", "/api/balance").json_body(&serde_json::json!({"p": key}))),
        ("X-Api-Key twice, the same",  ask("/api/balance").header("X-Api-Key", &key).header("X-Api-Key", &key)),
        ("a bad p beside a good key",  ask("/api/balance?p=bad").header("X-Api-Key", &key)),
    ];
    for (form, request) in requests {
        assert_eq!(request.body_text().await, "100.00", "{form}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_working_key_is_900() {
    let house = House::new().await;
    let key = house.key.clone();
    let revoked = house.key(house.main.id, |_| {}).await;
    let id = house.gateway.key(&keys::hash(&revoked)).await.unwrap().unwrap().id;
    keys::revoke(&house.gateway, house.main.id, id, &Actor::command_line()).await.unwrap();
    let expired = house.key(house.main.id, |new| new.expires_at = Some(Moment(NOW.0 + 1))).await;
    house.clock.set(Moment(NOW.0 + 1));
    let long = "k".repeat(5000);
    let ask = |name: &str, value: &str| house.bare("GET", "/api/balance").header(name, value);
    #[rustfmt::skip]
    let requests = [
        ("nothing",                         house.bare("GET", "/api/balance")),
        ("an unknown key",                  ask("X-Api-Key", "nonsense")),
        ("an empty key",                    ask("X-Api-Key", "")),
        ("a long key",                      ask("X-Api-Key", &long)),
        ("a revoked key",                   ask("X-Api-Key", &revoked)),
        ("an expired key",                  ask("X-Api-Key", &expired)),
        ("PHP: a second, bad key",          ask("X-Api-Key", &key).header("X-Api-Key", "bad")),
        ("PHP: a bad key first",            ask("X-Api-Key", "bad").header("X-Api-Key", &key)),
        ("a bad key beside a good p",       house.bare("GET", format!("/api/balance?p={key}")).header("X-Api-Key", "bad")),
        ("Digest",                          ask("Authorization", &format!("Digest {key}"))),
        ("Basic with nothing",              ask("Authorization", "Basic")),
        ("Bearer with nonsense",            ask("Authorization", "Bearer nonsense")),
        ("u and p",                         house.bare("GET", "/api/balance?u=max&p=secret")),
        ("the stored hash itself",          ask("X-Api-Key", &keys::hash(&key))),
        ("a key with a letter more",        ask("X-Api-Key", &format!("{key}x"))),
    ];
    for (form, request) in requests {
        let answer = request.send().await;
        assert!(is_code(&answer, "900"), "{form}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    // As JSON, a quoted string; and the reason is said.
    let answer = ask("X-Api-Key", "nonsense").header("Accept", "application/json").send().await;
    assert!(is_code(&answer, "\"900\""));
    assert_eq!(answer.header("x-error-text"), Some("the key is not known"));
    let answer = house.bare("GET", "/api/balance?u=max&p=secret").send().await;
    assert!(answer.header("x-error-text").unwrap().contains("API key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_endpoint_answers_without_a_key() {
    let house = House::new().await;
    for (method, target, _) in ENDPOINTS {
        let answer = house.bare(method, target).send().await;
        assert!(is_code(&answer, "900"), "{method} {target}: {answer:?}");
    }
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_needs_its_scope_and_no_other() {
    let house = House::new().await;
    for (method, target, scope) in ENDPOINTS {
        let others = Scope::ALL.into_iter().filter(|s| *s != scope);
        let without = house.key(house.main.id, |new| new.scopes = Scopes::of(others)).await;
        let answer = house.bare(method, target).header("X-Api-Key", &without).send().await;
        assert!(is_code(&answer, "902"), "{method} {target}: {answer:?}");
        let only = house.key(house.main.id, |new| new.scopes = Scopes::of([scope])).await;
        let answer = house.bare(method, target).header("X-Api-Key", &only).send().await;
        assert!(!answer.body.starts_with("90"), "{method} {target}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_subaccount_access_acts_below_and_nowhere_else() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 10).await;
    let grandchild = house.account("Grandchild", Some(child.id), 20).await;
    let sibling = house.account("Sibling", Some(house.main.id), 30).await;
    let other = house.account("Other", None, 40).await;
    let master = house.key(house.main.id, |new| new.subaccount_access = true).await;
    let childs = house.key(child.id, |new| new.subaccount_access = true).await;
    let plain = house.key.clone();
    let ask = |key: &str, id: &str| {
        house.bare("GET", "/api/balance").header("X-Api-Key", key).header("X-Account-Id", id)
    };
    let id = |account: &domain::account::Account| account.id.to_string();
    #[rustfmt::skip]
    let cases = [
        ("itself",                       &master, id(&house.main), "100.00"),
        ("a child",                      &master, id(&child),      "10.00"),
        ("a grandchild",                 &master, id(&grandchild), "20.00"),
        ("a child's child",              &childs, id(&grandchild), "20.00"),
        ("an empty header",              &master, String::new(),   "100.00"),
        ("itself without the access",    &plain,  id(&house.main), "100.00"),
        // All of these are the same answer: nothing tells which of them exist.
        ("a child without the access",   &plain,  id(&child),      "902"),
        ("an unknown one",               &master, "1".into(),      "902"),
        ("an unknown one, no access",    &plain,  "1".into(),      "902"),
        ("another tree",                 &master, id(&other),      "902"),
        ("a sibling",                    &childs, id(&sibling),    "902"),
        ("one above",                    &childs, id(&house.main), "902"),
        ("nonsense",                     &master, "abc".into(),    "902"),
    ];
    let mut refusals = Vec::new();
    for (who, key, id, seen) in cases {
        let answer = ask(key, &id).send().await;
        assert!(is_code(&answer, seen), "{who}: {answer:?}");
        if seen == "902" {
            refusals.push((
                answer.header("x-error-text").map(str::to_owned),
                answer.header("content-length").map(str::to_owned),
            ));
        }
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_a_subaccount_is_paid_and_listed_there() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 10).await;
    let master = house.key(house.main.id, |new| new.subaccount_access = true).await;
    let request = |method, target: &str| {
        let request =
            house.bare(method, target).header("X-Api-Key", &master).header("Accept", "application/json");
        request.header("X-Account-Id", &child.id.to_string())
    };
    let answer = request("POST", "/api/sms").form("to=4915100000001&text=Hi").json().await;
    assert_eq!(answer["balance"], 9.925);
    assert_eq!(request("GET", "/api/journal/outbound").json().await.as_array().unwrap().len(), 1);
    assert_eq!(house.ask("GET", "/api/journal/outbound").json().await.as_array().unwrap().len(), 0);
    let mut conn = house.gateway.db.read().await.unwrap();
    let sql = "select actor from transfers order by id desc limit 1";
    let actor = conn.one(sql, &[]).await.unwrap().unwrap().text(0).unwrap();
    assert!(
        actor.starts_with("key ") && actor.ends_with(&format!("of account {}", house.main.id)),
        "{actor}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_reads_and_does_not_send() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 10).await;
    let key = house.key(child.id, |_| {}).await;
    // Whoever stands above it was suspended.
    accounts::suspend(&house.gateway, house.main.id, "unpaid", &Actor::command_line()).await.unwrap();
    for key in [&house.key, &key] {
        for (method, target, scope) in ENDPOINTS {
            let answer = house.bare(method, target).header("X-Api-Key", key).send().await;
            match (method, scope) {
                ("POST" | "GET", Scope::Sms) => assert!(is_code(&answer, "902"), "{target}: {answer:?}"),
                _ => assert!(!answer.body.starts_with("90"), "{target}: {answer:?}"),
            }
        }
    }
    let sandbox = house.key(child.id, |new| new.sandbox = true).await;
    let rehearsal = house.bare("GET", "/api/sms?to=4915100000001&text=Hi").header("X-Api-Key", &sandbox);
    assert_eq!(rehearsal.body_text().await, "902");
    assert_eq!(house.messages().await, 0);
    accounts::activate(&house.gateway, house.main.id, &Actor::command_line()).await.unwrap();
    assert_eq!(house.text("GET", "/api/sms?to=4915100000001&text=Hi").body_text().await, "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_is_900_and_gone_for_those_above() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(child.id, |_| {}).await;
    let master = house.key(house.main.id, |new| new.subaccount_access = true).await;
    accounts::close(&house.gateway, child.id, accounts::When::AtOnce, "done", &Actor::command_line())
        .await
        .unwrap();
    for (method, target, _) in ENDPOINTS {
        let answer = house.bare(method, target).header("X-Api-Key", &key).send().await;
        assert!(is_code(&answer, "900"), "{method} {target}: {answer:?}");
    }
    let above = house
        .bare("GET", "/api/balance")
        .header("X-Api-Key", &master)
        .header("X-Account-Id", &child.id.to_string());
    assert_eq!(above.body_text().await, "902");
    // An account whose parent is closed is closed, too: the worst on the path counts.
    let states = [AccountState::Closed, AccountState::Active];
    assert_eq!(domain::account::effective(states), AccountState::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_statuses_are_an_option() {
    let options = api::Options { strict_status: true, ..api::Options::default() };
    let house = House::with_options(options).await;
    let answer = house.bare("GET", "/api/balance").header("Accept", "application/json").send().await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "\"900\""));
    let key = house.key(house.main.id, |new| new.scopes = Scopes::of([Scope::Sms])).await;
    let answer = house.bare("GET", "/api/balance").header("X-Api-Key", &key).send().await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "902"));
    // Only these: the wire's other codes stay as they are.
    assert!(is_code(&house.text("POST", "/api/sms").form("text=Hi").send().await, "301"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_key_is_stored() {
    let house = House::new().await;
    house.text("GET", "/api/balance").body_text().await;
    let account = AccountId(house.main.id.0);
    for _ in 0..200 {
        let mut conn = house.gateway.db.read().await.unwrap();
        let keys = storage::keys::of_account(&mut conn, account).await.unwrap();
        if keys.iter().any(|(_, used)| *used == Some(NOW)) {
            return;
        }
        drop(conn);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("not stored within two seconds");
}
