//! People in accounts: invitations, roles, the ownership, visits from above and what is written down
//! of all that.

#![expect(clippy::unwrap_used, reason = "these are tests, also outside of their functions")]

mod house;

use std::time::Duration;

use domain::account::{Account, Email};
use domain::actor::{Actor, ActorKind};
use domain::id::LoginId;
use domain::member::{Access, Member, Role};
use domain::permission::{Action, Verdict, may};
use gateway::members::invitations::{self, AcceptError, InviteError, NewInvitation, Proof};
use gateway::members::{self, MemberError, OwnershipError};
use gateway::settings::{self, Change};
use gateway::visits::{self, HowLong, VisitError, Visitor};
use gateway::{Base, Clock};
use storage::audit::Filter;

use house::{NOW, account, base, count, fresh};

/// A person with an address, and them as an actor.
async fn person(base: &Base, name: &str) -> (LoginId, Actor) {
    let mut tx = base.db.begin().await.unwrap();
    let id = storage::counters::draw(&mut tx, "id", 1).await.unwrap();
    let email = format!("{name}@people.example");
    tx.execute(
        "insert into logins (id, email, email_folded, name, webauthn_id, created_at) values ($1, $2, $2, $3, $2, $4)",
        &[id.into(), email.as_str().into(), name.into(), NOW.0.into()],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    (LoginId(id), actor(id, name))
}

fn actor(id: i64, name: &str) -> Actor {
    Actor {
        kind: ActorKind::Person,
        id: Some(id),
        name: format!("{name} <{name}@people.example>"),
        address: "203.0.113.7".into(),
        agent: "Firefox".into(),
        ..Actor::command_line()
    }
}

/// Makes somebody a member, whatever it takes.
async fn joined(base: &Base, account: &Account, login: LoginId, role: Role) -> Member {
    let mut tx = base.db.begin().await.unwrap();
    let member = storage::members::insert(&mut tx, account.id, login, role, role.reaches_down(), NOW).await;
    tx.commit().await.unwrap();
    member.unwrap()
}

/// A browser of somebody.
async fn session(base: &Base, login: LoginId) -> i64 {
    let mut tx = base.db.begin().await.unwrap();
    let id = storage::counters::draw(&mut tx, "id", 1).await.unwrap();
    let hash = format!("hash {id}");
    tx.execute(
        "insert into sessions (id, hash, login_id, step, address, agent, created_at, seen_at)
        values ($1, $2, $3, 1, '', '', $4, $4)",
        &[id.into(), hash.as_str().into(), login.0.into(), NOW.0.into()],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id
}

fn asked(name: &str, role: Role) -> NewInvitation {
    let email = Email::parse(&format!("{name}@people.example")).unwrap();
    NewInvitation { email, role, includes_subaccounts: false }
}

/// The secret of the link that was mailed last.
async fn mailed(base: &Base, kind: &str) -> String {
    let sql = "select id from mails where kind = $1 order by id desc limit 1";
    let mut conn = base.db.read().await.unwrap();
    let id = conn.number(sql, &[kind.into()]).await.unwrap();
    let mail = storage::mails::find(&mut conn, id).await.unwrap().unwrap();
    gateway::mail::post::opened(base, &mail).unwrap().unwrap()
}

async fn mails(base: &Base, kind: &str) -> Vec<String> {
    let sql = "select recipient from mails where kind = $1 order by id";
    let rows = base.db.read().await.unwrap().query(sql, &[kind.into()]).await.unwrap();
    rows.iter().map(|row| row.text(0).unwrap()).collect()
}

/// What the audit log of an account says, the oldest first: the action, and who came from above.
async fn log(base: &Base, account: &Account) -> Vec<String> {
    let mut conn = base.db.read().await.unwrap();
    let page = storage::audit::page(&mut conn, account.id, &Filter::default(), None, 100).await.unwrap();
    page.into_iter().rev().map(|entry| entry.action).collect()
}

/// Whether keys of an account above may step in now.
async fn key_may(base: &Base, account: &Account, above: &Account) -> bool {
    let account = fresh(base, account).await;
    visits::key_may(base, &account, above.id).await.unwrap()
}

async fn role_of(base: &Base, account: &Account, login: LoginId) -> Option<Role> {
    let mut conn = base.db.read().await.unwrap();
    storage::members::of(&mut conn, account.id, login).await.unwrap().map(|member| member.role)
}

#[tokio::test]
async fn somebody_is_invited_by_mail_and_becomes_a_member_by_the_link() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 0).await;
        let (owner, ada) = person(&base, "ada").await;
        let (login, bob) = person(&base, "bob").await;
        joined(&base, &main, owner, Role::Owner).await;
        let new = asked("BOB", Role::Messaging);
        let invitation = invitations::invite(&base, main.id, &new, &ada).await.unwrap();
        assert_eq!(mails(&base, "invitation").await, ["BOB@people.example"]);
        let secret = mailed(&base, "invitation").await;
        let shown = invitations::behind(&base, &secret).await.unwrap();
        assert_eq!((shown.account_name.as_str(), shown.login), ("main", Some(login)));
        assert_eq!(invitations::of_login(&base, login).await.unwrap(), std::slice::from_ref(&invitation));

        let member = invitations::accept(&base, Proof::Link(&secret), login, &bob).await.unwrap();
        assert_eq!((member.role, member.account), (Role::Messaging, main.id));
        let again = invitations::accept(&base, Proof::Link(&secret), login, &bob).await.unwrap();
        assert_eq!(again.id, member.id, "the same asked twice makes one member");
        assert!(matches!(invitations::behind(&base, &secret).await, Err(AcceptError::Used)));
        let (other, eve) = person(&base, "eve").await;
        let stolen = invitations::accept(&base, Proof::Link(&secret), other, &eve).await;
        assert!(matches!(stolen, Err(AcceptError::Used)), "{stolen:?}");
        assert!(matches!(invitations::behind(&base, "guess").await, Err(AcceptError::Unknown)));
        assert_eq!(log(&base, &main).await, ["account.create", "member.invite", "member.join"]);
        let crowned = invitations::invite(&base, main.id, &asked("eve", Role::Owner), &bob).await;
        assert!(matches!(crowned, Err(InviteError::OwnerFromAbove)), "nor by another address: {crowned:?}");
        let second = asked("eve", Role::Owner);
        let second = invitations::invite(&base, main.id, &second, &Actor::command_line()).await;
        assert!(matches!(second, Err(InviteError::HasOwner(_))), "two owners can never be: {second:?}");
        let is_member = invitations::invite(&base, main.id, &asked("bob", Role::Finance), &ada).await;
        assert!(matches!(is_member, Err(InviteError::IsMember(_))), "{is_member:?}");
        assert_eq!(count(&base.db, "select count(*) from invitations where hash like '%bob%'").await, 0);
    }
}

