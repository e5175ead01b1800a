//! The permission table is the test: every page and every act of the console, streams of events
//! included, as every kind of person. It is written here a second time, by hand and for people, and a row
//! that is missing here or there fails.

use std::collections::BTreeSet;

use domain::account::Account;
use domain::actor::Actor;
use domain::id::AccountId;
use domain::member::{Access, Role};
use gateway::settings::{self, Change};
use gateway::sign_in::Client;
use gateway::{accounts, keys, logins, members, sessions};
use web::{Method, Method::Get, Method::Post, PAGES};

use crate::house::{Answer, Browser, House};

/// Who may come in: `everyone`, whoever is `signed in`, the `operator`, or by role in the account itself
/// (owner, administrator, developer, finance, messaging, analyst, auditor). Then how it reaches down to
/// accounts below: from above as it is (`>`), after stepping in (`|`), or not at all (`x`).
#[rustfmt::skip]
const TABLE: &[(Method, &str, &str)] = &[
    (Get,  "/static/{file}",                                          "everyone"),
    (Post, "/theme",                                                  "everyone"),
    (Get,  "/",                                                       "signed in"),
    (Get,  "/sign-in",                                                "everyone"),
    (Post, "/sign-in",                                                "everyone"),
    (Get,  "/sign-in/second-factor",                                  "everyone"),
    (Post, "/sign-in/second-factor",                                  "everyone"),
    (Post, "/sign-in/passkey/ask",                                    "everyone"),
    (Post, "/sign-in/passkey",                                        "everyone"),
    (Get,  "/sign-in/provider/begin",                                 "everyone"),
    (Get,  "/sign-in/provider",                                       "everyone"),
    (Post, "/sign-in/provider",                                       "everyone"),
    (Post, "/sign-out",                                               "everyone"),
    (Get,  "/set-up/{token}",                                         "everyone"),
    (Post, "/set-up/{token}",                                         "everyone"),
    (Get,  "/reset",                                                  "everyone"),
    (Post, "/reset",                                                  "everyone"),
    (Get,  "/reset/{token}",                                          "everyone"),
    (Post, "/reset/{token}",                                          "everyone"),
    (Get,  "/invitation/{token}",                                     "everyone"),
    (Post, "/invitation/{token}",                                     "everyone"),
    (Get,  "/me/address/{token}",                                     "everyone"),
    (Post, "/me/address/{token}",                                     "everyone"),
    (Get,  "/accounts",                                               "signed in"),
    (Get,  "/me",                                                     "signed in"),
    (Post, "/me",                                                     "signed in"),
    (Post, "/me/address",                                             "signed in"),
    (Get,  "/me/security",                                            "signed in"),
    (Get,  "/me/password",                                            "signed in"),
    (Post, "/me/password",                                            "signed in"),
    (Get,  "/me/app",                                                 "signed in"),
    (Post, "/me/app",                                                 "signed in"),
    (Post, "/me/app/confirm",                                         "signed in"),
    (Get,  "/me/app/remove",                                          "signed in"),
    (Post, "/me/app/remove",                                          "signed in"),
    (Get,  "/me/recovery-codes",                                      "signed in"),
    (Post, "/me/recovery-codes",                                      "signed in"),
    (Get,  "/me/passkeys/new",                                        "signed in"),
    (Post, "/me/passkeys/new",                                        "signed in"),
    (Post, "/me/passkeys/ask",                                        "signed in"),
    (Post, "/me/passkeys/{passkey}/rename",                           "signed in"),
    (Get,  "/me/passkeys/{passkey}/remove",                           "signed in"),
    (Post, "/me/passkeys/{passkey}/remove",                           "signed in"),
    (Get,  "/me/provider",                                            "signed in"),
    (Post, "/me/provider",                                            "signed in"),
    (Get,  "/me/provider/unlink",                                     "signed in"),
    (Post, "/me/provider/unlink",                                     "signed in"),
    (Get,  "/me/sessions",                                            "signed in"),
    (Post, "/me/sessions/end-others",                                 "signed in"),
    (Post, "/me/sessions/{session}/end",                              "signed in"),
    (Get,  "/a/{id}",                                                 "+++++++ >"),
    (Get,  "/a/{id}/events",                                          "+++++++ >"),
    (Get,  "/a/{id}/subaccounts",                                     "++----+ >"),
    (Post, "/a/{id}/subaccounts/columns",                             "++----+ >"),
    (Get,  "/a/{id}/subaccounts/new",                                 "++----- >"),
    (Post, "/a/{id}/subaccounts/new",                                 "++----- >"),
    (Get,  "/a/{id}/subaccounts/transfer",                            "++----- >"),
    (Post, "/a/{id}/subaccounts/transfer",                            "++----- >"),
    (Get,  "/a/{id}/subaccounts/suspend",                             "++----- >"),
    (Post, "/a/{id}/subaccounts/suspend",                             "++----- >"),
    (Get,  "/a/{id}/subaccounts/transfer/{name}",                     "++----- >"),
    (Get,  "/a/{id}/subaccounts/suspend/{name}",                      "++----- >"),
    (Get,  "/a/{id}/subaccounts/import",                              "++----- >"),
    (Post, "/a/{id}/subaccounts/import",                              "++----- >"),
    (Get,  "/a/{id}/subaccounts/import/sample.csv",                   "++----- >"),
    (Post, "/a/{id}/subaccounts/import/run",                          "++----- >"),
    (Get,  "/a/{id}/subaccounts/import/{token}",                      "++----- >"),
    (Get,  "/a/{id}/subaccounts/{child}",                             "++----+ >"),
    (Get,  "/a/{id}/subaccounts/{child}/close",                       "++----- >"),
    (Post, "/a/{id}/subaccounts/{child}/close",                       "++----- >"),
    (Post, "/a/{id}/subaccounts/{child}/suspend",                     "++----- >"),
    (Post, "/a/{id}/subaccounts/{child}/activate",                    "++----- >"),
    (Get,  "/a/{id}/subaccounts/{child}/credits",                     "++----+ >"),
    (Post, "/a/{id}/subaccounts/{child}/credits/hand-out",            "++----- >"),
    (Post, "/a/{id}/subaccounts/{child}/credits/take-back",           "++----- >"),
    (Post, "/a/{id}/subaccounts/{child}/credits/automatic",           "++----- >"),
    (Get,  "/a/{id}/subaccounts/{child}/limits",                      "++----+ >"),
    (Post, "/a/{id}/subaccounts/{child}/limits",                      "++----- >"),
    (Post, "/a/{id}/subaccounts/{child}/limits/{limit}/remove",       "++----- >"),
    (Get,  "/a/{id}/subaccounts/{child}/prices",                      "++----+ >"),
    (Post, "/a/{id}/subaccounts/{child}/prices",                      "++----- >"),
    (Get,  "/a/{id}/subaccounts/{child}/prices/prices.csv",           "++----+ >"),
    (Get,  "/a/{id}/subaccounts/{child}/members",                     "++----+ >"),
    (Get,  "/a/{id}/subaccounts/{child}/access",                      "++----+ >"),
    (Get,  "/a/{id}/send",                                            "++--+-- |"),
    (Post, "/a/{id}/send",                                            "++--+-- |"),
    (Post, "/a/{id}/send/preview",                                    "++--+-- |"),
    (Get,  "/a/{id}/send/{sent}",                                     "++--+-- |"),
    (Get,  "/a/{id}/messages",                                        "++--+-+ |"),
    (Get,  "/a/{id}/messages/export.csv",                             "++--+-+ |"),
    (Get,  "/a/{id}/messages/{message}",                              "++--+-+ |"),
    (Post, "/a/{id}/messages/{message}/cancel",                       "++--+-- |"),
    (Get,  "/a/{id}/statistics",                                      "++-+-++ >"),
    (Get,  "/a/{id}/statistics/table.csv",                            "++-+-++ >"),
    (Get,  "/a/{id}/statistics/table.xlsx",                           "++-+-++ >"),
    (Get,  "/a/{id}/credits",                                         "++-+--+ >"),
    (Get,  "/a/{id}/credits/statement.csv",                           "++-+--+ >"),
    (Get,  "/a/{id}/credits/transfer",                                "++----- >"),
    (Post, "/a/{id}/credits/transfer",                                "++----- >"),
    (Get,  "/a/{id}/prices",                                          "++-+--+ >"),
    (Get,  "/a/{id}/prices/prices.csv",                               "++-+--+ >"),
    (Get,  "/a/{id}/prices/lists",                                    "++----- >"),
    (Post, "/a/{id}/prices/lists",                                    "++----- >"),
    (Get,  "/a/{id}/prices/lists/{list}",                             "++----- >"),
    (Post, "/a/{id}/prices/lists/{list}",                             "++----- >"),
    (Post, "/a/{id}/prices/lists/{list}/rename",                      "++----- >"),
    (Post, "/a/{id}/prices/lists/{list}/remove",                      "++----- >"),
    (Get,  "/a/{id}/prices/lists/{list}/prices.csv",                  "++----- >"),
    (Get,  "/a/{id}/prices/lists/{list}/history",                     "++----- >"),
    (Get,  "/a/{id}/prices/lists/{list}/history.csv",                 "++----- >"),
    (Get,  "/a/{id}/prices/lists/{list}/import",                      "++----- >"),
    (Post, "/a/{id}/prices/lists/{list}/import",                      "++----- >"),
    (Post, "/a/{id}/prices/lists/{list}/import/apply",                "++----- >"),
    (Get,  "/a/{id}/limits",                                          "++-+--+ >"),
    (Post, "/a/{id}/limits",                                          "++----- |"),
    (Post, "/a/{id}/limits/{limit}/remove",                           "++----- |"),
    (Get,  "/a/{id}/keys",                                            "+++---+ |"),
    (Get,  "/a/{id}/keys/new",                                        "+++---- |"),
    (Post, "/a/{id}/keys/new",                                        "+++---- |"),
    (Post, "/a/{id}/keys/{key}/revoke",                               "+++---- |"),
    (Get,  "/a/{id}/requests",                                        "+++---+ |"),
    (Get,  "/a/{id}/requests/{call}",                                 "+++---+ |"),
    (Get,  "/a/{id}/step-in",                                         "+++++++ >"),
    (Post, "/a/{id}/step-in",                                         "+++++++ >"),
    (Post, "/a/{id}/step-in/ask",                                     "+++++++ >"),
    (Post, "/a/{id}/step-in/break-glass",                             "+++++++ >"),
    (Post, "/a/{id}/step-out",                                        "+++++++ >"),
    (Get,  "/a/{id}/members",                                         "++----+ >"),
    (Post, "/a/{id}/members/leave",                                   "+++++++ >"),
    (Post, "/a/{id}/members/ownership/accept",                        "+++++++ >"),
    (Post, "/a/{id}/members/ownership/end",                           "+++++++ >"),
    (Get,  "/a/{id}/members/invite",                                  "++----- |"),
    (Post, "/a/{id}/members/invite",                                  "++----- |"),
    (Post, "/a/{id}/members/invitations/{invitation}/resend",         "++----- |"),
    (Post, "/a/{id}/members/invitations/{invitation}/revoke",         "++----- |"),
    (Get,  "/a/{id}/members/{member}",                                "++----- |"),
    (Post, "/a/{id}/members/{member}",                                "++----- |"),
    (Post, "/a/{id}/members/{member}/remove",                         "++----- |"),
    (Post, "/a/{id}/members/{member}/offer",                          "+------ x"),
    (Get,  "/a/{id}/access",                                          "+++++++ |"),
    (Post, "/a/{id}/access",                                          "+------ x"),
    (Post, "/a/{id}/access/{question}/grant",                         "+------ x"),
    (Post, "/a/{id}/access/{question}/refuse",                        "+------ x"),
    (Post, "/a/{id}/access/{question}/withdraw",                      "+------ x"),
    (Get,  "/a/{id}/audit",                                           "++----+ |"),
    (Get,  "/a/{id}/audit.csv",                                       "++----+ |"),
    (Get,  "/a/{id}/settings",                                        "++----+ |"),
    (Post, "/a/{id}/settings",                                        "++----- |"),
    (Post, "/a/{id}/settings/signing-key",                            "++----- |"),
    (Get,  "/a/{id}/close",                                           "+------ x"),
    (Post, "/a/{id}/close",                                           "+------ x"),
    (Post, "/a/{id}/reopen",                                          "+------ x"),
    (Get,  "/operator",                                               "operator"),
    (Get,  "/operator/events",                                        "operator"),
    (Post, "/operator/check",                                         "operator"),
    (Post, "/operator/jobs/{job}/retry",                              "operator"),
    (Get,  "/operator/trees",                                         "operator"),
    (Get,  "/operator/trees/{account}",                               "operator"),
    (Post, "/operator/trees/{account}/suspend",                       "operator"),
    (Post, "/operator/trees/{account}/activate",                      "operator"),
    (Get,  "/operator/prices",                                        "operator"),
    (Get,  "/operator/prices/lists",                                  "operator"),
    (Post, "/operator/prices/lists",                                  "operator"),
    (Get,  "/operator/prices/lists/{list}",                           "operator"),
    (Post, "/operator/prices/lists/{list}",                           "operator"),
    (Post, "/operator/prices/lists/{list}/rename",                    "operator"),
    (Post, "/operator/prices/lists/{list}/remove",                    "operator"),
    (Get,  "/operator/prices/lists/{list}/prices.csv",                "operator"),
    (Get,  "/operator/prices/lists/{list}/history",                   "operator"),
    (Get,  "/operator/prices/lists/{list}/history.csv",               "operator"),
    (Get,  "/operator/prices/lists/{list}/import",                    "operator"),
    (Post, "/operator/prices/lists/{list}/import",                    "operator"),
    (Post, "/operator/prices/lists/{list}/import/apply",              "operator"),
    (Get,  "/operator/mails",                                         "operator"),
    (Get,  "/operator/mails/{mail}",                                  "operator"),
    (Post, "/operator/mails/{mail}/send",                             "operator"),
];

