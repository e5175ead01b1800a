//! Streams of server-sent events: they tell an open page which of its parts to draw anew, in words, and
//! hold nothing that a page would show.
//!
//! What happens between two words is joined: a stream tells the first change at once and then at most one
//! word a second. While it is open it asks again, twice a second, what the door asked: as soon as anything
//! that somebody was let in by has changed (their session, role, visit, the account's state) the last word
//! is `main`, all of the page, and the stream ends. The browser then comes back by itself and is let in
//! anew, or not.
//!
//! Events carry a mark of what the books counted. Who comes back with it, or opens the stream of a page
//! that was drawn with it ([`way`]), hears at once of what happened in between.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use domain::account::AccountState;
use domain::id::{AccountId, LoginId};
use domain::login::Step;
use domain::permission::{self, Action, Verdict};
use gateway::changes::{self, Looking, Mark, What};
use gateway::dispatch::LineState;
use gateway::operator::{self, checks};
use gateway::sessions::{self, SignedIn};
use storage::checks::Check;
use storage::visits::Visit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use crate::Console;
use crate::door::{self, Place};
use crate::error::Stop;
use crate::form::Asked;
use crate::signed_in::Person;

/// The least time between two words.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is asked whether somebody may still listen.
const ASKED_AGAIN: Duration = Duration::from_millis(500);
/// How often the lines and the work of the installation are looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);
/// How often a stream with nothing to tell says that it is there: proxies close what is silent.
const STILL_THERE: Duration = Duration::from_secs(15);
/// How long a browser waits before it comes back.
const COMES_BACK: Duration = Duration::from_secs(1);
/// How many streams a person may hold. A browser closes those of pages that are not seen.
const OF_LOGIN_MAX: usize = 20;
/// How many streams there may be in all.
const ALL_MAX: usize = 2_000;
/// The word that means all of the page.
const WHOLE_PAGE: &str = "main";

/// Who holds streams: how many of each person.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<LoginId, usize>>);

/// A stream's place among all, free again when dropped.
struct Seat {
    streams: Arc<Streams>,
    login: LoginId,
}

impl Streams {
    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<LoginId, usize>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take(self: &Arc<Streams>, login: LoginId) -> Result<Seat, Stop> {
        let mut counts = self.counts();
        if counts.values().sum::<usize>() >= ALL_MAX {
            return Err(Stop::Busy);
        }
        let count = counts.entry(login).or_default();
        if *count >= OF_LOGIN_MAX {
            return Err(Stop::TooMany(format!(
                "{OF_LOGIN_MAX} pages that change by themselves are open for this login already. Close some, or \
                    load this page again to see what is new."
            )));
        }
        *count += 1;
        Ok(Seat { streams: self.clone(), login })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.streams.counts();
        if let Some(count) = counts.get_mut(&self.login) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.login);
            }
        }
    }
}

/// The stream of an account's page, for a page that is about to be drawn: asked before anything else is
/// read, so that whatever changes after that is told.
pub(crate) async fn way(console: &Console, place: &Place) -> Result<String, Stop> {
    let mark = changes::mark(&console.gateway, place.account.id).await?;
    Ok(format!("{}?since={mark}", place.href("events")))
}

/// The same for a page of something that is under way: it hears the words once at the beginning,
/// whether something has changed or not.
pub(crate) fn way_at_once(place: &Place) -> String {
    place.href("events")
}

