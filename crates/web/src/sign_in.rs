//! Coming in and going out: by address and password, by what is owed after it, by a passkey, or by a
//! provider of sign-ins.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use domain::login::Step;
use gateway::passkeys::{self, PasskeyError};
use gateway::provider::links::LinkError;
use gateway::provider::{self, Back, Brought, ProviderError};
use gateway::sessions;
use gateway::sign_in::{self, Entered, SignInError};
use serde::Serialize;

use crate::Console;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::page::{self, Shell, encoded};
use crate::signed_in::{self, Browser, Owing, Person};
use crate::{assets, flash, me};

/// What is kept while somebody is at the provider of sign-ins.
const AWAY_COOKIE: &str = "branchline-away";

#[derive(Template)]
#[template(path = "sign-in/index.html")]
struct SignIn {
    shell: Shell,
    summary: Summary,
    email: Field,
    password: Field,
    next: String,
    provider: Option<String>,
    has_passkeys: bool,
    is_first_time: bool,
}

impl SignIn {
    async fn of(console: &Console, headers: &HeaderMap, typed: &Typed) -> Result<SignIn, Stop> {
        let base = &console.gateway;
        let is_first_time = !storage::logins::any(&mut *base.db.read().await?).await?;
        let has_email = !typed.text("email").is_empty();
        let email = typed.field("email", "E-mail").of_type("email").fills("username webauthn").required();
        let password = typed.password("password", "Password", "current-password").required();
        let (email, password) = if has_email { (email, password.first()) } else { (email.first(), password) };
        Ok(SignIn {
            shell: Shell::outside(console, headers, "Sign in"),
            summary: typed.summary(),
            email,
            password,
            next: next_of(typed),
            provider: provider::label(base).map(str::to_owned),
            has_passkeys: passkeys::work_here(base),
            is_first_time,
        })
    }

    fn provider_href(&self) -> String {
        format!("/sign-in/provider/begin?next={}", encoded(&self.next))
    }

    fn passkeys_script(&self) -> String {
        assets::address("passkeys.js")
    }
}

/// Where somebody goes on after signing in: a path of ours or the start.
fn next_of(typed: &Typed) -> String {
    let next = typed.text("next");
    if signed_in::is_own_path(next) && !next.starts_with("/sign-") { next.to_owned() } else { "/".to_owned() }
}

/// `GET /sign-in`: the form.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Option<Person>,
    asked: Asked,
) -> Result<Response, Stop> {
    if person.is_some() {
        return Ok(Redirect::to(&next_of(&asked)).into_response());
    }
    page::draw(&SignIn::of(&console, &headers, &asked).await?)
}

/// `POST /sign-in`: by address and password.
pub async fn enter(
    State(console): State<Console>,
    headers: HeaderMap,
    browser: Browser,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let (email, password) = (typed.text("email").to_owned(), typed.raw("password").to_owned());
    match sign_in::with_password(&console.gateway, &email, &password, &browser.client()).await {
        Ok(entered) => Ok(goes_on(&console, &entered, &next_of(&typed))),
        Err(error) => {
            refused(error, &mut typed)?;
            page::draw_again(&SignIn::of(&console, &headers, &typed).await?)
        }
    }
}

fn refused(error: SignInError, typed: &mut Typed) -> Result<(), Stop> {
    match error {
        SignInError::Wrong => {
            typed.wrong_in_all("Address and password do not fit together. Check both and try again.");
        }
        SignInError::Storage(error) => return Err(error.into()),
        other => typed.wrong_in_all(sentence(&other)),
    }
    Ok(())
}

