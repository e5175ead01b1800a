//! Tables for files: columns that know what they hold, and their rows as CSV. What a spreadsheet would
//! take for a formula is written so that it does not.

use domain::credits::Credits;
use jiff::civil::Date;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Text,
    /// A whole number.
    Number,
    /// An amount.
    Money,
    /// A share of one.
    Share,
    /// A date.
    Date,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, for programs.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

impl Column {
    /// A column.
    pub fn new(name: &str, kind: Kind) -> Column {
        Column { name: name.to_owned(), kind }
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Words.
    Text(String),
    /// A whole number.
    Number(i64),
    /// An amount.
    Money(Credits),
    /// A share, in millionths.
    Share(i64),
    /// A date.
    Date(Date),
}

impl Cell {
    /// As it is written in CSV: numbers with a dot, dates as ISO 8601 has them.
    pub fn csv(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) => harmless(text),
            Cell::Number(n) => n.to_string(),
            Cell::Money(amount) => amount.to_string(),
            Cell::Share(share) => Credits(*share).to_string(),
            Cell::Date(date) => date.to_string(),
        }
    }
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each with a cell a column.
    pub rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// The table as CSV, with the names of the columns first.
    pub fn csv(&self) -> String {
        let mut text = line(self.columns.iter().map(|column| column.name.clone()));
        for row in &self.rows {
            text.push_str(&line(row.iter().map(Cell::csv)));
        }
        text
    }
}

/// A line of CSV. The cells are taken as they are: see [`harmless`].
pub fn line(cells: impl IntoIterator<Item = String>) -> String {
    let mut line = String::new();
    for (i, cell) in cells.into_iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        if cell.contains([',', '"', '\n', '\r', ';', '\t']) {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&cell);
        }
    }
    line.push_str("\r\n");
    line
}

/// A text that no spreadsheet takes for a formula: one that begins as formulas do gets an apostrophe,
/// which spreadsheets read as "this is text".
pub fn harmless(text: &str) -> String {
    let begins = text.trim_start_matches([' ', '\u{A0}', '\u{FEFF}']).chars().next();
    let formula = matches!(
        begins,
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠' | '|' | '%')
    );
    if formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1", "＝1", "|calc", "%0A"] {
            assert!(harmless(formula).starts_with('\''), "{formula:?}");
        }
        for text in ["Hello = you", "a-b", "49151", "", "'=1"] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn a_line_is_read_back_as_it_was() {
        let cells = ["plain", "with, comma", "with \"quotes\"", "two\nlines", "", "semi;colon"];
        let text = line(cells.map(str::to_owned));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!(record.iter().collect::<Vec<_>>(), cells);
    }

    #[test]
    fn a_sheet_has_its_columns_first() {
        let columns = vec![
            Column::new("name", Kind::Text),
            Column::new("cost", Kind::Money),
            Column::new("rate", Kind::Share),
        ];
        let rows = vec![
            vec![Cell::Text("=evil".to_owned()), Cell::Money(Credits(-75_000)), Cell::Share(987_654)],
            vec![Cell::Empty, Cell::Money(Credits(1)), Cell::Empty],
        ];
        let sheet = Sheet { columns, rows };
        assert_eq!(sheet.csv(), "name,cost,rate\r\n'=evil,-0.075,0.987654\r\n,0.000001,\r\n");
    }
}
