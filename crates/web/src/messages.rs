//! The journal: the messages of an account, found by what they were and what became of them.

mod choice;
pub mod one;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::id::AccountId;
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
use crate::parts::{Badge, Empty, Pager};
use crate::send::{Offered, sees_money};
use crate::{Console, events};
pub(crate) use choice::{Choice, country_name};

/// Messages of a page.
const LIMIT: i64 = 50;

#[derive(Template)]
#[template(path = "a/messages.html")]
struct Page {
    shell: Shell,
    own: String,
    scope: String,
    send: Option<String>,
    fields: Vec<Field>,
    more: Vec<Field>,
    more_is_open: bool,
    chips: Vec<(String, String)>,
    rows: Vec<Row>,
    shows_price: bool,
    export: String,
    zone: String,
    searched: Option<String>,
    pager: Pager,
    empty: Option<Empty>,
}

struct Row {
    href: String,
    at: Time,
    number: String,
    about: String,
    text: String,
    state: Badge,
    segments: String,
    price: String,
}

/// `GET /a/{id}/messages`.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    if let Some(elsewhere) = of_another(&console, &place, &asked).await? {
        return Err(Stop::GoTo(elsewhere));
    }
    let events = events::way(&console, &place).await?;
    let (base, account) = (&console.gateway, &place.account);
    let choice = Choice::of(&asked, &place, base);
    let after: Option<Cursor> = asked.text("after").parse().ok();
    let found = match choice.search() {
        Some(search) => journal::page(base, account, Scope::Only, search, after, LIMIT).await?,
        None => None,
    };
    let (messages, next, searched_to) =
        found.map_or((Vec::new(), None, None), |found| (found.messages, found.next, found.searched_to));
    let offered = Offered::of(&console, &place).await?;
    let own = place.href("messages");
    let link = choice.link(Link::to(own.clone()));
    let format = place.format();
    page::draw(&Page {
        scope: scope(&place),
        send: place.may(Action::SendMessages).then(|| place.href("send")),
        fields: choice.fields(&asked),
        more: choice.more(&asked, &offered, place.may(Action::SeeSubaccounts)),
        more_is_open: choice.has_more(),
        chips: choice.chips(&own, &place),
        rows: messages.iter().map(|sent| row(sent, &place)).collect(),
        shows_price: sees_money(&place),
        export: choice.link(Link::to(place.href("messages/export.csv"))).into(),
        zone: format.zone_name().to_owned(),
        searched: searched_to.map(|at| {
            format!("Looked through back to {}; there may be more before.", format.time(at).words())
        }),
        pager: Pager {
            first: after.map(|_| link.clone().into()),
            previous: None,
            next: next.map(|next| link.clone().with("after", next).into()),
            words: String::new(),
        },
        empty: if messages.is_empty() { Some(nothing(&choice, &place, &own)) } else { None },
        own,
        shell: place.shell("Journal").wide().live(events),
    })
}

/// Where the messages of an account below are read, when one is asked for.
async fn of_another(console: &Console, place: &Place, asked: &Asked) -> Result<Option<String>, Stop> {
    let written = asked.text("account");
    if written.is_empty() || written == place.account.id.to_string() {
        return Ok(None);
    }
    let id = written.parse().map_err(|_| Stop::NotThere)?;
    let below = place.below(console, AccountId(id)).await?;
    let rest = Choice::of(asked, place, &console.gateway);
    Ok(Some(rest.link(Link::to(format!("/a/{}/messages", below.id))).into()))
}

fn scope(place: &Place) -> String {
    format!("Messages of {} alone", place.account.name())
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

fn row(sent: &Sent, place: &Place) -> Row {
    let format = place.format();
    let about = [Some(sent.sender.as_str()), sent.label.as_deref()];
    Row {
        href: place.href(&format!("messages/{}", sent.fate.id)),
        at: format.time(sent.fate.created_at),
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
    let (base, account) = (&console.gateway, &place.account);
    let choice = Choice::of(&asked, &place, base);
    let search = choice.search().ok_or(Stop::NotThere)?.clone();
    let zone = place.format().time_zone.clone();
    let day = day_of(place.format().now, &zone);
    let begun = journal::export(base, account, Scope::Only, search, zone).await?.ok_or(Stop::NotThere)?;
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
            send: Some("/a/1/send".into()),
            fields: vec![typed.field("recipient", "Recipient")],
            more: vec![typed.field("label", "Label")],
            more_is_open: true,
            chips: vec![("Label <b>K".into(), "/a/1/messages".into())],
            rows: vec![Row {
                href: "/a/1/messages/7".into(),
                at: shell.format.time(shell.format.now),
                number: "+49".into(),
                about: "<i>Praxis".into(),
                text: "<script>alert(1)</script>".into(),
                state: Badge::new("good", "delivered"),
                segments: "1".into(),
                price: "€0.10".into(),
            }],
            shows_price: true,
            export: "/a/1/messages/export.csv".into(),
            zone: "UTC".into(),
            searched: Some("Looked".into()),
            pager: Pager::default(),
            empty: None,
            shell,
        }
    }
}
