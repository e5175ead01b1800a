//! Statistics: how much was sent, what became of it and what it cost, as figures, charts and a table
//! that are the same numbers. Whose they are, of which dates and in which time zone stands on the page.

pub(crate) mod behind;
mod choice;

use askama::Template;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use gateway::sheet::{Kind as Held, Sheet};
use gateway::statistics::{self, Counts, Dimension, Key, Report};

use crate::chart::{Chart, Kind, Series, Slot, Unit};
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field};
use crate::format::Format;
use crate::messages::country_name;
use crate::page::{self, Shell};
use crate::parts::{Empty, Figure};
use crate::send::{Offered, sees_money};
use crate::{Console, xlsx};
use behind::Behind;
pub(crate) use choice::{Choice, Measure, TREE_OF};

/// Rows of the page, and slots of a chart that is not of time.
const ROWS: usize = 100;
const SLOTS: usize = 16;
/// Rows of a file.
const ROWS_OF_FILE: usize = 50_000;
/// A rate of fewer messages than this says little.
const FEW: i64 = 30;

#[derive(Template)]
#[template(path = "a/statistics.html")]
struct Page {
    shell: Shell,
    own: String,
    scope: String,
    dates: String,
    zone: String,
    presets: Vec<(&'static str, String, bool)>,
    fields: Vec<Field>,
    more: Vec<Field>,
    more_is_open: bool,
    hidden: Vec<(&'static str, String)>,
    chips: Vec<(String, String)>,
    figures: Vec<Figure>,
    charts: Vec<Chart>,
    table: Table,
    csv: String,
    xlsx: String,
    empty: Option<Empty>,
}

/// The numbers of the charts, and more of them.
#[derive(Default)]
struct Table {
    caption: String,
    rows_are: &'static str,
    columns: Vec<String>,
    rows: Vec<Line>,
    total: Vec<Cell>,
}

struct Line {
    name: String,
    href: Option<String>,
    cells: Vec<Cell>,
}

/// A number, whether it says little, and the messages behind it.
struct Cell {
    words: String,
    href: Option<String>,
    column: String,
    is_faint: bool,
}

/// `GET /a/{id}/statistics`.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let choice = Choice::of(&console, &place, &asked).await?;
    let report = report(&console, &place, &choice, ROWS).await?;
    let behind = Behind::of(&console, &place, &choice, &report).await?;
    let offered = Offered::of(&console, &place).await?;
    let format = place.format();
    let is_empty =
        report.total.accepted == 0 && report.total_before.is_none_or(|before| before.accepted == 0);
    let shell = place.shell("Statistics").wide();
    let [fields, more] = choice.fields(&offered, sees_money(&place));
    page::draw(&Page {
        own: place.href("statistics"),
        scope: choice.scope_words(&place),
        dates: dates(&report, format),
        // Days are counted by the installation's time, wherever the account is.
        zone: Format { time_zone: console.gateway.rules.time_zone.clone(), ..format.clone() }
            .zone_name()
            .to_owned(),
        presets: choice.presets(&place),
        fields,
        more,
        more_is_open: choice.has_more(),
        hidden: choice.hidden(),
        chips: choice.chips(&place),
        figures: figures(&report, &place, &behind),
        charts: if is_empty { Vec::new() } else { charts(&report, &choice, &behind, format) },
        table: table(&report, &choice, &behind, sees_money(&place)),
        csv: choice.link(&place.href("statistics/table.csv")).into(),
        xlsx: choice.link(&place.href("statistics/table.xlsx")).into(),
        empty: is_empty.then(|| {
            Empty::new(
                "statistics",
                "Nothing was sent in these dates",
                "Choose other dates, or take a filter away.",
            )
        }),
        shell,
    })
}

async fn report(console: &Console, place: &Place, choice: &Choice, rows_max: usize) -> Result<Report, Stop> {
    let question = choice.question(rows_max);
    let report = statistics::report(&console.gateway, &place.account, &question).await?;
    report.ok_or(Stop::NotThere)
}

/// `GET /a/{id}/statistics/table.csv`: the table for programs.
pub async fn csv(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let (sheet, name) = file(&console, &place, &asked).await?;
    Ok(attached("text/csv; charset=utf-8", &format!("{name}.csv"), sheet.csv().into_bytes()))
}

/// `GET /a/{id}/statistics/table.xlsx`: the table for spreadsheets.
pub async fn xlsx(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let (sheet, name) = file(&console, &place, &asked).await?;
    let work = tokio::task::spawn_blocking(move || xlsx::workbook(&sheet, "Statistics", title));
    let octets = work.await.map_err(|_| Stop::Broken)?.map_err(|error| {
        tracing::error!(%error, "a spreadsheet could not be written");
        Stop::Broken
    })?;
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    Ok(attached(kind, &format!("{name}.xlsx"), octets))
}

/// The head of a column, for people: `cost_per_delivered` is `Cost per delivered`.
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

fn attached(kind: &str, name: &str, octets: Vec<u8>) -> Response {
    let name = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)], octets).into_response()
}

