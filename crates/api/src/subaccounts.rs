//! `/api/subaccounts`: the accounts below the caller's: reading, creating, crediting and deleting.
//!
//! Failures are objects that say why, with status 200. An account that is not below the caller's
//! is not found, whether it exists or not.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::account::{Account, AccountState, AutoTransfer, Email};
use domain::credits::Credits;
use domain::id::AccountId;
use domain::key::Scope;
use gateway::accounts::{CloseError, CreateError, NewAccount, When};
use gateway::credits::{RuleError, Transfer, TransferError};
use gateway::{accounts, credits};
use serde::Serialize;
use storage::accounts::Line;

use crate::Api;
use crate::amount::WholeOrNot;
use crate::call::{Asked, Call, Reply};
use crate::error::{ApiError, Code};
use crate::parameters::whole;

const NOT_FOUND: &str = "Subaccount not found";
const INVALID_AMOUNT: &str = "Invalid amount";
const INVALID_REQUEST: &str = "Invalid request";

/// An account below.
#[derive(Serialize)]
struct Subaccount {
    id: i64,
    username: Option<String>,
    company: Option<String>,
    balance: WholeOrNot,
    total_usage: WholeOrNot,
    auto_topup: AutoTopup,
    contact: Contact,
}

/// When credit comes by itself, and how much.
#[derive(Serialize)]
struct AutoTopup {
    threshold: Option<WholeOrNot>,
    amount: Option<WholeOrNot>,
}

/// The owner.
#[derive(Serialize)]
struct Contact {
    name: String,
    email: String,
}

/// Whether something was done.
#[derive(Serialize)]
struct Outcome {
    success: bool,
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subaccount: Option<Subaccount>,
}

impl Subaccount {
    fn of(account: Account, balance: Credits, usage: Credits) -> Subaccount {
        // Four decimals, as the wire has them.
        let shown = |amount: Credits| WholeOrNot(Credits(amount.0 / 100 * 100));
        Subaccount {
            id: account.id.0,
            username: None,
            company: account.company,
            balance: shown(balance),
            total_usage: shown(usage),
            auto_topup: AutoTopup {
                threshold: account.auto_transfer.map(|rule| shown(rule.threshold)),
                amount: account.auto_transfer.map(|rule| shown(rule.amount)),
            },
            contact: Contact { name: account.owner, email: account.email.as_str().to_owned() },
        }
    }
}

impl From<Line> for Subaccount {
    fn from(line: Line) -> Subaccount {
        let balance = line.wallet.checked_add(line.promo).unwrap_or(line.wallet);
        // Clients that list read a text; only the answer to a creation may have nothing.
        let name = line.account.name().to_owned();
        Subaccount { company: Some(name), ..Subaccount::of(line.account, balance, line.usage) }
    }
}

/// What came of a request to change something: done, refused with a reason, or an error of ours.
type Changed = Result<Result<Option<Subaccount>, String>, ApiError>;

fn refused(why: impl ToString) -> Changed {
    Ok(Err(why.to_string()))
}

fn reply(changed: Changed) -> Result<Reply, ApiError> {
    Ok(match changed? {
        Ok(subaccount) => Reply::json(&Outcome { success: true, error: None, subaccount }),
        Err(why) => Reply::json(&Outcome { success: false, error: Some(why), subaccount: None })
            .counted_as(Code::UNKNOWN),
    })
}

