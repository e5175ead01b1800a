//! Who looks on: whoever shows an account while it changes says so here, and is told.
//!
//! The writer says which accounts a batch has changed, once it is stored; as long as nobody looks on,
//! that costs it a look at a number. A worker carries the word to those who look at such an account or at
//! one above it. What has changed is held as a set a looker, and not as a queue: however much happens,
//! whoever is slow hears of it once.
//!
//! Other processes change the same books, so the worker also compares every few seconds what the books
//! count with what they counted before. The same counts, as a [`Mark`], tell a looker who comes back
//! whether anything happened in between.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::id::AccountId;
use storage::Result;
use storage::changes::{Part, readings};
use tokio::sync::{Notify, watch};

use crate::base::Base;
use crate::clock::day_of;

/// How often the books are asked for what others have changed.
const COMPARED_EVERY: Duration = Duration::from_secs(3);
/// Of those below an account, so many days are compared.
const DAYS_COMPARED: Duration = Duration::from_secs(3 * 86_400);

/// Things that may change, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct What(u8);

impl What {
    /// Nothing.
    pub const NOTHING: What = What(0);
    /// What the account has.
    pub const BALANCE: What = What(1);
    /// Its messages, and what they add up to.
    pub const MESSAGES: What = What(1 << 1);
    /// What the accounts below it have and sent.
    pub const BELOW: What = What(1 << 2);
    /// Work that was begun in it.
    pub const WORK: What = What(1 << 3);
    /// How the lines to carriers are doing.
    pub const LINES: What = What(1 << 4);
    /// The checks of the books, and work that failed.
    pub const BOOKS: What = What(1 << 5);

    /// Each, with the word for it.
    pub const ALL: [(What, &'static str); 6] = [
        (What::BALANCE, "balance"),
        (What::MESSAGES, "messages"),
        (What::BELOW, "below"),
        (What::WORK, "work"),
        (What::LINES, "lines"),
        (What::BOOKS, "books"),
    ];

    /// Both together.
    pub const fn and(self, other: What) -> What {
        What(self.0 | other.0)
    }

    /// Those that are in both.
    pub const fn only(self, other: What) -> What {
        What(self.0 & other.0)
    }

    /// Whether it is empty.
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// The words, with a space between two.
    pub fn words(self) -> String {
        let held = What::ALL.iter().filter(|(what, _)| !self.only(*what).is_nothing());
        held.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    }
}

/// What the books counted of an account at some time, one number for each [`Part`]. It is made with a
/// secret of the process, so that it tells nobody the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([u32; 4]);

impl Mark {
    /// Of an account that was not read yet.
    const UNREAD: Mark = Mark([0; 4]);

    /// What has changed since another mark of the same account.
    pub fn changed_since(self, before: Mark) -> What {
        let parts = [What::BALANCE, What::MESSAGES, What::BELOW, What::WORK];
        let pairs = self.0.into_iter().zip(before.0).zip(parts);
        pairs.filter(|((now, then), _)| now != then).fold(What::NOTHING, |all, (_, what)| all.and(what))
    }

    /// The mark that was written so.
    pub fn parse(text: &str) -> Option<Mark> {
        let part = |at: usize| u32::from_str_radix(text.get(at * 8..at * 8 + 8)?, 16).ok();
        if text.len() != 32 {
            return None;
        }
        Some(Mark([part(0)?, part(1)?, part(2)?, part(3)?]))
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "{part:08x}"))
    }
}

/// All who look on.
#[derive(Default)]
pub(crate) struct Lookers {
    count: AtomicUsize,
    shown: Mutex<HashMap<AccountId, Shown>>,
    /// What was changed and not carried on yet.
    changed: Mutex<HashMap<AccountId, What>>,
    said: Notify,
    closed: watch::Sender<bool>,
    secret: RandomState,
}

/// An account that somebody looks at.
struct Shown {
    mark: Mark,
    bells: Vec<Arc<Bell>>,
}

/// Rings for one looker.
#[derive(Default)]
struct Bell {
    new: AtomicU8,
    rung: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Lookers {
    fn ring(&self, account: AccountId, what: What) {
        let shown = locked(&self.shown);
        for bell in shown.get(&account).into_iter().flat_map(|shown| &shown.bells) {
            bell.new.fetch_or(what.0, Ordering::AcqRel);
            bell.rung.notify_one();
        }
    }
}

/// Somebody who looks at an account, until dropped.
pub struct Looking {
    base: Base,
    account: AccountId,
    bell: Arc<Bell>,
    closed: watch::Receiver<bool>,
}

impl Looking {
    /// Begins to look at an account, with the mark of how it is now.
    ///
    /// # Errors
    /// Those of the books.
    pub async fn at(base: &Base, account: AccountId) -> Result<(Looking, Mark)> {
        // First listened, then read: so nothing falls in between.
        let lookers = base.lookers();
        let bell = Arc::new(Bell::default());
        {
            let mut shown = locked(&lookers.shown);
            let one = shown.entry(account).or_insert_with(|| Shown { mark: Mark::UNREAD, bells: Vec::new() });
            one.bells.push(bell.clone());
            lookers.count.fetch_add(1, Ordering::AcqRel);
        }
        let closed = lookers.closed.subscribe();
        let looking = Looking { base: base.clone(), account, bell, closed };
        let mark = mark(base, account).await?;
        if let Some(one) = locked(&lookers.shown).get_mut(&account)
            && one.mark == Mark::UNREAD
        {
            one.mark = mark;
        }
        Ok((looking, mark))
    }

