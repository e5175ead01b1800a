//! Takes texts and numbers out of messages when the time is over that their account keeps them, and
//! with them what the request log has of them. Country, segments, price and everything that is counted
//! stay; so does whatever is still to be sent, until it is sent.
//!
//! It goes in small steps with pauses between them, so that nobody who sends waits for it. One process
//! at a time does it, and what was done twice is as if done once.

use std::time::Duration;

use domain::id::{AccountId, MessageId};
use domain::moment::Moment;
use storage::retention::{self, Candidate, Keeper};
use storage::{Error, Tx, calls, jobs};

use crate::again::again;
use crate::base::Base;

/// The work as a whole, in the list of jobs.
const WORK: &str = "retention";
/// A message that was still to be sent when it was passed.
const LATER: &str = "retention of a message";
/// How long between two rounds.
pub const EVERY: Duration = Duration::from_secs(3_600);
/// Who has not said for this long that they are at it, has died.
const LEASE: Duration = Duration::from_secs(300);
/// Messages in one transaction.
const STEP: i64 = 500;
/// How long a step leaves the books to others.
const PAUSE: Duration = Duration::from_millis(20);
/// When a message that was passed is looked at again.
const AGAIN: Duration = Duration::from_secs(86_400);
const DAY: u64 = 86_400;

/// What a round has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Messages whose text was taken out.
    pub texts: u64,
    /// Messages whose number was.
    pub numbers: u64,
}

/// Does a round, if one is due and nobody else is at it. To be called every few minutes.
///
/// # Errors
/// Those of the books; the next call goes on.
pub async fn run(base: &Base) -> Result<Option<Round>, Error> {
    if !again(|| take(base)).await? {
        return Ok(None);
    }
    let mut round = Round::default();
    let mut after = AccountId(0);
    loop {
        let keepers = retention::keepers(&mut *base.db.read().await?, after, 200).await?;
        let Some(last) = keepers.last() else { break };
        after = last.account;
        for keeper in keepers {
            go_through(base, keeper, &mut round).await?;
        }
    }
    look_again(base, &mut round).await?;
    again(|| async move {
        let mut tx = base.db.begin().await?;
        jobs::due_next(&mut tx, WORK, base.clock.now().after(EVERY)).await?;
        tx.commit().await
    })
    .await?;
    if round != Round::default() {
        tracing::info!(texts = round.texts, numbers = round.numbers, "texts and numbers were deleted");
    }
    Ok(Some(round))
}

async fn take(base: &Base) -> Result<bool, Error> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    let taken = jobs::take(&mut tx, WORK, now, now.after(LEASE)).await?;
    tx.commit().await?;
    Ok(taken)
}

/// The moment before which something is to go.
fn cutoff(days: Option<i64>, now: Moment) -> Moment {
    match days.map(u64::try_from) {
        Some(Ok(days)) => now.before(Duration::from_secs(days * DAY)),
        _ => Moment(i64::MIN),
    }
}

async fn go_through(base: &Base, mut keeper: Keeper, round: &mut Round) -> Result<(), Error> {
    loop {
        let before = keeper;
        let (next, done) = again(|| step(base, before)).await?;
        round.texts += done.texts;
        round.numbers += done.numbers;
        if next == keeper {
            return Ok(());
        }
        keeper = next;
        tokio::time::sleep(PAUSE).await;
    }
}

