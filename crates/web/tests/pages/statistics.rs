//! `/a/{id}/statistics`.

use std::collections::HashMap;
use std::sync::Arc;

use domain::account::Account;
use domain::actor::Actor;
use domain::member::{Access, Role};
use gateway::accept::SendRequest;
use gateway::settings::{self, Change};

use crate::house::{Answer, Browser, House};

async fn sent(house: &House, account: &Account, label: &str, to: &str, count: usize) {
    for n in 0..count {
        let request = SendRequest {
            recipients: vec![to.to_owned()],
            text: format!("No. {n}"),
            label: domain::label::Label::parse(label).ok(),
            actor: "test".to_owned(),
            ..SendRequest::default()
        };
        house.gateway.send(&Arc::new(account.clone()), request).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_those_of_the_books_and_say_whose_they_are() {
    let house = House::new().await;
    sent(&house, &house.main, "termin", "+4915123456789", 3).await;
    sent(&house, &house.branch, "werbung", "+33612345678", 2).await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/statistics", house.main.id);
    // 3 at 0.10 and 2 at 0.20: what the books took.
    let spent = 110_000_000 - house.balance(house.main.id).await - house.balance(house.branch.id).await;
    assert_eq!(spent, 700_000);
    owner.get(&path).await.shows(
        &[
            "Nordlicht and all accounts below it",
            "€0.70",
            "Days are those of Europe/Berlin",
            "7 Dec 2025 to 5 Jan 2026",
        ],
        &["CANARY"],
    );
    owner.get(format!("{path}?scope=own")).await.shows(
        &[
            "Nordlicht alone, without the accounts below it",
            "€0.30",
            "messages?from=2026-01-05&#38;to=2026-01-05",
        ],
        &["€0.70"],
    );
    owner
        .get(format!("{path}?scope={}&by=label", house.branch.id))
        .await
        .shows(&["Filiale Köln", "alone, below Nordlicht", "€0.40", "werbung"], &["€0.70", ">termin<"]);
    owner
        .get(format!("{path}?by=subaccount&part=country&measure=cost"))
        .await
        .shows(&["Filiale Köln", "France", "Germany", "€0.40", "Cost, all"], &["CANARY"]);
    owner
        .get(format!("{path}?compare=before&range=last-month"))
        .await
        .shows(&["compared with 1 Nov 2025 to 30 Nov 2025", "Nothing was sent in these dates"], &[]);
    for scope in [house.foreign.id.to_string(), "1".to_owned()] {
        assert_eq!(owner.get(format!("{path}?scope={scope}")).await.status, 404);
    }
    // Nothing reaches up, and roles without money see none.
    let below = house.person(house.branch.id, Role::Owner).await;
    assert_eq!(below.get(&path).await.status, 404);
    assert_eq!(
        below.get(format!("/a/{}/statistics?scope={}", house.branch.id, house.main.id)).await.status,
        404
    );
    let analyst = house.person(house.main.id, Role::Analyst).await;
    analyst.get(format!("{path}?measure=cost")).await.shows(&["Messages by day", ">3<"], &["€", "Filiale"]);
    for role in [Role::Messaging, Role::Developer] {
        assert_eq!(house.person(house.main.id, role).await.get(&path).await.status, 403, "{role:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_comes_as_files_without_what_one_may_not_see() {
    let house = House::new().await;
    sent(&house, &house.main, "termin", "+4915123456789", 3).await;
    sent(&house, &house.branch, "werbung", "+33612345678", 2).await;
    let path = format!("/a/{}/statistics", house.main.id);
    let owner = house.person(house.main.id, Role::Owner).await;
    let file = owner.get(format!("{path}/table.csv?by=label")).await;
    assert!(file.kind.starts_with("text/csv"), "{file:?}");
    assert!(file.has("termin,3,3,") && file.has("total,5,5,") && file.has(",0.70,"), "{file:?}");
    let own = owner.get(format!("{path}/table.csv?by=label&scope=own")).await;
    assert!(own.has("total,3,3,") && !own.has("werbung"), "{own:?}");
    let analyst = house.person(house.main.id, Role::Analyst).await;
    let file = analyst.get(format!("{path}/table.csv?by=label")).await;
    assert!(file.has("termin,3,3,") && !file.has("cost") && !file.has("0.3"), "{file:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_subaccount_and_all_below_it_are_counted_together() {
    let house = House::new().await;
    let (main, branch, team) = (&house.main, &house.branch, &house.team);
    let owner = house.person(main.id, Role::Owner).await;
    let hand_out = format!("/a/{}/subaccounts/{}/credits/hand-out", main.id, team.id);
    assert_eq!(owner.post(&hand_out, &[("out_amount", "5"), ("once", "h")]).await.status, 303);
    sent(&house, main, "termin", "+4915123456789", 3).await;
    sent(&house, branch, "werbung", "+33612345678", 2).await;
    sent(&house, team, "team", "+4915123456788", 1).await;
    let path = format!("/a/{}/statistics", main.id);
    // 2 at 0.20 and 1 at 0.10, as the books took it of the two.
    let spent = 15_000_000 - house.balance(branch.id).await - house.balance(team.id).await;
    assert_eq!(spent, 500_000);
    let scope = format!("scope=tree-{}", branch.id);
    owner.get(format!("{path}?{scope}")).await.shows(
        &[
            "Filiale Köln",
            "and all accounts below it, below Nordlicht",
            "€0.50",
            "Only Filiale Köln and all below",
        ],
        &["€0.80", "€0.40"],
    );
    let by_account = owner.get(format!("{path}?{scope}&by=subaccount")).await;
    by_account.shows(&["Filiale Köln", "Team Ehrenfeld", "€0.40", "€0.10"], &["€0.30"]);
    let csv = owner.get(format!("{path}/table.csv?{scope}&by=label")).await;
    assert!(csv.has("werbung,2,2,") && csv.has("team,1,1,") && csv.has(",0.50,"), "{csv:?}");
    assert!(csv.has("total,3,3,") && !csv.has("termin"), "{csv:?}");
    assert_eq!(owner.get(format!("{path}?{scope}&range=7d")).await.status, 200);
    for elsewhere in ["tree-x".to_owned(), format!("tree-{}", house.foreign.id)] {
        assert_eq!(owner.get(format!("{path}?scope={elsewhere}")).await.status, 404, "{elsewhere}");
    }
}

/// Every link of a page into a journal, with what stands in it.
fn figures(page: &Answer) -> Vec<(String, String)> {
    let mut figures = Vec::new();
    for link in page.body.split("<a ").skip(1) {
        let Some((attributes, rest)) = link.split_once('>') else { continue };
        let Some((_, href)) = attributes.split_once("href=\"") else { continue };
        let href = href.split('"').next().unwrap_or_default().replace("&#38;", "&");
        if href.contains("/messages?") {
            figures.push((href, rest.split("</a>").next().unwrap_or_default().to_owned()));
        }
    }
    figures
}

/// How many messages the journal at an address has.
async fn behind(browser: &Browser<'_>, href: &str) -> usize {
    let page = browser.get(href).await;
    assert_eq!(page.status, 200, "{href}: {page:?}");
    let file = browser.get(href.replace("/messages?", "/messages/export.csv?")).await;
    let count = file.body.lines().count() - 1;
    assert_eq!(page.rows().len(), count, "{href}");
    count
}

/// Follows every link of a page into the journal: what stands in a link is how many messages are behind
/// it. Gives how many numbers there were. `known` is what was found at addresses before.
async fn followed(browser: &Browser<'_>, path: &str, known: &mut HashMap<String, usize>) -> usize {
    let page = browser.get(path).await;
    assert_eq!(page.status, 200, "{path}");
    let mut numbers = 0;
    for (href, shown) in figures(&page) {
        let count = match known.get(&href) {
            Some(count) => *count,
            None => behind(browser, &href).await,
        };
        known.insert(href.clone(), count);
        if let Ok(number) = shown.parse::<usize>() {
            assert_eq!(number, count, "{path}: {href}");
            numbers += 1;
        }
    }
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_opens_the_messages_behind_it() {
    let house = House::new().await;
    let (main, branch) = (&house.main, &house.branch);
    sent(&house, main, "termin", "+4915123456789", 3).await;
    sent(&house, main, "werbung", "+33612345678", 2).await;
    sent(&house, branch, "werbung", "+4915123456780", 4).await;
    // Simulated: this number is never reached.
    sent(&house, main, "termin", "+4915100099901", 1).await;
    house.settled().await;
    let owner = house.person(main.id, Role::Owner).await;
    let path = format!("/a/{}/statistics", main.id);
    let overview = format!("/a/{}", main.id);
    let check = async |zone: &str| {
        let mut known = HashMap::new();
        let change = Change { time_zone: Some(Some(zone.to_owned())), ..Change::default() };
        settings::change(&house.gateway, main.id, &change, &Actor::command_line()).await.unwrap();
        for scope in ["", "own", &branch.id.to_string(), &format!("tree-{}", branch.id)] {
            for by in ["day", "week", "month", "country", "label", "sender", "subaccount"] {
                for part in ["", "label", "country"] {
                    if by == part {
                        continue;
                    }
                    let page = format!("{path}?range=7d&scope={scope}&by={by}&part={part}");
                    let numbers = followed(&owner, &page, &mut known).await;
                    assert!(numbers > 2, "{zone} {scope} {by} {part}: {numbers}");
                }
            }
            let narrow = format!("{path}?range=7d&scope={scope}&label=werbung&country=FR");
            followed(&owner, &narrow, &mut known).await;
        }
        for scope in ["", "?scope=own"] {
            followed(&owner, &format!("{overview}{scope}"), &mut known).await;
        }
        followed(&owner, &format!("{overview}/subaccounts/{}", branch.id), &mut known).await;
    };
    check("Europe/Berlin").await;
    // The dates of the statistics are the installation's, those of the journal the account's.
    check("Asia/Tokyo").await;
    // Where accounts are left out of the journal, sums of all lead to the accounts and not to a part.
    let _ask = house.person(branch.id, Role::Owner).await;
    let change = Change { access: Some(Access::Ask), ..Change::default() };
    settings::change(&house.gateway, branch.id, &change, &Actor::command_line()).await.unwrap();
    let tree = owner.get(format!("{path}?by=day")).await;
    assert!(figures(&tree).iter().all(|(href, _)| !href.contains("scope=all")), "{:?}", figures(&tree));
    assert!(tree.has("by=subaccount"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bars_of_the_overview_open_the_day() {
    let house = House::new().await;
    sent(&house, &house.main, "termin", "+4915123456789", 3).await;
    sent(&house, &house.branch, "werbung", "+4915123456780", 4).await;
    let owner = house.person(house.main.id, Role::Owner).await;
    for (scope, count) in [("", 7), ("?scope=own", 3)] {
        let page = owner.get(format!("/a/{}{scope}", house.main.id)).await;
        let links = figures(&page);
        let day = links.iter().find(|(href, _)| href.contains("from=2026-01-05&to=2026-01-05"));
        assert_eq!(behind(&owner, &day.unwrap().0).await, count, "{links:?}");
        let empty = links.iter().find(|(href, _)| href.contains("from=2026-01-04&to=2026-01-04"));
        assert_eq!(behind(&owner, &empty.unwrap().0).await, 0);
    }
}
