//! Closing the own main account, which is its owner's word alone: what would happen, the number and the
//! password as the last word, and reopening it within the time for that.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::AccountState;
use gateway::accounts::{
    self, Blocker, CloseError, CloseOwnError, ClosePreview, REASON_MAX, Shown, StateError,
};
use gateway::second_factor::{self, FactorError};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::sign_in::sentence;
use crate::subaccounts::close::{children, list, messages};
use crate::{Console, flash, me};

#[derive(Template)]
#[template(path = "a/close.html")]
struct Close {
    shell: Shell,
    summary: Summary,
    own: String,
    back: String,
    /// What keeps it open, with where that is found.
    blockers: Vec<(String, Option<String>)>,
    /// What will happen: what, and how.
    list: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    /// Until when it can be reopened, once it is being closed.
    closing_until: Option<String>,
    /// Where it is reopened, if its owner may.
    reopen: Option<String>,
    is_locked: bool,
}

/// `GET /a/{id}/close`: what would happen, or until when it can be reopened.
pub async fn show(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    page::draw(&drawn(&console, &place, &Typed::default()).await?)
}

async fn drawn(console: &Console, place: &Place, typed: &Typed) -> Result<Close, Stop> {
    let gateway = &console.gateway;
    if place.account.parent.is_some() {
        return Err(Stop::Refused(sentence(&CloseOwnError::NotMain(place.account.id))));
    }
    let told = match accounts::close_preview(gateway, place.account.id).await {
        Ok(told) => told,
        Err(CloseError::Storage(error)) => return Err(error.into()),
        Err(error) => return Err(Stop::Refused(sentence(&error))),
    };
    let is_locked =
        storage::accounts::operator_lock(&mut *gateway.db.read().await?, place.account.id).await?;
    let is_closing = told.account.state == AccountState::Closing;
    let until = place.format().date(told.final_at).words().to_owned();
    let mut list = list(&told, place.format());
    if is_locked {
        list.push(("Suspended", "The operator has suspended it: only they could reopen it.".to_owned()));
    }
    Ok(Close {
        shell: place.shell("Close the account").under([("Settings", place.href("settings"))]),
        summary: typed.summary(),
        own: place.href("close"),
        back: place.href("settings"),
        blockers: blockers(&told, place),
        list,
        fields: fields(console, place, typed).await?,
        closing_until: is_closing.then_some(until),
        reopen: (is_closing && !is_locked).then(|| place.href("reopen")),
        is_locked,
    })
}

async fn fields(console: &Console, place: &Place, typed: &Typed) -> Result<Vec<Field>, Stop> {
    let id = place.account.id;
    let login = me::login_of(console, &place.person).await?;
    let reason = typed
        .field("reason", "Why is it closed?")
        .length_max(REASON_MAX)
        .hint("You need not say. Its members read this, and it stands in its audit log.");
    let number =
        typed.field("number", &format!("Type {id} to confirm")).keys("numeric").length_max(20).required();
    let code =
        || {
            typed.field("code", "Code").fills("one-time-code").required().hint(
                "Of your app, or a recovery code. Whoever has a passkey alone signs in again by it first.",
            )
        };
    let mut fields = vec![reason, number];
    fields.extend(me::security::own_password(&login, typed));
    fields.extend(second_factor::owes_code(&console.gateway, &place.person).then(code));
    Ok(fields)
}

fn blockers(told: &ClosePreview, place: &Place) -> Vec<(String, Option<String>)> {
    let format = place.format();
    let blocked = |blocker: &Blocker| match blocker {
        Blocker::Children { count, first } => {
            (children(*count, first, format), Some(place.href("subaccounts")))
        }
        Blocker::Messages { scheduled, under_way, refunds } => {
            (messages(*scheduled, *under_way, *refunds, format), Some(place.href("messages")))
        }
        Blocker::Owes(owed) => {
            let words = format!(
                "It owes {}. Ask the operator of this installation how to balance it.",
                format.exact(*owed)
            );
            (words, Some(place.href("credits")))
        }
    };
    told.blockers.iter().map(blocked).collect()
}

/// `POST /a/{id}/close`: begins to close it.
pub async fn close(State(console): State<Console>, place: Place, mut typed: Typed) -> Result<Response, Stop> {
    let id = place.account.id;
    let reason = typed.text("reason").to_owned();
    if reason.chars().count() > REASON_MAX {
        typed.wrong("reason", format!("Use at most {REASON_MAX} characters."));
    }
    let words = id.to_string();
    typed.read("number", |text| {
        if text == words { Ok(()) } else { Err(format!("Type {id}, the number of this account.")) }
    });
    if typed.is_right() {
        let (password, code) = (typed.raw("password").to_owned(), typed.text("code").to_owned());
        let shown = Shown { password: &password, code: &code };
        let done = accounts::close_own(
            &console.gateway,
            id,
            &place.person,
            &place.person.client(),
            shown,
            &reason,
            &place.actor(),
        )
        .await;
        match done {
            Ok(_) => {
                let words = "The account is being closed. You can reopen it for 30 days.";
                return Ok(flash::done(&place.href("close"), words));
            }
            Err(
                CloseOwnError::Storage(error)
                | CloseOwnError::Close(CloseError::Storage(error))
                | CloseOwnError::Person(FactorError::Storage(error)),
            ) => return Err(error.into()),
            Err(CloseOwnError::Person(error)) => me::factor_refused(error, "password", &mut typed)?,
            Err(error) => typed.wrong_in_all(sentence(&error)),
        }
    }
    typed.set("code", "");
    page::draw_again(&drawn(&console, &place, &typed).await?)
}

/// `POST /a/{id}/reopen`: as it was.
pub async fn reopen(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    if place.account.parent.is_some() {
        return Err(Stop::Refused(sentence(&CloseOwnError::NotMain(place.account.id))));
    }
    match accounts::reopen_own(&console.gateway, place.account.id, &place.actor()).await {
        Ok(_) => Ok(flash::done(&place.href("settings"), "The account is open again.")),
        Err(StateError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&place.href("close"), &sentence(&error))),
    }
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let typed = Typed::of([("reason", "<b>over</b>")]);
    Close {
        shell: Shell::sample("Close the account"),
        summary: typed.summary(),
        own: "/a/1/close".into(),
        back: "/a/1/settings".into(),
        blockers: vec![("2 accounts below it: <i>Bonn</i>.".into(), Some("/a/1/subaccounts".into()))],
        list: vec![("Its own credits", "€5.00 of <Nordlicht>.".into())],
        fields: vec![typed.field("reason", "Why?")],
        closing_until: None,
        reopen: None,
        is_locked: false,
    }
}
