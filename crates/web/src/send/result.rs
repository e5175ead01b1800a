//! What became of a message that was sent from the console: recipient by recipient, as it stands now.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::credits::Credits;
use domain::id::{AccountId, MessageId};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::permission::Action;
use domain::phone_number::PhoneNumber;
use gateway::accept::{RecipientRefused, Sent};
use gateway::once;
use gateway::preview::Preview;
use serde::{Deserialize, Serialize};

use crate::door::Place;
use crate::error::Stop;
use crate::form::Asked;
use crate::link::Link;
use crate::page::{self, Shell};
use crate::parts::{Badge, Figure, Pager};
use crate::sign_in::sentence;
use crate::{Console, events};

/// Recipients of a page.
const PAGE: usize = 200;

/// What is kept of a sending.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    account: i64,
    sender: String,
    segments: u8,
    at: Option<i64>,
    total: i64,
    to: Vec<One>,
    left_out: Vec<(String, String)>,
    left_out_count: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct One {
    to: i64,
    id: Option<i64>,
    price: i64,
    why: Option<String>,
}

impl Kept {
    /// What is kept of what was sent, and of what was left out beforehand.
    pub fn of(account: AccountId, sent: &Sent, at: Option<Moment>, preview: &Preview) -> Kept {
        let one = |message: &gateway::accept::SentMessage| One {
            to: message.recipient.map_or(0, |number| number.as_i64()),
            id: message.id.map(|id| id.0),
            price: if message.refused.is_none() { message.price.0 } else { 0 },
            why: message.refused.as_ref().map(why),
        };
        Kept {
            account: account.0,
            sender: sent.sender.clone(),
            segments: sent.content.segments(),
            at: at.map(|at| at.0),
            total: sent.total.0,
            to: sent.messages.iter().map(one).collect(),
            left_out: preview.problems.iter().map(|p| (p.written.clone(), why(&p.why))).collect(),
            left_out_count: preview.problem_count,
        }
    }

