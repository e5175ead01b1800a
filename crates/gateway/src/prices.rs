//! Price lists, in and out as CSV, and which account has which. What an account pays is read in
//! [`paid`], and set by those above it in `below`; `lists` is what one does with a list by hand, `import`
//! with a file, which `preview` tells the effects of.
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
//! sms,DE,26203,end,,pays what Germany pays from now on
//! ```

use domain::account::{Account, AccountState};
use domain::actor::Actor;
use domain::id::{AccountId, PriceListId};
use domain::moment::Moment;
use domain::price::BelowCost;
use jiff::Timestamp;
pub use storage::prices::history::Change;
pub use storage::prices::{List, NewRow, Overview};
use storage::{Error, Tx, accounts, prices};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;

mod below;
mod costs;
mod file;
mod import;
mod lists;
mod paid;
mod preview;

pub use below::{Choice, NewMarkup, choose};
use costs::{Pair, check_costs};
pub use file::destination_words;
use file::place;
pub use import::{Applied, apply, check, export, import};
pub use lists::{
    LISTS_MAX, ListError, Open, change, create, current, find, history, history_file, of_owner, open, remove,
    rename,
};
pub use paid::{Line, Paid, Source, Wanted, paid, source};
pub use preview::{ForAccount, Kind, Preview, Sold};

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
    /// There is no such list of theirs.
    #[error("there is no such price list of yours any more")]
    NotFound,
    /// The file is not the one that was checked, or the list is not as it was then.
    #[error(
        "the file or the price list has changed since it was checked; check it again before it is applied"
    )]
    Changed,
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
        "account {} would sell {} for {price} from {from:.0} on, and the account above it pays {cost}; raise the price, or allow to sell below cost",
        loss.account,
        place(destination),
    )
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
