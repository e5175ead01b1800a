//! Sending a message: its form with all that would become of it told beforehand, and what became of it.

mod look;
pub mod result;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use domain::label::Label;
use domain::message::MessageClass;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;
use domain::text::TextError;
use gateway::accept::{SendRefused, SendRequest};
use gateway::once::{Begun, Once};
use gateway::preview::{Draft, Preview};
use gateway::scope::Scope;
use gateway::statistics::{self, Dimension, Key, Question, Range};
use sha2::{Digest as _, Sha256};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::sign_in::sentence;
use crate::{Console, once};
pub use look::Look;
pub(crate) use look::sees_money;

/// What the console calls itself to the journal.
const CONNECTION: &str = "console";
/// Labels and senders are offered that were used within so many days.
const OFFERED_DAYS: i32 = 90;
/// How many of them.
const OFFERED_MAX: usize = 30;

#[derive(Template)]
#[template(path = "a/send.html")]
struct Page {
    shell: Shell,
    own: String,
    preview: String,
    summary: Summary,
    once: String,
    recipients: Field,
    text: Field,
    sender: Field,
    label: Field,
    at: Field,
    class: Field,
    look: Look,
}

/// What is put in place while somebody types.
#[derive(Template)]
#[template(path = "a/send/live.html")]
struct Live {
    look: Look,
}

/// `GET /a/{id}/send`: the form; the query may fill it in, as when something is sent again.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    page::draw(&Page::of(&console, &place, asked.0).await?)
}

/// `POST /a/{id}/send/preview`: what would become of it, while it is typed.
pub async fn preview(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    tidy(&mut typed);
    let look = look_of(&console, &place, &typed).await?;
    page::draw(&Live { look })
}

/// `POST /a/{id}/send`: checks it, writes it in plain letters, or sends it, as the button says.
pub async fn act(State(console): State<Console>, place: Place, mut typed: Typed) -> Result<Response, Stop> {
    tidy(&mut typed);
    match typed.text("act") {
        "send" => send(console, place, typed).await,
        "plain" => {
            if let Ok(Some((plain, _))) = gateway::preview::text(typed.raw("text")).map(|text| text.plain) {
                typed.set("text", &plain);
            }
            page::draw(&Page::of(&console, &place, typed).await?)
        }
        _ => {
            let preview = console.gateway.preview(&place.account, &draft(&typed)).await?;
            let _ = read(&mut typed, &preview, &place);
            let page = Page::of(&console, &place, typed).await?;
            if page.is_right() { page::draw(&page) } else { page::draw_again(&page) }
        }
    }
}

/// Browsers send the end of a line as two characters; a phone gets one.
fn tidy(typed: &mut Typed) {
    let text = typed.raw("text").replace("\r\n", "\n");
    typed.set("text", &text);
}

fn draft(typed: &Typed) -> Draft {
    let sender = Some(typed.text("sender").to_owned()).filter(|sender| !sender.is_empty());
    Draft { text: typed.raw("text").to_owned(), sender, recipients: typed.raw("recipients").to_owned() }
}

async fn look_of(console: &Console, place: &Place, typed: &Typed) -> Result<Look, Stop> {
    let preview = console.gateway.preview(&place.account, &draft(typed)).await?;
    Ok(Look::of(&preview, typed.raw("text"), !typed.text("at").is_empty(), place))
}

/// What is to be sent beside text, sender and recipients.
struct Rest {
    label: Option<Label>,
    send_at: Option<Moment>,
    class: Option<MessageClass>,
}

