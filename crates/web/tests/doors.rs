//! The doors in front of all pages: every row of the list is asked for from outside, from other sites
//! and by its owner.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod house;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use house::{Browser, House};
use web::{Door, Method, PAGES};

/// The path of a row for an account, with numbers that nothing has for the rest.
fn path(row: &web::Page, account: domain::id::AccountId) -> String {
    let path = row.path.replace("{id}", &account.to_string());
    let fill = |part: &str| if part.starts_with('{') { "999999".to_owned() } else { part.to_owned() };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

fn request(row: &web::Page, path: &str) -> Request<Body> {
    let method = match row.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_signing_in() {
    for database in testing::engines().await {
        let house = House::on(&database.db).await;
        for row in PAGES.iter().filter(|row| row.door != Door::Everyone) {
            let path = path(row, house.main);
            let answer = Browser::new(&house.router).ask(request(row, &path)).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
            assert!(answer.location().starts_with("/sign-in?next="), "{path}: {}", answer.location());
        }
    }
}

/// What a browser says of where a form comes from, and whether it is obeyed. The console is asked for as
/// `sms.example.com`.
#[rustfmt::skip]
const FROM: &[(&[(&str, &str)], bool)] = &[
    (&[("sec-fetch-site", "cross-site")],                                                   false),
    (&[("sec-fetch-site", "same-site")],                                                    false),
    (&[("sec-fetch-site", "cross-site"), ("origin", "http://sms.example.com")],             false),
    (&[("origin", "https://evil.example")],                                                 false),
    (&[("origin", "https://sms.example.com.evil.example")],                                 false),
    (&[("origin", "https://evil.example"), ("referer", "http://sms.example.com/me")],       false),
    (&[("origin", "null")],                                                                 false),
    (&[("referer", "https://evil.example/sms.example.com/")],                               false),
    (&[("referer", "https://sms.example.com.evil.example/")],                               false),
    (&[("referer", "about:blank")],                                                         false),
    (&[("sec-fetch-site", "same-origin")],                                                  true),
    (&[("sec-fetch-site", "none")],                                                         true),
    (&[("origin", "http://sms.example.com")],                                               true),
    (&[("origin", "http://sms.example.com"), ("referer", "https://evil.example/")],         true),
    (&[("referer", "http://sms.example.com/me")],                                           true),
    // No browser sends a form so. A program that holds a session does, and needs no other site for it.
    (&[],                                                                                   true),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_other_site_changes_anything() {
    let database = testing::sqlite().await;
    let mut house = House::on(&database.db).await;
    for row in PAGES.iter().filter(|row| row.method == Method::Post) {
        let path = path(row, house.main);
        for (headers, is_obeyed) in FROM {
            let mut request = request(row, &path);
            request.headers_mut().insert("host", "sms.example.com".parse().unwrap());
            for (name, value) in *headers {
                request.headers_mut().insert(*name, value.parse().unwrap());
            }
            // What is obeyed may end a session, so somebody else's browser asks for that.
            let mut browser = if *is_obeyed { Browser::new(&house.router) } else { house.owner.clone() };
            let answer = browser.ask(request).await;
            let is_refused = answer.status == StatusCode::FORBIDDEN && answer.text.contains("another site");
            assert_eq!(is_refused, !is_obeyed, "{path} from {headers:?}: {}", answer.status);
        }
    }
    // They are still signed in: nothing of it was obeyed.
    assert_eq!(house.owner.get("/me").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_drawn_for_its_owner_with_its_headers_and_nothing_inline() {
    for database in testing::engines().await {
        let mut house = House::on(&database.db).await;
        for row in PAGES.iter().filter(|row| row.method == Method::Get) {
            let path = path(row, house.main);
            let answer = house.owner.get(&path).await;
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
                "{path}: {policy}"
            );
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("cross-origin-opener-policy", "same-origin"),
                ("referrer-policy", "same-origin"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(answer.headers[name], value, "{path}");
            }
            assert!(!answer.status.is_server_error(), "{path}: {} {}", answer.status, answer.text);
            if !row.path.replace("{id}", "").contains('{') && row.door != Door::Everyone {
                // What is done to several says that none is chosen.
                let there = [StatusCode::OK, StatusCode::SEE_OTHER, StatusCode::CONFLICT];
                let is_there = there.contains(&answer.status);
                assert!(is_there, "{path}: {}", answer.status);
            }
            for inline in [" style=\"", "<style", " onclick=", "<script>"] {
                assert!(!answer.text.contains(inline), "{path} holds {inline}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_account_does_not_exist() {
    let database = testing::sqlite().await;
    let mut house = House::on(&database.db).await;
    for row in PAGES.iter().filter(|row| matches!(row.door, Door::Account(_))) {
        let path = path(row, domain::id::AccountId(1_999_999));
        let answer = house.owner.ask(request(row, &path)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/nothing", "/a/x/keys", "/a/99999999999999999999/keys", "/static/none.css"] {
        let answer = house.owner.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.text.contains("There is nothing here"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_for_ever_carries_its_hash() {
    let database = testing::sqlite().await;
    let mut house = House::on(&database.db).await;
    for path in [web::assets::style(), web::assets::script(), web::assets::icon()] {
        let answer = house.owner.get(path).await;
        assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
        let mut again = Request::get(path).body(Body::empty()).unwrap();
        again.headers_mut().insert("if-none-match", answer.headers["etag"].clone());
        assert_eq!(house.owner.ask(again).await.status, StatusCode::NOT_MODIFIED);
    }
}
