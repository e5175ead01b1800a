//! Signing in by a provider (OpenID Connect): any that describes itself by discovery. The code flow
//! with PKCE, a nonce, and a state that is held in the books and bound to the browser by a cookie.
//!
//! Who somebody is at the provider is its issuer and their subject, never their address. The first time,
//! a verified address leads to a login in two cases only: a login that has it confirms with its password
//! once, or somebody with that address is invited and has no login or no way in yet. So an address that
//! changed hands at the provider opens nothing here. A second factor that was set up here is owed still.
//!
//! Source: OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700.

pub mod links;

use std::time::Duration;

use domain::account::Email;
use domain::id::LoginId;
use domain::moment::Moment;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse as _, http,
};
use serde::{Deserialize, Serialize};
use storage::tokens::{self, Kind, Token};
use storage::{Error, Tx, identities, invitations, logins};

use crate::again::{again, busy};
use crate::base::Base;
use crate::guesses::{self, Door, Wait};
use crate::login_changes::{self, Change};
use crate::logins::{LoginError, NewLogin};
use crate::people::{hash, is_secret, secret};
use crate::sessions::SignedIn;
use crate::sign_in::{Client, Entered, SignInError, enter, prove};

use links::LinkError;

/// The page a provider sends people back to.
pub const RETURN_PATH: &str = "/sign-in/provider";
/// How long somebody may be away at the provider, and then take to show their password.
const WITHIN: Duration = Duration::from_secs(15 * 60);
/// What a provider says of itself is asked for again after this long.
const DESCRIBED_FOR: Duration = Duration::from_secs(3600);
/// How long a provider may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// The most octets of an answer.
const ANSWER_MAX: usize = 1 << 20;

/// A provider, as the settings name it.
#[derive(Clone)]
pub struct ProviderSettings {
    /// Its address, at which it describes itself.
    pub issuer: String,
    /// What it calls this installation.
    pub client_id: String,
    /// The secret it gave this installation; without one PKCE alone protects the exchange.
    pub client_secret: Option<String>,
    /// What the button says: `Sign in with {label}`.
    pub label: String,
}

/// Shows no secret.
impl std::fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderSettings")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// What a provider said of itself.
pub(crate) struct Found {
    at: Moment,
    metadata: CoreProviderMetadata,
}

/// A sign-in that has begun.
#[derive(Clone)]
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// What it keeps in a cookie meanwhile.
    pub token: String,
}

/// Somebody has come back from the provider.
#[derive(Clone)]
pub enum Back {
    /// They are in.
    Entered(Entered),
    /// Their login, in which they were signed in, is linked to the provider from now on.
    Linked,
    /// There is a login with their address; its password is to be shown once ([`confirm`]).
    Confirm {
        /// What the page hands back with the password.
        token: String,
        /// The address.
        email: Email,
    },
}

/// Why somebody did not come in by a provider.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// There is none.
    #[error("this installation has no provider of sign-ins")]
    None,
    /// It does not answer, or not as it should. Details are in the log.
    #[error("the provider of sign-ins does not answer as it should; try again, or sign in by your password")]
    Failed,
    /// It, or the person, has refused.
    #[error("the provider of sign-ins has not let you in")]
    Refused,
    /// Too many were begun from one place.
    #[error(transparent)]
    Wait(Wait),
    /// The time for it is over, it was used, or it began in another browser.
    #[error("this sign-in has ended; begin again")]
    Ended,
    /// The provider names no address, or has not verified it.
    #[error("the provider of sign-ins has not verified your address")]
    Unverified,
    /// Nobody here is that.
    #[error("there is no login for you here yet; ask an administrator of your account for an invitation")]
    Unknown,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(ProviderError);

/// What is held while somebody is away.
#[derive(Serialize, Deserialize)]
struct Away {
    verifier: String,
    nonce: String,
}

/// Who somebody is at the provider, until their password confirms it.
#[derive(Serialize, Deserialize)]
struct Identity {
    issuer: String,
    subject: String,
}

type Ready = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

fn settings(base: &Base) -> Result<&ProviderSettings, ProviderError> {
    base.people_rules().provider.as_ref().ok_or(ProviderError::None)
}

