//! `/v1/accounts/import`: accounts from a CSV file, told line by line before anything is done.

use axum::Json;
use domain::account::Preset;
use domain::key::Scope;
use gateway::account_import::{self, ImportError, Outcome, Report};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::problem::{Kind, Problem};
use super::values::{Amount, Body};

/// Where accounts come from files. What was created by a file is not created twice.
pub const PATH: &str = "/v1/accounts/import";

/// A file that is to be checked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountFile {
    /// The file: a line for each account, the first one with the names of the columns: `email` and
    /// `owner`, and where they are wanted `company`, `preset`, `credits`, `auto_threshold`, `auto_amount`,
    /// `auto_day_max`, `auto_month_max`, `language`, `time_zone`, `invite`. At most 5,000 accounts.
    #[schema(example = "email,owner,company,preset\nnord@muster.example,Ada Nord,Filiale Nord,branch\n")]
    csv: String,
}

/// A file that is to be done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckedAccountFile {
    /// The file, as it was checked.
    csv: String,
    /// The `token` of its check.
    #[schema(example = "9f86d081884c7d65")]
    token: String,
}

/// What a file would do.
#[derive(Serialize, ToSchema)]
pub struct ImportReport {
    /// Says that this report was seen; give it with the same file to do what it says.
    #[schema(example = "9f86d081884c7d65")]
    token: String,
    /// The accounts that would be created, in the order of their lines.
    accounts: Vec<ImportRow>,
    /// What is wrong with other lines. They are left out.
    problems: Vec<ImportProblem>,
    /// What all of it would take of the account that is acted in.
    credits: Amount,
    /// What that account holds.
    available: Amount,
    /// The installation's currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: String,
}

/// An account that would be created.
#[derive(Serialize, ToSchema)]
pub struct ImportRow {
    /// Its line in the file, the first being 1.
    #[schema(example = 2)]
    line: u64,
    /// The address that is its identity.
    #[schema(format = "email", example = "nord@muster.example")]
    email: String,
    /// The owner's first and last name.
    #[schema(example = "Ada Nord")]
    owner: String,
    /// The company's name; null where it has none.
    #[schema(example = "Filiale Nord")]
    company: Option<String>,
    /// What it is created as: `customer`, `department` or `branch`; null where that is not said.
    #[schema(example = "branch")]
    preset: Option<&'static str>,
    /// What is handed down to it at once.
    credits: Amount,
    /// Whether its address is invited to be its owner.
    invite_owner: bool,
}

/// What is wrong with a line.
#[derive(Serialize, ToSchema)]
pub struct ImportProblem {
    /// The line, the first being 1.
    #[schema(example = 3)]
    line: u64,
    /// The column.
    #[schema(example = "email")]
    field: &'static str,
    /// What is wrong, and what to do about it.
    #[schema(example = "line 2 has the same address; each account needs its own")]
    problem: String,
}

/// What a file did.
#[derive(Serialize, ToSchema)]
pub struct ImportResults {
    /// How many accounts there are now by it, those it had created before included.
    #[schema(example = 2)]
    done: usize,
    /// How many lines were refused.
    #[schema(example = 1)]
    refused: usize,
    /// What became of each line, in their order.
    items: Vec<ImportResult>,
}

/// What became of a line.
#[derive(Serialize, ToSchema)]
pub struct ImportResult {
    /// The line, the first being 1.
    #[schema(example = 2)]
    line: u64,
    /// `created` now, `before` by the same file, or `refused`.
    #[schema(example = "created")]
    outcome: &'static str,
    /// The account; null where it was refused, or is closed since.
    #[schema(example = 1900004)]
    account: Option<i64>,
    /// Why it was refused; null where it was not.
    problem: Option<String>,
}

