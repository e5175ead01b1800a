//! Visits: somebody from an account above steps into one below, for a time, and never as a person. The
//! account's `access` says how: `open`, they come in; `notify`, its owner is also mailed; `ask`, its
//! owner must have said yes for a time, or the owner of an account above breaks the glass with a
//! reason, which is mailed. An account without members has nobody to ask and counts as open.
//!
//! Every visit is in the account's audit log, and its members see the list of them. Doors have asked
//! [`domain::permission::may`], whose [`StepIn`](domain::permission::Verdict::StepIn) names the account
//! above that one comes from.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use domain::account::{Account, AccountState};
use domain::actor::Actor;
use domain::id::{AccountId, KeyId, LoginId};
use domain::key::Key;
use domain::member::{Access, Role};
use domain::moment::Moment;
use storage::members::{self, Person};
use storage::visits::{self, Grant, GrantState, NewGrant, Visit};
use storage::{Error, Tx, accounts};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::mail::{self, Message, To};

/// How long a visit lasts at most. It is not made longer: whoever needs more steps in again.
pub const LASTS: Duration = Duration::from_secs(60 * 60);
/// How long one lasts that nobody let in.
pub const BROKEN_LASTS: Duration = Duration::from_secs(30 * 60);
/// How long a question waits for its answer.
pub const QUESTION_LASTS: Duration = Duration::from_secs(7 * 86_400);
/// The most characters of a reason.
pub const REASON_MAX: usize = 500;

/// For how long an owner says yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HowLong {
    /// One hour.
    Hour,
    /// Eight hours.
    WorkingDay,
    /// One day.
    Day,
    /// Seven days.
    Week,
}

impl HowLong {
    /// All, the shortest first.
    pub const ALL: [HowLong; 4] = [HowLong::Hour, HowLong::WorkingDay, HowLong::Day, HowLong::Week];

    /// As hours.
    pub fn hours(self) -> u64 {
        match self {
            HowLong::Hour => 1,
            HowLong::WorkingDay => 8,
            HowLong::Day => 24,
            HowLong::Week => 168,
        }
    }

    /// The one of so many hours.
    pub fn from_hours(hours: u64) -> Option<HowLong> {
        HowLong::ALL.into_iter().find(|one| one.hours() == hours)
    }

    fn duration(self) -> Duration {
        Duration::from_secs(self.hours() * 3_600)
    }
}

/// Who wants in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The person.
    pub login: LoginId,
    /// Their browser.
    pub session: i64,
    /// The account above that they come from.
    pub above: AccountId,
}

/// Why nobody stepped in.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// There is no such account below that one.
    #[error("there is no account {0} below yours")]
    NotFound(AccountId),
    /// The account is closed.
    #[error("account {0} is closed; its books can be read from above")]
    Closed(AccountId),
    /// They are a member.
    #[error("you are a member of account {0}; open it from your accounts")]
    IsMember(AccountId),
    /// No reason was given.
    #[error("the reason is missing; say why, the members of the account will read it")]
    NoReason,
    /// The reason is too long.
    #[error("the reason has {0} characters; use at most {REASON_MAX}")]
    LongReason(usize),
    /// The account wants to be asked.
    #[error("account {0} wants to be asked first; ask for access, its owner decides")]
    MustAsk(AccountId),
    /// There is nothing to ask for.
    #[error("account {0} takes visits from above without being asked; step in")]
    NeedNotAsk(AccountId),
    /// Only the owner of an account above breaks the glass.
    #[error("only the owner of an account above may step in without being let in")]
    NotOwnerAbove,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is no such question.
    #[error("there is no such question for access to this account")]
    NotFound,
    /// It was answered, or has lapsed.
    #[error("this question is {}; whoever needs access can ask again", .0.as_str())]
    Over(GrantState),
    /// It has lapsed.
    #[error("this question has lapsed; whoever needs access can ask again")]
    Lapsed,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(VisitError, AnswerError);

/// What stands between somebody above and an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing; the visit is written down.
    Open,
    /// Nothing; the owner is mailed, too.
    Notify,
    /// The owner's yes.
    Ask,
}

