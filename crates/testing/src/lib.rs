//! Real databases for tests. [`engines`] gives a fresh SQLite file and a fresh PostgreSQL database,
//! both with the tables made, so that a test runs once on each:
//!
//! ```ignore
//! #[tokio::test(flavor = "multi_thread")]
//! async fn a_sentence() {
//!     for database in testing::engines().await {
//!         let db = &database.db;
//!     }
//! }
//! ```
//!
//! PostgreSQL is the server that `BRANCHLINE_TEST_POSTGRES` names (the address of a superuser), else
//! one started for this process from the programs installed here, and ended with it. Without either
//! the tests fail: they are not silently skipped.

mod server;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use server::Server;
use storage::{Address, Db};
use tempfile::TempDir;

/// The variable that names a PostgreSQL server to use instead of one of our own.
pub const POSTGRES: &str = "BRANCHLINE_TEST_POSTGRES";

/// A database for one test, gone when dropped.
pub struct TestDatabase {
    /// The database, opened.
    pub db: Db,
    /// Where it is, to open it again.
    pub address: Address,
    /// What is taken away when the test is over.
    _kept: Kept,
}

enum Kept {
    Folder(#[expect(dead_code, reason = "taken away when dropped")] TempDir),
    /// On a server that outlives us: the server's address and the database's name.
    Foreign(String, String),
    /// On our own server, which goes with all its databases.
    Own,
}

impl TestDatabase {
    /// The engine's name, for messages of a test: `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        self.db.engine()
    }
}

/// A fresh database of each engine.
pub async fn engines() -> Vec<TestDatabase> {
    vec![sqlite().await, postgres().await]
}

/// A fresh SQLite file.
pub async fn sqlite() -> TestDatabase {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let address = Address::Sqlite(folder.path().join("branchline.db"));
    let db = Db::open(&address).await.expect("a fresh SQLite database opens");
    TestDatabase { db, address, _kept: Kept::Folder(folder) }
}

/// A fresh PostgreSQL database.
pub async fn postgres() -> TestDatabase {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("branchline_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let (admin, kept) = match std::env::var(POSTGRES) {
        Ok(url) => (url.clone(), Kept::Foreign(url, name.clone())),
        Err(_) => {
            let server = tokio::task::spawn_blocking(own_server).await.expect("PostgreSQL starts");
            (server.url("postgres"), Kept::Own)
        }
    };
    run(&admin, &format!("create database {name}")).await;
    let address = Address::Postgres(server::with_database(&admin, &name));
    let db = Db::open(&address).await.expect("a fresh PostgreSQL database opens");
    TestDatabase { db, address, _kept: kept }
}

/// The server of this process. It ends when the process does, whatever way that is.
fn own_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(false))
}

async fn run(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap_or_else(|e| panic!("the PostgreSQL server at {url} does not answer: {e}"));
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap_or_else(|e| panic!("'{sql}' failed: {e}"));
    drop(client);
    let _ = connection.await;
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Kept::Foreign(url, name) = self else { return };
        let (url, sql) = (std::mem::take(url), format!("drop database if exists {name} with (force)"));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(run(&url, &sql));
        });
        let _ = dropped.join();
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test(flavor = "multi_thread")]
    async fn each_database_is_fresh_and_of_its_engine() {
        let names: Vec<&str> = super::engines().await.iter().map(|d| d.engine()).collect();
        assert_eq!(names, ["sqlite", "postgres"]);
        for database in super::engines().await {
            let mut conn = database.db.read().await.unwrap();
            assert_eq!(conn.number("select count(*) from accounts", &[]).await.unwrap(), 0);
        }
    }
}
