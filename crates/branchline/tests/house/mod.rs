//! The whole house for tests from outside: the built program on real books, with a real SMSC to
//! send to.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it, and a test may unwrap")]

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use carriers::smsc;
use storage::{Address, Db};
use testing::TestDatabase;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// An SMSC on a port of its own, which outlives the server under test.
pub struct Smsc {
    pub port: u16,
    pub stats: Arc<smsc::Stats>,
    pub faults: Arc<smsc::Faults>,
}

impl Smsc {
    pub async fn start(receipt_after: Duration) -> Smsc {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let settings = smsc::Settings { receipt_after, record: true, ..smsc::Settings::default() };
        let (stats, faults) = (settings.stats.clone(), settings.faults.clone());
        tokio::spawn(smsc::serve(listener, settings, std::future::pending()));
        Smsc { port, stats, faults }
    }

    /// The settings of a carrier that is this SMSC.
    pub fn carrier(&self, name: &str, sessions: usize, window: usize) -> String {
        format!(
            "[[carrier]]\nname = \"{name}\"\nkind = \"smpp\"\naddress = \"127.0.0.1:{}\"\nsystem_id = \"test\"\n\
             password = \"secret\"\nsessions = {sessions}\nwindow = {window}\n[[route]]\ncarrier = \"{name}\"\npriority = 1\n",
            self.port
        )
    }
}

/// A message as the books hold it.
#[derive(Debug)]
pub struct Message {
    pub id: i64,
    pub recipient: String,
    pub status: String,
    pub price: i64,
    pub refunded: i64,
    pub possible_duplicate: bool,
}

/// The program on books of its own.
pub struct House {
    folder: tempfile::TempDir,
    pub database: TestDatabase,
    pub port: u16,
    server: Option<Child>,
}

impl House {
    /// New books, and settings with these carriers and routes.
    pub fn build(database: TestDatabase, carriers: &str) -> House {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "listen = \"127.0.0.1:{port}\"\ndatabase = \"{}\"\ndata = \"{}\"\n{carriers}",
            match &database.address {
                Address::Sqlite(path) => format!("sqlite:{}", path.display()),
                Address::Postgres(url) => url.clone(),
            },
            folder.path().display()
        );
        std::fs::write(folder.path().join("branchline.toml"), settings).unwrap();
        House { folder, database, port, server: None }
    }

    pub fn db(&self) -> &Db {
        &self.database.db
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A file in the folder of the house.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("branchline.toml")
    }

    /// Runs a command and reads what it answers.
    pub fn run(&self, args: &[&str]) -> serde_json::Value {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_branchline"))
            .args(args)
            .arg("--config")
            .arg(self.settings())
            .arg("--json")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Starts the server and waits until it answers.
    pub async fn start(&mut self) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_branchline"))
            .args(["serve", "--config"])
            .arg(self.settings())
            .env("BRANCHLINE_LOG", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        let line = line.expect("the server did not answer in 30 s").unwrap().expect("the server ended");
        assert!(line.starts_with("listening on http://"), "{line}");
        self.server = Some(child);
    }

    /// Kills the server as a power cut would, without a word.
    pub fn kill(&mut self) {
        let mut child = self.server.take().expect("a server runs");
        child.start_kill().unwrap();
        // The port and the lock are free once it is gone.
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(child.wait()).unwrap();
        });
    }

    /// Ends the server in order.
    pub async fn stop(&mut self) {
        let mut child = self.server.take().expect("a server runs");
        let id = child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let ended = tokio::time::timeout(Duration::from_secs(40), child.wait()).await;
        assert!(ended.expect("the server did not end in 40 s").unwrap().success());
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.db().read().await.unwrap().number(sql, &[]).await.unwrap()
    }

    /// What an account's wallet holds, in millionths.
    pub async fn balance(&self, account: &str) -> i64 {
        let account = domain::id::AccountId(account.parse().unwrap());
        storage::ledger::balance(&mut self.db().read().await.unwrap(), account).await.unwrap().0.0
    }

    /// All messages.
    pub async fn messages(&self) -> Vec<Message> {
        let sql = "select m.id, m.recipient, m.status, m.price, m.possible_duplicate,
            (select cast(coalesce(sum(t.amount), 0) as bigint) from transfers t where t.cause_kind = 2 and t.cause_id = m.id)
            from messages m order by m.id";
        let rows = self.db().read().await.unwrap().query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| Message {
                id: row.int(0).unwrap(),
                recipient: row.int(1).unwrap().to_string(),
                status: domain::message::MessageStatus::from_code(row.int(2).unwrap())
                    .unwrap()
                    .as_str()
                    .to_owned(),
                price: row.int(3).unwrap(),
                possible_duplicate: row.flag(4).unwrap(),
                refunded: row.int(5).unwrap(),
            })
            .collect()
    }
}
