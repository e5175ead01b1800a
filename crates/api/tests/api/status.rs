//! `/api/status`.

use serde_json::{Value, json};

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn one_entry_for_each_id_asked_for() {
    let house = House::new().await;
    let ids = house.sent("to=4915100000001,4915100099907&text=Hi").await;
    let (done, silent) = (&ids[0], &ids[1]);
    assert_eq!(house.word(done).await, "DELIVERED");
    // Duplicates are repeated (PHP), unknown ids and those without a word have nulls.
    let query = format!("/api/status?msg_id={done},{silent},{done},77999999999,abc");
    let answer = house.ask("GET", query).json().await;
    let time = answer[0]["status_time"].as_str().unwrap();
    let delivered = json!({"id": done, "status": "DELIVERED", "status_time": time});
    let nothing = |id: &str| json!({"id": id, "status": null, "status_time": null});
    let expected = json!([delivered, nothing(silent), delivered, nothing("77999999999"), nothing("abc")]);
    assert_eq!(answer, expected);
    // Three decimals exactly (.NET), in local time.
    assert_eq!(time, "2026-01-05 10:11:10.120");
}

#[tokio::test(flavor = "multi_thread")]
async fn post_and_exponent_form_are_read() {
    let house = House::new().await;
    let id = house.sent("to=4915100000001&text=Hi").await.remove(0);
    house.word(&id).await;
    let exponent = format!("{}.{}e%2B10", &id[..1], &id[1..]);
    let answer = house.ask("POST", "/api/status").form(&format!("msg_id={exponent}")).json().await;
    assert_eq!((&answer[0]["status"], &answer[0]["id"]), (&"DELIVERED".into(), &id.as_str().into()));
    let text = house.text("POST", format!("/api/status?msg_id={exponent}")).body_text().await;
    assert!(text.starts_with("DELIVERED\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_form_is_two_lines() {
    let house = House::new().await;
    let ids = house.sent("to=4915100000001,4915100099907&text=Hi").await;
    house.word(&ids[0]).await;
    let text = |id: &str| house.text("GET", format!("/api/status?msg_id={id}")).body_text();
    assert_eq!(text(&ids[0]).await, "DELIVERED\n2026-01-05 10:11:10.120");
    // No word yet: what is known is that we took it, and when.
    assert_eq!(text(&ids[1]).await, "ACCEPTED\n2026-01-05 10:11:10.120");
    assert_eq!(text("77999999999").await, "600");
    assert_eq!(text("abc").await, "600");
    assert_eq!(text("").await, "600");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fate_has_its_word() {
    let house = House::new().await;
    #[rustfmt::skip]
    let cases = [
        ("4915100000001", "DELIVERED"),
        ("4915100099901", "REJECTED"),      // refused on submission, which only we can say
        ("4915100099903", "NOTDELIVERED"),
        ("4915100099904", "EXPIRED"),
        ("4915100099905", "REJECTED"),
        ("4915100099911", "FAILED"),
    ];
    for (to, word) in cases {
        let id = house.sent(&format!("to={to}&text=Hi")).await.remove(0);
        let seen = house.word(&id).await;
        assert!(seen == word || (word == "FAILED" && seen == "NOTDELIVERED"), "{to}: {seen}");
    }
    let id = house.sent("to=4915100000001&text=Later&delay=2026-01-05 12:00").await.remove(0);
    assert_eq!(house.ask("GET", format!("/api/status?msg_id={id}")).json().await[0]["status"], Value::Null);
    house.ask("DELETE", format!("/api/sms?ids={id}")).json().await;
    assert_eq!(house.word(&id).await, "UNKNOWN", "a cancelled one: nobody need ask again");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_ids_give_an_empty_array() {
    let house = House::new().await;
    for query in ["", "?msg_id=", "?msg_id=undefined", "?msg_id=,"] {
        assert_eq!(house.ask("GET", format!("/api/status{query}")).json().await, json!([]), "{query}");
    }
    let many = vec!["77000000001"; 1001].join(",");
    assert_eq!(house.ask("POST", "/api/status").form(&format!("msg_id={many}")).send().await.body, "\"305\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_id_is_as_unknown_as_one_that_does_not_exist() {
    let house = House::new().await;
    let id = house.sent("to=4915100000001&text=Hi").await.remove(0);
    house.word(&id).await;
    // Neither another tree, nor the account above or below.
    let other = house.account("Other", None, 0).await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    for account in [other.id, child.id] {
        let key = house.key(account, |_| {}).await;
        let ask = |accept: &str| {
            house
                .bare("GET", format!("/api/status?msg_id={id}"))
                .header("X-Api-Key", &key)
                .header("Accept", accept)
        };
        assert_eq!(
            ask("application/json").json().await,
            json!([{"id": id, "status": null, "status_time": null}])
        );
        assert_eq!(ask("*/*").body_text().await, "600");
    }
}