    /// As it is kept.
    pub fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Why somebody gets nothing, for people.
fn why(refused: &RecipientRefused) -> String {
    match refused {
        RecipientRefused::Reload { .. } => {
            "The same text went to this number less than three minutes ago, which this account does not do."
                .to_owned()
        }
        other => sentence(other),
    }
}

#[derive(Template)]
#[template(path = "a/send/result.html")]
struct Page {
    shell: Shell,
    own: String,
    title: &'static str,
    lead: String,
    figures: Vec<Figure>,
    rows: Vec<Row>,
    shows_price: bool,
    left_out: Vec<(String, String)>,
    more_left_out: Option<String>,
    is_moving: bool,
    here: String,
    pager: Pager,
    journal: Option<String>,
}

struct Row {
    number: String,
    state: Badge,
    why: Option<String>,
    price: String,
    href: Option<String>,
}

/// `GET /a/{id}/send/{sent}`: what became of it, for the person who sent it.
pub async fn show(
    State(console): State<Console>,
    place: Place,
    Path((_, name)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, Stop> {
    let kept = once::answer_to(&console.gateway, place.person.login.id, &name).await?;
    let kept: Kept = kept.and_then(|kept| serde_json::from_str(&kept).ok()).ok_or(Stop::NotThere)?;
    if kept.account != place.account.id.0 {
        return Err(Stop::NotThere);
    }
    let first = asked.text("from").parse().unwrap_or(0_usize).min(kept.to.len());
    let shown = &kept.to[first..kept.to.len().min(first + PAGE)];
    let ids: Vec<i64> = shown.iter().filter_map(|one| one.id).collect();
    let mut conn = console.gateway.db.read().await?;
    let fates = storage::journal::fates(&mut conn, place.account.id, &ids).await?;
    drop(conn);
    let states: HashMap<MessageId, MessageStatus> =
        fates.into_iter().map(|fate| (fate.id, fate.status)).collect();
    let here = Link::to(place.href(&format!("send/{name}")));
    let is_moving = kept.at.is_none() && states.values().any(|status| !status.is_final());
    let title = if kept.to.iter().any(|one| one.id.is_some()) { "Sent" } else { "Not sent" };
    page::draw(&Page {
        title,
        lead: lead(&kept, &place),
        figures: figures(&kept, &place),
        rows: shown.iter().map(|one| row(one, &states, &place)).collect(),
        shows_price: super::sees_money(&place),
        more_left_out: (kept.left_out_count > kept.left_out.len())
            .then(|| format!("{} more", kept.left_out_count - kept.left_out.len())),
        left_out: kept.left_out.clone(),
        is_moving,
        here: here.clone().with("from", if first > 0 { first.to_string() } else { String::new() }).into(),
        pager: pager(&here, first, kept.to.len(), &place),
        journal: place.may(Action::SeeMessages).then(|| place.href("messages")),
        own: place.href("send"),
        shell: place.shell(title).under([("Send", place.href("send"))]).live(events::way_at_once(&place)),
    })
}

fn lead(kept: &Kept, place: &Place) -> String {
    let sent = kept.to.iter().filter(|one| one.id.is_some()).count();
    let format = place.format();
    let messages = format.many(i64::try_from(sent).unwrap_or(0), "message", "messages");
    match kept.at {
        _ if sent == 0 => "Nobody could be sent to. Nothing was charged.".to_owned(),
        Some(at) => {
            format!("{messages} from {} will go out {}.", kept.sender, format.time(Moment(at)).words())
        }
        None => format!("{messages} from {} accepted.", kept.sender),
    }
}

fn figures(kept: &Kept, place: &Place) -> Vec<Figure> {
    let format = place.format();
    let count = |count: usize| format.count(i64::try_from(count).unwrap_or(0));
    let sent = kept.to.iter().filter(|one| one.id.is_some()).count();
    let mut figures = vec![Figure::new("Accepted", count(sent))];
    let refused = kept.to.len() - sent + kept.left_out_count;
    figures.push(if refused > 0 {
        Figure::new("Left out", count(refused)).note("see below why")
    } else {
        Figure::new("Left out", "0")
    });
    figures.push(Figure::new("Segments each", kept.segments.to_string()));
    if super::sees_money(place) {
        figures.push(Figure::new("Cost", format.exact(Credits(kept.total))));
    }
    figures
}

fn row(one: &One, states: &HashMap<MessageId, MessageStatus>, place: &Place) -> Row {
    let id = one.id.map(MessageId);
    let state = match id.and_then(|id| states.get(&id)) {
        Some(status) => Badge::from(*status),
        None if id.is_some() => MessageStatus::Accepted.into(),
        None => Badge::new("bad", "not sent"),
    };
    let number = PhoneNumber::from_i64(one.to);
    Row {
        number: number.map_or_else(String::new, |number| place.format().phone(number)),
        state,
        why: one.why.clone(),
        price: if one.id.is_some() { place.format().exact(Credits(one.price)) } else { "–".to_owned() },
        href: id.filter(|_| place.may(Action::SeeMessages)).map(|id| place.href(&format!("messages/{id}"))),
    }
}

fn pager(here: &Link, first: usize, all: usize, place: &Place) -> Pager {
    if all <= PAGE {
        return Pager::default();
    }
    let count = |count: usize| place.format().count(i64::try_from(count).unwrap_or(0));
    let at = |from: usize| here.clone().with("from", if from > 0 { from.to_string() } else { String::new() });
    Pager {
        first: None,
        previous: (first > 0).then(|| at(first.saturating_sub(PAGE)).into()),
        next: (first + PAGE < all).then(|| at(first + PAGE).into()),
        words: format!("{}–{} of {}", count(first + 1), count(all.min(first + PAGE)), count(all)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample() -> impl Template {
        Page {
            title: "Sent",
            shell: Shell::sample("Sent"),
            own: "/a/1/send".into(),
            lead: "2 messages from <b>K accepted.".into(),
            figures: vec![Figure::new("Accepted", "2")],
            rows: vec![Row {
                number: "+49".into(),
                state: Badge::new("good", "delivered"),
                why: Some("<script>alert".into()),
                price: "€0.10".into(),
                href: Some("/a/1/messages/2".into()),
            }],
            shows_price: true,
            left_out: vec![("<script>alert(1)".into(), "No number.".into())],
            more_left_out: Some("3 more".into()),
            is_moving: true,
            here: "/a/1/send/x".into(),
            pager: Pager::default(),
            journal: Some("/a/1/messages".into()),
        }
    }
}
