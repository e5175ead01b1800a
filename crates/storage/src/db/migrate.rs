//! Brings the tables up to this program's version, once, whoever starts first.

use super::{Db, Error, Result, Tx};

/// A step of the tables. Never edited once released: its text is remembered by its checksum.
pub struct Migration {
    /// Its number, one more than the one before.
    pub version: i64,
    /// What it is about.
    pub name: &'static str,
    /// Its statements, for both engines: `bigint primary key` is said as SQLite wants it. What only one
    /// can say stands between the lines `-- {sqlite}`, `-- {postgres}` and `-- {end}`.
    pub sql: &'static str,
}

/// An arbitrary number by which processes that start together wait for each other.
const LOCK: i64 = 7_708_077;

pub(super) async fn run(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    if !tx.is_sqlite() {
        tx.query(&format!("select pg_advisory_xact_lock({LOCK})"), &[]).await.ok();
    }
    let table = "create table if not exists migrations (
        version bigint primary key, name text not null, checksum bigint not null)";
    let table = in_words(&tx, table);
    tx.script(&table).await?;
    let done = tx.query("select version, checksum from migrations order by version", &[]).await?;
    for migration in crate::migrations::ALL {
        let stored = done.iter().find(|row| row.int(0).ok() == Some(migration.version));
        match stored.map(|row| row.int(1)).transpose()? {
            Some(sum) if sum == checksum(migration.sql) => continue,
            Some(_) => {
                let what = format!(
                    "migration {} '{}' was applied with another text",
                    migration.version, migration.name
                );
                return Err(Error::Schema(what));
            }
            None => {}
        }
        let sql = in_words(&tx, migration.sql);
        tx.script(&sql).await?;
        tx.execute(
            "insert into migrations (version, name, checksum) values ($1, $2, $3)",
            &[migration.version.into(), migration.name.into(), checksum(migration.sql).into()],
        )
        .await?;
    }
    let newest = crate::migrations::ALL.last().map_or(0, |m| m.version);
    if let Some(row) = done.last()
        && row.int(0)? > newest
    {
        return Err(Error::Schema(format!(
            "they are of version {}, this program knows {newest}",
            row.int(0)?
        )));
    }
    tx.commit().await
}

/// Runs the statements of a migration once more.
pub(crate) async fn script(tx: &mut Tx, sql: &str) -> Result<()> {
    let sql = in_words(tx, sql);
    tx.script(&sql).await
}

/// SQLite keeps a table in the order of its key only when the key is an `integer`. How much room a page
/// leaves for rows that change is only PostgreSQL's question.
fn in_words(tx: &Tx, sql: &str) -> String {
    let sql = said_to(sql, if tx.is_sqlite() { "-- {sqlite}" } else { "-- {postgres}" });
    if !tx.is_sqlite() {
        return sql;
    }
    let sql = sql.replace("bigint primary key", "integer primary key");
    let mut parts = sql.split(" with (fillfactor");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| whole + part.split_once(')').map_or(part, |(_, rest)| rest))
}

/// The statements without those that are meant for the other engine.
fn said_to(sql: &str, engine: &str) -> String {
    let mut meant = true;
    let mut said = String::with_capacity(sql.len());
    for line in sql.lines() {
        match line.trim() {
            "-- {end}" => meant = true,
            mark if mark.starts_with("-- {") => meant = mark == engine,
            _ if meant => {
                said.push_str(line);
                said.push('\n');
            }
            _ => {}
        }
    }
    said
}

/// FNV-1a, cut to what a `bigint` holds: against accidents, not against malice.
fn checksum(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 1) as i64
}
