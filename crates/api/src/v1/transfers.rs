//! `/v1/transfers`: credit that moves within a tree.

use axum::Json;
use axum::response::IntoResponse;
use domain::id::{AccountId, TransferId};
use domain::ledger::TransferCode;
use gateway::credits::{self, TransferError};
use serde::{Deserialize, Serialize};
use storage::transfers::{Filter, Moved};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::cursor;
use super::once;
use super::problem::{Kind, Problem};
use super::values::{Amount, Asking, Body, Named, Page, Time, created, limit};

/// Where transfers are. What is asked for here is known to the books by its key.
pub const PATH: &str = "/v1/transfers";

/// Credit that moved from one account to another.
#[derive(Serialize, ToSchema)]
pub struct Transfer {
    /// Its number; later ones have greater numbers.
    #[schema(example = 88012)]
    id: i64,
    /// The account that gave.
    #[schema(example = 1900001)]
    from: i64,
    /// The account that got.
    #[schema(example = 1900002)]
    to: i64,
    /// How much.
    amount: Amount,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
    /// Why: `transfer` by somebody's hand, `automatic` by the rule of the account that got, `closing`
    /// because the account that gave was closed.
    #[schema(example = "transfer")]
    kind: &'static str,
    /// Who did it.
    #[schema(example = "key 412 (shop)")]
    actor: String,
    /// What they wrote; it stands in both statements.
    #[schema(example = "December")]
    reference: String,
    /// When.
    created_at: Time,
}

impl Transfer {
    fn of(moved: Moved, currency: String) -> Transfer {
        Transfer {
            id: moved.id.0,
            from: moved.from.0,
            to: moved.to.0,
            amount: Amount(moved.amount),
            currency,
            kind: match moved.code {
                TransferCode::AutoTransfer => "automatic",
                TransferCode::Closing => "closing",
                _ => "transfer",
            },
            actor: moved.actor,
            reference: moved.reference,
            created_at: Time(moved.at),
        }
    }
}

/// A transfer to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTransfer {
    /// The account that gives; without it, the one that is acted in. It must be that account or one
    /// below it.
    #[schema(example = 1900001, minimum = 1)]
    from: Option<i64>,
    /// The account that gets: one above or below the one that gives, at any distance, and itself the one
    /// that is acted in or below it.
    #[schema(example = 1900002, minimum = 1)]
    to: i64,
    /// How much; above zero. Credit that is only borrowed (a credit line) cannot be handed on.
    amount: Amount,
    /// What to write in both statements; at most 255 characters.
    #[serde(default)]
    #[schema(max_length = 255, example = "December")]
    reference: String,
}

/// Which transfers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only those with this account at the other end.
    #[param(minimum = 1, example = 1900002)]
    with: Option<i64>,
    /// Only those `out` of the account, or `in`.
    direction: Option<Direction>,
    /// Booked at this time or later.
    from: Option<Time>,
    /// Booked earlier than this.
    before: Option<Time>,
    /// How many: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Which way credit went.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the account.
    In,
    /// Out of the account.
    Out,
}

