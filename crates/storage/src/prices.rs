//! Price lists and their rows. A row that messages may have been charged by never changes: a new
//! price is a new row with a later `effective_from`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::credits::Credits;
use domain::id::{AccountId, PriceListId, PriceRowId};
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::{Destination, PriceRow};
use domain::product::Product;

use crate::counters;
use crate::db::{Bulk, Conn, Error, Kind, Result, Row, Tx, Value};

/// The name of the list that main accounts without one of their own use.
pub const STANDARD: &str = "standard";

/// How the rest of the world is written.
const EVERYWHERE: &str = "*";

/// A row this close to counting is taken as one that counts: other processes remember prices for a
/// while, and their clocks may be ahead.
const FIXED_BEFORE: Duration = Duration::from_secs(60);

/// A price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Its number.
    pub id: PriceListId,
    /// The account whose list it is, for those below it; nothing is the operator's.
    pub owner: Option<AccountId>,
    /// What its owner calls it.
    pub name: String,
}

impl List {
    /// Whether main accounts without a list of their own use it.
    pub fn is_standard(&self) -> bool {
        self.owner.is_none() && self.name == STANDARD
    }

    /// The name that no other list of the installation has: `agency`, or `1900002/agency` for one of an
    /// account.
    pub fn full_name(&self) -> String {
        full_name(self.owner, &self.name)
    }

    fn read(row: &mut Row, first: usize) -> Result<List> {
        let owner = row.opt_int(first + 1)?.map(AccountId);
        let full = row.take_text(first + 2);
        let name = match owner {
            None => full,
            Some(owner) => full.strip_prefix(&format!("{owner}/")).unwrap_or(&full).to_owned(),
        };
        Ok(List { id: PriceListId(row.int(first)?), owner, name })
    }
}

fn full_name(owner: Option<AccountId>, name: &str) -> String {
    owner.map_or_else(|| name.to_owned(), |owner| format!("{owner}/{name}"))
}

/// A row to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    /// What for.
    pub destination: Destination,
    /// What a unit costs.
    pub price: Credits,
    /// From when it counts; absent is at once, unless the same price counts already.
    pub effective_from: Option<Moment>,
    /// Why.
    pub comment: String,
}

/// What became of rows that were to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// New versions.
    pub added: usize,
    /// Versions that had not begun to count, and have another price now.
    pub replaced: usize,
    /// Those that had been there just so.
    pub unchanged: usize,
    /// Rows that were not stored, because the version they name counts, or soon will, with another
    /// price: the place of each among those given, and that price. When there is any, none of the
    /// rows may stay: the caller rolls back.
    pub fixed: Vec<(usize, Credits)>,
}

/// All lists with all their rows, for the prices of an installation.
pub async fn all(conn: &mut Conn) -> Result<Vec<(List, Vec<PriceRow>)>> {
    let mut all: BTreeMap<i64, (List, Vec<PriceRow>)> = BTreeMap::new();
    for mut row in conn.query("select id, owner_id, name from price_lists order by id", &[]).await? {
        let list = List::read(&mut row, 0)?;
        all.insert(list.id.0, (list, Vec::new()));
    }
    let sql = "select price_list_id, id, product, country, network, price, effective_from from price_rows
        order by id";
    for mut row in conn.query(sql, &[]).await? {
        // A list made between the two statements has made a new version: it is read then.
        if let Some((_, rows)) = all.get_mut(&row.int(0)?) {
            rows.push(price_row(&mut row)?);
        }
    }
    Ok(all.into_values().collect())
}

/// The list of a [full name](List::full_name).
pub async fn by_name(conn: &mut Conn, name: &str) -> Result<Option<List>> {
    let row = conn.one("select id, owner_id, name from price_lists where name = $1", &[name.into()]).await?;
    row.map(|mut row| List::read(&mut row, 0)).transpose()
}

/// The list that an account calls so.
pub async fn of_owner(conn: &mut Conn, owner: AccountId, name: &str) -> Result<Option<List>> {
    by_name(conn, &full_name(Some(owner), name)).await
}

/// The lists of an account by their names, each with how many accounts use it that are not closed.
pub async fn owned(conn: &mut Conn, owner: AccountId) -> Result<Vec<(List, i64)>> {
    let sql = "select l.id, l.owner_id, l.name,
            (select count(*) from accounts a where a.price_list_id = l.id and a.state <> 3)
        from price_lists l where l.owner_id = $1 order by l.name, l.id";
    let rows = conn.query(sql, &[owner.0.into()]).await?;
    rows.into_iter().map(|mut row| Ok((List::read(&mut row, 0)?, row.int(3)?))).collect()
}

/// The list of a number.
pub async fn by_id(conn: &mut Conn, id: PriceListId) -> Result<Option<List>> {
    let row = conn.one("select id, owner_id, name from price_lists where id = $1", &[id.0.into()]).await?;
    row.map(|mut row| List::read(&mut row, 0)).transpose()
}

/// The operator's list of a name, made now if there is none.
pub async fn by_name_or_new(tx: &mut Tx, name: &str, now: Moment) -> Result<List> {
    make(tx, None, name, now).await
}

/// The list that an account, or the operator, calls so: made now if there is none.
pub async fn make(tx: &mut Tx, owner: Option<AccountId>, name: &str, now: Moment) -> Result<List> {
    let name = full_name(owner, name);
    if let Some(list) = by_name(tx, &name).await? {
        return Ok(list);
    }
    let id = counters::draw(tx, "id", 1).await?;
    tx.execute(
        "insert into price_lists (id, owner_id, name, created_at) values ($1, $2, $3, $4)
        on conflict (name) do nothing",
        &[id.into(), owner.map(|owner| owner.0).into(), Value::from(&name), now.0.into()],
    )
    .await?;
    counters::changed(tx).await?;
    by_name(tx, &name).await?.ok_or_else(|| Error::Fault(format!("the price list '{name}' was not made")))
}

