//! Closing an account and, by the word of its owner, reopening it.
//!
//! Closing gives credit back by its origin. What accounts above have handed down and not taken back
//! goes up again, to the nearest first; the account's own credit (granted by the operator, earned on
//! the accounts below, or paid) counts as used first, so what is left is handed-down credit up to
//! that sum and its own beyond it.

use std::time::Duration;

use domain::account::{Account, AccountState};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::{Book, Cause, CauseKind, Group, LedgerAccount, Posting, TransferCode};
use storage::{Conn, Error, Tx, accounts, ledger, messages, notices, promo};

use super::{Change, StateError, because, booked, change_state, note_state};
use crate::again::{again, busy};
use crate::base::Base;
use crate::mail::{self, Message};
use crate::second_factor::{self, FactorError};
use crate::sessions::SignedIn;
use crate::sign_in::Client;

/// How long an account can be reopened.
pub const CLOSING_LASTS: Duration = Duration::from_secs(30 * 86_400);
/// How many accounts an error names.
const NAMED_MAX: usize = 10;

/// When an account is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After [`CLOSING_LASTS`], by [`finish_closings`]. Its credit stays until then; what is its
    /// own then is booked as owed to whoever paid it.
    Later,
    /// Now. Its own credit must be gone before.
    AtOnce,
}

/// Why an account was not closed. Nothing has moved.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NotFound(AccountId),
    /// It is closed.
    #[error("account {0} is closed already")]
    Closed(AccountId),
    /// There are accounts below it.
    #[error("account {account} has accounts below it that are open ({}); close those first", numbers(.children))]
    OpenChildren {
        /// Which.
        account: AccountId,
        /// How many are right below it.
        count: usize,
        /// The first of them.
        children: Vec<AccountId>,
    },
    /// Messages are not at their end yet.
    #[error(
        "account {account} has {count} messages scheduled, under way or waiting for a refund; cancel the scheduled ones and wait for the others"
    )]
    UnderWay {
        /// Which.
        account: AccountId,
        /// How many.
        count: i64,
    },
    /// It holds credit that no account above has handed down.
    #[error(
        "account {account} still holds {amount} of credit of its own; it goes back to whoever paid it, not to the account above: use it up, transfer it or have it refunded first"
    )]
    OwnCredit {
        /// Which.
        account: AccountId,
        /// How much.
        amount: Credits,
    },
    /// It owes.
    #[error("account {account} owes {owed}; balance its wallet before closing it")]
    Owes {
        /// Which.
        account: AccountId,
        /// How much.
        owed: Credits,
    },
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(CloseError, CloseOwnError);

fn numbers(ids: &[AccountId]) -> String {
    let mut text = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if ids.len() == NAMED_MAX {
        text.push_str(", ...");
    }
    text
}

/// Why an owner's own main account was not closed. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum CloseOwnError {
    /// It is not proven to be them.
    #[error(transparent)]
    Person(#[from] FactorError),
    /// The account above closes it.
    #[error("account {0} stands below another one; whoever looks after that one closes it")]
    NotMain(AccountId),
    /// It cannot be closed.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// What an owner shows to close their own account.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// Their password; empty for who has none and has signed in a short time ago.
    pub password: &'a str,
    /// A code, where a second factor was not shown a short time ago.
    pub code: &'a str,
}

/// Begins to close a main account at the word of its owner, who shows that it is really them. It can be
/// reopened by [`reopen_own`] for [`CLOSING_LASTS`].
///
/// # Errors
/// [`CloseOwnError`]; nothing has changed then.
pub async fn close_own(
    base: &Base,
    id: AccountId,
    who: &SignedIn,
    client: &Client<'_>,
    shown: Shown<'_>,
    reason: &str,
    actor: &Actor,
) -> Result<Account, CloseOwnError> {
    let account = accounts::find(&mut *base.db.read().await?, id).await?.ok_or(CloseError::NotFound(id))?;
    if account.parent.is_some() {
        return Err(CloseOwnError::NotMain(id));
    }
    // Nobody shows a code, which may be used up by it, for what cannot be done.
    closable(&mut base.db.begin().await?, id, |child| child < AccountState::Closing).await?;
    second_factor::confirm_fully(base, who, client, shown.password, shown.code).await?;
    Ok(close(base, id, When::Later, reason, actor).await?)
}

