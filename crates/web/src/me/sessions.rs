//! Where somebody is signed in, and ending it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::id::SessionId;
use domain::login::Step;
use gateway::sessions;
use storage::sessions::Session;

use super::tabs;
use crate::agent::Agent;
use crate::error::Stop;
use crate::format::Time;
use crate::page::{self, Shell};
use crate::parts::Tabs;
use crate::signed_in::Person;
use crate::{Console, flash};

#[derive(Template)]
#[template(path = "me/sessions.html")]
struct Sessions {
    shell: Shell,
    tabs: Tabs,
    sessions: Vec<Line>,
}

struct Line {
    id: SessionId,
    agent: Agent,
    address: String,
    used: Time,
    began: Time,
    is_this: bool,
    is_half: bool,
}

impl Line {
    fn of(session: Session, person: &Person, shell: &Shell) -> Line {
        Line {
            id: session.id,
            agent: Agent::of(&session.agent),
            used: shell.format.ago(session.seen_at),
            began: shell.format.time(session.created_at),
            is_this: session.id == person.session,
            is_half: session.step == Step::SecondFactorOwed,
            address: session.address,
        }
    }
}

/// `GET /me/sessions`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    let shell = Shell::of_person(&console, &headers, &person).await?.titled("Sessions");
    let all = sessions::list(&console.gateway, person.login.id).await?;
    let mut lines: Vec<Line> = all.into_iter().map(|session| Line::of(session, &person, &shell)).collect();
    lines.sort_by_key(|line| !line.is_this);
    page::draw(&Sessions { tabs: tabs("/me/sessions"), sessions: lines, shell })
}

/// `POST /me/sessions/{session}/end`.
pub async fn end(
    State(console): State<Console>,
    person: Person,
    Path(id): Path<i64>,
) -> Result<Response, Stop> {
    match sessions::revoke(&console.gateway, &person, SessionId(id), &person.client()).await? {
        true => Ok(flash::done("/me/sessions", "That browser is signed out.")),
        false => Ok(flash::failed("/me/sessions", "That session has ended already.")),
    }
}

/// `POST /me/sessions/end-others`.
pub async fn end_others(State(console): State<Console>, person: Person) -> Result<Response, Stop> {
    sessions::revoke_others(&console.gateway, &person, &person.client()).await?;
    Ok(flash::done("/me/sessions", "All other browsers are signed out."))
}
