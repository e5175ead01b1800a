//! The accounts somebody is a member of: the switcher as a page, with a search that also finds what lies
//! below them.

use std::collections::HashSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::account::Account;
use domain::id::AccountId;
use domain::permission::{self, Action};
use gateway::subaccounts::{self, Sort, Subaccount, Table};

use crate::Console;
use crate::error::Stop;
use crate::form::{Asked, Field};
use crate::page::{self, Shell};
use crate::parts::{Badge, Empty};
use crate::signed_in::Person;

/// How many accounts the page shows; a search finds the others.
const ROWS_MAX: usize = 100;
/// How many a search takes from below one of them.
const BELOW_MAX: i64 = 50;

#[derive(Template)]
#[template(path = "accounts.html")]
struct Accounts {
    shell: Shell,
    search: Field,
    rows: Vec<Row>,
    empty: Option<Empty>,
    is_cut: bool,
}

struct Row {
    id: AccountId,
    name: String,
    email: String,
    above: String,
    role: &'static str,
    state: Badge,
    balance: Option<String>,
    sms: Option<String>,
    children: Option<(String, String)>,
}

/// `GET /accounts`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    asked: Asked,
) -> Result<Response, Stop> {
    let shell = Shell::of_person(&console, &headers, &person).await?.titled("Accounts").wide();
    let query = asked.text("q").to_owned();
    let mut found = found(&console, &person, &query).await?;
    let is_cut = found.len() > ROWS_MAX;
    found.truncate(ROWS_MAX);
    let mut rows = Vec::with_capacity(found.len());
    for account in &found {
        rows.extend(row(&console, &person, &shell, account).await?);
    }
    let search = asked.field("q", "Find an account").of_type("search").example("Name, e-mail or number");
    page::draw(&Accounts { empty: nothing(&rows, &query), shell, search, rows, is_cut })
}

fn nothing(rows: &[Row], query: &str) -> Option<Empty> {
    let empty = match query {
        _ if !rows.is_empty() => return None,
        "" => Empty::new(
            "tree",
            "You are in no account yet",
            "Somebody who runs one can invite you by mail. Follow the link in it, and the account stands here.",
        ),
        query => Empty::new("search", "No account fits", format!("Nothing of yours is called “{query}”."))
            .next("All of yours", "/accounts"),
    };
    Some(empty)
}

/// One's own accounts that fit and, when something is looked for, those below them that do.
async fn found(console: &Console, person: &Person, query: &str) -> Result<Vec<Arc<Account>>, Stop> {
    let base = &console.gateway;
    let wanted = query.to_lowercase();
    let fits = |account: &Account| {
        let id = account.id.to_string();
        let email = account.email.folded();
        [account.name().to_lowercase(), id, email].iter().any(|text| text.contains(&wanted))
    };
    let (mut all, mut known) = (Vec::new(), HashSet::new());
    for standing in &person.standings {
        let Some(own) = base.account(standing.account).await? else { continue };
        if fits(&own) && known.insert(own.id) {
            all.push(own.clone());
        }
        let may_look = permission::may(&person.standings, Action::SeeSubaccounts, &own.path, false).allows();
        let is_covered = own.path.iter().any(|above| {
            *above != own.id && person.standings.iter().any(|s| s.account == *above && s.role.reaches_down())
        });
        if query.is_empty() || !may_look || is_covered {
            continue;
        }
        let table = Table { all_below: true, search: query.to_owned(), sort: Sort::Name, ..Table::default() };
        let below = subaccounts::page(base, &own, &table, None, BELOW_MAX).await?.rows;
        all.extend(below.into_iter().map(|row| Arc::new(row.account)).filter(|a| known.insert(a.id)));
    }
    // The tree in its order: each account after the one above it.
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

async fn row(
    console: &Console,
    person: &Person,
    shell: &Shell,
    account: &Account,
) -> Result<Option<Row>, Stop> {
    let base = &console.gateway;
    let Some(Subaccount { recent, wallet, promo, effective, children, .. }) =
        subaccounts::one(base, account, account.id).await?
    else {
        return Ok(None);
    };
    let path = base.path(account).await?;
    let above = path.iter().filter(|a| a.id != account.id && person.knows(&a.path)).map(|a| a.name());
    let standing = person.standings.iter().find(|standing| standing.account == account.id);
    let may = |action| permission::may(&person.standings, action, &account.path, false).allows();
    let balance = wallet.checked_add(promo).unwrap_or(wallet);
    Ok(Some(Row {
        id: account.id,
        name: account.name().to_owned(),
        email: account.email.as_str().to_owned(),
        above: above.collect::<Vec<_>>().join(" / "),
        role: standing.map_or("from above", |standing| standing.role.as_str()),
        state: effective.into(),
        balance: may(Action::SeeBalance).then(|| shell.format.money(balance)),
        sms: may(Action::SeeStatistics).then(|| shell.format.count(recent.accepted)),
        children: (children > 0 && may(Action::SeeSubaccounts)).then(|| {
            (
                shell.format.many(children, "subaccount", "subaccounts"),
                format!("/a/{}/subaccounts", account.id),
            )
        }),
    }))
}
