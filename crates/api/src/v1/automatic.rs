//! `/v1/accounts/{account}/automatic-transfer`: credit that comes by itself from the account above.

use axum::Json;
use domain::account::AutoTransfer;
use domain::credits::Credits;
use gateway::credits::{self, RuleError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::problem::{Kind, Problem};
use super::values::{Amount, Body, Named};

/// When credit comes by itself, and how much.
#[derive(Serialize, ToSchema)]
pub struct AutomaticTransfer {
    /// A balance below this asks for credit.
    threshold: Amount,
    /// How much comes at once.
    amount: Amount,
    /// The most that may come on one day; null is no ceiling.
    day_max: Option<Amount>,
    /// The most that may come in one month; null is no ceiling.
    month_max: Option<Amount>,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
}

impl AutomaticTransfer {
    /// A rule.
    pub fn of(rule: AutoTransfer, currency: String) -> AutomaticTransfer {
        AutomaticTransfer {
            threshold: Amount(rule.threshold),
            amount: Amount(rule.amount),
            day_max: rule.day_max.map(Amount),
            month_max: rule.month_max.map(Amount),
            currency,
        }
    }
}

/// The rule to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAutomaticTransfer {
    /// A balance below this asks for credit; not below zero.
    threshold: Amount,
    /// How much comes at once; above zero.
    amount: Amount,
    /// The most that may come on one day, and at least one amount; null or absent is no ceiling.
    #[serde(default)]
    day_max: Option<Amount>,
    /// The most that may come in one month, and at least one amount; null or absent is no ceiling.
    #[serde(default)]
    month_max: Option<Amount>,
}

impl From<&NewAutomaticTransfer> for AutoTransfer {
    fn from(new: &NewAutomaticTransfer) -> AutoTransfer {
        AutoTransfer {
            threshold: new.threshold.0,
            amount: new.amount.0,
            day_max: new.day_max.map(|max| max.0),
            month_max: new.month_max.map(|max| max.0),
        }
    }
}

/// Read the automatic transfer
///
/// The rule by which credit comes to an account from the one above it.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/automatic-transfer",
    operation_id = "readAutomaticTransfer",
    tag = "Credits",
    params(("account" = i64, Path, description = "The account that is acted in, or one below it.", minimum = 1)),
    responses((status = 200, description = "The rule.", body = AutomaticTransfer))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<AutomaticTransfer>, Problem> {
    let account = asked.target(id).await?;
    let none =
        || Problem::not_found(format!("automatic transfer to account {id}; it gets credit by hand only"));
    let rule = account.auto_transfer.ok_or_else(none)?;
    Ok(Json(AutomaticTransfer::of(rule, asked.currency())))
}

/// Set the automatic transfer
///
/// From now on, when the balance of the account falls below the threshold, the amount comes from the
/// account above, once a crossing and within the ceilings. When that account has too little, nothing
/// moves and both sides are told. It replaces the rule there was.
#[utoipa::path(
    put,
    path = "/v1/accounts/{account}/automatic-transfer",
    operation_id = "setAutomaticTransfer",
    tag = "Credits",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    request_body = NewAutomaticTransfer,
    responses((status = 200, description = "The rule as it is now.", body = AutomaticTransfer))
)]
pub async fn set(
    asked: Asked,
    Named(id): Named<i64>,
    Body(new): Body<NewAutomaticTransfer>,
) -> Result<Json<AutomaticTransfer>, Problem> {
    let account = asked.below(id).await?;
    if !new.amount.0.is_positive() {
        return Err(Problem::field("amount", format!("it is {}; it must be above zero", new.amount.0)));
    }
    let rule = AutoTransfer::from(&new);
    let actor = asked.actor_for(&account);
    credits::set_auto_transfer(asked.gateway(), account.id, rule, &actor).await.map_err(refused)?;
    Ok(Json(AutomaticTransfer::of(rule, asked.currency())))
}

/// Remove the automatic transfer
///
/// From now on credit comes to the account by hand only. Doing so again changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/automatic-transfer",
    operation_id = "removeAutomaticTransfer",
    tag = "Credits",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    responses((status = 204, description = "There is no rule now."))
)]
pub async fn remove(asked: Asked, Named(id): Named<i64>) -> Result<axum::http::StatusCode, Problem> {
    let account = asked.below(id).await?;
    if account.auto_transfer.is_some() {
        let none =
            AutoTransfer { threshold: Credits::ZERO, amount: Credits::ZERO, day_max: None, month_max: None };
        let actor = asked.actor_for(&account);
        credits::set_auto_transfer(asked.gateway(), account.id, none, &actor).await.map_err(refused)?;
    }
    Ok(axum::http::StatusCode::NO_CONTENT)
}

fn refused(error: RuleError) -> Problem {
    let of_field = |field: &str| match field {
        "ceiling of the day" => "day_max",
        "ceiling of the month" => "month_max",
        "threshold" => "threshold",
        _ => "amount",
    };
    match error {
        RuleError::Storage(error) => error.into(),
        RuleError::NotFound(id) => Problem::not_found(format!("account {id}")),
        RuleError::Closed(id) => Problem::new(Kind::AccountClosed, error).with("account", id.0),
        RuleError::NoParent(_) => Problem::new(Kind::TransferNotAllowed, error),
        RuleError::Negative { field, .. } | RuleError::Ceiling { field, .. } => {
            Problem::field(of_field(field), error)
        }
        RuleError::InUse { .. } => Problem::new(Kind::BalanceNotSettled, error),
    }
}
