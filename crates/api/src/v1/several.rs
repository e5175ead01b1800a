//! The same for many accounts at once: credit to many, many suspended or let again. Each is done by
//! itself, and the answer tells what became of each.

use std::collections::HashMap;

use axum::Json;
use domain::account::Account;
use domain::credits::Credits;
use domain::id::AccountId;
use gateway::credits::{Done, TransferError};
use gateway::several::{self, Become, MANY_MAX, ManyError, TransferMany};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::problem::{Kind, Problem};
use super::values::{Amount, Body};
use super::{lifecycle, once, transfers};

/// Where credit is moved to many.
pub const TRANSFERS: &str = "/v1/transfers/many";
/// Where many are suspended.
pub const SUSPEND: &str = "/v1/accounts/suspend";
/// Where many are let again.
pub const ACTIVATE: &str = "/v1/accounts/activate";

/// What became of all.
#[derive(Serialize, ToSchema)]
pub struct Results {
    /// How many were done, now or by the same request before.
    #[schema(example = 2)]
    done: usize,
    /// How many were refused.
    #[schema(example = 1)]
    refused: usize,
    /// What became of each, in the order they were given.
    items: Vec<OneResult>,
}

/// What became of one account.
#[derive(Serialize, ToSchema)]
pub struct OneResult {
    /// The account.
    #[schema(example = 1900002)]
    account: i64,
    /// Whether it was done.
    done: bool,
    /// The number of its transfer; null where there is none.
    #[schema(example = 88012)]
    transfer: Option<i64>,
    /// Why it was not done; null where it was.
    problem: Option<OneProblem>,
}

/// Why one was not done. What it is about is the account beside it.
#[derive(Serialize, ToSchema)]
pub struct OneProblem {
    /// The code, as it would be if it had been asked for alone.
    #[schema(example = "insufficient_funds")]
    code: &'static str,
    /// What is wrong, and what to do about it.
    #[schema(example = "account 1900001 holds 4.00 and cannot give 25.00")]
    detail: String,
}

impl OneResult {
    fn of(account: AccountId, answer: Result<Option<i64>, Problem>) -> Result<OneResult, Problem> {
        let account = account.0;
        match answer {
            Ok(transfer) => Ok(OneResult { account, done: true, transfer, problem: None }),
            // Of what has nothing to do with the account, the whole is told: it may be asked for again.
            Err(problem) if matches!(problem.kind, Kind::Busy | Kind::Fault) => Err(problem),
            Err(Problem { kind, detail, .. }) => {
                let problem = Some(OneProblem { code: kind.code(), detail });
                Ok(OneResult { account, done: false, transfer: None, problem })
            }
        }
    }
}

impl Results {
    fn of(items: Vec<OneResult>) -> Json<Results> {
        let done = items.iter().filter(|item| item.done).count();
        Json(Results { done, refused: items.len() - done, items })
    }
}

/// Credit for many.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTransfers {
    /// The account that gives; without it, the one that is acted in. It must be that account or one
    /// below it.
    #[schema(example = 1900001, minimum = 1)]
    from: Option<i64>,
    /// Who gets how much: 1 to 1,000 accounts below the one that is acted in, each once.
    #[schema(min_items = 1, max_items = 1000)]
    to: Vec<Share>,
    /// What to write in all statements; at most 255 characters.
    #[serde(default)]
    #[schema(max_length = 255, example = "December")]
    reference: String,
}

/// What one of many gets.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The account. One that is not there is told of in its own result.
    #[schema(example = 1900002)]
    account: i64,
    /// How much; above zero.
    amount: Amount,
}

/// Make many transfers
///
/// Moves credit from one account to many, one after the other in the order given; what one of them is
/// refused does not keep it from the others. Send an `Idempotency-Key`, so that a request that is
/// repeated because its answer was lost does not move credit twice.
#[utoipa::path(
    post,
    path = "/v1/transfers/many",
    operation_id = "createTransfers",
    tag = "Credits",
    request_body = NewTransfers,
    responses((status = 200, description = "What became of each.", body = Results))
)]
pub async fn transfer(asked: Asked, Body(new): Body<NewTransfers>) -> Result<Json<Results>, Problem> {
    let from = asked.target(new.from.unwrap_or(asked.account.id.0)).await;
    let from = from.map_err(|problem| match problem.kind {
        Kind::NotFound => Problem::field("from", problem.detail),
        _ => problem,
    })?;
    let ids: Vec<i64> = new.to.iter().map(|share| share.account).collect();
    let Known { known, mut refused } = Known::of(&asked, &ids, "to").await?;
    let amounts: HashMap<i64, Credits> = new.to.iter().map(|share| (share.account, share.amount.0)).collect();
    let to: Vec<(AccountId, Credits)> =
        known.iter().filter_map(|id| Some((*id, *amounts.get(&id.0)?))).collect();
    let mut done: HashMap<AccountId, Result<Done, TransferError>> = HashMap::new();
    if !to.is_empty() {
        let many = TransferMany {
            from: from.id,
            to,
            reference: new.reference,
            idempotency_key: key(&asked),
            asked_by: Some(asked.account.id),
        };
        let answers = several::transfer_many(asked.gateway(), &many, &asked.actor, |_, _| ()).await;
        done = answers.map_err(|error| not_begun(error, "to"))?.into_iter().collect();
    }
    let item = |id: &i64| {
        let id = AccountId(*id);
        let answer = match done.remove(&id) {
            Some(answer) => answer.map(|done| Some(done.transfer.0)).map_err(transfers::refused),
            None => Err(refused.remove(&id).unwrap_or_else(Problem::fault)),
        };
        OneResult::of(id, answer)
    };
    ids.iter().map(item).collect::<Result<_, _>>().map(Results::of)
}

