//! Who is calling, in whose name, and what they may do. The only place that makes a [`Caller`], so
//! a handler that has one has been let in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::account::{Account, AccountState, effective};
use domain::actor::{Actor, ActorKind};
use domain::id::AccountId;
use domain::key::{Key, Scope};
use domain::member::Access;
use domain::moment::Moment;
use domain::permission::{self, Action, Below};
use domain::phone_number::Country;
use gateway::visits::KeyUse;

use crate::Api;
use crate::call::Call;
use crate::error::{ApiError, Code};
use crate::origin;
use crate::parameters::{Parameters, whole};
use crate::signature::{SignatureRefused, Signed};

/// The longest secret that is looked for.
const SECRET_MAX: usize = 256;
/// The longest name a client may give itself.
const CONNECTION_MAX: usize = 64;
/// How often the last use of keys is written, in seconds.
const USE_STORED_SECONDS: i64 = 60;
/// What clients are called that give no name.
const CONNECTION_DEFAULT: &str = "http";

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key they showed.
    pub key: Arc<Key>,
    /// The account they act in: the key's own, or one below it.
    pub account: Arc<Account>,
    /// What the account may do, all above it considered. Never closed.
    pub state: AccountState,
}

impl Caller {
    /// Finds out who is calling, and that their key may do this. The key is `known` even where it may
    /// not.
    ///
    /// # Errors
    /// 900, 901 or 902 of the wire; or the books cannot be read.
    pub async fn of(
        api: &Api,
        call: &Call,
        parameters: &Parameters<'_>,
        scope: Scope,
        known: &mut Option<Arc<Key>>,
    ) -> Result<Caller, ApiError> {
        let key = key(api, &call.headers, parameters, known).await?;
        let unknown = || ApiError::code(Code::AUTHENTICATION, "the key belongs to no account");
        let own = api.gateway.account(key.account).await?.ok_or_else(unknown)?;
        check_signature(api, call, &key, &own)?;
        if !key.scopes.has(scope) {
            let text = format!("the key has no right to '{}'; its owner can give it", scope.as_str());
            return Err(ApiError::code(Code::RIGHT, text));
        }
        let state = state(api, &own).await?;
        if state == AccountState::Closed {
            return Err(ApiError::code(Code::AUTHENTICATION, "the account is closed"));
        }
        match named_account(&call.headers) {
            None => Ok(Caller { key, account: own, state }),
            Some(id) if whole(id) == Some(own.id.0) => Ok(Caller { key, account: own, state }),
            Some(id) => {
                // One answer for all: what does not belong to the key does not exist for it.
                let refused = || {
                    let text = "X-Account-Id names no account that this key may act in";
                    ApiError::code(Code::RIGHT, text)
                };
                let id = whole(id).filter(|_| key.subaccount_access).ok_or_else(refused)?;
                let account = api.gateway.account(AccountId(id)).await?.ok_or_else(refused)?;
                if !own.is_above(&account) {
                    return Err(refused());
                }
                let state = match self::state(api, &account).await? {
                    AccountState::Closed => return Err(refused()),
                    state => state,
                };
                if !may_step_in(api, &key, &account, permission::of_scope(scope)).await? {
                    return Err(ApiError::code(Code::RIGHT, must_ask(&account)));
                }
                let caller = Caller { key, account, state };
                note_use_below(api, &caller.key, &caller.account, || caller.actor(call));
                Ok(caller)
            }
        }
    }

    /// Who acts, for the books and the audit log.
    pub fn actor(&self, call: &Call) -> Actor {
        Actor {
            kind: ActorKind::Key,
            id: Some(self.key.id.0),
            name: gateway::keys::named(&self.key),
            above: (self.key.account != self.account.id).then_some(self.key.account),
            visit: None,
            address: origin::address(call.peer),
            agent: origin::agent(&call.headers),
        }
    }

    /// Who acts in a few words, for what is written with every message.
    pub fn words(&self) -> String {
        if self.key.account == self.account.id {
            format!("key {}", self.key.id)
        } else {
            format!("key {} of account {}", self.key.id, self.key.account)
        }
    }

    /// The country of numbers that the account writes without one.
    pub fn country(&self, api: &Api) -> Country {
        let own = self.account.settings.default_country.as_deref().and_then(Country::parse);
        own.unwrap_or(api.gateway.rules.default_country)
    }
}

async fn state(api: &Api, account: &Account) -> Result<AccountState, ApiError> {
    if let [only] = account.path[..]
        && only == account.id
    {
        return Ok(account.state);
    }
    let path = api.gateway.path(account).await?;
    Ok(effective(path.iter().map(|a| a.state)))
}

/// Whether a key may do this below its own account. One that wants to be asked is closed to keys from
/// above for what needs stepping in, unless its owner has said yes.
pub async fn may_step_in(
    api: &Api,
    key: &Key,
    account: &Account,
    action: Action,
) -> Result<bool, storage::Error> {
    if key.account == account.id
        || action.below() != Below::SteppedIn
        || account.settings.access != Access::Ask
    {
        return Ok(true);
    }
    gateway::visits::key_may(&api.gateway, account, key.account).await
}

