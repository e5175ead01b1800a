//! What the operator of the installation reads and does: all trees, the lines out, where they lead and
//! what that sells for, mails, work that failed, and checks of the books.

pub mod checks;

use std::collections::{BTreeMap, BTreeSet};

use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::phone_number::Country;
use domain::price::PriceList;
use domain::product::Product;
use domain::route;
use storage::audit::{self, Deed};
use storage::jobs::Failed;
use storage::mails::{Mail, MailState, SECRET};
use storage::operator::{Filter, Tree};
use storage::{Result, accounts, jobs, mails};

use crate::base::Base;
use crate::dispatch::LineState;
use crate::gateway::Gateway;
use crate::mail::post::opened;

/// The main accounts after one of them, in the order of their numbers, with their trees' sizes, balances and
/// what they sent in the last 30 days.
///
/// # Errors
/// Those of the books.
pub async fn trees(base: &Base, filter: &Filter, after: Option<AccountId>, limit: i64) -> Result<Vec<Tree>> {
    let mut conn = base.db.read().await?;
    storage::operator::trees(&mut conn, filter, after.unwrap_or(AccountId(0)), limit).await
}

/// A carrier that serves a country, in the order they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its name.
    pub carrier: String,
    /// Lower is tried first.
    pub priority: i64,
    /// Whether it is up.
    pub up: bool,
}

/// What one of the price lists asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The list's name.
    pub list: String,
    /// What it asks for a segment.
    pub price: Credits,
    /// How much more than the standard list asks, where that has a price; below nothing when it is less.
    pub over_standard: Option<Credits>,
}

/// Where messages can go, by whom, and what that sells for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The country; nothing is the rest of the world.
    pub country: Option<Country>,
    /// The network, as MCC and MNC; empty is the whole country.
    pub network: String,
    /// What main accounts pay the installation that have no list of their own.
    pub standard: Option<Credits>,
    /// What the other lists ask that name this destination.
    pub lists: Vec<Asked>,
    /// The carriers it goes by.
    pub ways: Vec<Way>,
}

/// Every destination that some price list of the operator names, with its carriers and prices as they are now. What carriers
/// cost is not known to the books, so there is no margin over that.
///
/// # Errors
/// Those of the books.
pub async fn offers(gateway: &Gateway) -> Result<Vec<Offer>> {
    let now = gateway.clock.now();
    let lists = storage::prices::all(&mut *gateway.db.read().await?).await?;
    let lists: BTreeMap<String, PriceList> = lists
        .into_iter()
        .filter(|(list, _)| list.owner.is_none())
        .map(|(list, rows)| (list.name, PriceList::of(rows)))
        .collect();
    let standard = lists.get(storage::prices::STANDARD).cloned().unwrap_or_default();
    let lines = gateway.lines();
    let up = |carrier: &str| lines.iter().any(|line| &*line.name == carrier && line.room > 0);
    let destinations: BTreeSet<_> = lists.values().flat_map(PriceList::destinations).collect();
    let offers = destinations.into_iter().filter(|d| d.product == Product::Sms).map(|destination| {
        let (country, network) = (destination.country, destination.network.as_str());
        let price = |list: &PriceList| Some(list.price(Product::Sms, country, network, now)?.amount);
        let usual = price(&standard);
        let asked = |(name, list): (&String, &PriceList)| {
            let price = price(list).filter(|_| list.destinations().contains(destination))?;
            let over_standard = usual.and_then(|usual| price.checked_sub(usual));
            Some(Asked { list: name.clone(), price, over_standard })
        };
        let way = |route: &route::Route| Way {
            carrier: route.carrier.clone(),
            priority: route.priority,
            up: up(&route.carrier),
        };
        Offer {
            country,
            network: network.to_owned(),
            standard: usual,
            lists: lists
                .iter()
                .filter(|(name, _)| *name != storage::prices::STANDARD)
                .filter_map(asked)
                .collect(),
            ways: route::ways(gateway.routes(), country).into_iter().map(way).collect(),
        }
    });
    Ok(offers.collect())
}

