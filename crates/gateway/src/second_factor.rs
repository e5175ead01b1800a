//! Second factors: codes of an app (TOTP, RFC 6238) and the codes that are kept for the day the app is
//! lost. Passkeys have a file of their own.
//!
//! A secret is kept sealed ([`crate::seal`]) and counts once a code of it was shown. A code is taken within
//! its half minute and those beside it, and never again, nor one older than it. Recovery codes are shown
//! when the first second factor is set up, and each is good for one sign-in. Whoever changes a second factor shows their password, or,
//! without one, has signed in a short time ago; their other sessions end, and they are told by mail.

use domain::id::LoginId;
use domain::login::Login;
use domain::moment::Moment;
use rand::RngExt as _;
use storage::logins;
use storage::tokens::{self, Kind, Token};
use storage::{Error, Tx, devices, passkeys, sessions};
use totp_rs::{Builder, Secret, Totp};

use crate::again::{again, busy};
use crate::base::Base;
use crate::guesses::{Door, Wait};
use crate::login_changes::{By, Change, tell};
use crate::mail::Factor;
use crate::passwords::{self, Busy, PasswordError};
use crate::people::{hash, secret};
use crate::seal;
use crate::sessions::{FRESH, SignedIn};
use crate::sign_in::{Client, SignInError, count, take_back};

/// Who codes are for, as apps show it.
const ISSUER: &str = "Branchline";
/// How many recovery codes there are.
pub const RECOVERY_CODES: usize = 10;
/// The digits of recovery codes: none that are taken for another.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a recovery code, 125 bits, shown in groups.
const CODE_LENGTH: usize = 25;
const GROUP: usize = 5;
/// A secret that is not confirmed is forgotten.
const SET_UP_WITHIN: std::time::Duration = std::time::Duration::from_secs(1800);

/// Codes to be set up.
#[derive(Clone)]
pub struct Setup {
    /// What the page hands back with a code ([`confirm`]), or to be shown the same again ([`show`]).
    pub token: String,
    /// The secret, to be typed: base32 in groups of four.
    pub secret: String,
    /// The secret as apps take it over, `otpauth://…`.
    pub url: String,
    /// The same as a picture: a PNG in base64, for `data:image/png;base64,`.
    pub qr: String,
}

/// Why a second factor was not changed.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The password is not the right one, or the sign-in is too old where there is none.
    #[error("that is not your password")]
    Password,
    /// There is no password, and the sign-in is some time ago.
    #[error("sign in again, and do this within ten minutes")]
    Stale,
    /// The code does not fit.
    #[error("that code does not fit; take the one your app shows now")]
    Code,
    /// A code is needed.
    #[error("type a code of your app, or one of your recovery codes; or sign in again by your passkey first")]
    CodeMissing,
    /// What was begun is over.
    #[error("this took too long; begin again")]
    Ended,
    /// There is no such factor.
    #[error("there is nothing of that kind to change")]
    NotThere,
    /// The password is too short to stand alone.
    #[error(
        "your password is too short to stand alone; choose one of {} characters or more first",
        passwords::LENGTH_MIN
    )]
    PasswordTooShort,
    /// There would be no way in any more.
    #[error("this is your only way to sign in; choose a password or add another passkey first")]
    OnlyWay,
    /// Too many tries.
    #[error(transparent)]
    Wait(#[from] Wait),
    /// Too many people are at it.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(FactorError);

impl From<SignInError> for FactorError {
    fn from(error: SignInError) -> FactorError {
        match error {
            SignInError::Wrong => FactorError::Code,
            SignInError::Wait(wait) => FactorError::Wait(wait),
            SignInError::Ended => FactorError::Ended,
            SignInError::Busy(busy) => FactorError::Busy(busy),
            SignInError::Storage(error) => FactorError::Storage(error),
        }
    }
}

/// Whether it is really them: they show their password or, when they have none, have signed in a short
/// time ago.
///
/// # Errors
/// [`FactorError::Password`], [`FactorError::Stale`], or the books do not answer.
pub async fn confirm_person(base: &Base, who: &SignedIn, password: &str) -> Result<(), FactorError> {
    let secrets = logins::secrets(&mut *base.db.read().await?, who.login.id).await?;
    match secrets.and_then(|secrets| secrets.password) {
        Some(kept) => {
            let door = || vec![Door::changes(who.login.id)];
            let tries = again(async || count(base.db.begin().await?, door(), base.clock.now()).await).await?;
            if !passwords::is_right(password, Some(&kept)).await? {
                return Err(FactorError::Password);
            }
            Ok(take_back(base, &tries).await?)
        }
        None if who.is_fresh(base.clock.now()) => Ok(()),
        None => Err(FactorError::Stale),
    }
}

/// Whether it is really them, for what is done once and matters most: as [`confirm_person`], and whoever
/// has a second factor has shown it a short time ago or shows a code now.
///
/// # Errors
/// As [`confirm_person`]; [`FactorError::Code`] when the code does not fit, [`FactorError::CodeMissing`] when
/// one is needed and there is none.
pub async fn confirm_fully(
    base: &Base,
    who: &SignedIn,
    client: &Client<'_>,
    password: &str,
    code: &str,
) -> Result<(), FactorError> {
    confirm_person(base, who, password).await?;
    let login = logins::find(&mut *base.db.read().await?, who.login.id).await?.ok_or(FactorError::Ended)?;
    if !owes(base, who, &login) {
        return Ok(());
    }
    if code.trim().is_empty() {
        return Err(FactorError::CodeMissing);
    }
    let door = || vec![Door::second_factor(login.id)];
    let tries = again(async || count(base.db.begin().await?, door(), base.clock.now()).await).await?;
    let taken = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let taken = take_code(&mut tx, base, login.id, code, now).await?;
        if taken == Some(Taken::Recovery) {
            let change = Change::Factor(Factor::RecoveryCodeUsed);
            tell(&mut tx, base, &login, change, client, now).await?;
        }
        tx.commit().await?;
        Ok::<_, Error>(taken)
    })
    .await?;
    taken.ok_or(FactorError::Code)?;
    Ok(take_back(base, &tries).await?)
}

