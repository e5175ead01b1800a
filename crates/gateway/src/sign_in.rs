//! Signing in: by a password, and by what is owed after it. What is refused is refused in the same
//! words, after the same work, whether an address is anybody's or not; [`crate::guesses`] says how
//! often one may try.

use domain::account::Email;
use domain::login::{Login, Step};
use domain::moment::Moment;
use storage::logins::Secrets;
use storage::sessions::Session;
use storage::{Error, Tx, devices, logins, sessions};

use crate::again::{again, busy};
use crate::base::Base;
use crate::guesses::{self, Door, Tries, Wait};
use crate::login_changes::{self, Change};
use crate::mail::{self, Doing, Factor, Message};
use crate::passwords::{self, Busy};
use crate::people::{hash, is_secret, secret};
use crate::second_factor;
use crate::sessions::{SignedIn, of};

/// How many people one browser is known as.
const DEVICES_MAX: usize = 4;
/// The most characters that are kept of what a browser calls itself.
const AGENT_MAX: usize = 400;

/// The browser somebody comes with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client<'a> {
    /// The network address it calls from.
    pub address: &'a str,
    /// What it calls itself.
    pub agent: &'a str,
    /// What it was given to be known by ([`Entered::device`]).
    pub device: Option<&'a str>,
    /// The token of a session it holds already. That one ends.
    pub session: Option<&'a str>,
}

impl Client<'_> {
    /// The hashes of what it is known by.
    fn devices(&self) -> Vec<String> {
        let given = self.device.unwrap_or_default().split('.');
        given.filter(|token| is_secret(token)).take(DEVICES_MAX).map(hash).collect()
    }

    fn agent(&self) -> String {
        self.agent.chars().filter(|c| !c.is_control()).take(AGENT_MAX).collect()
    }

    pub(crate) fn doing(&self, now: Moment) -> Doing<'_> {
        Doing { at: now, address: self.address, browser: self.agent }
    }
}

/// Somebody has come in.
#[derive(Clone)]
pub struct Entered {
    /// Who.
    pub login: Login,
    /// How far: as long as a second factor is owed, the token is good for showing one and nothing else.
    pub step: Step,
    /// What the browser is to hold as long as it is open. It takes the place of what it held before.
    pub token: String,
    /// What the browser is to keep for [`crate::people::DEVICE_KEPT`], when it is not known yet.
    pub device: Option<String>,
}

/// Why somebody did not come in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Something does not fit. What, is not said.
    #[error("that does not fit; check what you typed and try again")]
    Wrong,
    /// Too many tries.
    #[error(
        "too many tries; wait a little, or come in by a browser you have used before, a passkey or a new password"
    )]
    Wait(Wait),
    /// The time for the second step is over.
    #[error("this sign-in has ended; begin again")]
    Ended,
    /// Too many people sign in at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(SignInError);

/// Signs in by address and password. Whoever has a second factor owes it after that.
///
/// # Errors
/// [`SignInError::Wrong`] for an unknown address as for a wrong password.
pub async fn with_password(
    base: &Base,
    email: &str,
    password: &str,
    client: &Client<'_>,
) -> Result<Entered, SignInError> {
    let proven = prove(base, email, password, client).await?;
    let entered = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = proven.still(&mut tx).await?;
        let entered = enter(&mut tx, base, login, false, client, now).await?;
        tx.commit().await?;
        Ok::<Entered, SignInError>(entered)
    })
    .await?;
    base.refresh().await?;
    Ok(entered)
}

/// An address and its password.
pub(crate) struct Proven {
    login: Login,
    password: Option<String>,
    tries: Tries,
}

impl Proven {
    /// The login, unless its password was changed or it was disabled since. Takes the tries back.
    pub async fn still(&self, tx: &mut Tx) -> Result<Login, SignInError> {
        guesses::right(tx, &self.tries).await?;
        let login = logins::hold(tx, self.login.id).await?.filter(|login| login.disabled_at.is_none());
        let kept = logins::secrets(tx, self.login.id).await?.and_then(|secrets| secrets.password);
        login.filter(|_| kept == self.password).ok_or(SignInError::Wrong)
    }
}

