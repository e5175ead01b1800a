//! `/v1/keys` and `/v1/me`.

use domain::key::{Scope, Scopes};
use domain::moment::Moment;
use serde_json::json;

use crate::house::{House, NOW};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_listed_without_its_secret_and_revoked() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let new = json!({ "label": "shop", "scopes": ["sms", "credits:read"], "expires_at": "2026-12-31T00:00:00+01:00" });
    let made = house.posted(&key, "/v1/keys", &new).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let secret = made.json()["key"].as_str().unwrap().to_owned();
    assert!(gateway::keys::is_secret(&secret));
    let at = made.header("location").unwrap().to_owned();
    let shown = house.got(&key, &at).await;
    assert_eq!(shown["expires_at"], "2026-12-30T23:00:00Z");
    assert_eq!(shown["scopes"], json!(["sms", "credits:read"]));
    assert!(!shown.to_string().contains(&secret));
    let me = house.got(&secret, "/v1/me").await;
    assert_eq!(
        (&me["key"]["label"], &me["account"], &me["currency"]),
        (&json!("shop"), &json!(house.main.id.0), &json!("EUR"))
    );
    assert!(house.got(&secret, "/v1/balance").await["wallet"] == "100.00");
    let list = house.got(&key, "/v1/keys").await;
    assert_eq!(list["items"][0]["id"], shown["id"]);
    assert_eq!(list["items"].as_array().unwrap().len(), 3);

    for _ in 0..2 {
        let revoked = house.v1(&key, "DELETE", &at).json().await;
        assert_eq!(revoked["revoked_at"], "2026-01-05T09:11:10.12Z");
    }
    house.v1(&secret, "GET", "/v1/me").send().await.problem(401, "unauthenticated");
    assert_eq!(house.got(&key, "/v1/keys").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(house.got(&key, "/v1/keys?ended=true").await["items"].as_array().unwrap().len(), 3);
    house.v1(&key, "DELETE", "/v1/keys/1").send().await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_gives_no_more_than_it_has() {
    let house = House::new().await;
    let end = Moment(NOW.0 + 1_000_000);
    let own = house
        .key(house.main.id, |new| {
            new.scopes = Scopes::of([Scope::KeysWrite, Scope::CreditsWrite]);
            new.expires_at = Some(end);
        })
        .await;
    let until = "2026-01-05T09:11:11Z";
    #[rustfmt::skip]
    let cases = [
        (json!({ "scopes": ["sms"], "expires_at": until }),                              "scopes[0]"),
        (json!({ "scopes": ["credits:write", "members:read"], "expires_at": until }),    "scopes[1]"),
        (json!({ "scopes": ["everything"], "expires_at": until }),                       "scopes[0]"),
        (json!({ "scopes": [], "expires_at": until }),                                   "scopes"),
        (json!({ "scopes": ["credits:read"], "subaccount_access": true, "expires_at": until }), "subaccount_access"),
        (json!({ "scopes": ["credits:read"] }),                                          "expires_at"),
        (json!({ "scopes": ["credits:read"], "expires_at": "2026-01-05T09:11:12Z" }),    "expires_at"),
        (json!({ "scopes": ["credits:read"], "expires_at": "2026-01-05T09:11:09Z" }),    "expires_at"),
        (json!({ "scopes": ["credits:read"], "label": "x".repeat(101), "expires_at": until }), "label"),
    ];
    for (new, name) in cases {
        house.posted(&own, "/v1/keys", &new).await.wrong_field(name);
    }
    // What it may write it may let others read.
    let less = json!({ "scopes": ["credits:read", "keys:read"], "expires_at": until });
    assert_eq!(house.posted(&own, "/v1/keys", &less).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_above_creates_keys_in_the_account_it_acts_in() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |new| new.subaccount_access = true).await;
    let new = json!({ "scopes": ["keys:read"] });
    let made = house
        .v1(&key, "POST", "/v1/keys")
        .header("X-Account-Id", &child.id.to_string())
        .json_body(&new)
        .send()
        .await;
    assert_eq!(made.json()["account"], child.id.0, "{}", made.body);
    // Its own account's list does not have it.
    house.v1(&key, "GET", made.header("location").unwrap()).send().await.problem(404, "not_found");
}
