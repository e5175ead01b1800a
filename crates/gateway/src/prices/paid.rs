//! What an account pays, now and as far as it is known to change: read by the account itself, or by
//! those above it, who see what they pay themselves beside it. What anybody further up pays is not told.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::account::Account;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::moment::Moment;
use domain::phone_number::{Country, networks_of};
use domain::price::{Destination, PriceList};
use domain::product::Product;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use storage::Result;
use storage::prices::{self, List};

use crate::base::{Base, Prices};
use crate::sheet::{Cell, Column, Kind, Sheet};

/// Which prices are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only countries whose name holds this or whose two letters it is, and networks whose number begins
    /// so. Empty is all.
    pub search: String,
    /// Only this country.
    pub country: Option<Country>,
    /// Also every country that has no price of its own in the list: it pays that of the rest of the world.
    pub every_country: bool,
}

/// Whose list counts, as far as the one who asks may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is not theirs to know: they ask about themselves.
    Untold,
    /// The account has this list of its own.
    Own(List),
    /// It has that of an account between it and the one who asks.
    Of(AccountId),
    /// It pays what the one who asks pays.
    SameAsAsker,
}

/// What a destination costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The country; nothing is the rest of the world.
    pub country: Option<Country>,
    /// The network as MCC and MNC; empty is the whole country.
    pub network: String,
    /// What the account pays for a segment.
    pub price: Credits,
    /// What the one who asks pays for it, where that is another account.
    pub cost: Option<Credits>,
    /// What the account will pay, and from when on.
    pub coming: Vec<(Moment, Credits)>,
}

impl Line {
    /// What the country is called.
    pub fn country_name(&self) -> &'static str {
        self.country.map_or("Rest of the world", Country::name)
    }

    /// What the network is called; empty where it is the whole country, or not known.
    pub fn network_name(&self) -> &'static str {
        let known = self.country.filter(|_| !self.network.is_empty()).map(networks_of);
        let known = known.into_iter().flatten().find(|network| network.mccmnc() == self.network);
        known.map_or("", |network| network.name)
    }
}

/// What an account pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Whose list counts.
    pub source: Source,
    /// The prices: by the name of the country, the rest of the world last, the whole country before its
    /// networks.
    pub lines: Vec<Line>,
}

/// What an account pays, as `asker` may know it: the account itself, or one above it.
///
/// # Errors
/// Those of the books.
pub async fn paid(base: &Base, asker: &Account, account: &Account, wanted: &Wanted) -> Result<Paid> {
    let (lists, path) = (base.prices().await?, base.path(account).await?);
    let source = source(base, asker, account).await?;
    let above = (asker.id != account.id).then_some(asker.id);
    let list = counting(&lists, &path);
    let cost = path.iter().position(|one| Some(one.id) == above).map(|at| counting(&lists, &path[..=at]));
    let now = base.clock.now();
    let changes = list.changes_after(now);
    let line = |(country, network): (Option<Country>, String)| {
        let levels = |at| Base::levels(&lists, &path, Product::Sms, country, &network, at);
        let found = levels(now)?;
        let price = found.last()?.1.amount;
        let cost = found.iter().find(|(id, _)| Some(*id) == above).map(|(_, price)| price.amount);
        let (mut last, mut coming) = (price, Vec::new());
        for at in &changes {
            let Some(amount) = levels(*at).and_then(|found| Some(found.last()?.1.amount)) else { continue };
            if amount != last {
                coming.push((*at, amount));
            }
            last = amount;
        }
        Some(Line { country, network, price, cost, coming })
    };
    let wanted = destinations([Some(list), cost].into_iter().flatten(), wanted);
    let mut lines: Vec<Line> = wanted.into_iter().filter_map(line).collect();
    lines.sort_by_cached_key(|line| (line.country.is_none(), line.country_name(), line.network.clone()));
    Ok(Paid { source, lines })
}

/// Whose list counts for an account, as `asker` may know it: the account itself, or one above it.
///
/// # Errors
/// Those of the books.
pub async fn source(base: &Base, asker: &Account, account: &Account) -> Result<Source> {
    if asker.id == account.id {
        return Ok(Source::Untold);
    }
    let path = base.path(account).await?;
    Ok(match path.iter().rev().find_map(|account| Some((account.id, account.price_list?))) {
        Some((owner, list)) if owner == account.id => {
            let list = prices::by_id(&mut *base.db.read().await?, list).await?;
            list.map_or(Source::Untold, Source::Own)
        }
        Some((owner, _)) if !asker.path.contains(&owner) => Source::Of(owner),
        _ => Source::SameAsAsker,
    })
}

/// The list that counts for the last account of a path.
fn counting<'a>(lists: &'a Prices, path: &[Arc<Account>]) -> &'a PriceList {
    let own = path.iter().rev().find_map(|account| account.price_list);
    own.and_then(|own| lists.lists.get(&own)).unwrap_or(&lists.standard)
}

/// Countries and networks that have a price of their own in some list, and fit; and countries that were
/// looked for and pay that of the rest of the world.
fn destinations<'a>(
    lists: impl Iterator<Item = &'a PriceList>,
    wanted: &Wanted,
) -> BTreeSet<(Option<Country>, String)> {
    let search = wanted.search.trim().to_lowercase();
    let fits = |country: Option<Country>| {
        let name = country.map_or("rest of the world".to_owned(), |country| country.name().to_lowercase());
        (wanted.country.is_none() || wanted.country == country)
            && (name.contains(&search)
                || country.is_some_and(|country| country.as_str().eq_ignore_ascii_case(&search)))
    };
    let named = lists.flat_map(PriceList::destinations).filter(|to| to.product == Product::Sms);
    let mut found: BTreeSet<(Option<Country>, String)> = named
        .filter(|to: &&Destination| {
            let is_network = !search.is_empty() && to.network.starts_with(&search);
            fits(to.country) || (is_network && wanted.country.is_none())
        })
        .map(|to| (to.country, to.network.clone()))
        .collect();
    if wanted.every_country || !search.is_empty() {
        found.extend(Country::all().filter(|country| fits(Some(*country))).map(|c| (Some(c), String::new())));
    }
    found
}

impl Paid {
    /// The prices as a table: a row for each price and each that is known to come. What the one who asks
    /// pays is in it where `has_cost`. Times are written in `zone`.
    pub fn sheet(&self, zone: &TimeZone, has_cost: bool) -> Sheet {
        let mut columns = vec![
            Column::new("country", Kind::Text),
            Column::new("country_name", Kind::Text),
            Column::new("network", Kind::Text),
            Column::new("network_name", Kind::Text),
            Column::new("effective_from", Kind::Text),
            Column::new("price", Kind::Money),
        ];
        if has_cost {
            columns.push(Column::new("cost", Kind::Money));
        }
        let time = |at: Moment| {
            let at = Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
            at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        };
        let mut rows = Vec::new();
        for line in &self.lines {
            let now = (String::new(), line.price, line.cost);
            let later = line.coming.iter().map(|(at, price)| (time(*at), *price, None));
            for (from, price, cost) in std::iter::once(now).chain(later) {
                let mut row = vec![
                    Cell::Text(line.country.as_ref().map_or("*", Country::as_str).to_owned()),
                    Cell::Text(line.country_name().to_owned()),
                    Cell::Text(line.network.clone()),
                    Cell::Text(line.network_name().to_owned()),
                    Cell::Text(from),
                    Cell::Money(price),
                ];
                if has_cost {
                    row.push(cost.map_or(Cell::Empty, Cell::Money));
                }
                rows.push(row);
            }
        }
        Sheet { columns, rows }
    }
}