#[tokio::test]
async fn an_invitation_lapses_is_sent_again_and_taken_back() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let main = account(&base, "main", None, 0).await;
        let (login, bob) = person(&base, "bob").await;
        let ada = Actor::command_line();
        let first = invitations::invite(&base, main.id, &asked("bob", Role::Analyst), &ada).await.unwrap();
        let secret = mailed(&base, "invitation").await;
        let twice = invitations::invite(&base, main.id, &asked("Bob", Role::Finance), &ada).await;
        assert!(matches!(twice, Err(InviteError::IsInvited(_))), "one that waits an address: {twice:?}");
        let soon = invitations::resend(&base, main.id, first.id, &ada).await;
        assert!(matches!(soon, Err(InviteError::TooSoon)));

        clock.set(NOW.after(Duration::from_secs(7 * 86_400)));
        let late = invitations::accept(&base, Proof::Link(&secret), login, &bob).await;
        assert!(matches!(late, Err(AcceptError::Lapsed)), "{late:?}");
        invitations::resend(&base, main.id, first.id, &ada).await.unwrap();
        let newer = mailed(&base, "invitation").await;
        assert_ne!(newer, secret);
        assert!(matches!(invitations::behind(&base, &secret).await, Err(AcceptError::Unknown)));
        assert!(invitations::behind(&base, &newer).await.is_ok());

        let foreign = account(&base, "foreign", None, 0).await;
        let elsewhere = invitations::revoke(&base, foreign.id, first.id, &ada).await;
        assert!(matches!(elsewhere, Err(InviteError::Gone)));
        invitations::revoke(&base, main.id, first.id, &ada).await.unwrap();
        let back = invitations::accept(&base, Proof::Link(&newer), login, &bob).await;
        assert!(matches!(back, Err(AcceptError::Revoked)), "{back:?}");

        let other = invitations::invite(&base, main.id, &asked("bob", Role::Analyst), &ada).await.unwrap();
        let (eve, eves) = person(&base, "eve").await;
        let not_theirs = invitations::accept(&base, Proof::Address(other.id), eve, &eves).await;
        assert!(matches!(not_theirs, Err(AcceptError::OtherAddress)));
        invitations::accept(&base, Proof::Address(other.id), login, &bob).await.unwrap();
    }
}

