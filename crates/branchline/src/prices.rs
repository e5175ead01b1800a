//! `branchline prices`: price lists in and out as CSV, and which account has which.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use domain::actor::Actor;
use domain::id::AccountId;
use gateway::prices::{self, AssignError, ImportError};
use gateway::{Base, Clock};
use serde_json::json;
use storage::prices::STANDARD;

use crate::Common;
use crate::account::not_found;
use crate::arguments::account_id;
use crate::books::{self, Missing};
use crate::failure::Failure;
use crate::output::{Output, Table, count, print};

/// Import, export and assign price lists.
#[derive(Subcommand)]
pub enum Prices {
    /// Take prices from a CSV file into a list; all of them, or none
    Import(Import),
    /// Write a list as CSV to stdout
    Export(Export),
    /// Show the lists and who has them
    List,
    /// Give an account a list of its own; without one it has that of the account above
    Assign(Assign),
}

/// What to import.
#[derive(Args)]
pub struct Import {
    /// The file, or - for stdin: product,country,network,price,effective_from,comment
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The list; main accounts without a list of their own pay by `standard`
    #[arg(long, value_name = "NAME", default_value = STANDARD)]
    list: String,
    /// Accept prices below what the account above pays; the difference is that account's loss
    #[arg(long)]
    allow_below_cost: bool,
}

/// What to export.
#[derive(Args)]
pub struct Export {
    /// The list
    #[arg(long, value_name = "NAME", default_value = STANDARD)]
    list: String,
}

/// Who gets which list.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("which").required(true)))]
pub struct Assign {
    /// The account
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: AccountId,
    /// The list
    #[arg(long, value_name = "NAME", group = "which")]
    list: Option<String>,
    /// No list of its own any more
    #[arg(long, group = "which")]
    none: bool,
    /// Accept prices below what the account above pays; the difference is that account's loss
    #[arg(long)]
    allow_below_cost: bool,
}

impl Prices {
    /// Does what was asked for.
    pub async fn run(self, common: &Common) -> Result<()> {
        let settings = common.settings(None)?;
        let missing = if matches!(self, Prices::Import(_)) { Missing::Create } else { Missing::Refuse };
        let base = books::base(&settings, missing, Clock::of_the_machine()).await?;
        match self {
            Prices::Import(import) => import.run(&base, common).await,
            Prices::Export(export) => export.run(&base, common).await,
            Prices::List => list(&base, common).await,
            Prices::Assign(assign) => assign.run(&base, common).await,
        }
    }
}

impl Import {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let allow = self.allow_below_cost;
        let imported = if self.file.as_os_str() == "-" {
            prices::import(base, std::io::stdin(), &self.list, allow, &Actor::command_line()).await
        } else {
            let file = std::fs::File::open(&self.file).map_err(|error| {
                let message = format!("{} cannot be read: {error}", self.file.display());
                Failure::field("unreadable", "FILE", message)
            })?;
            prices::import(base, file, &self.list, allow, &Actor::command_line()).await
        };
        let imported = imported.map_err(import_refused)?;
        let words = format!(
            "{}: {} new, {} replaced, {} unchanged",
            imported.list.full_name(),
            imported.added,
            imported.replaced,
            imported.unchanged
        );
        let object = json!({
            "id": imported.list.id.0,
            "list": imported.list.full_name(),
            "added": imported.added,
            "replaced": imported.replaced,
            "unchanged": imported.unchanged,
        });
        common.output().say(&object, &words);
        Ok(())
    }
}

impl Export {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let found = prices::export(base, &self.list).await?;
        let csv = found.ok_or_else(|| no_list(&self.list))?;
        match common.output() {
            Output::Words => print(&csv),
            Output::Json => {
                let mut reader = csv::Reader::from_reader(csv.as_bytes());
                let rows = reader.deserialize::<BTreeMap<String, String>>().collect::<Result<Vec<_>, _>>()?;
                print(&format!(
                    "{}\n",
                    json!({ "list": self.list, "currency": base.rules.currency, "prices": rows })
                ));
            }
        }
        Ok(())
    }
}

