//! Another address for a login: it counts once somebody has followed the link that was mailed to it.
//! The old address is told. Whether the new one is somebody else's is not said: then no mail is sent.

use domain::account::Email;
use domain::login::Login;
use storage::tokens::{self, Kind, Token};
use storage::{Error, logins};

use crate::again::{again, busy};
use crate::base::Base;
use crate::guesses::{self, Door, Wait};
use crate::login_changes::{self, Change};
use crate::mail::{self, Message};
use crate::password_reset::LINK_LASTS;
use crate::people::{hash, secret};
use crate::second_factor::{FactorError, confirm_person};
use crate::sessions::SignedIn;
use crate::sign_in::{Client, to};

/// Why an address was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is not proven to be them.
    #[error(transparent)]
    Person(#[from] FactorError),
    /// Too many mails were asked for.
    #[error(transparent)]
    Wait(#[from] Wait),
    /// The link was used, or its time is over.
    #[error("this link does not work any more; ask for a new one")]
    Ended,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(AddressError);

/// Mails a link to the new address.
///
/// # Errors
/// As [`confirm_person`]; [`AddressError::Wait`].
pub async fn ask(
    base: &Base,
    who: &SignedIn,
    password: &str,
    new: &Email,
    client: &Client<'_>,
) -> Result<(), AddressError> {
    confirm_person(base, who, password).await?;
    again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let doors = vec![Door::mails(new.as_str()), Door::network_mails(client.address)];
        guesses::count(&mut tx, doors, now).await??;
        if logins::by_email(&mut tx, new).await?.is_none_or(|login| login.id == who.login.id) {
            let (token, expires_at) = (secret(), now.after(LINK_LASTS));
            let held = Token { login: Some(who.login.id), content: new.as_str().to_owned(), expires_at };
            tokens::spoil(&mut tx, Kind::AddressChange, who.login.id, now).await?;
            tokens::insert(&mut tx, Kind::AddressChange, &hash(&token), &held, now).await?;
            let message = Message::AddressChange { secret: &token, new: new.as_str(), expires_at };
            let to = mail::To { email: new.as_str(), ..to(&who.login) };
            mail::enqueue(&mut tx, base, &to, &message, now).await?;
        }
        tx.commit().await?;
        Ok::<_, AddressError>(())
    })
    .await
}

/// Whose link this is and the address it stands for, as long as it works. It stays.
pub async fn look(base: &Base, token: &str) -> Result<Option<(Login, Email)>, Error> {
    let mut conn = base.db.read().await?;
    let held = tokens::find(&mut conn, Kind::AddressChange, &hash(token), base.clock.now()).await?;
    let Some((id, new)) = held.and_then(|held| Some((held.login?, Email::parse(&held.content).ok()?))) else {
        return Ok(None);
    };
    let login = logins::find(&mut conn, id).await?.filter(|login| login.disabled_at.is_none());
    Ok(login.map(|login| (login, new)))
}

/// Follows the link: the new address counts. Gives the login with it.
///
/// # Errors
/// [`AddressError::Ended`], also when somebody else has taken the address meanwhile.
pub async fn confirm(base: &Base, token: &str, client: &Client<'_>) -> Result<Login, AddressError> {
    let login = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let held = tokens::take(&mut tx, Kind::AddressChange, &hash(token), now).await?;
        let held = held.ok_or(AddressError::Ended)?;
        let id = held.login.ok_or(AddressError::Ended)?;
        let login = logins::hold(&mut tx, id).await?.filter(|login| login.disabled_at.is_none());
        let login = login.ok_or(AddressError::Ended)?;
        let new = Email::parse(&held.content).map_err(|_| AddressError::Ended)?;
        login_changes::tell(&mut tx, base, &login, Change::Address(new.as_str()), client, now).await?;
        // A link to choose a password that lies in the old mailbox opens nothing any more.
        tokens::spoil(&mut tx, Kind::PasswordReset, login.id, now).await?;
        match logins::set_email(&mut tx, login.id, &new).await {
            Err(error) if error.is_duplicate_of("logins", "email_folded") => return Err(AddressError::Ended),
            done => done?,
        }
        let login = logins::find(&mut tx, login.id).await?.ok_or(AddressError::Ended)?;
        tx.commit().await?;
        Ok(login)
    })
    .await?;
    base.refresh().await?;
    Ok(login)
}
