//! `branchline demo`: the platform on an invented world, to be looked at and played with. Nothing
//! ever leaves it: its one carrier is the simulator, whatever the settings say.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use domain::actor::Actor;
use domain::carrier::IdSpelling;
use domain::id::AccountId;
use domain::key::Scopes;
use domain::route::Route;
use gateway::keys::NewKey;
use gateway::{Base, Clock};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::Address;
use storage::analytics::{self, By, Filter, Sum, Whose};

use crate::Common;
use crate::account::tree;
use crate::books::{self, Missing, Only};
use crate::failure::Failure;
use crate::output::{Output, Style, Table, count};
use crate::serve::{bind, log, serve};
use crate::settings::{Carrier, Flags, Kind, Settings};

mod history;
mod people;
mod traffic;
mod world;

use people::Person;

/// The folder of the demo.
const DATA: &str = "branchline-demo";
/// What remembers the demo's keys, in its folder.
const NOTES: &str = "demo.json";
/// The name of the simulated carrier.
const CARRIER: &str = "simulator";
/// A number to send to: of the range Germany keeps for films.
const RECIPIENT: &str = "+4915228817386";

/// Run the platform on an invented world.
#[derive(Args)]
pub struct Demo {
    /// Where to listen [default: 127.0.0.1:8077]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Write the world and end, without serving it
    #[arg(long)]
    seed_only: bool,
}

/// What the demo remembers from one run to the next.
#[derive(Deserialize, Serialize)]
struct Notes {
    /// Whether the past is written to its end.
    complete: bool,
    /// Messages of the past.
    messages: usize,
    /// The accounts, in the order of the world.
    accounts: Vec<i64>,
    /// The agency's key, which may act in its customers.
    key: String,
    /// The agency's key for trying out.
    sandbox_key: String,
    /// The chain's key.
    chain_key: String,
    /// Who can sign in, with their passwords.
    #[serde(default)]
    logins: Vec<Person>,
}

impl Demo {
    /// Serves the world until told to stop; makes it first where there is none.
    pub async fn run(self, common: &Common) -> Result<()> {
        log("warn");
        let settings = settings(&self, common)?;
        let output = common.output();
        let only = Only::server(&settings.database)?;
        // A port that is taken is better known before the world is made.
        let listener = if self.seed_only { None } else { Some(bind(&settings.listen).await?) };
        let mut notes = match known(&settings).await? {
            Some(notes) => notes,
            None => make(&settings, output).await?,
        };
        let base = books::base(&settings, Missing::Refuse, Clock::of_the_machine()).await?;
        if notes.logins.is_empty() {
            // Written down before they are created, so that no password is lost on the way.
            notes.logins = people::invent(&notes.accounts)?;
            remember(&settings.data, &notes)?;
        }
        people::create(&base, &notes.logins).await?;
        books::seal(&settings, &base).await?;
        let Some(listener) = listener else {
            let words = welcome(&base, &settings, &notes, None).await?;
            output.say(&object(&notes, &settings, None), &words);
            return Ok(());
        };
        let address = format!("http://{}", listener.local_addr()?);
        let words = welcome(&base, &settings, &notes, Some(&address)).await?;
        let object = object(&notes, &settings, Some(&address));
        serve(&settings, base, listener, |_| output.say(&object, &words)).await?;
        drop(only);
        Ok(())
    }
}

/// The settings of the demo. A file counts only when it is named, and the environment not at all: the
/// world must not be written into somebody's real books, nor leave by their carriers.
fn settings(demo: &Demo, common: &Common) -> Result<Settings> {
    let by_environment = std::env::var_os("BRANCHLINE_CONFIG");
    let flags = Flags {
        config: common.config.clone().filter(|path| by_environment.as_deref() != Some(path.as_os_str())),
        data: Some(common.data.clone().unwrap_or_else(|| PathBuf::from(DATA))),
        database: common.database.clone(),
        listen: demo.listen.clone(),
    };
    let mut settings = match flags.config {
        Some(_) => Settings::read(&flags, [])?,
        None => Settings::of_flags(&flags)?,
    };
    if flags.config.is_none() {
        settings.time_zone = TimeZone::get("Europe/Berlin").context("the time zones are built in")?;
    }
    let simulator = Kind::Simulator(carriers::simulator::Settings::new(CARRIER));
    let carrier = Carrier { name: CARRIER.to_owned(), message_ids: IdSpelling::default(), kind: simulator };
    settings.carriers = vec![carrier];
    settings.routes = vec![Route { carrier: CARRIER.to_owned(), countries: Vec::new(), priority: 1 }];
    Ok(settings)
}

