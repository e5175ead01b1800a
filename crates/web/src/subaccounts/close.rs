//! Closing one account below: first what would happen, then the number typed as the last word.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::Account;
use domain::credits::Credits;
use gateway::accounts::{self, Blocker, CloseError, ClosePreview, REASON_MAX, When};

use super::below::{Below, Head};
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::format::Format;
use crate::page::{self, Shell};
use crate::sign_in::sentence;
use crate::{Console, flash};

#[derive(Template)]
#[template(path = "a/subaccounts/close.html")]
struct Close {
    shell: Shell,
    head: Head,
    summary: Summary,
    own: String,
    back: String,
    /// What keeps it open, with where that is found.
    blockers: Vec<(String, Option<String>)>,
    /// What will happen: what, and how.
    list: Vec<(&'static str, String)>,
    fields: Vec<Field>,
}

/// `GET /a/{id}/subaccounts/{child}/close`: what would happen.
pub async fn show(State(console): State<Console>, place: Place, below: Below) -> Result<Response, Stop> {
    page::draw(&drawn(&console, &place, &below, &Typed::default()).await?)
}

async fn drawn(console: &Console, place: &Place, below: &Below, typed: &Typed) -> Result<Close, Stop> {
    let told = match accounts::close_preview(&console.gateway, below.account.id).await {
        Ok(told) => told,
        Err(CloseError::Storage(error)) => return Err(error.into()),
        Err(error) => return Err(Stop::Refused(sentence(&error))),
    };
    let id = below.account.id;
    Ok(Close {
        shell: below.shell("Close"),
        head: below.head("close"),
        summary: typed.summary(),
        own: below.href("close"),
        back: below.href(""),
        blockers: told.blockers.iter().map(|blocker| blocked(blocker, below, place.format())).collect(),
        list: list(&told, place.format()),
        fields: vec![
            typed
                .field("reason", "Why is it closed?")
                .length_max(REASON_MAX)
                .required()
                .hint("Its members read this, and it stands in its audit log."),
            typed.field("number", &format!("Type {id} to confirm")).keys("numeric").length_max(20).required(),
        ],
    })
}

fn blocked(blocker: &Blocker, below: &Below, format: &Format) -> (String, Option<String>) {
    match blocker {
        Blocker::Children { count, first } => {
            let words = children(*count, first, format);
            (words, Some(format!("/a/{}/subaccounts", below.account.id)))
        }
        Blocker::Messages { scheduled, under_way, refunds } => {
            (messages(*scheduled, *under_way, *refunds, format), None)
        }
        Blocker::Owes(owed) => {
            let words =
                format!("It owes {}. Hand out as much, so that its wallet is balanced.", format.exact(*owed));
            (words, Some(below.href("credits")))
        }
    }
}

/// That accounts below are open.
pub(crate) fn children(count: usize, first: &[Account], format: &Format) -> String {
    let names: Vec<&str> = first.iter().take(3).map(|account| account.name()).collect();
    let more = if count > names.len() { " and others" } else { "" };
    let count = format.many(i64::try_from(count).unwrap_or(i64::MAX), "account", "accounts");
    format!("{count} below it must be closed first: {}{more}.", names.join(", "))
}

/// That messages are not at their end.
pub(crate) fn messages(scheduled: i64, under_way: i64, refunds: i64, format: &Format) -> String {
    let parts = [
        (scheduled, "message is scheduled: cancel it", "messages are scheduled: cancel them"),
        (
            under_way,
            "message is under way: it ends by itself",
            "messages are under way: they end by themselves",
        ),
        (refunds, "refund waits for an account above", "refunds wait for an account above"),
    ];
    let parts = parts.iter().filter(|(count, ..)| *count > 0);
    let words: Vec<String> = parts.map(|(count, one, many)| format.many(*count, one, many)).collect();
    format!("{}.", words.join("; "))
}

/// What closing an account does: what, and how.
pub(crate) fn list(told: &ClosePreview, format: &Format) -> Vec<(&'static str, String)> {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut list = vec![("Sending", "It sends nothing any more, from this moment on.".to_owned())];
    for back in &told.back {
        list.push((
            "Credits back",
            format!("{} go back to {}, which handed them out.", format.exact(back.amount), back.name),
        ));
    }
    if told.own > Credits::ZERO {
        list.push((
            "Its own credits",
            format!("{} are its own and are owed to whoever paid them.", format.exact(told.own)),
        ));
    }
    if told.free > Credits::ZERO {
        list.push(("Free credits", format!("{} end.", format.exact(told.free))));
    }
    if told.auto_transfer {
        list.push(("Automatic transfer", "No more credits come by themselves.".to_owned()));
    }
    if !told.members.is_empty() {
        let names: Vec<&str> = told.members.iter().take(3).map(|line| line.email.as_str()).collect();
        let more = if told.members.len() > 3 { " and others" } else { "" };
        let members = format.many(count(told.members.len()), "member loses", "members lose");
        list.push((
            "Members",
            format!("{members} access in the end: {}{more}. They are told by mail.", names.join(", ")),
        ));
    }
    if !told.invitations.is_empty() {
        let waiting = format.many(count(told.invitations.len()), "invitation is", "invitations are");
        list.push(("Invitations", format!("{waiting} taken back.")));
    }
    if !told.keys.is_empty() {
        let keys = format.many(count(told.keys.len()), "API key stops", "API keys stop");
        list.push(("API keys", format!("{keys} sending.")));
    }
    list.push((
        "Until then",
        format!(
            "It can be reopened as it is until {}. After that it is final, its credits move, and its address is free again. Its books and its audit log stay.",
            format.date(told.final_at).words()
        ),
    ));
    list
}

/// `POST /a/{id}/subaccounts/{child}/close`: begins to close it.
pub async fn close(
    State(console): State<Console>,
    place: Place,
    below: Below,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let reason = typed.words("reason", "why it is closed; its members read it", REASON_MAX);
    let id = below.account.id.to_string();
    let confirmed = typed.read("number", |text| {
        if text == id { Ok(()) } else { Err(format!("Type {id}, the number of this account.")) }
    });
    if let (Some(reason), Some(())) = (reason, confirmed) {
        match accounts::close(&console.gateway, below.account.id, When::Later, &reason, &below.actor()).await
        {
            Ok(account) => {
                let words = format!("{} is being closed. It can be reopened for 30 days.", account.name());
                return Ok(flash::done(&below.href(""), &words));
            }
            Err(CloseError::Storage(error)) => return Err(error.into()),
            Err(error) => typed.wrong_in_all(sentence(&error)),
        }
    }
    page::draw_again(&drawn(&console, &place, &below, &typed).await?)
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let typed = Typed::of([("reason", "<b>Köln</b>")]);
    Close {
        shell: Shell::sample("Close"),
        head: Head::sample("close"),
        summary: typed.summary(),
        own: "/a/1/subaccounts/2/close".into(),
        back: "/a/1/subaccounts/2".into(),
        blockers: vec![("2 accounts below it: <i>Bonn</i>.".into(), Some("/a/2/subaccounts".into()))],
        list: vec![("Credits back", "€5.00 go back to <Nordlicht>.".into())],
        fields: vec![typed.field("reason", "Why?"), typed.field("number", "Type 1900002")],
    }
}
