//! `/api/sms`: sends a text to one or more numbers, and takes back what is scheduled.

use std::fmt::Write;

use axum::extract::State;
use axum::response::Response;
use domain::id::MessageId;
use domain::key::Scope;
use domain::label::{ForeignId, Label, TagError};
use domain::message::MessageClass;
use domain::text::Alphabet;
use gateway::accept::{SendRequest, Sent, SentMessage, VALIDITY_MINUTES_MAX};
use serde::Serialize;

use crate::Api;
use crate::amount::{Amount, balance_text, cut};
use crate::call::{Asked, Call, Reply};
use crate::caller::connection;
use crate::dates;
use crate::error::{ApiError, Code};
use crate::parameters::whole;

/// What stands for the id of a message that is not meant to be sent, in the text form.
const REHEARSED_ID: &str = "1234567890";

/// The answer as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    success: &'static str,
    total_price: Amount,
    balance: Amount,
    debug: &'static str,
    sms_type: &'static str,
    messages: Vec<Message<'a>>,
}

/// What became of one recipient.
#[derive(Serialize)]
struct Message<'a> {
    id: Option<String>,
    sender: &'a str,
    recipient: String,
    text: &'a str,
    encoding: &'static str,
    label: Option<&'a str>,
    parts: u8,
    udh: Option<&'a str>,
    is_binary: bool,
    price: Amount,
    success: bool,
    error: Option<u16>,
    error_text: Option<String>,
}

/// `POST /api/sms` and `GET /api/sms`: sends one text to one or more numbers.
pub async fn send(State(api): State<Api>, call: Call) -> Response {
    match call.open(&api, "sms", Scope::Sms).await {
        Ok(asked) => asked.answer(sent(&asked).await),
        Err(refused) => *refused,
    }
}

async fn sent(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let request = request(asked)?;
    let rehearsal = asked.caller.key.sandbox || asked.parameters.flag("debug");
    let (label, flash) = (request.label.clone(), request.flash);
    let (gateway, account) = (&asked.api.gateway, &asked.caller.account);
    let sent = match rehearsal {
        true => gateway.rehearse(account, request).await?,
        false => gateway.send(account, request).await?,
    };
    Ok(match asked.json {
        true => json(&sent, label.as_ref(), rehearsal),
        false => {
            let ids = asked.parameters.flag("return_msg_id");
            text(&sent, ids, asked.parameters.flag("details"), flash, rehearsal)
        }
    })
}

/// What is to be sent, as the parameters say it.
fn request(asked: &Asked<'_>) -> Result<SendRequest, ApiError> {
    let parameters = &asked.parameters;
    let refused = |text: String| ApiError::code(Code::PARAMETER, text);
    let recipients: Vec<String> =
        parameters.list("to").into_iter().map(std::borrow::Cow::into_owned).collect();
    if recipients.is_empty() {
        let text = "the parameter 'to' is missing; name at least one recipient";
        return Err(ApiError::code(Code::NO_RECIPIENT, text));
    }
    let text =
        parameters.verbatim("text").ok_or_else(|| refused("the parameter 'text' is missing".to_owned()))?;
    if parameters.given("files") {
        // Sent without them, the text would reach people with its placeholders in it.
        return Err(refused(
            "the parameter 'files' is not available here; send links in the text".to_owned(),
        ));
    }
    let send_at = match parameters.text("delay") {
        None => None,
        Some(delay) => Some(dates::delay(delay, &asked.api.gateway.rules.time_zone).ok_or_else(|| {
            refused("the parameter 'delay' is no time; write Unix seconds or YYYY-MM-DD hh:mm".to_owned())
        })?),
    };
    let validity_minutes = match parameters.whole("ttl")? {
        None | Some(0) => None,
        Some(minutes) => {
            let minutes = u32::try_from(minutes)
                .map_err(|_| refused(format!("the parameter 'ttl' is {minutes} minutes; use 1 or more")))?;
            // Clients ask for months; what carriers try for is days.
            Some(minutes.min(VALIDITY_MINUTES_MAX))
        }
    };
    let class = match parameters.text("class") {
        None => None,
        Some(word) => Some(
            MessageClass::parse(word)
                .ok_or_else(|| refused("the parameter 'class' is none of otp, normal and bulk".to_owned()))?,
        ),
    };
    let tag = |name: &str, wrong: TagError| refused(format!("the parameter '{name}' {wrong}"));
    Ok(SendRequest {
        recipients,
        text: text.to_owned(),
        sender: parameters.text("from").map(str::to_owned),
        send_at,
        flash: parameters.flag("flash"),
        udh: parameters.text("udh").map(str::to_owned),
        binary: parameters.flag("is_binary"),
        ucs2: parameters.flag("unicode"),
        validity_minutes,
        label: parameters.text("label").map(Label::parse).transpose().map_err(|e| tag("label", e))?,
        foreign_id: parameters
            .text("foreign_id")
            .map(ForeignId::parse)
            .transpose()
            .map_err(|e| tag("foreign_id", e))?,
        class,
        connection: connection(&asked.call.headers, parameters),
        no_reload: parameters.flag("no_reload"),
        actor: asked.caller.words(),
    })
}

/// The code of the whole: 100 also when the only recipient was refused, who then says so; 101 when
/// several were named and at least one of them was refused.
fn overall(messages: &[SentMessage]) -> Code {
    match messages.len() > 1 && messages.iter().any(|m| m.refused.is_some()) {
        true => Code::PARTLY,
        false => Code::ACCEPTED,
    }
}

