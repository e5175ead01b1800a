//! Who pays for what an account sends. As a rule its own wallet does, filled by itself, by hand from above
//! or by the rule of automatic transfers, and as far below zero as its credit line reaches. Or it uses the
//! wallet of the account above: what its own does not hold comes from there in the very transaction that
//! charges the messages (`crate::intake`), to the millionth, so that its own never fills. What it may use
//! in a month is a limit like any other (`crate::limits`), set together with the sharing.

use domain::account::{Account, AccountState, SharedWallet};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::Book;
use domain::limit::{Measure, Reach, Rule};
use domain::moment::Moment;
use storage::{Error, accounts, ledger};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::limits::{self, LimitError};

/// How an account is to share the wallet of the one above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// From when on; absent is at once.
    pub from: Option<Moment>,
    /// Until when; absent is without an end.
    pub until: Option<Moment>,
    /// The most the account may spend in a month.
    pub cap: Credits,
}

/// Why it stayed as it was.
#[derive(Debug, thiserror::Error)]
pub enum SharingError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NotFound(AccountId),
    /// It is closed.
    #[error("account {0} is closed; it sends nothing any more")]
    Closed(AccountId),
    /// It has nobody above it.
    #[error("account {0} is a main account; only a subaccount can use the wallet of the account above")]
    NoParent(AccountId),
    /// The cap is nothing or less.
    #[error("the cap is {0}; say with an amount above zero what the account may spend in a month")]
    NoCap(Credits),
    /// It would end before it begins.
    #[error("it would end before it begins; name a later end, or none")]
    EndsFirst,
    /// The limit that the cap is was not set.
    #[error(transparent)]
    Limit(LimitError),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(SharingError);

impl From<LimitError> for SharingError {
    fn from(error: LimitError) -> SharingError {
        match error {
            LimitError::Storage(error) => SharingError::Storage(error),
            error => SharingError::Limit(error),
        }
    }
}

/// Lets an account use the wallet of the one above, on behalf of `by`, an account above it: from a moment
/// on, until another, and up to a cap a month. It replaces what was agreed before.
///
/// # Errors
/// [`SharingError`]; nothing has changed then.
pub async fn share_wallet(
    base: &Base,
    account: AccountId,
    by: AccountId,
    sharing: Sharing,
    actor: &Actor,
) -> Result<(), SharingError> {
    if !sharing.cap.is_positive() {
        return Err(SharingError::NoCap(sharing.cap));
    }
    let cap = Rule::Most { measure: Measure::SpendMonth, country: None, label: None, most: sharing.cap.0 };
    let cap = &cap;
    again(|| async move {
        let now = base.clock.now();
        let from = sharing.from.map_or(now, |from| from.max(now));
        if sharing.until.is_some_and(|until| until <= from) {
            return Err(SharingError::EndsFirst);
        }
        let mut tx = base.db.begin().await?;
        let found = held(&mut tx, account).await?;
        // Sharing that has begun goes on from when it did.
        let from = match found.shared_wallet {
            Some(before) if before.at(now) && from <= now => before.from,
            _ => from,
        };
        limits::put(&mut tx, &found, by, cap, Reach::Together, actor, now).await?;
        let shared = SharedWallet { from, until: sharing.until };
        set(&mut tx, &found, Some(shared), actor, now).await?;
        tx.commit().await?;
        Ok(())
    })
    .await?;
    Ok(base.refresh().await?)
}

/// Lets an account pay from its own wallet again, from a moment on; absent is at once. The limit that was
/// the cap stays, as it may be wanted still.
///
/// # Errors
/// [`SharingError`]; nothing has changed then.
pub async fn stop_sharing(
    base: &Base,
    account: AccountId,
    from: Option<Moment>,
    actor: &Actor,
) -> Result<(), SharingError> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = held(&mut tx, account).await?;
        let Some(shared) = found.shared_wallet else { return Ok(()) };
        let end = from.map_or(now, |from| from.max(now));
        // What has not begun by then never does.
        let left = (shared.from < end).then_some(SharedWallet { until: Some(end), ..shared });
        if shared.until.is_some_and(|until| until <= end) {
            return Ok(());
        }
        set(&mut tx, &found, left, actor, now).await?;
        tx.commit().await?;
        Ok::<(), SharingError>(())
    })
    .await?;
    Ok(base.refresh().await?)
}

/// The account, with its wallet and the one above held: the intake decides by this while it holds both.
async fn held(tx: &mut storage::Tx, account: AccountId) -> Result<Account, SharingError> {
    let parent = accounts::find(tx, account).await?.ok_or(SharingError::NotFound(account))?.parent;
    let parent = parent.ok_or(SharingError::NoParent(account))?;
    ledger::lock(tx, &mut Book::default(), [parent, account]).await?;
    let found = accounts::hold(tx, account).await?.ok_or(SharingError::NotFound(account))?;
    if found.state == AccountState::Closed {
        return Err(SharingError::Closed(account));
    }
    Ok(found)
}

async fn set(
    tx: &mut storage::Tx,
    account: &Account,
    shared: Option<SharedWallet>,
    actor: &Actor,
    now: Moment,
) -> Result<(), Error> {
    let words = |shared: Option<SharedWallet>| (shared.map(|s| s.from), shared.and_then(|s| s.until));
    let (before, after) = (words(account.shared_wallet), words(shared));
    let text = |at: Option<Moment>| at.map(audit::time);
    let changes = Changes::new().field("shared_from", text(before.0), text(after.0)).field(
        "shared_until",
        text(before.1),
        text(after.1),
    );
    if !changes.is_empty() {
        audit::note(tx, account, actor, "wallet.share", "wallet", &changes, now).await?;
    }
    accounts::set_shared_wallet(tx, account.id, shared).await
}

/// What an account may still take from the wallet it shares, as far as its own limits tell: how much is
/// there is not its to know. Nothing when it shares none.
///
/// # Errors
/// Those of the books.
pub async fn room(base: &Base, account: &Account) -> Result<Option<Credits>, Error> {
    if !account.shared_wallet.is_some_and(|shared| shared.at(base.clock.now())) {
        return Ok(None);
    }
    let seen = limits::of(base, account, account.id).await?;
    let left = seen.iter().filter_map(|seen| match &seen.limit.rule {
        Rule::Most { measure, country: None, label: None, most }
            if measure.is_money() && seen.bearing.counts() && seen.counted == account.id =>
        {
            Some(most.saturating_sub(seen.used?).max(0))
        }
        _ => None,
    });
    Ok(Some(Credits(left.min().unwrap_or(0))))
}
