//! Who is in an account, as what: inviting, changing, removing, leaving, and handing the ownership over.

pub mod invite;
pub mod one;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::id::{LoginId, MemberId};
use domain::member::Role;
use domain::permission::Action;
use gateway::members::{self, MemberError, OwnershipError};
use storage::members::Line;

use crate::door::Place;
use crate::error::Stop;
use crate::form::{Field, Typed};
use crate::format::Time;
use crate::page::{self, Shell};
use crate::parts::Empty;
use crate::sign_in::sentence;
use crate::{Console, flash};

/// What a role is good for, in a sentence.
pub(crate) fn words_of(role: Role) -> &'static str {
    match role {
        Role::Owner => "Everything. There is one, and the account answers to them.",
        Role::Administrator => {
            "Everything but closing the account, giving it away and deciding on access. Also below."
        }
        Role::Developer => "API keys and the request log. No message contents, no money.",
        Role::Finance => "Credits, prices and statistics of cost. Nothing else.",
        Role::Messaging => "Sends and reads messages. No keys, no money.",
        Role::Analyst => "Statistics only.",
        Role::Auditor => "Reads everything but secrets, changes nothing.",
    }
}

/// The role as a title: `Administrator`.
pub(crate) fn name_of(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Administrator => "Administrator",
        Role::Developer => "Developer",
        Role::Finance => "Finance",
        Role::Messaging => "Messaging",
        Role::Analyst => "Analyst",
        Role::Auditor => "Auditor",
    }
}

/// The table of what each role may do, as [`domain::permission`] has it. Draws itself.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "a/members/_roles.html")]
pub(crate) struct RoleTable;

impl HtmlSafe for RoleTable {}

impl RoleTable {
    fn roles(&self) -> [&'static str; 7] {
        Role::ALL.map(name_of)
    }

    fn rows(&self) -> Vec<(&'static str, [bool; 7])> {
        Action::ALL.iter().map(|action| (action.words(), Role::ALL.map(|role| action.is_of(role)))).collect()
    }
}

/// The fields that choose a role.
pub(crate) fn role_fields(typed: &Typed) -> [Field; 2] {
    let roles = Role::ALL.into_iter().filter(|role| *role != Role::Owner);
    let cards = roles.map(|role| (role.as_str(), name_of(role), words_of(role)));
    [
        typed.cards("role", "Role", cards).required(),
        typed
            .tick("below", "Also in every account below")
            .hint("Administrators always are. Others only when this is ticked."),
    ]
}

/// The role a form chose, and whether it includes what is below.
pub(crate) fn role_typed(typed: &mut Typed) -> Option<(Role, bool)> {
    let role = typed
        .read("role", |word| Role::parse(word).filter(|role| *role != Role::Owner).ok_or("Choose a role."))?;
    Some((role, typed.ticked("below")))
}

#[derive(Template)]
#[template(path = "a/members/index.html")]
struct Members {
    shell: Shell,
    lines: Vec<MemberLine>,
    invited: Vec<InvitedLine>,
    offer: Option<OfferShown>,
    may_manage: bool,
    may_leave: bool,
    invite_href: String,
    leave_href: String,
    empty: Option<Empty>,
    roles: RoleTable,
}

struct MemberLine {
    href: Option<String>,
    name: String,
    email: String,
    role: &'static str,
    reaches_below: bool,
    second_factor: bool,
    last: Option<Time>,
    since: Time,
    is_me: bool,
    is_disabled: bool,
}

struct InvitedLine {
    email: String,
    role: &'static str,
    reaches_below: bool,
    inviter: String,
    sent: Time,
    ends: Option<Time>,
    resend: String,
    revoke: String,
}

/// An offer of the ownership, as somebody sees it who has to do with it.
struct OfferShown {
    words: String,
    ends: Time,
    accept: Option<String>,
    end: String,
    end_words: &'static str,
}

