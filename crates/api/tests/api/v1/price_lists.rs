//! `/v1/price-lists` and `/v1/accounts/{account}/price-list`.

use domain::key::{Scope, Scopes};
use serde_json::json;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_below_pays_by_a_markup_by_a_list_or_as_above() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let other = house.account("Other", Some(house.main.id), 0).await;
    let grandchild = house.account("Grandchild", Some(child.id), 0).await;
    let at = |account: &domain::account::Account| format!("/v1/accounts/{}/price-list", account.id);
    let put = async |account, body| house.v1(&key, "PUT", at(account)).json_body(&body).send().await;
    assert_eq!(house.got(&key, at(&child)).await["own"], false);
    let markup = |percent: &str| json!({ "markup": { "name": "agencies", "percent": percent } });
    let set = put(&child, markup("20")).await.json();
    assert_eq!((&set["own"], &set["name"]), (&json!(true), &json!("agencies")));
    assert_eq!(put(&other, json!({ "price_list": set["price_list"] })).await.status, 200);
    let lists = house.got(&key, "/v1/price-lists").await;
    assert_eq!(lists["items"], json!([{ "id": set["price_list"], "name": "agencies", "accounts": 2 }]));
    let price = |of| format!("/v1/accounts/{of}/prices?country=DE");
    let before = house.got(&key, "/v1/prices?country=DE").await["countries"][0]["price"].clone();
    let after = house.got(&key, price(child.id)).await["countries"][0]["price"].clone();
    assert_eq!((before.as_str(), after.as_str()), (Some("0.075"), Some("0.09")));
    // A later version is told to those who pay it.
    let mut later = markup("40");
    later["markup"]["effective_from"] = json!("2026-03-01T00:00:00Z");
    assert_eq!(put(&child, later).await.status, 200);
    let own = house.key(child.id, |_| {}).await;
    let told = house.got(&own, "/v1/prices?country=DE").await;
    let coming = json!([{ "effective_from": "2026-03-01T00:00:00Z", "price": "0.105" }]);
    assert_eq!(told["countries"][0]["coming"], coming);
    assert!(!told.to_string().contains("0.075"), "{told}");

    for (body, field) in [
        (markup("much"), "markup.percent"),
        (json!({}), "price_list"),
        (json!({ "price_list": 5 }), "price_list"),
        (json!({ "markup": { "name": " ", "percent": "1" } }), "markup.name"),
    ] {
        put(&child, body).await.wrong_field(field);
    }
    house.clock.set(domain::moment::Moment(crate::house::NOW.0 + 1_000_000));
    let loss = put(&child, markup("-20")).await.problem(409, "below_cost");
    // The first destination it would lose on: Austria.
    assert_eq!((&loss["price"], &loss["cost"]), (&json!("0.072"), &json!("0.09")));
    let mut allowed = markup("-20");
    allowed["allow_below_cost"] = json!(true);
    assert_eq!(put(&child, allowed).await.status, 200);
    // Lists are for those below their owner: the child has none, and takes none of those above.
    assert_eq!(house.got(&own, "/v1/price-lists").await["items"], json!([]));
    let theirs = json!({ "price_list": set["price_list"] });
    let refused = house.v1(&own, "PUT", at(&grandchild)).json_body(&theirs).send().await;
    refused.wrong_field("price_list");
    house.v1(&own, "PUT", at(&child)).json_body(&theirs).send().await.problem(403, "permission_missing");
    for _ in 0..2 {
        assert_eq!(house.v1(&key, "DELETE", at(&child)).send().await.status, 204);
    }
    assert_eq!(house.got(&key, at(&child)).await["own"], false);
    let reader = house.key(house.main.id, |new| new.scopes = Scopes::of([Scope::PricesRead])).await;
    let asked = house.v1(&reader, "DELETE", at(&other)).send().await;
    assert_eq!(asked.problem(403, "scope_missing")["scope"], "prices:write");
}
