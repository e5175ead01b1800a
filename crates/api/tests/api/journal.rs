//! `/api/journal`.

use domain::moment::Moment;
use serde_json::{Value, json};

use crate::house::{House, NOW};

async fn ids(house: &House, query: &str) -> Vec<String> {
    let answer = house.ask("GET", format!("/api/journal/outbound?{query}")).json().await;
    answer.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_has_every_field_as_a_string() {
    let house = House::new().await;
    let form = "to=4915100000001&text=Hi&from=DEMO&label=spring&foreign_id=order-7&sentWith=CSharp";
    let id = house.sent(form).await.remove(0);
    house.word(&id).await;
    let answer = house.text("GET", "/api/journal/outbound").send().await;
    // JSON always, whatever is accepted.
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let entry = &answer.json()[0];
    let mccmnc = entry["mccmnc"].clone();
    assert!(mccmnc.is_null() || mccmnc.as_str().unwrap().starts_with("262"));
    let expected = json!({
        "id": id, "to": "4915100000001", "from": "DEMO", "text": "Hi", "timestamp": "2026-01-05 10:11:10.120",
        "price": "0.0750", "dlr": "DELIVERED", "dlr_timestamp": "2026-01-05 10:11:10.120", "mccmnc": mccmnc,
        "latency": "0.0000", "type": "direct", "channel": "SMS", "connection": "CSharp", "label": "spring",
        "foreign_id": "order-7"
    });
    assert_eq!(*entry, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_null_and_the_connection_never_empty() {
    let house = House::new().await;
    let id = house.sent("to=4915100099907&text=Hi").await.remove(0);
    let answer = house.ask("GET", format!("/api/journal/outbound?id={id}")).json().await;
    for field in ["dlr", "dlr_timestamp", "latency", "label", "foreign_id"] {
        assert_eq!(answer[0][field], Value::Null, "{field}");
    }
    assert_eq!(answer[0]["connection"], "http");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_the_list_and_the_newest_comes_first() {
    let house = House::new().await;
    let mut sent = Vec::new();
    // One message a day, on the fifth to the eighth of January.
    for day in 0..4 {
        house.clock.set(Moment(NOW.0 + day * 86_400_000_000));
        sent.extend(house.sent(&format!("to=491510000000{day}&text=Day {day}")).await);
    }
    let failed = house.sent("to=4915100099903&text=No").await.remove(0);
    for id in sent.iter().chain([&failed]) {
        house.word(id).await;
    }
    let [a, b, c, d] = <[String; 4]>::try_from(sent).unwrap();
    let list = |ids: &[&String]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    #[rustfmt::skip]
    let cases = [
        ("".to_owned(),                                             list(&[&failed, &d, &c, &b, &a])),
        // JS always sends these two words; PHP empty ones; .NET names that are not ours.
        ("date_from=undefined&date_to=undefined".to_owned(),        list(&[&failed, &d, &c, &b, &a])),
        ("state=&to=".to_owned(),                                   list(&[&failed, &d, &c, &b, &a])),
        ("DateFrom=2026-01-08&To=49151&Id=1".to_owned(),            list(&[&failed, &d, &c, &b, &a])),
        ("id=0".to_owned(),                                         list(&[&failed, &d, &c, &b, &a])),
        ("date_from=label".to_owned(),                              list(&[&failed, &d, &c, &b, &a])),
        (format!("id={b}"),                                         list(&[&b])),
        (format!("id={}.{}e%2B10", &b[..1], &b[1..]),               list(&[&b])),
        ("id=abc".to_owned(),                                       vec![]),
        ("id=77999999999".to_owned(),                               vec![]),
        ("date_from=2026-01-07".to_owned(),                         list(&[&failed, &d, &c])),
        ("date_to=2026-01-06".to_owned(),                           list(&[&b, &a])), // the last day is included
        ("date_from=2026-01-06&date_to=2026-01-06".to_owned(),      list(&[&b])),
        ("date_from=2026-01-07&date_to=2026-01-06".to_owned(),      vec![]),
        ("state=NOTDELIVERED".to_owned(),                           list(&[&failed])),
        ("state=delivered&limit=2".to_owned(),                      list(&[&d, &c])),
        ("state=nonsense".to_owned(),                               vec![]),
        ("to=%2B4915100000001".to_owned(),                          list(&[&b])),
        ("to=0151%2000000001".to_owned(),                             list(&[&b])),
        ("to=nobody".to_owned(),                                    vec![]),
        ("limit=2".to_owned(),                                      list(&[&failed, &d])),
        ("limit=2&offset=2".to_owned(),                             list(&[&c, &b])),
        ("offset=5".to_owned(),                                     vec![]),
        ("limit=0&offset=-1".to_owned(),                            list(&[&failed, &d, &c, &b, &a])),
        ("limit=many".to_owned(),                                   list(&[&failed, &d, &c, &b, &a])),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&house, &query).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_entries_at_most() {
    let house = House::new().await;
    let to: Vec<String> = (0..120).map(|n| format!("49151000{n:05}")).collect();
    house.sent(&format!("to={}&text=Hi", to.join(","))).await;
    for query in ["", "limit=100", "limit=101", "limit=1000000", "limit=-5"] {
        assert_eq!(ids(&house, query).await.len(), 100, "{query}");
    }
    assert_eq!(ids(&house, "offset=100").await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_legacy_form_names_the_kind() {
    let house = House::new().await;
    let id = house.sent("to=4915100000001&text=Hi").await.remove(0);
    for query in ["?type=outbound", "", "?type="] {
        let answer = house.text("GET", format!("/api/journal{query}")).json().await;
        assert_eq!(answer[0]["id"], id, "{query}");
    }
    for kind in ["inbound", "voice", "replies", "voice_call"] {
        let legacy = house.text("POST", format!("/api/journal?type={kind}")).json().await;
        assert_eq!(legacy, json!([]), "{kind}");
    }
    for kind in ["inbound", "voice", "replies"] {
        assert_eq!(house.text("GET", format!("/api/journal/{kind}")).json().await, json!([]), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_message_is_in_no_list() {
    let house = House::new().await;
    let id = house.sent("to=4915100000001&text=Hi").await.remove(0);
    let other = house.account("Other", None, 10).await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    for account in [other.id, child.id] {
        let key = house.key(account, |_| {}).await;
        for query in
            [String::new(), format!("?id={id}"), "?to=4915100000001".into(), "?state=DELIVERED".into()]
        {
            let ask = house.bare("GET", format!("/api/journal/outbound{query}")).header("X-Api-Key", &key);
            assert_eq!(ask.json().await, json!([]), "{query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_works_on_both_engines() {
    for database in testing::engines().await {
        let house = House::with(database, api::Options::default()).await;
        let id = house.sent("to=4915100000001&text=Hi").await.remove(0);
        house.word(&id).await;
        let all = "to=4915100000001&date_from=2026-01-05&date_to=2026-01-05&state=DELIVERED&limit=5&offset=0";
        assert_eq!(ids(&house, &format!("{all}&id={id}")).await, std::slice::from_ref(&id));
        assert_eq!(ids(&house, all).await, [id]);
        assert!(ids(&house, "state=EXPIRED").await.is_empty());
    }
}
