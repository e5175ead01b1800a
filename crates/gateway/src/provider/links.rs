//! Linking a login to the provider while signed in, and unlinking it. Both are confirmed by the password
//! (or a sign-in of a short time ago, where there is none), told by mail and in the audit logs. The last
//! way to sign in cannot be taken away.

use domain::login::Login;
use storage::{Conn, Error, identities, logins};

use super::{Begun, Person, ProviderError, begin_for};
use crate::again::{again, busy};
use crate::base::Base;
use crate::login_changes::{self, Change};
use crate::passkeys;
use crate::second_factor::{FactorError, confirm_person};
use crate::sessions::SignedIn;
use crate::sign_in::Client;

/// Why a login was not linked or unlinked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It is not proven to be them.
    #[error(transparent)]
    Person(#[from] FactorError),
    /// The provider, or what it says.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// It is linked already.
    #[error(
        "your login is linked to this provider already; unlink it first to link it to another account there"
    )]
    Linked,
    /// Whoever they are at the provider is somebody else here.
    #[error("another login here is linked to that account at the provider; sign in there as yourself")]
    Taken,
    /// It is not linked.
    #[error("your login is not linked to this provider")]
    NotLinked,
    /// There would be no way in any more.
    #[error("this is your only way to sign in; choose a password or add a passkey first")]
    OnlyWay,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(LinkError);

/// How many ways somebody has to sign in: their password, each passkey, the provider. Codes of an app and
/// recovery codes are none by themselves.
pub(crate) async fn ways_in(conn: &mut Conn, base: &Base, login: &Login) -> Result<i64, Error> {
    let mut ways = i64::from(login.password_at.is_some());
    if passkeys::work_here(base) {
        ways += login.passkeys;
    }
    if is_linked(conn, base, login).await? {
        ways += 1;
    }
    Ok(ways)
}

/// Whether somebody is known at the provider of the settings. Those of earlier ones sign nobody in.
async fn is_linked(conn: &mut Conn, base: &Base, login: &Login) -> Result<bool, Error> {
    let Some(provider) = &base.people_rules().provider else { return Ok(false) };
    let known = identities::of_login(conn, login.id).await?;
    Ok(known.iter().any(|(issuer, ..)| *issuer == provider.issuer))
}

/// Begins to link: where the browser goes, and what it keeps meanwhile. It comes back as from a sign-in
/// ([`super::finish`]).
///
/// # Errors
/// As [`confirm_person`]; [`LinkError::Linked`]; [`ProviderError::None`] and
/// [`ProviderError::Failed`].
pub async fn begin(
    base: &Base,
    who: &SignedIn,
    password: &str,
    client: &Client<'_>,
) -> Result<Begun, LinkError> {
    confirm_person(base, who, password).await?;
    if is_linked(&mut *base.db.read().await?, base, &who.login).await? {
        return Err(LinkError::Linked);
    }
    Ok(begin_for(base, Some(who.login.id), client).await?)
}

/// Links the login of a session to whom the provider has named.
pub(super) async fn link(
    base: &Base,
    who: &SignedIn,
    person: &Person,
    client: &Client<'_>,
) -> Result<(), LinkError> {
    again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, who.login.id).await?.filter(|login| login.disabled_at.is_none());
        let login = login.ok_or(ProviderError::Ended)?;
        if is_linked(&mut tx, base, &login).await? {
            return Err(LinkError::Linked);
        }
        login_changes::tell(&mut tx, base, &login, Change::ProviderLinked(&person.issuer), client, now)
            .await?;
        if !identities::insert(&mut tx, &person.issuer, &person.subject, login.id, now).await? {
            return Err(LinkError::Taken);
        }
        tx.commit().await?;
        Ok::<_, LinkError>(())
    })
    .await
}

/// Unlinks a login from a provider, the one of the settings or an earlier one.
///
/// # Errors
/// As [`confirm_person`]; [`LinkError::NotLinked`]; [`LinkError::OnlyWay`].
pub async fn unlink(
    base: &Base,
    who: &SignedIn,
    issuer: &str,
    password: &str,
    client: &Client<'_>,
) -> Result<(), LinkError> {
    confirm_person(base, who, password).await?;
    again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, who.login.id).await?.ok_or(LinkError::NotLinked)?;
        let is_way = base.people_rules().provider.as_ref().is_some_and(|provider| provider.issuer == issuer);
        if is_way && is_linked(&mut tx, base, &login).await? && ways_in(&mut tx, base, &login).await? <= 1 {
            return Err(LinkError::OnlyWay);
        }
        login_changes::tell(&mut tx, base, &login, Change::ProviderUnlinked(issuer), client, now).await?;
        if !identities::delete(&mut tx, issuer, login.id).await? {
            return Err(LinkError::NotLinked);
        }
        tx.commit().await?;
        Ok::<_, LinkError>(())
    })
    .await
}