/// List transfers
///
/// The transfers of the account with others of its tree, the newest first.
#[utoipa::path(
    get,
    path = "/v1/transfers",
    operation_id = "listTransfers",
    tag = "Credits",
    params(Which),
    responses((status = 200, description = "A part of the list.", body = Page<Transfer>))
)]
pub async fn list(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Page<Transfer>>, Problem> {
    let limit = limit(which.limit)?;
    let before =
        cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok()).map(TransferId);
    if let Some(id) = which.with.filter(|id| *id < 1) {
        return Err(Problem::field("with", format!("it is {id}; it is the number of an account")));
    }
    let filter = Filter {
        with: which.with.map(AccountId),
        out: which.direction.map(|direction| direction == Direction::Out),
        from: which.from.map(|at| at.0),
        before: which.before.map(|at| at.0),
    };
    let mut conn = asked.gateway().db.read().await?;
    let wanted = limit as i64 + 1;
    let mut all = storage::transfers::page(&mut conn, asked.account.id, &filter, before, wanted).await?;
    let more = all.len() > limit;
    all.truncate(limit);
    let next_cursor = all.last().filter(|_| more).map(|last| cursor::write(&asked, &last.id.0.to_string()));
    let items = all.into_iter().map(|moved| Transfer::of(moved, asked.currency())).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// Make a transfer
///
/// Moves credit up or down the tree, at once. Send an `Idempotency-Key`, so that a request that is
/// repeated because its answer was lost does not move credit twice.
#[utoipa::path(
    post,
    path = "/v1/transfers",
    operation_id = "createTransfer",
    tag = "Credits",
    request_body = NewTransfer,
    responses((status = 201, description = "The transfer.", body = Transfer))
)]
pub async fn create(asked: Asked, Body(new): Body<NewTransfer>) -> Result<impl IntoResponse, Problem> {
    let from = asked.target(new.from.unwrap_or(asked.account.id.0)).await;
    let from = from.map_err(|problem| of_field(problem, "from"))?;
    let to = asked.target(new.to).await.map_err(|problem| of_field(problem, "to"))?;
    let transfer = credits::Transfer {
        from: from.id,
        to: to.id,
        amount: new.amount.0,
        reference: new.reference,
        idempotency_key: asked.idempotency.as_ref().map(|name| format!("v1 {} {name}", asked.key.id)),
        asked_by: Some(asked.account.id),
    };
    let done = credits::transfer(asked.gateway(), &transfer, &asked.actor).await.map_err(refused)?;
    let mut conn = asked.gateway().db.read().await?;
    let moved = storage::transfers::find(&mut conn, from.id, done.transfer).await?;
    let moved = moved.ok_or_else(Problem::fault)?;
    Ok(created(format!("{PATH}/{}", moved.id), Transfer::of(moved, asked.currency())))
}

/// An account that is not there is a wrong field of the body, not a wrong path.
fn of_field(problem: Problem, name: &str) -> Problem {
    match problem.kind {
        Kind::NotFound => Problem::field(name, problem.detail),
        _ => problem,
    }
}

/// Why credit did not move.
pub fn refused(error: TransferError) -> Problem {
    match error {
        TransferError::Storage(error) => error.into(),
        TransferError::NotPositive(_) | TransferError::TooLarge(_) => Problem::field("amount", error),
        TransferError::TooLong { field: "reference", .. } => Problem::field("reference", error),
        TransferError::TooLong { .. } => Problem::field(once::HEADER, error),
        TransferError::NotFound(_) => Problem::field("to", error),
        TransferError::Same(_) | TransferError::Sideways { .. } => {
            Problem::new(Kind::TransferNotAllowed, error)
        }
        TransferError::Closed(account) => Problem::new(Kind::AccountClosed, error).with("account", account.0),
        TransferError::Insufficient { account, available, amount } => {
            let missing = amount.checked_sub(available).unwrap_or(amount);
            Problem::new(Kind::InsufficientFunds, error)
                .with("account", account.0)
                .with_amount("available", available)
                .with_amount("missing", missing)
        }
        TransferError::KeyReused(_) => Problem::new(Kind::IdempotencyConflict, error),
        TransferError::NoReason | TransferError::Ended => Problem::field("body", error),
    }
}

/// Read a transfer
///
/// One of the account's transfers with others of its tree.
#[utoipa::path(
    get,
    path = "/v1/transfers/{transfer}",
    operation_id = "readTransfer",
    tag = "Credits",
    params(("transfer" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 200, description = "The transfer.", body = Transfer))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<Transfer>, Problem> {
    let mut conn = asked.gateway().db.read().await?;
    let moved = storage::transfers::find(&mut conn, asked.account.id, TransferId(id)).await?;
    let moved = moved.ok_or_else(|| Problem::not_found(format!("transfer {id}")))?;
    Ok(Json(Transfer::of(moved, asked.currency())))
}