/// How an account takes visits now: by its choice, and open when it has nobody to ask.
///
/// # Errors
/// Those of the books.
pub async fn way(conn: &mut storage::Conn, account: &Account) -> Result<Way, Error> {
    Ok(match account.settings.access {
        Access::Open => Way::Open,
        _ if members::count(conn, account.id).await? == 0 => Way::Open,
        Access::Notify => Way::Notify,
        Access::Ask => Way::Ask,
    })
}

/// The account and who wants in, the account being held.
async fn at_the_door(
    tx: &mut Tx,
    visitor: &Visitor,
    account: AccountId,
) -> Result<(Account, Account, Person), VisitError> {
    let not_found = || VisitError::NotFound(account);
    let found = accounts::hold(tx, account).await?.ok_or_else(not_found)?;
    let above = accounts::find(tx, visitor.above).await?.ok_or_else(not_found)?;
    let person = members::person(tx, visitor.login).await?.ok_or_else(not_found)?;
    if !above.is_above(&found) {
        return Err(not_found());
    }
    if found.state == AccountState::Closed {
        return Err(VisitError::Closed(account));
    }
    if members::of(tx, account, visitor.login).await?.is_some() {
        return Err(VisitError::IsMember(account));
    }
    Ok((found, above, person))
}

fn checked(reason: &str) -> Result<&str, VisitError> {
    let reason = reason.trim();
    let length = reason.chars().count();
    if length > REASON_MAX { Err(VisitError::LongReason(length)) } else { Ok(reason) }
}

/// Steps in. Who is in already stays until the time that was set then.
///
/// # Errors
/// [`VisitError::MustAsk`] when the owner's yes is needed and there is none; the others as they say.
pub async fn begin(
    base: &Base,
    visitor: &Visitor,
    account: AccountId,
    reason: &str,
    actor: &Actor,
) -> Result<Visit, VisitError> {
    let reason = checked(reason)?;
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let (found, above, person) = at_the_door(&mut tx, visitor, account).await?;
        if let Some(visit) = visits::current(&mut tx, visitor.session, account, now).await? {
            return Ok(visit);
        }
        let way = way(&mut tx, &found).await?;
        let mut ends_at = now.after(LASTS);
        let mut grant = None;
        if way == Way::Ask {
            let yes = live(&mut tx, visitor, account, now).await?.ok_or(VisitError::MustAsk(account))?;
            ends_at = ends_at.min(yes.expires_at.unwrap_or(ends_at));
            grant = Some(yes.id);
        }
        let visit =
            enter(&mut tx, visitor, &found, grant, reason, ends_at, actor, "visit.begin", now).await?;
        if way == Way::Notify {
            let message = Message::VisitBegan {
                account: (&found).into(),
                visitor: &person.name,
                above: above.name(),
                reason,
                until: ends_at,
            };
            tell_owner(&mut tx, base, &found, &message, now).await?;
        }
        tx.commit().await?;
        Ok(visit)
    })
    .await
}

async fn live(
    tx: &mut Tx,
    visitor: &Visitor,
    account: AccountId,
    now: Moment,
) -> Result<Option<Grant>, Error> {
    let asked = visits::grants_of(tx, account, visitor.above, visitor.login, 20).await?;
    Ok(asked.into_iter().find(|one| one.state == GrantState::Granted && one.is_live(now)))
}

#[expect(clippy::too_many_arguments, reason = "each is a column of the visit or of its audit row")]
async fn enter(
    tx: &mut Tx,
    visitor: &Visitor,
    account: &Account,
    grant: Option<i64>,
    reason: &str,
    ends_at: Moment,
    actor: &Actor,
    action: &str,
    now: Moment,
) -> Result<Visit, Error> {
    let visit = Visit {
        id: 0,
        account: account.id,
        above: visitor.above,
        login: visitor.login,
        session: visitor.session,
        grant,
        reason: reason.to_owned(),
        began_at: now,
        ends_at,
        ended_at: None,
    };
    let visit = visits::insert(tx, visit).await?;
    let actor = Actor { above: Some(visitor.above), visit: Some(visit.id), ..actor.clone() };
    let changes = Changes::new()
        .new_field("reason", Some(reason).filter(|reason| !reason.is_empty()))
        .new_field("until", audit::time(ends_at));
    let subject = audit::named(account);
    audit::note(tx, account, &actor, action, &subject, &changes, now).await?;
    Ok(visit)
}