#[tokio::test]
async fn one_invitation_accepted_by_many_at_once_makes_one_member() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 0).await;
        let command = Actor::command_line();
        invitations::invite(&base, main.id, &asked("bob", Role::Owner), &command).await.unwrap();
        let secret = mailed(&base, "invitation").await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..6 {
            // Some of the six are the same person in two windows.
            let (login, who) = match n % 2 {
                0 => person(&base, &format!("p{n}")).await,
                _ => continue,
            };
            for _ in 0..2 {
                let (base, secret, who) = (base.clone(), secret.clone(), who.clone());
                tasks.spawn(async move {
                    invitations::accept(&base, Proof::Link(&secret), login, &who).await.map(|m| m.id)
                });
            }
        }
        let done = tasks.join_all().await;
        let mut members: Vec<_> = done.iter().flatten().collect();
        members.dedup();
        assert!(!members.is_empty() && members.iter().all(|m| *m == members[0]), "{done:?}");
        assert!(done.iter().flatten().count() <= 2, "only the one person is told yes: {done:?}");
        assert_eq!(count(&base.db, "select count(*) from members").await, 1);
        assert_eq!(count(&base.db, "select count(*) from audit where action = 'member.join'").await, 1);
    }
}

#[tokio::test]
async fn nobody_raises_themselves_and_nobody_changes_the_owner() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 0).await;
        let (owner, ada) = person(&base, "ada").await;
        let (login, bob) = person(&base, "bob").await;
        let first = joined(&base, &main, owner, Role::Owner).await;
        let second = joined(&base, &main, login, Role::Auditor).await;
        let raised = members::change(&base, main.id, second.id, Role::Administrator, false, &bob).await;
        assert!(matches!(raised, Err(MemberError::RaisesSelf(_))), "{raised:?}");
        let further = members::change(&base, main.id, second.id, Role::Auditor, true, &bob).await;
        assert!(matches!(further, Err(MemberError::RaisesSelf(_))), "{further:?}");
        let crowned = members::change(&base, main.id, second.id, Role::Owner, false, &ada).await;
        assert!(matches!(crowned, Err(MemberError::OwnerRole)));
        let deposed = members::change(&base, main.id, first.id, Role::Analyst, false, &bob).await;
        assert!(matches!(deposed, Err(MemberError::IsOwner)));
        let thrown_out = members::remove(&base, main.id, first.id, &bob).await;
        assert!(matches!(thrown_out, Err(MemberError::IsOwner)));
        let left = members::leave(&base, main.id, owner, &ada).await;
        assert!(matches!(left, Err(MemberError::IsOwner)), "the last owner cannot leave");

        members::change(&base, main.id, second.id, Role::Administrator, false, &ada).await.unwrap();
        // Down is everybody's own affair.
        members::change(&base, main.id, second.id, Role::Analyst, false, &bob).await.unwrap();
        let sql = "select before, after from audit where action = 'member.change' order by id";
        let rows = base.db.read().await.unwrap().query(sql, &[]).await.unwrap();
        let texts = |i: usize| (rows[i].text(0).unwrap(), rows[i].text(1).unwrap());
        assert_eq!(rows.len(), 2);
        assert!(texts(0).0.contains("auditor") && texts(0).1.contains("administrator"), "{:?}", texts(0));

        let stranger = account(&base, "other", None, 0).await;
        let foreign = members::remove(&base, stranger.id, second.id, &ada).await;
        assert!(matches!(foreign, Err(MemberError::NotFound { .. })));
        members::leave(&base, main.id, login, &bob).await.unwrap();
        assert_eq!(role_of(&base, &main, login).await, None);
        let again = members::leave(&base, main.id, login, &bob).await;
        assert!(matches!(again, Err(MemberError::NoMember(_))));
    }
}

