//! Invitations: asking somebody by mail to become a member, and what they answer. The link in the mail
//! proves the address; a login that is signed in with that address needs no link.

use std::time::Duration;

use domain::account::{Account, AccountState, Email};
use domain::actor::{Actor, ActorKind};
use domain::id::{AccountId, LoginId};
use domain::member::{Member, Role};
use domain::moment::Moment;
use rand::Rng;
use storage::invitations::{self, Invitation};
use storage::members;
use storage::{Error, Tx, accounts};

use super::{named, reach};
use crate::again::{again, busy};
use crate::audit::{self, Changes};
use crate::base::Base;
use crate::keys::hash;
use crate::mail::{self, Message, To};

/// How long an invitation can be accepted.
pub const LASTS: Duration = Duration::from_secs(7 * 86_400);
/// How long until it may be mailed again.
pub const PAUSE: Duration = Duration::from_secs(60);
/// How many may wait in one account.
pub const WAITING_MAX: usize = 500;

/// Somebody to be invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvitation {
    /// To which address.
    pub email: Email,
    /// As what. [`Role::Owner`] only where there is none.
    pub role: Role,
    /// Whether the role shall also count in every account below.
    pub includes_subaccounts: bool,
}

/// Why nobody was invited, or an invitation not changed.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NotFound(AccountId),
    /// There is no such invitation, or not any more.
    #[error("this invitation does not wait any more: it was accepted or taken back")]
    Gone,
    /// The account is closed, or about to be.
    #[error("account {account} is {} and takes no new members; reopen it first", .state.as_str())]
    NotOpen {
        /// Which.
        account: AccountId,
        /// Its own state.
        state: AccountState,
    },
    /// There is an owner.
    #[error(
        "account {0} has an owner, or somebody is invited to be; the owner hands the ownership over under Members"
    )]
    HasOwner(AccountId),
    /// A member would make somebody the owner, perhaps themselves by another address.
    #[error("the first owner is invited from above, or by the operator; choose another role")]
    OwnerFromAbove,
    /// They are a member.
    #[error("{0} is a member already; change their role instead")]
    IsMember(String),
    /// They are invited.
    #[error("{0} is invited already; send that invitation again, or take it back first")]
    IsInvited(String),
    /// It was mailed a moment ago.
    #[error("the invitation was mailed less than a minute ago; wait a moment before it is sent again")]
    TooSoon,
    /// Too many wait.
    #[error("{WAITING_MAX} invitations wait in this account; take some back first")]
    TooMany,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Why an invitation was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// There is no such invitation.
    #[error("this invitation is not known; follow the link of the newest mail, or ask for a new invitation")]
    Unknown,
    /// It was accepted.
    #[error("this invitation was accepted already; sign in")]
    Used,
    /// It was taken back.
    #[error("this invitation was taken back; ask whoever invited you")]
    Revoked,
    /// Its time is over.
    #[error("this invitation has lapsed; ask whoever invited you to send it again")]
    Lapsed,
    /// The login has another address.
    #[error(
        "this invitation is for another address; open the link that was mailed there, or sign in with it"
    )]
    OtherAddress,
    /// The login is a member.
    #[error("you are a member of this account already; an administrator can change your role")]
    IsMember,
    /// The account has an owner by now.
    #[error("the account has an owner by now; ask them for another role")]
    HasOwner,
    /// The account is closed, or about to be.
    #[error("the account is closed, or about to be")]
    NotOpen,
    /// The books did not take it.
    #[error(transparent)]
    Storage(#[from] Error),
}

busy!(InviteError, AcceptError);

/// A secret of 256 bits.
pub(crate) fn secret() -> String {
    let mut octets = [0_u8; 32];
    rand::rng().fill_bytes(&mut octets);
    domain::text::hex_of_octets(&octets)
}

/// Invites somebody by mail, in the language of the account.
///
/// # Errors
/// [`InviteError`]; nothing is mailed then.
pub async fn invite(
    base: &Base,
    account: AccountId,
    new: &NewInvitation,
    actor: &Actor,
) -> Result<Invitation, InviteError> {
    let is_own = actor.above.is_none() && matches!(actor.kind, ActorKind::Person | ActorKind::Key);
    if new.role == Role::Owner && is_own {
        return Err(InviteError::OwnerFromAbove);
    }
    again(|| async move {
        let mut tx = base.db.begin().await?;
        let found = accounts::hold(&mut tx, account).await?.ok_or(InviteError::NotFound(account))?;
        let invitation = invite_within(&mut tx, base, &found, new, actor).await?;
        tx.commit().await?;
        Ok(invitation)
    })
    .await
}

