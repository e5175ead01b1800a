//! `/api/pricing`.

use domain::actor::Actor;
use domain::credits::Credits;
use gateway::prices;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn prices_come_by_country_and_network() {
    let house = House::new().await;
    let all = house.ask("GET", "/api/pricing").json().await;
    // Only countries that have a price; the counts are those of the lists.
    let countries = all["countries"].as_array().unwrap();
    let codes: Vec<&str> = countries.iter().map(|c| c["countryCode"].as_str().unwrap()).collect();
    assert_eq!(codes, ["AT", "DE", "FR"]);
    assert_eq!(all["countCountries"], 3);
    let networks: usize = countries.iter().map(|c| c["networks"].as_array().unwrap().len()).sum();
    assert_eq!(all["countNetworks"], networks);

    for country in ["DE", "de", "De"] {
        let one = house.ask("GET", format!("/api/pricing?country={country}&format=json")).json().await;
        assert_eq!(one["countCountries"], 1, "{country}");
        let germany = &one["countries"][0];
        assert_eq!(germany["countryName"], "Germany");
        assert_eq!(germany["countryPrefix"], "49");
        let networks = germany["networks"].as_array().unwrap();
        assert_eq!(one["countNetworks"], networks.len());
        // The country as a whole comes first: "" and [] where the wire could have null.
        assert_eq!(networks[0]["networkName"], "");
        assert_eq!(networks[0]["mncs"], serde_json::json!([]));
        assert_eq!(networks[0]["comment"], "");
        assert_eq!(networks[0]["price"], 0.075);
        let of = |mnc: &str| {
            let has = |n: &&serde_json::Value| n["mncs"].as_array().unwrap().iter().any(|m| m == mnc);
            networks.iter().find(has).unwrap()
        };
        assert_eq!(of("03")["price"], 0.07);
        assert_eq!(of("01")["price"], 0.075);
        assert_eq!(of("01")["mcc"], "262");
        assert!(networks.iter().all(|n| n["features"].is_array() && n["price"].is_f64()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_country_that_is_none_or_has_no_price_gives_an_empty_list() {
    let house = House::new().await;
    for country in ["XX", "DEU", "ES", "%00"] {
        let answer = house.ask("GET", format!("/api/pricing?country={country}")).send().await;
        match country {
            "%00" => assert_eq!(answer.status, 400),
            _ => assert_eq!(answer.body, r#"{"countCountries":0,"countNetworks":0,"countries":[]}"#),
        }
    }
    // Absent markers are all countries.
    for country in ["", "undefined"] {
        let all = house.ask("GET", format!("/api/pricing?country={country}")).json().await;
        assert_eq!(all["countCountries"], 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_the_recorded_order_of_cells() {
    let house = House::new().await;
    let answer = house.ask("GET", "/api/pricing?country=at&format=csv").send().await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let mut lines = answer.body.split('\n');
    let header = r#""countryCode";"countryName";"countryPrefix";"mcc";"mnc";"networkName";"price";"features";"comment""#;
    assert_eq!(lines.next(), Some(header));
    assert_eq!(lines.next(), Some(r#""AT";"Austria";"43";"232";"";"";"";"";"0.09""#));
    assert!(lines.clone().count() > 2);
    assert!(lines.all(|line| line.starts_with("\"AT\";") && line.ends_with(";\"0.09\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_sees_the_price_it_pays_itself() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    prices::import(
        &house.gateway,
        "country,price\nDE,0.1\n".as_bytes(),
        "dear",
        false,
        &Actor::command_line(),
    )
    .await
    .unwrap();
    prices::assign(&house.gateway, child.id, Some("dear"), false, &Actor::command_line()).await.unwrap();
    let key = house.key(child.id, |_| {}).await;
    let seen = house
        .ask("GET", "/api/pricing?country=DE")
        .without("X-Api-Key")
        .header("X-Api-Key", &key)
        .json()
        .await;
    assert_eq!(seen["countries"][0]["networks"][0]["price"], 0.1);
    assert!(!seen.to_string().contains("0.075"), "a child never sees its parent's price");
    assert_eq!(house.balance(child.id).await, Credits::ZERO);
}
