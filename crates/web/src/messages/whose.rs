//! Whose messages the journal shows: of the account alone, of one below it, or of all below it that are
//! open to whoever stands above. Others are read by a visit, and it is said how many they are.

use domain::id::AccountId;
use domain::permission::{self, Action, Verdict};
use gateway::journal::{self, LEFT_OUT_MAX};
use gateway::scope::Scope;

use super::Choice;
use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Typed};
use crate::link::Link;

/// What an address asks for.
pub(crate) struct Whose {
    /// Which accounts.
    pub scope: Scope,
    /// Where the messages of the one account are read that was asked for, when it is not here.
    pub elsewhere: Option<String>,
    /// The account below, by its name.
    one: Option<(AccountId, String)>,
    /// Whether there are accounts below that the person may look at.
    has_below: bool,
    /// How many accounts are left out.
    left_out: i64,
}

/// Whether the person may read messages of accounts below the one of the page, if need be after stepping
/// in.
pub(crate) fn reaches_down(place: &Place) -> bool {
    let mut below = place.account.path.clone();
    below.push(AccountId(0));
    let verdict = permission::may(&place.person.standings, Action::SeeMessages, &below, false);
    !matches!(verdict, Verdict::Missing | Verdict::NotThere)
}

impl Whose {
    /// What an address asks for. An account that is not below is not there.
    pub async fn of(console: &Console, place: &Place, asked: &Typed) -> Result<Whose, Stop> {
        let base = &console.gateway;
        let has_below = reaches_down(place)
            && storage::subaccounts::any(&mut *base.db.read().await?, place.account.id).await?;
        let all = asked.text("scope") == "all";
        let mut whose = Whose { scope: Scope::Only, elsewhere: None, one: None, has_below, left_out: 0 };
        let written = asked.text("account");
        if written.is_empty() || written == place.account.id.to_string() {
            if all && has_below {
                whose.scope = Scope::Tree;
            }
        } else {
            let id = AccountId(written.parse().map_err(|_| Stop::NotThere)?);
            let below = place.below(console, id).await?;
            whose.one = Some((id, below.name().to_owned()));
            whose.scope = if all { Scope::TreeOf(id) } else { Scope::One(id) };
        }
        whose.left_out = journal::left_out(base, &place.account, whose.scope).await?.unwrap_or(0);
        if let Scope::One(id) = whose.scope
            && (whose.left_out > 0 || !has_below)
        {
            let rest = Choice::of(asked, place, base).link(Link::to(format!("/a/{id}/messages")));
            whose.elsewhere = Some(rest.into());
        } else if !has_below && whose.scope != Scope::Only {
            return Err(Stop::NotThere);
        }
        Ok(whose)
    }

    /// An address of the journal for the same accounts.
    pub fn link(&self, link: Link) -> Link {
        let (account, all) = pairs(self.scope);
        link.with("account", account).with("scope", if all { "all" } else { "" })
    }

    /// Whether one account below was asked for.
    pub fn is_of_another(&self) -> bool {
        self.one.is_some()
    }

    /// Whose they are, in words.
    pub fn words(&self, place: &Place) -> String {
        let name = place.account.name();
        match (self.scope, &self.one) {
            (Scope::TreeOf(_), Some((id, one))) => {
                format!("Messages of {one} ({id}) and of accounts below it that are open to those above")
            }
            (_, Some((id, one))) => format!("Messages of {one} ({id}) alone, below {name}"),
            (Scope::Tree, _) => {
                format!("Messages of {name} and of accounts below it that are open to those above")
            }
            _ => format!("Messages of {name} alone"),
        }
    }

    /// How many accounts are left out and why, with where they are found.
    pub fn left_out_words(&self, place: &Place) -> Option<(String, String)> {
        let format = place.format();
        let count = match self.left_out {
            0 => return None,
            LEFT_OUT_MAX => format!("At least {} are", format.many(LEFT_OUT_MAX, "account", "accounts")),
            count => format.many(count, "account is", "accounts are"),
        };
        let words =
            format!("{count} left out: they mail their owner or want to be asked. Step in to read theirs.");
        Some((words, Link::to(place.href("subaccounts")).with("below", "all").into()))
    }

    /// The choice between this account and all.
    pub fn scope_field(&self, asked: &Typed) -> Option<Field> {
        let options = [("", "Without those below"), ("all", "With all below")];
        self.has_below.then(|| asked.choice("scope", "Accounts", options))
    }

    /// The choice of one account below.
    pub fn account_field(&self, asked: &Typed) -> Option<Field> {
        self.has_below.then(|| asked.field("account", "Subaccount").keys("numeric").example("Its number"))
    }

    /// What was chosen in words, with an address without it.
    pub fn chips(&self, choice: &Choice, own: &str) -> Vec<(String, String)> {
        let words = match (self.scope, &self.one) {
            (Scope::TreeOf(_), Some((_, one))) => format!("{one} and all below"),
            (_, Some((_, one))) => one.clone(),
            (Scope::Tree, _) => "All accounts below, too".to_owned(),
            _ => return Vec::new(),
        };
        vec![(words, choice.link(Link::to(own)).into())]
    }
}

/// How an address of the journal names a scope: the account, and whether all below it.
pub(crate) fn pairs(scope: Scope) -> (String, bool) {
    match scope {
        Scope::Only => (String::new(), false),
        Scope::Tree => (String::new(), true),
        Scope::One(id) => (id.to_string(), false),
        Scope::TreeOf(id) => (id.to_string(), true),
    }
}
