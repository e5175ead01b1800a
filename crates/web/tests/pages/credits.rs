//! `/a/{id}/credits` and what lies below it.

use domain::member::Role;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn credits_move_down_and_up_and_a_form_sent_twice_moves_them_once() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/credits/transfer", house.main.id);
    let once = owner.get(&path).await.once();
    let form =
        [("to", "köln"), ("way", "down"), ("amount", "25.50"), ("reference", "January"), ("once", &*once)];
    for _ in 0..2 {
        let answer = owner.post(&path, &form).await;
        assert_eq!((answer.status, answer.location), (303, format!("/a/{}/credits", house.main.id)));
    }
    assert_eq!(house.balance(house.main.id).await, 74_500_000);
    assert_eq!(house.balance(house.branch.id).await, 35_500_000);

    let below = house.person(house.branch.id, Role::Administrator).await;
    let path = format!("/a/{}/credits/transfer", house.branch.id);
    let once = below.get(&path).await.once();
    let answer = below.post(&path, &[("way", "up"), ("amount", "5"), ("once", &once)]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(house.balance(house.main.id).await, 79_500_000);

    let statement = owner.get(format!("/a/{}/credits", house.main.id)).await;
    statement.shows(&["−€25.50", "+€5.00", "January", "Filiale Köln", "€79.50"], &["CANARY"]);
    let moves = owner.get(format!("/a/{}/credits?kind=transfer&from=2026-01-06", house.main.id)).await;
    moves.shows(&["Nothing was booked then"], &["January"]);
    house.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_fails_comes_back_with_what_was_typed_and_why() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/credits/transfer", house.main.id);
    for (to, amount, why) in [
        ("Köln", "1000", "Nordlicht holds €100.00 and cannot give €1,000.00."),
        ("Köln", "12,5", "is not an amount"),
        ("Köln", "0", "Write more than nothing."),
        ("nobody", "1", "No subaccount has this number"),
        ("e", "1", "2 subaccounts fit."),
        ("", "1", "Write the name or the number"),
        (&house.foreign.id.to_string(), "1", "No subaccount has this number"),
    ] {
        let form = [("to", to), ("way", "down"), ("amount", amount), ("reference", "R&D"), ("once", "o")];
        let answer = owner.post(&path, &form).await;
        assert_eq!(answer.status, 422, "{to} {amount}");
        assert!(answer.has(why), "{why}: {}", answer.body);
        assert!(answer.has("value=\"R&#38;D\""), "{}", answer.body);
    }
    assert_eq!(house.balance(house.main.id).await, 100_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statement_is_a_file_as_well() {
    let house = House::new().await;
    let finance = house.person(house.main.id, Role::Finance).await;
    let file = finance.get(format!("/a/{}/credits/statement.csv", house.main.id)).await;
    assert_eq!((file.status, &*file.kind), (200, "text/csv; charset=utf-8"));
    assert!(file.has("grant,100.00,100.00"), "{}", file.body);
    // Who may read it need not be one who may move.
    assert!(!finance.get(format!("/a/{}/credits", house.main.id)).await.has("Move credits"));
    assert_eq!(finance.get(format!("/a/{}/credits/transfer", house.main.id)).await.status, 403);
    let analyst = house.person(house.main.id, Role::Analyst).await;
    for page in ["credits", "credits/statement.csv", "credits/transfer"] {
        assert_eq!(analyst.get(format!("/a/{}/{page}", house.main.id)).await.status, 403, "{page}");
    }
}
