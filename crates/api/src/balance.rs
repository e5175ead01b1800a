//! `/api/balance`: what the account can spend.

use axum::extract::State;
use axum::response::Response;
use domain::key::Scope;
use serde::Serialize;
use storage::ledger;

use crate::Api;
use crate::amount::{Amount, balance_text, cut};
use crate::call::{Asked, Call, Reply};
use crate::error::ApiError;

/// The answer as JSON.
#[derive(Serialize)]
struct Balance<'a> {
    amount: Amount,
    currency: &'a str,
}

/// `GET /api/balance`: wallet and free credit together.
pub async fn read(State(api): State<Api>, call: Call) -> Response {
    match call.open(&api, "balance", Scope::Balance).await {
        Ok(asked) => asked.answer(balance(&asked).await),
        Err(refused) => *refused,
    }
}

async fn balance(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let gateway = &asked.api.gateway;
    let (wallet, promo) = ledger::balance(&mut *gateway.db.read().await?, asked.caller.account.id).await?;
    let room = gateway::funding::room(gateway, &asked.caller.account).await?;
    let own = wallet.checked_add(promo).unwrap_or(wallet);
    let balance = room.and_then(|room| own.checked_add(room)).unwrap_or(own);
    Ok(match asked.json {
        true => Reply::json(&Balance { amount: Amount(cut(balance)), currency: &gateway.rules.currency }),
        false => Reply::text(balance_text(balance)),
    })
}
