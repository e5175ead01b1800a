//! `branchline account`: creating accounts, showing the tree, and changing what an account may do.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use clap::{Args, Subcommand};
use domain::account::{Account as Customer, AccountState, Email, effective};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::phone_number::Country;
use domain::sender_id::SenderId;
use gateway::accounts::{CloseError, CreateError, NewAccount, StateError, When};
use gateway::credits::RuleError;
use gateway::settings::{self, Change, SettingsError};
use gateway::{Base, Clock, accounts};
use serde_json::{Value, json};

use crate::Common;
use crate::arguments::{account_id, rfc3339, shown};
use crate::books::{self, Missing};
use crate::failure::Failure;
use crate::output::{Style, Table};

/// How many accounts are read at once.
const PAGE: i64 = 1000;

/// Create and look after accounts.
#[derive(Subcommand)]
pub enum Account {
    /// Create a main account, or a subaccount with --parent
    Create(Create),
    /// Show the tree of accounts with their balances
    List(List),
    /// Show one account
    Show(One),
    /// Change what an account chose, and how far it may go below zero
    Set(Set),
    /// Stop an account and those below it from sending
    Suspend(Suspend),
    /// Let an account send again, or reopen one that is about to be closed
    Activate(One),
    /// Close an account: after 30 days in which it can be reopened, or at once with --now
    Close(Close),
}

/// A new account.
#[derive(Args)]
pub struct Create {
    /// The company's name
    #[arg(long, value_name = "NAME")]
    company: String,
    /// Its e-mail address: what it is known by, so no two open accounts share one
    #[arg(long, value_name = "MAIL")]
    email: String,
    /// The owner's first and last name [default: the company's]
    #[arg(long, value_name = "OWNER")]
    name: Option<String>,
    /// The account it stands below
    #[arg(long, value_name = "ID", value_parser = account_id)]
    parent: Option<AccountId>,
    /// Credit granted to begin with, such as 25.00
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    credits: Option<Credits>,
    /// How far below zero it may go
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    credit_line: Option<Credits>,
    /// Who its messages are from when they do not say
    #[arg(long, value_name = "SENDER")]
    sender: Option<String>,
}

/// The tree.
#[derive(Args)]
pub struct List {
    /// Closed accounts too
    #[arg(long)]
    all: bool,
}

/// One account.
#[derive(Args)]
pub struct One {
    /// The account's number
    #[arg(value_name = "ID", value_parser = account_id)]
    account: AccountId,
}

/// What to change.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
pub struct Set {
    /// The account's number
    #[arg(value_name = "ID", value_parser = account_id)]
    account: AccountId,
    /// How far below zero it may go
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, group = "what")]
    credit_line: Option<Credits>,
    /// Who its messages are from when they do not say
    #[arg(long, value_name = "SENDER", group = "what")]
    sender: Option<String>,
    /// The country of numbers written without one
    #[arg(long, value_name = "COUNTRY", group = "what")]
    country: Option<String>,
    /// Whether the same text to the same number within 180 seconds is refused
    #[arg(long, value_name = "BOOL", group = "what")]
    reload_lock: Option<bool>,
    /// How many messages one number may get a day; 0 is no limit
    #[arg(long, value_name = "COUNT", group = "what", value_parser = clap::value_parser!(i64).range(0..))]
    recipient_day_max: Option<i64>,
    /// Whether requests must be signed
    #[arg(long, value_name = "BOOL", group = "what")]
    signed_only: Option<bool>,
    /// Replace the key that requests are signed with; the old one no longer works
    #[arg(long, group = "what")]
    new_signing_key: bool,
}

