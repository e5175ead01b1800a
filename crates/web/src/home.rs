//! The start: on to the account that was open last, or to the list of one's own.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use domain::id::AccountId;

use crate::error::Stop;
use crate::signed_in::{self, Person};
use crate::{Console, Options};

/// Which account was open last, so that `/` leads there. It decides nothing: the account of a page is
/// in its address.
const COOKIE: &str = "branchline-account";

/// `GET /`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    let last = signed_in::cookie(&headers, COOKIE).and_then(|id| id.parse().ok()).map(AccountId);
    if let Some(account) = match last {
        Some(id) => console.gateway.account(id).await?,
        None => None,
    } && person.knows(&account.path)
    {
        return Ok(Redirect::to(&format!("/a/{}", account.id)).into_response());
    }
    Ok(match person.standings.as_slice() {
        [only] => Redirect::to(&format!("/a/{}", only.account)).into_response(),
        [] if person.login.operator => Redirect::to("/operator").into_response(),
        _ => Redirect::to("/accounts").into_response(),
    })
}

/// Remembers the account of a page, when it is another than the one before.
pub(crate) fn remember(response: &mut Response, headers: &HeaderMap, options: &Options, account: AccountId) {
    let text = account.to_string();
    if signed_in::cookie(headers, COOKIE) == Some(&text) {
        return;
    }
    let secure = if options.is_https() { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={text}; Path=/; Max-Age=34560000; SameSite=Lax; HttpOnly{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
