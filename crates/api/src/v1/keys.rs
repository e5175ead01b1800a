//! `/v1/keys`: API keys: creating, listing and revoking them.

use axum::Json;
use axum::response::IntoResponse;
use domain::id::KeyId;
use domain::key::{self, Scope, Scopes};
use domain::moment::Moment;
use gateway::keys::{self, CreateKeyError, NewKey as New, RevokeError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::cursor;
use super::problem::{FieldError, Kind, Problem};
use super::values::{Asking, Body, Named, Page, Time, created, limit};

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
pub struct Key {
    /// Its number.
    #[schema(example = 412)]
    id: i64,
    /// The account it belongs to.
    #[schema(example = 1900001)]
    account: i64,
    /// What its owner calls it.
    #[schema(example = "shop")]
    label: String,
    /// The first characters of its secret, to recognise it by.
    #[schema(example = "bl_live_aB3d")]
    prefix: String,
    /// Whether it is for trying out: nothing is sent, charged or changed with it.
    sandbox: bool,
    /// What it may be used for.
    #[schema(example = json!(["sms", "statistics:read"]))]
    scopes: Vec<&'static str>,
    /// Whether it may act in the accounts below, named by `X-Account-Id`.
    subaccount_access: bool,
    /// Until when it works; null is for ever.
    expires_at: Option<Time>,
    /// When it was revoked; null while it was not.
    revoked_at: Option<Time>,
    /// When it was used last, to the minute; null when it never was, or where that is not looked up.
    last_used_at: Option<Time>,
    /// When it was created.
    created_at: Time,
}

impl Key {
    /// A key, and when it was last used.
    pub fn of(key: &key::Key, used: Option<Moment>) -> Key {
        Key {
            id: key.id.0,
            account: key.account.0,
            label: key.label.clone(),
            prefix: key.prefix.clone(),
            sandbox: key.sandbox,
            scopes: key.scopes.iter().map(Scope::as_str).collect(),
            subaccount_access: key.subaccount_access,
            expires_at: key.expires_at.map(Time),
            revoked_at: key.revoked_at.map(Time),
            last_used_at: used.map(Time),
            created_at: Time(key.created_at),
        }
    }
}

/// A new API key with its secret.
#[derive(Serialize, ToSchema)]
pub struct KeyWithSecret {
    /// The secret. It is shown this once: nobody can read it again, so keep it now.
    #[serde(rename = "key")]
    #[schema(example = "bl_live_aB3dEf...")]
    secret: String,
    /// All else about it.
    #[serde(flatten)]
    key: Key,
}

/// A key to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What to call it; at most 100 characters.
    #[serde(default)]
    #[schema(max_length = 100, example = "shop")]
    label: String,
    /// What it may be used for: at least one, and none that the key that creates it lacks.
    #[schema(min_items = 1, example = json!(["sms", "statistics:read"]))]
    scopes: Vec<String>,
    /// Whether it is for trying out: nothing is sent, charged or changed with it.
    #[serde(default)]
    sandbox: bool,
    /// Whether it may act in the accounts below. Only a key that may do so itself can give this.
    #[serde(default)]
    subaccount_access: bool,
    /// Until when it works; null is for ever. A key that ends creates none that ends later.
    #[serde(default)]
    expires_at: Option<Time>,
}

/// Which keys.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Also those that were revoked or have ended.
    #[serde(default)]
    ended: bool,
    /// How many: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    cursor: Option<String>,
}

/// List keys
///
/// The account's API keys, the newest first. Secrets are never shown again.
#[utoipa::path(
    get,
    path = "/v1/keys",
    operation_id = "listKeys",
    tag = "Keys",
    params(Which),
    responses((status = 200, description = "A part of the list.", body = Page<Key>))
)]
pub async fn list(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Page<Key>>, Problem> {
    let limit = limit(which.limit)?;
    let before = cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok());
    let now = asked.gateway().clock.now();
    let mut keys =
        storage::keys::of_account(&mut *asked.gateway().db.read().await?, asked.account.id).await?;
    keys.retain(|(key, _)| {
        (which.ended || key.works(now)) && before.is_none_or(|before: i64| key.id.0 < before)
    });
    keys.sort_by_key(|(key, _)| std::cmp::Reverse(key.id));
    let more = keys.len() > limit;
    keys.truncate(limit);
    let next_cursor =
        keys.last().filter(|_| more).map(|(key, _)| cursor::write(&asked, &key.id.0.to_string()));
    Ok(Json(Page { items: keys.iter().map(|(key, used)| Key::of(key, *used)).collect(), next_cursor }))
}

