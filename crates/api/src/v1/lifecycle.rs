//! `/v1/accounts/{account}/suspend` and its like: what becomes of an account below.

use axum::Json;
use domain::account::AccountState;
use domain::id::AccountId;
use gateway::accounts::{self, Blocker, CloseError, REASON_MAX, StateError, When};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::Account;
use super::asked::Asked;
use super::problem::{Kind, Problem};
use super::values::{Amount, Body, Named, Time};

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why; the members of the account can read it. At most 255 characters.
    #[schema(min_length = 1, max_length = 255, example = "unpaid since October")]
    reason: String,
}

/// How an account is closed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// Why; it stands in the account and in the statement. At most 255 characters.
    #[serde(default)]
    #[schema(max_length = 255, example = "the branch has moved")]
    reason: String,
    /// Whether it is closed now, for good. Else it can be reopened for 30 days, and its credit stays
    /// until then.
    #[serde(default)]
    at_once: bool,
}

/// A reason that is not too long.
pub fn short(reason: &str) -> Result<(), Problem> {
    match reason.chars().count() {
        0..=REASON_MAX => Ok(()),
        length => {
            Err(Problem::field("reason", format!("it has {length} characters; use at most {REASON_MAX}")))
        }
    }
}

/// Suspend an account
///
/// Stops it and those below it from sending, at once. It can still be read and exported, and its
/// members can read the reason.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/suspend",
    operation_id = "suspendAccount",
    tag = "Accounts",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    request_body = Reason,
    responses((status = 200, description = "The account as it is now.", body = Account))
)]
pub async fn suspend(
    asked: Asked,
    Named(id): Named<i64>,
    Body(Reason { reason }): Body<Reason>,
) -> Result<Json<Account>, Problem> {
    let account = asked.below(id).await?;
    short(&reason)?;
    let actor = asked.actor_for(&account);
    accounts::suspend(asked.gateway(), account.id, &reason, &actor).await.map_err(not_changed)?;
    Ok(Json(Account::now(&asked, account.id).await?))
}

/// Activate an account
///
/// Lets a suspended account send again. Where an account above it is suspended, it stays suspended by
/// that: `effective_state` says so.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/activate",
    operation_id = "activateAccount",
    tag = "Accounts",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    responses((status = 200, description = "The account as it is now.", body = Account))
)]
pub async fn activate(asked: Asked, Named(id): Named<i64>) -> Result<Json<Account>, Problem> {
    let account = asked.below(id).await?;
    if account.state == AccountState::Closing {
        let detail = format!("account {id} is closing and cannot be activated; reopen it");
        return Err(Problem::new(Kind::WrongState, detail).with("state", account.state.as_str()));
    }
    set_active(&asked, &account).await
}

/// Reopen an account
///
/// Takes back that an account is to be closed, within 30 days of it.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/reopen",
    operation_id = "reopenAccount",
    tag = "Accounts",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    responses((status = 200, description = "The account as it is now.", body = Account))
)]
pub async fn reopen(asked: Asked, Named(id): Named<i64>) -> Result<Json<Account>, Problem> {
    let account = asked.below(id).await?;
    if account.state == AccountState::Suspended {
        let detail = format!("account {id} is suspended and cannot be reopened; activate it");
        return Err(Problem::new(Kind::WrongState, detail).with("state", account.state.as_str()));
    }
    set_active(&asked, &account).await
}

async fn set_active(asked: &Asked, account: &domain::account::Account) -> Result<Json<Account>, Problem> {
    let actor = asked.actor_for(account);
    accounts::activate(asked.gateway(), account.id, &actor).await.map_err(not_changed)?;
    Ok(Json(Account::now(asked, account.id).await?))
}

/// Why the state of an account is not changed.
pub fn not_changed(error: StateError) -> Problem {
    match error {
        StateError::Storage(error) => error.into(),
        StateError::NotFound(id) | StateError::NotMain(id) => Problem::not_found(format!("account {id}")),
        StateError::Locked(id) => Problem::new(Kind::StateLockedByPlatform, error).with("account", id.0),
        StateError::NoReason(_) => Problem::field("reason", error),
        StateError::WrongState { account, state: AccountState::Closed, .. } => {
            Problem::new(Kind::AccountClosed, error).with("account", account.0)
        }
        StateError::WrongState { state, .. } => {
            Problem::new(Kind::WrongState, error).with("state", state.as_str())
        }
    }
}

/// Close an account
///
/// Closes an account below, or begins to. It must have no open accounts below it and no messages under
/// way. What was handed down to it goes back to where it came from; credit of its own goes back to
/// whoever paid it. `GET` on the same path tells beforehand what will happen.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/close",
    operation_id = "closeAccount",
    tag = "Accounts",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    request_body = Closing,
    responses((status = 200, description = "The account as it is now.", body = Account))
)]
pub async fn close(
    asked: Asked,
    Named(id): Named<i64>,
    Body(closing): Body<Closing>,
) -> Result<Json<Account>, Problem> {
    let account = asked.below(id).await?;
    short(&closing.reason)?;
    let when = if closing.at_once { When::AtOnce } else { When::Later };
    let actor = asked.actor_for(&account);
    let closed = accounts::close(asked.gateway(), account.id, when, &closing.reason, &actor).await;
    closed.map_err(not_closed)?;
    Ok(Json(Account::now(&asked, account.id).await?))
}

