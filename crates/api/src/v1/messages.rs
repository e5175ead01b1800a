//! `/v1/messages`: the journal of an account, or of all below it that are open, and one message with what
//! became of it.

use axum::Json;
use domain::id::MessageId;
use domain::message::MessageStatus;
use gateway::journal::{self, Cursor, Look, Recipient, Search, Sent, Story};
use gateway::scope::Scope;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Asked;
use super::cursor;
use super::problem::{Kind, Problem};
use super::values::{Amount, Asking, Named, Time, limit};
use crate::caller::note_use_below;

/// A message.
#[derive(Serialize, ToSchema)]
pub struct Message {
    /// Its number. `/api` writes it as a text.
    #[schema(example = 77000000001i64)]
    id: i64,
    /// The account that sent it.
    #[schema(example = 1900001)]
    account: i64,
    /// Where it is: `scheduled`, `accepted`, `queued` or `submitted`; or, at its end, `delivered`,
    /// `undelivered`, `expired`, `rejected`, `unknown` or `cancelled`.
    #[schema(example = "delivered")]
    status: &'static str,
    /// Who it says it is from.
    #[schema(example = "Branchline")]
    sender: String,
    /// To whom: the calling code and the number, digits only.
    #[schema(example = "4915112345678")]
    recipient: String,
    /// The text; of a binary message, its octets in hexadecimal.
    #[schema(example = "Your parcel arrives today.")]
    text: String,
    /// How many segments it has: each is paid for.
    #[schema(example = 1)]
    segments: i64,
    /// What it cost.
    price: Amount,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
    /// The country it went to (ISO 3166-1); null where that is not known.
    #[schema(example = "DE")]
    country: Option<String>,
    /// The network it went to (mobile country and network code); null where that is not known.
    #[schema(example = "26201")]
    network: Option<String>,
    /// What it is counted by; null where it has none.
    #[schema(example = "parcel")]
    label: Option<String>,
    /// Your own name for it; null where it has none.
    #[schema(example = "order-17")]
    foreign_id: Option<String>,
    /// The program that sent it, as it called itself.
    #[schema(example = "http")]
    connection: String,
    /// When it was accepted.
    created_at: Time,
    /// When it was to be sent.
    send_at: Time,
    /// When it came to its end; null while it is on its way.
    done_at: Option<Time>,
}

impl Message {
    fn of(sent: &Sent, currency: String) -> Message {
        let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Message {
            id: sent.fate.id.0,
            account: sent.account.0,
            status: sent.fate.status.as_str(),
            sender: sent.sender.clone(),
            recipient: sent.recipient.as_i64().to_string(),
            text: sent.text.clone(),
            segments: sent.segments,
            price: Amount(sent.price),
            currency,
            country: known(&sent.country),
            network: known(&sent.network),
            label: sent.label.clone(),
            foreign_id: sent.foreign_id.clone(),
            connection: sent.connection.clone(),
            created_at: Time(sent.fate.created_at),
            send_at: Time(sent.send_at),
            done_at: sent.fate.done_at.map(Time),
        }
    }
}

/// A message and what became of it.
#[derive(Serialize, ToSchema)]
pub struct MessageDetails {
    /// The message as lists have it.
    #[serde(flatten)]
    message: Message,
    /// How urgent: `otp`, `normal` or `bulk`.
    #[schema(example = "normal")]
    class: &'static str,
    /// Whether it is shown at once and not stored by the handset.
    flash: bool,
    /// How long it is tried, in minutes.
    #[schema(example = 2880)]
    validity_minutes: i64,
    /// How much of its price was free credit.
    free_credit: Amount,
    /// When it was taken whole by a carrier; null where it was not (yet).
    submitted_at: Option<Time>,
    /// The last word of the carrier; null while there is none.
    #[schema(example = "DELIVERED")]
    report: Option<&'static str>,
    /// When that was said.
    report_at: Option<Time>,
    /// What went wrong; null where nothing did.
    error: Option<String>,
    /// Whether it may have been sent twice, because an answer was lost.
    possible_duplicate: bool,
    /// What was given back because it never left; null where nothing was.
    refunded: Option<Amount>,
    /// When that was.
    refunded_at: Option<Time>,
}

impl MessageDetails {
    fn of(story: &Story, currency: String) -> MessageDetails {
        let report = story.sent.fate.report;
        MessageDetails {
            message: Message::of(&story.sent, currency),
            class: story.class.as_str(),
            flash: story.flash,
            validity_minutes: story.validity_minutes,
            free_credit: Amount(story.promo),
            submitted_at: story.submitted_at.map(Time),
            report: report.map(|(state, _)| state.as_str()),
            report_at: report.map(|(_, at)| Time(at)),
            error: story.error.clone(),
            possible_duplicate: story.possible_duplicate,
            refunded: story.refund.map(|(_, amount)| Amount(amount)),
            refunded_at: story.refund.map(|(at, _)| Time(at)),
        }
    }
}

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of this account below, in place of the one that is acted in.
    #[param(minimum = 1, example = 1900002)]
    account: Option<i64>,
    /// Whether also of all accounts below that are open to those above. Those that mail their owner or
    /// want to be asked are left out; name them by `account`.
    #[serde(default)]
    all_below: bool,
    /// Accepted at this time or later.
    from: Option<Time>,
    /// Accepted earlier than this.
    before: Option<Time>,
    /// Only those where this is: one of the words of `status`, or several with commas.
    #[param(example = "undelivered,expired")]
    status: Option<String>,
    /// Only those to this recipient: digits, the calling code first. With `*` at the end, to numbers that
    /// begin so.
    #[param(example = "4915112345678")]
    recipient: Option<String>,
    /// Only those from this sender.
    #[param(example = "Branchline")]
    sender: Option<String>,
    /// Only those to this country (ISO 3166-1).
    #[param(example = "DE")]
    country: Option<String>,
    /// Only those with this label; empty is those without any.
    #[param(example = "parcel")]
    label: Option<String>,
    /// How many: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the part before.
    cursor: Option<String>,
}

