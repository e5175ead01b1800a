//! Many accounts at once: handing credit to them, suspending them, creating them from a file; and what
//! closing one would do, said before.

#![expect(clippy::unwrap_used, reason = "these are tests, also outside of their functions")]

mod house;

use domain::account::{Account, AccountState, Preset};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::member::{Access, Role};
use gateway::account_import::{self, ImportError, Outcome};
use gateway::accounts::{self, Blocker, When, close_preview};
use gateway::credits::TransferError;
use gateway::keys::NewKey;
use gateway::several::{self, Become, ManyError, TransferMany};
use gateway::{Base, Clock};

use house::{NOW, account, base, count, fresh, grant, moving, sound, wallet};

fn operator() -> Actor {
    Actor::command_line()
}

fn many(from: &Account, to: &[(&Account, i64)], key: Option<&str>) -> TransferMany {
    TransferMany {
        from: from.id,
        to: to.iter().map(|(to, amount)| (to.id, Credits(*amount))).collect(),
        reference: "monthly".into(),
        idempotency_key: key.map(str::to_owned),
        asked_by: Some(from.id),
    }
}

#[tokio::test]
async fn credit_goes_to_many_each_by_itself() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 100).await;
        let (a, b) = (account(&base, "a", Some(&main), 0).await, account(&base, "b", Some(&main), 0).await);
        let other = account(&base, "other", None, 0).await;
        let wanted = many(&main, &[(&a, 60), (&other, 5), (&b, 60), (&main, 1)], None);
        let answers = several::transfer_many(&base, &wanted, &operator(), |_, _| ()).await.unwrap();
        assert!(answers[0].1.is_ok());
        assert!(matches!(answers[1].1, Err(TransferError::NotFound(_))), "a foreign one does not exist");
        assert!(matches!(answers[2].1, Err(TransferError::Insufficient { .. })));
        assert!(matches!(answers[3].1, Err(TransferError::Same(_))));
        assert_eq!((wallet(&base, &main).await, wallet(&base, &a).await), (40, 60));
        let twice =
            several::transfer_many(&base, &many(&main, &[(&a, 1), (&a, 1)], None), &operator(), |_, _| ())
                .await;
        assert!(matches!(twice, Err(ManyError::Twice(id)) if id == a.id));
        let none = several::transfer_many(&base, &many(&main, &[], None), &operator(), |_, _| ()).await;
        assert!(matches!(none, Err(ManyError::None)));
        sound(&base).await;
    }
}

#[tokio::test]
async fn parallel_runs_with_one_key_hand_out_once() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 1_000).await;
        let mut below = Vec::new();
        for n in 0..5 {
            below.push(account(&base, &format!("b{n}"), Some(&main), 0).await);
        }
        let to: Vec<(&Account, i64)> = below.iter().map(|account| (&**account, 10)).collect();
        let wanted = many(&main, &to, Some("march"));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (base, wanted) = (base.clone(), wanted.clone());
            tasks.spawn(async move {
                several::transfer_many(&base, &wanted, &operator(), |_, _| ()).await.unwrap()
            });
        }
        for answers in tasks.join_all().await {
            assert!(answers.iter().all(|(_, answer)| answer.is_ok()), "{answers:?}");
        }
        for account in &below {
            assert_eq!(wallet(&base, account).await, 10);
        }
        assert_eq!(wallet(&base, &main).await, 950);
        let other = many(&main, &[(&below[0], 10)], Some("march"));
        let reused = several::transfer_many(&base, &other, &operator(), |_, _| ()).await;
        assert!(matches!(reused, Err(ManyError::KeyReused(_))), "{reused:?}");
        sound(&base).await;
    }
}

