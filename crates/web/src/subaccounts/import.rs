//! Accounts from a CSV file: what each line would do is told before anything is done; then they are
//! created while one looks on, or looks elsewhere.

use askama::Template;
use axum::extract::{Multipart, Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::permission::Action;
use gateway::account_import::{self, ImportError, Outcome, ROWS_MAX, Report};
use gateway::works::{self, Beginning, Doing, Kind, Part};

use super::work;
use crate::Console;
use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Summary, Typed};
use crate::page::{self, Shell};
use crate::sign_in::sentence;
use crate::transfers::NOT_TAKEN;
use crate::upload::{given, plain};

/// How many lines a page shows.
const SHOWN_MAX: usize = 500;

const SAMPLE: &str = "email,owner,company,preset,credits,auto_threshold,auto_amount,auto_day_max,auto_month_max,language,time_zone,invite\n\
    nord@example.com,Ada Nord,Branch North,branch,25.00,5.00,20.00,100.00,500.00,en,Europe/Berlin,yes\n\
    kunde@example.com,Max Kunde,Kunde GmbH,customer,,,,,,de,,yes\n\
    it@example.com,Ida Tech,IT department,department,10.00,,,,,,,no\n";

#[derive(Template)]
#[template(path = "a/subaccounts/import.html")]
struct Import {
    shell: Shell,
    summary: Summary,
    own: String,
    rows: Field,
    wrong: Option<String>,
    columns: Vec<(&'static str, &'static str)>,
    lines_max: String,
}

/// `GET /a/{id}/subaccounts/import`: where a file is given.
pub async fn show(place: Place) -> Result<Response, Stop> {
    page::draw(&begun(&place, &Typed::default()))
}

fn begun(place: &Place, typed: &Typed) -> Import {
    Import {
        shell: place.shell("Import subaccounts").under([("Subaccounts", place.href("subaccounts"))]),
        summary: typed.summary(),
        own: place.href("subaccounts/import"),
        rows: typed.area("rows", "Or paste its lines").rows(6).example("email,owner,company"),
        wrong: typed.error("file").map(str::to_owned),
        columns: vec![
            ("email", "its address, once in the installation; required"),
            ("owner", "first and last name; required"),
            ("company", "how it is called"),
            ("preset", "customer, department or branch"),
            ("credits", "handed out from here at once, as 25.00"),
            ("auto_threshold, auto_amount", "below which balance how much comes by itself"),
            ("auto_day_max, auto_month_max", "its ceilings"),
            ("language, time_zone", "such as de, Europe/Berlin"),
            ("invite", "yes, to invite the address to be its owner"),
        ],
        lines_max: place.format().count(i64::try_from(ROWS_MAX).unwrap_or(0)),
    }
}

/// `GET /a/{id}/subaccounts/import/sample.csv`: a file to begin with.
pub async fn sample_file(_: Place) -> Response {
    let name = "attachment; filename=\"subaccounts.csv\"";
    ([(CONTENT_TYPE, "text/csv; charset=utf-8"), (CONTENT_DISPOSITION, name)], SAMPLE).into_response()
}

#[derive(Template)]
#[template(path = "a/subaccounts/import-report.html")]
struct Checked {
    shell: Shell,
    own: String,
    back: String,
    file: String,
    token: String,
    lead: String,
    short: Option<String>,
    problems: Vec<(u64, String)>,
    rows: Vec<Line>,
    more: String,
    button: Option<String>,
}

struct Line {
    line: u64,
    name: String,
    email: String,
    kind: String,
    credits: String,
    invited: bool,
}

/// `POST /a/{id}/subaccounts/import`: tells what a file would do.
pub async fn check(
    State(console): State<Console>,
    place: Place,
    multipart: Multipart,
) -> Result<Response, Stop> {
    let mut typed = Typed::default();
    if let Some(file) = given(multipart, &mut typed).await? {
        match account_import::check(&console.gateway, file.as_bytes(), place.account.id).await {
            Ok(report) => return page::draw(&checked(&place, report, file)),
            Err(ImportError::Storage(error)) => return Err(error.into()),
            Err(error) => typed.wrong("file", sentence(&error)),
        }
    }
    page::draw_again(&begun(&place, &typed))
}

fn checked(place: &Place, report: Report, file: String) -> Checked {
    let format = place.format();
    let count = i64::try_from(report.rows.len()).unwrap_or(i64::MAX);
    let wrong = i64::try_from(report.problems.len()).unwrap_or(i64::MAX);
    let many = format.many(count, "account", "accounts");
    let mut lead = format!("{many} can be created below {}", place.account.name());
    if report.credits.is_positive() {
        lead.push_str(&format!(", with {} of its credits", format.exact(report.credits)));
    }
    lead.push_str(match wrong {
        0 => ". Nothing has been done yet.",
        _ => "; the lines with a problem are left out. Nothing has been done yet.",
    });
    let short = report.credits > report.available;
    let rows = report.rows.iter().take(SHOWN_MAX).map(|row| Line {
        line: row.line,
        name: row
            .new
            .company
            .clone()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| row.new.owner.clone()),
        email: row.new.email.as_str().to_owned(),
        kind: row.beginning.preset.map_or("", |preset| preset.as_str()).to_owned(),
        credits: match row.beginning.handed_down.is_positive() {
            true => format.exact(row.beginning.handed_down),
            false => String::new(),
        },
        invited: row.beginning.invites_owner,
    });
    let hidden = report.rows.len().saturating_sub(SHOWN_MAX);
    Checked {
        shell: place.shell("Check the import").under([
            ("Subaccounts", place.href("subaccounts")),
            ("Import", place.href("subaccounts/import")),
        ]),
        own: place.href("subaccounts/import/run"),
        back: place.href("subaccounts/import"),
        short: short.then(|| {
            format!(
                "{} holds {}, which is less than the file hands out. The lines it does not reach for will not be created.",
                place.account.name(),
                format.money(report.available)
            )
        }),
        problems: report.problems.iter().map(|p| (p.line, format!("{}: {}", p.field, p.problem))).collect(),
        rows: rows.collect(),
        more: match hidden {
            0 => String::new(),
            _ => format!("And {} more.", format.count(i64::try_from(hidden).unwrap_or(i64::MAX))),
        },
        button: (count > 0).then(|| format!("Create {many}")),
        token: report.token,
        lead,
        file,
    }
}

