//! Price lists in and out as CSV, and which account has which. What an account pays is read in
//! [`paid`], and set by those above it in `below`.
//!
//! A list that sells below what the account above pays is refused, wherever it is assigned, and so is
//! a list that would make the accounts below sell below it, unless that is explicitly allowed. What
//! was allowed once for an account stays allowed for it.
//!
//! A file has the columns `product,country,network,price,effective_from,comment`, of which only
//! `country` and `price` must be there:
//!
//! ```csv
//! product,country,network,price,effective_from,comment
//! sms,DE,,0.075,,
//! sms,DE,26201,0.070,2026-12-01,better contract
//! sms,*,,0.20,2026-12-01T12:00:00+01:00,the rest of the world
//! ```

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use domain::account::{Account, AccountState};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, PriceListId};
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::{BelowCost, Destination, PriceList, below_cost};
use domain::product::Product;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
pub use storage::prices::List;
use storage::prices::NewRow;
use storage::{Error, Tx, accounts, prices};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::clock::start_of_day;

mod below;
mod paid;

pub use below::{Choice, LISTS_MAX, NewMarkup, choose, of_account};
pub use paid::{Line, Paid, Source, Wanted, paid, source};

/// The columns of a file, in the order they are written.
pub const COLUMNS: [&str; 6] = ["product", "country", "network", "price", "effective_from", "comment"];
/// The most characters of a list's name, and of a comment.
const TEXT_MAX: usize = 200;
/// How many errors of a file are told.
const ERRORS_MAX: usize = 50;

/// What was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Into which list.
    pub list: List,
    /// New prices.
    pub added: usize,
    /// Prices that had not begun to count, and are others now.
    pub replaced: usize,
    /// Prices that had been there just so.
    pub unchanged: usize,
}

/// What is wrong with one row of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {field}: {problem}")]
pub struct RowError {
    /// The line of the file, the first being 1.
    pub line: u64,
    /// The column.
    pub field: &'static str,
    /// What is wrong, and what to do about it.
    pub problem: String,
}

/// An account that would sell below what the account above pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Which.
    pub account: AccountId,
    /// Where to, from when, and by how much.
    pub below: BelowCost,
}

/// Why prices were not imported. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is not a table.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// The first line does not name the columns.
    #[error("line 1: {problem}; the columns are {columns}", problem = .0, columns = COLUMNS.join(","))]
    Header(String),
    /// Rows are wrong.
    #[error("{}", errors(.0, *.1))]
    Rows(Vec<RowError>, usize),
    /// The file has no rows.
    #[error("the file has no prices; write one line for each below the first")]
    Empty,
    /// The list has no proper name.
    #[error("the name of the price list has {0} characters; use 1 to {TEXT_MAX}")]
    Name(usize),
    /// The name is that of a list an account would have.
    #[error(
        "there is no price list '{0}', and names that begin with the number of an account are for lists \
         that the account itself has made; use another name"
    )]
    NameOfAccount(String),
    /// Somebody would sell below cost.
    #[error("{}", loss(.0))]
    BelowCost(Loss),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Why a list was not assigned.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NotFound(AccountId),
    /// It is closed.
    #[error("account {0} is closed; its prices stay as they are")]
    Closed(AccountId),
    /// There is no such list.
    #[error("there is no price list '{0}'; import it first")]
    NoList(String),
    /// The list is not one of the account that sets the price.
    #[error("there is no price list {0} of yours; choose one of those you have made")]
    NotYours(PriceListId),
    /// The name of a new list is none.
    #[error("the name of the price list has {0} characters; use 1 to {TEXT_MAX}")]
    Name(usize),
    /// Another list has the name.
    #[error("you have a price list '{0}' already; choose it, or write another name")]
    NameTaken(String),
    /// The account has too many lists.
    #[error("you have {LISTS_MAX} price lists, which is the most; choose one of them")]
    TooMany,
    /// There is nothing to put a markup on.
    #[error("account {0} has no prices itself, so there is nothing to put a markup on")]
    NoPrices(AccountId),
    /// A version begins to count just now.
    #[error(
        "a price of this list begins to count within a minute and cannot be changed; try again in a minute"
    )]
    Fixed,
    /// Somebody would sell below cost.
    #[error("{}", loss(.0))]
    BelowCost(Loss),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(ImportError, AssignError);