/// What the button says, if there is a provider.
pub fn label(base: &Base) -> Option<&str> {
    Some(&base.people_rules().provider.as_ref()?.label)
}

/// The address of the provider, if there is one.
pub fn issuer(base: &Base) -> Option<&str> {
    Some(&base.people_rules().provider.as_ref()?.issuer)
}

/// Begins a sign-in.
///
/// # Errors
/// [`ProviderError::Failed`] when the provider does not describe itself.
pub async fn begin(base: &Base, client: &Client<'_>) -> Result<Begun, ProviderError> {
    begin_for(base, None, client).await
}

/// Begins a sign-in, or the linking of a login.
async fn begin_for(base: &Base, login: Option<LoginId>, client: &Client<'_>) -> Result<Begun, ProviderError> {
    let provider = ready(base, false).await?;
    let (token, now) = (secret(), base.clock.now());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let state = token.clone();
    let (url, _, nonce) = provider
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            Nonce::new_random,
        )
        .add_scope(Scope::new("email".to_owned()))
        .add_scope(Scope::new("profile".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let away = Away { verifier: verifier.into_secret(), nonce: nonce.secret().clone() };
    let held = held(login, &away, now)?;
    again(async || {
        let mut tx = base.db.begin().await?;
        let doors = vec![Door::ceremonies(client.address)];
        guesses::count(&mut tx, doors, now).await?.map_err(ProviderError::Wait)?;
        tokens::insert(&mut tx, Kind::ProviderRequest, &hash(&token), &held, now).await?;
        tx.commit().await?;
        Ok::<_, ProviderError>(())
    })
    .await?;
    Ok(Begun { url: url.into(), token })
}

/// What the browser brings back from the provider.
#[derive(Clone, Copy, Debug)]
pub struct Brought<'a> {
    /// From the address.
    pub state: &'a str,
    /// From the address, too.
    pub code: &'a str,
    /// From the cookie.
    pub kept: &'a str,
}

/// Comes back from a sign-in, or from linking, which ends in the session it was begun in: `who`.
///
/// # Errors
/// Why they are not in, or not linked.
pub async fn finish(
    base: &Base,
    brought: Brought<'_>,
    who: Option<&SignedIn>,
    client: &Client<'_>,
) -> Result<Back, LinkError> {
    let Brought { state, code, kept } = brought;
    if !is_secret(state) || state != kept {
        return Err(ProviderError::Ended.into());
    }
    let held = again(async || {
        let mut tx = base.db.begin().await?;
        let held = tokens::take(&mut tx, Kind::ProviderRequest, &hash(state), base.clock.now()).await?;
        tx.commit().await?;
        held.ok_or(ProviderError::Ended)
    })
    .await?;
    let away: Away = read(&held)?;
    if let Some(login) = held.login {
        let who = who.filter(|who| who.login.id == login).ok_or(ProviderError::Ended)?;
        let person = ask(base, code, away).await?;
        links::link(base, who, &person, client).await?;
        return Ok(Back::Linked);
    }
    let person = ask(base, code, away).await?;
    let back = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let back = admit(&mut tx, base, &person, client, now).await?;
        tx.commit().await?;
        Ok::<_, ProviderError>(back)
    })
    .await?;
    base.refresh().await?;
    Ok(back)
}

/// What the provider says of somebody.
struct Person {
    issuer: String,
    subject: String,
    email: Option<Email>,
    name: Option<String>,
}