/// `GET /a/{id}/events`: what changes in an account.
pub async fn of_account(
    State(console): State<Console>,
    place: Place,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, Stop> {
    let since = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let since = Mark::parse(since.unwrap_or(asked.text("since")));
    let seat = seat(&console, place.person.login.id)?;
    let (looking, mark) = Looking::at(&console.gateway, place.account.id).await?;
    let let_in =
        LetIn::of(&place.person, &place.account.path, place.verdict, place.visit.as_ref(), place.state);
    let new = since.map_or(let_in.hears, |since| mark.changed_since(since).only(let_in.hears));
    let subject = Subject::Account { id: place.account.id, looking, let_in };
    Ok(stream(console, &place.person, seat, subject, new))
}

/// `GET /operator/events`: what changes in the installation.
pub async fn of_operator(State(console): State<Console>, person: Person) -> Result<Response, Stop> {
    let seat = seat(&console, person.login.id)?;
    let picture = Picture::of(&console).await?;
    let subject = Subject::Installation { picture: Box::new(picture), looks: every(LOOKED_AT) };
    Ok(stream(console, &person, seat, subject, What::LINES.and(What::BOOKS)))
}

fn seat(console: &Console, login: LoginId) -> Result<Seat, Stop> {
    if console.gateway.looking_has_ended() {
        return Err(Stop::Busy);
    }
    console.streams.take(login)
}

fn stream(console: Console, person: &Person, seat: Seat, subject: Subject, new: What) -> Response {
    let token = person.browser.session.clone().unwrap_or_default();
    let listening = Listening {
        token,
        subject,
        new,
        told_at: None,
        has_begun: false,
        is_over: false,
        asks: every(ASKED_AGAIN),
        console,
        _seat: seat,
    };
    let words = futures_util::stream::unfold(listening, Listening::next);
    let mut response = Sse::new(words).keep_alive(KeepAlive::new().interval(STILL_THERE)).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that gathers answers before it hands them on would hold words back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn every(pause: Duration) -> Interval {
    let mut interval = interval(pause);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// What a stream is about.
enum Subject {
    Account { id: AccountId, looking: Looking, let_in: LetIn },
    Installation { picture: Box<Picture>, looks: Interval },
}

/// What somebody was let in by to an account.
#[derive(Clone, Copy, PartialEq, Eq)]
struct LetIn {
    verdict: Verdict,
    visit: Option<i64>,
    state: AccountState,
    hears: What,
}

impl LetIn {
    fn of(
        person: &SignedIn,
        path: &[AccountId],
        verdict: Verdict,
        visit: Option<&Visit>,
        state: AccountState,
    ) -> LetIn {
        let may = |action| permission::may(&person.standings, action, path, visit.is_some()).allows();
        let hears = [
            (What::BALANCE, may(Action::SeeBalance)),
            (
                What::MESSAGES,
                may(Action::SeeMessages) || may(Action::SendMessages) || may(Action::SeeStatistics),
            ),
            (What::BELOW, may(Action::SeeSubaccounts)),
            (What::WORK, may(Action::ManageSubaccounts) || may(Action::MoveCredits)),
        ];
        let hears =
            hears.into_iter().filter(|(_, may)| *may).fold(What::NOTHING, |all, (what, _)| all.and(what));
        LetIn { verdict, visit: visit.map(|visit| visit.id), state, hears }
    }

    /// What the person would be let in by now, if at all.
    async fn now(console: &Console, person: &SignedIn, id: AccountId) -> Result<Option<LetIn>, Stop> {
        let standing = match door::standing(console, person, id, Action::SeeAccount).await {
            Ok(standing) if standing.verdict.allows() => standing,
            Err(stop @ (Stop::Busy | Stop::Broken)) => return Err(stop),
            _ => return Ok(None),
        };
        let door::Standing { account, state, verdict, visit, .. } = standing;
        Ok(Some(LetIn::of(person, &account.path, verdict, visit.as_ref(), state)))
    }
}

/// How the installation looks.
#[derive(PartialEq)]
struct Picture {
    lines: Vec<LineState>,
    check: Option<Check>,
    jobs: (i64, i64),
}

impl Picture {
    async fn of(console: &Console) -> Result<Picture, Stop> {
        let jobs = operator::jobs(&console.gateway, 1).await?;
        Ok(Picture {
            lines: operator::lines(&console.gateway),
            check: checks::newest(&console.gateway, 1).await?.pop(),
            jobs: (jobs.all, jobs.failed),
        })
    }

    fn changed_since(&self, before: &Picture) -> What {
        let lines = if self.lines == before.lines { What::NOTHING } else { What::LINES };
        let is_same = self.check == before.check && self.jobs == before.jobs;
        lines.and(if is_same { What::NOTHING } else { What::BOOKS })
    }
}

/// Somebody who listens.
struct Listening {
    console: Console,
    token: String,
    subject: Subject,
    /// What is to be told.
    new: What,
    told_at: Option<Instant>,
    has_begun: bool,
    is_over: bool,
    asks: Interval,
    _seat: Seat,
}

impl Listening {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Listening)> {
        if self.is_over {
            return None;
        }
        if !self.has_begun {
            self.has_begun = true;
            let begin = self.event().retry(COMES_BACK);
            let begin = match self.new.is_nothing() {
                true => begin,
                false => begin.data(self.tell()),
            };
            return Some((Ok(begin), self));
        }
        loop {
            let next_word = self.told_at.map_or_else(Instant::now, |at| at + PAUSE);
            tokio::select! {
                biased;
                _ = self.asks.tick() => if !self.may_still_listen().await {
                    self.is_over = true;
                    return Some((Ok(Event::default().data(WHOLE_PAGE)), self));
                },
                () = sleep_until(next_word), if !self.new.is_nothing() => {
                    let event = self.event().data(self.tell());
                    return Some((Ok(event), self));
                }
                new = self.subject.next(&self.console) => self.new = self.new.and(new?),
            }
        }
    }

    /// An event with the mark of what is known so far.
    fn event(&self) -> Event {
        match &self.subject {
            Subject::Account { looking, .. } => Event::default().id(looking.mark().to_string()),
            Subject::Installation { .. } => Event::default(),
        }
    }

    fn tell(&mut self) -> String {
        self.told_at = Some(Instant::now());
        std::mem::take(&mut self.new).words()
    }

    /// Whether all is still so that the person would be let in, and in the same way.
    async fn may_still_listen(&self) -> bool {
        // When the books do not answer, whoever may not listen any more must not go on because of that.
        self.is_let_in().await.unwrap_or(false)
    }

    async fn is_let_in(&self) -> Result<bool, Stop> {
        let base = &self.console.gateway;
        let person = sessions::of_page(base, &self.token, base.clock.now()).await?;
        let Some(person) = person.filter(|person| person.step == Step::SignedIn) else { return Ok(false) };
        match &self.subject {
            Subject::Installation { .. } => Ok(person.login.operator),
            Subject::Account { id, let_in, .. } => {
                Ok(LetIn::now(&self.console, &person, *id).await? == Some(*let_in))
            }
        }
    }
}

impl Subject {
    /// Waits for something new that may be told; nothing when this process is about to end.
    async fn next(&mut self, console: &Console) -> Option<What> {
        match self {
            Subject::Account { looking, let_in, .. } => Some(looking.next().await?.only(let_in.hears)),
            Subject::Installation { picture, looks } => loop {
                tokio::select! {
                    () = console.gateway.until_looking_ends() => return None,
                    _ = looks.tick() => {}
                }
                // What could not be read now is looked at again in a second.
                let Ok(now) = Picture::of(console).await else { continue };
                let new = now.changed_since(picture);
                **picture = now;
                if !new.is_nothing() {
                    return Some(new);
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_holds_so_many_streams_and_there_are_so_many_in_all() {
        let streams = Arc::new(Streams::default());
        let mut held: Vec<Seat> = (0..OF_LOGIN_MAX).map(|_| streams.take(LoginId(1)).unwrap()).collect();
        assert!(matches!(streams.take(LoginId(1)), Err(Stop::TooMany(_))));
        held.pop();
        held.push(streams.take(LoginId(1)).expect("a place is free again"));
        for login in 2.. {
            match streams.take(LoginId(login)) {
                Ok(seat) => held.push(seat),
                Err(stop) => {
                    assert!(matches!(stop, Stop::Busy));
                    break;
                }
            }
        }
        assert_eq!(held.len(), ALL_MAX);
        drop(held);
        assert!(streams.counts().is_empty(), "nothing is kept of those who left");
    }
}
