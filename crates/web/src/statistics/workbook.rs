//! A table as a spreadsheet: numbers as numbers, so that they can be added up there.

use gateway::sheet::{Cell, Sheet};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, XlsxError};

/// Millionths of what is written.
const MILLION: f64 = 1_000_000.0;

/// The octets of the file.
pub fn of(sheet: &Sheet) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let page = workbook.add_worksheet().set_name("Statistics")?;
    let head = Format::new().set_bold();
    let count = Format::new().set_num_format("#,##0");
    let money = Format::new().set_num_format("#,##0.00####");
    let share = Format::new().set_num_format("0.0%");
    let date = Format::new().set_num_format("yyyy-mm-dd");
    for (column, about) in (0..).zip(&sheet.columns) {
        page.write_string_with_format(0, column, &about.name, &head)?;
    }
    for (row, cells) in (1..).zip(&sheet.rows) {
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Empty => {}
                // A text is a text here, also one that begins as formulas do.
                Cell::Text(text) => {
                    page.write_string(row, column, text)?;
                }
                Cell::Number(number) => {
                    page.write_number_with_format(row, column, *number as f64, &count)?;
                }
                Cell::Money(amount) => {
                    page.write_number_with_format(row, column, amount.0 as f64 / MILLION, &money)?;
                }
                Cell::Share(millionths) => {
                    page.write_number_with_format(row, column, *millionths as f64 / MILLION, &share)?;
                }
                Cell::Date(day) => {
                    let (year, month, day) = (day.year().unsigned_abs(), day.month(), day.day());
                    let at = ExcelDateTime::from_ymd(year, month.unsigned_abs(), day.unsigned_abs())?;
                    page.write_datetime_with_format(row, column, &at, &date)?;
                }
            }
        }
    }
    page.set_freeze_panes(1, 1)?;
    page.autofit();
    workbook.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use domain::credits::Credits;
    use gateway::sheet::{Column, Kind};

    use super::*;

    #[test]
    fn a_table_becomes_a_file_that_spreadsheets_open() {
        let columns = vec![Column::new("day", Kind::Date), Column::new("cost", Kind::Money)];
        let day = Cell::Date("2026-11-27".parse().unwrap());
        let rows = vec![
            vec![day, Cell::Money(Credits(75_000))],
            vec![Cell::Text("=total".into()), Cell::Share(987_654)],
        ];
        let octets = of(&Sheet { columns, rows }).unwrap();
        assert!(octets.starts_with(b"PK"), "it is no file of that kind");
    }
}
