//! `/a/{id}/subaccounts`: closing, several at once, and accounts from a file.

use std::time::Duration;

use domain::member::Role;

use crate::house::House;

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
    owner
        .post(&path, &form)
        .await
        .shows(&["1 of 2 got their credits.", "Nordlicht holds €40.00 and cannot give €60.00."], &[]);
    owner.post(&path, &form).await.shows(&["and not once more"], &[]);
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
    owner.post(&path, &form).await.shows(&["2 of 2 are suspended."], &[]);
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
        let begun = owner.post(format!("{path}/run"), &form).await;
        assert_eq!(begun.status, 303, "{}", begun.body);
        let result = loop {
            let page = owner.get(&begun.location).await;
            if page.status != 200 || page.has("lines became accounts") {
                break page;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
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
