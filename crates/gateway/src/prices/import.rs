//! Prices from a file: into a list of the operator's at once, or into a list one is at, after its effects
//! were seen.

use std::io::Read;

use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, PriceListId};
use domain::moment::Moment;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use storage::prices::{Effect, List, NewRow, Stored, history, plan};
use storage::requests::{self, Remembered};
use storage::{Conn, Error, Tx, prices};

use super::file::{END, country_text, read};
use super::lists::{note, of_owner_by_id};
use super::preview::{self, Preview};
use super::{COLUMNS, ERRORS_MAX, ImportError, Imported, Pair, RowError, TEXT_MAX, check_costs, tell_payers};
use crate::again::again;
use crate::audit::Changes;
use crate::base::Base;
use crate::sheet::harmless;

/// What became of a file that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was taken in now.
    Now(Imported),
    /// The same form had been sent before: nothing was done again.
    Before,
}

/// Takes a file of prices into the operator's list of a name, which is made if there is none. All of it is
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
    let imported = take(&mut tx, list, rows, allow_below_cost, actor, now).await?;
    tx.commit().await?;
    Ok(imported)
}

/// Whether a full name is of a list that an account has made.
pub(super) fn is_of_account(name: &str) -> bool {
    name.split_once('/').is_some_and(|(number, _)| number.parse::<u64>().is_ok())
}

/// Takes rows into a list, writes it down, and sees to it that nobody sells below cost.
async fn take(
    tx: &mut Tx,
    list: List,
    rows: &[(u64, NewRow)],
    allow_below_cost: bool,
    actor: &Actor,
    now: Moment,
) -> Result<Imported, ImportError> {
    let new: Vec<NewRow> = rows.iter().map(|(_, row)| row.clone()).collect();
    let stored = prices::store(tx, list.id, &new, actor, now).await?;
    if !stored.fixed.is_empty() {
        return Err(fixed(rows, &stored.fixed));
    }
    let Stored { added, replaced, unchanged, .. } = stored;
    if added + replaced > 0 {
        let changes = Changes::new().new_field("added", added).new_field("replaced", replaced);
        note(tx, &list, actor, "prices.import", &changes, now).await?;
        // In the logs of those who pay by it, it has no name.
        tell_payers(tx, &list, "prices.import", &changes, actor, now).await?;
    }
    let concerns = |pair: &Pair<'_>| pair.own == list.id || pair.above == list.id;
    match check_costs(tx, now, allow_below_cost, concerns).await? {
        Some(loss) => Err(ImportError::BelowCost(loss)),
        None => Ok(Imported { list, added, replaced, unchanged }),
    }
}

/// Rows that name versions which count already.
fn fixed(rows: &[(u64, NewRow)], fixed: &[(usize, Option<Credits>)]) -> ImportError {
    let word = |price: Option<Credits>| price.map_or_else(|| END.to_owned(), |price| price.to_string());
    let error = |(place, price): &(usize, Option<Credits>)| RowError {
        line: rows[*place].0,
        field: "price",
        problem: format!(
            "{} differs from {}, which counts since this effective_from or will within a minute and cannot be changed; write a later effective_from",
            word(rows[*place].1.price),
            word(*price)
        ),
    };
    ImportError::Rows(fixed.iter().take(ERRORS_MAX).map(error).collect(), fixed.len())
}

/// Tells what a file would do to a list of an owner (nothing is the operator), and to whom. Nothing is done.
///
/// # Errors
/// [`ImportError`] with all that is wrong with the file, by line and column.
pub async fn check(
    base: &Base,
    owner: Option<AccountId>,
    list: PriceListId,
    file: &[u8],
) -> Result<Preview, ImportError> {
    let rows = read(file, &base.rules.time_zone)?;
    let mut conn = base.db.read().await?;
    let list = of_owner_by_id(&mut conn, owner, list).await?.ok_or(ImportError::NotFound)?;
    let now = base.clock.now();
    let known = prices::rows(&mut conn, list.id).await?;
    let new: Vec<NewRow> = rows.iter().map(|(_, row)| row.clone()).collect();
    let steps = plan(&known, &new, now);
    let not_possible = |(place, step): (usize, &prices::Step)| match step.effect {
        Effect::Fixed(price) => Some((place, price)),
        _ => None,
    };
    let not_possible: Vec<_> = steps.iter().enumerate().filter_map(not_possible).collect();
    if !not_possible.is_empty() {
        return Err(fixed(&rows, &not_possible));
    }
    let token = token(&mut conn, list.id, file).await?;
    Ok(preview::of(base, &mut conn, token, list, known, &rows, &steps, now).await?)
}

