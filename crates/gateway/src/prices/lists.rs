//! Price lists as one keeps them by hand: those of an account, for the accounts below it, or those of the
//! installation, which are the operator's and have no owner.

use domain::account::Account;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, PriceListId};
use domain::moment::Moment;
use domain::price::{PriceList, PriceRow};
use storage::prices::history::{self as kept, Change};
use storage::prices::{List, NewRow, Overview};
use storage::{Conn, Error, Tx, accounts, prices};

use super::file::{END, country_text};
use super::import::{is_of_account, written};
use super::{Loss, Pair, TEXT_MAX, check_costs, loss, tell_payers};
use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::sheet::{harmless, line};

/// The most lists of one account.
pub const LISTS_MAX: usize = 200;
/// How many accounts that use a list are told.
const ACCOUNTS_MAX: i64 = 100;
/// Changes that are read at a time for a file.
const PART: i64 = 1_000;

/// Why something was not done with a price list. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is no such list of theirs.
    #[error("there is no such price list of yours any more")]
    NotFound,
    /// The name is none.
    #[error("the name of the price list has {0} characters; use 1 to {TEXT_MAX}")]
    Name(usize),
    /// Another list has the name.
    #[error("there is a price list '{0}' already; write another name")]
    NameTaken(String),
    /// The name is that of a list an account would have.
    #[error(
        "names that begin with the number of an account are for its own lists; write another name than '{0}'"
    )]
    NameOfAccount(String),
    /// There are too many lists.
    #[error("you have {LISTS_MAX} price lists, which is the most; remove one that nobody uses")]
    TooMany,
    /// Accounts have the list.
    #[error("{0} accounts have this price list, closed ones included; give them another one first")]
    Used(i64),
    /// Main accounts pay by it.
    #[error("main accounts without a price list of their own pay by this one; it keeps its name and stays")]
    Standard,
    /// The version that is named counts.
    #[error(
        "the price that counts from this time on is fixed, or will be within a minute; choose a later time"
    )]
    Fixed,
    /// Somebody would sell below cost.
    #[error("{}", loss(.0))]
    BelowCost(Loss),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(ListError);

/// A price list with all that one sees of it.
#[derive(Clone, Debug)]
pub struct Open {
    /// Which.
    pub list: List,
    /// Every version of every price with its comment.
    pub rows: Vec<(PriceRow, String)>,
    /// The first accounts that use it and are not closed, by their numbers.
    pub accounts: Vec<Account>,
    /// How many accounts have it, closed ones included.
    pub holders: i64,
}

/// The price lists of an owner by their names.
///
/// # Errors
/// Those of the books.
pub async fn of_owner(base: &Base, owner: Option<AccountId>) -> Result<Vec<Overview>, Error> {
    prices::owned(&mut *base.db.read().await?, owner).await
}

/// A list, if it is one of this owner's.
///
/// # Errors
/// Those of the books.
pub async fn find(base: &Base, owner: Option<AccountId>, list: PriceListId) -> Result<Option<List>, Error> {
    of_owner_by_id(&mut *base.db.read().await?, owner, list).await
}

pub(super) async fn of_owner_by_id(
    conn: &mut Conn,
    owner: Option<AccountId>,
    list: PriceListId,
) -> Result<Option<List>, Error> {
    Ok(prices::by_id(conn, list).await?.filter(|list| list.owner == owner))
}

/// A list with its rows and who uses it, if it is one of this owner's.
///
/// # Errors
/// Those of the books.
pub async fn open(base: &Base, owner: Option<AccountId>, list: PriceListId) -> Result<Option<Open>, Error> {
    let mut conn = base.db.read().await?;
    let Some(list) = of_owner_by_id(&mut conn, owner, list).await? else { return Ok(None) };
    let rows = prices::rows(&mut conn, list.id).await?;
    let accounts = users(&mut conn, &list).await?;
    let holders = prices::holders(&mut conn, list.id).await?;
    Ok(Some(Open { list, rows, accounts, holders }))
}

/// The first accounts that pay by a list without having it from one above, by their numbers.
pub(super) async fn users(conn: &mut Conn, list: &List) -> Result<Vec<Account>, Error> {
    let mut all = accounts::with_price_list(conn, list.id).await?;
    if list.is_standard() {
        all.extend(accounts::main_without_prices(conn, ACCOUNTS_MAX).await?);
        all.sort_by_key(|account| account.id);
    }
    all.truncate(usize::try_from(ACCOUNTS_MAX).unwrap_or(usize::MAX));
    Ok(all)
}

/// Makes a list: an empty one, or one with what another of the same owner asks now and later.
///
/// # Errors
/// [`ListError`] when the name is none or taken, or there are too many.
pub async fn create(
    base: &Base,
    owner: Option<AccountId>,
    name: &str,
    copied: Option<PriceListId>,
    actor: &Actor,
) -> Result<List, ListError> {
    let list = again(|| create_once(base, owner, name, copied, actor)).await?;
    base.refresh().await?;
    Ok(list)
}

