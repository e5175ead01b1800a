//! `/a/{id}/subaccounts`: closing, several at once, and accounts from a file.

use std::time::Duration;

use domain::actor::Actor;
use domain::credits::Credits;
use domain::member::Role;
use gateway::Base;
use gateway::credits::{self, Transfer};
use gateway::works::{self, Kind};
use storage::works::{Begun, NewWork, SILENCE};

use crate::house::{Answer, Browser, House, NOW};

/// Begins work by a form, and gives its page as it is when it is over.
async fn ended(browser: &Browser<'_>, path: &str, form: &[(&str, &str)]) -> Answer {
    let begun = browser.post(path, form).await;
    assert_eq!(begun.status, 303, "{}", begun.body);
    loop {
        let page = browser.get(&begun.location).await;
        if page.status != 200 || !page.has("<progress") {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_work_is_there_for_any_process() {
    for database in testing::engines().await {
        let house = House::on(database).await;
        let owner = house.person(house.main.id, Role::Owner).await;
        let path = format!("/a/{}/subaccounts/import", house.main.id);
        let file = "email,owner\nnord@example.com,Ada Nord\nno address,X\n";
        let token = owner.upload(&path, file).await.value_of("token");
        ended(&owner, &format!("{path}/run"), &[("token", &*token), ("file", file)]).await;
        let base = &house.gateway;
        let other = Base::new(base.db.clone(), base.clock.clone(), (*base.rules).clone()).await.unwrap();
        let work = works::find(&other, house.main.id, Kind::Import, &token).await.unwrap().unwrap();
        assert_eq!((work.done, work.total, &work.error), (2, 2, &None));
        assert!(work.ended_at.is_some());
        let (parts, counts) = works::parts(&other, &work, 10).await.unwrap();
        assert_eq!(counts, [1, 0, 1]);
        assert_eq!(parts[0].place, 3, "what was refused comes first");
        // After a month it is forgotten.
        house.gateway.clock.set(NOW.after(works::KEPT + Duration::from_secs(1)));
        works::forget_old(&other).await.unwrap();
        assert_eq!(works::find(&other, house.main.id, Kind::Import, &token).await.unwrap(), None);
        let mut conn = other.db.read().await.unwrap();
        assert_eq!(conn.number("select count(*) from work_parts", &[]).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_broke_off_goes_on_and_does_nothing_twice() {
    for database in testing::engines().await {
        let house = House::on(database).await;
        let owner = house.person(house.main.id, Role::Owner).await;
        let path = format!("/a/{}/subaccounts/transfer", house.main.id);
        let (branch, team) = (house.branch.id.to_string(), house.team.id.to_string());
        // A process has begun it, has done the first one, and has gone.
        let content = format!(
            "[[\"amount\",\"5\"],[\"reference\",\"March\"],[\"id\",\"{branch}\"],[\"id\",\"{team}\"]]"
        );
        let new = NewWork {
            account: house.main.id,
            kind: Kind::Transfer,
            name: "march",
            content: &content,
            by: "Erika",
            total: 2,
        };
        let mut tx = house.gateway.db.begin().await.unwrap();
        let begun = storage::works::begin(&mut tx, &new, NOW).await.unwrap();
        assert!(matches!(begun, Begun::Yours(_)), "{begun:?}");
        tx.commit().await.unwrap();
        let first = Transfer {
            from: house.main.id,
            to: house.branch.id,
            amount: Credits(5_000_000),
            reference: "March".to_owned(),
            idempotency_key: Some(format!("march many {branch}")),
            asked_by: Some(house.main.id),
        };
        credits::transfer(&house.gateway, &first, &Actor::command_line()).await.unwrap();
        let form =
            [("id", &*branch), ("id", &*team), ("amount", "5"), ("reference", "March"), ("once", "march")];
        // As long as somebody may be at it, it is looked at and not begun again.
        owner.get(format!("{path}/march")).await.shows(&["<progress", "0 of 2", "You can leave"], &["Go on"]);
        assert_eq!(owner.post(&path, &form).await.status, 303);
        assert_eq!(house.balance(house.team.id).await, 0);
        house.gateway.clock.set(NOW.after(SILENCE));
        let page = owner.get(format!("{path}/march")).await;
        page.shows(&["It broke off", "Go on with it", "value=\"March\""], &["<progress"]);
        ended(&owner, &path, &form)
            .await
            .shows(&["2 of 2 got their credits.", "not once more"], &["broke off"]);
        assert_eq!(house.balance(house.branch.id).await, 15_000_000);
        assert_eq!(house.balance(house.team.id).await, 5_000_000);
        house.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_says_first_what_will_happen_and_takes_the_number_as_the_last_word() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/{}", house.main.id, house.branch.id);
    // An account below it is open.
    owner.get(format!("{path}/close")).await.shows(&["cannot be closed yet", "Team Ehrenfeld"], &["Type "]);
    let team = house.team.id.to_string();
    let below = format!("/a/{}/subaccounts/{team}", house.main.id);
    owner
        .get(format!("{below}/close"))
        .await
        .shows(&["This will happen", "It can be reopened"], &["cannot be closed"]);
    let wrong = owner.post(format!("{below}/close"), &[("reason", "moved <b>"), ("number", "1")]).await;
    assert!(wrong.status == 422 && wrong.has("the number of this account"), "{}", wrong.body);
    assert!(wrong.has("moved &#60;b&#62;"));
    let closed = owner.post(format!("{below}/close"), &[("reason", "moved"), ("number", &team)]).await;
    assert_eq!(closed.status, 303);
    owner.get(&below).await.shows(&["closing", "Reopen it"], &["Let it send again"]);
    owner.get(format!("{path}/close")).await.shows(&["€10.00 are its own"], &["cannot be closed yet"]);
    assert_eq!(owner.post(format!("{below}/activate"), &[]).await.status, 303);
    owner.get(&below).await.shows(&["active"], &["Reopen it"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_get_credits_once_and_each_has_its_result() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/transfer", house.main.id);
    let (branch, team) = (house.branch.id.to_string(), house.team.id.to_string());
    let form = owner.get(format!("{path}?id={branch}&id={team}")).await;
    form.shows(
        &["2\u{a0}subaccounts, from Nordlicht, which holds €100.00", "Filiale Köln", "Team Ehrenfeld"],
        &[],
    );
    let once = form.once();
    let form = [("id", &*branch), ("id", &*team), ("amount", "60"), ("once", &*once)];
    // The second one is refused, and does not keep the first one from its credits.
    let result = ended(&owner, &path, &form).await;
    result.shows(
        &["1 of 2 got their credits.", "Filiale Köln", "Nordlicht holds €40.00 and cannot give €60.00."],
        &["It broke off"],
    );
    ended(&owner, &path, &form).await.shows(&["and not once more"], &[]);
    let other = [("id", &*branch), ("amount", "60"), ("once", &*once)];
    let other = owner.post(&path, &other).await;
    assert!(other.status == 422 && other.has("sent before with other words"), "{}", other.body);
    // It is found again from the page of the subaccounts, by those who may move credits.
    let list = format!("/a/{}/subaccounts", house.main.id);
    owner.get(&list).await.shows(&["It is over.", &format!("{path}/{once}")], &[]);
    let auditor = house.person(house.main.id, Role::Auditor).await;
    auditor.get(&list).await.shows(&["Filiale Köln"], &["It is over."]);
    assert_eq!(auditor.get(format!("{path}/{once}")).await.status, 403);
    assert_eq!(owner.get(format!("{list}/suspend/{once}")).await.status, 404, "it is of another kind");
    let below = house.person(house.branch.id, Role::Owner).await;
    let at_branch = format!("/a/{}/subaccounts/transfer/{once}", house.branch.id);
    assert_eq!(below.get(&at_branch).await.status, 404, "it is of another account");
    assert_eq!(house.balance(house.branch.id).await, 70_000_000);
    assert_eq!(house.balance(house.main.id).await, 40_000_000);
    let foreign = house.foreign.id.to_string();
    assert_eq!(owner.get(format!("{path}?id={foreign}")).await.status, 404);
    assert_eq!(owner.post(&path, &[("id", &*foreign), ("amount", "1")]).await.status, 404);
    assert_eq!(owner.get(&path).await.status, 409);
    house.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_suspended_with_one_reason() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/suspend", house.main.id);
    let (branch, team) = (house.branch.id.to_string(), house.team.id.to_string());
    let form = [("id", &*branch), ("id", &*team), ("reason", "")];
    let without = owner.post(&path, &form).await;
    assert!(without.status == 422 && without.has("Write why they are suspended"), "{}", without.body);
    let form = [("id", &*branch), ("id", &*team), ("reason", "unpaid"), ("once", "s")];
    ended(&owner, &path, &form).await.shows(&["2 of 2 are suspended."], &["Go on with it"]);
    let list = owner.get(format!("/a/{}/subaccounts?state=suspended&below=all", house.main.id)).await;
    list.shows(&["Filiale Köln", "Team Ehrenfeld"], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_told_line_by_line_before_it_becomes_accounts_once() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/import", house.main.id);
    owner.get(&path).await.shows(&["CSV file", "Sample file"], &[]);
    assert!(owner.get(format!("{path}/sample.csv")).await.has("email,owner,company"));
    let nothing = owner.upload(&path, "").await;
    assert!(nothing.status == 422 && nothing.has("Choose a file, or paste its lines."), "{}", nothing.body);
    let file = "email,owner,company,preset,credits\r\nnord@example.com,Ada Nord,<Nord>,branch,25.00\r\nno address,X,Y,,\r\n";
    let told = owner.upload(&path, file).await;
    told.shows(&["1\u{a0}account can be created", "&#60;Nord&#62;", "line 3", "with €25.00"], &["<Nord>"]);
    let list = format!("/a/{}/subaccounts", house.main.id);
    assert!(!owner.get(&list).await.has("Nord&#62;"), "nothing is done before the word");
    let token = told.value_of("token");
    let form = [("token", &*token), ("file", file)];
    for _ in 0..2 {
        let result = ended(&owner, &format!("{path}/run"), &form).await;
        result.shows(&["1 of 2 lines became accounts.", "&#60;Nord&#62;"], &[]);
    }
    assert_eq!(house.balance(house.main.id).await, 75_000_000);
    let other =
        owner.post(format!("{path}/run"), &[("token", &*token), ("file", "email,owner\na@b.de,A\n")]).await;
    assert!(other.status == 422 && other.has("not the one that was checked"), "{}", other.body);
    let auditor = house.person(house.main.id, Role::Auditor).await;
    for page in [path.clone(), format!("{path}/sample.csv"), format!("{path}/{token}")] {
        assert_eq!(auditor.get(&page).await.status, 403, "{page}");
    }
    house.sound().await;
}