/// Writes to the owner of an account; where there is none, to its administrators, else its address.
async fn tell_owner(
    tx: &mut Tx,
    base: &Base,
    account: &Account,
    message: &Message<'_>,
    now: Moment,
) -> Result<(), Error> {
    match members::owner(tx, account.id).await? {
        Some(owner) => {
            let to = To {
                email: &owner.email,
                language: owner.language.as_deref().or(account.settings.language.as_deref()),
                time_zone: account.settings.time_zone.as_deref(),
                account: Some(account.id),
            };
            mail::enqueue(tx, base, &to, message, now).await?;
        }
        None => {
            mail::enqueue_to_members(tx, base, account.id, &mail::LEADERS, message, now).await?;
        }
    }
    Ok(())
}

/// Breaks the glass: the owner of an account above steps into one that wants to be asked, with a
/// reason, for [`BROKEN_LASTS`]. Always written down and mailed to the owner of the account.
///
/// # Errors
/// [`VisitError`]; nobody stepped in then.
pub async fn break_glass(
    base: &Base,
    visitor: &Visitor,
    account: AccountId,
    reason: &str,
    actor: &Actor,
) -> Result<Visit, VisitError> {
    let reason = checked(reason)?;
    if reason.is_empty() {
        return Err(VisitError::NoReason);
    }
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let (found, above, person) = at_the_door(&mut tx, visitor, account).await?;
        let standing = members::of(&mut tx, visitor.above, visitor.login).await?;
        if standing.is_none_or(|member| member.role != Role::Owner) {
            return Err(VisitError::NotOwnerAbove);
        }
        if way(&mut tx, &found).await? != Way::Ask {
            return Err(VisitError::NeedNotAsk(account));
        }
        if let Some(visit) = visits::current(&mut tx, visitor.session, account, now).await? {
            return Ok(visit);
        }
        let ends_at = now.after(BROKEN_LASTS);
        let broken = NewGrant {
            account,
            above: visitor.above,
            login: visitor.login,
            reason,
            state: GrantState::Broken,
            expires_at: ends_at,
        };
        let grant = visits::ask(&mut tx, &broken, now).await?;
        let action = "visit.break_glass";
        let visit = enter(&mut tx, visitor, &found, Some(grant), reason, ends_at, actor, action, now).await?;
        let message = Message::GlassBroken {
            account: (&found).into(),
            visitor: &person.name,
            above: above.name(),
            reason,
            until: ends_at,
        };
        tell_owner(&mut tx, base, &found, &message, now).await?;
        tx.commit().await?;
        Ok(visit)
    })
    .await
}

/// Steps out of an account. Nothing happens when one is not in it.
///
/// # Errors
/// Those of the books.
pub async fn end(base: &Base, session: i64, account: AccountId, actor: &Actor) -> Result<(), Error> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let Some(visit) = visits::current(&mut tx, session, account, now).await? else { return Ok(()) };
        let Some(found) = accounts::find(&mut tx, account).await? else { return Ok(()) };
        let actor = Actor { above: Some(visit.above), visit: Some(visit.id), ..actor.clone() };
        let subject = audit::named(&found);
        audit::note(&mut tx, &found, &actor, "visit.end", &subject, &Changes::new(), now).await?;
        visits::end(&mut tx, visit.id, now).await?;
        tx.commit().await
    })
    .await
}

/// The visit that a browser is on in an account: one read by an index.
///
/// # Errors
/// Those of the books.
pub async fn current(base: &Base, session: i64, account: AccountId) -> Result<Option<Visit>, Error> {
    visits::current(&mut *base.db.read().await?, session, account, base.clock.now()).await
}

