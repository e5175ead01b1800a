//! The same for many accounts at once: handing credit to them, suspending them, letting them send
//! again. Each account is done by
//! itself, wholly or not at all, and has its own answer. A name for the whole makes it safe to ask
//! again: what was done is not done twice, what was not is tried.

use std::collections::BTreeSet;

use domain::account::{Account, AccountState};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use storage::requests::{self, Remembered};
use storage::{Error, accounts};

use crate::accounts::{StateError, activate, suspend};
use crate::again::{again, busy};
use crate::base::Base;
use crate::credits::{Done, Transfer, TransferError, transfer};

/// The most accounts at once.
pub const MANY_MAX: usize = 1_000;
/// The most characters of the name for the whole.
pub const KEY_MAX: usize = 230;

/// Why nothing was done at all.
#[derive(Debug, thiserror::Error)]
pub enum ManyError {
    /// Nobody was named.
    #[error("no accounts are named; choose at least one")]
    None,
    /// Too many were.
    #[error("{0} accounts are named; do at most {MANY_MAX} at once")]
    TooMany(usize),
    /// One was named twice.
    #[error("account {0} is named twice; name each account once")]
    Twice(AccountId),
    /// The name is too long.
    #[error("the idempotency key has {0} characters; use at most {KEY_MAX}")]
    LongKey(usize),
    /// The name was used for something else.
    #[error("the idempotency key '{0}' was used before for something else; use a new key for a new request")]
    KeyReused(String),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(ManyError);

/// Credit for many accounts.
#[derive(Clone, Debug)]
pub struct TransferMany {
    /// Who gives.
    pub from: AccountId,
    /// Who gets, and how much each.
    pub to: Vec<(AccountId, Credits)>,
    /// What stands in all statements.
    pub reference: String,
    /// The name for the whole.
    pub idempotency_key: Option<String>,
    /// The account that asks; none is the operator.
    pub asked_by: Option<AccountId>,
}

/// Hands credit from one account to many, one after the other in the order given. What one of them is
/// refused does not keep it from the others. `told` hears of each what became of it, when it is over.
///
/// # Errors
/// [`ManyError`] when nothing was done at all. What a single account was refused stands in its answer.
pub async fn transfer_many(
    base: &Base,
    many: &TransferMany,
    actor: &Actor,
    told: impl Fn(AccountId, &Result<Done, TransferError>),
) -> Result<Vec<(AccountId, Result<Done, TransferError>)>, ManyError> {
    each_once(many.to.iter().map(|(id, _)| *id))?;
    short(many.idempotency_key.as_deref())?;
    if let Some(key) = &many.idempotency_key {
        let items: Vec<String> = many.to.iter().map(|(id, amount)| format!("{id}={}", amount.0)).collect();
        let content =
            format!("transfer many from={} {} reference={}", many.from, items.join(" "), many.reference);
        remember(base, many.asked_by, key, &content).await?;
    }
    let mut answers = Vec::with_capacity(many.to.len());
    for (to, amount) in &many.to {
        let one = Transfer {
            from: many.from,
            to: *to,
            amount: *amount,
            reference: many.reference.clone(),
            idempotency_key: many.idempotency_key.as_ref().map(|key| format!("{key} many {to}")),
            asked_by: many.asked_by,
        };
        let answer = transfer(base, &one, actor).await;
        told(*to, &answer);
        answers.push((*to, answer));
    }
    Ok(answers)
}

/// What becomes of the state of many accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Become<'a> {
    /// They are suspended, and their members read why.
    Suspended(&'a str),
    /// Those that are suspended send again.
    Active,
}

impl Become<'_> {
    fn state(self) -> AccountState {
        match self {
            Become::Suspended(_) => AccountState::Suspended,
            Become::Active => AccountState::Active,
        }
    }

    /// What it is remembered by, together with the accounts.
    fn content(self, ids: &[AccountId]) -> String {
        let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        match self {
            Become::Suspended(reason) => format!("suspend many {ids} reason={reason}"),
            Become::Active => format!("activate many {ids}"),
        }
    }
}

