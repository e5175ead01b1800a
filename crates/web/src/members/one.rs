//! One member: changing what they are, removing them, offering them the ownership.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::id::MemberId;
use domain::member::Role;
use domain::permission::Action;
use gateway::members::{self, MemberError};
use storage::members::Line;

use super::{RoleTable, role_fields, role_typed};
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::format::Time;
use crate::page::{self, Shell};
use crate::sign_in::sentence;
use crate::{Console, flash};

#[derive(Template)]
#[template(path = "a/members/one.html")]
struct One {
    shell: Shell,
    summary: Summary,
    name: String,
    email: String,
    since: Time,
    last: Option<Time>,
    second_factor: bool,
    role_fields: [Field; 2],
    roles: RoleTable,
    remove_href: String,
    offer_href: Option<String>,
    account: String,
    back: String,
}

async fn line_of(console: &Console, place: &Place, member: i64) -> Result<Line, Stop> {
    let mut conn = console.gateway.db.read().await?;
    let line = storage::members::line(&mut conn, MemberId(member)).await?;
    line.filter(|line| line.member.account == place.account.id && line.member.role != Role::Owner)
        .ok_or(Stop::NotThere)
}

impl One {
    fn of(place: &Place, line: Line, typed: &Typed) -> One {
        let id = line.member.id;
        let name = if line.name.trim().is_empty() { line.email.clone() } else { line.name };
        One {
            shell: place.shell(&name).under([("Members", place.href("members"))]),
            summary: typed.summary(),
            since: place.format().date(line.member.created_at),
            last: line.last_at.map(|at| place.format().ago(at)),
            second_factor: line.second_factor,
            role_fields: role_fields(typed),
            roles: RoleTable,
            remove_href: place.href(&format!("members/{id}/remove")),
            offer_href: place
                .may(Action::TransferOwnership)
                .then(|| place.href(&format!("members/{id}/offer"))),
            account: place.account.name().to_owned(),
            back: place.href("members"),
            email: line.email,
            name,
        }
    }
}

/// `GET /a/{id}/members/{member}`.
pub async fn show(
    State(console): State<Console>,
    place: Place,
    Path((_, member)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let line = line_of(&console, &place, member).await?;
    let below = if line.member.includes_subaccounts { "1" } else { "" };
    let typed = Typed::of([("role", line.member.role.as_str()), ("below", below)]);
    page::draw(&One::of(&place, line, &typed))
}

/// `POST /a/{id}/members/{member}`: changes the role.
pub async fn change(
    State(console): State<Console>,
    place: Place,
    Path((_, member)): Path<(i64, i64)>,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let line = line_of(&console, &place, member).await?;
    if let Some((role, below)) = role_typed(&mut typed) {
        let (id, actor) = (place.account.id, place.actor());
        match members::change(&console.gateway, id, MemberId(member), role, below, &actor).await {
            Ok(_) => {
                return Ok(flash::done(&place.href("members"), "The role is changed. It counts at once."));
            }
            Err(MemberError::Storage(error)) => return Err(error.into()),
            Err(error) => typed.wrong("role", sentence(&error)),
        }
    }
    page::draw_again(&One::of(&place, line, &typed))
}

/// `POST /a/{id}/members/{member}/remove`.
pub async fn remove(
    State(console): State<Console>,
    place: Place,
    Path((_, member)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    match members::remove(&console.gateway, place.account.id, MemberId(member), &place.actor()).await {
        Ok(()) => Ok(flash::done(&place.href("members"), "They are no member any more.")),
        Err(MemberError::Storage(error)) => Err(error.into()),
        Err(MemberError::NotFound { .. }) => Err(Stop::NotThere),
        Err(error) => Ok(flash::failed(&place.href("members"), &sentence(&error))),
    }
}
