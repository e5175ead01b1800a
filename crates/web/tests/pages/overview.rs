//! `/a/{id}`.

use domain::member::Role;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_what_is_for_it_and_nothing_else() {
    let house = House::new().await;
    let path = format!("/a/{}", house.main.id);
    let (money, traffic) = ("€100.00", "Sent, 30 days");
    let (tree, messages) = ("In all accounts", "Latest messages");
    #[rustfmt::skip]
    let roles: [(Role, &[&str], &[&str]); 6] = [
        (Role::Owner,     &[money, traffic, tree, messages, "about 1,000 SMS to Germany"], &[]),
        (Role::Auditor,   &[money, traffic, tree, messages], &["subaccounts/new"]),
        (Role::Finance,   &[money, traffic],                 &[tree, messages]),
        (Role::Messaging, &[messages],                       &[money, tree, "Balance", "SMS to Germany"]),
        (Role::Analyst,   &[traffic],                        &[money, tree, messages, "Balance"]),
        (Role::Developer, &["Overview"],                     &[money, tree, messages, traffic, "Balance"]),
    ];
    for (role, these, not_those) in roles {
        let browser = house.person(house.main.id, role).await;
        browser.get(&path).await.shows(these, not_those);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sums_are_of_the_whole_tree_or_of_this_account_and_it_is_said() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}", house.main.id);
    owner.get(&path).await.shows(&["€110.00", "Nordlicht and 2\u{a0}accounts below it"], &["CANARY"]);
    owner.get(format!("{path}?scope=own")).await.shows(&["Nordlicht alone"], &[]);
    // From above, the branch's messages take stepping in.
    let branch = owner.get(format!("/a/{}", house.branch.id)).await;
    branch.shows(&["€10.00", "You see this account from above"], &["Latest messages"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_account_is_not_there_and_nothing_reaches_up() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    assert_eq!(owner.get(format!("/a/{}", house.foreign.id)).await.status, 404);
    assert_eq!(owner.get("/a/1").await.status, 404);
    let below = house.person(house.branch.id, Role::Owner).await;
    assert_eq!(below.get(format!("/a/{}", house.main.id)).await.status, 404);
}
