//! What closing an account would do, said before it is done: where its credit goes, who and what loses
//! access, what keeps it from being closed, and until when it can be reopened.

use domain::account::{Account, AccountState};
use domain::credits::Credits;
use domain::id::AccountId;
use domain::key::Key;
use domain::ledger::LedgerAccount;
use domain::moment::Moment;
use storage::invitations::Invitation;
use storage::members::Line;
use storage::{accounts, invitations, keys, ledger, members, messages};

use super::closing::{CLOSING_LASTS, CloseError, OwnCredit, back_by_origin};
use crate::base::Base;

/// How many accounts below are named.
const CHILDREN_MAX: usize = 100;

/// Something that keeps an account from being closed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Accounts right below it are open.
    Children {
        /// How many.
        count: usize,
        /// The first of them.
        first: Vec<Account>,
    },
    /// Messages are not at their end.
    Messages {
        /// Those that are scheduled, and can be taken back.
        scheduled: i64,
        /// Those under way; they end by themselves.
        under_way: i64,
        /// Refunds that wait for an account above.
        refunds: i64,
    },
    /// It owes.
    Owes(Credits),
}

/// Credit that goes to an account above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// To whom.
    pub to: AccountId,
    /// Their name.
    pub name: String,
    /// How much.
    pub amount: Credits,
}

/// What closing an account would do now.
#[derive(Clone, Debug)]
pub struct ClosePreview {
    /// The account as it is.
    pub account: Account,
    /// What keeps it from being closed; with nothing in here it can be.
    pub blockers: Vec<Blocker>,
    /// Credit that goes back to the accounts above that have handed it down, the nearest first.
    pub back: Vec<Back>,
    /// Credit of its own: owed to whoever paid it, and in the way of closing at once.
    pub own: Credits,
    /// Free credit, which ends.
    pub free: Credits,
    /// The members who lose access.
    pub members: Vec<Line>,
    /// The invitations that are taken back.
    pub invitations: Vec<Invitation>,
    /// The keys that stop working.
    pub keys: Vec<Key>,
    /// Whether credit comes to it by itself, which ends.
    pub auto_transfer: bool,
    /// Until when it could be reopened, and when it would be final.
    pub final_at: Moment,
}

/// Says what closing an account would do. Nothing changes.
///
/// # Errors
/// [`CloseError::NotFound`] and [`CloseError::Closed`]; what else may be in the way is in the answer.
pub async fn close_preview(base: &Base, id: AccountId) -> Result<ClosePreview, CloseError> {
    let now = base.clock.now();
    // One view of the books, so that the parts agree.
    let mut conn = base.db.snapshot().await?;
    let account = accounts::find(&mut conn, id).await?.ok_or(CloseError::NotFound(id))?;
    if account.state == AccountState::Closed {
        return Err(CloseError::Closed(id));
    }
    let mut blockers = Vec::new();
    let children = accounts::children(&mut conn, id).await?;
    let open: Vec<Account> = children.into_iter().filter(|c| c.state < AccountState::Closing).collect();
    if !open.is_empty() {
        let count = open.len();
        blockers.push(Blocker::Children { count, first: open.into_iter().take(CHILDREN_MAX).collect() });
    }
    let all = messages::under_way(&mut conn, id).await?;
    let scheduled = messages::scheduled(&mut conn, id).await?;
    let refunds = accounts::refunds_waiting(&mut conn, id).await?;
    if all + refunds > 0 {
        blockers.push(Blocker::Messages { scheduled, under_way: all - scheduled, refunds });
    }
    let (wallet, free) = ledger::balance(&mut conn, id).await?;
    let (mut back, mut own) = (Vec::new(), Credits::ZERO);
    if wallet < Credits::ZERO {
        blockers.push(Blocker::Owes(-wallet));
    } else {
        for posting in back_by_origin(&mut conn, (wallet, free), &account, OwnCredit::Owe).await? {
            match posting.to {
                LedgerAccount::Wallet(to) => {
                    let name = accounts::find(&mut conn, to).await?;
                    let name = name.map_or_else(String::new, |above| above.name().to_owned());
                    back.push(Back { to, name, amount: posting.amount });
                }
                LedgerAccount::PaymentClearing => own = posting.amount,
                _ => {}
            }
        }
    }
    let waiting = invitations::of_account(&mut conn, id).await?;
    let members = members::of_account(&mut conn, id).await?;
    let all_keys = keys::of_account(&mut conn, id).await?;
    let final_at = match account.state {
        AccountState::Closing => accounts::state_since(&mut conn, id).await?.unwrap_or(now),
        _ => now,
    };
    conn.end().await?;
    Ok(ClosePreview {
        blockers,
        back,
        own,
        free,
        members,
        invitations: waiting.into_iter().filter(|one| one.is_open(now)).collect(),
        keys: all_keys.into_iter().map(|(key, _)| key).filter(|key| key.works(now)).collect(),
        auto_transfer: account.auto_transfer.is_some(),
        final_at: final_at.after(CLOSING_LASTS),
        account,
    })
}