/// Asks the owner of an account for access. Who has asked already and waits gets that question again.
///
/// # Errors
/// [`VisitError`]; nobody was asked then.
pub async fn ask(
    base: &Base,
    visitor: &Visitor,
    account: AccountId,
    reason: &str,
    actor: &Actor,
) -> Result<Grant, VisitError> {
    let reason = checked(reason)?;
    if reason.is_empty() {
        return Err(VisitError::NoReason);
    }
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let (found, above, person) = at_the_door(&mut tx, visitor, account).await?;
        if way(&mut tx, &found).await? != Way::Ask {
            return Err(VisitError::NeedNotAsk(account));
        }
        let before = visits::grants_of(&mut tx, account, visitor.above, visitor.login, 20).await?;
        let stands = |one: &Grant| one.waits(now) || (one.state == GrantState::Granted && one.is_live(now));
        if let Some(standing) = before.into_iter().find(stands) {
            return Ok(standing);
        }
        let question = NewGrant {
            account,
            above: visitor.above,
            login: visitor.login,
            reason,
            state: GrantState::Asked,
            expires_at: now.after(QUESTION_LASTS),
        };
        let actor = Actor { above: Some(visitor.above), ..actor.clone() };
        let changes = Changes::new().new_field("reason", reason);
        let subject = audit::named(&found);
        audit::note(&mut tx, &found, &actor, "access.ask", &subject, &changes, now).await?;
        let id = visits::ask(&mut tx, &question, now).await?;
        let message = Message::AccessAsked {
            account: (&found).into(),
            visitor: &person.name,
            above: above.name(),
            reason,
        };
        tell_owner(&mut tx, base, &found, &message, now).await?;
        tx.commit().await?;
        Ok(Grant {
            id,
            account,
            above: visitor.above,
            login: visitor.login,
            name: person.name,
            email: person.email,
            reason: reason.to_owned(),
            state: GrantState::Asked,
            asked_at: now,
            answered_by: None,
            answered_at: None,
            expires_at: Some(question.expires_at),
        })
    })
    .await
}

/// Says yes for a time. Whoever asked is mailed.
///
/// # Errors
/// [`AnswerError`]; nothing has changed then.
pub async fn grant(
    base: &Base,
    account: AccountId,
    question: i64,
    how_long: HowLong,
    owner: LoginId,
    actor: &Actor,
) -> Result<Grant, AnswerError> {
    answer(base, account, question, Some(how_long), owner, actor).await
}

/// Says no. Whoever asked is mailed.
///
/// # Errors
/// [`AnswerError`]; nothing has changed then.
pub async fn refuse(
    base: &Base,
    account: AccountId,
    question: i64,
    owner: LoginId,
    actor: &Actor,
) -> Result<Grant, AnswerError> {
    answer(base, account, question, None, owner, actor).await
}

async fn answer(
    base: &Base,
    account: AccountId,
    question: i64,
    yes: Option<HowLong>,
    owner: LoginId,
    actor: &Actor,
) -> Result<Grant, AnswerError> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let (found, asked) = held(&mut tx, account, question).await?;
        if asked.state != GrantState::Asked {
            return Err(AnswerError::Over(asked.state));
        }
        if !asked.waits(now) {
            return Err(AnswerError::Lapsed);
        }
        let (state, action) = match yes {
            Some(_) => (GrantState::Granted, "access.grant"),
            None => (GrantState::Refused, "access.refuse"),
        };
        let expires_at = yes.map_or(now, |how_long| now.after(how_long.duration()));
        let until = yes.map(|_| expires_at);
        let changes = Changes::new().new_field("until", until.map(audit::time));
        let subject = crate::members::named(&asked.name, &asked.email);
        audit::note(&mut tx, &found, actor, action, &subject, &changes, now).await?;
        visits::answer(&mut tx, question, state, Some(owner), expires_at, now).await?;
        let by = members::person(&mut tx, owner).await?.map_or_else(String::new, |person| person.name);
        let message = Message::AccessAnswered { account: (&found).into(), by: &by, granted_until: until };
        let to = To { email: &asked.email, ..To::default() };
        mail::enqueue(&mut tx, base, &to, &message, now).await?;
        tx.commit().await?;
        let answered_at = Some(now);
        Ok(Grant { state, answered_by: Some(owner), answered_at, expires_at: Some(expires_at), ..asked })
    })
    .await
}

