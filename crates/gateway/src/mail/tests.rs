//! What mails say, in every language and with the worst of names.

use std::collections::BTreeMap;

use domain::credits::Credits;
use domain::id::AccountId;
use domain::label::Label;
use domain::limit::Measure;
use domain::member::Role;
use domain::moment::Moment;
use domain::phone_number::Country;
use jiff::tz::TimeZone;
use storage::mails::SECRET;

use super::message::{Account, Doing, Factor, Message, Side, Why};
use super::words::{Words, language, languages};

const AT: Moment = Moment(1_780_000_000_000_000);
/// A folder to write all mails to, so that they can be looked at.
const FOLDER: &str = "BRANCHLINE_TEST_MAILS";

/// Every kind in every variant, with this name in every place that people fill.
fn every(name: &str) -> Vec<(String, Message<'_>)> {
    let account = Account { id: AccountId(1_900_002), name };
    let above = Account { id: AccountId(1_900_001), name };
    let doing = Doing { at: AT, address: "2001:db8::7", browser: name };
    let (secret, reason, visitor) = ("Zm9vYmFyYmF6", name, name);
    let mut all: Vec<Message<'_>> = vec![
        Message::Welcome { account, role: Role::Owner },
        Message::PasswordReset { secret, doing, expires_at: AT },
        Message::AddressChange { secret, new: "new@example.com", expires_at: AT },
        Message::AddressChanged { new: "new@example.com", doing },
        Message::NewSignIn { doing },
        Message::PasswordChanged { doing },
        Message::SessionsEnded { doing },
        Message::ProviderLinked { provider: name, doing },
        Message::ProviderUnlinked { provider: name, doing },
        Message::VisitBegan { account, visitor, above: name, reason: "", until: AT },
        Message::AccessAsked { account, visitor, above: name, reason },
        Message::AccessAnswered { account, by: name, granted_until: Some(AT) },
        Message::AccessAnswered { account, by: name, granted_until: None },
        Message::GlassBroken { account, visitor, above: name, reason, until: AT },
        Message::OwnershipOffered { account, by: name, expires_at: AT },
        Message::OwnershipChanged { account, from: name, to: name },
        Message::AccountSuspended { account, by: name, reason },
        Message::AccountClosing { account, by: name, reason, closes_at: AT },
    ];
    let invitation = |role| Message::Invitation { account, inviter: name, role, secret, expires_at: AT };
    all.extend(Role::ALL.map(invitation));
    all.extend(Factor::ALL.map(|factor| Message::SecondFactorChanged { factor, doing }));
    for (why, side) in [(Why::NotCovered, Side::Below), (Why::Ceiling, Side::Above)] {
        let amount = Credits(25_000_000);
        all.push(Message::AutomaticTransferFailed { account, above, amount, why, side });
    }
    for side in [Side::Below, Side::Above] {
        all.push(Message::SharedWalletEmpty { account, above, side });
    }
    let label = label();
    for (measure, (side, share)) in Measure::ALL.into_iter().zip([
        (Side::Below, 50),
        (Side::Above, 80),
        (Side::Below, 100),
        (Side::Above, 100),
    ]) {
        let (country, most, used) = (Country::parse("AT"), 20_000_000, 200_000 * share);
        let setter = above;
        let label = Some(label);
        all.push(Message::LimitFuller { account, setter, measure, country, label, used, most, share, side });
    }
    all.into_iter().enumerate().map(|(i, m)| (format!("{}-{i}", m.kind()), m)).collect()
}

fn label() -> &'static Label {
    static LABEL: std::sync::OnceLock<Label> = std::sync::OnceLock::new();
    LABEL.get_or_init(|| Label::parse("autumn-2026").unwrap())
}

fn names() -> Vec<String> {
    vec![
        "Muster GmbH".to_owned(),
        "<script>alert(1)</script>".to_owned(),
        "x\" onmouseover=\"alert(1)".to_owned(),
        "a\r\nBcc: victim@example.com\r\n\r\nhello".to_owned(),
        "\u{202E}moc.live\u{2066}\u{2069}\u{2069}\u{200F}".to_owned(),
        "{ $secret } { -term } &amp; &lt;".to_owned(),
        SECRET.to_owned(),
        "ü".repeat(200),
    ]
}

