//! `/a/{id}/send`.

use domain::member::Role;

use crate::house::{Answer, Browser, House};

const TEXT: &str = "Ihr Termin ist morgen um 9:30 Uhr.";
const TO: &str = "+49 151 2345 6789, 0151 23456780\n+33 6 12 34 56 78\nnobody\n015123456789";

/// The unseen part of the form that says what was seen.
fn seen(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"seen\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Checks what would become of it, and sends that.
async fn sent(browser: &Browser<'_>, path: &str, form: &[(&str, &str)]) -> Answer {
    let with = |more: &[(&'static str, &'static str)]| [form, more].concat();
    let checked = browser.post(path, &with(&[("act", "check")])).await;
    let (once, seen) = (checked.once(), seen(&checked));
    let mut form: Vec<(&str, &str)> = form.to_vec();
    form.extend([("act", "send"), ("once", &once), ("seen", &seen)]);
    browser.post(path, &form).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_costs_is_told_before_it_is_sent_to_those_who_may_know() {
    let house = House::new().await;
    let path = format!("/a/{}/send", house.main.id);
    let form = [("recipients", TO), ("text", TEXT), ("act", "check")];
    let owner = house.person(house.main.id, Role::Owner).await;
    let checked = owner.post(&path, &form).await;
    // Two to Germany at 0.10 and one to France at 0.20.
    checked.shows(
        &[
            "3\u{a0}recipients",
            "Germany",
            "€0.40",
            "€100.00",
            "€99.60",
            "The credit covers it.",
            "Send 3\u{a0}messages for €0.40",
            "nobody",
            "Line 3.",
            "1\u{a0}number stands",
            TEXT,
        ],
        &["CANARY"],
    );
    let messaging = house.person(house.main.id, Role::Messaging).await;
    messaging
        .post(&path, &form)
        .await
        .shows(&["3\u{a0}recipients", "The credit covers it.", "Send 3\u{a0}messages<"], &["€", "Germany"]);
    // Nothing was sent by looking.
    assert_eq!(house.balance(house.main.id).await, 100_000_000);
    for role in [Role::Analyst, Role::Finance, Role::Developer, Role::Auditor] {
        let other = house.person(house.main.id, role).await;
        assert_eq!(other.get(&path).await.status, 403, "{role:?}");
        assert_eq!(other.post(&path, &form).await.status, 403, "{role:?}");
    }
    assert_eq!(owner.get(format!("/a/{}/send", house.foreign.id)).await.status, 404);
    // From above one steps in first.
    let below = owner.get(format!("/a/{}/send", house.branch.id)).await;
    assert_eq!((below.status, below.location.contains("step-in")), (303, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_sent_once_however_often_the_form_comes() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/send", house.main.id);
    let form = [("recipients", TO), ("text", TEXT), ("label", "termin"), ("sender", "Praxis")];
    let checked = owner.post(&path, &[&form[..], &[("act", "check")]].concat()).await;
    let (once, seen) = (checked.once(), seen(&checked));
    let whole = [&form[..], &[("act", "send"), ("once", &once), ("seen", &seen)]].concat();
    let (first, second) = tokio::join!(owner.post(&path, &whole), owner.post(&path, &whole));
    assert_eq!((first.status, second.status), (303, 303), "{first:?}");
    assert_eq!(first.location, second.location);
    let third = owner.post(&path, &whole).await;
    assert_eq!(third.location, first.location);
    assert_eq!(house.balance(house.main.id).await, 99_600_000);
    let result = owner.get(&first.location).await;
    result.shows(
        &["3\u{a0}messages from Praxis", "+49\u{a0}151", "+33\u{a0}612", "€0.40", "nobody", "/messages/"],
        &[],
    );
    // What somebody has sent is for their eyes.
    let other = house.person(house.main.id, Role::Administrator).await;
    assert_eq!(other.get(&first.location).await.status, 404);
    let elsewhere = first.location.replace(&house.main.id.to_string(), &house.foreign.id.to_string());
    assert_eq!(owner.get(elsewhere).await.status, 404);
    // The same form with other words, as after going back, is another message.
    let other = [&[("recipients", "+4915123456789"), ("text", "Another")][..], &[("act", "check")]].concat();
    let seen = self::seen(&owner.post(&path, &other).await);
    let again = [
        ("recipients", "+4915123456789"),
        ("text", "Another"),
        ("act", "send"),
        ("once", &once),
        ("seen", &seen),
    ];
    assert_eq!(owner.post(&path, &again).await.status, 303);
    assert_eq!(house.balance(house.main.id).await, 99_500_000);
    house.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_wrong_comes_back_with_what_was_typed() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/send", house.main.id);
    #[rustfmt::skip]
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[("text", "Hi")],                                                        "Write at least one number."),
        (&[("recipients", "x1"), ("text", "Hi")],                                  "None of this is a number"),
        (&[("recipients", "+4915123456789")],                                      "Write what the message says."),
        (&[("recipients", "+4915123456789"), ("text", "Hi"), ("sender", "Ärzte")], "has the character"),
        (&[("recipients", "+4915123456789"), ("text", "Hi"), ("label", "a b")],    "The label has the character"),
        (&[("recipients", "+4915123456789"), ("text", "Hi"), ("at", "2020-01-01T00:00")], "This is over."),
        (&[("recipients", "+4915123456789"), ("text", "<b>Hi"), ("class", "x")],   "Choose one of the list."),
    ];
    for (form, why) in cases {
        for act in ["check", "send"] {
            let answer = owner.post(&path, &[form, &[("act", act)]].concat()).await;
            assert_eq!(answer.status, 422, "{form:?}");
            assert!(answer.has(why), "{why} is missing in {}", answer.body);
            for (_, typed) in form.iter().filter(|(name, _)| *name != "class") {
                let typed = typed.replace('<', "&#60;").replace('>', "&#62;");
                assert!(answer.has(&typed), "{typed} is missing in {}", answer.body);
            }
        }
    }
    // What was not seen is not sent.
    let unseen = [("recipients", "+4915123456789"), ("text", "Hi"), ("act", "send"), ("seen", "9-9-9")];
    let answer = owner.post(&path, &unseen).await;
    assert!(answer.status == 422 && answer.has("has changed since it was shown"), "{answer:?}");
    assert_eq!(house.balance(house.main.id).await, 100_000_000);
    // What cannot be paid for is said beforehand, and refused.
    let team = house.person(house.team.id, Role::Owner).await;
    let form = [("recipients", "+4915123456789"), ("text", "Hi")];
    let answer = sent(&team, &format!("/a/{}/send", house.team.id), &form).await;
    assert!(answer.status == 422 && answer.has("€0.10 are missing."), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dear_character_is_marked_and_can_be_made_plain() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/send", house.main.id);
    let text = format!("„{}“\r\nGruß", "a".repeat(80));
    let form = [("recipients", "+4915123456789"), ("text", &text)];
    let checked = owner.post(&path, &[&form[..], &[("act", "check")]].concat()).await;
    checked.shows(
        &["<mark>„</mark>", "Unicode (UCS-2)", "2\u{a0}segments", "Use plain letters: 1\u{a0}segment"],
        &[],
    );
    // Live, the same parts come alone.
    let live = owner.post(format!("{path}/preview"), &form).await;
    live.shows(&["<mark>„</mark>", "id=\"meter\"", "id=\"look\"", "id=\"acts\""], &["<aside"]);
    let plain = owner.post(&path, &[&form[..], &[("act", "plain")]].concat()).await;
    plain.shows(&["1\u{a0}segment", "plain letters (GSM-7)"], &["<mark>"]);
    // A line ends with one character on the air: 80 + 2 quotes, the end of the line, and 4.
    plain.shows(&["87\u{a0}characters"], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn later_is_later_and_can_be_seen_as_such() {
    let house = House::new().await;
    let owner = house.person(house.main.id, Role::Owner).await;
    let path = format!("/a/{}/send", house.main.id);
    let form = [("recipients", "+4915123456789"), ("text", "Hi"), ("at", "2026-01-06T09:00")];
    let answer = sent(&owner, &path, &form).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    owner.get(&answer.location).await.shows(&["will go out 6 Jan, 09:00", "scheduled"], &["data-again"]);
}
