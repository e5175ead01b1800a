//! `branchline credits`: granting credit, moving it up and down a tree, and letting it come by itself.

use anyhow::Result;
use clap::{Args, Subcommand};
use domain::account::AutoTransfer;
use domain::actor::Actor;
use domain::credits::Credits as Amount;
use domain::id::AccountId;
use gateway::credits::{self, Done, Grant as Granted, Transfer as Moved, TransferError};
use gateway::{Base, Clock};
use serde_json::json;

use crate::Common;
use crate::account::{not_found, rule_refused};
use crate::arguments::{account_id, end_of};
use crate::books::{self, Missing};
use crate::failure::Failure;

/// Grant and move credits.
#[derive(Subcommand)]
pub enum Credits {
    /// Grant credit to an account
    Grant(Grant),
    /// Move credit from an account to one above or below it
    Transfer(Transfer),
    /// Let credit come by itself from the account above when little is left
    Auto(Auto),
}

/// What to grant.
#[derive(Args)]
pub struct Grant {
    /// The account that gets it
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: AccountId,
    /// How much, such as 10.00
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    amount: Amount,
    /// Why; it stands in the account's statement
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Granting again with the same key does nothing more
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Free credit, used up first, that ends with this day
    #[arg(long, value_name = "DATE")]
    free_until: Option<String>,
}

/// What to move.
#[derive(Args)]
pub struct Transfer {
    /// The account that gives
    #[arg(long, value_name = "ID", value_parser = account_id)]
    from: AccountId,
    /// The account that gets
    #[arg(long, value_name = "ID", value_parser = account_id)]
    to: AccountId,
    /// How much, such as 10.00
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    amount: Amount,
    /// What stands in both statements
    #[arg(long, value_name = "TEXT", default_value = "")]
    reference: String,
    /// Transferring again with the same key does nothing more
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// The rule.
#[derive(Args)]
pub struct Auto {
    /// The account that gets it
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: AccountId,
    /// It comes when less than this is left
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, required_unless_present = "off")]
    threshold: Option<Amount>,
    /// How much comes at once
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, required_unless_present = "off")]
    amount: Option<Amount>,
    /// The most that may come on one day
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    day_max: Option<Amount>,
    /// The most that may come in one month
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    month_max: Option<Amount>,
    /// Nothing comes by itself any more
    #[arg(long, conflicts_with_all = ["threshold", "amount", "day_max", "month_max"])]
    off: bool,
}

impl Credits {
    /// Does what was asked for.
    pub async fn run(self, common: &Common) -> Result<()> {
        let settings = common.settings(None)?;
        let base = books::base(&settings, Missing::Refuse, Clock::of_the_machine()).await?;
        match self {
            Credits::Grant(grant) => grant.run(&base, common).await,
            Credits::Transfer(transfer) => transfer.run(&base, common).await,
            Credits::Auto(auto) => auto.run(&base, common).await,
        }
    }
}

impl Grant {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let grant = Granted {
            account: self.account,
            amount: self.amount,
            reason: self.reason,
            idempotency_key: self.idempotency_key,
            promo_until: match &self.free_until {
                Some(date) => Some(end_of("free_until", date, &base.rules.time_zone)?),
                None => None,
            },
        };
        let done = credits::grant(base, &grant, &Actor::command_line())
            .await
            .map_err(|error| refused(error, "account"))?;
        let balance = balance(base, self.account).await?;
        let currency = &base.rules.currency;
        let words = match done.repeated {
            false => format!(
                "granted {} {currency} to account {}, which holds {balance} now",
                self.amount, self.account
            ),
            true => format!("granted before; account {} holds {balance} {currency}", self.account),
        };
        common.output().say(&object_of(done, [(self.account, balance)]), &words);
        Ok(())
    }
}

impl Transfer {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let (from, to, amount) = (self.from, self.to, self.amount);
        let moved = Moved {
            from,
            to,
            amount,
            reference: self.reference,
            idempotency_key: self.idempotency_key,
            asked_by: None,
        };
        let done = credits::transfer(base, &moved, &Actor::command_line()).await.map_err(|error| {
            let field = if matches!(error, TransferError::NotFound(id) if id == to) { "to" } else { "from" };
            refused(error, field)
        })?;
        let (left, now) = (balance(base, from).await?, balance(base, to).await?);
        let currency = &base.rules.currency;
        let words = match done.repeated {
            false => {
                format!("moved {amount} {currency}: account {from} holds {left} now, account {to} {now}")
            }
            true => format!("moved before; account {from} holds {left} {currency}, account {to} {now}"),
        };
        common.output().say(&object_of(done, [(from, left), (to, now)]), &words);
        Ok(())
    }
}

impl Auto {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let rule = AutoTransfer {
            threshold: self.threshold.unwrap_or(Amount::ZERO),
            amount: self.amount.unwrap_or(Amount::ZERO),
            day_max: self.day_max,
            month_max: self.month_max,
        };
        credits::set_auto_transfer(base, self.account, rule, &Actor::command_line())
            .await
            .map_err(rule_refused)?;
        let on = rule.amount.is_positive();
        let words = match on {
            true => format!(
                "{} comes to account {} whenever it holds less than {}",
                rule.amount, self.account, rule.threshold
            ),
            false => format!("nothing comes by itself to account {} any more", self.account),
        };
        let object = json!({
            "account": self.account.0,
            "active": on,
            "threshold": rule.threshold.to_string(),
            "amount": rule.amount.to_string(),
            "day_max": rule.day_max.map(|max| max.to_string()),
            "month_max": rule.month_max.map(|max| max.to_string()),
        });
        common.output().say(&object, &words);
        Ok(())
    }
}

/// What an account holds, free credit included.
async fn balance(base: &Base, id: AccountId) -> Result<Amount> {
    let (wallet, promo) = storage::ledger::balance(&mut *base.db.read().await?, id).await?;
    Ok(wallet.checked_add(promo).unwrap_or(wallet))
}

fn object_of<const N: usize>(done: Done, balances: [(AccountId, Amount); N]) -> serde_json::Value {
    let balances: Vec<_> = balances
        .iter()
        .map(|(id, balance)| json!({ "account": id.0, "balance": balance.to_string() }))
        .collect();
    json!({ "id": done.transfer.0, "repeated": done.repeated, "balances": balances })
}

fn refused(error: TransferError, account_field: &str) -> anyhow::Error {
    let message = error.to_string();
    let (code, field) = match error {
        TransferError::Storage(error) => return error.into(),
        TransferError::NotFound(id) => {
            return Failure { field: Some(account_field.to_owned()), ..not_found(id) }.into();
        }
        TransferError::NotPositive(_) | TransferError::TooLarge(_) => ("bad_amount", "amount"),
        TransferError::TooLong { field: "reference", .. } => ("too_long", "reference"),
        TransferError::TooLong { field: "reason", .. } => ("too_long", "reason"),
        TransferError::TooLong { .. } => ("too_long", "idempotency_key"),
        TransferError::NoReason => ("no_reason", "reason"),
        TransferError::Ended => ("bad_date", "free_until"),
        TransferError::Same(_) | TransferError::Sideways { .. } => ("not_above", "to"),
        TransferError::Closed(_) => ("wrong_state", account_field),
        TransferError::Insufficient { .. } => ("insufficient_credits", "amount"),
        TransferError::KeyReused(_) => ("key_reused", "idempotency_key"),
    };
    Failure::field(code, field, message).into()
}