/// Whom to stop.
#[derive(Args)]
pub struct Suspend {
    /// The account's number
    #[arg(value_name = "ID", value_parser = account_id)]
    account: AccountId,
    /// Why; its members will read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Whom to close.
#[derive(Args)]
pub struct Close {
    /// The account's number
    #[arg(value_name = "ID", value_parser = account_id)]
    account: AccountId,
    /// Close it at once; credit handed down goes back up, and it must hold none of its own
    #[arg(long)]
    now: bool,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Account {
    /// Does what was asked for.
    pub async fn run(self, common: &Common) -> Result<()> {
        let settings = common.settings(None)?;
        let missing = if matches!(self, Account::Create(_)) { Missing::Create } else { Missing::Refuse };
        let base = books::base(&settings, missing, Clock::of_the_machine()).await?;
        match self {
            Account::Create(create) => create.run(&base, common).await,
            Account::List(list) => list.run(&base, common).await,
            Account::Show(one) => show(&base, one.account, common).await,
            Account::Set(set) => set.run(&base, common).await,
            Account::Suspend(Suspend { account, reason }) => {
                let changed = accounts::suspend(&base, account, &reason, &Actor::command_line())
                    .await
                    .map_err(state_refused)?;
                say_state(&changed, common)
            }
            Account::Activate(One { account }) => {
                let changed = accounts::activate(&base, account, &Actor::command_line())
                    .await
                    .map_err(state_refused)?;
                say_state(&changed, common)
            }
            Account::Close(Close { account, now, reason }) => {
                let when = if now { When::AtOnce } else { When::Later };
                let closed = accounts::close(&base, account, when, &reason, &Actor::command_line())
                    .await
                    .map_err(close_refused)?;
                say_state(&closed, common)
            }
        }
    }
}

impl Create {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let email =
            Email::parse(&self.email).map_err(|e| Failure::field("bad_email", "email", e.to_string()))?;
        if let Some(line) = self.credit_line.filter(|line| *line < Credits::ZERO) {
            let message = format!("the credit line is {line}; it must not be below zero");
            return Err(Failure::field("bad_amount", "credit_line", message).into());
        }
        if self.company.trim().is_empty() {
            let message = "the name of the company is empty; give it one";
            return Err(Failure::field("bad_name", "company", message).into());
        }
        let sender = self.sender.as_deref().map(sender).transpose()?;
        let credits = self.credits.unwrap_or(Credits::ZERO);
        let new = NewAccount {
            owner: self.name.unwrap_or_else(|| self.company.clone()),
            company: Some(self.company),
            email,
            parent: self.parent,
            credits,
        };
        let account = accounts::create(base, &new, &Actor::command_line()).await.map_err(create_refused)?;
        if let Some(line) = self.credit_line {
            gateway::credits::set_credit_line(base, account.id, line, &Actor::command_line())
                .await
                .map_err(rule_refused)?;
        }
        if let Some(sender) = sender {
            let change = Change { default_sender: Some(Some(sender)), ..Change::default() };
            settings::change(base, account.id, &change, &Actor::command_line())
                .await
                .map_err(settings_refused)?;
        }
        let words = format!(
            "account {} {}{}",
            account.id,
            account.name(),
            if credits.is_positive() {
                format!(", with {credits} {}", base.rules.currency)
            } else {
                String::new()
            }
        );
        let mut object = object_of(&account);
        object["balance"] = json!(credits.to_string());
        common.output().say(&object, &words);
        Ok(())
    }
}

fn sender(text: &str) -> Result<String, Failure> {
    let sender = SenderId::parse(text).map_err(|e| Failure::field("bad_sender", "sender", e.to_string()))?;
    Ok(sender.as_str().to_owned())
}

impl Set {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let account = find(base, self.account).await?;
        let default_country = match &self.country {
            Some(text) => {
                let country = Country::parse(text).ok_or_else(|| {
                    let message =
                        format!("'{text}' is not a country; write its two letters of ISO 3166, such as DE");
                    Failure::field("bad_country", "country", message)
                })?;
                Some(Some(country.as_str().to_owned()))
            }
            None => None,
        };
        let change = Change {
            default_sender: self.sender.as_deref().map(sender).transpose()?.map(Some),
            default_country,
            reload_lock: self.reload_lock,
            recipient_day_max: self.recipient_day_max,
            signature_required: self.signed_only,
            new_signing_key: self.new_signing_key,
            ..Change::default()
        };
        if let Some(line) = self.credit_line {
            gateway::credits::set_credit_line(base, account.id, line, &Actor::command_line())
                .await
                .map_err(rule_refused)?;
        }
        settings::change(base, account.id, &change, &Actor::command_line())
            .await
            .map_err(settings_refused)?;
        show(base, account.id, common).await
    }
}