async fn create_once(
    base: &Base,
    owner: Option<AccountId>,
    name: &str,
    copied: Option<PriceListId>,
    actor: &Actor,
) -> Result<List, ListError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    prices::lock_all(&mut tx).await?;
    let name = free(&mut tx, owner, name).await?;
    if prices::owned(&mut tx, owner).await?.len() >= LISTS_MAX {
        return Err(ListError::TooMany);
    }
    let original = match copied {
        Some(id) => Some(of_owner_by_id(&mut tx, owner, id).await?.ok_or(ListError::NotFound)?),
        None => None,
    };
    let list = prices::make(&mut tx, owner, &name, now).await?;
    if let Some(original) = &original {
        let rows = prices::rows(&mut tx, original.id).await?;
        let rows = in_force(&PriceList::of(rows.into_iter().map(|(row, _)| row)), now);
        prices::store(&mut tx, list.id, &rows, actor, now).await?;
    }
    let changes = Changes::new().new_field("copy_of", original.map(|original| original.name));
    note(&mut tx, &list, actor, "prices.create", &changes, now).await?;
    tx.commit().await?;
    Ok(list)
}

/// What a list asks now, and what it will.
fn in_force(list: &PriceList, now: Moment) -> Vec<NewRow> {
    let row = |destination: &domain::price::Destination, price, effective_from| NewRow {
        destination: destination.clone(),
        price,
        effective_from,
        comment: String::new(),
    };
    let mut rows = Vec::new();
    for destination in list.destinations() {
        if let Some(price) = list.own(destination, now) {
            rows.push(row(destination, Some(price), None));
        }
        let coming = list.coming(destination, now).into_iter();
        rows.extend(coming.map(|(at, price)| row(destination, price, Some(at))));
    }
    rows
}

/// A name that no other list of the owner has.
async fn free(tx: &mut Tx, owner: Option<AccountId>, name: &str) -> Result<String, ListError> {
    let name = name.trim();
    let length = name.chars().count();
    if !(1..=TEXT_MAX).contains(&length) {
        return Err(ListError::Name(length));
    }
    let taken = match owner {
        Some(owner) => prices::of_owner(tx, owner, name).await?,
        None if is_of_account(name) => return Err(ListError::NameOfAccount(name.to_owned())),
        None => prices::by_name(tx, name).await?,
    };
    if taken.is_some() { Err(ListError::NameTaken(name.to_owned())) } else { Ok(name.to_owned()) }
}

/// Gives a list another name.
///
/// # Errors
/// [`ListError`] when the name is none or taken, or the list keeps its own.
pub async fn rename(
    base: &Base,
    owner: Option<AccountId>,
    list: PriceListId,
    name: &str,
    actor: &Actor,
) -> Result<(), ListError> {
    again(|| rename_once(base, owner, list, name, actor)).await?;
    Ok(base.refresh().await?)
}

async fn rename_once(
    base: &Base,
    owner: Option<AccountId>,
    list: PriceListId,
    name: &str,
    actor: &Actor,
) -> Result<(), ListError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    prices::lock_all(&mut tx).await?;
    let list = of_owner_by_id(&mut tx, owner, list).await?.ok_or(ListError::NotFound)?;
    if list.name == name.trim() {
        return Ok(());
    }
    if list.is_standard() {
        return Err(ListError::Standard);
    }
    let name = free(&mut tx, owner, name).await?;
    let changes = Changes::new().field("name", &list.name, &name);
    note(&mut tx, &list, actor, "prices.rename", &changes, now).await?;
    prices::rename(&mut tx, &list, &name).await?;
    Ok(tx.commit().await?)
}

/// Puts a list away that no account has, not even a closed one, which may be opened again.
///
/// # Errors
/// [`ListError::Used`] when one has it; [`ListError::Standard`] for that which main accounts pay by.
pub async fn remove(
    base: &Base,
    owner: Option<AccountId>,
    list: PriceListId,
    actor: &Actor,
) -> Result<List, ListError> {
    let list = again(|| remove_once(base, owner, list, actor)).await?;
    base.refresh().await?;
    Ok(list)
}

async fn remove_once(
    base: &Base,
    owner: Option<AccountId>,
    list: PriceListId,
    actor: &Actor,
) -> Result<List, ListError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    prices::lock_all(&mut tx).await?;
    let list = of_owner_by_id(&mut tx, owner, list).await?.ok_or(ListError::NotFound)?;
    if list.is_standard() {
        return Err(ListError::Standard);
    }
    match prices::holders(&mut tx, list.id).await? {
        0 => {}
        holders => return Err(ListError::Used(holders)),
    }
    note(&mut tx, &list, actor, "prices.remove", &Changes::new(), now).await?;
    prices::remove(&mut tx, &list, now).await?;
    tx.commit().await?;
    Ok(list)
}

