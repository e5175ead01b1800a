//! SQLite: one connection that writes, several that read, all in this process. The log is synced
//! at every commit; it is moved to the file beside the writer, so that no commit waits for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement, ffi};
use tokio::sync::OwnedMutexGuard;

use super::{Bulk, Cell, Conn, Error, Result, Row, Value};

/// Readers kept open; further ones are opened when needed and closed after use.
const READERS_MAX: usize = 8;
/// How long a write waits for another program that writes.
const BUSY: Duration = Duration::from_secs(20);
/// A log of more pages than this is begun anew by the writer itself, which then waits for the disk. A
/// log that is begun anew is written over, and syncs twice as fast as one that grows.
const LOG_PAGES_MAX: i64 = 1_000;

pub struct Files {
    path: PathBuf,
    writer: Arc<tokio::sync::Mutex<Conn>>,
    readers: Mutex<Vec<Line>>,
}

impl Files {
    pub fn open(path: &Path) -> Result<Files> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| {
                Error::Unwritable(format!("the folder {} cannot be made: {e}", folder.display()))
            })?;
        }
        let writer = Connection::open(path).map_err(of)?;
        // The owner alone may read the books.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
        }
        let set =
            |name: &str, value: &str| -> Result<()> { writer.pragma_update(None, name, value).map_err(of) };
        writer.busy_timeout(BUSY).map_err(of)?;
        set("journal_mode", "wal")?;
        set("synchronous", "full")?;
        set("foreign_keys", "on")?;
        set("wal_autocheckpoint", "0")?;
        set("cache_size", "-16000")?;
        set("temp_store", "memory")?;
        writer.set_prepared_statement_cache_capacity(256);
        Ok(Files {
            path: path.to_owned(),
            writer: Arc::new(tokio::sync::Mutex::new(Conn::Sqlite(Line { connection: writer }))),
            readers: Mutex::default(),
        })
    }

    pub async fn writer(&self) -> OwnedMutexGuard<Conn> {
        self.writer.clone().lock_owned().await
    }

    pub fn reader(&self) -> Result<Line> {
        if let Some(line) = self.readers.lock().unwrap_or_else(|p| p.into_inner()).pop() {
            return Ok(line);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(of)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(of)?;
        connection.pragma_update(None, "cache_size", "-2000").map_err(of)?;
        connection.pragma_update(None, "temp_store", "memory").map_err(of)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Line { connection })
    }

    pub fn give_back(&self, line: Line) {
        let mut readers = self.readers.lock().unwrap_or_else(|p| p.into_inner());
        if readers.len() < READERS_MAX {
            readers.push(line);
        }
    }

    pub async fn checkpoint(&self) -> Result<()> {
        let path = self.path.clone();
        let moved = tokio::task::spawn_blocking(move || -> Result<(i64, i64)> {
            let connection = Connection::open(path).map_err(of)?;
            connection.busy_timeout(Duration::from_secs(5)).map_err(of)?;
            let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
            let pages = connection.query_row("pragma wal_checkpoint(passive)", [], pages).map_err(of);
            // Closing the last connection would checkpoint again and delete the log; the writer is
            // always open, so this one only closes.
            pages
        });
        let (pages, moved) = moved.await.map_err(|e| Error::Fault(e.to_string()))??;
        // A reader that looks at an older state keeps the log from being begun anew; then it grows, and
        // nobody waits for that reader.
        if pages > LOG_PAGES_MAX && moved + LOG_PAGES_MAX / 2 > pages {
            let mut writer = self.writer().await;
            if let Conn::Sqlite(line) = &mut *writer {
                line.connection.busy_timeout(Duration::ZERO).map_err(of)?;
                let begun = line.query("pragma wal_checkpoint(restart)", &[]);
                line.connection.busy_timeout(BUSY).map_err(of)?;
                match begun {
                    Ok(_) | Err(Error::Busy(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    pub fn backup(&self, to: &Path) -> Result<()> {
        if to.exists() {
            return Err(Error::Unsupported(format!("{} exists already; name a new file", to.display())));
        }
        let line = self.reader()?;
        let mut copy = Connection::open(to).map_err(of)?;
        // All in one step: between two, somebody else's write would have it begin again.
        rusqlite::backup::Backup::new(&line.connection, &mut copy)
            .and_then(|backup| backup.step(-1))
            .map_err(of)?;
        self.give_back(line);
        Ok(())
    }
}

/// One connection.
pub struct Line {
    connection: Connection,
}

impl Line {
    fn prepared(&self, sql: &str) -> Result<rusqlite::CachedStatement<'_>> {
        if sql.contains("list(") || sql.contains("{lock}") {
            return self.connection.prepare_cached(&in_words(sql)).map_err(of);
        }
        self.connection.prepare_cached(sql).map_err(of)
    }

    pub fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.each(sql, params, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    pub fn each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut (dyn FnMut(Row) -> Result<()> + Send),
    ) -> Result<()> {
        let mut statement = self.prepared(sql)?;
        bind(&mut statement, params)?;
        step(&mut statement, each)
    }

    pub fn scan(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut (dyn FnMut(&Row) -> Result<()> + Send),
    ) -> Result<()> {
        let mut statement = self.prepared(sql)?;
        bind(&mut statement, params)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut held = Row(Vec::with_capacity(columns));
        while let Some(row) = rows.next().map_err(of)? {
            fill(&mut held, row, columns)?;
            each(&held)?;
        }
        Ok(())
    }

    pub fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let mut statement = self.prepared(sql)?;
        bind(&mut statement, params)?;
        statement.raw_execute().map(|n| n as u64).map_err(of)
    }

    pub fn bulk(&mut self, bulk: &Bulk, cells: &[Value<'_>], each: bool) -> Result<()> {
        let mut statement = self.connection.prepare_cached(&bulk.texts().sqlite).map_err(of)?;
        for row in cells.chunks_exact(bulk.width()) {
            bind_in_order(&mut statement, row)?;
            let changed = statement.raw_execute().map_err(of)?;
            if each && changed != 1 {
                return Err(Bulk::not_each());
            }
        }
        Ok(())
    }

    pub fn bulk_query(&mut self, bulk: &Bulk, cells: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut statement = self.connection.prepare_cached(&bulk.texts().sqlite).map_err(of)?;
        let mut rows = Vec::new();
        for row in cells.chunks_exact(bulk.width()) {
            bind_in_order(&mut statement, row)?;
            step(&mut statement, &mut |row| {
                rows.push(row);
                Ok(())
            })?;
        }
        Ok(rows)
    }

    /// Begins, commits or rolls back.
    pub fn mark(&mut self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql).map_err(of)?.raw_execute().map(drop).map_err(of)
    }

    pub fn script(&mut self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(of)
    }

    pub fn roll_back(&mut self) -> Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.mark("rollback") }
    }
}

/// Our way of saying a thing in SQLite's words.
fn in_words(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 48);
    let mut rest = sql;
    while let Some(start) = rest.find("list(") {
        let after = &rest[start + 5..];
        let end = after.find(')').unwrap_or(after.len());
        out.push_str(&rest[..start]);
        out.push_str("(select value from json_each(");
        out.push_str(&after[..end]);
        out.push_str("))");
        rest = after.get(end + 1..).unwrap_or("");
    }
    out.push_str(rest);
    out.replace("{lock}", "")
}

