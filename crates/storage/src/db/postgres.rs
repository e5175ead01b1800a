//! PostgreSQL: connections with prepared statements kept on each. What a transaction writes and nobody
//! waits for goes to the server together with the next question, or with the commit, so that a batch of
//! ours costs few journeys.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures_util::future::{join, join_all};
use futures_util::{StreamExt, pin_mut};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{self, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Statement};

use super::{Bulk, Cell, Error, Kind, Result, Row, Value};

/// Connections for reading a process opens at most.
const READERS_MAX: usize = 16;
/// Connections for writing a process opens at most.
const WRITERS_MAX: usize = 8;

/// A server whose default is weaker must not weaken what we promise.
const ALWAYS: &str = "-c synchronous_commit=on -c jit=off";
/// Nobody waits for ever: not for a lock that somebody forgot, and the server not for a transaction whose
/// client has vanished.
const PATIENCE: &str = "-c lock_timeout=15s -c idle_in_transaction_session_timeout=60s";
/// What is written is found by its key. A plan that was made while a table was still empty would read
/// all of it ever after, and to plan anew each time costs as much as the work itself.
const BY_KEY: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off \
    -c enable_mergejoin=off";

pub struct Server {
    config: tokio_postgres::Config,
    readers: Pool,
    writers: Pool,
}

impl Server {
    pub fn open(url: &str) -> Result<Server> {
        let mut config: tokio_postgres::Config = url
            .parse()
            .map_err(|e| Error::Unsupported(format!("the database address cannot be read: {e}")))?;
        config.application_name("branchline");
        config.connect_timeout(Duration::from_secs(10));
        // A server that vanished without a word is gone after this.
        config.tcp_user_timeout(Duration::from_secs(15)).keepalives_idle(Duration::from_secs(15));
        let readers = pool(&config, ALWAYS, READERS_MAX)?;
        let writers = pool(&config, &format!("{ALWAYS} {PATIENCE} {BY_KEY}"), WRITERS_MAX)?;
        Ok(Server { config, readers, writers })
    }

    /// The same server through connections of its own.
    pub fn apart(&self) -> Result<Server> {
        let readers = self.readers.clone();
        let writers = pool(&self.config, &format!("{ALWAYS} {PATIENCE} {BY_KEY}"), 2)?;
        Ok(Server { config: self.config.clone(), readers, writers })
    }

    pub async fn reader(&self) -> Result<Line> {
        line(&self.readers).await
    }

    pub async fn writer(&self) -> Result<Line> {
        line(&self.writers).await
    }
}

fn pool(config: &tokio_postgres::Config, options: &str, size: usize) -> Result<Pool> {
    let mut config = config.clone();
    config.options(options);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, recycling);
    Pool::builder(manager).max_size(size).build().map_err(|e| Error::Fault(e.to_string()))
}

async fn line(pool: &Pool) -> Result<Line> {
    let client = pool.get().await.map_err(|e| Error::Gone(chain(&e)))?;
    Ok(Line { client, later: Vec::new(), transaction: Arc::default() })
}

/// One connection.
pub struct Line {
    client: Object,
    /// What is to be sent before anything else.
    later: Vec<Later>,
    /// The server's number of the transaction, once it has begun there.
    transaction: Arc<OnceLock<String>>,
}

enum Later {
    Begin,
    Bulk { bulk: &'static Bulk, columns: Vec<Column>, rows: usize, each: bool },
}

/// What is to become one statement.
#[derive(Default)]
struct Group {
    parts: Vec<(&'static Bulk, bool)>,
    columns: Vec<Column>,
}

/// A statement made of what was put off, ready to be sent.
struct Combined {
    statement: Statement,
    columns: Vec<Column>,
}

impl Combined {
    async fn run(&self, client: &Client) -> Result<()> {
        let params: Vec<&(dyn ToSql + Sync)> = self.columns.iter().map(|c| c as _).collect();
        client.execute(&self.statement, &params).await.map(drop).map_err(of)
    }
}

/// What is sent before something else.
#[derive(Default)]
struct Before {
    /// Where to note the number of the transaction that is to begin.
    begin: Option<Arc<OnceLock<String>>>,
    combined: Vec<Combined>,
}

impl Before {
    async fn run(&self, client: &Client) -> Result<()> {
        let begin = async {
            let Some(number) = &self.begin else { return Ok(()) };
            let said = client.simple_query("begin; select pg_current_xact_id()").await.map_err(of)?;
            for message in said {
                if let SimpleQueryMessage::Row(row) = message {
                    let _ = number.set(row.get(0).unwrap_or_default().to_owned());
                }
            }
            Ok(())
        };
        let write = join_all(self.combined.iter().map(|combined| combined.run(client)));
        let (begun, written) = join(begin, write).await;
        begun.and(written.into_iter().collect())
    }

