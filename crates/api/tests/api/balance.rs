//! `/api/balance`.

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_a_number_with_a_fraction_in_both_forms() {
    let house = House::new().await;
    // Text always has a fraction: a whole number would read as a code.
    let answer = house.text("GET", "/api/balance").send().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "100.00"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    // `*/*` is not JSON.
    assert_eq!(house.text("GET", "/api/balance").header("Accept", "*/*").body_text().await, "100.00");
    let answer = house.ask("GET", "/api/balance").send().await;
    assert_eq!(answer.body, r#"{"amount":100.0,"currency":"EUR"}"#);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    // The parameter asks for JSON as the header does, and POST is answered as GET.
    assert_eq!(house.text("POST", "/api/balance").form("json=1").json().await["amount"], 100.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_has_three_decimals_at_most_and_is_never_rounded_up() {
    let house = House::new().await;
    house.sent("to=4915100000001&text=Hi").await;
    assert_eq!(house.text("GET", "/api/balance").body_text().await, "99.925");
    assert_eq!(house.ask("GET", "/api/balance").json().await["amount"], 99.925);
    let poor = house.account("Poor", None, 0).await;
    let key = house.key(poor.id, |_| {}).await;
    let answer = house.bare("GET", "/api/balance").header("X-Api-Key", &key).send().await;
    assert_eq!(answer.body, "0.00");
}