#[test]
fn every_kind_is_said_in_every_language_whatever_people_are_called() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let home = |path: &str| format!("https://sms.example.com{path}");
    for code in languages() {
        let words = Words::new(language(&[Some(code)]), &berlin, "EUR");
        for name in names() {
            for (which, message) in every(&name) {
                let letter = message.letter(&words, &home);
                let at = format!("{code} {which} {name:?}");
                let (plain, html) = (letter.plain(), letter.html());
                let said = [
                    &letter.subject,
                    &letter.preview,
                    &letter.heading,
                    &letter.button.label,
                    &letter.why,
                    &letter.from,
                    &letter.link_help,
                ];
                assert!(said.iter().all(|part| !part.is_empty()), "{at}: {letter:?}");
                assert!(!letter.paragraphs.is_empty() && !letter.notes.is_empty(), "{at}");
                assert!(
                    letter.facts.iter().all(|(label, value)| !label.is_empty() && !value.is_empty()),
                    "{at}"
                );
                assert!(!letter.subject.contains(char::is_control), "{at}: {}", letter.subject);
                assert!(letter.subject.chars().count() <= 161, "{at}: {}", letter.subject);
                for steering in ['\u{202E}', '\u{2066}', '\u{2068}', '\u{2069}', '\u{200F}', '\r'] {
                    assert!(!plain.contains(steering) && !html.contains(steering), "{at}: {steering:?}");
                }
                assert!(!html.contains("<script") && !html.contains("\" onmouseover"), "{at}");
                assert_eq!(html.matches("<bdi>").count(), html.matches("</bdi>").count(), "{at}");
                assert!(!plain.contains("\n\nhello"), "{at}: {plain}");
                // The secret stands where the link is, twice and in what it shows, and nowhere else.
                let secrets = if message.secret().is_some() { (1, 3) } else { (0, 0) };
                assert_eq!((plain.matches(SECRET).count(), html.matches(SECRET).count()), secrets, "{at}");
                assert!(plain.contains("https://sms.example.com/"), "{at}");
                if name == "Muster GmbH" {
                    look_at(&format!("{code}-{which}"), &plain, &html);
                }
            }
        }
    }
}

fn look_at(name: &str, plain: &str, html: &str) {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let secret = |text: &str| text.replace(SECRET, "5nG2gqvR1WbYk0cN8mXyQw7TtZp3LsHd");
    std::fs::write(format!("{folder}/{name}.html"), secret(html)).unwrap();
    std::fs::write(format!("{folder}/{name}.txt"), secret(plain)).unwrap();
}

#[test]
fn dates_and_amounts_are_written_as_people_of_the_language_do() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let english = Words::new("en", &berlin, "EUR");
    let german = Words::new("de", &berlin, "EUR");
    assert_eq!(english.moment(AT), "28 May 2026, 22:26 CEST");
    assert_eq!(german.moment(AT), "28. Mai 2026, 22:26 Uhr CEST");
    assert_eq!(english.money(Credits(1_234_500_000)), "1234.50\u{A0}EUR");
    assert_eq!(german.money(Credits(75_000)), "0,075\u{A0}EUR");
}

/// The keys of a language file, each with the values it uses.
fn keys(file: &str) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut message, mut key) = (String::new(), String::new());
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        let trimmed = line.trim_start();
        if let Some((name, _)) = line.split_once(" =").filter(|_| line.starts_with(char::is_alphabetic)) {
            message = name.to_owned();
            key = message.clone();
        } else if let Some((name, _)) = trimmed.strip_prefix('.').and_then(|rest| rest.split_once(" =")) {
            key = format!("{message}.{name}");
        }
        let values = keys.entry(key.clone()).or_default();
        let used = line.split("{ $").skip(1).filter_map(|rest| rest.split_once(" }"));
        values.extend(used.map(|(value, _)| value.to_owned()));
        values.sort_unstable();
        values.dedup();
    }
    keys.remove("");
    keys
}

#[test]
fn every_language_has_the_same_messages_and_no_values_that_others_do_not_know() {
    let english = keys(include_str!("../../locales/en/mail.ftl"));
    let german = keys(include_str!("../../locales/de/mail.ftl"));
    assert!(english.len() > 100, "{}", english.len());
    assert_eq!(english.keys().collect::<Vec<_>>(), german.keys().collect::<Vec<_>>());
    for (key, values) in &german {
        // A language may leave a value out, but cannot use one that is not given there.
        let message = key.split('.').next().unwrap();
        let known: Vec<&String> = english
            .iter()
            .filter(|(k, _)| k.split('.').next() == Some(message))
            .flat_map(|(_, v)| v)
            .collect();
        assert!(values.iter().all(|v| known.contains(&v)), "{key}: {values:?}");
    }
}
