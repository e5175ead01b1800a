//! Route, which carrier takes the messages to which countries. [`choose`] picks one.

use crate::phone_number::Country;

/// A way to a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The carrier's name.
    pub carrier: String,
    /// The countries it serves; none named is all.
    pub countries: Vec<Country>,
    /// Lower is tried first.
    pub priority: i64,
}

impl Route {
    /// Whether the route leads to the country. Numbers of no country (satellite, shared codes) go
    /// only by routes that serve all.
    pub fn leads_to(&self, country: Option<Country>) -> bool {
        self.countries.is_empty() || country.is_some_and(|c| self.countries.contains(&c))
    }
}

/// The routes that lead to a country, the one to try first at the front: by priority, a route that
/// names the country before one that serves all, and then in the order they were given.
pub fn ways(routes: &[Route], country: Option<Country>) -> Vec<&Route> {
    let mut ways: Vec<&Route> = routes.iter().filter(|r| r.leads_to(country)).collect();
    ways.sort_by_key(|r| (r.priority, r.countries.is_empty()));
    ways
}

/// The first way to a country whose carrier is up; when none is up, the first way.
pub fn choose(routes: &[Route], country: Option<Country>, up: impl Fn(&str) -> bool) -> Option<&Route> {
    let ways = ways(routes, country);
    ways.iter().copied().find(|r| up(&r.carrier)).or_else(|| ways.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(carrier: &str, countries: &[&str], priority: i64) -> Route {
        let countries = countries.iter().map(|c| Country::parse(c).unwrap()).collect();
        Route { carrier: carrier.into(), countries, priority }
    }

    #[test]
    fn the_next_route_takes_over_when_a_carrier_is_down() {
        let routes = [route("all", &[], 2), route("de", &["DE"], 1), route("de2", &["DE"], 2)];
        let de = Country::parse("DE");
        let pick = |country, down: &[&str]| {
            choose(&routes, country, |c| !down.contains(&c)).map(|r| r.carrier.as_str())
        };
        assert_eq!(pick(de, &[]), Some("de"));
        assert_eq!(pick(de, &["de"]), Some("de2"));
        assert_eq!(pick(de, &["de", "de2"]), Some("all"));
        assert_eq!(pick(de, &["de", "de2", "all"]), Some("de"));
        assert_eq!(pick(Country::parse("FR"), &[]), Some("all"));
        assert_eq!(choose(&routes[1..], Country::parse("FR"), |_| true), None);
    }
}
