//! The page behind the link of an invitation: who asks one into which account, and as what.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::member::Role;
use gateway::join::{self, JoinError};
use gateway::members::invitations::{self, AcceptError, Proof, Shown};

use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::members::words_of;
use crate::page::{self, Shell, encoded};
use crate::set_up::login_refused;
use crate::sign_in::{goes_on, sentence};
use crate::signed_in::{Browser, Person};
use crate::{Console, flash};

#[derive(Template)]
#[template(path = "invitation.html")]
struct Invited {
    shell: Shell,
    summary: Summary,
    account: String,
    inviter: String,
    email: String,
    role: Role,
    role_words: &'static str,
    reaches_below: bool,
    way: Way,
}

/// How the invitation can be accepted.
enum Way {
    /// By whoever is signed in: their address.
    AsMyself(String),
    /// By signing in with the login there is: where that leads.
    SignIn(String),
    /// By making a login.
    Join(Vec<Field>),
}

impl Invited {
    fn of(
        console: &Console,
        headers: &HeaderMap,
        token: &str,
        shown: Shown,
        person: Option<&Person>,
        typed: &Typed,
    ) -> Invited {
        let back = format!("/invitation/{token}");
        let way = match (person, shown.login) {
            (Some(person), _) => Way::AsMyself(person.login.email.as_str().to_owned()),
            (None, Some(_)) => {
                let email = encoded(shown.invitation.email.as_str());
                Way::SignIn(format!("/sign-in?next={}&email={email}", encoded(&back)))
            }
            (None, None) => Way::Join(vec![
                typed.field("name", "Your name").fills("name").required().first(),
                typed
                    .password("password", "Password", "new-password")
                    .required()
                    .hint("At least 15 characters. Several words are easiest to remember."),
            ]),
        };
        let role = shown.invitation.role;
        Invited {
            shell: Shell::outside(console, headers, "Invitation"),
            summary: typed.summary(),
            account: shown.account_name,
            inviter: shown.invitation.invited_by.clone(),
            email: shown.invitation.email.as_str().to_owned(),
            role,
            role_words: words_of(role),
            reaches_below: shown.invitation.includes_subaccounts || role.reaches_down(),
            way,
        }
    }
}

fn not_accepted(error: AcceptError) -> Stop {
    match error {
        AcceptError::Storage(error) => error.into(),
        other => Stop::Refused(sentence(&other)),
    }
}

/// `GET /invitation/{token}`: what one is invited to.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(token): Path<String>,
    person: Option<Person>,
) -> Result<Response, Stop> {
    let shown = invitations::behind(&console.gateway, &token).await.map_err(not_accepted)?;
    page::draw(&Invited::of(&console, &headers, &token, shown, person.as_ref(), &Typed::default()))
}

/// `POST /invitation/{token}`: accepts it, as whoever is signed in or with a new login.
pub async fn accept(
    State(console): State<Console>,
    headers: HeaderMap,
    Path(token): Path<String>,
    person: Option<Person>,
    browser: Browser,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let base = &console.gateway;
    if let Some(person) = &person {
        let accepted = invitations::accept(base, Proof::Link(&token), person.login.id, &person.actor()).await;
        let member = accepted.map_err(not_accepted)?;
        return Ok(flash::done(&format!("/a/{}", member.account), "You are a member now."));
    }
    let (name, password) = (typed.text("name").to_owned(), typed.raw("password").to_owned());
    match join::by_invitation(base, &token, &name, &password, &browser.client()).await {
        Ok((entered, member)) => return Ok(goes_on(&console, &entered, &format!("/a/{}", member.account))),
        Err(JoinError::Invitation(error)) => return Err(not_accepted(error)),
        Err(JoinError::Storage(error)) => return Err(error.into()),
        Err(JoinError::Login(error)) => login_refused(error, &mut typed)?,
        Err(error @ JoinError::HasLogin) => typed.wrong_in_all(sentence(&error)),
    }
    let shown = invitations::behind(base, &token).await.map_err(not_accepted)?;
    page::draw_again(&Invited::of(&console, &headers, &token, shown, None, &typed))
}
