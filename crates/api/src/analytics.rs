//! `/api/analytics`: how much was sent and what it cost, by day, country, label or account.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::key::Scope;
use domain::label::Label;
use domain::product::Product;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use storage::analytics::{self, By, Filter, Sum, Whose};

use crate::Api;
use crate::amount::Amount;
use crate::call::{Asked, Call, Reply};
use crate::dates;
use crate::error::ApiError;
use crate::parameters::whole;

/// Days before today that are shown when nobody says from when.
const DAYS: i64 = 30;
/// The longest span that is shown: ten years.
const DAYS_MAX: i64 = 3_660;

/// What is counted and how it is parted: one row of the answer.
struct Row {
    by: &'static str,
    of: String,
    sms: i64,
    rcs: i64,
    voice: i64,
    inbound: i64,
    cost: Credits,
}

impl Row {
    fn empty(by: &'static str, of: String) -> Row {
        Row { by, of, sms: 0, rcs: 0, voice: 0, inbound: 0, cost: Credits::ZERO }
    }

    fn add(&mut self, sum: &Sum) {
        match sum.product {
            Product::Sms => self.sms += sum.accepted,
            Product::Rcs => self.rcs += sum.accepted,
            Product::Voice => self.voice += sum.accepted,
            Product::Inbound => self.inbound += sum.accepted,
            // Which kind of lookup it was is not counted yet; what it cost is.
            Product::Lookup | Product::Number => {}
        }
        self.cost = Credits(self.cost.0.saturating_add(sum.cost.0));
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(8))?;
        map.serialize_entry(self.by, &self.of)?;
        map.serialize_entry("sms", &self.sms)?;
        map.serialize_entry("rcs", &self.rcs)?;
        map.serialize_entry("voice", &self.voice)?;
        map.serialize_entry("hlr", &0)?;
        map.serialize_entry("mnp", &0)?;
        map.serialize_entry("inbound", &self.inbound)?;
        map.serialize_entry("usage_eur", &Amount(self.cost))?;
        map.end()
    }
}

/// `GET /api/analytics/date`.
pub async fn by_date(State(api): State<Api>, call: Call) -> Response {
    answer(&api, &call, Some(By::Day)).await
}

/// `GET /api/analytics/country`.
pub async fn by_country(State(api): State<Api>, call: Call) -> Response {
    answer(&api, &call, Some(By::Country)).await
}

/// `GET /api/analytics/label`.
pub async fn by_label(State(api): State<Api>, call: Call) -> Response {
    answer(&api, &call, Some(By::Label)).await
}

/// `GET /api/analytics/subaccount`.
pub async fn by_account(State(api): State<Api>, call: Call) -> Response {
    answer(&api, &call, Some(By::Account)).await
}

/// `GET /api/analytics?group_by=`: the same by a parameter; by date when it says nothing known.
pub async fn legacy(State(api): State<Api>, call: Call) -> Response {
    answer(&api, &call, None).await
}

async fn answer(api: &Api, call: &Call, by: Option<By>) -> Response {
    match call.open(api, "analytics", Scope::Analytics).await {
        Ok(asked) => asked.answer(analytics(&asked, by).await),
        Err(refused) => *refused,
    }
}

async fn analytics(asked: &Asked<'_>, by: Option<By>) -> Result<Reply, ApiError> {
    let by = by.unwrap_or(match asked.parameters.text("group_by") {
        Some("country") => By::Country,
        Some("label") => By::Label,
        Some("subaccount") => By::Account,
        _ => By::Day,
    });
    let nothing = Ok(Reply::json(&[(); 0]));
    let Some(whose) = whose(asked).await? else { return nothing };
    let (first, last) = span(asked);
    let label = asked.parameters.text("label").filter(|label| *label != "all");
    // What is no label is on no message.
    if label.is_some_and(|label| Label::parse(label).is_err()) && by != By::Day {
        return nothing;
    }
    let filter = Filter { label, ..Filter::of(whose, dates::number_of(first), dates::number_of(last)) };
    let sums = analytics::sums(&mut *asked.api.gateway.db.read().await?, by, &filter).await?;
    Ok(Reply::json(&match by {
        By::Country => parted("country", &sums),
        By::Label => parted("label", &sums),
        By::Account => parted("account", &sums),
        _ => days(&sums, first, last),
    }))
}

