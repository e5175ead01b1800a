//! One price list: its prices by country with those of networks folded in, changing them one by one, its
//! name, and its end.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::credits::Credits;
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::{Destination, PriceList, PriceRow};
use domain::product::Product;
use gateway::clock::{day_of, number_of, start_of_day};
use gateway::prices::{self, ListError, NewRow, Open};
use jiff::civil::Date;

use super::NAME_MAX;
use super::desk::Desk;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::format::{Format, Time};
use crate::link::Link;
use crate::page::{self, Shell};
use crate::parts::Empty;
use crate::sign_in::sentence;
use crate::{Console, flash};

/// Countries that are shown at the most; a search finds the others.
const COUNTRIES_MAX: usize = 300;

#[derive(Template)]
#[template(path = "price-lists/one.html")]
struct One {
    shell: Shell,
    name: String,
    own: String,
    users: Vec<(String, String)>,
    users_words: String,
    search: Field,
    rows: Vec<Row>,
    more: String,
    empty: Option<Empty>,
    summary: Summary,
    is_open: bool,
    fields: Vec<Field>,
    ends: Field,
    below_cost: Option<Field>,
    rename: Option<Field>,
    is_renaming: bool,
    removable: bool,
}

/// A country, with its networks.
struct Row {
    country: String,
    price: Priced,
    networks: Vec<Priced>,
    networks_words: String,
}

/// What one destination costs.
struct Priced {
    words: String,
    price: String,
    since: Option<Time>,
    coming: Vec<(String, Time)>,
    change: String,
}

/// `GET .../prices/lists/{list}`.
pub async fn show(State(console): State<Console>, desk: Desk, asked: Asked) -> Result<Response, Stop> {
    page::draw(&drawn(&console, &desk, &asked, &asked, asked.has("country")).await?)
}

async fn drawn(
    console: &Console,
    desk: &Desk,
    asked: &Typed,
    typed: &Typed,
    is_open: bool,
) -> Result<One, Stop> {
    let open = prices::open(&console.gateway, desk.owner, desk.list()?).await?.ok_or(Stop::NotThere)?;
    let own = desk.href_of(open.list.id);
    let shell = desk.shell_of(&open.list, &open.list.name);
    let format = &shell.format;
    let all = rows(&open, asked.text("q"), &own, format);
    let count = all.len();
    let standard = open.list.is_standard();
    let loss = typed.error("below_cost").is_some() || typed.ticked("below_cost");
    let countries = Country::all().map(|c| (c.as_str().to_owned(), c.name().to_owned()));
    let countries = std::iter::once(("*".to_owned(), "Rest of the world".to_owned())).chain(countries);
    let is_renaming = typed.error("name").is_some();
    let rename = if is_renaming { typed.clone() } else { Typed::of([("name", &open.list.name)]) };
    Ok(One {
        name: open.list.name.clone(),
        users: open.accounts.iter().map(|a| (a.name().to_owned(), desk.href_of_account(a))).collect(),
        users_words: match (open.accounts.len(), standard) {
            (0, true) => "Main accounts pay by it unless they are given another.".to_owned(),
            (0, false) => "Nobody pays by it yet.".to_owned(),
            (_, true) => "Main accounts pay by it unless they are given another, so these do, and those below them without a list of their own:".to_owned(),
            (_, false) => "These pay by it, and those below them without a list of their own:".to_owned(),
        },
        search: asked.field("q", "Country").of_type("search").example("Germany"),
        empty: all.is_empty().then(|| match asked.text("q").is_empty() {
            true => Empty::new("price", "No prices yet", "Set one below, or take them in from a CSV file. Without a price for a destination nothing is sent there."),
            false => Empty::new("search", "No country fits", "Search by the English name of a country.").next("Show all", &own),
        }),
        more: match count {
            count if count > COUNTRIES_MAX => format!("The first {COUNTRIES_MAX} of {count}. Search for a country to see the others."),
            _ => String::new(),
        },
        rows: all.into_iter().take(COUNTRIES_MAX).collect(),
        summary: typed.summary(),
        is_open: is_open || open.rows.is_empty(),
        fields: vec![
            typed.choice("country", "Country", countries).required(),
            typed.field("network", "Network").keys("numeric").length_max(6).example("26201").hint("MCC and MNC; empty is the whole country."),
            typed.field("price", "Price").amount(format.currency_sign()).example("0.075"),
            typed.field("from", "From").of_type("date").hint("Empty is now."),
            typed.field("comment", "Comment").length_max(NAME_MAX).hint("Kept in the history."),
        ],
        ends: typed.tick("ends", "No price of its own any more: the country's counts, or that of the rest of the world"),
        below_cost: loss.then(|| typed.tick("below_cost", "Sell below cost: the difference is taken from the account above")),
        rename: (!standard).then(|| rename.field("name", "Name").length_max(NAME_MAX).required()),
        is_renaming,
        removable: !standard && open.holders == 0,
        own,
        shell,
    })
}

