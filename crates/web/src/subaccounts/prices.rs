//! What one account below pays, by which list, and what is earned on it above.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::id::PriceListId;
use domain::permission::Action;
use domain::price::{Destination, PriceList};
use domain::product::Product;
use gateway::{Base, Prices as Lists};

use super::below::{Below, Head};
use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field};
use crate::page::{self, Shell};
use crate::parts::Empty;

/// Rows that are shown at the most; a search finds the others.
const ROWS_MAX: usize = 250;

#[derive(Template)]
#[template(path = "a/subaccounts/prices.html")]
struct Prices {
    shell: Shell,
    head: Head,
    list: String,
    own: String,
    search: Field,
    /// Whose price stands beside it: the account of the page.
    above: Option<String>,
    rows: Vec<Row>,
    more: String,
    empty: Option<Empty>,
}

struct Row {
    country: String,
    network: String,
    price: String,
    cost: String,
    margin: String,
    share: String,
    is_loss: bool,
}

/// `GET /a/{id}/subaccounts/{child}/prices`.
pub async fn show(
    State(console): State<Console>,
    place: Place,
    below: Below,
    asked: Asked,
) -> Result<Response, Stop> {
    below.must(Action::SeePrices)?;
    let gateway = &console.gateway;
    let lists = gateway.prices().await?;
    let own = below.path.iter().rev().find_map(|account| Some((account.id, account.price_list?)));
    let list = match own {
        Some((owner, id)) if owner == below.account.id => {
            let name = storage::prices::by_id(&mut *gateway.db.read().await?, id).await?;
            format!("Its own price list, {}.", name.map_or_else(|| id.0.to_string(), |list| list.name))
        }
        // What an account above the page has is its own affair: only that it counts is told.
        Some((owner, _)) => {
            let name = below.path.iter().find(|account| account.id == owner).map_or("", |a| a.name());
            format!("The price list of {name}, because it has none of its own.")
        }
        None => {
            "The standard price list, because neither it nor an account above has one of its own.".to_owned()
        }
    };
    let search: String = asked.text("q").chars().take(60).collect();
    let sees_margin = place.may(Action::SeePrices);
    let mut rows = rows(&console, &place, &below, &lists, own.map(|(_, id)| id), sees_margin);
    let folded = search.to_lowercase();
    rows.retain(|row| {
        folded.is_empty() || row.country.to_lowercase().contains(&folded) || row.network.contains(&folded)
    });
    let more = match rows.len() {
        count if count > ROWS_MAX => {
            format!("The first {ROWS_MAX} of {count}. Search for a country to see the others.")
        }
        _ => String::new(),
    };
    rows.truncate(ROWS_MAX);
    let empty = rows.is_empty().then(|| match search.is_empty() {
        true => Empty::new(
            "price",
            "No prices",
            "Without a price nothing can be sent. The operator of this installation takes price lists in.",
        ),
        false => Empty::new("search", "No country fits", "Search by the English name of a country.")
            .next("Show all", below.href("prices")),
    });
    page::draw(&Prices {
        shell: below.shell("Prices"),
        head: below.head("prices"),
        list,
        own: below.href("prices"),
        search: asked.field("q", "Country").of_type("search").example("Germany"),
        above: sees_margin.then(|| place.account.name().to_owned()),
        rows,
        more,
        empty,
    })
}

fn rows(
    console: &Console,
    place: &Place,
    below: &Below,
    lists: &Lists,
    list: Option<PriceListId>,
    sees_margin: bool,
) -> Vec<Row> {
    let (now, format) = (console.gateway.clock.now(), place.format());
    let list: &PriceList = list.and_then(|id| lists.lists.get(&id)).unwrap_or(&lists.standard);
    let row = |to: &Destination| {
        let levels = Base::levels(lists, &below.path, Product::Sms, to.country, &to.network, now)?;
        let price = levels.last()?.1.amount;
        let cost = levels.iter().find(|(id, _)| *id == place.account.id).map(|(_, price)| price.amount);
        let cost = cost.filter(|_| sees_margin);
        let margin = cost.and_then(|cost| price.checked_sub(cost));
        Some(Row {
            country: to
                .country
                .map_or_else(|| "Rest of the world".to_owned(), |country| country.name().to_owned()),
            network: to.network.clone(),
            price: format.exact(price),
            cost: cost.map(|cost| format.exact(cost)).unwrap_or_default(),
            margin: margin.map(|margin| format.change(margin)).unwrap_or_default(),
            share: margin.map(|margin| format.percent(margin.0, price.0)).unwrap_or_default(),
            is_loss: margin.is_some_and(|margin| margin.0 < 0),
        })
    };
    let of_sms = list.destinations().into_iter().filter(|to| to.product == Product::Sms);
    let mut rows: Vec<Row> = of_sms.filter_map(row).collect();
    rows.sort_by(|a, b| (&a.country, &a.network).cmp(&(&b.country, &b.network)));
    rows
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let row = |is_loss| Row {
        country: "Germany".into(),
        network: "26201".into(),
        price: "€0.075".into(),
        cost: "€0.07".into(),
        margin: "+€0.005".into(),
        share: "6.7%".into(),
        is_loss,
    };
    let asked = crate::form::Typed::of([("q", "<b>")]);
    Prices {
        shell: Shell::sample("Prices"),
        head: Head::sample("prices"),
        list: "Its own price list, <agency>.".into(),
        own: "/a/1/subaccounts/2/prices".into(),
        search: asked.field("q", "Country"),
        above: Some("<Nordlicht>".into()),
        rows: vec![row(false), row(true)],
        more: "The first 250 of 900.".into(),
        empty: None,
    }
}
