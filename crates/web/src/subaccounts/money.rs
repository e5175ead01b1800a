//! The credits of one account below: hand out, take back, and the rule by which they come by themselves.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::{AccountState, AutoTransfer};
use domain::credits::Credits;
use domain::permission::Action;
use gateway::credits::{self, RuleError, TEXT_MAX};
use gateway::statement;

use super::below::{Below, Head};
use super::create::read_rule;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::parts::{Empty, Figure};
use crate::sign_in::sentence;
use crate::statement::{Shown, shown};
use crate::worth::Worth;
use crate::{Console, flash, once, transfers};

/// How many lines of the statement are shown.
const LINES: i64 = 10;

#[derive(Template)]
#[template(path = "a/subaccounts/money.html")]
struct Money {
    shell: Shell,
    head: Head,
    figures: Vec<Figure>,
    forms: Option<Forms>,
    rule_words: String,
    failed: Vec<(crate::format::Time, String)>,
    lines: Vec<Shown>,
    has_balance: bool,
    caption: String,
    statement: String,
    empty: Empty,
}

struct Forms {
    summary: Summary,
    own: String,
    once: String,
    above: String,
    hand_out: Vec<Field>,
    take_back: Vec<Field>,
    /// The rule, where there is an account right above that it may come from.
    rule: Vec<Field>,
    has_rule: bool,
}

/// `GET /a/{id}/subaccounts/{child}/credits`.
pub async fn show(State(console): State<Console>, place: Place, below: Below) -> Result<Response, Stop> {
    below.must(Action::SeeCredits)?;
    let typed = typed_rule(below.account.auto_transfer);
    let once = once::fresh(&place.actor(), console.gateway.clock.now());
    page::draw(&drawn(&console, &place, &below, &typed, once).await?)
}

/// The fields of a rule, as it is now.
fn typed_rule(rule: Option<AutoTransfer>) -> Typed {
    let text = |amount: Option<Credits>| amount.map(|amount| amount.to_string()).unwrap_or_default();
    Typed::of([
        ("threshold", &*text(rule.map(|rule| rule.threshold))),
        ("amount", &*text(rule.map(|rule| rule.amount))),
        ("day_max", &*text(rule.and_then(|rule| rule.day_max))),
        ("month_max", &*text(rule.and_then(|rule| rule.month_max))),
    ])
}

async fn drawn(
    console: &Console,
    place: &Place,
    below: &Below,
    typed: &Typed,
    once: String,
) -> Result<Money, Stop> {
    let (gateway, format) = (&console.gateway, place.format());
    let (own, there) = {
        let mut conn = gateway.db.read().await?;
        let own = storage::ledger::balance(&mut conn, place.account.id).await?;
        (own, storage::ledger::balance(&mut conn, below.account.id).await?)
    };
    let moves = statement::Filter { kind: statement::Kind::Moves, ..statement::Filter::default() };
    let lines = statement::page(gateway, &below.account, &moves, None, LINES).await?;
    let since = gateway.clock.now().before(std::time::Duration::from_secs(30 * 86_400));
    let failed = statement::failed_transfers(gateway, &below.account, since, 5).await?;
    let failed = failed.into_iter().map(|told| (format.time(told.created_at), sentence(&told.text)));
    let worth = Worth::of(console, &below.path).await?;
    let held = Credits(there.0.0.saturating_add(there.1.0));
    let mut figures = vec![
        Figure::new(format!("{} holds", below.account.name()), format.money(held))
            .note(worth.map(|worth| worth.words(held, format)).unwrap_or_default()),
    ];
    if there.1.is_positive() {
        figures.push(Figure::new("Of it free credits", format.money(there.1)).note("they cannot be moved"));
    }
    if let Some(room) = gateway::funding::room(gateway, &below.account).await? {
        let words = format!("From the wallet of {}", giver(below));
        figures.push(Figure::new(words, format.money(room)).note("what its limits let it use of that"));
    }
    if place.may(Action::SeeBalance) {
        figures.push(
            Figure::new(format!("{} holds", place.account.name()), format.money(own.0)).note("to hand out"),
        );
    }
    let may = place.may(Action::MoveCredits) && below.may(Action::MoveCredits);
    let may = may && below.account.state != AccountState::Closed;
    Ok(Money {
        shell: below.shell("Credits"),
        head: below.head("credits"),
        figures,
        forms: may.then(|| Forms::of(place, below, typed, once)),
        rule_words: rule_words(place, below),
        failed: failed.collect(),
        lines: shown(console, place, &lines.lines).await?,
        has_balance: false,
        caption: format!("Credits in and out of {}", below.account.name()),
        statement: format!("/a/{}/credits", below.account.id),
        empty: Empty::new(
            "credits",
            "No credits moved yet",
            "What it receives and gives back stands here, line by line.",
        ),
    })
}

/// The account right above, whose credit the rule moves.
fn giver(below: &Below) -> String {
    let above = below.path.iter().rev().nth(1);
    above.map_or_else(String::new, |account| account.name().to_owned())
}

fn rule_words(place: &Place, below: &Below) -> String {
    let format = place.format();
    let Some(rule) = below.account.auto_transfer else {
        return format!(
            "Off. When it is on, credits come from {} by themselves whenever the balance falls below a threshold.",
            giver(below)
        );
    };
    let mut words = format!(
        "When the balance falls below {}, {} come from {} by themselves",
        format.exact(rule.threshold),
        format.exact(rule.amount),
        giver(below)
    );
    let ceilings = [(rule.day_max, "a day"), (rule.month_max, "a month")];
    let ceilings: Vec<String> =
        ceilings.iter().filter_map(|(max, per)| Some(format!("{} {per}", format.exact((*max)?)))).collect();
    if !ceilings.is_empty() {
        words.push_str(&format!(", at most {}", ceilings.join(" and ")));
    }
    words.push('.');
    words
}

