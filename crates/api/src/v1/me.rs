//! `/v1/me`: the key that is shown, and where it acts.

use axum::Json;
use domain::key::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::keys::Key;
use super::problem::Problem;

/// Who is asking.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// The key that was shown, without its secret.
    key: Key,
    /// The account that is acted in: the key's own, or the one that `X-Account-Id` names.
    #[schema(example = 1900001)]
    account: i64,
    /// Its name: the company, or else the owner.
    #[schema(example = "Muster GmbH")]
    account_name: String,
    /// What the account may do, all above it considered: `active`, `suspended` or `closing`.
    #[schema(example = "active")]
    state: &'static str,
    /// The installation's currency (ISO 4217): every amount is in it.
    #[schema(example = "EUR")]
    currency: String,
    /// The time zone whose dates the statistics count by (IANA).
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// The scopes that the key lacks, and that exist.
    #[schema(example = json!(["keys:write"]))]
    scopes_missing: Vec<&'static str>,
}

/// Who is asking
///
/// The key, its scopes, and the account it acts in. The first call to make with a new key.
#[utoipa::path(
    get,
    path = "/v1/me",
    operation_id = "readMe",
    tag = "Keys",
    responses((status = 200, description = "The key and its account.", body = Me))
)]
pub async fn read(asked: Asked) -> Result<Json<Me>, Problem> {
    let key = &asked.key;
    let lacks = |scope: &Scope| !key.scopes.has(*scope);
    let rules = &asked.gateway().rules;
    Ok(Json(Me {
        key: Key::of(key, None),
        account: asked.account.id.0,
        account_name: asked.account.name().to_owned(),
        state: asked.state.as_str(),
        currency: rules.currency.clone(),
        time_zone: rules.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        scopes_missing: Scope::ALL.iter().filter(|scope| lacks(scope)).map(|scope| scope.as_str()).collect(),
    }))
}
