//! Statistics: how much was sent, what became of it and what it cost, by up to two properties, beside an
//! earlier period. Whatever the grouping, the sums are those of the books to the last millionth.

use std::collections::{BTreeMap, HashMap};

use domain::account::Account;
use domain::credits::Credits;
use domain::id::AccountId;
use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use storage::analytics::{self, By, Filter, Part, Whose};
pub use storage::statistics::Counts;
use storage::{Conn, Result};

use crate::base::Base;
use crate::clock::{date_of, day_of, number_of};
pub use crate::scope::Scope;
use crate::sheet::{Cell, Column, Kind, Sheet};

/// The longest span: ten years.
pub const DAYS_MAX: i32 = 3_660;

/// What the sums are parted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The date on which messages were accepted.
    Day,
    /// The week, Monday to Sunday.
    Week,
    /// The month.
    Month,
    /// The country they went to.
    Country,
    /// The tag.
    Label,
    /// The account.
    Subaccount,
    /// Who they were from.
    Sender,
}

impl Dimension {
    /// All.
    pub const ALL: [Dimension; 7] = [
        Dimension::Day,
        Dimension::Week,
        Dimension::Month,
        Dimension::Country,
        Dimension::Label,
        Dimension::Subaccount,
        Dimension::Sender,
    ];

    /// The word of URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Dimension::Day => "day",
            Dimension::Week => "week",
            Dimension::Month => "month",
            Dimension::Country => "country",
            Dimension::Label => "label",
            Dimension::Subaccount => "subaccount",
            Dimension::Sender => "sender",
        }
    }

    /// What a word names.
    pub fn parse(word: &str) -> Option<Dimension> {
        Dimension::ALL.into_iter().find(|dimension| dimension.as_str() == word)
    }

    /// Whether it is one of time: its rows are in order and none is left out.
    pub fn is_time(self) -> bool {
        matches!(self, Dimension::Day | Dimension::Week | Dimension::Month)
    }

    fn by(self) -> By {
        match self {
            Dimension::Day | Dimension::Week => By::Day,
            Dimension::Month => By::Month,
            Dimension::Country => By::Country,
            Dimension::Label => By::Label,
            Dimension::Subaccount => By::Account,
            Dimension::Sender => By::Sender,
        }
    }
}

/// Dates from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub first: Date,
    /// The last.
    pub last: Date,
}

impl Range {
    /// So many days that end with a date.
    pub fn ending(last: Date, days: i32) -> Range {
        Range { first: last.saturating_sub((days - 1).days()), last }
    }

    /// How many days it has.
    pub fn days(&self) -> i32 {
        self.first.until(self.last).map_or(0, |span| span.get_days()) + 1
    }

    /// The range this one is compared with.
    pub fn compared(&self, with: Compare) -> Range {
        match with {
            Compare::PreviousPeriod => {
                let whole_months = self.first.day() == 1 && self.last == self.last.last_of_month();
                if whole_months {
                    // A month is compared with the month before, however many days that has.
                    let months = i32::from(self.last.year() - self.first.year()) * 12
                        + i32::from(self.last.month() - self.first.month())
                        + 1;
                    let first = self.first.saturating_sub(months.months());
                    return Range { first, last: self.first.saturating_sub(1.day()) };
                }
                let days = self.days();
                Range {
                    first: self.first.saturating_sub(days.days()),
                    last: self.first.saturating_sub(1.day()),
                }
            }
            Compare::SameLastYear => {
                let last = self.last.saturating_sub(1.year());
                // The end of February is compared with the end of February.
                let last = if self.last == self.last.last_of_month() { last.last_of_month() } else { last };
                Range { first: self.first.saturating_sub(1.year()), last }
            }
        }
    }

    /// At most [`DAYS_MAX`] days of it, the latest.
    fn bounded(self) -> Range {
        let first = self.first.max(self.last.saturating_sub((DAYS_MAX - 1).days()));
        Range { first, ..self }
    }
}

/// What a range is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// As many days right before, or as many whole months.
    PreviousPeriod,
    /// The same dates of the year before.
    SameLastYear,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which accounts.
    pub scope: Scope,
    /// Which dates, of the installation's time zone.
    pub range: Range,
    /// What the rows are.
    pub rows: Dimension,
    /// What the columns of a row (the pieces of a bar) are.
    pub series: Option<Dimension>,
    /// With this label only; empty is without any.
    pub label: Option<String>,
    /// To this country only.
    pub country: Option<String>,
    /// From this sender only.
    pub sender: Option<String>,
    /// Beside an earlier period.
    pub compare: Option<Compare>,
    /// Rows at the most, where they are not of time; the others are told together.
    pub rows_max: usize,
    /// Columns at the most, where they are not of time; the others are told together.
    pub series_max: usize,
}

