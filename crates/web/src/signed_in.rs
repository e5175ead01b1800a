//! Who is signed in: the cookie of a session, and the person behind it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use domain::actor::{Actor, ActorKind};
use domain::id::{AccountId, LoginId};
use domain::moment::Moment;
use domain::permission::{self, Action, Standing, Verdict};

use crate::error::Stop;
use crate::{Console, Options};

/// The value of one of the browser's cookies.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// Whether a text is a path of this console, to go back to. Anything else could lead elsewhere.
pub fn is_own_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains('\\')
        && text.len() <= 2_000
        && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Who is signed in, and what their browser says of itself.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their number.
    pub login: LoginId,
    /// Their name; may be empty.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Whether they run the installation.
    pub is_operator: bool,
    /// Where they stand.
    pub standings: Vec<Standing>,
    /// The accounts they have stepped into from above, in this browser.
    pub visits: Vec<Visit>,
    /// The address they come from.
    pub address: String,
    /// Their browser, as it calls itself.
    pub agent: String,
}

/// Being in an account from above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its number.
    pub id: i64,
    /// The account they are in.
    pub account: AccountId,
    /// The account they come from.
    pub above: AccountId,
    /// When they are led out.
    pub ends_at: Moment,
}

impl Person {
    /// The visit to an account, while there is one.
    pub fn visit_in(&self, account: AccountId) -> Option<&Visit> {
        self.visits.iter().find(|visit| visit.account == account)
    }

    /// Whether an account, by its path, exists for them at all.
    pub fn knows(&self, path: &[AccountId]) -> bool {
        permission::may(&self.standings, Action::SeeAccount, path, false) != Verdict::NotThere
    }

    /// As what they do is written down.
    pub fn actor(&self) -> Actor {
        let name = match self.name.trim() {
            "" => self.email.clone(),
            name => format!("{name} <{}>", self.email),
        };
        Actor {
            kind: ActorKind::Person,
            id: Some(self.login.0),
            name,
            above: None,
            visit: None,
            address: self.address.clone(),
            agent: self.agent.clone(),
        }
    }
}

/// The name of the cookie of a session. On TLS its prefix lets browsers take it from this very host
/// alone.
pub fn cookie_name(options: &Options) -> &'static str {
    if options.is_https() { "__Host-branchline" } else { "branchline" }
}

/// Who asks; nobody when the browser holds no session that counts.
pub(crate) async fn who(console: &Console, headers: &HeaderMap) -> Result<Option<Person>, Stop> {
    let _token = cookie(headers, cookie_name(&console.options));
    Ok(None)
}

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Person, Stop> {
        let person = parts.extensions.get::<Arc<Person>>();
        let way = || parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        person.map(|person| (**person).clone()).ok_or_else(|| Stop::SignIn(way()))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Person {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Person>, Stop> {
        Ok(parts.extensions.get::<Arc<Person>>().map(|person| (**person).clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; branchline=x=y".parse().unwrap());
        headers.append(COOKIE, "b=2".parse().unwrap());
        assert_eq!(cookie(&headers, "branchline"), Some("x=y"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "line"), None);
    }

    #[test]
    fn the_way_back_never_leads_elsewhere() {
        for own in ["/", "/a/1900001/keys?x=1"] {
            assert!(is_own_path(own), "{own}");
        }
        for not in ["", "a", "//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "/ä"] {
            assert!(!is_own_path(not), "{not}");
        }
    }
}
