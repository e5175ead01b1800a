//! `/v1/balance`: what an account has.

use axum::Json;
use domain::account::Account;
use domain::credits::Credits;
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::problem::Problem;
use super::values::Amount;

/// What an account has.
#[derive(Serialize, ToSchema)]
pub struct Balance {
    /// What its wallet holds. Below zero where it uses its credit line.
    wallet: Amount,
    /// Credit it was given for free, which is used up first.
    free_credit: Amount,
    /// How far below zero its wallet may go by messages. The operator of the installation sets it.
    credit_line: Amount,
    /// What it can spend on messages: all three together.
    spendable: Amount,
    /// What it can hand to other accounts: its wallet, and nothing that is borrowed or free.
    transferable: Amount,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
}

impl Balance {
    /// What an account has, given what its wallet holds and what it was given for free.
    pub fn of(account: &Account, wallet: Credits, free: Credits, currency: String) -> Balance {
        let sum =
            |all: [Credits; 3]| Credits(all.iter().fold(0, |sum: i64, part| sum.saturating_add(part.0)));
        Balance {
            wallet: Amount(wallet),
            free_credit: Amount(free),
            credit_line: Amount(account.credit_line),
            spendable: Amount(sum([wallet, free, account.credit_line])),
            transferable: Amount(wallet.max(Credits::ZERO)),
            currency,
        }
    }
}

/// Read the balance
///
/// What the account that is acted in has, and what of it can be spent and handed on.
#[utoipa::path(
    get,
    path = "/v1/balance",
    operation_id = "readBalance",
    tag = "Credits",
    responses((status = 200, description = "The balance.", body = Balance))
)]
pub async fn read(asked: Asked) -> Result<Json<Balance>, Problem> {
    let mut conn = asked.gateway().db.read().await?;
    let (wallet, free) = storage::ledger::balance(&mut conn, asked.account.id).await?;
    Ok(Json(Balance::of(&asked.account, wallet, free, asked.currency())))
}