impl Question {
    /// A range by one property, with up to a hundred rows.
    pub fn new(scope: Scope, range: Range, rows: Dimension) -> Question {
        Question {
            scope,
            range,
            rows,
            series: None,
            label: None,
            country: None,
            sender: None,
            compare: None,
            rows_max: 100,
            series_max: 7,
        }
    }
}

/// What a row or a column is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Dates, both included: a day, a week or a month, as far as they are in the range.
    Dates(Date, Date),
    /// A country's two letters, a label or a sender; empty is none.
    Text(String),
    /// An account and its name.
    Account(AccountId, String),
    /// All that have no row of their own, and how many those are.
    Others(usize),
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is of.
    pub key: Key,
    /// Its sums.
    pub counts: Counts,
    /// Its sums of the period it is compared with.
    pub before: Option<Counts>,
    /// Its sums for each column of [`Report::series`], in their order.
    pub cells: Vec<Counts>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was asked, as far as it could be answered: the range may be shorter.
    pub question: Question,
    /// The dates it is compared with.
    pub compared: Option<Range>,
    /// What the columns are of.
    pub series: Vec<Key>,
    /// The rows: those of time in order, others by how much was sent.
    pub rows: Vec<Row>,
    /// The sum of all rows.
    pub total: Counts,
    /// The same of the period it is compared with.
    pub total_before: Option<Counts>,
}

/// What a message that arrived cost: the cost in the end over those delivered; nothing while none is.
pub fn cost_per_delivered(counts: &Counts) -> Option<Credits> {
    (counts.delivered > 0).then(|| Credits(counts.spent().0 / counts.delivered))
}

/// The statistics of an account, or of accounts below it. Nothing when the scope names an account that is
/// not below it.
pub async fn report(base: &Base, account: &Account, question: &Question) -> Result<Option<Report>> {
    let Some(of) = question.scope.of(base, account).await? else { return Ok(None) };
    let whose = if of.tree { Whose::Tree((*of.account).clone()) } else { Whose::One(of.account.id) };
    let mut question = question.clone();
    question.range = question.range.bounded();
    question.series = question.series.filter(|series| *series != question.rows);
    let mut snapshot = base.db.snapshot().await?;
    let report = Asked { whose, question: &question, today: day_of(base.clock.now(), &base.rules.time_zone) }
        .answer(&mut snapshot)
        .await;
    snapshot.end().await?;
    report.map(Some)
}

struct Asked<'a> {
    whose: Whose,
    question: &'a Question,
    today: i64,
}

/// Sums by one property: by the bucket's number for time, by the value for others.
type Sums = BTreeMap<String, Counts>;

