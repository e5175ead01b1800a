//! Accounts: creating one, suspending, closing and reopening it. Every change is decided while the
//! wallet of the account is held, so that no message and no credit slips through beside it.

mod closing;
mod preview;

use domain::account::{Account, AccountSettings, AccountState, AutoTransfer, Email, Preset, effective};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::ledger::{Book, Cause, CauseKind, Group, LedgerAccount, PostError, Posting, TransferCode};
use domain::member::{Access, Role};
use domain::moment::Moment;
use rand::RngExt;
use storage::ledger::Booked;
use storage::requests::Remembered;
use storage::{Conn, Error, Tx, accounts, ledger, requests};

pub use closing::{
    CLOSING_LASTS, CloseError, CloseOwnError, Shown, When, close, close_own, finish_closings, reopen_own,
};
pub use preview::{Back, Blocker, ClosePreview, close_preview};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::mail::{self, Message};
use crate::members::invitations::{self, InviteError, NewInvitation};
use crate::settings::{self, Problem};

/// The most characters of a reason.
pub const REASON_MAX: usize = 255;
/// The most characters of a name.
pub const NAME_MAX: usize = 200;
/// Characters of a key that requests are signed with.
const SIGNING_KEY_LENGTH: usize = 40;

/// An account to be created.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The company's name.
    pub company: Option<String>,
    /// The owner's first and last name.
    pub owner: String,
    /// Its identity.
    pub email: Email,
    /// The account it is to stand below; without one it is a main account.
    pub parent: Option<AccountId>,
    /// Credit granted by the operator to begin with.
    pub credits: Credits,
}

/// What an account begins with besides its names.
#[derive(Clone, Debug, Default)]
pub struct Beginning {
    /// What it is created as, which decides how it takes visits unless that is said.
    pub preset: Option<Preset>,
    /// How it takes visits from above.
    pub access: Option<Access>,
    /// The language it is written to in.
    pub language: Option<String>,
    /// Its time zone, by its IANA name.
    pub time_zone: Option<String>,
    /// Credit handed down from the account above, in the same moment.
    pub handed_down: Credits,
    /// The rule by which more comes from there.
    pub auto_transfer: Option<AutoTransfer>,
    /// Whether its address is invited to be the first owner.
    pub invites_owner: bool,
    /// A name of the caller's for this creation, in the account above: asked again with it, nothing
    /// more is created.
    pub once: Option<String>,
}

