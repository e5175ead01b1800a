//! `/api/pricing`: what a segment costs the account, by country and network.

use axum::extract::State;
use axum::response::Response;
use domain::credits::Credits;
use domain::key::Scope;
use domain::phone_number::{Country, Network, networks_of};
use domain::product::Product;
use gateway::Base;
use serde::Serialize;

use crate::Api;
use crate::amount::Amount;
use crate::call::{Asked, Call, Reply};
use crate::error::ApiError;

/// The answer as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pricing {
    count_countries: usize,
    count_networks: usize,
    countries: Vec<CountryPrices>,
}

/// The prices of a country: that of the whole first, then its networks'.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountryPrices {
    country_code: String,
    country_name: &'static str,
    country_prefix: String,
    networks: Vec<NetworkPrice>,
}

/// The price of a network. The country as a whole is one without codes and name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NetworkPrice {
    mcc: String,
    mncs: Vec<&'static str>,
    network_name: &'static str,
    price: Amount,
    features: [&'static str; 0],
    comment: &'static str,
}

/// `GET /api/pricing`: the prices the account pays, as JSON or CSV.
pub async fn read(State(api): State<Api>, call: Call) -> Response {
    match call.open(&api, "pricing", Scope::Pricing).await {
        Ok(asked) => asked.answer(pricing(&asked).await),
        Err(refused) => *refused,
    }
}

async fn pricing(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let gateway = &asked.api.gateway;
    let prices = gateway.prices().await?;
    let path = gateway.path(&asked.caller.account).await?;
    let now = gateway.clock.now();
    let price = |country, network: &str| {
        let levels = Base::levels(&prices, &path, Product::Sms, Some(country), network, now)?;
        levels.last().map(|(_, price)| price.amount)
    };
    let wanted: Vec<Country> = match asked.parameters.text("country") {
        None => Country::all().collect(),
        Some(letters) => Country::parse(letters).into_iter().collect(),
    };
    let countries: Vec<CountryPrices> = wanted
        .into_iter()
        .filter_map(|country| prices_of(country, |network| price(country, network)))
        .collect();
    if asked.parameters.text("format").is_some_and(|format| format.eq_ignore_ascii_case("csv")) {
        return Ok(Reply::text(csv(&countries)));
    }
    Ok(Reply::json(&Pricing {
        count_countries: countries.len(),
        count_networks: countries.iter().map(|c| c.networks.len()).sum(),
        countries,
    }))
}

/// A country's prices; nothing when it has none at all.
fn prices_of(country: Country, price: impl Fn(&str) -> Option<Credits>) -> Option<CountryPrices> {
    let row = |mcc: String, network_name, amount| NetworkPrice {
        mcc,
        mncs: Vec::new(),
        network_name,
        price: Amount(amount),
        features: [],
        comment: "",
    };
    let networks = networks_of(country);
    let mut rows: Vec<NetworkPrice> =
        price("").map(|amount| row(codes_of(&networks), "", amount)).into_iter().collect();
    for network in networks {
        let Some(amount) = price(&network.mccmnc()) else { continue };
        let mcc = format!("{:03}", network.mcc);
        // The codes of one network are one row, as long as they cost the same.
        let same = |r: &&mut NetworkPrice| {
            r.mcc == mcc && r.network_name == network.name && r.price == Amount(amount)
        };
        match rows.iter_mut().skip(1).find(same) {
            Some(known) => known.mncs.push(network.mnc),
            None => {
                let mut new = row(mcc, network.name, amount);
                new.mncs.push(network.mnc);
                rows.push(new);
            }
        }
    }
    (!rows.is_empty()).then(|| CountryPrices {
        country_code: country.as_str().to_owned(),
        country_name: country.name(),
        country_prefix: country.calling_code().to_string(),
        networks: rows,
    })
}

/// The mobile country codes of a country's networks.
fn codes_of(networks: &[Network]) -> String {
    let mut codes: Vec<String> = networks.iter().map(|n| format!("{:03}", n.mcc)).collect();
    codes.dedup();
    codes.join(",")
}

/// The CSV form. Its rows do not follow its header: after the name of the network come features,
/// comment and then the price. That is how the wire has it, and clients rely on it.
fn csv(countries: &[CountryPrices]) -> String {
    let header = [
        "countryCode",
        "countryName",
        "countryPrefix",
        "mcc",
        "mnc",
        "networkName",
        "price",
        "features",
        "comment",
    ];
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    let mut write = |cells: &[&str]| writer.write_record(cells).expect("every row has nine cells");
    write(&header);
    for country in countries {
        for network in &country.networks {
            write(&[
                &country.country_code,
                country.country_name,
                &country.country_prefix,
                &network.mcc,
                &network.mncs.join(", "),
                network.network_name,
                &network.features.join(", "),
                network.comment,
                &network.price.0.to_string(),
            ]);
        }
    }
    let octets = writer.into_inner().expect("memory takes all that is written to it");
    String::from_utf8(octets).expect("the cells were texts").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_its_own_row_and_one_for_each_network() {
        let austria = Country::parse("AT").unwrap();
        let price = |network: &str| Some(Credits(if network == "23201" { 90_000 } else { 80_000 }));
        let prices = prices_of(austria, price).unwrap();
        let [whole, networks @ ..] = &prices.networks[..] else { panic!("a row of its own") };
        assert_eq!(
            (whole.mcc.as_str(), whole.network_name, whole.price),
            ("232", "", Amount(Credits(80_000)))
        );
        let codes: usize = networks.iter().map(|n| n.mncs.len()).sum();
        assert_eq!(codes, networks_of(austria).len());
        let dearer: Vec<_> = networks.iter().filter(|n| n.price == Amount(Credits(90_000))).collect();
        assert!(matches!(dearer[..], [NetworkPrice { mncs, .. }] if *mncs == ["01"]));
        assert!(prices_of(austria, |_| None).is_none());
    }

    #[test]
    fn csv_rows_end_with_the_price() {
        let prices = prices_of(Country::parse("AT").unwrap(), |_| Some(Credits(80_000))).unwrap();
        let text = csv(&[prices]);
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some(
                r#""countryCode";"countryName";"countryPrefix";"mcc";"mnc";"networkName";"price";"features";"comment""#
            )
        );
        assert_eq!(lines.next(), Some(r#""AT";"Austria";"43";"232";"";"";"";"";"0.08""#));
        assert!(lines.all(|line| line.ends_with(r#"";"";"";"0.08""#) && line.matches("\";\"").count() == 8));
    }
}
