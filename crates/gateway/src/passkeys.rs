//! Passkeys (WebAuthn): registering one, showing one as a second factor, and signing in by one alone.
//!
//! A passkey is asked to verify its owner (by a fingerprint, a face, a PIN), so it is two factors in
//! one. The relying party is the host of the public address, which must be a name: browsers bind
//! passkeys to names, over HTTPS or on `localhost`. What is held between the two steps of a ceremony
//! lies in the books and is taken once.

use domain::id::{LoginId, PasskeyId};
use domain::moment::Moment;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::passkeys::{self, Passkey as Stored};
use storage::tokens::{self, Kind, Token};
use storage::{Error, Tx, logins, sessions};
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, Passkey, PasskeyAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::again::{again, busy};
use crate::base::Base;
use crate::guesses::Door;
use crate::login_changes::{Change, tell};
use crate::mail::Factor;
use crate::passwords::Busy;
use crate::people::{hash, secret};
use crate::provider::links::ways_in;
use crate::second_factor::{FactorError, confirm_person, first_codes, stands_alone};
use crate::sessions::{SignedIn, of};
use crate::sign_in::{Client, Entered, SignInError, count, enter, strengthen};

/// How long a browser may take to ask an authenticator.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(300);
/// The most passkeys of a login.
pub const PASSKEYS_MAX: usize = 20;
/// The most characters of a label.
pub const LABEL_MAX: usize = 60;
/// The name of the relying party, which authenticators show.
const RELYING_PARTY: &str = "Branchline";

/// A ceremony that has begun.
#[derive(Clone)]
pub struct Asked {
    /// What the page hands back with the authenticator's answer.
    pub token: String,
    /// What `navigator.credentials` takes, as JSON: the member `publicKey`.
    pub options: String,
}

