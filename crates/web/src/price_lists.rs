//! Price lists: those of an account, for the accounts below it, and those of the installation, on the same
//! pages. [`desk`] tells whose they are.

pub mod desk;
pub mod history;
pub mod import;
pub mod one;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::id::PriceListId;
use gateway::prices::{self, ListError, Overview};

use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::format::{Format, Time};
use crate::page::{self, Shell};
use crate::parts::{Badge, Empty};
use crate::sign_in::sentence;
use crate::{Console, flash};
use desk::Desk;

/// The most characters of a list's name in a form.
const NAME_MAX: usize = 200;

#[derive(Template)]
#[template(path = "price-lists/index.html")]
struct Index {
    shell: Shell,
    lead: String,
    own: String,
    rows: Vec<Line>,
    empty: Empty,
    summary: Summary,
    is_open: bool,
    fields: Vec<Field>,
}

struct Line {
    name: String,
    href: String,
    standard: Option<Badge>,
    accounts: String,
    destinations: String,
    changed: Option<Time>,
}

impl Line {
    fn of(overview: &Overview, desk: &Desk, format: &Format) -> Line {
        Line {
            name: overview.list.name.clone(),
            href: desk.href_of(overview.list.id),
            standard: overview.list.is_standard().then(|| Badge::new("calm", "unless others are given")),
            accounts: match overview.accounts {
                0 if overview.list.is_standard() => "main accounts without another".to_owned(),
                0 => "nobody".to_owned(),
                count => format.many(count, "account", "accounts"),
            },
            destinations: format.count(overview.destinations),
            changed: overview.changed_at.map(|at| format.ago(at)),
        }
    }
}

/// `GET /a/{id}/prices/lists` and `GET /operator/prices/lists`: all lists, and a new one.
pub async fn show(State(console): State<Console>, desk: Desk) -> Result<Response, Stop> {
    page::draw(&drawn(&console, &desk, &Typed::default()).await?)
}

async fn drawn(console: &Console, desk: &Desk, typed: &Typed) -> Result<Index, Stop> {
    let all = prices::of_owner(&console.gateway, desk.owner).await?;
    let names = all.iter().map(|one| (one.list.id.0.to_string(), one.list.name.clone()));
    let copies: Vec<_> = std::iter::once((String::new(), "nothing".to_owned())).chain(names).collect();
    Ok(Index {
        lead: desk.lead.clone(),
        own: desk.root.clone(),
        rows: all.iter().map(|one| Line::of(one, desk, &desk.shell.format)).collect(),
        empty: Empty::new(
            "price",
            "No price list yet",
            "Make one here and fill it by hand or from a CSV file, or put a markup on your own prices where a subaccount is given its prices.",
        ),
        summary: typed.summary(),
        is_open: all.is_empty() || !typed.is_right(),
        fields: vec![
            typed.field("name", "Name").length_max(NAME_MAX).required().example("Agencies 2027"),
            typed.choice("copy", "Begin with the prices of", copies),
        ],
        shell: desk.shell("Price lists"),
    })
}

/// `POST /a/{id}/prices/lists` and of the operator: makes a list.
pub async fn create(State(console): State<Console>, desk: Desk, mut typed: Typed) -> Result<Response, Stop> {
    let copied = typed.read_if_given("copy", |id| id.parse().map(PriceListId).map_err(|_| "Choose one."));
    let name = typed.words("name", "what the list is called", NAME_MAX);
    if let (Some(name), Some(copied)) = (name, copied) {
        match prices::create(&console.gateway, desk.owner, &name, copied, &desk.actor).await {
            Ok(list) => {
                let words = format!("The price list “{}” is made.", list.name);
                return Ok(flash::done(&desk.href_of(list.id), &words));
            }
            Err(ListError::Storage(error)) => return Err(error.into()),
            Err(error @ ListError::NotFound) => typed.wrong("copy", sentence(&error)),
            Err(error @ ListError::TooMany) => typed.wrong_in_all(sentence(&error)),
            Err(error) => typed.wrong("name", sentence(&error)),
        }
    }
    page::draw_again(&drawn(&console, &desk, &typed).await?)
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let typed = Typed::of([("name", "<agency>")]);
    let format = Shell::sample("").format;
    Index {
        lead: "What accounts below <Nordlicht> pay.".into(),
        own: "/a/1/prices/lists".into(),
        rows: vec![Line {
            name: "<agency>".into(),
            href: "/a/1/prices/lists/2".into(),
            standard: Some(Badge::new("calm", "unless others are given")),
            accounts: "3 accounts".into(),
            destinations: "240".into(),
            changed: Some(format.ago(format.now)),
        }],
        empty: Empty::default(),
        summary: typed.summary(),
        is_open: true,
        fields: vec![typed.field("name", "Name"), typed.choice("copy", "Copy of", [("1", "<agency>")])],
        shell: Shell::sample("Price lists"),
    }
}
