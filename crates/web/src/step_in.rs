//! Stepping into an account from above, and out of it: by its policy at once, by its owner's yes, or by
//! breaking the glass.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use domain::id::AccountId;
use domain::member::Role;
use gateway::visits::{self, REASON_MAX, VisitError, Visitor, Way};
use storage::visits::{Grant, GrantState};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Summary, Typed};
use crate::format::Time;
use crate::page::{self, Shell};
use crate::sign_in::sentence;
use crate::{Console, flash, signed_in};

#[derive(Template)]
#[template(path = "a/step-in.html")]
struct StepIn {
    shell: Shell,
    summary: Summary,
    account: String,
    next: String,
    way: Shown,
    reason: Field,
    enter: String,
    ask: String,
    break_glass: Option<String>,
    glass_reason: Field,
}

/// What stands in between, as the page shows it.
enum Shown {
    /// Nothing; the visit is written down.
    Open,
    /// Nothing; the owner is mailed.
    Notify,
    /// The owner has said yes, until then.
    Granted(Time),
    /// They were asked then.
    Asked(Time),
    /// They are to be asked; what they said last time.
    Ask(Option<String>),
}

impl Shown {
    /// Whether one can go in now.
    fn is_open(&self) -> bool {
        matches!(self, Shown::Open | Shown::Notify | Shown::Granted(_))
    }
}

/// Where to go on after stepping in: a page of this account.
fn next_of(place: &Place, typed: &Typed) -> String {
    let (next, own) = (typed.text("next"), place.href(""));
    let is_own = signed_in::is_own_path(next)
        && next.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && !next.starts_with(&place.href("step-"));
    if is_own { next.to_owned() } else { own }
}

/// The account that the person comes from.
fn above(place: &Place) -> Result<AccountId, Stop> {
    place.above().ok_or_else(|| Stop::GoTo(place.href("")))
}

fn visitor(place: &Place) -> Result<Visitor, Stop> {
    Ok(Visitor { login: place.person.login.id, session: place.person.session.0, above: above(place)? })
}

fn shown(place: &Place, way: Way, last: Option<&Grant>, now: domain::moment::Moment) -> Shown {
    let format = place.format();
    match (way, last) {
        (Way::Open, _) => Shown::Open,
        (Way::Notify, _) => Shown::Notify,
        (Way::Ask, Some(one)) if one.state == GrantState::Granted && one.is_live(now) => {
            Shown::Granted(format.ago(one.expires_at.unwrap_or(now)))
        }
        (Way::Ask, Some(one)) if one.waits(now) => Shown::Asked(format.ago(one.asked_at)),
        (Way::Ask, last) => Shown::Ask(last.filter(|one| one.state == GrantState::Refused).map(|one| {
            format!("It was refused {}.", format.ago(one.answered_at.unwrap_or(one.asked_at)).words())
        })),
    }
}

impl StepIn {
    async fn of(console: &Console, place: &Place, typed: &Typed) -> Result<StepIn, Stop> {
        let base = &console.gateway;
        let above = above(place)?;
        let mut conn = base.db.read().await?;
        let way = visits::way(&mut conn, &place.account).await?;
        let login = place.person.login.id;
        let asked = storage::visits::grants_of(&mut conn, place.account.id, above, login, 1).await?;
        drop(conn);
        let way = shown(place, way, asked.first(), base.clock.now());
        let is_owner_above =
            place.person.standings.iter().any(|s| s.account == above && s.role == Role::Owner);
        let reason = typed.field("reason", "Reason").length_max(REASON_MAX);
        let reason = if way.is_open() { reason } else { reason.required() };
        let hint = "Its members read it in their audit log.";
        Ok(StepIn {
            shell: place.shell("Step in"),
            summary: typed.summary(),
            account: place.account.name().to_owned(),
            next: next_of(place, typed),
            reason: reason.hint(hint).example("Customer asks about a message that did not arrive"),
            enter: place.href("step-in"),
            ask: place.href("step-in/ask"),
            break_glass: (is_owner_above && !way.is_open()).then(|| place.href("step-in/break-glass")),
            glass_reason: typed
                .field("glass-reason", "Reason")
                .length_max(REASON_MAX)
                .required()
                .hint("Mailed to the owner of the account, and in its audit log for good."),
            way,
        })
    }
}

/// `GET /a/{id}/step-in`: what stands in between.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    if place.visit.is_some() {
        return Ok(Redirect::to(&next_of(&place, &asked)).into_response());
    }
    page::draw(&StepIn::of(&console, &place, &asked).await?)
}

async fn refused(
    console: &Console,
    place: &Place,
    mut typed: Typed,
    field: &str,
    error: VisitError,
) -> Result<Response, Stop> {
    match error {
        VisitError::Storage(error) => return Err(error.into()),
        VisitError::NoReason | VisitError::LongReason(_) => typed.wrong(field, sentence(&error)),
        other => typed.wrong_in_all(sentence(&other)),
    }
    page::draw_again(&StepIn::of(console, place, &typed).await?)
}

/// `POST /a/{id}/step-in`: steps in.
pub async fn enter(State(console): State<Console>, place: Place, typed: Typed) -> Result<Response, Stop> {
    let (base, visitor, actor) = (&console.gateway, visitor(&place)?, place.actor());
    match visits::begin(base, &visitor, place.account.id, typed.text("reason"), &actor).await {
        Ok(_) => Ok(Redirect::to(&next_of(&place, &typed)).into_response()),
        Err(error) => refused(&console, &place, typed, "reason", error).await,
    }
}

/// `POST /a/{id}/step-in/ask`: asks the owner.
pub async fn ask(State(console): State<Console>, place: Place, typed: Typed) -> Result<Response, Stop> {
    let (base, visitor, actor) = (&console.gateway, visitor(&place)?, place.actor());
    match visits::ask(base, &visitor, place.account.id, typed.text("reason"), &actor).await {
        Ok(_) => Ok(flash::done(
            &place.href("step-in"),
            "Its owner is asked by mail. You are told when they answer.",
        )),
        Err(error) => refused(&console, &place, typed, "reason", error).await,
    }
}

/// `POST /a/{id}/step-in/break-glass`: steps in without being let in.
pub async fn break_glass(
    State(console): State<Console>,
    place: Place,
    typed: Typed,
) -> Result<Response, Stop> {
    let (base, visitor, actor) = (&console.gateway, visitor(&place)?, place.actor());
    match visits::break_glass(base, &visitor, place.account.id, typed.text("glass-reason"), &actor).await {
        Ok(_) => Ok(Redirect::to(&next_of(&place, &typed)).into_response()),
        Err(error) => refused(&console, &place, typed, "glass-reason", error).await,
    }
}

/// `POST /a/{id}/step-out`: leaves, to the account one came from.
pub async fn leave(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    let above = place.visit.as_ref().map(|visit| visit.above);
    visits::end(&console.gateway, place.person.session.0, place.account.id, &place.actor()).await?;
    let words = format!("You have stepped out of {}.", place.account.name());
    Ok(flash::done(&above.map_or_else(|| "/".to_owned(), |above| format!("/a/{above}/subaccounts")), &words))
}
