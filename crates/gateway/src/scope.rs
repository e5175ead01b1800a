//! Which accounts a page is about: written on it, so that nobody takes a part for the whole.

use std::sync::Arc;

use domain::account::Account;
use domain::id::AccountId;
use storage::Result;

use crate::base::Base;

/// Which accounts are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The account alone.
    Only,
    /// The account and all below it.
    Tree,
    /// One account below, alone.
    One(AccountId),
    /// One account below, and all below that.
    TreeOf(AccountId),
}

/// The accounts a scope means.
pub(crate) struct Of {
    /// The one at the top.
    pub account: Arc<Account>,
    /// Whether also those below it.
    pub tree: bool,
}

impl Scope {
    /// What it means for an account; nothing when it names one that is not below it.
    pub(crate) async fn of(self, base: &Base, account: &Account) -> Result<Option<Of>> {
        Ok(match self {
            Scope::Only | Scope::Tree => {
                Some(Of { account: Arc::new(account.clone()), tree: self == Scope::Tree })
            }
            Scope::One(id) | Scope::TreeOf(id) => {
                let found = base.account(id).await?;
                let found = found.filter(|found| found.id == account.id || account.is_above(found));
                found.map(|account| Of { account, tree: matches!(self, Scope::TreeOf(_)) })
            }
        })
    }
}