/// Reads the form, and notes what is wrong with it.
fn read(typed: &mut Typed, preview: &Preview, place: &Place) -> Option<Rest> {
    match &preview.text {
        Ok(_) => {}
        Err(TextError::Empty) => typed.wrong("text", "Write what the message says."),
        Err(error) => typed.wrong("text", sentence(error)),
    }
    if let Err(error) = &preview.sender {
        typed.wrong("sender", sentence(error));
    }
    if let (Ok(sender), Some(by)) = (&preview.sender, preview.sender_forbidden_by) {
        let refused = SendRefused::SenderNotAllowed { sender: sender.clone(), by };
        typed.wrong("sender", sentence(&refused));
    }
    if preview.numbers.is_empty() {
        typed.wrong(
            "recipients",
            match preview.problem_count {
                0 => "Write at least one number.",
                _ => "None of this is a number that can be sent to.",
            },
        );
    } else if preview.too_many {
        typed.wrong("recipients", "These are too many at once; the most is 10,000.");
    }
    let label = typed.read_if_given("label", |text| {
        Label::parse(text).map_err(|error| sentence(&format!("the label {error}")))
    });
    let send_at = typed.read_if_given("at", |text| moment(text, place));
    let class =
        typed.read_if_given("class", |text| MessageClass::parse(text).ok_or("Choose one of the list."));
    let rest = Rest { label: label?, send_at: send_at?, class: class? };
    typed.is_right().then_some(rest)
}

/// A time as browsers write it, `2026-11-27T18:30`, in the time zone of the page.
fn moment(text: &str, place: &Place) -> Result<Moment, &'static str> {
    let format = place.format();
    let written: jiff::civil::DateTime =
        text.parse().map_err(|_| "Write a date and a time, such as 2026-11-27T18:30.")?;
    let at = format.time_zone.to_timestamp(written).map_err(|_| "There is no such time.")?;
    let at = Moment(at.as_microsecond());
    if at <= format.now {
        return Err("This is over. Leave it empty to send now.");
    }
    if at.since(format.now).as_secs() > 366 * 86_400 {
        return Err("This is more than a year away.");
    }
    Ok(at)
}

/// How sending ended.
enum Ended {
    /// It is sent, or was when the same form came before; this is the name of what became of it.
    Sent(String),
    /// Nothing was sent. What is wrong is noted.
    Wrong(Typed),
}

async fn send(console: Console, place: Place, typed: Typed) -> Result<Response, Stop> {
    let (again, own) = (console.clone(), place.clone());
    // Whoever hangs up does not stop what has begun half-way.
    let work = tokio::spawn(async move { send_once(&console, &place, typed).await });
    match work.await.map_err(|_| Stop::Broken)?? {
        Ended::Sent(name) => Ok(Redirect::to(&own.href(&format!("send/{name}"))).into_response()),
        Ended::Wrong(typed) => page::draw_again(&Page::of(&again, &own, typed).await?),
    }
}

/// Sends it, once however often the same form comes with the same words in it.
async fn send_once(console: &Console, place: &Place, mut typed: Typed) -> Result<Ended, Stop> {
    let base = &console.gateway;
    let content = content(place, &typed);
    let name = name(&typed, place, &content);
    let once = Once::of_person(place.person.login.id, name.clone(), content);
    match once.begin(base).await? {
        Begun::Do => {}
        Begun::Answered(_) => return Ok(Ended::Sent(name)),
        Begun::UnderWay => {
            typed.wrong_in_all("This is being sent right now. Look in the journal before you send it again.");
            return Ok(Ended::Wrong(typed));
        }
        Begun::Interrupted | Begun::Other => {
            once.let_go(base).await?;
            typed.set(once::FIELD, "");
            typed.wrong_in_all(
                "This was sent before and broke off, so nobody knows how much of it went out. \
                 Look in the journal first; if nothing of it is there, send it again.",
            );
            return Ok(Ended::Wrong(typed));
        }
    }
    match send_now(console, place, &mut typed).await {
        Ok(Some(sent)) => {
            once.keep(base, &sent.written()).await?;
            Ok(Ended::Sent(name))
        }
        refused => {
            once.let_go(base).await?;
            refused.map(|_| Ended::Wrong(typed))
        }
    }
}