/// Create a key
///
/// The answer holds the secret, this once. A key can give no more than it has: the scopes, the
/// subaccount access and the end of the key that is shown bound those of the new one.
#[utoipa::path(
    post,
    path = "/v1/keys",
    operation_id = "createKey",
    tag = "Keys",
    request_body = NewKey,
    responses((status = 201, description = "The key, with its secret.", body = KeyWithSecret))
)]
pub async fn create(asked: Asked, Body(new): Body<NewKey>) -> Result<impl IntoResponse, Problem> {
    let new = given(&asked.key, new)?;
    let made = keys::create(asked.gateway(), asked.account.id, &new, &asked.actor).await.map_err(refused)?;
    let (key, secret) = made;
    let at = format!("/v1/keys/{}", key.id);
    Ok(created(at, KeyWithSecret { secret, key: Key::of(&key, None) }))
}

/// What a key may give to a new one.
fn given(own: &key::Key, new: NewKey) -> Result<New, Problem> {
    let mut errors = Vec::new();
    let mut wrong = |name: &str, reason: String| errors.push(FieldError { name: name.to_owned(), reason });
    let mut scopes = Vec::new();
    for (place, word) in new.scopes.iter().enumerate() {
        match Scope::parse(word) {
            Some(scope) if own.scopes.has(scope) => scopes.push(scope),
            Some(scope) => {
                let reason = format!("the key that creates it lacks '{}' itself", scope.as_str());
                wrong(&format!("scopes[{place}]"), reason);
            }
            None => {
                let known = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
                wrong(&format!("scopes[{place}]"), format!("'{word}' is not a scope; there are {known}"));
            }
        }
    }
    if new.subaccount_access && !own.subaccount_access {
        wrong("subaccount_access", "the key that creates it has no subaccount access itself".to_owned());
    }
    let expires_at = new.expires_at.map(|at| at.0);
    if let Some(end) = own.expires_at
        && expires_at.is_none_or(|at| at > end)
    {
        wrong("expires_at", "the key that creates it ends earlier; name its end or a time before".to_owned());
    }
    match errors.is_empty() {
        false => Err(Problem::fields(errors)),
        true => Ok(New {
            label: new.label,
            sandbox: new.sandbox,
            subaccount_access: new.subaccount_access,
            scopes: Scopes::of(scopes),
            expires_at,
        }),
    }
}

fn refused(error: CreateKeyError) -> Problem {
    match error {
        CreateKeyError::Storage(error) => error.into(),
        CreateKeyError::NotFound(id) => Problem::not_found(format!("account {id}")),
        CreateKeyError::NotOpen { state, .. } => {
            Problem::new(Kind::WrongState, &error).with("state", state.as_str())
        }
        CreateKeyError::Label(_) => Problem::field("label", error),
        CreateKeyError::Expired => Problem::field("expires_at", error),
        CreateKeyError::NoScopes => Problem::field("scopes", error),
        CreateKeyError::NoSubaccounts(_) => Problem::field("subaccount_access", error),
    }
}

/// Read a key
///
/// One of the account's API keys, also when it was revoked.
#[utoipa::path(
    get,
    path = "/v1/keys/{key}",
    operation_id = "readKey",
    tag = "Keys",
    params(("key" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 200, description = "The key.", body = Key))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<Key>, Problem> {
    let keys = storage::keys::of_account(&mut *asked.gateway().db.read().await?, asked.account.id).await?;
    let found = keys.iter().find(|(key, _)| key.id.0 == id);
    let (key, used) = found.ok_or_else(|| Problem::not_found(format!("key {id}")))?;
    Ok(Json(Key::of(key, *used)))
}

/// Revoke a key
///
/// It stops working at once, and within two seconds at every server of the installation. A key that
/// was revoked stays in the list and never works again. Revoking it again changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/keys/{key}",
    operation_id = "revokeKey",
    tag = "Keys",
    params(("key" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 200, description = "The key as it is now.", body = Key))
)]
pub async fn revoke(asked: Asked, Named(id): Named<i64>) -> Result<Json<Key>, Problem> {
    let revoked = keys::revoke(asked.gateway(), asked.account.id, KeyId(id), &asked.actor).await;
    match revoked {
        Ok(key) => Ok(Json(Key::of(&key, None))),
        Err(RevokeError::NotFound { .. }) => Err(Problem::not_found(format!("key {id}"))),
        Err(RevokeError::Storage(error)) => Err(error.into()),
    }
}
