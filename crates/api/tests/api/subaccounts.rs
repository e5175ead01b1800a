//! `/api/subaccounts`, in the current form and in the legacy form with `action`.

use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use gateway::accounts;
use serde_json::{Value, json};

use crate::house::House;

const DONE: &str = r#"{"success":true,"error":null}"#;

fn failure(text: &str) -> Value {
    json!({"success": false, "error": text})
}

async fn create(house: &House, name: &str, email: &str) -> Value {
    let body = json!({"name": name, "email": email});
    house.ask("POST", "/api/subaccounts/create").json_body(&body).json().await
}

async fn new(house: &House) -> i64 {
    create(house, "Anna Muster", "anna@example.test").await["subaccount"]["id"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subaccount_is_created_and_listed() {
    let house = House::new().await;
    let answer = house.text("GET", "/api/subaccounts/list").json().await;
    assert_eq!(answer, json!([]));
    let created = create(&house, "Anna Muster", "anna@example.test").await;
    let id = created["subaccount"]["id"].as_i64().unwrap();
    assert!(id > house.main.id.0 && i32::try_from(id).is_ok());
    let mut subaccount = json!({
        "id": id, "username": null, "company": null, "balance": 0, "total_usage": 0,
        "auto_topup": {"threshold": null, "amount": null},
        "contact": {"name": "Anna Muster", "email": "anna@example.test"}
    });
    assert_eq!(created, json!({"success": true, "error": null, "subaccount": subaccount}));
    // Who lists reads a text.
    subaccount["company"] = json!("Anna Muster");
    for path in ["list", "read", "list?id=undefined", "read?id=undefined", "list?id=0"] {
        assert_eq!(
            house.ask("GET", format!("/api/subaccounts/{path}")).json().await,
            json!([subaccount]),
            "{path}"
        );
    }
    for target in ["/api/subaccounts?action=read", "/api/subaccounts"] {
        assert_eq!(house.ask("GET", target).json().await, json!([subaccount]), "{target}");
        assert_eq!(house.ask("POST", target).json().await, json!([subaccount]), "{target}, as Python");
    }
    let one = house.ask("GET", format!("/api/subaccounts/read?id={id}")).json().await;
    assert_eq!(one, json!([subaccount]));
    for unknown in ["1", "abc", &house.main.id.to_string()] {
        assert_eq!(
            house.ask("GET", format!("/api/subaccounts/read?id={unknown}")).json().await,
            json!([]),
            "{unknown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_are_integers_when_whole() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let ask =
        |path: &str, body: Value| house.ask("POST", format!("/api/subaccounts/{path}")).json_body(&body);
    let id = child.id.0;
    assert_eq!(ask("transfer_credits", json!({"id": id, "amount": 12.5})).send().await.body, DONE);
    assert_eq!(ask("update", json!({"id": id, "threshold": 5, "amount": "20.5"})).send().await.body, DONE);
    let answer = house.ask("GET", "/api/subaccounts/list").send().await;
    let expected = format!(
        "[{{\"id\":{id},\"username\":null,\"company\":\"Child\",\"balance\":12.5,\"total_usage\":0,\
        \"auto_topup\":{{\"threshold\":5,\"amount\":20.5}},\
        \"contact\":{{\"name\":\"Max Muster\",\"email\":\"child@example.test\"}}}}]"
    );
    assert_eq!(answer.body, expected);
    // What it uses is counted, what its own balance is changes.
    let key = house.key(child.id, |_| {}).await;
    let send = house.bare("POST", "/api/sms").header("X-Api-Key", &key).form("to=4915100000001&text=Hi");
    assert_eq!(send.body_text().await, "100");
    let answer = house.ask("GET", "/api/subaccounts/list").json().await;
    assert_eq!((&answer[0]["balance"], &answer[0]["total_usage"]), (&json!(12.425), &json!(0.075)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_the_order_of_the_wire() {
    let house = House::new().await;
    let id = new(&house).await.to_string();
    let invalid_email = "Please provide a valid email address";
    #[rustfmt::skip]
    let cases = [
        // operation          parameters                            what is said
        ("create",            String::new(),                        invalid_email),
        ("create",            "name=&email=".into(),                invalid_email),
        ("create",            "name=Max&email=nonsense".into(),     invalid_email),
        ("create",            "name=&email=a@example.test".into(),  "Please provide the first and last name of the owner"),
        ("delete",            String::new(),                        "Subaccount not found"),
        ("delete",            "id=".into(),                         "Subaccount not found"),
        ("delete",            "id=1".into(),                        "Subaccount not found"),
        ("delete",            "id=abc".into(),                      "Subaccount not found"),
        ("delete",            format!("id={}", house.main.id),      "Subaccount not found"),
        ("update",            "id=&threshold=&amount=".into(),      "Subaccount not found"),
        ("update",            "id=1&threshold=1&amount=-1".into(),  "Subaccount not found"),
        ("update",            format!("id={id}"),                   "Invalid request"),
        ("update",            format!("id={id}&threshold=1&amount=x"), "Invalid amount"),
        ("update",            format!("id={id}&threshold=-1&amount=-1"), "Invalid amount"),
        ("transfer_credits",  "id=&amount=".into(),                 "Invalid amount"),
        ("transfer_credits",  format!("id={id}&amount=0"),          "Invalid amount"),
        ("transfer_credits",  format!("id={id}&amount=-5"),         "Invalid amount"),
        ("transfer_credits",  format!("id={id}&amount=x"),          "Invalid amount"),
        ("transfer_credits",  "id=&amount=5".into(),                "Subaccount not found"),
        ("transfer_credits",  "id=1&amount=5".into(),               "Subaccount not found"),
    ];
    for (operation, form, text) in cases {
        let current = house.text("POST", format!("/api/subaccounts/{operation}")).form(&form).json().await;
        assert_eq!(current, failure(text), "{operation} {form}");
        let legacy =
            house.text("POST", "/api/subaccounts").form(&format!("action={operation}&{form}")).json().await;
        assert_eq!(legacy, failure(text), "{operation} {form}");
        let query = house.text("GET", format!("/api/subaccounts?action={operation}&{form}")).json().await;
        assert_eq!(query, failure(text), "{operation} {form}");
    }
    assert_eq!(house.ask("GET", "/api/subaccounts?action=explode").json().await, failure("Invalid request"));
    assert_eq!(house.balance(house.main.id).await, Credits(100_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_legacy_action_works_with_get_and_post() {
    let house = House::new().await;
    // Python: POST with all in the query. MCP: the action in the query, the rest as JSON.
    let python = "/api/subaccounts?action=create&name=A+B&email=a@example.test";
    let a = house.ask("POST", python).json().await["subaccount"]["id"].as_i64().unwrap();
    let body = json!({"name": "C D", "email": "c@example.test"});
    let c = house.ask("POST", "/api/subaccounts?action=create").json_body(&body).json().await;
    let c = c["subaccount"]["id"].as_i64().unwrap();
    let old = house.ask("GET", "/api/subaccounts?action=write&name=E+F&email=e@example.test").json().await;
    assert_eq!(old["success"], true);
    let target = format!("/api/subaccounts?action=transfer_credits&id={a}&amount=3");
    assert_eq!(house.ask("GET", target).send().await.body, DONE);
    let target = format!("/api/subaccounts?action=update&id={a}&amount=0&threshold=0");
    assert_eq!(house.ask("POST", target).send().await.body, DONE, ".NET: both zero is success");
    for id in [a, c] {
        assert_eq!(
            house.ask("POST", "/api/subaccounts").form(&format!("action=delete&id={id}")).send().await.body,
            DONE
        );
    }
    assert_eq!(house.balance(house.main.id).await, Credits(100_000_000), "what was left came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_transfer_is_set_and_switched_off() {
    let house = House::new().await;
    let id = new(&house).await;
    let set = async |threshold: &str, amount: &str| {
        let form = format!("id={id}&threshold={threshold}&amount={amount}");
        house.ask("POST", "/api/subaccounts/update").form(&form).send().await.body
    };
    let auto = async || house.ask("GET", "/api/subaccounts/list").json().await[0]["auto_topup"].clone();
    assert_eq!(set("5", "20").await, DONE);
    assert_eq!(auto().await, json!({"threshold": 5, "amount": 20}));
    assert_eq!(set("7.5", "20").await, DONE);
    assert_eq!(auto().await, json!({"threshold": 7.5, "amount": 20}));
    assert_eq!(set("0", "0").await, DONE);
    assert_eq!(auto().await, json!({"threshold": null, "amount": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_belongs_to_one_account() {
    let house = House::new().await;
    let id = new(&house).await;
    let again = create(&house, "Anna Muster", "ANNA@example.test").await;
    assert_eq!(again["success"], false);
    assert!(again["error"].as_str().unwrap().contains("ANNA@example.test"));
    assert!(!again.as_object().unwrap().contains_key("subaccount"));
    // Free again once the account is closed.
    house.ask("POST", "/api/subaccounts/delete").form(&format!("id={id}")).json().await;
    assert_eq!(create(&house, "Anna Muster", "anna@example.test").await["success"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_moves_what_is_there_and_no_more() {
    let house = House::new().await;
    let id = new(&house).await;
    let transfer = |amount: &str| {
        house.ask("POST", "/api/subaccounts/transfer_credits").form(&format!("id={id}&amount={amount}"))
    };
    assert_eq!(transfer("40").send().await.body, DONE);
    let refused = transfer("60.01").json().await;
    assert_eq!(refused["success"], false);
    assert_eq!(transfer("60").send().await.body, DONE);
    let balances = (house.balance(house.main.id).await, house.balance(AccountId(id)).await);
    assert_eq!(balances, (Credits::ZERO, Credits(100_000_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_with_a_key_is_done_once() {
    let house = House::new().await;
    let id = new(&house).await;
    let transfer = |amount: &str| {
        let request =
            house.ask("POST", "/api/subaccounts/transfer_credits").header("Idempotency-Key", "order-1");
        request.form(&format!("id={id}&amount={amount}"))
    };
    for _ in 0..3 {
        assert_eq!(transfer("10").send().await.body, DONE);
    }
    assert_eq!(transfer("11").json().await["success"], false, "the same key for something else");
    assert_eq!(house.balance(AccountId(id)).await, Credits(10_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_one_is_gone() {
    let house = House::new().await;
    let id = new(&house).await;
    let key = house.key(AccountId(id), |_| {}).await;
    house.ask("POST", "/api/subaccounts/transfer_credits").form(&format!("id={id}&amount=10")).json().await;
    let delete = || house.ask("POST", "/api/subaccounts/delete").form(&format!("id={id}"));
    assert_eq!(delete().send().await.body, DONE);
    assert_eq!(house.balance(house.main.id).await, Credits(100_000_000), "its credit came back");
    assert_eq!(delete().json().await, failure("Subaccount not found"));
    assert_eq!(house.ask("GET", "/api/subaccounts/list").json().await, json!([]));
    assert_eq!(house.ask("GET", format!("/api/subaccounts/list?id={id}")).json().await, json!([]));
    assert_eq!(house.bare("GET", "/api/balance").header("X-Api-Key", &key).body_text().await, "900");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_account_is_not_found_whether_it_exists_or_not() {
    let house = House::new().await;
    let other = house.account("Other", None, 10).await;
    let below_other = house.account("Below", Some(other.id), 10).await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let childs_key = house.key(child.id, |_| {}).await;
    for (key, id) in [
        (&house.key, other.id),
        (&house.key, below_other.id),
        (&house.key, AccountId(1)),
        (&childs_key, house.main.id),
        (&childs_key, child.id),
    ] {
        for (operation, extra) in
            [("delete", ""), ("update", "&threshold=1&amount=1"), ("transfer_credits", "&amount=1")]
        {
            let request =
                house.bare("POST", format!("/api/subaccounts/{operation}")).header("X-Api-Key", key);
            let answer = request.form(&format!("id={id}{extra}")).json().await;
            assert_eq!(answer, failure("Subaccount not found"), "{operation} {id}");
        }
        let read = house.bare("GET", format!("/api/subaccounts/read?id={id}")).header("X-Api-Key", key);
        assert_eq!(read.json().await, json!([]));
    }
    assert_eq!(house.balance(other.id).await, Credits(10_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_two_levels_down_is_below_too() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let grandchild = house.account("Grandchild", Some(child.id), 0).await;
    let answer = house.ask("GET", "/api/subaccounts/list").json().await;
    assert_eq!(answer.as_array().unwrap().len(), 1, "the list is of those right below");
    let one = house.ask("GET", format!("/api/subaccounts/read?id={}", grandchild.id)).json().await;
    assert_eq!(one[0]["company"], "Grandchild");
    let form = format!("id={}&amount=1", grandchild.id);
    assert_eq!(house.ask("POST", "/api/subaccounts/transfer_credits").form(&form).send().await.body, DONE);
    let delete = house.ask("POST", "/api/subaccounts/delete").form(&format!("id={}", child.id)).json().await;
    assert_eq!(delete["success"], false, "there is one below it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_reads_and_changes_nothing() {
    let house = House::new().await;
    let id = new(&house).await;
    accounts::suspend(&house.gateway, house.main.id, "unpaid", &Actor::command_line()).await.unwrap();
    assert_eq!(house.ask("GET", "/api/subaccounts/list").json().await[0]["id"], id);
    for (operation, form) in [
        ("create", "name=B&email=b@example.test".to_owned()),
        ("update", format!("id={id}&threshold=1&amount=1")),
        ("transfer_credits", format!("id={id}&amount=1")),
        ("delete", format!("id={id}")),
    ] {
        let answer = house.ask("POST", format!("/api/subaccounts/{operation}")).form(&form).json().await;
        assert_eq!(answer["success"], false, "{operation}");
        assert!(answer["error"].as_str().unwrap().contains("suspended"), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_key_changes_no_account_and_moves_no_credit() {
    let house = House::new().await;
    let id = new(&house).await;
    let before = house.ask("GET", "/api/subaccounts/list").json().await;
    let key = house.key(house.main.id, |new| new.sandbox = true).await;
    let refused = failure("This is a sandbox key; it changes no account and moves no credit");
    for (path, form) in [
        ("transfer_credits", format!("id={id}&amount=1")),
        ("create", "name=A B&email=a2@example.test".to_owned()),
        ("update", format!("id={id}&threshold=10&amount=5")),
        ("delete", format!("id={id}")),
    ] {
        let request = house.bare("POST", format!("/api/subaccounts/{path}")).header("X-Api-Key", &key);
        assert_eq!(request.form(&form).json().await, refused, "{path}");
    }
    assert_eq!(house.ask("GET", "/api/subaccounts/list").json().await, before);
    assert_eq!(house.balance(AccountId(id)).await, Credits::ZERO);
}