/// Suspends many accounts below one, or lets them send again, one after the
/// other. One that is so already stays as it is. `told` hears of each what became of it, when it is over.
///
/// # Errors
/// [`ManyError`] when nothing was done at all. What became of a single account stands in its answer.
pub async fn change_many(
    base: &Base,
    above: AccountId,
    ids: &[AccountId],
    becomes: Become<'_>,
    idempotency_key: Option<&str>,
    actor: &Actor,
    told: impl Fn(AccountId, &Result<Account, StateError>),
) -> Result<Vec<(AccountId, Result<Account, StateError>)>, ManyError> {
    each_once(ids.iter().copied())?;
    short(idempotency_key)?;
    let mut is_first = true;
    if let Some(key) = idempotency_key {
        is_first = remember(base, Some(above), key, &becomes.content(ids)).await?;
    }
    let mut answers = Vec::with_capacity(ids.len());
    for id in ids {
        let answer = change_one(base, above, *id, becomes, idempotency_key, is_first, actor).await;
        told(*id, &answer);
        answers.push((*id, answer));
    }
    Ok(answers)
}

async fn change_one(
    base: &Base,
    above: AccountId,
    id: AccountId,
    becomes: Become<'_>,
    key: Option<&str>,
    is_first: bool,
    actor: &Actor,
) -> Result<Account, StateError> {
    let found = accounts::find(&mut *base.db.read().await?, id).await?.ok_or(StateError::NotFound(id))?;
    let is_below = above != id && found.path.contains(&above);
    if !is_below {
        return Err(StateError::NotFound(id));
    }
    if found.state == becomes.state() {
        return Ok(found);
    }
    // Somebody may have changed it back since the same was asked first.
    if let Some(key) = key
        && !is_first
        && was_done(base, above, &format!("{key} many {id}")).await?
    {
        return Ok(found);
    }
    let account = match becomes {
        Become::Suspended(reason) => suspend(base, id, reason, actor).await?,
        // One that is about to be closed is reopened by itself, and not among many.
        Become::Active if found.state != AccountState::Suspended => {
            return Err(StateError::WrongState { account: id, state: found.state, wanted: "activated" });
        }
        Become::Active => activate(base, id, actor).await?,
    };
    if let Some(key) = key {
        // A crash before this is written leaves it as it is now, which asking again does, too.
        let done = remember(base, Some(above), &format!("{key} many {id}"), becomes.state().as_str()).await;
        done.map_err(|error| match error {
            ManyError::Storage(error) => error,
            other => Error::Fault(other.to_string()),
        })?;
    }
    Ok(account)
}

async fn was_done(base: &Base, above: AccountId, key: &str) -> Result<bool, Error> {
    requests::is_known(&mut *base.db.read().await?, above, key).await
}

fn each_once(ids: impl ExactSizeIterator<Item = AccountId>) -> Result<(), ManyError> {
    match ids.len() {
        0 => return Err(ManyError::None),
        count if count > MANY_MAX => return Err(ManyError::TooMany(count)),
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(ManyError::Twice(id));
        }
    }
    Ok(())
}

fn short(key: Option<&str>) -> Result<(), ManyError> {
    match key.map_or(0, |key| key.chars().count()) {
        length if length > KEY_MAX => Err(ManyError::LongKey(length)),
        _ => Ok(()),
    }
}

/// Remembers what the whole is named. Tells whether it is new.
async fn remember(
    base: &Base,
    asked_by: Option<AccountId>,
    key: &str,
    content: &str,
) -> Result<bool, ManyError> {
    let by = asked_by.unwrap_or(requests::OPERATOR);
    again(|| async move {
        let mut tx = base.db.begin().await?;
        let remembered = requests::remember(&mut tx, by, key, content, base.clock.now()).await?;
        tx.commit().await?;
        match remembered {
            Remembered::New(_) => Ok(true),
            Remembered::Same(_) => Ok(false),
            Remembered::Other => Err(ManyError::KeyReused(key.to_owned())),
        }
    })
    .await
}