async fn file(console: &Console, place: &Place, asked: &Asked) -> Result<(Sheet, String), Stop> {
    let choice = Choice::of(console, place, asked).await?;
    let report = report(console, place, &choice, ROWS_OF_FILE).await?;
    let range = report.question.range;
    let mut sheet = report.sheet();
    if !sees_money(place) {
        let kept: Vec<bool> = sheet.columns.iter().map(|column| column.kind != Held::Money).collect();
        for row in &mut sheet.rows {
            let mut kept = kept.iter();
            row.retain(|_| kept.next().copied().unwrap_or(true));
        }
        sheet.columns.retain(|column| column.kind != Held::Money);
    }
    Ok((sheet, format!("statistics-{}-{}-{}", place.account.id, range.first, range.last)))
}

/// The dates in words, and those they are compared with.
fn dates(report: &Report, format: &Format) -> String {
    let words = |range: statistics::Range| {
        let day = |date| format.day(gateway::clock::number_of(date));
        if range.first == range.last {
            day(range.first)
        } else {
            format!("{} to {}", day(range.first), day(range.last))
        }
    };
    let dates = words(report.question.range);
    match report.compared {
        Some(before) => format!("{dates}, compared with {}", words(before)),
        None => dates,
    }
}

fn figures(report: &Report, place: &Place, behind: &Behind<'_>) -> Vec<Figure> {
    let (format, total) = (place.format(), &report.total);
    let before = report.total_before.as_ref();
    let rate = |counts: &Counts| format.percent(counts.delivered, counts.delivered + counts.failed);
    let compared = |now: i64, read: fn(&Counts) -> i64| {
        before.map_or_else(String::new, |before| change(now, read(before), format))
    };
    let with = |figure: Figure, href: Option<String>| match href {
        Some(href) => figure.href(href),
        None => figure,
    };
    let mut figures = vec![
        with(
            Figure::new("Messages", format.count(total.accepted))
                .note(compared(total.accepted, |counts| counts.accepted)),
            behind.all(""),
        ),
        with(
            Figure::new("Segments", format.count(total.segments))
                .note(compared(total.segments, |counts| counts.segments)),
            behind.all(""),
        ),
        with(
            Figure::new("Delivered", rate(total)).note(match before {
                Some(before) => format!("{} before", rate(before)),
                None => format!("of {} whose fate is known", format.count(total.delivered + total.failed)),
            }),
            behind.all("delivered"),
        ),
        with(
            Figure::new("Failed", format.count(total.failed))
                .note(compared(total.failed, |counts| counts.failed)),
            behind.all("failed"),
        ),
    ];
    if sees_money(place) {
        let note = match before {
            Some(before) => format!("{} before", format.exact(before.spent())),
            None if total.refunds.is_positive() => format!("{} refunded", format.exact(total.refunds)),
            None => String::new(),
        };
        figures.push(with(Figure::new("Cost", format.exact(total.spent())).note(note), behind.all("")));
    }
    figures
}

