//! Telling of what was changed about a login: the person by mail, and the accounts they are a member of
//! in their audit logs, because whoever takes a login over acts there. Never a secret, and in the
//! transaction that makes the change, before whatever makes a new version of the books.

use domain::actor::Actor;
use domain::id::AccountId;
use domain::login::Login;
use domain::moment::Moment;
use storage::{Error, Tx, accounts, members};

use crate::audit::{self, Changes};
use crate::base::Base;
use crate::mail::{self, Factor, Message};
use crate::sessions::actor;
use crate::sign_in::{Client, to};

/// Something that was changed about a login.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    /// The password was chosen or changed.
    Password,
    /// The address.
    Address(&'a str),
    /// A second factor, or its recovery codes.
    Factor(Factor),
    /// So many sessions were ended from another one.
    SessionsEnded(u64),
    /// They can sign in by this provider from now on.
    ProviderLinked(&'a str),
    /// And no longer.
    ProviderUnlinked(&'a str),
    /// They may sign in no more.
    Disabled,
    /// They may sign in again.
    Enabled,
}

/// Who has made a change.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'a> {
    /// The person, with this browser.
    Person(&'a Client<'a>),
    /// The operator.
    Operator,
}

impl<'a> From<&'a Client<'a>> for By<'a> {
    fn from(client: &'a Client<'a>) -> By<'a> {
        By::Person(client)
    }
}

impl Change<'_> {
    fn action(self) -> &'static str {
        match self {
            Change::Password => "login.change_password",
            Change::Address(_) => "login.change_address",
            Change::Factor(Factor::AppAdded) => "login.add_app",
            Change::Factor(Factor::AppRemoved) => "login.remove_app",
            Change::Factor(Factor::PasskeyAdded) => "login.add_passkey",
            Change::Factor(Factor::PasskeyRemoved) => "login.remove_passkey",
            Change::Factor(Factor::RecoveryCodesRenewed) => "login.renew_recovery_codes",
            Change::Factor(Factor::RecoveryCodeUsed) => "login.use_recovery_code",
            Change::Factor(Factor::Reset) => "login.remove_second_factors",
            Change::SessionsEnded(_) => "login.end_sessions",
            Change::ProviderLinked(_) => "login.link_provider",
            Change::ProviderUnlinked(_) => "login.unlink_provider",
            Change::Disabled => "login.disable",
            Change::Enabled => "login.enable",
        }
    }

    fn changes(self, login: &Login) -> Changes {
        let changes = Changes::new();
        match self {
            Change::Address(new) => changes.field("email", login.email.as_str(), new),
            Change::SessionsEnded(count) => changes.new_field("sessions", count),
            Change::ProviderLinked(issuer) => changes.new_field("provider", issuer),
            Change::ProviderUnlinked(issuer) => changes.old_field("provider", issuer),
            _ => changes,
        }
    }
}

/// Tells of a change: to be called with the login as it was, before it is changed.
///
/// # Errors
/// Those of the books.
pub(crate) async fn tell<'a>(
    tx: &mut Tx,
    base: &Base,
    login: &Login,
    change: Change<'_>,
    by: impl Into<By<'a>>,
    now: Moment,
) -> Result<(), Error> {
    let (actor, client) = match by.into() {
        By::Person(client) => (actor(login, client.address, client.agent), *client),
        By::Operator => (Actor::command_line(), Client::default()),
    };
    let logs = logs_of(tx, login).await?;
    let changes = change.changes(login);
    audit::note_all(tx, &logs, &actor, change.action(), &login.words(), &changes, now).await?;
    let doing = client.doing(now);
    let message = match change {
        Change::Password => Message::PasswordChanged { doing },
        Change::Address(new) => Message::AddressChanged { new, doing },
        Change::Factor(factor) => Message::SecondFactorChanged { factor, doing },
        Change::SessionsEnded(_) => Message::SessionsEnded { doing },
        Change::ProviderLinked(provider) => Message::ProviderLinked { provider, doing },
        Change::ProviderUnlinked(provider) => Message::ProviderUnlinked { provider, doing },
        // Whoever may not sign in, or may again, hears it from the operator.
        Change::Disabled | Change::Enabled => return Ok(()),
    };
    mail::enqueue(tx, base, &to(login), &message, now).await.map(drop)
}

/// The accounts a login is a member of that are there still, each with its main account.
async fn logs_of(tx: &mut Tx, login: &Login) -> Result<Vec<(AccountId, AccountId)>, Error> {
    let ids: Vec<i64> =
        members::of_login(tx, login.id).await?.iter().map(|member| member.account.0).collect();
    let accounts = accounts::find_all(tx, &ids).await?;
    Ok(accounts.iter().map(|account| (account.id, account.root())).collect())
}
