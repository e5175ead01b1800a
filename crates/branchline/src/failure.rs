//! What goes wrong in a command, as it is said: which field, what is wrong with it, what to do.
//! On a terminal one line; with `--json` one object on stderr.

use std::process::ExitCode;

use serde_json::json;

use crate::settings::Problem;

/// A request that was refused, or could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// A short word for programs: `email_taken`.
    pub code: &'static str,
    /// The flag or key it is about, without dashes.
    pub field: Option<String>,
    /// The problem and the remedy, for people.
    pub message: String,
    /// Whether the command was written wrongly, rather than refused.
    pub usage: bool,
}

impl Failure {
    /// Refused for what a field says.
    pub fn field(code: &'static str, field: &str, message: impl Into<String>) -> Failure {
        Failure { code, field: Some(field.to_owned()), message: message.into(), usage: false }
    }

    /// Refused for another reason.
    pub fn new(code: &'static str, message: impl Into<String>) -> Failure {
        Failure { code, field: None, message: message.into(), usage: false }
    }

    /// A failure of which all has been said on stdout: only the exit code is left.
    pub fn said() -> Failure {
        Failure::new("said", "")
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        let message = problem.to_string();
        Failure { code: "bad_configuration", field: Some(problem.key), message, usage: false }
    }
}

/// Says what went wrong and gives the exit code: 2 when the command was written wrongly, else 1.
pub fn say(error: &anyhow::Error, as_json: bool) -> ExitCode {
    let failure = of(error);
    if failure.message.is_empty() {
        return ExitCode::FAILURE;
    }
    if as_json {
        let object = json!({ "error": failure.message, "code": failure.code, "field": failure.field });
        eprintln!("{object}");
    } else {
        let field = failure.field.as_deref().filter(|f| failure.code != "bad_configuration" && !f.is_empty());
        let about = match field {
            None => String::new(),
            // What has no flag is named as the usage names it: `FILE`.
            Some(place) if place.chars().all(|c| c.is_ascii_uppercase()) => format!("{place}: "),
            Some(flag) => format!("--{}: ", flag.replace('_', "-")),
        };
        eprintln!("branchline: {about}{}", failure.message);
    }
    ExitCode::from(if failure.usage { 2 } else { 1 })
}

/// The failure an error amounts to.
fn of(error: &anyhow::Error) -> Failure {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.clone();
    }
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return problem.clone().into();
    }
    let code = match error.downcast_ref::<storage::Error>() {
        Some(storage::Error::Busy(_)) => "database_busy",
        Some(storage::Error::Unwritable(_)) => "database_not_writable",
        Some(storage::Error::Gone(_)) => "database_unreachable",
        Some(storage::Error::Schema(_)) => "database_unknown",
        Some(storage::Error::Unsupported(_)) => "unsupported",
        _ => "failed",
    };
    Failure::new(code, format!("{error:#}"))
}
