//! `/v1/prices`: what a segment costs the account that is acted in, and those below it.

use axum::Json;
use domain::account::Account;
use domain::credits::Credits;
use domain::moment::Moment;
use domain::phone_number::Country;
use gateway::prices::{self, Line, Wanted};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::problem::Problem;
use super::values::{Amount, Asking, Named, Time};

/// What an account pays now.
#[derive(Serialize, ToSchema)]
pub struct Prices {
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
    /// What is priced: `segment`, one part of a text message.
    #[schema(example = "segment")]
    unit: &'static str,
    /// The countries that can be reached, in the order of their codes.
    countries: Vec<CountryPrice>,
}

/// What a country costs.
#[derive(Serialize, ToSchema)]
pub struct CountryPrice {
    /// Its two letters (ISO 3166-1).
    #[schema(example = "DE")]
    country: String,
    /// Its name in English.
    #[schema(example = "Germany")]
    name: &'static str,
    /// The price of a segment; null where only the networks below have one.
    price: Option<Amount>,
    /// What it will be, as far as that is known.
    coming: Vec<ComingPrice>,
    /// The networks that cost something else.
    networks: Vec<NetworkPrice>,
}

/// What a network costs.
#[derive(Serialize, ToSchema)]
pub struct NetworkPrice {
    /// Its mobile country and network code (ITU E.212).
    #[schema(example = "26203")]
    network: String,
    /// Its name; empty where it is not known.
    #[schema(example = "O2")]
    name: &'static str,
    /// The price of a segment.
    price: Amount,
    /// What it will be, as far as that is known.
    coming: Vec<ComingPrice>,
}

/// A price that will count.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ComingPrice {
    /// From when on.
    effective_from: Time,
    /// The price of a segment then.
    price: Amount,
}

fn coming(prices: &[(Moment, Credits)]) -> Vec<ComingPrice> {
    let coming =
        |(at, price): &(Moment, Credits)| ComingPrice { effective_from: Time(*at), price: Amount(*price) };
    prices.iter().map(coming).collect()
}

/// Which prices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only this country: its two letters (ISO 3166-1).
    #[param(pattern = "^[A-Z]{2}$", example = "DE")]
    country: Option<String>,
}

/// Read prices
///
/// What a segment costs the account that is acted in, by country and network, now and as far as it is
/// known to change.
#[utoipa::path(
    get,
    path = "/v1/prices",
    operation_id = "readPrices",
    tag = "Prices",
    params(Which),
    responses((status = 200, description = "The prices.", body = Prices))
)]
pub async fn read(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Prices>, Problem> {
    prices(&asked, &asked.account, which).await.map(Json)
}

/// Read prices of an account
///
/// What a segment costs the account that is acted in, or one below it. What an account pays above its
/// parent's price is its parent's margin.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/prices",
    operation_id = "readAccountPrices",
    tag = "Prices",
    params(("account" = i64, Path, description = "The account that is acted in, or one below it.", minimum = 1), Which),
    responses((status = 200, description = "The prices.", body = Prices))
)]
pub async fn read_below(
    asked: Asked,
    Named(id): Named<i64>,
    Asking(which): Asking<Which>,
) -> Result<Json<Prices>, Problem> {
    let account = asked.target(id).await?;
    prices(&asked, &account, which).await.map(Json)
}

async fn prices(asked: &Asked, account: &Account, which: Which) -> Result<Prices, Problem> {
    let country = which.country.map(|letters| {
        let reason = || format!("'{letters}' is no country; write its two letters, such as DE");
        Country::parse(&letters).ok_or_else(|| Problem::field("country", reason()))
    });
    let wanted = Wanted { country: country.transpose()?, every_country: true, ..Wanted::default() };
    let paid = prices::paid(asked.gateway(), &asked.account, account, &wanted).await?;
    let mut countries: Vec<CountryPrice> = Vec::new();
    for line in &paid.lines {
        // The rest of the world is every country that has no price of its own.
        let Some(country) = line.country else { continue };
        // The whole country comes before its networks.
        if countries.last().is_none_or(|last| last.country != country.as_str()) {
            countries.push(CountryPrice {
                country: country.as_str().to_owned(),
                name: country.name(),
                price: None,
                coming: Vec::new(),
                networks: Vec::new(),
            });
        }
        if let Some(of) = countries.last_mut() {
            of.add(line);
        }
    }
    countries.sort_by(|a, b| a.country.cmp(&b.country));
    Ok(Prices { currency: asked.currency(), unit: "segment", countries })
}

impl CountryPrice {
    fn add(&mut self, line: &Line) {
        let (price, coming) = (Amount(line.price), coming(&line.coming));
        if line.network.is_empty() {
            (self.price, self.coming) = (Some(price), coming);
        } else if self.price != Some(price) || self.coming != coming {
            let (network, name) = (line.network.clone(), line.network_name());
            self.networks.push(NetworkPrice { network, name, price, coming });
        }
    }
}
