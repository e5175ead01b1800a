//! Accounts from a CSV file: what is wrong with which line is reported before anything is done, and
//! then exactly what was reported is done, line by line. Asked again, what was created is not created
//! twice, so whatever broke off half-way can go on.
//!
//! ```csv
//! email,owner,company,preset,credits,invite
//! nord@example.com,Ada Nord,Filiale Nord,branch,25.00,yes
//! kunde@example.com,Max Kunde,Kunde GmbH,customer,,yes
//! ```

use std::collections::HashMap;

use domain::account::{Account, AccountState, AutoTransfer, Email, Preset};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use sha2::{Digest, Sha256};
use storage::{Error, accounts, ledger};

use crate::accounts::{Beginning, CreateError, NAME_MAX, NewAccount, create_with, effective_state};
use crate::base::Base;
use crate::prices::RowError;
use crate::settings::{self, Change};

/// The columns of a file; `email` and `owner` must be there.
pub const COLUMNS: [&str; 12] = [
    "email",
    "owner",
    "company",
    "preset",
    "credits",
    "auto_threshold",
    "auto_amount",
    "auto_day_max",
    "auto_month_max",
    "language",
    "time_zone",
    "invite",
];
/// The most lines of a file.
pub const ROWS_MAX: usize = 5_000;
/// The most bytes of a file.
pub const BYTES_MAX: usize = 2 << 20;

/// A line that can be done.
#[derive(Clone, Debug)]
pub struct Row {
    /// The line of the file, the first being 1.
    pub line: u64,
    /// The account to be created.
    pub new: NewAccount,
    /// What it begins with.
    pub beginning: Beginning,
}

/// What a file would do.
#[derive(Clone, Debug)]
pub struct Report {
    /// Says that this report was seen; [`apply`] wants it.
    pub token: String,
    /// The lines that can be done, in their order.
    pub rows: Vec<Row>,
    /// What is wrong with others, in their order.
    pub problems: Vec<RowError>,
    /// What all of it takes of the account above.
    pub credits: Credits,
    /// What the account above holds now.
    pub available: Credits,
}

/// Why a file was not read. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is not a table.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// The first line does not name the columns.
    #[error("line 1: {problem}; the columns are {columns}", problem = .0, columns = COLUMNS.join(","))]
    Header(String),
    /// It has no lines.
    #[error("the file has no accounts; write one line for each below the first")]
    Empty,
    /// It has too many.
    #[error("the file has more than {ROWS_MAX} accounts; split it")]
    TooMany,
    /// There is no such account to stand below.
    #[error("there is no account {0} to create accounts below")]
    ParentNotFound(AccountId),
    /// The account above cannot have any now.
    #[error("account {parent} is {}; activate it before creating accounts below it", .state.as_str())]
    ParentNotActive {
        /// The account above.
        parent: AccountId,
        /// Its effective state.
        state: AccountState,
    },
    /// The tree would become too deep.
    #[error("account {0} is at the greatest depth and can have no accounts below it")]
    TooDeep(AccountId),
    /// It is not what was reported on.
    #[error("the file is not the one that was checked; check it again before it is done")]
    Changed,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// What became of a line.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The account was created now.
    Created(Box<Account>),
    /// It was created before, by the same file; it may be closed since.
    Before(Option<Box<Account>>),
    /// It was not created, and why.
    Refused(String),
}

/// Checks a file and says, line by line, what it would do below an account. Nothing is done.
///
/// # Errors
/// [`ImportError`] when there is nothing to say of single lines.
pub async fn check(base: &Base, file: &[u8], parent: AccountId) -> Result<Report, ImportError> {
    let mut conn = base.db.read().await?;
    let above = accounts::find(&mut conn, parent).await?.ok_or(ImportError::ParentNotFound(parent))?;
    let state = effective_state(&mut conn, &above).await?;
    if state != AccountState::Active {
        return Err(ImportError::ParentNotActive { parent, state });
    }
    if above.path.len() >= base.rules.depth_max {
        return Err(ImportError::TooDeep(parent));
    }
    let (mut rows, mut problems) = read(file, parent)?;
    // Addresses are unique in the installation. Whose they are is nobody's business here.
    let taken = accounts::addresses_taken(
        &mut conn,
        &rows.iter().map(|row| row.new.email.folded()).collect::<Vec<_>>(),
    )
    .await?;
    let once = |row: &Row| once(&token(file, parent), row.line);
    for row in &rows {
        if let Some(owner) = taken.get(&row.new.email.folded()) {
            let by_us =
                *owner == Some(parent) && storage::requests::is_known(&mut conn, parent, &once(row)).await?;
            if !by_us {
                let problem =
                    format!("{} belongs to an account already; use another address", row.new.email.as_str());
                problems.push(RowError { line: row.line, field: "email", problem });
            }
        }
    }
    rows.retain(|row| problems.iter().all(|problem| problem.line != row.line));
    problems.sort_by_key(|problem| problem.line);
    let (available, _) = ledger::balance(&mut conn, parent).await?;
    let credits =
        rows.iter().fold(Credits::ZERO, |sum, row| sum.checked_add(row.beginning.handed_down).unwrap_or(sum));
    Ok(Report { token: token(file, parent), rows, problems, credits, available })
}