/// Defines an endpoint that opens the call and answers with what an operation says.
macro_rules! endpoint {
    ($(#[$doc:meta])* $name:ident, $work:expr) => {
        $(#[$doc])*
        pub async fn $name(State(api): State<Api>, call: Call) -> Response {
            match call.open(&api, "subaccounts", Scope::Subaccounts).await {
                Ok(asked) => asked.answer($work(&asked).await),
                Err(refused) => *refused,
            }
        }
    };
}

endpoint!(
    /// `GET /api/subaccounts/list` and `/read`: the accounts right below, or one by its id.
    read,
    list
);
endpoint!(
    /// `POST /api/subaccounts/create`.
    create,
    async |asked| reply(created(asked).await)
);
endpoint!(
    /// `POST /api/subaccounts/update`: when credit comes by itself, and how much.
    update,
    async |asked| reply(updated(asked).await)
);
endpoint!(
    /// `POST /api/subaccounts/transfer_credits`: moves credit down, once.
    transfer,
    async |asked| reply(transferred(asked).await)
);
endpoint!(
    /// `POST /api/subaccounts/delete`: closes an account; what was handed down to it comes back.
    remove,
    async |asked| reply(removed(asked).await)
);
endpoint!(
    /// `/api/subaccounts?action=`: the same by a parameter; without one, the list.
    legacy,
    by_action
);

async fn by_action(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    match asked.parameters.text("action") {
        None | Some("read" | "list") => list(asked).await,
        Some("create" | "write") => reply(created(asked).await),
        Some("update") => reply(updated(asked).await),
        Some("transfer_credits") => reply(transferred(asked).await),
        Some("delete" | "del") => reply(removed(asked).await),
        Some(_) => reply(refused(INVALID_REQUEST)),
    }
}

async fn list(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let gateway = &asked.api.gateway;
    let own = &asked.caller.account;
    let id = asked.parameters.text("id").filter(|id| whole(id) != Some(0));
    let lines = match id {
        None => storage::accounts::lines_of_children(&mut *gateway.db.read().await?, own.id).await?,
        Some(_) => match below(asked).await? {
            Some(account) => storage::accounts::line(&mut *gateway.db.read().await?, account.id)
                .await?
                .into_iter()
                .collect(),
            None => Vec::new(),
        },
    };
    let subaccounts: Vec<Subaccount> = lines.into_iter().map(Subaccount::from).collect();
    Ok(Reply::json(&subaccounts))
}

/// The account of the parameter `id`, when it is below the caller's, at any distance, and not closed.
async fn below(asked: &Asked<'_>) -> Result<Option<Arc<Account>>, ApiError> {
    let Some(id) = asked.parameters.text("id").and_then(whole) else { return Ok(None) };
    let found = asked.api.gateway.account(AccountId(id)).await?;
    Ok(found.filter(|a| asked.caller.account.is_above(a) && a.state != AccountState::Closed))
}

/// A suspended account reads, and changes nothing.
fn may_change(asked: &Asked<'_>) -> Result<(), String> {
    match asked.caller.state {
        AccountState::Active => Ok(()),
        state => Err(format!(
            "account {} is {} and can change nothing; an administrator above it can activate it",
            asked.caller.account.id,
            state.as_str()
        )),
    }
}

const SANDBOX: &str = "This is a sandbox key; it changes no account and moves no credit";

async fn created(asked: &Asked<'_>) -> Changed {
    if let Err(why) = may_change(asked) {
        return refused(why);
    }
    let parameters = &asked.parameters;
    let email = match Email::parse(parameters.text("email").unwrap_or("")) {
        Ok(email) => email,
        Err(_) => return refused("Please provide a valid email address"),
    };
    let Some(owner) = parameters.text("name") else {
        return refused("Please provide the first and last name of the owner");
    };
    if asked.caller.key.sandbox {
        return refused(SANDBOX);
    }
    let new = NewAccount {
        company: parameters.text("company").map(str::to_owned),
        owner: owner.to_owned(),
        email,
        parent: Some(asked.caller.account.id),
        credits: Credits::ZERO,
    };
    match accounts::create(&asked.api.gateway, &new, &asked.actor()).await {
        Ok(account) => Ok(Ok(Some(Subaccount::of(account, Credits::ZERO, Credits::ZERO)))),
        Err(CreateError::Storage(error)) => Err(error.into()),
        Err(why) => refused(why),
    }
}

async fn updated(asked: &Asked<'_>) -> Changed {
    if let Err(why) = may_change(asked) {
        return refused(why);
    }
    let Some(account) = below(asked).await? else { return refused(NOT_FOUND) };
    let amounts = (asked.parameters.amount("threshold"), asked.parameters.amount("amount"));
    let (Some(threshold), Some(amount)) = amounts else { return refused(INVALID_REQUEST) };
    let (Some(threshold), Some(amount)) = (threshold, amount) else { return refused(INVALID_AMOUNT) };
    if threshold < Credits::ZERO || amount < Credits::ZERO {
        return refused(INVALID_AMOUNT);
    }
    if asked.caller.key.sandbox {
        return refused(SANDBOX);
    }
    // Ceilings are not of this interface; those that are set stay.
    let before = account.auto_transfer;
    let rule = AutoTransfer {
        threshold,
        amount,
        day_max: before.and_then(|rule| rule.day_max),
        month_max: before.and_then(|rule| rule.month_max),
    };
    match credits::set_auto_transfer(&asked.api.gateway, account.id, rule, &asked.actor()).await {
        Ok(()) => Ok(Ok(None)),
        Err(RuleError::Storage(error)) => Err(error.into()),
        Err(RuleError::NotFound(_) | RuleError::Closed(_)) => refused(NOT_FOUND),
        Err(why) => refused(why),
    }
}

async fn transferred(asked: &Asked<'_>) -> Changed {
    let amount = asked.parameters.amount("amount").flatten().filter(|amount| amount.is_positive());
    let Some(amount) = amount else { return refused(INVALID_AMOUNT) };
    let Some(account) = below(asked).await? else { return refused(NOT_FOUND) };
    if let Err(why) = may_change(asked) {
        return refused(why);
    }
    if asked.caller.key.sandbox {
        return refused(SANDBOX);
    }
    let key = asked
        .call
        .headers
        .get("idempotency-key")
        .map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
    let transfer = Transfer {
        from: asked.caller.account.id,
        to: account.id,
        amount,
        reference: asked.parameters.text("reference").unwrap_or("").to_owned(),
        idempotency_key: key.filter(|key| !key.is_empty()),
        asked_by: Some(asked.caller.account.id),
    };
    match credits::transfer(&asked.api.gateway, &transfer, &asked.actor()).await {
        Ok(_) => Ok(Ok(None)),
        Err(TransferError::Storage(error)) => Err(error.into()),
        Err(TransferError::NotFound(_)) => refused(NOT_FOUND),
        Err(TransferError::Closed(id)) if id == account.id => refused(NOT_FOUND),
        Err(why) => refused(why),
    }
}

async fn removed(asked: &Asked<'_>) -> Changed {
    let Some(account) = below(asked).await? else { return refused(NOT_FOUND) };
    if let Err(why) = may_change(asked) {
        return refused(why);
    }
    if asked.caller.key.sandbox {
        return refused(SANDBOX);
    }
    let actor = asked.actor();
    match accounts::close(&asked.api.gateway, account.id, When::AtOnce, "deleted by the API", &actor).await {
        Ok(_) => Ok(Ok(None)),
        Err(CloseError::Storage(error)) => Err(error.into()),
        Err(CloseError::NotFound(_) | CloseError::Closed(_)) => refused(NOT_FOUND),
        Err(why) => refused(why),
    }
}
