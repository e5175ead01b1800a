//! Checking the books while the platform serves: it is begun, goes on by itself, and what it finds is
//! kept, whoever asks and by whichever process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::actor::Actor;
use domain::moment::Moment;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use storage::check::Report;
use storage::checks::{self, Check};
use storage::{Error, Result};
use tokio::sync::oneshot;

use crate::again::again;
use crate::base::Base;

/// When in the night, by the installation's clock: what a day counts is complete, and few send.
const NIGHT: (i8, i8) = (3, 30);
/// How often it is told how far a check is.
const TELL: Duration = Duration::from_secs(1);

/// Begins to check the books. False when a check is under way already. Must be called within a tokio
/// runtime, which is to live until the check ends.
///
/// # Errors
/// Those of the books.
pub async fn begin(base: &Base, actor: &Actor) -> Result<bool> {
    let total = storage::check::size(&mut *base.db.read().await?).await?;
    let begun = again(|| begin_once(base, &actor.name, total)).await?;
    let Some(id) = begun else { return Ok(false) };
    tracing::info!(check = id, actor = actor.name, "the books are being checked");
    let base = base.clone();
    tokio::spawn(async move {
        let ended = run(&base, id).await;
        if let Err(error) = noted(&base, id, ended).await {
            tracing::error!(check = id, %error, "what a check found could not be stored");
        }
    });
    Ok(true)
}

async fn begin_once(base: &Base, by: &str, total: i64) -> Result<Option<i64>> {
    let mut tx = base.db.begin().await?;
    let begun = checks::begin(&mut tx, by, total, base.clock.now()).await?;
    if begun.is_some() {
        tx.commit().await?;
    }
    Ok(begun)
}

/// The newest checks, the newest first; one of them may be under way.
///
/// # Errors
/// Those of the books.
pub async fn newest(base: &Base, limit: i64) -> Result<Vec<Check>> {
    checks::newest(&mut *base.db.read().await?, limit).await
}

async fn run(base: &Base, id: i64) -> Result<Report> {
    let done = Arc::new(AtomicU64::new(0));
    let telling = tokio::spawn(tell(base.clone(), id, done.clone()));
    let checked = check(base, done).await;
    telling.abort();
    checked
}

async fn check(base: &Base, done: Arc<AtomicU64>) -> Result<Report> {
    // SQLite reads on the thread that asks, so the check has one of its own, which does not keep the
    // process from ending, and to PostgreSQL connections of its own that live there.
    let db = base.db.apart()?;
    let failed = |why: &dyn std::fmt::Display| Error::Fault(format!("the check failed: {why}"));
    let (ended, end) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let spawned = std::thread::Builder::new().name("check".to_owned()).spawn(move || {
        let checked = runtime.block_on(async {
            let mut snapshot = db.snapshot().await?;
            let told = move |read| done.store(read, Ordering::Relaxed);
            let report = storage::check::check_telling(&mut snapshot, &told).await;
            snapshot.end().await?;
            report
        });
        // Nobody listens any more when the process is ending.
        let _ = ended.send(checked);
    });
    spawned.map_err(|error| failed(&error))?;
    end.await.unwrap_or_else(|error| Err(failed(&error)))
}

async fn tell(base: Base, id: i64, done: Arc<AtomicU64>) {
    loop {
        tokio::time::sleep(TELL).await;
        let read = i64::try_from(done.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let told = async {
            let mut tx = base.db.begin().await?;
            checks::tell(&mut tx, id, read, base.clock.now()).await?;
            tx.commit().await
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, "how far a check is could not be stored; tried again");
        }
    }
}

async fn noted(base: &Base, id: i64, ended: Result<Report>) -> Result<()> {
    match &ended {
        Ok(report) if report.ok => tracing::info!(check = id, "the books are right"),
        Ok(report) => tracing::error!(check = id, broken = report.broken_count, "the books are broken"),
        Err(error) => tracing::error!(check = id, %error, "the books could not be checked"),
    }
    again(|| async {
        let mut tx = base.db.begin().await?;
        let now = base.clock.now();
        match &ended {
            Ok(report) => checks::end(&mut tx, id, report, now).await?,
            Err(error) => checks::fail(&mut tx, id, &error.to_string(), now).await?,
        }
        tx.commit().await
    })
    .await
}

/// How long until the books are to be checked in the night.
pub fn until_night(now: Moment, time_zone: &TimeZone) -> Duration {
    let now = Timestamp::from_microsecond(now.0).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = time_zone.to_datetime(now).date();
    let of_day = |date: jiff::civil::Date| time_zone.to_timestamp(date.at(NIGHT.0, NIGHT.1, 0, 0)).ok();
    let days = [Some(date), date.checked_add(1.day()).ok()];
    let next = days.into_iter().flatten().filter_map(of_day).find(|at| *at > now);
    let left = next.map_or(86_400_000_000, |at| at.as_microsecond() - now.as_microsecond());
    Duration::from_micros(u64::try_from(left).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_night_is_never_more_than_a_day_and_an_hour_away() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        #[rustfmt::skip]
        let cases = [
            // now, in UTC          minutes until half past three in Berlin
            ("2026-11-27T02:29:00Z",      1),
            ("2026-11-27T02:30:00Z", 24 * 60),
            ("2026-11-27T12:00:00Z", 14 * 60 + 30),
            ("2026-03-28T12:00:00Z", 13 * 60 + 30), // the clocks go forward in between
            ("2026-10-24T12:00:00Z", 14 * 60 + 30), // and back
        ];
        for (now, minutes) in cases {
            let now: Timestamp = now.parse().unwrap();
            let left = until_night(Moment(now.as_microsecond()), &berlin);
            assert_eq!(left, Duration::from_secs(minutes * 60), "{now}");
        }
    }
}