/// Check an import
///
/// What a file would do below the account that is acted in, and what is wrong with which line. Nothing is
/// done.
#[utoipa::path(
    post,
    path = "/v1/accounts/import/check",
    operation_id = "checkAccountImport",
    tag = "Accounts",
    request_body = AccountFile,
    responses((status = 200, description = "What the file would do.", body = ImportReport))
)]
pub async fn check(asked: Asked, Body(file): Body<AccountFile>) -> Result<Json<ImportReport>, Problem> {
    let report = checked(&asked, &file.csv).await?;
    let row = |row: &account_import::Row| ImportRow {
        line: row.line,
        email: row.new.email.as_str().to_owned(),
        owner: row.new.owner.clone(),
        company: row.new.company.clone(),
        preset: row.beginning.preset.map(Preset::as_str),
        credits: Amount(row.beginning.handed_down),
        invite_owner: row.beginning.invites_owner,
    };
    let accounts = report.rows.iter().map(row).collect();
    let problems = report.problems.into_iter();
    let problems =
        problems.map(|one| ImportProblem { line: one.line, field: one.field, problem: one.problem });
    Ok(Json(ImportReport {
        token: report.token,
        accounts,
        problems: problems.collect(),
        credits: Amount(report.credits),
        available: Amount(report.available),
        currency: asked.currency(),
    }))
}

/// Import accounts
///
/// Creates the accounts of a file that was checked, line by line. Asked again with the same file, what
/// was created is not created twice. Where the file hands out credit or invites owners, the key needs
/// the scopes for that, too.
#[utoipa::path(
    post,
    path = "/v1/accounts/import",
    operation_id = "importAccounts",
    tag = "Accounts",
    request_body = CheckedAccountFile,
    responses((status = 200, description = "What became of each line.", body = ImportResults))
)]
pub async fn import(
    asked: Asked,
    Body(file): Body<CheckedAccountFile>,
) -> Result<Json<ImportResults>, Problem> {
    checked(&asked, &file.csv).await?;
    let (octets, parent) = (file.csv.as_bytes(), asked.account.id);
    let (gateway, token) = (asked.gateway(), &file.token);
    let outcomes = account_import::apply(gateway, octets, parent, token, &asked.actor, |_, _| ()).await;
    let items: Vec<ImportResult> = outcomes.map_err(refused)?.into_iter().map(ImportResult::of).collect();
    let refused = items.iter().filter(|item| item.problem.is_some()).count();
    Ok(Json(ImportResults { done: items.len() - refused, refused, items }))
}

impl ImportResult {
    fn of((line, outcome): (u64, Outcome)) -> ImportResult {
        let (outcome, account, problem) = match outcome {
            Outcome::Created(account) => ("created", Some(account.id.0), None),
            Outcome::Before(account) => ("before", account.map(|account| account.id.0), None),
            Outcome::Refused(why) => ("refused", None, Some(why)),
        };
        ImportResult { line, outcome, account, problem }
    }
}

/// The report on a file, for a key that may do all that is in it.
async fn checked(asked: &Asked, csv: &str) -> Result<Report, Problem> {
    let report = account_import::check(asked.gateway(), csv.as_bytes(), asked.account.id).await;
    let report = report.map_err(refused)?;
    let all = || report.rows.iter().map(|row| &row.beginning);
    let moves_credit = all().any(|begin| begin.handed_down.is_positive() || begin.auto_transfer.is_some());
    for (needed, scope) in
        [(moves_credit, Scope::CreditsWrite), (all().any(|begin| begin.invites_owner), Scope::MembersWrite)]
    {
        if needed {
            super::gate::has_scope(&asked.key, scope)?;
        }
    }
    Ok(report)
}

fn refused(error: ImportError) -> Problem {
    match error {
        ImportError::Storage(error) => error.into(),
        ImportError::Unreadable(_) | ImportError::Header(_) | ImportError::Empty | ImportError::TooMany => {
            Problem::field("csv", error)
        }
        ImportError::Changed => Problem::field("token", error),
        ImportError::ParentNotFound(id) => Problem::not_found(format!("account {id}")),
        ImportError::ParentNotActive { parent, state } => Problem::new(Kind::AccountNotActive, error)
            .with("account", parent.0)
            .with("state", state.as_str()),
        ImportError::TooDeep(_) => Problem::new(Kind::SubaccountLimitReached, error),
    }
}