/// Compares a password with that of an address, if both are anybody's, and with nobody's otherwise.
pub(crate) async fn prove(
    base: &Base,
    email: &str,
    password: &str,
    client: &Client<'_>,
) -> Result<Proven, SignInError> {
    let parsed = Email::parse(email).ok();
    let tries = again(async || {
        let mut tx = base.db.begin().await?;
        let device = known_by_address(&mut tx, client, parsed.as_ref()).await?;
        let doors = match device {
            Some(device) => vec![Door::device(&device)],
            None => vec![Door::login(email), Door::network(client.address)],
        };
        count(tx, doors, base.clock.now()).await
    })
    .await?;
    let found = find(base, parsed.as_ref()).await?;
    let kept = found.as_ref().and_then(|(_, secrets)| secrets.password.clone());
    match passwords::is_right(password, kept.as_deref()).await {
        Ok(true) => {}
        Ok(false) => return Err(SignInError::Wrong),
        Err(busy) => {
            take_back(base, &tries).await?;
            return Err(busy.into());
        }
    }
    let (login, _) = found.ok_or(SignInError::Wrong)?;
    Ok(Proven { login, password: kept, tries })
}

/// Counts a try and makes that last.
pub(crate) async fn count(mut tx: Tx, doors: Vec<Door>, now: Moment) -> Result<Tries, SignInError> {
    let tries = guesses::count(&mut tx, doors, now).await?.map_err(SignInError::Wait)?;
    tx.commit().await?;
    Ok(tries)
}

pub(crate) async fn take_back(base: &Base, tries: &Tries) -> Result<(), Error> {
    let mut tx = base.db.begin().await?;
    guesses::right(&mut tx, tries).await?;
    tx.commit().await
}

/// The login of an address that may sign in, and what it proves who it is by.
async fn find(base: &Base, email: Option<&Email>) -> Result<Option<(Login, Secrets)>, Error> {
    let Some(email) = email else { return Ok(None) };
    let mut conn = base.db.read().await?;
    let login = logins::by_email(&mut conn, email).await?.filter(|login| login.disabled_at.is_none());
    let Some(login) = login else { return Ok(None) };
    let secrets = logins::secrets(&mut conn, login.id).await?;
    Ok(secrets.map(|secrets| (login, secrets)))
}

/// That of a browser's tokens by which it is known as whoever has this address.
async fn known_by_address(
    tx: &mut Tx,
    client: &Client<'_>,
    email: Option<&Email>,
) -> Result<Option<String>, Error> {
    let Some(email) = email.map(Email::folded) else { return Ok(None) };
    for device in client.devices() {
        if devices::knows_address(tx, &device, &email).await? {
            return Ok(Some(device));
        }
    }
    Ok(None)
}

/// That of a browser's tokens by which it is known as this login.
async fn known_as(tx: &mut Tx, client: &Client<'_>, login: &Login) -> Result<Option<String>, Error> {
    for device in client.devices() {
        if devices::knows(tx, &device, login.id).await? {
            return Ok(Some(device));
        }
    }
    Ok(None)
}

/// Begins a session. `strong`: whether more than a password was shown; whoever has a second factor owes
/// it otherwise.
pub(crate) async fn enter(
    tx: &mut Tx,
    base: &Base,
    login: Login,
    strong: bool,
    client: &Client<'_>,
    now: Moment,
) -> Result<Entered, Error> {
    let step = if login.has_second_factor() && !strong { Step::SecondFactorOwed } else { Step::SignedIn };
    let token = secret();
    let session = Session {
        id: sessions::draw_id(tx).await?,
        login: login.id,
        step,
        strong_at: strong.then_some(now),
        address: client.address.to_owned(),
        agent: client.agent(),
        created_at: now,
        seen_at: now,
        revoked_at: None,
    };
    sessions::insert(tx, &session, &hash(&token)).await?;
    let device = match step {
        Step::SignedIn => arrive(tx, base, &login, client, now).await?,
        Step::SecondFactorOwed => None,
    };
    if let Some(before) = client.session.filter(|token| is_secret(token)) {
        sessions::revoke_by_hash(tx, &hash(before), now).await?;
    }
    Ok(Entered { login, step, token, device })
}