/// `POST /a/{id}/subaccounts/import/run`: begins to create them, and leads to where one can look on.
pub async fn run(State(console): State<Console>, place: Place, mut typed: Typed) -> Result<Response, Stop> {
    let id = place.account.id;
    let (file, token) = (plain(typed.raw("file")), typed.text("token").to_owned());
    // What was told is checked again; it may not be true any more.
    let report = match account_import::check(&console.gateway, file.as_bytes(), id).await {
        Ok(report) if report.token == token => report,
        Ok(_) => {
            typed.wrong("file", "The file is not the one that was checked. Check it again.");
            return page::draw_again(&begun(&place, &typed));
        }
        Err(ImportError::Storage(error)) => return Err(error.into()),
        Err(error) => {
            typed.wrong("file", sentence(&error));
            return page::draw_again(&begun(&place, &typed));
        }
    };
    let hands_out =
        report.credits.is_positive() || report.rows.iter().any(|row| row.beginning.auto_transfer.is_some());
    if hands_out && !place.may(Action::MoveCredits) {
        return Err(Stop::Missing(Action::MoveCredits));
    }
    let lines = report.rows.len() + report.problems.chunk_by(|one, next| one.line == next.line).count();
    let actor = place.actor();
    let begun = works::begin(&console.gateway, id, Kind::Import, (&token, &token), lines, &actor).await?;
    let doing = match begun {
        Beginning::Yours(doing) => {
            Some(tokio::spawn(create(console, place.clone(), file, token.clone(), doing)))
        }
        // The token is a name of all that the file holds, so it is the same.
        Beginning::UnderWay | Beginning::Other => None,
    };
    work::begun(&place, Kind::Import, &token, doing).await
}

/// Creates them, line by line.
async fn create(console: Console, place: Place, file: String, token: String, doing: Doing) {
    let told = |line: u64, outcome: &Outcome| {
        let (account, state, words) = match outcome {
            Outcome::Created(account) => (Some(account.id), works::State::Done, String::new()),
            Outcome::Before(Some(account)) => (Some(account.id), works::State::Before, String::new()),
            Outcome::Before(None) => (None, works::State::Before, "It was closed since.".to_owned()),
            Outcome::Refused(why) => (None, works::State::Refused, sentence(&why)),
        };
        doing.tell(Part { place: i64::try_from(line).unwrap_or(i64::MAX), account, state, words });
    };
    let (id, actor) = (place.account.id, place.actor());
    let applied = account_import::apply(&console.gateway, file.as_bytes(), id, &token, &actor, told).await;
    let error = applied.err().map(|error| {
        tracing::warn!(account = id.0, %error, "an import of accounts broke off");
        match error {
            account_import::ImportError::Storage(_) => NOT_TAKEN.to_owned(),
            error => sentence(&error),
        }
    });
    doing.end(error).await;
}

/// `GET /a/{id}/subaccounts/import/{token}`: how far it is, and what became of each line.
pub async fn result(
    State(console): State<Console>,
    place: Place,
    Path((_, token)): Path<(String, String)>,
) -> Result<Response, Stop> {
    work::show(&console, &place, Kind::Import, &token).await
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn sample() -> impl Template {
        let mut typed = Typed::of([("rows", "<b>Köln</b>")]);
        typed.wrong("file", "Line 1: <i>owner</i> is missing.");
        Import {
            shell: Shell::sample("Import"),
            summary: typed.summary(),
            own: "/a/1/subaccounts/import".into(),
            rows: typed.area("rows", "Paste"),
            wrong: typed.error("file").map(str::to_owned),
            columns: vec![("email", "required")],
            lines_max: "5,000".into(),
        }
    }

    pub fn sample_of_report() -> impl Template {
        Checked {
            shell: Shell::sample("Check"),
            own: "/a/1/subaccounts/import/run".into(),
            back: "/a/1/subaccounts/import".into(),
            file: "email,owner\n\"<b>K\",x".into(),
            token: "00ff".into(),
            lead: "2 accounts can be created below <Nordlicht>.".into(),
            short: Some("It holds less.".into()),
            problems: vec![(3, "email: '<i>' is not an address".into())],
            rows: vec![Line {
                line: 2,
                name: "<b>Köln</b>".into(),
                email: "a@example.com".into(),
                kind: "branch".into(),
                credits: "€5.00".into(),
                invited: true,
            }],
            more: "And 3 more.".into(),
            button: Some("Create 2 accounts".into()),
        }
    }
}
