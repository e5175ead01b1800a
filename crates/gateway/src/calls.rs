//! The request log: calls are collected in memory and written once a second, in one statement for all.
//! Of an account's successes only some a second are kept, of its failures more; what is not kept costs
//! next to nothing. What a crash takes away is a second of it; an orderly end nothing.

mod veil;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::id::AccountId;
use domain::moment::Moment;
use storage::calls::{self, Call};
use storage::{Db, Error};

use crate::again::again;
use crate::base::Base;

pub use veil::{cut, masked, without_secrets};

/// Successes of an account that are kept of one second.
pub const SUCCESSES_MAX: u32 = 5;
/// Failures of an account that are kept of one second.
pub const FAILURES_MAX: u32 = 50;
/// The most bytes that are kept of a request, and of an answer.
pub const BYTES_MAX: usize = 4_096;
/// How long calls are kept.
pub const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How many calls of an account are kept.
pub const KEPT_MAX: i64 = 10_000;
/// Calls that wait to be written; beyond that they are not kept.
const WAITING_MAX: usize = 20_000;
/// How long calls are collected before they are written.
const EVERY: Duration = Duration::from_secs(1);
/// Rows one step of the worker takes.
const STEP: i64 = 2_000;
/// So many new calls of an account, and it is looked whether it has too many.
const LOOK_EVERY: u32 = 500;

/// Where calls are collected. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    collected: Mutex<Collected>,
    /// Held by whoever writes, so that who comes next finds it written.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Collected {
    waiting: Vec<Call>,
    second: i64,
    /// Of this second, by account: successes and failures.
    kept: HashMap<AccountId, (u32, u32)>,
    /// New calls since an account was looked at.
    new: HashMap<AccountId, u32>,
}

impl Log {
    /// Whether a call that was just answered is to be kept, which is to be [`Log::note`]d then. Counts it.
    pub fn wants(&self, account: AccountId, failed: bool, now: Moment) -> bool {
        let mut collected = self.0.collected.lock().unwrap_or_else(|p| p.into_inner());
        if collected.waiting.len() >= WAITING_MAX {
            return false;
        }
        let second = now.seconds();
        if collected.second != second {
            collected.second = second;
            collected.kept.clear();
        }
        let (successes, failures) = collected.kept.entry(account).or_default();
        let (count, most) = if failed { (failures, FAILURES_MAX) } else { (successes, SUCCESSES_MAX) };
        let wanted = *count < most;
        *count += u32::from(wanted);
        wanted
    }

    /// Takes a call, to be written within a second.
    pub fn note(&self, db: &Db, call: Call) {
        let mut collected = self.0.collected.lock().unwrap_or_else(|p| p.into_inner());
        *collected.new.entry(call.account).or_default() += 1;
        collected.waiting.push(call);
        if collected.waiting.len() > 1 {
            return;
        }
        drop(collected);
        let (log, db) = (self.clone(), db.clone());
        tokio::spawn(async move {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = log.store(&db).await {
                tracing::warn!(%error, "the request log of a second could not be written");
            }
        });
    }

    /// Writes what was collected. When it comes back, all that was noted before is in the books.
    ///
    /// # Errors
    /// Those of the books; what was collected is lost then.
    pub async fn store(&self, db: &Db) -> Result<(), Error> {
        let _writing = self.0.writing.lock().await;
        let (calls, full) = {
            let mut collected = self.0.collected.lock().unwrap_or_else(|p| p.into_inner());
            let full: Vec<AccountId> =
                collected.new.iter().filter(|(_, new)| **new >= LOOK_EVERY).map(|(a, _)| *a).collect();
            for account in &full {
                collected.new.remove(account);
            }
            (std::mem::take(&mut collected.waiting), full)
        };
        if calls.is_empty() {
            return Ok(());
        }
        let (calls, full) = (&calls, &full);
        again(|| async move {
            let mut tx = db.begin().await?;
            calls::insert(&mut tx, calls).await?;
            for account in full {
                calls::trim(&mut tx, *account, KEPT_MAX, STEP).await?;
            }
            tx.commit().await
        })
        .await
    }
}

/// Forgets the calls whose time is over, in steps. To be called every few minutes. Tells how many.
///
/// # Errors
/// Those of the books.
pub async fn forget_old(base: &Base) -> Result<u64, Error> {
    let mut forgotten = 0;
    loop {
        let step = again(|| async move {
            let mut tx = base.db.begin().await?;
            let step = calls::forget(&mut tx, base.clock.now().before(KEPT), STEP).await?;
            tx.commit().await?;
            Ok::<u64, Error>(step)
        })
        .await?;
        forgotten += step;
        if step < STEP.unsigned_abs() {
            return Ok(forgotten);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_calls_a_second_some_are_kept_and_of_failures_more() {
        let log = Log::default();
        let now = Moment::from_seconds(100);
        let wanted =
            |account, failed, now| (0..100).filter(|_| log.wants(AccountId(account), failed, now)).count();
        assert_eq!(wanted(1, false, now), 5);
        assert_eq!(wanted(1, true, now), 50);
        assert_eq!(wanted(2, false, now), 5);
        assert_eq!(wanted(1, false, now.after(EVERY)), 5);
    }
}
