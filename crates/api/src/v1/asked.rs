//! Who is asking, in which account, and what they may do: made by the gate alone, so a handler that
//! has an [`Asked`] has been let in.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use domain::account::{Account, AccountState, effective};
use domain::actor::{Actor, ActorKind};
use domain::id::AccountId;
use domain::key::Key;
use domain::member::Role;
use domain::permission::{Action, Standing, Verdict, may};
use gateway::Gateway;

use super::problem::{Kind, Problem};
use crate::Api;
use crate::caller::{may_step_in, must_ask};
use crate::table::{Needs, Row};

/// A request whose caller is known and let in.
#[derive(Clone)]
pub struct Asked(Arc<Inner>);

/// What is known of it.
pub struct Inner {
    /// What all calls share.
    pub api: Api,
    /// The key that was shown.
    pub key: Arc<Key>,
    /// The account that is acted in: the key's own, or one below it.
    pub account: Arc<Account>,
    /// What the account may do, all above it considered. Never closed.
    pub state: AccountState,
    /// The row of the table.
    pub row: Row,
    /// The target as it came.
    pub uri: Uri,
    /// Who acts, for the books and the audit log.
    pub actor: Actor,
    /// The caller's name for the request, unique together with the key.
    pub idempotency: Option<String>,
}

impl std::ops::Deref for Asked {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FromRequestParts<Api> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Asked, Problem> {
        parts.extensions.get::<Asked>().cloned().ok_or_else(|| {
            tracing::error!(path = parts.uri.path(), "a route of /v1 was reached without passing the gate");
            Problem::fault()
        })
    }
}

impl Asked {
    /// To be made by the gate alone.
    pub(super) fn new(inner: Inner) -> Asked {
        Asked(Arc::new(inner))
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.api.gateway
    }

    /// The installation's currency.
    pub fn currency(&self) -> String {
        self.api.gateway.rules.currency.clone()
    }

    /// An account by its number: the one that is acted in, or one below it, and the caller may do there
    /// what the route does.
    ///
    /// # Errors
    /// Not found, for all accounts elsewhere; the permission that is missing.
    pub async fn target(&self, id: i64) -> Result<Arc<Account>, Problem> {
        let found = self.gateway().account(AccountId(id)).await?;
        let found = found.filter(|a| a.id == self.account.id || self.account.is_above(a));
        let found = found.ok_or_else(|| Problem::not_found(format!("account {id}")))?;
        if let Needs::Right(_, action) = self.row.needs {
            permitted(&self.key, action, &found)?;
            let_in(&self.api, &self.key, action, &found).await?;
        }
        Ok(found)
    }

    /// Who acts, as it is written down in another account than the one that is acted in.
    pub fn actor_for(&self, account: &Account) -> Actor {
        Actor { above: (self.key.account != account.id).then_some(self.key.account), ..self.actor.clone() }
    }

    /// Who acts, as it is written down in accounts below the one that is acted in.
    pub fn actor_below(&self) -> Actor {
        Actor { above: Some(self.key.account), ..self.actor.clone() }
    }

    /// As [`Asked::target`], but below the one that is acted in.
    ///
    /// # Errors
    /// As [`Asked::target`]; and that it is the same account, since that is for others to do.
    pub async fn below(&self, id: i64) -> Result<Arc<Account>, Problem> {
        let found = self.target(id).await?;
        if found.id == self.account.id {
            let detail = format!("account {id} cannot do this to itself; it is done by the account above it");
            return Err(Problem::new(Kind::PermissionMissing, detail).with("permission", "be above"));
        }
        Ok(found)
    }
}

/// Whether a key may do this in an account of its tree, by the table of [`domain::permission`]. A key
/// has the rights of an administrator of its account. What is only done after stepping in, it does with
/// subaccount access.
pub fn permitted(key: &Key, action: Action, account: &Account) -> Result<(), Problem> {
    let standing = Standing {
        account: key.account,
        role: Role::Administrator,
        includes_subaccounts: key.subaccount_access,
    };
    match may(&[standing], action, &account.path, key.subaccount_access) {
        Verdict::Own | Verdict::Above(_) => Ok(()),
        Verdict::NotThere => Err(Problem::not_found(format!("account {}", account.id))),
        Verdict::StepIn(_) => {
            let detail = format!(
                "only those who act in account {} may {}; use a key with subaccount access",
                account.id,
                action.words()
            );
            Err(Problem::new(Kind::SubaccountAccessMissing, detail))
        }
        Verdict::Missing => {
            let detail = format!(
                "no API key may {} in account {}; that is for its owner, in the console",
                action.words(),
                account.id
            );
            Err(Problem::new(Kind::PermissionMissing, detail).with("permission", action.as_str()))
        }
    }
}

/// An account that wants to be asked lets keys from above in by its owner's yes alone.
pub async fn let_in(api: &Api, key: &Key, action: Action, account: &Account) -> Result<(), Problem> {
    match may_step_in(api, key, account, action).await? {
        true => Ok(()),
        false => Err(Problem::new(Kind::AccessNotGranted, must_ask(account))),
    }
}

/// What an account may do, all above it considered.
pub async fn state(gateway: &Gateway, account: &Account) -> Result<AccountState, Problem> {
    let path = gateway.path(account).await?;
    Ok(effective(path.iter().map(|a| a.state)))
}

/// The key as an actor.
pub(super) fn actor(key: &Key, account: &Account, address: String, agent: String) -> Actor {
    Actor {
        kind: ActorKind::Key,
        id: Some(key.id.0),
        name: gateway::keys::named(key),
        above: (key.account != account.id).then_some(key.account),
        visit: None,
        address,
        agent,
    }
}
