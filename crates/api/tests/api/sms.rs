//! `/api/sms`: sending, and taking back what is scheduled.

use domain::credits::Credits;
use domain::id::AccountId;
use domain::moment::Moment;
use serde_json::{Value, json};

use crate::house::{House, NOW};

const ONE: &str = "to=4915100000001&text=Hi&from=DEMO";

async fn column(house: &House, sql: &str) -> Option<String> {
    let mut conn = house.gateway.db.read().await.unwrap();
    conn.one(sql, &[]).await.unwrap().unwrap().opt_text(0).unwrap()
}

async fn number(house: &House, sql: &str) -> i64 {
    house.gateway.db.read().await.unwrap().number(sql, &[]).await.unwrap()
}

// ---- section 2: the JSON reply ----

#[tokio::test(flavor = "multi_thread")]
async fn the_json_reply_is_typed_exactly() {
    let house = House::new().await;
    let answer = house.ask("POST", "/api/sms").form(ONE).send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let id = answer.json()["messages"][0]["id"].as_str().unwrap().to_owned();
    // Eleven digits that start with 77, as a string.
    assert!(id.len() == 11 && id.starts_with("77"), "{id}");
    let expected = format!(
        "{{\"success\":\"100\",\"total_price\":0.075,\"balance\":99.925,\"debug\":\"false\",\"sms_type\":\"direct\",\
        \"messages\":[{{\"id\":\"{id}\",\"sender\":\"DEMO\",\"recipient\":\"4915100000001\",\"text\":\"Hi\",\
        \"encoding\":\"gsm\",\"label\":null,\"parts\":1,\"udh\":null,\"is_binary\":false,\"price\":0.075,\
        \"success\":true,\"error\":null,\"error_text\":null}}]}}"
    );
    assert_eq!(answer.body, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_in_the_order_of_the_recipients() {
    let house = House::new().await;
    let form =
        "to=%2B49 151 00000003,0151-00000001,0043 664 1234567&text=Gr%C3%BC%C3%9Fe %E2%9C%93&label=spring";
    let answer = house.ask("POST", "/api/sms").form(form).json().await;
    let messages = answer["messages"].as_array().unwrap();
    let seen: Vec<&str> = messages.iter().map(|m| m["recipient"].as_str().unwrap()).collect();
    assert_eq!(seen, ["4915100000003", "4915100000001", "436641234567"]);
    for message in messages {
        assert_eq!(message["text"], "Grüße ✓");
        assert_eq!(message["encoding"], "ucs2");
        assert_eq!(message["label"], "spring");
        assert_eq!(message["sender"], "Branchline", "the default sender");
    }
    assert_eq!(answer["total_price"], 0.24);
    assert_eq!(answer["balance"], 99.76);
}

#[tokio::test(flavor = "multi_thread")]
async fn umlauts_of_gsm_stay_as_they_were_written() {
    // PHP's test: the text comes back equal, the recipient without the plus.
    let house = House::new().await;
    let answer = house.ask("POST", "/api/sms").form("to=%2B4915100000001&text=HI2U! äöüÄÖÜß").json().await;
    let message = &answer["messages"][0];
    assert_eq!(message["text"], "HI2U! äöüÄÖÜß");
    assert_eq!(
        (message["encoding"].as_str(), message["recipient"].as_str()),
        (Some("gsm"), Some("4915100000001"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_charged_by_its_parts() {
    let house = House::new().await;
    let text = "a".repeat(161);
    let answer = house.ask("POST", "/api/sms").form(&format!("to=4915100000001&text={text}")).json().await;
    assert_eq!(answer["messages"][0]["parts"], 2);
    assert_eq!(answer["messages"][0]["price"], 0.15);
    assert_eq!(house.balance(house.main.id).await, Credits(99_850_000));
}

// ---- section 2: which code when recipients fail ----

#[tokio::test(flavor = "multi_thread")]
async fn a_single_refused_recipient_leaves_the_top_level_at_100() {
    let house = House::new().await;
    let answer = house.ask("POST", "/api/sms").form("to=abc&text=Hi").json().await;
    assert_eq!(answer["success"], "100");
    assert_eq!(answer["total_price"].to_string(), "0.0");
    let message = &answer["messages"][0];
    assert_eq!(message["id"], Value::Null);
    assert_eq!(message["recipient"], "abc");
    assert_eq!((&message["success"], &message["error"]), (&json!(false), &json!(202)));
    assert!(message["error_text"].as_str().unwrap().contains("abc"));
    assert_eq!(message["price"].to_string(), "0.0");
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_result_is_101_and_the_others_are_sent() {
    let house = House::new().await;
    let answer =
        house.ask("POST", "/api/sms").form("to=4915100000001,abc,4915100000002&text=Hi").json().await;
    assert_eq!(answer["success"], "101");
    let seen: Vec<bool> =
        answer["messages"].as_array().unwrap().iter().map(|m| m["success"].as_bool().unwrap()).collect();
    assert_eq!(seen, [true, false, true]);
    assert_eq!(house.messages().await, 2);
    assert_eq!(house.balance(house.main.id).await, Credits(99_850_000));
}

// ---- section 5: errors ----

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_as_a_whole_is_a_bare_code() {
    let house = House::new().await;
    let long = format!("to=4915100000001&text={}", "x".repeat(1521));
    #[rustfmt::skip]
    let cases = [
        // what is wrong               form                                                       code
        ("to missing",                 "text=Hi",                                                 "301"),
        ("to empty",                   "to=&text=Hi",                                             "301"),
        ("to of commas",               "to=,,&text=Hi",                                           "301"),
        ("both missing",               "",                                                        "301"),
        ("text missing",               "to=4915100000001",                                        "305"),
        ("text empty",                 "to=4915100000001&text=",                                  "305"),
        ("text longer than 1520",      &long,                                                     "401"),
        ("from too long",              "to=4915100000001&text=Hi&from=TwelveLetter",              "201"),
        ("from of 17 digits",          "to=4915100000001&text=Hi&from=12345678901234567",         "201"),
        ("from with bad characters",   "to=4915100000001&text=Hi&from=M%C3%BCller",               "201"),
        ("label with bad characters",  "to=4915100000001&text=Hi&label=a b",                      "305"),
        ("foreign_id too long",        &format!("to=4915100000001&text=Hi&foreign_id={}", "x".repeat(65)), "305"),
        ("ttl below nothing",          "to=4915100000001&text=Hi&ttl=-1",                         "305"),
        ("ttl that is no number",      "to=4915100000001&text=Hi&ttl=long",                       "305"),
        ("delay that is no time",      "to=4915100000001&text=Hi&delay=tomorrow",                 "305"),
        ("unknown class",              "to=4915100000001&text=Hi&class=urgent",                   "305"),
        ("files",                      "to=4915100000001&text=Hi [[a.pdf]]&files[0][name]=a.pdf&files[0][contents]=QQ==", "305"),
        ("binary that is not hex",     "to=4915100000001&text=Hi&is_binary=1",                    "305"),
        ("not enough credit",          &format!("to={}&text=Hi", (0..101).map(|i| format!("336123456{i:02}")).collect::<Vec<_>>().join(",")), "500"),
    ];
    for (wrong, form, code) in cases {
        let text = house.text("POST", "/api/sms").form(form).send().await;
        assert_eq!((text.status, text.body.as_str()), (200, code), "{wrong}");
        assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(text.header("x-error-text").is_some_and(|t| t.len() > 10), "{wrong}");
        // As JSON, the code is a string.
        let json = house.ask("POST", "/api/sms").form(form).send().await;
        assert_eq!((json.status, json.body.clone()), (200, format!("\"{code}\"")), "{wrong}");
        assert_eq!(json.header("content-type"), Some("application/json"));
    }
    assert_eq!(house.messages().await, 0, "nothing of a refused request is stored");
    assert_eq!(house.balance(house.main.id).await, Credits(100_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_that_is_refused_has_its_own_code() {
    let house = House::new().await;
    // The same text to the same recipient within 180 seconds.
    house.sent(ONE).await;
    let again = house.ask("POST", "/api/sms").form(ONE).json().await;
    assert_eq!(again["messages"][0]["error"], 402);
    assert_eq!(house.text("POST", "/api/sms").form(ONE).body_text().await, "402");
    assert_eq!(house.text("POST", "/api/sms").form(&format!("{ONE}&no_reload=1")).body_text().await, "100");
    // No price for the destination.
    assert_eq!(house.text("POST", "/api/sms").form("to=34612345678&text=Hi").body_text().await, "600");
    // Not a number.
    assert_eq!(house.text("POST", "/api/sms").form("to=nobody&text=Hi").body_text().await, "202");
    // The recipient's daily limit.
    let mut tx = house.gateway.db.begin().await.unwrap();
    let mut settings = house.main.settings.clone();
    settings.recipient_day_max = 3;
    storage::accounts::set_settings(&mut tx, house.main.id, &settings).await.unwrap();
    tx.commit().await.unwrap();
    house.gateway.refresh().await.unwrap();
    for (n, code) in ["100", "402", "403"].iter().enumerate() {
        let text = if n == 1 { "Text 0".to_owned() } else { format!("Text {n}") };
        let code_seen =
            house.text("POST", "/api/sms").form(&format!("to=4915100000001&text={text}")).body_text().await;
        assert_eq!(code_seen, *code, "{n}");
    }
}

// ---- section 1: the parameters ----

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_pass_parameters_sends() {
    let house = House::new().await;
    let json = |body: Value| house.text("POST", "/api/sms").json_body(&body);
    #[rustfmt::skip]
    let requests = [
        ("a form",                       house.text("POST", "/api/sms").form("to=4915100000001&text=1")),
        ("GET",                          house.text("GET", "/api/sms?to=4915100000001&text=2")),
        ("POST with a query, as Python", house.text("POST", "/api/sms?to=4915100000001&text=3")),
        ("JSON",                         json(json!({"to": "4915100000001", "text": "4"}))),
        ("JSON array, as MCP",           json(json!({"to": ["4915100000001", "4915100000002"], "text": "5"}))),
        ("JSON number",                  json(json!({"to": 4_915_100_000_001_i64, "text": "6"}))),
        ("a number as Go writes it",     house.text("POST", "/api/sms").form("to=4.915100000001e%2B12&text=7")),
        ("PHP's brackets",               house.text("POST", "/api/sms").form("to[0]=4915100000001&to[1]=4915100000002&text=8")),
        ("no content type, JSON",        house.text("POST", "/api/sms").body("", r#"{"to":"4915100000001","text":"9"}"#).without("Content-Type")),
        ("unknown parameters",           json(json!({"to": "4915100000001", "text": "10", "x": {"y": [1]}, "To": "1"}))),
        ("Rust's unset values",          house.text("POST", "/api/sms").form("to=4915100000001&text=11&from=&ttl=0&label=&foreign_id=&delay=&udh=&flash=0&unicode=false")),
        ("the word undefined",           house.text("GET", "/api/sms?to=4915100000001&text=12&delay=undefined&label=null&ttl=nil")),
    ];
    for (way, request) in requests {
        assert_eq!(request.body_text().await, "100", "{way}");
    }
    let to: i64 = 4_915_100_000_001;
    assert_eq!(number(&house, &format!("select count(*) from messages where recipient = {to}")).await, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_is_kept_and_a_past_one_is_now() {
    let house = House::new().await;
    let later = Moment(NOW.0 + 7_200_000_000);
    #[rustfmt::skip]
    let cases = [
        // 2026-01-05 12:11:10 in Berlin
        ("1767611470",             Some(1_767_611_470_000_000)),
        ("1767611470120",          Some(later.0)),
        ("2026-01-05 12:11",       Some(1_767_611_460_000_000)),
        ("2026-01-05 12:11:10",    Some(1_767_611_470_000_000)),
        ("1.76761147e%2B09",       Some(1_767_611_470_000_000)),
        ("1767604270",             None), // Go's test sends the current time
        ("2020-01-01 00:00",       None),
        ("0",                      None),
    ];
    for (n, (delay, send_at)) in cases.into_iter().enumerate() {
        let id = house.sent(&format!("to=4915100000001&text=Text {n}&delay={delay}")).await.remove(0);
        let seen = number(&house, &format!("select send_at from messages where id = {id}")).await;
        assert_eq!(seen, send_at.unwrap_or(NOW.0), "{delay}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_parameters_reach_the_message() {
    let house = House::new().await;
    let form = "to=4915100000001&text=Hi&flash=1&ttl=60&label=a.b-c_d@e&foreign_id=order-7&class=otp&unicode=1&from=%2B4915199999999";
    let answer = house.ask("POST", "/api/sms").header("SentWith", "php-api").form(form).json().await;
    let message = &answer["messages"][0];
    assert_eq!((&message["encoding"], &message["sender"]), (&json!("ucs2"), &json!("4915199999999")));
    let get = |name: &str| format!("select {name} from messages");
    assert_eq!(number(&house, &get("flash")).await, 1);
    assert_eq!(number(&house, &get("validity_minutes")).await, 60);
    assert_eq!(number(&house, &get("class")).await, 0);
    assert_eq!(column(&house, &get("label")).await.as_deref(), Some("a.b-c_d@e"));
    assert_eq!(column(&house, &get("foreign_id")).await.as_deref(), Some("order-7"));
    assert_eq!(column(&house, &get("connection")).await.as_deref(), Some("php-api"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ttl_is_two_days_when_unset_and_a_week_at_most() {
    let house = House::new().await;
    // JS sends 128000 and expects it to be taken.
    for (n, (ttl, minutes)) in [("0", 2880), ("", 2880), ("1", 1), ("128000", 10_080)].into_iter().enumerate()
    {
        let id = house.sent(&format!("to=4915100000001&text=Text {n}&ttl={ttl}")).await.remove(0);
        let seen = number(&house, &format!("select validity_minutes from messages where id = {id}")).await;
        assert_eq!(seen, minutes, "{ttl}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn udh_and_hex_are_binary_and_words_as_udh_are_ignored() {
    let house = House::new().await;
    let binary = house
        .ask("POST", "/api/sms")
        .form("to=4915100000001&text=48656c6c6f&udh=0605040B8423F0")
        .json()
        .await;
    let message = &binary["messages"][0];
    assert_eq!((&message["is_binary"], &message["encoding"]), (&json!(true), &json!("gsm")));
    assert_eq!(message["udh"].as_str().map(str::to_ascii_lowercase).as_deref(), Some("0605040b8423f0"));
    // Go and JS send words there, with flash, label and tracking, and expect one part of gsm.
    let form = "to=4915100000002&text=Hello Go&udh=MyUdh&flash=1&label=MyLabel&performance_tracking=1&details=1&type=direct&utf8=1";
    let words = house.ask("POST", "/api/sms").form(form).json().await;
    let message = &words["messages"][0];
    assert_eq!(
        (&words["success"], &message["parts"], &message["encoding"]),
        (&json!("100"), &json!(1), &json!("gsm"))
    );
    assert_eq!((&message["udh"], &message["is_binary"]), (&Value::Null, &json!(false)));
}

// ---- section 3: the text reply ----

#[tokio::test(flavor = "multi_thread")]
async fn the_text_reply_has_its_lines() {
    let house = House::new().await;
    let ask = |form: &str| house.text("POST", "/api/sms").form(form).body_text();
    assert_eq!(ask("to=4915100000001&text=1").await, "100");
    let with_id = ask("to=4915100000001&text=2&return_msg_id=1").await;
    let lines: Vec<&str> = with_id.split('\n').collect();
    assert!(matches!(lines[..], ["100", id] if id.len() == 11 && id.starts_with("77")), "{with_id}");
    let details = ask("to=4915100000001&text=Hi&details=1&flash=1").await;
    let expected = "100\nVerbucht: 0.075\nPreis: 0.075\nGuthaben: 99.775\nText: Hi\nSMS-Typ: direct\nFlash SMS: true\n\
        Encoding: gsm\nGSM0338: true\nDebug: false";
    assert_eq!(details, expected);
    let both = ask("to=4915100000001&text=%E2%9C%93&details=1&return_msg_id=1").await;
    let lines: Vec<&str> = both.split('\n').collect();
    assert_eq!(lines.len(), 11);
    assert!(lines[1].starts_with("77"));
    assert_eq!(&lines[7..], ["Flash SMS: false", "Encoding: ucs2", "GSM0338: false", "Debug: false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_reply_to_several_recipients() {
    let house = House::new().await;
    let ask = |form: &str| house.text("POST", "/api/sms").form(form).body_text();
    let ids = ask("to=4915100000001,4915100000002&text=1&return_msg_id=1").await;
    assert!(
        matches!(ids.split('\n').collect::<Vec<_>>()[..], ["100", a, b] if a != b && b.starts_with("77")),
        "{ids}"
    );
    let mixed = ask("to=4915100000001,abc&text=2&return_msg_id=1").await;
    assert!(
        matches!(mixed.split('\n').collect::<Vec<_>>()[..], ["101", a, "202"] if a.starts_with("77")),
        "{mixed}"
    );
    assert_eq!(ask("to=abc,def&text=3&return_msg_id=1&details=1").await, "202");
    assert_eq!(ask("to=abc,34612345678&text=3").await, "101");
}

// ---- sandbox and debug ----

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_key_and_debug_send_and_charge_nothing() {
    let house = House::new().await;
    let key = house.key(house.main.id, |new| new.sandbox = true).await;
    for request in [
        house
            .bare("POST", "/api/sms")
            .header("X-Api-Key", &key)
            .header("Accept", "application/json")
            .form(ONE),
        house.ask("POST", "/api/sms").form(&format!("{ONE}&debug=1")),
    ] {
        let answer = request.json().await;
        let message = &answer["messages"][0];
        assert_eq!((&answer["success"], &answer["debug"]), (&json!("100"), &json!("true")));
        assert_eq!(
            (&message["id"], &message["success"], &message["error"]),
            (&Value::Null, &json!(true), &Value::Null)
        );
        assert_eq!(
            (message["price"].to_string(), answer["total_price"].to_string()),
            ("0.0".into(), "0.0".into())
        );
    }
    // The id line is a constant (Go and .NET).
    let form = format!("{ONE}&details=1&return_msg_id=1");
    let text = house.bare("POST", "/api/sms").header("X-Api-Key", &key).form(&form).body_text().await;
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!((lines.len(), lines[0], lines[1], lines[10]), (11, "100", "1234567890", "Debug: true"));
    // What is wrong is wrong here, too.
    let refused = house.bare("POST", "/api/sms").header("X-Api-Key", &key).form("to=1&text=Hi");
    assert_eq!(refused.body_text().await, "202");
    assert_eq!(house.messages().await, 0);
    assert_eq!(house.balance(house.main.id).await, Credits(100_000_000));
}

// ---- section 4: cancelling ----

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_messages_are_taken_back_in_every_spelling() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for n in 0..14 {
        ids.extend(house.sent(&format!("to=4915100000001&text=Text {n}&delay=2026-01-05 12:00")).await);
    }
    let before = house.balance(house.main.id).await;
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = <[String; 14]>::try_from(ids).unwrap();
    #[rustfmt::skip]
    let requests = [
        ("JS: JSON comma list",  house.ask("DELETE", "/api/sms").json_body(&json!({"ids": format!("{a},{b}")})),   vec![a, b]),
        ("PHP: ids[0]",          house.ask("DELETE", "/api/sms").form(&format!("ids[0]={c}&ids[1]={d}")),          vec![c, d]),
        ("Ruby: ids=",           house.ask("DELETE", "/api/sms").form(&format!("ids={e}&ids={f}")),                vec![e, f]),
        ("MCP: query ids[]",     house.ask("DELETE", format!("/api/sms?ids[]={g}&ids[]={h}")),                     vec![g, h]),
        ("JSON array",           house.ask("DELETE", "/api/sms").json_body(&json!({"ids": [i, j]})),               vec![i, j]),
        ("JSON numbers",         house.ask("DELETE", "/api/sms").json_body(&json!({"ids": [k.parse::<i64>().unwrap()]})), vec![k]),
        ("JSON text in query",   house.ask("DELETE", format!("/api/sms?ids=%5B%22{l}%22%5D")),                     vec![l]),
        ("exponent form",        house.ask("DELETE", format!("/api/sms?ids={}.{}e%2B10", &m[..1], &m[1..])),       vec![m]),
        ("known and unknown",    house.ask("DELETE", format!("/api/sms?ids=1,abc,{n}")),                           vec![n]),
    ];
    for (spelling, request, deleted) in requests {
        let answer = request.json().await;
        let mut seen: Vec<&str> =
            answer["deleted"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(
            (&answer["success"], seen),
            (&json!(true), deleted.iter().map(String::as_str).collect()),
            "{spelling}"
        );
    }
    assert_eq!(house.balance(house.main.id).await, Credits(before.0 + 14 * 75_000), "the money is returned");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_scheduled_is_not_taken_back() {
    let house = House::new().await;
    let other = house.account("Other", None, 10).await;
    let other_key = house.key(other.id, |_| {}).await;
    let mine = house.sent("to=4915100000001&text=Later&delay=2026-01-05 12:00").await.remove(0);
    let gone = house.sent(ONE).await.remove(0);
    house.word(&gone).await;
    let nothing = json!({"success": false, "deleted": null});
    // Ids given, nothing cancelled: null.
    for query in [format!("ids={gone}"), "ids=abc".into(), "ids=0".into(), "ids=%7B%22a%22%3A1%7D".into()] {
        assert_eq!(house.ask("DELETE", format!("/api/sms?{query}")).json().await, nothing, "{query}");
    }
    // Another account's id is as unknown as one that does not exist.
    let foreign = house.bare("DELETE", format!("/api/sms?ids={mine}")).header("X-Api-Key", &other_key);
    assert_eq!(foreign.json().await, nothing);
    // No ids: an empty array and not null (JS).
    let empty = json!({"success": false, "deleted": []});
    for request in [
        house.ask("DELETE", "/api/sms"),
        house.ask("DELETE", "/api/sms?ids="),
        house.ask("DELETE", "/api/sms").json_body(&json!({"ids": ""})),
        house.ask("DELETE", "/api/sms").json_body(&json!({"ids": []})),
        house.ask("DELETE", "/api/sms").body("application/json", ""),
    ] {
        assert_eq!(request.json().await, empty);
    }
    // Twice is once.
    let once = house.ask("DELETE", format!("/api/sms?ids={mine},{mine}")).json().await;
    assert_eq!(once, json!({"success": true, "deleted": [mine]}));
    assert_eq!(house.ask("DELETE", format!("/api/sms?ids={mine}")).json().await, nothing);
}

// ---- bad input ----

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_recipients_are_refused_at_once() {
    let house = House::new().await;
    let body =
        format!("text=Hi&to={}", (0..100_000).map(|n| format!("15{n:06}")).collect::<Vec<_>>().join(","));
    assert!(body.len() < 1 << 20);
    let started = std::time::Instant::now();
    let answer = house.text("POST", "/api/sms").form(&body).send().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "305"));
    assert!(answer.header("x-error-text").unwrap().contains("100000"));
    assert!(started.elapsed().as_secs() < 5);
    let repeated = format!("text=Hi{}", "&to=151".repeat(100_000));
    assert_eq!(house.text("POST", "/api/sms").form(&repeated).body_text().await, "305");
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_sends_nothing() {
    let house = House::new().await;
    let answer = house.text("HEAD", "/api/sms?to=4915100000001&text=Hi").send().await;
    assert_eq!(answer.status, 405);
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_a_word_for_nothing_is_a_text() {
    let house = House::new().await;
    for word in ["null", "undefined", "nil", "0", "false", " "] {
        let answer = house
            .ask("POST", "/api/sms")
            .json_body(&json!({"to": "4915100000001", "text": word}))
            .json()
            .await;
        assert_eq!(answer["messages"][0]["text"], word);
    }
    assert_eq!(
        house.text("POST", "/api/sms").json_body(&json!({"to": "1", "text": null})).body_text().await,
        "305"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_pays_from_its_own_balance() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let poor = house.key(child.id, |_| {}).await;
    let request = || house.bare("POST", "/api/sms").header("X-Api-Key", &poor).form(ONE);
    assert_eq!(request().body_text().await, "500");
    assert_eq!(house.balance(AccountId(house.main.id.0)).await, Credits(100_000_000));
}
