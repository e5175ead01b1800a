//! Credits on the move by somebody's hand: grants by the operator, transfers up and down a tree, the
//! rules of automatic transfers and of credit lines, and free credit that ends.
//!
//! Every operation holds the wallets it touches before it looks at anything, in the order of their
//! numbers, as the intake does: so nobody waits for another in a circle.

use domain::account::{Account, AccountState, AutoTransfer};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, TransferId};
use domain::ledger::{Book, Cause, CauseKind, Group, LedgerAccount, PostError, Posting, TransferCode};
use domain::moment::Moment;
use storage::ledger::Booked;
use storage::requests::{self, Remembered};
use storage::{Error, Tx, accounts, ledger, promo};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;

/// The most characters of a reason, a reference or an idempotency key.
pub const TEXT_MAX: usize = 255;

/// Credit to be granted by the operator.
#[derive(Clone, Debug)]
pub struct Grant {
    /// To whom.
    pub account: AccountId,
    /// How much.
    pub amount: Credits,
    /// Why; it stands in the statement.
    pub reason: String,
    /// Asking again with the same key does not grant again.
    pub idempotency_key: Option<String>,
    /// For free credit, when it ends; absent is credit in the wallet.
    pub promo_until: Option<Moment>,
}

/// Credit to be moved within a tree.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Who gives.
    pub from: AccountId,
    /// Who gets: an account above or below the one that gives, at any distance.
    pub to: AccountId,
    /// How much.
    pub amount: Credits,
    /// What the one who asks wrote; it stands in both statements.
    pub reference: String,
    /// Asking again with the same key does not transfer again. Each account has keys of its own.
    pub idempotency_key: Option<String>,
    /// The account that asks; none is the operator.
    pub asked_by: Option<AccountId>,
}

/// What was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The transfer.
    pub transfer: TransferId,
    /// Whether it had been booked before, by the same idempotency key; nothing moved now.
    pub repeated: bool,
}

/// Why no credit was moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// An amount of nothing or less.
    #[error("the amount is {0}; it must be above zero")]
    NotPositive(Credits),
    /// A text is too long.
    #[error("the {field} has {length} characters; use at most {TEXT_MAX}")]
    TooLong {
        /// Which.
        field: &'static str,
        /// How many characters it has.
        length: usize,
    },
    /// No reason was given.
    #[error("the reason is missing; say why the credit is granted, it stands in the statement")]
    NoReason,
    /// Free credit would end before it begins.
    #[error("the free credit would end before it begins; name a later time")]
    Ended,
    /// There is no such account, or not in this tree.
    #[error("there is no account {0}")]
    NotFound(AccountId),
    /// Both are the same.
    #[error("account {0} cannot transfer to itself; name another account")]
    Same(AccountId),
    /// Neither is above the other.
    #[error(
        "credit moves up or down a tree, and neither of the accounts {from} and {to} is above the other; move it by way of an account above both"
    )]
    Sideways {
        /// Who was to give.
        from: AccountId,
        /// Who was to get.
        to: AccountId,
    },
    /// An account is closed.
    #[error("account {0} is closed; no credit moves into or out of it")]
    Closed(AccountId),
    /// The one who gives has less. A credit line does not count: it is for messages.
    #[error("account {account} holds {available} and cannot give {amount}")]
    Insufficient {
        /// Which.
        account: AccountId,
        /// What it holds.
        available: Credits,
        /// What was asked for.
        amount: Credits,
    },
    /// The books cannot hold that much.
    #[error("the amount {0} is too large to be booked")]
    TooLarge(Credits),
    /// The key was used for something else.
    #[error("the idempotency key '{0}' was used before for something else; use a new key for a new request")]
    KeyReused(String),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Why a rule was not set.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NotFound(AccountId),
    /// It is closed.
    #[error("account {0} is closed; its settings stay as they are")]
    Closed(AccountId),
    /// It has nobody above it.
    #[error("account {0} is a main account; credit comes by itself only from an account above")]
    NoParent(AccountId),
    /// An amount is below nothing.
    #[error("the {field} is {amount}; it must not be below zero")]
    Negative {
        /// Which.
        field: &'static str,
        /// What was given.
        amount: Credits,
    },
    /// A ceiling is lower than one transfer.
    #[error("the {field} is {max}, less than the amount of one transfer ({amount}); nothing would ever come")]
    Ceiling {
        /// Which.
        field: &'static str,
        /// What was given.
        max: Credits,
        /// How much comes at once.
        amount: Credits,
    },
    /// The wallet is further down already.
    #[error(
        "account {account} holds {balance}; its credit line cannot be {line}, which is less than it uses"
    )]
    InUse {
        /// Which.
        account: AccountId,
        /// What its wallet holds.
        balance: Credits,
        /// What was asked for.
        line: Credits,
    },
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(TransferError, RuleError);

