//! The first login of an installation, by the link that its start prints.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::account::Email;
use gateway::accounts::CreateError;
use gateway::logins::LoginError;
use gateway::set_up::{self, First, SetUpError};

use crate::Console;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::sign_in::{goes_on, sentence};
use crate::signed_in::Browser;

#[derive(Template)]
#[template(path = "set-up/index.html")]
struct SetUp {
    shell: Shell,
    summary: Summary,
    fields: Vec<Field>,
}

impl SetUp {
    fn of(console: &Console, headers: &HeaderMap, typed: &Typed) -> SetUp {
        let password = typed.password("password", "Password", "new-password").required();
        SetUp {
            shell: Shell::outside(console, headers, "Set up"),
            summary: typed.summary(),
            fields: vec![
                typed
                    .field("company", "Company")
                    .fills("organization")
                    .required()
                    .first()
                    .hint("The main account. Everything else is created below it."),
                typed.field("name", "Your name").fills("name").required(),
                typed.field("email", "Your e-mail").of_type("email").fills("username").required(),
                password.hint("At least 15 characters. Several words are easiest to remember."),
            ],
        }
    }
}

fn over() -> Stop {
    let why = "This link does not work any more: it was used, or its day is over. When nobody can sign in \
        yet, start the server again and follow the link it prints.";
    Stop::Refused(why.to_owned())
}

/// `GET /set-up/{token}`: the form.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response, Stop> {
    if !set_up::look(&console.gateway, &token).await? {
        return Err(over());
    }
    page::draw(&SetUp::of(&console, &headers, &Typed::default()))
}

/// `POST /set-up/{token}`: creates the login and the main account, and signs in.
pub async fn create(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(token): Path<String>,
    browser: Browser,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let company = typed.words("company", "the name of your company", 100);
    let name = typed.words("name", "your name", 100);
    let email = typed.read("email", Email::parse);
    if typed.raw("password").is_empty() {
        typed.wrong("password", "Choose a password.");
    }
    if let (Some(company), Some(name), Some(email), true) = (company, name, email, typed.is_right()) {
        let first =
            First { company, name, email, password: typed.raw("password").to_owned(), language: None };
        match set_up::set_up(&console.gateway, &token, &first, &browser.client()).await {
            Ok((entered, account)) => return Ok(goes_on(&console, &entered, &format!("/a/{}", account.id))),
            Err(SetUpError::Ended) => return Err(over()),
            Err(SetUpError::Storage(error)) => return Err(error.into()),
            Err(SetUpError::Login(error)) => login_refused(error, &mut typed)?,
            Err(SetUpError::Account(CreateError::Storage(error))) => return Err(error.into()),
            Err(SetUpError::Account(error)) => typed.wrong("company", sentence(&error)),
        }
    }
    page::draw_again(&SetUp::of(&console, &headers, &typed))
}

/// Notes what is wrong with a new login in the fields of its form.
pub(crate) fn login_refused(error: LoginError, typed: &mut Typed) -> Result<(), Stop> {
    match error {
        LoginError::Storage(error) => return Err(error.into()),
        LoginError::Name(_) => typed.wrong("name", sentence(&error)),
        LoginError::EmailTaken => typed.wrong("email", sentence(&error)),
        LoginError::Password(_) => typed.wrong("password", sentence(&error)),
        other => typed.wrong_in_all(sentence(&other)),
    }
    Ok(())
}
