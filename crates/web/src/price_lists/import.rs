//! Prices from a CSV file: what it changes, and for whom, is told before anything is applied.

use askama::Template;
use axum::extract::{Multipart, State};
use axum::response::Response;
use domain::account::Account;
use domain::credits::Credits;
use domain::price::BelowCost;
use gateway::prices::{self, Applied, ForAccount, ImportError, Kind, List, Preview, RowError, Sold};

use super::desk::Desk;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::format::{Format, Time};
use crate::page::{self, Shell};
use crate::parts::{Badge, Figure};
use crate::sign_in::sentence;
use crate::upload::{given, plain};
use crate::{Console, flash};

/// How many lines a page shows.
const SHOWN_MAX: usize = 500;

#[derive(Template)]
#[template(path = "price-lists/import.html")]
struct Import {
    shell: Shell,
    name: String,
    own: String,
    summary: Summary,
    wrong: Option<String>,
    problems: Vec<(u64, String)>,
    more: String,
    rows: Field,
    columns: Vec<(&'static str, &'static str)>,
}

/// `GET .../prices/lists/{list}/import`: where a file is given.
pub async fn show(State(console): State<Console>, desk: Desk) -> Result<Response, Stop> {
    let list = opened(&console, &desk).await?;
    page::draw(&begun(&desk, &list, &Typed::default(), None))
}

async fn opened(console: &Console, desk: &Desk) -> Result<List, Stop> {
    prices::find(&console.gateway, desk.owner, desk.list()?).await?.ok_or(Stop::NotThere)
}

fn begun(desk: &Desk, list: &List, typed: &Typed, wrong: Option<(&[RowError], usize)>) -> Import {
    let (told, count) = wrong.unwrap_or_default();
    Import {
        name: list.name.clone(),
        own: format!("{}/import", desk.href_of(list.id)),
        summary: typed.summary(),
        wrong: typed.error("file").map(str::to_owned),
        problems: told.iter().map(|row| (row.line, format!("{}: {}", row.field, row.problem))).collect(),
        more: match count.saturating_sub(told.len()) {
            0 => String::new(),
            hidden => format!("And {hidden} more."),
        },
        rows: typed
            .area("rows", "Or paste its lines")
            .rows(6)
            .example("country,network,price,effective_from"),
        columns: vec![
            ("country", "two letters such as DE, or * for the rest of the world; required"),
            ("price", "of a segment, as 0.075; or end, for none of its own any more; required"),
            ("network", "MCC and MNC such as 26201; empty is the whole country"),
            ("effective_from", "2026-12-01, or 2026-12-01T12:00:00+01:00; empty is now"),
            ("product", "sms, if it is empty"),
            ("comment", "kept in the history"),
        ],
        shell: desk.shell_of(list, "Import"),
    }
}

#[derive(Template)]
#[template(path = "price-lists/check.html")]
struct Checked {
    shell: Shell,
    name: String,
    own: String,
    back: String,
    file: String,
    token: String,
    summary: Summary,
    figures: Vec<Figure>,
    losses: Vec<(String, String, String)>,
    below_cost: Option<Field>,
    accounts: Vec<For>,
    rows: Vec<Line>,
    more: String,
    changes: bool,
}

struct For {
    name: String,
    href: String,
    segments: String,
    before: String,
    after: String,
    change: String,
    is_dearer: bool,
    is_alone: bool,
}

impl For {
    fn of(one: &ForAccount, desk: &Desk, format: &Format) -> For {
        let change = one.after.checked_sub(one.before).unwrap_or(Credits::ZERO);
        let sign = if change.0 > 0 { "+" } else { "" };
        For {
            name: one.account.name().to_owned(),
            href: desk.href_of_account(&one.account),
            segments: format.count(one.segments),
            before: format.money(one.before),
            after: format.money(one.after),
            change: match (change.0, one.before.0) {
                (0, _) => "no change".to_owned(),
                (_, 0) => format.change(change),
                (change, before) => format!("{sign}{}", format.percent(change, before)),
            },
            is_dearer: change.0 > 0,
            is_alone: one.is_alone,
        }
    }
}