/// Why a passkey was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// Passkeys do not work at this address.
    #[error("passkeys need a public address that is a name, with https; ask whoever runs this installation")]
    NotHere,
    /// What the authenticator says does not fit, or is not known.
    #[error("this passkey does not fit; try another way to sign in")]
    Wrong,
    /// What was begun is over.
    #[error("this took too long; begin again")]
    Ended,
    /// There are enough.
    #[error("there are {PASSKEYS_MAX} passkeys already; remove one first")]
    TooMany,
    /// It is registered already.
    #[error("this passkey is registered already")]
    Known,
    /// The label is too long, or empty.
    #[error("the name has {0} characters; use 1 to {LABEL_MAX}")]
    Label(usize),
    /// As with other second factors.
    #[error(transparent)]
    Factor(#[from] FactorError),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(PasskeyError);

impl From<Busy> for PasskeyError {
    fn from(busy: Busy) -> PasskeyError {
        PasskeyError::Factor(busy.into())
    }
}

impl From<SignInError> for PasskeyError {
    fn from(error: SignInError) -> PasskeyError {
        match error {
            SignInError::Wrong => PasskeyError::Wrong,
            SignInError::Ended => PasskeyError::Ended,
            SignInError::Storage(error) => PasskeyError::Storage(error),
            other => PasskeyError::Factor(other.into()),
        }
    }
}

/// Whether passkeys work at the public address of this installation.
pub fn work_here(base: &Base) -> bool {
    relying_party(base).is_ok()
}

fn relying_party(base: &Base) -> Result<&Webauthn, PasskeyError> {
    base.people().webauthn.get_or_init(|| build(&base.link(""))).as_ref().ok_or(PasskeyError::NotHere)
}

fn build(url: &str) -> Option<Webauthn> {
    let origin = Url::parse(url).ok()?;
    let name = origin.domain()?;
    if origin.scheme() != "https" && name != "localhost" {
        return None;
    }
    WebauthnBuilder::new(name, &origin).and_then(|builder| builder.rp_name(RELYING_PARTY).build()).ok()
}

/// Begins to register a passkey.
///
/// # Errors
/// As [`confirm_person`]; [`PasskeyError::NotHere`]; [`PasskeyError::TooMany`].
pub async fn begin(base: &Base, who: &SignedIn, password: &str) -> Result<Asked, PasskeyError> {
    let party = relying_party(base)?;
    confirm_person(base, who, password).await?;
    let mut conn = base.db.read().await?;
    let known = passkeys::of_login(&mut conn, who.login.id).await?;
    if known.len() >= PASSKEYS_MAX {
        return Err(PasskeyError::TooMany);
    }
    let secrets = logins::secrets(&mut conn, who.login.id).await?.ok_or(PasskeyError::Ended)?;
    drop(conn);
    let uuid = Uuid::parse_str(&secrets.webauthn_id)
        .map_err(|_| Error::unreadable("logins.webauthn_id", &secrets.webauthn_id))?;
    let known = known.iter().map(|one| passkey(one).map(|one| one.cred_id().clone()));
    let known = known.collect::<Result<Vec<_>, Error>>()?;
    let (email, name) = (who.login.email.as_str(), who.login.name.as_str());
    let name = if name.is_empty() { email } else { name };
    let (options, state) =
        party.start_passkey_registration(uuid, email, name, Some(known)).map_err(|_| PasskeyError::Wrong)?;
    let mut options = json(&options)?;
    // So that it can be found without an address, where the authenticator is able to.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = "preferred".into();
    hold(base, Kind::PasskeyRegistration, Some(who.login.id), options, &state).await
}

/// Registers a passkey by what the authenticator answered. Gives recovery codes when this is the first
/// second factor.
///
/// # Errors
/// [`PasskeyError::Wrong`] when the answer does not fit; [`PasskeyError::Ended`].
pub async fn register(
    base: &Base,
    who: &SignedIn,
    token: &str,
    answer: &str,
    label: &str,
    client: &Client<'_>,
) -> Result<Option<Vec<String>>, PasskeyError> {
    let (party, label) = (relying_party(base)?, checked(label)?);
    let answer: RegisterPublicKeyCredential =
        serde_json::from_str(answer).map_err(|_| PasskeyError::Wrong)?;
    let held = take(base, Kind::PasskeyRegistration, token, Some(who.login.id)).await?;
    let state: PasskeyRegistration = read(&held)?;
    let made = party.finish_passkey_registration(&answer, &state).map_err(|error| refused(&error))?;
    let (id, made) = (credential_id(made.cred_id()), json(&made)?.to_string());
    let codes = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, who.login.id).await?.ok_or(PasskeyError::Ended)?;
        let codes = first_codes(&mut tx, &login).await?;
        tell(&mut tx, base, &login, Change::Factor(Factor::PasskeyAdded), client, now).await?;
        match passkeys::insert(&mut tx, login.id, &id, &made, label, now).await {
            Err(error) if error.is_duplicate_of("passkeys", "credential_id") => {
                return Err(PasskeyError::Known);
            }
            done => done?,
        };
        sessions::revoke_others(&mut tx, login.id, Some(who.session), now).await?;
        tx.commit().await?;
        Ok::<_, PasskeyError>(codes)
    })
    .await?;
    base.refresh().await?;
    Ok(codes)
}

/// Asks for a passkey of somebody who owes a second factor, or is to show one again.
///
/// # Errors
/// [`PasskeyError::Wrong`] when they have none.
pub async fn ask_for(base: &Base, who: &SignedIn) -> Result<Asked, PasskeyError> {
    let party = relying_party(base)?;
    let known = passkeys::of_login(&mut *base.db.read().await?, who.login.id).await?;
    let known = known.iter().map(passkey).collect::<Result<Vec<_>, Error>>()?;
    let (options, state) = party.start_passkey_authentication(&known).map_err(|error| refused(&error))?;
    hold(base, Kind::PasskeyRequest, Some(who.login.id), json(&options)?, &state).await
}