/// What somebody was told at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// To come in, whatever came of it.
    In,
    /// To sign in first.
    SignIn,
    /// To step in first.
    StepIn,
    /// That they may not do this, by the name of the permission or of the operator.
    Missing,
    /// That there is nothing.
    NotThere,
}

fn told(answer: &Answer) -> Told {
    match (answer.entered, answer.status) {
        (true, status) => {
            assert!(status < 500, "{answer:?}");
            Told::In
        }
        (false, 303) if answer.location.starts_with("/sign-in?next=") => Told::SignIn,
        (false, 303) if answer.location.contains("/step-in?next=") => Told::StepIn,
        (false, 403) => Told::Missing,
        (false, 404) => Told::NotThere,
        _ => panic!("{answer:?}"),
    }
}

/// How somebody stands to the account that is asked for.
#[derive(Clone, Copy, Debug)]
enum Stands {
    /// Not signed in.
    Nobody,
    /// A member of it.
    Own(Role),
    /// A member of an account above it, whose role reaches down as this one.
    Above(Role),
    /// The same, having stepped in.
    Acting(Role),
    /// Signed in, and neither.
    Apart,
}

fn expected(who: &str, stands: Stands, is_operator: bool) -> Told {
    match (who, stands) {
        ("everyone", _) => return Told::In,
        (_, Stands::Nobody) => return Told::SignIn,
        ("signed in", _) => return Told::In,
        ("operator", _) => return if is_operator { Told::In } else { Told::Missing },
        _ => {}
    }
    let has = |role: Role| who.as_bytes()[role as usize] == b'+';
    let reach = who.as_bytes()[8];
    match stands {
        Stands::Nobody => Told::SignIn,
        Stands::Apart => Told::NotThere,
        Stands::Own(role) if has(role) => Told::In,
        Stands::Above(role) | Stands::Acting(role) if has(role) && reach == b'>' => Told::In,
        Stands::Acting(role) if has(role) && reach == b'|' => Told::In,
        Stands::Above(role) if has(role) && reach == b'|' => Told::StepIn,
        _ => Told::Missing,
    }
}

