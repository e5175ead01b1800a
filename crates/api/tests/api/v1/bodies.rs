//! Bodies that cannot be read, and paths that are not there.

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_object_is_refused() {
    let house = House::with_options(api::Options { body_max: 2000, ..api::Options::default() }).await;
    let key = house.key(house.main.id, |_| {}).await;
    let long = format!("{{\"reference\":\"{}\"}}", "x".repeat(2000));
    #[rustfmt::skip]
    let cases = [
        ("application/json",                  "{",        400, "malformed"),
        ("application/json",                  "{} {}",    422, "validation"),
        ("application/json",                  "[]",       422, "validation"),
        ("application/json; charset=utf-8",   "null",     422, "validation"),
        ("application/merge-patch+json",      "{}",       422, "validation"),
        ("text/plain",                        "{}",       415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", "to=1",     415, "unsupported_media_type"),
        ("application/json",                  &long,      413, "body_too_large"),
    ];
    for (media, body, status, code) in cases {
        house.v1(&key, "POST", "/v1/transfers").body(media, body).send().await.problem(status, code);
    }
    house.v1(&key, "POST", "/v1/transfers").send().await.problem(415, "unsupported_media_type");
    let packed = house
        .v1(&key, "POST", "/v1/transfers")
        .header("Content-Encoding", "gzip")
        .body("application/json", "x");
    packed.send().await.problem(415, "unsupported_media_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_problem_too() {
    let house = House::new().await;
    for target in ["/v1", "/v1/", "/v1/nothing", "/v1/keys/", "/v1/keys/1/2"] {
        house.v1(&house.key, "GET", target).send().await.problem(404, "not_found");
    }
    let answer = house.v1(&house.key, "PATCH", "/v1/transfers").send().await;
    answer.problem(405, "method_not_allowed");
    let allowed = answer.header("allow").unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    assert_eq!(house.v1(&house.key, "HEAD", "/v1/me").send().await.status, 200);
    let unknown = house.v1(&house.key, "GET", "/v1/me").header("X-Account-Id", "x").send().await;
    unknown.wrong_field("X-Account-Id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_from_headers_alone() {
    let house = House::new().await;
    let bearer = house.bare("GET", "/v1/me").header("Authorization", &format!("Bearer {}", house.key));
    assert_eq!(bearer.send().await.status, 200);
    let answer = house.bare("GET", format!("/v1/me?p={}", house.key)).send().await;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    answer.problem(401, "unauthenticated");
    let twice = house.bare("GET", "/v1/me").header("X-Api-Key", &house.key).header("X-Api-Key", "other");
    twice.send().await.problem(401, "unauthenticated");
}
