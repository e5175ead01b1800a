//! A whole house to ask: real books, the simulated carrier, a real server on a real socket. Its
//! clock stands at 2026-01-05 10:11:10.120 in Berlin until it is set.

use std::net::SocketAddr;
use std::time::Duration;

use carriers::simulator;
use domain::account::{Account, Email};
use domain::actor::Actor;
use domain::carrier::IdSpelling;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::key::Scopes;
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::route::Route;
use gateway::accounts::{self, NewAccount};
use gateway::dispatch::Line;
use gateway::keys::{self, NewKey};
use gateway::{Base, Clock, Gateway, Rules, prices};
use jiff::tz::TimeZone;
use serde_json::Value;
use testing::TestDatabase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// 2026-01-05 10:11:10.120 in Berlin.
pub const NOW: Moment = Moment(1_767_604_270_120_000);
/// What is on the price list: Germany 0.075, one of its networks 0.07, Austria 0.09, France 1.
pub const PRICES: &str =
    "product,country,network,price\nsms,DE,,0.075\nsms,DE,26203,0.07\nsms,AT,,0.09\nsms,FR,,1\n";

pub struct House {
    pub gateway: Gateway,
    pub clock: Clock,
    pub address: SocketAddr,
    /// The account the house begins with, which has 100.00.
    pub main: Account,
    /// A live key of it with all rights.
    pub key: String,
    stop: Option<oneshot::Sender<()>>,
    _database: TestDatabase,
}

/// A request, to be built up.
pub struct Request<'a> {
    house: &'a House,
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl House {
    /// A house on a fresh SQLite file.
    pub async fn new() -> House {
        House::with(testing::sqlite().await, api::Options::default()).await
    }

    pub async fn with_options(options: api::Options) -> House {
        House::with(testing::sqlite().await, options).await
    }

    pub async fn with(database: TestDatabase, options: api::Options) -> House {
        let clock = Clock::standing_at(NOW);
        let rules = Rules {
            default_country: Country::parse("DE").unwrap(),
            time_zone: TimeZone::get("Europe/Berlin").unwrap(),
            currency: "EUR".to_owned(),
            default_sender: "Branchline".to_owned(),
            depth_max: 3,
            public_urls: vec!["https://gateway.example.test".to_owned()],
        };
        let base = Base::new(database.db.clone(), clock.clone(), rules).await.unwrap();
        gateway::seal::begin(&base, &gateway::seal::Key::parse(&"A".repeat(43)).unwrap()).await.unwrap();
        prices::import(&base, PRICES.as_bytes(), "standard", false, &Actor::command_line()).await.unwrap();
        let main = new_account(&base, "Muster GmbH", None, 100).await;
        let settings =
            simulator::Settings { report_after: Duration::ZERO, ..simulator::Settings::new("alpha") };
        let line = Line {
            name: "alpha".into(),
            message_ids: IdSpelling::Auto,
            connect: Box::new(|events| simulator::connect(settings, events)),
        };
        let route = Route { carrier: "alpha".to_owned(), countries: Vec::new(), priority: 1 };
        let gateway = Gateway::start(base, vec![line], vec![route]).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(api::serve(listener, gateway.clone(), options, async {
            let _ = stopped.await;
        }));
        let (_, key) = keys::create(&gateway, main.id, &new_key(), &Actor::command_line()).await.unwrap();
        House { gateway, clock, address, main, key, stop: Some(stop), _database: database }
    }

    /// Asks the server to stop.
    pub fn stop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// An account, below another or of its own.
    pub async fn account(&self, name: &str, parent: Option<AccountId>, credits: i64) -> Account {
        new_account(&self.gateway, name, parent, credits).await
    }

    /// A key of an account.
    pub async fn key(&self, account: AccountId, change: impl FnOnce(&mut NewKey)) -> String {
        let mut new = new_key();
        change(&mut new);
        keys::create(&self.gateway, account, &new, &Actor::command_line()).await.unwrap().1
    }

    /// What an account holds.
    pub async fn balance(&self, account: AccountId) -> Credits {
        let mut conn = self.gateway.db.read().await.unwrap();
        let (wallet, promo) = storage::ledger::balance(&mut conn, account).await.unwrap();
        wallet.checked_add(promo).unwrap()
    }

    /// The books are in order.
    pub async fn sound(&self) {
        let mut snapshot = self.gateway.db.snapshot().await.unwrap();
        let report = storage::check::check(&mut snapshot).await.unwrap();
        snapshot.end().await.unwrap();
        assert!(report.ok, "{:#?}", report.broken);
    }

    /// How many messages are stored.
    pub async fn messages(&self) -> i64 {
        self.gateway.db.read().await.unwrap().number("select count(*) from messages", &[]).await.unwrap()
    }

    /// A request with the main account's key that wants JSON.
    pub fn ask(&self, method: &'static str, target: impl Into<String>) -> Request<'_> {
        self.bare(method, target).header("X-Api-Key", &self.key).header("Accept", "application/json")
    }

    /// A request with the main account's key that says nothing of what it wants.
    pub fn text(&self, method: &'static str, target: impl Into<String>) -> Request<'_> {
        self.bare(method, target).header("X-Api-Key", &self.key)
    }

    /// A request without a key.
    pub fn bare(&self, method: &'static str, target: impl Into<String>) -> Request<'_> {
        Request { house: self, method, target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Sends a text and gives the ids.
    pub async fn sent(&self, form: &str) -> Vec<String> {
        let answer = self.ask("POST", "/api/sms").form(form).json().await;
        assert_eq!(answer["success"], "100", "{answer}");
        let messages = answer["messages"].as_array().unwrap();
        messages.iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until a message has a word on it, and gives that.
    pub async fn word(&self, id: &str) -> String {
        for _ in 0..500 {
            let answer = self.ask("GET", format!("/api/status?msg_id={id}")).json().await;
            if let Some(word) = answer[0]["status"].as_str() {
                return word.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no word on {id} within five seconds");
    }

    /// A connection to the server.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Request<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    pub fn form(self, body: &str) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    pub fn json_body(self, body: &Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    pub fn body(mut self, content_type: &str, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("Content-Type", content_type)
    }

    pub async fn send(self) -> Answer {
        let mut stream = self.house.connect().await;
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.house.address);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        let sent = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&self.body).await
        };
        // A server that refuses a body may close before it has all of it.
        let _ = sent.await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Answer::read(&answer)
    }

    /// The body of an answer with status 200, as text.
    pub async fn body_text(self) -> String {
        let answer = self.send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The body of an answer with status 200, as JSON.
    pub async fn json(self) -> Value {
        let answer = self.send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.body);
        answer.json()
    }
}

impl Answer {
    fn read(octets: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(octets);
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("an answer, and not {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            (name.to_ascii_lowercase(), value.to_owned())
        };
        let headers: Vec<_> = lines.map(header).collect();
        Answer { status, headers, body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

fn new_key() -> NewKey {
    NewKey {
        label: "test".to_owned(),
        sandbox: false,
        subaccount_access: false,
        scopes: Scopes::ALL,
        expires_at: None,
    }
}

async fn new_account(base: &Base, name: &str, parent: Option<AccountId>, credits: i64) -> Account {
    let email: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let new = NewAccount {
        company: Some(name.to_owned()),
        owner: "Max Muster".to_owned(),
        email: Email::parse(&format!("{email}@example.test")).unwrap(),
        parent,
        credits: Credits(credits * 1_000_000),
    };
    accounts::create(base, &new, &Actor::command_line()).await.unwrap()
}