/// Does what [`check`] has reported with this token: each line by itself, in their order. `told` hears of
/// each line what became of it, when it is over.
///
/// # Errors
/// [`ImportError::Changed`] when the file is another one; the others as in [`check`].
pub async fn apply(
    base: &Base,
    file: &[u8],
    parent: AccountId,
    reported: &str,
    actor: &Actor,
    told: impl Fn(u64, &Outcome),
) -> Result<Vec<(u64, Outcome)>, ImportError> {
    if token(file, parent) != reported {
        return Err(ImportError::Changed);
    }
    let report = check(base, file, parent).await?;
    let mut outcomes = Vec::with_capacity(report.rows.len() + report.problems.len());
    for problems in report.problems.chunk_by(|one, next| one.line == next.line) {
        let words = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.problem));
        outcomes.push((problems[0].line, Outcome::Refused(words.collect::<Vec<_>>().join("; "))));
    }
    outcomes.iter().for_each(|(line, outcome)| told(*line, outcome));
    for row in &report.rows {
        let beginning = Beginning { once: Some(once(reported, row.line)), ..row.beginning.clone() };
        let outcome = match create_with(base, &row.new, &beginning, actor).await {
            Ok(account) => Outcome::Created(Box::new(account)),
            Err(CreateError::Before(account)) => Outcome::Before(account),
            Err(CreateError::Storage(error)) => return Err(error.into()),
            Err(why) => Outcome::Refused(why.to_string()),
        };
        told(row.line, &outcome);
        outcomes.push((row.line, outcome));
    }
    outcomes.sort_by_key(|(line, _)| *line);
    Ok(outcomes)
}

/// A name of a file below an account, by all that is in it.
fn token(file: &[u8], parent: AccountId) -> String {
    let mut hash = Sha256::new();
    hash.update(parent.0.to_be_bytes());
    hash.update(file);
    domain::text::hex_of_octets(&hash.finalize())
}

/// The name of a line's creation.
fn once(token: &str, line: u64) -> String {
    format!("import {token} line {line}")
}

/// The lines that can be done as far as the file alone tells, and what is wrong with the others.
fn read(file: &[u8], parent: AccountId) -> Result<(Vec<Row>, Vec<RowError>), ImportError> {
    if file.len() > BYTES_MAX {
        return Err(ImportError::TooMany);
    }
    let text =
        std::str::from_utf8(file).map_err(|e| ImportError::Unreadable(format!("{e}; save it as UTF-8")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Spreadsheets of some countries write semicolons.
    let head = text.lines().next().unwrap_or("");
    let delimiter = if head.contains(';') && !head.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let unreadable = |e: csv::Error| ImportError::Unreadable(e.to_string());
    let columns = columns(reader.headers().map_err(unreadable)?)?;
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let mut lines: HashMap<String, u64> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(str::is_empty) {
            continue;
        }
        if rows.len() + wrong.len() >= ROWS_MAX {
            return Err(ImportError::TooMany);
        }
        let mut problems = Vec::new();
        if record.len() > columns.len() {
            let problem = "the line has more fields than the first; put texts with commas in quotes";
            problems.push(("email", problem.to_owned()));
        }
        let field =
            |name| columns.iter().position(|c| *c == name).and_then(|at| record.get(at)).unwrap_or("");
        let row = row(line, field, parent, &mut problems);
        if let Some(row) = &row
            && let Some(first) = lines.insert(row.new.email.folded(), line)
        {
            problems
                .push(("email", format!("line {first} has the same address; each account needs its own")));
        }
        match row {
            Some(row) if problems.is_empty() => rows.push(row),
            _ => wrong.extend(problems.into_iter().map(|(field, problem)| RowError { line, field, problem })),
        }
    }
    if rows.is_empty() && wrong.is_empty() { Err(ImportError::Empty) } else { Ok((rows, wrong)) }
}

fn columns(head: &csv::StringRecord) -> Result<Vec<&'static str>, ImportError> {
    let mut columns = Vec::new();
    for name in head {
        let lower = name.to_ascii_lowercase();
        let known = COLUMNS.into_iter().find(|c| *c == lower);
        let known = known
            .ok_or_else(|| ImportError::Header(format!("'{name}' is not a column of a list of accounts")))?;
        if columns.contains(&known) {
            return Err(ImportError::Header(format!("the column '{known}' is there twice")));
        }
        columns.push(known);
    }
    for needed in ["email", "owner"] {
        if !columns.contains(&needed) {
            return Err(ImportError::Header(format!("the column '{needed}' is missing")));
        }
    }
    Ok(columns)
}

