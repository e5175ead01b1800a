//! A console on real books with a tree of accounts, and people who sign in to it as anybody does. Its
//! clock stands at 2026-01-05 10:11:10 in Berlin.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use carriers::simulator;
use domain::account::{Account, Email};
use domain::actor::Actor;
use domain::carrier::IdSpelling;
use domain::credits::Credits;
use domain::id::{AccountId, LoginId};
use domain::member::Role;
use domain::moment::Moment;
use domain::phone_number::Country;
use domain::route::Route;
use gateway::accounts::{self, NewAccount};
use gateway::dispatch::Line;
use gateway::logins::{self, NewLogin};
use gateway::passwords::Kept;
use gateway::sessions::{self, SignedIn};
use gateway::{Base, Clock, Gateway, Rules, prices};
use http_body_util::BodyExt;
use jiff::tz::TimeZone;
use testing::TestDatabase;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tower::ServiceExt;
use web::door::Entered;

/// 2026-01-05 10:11:10 in Berlin.
pub const NOW: Moment = Moment(1_767_604_270_120_000);
const PASSWORD: &str = "a long walk by the quiet river";

/// How many people there are, so that each has an address.
static PEOPLE: AtomicUsize = AtomicUsize::new(0);

/// What is kept of the password of everybody, which takes its time to make.
static KEPT: OnceCell<Kept> = OnceCell::const_new();

/// A main account (100.00), a branch of it (10.00), a team of that branch, and a foreign account.
pub struct House {
    pub gateway: Gateway,
    pub main: Account,
    pub branch: Account,
    pub team: Account,
    pub foreign: Account,
    router: Router,
    _database: TestDatabase,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: String,
    pub kind: String,
    pub body: String,
    /// Whether the door let the request in.
    pub entered: bool,
}

/// A browser in which somebody is signed in.
pub struct Browser<'a> {
    house: &'a House,
    cookie: String,
    pub login: LoginId,
}

impl House {
    pub async fn new() -> House {
        House::on(testing::sqlite().await).await
    }

    pub async fn on(database: TestDatabase) -> House {
        let rules = Rules {
            default_country: Country::parse("DE").unwrap(),
            time_zone: TimeZone::get("Europe/Berlin").unwrap(),
            currency: "EUR".to_owned(),
            default_sender: "Branchline".to_owned(),
            depth_max: 3,
            public_urls: Vec::new(),
        };
        let base = Base::new(database.db.clone(), Clock::standing_at(NOW), rules).await.unwrap();
        gateway::seal::begin(&base, &gateway::seal::Key::parse(&"A".repeat(43)).unwrap()).await.unwrap();
        let list = "product,country,network,price\nsms,DE,,0.10\nsms,FR,,0.20\n";
        prices::import(&base, list.as_bytes(), "standard", false, &Actor::command_line()).await.unwrap();
        let main = account(&base, "Nordlicht", None, 100).await;
        let branch = account(&base, "Filiale Köln", Some(main.id), 10).await;
        let team = account(&base, "Team Ehrenfeld", Some(branch.id), 0).await;
        let foreign = account(&base, "CANARY-FOREIGN", None, 50).await;
        let settings =
            simulator::Settings { report_after: Duration::ZERO, ..simulator::Settings::new("alpha") };
        let line = Line {
            name: "alpha".into(),
            message_ids: IdSpelling::Auto,
            connect: Box::new(|events| simulator::connect(settings, events)),
        };
        let route = Route { carrier: "alpha".to_owned(), countries: Vec::new(), priority: 1 };
        let gateway = Gateway::start(base, vec![line], vec![route]).await.unwrap();
        let router = web::router(gateway.clone(), web::Options::default());
        House { gateway, main, branch, team, foreign, router, _database: database }
    }

    /// An account below another one, with some credit.
    pub async fn child(&self, above: &Account, name: &str) -> Account {
        account(&self.gateway, name, Some(above.id), 10).await
    }

    /// One more main account.
    pub async fn another_main(&self, name: &str) -> Account {
        account(&self.gateway, name, None, 50).await
    }