/// A number beside an earlier one: `+8.1%, 1,200 before`.
fn change(now: i64, before: i64, format: &Format) -> String {
    let was = format!("{} before", format.count(before));
    match before {
        0 => was,
        _ if now == before => format!("as before, {}", format.count(before)),
        _ => {
            let sign = if now > before { "+" } else { "\u{2212}" };
            format!("{sign}{}, {was}", format.percent((now - before).abs(), before))
        }
    }
}

/// What a row or column is called.
fn name(key: &Key, of: Dimension, format: &Format) -> String {
    let day = |date| format.day(gateway::clock::number_of(date));
    match (key, of) {
        (Key::Dates(first, _), Dimension::Month) => first.strftime("%B %Y").to_string(),
        (Key::Dates(first, last), _) if first == last => day(*first),
        (Key::Dates(first, last), _) => {
            format!("{} to {}", format.day_short(gateway::clock::number_of(*first)), day(*last))
        }
        (Key::Text(text), Dimension::Country) if text.is_empty() => "No country".to_owned(),
        (Key::Text(text), Dimension::Country) => country_name(text),
        (Key::Text(text), Dimension::Label) if text.is_empty() => "Without a label".to_owned(),
        (Key::Text(text), _) if text.is_empty() => "None".to_owned(),
        (Key::Text(text), _) => text.clone(),
        (Key::Account(id, name), _) if name.is_empty() => id.to_string(),
        (Key::Account(_, name), _) => name.clone(),
        (Key::Others(count), _) => format.many(i64::try_from(*count).unwrap_or(0), "other", "others"),
    }
}

fn short_name(key: &Key, of: Dimension, format: &Format) -> String {
    match (key, of) {
        (Key::Dates(first, _), Dimension::Month) => first.strftime("%b %Y").to_string(),
        (Key::Dates(first, _), _) => format.day_short(gateway::clock::number_of(*first)),
        (Key::Text(text), Dimension::Country) if !text.is_empty() => text.clone(),
        _ => {
            let name = name(key, of, format);
            match name.char_indices().nth(11) {
                Some((end, _)) => format!("{}…", &name[..end]),
                None => name,
            }
        }
    }
}

/// What the rows are, as the head of a column.
fn rows_are(of: Dimension) -> &'static str {
    match of {
        Dimension::Day => "Day",
        Dimension::Week => "Week",
        Dimension::Month => "Month",
        Dimension::Country => "Country",
        Dimension::Label => "Label",
        Dimension::Subaccount => "Account",
        Dimension::Sender => "Sender",
    }
}

