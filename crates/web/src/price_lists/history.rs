//! What became of the prices of a list: what they were and are, from when, by whom, and why.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::credits::Credits;
use gateway::prices::{self, Change};

use super::desk::Desk;
use super::one::file;
use crate::Console;
use crate::error::Stop;
use crate::form::Asked;
use crate::format::{Format, Time};
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Empty, Pager};

/// Changes on a page.
const ROWS: i64 = 100;

#[derive(Template)]
#[template(path = "price-lists/history.html")]
struct History {
    shell: Shell,
    name: String,
    csv: String,
    rows: Vec<Row>,
    empty: Empty,
    pager: Pager,
}

struct Row {
    destination: String,
    before: String,
    after: String,
    from: Time,
    at: Time,
    by: String,
    comment: String,
}

impl Row {
    fn of(change: &Change, format: &Format) -> Row {
        let word = |price: Option<Credits>, none: &str| {
            price.map_or_else(|| none.to_owned(), |price| format.exact(price))
        };
        Row {
            destination: prices::destination_words(&change.destination),
            before: word(change.before, "–"),
            after: word(change.after, "ends"),
            from: format.time(change.effective_from),
            at: format.time(change.at),
            by: change.actor.as_ref().map_or_else(String::new, |(_, name)| name.clone()),
            comment: change.comment.clone(),
        }
    }
}

/// `GET .../prices/lists/{list}/history`.
pub async fn show(State(console): State<Console>, desk: Desk, asked: Asked) -> Result<Response, Stop> {
    let paging = Paging::of(&asked);
    let found = prices::history(&console.gateway, desk.owner, desk.list()?, paging.place(), ROWS + 1).await?;
    let (list, mut changes) = found.ok_or(Stop::NotThere)?;
    let has_more = changes.len() as i64 > ROWS;
    changes.truncate(usize::try_from(ROWS).unwrap_or(0));
    let next = changes.last().filter(|_| has_more).map(|change| change.id);
    let own = format!("{}/history", desk.href_of(list.id));
    let shell = desk.shell_of(&list, "History");
    page::draw(&History {
        name: list.name,
        csv: format!("{own}.csv"),
        rows: changes.iter().map(|change| Row::of(change, &shell.format)).collect(),
        empty: Empty::new("clock", "Nothing has changed yet", "Every price that is set is kept here."),
        pager: paging.pager(&Link::to(own), next),
        shell,
    })
}

/// `GET .../prices/lists/{list}/history.csv`: all of it.
pub async fn export(State(console): State<Console>, desk: Desk) -> Result<Response, Stop> {
    let found = prices::history_file(&console.gateway, desk.owner, desk.list()?).await?;
    let (list, text) = found.ok_or(Stop::NotThere)?;
    Ok(file(text, &format!("price-list-{}-history", list.id.0), &desk.shell.format))
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let format = Shell::sample("").format;
    History {
        name: "<agency>".into(),
        csv: "/a/1/prices/lists/2/history.csv".into(),
        rows: vec![Row {
            destination: "Germany".into(),
            before: "–".into(),
            after: "€0.08".into(),
            from: format.time(format.now),
            at: format.time(format.now),
            by: "<b>Köln</b>".into(),
            comment: "<i>".into(),
        }],
        empty: Empty::default(),
        pager: Pager::default(),
        shell: Shell::sample("History"),
    }
}