    /// Somebody who is not signed in.
    pub fn nobody(&self) -> Browser<'_> {
        Browser { house: self, cookie: String::new(), login: LoginId(0) }
    }

    /// Somebody new with a role in an account, signed in.
    pub async fn person(&self, account: AccountId, role: Role) -> Browser<'_> {
        self.person_who(account, role, false).await
    }

    /// The same, whose role may count in every account below.
    pub async fn person_who(&self, account: AccountId, role: Role, below: bool) -> Browser<'_> {
        let kept = KEPT.get_or_init(async || logins::password(PASSWORD, &[], false).await.unwrap()).await;
        let number = PEOPLE.fetch_add(1, Ordering::Relaxed);
        let email = format!("{}-{number}@example.com", role.as_str());
        let email = Email::parse(&email).unwrap();
        let new = NewLogin {
            email: &email,
            name: role.as_str(),
            language: None,
            operator: false,
            password: Some(kept),
        };
        let mut tx = self.gateway.db.begin().await.unwrap();
        let login = logins::create(&mut tx, &new, NOW).await.unwrap();
        storage::members::insert(&mut tx, account, login.id, role, below, NOW).await.unwrap();
        tx.commit().await.unwrap();
        self.gateway.refresh().await.unwrap();
        let form = [("email", email.as_str()), ("password", PASSWORD)];
        let request =
            Request::post("/sign-in").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response =
            self.router.clone().oneshot(request.body(Body::from(encoded(&form))).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), 303, "nobody came in");
        let held = response.headers().get_all(header::SET_COOKIE).into_iter();
        let held = held.filter_map(|set| set.to_str().ok()?.split(';').next());
        Browser { house: self, cookie: held.collect::<Vec<_>>().join("; "), login: login.id }
    }

    /// Serves by real HTTP, and gives the address.
    pub async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// What an account holds.
    pub async fn balance(&self, account: AccountId) -> i64 {
        let mut conn = self.gateway.db.read().await.unwrap();
        storage::ledger::balance(&mut conn, account).await.unwrap().0.0
    }

    /// Waits until every message has come to its end.
    pub async fn settled(&self) {
        let sql = "select count(*) from messages where status < 4";
        for _ in 0..2_000 {
            if self.gateway.db.read().await.unwrap().number(sql, &[]).await.unwrap() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("messages are under way for ten seconds");
    }

    /// The books are in order.
    pub async fn sound(&self) {
        let mut snapshot = self.gateway.db.snapshot().await.unwrap();
        let report = storage::check::check(&mut snapshot).await.unwrap();
        snapshot.end().await.unwrap();
        assert!(report.ok, "{:#?}", report.broken);
    }
}

async fn account(base: &Base, name: &str, parent: Option<AccountId>, credits: i64) -> Account {
    let address = name.to_lowercase().replace(' ', "-");
    let new = NewAccount {
        company: Some(name.to_owned()),
        owner: "Erika Muster".to_owned(),
        email: Email::parse(&format!("{address}@example.com")).unwrap(),
        parent,
        credits: Credits(credits * 1_000_000),
    };
    accounts::create(base, &new, &Actor::command_line()).await.unwrap()
}