/// Whether [`confirm_fully`] will ask for a code.
pub fn owes_code(base: &Base, who: &SignedIn) -> bool {
    owes(base, who, &who.login)
}

fn owes(base: &Base, who: &SignedIn, login: &Login) -> bool {
    let shown = who.strong_at.is_some_and(|at| base.clock.now().since(at) < FRESH);
    login.has_second_factor() && !shown
}

/// Begins to set up codes: a new secret, which counts once it is confirmed.
///
/// # Errors
/// As [`confirm_person`].
pub async fn begin(base: &Base, who: &SignedIn, password: &str) -> Result<Setup, FactorError> {
    confirm_person(base, who, password).await?;
    let mut bytes = [0_u8; 20];
    rand::rng().fill(&mut bytes);
    let (token, key) = (secret(), Secret::from(bytes));
    let now = base.clock.now();
    let content = seal::close(base, &codes_of(who.login.id), &key.to_base32())?;
    let held = Token { login: Some(who.login.id), content, expires_at: now.after(SET_UP_WITHIN) };
    let mut tx = base.db.begin().await?;
    tokens::insert(&mut tx, Kind::Totp, &hash(&token), &held, now).await?;
    tx.commit().await?;
    Ok(setup(token, key, &who.login))
}

/// Shows once more what [`begin`] gave.
///
/// # Errors
/// [`FactorError::Ended`] when its time is over.
pub async fn show(base: &Base, who: &SignedIn, token: &str) -> Result<Setup, FactorError> {
    let held = tokens::find(&mut *base.db.read().await?, Kind::Totp, &hash(token), base.clock.now()).await?;
    let held = held.filter(|held| held.login == Some(who.login.id)).ok_or(FactorError::Ended)?;
    let secret = opened(base, who.login.id, &held.content)?.ok_or(FactorError::Ended)?;
    Ok(setup(token.to_owned(), key(&secret)?, &who.login))
}

