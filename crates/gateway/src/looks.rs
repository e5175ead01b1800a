//! Looks from above: somebody reads messages of accounts below that are open, without stepping in. Each
//! is in the audit log of the account that was looked into, once an hour for the same person or key, and
//! before anything is shown.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use domain::account::Account;
use domain::actor::Actor;
use domain::id::AccountId;
use domain::moment::Moment;
use storage::Result;

use crate::again::again;
use crate::audit::{self, Changes};
use crate::base::Base;

/// How often looks of the same into the same account are written down.
pub const NOTED_EVERY: Duration = Duration::from_secs(3_600);
/// How many looks are remembered.
const LOOKS_MAX: usize = 100_000;

/// Who looked: a kind of actor and its number.
type Looker = (&'static str, Option<i64>);

/// Looks that were written down lately by this process.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<(Looker, AccountId), Moment>>);

impl Looks {
    /// Those of these accounts that this look is to be written down for.
    fn due(&self, actor: &Actor, accounts: BTreeSet<AccountId>, now: Moment) -> Vec<AccountId> {
        let noted = self.0.lock().unwrap_or_else(|p| p.into_inner());
        let is_new = |account: &AccountId| {
            let last = noted.get(&((actor.kind.as_str(), actor.id), *account));
            last.is_none_or(|last| now >= last.after(NOTED_EVERY))
        };
        accounts.into_iter().filter(is_new).collect()
    }

    fn noted(&self, actor: &Actor, accounts: &[AccountId], now: Moment) {
        let mut noted = self.0.lock().unwrap_or_else(|p| p.into_inner());
        if noted.len() >= LOOKS_MAX {
            noted.retain(|_, last| now < last.after(NOTED_EVERY));
        }
        if noted.len() >= LOOKS_MAX {
            // All of them are fresh: some looks are noted once more, which is better than to hold ever more.
            noted.clear();
        }
        noted.extend(accounts.iter().map(|account| (((actor.kind.as_str(), actor.id), *account), now)));
    }
}

/// Writes down that `actor` looks from `asker` into these accounts; its own is none of them.
pub(crate) async fn note(
    base: &Base,
    asker: &Account,
    accounts: impl IntoIterator<Item = AccountId>,
    actor: &Actor,
) -> Result<()> {
    let below: BTreeSet<AccountId> = accounts.into_iter().filter(|id| *id != asker.id).collect();
    let now = base.clock.now();
    let due = base.looks().due(actor, below, now);
    if due.is_empty() {
        return Ok(());
    }
    let actor = &Actor { above: actor.above.or(Some(asker.id)), ..actor.clone() };
    // The same tree: those below an account have its main account.
    let logs: Vec<_> = due.iter().map(|account| (*account, asker.root())).collect();
    let (logs, subject) = (&logs, &format!("journal, seen from {}", audit::named(asker)));
    again(|| async move {
        let mut tx = base.db.begin().await?;
        audit::note_all(&mut tx, logs, actor, "messages.look", subject, &Changes::new(), now).await?;
        tx.commit().await
    })
    .await?;
    base.looks().noted(actor, &due, now);
    Ok(())
}