/// What an earlier run left, if it was whole.
///
/// # Errors
/// When the books are not the demo's: those are left alone.
async fn known(settings: &Settings) -> Result<Option<Notes>> {
    let path = settings.data.join(NOTES);
    let notes: Option<Notes> = match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(anyhow::Error::from(error).context(path.display().to_string())),
    };
    match notes {
        Some(notes) if notes.complete => Ok(Some(notes)),
        // It was interrupted, and the books hold nothing but what it wrote.
        Some(_) => {
            if let Address::Sqlite(file) = &settings.database {
                for suffix in ["", "-wal", "-shm"] {
                    let mut name = file.clone().into_os_string();
                    name.push(suffix);
                    let _ = std::fs::remove_file(name);
                }
            }
            empty(settings).await.map(|()| None)
        }
        None => empty(settings).await.map(|()| None),
    }
}

/// Makes sure that nobody lives in the books.
async fn empty(settings: &Settings) -> Result<()> {
    if let Address::Sqlite(path) = &settings.database
        && !path.exists()
    {
        return Ok(());
    }
    let db = books::open(settings, Missing::Create).await?;
    let anybody = storage::accounts::page(&mut *db.read().await?, AccountId(0), 1).await?;
    if anybody.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} has accounts that are not the demo's, and is left alone; name another folder with --data",
        settings.database_shown()
    );
    Err(Failure::new("not_empty", message).into())
}

/// Makes the world.
async fn make(settings: &Settings, output: Output) -> Result<Notes> {
    let started = Instant::now();
    let mut notes = Notes {
        complete: false,
        messages: 0,
        accounts: Vec::new(),
        key: String::new(),
        sandbox_key: String::new(),
        chain_key: String::new(),
        logins: Vec::new(),
    };
    remember(&settings.data, &notes)?;
    let now = Clock::of_the_machine().now();
    let base = books::base(settings, Missing::Create, Clock::standing_at(now)).await?;
    let shown = output == Output::Words && std::io::stderr().is_terminal();
    let (accounts, messages) = history::write(&base, now, |day| {
        if shown {
            eprint!("\rinventing 90 days of traffic  {:3} %", day * 100 / history::DAYS.max(1));
            let _ = std::io::stderr().flush();
        }
    })
    .await?;
    base.clock.set(now);
    let key = async |place: usize, label: &str, sandbox| {
        let account = *accounts.get(place).context("the world has this account")?;
        let new = NewKey {
            label: label.to_owned(),
            sandbox,
            subaccount_access: !sandbox,
            scopes: Scopes::ALL,
            expires_at: None,
        };
        anyhow::Ok(gateway::keys::create(&base, account, &new, &Actor::command_line()).await?.1)
    };
    notes.key = key(world::AGENCY, "demo", false).await?;
    notes.sandbox_key = key(world::AGENCY, "demo sandbox", true).await?;
    notes.chain_key = key(world::CHAIN, "demo", false).await?;
    notes.accounts = accounts.iter().map(|id| id.0).collect();
    notes.messages = messages;
    notes.complete = true;
    remember(&settings.data, &notes)?;
    if shown {
        eprintln!(
            "\rinvented 90 days of traffic: {} messages in {:.1} s",
            count(i64::try_from(messages)?),
            started.elapsed().as_secs_f64()
        );
    }
    Ok(notes)
}

/// Writes the notes, for their owner's eyes only: they hold keys and passwords.
fn remember(folder: &Path, notes: &Notes) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let path = folder.join(NOTES);
    let mut file = std::fs::File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| path.display().to_string())?;
    Ok(file.write_all(serde_json::to_string_pretty(notes)?.as_bytes())?)
}

