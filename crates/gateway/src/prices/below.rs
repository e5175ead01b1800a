//! The prices of an account as those above it set them: the same as above, a list of theirs, or what
//! they pay themselves with a markup. Lists of an account are for those below it alone.

use std::collections::BTreeSet;

use domain::account::Account;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, PriceListId};
use domain::markup::Markup;
use domain::moment::Moment;
use domain::price::{Destination, PriceList};
use storage::prices::{List, NewRow};
use storage::{Conn, Error, Tx, accounts, prices};

use super::{AssignError, LISTS_MAX, TEXT_MAX, put, tell_payers};
use crate::again::again;
use crate::audit::{self, Changes};
use crate::base::Base;

/// By which prices an account is to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// By those of the account above it.
    Inherit,
    /// By a list of the account that sets them.
    List(PriceListId),
    /// By what the account that sets them pays itself, with a markup.
    Markup(NewMarkup),
}

/// A markup on the prices of the account that sets it. It is put on them once, as they are and as they
/// are known to become; when they change otherwise, it is put on them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMarkup {
    /// What the list that holds the prices is called: that of the account, or a new one.
    pub name: String,
    /// How much.
    pub markup: Markup,
    /// From when on, if not from now; until then the account pays what it does now.
    pub from: Option<Moment>,
}

/// Sets by which prices an account below `above` pays, at any distance.
///
/// # Errors
/// [`AssignError::BelowCost`] when it, or one below it, would sell for less than the account above pays
/// and that is not allowed; the others as they say. Nothing has changed then.
pub async fn choose(
    base: &Base,
    above: &Account,
    account: AccountId,
    choice: &Choice,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<(), AssignError> {
    again(|| choose_once(base, above, account, choice, allow_below_cost, actor)).await?;
    Ok(base.refresh().await?)
}

async fn choose_once(
    base: &Base,
    above: &Account,
    id: AccountId,
    choice: &Choice,
    allow_below_cost: bool,
    actor: &Actor,
) -> Result<(), AssignError> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    prices::lock_all(&mut tx).await?;
    let found = accounts::find(&mut tx, id).await?.filter(|found| above.is_above(found));
    let found = found.ok_or(AssignError::NotFound(id))?;
    let list = match choice {
        Choice::Inherit => None,
        Choice::List(list) => {
            let known = prices::by_id(&mut tx, *list).await?.filter(|known| known.owner == Some(above.id));
            Some(known.ok_or(AssignError::NotYours(*list))?)
        }
        Choice::Markup(new) => Some(mark_up(&mut tx, above, &found, new, actor, now).await?),
    };
    put(&mut tx, &found, list.as_ref(), Some(above), allow_below_cost, actor, now).await?;
    Ok(tx.commit().await?)
}

/// The list of a markup, with the prices it makes.
async fn mark_up(
    tx: &mut Tx,
    above: &Account,
    account: &Account,
    new: &NewMarkup,
    actor: &Actor,
    now: Moment,
) -> Result<List, AssignError> {
    let name = new.name.trim();
    let length = name.chars().count();
    if !(1..=TEXT_MAX).contains(&length) {
        return Err(AssignError::Name(length));
    }
    let (cost, paid) = (counting(tx, above).await?, counting(tx, account).await?);
    if cost.is_empty() {
        return Err(AssignError::NoPrices(above.id));
    }
    let list = match prices::of_owner(tx, above.id, name).await? {
        Some(list) if account.price_list == Some(list.id) => list,
        Some(_) => return Err(AssignError::NameTaken(name.to_owned())),
        None if prices::owned(tx, Some(above.id)).await?.len() >= LISTS_MAX => {
            return Err(AssignError::TooMany);
        }
        None => prices::make(tx, Some(above.id), name, now).await?,
    };
    let held = PriceList::of(prices::rows(tx, list.id).await?.into_iter().map(|(row, _)| row));
    let from = new.from.filter(|from| *from > now);
    let rows = marked_up(&Lists { cost: &cost, paid: &paid, held: &held }, new.markup, from, now);
    let stored = prices::store(tx, list.id, &rows, actor, now).await?;
    if !stored.fixed.is_empty() {
        return Err(AssignError::Fixed);
    }
    let changes = Changes::new()
        .new_field("markup", format!("{} %", new.markup))
        .new_field("from", from.map(audit::time))
        .new_field("added", stored.added)
        .new_field("replaced", stored.replaced);
    let subject = format!("price list '{name}'");
    audit::note(tx, above, actor, "prices.mark_up", &subject, &changes, now).await?;
    if stored.added + stored.replaced > 0 {
        // How much is put on what is paid above is not for those who pay it.
        let changes = Changes::new().new_field("added", stored.added).new_field("replaced", stored.replaced);
        tell_payers(tx, &list, "prices.change", &changes, actor, now).await?;
    }
    Ok(list)
}

