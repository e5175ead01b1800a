//! Tables as workbooks. Cells are written with the kinds of their columns, so that a spreadsheet can add
//! them up, and words are written as words, so that none is taken for a formula.

use gateway::sheet::{Cell, Kind, Sheet};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, XlsxError};

/// Millionths of one.
const SCALE: f64 = 1_000_000.0;
/// The most characters of a sheet's name.
const NAME_MAX: usize = 31;
/// The most characters of a cell.
const CELL_MAX: usize = 32_767;

/// A workbook with one sheet. The names of columns are given by `title`, in the words of the reader.
pub fn workbook(sheet: &Sheet, name: &str, title: impl Fn(&str) -> String) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let page = workbook.add_worksheet();
    page.set_name(sheet_name(name))?;
    let head = Format::new().set_bold().set_text_wrap();
    let number = Format::new().set_num_format("#,##0");
    let money = Format::new().set_num_format("#,##0.00####");
    let share = Format::new().set_num_format("0.0%");
    let date = Format::new().set_num_format("yyyy-mm-dd");
    for (at, column) in (0_u16..).zip(&sheet.columns) {
        let words = title(&column.name);
        let width = if column.kind == Kind::Text { 24.0 } else { 14.0 };
        page.write_string_with_format(0, at, cut(&words), &head)?;
        page.set_column_width(at, width)?;
    }
    for (line, row) in (1_u32..).zip(&sheet.rows) {
        for (at, cell) in (0_u16..).zip(row) {
            match cell {
                Cell::Empty => continue,
                Cell::Text(text) => page.write_string(line, at, cut(text))?,
                Cell::Number(n) => page.write_number_with_format(line, at, *n as f64, &number)?,
                Cell::Money(amount) => {
                    page.write_number_with_format(line, at, amount.0 as f64 / SCALE, &money)?
                }
                Cell::Share(n) => page.write_number_with_format(line, at, *n as f64 / SCALE, &share)?,
                Cell::Date(day) => {
                    let (year, month, of_month) =
                        (day.year().unsigned_abs(), day.month().unsigned_abs(), day.day().unsigned_abs());
                    let day = ExcelDateTime::from_ymd(year, month, of_month)?;
                    page.write_datetime_with_format(line, at, &day, &date)?
                }
            };
        }
    }
    page.set_freeze_panes(1, 0)?;
    workbook.save_to_buffer()
}

/// A name a sheet may have.
fn sheet_name(name: &str) -> String {
    let plain = name
        .chars()
        .map(|c| if matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '\'') { ' ' } else { c });
    let name: String = plain.take(NAME_MAX).collect();
    if name.trim().is_empty() { "Sheet".to_owned() } else { name.trim().to_owned() }
}

/// As much of a text as a cell holds.
fn cut(text: &str) -> &str {
    match text.char_indices().nth(CELL_MAX) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::credits::Credits;
    use gateway::sheet::Column;

    #[test]
    fn a_sheet_becomes_a_workbook() {
        let columns = vec![
            Column::new("name", Kind::Text),
            Column::new("day", Kind::Date),
            Column::new("accepted", Kind::Number),
            Column::new("cost", Kind::Money),
            Column::new("rate", Kind::Share),
        ];
        let row = vec![
            Cell::Text("=1+1".to_owned()),
            Cell::Date(jiff::civil::date(2026, 11, 27)),
            Cell::Number(12),
            Cell::Money(Credits(-75_000)),
            Cell::Share(987_000),
        ];
        let long = vec![Cell::Text("x".repeat(40_000)), Cell::Empty, Cell::Empty, Cell::Empty, Cell::Empty];
        let sheet = Sheet { columns, rows: vec![row, long] };
        let file = workbook(&sheet, "Statistics: [2026] 'all' of it, and more", str::to_uppercase).unwrap();
        assert!(file.starts_with(b"PK\x03\x04") && file.len() > 1_000);
        assert_eq!(sheet_name("a/b*c"), "a b c");
        assert_eq!(sheet_name("'"), "Sheet");
    }
}