/// One transaction: texts and numbers of at most [`STEP`] messages each.
async fn step(base: &Base, mut keeper: Keeper) -> Result<(Keeper, Round), Error> {
    let now = base.clock.now();
    let account = keeper.account;
    let cutoffs = (cutoff(keeper.text_days, now), cutoff(keeper.number_days, now));
    let mut conn = base.db.read().await?;
    let over = |candidates: Vec<Candidate>, cutoff: Moment| {
        candidates.into_iter().take_while(|one| one.created_at < cutoff).collect::<Vec<_>>()
    };
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    if keeper.text_days.is_some() {
        texts = over(retention::next(&mut conn, account, keeper.text_to, STEP).await?, cutoffs.0);
    }
    if keeper.number_days.is_some() {
        numbers = over(retention::next(&mut conn, account, keeper.number_to, STEP).await?, cutoffs.1);
    }
    // The log of calls has both.
    let logged_before = cutoffs.0.max(cutoffs.1);
    let logged = calls::any_before(&mut conn, account, logged_before).await?;
    drop(conn);
    if texts.is_empty() && numbers.is_empty() && !logged {
        return Ok((keeper, Round::default()));
    }
    let mut tx = base.db.begin().await?;
    // Says on the way that somebody is at it.
    jobs::due_next(&mut tx, WORK, now.after(LEASE)).await?;
    let last = keeper;
    calls::forget_of(&mut tx, account, logged_before).await?;
    if let Some(reached) = texts.last() {
        keeper.text_to = reached.id;
    }
    if let Some(reached) = numbers.last() {
        keeper.number_to = reached.id;
    }
    let done = blank(&mut tx, &texts, &numbers, now).await?;
    if keeper != last {
        retention::reached(&mut tx, account, keeper.text_to, keeper.number_to).await?;
    }
    tx.commit().await?;
    Ok((keeper, done))
}

/// Takes out what may be taken out, and notes down what is still to be sent.
async fn blank(tx: &mut Tx, texts: &[Candidate], numbers: &[Candidate], now: Moment) -> Result<Round, Error> {
    let mut waiting: Vec<MessageId> =
        texts.iter().chain(numbers).filter(|one| one.waits).map(|one| one.id).collect();
    waiting.sort_unstable();
    waiting.dedup();
    for id in waiting {
        jobs::add(tx, LATER, id.0, now.after(AGAIN)).await?;
    }
    let texts: Vec<MessageId> = texts.iter().filter(|one| !one.waits).map(|one| one.id).collect();
    let numbers: Vec<_> =
        numbers.iter().filter(|one| !one.waits).map(|one| (one.id, one.recipient)).collect();
    retention::take_texts(tx, &texts).await?;
    retention::take_numbers(tx, &numbers).await?;
    Ok(Round { texts: texts.len() as u64, numbers: numbers.len() as u64 })
}

/// Looks at the messages again that were still to be sent when they were passed.
async fn look_again(base: &Base, round: &mut Round) -> Result<(), Error> {
    loop {
        let done = again(|| look_again_once(base)).await?;
        let Some((done, all)) = done else { return Ok(()) };
        round.texts += done.texts;
        round.numbers += done.numbers;
        if all {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn look_again_once(base: &Base) -> Result<Option<(Round, bool)>, Error> {
    let now = base.clock.now();
    let due = jobs::due(&mut *base.db.read().await?, LATER, now, STEP).await?;
    if due.is_empty() {
        return Ok(None);
    }
    let ids: Vec<i64> = due.iter().map(|job| job.reference).collect();
    let mut tx = base.db.begin().await?;
    let ids = jobs::still(&mut tx, LATER, &ids).await?;
    let (mut texts, mut numbers, mut done, mut later) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in retention::these(&mut tx, &ids).await? {
        let Some(account) = base.account(one.account).await? else { continue };
        let settings = &account.settings;
        let text_over = settings.text_days.is_some() && one.created_at < cutoff(settings.text_days, now);
        let number_over =
            settings.number_days.is_some() && one.created_at < cutoff(settings.number_days, now);
        let is_over = |days: Option<i64>, over: bool| days.is_none() || over;
        let all_over = is_over(settings.text_days, text_over) && is_over(settings.number_days, number_over);
        match all_over && !one.waits {
            true => done.push(one.id.0),
            false => later.push(one.id.0),
        }
        if one.waits {
            continue;
        }
        if text_over {
            texts.push(one);
        }
        if number_over {
            numbers.push(one);
        }
    }
    let round = blank(&mut tx, &texts, &numbers, now).await?;
    for id in later {
        jobs::put_off(&mut tx, LATER, id, now.after(AGAIN), "it is still to be sent").await?;
    }
    jobs::done(&mut tx, LATER, &done).await?;
    tx.commit().await?;
    Ok(Some((round, (due.len() as i64) < STEP)))
}