#[tokio::test]
async fn the_ownership_changes_hands_by_the_word_of_both() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let main = account(&base, "main", None, 0).await;
        let (ada, by_ada) = person(&base, "ada").await;
        let (bob, by_bob) = person(&base, "bob").await;
        let (eve, by_eve) = person(&base, "eve").await;
        let owner = joined(&base, &main, ada, Role::Owner).await;
        let other = joined(&base, &main, bob, Role::Finance).await;
        joined(&base, &main, eve, Role::Administrator).await;
        let usurped = members::offer_ownership(&base, main.id, eve, other.id, &by_eve).await;
        assert!(matches!(usurped, Err(OwnershipError::NotOwner)));
        let same = members::offer_ownership(&base, main.id, ada, owner.id, &by_ada).await;
        assert!(matches!(same, Err(OwnershipError::Same)));
        let none = members::accept_ownership(&base, main.id, bob, &by_bob).await;
        assert!(matches!(none, Err(OwnershipError::NoOffer)));

        members::offer_ownership(&base, main.id, ada, other.id, &by_ada).await.unwrap();
        assert_eq!(mails(&base, "ownership-offered").await, ["bob@people.example"]);
        let taken = members::accept_ownership(&base, main.id, eve, &by_eve).await;
        assert!(matches!(taken, Err(OwnershipError::NoOffer)), "it was not offered to them");
        clock.set(NOW.after(members::OFFER_LASTS));
        let late = members::accept_ownership(&base, main.id, bob, &by_bob).await;
        assert!(matches!(late, Err(OwnershipError::NoOffer)), "{late:?}");

        members::offer_ownership(&base, main.id, ada, other.id, &by_ada).await.unwrap();
        let (one, two) = tokio::join!(
            members::accept_ownership(&base, main.id, bob, &by_bob),
            members::accept_ownership(&base, main.id, bob, &by_bob)
        );
        assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1);
        assert_eq!(role_of(&base, &main, bob).await, Some(Role::Owner));
        assert_eq!(role_of(&base, &main, ada).await, Some(Role::Administrator));
        assert_eq!(mails(&base, "ownership-changed").await.len(), 2);

        // What was offered by one who is the owner no more is void, and two owners can never be.
        let mut tx = base.db.begin().await.unwrap();
        let second = storage::members::set_role(&mut tx, owner.id, Role::Owner, true).await;
        assert!(second.is_err(), "the database itself keeps the one owner");
    }
}

#[tokio::test]
async fn a_removed_member_is_out_everywhere_within_a_second() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 0).await;
        let child = account(&base, "child", Some(&main), 0).await;
        let (ada, by_ada) = person(&base, "ada").await;
        let (bob, by_bob) = person(&base, "bob").await;
        joined(&base, &main, ada, Role::Owner).await;
        let member = joined(&base, &main, bob, Role::Administrator).await;
        let visitor = Visitor { login: bob, session: session(&base, bob).await, above: main.id };
        visits::begin(&base, &visitor, child.id, "", &by_bob).await.unwrap();
        // Another process on the same books.
        let other = gateway::Base::new(base.db.clone(), Clock::standing_at(NOW), (*base.rules).clone());
        let other = other.await.unwrap();
        let version = |base: &Base| {
            let db = base.db.clone();
            async move { storage::counters::version(&mut db.read().await.unwrap()).await.unwrap() }
        };
        let before = version(&other).await;
        members::remove(&base, main.id, member.id, &by_ada).await.unwrap();
        assert!(version(&other).await > before, "others notice it by the version");
        let standings = storage::members::standings(&mut base.db.read().await.unwrap(), bob).await.unwrap();
        assert_eq!(may(&standings, Action::SeeAccount, &child.path, true), Verdict::NotThere);
        let visit = visits::current(&base, visitor.session, child.id).await.unwrap();
        assert_eq!(visit, None, "the visit below has ended with it");
    }
}

