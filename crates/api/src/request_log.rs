//! What the request log keeps of a call that somebody known has made. Most successes of a busy account
//! are only counted, and cost no more than that.

use std::net::SocketAddr;
use std::time::Instant;

use axum::http::header::CONTENT_TYPE;
use domain::id::{AccountId, KeyId};
use gateway::calls::{BYTES_MAX, cut, without_secrets};

use axum::http::{HeaderMap, Method, Uri};

use crate::Api;
use crate::origin;

/// A request, as the log needs it.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
    /// The other end of its connection.
    pub peer: Option<SocketAddr>,
    /// When it came.
    pub began: Instant,
}

/// An answer, as the log needs it.
pub struct Answered<'a> {
    /// The status.
    pub status: u16,
    /// The code of the wire.
    pub code: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// What was wrong; empty when nothing was.
    pub error: &'a str,
}

/// Keeps a call with its answer. The caller has asked [`gateway::calls::Log::wants`] before.
pub fn note(api: &Api, seen: &Seen<'_>, account: AccountId, key: KeyId, answered: &Answered<'_>) {
    let kept = storage::calls::Call {
        id: 0,
        account,
        key: Some(key),
        method: seen.method.as_str().to_owned(),
        path: cut_path(seen.uri.path()),
        status: i64::from(answered.status),
        code: answered.code.to_owned(),
        milliseconds: i64::try_from(seen.began.elapsed().as_millis()).unwrap_or(i64::MAX),
        request: request(seen),
        answer: without_secrets(&cut(answered.body)),
        error: without_secrets(answered.error),
        address: origin::address(seen.peer),
        at: api.gateway.clock.now(),
    };
    api.gateway.calls().note(&api.gateway.db, kept);
}

fn cut_path(path: &str) -> String {
    path.chars().take(200).collect()
}

/// The query, and the body on a line of its own.
fn request(seen: &Seen<'_>) -> String {
    let query = seen.uri.query().unwrap_or("");
    let content_type = seen.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_multipart = content_type.to_ascii_lowercase().contains("multipart");
    let body = match (seen.body.len(), is_multipart) {
        (0, _) => String::new(),
        (length, true) => format!("[a form of {length} bytes in several parts]"),
        _ => cut(seen.body),
    };
    let query = cut(query.as_bytes());
    let whole = match (query.is_empty(), body.is_empty()) {
        (_, true) => query,
        (true, false) => body,
        (false, false) => format!("{query}\n{body}"),
    };
    // Covered before it is cut: a secret that is cut in two looks like none.
    let covered = without_secrets(&whole);
    if covered.len() > BYTES_MAX { cut(covered.as_bytes()) } else { covered }
}
