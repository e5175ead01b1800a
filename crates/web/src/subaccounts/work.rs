//! Work with many accounts below: how far it is while it goes on, and what became of each of them. One may
//! leave the page and come back.

use std::time::Duration;

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use domain::permission::Action;
use gateway::works::{self, Kind, Part, State, Work};
use tokio::task::JoinHandle;

use crate::door::Place;
use crate::error::Stop;
use crate::format::Time;
use crate::page::{self, Shell};
use crate::parts::{Badge, Progress};
use crate::{Console, events, once};

/// How many parts a page shows.
const SHOWN_MAX: usize = 500;
/// For so long the page of a short piece of work waits for its end.
const PATIENCE: Duration = Duration::from_millis(800);
/// Work of the last so long is told on the page of the subaccounts.
const LATELY: Duration = Duration::from_secs(86_400);
/// How much of it.
const LATELY_MAX: i64 = 3;

/// Where work of a kind is looked at.
fn way(place: &Place, kind: Kind, name: &str) -> String {
    let page = match kind {
        Kind::Import => "import",
        Kind::Transfer => "transfer",
        Kind::Suspend => "suspend",
    };
    place.href(&format!("subaccounts/{page}/{name}"))
}

/// Who may look at it.
fn action(kind: Kind) -> Action {
    match kind {
        Kind::Import | Kind::Suspend => Action::ManageSubaccounts,
        Kind::Transfer => Action::MoveCredits,
    }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Import => "Import",
        Kind::Transfer => "Hand out credits",
        Kind::Suspend => "Suspend",
    }
}

/// The way to the page of work that has been begun just now, or is under way already.
pub(super) async fn begun(
    place: &Place,
    kind: Kind,
    name: &str,
    doing: Option<JoinHandle<()>>,
) -> Result<Response, Stop> {
    if let Some(doing) = doing {
        // It goes on, whether somebody waits for it or not.
        let _ = tokio::time::timeout(PATIENCE, doing).await;
    }
    Ok(Redirect::to(&way(place, kind, name)).into_response())
}

#[derive(Template)]
#[template(path = "a/subaccounts/work.html")]
struct Page {
    shell: Shell,
    title: &'static str,
    progress: Option<Progress>,
    broke: Option<String>,
    words: String,
    parts: Vec<Became>,
    shows_lines: bool,
    more: String,
    /// The form that goes on with what broke off: where it goes, and all it holds.
    goes_on: Option<(String, Vec<(String, String)>)>,
    another: Option<String>,
    list: String,
}

struct Became {
    line: i64,
    badge: Badge,
    name: String,
    href: Option<String>,
    why: String,
}

/// The page of some work.
pub(super) async fn show(console: &Console, place: &Place, kind: Kind, name: &str) -> Result<Response, Stop> {
    let gateway = &console.gateway;
    let events = events::way(console, place).await?;
    let work = works::find(gateway, place.account.id, kind, name).await?.ok_or(Stop::NotThere)?;
    let (parts, counts) = works::parts(gateway, &work, i64::try_from(SHOWN_MAX).unwrap_or(0)).await?;
    let format = place.format();
    let runs = work.runs(gateway.clock.now());
    let mut became = Vec::with_capacity(parts.len());
    for part in parts {
        became.push(Became::of(console, place, kind, part).await?);
    }
    let (good, all) = (counts[0] + counts[1], counts.iter().sum::<i64>());
    let hidden = all - i64::try_from(became.len()).unwrap_or(all);
    let cut_off = work.ended_at.is_none() && !runs;
    let broke = match (&work.error, cut_off) {
        (Some(error), _) => Some(error.clone()),
        (None, true) => Some("The server that was at it has gone.".to_owned()),
        (None, false) => None,
    };
    let here = place.href("subaccounts");
    page::draw(&Page {
        title: title(kind),
        progress: runs.then(|| progress(&work)),
        words: if runs { String::new() } else { came_out(kind, good, all, place) },
        goes_on: broke.as_ref().filter(|_| kind != Kind::Import).and_then(|_| {
            let mut fields: Vec<(String, String)> = serde_json::from_str(&work.content).ok()?;
            fields.push((once::FIELD.to_owned(), work.name.clone()));
            let page = if kind == Kind::Transfer { "transfer" } else { "suspend" };
            Some((format!("{here}/{page}"), fields))
        }),
        broke,
        parts: became,
        shows_lines: kind == Kind::Import,
        more: if hidden > 0 { format!("And {} more.", format.count(hidden)) } else { String::new() },
        another: (kind == Kind::Import).then(|| place.href("subaccounts/import")),
        shell: place.shell(title(kind)).under([("Subaccounts", here.clone())]).live(events),
        list: here,
    })
}