impl Asked<'_> {
    async fn answer(&self, conn: &mut Conn) -> Result<Report> {
        let question = self.question;
        let by_row = self.sums(conn, question.rows, question.range).await?;
        let compared = question.compare.map(|with| question.range.compared(with).bounded());
        let before = match compared {
            Some(range) => Some(self.sums(conn, question.rows, range).await?),
            None => None,
        };
        let mut total = Counts::default();
        by_row.values().for_each(|counts| total.add(counts));
        let total_before = before.as_ref().map(|before| {
            let mut total = Counts::default();
            before.values().for_each(|counts| total.add(counts));
            total
        });
        let values = self.chosen(question.rows, question.range, &by_row, question.rows_max);
        let others = if question.rows.is_time() { 0 } else { by_row.len() - values.len() };
        let mut rows: Vec<Row> = Vec::with_capacity(values.len() + 1);
        let earlier = |i: usize, value: &str| {
            let before = before.as_ref()?;
            let counts = match (question.rows.is_time(), compared) {
                (true, Some(range)) => {
                    buckets(question.rows, range).get(i).and_then(|(key, ..)| before.get(key))
                }
                _ => before.get(value),
            };
            Some(counts.copied().unwrap_or_default())
        };
        for (i, value) in values.iter().enumerate() {
            let counts = by_row.get(value).copied().unwrap_or_default();
            let key = Key::Text(value.clone());
            rows.push(Row { key, counts, before: earlier(i, value), cells: Vec::new() });
        }
        if others > 0 {
            let rest = |total: Counts, of_row: fn(&Row) -> Option<Counts>| {
                let mut rest = total;
                rows.iter().filter_map(of_row).for_each(|counts| rest.subtract(&counts));
                rest
            };
            let counts = rest(total, |row| Some(row.counts));
            let before = total_before.map(|total| rest(total, |row| row.before));
            rows.push(Row { key: Key::Others(others), counts, before, cells: Vec::new() });
        }
        let mut series = Vec::new();
        if let Some(dimension) = question.series {
            series = self.cells(conn, dimension, &values, &mut rows).await?;
        }
        self.name(conn, question.rows, rows.iter_mut().map(|row| &mut row.key)).await?;
        if let Some(dimension) = question.series {
            self.name(conn, dimension, series.iter_mut()).await?;
        }
        Ok(Report { question: question.clone(), compared, series, rows, total, total_before })
    }

    /// Puts the cells into the rows, and gives what the columns are of. Few rows or columns are asked for
    /// by themselves, and what is left of the sums is that of the others.
    async fn cells(
        &self,
        conn: &mut Conn,
        series: Dimension,
        values: &[String],
        rows: &mut [Row],
    ) -> Result<Vec<Key>> {
        let question = self.question;
        let by_column = self.sums(conn, series, question.range).await?;
        let columns = self.chosen(series, question.range, &by_column, question.series_max);
        let others = if series.is_time() { 0 } else { by_column.len() - columns.len() };
        let (held, to) = match (question.rows, series) {
            (_, Dimension::Subaccount) => (series, columns.as_slice()),
            (rows, _) if rows.is_time() => (series, columns.as_slice()),
            (rows, _) => (rows, values),
        };
        let mut cells: HashMap<(String, String), Counts> = HashMap::new();
        if !to.is_empty() {
            let by = [question.rows.by(), series.by()];
            let mut filter = self.filter(question.range, false);
            // A report by two measures of time needs all of it.
            filter.only = (!held.is_time()).then_some((held.by(), to));
            let (row_of, column_of) =
                (Buckets::of(question.rows, question.range), Buckets::of(series, question.range));
            for Part { of: [row, column], counts, .. } in analytics::parted(conn, &by, &filter).await? {
                let (Some(row), Some(column)) = (row_of.key(row), column_of.key(column)) else { continue };
                cells.entry((row, column)).or_default().add(&counts);
            }
        }
        let mut left: Vec<Counts> =
            columns.iter().map(|column| by_column.get(column).copied().unwrap_or_default()).collect();
        for (row, value) in rows.iter_mut().zip(values) {
            let mut rest = row.counts;
            for (column, left) in columns.iter().zip(&mut left) {
                let counts = cells.remove(&(value.clone(), column.clone())).unwrap_or_default();
                rest.subtract(&counts);
                left.subtract(&counts);
                row.cells.push(counts);
            }
            if others > 0 {
                row.cells.push(rest);
            }
        }
        if let Some(row) = rows.get_mut(values.len()) {
            let mut rest = row.counts;
            left.iter().for_each(|counts| rest.subtract(counts));
            row.cells = left;
            if others > 0 {
                row.cells.push(rest);
            }
        }
        let mut keys: Vec<Key> = columns.into_iter().map(Key::Text).collect();
        if others > 0 {
            keys.push(Key::Others(others));
        }
        Ok(keys)
    }

    fn filter(&self, range: Range, whole_months: bool) -> Filter<'_> {
        // Nothing is counted after today, so a month that has begun may be taken for a whole one.
        let last = if whole_months && number_of(range.last) >= self.today {
            range.last.last_of_month()
        } else {
            range.last
        };
        let question = self.question;
        Filter {
            label: question.label.as_deref(),
            country: question.country.as_deref(),
            sender: question.sender.as_deref(),
            ..Filter::of(self.whose.clone(), number_of(range.first), number_of(last))
        }
    }

    async fn sums(&self, conn: &mut Conn, dimension: Dimension, range: Range) -> Result<Sums> {
        let filter = self.filter(range, !dimension.is_time());
        let buckets = Buckets::of(dimension, range);
        let mut sums = Sums::new();
        for Part { of: [value, _], counts, .. } in analytics::parted(conn, &[dimension.by()], &filter).await?
        {
            if let Some(key) = buckets.key(value) {
                sums.entry(key).or_default().add(&counts);
            }
        }
        Ok(sums)
    }

    /// The values that get a row or a column of their own.
    fn chosen(&self, dimension: Dimension, range: Range, sums: &Sums, max: usize) -> Vec<String> {
        if dimension.is_time() {
            return buckets(dimension, range).into_iter().map(|(key, ..)| key).collect();
        }
        let mut values: Vec<(&String, &Counts)> = sums.iter().collect();
        values.sort_by_key(|(value, counts)| (std::cmp::Reverse((counts.accepted, counts.cost)), *value));
        values.truncate(max);
        values.into_iter().map(|(value, _)| value.clone()).collect()
    }

    /// Says what keys are of.
    async fn name<'k>(
        &self,
        conn: &mut Conn,
        dimension: Dimension,
        keys: impl Iterator<Item = &'k mut Key>,
    ) -> Result<()> {
        let mut keys: Vec<&mut Key> = keys.collect();
        if dimension.is_time() {
            let dates: HashMap<String, (Date, Date)> = buckets(dimension, self.question.range)
                .into_iter()
                .map(|(key, first, last)| (key, (first, last)))
                .collect();
            for key in keys {
                if let Key::Text(text) = key
                    && let Some((first, last)) = dates.get(text)
                {
                    *key = Key::Dates(*first, *last);
                }
            }
            return Ok(());
        }
        if dimension == Dimension::Subaccount {
            let id = |key: &&mut Key| if let Key::Text(text) = &**key { text.parse().ok() } else { None };
            let ids: Vec<i64> = keys.iter().filter_map(id).collect();
            let names = analytics::names(conn, &ids).await?;
            for key in &mut keys {
                if let Some(id) = id(key).map(AccountId) {
                    **key = Key::Account(id, names.get(&id).cloned().unwrap_or_default());
                }
            }
        }
        Ok(())
    }
}