/// Accounts to be suspended.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspending {
    /// Accounts below the one that is acted in: 1 to 1,000, each once.
    #[schema(min_items = 1, max_items = 1000, example = json!([1900002, 1900003]))]
    accounts: Vec<i64>,
    /// Why; their members can read it. At most 255 characters.
    #[schema(min_length = 1, max_length = 255, example = "unpaid since October")]
    reason: String,
}

/// Accounts to be let again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Activating {
    /// Accounts below the one that is acted in: 1 to 1,000, each once.
    #[schema(min_items = 1, max_items = 1000, example = json!([1900002, 1900003]))]
    accounts: Vec<i64>,
}

/// Suspend many accounts
///
/// Stops each of them, and those below it, from sending. One that is suspended already stays as it is.
#[utoipa::path(
    post,
    path = "/v1/accounts/suspend",
    operation_id = "suspendAccounts",
    tag = "Accounts",
    request_body = Suspending,
    responses((status = 200, description = "What became of each.", body = Results))
)]
pub async fn suspend(asked: Asked, Body(new): Body<Suspending>) -> Result<Json<Results>, Problem> {
    lifecycle::short(&new.reason)?;
    if new.reason.trim().is_empty() {
        return Err(Problem::field("reason", "it is missing; say why, their members will read it"));
    }
    change(&asked, &new.accounts, Become::Suspended(&new.reason)).await
}

/// Activate many accounts
///
/// Lets each of them send again. One that is active already stays as it is; one that is about to be
/// closed is reopened by itself.
#[utoipa::path(
    post,
    path = "/v1/accounts/activate",
    operation_id = "activateAccounts",
    tag = "Accounts",
    request_body = Activating,
    responses((status = 200, description = "What became of each.", body = Results))
)]
pub async fn activate(asked: Asked, Body(new): Body<Activating>) -> Result<Json<Results>, Problem> {
    change(&asked, &new.accounts, Become::Active).await
}

async fn change(asked: &Asked, ids: &[i64], becomes: Become<'_>) -> Result<Json<Results>, Problem> {
    let Known { known, mut refused } = Known::of(asked, ids, "accounts").await?;
    let mut done: HashMap<AccountId, Result<Account, _>> = HashMap::new();
    if !known.is_empty() {
        let (above, key, actor) = (asked.account.id, key(asked), asked.actor_below());
        let answers =
            several::change_many(asked.gateway(), above, &known, becomes, key.as_deref(), &actor, |_, _| ());
        let answers = answers.await;
        done = answers.map_err(|error| not_begun(error, "accounts"))?.into_iter().collect();
    }
    let item = |id: &i64| {
        let id = AccountId(*id);
        let answer = match done.remove(&id) {
            Some(answer) => answer.map(|_| None).map_err(lifecycle::not_changed),
            None => Err(refused.remove(&id).unwrap_or_else(Problem::fault)),
        };
        OneResult::of(id, answer)
    };
    ids.iter().map(item).collect::<Result<_, _>>().map(Results::of)
}

/// Accounts that are named: those the caller may do this to, and why not to the others.
struct Known {
    known: Vec<AccountId>,
    refused: HashMap<AccountId, Problem>,
}

impl Known {
    async fn of(asked: &Asked, ids: &[i64], field: &str) -> Result<Known, Problem> {
        match ids.len() {
            0 => return Err(Problem::field(field, "it names nobody; name at least one account")),
            1..=MANY_MAX => {}
            count => return Err(not_begun(ManyError::TooMany(count), field)),
        }
        let mut seen = Known { known: Vec::new(), refused: HashMap::new() };
        for id in ids {
            let account = AccountId(*id);
            if seen.refused.contains_key(&account) || seen.known.contains(&account) {
                return Err(not_begun(ManyError::Twice(account), field));
            }
            match asked.below(*id).await {
                Ok(found) => seen.known.push(found.id),
                Err(problem) if matches!(problem.kind, Kind::Busy | Kind::Fault) => return Err(problem),
                Err(problem) => drop(seen.refused.insert(account, problem)),
            }
        }
        Ok(seen)
    }
}

/// The name of the whole in the books.
fn key(asked: &Asked) -> Option<String> {
    asked.idempotency.as_ref().map(|name| format!("v1 {} {name}", asked.key.id))
}

fn not_begun(error: ManyError, field: &str) -> Problem {
    match error {
        ManyError::Storage(error) => error.into(),
        ManyError::None | ManyError::TooMany(_) | ManyError::Twice(_) => Problem::field(field, error),
        ManyError::LongKey(_) => Problem::field(once::HEADER, error),
        ManyError::KeyReused(_) => Problem::new(Kind::IdempotencyConflict, error),
    }
}
