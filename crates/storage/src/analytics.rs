//! Sums of the statistics, parted by up to two properties, over one account or a tree. Reads only.
//!
//! Whatever is asked, it is answered from the smallest table that can: one account from the statistics
//! themselves, a tree by one property from `tree_statistics`, a tree by two from `month_statistics` and,
//! for the days before the first and after the last whole month, from the statistics.

use std::collections::HashMap;

use domain::account::Account;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::product::Product;

use crate::accounts::{path_text, within};
use crate::db::{Conn, Error, Result, Value};
use crate::rollups::Property;
use crate::statistics::Counts;

/// Whose statistics.
#[expect(clippy::large_enum_variant, reason = "made once a question, never held in numbers")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One account's alone.
    One(AccountId),
    /// An account's and those of all below it.
    Tree(Account),
}

/// What the sums are parted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The date, as `20260105`.
    Day,
    /// The month, as `202601`.
    Month,
    /// The country's two letters; empty when none.
    Country,
    /// The label; empty when none.
    Label,
    /// Who the messages were from.
    Sender,
    /// The account, by its number.
    Account,
}

impl By {
    fn property(self) -> Option<Property> {
        match self {
            By::Day | By::Month => None,
            By::Country => Some(Property::Country),
            By::Label => Some(Property::Label),
            By::Sender => Some(Property::Sender),
            By::Account => Some(Property::Account),
        }
    }

    /// The column of the statistics.
    fn column(self) -> &'static str {
        match self {
            By::Day => "cast(day as text)",
            By::Month => "cast(day / 100 as text)",
            By::Country => "country",
            By::Label => "label",
            By::Sender => "sender",
            By::Account => "cast(account_id as text)",
        }
    }
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
    /// With this label only; empty is without any.
    pub label: Option<&'a str>,
    /// To this country only.
    pub country: Option<&'a str>,
    /// From this sender only.
    pub sender: Option<&'a str>,
    /// Only these values of one of the properties.
    pub only: Option<(By, &'a [String])>,
}

impl<'a> Filter<'a> {
    /// All statistics of these dates.
    pub fn of(whose: Whose, first_day: i64, last_day: i64) -> Filter<'a> {
        let (first_day, last_day) = (first_day.max(19_700_101), last_day.min(99_991_231));
        Filter { whose, first_day, last_day, label: None, country: None, sender: None, only: None }
    }

    fn wanted(&self) -> impl Iterator<Item = (By, &'a str)> {
        let all = [(By::Label, self.label), (By::Country, self.country), (By::Sender, self.sender)];
        all.into_iter().filter_map(|(by, wanted)| Some((by, wanted?)))
    }
}

/// A sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is of, in the order of what was asked for.
    pub of: [String; 2],
    /// What was sold.
    pub product: Product,
    /// The sum.
    pub counts: Counts,
}

/// Sums of the statistics, parted by one or two properties (or by none), in the order of their keys.
pub async fn parted(conn: &mut Conn, by: &[By], filter: &Filter<'_>) -> Result<Vec<Part>> {
    let mut sums =
        Sums { by: [by.first().copied(), by.get(1).copied()], all: HashMap::new(), key: String::new() };
    match &filter.whose {
        Whose::One(account) => sums.of_accounts(conn, filter, &[account.0]).await?,
        Whose::Tree(node) => {
            let ids = match filter.only {
                Some((By::Account, values)) => Some(values.iter().filter_map(|id| id.parse().ok()).collect()),
                _ => None,
            };
            match ids {
                // Those it is held to are asked for by themselves, if they are of the tree.
                Some(ids) => {
                    let ids = of_tree(conn, node, ids).await?;
                    sums.of_accounts(conn, filter, &ids).await?;
                }
                None => {
                    sums.of_accounts(conn, filter, &[node.id.0]).await?;
                    sums.below(conn, filter, node).await?;
                }
            }
        }
    }
    sums.parts()
}

/// Those of these accounts that are the node or below it.
async fn of_tree(conn: &mut Conn, node: &Account, ids: Vec<i64>) -> Result<Vec<i64>> {
    let path = path_text(&node.path);
    let below = within("path", "cast($3 as text)");
    let sql =
        format!("select id from accounts where id in list($1) and root_id = $2 and {below} order by id");
    let params = [ids.as_slice().into(), node.root().0.into(), Value::from(&path)];
    conn.query(&sql, &params).await?.iter().map(|row| row.int(0)).collect()
}