/// Confirms a secret by a code of it. From now on codes are asked for at sign-in. Gives recovery codes
/// when this is the first second factor.
///
/// # Errors
/// [`FactorError::Code`] when the code does not fit; the secret can be tried again.
pub async fn confirm(
    base: &Base,
    who: &SignedIn,
    token: &str,
    code: &str,
    client: &Client<'_>,
) -> Result<Option<Vec<String>>, FactorError> {
    let codes = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, who.login.id).await?.ok_or(FactorError::Ended)?;
        let held = tokens::take(&mut tx, Kind::Totp, &hash(token), now).await?;
        let held = held.filter(|held| held.login == Some(login.id)).ok_or(FactorError::Ended)?;
        // Not taken when the code does not fit: the transaction is given up.
        let secret = opened(base, login.id, &held.content)?.ok_or(FactorError::Ended)?;
        let step = matching_step(&secret, code, now)?.ok_or(FactorError::Code)?;
        let codes = first_codes(&mut tx, &login).await?;
        tell(&mut tx, base, &login, Change::Factor(Factor::AppAdded), client, now).await?;
        logins::set_totp(&mut tx, login.id, &held.content, step, now).await?;
        sessions::revoke_others(&mut tx, login.id, Some(who.session), now).await?;
        tx.commit().await?;
        Ok::<_, FactorError>(codes)
    })
    .await?;
    base.refresh().await?;
    Ok(codes)
}

/// Takes the codes of an app away. Where that leaves no second factor, the password must be able to
/// stand alone.
///
/// # Errors
/// As [`confirm_person`]; [`FactorError::NotThere`] when there are no codes.
pub async fn remove(
    base: &Base,
    who: &SignedIn,
    password: &str,
    client: &Client<'_>,
) -> Result<(), FactorError> {
    confirm_person(base, who, password).await?;
    again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, who.login.id).await?.ok_or(FactorError::NotThere)?;
        login.totp_at.ok_or(FactorError::NotThere)?;
        if login.passkeys == 0 {
            stands_alone(&login, password)?;
            logins::set_recovery_codes(&mut tx, login.id, &[]).await?;
        }
        tell(&mut tx, base, &login, Change::Factor(Factor::AppRemoved), client, now).await?;
        logins::unset_totp(&mut tx, login.id).await?;
        sessions::revoke_others(&mut tx, login.id, Some(who.session), now).await?;
        tx.commit().await?;
        Ok::<_, FactorError>(())
    })
    .await?;
    Ok(base.refresh().await?)
}

/// Makes new recovery codes; the old ones are worth nothing.
///
/// # Errors
/// As [`confirm_person`]; [`FactorError::NotThere`] without a second factor.
pub async fn renew_recovery_codes(
    base: &Base,
    who: &SignedIn,
    password: &str,
    client: &Client<'_>,
) -> Result<Vec<String>, FactorError> {
    confirm_person(base, who, password).await?;
    again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, who.login.id).await?.filter(Login::has_second_factor);
        let login = login.ok_or(FactorError::NotThere)?;
        let codes = recovery_codes(&mut tx, login.id).await?;
        tell(&mut tx, base, &login, Change::Factor(Factor::RecoveryCodesRenewed), client, now).await?;
        tx.commit().await?;
        Ok(codes)
    })
    .await
}

/// Takes all second factors of somebody away, who has lost theirs: for the operator. All their sessions
/// end, and their browsers are no longer known.
pub async fn reset(base: &Base, login: LoginId) -> Result<(), Error> {
    again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let Some(login) = logins::hold(&mut tx, login).await? else { return Ok(()) };
        logins::set_recovery_codes(&mut tx, login.id, &[]).await?;
        devices::forget_all(&mut tx, login.id).await?;
        tell(&mut tx, base, &login, Change::Factor(Factor::Reset), By::Operator, now).await?;
        passkeys::delete_all(&mut tx, login.id).await?;
        logins::unset_totp(&mut tx, login.id).await?;
        sessions::revoke_others(&mut tx, login.id, None, now).await?;
        tx.commit().await
    })
    .await?;
    base.refresh().await
}

/// What kind of code was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// One of an app.
    App,
    /// One that was kept.
    Recovery,
}

/// Takes a code of a login, once; nothing when it does not fit or was taken before.
pub(crate) async fn take_code(
    tx: &mut Tx,
    base: &Base,
    login: LoginId,
    code: &str,
    now: Moment,
) -> Result<Option<Taken>, Error> {
    let code: String = code.chars().filter(|c| c.is_alphanumeric()).collect();
    if code.len() == CODE_LENGTH {
        let taken = logins::take_recovery_code(tx, login, &hash(&plain(&code)), now).await?;
        return Ok(taken.then_some(Taken::Recovery));
    }
    let secrets = logins::secrets(tx, login).await?;
    let Some(sealed) = secrets.and_then(|secrets| secrets.totp) else { return Ok(None) };
    let Some(secret) = opened(base, login, &sealed)? else { return Ok(None) };
    let Some(step) = matching_step(&secret, &code, now)? else { return Ok(None) };
    Ok(logins::take_totp_step(tx, login, step).await?.then_some(Taken::App))
}