impl Browser<'_> {
    /// Who it is, as the gateway knows them.
    pub async fn signed_in(&self) -> SignedIn {
        let token = self.cookie.split("; ").find_map(|held| held.strip_prefix("branchline=")).unwrap();
        sessions::of(&self.house.gateway, token, NOW).await.unwrap().unwrap()
    }

    pub async fn get(&self, path: impl AsRef<str>) -> Answer {
        self.asked(Request::get(path.as_ref()), Body::empty()).await
    }

    /// Asks as the script of an open page does.
    pub async fn by_itself(&self, path: &str) -> Answer {
        self.asked(Request::get(path).header("x-by-itself", "1"), Body::empty()).await
    }

    pub async fn post(&self, path: impl AsRef<str>, form: &[(&str, &str)]) -> Answer {
        let request =
            Request::post(path.as_ref()).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.asked(request, Body::from(encoded(form))).await
    }

    /// Gives a file to a form.
    pub async fn upload(&self, path: impl AsRef<str>, file: &str) -> Answer {
        let body = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{file}\r\n--edge--\r\n"
        );
        let kind = "multipart/form-data; boundary=edge";
        let request = Request::post(path.as_ref()).header(header::CONTENT_TYPE, kind);
        self.asked(request, Body::from(body)).await
    }

    /// The same browser, without its session.
    pub fn signed_out(&self) -> Browser<'_> {
        self.house.nobody()
    }

    /// Opens a stream of events by real HTTP.
    pub async fn listen(&self, address: SocketAddr, path: &str, headers: &str) -> Stream {
        let mut line = TcpStream::connect(address).await.unwrap();
        let cookie = &self.cookie;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\nCookie: {cookie}\r\n{headers}\r\n"
        );
        line.write_all(request.as_bytes()).await.unwrap();
        let mut line = BufReader::new(line);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(line.read_line(&mut head).await.unwrap() > 0, "closed after {head}");
        }
        Stream { line, head: head.to_lowercase(), held: String::new() }
    }

    async fn asked(&self, request: axum::http::request::Builder, body: Body) -> Answer {
        let request = request.header(header::COOKIE, &self.cookie).body(body).unwrap();
        let response = self.house.router.clone().oneshot(request).await.unwrap();
        let text =
            |name| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (status, location, kind) =
            (response.status().as_u16(), text(header::LOCATION), text(header::CONTENT_TYPE));
        let entered = response.extensions().get::<Entered>().is_some();
        // A stream of events goes on for ever.
        let is_endless = kind == "text/event-stream";
        let body = if is_endless { Body::empty() } else { response.into_body() };
        let body = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        Answer { status, location, kind, body, entered }
    }
}

/// A stream of events, as it comes by the line.
pub struct Stream {
    line: BufReader<TcpStream>,
    /// Status and headers, in lower case.
    pub head: String,
    held: String,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub id: String,
    pub words: String,
    pub retry: String,
}

impl Stream {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The next event; nothing when the stream has ended. Comments are passed over.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((event, rest)) = self.held.split_once("\n\n") {
                let mut heard = Heard::default();
                for (name, value) in event.lines().filter_map(|line| line.split_once(": ")) {
                    match name {
                        "id" => value.clone_into(&mut heard.id),
                        "data" => value.clone_into(&mut heard.words),
                        "retry" => value.clone_into(&mut heard.retry),
                        _ => {}
                    }
                }
                self.held = rest.to_owned();
                if heard == Heard::default() {
                    continue;
                }
                return Some(heard);
            }
            let piece = tokio::time::timeout(Duration::from_secs(20), self.piece()).await;
            self.held.push_str(&piece.expect("nothing is heard for 20 seconds")?);
        }
    }

    /// A chunk of the body.
    async fn piece(&mut self) -> Option<String> {
        let mut size = String::new();
        self.line.read_line(&mut size).await.ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0)?;
        let mut piece = vec![0; size + 2];
        self.line.read_exact(&mut piece).await.ok()?;
        piece.truncate(size);
        Some(String::from_utf8(piece).unwrap())
    }
}

impl Answer {
    /// Whether the page holds a text.
    pub fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    /// The unseen name a form of the page brings along.
    pub fn once(&self) -> String {
        self.value_of("once")
    }

    /// What an unseen field of the page holds.
    pub fn value_of(&self, name: &str) -> String {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// Where the link of this relation leads: `next` or `prev`.
    pub fn link(&self, relation: &str) -> Option<String> {
        let (before, _) = self.body.split_once(&format!("\" rel=\"{relation}\""))?;
        Some(before.rsplit_once("href=\"")?.1.replace("&#38;", "&"))
    }

    /// What the rows of the table lead to, in their order.
    pub fn rows(&self) -> Vec<String> {
        let rows = self.body.split("<th scope=\"row\" class=\"cell-name\"><a href=\"").skip(1);
        rows.filter_map(|row| Some(row.split('"').next()?.to_owned())).collect()
    }

    /// Asserts that all these texts stand there, and none of those.
    #[track_caller]
    pub fn shows(&self, these: &[&str], not_those: &[&str]) {
        assert_eq!(self.status, 200, "{}", self.body);
        for text in these {
            assert!(self.has(text), "{text} is missing in {}", self.body);
        }
        for text in not_those {
            assert!(!self.has(text), "{text} stands in {}", self.body);
        }
    }
}

fn encoded(form: &[(&str, &str)]) -> String {
    let pairs = form.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
