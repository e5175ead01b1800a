//! Logins: creating one, and what people and the operator change about it.

use domain::account::Email;
use domain::id::LoginId;
use domain::login::Login;
use domain::moment::Moment;
use storage::tokens::{self, Kind};
use storage::{Conn, Error, Tx, accounts, logins, members, sessions};
use webauthn_rs::prelude::Uuid;

use crate::again::{again, busy};
use crate::base::Base;
use crate::login_changes::{self, By, Change};
use crate::passwords::{self, Busy, Kept, PasswordError};
use crate::second_factor::{FactorError, confirm_person};
use crate::sessions::SignedIn;
use crate::sign_in::Client;

/// The most characters of a name.
pub const NAME_MAX: usize = 100;

/// A login to be created.
#[derive(Clone)]
pub struct NewLogin<'a> {
    /// Their address.
    pub email: &'a Email,
    /// Their name; 1 to [`NAME_MAX`] characters.
    pub name: &'a str,
    /// The language they read.
    pub language: Option<&'a str>,
    /// Whether they run the installation.
    pub operator: bool,
    /// What is kept of their password ([`password`]); without one they sign in by a provider.
    pub password: Option<&'a Kept>,
}

/// Why a login was not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The name is empty or too long.
    #[error("the name has {0} characters; use 1 to {NAME_MAX}")]
    Name(usize),
    /// Somebody has the address.
    #[error("there is a login with this address already; sign in with it")]
    EmailTaken,
    /// The password is not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Too many people are at it.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// It is not proven to be them.
    #[error(transparent)]
    Person(#[from] FactorError),
    /// There is no such login.
    #[error("there is no such login")]
    NotFound,
    /// The last one who runs the installation must stay.
    #[error("this is the last operator; make somebody else one first")]
    LastOperator,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(LoginError);

/// Checks a password by the rules ([`passwords::check`]) and makes what is kept of it. `about`: what is
/// known of the person, such as their name, their address and their company.
///
/// # Errors
/// [`LoginError::Password`], [`LoginError::Busy`].
pub async fn password(password: &str, about: &[&str], second_factor: bool) -> Result<Kept, LoginError> {
    passwords::check(password, about, second_factor)?;
    Ok(passwords::keep(password).await?)
}

/// A name without blanks around it.
pub(crate) fn checked_name(name: &str) -> Result<&str, LoginError> {
    let name = name.trim();
    match name.chars().count() {
        1..=NAME_MAX if !name.contains(char::is_control) => Ok(name),
        length => Err(LoginError::Name(length)),
    }
}

/// Creates a login, in the transaction that gives it a place.
///
/// # Errors
/// [`LoginError::EmailTaken`], [`LoginError::Name`].
pub async fn create(tx: &mut Tx, new: &NewLogin<'_>, now: Moment) -> Result<Login, LoginError> {
    let webauthn_id = Uuid::new_v4().to_string();
    let stored = logins::NewLogin {
        email: new.email,
        name: checked_name(new.name)?,
        language: new.language,
        operator: new.operator,
        password: new.password.map(|kept| kept.0.as_str()),
        webauthn_id: &webauthn_id,
    };
    let id = match logins::insert(tx, stored, now).await {
        Err(error) if error.is_duplicate_of("logins", "email_folded") => return Err(LoginError::EmailTaken),
        done => done?,
    };
    logins::find(tx, id).await?.ok_or(LoginError::NotFound)
}

/// What is known of a person, which their password must not be made of: name, address, companies.
pub async fn about(conn: &mut Conn, login: &Login) -> Result<Vec<String>, Error> {
    let mut words = vec![login.name.clone(), login.email.as_str().to_owned()];
    let standings = members::standings(conn, login.id).await?;
    let ids: Vec<i64> = standings.iter().take(20).map(|standing| standing.account.0).collect();
    words.extend(accounts::find_all(conn, &ids).await?.into_iter().filter_map(|account| account.company));
    Ok(words)
}

/// Changes somebody's password, or gives them their first. Their other sessions end, and they are told
/// by mail.
///
/// # Errors
/// [`LoginError::Person`] when the current one is not right; [`LoginError::Password`].
pub async fn change_password(
    base: &Base,
    who: &SignedIn,
    current: &str,
    new: &str,
    client: &Client<'_>,
) -> Result<(), LoginError> {
    confirm_person(base, who, current).await?;
    let about = about(&mut *base.db.read().await?, &who.login).await?;
    let about: Vec<&str> = about.iter().map(String::as_str).collect();
    let kept = password(new, &about, who.login.has_second_factor()).await?;
    again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, who.login.id).await?.ok_or(LoginError::NotFound)?;
        replace_password(&mut tx, base, &login, &kept, client, now).await?;
        sessions::revoke_others(&mut tx, login.id, Some(who.session), now).await?;
        tx.commit().await?;
        Ok::<_, LoginError>(())
    })
    .await?;
    Ok(base.refresh().await?)
}