    /// Sends what was put off and, right behind it, what is asked now. The first error counts: after it
    /// the server refuses whatever follows in the transaction.
    async fn and<T>(&self, client: &Client, last: impl Future<Output = Result<T>>) -> Result<T> {
        if self.begin.is_none() && self.combined.is_empty() {
            return last.await;
        }
        let (before, last) = join(self.run(client), last).await;
        before.and(last)
    }
}

/// Several statements as one: each changes another table, so that it is all one which comes first. A part
/// that must change each row of its own is followed by their number; when it is not met the server itself
/// refuses, because a commit may be on its way already.
fn combined(parts: &[(&'static Bulk, bool)]) -> String {
    let (mut text, mut met, mut params) = (String::new(), Vec::new(), 0);
    for (i, (bulk, each)) in parts.iter().enumerate() {
        let texts = bulk.texts();
        let part = shifted(&texts.postgres, params);
        params += texts.params();
        let returning = if *each { " returning 1" } else { "" };
        text += &format!("{} part{i} as ({part}{returning})", if i == 0 { "with" } else { "," });
        if *each {
            params += 1;
            met.push(format!("1 / ((select count(*) from part{i}) = ${params}::bigint)::int"));
        }
    }
    if met.is_empty() {
        met.push("1".to_owned());
    }
    format!("{text} select {}", met.join(", "))
}

/// The statement with its parameters numbered from `by` on.
fn shifted(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: usize = part[..digits].parse().unwrap_or(0);
        out += &format!("${}{}", number + by, &part[digits..]);
    }
    out
}

impl Line {
    async fn prepared(&self, sql: &str) -> Result<tokio_postgres::Statement> {
        if sql.contains("list(") || sql.contains("{lock}") {
            return self.client.prepare_cached(&in_words(sql)).await.map_err(of);
        }
        self.client.prepare_cached(sql).await.map_err(of)
    }

    pub async fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        let statement = self.prepared(sql).await?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| p as _).collect();
        let before = self.before().await?;
        let client: &Client = &self.client;
        let rows = before.and(client, async { client.query(&statement, &params).await.map_err(of) }).await?;
        rows.iter().map(row).collect()
    }

    pub async fn each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut (dyn FnMut(Row) -> Result<()> + Send),
    ) -> Result<()> {
        let statement = self.prepared(sql).await?;
        self.flush().await?;
        let rows = self.client.query_raw(&statement, params.iter()).await.map_err(of)?;
        pin_mut!(rows);
        while let Some(next) = rows.next().await {
            each(row(&next.map_err(of)?)?)?;
        }
        Ok(())
    }

    pub async fn scan(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut (dyn FnMut(&Row) -> Result<()> + Send),
    ) -> Result<()> {
        let statement = self.prepared(sql).await?;
        self.flush().await?;
        let rows = self.client.query_raw(&statement, params.iter()).await.map_err(of)?;
        pin_mut!(rows);
        let mut held = Row(Vec::new());
        while let Some(next) = rows.next().await {
            fill(&mut held, &next.map_err(of)?)?;
            each(&held)?;
        }
        Ok(())
    }

