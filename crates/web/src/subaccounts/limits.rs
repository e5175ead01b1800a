//! What bounds one account below, and where each bound is set.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::credits::Credits;
use domain::id::LimitId;
use domain::permission::{Action, Verdict};

use super::below::{Below, Head};
use crate::door::Place;
use crate::error::Stop;
use crate::form::Typed;
use crate::limits::{About, Part};
use crate::page::{self, Shell};
use crate::{Console, flash};

#[derive(Template)]
#[template(path = "a/subaccounts/limits.html")]
struct Limits {
    shell: Shell,
    head: Head,
    part: Part,
    limits: Vec<Limit>,
}

/// A bound.
struct Limit {
    what: &'static str,
    means: &'static str,
    now: String,
    by: &'static str,
    /// Where it is changed: words and an address.
    change: Option<(&'static str, String)>,
}

fn about<'a>(place: &Place, below: &'a Below) -> About<'a> {
    About {
        account: &below.account,
        viewer: place.account.id,
        may_set: below.may(Action::ManageSubaccounts),
        own: below.href("limits"),
    }
}

async fn drawn(console: &Console, place: &Place, below: &Below, typed: &Typed) -> Result<Limits, Stop> {
    Ok(Limits {
        shell: below.shell("Limits"),
        head: below.head("limits"),
        part: Part::of(console, place, about(place, below), typed).await?,
        limits: limits(console, place, below),
    })
}

/// `GET /a/{id}/subaccounts/{child}/limits`.
pub async fn show(State(console): State<Console>, place: Place, below: Below) -> Result<Response, Stop> {
    below.must(Action::SeeCredits)?;
    page::draw(&drawn(&console, &place, &below, &Typed::default()).await?)
}

/// `POST /a/{id}/subaccounts/{child}/limits`.
pub async fn set(
    State(console): State<Console>,
    place: Place,
    below: Below,
    mut typed: Typed,
) -> Result<Response, Stop> {
    below.must(Action::ManageSubaccounts)?;
    match crate::limits::set(&console, &about(&place, &below), &mut typed, &below.actor()).await? {
        Some(words) => Ok(flash::done(&below.href("limits"), &words)),
        None => page::draw_again(&drawn(&console, &place, &below, &typed).await?),
    }
}

/// `POST /a/{id}/subaccounts/{child}/limits/{limit}/remove`.
pub async fn remove(
    State(console): State<Console>,
    place: Place,
    below: Below,
    Path((_, _, limit)): Path<(i64, i64, i64)>,
) -> Result<Response, Stop> {
    below.must(Action::ManageSubaccounts)?;
    let (about, mut typed) = (about(&place, &below), Typed::default());
    match crate::limits::remove(&console, &about, LimitId(limit), &mut typed, &below.actor()).await? {
        Some(words) => Ok(flash::done(&below.href("limits"), &words)),
        None => page::draw_again(&drawn(&console, &place, &below, &typed).await?),
    }
}

fn limits(console: &Console, place: &Place, below: &Below) -> Vec<Limit> {
    let (account, format) = (&below.account, place.format());
    let max = |amount: Option<Credits>| amount.map_or_else(|| "no ceiling".to_owned(), |a| format.exact(a));
    let rule = account.auto_transfer;
    let inside = match below.verdict(Action::ManageSettings) {
        Verdict::StepIn(_) => Some(("Step in to change it", below.step_in_to("settings"))),
        _ => None,
    };
    let credits =
        below.may(Action::MoveCredits).then(|| ("Change it", format!("{}#automatic", below.href("credits"))));
    let prices = below.may(Action::SeePrices).then(|| ("See them", below.href("prices")));
    let (depth, depth_max) = (account.path.len(), console.gateway.rules.depth_max);
    vec![
        Limit {
            what: "Balance",
            means: "It sends what its credits pay for, down to this.",
            now: format.exact(-account.credit_line),
            by: "The operator",
            change: None,
        },
        Limit {
            what: "Automatic transfer, a day",
            means: "The most that comes by itself on one day.",
            now: rule.map_or_else(|| "off".to_owned(), |rule| max(rule.day_max)),
            by: "Whoever is above it",
            change: credits.clone(),
        },
        Limit {
            what: "Automatic transfer, a month",
            means: "The most that comes by itself in one month.",
            now: rule.map_or_else(|| "off".to_owned(), |rule| max(rule.month_max)),
            by: "Whoever is above it",
            change: credits,
        },
        Limit {
            what: "Messages to one recipient, a day",
            means: "More than that are refused, so that a fault cannot flood one phone.",
            now: match account.settings.recipient_day_max {
                0 => "no limit".to_owned(),
                most => format.count(most),
            },
            by: "Its own settings",
            change: inside.clone(),
        },
        Limit {
            what: "The same text twice",
            means: "To the same recipient within 180 seconds.",
            now: if account.settings.reload_lock { "refused" } else { "sent" }.to_owned(),
            by: "Its own settings",
            change: inside,
        },
        Limit {
            what: "Countries",
            means: "It sends to every country its price list has a price for.",
            now: "those with a price".to_owned(),
            by: "The price list",
            change: prices,
        },
        Limit {
            what: "Accounts below it",
            means: "How deep a tree may grow.",
            now: if depth < depth_max { "any number" } else { "none: it is at the deepest level" }.to_owned(),
            by: "The operator",
            change: None,
        },
    ]
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let limit = |change| Limit {
        what: "Balance",
        means: "Down to <this>.",
        now: "€0.00".into(),
        by: "The operator",
        change,
    };
    let limits = vec![limit(None), limit(Some(("Change it", "/a/1".into())))];
    let part = crate::limits::tests::sample_part();
    Limits { shell: Shell::sample("Limits"), head: Head::sample("limits"), part, limits }
}