async fn held(tx: &mut Tx, account: AccountId, question: i64) -> Result<(Account, Grant), AnswerError> {
    let found = accounts::hold(tx, account).await?.ok_or(AnswerError::NotFound)?;
    let asked = visits::hold_grant(tx, question).await?.filter(|asked| asked.account == account);
    Ok((found, asked.ok_or(AnswerError::NotFound)?))
}

/// Takes a yes back, or ends what broke the glass. Visits that it opened end now.
///
/// # Errors
/// [`AnswerError`]; nothing has changed then.
pub async fn withdraw(
    base: &Base,
    account: AccountId,
    question: i64,
    owner: LoginId,
    actor: &Actor,
) -> Result<(), AnswerError> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let (found, asked) = held(&mut tx, account, question).await?;
        if !asked.is_live(now) {
            return Err(AnswerError::Over(asked.state));
        }
        let subject = crate::members::named(&asked.name, &asked.email);
        audit::note(&mut tx, &found, actor, "access.withdraw", &subject, &Changes::new(), now).await?;
        visits::answer(&mut tx, question, GrantState::Withdrawn, Some(owner), now, now).await?;
        visits::end_of_grant(&mut tx, account, question, now).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Whether a key of an account above may do what needs stepping in: always, unless the account wants
/// to be asked; then while its owner's yes for that account counts. To be asked for accounts with
/// [`Access::Ask`] alone.
///
/// # Errors
/// Those of the books.
pub async fn key_may(base: &Base, account: &Account, above: AccountId) -> Result<bool, Error> {
    let mut conn = base.db.read().await?;
    Ok(way(&mut conn, account).await? != Way::Ask
        || visits::any_live(&mut conn, account.id, above, base.clock.now()).await?)
}

/// How often the use of a key from above is written into the audit log of an account.
const USE_NOTED_EVERY: Duration = Duration::from_secs(3_600);
/// How many uses are remembered.
const USES_MAX: usize = 100_000;

/// Keys from above at work in accounts, written down once an hour a key and account.
#[derive(Debug, Default)]
pub struct KeyUse(Mutex<HashMap<(KeyId, AccountId), Moment>>);

impl KeyUse {
    /// Whether this use is to be written down by [`KeyUse::write`], which the caller does beside the
    /// request.
    pub fn is_due(&self, key: KeyId, account: AccountId, now: Moment) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(|p| p.into_inner());
        if let Some(last) = noted.get(&(key, account))
            && now < last.after(USE_NOTED_EVERY)
        {
            return false;
        }
        if noted.len() >= USES_MAX {
            noted.retain(|_, last| now < last.after(USE_NOTED_EVERY));
        }
        noted.insert((key, account), now);
        true
    }

    /// Writes down that a key from above is at work in an account.
    ///
    /// # Errors
    /// Those of the books.
    pub async fn write(base: &Base, key: &Key, account: &Account, actor: &Actor) -> Result<(), Error> {
        again(|| async move {
            let mut tx = base.db.begin().await?;
            let subject = crate::keys::named(key);
            let now = base.clock.now();
            audit::note(&mut tx, account, actor, "key.act", &subject, &Changes::new(), now).await?;
            tx.commit().await
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_use_of_a_key_is_noted_once_an_hour() {
        let noted = KeyUse::default();
        let (key, account, now) = (KeyId(1), AccountId(2), Moment(1));
        assert!(noted.is_due(key, account, now));
        assert!(!noted.is_due(key, account, now.after(Duration::from_secs(3_599))));
        assert!(noted.is_due(key, AccountId(3), now));
        assert!(noted.is_due(key, account, now.after(USE_NOTED_EVERY)));
    }
}
