//! One statement over many rows. SQLite runs a prepared statement row by row, which in the process
//! is the fastest there is; PostgreSQL gets all rows at once and runs once. A few columns come as one
//! array each. More come as one array of rows of the table: to take an array apart costs the server
//! some two microseconds however short it is, and rows are taken apart as one.

use std::sync::OnceLock;

/// What a column of a [`Bulk`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A `bigint`.
    Int,
    /// A `text`.
    Text,
}

type Columns = &'static [(&'static str, Kind)];

/// A statement that is run over many rows.
pub struct Bulk {
    shape: Shape,
    texts: OnceLock<Texts>,
}

enum Shape {
    Insert { table: &'static str, columns: Columns, tail: &'static str },
    Update { table: &'static str, keys: Columns, sets: Columns, add: bool },
    Delete { table: &'static str, keys: Columns },
    Written { table: &'static str, columns: Columns, sqlite: &'static str, postgres: &'static str },
    Select { columns: Columns, sqlite: &'static str, postgres: &'static str },
}

/// From so many columns on the rows of a table come to PostgreSQL as rows.
const AS_ROWS_FROM: usize = 4;

/// The statement in the words of each engine.
pub(super) struct Texts {
    pub sqlite: String,
    pub postgres: String,
    pub kinds: Vec<Kind>,
    pub names: Vec<&'static str>,
    /// Whether PostgreSQL gets one array of rows, and not one array a column.
    pub as_rows: bool,
}

impl Texts {
    /// How many parameters the statement has for PostgreSQL.
    pub fn params(&self) -> usize {
        if self.as_rows { 1 } else { self.kinds.len() }
    }
}

impl Bulk {
    /// Inserts rows. `tail` may say what happens with those that exist already.
    pub const fn insert(table: &'static str, columns: Columns, tail: &'static str) -> Bulk {
        Bulk { shape: Shape::Insert { table, columns, tail }, texts: OnceLock::new() }
    }

    /// Sets columns of the rows that have the keys. A row holds the keys, then the new values.
    pub const fn update(table: &'static str, keys: Columns, sets: Columns) -> Bulk {
        Bulk { shape: Shape::Update { table, keys, sets, add: false }, texts: OnceLock::new() }
    }

    /// Adds to columns of the rows that have the keys. A row holds the keys, then what to add.
    pub const fn add(table: &'static str, keys: Columns, sets: Columns) -> Bulk {
        Bulk { shape: Shape::Update { table, keys, sets, add: true }, texts: OnceLock::new() }
    }

    /// Deletes the rows that have the keys.
    pub const fn delete(table: &'static str, keys: Columns) -> Bulk {
        Bulk { shape: Shape::Delete { table, keys }, texts: OnceLock::new() }
    }

    /// Changes a table in a way of its own. The statements are written as for [`Bulk::select`].
    pub const fn written(
        table: &'static str,
        columns: Columns,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Bulk {
        Bulk { shape: Shape::Written { table, columns, sqlite, postgres }, texts: OnceLock::new() }
    }

    /// The table it changes.
    pub(super) fn table(&self) -> Option<&'static str> {
        match &self.shape {
            Shape::Insert { table, .. }
            | Shape::Update { table, .. }
            | Shape::Delete { table, .. }
            | Shape::Written { table, .. } => Some(table),
            Shape::Select { .. } => None,
        }
    }

    /// Asks for rows. For SQLite the statement for one input row (`$1`, `$2`, ...), for PostgreSQL
    /// the one for all, in which `{rows}` stands for the input as a table named `input` with these
    /// columns. Both must give the same rows, in any order.
    pub const fn select(columns: Columns, sqlite: &'static str, postgres: &'static str) -> Bulk {
        Bulk { shape: Shape::Select { columns, sqlite, postgres }, texts: OnceLock::new() }
    }

    /// A row that was to be changed is not there.
    pub(super) fn not_each() -> super::Error {
        super::Error::Fault("a row that was to be changed is not there".to_owned())
    }

    pub(super) fn width(&self) -> usize {
        match &self.shape {
            Shape::Insert { columns, .. }
            | Shape::Select { columns, .. }
            | Shape::Written { columns, .. } => columns.len(),
            Shape::Update { keys, sets, .. } => keys.len() + sets.len(),
            Shape::Delete { keys, .. } => keys.len(),
        }
    }

    pub(super) fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| self.shape.write())
    }
}

impl Shape {
    fn write(&self) -> Texts {
        let mut texts = self.texts();
        texts.sqlite = numbered(&texts.sqlite);
        texts
    }

