//! Light, dark, or as the machine is set: a cookie, so that it counts before anybody is signed in.

use axum::http::HeaderMap;
use axum::http::header::{REFERER, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};

use crate::form::Typed;
use crate::signed_in;

const COOKIE: &str = "branchline-theme";

/// What somebody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the machine is set.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// All, in the order they are offered.
    pub const ALL: [Theme; 3] = [Theme::System, Theme::Light, Theme::Dark];

    /// The word in the cookie, the form and the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The word people read.
    pub fn words(self) -> &'static str {
        match self {
            Theme::System => "System",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        }
    }

    /// As the browser has it.
    pub fn of(headers: &HeaderMap) -> Theme {
        let word = signed_in::cookie(headers, COOKIE).unwrap_or_default();
        Theme::ALL.into_iter().find(|theme| theme.as_str() == word).unwrap_or_default()
    }
}

/// `POST /theme`: remembers a choice, and goes back to where it was made.
pub async fn choose(headers: HeaderMap, typed: Typed) -> Response {
    let word = typed.text("theme");
    let theme = Theme::ALL.into_iter().find(|theme| theme.as_str() == word).unwrap_or_default();
    let age = if theme == Theme::System { 0 } else { 400 * 86_400 };
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly", theme.as_str());
    let back = headers.get(REFERER).and_then(|r| r.to_str().ok()).and_then(path_of).unwrap_or("/");
    ([(SET_COOKIE, cookie)], Redirect::to(back)).into_response()
}

/// The path of an address, never another host's.
fn path_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let path = &rest[rest.find('/')?..];
    signed_in::is_own_path(path).then_some(path)
}