impl Which {
    fn search(self) -> Result<Search, Problem> {
        let words =
            self.status.as_deref().unwrap_or("").split(',').map(str::trim).filter(|word| !word.is_empty());
        let status = words.map(|word| {
            let all = MessageStatus::ALL;
            all.into_iter().find(|status| status.as_str() == word).ok_or_else(|| {
                let known = all.map(MessageStatus::as_str).join(", ");
                Problem::field("status", format!("'{word}' is no status; there are {known}"))
            })
        });
        Ok(Search {
            from: self.from.map(|at| at.0),
            before: self.before.map(|at| at.0),
            status: status.collect::<Result<_, _>>()?,
            recipient: self.recipient.as_deref().map(recipient).transpose()?,
            sender: self.sender,
            country: self.country.map(|letters| letters.to_ascii_uppercase()),
            label: self.label,
        })
    }
}

fn recipient(text: &str) -> Result<Recipient, Problem> {
    let wrong = || {
        let reason = "write digits with the calling code first, such as 4915112345678, or 49151* for all that begin so";
        Problem::field("recipient", reason)
    };
    let plain = text.trim().trim_start_matches('+');
    let (digits, beginning) = plain.strip_suffix('*').map_or((plain, false), |digits| (digits, true));
    let fits = (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = fits.then(|| digits.parse().ok()).flatten().filter(|n| *n > 0).ok_or_else(wrong)?;
    match beginning {
        true => Ok(Recipient::Beginning(number)),
        false => {
            let number = i64::try_from(number).ok().and_then(domain::phone_number::PhoneNumber::from_i64);
            number.map(Recipient::Exactly).ok_or_else(wrong)
        }
    }
}

/// List messages
///
/// The account's messages, the newest first. What is looked for far back is found in parts: a part may
/// have fewer messages than asked for, or none, and still be followed by more: `next_cursor` decides.
#[utoipa::path(
    get,
    path = "/v1/messages",
    operation_id = "listMessages",
    tag = "Messages",
    params(Which),
    responses((status = 200, description = "A part of the list.", body = Messages))
)]
pub async fn list(asked: Asked, Asking(which): Asking<Which>) -> Result<Json<Messages>, Problem> {
    let limit = limit(which.limit)?;
    let after: Option<Cursor> = cursor::read(&asked, which.cursor.as_deref())?.and_then(|at| at.parse().ok());
    let account = match which.account {
        None => asked.account.clone(),
        Some(id) => asked.target(id).await.map_err(|problem| match problem.kind {
            Kind::NotFound => Problem::field("account", problem.detail),
            _ => problem,
        })?,
    };
    let scope = if which.all_below { Scope::Tree } else { Scope::Only };
    if which.all_below && !asked.key.subaccount_access {
        let detail = "messages of accounts below are read with a key that has subaccount access";
        return Err(Problem::new(Kind::SubaccountAccessMissing, detail));
    }
    let (search, gateway) = (which.search()?, asked.gateway());
    let actor = asked.actor_for(&account);
    note_use_below(&asked.api, &asked.key, &account, || actor.clone());
    let found = journal::page(gateway, &account, scope, &search, after, limit as i64, &actor).await?;
    let found = found.ok_or_else(Problem::fault)?;
    Ok(Json(Messages {
        next_cursor: found.next.map(|next| cursor::write(&asked, &next.to_string())),
        items: found.messages.iter().map(|sent| Message::of(sent, asked.currency())).collect(),
        left_out: journal::left_out(gateway, &account, scope).await?.unwrap_or(0),
    }))
}

/// A part of the messages.
#[derive(Serialize, ToSchema)]
pub struct Messages {
    /// The messages, the newest first.
    items: Vec<Message>,
    /// Where the next part begins: give it as `cursor` with the same other parameters. Absent (null) at
    /// the end of the list.
    next_cursor: Option<String>,
    /// How many accounts below are left out, because they mail their owner or want to be asked; 100 is
    /// 100 or more.
    #[schema(example = 0)]
    left_out: i64,
}

/// Read a message
///
/// One of the account's messages, with what became of it; with a key that has subaccount access, also one
/// of an account below that is open to those above.
#[utoipa::path(
    get,
    path = "/v1/messages/{message}",
    operation_id = "readMessage",
    tag = "Messages",
    params(("message" = i64, Path, description = "Its number.", minimum = 1)),
    responses((status = 200, description = "The message.", body = MessageDetails))
)]
pub async fn read(asked: Asked, Named(id): Named<i64>) -> Result<Json<MessageDetails>, Problem> {
    let none = || Problem::not_found(format!("message {id}"));
    let (gateway, id) = (asked.gateway(), MessageId(id));
    let told = journal::message(gateway, &asked.account, id).await?;
    let told = told.filter(|told| told.account.id == asked.account.id || asked.key.subaccount_access);
    told.ok_or_else(none)?;
    match journal::look(gateway, &asked.account, id, &asked.actor).await? {
        Some(Look::Told(told)) => Ok(Json(MessageDetails::of(&told.story, asked.currency()))),
        Some(Look::StepIn(_)) | None => Err(none()),
    }
}
