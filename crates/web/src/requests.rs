//! The request log: what the account's programs asked, what they were answered, and why it failed.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::id::KeyId;
use domain::permission::Action;
use gateway::calls;
use storage::calls::{Call, Filter};

use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Typed};
use crate::format::Time;
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Badge, Copy, Empty, Pager};

/// Calls of a page.
const PAGE: i64 = 50;
/// The parts of the interface that can be chosen: how their paths begin, and their words.
const PARTS: [(&str, &str); 8] = [
    ("", "Everything"),
    ("/api/sms", "Sending"),
    ("/api/status", "Status"),
    ("/api/journal", "Journal"),
    ("/api/balance", "Balance"),
    ("/api/pricing", "Prices"),
    ("/api/subaccounts", "Subaccounts"),
    ("/v1", "/v1"),
];

#[derive(Template)]
#[template(path = "a/requests/index.html")]
struct Requests {
    shell: Shell,
    filters: [Field; 2],
    failed: Field,
    is_filtered: bool,
    rows: Vec<Row>,
    empty: Empty,
    pager: Pager,
    href: String,
    days: i64,
}

/// A call as it is listed.
struct Row {
    href: String,
    method: String,
    path: String,
    state: Badge,
    error: String,
    took: String,
    at: Time,
}

/// What the answer says, in a badge: HTTP's status, and the wire's code where it says more.
fn badge(call: &Call) -> Badge {
    let good = call.error.is_empty() && call.status < 400;
    let words = match call.code.as_str() {
        "" => call.status.to_string(),
        code if code == call.status.to_string() => code.to_owned(),
        code => format!("{} · {code}", call.status),
    };
    Badge::new(if good { "good" } else { "bad" }, words)
}

fn filter(asked: &Typed) -> Filter {
    Filter {
        path: Some(asked.text("part").to_owned()).filter(|path| !path.is_empty()),
        code: Some(asked.text("code").to_owned()).filter(|code| !code.is_empty()),
        failed: asked.ticked("failed"),
        ..Filter::default()
    }
}

/// `GET /a/{id}/requests`.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let filter = filter(&asked);
    let paging = Paging::of(&asked);
    let mut conn = console.gateway.db.read().await?;
    let mut all =
        storage::calls::page(&mut conn, place.account.id, &filter, paging.place(), PAGE + 1).await?;
    drop(conn);
    let has_more = all.len() as i64 > PAGE;
    all.truncate(PAGE as usize);
    let href = place.href("requests");
    let names = ["part", "code", "failed"];
    let link = names.into_iter().fold(Link::to(&href), |link, name| link.with(name, asked.text(name)));
    let format = place.format();
    let row = |call: &Call| Row {
        href: format!("{href}/{}", call.id),
        method: call.method.clone(),
        path: call.path.clone(),
        state: badge(call),
        error: call.error.clone(),
        took: format!("{} ms", call.milliseconds),
        at: format.time_exact(call.at),
    };
    let is_filtered = filter != Filter::default();
    let empty = match is_filtered {
        true => Empty::new("search", "Nothing fits", "No call of the last days is of that kind.")
            .next("Show every call", &href),
        false => Empty::new(
            "requests",
            "No calls yet",
            "Each call of your programs stands here with its request, the answer and what went wrong.",
        )
        .next("API keys", place.href("keys")),
    };
    page::draw(&Requests {
        filters: [asked.choice("part", "Part", PARTS), asked.field("code", "Code").example("900")],
        failed: asked.tick("failed", "Only what failed"),
        is_filtered,
        rows: all.iter().map(row).collect(),
        empty,
        pager: paging.pager(&link, all.last().filter(|_| has_more).map(|call| call.id)),
        days: (calls::KEPT.as_secs() / 86_400) as i64,
        shell: place.shell("Requests").wide(),
        href,
    })
}

#[derive(Template)]
#[template(path = "a/requests/one.html")]
struct One {
    shell: Shell,
    heading: String,
    state: Badge,
    error: String,
    facts: Vec<(&'static str, String)>,
    at: Time,
    request: Option<Copy>,
    answer: Option<Copy>,
    is_masked: bool,
}

/// A body as it is read: JSON in lines, all else as it came.
fn readable(label: &str, text: &str) -> Option<Copy> {
    if text.trim().is_empty() {
        return None;
    }
    let json = serde_json::from_str::<serde_json::Value>(text).ok().filter(|v| v.is_object() || v.is_array());
    let text = json.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or(text.to_owned());
    Some(Copy { label: label.to_owned(), text, is_block: true })
}

/// `GET /a/{id}/requests/{call}`. Texts and numbers are covered for those who may not read messages.
pub async fn one(
    State(console): State<Console>,
    place: Place,
    Path((_, call)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let mut conn = console.gateway.db.read().await?;
    let call = storage::calls::find(&mut conn, place.account.id, call).await?.ok_or(Stop::NotThere)?;
    let key = match call.key {
        Some(id) => storage::keys::find(&mut conn, id).await?,
        None => None,
    };
    drop(conn);
    let is_masked = !place.may(Action::SeeMessages);
    let call = if is_masked { calls::masked(&call) } else { call };
    let heading = format!("{} {}", call.method, call.path);
    let key_words = |id: KeyId| key.as_ref().map_or_else(|| format!("key {id}"), gateway::keys::named);
    page::draw(&One {
        state: badge(&call),
        facts: vec![
            ("Key", call.key.map_or_else(|| "none".to_owned(), key_words)),
            ("From", call.address.clone()),
            ("Took", format!("{} ms", call.milliseconds)),
        ],
        at: place.format().time_exact(call.at),
        request: readable("Request", &call.request),
        answer: readable("Answer", &call.answer),
        error: call.error,
        is_masked,
        shell: place.shell(&heading).under([("Requests", place.href("requests"))]),
        heading,
    })
}
