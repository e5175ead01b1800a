//! `/api/analytics`.

use domain::moment::Moment;
use serde_json::{Value, json};

use crate::house::{House, NOW};

fn row(by: &str, of: &str, sms: i64, usage: f64) -> Value {
    let mut row =
        json!({"sms": sms, "rcs": 0, "voice": 0, "hlr": 0, "mnp": 0, "inbound": 0, "usage_eur": usage});
    row[by] = json!(of);
    row
}

/// Three messages of the main account on two days, and one of a child's.
async fn some_traffic(house: &House) -> domain::account::Account {
    let child = house.account("Child", Some(house.main.id), 10).await;
    let key = house.key(child.id, |_| {}).await;
    house.sent("to=4915100000001&text=1&label=spring").await;
    house.sent("to=436641234567&text=2").await;
    let form = "to=4915100000001&text=3&label=autumn";
    house.ask("POST", "/api/sms").without("X-Api-Key").header("X-Api-Key", &key).form(form).json().await;
    house.clock.set(Moment(NOW.0 + 86_400_000_000));
    house.sent("to=4915100000001&text=4&label=spring").await;
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn by_date_every_day_has_a_row_and_31_are_the_default() {
    let house = House::new().await;
    some_traffic(&house).await;
    for path in
        ["/api/analytics/date", "/api/analytics", "/api/analytics?group_by=date", "/api/analytics?group_by=x"]
    {
        let answer = house.text("GET", path).json().await;
        let rows = answer.as_array().unwrap();
        assert_eq!(rows.len(), 31, "{path}");
        assert_eq!(rows[0], row("date", "2025-12-07", 0, 0.0));
        assert_eq!(rows[29], row("date", "2026-01-05", 2, 0.165));
        assert_eq!(rows[30], row("date", "2026-01-06", 1, 0.075));
        // The other three groupings' fields are absent; money has a fraction.
        assert_eq!(rows[0].as_object().unwrap().len(), 8);
        assert!(rows.iter().all(|r| r["usage_eur"].is_f64()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_is_read_and_bad_dates_are_the_defaults() {
    let house = House::new().await;
    some_traffic(&house).await;
    let rows = async |query: &str| {
        let answer = house.ask("GET", format!("/api/analytics/date?{query}")).json().await;
        answer.as_array().unwrap().iter().map(|r| r["date"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(rows("start=2026-01-05&end=2026-01-06").await, ["2026-01-05", "2026-01-06"]);
    assert_eq!(rows("start=2026-01-06").await, ["2026-01-06"]);
    // .NET's test sends a word, JS undefined.
    for query in ["start=label&end=label", "start=undefined&end=undefined", "start=&end=", "start=2026-13-01"]
    {
        assert_eq!(rows(query).await.len(), 31, "{query}");
    }
    assert_eq!(rows("end=2025-12-31").await.first().map(String::as_str), Some("2025-12-01"));
    assert!(rows("start=2026-01-06&end=2026-01-05").await.is_empty());
    // No request makes millions of rows.
    assert_eq!(rows("start=0001-01-01&end=9999-12-31").await.len(), 3661);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_groupings() {
    let house = House::new().await;
    some_traffic(&house).await;
    #[rustfmt::skip]
    let cases = [
        ("country",    "country", "",                   json!([row("country", "AT", 1, 0.09), row("country", "DE", 2, 0.15)])),
        ("label",      "label",   "",                   json!([row("label", "", 1, 0.09), row("label", "spring", 2, 0.15)])),
        ("subaccount", "account", "",                   json!([row("account", "Muster GmbH", 3, 0.24)])),
        ("subaccount", "account", "subaccounts=all",    json!([row("account", "Muster GmbH", 3, 0.24), row("account", "Child", 1, 0.075)])),
        ("country",    "country", "label=spring",       json!([row("country", "DE", 2, 0.15)])),
        ("country",    "country", "label=all",          json!([row("country", "AT", 1, 0.09), row("country", "DE", 2, 0.15)])),
        ("country",    "country", "label=",             json!([row("country", "AT", 1, 0.09), row("country", "DE", 2, 0.15)])),
        ("country",    "country", "label=unknown",      json!([])),
        ("country",    "country", "label=a%20b",          json!([])),
        ("country",    "country", "end=2026-01-05&subaccounts=only_main", json!([row("country", "AT", 1, 0.09), row("country", "DE", 1, 0.075)])),
        ("label",      "label",   "subaccounts=all",    json!([row("label", "", 1, 0.09), row("label", "autumn", 1, 0.075), row("label", "spring", 2, 0.15)])),
    ];
    for (path, _, query, expected) in cases {
        let current = house.text("GET", format!("/api/analytics/{path}?{query}")).json().await;
        assert_eq!(current, expected, "{path} {query}");
        let legacy = house.text("GET", format!("/api/analytics?group_by={path}&{query}")).json().await;
        assert_eq!(legacy, expected, "{path} {query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subaccount_is_shown_to_those_above_it_alone() {
    let house = House::new().await;
    let child = some_traffic(&house).await;
    let other = house.account("Other", None, 10).await;
    let key = house.key(other.id, |_| {}).await;
    let childs_key = house.key(child.id, |_| {}).await;
    let below = house.ask("GET", format!("/api/analytics/label?subaccounts={}", child.id)).json().await;
    assert_eq!(below, json!([row("label", "autumn", 1, 0.075)]));
    // A foreign account, one that does not exist, one above, and a word: all the same.
    let asks = [
        (&key, child.id.to_string()),
        (&key, "1".to_owned()),
        (&childs_key, house.main.id.to_string()),
        (&house.key, "somebody".to_owned()),
        (&house.key, other.id.to_string()),
    ];
    for (key, id) in asks {
        for path in ["date", "label", "country", "subaccount"] {
            let target = format!("/api/analytics/{path}?subaccounts={id}");
            assert_eq!(
                house.bare("GET", target).header("X-Api-Key", key).json().await,
                json!([]),
                "{path} {id}"
            );
        }
    }
    let own = house
        .bare("GET", format!("/api/analytics/label?subaccounts={}", child.id))
        .header("X-Api-Key", &childs_key);
    assert_eq!(own.json().await, json!([row("label", "autumn", 1, 0.075)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_is_taken_off() {
    let house = House::new().await;
    let id = house.sent("to=4915100000001&text=Hi&delay=2026-01-05 12:00").await.remove(0);
    house.ask("DELETE", format!("/api/sms?ids={id}")).json().await;
    let answer = house.ask("GET", "/api/analytics/country").json().await;
    assert_eq!(answer[0]["usage_eur"].to_string(), "0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_grouping_works_on_both_engines() {
    for database in testing::engines().await {
        let house = House::with(database, api::Options::default()).await;
        some_traffic(&house).await;
        for path in ["date", "country", "label", "subaccount"] {
            let target = format!("/api/analytics/{path}?subaccounts=all&label=spring");
            let answer = house.ask("GET", target).json().await;
            let sms: i64 = answer.as_array().unwrap().iter().map(|r| r["sms"].as_i64().unwrap()).sum();
            assert_eq!(sms, 2, "{path}");
        }
    }
}