struct Line {
    line: u64,
    destination: String,
    kind: Badge,
    before: String,
    after: String,
    from: Option<Time>,
}

impl Line {
    fn of(row: &Sold, format: &Format) -> Line {
        let word = |price: Option<Credits>, none: &str| {
            price.map_or_else(|| none.to_owned(), |price| format.exact(price))
        };
        let (tone, kind) = match row.kind {
            Kind::Added => ("busy", "added"),
            Kind::Dearer => ("warn", "dearer"),
            Kind::Cheaper => ("good", "cheaper"),
            Kind::Ended => ("warn", "ended"),
            Kind::Same => ("calm", "unchanged"),
        };
        Line {
            line: row.line,
            destination: prices::destination_words(&row.destination),
            kind: Badge::new(tone, kind),
            before: word(row.before, "–"),
            after: word(row.after, "ends"),
            from: row.from.map(|at| format.time(at)),
        }
    }
}

/// `POST .../prices/lists/{list}/import`: tells what a file would do.
pub async fn check(
    State(console): State<Console>,
    desk: Desk,
    multipart: Multipart,
) -> Result<Response, Stop> {
    let list = opened(&console, &desk).await?;
    let mut typed = Typed::default();
    if let Some(file) = given(multipart, &mut typed).await? {
        match prices::check(&console.gateway, desk.owner, list.id, file.as_bytes()).await {
            Ok(preview) => return page::draw(&checked(&desk, &preview, file, &Typed::default())),
            Err(error) => return refused(&desk, &list, error, file),
        }
    }
    page::draw_again(&begun(&desk, &list, &typed, None))
}

/// The form once more, with what is wrong with the file and its lines to be mended.
fn refused(desk: &Desk, list: &List, error: ImportError, file: String) -> Result<Response, Stop> {
    let mut typed = Typed::of([("rows", &file)]);
    match error {
        ImportError::Storage(error) => Err(error.into()),
        ImportError::NotFound => Err(Stop::NotThere),
        ImportError::Rows(rows, count) => {
            typed.wrong("file", "Some lines are wrong. Nothing was taken in.");
            page::draw_again(&begun(desk, list, &typed, Some((&rows, count))))
        }
        error => {
            typed.wrong("file", sentence(&error));
            page::draw_again(&begun(desk, list, &typed, None))
        }
    }
}

fn checked(desk: &Desk, preview: &Preview, file: String, typed: &Typed) -> Checked {
    let shell = desk.shell_of(&preview.list, "Check the import");
    let format = &shell.format;
    let own = format!("{}/import", desk.href_of(preview.list.id));
    let count = |kind| i64::try_from(preview.count(kind)).unwrap_or(i64::MAX);
    let figure = |words: &str, kind| Figure::new(words, format.count(count(kind)));
    let loss = |(account, below): &(Account, BelowCost)| {
        let BelowCost { destination, from, price, cost } = below;
        let words = format!(
            "{} for {} from {} on; the account above it pays {}",
            prices::destination_words(destination),
            format.exact(price),
            format.time(from).words(),
            format.exact(cost)
        );
        (account.name().to_owned(), desk.href_of_account(account), words)
    };
    Checked {
        name: preview.list.name.clone(),
        back: own.clone(),
        own: format!("{own}/apply"),
        token: preview.token.clone(),
        summary: typed.summary(),
        figures: vec![
            figure("Added", Kind::Added),
            figure("Dearer", Kind::Dearer),
            figure("Cheaper", Kind::Cheaper),
            figure("Ended", Kind::Ended),
            figure("Unchanged", Kind::Same),
        ],
        losses: preview.losses.iter().take(SHOWN_MAX).map(loss).collect(),
        below_cost: (!preview.losses.is_empty() || typed.error("below_cost").is_some()).then(|| {
            typed.tick(
                "below_cost",
                "Let them sell below cost: the difference is taken from the account above",
            )
        }),
        accounts: preview.accounts.iter().map(|one| For::of(one, desk, format)).collect(),
        changes: preview.count(Kind::Same) < preview.rows.len(),
        rows: preview.rows.iter().take(SHOWN_MAX).map(|row| Line::of(row, format)).collect(),
        more: match preview.rows.len().saturating_sub(SHOWN_MAX) {
            0 => String::new(),
            hidden => format!("And {hidden} more."),
        },
        file,
        shell,
    }
}