/// What closing an account would do now.
#[derive(Serialize, ToSchema)]
pub struct ClosingPreview {
    /// Whether nothing keeps it from being closed.
    possible: bool,
    /// What keeps it open.
    blockers: Vec<ClosingBlocker>,
    /// Credit that goes back to the accounts above that have handed it down, the nearest first.
    back: Vec<CreditBack>,
    /// Credit of its own, which goes back to whoever paid it. While there is some, it cannot be closed at
    /// once.
    own_credit: Amount,
    /// Free credit, which ends.
    free_credit: Amount,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
    /// How many members lose access.
    #[schema(example = 2)]
    members: usize,
    /// How many invitations are taken back.
    #[schema(example = 0)]
    invitations: usize,
    /// How many API keys stop working.
    #[schema(example = 1)]
    keys: usize,
    /// Whether an automatic transfer to it ends.
    automatic_transfer_ends: bool,
    /// Until when it could be reopened.
    final_at: Time,
}

/// Something that keeps an account open.
#[derive(Serialize, ToSchema)]
pub struct ClosingBlocker {
    /// The code that closing it would be refused with: `has_children`, `messages_under_way` or
    /// `balance_not_settled`.
    #[schema(example = "has_children")]
    code: &'static str,
    /// What to do about it.
    #[schema(example = "2 accounts below it are open; close them first")]
    detail: String,
}

/// Credit that goes back to an account above.
#[derive(Serialize, ToSchema)]
pub struct CreditBack {
    /// The account; null where that is out of sight.
    #[schema(example = 1900001)]
    account: Option<i64>,
    /// How much.
    amount: Amount,
}

impl ClosingBlocker {
    fn of(blocker: &Blocker) -> ClosingBlocker {
        let (kind, detail) = match blocker {
            Blocker::Children { count, .. } => {
                (Kind::HasChildren, format!("accounts below it are open ({count}); close them first"))
            }
            Blocker::Messages { scheduled, under_way, refunds } => (
                Kind::MessagesUnderWay,
                format!(
                    "{scheduled} messages are scheduled, {under_way} under way, and {refunds} refunds wait; cancel the \
                     scheduled ones and wait for the others"
                ),
            ),
            Blocker::Owes(owed) => {
                (Kind::BalanceNotSettled, format!("it owes {owed}; balance its wallet before closing it"))
            }
        };
        ClosingBlocker { code: kind.code(), detail }
    }
}

/// Preview closing an account
///
/// What closing an account would do now: where its credit goes, who and what loses access, and what keeps
/// it open. Nothing changes.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/close",
    operation_id = "previewClosing",
    tag = "Accounts",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    responses((status = 200, description = "What would happen.", body = ClosingPreview))
)]
pub async fn preview(asked: Asked, Named(id): Named<i64>) -> Result<Json<ClosingPreview>, Problem> {
    let account = asked.below(id).await?;
    let preview = accounts::close_preview(asked.gateway(), account.id).await.map_err(not_closed)?;
    let in_sight =
        |id: AccountId| (id == asked.account.id || !asked.account.path.contains(&id)).then_some(id.0);
    Ok(Json(ClosingPreview {
        possible: preview.blockers.is_empty(),
        blockers: preview.blockers.iter().map(ClosingBlocker::of).collect(),
        back: preview
            .back
            .iter()
            .map(|back| CreditBack { account: in_sight(back.to), amount: Amount(back.amount) })
            .collect(),
        own_credit: Amount(preview.own),
        free_credit: Amount(preview.free),
        currency: asked.currency(),
        members: preview.members.len(),
        invitations: preview.invitations.len(),
        keys: preview.keys.len(),
        automatic_transfer_ends: preview.auto_transfer,
        final_at: Time(preview.final_at),
    }))
}

/// Why an account is not closed.
pub fn not_closed(error: CloseError) -> Problem {
    match error {
        CloseError::Storage(error) => error.into(),
        CloseError::NotFound(id) => Problem::not_found(format!("account {id}")),
        CloseError::Closed(id) => Problem::new(Kind::AccountClosed, error).with("account", id.0),
        CloseError::OpenChildren { count, ref children, .. } => {
            let children: Vec<i64> = children.iter().map(|id| id.0).collect();
            Problem::new(Kind::HasChildren, error).with("count", count as i64).with("accounts", children)
        }
        CloseError::UnderWay { count, .. } => {
            Problem::new(Kind::MessagesUnderWay, error).with("count", count)
        }
        CloseError::OwnCredit { amount, .. } => {
            Problem::new(Kind::BalanceNotSettled, error).with_amount("own_credit", amount)
        }
        CloseError::Owes { owed, .. } => {
            Problem::new(Kind::BalanceNotSettled, error).with_amount("owed", owed)
        }
    }
}
