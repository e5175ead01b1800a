//! What the tests of the console share: a router on fresh books, and browsers that keep cookies.

#![allow(dead_code, clippy::unwrap_used, reason = "each test takes what it needs, and a test may unwrap")]

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use domain::account::{Account, Email};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::moment::Moment;
use domain::phone_number::Country;
use gateway::accounts::{self, NewAccount};
use gateway::{Base, Clock, Gateway, Rules};
use jiff::tz::TimeZone;
use storage::Db;
use tower::ServiceExt as _;

/// 2026-05-28, about half past eight in the evening.
pub const NOW: Moment = Moment(1_780_000_000_000_000);
/// The owner's.
pub const PASSWORD: &str = "vier Worte stehen hier";

/// A console whose main account has its owner, who also runs the installation.
pub struct House {
    pub gateway: Gateway,
    pub router: Router,
    pub owner: Browser,
    pub main: AccountId,
}

impl House {
    pub async fn on(db: &Db) -> House {
        let rules = Rules {
            default_country: Country::parse("DE").unwrap(),
            time_zone: TimeZone::UTC,
            currency: "EUR".into(),
            default_sender: "Branchline".into(),
            depth_max: 3,
            public_urls: Vec::new(),
        };
        let base = Base::new(db.clone(), Clock::standing_at(NOW), rules).await.unwrap();
        gateway::seal::begin(&base, &gateway::seal::Key::parse(&"A".repeat(43)).unwrap()).await.unwrap();
        let gateway = Gateway::start(base, Vec::new(), Vec::new()).await.unwrap();
        let router = web::router(gateway.clone(), web::Options::default());
        let link = gateway::set_up::link(&gateway).await.unwrap().unwrap();
        let mut owner = Browser::new(&router);
        let words =
            [("company", "Nordlicht"), ("name", "Eva"), ("email", "eva@example.com"), ("password", PASSWORD)];
        let answer = owner.post(&link, &words).await;
        let path = answer.location();
        let main = AccountId(path.trim_start_matches("/a/").parse().unwrap());
        House { gateway, router, owner, main }
    }

    /// An account below the main account.
    pub async fn child(&self, name: &str) -> Account {
        let new = NewAccount {
            company: Some(name.into()),
            owner: name.into(),
            email: Email::parse(&format!("{}@example.com", name.to_lowercase())).unwrap(),
            parent: Some(self.main),
            credits: Credits::ZERO,
        };
        let account = accounts::create(&self.gateway, &new, &Actor::command_line()).await.unwrap();
        self.gateway.refresh().await.unwrap();
        account
    }
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn location(&self) -> &str {
        let location = self.headers.get(LOCATION);
        location.unwrap_or_else(|| panic!("{} leads nowhere: {}", self.status, self.text)).to_str().unwrap()
    }
}

/// Somebody's browser.
#[derive(Clone)]
pub struct Browser {
    router: Router,
    cookies: Vec<(String, String)>,
}

impl Browser {
    pub fn new(router: &Router) -> Browser {
        Browser { router: router.clone(), cookies: Vec::new() }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let encoded =
            |text: &str| {
                text.bytes()
                    .map(|b| {
                        if b.is_ascii_alphanumeric() {
                            char::from(b).to_string()
                        } else {
                            format!("%{b:02X}")
                        }
                    })
                    .collect::<String>()
            };
        let pairs: Vec<String> = form.iter().map(|(n, v)| format!("{}={}", encoded(n), encoded(v))).collect();
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(pairs.join("&")))
            .unwrap();
        self.ask(request).await
    }

    /// Goes where an answer leads.
    pub async fn follow(&mut self, answer: &Answer) -> Answer {
        let path = answer.location().to_owned();
        self.get(&path).await
    }

    pub async fn ask(&mut self, mut request: Request<Body>) -> Answer {
        let held: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !held.is_empty() {
            request.headers_mut().insert(COOKIE, held.join("; ").parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        for set in response.headers().get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(held, _)| held != name);
            if !set.contains("Max-Age=0") {
                self.cookies.push((name.into(), value.into()));
            }
        }
        let (parts, body) = response.into_parts();
        // A stream of events goes on for ever; here it is enough that it begins.
        let is_stream = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let body = if is_stream { Body::empty() } else { body };
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}
