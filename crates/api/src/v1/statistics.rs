//! `/v1/statistics`: how much was sent, what became of it and what it cost.

use axum::Json;
use domain::id::AccountId;
use gateway::statistics::{self, Compare, Counts, DAYS_MAX, Dimension, Question, Range, Scope};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::problem::Problem;
use super::values::{Amount, Asking};

/// How much was sent, what became of it and what it cost.
#[derive(Serialize, ToSchema)]
pub struct Sums {
    /// Messages that were accepted.
    #[schema(example = 1200)]
    accepted: i64,
    /// Their segments.
    #[schema(example = 1350)]
    segments: i64,
    /// Messages that reached the handset.
    #[schema(example = 1160)]
    delivered: i64,
    /// Messages that will not.
    #[schema(example = 25)]
    failed: i64,
    /// Messages whose fate is not known (yet).
    #[schema(example = 15)]
    in_flight: i64,
    /// What share of those with a known fate was delivered, in millionths; null while none is known.
    #[schema(example = 978902)]
    delivery_rate_millionths: Option<i64>,
    /// What was charged.
    charged: Amount,
    /// What was given back.
    refunded: Amount,
    /// What it cost in the end: the one less the other.
    cost: Amount,
}

impl Sums {
    /// Counts in the words of this interface.
    pub fn of(counts: &Counts) -> Sums {
        Sums {
            accepted: counts.accepted,
            segments: counts.segments,
            delivered: counts.delivered,
            failed: counts.failed,
            in_flight: counts.in_flight(),
            delivery_rate_millionths: counts.delivery_rate(),
            charged: Amount(counts.cost),
            refunded: Amount(counts.refunds),
            cost: Amount(counts.spent()),
        }
    }
}

/// What a row or a column is of. Which of the fields are there depends on what it is grouped by.
#[derive(Serialize, ToSchema)]
pub struct Group {
    /// The first date; only where it is grouped by dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date", example = "2026-01-01")]
    first: Option<String>,
    /// The last date; only where it is grouped by dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date", example = "2026-01-31")]
    last: Option<String>,
    /// The country, label or sender (empty is none), or the account's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "DE")]
    name: Option<String>,
    /// The account; only where it is grouped by subaccounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1900002)]
    account: Option<i64>,
    /// How many others it stands for, that have no row of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 12)]
    others: Option<i64>,
}

impl Group {
    fn of(key: &statistics::Key) -> Group {
        let nothing = Group { first: None, last: None, name: None, account: None, others: None };
        match key {
            statistics::Key::Dates(first, last) => {
                Group { first: Some(first.to_string()), last: Some(last.to_string()), ..nothing }
            }
            statistics::Key::Text(text) => Group { name: Some(text.clone()), ..nothing },
            statistics::Key::Account(id, name) => {
                Group { name: Some(name.clone()), account: Some(id.0), ..nothing }
            }
            statistics::Key::Others(count) => Group { others: i64::try_from(*count).ok(), ..nothing },
        }
    }
}

/// A row.
#[derive(Serialize, ToSchema)]
pub struct StatisticsRow {
    /// What it is of.
    of: Group,
    /// Its sums.
    sums: Sums,
    /// The same of the period it is compared with; null where it is not compared.
    before: Option<Sums>,
    /// Its sums for each of `columns`, in their order.
    cells: Vec<Sums>,
}

/// Statistics. Money is that of the ledger to the last digit.
#[derive(Serialize, ToSchema)]
pub struct Statistics {
    /// The first date, of the installation's time zone.
    #[schema(value_type = String, format = "date", example = "2026-01-01")]
    from: String,
    /// The last date, included.
    #[schema(value_type = String, format = "date", example = "2026-01-31")]
    to: String,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
    /// What the columns are of; empty where rows are not parted.
    columns: Vec<Group>,
    /// The rows: dates in order, others by how much was sent.
    rows: Vec<StatisticsRow>,
    /// The sums of all rows.
    total: Sums,
    /// The first date of the period it is compared with; null where it is not compared.
    #[schema(value_type = Option<String>, format = "date", example = "2025-12-01")]
    before_from: Option<String>,
    /// The last date of it.
    #[schema(value_type = Option<String>, format = "date", example = "2025-12-31")]
    before_to: Option<String>,
    /// The sums of it.
    total_before: Option<Sums>,
}