/// Grants credit to an account. `actor` is who did it, for the statement and the audit log.
pub async fn grant(base: &Base, grant: &Grant, actor: &Actor) -> Result<Done, TransferError> {
    positive(grant.amount)?;
    if grant.reason.trim().is_empty() {
        return Err(TransferError::NoReason);
    }
    short("reason", &grant.reason)?;
    short("idempotency key", grant.idempotency_key.as_deref().unwrap_or(""))?;
    again(|| grant_once(base, grant, actor)).await
}

async fn grant_once(base: &Base, grant: &Grant, actor: &Actor) -> Result<Done, TransferError> {
    let Grant { account, amount, .. } = *grant;
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    ledger::lock(&mut tx, &mut Book::default(), [account]).await?;
    let until = grant.promo_until.map_or(0, |at| at.0);
    let content =
        format!("grant account={account} amount={} promo_until={until} reason={}", amount.0, grant.reason);
    let key = grant.idempotency_key.as_deref();
    let request = match request(&mut tx, requests::OPERATOR, key, &content, now).await? {
        Asked::Now(request) => request,
        Asked::Before(done) => return Ok(done),
    };
    let to = open_account(&mut tx, account).await?;
    let posting = match grant.promo_until {
        Some(until) if until <= now => return Err(TransferError::Ended),
        Some(_) => Posting {
            from: LedgerAccount::Goodwill,
            to: LedgerAccount::Promo(account),
            amount,
            code: TransferCode::Promo,
        },
        None => Posting {
            from: LedgerAccount::PaymentClearing,
            to: LedgerAccount::Wallet(account),
            amount,
            code: TransferCode::Grant,
        },
    };
    let changes = Changes::new()
        .new_field("amount", amount.to_string())
        .new_field("reason", grant.reason.trim())
        .new_field("free_until", grant.promo_until.map(audit::time));
    audit::note(&mut tx, &to, actor, "credits.grant", "credits", &changes, now).await?;
    let done = post(&mut tx, request, posting, actor, &grant.reason, now).await?;
    match grant.promo_until {
        Some(until) => drop(promo::insert(&mut tx, account, amount, until, now).await?),
        None => accounts::arm_children(&mut tx, to.id).await?,
    }
    tx.commit().await?;
    Ok(done)
}

/// Moves credit from an account to one above or below it. `actor` is who did it, for the statements
/// and the audit logs of both.
///
/// Only what the wallet of the giver holds can be given, whatever its credit line; free credit stays
/// where it is. What was refused is not remembered: the same key may be tried again.
pub async fn transfer(base: &Base, transfer: &Transfer, actor: &Actor) -> Result<Done, TransferError> {
    positive(transfer.amount)?;
    short("reference", &transfer.reference)?;
    short("idempotency key", transfer.idempotency_key.as_deref().unwrap_or(""))?;
    if transfer.from == transfer.to {
        return Err(TransferError::Same(transfer.from));
    }
    again(|| transfer_once(base, transfer, actor)).await
}

async fn transfer_once(base: &Base, transfer: &Transfer, actor: &Actor) -> Result<Done, TransferError> {
    let Transfer { from, to, amount, .. } = *transfer;
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    let mut book = Book::default();
    ledger::lock(&mut tx, &mut book, [from, to]).await?;
    let asked_by = transfer.asked_by.unwrap_or(requests::OPERATOR);
    let content =
        format!("transfer from={from} to={to} amount={} reference={}", amount.0, transfer.reference);
    let key = transfer.idempotency_key.as_deref();
    let request = match request(&mut tx, asked_by, key, &content, now).await? {
        Asked::Now(request) => request,
        Asked::Before(done) => return Ok(done),
    };
    let (giver, taker) = (open_account(&mut tx, from).await?, open_account(&mut tx, to).await?);
    if giver.root() != taker.root() {
        // Existence does not leak from one tree to another.
        return Err(TransferError::NotFound(to));
    }
    if !giver.is_above(&taker) && !taker.is_above(&giver) {
        return Err(TransferError::Sideways { from, to });
    }
    let wallet = LedgerAccount::Wallet(from);
    let available = book.balance(wallet).unwrap_or(Credits::ZERO);
    if available < amount {
        return Err(TransferError::Insufficient { account: from, available, amount });
    }
    let posting =
        Posting { from: wallet, to: LedgerAccount::Wallet(to), amount, code: TransferCode::Transfer };
    let reference = Some(transfer.reference.trim()).filter(|text| !text.is_empty());
    let changes = Changes::new().new_field("amount", amount.to_string()).new_field("reference", reference);
    let (out, into) = (format!("to {}", audit::named(&taker)), format!("from {}", audit::named(&giver)));
    audit::note(&mut tx, &giver, actor, "credits.transfer", &out, &changes, now).await?;
    audit::note(&mut tx, &taker, actor, "credits.transfer", &into, &changes, now).await?;
    let done = post(&mut tx, request, posting, actor, &transfer.reference, now).await?;
    accounts::arm_children(&mut tx, to).await?;
    tx.commit().await?;
    Ok(done)
}

