//! The server, from outside: from empty books to a delivered message, beside other commands, and to
//! its orderly end. What happens when it is killed is in `crash.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod program;

use std::time::{Duration, Instant};

use program::{Folder, Server};
use serde_json::{Value, json};

const PRICES: &str = "country,price\nDE,0.075\n*,0.20\n";

struct Client {
    http: reqwest::Client,
    address: String,
    key: String,
}

impl Client {
    fn new(server: &Server, key: &str) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client { http: reqwest::Client::new(), address: server.address.clone(), key: key.to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.address)).header("X-Api-Key", &self.key);
        request.header("Accept", "application/json").send().await.unwrap().json().await.unwrap()
    }

    async fn send(&self, to: &str, text: &str) -> Value {
        let form = [("to", to), ("text", text), ("from", "Test")];
        let request = self.http.post(format!("{}/api/sms", self.address)).header("X-Api-Key", &self.key);
        request.header("Accept", "application/json").form(&form).send().await.unwrap().json().await.unwrap()
    }

    /// Waits for the report on a message.
    async fn report(&self, id: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let journal = self.get(&format!("/api/journal/outbound?id={id}")).await;
            if journal[0]["dlr"].is_string() && journal[0]["dlr"] != json!("TRANSMITTED") {
                return journal[0].clone();
            }
            assert!(Instant::now() < until, "no report: {journal}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Books with an account that can send, and its key.
fn furnished(folder: &Folder) -> String {
    let prices = folder.file("prices.csv", PRICES);
    folder.json(&["prices", "import", &prices]).object();
    let account = folder.account("main", &["--credits", "10.00"]);
    folder.json(&["key", "create", "--account", &account]).object()["key"].as_str().unwrap().to_owned()
}

fn settings(folder: &Folder) -> String {
    folder.file("fast.toml", "[[carrier]]\nname = \"test\"\nkind = \"simulator\"\nreport_milliseconds = 20\n")
}

#[tokio::test]
async fn a_message_is_sent_charged_delivered_and_refunded_when_refused() {
    let folder = Folder::new();
    let key = furnished(&folder);
    let server = folder.serve(&["serve", "--listen", "127.0.0.1:0", "--config", &settings(&folder)]);
    let client = Client::new(&server, &key);
    let sent = client.send("+49 1522 8817386", "Hello").await;
    assert_eq!((&sent["success"], &sent["total_price"]), (&json!("100"), &json!(0.075)));
    let id = sent["messages"][0]["id"].as_str().unwrap();
    assert_eq!(client.report(id).await["dlr"], json!("DELIVERED"));
    // The simulator refuses this number, so what it cost comes back.
    let refused = client.send("+4915228899901", "Hello").await;
    let id = refused["messages"][0]["id"].as_str().unwrap();
    assert_eq!(client.report(id).await["dlr"], json!("REJECTED"));
    assert_eq!(client.get("/api/balance").await["amount"], json!(9.925));
    // Command lines work beside it, and it notices what they change.
    let child = folder.account("child", &["--parent", "1900001"]);
    folder.json(&["credits", "transfer", "--from", "1900001", "--to", &child, "--amount", "1"]).object();
    assert_eq!(folder.balance("1900001"), "8.925");
    assert_eq!(client.get("/api/balance").await["amount"], json!(8.925));
    let metrics =
        client.http.get(format!("{}/metrics", server.address)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("branchline_"), "{metrics}");
    let took = server.stop();
    assert!(took < Duration::from_secs(30), "{took:?}");
    let check = folder.json(&["check"]).object();
    assert_eq!((&check["ok"], &check["messages"], &check["refunds"]), (&json!(true), &json!(2), &json!(1)));
}

#[tokio::test]
async fn an_orderly_end_waits_for_nobody_who_looks_on() {
    let folder = Folder::new();
    let server = folder.serve(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let http = builder.build().unwrap();
    let owner = [("name", "Eva"), ("email", "eva@example.com"), ("password", "vier Worte stehen hier")];
    let form = [&[("company", "Nordlicht")], &owner[..]].concat();
    let answer = http.post(&server.set_up).form(&form).send().await.unwrap();
    let text = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let (page, cookie) = (text("location"), text("set-cookie"));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let listen = async |path: &str| {
        let request = http.get(format!("{}{path}", server.address)).header("Cookie", &cookie);
        let mut stream = request.send().await.unwrap();
        assert_eq!(stream.status().as_u16(), 200, "{path}");
        assert!(stream.chunk().await.unwrap().is_some(), "{path}");
        stream
    };
    let mut streams = vec![listen(&format!("{page}/events")).await, listen("/operator/events").await];
    let took = server.stop();
    assert!(took < Duration::from_secs(5), "{took:?}");
    for stream in &mut streams {
        while let Ok(Some(_)) = stream.chunk().await {}
    }
}

#[test]
fn a_port_in_use_and_a_second_server_are_refused() {
    let folder = Folder::new();
    let server = folder.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let address = server.address.strip_prefix("http://").unwrap().to_owned();
    let (code, _, text) = folder.json(&["serve", "--listen", "127.0.0.1:0"]).refusal();
    assert_eq!(code, "already_running");
    assert!(text.contains("branchline-data/branchline.db"), "{text}");
    let other = folder.words(&["serve", "--listen", &address, "--data", "other"]);
    assert_eq!(other.code, 1);
    assert_eq!(
        other.err.lines().last().unwrap(),
        format!(
            "branchline: --listen: {address} is in use by another program; stop it, or choose another address with --listen"
        )
    );
    server.stop();
    // The lock went with it.
    folder.serve(&["serve", "--listen", "127.0.0.1:0"]).stop();
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_stores_nothing_of_it_and_passes() {
    let folder = Folder::new();
    let key = furnished(&folder);
    // A file that may not grow is told by an error, and not by the signal that would end the program.
    let deaf = ["sh", "-c", "trap '' 25; exec \"$0\" \"$@\""];
    let args = ["serve", "--listen", "127.0.0.1:0", "--config", &settings(&folder)];
    let server = Server::start(folder.command_through(&deaf, &args));
    let client = Client::new(&server, &key);
    let status = async |path: &str| {
        client.http.get(format!("{}{path}", client.address)).send().await.unwrap().status().as_u16()
    };
    assert_eq!(client.send("+4915228817386", "before").await["success"], json!("100"));
    server.limit_files("4096");
    let form = [("to", "+4915228817386"), ("text", "while full")];
    let request = client.http.post(format!("{}/api/sms", client.address)).header("X-Api-Key", &key);
    let refused = request.form(&form).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
    assert!(refused.headers()["x-error-text"].to_str().unwrap().contains("nothing was stored"));
    assert_eq!(refused.text().await.unwrap(), "600");
    assert_eq!((status("/readyz").await, status("/healthz").await), (503, 200));
    // What is there can be read.
    assert_eq!(client.get("/api/balance").await["amount"], json!(9.925));
    server.limit_files("unlimited");
    let until = Instant::now() + Duration::from_secs(20);
    while status("/readyz").await != 200 {
        assert!(Instant::now() < until, "it does not recover");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let sent = client.send("+4915228817386", "while full").await;
    let id = sent["messages"][0]["id"].as_str().unwrap_or_else(|| panic!("{sent}"));
    assert_eq!(client.report(id).await["dlr"], json!("DELIVERED"));
    server.stop();
    let check = folder.json(&["check"]).object();
    assert_eq!((&check["ok"], &check["messages"]), (&json!(true), &json!(2)), "{check}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_whole_while_the_server_is_busy() {
    let folder = Folder::new();
    let key = furnished(&folder);
    let server = folder.serve(&["serve", "--listen", "127.0.0.1:0", "--config", &settings(&folder)]);
    let client = std::sync::Arc::new(Client::new(&server, &key));
    let busy = tokio::spawn({
        let client = client.clone();
        async move {
            for n in 0..60 {
                client.send("4915228817386", &format!("message {n}")).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let copy = folder.path("copy.db").display().to_string();
    let backup = folder.json(&["backup", &copy]).object();
    assert_eq!(backup["file"], json!(copy));
    assert_eq!(folder.json(&["backup", &copy]).refusal().0, "file_exists");
    busy.await.unwrap();
    let database = format!("sqlite:{copy}");
    let check = folder.json(&["check", "--database", &database]).object();
    assert_eq!((&check["ok"], &check["accounts"]), (&json!(true), &json!(1)));
    let held: f64 = folder.json(&["account", "show", "1900001", "--database", &database]).object()["balance"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let messages = check["messages"].as_f64().unwrap();
    assert!((held + messages * 0.075 - 10.0).abs() < 1e-6, "{held} and {messages} messages");
    server.stop();
}

#[tokio::test]
async fn an_orderly_end_loses_no_call_of_the_request_log() {
    let folder = Folder::new();
    let key = furnished(&folder);
    // The last calls are answered a moment before the end, at another part of the second each time.
    for round in 1..=3 {
        let server = folder.serve(&["serve", "--listen", "127.0.0.1:0", "--config", &settings(&folder)]);
        let client = Client::new(&server, &key);
        for call in ["/api/balance", "/api/pricing?country=de", "/api/journal/outbound?limit=1"] {
            client.get(call).await;
        }
        tokio::time::sleep(Duration::from_millis(490 * (round - 1))).await;
        client.get("/api/balance").await;
        server.stop();
        let address = storage::Address::Sqlite(folder.path("branchline-data/branchline.db"));
        let db = storage::Db::open(&address).await.unwrap();
        let kept = db.read().await.unwrap().number("select count(*) from calls", &[]).await.unwrap();
        assert_eq!(kept, 4 * i64::try_from(round).unwrap());
    }
}

#[tokio::test]
async fn the_demo_is_a_world_whose_books_are_right() {
    let folder = Folder::new();
    let seeded = folder.json(&["demo", "--data", "world", "--seed-only"]).object();
    let messages = seeded["messages"].as_u64().unwrap();
    assert!((60_000..110_000).contains(&messages), "{messages}");
    let check = folder.json(&["check", "--data", "world"]).object();
    assert_eq!((&check["ok"], &check["messages"]), (&json!(true), &json!(messages)), "{check}");
    // A second run takes up the same world, and what it shows can be done.
    let server = folder.serve(&["demo", "--data", "world", "--listen", "127.0.0.1:0"]);
    let client = Client::new(&server, seeded["key"].as_str().unwrap());
    let analytics = client.get("/api/analytics/date").await;
    assert!(analytics.as_array().is_some_and(|days| !days.is_empty()), "{analytics}");
    let sent = client.send("+4915228817386", "Hello").await;
    let id = sent["messages"][0]["id"].as_str().unwrap_or_else(|| panic!("{sent}"));
    assert_eq!(client.report(id).await["dlr"], json!("DELIVERED"));
    let again = folder.json(&["demo", "--data", "world", "--seed-only"]);
    assert_eq!(again.refusal().0, "already_running");
    sign_in_with_all(&server.address, &seeded).await;
    server.stop();
    // The second run printed what the first did, and another world has other passwords.
    let printed = folder.words(&["demo", "--data", "world", "--seed-only"]).out;
    for login in seeded["logins"].as_array().unwrap() {
        let (email, password) = (login["email"].as_str().unwrap(), login["password"].as_str().unwrap());
        assert!(printed.lines().any(|line| line.contains(email) && line.ends_with(password)), "{printed}");
    }
    // Keys are there to be copied, whole.
    let keys: Vec<&str> = printed.split([' ', '\'', '\n']).filter(|word| word.starts_with("bl_")).collect();
    assert!(keys.len() >= 3 && keys.contains(&seeded["key"].as_str().unwrap()), "{printed}");
    assert!(keys.iter().all(|key| key.is_ascii() && key.len() == keys[0].len()), "{keys:?}");
    let wide = printed.lines().filter(|line| line.contains("@example.com")).map(|line| line.chars().count());
    assert!(wide.max().unwrap() <= 80, "{printed}");
    // Books that are somebody's are left alone.
    folder.account("somebody", &["--data", "mine"]);
    assert_eq!(folder.json(&["demo", "--data", "mine", "--seed-only"]).refusal().0, "not_empty");
}

/// A request and its answer: method, path, a header, a body, the status.
type Asked = (&'static str, &'static str, (&'static str, &'static str), &'static str, u16);

/// Every door, answered well and badly.
#[rustfmt::skip]
const DOORS: &[Asked] = &[
    ("GET",    "/",                         ("accept", "text/html"),        "",          303),
    ("GET",    "/sign-in",                  ("accept", "text/html"),        "",          200),
    ("POST",   "/sign-in",                  ("content-type", "text/plain"), "x",         409),
    ("POST",   "/sign-out",                 ("origin", "https://evil.example"), "",      403),
    ("GET",    "/nothing-here",             ("accept", "text/html"),        "",          404),
    ("GET",    "/a/1900001/keys",           ("accept", "text/html"),        "",          303),
    ("GET",    "/static/none.css",          ("accept", "*/*"),              "",          404),
    ("DELETE", "/sign-in",                  ("accept", "*/*"),              "",          405),
    ("GET",    "/docs",                     ("accept", "*/*"),              "",          308),
    ("GET",    "/docs/",                    ("accept", "*/*"),              "",          200),
    ("GET",    "/docs/begin.js",            ("accept", "*/*"),              "",          200),
    ("GET",    "/docs/none.js",             ("accept", "*/*"),              "",          404),
    ("GET",    "/v1/openapi.json",          ("accept", "*/*"),              "",          200),
    ("GET",    "/v1/me",                    ("accept", "*/*"),              "",          401),
    ("GET",    "/v1/none",                  ("accept", "*/*"),              "",          404),
    ("PUT",    "/v1/me",                    ("accept", "*/*"),              "",          405),
    ("POST",   "/api/sms",                  ("accept", "application/json"), "",          200),
    ("GET",    "/api/balance",              ("x-api-key", "wrong"),         "",          200),
    ("GET",    "/api/none",                 ("accept", "application/json"), "",          404),
    ("GET",    "/healthz",                  ("accept", "*/*"),              "",          200),
    ("GET",    "/readyz",                   ("accept", "*/*"),              "",          200),
    ("GET",    "/metrics",                  ("accept", "*/*"),              "",          200),
    ("OPTIONS", "/api/sms",                 ("origin", "https://evil.example"), "",      405),
    ("HEAD",   "/sign-in",                  ("accept", "text/html"),        "",          200),
];

#[tokio::test]
async fn every_answer_of_every_door_tells_browsers_to_be_careful() {
    let folder = Folder::new();
    let server = folder.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let style = web::assets::style();
    let large = "x".repeat(3_000_000);
    let more = [
        ("GET", style, ("accept", "*/*"), "", 200),
        ("POST", "/api/sms", ("accept", "application/json"), large.as_str(), 413),
        ("POST", "/v1/transfers", ("content-type", "application/json"), "{", 401),
    ];
    for (method, path, (name, value), body, status) in DOORS.iter().copied().chain(more) {
        let method: reqwest::Method = method.parse().unwrap();
        let ask = || {
            let request = http.request(method.clone(), format!("{}{path}", server.address));
            request.header(name, value).body(body.to_owned()).send()
        };
        // Whoever is still writing a body that was refused may meet a closed connection and not the
        // answer, which lies in front of it.
        let mut answer = ask().await;
        for _ in 0..20 {
            if answer.is_ok() || body.len() < 1_000_000 {
                break;
            }
            answer = ask().await;
        }
        let answer = answer.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        for (name, wanted) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            let held = answer.headers().get(name).and_then(|held| held.to_str().ok());
            assert_eq!(held, Some(wanted), "{method} {path}: {name}");
        }
        let text = |name: &str| answer.headers().get(name).map_or("", |held| held.to_str().unwrap());
        let policy = text("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe-inline'"), "{path}");
        assert!(["same-origin", "no-referrer"].contains(&text("referrer-policy")), "{method} {path}");
        assert!(text("permissions-policy").contains("camera=()"), "{method} {path}");
        assert!(!text("cache-control").is_empty(), "{method} {path}");
        assert_eq!(text("access-control-allow-origin"), "", "{method} {path}: no other site reads it");
        assert_eq!(text("server"), "", "{method} {path} tells nobody what it is made of");
    }
    server.stop();
}

/// Everybody the demo prints comes in with what it prints, and sees what is theirs and no more.
async fn sign_in_with_all(address: &str, seeded: &Value) {
    let accounts = seeded["accounts"].as_array().unwrap();
    let (agency, customer, chain, branch, other) =
        (&accounts[0], &accounts[1], &accounts[9], &accounts[10], &accounts[11]);
    let people = [
        ("owner", [(agency, true), (customer, true), (chain, false), (branch, false)]),
        ("owner", [(branch, true), (other, false), (chain, false), (agency, false)]),
        ("finance", [(chain, true), (branch, true), (agency, false), (customer, false)]),
    ];
    let logins = seeded["logins"].as_array().unwrap();
    assert_eq!(logins.len(), people.len(), "{seeded}");
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut passwords = std::collections::HashSet::new();
    for (login, (role, sees)) in logins.iter().zip(people) {
        assert_eq!(login["role"], json!(role));
        let password = login["password"].as_str().unwrap();
        assert!(passwords.insert(password), "two have the same password");
        let enter = async |password: &str| {
            let form = [("email", login["email"].as_str().unwrap()), ("password", password)];
            let request = http.post(format!("{address}/sign-in")).header("Origin", address).form(&form);
            request.send().await.unwrap()
        };
        assert_ne!(enter("not the password of anybody").await.status(), 303);
        let entered = enter(password).await;
        assert_eq!(entered.status(), 303, "{login}");
        let cookies: Vec<&str> =
            entered.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
        let cookies: Vec<&str> = cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect();
        let cookies = cookies.join("; ");
        for (account, seen) in sees {
            let page = http.get(format!("{address}/a/{account}")).header("Cookie", &cookies);
            let status = page.send().await.unwrap().status().as_u16();
            assert_eq!(status, if seen { 200 } else { 404 }, "{login} at {account}");
        }
    }
}

#[test]
fn a_mail_is_kept_in_the_folder_where_no_server_is_set() {
    let folder = Folder::new();
    let account = folder.account("main", &[]);
    // Written down by a command, kept by the server.
    folder.json(&["account", "suspend", &account, "--reason", "unpaid since May"]).object();
    let server = folder.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let mails = folder.path("branchline-data/mails");
    let until = Instant::now() + Duration::from_secs(20);
    let kept = loop {
        let files = std::fs::read_dir(&mails).into_iter().flatten().flatten().map(|entry| entry.path());
        let kept: Vec<_> = files.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        if kept.iter().any(|mail| mail.ends_with("--\r\n")) {
            break kept;
        }
        assert!(Instant::now() < until, "no mail in {}", mails.display());
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(kept.len(), 1);
    assert!(kept[0].contains("To: main@example.com") && kept[0].contains("unpaid since May"), "{}", kept[0]);
    server.stop();
}
