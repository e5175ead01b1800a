//! What a command says: one JSON object for programs, or words and tables for people. Tables are
//! aligned, numbers to the right, and shown without lines; colour only where someone is looking.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Whom a command speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A program: one JSON object on stdout.
    Json,
    /// A person.
    Words,
}

impl Output {
    /// Says the outcome: the object to a program, the words to a person.
    pub fn say(self, object: &Value, words: &str) {
        match self {
            Output::Json => print(&format!("{object}\n")),
            Output::Words if words.is_empty() => {}
            Output::Words => print(&format!("{}\n", words.trim_end_matches('\n'))),
        }
    }
}

/// Writes to stdout. A reader that has gone away, such as `head`, is no fault.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// How a text stands out on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// What matters.
    Strong,
    /// What is said beside.
    Faint,
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
}

impl Style {
    /// The text in this style, if someone is looking.
    pub fn paint(self, text: &str) -> String {
        let code = match self {
            Style::Plain => return text.to_owned(),
            _ if !coloured() => return text.to_owned(),
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Whether stdout is a terminal whose owner does not mind colour.
///
/// Source: <https://no-color.org>
fn coloured() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && std::env::var_os("TERM").is_none_or(|v| v != "dumb")
}

/// Rows of cells under a heading.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(String, Style)>>,
}

/// The widest a cell of a list gets.
const CELL_MAX: usize = 60;

#[derive(Debug)]
struct Column {
    heading: &'static str,
    right: bool,
}

impl Table {
    /// A table with these columns. A heading that begins with `>` is of a column of numbers, which
    /// stand to the right.
    pub fn new(headings: &[&'static str]) -> Table {
        let column = |heading: &&'static str| match heading.strip_prefix('>') {
            Some(heading) => Column { heading, right: true },
            None => Column { heading, right: false },
        };
        Table { columns: headings.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.styled(cells.into_iter().map(|cell| (cell, Style::Plain)));
    }

    /// Adds a row whose cells have their own styles.
    pub fn styled(&mut self, cells: impl IntoIterator<Item = (impl Into<String>, Style)>) {
        // A list is to be looked over; whoever wants all of one thing has it shown by itself.
        let is_list = self.columns.iter().any(|column| !column.heading.is_empty());
        let fit = |cell: String| if is_list { cut(cell) } else { cell };
        self.rows.push(cells.into_iter().map(|(cell, style)| (fit(cell.into()), style)).collect());
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, each ended.
    pub fn lines(&self) -> String {
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(i)).map(|(cell, _)| width(cell));
                cells.chain([width(column.heading)]).max().unwrap_or(0)
            })
            .collect();
        let mut lines = String::new();
        if self.columns.iter().any(|c| !c.heading.is_empty()) {
            let headings: Vec<_> =
                self.columns.iter().map(|c| (c.heading.to_owned(), Style::Faint)).collect();
            self.line(&mut lines, &headings, &widths);
        }
        for row in &self.rows {
            self.line(&mut lines, row, &widths);
        }
        lines
    }

    fn line(&self, lines: &mut String, row: &[(String, Style)], widths: &[usize]) {
        let mut line = String::new();
        for ((column, (cell, style)), wide) in self.columns.iter().zip(row).zip(widths) {
            let gap = " ".repeat(wide - width(cell));
            let painted = style.paint(cell);
            let _ = match column.right {
                true => write!(line, "{gap}{painted}  "),
                false => write!(line, "{painted}{gap}  "),
            };
        }
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
}

/// How many columns of a terminal a text takes.
fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that takes more columns than a table can give it.
fn cut(text: String) -> String {
    if width(&text) <= CELL_MAX {
        return text;
    }
    let mut cut = String::new();
    for c in text.chars() {
        if width(&cut) + c.width().unwrap_or(0) >= CELL_MAX {
            break;
        }
        cut.push(c);
    }
    cut + "\u{2026}"
}

/// A number with its thousands set apart: 12 345 678 as `12,345,678`.
pub fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if n < 0 { format!("-{grouped}") } else { grouped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_has_no_blanks_at_its_ends() {
        let mut table = Table::new(&["ID", "Name", ">Balance"]);
        table.row(["1900001", "Nordlicht", "25.00"]);
        table.row(["1900002", "Café Blüte", "1,300.50"]);
        let shown = "ID       Name         Balance\n\
                     1900001  Nordlicht      25.00\n\
                     1900002  Café Blüte  1,300.50\n";
        assert_eq!(table.lines(), shown);
    }

    #[test]
    fn wide_characters_take_two_columns_and_long_names_are_cut() {
        let mut table = Table::new(&["Name", "State"]);
        table.row(["\u{682a}\u{5f0f}", "active"]);
        table.row([&"x".repeat(200), "active"]);
        let lines = table.lines();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(width(lines[0]), 67);
        assert_eq!(width(lines[1]), width(lines[2]));
        assert!(lines[2].contains("x\u{2026}  active"), "{}", lines[2]);
    }

    #[test]
    fn thousands_are_set_apart() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567")];
        for (n, shown) in cases {
            assert_eq!(count(n), shown);
        }
    }
}