impl Members {
    async fn of(console: &Console, place: &Place) -> Result<Members, Stop> {
        let base = &console.gateway;
        let now = base.clock.now();
        let id = place.account.id;
        let mut conn = base.db.read().await?;
        let all = storage::members::of_account(&mut conn, id).await?;
        let invitations = storage::invitations::of_account(&mut conn, id).await?;
        let offered = storage::members::offered(&mut conn, id, now).await?;
        drop(conn);
        let may_manage = place.may(Action::ManageMembers);
        let me = place.person.login.id;
        let offer = offered.and_then(|offer| offer_shown(place, &all, &offer, me));
        let invited = invitations.into_iter().map(|one| InvitedLine {
            role: name_of(one.role),
            reaches_below: one.includes_subaccounts || one.role.reaches_down(),
            sent: place.format().ago(one.sent_at),
            ends: one.is_open(now).then(|| place.format().ago(one.expires_at)),
            resend: place.href(&format!("members/invitations/{}/resend", one.id)),
            revoke: place.href(&format!("members/invitations/{}/revoke", one.id)),
            email: one.email.as_str().to_owned(),
            inviter: one.invited_by,
        });
        let invited = invited.collect::<Vec<_>>();
        let nobody = Empty::new(
            "members",
            "Nobody is a member yet",
            "The account is run from above until somebody is. Invite its owner or a colleague by mail.",
        );
        let nobody =
            if may_manage { nobody.next("Invite somebody", place.href("members/invite")) } else { nobody };
        Ok(Members {
            may_leave: all.iter().any(|line| line.member.login == me && line.member.role != Role::Owner),
            empty: (all.is_empty() && invited.is_empty()).then_some(nobody),
            lines: all.into_iter().map(|line| member_line(place, line, may_manage)).collect(),
            invited,
            offer,
            may_manage,
            invite_href: place.href("members/invite"),
            leave_href: place.href("members/leave"),
            roles: RoleTable,
            shell: place.shell("Members").wide(),
        })
    }
}

fn member_line(place: &Place, line: Line, may_manage: bool) -> MemberLine {
    let id = line.member.id;
    let is_owner = line.member.role == Role::Owner;
    MemberLine {
        href: (may_manage && !is_owner).then(|| place.href(&format!("members/{id}"))),
        name: if line.name.trim().is_empty() { line.email.clone() } else { line.name },
        role: name_of(line.member.role),
        reaches_below: line.member.includes_subaccounts || line.member.role.reaches_down(),
        second_factor: line.second_factor,
        last: line.last_at.map(|at| place.format().ago(at)),
        since: place.format().date(line.member.created_at),
        is_me: line.member.login == place.person.login.id,
        is_disabled: !line.enabled,
        email: line.email,
    }
}

fn offer_shown(
    place: &Place,
    all: &[Line],
    offer: &storage::members::Offer,
    me: LoginId,
) -> Option<OfferShown> {
    let to = all.iter().find(|line| line.member.id == offer.member)?;
    let is_for_me = to.member.login == me;
    let is_by_me = all.iter().any(|line| line.member.login == me && line.member.role == Role::Owner);
    if !is_for_me && !is_by_me {
        return None;
    }
    let words = if is_for_me {
        "The owner offers you the ownership of this account. When you accept, they become an administrator."
            .to_owned()
    } else {
        format!("The ownership is offered to {}. It passes to them when they accept.", to.name)
    };
    Some(OfferShown {
        words,
        ends: place.format().ago(offer.expires_at),
        accept: is_for_me.then(|| place.href("members/ownership/accept")),
        end: place.href("members/ownership/end"),
        end_words: if is_for_me { "Turn it down" } else { "Take it back" },
    })
}

/// `GET /a/{id}/members`: who is in it, who is invited.
pub async fn show(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    page::draw(&Members::of(&console, &place).await?)
}

/// `POST /a/{id}/members/leave`: leaves the account.
pub async fn leave(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    let done =
        members::leave(&console.gateway, place.account.id, place.person.login.id, &place.actor()).await;
    match done {
        Ok(()) => {
            let words = format!("You have left {}.", place.account.name());
            Ok(flash::done("/accounts", &words))
        }
        Err(MemberError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&place.href("members"), &sentence(&error))),
    }
}

/// `POST /a/{id}/members/{member}/offer`: offers the ownership.
pub async fn offer(
    State(console): State<Console>,
    place: Place,
    Path((_, member)): Path<(i64, i64)>,
) -> Result<Response, Stop> {
    let me = place.person.login.id;
    let done =
        members::offer_ownership(&console.gateway, place.account.id, me, MemberId(member), &place.actor())
            .await;
    owned(
        &place,
        done.map(drop),
        "The ownership is offered. It passes when they accept; they have a week for it.",
    )
}

/// `POST /a/{id}/members/ownership/accept`: becomes the owner.
pub async fn accept_ownership(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    let me = place.person.login.id;
    let done = members::accept_ownership(&console.gateway, place.account.id, me, &place.actor()).await;
    owned(&place, done.map(drop), "You are the owner now.")
}

/// `POST /a/{id}/members/ownership/end`: takes an offer back, or turns it down.
pub async fn end_offer(State(console): State<Console>, place: Place) -> Result<Response, Stop> {
    let me = place.person.login.id;
    let done = members::end_offer(&console.gateway, place.account.id, me, &place.actor()).await;
    owned(&place, done, "The offer is off. The owner stays.")
}

fn owned(place: &Place, done: Result<(), OwnershipError>, words: &str) -> Result<Response, Stop> {
    match done {
        Ok(()) => Ok(flash::done(&place.href("members"), words)),
        Err(OwnershipError::Storage(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&place.href("members"), &sentence(&error))),
    }
}
