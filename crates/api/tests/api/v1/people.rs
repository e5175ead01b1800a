//! `/v1/members`, `/v1/invitations`, `/v1/settings`, `/v1/access` and `/v1/audit`.

use domain::account::Email;
use domain::actor::Actor;
use domain::id::{AccountId, LoginId};
use domain::member::{Access, Role};
use gateway::logins;
use gateway::settings::{self, Change};
use serde_json::{Value, json};

use crate::house::House;

/// Somebody who is a member of an account.
async fn member(house: &House, account: AccountId, address: &str, role: Role) -> (i64, LoginId) {
    let email = Email::parse(address).unwrap();
    let new = logins::NewLogin {
        email: &email,
        name: "Eva Muster",
        language: None,
        operator: false,
        password: None,
    };
    let now = house.gateway.clock.now();
    let mut tx = house.gateway.db.begin().await.unwrap();
    let login = logins::create(&mut tx, &new, now).await.unwrap();
    let member = storage::members::insert(&mut tx, account, login.id, role, false, now).await.unwrap();
    tx.commit().await.unwrap();
    (member.id.0, login.id)
}

/// Makes an account one that wants to be asked.
pub async fn ask_first(house: &House, account: AccountId) {
    let change = Change { access: Some(Access::Ask), ..Change::default() };
    settings::change(&house.gateway, account, &change, &Actor::command_line()).await.unwrap();
    member(house, account, "owner@child.example", Role::Owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed_changed_and_removed() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let (owner, _) = member(&house, house.main.id, "owner@muster.example", Role::Owner).await;
    let (eva, _) = member(&house, house.main.id, "eva@muster.example", Role::Analyst).await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let (elsewhere, _) = member(&house, child.id, "else@muster.example", Role::Owner).await;
    let list = house.got(&key, "/v1/members").await;
    let roles: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|m| &m["role"]).collect();
    assert_eq!(roles, ["owner", "analyst"]);
    assert_eq!(list["items"][0]["includes_subaccounts"], true);
    let first = house.got(&key, "/v1/members?limit=1").await;
    let rest =
        house.got(&key, format!("/v1/members?cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&rest["items"][0], &rest["next_cursor"]), (&list["items"][1], &json!(null)));

    let at = format!("/v1/members/{eva}");
    let change = json!({ "role": "finance", "includes_subaccounts": true });
    let changed = house.v1(&key, "PATCH", &at).json_body(&change).json().await;
    assert_eq!((&changed["role"], &changed["includes_subaccounts"]), (&json!("finance"), &json!(true)));
    assert_eq!(house.got(&key, &at).await, changed);
    house.v1(&key, "PATCH", &at).json_body(&json!({ "role": "owner" })).send().await.wrong_field("role");
    house.v1(&key, "PATCH", &at).json_body(&json!({ "role": "boss" })).send().await.wrong_field("role");
    let of_owner = format!("/v1/members/{owner}");
    let lower = house.v1(&key, "PATCH", &of_owner).json_body(&json!({ "role": "auditor" })).send().await;
    lower.problem(409, "wrong_state");
    house.v1(&key, "DELETE", &of_owner).send().await.problem(409, "wrong_state");
    let of_other = format!("/v1/members/{elsewhere}");
    for method in ["GET", "DELETE"] {
        house.v1(&key, method, &of_other).send().await.problem(404, "not_found");
    }
    house.v1(&key, "PATCH", &of_other).json_body(&change).send().await.problem(404, "not_found");
    assert_eq!(house.v1(&key, "DELETE", &at).send().await.status, 204);
    house.v1(&key, "DELETE", &at).send().await.problem(404, "not_found");
    let log = house.got(&key, "/v1/audit?action=member.").await;
    let actions: Vec<&Value> = log["items"].as_array().unwrap().iter().map(|e| &e["action"]).collect();
    assert_eq!(actions, ["member.remove", "member.change"]);
    assert_eq!(log["items"][1]["before"]["role"], "analyst");
    assert_eq!(log["items"][1]["actor"]["kind"], "key");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_invited_by_mail_and_the_invitation_sent_again_and_taken_back() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let new = json!({ "email": "eva@muster.example", "role": "messaging" });
    let made = house.posted(&key, "/v1/invitations", &new).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let at = made.header("location").unwrap().to_owned();
    assert_eq!(house.got(&key, &at).await, made.json());
    assert_eq!((&made.json()["state"], &made.json()["role"]), (&json!("waiting"), &json!("messaging")));
    assert_eq!(house.got(&key, "/v1/invitations").await["items"], json!([made.json()]));
    let mut conn = house.gateway.db.read().await.unwrap();
    let mails = "select count(*) from mails where recipient = 'eva@muster.example'";
    assert_eq!(conn.number(mails, &[]).await.unwrap(), 1);
    drop(conn);
    house.posted(&key, "/v1/invitations", &new).await.problem(409, "email_in_use");
    house.v1(&key, "POST", format!("{at}/resend")).send().await.problem(429, "limit_exceeded");
    house.clock.set(domain::moment::Moment(crate::house::NOW.0 + 61_000_000));
    let again = house.v1(&key, "POST", format!("{at}/resend")).json().await;
    assert_eq!(again["sent_at"], "2026-01-05T09:12:11.12Z");
    for wrong in [json!({ "email": "x", "role": "analyst" }), json!({ "role": "analyst" })] {
        house.posted(&key, "/v1/invitations", &wrong).await.wrong_field("email");
    }
    assert_eq!(house.v1(&key, "DELETE", &at).send().await.status, 204);
    house.v1(&key, "DELETE", &at).send().await.problem(404, "not_found");
    house.v1(&key, "GET", &at).send().await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_together_or_not_at_all() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let before = house.got(&key, "/v1/settings").await;
    assert_eq!((&before["access"], &before["text_days"]), (&json!("open"), &json!(null)));
    let patch = |body: Value| house.v1(&key, "PATCH", "/v1/settings").json_body(&body);
    let wrong = patch(json!({ "company": "New", "text_days": 0, "default_country": "XX" })).send().await;
    wrong.wrong_field("text_days");
    wrong.wrong_field("default_country");
    assert_eq!(house.got(&key, "/v1/settings").await, before);
    let change =
        json!({ "company": null, "default_sender": "Muster", "text_days": 30, "reload_lock": false });
    let changed = patch(change).json().await;
    assert_eq!((&changed["company"], &changed["default_sender"]), (&json!(null), &json!("Muster")));
    assert_eq!((&changed["text_days"], &changed["reload_lock"]), (&json!(30), &json!(false)));
    assert_eq!(patch(json!({ "text_days": null })).json().await["text_days"], json!(null));
    for name in ["access", "signing_key", "owner"] {
        patch(json!({ name: null })).send().await.wrong_field(name);
    }
    let at = format!("/v1/accounts/{}", house.main.id);
    let named = house.v1(&key, "PATCH", &at).json_body(&json!({ "company": "Muster AG" })).json().await;
    assert_eq!(named["company"], "Muster AG");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_wants_to_be_asked_keeps_keys_from_above_out_until_its_owner_grants_it() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 10).await;
    ask_first(&house, child.id).await;
    let key = house.key(house.main.id, |new| new.subaccount_access = true).await;
    let id = child.id.to_string();
    let within = |target: &'static str| house.v1(&key, "GET", target).header("X-Account-Id", &id);
    for target in ["/v1/messages", "/v1/keys", "/v1/settings", "/v1/audit", "/v1/access/visits"] {
        within(target).send().await.problem(403, "access_not_granted");
    }
    let named = house.v1(&key, "PATCH", format!("/v1/accounts/{id}")).json_body(&json!({ "company": "X" }));
    named.send().await.problem(403, "access_not_granted");
    // What the one above is answerable for anyway.
    for target in ["/v1/balance", "/v1/statement", "/v1/transfers", "/v1/statistics", "/v1/members"] {
        assert_eq!(within(target).send().await.status, 200, "{target}");
    }
    house.got(&key, format!("/v1/accounts/{id}")).await;
    // Its owner has said yes, for an hour.
    let (_, eva) = member(&house, house.main.id, "eva@muster.example", Role::Administrator).await;
    let now = house.gateway.clock.now();
    let mut tx = house.gateway.db.begin().await.unwrap();
    let new = storage::visits::NewGrant {
        account: child.id,
        above: house.main.id,
        login: eva,
        reason: "lost message",
        state: storage::visits::GrantState::Granted,
        expires_at: now.after(std::time::Duration::from_secs(3600)),
    };
    storage::visits::ask(&mut tx, &new, now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(within("/v1/messages").send().await.status, 200);
    let own = house.key(child.id, |_| {}).await;
    let grants = house.got(&own, "/v1/access/grants").await;
    assert_eq!(
        (&grants["items"][0]["state"], &grants["items"][0]["is_live"]),
        (&json!("granted"), &json!(true))
    );
    house.clock.set(now.after(std::time::Duration::from_secs(3601)));
    within("/v1/messages").send().await.problem(403, "access_not_granted");
    // That a key from above was at work stands in the log.
    for _ in 0..200 {
        let log = house.got(&own, "/v1/audit?from_above=true").await;
        if log["items"].as_array().unwrap().iter().any(|entry| entry["action"] == "key.act") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no word of it in the audit log");
}