    fn texts(&self) -> Texts {
        match self {
            Shape::Insert { table, columns, tail } => {
                let names = names(columns);
                Texts {
                    sqlite: format!(
                        "insert into {table} ({names}) values ({}) {tail}",
                        places(columns.len())
                    ),
                    postgres: format!(
                        "insert into {table} ({names}) select {names} from {} {tail}",
                        rows_of(table, columns)
                    ),
                    ..Texts::of(columns, true)
                }
            }
            Shape::Update { table, keys, sets, add } => {
                let all: Vec<_> = keys.iter().chain(*sets).copied().collect();
                let set = |write: &dyn Fn(usize, &str) -> String| {
                    let sets = sets.iter().enumerate();
                    sets.map(|(i, (name, _))| write(keys.len() + i + 1, name)).collect::<Vec<_>>().join(", ")
                };
                let of = |write: &dyn Fn(usize, &str) -> String| {
                    let keys = keys.iter().enumerate();
                    keys.map(|(i, (name, _))| write(i + 1, name)).collect::<Vec<_>>().join(" and ")
                };
                let by_place = |i: usize, name: &str| format!("{name} = ${i}");
                let set_by_place = |i: usize, name: &str| {
                    if *add { format!("{name} = {name} + ${i}") } else { by_place(i, name) }
                };
                let set_by_name = |_: usize, name: &str| {
                    if *add {
                        format!("{name} = stored.{name} + input.{name}")
                    } else {
                        format!("{name} = input.{name}")
                    }
                };
                let of_by_name = |_: usize, name: &str| format!("stored.{name} = input.{name}");
                Texts {
                    sqlite: format!("update {table} set {} where {}", set(&set_by_place), of(&by_place)),
                    postgres: format!(
                        "update {table} as stored set {} from {} where {}",
                        set(&set_by_name),
                        rows_of(table, &all),
                        of(&of_by_name)
                    ),
                    ..Texts::of(&all, true)
                }
            }
            Shape::Delete { table, keys } => {
                let join = |write: &dyn Fn(usize, &str) -> String| {
                    let keys = keys.iter().enumerate();
                    keys.map(|(i, (name, _))| write(i + 1, name)).collect::<Vec<_>>().join(" and ")
                };
                Texts {
                    sqlite: format!(
                        "delete from {table} where {}",
                        join(&|i, name| format!("{name} = ${i}"))
                    ),
                    postgres: format!(
                        "delete from {table} as stored using {} where {}",
                        rows_of(table, keys),
                        join(&|_, name| format!("stored.{name} = input.{name}"))
                    ),
                    ..Texts::of(keys, true)
                }
            }
            Shape::Select { columns, sqlite, postgres }
            | Shape::Written { columns, sqlite, postgres, .. } => Texts {
                sqlite: (*sqlite).to_owned(),
                postgres: postgres.replace("{rows}", &input(columns)),
                ..Texts::of(columns, false)
            },
        }
    }
}

/// `$1` is a name to SQLite, `?1` a number.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

fn names(columns: &[(&str, Kind)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl Texts {
    /// What is the same for all shapes; the statements are still to be written.
    fn of(columns: &[(&'static str, Kind)], of_a_table: bool) -> Texts {
        Texts {
            sqlite: String::new(),
            postgres: String::new(),
            kinds: columns.iter().map(|(_, kind)| *kind).collect(),
            names: columns.iter().map(|(name, _)| *name).collect(),
            as_rows: of_a_table && columns.len() >= AS_ROWS_FROM,
        }
    }
}

fn places(count: usize) -> String {
    (1..=count).map(|i| format!("${i}")).collect::<Vec<_>>().join(", ")
}

/// The rows of a table as a table of PostgreSQL: as rows where they are wide. Columns that are not
/// given are null in them, and not to be used.
fn rows_of(table: &str, columns: &[(&str, Kind)]) -> String {
    if columns.len() < AS_ROWS_FROM {
        return input(columns);
    }
    format!("unnest($1::{table}[]) as input")
}

/// The columns as a table of PostgreSQL.
fn input(columns: &[(&str, Kind)]) -> String {
    let arrays = columns.iter().enumerate().map(|(i, (_, kind))| match kind {
        Kind::Int => format!("${}::bigint[]", i + 1),
        Kind::Text => format!("${}::text[]", i + 1),
    });
    format!("unnest({}) as input({})", arrays.collect::<Vec<_>>().join(", "), names(columns))
}
