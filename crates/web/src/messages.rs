//! The journal: the messages of an account, and of those below it that are open to whoever stands above,
//! found by what they were and what became of them.

mod choice;
pub mod one;
mod whose;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::actor::Actor;
use domain::permission::Action;
use gateway::clock::day_of;
use gateway::journal::{self, Cursor, Sent};
use gateway::scope::Scope;

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field};
use crate::format::Time;
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Badge, Empty, Pager};
use crate::send::{Offered, sees_money};
use crate::{Console, events};
pub(crate) use choice::{Choice, country_name, dates_of};
pub(crate) use whose::{Whose, pairs, reaches_down};

/// Messages of a page.
const LIMIT: i64 = 50;

#[derive(Template)]
#[template(path = "a/messages.html")]
struct Page {
    shell: Shell,
    own: String,
    scope: String,
    left_out: Option<(String, String)>,
    send: Option<String>,
    fields: Vec<Field>,
    more: Vec<Field>,
    more_is_open: bool,
    chips: Vec<(String, String)>,
    rows: Vec<Row>,
    shows_price: bool,
    shows_account: bool,
    export: String,
    zone: String,
    searched: Option<String>,
    pager: Pager,
    empty: Option<Empty>,
}

struct Row {
    href: String,
    at: Time,
    account: String,
    number: String,
    about: String,
    text: String,
    state: Badge,
    segments: String,
    price: String,
}

/// `GET /a/{id}/messages`.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let whose = Whose::of(&console, &place, &asked).await?;
    if let Some(elsewhere) = &whose.elsewhere {
        return Err(Stop::GoTo(elsewhere.clone()));
    }
    let events = events::way(&console, &place).await?;
    let (base, account) = (&console.gateway, &place.account);
    let choice = Choice::of(&asked, &place, base);
    let paging = Paging::of(&asked);
    let after: Option<Cursor> = paging.place();
    let found = match choice.search() {
        Some(search) => {
            journal::page(base, account, whose.scope, search, after, LIMIT, &looker(&place)).await?
        }
        None => None,
    };
    let (messages, next, searched_to) =
        found.map_or((Vec::new(), None, None), |found| (found.messages, found.next, found.searched_to));
    let offered = Offered::of(&console, &place).await?;
    let own = place.href("messages");
    let link = whose.link(choice.link(Link::to(own.clone())));
    let format = place.format();
    let mut rows = Vec::with_capacity(messages.len());
    for sent in &messages {
        let name = match whose.scope {
            Scope::Only => String::new(),
            _ => base.account(sent.account).await?.map_or_else(String::new, |of| of.name().to_owned()),
        };
        rows.push(row(sent, name, &place));
    }
    let mut more = choice.more(&asked, &offered);
    more.extend(whose.account_field(&asked));
    page::draw(&Page {
        scope: whose.words(&place),
        left_out: whose.left_out_words(&place),
        send: place.may(Action::SendMessages).then(|| place.href("send")),
        fields: choice.fields(&asked).into_iter().chain(whose.scope_field(&asked)).collect(),
        more,
        more_is_open: choice.has_more() || whose.is_of_another(),
        chips: [whose.chips(&choice, &own), choice.chips(&own, &whose, &place)].concat(),
        empty: if messages.is_empty() { Some(nothing(&choice, &place, &own)) } else { None },
        rows,
        shows_price: sees_money(&place),
        shows_account: whose.scope != Scope::Only,
        export: whose.link(choice.link(Link::to(place.href("messages/export.csv")))).into(),
        zone: format.zone_name().to_owned(),
        searched: searched_to.map(|at| {
            format!("Looked through back to {}; there may be more before.", format.time(at).words())
        }),
        pager: paging.pager(&link, next),
        own,
        shell: place.shell("Journal").wide().live(events),
    })
}

/// The person as what they read in accounts below is written down there.
pub(crate) fn looker(place: &Place) -> Actor {
    Actor { above: Some(place.above().unwrap_or(place.account.id)), ..place.actor() }
}

fn nothing(choice: &Choice, place: &Place, own: &str) -> Empty {
    if choice.is_anything() {
        return Empty::new("search", "No message fits", "Take a filter away, or choose other dates.")
            .next("All messages", own);
    }
    let empty = Empty::new("journal", "No messages yet", "Each message stands here with what became of it.");
    match place.may(Action::SendMessages) {
        true => empty.next("Send the first one", place.href("send")),
        false => empty,
    }
}

fn row(sent: &Sent, account: String, place: &Place) -> Row {
    let format = place.format();
    let about = [Some(sent.sender.as_str()), sent.label.as_deref()];
    Row {
        href: place.href(&format!("messages/{}", sent.fate.id)),
        at: format.time(sent.fate.created_at),
        account,
        number: format.phone(sent.recipient),
        about: about.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        text: sent.text.clone(),
        state: sent.fate.status.into(),
        segments: format.count(sent.segments),
        price: format.exact(sent.price),
    }
}

/// `GET /a/{id}/messages/export.csv`: all that fits as a file, however many there are.
pub async fn export(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let whose = Whose::of(&console, &place, &asked).await?;
    if whose.elsewhere.is_some() {
        return Err(Stop::NotThere);
    }
    let (base, account) = (&console.gateway, &place.account);
    let choice = Choice::of(&asked, &place, base);
    let search = choice.search().ok_or(Stop::NotThere)?.clone();
    let zone = place.format().time_zone.clone();
    let day = day_of(place.format().now, &zone);
    let begun = journal::export(base, account, whose.scope, search, zone, &looker(&place)).await?;
    let begun = begun.ok_or(Stop::NotThere)?;
    let begun = if sees_money(&place) { begun } else { begun.without_prices() };
    let pieces = futures_util::stream::try_unfold(begun, |mut export| async move {
        Ok::<_, storage::Error>(export.next().await?.map(|piece| (Bytes::from(piece), export)))
    });
    let name = format!("attachment; filename=\"messages-{}-{day}.csv\"", account.id);
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::form::Typed;

    pub fn sample() -> impl Template {
        let (shell, typed) = (Shell::sample("Journal"), Typed::of([("recipient", "<script>alert(1)")]));
        Page {
            own: "/a/1/messages".into(),
            scope: "Messages of <b>K alone".into(),
            left_out: Some(("2 accounts are left out.".into(), "/a/1/subaccounts".into())),
            send: Some("/a/1/send".into()),
            fields: vec![typed.field("recipient", "Recipient")],
            more: vec![typed.field("label", "Label")],
            more_is_open: true,
            chips: vec![("Label <b>K".into(), "/a/1/messages".into())],
            rows: vec![Row {
                href: "/a/1/messages/7".into(),
                at: shell.format.time(shell.format.now),
                account: "<i>Filiale".into(),
                number: "+49".into(),
                about: "<i>Praxis".into(),
                text: "<script>alert(1)</script>".into(),
                state: Badge::new("good", "delivered"),
                segments: "1".into(),
                price: "€0.10".into(),
            }],
            shows_price: true,
            shows_account: true,
            export: "/a/1/messages/export.csv".into(),
            zone: "UTC".into(),
            searched: Some("Looked".into()),
            pager: Pager::default(),
            empty: None,
            shell,
        }
    }
}
