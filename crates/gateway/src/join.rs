//! Joining: somebody who has no login yet follows the link of an invitation, and has a login, a place in
//! the account and a session after it, or none of them.

use domain::member::Member;
use storage::Error;

use crate::again::{again, busy};
use crate::base::Base;
use crate::logins::{LoginError, NewLogin, password};
use crate::members::invitations::{AcceptError, Proof, accept_within, behind};
use crate::sessions::actor;
use crate::sign_in::{Client, Entered, enter};

/// Why somebody did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The invitation cannot be accepted.
    #[error(transparent)]
    Invitation(AcceptError),
    /// There is a login with the address; it signs in and accepts then.
    #[error("there is a login with this address already; sign in with it to accept the invitation")]
    HasLogin,
    /// The login was refused; the link still works.
    #[error(transparent)]
    Login(LoginError),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(JoinError);

impl From<AcceptError> for JoinError {
    fn from(error: AcceptError) -> JoinError {
        match error {
            AcceptError::Storage(error) => JoinError::Storage(error),
            other => JoinError::Invitation(other),
        }
    }
}

impl From<LoginError> for JoinError {
    fn from(error: LoginError) -> JoinError {
        match error {
            LoginError::Storage(error) => JoinError::Storage(error),
            LoginError::EmailTaken => JoinError::HasLogin,
            other => JoinError::Login(other),
        }
    }
}

/// Creates a login with the address that was invited, lets it accept, and signs it in. The link proves
/// the address, because it was mailed there.
///
/// # Errors
/// Why nothing of it was done.
pub async fn by_invitation(
    base: &Base,
    secret: &str,
    name: &str,
    new_password: &str,
    client: &Client<'_>,
) -> Result<(Entered, Member), JoinError> {
    let shown = behind(base, secret).await?;
    if shown.login.is_some() {
        return Err(JoinError::HasLogin);
    }
    let email = &shown.invitation.email;
    let about = [name, email.as_str(), shown.account_name.as_str()];
    crate::logins::checked_name(name)?;
    let kept = password(new_password, &about, false).await?;
    let joined = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let new = NewLogin {
            email,
            name,
            language: shown.language.as_deref(),
            operator: false,
            password: Some(&kept),
        };
        let login = crate::logins::create(&mut tx, &new, now).await?;
        let by = actor(&login, client.address, client.agent);
        let id = login.id;
        let entered = enter(&mut tx, base, login, false, client, now).await?;
        let member = accept_within(&mut tx, base, Proof::Link(secret), id, &by).await?;
        tx.commit().await?;
        Ok::<_, JoinError>((entered, member))
    })
    .await?;
    base.refresh().await?;
    Ok(joined)
}