/// Stores a new password, spoils links that were mailed to choose one, and tells of it.
pub(crate) async fn replace_password(
    tx: &mut Tx,
    base: &Base,
    login: &Login,
    kept: &Kept,
    client: &Client<'_>,
    now: Moment,
) -> Result<(), Error> {
    login_changes::tell(tx, base, login, Change::Password, client, now).await?;
    tokens::spoil(tx, Kind::PasswordReset, login.id, now).await?;
    logins::set_password(tx, login.id, &kept.0, now).await
}

/// Changes somebody's name and the language they read.
///
/// # Errors
/// [`LoginError::Name`].
pub async fn set_profile(
    base: &Base,
    login: LoginId,
    name: &str,
    language: Option<&str>,
) -> Result<(), LoginError> {
    let name = checked_name(name)?;
    again(async || {
        let mut tx = base.db.begin().await?;
        logins::set_profile(&mut tx, login, name, language).await?;
        tx.commit().await?;
        Ok::<_, LoginError>(())
    })
    .await?;
    Ok(base.refresh().await?)
}

/// Lets somebody sign in no more, at once everywhere, or again: for the operator.
///
/// # Errors
/// [`LoginError::NotFound`], [`LoginError::LastOperator`].
pub async fn set_disabled(base: &Base, login: LoginId, disabled: bool) -> Result<Login, LoginError> {
    let login = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, login).await?.ok_or(LoginError::NotFound)?;
        if disabled != login.disabled_at.is_some() {
            let change = if disabled { Change::Disabled } else { Change::Enabled };
            login_changes::tell(&mut tx, base, &login, change, By::Operator, now).await?;
        }
        if disabled {
            not_the_last(&mut tx, &login).await?;
            sessions::revoke_others(&mut tx, login.id, None, now).await?;
        }
        logins::set_disabled(&mut tx, login.id, disabled.then_some(now)).await?;
        let login = logins::find(&mut tx, login.id).await?.ok_or(LoginError::NotFound)?;
        tx.commit().await?;
        Ok::<_, LoginError>(login)
    })
    .await?;
    base.refresh().await?;
    Ok(login)
}

/// Says whether somebody runs the installation: for the operator.
///
/// # Errors
/// [`LoginError::NotFound`], [`LoginError::LastOperator`].
pub async fn set_operator(base: &Base, login: LoginId, operator: bool) -> Result<Login, LoginError> {
    let login = again(async || {
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, login).await?.ok_or(LoginError::NotFound)?;
        if !operator {
            not_the_last(&mut tx, &login).await?;
        }
        logins::set_operator(&mut tx, login.id, operator).await?;
        let login = logins::find(&mut tx, login.id).await?.ok_or(LoginError::NotFound)?;
        tx.commit().await?;
        Ok::<_, LoginError>(login)
    })
    .await?;
    base.refresh().await?;
    Ok(login)
}

async fn not_the_last(tx: &mut Tx, login: &Login) -> Result<(), LoginError> {
    if login.operator && logins::other_operators(tx, login.id).await? == 0 {
        return Err(LoginError::LastOperator);
    }
    Ok(())
}