fn progress(work: &Work) -> Progress {
    let label = match work.kind {
        Kind::Import => "Creating the accounts",
        Kind::Transfer => "Handing out the credits",
        Kind::Suspend => "Suspending the accounts",
    };
    Progress { label: label.to_owned(), done: work.done.min(work.total), of: work.total.max(1) }
}

fn came_out(kind: Kind, good: i64, all: i64, place: &Place) -> String {
    let (good, all) = (place.format().count(good), place.format().count(all));
    match kind {
        Kind::Import => format!("{good} of {all} lines became accounts."),
        Kind::Transfer => format!("{good} of {all} got their credits."),
        Kind::Suspend => format!("{good} of {all} are suspended."),
    }
}

impl Became {
    async fn of(console: &Console, place: &Place, kind: Kind, part: Part) -> Result<Became, Stop> {
        let account = match part.account {
            Some(id) => console.gateway.account(id).await?.filter(|account| place.account.is_above(account)),
            None => None,
        };
        let badge = match (kind, part.state) {
            (Kind::Import, State::Done) => Badge::new("good", "created"),
            (Kind::Import, State::Before) => Badge::new("good", "created before"),
            (Kind::Import, State::Refused) => Badge::new("bad", "not created"),
            (_, State::Refused) => Badge::new("bad", "not done"),
            (_, _) => Badge::new("good", "done"),
        };
        Ok(Became {
            line: part.place,
            badge,
            name: match (&account, part.account) {
                (Some(account), _) => account.name().to_owned(),
                (None, Some(id)) => id.to_string(),
                (None, None) => String::new(),
            },
            href: account.map(|account| place.href(&format!("subaccounts/{}", account.id))),
            why: part.words,
        })
    }
}

/// Work of the last day, on the page of the subaccounts.
pub(super) struct Lately {
    pub title: &'static str,
    pub href: String,
    pub progress: Option<Progress>,
    pub words: String,
    pub at: Time,
}

/// The newest work of the last day that the person may look at.
pub(super) async fn lately(console: &Console, place: &Place) -> Result<Vec<Lately>, Stop> {
    let now = console.gateway.clock.now();
    let all = works::lately(&console.gateway, place.account.id, LATELY, LATELY_MAX).await?;
    let one = |work: Work| Lately {
        title: title(work.kind),
        href: way(place, work.kind, &work.name),
        progress: work.runs(now).then(|| progress(&work)),
        words: match (work.ended_at, &work.error) {
            (Some(_), None) => "It is over.".to_owned(),
            (None, None) if work.runs(now) => String::new(),
            _ => "It broke off.".to_owned(),
        },
        at: place.format().ago(work.begun_at),
    };
    Ok(all.into_iter().filter(|work| place.may(action(work.kind))).map(one).collect())
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    Page {
        shell: Shell::sample("Import").live("/a/1/events".into()),
        title: "Import",
        progress: Some(Progress { label: "Creating".into(), done: 1, of: 3 }),
        broke: Some("It broke <b>off.".into()),
        words: "1 of 3 lines became accounts.".into(),
        parts: vec![Became {
            line: 2,
            badge: Badge::new("bad", "not created"),
            name: "<i>Köln</i>".into(),
            href: Some("/a/1/subaccounts/2".into()),
            why: "Because <b>Köln</b>.".into(),
        }],
        shows_lines: true,
        more: "And 3 more.".into(),
        goes_on: Some(("/a/1/subaccounts/transfer".into(), vec![("reference".into(), "<b>K".into())])),
        another: Some("/a/1/subaccounts/import".into()),
        list: "/a/1/subaccounts".into(),
    }
}