/// `POST .../prices/lists/{list}/import/apply`: does what was told, once.
pub async fn apply(State(console): State<Console>, desk: Desk, mut typed: Typed) -> Result<Response, Stop> {
    let list = opened(&console, &desk).await?;
    let (file, token) = (plain(typed.raw("file")), typed.text("token").to_owned());
    let allow = typed.ticked("below_cost");
    let gateway = &console.gateway;
    let applied =
        prices::apply(gateway, (desk.owner, list.id), file.as_bytes(), &token, allow, &desk.actor).await;
    match applied {
        Ok(Applied::Now(done)) => {
            let words =
                format!("{} new, {} replaced, {} unchanged.", done.added, done.replaced, done.unchanged);
            Ok(flash::done(&desk.href_of(list.id), &words))
        }
        Ok(Applied::Before) => Ok(flash::done(&desk.href_of(list.id), "This file was taken in already.")),
        Err(error @ ImportError::BelowCost(_)) => {
            typed.wrong("below_cost", sentence(&error));
            let preview = match prices::check(gateway, desk.owner, list.id, file.as_bytes()).await {
                Ok(preview) => preview,
                Err(error) => return refused(&desk, &list, error, file),
            };
            page::draw_again(&checked(&desk, &preview, file, &typed))
        }
        Err(error) => refused(&desk, &list, error, file),
    }
}

#[cfg(test)]
pub(crate) fn sample() -> impl Template {
    let mut typed = Typed::of([("rows", "<b>Köln</b>")]);
    typed.wrong("file", "Line 1: <i>price</i> is missing.");
    Import {
        name: "<agency>".into(),
        own: "/a/1/prices/lists/2/import".into(),
        summary: typed.summary(),
        wrong: typed.error("file").map(str::to_owned),
        problems: vec![(3, "country: '<i>' is not a country".into())],
        more: "And 3 more.".into(),
        rows: typed.area("rows", "Paste"),
        columns: vec![("country", "required")],
        shell: Shell::sample("Import"),
    }
}

#[cfg(test)]
pub(crate) fn sample_of_check() -> impl Template {
    let mut typed = Typed::default();
    typed.wrong("below_cost", "<i>");
    let format = Shell::sample("").format;
    Checked {
        name: "<agency>".into(),
        own: "/a/1/prices/lists/2/import/apply".into(),
        back: "/a/1/prices/lists/2/import".into(),
        file: "country,price\n\"<b>K\",x".into(),
        token: "00ff".into(),
        summary: typed.summary(),
        figures: vec![Figure::new("Added", "3")],
        losses: vec![("<b>Köln</b>".into(), "/a/1/subaccounts/2/prices".into(), "Germany".into())],
        below_cost: Some(typed.tick("below_cost", "Let them")),
        accounts: vec![For {
            name: "<b>Köln</b>".into(),
            href: "/a/1/subaccounts/2/prices".into(),
            segments: "1,200".into(),
            before: "€90.00".into(),
            after: "€96.00".into(),
            change: "+6.7%".into(),
            is_dearer: true,
            is_alone: true,
        }],
        rows: vec![Line {
            line: 2,
            destination: "Germany".into(),
            kind: Badge::new("warn", "dearer"),
            before: "€0.075".into(),
            after: "€0.08".into(),
            from: Some(format.time(format.now)),
        }],
        more: "And 3 more.".into(),
        changes: true,
        shell: Shell::sample("Check the import"),
    }
}