/// Why an account was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A name is empty or too long.
    #[error("the {field} has {length} characters; use 1 to {NAME_MAX}")]
    Name {
        /// Which.
        field: &'static str,
        /// How many characters it has.
        length: usize,
    },
    /// The credit to begin with is below nothing.
    #[error("the credits are {0}; grant nothing or more")]
    Negative(Credits),
    /// An account that is not closed has the address.
    #[error("the e-mail address {0} belongs to an account already; use another, or close that account first")]
    EmailTaken(String),
    /// There is no such account to stand below.
    #[error("there is no account {0} to create one below; name an account that exists")]
    ParentNotFound(AccountId),
    /// The account above, or one above that, is not active.
    #[error("account {parent} is {}; activate it before creating accounts below it", .state.as_str())]
    ParentNotActive {
        /// The account above.
        parent: AccountId,
        /// Its effective state.
        state: AccountState,
    },
    /// The tree would become too deep.
    #[error("account {parent} is at depth {max}, the deepest this installation allows; create it further up")]
    TooDeep {
        /// The account above.
        parent: AccountId,
        /// The greatest depth.
        max: usize,
    },
    /// The account above holds less than is to be handed down.
    #[error(
        "account {account} holds {available} and cannot give {amount}; hand down less, or nothing for now"
    )]
    Insufficient {
        /// The account above.
        account: AccountId,
        /// What it holds.
        available: Credits,
        /// What was asked for.
        amount: Credits,
    },
    /// Credit would come from an account above, and there is none.
    #[error("a main account has no account above it that credit could come from")]
    NoParent,
    /// The rule of automatic transfers is not possible.
    #[error("{0}")]
    Rule(String),
    /// A setting is not possible.
    #[error("{0}")]
    Setting(Problem),
    /// The first owner cannot be invited.
    #[error(transparent)]
    Invite(Box<InviteError>),
    /// It was created before by the same request. This is it, unless it was closed since.
    #[error("it was created before by the same request")]
    Before(Option<Box<Account>>),
    /// The request's name was used for something else.
    #[error("'{0}' was used before for something else; use a new name for a new request")]
    KeyReused(String),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Why the state of an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NotFound(AccountId),
    /// No reason was given.
    #[error("the reason is missing; say why account {0} is suspended, its members will read it")]
    NoReason(AccountId),
    /// The account is closed, or about to be.
    #[error("account {account} is {} and cannot be {wanted}", .state.as_str())]
    WrongState {
        /// Which.
        account: AccountId,
        /// Its own state.
        state: AccountState,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The operator has suspended it or begun to close it, which nobody in its tree can lift.
    #[error("account {0} was suspended by the operator of this installation, and only they can lift that")]
    Locked(AccountId),
    /// The account above it decides that.
    #[error("account {0} stands below another one; whoever looks after that one reopens it")]
    NotMain(AccountId),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(CreateError, StateError);

/// Creates an account, its wallet and, if wanted, its first credit. `actor` is who did it, for the
/// statement and the audit logs of the account and the one above it.
pub async fn create(base: &Base, new: &NewAccount, actor: &Actor) -> Result<Account, CreateError> {
    create_with(base, new, &Beginning::default(), actor).await
}

/// As [`create`], with all that the account begins with, in one transaction: there is no account
/// without its credit, its rule and its invitation.
pub async fn create_with(
    base: &Base,
    new: &NewAccount,
    beginning: &Beginning,
    actor: &Actor,
) -> Result<Account, CreateError> {
    let account = again(async || {
        let mut tx = base.db.begin().await?;
        let account = create_with_in(&mut tx, base, new, beginning, actor, base.clock.now()).await?;
        tx.commit().await?;
        Ok::<_, CreateError>(account)
    })
    .await?;
    base.refresh().await?;
    Ok(account)
}

/// As [`create`], in a transaction that does more.
pub(crate) async fn create_in(
    tx: &mut Tx,
    base: &Base,
    new: &NewAccount,
    actor: &Actor,
    now: Moment,
) -> Result<Account, CreateError> {
    create_with_in(tx, base, new, &Beginning::default(), actor, now).await
}

async fn create_with_in(
    tx: &mut Tx,
    base: &Base,
    new: &NewAccount,
    beginning: &Beginning,
    actor: &Actor,
    now: Moment,
) -> Result<Account, CreateError> {
    let (company, owner) =
        (new.company.as_deref().map(str::trim).filter(|c| !c.is_empty()), new.owner.trim());
    for (field, name) in [("company", company), ("name of the owner", Some(owner))] {
        let length = name.map_or(1, |n| n.chars().count());
        if !(1..=NAME_MAX).contains(&length) {
            return Err(CreateError::Name { field, length });
        }
    }
    for amount in [new.credits, beginning.handed_down] {
        if amount < Credits::ZERO {
            return Err(CreateError::Negative(amount));
        }
    }
    let choices = checked_beginning(new, beginning)?;
    let mut path = match new.parent {
        None => Vec::new(),
        Some(parent) => path_below(base, tx, parent).await?,
    };
    if let Some(once) = &beginning.once {
        asked_once(tx, new, beginning, once, now).await?;
    }
    let id = accounts::draw_id(tx).await?;
    path.push(id);
    let account = Account {
        id,
        parent: new.parent,
        path,
        company: company.map(str::to_owned),
        owner: owner.to_owned(),
        email: new.email.clone(),
        state: AccountState::Active,
        state_reason: None,
        credit_line: Credits::ZERO,
        price_list: None,
        shared_wallet: None,
        auto_transfer: beginning.auto_transfer.filter(|rule| rule.amount.is_positive()),
        settings: AccountSettings {
            reload_lock: true,
            access: beginning.access.or(beginning.preset.map(Preset::access)).unwrap_or_default(),
            time_zone: choices.time_zone.clone().flatten(),
            language: choices.language.clone().flatten(),
            preset: beginning.preset,
            signing_key: signing_key(&mut rand::rng()),
            ..AccountSettings::default()
        },
        created_at: now,
    };
    let changes = Changes::new()
        .new_field("company", company)
        .new_field("owner", owner)
        .new_field("email", new.email.as_str())
        .new_field("preset", beginning.preset.map(Preset::as_str))
        .new_field(
            "access",
            (account.settings.access != Access::Open).then(|| account.settings.access.as_str()),
        )
        .new_field("credits", new.credits.is_positive().then(|| new.credits.to_string()));
    for log in account.path.iter().rev().take(2) {
        let log = (*log, account.root());
        audit::note_at(tx, log, actor, "account.create", &audit::named(&account), &changes, now).await?;
    }
    ledger::open(tx, id, Credits::ZERO).await?;
    let request = if new.credits.is_positive() { requests::fresh(tx).await? } else { 0 };
    match accounts::insert(tx, &account).await {
        Err(error) if error.is_duplicate_of("accounts", "email_folded") => {
            return Err(CreateError::EmailTaken(new.email.as_str().to_owned()));
        }
        done => done?,
    }
    if new.credits.is_positive() {
        let group = Group {
            cause: Cause { kind: CauseKind::Request, id: request },
            postings: vec![Posting {
                from: LedgerAccount::PaymentClearing,
                to: LedgerAccount::Wallet(id),
                amount: new.credits,
                code: TransferCode::Grant,
            }],
            actor: actor.words(),
            reference: "first credit".to_owned(),
        };
        booked(ledger::post_one(tx, &group, now).await?)?;
    }
    if let Some(parent) = new.parent.filter(|_| beginning.handed_down.is_positive()) {
        hand_down(tx, parent, &account, beginning.handed_down, actor, now).await?;
    }
    if beginning.invites_owner {
        let first = NewInvitation { email: new.email.clone(), role: Role::Owner, includes_subaccounts: true };
        let invited = invitations::invite_within(tx, base, &account, &first, actor).await;
        invited.map_err(|error| match error {
            InviteError::Storage(error) => CreateError::Storage(error),
            other => CreateError::Invite(Box::new(other)),
        })?;
    }
    Ok(account)
}

/// Whether an account can begin like this at all; and what it chooses, as it is stored.
fn checked_beginning(new: &NewAccount, beginning: &Beginning) -> Result<settings::Change, CreateError> {
    if new.parent.is_none() && (beginning.handed_down.is_positive() || beginning.auto_transfer.is_some()) {
        return Err(CreateError::NoParent);
    }
    if let Some(rule) = beginning.auto_transfer {
        crate::credits::checked_rule(rule).map_err(|why| CreateError::Rule(why.to_string()))?;
    }
    let choices = settings::Change {
        language: Some(beginning.language.clone()),
        time_zone: Some(beginning.time_zone.clone()),
        ..settings::Change::default()
    };
    settings::checked(&choices).map_err(|mut problems| CreateError::Setting(problems.swap_remove(0)))
}

/// Whether the same creation was asked for before.
async fn asked_once(
    tx: &mut Tx,
    new: &NewAccount,
    beginning: &Beginning,
    once: &str,
    now: Moment,
) -> Result<(), CreateError> {
    let by = new.parent.unwrap_or(requests::OPERATOR);
    let content = format!("create email={} handed_down={}", new.email.folded(), beginning.handed_down.0);
    match requests::remember(tx, by, once, &content, now).await? {
        Remembered::New(_) => Ok(()),
        Remembered::Other => Err(CreateError::KeyReused(once.to_owned())),
        Remembered::Same(_) => {
            let found = accounts::by_email(tx, &new.email).await?;
            let found = found.filter(|account| account.parent == new.parent);
            Err(CreateError::Before(found.map(Box::new)))
        }
    }
}

/// Credit for a new account from the one above, which is held.
async fn hand_down(
    tx: &mut Tx,
    parent: AccountId,
    account: &Account,
    amount: Credits,
    actor: &Actor,
    now: Moment,
) -> Result<(), CreateError> {
    let mut book = Book::default();
    ledger::lock(tx, &mut book, [parent]).await?;
    let wallet = LedgerAccount::Wallet(parent);
    let available = book.balance(wallet).unwrap_or(Credits::ZERO);
    if available < amount {
        return Err(CreateError::Insufficient { account: parent, available, amount });
    }
    let request = requests::fresh(tx).await?;
    let root = account.root();
    let changes = Changes::new().new_field("amount", amount.to_string());
    let out = format!("to {}", audit::named(account));
    audit::note_at(tx, (parent, root), actor, "credits.transfer", &out, &changes, now).await?;
    let into = format!("from account {parent}");
    audit::note_at(tx, (account.id, root), actor, "credits.transfer", &into, &changes, now).await?;
    let to = LedgerAccount::Wallet(account.id);
    let group = Group {
        cause: Cause { kind: CauseKind::Request, id: request },
        postings: vec![Posting { from: wallet, to, amount, code: TransferCode::Transfer }],
        actor: actor.words(),
        reference: "first credit".to_owned(),
    };
    Ok(booked(ledger::post_one(tx, &group, now).await?)?)
}

/// The path of an account to stand right below this one, which is held so that it cannot be closed
/// meanwhile.
async fn path_below(base: &Base, tx: &mut Tx, parent: AccountId) -> Result<Vec<AccountId>, CreateError> {
    ledger::lock(tx, &mut Book::default(), [parent]).await?;
    let above = accounts::find(tx, parent).await?.ok_or(CreateError::ParentNotFound(parent))?;
    let state = effective_state(tx, &above).await?;
    if state != AccountState::Active {
        return Err(CreateError::ParentNotActive { parent, state });
    }
    let max = base.rules.depth_max;
    if above.path.len() >= max {
        return Err(CreateError::TooDeep { parent, max });
    }
    Ok(above.path)
}

/// The state of an account that counts, as the books have it now.
pub async fn effective_state(conn: &mut Conn, account: &Account) -> Result<AccountState, Error> {
    let ids: Vec<i64> = account.path.iter().map(|id| id.0).collect();
    let states = accounts::states(conn, &ids).await?;
    Ok(effective(account.path.iter().map(|id| states.get(id).copied().unwrap_or(AccountState::Closed))))
}

/// A reason, and who gave it.
fn because(actor: &Actor, reason: &str) -> String {
    match reason.trim() {
        "" => actor.words(),
        reason => format!("{}: {reason}", actor.words()),
    }
}

/// Stops an account and those below it from sending. Its members can read the reason.
pub async fn suspend(base: &Base, id: AccountId, reason: &str, actor: &Actor) -> Result<Account, StateError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(StateError::NoReason(id));
    }
    let because = because(actor, reason);
    let may = |state| matches!(state, AccountState::Active | AccountState::Suspended);
    let change = Change {
        action: "account.suspend",
        state: AccountState::Suspended,
        reason: Some(&because),
        said: Some(reason),
        wanted: "suspended",
    };
    change_state(base, id, change, may, actor).await
}

