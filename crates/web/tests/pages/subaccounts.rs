//! `/a/{id}/subaccounts` and what lies below it.

use domain::member::Role;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_searched_filtered_and_reaches_down() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts", house.main.id);
    owner
        .get(&path)
        .await
        .shows(&["Filiale Köln", "€10.00", "1\u{a0}account below"], &["Ehrenfeld", "CANARY"]);
    owner
        .get(format!("{path}?below=all"))
        .await
        .shows(&["Team Ehrenfeld", "below Filiale Köln"], &["CANARY"]);
    owner.get(format!("{path}?q=k%C3%B6ln")).await.shows(&["Filiale Köln"], &[]);
    owner.get(format!("{path}?q=nothing")).await.shows(&["No subaccount fits"], &["Filiale Köln"]);
    owner.get(format!("{path}?state=suspended")).await.shows(&["No subaccount fits"], &["Filiale Köln"]);
    owner.get(format!("{path}?sort=-balance")).await.shows(&["aria-sort=\"descending\""], &[]);
    // Columns are remembered, and one goes back only to a page of this console.
    let chosen =
        owner.post(format!("{path}/columns"), &[("column", "owner"), ("back", "//evil.example")]).await;
    assert_eq!((chosen.status, chosen.location), (303, path.clone()));
    let auditor = house.person(house.main.id, Role::Auditor).await;
    auditor.get(&path).await.shows(&["Filiale Köln"], &["subaccounts/new", "Hand out credits"]);
    let finance = house.person(house.main.id, Role::Finance).await;
    assert_eq!(finance.get(&path).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_created_once_with_its_credit_its_rule_and_its_invitation() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/new", house.main.id);
    let form = owner.get(format!("{path}?kind=branch")).await;
    form.shows(
        &["Same data, other people?", "Own data, own money, own invoice?", "value=\"branch\" checked"],
        &[],
    );
    let once = form.once();
    let form = [
        ("kind", "branch"),
        ("company", "Filiale Bonn"),
        ("owner", "Berta Bonn"),
        ("email", "bonn@example.com"),
        ("invite", "1"),
        ("credits", "20"),
        ("threshold", "5"),
        ("amount", "10"),
        ("day_max", "30"),
        ("once", &*once),
    ];
    let created = owner.post(&path, &form).await;
    assert_eq!(created.status, 303, "{}", created.body);
    let again = owner.post(&path, &form).await;
    assert_eq!((again.status, &again.location), (303, &created.location));
    assert_eq!(house.balance(house.main.id).await, 80_000_000);
    owner.get(&created.location).await.shows(&["Filiale Bonn", "€20.00", "Berta Bonn", "Branch"], &[]);
    owner.get(format!("{}/members", created.location)).await.shows(&["bonn@example.com", "invited"], &[]);
    owner
        .get(format!("{}/credits", created.location))
        .await
        .shows(&["below €5.00, €10.00 come from Nordlicht"], &[]);
    // A branch whose amounts are left empty gets what is usual, and a department nothing.
    for (kind, words) in [("branch", "below €20.00, €50.00 come from Nordlicht"), ("department", "Off.")]
    {
        let email = format!("{kind}@example.com");
        let form = [("kind", kind), ("owner", "B"), ("email", &*email), ("once", kind)];
        let created = owner.post(&path, &form).await;
        owner.get(format!("{}/credits", created.location)).await.shows(&[words], &[]);
    }
    house.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_fails_comes_back_with_what_was_typed_and_nothing_is_created() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/new", house.main.id);
    for (email, credits, amount, why) in [
        ("no address", "", "", "is not a valid e-mail address"),
        ("filiale-köln@example.com", "", "", "has this address already"),
        ("new@example.com", "1000", "", "Nordlicht holds €100.00 and cannot give €1,000.00"),
        ("new@example.com", "1", "7", "Write below which balance it comes."),
    ] {
        let form = [
            ("kind", "customer"),
            ("company", "<Neu & Söhne>"),
            ("owner", "N"),
            ("email", email),
            ("credits", credits),
            ("amount", amount),
            ("once", "o"),
        ];
        let answer = owner.post(&path, &form).await;
        assert_eq!(answer.status, 422, "{email}");
        assert!(answer.has(why), "{why}: {}", answer.body);
        assert!(answer.has("&#60;Neu &#38; Söhne&#62;") && !answer.has("<Neu"), "{}", answer.body);
    }
    assert_eq!(house.balance(house.main.id).await, 100_000_000);
    let list = owner.get(format!("/a/{}/subaccounts", house.main.id)).await;
    assert!(!list.has("Söhne"));
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_handed_out_and_taken_back_once() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/{}/credits", house.main.id, house.branch.id);
    let once = owner.get(&path).await.once();
    for _ in 0..2 {
        let form = [("out_amount", "40"), ("once", &*once)];
        assert_eq!(owner.post(format!("{path}/hand-out"), &form).await.status, 303);
    }
    assert_eq!(house.balance(house.branch.id).await, 50_000_000);
    let too_much = owner.post(format!("{path}/take-back"), &[("back_amount", "60"), ("once", "p")]).await;
    assert_eq!(too_much.status, 422);
    assert!(too_much.has("Filiale Köln holds €50.00 and cannot give €60.00."), "{}", too_much.body);
    let back = owner.post(format!("{path}/take-back"), &[("back_amount", "5"), ("once", "q")]).await;
    assert_eq!(back.status, 303);
    assert_eq!(house.balance(house.main.id).await, 65_000_000);
    let rule = [("threshold", "5"), ("amount", "10"), ("month_max", "3")];
    let refused = owner.post(format!("{path}/automatic"), &rule).await;
    assert!(refused.status == 422 && refused.has("less than comes at once"), "{}", refused.body);
    let rule = [("threshold", "5"), ("amount", "10"), ("month_max", "30")];
    assert_eq!(owner.post(format!("{path}/automatic"), &rule).await.status, 303);
    owner.get(&path).await.shows(&["at most €30.00 a month"], &[]);
    assert_eq!(owner.post(format!("{path}/automatic"), &[("off", "1")]).await.status, 303);
    owner.get(&path).await.shows(&["Off. When it is on"], &[]);
    house.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_suspended_with_a_reason_and_sends_again() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/{}", house.main.id, house.branch.id);
    let without = owner.post(format!("{path}/suspend"), &[("reason", " ")]).await;
    assert!(without.status == 422 && without.has("Write why it is suspended"), "{}", without.body);
    assert_eq!(owner.post(format!("{path}/suspend"), &[("reason", "unpaid <b>")]).await.status, 303);
    owner.get(&path).await.shows(&["unpaid &#60;b&#62;", "Let it send again"], &[]);
    // What is below it is suspended with it.
    let team = format!("/a/{}/subaccounts/{}", house.main.id, house.team.id);
    owner.get(&team).await.shows(&["suspended above"], &[]);
    assert_eq!(owner.post(format!("{path}/activate"), &[]).await.status, 303);
    owner.get(&path).await.shows(&["active"], &["unpaid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_elsewhere_are_not_there_whatever_page_is_asked_for() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let below = house.person(house.branch.id, Role::Owner).await;
    let pages = ["", "/credits", "/limits", "/prices", "/members", "/access"];
    let acts = [
        "/suspend",
        "/activate",
        "/credits/hand-out",
        "/credits/take-back",
        "/credits/automatic",
        "/limits",
        "/limits/1/remove",
    ];
    let (main, branch) = (house.main.id, house.branch.id);
    let foreign = format!("/a/{main}/subaccounts/{}", house.foreign.id);
    let itself = format!("/a/{main}/subaccounts/{main}");
    let up = format!("/a/{branch}/subaccounts/{main}");
    for page in pages {
        for (browser, base) in [(&owner, &foreign), (&owner, &itself), (&below, &up)] {
            let answer = browser.get(format!("{base}{page}")).await;
            assert_eq!(answer.status, 404, "{base}{page}");
            assert!(!answer.has("CANARY"), "{base}{page}");
        }
        let answer = owner.get(format!("/a/{main}/subaccounts/{branch}{page}")).await;
        assert_eq!(answer.status, 200, "{page}");
    }
    for act in acts {
        let form =
            [("reason", "r"), ("out_amount", "1"), ("back_amount", "1"), ("amount", "1"), ("threshold", "1")];
        for (browser, base) in [(&owner, &foreign), (&below, &up)] {
            assert_eq!(browser.post(format!("{base}{act}"), &form).await.status, 404, "{base}{act}");
        }
    }
    // One who only reads changes nothing.
    let auditor = house.person_who(main, Role::Auditor, true).await;
    for act in acts {
        let answer = auditor.post(format!("/a/{main}/subaccounts/{branch}{act}"), &[("reason", "r")]).await;
        assert_eq!(answer.status, 403, "{act}");
    }
    assert_eq!(house.balance(house.foreign.id).await, 50_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_tell_the_margin_to_those_above_alone() {
    let house = House::new().await;
    let list = "product,country,network,price\nsms,DE,,0.12\nsms,FR,,0.25\n";
    let operator = domain::actor::Actor::command_line();
    gateway::prices::import(&house.gateway, list.as_bytes(), "agency", false, &operator).await.unwrap();
    gateway::prices::assign(&house.gateway, house.branch.id, Some("agency"), false, &operator).await.unwrap();
    let owner = house.person(house.main.id, Role::Owner).await;
    let prices = owner.get(format!("/a/{}/subaccounts/{}/prices", house.main.id, house.branch.id)).await;
    prices.shows(&["agency", "€0.12", "Nordlicht pays", "€0.10", "+€0.02", "16.7%"], &[]);
    let below = house.person(house.branch.id, Role::Owner).await;
    let prices = below.get(format!("/a/{}/subaccounts/{}/prices", house.branch.id, house.team.id)).await;
    prices.shows(&["it pays what Filiale Köln pays", "€0.12"], &["€0.10", "Nordlicht pays", "+€0.02"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_set_from_above_seen_from_below_and_taken_away() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let below = house.person(house.branch.id, Role::Owner).await;
    let from_above = format!("/a/{}/subaccounts/{}/limits", house.main.id, house.branch.id);
    let own = format!("/a/{}/limits", house.branch.id);
    owner.get(&from_above).await.shows(&["No limits", "Set a limit"], &[]);
    let wrong = [("kind", "spend_per_day"), ("most", "much"), ("country", "Germany"), ("label", "a b")];
    let answer = owner.post(&from_above, &wrong).await;
    assert_eq!(answer.status, 422);
    for words in ["is no amount", "is not a country", "value=\"much\""] {
        assert!(answer.has(words), "{words}: {}", answer.body);
    }
    let right = [("kind", "spend_per_day"), ("most", "12.50"), ("country", "de"), ("label", "autumn")];
    assert_eq!(owner.post(&from_above, &right).await.status, 303);
    let countries = [("kind", "countries"), ("countries", "de, AT\nch")];
    assert_eq!(owner.post(&from_above, &countries).await.status, 303);
    let seen = ["Spending a day to Germany with label autumn", "€12.50", "Nordlicht", "Switzerland"];
    owner.get(&from_above).await.shows(&seen, &["No limits"]);
    // Below they are seen and cannot be taken away; one of one's own can be added.
    let page = below.get(&own).await;
    page.shows(&seen, &["Take away"]);
    assert_eq!(below.post(&own, &[("kind", "messages_per_hour"), ("most", "100")]).await.status, 303);
    below.get(&own).await.shows(&["Messages an hour", "Take away"], &[]);
    let page = owner.get(&from_above).await;
    let remove = page.body.split("action=\"").find(|part| part.contains("/remove\"")).unwrap();
    let remove = remove.split('"').next().unwrap();
    let id = remove.split('/').rev().nth(1).unwrap();
    let answer = below.post(format!("{own}/{id}/remove"), &[]).await;
    assert!(answer.status == 422 && answer.has("its administrators, or those above it"), "{}", answer.body);
    assert_eq!(owner.post(remove, &[]).await.status, 303);
    // Again changes nothing.
    assert_eq!(owner.post(remove, &[]).await.status, 303);
    // One who only reads sees them and has no form.
    let auditor = house.person(house.branch.id, Role::Auditor).await;
    auditor.get(&own).await.shows(&["Messages an hour"], &["Set a limit", "Take away"]);
    assert_eq!(auditor.post(&own, &[("kind", "messages_per_hour"), ("most", "1")]).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_set_from_above_by_a_markup_by_a_list_or_not_at_all() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/subaccounts/{}/prices", house.main.id, house.branch.id);
    owner.get(&path).await.shows(&["it pays what Nordlicht pays", "Change its prices", "€0.10"], &["CANARY"]);
    let form =
        |percent, from| [("which", "markup"), ("percent", percent), ("name", "Agencies"), ("from", from)];
    for (percent, from, why) in [
        ("much", "", "not a percentage"),
        ("2000", "", "use -100 to 1000"),
        ("10", "2020-01-01", "has begun already"),
        ("-10", "", "would sell sms to DE for 0.09"),
    ] {
        let refused = owner.post(&path, &form(percent, from)).await;
        assert!(refused.status == 422 && refused.has(why), "{why}: {}", refused.body);
    }
    assert_eq!(owner.post(&path, &form("20", "")).await.status, 303);
    owner.get(&path).await.shows(&["pays by your price list “Agencies”", "€0.12", "+€0.02"], &[]);
    assert_eq!(owner.post(&path, &form("30", "2026-02-01")).await.status, 303);
    owner.get(&path).await.shows(&["€0.12", "€0.13", "from", "2026-02-01"], &[]);
    // The same list for another account.
    let team = format!("/a/{}/subaccounts/{}/prices", house.main.id, house.team.id);
    let page = owner.get(&team).await;
    page.shows(&["it pays what Filiale Köln pays", "Agencies, used by 1\u{a0}account"], &[]);
    let (_, rest) = page.body.split_once("<option value=\"").unwrap();
    let list = rest.split('"').next().unwrap().to_owned();
    assert_eq!(owner.post(&team, &[("which", "list"), ("list", &list)]).await.status, 303);
    let stranger = house.person(house.foreign.id, Role::Owner).await;
    let theirs = format!("/a/{}/subaccounts/{}/prices", house.foreign.id, house.branch.id);
    assert_eq!(stranger.post(&theirs, &[("which", "list"), ("list", &list)]).await.status, 404);
    // Who only reads sees no form, and sets nothing.
    let auditor = house.person_who(house.main.id, Role::Auditor, true).await;
    auditor.get(&path).await.shows(&["Agencies"], &["Change its prices"]);
    assert_eq!(auditor.post(&path, &[("which", "inherit")]).await.status, 403);
    assert_eq!(owner.post(&path, &[("which", "inherit")]).await.status, 303);
    owner.get(&path).await.shows(&["it pays what Nordlicht pays"], &["€0.13"]);
    let csv = owner.get(format!("{team}/prices.csv")).await;
    assert!(
        csv.has("effective_from,price,cost\r\n") && csv.has("DE,Germany,,,,0.12,0.10\r\n"),
        "{}",
        csv.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_reads_what_it_pays_and_not_what_is_paid_above() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let set = format!("/a/{}/subaccounts/{}/prices", house.main.id, house.branch.id);
    let form = [("which", "markup"), ("percent", "25"), ("name", "CANARY-LIST")];
    assert_eq!(owner.post(&set, &form).await.status, 303);
    let below = house.person(house.branch.id, Role::Finance).await;
    let path = format!("/a/{}/prices", house.branch.id);
    below.get(&path).await.shows(&["You pay", "€0.125", "Germany", "France"], &["CANARY", "€0.10", "Margin"]);
    below.get(format!("{path}?q=fra")).await.shows(&["France", "€0.25"], &["Germany</th>"]);
    below.get(format!("{path}?q=Atlantis")).await.shows(&["No country fits"], &["Germany</th>"]);
    let csv = below.get(format!("{path}/prices.csv?q=germany")).await;
    assert_eq!(csv.status, 200);
    assert!(csv.has("DE,Germany,,,,0.125\r\n") && !csv.has("France") && !csv.has("0.10"), "{}", csv.body);
    let analyst = house.person(house.branch.id, Role::Analyst).await;
    assert_eq!(analyst.get(&path).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_wallet_is_seen_from_both_sides_and_nothing_of_what_is_above() {
    let house = House::new().await;
    let (main, branch) = (&house.main, &house.branch);
    let sharing =
        gateway::funding::Sharing { from: None, until: None, cap: domain::credits::Credits(7_310_000) };
    let actor = domain::actor::Actor::command_line();
    gateway::funding::share_wallet(&house.gateway, branch.id, main.id, sharing, &actor).await.unwrap();
    let above = house.person(main.id, Role::Owner).await;
    let page = above.get(format!("/a/{}/subaccounts/{}/credits", main.id, branch.id)).await;
    page.shows(&["From the wallet of", "7.31"], &[]);
    let own = house.person(branch.id, Role::Owner).await;
    let page = own.get(format!("/a/{}/credits", branch.id)).await;
    page.shows(&["From the wallet above", "7.31"], &[]);
}
