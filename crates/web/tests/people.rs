//! What people do with themselves and with others, page by page: signing in and out, inviting, joining,
//! stepping into an account from above and what its audit log says of it.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod house;

use axum::http::StatusCode;
use house::{Browser, House, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_is_led_back_and_signs_out() {
    for database in testing::engines().await {
        let house = House::on(&database.db).await;
        let mut browser = Browser::new(&house.router);
        let wanted = format!("/a/{}/settings", house.main);
        let answer = browser.get(&wanted).await;
        let page = browser.follow(&answer).await;
        assert!(page.text.contains(&format!("name=\"next\" value=\"{wanted}\"")), "{}", page.text);
        let wrong = [("email", "eva@example.com"), ("password", "something else"), ("next", &wanted)];
        let answer = browser.post("/sign-in", &wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            answer.text.contains("do not fit together") && answer.text.contains("value=\"eva@example.com\"")
        );
        assert!(!answer.text.contains("something else"), "a password is not shown again");
        let nobody = [("email", "nobody@example.com"), ("password", "something else")];
        let unknown = browser.post("/sign-in", &nobody).await;
        assert!(unknown.text.contains("do not fit together"), "whether an address is known is not told");
        let right = [("email", "EVA@example.com"), ("password", PASSWORD), ("next", &wanted)];
        let answer = browser.post("/sign-in", &right).await;
        assert_eq!(answer.location(), wanted);
        assert_eq!(browser.follow(&answer).await.status, StatusCode::OK);
        assert_eq!(browser.post("/sign-out", &[]).await.location(), "/sign-in");
        assert_eq!(browser.get(&wanted).await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_never_leads_to_another_site() {
    let database = testing::sqlite().await;
    let house = House::on(&database.db).await;
    for next in ["https://evil.example", "//evil.example", "/\\evil.example", "/sign-in"] {
        let right = [("email", "eva@example.com"), ("password", PASSWORD), ("next", next)];
        let answer = Browser::new(&house.router).post("/sign-in", &right).await;
        assert_eq!(answer.location(), "/", "{next}");
    }
}

/// What the link of the newest mail opens doors with.
async fn secret(house: &House) -> String {
    let mut conn = house.gateway.db.read().await.unwrap();
    let newest = storage::mails::page(&mut conn, None, None, 1).await.unwrap();
    let mail = storage::mails::find(&mut conn, newest[0].id).await.unwrap().unwrap();
    let secret = gateway::mail::post::opened(&house.gateway, &mail).unwrap();
    secret.unwrap_or_else(|| panic!("no secret in {}", mail.plain))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_steps_in_and_out_and_the_account_knows() {
    for database in testing::engines().await {
        let mut house = House::on(&database.db).await;
        let child = house.child("Filiale").await;
        let settings = format!("/a/{}/settings", child.id);
        // From above one is asked to step in, and then goes on to where one wanted to be.
        let answer = house.owner.get(&settings).await;
        assert_eq!(answer.location(), format!("/a/{}/step-in?next={settings}", child.id));
        let page = house.owner.follow(&answer).await;
        assert!(page.text.contains("lets administrators from above in"), "{}", page.text);
        let enter = format!("/a/{}/step-in", child.id);
        let answer = house.owner.post(&enter, &[("next", &settings), ("reason", "A <b>question</b>")]).await;
        assert_eq!(answer.location(), settings);
        let page = house.owner.follow(&answer).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("You are acting in") && page.text.contains("Nordlicht"));
        // Another browser of the same person has not stepped in.
        let mut other = Browser::new(&house.router);
        other.post("/sign-in", &[("email", "eva@example.com"), ("password", PASSWORD)]).await;
        assert_eq!(other.get(&settings).await.status, StatusCode::SEE_OTHER);
        let page = house.owner.get(&format!("/a/{}/audit", child.id)).await;
        assert!(
            page.text.contains("stepped in") && page.text.contains("A &#60;b&#62;question"),
            "{}",
            page.text
        );
        assert!(page.text.contains("from Nordlicht"));
        let csv = house.owner.get(&format!("/a/{}/audit.csv", child.id)).await;
        assert!(csv.text.contains("visit.begin"), "{}", csv.text);
        let out = house.owner.post(&format!("/a/{}/step-out", child.id), &[]).await;
        assert_eq!(out.status, StatusCode::SEE_OTHER);
        assert_eq!(house.owner.get(&settings).await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_back_with_what_was_typed() {
    for database in testing::engines().await {
        let mut house = House::on(&database.db).await;
        let settings = format!("/a/{}/settings", house.main);
        let wrong = [
            ("company", "Neu & alt"),
            ("owner", "Eva"),
            ("time_zone", "Mars/Olympus"),
            ("text_days", "viele"),
        ];
        let answer = house.owner.post(&settings, &wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains("Neu &#38; alt") && answer.text.contains("viele"));
        assert!(answer.text.contains("Write a whole number."));
        let right =
            [("company", "Neu & alt"), ("owner", "Eva"), ("time_zone", "Asia/Tokyo"), ("text_days", "30")];
        let answer = house.owner.post(&settings, &right).await;
        let page = house.owner.follow(&answer).await;
        assert!(page.text.contains("The settings are saved."), "{}", page.text);
        assert!(
            !house.owner.get(&settings).await.text.contains("The settings are saved."),
            "it is said once"
        );
        let log = house.owner.get(&format!("/a/{}/audit?about=settings.", house.main)).await;
        assert!(log.text.contains("changed settings") && log.text.contains("Asia/Tokyo"));
        assert!(log.text.contains("+09:00"), "times are those of the account");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_invited_joins_and_is_removed() {
    let database = testing::sqlite().await;
    let mut house = House::on(&database.db).await;
    let invite = format!("/a/{}/members/invite", house.main);
    let answer = house.owner.post(&invite, &[("email", "nobody"), ("role", "owner")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("not a valid e-mail address") && answer.text.contains("Choose a role."));
    house.owner.post(&invite, &[("email", "ada@example.com"), ("role", "messaging")]).await;
    let link = format!("/invitation/{}", secret(&house).await);
    let mut ada = Browser::new(&house.router);
    let page = ada.get(&link).await;
    assert!(page.text.contains("Join Nordlicht") && page.text.contains("Messaging"), "{}", page.text);
    let answer = ada.post(&link, &[("name", "Ada"), ("password", "noch vier andere Worte")]).await;
    assert_eq!(answer.location(), format!("/a/{}", house.main));
    // What the role has not is refused by the name of the permission.
    let refused = ada.get(&format!("/a/{}/settings", house.main)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("see_settings"));
    let again = ada.get(&link).await;
    assert!(again.text.contains("accepted already"), "{}", again.text);
    let page = house.owner.get(&format!("/a/{}/members", house.main)).await;
    assert!(page.text.contains("ada@example.com"));
    let before = format!("/a/{}/members/", house.main);
    let numbers = page.text.split(&before).filter_map(|rest| rest.split('"').next()?.parse::<i64>().ok());
    let member = numbers.max().unwrap();
    house.owner.post(&format!("{before}{member}/remove"), &[]).await;
    let gone = ada.get(&format!("/a/{}/statistics", house.main)).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "for Ada the account does not exist any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_suspends_an_account_and_nobody_above_it_lifts_that() {
    for database in testing::engines().await {
        let mut house = House::on(&database.db).await;
        let child = house.child("Filiale").await;
        let (page, own) =
            (format!("/operator/trees/{}", child.id), format!("/a/{}/subaccounts/{}", house.main, child.id));
        assert!(
            house
                .owner
                .get("/operator/trees")
                .await
                .text
                .contains(&format!("/operator/trees/{}", house.main))
        );
        assert!(house.owner.get(&format!("/operator/trees/{}", house.main)).await.text.contains(&page));
        // Without a reason it is not done, and the page says so.
        let answer = house.owner.post(&format!("{page}/suspend"), &[("reason", " ")]).await;
        assert_ne!(answer.status, StatusCode::SEE_OTHER);
        let answer = house.owner.post(&format!("{page}/suspend"), &[("reason", "<b>fraud</b>")]).await;
        let shown = house.owner.follow(&answer).await.text;
        assert!(shown.contains("Suspended by the operator") && shown.contains("&#60;b&#62;fraud"), "{shown}");
        // The same person, as the owner of the account above, does not lift it, and is not offered to.
        let shown = house.owner.get(&own).await.text;
        assert!(shown.contains("only they can lift that") && !shown.contains("Let it send again"), "{shown}");
        let answer = house.owner.post(&format!("{own}/activate"), &[]).await;
        assert!(answer.text.contains("suspended by the operator"), "{}", answer.text);
        let answer = house.owner.post(&format!("{page}/activate"), &[]).await;
        assert!(house.owner.follow(&answer).await.text.contains("It is active again"));
        let mut conn = house.gateway.db.read().await.unwrap();
        let found = storage::accounts::find(&mut conn, child.id).await.unwrap().unwrap();
        assert_eq!(found.state, domain::account::AccountState::Active);
        let filter = storage::audit::Filter { action: Some("account.suspend".into()), ..Default::default() };
        let log = storage::audit::page(&mut conn, child.id, &filter, None, 9).await.unwrap();
        assert_eq!((log.len(), log[0].actor.kind.as_str()), (1, "operator"));
        assert!(log[0].actor.name.contains("eva@example.com"));
        assert_eq!(house.owner.get("/operator/trees/999").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_closes_the_own_account_after_reading_what_will_happen_and_reopens_it() {
    for database in testing::engines().await {
        let mut house = House::on(&database.db).await;
        let (page, settings) = (format!("/a/{}/close", house.main), format!("/a/{}/settings", house.main));
        assert!(house.owner.get(&settings).await.text.contains(&page));
        let child = house.child("Filiale").await;
        let shown = house.owner.get(&page).await.text;
        assert!(shown.contains("cannot be closed yet") && shown.contains("Filiale"), "{shown}");
        assert!(!shown.contains("name=\"password\""), "{shown}");
        let at_once = gateway::accounts::When::AtOnce;
        let line = domain::actor::Actor::command_line();
        gateway::accounts::close(&house.gateway, child.id, at_once, "over", &line).await.unwrap();
        let shown = house.owner.get(&page).await.text;
        assert!(
            shown.contains("This will happen") && shown.contains("It can be reopened as it is until"),
            "{shown}"
        );
        let number = house.main.to_string();
        for (number, password) in
            [("1", PASSWORD), (number.as_str(), "wrong wrong wrong"), (number.as_str(), "")]
        {
            let answer = house.owner.post(&page, &[("number", number), ("password", password)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{number} {password}");
        }
        let form = [("reason", "we <b>move"), ("number", number.as_str()), ("password", PASSWORD)];
        let answer = house.owner.post(&page, &form).await;
        let shown = house.owner.follow(&answer).await.text;
        assert!(shown.contains("It is being closed") && shown.contains("Reopen it"), "{shown}");
        assert!(house.owner.get(&settings).await.text.contains("Look, or reopen it"));
        let answer = house.owner.post(&format!("/a/{}/reopen", house.main), &[]).await;
        assert!(house.owner.follow(&answer).await.text.contains("The account is open again"));
        let answer = house.owner.post(&format!("/a/{}/reopen", house.main), &[]).await;
        assert!(house.owner.follow(&answer).await.text.contains("cannot be reopened"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_none_to_link_and_the_page_says_so() {
    let database = testing::sqlite().await;
    let mut house = House::on(&database.db).await;
    assert!(!house.owner.get("/me/security").await.text.contains("/me/provider"));
    for path in ["/me/provider", "/me/provider/unlink?from=https%3A%2F%2Fid.example.com"] {
        let answer = house.owner.get(path).await;
        assert_eq!(answer.location(), "/me/security", "{path}");
    }
    let answer = house.owner.post("/me/provider", &[("password", PASSWORD)]).await;
    assert!(house.owner.follow(&answer).await.text.contains("has no provider of sign-ins"));
}