/// Parameters are named `$1`, `$2`, ...: SQLite numbers them by first appearance, so they are found
/// by their names.
fn bind(statement: &mut Statement<'_>, params: &[Value<'_>]) -> Result<()> {
    for (value, name) in params.iter().zip(NAMES) {
        let Some(place) = statement.parameter_index(name).map_err(of)? else { continue };
        bind_one(statement, place, value)?;
    }
    Ok(())
}

/// The statements of a [`Bulk`] number their parameters, so that none has to be looked up.
fn bind_in_order(statement: &mut Statement<'_>, params: &[Value<'_>]) -> Result<()> {
    for (place, value) in (1..).zip(params) {
        bind_one(statement, place, value)?;
    }
    Ok(())
}

fn bind_one(statement: &mut Statement<'_>, place: usize, value: &Value<'_>) -> Result<()> {
    let bound = match value {
        Value::Null => statement.raw_bind_parameter(place, rusqlite::types::Null),
        Value::Int(n) => statement.raw_bind_parameter(place, n),
        Value::Text(text) => statement.raw_bind_parameter(place, text),
        Value::Ints(list) => {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            statement.raw_bind_parameter(place, format!("[{}]", list.join(",")))
        }
        Value::Texts(list) => {
            statement.raw_bind_parameter(place, serde_json::Value::from(list.to_vec()).to_string())
        }
    };
    bound.map_err(of)
}

const NAMES: [&str; 40] = [
    "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$16",
    "$17", "$18", "$19", "$20", "$21", "$22", "$23", "$24", "$25", "$26", "$27", "$28", "$29", "$30", "$31",
    "$32", "$33", "$34", "$35", "$36", "$37", "$38", "$39", "$40",
];

fn step(statement: &mut Statement<'_>, each: &mut (dyn FnMut(Row) -> Result<()> + Send)) -> Result<()> {
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(of)? {
        let mut filled = Row(Vec::with_capacity(columns));
        fill(&mut filled, row, columns)?;
        each(filled)?;
    }
    Ok(())
}

/// Fills a row; one that was filled before keeps the room of its texts.
fn fill(to: &mut Row, from: &rusqlite::Row<'_>, columns: usize) -> Result<()> {
    for i in 0..columns {
        let cell = match from.get_ref(i).map_err(of)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(n) => Cell::Int(n),
            ValueRef::Text(text) => {
                if let Some(Cell::Text(held)) = to.0.get_mut(i)
                    && let Ok(text) = std::str::from_utf8(text)
                {
                    held.clear();
                    held.push_str(text);
                    continue;
                }
                Cell::Text(String::from_utf8_lossy(text).into_owned())
            }
            other => return Err(Error::Fault(format!("a column holds {}", other.data_type()))),
        };
        match to.0.get_mut(i) {
            Some(held) => *held = cell,
            None => to.0.push(cell),
        }
    }
    Ok(())
}

fn of(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    let rusqlite::Error::SqliteFailure(code, _) = &error else { return Error::Fault(text) };
    match (code.code, code.extended_code) {
        (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => Error::Duplicate(text),
        (rusqlite::ErrorCode::ConstraintViolation, _) => Error::Rule(text),
        (rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked, _) => Error::Busy(text),
        (
            rusqlite::ErrorCode::ReadOnly
            | rusqlite::ErrorCode::DiskFull
            | rusqlite::ErrorCode::CannotOpen
            | rusqlite::ErrorCode::PermissionDenied
            | rusqlite::ErrorCode::SystemIoFailure,
            _,
        ) => Error::Unwritable(text),
        (rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt, _) => {
            Error::Schema(format!("{text}; is this file a Branchline database?"))
        }
        _ => Error::Fault(text),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn our_words_become_sqlites() {
        assert_eq!(
            super::in_words("select a from t where b in list($1) and c in list($2) {lock}").trim(),
            "select a from t where b in (select value from json_each($1)) and c in (select value from json_each($2))"
        );
    }
}
