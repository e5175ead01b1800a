//! Price lists and their rows. A row that messages may have been charged by never changes: a new
//! price is a new row with a later `effective_from`. What became what, by whom and when is kept in
//! [`history`].

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, PriceListId, PriceRowId};
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::{Destination, PriceRow};
use domain::product::Product;

use crate::counters;
use crate::db::{Bulk, Conn, Error, Kind, Result, Row, Tx, Value};

pub mod history;

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
    /// What a unit costs; nothing ends the price of this very destination.
    pub price: Option<Credits>,
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
    pub fixed: Vec<(usize, Option<Credits>)>,
}

/// What storing a row comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is a new version.
    Add,
    /// It takes the place of this version, which had not begun to count.
    Replace(PriceRowId),
    /// Nothing changes.
    Nothing,
    /// It cannot be stored: the version it names counts, or soon will, with this price.
    Fixed(Option<Credits>),
}

/// What storing one row does to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub effect: Effect,
    /// From when the row counts.
    pub from: Moment,
    /// What the destination itself would cost from then on without it.
    pub before: Option<Credits>,
}

/// All lists with all their rows, for the prices of an installation.
pub async fn all(conn: &mut Conn) -> Result<Vec<(List, Vec<PriceRow>)>> {
    let mut all: BTreeMap<i64, (List, Vec<PriceRow>)> = BTreeMap::new();
    for mut row in conn
        .query("select id, owner_id, name from price_lists where removed_at is null order by id", &[])
        .await?
    {
        let list = List::read(&mut row, 0)?;
        all.insert(list.id.0, (list, Vec::new()));
    }
    let sql =
        "select price_list_id, id, product, country, network, price, effective_from, ends from price_rows
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
    let row = conn
        .one(
            "select id, owner_id, name from price_lists where name = $1 and removed_at is null",
            &[name.into()],
        )
        .await?;
    row.map(|mut row| List::read(&mut row, 0)).transpose()
}

/// The list that an account calls so.
pub async fn of_owner(conn: &mut Conn, owner: AccountId, name: &str) -> Result<Option<List>> {
    by_name(conn, &full_name(Some(owner), name)).await
}

/// A price list at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Which.
    pub list: List,
    /// How many accounts use it that are not closed.
    pub accounts: i64,
    /// How many destinations it names.
    pub destinations: i64,
    /// When one of its prices was changed last.
    pub changed_at: Option<Moment>,
}

/// The lists of an account, or the operator's, by their names.
pub async fn owned(conn: &mut Conn, owner: Option<AccountId>) -> Result<Vec<Overview>> {
    let sql = "select l.id, l.owner_id, l.name,
            (select count(*) from accounts a where a.price_list_id = l.id and a.state <> 3),
            (select count(distinct r.country || ' ' || r.network || ' ' || cast(r.product as text))
                from price_rows r where r.price_list_id = l.id),
            (select max(c.created_at) from price_changes c where c.price_list_id = l.id)
        from price_lists l where coalesce(l.owner_id, 0) = $1 and l.removed_at is null order by l.name, l.id";
    let rows = conn.query(sql, &[owner.map_or(0, |owner| owner.0).into()]).await?;
    let read = |mut row: Row| {
        Ok(Overview {
            list: List::read(&mut row, 0)?,
            accounts: row.int(3)?,
            destinations: row.int(4)?,
            changed_at: row.opt_int(5)?.map(Moment),
        })
    };
    rows.into_iter().map(read).collect()
}

/// The list of a number.
pub async fn by_id(conn: &mut Conn, id: PriceListId) -> Result<Option<List>> {
    let row = conn
        .one(
            "select id, owner_id, name from price_lists where id = $1 and removed_at is null",
            &[id.0.into()],
        )
        .await?;
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

/// Gives a list another name. No other list has it: the caller has looked, and holds all lists.
pub async fn rename(tx: &mut Tx, list: &List, name: &str) -> Result<()> {
    let name = full_name(list.owner, name);
    tx.execute("update price_lists set name = $2 where id = $1", &[list.id.0.into(), Value::from(&name)])
        .await?;
    counters::changed(tx).await
}

/// Puts a list away that no account has. Its rows stay, because messages may have been charged by them;
/// its name is free again.
pub async fn remove(tx: &mut Tx, list: &List, now: Moment) -> Result<()> {
    let name = format!("{} (removed {})", list.full_name(), list.id.0);
    tx.execute(
        "update price_lists set name = $2, removed_at = $3 where id = $1",
        &[list.id.0.into(), Value::from(&name), now.0.into()],
    )
    .await?;
    counters::changed(tx).await
}

/// How many accounts have a list of their own, closed ones included.
pub async fn holders(conn: &mut Conn, list: PriceListId) -> Result<i64> {
    let sql = "select count(*) from accounts where price_list_id = $1";
    conn.one(sql, &[list.0.into()]).await?.map_or(Ok(0), |row| row.int(0))
}

/// Holds all lists, so that prices and who has which change one after the other.
pub async fn lock_all(tx: &mut Tx) -> Result<()> {
    tx.query("select id from price_lists order by id {lock}", &[]).await.map(drop)
}

/// The rows of a list with their comments, by destination and time.
pub async fn rows(conn: &mut Conn, list: PriceListId) -> Result<Vec<(PriceRow, String)>> {
    let sql =
        "select price_list_id, id, product, country, network, price, effective_from, ends, comment from price_rows
        where price_list_id = $1 order by product, country, network, effective_from";
    let rows = conn.query(sql, &[list.0.into()]).await?;
    rows.into_iter().map(|mut row| Ok((price_row(&mut row)?, row.take_text(8)))).collect()
}

/// A row and the list it is of.
pub async fn row(conn: &mut Conn, id: i64) -> Result<Option<(List, PriceRow)>> {
    let sql =
        "select r.price_list_id, r.id, r.product, r.country, r.network, r.price, r.effective_from, r.ends, l.id,
            l.owner_id, l.name
        from price_rows r join price_lists l on l.id = r.price_list_id where r.id = $1";
    let read = |mut row: Row| Ok((List::read(&mut row, 8)?, price_row(&mut row)?));
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
        ("ends", Kind::Int),
    ],
    "",
);
static REPLACE: Bulk = Bulk::update(
    "price_rows",
    &[("id", Kind::Int)],
    &[("price", Kind::Int), ("comment", Kind::Text), ("ends", Kind::Int)],
);