/// Sets the rule by which credit comes to an account from the one above: whenever a message takes
/// its balance below the threshold, the amount comes, within the ceilings. An amount of 0 switches
/// it off.
pub async fn set_auto_transfer(
    base: &Base,
    account: AccountId,
    rule: AutoTransfer,
    actor: &Actor,
) -> Result<(), RuleError> {
    checked_rule(rule)?;
    let amount = rule.amount;
    set_checked_rule(base, account, rule, amount, actor).await
}

/// Whether a rule is possible at all.
pub(crate) fn checked_rule(rule: AutoTransfer) -> Result<(), RuleError> {
    let AutoTransfer { threshold, amount, day_max, month_max } = rule;
    let ceilings = [("ceiling of the day", day_max), ("ceiling of the month", month_max)];
    let all = [("threshold", Some(threshold)), ("amount", Some(amount)), ceilings[0], ceilings[1]];
    for (field, given) in all {
        if let Some(amount) = given.filter(|given| *given < Credits::ZERO) {
            return Err(RuleError::Negative { field, amount });
        }
    }
    for (field, max) in ceilings {
        if let Some(max) = max.filter(|max| *max < amount) {
            return Err(RuleError::Ceiling { field, max, amount });
        }
    }
    Ok(())
}

async fn set_checked_rule(
    base: &Base,
    account: AccountId,
    rule: AutoTransfer,
    amount: Credits,
    actor: &Actor,
) -> Result<(), RuleError> {
    again(|| async move {
        let mut tx = base.db.begin().await?;
        // The intake writes the state of the rule while it holds both wallets.
        let parent = accounts::find(&mut tx, account).await?.and_then(|a| a.parent);
        ledger::lock(&mut tx, &mut Book::default(), parent.into_iter().chain([account])).await?;
        let found = accounts::find(&mut tx, account).await?.ok_or(RuleError::NotFound(account))?;
        if found.state == AccountState::Closed {
            return Err(RuleError::Closed(account));
        }
        if amount.is_positive() && found.parent.is_none() {
            return Err(RuleError::NoParent(account));
        }
        let rule = amount.is_positive().then_some(rule);
        let changes = rule_changes(found.auto_transfer, rule);
        if !changes.is_empty() {
            let now = base.clock.now();
            let subject = "automatic transfer";
            audit::note(&mut tx, &found, actor, "auto_transfer.change", subject, &changes, now).await?;
        }
        accounts::set_auto_transfer(&mut tx, account, rule).await?;
        Ok::<(), RuleError>(tx.commit().await?)
    })
    .await?;
    Ok(base.refresh().await?)
}

fn rule_changes(before: Option<AutoTransfer>, after: Option<AutoTransfer>) -> Changes {
    let of = |read: fn(AutoTransfer) -> Option<Credits>| {
        let text = |rule: Option<AutoTransfer>| rule.and_then(read).map(|amount| amount.to_string());
        (text(before), text(after))
    };
    let fields = [
        ("threshold", of(|rule| Some(rule.threshold))),
        ("amount", of(|rule| Some(rule.amount))),
        ("day_max", of(|rule| rule.day_max)),
        ("month_max", of(|rule| rule.month_max)),
    ];
    fields
        .into_iter()
        .fold(Changes::new(), |changes, (name, (before, after))| changes.field(name, before, after))
}

/// Sets how far below zero the wallet of an account may go by messages.
pub async fn set_credit_line(
    base: &Base,
    account: AccountId,
    line: Credits,
    actor: &Actor,
) -> Result<(), RuleError> {
    if line < Credits::ZERO {
        return Err(RuleError::Negative { field: "credit line", amount: line });
    }
    again(|| async move {
        let mut tx = base.db.begin().await?;
        let mut book = Book::default();
        ledger::lock(&mut tx, &mut book, [account]).await?;
        let found = accounts::find(&mut tx, account).await?.ok_or(RuleError::NotFound(account))?;
        if found.state == AccountState::Closed {
            return Err(RuleError::Closed(account));
        }
        let balance = book.balance(LedgerAccount::Wallet(account)).unwrap_or(Credits::ZERO);
        if balance < -line {
            return Err(RuleError::InUse { account, balance, line });
        }
        let changes = Changes::new().field("credit_line", found.credit_line.to_string(), line.to_string());
        if !changes.is_empty() {
            let now = base.clock.now();
            audit::note(&mut tx, &found, actor, "credit_line.change", "credit line", &changes, now).await?;
        }
        accounts::set_credit_line(&mut tx, account, line).await?;
        Ok::<(), RuleError>(tx.commit().await?)
    })
    .await?;
    Ok(base.refresh().await?)
}