/// Does what [`check`] has told with this token: all of it, or nothing. Sent again it does nothing more.
///
/// # Errors
/// [`ImportError::Changed`] when the file is another one, or the list has changed since; the others as they
/// say.
pub async fn apply(
    base: &Base,
    (owner, list): (Option<AccountId>, PriceListId),
    file: &[u8],
    told: &str,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<Applied, ImportError> {
    let rows = read(file, &base.rules.time_zone)?;
    let applied =
        again(|| apply_once(base, (owner, list), (file, &rows), told, allow_below_cost, actor)).await?;
    base.refresh().await?;
    Ok(applied)
}

async fn apply_once(
    base: &Base,
    (owner, list): (Option<AccountId>, PriceListId),
    (file, rows): (&[u8], &[(u64, NewRow)]),
    told: &str,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<Applied, ImportError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    prices::lock_all(&mut tx).await?;
    let list = of_owner_by_id(&mut tx, owner, list).await?.ok_or(ImportError::NotFound)?;
    let key = format!("prices {told}");
    let whose = owner.unwrap_or(requests::OPERATOR);
    match requests::remember(&mut tx, whose, &key, &digest(list.id, 0, file), now).await? {
        Remembered::Same(_) => return Ok(Applied::Before),
        Remembered::Other => return Err(ImportError::Changed),
        Remembered::New(_) => {}
    }
    if token(&mut tx, list.id, file).await? != told {
        return Err(ImportError::Changed);
    }
    let imported = take(&mut tx, list, rows, allow_below_cost, actor, now).await?;
    tx.commit().await?;
    Ok(Applied::Now(imported))
}

/// A name of a file for a list as it is.
async fn token(conn: &mut Conn, list: PriceListId, file: &[u8]) -> Result<String, Error> {
    Ok(digest(list, history::latest(conn, list).await?, file))
}

fn digest(list: PriceListId, latest: i64, file: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(list.0.to_be_bytes());
    hash.update(latest.to_be_bytes());
    hash.update(file);
    domain::text::hex_of_octets(&hash.finalize())
}

/// A list as a file: every version of every price. `None` when there is no such list.
pub async fn export(base: &Base, list: &str) -> Result<Option<String>, Error> {
    let mut conn = base.db.read().await?;
    let Some(list) = prices::by_name(&mut conn, list).await? else { return Ok(None) };
    written(prices::rows(&mut conn, list.id).await?.iter().map(|(row, comment)| (row, comment.as_str())))
        .map(Some)
}

/// Rows as a file that can be taken in again.
pub(super) fn written<'a>(
    rows: impl Iterator<Item = (&'a domain::price::PriceRow, &'a str)>,
) -> Result<String, Error> {
    let mut file = csv::Writer::from_writer(Vec::new());
    let fault = |e: &dyn std::fmt::Display| Error::Fault(format!("the prices cannot be written: {e}"));
    file.write_record(COLUMNS).map_err(|e| fault(&e))?;
    for (row, comment) in rows {
        let d = &row.destination;
        let from =
            Timestamp::from_microsecond(row.effective_from.0).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        let price = row.price.map_or_else(|| END.to_owned(), |price| price.to_string());
        let fields = [d.product.as_str(), country_text(d), &d.network, &price, &from, &harmless(comment)];
        file.write_record(fields).map_err(|e| fault(&e))?;
    }
    let bytes = file.into_inner().map_err(|e| fault(&e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