type Problems = Vec<(&'static str, String)>;

/// A line, unless it has no address to create an account with.
fn row<'a>(
    line: u64,
    field: impl Fn(&'static str) -> &'a str + Copy,
    parent: AccountId,
    problems: &mut Problems,
) -> Option<Row> {
    let email = Email::parse(field("email")).map_err(|e| problems.push(("email", e.to_string()))).ok();
    let owner = field("owner");
    if owner.is_empty() {
        problems.push(("owner", "the name is missing; write the owner's first and last name".to_owned()));
    }
    for name in ["owner", "company"] {
        let length = field(name).chars().count();
        if length > NAME_MAX {
            problems.push((name, format!("it has {length} characters; use at most {NAME_MAX}")));
        }
    }
    let preset = match field("preset") {
        "" => None,
        word => {
            let preset = Preset::parse(&word.to_ascii_lowercase());
            if preset.is_none() {
                let known = Preset::ALL.map(Preset::as_str).join(", ");
                problems
                    .push(("preset", format!("'{word}' is not a preset; write one of {known}, or nothing")));
            }
            preset
        }
    };
    let mut amount = |name: &'static str| match field(name) {
        "" => None,
        text => match text.parse::<Credits>() {
            Ok(amount) if amount >= Credits::ZERO => Some(amount),
            Ok(amount) => {
                problems.push((name, format!("{amount} is below zero; write an amount such as 25.00")));
                None
            }
            Err(error) => {
                problems.push((name, error.to_string()));
                None
            }
        },
    };
    let handed_down = amount("credits").unwrap_or(Credits::ZERO);
    let (threshold, each) = (amount("auto_threshold"), amount("auto_amount"));
    let (day_max, month_max) = (amount("auto_day_max"), amount("auto_month_max"));
    let auto_transfer = match (threshold, each) {
        (Some(threshold), Some(amount)) => Some(AutoTransfer { threshold, amount, day_max, month_max }),
        (None, None) if day_max.is_none() && month_max.is_none() => None,
        _ => {
            let problem = "an automatic transfer needs auto_threshold and auto_amount; write both or none";
            problems.push(("auto_amount", problem.to_owned()));
            None
        }
    };
    if let Some(Err(why)) = auto_transfer.map(crate::credits::checked_rule) {
        problems.push(("auto_amount", why.to_string()));
    }
    let filled = |name| Some(field(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let choices = Change {
        language: Some(filled("language")),
        time_zone: Some(filled("time_zone")),
        ..Change::default()
    };
    if let Err(wrong) = settings::checked(&choices) {
        problems.extend(
            wrong.into_iter().map(|one| (one.field.as_str(), format!("{}; {}", one.problem, one.remedy))),
        );
    }
    let invites_owner = match field("invite").to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" | "ja" => true,
        "" | "no" | "false" | "0" | "nein" => false,
        word => {
            problems.push(("invite", format!("'{word}' is neither yes nor no")));
            false
        }
    };
    let new = NewAccount {
        company: filled("company"),
        owner: owner.to_owned(),
        email: email?,
        parent: Some(parent),
        credits: Credits::ZERO,
    };
    let beginning = Beginning {
        preset,
        language: filled("language"),
        time_zone: filled("time_zone"),
        handed_down,
        auto_transfer,
        invites_owner,
        ..Beginning::default()
    };
    Some(Row { line, new, beginning })
}
