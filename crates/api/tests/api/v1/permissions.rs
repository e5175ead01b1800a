//! The permission table is the test: every route of this door, as every kind of caller. A route that
//! has no example here fails it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use api::{Needs, Row};
use domain::account::Account;
use domain::actor::Actor;
use domain::id::AccountId;
use domain::key::{Scope, Scopes};
use domain::moment::Moment;
use domain::permission::Below;
use gateway::accounts::When;
use gateway::{Base, Clock, accounts, keys};
use serde_json::json;

use crate::house::{Answer, House, NOW};

/// How a route is asked so that whoever is let in changes nothing: with ids that name nothing, and
/// bodies that are refused by their fields.
fn example(row: &Row, own: AccountId, child: AccountId) -> (String, Option<serde_json::Value>) {
    let path = row.path.replace("{account}", &child.to_string());
    let things = ["{key}", "{transfer}", "{message}", "{member}", "{invitation}", "{limit}"];
    let path = things.iter().fold(path, |path, thing| path.replace(thing, "1"));
    assert!(!path.contains('{'), "say what {} is asked with", row.path);
    let wrong = Some(json!({ "no such field": own.0 }));
    #[rustfmt::skip]
    let (query, body) = match (row.method.as_str(), row.path.as_str()) {
        (_,      "/api/sms")       => ("?to=4915100000001&text=Hi&debug=1&ids=1", None),
        (_,      "/api/status")    => ("?msg_id=1", None),
        (_,      "/api/pricing")   => ("?country=DE", None),
        (_,      "/api/journal")   => ("?type=outbound", None),
        (_,      path) if path.starts_with("/api/") => ("", None),
        ("POST", path) if ["/activate", "/reopen", "/resend"].iter().any(|end| path.ends_with(end)) => ("", None),
        ("GET" | "DELETE", _)      => ("", None),
        _                          => ("", wrong),
    };
    (path + query, body)
}

/// What a caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    /// Let in, whatever came of it.
    In,
    /// 401 of `/v1`, 900 of the wire.
    WhoAreYou,
    /// A refusal of `/v1` with this code, or 902 of the wire.
    Refused(&'static str),
}

const REFUSALS: [&str; 6] = [
    "scope_missing",
    "permission_missing",
    "subaccount_access_missing",
    "sandbox_key",
    "account_not_active",
    "access_not_granted",
];

fn told(row: &Row, answer: &Answer, named: Option<AccountId>) -> Told {
    assert!(answer.status < 500, "{} {}: {answer:?}", row.method, row.path);
    if !row.path.starts_with("/v1/") {
        return match answer.body.as_str() {
            "900" => Told::WhoAreYou,
            "902" => Told::Refused("902"),
            _ => Told::In,
        };
    }
    let problem = if answer.status < 400 { json!({}) } else { answer.json() };
    let code = problem["code"].as_str().unwrap_or("");
    if answer.status == 401 {
        return Told::WhoAreYou;
    }
    if let Some(code) = REFUSALS.iter().find(|refusal| **refusal == code) {
        return Told::Refused(code);
    }
    // The account of the header itself is not there, and not what a path or a body names.
    let not_there = named.map(|id| format!("there is no account {id}"));
    if code == "not_found" && not_there.is_some_and(|text| problem["detail"] == text.as_str()) {
        return Told::Refused("not_found");
    }
    Told::In
}

struct World {
    house: House,
    child: Account,
    grandchild: Account,
    sibling: Account,
    foreign: Account,
    foreign_child: Account,
}

impl World {
    async fn new() -> World {
        let house = House::new().await;
        let child = house.account("Child", Some(house.main.id), 10).await;
        let grandchild = house.account("Grandchild", Some(child.id), 10).await;
        let sibling = house.account("Sibling", Some(house.main.id), 10).await;
        let foreign = house.account("Foreign", None, 10).await;
        let foreign_child = house.account("Foreign child", Some(foreign.id), 10).await;
        World { house, child, grandchild, sibling, foreign, foreign_child }
    }

