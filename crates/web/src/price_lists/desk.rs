//! At whose price lists one is: those of the account that the path names, or those of the installation.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use domain::account::Account;
use domain::actor::Actor;
use domain::id::{AccountId, PriceListId};
use gateway::prices::List;

use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::page::Shell;
use crate::signed_in::Person;

/// Whose lists, and which of them.
pub struct Desk {
    /// The account; nothing is the installation.
    pub owner: Option<AccountId>,
    /// Who is at it, as it is written down.
    pub actor: Actor,
    /// The page of all lists.
    pub root: String,
    /// What the lists are for, in a sentence.
    pub lead: String,
    pub(super) shell: Shell,
    list: Option<PriceListId>,
}

impl FromRequestParts<Console> for Desk {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Desk, Stop> {
        let params = RawPathParams::from_request_parts(parts, console).await.map_err(|_| Stop::NotThere)?;
        let list = params.iter().find(|(name, _)| *name == "list").map(|(_, id)| id.parse());
        let list = list.transpose().map_err(|_| Stop::NotThere)?.map(PriceListId);
        // It is there whenever the row of the page has a door of an account.
        if let Some(place) = parts.extensions.get::<Place>() {
            let name = place.account.name();
            return Ok(Desk {
                owner: Some(place.account.id),
                actor: place.actor(),
                root: place.href("prices/lists"),
                lead: format!(
                    "What accounts below {name} pay, by lists of its own. Whoever is given none pays what {name} pays."
                ),
                shell: place.shell("").under([("Prices", place.href("prices"))]),
                list,
            });
        }
        let person = Person::from_request_parts(parts, console).await?;
        if !person.login.operator {
            return Err(Stop::NotOperator);
        }
        Ok(Desk {
            owner: None,
            actor: person.operator(),
            root: "/operator/prices/lists".to_owned(),
            lead: "What main accounts pay the installation. Whoever is given no list pays by “standard”."
                .to_owned(),
            shell: Shell::of_person(console, &parts.headers, &person).await?,
            list,
        })
    }
}

impl Desk {
    /// A page among them.
    pub fn shell(&self, title: &str) -> Shell {
        self.shell.clone().titled(title).wide()
    }

    /// A page of one list, or what can be done with it.
    pub fn shell_of(&self, list: &List, title: &str) -> Shell {
        let name = list.name.as_str();
        let shell = self.shell(title).under([("Price lists", self.root.clone())]);
        if title == name { shell } else { shell.under([(name, self.href_of(list.id))]) }
    }

    /// The page of a list.
    pub fn href_of(&self, list: PriceListId) -> String {
        format!("{}/{}", self.root, list.0)
    }

    /// The list that the path names. Whether it is theirs, the gateway says.
    ///
    /// # Errors
    /// [`Stop::NotThere`] when it names none.
    pub fn list(&self) -> Result<PriceListId, Stop> {
        self.list.ok_or(Stop::NotThere)
    }

    /// Where it is seen what an account pays.
    pub fn href_of_account(&self, account: &Account) -> String {
        match self.owner {
            Some(owner) => format!("/a/{owner}/subaccounts/{}/prices", account.id),
            None => format!("/operator/trees/{}", account.root()),
        }
    }
}