/// What whoever may not step in is told.
pub fn must_ask(account: &Account) -> String {
    format!(
        "account {} wants to be asked before somebody from above acts in it; ask its owner for access in the console",
        account.id
    )
}

/// That a key from above is at work stands in the audit log of the account, once an hour. Written
/// beside the request.
pub fn note_use_below(api: &Api, key: &Arc<Key>, account: &Arc<Account>, actor: impl FnOnce() -> Actor) {
    if key.account == account.id || !api.key_use.is_due(key.id, account.id, api.gateway.clock.now()) {
        return;
    }
    let (api, key, account, actor) = (api.clone(), key.clone(), account.clone(), actor());
    tokio::spawn(async move {
        if let Err(error) = KeyUse::write(&api.gateway, &key, &account, &actor).await {
            tracing::warn!(%error, "that a key from above is at work could not be written down");
        }
    });
}

/// The account the caller wants to act in.
fn named_account(headers: &HeaderMap) -> Option<&str> {
    // What is no text names no account, either.
    let named = headers.get("x-account-id").map(|value| value.to_str().unwrap_or("?").trim());
    named.filter(|id| !id.is_empty() && *id != "undefined")
}

fn check_signature(api: &Api, call: &Call, key: &Key, account: &Account) -> Result<(), ApiError> {
    let refused = |refused: SignatureRefused| ApiError::code(Code::SIGNATURE, refused.to_string());
    if !Signed::is_there(&call.headers) {
        return match account.settings.signature_required {
            true => Err(refused(SignatureRefused::Missing)),
            false => Ok(()),
        };
    }
    let signed = Signed {
        method: &call.method,
        uri: &call.uri,
        headers: &call.headers,
        body: &call.body,
        public_urls: &api.gateway.rules.public_urls,
    };
    let secret = &account.settings.signing_key;
    signed.check(secret, key.id, api.gateway.clock.now(), &api.nonces).map_err(refused)
}

/// The key that was shown, and works.
async fn key(
    api: &Api,
    headers: &HeaderMap,
    parameters: &Parameters<'_>,
    known: &mut Option<Arc<Key>>,
) -> Result<Arc<Key>, ApiError> {
    let refused = |text: &'static str| ApiError::code(Code::AUTHENTICATION, text);
    for secret in secrets(headers, parameters)? {
        match find_key(api, &secret).await? {
            Ok(key) => {
                *known = Some(key.clone());
                return Ok(key);
            }
            Err(UNKNOWN) => {}
            Err(why) => return Err(refused(why)),
        }
    }
    match parameters.given("u") {
        true => Err(refused("logins with u and p are not accepted; use an API key in the header X-Api-Key")),
        false => Err(refused(UNKNOWN)),
    }
}

const UNKNOWN: &str = "the key is not known";

/// The key with this secret, when it works; else why it does not.
pub async fn find_key(api: &Api, secret: &str) -> Result<Result<Arc<Key>, &'static str>, storage::Error> {
    if secret.is_empty() || secret.len() > SECRET_MAX {
        return Ok(Err(UNKNOWN));
    }
    // Found by its hash: how long that takes says nothing about how much of a guess was right.
    let Some(key) = api.gateway.key(&gateway::keys::hash(secret)).await? else { return Ok(Err(UNKNOWN)) };
    let now = api.gateway.clock.now();
    Ok(match (key.works(now), key.revoked_at) {
        (true, _) => {
            note_use(api, &key, now);
            Ok(key)
        }
        (false, Some(_)) => Err("the key has been revoked"),
        (false, None) => Err("the key has expired"),
    })
}

/// Notes that a key was used. Written once a minute, beside the request.
fn note_use(api: &Api, key: &Key, now: Moment) {
    api.last_used.note(key.id, now);
    let before = api.last_used_stored.load(Ordering::Relaxed);
    let is_due = now.seconds() - before >= USE_STORED_SECONDS;
    let stored = &api.last_used_stored;
    if is_due && stored.compare_exchange(before, now.seconds(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        let api = api.clone();
        tokio::spawn(async move {
            if let Err(error) = api.last_used.store(&api.gateway.db).await {
                tracing::warn!(%error, "when keys were last used could not be stored");
            }
        });
    }
}

/// What may be the secret of a key, the likeliest first.
fn secrets(headers: &HeaderMap, parameters: &Parameters<'_>) -> Result<Vec<String>, ApiError> {
    let refused = |text: &'static str| ApiError::code(Code::AUTHENTICATION, text);
    if let Some(key) = single(headers, "x-api-key").map_err(refused)? {
        return Ok(vec![key.to_owned()]);
    }
    if let Some(authorization) = single(headers, AUTHORIZATION.as_str()).map_err(refused)? {
        let (scheme, secret) = authorization.split_once(' ').unwrap_or((authorization, ""));
        let secret = secret.trim();
        return match scheme.to_ascii_lowercase().as_str() {
            "basic" => Ok(secrets_of_basic(secret)),
            "bearer" => Ok(vec![secret.to_owned()]),
            _ => Err(refused("the Authorization header is neither Basic nor Bearer")),
        };
    }
    match parameters.text("p") {
        Some(key) => Ok(vec![key.to_owned()]),
        None => Err(refused("no key is given; send it in the header X-Api-Key")),
    }
}

/// The one value of a header. Two that differ are an answer to nothing: one of them was not meant.
pub fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, &'static str> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|other| other != first) {
        return Err("the key is given twice, and differently");
    }
    let first = first.to_str().map_err(|_| "the key has characters that no key has")?;
    Ok(Some(first.trim()))
}