fn charts(report: &Report, choice: &Choice, behind: &Behind<'_>, format: &Format) -> Vec<Chart> {
    let (of, measure) = (report.question.rows, choice.measure);
    let rows = match of.is_time() {
        true => &report.rows[..],
        false => &report.rows[..report.rows.len().min(SLOTS)],
    };
    let slots: Vec<Slot> = rows
        .iter()
        .map(|row| Slot {
            label: short_name(&row.key, of, format),
            full: name(&row.key, of, format),
            href: behind.row(&row.key),
        })
        .collect();
    let unit = if measure == Measure::Cost { Unit::Money } else { Unit::Count };
    let series = |name: &str, tone, values: Vec<Option<i64>>| Series { name: name.to_owned(), tone, values };
    let read =
        |value: &dyn Fn(&Counts) -> i64| rows.iter().map(|row| Some(value(&row.counts).max(0))).collect();
    let stacked = match report.question.series {
        Some(part) => report
            .series
            .iter()
            .enumerate()
            .map(|(i, key)| {
                let of_row = |row: &statistics::Row| row.cells.get(i).map(|counts| measure.of(counts).max(0));
                series(&name(key, part, format), "", rows.iter().map(of_row).collect())
            })
            .collect(),
        None if measure == Measure::Messages => vec![
            series("Delivered", "good", read(&|counts| counts.delivered)),
            series("Under way or unknown", "busy", read(&Counts::in_flight)),
            series("Failed", "bad", read(&|counts| counts.failed)),
        ],
        None => vec![series(measure.words(), "", read(&|counts| measure.of(counts)))],
    };
    let title = format!("{} by {}", measure.words(), rows_are(of).to_lowercase());
    let mut charts = vec![Chart {
        id: "sums",
        title,
        kind: Kind::Bars,
        unit,
        slots_are: rows_are(of),
        slots: slots.clone(),
        series: stacked,
        format: format.clone(),
    }];
    if !of.is_time() || rows.len() < 2 {
        return charts;
    }
    if report.compared.is_some() {
        let before = rows.iter().map(|row| row.before.map(|counts| measure.of(&counts).max(0))).collect();
        charts.push(Chart {
            id: "compared",
            title: format!("{} beside the time before", measure.words()),
            kind: Kind::Lines,
            unit,
            slots_are: rows_are(of),
            slots: slots.clone(),
            series: vec![
                series("Now", "", read(&|counts| measure.of(counts))),
                series("Before", "before", before),
            ],
            format: format.clone(),
        });
    }
    let share = |counts: &Counts| counts.delivery_rate().map(|millionths| millionths / 1_000);
    charts.push(Chart {
        id: "rate",
        title: "Delivery rate".to_owned(),
        kind: Kind::Lines,
        unit: Unit::Share,
        slots_are: rows_are(of),
        slots,
        series: vec![series("Delivered", "good", rows.iter().map(|row| share(&row.counts)).collect())],
        format: format.clone(),
    });
    charts
}

fn table(report: &Report, choice: &Choice, behind: &Behind<'_>, sees_money: bool) -> Table {
    let (of, format) = (report.question.rows, behind.place.format());
    let columns = columns(report, choice, sees_money, format);
    let cells = |row: &statistics::Row, is_total: bool| {
        cells(row, (!is_total).then_some(&row.key), report, behind, sees_money, &columns)
    };
    let total = statistics::Row {
        key: Key::Others(0),
        counts: report.total,
        before: report.total_before,
        cells: (0..report.series.len())
            .map(|i| {
                let mut sum = Counts::default();
                report.rows.iter().filter_map(|row| row.cells.get(i)).for_each(|counts| sum.add(counts));
                sum
            })
            .collect(),
    };
    Table {
        caption: format!("{} by {}", choice.measure.words(), rows_are(of).to_lowercase()),
        rows_are: rows_are(of),
        rows: report
            .rows
            .iter()
            .map(|row| Line {
                name: name(&row.key, of, format),
                href: behind.row(&row.key),
                cells: cells(row, false),
            })
            .collect(),
        total: cells(&total, true),
        columns,
    }
}

fn columns(report: &Report, choice: &Choice, sees_money: bool, format: &Format) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    if let Some(part) = report.question.series {
        columns.extend(report.series.iter().map(|key| name(key, part, format)));
        columns.push(format!("{}, all", choice.measure.words()));
    } else {
        columns.extend(
            ["Messages", "Segments", "Delivered", "Failed", "Under way", "Delivery rate"].map(str::to_owned),
        );
        if sees_money {
            columns.extend(["Cost", "Cost per delivered"].map(str::to_owned));
        }
    }
    if report.compared.is_some() {
        columns.push(format!("{} before", choice.measure.words()));
    }
    columns
}

