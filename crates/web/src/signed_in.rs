//! Who is signed in: the cookie of a session, the browser it came from, and the person behind it.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts, Request};
use axum::http::header::{ACCEPT, COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use domain::actor::{Actor, ActorKind};
use domain::id::AccountId;
use domain::login::Step;
use domain::permission::{self, Action, Verdict};
use gateway::people::DEVICE_KEPT;
use gateway::sessions::{self, SignedIn};
use gateway::sign_in::Client;

use crate::error::Stop;
use crate::{Console, Options};

/// By what a browser is known that somebody has signed in with before.
const DEVICE_COOKIE: &str = "branchline-device";

/// What the script writes over what it asks by itself, to draw a part of a page anew: that is no use of
/// the session.
const BY_ITSELF: &str = "x-by-itself";

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

/// The name of the cookie of a session. On TLS its prefix lets browsers take it from this very host
/// alone.
pub fn cookie_name(options: &Options) -> &'static str {
    if options.is_https() { "__Host-branchline" } else { "branchline" }
}

/// What a browser is given when somebody comes in: the session, gone when the browser is closed, and
/// by what it is known the next time.
pub(crate) fn cookies(options: &Options, token: &str, device: Option<&str>) -> Vec<HeaderValue> {
    let secure = if options.is_https() { "; Secure" } else { "" };
    let name = cookie_name(options);
    let session = format!("{name}={token}; Path=/; SameSite=Lax; HttpOnly{secure}");
    let device = device.map(|device| {
        let age = DEVICE_KEPT.as_secs();
        format!("{DEVICE_COOKIE}={device}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly{secure}")
    });
    [Some(session), device]
        .into_iter()
        .flatten()
        .filter_map(|text| HeaderValue::from_str(&text).ok())
        .collect()
}

/// Takes the session away from a browser.
pub(crate) fn no_cookie(options: &Options) -> HeaderValue {
    HeaderValue::from_static(match options.is_https() {
        true => "__Host-branchline=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly; Secure",
        false => "branchline=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly",
    })
}

/// What a browser says of itself, and what it holds.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// The address it comes from.
    pub address: String,
    /// As it calls itself.
    pub agent: String,
    /// The token of its session.
    pub session: Option<String>,
    device: Option<String>,
}

impl Browser {
    fn of(console: &Console, request: &Request) -> Browser {
        let headers = request.headers();
        let held = |name: &str| cookie(headers, name).map(str::to_owned);
        // The server has found out whom a reverse proxy stands for.
        let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let agent = headers.get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        Browser {
            address: client.map(|client| client.0.ip().to_canonical().to_string()).unwrap_or_default(),
            agent: agent.map(|agent| agent.into_owned()).unwrap_or_default(),
            session: held(cookie_name(&console.options)),
            device: held(DEVICE_COOKIE),
        }
    }

    /// As the gateway knows it.
    pub fn client(&self) -> Client<'_> {
        Client {
            address: &self.address,
            agent: &self.agent,
            device: self.device.as_deref(),
            session: self.session.as_deref(),
        }
    }
}

/// Who is signed in, all the way.
#[derive(Clone, Debug)]
pub struct Person {
    /// As the gateway knows them.
    pub signed_in: SignedIn,
    /// What they came by.
    pub browser: Browser,
}

impl Deref for Person {
    type Target = SignedIn;
    fn deref(&self) -> &SignedIn {
        &self.signed_in
    }
}

impl Person {
    /// Whether an account, by its path, exists for them at all.
    pub fn knows(&self, path: &[AccountId]) -> bool {
        permission::may(&self.standings, Action::SeeAccount, path, false) != Verdict::NotThere
    }

    /// As what they do is written down.
    pub fn actor(&self) -> Actor {
        self.signed_in.actor(&self.browser.address, &self.browser.agent)
    }

    /// As what they do for the installation is written down. Only behind [`crate::Door::Operator`].
    pub fn operator(&self) -> Actor {
        Actor { kind: ActorKind::Operator, ..self.actor() }
    }

    /// As the gateway knows their browser.
    pub fn client(&self) -> Client<'_> {
        self.browser.client()
    }
}

/// Somebody whose password was right and who owes a second factor. They may see nothing yet.
#[derive(Clone, Debug)]
pub struct Owing(pub SignedIn);

/// Who asks: nobody, when the browser holds no session that counts.
pub(crate) async fn who(console: &Console, request: &mut Request) -> Result<Option<Arc<Person>>, Stop> {
    let browser = Browser::of(console, request);
    request.extensions_mut().insert(browser.clone());
    let Some(token) = &browser.session else { return Ok(None) };
    let (base, now) = (&console.gateway, console.gateway.clock.now());
    // A stream is opened, and opened again, by the page and not by the person.
    let accepts = request.headers().get(ACCEPT).map_or(&b""[..], |value| value.as_bytes());
    let by_itself = request.headers().contains_key(BY_ITSELF) || accepts == b"text/event-stream";
    let signed_in = match by_itself {
        true => sessions::of_page(base, token, now).await?,
        false => sessions::of(base, token, now).await?,
    };
    let Some(signed_in) = signed_in else { return Ok(None) };
    if signed_in.step == Step::SecondFactorOwed {
        request.extensions_mut().insert(Owing(signed_in));
        return Ok(None);
    }
    let person = Arc::new(Person { signed_in, browser });
    request.extensions_mut().insert(person.clone());
    Ok(Some(person))
}

fn own_path(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()
}

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Person, Stop> {
        let person = parts.extensions.get::<Arc<Person>>();
        person.map(|person| (**person).clone()).ok_or_else(|| Stop::SignIn(own_path(parts)))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Person {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Person>, Stop> {
        Ok(parts.extensions.get::<Arc<Person>>().map(|person| (**person).clone()))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Owing {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Owing>, Stop> {
        Ok(parts.extensions.get::<Owing>().cloned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Browser {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Browser, Stop> {
        // The door puts it there for every page.
        parts.extensions.get::<Browser>().cloned().ok_or(Stop::Broken)
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

    #[test]
    fn on_tls_the_cookie_is_secure_and_of_this_host_alone() {
        let options = Options { public_urls: vec!["https://sms.example.com".into()] };
        let set = cookies(&options, "token", None)[0].to_str().unwrap().to_owned();
        assert!(set.starts_with("__Host-branchline=token; Path=/;") && set.ends_with("Secure"), "{set}");
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"));
        let set = cookies(&Options::default(), "token", Some("d")).len();
        assert_eq!(set, 2);
    }
}