    async fn key(&self, account: AccountId, change: impl FnOnce(&mut keys::NewKey)) -> String {
        self.house.key(account, change).await
    }

    /// Asks every route that needs a key, and compares what is told with what is expected.
    async fn all(
        &self,
        who: &str,
        key: Option<&str>,
        named: Option<AccountId>,
        own: AccountId,
        expected: impl Fn(&Row) -> Told,
    ) {
        // Ids in paths name an account below the one that acts, so that only the caller decides.
        let below = if named.unwrap_or(own) == self.child.id { self.grandchild.id } else { self.child.id };
        let mut wrong = Vec::new();
        for row in api::table().iter().filter(|row| row.needs != Needs::Nothing) {
            let (target, body) = example(row, own, below);
            let method: &'static str = match row.method.as_str() {
                "GET" => "GET",
                "POST" => "POST",
                "PUT" => "PUT",
                "PATCH" => "PATCH",
                _ => "DELETE",
            };
            let mut request = self.house.bare(method, target);
            if let Some(key) = key {
                request = request.header("X-Api-Key", key);
            }
            if let Some(id) = named {
                request = request.header("X-Account-Id", &id.to_string());
            }
            if let Some(body) = &body {
                request = request.json_body(body);
            }
            let answer = request.send().await;
            let (is, should) = (told(row, &answer, named), expected(row));
            if is != should {
                wrong.push(format!("{} {}: {is:?}, not {should:?}: {}", row.method, row.path, answer.body));
            }
        }
        assert!(wrong.is_empty(), "{who}:\n{}", wrong.join("\n"));
    }
}

fn is_v1(row: &Row) -> bool {
    row.path.starts_with("/v1/")
}

