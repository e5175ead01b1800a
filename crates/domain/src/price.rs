//! PriceList, what an account pays a segment: rows by product and destination with versions, which
//! list counts for whom, and whether one list sells below another.

use std::collections::{BTreeSet, HashMap};

use crate::credits::Credits;
use crate::id::{AccountId, PriceRowId};
use crate::moment::Moment;
use crate::phone_number::Country;
use crate::product::Product;

/// What a price is for: a product to a country, or to one network of it. No country is the rest of
/// the world.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// What is sold.
    pub product: Product,
    /// Where to; `None` is every country without a row of its own.
    pub country: Option<Country>,
    /// Which network of the country, as MCC and MNC (`26201`); empty is the whole country.
    pub network: String,
}

/// One version of one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceRow {
    /// Its number in the books.
    pub id: PriceRowId,
    /// What for.
    pub destination: Destination,
    /// What a unit (an SMS segment) costs. Nothing ends the price of this very destination: from then
    /// on the country's counts, or that of the rest of the world.
    pub price: Option<Credits>,
    /// From when it counts, until the next version does.
    pub effective_from: Moment,
}

/// The price that was found for something: how much, and by which row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// The row.
    pub row: PriceRowId,
    /// What a unit costs.
    pub amount: Credits,
}

/// A price list: all versions of all its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    versions: HashMap<Destination, Vec<(Moment, PriceRowId, Option<Credits>)>>,
}

impl PriceList {
    /// The list of these rows.
    pub fn of(rows: impl IntoIterator<Item = PriceRow>) -> PriceList {
        let mut list = PriceList::default();
        for row in rows {
            let versions = list.versions.entry(row.destination).or_default();
            versions.push((row.effective_from, row.id, row.price));
        }
        for of_one in list.versions.values_mut() {
            of_one.sort_by_key(|(from, row, _)| (*from, *row));
        }
        list
    }

    /// Whether the list has no row.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// The price of a destination at a time: the network's, else the country's, else the rest of
    /// the world's.
    pub fn price(
        &self,
        product: Product,
        country: Option<Country>,
        network: &str,
        at: Moment,
    ) -> Option<Price> {
        let exact = |country, network: &str| {
            self.at(&Destination { product, country, network: network.to_owned() }, at)
        };
        (!network.is_empty())
            .then(|| exact(country, network))
            .flatten()
            .or_else(|| exact(country, ""))
            .or_else(|| country.is_some().then(|| exact(None, "")).flatten())
    }

    fn at(&self, destination: &Destination, at: Moment) -> Option<Price> {
        let versions = self.versions.get(destination)?;
        let (_, row, amount) = versions.iter().rev().find(|(from, ..)| *from <= at)?;
        amount.map(|amount| Price { row: *row, amount })
    }

    /// What the list itself says of just this destination at a time, whatever counts for wider ones.
    pub fn own(&self, destination: &Destination, at: Moment) -> Option<Credits> {
        self.at(destination, at).map(|price| price.amount)
    }

    /// The versions of a destination that begin after `now`: from when, and what it costs then; nothing
    /// where its own price ends.
    pub fn coming(&self, destination: &Destination, now: Moment) -> Vec<(Moment, Option<Credits>)> {
        let versions = self.versions.get(destination).into_iter().flatten();
        versions.filter(|(from, ..)| *from > now).map(|(from, _, amount)| (*from, *amount)).collect()
    }

    /// Every destination that has a row, in order.
    pub fn destinations(&self) -> BTreeSet<&Destination> {
        self.versions.keys().collect()
    }

    /// Whether a destination has a price of its own that counts from just this moment on.
    pub fn has_version(&self, destination: &Destination, from: Moment) -> bool {
        self.versions.get(destination).is_some_and(|all| all.iter().any(|(at, ..)| *at == from))
    }

    /// The moments after `now` at which some price changes.
    pub fn changes_after(&self, now: Moment) -> BTreeSet<Moment> {
        self.versions.values().flatten().map(|(from, ..)| *from).filter(|from| *from > now).collect()
    }
}

/// A destination a list would sell for less than it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BelowCost {
    /// Where.
    pub destination: Destination,
    /// From when.
    pub from: Moment,
    /// What the list asks.
    pub price: Credits,
    /// What the account above pays.
    pub cost: Credits,
}

/// The first destination, now or at any known later time, that `list` sells for less than `cost`
/// does. Destinations that only one of them names are compared by the row that counts in the other.
pub fn below_cost(list: &PriceList, cost: &PriceList, now: Moment) -> Option<BelowCost> {
    let mut times = list.changes_after(now);
    times.extend(cost.changes_after(now));
    times.insert(now);
    let destinations: BTreeSet<&Destination> =
        list.destinations().into_iter().chain(cost.destinations()).collect();
    times.into_iter().find_map(|at| {
        destinations.iter().find_map(|d| {
            let price = list.price(d.product, d.country, &d.network, at)?.amount;
            let cost = cost.price(d.product, d.country, &d.network, at)?.amount;
            (price < cost).then(|| BelowCost { destination: (*d).clone(), from: at, price, cost })
        })
    })
}