/// What is asked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The first date, of the installation's time zone. Without it, 29 days before the last.
    #[param(value_type = Option<String>, format = "date", example = "2026-01-01")]
    from: Option<String>,
    /// The last date, included. Without it, today.
    #[param(value_type = Option<String>, format = "date", example = "2026-01-31")]
    to: Option<String>,
    /// What the rows are: `day` (or nothing), `week`, `month`, `country`, `label`, `sender` or
    /// `subaccount`.
    #[param(example = "day")]
    group_by: Option<String>,
    /// What rows are parted by, by another one of these words.
    #[param(example = "country")]
    columns: Option<String>,
    /// Whether also of all accounts below.
    #[serde(default)]
    all_below: bool,
    /// Of this account below, in place of the one that is acted in.
    #[param(minimum = 1, example = 1900002)]
    account: Option<i64>,
    /// Only what has this label; empty is what has none.
    label: Option<String>,
    /// Only what went to this country (ISO 3166-1).
    #[param(example = "DE")]
    country: Option<String>,
    /// Only what was from this sender.
    sender: Option<String>,
    /// With what it is compared: `previous_period` or `same_last_year`.
    #[param(example = "previous_period")]
    compare: Option<String>,
}

/// Read statistics
///
/// How much was sent, what became of it and what it cost, by one or two properties, and beside an earlier
/// period. Messages count on the date on which they were accepted, in the installation's time zone.
#[utoipa::path(
    get,
    path = "/v1/statistics",
    operation_id = "readStatistics",
    tag = "Messages",
    params(Which),
    responses((status = 200, description = "The statistics.", body = Statistics))
)]
pub async fn read(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Statistics>, Problem> {
    let question = question(&asked, which)?;
    let report = statistics::report(asked.gateway(), &asked.account, &question).await?;
    let none = || Problem::field("account", "there is no such account below the one that is acted in");
    let report = report.ok_or_else(none)?;
    let range = report.question.range;
    let row = |row: &statistics::Row| StatisticsRow {
        of: Group::of(&row.key),
        sums: Sums::of(&row.counts),
        before: row.before.as_ref().map(Sums::of),
        cells: row.cells.iter().map(Sums::of).collect(),
    };
    Ok(Json(Statistics {
        from: range.first.to_string(),
        to: range.last.to_string(),
        currency: asked.currency(),
        columns: report.series.iter().map(Group::of).collect(),
        rows: report.rows.iter().map(row).collect(),
        total: Sums::of(&report.total),
        before_from: report.compared.map(|range| range.first.to_string()),
        before_to: report.compared.map(|range| range.last.to_string()),
        total_before: report.total_before.as_ref().map(Sums::of),
    }))
}

fn question(asked: &Asked, which: Which) -> Result<Question, Problem> {
    let rules = &asked.gateway().rules;
    let today = crate::dates::date_of(asked.gateway().clock.now(), &rules.time_zone);
    let last = date("to", which.to)?.unwrap_or(today);
    let range = match date("from", which.from)? {
        Some(first) => Range { first, last },
        None => Range::ending(last, 30),
    };
    if range.first > range.last {
        return Err(Problem::field("from", format!("{} is after {}; swap them", range.first, range.last)));
    }
    if range.days() > DAYS_MAX {
        return Err(Problem::field(
            "from",
            format!("{} days are asked for; use at most {DAYS_MAX}", range.days()),
        ));
    }
    if let Some(id) = which.account.filter(|id| *id < 1) {
        return Err(Problem::field("account", format!("it is {id}; it is the number of an account")));
    }
    let scope = match (which.account.map(AccountId), which.all_below) {
        (None, false) => Scope::Only,
        (None, true) => Scope::Tree,
        (Some(id), below) if id == asked.account.id => {
            if below {
                Scope::Tree
            } else {
                Scope::Only
            }
        }
        (Some(id), false) => Scope::One(id),
        (Some(id), true) => Scope::TreeOf(id),
    };
    let rows = dimension("group_by", which.group_by)?.unwrap_or(Dimension::Day);
    let series = dimension("columns", which.columns)?;
    if series == Some(rows) {
        return Err(Problem::field("columns", "it is the same as group_by; name another property"));
    }
    let compare = match which.compare.as_deref() {
        None => None,
        Some("previous_period") => Some(Compare::PreviousPeriod),
        Some("same_last_year") => Some(Compare::SameLastYear),
        Some(word) => {
            let reason = format!("'{word}' is no period; there are previous_period, same_last_year");
            return Err(Problem::field("compare", reason));
        }
    };
    Ok(Question {
        series,
        label: which.label,
        country: which.country.map(|letters| letters.to_ascii_uppercase()),
        sender: which.sender,
        compare,
        rows_max: 500,
        series_max: 50,
        ..Question::new(scope, range, rows)
    })
}

fn date(name: &str, text: Option<String>) -> Result<Option<Date>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let date = crate::dates::date(&text).filter(|date| (1970..=9000).contains(&date.year()));
    let wrong = || Problem::field(name, format!("'{text}' is no date; write it as 2026-01-31"));
    date.map(Some).ok_or_else(wrong)
}

fn dimension(name: &str, word: Option<String>) -> Result<Option<Dimension>, Problem> {
    let Some(word) = word else { return Ok(None) };
    let wrong = || {
        let known = Dimension::ALL.map(Dimension::as_str).join(", ");
        Problem::field(name, format!("'{word}' is no property; there are {known}"))
    };
    Dimension::parse(&word).map(Some).ok_or_else(wrong)
}