/// Accounts below up to which the statistics themselves are asked about two properties.
const EACH_MAX: usize = 64;

const COUNTS: &str = "accepted, segments, delivered, failed, cost, refunds";
const SUMS: &str =
    "cast(sum(accepted) as bigint), cast(sum(segments) as bigint), cast(sum(delivered) as bigint),
            cast(sum(failed) as bigint), cast(sum(cost) as bigint), cast(sum(refunds) as bigint)";

/// What is added up, by the two keys and the product, with something no key holds between them.
struct Sums {
    by: [Option<By>; 2],
    all: HashMap<String, Counts>,
    key: String,
}

const BETWEEN: char = '\u{1F}';

impl Sums {
    /// Adds what accounts have in the statistics themselves.
    async fn of_accounts(&mut self, conn: &mut Conn, filter: &Filter<'_>, ids: &[i64]) -> Result<()> {
        let rows = "statistics where account_id in list($1) and day >= $2 and day <= $3";
        let params = vec![ids.into(), filter.first_day.into(), filter.last_day.into()];
        let columns = self.by.map(|by| by.map_or("''", By::column));
        self.add(conn, filter, rows, columns, params, 1).await
    }

    /// Adds what the accounts below a node have.
    async fn below(&mut self, conn: &mut Conn, filter: &Filter<'_>, node: &Account) -> Result<()> {
        let mut properties: Vec<Property> = self.by.iter().flatten().filter_map(|by| by.property()).collect();
        properties.extend(filter.wanted().filter_map(|(by, _)| by.property()));
        properties.extend(filter.only.and_then(|(by, _)| by.property()));
        properties.sort_unstable();
        properties.dedup();
        match properties.as_slice() {
            [] => self.of_tree(conn, filter, node, Property::All).await,
            [one] => self.of_tree(conn, filter, node, *one).await,
            _ => self.of_months(conn, filter, node).await,
        }
    }

    /// By one property.
    async fn of_tree(
        &mut self,
        conn: &mut Conn,
        filter: &Filter<'_>,
        node: &Account,
        property: Property,
    ) -> Result<()> {
        let of_period = |by: By, is_month: bool| match by {
            By::Day => "cast(period as text)",
            By::Month if is_month => "cast(period as text)",
            By::Month => "cast(period / 100 as text)",
            _ => "value",
        };
        let value = filter.wanted().map(|(_, value)| vec![value.to_owned()]).next();
        let values = value.as_deref().or(filter.only.map(|(_, values)| values));
        let by_day = self.by.contains(&Some(By::Day)) || !property.has_months();
        for Span { first, last, sign } in spans(filter.first_day, filter.last_day, by_day) {
            let columns = self.by.map(|by| by.map_or("''", |by| of_period(by, first < MONTHS_END)));
            let mut params: Vec<Value<'_>> = vec![node.id.0.into(), property.code().into()];
            let periods;
            let rows = match values {
                // Few values of many are found one by one: the key goes on with the value.
                Some(values) => {
                    periods = periods_of(first, last);
                    params.extend([Value::Ints(&periods), Value::Texts(values)]);
                    "tree_statistics where node_id = $1 and kind = $2 and period in list($3) and value in list($4)"
                }
                None => {
                    params.extend([Value::Int(first), Value::Int(last)]);
                    "tree_statistics where node_id = $1 and kind = $2 and period >= $3 and period <= $4"
                }
            };
            let all = Filter::of(Whose::One(node.id), 0, 0);
            self.add(conn, &all, rows, columns, params, sign).await?;
        }
        Ok(())
    }

    /// By several properties.
    async fn of_months(&mut self, conn: &mut Conn, filter: &Filter<'_>, node: &Account) -> Result<()> {
        let path = path_text(&node.path);
        let below = format!(
            "select id from accounts where root_id = $1 and id <> $2 and {}",
            within("path", "cast($3 as text)")
        );
        let sql = format!("{below} limit $4");
        let params =
            [node.root().0.into(), node.id.0.into(), Value::from(&path), (EACH_MAX as i64 + 1).into()];
        let few = conn.query(&sql, &params).await?;
        if few.len() <= EACH_MAX {
            let ids = few.iter().map(|row| row.int(0)).collect::<Result<Vec<_>>>()?;
            return self.of_accounts(conn, filter, &ids).await;
        }
        let others = "account_id <> $2 and length($3) > 0";
        let of_months =
            if node.parent.is_some() { format!("account_id in ({below})") } else { others.to_owned() };
        let by_day = self.by.contains(&Some(By::Day));
        for Span { first, last, sign } in spans(filter.first_day, filter.last_day, by_day) {
            let params: Vec<Value<'_>> =
                vec![node.root().0.into(), node.id.0.into(), Value::from(&path), first.into(), last.into()];
            let columns = self.by.map(|by| match by {
                Some(By::Month) if first < MONTHS_END => "cast(month as text)",
                Some(by) => by.column(),
                None => "''",
            });
            let rows = if first < MONTHS_END {
                format!("month_statistics where root_id = $1 and month >= $4 and month <= $5 and {of_months}")
            } else {
                format!("statistics where account_id in ({below}) and day >= $4 and day <= $5")
            };
            self.add(conn, filter, &rows, columns, params, sign).await?;
        }
        Ok(())
    }

