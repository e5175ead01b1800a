//! All main accounts, with the size of their trees and what those sent.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::id::AccountId;
use gateway::operator;
use storage::operator::{Filter, Tree};

use super::{shell, tabs};
use crate::Console;
use crate::error::Stop;
use crate::form::{Asked, Field};
use crate::format::{Format, Time};
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Badge, Empty, Pager, Tabs};
use crate::signed_in::Person;

/// Trees of a page.
const PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "operator/trees.html")]
struct Trees {
    shell: Shell,
    tabs: Tabs,
    search: Field,
    open_only: Field,
    rows: Vec<Row>,
    empty: Empty,
    pager: Pager,
}

struct Row {
    name: String,
    id: AccountId,
    email: String,
    state: Badge,
    accounts: String,
    balance: String,
    balance_of_tree: String,
    messages: String,
    cost: String,
    created: Time,
}

impl Row {
    fn of(tree: &Tree, format: &Format) -> Row {
        Row {
            name: tree.name().to_owned(),
            id: tree.root,
            email: tree.email.clone(),
            state: tree.state.into(),
            accounts: format.count(tree.accounts),
            balance: format.money(tree.balance),
            balance_of_tree: format.money(tree.balance_of_tree),
            messages: format.count(tree.messages),
            cost: format.money(tree.cost),
            created: format.date(tree.created_at),
        }
    }
}

/// `GET /operator/trees`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    asked: Asked,
) -> Result<Response, Stop> {
    let shell = shell(&console, &headers, &person, "Accounts").await?;
    let search = Some(asked.text("q").to_owned()).filter(|words| !words.is_empty());
    let filter = Filter { search: search.clone(), open_only: asked.ticked("open") };
    let paging = Paging::of(&asked);
    let mut all = operator::trees(&console.gateway, &filter, paging.place().map(AccountId), PAGE + 1).await?;
    let has_more = all.len() as i64 > PAGE;
    all.truncate(PAGE as usize);
    let link = Link::to("/operator/trees").with("q", asked.text("q")).with_if("open", filter.open_only);
    let empty = match &search {
        Some(_) => {
            Empty::new("search", "No account fits", "Look for a part of a name, an address or a number.")
                .next("Show all", "/operator/trees")
        }
        None => Empty::new(
            "tree",
            "No accounts yet",
            "Create a main account with `branchline account create`; those below it are created in the console.",
        ),
    };
    page::draw(&Trees {
        tabs: tabs("/operator/trees"),
        search: asked.field("q", "Find").of_type("search").example("Name, address or number"),
        open_only: asked.tick("open", "Leave out closed ones"),
        rows: all.iter().map(|tree| Row::of(tree, &shell.format)).collect(),
        empty,
        pager: paging.pager(&link, all.last().filter(|_| has_more).map(|tree| tree.root)),
        shell,
    })
}