/// An error's words as a sentence.
pub(crate) fn sentence(error: &impl std::fmt::Display) -> String {
    let words = error.to_string();
    let mut letters = words.chars();
    let Some(first) = letters.next() else { return words };
    let end = if words.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

/// Gives the browser what it is to hold, and leads on: to the second step when one is owed.
pub(crate) fn goes_on(console: &Console, entered: &Entered, next: &str) -> Response {
    let way = match entered.step {
        Step::SignedIn => next.to_owned(),
        Step::SecondFactorOwed => format!("/sign-in/second-factor?next={}", encoded(next)),
    };
    let mut response = Redirect::to(&way).into_response();
    for cookie in signed_in::cookies(&console.options, &entered.token, entered.device.as_deref()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[derive(Template)]
#[template(path = "sign-in/second-factor.html")]
struct SecondFactor {
    shell: Shell,
    summary: Summary,
    code: Field,
    next: String,
    has_app: bool,
    has_passkeys: bool,
    email: String,
}

impl SecondFactor {
    fn of(console: &Console, headers: &HeaderMap, owing: &Owing, typed: &Typed) -> SecondFactor {
        let login = &owing.0.login;
        let hint = match login.totp_at {
            Some(_) => "The six digits your app shows now, or one of your recovery codes.",
            None => "One of your recovery codes.",
        };
        let code = typed.field("code", "Code").fills("one-time-code").hint(hint).required().first();
        SecondFactor {
            shell: Shell::outside(console, headers, "Second factor"),
            summary: typed.summary(),
            code,
            next: next_of(typed),
            has_app: login.totp_at.is_some(),
            has_passkeys: login.passkeys > 0 && passkeys::work_here(&console.gateway),
            email: login.email.as_str().to_owned(),
        }
    }

    fn passkeys_script(&self) -> String {
        assets::address("passkeys.js")
    }
}

/// `GET /sign-in/second-factor`: what is owed after the password.
pub async fn second_factor(
    State(console): State<Console>,
    headers: HeaderMap,
    owing: Option<Owing>,
    asked: Asked,
) -> Result<Response, Stop> {
    let Some(owing) = owing else {
        return Ok(Redirect::to(&next_of(&asked)).into_response());
    };
    page::draw(&SecondFactor::of(&console, &headers, &owing, &asked))
}

/// `POST /sign-in/second-factor`: a code.
pub async fn show_code(
    State(console): State<Console>,
    headers: HeaderMap,
    browser: Browser,
    owing: Option<Owing>,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let Some(owing) = owing else { return Ok(ended(&next_of(&typed))) };
    let token = browser.session.clone().unwrap_or_default();
    match sign_in::with_code(&console.gateway, &token, typed.text("code"), &browser.client()).await {
        Ok(entered) => return Ok(goes_on(&console, &entered, &next_of(&typed))),
        Err(SignInError::Ended) => return Ok(ended(&next_of(&typed))),
        Err(SignInError::Wrong) => {
            typed.wrong("code", "This code does not fit. Take the one your app shows now.")
        }
        Err(error) => refused(error, &mut typed)?,
    }
    typed.set("code", "");
    page::draw_again(&SecondFactor::of(&console, &headers, &owing, &typed))
}

fn ended(next: &str) -> Response {
    flash::failed(
        &format!("/sign-in?next={}", encoded(next)),
        "The time for the second step was over. Sign in again.",
    )
}

/// What a script hands to the browser's passkeys.
#[derive(Serialize)]
struct Ceremony {
    token: String,
    options: serde_json::Value,
}

fn ceremony(asked: passkeys::Asked) -> Result<Response, Stop> {
    let options = serde_json::from_str(&asked.options).map_err(|_| Stop::Broken)?;
    Ok(Json(Ceremony { token: asked.token, options }).into_response())
}

/// `POST /sign-in/passkey/ask`: begins to ask for a passkey, of whoever owes a second factor or of
/// anybody.
pub async fn ask_passkey(
    State(console): State<Console>,
    browser: Browser,
    owing: Option<Owing>,
) -> Result<Response, Stop> {
    let asked = match &owing {
        Some(owing) => passkeys::ask_for(&console.gateway, &owing.0).await,
        None => passkeys::ask(&console.gateway, &browser.client()).await,
    };
    ceremony(asked.map_err(no_passkey)?)
}

pub(crate) fn no_passkey(error: PasskeyError) -> Stop {
    match error {
        PasskeyError::Storage(error) => error.into(),
        other => Stop::Refused(sentence(&other)),
    }
}

/// `POST /sign-in/passkey`: what the authenticator answered.
pub async fn show_passkey(
    State(console): State<Console>,
    headers: HeaderMap,
    browser: Browser,
    owing: Option<Owing>,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let (base, client) = (&console.gateway, browser.client());
    let (token, answer) = (typed.text("token").to_owned(), typed.text("answer").to_owned());
    let shown = match (&owing, &browser.session) {
        (Some(_), Some(session)) => passkeys::show(base, session, &token, &answer, &client).await,
        _ => passkeys::sign_in(base, &token, &answer, &client).await,
    };
    match shown {
        Ok(entered) => return Ok(goes_on(&console, &entered, &next_of(&typed))),
        Err(PasskeyError::Storage(error)) => return Err(error.into()),
        Err(other) => typed.wrong_in_all(sentence(&other)),
    }
    match owing {
        Some(owing) => page::draw_again(&SecondFactor::of(&console, &headers, &owing, &typed)),
        None => page::draw_again(&SignIn::of(&console, &headers, &typed).await?),
    }
}

/// `GET /sign-in/provider/begin`: on the way to the provider. A link and not a form, because the
/// policy lets forms lead nowhere else.
pub async fn to_provider(
    State(console): State<Console>,
    browser: Browser,
    asked: Asked,
) -> Result<Response, Stop> {
    match provider::begin(&console.gateway, &browser.client()).await {
        Ok(begun) => {
            let cookie = away_cookie(&console, &begun.token, &next_of(&asked))?;
            Ok(([(SET_COOKIE, cookie)], Redirect::to(&begun.url)).into_response())
        }
        Err(error) => not_by_provider(error.into(), "/sign-in"),
    }
}

/// What the browser keeps while somebody is at the provider: what they began, and where to go on. `Lax`
/// cookies come along when the provider sends the browser back by a link.
pub(crate) fn away_cookie(console: &Console, token: &str, next: &str) -> Result<HeaderValue, Stop> {
    away(console, &format!("{token}.{}", encoded(next)), 600)
}

fn away(console: &Console, kept: &str, seconds: u32) -> Result<HeaderValue, Stop> {
    let secure = if console.options.is_https() { "; Secure" } else { "" };
    let text =
        format!("{AWAY_COOKIE}={kept}; Path=/sign-in; Max-Age={seconds}; SameSite=Lax; HttpOnly{secure}");
    HeaderValue::from_str(&text).map_err(|_| Stop::Broken)
}

fn not_by_provider(error: LinkError, back_to: &str) -> Result<Response, Stop> {
    match error {
        LinkError::Storage(error) | LinkError::Provider(ProviderError::Storage(error)) => Err(error.into()),
        other => Ok(flash::failed(back_to, &sentence(&other))),
    }
}

#[derive(Template)]
#[template(path = "sign-in/confirm.html")]
struct Confirm {
    shell: Shell,
    summary: Summary,
    password: Field,
    email: String,
    token: String,
    next: String,
}

impl Confirm {
    fn of(console: &Console, headers: &HeaderMap, typed: &Typed) -> Confirm {
        Confirm {
            shell: Shell::outside(console, headers, "Confirm that it is you"),
            summary: typed.summary(),
            password: typed.password("password", "Password", "current-password").required().first(),
            email: typed.text("email").to_owned(),
            token: typed.text("token").to_owned(),
            next: next_of(typed),
        }
    }
}

/// `GET /sign-in/provider`: back from the provider.
pub async fn from_provider(
    State(console): State<Console>,
    headers: HeaderMap,
    browser: Browser,
    person: Option<Person>,
    asked: Asked,
) -> Result<Response, Stop> {
    let kept = signed_in::cookie(&headers, AWAY_COOKIE).unwrap_or_default();
    let (kept, next) = kept.split_once('.').unwrap_or((kept, "/"));
    let next = if signed_in::is_own_path(next) { next } else { "/" };
    // Who is signed in has come from linking.
    let back_to = if person.is_some() { me::provider::BACK_TO } else { "/sign-in" };
    if !asked.text("error").is_empty() {
        return not_by_provider(ProviderError::Refused.into(), back_to);
    }
    let brought = Brought { state: asked.text("state"), code: asked.text("code"), kept };
    let who = person.as_ref().map(|person| &person.signed_in);
    let mut response = match provider::finish(&console.gateway, brought, who, &browser.client()).await {
        Ok(Back::Linked) => flash::done(me::provider::BACK_TO, "The provider signs you in from now on."),
        Ok(Back::Entered(entered)) => goes_on(&console, &entered, next),
        Ok(Back::Confirm { token, email }) => {
            let typed = Typed::of([("token", &token), ("email", email.as_str()), ("next", next)]);
            page::draw(&Confirm::of(&console, &headers, &typed))?
        }
        Err(error) => not_by_provider(error, back_to)?,
    };
    response.headers_mut().append(SET_COOKIE, away(&console, "", 0)?);
    Ok(response)
}

/// `POST /sign-in/provider`: the password, once, for somebody the provider knows by their address.
pub async fn confirm_provider(
    State(console): State<Console>,
    headers: HeaderMap,
    browser: Browser,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let (token, password) = (typed.text("token").to_owned(), typed.raw("password").to_owned());
    match provider::confirm(&console.gateway, &token, &password, &browser.client()).await {
        Ok(entered) => return Ok(goes_on(&console, &entered, &next_of(&typed))),
        Err(SignInError::Wrong) => typed.wrong("password", "That is not your password here."),
        Err(error) => refused(error, &mut typed)?,
    }
    page::draw_again(&Confirm::of(&console, &headers, &typed))
}

/// `POST /sign-out`.
pub async fn leave(State(console): State<Console>, browser: Browser) -> Result<Response, Stop> {
    if let Some(token) = &browser.session {
        sessions::sign_out(&console.gateway, token).await?;
    }
    let mut response = flash::done("/sign-in", "You have signed out.");
    response.headers_mut().append(SET_COOKIE, signed_in::no_cookie(&console.options));
    Ok(response)
}