/// Lets an account send again, or reopens one that is about to be closed.
pub async fn activate(base: &Base, id: AccountId, actor: &Actor) -> Result<Account, StateError> {
    tracing::info!(account = id.0, actor = actor.words(), "an account is activated");
    let change = Change {
        action: "account.activate",
        state: AccountState::Active,
        reason: None,
        said: None,
        wanted: "activated",
    };
    change_state(base, id, change, |state| state != AccountState::Closed, actor).await
}

/// A change of an account's state.
#[derive(Clone, Copy)]
struct Change<'a> {
    action: &'static str,
    state: AccountState,
    /// Who did it and why, as it stands with the account.
    reason: Option<&'a str>,
    /// Why.
    said: Option<&'a str>,
    wanted: &'static str,
}

async fn change_state(
    base: &Base,
    id: AccountId,
    change: Change<'_>,
    may: impl Fn(AccountState) -> bool,
    actor: &Actor,
) -> Result<Account, StateError> {
    let Change { action, state, reason, said, wanted } = change;
    let may = &may;
    let account = again(|| async move {
        let mut tx = base.db.begin().await?;
        ledger::lock(&mut tx, &mut Book::default(), [id]).await?;
        let mut account = accounts::find(&mut tx, id).await?.ok_or(StateError::NotFound(id))?;
        if !may(account.state) {
            return Err(StateError::WrongState { account: id, state: account.state, wanted });
        }
        let locked = accounts::operator_lock(&mut tx, id).await?;
        if state == AccountState::Active && locked && !actor.is_operator() {
            return Err(StateError::Locked(id));
        }
        let now = base.clock.now();
        note_state(&mut tx, &account, state, action, said, actor, now).await?;
        if state == AccountState::Suspended && account.state != state {
            let (by, reason) = (actor.words(), said.unwrap_or_default());
            let message = Message::AccountSuspended { account: (&account).into(), by: &by, reason };
            mail::enqueue_to_members(&mut tx, base, id, &mail::LEADERS, &message, now).await?;
        }
        let lock = state == AccountState::Suspended && (locked || actor.is_operator());
        accounts::set_operator_lock(&mut tx, id, lock).await?;
        accounts::set_state(&mut tx, id, state, reason, now).await?;
        tx.commit().await?;
        account.state = state;
        account.state_reason = reason.map(str::to_owned);
        Ok(account)
    })
    .await?;
    base.refresh().await?;
    Ok(account)
}

async fn note_state(
    tx: &mut Tx,
    account: &Account,
    state: AccountState,
    action: &str,
    reason: Option<&str>,
    actor: &Actor,
    now: Moment,
) -> Result<(), Error> {
    let changes = Changes::new()
        .field("state", account.state.as_str(), state.as_str())
        .new_field("reason", reason.map(str::trim).filter(|reason| !reason.is_empty()));
    audit::note(tx, account, actor, action, &audit::named(account), &changes, now).await
}

/// What must have been booked, because all was looked at before while the wallets were held.
fn booked(booked: Booked) -> Result<(), Error> {
    match booked {
        Booked::Now(_) => Ok(()),
        Booked::Before | Booked::Differently => {
            Err(Error::Fault("the books have transfers for something that is new".to_owned()))
        }
        Booked::Refused(why @ (PostError::Insufficient { .. } | PostError::BadAmount(_))) => {
            Err(Error::Fault(format!("the books refuse what was looked at: {why}")))
        }
    }
}

/// A key that requests are signed with.
pub fn signing_key(rng: &mut impl rand::CryptoRng) -> String {
    (0..SIGNING_KEY_LENGTH).map(|_| char::from(rng.sample(rand::distr::Alphanumeric))).collect()
}
