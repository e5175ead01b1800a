//! Pages of whoever runs the installation: how its lines are doing, its trees, what it sells for, its
//! mails, the work that failed and the proof of its books.

pub mod account;
pub mod mails;
pub mod prices;
pub mod trees;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use gateway::dispatch::LineState;
use gateway::operator::{self, checks};
use storage::checks::Check;
use storage::jobs::Failed;

use crate::error::Stop;
use crate::format::{Format, Time};
use crate::page::{self, Shell};
use crate::parts::{Badge, Figure, Progress, Tabs};
use crate::signed_in::Person;
use crate::{Console, flash};

/// How many checks of the books are shown.
const CHECKS: i64 = 5;
/// How many pieces of work that failed are shown.
const JOBS: i64 = 20;

/// The pages of the operator, one of them open.
fn tabs(open: &str) -> Tabs {
    let all = [
        ("/operator", "Installation"),
        ("/operator/trees", "Accounts"),
        ("/operator/prices", "Routes and prices"),
        ("/operator/mails", "Mails"),
    ];
    Tabs {
        label: "Operator".to_owned(),
        tabs: all.map(|(href, words)| (words.to_owned(), href.to_owned(), href == open)).into(),
    }
}

/// The shell of a page of the operator.
async fn shell(console: &Console, headers: &HeaderMap, person: &Person, title: &str) -> Result<Shell, Stop> {
    Ok(Shell::of_person(console, headers, person).await?.titled(title).wide())
}

#[derive(Template)]
#[template(path = "operator/index.html")]
struct Installation {
    shell: Shell,
    tabs: Tabs,
    figures: Vec<Figure>,
    lines: Vec<Line>,
    checks: Vec<Checked>,
    under_way: Option<Progress>,
    jobs: Vec<Job>,
    waiting: String,
}

/// A carrier's line.
struct Line {
    name: String,
    state: Badge,
    since: Time,
    sessions: String,
    window: String,
    rate: String,
    queued: String,
    taken: String,
    errors: String,
    delivered: String,
    has_errors: bool,
}

impl Line {
    fn of(line: &LineState, format: &Format) -> Line {
        let sum = |of: fn(&gateway::recent::Said) -> u64| line.minutes.iter().map(of).sum::<u64>() as i64;
        let taken = sum(|said| said.taken);
        let errors = sum(|said| said.refused + said.later + said.lost);
        let (delivered, failed) = (sum(|said| said.delivered), sum(|said| said.failed));
        let none = || "–".to_owned();
        Line {
            name: line.name.to_string(),
            state: if line.room > 0 { Badge::new("good", "up") } else { Badge::new("bad", "down") },
            since: format.ago(line.since),
            sessions: line.width.map_or_else(none, |w| format!("{} of {}", w.sessions, w.sessions_wanted)),
            window: match line.room {
                0 => none(),
                // A line without a window of its own takes whatever comes.
                room if room > 1_000_000 => format!("{} under way", format.count(line.used as i64)),
                room => format!("{} of {}", format.count(line.used as i64), format.count(room as i64)),
            },
            rate: match line.width.map(|w| w.rate) {
                Some(rate) if rate > 0 => format!("{} a second", format.count(i64::from(rate))),
                _ => "no limit".to_owned(),
            },
            queued: format.count(line.queued as i64),
            taken: format.count(taken),
            errors: match errors {
                0 => "0".to_owned(),
                errors => format!("{} ({})", format.count(errors), format.percent(errors, taken + errors)),
            },
            has_errors: errors > 0,
            delivered: match delivered + failed {
                0 => none(),
                all => format.percent(delivered, all),
            },
        }
    }
}

/// A check of the books that has ended.
struct Checked {
    state: Badge,
    words: String,
    by: String,
    at: Time,
    broken: Vec<String>,
}