/// The accounts that are asked for: this one, this one and all below, or one of those below.
/// Nothing when it is none of these.
async fn whose(asked: &Asked<'_>) -> Result<Option<Whose>, ApiError> {
    let account = &asked.caller.account;
    let below = match asked.parameters.text("subaccounts") {
        None | Some("only_main") => return Ok(Some(Whose::One(account.id))),
        Some("all") => return Ok(Some(Whose::Tree((**account).clone()))),
        Some(id) => whole(id).map(AccountId),
    };
    let Some(below) = below else { return Ok(None) };
    let found = asked.api.gateway.account(below).await?;
    let ours = found.is_some_and(|found| found.id == account.id || account.is_above(&found));
    Ok(ours.then_some(Whose::One(below)))
}

/// The first and the last day. A date that is none counts as not given, and a span that is too long
/// loses its beginning.
fn span(asked: &Asked<'_>) -> (Date, Date) {
    let gateway = &asked.api.gateway;
    let today = dates::date_of(gateway.clock.now(), &gateway.rules.time_zone);
    let date = |name| asked.parameters.text(name).and_then(dates::date);
    let last = date("end").unwrap_or(today);
    let first = date("start").unwrap_or_else(|| last.min(today).saturating_sub(DAYS.days()));
    (first.max(last.saturating_sub(DAYS_MAX.days())), last)
}

/// One row for each day, also for those on which nothing happened.
fn days(sums: &[Sum], first: Date, last: Date) -> Vec<Row> {
    let mut rows: BTreeMap<i64, Row> = BTreeMap::new();
    let mut day = first;
    while day <= last {
        rows.insert(dates::number_of(day), Row::empty("date", day.to_string()));
        match day.tomorrow() {
            Ok(next) => day = next,
            Err(_) => break,
        }
    }
    for sum in sums {
        if let Some(row) = sum.of.parse().ok().and_then(|day: i64| rows.get_mut(&day)) {
            row.add(sum);
        }
    }
    rows.into_values().collect()
}

/// One row for each of what the sums are of, in their order.
fn parted(by: &'static str, sums: &[Sum]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut last: Option<&Sum> = None;
    for sum in sums {
        let same = last.is_some_and(|last| last.of == sum.of && last.account == sum.account);
        match rows.last_mut().filter(|_| same) {
            Some(row) => row.add(sum),
            None => {
                let mut row = Row::empty(by, sum.of.clone());
                row.add(sum);
                rows.push(row);
            }
        }
        last = Some(sum);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(of: &str, account: i64, product: Product, accepted: i64, cost: i64) -> Sum {
        Sum { of: of.to_owned(), account: AccountId(account), product, accepted, cost: Credits(cost) }
    }

    #[test]
    fn a_row_is_written_as_the_wire_has_it() {
        let sums = [sum("DE", 0, Product::Sms, 12, 900_000), sum("DE", 0, Product::Voice, 1, 135_000)];
        let json = serde_json::to_string(&parted("country", &sums)).unwrap();
        assert_eq!(
            json,
            r#"[{"country":"DE","sms":12,"rcs":0,"voice":1,"hlr":0,"mnp":0,"inbound":0,"usage_eur":1.035}]"#
        );
    }

    #[test]
    fn every_day_has_a_row() {
        let date = |text: &str| dates::date(text).unwrap();
        let sums = [sum("20260101", 0, Product::Sms, 3, 0)];
        let rows = days(&sums, date("2025-12-30"), date("2026-01-02"));
        let seen: Vec<(&str, i64)> = rows.iter().map(|r| (r.of.as_str(), r.sms)).collect();
        assert_eq!(seen, [("2025-12-30", 0), ("2025-12-31", 0), ("2026-01-01", 3), ("2026-01-02", 0)]);
        assert!(days(&sums, date("2026-01-02"), date("2026-01-01")).is_empty());
        assert_eq!(days(&[], Date::MAX, Date::MAX).len(), 1);
    }

    #[test]
    fn two_accounts_of_one_name_stay_two() {
        let sums = [sum("Shop", 1, Product::Sms, 1, 0), sum("Shop", 2, Product::Sms, 2, 0)];
        assert_eq!(parted("account", &sums).iter().map(|r| r.sms).collect::<Vec<_>>(), [1, 2]);
    }
}