/// The prices of a list by country, those that fit a search.
fn rows(open: &Open, search: &str, own: &str, format: &Format) -> Vec<Row> {
    let search = search.to_lowercase();
    let list = PriceList::of(open.rows.iter().map(|(row, _)| row.clone()));
    let mut countries: BTreeMap<(i64, bool, String), Vec<&Destination>> = BTreeMap::new();
    for to in list.destinations() {
        let name = name(to);
        let letters = to.country.as_ref().map_or("*", Country::as_str);
        let fits = name.to_lowercase().contains(&search)
            || letters.eq_ignore_ascii_case(&search)
            || (!to.network.is_empty() && to.network.starts_with(&search));
        if fits {
            countries.entry((to.product.code(), to.country.is_none(), name)).or_default().push(to);
        }
    }
    let priced = |to: &Destination| Priced::of(to, &list, open, own, format);
    let row = |((_, _, country), of): ((i64, bool, String), Vec<&Destination>)| {
        let whole = Destination { network: String::new(), ..of[0].clone() };
        let networks: Vec<Priced> = of.into_iter().filter(|to| !to.network.is_empty()).map(priced).collect();
        let count = i64::try_from(networks.len()).unwrap_or(0);
        Row {
            country,
            price: priced(&whole),
            networks,
            networks_words: format.many(count, "network", "networks"),
        }
    };
    countries.into_iter().map(row).collect()
}

/// What a destination's country is called, with what is sold where that is no message.
fn name(to: &Destination) -> String {
    let country = to.country.map_or("Rest of the world", Country::name);
    if to.product == Product::Sms {
        country.to_owned()
    } else {
        format!("{country} ({})", to.product.as_str())
    }
}

impl Priced {
    fn of(to: &Destination, list: &PriceList, open: &Open, own: &str, format: &Format) -> Priced {
        let word =
            |price: Option<Credits>| price.map_or_else(|| "ends".to_owned(), |price| format.exact(price));
        let begun = |row: &&PriceRow| row.destination == *to && row.effective_from <= format.now;
        let since = open.rows.iter().map(|(row, _)| row).rfind(begun).filter(|row| row.price.is_some());
        let known = to.country.into_iter().flat_map(domain::phone_number::networks_of);
        let known = known.into_iter().find(|network| network.mccmnc() == to.network);
        let country = to.country.as_ref().map_or("*", Country::as_str);
        let price = list.own(to, format.now);
        Priced {
            words: known
                .map_or_else(|| to.network.clone(), |network| format!("{} {}", network.name, to.network)),
            price: price.map_or_else(|| "–".to_owned(), |price| format.exact(price)),
            since: since.map(|row| format.date(row.effective_from)),
            coming: list
                .coming(to, format.now)
                .into_iter()
                .map(|(at, price)| (word(price), format.time(at)))
                .collect(),
            change: format!(
                "{}#change",
                Link::to(own)
                    .with("country", country)
                    .with("network", &to.network)
                    .with("price", price.map_or_else(String::new, |p| p.to_string()))
            ),
        }
    }
}

/// `POST .../prices/lists/{list}`: sets one price from a day on, or ends it.
pub async fn change(State(console): State<Console>, desk: Desk, mut typed: Typed) -> Result<Response, Stop> {
    let list = desk.list()?;
    if let Some(row) = read(&mut typed, &desk.shell.format) {
        let allow = typed.ticked("below_cost");
        match prices::change(&console.gateway, (desk.owner, list), &row, allow, &desk.actor).await {
            Ok(true) => {
                let words = format!("The price of {} is set.", prices::destination_words(&row.destination));
                return Ok(flash::done(&desk.href_of(list), &words));
            }
            Ok(false) => return Ok(flash::done(&desk.href_of(list), "It was just so already.")),
            Err(ListError::Storage(error)) => return Err(error.into()),
            Err(ListError::NotFound) => return Err(Stop::NotThere),
            Err(error @ ListError::BelowCost(_)) => typed.wrong("below_cost", sentence(&error)),
            Err(error) => typed.wrong("from", sentence(&error)),
        }
    }
    page::draw_again(&drawn(&console, &desk, &Typed::default(), &typed, true).await?)
}

