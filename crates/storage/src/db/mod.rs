//! The two engines behind one face: SQLite in the process, PostgreSQL beside it.
//!
//! Statements are written once, with `$1` for parameters, and say three things in a way of our own
//! that each engine gets in its words: `in list($1)` for a list bound as one parameter, `{lock}`
//! for row locks (SQLite has one writer and needs none), and [`Bulk`] for one statement over many
//! rows. Only `bigint` and `text` columns exist, so that both engines hold the same values.

mod bulk;
mod error;
mod migrate;
mod postgres;
mod question;
mod sqlite;
mod value;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;

pub use bulk::{Bulk, Kind};
pub use error::Error;
pub use migrate::Migration;
pub(crate) use migrate::script;
pub use question::{Question, Questions};
pub use value::{Cell, Row, Value};

/// The result of everything that asks the database.
pub type Result<T> = std::result::Result<T, Error>;

/// Where the books are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A file, and this process beside command lines on the same machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server, and any number of processes: `postgres://user:password@host/name`.
    Postgres(String),
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Address, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err("the database 'sqlite:' names no file; write sqlite:path/to/branchline.db".to_owned())
            } else {
                Ok(Address::Sqlite(path.into()))
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Address::Postgres(text.to_owned()));
        }
        Err("a database is written sqlite:PATH or postgres://user:password@host/name".to_owned())
    }
}

/// The database. Cheap to clone; all clones share its connections.
#[derive(Clone)]
pub struct Db(Arc<Engine>);

enum Engine {
    Sqlite(sqlite::Files),
    Postgres(Box<postgres::Server>),
}

impl Db {
    /// Opens the database, creates it where it is a file that does not exist yet, and brings its
    /// tables up to this program's version.
    pub async fn open(address: &Address) -> Result<Db> {
        let engine = match address {
            Address::Sqlite(path) => Engine::Sqlite(sqlite::Files::open(path)?),
            Address::Postgres(url) => Engine::Postgres(Box::new(postgres::Server::open(url)?)),
        };
        let db = Db(Arc::new(engine));
        migrate::run(&db).await?;
        Ok(db)
    }

    /// A connection to read with. What it sees between two statements may change.
    pub async fn read(&self) -> Result<Reader> {
        Ok(Reader(
            Some(match &*self.0 {
                Engine::Sqlite(files) => Conn::Sqlite(files.reader()?),
                Engine::Postgres(server) => Conn::Postgres(server.reader().await?),
            }),
            self.0.clone(),
        ))
    }

    /// A connection to read with that sees the books as they are now for as long as it is held,
    /// whatever is written meanwhile. Writers do not wait for it, but SQLite's log grows until it is
    /// given back.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let mut reader = self.read().await?;
        let begin = match &*reader {
            Conn::Sqlite(_) => "begin deferred",
            Conn::Postgres(_) => "begin isolation level repeatable read read only",
        };
        reader.script(begin).await?;
        // The first statement that reads decides what is seen.
        reader.query("select 1 from counters limit 1", &[]).await?;
        Ok(Snapshot(Some(reader)))
    }

    /// Begins a transaction that may write. SQLite has one at a time; others wait their turn.
    pub async fn begin(&self) -> Result<Tx> {
        let mut held = match &*self.0 {
            Engine::Sqlite(files) => Held::Shared(files.writer().await),
            Engine::Postgres(server) => Held::Own(Conn::Postgres(server.writer().await?)),
        };
        held.begin()?;
        Ok(Tx { held: Some(held) })
    }

    /// The same books for a task that writes much, with connections of its own which live in the
    /// runtime that uses them first.
    pub fn apart(&self) -> Result<Db> {
        match &*self.0 {
            Engine::Sqlite(_) => Ok(self.clone()),
            Engine::Postgres(server) => Ok(Db(Arc::new(Engine::Postgres(Box::new(server.apart()?))))),
        }
    }

    /// Whether several processes may share these books.
    pub fn is_shared(&self) -> bool {
        matches!(&*self.0, Engine::Postgres(_))
    }

    /// The engine's name: `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match &*self.0 {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }

    /// Moves what is committed from SQLite's log to its file, beside the writer; nothing to do on
    /// PostgreSQL, which does so by itself. To be called every second or so.
    pub async fn checkpoint(&self) -> Result<()> {
        match &*self.0 {
            Engine::Sqlite(files) => files.checkpoint().await,
            Engine::Postgres(_) => Ok(()),
        }
    }

    /// Writes a consistent copy to a new file while others read and write. SQLite only.
    pub fn backup(&self, to: &std::path::Path) -> Result<()> {
        match &*self.0 {
            Engine::Sqlite(files) => files.backup(to),
            Engine::Postgres(_) => Err(Error::Unsupported(
                "backup copies a SQLite database; for PostgreSQL use pg_dump or pg_basebackup".to_owned(),
            )),
        }
    }
}

