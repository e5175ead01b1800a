//! Inviting somebody by mail.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::account::Email;
use gateway::members::invitations::{self, InviteError, NewInvitation};

use super::{RoleTable, role_fields, role_typed};
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::sign_in::sentence;
use crate::{Console, flash};

#[derive(Template)]
#[template(path = "a/members/invite.html")]
struct Invite {
    shell: Shell,
    summary: Summary,
    email: Field,
    role_fields: [Field; 2],
    roles: RoleTable,
    account: String,
    back: String,
}

impl Invite {
    fn of(place: &Place, typed: &Typed) -> Invite {
        let shell = place.shell("Invite").under([("Members", place.href("members"))]);
        let email = typed.field("email", "E-mail").of_type("email").required().first();
        Invite {
            shell,
            summary: typed.summary(),
            email: email
                .hint("They get a link that works for a week. Whoever has a login already uses that one."),
            role_fields: role_fields(typed),
            roles: RoleTable,
            account: place.account.name().to_owned(),
            back: place.href("members"),
        }
    }
}

/// `GET /a/{id}/members/invite`.
pub async fn show(place: Place) -> Result<Response, Stop> {
    page::draw(&Invite::of(&place, &Typed::default()))
}

/// `POST /a/{id}/members/invite`.
pub async fn invite(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let email = typed.read("email", Email::parse);
    let role = role_typed(&mut typed);
    if let (Some(email), Some((role, includes_subaccounts))) = (email, role) {
        let new = NewInvitation { email, role, includes_subaccounts };
        match invitations::invite(&console.gateway, place.account.id, &new, &place.actor()).await {
            Ok(invited) => {
                let words = format!("An invitation is on its way to {}.", invited.email.as_str());
                return Ok(flash::done(&place.href("members"), &words));
            }
            Err(InviteError::Storage(error)) => return Err(error.into()),
            Err(error @ (InviteError::IsMember(_) | InviteError::IsInvited(_))) => {
                typed.wrong("email", sentence(&error));
            }
            Err(error) => typed.wrong_in_all(sentence(&error)),
        }
    }
    page::draw_again(&Invite::of(&place, &typed))
}

fn back(place: &Place, done: Result<(), InviteError>, words: &str) -> Result<Response, Stop> {
    match done {
        Ok(()) => Ok(flash::done(&place.href("members"), words)),
        Err(InviteError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&place.href("members"), &sentence(&error))),
    }
}

/// `POST /a/{id}/members/invitations/{invitation}/resend`.
pub async fn resend(
    State(console): State<Console>,
    place: Place,
    Path((_, invitation)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let done = invitations::resend(&console.gateway, place.account.id, invitation, &place.actor()).await;
    back(&place, done.map(drop), "The invitation is mailed again, with a new link.")
}

/// `POST /a/{id}/members/invitations/{invitation}/revoke`.
pub async fn revoke(
    State(console): State<Console>,
    place: Place,
    Path((_, invitation)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let done = invitations::revoke(&console.gateway, place.account.id, invitation, &place.actor()).await;
    back(&place, done, "The invitation is taken back. Its link works no more.")
}
