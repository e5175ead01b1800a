//! What becomes of one account below: suspended, active again, closed.

use axum::extract::State;
use axum::response::Response;
use domain::account::AccountState;
use gateway::accounts::{self, REASON_MAX, StateError};

use super::below::Below;
use super::glance;
use crate::door::Place;
use crate::error::Stop;
use crate::form::Typed;
use crate::sign_in::sentence;
use crate::{Console, flash};

/// `POST /a/{id}/subaccounts/{child}/suspend`.
pub async fn suspend(
    State(console): State<Console>,
    place: Place,
    below: Below,
    mut typed: Typed,
) -> Result<Response, Stop> {
    if let Some(reason) = typed.words("reason", "why it is suspended; its members read it", REASON_MAX) {
        match accounts::suspend(&console.gateway, below.account.id, &reason, &below.actor()).await {
            Ok(account) => {
                let words =
                    format!("{} is suspended. It sends nothing until it is let again.", account.name());
                return Ok(flash::done(&below.href(""), &words));
            }
            Err(StateError::Storage(error)) => return Err(error.into()),
            Err(error) => typed.wrong_in_all(sentence(&error)),
        }
    }
    glance::again(&console, &place, &below, &typed).await
}

/// `POST /a/{id}/subaccounts/{child}/activate`: lets it send again, or reopens it.
pub async fn activate(State(console): State<Console>, place: Place, below: Below) -> Result<Response, Stop> {
    let was = below.account.state;
    match accounts::activate(&console.gateway, below.account.id, &below.actor()).await {
        Ok(account) => {
            let words = match was {
                AccountState::Closing => format!("{} is open again.", account.name()),
                _ => format!("{} may send again.", account.name()),
            };
            Ok(flash::done(&below.href(""), &words))
        }
        Err(StateError::Storage(error)) => Err(error.into()),
        Err(error) => {
            let mut typed = Typed::default();
            typed.wrong_in_all(sentence(&error));
            glance::again(&console, &place, &below, &typed).await
        }
    }
}