/// A connection: what [`Reader`] and [`Tx`] have in common, and what functions of a noun take.
pub enum Conn {
    #[doc(hidden)]
    Sqlite(sqlite::Line),
    #[doc(hidden)]
    Postgres(postgres::Line),
}

impl Conn {
    /// The rows a statement gives.
    pub async fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        match self {
            Conn::Sqlite(line) => line.query(sql, params),
            Conn::Postgres(line) => line.query(sql, params).await,
        }
    }

    /// The first row a statement gives.
    pub async fn one(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// The first cell of the first row as a number; nothing given is 0.
    pub async fn number(&mut self, sql: &str, params: &[Value<'_>]) -> Result<i64> {
        match self.one(sql, params).await? {
            Some(row) => Ok(row.opt_int(0)?.unwrap_or(0)),
            None => Ok(0),
        }
    }

    /// Gives each row of a statement to `each` as it comes, without holding all of them.
    pub async fn each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut each: impl FnMut(Row) -> Result<()> + Send,
    ) -> Result<()> {
        match self {
            Conn::Sqlite(line) => line.each(sql, params, &mut each),
            Conn::Postgres(line) => line.each(sql, params, &mut each).await,
        }
    }

    /// As [`Conn::each`], for the millions: every row is shown in the same place, so none may be kept.
    pub async fn scan(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut each: impl FnMut(&Row) -> Result<()> + Send,
    ) -> Result<()> {
        match self {
            Conn::Sqlite(line) => line.scan(sql, params, &mut each),
            Conn::Postgres(line) => line.scan(sql, params, &mut each).await,
        }
    }

    /// Runs a statement and tells how many rows it changed.
    pub async fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        match self {
            Conn::Sqlite(line) => line.execute(sql, params),
            Conn::Postgres(line) => line.execute(sql, params).await,
        }
    }

    /// Asks one question, or several in one journey: a tuple of [`Question`]s gets a tuple of answers.
    pub async fn ask<Q: Questions>(&mut self, questions: Q) -> Result<Q::Answers> {
        let asked = questions.asked();
        let rows = match self {
            Conn::Sqlite(line) => {
                asked.iter().map(|(bulk, cells)| line.bulk_query(bulk, cells)).collect::<Result<_>>()?
            }
            Conn::Postgres(line) => line.bulk_queries(&asked).await?,
        };
        questions.read(rows)
    }

    /// Runs statements separated by semicolons, without parameters. For migrations.
    async fn script(&mut self, sql: &str) -> Result<()> {
        match self {
            Conn::Sqlite(line) => line.script(sql),
            Conn::Postgres(line) => line.script(sql).await,
        }
    }

    /// Whether this is SQLite, for the few statements that differ.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Conn::Sqlite(_))
    }

    async fn commit(&mut self) -> Result<()> {
        match self {
            Conn::Sqlite(line) => line.mark("commit"),
            Conn::Postgres(line) => line.commit().await,
        }
    }

    fn begin(&mut self) -> Result<()> {
        match self {
            Conn::Sqlite(line) => line.mark("begin immediate"),
            Conn::Postgres(line) => {
                line.begin();
                Ok(())
            }
        }
    }
}

/// A connection for reading, given back when dropped.
pub struct Reader(Option<Conn>, Arc<Engine>);