/// The wire's custom is the bare key after `Basic`. What the rest of the world means by it, base64
/// of `user:password`, is tried too, with the key on either side.
fn secrets_of_basic(value: &str) -> Vec<String> {
    let mut secrets = vec![value.to_owned()];
    if let Some(pair) = STANDARD.decode(value).ok().and_then(|octets| String::from_utf8(octets).ok()) {
        match pair.split_once(':') {
            Some((user, password)) => secrets.extend([user.to_owned(), password.to_owned()]),
            None => secrets.push(pair),
        }
    }
    secrets
}

/// What the client calls itself: by a header or a parameter, in several spellings.
pub fn connection(headers: &HeaderMap, parameters: &Parameters<'_>) -> String {
    let header = headers.get("sentwith").and_then(|value| str::from_utf8(value.as_bytes()).ok());
    let spellings = ["sentWith", "SentWith", "sentwith", "sendWith", "sendwith"];
    let named = header.or_else(|| spellings.iter().find_map(|name| parameters.text(name)));
    let clean: String =
        named.unwrap_or("").trim().chars().filter(|c| !c.is_control()).take(CONNECTION_MAX).collect();
    let clean = clean.trim();
    if clean.is_empty() { CONNECTION_DEFAULT.to_owned() } else { clean.to_owned() }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn headers(list: Headers<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        headers
    }

    #[test]
    fn a_secret_is_found_in_every_place() {
        #[rustfmt::skip]
        let cases: [(Headers<'_>, &str, Option<&[&str]>); 16] = [
            (&[("X-Api-Key", "k")],                              "",    Some(&["k"])),
            (&[("x-api-key", " k ")],                            "",    Some(&["k"])),
            (&[("Authorization", "Basic k-1")],                  "",    Some(&["k-1"])),
            (&[("Authorization", "basic k-1")],                  "",    Some(&["k-1"])),
            (&[("Authorization", "Basic azp4")],                 "",    Some(&["azp4", "k", "x"])), // k:x
            (&[("Authorization", "Basic OnRoZS1rZXk=")],         "",    Some(&["OnRoZS1rZXk=", "", "the-key"])),
            (&[("Authorization", "Basic dGhlLWtleQ==")],         "",    Some(&["dGhlLWtleQ==", "the-key"])),
            (&[("Authorization", "Bearer k")],                   "",    Some(&["k"])),
            (&[],                                                "p=k", Some(&["k"])),
            (&[("X-Api-Key", "k")],                              "p=q", Some(&["k"])),
            (&[("X-Api-Key", "k"), ("Authorization", "Bearer q")], "",  Some(&["k"])),
            (&[("X-Api-Key", "k"), ("X-Api-Key", "k")],          "",    Some(&["k"])),
            (&[("X-Api-Key", "k"), ("X-Api-Key", "bad")],        "",    None), // PHP's test for a bad key
            (&[("Authorization", "Digest k")],                   "",    None),
            (&[("X-Api-Key", "k\u{fc}")],                        "",    None),
            (&[],                                                "",    None),
        ];
        for (list, query, found) in cases {
            let parameters = Parameters::read(Some(query), None, b"").unwrap();
            let secrets = secrets(&headers(list), &parameters);
            assert_eq!(
                secrets.as_ref().ok().map(Vec::as_slice),
                found.map(|f| f.iter().map(|s| s.to_string()).collect::<Vec<_>>()).as_deref(),
                "{list:?}"
            );
            if let Err(error) = secrets {
                assert_eq!(error.as_code(), Code::AUTHENTICATION);
            }
        }
    }

    #[test]
    fn a_client_is_called_what_it_calls_itself() {
        let long = "x".repeat(100);
        #[rustfmt::skip]
        let cases: [(Headers<'_>, &str, &str); 9] = [
            (&[("SentWith", "php-api")],      "",               "php-api"),
            (&[("sentWith", "js")],           "sentWith=other", "js"),
            (&[],                             "sentWith=CSharp", "CSharp"),
            (&[],                             "sendWith=plugin", "plugin"),
            (&[],                             "sendwith=plugin", "plugin"),
            (&[],                             "",               "http"),
            (&[("SentWith", " ")],            "",               "http"),
            (&[("SentWith", "a\tb")],         "",               "ab"),
            (&[("SentWith", &long)],          "",               &long[..64]),
        ];
        for (list, query, name) in cases {
            let parameters = Parameters::read(Some(query), None, b"").unwrap();
            assert_eq!(connection(&headers(list), &parameters), name);
        }
    }
}