    /// What the books counted of the account when it was last looked.
    pub fn mark(&self) -> Mark {
        locked(&self.base.lookers().shown).get(&self.account).map_or(Mark::UNREAD, |one| one.mark)
    }

    /// Waits until something has changed, and tells all that has since it was told last. Nothing when
    /// this process is about to end.
    pub async fn next(&mut self) -> Option<What> {
        loop {
            tokio::select! {
                biased;
                _ = self.closed.wait_for(|closed| *closed) => return None,
                () = self.bell.rung.notified() => {}
            }
            let new = What(self.bell.new.swap(0, Ordering::AcqRel));
            if !new.is_nothing() {
                return Some(new);
            }
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let lookers = self.base.lookers();
        let mut shown = locked(&lookers.shown);
        if let Some(one) = shown.get_mut(&self.account) {
            one.bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
            if one.bells.is_empty() {
                shown.remove(&self.account);
            }
        }
        lookers.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the books count of an account now.
///
/// # Errors
/// Those of the books.
pub async fn mark(base: &Base, account: AccountId) -> Result<Mark> {
    Ok(marks(base, &[account.0]).await?.remove(&account).unwrap_or(Mark([1; 4])))
}

async fn marks(base: &Base, accounts: &[i64]) -> Result<HashMap<AccountId, Mark>> {
    let since = day_of(base.clock.now().before(DAYS_COMPARED), &base.rules.time_zone);
    let secret = &base.lookers().secret;
    let mut hashers: HashMap<AccountId, [_; 4]> = HashMap::new();
    for (account, part, counts) in readings(&mut *base.db.read().await?, accounts, since).await? {
        let of_account = hashers.entry(account).or_insert_with(|| [(); 4].map(|()| secret.build_hasher()));
        let hasher = match part {
            Part::Balance => &mut of_account[0],
            Part::Messages => &mut of_account[1],
            Part::Below => &mut of_account[2],
            Part::Work => &mut of_account[3],
        };
        counts.hash(hasher);
    }
    // Never the mark of an account that was not read.
    let number = |hash: u64| u32::try_from(hash >> 32).unwrap_or(0).max(1);
    Ok(hashers.into_iter().map(|(id, all)| (id, Mark(all.map(|one| number(one.finish()))))).collect())
}

impl Base {
    /// Whether anybody looks on, so that it is worth saying what has changed.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.lookers().count.load(Ordering::Acquire) > 0
    }

    /// Says that these accounts have changed.
    pub(crate) fn changed(&self, accounts: impl IntoIterator<Item = (AccountId, What)>) {
        let lookers = self.lookers();
        {
            let mut changed = locked(&lookers.changed);
            for (account, what) in accounts {
                let held = changed.entry(account).or_default();
                *held = held.and(what);
            }
        }
        lookers.said.notify_one();
    }

    /// Ends all looking on, at once and for good: an orderly end does not wait for those who look.
    pub fn end_looking(&self) {
        self.lookers().closed.send_replace(true);
    }

    /// Whether looking on has ended for good.
    pub fn looking_has_ended(&self) -> bool {
        *self.lookers().closed.borrow()
    }

    /// Waits for the end of all looking on.
    pub async fn until_looking_ends(&self) {
        // The sender lives as long as we do.
        let _ = self.lookers().closed.subscribe().wait_for(|closed| *closed).await;
    }
}

/// Carries on what is said, and compares. Runs as long as the gateway does.
pub(crate) async fn carry(base: Base) {
    let mut compared = tokio::time::interval(COMPARED_EVERY);
    compared.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = base.lookers().said.notified() => carry_on(&base).await,
            _ = compared.tick() => if base.is_looked_at() && let Err(error) = compare(&base).await {
                tracing::warn!(%error, "what others have changed could not be seen; looked again soon");
            },
        }
    }
}

/// Tells those who look at what was changed, and at the accounts above it.
async fn carry_on(base: &Base) {
    let lookers = base.lookers();
    let changed = std::mem::take(&mut *locked(&lookers.changed));
    let mut above = HashSet::new();
    for (id, what) in changed {
        lookers.ring(id, what);
        if what == What::WORK {
            continue;
        }
        match base.account(id).await {
            Ok(account) => {
                let path = account.iter().flat_map(|account| &account.path);
                above.extend(path.filter(|other| **other != id));
            }
            Err(error) => tracing::warn!(%error, "the accounts above a changed one could not be told"),
        }
    }
    // What those below sell and pay moves margins and automatic transfers above.
    above.into_iter().for_each(|id: AccountId| lookers.ring(id, What::BELOW.and(What::BALANCE)));
}

async fn compare(base: &Base) -> Result<()> {
    let lookers = base.lookers();
    let ids: Vec<i64> = locked(&lookers.shown).keys().map(|id| id.0).collect();
    for (id, mark) in marks(base, &ids).await? {
        let before = locked(&lookers.shown).get_mut(&id).map(|one| std::mem::replace(&mut one.mark, mark));
        let new = before.filter(|before| *before != Mark::UNREAD).map(|before| mark.changed_since(before));
        if let Some(new) = new.filter(|new| !new.is_nothing()) {
            lookers.ring(id, new);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written_and_tells_what_changed() {
        let mark = Mark([1, 0xffff_ffff, 7, 8]);
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
        for not in [
            "",
            "1",
            "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
            "000000010000000100000001000000010",
            "ääääääääääääääää",
        ] {
            assert_eq!(Mark::parse(not), None, "{not}");
        }
        assert_eq!(mark.changed_since(mark), What::NOTHING);
        assert_eq!(mark.changed_since(Mark([1, 2, 8, 8])).words(), "messages below");
    }
}