fn object(notes: &Notes, settings: &Settings, address: Option<&str>) -> serde_json::Value {
    json!({
        "listening": address,
        "data": settings.data.display().to_string(),
        "messages": notes.messages,
        "accounts": notes.accounts,
        "key": notes.key,
        "sandbox_key": notes.sandbox_key,
        "chain_key": notes.chain_key,
        "logins": notes.logins,
    })
}

/// What is shown when the demo is ready.
async fn welcome(base: &Base, settings: &Settings, notes: &Notes, address: Option<&str>) -> Result<String> {
    let strong = |text: &str| Style::Strong.paint(text);
    let faint = |text: &str| Style::Faint.paint(text);
    let mut table = Table::new(&["ID", "Account", ">Messages", ">Spent", ">Balance"]);
    let tree = tree(base, false).await?;
    let mut sums: HashMap<AccountId, Sum> = HashMap::new();
    for (root, _) in tree.iter().filter(|(account, _)| account.parent.is_none()) {
        let filter = Filter::of(Whose::Tree(root.clone()), 0, i64::MAX);
        let of_tree = analytics::sums(&mut *base.db.read().await?, By::Account, &filter).await?;
        sums.extend(of_tree.into_iter().map(|sum| (sum.account, sum)));
    }
    for (account, balance) in &tree {
        let indent = "  ".repeat(account.path.len().saturating_sub(1));
        let sum = sums.get(&account.id);
        table.styled([
            (account.id.to_string(), Style::Faint),
            (
                format!("{indent}{}", account.name()),
                if indent.is_empty() { Style::Strong } else { Style::Plain },
            ),
            (sum.map_or("-".to_owned(), |sum| count(sum.accepted)), Style::Plain),
            (sum.map_or("-".to_owned(), |sum| sum.cost.with_places(2)), Style::Plain),
            (balance.with_places(2), Style::Plain),
        ]);
    }
    let agency = world::WORLD[world::AGENCY].company;
    let chain = world::WORLD[world::CHAIN].company;
    let customer = notes.accounts.get(world::AGENCY + 1).copied().unwrap_or_default();
    let mut words = format!(
        "\n{}  {}\n\n{}\n",
        strong("Branchline demo"),
        faint(&format!(
            "{} messages of the last {} days, in {} ({})",
            count(i64::try_from(notes.messages)?),
            history::DAYS,
            base.rules.currency,
            settings.data.display()
        )),
        table.lines()
    );
    words += &match address {
        Some(address) => {
            format!("\n{} at {}\n", strong("Sign in"), Style::Good.paint(&format!("{address}/sign-in")))
        }
        None => format!("\n{}\n", strong("Sign in")),
    };
    let mut logins = Table::new(&["Who", "E-mail address", "Password"]);
    for person in &notes.logins {
        logins.styled([
            (person.who.clone(), Style::Plain),
            (person.email.clone(), Style::Good),
            (person.password.clone(), Style::Good),
        ]);
    }
    words += &logins.lines();
    // Without headings: a list would cut them off, and they are to be copied.
    let mut keys = Table::new(&["", ""]);
    for (whose, key) in [
        (agency.to_owned(), &notes.key),
        (format!("{agency}, for trying out"), &notes.sandbox_key),
        (chain.to_owned(), &notes.chain_key),
    ] {
        keys.styled([(whose, Style::Plain), (key.clone(), Style::Good)]);
    }
    words += &format!("\n{}\n{}", strong("Call the API"), keys.lines());
    if let Some(address) = address {
        let key = &notes.key;
        words += &format!(
            "\n{}\n  curl -s {address}/api/sms -H 'X-Api-Key: {key}' -H 'Accept: application/json' \\\n    \
             -d to={RECIPIENT} -d from=Nordlicht -d label=demo -d 'text=Hello from Branchline'\n\n\
             {}\n  curl -s '{address}/api/journal/outbound?limit=1' -H 'X-Api-Key: {key}'\n\n\
             {}\n  the same with  -H 'X-Account-Id: {customer}'\n\n\
             listening on {address}  {}\n",
            strong("Send an SMS"),
            strong("See its delivery report, a second later"),
            strong("Act in a customer's account"),
            faint("Ctrl-C ends it")
        );
    }
    Ok(words)
}