    pub async fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let statement = self.prepared(sql).await?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| p as _).collect();
        let before = self.before().await?;
        let client: &Client = &self.client;
        before.and(client, async { client.execute(&statement, &params).await.map_err(of) }).await
    }

    /// Puts a statement off until the next question or the commit, whichever comes first.
    pub fn bulk(&mut self, bulk: &'static Bulk, cells: &[Value<'_>], each: bool) {
        let rows = cells.len() / bulk.width();
        self.later.push(Later::Bulk { bulk, columns: columns(bulk, cells), rows, each });
    }

    /// Makes as few statements as possible of what was put off.
    async fn before(&mut self) -> Result<Before> {
        let mut before = Before::default();
        let mut groups: Vec<Group> = Vec::new();
        for later in self.later.drain(..) {
            let Later::Bulk { bulk, columns, rows, each } = later else {
                before.begin = Some(self.transaction.clone());
                continue;
            };
            let joins = |group: &Group| group.parts.iter().all(|(part, _)| part.table() != bulk.table());
            if !groups.last().is_some_and(joins) {
                groups.push(Group::default());
            }
            if let Some(group) = groups.last_mut() {
                group.parts.push((bulk, each));
                group.columns.extend(columns);
                group.columns.extend(each.then_some(Column::Int(rows as i64)));
            }
        }
        for Group { parts, columns } in groups {
            let statement = self.client.prepare_cached(&combined(&parts)).await.map_err(of)?;
            before.combined.push(Combined { statement, columns });
        }
        Ok(before)
    }

    async fn flush(&mut self) -> Result<()> {
        self.before().await?.run(&self.client).await
    }

    pub fn begin(&mut self) {
        self.transaction = Arc::default();
        self.later.push(Later::Begin);
    }

    pub async fn commit(&mut self) -> Result<()> {
        if matches!(self.later.as_slice(), [Later::Begin]) {
            self.later.clear();
            return Ok(());
        }
        match (self.script("commit").await, self.transaction.get()) {
            (Err(Error::Gone(why)), Some(number)) => self.fate(number, why).await,
            (done, _) => done,
        }
    }

    /// What became of a transaction whose commit was sent and not answered. Until the server says so
    /// nobody can know, and whoever took a guess would do a thing twice or not at all; so this waits.
    async fn fate(&self, number: &str, why: String) -> Result<()> {
        tracing::warn!(why, "the answer to a commit was lost; the server is asked what became of it");
        loop {
            match self.status(number).await.as_deref() {
                Ok("committed") => return Ok(()),
                Ok("aborted" | "") => return Err(Error::Gone(why)),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the server does not say what became of a commit"),
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn status(&self, number: &str) -> Result<String> {
        let pool = Object::pool(&self.client).ok_or_else(|| Error::Gone("the pool is closed".to_owned()))?;
        let other = line(&pool).await?;
        let sql = "select coalesce(pg_xact_status($1::text::xid8), '')";
        let row = other.client.query_one(sql, &[&number]).await.map_err(of)?;
        row.try_get(0).map_err(of)
    }

    pub async fn bulk_queries(&mut self, asked: &[(&'static Bulk, &[Value<'_>])]) -> Result<Vec<Vec<Row>>> {
        let mut prepared = Vec::with_capacity(asked.len());
        for (bulk, cells) in asked {
            prepared.push(if cells.is_empty() {
                None
            } else {
                let statement = self.client.prepare_cached(&bulk.texts().postgres).await.map_err(of)?;
                Some((statement, columns(bulk, cells)))
            });
        }
        if prepared.iter().all(Option::is_none) {
            return Ok(asked.iter().map(|_| Vec::new()).collect());
        }
        let before = self.before().await?;
        let client: &Client = &self.client;
        let answers = join_all(prepared.iter().map(async |question| {
            let Some((statement, columns)) = question else { return Ok(Vec::new()) };
            let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| c as _).collect();
            client.query(statement, &params).await.map_err(of)?.iter().map(row).collect()
        }));
        before.and(client, async { answers.await.into_iter().collect() }).await
    }

    pub async fn script(&mut self, sql: &str) -> Result<()> {
        let before = self.before().await?;
        let client: &Client = &self.client;
        before.and(client, async { client.batch_execute(sql).await.map_err(of) }).await
    }

    /// Leaves a transaction that is open: the server rolls back what a closed connection left. One of
    /// which the server has heard nothing yet leaves nothing.
    pub fn discard(self) {
        if !matches!(self.later.first(), Some(Later::Begin)) {
            drop(Object::take(self.client));
        }
    }
}

/// Our way of saying a thing in PostgreSQL's words.
fn in_words(sql: &str) -> String {
    sql.replace("in list(", "= any(").replace("{lock}", "for update")
}

fn row(row: &tokio_postgres::Row) -> Result<Row> {
    let mut filled = Row(Vec::with_capacity(row.len()));
    fill(&mut filled, row)?;
    Ok(filled)
}

fn fill(to: &mut Row, from: &tokio_postgres::Row) -> Result<()> {
    to.0.clear();
    for (i, column) in from.columns().iter().enumerate() {
        to.0.push(match *column.type_() {
            Type::INT8 => from.try_get::<_, Option<i64>>(i).map_err(of)?.map_or(Cell::Null, Cell::Int),
            Type::INT4 => {
                from.try_get::<_, Option<i32>>(i).map_err(of)?.map_or(Cell::Null, |n| Cell::Int(i64::from(n)))
            }
            _ => from.try_get::<_, Option<String>>(i).map_err(of)?.map_or(Cell::Null, Cell::Text),
        });
    }
    Ok(())
}

