//! `/v1/members`: the people of an account. Who becomes one is in [`super::invitations`]; handing over
//! the ownership is the word of two people, and therefore not here.

use axum::Json;
use axum::http::StatusCode;
use domain::id::MemberId;
use domain::member::Role;
use gateway::members::{self, MemberError};
use serde::{Deserialize, Serialize};
use storage::members::Line;
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::cursor;
use super::problem::{Kind, Problem};
use super::values::{Asking, Body, Named, Page, Time, limit};

/// A person in the account.
#[derive(Serialize, ToSchema)]
pub struct Member {
    /// Their number in this account.
    #[schema(example = 231)]
    id: i64,
    /// Their name.
    #[schema(example = "Erika Muster")]
    name: String,
    /// Their address.
    #[schema(format = "email", example = "erika@muster.example")]
    email: String,
    /// What they are there.
    role: MemberRole,
    /// Whether the role also counts in every account below. Of owners and administrators it always
    /// does.
    includes_subaccounts: bool,
    /// Whether they have a second factor.
    has_second_factor: bool,
    /// When they signed in last; null while they never did.
    last_at: Option<Time>,
    /// Since when they are a member.
    created_at: Time,
}

impl Member {
    fn of(line: &Line) -> Member {
        Member {
            id: line.member.id.0,
            name: line.name.clone(),
            email: line.email.clone(),
            role: MemberRole::of(line.member.role),
            includes_subaccounts: line.member.includes_subaccounts || line.member.role.reaches_down(),
            has_second_factor: line.second_factor,
            last_at: line.last_at.map(Time),
            created_at: Time(line.member.created_at),
        }
    }
}

/// What a person is in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// Everything. One an account.
    Owner,
    /// All but closing the account, giving it away and what is the owner's word alone.
    Administrator,
    /// Keys and the log of calls; no message contents, no money.
    Developer,
    /// Credit and statistics of cost; nothing else.
    Finance,
    /// Send, and read the journal; no keys, no money.
    Messaging,
    /// Statistics only.
    Analyst,
    /// Reads everything but secrets, changes nothing.
    Auditor,
}

impl MemberRole {
    const ALL: [(MemberRole, Role); 7] = [
        (MemberRole::Owner, Role::Owner),
        (MemberRole::Administrator, Role::Administrator),
        (MemberRole::Developer, Role::Developer),
        (MemberRole::Finance, Role::Finance),
        (MemberRole::Messaging, Role::Messaging),
        (MemberRole::Analyst, Role::Analyst),
        (MemberRole::Auditor, Role::Auditor),
    ];

    /// A role in the words of this interface.
    pub fn of(role: Role) -> MemberRole {
        MemberRole::ALL[role as usize].0
    }

    /// The role it means.
    pub fn role(self) -> Role {
        MemberRole::ALL[self as usize].1
    }
}

/// What is to be changed about a member; what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    /// What they shall be; anything but `owner`.
    #[serde(default)]
    role: Option<MemberRole>,
    /// Whether the role shall also count in every account below.
    #[serde(default)]
    includes_subaccounts: Option<bool>,
}

/// Which members.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    pub cursor: Option<String>,
}

/// List members
///
/// The people of the account: the owner first, then by role and name.
#[utoipa::path(
    get,
    path = "/v1/members",
    operation_id = "listMembers",
    tag = "Members",
    params(Which),
    responses((status = 200, description = "A part of the list.", body = Page<Member>))
)]
pub async fn list(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Page<Member>>, Problem> {
    let limit = limit(which.limit)?;
    let after: Option<i64> = cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok());
    let lines =
        storage::members::of_account(&mut *asked.gateway().db.read().await?, asked.account.id).await?;
    // Whoever has left meanwhile is where they were: at the beginning, nobody is left out.
    let begin =
        after.and_then(|id| lines.iter().position(|line| line.member.id.0 == id)).map_or(0, |at| at + 1);
    let rest = &lines[begin..];
    let part = &rest[..limit.min(rest.len())];
    let next_cursor = part
        .last()
        .filter(|_| rest.len() > limit)
        .map(|line| cursor::write(&asked, &line.member.id.0.to_string()));
    Ok(Json(Page { items: part.iter().map(Member::of).collect(), next_cursor }))
}

async fn one(asked: &Asked, id: i64) -> Result<Line, Problem> {
    let line = storage::members::line(&mut *asked.gateway().db.read().await?, MemberId(id)).await?;
    let line = line.filter(|line| line.member.account == asked.account.id);
    line.ok_or_else(|| Problem::not_found(format!("member {id}")))
}

/// Read a member
///
/// One person of the account.
#[utoipa::path(
    get,
    path = "/v1/members/{member}",
    operation_id = "readMember",
    tag = "Members",
    params(("member" = i64, Path, description = "Their number.", minimum = 1)),
    responses((status = 200, description = "The member.", body = Member))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<Member>, Problem> {
    Ok(Json(Member::of(&one(&asked, id).await?)))
}

/// Change a member
///
/// Gives a person another role. The owner is changed by nobody: the ownership is handed over in the
/// console, with the word of both.
#[utoipa::path(
    patch,
    path = "/v1/members/{member}",
    operation_id = "changeMember",
    tag = "Members",
    params(("member" = i64, Path, description = "Their number.", minimum = 1)),
    request_body = MemberChange,
    responses((status = 200, description = "The member as they are now.", body = Member))
)]
pub async fn change(
    asked: Asked,
    Named(id): Named<i64>,
    Body(change): Body<MemberChange>,
) -> Result<Json<Member>, Problem> {
    let before = one(&asked, id).await?.member;
    let role = change.role.map_or(before.role, MemberRole::role);
    let includes = change.includes_subaccounts.unwrap_or(before.includes_subaccounts);
    if (role, includes) != (before.role, before.includes_subaccounts) {
        let (account, member) = (asked.account.id, before.id);
        let changed = members::change(asked.gateway(), account, member, role, includes, &asked.actor).await;
        changed.map_err(refused)?;
    }
    Ok(Json(Member::of(&one(&asked, id).await?)))
}

/// Remove a member
///
/// Takes a person out of the account, within two seconds at every door. Their login stays, and what they
/// are elsewhere.
#[utoipa::path(
    delete,
    path = "/v1/members/{member}",
    operation_id = "removeMember",
    tag = "Members",
    params(("member" = i64, Path, description = "Their number.", minimum = 1)),
    responses((status = 204, description = "They are no member any more."))
)]
pub async fn remove(asked: Asked, Named(id): Named<i64>) -> Result<StatusCode, Problem> {
    members::remove(asked.gateway(), asked.account.id, MemberId(id), &asked.actor).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

fn refused(error: MemberError) -> Problem {
    match error {
        MemberError::Storage(error) => error.into(),
        MemberError::NotFound { member, .. } => Problem::not_found(format!("member {member}")),
        MemberError::NoMember(_) => Problem::new(Kind::NotFound, error),
        MemberError::Closed(id) => Problem::new(Kind::AccountClosed, error).with("account", id.0),
        MemberError::IsOwner => Problem::new(Kind::WrongState, error),
        MemberError::OwnerRole | MemberError::RaisesSelf(_) => Problem::field("role", error),
    }
}
