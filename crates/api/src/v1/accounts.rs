//! `/v1/accounts`: the account that is acted in and those below it: reading and creating. What becomes
//! of one later is in [`super::lifecycle`].

use axum::Json;
use axum::response::IntoResponse;
use domain::account::{AccountState, Email};
use domain::credits::Credits;
use domain::id::AccountId;
use gateway::accounts::{self, CreateError, NewAccount as New};
use serde::{Deserialize, Serialize};
use storage::accounts::Line;
use utoipa::ToSchema;

use super::asked::{Asked, state};
use super::automatic::AutomaticTransfer;
use super::balance::Balance;
use super::problem::{Kind, Problem};
use super::values::{Body, Named, Time, created};

/// An account.
#[derive(Serialize, ToSchema)]
pub struct Account {
    /// Its number.
    #[schema(example = 1900002)]
    id: i64,
    /// The account above; null for a main account, and where that is out of sight.
    #[schema(example = 1900001)]
    parent: Option<i64>,
    /// From the account that is acted in down to this one, both included.
    #[schema(example = json!([1900001, 1900002]))]
    path: Vec<i64>,
    /// The company's name; null where it has none.
    #[schema(example = "Muster GmbH, Hamburg")]
    company: Option<String>,
    /// The owner's first and last name.
    #[schema(example = "Erika Muster")]
    owner: String,
    /// The address that is its identity.
    #[schema(format = "email", example = "hamburg@muster.example")]
    email: String,
    /// Its own state: `active`, `suspended`, `closing` (can be reopened) or `closed`.
    #[schema(example = "active")]
    state: &'static str,
    /// The state that counts: the worst of its own and those of the accounts above.
    #[schema(example = "active")]
    effective_state: &'static str,
    /// Who or what put it in its own state, and why; null while it is active.
    state_reason: Option<String>,
    /// What it has.
    balance: Balance,
    /// When credit comes by itself from the account above; null where it does not.
    automatic_transfer: Option<AutomaticTransfer>,
    /// When it was created.
    created_at: Time,
}

impl Account {
    /// An account as one sees it who acts in another (or the same), whose path this begins with.
    pub fn of(asked: &Asked, line: &Line, effective: AccountState) -> Account {
        let account = &line.account;
        let seen = account.path.iter().skip_while(|id| **id != asked.account.id);
        let path: Vec<i64> = seen.map(|id| id.0).collect();
        Account {
            id: account.id.0,
            parent: account.parent.map(|id| id.0).filter(|id| path.contains(id)),
            path,
            company: account.company.clone(),
            owner: account.owner.clone(),
            email: account.email.as_str().to_owned(),
            state: account.state.as_str(),
            effective_state: effective.as_str(),
            state_reason: account.state_reason.clone().filter(|_| account.state != AccountState::Active),
            balance: Balance::of(account, line.wallet, line.promo, asked.currency()),
            automatic_transfer: account
                .auto_transfer
                .map(|rule| AutomaticTransfer::of(rule, asked.currency())),
            created_at: Time(account.created_at),
        }
    }

    /// An account as the books have it now.
    pub async fn now(asked: &Asked, id: AccountId) -> Result<Account, Problem> {
        let line = storage::accounts::line(&mut *asked.gateway().db.read().await?, id).await?;
        let line = line.ok_or_else(|| Problem::not_found(format!("account {id}")))?;
        let effective = state(asked.gateway(), &line.account).await?;
        Ok(Account::of(asked, &line, effective))
    }
}

/// An account to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The company's name; at most 200 characters.
    #[serde(default)]
    #[schema(max_length = 200, example = "Muster GmbH, Hamburg")]
    company: Option<String>,
    /// The owner's first and last name; at most 200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Erika Muster")]
    owner: String,
    /// The address that is its identity. No other account that is not closed may have it.
    #[schema(format = "email", example = "hamburg@muster.example")]
    email: String,
    /// The account it stands below; without it, the one that is acted in. It must be that account or one
    /// below it.
    #[serde(default)]
    #[schema(minimum = 1, example = 1900001)]
    parent: Option<i64>,
}

/// Create an account
///
/// A subaccount has everything an account has: its own credit, keys, members, prices and statistics.
/// Creating one costs nothing. It begins without credit; hand some out by a transfer.
#[utoipa::path(
    post,
    path = "/v1/accounts",
    operation_id = "createAccount",
    tag = "Accounts",
    request_body = NewAccount,
    responses((status = 201, description = "The account.", body = Account))
)]
pub async fn create(asked: Asked, Body(new): Body<NewAccount>) -> Result<impl IntoResponse, Problem> {
    let email = Email::parse(&new.email).map_err(|wrong| Problem::field("email", wrong))?;
    let parent = match new.parent {
        None => asked.account.clone(),
        Some(id) => asked.target(id).await.map_err(|problem| match problem.kind {
            Kind::NotFound => Problem::field("parent", problem.detail),
            _ => problem,
        })?,
    };
    let new = New {
        company: new.company,
        owner: new.owner,
        email,
        parent: Some(parent.id),
        credits: Credits::ZERO,
    };
    let account = accounts::create(asked.gateway(), &new, &asked.actor).await.map_err(refused)?;
    let at = format!("/v1/accounts/{}", account.id);
    Ok(created(at, Account::now(&asked, account.id).await?))
}

fn refused(error: CreateError) -> Problem {
    match error {
        CreateError::Storage(error) => error.into(),
        CreateError::Name { field: "company", .. } => Problem::field("company", error),
        CreateError::Name { .. } => Problem::field("owner", error),
        CreateError::Negative(_) => Problem::field("credits", error),
        CreateError::EmailTaken(_) => Problem::new(Kind::EmailInUse, error),
        CreateError::ParentNotFound(_) => Problem::field("parent", error),
        CreateError::ParentNotActive { parent, state } => Problem::new(Kind::AccountNotActive, error)
            .with("account", parent.0)
            .with("state", state.as_str()),
        CreateError::TooDeep { max, .. } => {
            Problem::new(Kind::SubaccountLimitReached, error).with("levels_max", max as i64)
        }
        CreateError::Insufficient { .. } => Problem::new(Kind::InsufficientFunds, error),
        CreateError::NoParent => Problem::field("parent", error),
        CreateError::Rule(_) => Problem::field("auto_transfer", error),
        CreateError::Setting(ref problem) => Problem::field(problem.field.as_str(), &error),
        CreateError::Invite(_) => Problem::field("email", error),
        CreateError::Before(_) | CreateError::KeyReused(_) => Problem::new(Kind::IdempotencyConflict, error),
    }
}

/// Read an account
///
/// The account that is acted in, or one below it; a closed one, too.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}",
    operation_id = "readAccount",
    tag = "Accounts",
    params(("account" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 200, description = "The account.", body = Account))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<Account>, Problem> {
    let account = asked.target(id).await?;
    Ok(Json(Account::now(&asked, account.id).await?))
}