/// The days, weeks or months of a range: what each is called in the books, and its dates.
fn buckets(dimension: Dimension, range: Range) -> Vec<(String, Date, Date)> {
    let mut buckets = Vec::new();
    let mut first = range.first;
    while first <= range.last {
        let end = match dimension {
            Dimension::Week => {
                let day = i32::from(first.weekday().to_monday_zero_offset());
                first.saturating_add((6 - day).days())
            }
            Dimension::Month => first.last_of_month(),
            _ => first,
        };
        let last = end.min(range.last);
        let day = number_of(first);
        buckets.push((if dimension == Dimension::Month { day / 100 } else { day }.to_string(), first, last));
        match last.tomorrow() {
            Ok(next) => first = next,
            Err(_) => break,
        }
    }
    buckets
}

/// Which bucket a value belongs to.
enum Buckets {
    /// Each to its own.
    Own,
    /// Days to their weeks; the first week may begin later than on a Monday.
    Weeks(Date),
}

impl Buckets {
    fn of(dimension: Dimension, range: Range) -> Buckets {
        if dimension == Dimension::Week { Buckets::Weeks(range.first) } else { Buckets::Own }
    }

    fn key(&self, value: String) -> Option<String> {
        let Buckets::Weeks(first) = self else { return Some(value) };
        let date = date_of(value.parse().ok()?)?;
        let monday = if date.weekday() == Weekday::Monday {
            date
        } else {
            date.saturating_sub(i32::from(date.weekday().to_monday_zero_offset()).days())
        };
        Some(number_of(monday.max(*first)).to_string())
    }
}

impl Report {
    /// The report as a table of columns with kinds, for a file.
    pub fn sheet(&self) -> Sheet {
        let mut columns = match self.question.rows {
            Dimension::Week => vec![Column::new("from", Kind::Date), Column::new("to", Kind::Date)],
            Dimension::Subaccount => {
                vec![Column::new("account", Kind::Number), Column::new("name", Kind::Text)]
            }
            Dimension::Day => vec![Column::new("day", Kind::Date)],
            other => vec![Column::new(other.as_str(), Kind::Text)],
        };
        for name in ["accepted", "segments", "delivered", "failed", "in_flight"] {
            columns.push(Column::new(name, Kind::Number));
        }
        columns.push(Column::new("delivery_rate", Kind::Share));
        columns.push(Column::new("cost", Kind::Money));
        columns.push(Column::new("cost_per_delivered", Kind::Money));
        if self.compared.is_some() {
            columns.push(Column::new("accepted_before", Kind::Number));
            columns.push(Column::new("cost_before", Kind::Money));
        }
        for key in &self.series {
            columns.push(Column::new(&format!("accepted {}", words(key)), Kind::Number));
            columns.push(Column::new(&format!("cost {}", words(key)), Kind::Money));
        }
        let mut rows: Vec<Vec<Cell>> = self.rows.iter().map(|row| self.line(row)).collect();
        let total = Row {
            key: Key::Text(String::new()),
            counts: self.total,
            before: self.total_before,
            cells: (0..self.series.len())
                .map(|i| {
                    let mut sum = Counts::default();
                    self.rows.iter().filter_map(|row| row.cells.get(i)).for_each(|counts| sum.add(counts));
                    sum
                })
                .collect(),
        };
        let mut line = self.line(&total);
        if let Some(first) = line.first_mut() {
            *first = Cell::Text("total".to_owned());
        }
        rows.push(line);
        Sheet { columns, rows }
    }