/// What a unit costs each account on a path, the main account first.
pub type Levels = Vec<(AccountId, Price)>;

/// The prices along a path. `lists` gives the list each account of the path has of its own, root
/// first; where there is none the one above counts, and for the root the `standard` list.
/// Nothing when some list on the way has no price for the destination.
pub fn levels(
    path: &[(AccountId, Option<&PriceList>)],
    standard: &PriceList,
    product: Product,
    country: Option<Country>,
    network: &str,
    at: Moment,
) -> Option<Levels> {
    let mut found: Option<Price> = None;
    let mut levels = Levels::with_capacity(path.len());
    for (account, own) in path {
        let price = match (own, found) {
            (Some(list), _) => list.price(product, country, network, at)?,
            (None, Some(above)) => above,
            (None, None) => standard.price(product, country, network, at)?,
        };
        found = Some(price);
        levels.push((*account, price));
    }
    Some(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, country: Option<&str>, network: &str, price: i64, from: i64) -> PriceRow {
        let country = country.map(|c| Country::parse(c).unwrap());
        PriceRow {
            id: PriceRowId(id),
            destination: Destination { product: Product::Sms, country, network: network.into() },
            price: (price >= 0).then_some(Credits(price)),
            effective_from: Moment(from),
        }
    }

    #[test]
    fn the_nearest_row_in_force_counts() {
        let list = PriceList::of([
            row(1, Some("DE"), "", 75, 0),
            row(2, Some("DE"), "", 80, 100),
            row(3, Some("DE"), "26201", 70, 0),
            row(4, None, "", 200, 0),
        ]);
        let de = Country::parse("DE");
        let price = |country, network, at| {
            list.price(Product::Sms, country, network, Moment(at)).map(|p| (p.row.0, p.amount.0))
        };
        assert_eq!(price(de, "26202", 99), Some((1, 75)));
        assert_eq!(price(de, "26202", 100), Some((2, 80)));
        assert_eq!(price(de, "26201", 500), Some((3, 70)));
        assert_eq!(price(Country::parse("FR"), "", 5), Some((4, 200)));
        assert_eq!(price(None, "", 5), Some((4, 200)));
        assert_eq!(list.price(Product::Voice, de, "", Moment(5)), None);
    }

    #[test]
    fn where_the_price_of_a_network_ends_that_of_its_country_counts() {
        // Below nothing ends the price.
        let list = PriceList::of([
            row(1, Some("DE"), "", 75, 0),
            row(2, Some("DE"), "26201", 70, 0),
            row(3, Some("DE"), "26201", -1, 100),
            row(4, Some("DE"), "26201", 72, 200),
        ]);
        let de = Country::parse("DE");
        let price = |at| list.price(Product::Sms, de, "26201", Moment(at)).map(|p| p.amount.0);
        assert_eq!([99, 100, 199, 200].map(price), [Some(70), Some(75), Some(75), Some(72)]);
        let network = Destination { product: Product::Sms, country: de, network: "26201".into() };
        assert_eq!(list.own(&network, Moment(99)), Some(Credits(70)));
        assert_eq!(list.own(&network, Moment(100)), None);
        let coming = list.coming(&network, Moment(50));
        assert_eq!(coming, [(Moment(100), None), (Moment(200), Some(Credits(72)))]);
    }

    #[test]
    fn a_list_that_sells_below_cost_is_found_also_where_it_has_no_row_of_its_own() {
        let cost = PriceList::of([row(1, Some("DE"), "", 75, 0), row(2, Some("DE"), "26203", 90, 0)]);
        let list = PriceList::of([row(3, Some("DE"), "", 80, 0)]);
        let found = below_cost(&list, &cost, Moment(1)).unwrap();
        assert_eq!(
            (found.destination.network.as_str(), found.price, found.cost),
            ("26203", Credits(80), Credits(90))
        );
        let later = PriceList::of([row(3, Some("DE"), "", 95, 0), row(4, Some("DE"), "", 60, 50)]);
        assert_eq!(below_cost(&later, &cost, Moment(1)).unwrap().from, Moment(50));
        assert_eq!(below_cost(&PriceList::of([row(3, Some("DE"), "", 90, 0)]), &cost, Moment(1)), None);
    }

    #[test]
    fn an_account_without_a_list_pays_what_the_one_above_pays() {
        let standard = PriceList::of([row(1, Some("DE"), "", 75, 0)]);
        let own = PriceList::of([row(2, Some("DE"), "", 90, 0)]);
        let path = [(AccountId(1), None), (AccountId(2), Some(&own)), (AccountId(3), None)];
        let de = Country::parse("DE");
        let found = levels(&path, &standard, Product::Sms, de, "", Moment(1)).unwrap();
        assert_eq!(found.iter().map(|(_, p)| p.amount.0).collect::<Vec<_>>(), [75, 90, 90]);
        assert_eq!(levels(&path, &standard, Product::Sms, Country::parse("FR"), "", Moment(1)), None);
    }
}