#[tokio::test]
async fn a_visit_is_written_down_and_ends_by_itself() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let main = account(&base, "main", None, 0).await;
        let child = account(&base, "child", Some(&main), 0).await;
        let (ada, by_ada) = person(&base, "ada").await;
        let (bob, _) = person(&base, "bob").await;
        joined(&base, &main, ada, Role::Owner).await;
        joined(&base, &child, bob, Role::Owner).await;
        let visitor = Visitor { login: ada, session: session(&base, ada).await, above: main.id };
        let visit = visits::begin(&base, &visitor, child.id, " help ", &by_ada).await.unwrap();
        assert_eq!((visit.reason.as_str(), visit.ends_at), ("help", NOW.after(visits::LASTS)));
        let again = visits::begin(&base, &visitor, child.id, "more", &by_ada).await.unwrap();
        assert_eq!(again, visit, "it is not made longer");
        assert_eq!(visits::current(&base, visitor.session, child.id).await.unwrap(), Some(visit.clone()));
        assert_eq!(visits::current(&base, visitor.session + 1, child.id).await.unwrap(), None);
        let mut conn = base.db.read().await.unwrap();
        let filter = Filter { from_above: true, ..Filter::default() };
        let entries = storage::audit::page(&mut conn, child.id, &filter, None, 10).await.unwrap();
        let entry = &entries[0];
        assert_eq!((entry.action.as_str(), entry.actor.above), ("visit.begin", Some(main.id)));
        assert_eq!((entry.actor.visit, entry.actor.address.as_str()), (Some(visit.id), "203.0.113.7"));
        let lines = storage::visits::page(&mut conn, child.id, None, 10).await.unwrap();
        assert_eq!((lines[0].name.as_str(), lines[0].above_name.as_str()), ("ada", "main"));
        drop(conn);
        assert!(mails(&base, "visit-began").await.is_empty(), "open is written down and not mailed");

        visits::end(&base, visitor.session, child.id, &by_ada).await.unwrap();
        assert_eq!(visits::current(&base, visitor.session, child.id).await.unwrap(), None);
        visits::end(&base, visitor.session, child.id, &by_ada).await.unwrap();
        visits::begin(&base, &visitor, child.id, "", &by_ada).await.unwrap();
        clock.set(NOW.after(visits::LASTS));
        assert_eq!(visits::current(&base, visitor.session, child.id).await.unwrap(), None);
        assert_eq!(log(&base, &child).await, ["account.create", "visit.begin", "visit.end", "visit.begin"]);

        let sideways = Visitor { above: child.id, ..visitor };
        let up = visits::begin(&base, &sideways, main.id, "", &by_ada).await;
        assert!(matches!(up, Err(VisitError::NotFound(_))), "nothing reaches up: {up:?}");
        let own = Visitor { login: bob, session: visitor.session, above: main.id };
        let own = visits::begin(&base, &own, child.id, "", &by_ada).await;
        assert!(matches!(own, Err(VisitError::IsMember(_))));
    }
}

