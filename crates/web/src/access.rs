//! Who may step in from above, who asks to, and who has been here.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::member::Access;
use domain::permission::Action;
use gateway::settings::{self, Change, SettingsError};
use gateway::visits::{self, AnswerError, HowLong};
use storage::visits::{Grant, GrantState};

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Asked, Field, Typed};
use crate::format::Time;
use crate::link::Link;
use crate::page::{self, Shell};
use crate::paging::Paging;
use crate::parts::{Badge, Empty, Pager};
use crate::sign_in::sentence;
use crate::{Console, flash};

/// How many visits a page shows.
const PAGE: i64 = 50;
/// How many questions are shown.
const QUESTIONS: i64 = 50;

#[derive(Template)]
#[template(path = "a/access.html")]
struct AccessPage {
    shell: Shell,
    policy: Field,
    policy_words: &'static str,
    may_decide: bool,
    has_above: bool,
    href: String,
    questions: Vec<Question>,
    visits: Vec<VisitLine>,
    pager: Pager,
    empty: Empty,
}

struct Question {
    id: i64,
    who: String,
    email: String,
    reason: String,
    asked: Time,
    state: Badge,
    until: Option<Time>,
    waits: bool,
    is_live: bool,
}

struct VisitLine {
    who: String,
    email: String,
    above: String,
    reason: String,
    began: Time,
    ended: String,
    is_on: bool,
    glass_broken: bool,
}

const POLICIES: [(&str, &str, &str); 3] = [
    (
        "open",
        "Open",
        "Administrators from above step in at once, and read messages in their own journal. Every visit stands here, and visits and looks stand in the audit log.",
    ),
    ("notify", "Notify", "They step in at once, and the owner is told by mail."),
    (
        "ask",
        "Ask",
        "They ask, and the owner lets them in for a time. Only an owner above can break the glass, and then the owner here is told.",
    ),
];

fn question(place: &Place, grant: Grant, now: domain::moment::Moment) -> Question {
    let (waits, is_live) = (grant.waits(now), grant.is_live(now));
    let state = match grant.state {
        GrantState::Asked if waits => Badge::new("busy", "waits for an answer"),
        GrantState::Asked => Badge::new("calm", "lapsed"),
        GrantState::Granted if is_live => Badge::new("good", "let in"),
        GrantState::Granted => Badge::new("calm", "over"),
        GrantState::Refused => Badge::new("bad", "refused"),
        GrantState::Withdrawn => Badge::new("calm", "withdrawn"),
        GrantState::Broken => Badge::new("warn", "glass broken"),
    };
    Question {
        id: grant.id,
        who: grant.name,
        email: grant.email,
        reason: grant.reason,
        asked: place.format().ago(grant.asked_at),
        until: grant.expires_at.filter(|_| is_live).map(|at| place.format().time(at)),
        state,
        waits,
        is_live,
    }
}

fn visit_line(place: &Place, line: storage::visits::Line, now: domain::moment::Moment) -> VisitLine {
    let visit = line.visit;
    let end = visit.ended_at.unwrap_or(visit.ends_at);
    let is_on = visit.ended_at.is_none() && now < visit.ends_at;
    let minutes = end.since(visit.began_at).as_secs().div_ceil(60);
    VisitLine {
        who: line.name,
        email: line.email,
        above: line.above_name,
        reason: visit.reason,
        began: place.format().time(visit.began_at),
        ended: if is_on { "is here now".to_owned() } else { format!("{minutes} min") },
        is_on,
        glass_broken: line.glass_broken,
    }
}

/// `GET /a/{id}/access`.
pub async fn show(State(console): State<Console>, place: Place, asked: Asked) -> Result<Response, Stop> {
    let base = &console.gateway;
    let (id, now) = (place.account.id, base.clock.now());
    let paging = Paging::of(&asked);
    let mut conn = base.db.read().await?;
    let questions = storage::visits::grants(&mut conn, id, None, QUESTIONS).await?;
    let mut all = storage::visits::page(&mut conn, id, paging.place(), PAGE + 1).await?;
    drop(conn);
    let has_more = all.len() as i64 > PAGE;
    all.truncate(PAGE as usize);
    let href = place.href("access");
    let next = all.last().filter(|_| has_more).map(|line| line.visit.id);
    let pager = paging.pager(&Link::to(&href), next);
    let access = place.account.settings.access;
    let typed = Typed::of([("access", access.as_str())]);
    page::draw(&AccessPage {
        shell: place.shell("Access"),
        policy: typed.cards("access", "When somebody from above wants in", POLICIES),
        policy_words: POLICIES[access as usize].2,
        may_decide: place.may(Action::ManageAccess),
        has_above: place.account.parent.is_some(),
        questions: questions.into_iter().map(|grant| question(&place, grant, now)).collect(),
        visits: all.into_iter().map(|line| visit_line(&place, line, now)).collect(),
        pager,
        empty: Empty::new(
            "access",
            "Nobody has been here from above",
            "When somebody steps in, it stands here: who, from where, why and how long.",
        ),
        href,
    })
}

/// `POST /a/{id}/access`: chooses the policy.
pub async fn choose(State(console): State<Console>, place: Place, typed: Typed) -> Result<Response, Stop> {
    let href = place.href("access");
    let Some(access) = Access::parse(typed.text("access")) else {
        return Ok(flash::failed(&href, "Choose one of the three."));
    };
    let change = Change { access: Some(access), ..Change::default() };
    match settings::change(&console.gateway, place.account.id, &change, &place.actor()).await {
        Ok(_) => Ok(flash::done(&href, "The policy is saved.")),
        Err(SettingsError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&href, &sentence(&error))),
    }
}

fn answered(place: &Place, done: Result<(), AnswerError>, words: &str) -> Result<Response, Stop> {
    let href = place.href("access");
    match done {
        Ok(()) => Ok(flash::done(&href, words)),
        Err(AnswerError::NotFound) => Err(Stop::NotThere),
        Err(AnswerError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&href, &sentence(&error))),
    }
}

/// `POST /a/{id}/access/{question}/grant`: lets somebody in for a time.
pub async fn grant(
    State(console): State<Console>,
    place: Place,
    Path((_, question)): Path<(i64, i64)>,
    typed: Typed,
) -> Result<Response, Stop> {
    let hours = typed.text("hours").parse().ok().and_then(HowLong::from_hours).unwrap_or(HowLong::Hour);
    let (id, me, actor) = (place.account.id, place.person.login.id, place.actor());
    let done = visits::grant(&console.gateway, id, question, hours, me, &actor).await;
    answered(&place, done.map(drop), "They are let in, and told by mail.")
}

/// `POST /a/{id}/access/{question}/refuse`.
pub async fn refuse(
    State(console): State<Console>,
    place: Place,
    Path((_, question)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let (id, me, actor) = (place.account.id, place.person.login.id, place.actor());
    let done = visits::refuse(&console.gateway, id, question, me, &actor).await;
    answered(&place, done.map(drop), "It is refused, and they are told by mail.")
}

/// `POST /a/{id}/access/{question}/withdraw`.
pub async fn withdraw(
    State(console): State<Console>,
    place: Place,
    Path((_, question)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let (id, me, actor) = (place.account.id, place.person.login.id, place.actor());
    let done = visits::withdraw(&console.gateway, id, question, me, &actor).await;
    answered(&place, done, "It is withdrawn. Whoever was in by it is out.")
}