impl Checked {
    fn of(check: &Check, format: &Format) -> Checked {
        let (state, words) = match (&check.found, &check.error) {
            (Some(found), _) => {
                let counts = format!(
                    "{}, {}, {}",
                    format.many(found.accounts, "account", "accounts"),
                    format.many(found.transfers, "transfer", "transfers"),
                    format.many(found.messages, "message", "messages")
                );
                match found.ok {
                    true => (Badge::new("good", "proved"), counts),
                    false => {
                        let broken = format.many(found.broken_count, "fault", "faults");
                        (Badge::new("bad", broken), counts)
                    }
                }
            }
            (None, Some(error)) => (Badge::new("warn", "not ended"), error.clone()),
            (None, None) => (Badge::new("warn", "not ended"), "The server that checked has gone.".to_owned()),
        };
        Checked {
            state,
            words,
            by: check.begun_by.clone(),
            at: format.time(check.begun_at),
            broken: check.found.as_ref().map(|found| found.broken.clone()).unwrap_or_default(),
        }
    }
}

/// A piece of work that was tried and failed.
struct Job {
    id: i64,
    words: String,
    tried: String,
    next: Time,
    error: String,
}

impl Job {
    fn of(job: Failed, format: &Format) -> Job {
        Job {
            id: job.id,
            words: format!("{} {}", job.kind.replace('_', " "), job.reference),
            tried: format.many(job.attempts, "time", "times"),
            next: format.time(job.due_at),
            error: job.error.unwrap_or_default(),
        }
    }
}

/// `GET /operator`.
pub async fn show(
    State(console): State<Console>,
    headers: HeaderMap,
    person: Person,
) -> Result<Response, Stop> {
    let shell = shell(&console, &headers, &person, "Installation").await?.live("/operator/events".to_owned());
    let format = &shell.format;
    let lines = operator::lines(&console.gateway);
    let jobs = operator::jobs(&console.gateway, JOBS).await?;
    let all = checks::newest(&console.gateway, CHECKS).await?;
    let now = console.gateway.clock.now();
    let is_under_way = |check: &Check| {
        check.ended_at.is_none()
            && check.found.is_none()
            && check.error.is_none()
            && now.0 - check.seen_at.0 < 60_000_000
    };
    let under_way = all.iter().find(|check| is_under_way(check)).map(|check| Progress {
        label: "Checking the books".to_owned(),
        done: check.done,
        of: check.total.max(1),
    });
    let up = lines.iter().filter(|line| line.room > 0).count();
    let queued: usize = lines.iter().map(|line| line.queued).sum();
    let last = all.iter().find(|check| check.ended_at.is_some());
    let books = match last.and_then(|check| check.found.as_ref()) {
        Some(found) if found.ok => ("Proved", "good"),
        Some(_) => ("Broken", "bad"),
        None => ("Not yet checked", "calm"),
    };
    page::draw(&Installation {
        tabs: tabs("/operator"),
        figures: vec![
            Figure::new("Carriers up", format!("{up} of {}", lines.len())).tone(if up == lines.len() {
                "good"
            } else {
                "bad"
            }),
            Figure::new("Waiting for a carrier", format.count(queued as i64)).note("messages in memory"),
            Figure::new("Work that failed", format.count(jobs.failed)).note("tried again by itself"),
            Figure::new("Books", books.0).tone(books.1),
        ],
        lines: lines.iter().map(|line| Line::of(line, format)).collect(),
        checks: all.iter().filter(|c| !is_under_way(c)).map(|check| Checked::of(check, format)).collect(),
        under_way,
        waiting: format.many(jobs.all, "piece of work waits", "pieces of work wait"),
        jobs: jobs.worst.into_iter().map(|job| Job::of(job, format)).collect(),
        shell,
    })
}

/// `POST /operator/check`: begins to check the books. It goes on by itself.
pub async fn check(State(console): State<Console>, person: Person) -> Result<Response, Stop> {
    match checks::begin(&console.gateway, &person.operator()).await? {
        true => Ok(flash::done("/operator", "The books are being checked. You can leave this page.")),
        false => Ok(flash::failed("/operator", "A check is under way already.")),
    }
}

/// `POST /operator/jobs/{job}/retry`.
pub async fn retry(
    State(console): State<Console>,
    person: Person,
    Path(job): Path<i64>,
) -> Result<Response, Stop> {
    match operator::retry_now(&console.gateway, job, &person.operator()).await? {
        true => Ok(flash::done("/operator", "It is tried again now.")),
        false => Ok(flash::failed("/operator", "It was done meanwhile.")),
    }
}