/// What storing these rows does to a list with those `known`, one step a row.
pub fn plan(known: &[(PriceRow, String)], rows: &[NewRow], now: Moment) -> Vec<Step> {
    let mut of: HashMap<&Destination, BTreeMap<Moment, (PriceRowId, Option<Credits>)>> = HashMap::new();
    for (row, _) in known {
        of.entry(&row.destination).or_default().insert(row.effective_from, (row.id, row.price));
    }
    let none = BTreeMap::new();
    let step = |row: &NewRow| {
        let versions = of.get(&row.destination).unwrap_or(&none);
        let from = row.effective_from.unwrap_or(now);
        let before = versions.range(..=from).next_back().and_then(|(_, (_, price))| *price);
        let effect = match (row.effective_from, versions.get(&from)) {
            (None, _) if before == row.price => Effect::Nothing,
            (None, Some((_, price))) => Effect::Fixed(*price),
            (Some(_), Some((_, price))) if *price == row.price => Effect::Nothing,
            (Some(at), Some((_, price))) if at <= now.after(FIXED_BEFORE) => Effect::Fixed(*price),
            (Some(_), Some((id, _))) => Effect::Replace(*id),
            // What has no price has none to end.
            (Some(_), None) if row.price.is_none() && before.is_none() => Effect::Nothing,
            (_, None) => Effect::Add,
        };
        Step { effect, from, before }
    };
    rows.iter().map(step).collect()
}

/// Stores rows of a list, and who did it. Storing the same again changes nothing. The price of a version
/// that has not begun to count may be replaced; one that counts stays for ever, because messages were
/// charged by it: see [`Stored::fixed`]. Two rows given for one version are the caller's to refuse.
pub async fn store(
    tx: &mut Tx,
    list: PriceListId,
    rows: &[NewRow],
    actor: &Actor,
    now: Moment,
) -> Result<Stored> {
    // Who stores rows of the same list at the same time waits here.
    tx.query("select id from price_lists where id = $1 {lock}", &[list.0.into()]).await?;
    let known = self::rows(tx, list).await?;
    let steps = plan(&known, rows, now);
    let mut stored = Stored::default();
    let (mut added, mut replaced) = (Vec::new(), Vec::new());
    for (place, (step, row)) in steps.iter().zip(rows).enumerate() {
        match step.effect {
            Effect::Add => added.push((step.from, row)),
            Effect::Replace(id) => replaced.push((id, row)),
            Effect::Nothing => stored.unchanged += 1,
            Effect::Fixed(price) => stored.fixed.push((place, price)),
        }
    }
    (stored.added, stored.replaced) = (added.len(), replaced.len());
    if !stored.fixed.is_empty() || added.len() + replaced.len() == 0 {
        return Ok(stored);
    }
    let first = counters::draw(tx, "id", added.len() as i64).await?;
    let amount = |row: &NewRow| row.price.map_or(0, |price| price.0);
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(added.len() * 10);
    for (id, (from, row)) in (first..).zip(&added) {
        cells.extend([
            id.into(),
            list.0.into(),
            row.destination.product.code().into(),
            country_text(&row.destination).into(),
            Value::from(&row.destination.network),
            amount(row).into(),
            from.0.into(),
            Value::from(&row.comment),
            now.0.into(),
            row.price.is_none().into(),
        ]);
    }
    tx.bulk(&ADD, &cells).await?;
    let cells: Vec<Value<'_>> = replaced
        .iter()
        .flat_map(|(id, row)| {
            [id.0.into(), amount(row).into(), Value::from(&row.comment), row.price.is_none().into()]
        })
        .collect();
    tx.bulk(&REPLACE, &cells).await?;
    history::add(tx, list, &steps, rows, actor, now).await?;
    counters::changed(tx).await?;
    Ok(stored)
}

fn country_text(destination: &Destination) -> &str {
    destination.country.as_ref().map_or(EVERYWHERE, Country::as_str)
}

fn destination(row: &mut Row, first: usize) -> Result<Destination> {
    let (product, country) = (row.int(first)?, row.take_text(first + 1));
    let country = match country.as_str() {
        EVERYWHERE => None,
        letters => {
            Some(Country::parse(letters).ok_or_else(|| Error::unreadable("price_rows.country", letters))?)
        }
    };
    let known = Product::from_code(product);
    Ok(Destination {
        product: known.ok_or_else(|| Error::unreadable("price_rows.product", product))?,
        country,
        network: row.take_text(first + 2),
    })
}

fn price_row(row: &mut Row) -> Result<PriceRow> {
    Ok(PriceRow {
        id: PriceRowId(row.int(1)?),
        destination: destination(row, 2)?,
        price: if row.flag(7)? { None } else { Some(Credits(row.int(5)?)) },
        effective_from: Moment(row.int(6)?),
    })
}