/// The numbers of a row (`key` is nothing for the sum of all), each with the messages behind it.
fn cells(
    row: &statistics::Row,
    key: Option<&Key>,
    report: &Report,
    behind: &Behind<'_>,
    sees_money: bool,
    columns: &[String],
) -> Vec<Cell> {
    let (counts, choice, format) = (&row.counts, behind.choice, behind.place.format());
    let measured = |counts: &Counts| choice.measure.shown(counts, format);
    let to_row = key.map(|key| (report.question.rows, key));
    let to_row = to_row.as_slice();
    let href = |count: i64, state: &str| (count != 0).then(|| behind.number(to_row, state)).flatten();
    let mut words: Vec<(String, bool, Option<String>)> = Vec::new();
    if let Some(part) = report.question.series {
        for (counts, column) in row.cells.iter().zip(&report.series) {
            let number = choice.measure.of(counts);
            let keys = [to_row, &[(part, column)]].concat();
            let href = (number != 0).then(|| behind.number(&keys, "")).flatten();
            words.push((measured(counts), number == 0, href));
        }
        words.push((measured(counts), false, href(choice.measure.of(counts), "")));
    } else {
        for (number, state) in [
            (counts.accepted, ""),
            (counts.segments, ""),
            (counts.delivered, "delivered"),
            (counts.failed, "failed"),
            (counts.in_flight(), "open"),
        ] {
            words.push((format.count(number), number == 0, href(number, state)));
        }
        let known = counts.delivered + counts.failed;
        words.push((format.percent(counts.delivered, known), known < FEW, None));
        if sees_money {
            words.push((format.exact(counts.spent()), false, href(counts.accepted, "")));
            let each = statistics::cost_per_delivered(counts);
            words.push((
                each.map_or("–".to_owned(), |each| format.exact(each)),
                counts.delivered < FEW,
                None,
            ));
        }
    }
    if report.compared.is_some() {
        words.push((measured(&row.before.unwrap_or_default()), false, None));
    }
    let cell = |((words, is_faint, href), column): ((String, bool, Option<String>), &String)| Cell {
        words,
        is_faint,
        href,
        column: column.clone(),
    };
    words.into_iter().zip(columns).map(cell).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::form::Typed;

    pub fn sample() -> impl Template {
        let (shell, typed) = (Shell::sample("Statistics"), Typed::of([("sender", "<b>K")]));
        let cell = |words: &str| Cell {
            words: words.into(),
            href: Some("/a/1/messages".into()),
            column: "<b>K".into(),
            is_faint: true,
        };
        Page {
            own: "/a/1/statistics".into(),
            scope: "<b>K alone".into(),
            dates: "1 Nov 2026".into(),
            zone: "UTC".into(),
            presets: vec![("30 days", "/a/1/statistics?range=30d".into(), true)],
            fields: vec![typed.field("from", "From")],
            more: vec![typed.field("sender", "Sender")],
            more_is_open: true,
            hidden: vec![("range", "30d".into())],
            chips: vec![("Label <b>K".into(), "/a/1/statistics".into())],
            figures: vec![Figure::new("Messages", "7")],
            charts: Vec::new(),
            table: Table {
                caption: "Messages by <b>K".into(),
                rows_are: "Label",
                columns: vec!["<b>K".into()],
                rows: vec![Line {
                    name: "<script>alert(1)".into(),
                    href: Some("/a/1".into()),
                    cells: vec![cell("7")],
                }],
                total: vec![cell("7")],
            },
            csv: "/a/1/statistics/table.csv".into(),
            xlsx: "/a/1/statistics/table.xlsx".into(),
            empty: None,
            shell,
        }
    }

    #[test]
    fn a_change_is_told_with_what_was_before() {
        let format = Shell::sample("").format;
        assert_eq!(change(110, 100, &format), "+10.0%, 100 before");
        assert_eq!(change(90, 100, &format), "−10.0%, 100 before");
        assert_eq!(change(9, 0, &format), "0 before");
        assert_eq!(change(7, 7, &format), "as before, 7");
    }
}
