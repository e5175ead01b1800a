//! Creating a subaccount on one short page.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::{AutoTransfer, Email, Preset};
use domain::credits::Credits;
use domain::permission::Action;
use gateway::accounts::{self, Beginning, CreateError, NAME_MAX, NewAccount};

use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::flash;
use crate::form::{Asked, Field, Summary, Typed};
use crate::once;
use crate::page::{self, Shell};
use crate::sign_in::sentence;
use crate::worth::Worth;

#[derive(Template)]
#[template(path = "a/subaccounts/new.html")]
struct New {
    shell: Shell,
    summary: Summary,
    kind: Field,
    names: Vec<Field>,
    invite: Field,
    credit: Option<Field>,
    rule: Vec<Field>,
    rule_words: String,
    once: String,
    own: String,
    back: String,
    here: String,
    members: Option<String>,
}

/// The rule of a branch whose form leaves its amounts empty: 50 whenever less than 20 is left.
const USUAL_RULE: AutoTransfer = AutoTransfer {
    threshold: Credits(20_000_000),
    amount: Credits(50_000_000),
    day_max: None,
    month_max: None,
};

/// What an amount says; nothing or more.
pub fn amount(text: &str) -> Result<Credits, String> {
    match text.parse::<Credits>() {
        Ok(amount) if amount < Credits::ZERO => Err("Write nothing or more.".to_owned()),
        Ok(amount) => Ok(amount),
        Err(error) => Err(sentence(&error)),
    }
}

/// What an amount to be moved says: more than nothing.
pub fn amount_to_move(text: &str) -> Result<Credits, String> {
    match amount(text)? {
        Credits::ZERO => Err("Write more than nothing.".to_owned()),
        amount => Ok(amount),
    }
}

fn drawn(place: &Place, typed: &Typed, once: String, worth: &str) -> New {
    let may_move = place.may(Action::MoveCredits);
    let sign = place.format().currency_sign().to_owned();
    let amount = |name, label: &str| typed.field(name, label).amount(&sign).length_max(20);
    New {
        shell: place.shell("New subaccount").under([("Subaccounts", place.href("subaccounts"))]),
        summary: typed.summary(),
        kind: kind(typed),
        names: vec![
            typed.field("company", "Company or branch").length_max(NAME_MAX).first()
                .hint("How it is called in lists and statements."),
            typed.field("owner", "Its owner's name").fills("name").length_max(NAME_MAX).required(),
            typed.field("email", "Its e-mail address").of_type("email").fills("email").required()
                .example("name@example.com")
                .hint("One address for one account. It can be a shared mailbox."),
        ],
        invite: typed.tick("invite", "Invite this address to be its owner")
            .hint("They get a link by mail that is valid for seven days. Without an owner, people from here look after it."),
        credit: may_move.then(|| amount("credits", "Credits to begin with").hint(worth)),
        rule: if may_move {
            vec![
                amount("threshold", "When the balance is below"),
                amount("amount", "Amount that comes then"),
                amount("day_max", "At most a day"),
                amount("month_max", "At most a month"),
            ]
        } else {
            Vec::new()
        },
        rule_words: format!(
            "Left empty, a branch gets {} whenever it holds less than {}, and others get nothing by themselves.",
            place.format().money(USUAL_RULE.amount),
            place.format().money(USUAL_RULE.threshold)
        ),
        once,
        own: place.href("subaccounts/new"),
        back: place.href("subaccounts"),
        here: place.account.name().to_owned(),
        members: place.may(Action::ManageMembers).then(|| place.href("members")),
    }
}

fn kind(typed: &Typed) -> Field {
    let words = |preset| match preset {
        Preset::Customer => {
            ("A customer", "A company of its own. It is asked before somebody from here steps in.")
        }
        Preset::Department => {
            ("A department", "The same house. People from here step in when needed; its audit log shows it.")
        }
        Preset::Branch => {
            ("A branch", "As a department. Credits come from here by themselves when its balance is low.")
        }
    };
    let cards = Preset::ALL.map(|preset| (preset.as_str(), words(preset).0, words(preset).1));
    typed.cards("kind", "What is it?", cards).required()
}