/// The account of a number.
pub async fn find(base: &Base, id: AccountId) -> Result<Customer> {
    let found = storage::accounts::find(&mut *base.db.read().await?, id).await?;
    Ok(found.ok_or_else(|| not_found(id))?)
}

/// There is no such account.
pub fn not_found(id: AccountId) -> Failure {
    let message = format!("there is no account {id}; 'branchline account list' shows those there are");
    Failure::field("not_found", "account", message)
}

fn object_of(account: &Customer) -> Value {
    json!({
        "id": account.id.0,
        "company": account.company,
        "owner": account.owner,
        "email": account.email.as_str(),
        "parent": account.parent.map(|p| p.0),
        "depth": account.path.len(),
        "state": account.state.as_str(),
        "state_reason": account.state_reason,
        "created_at": rfc3339(account.created_at),
    })
}

fn say_state(account: &Customer, common: &Common) -> Result<()> {
    let reason = account.state_reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default();
    let words = format!("account {} {} is {}{reason}", account.id, account.name(), account.state.as_str());
    common.output().say(&object_of(account), &words);
    Ok(())
}

/// All accounts, each after the one above it, and what each holds in all.
pub async fn tree(base: &Base, closed_too: bool) -> Result<Vec<(Customer, Credits)>> {
    let mut conn = base.db.read().await?;
    let mut all: Vec<Customer> = Vec::new();
    loop {
        let after = all.last().map_or(AccountId(0), |account| account.id);
        let page = storage::accounts::page(&mut conn, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    all.retain(|account| closed_too || account.state != AccountState::Closed);
    let mut balances: HashMap<AccountId, (Credits, Credits)> = HashMap::new();
    for page in all.chunks(1000) {
        let ids: Vec<i64> = page.iter().map(|account| account.id.0).collect();
        balances.extend(storage::accounts::balances(&mut conn, &ids).await?);
    }
    // By their paths, those below follow the one above, and brothers the order of their numbers.
    all.sort_by(|a, b| a.path.cmp(&b.path));
    let total = |id| {
        balances
            .get(&id)
            .map_or(Credits::ZERO, |(wallet, promo)| wallet.checked_add(*promo).unwrap_or(*wallet))
    };
    Ok(all
        .into_iter()
        .map(|account| (total(account.id), account))
        .map(|(sum, account)| (account, sum))
        .collect())
}

impl List {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let tree = tree(base, self.all).await?;
        let states: BTreeMap<AccountId, AccountState> = tree.iter().map(|(a, _)| (a.id, a.state)).collect();
        let counts =
            |account: &Customer| effective(account.path.iter().filter_map(|id| states.get(id).copied()));
        let mut table = Table::new(&["ID", "Account", "State", ">Balance", "E-mail"]);
        let mut objects = Vec::with_capacity(tree.len());
        for (account, balance) in &tree {
            let mut object = object_of(account);
            object["balance"] = json!(balance.to_string());
            object["effective_state"] = json!(counts(account).as_str());
            objects.push(object);
            let indent = "  ".repeat(account.path.len().saturating_sub(1));
            let (state, style) = match (account.state, counts(account)) {
                (AccountState::Active, AccountState::Active) => ("active".to_owned(), Style::Plain),
                (AccountState::Active, above) => (format!("{} above", above.as_str()), Style::Bad),
                (own, _) => (own.as_str().to_owned(), Style::Bad),
            };
            let below_zero = if *balance < Credits::ZERO { Style::Bad } else { Style::Plain };
            table.styled([
                (account.id.to_string(), Style::Plain),
                (
                    format!("{indent}{}", account.name()),
                    if indent.is_empty() { Style::Strong } else { Style::Plain },
                ),
                (state, style),
                (balance.with_places(2), below_zero),
                (account.email.as_str().to_owned(), Style::Faint),
            ]);
        }
        let words = match table.is_empty() {
            true => "no accounts yet; create one with 'branchline account create'".to_owned(),
            false => table.lines(),
        };
        common.output().say(&json!({ "currency": base.rules.currency, "accounts": objects }), &words);
        Ok(())
    }
}

async fn show(base: &Base, id: AccountId, common: &Common) -> Result<()> {
    let mut conn = base.db.read().await?;
    let line = storage::accounts::line(&mut conn, id).await?.ok_or_else(|| not_found(id))?;
    let account = &line.account;
    let states = accounts::effective_state(&mut conn, account).await?;
    let children = storage::accounts::children(&mut conn, id).await?;
    let keys = storage::keys::of_account(&mut conn, id).await?;
    let lists = storage::prices::all(&mut conn).await?;
    let own_list = account.price_list.and_then(|own| lists.iter().find(|(list, _)| list.id == own));
    let own_list = own_list.map(|(list, _)| list.full_name());
    let working = keys.iter().filter(|(key, _)| key.works(base.clock.now())).count();
    let auto = account.auto_transfer;
    let mut object = object_of(account);
    let amount = |credits: Credits| json!(credits.to_string());
    object["effective_state"] = json!(states.as_str());
    object["currency"] = json!(base.rules.currency);
    object["balance"] = amount(line.wallet.checked_add(line.promo).unwrap_or(line.wallet));
    object["wallet"] = amount(line.wallet);
    object["free_credit"] = amount(line.promo);
    object["used"] = amount(line.usage);
    object["credit_line"] = amount(account.credit_line);
    object["price_list"] = json!(own_list);
    object["automatic_transfer"] = auto.map_or(Value::Null, |rule| {
        json!({
            "threshold": rule.threshold.to_string(),
            "amount": rule.amount.to_string(),
            "day_max": rule.day_max.map(|c| c.to_string()),
            "month_max": rule.month_max.map(|c| c.to_string()),
        })
    });
    object["default_sender"] = json!(account.settings.default_sender);
    object["default_country"] = json!(account.settings.default_country);
    object["reload_lock"] = json!(account.settings.reload_lock);
    object["recipient_day_max"] = json!(account.settings.recipient_day_max);
    object["signing_key"] = json!(account.settings.signing_key);
    object["signed_only"] = json!(account.settings.signature_required);
    object["subaccounts"] = json!(children.iter().map(|c| c.id.0).collect::<Vec<_>>());
    object["keys"] = json!(working);

    let mut table = Table::new(&["", ""]);
    let currency = &base.rules.currency;
    let mut row = |name: &str, value: String| {
        table.styled([(name.to_owned(), Style::Faint), (value, Style::Plain)]);
    };
    row("E-mail", account.email.as_str().to_owned());
    row("Owner", account.owner.clone());
    if let Some(parent) = account.parent {
        row("Below", parent.to_string());
    }
    let reason = account.state_reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default();
    let above =
        if states == account.state { String::new() } else { format!(", but {} above", states.as_str()) };
    row("State", format!("{}{above}{reason}", account.state.as_str()));
    row("Wallet", format!("{} {currency}", line.wallet));
    if line.promo.is_positive() {
        row("Free credit", format!("{} {currency}", line.promo));
    }
    if account.credit_line.is_positive() {
        row("Credit line", format!("{} {currency}", account.credit_line));
    }
    row("Used so far", format!("{} {currency}", line.usage));
    if let Some(rule) = auto {
        let ceiling =
            |max: Option<Credits>, of: &str| max.map(|m| format!(", at most {m} a {of}")).unwrap_or_default();
        let ceilings = format!("{}{}", ceiling(rule.day_max, "day"), ceiling(rule.month_max, "month"));
        row("Automatic transfer", format!("{} below {}{ceilings}", rule.amount, rule.threshold));
    }
    row(
        "Price list",
        own_list.unwrap_or_else(|| match account.parent {
            Some(_) => "that of the account above".to_owned(),
            None => format!("{} (the installation's)", storage::prices::STANDARD),
        }),
    );
    if let Some(sender) = &account.settings.default_sender {
        row("Sender", sender.clone());
    }
    if let Some(country) = &account.settings.default_country {
        row("Country", country.clone());
    }
    row("Subaccounts", children.iter().filter(|c| c.state != AccountState::Closed).count().to_string());
    row("Keys", working.to_string());
    row("Created", shown(account.created_at, &base.rules.time_zone));
    let words = format!("{}\n{}", Style::Strong.paint(&format!("{id}  {}", account.name())), table.lines());
    common.output().say(&object, &words);
    Ok(())
}

fn create_refused(error: CreateError) -> anyhow::Error {
    let message = error.to_string();
    let (code, field) = match error {
        CreateError::Storage(error) => return error.into(),
        CreateError::Name { field: "company", .. } => ("bad_name", "company"),
        CreateError::Name { .. } => ("bad_name", "name"),
        CreateError::Negative(_) => ("bad_amount", "credits"),
        CreateError::EmailTaken(_) => ("email_taken", "email"),
        CreateError::ParentNotFound(_) => ("not_found", "parent"),
        CreateError::ParentNotActive { .. } => ("not_active", "parent"),
        CreateError::TooDeep { .. } => ("too_deep", "parent"),
        CreateError::Insufficient { .. } => ("not_covered", "credits"),
        CreateError::NoParent => ("no_parent", "parent"),
        CreateError::Rule(_) => ("bad_rule", "auto_transfer"),
        CreateError::Setting(_) => ("bad_setting", "settings"),
        CreateError::Invite(_) => ("not_invited", "email"),
        CreateError::Before(_) | CreateError::KeyReused(_) => ("repeated", "once"),
    };
    Failure::field(code, field, message).into()
}

fn state_refused(error: StateError) -> anyhow::Error {
    let message = error.to_string();
    match error {
        StateError::Storage(error) => error.into(),
        StateError::NotFound(id) => not_found(id).into(),
        StateError::NoReason(_) => Failure::field("no_reason", "reason", message).into(),
        StateError::WrongState { .. } | StateError::Locked(_) | StateError::NotMain(_) => {
            Failure::field("wrong_state", "ID", message).into()
        }
    }
}

fn close_refused(error: CloseError) -> anyhow::Error {
    let message = error.to_string();
    let code = match error {
        CloseError::Storage(error) => return error.into(),
        CloseError::NotFound(id) => return not_found(id).into(),
        CloseError::Closed(_) => "wrong_state",
        CloseError::OpenChildren { .. } => "open_subaccounts",
        CloseError::UnderWay { .. } => "messages_under_way",
        CloseError::OwnCredit { .. } => "own_credit",
        CloseError::Owes { .. } => "owes",
    };
    Failure::field(code, "ID", message).into()
}

/// Why a rule or a credit line was not set.
pub fn rule_refused(error: RuleError) -> anyhow::Error {
    let message = error.to_string();
    let (code, field) = match error {
        RuleError::Storage(error) => return error.into(),
        RuleError::NotFound(id) => return not_found(id).into(),
        RuleError::Closed(_) => ("wrong_state", "account"),
        RuleError::NoParent(_) => ("main_account", "account"),
        RuleError::Negative { field: "threshold", .. } => ("bad_amount", "threshold"),
        RuleError::Negative { field: "amount", .. } => ("bad_amount", "amount"),
        RuleError::Negative { field: "credit line", .. } | RuleError::InUse { .. } => {
            ("bad_amount", "credit_line")
        }
        RuleError::Negative { field, .. } | RuleError::Ceiling { field, .. } => {
            ("bad_amount", if field.ends_with("day") { "day_max" } else { "month_max" })
        }
    };
    Failure::field(code, field, message).into()
}

fn settings_refused(error: SettingsError) -> anyhow::Error {
    match error {
        SettingsError::Storage(error) => error.into(),
        SettingsError::NotFound(id) => not_found(id).into(),
        SettingsError::Closed(_) => Failure::field("closed", "account", error.to_string()).into(),
        SettingsError::Fields(problems) => {
            let first = problems.first().map_or("settings", |problem| problem.field.as_str());
            let message =
                problems.iter().map(|one| format!("{}; {}", one.problem, one.remedy)).collect::<Vec<_>>();
            Failure::field("bad_setting", first, message.join("\n")).into()
        }
    }
}