#[tokio::test]
async fn many_are_suspended_and_none_that_is_elsewhere() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 0).await;
        let (a, b) = (account(&base, "a", Some(&main), 0).await, account(&base, "b", Some(&main), 0).await);
        let other = account(&base, "other", None, 0).await;
        let ids = [a.id, b.id, other.id, main.id];
        let suspend = async || {
            let actor = operator();
            let suspended = Become::Suspended("unpaid");
            let done = several::change_many(&base, main.id, &ids, suspended, Some("k"), &actor, |_, _| ());
            done.await.unwrap().into_iter().map(|(_, answer)| answer.is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(suspend().await, [true, true, false, false]);
        assert_eq!(fresh(&base, &a).await.state, AccountState::Suspended);
        assert_eq!(fresh(&base, &other).await.state, AccountState::Active);
        accounts::activate(&base, a.id, &operator()).await.unwrap();
        assert_eq!(suspend().await, [true, true, false, false]);
        let state = fresh(&base, &a).await.state;
        assert_eq!(state, AccountState::Active, "the same asked again does not undo what came after");
        assert_eq!(count(&base.db, "select count(*) from audit where action = 'account.suspend'").await, 2);
        assert!(count(&base.db, "select count(*) from mails where kind = 'account-suspended'").await >= 2);
        let activate = async || {
            let actor = operator();
            let done =
                several::change_many(&base, main.id, &ids, Become::Active, Some("l"), &actor, |_, _| ());
            done.await.unwrap().into_iter().map(|(_, answer)| answer.is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(activate().await, [true, true, false, false]);
        assert_eq!(fresh(&base, &b).await.state, AccountState::Active);
        accounts::suspend(&base, b.id, "again", &operator()).await.unwrap();
        assert_eq!(activate().await, [true, true, false, false]);
        assert_eq!(fresh(&base, &b).await.state, AccountState::Suspended, "nor what came after that");
        // What is about to be closed is not opened in passing.
        accounts::close(&base, a.id, When::Later, "", &operator()).await.unwrap();
        let (ids, actor) = ([a.id], operator());
        let done = several::change_many(&base, main.id, &ids, Become::Active, None, &actor, |_, _| ());
        let done = done.await.unwrap().remove(0).1;
        assert!(matches!(done, Err(accounts::StateError::WrongState { .. })), "{done:?}");
    }
}

const FILE: &str = "email;owner;company;preset;credits;auto_threshold;auto_amount;invite
nord@example.com;Ada Nord;Filiale Nord;branch;0.00001;0.000005;0.00001;yes
kunde@example.com;Max Kunde;Kunde GmbH;Customer;;;;no
";

#[tokio::test]
async fn accounts_come_from_a_file_once_and_as_it_was_reported() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 100).await;
        let report = account_import::check(&base, FILE.as_bytes(), main.id).await.unwrap();
        assert_eq!((report.rows.len(), report.problems.len()), (2, 0), "{:?}", report.problems);
        assert_eq!((report.credits, report.available), (Credits(10), Credits(100)));
        assert_eq!(count(&base.db, "select count(*) from accounts").await, 1, "nothing is done by checking");
        let changed =
            account_import::apply(&base, FILE.as_bytes(), main.id, "other", &operator(), |_, _| ()).await;
        assert!(matches!(changed, Err(ImportError::Changed)));

        let actor = operator();
        let (one, two) = tokio::join!(
            account_import::apply(&base, FILE.as_bytes(), main.id, &report.token, &actor, |_, _| ()),
            account_import::apply(&base, FILE.as_bytes(), main.id, &report.token, &actor, |_, _| ())
        );
        let created = |outcomes: &[(u64, Outcome)]| {
            outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Created(_))).count()
        };
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(created(&one) + created(&two), 2, "{one:?} {two:?}");
        let again =
            account_import::apply(&base, FILE.as_bytes(), main.id, &report.token, &operator(), |_, _| ())
                .await;
        let again = again.unwrap();
        assert!(again.iter().all(|(_, o)| matches!(o, Outcome::Before(Some(_)))), "{again:?}");
        assert_eq!(again.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
        let mut conn = base.db.read().await.unwrap();
        let children = storage::accounts::children(&mut conn, main.id).await.unwrap();
        drop(conn);
        assert_eq!(children.len(), 2);
        let nord = children.iter().find(|c| c.name() == "Filiale Nord").unwrap();
        let kunde = children.iter().find(|c| c.name() == "Kunde GmbH").unwrap();
        assert_eq!(
            (nord.settings.preset, kunde.settings.preset),
            (Some(Preset::Branch), Some(Preset::Customer))
        );
        assert_eq!((nord.settings.access, kunde.settings.access), (Access::Open, Access::Ask));
        assert_eq!(nord.auto_transfer.unwrap().amount, Credits(10));
        assert_eq!((wallet(&base, nord).await, wallet(&base, &main).await), (10, 90));
        let invited = "select count(*) from invitations where role = 0 and email = 'nord@example.com'";
        assert_eq!(count(&base.db, invited).await, 1);
        assert_eq!(count(&base.db, "select count(*) from mails where kind = 'invitation'").await, 1);
        sound(&base).await;
    }
}

#[tokio::test]
async fn every_problem_of_a_file_is_told_with_its_line_and_field() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 10).await;
        account(&base, "taken", None, 0).await;
        let file = "email,owner,preset,credits,auto_threshold,language,time_zone,invite
