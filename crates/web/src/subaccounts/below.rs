//! An account below the one a page is of, as seen from there: who may do what to it, and what stands
//! on top of each of its pages.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use domain::account::{Account, AccountState, effective};
use domain::actor::Actor;
use domain::id::AccountId;
use domain::permission::{self, Action, Verdict};
use gateway::accounts::CLOSING_LASTS;

use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::page::Shell;
use crate::parts::{Badge, Tabs};

/// The account that a path names as `{child}` below the account of the page.
#[derive(Clone, Debug)]
pub struct Below {
    /// The account.
    pub account: Arc<Account>,
    /// The main account, then down to this one.
    pub path: Vec<Arc<Account>>,
    /// The state that counts.
    pub state: AccountState,
    place: Place,
}

impl FromRequestParts<Console> for Below {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Below, Stop> {
        let place = Place::from_request_parts(parts, console).await?;
        let params = RawPathParams::from_request_parts(parts, console).await.map_err(|_| Stop::NotThere)?;
        let child = params.iter().find(|(name, _)| *name == "child").and_then(|(_, id)| id.parse().ok());
        Below::of(console, &place, AccountId(child.ok_or(Stop::NotThere)?)).await
    }
}

impl Below {
    /// The account of this number, when it lies below the one of the page.
    pub async fn of(console: &Console, place: &Place, id: AccountId) -> Result<Below, Stop> {
        let account = place.below(console, id).await?;
        let path = console.gateway.path(&account).await?;
        let state = effective(path.iter().map(|account| account.state));
        Ok(Below { account, path, state, place: place.clone() })
    }

    /// How the person may do something in it from here. Who has stepped in does it on its own pages.
    pub fn verdict(&self, action: Action) -> Verdict {
        permission::may(&self.place.person.standings, action, &self.account.path, false)
    }

    /// Whether the person may do something in it as it stands.
    pub fn may(&self, action: Action) -> bool {
        self.verdict(action).allows()
    }

    /// Goes on only when the person may.
    pub fn must(&self, action: Action) -> Result<(), Stop> {
        match self.verdict(action) {
            Verdict::Own | Verdict::Above(_) => Ok(()),
            Verdict::StepIn(_) => Err(Stop::GoTo(self.step_in_to(""))),
            Verdict::Missing => Err(Stop::Missing(action)),
            Verdict::NotThere => Err(Stop::NotThere),
        }
    }

    /// The person as what they do to it is written down: from the account of the page.
    pub fn actor(&self) -> Actor {
        let above = self.place.above().unwrap_or(self.place.account.id);
        Actor { above: Some(above), ..self.place.actor() }
    }

    /// One of its pages, seen from above.
    pub fn href(&self, page: &str) -> String {
        let own = self.place.href(&format!("subaccounts/{}", self.account.id));
        if page.is_empty() { own } else { format!("{own}/{page}") }
    }

    /// The way into it, on to one of its own pages.
    pub fn step_in_to(&self, page: &str) -> String {
        let own = format!("/a/{}", self.account.id);
        let next = if page.is_empty() { own.clone() } else { format!("{own}/{page}") };
        format!("{own}/step-in?next={}", crate::page::encoded(&next))
    }

    /// A page of it.
    pub fn shell(&self, title: &str) -> Shell {
        let shell = self.place.shell(&format!("{title}, {}", self.account.name()));
        shell.under([("Subaccounts", self.place.href("subaccounts")), (self.account.name(), self.href(""))])
    }

    /// What stands on top of each of its pages.
    pub fn head(&self, open: &str) -> Head {
        let all = [
            ("Overview", "", Action::SeeAccount),
            ("Credits", "credits", Action::SeeCredits),
            ("Limits", "limits", Action::SeeCredits),
            ("Prices", "prices", Action::SeePrices),
            ("Members", "members", Action::SeeMembers),
            ("Access", "access", Action::SeeAccount),
        ];
        let shown = all.into_iter().filter(|(_, page, action)| page.is_empty() || self.may(*action));
        let tabs = shown.map(|(words, page, _)| (words.to_owned(), self.href(page), page == open));
        let can_step_in = self.account.state != AccountState::Closed
            && matches!(self.verdict(Action::SeeMessages), Verdict::StepIn(_));
        Head {
            name: self.account.name().to_owned(),
            owner: self.account.owner.clone(),
            id: self.account.id.to_string(),
            state: state_badge(self.account.state, self.state),
            note: self.note(),
            tabs: Tabs { label: format!("Pages of {}", self.account.name()), tabs: tabs.collect() },
            step_in: can_step_in.then(|| self.step_in_to("")),
            hand_out: (open != "credits"
                && self.may(Action::MoveCredits)
                && self.account.state != AccountState::Closed)
                .then(|| self.href("credits")),
        }
    }

    /// What to know about an account that is not active.
    fn note(&self) -> Option<String> {
        let reason = self.account.state_reason.as_deref().unwrap_or_default();
        let reason = if reason.is_empty() { String::new() } else { format!(" Reason: {reason}") };
        match self.account.state {
            AccountState::Active if self.state == AccountState::Active => None,
            AccountState::Active => {
                Some(format!("An account above it is {}, so it sends nothing.", self.state.as_str()))
            }
            AccountState::Suspended => Some(format!("It is suspended and sends nothing.{reason}")),
            AccountState::Closing => Some(format!(
                "It is being closed and can be reopened within {} days of that.{reason}",
                CLOSING_LASTS.as_secs() / 86_400
            )),
            AccountState::Closed => Some("It is closed. What it did can still be read.".to_owned()),
        }
    }
}

/// The state of an account in a word: its own, or that of what stands above it.
pub fn state_badge(own: AccountState, counts: AccountState) -> Badge {
    if own == counts {
        return own.into();
    }
    let tone = Badge::from(counts).tone;
    Badge::new(tone, format!("{} above", counts.as_str()))
}

/// What stands on top of each page of an account below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub name: String,
    /// Its owner's name.
    pub owner: String,
    /// Its number.
    pub id: String,
    /// Its state.
    pub state: Badge,
    /// What to know about it when it is not active.
    pub note: Option<String>,
    /// Its pages.
    pub tabs: Tabs,
    /// The way in.
    pub step_in: Option<String>,
    /// Where credits are handed out.
    pub hand_out: Option<String>,
}

impl Head {
    /// The head of a page in a test.
    #[cfg(test)]
    pub fn sample(open: &str) -> Head {
        let tabs = ["Overview", "Credits", "Limits", "Prices", "Members", "Access"];
        let tabs = tabs.map(|words| (words.to_owned(), "/".to_owned(), words.eq_ignore_ascii_case(open)));
        Head {
            name: "Filiale <b>Köln</b>".to_owned(),
            owner: "Eva".to_owned(),
            id: "1900002".to_owned(),
            state: AccountState::Suspended.into(),
            note: Some("It is suspended: \"unpaid\".".to_owned()),
            tabs: Tabs { label: "Pages".to_owned(), tabs: tabs.to_vec() },
            step_in: Some("/a/1900002/step-in".to_owned()),
            hand_out: Some("/a/1900001/subaccounts/1900002/credits".to_owned()),
        }
    }
}
