//! A word about what was just done, shown once on the page after it. It travels in a cookie, so that
//! it needs no row anywhere and is gone when it has been shown.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::signed_in;

const COOKIE: &str = "branchline-flash";
/// What a cookie of this kind may hold, in bytes before it is encoded.
const LENGTH_MAX: usize = 1_000;

/// A word to be shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// What it is about: `good` or `bad`.
    pub tone: &'static str,
    /// A sentence.
    pub words: String,
}

/// See-other to a page that says what was done.
pub fn done(path: &str, words: &str) -> Response {
    with_word(path, "good", words)
}

/// See-other to a page that says what could not be done.
pub fn failed(path: &str, words: &str) -> Response {
    with_word(path, "bad", words)
}

fn with_word(path: &str, tone: &'static str, words: &str) -> Response {
    let mut end = words.len().min(LENGTH_MAX);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    let content = URL_SAFE_NO_PAD.encode(format!("{tone} {}", &words[..end]));
    let cookie = format!("{COOKIE}={content}; Path=/; Max-Age=60; SameSite=Lax; HttpOnly");
    ([(SET_COOKIE, cookie)], Redirect::to(path)).into_response()
}

/// What is to be shown now.
pub fn of(headers: &HeaderMap) -> Option<Flash> {
    let content = URL_SAFE_NO_PAD.decode(signed_in::cookie(headers, COOKIE)?).ok()?;
    let text = String::from_utf8(content).ok()?;
    let (tone, words) = text.split_once(' ')?;
    let tone = if tone == "bad" { "bad" } else { "good" };
    (words.len() <= LENGTH_MAX).then(|| Flash { tone, words: words.to_owned() })
}

/// Takes the cookie away once a page has shown it.
pub(crate) fn shown(response: &mut Response) {
    let gone = HeaderValue::from_static("branchline-flash=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly");
    response.headers_mut().append(SET_COOKIE, gone);
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE as SENT;

    use super::*;

    #[test]
    fn a_word_goes_there_and_back() {
        let answer = done("/a/1", "Ключ „Laden“ created <b>");
        let set = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(SENT, set.split(';').next().unwrap().parse().unwrap());
        assert_eq!(of(&headers), Some(Flash { tone: "good", words: "Ключ „Laden“ created <b>".into() }));
        headers.insert(SENT, "branchline-flash=%%%".parse().unwrap());
        assert_eq!(of(&headers), None);
    }

    #[test]
    fn a_long_word_is_cut_between_characters() {
        let answer = failed("/", &"ü".repeat(3_000));
        assert!(answer.headers()[SET_COOKIE].len() < 2_000);
    }
}