/// Exchanges the code for what the provider says of the person, and checks its signature, audience,
/// times and nonce.
async fn ask(base: &Base, code: &str, away: Away) -> Result<Person, ProviderError> {
    let client = ready(base, false).await?;
    let request = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .map_err(|error| failed("the exchange", &error))?
        .set_pkce_verifier(PkceCodeVerifier::new(away.verifier));
    let answer = request.request_async(&call).await.map_err(|error| {
        use openidconnect::RequestTokenError::ServerResponse;
        match &error {
            ServerResponse(said) => {
                tracing::info!(%said, "the provider of sign-ins refused a code");
                ProviderError::Refused
            }
            _ => failed("the exchange", &error),
        }
    })?;
    let id_token = answer.id_token().ok_or(ProviderError::Failed)?;
    let nonce = Nonce::new(away.nonce);
    // The library asks the machine's clock whether the token is still good, as everybody else's will.
    let claims = match id_token.claims(&verifier(&client), &nonce) {
        Ok(claims) => claims.clone(),
        // Perhaps it is signed by a key the provider has made since it described itself.
        Err(_) => {
            let client = ready(base, true).await?;
            let claims = id_token.claims(&verifier(&client), &nonce);
            claims.map_err(|error| failed("the token", &error))?.clone()
        }
    };
    let verified = claims.email_verified() == Some(true);
    let email = claims.email().filter(|_| verified).and_then(|email| Email::parse(email).ok());
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
    Ok(Person {
        issuer: claims.issuer().to_string(),
        subject: claims.subject().to_string(),
        email,
        name: name.filter(|name| !name.trim().is_empty()),
    })
}

/// Checks tokens by the keys the provider publishes: any kind of signature whose key is public, never
/// one by a secret that is shared, and never none.
fn verifier(client: &Ready) -> CoreIdTokenVerifier<'_> {
    use CoreJwsSigningAlgorithm as By;
    client.id_token_verifier().set_allowed_algs([
        By::RsaSsaPkcs1V15Sha256,
        By::RsaSsaPkcs1V15Sha384,
        By::RsaSsaPkcs1V15Sha512,
        By::RsaSsaPssSha256,
        By::RsaSsaPssSha384,
        By::RsaSsaPssSha512,
        By::EcdsaP256Sha256,
        By::EcdsaP384Sha384,
        By::EdDsa,
    ])
}

/// Lets somebody in, if the rules at the top of this file do.
async fn admit(
    tx: &mut Tx,
    base: &Base,
    person: &Person,
    client: &Client<'_>,
    now: Moment,
) -> Result<Back, ProviderError> {
    if let Some(id) = identities::login(tx, &person.issuer, &person.subject).await? {
        let login = logins::hold(tx, id).await?.filter(|login| login.disabled_at.is_none());
        let login = login.ok_or(ProviderError::Refused)?;
        return Ok(Back::Entered(enter(tx, base, login, false, client, now).await?));
    }
    let email = person.email.as_ref().ok_or(ProviderError::Unverified)?;
    let (login, is_new) = match logins::by_email(tx, email).await? {
        Some(login) if login.disabled_at.is_some() => return Err(ProviderError::Refused),
        Some(login) if has_a_way_in(tx, login.id).await? => {
            let identity = Identity { issuer: person.issuer.clone(), subject: person.subject.clone() };
            let token = secret();
            let held = held(Some(login.id), &identity, now)?;
            tokens::insert(tx, Kind::ProviderIdentity, &hash(&token), &held, now).await?;
            return Ok(Back::Confirm { token, email: login.email });
        }
        Some(login) => (login, false),
        None => {
            if invitations::of_address(tx, &email.folded(), now).await?.is_empty() {
                return Err(ProviderError::Unknown);
            }
            let name = person.name.as_deref().unwrap_or(email.as_str());
            let name: String = name.chars().take(crate::logins::NAME_MAX).collect();
            let new = NewLogin { email, name: &name, language: None, operator: false, password: None };
            let created = crate::logins::create(tx, &new, now).await.map_err(|error| match error {
                LoginError::Storage(error) => ProviderError::Storage(error),
                _ => ProviderError::Unknown,
            })?;
            (created, true)
        }
    };
    if !is_new {
        login_changes::tell(tx, base, &login, Change::ProviderLinked(&person.issuer), client, now).await?;
    }
    identities::insert(tx, &person.issuer, &person.subject, login.id, now).await?;
    Ok(Back::Entered(enter(tx, base, login, false, client, now).await?))
}

async fn has_a_way_in(tx: &mut Tx, id: LoginId) -> Result<bool, Error> {
    let login = logins::find(tx, id).await?;
    let by_own = login.is_some_and(|login| login.password_at.is_some() || login.has_second_factor());
    Ok(by_own || !identities::of_login(tx, id).await?.is_empty())
}

