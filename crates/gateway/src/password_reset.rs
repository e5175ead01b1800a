//! A new password for somebody who cannot sign in, by a link that is mailed to them or made by the
//! operator.
//!
//! Asking for one is answered in the same way and after the same work whether anybody has the address:
//! what differs is done after the answer. The link proves the mailbox and nothing more, so whoever has
//! a second factor owes it still.

use std::time::Duration;

use domain::account::Email;
use domain::id::LoginId;
use domain::login::Login;
use domain::moment::Moment;
use storage::tokens::{self, Kind, Token};
use storage::{Error, Tx, logins, sessions};

use crate::again::{again, busy};
use crate::base::Base;
use crate::guesses::{self, Door, Wait};
use crate::logins::{LoginError, about, password, replace_password};
use crate::mail::{self, Message};
use crate::passwords::{Busy, PasswordError};
use crate::people::{hash, secret};
use crate::sign_in::{Client, Entered, enter, to};

/// How long a mailed link works.
pub const LINK_LASTS: Duration = Duration::from_secs(30 * 60);
/// How long a link of the operator's works.
pub const OPERATORS_LINK_LASTS: Duration = Duration::from_secs(24 * 3600);

/// Why no new password was set.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The link was used, or its time is over.
    #[error("this link does not work any more; ask for a new one")]
    Ended,
    /// Too many links were asked for.
    #[error(transparent)]
    Wait(#[from] Wait),
    /// The password is not taken; the link still works.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Too many people are at it.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(ResetError);

impl From<LoginError> for ResetError {
    fn from(error: LoginError) -> ResetError {
        match error {
            LoginError::Password(error) => ResetError::Password(error),
            LoginError::Busy(busy) => ResetError::Busy(busy),
            LoginError::Storage(error) => ResetError::Storage(error),
            _ => ResetError::Ended,
        }
    }
}

/// Mails a link to choose a new password to whoever has the address, if anybody does. When one was
/// mailed a moment ago, that one still works and no further one is sent.
///
/// # Errors
/// [`ResetError::Wait`] when too many come from one network address.
pub async fn ask(base: &Base, email: &str, client: &Client<'_>) -> Result<(), ResetError> {
    let may_mail = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        guesses::count(&mut tx, vec![Door::network_mails(client.address)], now).await??;
        let may_mail = guesses::count(&mut tx, vec![Door::mails(email)], now).await?.is_ok();
        tx.commit().await?;
        Ok::<_, ResetError>(may_mail)
    })
    .await?;
    if let (true, Ok(email)) = (may_mail, Email::parse(email)) {
        let (base, address, agent) = (base.clone(), client.address.to_owned(), client.agent.to_owned());
        tokio::spawn(async move {
            let client = Client { address: &address, agent: &agent, ..Client::default() };
            if let Err(error) = again(async || mail_link(&base, &email, &client).await).await {
                tracing::error!(%error, "a link to choose a password could not be mailed");
            }
        });
    }
    Ok(())
}

async fn mail_link(base: &Base, email: &Email, client: &Client<'_>) -> Result<(), Error> {
    let login = logins::by_email(&mut *base.db.read().await?, email).await?;
    let Some(login) = login.filter(|login| login.disabled_at.is_none()) else { return Ok(()) };
    let (token, now) = (secret(), base.clock.now());
    let expires_at = now.after(LINK_LASTS);
    let mut tx = base.db.begin().await?;
    hold(&mut tx, login.id, &token, expires_at, now).await?;
    let message = Message::PasswordReset { secret: &token, doing: client.doing(now), expires_at };
    mail::enqueue(&mut tx, base, &to(&login), &message, now).await?;
    tx.commit().await
}

async fn hold(
    tx: &mut Tx,
    login: LoginId,
    token: &str,
    expires_at: Moment,
    now: Moment,
) -> Result<(), Error> {
    let held = Token { login: Some(login), content: String::new(), expires_at };
    tokens::insert(tx, Kind::PasswordReset, &hash(token), &held, now).await
}

/// Makes a link for somebody who is locked out: for the operator, who hands it over. Gives its path and
/// until when it works.
pub async fn link(base: &Base, login: LoginId) -> Result<(String, Moment), Error> {
    let (token, now) = (secret(), base.clock.now());
    let expires_at = now.after(OPERATORS_LINK_LASTS);
    let mut tx = base.db.begin().await?;
    hold(&mut tx, login, &token, expires_at, now).await?;
    tx.commit().await?;
    Ok((format!("/reset/{token}"), expires_at))
}

/// Whose link this is, as long as it works. It stays.
pub async fn look(base: &Base, token: &str) -> Result<Option<Login>, Error> {
    let mut conn = base.db.read().await?;
    let held = tokens::find(&mut conn, Kind::PasswordReset, &hash(token), base.clock.now()).await?;
    let Some(login) = held.and_then(|held| held.login) else { return Ok(None) };
    Ok(logins::find(&mut conn, login).await?.filter(|login| login.disabled_at.is_none()))
}

/// Sets a new password by a link, ends all sessions and signs in; a second factor is owed still.
///
/// # Errors
/// [`ResetError::Ended`]; [`ResetError::Password`], after which the link still works.
pub async fn choose(base: &Base, token: &str, new: &str, client: &Client<'_>) -> Result<Entered, ResetError> {
    let login = look(base, token).await?.ok_or(ResetError::Ended)?;
    let about = about(&mut *base.db.read().await?, &login).await?;
    let about: Vec<&str> = about.iter().map(String::as_str).collect();
    let kept = password(new, &about, login.has_second_factor()).await?;
    let entered = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let held = tokens::take(&mut tx, Kind::PasswordReset, &hash(token), now).await?;
        let id = held.and_then(|held| held.login).ok_or(ResetError::Ended)?;
        let login = logins::hold(&mut tx, id).await?.filter(|login| login.disabled_at.is_none());
        let login = login.ok_or(ResetError::Ended)?;
        replace_password(&mut tx, base, &login, &kept, client, now).await?;
        sessions::revoke_others(&mut tx, login.id, None, now).await?;
        let entered = enter(&mut tx, base, login, false, client, now).await?;
        tx.commit().await?;
        Ok::<_, ResetError>(entered)
    })
    .await?;
    base.refresh().await?;
    Ok(entered)
}
