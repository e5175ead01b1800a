//! People signing in: passwords, guesses, sessions, second factors, links, on both engines.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

mod house;
mod people_house;

use std::time::Duration;

use domain::account::Email;
use domain::id::LoginId;
use domain::login::Step;
use domain::member::Role;
use domain::moment::Moment;
use gateway::join::{self, JoinError};
use gateway::logins::{self, LoginError};
use gateway::password_reset::{self, ResetError};
use gateway::second_factor::{self, FactorError};
use gateway::sign_in::{self, Client, SignInError};
use gateway::{Base, Clock, address_change, passwords, people, sessions, set_up};
use house::{NOW, count, until};
use people_house::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_gives_a_link_that_makes_the_operator_and_their_account_once() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let path = set_up::link(&base).await.unwrap().unwrap();
        let second = set_up::link(&base).await.unwrap().unwrap();
        assert_ne!(path, second);
        let (token, second) = (secret_of(&path), secret_of(&second));
        assert!(set_up::look(&base, token).await.unwrap());
        assert!(!set_up::look(&base, "made up").await.unwrap());
        let weak = set_up::First { password: "password".into(), ..first() };
        let refused = set_up::set_up(&base, token, &weak, &HOME).await;
        assert!(matches!(refused, Err(set_up::SetUpError::Login(LoginError::Password(_)))));
        // Both links at once, each twice: one of the four gets it.
        let (one, other) = (first(), set_up::First { email: email("max@example.com"), ..first() });
        let (a, b, c, d) = tokio::join!(
            set_up::set_up(&base, token, &one, &HOME),
            set_up::set_up(&base, second, &other, &HOME),
            set_up::set_up(&base, token, &other, &HOME),
            set_up::set_up(&base, second, &one, &HOME),
        );
        let done: Vec<_> = [a, b, c, d].into_iter().filter_map(Result::ok).collect();
        assert_eq!(done.len(), 1, "{}", database.engine());
        assert_eq!(count(&base.db, "select count(*) from logins").await, 1);
        assert_eq!(count(&base.db, "select count(*) from accounts").await, 1);
        let (entered, account) = &done[0];
        assert!(entered.login.operator && entered.step == Step::SignedIn);
        let who = sessions::of(&base, &entered.token, base.clock.now()).await.unwrap().unwrap();
        assert_eq!(who.standings.len(), 1);
        assert_eq!((who.standings[0].account, who.standings[0].role), (account.id, Role::Owner));
        assert!(!set_up::look(&base, token).await.unwrap());
        assert!(set_up::link(&base).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_link_ends_after_a_day() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    let path = set_up::link(&base).await.unwrap().unwrap();
    later(&base, set_up::LINK_LASTS);
    assert!(!set_up::look(&base, secret_of(&path)).await.unwrap());
    let refused = set_up::set_up(&base, secret_of(&path), &first(), &HOME).await;
    assert!(matches!(refused, Err(set_up::SetUpError::Ended)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_and_a_wrong_password_get_the_same_answer_after_the_same_work() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let eva = person(&base, "eva@example.com").await;
        let gone = person(&base, "gone@example.com").await;
        person(&base, "boss@example.com").await;
        logins::set_disabled(&base, gone, true).await.unwrap();
        let mut answers = Vec::new();
        for (address, password) in [
            ("eva@example.com", "not the password at all"),
            ("nobody@example.com", "not the password at all"),
            ("gone@example.com", PASSWORD),
            ("not an address", PASSWORD),
        ] {
            let before = passwords::compared_so_far();
            let error = sign_in::with_password(&base, address, password, &HOME).await.err().unwrap();
            // One password is compared at full cost, whether anybody has it or not.
            assert!(passwords::compared_so_far() > before, "{address}");
            answers.push(error.to_string());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        // Also when there are too many of them.
        for address in ["eva@example.com", "nobody@example.com"] {
            let mut tries = 0;
            while !matches!(
                try_in(&base, address, "wrong wrong wrong", &HOME).await,
                Err(SignInError::Wait(_))
            ) {
                tries += 1;
                assert!(tries < 20);
            }
        }
        let _ = eva;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_guess_do_not_lock_out_whoever_was_here_before() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let entered = sign_in::with_password(&base, "Eva@Example.com ", PASSWORD, &HOME).await.unwrap();
        let device = entered.device.unwrap();
        // Ever new addresses guess for hours, as often as they are let.
        let (mut tried, mut host) = (0, 0);
        while base.clock.now() < NOW.after(Duration::from_secs(6 * 3600)) {
            host += 1;
            let address = format!("198.51.{}.{}", host / 250, host % 250);
            let stranger = Client { address: &address, ..Client::default() };
            match try_in(&base, "eva@example.com", "guess guess guess", &stranger).await {
                Err(SignInError::Wrong) => tried += 1,
                Err(SignInError::Wait(_)) => later(&base, Duration::from_secs(300)),
                other => panic!("{:?}", other.err()),
            }
        }
        assert!((40..=100).contains(&tried), "{tried}");
        // A new browser must wait, the known one need not, not even from an address that guessed.
        let unknown = try_in(&base, "eva@example.com", PASSWORD, &HOME).await;
        assert!(matches!(unknown, Err(SignInError::Wait(_))));
        let known = Client { device: Some(&device), ..HOME };
        let again = sign_in::with_password(&base, "eva@example.com", PASSWORD, &known).await.unwrap();
        assert_eq!(again.device, None, "it is known already");
        // By another's cookie nobody is known.
        person(&base, "max@example.com").await;
        let max = sign_in::with_password(&base, "max@example.com", PASSWORD, &HOME).await.unwrap();
        let foreign = Client { device: max.device.as_deref(), ..HOME };
        let refused = try_in(&base, "eva@example.com", PASSWORD, &foreign).await;
        assert!(matches!(refused, Err(SignInError::Wait(_))));
        // The known one has its own measure, and a right password takes nothing from it.
        for _ in 0..5 {
            assert!(matches!(try_in(&base, "eva@example.com", "x", &known).await, Err(SignInError::Wrong)));
        }
        assert!(matches!(try_in(&base, "eva@example.com", "x", &known).await, Err(SignInError::Wait(_))));
        later(&base, Duration::from_secs(60));
        sign_in::with_password(&base, "eva@example.com", PASSWORD, &known).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_once_are_no_more_than_one_after_the_other() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let all = (0..24).map(|_| try_in(&base, "eva@example.com", "guess guess guess", &HOME));
        let all = join_all(all.collect()).await;
        let looked_at = all.iter().filter(|one| matches!(one, Err(SignInError::Wrong))).count();
        assert!(looked_at <= 5, "{}: {looked_at}", database.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_gives_back_what_it_counted() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    person(&base, "eva@example.com").await;
    for _ in 0..20 {
        sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_a_token_of_its_own_and_ends_the_one_the_browser_held() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let first = sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        // What a browser brings is never taken over, whether it was anybody's or was planted.
        let planted = "A".repeat(43);
        for brought in [first.token.as_str(), planted.as_str(), "", "x"] {
            let client = Client { session: Some(brought), ..HOME };
            let next = sign_in::with_password(&base, "eva@example.com", PASSWORD, &client).await.unwrap();
            assert_ne!(next.token, brought);
            assert!(is_in(&base, &next.token).await);
            assert!(!is_in(&base, brought).await, "{brought}");
        }
        // Of a token only its hash is in the books.
        let sql = "select count(*) from sessions where length(hash) = 64";
        assert_eq!(count(&base.db, sql).await, count(&base.db, "select count(*) from sessions").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_is_not_used_and_after_a_day_in_any_case() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let idle = enter(&base, "eva@example.com").await;
        let used = enter(&base, "eva@example.com").await;
        for _ in 0..28 {
            later(&base, Duration::from_secs(50 * 60));
            assert!(is_in(&base, &used).await);
        }
        assert!(!is_in(&base, &idle).await);
        // It was used all the time; a day is a day.
        later(&base, Duration::from_secs(41 * 60));
        assert!(!is_in(&base, &used).await);
        // When it was used is stored beside the requests.
        let sql = "select count(*) from sessions where seen_at > created_at";
        until("the last use is stored", async || count(&base.db, sql).await == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_one_by_one_or_all_others_on_every_node() {
    for database in testing::engines().await {
        let base = base(&database).await;
        // Another process on the same books.
        let other = self::base(&database).await;
        let eva = person(&base, "eva@example.com").await;
        person(&base, "max@example.com").await;
        let (a, b, c) = (
            enter(&base, "eva@example.com").await,
            enter(&base, "eva@example.com").await,
            enter(&base, "eva@example.com").await,
        );
        for token in [&a, &b, &c] {
            assert!(is_in(&other, token).await);
        }
        let who = sessions::of(&base, &a, base.clock.now()).await.unwrap().unwrap();
        let all = sessions::list(&base, eva).await.unwrap();
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|s| s.address == "192.0.2.7" && s.agent == "Firefox"));
        let b_id = sessions::of(&base, &b, base.clock.now()).await.unwrap().unwrap().session;
        let max = signed_in(&base, &enter(&base, "max@example.com").await).await;
        assert!(!sessions::revoke(&base, &max, b_id, &HOME).await.unwrap(), "it is not theirs to end");
        assert!(sessions::revoke(&base, &who, b_id, &HOME).await.unwrap());
        assert!(!sessions::revoke(&base, &who, b_id, &HOME).await.unwrap());
        assert!(!is_in(&base, &b).await);
        assert!(is_in(&other, &c).await);
        // What every process does each second.
        other.refresh().await.unwrap();
        assert!(!is_in(&other, &b).await && is_in(&other, &c).await);
        sessions::revoke_others(&base, &who, &HOME).await.unwrap();
        other.refresh().await.unwrap();
        assert!(is_in(&other, &a).await && !is_in(&other, &c).await);
        sessions::sign_out(&base, &a).await.unwrap();
        other.refresh().await.unwrap();
        assert!(!is_in(&base, &a).await && !is_in(&other, &a).await);
        assert!(sessions::list(&base, eva).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_login_and_a_lost_membership_count_at_once_everywhere() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let other = self::base(&database).await;
        person(&base, "boss@example.com").await;
        let account = account(&base, "shop@example.com").await;
        let eva = person(&base, "eva@example.com").await;
        let token = enter(&base, "eva@example.com").await;
        let standings = async |base: &Base| {
            base.refresh().await.unwrap();
            sessions::of(base, &token, base.clock.now()).await.unwrap().map(|who| who.standings.len())
        };
        assert_eq!(standings(&other).await, Some(0));
        people_house::join(&base, account.id, eva, Role::Analyst).await;
        assert_eq!(standings(&other).await, Some(1));
        leave(&base, account.id, eva).await;
        assert_eq!(standings(&other).await, Some(0));
        logins::set_disabled(&base, eva, true).await.unwrap();
        assert_eq!(standings(&other).await, None);
        logins::set_disabled(&base, eva, false).await.unwrap();
        assert_eq!(standings(&other).await, None, "the session was ended with it");
        enter(&base, "eva@example.com").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_operator_stays_one() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let (eva, max) = (person(&base, "eva@example.com").await, person(&base, "max@example.com").await);
        logins::set_operator(&base, eva, true).await.unwrap();
        for refused in
            [logins::set_operator(&base, eva, false).await, logins::set_disabled(&base, eva, true).await]
        {
            assert!(matches!(refused, Err(LoginError::LastOperator)));
        }
        logins::set_operator(&base, max, true).await.unwrap();
        logins::set_operator(&base, eva, false).await.unwrap();
        assert!(logins::set_operator(&base, LoginId(1), true).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_needs_the_old_one_and_ends_all_other_sessions() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let (here, there) = (enter(&base, "eva@example.com").await, enter(&base, "eva@example.com").await);
        let who = sessions::of(&base, &here, base.clock.now()).await.unwrap().unwrap();
        let wrong = logins::change_password(&base, &who, "wrong wrong wrong", NEW_PASSWORD, &HOME).await;
        assert!(matches!(wrong, Err(LoginError::Person(FactorError::Password))));
        let weak = logins::change_password(&base, &who, PASSWORD, "eva@example.com.eva", &HOME).await;
        assert!(matches!(weak, Err(LoginError::Password(_))));
        logins::change_password(&base, &who, PASSWORD, NEW_PASSWORD, &HOME).await.unwrap();
        assert!(is_in(&base, &here).await && !is_in(&base, &there).await);
        assert!(try_in(&base, "eva@example.com", PASSWORD, &HOME).await.is_err());
        assert!(try_in(&base, "eva@example.com", NEW_PASSWORD, &HOME).await.is_ok());
        assert_eq!(mails(&base, "password-changed").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_count_once_confirmed_and_each_is_taken_once() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let (here, there) = (enter(&base, "eva@example.com").await, enter(&base, "eva@example.com").await);
        let who = signed_in(&base, &here).await;
        let refused = second_factor::begin(&base, &who, "wrong wrong wrong").await;
        assert!(matches!(refused, Err(FactorError::Password)));
        let setup = second_factor::begin(&base, &who, PASSWORD).await.unwrap();
        assert!(setup.url.starts_with("otpauth://totp/") && setup.url.contains("issuer=Branchline"));
        assert!(setup.qr.starts_with("iVBORw0KGgo"), "a PNG");
        assert_eq!(second_factor::show(&base, &who, &setup.token).await.unwrap().secret, setup.secret);
        // Not confirmed, it is asked of nobody.
        assert_eq!(step(&base, "eva@example.com").await, Step::SignedIn);
        let wrong = second_factor::confirm(&base, &who, &setup.token, "000000", &HOME).await;
        assert!(matches!(wrong, Err(FactorError::Code)));
        let code = code(&setup.secret, base.clock.now());
        let codes = second_factor::confirm(&base, &who, &setup.token, &code, &HOME).await.unwrap().unwrap();
        assert_eq!(codes.len(), second_factor::RECOVERY_CODES);
        assert!(is_in(&base, &here).await && !is_in(&base, &there).await);
        let again = second_factor::confirm(&base, &who, &setup.token, &code, &HOME).await;
        assert!(matches!(again, Err(FactorError::Ended)));

        // The code that confirmed is used up.
        let owing = sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        assert_eq!((owing.step, &owing.device), (Step::SecondFactorOwed, &None));
        assert!(!is_in(&base, &owing.token).await);
        assert!(matches!(with_code(&base, &owing.token, &code).await, Err(SignInError::Wrong)));
        later(&base, Duration::from_secs(30));
        // The next one, by two browsers at once: one comes in.
        let next = people_house::code(&setup.secret, base.clock.now());
        let second = sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        let (a, b) =
            tokio::join!(with_code(&base, &owing.token, &next), with_code(&base, &second.token, &next));
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{}", database.engine());
        let entered = a.or(b).unwrap();
        assert!(entered.device.is_some());
        let who = signed_in(&base, &entered.token).await;
        assert_eq!(who.strong_at, Some(base.clock.now()));
        // The token of the first step is worth nothing now.
        assert!(!is_in(&base, &owing.token).await || !is_in(&base, &second.token).await);
        assert!(entered.token != owing.token && entered.token != second.token);
        // An older code, of a half minute that still counts, is not taken after a later one.
        assert!(matches!(with_code(&base, &entered.token, &code).await, Err(SignInError::Wrong)));
        assert_eq!(mails(&base, "second-factor-changed").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_works_once_and_new_ones_make_the_old_ones_void() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let eva = person(&base, "eva@example.com").await;
        let (_, codes) = with_app(&base, "eva@example.com").await;
        let owing = || async {
            sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap().token
        };
        let (a, b) = (owing().await, owing().await);
        let typed = codes[0].to_lowercase().replace('-', " ");
        let (first, second) = tokio::join!(with_code(&base, &a, &typed), with_code(&base, &b, &codes[0]));
        assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1, "{}", database.engine());
        let who = signed_in(&base, &first.or(second).unwrap().token).await;
        assert!(matches!(with_code(&base, &owing().await, &codes[0]).await, Err(SignInError::Wrong)));
        with_code(&base, &owing().await, &codes[1]).await.unwrap();
        let left = async || {
            storage::logins::recovery_codes_left(&mut base.db.read().await.unwrap(), eva).await.unwrap()
        };
        assert_eq!(left().await, 8);
        let new = second_factor::renew_recovery_codes(&base, &who, PASSWORD, &HOME).await.unwrap();
        assert_eq!(left().await, 10);
        assert!(matches!(with_code(&base, &owing().await, &codes[2]).await, Err(SignInError::Wrong)));
        with_code(&base, &owing().await, &new[9]).await.unwrap();
        // Nobody else's code fits.
        person(&base, "max@example.com").await;
        let (_, others) = with_app(&base, "max@example.com").await;
        assert!(matches!(with_code(&base, &owing().await, &others[0]).await, Err(SignInError::Wrong)));
        let told = mails(&base, "second-factor-changed").await;
        assert_eq!(told.iter().filter(|mail| mail.0 == "eva@example.com").count(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_cannot_be_guessed_and_a_sign_in_without_one_ends() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        with_app(&base, "eva@example.com").await;
        let owing = sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
        let mut guesses = 0;
        while !matches!(with_code(&base, &owing.token, "123456").await, Err(SignInError::Wait(_))) {
            guesses += 1;
            assert!(guesses <= 5);
        }
        later(&base, sessions::SECOND_FACTOR_WITHIN);
        assert!(matches!(with_code(&base, &owing.token, "123456").await, Err(SignInError::Ended)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_second_factor_goes_only_when_the_password_can_stand_alone() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let (token, _) = with_app(&base, "eva@example.com").await;
        let who = signed_in(&base, &token).await;
        // Beside a second factor eight characters are enough.
        logins::change_password(&base, &who, PASSWORD, "kurz+gut", &HOME).await.unwrap();
        let refused = second_factor::remove(&base, &who, "kurz+gut", &HOME).await;
        assert!(matches!(refused, Err(FactorError::PasswordTooShort)));
        let who = signed_in(&base, &token).await;
        logins::change_password(&base, &who, "kurz+gut", NEW_PASSWORD, &HOME).await.unwrap();
        second_factor::remove(&base, &who, NEW_PASSWORD, &HOME).await.unwrap();
        assert_eq!(count(&base.db, "select count(*) from recovery_codes").await, 0);
        assert!(try_in(&base, "eva@example.com", NEW_PASSWORD, &HOME).await.unwrap().step == Step::SignedIn);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_can_require_a_second_factor() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let (shop, cafe) =
            (account(&base, "shop@example.com").await, account(&base, "cafe@example.com").await);
        let eva = person(&base, "eva@example.com").await;
        people_house::join(&base, shop.id, eva, Role::Finance).await;
        people_house::join(&base, cafe.id, eva, Role::Finance).await;
        let shop = require_second_factor(&base, shop.id).await;
        let token = enter(&base, "eva@example.com").await;
        let who = signed_in(&base, &token).await;
        assert_eq!(who.owes_second_factor(), Some(shop.id));
        assert!(who.owes_second_factor_in(&shop));
        assert!(!who.owes_second_factor_in(&cafe));
        let (token, _) = with_app(&base, "eva@example.com").await;
        let who = signed_in(&base, &token).await;
        assert_eq!(who.owes_second_factor(), None);
        assert!(!who.owes_second_factor_in(&shop));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_link_sets_a_new_password_once_and_tells_nobody_who_has_the_address() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        let before = enter(&base, "eva@example.com").await;
        password_reset::ask(&base, "nobody@example.com", &HOME).await.unwrap();
        password_reset::ask(&base, "not an address", &HOME).await.unwrap();
        password_reset::ask(&base, "EVA@example.com", &HOME).await.unwrap();
        until("the link is mailed", async || !mails(&base, "password-reset").await.is_empty()).await;
        let sent = mails(&base, "password-reset").await;
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].0, "eva@example.com");
        let token = sent[0].1.as_str();
        assert_eq!(
            password_reset::look(&base, token).await.unwrap().unwrap().email,
            email("eva@example.com")
        );
        let weak = password_reset::choose(&base, token, "short", &HOME).await;
        assert!(matches!(weak, Err(ResetError::Password(_))));
        let (a, b) = tokio::join!(
            password_reset::choose(&base, token, NEW_PASSWORD, &HOME),
            password_reset::choose(&base, token, NEW_PASSWORD, &HOME),
        );
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{}", database.engine());
        let entered = a.or(b).unwrap();
        assert!(is_in(&base, &entered.token).await && !is_in(&base, &before).await);
        assert!(password_reset::look(&base, token).await.unwrap().is_none());
        assert!(try_in(&base, "eva@example.com", PASSWORD, &HOME).await.is_err());
        // Whoever came by the link is known, however strangers guess.
        while !matches!(try_in(&base, "eva@example.com", "x", &HOME).await, Err(SignInError::Wait(_))) {}
        let known = Client { device: entered.device.as_deref(), ..HOME };
        assert!(try_in(&base, "eva@example.com", NEW_PASSWORD, &known).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_does_not_skip_the_second_factor_and_a_link_ends_after_half_an_hour() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let eva = person(&base, "eva@example.com").await;
        let (_, codes) = with_app(&base, "eva@example.com").await;
        let (path, _) = password_reset::link(&base, eva).await.unwrap();
        let entered = password_reset::choose(&base, secret_of(&path), NEW_PASSWORD, &HOME).await.unwrap();
        assert_eq!(entered.step, Step::SecondFactorOwed);
        assert!(!is_in(&base, &entered.token).await);
        with_code(&base, &entered.token, &codes[0]).await.unwrap();
        password_reset::ask(&base, "eva@example.com", &HOME).await.unwrap();
        until("the link is mailed", async || !mails(&base, "password-reset").await.is_empty()).await;
        let token = mails(&base, "password-reset").await[0].1.clone();
        later(&base, password_reset::LINK_LASTS);
        let refused = password_reset::choose(&base, &token, PASSWORD, &HOME).await;
        assert!(matches!(refused, Err(ResetError::Ended)));
        // For whoever lost it, the operator takes the second factor away.
        second_factor::reset(&base, eva).await.unwrap();
        assert_eq!(count(&base.db, "select count(*) from devices").await, 0);
        assert_eq!(try_in(&base, "eva@example.com", NEW_PASSWORD, &HOME).await.unwrap().step, Step::SignedIn);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_links_asked_for_are_few_mails() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    person(&base, "eva@example.com").await;
    let mut refused = 0;
    for _ in 0..40 {
        refused += usize::from(password_reset::ask(&base, "eva@example.com", &HOME).await.is_err());
    }
    assert!(refused >= 10, "{refused}");
    until("mails are written", async || mails(&base, "password-reset").await.len() == 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_when_the_new_mailbox_says_so_and_the_old_one_is_told() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "eva@example.com").await;
        person(&base, "max@example.com").await;
        let token = enter(&base, "eva@example.com").await;
        let who = signed_in(&base, &token).await;
        let ask = async |new: &str| address_change::ask(&base, &who, PASSWORD, &email(new), &HOME).await;
        let refused =
            address_change::ask(&base, &who, "wrong wrong wrong", &email("e@example.com"), &HOME).await;
        assert!(refused.is_err());
        // That it is somebody's is not said.
        ask("max@example.com").await.unwrap();
        assert!(mails(&base, "address-change").await.is_empty());
        ask("first@example.com").await.unwrap();
        ask("eva.neu@example.com").await.unwrap();
        let sent = mails(&base, "address-change").await;
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[1].0, "eva.neu@example.com");
        assert!(address_change::look(&base, &sent[0].1).await.unwrap().is_none(), "the later one counts");
        let token = sent[1].1.as_str();
        let (login, new) = address_change::look(&base, token).await.unwrap().unwrap();
        assert_eq!((login.email, new), (email("eva@example.com"), email("eva.neu@example.com")));
        let (a, b) = tokio::join!(
            address_change::confirm(&base, token, &HOME),
            address_change::confirm(&base, token, &HOME)
        );
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
        assert_eq!(mails(&base, "address-changed").await[0].0, "eva@example.com");
        assert!(try_in(&base, "eva@example.com", PASSWORD, &HOME).await.is_err());
        assert!(try_in(&base, "eva.neu@example.com", PASSWORD, &HOME).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_browser_is_mailed_about_and_a_known_one_is_not() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    person(&base, "eva@example.com").await;
    let first = sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
    assert!(mails(&base, "new-sign-in").await.is_empty(), "the first one is no news");
    let known = Client { device: first.device.as_deref(), ..HOME };
    sign_in::with_password(&base, "eva@example.com", PASSWORD, &known).await.unwrap();
    assert!(mails(&base, "new-sign-in").await.is_empty());
    sign_in::with_password(&base, "eva@example.com", PASSWORD, &HOME).await.unwrap();
    assert_eq!(mails(&base, "new-sign-in").await.len(), 1);
    // Two people at one browser: it stays known as both.
    person(&base, "max@example.com").await;
    let both = sign_in::with_password(&base, "max@example.com", PASSWORD, &known).await.unwrap();
    let both = Client { device: both.device.as_deref(), ..HOME };
    for address in ["eva@example.com", "max@example.com"] {
        assert_eq!(sign_in::with_password(&base, address, PASSWORD, &both).await.unwrap().device, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_invited_joins_with_a_login_of_their_own_or_not_at_all() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let shop = account(&base, "shop@example.com").await;
        let secret = invite(&base, shop.id, "neu@example.com").await;
        let join =
            async |password: &str| join::by_invitation(&base, &secret, "Nina Neu", password, &HOME).await;
        assert!(matches!(join("neu@example.com.neu").await, Err(JoinError::Login(LoginError::Password(_)))));
        assert_eq!(count(&base.db, "select count(*) from logins").await, 0);
        let (a, b) = tokio::join!(join(PASSWORD), join(PASSWORD));
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{}", database.engine());
        let (entered, member) = a.or(b).unwrap();
        assert_eq!((member.account, member.role), (shop.id, Role::Messaging));
        let who = signed_in(&base, &entered.token).await;
        assert_eq!(who.standings[0].account, shop.id);
        assert!(matches!(join(PASSWORD).await, Err(JoinError::Invitation(_))));
        // Who has a login signs in with it.
        let cafe = account(&base, "cafe@example.com").await;
        let secret = invite(&base, cafe.id, "neu@example.com").await;
        let again = join::by_invitation(&base, &secret, "Nina", NEW_PASSWORD, &HOME).await;
        assert!(matches!(again, Err(JoinError::HasLogin)));
    }
}

/// What the logs of an account say of logins, the oldest first: what, by whom, from where; and all of it.
async fn told(base: &Base, account: domain::id::AccountId) -> (Vec<String>, String) {
    let filter = storage::audit::Filter { action: Some("login.".into()), ..Default::default() };
    let mut conn = base.db.read().await.unwrap();
    let mut entries = storage::audit::page(&mut conn, account, &filter, None, 100).await.unwrap();
    entries.reverse();
    let line = |e: &storage::audit::Entry| {
        assert!(e.subject.contains("<eva@example.com>"), "{e:?}");
        format!("{} {} {}", &e.action["login.".len()..], e.actor.kind.as_str(), e.actor.address)
    };
    (entries.iter().map(line).collect(), format!("{entries:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_about_a_login_stands_in_the_logs_of_all_its_accounts_and_of_no_other() {
    for database in testing::engines().await {
        let base = base(&database).await;
        person(&base, "boss@example.com").await;
        let eva = person(&base, "eva@example.com").await;
        let (shop, cafe) =
            (account(&base, "shop@example.com").await, account(&base, "cafe@example.com").await);
        let other = account(&base, "other@example.com").await;
        people_house::join(&base, shop.id, eva, Role::Owner).await;
        people_house::join(&base, cafe.id, eva, Role::Analyst).await;
        let here = enter(&base, "eva@example.com").await;
        enter(&base, "eva@example.com").await;
        let who = signed_in(&base, &here).await;
        // What is refused is not written down.
        let wrong = logins::change_password(&base, &who, "wrong wrong wrong", NEW_PASSWORD, &HOME).await;
        assert!(wrong.is_err());
        sessions::revoke_others(&base, &who, &HOME).await.unwrap();
        // There are none left: nothing is told.
        sessions::revoke_others(&base, &who, &HOME).await.unwrap();
        logins::change_password(&base, &who, PASSWORD, NEW_PASSWORD, &HOME).await.unwrap();
        let setup = second_factor::begin(&base, &who, NEW_PASSWORD).await.unwrap();
        let code = code(&setup.secret, base.clock.now());
        let codes = second_factor::confirm(&base, &who, &setup.token, &code, &HOME).await.unwrap().unwrap();
        let owing = try_in(&base, "eva@example.com", NEW_PASSWORD, &HOME).await.unwrap();
        with_code(&base, &owing.token, &codes[0]).await.unwrap();
        let new = second_factor::renew_recovery_codes(&base, &who, NEW_PASSWORD, &HOME).await.unwrap();
        second_factor::remove(&base, &who, NEW_PASSWORD, &HOME).await.unwrap();
        second_factor::reset(&base, eva).await.unwrap();
        logins::set_disabled(&base, eva, true).await.unwrap();
        logins::set_disabled(&base, eva, true).await.unwrap();
        logins::set_disabled(&base, eva, false).await.unwrap();
        let who =
            signed_in(&base, &try_in(&base, "eva@example.com", NEW_PASSWORD, &HOME).await.unwrap().token)
                .await;
        address_change::ask(&base, &who, NEW_PASSWORD, &email("eva@new.example"), &HOME).await.unwrap();
        let link = mails(&base, "address-change").await.pop().unwrap().1;
        address_change::confirm(&base, &link, &HOME).await.unwrap();
        let (lines, all) = told(&base, shop.id).await;
        assert_eq!(
            lines,
            [
                "end_sessions person 192.0.2.7",
                "change_password person 192.0.2.7",
                "add_app person 192.0.2.7",
                "use_recovery_code person 192.0.2.7",
                "renew_recovery_codes person 192.0.2.7",
                "remove_app person 192.0.2.7",
                "remove_second_factors command line ",
                "disable command line ",
                "enable command line ",
                "change_address person 192.0.2.7",
            ],
            "{}",
            database.engine()
        );
        assert!(all.contains("eva@new.example"));
        let secrets = [NEW_PASSWORD, PASSWORD, &codes[0], &new[0], &link];
        let bare = setup.secret.replace(' ', "");
        for secret in secrets.into_iter().chain([setup.secret.as_str(), bare.as_str()]) {
            assert!(!all.contains(secret), "{secret} is in the log");
        }
        assert_eq!(told(&base, cafe.id).await.0, lines);
        assert!(told(&base, other.id).await.0.is_empty());
        // The person has it by mail.
        for (kind, count) in [
            ("sessions-ended", 1),
            ("password-changed", 1),
            ("second-factor-changed", 5),
            ("address-changed", 1),
        ] {
            let told = mails(&base, kind).await;
            assert_eq!(told.len(), count, "{kind}");
            assert!(told.iter().all(|mail| mail.0 == "eva@example.com"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_forgotten() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let eva = person(&base, "eva@example.com").await;
        enter(&base, "eva@example.com").await;
        password_reset::link(&base, eva).await.unwrap();
        people::tidy(&base).await.unwrap();
        assert_eq!(count(&base.db, "select count(*) from sessions").await, 1);
        assert_eq!(count(&base.db, "select count(*) from tokens").await, 1);
        later(&base, people::DEVICE_KEPT + Duration::from_secs(1));
        people::tidy(&base).await.unwrap();
        for table in ["sessions", "tokens", "guesses", "devices"] {
            assert_eq!(count(&base.db, &format!("select count(*) from {table}")).await, 0, "{table}");
        }
    }
}

async fn base(database: &testing::TestDatabase) -> Base {
    house::base(&database.db, Clock::standing_at(NOW)).await
}

fn later(base: &Base, by: Duration) {
    base.clock.set(Moment(base.clock.now().0).after(by));
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}
