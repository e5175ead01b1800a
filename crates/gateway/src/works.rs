//! Long work that people begin in an account and may leave while it goes on. How far it is and what became
//! of each part is kept in the books, so that whoever comes back sees it, by whichever process. A process
//! that ends takes the work with it: what was done stays done, and the same begun once more goes on, because
//! each part books nothing twice.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::actor::Actor;
use domain::id::AccountId;
use storage::works::{self, Begun, NewWork};
use storage::{Error, Result};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use storage::works::{Kind, Part, State, Work};

use crate::again::again;
use crate::base::Base;
use crate::changes::What;

/// How often it is stored how far work is.
const TOLD_EVERY: Duration = Duration::from_millis(500);
/// How often it is tried to store what became of parts, at the end.
const TRIES: u32 = 8;
/// How long it stays readable.
pub const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How much is forgotten at once.
const FORGET_STEP: i64 = 20;

/// Work that is under way, held by whoever does it.
pub struct Doing {
    parts: Arc<Mutex<Vec<Part>>>,
    end: oneshot::Sender<Option<String>>,
    keeper: JoinHandle<()>,
}

/// What came of beginning.
pub enum Beginning {
    /// It is the caller's to do.
    Yours(Doing),
    /// Somebody is at it already.
    UnderWay,
    /// The same name was used for something else.
    Other,
}

/// Begins work under a name, or begins the same once more when it has ended. `content` says all that is
/// asked for; a name that was used for something else is refused. Must be called within a tokio
/// runtime, which is to live until the work ends.
///
/// # Errors
/// Those of the books.
pub async fn begin(
    base: &Base,
    account: AccountId,
    kind: Kind,
    (name, content): (&str, &str),
    total: usize,
    by: &Actor,
) -> Result<Beginning> {
    let new = NewWork {
        account,
        kind,
        name,
        content,
        by: &by.name,
        total: i64::try_from(total).unwrap_or(i64::MAX),
    };
    let begun = again(|| async move {
        let mut tx = base.db.begin().await?;
        let begun = works::begin(&mut tx, &new, base.clock.now()).await?;
        tx.commit().await?;
        Ok::<Begun, Error>(begun)
    })
    .await?;
    let id = match begun {
        Begun::Yours(id) => id,
        Begun::UnderWay => return Ok(Beginning::UnderWay),
        Begun::Other => return Ok(Beginning::Other),
    };
    let parts = Arc::<Mutex<Vec<Part>>>::default();
    let (end, ended) = oneshot::channel();
    let keeper = tokio::spawn(keep(base.clone(), account, id, parts.clone(), ended));
    Ok(Beginning::Yours(Doing { parts, end, keeper }))
}

impl Doing {
    /// Says what became of a part.
    pub fn tell(&self, part: Part) {
        locked(&self.parts).push(part);
    }

    /// Says that all is over, and why it broke off if it did. Returns once that is stored.
    pub async fn end(self, error: Option<String>) {
        // Whoever keeps it waits for this.
        let _ = self.end.send(error);
        let _ = self.keeper.await;
    }
}

/// Stores how far some work is, until its end.
async fn keep(
    base: Base,
    account: AccountId,
    id: i64,
    parts: Arc<Mutex<Vec<Part>>>,
    mut ended: oneshot::Receiver<Option<String>>,
) {
    let mut end = None;
    let mut tries = 0;
    loop {
        if end.is_none() {
            end = tokio::select! {
                end = &mut ended => Some(end.unwrap_or_else(|_| Some("It came to an unexpected end.".to_owned()))),
                () = tokio::time::sleep(TOLD_EVERY) => None,
            };
        } else {
            // It is over, and that could not be stored a moment ago.
            tokio::time::sleep(TOLD_EVERY * tries).await;
        }
        let new = std::mem::take(&mut *locked(&parts));
        let (base, stored, ended) = (&base, &new, &end);
        let stored = again(|| async move {
            let mut tx = base.db.begin().await?;
            let now = base.clock.now();
            works::tell(&mut tx, id, stored, now).await?;
            if let Some(error) = ended {
                works::end(&mut tx, id, error.as_deref(), now).await?;
            }
            tx.commit().await
        });
        if let Err::<(), Error>(error) = stored.await {
            tracing::warn!(work = id, %error, "how far some work is could not be stored");
            // The next time tells of these, too.
            locked(&parts).splice(0..0, new);
            tries += 1;
            if tries < TRIES {
                continue;
            }
        } else {
            tries = 0;
        }
        if base.is_looked_at() {
            base.changed([(account, What::WORK)]);
        }
        if end.is_some() {
            return;
        }
    }
}

fn locked(parts: &Mutex<Vec<Part>>) -> MutexGuard<'_, Vec<Part>> {
    parts.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The work of an account by its name.
///
/// # Errors
/// Those of the books.
pub async fn find(base: &Base, account: AccountId, kind: Kind, name: &str) -> Result<Option<Work>> {
    works::find(&mut *base.db.read().await?, account, kind, name).await
}

/// The newest work of an account, of the last so long.
///
/// # Errors
/// Those of the books.
pub async fn lately(base: &Base, account: AccountId, within: Duration, limit: i64) -> Result<Vec<Work>> {
    let since = base.clock.now().before(within);
    works::since(&mut *base.db.read().await?, account, since, limit).await
}

/// What became of parts of some work, those that were refused first; and how many came out in each way:
/// done, done before, refused.
///
/// # Errors
/// Those of the books.
pub async fn parts(base: &Base, work: &Work, limit: i64) -> Result<(Vec<Part>, [i64; 3])> {
    let mut conn = base.db.read().await?;
    let counts = works::counts(&mut conn, work.id).await?;
    Ok((works::parts(&mut conn, work.id, limit).await?, counts))
}

/// Forgets work that was kept for long enough. To be called now and then; several processes may.
///
/// # Errors
/// Those of the books.
pub async fn forget_old(base: &Base) -> Result<()> {
    loop {
        let step = again(|| async move {
            let mut tx = base.db.begin().await?;
            let step = works::forget(&mut tx, base.clock.now().before(KEPT), FORGET_STEP).await?;
            tx.commit().await?;
            Ok::<u64, Error>(step)
        })
        .await?;
        if step < FORGET_STEP.unsigned_abs() {
            return Ok(());
        }
    }
}
