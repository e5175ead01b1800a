//! `/v1/price-lists` and `/v1/accounts/{account}/price-list`: the price lists of the account that is
//! acted in, and by which prices the accounts below it pay.

use axum::Json;
use axum::http::StatusCode;
use domain::account::Account;
use domain::id::PriceListId;
use domain::markup::Markup;
use gateway::prices::{self, AssignError, Choice, List, NewMarkup, Overview, Source};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::problem::{Kind, Problem};
use super::values::{Body, Named, Page, Time};

/// A price list of the account that is acted in.
#[derive(Serialize, ToSchema)]
pub struct PriceList {
    /// Its number.
    #[schema(example = 2001)]
    id: i64,
    /// What it is called.
    #[schema(example = "agencies")]
    name: String,
    /// How many accounts below pay by it.
    #[schema(example = 3)]
    accounts: i64,
}

/// List price lists
///
/// The price lists of the account that is acted in, by their names. They are for the accounts below it.
#[utoipa::path(
    get,
    path = "/v1/price-lists",
    operation_id = "listPriceLists",
    tag = "Prices",
    responses((status = 200, description = "All of them.", body = Page<PriceList>))
)]
pub async fn list(asked: Asked) -> Result<Json<Page<PriceList>>, Problem> {
    let lists = prices::of_owner(asked.gateway(), Some(asked.account.id)).await?;
    let item =
        |Overview { list: List { id, name, .. }, accounts, .. }| PriceList { id: id.0, name, accounts };
    Ok(Json(Page { items: lists.into_iter().map(item).collect(), next_cursor: None }))
}

/// By which prices an account pays.
#[derive(Serialize, ToSchema)]
pub struct AccountPriceList {
    /// The account.
    #[schema(example = 1900002)]
    account: i64,
    /// Whether it has a price list of its own. Else it pays what the account above it pays.
    own: bool,
    /// That list, where it is one of the account that is acted in; else null.
    #[schema(example = 2001)]
    price_list: Option<i64>,
    /// What that list is called; null where there is none to know.
    #[schema(example = "agencies")]
    name: Option<String>,
}

impl AccountPriceList {
    async fn of(asked: &Asked, account: &Account) -> Result<AccountPriceList, Problem> {
        let source = prices::source(asked.gateway(), &asked.account, account).await?;
        let own = match &source {
            Source::Own(list) => Some(list),
            _ => None,
        };
        let ours = own.filter(|list| list.owner == Some(asked.account.id));
        Ok(AccountPriceList {
            account: account.id.0,
            own: own.is_some(),
            price_list: ours.map(|list| list.id.0),
            name: ours.map(|list| list.name.clone()),
        })
    }
}

/// By which prices an account is to pay: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccountPriceList {
    /// A price list of the account that is acted in.
    #[serde(default)]
    #[schema(example = 2001, minimum = 1)]
    price_list: Option<i64>,
    /// What the account that is acted in pays itself, with a markup.
    #[serde(default)]
    markup: Option<NewPriceMarkup>,
    /// Whether it may sell below what the account above pays. The difference is that account's loss.
    #[serde(default)]
    allow_below_cost: bool,
}

/// A markup on what the account that is acted in pays now, and is known to pay later. It is worked out
/// once: when those prices change otherwise, set it again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPriceMarkup {
    /// The list that holds the prices: a new name makes a new list, and the name of the list that the
    /// account has puts them into that one. At most 200 characters.
    #[schema(min_length = 1, max_length = 200, example = "agencies")]
    name: String,
    /// How much, in percent, with at most two decimals; from -100 to 1000.
    #[schema(pattern = r"^-?[0-9]{1,4}(\.[0-9]{1,2})?$", example = "12.5")]
    percent: String,
    /// From when on; null or absent is now. Until then the account pays what it does now.
    #[serde(default)]
    effective_from: Option<Time>,
}

impl NewAccountPriceList {
    fn choice(&self) -> Result<Choice, Problem> {
        match (self.price_list, &self.markup) {
            (Some(id), None) => Ok(Choice::List(PriceListId(id))),
            (None, Some(new)) => Ok(Choice::Markup(NewMarkup {
                name: new.name.clone(),
                markup: new
                    .percent
                    .parse::<Markup>()
                    .map_err(|error| Problem::field("markup.percent", error))?,
                from: new.effective_from.map(|at| at.0),
            })),
            _ => Err(Problem::field("price_list", "give either price_list or markup, and not both")),
        }
    }
}

/// Read the price list of an account
///
/// By which prices an account below the one that is acted in pays.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/price-list",
    operation_id = "readAccountPriceList",
    tag = "Prices",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    responses((status = 200, description = "By which prices it pays.", body = AccountPriceList))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<AccountPriceList>, Problem> {
    let account = asked.below(id).await?;
    AccountPriceList::of(&asked, &account).await.map(Json)
}

/// Set the price list of an account
///
/// From now on, or from the time of a markup, the account pays by these prices; what they are above what
/// the account above it pays is that account's margin. Refused when it, or an account below it, would
/// sell for less than the account above pays, unless that is allowed.
#[utoipa::path(
    put,
    path = "/v1/accounts/{account}/price-list",
    operation_id = "setAccountPriceList",
    tag = "Prices",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    request_body = NewAccountPriceList,
    responses((status = 200, description = "By which prices it pays now.", body = AccountPriceList))
)]
pub async fn set(
    asked: Asked,
    Named(id): Named<i64>,
    Body(new): Body<NewAccountPriceList>,
) -> Result<Json<AccountPriceList>, Problem> {
    let account = asked.below(id).await?;
    choose(&asked, &account, &new.choice()?, new.allow_below_cost).await?;
    let account = asked.below(id).await?;
    AccountPriceList::of(&asked, &account).await.map(Json)
}

/// Remove the price list of an account
///
/// From now on the account pays what the account above it pays. Doing so again changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}/price-list",
    operation_id = "removeAccountPriceList",
    tag = "Prices",
    params(("account" = i64, Path, description = "An account below the one that is acted in.", minimum = 1)),
    responses((status = 204, description = "It has no list of its own now."))
)]
pub async fn remove(asked: Asked, Named(id): Named<i64>) -> Result<StatusCode, Problem> {
    let account = asked.below(id).await?;
    choose(&asked, &account, &Choice::Inherit, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn choose(asked: &Asked, account: &Account, choice: &Choice, allow: bool) -> Result<(), Problem> {
    let actor = asked.actor_for(account);
    let chosen = prices::choose(asked.gateway(), &asked.account, account.id, choice, allow, &actor).await;
    chosen.map_err(|error| match error {
        AssignError::Storage(error) => error.into(),
        AssignError::NotFound(id) => Problem::not_found(format!("account {id}")),
        AssignError::Closed(id) => Problem::new(Kind::AccountClosed, error).with("account", id.0),
        AssignError::BelowCost(ref loss) => {
            let (account, below) = (loss.account.0, loss.below.clone());
            Problem::new(Kind::BelowCost, error)
                .with("account", account)
                .with_amount("price", below.price)
                .with_amount("cost", below.cost)
        }
        AssignError::NotYours(_) | AssignError::NoList(_) => Problem::field("price_list", error),
        AssignError::Name(_) | AssignError::NameTaken(_) | AssignError::TooMany => {
            Problem::field("markup.name", error)
        }
        AssignError::NoPrices(_) => Problem::field("markup", error),
        AssignError::Fixed => Problem::new(Kind::Busy, error),
    })
}