/// `GET /a/{id}/subaccounts/new`: the form.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let preset = Preset::parse(asked.text("kind")).unwrap_or(Preset::Customer);
    let typed = Typed::of([("kind", preset.as_str()), ("invite", "1")]);
    let once = once::fresh(&place.actor(), console.gateway.clock.now());
    page::draw(&drawn(&place, &typed, once, &held(&console, &place).await?))
}

/// What there is to hand out.
async fn held(console: &Console, place: &Place) -> Result<String, Stop> {
    if !place.may(Action::SeeBalance) {
        return Ok(String::new());
    }
    let (wallet, _) =
        storage::ledger::balance(&mut *console.gateway.db.read().await?, place.account.id).await?;
    let format = place.format();
    let worth = Worth::of(console, &place.path).await?;
    let worth = worth.map(|worth| format!(", {}", worth.words(wallet, format))).unwrap_or_default();
    Ok(format!("{} holds {}{worth}.", place.account.name(), format.money(wallet)))
}

/// `POST /a/{id}/subaccounts/new`: creates it.
pub async fn create(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    let gateway = &console.gateway;
    let once = once::of(&typed, &place.actor(), gateway.clock.now());
    if let Some((new, beginning)) = read(&mut typed, &place, &once) {
        match accounts::create_with(gateway, &new, &beginning, &place.actor()).await {
            Ok(account) => {
                let words = if beginning.invites_owner {
                    format!(
                        "{} is created, and {} is invited to be its owner.",
                        account.name(),
                        new.email.as_str()
                    )
                } else {
                    format!("{} is created.", account.name())
                };
                return Ok(flash::done(&place.href(&format!("subaccounts/{}", account.id)), &words));
            }
            Err(CreateError::Before(account)) => {
                let page = account.map_or_else(|| "subaccounts".into(), |a| format!("subaccounts/{}", a.id));
                return Ok(flash::done(
                    &place.href(&page),
                    "It was created a moment ago, and not once more.",
                ));
            }
            Err(error) => refused(&mut typed, &place, error)?,
        }
    }
    page::draw_again(&drawn(&place, &typed, once, &held(&console, &place).await?))
}

fn read(typed: &mut Typed, place: &Place, once: &str) -> Option<(NewAccount, Beginning)> {
    let preset = typed.read("kind", |word| Preset::parse(word).ok_or("Choose what it is."));
    let company = typed.read_if_given("company", |text| match text.chars().count() {
        count if count > NAME_MAX => Err(format!("This is {count} characters long; the most is {NAME_MAX}.")),
        _ => Ok(text.to_owned()),
    });
    let owner = typed.words("owner", "the first and last name of its owner", NAME_MAX);
    let email = match typed.text("email").is_empty() {
        true => typed.read("email", |_| Err::<Email, _>("Write its e-mail address.")),
        false => typed.read("email", |text| Email::parse(text).map_err(|e| sentence(&e))),
    };
    let may_move = place.may(Action::MoveCredits);
    let credits = if may_move { typed.read_if_given("credits", amount) } else { Some(None) };
    let rule = if may_move { read_rule(typed) } else { Some(None) };
    let invites_owner = typed.ticked("invite");
    let preset = preset?;
    let usual = (may_move && preset.tops_up()).then_some(USUAL_RULE);
    let new = NewAccount {
        company: company?,
        owner: owner?,
        email: email?,
        parent: Some(place.account.id),
        credits: Credits::ZERO,
    };
    let beginning = Beginning {
        preset: Some(preset),
        handed_down: credits?.unwrap_or_default(),
        auto_transfer: rule?.or(usual),
        invites_owner,
        once: Some(once.to_owned()),
        ..Beginning::default()
    };
    typed.is_right().then_some((new, beginning))
}