/// Shows the password once: from now on the provider's word is enough.
///
/// # Errors
/// As [`crate::sign_in::with_password`].
pub async fn confirm(
    base: &Base,
    token: &str,
    password: &str,
    client: &Client<'_>,
) -> Result<Entered, SignInError> {
    let mut conn = base.db.read().await?;
    let held = tokens::find(&mut conn, Kind::ProviderIdentity, &hash(token), base.clock.now()).await?;
    let id = held.and_then(|held| held.login).ok_or(SignInError::Ended)?;
    let login = logins::find(&mut conn, id).await?.ok_or(SignInError::Ended)?;
    drop(conn);
    let proven = prove(base, login.email.as_str(), password, client).await?;
    let entered = again(async || {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let login = proven.still(&mut tx).await?;
        let held = tokens::take(&mut tx, Kind::ProviderIdentity, &hash(token), now).await?;
        let held = held.filter(|held| held.login == Some(login.id)).ok_or(SignInError::Ended)?;
        let identity: Identity = read(&held).map_err(|_| SignInError::Ended)?;
        let change = Change::ProviderLinked(&identity.issuer);
        login_changes::tell(&mut tx, base, &login, change, client, now).await?;
        identities::insert(&mut tx, &identity.issuer, &identity.subject, login.id, now).await?;
        let entered = enter(&mut tx, base, login, false, client, now).await?;
        tx.commit().await?;
        Ok::<_, SignInError>(entered)
    })
    .await?;
    base.refresh().await?;
    Ok(entered)
}

/// A client of the provider, which is asked what it is like when that is not known or `anew`.
async fn ready(base: &Base, anew: bool) -> Result<Ready, ProviderError> {
    let settings = settings(base)?;
    let now = base.clock.now();
    let mut found = base.people().provider.lock().await;
    let fresh = found.as_ref().filter(|found| !anew && now.since(found.at) < DESCRIBED_FOR);
    let metadata = match fresh {
        Some(found) => found.metadata.clone(),
        None => {
            let issuer =
                IssuerUrl::new(settings.issuer.clone()).map_err(|error| failed("its address", &error))?;
            let metadata = CoreProviderMetadata::discover_async(issuer, &call).await;
            let metadata = metadata.map_err(|error| failed("its description", &error))?;
            *found = Some(Found { at: now, metadata: metadata.clone() });
            metadata
        }
    };
    drop(found);
    let secret = settings.client_secret.clone().map(ClientSecret::new);
    let back = RedirectUrl::new(base.link(RETURN_PATH)).map_err(|error| failed("our address", &error))?;
    let client =
        CoreClient::from_provider_metadata(metadata, ClientId::new(settings.client_id.clone()), secret);
    Ok(client.set_redirect_uri(back))
}

fn failed(what: &str, error: &dyn std::error::Error) -> ProviderError {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(%error, cause, what, "the provider of sign-ins does not answer as it should");
    ProviderError::Failed
}

/// Why a provider could not be asked.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Shape(#[from] http::Error),
    #[error("the answer has more than {ANSWER_MAX} octets")]
    TooLong,
}

/// Asks a provider something. Redirects are not followed: what a provider says of itself says where
/// everything is.
async fn call(request: HttpRequest) -> Result<HttpResponse, CallError> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWERS_WITHIN)
        .user_agent(concat!("branchline/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let mut answer = client.execute(request.try_into()?).await?;
    let mut response = http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.clone_from(answer.headers());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(CallError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response.body(body)?)
}

fn held(login: Option<LoginId>, content: &impl Serialize, now: Moment) -> Result<Token, Error> {
    let content = serde_json::to_string(content)
        .map_err(|error| Error::Fault(format!("a sign-in cannot be written: {error}")))?;
    Ok(Token { login, content, expires_at: now.after(WITHIN) })
}

fn read<T: for<'a> Deserialize<'a>>(held: &Token) -> Result<T, ProviderError> {
    serde_json::from_str(&held.content).map_err(|_| ProviderError::Ended)
}

/// The providers somebody is known at, with since when.
pub async fn known_at(base: &Base, login: LoginId) -> Result<Vec<(String, Moment)>, Error> {
    let all = identities::of_login(&mut *base.db.read().await?, login).await?;
    Ok(all.into_iter().map(|(issuer, _, since)| (issuer, since)).collect())
}