    /// Adds the rows of a table, or takes them off. SQLite gives the rows and they are added up here,
    /// which is faster than its sorting; PostgreSQL gives sums, so that little has to travel.
    async fn add<'a>(
        &mut self,
        conn: &mut Conn,
        filter: &'a Filter<'_>,
        rows: &str,
        columns: [&str; 2],
        mut params: Vec<Value<'a>>,
        sign: i64,
    ) -> Result<()> {
        let mut fits = String::new();
        for (by, wanted) in filter.wanted() {
            params.push(wanted.into());
            fits += &format!(" and {} = ${}", by.column(), params.len());
        }
        if let Some((by, values)) = filter.only.filter(|(by, _)| *by != By::Account) {
            params.push(values.into());
            fits += &format!(" and {} in list(${})", by.column(), params.len());
        }
        let [one, two] = columns;
        let sql = if conn.is_sqlite() {
            format!("select {one}, {two}, product, {COUNTS} from {rows}{fits}")
        } else {
            format!("select {one}, {two}, product, {SUMS} from {rows}{fits} group by 1, 2, 3")
        };
        let Sums { all, key, .. } = self;
        conn.scan(&sql, &params, |row| {
            key.clear();
            key.push_str(row.str(0));
            key.push(BETWEEN);
            key.push_str(row.str(1));
            key.push(BETWEEN);
            key.push_str(if row.int(2)? == 0 { "0" } else { "1" });
            if row.int(2)? > 0 {
                key.push_str(&row.int(2)?.to_string());
            }
            let counts = Counts::read(row, 3)?;
            let sum = match all.get_mut(key.as_str()) {
                Some(sum) => sum,
                None => all.entry(key.clone()).or_default(),
            };
            if sign > 0 {
                sum.add(&counts)
            } else {
                sum.subtract(&counts)
            }
            Ok(())
        })
        .await
    }

    fn parts(self) -> Result<Vec<Part>> {
        let part = |(key, counts): (String, Counts)| {
            let mut pieces = key.split(BETWEEN);
            let mut piece = || pieces.next().unwrap_or_default();
            let of = [piece().to_owned(), piece().to_owned()];
            let code = match piece() {
                "0" => 0,
                other => other[1..].parse().unwrap_or(-1),
            };
            let product =
                Product::from_code(code).ok_or_else(|| Error::unreadable("statistics.product", code))?;
            Ok(Part { of, product, counts })
        };
        let some = self.all.into_iter().filter(|(_, counts)| *counts != Counts::default());
        let mut parts = some.map(part).collect::<Result<Vec<Part>>>()?;
        parts.sort_by(|a, b| (&a.of, a.product).cmp(&(&b.of, b.product)));
        Ok(parts)
    }
}

/// Months are numbers below this, dates above.
const MONTHS_END: i64 = 1_000_000;

/// Periods in a row, all dates or all months, to be added or taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: i64,
    last: i64,
    sign: i64,
}