/// As [`invite`], within a transaction that holds the account.
pub(crate) async fn invite_within(
    tx: &mut Tx,
    base: &Base,
    account: &Account,
    new: &NewInvitation,
    actor: &Actor,
) -> Result<Invitation, InviteError> {
    let now = base.clock.now();
    let NewInvitation { email, role, .. } = new;
    may_join(account)?;
    let all = invitations::of_account(tx, account.id).await?;
    if all.iter().filter(|one| one.is_open(now)).count() >= WAITING_MAX {
        return Err(InviteError::TooMany);
    }
    if *role == Role::Owner {
        let invited = all.iter().any(|one| one.role == Role::Owner && one.is_open(now));
        if invited || members::owner(tx, account.id).await?.is_some() {
            return Err(InviteError::HasOwner(account.id));
        }
    }
    let folded = email.folded();
    if members::has_address(tx, account.id, &folded).await? {
        return Err(InviteError::IsMember(email.as_str().to_owned()));
    }
    match invitations::waiting(tx, account.id, &folded).await? {
        Some(before) if before.is_open(now) => {
            return Err(InviteError::IsInvited(email.as_str().to_owned()));
        }
        Some(lapsed) => drop(invitations::revoke(tx, lapsed.id, now).await?),
        None => {}
    }
    let invitation = Invitation {
        id: invitations::draw_id(tx).await?,
        account: account.id,
        email: email.clone(),
        role: *role,
        includes_subaccounts: reach(*role, new.includes_subaccounts),
        invited_by: actor.name.clone(),
        created_at: now,
        sent_at: now,
        expires_at: now.after(LASTS),
        accepted_at: None,
        revoked_at: None,
    };
    let secret = secret();
    let changes = Changes::new()
        .new_field("role", role.as_str())
        .new_field("includes_subaccounts", invitation.includes_subaccounts.then_some(true))
        .new_field("expires_at", audit::time(invitation.expires_at));
    audit::note(tx, account, actor, "member.invite", email.as_str(), &changes, now).await?;
    invitations::insert(tx, &invitation, &hash(&secret)).await?;
    post(tx, base, account, &invitation, &secret, now).await?;
    Ok(invitation)
}

fn may_join(account: &Account) -> Result<(), InviteError> {
    match account.state {
        AccountState::Active | AccountState::Suspended => Ok(()),
        state => Err(InviteError::NotOpen { account: account.id, state }),
    }
}

async fn post(
    tx: &mut Tx,
    base: &Base,
    account: &Account,
    invitation: &Invitation,
    secret: &str,
    now: Moment,
) -> Result<(), Error> {
    let to = To {
        email: invitation.email.as_str(),
        language: account.settings.language.as_deref(),
        time_zone: account.settings.time_zone.as_deref(),
        account: Some(account.id),
    };
    let message = Message::Invitation {
        account: account.into(),
        inviter: &invitation.invited_by,
        role: invitation.role,
        secret,
        expires_at: invitation.expires_at,
    };
    mail::enqueue(tx, base, &to, &message, now).await.map(drop)
}

/// Mails an invitation again, with a new link and a new time; the old link no longer works.
///
/// # Errors
/// [`InviteError`]; nothing is mailed then.
pub async fn resend(
    base: &Base,
    account: AccountId,
    id: i64,
    actor: &Actor,
) -> Result<Invitation, InviteError> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = accounts::hold(&mut tx, account).await?.ok_or(InviteError::NotFound(account))?;
        may_join(&found)?;
        let mut invitation = waiting(&mut tx, account, id).await?;
        if now < invitation.sent_at.after(PAUSE) {
            return Err(InviteError::TooSoon);
        }
        let secret = secret();
        invitation.sent_at = now;
        invitation.expires_at = now.after(LASTS);
        let changes = Changes::new().new_field("expires_at", audit::time(invitation.expires_at));
        let subject = invitation.email.as_str();
        audit::note(&mut tx, &found, actor, "invitation.resend", subject, &changes, now).await?;
        invitations::renew(&mut tx, id, &hash(&secret), now, invitation.expires_at).await?;
        post(&mut tx, base, &found, &invitation, &secret, now).await?;
        tx.commit().await?;
        Ok(invitation)
    })
    .await
}

/// Takes an invitation back.
///
/// # Errors
/// [`InviteError::Gone`] when it was accepted or taken back before.
pub async fn revoke(base: &Base, account: AccountId, id: i64, actor: &Actor) -> Result<(), InviteError> {
    again(|| async move {
        let now = base.clock.now();
        let mut tx = base.db.begin().await?;
        let found = accounts::hold(&mut tx, account).await?.ok_or(InviteError::NotFound(account))?;
        let invitation = waiting(&mut tx, account, id).await?;
        let changes = Changes::new().old_field("role", invitation.role.as_str());
        let subject = invitation.email.as_str();
        audit::note(&mut tx, &found, actor, "invitation.revoke", subject, &changes, now).await?;
        invitations::revoke(&mut tx, id, now).await?;
        Ok(tx.commit().await?)
    })
    .await
}

async fn waiting(tx: &mut Tx, account: AccountId, id: i64) -> Result<Invitation, InviteError> {
    let found = invitations::hold(tx, id).await?.filter(|invitation| invitation.account == account);
    let waits = |one: &Invitation| one.accepted_at.is_none() && one.revoked_at.is_none();
    found.filter(waits).ok_or(InviteError::Gone)
}