/// How the carriers' lines of this process are doing.
pub fn lines(gateway: &Gateway) -> Vec<LineState> {
    gateway.lines()
}

/// The mails before one of them, the newest first, those of a state or all; without their texts.
///
/// # Errors
/// Those of the books.
pub async fn mails(
    base: &Base,
    state: Option<MailState>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Mail>> {
    mails::page(&mut *base.db.read().await?, state, before, limit).await
}

/// How many mails are in each state.
///
/// # Errors
/// Those of the books.
pub async fn mail_counts(base: &Base) -> Result<Vec<(MailState, i64)>> {
    mails::counts(&mut *base.db.read().await?).await
}

/// A mail as it is to be read. Its link is whole only where there is no mail server, as then the operator is
/// who hands it over; else what opens doors is hidden.
///
/// # Errors
/// Those of the books.
pub async fn mail(base: &Base, id: i64) -> Result<Option<Mail>> {
    let Some(mut mail) = mails::find(&mut *base.db.read().await?, id).await? else { return Ok(None) };
    let shown = if mail.state == MailState::Kept { opened(base, &mail)? } else { None };
    let shown = shown.as_deref().unwrap_or("•••");
    mail.plain = mail.plain.replace(SECRET, shown);
    mail.html = mail.html.replace(SECRET, shown);
    mail.secret = None;
    Ok(Some(mail))
}

/// Sends a mail once more. False when there is none of this number, it waits to be sent anyway, or its link
/// was for once and the mail was sent.
///
/// # Errors
/// Those of the books.
pub async fn send_again(base: &Base, id: i64, actor: &Actor) -> Result<bool> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    let Some(mail) = mails::find(&mut tx, id).await? else { return Ok(false) };
    if !mails::send_again(&mut tx, id, now).await? {
        return Ok(false);
    }
    if let Some(account) = mail.account
        && let Some(account) = accounts::find(&mut tx, account).await?
    {
        let subject = format!("mail {id} ({}) to {}", mail.kind, mail.recipient);
        let deed = Deed { action: "mail.send_again", subject: &subject, ..Deed::default() };
        audit::add(&mut tx, &account, actor, deed, now).await?;
    }
    tx.commit().await?;
    tracing::info!(mail = id, actor = actor.name, "a mail is sent again");
    Ok(true)
}

/// How much work waits, how much of it was tried and failed, and those that were tried most often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// How much there is.
    pub all: i64,
    /// How much of it was tried and failed.
    pub failed: i64,
    /// Those, the most often tried first.
    pub worst: Vec<Failed>,
}

/// The work that waits.
///
/// # Errors
/// Those of the books.
pub async fn jobs(base: &Base, limit: i64) -> Result<Jobs> {
    let mut conn = base.db.read().await?;
    let (all, failed) = jobs::counts(&mut conn).await?;
    Ok(Jobs { all, failed, worst: jobs::failed(&mut conn, limit).await? })
}

/// Lets a piece of work be tried now: whoever does such work looks for it within half a minute. False when
/// it was done meanwhile.
///
/// # Errors
/// Those of the books.
pub async fn retry(base: &Base, job: i64, actor: &Actor) -> Result<bool> {
    let mut tx = base.db.begin().await?;
    let there = jobs::hurry(&mut tx, job, base.clock.now()).await?;
    tx.commit().await?;
    tracing::info!(job, actor = actor.name, there, "a job is to be tried now");
    Ok(there)
}

/// As [`retry`], and it is tried by this process at once where it is one that the gateway does.
///
/// # Errors
/// Those of the books.
pub async fn retry_now(gateway: &Gateway, job: i64, actor: &Actor) -> Result<bool> {
    let there = retry(gateway, job, actor).await?;
    if there {
        gateway.retry_refunds().await?;
    }
    Ok(there)
}
