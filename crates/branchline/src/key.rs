//! `branchline key`: creating API keys, listing them and taking them back. A secret is shown once.

use anyhow::Result;
use clap::{Args, Subcommand};
use domain::actor::Actor;
use domain::id::{AccountId, KeyId};
use domain::key::{Key as ApiKey, Scope, Scopes};
use gateway::keys::{self, CreateKeyError, NewKey, RevokeError};
use gateway::{Base, Clock};
use serde_json::{Value, json};

use crate::Common;
use crate::account::{find, not_found};
use crate::arguments::{account_id, end_of, key_id, rfc3339, shown};
use crate::books::{self, Missing};
use crate::failure::Failure;
use crate::output::{Style, Table};
use crate::settings::nearest;

/// The word for every scope.
const ALL: &str = "all";

/// Create and take back API keys.
#[derive(Subcommand)]
pub enum Key {
    /// Create a key; its secret is shown once
    Create(Create),
    /// Show the keys of an account
    List(List),
    /// Take a key back
    Revoke(Revoke),
}

/// A new key.
#[derive(Args)]
pub struct Create {
    /// The account it belongs to
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: AccountId,
    /// What to call it
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// For trying out: nothing is sent or charged with it
    #[arg(long)]
    sandbox: bool,
    /// It may act in the accounts below, named by X-Account-Id
    #[arg(long)]
    subaccount_access: bool,
    /// What it may be used for, parted by commas, or 'all' [default: all of /api, nothing of /v1]
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// The last day on which it works, such as 2027-01-31
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
}

/// Whose keys.
#[derive(Args)]
pub struct List {
    /// The account
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: AccountId,
    /// Also those that no longer work
    #[arg(long)]
    all: bool,
}

/// Which key.
#[derive(Args)]
pub struct Revoke {
    /// The key's number
    #[arg(value_name = "KEY", value_parser = key_id)]
    key: KeyId,
}

impl Key {
    /// Does what was asked for.
    pub async fn run(self, common: &Common) -> Result<()> {
        let settings = common.settings(None)?;
        let base = books::base(&settings, Missing::Refuse, Clock::of_the_machine()).await?;
        match self {
            Key::Create(create) => create.run(&base, common).await,
            Key::List(list) => list.run(&base, common).await,
            Key::Revoke(revoke) => revoke.run(&base, common).await,
        }
    }
}

impl Create {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let new = NewKey {
            label: self.label,
            sandbox: self.sandbox,
            subaccount_access: self.subaccount_access,
            scopes: self.scopes.as_deref().map_or(Ok(Scopes::WIRE), scopes)?,
            expires_at: match &self.expires {
                Some(date) => Some(end_of("expires", date, &base.rules.time_zone)?),
                None => None,
            },
        };
        let (key, secret) =
            keys::create(base, self.account, &new, &Actor::command_line()).await.map_err(refused)?;
        let mut object = object_of(&key);
        object["key"] = json!(secret);
        let kind = if key.sandbox { "sandbox key" } else { "key" };
        let words = format!(
            "{secret}\n{}",
            Style::Faint
                .paint(&format!("{kind} {} of account {}; it is shown this once only", key.id, key.account))
        );
        common.output().say(&object, &words);
        Ok(())
    }
}

/// The scopes that were named. What administers (members, keys, settings, ...) is had by asking for it.
fn scopes(words: &[String]) -> Result<Scopes, Failure> {
    if words.len() == 1 && words[0].trim() == ALL {
        return Ok(Scopes::ALL);
    }
    let known = || Scope::ALL.iter().map(|s| s.as_str());
    let scope = |word: &String| {
        Scope::parse(word.trim()).ok_or_else(|| {
            let meant = match nearest(word.trim(), known()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
            };
            Failure::field("bad_scope", "scopes", format!("'{word}' is not a scope; {meant}"))
        })
    };
    Ok(Scopes::of(words.iter().map(scope).collect::<Result<Vec<_>, _>>()?))
}

