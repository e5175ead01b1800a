//! Passkeys: registering one, which takes a script, naming and removing them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::id::PasskeyId;
use gateway::passkeys::{self, LABEL_MAX, PasskeyError};
use serde_json::json;

use super::security::{FormPage, below, own_password, with_codes};
use super::{factor_refused, login_of};
use crate::error::Stop;
use crate::form::Typed;
use crate::page;
use crate::sign_in::sentence;
use crate::signed_in::Person;
use crate::{Console, flash};

async fn new_page(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    typed: &Typed,
) -> Result<FormPage, Stop> {
    let login = login_of(console, person).await?;
    let label = typed
        .field("label", "Name")
        .length_max(LABEL_MAX)
        .required()
        .first()
        .hint("So that you tell them apart: phone, laptop, blue key.");
    Ok(FormPage {
        shell: below(console, headers, person, "New passkey").await?,
        heading: "New passkey",
        lead: "Your phone, computer or security key then signs you in by fingerprint, face or PIN."
            .to_owned(),
        summary: typed.summary(),
        fields: [label].into_iter().chain(own_password(&login, typed)).collect(),
        button: "Create the passkey",
        is_danger: false,
        passkey_ask: Some("/me/passkeys/ask"),
    })
}

/// `GET /me/passkeys/new`.
pub async fn show_new(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    page::draw(&new_page(&console, &headers, &person, &Typed::default()).await?)
}

/// `POST /me/passkeys/ask`: what the browser is to make, for the script.
pub async fn ask(State(console): State<Console>, person: Person, typed: Typed) -> Result<Response, Stop> {
    match passkeys::begin(&console.gateway, &person, typed.raw("password")).await {
        Ok(asked) => {
            let options: serde_json::Value =
                serde_json::from_str(&asked.options).map_err(|_| Stop::Broken)?;
            Ok(Json(json!({ "token": asked.token, "options": options })).into_response())
        }
        Err(PasskeyError::Storage(error)) => Err(error.into()),
        Err(error) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": sentence(&error) }))).into_response())
        }
    }
}

/// `POST /me/passkeys/new`: what the authenticator made.
pub async fn register(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let (base, client) = (&console.gateway, person.client());
    let (token, answer) = (typed.text("token").to_owned(), typed.text("answer").to_owned());
    let done = passkeys::register(base, &person, &token, &answer, typed.text("label"), &client).await;
    match done {
        Ok(codes) => {
            return with_codes(&console, &headers, &person, "The passkey works from now on.", codes).await;
        }
        Err(PasskeyError::Storage(error)) => return Err(error.into()),
        Err(error @ PasskeyError::Label(_)) => typed.wrong("label", sentence(&error)),
        Err(PasskeyError::Factor(error)) => factor_refused(error, "password", &mut typed)?,
        Err(error) => typed.wrong_in_all(sentence(&error)),
    }
    page::draw_again(&new_page(&console, &headers, &person, &typed).await?)
}

/// `POST /me/passkeys/{passkey}/rename`.
pub async fn rename(
    State(console): State<Console>,
    person: Person,
    Path(id): Path<i64>,
    typed: Typed,
) -> Result<Response, Stop> {
    match passkeys::rename(&console.gateway, person.login.id, PasskeyId(id), typed.text("label")).await {
        Ok(true) => Ok(flash::done("/me/security", "The passkey has its new name.")),
        Ok(false) => Err(Stop::NotThere),
        Err(PasskeyError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed("/me/security", &sentence(&error))),
    }
}

async fn remove_page(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    id: i64,
    typed: &Typed,
) -> Result<FormPage, Stop> {
    let login = login_of(console, person).await?;
    let mut conn = console.gateway.db.read().await?;
    let all = storage::passkeys::of_login(&mut conn, login.id).await?;
    let passkey = all.into_iter().find(|one| one.id == PasskeyId(id)).ok_or(Stop::NotThere)?;
    Ok(FormPage {
        shell: below(console, headers, person, "Remove a passkey").await?,
        heading: "Remove a passkey",
        lead: format!(
            "“{}” does not sign you in any more. Other sessions end, and you are told by mail.",
            passkey.label
        ),
        summary: typed.summary(),
        fields: own_password(&login, typed).into_iter().collect(),
        button: "Remove it",
        is_danger: true,
        passkey_ask: None,
    })
}

/// `GET /me/passkeys/{passkey}/remove`.
pub async fn show_remove(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    Path(id): Path<i64>,
) -> Result<Response, Stop> {
    page::draw(&remove_page(&console, &headers, &person, id, &Typed::default()).await?)
}

/// `POST /me/passkeys/{passkey}/remove`.
pub async fn remove(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    Path(id): Path<i64>,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let password = typed.raw("password").to_owned();
    match passkeys::remove(&console.gateway, &person, PasskeyId(id), &password, &person.client()).await {
        Ok(()) => Ok(flash::done("/me/security", "The passkey is removed.")),
        Err(error) => {
            factor_refused(error, "password", &mut typed)?;
            page::draw_again(&remove_page(&console, &headers, &person, id, &typed).await?)
        }
    }
}