type Written = std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Written {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(n) if *ty == Type::INT4 => i32::try_from(*n)?.to_sql(ty, out),
            Value::Int(n) => n.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Ints(list) => list.to_sql(ty, out),
            Value::Texts(list) => list.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A parameter made of the rows of a [`Bulk`].
#[derive(Debug)]
enum Column {
    Int(i64),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    /// All of them, as rows of the table.
    Rows {
        /// What the columns are called, in the order of the cells.
        names: &'static [&'static str],
        cells: Vec<Cell>,
    },
}

fn columns(bulk: &'static Bulk, cells: &[Value<'_>]) -> Vec<Column> {
    let texts = bulk.texts();
    if texts.as_rows {
        return vec![Column::Rows { names: &texts.names, cells: cells.iter().map(cell).collect() }];
    }
    let width = bulk.width();
    let of_one = |(i, kind): (usize, &Kind)| {
        let of_all = cells.iter().skip(i).step_by(width);
        match kind {
            Kind::Int => {
                Column::Ints(of_all.map(|v| if let Value::Int(n) = v { Some(*n) } else { None }).collect())
            }
            Kind::Text => Column::Texts(
                of_all
                    .map(|v| if let Value::Text(text) = v { Some((*text).to_owned()) } else { None })
                    .collect(),
            ),
        }
    };
    texts.kinds.iter().enumerate().map(of_one).collect()
}

/// Lists are parameters of plain statements and never cells of rows.
fn cell(value: &Value<'_>) -> Cell {
    match value {
        Value::Int(n) => Cell::Int(*n),
        Value::Text(text) => Cell::Text((*text).to_owned()),
        Value::Null | Value::Ints(_) | Value::Texts(_) => Cell::Null,
    }
}

impl ToSql for Column {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Written {
        match self {
            Column::Int(n) => n.to_sql(ty, out),
            Column::Ints(list) => list.to_sql(ty, out),
            Column::Texts(list) => list.to_sql(ty, out),
            Column::Rows { names, cells } => write_rows(names, cells, ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Writes cells as an array of rows, each with all columns of its table in the table's own order;
/// those without a cell are null.
///
/// Source: PostgreSQL's `array_recv` and `record_recv`.
fn write_rows(names: &[&str], cells: &[Cell], array: &Type, out: &mut BytesMut) -> Written {
    let types::Kind::Array(row) = array.kind() else { return Err(format!("{array} is no array").into()) };
    let types::Kind::Composite(fields) = row.kind() else {
        return Err(format!("{row} is no row").into());
    };
    let place = |name: &str| names.iter().position(|n| *n == name);
    let fields: Vec<(&Type, Option<usize>)> =
        fields.iter().map(|field| (field.type_(), place(field.name()))).collect();
    if fields.iter().filter(|(_, place)| place.is_some()).count() != names.len() {
        return Err(format!("the table {row} has other columns").into());
    }
    let rows = cells.chunks_exact(names.len());
    // One dimension, without nulls, its members counted from 1.
    out.put_i32(1);
    out.put_i32(0);
    out.put_u32(row.oid());
    out.put_i32(i32::try_from(rows.len())?);
    out.put_i32(1);
    for row in rows {
        let begin = out.len();
        out.put_i32(0);
        out.put_i32(i32::try_from(fields.len())?);
        for (of, place) in &fields {
            out.put_u32(of.oid());
            match place.and_then(|place| row.get(place)) {
                None | Some(Cell::Null) => out.put_i32(-1),
                Some(Cell::Int(n)) if **of == Type::INT4 => {
                    out.put_i32(4);
                    out.put_i32(i32::try_from(*n)?);
                }
                Some(Cell::Int(n)) => {
                    out.put_i32(8);
                    out.put_i64(*n);
                }
                Some(Cell::Text(text)) => {
                    out.put_i32(i32::try_from(text.len())?);
                    out.put_slice(text.as_bytes());
                }
            }
        }
        let length = i32::try_from(out.len() - begin - 4)?;
        out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(IsNull::No)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn of(error: tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        return if error.is_closed() || error.source().is_some_and(|s| s.is::<std::io::Error>()) {
            Error::Gone(chain(&error))
        } else {
            Error::Fault(chain(&error))
        };
    };
    let text = format!("{} {}", db.message(), db.constraint().unwrap_or(""));
    match db.code() {
        &SqlState::UNIQUE_VIOLATION => Error::Duplicate(text),
        &SqlState::DIVISION_BY_ZERO => Bulk::not_each(),
        code if code.code().starts_with("23") => Error::Rule(text),
        &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::LOCK_NOT_AVAILABLE => Error::Busy(text),
        &SqlState::READ_ONLY_SQL_TRANSACTION | &SqlState::DISK_FULL => Error::Unwritable(text),
        &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW => {
            Error::Gone(text)
        }
        _ => Error::Fault(text),
    }
}
