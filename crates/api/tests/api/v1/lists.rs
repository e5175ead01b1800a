//! Lists: their parts, and cursors that are used elsewhere or changed.

use std::collections::BTreeSet;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_in_parts_to_its_end() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |_| {}).await;
    for amount in 1..=7 {
        let body = serde_json::json!({ "to": child.id.0, "amount": amount.to_string() });
        assert_eq!(house.posted(&key, "/v1/transfers", &body).await.status, 201);
    }
    let mut target = "/v1/transfers?limit=3".to_owned();
    let (mut amounts, mut parts) = (Vec::new(), 0);
    loop {
        let part = house.got(&key, &target).await;
        let items = part["items"].as_array().unwrap();
        amounts.extend(items.iter().map(|t| t["amount"].as_str().unwrap().to_owned()));
        parts += 1;
        match part["next_cursor"].as_str() {
            None => break,
            Some(cursor) => target = format!("/v1/transfers?limit=3&cursor={cursor}"),
        }
    }
    assert_eq!((parts, amounts.len()), (3, 7));
    assert_eq!(amounts.iter().collect::<BTreeSet<_>>().len(), 7);
    assert_eq!(amounts[0], "7.00");
    for (limit, fits) in
        [("1", true), ("500", true), ("0", false), ("501", false), ("-1", false), ("x", false), ("", false)]
    {
        let answer = house.v1(&key, "GET", format!("/v1/transfers?limit={limit}")).send().await;
        match fits {
            true => assert_eq!(answer.status, 200),
            false => drop(answer.wrong_field("limit")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_of_its_list_and_its_account_alone() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 0).await;
    let other = house.account("Other", Some(house.main.id), 0).await;
    let key = house.key(house.main.id, |new| new.subaccount_access = true).await;
    for to in [&child, &other, &child] {
        let body = serde_json::json!({ "to": to.id.0, "amount": "1" });
        assert_eq!(house.posted(&key, "/v1/transfers", &body).await.status, 201);
    }
    let cursor = house.got(&key, "/v1/transfers?limit=1").await["next_cursor"].as_str().unwrap().to_owned();
    let get = |target: String| house.v1(&key, "GET", target);
    assert_eq!(get(format!("/v1/transfers?cursor={cursor}&limit=2")).send().await.status, 200);
    let mut changed = cursor.clone().into_bytes();
    let last = changed.len() - 1;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let longer = format!("{cursor}AA");
    for wrong in [&changed, &longer, "x", "", "%00", &cursor[1..], &"A".repeat(4000)] {
        get(format!("/v1/transfers?cursor={wrong}")).send().await.wrong_field("cursor");
    }
    get(format!("/v1/transfers?direction=out&cursor={cursor}")).send().await.wrong_field("cursor");
    get(format!("/v1/keys?cursor={cursor}")).send().await.wrong_field("cursor");
    let id = child.id.to_string();
    get(format!("/v1/transfers?cursor={cursor}"))
        .header("X-Account-Id", &id)
        .send()
        .await
        .wrong_field("cursor");
    get("/v1/transfers?directon=out".to_owned()).send().await.wrong_field("directon");
    get("/v1/transfers?direction=up".to_owned()).send().await.wrong_field("direction");
}
