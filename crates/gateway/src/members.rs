//! Members of an account: changing what one is, removing one, leaving, and handing over the ownership.
//! How one becomes a member is in [`invitations`].
//!
//! Doors have asked [`domain::permission::may`] before they come here. What holds whoever asks is seen
//! to here: an account has one owner, whom nobody else changes and who cannot leave; nobody raises
//! themselves; the ownership is handed over by the word of both.
//!
//! A member who is removed is shut out of all doors of all processes within two seconds, by the version
//! of the books that every change makes.

pub mod invitations;

use std::time::Duration;

use domain::account::{Account, AccountState};
use domain::actor::{Actor, ActorKind};
use domain::id::{AccountId, LoginId, MemberId};
use domain::member::{Member, Role};
use domain::moment::Moment;
use domain::permission;
use storage::members::{self, Line, Offer};
use storage::{Error, Tx, accounts, visits};

use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::mail::{self, Message, To};

/// How long an offer of the ownership stands.
pub const OFFER_LASTS: Duration = Duration::from_secs(7 * 86_400);

/// Why a member was not changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The account has no such member.
    #[error("account {account} has no member {member}")]
    NotFound {
        /// The account.
        account: AccountId,
        /// The member.
        member: MemberId,
    },
    /// The account has no such member.
    #[error("you are no member of account {0}")]
    NoMember(AccountId),
    /// The account is closed.
    #[error("account {0} is closed; its members stay as they are")]
    Closed(AccountId),
    /// The member is the owner.
    #[error("the owner is changed by nobody; the ownership must be handed over to another member first")]
    IsOwner,
    /// Somebody would become a second owner.
    #[error("nobody becomes the owner like this; the owner hands the ownership over under Members")]
    OwnerRole,
    /// Somebody would raise themselves.
    #[error(
        "nobody raises themselves; ask another administrator or the owner to make you {}", .0.as_str()
    )]
    RaisesSelf(Role),
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Why the ownership was not offered, or not handed over.
#[derive(Debug, thiserror::Error)]
pub enum OwnershipError {
    /// The account is there no more.
    #[error("account {0} is closed or about to be; its owner stays")]
    NotOpen(AccountId),
    /// Only the owner offers.
    #[error("only the owner can hand the ownership over")]
    NotOwner,
    /// The account has no such member.
    #[error("account {account} has no member {member}; invite them first")]
    NotFound {
        /// The account.
        account: AccountId,
        /// The member.
        member: MemberId,
    },
    /// To oneself.
    #[error("you are the owner; offer the ownership to another member")]
    Same,
    /// There is no offer, or it is for somebody else.
    #[error(
        "no offer of the ownership waits for you; it was withdrawn or has lapsed, so ask the owner to offer it again"
    )]
    NoOffer,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(MemberError, OwnershipError);

/// A member as logs name them: `Ada Lang <ada@example.com>`.
pub(crate) fn named(name: &str, email: &str) -> String {
    match name.trim() {
        "" => email.to_owned(),
        name => format!("{name} <{email}>"),
    }
}

/// The login that acts, if a person does.
fn person(actor: &Actor) -> Option<LoginId> {
    actor.id.filter(|_| actor.kind == ActorKind::Person).map(LoginId)
}

/// Whether these roles reach down as they were asked to. Those that do by themselves always do.
fn reach(role: Role, includes_subaccounts: bool) -> bool {
    includes_subaccounts || role.reaches_down()
}

/// The open account and its member, while the account is held.
async fn held(tx: &mut Tx, account: AccountId, member: MemberId) -> Result<(Account, Line), MemberError> {
    let not_found = || MemberError::NotFound { account, member };
    let found = accounts::hold(tx, account).await?.ok_or_else(not_found)?;
    if found.state == AccountState::Closed {
        return Err(MemberError::Closed(account));
    }
    let line = members::line(tx, member).await?.filter(|line| line.member.account == account);
    Ok((found, line.ok_or_else(not_found)?))
}

