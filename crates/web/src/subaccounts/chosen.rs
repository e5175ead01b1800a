//! Several accounts below at once: credits to all of them, or all of them suspended. Each is done by
//! itself, and what became of each is told.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::Account;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use gateway::several::{self, MANY_MAX, ManyError, TransferMany};

use super::below::state_badge;
use super::create::capital_sentence;
use super::state::REASON_MAX;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::parts::Badge;
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
    /// What became of it, once it is done.
    result: Option<String>,
}

struct Row {
    id: String,
    name: String,
    href: String,
    balance: String,
    state: Badge,
    /// What became of it.
    outcome: Option<(Badge, String)>,
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
            outcome: None,
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
        result: None,
    })
}

/// The person as what they do to accounts below is written down.
fn actor(place: &Place) -> Actor {
    Actor { above: Some(place.above().unwrap_or(place.account.id)), ..place.actor() }
}

/// What became of each, on the page of all.
fn done(
    mut page: Chosen,
    place: &Place,
    outcomes: Vec<Result<String, String>>,
    verb: &str,
) -> Result<Response, Stop> {
    let all = outcomes.len();
    let good = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    for (row, outcome) in page.rows.iter_mut().zip(outcomes) {
        row.outcome = Some(match outcome {
            Ok(words) => (Badge::new("good", "done"), words),
            Err(words) => (Badge::new("bad", "not done"), words),
        });
    }
    let count = |count: usize| place.format().count(i64::try_from(count).unwrap_or(i64::MAX));
    page.result = Some(format!("{} of {} {verb}.", count(good), count(all)));
    page::draw(&page)
}

/// `POST /a/{id}/subaccounts/transfer`.
pub async fn transfer(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let gateway = &console.gateway;
    let accounts = chosen(&console, &place, &typed).await?;
    let once = once::of(&typed, &place.actor(), gateway.clock.now());
    if let Some((amount, reference)) = transfers::read(&mut typed, "amount", "reference") {
        let many = TransferMany {
            from: place.account.id,
            to: accounts.iter().map(|account| (account.id, amount)).collect(),
            reference,
            idempotency_key: Some(once.clone()),
            asked_by: Some(place.account.id),
        };
        match several::transfer_many(gateway, &many, &actor(&place)).await {
            Ok(answers) => {
                let mut outcomes = Vec::with_capacity(answers.len());
                for (_, answer) in answers {
                    outcomes.push(match answer {
                        Ok(one) if one.repeated => Ok("was handed out before, and not once more".to_owned()),
                        Ok(_) => Ok(format!("{} handed out", place.format().exact(amount))),
                        Err(error) => Err(transfers::refusal(&place, place.account.name(), error)?),
                    });
                }
                let page = drawn(&console, &place, &typed, Act::Transfer, &accounts, once).await?;
                return done(page, &place, outcomes, "got their credits");
            }
            Err(error) => refused(&mut typed, error)?,
        }
    }
    page::draw_again(&drawn(&console, &place, &typed, Act::Transfer, &accounts, once).await?)
}

/// `POST /a/{id}/subaccounts/suspend`.
pub async fn suspend(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let gateway = &console.gateway;
    let accounts = chosen(&console, &place, &typed).await?;
    let once = once::of(&typed, &place.actor(), gateway.clock.now());
    if let Some(reason) = typed.words("reason", "why they are suspended; their members read it", REASON_MAX) {
        let ids: Vec<AccountId> = accounts.iter().map(|account| account.id).collect();
        let above = Some(place.account.id);
        match several::suspend_many(gateway, above, &ids, &reason, Some(&once), &actor(&place)).await {
            Ok(answers) => {
                let mut outcomes = Vec::with_capacity(answers.len());
                for (_, answer) in answers {
                    outcomes.push(match answer {
                        Ok(_) => Ok("suspended".to_owned()),
                        Err(gateway::accounts::StateError::Storage(error)) => return Err(error.into()),
                        Err(error) => Err(capital_sentence(&error.to_string())),
                    });
                }
                let accounts = chosen(&console, &place, &typed).await?;
                let page = drawn(&console, &place, &typed, Act::Suspend, &accounts, once).await?;
                return done(page, &place, outcomes, "are suspended");
            }
            Err(error) => refused(&mut typed, error)?,
        }
    }
    page::draw_again(&drawn(&console, &place, &typed, Act::Suspend, &accounts, once).await?)
}

fn refused(typed: &mut Typed, error: ManyError) -> Result<(), Stop> {
    match error {
        ManyError::Storage(error) => return Err(error.into()),
        ManyError::KeyReused(_) => typed.wrong_in_all(
            "This form was sent before with other words. Go back to the list and choose again.",
        ),
        other => typed.wrong_in_all(capital_sentence(&other.to_string())),
    }
    Ok(())
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let typed = Typed::of([("amount", "5")]);
    let row = |outcome| Row {
        id: "1900002".into(),
        name: "<i>Köln</i>".into(),
        href: "/a/1/subaccounts/2".into(),
        balance: "€1.00".into(),
        state: Badge::new("good", "active"),
        outcome,
    };
    Chosen {
        shell: Shell::sample("Hand out credits"),
        summary: typed.summary(),
        title: "Hand out credits",
        lead: "To 2 subaccounts, from <Nordlicht>.".into(),
        own: "/a/1/subaccounts/transfer".into(),
        back: "/a/1/subaccounts".into(),
        once: "console.1".into(),
        rows: vec![row(None), row(Some((Badge::new("bad", "not done"), "<b>Köln</b> holds less".into())))],
        fields: vec![typed.field("amount", "Amount")],
        button: "Hand out".into(),
        is_danger: true,
        result: Some("1 of 2 got their credits.".into()),
    }
}