/// Reopens a main account that its owner has begun to close, as it was.
///
/// # Errors
/// [`StateError::WrongState`] when it is not about to be closed; [`StateError::NotMain`] when it stands below
/// another one; [`StateError::Locked`] when the operator had suspended it, or has begun to close it.
pub async fn reopen_own(base: &Base, id: AccountId, actor: &Actor) -> Result<Account, StateError> {
    let account = accounts::find(&mut *base.db.read().await?, id).await?.ok_or(StateError::NotFound(id))?;
    if account.parent.is_some() {
        return Err(StateError::NotMain(id));
    }
    let change = Change {
        action: "account.reopen",
        state: AccountState::Active,
        reason: None,
        said: None,
        wanted: "reopened",
    };
    change_state(base, id, change, |state| state == AccountState::Closing, actor).await
}

/// Closes an account, or begins to. It must have no open accounts below it and no messages under
/// way. Its free credit ends with it.
pub async fn close(
    base: &Base,
    id: AccountId,
    when: When,
    reason: &str,
    actor: &Actor,
) -> Result<Account, CloseError> {
    let account = match when {
        When::Later => again(|| begin_closing(base, id, reason, actor)).await?,
        When::AtOnce => again(|| close_now(base, id, OwnCredit::Refuse, reason, actor)).await?,
    };
    base.refresh().await?;
    Ok(account)
}

/// Closes the accounts whose time to be reopened is over. To be called every hour or so. Tells how
/// many it closed; those that cannot be closed yet are tried again next time.
pub async fn finish_closings(base: &Base) -> Result<usize, Error> {
    let since = base.clock.now().before(CLOSING_LASTS);
    let mut due = accounts::closing_since(&mut *base.db.read().await?, since).await?;
    // Accounts have greater numbers than those above them, and go first.
    due.reverse();
    let mut closed = 0;
    let rule = &Actor::rule("rule");
    for id in due {
        match again(|| close_now(base, id, OwnCredit::Owe, "30 days have passed", rule)).await {
            Ok(account) => closed += usize::from(account.state == AccountState::Closed),
            Err(CloseError::Storage(error)) => return Err(error),
            Err(why) => tracing::warn!(account = id.0, %why, "an account could not be closed yet"),
        }
    }
    if closed > 0 {
        base.refresh().await?;
    }
    Ok(closed)
}

async fn begin_closing(
    base: &Base,
    id: AccountId,
    reason: &str,
    actor: &Actor,
) -> Result<Account, CloseError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    ledger::lock(&mut tx, &mut Book::default(), [id]).await?;
    let mut account = closable(&mut tx, id, |child| child < AccountState::Closing).await?;
    if account.state != AccountState::Closing {
        note_state(&mut tx, &account, AccountState::Closing, "account.close", Some(reason), actor, now)
            .await?;
        storage::invitations::revoke_all(&mut tx, id, now).await?;
        let by = actor.words();
        let closes_at = now.after(CLOSING_LASTS);
        let message = Message::AccountClosing { account: (&account).into(), by: &by, reason, closes_at };
        mail::enqueue_to_members(&mut tx, base, id, &mail::LEADERS, &message, now).await?;
        let reason = because(actor, reason);
        if actor.is_operator() {
            // What the operator closes, nobody in the tree reopens.
            accounts::set_operator_lock(&mut tx, id, true).await?;
        }
        accounts::set_state(&mut tx, id, AccountState::Closing, Some(&reason), now).await?;
        account.state = AccountState::Closing;
        account.state_reason = Some(reason);
    }
    tx.commit().await?;
    Ok(account)
}

/// What becomes of credit that no account above has handed down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnCredit {
    Refuse,
    Owe,
}