fn read(typed: &mut Typed, format: &Format) -> Option<NewRow> {
    let country = typed.read("country", |text| match text {
        "*" => Ok(None),
        text => Country::parse(text).map(Some).ok_or("Choose a country, or the rest of the world."),
    });
    let is_world = country == Some(None);
    let network = typed.read("network", |text| match text {
        "" => Ok(String::new()),
        _ if is_world => Err("A network belongs to a country. Choose that."),
        text if matches!(text.len(), 5 | 6) && text.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(text.to_owned())
        }
        _ => Err("Write MCC and MNC such as 26201, or nothing for the whole country."),
    });
    let price = match typed.ticked("ends") {
        true => Some(None),
        false => typed.read("price", |text| match text.parse::<Credits>() {
            Ok(price) if price >= Credits::ZERO => Ok(Some(price)),
            Ok(_) => Err("A price is not below zero.".to_owned()),
            Err(error) => Err(sentence(&error)),
        }),
    };
    let from = typed.read_if_given("from", |text| later_day(text, format));
    let comment = typed.read("comment", |text| match text.chars().count() {
        count if count > NAME_MAX => Err(format!("This is {count} characters long; the most is {NAME_MAX}.")),
        _ => Ok(text.to_owned()),
    });
    Some(NewRow {
        destination: Destination { product: Product::Sms, country: country?, network: network? },
        price: price?,
        effective_from: from?,
        comment: comment?,
    })
}

/// The beginning of a day that has not begun.
pub(crate) fn later_day(text: &str, format: &Format) -> Result<Moment, &'static str> {
    let date: Option<Date> = text.parse().ok();
    match date.and_then(|date| start_of_day(number_of(date), &format.time_zone)) {
        Some(at) if at > format.now => Ok(at),
        Some(_) => Err("This day has begun already. Choose a later one, or none for now."),
        None => Err("This is not a date. Write it as 2026-12-31, or leave it empty."),
    }
}

/// `POST .../prices/lists/{list}/rename`.
pub async fn rename(State(console): State<Console>, desk: Desk, mut typed: Typed) -> Result<Response, Stop> {
    let list = desk.list()?;
    if let Some(name) = typed.words("name", "what the list is called", NAME_MAX) {
        match prices::rename(&console.gateway, desk.owner, list, &name, &desk.actor).await {
            Ok(()) => return Ok(flash::done(&desk.href_of(list), "The price list has its new name.")),
            Err(ListError::Storage(error)) => return Err(error.into()),
            Err(ListError::NotFound) => return Err(Stop::NotThere),
            Err(error) => typed.wrong("name", sentence(&error)),
        }
    }
    page::draw_again(&drawn(&console, &desk, &Typed::default(), &typed, false).await?)
}

/// `POST .../prices/lists/{list}/remove`: puts away a list that nobody has.
pub async fn remove(State(console): State<Console>, desk: Desk) -> Result<Response, Stop> {
    let list = desk.list()?;
    match prices::remove(&console.gateway, desk.owner, list, &desk.actor).await {
        Ok(list) => Ok(flash::done(&desk.root, &format!("The price list “{}” is removed.", list.name))),
        Err(ListError::Storage(error)) => Err(error.into()),
        Err(ListError::NotFound) => Err(Stop::NotThere),
        Err(error) => Ok(flash::failed(&desk.href_of(list), &sentence(&error))),
    }
}

/// `GET .../prices/lists/{list}/prices.csv`: what it asks now and will ask, to be taken in again.
pub async fn export(State(console): State<Console>, desk: Desk) -> Result<Response, Stop> {
    let found = prices::current(&console.gateway, desk.owner, desk.list()?).await?;
    let (list, text) = found.ok_or(Stop::NotThere)?;
    Ok(file(text, &format!("price-list-{}", list.id.0), &desk.shell.format))
}

/// A file of this day.
pub(super) fn file(text: String, name: &str, format: &Format) -> Response {
    let day = day_of(format.now, &format.time_zone);
    let name = format!("attachment; filename=\"{name}-{day}.csv\"");
    ([(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)], text)
        .into_response()
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let mut typed = Typed::of([("name", "<agency>"), ("price", "<b>"), ("comment", "<b>Köln</b>")]);
    typed.wrong("price", "'<b>' is not an amount");
    typed.wrong("below_cost", "<i>");
    let format = Shell::sample("").format;
    let priced = |words: &str| Priced {
        words: words.into(),
        price: "€0.075".into(),
        since: Some(format.date(format.now)),
        coming: vec![("€0.08".into(), format.time(format.now))],
        change: "/a/1/prices/lists/2?country=DE#change".into(),
    };
    One {
        name: "<agency>".into(),
        own: "/a/1/prices/lists/2".into(),
        users: vec![("<b>Köln</b>".into(), "/a/1/subaccounts/2/prices".into())],
        users_words: "These pay by it:".into(),
        search: typed.field("q", "Country"),
        rows: vec![Row {
            country: "Germany".into(),
            price: priced(""),
            networks: vec![priced("Telekom 26201")],
            networks_words: "1 network".into(),
        }],
        more: "The first 300 of 900.".into(),
        empty: None,
        summary: typed.summary(),
        is_open: true,
        fields: vec![typed.field("price", "Price"), typed.field("comment", "Comment")],
        ends: typed.tick("ends", "Ends"),
        below_cost: Some(typed.tick("below_cost", "Sell below cost")),
        rename: Some(typed.field("name", "Name")),
        is_renaming: false,
        removable: true,
        shell: Shell::sample("<agency>"),
    }
}
