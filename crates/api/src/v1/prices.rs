//! `/v1/prices`: what a segment costs the account that is acted in, and those below it.

use axum::Json;
use domain::account::Account;
use domain::phone_number::{Country, networks_of};
use domain::product::Product;
use gateway::Base;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::problem::Problem;
use super::values::{Amount, Asking, Named};

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
    /// The networks that cost something else.
    networks: Vec<NetworkPrice>,
}

/// What a network costs.
#[derive(Serialize, ToSchema)]
pub struct NetworkPrice {
    /// Its mobile country and network code (ITU E.212).
    #[schema(example = "26203")]
    network: String,
    /// Its name.
    #[schema(example = "O2")]
    name: &'static str,
    /// The price of a segment.
    price: Amount,
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
/// What a segment costs the account that is acted in, by country and network, now.
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
    let wanted: Vec<Country> = match which.country {
        None => Country::all().collect(),
        Some(letters) => {
            let reason = || format!("'{letters}' is no country; write its two letters, such as DE");
            vec![Country::parse(&letters).ok_or_else(|| Problem::field("country", reason()))?]
        }
    };
    let gateway = asked.gateway();
    let prices = gateway.prices().await?;
    let path = gateway.path(account).await?;
    let now = gateway.clock.now();
    let price = |country, network: &str| {
        let levels = Base::levels(&prices, &path, Product::Sms, Some(country), network, now)?;
        levels.last().map(|(_, price)| Amount(price.amount))
    };
    let of_country = |country: Country| {
        let whole = price(country, "");
        let networks: Vec<NetworkPrice> = networks_of(country)
            .into_iter()
            .filter_map(|network| {
                let own = price(country, &network.mccmnc()).filter(|own| Some(*own) != whole)?;
                Some(NetworkPrice { network: network.mccmnc(), name: network.name, price: own })
            })
            .collect();
        (whole.is_some() || !networks.is_empty()).then(|| CountryPrice {
            country: country.as_str().to_owned(),
            name: country.name(),
            price: whole,
            networks,
        })
    };
    let mut countries: Vec<CountryPrice> = wanted.into_iter().filter_map(of_country).collect();
    countries.sort_by(|a, b| a.country.cmp(&b.country));
    Ok(Prices { currency: asked.currency(), unit: "segment", countries })
}
