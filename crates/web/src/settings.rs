//! What an account chose: its names, how it is written to, what its messages begin with, what is asked
//! of its members, and how long texts and numbers are kept.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::account::{Account, AccountState};
use domain::permission::Action;
use domain::phone_number::Country;
use gateway::settings::{self, Change, NUMBER_DAYS_MIN, SettingsError};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::parts::Copy;
use crate::sign_in::sentence;
use crate::{Console, flash};

#[derive(Template)]
#[template(path = "a/settings.html")]
struct Settings {
    shell: Shell,
    summary: Summary,
    company: Vec<Field>,
    region: Vec<Field>,
    messages: Vec<Field>,
    security: Vec<Field>,
    retention: Vec<Field>,
    may_change: bool,
    email: String,
    number: String,
    access_words: &'static str,
    access_href: String,
    signing_key: Option<Copy>,
    new_key_href: String,
    /// Where its owner closes a main account, or reopens it.
    close_href: Option<String>,
    is_closing: bool,
}

fn usual(account: &Account) -> Typed {
    let settings = &account.settings;
    let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let flag = |yes: bool| if yes { "1" } else { "" };
    Typed::of([
        ("company", account.company.as_deref().unwrap_or_default()),
        ("owner", &account.owner),
        ("time_zone", settings.time_zone.as_deref().unwrap_or_default()),
        ("language", settings.language.as_deref().unwrap_or_default()),
        ("default_sender", settings.default_sender.as_deref().unwrap_or_default()),
        ("default_country", settings.default_country.as_deref().unwrap_or_default()),
        ("reload_lock", flag(settings.reload_lock)),
        ("recipient_day_max", &number(Some(settings.recipient_day_max).filter(|most| *most > 0))),
        ("signature_required", flag(settings.signature_required)),
        ("second_factor_required", flag(settings.second_factor_required)),
        ("text_days", &number(settings.text_days)),
        ("number_days", &number(settings.number_days)),
    ])
}

impl Settings {
    fn of(console: &Console, place: &Place, typed: &Typed) -> Settings {
        let rules = &console.gateway.rules;
        let zone = rules.time_zone.iana_name().unwrap_or("UTC");
        let zones = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let mut countries: Vec<_> =
            Country::all().map(|c| (c.as_str().to_owned(), c.name().to_owned())).collect();
        countries.sort_by(|a, b| a.1.cmp(&b.1));
        countries
            .insert(0, (String::new(), format!("As the installation: {}", rules.default_country.name())));
        let may_change = place.may(Action::ManageSettings);
        let settings = &place.account.settings;
        Settings {
            shell: place.shell("Settings"),
            summary: typed.summary(),
            company: vec![
                typed.field("company", "Company").fills("organization").length_max(100),
                typed.field("owner", "Contact").required().length_max(100)
                    .hint("First and last name, as programs that list subaccounts see it."),
            ],
            region: vec![
                typed.field("time_zone", "Time zone").offers(zones).example(zone)
                    .hint("Dates and times in the console, in mails and in exports."),
                typed.choice("language", "Language of mails", [("", "As the installation"), ("en", "English"), ("de", "Deutsch")]),
            ],
            messages: vec![
                typed.field("default_sender", "Default sender").length_max(16).example(rules.default_sender.clone())
                    .hint("Up to 11 letters and digits, or a number. For messages that name none."),
                typed.choice("default_country", "Default country", countries)
                    .hint("For numbers written without one."),
                typed.field("recipient_day_max", "Messages a recipient may get a day").keys("numeric").example("no limit"),
                typed.tick("reload_lock", "Refuse the same text to the same recipient within three minutes"),
            ],
            security: vec![
                typed.tick("second_factor_required", "Require a second factor")
                    .hint("Whoever acts here, also from above, must have an app or a passkey."),
                typed.tick("signature_required", "Refuse API requests that are not signed")
                    .hint("With the signing key below."),
            ],
            retention: vec![
                typed.field("text_days", "Keep texts of messages").after("days").keys("numeric").example("for ever"),
                typed.field("number_days", "Keep full numbers").after("days").keys("numeric").example("for ever")
                    .hint(format!("At least {NUMBER_DAYS_MIN}: carriers report on a message for three days. Statistics and prices stay.")),
            ],
            email: place.account.email.as_str().to_owned(),
            number: place.account.id.to_string(),
            access_words: match settings.access {
                domain::member::Access::Open => "Administrators from above step in at once, and it is written down.",
                domain::member::Access::Notify => "Administrators from above step in at once, and the owner is told by mail.",
                domain::member::Access::Ask => "Administrators from above ask the owner first.",
            },
            access_href: place.href("access"),
            signing_key: may_change.then(|| Copy {
                label: "Signing key".to_owned(),
                text: settings.signing_key.clone(),
                is_block: false,
            }),
            new_key_href: place.href("settings/signing-key"),
            close_href: (place.may(Action::CloseAccount) && place.account.parent.is_none())
                .then(|| place.href("close")),
            is_closing: place.account.state == AccountState::Closing,
            may_change,
        }
    }
}

/// `GET /a/{id}/settings`.
pub async fn show(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    page::draw(&Settings::of(&console, &place, &usual(&place.account)))
}

fn whole(text: &str) -> Result<i64, &'static str> {
    text.parse().map_err(|_| "Write a whole number.")
}

fn change_of(typed: &mut Typed) -> Option<Change> {
    let recipient_day_max = typed.read_if_given("recipient_day_max", whole);
    let text_days = typed.read_if_given("text_days", whole);
    let number_days = typed.read_if_given("number_days", whole);
    let given = |name: &str| Some(Some(typed.text(name).to_owned()));
    Some(Change {
        company: given("company"),
        owner: Some(typed.text("owner").to_owned()),
        time_zone: given("time_zone"),
        language: given("language"),
        default_sender: given("default_sender"),
        default_country: given("default_country"),
        reload_lock: Some(typed.ticked("reload_lock")),
        recipient_day_max: Some(recipient_day_max?.unwrap_or(0)),
        signature_required: Some(typed.ticked("signature_required")),
        second_factor_required: Some(typed.ticked("second_factor_required")),
        text_days: Some(text_days?),
        number_days: Some(number_days?),
        ..Change::default()
    })
}

/// `POST /a/{id}/settings`: changes all that differs, or nothing.
pub async fn change(
    State(console): State<Console>,
    place: Place,
    mut typed: Typed,
) -> Result<Response, Stop> {
    if let Some(change) = change_of(&mut typed) {
        match settings::change(&console.gateway, place.account.id, &change, &place.actor()).await {
            Ok(_) => return Ok(flash::done(&place.href("settings"), "The settings are saved.")),
            Err(SettingsError::Storage(error)) => return Err(error.into()),
            Err(SettingsError::Fields(problems)) => {
                for problem in problems {
                    let why = format!("{}; {}", problem.problem, problem.remedy);
                    typed.wrong(problem.field.as_str(), sentence(&why));
                }
            }
            Err(error) => typed.wrong_in_all(sentence(&error)),
        }
    }
    page::draw_again(&Settings::of(&console, &place, &typed))
}

/// `POST /a/{id}/settings/signing-key`: replaces the key that requests are signed with.
pub async fn new_signing_key(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    let change = Change { new_signing_key: true, ..Change::default() };
    match settings::change(&console.gateway, place.account.id, &change, &place.actor()).await {
        Ok(_) => Ok(flash::done(
            &place.href("settings"),
            "There is a new signing key. The old one signs nothing any more.",
        )),
        Err(SettingsError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&place.href("settings"), &sentence(&error))),
    }
}