async fn close_now(
    base: &Base,
    id: AccountId,
    own_credit: OwnCredit,
    reason: &str,
    actor: &Actor,
) -> Result<Account, CloseError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    // The path never changes, so it may be read before the wallets are held.
    let path = accounts::find(&mut tx, id).await?.ok_or(CloseError::NotFound(id))?.path;
    let mut book = Book::default();
    ledger::lock(&mut tx, &mut book, path.iter().copied()).await?;
    let mut account = closable(&mut tx, id, |child| child < AccountState::Closed).await?;
    if own_credit == OwnCredit::Owe && account.state != AccountState::Closing {
        // Reopened since it was looked up.
        return Ok(account);
    }
    let held = |place| book.balance(place).unwrap_or(Credits::ZERO);
    let held = (held(LedgerAccount::Wallet(id)), held(LedgerAccount::Promo(id)));
    let back = back_by_origin(&mut tx, held, &account, own_credit).await?;
    note_state(&mut tx, &account, AccountState::Closed, "account.close", Some(reason), actor, now).await?;
    if !back.is_empty() {
        let group = Group {
            cause: Cause { kind: CauseKind::Closing, id: id.0 },
            postings: back.clone(),
            actor: actor.words(),
            reference: reason.trim().to_owned(),
        };
        booked(ledger::post_one(&mut tx, &group, now).await?)?;
    }
    for lot in promo::held(&mut tx, id).await? {
        promo::set_remaining(&mut tx, lot.id, Credits::ZERO).await?;
    }
    for posting in &back {
        match posting.to {
            LedgerAccount::Wallet(above) => accounts::arm_children(&mut tx, above).await?,
            LedgerAccount::PaymentClearing => {
                let text = format!(
                    "account {id} ({}) is closed and held {} of its own credit: refund it to whoever paid it",
                    account.name(),
                    posting.amount
                );
                notices::insert(&mut tx, notices::OPERATOR, "refund owed", &text, now).await?;
            }
            _ => {}
        }
    }
    storage::invitations::revoke_all(&mut tx, id, now).await?;
    let reason = because(actor, reason);
    accounts::set_state(&mut tx, id, AccountState::Closed, Some(&reason), now).await?;
    tx.commit().await?;
    account.state = AccountState::Closed;
    account.state_reason = Some(reason);
    Ok(account)
}

/// The account, if nothing keeps it open: the accounts below it (as `keeps_open` says), or messages
/// that are not at their end.
async fn closable(
    tx: &mut Tx,
    id: AccountId,
    keeps_open: impl Fn(AccountState) -> bool,
) -> Result<Account, CloseError> {
    let account = accounts::find(tx, id).await?.ok_or(CloseError::NotFound(id))?;
    if account.state == AccountState::Closed {
        return Err(CloseError::Closed(id));
    }
    let children = accounts::children(tx, id).await?;
    let open: Vec<AccountId> = children.iter().filter(|c| keeps_open(c.state)).map(|c| c.id).collect();
    if !open.is_empty() {
        let children = open.iter().take(NAMED_MAX).copied().collect();
        return Err(CloseError::OpenChildren { account: id, count: open.len(), children });
    }
    let count = messages::under_way(tx, id).await? + storage::accounts::refunds_waiting(tx, id).await?;
    if count > 0 {
        return Err(CloseError::UnderWay { account: id, count });
    }
    Ok(account)
}

/// Where the credit of an account that closes goes; `balance` and `free` are what it holds.
pub(super) async fn back_by_origin(
    conn: &mut Conn,
    (balance, free): (Credits, Credits),
    account: &Account,
    own_credit: OwnCredit,
) -> Result<Vec<Posting>, CloseError> {
    let wallet = LedgerAccount::Wallet(account.id);
    let promo = LedgerAccount::Promo(account.id);
    if balance < Credits::ZERO {
        return Err(CloseError::Owes { account: account.id, owed: -balance });
    }
    let handed_down = ledger::handed_down(conn, account.id).await?;
    let mut left = balance.0;
    let mut back = Vec::new();
    let posting = |from, to, amount, code| Posting { from, to, amount: Credits(amount), code };
    for above in account.path.iter().rev().skip(1) {
        let amount = handed_down.get(above).map_or(0, |sum| sum.0).clamp(0, left);
        if amount > 0 {
            back.push(posting(wallet, LedgerAccount::Wallet(*above), amount, TransferCode::Closing));
            left -= amount;
        }
    }
    if left > 0 && own_credit == OwnCredit::Refuse {
        return Err(CloseError::OwnCredit { account: account.id, amount: Credits(left) });
    }
    if left > 0 {
        back.push(posting(wallet, LedgerAccount::PaymentClearing, left, TransferCode::Closing));
    }
    if free.is_positive() {
        back.push(posting(promo, LedgerAccount::Goodwill, free.0, TransferCode::PromoExpiry));
    }
    Ok(back)
}
