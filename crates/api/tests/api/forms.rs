//! Forms of requests and answers that hold for all endpoints, and bad input.

use serde_json::json;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read_is_said_clearly() {
    let house = House::new().await;
    let broken = house.text("POST", "/api/sms").body("application/json", "{\"to\":").send().await;
    assert_eq!(broken.status, 400);
    assert!(broken.body.starts_with("700\nthe body is not valid JSON"), "{}", broken.body);
    let broken = house.ask("POST", "/api/sms").body("application/json", "{\"to\":").send().await;
    assert_eq!((broken.status, &broken.json()["success"]), (400, &json!(false)));
    assert!(broken.json()["error"].as_str().unwrap().contains("not valid JSON"));
    let array = house.text("POST", "/api/sms").body("application/json", "[1]").send().await;
    assert_eq!(array.status, 400);
    let multipart =
        house.text("POST", "/api/sms").body("multipart/form-data; boundary=x", "--x").send().await;
    assert_eq!(multipart.status, 415);
    let gzip = house.text("POST", "/api/sms").header("Content-Encoding", "gzip").form("to=1").send().await;
    assert_eq!(gzip.status, 415);
    let deep = format!("{{\"to\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    assert_eq!(house.text("POST", "/api/sms").body("application/json", &deep).send().await.status, 400);
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_types_are_an_answer_and_never_a_fault() {
    let house = House::new().await;
    let odd = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1.5),
        json!("x"),
        json!([]),
        json!({}),
        json!([[{"a": 1}]]),
        json!("\u{202e}"),
    ];
    let names = [
        "to",
        "text",
        "from",
        "delay",
        "flash",
        "udh",
        "ttl",
        "label",
        "files",
        "class",
        "json",
        "p",
        "sentWith",
        "is_binary",
    ];
    for name in names {
        for value in &odd {
            let mut body = json!({"to": "4915100000001", "text": "Hi", "debug": 1});
            body[name] = value.clone();
            let answer = house.ask("POST", "/api/sms").json_body(&body).send().await;
            assert_eq!(answer.status, 200, "{name} = {value}: {answer:?}");
        }
    }
    for target in [
        "/api/status?msg_id[a][b]=1",
        "/api/journal/outbound?id[]=x&limit[]=y",
        "/api/analytics?start[]=1&subaccounts[]=2",
    ] {
        assert_eq!(house.ask("GET", target).send().await.status, 200, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_asked_for_by_header_or_parameter() {
    let house = House::new().await;
    let form = "to=4915100000001&text=Hi&debug=1";
    #[rustfmt::skip]
    let cases = [
        ("application/json",                       "",         true),
        ("application/json, text/plain, */*",      "",         true),
        ("*/*",                                    "",         false),
        ("text/html",                              "",         false),
        ("*/*",                                    "&json=1",  true),
        ("*/*",                                    "&json=true", true),
        ("*/*",                                    "&json=0",  false),
        ("application/json",                       "&json=0",  true),
    ];
    for (accept, more, json) in cases {
        let answer = house
            .text("POST", "/api/sms")
            .header("Accept", accept)
            .form(&format!("{form}{more}"))
            .send()
            .await;
        let wanted = if json { "application/json" } else { "text/plain; charset=utf-8" };
        assert_eq!(answer.header("content-type"), Some(wanted), "{accept} {more}");
    }
    // A code of an endpoint that answers JSON always is bare unless JSON is asked for.
    assert_eq!(house.bare("GET", "/api/journal/outbound").send().await.body, "900");
    assert_eq!(house.bare("GET", "/api/journal/outbound?json=1").send().await.body, "\"900\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods() {
    let house = House::new().await;
    for target in ["/api/nonsense", "/api", "/api/", "/api/sms/1", "/api//sms"] {
        let answer = house.text("GET", target).send().await;
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.body.starts_with("700\n"), "{target}: {}", answer.body);
    }
    let answer = house.ask("PUT", "/api/sms").send().await;
    assert_eq!((answer.status, &answer.json()["error_code"]), (405, &json!(700)));
    assert_eq!(house.ask("DELETE", "/api/balance").send().await.status, 405);
    // Outside of the wire, a problem.
    let answer = house.bare("GET", "/nothing").send().await;
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(answer.json()["status"], 404);
    // Lower-case methods of old clients are tolerated.
    assert_eq!(house.text("get", "/api/balance").body_text().await, "100.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_answered_without_a_key() {
    let options =
        api::Options { metrics: Some(std::sync::Arc::new(|| "a 1\n".to_owned())), ..api::Options::default() };
    let house = House::with_options(options).await;
    assert_eq!(house.bare("GET", "/healthz").body_text().await, "ok\n");
    assert_eq!(house.bare("GET", "/readyz").body_text().await, "ready\n");
    let metrics = house.bare("GET", "/metrics").send().await;
    assert_eq!(
        (metrics.body.as_str(), metrics.header("content-type")),
        ("a 1\n", Some("text/plain; version=0.0.4"))
    );
    house.gateway.stop().await;
    assert_eq!(house.bare("GET", "/readyz").send().await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_takes_nothing_more_says_so_and_stores_nothing() {
    let house = House::new().await;
    house.gateway.stop().await;
    let form = "to=4915100000001&text=Hi";
    let answer = house.ask("POST", "/api/sms").form(form).send().await;
    // SDKs that look at the body alone see a code, the others a status.
    assert_eq!((answer.status, answer.body.as_str()), (503, "\"600\""));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(house.text("POST", "/api/sms").form(form).send().await.body, "600");
    assert_eq!(house.messages().await, 0);
}
