//! `/v1/access`: who came from above, who asked to, and who may now. The answers are the word of the
//! owner, and given in the console.

use axum::Json;
use serde::Serialize;
use storage::visits::{Grant, Line};
use utoipa::ToSchema;

use super::asked::Asked;
use super::cursor;
use super::members::Which;
use super::problem::Problem;
use super::values::{Asking, Page, Time, limit};

/// A person from above in the account.
#[derive(Serialize, ToSchema)]
pub struct Visit {
    /// Its number.
    #[schema(example = 14)]
    id: i64,
    /// The account they came from.
    #[schema(example = 1900001)]
    above: i64,
    /// Its name.
    #[schema(example = "Muster GmbH")]
    above_name: String,
    /// Who it was.
    #[schema(example = "Erika Muster")]
    name: String,
    /// Their address.
    #[schema(format = "email", example = "erika@muster.example")]
    email: String,
    /// Why, as they said.
    #[schema(example = "looking for a lost message")]
    reason: String,
    /// Whether they came in without being let in.
    glass_broken: bool,
    /// When it began.
    began_at: Time,
    /// When it ends by itself.
    ends_at: Time,
    /// When it was ended; null where it was not.
    ended_at: Option<Time>,
}

impl Visit {
    fn of(line: Line) -> Visit {
        Visit {
            id: line.visit.id,
            above: line.visit.above.0,
            above_name: line.above_name,
            name: line.name,
            email: line.email,
            reason: line.visit.reason,
            glass_broken: line.glass_broken,
            began_at: Time(line.visit.began_at),
            ends_at: Time(line.visit.ends_at),
            ended_at: line.visit.ended_at.map(Time),
        }
    }
}

/// A question from above for access to the account, and what became of it.
#[derive(Serialize, ToSchema)]
pub struct AccessGrant {
    /// Its number.
    #[schema(example = 9)]
    id: i64,
    /// The account they ask from.
    #[schema(example = 1900001)]
    above: i64,
    /// Who asks.
    #[schema(example = "Erika Muster")]
    name: String,
    /// Their address.
    #[schema(format = "email", example = "erika@muster.example")]
    email: String,
    /// Why, as they said.
    #[schema(example = "looking for a lost message")]
    reason: String,
    /// What became of it: `asked`, `granted`, `refused`, `withdrawn`, or that the glass was broken.
    #[schema(example = "granted")]
    state: &'static str,
    /// Whether it lets them in now.
    is_live: bool,
    /// When they asked.
    asked_at: Time,
    /// When it was answered; null while it was not.
    answered_at: Option<Time>,
    /// Until when it lets them in, or can be answered; null where there is no end.
    expires_at: Option<Time>,
}

impl AccessGrant {
    fn of(asked: &Asked, grant: Grant) -> AccessGrant {
        AccessGrant {
            id: grant.id,
            above: grant.above.0,
            is_live: grant.is_live(asked.gateway().clock.now()),
            state: grant.state.as_str(),
            asked_at: Time(grant.asked_at),
            answered_at: grant.answered_at.map(Time),
            expires_at: grant.expires_at.map(Time),
            name: grant.name,
            email: grant.email,
            reason: grant.reason,
        }
    }
}

/// List visits
///
/// The people from above who were in the account, the newest first. What keys from above do is in the
/// audit log.
#[utoipa::path(
    get,
    path = "/v1/access/visits",
    operation_id = "listVisits",
    tag = "Audit",
    params(Which),
    responses((status = 200, description = "A part of the list.", body = Page<Visit>))
)]
pub async fn visits(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Page<Visit>>, Problem> {
    let limit = limit(which.limit)?;
    let before = cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok());
    let mut conn = asked.gateway().db.read().await?;
    let mut all = storage::visits::page(&mut conn, asked.account.id, before, limit as i64 + 1).await?;
    let more = all.len() > limit;
    all.truncate(limit);
    let next_cursor =
        all.last().filter(|_| more).map(|last| cursor::write(&asked, &last.visit.id.to_string()));
    Ok(Json(Page { items: all.into_iter().map(Visit::of).collect(), next_cursor }))
}

/// List grants
///
/// Who asked from above for access to the account, and what became of it, the newest first.
#[utoipa::path(
    get,
    path = "/v1/access/grants",
    operation_id = "listGrants",
    tag = "Audit",
    params(Which),
    responses((status = 200, description = "A part of the list.", body = Page<AccessGrant>))
)]
pub async fn grants(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Page<AccessGrant>>, Problem> {
    let limit = limit(which.limit)?;
    let before = cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok());
    let mut conn = asked.gateway().db.read().await?;
    let mut all = storage::visits::grants(&mut conn, asked.account.id, before, limit as i64 + 1).await?;
    let more = all.len() > limit;
    all.truncate(limit);
    let next_cursor = all.last().filter(|_| more).map(|last| cursor::write(&asked, &last.id.to_string()));
    Ok(Json(Page {
        items: all.into_iter().map(|grant| AccessGrant::of(&asked, grant)).collect(),
        next_cursor,
    }))
}