/// Notes that somebody is in, and makes their browser a known one: gives what it is to keep, if it was
/// none.
async fn arrive(
    tx: &mut Tx,
    base: &Base,
    login: &Login,
    client: &Client<'_>,
    now: Moment,
) -> Result<Option<String>, Error> {
    logins::signed_in(tx, login.id, now).await?;
    if let Some(device) = known_as(tx, client, login).await? {
        devices::touch(tx, &device, login.id, now).await?;
        return Ok(None);
    }
    let device = secret();
    devices::insert(tx, &hash(&device), login.id, now).await?;
    if login.last_at.is_some() {
        let message = Message::NewSignIn { doing: client.doing(now) };
        mail::enqueue(tx, base, &to(login), &message, now).await?;
    }
    let others = client.device.unwrap_or_default().split('.').filter(|token| is_secret(token));
    let kept: Vec<&str> = std::iter::once(device.as_str()).chain(others).take(DEVICES_MAX).collect();
    Ok(Some(kept.join(".")))
}

/// A login as mails are addressed to it.
pub(crate) fn to(login: &Login) -> mail::To<'_> {
    mail::To { email: login.email.as_str(), language: login.language.as_deref(), ..mail::To::default() }
}

/// Shows a second factor: a code of an app, or a recovery code. Whoever owed it is in; whoever was in
/// has shown it anew. The browser gets a new token, and the old one is worth nothing.
///
/// # Errors
/// [`SignInError::Wrong`] for a code that does not fit or was taken before.
pub async fn with_code(
    base: &Base,
    token: &str,
    code: &str,
    client: &Client<'_>,
) -> Result<Entered, SignInError> {
    let who = of(base, token, base.clock.now()).await?.ok_or(SignInError::Ended)?;
    let tries = again(async || {
        let mut tx = base.db.begin().await?;
        let door = match known_as(&mut tx, client, &who.login).await? {
            Some(device) => Door::device(&device),
            None => Door::second_factor(who.login.id),
        };
        count(tx, vec![door], base.clock.now()).await
    })
    .await?;
    let entered = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        guesses::right(&mut tx, &tries).await?;
        let taken = second_factor::take_code(&mut tx, base, who.login.id, code, now).await?;
        let taken = taken.ok_or(SignInError::Wrong)?;
        if taken == second_factor::Taken::Recovery {
            let change = Change::Factor(Factor::RecoveryCodeUsed);
            login_changes::tell(&mut tx, base, &who.login, change, client, now).await?;
        }
        let entered = strengthen(&mut tx, base, &who, client, now).await?;
        tx.commit().await?;
        Ok::<Entered, SignInError>(entered)
    })
    .await?;
    base.refresh().await?;
    Ok(entered)
}

/// Lets a session be fully in, with a new token.
pub(crate) async fn strengthen(
    tx: &mut Tx,
    base: &Base,
    who: &SignedIn,
    client: &Client<'_>,
    now: Moment,
) -> Result<Entered, SignInError> {
    let login = logins::hold(tx, who.login.id).await?.filter(|login| login.disabled_at.is_none());
    let login = login.ok_or(SignInError::Ended)?;
    let device = arrive(tx, base, &login, client, now).await?;
    let token = secret();
    match sessions::strengthen(tx, who.session, &who.hash, &hash(&token), now).await? {
        true => Ok(Entered { login, step: Step::SignedIn, token, device }),
        false => Err(SignInError::Ended),
    }
}