fn errors(rows: &[RowError], count: usize) -> String {
    let mut text = rows.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    if count > rows.len() {
        text.push_str(&format!("\nand {} more", count - rows.len()));
    }
    text
}

fn loss(loss: &Loss) -> String {
    let BelowCost { destination, price, cost, from } = &loss.below;
    let from = Timestamp::from_microsecond(from.0).unwrap_or(Timestamp::UNIX_EPOCH);
    format!(
        "account {} would sell {} to {}{} for {price} from {from:.0} on, and the account above it pays {cost}; raise the price, or allow to sell below cost",
        loss.account,
        destination.product.as_str(),
        country_text(destination),
        if destination.network.is_empty() {
            String::new()
        } else {
            format!(" network {}", destination.network)
        },
    )
}

/// Takes a file of prices into the list of a name, which is made if there is none. All of it is
/// taken, or nothing. Taking the same file in again changes nothing.
///
/// A price that counts already is never changed, because messages were charged by it: a new one is a
/// row with a later `effective_from`.
pub async fn import(
    base: &Base,
    file: impl Read,
    list: &str,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<Imported, ImportError> {
    let list = list.trim();
    let length = list.chars().count();
    if !(1..=TEXT_MAX).contains(&length) {
        return Err(ImportError::Name(length));
    }
    let rows = read(file, &base.rules.time_zone)?;
    let imported = again(|| import_once(base, &rows, list, allow_below_cost, actor)).await?;
    base.refresh().await?;
    Ok(imported)
}

async fn import_once(
    base: &Base,
    rows: &[(u64, NewRow)],
    list: &str,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<Imported, ImportError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    prices::lock_all(&mut tx).await?;
    if is_of_account(list) && prices::by_name(&mut tx, list).await?.is_none() {
        return Err(ImportError::NameOfAccount(list.to_owned()));
    }
    let list = prices::by_name_or_new(&mut tx, list, now).await?;
    let new: Vec<NewRow> = rows.iter().map(|(_, row)| row.clone()).collect();
    let stored = prices::store(&mut tx, list.id, &new, now).await?;
    if !stored.fixed.is_empty() {
        let error = |(place, price): &(usize, Credits)| RowError {
            line: rows[*place].0,
            field: "price",
            problem: format!(
                "{} differs from {price}, which counts since this effective_from or will within a minute and cannot be changed; write a later effective_from",
                new[*place].price
            ),
        };
        let told = stored.fixed.iter().take(ERRORS_MAX).map(error).collect();
        return Err(ImportError::Rows(told, stored.fixed.len()));
    }
    let prices::Stored { added, replaced, unchanged, .. } = stored;
    note_import(&mut tx, &list, added, replaced, actor, now).await?;
    let concerns = |pair: &Pair<'_>| pair.own == list.id || pair.above == list.id;
    check_costs(&mut tx, now, allow_below_cost, concerns)
        .await?
        .map_or(Ok(()), |l| Err(ImportError::BelowCost(l)))?;
    tx.commit().await?;
    Ok(Imported { list, added, replaced, unchanged })
}

/// Whether a full name is of a list that an account has made.
fn is_of_account(name: &str) -> bool {
    name.split_once('/').is_some_and(|(number, _)| number.parse::<u64>().is_ok())
}

/// New prices are in the log of the installation, and of the accounts that have the list of their own,
/// there without its name.
async fn note_import(
    tx: &mut Tx,
    list: &List,
    added: usize,
    replaced: usize,
    actor: &Actor,
    now: Moment,
) -> Result<(), Error> {
    if added + replaced == 0 {
        return Ok(());
    }
    let subject = format!("price list '{}'", list.full_name());
    let changes = Changes::new().new_field("added", added).new_field("replaced", replaced);
    let log = storage::audit::INSTALLATION;
    audit::note_at(tx, log, actor, "prices.import", &subject, &changes, now).await?;
    tell_payers(tx, list, "prices.import", &changes, actor, now).await
}

/// Writes into the logs of all who pay by a list that it has changed.
async fn tell_payers(
    tx: &mut Tx,
    list: &List,
    action: &str,
    changes: &Changes,
    actor: &Actor,
    now: Moment,
) -> Result<(), Error> {
    let with_it = accounts::with_price_list(tx, list.id).await?;
    let logs: Vec<_> = with_it.iter().map(|account| (account.id, account.root())).collect();
    audit::note_all(tx, &logs, actor, action, "prices", changes, now).await
}

/// Gives an account a price list of its own, or takes it away, so that the one of the account above
/// counts.
pub async fn assign(
    base: &Base,
    account: AccountId,
    list: Option<&str>,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<(), AssignError> {
    again(|| assign_once(base, account, list, allow_below_cost, actor)).await?;
    Ok(base.refresh().await?)
}

async fn assign_once(
    base: &Base,
    account: AccountId,
    list: Option<&str>,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<(), AssignError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    prices::lock_all(&mut tx).await?;
    let found = accounts::find(&mut tx, account).await?.ok_or(AssignError::NotFound(account))?;
    let list = match list {
        None => None,
        Some(name) => {
            let list = prices::by_name(&mut tx, name).await?;
            Some(list.ok_or_else(|| AssignError::NoList(name.to_owned()))?)
        }
    };
    put(&mut tx, &found, list.as_ref(), None, allow_below_cost, actor, now).await?;
    Ok(tx.commit().await?)
}

/// Puts a list in place, and writes it down: with its name where whoever set it reads it, and without
/// one in the account's own log. What those above call the lists they sell by is theirs.
async fn put(
    tx: &mut Tx,
    account: &Account,
    list: Option<&List>,
    above: Option<&Account>,
    allow_below_cost: bool,
    actor: &Actor,
    now: Moment,
) -> Result<(), AssignError> {
    if account.state == AccountState::Closed {
        return Err(AssignError::Closed(account.id));
    }
    let before = match account.price_list {
        Some(id) => prices::by_id(tx, id).await?,
        None => None,
    };
    let words = |list: Option<&List>| list.map_or("that of the account above", |_| "its own").to_owned();
    // Nor are those of accounts further up for the one that set it.
    let names = |list: Option<&List>| match (list, above) {
        (Some(list), Some(above)) if list.owner != Some(above.id) => Some(words(Some(list))),
        (list, _) => list.map(List::full_name),
    };
    if before.as_ref().map(|list| list.id) != list.map(|list| list.id) {
        let changes = Changes::new().field("price_list", words(before.as_ref()), words(list));
        audit::note(tx, account, actor, "prices.assign", "prices", &changes, now).await?;
        let changes = Changes::new().field("price_list", names(before.as_ref()), names(list));
        let log = above.map_or(storage::audit::INSTALLATION, |above| (above.id, above.root()));
        let subject = audit::named(account);
        audit::note_at(tx, log, actor, "prices.assign", &subject, &changes, now).await?;
    }
    accounts::set_price_list(tx, account.id, list.map(|list| list.id), false).await?;
    let concerns = |pair: &Pair<'_>| {
        pair.account.id == account.id
            || account.is_above(pair.account)
            || list.is_some_and(|list| pair.own == list.id || pair.above == list.id)
    };
    let loss = check_costs(tx, now, allow_below_cost, concerns).await?;
    loss.map_or(Ok(()), |loss| Err(AssignError::BelowCost(loss)))
}

/// An account with a list of its own, and the list the account above pays by.
struct Pair<'a> {
    account: &'a Account,
    own: PriceListId,
    above: PriceListId,
}

