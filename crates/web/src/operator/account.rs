//! One account, as the operator sees it: what it is, and suspending it, which nobody in its tree lifts.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::account::{Account, AccountState};
use domain::id::AccountId;
use gateway::accounts::{self, REASON_MAX, StateError};

use super::{shell, tabs};
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::parts::{Badge, Tabs};
use crate::sign_in::sentence;
use crate::signed_in::Person;
use crate::{Console, flash};

/// How many accounts below are shown.
const CHILDREN: usize = 100;

#[derive(Template)]
#[template(path = "operator/account.html")]
struct One {
    shell: Shell,
    tabs: Tabs,
    summary: Summary,
    own: String,
    name: String,
    state: Badge,
    facts: Vec<(&'static str, String)>,
    is_locked: bool,
    /// The reason, where it can be suspended, or suspended by the operator on top.
    suspend: Option<Field>,
    activate: Option<&'static str>,
    above: Vec<(AccountId, String)>,
    below: Vec<(AccountId, String, Badge)>,
    more_below: bool,
}

fn own(id: AccountId) -> String {
    format!("/operator/trees/{id}")
}

async fn account(console: &Console, id: i64) -> Result<Account, Stop> {
    let mut conn = console.gateway.db.read().await?;
    storage::accounts::find(&mut conn, AccountId(id)).await?.ok_or(Stop::NotThere)
}

async fn drawn(
    console: &Console,
    headers: &HeaderMap,
    person: &Person,
    account: &Account,
    typed: &Typed,
) -> Result<One, Stop> {
    let mut shell = shell(console, headers, person, account.name()).await?;
    shell = shell.under([("Accounts", "/operator/trees".to_owned())]);
    let path = console.gateway.path(account).await?;
    let mut conn = console.gateway.db.read().await?;
    let is_locked = storage::accounts::operator_lock(&mut conn, account.id).await?;
    let mut below = storage::accounts::first_children(&mut conn, account.id, CHILDREN as i64 + 1).await?;
    let since = storage::accounts::state_since(&mut conn, account.id).await?;
    drop(conn);
    let more_below = below.len() > CHILDREN;
    below.truncate(CHILDREN);
    let mut facts = vec![
        ("Number", account.id.to_string()),
        ("Owner", account.owner.clone()),
        ("E-mail", account.email.as_str().to_owned()),
        ("Created", shell.format.date(account.created_at).words().to_owned()),
    ];
    if account.state != AccountState::Active {
        facts.extend(since.map(|at| ("Since", shell.format.time(at).words().to_owned())));
        facts.extend(account.state_reason.clone().map(|reason| ("By whom, and why", reason)));
    }
    let may_suspend = match account.state {
        AccountState::Active => true,
        AccountState::Suspended => !is_locked,
        _ => false,
    };
    let reason = || {
        typed
            .field("reason", "Why is it suspended?")
            .length_max(REASON_MAX)
            .required()
            .hint("Its members read this. Nobody in its tree can lift it.")
    };
    Ok(One {
        tabs: tabs("/operator/trees"),
        summary: typed.summary(),
        own: own(account.id),
        name: account.name().to_owned(),
        state: account.state.into(),
        facts,
        is_locked,
        suspend: may_suspend.then(reason),
        activate: match account.state {
            AccountState::Suspended => Some("Let it send again"),
            AccountState::Closing => Some("Reopen it"),
            _ => None,
        },
        above: path
            .iter()
            .filter(|above| above.id != account.id)
            .map(|above| (above.id, above.name().to_owned()))
            .collect(),
        below: below.iter().map(|one| (one.id, one.name().to_owned(), one.state.into())).collect(),
        more_below,
        shell,
    })
}

/// `GET /operator/trees/{account}`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    Path(id): Path<i64>,
) -> Result<Response, Stop> {
    let account = account(&console, id).await?;
    page::draw(&drawn(&console, &headers, &person, &account, &Typed::default()).await?)
}

/// `POST /operator/trees/{account}/suspend`.
pub async fn suspend(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    Path(id): Path<i64>,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let account = account(&console, id).await?;
    if let Some(reason) = typed.words("reason", "why it is suspended; its members read it", REASON_MAX) {
        match accounts::suspend(&console.gateway, account.id, &reason, &person.operator()).await {
            Ok(_) => return Ok(flash::done(&own(account.id), "It is suspended, until you lift that.")),
            Err(StateError::Storage(error)) => return Err(error.into()),
            Err(error) => typed.wrong_in_all(sentence(&error)),
        }
    }
    page::draw_again(&drawn(&console, &headers, &person, &account, &typed).await?)
}

/// `POST /operator/trees/{account}/activate`: lets it send again, or reopens it.
pub async fn activate(
    State(console): State<Console>,
    person: Person,
    Path(id): Path<i64>,
) -> Result<Response, Stop> {
    let account = account(&console, id).await?;
    match accounts::activate(&console.gateway, account.id, &person.operator()).await {
        Ok(_) => Ok(flash::done(&own(account.id), "It is active again.")),
        Err(StateError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&own(account.id), &sentence(&error))),
    }
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let typed = Typed::of([("reason", "<b>fraud</b>")]);
    One {
        shell: Shell::sample("One"),
        tabs: tabs("/operator/trees"),
        summary: typed.summary(),
        own: "/operator/trees/1".into(),
        name: "<Nordlicht>".into(),
        state: AccountState::Suspended.into(),
        facts: vec![("By whom, and why", "<script>alert(1)</script>".into())],
        is_locked: true,
        suspend: Some(typed.field("reason", "Why?")),
        activate: Some("Let it send again"),
        above: vec![(AccountId(1), "<agency>".into())],
        below: vec![(AccountId(2), "<i>shop</i>".into(), AccountState::Active.into())],
        more_below: true,
    }
}
