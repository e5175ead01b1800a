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
    /// What it may still take from the wallet of the account above by its own limits of money; null when
    /// it does not share that wallet, and in lists.
    shared: Option<Amount>,
    /// What it can spend on messages: all of these together.
    spendable: Amount,
    /// What it can hand to other accounts: its wallet, and nothing that is borrowed or free.
    transferable: Amount,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
}

impl Balance {
    /// What an account has, given what its wallet holds and what it was given for free.
    pub fn of(
        account: &Account,
        wallet: Credits,
        free: Credits,
        shared: Option<Credits>,
        currency: String,
    ) -> Balance {
        let all = [wallet, free, account.credit_line, shared.unwrap_or_default()];
        let spendable = all.iter().fold(0, |sum: i64, part| sum.saturating_add(part.0));
        Balance {
            wallet: Amount(wallet),
            free_credit: Amount(free),
            credit_line: Amount(account.credit_line),
            shared: shared.map(Amount),
            spendable: Amount(Credits(spendable)),
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
    drop(conn);
    let shared = gateway::funding::room(asked.gateway(), &asked.account).await?;
    Ok(Json(Balance::of(&asked.account, wallet, free, shared, asked.currency())))
}