/// Takes back free credit that has ended. To be called every few minutes. Tells how many lots ended.
pub async fn end_free_credit(base: &Base) -> Result<usize, Error> {
    const AT_ONCE: i64 = 200;
    let mut ended = 0;
    loop {
        let due = promo::expired(&mut *base.db.read().await?, base.clock.now(), AT_ONCE).await?;
        for lot in &due {
            ended += usize::from(again(|| end_lot(base, lot.id, lot.account)).await?);
        }
        if (due.len() as i64) < AT_ONCE {
            return Ok(ended);
        }
    }
}

async fn end_lot(base: &Base, id: i64, account: AccountId) -> Result<bool, Error> {
    let now = base.clock.now();
    let mut tx = base.db.begin().await?;
    ledger::lock(&mut tx, &mut Book::default(), [account]).await?;
    let Some(lot) = promo::find(&mut tx, id).await?.filter(|lot| lot.remaining.is_positive()) else {
        return Ok(false);
    };
    let group = Group {
        cause: Cause { kind: CauseKind::PromoExpiry, id },
        postings: vec![Posting {
            from: LedgerAccount::Promo(account),
            to: LedgerAccount::Goodwill,
            amount: lot.remaining,
            code: TransferCode::PromoExpiry,
        }],
        actor: "rule".to_owned(),
        reference: String::new(),
    };
    match ledger::post_one(&mut tx, &group, now).await? {
        Booked::Now(_) => {}
        other => return Err(Error::Fault(format!("free credit of lot {id} could not be ended: {other:?}"))),
    }
    promo::set_remaining(&mut tx, id, Credits::ZERO).await?;
    tx.commit().await?;
    Ok(true)
}

fn positive(amount: Credits) -> Result<(), TransferError> {
    if amount.is_positive() { Ok(()) } else { Err(TransferError::NotPositive(amount)) }
}

fn short(field: &'static str, text: &str) -> Result<(), TransferError> {
    let length = text.chars().count();
    if length <= TEXT_MAX { Ok(()) } else { Err(TransferError::TooLong { field, length }) }
}

async fn open_account(tx: &mut Tx, id: AccountId) -> Result<Account, TransferError> {
    let found = accounts::find(tx, id).await?.ok_or(TransferError::NotFound(id))?;
    if found.state == AccountState::Closed { Err(TransferError::Closed(id)) } else { Ok(found) }
}

enum Asked {
    /// It is new, and has this number.
    Now(i64),
    /// It was done.
    Before(Done),
}

/// Whether the same was asked for before. The wallets are held, so who asks at the same time for the
/// same sees it done.
async fn request(
    tx: &mut Tx,
    asked_by: AccountId,
    key: Option<&str>,
    content: &str,
    now: Moment,
) -> Result<Asked, TransferError> {
    let Some(key) = key else { return Ok(Asked::Now(requests::fresh(tx).await?)) };
    match requests::remember(tx, asked_by, key, content, now).await? {
        Remembered::New(id) => Ok(Asked::Now(id)),
        Remembered::Other => Err(TransferError::KeyReused(key.to_owned())),
        Remembered::Same(id) => {
            let transfer = ledger::first_of(tx, Cause { kind: CauseKind::Request, id }).await?;
            let lost = || Error::Fault(format!("request {id} is remembered, but nothing was booked for it"));
            Ok(Asked::Before(Done { transfer: transfer.ok_or_else(lost)?, repeated: true }))
        }
    }
}

async fn post(
    tx: &mut Tx,
    request: i64,
    posting: Posting,
    actor: &Actor,
    reference: &str,
    now: Moment,
) -> Result<Done, TransferError> {
    let group = Group {
        cause: Cause { kind: CauseKind::Request, id: request },
        postings: vec![posting],
        actor: actor.words(),
        reference: reference.to_owned(),
    };
    match ledger::post_one(tx, &group, now).await? {
        Booked::Now(id) => Ok(Done { transfer: TransferId(id), repeated: false }),
        Booked::Refused(PostError::BadAmount(amount)) => Err(TransferError::TooLarge(amount)),
        Booked::Refused(PostError::Insufficient { balance, amount, place }) => {
            Err(TransferError::Insufficient {
                account: place.owner().unwrap_or(AccountId(0)),
                available: balance,
                amount,
            })
        }
        Booked::Before | Booked::Differently => {
            Err(Error::Fault(format!("request {request} is new, but was booked before")).into())
        }
    }
}