/// Changes what a member is, and whether that also counts in every account below.
///
/// # Errors
/// [`MemberError`]; nothing has changed then.
pub async fn change(
    base: &Base,
    account: AccountId,
    member: MemberId,
    role: Role,
    includes_subaccounts: bool,
    actor: &Actor,
) -> Result<Member, MemberError> {
    if role == Role::Owner {
        return Err(MemberError::OwnerRole);
    }
    let includes_subaccounts = reach(role, includes_subaccounts);
    let changed = again(|| async move {
        let mut tx = base.db.begin().await?;
        let (found, line) = held(&mut tx, account, member).await?;
        let before = &line.member;
        if before.role == Role::Owner {
            return Err(MemberError::IsOwner);
        }
        let reaches_further = includes_subaccounts && !reach(before.role, before.includes_subaccounts);
        let raises = reaches_further || !permission::includes(before.role, role);
        if person(actor) == Some(before.login) && raises {
            return Err(MemberError::RaisesSelf(role));
        }
        let changes = Changes::new().field("role", before.role.as_str(), role.as_str()).field(
            "includes_subaccounts",
            before.includes_subaccounts,
            includes_subaccounts,
        );
        if !changes.is_empty() {
            let (now, subject) = (base.clock.now(), named(&line.name, &line.email));
            audit::note(&mut tx, &found, actor, "member.change", &subject, &changes, now).await?;
            if !includes_subaccounts {
                visits::end_from(&mut tx, account, before.login, now).await?;
            }
            members::set_role(&mut tx, member, role, includes_subaccounts).await?;
        }
        tx.commit().await?;
        Ok(Member { role, includes_subaccounts, ..line.member })
    })
    .await?;
    base.refresh().await?;
    Ok(changed)
}

/// Removes a member. Their visits below end with it.
///
/// # Errors
/// [`MemberError`]; nothing has changed then.
pub async fn remove(
    base: &Base,
    account: AccountId,
    member: MemberId,
    actor: &Actor,
) -> Result<(), MemberError> {
    again(|| async move {
        let mut tx = base.db.begin().await?;
        let (found, line) = held(&mut tx, account, member).await?;
        end(&mut tx, &found, &line, "member.remove", actor, base.clock.now()).await?;
        Ok::<(), MemberError>(tx.commit().await?)
    })
    .await?;
    Ok(base.refresh().await?)
}

/// Leaves an account. The owner cannot: somebody must answer for it.
///
/// # Errors
/// [`MemberError`]; nothing has changed then.
pub async fn leave(
    base: &Base,
    account: AccountId,
    login: LoginId,
    actor: &Actor,
) -> Result<(), MemberError> {
    again(|| async move {
        let mut tx = base.db.begin().await?;
        let found = accounts::hold(&mut tx, account).await?.ok_or(MemberError::NoMember(account))?;
        let member = members::of(&mut tx, account, login).await?.ok_or(MemberError::NoMember(account))?;
        let line = members::line(&mut tx, member.id).await?.ok_or(MemberError::NoMember(account))?;
        end(&mut tx, &found, &line, "member.leave", actor, base.clock.now()).await?;
        Ok::<(), MemberError>(tx.commit().await?)
    })
    .await?;
    Ok(base.refresh().await?)
}

async fn end(
    tx: &mut Tx,
    account: &Account,
    line: &Line,
    action: &str,
    actor: &Actor,
    now: Moment,
) -> Result<(), MemberError> {
    let member = &line.member;
    if member.role == Role::Owner {
        return Err(MemberError::IsOwner);
    }
    if members::offered(tx, account.id, now).await?.is_some_and(|offer| offer.member == member.id) {
        members::end_offer(tx, account.id).await?;
    }
    let changes = Changes::new()
        .old_field("role", member.role.as_str())
        .old_field("includes_subaccounts", member.includes_subaccounts.then_some(true));
    audit::note(tx, account, actor, action, &named(&line.name, &line.email), &changes, now).await?;
    visits::end_from(tx, account.id, member.login, now).await?;
    Ok(members::remove(tx, member.id).await?)
}

/// The account, held, if it is open.
async fn open(tx: &mut Tx, account: AccountId) -> Result<Account, OwnershipError> {
    let found = accounts::hold(tx, account).await?.ok_or(OwnershipError::NotOpen(account))?;
    if found.state >= AccountState::Closing { Err(OwnershipError::NotOpen(account)) } else { Ok(found) }
}