/// Sets one price of a list from a time on, or ends it. False when it was just so already.
///
/// # Errors
/// [`ListError::Fixed`] when that version counts; [`ListError::BelowCost`] when somebody would sell below
/// cost and that is not allowed.
pub async fn change(
    base: &Base,
    (owner, list): (Option<AccountId>, PriceListId),
    row: &NewRow,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<bool, ListError> {
    let changed = again(|| change_once(base, (owner, list), row, allow_below_cost, actor)).await?;
    base.refresh().await?;
    Ok(changed)
}

async fn change_once(
    base: &Base,
    (owner, list): (Option<AccountId>, PriceListId),
    row: &NewRow,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<bool, ListError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    prices::lock_all(&mut tx).await?;
    let list = of_owner_by_id(&mut tx, owner, list).await?.ok_or(ListError::NotFound)?;
    let rows = prices::rows(&mut tx, list.id).await?;
    let before = prices::plan(&rows, std::slice::from_ref(row), now).first().and_then(|step| step.before);
    let stored = prices::store(&mut tx, list.id, std::slice::from_ref(row), actor, now).await?;
    if !stored.fixed.is_empty() {
        return Err(ListError::Fixed);
    }
    if stored.added + stored.replaced == 0 {
        return Ok(false);
    }
    let changes = Changes::new()
        .new_field("destination", super::place(&row.destination))
        .field("price", word(before), word(row.price))
        .new_field("from", row.effective_from.map(audit::time));
    note(&mut tx, &list, actor, "prices.change", &changes, now).await?;
    tell_payers(&mut tx, &list, "prices.change", &changes, actor, now).await?;
    let concerns = |pair: &Pair<'_>| pair.own == list.id || pair.above == list.id;
    if let Some(loss) = check_costs(&mut tx, now, allow_below_cost, concerns).await? {
        return Err(ListError::BelowCost(loss));
    }
    tx.commit().await?;
    Ok(true)
}

fn word(price: Option<Credits>) -> String {
    price.map_or_else(|| "none of its own".to_owned(), |price| price.to_string())
}

/// Writes down what is done with a list where its owner reads it.
pub(super) async fn note(
    tx: &mut Tx,
    list: &List,
    actor: &Actor,
    action: &str,
    changes: &Changes,
    now: Moment,
) -> Result<(), Error> {
    let owner = match list.owner {
        Some(owner) => accounts::find(tx, owner).await?,
        None => None,
    };
    let log = owner.map_or(storage::audit::INSTALLATION, |owner| (owner.id, owner.root()));
    audit::note_at(tx, log, actor, action, &format!("price list '{}'", list.name), changes, now).await
}

/// The changes of a list before one of them, the newest first; nothing when it is not one of this owner's.
///
/// # Errors
/// Those of the books.
pub async fn history(
    base: &Base,
    owner: Option<AccountId>,
    list: PriceListId,
    before: Option<i64>,
    limit: i64,
) -> Result<Option<(List, Vec<Change>)>, Error> {
    let mut conn = base.db.read().await?;
    let Some(list) = of_owner_by_id(&mut conn, owner, list).await? else { return Ok(None) };
    let changes = kept::page(&mut conn, list.id, before, limit).await?;
    Ok(Some((list, changes)))
}

/// What a list asks now and will ask, as a file that can be taken in again.
///
/// # Errors
/// Those of the books.
pub async fn current(
    base: &Base,
    owner: Option<AccountId>,
    list: PriceListId,
) -> Result<Option<(List, String)>, Error> {
    let Some(open) = open(base, owner, list).await? else { return Ok(None) };
    let now = base.clock.now();
    // Of what has begun, only the last version of each destination counts.
    let counts = |place: usize, row: &PriceRow| {
        let next = open.rows.get(place + 1).map(|(next, _)| next);
        let is_followed =
            next.is_some_and(|next| next.destination == row.destination && next.effective_from <= now);
        row.effective_from > now || (!is_followed && row.price.is_some())
    };
    let rows = open.rows.iter().enumerate().filter(|(place, (row, _))| counts(*place, row));
    let file = written(rows.map(|(_, (row, comment))| (row, comment.as_str())))?;
    Ok(Some((open.list, file)))
}

/// Every change of a list as a file, the newest first.
///
/// # Errors
/// Those of the books.
pub async fn history_file(
    base: &Base,
    owner: Option<AccountId>,
    list: PriceListId,
) -> Result<Option<(List, String)>, Error> {
    let columns = [
        "changed_at",
        "changed_by",
        "product",
        "country",
        "network",
        "effective_from",
        "before",
        "after",
        "comment",
    ];
    let mut text = line(columns.map(str::to_owned));
    let mut before = None;
    loop {
        let Some((list, part)) = history(base, owner, list, before, PART).await? else { return Ok(None) };
        for change in &part {
            let to = &change.destination;
            let price = |price: Option<Credits>| price.map_or_else(String::new, |price| price.to_string());
            text.push_str(&line([
                audit::time(change.at),
                change.actor.as_ref().map_or_else(String::new, |(_, name)| harmless(name)),
                to.product.as_str().to_owned(),
                country_text(to).to_owned(),
                to.network.clone(),
                audit::time(change.effective_from),
                price(change.before),
                change.after.map_or_else(|| END.to_owned(), |price| price.to_string()),
                harmless(&change.comment),
            ]));
        }
        before = part.last().map(|change| change.id);
        if (part.len() as i64) < PART {
            return Ok(Some((list, text)));
        }
    }
}
