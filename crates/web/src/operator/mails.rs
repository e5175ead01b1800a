//! The mails of the installation: sent, waiting, given up, and those that are kept to be read here
//! because there is no mail server.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use gateway::operator;
use storage::mails::{Mail, MailState};

use super::{shell, tabs};
use crate::error::Stop;
use crate::form::{Asked, Field};
use crate::format::{Format, Time};
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Badge, Empty, Pager, Tabs};
use crate::signed_in::Person;
use crate::{Console, flash};

/// Mails of a page.
const PAGE: i64 = 50;

/// A mail's state in a badge.
fn badge(state: MailState) -> Badge {
    let tone = match state {
        MailState::Sent => "good",
        MailState::Waiting => "busy",
        MailState::Kept => "warn",
        MailState::GivenUp => "bad",
    };
    Badge::new(tone, state.as_str())
}

#[derive(Template)]
#[template(path = "operator/mails.html")]
struct Mails {
    shell: Shell,
    tabs: Tabs,
    state: Field,
    kept: Option<String>,
    rows: Vec<Row>,
    empty: Empty,
    pager: Pager,
}

struct Row {
    id: i64,
    subject: String,
    recipient: String,
    state: Badge,
    error: String,
    at: Time,
}

impl Row {
    fn of(mail: Mail, format: &Format) -> Row {
        Row {
            id: mail.id,
            subject: mail.subject,
            recipient: mail.recipient,
            state: badge(mail.state),
            error: mail.error.unwrap_or_default(),
            at: format.time(mail.created_at),
        }
    }
}

/// `GET /operator/mails`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    asked: Asked,
) -> Result<Response, Stop> {
    let shell = shell(&console, &headers, &person, "Mails").await?;
    let counts = operator::mail_counts(&console.gateway).await?;
    let count = |state: MailState| counts.iter().find(|(s, _)| *s == state).map_or(0, |(_, count)| *count);
    let state = MailState::parse(asked.text("state"));
    let paging = Paging::of(&asked);
    let mut all = operator::mails(&console.gateway, state, paging.place(), PAGE + 1).await?;
    let has_more = all.len() as i64 > PAGE;
    all.truncate(PAGE as usize);
    let last = all.last().filter(|_| has_more).map(|mail| mail.id);
    let link = Link::to("/operator/mails").with("state", asked.text("state"));
    let kept = count(MailState::Kept);
    let mut states = vec![(String::new(), "All".to_owned())];
    states.extend(MailState::ALL.map(|state| {
        (
            state.as_str().replace(' ', "_"),
            format!("{} ({})", state.as_str(), shell.format.count(count(state))),
        )
    }));
    page::draw(&Mails {
        tabs: tabs("/operator/mails"),
        state: asked.choice("state", "State", states),
        kept: (kept > 0).then(|| shell.format.many(kept, "mail is", "mails are")),
        rows: all.into_iter().map(|mail| Row::of(mail, &shell.format)).collect(),
        empty: Empty::new(
            "mail",
            "No mails",
            "Invitations, links and notices stand here once they are written.",
        ),
        pager: paging.pager(&link, last),
        shell,
    })
}

#[derive(Template)]
#[template(path = "operator/mail.html")]
struct One {
    shell: Shell,
    id: i64,
    subject: String,
    state: Badge,
    facts: Vec<(&'static str, String)>,
    error: String,
    plain: String,
    may_send: bool,
}

/// `GET /operator/mails/{mail}`.
pub async fn one(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
    Path(id): Path<i64>,
) -> Result<Response, Stop> {
    let mail = operator::mail(&console.gateway, id).await?.ok_or(Stop::NotThere)?;
    let shell = shell(&console, &headers, &person, &mail.subject).await?;
    let shell = shell.under([("Mails", "/operator/mails".to_owned())]);
    let format = &shell.format;
    let mut facts = vec![
        ("To", mail.recipient.clone()),
        ("Kind", mail.kind.replace('_', " ")),
        ("Written", format.time(mail.created_at).words().to_owned()),
        ("Tried", format.many(mail.attempts, "time", "times")),
    ];
    if let Some(sent) = mail.sent_at {
        facts.push(("Sent", format.time(sent).words().to_owned()));
    }
    if mail.state == MailState::Waiting {
        facts.push(("Next try", format.time(mail.due_at).words().to_owned()));
    }
    page::draw(&One {
        id,
        state: badge(mail.state),
        facts,
        error: mail.error.unwrap_or_default(),
        plain: mail.plain,
        may_send: mail.state != MailState::Waiting,
        subject: mail.subject,
        shell,
    })
}

/// `POST /operator/mails/{mail}/send`.
pub async fn send(
    State(console): State<Console>,
    person: Person,
    Path(id): Path<i64>,
) -> Result<Response, Stop> {
    let back = format!("/operator/mails/{id}");
    match operator::send_again(&console.gateway, id, &person.operator()).await? {
        true => Ok(flash::done(&back, "The mail is sent again.")),
        false => Ok(flash::failed(
            &back,
            "It is not sent again: it waits to be sent anyway, or its link was for once. Let a new one be asked for.",
        )),
    }
}