fn object_of(key: &ApiKey) -> Value {
    json!({
        "id": key.id.0,
        "account": key.account.0,
        "label": key.label,
        "prefix": key.prefix,
        "sandbox": key.sandbox,
        "subaccount_access": key.subaccount_access,
        "scopes": key.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        "expires_at": key.expires_at.map(rfc3339),
        "revoked_at": key.revoked_at.map(rfc3339),
        "created_at": rfc3339(key.created_at),
    })
}

impl List {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        find(base, self.account).await?;
        let now = base.clock.now();
        let mut all = storage::keys::of_account(&mut *base.db.read().await?, self.account).await?;
        all.retain(|(key, _)| self.all || key.works(now));
        let mut table = Table::new(&[">ID", "Begins", "Label", "Kind", "Scopes", "Last used", "State"]);
        let mut objects = Vec::with_capacity(all.len());
        for (key, used) in &all {
            let mut object = object_of(key);
            object["last_used_at"] = json!(used.map(rfc3339));
            objects.push(object);
            let kind = match (key.sandbox, key.subaccount_access) {
                (true, _) => "sandbox",
                (false, true) => "live, subaccounts",
                (false, false) => "live",
            };
            let scopes = match key.scopes == Scopes::ALL {
                true => "all".to_owned(),
                false if key.scopes == Scopes::WIRE => "all of /api".to_owned(),
                false => key.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(","),
            };
            let zone = &base.rules.time_zone;
            let (state, style) = match (key.revoked_at, key.expires_at) {
                (Some(at), _) => (format!("revoked {}", shown(at, zone)), Style::Bad),
                (None, Some(at)) if at <= now => (format!("ended {}", shown(at, zone)), Style::Bad),
                (None, Some(at)) => (format!("works until {}", shown(at, zone)), Style::Plain),
                (None, None) => ("works".to_owned(), Style::Plain),
            };
            table.styled([
                (key.id.to_string(), Style::Plain),
                (format!("{}...", key.prefix), Style::Plain),
                (key.label.clone(), Style::Plain),
                (kind.to_owned(), Style::Plain),
                (scopes, Style::Plain),
                (used.map_or("never".to_owned(), |at| shown(at, zone)), Style::Plain),
                (state, style),
            ]);
        }
        let words = match table.is_empty() {
            true => format!("account {} has no keys; create one with 'branchline key create'", self.account),
            false => table.lines(),
        };
        common.output().say(&json!({ "account": self.account.0, "keys": objects }), &words);
        Ok(())
    }
}

impl Revoke {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let none = || {
            let message =
                format!("there is no key {}; 'branchline key list' shows those of an account", self.key);
            Failure::field("not_found", "KEY", message)
        };
        let found = storage::keys::find(&mut *base.db.read().await?, self.key).await?.ok_or_else(none)?;
        let key =
            keys::revoke(base, found.account, self.key, &Actor::command_line()).await.map_err(|error| {
                match error {
                    RevokeError::Storage(error) => anyhow::Error::from(error),
                    RevokeError::NotFound { .. } => none().into(),
                }
            })?;
        let words = format!("key {} of account {} no longer works", key.id, key.account);
        common.output().say(&object_of(&key), &words);
        Ok(())
    }
}

fn refused(error: CreateKeyError) -> anyhow::Error {
    let message = error.to_string();
    let (code, field) = match error {
        CreateKeyError::Storage(error) => return error.into(),
        CreateKeyError::NotFound(id) => return not_found(id).into(),
        CreateKeyError::NotOpen { .. } => ("wrong_state", "account"),
        CreateKeyError::Label(_) => ("bad_label", "label"),
        CreateKeyError::Expired => ("bad_date", "expires"),
        CreateKeyError::NoScopes => ("bad_scope", "scopes"),
        CreateKeyError::NoSubaccounts(_) => ("too_deep", "subaccount_access"),
    };
    Failure::field(code, field, message).into()
}
