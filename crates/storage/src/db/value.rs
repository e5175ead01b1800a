//! What goes into a statement and what comes out of it.

use super::{Error, Result};

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A `bigint`.
    Int(i64),
    /// A `text`.
    Text(&'a str),
    /// A list for `in list($n)`.
    Ints(&'a [i64]),
    /// A list for `in list($n)`.
    Texts(&'a [String]),
}

impl From<i64> for Value<'_> {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Value::Int(i64::from(yes))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a [i64]> for Value<'a> {
    fn from(list: &'a [i64]) -> Self {
        Value::Ints(list)
    }
}

impl<'a> From<&'a [String]> for Value<'a> {
    fn from(list: &'a [String]) -> Self {
        Value::Texts(list)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// What a column of a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A `bigint`.
    Int(i64),
    /// A `text`.
    Text(String),
}

/// A row of a result; columns count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub(super) Vec<Cell>);

impl Row {
    /// A number.
    pub fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| Error::row(column, "a number"))
    }

    /// A number or nothing.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Cell::Int(n)) => Ok(Some(*n)),
            Some(Cell::Null) => Ok(None),
            _ => Err(Error::row(column, "a number")),
        }
    }

    /// Whether a number is not 0.
    pub fn flag(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// A text.
    pub fn text(&self, column: usize) -> Result<String> {
        self.opt_text(column)?.ok_or_else(|| Error::row(column, "a text"))
    }

    /// A text as it lies in the row; what is none is empty.
    pub fn str(&self, column: usize) -> &str {
        match self.0.get(column) {
            Some(Cell::Text(text)) => text,
            _ => "",
        }
    }

    /// A text or nothing.
    pub fn opt_text(&self, column: usize) -> Result<Option<String>> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Some(text.clone())),
            Some(Cell::Null) => Ok(None),
            _ => Err(Error::row(column, "a text")),
        }
    }

    /// A text, taken out of the row; what was nothing gives an empty one.
    pub fn take_text(&mut self, column: usize) -> String {
        match self.0.get_mut(column).map(|cell| std::mem::replace(cell, Cell::Null)) {
            Some(Cell::Text(text)) => text,
            _ => String::new(),
        }
    }
}
