//! A new password for somebody who has lost theirs, by a link that is mailed to them.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use gateway::password_reset::{self, ResetError};

use crate::Console;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::sign_in::{goes_on, sentence};
use crate::signed_in::Browser;

#[derive(Template)]
#[template(path = "reset/index.html")]
struct Ask {
    shell: Shell,
    summary: Summary,
    email: Field,
    is_sent: bool,
    address: String,
}

impl Ask {
    fn of(console: &Console, headers: &HeaderMap, typed: &Typed, is_sent: bool) -> Ask {
        Ask {
            shell: Shell::outside(console, headers, "Forgot the password"),
            summary: typed.summary(),
            email: typed.field("email", "E-mail").of_type("email").fills("username").required().first(),
            is_sent,
            address: typed.text("email").to_owned(),
        }
    }
}

/// `GET /reset`: asks for the address.
pub async fn ask(State(console): State<Console>, headers: HeaderMap, asked: Asked) -> Result<Response, Stop> {
    page::draw(&Ask::of(&console, &headers, &asked, false))
}

/// `POST /reset`: mails a link, if anybody has the address. The answer is the same when nobody does.
pub async fn send(
    State(console): State<Console>,
    headers: HeaderMap,
    browser: Browser,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let email = typed.text("email").to_owned();
    match password_reset::ask(&console.gateway, &email, &browser.client()).await {
        Ok(()) => return page::draw(&Ask::of(&console, &headers, &typed, true)),
        Err(ResetError::Storage(error)) => return Err(error.into()),
        Err(error) => typed.wrong_in_all(sentence(&error)),
    }
    page::draw_again(&Ask::of(&console, &headers, &typed, false))
}

#[derive(Template)]
#[template(path = "reset/choose.html")]
struct Choose {
    shell: Shell,
    summary: Summary,
    password: Field,
    email: String,
}

impl Choose {
    fn of(console: &Console, headers: &HeaderMap, login: &domain::login::Login, typed: &Typed) -> Choose {
        let least = if login.has_second_factor() { 8 } else { 15 };
        let hint = format!("At least {least} characters. Several words are easiest to remember.");
        Choose {
            shell: Shell::outside(console, headers, "Choose a new password"),
            summary: typed.summary(),
            password: typed
                .password("password", "New password", "new-password")
                .required()
                .first()
                .hint(hint),
            email: login.email.as_str().to_owned(),
        }
    }
}

fn over() -> Stop {
    Stop::Refused(
        "This link does not work any more: it was used, or its time is over. Ask for a new one.".to_owned(),
    )
}

/// `GET /reset/{token}`: asks for the new password.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response, Stop> {
    let login = password_reset::look(&console.gateway, &token).await?.ok_or_else(over)?;
    page::draw(&Choose::of(&console, &headers, &login, &Typed::default()))
}

/// `POST /reset/{token}`: sets it, and signs in.
pub async fn choose(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(token): Path<String>,
    browser: Browser,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let new = typed.raw("password").to_owned();
    match password_reset::choose(&console.gateway, &token, &new, &browser.client()).await {
        Ok(entered) => return Ok(goes_on(&console, &entered, "/")),
        Err(ResetError::Ended) => return Err(over()),
        Err(ResetError::Storage(error)) => return Err(error.into()),
        Err(ResetError::Password(error)) => typed.wrong("password", sentence(&error)),
        Err(error) => typed.wrong_in_all(sentence(&error)),
    }
    let login = password_reset::look(&console.gateway, &token).await?.ok_or_else(over)?;
    page::draw_again(&Choose::of(&console, &headers, &login, &typed))
}
