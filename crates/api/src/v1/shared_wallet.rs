//! `/v1/accounts/{account}/shared-wallet`: an account that sends on the wallet of the account above.

use axum::Json;
use domain::account::{Account, SharedWallet as Shared};
use domain::credits::Credits;
use gateway::funding::{self, Sharing, SharingError};
use gateway::limits::LimitError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::problem::{Kind, Problem};
use super::values::{Amount, Body, Named, Time};

/// From when until when an account uses the wallet of the account above.
#[derive(Serialize, ToSchema)]
pub struct SharedWallet {
    /// From when on. Before, it pays from its own wallet.
    from: Time,
    /// Until when; null is without an end.
    until: Option<Time>,
    /// Whether it does so now.
    active: bool,
    /// What it may still spend by its own limits of money; null when it does not share the wallet now.
    available: Option<Amount>,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
}

/// How the wallet is to be shared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSharedWallet {
    /// The most the account may spend in a month; above zero. It becomes the limit `spend_month` of the
    /// account.
    cap: Amount,
    /// From when on; null, absent or past is at once.
    #[serde(default)]
    from: Option<Time>,
    /// Until when, later than it begins; null or absent is without an end.
    #[serde(default)]
    until: Option<Time>,
}

/// Read who shares its wallet
///
/// From when until when an account sends on the wallet of the account above it.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/shared-wallet",
    operation_id = "readSharedWallet",
    tag = "Credits",
    params(("account" = i64, Path, description = "The account that is acted in, or one below it.", minimum = 1)),
    responses((status = 200, description = "What is agreed.", body = SharedWallet))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<SharedWallet>, Problem> {
    let account = asked.target(id).await?;
    let none = || Problem::not_found(format!("shared wallet for account {id}; it pays from its own"));
    let shared = account.shared_wallet.ok_or_else(none)?;
    Ok(Json(told(&asked, &account, shared).await?))
}

/// Share the wallet
///
/// What the account's own wallet does not hold comes from the account above in the moment it sends, up to
/// the cap a month. Its own credit is used first. It replaces what was agreed before.
#[utoipa::path(
    put,
    path = "/v1/accounts/{account}/shared-wallet",
    operation_id = "setSharedWallet",
    tag = "Credits",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    request_body = NewSharedWallet,
    responses((status = 200, description = "What is agreed now.", body = SharedWallet))
)]
pub async fn set(
    asked: Asked,
    Named(id): Named<i64>,
    Body(new): Body<NewSharedWallet>,
) -> Result<Json<SharedWallet>, Problem> {
    let account = asked.below(id).await?;
    let sharing = Sharing { from: new.from.map(|at| at.0), until: new.until.map(|at| at.0), cap: new.cap.0 };
    let (gateway, actor) = (asked.gateway(), asked.actor_for(&account));
    funding::share_wallet(gateway, account.id, asked.account.id, sharing, &actor).await.map_err(refused)?;
    let account = asked.below(id).await?;
    let shared = account.shared_wallet.ok_or_else(|| Problem::not_found(format!("account {id}")))?;
    Ok(Json(told(&asked, &account, shared).await?))
}

/// Stop sharing the wallet
///
/// From now on the account pays from its own wallet. Its limits stay as they are. Doing so again changes
/// nothing.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/shared-wallet",
    operation_id = "removeSharedWallet",
    tag = "Credits",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    responses((status = 204, description = "It pays from its own wallet."))
)]
pub async fn remove(asked: Asked, Named(id): Named<i64>) -> Result<axum::http::StatusCode, Problem> {
    let account = asked.below(id).await?;
    let actor = asked.actor_for(&account);
    funding::stop_sharing(asked.gateway(), account.id, None, &actor).await.map_err(refused)?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

async fn told(asked: &Asked, account: &Account, shared: Shared) -> Result<SharedWallet, Problem> {
    let available = funding::room(asked.gateway(), account).await?;
    Ok(SharedWallet {
        from: Time(shared.from),
        until: shared.until.map(Time),
        active: shared.at(asked.gateway().clock.now()),
        available: available.map(|room: Credits| Amount(room)),
        currency: asked.currency(),
    })
}

fn refused(error: SharingError) -> Problem {
    match error {
        SharingError::Storage(error) | SharingError::Limit(LimitError::Storage(error)) => error.into(),
        SharingError::NotFound(id) => Problem::not_found(format!("account {id}")),
        SharingError::Closed(id) => Problem::new(Kind::AccountClosed, error).with("account", id.0),
        SharingError::NoParent(_) => Problem::new(Kind::TransferNotAllowed, error),
        SharingError::NoCap(_) | SharingError::Limit(_) => Problem::field("cap", error),
        SharingError::EndsFirst => Problem::field("until", error),
    }
}
