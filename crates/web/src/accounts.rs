//! The accounts somebody is a member of: the switcher as a page, with a search that also finds what lies
//! below them.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::account::{Account, effective};
use domain::id::AccountId;
use domain::permission::{self, Action};

use crate::Console;
use crate::error::Stop;
use crate::form::{Asked, Field};
use crate::page::{self, Shell};
use crate::parts::{Badge, Empty};
use crate::signed_in::Person;

#[derive(Template)]
#[template(path = "accounts.html")]
struct Accounts {
    shell: Shell,
    search: Field,
    rows: Vec<Row>,
    empty: Option<Empty>,
}

struct Row {
    id: AccountId,
    name: String,
    email: String,
    above: String,
    role: &'static str,
    state: Badge,
    balance: Option<String>,
}

/// `GET /accounts`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    asked: Asked,
) -> Result<Response, Stop> {
    let shell = Shell::of_person(&console, &headers, &person).await?.titled("Accounts");
    let query = asked.text("q").to_owned();
    let mut rows = Vec::new();
    for account in found(&console, &person, &query).await? {
        rows.push(row(&console, &person, &shell, &account).await?);
    }
    let search = asked.field("q", "Find an account").of_type("search").example("Name, e-mail or number");
    page::draw(&Accounts { empty: nothing(&rows, &query), shell, search, rows })
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

/// One's own accounts that fit, and the one of a number that is known to one.
async fn found(console: &Console, person: &Person, query: &str) -> Result<Vec<Arc<Account>>, Stop> {
    let base = &console.gateway;
    let wanted = query.to_lowercase();
    let fits = |account: &Account| {
        let id = account.id.to_string();
        let email = account.email.folded();
        [account.name().to_lowercase(), id, email].iter().any(|text| text.contains(&wanted))
    };
    let mut all = Vec::new();
    for standing in &person.standings {
        all.extend(base.account(standing.account).await?.filter(|account| fits(account)));
    }
    if let Ok(id) = query.parse().map(AccountId)
        && !all.iter().any(|account| account.id == id)
    {
        all.extend(base.account(id).await?.filter(|account| person.knows(&account.path)));
    }
    // The tree in its order: each account after the one above it.
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

async fn row(console: &Console, person: &Person, shell: &Shell, account: &Account) -> Result<Row, Stop> {
    let base = &console.gateway;
    let path = base.path(account).await?;
    let above = path.iter().rev().skip(1).rev().filter(|a| person.knows(&a.path)).map(|a| a.name());
    let standing = person.standings.iter().find(|standing| standing.account == account.id);
    let may_see = permission::may(&person.standings, Action::SeeBalance, &account.path, false).allows();
    let balance = match may_see {
        true => {
            let (wallet, promo) = storage::ledger::balance(&mut *base.db.read().await?, account.id).await?;
            Some(shell.format.money(wallet.checked_add(promo).unwrap_or(wallet)))
        }
        false => None,
    };
    Ok(Row {
        id: account.id,
        name: account.name().to_owned(),
        email: account.email.as_str().to_owned(),
        above: above.collect::<Vec<_>>().join(" / "),
        role: standing.map_or("from above", |standing| standing.role.as_str()),
        state: effective(path.iter().map(|a| a.state)).into(),
        balance,
    })
}
