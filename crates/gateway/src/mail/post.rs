//! The worker that sends mails. It takes one at a time, so that several processes share the work and
//! none holds what it cannot send soon; what does not work is tried again for two days.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::moment::Moment;
use lettre::message::Mailbox;
use storage::mails::{self, Mail, Tried};
use storage::{Error, Result};
use tokio::sync::watch;

use super::server::{Failure, Line, Server, composed};
use crate::base::Base;
use crate::clock::day_of;
use crate::seal;

/// How long it is tried.
pub const TRIED_FOR: Duration = Duration::from_secs(48 * 3600);
/// How long mails are kept that were sent, or are not sent any more.
pub const KEPT_FOR: Duration = Duration::from_secs(90 * 86_400);
/// The first pause between two tries; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(6 * 3600);
/// How often we look for mails.
const LOOK: Duration = Duration::from_secs(1);
/// How long we wait when the server cannot be reached.
const UNREACHED: Duration = Duration::from_secs(15);
/// How often mails are forgotten that are too old.
const FORGET: Duration = Duration::from_secs(3600);
/// How many at once.
const FORGOTTEN_MAX: i64 = 1_000;

/// By which way mails leave.
#[derive(Clone, Debug)]
pub struct Post {
    /// The mail server. Without one, mails are kept in the folder.
    pub server: Option<Server>,
    /// The folder for mails that have no server to go to.
    pub folder: PathBuf,
    /// Who kept mails are from.
    pub from: Mailbox,
}

/// What one turn came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Mails that the server took, or that were kept.
    pub done: usize,
    /// Mails that will be tried again.
    pub put_off: usize,
    /// Mails that were given up.
    pub given_up: usize,
    /// Whether the server could not be reached.
    pub unreached: bool,
}

/// Sends mails until told to stop, and ends between two of them.
pub async fn run(base: Base, post: Post, mut stop: watch::Receiver<bool>) {
    let mut forgotten = tokio::time::Instant::now();
    while !*stop.borrow() {
        let turn = turn(&base, &post, || *stop.borrow()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "mails could not be looked for; tried again");
            Turn { unreached: true, ..Turn::default() }
        });
        if forgotten.elapsed() >= FORGET {
            forgotten = tokio::time::Instant::now();
            if let Err(error) = forget(&base).await {
                tracing::warn!(%error, "old mails could not be forgotten; tried again in an hour");
            }
        }
        let pause = if turn.unreached { UNREACHED } else { LOOK };
        let _ = tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await;
    }
}

/// Sends what is due, until nothing is, the server cannot be reached, or `stop` says so.
///
/// # Errors
/// Those of the books.
pub async fn turn(base: &Base, post: &Post, stop: impl Fn() -> bool) -> Result<Turn> {
    let mut turn = Turn::default();
    let mut line: Option<Line<'_>> = None;
    while !stop() && !turn.unreached {
        let Some((mail, is_whole)) = next(base).await? else { break };
        let tried = match &post.server {
            // A link that opens nothing is of no use to anybody.
            _ if !is_whole => Came::To(Failure::Refused(
                "its link is sealed by another key than the one of this installation".to_owned(),
            )),
            None => keep(base, post, &mail).await,
            Some(server) => send(server, &mut line, &mail, &mut turn).await,
        };
        conclude(base, &mail, tried, &mut turn).await?;
    }
    if let Some(line) = line.filter(Line::usable) {
        line.quit().await;
    }
    Ok(turn)
}

/// Takes the next mail that is due, and whether its link could be opened, if it has one.
async fn next(base: &Base) -> Result<Option<(Mail, bool)>> {
    let now = base.clock.now();
    if !mails::any_due(&mut *base.db.read().await?, now).await? {
        return Ok(None);
    }
    let mut tx = base.db.begin().await?;
    let mut claimed = mails::claim(&mut tx, now, now.after(mails::LEASE), 1).await?;
    tx.commit().await?;
    let Some(mut mail) = claimed.pop() else { return Ok(None) };
    let has_link = mail.secret.is_some();
    mail.secret = opened(base, &mail)?;
    let is_whole = !has_link || mail.secret.is_some();
    Ok(Some((mail, is_whole)))
}

/// What the link of a mail opens doors with; nothing once it was sent, or when it was sealed by another key.
///
/// # Errors
/// When this process has no key for secrets.
pub fn opened(base: &Base, mail: &Mail) -> Result<Option<String>> {
    let Some(sealed) = &mail.secret else { return Ok(None) };
    seal::open(base, &seal::link_to(&mail.recipient), sealed)
}