/// Offers the ownership to a member, who is mailed and has [`OFFER_LASTS`] to accept. In place of an
/// earlier offer.
///
/// # Errors
/// [`OwnershipError`]; nothing has changed then.
pub async fn offer_ownership(
    base: &Base,
    account: AccountId,
    owner: LoginId,
    to: MemberId,
    actor: &Actor,
) -> Result<Offer, OwnershipError> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = open(&mut tx, account).await?;
        let by = members::owner(&mut tx, account).await?.ok_or(OwnershipError::NotOwner)?;
        if by.member.login != owner {
            return Err(OwnershipError::NotOwner);
        }
        let not_found = || OwnershipError::NotFound { account, member: to };
        let line = members::line(&mut tx, to).await?.filter(|line| line.member.account == account);
        let line = line.ok_or_else(not_found)?;
        if line.member.id == by.member.id {
            return Err(OwnershipError::Same);
        }
        let offer =
            Offer { account, member: to, by: owner, created_at: now, expires_at: now.after(OFFER_LASTS) };
        let changes = Changes::new().new_field("expires_at", audit::time(offer.expires_at));
        let subject = named(&line.name, &line.email);
        audit::note(&mut tx, &found, actor, "ownership.offer", &subject, &changes, now).await?;
        members::offer(&mut tx, &offer).await?;
        let (account, expires_at) = ((&found).into(), offer.expires_at);
        let message = Message::OwnershipOffered { account, by: &by.name, expires_at };
        mail::enqueue(&mut tx, base, &to_member(&found, &line), &message, now).await?;
        tx.commit().await?;
        Ok(offer)
    })
    .await
}

/// Where mails to a member of an account go.
fn to_member<'a>(account: &'a Account, line: &'a Line) -> To<'a> {
    To {
        email: &line.email,
        language: line.language.as_deref().or(account.settings.language.as_deref()),
        time_zone: account.settings.time_zone.as_deref(),
        account: Some(account.id),
    }
}

/// Takes an offer back, or turns it down: by the owner or the member it was made to. Nothing happens
/// when there is none.
///
/// # Errors
/// [`OwnershipError::NotOwner`] when `login` is neither of them.
pub async fn end_offer(
    base: &Base,
    account: AccountId,
    login: LoginId,
    actor: &Actor,
) -> Result<(), OwnershipError> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = accounts::hold(&mut tx, account).await?.ok_or(OwnershipError::NotOpen(account))?;
        let Some(offer) = members::offered(&mut tx, account, now).await? else { return Ok(()) };
        let to = members::line(&mut tx, offer.member).await?;
        let is_taker = to.as_ref().is_some_and(|line| line.member.login == login);
        let is_owner = members::owner(&mut tx, account).await?.is_some_and(|o| o.member.login == login);
        let action = match (is_owner, is_taker) {
            (true, _) => "ownership.withdraw",
            (_, true) => "ownership.decline",
            _ => return Err(OwnershipError::NotOwner),
        };
        let subject = to.map_or_else(String::new, |line| named(&line.name, &line.email));
        audit::note(&mut tx, &found, actor, action, &subject, &Changes::new(), now).await?;
        members::end_offer(&mut tx, account).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Accepts the ownership. The one who had it becomes an administrator. Both are mailed.
///
/// # Errors
/// [`OwnershipError`]; nothing has changed then.
pub async fn accept_ownership(
    base: &Base,
    account: AccountId,
    login: LoginId,
    actor: &Actor,
) -> Result<Member, OwnershipError> {
    let member = again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = open(&mut tx, account).await?;
        let offer = members::offered(&mut tx, account, now).await?.ok_or(OwnershipError::NoOffer)?;
        let to = members::line(&mut tx, offer.member).await?.ok_or(OwnershipError::NoOffer)?;
        // Whoever offered must still be the owner: the word of both counts, and only theirs.
        let from = members::owner(&mut tx, account).await?.ok_or(OwnershipError::NoOffer)?;
        if to.member.login != login || from.member.login != offer.by {
            return Err(OwnershipError::NoOffer);
        }
        let (old, new) = (named(&from.name, &from.email), named(&to.name, &to.email));
        let changes = Changes::new().field("owner", &old, &new);
        audit::note(&mut tx, &found, actor, "ownership.accept", &new, &changes, now).await?;
        let message = Message::OwnershipChanged { account: (&found).into(), from: &from.name, to: &to.name };
        for line in [&from, &to] {
            mail::enqueue(&mut tx, base, &to_member(&found, line), &message, now).await?;
        }
        members::end_offer(&mut tx, account).await?;
        members::set_role(&mut tx, from.member.id, Role::Administrator, true).await?;
        members::set_role(&mut tx, to.member.id, Role::Owner, true).await?;
        tx.commit().await?;
        Ok(Member { role: Role::Owner, includes_subaccounts: true, ..to.member })
    })
    .await?;
    base.refresh().await?;
    Ok(member)
}