/// The digits of the number; what is no number at all is told as it was written.
fn recipient(message: &SentMessage) -> String {
    if let Some(number) = message.recipient {
        return number.to_string();
    }
    let written = message.written.strip_prefix("tel:").unwrap_or(&message.written);
    let punctuation = |c: char| matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '/');
    let digits: String = written.chars().filter(|c| !punctuation(*c)).collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number { digits } else { message.written.clone() }
}

fn json(sent: &Sent, label: Option<&Label>, rehearsal: bool) -> Reply {
    let text = sent.content.shown();
    let udh = sent.content.udh_shown();
    let alphabet = sent.content.alphabet();
    let message = |message: &SentMessage| Message {
        id: message.id.map(|id| id.to_string()),
        sender: &sent.sender,
        recipient: recipient(message),
        text: &text,
        encoding: alphabet.wire_name(),
        label: label.map(Label::as_str),
        parts: message.segments,
        udh: udh.as_deref(),
        is_binary: alphabet == Alphabet::Binary,
        price: Amount(message.price),
        success: message.refused.is_none(),
        error: message.refused.as_ref().map(|r| Code::of_recipient(r).number()),
        error_text: message.refused.as_ref().map(ToString::to_string),
    };
    let code = overall(&sent.messages);
    let answer = Answer {
        success: code.as_str(),
        total_price: Amount(sent.total),
        balance: Amount(cut(sent.balance)),
        debug: if rehearsal { "true" } else { "false" },
        sms_type: "direct",
        messages: sent.messages.iter().map(message).collect(),
    };
    Reply::json(&answer).counted_as(counted(sent, code))
}

/// What a request is counted as: a single recipient's refusal counts as what it is.
fn counted(sent: &Sent, code: Code) -> Code {
    match &sent.messages[..] {
        [only] => only.refused.as_ref().map_or(code, Code::of_recipient),
        _ => code,
    }
}

/// The text form. When the only recipient was refused, or all were for the same reason, only the
/// code; else the code, then an id a line (a refused recipient's line holds its code), then the
/// nine labelled lines.
fn text(sent: &Sent, with_ids: bool, details: bool, flash: bool, rehearsal: bool) -> Reply {
    let code_of = |message: &SentMessage| message.refused.as_ref().map(Code::of_recipient);
    if let Some(code) = sent.messages.first().and_then(code_of)
        && sent.messages.iter().all(|m| code_of(m) == Some(code))
    {
        return Reply::text(code.as_str()).counted_as(code);
    }
    let code = overall(&sent.messages);
    let mut lines = code.as_str().to_owned();
    let mut line = |line: std::fmt::Arguments<'_>| {
        lines.push('\n');
        lines.write_fmt(line).expect("a text takes all that is written to it");
    };
    if with_ids {
        for message in &sent.messages {
            match (code_of(message), message.id) {
                (Some(code), _) => line(format_args!("{}", code.as_str())),
                (None, Some(id)) => line(format_args!("{id}")),
                (None, None) => line(format_args!("{REHEARSED_ID}")),
            }
        }
    }
    if details {
        let alphabet = sent.content.alphabet();
        line(format_args!("Verbucht: {}", plain(sent.total)));
        line(format_args!("Preis: {}", plain(sent.total)));
        line(format_args!("Guthaben: {}", balance_text(sent.balance)));
        // A line break in the text would make more than nine lines of nine.
        line(format_args!("Text: {}", sent.content.shown().replace(['\n', '\r'], " ")));
        line(format_args!("SMS-Typ: direct"));
        line(format_args!("Flash SMS: {flash}"));
        line(format_args!("Encoding: {}", alphabet.wire_name()));
        line(format_args!("GSM0338: {}", alphabet == Alphabet::Gsm7));
        line(format_args!("Debug: {rehearsal}"));
    }
    Reply::text(lines).counted_as(code)
}

/// An amount as the labelled lines write it: at least one decimal.
fn plain(amount: domain::credits::Credits) -> String {
    let text = amount.to_string();
    text.strip_suffix('0').filter(|rest| !rest.ends_with('.')).map_or(text.clone(), str::to_owned)
}

/// What was taken back.
#[derive(Serialize)]
struct Cancelled {
    success: bool,
    deleted: Option<Vec<String>>,
}

/// `DELETE /api/sms`: takes back messages that are scheduled and not yet sent, and their cost.
pub async fn cancel(State(api): State<Api>, call: Call) -> Response {
    match call.open(&api, "sms cancel", Scope::Sms).await {
        Ok(asked) => asked.answer(cancelled(&asked).await),
        Err(refused) => *refused,
    }
}

async fn cancelled(asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let given = asked.parameters.list("ids");
    let ids: Vec<MessageId> = given.iter().filter_map(|id| whole(id)).map(MessageId).collect();
    let caller = &asked.caller;
    // With a sandbox key nothing was ever scheduled, and nothing real is taken back.
    let done = match caller.key.sandbox {
        true => Vec::new(),
        false => asked.api.gateway.cancel(&caller.account, &ids, &asked.actor()).await?,
    };
    let deleted = match (given.is_empty(), done.is_empty()) {
        (true, _) => Some(Vec::new()),
        (false, true) => None,
        (false, false) => Some(done.iter().map(ToString::to_string).collect()),
    };
    Ok(Reply::json(&Cancelled { success: !done.is_empty(), deleted }))
}