    fn line(&self, row: &Row) -> Vec<Cell> {
        let mut line = match (&row.key, self.question.rows) {
            (Key::Dates(first, last), Dimension::Week) => vec![Cell::Date(*first), Cell::Date(*last)],
            (Key::Dates(first, _), Dimension::Month) => vec![Cell::Text(first.strftime("%Y-%m").to_string())],
            (Key::Dates(first, _), _) => vec![Cell::Date(*first)],
            (Key::Account(id, name), _) => vec![Cell::Number(id.0), Cell::Text(name.clone())],
            (key, Dimension::Week | Dimension::Subaccount) => vec![Cell::Text(words(key)), Cell::Empty],
            (key, _) => vec![Cell::Text(words(key))],
        };
        let counts = &row.counts;
        line.extend(
            [counts.accepted, counts.segments, counts.delivered, counts.failed, counts.in_flight()]
                .map(Cell::Number),
        );
        line.push(counts.delivery_rate().map_or(Cell::Empty, Cell::Share));
        line.push(Cell::Money(counts.spent()));
        line.push(cost_per_delivered(counts).map_or(Cell::Empty, Cell::Money));
        if self.compared.is_some() {
            let before = row.before.unwrap_or_default();
            line.extend([Cell::Number(before.accepted), Cell::Money(before.spent())]);
        }
        for counts in &row.cells {
            line.extend([Cell::Number(counts.accepted), Cell::Money(counts.spent())]);
        }
        line
    }
}

/// What a key is of, in the words of a file.
fn words(key: &Key) -> String {
    match key {
        Key::Dates(first, last) if first == last => first.to_string(),
        Key::Dates(first, last) => format!("{first} to {last}"),
        Key::Text(text) => text.clone(),
        Key::Account(id, name) => format!("{name} ({id})"),
        Key::Others(count) => format!("{count} others"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn range(first: &str, last: &str) -> Range {
        Range { first: date(first), last: date(last) }
    }

    #[test]
    fn a_range_is_compared_with_one_like_it() {
        use Compare::{PreviousPeriod, SameLastYear};
        #[rustfmt::skip]
        let cases = [
            (("2026-11-01", "2026-11-27"), PreviousPeriod, ("2026-10-05", "2026-10-31")),
            (("2026-03-01", "2026-03-31"), PreviousPeriod, ("2026-02-01", "2026-02-28")),
            (("2026-01-01", "2026-03-31"), PreviousPeriod, ("2025-10-01", "2025-12-31")),
            (("2026-02-01", "2026-02-28"), SameLastYear,   ("2025-02-01", "2025-02-28")),
            (("2025-02-10", "2025-02-28"), SameLastYear,   ("2024-02-10", "2024-02-29")),
            (("2026-11-27", "2026-11-27"), PreviousPeriod, ("2026-11-26", "2026-11-26")),
        ];
        for ((first, last), with, (before, until)) in cases {
            assert_eq!(range(first, last).compared(with), range(before, until), "{first} to {last}");
        }
        assert_eq!(Range::ending(date("2026-11-27"), 30).days(), 30);
    }

    #[test]
    fn buckets_cover_the_range_without_a_gap() {
        let all = range("2025-12-17", "2026-03-02");
        for dimension in [Dimension::Day, Dimension::Week, Dimension::Month] {
            let buckets = buckets(dimension, all);
            assert_eq!((buckets[0].1, buckets[buckets.len() - 1].2), (all.first, all.last));
            for pair in buckets.windows(2) {
                assert_eq!(pair[0].2.tomorrow().unwrap(), pair[1].1);
            }
        }
        let weeks = buckets(Dimension::Week, all);
        assert_eq!(weeks[1].1, date("2025-12-22"));
        let of_week = Buckets::of(Dimension::Week, all);
        assert_eq!(of_week.key("20251219".to_owned()).unwrap(), weeks[0].0);
        assert_eq!(of_week.key("20251228".to_owned()).unwrap(), weeks[1].0);
        assert_eq!(buckets(Dimension::Month, all)[0].0, "202512");
    }
}