/// A rule of automatic transfers; nothing when its amounts are left empty.
pub fn read_rule(typed: &mut Typed) -> Option<Option<AutoTransfer>> {
    let threshold = typed.read_if_given("threshold", amount);
    let comes = typed.read_if_given("amount", amount);
    let day_max = typed.read_if_given("day_max", amount);
    let month_max = typed.read_if_given("month_max", amount);
    let (threshold, comes, day_max, month_max) = (threshold?, comes?, day_max?, month_max?);
    let Some(comes) = comes.filter(|amount| amount.is_positive()) else {
        if threshold.is_some_and(Credits::is_positive) {
            typed.wrong("amount", "Write how much comes, or leave both empty.");
            return None;
        }
        return Some(None);
    };
    if threshold.is_none() {
        typed.wrong("threshold", "Write below which balance it comes.");
    }
    for (name, max) in [("day_max", day_max), ("month_max", month_max)] {
        if max.is_some_and(|max| max < comes) {
            typed.wrong(name, "This is less than comes at once, so nothing would ever come.");
        }
    }
    typed.is_right().then_some(())?;
    Some(Some(AutoTransfer { threshold: threshold?, amount: comes, day_max, month_max }))
}

/// Notes why nothing was created beside what it is about.
fn refused(typed: &mut Typed, place: &Place, error: CreateError) -> Result<(), Stop> {
    let format = place.format();
    match error {
        CreateError::Storage(error) => return Err(error.into()),
        CreateError::EmailTaken(_) => typed.wrong(
            "email",
            "An account of this installation has this address already. Use another one, or close that account first.",
        ),
        CreateError::Insufficient { available, amount, .. } => typed.wrong(
            "credits",
            format!(
                "{} holds {} and cannot give {}. Hand out less, or nothing for now.",
                place.account.name(),
                format.money(available),
                format.money(amount)
            ),
        ),
        CreateError::Invite(error) => typed.wrong("invite", sentence(&error)),
        CreateError::Rule(why) => typed.wrong("amount", sentence(&why)),
        CreateError::TooDeep { max, .. } => typed.wrong_in_all(format!(
            "Accounts of this installation may be {max} deep, and {} is at that depth. Create it further up.",
            place.account.name()
        )),
        CreateError::ParentNotActive { state, .. } => typed.wrong_in_all(format!(
            "{} is {}. It must be active before accounts can be created below it.",
            place.account.name(),
            state.as_str()
        )),
        other => typed.wrong_in_all(sentence(&other)),
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample() -> impl Template {
        let mut typed = Typed::of([("company", "<b>Köln</b>"), ("kind", "branch"), ("credits", "12,5")]);
        typed.read_if_given("credits", amount);
        New {
            shell: Shell::sample("New subaccount"),
            summary: typed.summary(),
            kind: kind(&typed),
            names: vec![typed.field("company", "Company")],
            invite: typed.tick("invite", "Invite"),
            credit: Some(typed.field("credits", "Credits").amount("€")),
            rule: vec![typed.field("threshold", "Below").amount("€")],
            rule_words: "Left empty, none.".into(),
            once: "console.1.2.3".into(),
            own: "/a/1/subaccounts/new".into(),
            back: "/a/1/subaccounts".into(),
            here: "Nordlicht & Söhne".into(),
            members: Some("/a/1/members".into()),
        }
    }

    #[test]
    fn a_rule_is_read_whole_or_not_at_all() {
        let rule = |threshold, amount, day_max| {
            let mut typed = Typed::of([("threshold", threshold), ("amount", amount), ("day_max", day_max)]);
            let rule = read_rule(&mut typed);
            (rule.map(|rule| rule.is_some()), typed.is_right())
        };
        assert_eq!(rule("", "", ""), (Some(false), true));
        assert_eq!(rule("5", "10", ""), (Some(true), true));
        assert_eq!(rule("5", "10", "20.00"), (Some(true), true));
        assert_eq!(rule("5", "", ""), (None, false));
        assert_eq!(rule("", "10", ""), (None, false));
        assert_eq!(rule("5", "10", "9"), (None, false));
        assert_eq!(rule("5", "ten", ""), (None, false));
        assert_eq!(rule("5", "-10", ""), (None, false));
    }
}
