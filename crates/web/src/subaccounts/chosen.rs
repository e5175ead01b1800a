//! Several accounts below at once: credits to all of them, or all of them suspended. Each is done by
//! itself, and what became of each is told on a page of its own, while it goes on and afterwards.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::account::Account;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use gateway::accounts::{REASON_MAX, StateError};
use gateway::credits::{Done, TransferError};
use gateway::several::{self, Become, MANY_MAX, ManyError, TransferMany};
use gateway::works::{self, Beginning, Doing, Kind, Part};

use super::below::state_badge;
use super::work;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::parts::Badge;
use crate::sign_in::sentence;
use crate::transfers::NOT_TAKEN;
use crate::{Console, once, transfers};

/// What is to be done with them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Transfer,
    Suspend,
}

impl Act {
    fn page(self) -> &'static str {
        match self {
            Act::Transfer => "subaccounts/transfer",
            Act::Suspend => "subaccounts/suspend",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Act::Transfer => "Hand out credits",
            Act::Suspend => "Suspend",
        }
    }
}

#[derive(Template)]
#[template(path = "a/subaccounts/chosen.html")]
struct Chosen {
    shell: Shell,
    summary: Summary,
    title: &'static str,
    lead: String,
    own: String,
    back: String,
    once: String,
    rows: Vec<Row>,
    fields: Vec<Field>,
    button: String,
    is_danger: bool,
}

struct Row {
    id: String,
    name: String,
    href: String,
    balance: String,
    state: Badge,
}

/// `GET /a/{id}/subaccounts/transfer`.
pub async fn transfer_form(state: State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    form(state.0, place, asked, Act::Transfer).await
}

/// `GET /a/{id}/subaccounts/suspend`.
pub async fn suspend_form(state: State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    form(state.0, place, asked, Act::Suspend).await
}

async fn form(console: Console, place: Place, asked: Asked, act: Act) -> Result<Response, Stop> {
    let accounts = chosen(&console, &place, &asked).await?;
    let once = once::fresh(&place.actor(), console.gateway.clock.now());
    page::draw(&drawn(&console, &place, &asked, act, &accounts, once).await?)
}

/// The accounts that are named, each once. One that is not below is not there.
async fn chosen(console: &Console, place: &Place, typed: &Typed) -> Result<Vec<Arc<Account>>, Stop> {
    let mut accounts: Vec<Arc<Account>> = Vec::new();
    for id in typed.all("id").take(MANY_MAX) {
        let id = AccountId(id.parse().map_err(|_| Stop::NotThere)?);
        if accounts.iter().all(|account| account.id != id) {
            accounts.push(place.below(console, id).await?);
        }
    }
    match accounts.is_empty() {
        true => Err(Stop::Refused("No subaccount was chosen. Go back and tick those you mean.".to_owned())),
        false => Ok(accounts),
    }
}

async fn drawn(
    console: &Console,
    place: &Place,
    typed: &Typed,
    act: Act,
    accounts: &[Arc<Account>],
    once: String,
) -> Result<Chosen, Stop> {
    let (gateway, format) = (&console.gateway, place.format());
    let ids: Vec<i64> = accounts.iter().map(|account| account.id.0).collect();
    let (balances, own) = {
        let mut conn = gateway.db.read().await?;
        let balances = storage::accounts::balances(&mut conn, &ids).await?;
        (balances, storage::ledger::balance(&mut conn, place.account.id).await?.0)
    };
    let row = |account: &Arc<Account>| {
        let (wallet, promo) = balances.get(&account.id).copied().unwrap_or_default();
        Row {
            id: account.id.to_string(),
            name: account.name().to_owned(),
            href: place.href(&format!("subaccounts/{}", account.id)),
            balance: format.money(Credits(wallet.0.saturating_add(promo.0))),
            state: state_badge(account.state, account.state),
        }
    };
    let count = i64::try_from(accounts.len()).unwrap_or(i64::MAX);
    let many = format.many(count, "subaccount", "subaccounts");
    let fields = match act {
        Act::Transfer => vec![
            typed.field("amount", "Amount for each").amount(format.currency_sign()).length_max(20).required(),
            typed
                .field("reference", "Reference")
                .length_max(gateway::credits::TEXT_MAX)
                .hint("Stands in all statements."),
        ],
        Act::Suspend => vec![
            typed
                .field("reason", "Why are they suspended?")
                .length_max(REASON_MAX)
                .required()
                .hint("Their members read this."),
        ],
    };
    Ok(Chosen {
        shell: place.shell(act.title()).under([("Subaccounts", place.href("subaccounts"))]),
        summary: typed.summary(),
        title: act.title(),
        lead: match act {
            Act::Transfer => format!(
                "To {many}, from {}, which holds {}.",
                place.account.name(),
                format.money(Credits(own.0.max(0)))
            ),
            Act::Suspend => format!(
                "{many}. They can be read and exported, take STOP, and send nothing until they are let again."
            ),
        },
        own: place.href(act.page()),
        back: place.href("subaccounts"),
        once,
        rows: accounts.iter().map(row).collect(),
        fields,
        button: match act {
            Act::Transfer => format!("Hand out to {many}"),
            Act::Suspend => format!("Suspend {many}"),
        },
        is_danger: act == Act::Suspend,
    })
}

