//! The person: their name, their language and their address; the rest in the files of `me/`.

pub mod passkeys;
pub mod provider;
pub mod security;
pub mod sessions;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::account::Email;
use domain::login::Login;
use gateway::address_change::{self, AddressError};
use gateway::logins::{self, LoginError, NAME_MAX};
use gateway::second_factor::FactorError;

use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::parts::Tabs;
use crate::sign_in::sentence;
use crate::signed_in::{Browser, Person};
use crate::{Console, flash};

/// The languages mails are written in.
const LANGUAGES: [(&str, &str); 3] = [("", "As the account has it"), ("en", "English"), ("de", "Deutsch")];

/// The pages of a person, with the open one marked.
pub(crate) fn tabs(open: &str) -> Tabs {
    let tabs = [("Profile", "/me"), ("Security", "/me/security"), ("Sessions", "/me/sessions")];
    let tab = |(words, href): (&str, &str)| (words.to_owned(), href.to_owned(), href == open);
    Tabs { label: "You".to_owned(), tabs: tabs.map(tab).to_vec() }
}

/// Reads who is shown the page, as they are in the books now: what was just changed is seen at once.
pub(crate) async fn login_of(console: &Console, person: &Person) -> Result<Login, Stop> {
    let mut conn = console.gateway.db.read().await?;
    storage::logins::find(&mut conn, person.login.id).await?.ok_or(Stop::NotThere)
}

/// Notes why something was not proven to be them.
pub(crate) fn factor_refused(error: FactorError, field: &str, typed: &mut Typed) -> Result<(), Stop> {
    match error {
        FactorError::Storage(error) => return Err(error.into()),
        FactorError::Password | FactorError::PasswordTooShort => typed.wrong(field, sentence(&error)),
        FactorError::Code | FactorError::CodeMissing => typed.wrong("code", sentence(&error)),
        other => typed.wrong_in_all(sentence(&other)),
    }
    Ok(())
}

#[derive(Template)]
#[template(path = "me/index.html")]
struct Profile {
    shell: Shell,
    tabs: Tabs,
    summary: Summary,
    name: Field,
    language: Field,
    email: String,
    address: Field,
    password: Field,
    has_password: bool,
    is_changing: bool,
}

impl Profile {
    async fn of(
        console: &Console,
        headers: &HeaderMap,
        person: &Person,
        typed: &Typed,
    ) -> Result<Profile, Stop> {
        let login = login_of(console, person).await?;
        let usual =
            Typed::of([("name", &login.name), ("language", login.language.as_deref().unwrap_or_default())]);
        // One page, two forms: what was typed into the other one leaves this one as it is.
        let profile = if typed.has("name") { typed } else { &usual };
        Ok(Profile {
            shell: Shell::of_person(console, headers, person).await?.titled("Your profile"),
            tabs: tabs("/me"),
            summary: typed.summary(),
            name: profile
                .field("name", "Name")
                .fills("name")
                .required()
                .length_max(NAME_MAX)
                .hint("As members and audit logs show you."),
            language: profile.choice("language", "Language of mails to you", LANGUAGES),
            email: login.email.as_str().to_owned(),
            address: typed.field("address", "New e-mail").of_type("email").fills("email").required(),
            password: typed.password("password", "Your password", "current-password").required(),
            has_password: login.password_at.is_some(),
            is_changing: typed.has("address"),
        })
    }
}

/// `GET /me`: the profile.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    page::draw(&Profile::of(&console, &headers, &person, &Typed::default()).await?)
}

/// `POST /me`: changes it.
pub async fn change(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let name = typed.text("name").to_owned();
    let language = LANGUAGES.iter().map(|(code, _)| *code).find(|code| *code == typed.text("language"));
    let language = language.filter(|code| !code.is_empty());
    match logins::set_profile(&console.gateway, person.login.id, &name, language).await {
        Ok(()) => return Ok(flash::done("/me", "Your profile is saved.")),
        Err(LoginError::Storage(error)) => return Err(error.into()),
        Err(error) => typed.wrong("name", sentence(&error)),
    }
    page::draw_again(&Profile::of(&console, &headers, &person, &typed).await?)
}

/// `POST /me/address`: mails a link to a new address.
pub async fn ask_address(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    mut typed: Typed,
) -> Result<Response, Stop> {
    if let Some(new) = typed.read("address", Email::parse) {
        let password = typed.raw("password").to_owned();
        match address_change::ask(&console.gateway, &person, &password, &new, &person.client()).await {
            Ok(()) => {
                let words = format!(
                    "A link is on its way to {}. Your address changes when you follow it.",
                    new.as_str()
                );
                return Ok(flash::done("/me", &words));
            }
            Err(AddressError::Person(error)) => factor_refused(error, "password", &mut typed)?,
            Err(AddressError::Storage(error)) => return Err(error.into()),
            Err(error) => typed.wrong("address", sentence(&error)),
        }
    }
    page::draw_again(&Profile::of(&console, &headers, &person, &typed).await?)
}

#[derive(Template)]
#[template(path = "me/address.html")]
struct Address {
    shell: Shell,
    old: String,
    new: String,
}

fn over() -> Stop {
    let why = "This link does not work any more: it was used, or its time is over. Ask for a new one in your profile.";
    Stop::Refused(why.to_owned())
}

/// `GET /me/address/{token}`: the link that was mailed, in whatever browser it is opened.
pub async fn show_address(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response, Stop> {
    let (login, new) = address_change::look(&console.gateway, &token).await?.ok_or_else(over)?;
    page::draw(&Address {
        shell: Shell::outside(&console, &headers, "Your new address"),
        old: login.email.as_str().to_owned(),
        new: new.as_str().to_owned(),
    })
}

/// `POST /me/address/{token}`: the new address counts.
pub async fn change_address(
    State(console): State<Console>,
    Path(token): Path<String>,
    person: Option<Person>,
    browser: Browser,
) -> Result<Response, Stop> {
    match address_change::confirm(&console.gateway, &token, &browser.client()).await {
        Ok(login) => {
            let words = format!("From now on you sign in with {}.", login.email.as_str());
            Ok(flash::done(if person.is_some() { "/me" } else { "/sign-in" }, &words))
        }
        Err(AddressError::Storage(error)) => Err(error.into()),
        Err(_) => Err(over()),
    }
}