enum Came {
    ToTheServer,
    ToTheFolder,
    To(Failure),
}

async fn send<'a>(server: &'a Server, line: &mut Option<Line<'a>>, mail: &Mail, turn: &mut Turn) -> Came {
    if line.as_ref().is_none_or(|line| !line.usable()) {
        match server.connect().await {
            Ok(open) => *line = Some(open),
            Err(why) => {
                turn.unreached = true;
                return Came::To(Failure::Later(why));
            }
        }
    }
    let Some(open) = line else { return Came::To(Failure::Later("there is no line".to_owned())) };
    match open.send(mail).await {
        Ok(()) => Came::ToTheServer,
        Err(failure) => {
            // Whatever the server had still to say must not be taken for an answer to the next mail.
            *line = None;
            Came::To(failure)
        }
    }
}

/// Writes a mail into the folder, where only we may read it.
async fn keep(base: &Base, post: &Post, mail: &Mail) -> Came {
    let message = match composed(mail, &post.from, None) {
        Ok(message) => message.formatted(),
        Err(why) => return Came::To(Failure::Refused(why)),
    };
    let day = day_of(mail.created_at, &base.rules.time_zone);
    let path = post.folder.join(format!("{day}-{}-{}.eml", mail.id, mail.kind));
    let written = tokio::task::spawn_blocking(move || write(&path, &message)).await;
    match written.map_err(std::io::Error::other).flatten() {
        Ok(()) => Came::ToTheFolder,
        Err(error) => Came::To(Failure::Later(format!("{}: {error}", post.folder.display()))),
    }
}

fn write(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(octets)
}

/// Notes what a try came to.
async fn conclude(base: &Base, mail: &Mail, came: Came, turn: &mut Turn) -> Result<()> {
    let now = base.clock.now();
    let over = now.since(mail.trying_since) >= TRIED_FOR;
    let tried = match &came {
        Came::ToTheServer => Tried::Sent,
        Came::ToTheFolder => Tried::Kept,
        Came::To(Failure::Later(why)) if !over => Tried::Again(now.after(pause(mail.attempts)), why),
        Came::To(Failure::Later(why) | Failure::Refused(why)) => Tried::GivenUp(why),
    };
    match tried {
        Tried::Sent | Tried::Kept => turn.done += 1,
        Tried::Again(_, why) => {
            turn.put_off += 1;
            tracing::warn!(
                mail = mail.id,
                kind = mail.kind,
                tries = mail.attempts,
                why,
                "a mail was not sent; tried again"
            );
        }
        Tried::GivenUp(why) => {
            turn.given_up += 1;
            tracing::error!(mail = mail.id, kind = mail.kind, why, "a mail is given up");
        }
    }
    noted(base, mail, tried, now).await
}

/// What was sent must be known to be, or it is sent again: so this is tried for as long as the mail is
/// ours.
async fn noted(base: &Base, mail: &Mail, tried: Tried<'_>, now: Moment) -> Result<()> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(50);
    loop {
        match note(base, mail, tried, now).await {
            Err(error) if error.retryable() && waited < mails::LEASE / 2 => {
                tokio::time::sleep(pause).await;
                waited += pause;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            done => return done,
        }
    }
}

async fn note(base: &Base, mail: &Mail, tried: Tried<'_>, now: Moment) -> std::result::Result<(), Error> {
    let mut tx = base.db.begin().await?;
    mails::note(&mut tx, mail, tried, now).await?;
    tx.commit().await
}

/// How long after so many tries the next one is.
fn pause(attempts: i64) -> Duration {
    let doubled = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or(0);
    (PAUSE * 2_u32.pow(doubled)).min(PAUSE_MAX)
}

async fn forget(base: &Base) -> Result<()> {
    let before = base.clock.now().before(KEPT_FOR);
    loop {
        let mut tx = base.db.begin().await?;
        let forgotten = mails::forget(&mut tx, before, FORGOTTEN_MAX).await?;
        tx.commit().await?;
        if forgotten < FORGOTTEN_MAX as u64 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_minute_to_six_hours() {
        let minutes: Vec<u64> = (1..=11).map(|tries| pause(tries).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]);
        assert_eq!(pause(i64::MAX), PAUSE_MAX);
    }
}
