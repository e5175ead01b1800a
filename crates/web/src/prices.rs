//! What an account pays: the page of its own prices, and the table that its page and the one from above
//! share.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::permission::Action;
use gateway::clock::day_of;
use gateway::prices::{self, Line, Paid, Wanted};

use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Typed};
use crate::format::{Format, Time};
use crate::link::Link;
use crate::page::{self, Shell};
use crate::parts::Empty;

/// Rows that are shown at the most; a search finds the others.
const ROWS_MAX: usize = 300;

/// Prices as a table with its search. Draws itself.
#[derive(Template)]
#[template(path = "_prices.html")]
pub struct Table {
    own: String,
    csv: String,
    search: Field,
    /// What the price is called: `You pay` or `It pays`.
    pays: &'static str,
    /// Whose price stands beside it.
    above: Option<String>,
    rows: Vec<Row>,
    has_coming: bool,
    more: String,
    empty: Option<Empty>,
}

impl HtmlSafe for Table {}

struct Row {
    country: &'static str,
    network: String,
    network_name: &'static str,
    price: String,
    coming: Vec<(String, Time)>,
    cost: String,
    margin: String,
    share: String,
    is_loss: bool,
}

impl Row {
    fn of(line: &Line, has_cost: bool, format: &Format) -> Row {
        let cost = line.cost.filter(|_| has_cost);
        let margin = cost.and_then(|cost| line.price.checked_sub(cost));
        let coming = line.coming.iter().map(|(at, price)| (format.exact(*price), format.date(*at)));
        Row {
            country: line.country_name(),
            network: line.network.clone(),
            network_name: line.network_name(),
            price: format.exact(line.price),
            coming: coming.collect(),
            cost: cost.map(|cost| format.exact(cost)).unwrap_or_default(),
            margin: margin.map(|margin| format.change(margin)).unwrap_or_default(),
            share: margin.map(|margin| format.percent(margin.0, line.price.0)).unwrap_or_default(),
            is_loss: margin.is_some_and(|margin| margin.0 < 0),
        }
    }
}

/// What a page of prices is asked for.
pub fn wanted(asked: &Typed) -> Wanted {
    Wanted { search: asked.text("q").chars().take(60).collect(), ..Wanted::default() }
}

impl Table {
    /// The prices of a page at `own`, with those of the account above beside them where it is named.
    pub fn of(
        paid: &Paid,
        asked: &Typed,
        own: String,
        pays: &'static str,
        above: Option<String>,
        format: &Format,
    ) -> Table {
        let has_cost = above.is_some();
        let count = paid.lines.len();
        let rows = paid.lines.iter().take(ROWS_MAX).map(|line| Row::of(line, has_cost, format));
        let rows: Vec<Row> = rows.collect();
        let empty = rows.is_empty().then(|| match asked.text("q").is_empty() {
            true => Empty::new(
                "price",
                "No prices",
                "Without a price nothing can be sent. The operator of this installation takes price lists in.",
            ),
            false => Empty::new("search", "No country fits", "Search by the English name of a country.")
                .next("Show all", &own),
        });
        Table {
            csv: Link::to(format!("{own}/prices.csv")).with("q", asked.text("q")).into(),
            search: asked.field("q", "Country").of_type("search").example("Germany"),
            pays,
            above,
            has_coming: rows.iter().any(|row| !row.coming.is_empty()),
            rows,
            more: match count {
                count if count > ROWS_MAX => {
                    format!("The first {ROWS_MAX} of {count}. Search for a country to see the others.")
                }
                _ => String::new(),
            },
            empty,
            own,
        }
    }

    /// The table of a page in a test.
    #[cfg(test)]
    pub fn sample() -> Table {
        let asked = Typed::of([("q", "<b>")]);
        let format = Shell::sample("").format;
        let row = |is_loss| Row {
            country: "Germany",
            network: "26201".into(),
            network_name: "Telekom",
            price: "€0.075".into(),
            coming: vec![("€0.08".into(), format.date(format.now))],
            cost: "€0.07".into(),
            margin: "+€0.005".into(),
            share: "6.7%".into(),
            is_loss,
        };
        Table {
            own: "/a/1/prices".into(),
            csv: "/a/1/prices/prices.csv".into(),
            search: asked.field("q", "Country"),
            pays: "It pays",
            above: Some("<Nordlicht>".into()),
            rows: vec![row(false), row(true)],
            has_coming: true,
            more: "The first 300 of 900.".into(),
            empty: None,
        }
    }

    fn draw(&self, name: &'static str) -> crate::parts::Icon {
        crate::parts::Icon(name)
    }
}

/// Prices as a file.
pub fn file(paid: &Paid, account: domain::id::AccountId, has_cost: bool, format: &Format) -> Response {
    let sheet = paid.sheet(&format.time_zone, has_cost);
    let day = day_of(format.now, &format.time_zone);
    let name = format!("attachment; filename=\"prices-{account}-{day}.csv\"");
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
    (headers, sheet.csv()).into_response()
}

#[derive(Template)]
#[template(path = "a/prices.html")]
struct Page {
    shell: Shell,
    name: String,
    lists: Option<String>,
    table: Table,
}

/// `GET /a/{id}/prices`: what the account pays.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let paid = prices::paid(&console.gateway, &place.account, &place.account, &wanted(&asked)).await?;
    page::draw(&Page {
        shell: place.shell("Prices"),
        name: place.account.name().to_owned(),
        lists: place.may(Action::ManagePrices).then(|| place.href("prices/lists")),
        table: Table::of(&paid, &asked, place.href("prices"), "You pay", None, place.format()),
    })
}

/// `GET /a/{id}/prices/prices.csv`: the same as a file.
pub async fn export(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let paid = prices::paid(&console.gateway, &place.account, &place.account, &wanted(&asked)).await?;
    Ok(file(&paid, place.account.id, false, place.format()))
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    Page {
        shell: Shell::sample("Prices"),
        name: "<Nordlicht>".into(),
        lists: Some("/a/1/prices/lists".into()),
        table: Table::sample(),
    }
}
