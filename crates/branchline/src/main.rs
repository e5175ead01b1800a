//! Branchline: the SMS platform a company runs itself, built around the account tree. Here the
//! command line is read, the command run, and what went wrong said; each command has its own file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

mod account;
mod arguments;
mod backup;
mod books;
mod check;
mod credits;
mod demo;
mod failure;
mod key;
mod lines;
mod login;
mod output;
mod prices;
mod serve;
mod settings;
mod simulator;

use failure::Failure;
use output::Output;
use settings::{Flags, Settings};

/// Allocates from several threads without a lock, and gives back what a burst needed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The SMS platform a company runs itself, built around the account tree.
#[derive(Parser)]
#[command(name = "branchline", version, disable_help_subcommand = true, subcommand_required = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// Settings file [default: branchline.toml, if there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "BRANCHLINE_CONFIG",
        hide_env = true,
        help_heading = "Everywhere"
    )]
    config: Option<PathBuf>,
    /// Folder of the installation [default: branchline-data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    data: Option<PathBuf>,
    /// Database: sqlite:PATH or postgres://user:password@host/name [default: a file in the folder]
    #[arg(long, global = true, value_name = "URL", help_heading = "Everywhere")]
    database: Option<String>,
    /// Answer with one JSON object, also when something is wrong
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
}

impl Common {
    /// The settings with these flags over them.
    fn settings(&self, listen: Option<&str>) -> anyhow::Result<Settings> {
        let flags = Flags {
            config: self.config.clone(),
            data: self.data.clone(),
            database: self.database.clone(),
            listen: listen.map(str::to_owned),
        };
        Ok(Settings::read(&flags, std::env::vars())?)
    }

    fn output(&self) -> Output {
        if self.json { Output::Json } else { Output::Words }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run the platform
    Serve(serve::Serve),
    /// Run it on an invented world: a tree of accounts, 90 days of traffic, a simulated carrier
    Demo(demo::Demo),
    /// Create and look after accounts
    #[command(subcommand)]
    Account(account::Account),
    /// Create and take back API keys
    #[command(subcommand)]
    Key(key::Key),
    /// Look after the people who sign in
    #[command(subcommand)]
    Login(login::Login),
    /// Grant and move credits
    #[command(subcommand)]
    Credits(credits::Credits),
    /// Import, export and assign price lists
    #[command(subcommand)]
    Prices(prices::Prices),
    /// Prove that the books are right
    Check(check::Check),
    /// Copy the database while it is in use
    Backup(backup::Backup),
    /// Run a simulated carrier that others reach by SMPP
    Simulator(simulator::Simulator),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    // The only failure is that a provider was installed before, and none was.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let common = &cli.common;
    let outcome = match cli.command {
        Command::Serve(command) => many_threads(command.run(common)),
        Command::Demo(command) => many_threads(command.run(common)),
        Command::Simulator(command) => many_threads(command.run(common)),
        Command::Account(command) => one_thread(command.run(common)),
        Command::Key(command) => one_thread(command.run(common)),
        Command::Login(command) => one_thread(command.run(common)),
        Command::Credits(command) => one_thread(command.run(common)),
        Command::Prices(command) => one_thread(command.run(common)),
        Command::Check(command) => one_thread(command.run(common)),
        Command::Backup(command) => one_thread(command.run(common)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::say(&error, common.json),
    }
}

fn many_threads(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn one_thread(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    serve::log("warn");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Says what is wrong with a command line, or what was asked to be shown.
fn misread(error: &clap::Error) -> ExitCode {
    let shown = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if shown || !std::env::args_os().any(|arg| arg == "--json") {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let field = error.get(clap::error::ContextKind::InvalidArg).and_then(|value| {
        let name = value.to_string();
        name.trim_start_matches('-').split([' ', '=']).next().map(str::to_owned)
    });
    failure::say(&Failure { code: "usage", field, message, usage: true }.into(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
