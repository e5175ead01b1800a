//! An owner closes their own main account, and reopens it within the time for that.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;
mod people_house;

use std::time::Duration;

use domain::account::AccountState;
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::AccountId;
use domain::member::Role;
use gateway::accounts::{self, Blocker, CloseError, CloseOwnError, NewAccount, Shown, StateError};
use gateway::credits::{self, Grant};
use gateway::second_factor::FactorError;
use gateway::sessions::SignedIn;
use gateway::{Base, Clock};
use house::{NOW, sound};
use people_house::*;

async fn state(base: &Base, id: AccountId) -> AccountState {
    storage::accounts::find(&mut base.db.read().await.unwrap(), id).await.unwrap().unwrap().state
}

async fn closes(
    base: &Base,
    id: AccountId,
    who: &SignedIn,
    password: &str,
    code: &str,
) -> Result<AccountState, CloseOwnError> {
    let actor = who.actor("192.0.2.7", "Firefox");
    let done =
        accounts::close_own(base, id, who, &HOME, Shown { password, code }, "we move on", &actor).await;
    done.map(|account| account.state)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_closes_the_main_account_with_all_they_have_and_reopens_it_as_it_was() {
    for database in testing::engines().await {
        let base = house::base(&database.db, Clock::standing_at(NOW)).await;
        let shop = account(&base, "shop@example.com").await;
        let eva = person(&base, "eva@example.com").await;
        join(&base, shop.id, eva, Role::Owner).await;
        let grant = Grant {
            account: shop.id,
            amount: Credits(25_000_000),
            reason: "paid".into(),
            idempotency_key: None,
            promo_until: None,
        };
        credits::grant(&base, &grant, &Actor::command_line()).await.unwrap();
        let who = signed_in(&base, &enter(&base, "eva@example.com").await).await;
        // What is said before is what happens: what is its own is owed, nothing stands in the way.
        let told = accounts::close_preview(&base, shop.id).await.unwrap();
        assert_eq!((told.blockers.len(), told.own, told.members.len()), (0, Credits(25_000_000), 1));
        let wrong = closes(&base, shop.id, &who, "wrong wrong wrong", "").await;
        assert!(matches!(wrong, Err(CloseOwnError::Person(FactorError::Password))));
        // Whoever has a second factor shows it, too, unless that was a short time ago.
        let (token, codes) = with_app(&base, "eva@example.com").await;
        let who = signed_in(&base, &token).await;
        let missing = closes(&base, shop.id, &who, PASSWORD, " ").await;
        assert!(matches!(missing, Err(CloseOwnError::Person(FactorError::CodeMissing))));
        let wrong = closes(&base, shop.id, &who, PASSWORD, "000000").await;
        assert!(matches!(wrong, Err(CloseOwnError::Person(FactorError::Code))));
        assert_eq!(state(&base, shop.id).await, AccountState::Active);
        assert_eq!(closes(&base, shop.id, &who, PASSWORD, &codes[0]).await.unwrap(), AccountState::Closing);
        // They are told that a recovery code was used.
        let used = "select count(*) from audit where action = 'login.use_recovery_code'";
        assert_eq!(house::count(&base.db, used).await, 1);
        let told = accounts::close_preview(&base, shop.id).await.unwrap();
        assert_eq!(told.final_at, NOW.after(accounts::CLOSING_LASTS));
        assert_eq!(mails(&base, "account-closing").await.len(), 1);

        // A day before the end it is as it was, and nothing has moved.
        base.clock.set(NOW.after(accounts::CLOSING_LASTS - Duration::from_secs(86_400)));
        assert_eq!(accounts::finish_closings(&base).await.unwrap(), 0);
        let actor = who.actor("192.0.2.7", "Firefox");
        let reopened = accounts::reopen_own(&base, shop.id, &actor).await.unwrap();
        assert_eq!((reopened.state, reopened.state_reason), (AccountState::Active, None));
        let again = accounts::reopen_own(&base, shop.id, &actor).await;
        assert!(matches!(again, Err(StateError::WrongState { .. })));
        let held = storage::ledger::balance(&mut base.db.read().await.unwrap(), shop.id).await.unwrap();
        assert_eq!(held.0, Credits(25_000_000), "{}", database.engine());
        base.clock.set(NOW.after(accounts::CLOSING_LASTS * 2));
        assert_eq!(accounts::finish_closings(&base).await.unwrap(), 0);

        // Not reopened, it is closed in the end, and what it holds is owed to whoever paid it.
        let owing = try_in(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        let entered = with_code(&base, &owing.token, &codes[1]).await.unwrap();
        let who = signed_in(&base, &entered.token).await;
        // They have shown a code a moment ago.
        closes(&base, shop.id, &who, PASSWORD, "").await.unwrap();
        base.clock.set(NOW.after(accounts::CLOSING_LASTS * 4));
        assert_eq!(accounts::finish_closings(&base).await.unwrap(), 1);
        assert_eq!(state(&base, shop.id).await, AccountState::Closed);
        assert!(matches!(
            accounts::reopen_own(&base, shop.id, &actor).await,
            Err(StateError::WrongState { .. })
        ));
        let filter = storage::audit::Filter { action: Some("account.".into()), ..Default::default() };
        let mut conn = base.db.read().await.unwrap();
        let log = storage::audit::page(&mut conn, shop.id, &filter, None, 9).await.unwrap();
        let log: Vec<(&str, &str)> =
            log.iter().rev().map(|entry| (entry.action.as_str(), entry.actor.kind.as_str())).collect();
        assert_eq!(
            log,
            [
                ("account.create", "command line"),
                ("account.close", "person"),
                ("account.reopen", "person"),
                ("account.close", "person"),
                ("account.close", "rule"),
            ]
        );
        drop(conn);
        sound(&base).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_below_or_was_suspended_by_the_operator_is_not_its_owners_to_close_or_reopen() {
    for database in testing::engines().await {
        let base = house::base(&database.db, Clock::standing_at(NOW)).await;
        let shop = account(&base, "shop@example.com").await;
        let new = NewAccount {
            company: Some("Filiale".into()),
            owner: "Filiale".into(),
            email: domain::account::Email::parse("filiale@example.com").unwrap(),
            parent: Some(shop.id),
            credits: Credits::ZERO,
        };
        let child = accounts::create(&base, &new, &Actor::command_line()).await.unwrap();
        let eva = person(&base, "eva@example.com").await;
        join(&base, shop.id, eva, Role::Owner).await;
        join(&base, child.id, eva, Role::Owner).await;
        let who = signed_in(&base, &enter(&base, "eva@example.com").await).await;
        let actor = who.actor("192.0.2.7", "Firefox");
        let below = closes(&base, child.id, &who, PASSWORD, "").await;
        assert!(matches!(below, Err(CloseOwnError::NotMain(_))));
        let told = accounts::close_preview(&base, shop.id).await.unwrap();
        assert!(matches!(told.blockers[..], [Blocker::Children { count: 1, .. }]));
        let open = closes(&base, shop.id, &who, "a wrong password, which is not looked at", "").await;
        assert!(matches!(open, Err(CloseOwnError::Close(CloseError::OpenChildren { .. }))));
        accounts::close(&base, child.id, accounts::When::AtOnce, "over", &actor).await.unwrap();
        // Closing it is no way out of what the operator has done.
        accounts::suspend(&base, shop.id, "fraud", &Actor::command_line()).await.unwrap();
        closes(&base, shop.id, &who, PASSWORD, "").await.unwrap();
        let reopened = accounts::reopen_own(&base, shop.id, &actor).await;
        assert!(matches!(reopened, Err(StateError::Locked(_))), "{}", database.engine());
        accounts::activate(&base, shop.id, &Actor::command_line()).await.unwrap();
        assert_eq!(state(&base, shop.id).await, AccountState::Active);
        // Nor can they undo that the operator closes it.
        accounts::close(&base, shop.id, accounts::When::Later, "over", &Actor::command_line()).await.unwrap();
        let reopened = accounts::reopen_own(&base, shop.id, &actor).await;
        assert!(matches!(reopened, Err(StateError::Locked(_))), "{}", database.engine());
        accounts::activate(&base, shop.id, &Actor::command_line()).await.unwrap();
        let below = accounts::reopen_own(&base, child.id, &actor).await;
        assert!(matches!(below, Err(StateError::NotMain(_))), "{below:?}");
        sound(&base).await;
    }
}