impl Forms {
    fn of(place: &Place, below: &Below, typed: &Typed, once: String) -> Forms {
        let sign = place.format().currency_sign().to_owned();
        let amount = |name, label: &str| typed.field(name, label).amount(&sign).length_max(20);
        let words =
            |name| typed.field(name, "Reference").length_max(TEXT_MAX).hint("Stands in both statements.");
        Forms {
            summary: typed.summary(),
            own: below.href("credits"),
            once,
            above: place.account.name().to_owned(),
            hand_out: vec![amount("out_amount", "Amount").required(), words("out_reference")],
            take_back: vec![amount("back_amount", "Amount").required(), words("back_reference")],
            rule: vec![
                amount("threshold", "When the balance is below"),
                amount("amount", "Amount that comes then"),
                amount("day_max", "At most a day"),
                amount("month_max", "At most a month"),
            ],
            has_rule: below.account.auto_transfer.is_some(),
        }
    }
}

/// `POST /a/{id}/subaccounts/{child}/credits/hand-out`.
pub async fn hand_out(
    console: State<Console>,
    place: Place,
    below: Below,
    typed: Typed,
) -> Result<Response, Stop> {
    moved(console.0, place, below, typed, true).await
}

/// `POST /a/{id}/subaccounts/{child}/credits/take-back`.
pub async fn take_back(
    console: State<Console>,
    place: Place,
    below: Below,
    typed: Typed,
) -> Result<Response, Stop> {
    moved(console.0, place, below, typed, false).await
}

async fn moved(
    console: Console,
    place: Place,
    below: Below,
    mut typed: Typed,
    down: bool,
) -> Result<Response, Stop> {
    below.must(Action::MoveCredits)?;
    let gateway = &console.gateway;
    let once = once::of(&typed, &place.actor(), gateway.clock.now());
    let (amount, reference) =
        if down { ("out_amount", "out_reference") } else { ("back_amount", "back_reference") };
    if let Some(read) = transfers::read(&mut typed, amount, reference) {
        let (own, there) = (place.account.id, below.account.id);
        let (from, to) = if down { (own, there) } else { (there, own) };
        let words = place.format().exact(read.0);
        let transfer = transfers::asked(&place, from, to, read, &once);
        match credits::transfer(gateway, &transfer, &below.actor()).await {
            Ok(done) => {
                let name = below.account.name();
                let words = match (done.repeated, down) {
                    (true, _) => "This was moved a moment ago, and not once more.".to_owned(),
                    (false, true) => format!("{words} handed out to {name}."),
                    (false, false) => format!("{words} taken back from {name}."),
                };
                return Ok(flash::done(&below.href("credits"), &words));
            }
            Err(error) => {
                let giver = if down { place.account.name() } else { below.account.name() };
                typed.wrong(amount, transfers::refusal(&place, giver, error)?);
            }
        }
    }
    // The other form and the rule keep what they hold.
    for name in ["threshold", "amount", "day_max", "month_max"] {
        let now = typed_rule(below.account.auto_transfer);
        typed.set(name, now.text(name));
    }
    page::draw_again(&drawn(&console, &place, &below, &typed, once).await?)
}

/// `POST /a/{id}/subaccounts/{child}/credits/automatic`.
pub async fn set_rule(
    State(console): State<Console>,
    place: Place,
    below: Below,
    mut typed: Typed,
) -> Result<Response, Stop> {
    below.must(Action::MoveCredits)?;
    let gateway = &console.gateway;
    if typed.ticked("off") {
        for name in ["threshold", "amount", "day_max", "month_max"] {
            typed.set(name, "");
        }
    }
    if let Some(rule) = read_rule(&mut typed) {
        let nothing =
            AutoTransfer { threshold: Credits::ZERO, amount: Credits::ZERO, day_max: None, month_max: None };
        match credits::set_auto_transfer(gateway, below.account.id, rule.unwrap_or(nothing), &below.actor())
            .await
        {
            Ok(()) => {
                let words = if rule.is_some() {
                    "Automatic transfers are set."
                } else {
                    "Automatic transfers are off."
                };
                return Ok(flash::done(&below.href("credits"), words));
            }
            Err(RuleError::Storage(error)) => return Err(error.into()),
            Err(error) => typed.wrong("amount", sentence(&error)),
        }
    }
    let once = once::of(&typed, &place.actor(), gateway.clock.now());
    page::draw_again(&drawn(&console, &place, &below, &typed, once).await?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample() -> impl Template {
        let mut typed = Typed::of([("out_amount", "<b>"), ("threshold", "5.00")]);
        typed.wrong("out_amount", "'<b>' is not an amount");
        let field = |name| typed.field(name, "Amount").amount("€");
        let shell = Shell::sample("Credits");
        Money {
            head: Head::sample("credits"),
            figures: vec![Figure::new("It <holds>", "€1.00")],
            forms: Some(Forms {
                summary: typed.summary(),
                own: "/a/1/subaccounts/2/credits".into(),
                once: "console.1".into(),
                above: "<Nordlicht>".into(),
                hand_out: vec![field("out_amount")],
                take_back: vec![field("back_amount")],
                rule: vec![field("threshold"), field("amount")],
                has_rule: true,
            }),
            rule_words: "Off.".into(),
            failed: vec![(shell.format.time(shell.format.now), "No <credit>.".into())],
            lines: crate::statement::tests::sample(),
            has_balance: true,
            caption: "Statement".into(),
            statement: "/a/2/credits".into(),
            empty: Empty::new("credits", "Nothing", "yet"),
            shell,
        }
    }
}