/// What the dates from one to another are made of: days alone, or months and what is left of days. Of a
/// month of which more than half is wanted the days that are not are taken off.
fn spans(first: i64, last: i64, by_day: bool) -> Vec<Span> {
    if first > last {
        return Vec::new();
    }
    if by_day {
        return vec![Span { first, last, sign: 1 }];
    }
    let mut spans = Vec::new();
    let (first_month, last_month) = (first / 100, last / 100);
    let of_month = |month: i64, from: i64, to: i64, whole: &mut Vec<i64>, spans: &mut Vec<Span>| {
        let end = days_of(month);
        let (from, to) = (from.max(1), to.min(end));
        if to - from + 1 > end / 2 {
            whole.push(month);
            if from > 1 {
                spans.push(Span { first: month * 100 + 1, last: month * 100 + from - 1, sign: -1 });
            }
            if to < end {
                spans.push(Span { first: month * 100 + to + 1, last: month * 100 + end, sign: -1 });
            }
        } else {
            spans.push(Span { first: month * 100 + from, last: month * 100 + to, sign: 1 });
        }
    };
    let mut whole = Vec::new();
    let mut month = first_month;
    while month <= last_month {
        let from = if month == first_month { first % 100 } else { 1 };
        let to = if month == last_month { last % 100 } else { 31 };
        of_month(month, from, to, &mut whole, &mut spans);
        month = next_month(month);
    }
    if let (Some(first), Some(last)) = (whole.first(), whole.last()) {
        spans.push(Span { first: *first, last: *last, sign: 1 });
    }
    spans
}

fn next_month(month: i64) -> i64 {
    if month % 100 == 12 { month + 89 } else { month + 1 }
}

/// How many days a month (202611) has.
fn days_of(month: i64) -> i64 {
    let (year, month) = (month / 100, month % 100);
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// All periods from one to another, dates or months.
fn periods_of(first: i64, last: i64) -> Vec<i64> {
    let mut periods = Vec::new();
    let mut period = first;
    while period <= last {
        periods.push(period);
        period = match period {
            month if month < MONTHS_END => next_month(month),
            day if day % 100 >= days_of(day / 100) => next_month(day / 100) * 100 + 1,
            day => day + 1,
        };
    }
    periods
}

/// A sum as the wire shows it.
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

/// Sums of the statistics by one property, in the order of what they are parted by; accounts in the order
/// of their numbers, with their names.
pub async fn sums(conn: &mut Conn, by: By, filter: &Filter<'_>) -> Result<Vec<Sum>> {
    let parts = parted(conn, &[by], filter).await?;
    let mut sums: Vec<Sum> = parts
        .into_iter()
        .map(|Part { of: [of, _], product, counts }| Sum {
            account: AccountId(if by == By::Account { of.parse().unwrap_or(0) } else { 0 }),
            of,
            product,
            accepted: counts.accepted,
            cost: counts.spent(),
        })
        .collect();
    if by == By::Account {
        let ids: Vec<i64> = sums.iter().map(|sum| sum.account.0).collect();
        let names = names(conn, &ids).await?;
        for sum in &mut sums {
            sum.of = names.get(&sum.account).cloned().unwrap_or_default();
        }
        sums.sort_by_key(|sum| (sum.account, sum.product));
    }
    Ok(sums)
}

/// The names of accounts: their company, or the owner where there is none.
pub async fn names(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<AccountId, String>> {
    let sql = "select id, coalesce(nullif(company, ''), owner) from accounts where id in list($1)";
    let name = |mut row: crate::db::Row| Ok((AccountId(row.int(0)?), row.take_text(1)));
    conn.query(sql, &[ids.into()]).await?.into_iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dates that spans are made of, each as often as it is counted.
    fn dates(spans: &[Span]) -> Vec<i64> {
        let mut dates: HashMap<i64, i64> = HashMap::new();
        for span in spans {
            for period in periods_of(span.first, span.last) {
                let days = match period {
                    month if month < MONTHS_END => periods_of(month * 100 + 1, month * 100 + days_of(month)),
                    day => vec![day],
                };
                days.into_iter().for_each(|day| *dates.entry(day).or_default() += span.sign);
            }
        }
        assert!(dates.values().all(|count| [0, 1].contains(count)), "{spans:?}");
        let mut dates: Vec<i64> =
            dates.into_iter().filter(|(_, count)| *count == 1).map(|(day, _)| day).collect();
        dates.sort_unstable();
        dates
    }

    #[test]
    fn spans_are_the_dates_they_are_made_of() {
        let all = periods_of(20_240_101, 20_251_231);
        assert_eq!(all.len(), 366 + 365);
        for (i, first) in all.iter().enumerate().step_by(7) {
            for last in all[i..].iter().step_by(11) {
                assert_eq!(dates(&spans(*first, *last, false)), periods_of(*first, *last));
            }
        }
        assert_eq!(spans(20_260_105, 20_260_104, false), []);
        let year = spans(20_251_201, 20_261_130, false);
        assert_eq!(year, [Span { first: 202_512, last: 202_611, sign: 1 }]);
    }
}
