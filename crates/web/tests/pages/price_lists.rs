//! `/a/{id}/prices/lists` and `/operator/prices/lists`, and what lies below them.

use std::time::Duration;

use domain::member::Role;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_made_filled_checked_applied_once_and_exported() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let root = format!("/a/{}/prices/lists", house.main.id);
    owner.get(format!("/a/{}/prices", house.main.id)).await.shows(&["prices/lists"], &[]);
    owner.get(&root).await.shows(&["No price list yet", "New price list"], &[]);
    let refused = owner.post(&root, &[("name", " ")]).await;
    assert_eq!(refused.status, 422);
    let made = owner.post(&root, &[("name", "<b>Agency")]).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let list = made.location.clone();
    owner
        .get(&list)
        .await
        .shows(&["&#60;b&#62;Agency", "Nobody pays by it yet", "No prices yet"], &["<b>Agency"]);
    let wrong = owner.post(&list, &[("country", "DE"), ("price", "x"), ("comment", "kept")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.has("value=\"x\"") && wrong.has("value=\"kept\""), "{}", wrong.body);
    let set = owner.post(&list, &[("country", "DE"), ("price", "0.09")]).await;
    assert_eq!((set.status, &set.location), (303, &list), "{}", set.body);
    owner.get(&list).await.shows(&["Germany", "€0.09", "all alike"], &[]);
    // What counts from this very moment stays as it is; a moment later there can be another version.
    house.gateway.clock.set(house.gateway.clock.now().after(Duration::from_secs(120)));
    // A file is told first, with all that is wrong by line and column.
    let import = format!("{list}/import");
    let wrong = owner.upload(&import, "country,price\nXX,1\n").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.has("line 2") && wrong.has("XX&#39; is not a country"), "{}", wrong.body);
    let told = owner.upload(&import, "country,network,price\nDE,,0.1\nDE,26201,0.08\n").await;
    assert_eq!(told.status, 200, "{}", told.body);
    told.shows(&["dearer", "added", "Nobody pays by this list", "Apply it"], &[]);
    owner.get(&list).await.shows(&["€0.09"], &["€0.10"]);
    let (file, token) = ("country,network,price\nDE,,0.1\nDE,26201,0.08\n", told.value_of("token"));
    let form = [("file", file), ("token", &*token)];
    for _ in 0..2 {
        let applied = owner.post(format!("{import}/apply"), &form).await;
        assert_eq!((applied.status, &applied.location), (303, &list), "{}", applied.body);
    }
    owner.get(&list).await.shows(&["€0.10", "1\u{a0}network", "26201"], &[]);
    let history = owner.get(format!("{list}/history")).await;
    history.shows(&["Germany, network 26201"], &[]);
    assert_eq!(history.body.matches("<th scope=\"row\">").count(), 3, "{}", history.body);
    let csv = owner.get(format!("{list}/prices.csv")).await;
    assert!(csv.body.contains("sms,DE,26201,0.08,"), "{}", csv.body);
    let csv = owner.get(format!("{list}/history.csv")).await;
    assert_eq!(csv.body.lines().count(), 4, "{}", csv.body);
    // Others see nothing of it, those below least of all.
    let child = house.person(house.branch.id, Role::Owner).await;
    assert_eq!(child.get(&list).await.status, 404);
    let number = list.rsplit('/').next().unwrap_or_default();
    for path in ["", "/history", "/prices.csv", "/history.csv", "/import"] {
        let below = format!("/a/{}/prices/lists/{number}{path}", house.branch.id);
        assert_eq!(child.get(below).await.status, 404, "{path}");
    }
    let renamed = owner.post(format!("{list}/rename"), &[("name", "Agencies")]).await;
    assert_eq!(renamed.status, 303);
    let removed = owner.post(format!("{list}/remove"), &[]).await;
    assert_eq!((removed.status, &removed.location), (303, &root));
    assert_eq!(owner.get(&list).await.status, 404);
    house.sound().await;
}
