//! `/api/journal`: what was sent, newest first.

use axum::extract::State;
use axum::response::Response;
use domain::delivery_report::ReportState;
use domain::id::MessageId;
use domain::key::Scope;
use domain::phone_number::PhoneNumber;
use serde::Serialize;
use storage::journal::{self, Filter, Page, Sent};

use crate::Api;
use crate::call::{Asked, Call, Reply};
use crate::dates::{self, millis};
use crate::error::ApiError;
use crate::parameters::whole;

/// The most entries of one answer.
const LIMIT_MAX: i64 = 100;

/// One message that was sent. Everything is a string, for the sake of clients that read nothing else.
#[derive(Serialize)]
struct Outbound {
    id: String,
    to: String,
    from: String,
    text: String,
    timestamp: String,
    price: String,
    dlr: Option<&'static str>,
    dlr_timestamp: Option<String>,
    mccmnc: Option<String>,
    latency: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    channel: &'static str,
    connection: String,
    label: Option<String>,
    foreign_id: Option<String>,
}

/// `GET /api/journal/outbound`: messages sent.
pub async fn outbound(State(api): State<Api>, call: Call) -> Response {
    match call.open(&api, "journal", Scope::Journal).await {
        Ok(asked) => asked.answer(sent(&asked).await),
        Err(refused) => *refused,
    }
}

/// `GET /api/journal/inbound`, `/replies` and `/voice`: nothing yet, since nothing comes in yet.
pub async fn empty(State(api): State<Api>, call: Call) -> Response {
    match call.open(&api, "journal", Scope::Journal).await {
        Ok(asked) => asked.answer(Ok(nothing())),
        Err(refused) => *refused,
    }
}

/// `GET /api/journal?type=`: the same by a parameter; without one, messages sent.
pub async fn legacy(State(api): State<Api>, call: Call) -> Response {
    match call.open(&api, "journal", Scope::Journal).await {
        Ok(asked) => asked.answer(match asked.parameters.text("type") {
            None | Some("outbound") => sent(&asked).await,
            Some(_) => Ok(nothing()),
        }),
        Err(refused) => *refused,
    }
}

fn nothing() -> Reply {
    Reply::json(&[(); 0])
}

async fn sent(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let gateway = &asked.api.gateway;
    let Some(filter) = filter(asked) else { return Ok(nothing()) };
    let number = |name| asked.parameters.whole(name).ok().flatten();
    let page = Page {
        limit: number("limit").filter(|limit| (1..=LIMIT_MAX).contains(limit)).unwrap_or(LIMIT_MAX),
        offset: number("offset").unwrap_or(0).max(0),
    };
    let account = asked.caller.account.id;
    let found = journal::sent(&mut *gateway.db.read().await?, account, &filter, page).await?;
    let entries: Vec<Outbound> =
        found.into_iter().map(|sent| entry(sent, &gateway.rules.time_zone)).collect();
    Ok(Reply::json(&entries))
}

/// What is asked for; nothing when no message can be meant, as by an id that is no number.
fn filter(asked: &Asked<'_>) -> Option<Filter> {
    let parameters = &asked.parameters;
    let zone = &asked.api.gateway.rules.time_zone;
    // A date that is none was not given: clients send all kinds of words there.
    let date = |name| parameters.text(name).and_then(dates::date);
    let id = match parameters.text("id") {
        None => None,
        Some(id) => Some(whole(id)?).filter(|id| *id != 0).map(MessageId),
    };
    let state = match parameters.text("state") {
        None => None,
        Some(word) => Some(ReportState::parse(word)?),
    };
    let to = match parameters.text("to") {
        None => None,
        Some(to) => Some(PhoneNumber::parse(to, asked.caller.country(asked.api)).ok()?),
    };
    Some(Filter {
        id,
        from: date("date_from").and_then(|day| dates::start_of(day, zone)),
        before: date("date_to").and_then(|day| dates::start_of(day.tomorrow().ok()?, zone)),
        state,
        to,
    })
}

fn entry(sent: Sent, zone: &jiff::tz::TimeZone) -> Outbound {
    let word = sent.fate.word();
    let latency = word.map(|(_, at)| at.since(sent.send_at).as_micros() / 100);
    Outbound {
        id: sent.fate.id.to_string(),
        to: sent.recipient.to_string(),
        from: sent.sender,
        text: sent.text,
        timestamp: millis(sent.send_at, zone),
        price: sent.price.with_places(4),
        dlr: word.map(|(word, _)| word.as_str()),
        dlr_timestamp: word.map(|(_, at)| millis(at, zone)),
        mccmnc: Some(sent.network).filter(|network| !network.is_empty()),
        latency: latency.map(|tenths| format!("{}.{:04}", tenths / 10_000, tenths % 10_000)),
        kind: "direct",
        channel: "SMS",
        connection: sent.connection,
        label: sent.label,
        foreign_id: sent.foreign_id,
    }
}
