//! Linking the login to the provider of sign-ins, and unlinking it.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use gateway::provider::links::{self, LinkError};
use gateway::provider::{self, ProviderError};
use gateway::second_factor::FactorError;

use super::security::{FormPage, below, own_password};
use super::{factor_refused, login_of};
use crate::error::Stop;
use crate::form::{Asked, Field, Typed};
use crate::page::{self, Shell};
use crate::sign_in::{away_cookie, sentence};
use crate::signed_in::Person;
use crate::{Console, flash};

/// Where one comes back to.
pub(crate) const BACK_TO: &str = "/me/security";

/// There is no provider to link.
fn none() -> Response {
    flash::failed(BACK_TO, &sentence(&ProviderError::None))
}

async fn link_page(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    label: &str,
    typed: &Typed,
) -> Result<FormPage, Stop> {
    let login = login_of(console, person).await?;
    Ok(FormPage {
        shell: below(console, headers, person, "Link a provider").await?,
        heading: "Link a provider",
        lead: format!(
            "You sign in at {label} once. From then on it signs you in here, too, and you are told by mail."
        ),
        summary: typed.summary(),
        fields: own_password(&login, typed).into_iter().map(Field::first).collect(),
        button: "Go on",
        is_danger: false,
        passkey_ask: None,
    })
}

/// `GET /me/provider`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    let Some(label) = provider::label(&console.gateway) else { return Ok(none()) };
    page::draw(&link_page(&console, &headers, &person, label, &Typed::default()).await?)
}

/// The way to the provider: a link, because the policy lets forms lead nowhere else.
#[derive(Template)]
#[template(path = "me/provider.html")]
struct Away {
    shell: Shell,
    label: String,
    href: String,
}

/// `POST /me/provider`: it is them, and the way is open.
pub async fn begin(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let Some(label) = provider::label(&console.gateway) else { return Ok(none()) };
    match links::begin(&console.gateway, &person, typed.raw("password"), &person.client()).await {
        Ok(begun) => {
            let shell = below(&console, &headers, &person, "Link a provider").await?;
            let mut response = page::draw(&Away { shell, label: label.to_owned(), href: begun.url })?;
            response.headers_mut().append(SET_COOKIE, away_cookie(&console, &begun.token, BACK_TO)?);
            return Ok(response);
        }
        Err(error) => refused(error, &mut typed)?,
    }
    page::draw_again(&link_page(&console, &headers, &person, label, &typed).await?)
}

async fn unlink_page(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    issuer: &str,
    typed: &Typed,
) -> Result<FormPage, Stop> {
    let login = login_of(console, person).await?;
    Ok(FormPage {
        shell: below(console, headers, person, "Unlink a provider").await?,
        heading: "Unlink a provider",
        lead: format!("{issuer} signs you in no more, and you are told by mail."),
        summary: typed.summary(),
        fields: own_password(&login, typed).into_iter().map(Field::first).collect(),
        button: "Unlink",
        is_danger: true,
        passkey_ask: None,
    })
}

/// `GET /me/provider/unlink?from=...`: the form goes back to the same address.
pub async fn show_unlink(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    asked: Asked,
) -> Result<Response, Stop> {
    let issuer = asked.text("from");
    let known = provider::known_at(&console.gateway, person.login.id).await?;
    if !known.iter().any(|(known, _)| known == issuer) {
        return Ok(flash::failed(BACK_TO, &sentence(&LinkError::NotLinked)));
    }
    page::draw(&unlink_page(&console, &headers, &person, issuer, &Typed::default()).await?)
}

/// `POST /me/provider/unlink?from=...`.
pub async fn unlink(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    asked: Asked,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let issuer = asked.text("from");
    let password = typed.raw("password").to_owned();
    match links::unlink(&console.gateway, &person, issuer, &password, &person.client()).await {
        Ok(()) => return Ok(flash::done(BACK_TO, "The provider signs you in no more.")),
        Err(error) => refused(error, &mut typed)?,
    }
    page::draw_again(&unlink_page(&console, &headers, &person, issuer, &typed).await?)
}

/// Notes why it was not done.
fn refused(error: LinkError, typed: &mut Typed) -> Result<(), Stop> {
    match error {
        LinkError::Storage(error)
        | LinkError::Provider(ProviderError::Storage(error))
        | LinkError::Person(FactorError::Storage(error)) => Err(error.into()),
        LinkError::Person(error) => factor_refused(error, "password", typed),
        error => {
            typed.wrong_in_all(sentence(&error));
            Ok(())
        }
    }
}