#[tokio::test]
async fn an_account_that_wants_to_be_asked_is_entered_by_a_yes_for_a_time() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let main = account(&base, "main", None, 0).await;
        let child = account(&base, "child", Some(&main), 0).await;
        let (ada, by_ada) = person(&base, "ada").await;
        let (bob, by_bob) = person(&base, "bob").await;
        joined(&base, &main, ada, Role::Administrator).await;
        let ask = Change { access: Some(Access::Ask), ..Change::default() };
        settings::change(&base, child.id, &ask, &by_bob).await.unwrap();
        let visitor = Visitor { login: ada, session: session(&base, ada).await, above: main.id };
        visits::begin(&base, &visitor, child.id, "", &by_ada).await.expect("there is nobody to ask");
        visits::end(&base, visitor.session, child.id, &by_ada).await.unwrap();

        joined(&base, &child, bob, Role::Owner).await;
        let shut = visits::begin(&base, &visitor, child.id, "", &by_ada).await;
        assert!(matches!(shut, Err(VisitError::MustAsk(_))), "{shut:?}");
        let unsaid = visits::ask(&base, &visitor, child.id, " ", &by_ada).await;
        assert!(matches!(unsaid, Err(VisitError::NoReason)));
        let question = visits::ask(&base, &visitor, child.id, "your prices", &by_ada).await.unwrap();
        let twice = visits::ask(&base, &visitor, child.id, "please", &by_ada).await.unwrap();
        assert_eq!(twice.id, question.id);
        assert_eq!(mails(&base, "access-asked").await, ["bob@people.example"]);
        let refused = visits::refuse(&base, child.id, question.id, bob, &by_bob).await.unwrap();
        assert_eq!(refused.state, storage::visits::GrantState::Refused);
        assert!(visits::begin(&base, &visitor, child.id, "", &by_ada).await.is_err());
        assert!(visits::grant(&base, child.id, question.id, HowLong::Day, bob, &by_bob).await.is_err());

        let question = visits::ask(&base, &visitor, child.id, "your prices", &by_ada).await.unwrap();
        assert!(!key_may(&base, &child, &main).await);
        visits::grant(&base, child.id, question.id, HowLong::Hour, bob, &by_bob).await.unwrap();
        assert!(key_may(&base, &child, &main).await);
        clock.set(NOW.after(Duration::from_secs(1_800)));
        let visit = visits::begin(&base, &visitor, child.id, "", &by_ada).await.unwrap();
        assert_eq!(visit.ends_at, NOW.after(Duration::from_secs(3_600)), "not longer than the yes");
        visits::withdraw(&base, child.id, question.id, bob, &by_bob).await.unwrap();
        assert_eq!(visits::current(&base, visitor.session, child.id).await.unwrap(), None);
        assert!(!key_may(&base, &child, &main).await);
        assert_eq!(mails(&base, "access-answered").await.len(), 2);
        let said = log(&base, &child).await;
        for action in ["access.ask", "access.refuse", "access.grant", "visit.begin", "access.withdraw"] {
            assert!(said.iter().any(|a| a == action), "{action} in {said:?}");
        }
    }
}

#[tokio::test]
async fn only_an_owner_above_breaks_the_glass_and_says_why() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 0).await;
        let child = account(&base, "child", Some(&main), 0).await;
        let (ada, by_ada) = person(&base, "ada").await;
        let (eve, by_eve) = person(&base, "eve").await;
        let (bob, by_bob) = person(&base, "bob").await;
        joined(&base, &main, ada, Role::Owner).await;
        joined(&base, &main, eve, Role::Administrator).await;
        joined(&base, &child, bob, Role::Owner).await;
        let owner = Visitor { login: ada, session: session(&base, ada).await, above: main.id };
        let open = visits::break_glass(&base, &owner, child.id, "why not", &by_ada).await;
        assert!(matches!(open, Err(VisitError::NeedNotAsk(_))));
        let change = |access| Change { access: Some(access), ..Change::default() };
        settings::change(&base, child.id, &change(Access::Ask), &by_bob).await.unwrap();
        let administrator = Visitor { login: eve, session: session(&base, eve).await, above: main.id };
        let not_theirs = visits::break_glass(&base, &administrator, child.id, "fire", &by_eve).await;
        assert!(matches!(not_theirs, Err(VisitError::NotOwnerAbove)));
        let silent = visits::break_glass(&base, &owner, child.id, "", &by_ada).await;
        assert!(matches!(silent, Err(VisitError::NoReason)));
        let visit = visits::break_glass(&base, &owner, child.id, "fire", &by_ada).await.unwrap();
        assert_eq!(visit.ends_at, NOW.after(visits::BROKEN_LASTS));
        assert_eq!(mails(&base, "glass-broken").await, ["bob@people.example"]);
        assert!(log(&base, &child).await.contains(&"visit.break_glass".to_owned()));
        let lines = storage::visits::page(&mut base.db.read().await.unwrap(), child.id, None, 9).await;
        assert!(lines.unwrap()[0].glass_broken);

        settings::change(&base, child.id, &change(Access::Notify), &by_bob).await.unwrap();
        visits::begin(&base, &administrator, child.id, "", &by_eve).await.unwrap();
        assert_eq!(mails(&base, "visit-began").await, ["bob@people.example"]);
        settings::change(&base, child.id, &change(Access::Ask), &by_bob).await.unwrap();
        let visit = visits::current(&base, administrator.session, child.id).await.unwrap();
        assert_eq!(visit, None, "who was let in as notify is out when the account wants to be asked");
    }
}