/// The person as what they do to accounts below is written down.
fn actor(place: &Place) -> Actor {
    Actor { above: Some(place.above().unwrap_or(place.account.id)), ..place.actor() }
}

/// Begins the work, unless the form was sent before: then it is looked at.
async fn begun(
    console: &Console,
    place: &Place,
    kind: Kind,
    once: &str,
    accounts: &[Arc<Account>],
    fields: &[(&str, String)],
) -> Result<Beginning, Stop> {
    // As the fields of the form, so that it can be sent once more when it breaks off.
    let ids = accounts.iter().map(|account| ("id", account.id.to_string()));
    let content: Vec<_> = fields.iter().cloned().chain(ids).collect();
    let content = serde_json::to_string(&content).unwrap_or_default();
    let (base, id) = (&console.gateway, place.account.id);
    Ok(works::begin(base, id, kind, (once, &content), accounts.len(), &actor(place)).await?)
}

/// Which of many each of them is.
fn places(accounts: &[Arc<Account>]) -> HashMap<AccountId, i64> {
    accounts.iter().map(|account| account.id).zip(1..).collect()
}

const SENT_BEFORE: &str = "This form was sent before with other words. Go back to the list and choose again.";

/// `POST /a/{id}/subaccounts/transfer`: begins to hand out, and leads to where one can look on.
pub async fn transfer(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let accounts = chosen(&console, &place, &typed).await?;
    let once = once::of(&typed, &place.actor(), console.gateway.clock.now());
    if let Some((amount, reference)) = transfers::read(&mut typed, "amount", "reference") {
        let fields = [("amount", typed.text("amount").to_owned()), ("reference", reference.clone())];
        let doing = match begun(&console, &place, Kind::Transfer, &once, &accounts, &fields).await? {
            Beginning::Yours(doing) => {
                let many = TransferMany {
                    from: place.account.id,
                    to: accounts.iter().map(|account| (account.id, amount)).collect(),
                    reference,
                    idempotency_key: Some(once.clone()),
                    asked_by: Some(place.account.id),
                };
                let work = hand_out(console, place.clone(), many, places(&accounts), doing);
                Some(tokio::spawn(work))
            }
            Beginning::UnderWay => None,
            Beginning::Other => {
                typed.wrong_in_all(SENT_BEFORE);
                return page::draw_again(
                    &drawn(&console, &place, &typed, Act::Transfer, &accounts, once).await?,
                );
            }
        };
        return work::begun(&place, Kind::Transfer, &once, doing).await;
    }
    page::draw_again(&drawn(&console, &place, &typed, Act::Transfer, &accounts, once).await?)
}

async fn hand_out(
    console: Console,
    place: Place,
    many: TransferMany,
    places: HashMap<AccountId, i64>,
    doing: Doing,
) {
    let amounts: HashMap<AccountId, Credits> = many.to.iter().copied().collect();
    let told = |id: AccountId, answer: &Result<Done, TransferError>| {
        let amount = amounts.get(&id).copied().unwrap_or(Credits::ZERO);
        let (state, words) = match answer {
            Ok(one) if one.repeated => {
                (works::State::Before, "was handed out before, and not once more".to_owned())
            }
            Ok(_) => (works::State::Done, format!("{} handed out", place.format().exact(amount))),
            Err(error) => (works::State::Refused, transfers::words(&place, place.account.name(), error)),
        };
        doing.tell(Part { place: places.get(&id).copied().unwrap_or(0), account: Some(id), state, words });
    };
    let done = several::transfer_many(&console.gateway, &many, &actor(&place), told).await;
    doing.end(done.err().map(|error| broke_off(&error))).await;
}

