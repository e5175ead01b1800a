//! Where messages can go, by whom, and what that sells for.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::phone_number::Country;
use gateway::operator::{self, Offer};

use super::{shell, tabs};
use crate::Console;
use crate::error::Stop;
use crate::format::Format;
use crate::page::{self, Shell};
use crate::parts::{Badge, Empty, Tabs};
use crate::signed_in::Person;

#[derive(Template)]
#[template(path = "operator/prices.html")]
struct Prices {
    shell: Shell,
    tabs: Tabs,
    rows: Vec<Row>,
    empty: Empty,
}

struct Row {
    country: String,
    network: String,
    standard: String,
    lists: Vec<String>,
    ways: Vec<Badge>,
}

impl Row {
    fn of(offer: &Offer, format: &Format) -> Row {
        let list = |asked: &operator::Asked| {
            let over =
                asked.over_standard.map(|over| format!(" ({})", format.change(over))).unwrap_or_default();
            format!("{}: {}{over}", asked.list, format.exact(asked.price))
        };
        let way = |way: &operator::Way| {
            Badge::new(if way.up { "good" } else { "bad" }, format!("{}. {}", way.priority, way.carrier))
        };
        Row {
            country: offer.country.map_or("Rest of the world", Country::name).to_owned(),
            network: offer.network.clone(),
            standard: offer.standard.map_or_else(|| "–".to_owned(), |price| format.exact(price)),
            lists: offer.lists.iter().map(list).collect(),
            ways: offer.ways.iter().map(way).collect(),
        }
    }
}

/// `GET /operator/prices`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    let shell = shell(&console, &headers, &person, "Routes and prices").await?;
    let mut offers = operator::offers(&console.gateway).await?;
    let name = |offer: &Offer| offer.country.map_or("~", Country::name).to_owned();
    offers.sort_by_key(|offer| (name(offer), offer.network.clone()));
    page::draw(&Prices {
        tabs: tabs("/operator/prices"),
        rows: offers.iter().map(|offer| Row::of(offer, &shell.format)).collect(),
        empty: Empty::new(
            "price",
            "Nothing has a price yet",
            "Fill the list “standard” among the price lists, or import one with `branchline prices import prices.csv`; without a price nothing is sent.",
        ),
        shell,
    })
}