/// Sends it; nothing when something is wrong, which is noted.
async fn send_now(console: &Console, place: &Place, typed: &mut Typed) -> Result<Option<result::Kept>, Stop> {
    let preview = console.gateway.preview(&place.account, &draft(typed)).await?;
    let Some(rest) = read(typed, &preview, place) else { return Ok(None) };
    let sees_money = sees_money(place);
    if !preview.is_covered() {
        typed.wrong_in_all("The credit does not cover it. Nothing was sent.");
        return Ok(None);
    }
    if typed.text("seen") != look::seen(&preview, sees_money) {
        typed.wrong_in_all(
            "What would be sent has changed since it was shown here. Look at it once more, then send it.",
        );
        return Ok(None);
    }
    let request = SendRequest {
        recipients: preview.numbers.iter().map(written).collect(),
        text: typed.raw("text").to_owned(),
        sender: draft(typed).sender,
        send_at: rest.send_at,
        label: rest.label,
        class: rest.class,
        connection: CONNECTION.to_owned(),
        actor: place.actor().words(),
        ..SendRequest::default()
    };
    let scheduled = rest.send_at;
    match console.gateway.send(&place.account, request).await {
        Ok(sent) => Ok(Some(result::Kept::of(place.account.id, &sent, scheduled, &preview))),
        Err(refused) => note(refused, typed).map(|()| None),
    }
}

/// A number so that it is read as itself, whatever the account's country is.
fn written(number: &PhoneNumber) -> String {
    format!("+{number}")
}

/// Notes why nothing was sent.
fn note(refused: SendRefused, typed: &mut Typed) -> Result<(), Stop> {
    match refused {
        SendRefused::Text(error) => typed.wrong("text", sentence(&error)),
        SendRefused::Sender(error) => typed.wrong("sender", sentence(&error)),
        SendRefused::SenderNotAllowed { .. } => typed.wrong("sender", sentence(&refused)),
        SendRefused::NoRecipient => typed.wrong("recipients", "Write at least one number."),
        SendRefused::TooManyRecipients { .. } => {
            typed.wrong("recipients", "These are too many at once; the most is 10,000.");
        }
        SendRefused::InsufficientCredits { .. } => {
            typed.wrong_in_all("The credit does not cover it any more. Nothing was sent.");
        }
        SendRefused::NotActive { state, .. } => typed
            .wrong_in_all(format!("Nothing was sent: this account, or one above it, is {}.", state.as_str())),
        SendRefused::Busy => {
            typed.wrong_in_all(
                "More is being sent than can be taken at the moment. Nothing was sent; try again.",
            );
        }
        SendRefused::Validity { .. } => typed.wrong_in_all(sentence(&refused)),
        SendRefused::Storage(error) if error.retryable() => return Err(Stop::Busy),
        SendRefused::Storage(error) => {
            tracing::error!(%error, "a message could not be sent from the console");
            return Err(Stop::Broken);
        }
    }
    Ok(())
}

/// All that is asked for, in one text.
fn content(place: &Place, typed: &Typed) -> String {
    let fields = ["recipients", "text", "sender", "label", "at", "class"].map(|name| typed.raw(name));
    let mut hash = Sha256::new();
    hash.update(place.account.id.to_string());
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hash.finalize().iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}

/// What the sending is known by: the form, and what stands in it. So a form that is sent once more with
/// other words, as after going back, is another one.
fn name(typed: &Typed, place: &Place, content: &str) -> String {
    let form = once::of(typed, &place.actor(), place.format().now);
    let form: String = form.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    format!("{form}.{content}")
}

