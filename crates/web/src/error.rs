//! Why a page was not shown, and the page that says so: in the shell of whoever asked.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::permission::Action;

use crate::Console;
use crate::page::{self, Shell};
use crate::signed_in;

/// Why a page was not shown. What it looks like is drawn by the door, which knows who asked.
#[derive(Clone, Debug)]
pub enum Stop {
    /// There is no such thing, or not for this person.
    NotThere,
    /// The person may not do this in the account.
    Missing(Action),
    /// It is for whoever runs the installation.
    NotOperator,
    /// The person has to sign in first, and then goes on to this path.
    SignIn(String),
    /// Something that is in the way, in a sentence, with what can be done about it.
    Refused(String),
    /// Too much is asked at the moment.
    Busy,
    /// This person asks for too much at once; what, and what to do.
    TooMany(String),
    /// Something is broken. It has been logged.
    Broken,
    /// Elsewhere.
    GoTo(String),
}

impl From<storage::Error> for Stop {
    fn from(error: storage::Error) -> Stop {
        if error.retryable() {
            tracing::warn!(%error, "a page could not be drawn now");
            return Stop::Busy;
        }
        tracing::error!(%error, "a page could not be drawn");
        Stop::Broken
    }
}

impl From<askama::Error> for Stop {
    fn from(error: askama::Error) -> Stop {
        tracing::error!(%error, "a template could not be drawn");
        Stop::Broken
    }
}

/// The reason alone travels to [`crate::door`], which draws it.
impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl Stop {
    /// The status of HTTP.
    pub fn status(&self) -> StatusCode {
        match self {
            Stop::NotThere => StatusCode::NOT_FOUND,
            Stop::Missing(_) | Stop::NotOperator => StatusCode::FORBIDDEN,
            Stop::SignIn(_) | Stop::GoTo(_) => StatusCode::SEE_OTHER,
            Stop::Refused(_) => StatusCode::CONFLICT,
            Stop::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Stop::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Stop::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The page, or the way elsewhere.
    pub fn drawn(self, shell: Shell) -> Response {
        let target = match &self {
            Stop::SignIn(next) => format!("/sign-in?next={}", page::encoded(next)),
            Stop::GoTo(path) => path.clone(),
            _ => return self.page(shell),
        };
        Redirect::to(&target).into_response()
    }

    fn page(self, mut shell: Shell) -> Response {
        let status = self.status();
        shell.title = self.title().to_owned();
        let (code, heading, text) = (status.as_u16(), self.title(), self.text());
        let html = match shell.who {
            Some(_) => ErrorPage { shell, code, heading, text }.render(),
            None => ErrorOutside { shell, code, heading, text }.render(),
        };
        let mut response = match html {
            Ok(html) => (status, axum::response::Html(html)).into_response(),
            Err(error) => {
                tracing::error!(%error, "the page of an error could not be drawn");
                status.into_response()
            }
        };
        if matches!(self, Stop::Busy | Stop::TooMany(_)) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }

    fn title(&self) -> &'static str {
        match self {
            Stop::NotThere => "There is nothing here",
            Stop::Missing(_) => "You may not do this here",
            Stop::NotOperator => "This is for the operator",
            Stop::SignIn(_) | Stop::GoTo(_) => "Elsewhere",
            Stop::Refused(_) => "This cannot be done now",
            Stop::Busy => "Busy for a moment",
            Stop::TooMany(_) => "Too much at once",
            Stop::Broken => "Something broke on our side",
        }
    }

    fn text(&self) -> String {
        match self {
            Stop::NotThere => "The page does not exist, or it belongs to an account you are no member of. \
                Look at the address, or go back to where you came from."
                .to_owned(),
            Stop::Missing(action) => format!(
                "Your role in this account does not let you {}. The permission is called {}; \
                an owner or administrator can give you a role that has it.",
                action.words(),
                action.as_str()
            ),
            Stop::NotOperator => {
                "These pages are for whoever runs this installation. Your login is not one of theirs."
                    .to_owned()
            }
            Stop::Refused(reason) | Stop::TooMany(reason) => reason.clone(),
            Stop::Busy => "More is being asked of this server than it can do at once. Nothing was changed. \
                Load the page again in a few seconds."
                .to_owned(),
            Stop::SignIn(_) | Stop::GoTo(_) => String::new(),
            Stop::Broken => "It has been written to the log. If it was a change you asked for, \
                look whether it was made before you ask again."
                .to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    shell: Shell,
    code: u16,
    heading: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "error-outside.html")]
struct ErrorOutside {
    shell: Shell,
    code: u16,
    heading: &'static str,
    text: String,
}

/// What is under no path.
pub async fn nothing_here(State(console): State<Console>, mut request: Request) -> Response {
    Stop::NotThere.drawn(shell_of(&console, &mut request).await)
}

/// The shell of whoever asks for what is not there.
async fn shell_of(console: &Console, request: &mut Request) -> Shell {
    let headers = request.headers().clone();
    if let Ok(Some(person)) = signed_in::who(console, request).await
        && let Ok(shell) = Shell::of_person(console, &headers, &person).await
    {
        return shell;
    }
    Shell::outside(console, &headers, "")
}

/// A path that is there, asked for in a way that is not.
pub async fn wrong_method(State(console): State<Console>, mut request: Request) -> Response {
    let mut response = Stop::NotThere.drawn(shell_of(&console, &mut request).await);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