/// Why none of the rest was done.
fn broke_off(error: &ManyError) -> String {
    tracing::warn!(%error, "work with many accounts broke off");
    match error {
        ManyError::Storage(_) => NOT_TAKEN.to_owned(),
        error => sentence(error),
    }
}

/// `POST /a/{id}/subaccounts/suspend`: begins to suspend, and leads to where one can look on.
pub async fn suspend(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let accounts = chosen(&console, &place, &typed).await?;
    let once = once::of(&typed, &place.actor(), console.gateway.clock.now());
    if let Some(reason) = typed.words("reason", "why they are suspended; their members read it", REASON_MAX) {
        let fields = [("reason", reason.clone())];
        let doing = match begun(&console, &place, Kind::Suspend, &once, &accounts, &fields).await? {
            Beginning::Yours(doing) => {
                let work = stop_them(console, place.clone(), places(&accounts), reason, once.clone(), doing);
                Some(tokio::spawn(work))
            }
            Beginning::UnderWay => None,
            Beginning::Other => {
                typed.wrong_in_all(SENT_BEFORE);
                return page::draw_again(
                    &drawn(&console, &place, &typed, Act::Suspend, &accounts, once).await?,
                );
            }
        };
        return work::begun(&place, Kind::Suspend, &once, doing).await;
    }
    page::draw_again(&drawn(&console, &place, &typed, Act::Suspend, &accounts, once).await?)
}

async fn stop_them(
    console: Console,
    place: Place,
    places: HashMap<AccountId, i64>,
    reason: String,
    once: String,
    doing: Doing,
) {
    let mut ids: Vec<AccountId> = places.keys().copied().collect();
    ids.sort_by_key(|id| places[id]);
    let told = |id: AccountId, answer: &Result<Account, StateError>| {
        let (state, words) = match answer {
            Ok(_) => (works::State::Done, "suspended".to_owned()),
            Err(StateError::Storage(error)) => {
                tracing::warn!(%error, "one of many accounts was not suspended");
                (works::State::Refused, NOT_TAKEN.to_owned())
            }
            Err(error) => (works::State::Refused, sentence(error)),
        };
        doing.tell(Part { place: places.get(&id).copied().unwrap_or(0), account: Some(id), state, words });
    };
    let (base, above) = (&console.gateway, place.account.id);
    let done = several::change_many(
        base,
        above,
        &ids,
        Become::Suspended(&reason),
        Some(&once),
        &actor(&place),
        told,
    )
    .await;
    doing.end(done.err().map(|error| broke_off(&error))).await;
}

/// `GET /a/{id}/subaccounts/transfer/{name}`: how far it is, and what became of each.
pub async fn transferred(
    State(console): State<Console>,
    place: Place,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Stop> {
    work::show(&console, &place, Kind::Transfer, &name).await
}

/// `GET /a/{id}/subaccounts/suspend/{name}`: how far it is, and what became of each.
pub async fn suspended(
    State(console): State<Console>,
    place: Place,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Stop> {
    work::show(&console, &place, Kind::Suspend, &name).await
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let typed = Typed::of([("amount", "5")]);
    let row = || Row {
        id: "1900002".into(),
        name: "<i>Köln</i>".into(),
        href: "/a/1/subaccounts/2".into(),
        balance: "€1.00".into(),
        state: Badge::new("good", "active"),
    };
    Chosen {
        shell: Shell::sample("Hand out credits"),
        summary: typed.summary(),
        title: "Hand out credits",
        lead: "To 2 subaccounts, from <Nordlicht>.".into(),
        own: "/a/1/subaccounts/transfer".into(),
        back: "/a/1/subaccounts".into(),
        once: "console.1".into(),
        rows: vec![row(), row()],
        fields: vec![typed.field("amount", "Amount")],
        button: "Hand out".into(),
        is_danger: true,
    }
}