/// Shows a passkey as a second factor: see [`crate::sign_in::with_code`].
///
/// # Errors
/// [`PasskeyError::Wrong`] when it is not one of theirs.
pub async fn show(
    base: &Base,
    session: &str,
    token: &str,
    answer: &str,
    client: &Client<'_>,
) -> Result<Entered, PasskeyError> {
    let party = relying_party(base)?;
    let who = of(base, session, base.clock.now()).await?.ok_or(PasskeyError::Ended)?;
    let answer: PublicKeyCredential = serde_json::from_str(answer).map_err(|_| PasskeyError::Wrong)?;
    let held = take(base, Kind::PasskeyRequest, token, Some(who.login.id)).await?;
    let state: PasskeyAuthentication = read(&held)?;
    let shown = party.finish_passkey_authentication(&answer, &state).map_err(|error| refused(&error))?;
    let entered = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        note(&mut tx, who.login.id, &shown, now).await?;
        let entered = strengthen(&mut tx, base, &who, client, now).await?;
        tx.commit().await?;
        Ok::<_, PasskeyError>(entered)
    })
    .await?;
    base.refresh().await?;
    Ok(entered)
}

/// Asks for anybody's passkey: whose it is, the authenticator says.
///
/// # Errors
/// [`PasskeyError::NotHere`]; [`FactorError::Wait`] when too many are asked for from one place.
pub async fn ask(base: &Base, client: &Client<'_>) -> Result<Asked, PasskeyError> {
    let party = relying_party(base)?;
    let door = || vec![Door::ceremonies(client.address)];
    again(async || count(base.db.begin().await?, door(), base.clock.now()).await).await?;
    let (options, state) = party.start_discoverable_authentication().map_err(|error| refused(&error))?;
    let mut options = json(&options)?;
    // Whether the browser offers it in a field or asks at once is the page's choice.
    if let Some(members) = options.as_object_mut() {
        members.remove("mediation");
    }
    hold(base, Kind::PasskeyRequest, None, options, &state).await
}

/// Signs in by a passkey alone.
///
/// # Errors
/// [`PasskeyError::Wrong`] when nobody has it, or they may not sign in.
pub async fn sign_in(
    base: &Base,
    token: &str,
    answer: &str,
    client: &Client<'_>,
) -> Result<Entered, PasskeyError> {
    let party = relying_party(base)?;
    let answer: PublicKeyCredential = serde_json::from_str(answer).map_err(|_| PasskeyError::Wrong)?;
    let held = take(base, Kind::PasskeyRequest, token, None).await?;
    let state: DiscoverableAuthentication = read(&held)?;
    let (uuid, id) = party.identify_discoverable_authentication(&answer).map_err(|error| refused(&error))?;
    let mut conn = base.db.read().await?;
    let login = logins::by_webauthn_id(&mut conn, &uuid.to_string()).await?;
    let login = login.filter(|login| login.disabled_at.is_none()).ok_or(PasskeyError::Wrong)?;
    let id = credential_id(id);
    let known = passkeys::of_login(&mut conn, login.id).await?;
    drop(conn);
    let known = known.iter().find(|one| one.credential_id == id).ok_or(PasskeyError::Wrong)?;
    let shown = party
        .finish_discoverable_authentication_v2(&answer, state, &passkey(known)?)
        .map_err(|error| refused(&error))?;
    let entered = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, login.id).await?.filter(|login| login.disabled_at.is_none());
        let login = login.ok_or(PasskeyError::Wrong)?;
        note(&mut tx, login.id, &shown, now).await?;
        let entered = enter(&mut tx, base, login, true, client, now).await?;
        tx.commit().await?;
        Ok::<_, PasskeyError>(entered)
    })
    .await?;
    base.refresh().await?;
    Ok(entered)
}

/// Gives a passkey another name. False when they have no such passkey.
///
/// # Errors
/// [`PasskeyError::Label`].
pub async fn rename(base: &Base, login: LoginId, id: PasskeyId, label: &str) -> Result<bool, PasskeyError> {
    let label = checked(label)?;
    let mut tx = base.db.begin().await?;
    let done = passkeys::rename(&mut tx, login, id, label).await?;
    tx.commit().await?;
    Ok(done)
}