impl Page {
    async fn of(console: &Console, place: &Place, typed: Typed) -> Result<Page, Stop> {
        let look = look_of(console, place, &typed).await?;
        let offered = Offered::of(console, place).await?;
        let settings = &place.account.settings;
        let usual = settings.default_sender.clone().unwrap_or(console.gateway.rules.default_sender.clone());
        let zone = place.format().zone_name().to_owned();
        let classes = [
            ("", "Normal, or a mailing above 200 recipients"),
            ("otp", "A code somebody waits for: goes first"),
            ("normal", "Normal"),
            ("bulk", "A mailing: goes last"),
        ];
        Ok(Page {
            shell: place.shell("Send a message"),
            own: place.href("send"),
            preview: place.href("send/preview"),
            summary: typed.summary(),
            once: once::of(&typed, &place.actor(), place.format().now),
            recipients: typed
                .area("recipients", "To")
                .required()
                .rows(3)
                .example("+49 151 23456789")
                .hint("Numbers, pasted as you have them: one a line, or with commas, semicolons or tabs between them."),
            text: typed.area("text", "Text").required().rows(5),
            sender: typed
                .field("sender", "From")
                .example(usual)
                .length_max(20)
                .offers(offered.senders)
                .hint("Up to 11 letters and digits, or a number."),
            label: typed
                .field("label", "Label")
                .length_max(100)
                .offers(offered.labels)
                .hint("Counted by itself in the statistics."),
            at: typed
                .field("at", "When")
                .of_type("datetime-local")
                .hint(format!("Empty is now. The time is that of {zone}.")),
            class: typed.choice("class", "How urgent", classes),
            look,
        })
    }

    fn is_right(&self) -> bool {
        self.summary == Summary::default()
    }
}

/// What the account has used lately, the most used first: offered where one of it may be meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered {
    /// Labels.
    pub labels: Vec<String>,
    /// Senders.
    pub senders: Vec<String>,
    /// Countries it sent to, by their two letters.
    pub countries: Vec<String>,
}

impl Offered {
    /// Reads it.
    pub async fn of(console: &Console, place: &Place) -> Result<Offered, Stop> {
        Ok(Offered {
            labels: used(console, place, Dimension::Label).await?,
            senders: used(console, place, Dimension::Sender).await?,
            countries: used(console, place, Dimension::Country).await?,
        })
    }
}

async fn used(console: &Console, place: &Place, dimension: Dimension) -> Result<Vec<String>, Stop> {
    let base = &console.gateway;
    let today = gateway::clock::date_of(gateway::clock::day_of(place.format().now, &base.rules.time_zone));
    let range = Range::ending(today.ok_or(Stop::Broken)?, OFFERED_DAYS);
    let question = Question { rows_max: OFFERED_MAX, ..Question::new(Scope::Only, range, dimension) };
    let report = statistics::report(base, &place.account, &question).await?;
    let rows = report.into_iter().flat_map(|report| report.rows);
    Ok(rows
        .filter_map(|row| match row.key {
            Key::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        })
        .collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample() -> impl Template {
        let typed = Typed::of([
            ("recipients", "<script>alert(1)</script>"),
            ("text", "<b>Köln</b>"),
            ("label", "<i>x"),
        ]);
        Page {
            shell: Shell::sample("Send a message"),
            own: "/a/1/send".into(),
            preview: "/a/1/send/preview".into(),
            summary: typed.summary(),
            once: "console.1".into(),
            recipients: typed.area("recipients", "To"),
            text: typed.area("text", "Text"),
            sender: typed.field("sender", "From").offers(vec!["<b>K".into()]),
            label: typed.field("label", "Label"),
            at: typed.field("at", "When"),
            class: typed.choice("class", "How urgent", [("", "Normal")]),
            look: Look {
                sender: "<b>K".into(),
                bubble: vec![("<b>K".into(), true), ("<i>".into(), false)],
                meter: "3 characters".into(),
                odd: vec![("“".into(), "\"")],
                odd_words: "Not plain.".into(),
                plain: Some("Use plain letters".into()),
                problems: vec![look::Problem {
                    line: 1,
                    written: "<script>alert(1)".into(),
                    why: "No".into(),
                }],
                more_problems: Some("3 more".into()),
                notes: vec!["Twice".into()],
                recipients: "2 recipients".into(),
                countries: vec![look::Country {
                    name: "Germany".into(),
                    recipients: "2".into(),
                    unit: "€0.10".into(),
                    total: "€0.20".into(),
                }],
                sums: vec![("Together", "€0.20".into())],
                cover: Some(("good", "The credit covers it.".into())),
                act: Some("Send 2 messages".into()),
                seen: "2-1".into(),
            },
        }
    }
}