async fn list(base: &Base, common: &Common) -> Result<()> {
    let mut conn = base.db.read().await?;
    let mut table = Table::new(&["List", ">Prices", "Accounts"]);
    let mut objects = Vec::new();
    for (list, rows) in storage::prices::all(&mut conn).await? {
        let accounts = storage::accounts::with_price_list(&mut conn, list.id).await?;
        let ids: Vec<String> = accounts.iter().map(|a| a.id.to_string()).collect();
        let who = match (list.is_standard(), ids.is_empty()) {
            (true, true) => "main accounts without one of their own".to_owned(),
            (true, false) => {
                format!("main accounts without one of their own, {}", ids.join(", "))
            }
            (false, true) => "nobody".to_owned(),
            (false, false) => ids.join(", "),
        };
        table.row([list.full_name(), count(i64::try_from(rows.len()).unwrap_or(i64::MAX)), who]);
        let accounts: Vec<i64> = accounts.iter().map(|a| a.id.0).collect();
        objects.push(
            json!({ "id": list.id.0, "list": list.full_name(), "prices": rows.len(), "accounts": accounts }),
        );
    }
    let words = match table.is_empty() {
        true => "no prices yet, so nothing can be sent; import some with 'branchline prices import FILE'"
            .to_owned(),
        false => table.lines(),
    };
    common.output().say(&json!({ "lists": objects }), &words);
    Ok(())
}

impl Assign {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let Assign { account, list, allow_below_cost, .. } = self;
        prices::assign(base, account, list.as_deref(), allow_below_cost, &Actor::command_line())
            .await
            .map_err(assign_refused)?;
        let words = match &list {
            Some(list) => format!("account {account} pays by '{list}' now"),
            None => format!("account {account} has no list of its own any more"),
        };
        common.output().say(&json!({ "account": account.0, "list": list }), &words);
        Ok(())
    }
}

fn no_list(name: &str) -> Failure {
    let message = format!("there is no price list '{name}'; 'branchline prices list' shows those there are");
    Failure::field("not_found", "list", message)
}

fn import_refused(error: ImportError) -> anyhow::Error {
    let message = error.to_string();
    let (code, field) = match error {
        ImportError::Storage(error) => return error.into(),
        ImportError::Unreadable(_) | ImportError::Header(_) | ImportError::Empty => ("bad_file", "FILE"),
        ImportError::Rows(_, count) => {
            let these = if count == 1 { "a price".to_owned() } else { format!("{count} prices") };
            let message = format!("{these} cannot be taken, so none was:\n{message}");
            return Failure::field("bad_rows", "FILE", message).into();
        }
        ImportError::Name(_) | ImportError::NameOfAccount(_) => ("bad_name", "list"),
        ImportError::BelowCost(_) => ("below_cost", "FILE"),
        // Only a file that was checked beforehand can have met these.
        ImportError::NotFound | ImportError::Changed => ("not_imported", "list"),
    };
    Failure::field(code, field, advised(code, message)).into()
}

fn assign_refused(error: AssignError) -> anyhow::Error {
    let message = error.to_string();
    let (code, field) = match error {
        AssignError::Storage(error) => return error.into(),
        AssignError::NotFound(id) => return not_found(id).into(),
        AssignError::Closed(_) => ("wrong_state", "account"),
        AssignError::NoList(name) => return no_list(&name).into(),
        AssignError::BelowCost(_) => ("below_cost", "list"),
        // The others are refusals of what accounts do with their own lists.
        _ => ("not_assigned", "list"),
    };
    Failure::field(code, field, advised(code, message)).into()
}

/// What the command line calls the permission that would help.
fn advised(code: &str, message: String) -> String {
    if code == "below_cost" { format!("{message} (--allow-below-cost)") } else { message }
}
