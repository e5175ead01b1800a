//! A price list as a file: reading it, with all that is wrong by line and column, and its words.

use std::collections::HashMap;
use std::io::Read;

use domain::credits::Credits;
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::price::Destination;
use domain::product::Product;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use storage::prices::NewRow;

use super::{COLUMNS, ERRORS_MAX, ImportError, RowError, TEXT_MAX};
use crate::clock::{number_of, start_of_day};

/// What stands for a price where a destination has none of its own any more.
pub(super) const END: &str = "end";

/// The country as files have it.
pub(super) fn country_text(destination: &Destination) -> &str {
    destination.country.as_ref().map_or("*", Country::as_str)
}

/// A destination in words: `sms to DE network 26201`.
pub fn place(destination: &Destination) -> String {
    let network = match destination.network.as_str() {
        "" => String::new(),
        network => format!(" network {network}"),
    };
    format!("{} to {}{network}", destination.product.as_str(), country_text(destination))
}

/// A destination as people read it: `Germany`, `Germany, network 26201`.
pub fn destination_words(destination: &Destination) -> String {
    let country = destination.country.map_or("Rest of the world", Country::name);
    match destination.network.as_str() {
        "" => country.to_owned(),
        network => format!("{country}, network {network}"),
    }
}

/// The rows of a file with their lines, or all that is wrong with it.
pub(super) fn read(mut file: impl Read, time_zone: &TimeZone) -> Result<Vec<(u64, NewRow)>, ImportError> {
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|e| ImportError::Unreadable(format!("{e}; save it as UTF-8")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // Spreadsheets of some countries write semicolons.
    let head = text.lines().next().unwrap_or("");
    let delimiter = if head.contains(';') && !head.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let unreadable = |e: csv::Error| ImportError::Unreadable(e.to_string());
    let columns = columns(reader.headers().map_err(unreadable)?)?;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let mut lines: HashMap<(Destination, Option<Moment>), u64> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(str::is_empty) {
            continue;
        }
        let field =
            |name| columns.iter().position(|c| *c == name).and_then(|at| record.get(at)).unwrap_or("");
        let mut problems = Vec::new();
        if record.len() > columns.len() {
            problems.push((
                "comment",
                "the line has more fields than the first; put texts with commas in quotes".to_owned(),
            ));
        }
        let row = row(field, time_zone, &mut problems);
        if let Some(first) =
            row.as_ref().and_then(|r| lines.insert((r.destination.clone(), r.effective_from), line))
        {
            problems.push((
                "effective_from",
                format!("line {first} has a price for the same from the same time on; keep one of them"),
            ));
        }
        match row {
            Some(row) if problems.is_empty() => rows.push((line, row)),
            _ => wrong.extend(problems.into_iter().map(|(field, problem)| RowError { line, field, problem })),
        }
    }
    if !wrong.is_empty() {
        let count = wrong.len();
        wrong.truncate(ERRORS_MAX);
        return Err(ImportError::Rows(wrong, count));
    }
    if rows.is_empty() { Err(ImportError::Empty) } else { Ok(rows) }
}

fn columns(head: &csv::StringRecord) -> Result<Vec<&'static str>, ImportError> {
    let mut columns = Vec::new();
    for name in head {
        let lower = name.to_ascii_lowercase();
        let known = COLUMNS.into_iter().find(|c| *c == lower);
        let known =
            known.ok_or_else(|| ImportError::Header(format!("'{name}' is not a column of a price list")))?;
        if columns.contains(&known) {
            return Err(ImportError::Header(format!("the column '{known}' is there twice")));
        }
        columns.push(known);
    }
    for needed in ["country", "price"] {
        if !columns.contains(&needed) {
            return Err(ImportError::Header(format!("the column '{needed}' is missing")));
        }
    }
    Ok(columns)
}

/// A row, unless a problem was found that leaves none.
fn row<'a>(
    field: impl Fn(&'static str) -> &'a str,
    time_zone: &TimeZone,
    problems: &mut Vec<(&'static str, String)>,
) -> Option<NewRow> {
    let before = problems.len();
    let product = match field("product") {
        "" => Product::Sms,
        word => Product::parse(&word.to_ascii_lowercase()).unwrap_or_else(|| {
            let known = Product::ALL.map(Product::as_str).join(", ");
            problems.push(("product", format!("'{word}' is not a product; write one of {known}")));
            Product::Sms
        }),
    };
    let country = match field("country") {
        "*" => None,
        word => {
            let country = Country::parse(&word.to_ascii_uppercase());
            if country.is_none() {
                let problem = format!(
                    "'{word}' is not a country; write two letters such as DE, or * for the rest of the world"
                );
                problems.push(("country", problem));
            }
            country
        }
    };
    let network = field("network");
    if !network.is_empty() {
        if !matches!(network.len(), 5 | 6) || !network.bytes().all(|b| b.is_ascii_digit()) {
            problems.push(("network", format!("'{network}' is not a network; write MCC and MNC such as 26201, or nothing for the whole country")));
        } else if field("country") == "*" {
            problems.push((
                "network",
                "a network belongs to a country; write its two letters instead of *".to_owned(),
            ));
        }
    }
    let price = match price(field("price")) {
        Ok(price) => price,
        Err(problem) => {
            problems.push(("price", problem));
            None
        }
    };
    let effective_from = match field("effective_from") {
        "" => None,
        text => {
            let at = moment(text, time_zone);
            if at.is_none() {
                problems.push(("effective_from", format!("'{text}' is not a time; write 2026-12-01, 2026-12-01T12:00:00+01:00, or nothing for now")));
            }
            at
        }
    };
    let comment = field("comment");
    let length = comment.chars().count();
    if length > TEXT_MAX {
        problems.push(("comment", format!("it has {length} characters; write at most {TEXT_MAX}")));
    }
    (problems.len() == before).then(|| NewRow {
        destination: Destination { product, country, network: network.to_owned() },
        price,
        effective_from,
        comment: comment.to_owned(),
    })
}

/// A price as it is written: an amount, or `end` for none of its own any more.
pub(super) fn price(text: &str) -> Result<Option<Credits>, String> {
    if text.eq_ignore_ascii_case(END) {
        return Ok(None);
    }
    match text.parse::<Credits>() {
        Ok(price) if price >= Credits::ZERO => Ok(Some(price)),
        Ok(price) => Err(format!("{price} is below zero; write what a unit costs")),
        Err(error) => Err(error.to_string()),
    }
}

/// A time with its offset, or the beginning of a date of the installation.
fn moment(text: &str, time_zone: &TimeZone) -> Option<Moment> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(Moment(timestamp.as_microsecond()));
    }
    let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
    start_of_day(number_of(date), time_zone)
}
