//! `branchline login`: the people who sign in, as the operator of the machine sees and helps them.

use anyhow::Result;
use clap::{Args, Subcommand};
use domain::account::Email;
use domain::id::LoginId;
use domain::login::Login as Person;
use gateway::logins::{self, LoginError};
use gateway::{Base, Clock, password_reset, seal, second_factor};
use serde_json::{Value, json};

use crate::Common;
use crate::arguments::{rfc3339, shown};
use crate::books::{self, Missing, Only};
use crate::failure::Failure;
use crate::output::{Style, Table};
use crate::settings::Settings;

/// How many logins are read at once.
const PAGE: i64 = 1000;

/// Look after the people who sign in.
#[derive(Subcommand)]
pub enum Login {
    /// Show who can sign in
    List,
    /// Make a link by which somebody who is locked out chooses a new password
    Link(Link),
    /// Say who runs this installation
    Operator(Operator),
    /// Let somebody sign in no more, and end their sessions
    Disable(Who),
    /// Let somebody sign in again
    Enable(Who),
    /// Begin anew when the key of secrets (secrets.key) is lost: codes of apps fit no longer
    LostKey,
}

/// Whose.
#[derive(Args)]
pub struct Who {
    /// Their e-mail address
    #[arg(long, value_name = "MAIL")]
    email: String,
}

/// A link.
#[derive(Args)]
pub struct Link {
    #[command(flatten)]
    who: Who,
    /// Also take away their second factors, for somebody who has lost them
    #[arg(long)]
    without_second_factor: bool,
}

/// An operator.
#[derive(Args)]
pub struct Operator {
    #[command(flatten)]
    who: Who,
    /// They no longer run it
    #[arg(long)]
    off: bool,
}

impl Login {
    /// Does what was asked for.
    pub async fn run(self, common: &Common) -> Result<()> {
        let settings = common.settings(None)?;
        let base = books::base(&settings, Missing::Refuse, Clock::of_the_machine()).await?;
        base.reached_at(&books::own_url(&settings.listen));
        match self {
            Login::List => list(&base, common).await,
            Login::Link(link) => link.run(&base, common).await,
            Login::Operator(operator) => operator.run(&base, common).await,
            Login::Disable(who) => set_disabled(&base, common, &who, true).await,
            Login::Enable(who) => set_disabled(&base, common, &who, false).await,
            Login::LostKey => lost_key(&base, &settings, common).await,
        }
    }
}

impl Who {
    async fn find(&self, base: &Base) -> Result<Person> {
        let email = Email::parse(&self.email).map_err(|error| Failure {
            usage: true,
            ..Failure::field("bad_email", "email", error.to_string())
        })?;
        let found = storage::logins::by_email(&mut *base.db.read().await?, &email).await?;
        found.ok_or_else(|| {
            let message =
                format!("there is no login of {}; 'branchline login list' shows all", email.as_str());
            Failure::field("not_found", "email", message).into()
        })
    }
}

async fn list(base: &Base, common: &Common) -> Result<()> {
    let zone = &base.rules.time_zone;
    let mut table =
        Table::new(&[">ID", "Address", "Name", "Operator", "Second factor", "Last here", "State"]);
    let (mut objects, mut after) = (Vec::new(), LoginId(0));
    loop {
        let page = storage::logins::page(&mut *base.db.read().await?, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for login in &page {
            objects.push(object_of(login));
            let factors = match (login.totp_at.is_some(), login.passkeys) {
                (false, 0) => "none".to_owned(),
                (true, 0) => "app".to_owned(),
                (false, n) => format!("{n} passkeys"),
                (true, n) => format!("app, {n} passkeys"),
            };
            let (state, style) = match login.disabled_at {
                Some(at) => (format!("disabled {}", shown(at, zone)), Style::Bad),
                None => ("works".to_owned(), Style::Plain),
            };
            table.styled([
                (login.id.to_string(), Style::Plain),
                (login.email.as_str().to_owned(), Style::Plain),
                (login.name.clone(), Style::Plain),
                (if login.operator { "yes" } else { "" }.to_owned(), Style::Plain),
                (factors, Style::Plain),
                (login.last_at.map_or("never".to_owned(), |at| shown(at, zone)), Style::Plain),
                (state, style),
            ]);
        }
    }
    let words = match table.is_empty() {
        true => "nobody can sign in yet; 'branchline serve' prints the link to begin with".to_owned(),
        false => table.lines(),
    };
    common.output().say(&json!({ "logins": objects }), &words);
    Ok(())
}

impl Link {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let login = self.who.find(base).await?;
        if login.disabled_at.is_some() {
            let message = format!(
                "{} is disabled; let them sign in again first with 'branchline login enable'",
                login.email.as_str()
            );
            return Err(Failure::field("wrong_state", "email", message).into());
        }
        if self.without_second_factor {
            second_factor::reset(base, login.id).await?;
        }
        let (path, expires_at) = password_reset::link(base, login.id).await?;
        let url = base.link(&path);
        let words = format!(
            "{url}\n{}",
            Style::Faint.paint(&format!(
                "{} chooses a new password there, once, until {}",
                login.email.as_str(),
                shown(expires_at, &base.rules.time_zone)
            ))
        );
        let object = json!({ "id": login.id.0, "url": url, "expires_at": rfc3339(expires_at) });
        common.output().say(&object, &words);
        Ok(())
    }
}

impl Operator {
    async fn run(self, base: &Base, common: &Common) -> Result<()> {
        let login = self.who.find(base).await?;
        let login = logins::set_operator(base, login.id, !self.off).await.map_err(refused)?;
        let words = match login.operator {
            true => format!("{} runs this installation", login.email.as_str()),
            false => format!("{} no longer runs this installation", login.email.as_str()),
        };
        common.output().say(&object_of(&login), &words);
        Ok(())
    }
}

async fn set_disabled(base: &Base, common: &Common, who: &Who, disabled: bool) -> Result<()> {
    let login = who.find(base).await?;
    let login = logins::set_disabled(base, login.id, disabled).await.map_err(refused)?;
    let words = match disabled {
        true => format!("{} can no longer sign in", login.email.as_str()),
        false => format!("{} can sign in", login.email.as_str()),
    };
    common.output().say(&object_of(&login), &words);
    Ok(())
}

async fn lost_key(base: &Base, settings: &Settings, common: &Common) -> Result<()> {
    // A server that runs would go on sealing by the key it has.
    let _only = Only::server(&settings.database)?;
    let was = seal::forget(base).await?;
    let words = match was {
        true => {
            "the next start begins with the key it finds, or a new one; whoever has codes of an app signs in by a \
             recovery code or a passkey, or by 'branchline login link --without-second-factor'"
        }
        false => "nothing is sealed by a key; nothing was done",
    };
    common.output().say(&json!({ "forgotten": was }), words);
    Ok(())
}

fn object_of(login: &Person) -> Value {
    json!({
        "id": login.id.0,
        "email": login.email.as_str(),
        "name": login.name,
        "operator": login.operator,
        "codes": login.totp_at.is_some(),
        "passkeys": login.passkeys,
        "disabled_at": login.disabled_at.map(rfc3339),
        "created_at": rfc3339(login.created_at),
        "last_at": login.last_at.map(rfc3339),
    })
}

fn refused(error: LoginError) -> anyhow::Error {
    let message = error.to_string();
    match error {
        LoginError::Storage(error) => error.into(),
        LoginError::LastOperator => Failure::field("last_operator", "email", message).into(),
        _ => Failure::field("not_found", "email", message).into(),
    }
}