/// The recovery codes of somebody who gets their first second factor.
pub(crate) async fn first_codes(tx: &mut Tx, login: &Login) -> Result<Option<Vec<String>>, Error> {
    match login.has_second_factor() {
        true => Ok(None),
        false => recovery_codes(tx, login.id).await.map(Some),
    }
}

/// Whether a password that was just shown may stand without a second factor.
pub(crate) fn stands_alone(login: &Login, password: &str) -> Result<(), FactorError> {
    if login.password_at.is_none() {
        return Ok(());
    }
    match passwords::check(password, &[], false) {
        Err(PasswordError::TooShort { .. }) => Err(FactorError::PasswordTooShort),
        _ => Ok(()),
    }
}

async fn recovery_codes(tx: &mut Tx, login: LoginId) -> Result<Vec<String>, Error> {
    // The generator is not held over a wait: it stays on its thread.
    let drawn = |_| char::from(DIGITS[rand::rng().random_range(0..DIGITS.len())]);
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| (0..CODE_LENGTH).map(drawn).collect()).collect();
    let hashes: Vec<String> = codes.iter().map(|code| hash(code)).collect();
    logins::set_recovery_codes(tx, login, &hashes).await?;
    Ok(codes.iter().map(|code| grouped(code, GROUP, "-")).collect())
}

/// A recovery code as it is hashed, however it was typed.
fn plain(code: &str) -> String {
    let digit = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    code.chars().map(digit).collect()
}

fn grouped(text: &str, length: usize, by: &str) -> String {
    let groups = text.as_bytes().chunks(length).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(by)
}

fn codes_of(login: LoginId) -> String {
    seal::codes_of(login.0)
}

/// The secret of a login's codes, in base32.
fn opened(base: &Base, login: LoginId, sealed: &str) -> Result<Option<String>, Error> {
    seal::open(base, &codes_of(login), sealed)
}

fn key(base32: &str) -> Result<Secret, Error> {
    Secret::try_from_base32(base32)
        .map_err(|_| Error::unreadable("the secret of codes", "what is not base32"))
}

fn totp(key: Secret, account: &str) -> Totp {
    let builder = Builder::new().with_secret(key).with_account_name(account).with_issuer(Some(ISSUER));
    builder.build().expect("the secret has 160 bits, and neither name has a colon")
}

fn setup(token: String, key: Secret, login: &Login) -> Setup {
    let shown = grouped(&key.to_base32(), 4, " ");
    // An address holds no colon: `Email::parse` sees to it.
    let totp = totp(key, login.email.as_str());
    Setup {
        token,
        secret: shown,
        url: totp.to_url().unwrap_or_default(),
        qr: totp.to_qr_base64().unwrap_or_default(),
    }
}

/// The half minute a code belongs to, if it fits now.
fn matching_step(secret: &str, code: &str, now: Moment) -> Result<Option<i64>, Error> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.seconds()).unwrap_or(0);
    let step = totp(key(secret)?, "login").check(&code, seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1, the last six of the eight digits.
        let secret = Secret::from(*b"12345678901234567890").to_base32();
        let at = |seconds, code| matching_step(&secret, code, Moment::from_seconds(seconds)).unwrap();
        assert_eq!(at(59, "287082"), Some(1));
        assert_eq!(at(1_111_111_109, "081804"), Some(37_037_036));
        assert_eq!(at(1_111_111_109, " 081 804 "), Some(37_037_036));
        // The half minutes beside it count, further ones do not.
        assert_eq!(at(59 + 30, "287082"), Some(1));
        assert_eq!(at(29, "287082"), Some(1));
        assert_eq!(at(59 + 61, "287082"), None);
        for wrong in ["", "28708", "2870822", "abcdef", "287083"] {
            assert_eq!(at(59, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_recovery_code_is_read_however_it_is_typed() {
        assert_eq!(plain("oil1lO0abc"), "0111100ABC");
        assert_eq!(grouped("ABCDEFGHJK", 5, "-"), "ABCDE-FGHJK");
    }
}
