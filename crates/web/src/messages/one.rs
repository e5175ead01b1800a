//! One message: what it said, what happened to it, and what it cost and why.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::delivery_report::ReportState;
use domain::id::{AccountId, MessageId};
use domain::message::{MessageClass, MessageStatus};
use domain::permission::Action;
use domain::phone_number::Country;
use domain::text::Alphabet;
use gateway::journal::{self, Look, Price, Step, Told};

use crate::door::Place;
use crate::error::Stop;
use crate::format::{Format, Time};
use crate::link::Link;
use crate::messages::{looker, reaches_down};
use crate::page::{self, Shell};
use crate::parts::{Badge, Copy};
use crate::send::sees_money;
use crate::sign_in::sentence;
use crate::{Console, events, flash};

#[derive(Template)]
#[template(path = "a/messages/one.html")]
struct Page {
    shell: Shell,
    number: String,
    state: Badge,
    sender: String,
    text: String,
    steps: Vec<Shown>,
    notes: Vec<String>,
    facts: Vec<(&'static str, String)>,
    parts: Vec<Part>,
    price: Vec<(&'static str, String)>,
    levels: Vec<(String, String)>,
    booked: Vec<(Time, &'static str, String)>,
    statement: Option<String>,
    id: Copy,
    again: Option<String>,
    cancel: Option<Cancel>,
}

/// Something that happened, with its tone.
struct Shown {
    class: &'static str,
    what: String,
    rest: String,
    at: Time,
}

/// A part of a message.
struct Part {
    which: String,
    taken: Time,
    report: String,
}

/// How a scheduled message is taken back.
struct Cancel {
    action: String,
    words: String,
}

/// `GET /a/{id}/messages/{message}`.
pub async fn show(
    State(console): State<Console>,
    place: Place,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Stop> {
    let events = events::way(&console, &place).await?;
    let told = told(&console, &place, &id).await?;
    // What a carrier takes is counted nowhere, so that the mark of the page does not tell it.
    let is_moving = !told.story.sent.fate.status.is_final();
    let events = if is_moving { events::way_at_once(&place) } else { events };
    page::draw(&Page::of(&console, &place, &told, events).await?)
}

/// `POST /a/{id}/messages/{message}/cancel`: takes back what is scheduled.
pub async fn cancel(
    State(console): State<Console>,
    place: Place,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Stop> {
    let told = told(&console, &place, &id).await?;
    let id = told.story.sent.fate.id;
    if told.account.id != place.account.id {
        return Err(Stop::GoTo(format!("/a/{}/messages/{id}", told.account.id)));
    }
    let done = console.gateway.cancel(&place.account, &[id], &place.actor()).await?;
    let here = place.href(&format!("messages/{id}"));
    Ok(match (done.contains(&id), sees_money(&place)) {
        (false, _) => {
            flash::failed(&here, "It could not be cancelled: it is not waiting to be sent any more.")
        }
        (true, true) => {
            let back = place.format().exact(told.story.sent.price);
            flash::done(&here, &format!("Cancelled. {back} came back."))
        }
        (true, false) => flash::done(&here, "Cancelled."),
    })
}

/// The message of this very account, or of one below it that is open. One of another account below is
/// read there, behind its own door.
async fn told(console: &Console, place: &Place, id: &str) -> Result<Told, Stop> {
    let id = MessageId(id.parse().map_err(|_| Stop::NotThere)?);
    let base = &console.gateway;
    let to = |of: AccountId| Stop::GoTo(format!("/a/{of}/messages/{id}"));
    // Whose it is decides who may look at it, and only then is it told, and the look written down.
    let of = journal::message(base, &place.account, id).await?.ok_or(Stop::NotThere)?.account.id;
    if of != place.account.id && !reaches_down(place) {
        return Err(to(of));
    }
    match journal::look(base, &place.account, id, &looker(place)).await?.ok_or(Stop::NotThere)? {
        Look::Told(told) => Ok(*told),
        Look::StepIn(of) => Err(to(of)),
    }
}

impl Page {
    async fn of(console: &Console, place: &Place, told: &Told, events: String) -> Result<Page, Stop> {
        let (story, format) = (&told.story, place.format());
        let (sent, sees_money) = (&story.sent, sees_money(place));
        let (id, status) = (sent.fate.id, sent.fate.status);
        let is_own = told.account.id == place.account.id;
        let may_send = is_own && place.may(Action::SendMessages);
        let number = format.phone(sent.recipient);
        let again = Link::to(place.href("send"))
            .with("recipients", format!("+{}", sent.recipient))
            .with("text", &sent.text)
            .with("sender", &sent.sender)
            .with("label", sent.label.as_deref().unwrap_or_default());
        let is_text = story.alphabet != Alphabet::Binary.code() && !sent.recipient.is_blanked();
        let (price, levels) = match sees_money {
            true => (price(console, place, &told.price).await?, levels(console, &told.price, format).await?),
            false => Default::default(),
        };
        Ok(Page {
            state: status.into(),
            sender: sent.sender.clone(),
            text: sent.text.clone(),
            steps: told
                .timeline
                .iter()
                .filter(|(_, step)| sees_money || !matches!(step, Step::Refunded(_)))
                .map(|(at, step)| shown(step, format.time_exact(*at), place))
                .collect(),
            notes: notes(told),
            facts: match is_own {
                true => facts(told, format),
                false => [vec![("Account", told.account.name().to_owned())], facts(told, format)].concat(),
            },
            parts: parts(told, format),
            price,
            levels,
            booked: if sees_money { booked(told, format) } else { Vec::new() },
            statement: (is_own && place.may(Action::SeeCredits)).then(|| place.href("credits")),
            id: Copy { label: "Number of the message".to_owned(), text: id.to_string(), is_block: false },
            again: (may_send && is_text && !sent.text.is_empty()).then(|| again.into()),
            cancel: (may_send && status == MessageStatus::Scheduled).then(|| Cancel {
                action: place.href(&format!("messages/{id}/cancel")),
                words: format!(
                    "It is not sent to {number}, and what it cost comes back. It cannot be undone."
                ),
            }),
            shell: place
                .shell(&format!("Message to {number}"))
                .under([("Journal", place.href("messages"))])
                .live(events),
            number,
        })
    }
}

/// Something that happened. Who carries messages is the operator's business.
fn shown(step: &Step, at: Time, place: &Place) -> Shown {
    let by = |carrier: &str| match place.person.login.operator {
        true => format!("by {carrier}"),
        false => "by the carrier".to_owned(),
    };
    let (class, what, rest) = match step {
        Step::Accepted => ("", "Accepted".to_owned(), String::new()),
        Step::Scheduled => ("", "Due".to_owned(), "to be sent at this time".to_owned()),
        Step::PartTaken(part, of, carrier) => {
            ("", "Taken".to_owned(), format!("part {part} of {of} {}", by(carrier)))
        }
        Step::Submitted(carrier) => ("", "Submitted".to_owned(), format!("taken {}", by(carrier))),
        Step::PartReport(part, of, word) => {
            (tone(*word), sentence(&said(*word)), format!("part {part} of {of}, says the carrier"))
        }
        Step::Report(word) => {
            (tone(*word), "Reported".to_owned(), format!("{}, says the carrier", said(*word)))
        }
        Step::Ended(status) => {
            let class = match Badge::from(*status).tone {
                "good" => "is-good",
                "bad" | "warn" => "is-bad",
                _ => "",
            };
            (class, sentence(&status.as_str()), String::new())
        }
        Step::Refunded(amount) => ("", "Refunded".to_owned(), place.format().exact(*amount)),
    };
    Shown { class, what: what.trim_end_matches('.').to_owned(), rest, at }
}

fn tone(word: ReportState) -> &'static str {
    match word {
        ReportState::Delivered => "is-good",
        ReportState::NotDelivered | ReportState::Expired | ReportState::Rejected => "is-bad",
        _ => "",
    }
}

/// A carrier's word, as people read it.
fn said(word: ReportState) -> &'static str {
    match word {
        ReportState::Accepted => "accepted",
        ReportState::Transmitted => "transmitted",
        ReportState::Buffered => "kept for later",
        ReportState::Delivered => "delivered",
        ReportState::NotDelivered => "not delivered",
        ReportState::Expired => "expired",
        ReportState::Rejected => "rejected",
        ReportState::Failed => "failed",
        ReportState::Unknown => "unknown",
    }
}

fn notes(told: &Told) -> Vec<String> {
    let story = &told.story;
    // Carriers often say no more than a number of their own.
    let is_code = |error: &str| error.bytes().all(|b| b.is_ascii_digit());
    let told = |error: &String| match is_code(error) {
        true => format!("The carrier gives its code {error} as the reason."),
        false => sentence(error),
    };
    let mut notes: Vec<String> = story.error.iter().map(told).collect();
    if story.possible_duplicate {
        notes
            .push("An answer of the carrier was lost on the way, so it may have been sent twice.".to_owned());
    }
    if story.refund_waits {
        notes.push(
            "Its refund waits until an account above can give its margin back. It comes by itself."
                .to_owned(),
        );
    }
    notes
}

fn facts(told: &Told, format: &Format) -> Vec<(&'static str, String)> {
    let (story, sent) = (&told.story, &told.story.sent);
    let country = Country::parse(&sent.country).map(|country| country.name().to_owned());
    let network = Some(sent.network.clone()).filter(|network| !network.is_empty());
    let place = match (country, network) {
        (Some(country), Some(network)) => format!("{country}, network {network}"),
        (Some(country), None) => country,
        _ => "No country".to_owned(),
    };
    let alphabet = match Alphabet::from_code(story.alphabet) {
        Some(Alphabet::Gsm7) => "plain letters (GSM-7)",
        Some(Alphabet::Ucs2) => "Unicode (UCS-2)",
        Some(Alphabet::Binary) => "octets",
        None => "unknown",
    };
    let class = match story.class {
        MessageClass::Otp => "A code, first in the queue",
        MessageClass::Normal => "Normal",
        MessageClass::Bulk => "A mailing, last in the queue",
    };
    let mut facts = vec![("Country", place)];
    facts.extend(sent.label.clone().map(|label| ("Label", label)));
    facts.extend(sent.foreign_id.clone().map(|id| ("Your own name for it", id)));
    facts.push(("Length", format!("{}, {alphabet}", format.many(sent.segments, "segment", "segments"))));
    facts.push(("Urgency", class.to_owned()));
    let hours = story.validity_minutes / 60;
    let valid = match story.validity_minutes {
        minutes if minutes % 60 != 0 => format.many(minutes, "minute", "minutes"),
        _ => format.many(hours, "hour", "hours"),
    };
    facts.push(("Tried for", valid));
    if story.flash {
        facts.push(("Flash", "shown at once, not stored".to_owned()));
    }
    if !sent.connection.is_empty() {
        facts.push(("Sent by", sent.connection.clone()));
    }
    facts
}

fn parts(told: &Told, format: &Format) -> Vec<Part> {
    let all = &told.story.parts;
    if all.len() < 2 {
        return Vec::new();
    }
    let part = |part: &journal::Part| Part {
        which: format!("{} of {}", part.part + 1, told.story.sent.segments.max(all.len() as i64)),
        taken: format.time_exact(part.taken_at),
        report: part.report.map_or("no report yet", |(word, _)| said(word)).to_owned(),
    };
    all.iter().map(part).collect()
}

async fn price(console: &Console, place: &Place, price: &Price) -> Result<Vec<(&'static str, String)>, Stop> {
    let format = place.format();
    let segments = format.many(price.segments, "segment", "segments");
    let mut facts = vec![
        ("Price", format.exact(price.total)),
        ("That is", format!("{segments} at {}", format.exact(price.unit))),
    ];
    if price.promo.is_positive() {
        facts.push(("Of it free credit", format.exact(price.promo)));
    }
    if let Some(list) = &price.list {
        let of = match price.level {
            Some(level) => format!(", given to {}", name_of(console, level).await?),
            None => String::new(),
        };
        facts.push(("By the price list", format!("{list}{of}")));
    }
    if let Some(row) = &price.row {
        let to = &row.destination;
        let country = to.country.map_or("any country", Country::name);
        let network = if to.network.is_empty() { String::new() } else { format!(", network {}", to.network) };
        let since = format.date(row.effective_from);
        facts.push((
            "Its row",
            format!("{country}{network}: {} a segment since {}", format.exact(price.unit), since.words()),
        ));
    }
    Ok(facts)
}

async fn levels(console: &Console, price: &Price, format: &Format) -> Result<Vec<(String, String)>, Stop> {
    let mut levels = Vec::new();
    for (account, amount) in &price.levels {
        levels.push((name_of(console, *account).await?, format.exact(*amount)));
    }
    Ok(levels)
}

async fn name_of(console: &Console, id: AccountId) -> Result<String, Stop> {
    let account = console.gateway.account(id).await?;
    Ok(account.map_or_else(|| id.to_string(), |account| account.name().to_owned()))
}

fn booked(told: &Told, format: &Format) -> Vec<(Time, &'static str, String)> {
    let words = |refund: bool| if refund { "Refund" } else { "Charge of its whole request" };
    let line = |b: &journal::Booked| (format.time_exact(b.at), words(b.refund), format.change(b.amount));
    told.charge.iter().map(line).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample() -> impl Template {
        let shell = Shell::sample("Message to +49");
        let at = || shell.format.time_exact(shell.format.now);
        Page {
            number: "+49".into(),
            state: Badge::new("good", "delivered"),
            sender: "<b>K".into(),
            text: "<script>alert(1)</script>".into(),
            steps: vec![Shown { class: "is-good", what: "Delivered".into(), rest: "<i>".into(), at: at() }],
            notes: vec!["<i>lost".into()],
            facts: vec![("Label", "<i>x".into())],
            parts: vec![Part { which: "1 of 2".into(), taken: at(), report: "delivered".into() }],
            price: vec![("Price", "€0.10".into())],
            levels: vec![("<b>K".into(), "€0.08".into())],
            booked: vec![(at(), "Refund", "+€0.10".into())],
            statement: Some("/a/1/credits".into()),
            id: Copy { label: "Number".into(), text: "7".into(), is_block: false },
            again: Some("/a/1/send".into()),
            cancel: Some(Cancel { action: "/a/1/messages/7/cancel".into(), words: "Sure?".into() }),
            shell,
        }
    }
}