/// Holds all lists, so that prices and who has which change one after the other.
pub async fn lock_all(tx: &mut Tx) -> Result<()> {
    tx.query("select id from price_lists order by id {lock}", &[]).await.map(drop)
}

/// The rows of a list with their comments, by destination and time.
pub async fn rows(conn: &mut Conn, list: PriceListId) -> Result<Vec<(PriceRow, String)>> {
    let sql =
        "select price_list_id, id, product, country, network, price, effective_from, comment from price_rows
        where price_list_id = $1 order by product, country, network, effective_from";
    let rows = conn.query(sql, &[list.0.into()]).await?;
    rows.into_iter().map(|mut row| Ok((price_row(&mut row)?, row.take_text(7)))).collect()
}

/// A row and the list it is of.
pub async fn row(conn: &mut Conn, id: i64) -> Result<Option<(List, PriceRow)>> {
    let sql =
        "select r.price_list_id, r.id, r.product, r.country, r.network, r.price, r.effective_from, l.id, l.owner_id,
            l.name
        from price_rows r join price_lists l on l.id = r.price_list_id where r.id = $1";
    let read = |mut row: Row| Ok((List::read(&mut row, 7)?, price_row(&mut row)?));
    conn.one(sql, &[id.into()]).await?.map(read).transpose()
}

static ADD: Bulk = Bulk::insert(
    "price_rows",
    &[
        ("id", Kind::Int),
        ("price_list_id", Kind::Int),
        ("product", Kind::Int),
        ("country", Kind::Text),
        ("network", Kind::Text),
        ("price", Kind::Int),
        ("effective_from", Kind::Int),
        ("comment", Kind::Text),
        ("created_at", Kind::Int),
    ],
    "",
);
static REPLACE: Bulk =
    Bulk::update("price_rows", &[("id", Kind::Int)], &[("price", Kind::Int), ("comment", Kind::Text)]);

/// Stores rows of a list. Storing the same again changes nothing. The price of a version that has
/// not begun to count may be replaced; one that counts stays for ever, because messages were
/// charged by it: see [`Stored::fixed`]. Two rows given for one version are the caller's to refuse.
pub async fn store(tx: &mut Tx, list: PriceListId, rows: &[NewRow], now: Moment) -> Result<Stored> {
    // Who stores rows of the same list at the same time waits here.
    tx.query("select id from price_lists where id = $1 {lock}", &[list.0.into()]).await?;
    let mut known: HashMap<Destination, BTreeMap<Moment, (PriceRowId, Credits)>> = HashMap::new();
    for (row, _) in self::rows(tx, list).await? {
        known.entry(row.destination).or_default().insert(row.effective_from, (row.id, row.price));
    }
    let mut stored = Stored::default();
    let (mut added, mut replaced) = (Vec::new(), Vec::new());
    for (place, row) in rows.iter().enumerate() {
        let versions = known.get(&row.destination);
        let same_time = row.effective_from.and_then(|at| versions?.get(&at));
        let counts_now = || versions.and_then(|v| v.range(..=now).next_back()).map(|(_, (_, price))| *price);
        match (row.effective_from, same_time) {
            (None, _) if counts_now() == Some(row.price) => stored.unchanged += 1,
            (None, _) if versions.is_some_and(|versions| versions.contains_key(&now)) => {
                stored.fixed.push((place, counts_now().unwrap_or(row.price)));
            }
            (Some(_), Some((_, price))) if *price == row.price => stored.unchanged += 1,
            (Some(at), Some((_, price))) if at <= now.after(FIXED_BEFORE) => {
                stored.fixed.push((place, *price))
            }
            (Some(_), Some((id, _))) => replaced.push((*id, row)),
            (at, _) => added.push((at.unwrap_or(now), row)),
        }
    }
    (stored.added, stored.replaced) = (added.len(), replaced.len());
    if !stored.fixed.is_empty() || added.len() + replaced.len() == 0 {
        return Ok(stored);
    }
    let first = counters::draw(tx, "id", added.len() as i64).await?;
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(added.len() * 9);
    for (id, (from, row)) in (first..).zip(&added) {
        cells.extend([
            id.into(),
            list.0.into(),
            row.destination.product.code().into(),
            country_text(&row.destination).into(),
            Value::from(&row.destination.network),
            row.price.0.into(),
            from.0.into(),
            Value::from(&row.comment),
            now.0.into(),
        ]);
    }
    tx.bulk(&ADD, &cells).await?;
    let cells: Vec<Value<'_>> = replaced
        .iter()
        .flat_map(|(id, row)| [id.0.into(), row.price.0.into(), Value::from(&row.comment)])
        .collect();
    tx.bulk(&REPLACE, &cells).await?;
    counters::changed(tx).await?;
    Ok(stored)
}

fn country_text(destination: &Destination) -> &str {
    destination.country.as_ref().map_or(EVERYWHERE, Country::as_str)
}

fn price_row(row: &mut Row) -> Result<PriceRow> {
    let (product, country) = (row.int(2)?, row.take_text(3));
    let country = match country.as_str() {
        EVERYWHERE => None,
        letters => {
            Some(Country::parse(letters).ok_or_else(|| Error::unreadable("price_rows.country", letters))?)
        }
    };
    Ok(PriceRow {
        id: PriceRowId(row.int(1)?),
        destination: Destination {
            product: Product::from_code(product)
                .ok_or_else(|| Error::unreadable("price_rows.product", product))?,
            country,
            network: row.take_text(4),
        },
        price: Credits(row.int(5)?),
        effective_from: Moment(row.int(6)?),
    })
}