/// Takes a passkey away. Where that leaves no second factor, the password must be able to stand alone.
///
/// # Errors
/// As [`confirm_person`]; [`FactorError::NotThere`] when they have no such passkey;
/// [`FactorError::OnlyWay`].
pub async fn remove(
    base: &Base,
    who: &SignedIn,
    id: PasskeyId,
    password: &str,
    client: &Client<'_>,
) -> Result<(), FactorError> {
    confirm_person(base, who, password).await?;
    again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = logins::hold(&mut tx, who.login.id).await?.ok_or(FactorError::NotThere)?;
        let known = passkeys::of_login(&mut tx, login.id).await?;
        if !known.iter().any(|one| one.id == id) {
            return Err(FactorError::NotThere);
        }
        if work_here(base) && ways_in(&mut tx, base, &login).await? <= 1 {
            return Err(FactorError::OnlyWay);
        }
        if login.totp_at.is_none() && login.passkeys <= 1 {
            stands_alone(&login, password)?;
            logins::set_recovery_codes(&mut tx, login.id, &[]).await?;
        }
        tell(&mut tx, base, &login, Change::Factor(Factor::PasskeyRemoved), client, now).await?;
        passkeys::delete(&mut tx, login.id, id).await?;
        sessions::revoke_others(&mut tx, login.id, Some(who.session), now).await?;
        tx.commit().await?;
        Ok::<_, FactorError>(())
    })
    .await?;
    Ok(base.refresh().await?)
}

/// Notes that a passkey was shown. Its counter must have grown since, wherever else it was shown.
async fn note(
    tx: &mut Tx,
    login: LoginId,
    shown: &AuthenticationResult,
    now: Moment,
) -> Result<(), PasskeyError> {
    let id = credential_id(shown.cred_id());
    logins::hold(tx, login).await?;
    let known = passkeys::of_login(tx, login).await?;
    let known = known.iter().find(|one| one.credential_id == id).ok_or(PasskeyError::Wrong)?;
    let mut updated = passkey(known)?;
    updated.update_credential(shown).ok_or(PasskeyError::Wrong)?;
    Ok(passkeys::shown(tx, known.id, &json(&updated)?.to_string(), now).await?)
}

async fn hold(
    base: &Base,
    kind: Kind,
    login: Option<LoginId>,
    options: serde_json::Value,
    state: &impl Serialize,
) -> Result<Asked, PasskeyError> {
    let (token, now) = (secret(), base.clock.now());
    let held = Token { login, content: json(state)?.to_string(), expires_at: now.after(WITHIN) };
    let mut tx = base.db.begin().await?;
    tokens::insert(&mut tx, kind, &hash(&token), &held, now).await?;
    tx.commit().await?;
    Ok(Asked { token, options: options.to_string() })
}

/// Takes what was held for this login, or for anybody.
async fn take(base: &Base, kind: Kind, token: &str, login: Option<LoginId>) -> Result<Token, PasskeyError> {
    again(async || {
        let mut tx = base.db.begin().await?;
        let held = tokens::take(&mut tx, kind, &hash(token), base.clock.now()).await?;
        let held = held.filter(|held| held.login == login).ok_or(PasskeyError::Ended)?;
        tx.commit().await?;
        Ok(held)
    })
    .await
}

fn read<T: DeserializeOwned>(held: &Token) -> Result<T, PasskeyError> {
    // A ceremony begun by another version of this program is begun again.
    serde_json::from_str(&held.content).map_err(|_| PasskeyError::Ended)
}

fn json(of: &impl Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(of).map_err(|error| Error::Fault(format!("a passkey cannot be written: {error}")))
}

fn passkey(stored: &Stored) -> Result<Passkey, Error> {
    serde_json::from_str(&stored.passkey)
        .map_err(|_| Error::unreadable("passkeys.passkey", format!("that of passkey {}", stored.id)))
}

fn credential_id(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(octets)
}

fn checked(label: &str) -> Result<&str, PasskeyError> {
    let label = label.trim();
    match label.chars().count() {
        1..=LABEL_MAX => Ok(label),
        length => Err(PasskeyError::Label(length)),
    }
}

fn refused(error: &webauthn_rs::prelude::WebauthnError) -> PasskeyError {
    tracing::debug!(%error, "a passkey was refused");
    PasskeyError::Wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_work_where_browsers_let_them() {
        for (url, works) in [
            ("https://sms.example.com", true),
            ("https://sms.example.com:8443", true),
            ("http://localhost:8077", true),
            ("http://sms.example.com", false),
            ("http://127.0.0.1:8077", false),
            ("https://192.0.2.1", false),
        ] {
            assert_eq!(build(url).is_some(), works, "{url}");
        }
    }
}