no address,,palace,-1,5,tlh,Mars,perhaps
TAKEN@example.com,Ada,,,,,,
x@example.com,Ada,,,,,,
X@example.com,Bob,,,,,,
dear@example.com,Eve,,99,,,,
";
        let report = account_import::check(&base, file.as_bytes(), main.id).await.unwrap();
        let told: Vec<_> = report.problems.iter().map(|p| format!("{}:{}", p.line, p.field)).collect();
        #[rustfmt::skip]
        assert_eq!(told, [
            "2:email", "2:owner", "2:preset", "2:credits", "2:auto_amount", "2:time_zone", "2:language", "2:invite",
            "3:email", "5:email",
        ]);
        let outcomes =
            account_import::apply(&base, file.as_bytes(), main.id, &report.token, &operator(), |_, _| ())
                .await;
        let outcomes = outcomes.unwrap();
        let of = |line| outcomes.iter().find(|(l, _)| *l == line).map(|(_, o)| o).unwrap();
        assert!(matches!(of(4), Outcome::Created(_)), "{outcomes:?}");
        assert!(matches!(of(6), Outcome::Refused(why) if why.contains("cannot give")), "{outcomes:?}");
        let sql = "select count(*) from accounts where email = 'dear@example.com'";
        assert_eq!(count(&base.db, sql).await, 0, "no account without its credit");
        for (bad, line) in
            [("owner\na", "email"), ("email,email,owner\n", "twice"), ("email,owner,colour\n", "colour")]
        {
            let error = account_import::check(&base, bad.as_bytes(), main.id).await.unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
        let empty = account_import::check(&base, b"email,owner\n", main.id).await;
        assert!(matches!(empty, Err(ImportError::Empty)));
        let nowhere = account_import::check(&base, file.as_bytes(), AccountId(3)).await;
        assert!(matches!(nowhere, Err(ImportError::ParentNotFound(_))));
    }
}

async fn key(base: &Base, of: &Account) {
    let new = NewKey {
        label: "shop".into(),
        sandbox: false,
        subaccount_access: false,
        scopes: domain::key::Scopes::ALL,
        expires_at: None,
    };
    gateway::keys::create(base, of.id, &new, &operator()).await.unwrap();
}

#[tokio::test]
async fn what_closing_would_do_is_said_and_then_done_just_so() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let main = account(&base, "main", None, 100).await;
        let child = account(&base, "child", Some(&main), 0).await;
        let leaf = account(&base, "leaf", Some(&child), 0).await;
        gateway::credits::transfer(&base, &moving(&main, &child, 40), &operator()).await.unwrap();
        grant(&base, &child, 7, None).await;
        key(&base, &child).await;
        let asked = gateway::members::invitations::NewInvitation {
            email: domain::account::Email::parse("ada@example.com").unwrap(),
            role: Role::Owner,
            includes_subaccounts: false,
        };
        gateway::members::invitations::invite(&base, child.id, &asked, &operator()).await.unwrap();
        let preview = close_preview(&base, child.id).await.unwrap();
        assert!(
            matches!(&preview.blockers[..], [Blocker::Children { count: 1, first }] if first[0].id == leaf.id),
            "{:?}",
            preview.blockers
        );
        accounts::close(&base, leaf.id, When::AtOnce, "over", &operator()).await.unwrap();
        let preview = close_preview(&base, child.id).await.unwrap();
        assert_eq!(preview.blockers, []);
        assert_eq!(
            (preview.back.len(), preview.back[0].to, preview.back[0].amount),
            (1, main.id, Credits(40))
        );
        assert_eq!((preview.own, preview.free), (Credits(7), Credits::ZERO));
        assert_eq!((preview.keys.len(), preview.invitations.len(), preview.members.len()), (1, 1, 0));
        assert_eq!(preview.final_at, NOW.after(accounts::CLOSING_LASTS));
        assert_eq!(fresh(&base, &child).await.state, AccountState::Active, "nothing has changed");
        assert_eq!((wallet(&base, &main).await, wallet(&base, &child).await), (60, 47));

        accounts::close(&base, child.id, When::Later, "over", &operator()).await.unwrap();
        clock.set(NOW.after(std::time::Duration::from_secs(86_400)));
        let closing = close_preview(&base, child.id).await.unwrap();
        assert_eq!(closing.final_at, preview.final_at, "it counts from when closing began");
        assert!(closing.invitations.is_empty(), "who was invited is not any more");
        clock.set(preview.final_at);
        assert_eq!(accounts::finish_closings(&base).await.unwrap(), 1);
        assert_eq!((wallet(&base, &main).await, wallet(&base, &child).await), (100, 0));
        assert!(close_preview(&base, child.id).await.is_err());
        sound(&base).await;
    }
}
