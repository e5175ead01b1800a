//! Passkeys by whole ceremonies, with an authenticator that signs for real, on both engines.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

#[path = "people_house/authenticator.rs"]
mod authenticator;
mod house;
mod people_house;

use std::time::Duration;

use authenticator::Authenticator;
use domain::login::Step;
use gateway::passkeys::{self, PasskeyError};
use gateway::second_factor::FactorError;
use gateway::sign_in::{self, Client};
use gateway::{Base, Clock, logins};
use house::{NOW, count};
use people_house::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_registered_shown_as_second_factor_and_signs_in_alone() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let (token, mut key, codes) = with_passkey(&base, "eva@example.com", 7).await;
        assert_eq!(codes.unwrap().len(), 10, "it is the first second factor");
        let who = signed_in(&base, &token).await;
        assert_eq!(who.login.passkeys, 1);

        // After a password it is owed, and only it lets one in.
        let owing = sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        assert_eq!(owing.step, Step::SecondFactorOwed);
        let owed = gateway::sessions::of(&base, &owing.token, NOW).await.unwrap().unwrap();
        let asked = passkeys::ask_for(&base, &owed).await.unwrap();
        let answer = key.get(&asked.options);
        let (a, b) = tokio::join!(
            passkeys::show(&base, &owing.token, &asked.token, &answer, &HOME),
            passkeys::show(&base, &owing.token, &asked.token, &answer, &HOME),
        );
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{}", database.engine());
        let entered = a.or(b).unwrap();
        assert_eq!(signed_in(&base, &entered.token).await.strong_at, Some(NOW));
        assert!(!is_in(&base, &owing.token).await);

        // Alone: nobody says who they are, the authenticator does.
        let asked = passkeys::ask(&base, &HOME).await.unwrap();
        let options: serde_json::Value = serde_json::from_str(&asked.options).unwrap();
        assert_eq!(options["publicKey"]["userVerification"], "required");
        assert!(options.get("mediation").is_none());
        let answer = key.get(&asked.options);
        let entered = passkeys::sign_in(&base, &asked.token, &answer, &HOME).await.unwrap();
        assert_eq!((entered.step, entered.login.email.as_str()), (Step::SignedIn, "eva@example.com"));
        assert!(signed_in(&base, &entered.token).await.strong_at.is_some());
        // The same answer again is worth nothing.
        let again = passkeys::sign_in(&base, &asked.token, &answer, &HOME).await;
        assert!(matches!(again, Err(PasskeyError::Ended)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let eva = person(&base, "eva@example.com").await;
        person(&base, "boss@example.com").await;
        let (_, mut key, _) = with_passkey(&base, "eva@example.com", 7).await;
        let attempt = async |key: &mut Authenticator| {
            let asked = passkeys::ask(&base, &HOME).await.unwrap();
            let answer = key.get(&asked.options);
            passkeys::sign_in(&base, &asked.token, &answer, &HOME).await.map(|entered| entered.login.id)
        };
        // From another site, without its owner, a key nobody registered, an answer to another question.
        key.origin = "https://evil.example".into();
        assert!(matches!(attempt(&mut key).await, Err(PasskeyError::Wrong)));
        key.origin = "http://localhost:8077".into();
        key.verifies = false;
        assert!(matches!(attempt(&mut key).await, Err(PasskeyError::Wrong)));
        key.verifies = true;
        let mut stranger = Authenticator::new(9);
        let asked = passkeys::ask(&base, &HOME).await.unwrap();
        let answer = stranger.get(&asked.options);
        assert!(passkeys::sign_in(&base, &asked.token, &answer, &HOME).await.is_err());
        let (one, other) =
            (passkeys::ask(&base, &HOME).await.unwrap(), passkeys::ask(&base, &HOME).await.unwrap());
        let answer = key.get(&one.options);
        assert!(passkeys::sign_in(&base, &other.token, &answer, &HOME).await.is_err());
        assert!(passkeys::sign_in(&base, "made up", &answer, &HOME).await.is_err());
        assert!(passkeys::sign_in(&base, &one.token, "{}", &HOME).await.is_err());
        // It still works, until somebody has copied it: then its counter goes back.
        assert_eq!(attempt(&mut key).await.unwrap(), eva);
        key.counter = 1;
        assert!(matches!(attempt(&mut key).await, Err(PasskeyError::Wrong)));
        key.counter = 100;
        assert_eq!(attempt(&mut key).await.unwrap(), eva);
        // Too late, or by somebody who may not.
        let asked = passkeys::ask(&base, &HOME).await.unwrap();
        let answer = key.get(&asked.options);
        base.clock.set(NOW.after(Duration::from_secs(301)));
        let late = passkeys::sign_in(&base, &asked.token, &answer, &HOME).await;
        assert!(matches!(late, Err(PasskeyError::Ended)));
        logins::set_disabled(&base, eva, true).await.unwrap();
        assert!(matches!(attempt(&mut key).await, Err(PasskeyError::Wrong)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_has_one_owner_and_is_asked_of_nobody_else() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        person(&base, "max@example.com").await;
        let (_, mut evas, _) = with_passkey(&base, "eva@example.com", 7).await;
        let (_, _, _) = with_passkey(&base, "max@example.com", 8).await;
        let owing = sign_in::with_password(&base, "max@example.com", PASSWORD, &HOME).await.unwrap();
        let owed = gateway::sessions::of(&base, &owing.token, NOW).await.unwrap().unwrap();
        // Eva's, where Max owes his.
        let asked = passkeys::ask_for(&base, &owed).await.unwrap();
        let answer = evas.get(&asked.options);
        assert!(passkeys::show(&base, &owing.token, &asked.token, &answer, &HOME).await.is_err());
        // A ceremony that was begun for signing in alone does not serve as Max's second factor.
        let asked = passkeys::ask(&base, &HOME).await.unwrap();
        let answer = evas.get(&asked.options);
        assert!(passkeys::show(&base, &owing.token, &asked.token, &answer, &HOME).await.is_err());
        // Max cannot register Eva's.
        let token = {
            let (token, mut key, _) = with_passkey(&base, "max@example.com", 8).await;
            let _ = key.get(&asked.options);
            token
        };
        let who = signed_in(&base, &token).await;
        let asked = passkeys::begin(&base, &who, PASSWORD).await.unwrap();
        let mut copy = Authenticator::new(7);
        let answer = copy.create(&asked.options);
        let refused = passkeys::register(&base, &who, &asked.token, &answer, "copy", &HOME).await;
        assert!(matches!(refused, Err(PasskeyError::Known)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passkeys_are_named_and_taken_away() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let eva = person(&base, "eva@example.com").await;
        let max = person(&base, "max@example.com").await;
        let (token, mut key, _) = with_passkey(&base, "eva@example.com", 7).await;
        let who = signed_in(&base, &token).await;
        let list =
            async || storage::passkeys::of_login(&mut base.db.read().await.unwrap(), eva).await.unwrap();
        let id = list().await[0].id;
        assert!(!passkeys::rename(&base, max, id, "Max's").await.unwrap());
        assert!(passkeys::rename(&base, eva, id, " Telefon ").await.unwrap());
        assert!(matches!(passkeys::rename(&base, eva, id, " ").await, Err(PasskeyError::Label(0))));
        assert_eq!(list().await[0].label, "Telefon");
        let wrong = passkeys::remove(&base, &who, id, "wrong wrong wrong", &HOME).await;
        assert!(matches!(wrong, Err(FactorError::Password)));
        // Who has no password and an app beside it would have no way in without it.
        let password = storage::logins::secrets(&mut base.db.read().await.unwrap(), eva).await.unwrap();
        let sql = "update logins set password = null, password_at = null, totp_at = 1 where id = $1";
        change(&base, sql, &[eva.0.into()]).await;
        let only = passkeys::remove(&base, &who, id, "", &HOME).await;
        assert!(matches!(only, Err(FactorError::OnlyWay)), "{}", database.engine());
        let sql = "update logins set password = $2, password_at = 1, totp_at = null where id = $1";
        let password = password.unwrap().password.unwrap();
        change(&base, sql, &[eva.0.into(), storage::db::Value::from(&password)]).await;
        passkeys::remove(&base, &who, id, PASSWORD, &HOME).await.unwrap();
        assert!(matches!(
            passkeys::remove(&base, &who, id, PASSWORD, &HOME).await,
            Err(FactorError::NotThere)
        ));
        let asked = passkeys::ask(&base, &HOME).await.unwrap();
        let answer = key.get(&asked.options);
        assert!(passkeys::sign_in(&base, &asked.token, &answer, &HOME).await.is_err());
        assert_eq!(step(&base, "eva@example.com").await, Step::SignedIn);
        assert_eq!(count(&base.db, "select count(*) from recovery_codes").await, 0);
    }
}

/// Signs in, past a second factor if there is one, and registers a passkey: gives the token, the
/// authenticator and the recovery codes.
async fn with_passkey(
    base: &Base,
    address: &str,
    number: u8,
) -> (String, Authenticator, Option<Vec<String>>) {
    let entered = sign_in::with_password(base, address, PASSWORD, &HOME).await.unwrap();
    if entered.step == Step::SecondFactorOwed {
        let owed = gateway::sessions::of(base, &entered.token, NOW).await.unwrap().unwrap();
        let asked = passkeys::ask_for(base, &owed).await.unwrap();
        let mut key = Authenticator::new(number);
        key.counter = 50;
        let client = Client { session: None, ..HOME };
        let answer = key.get(&asked.options);
        let entered = passkeys::show(base, &entered.token, &asked.token, &answer, &client).await.unwrap();
        return (entered.token, key, None);
    }
    let who = signed_in(base, &entered.token).await;
    let asked = passkeys::begin(base, &who, PASSWORD).await.unwrap();
    let mut key = Authenticator::new(number);
    let answer = key.create(&asked.options);
    let codes = passkeys::register(base, &who, &asked.token, &answer, "Schlüssel", &HOME).await.unwrap();
    (entered.token, key, codes)
}

async fn base(database: &testing::TestDatabase) -> Base {
    house::base(&database.db, Clock::standing_at(NOW)).await
}

async fn change(base: &Base, sql: &str, values: &[storage::db::Value<'_>]) {
    let mut tx = base.db.begin().await.unwrap();
    assert_eq!(tx.execute(sql, values).await.unwrap(), 1);
    storage::counters::changed(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    base.refresh().await.unwrap();
}
