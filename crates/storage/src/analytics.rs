//! Sums of the statistics: how much of what, by day, country, label or account. Reads only, one
//! statement each.

use domain::account::Account;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::product::Product;

use crate::db::{Conn, Error, Result, Value};

/// Whose statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One account's alone.
    One(AccountId),
    /// An account's and those of all below it.
    Tree {
        /// The main account of the tree.
        root: AccountId,
        /// The account's path, as stored.
        path: String,
    },
}

impl Whose {
    /// An account's and those of all below it.
    pub fn tree(account: &Account) -> Whose {
        Whose::Tree { root: account.root(), path: account.path.iter().map(|id| format!("{id}/")).collect() }
    }
}

/// What the sums are parted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The date, as `20260105`.
    Day,
    /// The country's two letters; empty when none.
    Country,
    /// The label; empty when none.
    Label,
    /// The account.
    Account,
}

/// Which statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Whose.
    pub whose: Whose,
    /// From this date, as 20260105.
    pub first_day: i64,
    /// To this date, included.
    pub last_day: i64,
    /// With this label only.
    pub label: Option<&'a str>,
}

/// A sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// What it is of: the date, the country, the label, or the account's name.
    pub of: String,
    /// The account, when parted by accounts; else 0.
    pub account: AccountId,
    /// What was sold.
    pub product: Product,
    /// How many.
    pub accepted: i64,
    /// What they cost, what was given back taken off.
    pub cost: Credits,
}

/// Sums of the statistics, in the order of what they are parted by.
pub async fn sums(conn: &mut Conn, by: By, filter: &Filter<'_>) -> Result<Vec<Sum>> {
    let mut params: Vec<Value<'_>> = vec![filter.first_day.into(), filter.last_day.into()];
    // An account below is found by the path it begins with; ids and slashes mean nothing to `like`.
    let prefix;
    let whose = match &filter.whose {
        Whose::One(account) => {
            params.push(account.0.into());
            "s.account_id = $3"
        }
        Whose::Tree { root, path } => {
            prefix = format!("{path}%");
            params.extend([root.0.into(), Value::from(&prefix)]);
            "s.account_id in (select id from accounts where root_id = $3 and path like $4)"
        }
    };
    let label = match filter.label {
        None => String::new(),
        Some(label) => {
            params.push(label.into());
            format!("and s.label = ${}", params.len())
        }
    };
    // Nothing a caller wrote is in the text: these are words of ours.
    let (of, account, join, group) = match by {
        By::Day => ("cast(s.day as text)", "cast(0 as bigint)", "", "s.day"),
        By::Country => ("s.country", "cast(0 as bigint)", "", "s.country"),
        By::Label => ("s.label", "cast(0 as bigint)", "", "s.label"),
        By::Account => (
            "coalesce(nullif(min(a.company), ''), min(a.owner))",
            "s.account_id",
            "join accounts a on a.id = s.account_id",
            "s.account_id",
        ),
    };
    let sql = format!(
        "select {of}, {account}, s.product, cast(sum(s.accepted) as bigint),
            cast(sum(s.cost) - sum(s.refunds) as bigint)
        from statistics s {join}
        where {whose}
        and s.day between $1 and $2 {label}
        group by {group}, s.product
        order by {group}, s.product"
    );
    let rows = conn.query(&sql, &params).await?;
    let sum = |mut row: crate::db::Row| {
        let product = row.int(2)?;
        Ok(Sum {
            account: AccountId(row.int(1)?),
            product: Product::from_code(product)
                .ok_or_else(|| Error::unreadable("statistics.product", product))?,
            accepted: row.int(3)?,
            cost: Credits(row.int(4)?),
            of: row.take_text(0),
        })
    };
    rows.into_iter().map(sum).collect()
}
