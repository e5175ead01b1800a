//! What a request costs in this crate. Run with
//! `cargo test --release -p api --test api -- --ignored --nocapture cost`.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use domain::label::Label;
use gateway::accept::SendRequest;
use tower::ServiceExt;

use crate::house::House;

const REQUESTS: u64 = 20_000;
/// The most that all but the gateway's own work may take, in nanoseconds of CPU.
const NANOSECONDS_MAX: u64 = 25_000;

/// Nanoseconds that this thread has been on a CPU.
fn on_cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, of the release build"]
async fn a_request_costs_at_most_25_microseconds() {
    let house = House::new().await;
    let key = house.key(house.main.id, |new| new.sandbox = true).await;
    let router = api::router(house.gateway.clone(), api::Options::default());
    let text = "Your+code+is+123456.+It+is+valid+for+ten+minutes.";
    let body = format!("to=4915100000001&text={text}&from=DEMO&label=otp&foreign_id=order-1234");
    let ask = |accept: &'static str| {
        Request::post("/api/sms")
            .header("X-Api-Key", &key)
            .header("Accept", accept)
            .header("SentWith", "js")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Content-Length", body.len())
            .body(Body::from(body.clone()))
            .unwrap()
    };
    let rehearsal = || SendRequest {
        recipients: vec!["4915100000001".to_owned()],
        text: text.replace('+', " "),
        sender: Some("DEMO".to_owned()),
        label: Some(Label::parse("otp").unwrap()),
        connection: "js".to_owned(),
        ..SendRequest::default()
    };
    let account = house.gateway.account(house.main.id).await.unwrap().unwrap();
    for _ in 0..2000 {
        router.clone().oneshot(ask("*/*")).await.unwrap();
    }
    let began = on_cpu();
    for _ in 0..REQUESTS {
        house.gateway.rehearse(&account, rehearsal()).await.unwrap();
    }
    let gateway = (on_cpu() - began) / REQUESTS;
    for accept in ["*/*", "application/json"] {
        let began = on_cpu();
        for _ in 0..REQUESTS {
            let answer = router.clone().oneshot(ask(accept)).await.unwrap();
            to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        }
        let whole = (on_cpu() - began) / REQUESTS;
        let ours = whole.saturating_sub(gateway);
        println!("{accept}: {ours} ns here, {gateway} ns in the gateway's rehearsal");
        assert!(ours <= NANOSECONDS_MAX || cfg!(debug_assertions));
    }
}