/// The same refusal in the words of both interfaces.
fn refused(row: &Row, code: &'static str) -> Told {
    Told::Refused(if is_v1(row) { code } else { "902" })
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_without_a_key_that_works() {
    let world = World::new().await;
    let (house, own) = (&world.house, world.house.main.id);
    let revoked = world.key(own, |_| {}).await;
    let id = house.gateway.key(&keys::hash(&revoked)).await.unwrap().unwrap().id;
    keys::revoke(&house.gateway, own, id, &Actor::command_line()).await.unwrap();
    let expired = world.key(own, |new| new.expires_at = Some(Moment(NOW.0 + 1))).await;
    let closed = world.key(world.sibling.id, |_| {}).await;
    let below_closed = house.account("Closed", Some(own), 0).await;
    let closed_too = world.key(below_closed.id, |_| {}).await;
    let operator = Actor::command_line();
    accounts::close(&house.gateway, below_closed.id, When::AtOnce, "", &operator).await.unwrap();
    house.clock.set(Moment(NOW.0 + 1));
    let all = [
        ("no key", None),
        ("an empty key", Some("")),
        ("a wrong key", Some("bl_live_wrong")),
        ("a revoked key", Some(revoked.as_str())),
        ("an expired key", Some(expired.as_str())),
        ("a key of a closed account", Some(closed_too.as_str())),
    ];
    for (who, key) in all {
        world.all(who, key, None, own, |_| Told::WhoAreYou).await;
        // Nor does anything tell whether an account is there.
        world.all(who, key, Some(world.foreign.id), own, |_| Told::WhoAreYou).await;
    }
    world.all("a key that works", Some(&closed), None, world.sibling.id, |_| Told::In).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scope_opens_what_it_names_and_nothing_else() {
    let world = World::new().await;
    let own = world.house.main.id;
    for scope in Scope::ALL {
        let key = world.key(own, |new| new.scopes = Scopes::of([scope])).await;
        let who = format!("a key for {}", scope.as_str());
        let expected = |row: &Row| match row.needs {
            Needs::Right(needed, _) if needed == scope || needed.wider() == Some(scope) => Told::In,
            Needs::Right(..) => refused(row, "scope_missing"),
            Needs::Key | Needs::Nothing => Told::In,
        };
        world.all(&who, Some(&key), None, own, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reaches_down_by_subaccount_access_and_never_up_or_sideways() {
    let world = World::new().await;
    let World { house, child, grandchild, sibling, foreign, foreign_child } = &world;
    let main = house.main.id;
    #[rustfmt::skip]
    let all = [
        ("the parent",                main,             child.id,         true,  "in"),
        ("the grandparent",           main,             grandchild.id,    true,  "in"),
        ("itself",                    child.id,         child.id,         false, "in"),
        ("the parent without access", main,             child.id,         false, "subaccount_access_missing"),
        ("a sibling",                 sibling.id,       child.id,         true,  "not_found"),
        ("a sibling's parent to it",  sibling.id,       main,             true,  "not_found"),
        ("a child to its parent",     child.id,         main,             true,  "not_found"),
        ("a foreign main account",    foreign.id,       child.id,         true,  "not_found"),
        ("a foreign subaccount",      foreign_child.id, grandchild.id,    true,  "not_found"),
        ("one that is not there",     main,             AccountId(5),     true,  "not_found"),
    ];
    for (who, own, named, access, code) in all {
        let key = world.key(own, |new| new.subaccount_access = access).await;
        let expected = |row: &Row| if code == "in" { Told::In } else { refused(row, code) };
        world.all(who, Some(&key), Some(named), own, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_asks_lets_no_key_from_above_do_what_takes_stepping_in() {
    let world = World::new().await;
    let (main, child) = (world.house.main.id, world.child.id);
    super::people::ask_first(&world.house, child).await;
    let above = world.key(main, |new| new.subaccount_access = true).await;
    let expected = |row: &Row| match row.needs {
        Needs::Right(_, action) if action.below() == Below::SteppedIn => refused(row, "access_not_granted"),
        _ => Told::In,
    };
    world.all("a key from above", Some(&above), Some(child), main, expected).await;
    let own = world.key(child, |_| {}).await;
    world.all("its own key", Some(&own), None, child, |_| Told::In).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_key_and_a_suspended_account_read_and_change_nothing() {
    let world = World::new().await;
    let (house, main) = (&world.house, world.house.main.id);
    let sandbox = world.key(main, |new| new.sandbox = true).await;
    let expected = |row: &Row| match is_v1(row) && row.changes() {
        true => Told::Refused("sandbox_key"),
        false => Told::In,
    };
    world.all("a sandbox key", Some(&sandbox), None, main, expected).await;
    let own = world.key(world.child.id, |_| {}).await;
    let above = world.key(main, |new| new.subaccount_access = true).await;
    let operator = Actor::command_line();
    // Whoever is suspended, or stands below one that is.
    for suspended in [world.child.id, main] {
        accounts::suspend(&house.gateway, suspended, "unpaid", &operator).await.unwrap();
        let expected = |row: &Row| match row.path.as_str() {
            // What is scheduled may be taken back.
            "/api/sms" if row.method != "DELETE" => Told::Refused("902"),
            // Taking rights away is always possible.
            _ if is_v1(row) && row.changes() && row.method != "DELETE" => Told::Refused("account_not_active"),
            _ => Told::In,
        };
        world.all("a suspended account", Some(&own), None, world.child.id, expected).await;
        world.all("from above", Some(&above), Some(world.child.id), main, expected).await;
        accounts::activate(&house.gateway, suspended, &operator).await.unwrap();
    }
    let open = house.account("Closed", Some(main), 0).await;
    accounts::close(&house.gateway, open.id, When::AtOnce, "", &operator).await.unwrap();
    let expected = |row: &Row| refused(row, "not_found");
    world.all("from above a closed one", Some(&above), Some(open.id), main, expected).await;
}

/// A word in everything an account has, and nobody else may ever read it.
async fn plant(house: &House, account: &Account, word: &str) -> String {
    let label = word.to_owned();
    let key = house.key(account.id, |new| new.label = label).await;
    let text = format!("to=4915100000001&text={word}&label={word}&foreign_id={word}&from=Shop");
    let sent = house.bare("POST", "/api/sms").header("X-Api-Key", &key).form(&text).send().await;
    assert_eq!(sent.body, "100");
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_a_word_of_foreign_accounts_by_any_route() {
    let house = House::new().await;
    let main = house.main.id;
    let mut keys: BTreeMap<&str, (AccountId, String)> = BTreeMap::new();
    let child = house.account("canarychild", Some(main), 10).await;
    let grandchild = house.account("canarygrandchild", Some(child.id), 10).await;
    let sibling = house.account("canarysibling", Some(main), 10).await;
    let foreign = house.account("canaryforeign", None, 10).await;
    let foreign_child = house.account("canaryforeignchild", Some(foreign.id), 10).await;
    let all = [
        ("canarychild", &child),
        ("canarygrandchild", &grandchild),
        ("canarysibling", &sibling),
        ("canaryforeign", &foreign),
        ("canaryforeignchild", &foreign_child),
    ];
    for (word, account) in all {
        keys.insert(word, (account.id, plant(&house, account, word).await));
    }
    let mut ids: Vec<i64> = all.iter().map(|(_, account)| account.id.0).collect();
    let mut conn = house.gateway.db.read().await.unwrap();
    for table in ["keys", "transfers", "messages", "invitations"] {
        let rows = conn.query(&format!("select id from {table}"), &[]).await.unwrap();
        ids.extend(rows.iter().map(|row| row.int(0).unwrap()));
    }
    drop(conn);
    // Who may see whom: oneself and those below; of those below not what takes stepping in, but that is
    // for other tests.
    let sees = |who: &str, word: &str| {
        who == word
            || (who == "canarychild" && word == "canarygrandchild")
            || (who == "canaryforeign" && word == "canaryforeignchild")
    };
    let mut hits = Vec::new();
    let mut own = 0;
    for (who, (account, _)) in &keys {
        let key = house.key(*account, |new| new.subaccount_access = *who != "canarygrandchild").await;
        for row in api::table().iter().filter(|row| row.method == "GET" && row.needs != Needs::Nothing) {
            let targets: Vec<String> = match row.path.find('{') {
                None => vec![row.path.clone()],
                Some(_) => ids.iter().map(|id| with_id(&row.path, *id)).collect(),
            };
            for target in targets {
                for named in std::iter::once(None).chain(all.iter().map(|(_, a)| Some(a.id))) {
                    let mut request = house.bare("GET", &target).header("X-Api-Key", &key);
                    if let Some(id) = named {
                        // An id in the path as well as one in the header is one too many for a test.
                        if target.contains("/accounts/") {
                            continue;
                        }
                        request = request.header("X-Account-Id", &id.to_string());
                    }
                    let answer = request.send().await;
                    let body = answer.body.to_lowercase();
                    for (word, _) in all {
                        // `canarychild` is no part of the other words.
                        if body.contains(&format!("{word}\"")) || body.contains(&format!("{word}@")) {
                            match sees(who, word) {
                                true => own += 1,
                                false => hits.push(format!("{who} reads {word} by {target} in {named:?}")),
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(hits.is_empty(), "{}", hits.join("\n"));
    assert!(own > 20, "everybody reads their own: {own}");
}

fn with_id(path: &str, id: i64) -> String {
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    for part in parts.iter_mut().filter(|part| part.starts_with('{')) {
        *part = id.to_string();
    }
    parts.join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_process_revokes_stops_within_two_seconds() {
    let house = House::new().await;
    let key = house.key(house.main.id, |_| {}).await;
    let id = house.gateway.key(&keys::hash(&key)).await.unwrap().unwrap().id;
    house.got(&key, "/v1/me").await;
    let rules = (*house.gateway.rules).clone();
    let other = Base::new(house.gateway.db.clone(), Clock::standing_at(NOW), rules).await.unwrap();
    keys::revoke(&other, house.main.id, id, &Actor::command_line()).await.unwrap();
    let revoked_at = Instant::now();
    loop {
        let v1 = house.v1(&key, "GET", "/v1/me").send().await;
        let wire = house.bare("GET", "/api/balance").header("X-Api-Key", &key).send().await;
        if v1.status == 401 && wire.body == "900" {
            break;
        }
        assert!(revoked_at.elapsed() < Duration::from_secs(2), "it still works");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
