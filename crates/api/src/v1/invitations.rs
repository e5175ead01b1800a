//! `/v1/invitations`: who is asked by mail to become a member.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::account::Email;
use gateway::members::invitations::{self, InviteError, NewInvitation as New};
use serde::{Deserialize, Serialize};
use storage::invitations::Invitation as Stored;
use utoipa::ToSchema;

use super::asked::Asked;
use super::cursor;
use super::members::{MemberRole, Which};
use super::problem::{Kind, Problem};
use super::values::{Asking, Body, Named, Page, Time, created, limit};

/// An invitation that was neither accepted nor taken back.
#[derive(Serialize, ToSchema)]
pub struct Invitation {
    /// Its number.
    #[schema(example = 87)]
    id: i64,
    /// The address it was mailed to.
    #[schema(format = "email", example = "erika@muster.example")]
    email: String,
    /// What they shall be.
    role: MemberRole,
    /// Whether the role shall also count in every account below.
    includes_subaccounts: bool,
    /// `waiting`, or `lapsed` when its time is over; it can be sent again.
    #[schema(example = "waiting")]
    state: &'static str,
    /// Who invited.
    #[schema(example = "key 412 (shop)")]
    invited_by: String,
    /// When it was mailed last.
    sent_at: Time,
    /// Until when it can be accepted.
    expires_at: Time,
    /// When they were invited.
    created_at: Time,
}

impl Invitation {
    fn of(asked: &Asked, stored: &Stored) -> Invitation {
        let is_open = stored.is_open(asked.gateway().clock.now());
        Invitation {
            id: stored.id,
            email: stored.email.as_str().to_owned(),
            role: MemberRole::of(stored.role),
            includes_subaccounts: stored.includes_subaccounts,
            state: if is_open { "waiting" } else { "lapsed" },
            invited_by: stored.invited_by.clone(),
            sent_at: Time(stored.sent_at),
            expires_at: Time(stored.expires_at),
            created_at: Time(stored.created_at),
        }
    }
}

/// Somebody to be invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Their address.
    #[schema(format = "email", example = "erika@muster.example")]
    email: String,
    /// What they shall be. `owner` only where the account has none.
    role: MemberRole,
    /// Whether the role shall also count in every account below.
    #[serde(default)]
    includes_subaccounts: bool,
}

/// List invitations
///
/// Those that were neither accepted nor taken back, the newest first.
#[utoipa::path(
    get,
    path = "/v1/invitations",
    operation_id = "listInvitations",
    tag = "Members",
    params(Which),
    responses((status = 200, description = "A part of the list.", body = Page<Invitation>))
)]
pub async fn list(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Page<Invitation>>, Problem> {
    let limit = limit(which.limit)?;
    let before: Option<i64> = cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok());
    let mut conn = asked.gateway().db.read().await?;
    let mut all = storage::invitations::of_account(&mut conn, asked.account.id).await?;
    all.retain(|invitation| before.is_none_or(|before| invitation.id < before));
    let more = all.len() > limit;
    all.truncate(limit);
    let next_cursor = all.last().filter(|_| more).map(|last| cursor::write(&asked, &last.id.to_string()));
    Ok(Json(Page { items: all.iter().map(|stored| Invitation::of(&asked, stored)).collect(), next_cursor }))
}

/// Invite somebody
///
/// Mails a link with which they become a member, in the language of the account. It can be accepted for
/// some days, sent again and taken back.
#[utoipa::path(
    post,
    path = "/v1/invitations",
    operation_id = "createInvitation",
    tag = "Members",
    request_body = NewInvitation,
    responses((status = 201, description = "The invitation.", body = Invitation))
)]
pub async fn create(asked: Asked, Body(new): Body<NewInvitation>) -> Result<impl IntoResponse, Problem> {
    let email = Email::parse(&new.email).map_err(|wrong| Problem::field("email", wrong))?;
    let new = New { email, role: new.role.role(), includes_subaccounts: new.includes_subaccounts };
    let made =
        invitations::invite(asked.gateway(), asked.account.id, &new, &asked.actor).await.map_err(refused)?;
    Ok(created(format!("/v1/invitations/{}", made.id), Invitation::of(&asked, &made)))
}

/// Read an invitation
///
/// One that was neither accepted nor taken back.
#[utoipa::path(
    get,
    path = "/v1/invitations/{invitation}",
    operation_id = "readInvitation",
    tag = "Members",
    params(("invitation" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 200, description = "The invitation.", body = Invitation))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<Invitation>, Problem> {
    let found = storage::invitations::find(&mut *asked.gateway().db.read().await?, id).await?;
    let found = found.filter(|stored| {
        stored.account == asked.account.id && stored.accepted_at.is_none() && stored.revoked_at.is_none()
    });
    let found = found.ok_or_else(|| Problem::not_found(format!("invitation {id}")))?;
    Ok(Json(Invitation::of(&asked, &found)))
}

/// Send an invitation again
///
/// Mails a new link, for as long as the first; the old one no longer works.
#[utoipa::path(
    post,
    path = "/v1/invitations/{invitation}/resend",
    operation_id = "resendInvitation",
    tag = "Members",
    params(("invitation" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 200, description = "The invitation as it is now.", body = Invitation))
)]
pub async fn resend(asked: Asked, Named(id): Named<i64>) -> Result<Json<Invitation>, Problem> {
    let sent = invitations::resend(asked.gateway(), asked.account.id, id, &asked.actor).await;
    Ok(Json(Invitation::of(&asked, &sent.map_err(refused)?)))
}

/// Take an invitation back
///
/// Its link no longer works.
#[utoipa::path(
    delete,
    path = "/v1/invitations/{invitation}",
    operation_id = "revokeInvitation",
    tag = "Members",
    params(("invitation" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 204, description = "It is taken back."))
)]
pub async fn revoke(asked: Asked, Named(id): Named<i64>) -> Result<StatusCode, Problem> {
    invitations::revoke(asked.gateway(), asked.account.id, id, &asked.actor).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why nobody was invited.
pub fn refused(error: InviteError) -> Problem {
    match error {
        InviteError::Storage(error) => error.into(),
        InviteError::NotFound(id) => Problem::not_found(format!("account {id}")),
        InviteError::Gone => Problem::new(Kind::NotFound, error),
        InviteError::NotOpen { state, .. } => {
            Problem::new(Kind::WrongState, &error).with("state", state.as_str())
        }
        InviteError::HasOwner(_) | InviteError::OwnerFromAbove => Problem::field("role", error),
        InviteError::IsMember(_) | InviteError::IsInvited(_) => Problem::new(Kind::EmailInUse, error),
        InviteError::TooSoon => {
            Problem::new(Kind::LimitExceeded, error).with("limit", "mails of one invitation")
        }
        InviteError::TooMany => {
            Problem::new(Kind::LimitExceeded, error).with("limit", "invitations that wait")
        }
    }
}
