//! What can go wrong with a database, sorted by what can be done about it.

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique rule was broken. Names the rule as the engine does.
    #[error("this already exists ({0})")]
    Duplicate(String),
    /// Another rule of the tables was broken.
    #[error("a rule of the books was broken ({0})")]
    Rule(String),
    /// Others were in the way; trying again helps.
    #[error("the database is busy, try again ({0})")]
    Busy(String),
    /// Nothing can be written: read-only or no space left.
    #[error("the database cannot be written: {0}. Check the free space and the owner of its files")]
    Unwritable(String),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Gone(String),
    /// This engine does not do that.
    #[error("{0}")]
    Unsupported(String),
    /// The tables are not what this program expects.
    #[error("the tables do not fit this version of Branchline: {0}")]
    Schema(String),
    /// Anything else; a fault of ours.
    #[error("the database refused a statement: {0}")]
    Fault(String),
}

impl Error {
    pub(super) fn row(column: usize, wanted: &str) -> Error {
        Error::Fault(format!("column {column} of a row is not {wanted}"))
    }

    /// A stored value that this version cannot read.
    pub fn unreadable(what: &str, value: impl std::fmt::Display) -> Error {
        Error::Schema(format!("{what} holds '{value}', which is unknown here"))
    }

    /// Whether the rule broken is that this column of this table is unique.
    pub fn is_duplicate_of(&self, table: &str, column: &str) -> bool {
        matches!(self, Error::Duplicate(rule) if rule.contains(table) && rule.contains(column))
    }

    /// Whether the same may succeed a moment later.
    pub fn retryable(&self) -> bool {
        matches!(self, Error::Busy(_) | Error::Gone(_) | Error::Unwritable(_))
    }
}
