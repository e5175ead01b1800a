//! The first login of an installation. There is no password to begin with anywhere: as long as nobody
//! can sign in, each start of the server gives out a link that works once, and whoever follows it
//! becomes the operator and the owner of a first main account.

use std::time::Duration;

use domain::account::{Account, Email};
use domain::credits::Credits;
use domain::member::Role;
use storage::tokens::{self, Kind, Token};
use storage::{Error, counters, logins, members};

use crate::accounts::{CreateError, NewAccount};
use crate::again::{again, busy};
use crate::base::Base;
use crate::logins::{LoginError, NewLogin, password};
use crate::people::{hash, secret};
use crate::sessions::actor;
use crate::sign_in::{Client, Entered, enter};

/// How long a link works.
pub const LINK_LASTS: Duration = Duration::from_secs(24 * 3600);

/// Who sets an installation up.
#[derive(Clone, Debug)]
pub struct First {
    /// The name of their company: the first main account.
    pub company: String,
    /// Their name.
    pub name: String,
    /// Their address, which is also the account's.
    pub email: Email,
    /// The password they choose.
    pub password: String,
    /// The language they read.
    pub language: Option<String>,
}

/// Why an installation was not set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The link was used, its time is over, or somebody can sign in already.
    #[error("this link does not work any more; start the server again for a new one")]
    Ended,
    /// The login was refused; the link still works.
    #[error(transparent)]
    Login(LoginError),
    /// The account was refused; the link still works.
    #[error(transparent)]
    Account(CreateError),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(SetUpError);

impl From<LoginError> for SetUpError {
    fn from(error: LoginError) -> SetUpError {
        match error {
            LoginError::Storage(error) => SetUpError::Storage(error),
            other => SetUpError::Login(other),
        }
    }
}

impl From<CreateError> for SetUpError {
    fn from(error: CreateError) -> SetUpError {
        match error {
            CreateError::Storage(error) => SetUpError::Storage(error),
            other => SetUpError::Account(other),
        }
    }
}

/// Makes a link, as long as nobody can sign in: gives its path. Those of earlier starts go on working
/// until their time is over.
pub async fn link(base: &Base) -> Result<Option<String>, Error> {
    let (token, now) = (secret(), base.clock.now());
    let mut tx = base.db.begin().await?;
    if logins::any(&mut tx).await? {
        return Ok(None);
    }
    let held = Token { login: None, content: String::new(), expires_at: now.after(LINK_LASTS) };
    tokens::insert(&mut tx, Kind::SetUp, &hash(&token), &held, now).await?;
    tx.commit().await?;
    Ok(Some(format!("/set-up/{token}")))
}

/// Whether a link works. It stays.
pub async fn look(base: &Base, token: &str) -> Result<bool, Error> {
    let mut conn = base.db.read().await?;
    let held = tokens::find(&mut conn, Kind::SetUp, &hash(token), base.clock.now()).await?;
    Ok(held.is_some() && !logins::any(&mut conn).await?)
}

/// Sets the installation up: creates the first login, who is operator, and the first main account,
/// whose owner they are, and signs them in.
///
/// # Errors
/// [`SetUpError::Ended`]; after the others the link still works.
pub async fn set_up(
    base: &Base,
    token: &str,
    first: &First,
    client: &Client<'_>,
) -> Result<(Entered, Account), SetUpError> {
    if !look(base, token).await? {
        return Err(SetUpError::Ended);
    }
    let about = [first.company.as_str(), first.name.as_str(), first.email.as_str()];
    let kept = password(&first.password, &about, false).await?;
    let done = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        // Whoever else sets up at this moment waits here, and finds it done.
        counters::draw(&mut tx, "id", 1).await?;
        if logins::any(&mut tx).await? {
            return Err(SetUpError::Ended);
        }
        tokens::take(&mut tx, Kind::SetUp, &hash(token), now).await?.ok_or(SetUpError::Ended)?;
        let new = NewLogin {
            email: &first.email,
            name: &first.name,
            language: first.language.as_deref(),
            operator: true,
            password: Some(&kept),
        };
        let login = crate::logins::create(&mut tx, &new, now).await?;
        let account = NewAccount {
            company: Some(first.company.clone()),
            owner: first.name.clone(),
            email: first.email.clone(),
            parent: None,
            credits: Credits::ZERO,
        };
        let by = actor(&login, client.address, client.agent);
        let account = crate::accounts::create_in(&mut tx, base, &account, &by, now).await?;
        members::insert(&mut tx, account.id, login.id, Role::Owner, true, now).await?;
        tokens::spoil_all(&mut tx, Kind::SetUp, now).await?;
        let entered = enter(&mut tx, base, login, false, client, now).await?;
        tx.commit().await?;
        Ok((entered, account))
    })
    .await?;
    base.refresh().await?;
    Ok(done)
}