/// The list that counts for an account: its own, else the next one above, else the standard one.
async fn counting(conn: &mut Conn, account: &Account) -> Result<PriceList, Error> {
    let mut list = None;
    for id in account.path.iter().rev() {
        list = accounts::find(conn, *id).await?.and_then(|account| account.price_list);
        if list.is_some() {
            break;
        }
    }
    let list = match list {
        Some(list) => Some(list),
        None => prices::by_name(conn, prices::STANDARD).await?.map(|list| list.id),
    };
    let rows = match list {
        Some(list) => prices::rows(conn, list).await?,
        None => Vec::new(),
    };
    Ok(PriceList::of(rows.into_iter().map(|(row, _)| row)))
}

/// What a markup is worked out from.
struct Lists<'a> {
    /// What the account that sets it pays.
    cost: &'a PriceList,
    /// What the account it is set for pays now.
    paid: &'a PriceList,
    /// What the list has already.
    held: &'a PriceList,
}

/// The rows of a list with a markup: from its beginning on what is paid above with it, before that what
/// the account pays now. A row for each time at which the price changes, and for each later version the
/// list has already, so that of an earlier markup nothing remains where there is a price above.
fn marked_up(lists: &Lists<'_>, markup: Markup, from: Option<Moment>, now: Moment) -> Vec<NewRow> {
    let begins = from.unwrap_or(now);
    let mut times: BTreeSet<Moment> = [now, begins].into();
    times.extend(lists.paid.changes_after(now).into_iter().filter(|at| *at < begins));
    times.extend(lists.cost.changes_after(begins));
    times.extend(lists.held.changes_after(now));
    let price = |to: &Destination, at: Moment| -> Option<Credits> {
        let of = |list: &PriceList| list.price(to.product, to.country, &to.network, at).map(|p| p.amount);
        if at < begins { of(lists.paid) } else { of(lists.cost).map(|cost| markup.on(cost)) }
    };
    let all = [lists.cost, lists.paid, lists.held];
    let destinations: BTreeSet<&Destination> = all.into_iter().flat_map(PriceList::destinations).collect();
    let mut rows = Vec::new();
    for to in destinations {
        let mut last = None;
        for at in &times {
            let Some(price) = price(to, *at) else { continue };
            if last == Some(price) && !lists.held.has_version(to, *at) {
                continue;
            }
            last = Some(price);
            rows.push(NewRow {
                destination: to.clone(),
                price: Some(price),
                effective_from: Some(*at).filter(|at| *at > now),
                comment: String::new(),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use domain::id::PriceRowId;
    use domain::phone_number::Country;
    use domain::price::PriceRow;
    use domain::product::Product;

    use super::*;

    fn list(rows: &[(&str, i64, i64)]) -> PriceList {
        PriceList::of(rows.iter().enumerate().map(|(id, (country, price, from))| PriceRow {
            id: PriceRowId(id as i64),
            destination: to(country),
            price: Some(Credits(*price)),
            effective_from: Moment(*from),
        }))
    }

    fn to(country: &str) -> Destination {
        Destination { product: Product::Sms, country: Country::parse(country), network: String::new() }
    }

    fn told(rows: &[NewRow]) -> Vec<(&str, i64, Option<i64>)> {
        let letters =
            |row: &NewRow| row.destination.country.map_or("*", |c| if c == de() { "DE" } else { "FR" });
        rows.iter()
            .map(|row| (letters(row), row.price.unwrap().0, row.effective_from.map(|at| at.0)))
            .collect()
    }

    fn de() -> Country {
        Country::parse("DE").unwrap()
    }

    #[test]
    fn a_markup_is_on_every_price_that_is_paid_now_or_known_to_come() {
        let cost = list(&[("DE", 100, 0), ("DE", 120, 500), ("*", 200, 0)]);
        let (paid, held) = (PriceList::default(), PriceList::default());
        let lists = Lists { cost: &cost, paid: &paid, held: &held };
        let rows = marked_up(&lists, "50".parse().unwrap(), None, Moment(10));
        assert_eq!(told(&rows), [("*", 300, None), ("DE", 150, None), ("DE", 180, Some(500))]);
    }

    #[test]
    fn until_it_begins_the_account_pays_what_it_does() {
        let cost = list(&[("DE", 100, 0), ("DE", 120, 500)]);
        let paid = list(&[("DE", 110, 0), ("DE", 115, 200), ("DE", 119, 400), ("FR", 90, 0)]);
        let held = PriceList::default();
        let lists = Lists { cost: &cost, paid: &paid, held: &held };
        let rows = marked_up(&lists, "50".parse().unwrap(), Some(Moment(300)), Moment(10));
        #[rustfmt::skip]
        assert_eq!(told(&rows), [
            ("DE", 110, None), ("DE", 115, Some(200)), ("DE", 150, Some(300)), ("DE", 180, Some(500)),
            ("FR", 90, None),
        ]);
    }

    #[test]
    fn nothing_of_an_earlier_markup_remains() {
        let cost = list(&[("DE", 100, 0)]);
        let held = list(&[("DE", 110, 0), ("DE", 170, 700)]);
        let lists = Lists { cost: &cost, paid: &held, held: &held };
        let rows = marked_up(&lists, "20".parse().unwrap(), None, Moment(10));
        assert_eq!(told(&rows), [("DE", 120, None), ("DE", 120, Some(700))]);
    }
}
