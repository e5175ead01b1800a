//! PostgreSQL: a pool of connections, prepared statements kept on each.

use std::error::Error as _;

use bytes::BytesMut;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures_util::{StreamExt, pin_mut};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::{Bulk, Cell, Error, Kind, Result, Row, Value};

/// Connections a process opens at most.
const CONNECTIONS_MAX: usize = 24;

pub struct Server {
    pool: Pool,
}

impl Server {
    pub fn open(url: &str) -> Result<Server> {
        let mut config: tokio_postgres::Config = url
            .parse()
            .map_err(|e| Error::Unsupported(format!("the database address cannot be read: {e}")))?;
        config.application_name("branchline");
        config.connect_timeout(std::time::Duration::from_secs(10));
        // A server whose default is weaker must not weaken what we promise.
        config.options("-c synchronous_commit=on -c jit=off");
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .build()
            .map_err(|e| Error::Fault(e.to_string()))?;
        Ok(Server { pool })
    }

    pub async fn connection(&self) -> Result<Line> {
        let client = self.pool.get().await.map_err(|e| Error::Gone(chain(&e)))?;
        Ok(Line { client })
    }
}

/// One connection.
pub struct Line {
    client: Object,
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
        let rows = self.client.query(&statement, &params).await.map_err(of)?;
        rows.iter().map(row).collect()
    }

    pub async fn each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut (dyn FnMut(Row) -> Result<()> + Send),
    ) -> Result<()> {
        let statement = self.prepared(sql).await?;
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
        self.client.execute(&statement, &params).await.map_err(of)
    }

    pub async fn bulk(&mut self, bulk: &Bulk, cells: &[Value<'_>]) -> Result<u64> {
        let statement = self.client.prepare_cached(&bulk.texts().postgres).await.map_err(of)?;
        let columns = columns(bulk, cells);
        let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| c as _).collect();
        self.client.execute(&statement, &params).await.map_err(of)
    }

    pub async fn bulk_query(&mut self, bulk: &Bulk, cells: &[Value<'_>]) -> Result<Vec<Row>> {
        let statement = self.client.prepare_cached(&bulk.texts().postgres).await.map_err(of)?;
        let columns = columns(bulk, cells);
        let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|c| c as _).collect();
        self.client.query(&statement, &params).await.map_err(of)?.iter().map(row).collect()
    }

    pub async fn script(&mut self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(of)
    }

    /// Closes the connection instead of giving it back.
    pub fn discard(self) {
        drop(Object::take(self.client));
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

/// One column of the rows of a [`Bulk`].
#[derive(Debug)]
enum Column<'a> {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<&'a str>>),
}

fn columns<'a>(bulk: &Bulk, cells: &[Value<'a>]) -> Vec<Column<'a>> {
    let width = bulk.width();
    let of_one = |(i, kind): (usize, &Kind)| {
        let of_all = cells.iter().skip(i).step_by(width);
        match kind {
            Kind::Int => {
                Column::Ints(of_all.map(|v| if let Value::Int(n) = v { Some(*n) } else { None }).collect())
            }
            Kind::Text => Column::Texts(
                of_all.map(|v| if let Value::Text(text) = v { Some(*text) } else { None }).collect(),
            ),
        }
    };
    bulk.texts().kinds.iter().enumerate().map(of_one).collect()
}

impl ToSql for Column<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Written {
        match self {
            Column::Ints(list) => list.to_sql(ty, out),
            Column::Texts(list) => list.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
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