/// The first account among those concerned that sells below cost and may not. When it is allowed,
/// those that do are noted down as allowed to, and there is none.
async fn check_costs(
    tx: &mut Tx,
    now: Moment,
    allow: bool,
    concerns: impl Fn(&Pair<'_>) -> bool,
) -> Result<Option<Loss>, Error> {
    let lists = prices::all(tx).await?;
    let standard = lists.iter().find(|(list, _)| list.is_standard()).map(|(list, _)| list.id);
    let lists: HashMap<PriceListId, PriceList> =
        lists.into_iter().map(|(list, rows)| (list.id, PriceList::of(rows))).collect();
    let with_own = accounts::with_own_prices(tx).await?;
    let own: HashMap<AccountId, PriceListId> =
        with_own.iter().filter_map(|(a, _)| Some((a.id, a.price_list?))).collect();
    // Many accounts share few lists, so each pair of lists is compared once.
    let mut compared: BTreeMap<(PriceListId, PriceListId), Option<BelowCost>> = BTreeMap::new();
    for (account, allowed) in with_own.iter().filter(|(a, _)| a.parent.is_some()) {
        let above = account.path.iter().rev().skip(1).find_map(|id| own.get(id).copied()).or(standard);
        let (Some(own), Some(above)) = (account.price_list, above) else { continue };
        if *allowed || own == above || !concerns(&Pair { account, own, above }) {
            continue;
        }
        let below = compared
            .entry((own, above))
            .or_insert_with(|| below_cost(lists.get(&own)?, lists.get(&above)?, now));
        match below {
            Some(_) if allow => accounts::set_price_list(tx, account.id, Some(own), true).await?,
            Some(below) => return Ok(Some(Loss { account: account.id, below: below.clone() })),
            None => {}
        }
    }
    Ok(None)
}

/// A list as a file: every version of every price. `None` when there is no such list.
pub async fn export(base: &Base, list: &str) -> Result<Option<String>, Error> {
    let mut conn = base.db.read().await?;
    let Some(list) = prices::by_name(&mut conn, list).await? else { return Ok(None) };
    let mut file = csv::Writer::from_writer(Vec::new());
    let fault = |e: &dyn std::fmt::Display| Error::Fault(format!("the prices cannot be written: {e}"));
    file.write_record(COLUMNS).map_err(|e| fault(&e))?;
    for (row, comment) in prices::rows(&mut conn, list.id).await? {
        let d = &row.destination;
        let from =
            Timestamp::from_microsecond(row.effective_from.0).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        let fields =
            [d.product.as_str(), country_text(d), &d.network, &row.price.to_string(), &from, &comment];
        file.write_record(fields).map_err(|e| fault(&e))?;
    }
    let bytes = file.into_inner().map_err(|e| fault(&e))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn country_text(destination: &Destination) -> &str {
    destination.country.as_ref().map_or("*", Country::as_str)
}

/// The rows of a file with their lines, or all that is wrong with it.
fn read(mut file: impl Read, time_zone: &TimeZone) -> Result<Vec<(u64, NewRow)>, ImportError> {
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|e| ImportError::Unreadable(format!("{e}; save it as UTF-8")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // Spreadsheets of some countries write semicolons.
    let head = text.lines().next().unwrap_or("");
    let delimiter = if head.contains(';') && !head.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let unreadable = |e: csv::Error| ImportError::Unreadable(e.to_string());
    let columns = columns(reader.headers().map_err(unreadable)?)?;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let mut lines: HashMap<(Destination, Option<Moment>), u64> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(str::is_empty) {
            continue;
        }
        let field =
            |name| columns.iter().position(|c| *c == name).and_then(|at| record.get(at)).unwrap_or("");
        let mut problems = Vec::new();
        if record.len() > columns.len() {
            problems.push((
                "comment",
                "the line has more fields than the first; put texts with commas in quotes".to_owned(),
            ));
        }
        let row = row(field, time_zone, &mut problems);
        if let Some(first) =
            row.as_ref().and_then(|r| lines.insert((r.destination.clone(), r.effective_from), line))
        {
            problems.push((
                "effective_from",
                format!("line {first} has a price for the same from the same time on; keep one of them"),
            ));
        }
        match row {
            Some(row) if problems.is_empty() => rows.push((line, row)),
            _ => wrong.extend(problems.into_iter().map(|(field, problem)| RowError { line, field, problem })),
        }
    }
    if !wrong.is_empty() {
        let count = wrong.len();
        wrong.truncate(ERRORS_MAX);
        return Err(ImportError::Rows(wrong, count));
    }
    if rows.is_empty() { Err(ImportError::Empty) } else { Ok(rows) }
}

fn columns(head: &csv::StringRecord) -> Result<Vec<&'static str>, ImportError> {
    let mut columns = Vec::new();
    for name in head {
        let lower = name.to_ascii_lowercase();
        let known = COLUMNS.into_iter().find(|c| *c == lower);
        let known =
            known.ok_or_else(|| ImportError::Header(format!("'{name}' is not a column of a price list")))?;
        if columns.contains(&known) {
            return Err(ImportError::Header(format!("the column '{known}' is there twice")));
        }
        columns.push(known);
    }
    for needed in ["country", "price"] {
        if !columns.contains(&needed) {
            return Err(ImportError::Header(format!("the column '{needed}' is missing")));
        }
    }
    Ok(columns)
}

/// A row, unless a problem was found that leaves none.
fn row<'a>(
    field: impl Fn(&'static str) -> &'a str,
    time_zone: &TimeZone,
    problems: &mut Vec<(&'static str, String)>,
) -> Option<NewRow> {
    let before = problems.len();
    let product = match field("product") {
        "" => Product::Sms,
        word => Product::parse(&word.to_ascii_lowercase()).unwrap_or_else(|| {
            let known = Product::ALL.map(Product::as_str).join(", ");
            problems.push(("product", format!("'{word}' is not a product; write one of {known}")));
            Product::Sms
        }),
    };
    let country = match field("country") {
        "*" => None,
        word => {
            let country = Country::parse(&word.to_ascii_uppercase());
            if country.is_none() {
                let problem = format!(
                    "'{word}' is not a country; write two letters such as DE, or * for the rest of the world"
                );
                problems.push(("country", problem));
            }
            country
        }
    };
    let network = field("network");
    if !network.is_empty() {
        if !matches!(network.len(), 5 | 6) || !network.bytes().all(|b| b.is_ascii_digit()) {
            problems.push(("network", format!("'{network}' is not a network; write MCC and MNC such as 26201, or nothing for the whole country")));
        } else if field("country") == "*" {
            problems.push((
                "network",
                "a network belongs to a country; write its two letters instead of *".to_owned(),
            ));
        }
    }
    let price = match field("price").parse::<Credits>() {
        Ok(price) if price >= Credits::ZERO => price,
        Ok(price) => {
            problems.push(("price", format!("{price} is below zero; write what a unit costs")));
            Credits::ZERO
        }
        Err(error) => {
            problems.push(("price", error.to_string()));
            Credits::ZERO
        }
    };
    let effective_from = match field("effective_from") {
        "" => None,
        text => {
            let at = moment(text, time_zone);
            if at.is_none() {
                problems.push(("effective_from", format!("'{text}' is not a time; write 2026-12-01, 2026-12-01T12:00:00+01:00, or nothing for now")));
            }
            at
        }
    };
    let comment = field("comment");
    let length = comment.chars().count();
    if length > TEXT_MAX {
        problems.push(("comment", format!("it has {length} characters; write at most {TEXT_MAX}")));
    }
    (problems.len() == before).then(|| NewRow {
        destination: Destination { product, country, network: network.to_owned() },
        price,
        effective_from,
        comment: comment.to_owned(),
    })
}

/// A time with its offset, or the beginning of a date of the installation.
fn moment(text: &str, time_zone: &TimeZone) -> Option<Moment> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(Moment(timestamp.as_microsecond()));
    }
    let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
    let day = i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day());
    start_of_day(day, time_zone)
}