/// The path of a row, with names of nothing, so that whoever is let in changes nothing.
fn path(row: &str, account: AccountId) -> String {
    let path = row.replace("{id}", &account.to_string());
    let fill = |part: &str| if part.starts_with('{') { "999999".to_owned() } else { part.to_owned() };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// What changes how somebody stands, whatever it is sent with, comes last.
fn order(row: &str) -> usize {
    let last =
        ["/sign-out", "/members/leave", "/step-out", "/step-in/break-glass", "/step-in/ask", "/step-in"];
    last.iter().rev().position(|end| row.ends_with(end)).map_or(0, |at| at + 1)
}

/// Asks every row as somebody, for an account.
async fn all(who: &str, browser: &Browser<'_>, account: AccountId, stands: Stands, is_operator: bool) {
    let mut wrong = Vec::new();
    let mut rows: Vec<_> = TABLE.iter().collect();
    rows.sort_by_key(|(method, row, _)| if *method == Post { order(row) } else { 0 });
    for (method, row, may) in rows {
        let path = path(row, account);
        let answer = match method {
            // Whoever signs out here is asked no more, so it is asked without a session.
            Post if path == "/sign-out" => browser.signed_out().post(&path, &[]).await,
            Get => browser.get(&path).await,
            Post => browser.post(&path, &[]).await,
        };
        let (is, should) = (told(&answer), expected(may, stands, is_operator));
        if is != should {
            wrong.push(format!("{method:?} {path}: {is:?}, not {should:?}"));
        }
    }
    assert!(wrong.is_empty(), "{who}:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_a_row_for_every_page_and_for_nothing_else() {
    let written: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (format!("{method:?}"), *path)).collect();
    let served: BTreeSet<_> = PAGES.iter().map(|page| (format!("{:?}", page.method), page.path)).collect();
    let missing: Vec<_> = served.difference(&written).collect();
    assert!(missing.is_empty(), "say in TABLE who may come in: {missing:?}");
    let gone: Vec<_> = written.difference(&served).collect();
    assert!(gone.is_empty(), "not served any more: {gone:?}");
    assert_eq!(TABLE.len(), PAGES.len(), "a row stands there twice");
    for (_, path, who) in TABLE {
        let is_row = who.len() == 9 && matches!(who.as_bytes()[8], b'>' | b'|' | b'x');
        assert_eq!(is_row, path.starts_with("/a/"), "{path}: {who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_whoever_was_signed_out_or_removed_is_let_into_no_account() {
    for database in testing::engines().await {
        let house = House::on(database).await;
        let own = house.branch.id;
        all("nobody", &house.nobody(), own, Stands::Nobody, false).await;
        let out = house.person(own, Role::Owner).await;
        out.post("/sign-out", &[]).await;
        all("signed out", &out, own, Stands::Nobody, false).await;
        let revoked = house.person(own, Role::Administrator).await;
        let session = sessions::list(&house.gateway, revoked.login).await.unwrap()[0].id;
        sessions::revoke(&house.gateway, &revoked.signed_in().await, session, &Client::default())
            .await
            .unwrap();
        all("a revoked session", &revoked, own, Stands::Nobody, false).await;
        let disabled = house.person(own, Role::Auditor).await;
        logins::set_disabled(&house.gateway, disabled.login, true).await.unwrap();
        all("a disabled login", &disabled, own, Stands::Nobody, false).await;
        let removed = house.person(own, Role::Finance).await;
        let member = {
            let mut conn = house.gateway.db.read().await.unwrap();
            storage::members::of_login(&mut conn, removed.login).await.unwrap()[0].id
        };
        members::remove(&house.gateway, own, member, &Actor::command_line()).await.unwrap();
        all("a removed member", &removed, own, Stands::Apart, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_opens_in_its_own_account_what_the_table_says_also_when_that_is_suspended() {
    for is_suspended in [[false, false], [true, false], [false, true]] {
        let house = House::new().await;
        for (account, _) in [house.main.id, house.branch.id].iter().zip(is_suspended).filter(|(_, is)| *is) {
            accounts::suspend(&house.gateway, *account, "unpaid", &Actor::command_line()).await.unwrap();
        }
        for role in Role::ALL {
            let who = house.person(house.branch.id, role).await;
            let words = format!("{} where is suspended: {is_suspended:?}", role.as_str());
            all(&words, &who, house.branch.id, Stands::Own(role), false).await;
        }
        let above = house.person(house.main.id, Role::Administrator).await;
        let reaches = Stands::Above(Role::Administrator);
        all("from above", &above, house.branch.id, reaches, false).await;
        step_in(&above, &house.branch).await;
        all("acting", &above, house.branch.id, Stands::Acting(Role::Administrator), false).await;
    }
}

/// Somebody who steps into an account from above.
async fn step_in(browser: &Browser<'_>, account: &Account) {
    let answer = browser.post(format!("/a/{}/step-in", account.id), &[("reason", "a question")]).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_reach_down_as_the_table_says_and_never_up_or_sideways() {
    let house = House::new().await;
    let (main, branch, team, foreign) = (house.main.id, house.branch.id, house.team.id, house.foreign.id);
    for role in Role::ALL {
        let below = if role.reaches_down() { Role::Administrator } else { role };
        let name = role.as_str();
        let who = house.person_who(main, role, true).await;
        for account in [&house.branch, &house.team] {
            all(&format!("{name} from above"), &who, account.id, Stands::Above(below), false).await;
        }
        for account in [&house.branch, &house.team] {
            step_in(&who, account).await;
            all(&format!("{name} acting"), &who, account.id, Stands::Acting(below), false).await;
        }
        all(&format!("{name} to a foreign account"), &who, foreign, Stands::Apart, false).await;
        let alone = house.person_who(branch, role, false).await;
        let stands = if role.reaches_down() { Stands::Above(Role::Administrator) } else { Stands::Apart };
        all(&format!("{name} whose role ends there"), &alone, team, stands, false).await;
        all(&format!("{name} upwards"), &alone, main, Stands::Apart, false).await;
        all(&format!("{name} to one that is not there"), &alone, AccountId(1), Stands::Apart, false).await;
    }
    let sibling = house.child(&house.main, "Filiale Bonn").await;
    for role in Role::ALL {
        let who = house.person_who(sibling.id, role, true).await;
        for account in [main, branch, team] {
            all(&format!("{} sideways", role.as_str()), &who, account, Stands::Apart, false).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_installation_sees_its_pages_and_no_account_by_that() {
    let house = House::new().await;
    let who = house.person(house.foreign.id, Role::Analyst).await;
    logins::set_operator(&house.gateway, who.login, true).await.unwrap();
    all("the operator", &who, house.branch.id, Stands::Apart, true).await;
    let who = house.person(house.branch.id, Role::Analyst).await;
    logins::set_operator(&house.gateway, who.login, true).await.unwrap();
    all("an operator in their own account", &who, house.branch.id, Stands::Own(Role::Analyst), true).await;
}

/// What a main account, one below it and so on have: words that stand in what an account holds (`text`)
/// and in what it is called (`name`).
async fn plant(house: &House, account: &Account, word: &str) {
    let by = Actor::command_line();
    let new = keys::NewKey {
        label: format!("{word}-text"),
        sandbox: false,
        subaccount_access: false,
        scopes: domain::key::Scopes::ALL,
        expires_at: None,
    };
    keys::create(&house.gateway, account.id, &new, &by).await.unwrap();
    let request = gateway::accept::SendRequest {
        recipients: vec!["+4915123456789".to_owned()],
        text: format!("{word}-text"),
        actor: "test".to_owned(),
        ..Default::default()
    };
    let account = house.gateway.account(account.id).await.unwrap().unwrap();
    let sent = house.gateway.send(&account, request).await.unwrap();
    assert!(sent.messages[0].id.is_some(), "{sent:?}");
}

/// The values a part of a path may take: all that there are of its kind, whosever they are.
async fn values(house: &House, part: &str) -> Vec<String> {
    let table = match part {
        "{child}" | "{account}" => "accounts",
        "{key}" => "keys",
        "{list}" => "price_lists",
        "{message}" => "messages",
        "{member}" => "members",
        "{call}" => "calls",
        "{passkey}" | "{mail}" | "{sent}" | "{name}" | "{token}" | "{file}" => return vec!["1".to_owned()],
        other => panic!("say which values {other} takes"),
    };
    let mut conn = house.gateway.db.read().await.unwrap();
    let rows = conn.query(&format!("select id from {table}"), &[]).await.unwrap();
    rows.iter().map(|row| row.int(0).unwrap().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_a_word_of_foreign_accounts_on_any_page() {
    let house = House::new().await;
    let main = house.another_main("canarymain-name").await;
    let branch = house.child(&main, "canarybranch-name").await;
    let sibling = house.child(&main, "canarysibling-name").await;
    let team = house.child(&branch, "canaryteam-name").await;
    let foreign = house.another_main("canaryforeign-name").await;
    // Which accounts stand above each: their names are told below, and what is below is told above.
    #[rustfmt::skip]
    let tenants: [(&str, &Account, &[&str]); 5] = [
        ("canarymain",    &main,    &[]),
        ("canarybranch",  &branch,  &["canarymain"]),
        ("canarysibling", &sibling, &["canarymain"]),
        ("canaryteam",    &team,    &["canarymain", "canarybranch"]),
        ("canaryforeign", &foreign, &[]),
    ];
    for (word, account, _) in tenants {
        plant(&house, account, word).await;
        // An account that is open is read from above; each of these wants to be asked first.
        let ask = Change { access: Some(Access::Ask), ..Change::default() };
        settings::change(&house.gateway, account.id, &ask, &Actor::command_line()).await.unwrap();
    }
    let mut people = Vec::new();
    for (word, account, _) in tenants {
        // Members have names, too, which are told to those who may see the members.
        for role in [Role::Owner, Role::Auditor] {
            people.push((word, house.person_who(account.id, role, true).await));
        }
    }
    let above = |word: &str| tenants.iter().find(|(other, _, _)| *other == word).unwrap().2;
    let (mut hits, mut own) = (Vec::new(), 0);
    for (who, browser) in &people {
        for (_, row, _) in TABLE.iter().filter(|(method, row, _)| *method == Get && !row.ends_with("/events"))
        {
            let mut paths = vec![(*row).to_owned()];
            for part in row.split('/').filter(|part| part.starts_with('{')) {
                let values = match part {
                    "{id}" => tenants.iter().map(|(_, account, _)| account.id.to_string()).collect(),
                    other => values(&house, other).await,
                };
                let filled =
                    |path: &String| values.iter().map(|v| path.replacen(part, v, 1)).collect::<Vec<_>>();
                paths = paths.iter().flat_map(filled).collect();
            }
            for path in paths {
                let answer = browser.get(&path).await;
                assert!(answer.status < 500, "{path}: {answer:?}");
                for (word, _, above_it) in tenants {
                    let sees_name = word == *who || above_it.contains(who) || above(who).contains(&word);
                    for (text, sees) in [("-name", sees_name), ("-text", word == *who)] {
                        if answer.has(&format!("{word}{text}")) {
                            match sees {
                                true => own += 1,
                                false => hits.push(format!("{who} reads {word}{text} by {path}")),
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(hits.is_empty(), "{} hits:\n{}", hits.len(), hits.join("\n"));
    assert!(own > 100, "everybody reads their own: {own}");
}