/// An invitation as the page behind its link shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The invitation.
    pub invitation: Invitation,
    /// The name of the account.
    pub account_name: String,
    /// The language of the account, if it chose one.
    pub language: Option<String>,
    /// The login that has the address, if there is one.
    pub login: Option<LoginId>,
}

/// The invitation behind a link.
///
/// # Errors
/// [`AcceptError`] when it cannot be accepted.
pub async fn behind(base: &Base, secret: &str) -> Result<Shown, AcceptError> {
    let now = base.clock.now();
    let mut conn = base.db.read().await?;
    let found = invitations::by_hash(&mut conn, &hash(secret)).await?;
    let invitation = found.ok_or(AcceptError::Unknown)?;
    is_open(&invitation, now)?;
    let account = accounts::find(&mut conn, invitation.account).await?.ok_or(AcceptError::NotOpen)?;
    may_join(&account).map_err(|_| AcceptError::NotOpen)?;
    let person = members::person_of_address(&mut conn, &invitation.email.folded()).await?;
    Ok(Shown {
        account_name: account.name().to_owned(),
        language: account.settings.language.clone(),
        login: person.map(|person| person.login),
        invitation,
    })
}

fn is_open(invitation: &Invitation, now: Moment) -> Result<(), AcceptError> {
    match invitation {
        Invitation { accepted_at: Some(_), .. } => Err(AcceptError::Used),
        Invitation { revoked_at: Some(_), .. } => Err(AcceptError::Revoked),
        one if !one.is_open(now) => Err(AcceptError::Lapsed),
        _ => Ok(()),
    }
}

/// How somebody shows that an invitation is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// By the secret of the link that was mailed.
    Link(&'a str),
    /// By being signed in with the address; this is the invitation's number.
    Address(i64),
}

/// Accepts an invitation as a login that exists and is signed in. Doing so twice makes one member.
///
/// # Errors
/// [`AcceptError`]; nothing has changed then.
pub async fn accept(
    base: &Base,
    proof: Proof<'_>,
    login: LoginId,
    actor: &Actor,
) -> Result<Member, AcceptError> {
    let member = again(|| async move {
        let mut tx = base.db.begin().await?;
        let member = accept_within(&mut tx, base, proof, login, actor).await?;
        tx.commit().await?;
        Ok::<Member, AcceptError>(member)
    })
    .await?;
    base.refresh().await?;
    Ok(member)
}

/// As [`accept`], within a transaction, such as the one that has just made the login. After its commit
/// the caller refreshes the base.
///
/// # Errors
/// [`AcceptError`]; the transaction is to be dropped then.
pub async fn accept_within(
    tx: &mut Tx,
    base: &Base,
    proof: Proof<'_>,
    login: LoginId,
    actor: &Actor,
) -> Result<Member, AcceptError> {
    let now = base.clock.now();
    let found = match proof {
        Proof::Link(secret) => invitations::by_hash(tx, &hash(secret)).await?,
        Proof::Address(id) => invitations::find(tx, id).await?,
    };
    let Invitation { id, account, .. } = found.ok_or(AcceptError::Unknown)?;
    // Who changes the members of an account holds the account, and then sees what others have done.
    let account = accounts::hold(tx, account).await?.ok_or(AcceptError::NotOpen)?;
    let invitation = invitations::hold(tx, id).await?.ok_or(AcceptError::Unknown)?;
    let person = members::person(tx, login).await?.ok_or(AcceptError::Unknown)?;
    if matches!(proof, Proof::Address(_)) && person.email_folded != invitation.email.folded() {
        return Err(AcceptError::OtherAddress);
    }
    let member = members::of(tx, account.id, login).await?;
    match (is_open(&invitation, now), member) {
        // The same asked twice.
        (Err(AcceptError::Used), Some(member)) => return Ok(member),
        (Ok(()), Some(_)) => return Err(AcceptError::IsMember),
        (open, _) => open?,
    }
    may_join(&account).map_err(|_| AcceptError::NotOpen)?;
    let Invitation { role, includes_subaccounts, .. } = invitation;
    if role == Role::Owner && members::owner(tx, account.id).await?.is_some() {
        return Err(AcceptError::HasOwner);
    }
    if !invitations::accept(tx, invitation.id, now).await? {
        return Err(AcceptError::Used);
    }
    let changes = Changes::new()
        .new_field("role", role.as_str())
        .new_field("includes_subaccounts", includes_subaccounts.then_some(true))
        .new_field("invited_by", &invitation.invited_by);
    let subject = named(&person.name, &person.email);
    audit::note(tx, &account, actor, "member.join", &subject, &changes, now).await?;
    Ok(members::insert(tx, account.id, login, role, includes_subaccounts, now).await?)
}

/// What an address, as a login has it, is invited to and may still accept.
///
/// # Errors
/// Those of the books.
pub async fn of_login(base: &Base, login: LoginId) -> Result<Vec<Invitation>, Error> {
    let mut conn = base.db.read().await?;
    let Some(person) = members::person(&mut conn, login).await? else { return Ok(Vec::new()) };
    invitations::of_address(&mut conn, &person.email_folded, base.clock.now()).await
}
