//! Secrets that lie in the books: sealed by a key beside them, or of no use.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;
mod people_house;

use std::time::Duration;

use domain::login::Step;
use gateway::seal::{self, Key, SealError};
use gateway::second_factor::{self, FactorError};
use gateway::sign_in::SignInError;
use gateway::{Base, Clock, password_reset};
use house::NOW;
use people_house::*;
use storage::mails::MailState;

async fn base(database: &testing::TestDatabase) -> Base {
    house::base(&database.db, Clock::standing_at(NOW)).await
}

/// Another process on the same books, with a key of its own to begin with.
async fn process(base: &Base, key: &Key) -> Result<Base, SealError> {
    let other = Base::new(base.db.clone(), base.clock.clone(), (*base.rules).clone()).await.unwrap();
    seal::begin(&other, key).await.map(|()| other)
}

fn key() -> Key {
    Key::parse(&"A".repeat(43)).unwrap()
}

/// All that the books have in a column.
async fn column(base: &Base, sql: &str) -> Vec<String> {
    let rows = base.db.read().await.unwrap().query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.text(0).unwrap()).collect()
}

const CODES: &str = "select totp_secret from logins where totp_secret is not null order by id";

async fn run(base: &Base, sql: &str, text: &str) {
    let mut tx = base.db.begin().await.unwrap();
    assert_eq!(tx.execute(sql, &[text.into()]).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_books_opens_no_door() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let who = signed_in(&base, &enter(&base, "eva@example.com").await).await;
        let setup = second_factor::begin(&base, &who, PASSWORD).await.unwrap();
        let secret = setup.secret.replace(' ', "");
        let held = column(&base, "select content from tokens where kind = 'totp'").await;
        assert!(held.len() == 1 && !held[0].contains(&secret), "{held:?}");
        let code = code(&setup.secret, NOW);
        second_factor::confirm(&base, &who, &setup.token, &code, &HOME).await.unwrap();
        let kept = column(&base, CODES).await;
        assert!(kept.len() == 1 && !kept[0].contains(&secret), "{kept:?}");
        // A key that somebody makes up opens nothing, and neither does another login's.
        assert!(matches!(process(&base, &Key::new()).await, Err(SealError::OtherKey)));
        let max = person(&base, "max@example.com").await;
        let sql = format!("update logins set totp_secret = $1, totp_at = 1 where id = {max}");
        run(&base, &sql, &kept[0]).await;
        base.clock.set(NOW.after(Duration::from_secs(30)));
        let code = people_house::code(&setup.secret, base.clock.now());
        let owing = try_in(&base, "max@example.com", PASSWORD, &HOME).await.unwrap();
        assert_eq!(owing.step, Step::SecondFactorOwed);
        assert!(matches!(with_code(&base, &owing.token, &code).await, Err(SignInError::Wrong)));
        // Another process that has the key takes the code.
        let other = process(&base, &key()).await.unwrap();
        let owing = try_in(&other, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        with_code(&other, &owing.token, &code).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_plain_is_sealed_at_the_start_and_still_works() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let who = signed_in(&base, &enter(&base, "eva@example.com").await).await;
        let setup = second_factor::begin(&base, &who, PASSWORD).await.unwrap();
        let code = code(&setup.secret, NOW);
        second_factor::confirm(&base, &who, &setup.token, &code, &HOME).await.unwrap();
        password_reset::ask(&base, "eva@example.com", &HOME).await.unwrap();
        let link = loop {
            if let Some((_, link)) = mails(&base, "password-reset").await.pop() {
                break link;
            }
            tokio::task::yield_now().await;
        };
        // As an earlier version had them.
        let secret = setup.secret.replace(' ', "");
        run(&base, "update logins set totp_secret = $1", &secret).await;
        run(&base, "update mails set secret = $1 where kind = 'password-reset'", &link).await;
        let mut tx = base.db.begin().await.unwrap();
        storage::seals::forget(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let other = process(&base, &key()).await.unwrap();
        for sql in [CODES, "select secret from mails where secret is not null"] {
            let kept = column(&other, sql).await;
            assert!(kept.len() == 1 && !kept[0].contains(&secret) && !kept[0].contains(&link), "{kept:?}");
        }
        assert_eq!(mails(&other, "password-reset").await[0].1, link);
        other.clock.set(NOW.after(Duration::from_secs(30)));
        let owing = try_in(&other, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        let code = people_house::code(&setup.secret, other.clock.now());
        with_code(&other, &owing.token, &code).await.unwrap();
        // A second start finds nothing to do.
        let before = column(&other, CODES).await;
        process(&other, &key()).await.unwrap();
        assert_eq!(column(&other, CODES).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_the_key_begins_anew_and_nobody_is_let_in_by_that() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let (_, codes) = with_app(&base, "eva@example.com").await;
        let cafe = account(&base, "cafe@example.com").await;
        invite(&base, cafe.id, "neu@example.com").await;
        assert!(seal::is_begun(&base).await.unwrap());
        assert!(seal::forget(&base).await.unwrap());
        assert!(!seal::forget(&base).await.unwrap() && !seal::is_begun(&base).await.unwrap());
        let other = process(&base, &Key::new()).await.unwrap();
        let owing = try_in(&other, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        assert_eq!(owing.step, Step::SecondFactorOwed, "{}", database.engine());
        assert!(matches!(with_code(&other, &owing.token, "000000").await, Err(SignInError::Wrong)));
        let who = signed_in(&other, &with_code(&other, &owing.token, &codes[0]).await.unwrap().token).await;
        assert!(matches!(second_factor::show(&other, &who, "x").await, Err(FactorError::Ended)));
        let mut conn = other.db.read().await.unwrap();
        let given_up = storage::mails::page(&mut conn, Some(MailState::GivenUp), None, 9).await.unwrap();
        assert_eq!(given_up.len(), 1);
        assert!(given_up[0].error.as_deref().is_some_and(|why| why.contains("lost")));
    }
}