impl Deref for Reader {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        self.0.as_ref().expect("there until dropped")
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Conn {
        self.0.as_mut().expect("there until dropped")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let (Some(Conn::Sqlite(line)), Engine::Sqlite(files)) = (self.0.take(), &*self.1) {
            files.give_back(line);
        }
    }
}

/// The books as they were when [`Db::snapshot`] was called.
pub struct Snapshot(Option<Reader>);

impl Snapshot {
    /// Ends it in order, so that its connection serves others. One that is dropped ends, too, and
    /// costs PostgreSQL a new connection.
    pub async fn end(mut self) -> Result<()> {
        let Some(mut reader) = self.0.take() else { return Ok(()) };
        let ended = reader.script("rollback").await;
        if ended.is_err() {
            discard(reader);
        }
        ended
    }
}

impl Deref for Snapshot {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        self.0.as_ref().expect("there until ended")
    }
}

impl DerefMut for Snapshot {
    fn deref_mut(&mut self) -> &mut Conn {
        self.0.as_mut().expect("there until ended")
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(reader) = self.0.take() {
            discard(reader);
        }
    }
}

/// Leaves a connection whose transaction is open: SQLite's is rolled back and kept, PostgreSQL's is
/// closed.
fn discard(mut reader: Reader) {
    match reader.0.take() {
        Some(Conn::Sqlite(mut line)) => match line.roll_back() {
            Ok(()) => reader.0 = Some(Conn::Sqlite(line)),
            Err(error) => tracing::error!(%error, "a snapshot could not be ended"),
        },
        Some(Conn::Postgres(line)) => line.discard(),
        None => {}
    }
}

/// A transaction that may write. Dropped without [`Tx::commit`], nothing of it has happened.
pub struct Tx {
    held: Option<Held>,
}

#[expect(clippy::large_enum_variant, reason = "there are few, and each lives as long as its transaction")]
enum Held {
    Shared(tokio::sync::OwnedMutexGuard<Conn>),
    Own(Conn),
}

impl Deref for Held {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        match self {
            Held::Shared(guard) => guard,
            Held::Own(conn) => conn,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Conn {
        match self {
            Held::Shared(guard) => guard,
            Held::Own(conn) => conn,
        }
    }
}

impl Tx {
    /// Runs a statement over many rows at once. `cells` are the rows one after the other. The engine may
    /// put it off until the next question or the commit, together with others; an error comes with that.
    pub async fn bulk(&mut self, bulk: &'static Bulk, cells: &[Value<'_>]) -> Result<()> {
        self.bulk_of(bulk, cells, false).await
    }

    /// As [`Tx::bulk`], and every row must change one in the books.
    pub async fn bulk_each(&mut self, bulk: &'static Bulk, cells: &[Value<'_>]) -> Result<()> {
        self.bulk_of(bulk, cells, true).await
    }

    async fn bulk_of(&mut self, bulk: &'static Bulk, cells: &[Value<'_>], each: bool) -> Result<()> {
        debug_assert_eq!(cells.len() % bulk.width(), 0);
        if cells.is_empty() {
            return Ok(());
        }
        match &mut **self {
            Conn::Sqlite(line) => line.bulk(bulk, cells, each),
            Conn::Postgres(line) => {
                line.bulk(bulk, cells, each);
                Ok(())
            }
        }
    }

    /// Makes it last: when this returns, what was written survives a power cut.
    pub async fn commit(mut self) -> Result<()> {
        let Some(mut held) = self.held.take() else { return Ok(()) };
        let done = held.commit().await;
        if done.is_err() {
            // A commit that failed leaves the transaction open on SQLite.
            roll_back(held);
        }
        done
    }
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        self.held.as_ref().expect("there until committed")
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        self.held.as_mut().expect("there until committed")
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            roll_back(held);
        }
    }
}

fn roll_back(mut held: Held) {
    if let Conn::Sqlite(line) = &mut *held
        && let Err(error) = line.roll_back()
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
    if let Held::Own(Conn::Postgres(line)) = held {
        line.discard();
    }
}
