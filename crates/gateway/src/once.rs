//! Doing a thing once, however often it is asked for: a key of the caller's is claimed before the
//! work begins, and the answer is kept with it.
//!
//! A refusal changes nothing and is not kept, so that the same may be asked for again once its reason
//! is gone.

use std::time::Duration;

use domain::id::{KeyId, LoginId};
use domain::moment::Moment;
use storage::Error;
use storage::answers::{self, Claim};

use crate::again::again;
use crate::base::Base;

/// How long answers are kept.
pub const KEPT: Duration = Duration::from_secs(2 * 86_400);
/// After this long without an answer, whoever began has died.
pub const DEAD_AFTER: Duration = Duration::from_secs(120);
/// How long somebody who asks for the same at the same time waits for the answer.
const WAIT: Duration = Duration::from_secs(10);
/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Something that is asked for once.
#[derive(Clone, Debug)]
pub struct Once {
    /// The API key that asks.
    pub key: KeyId,
    /// The caller's name for it.
    pub name: String,
    /// All that is asked for, in one canonical text.
    pub content: String,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The work, and then [`Once::keep`] or [`Once::let_go`].
    Do,
    /// Nothing: this was the answer.
    Answered(String),
    /// Nothing: the name was used for something else.
    Other,
    /// Nothing: somebody else is at it, and takes long.
    UnderWay,
    /// The one who began has died before its answer was kept. The work may be done or not. The claim
    /// is the caller's now, who does it again only if that books nothing twice, and lets go of it or
    /// keeps it anyway.
    Interrupted,
}

/// People's names for things stand beside those of keys, below zero, where no key is.
fn key_of(login: LoginId) -> KeyId {
    KeyId(-login.0)
}

/// The answer to what a person asked for under a name, as long as it is kept.
pub async fn answer_to(base: &Base, login: LoginId, name: &str) -> Result<Option<String>, Error> {
    answers::answer(&mut *base.db.read().await?, key_of(login), name).await
}

impl Once {
    /// Something a person asks for, by a form that has a name.
    pub fn of_person(login: LoginId, name: String, content: String) -> Once {
        Once { key: key_of(login), name, content }
    }

    /// Begins, or waits for whoever began to ask for the same.
    pub async fn begin(&self, base: &Base) -> Result<Begun, Error> {
        let looks = WAIT.as_millis() / PAUSE.as_millis();
        for _ in 0..looks {
            match again(|| self.claim(base)).await? {
                Claim::New => return Ok(Begun::Do),
                Claim::Other => return Ok(Begun::Other),
                Claim::Answered(answer) => return Ok(Begun::Answered(answer)),
                Claim::Begun(since) if base.clock.now().since(since) > DEAD_AFTER => {
                    if again(|| self.take_over(base, since)).await? {
                        return Ok(Begun::Interrupted);
                    }
                }
                Claim::Begun(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Begun::UnderWay)
    }

    async fn claim(&self, base: &Base) -> Result<Claim, Error> {
        let mut tx = base.db.begin().await?;
        let claim = answers::claim(&mut tx, self.key, &self.name, &self.content, base.clock.now()).await?;
        tx.commit().await?;
        Ok(claim)
    }

    async fn take_over(&self, base: &Base, begun: Moment) -> Result<bool, Error> {
        let mut tx = base.db.begin().await?;
        let taken = answers::take_over(&mut tx, self.key, &self.name, begun, base.clock.now()).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Keeps the answer of what was done.
    pub async fn keep(&self, base: &Base, answer: &str) -> Result<(), Error> {
        again(|| async move {
            let mut tx = base.db.begin().await?;
            answers::keep(&mut tx, self.key, &self.name, answer).await?;
            tx.commit().await
        })
        .await
    }

    /// Lets go: nothing was done.
    pub async fn let_go(&self, base: &Base) -> Result<(), Error> {
        again(|| async move {
            let mut tx = base.db.begin().await?;
            answers::let_go(&mut tx, self.key, &self.name).await?;
            tx.commit().await
        })
        .await
    }
}

/// Forgets answers that were kept for long enough. To be called every hour or so.
pub async fn forget_old(base: &Base) -> Result<u64, Error> {
    again(|| async move {
        let mut tx = base.db.begin().await?;
        let forgotten = answers::forget(&mut tx, base.clock.now().before(KEPT)).await?;
        tx.commit().await?;
        Ok(forgotten)
    })
    .await
}
