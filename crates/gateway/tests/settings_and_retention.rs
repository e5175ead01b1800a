//! What an account chooses: settings are changed in one place, and texts and numbers go when their
//! time is over, from every table, without the counts and the money going with them.

#![expect(clippy::unwrap_used, reason = "these are tests, also outside of their functions")]

mod house;

use std::time::Duration;

use domain::actor::Actor;
use domain::id::MessageId;
use gateway::accept::SendRequest;
use gateway::retention::{self, Round};
use gateway::settings::{self, Change, SettingsError};
use gateway::{Base, Clock};
use storage::Db;

use house::{NOW, account, base, count, fresh, grant, number, one, sent, simulated, sound};

const CANARY: &str = "canary in a coal mine";

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// Every table of the books that is ours.
async fn tables(db: &Db) -> Vec<String> {
    let sql = match db.engine() {
        "sqlite" => "select name from sqlite_master where type = 'table' order by name",
        _ => "select tablename from pg_tables where schemaname = current_schema() order by tablename",
    };
    let rows = db.read().await.unwrap().query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.text(0).unwrap()).filter(|name| !name.starts_with("sqlite_")).collect()
}

/// In which tables a text stands anywhere.
async fn tables_with(db: &Db, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables(db).await {
        let columns = match db.engine() {
            "sqlite" => format!("select name from pragma_table_info('{table}')"),
            _ => format!(
                "select column_name::text from information_schema.columns where table_name = '{table}' and table_schema = current_schema()"
            ),
        };
        let mut conn = db.read().await.unwrap();
        let columns = conn.query(&columns, &[]).await.unwrap();
        for column in columns.iter().map(|row| row.text(0).unwrap()) {
            let sql = format!(
                "select count(*) from {table} where replace(cast({column} as text), $1, '') <> cast({column} as text)"
            );
            if conn.number(&sql, &[needle.into()]).await.unwrap() > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    found
}

async fn keep(base: &Base, account: &domain::account::Account, text: Option<i64>, number: Option<i64>) {
    let change = Change { text_days: Some(text), number_days: Some(number), ..Change::default() };
    settings::change(base, account.id, &change, &Actor::command_line()).await.unwrap();
}

/// A call in the request log that says what was sent.
async fn logged(base: &Base, account: &domain::account::Account, text: &str) {
    let call = storage::calls::Call {
        id: 0,
        account: account.id,
        key: None,
        method: "POST".into(),
        path: "/api/sms".into(),
        status: 200,
        code: "100".into(),
        milliseconds: 1,
        request: text.into(),
        answer: String::new(),
        error: String::new(),
        address: String::new(),
        at: base.clock.now(),
    };
    let mut tx = base.db.begin().await.unwrap();
    storage::calls::insert(&mut tx, &[call]).await.unwrap();
    tx.commit().await.unwrap();
}

fn canary(n: u64) -> SendRequest {
    SendRequest { text: CANARY.to_owned(), no_reload: true, ..one(n, domain::message::MessageClass::Normal) }
}

#[tokio::test]
async fn texts_and_numbers_go_when_their_time_is_over_and_nothing_else() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let gone = account(&base, "gone", None, 10_000_000).await;
        let kept = account(&base, "kept", None, 10_000_000).await;
        keep(&base, &gone, Some(30), Some(60)).await;
        let gateway = simulated(&base).await;
        let gone = fresh(&base, &gone).await;
        let digits = number(4_711).trim_start_matches('+').to_owned();
        let first = sent(&gateway, &gone, canary(4_711)).await;
        sent(&gateway, &kept, canary(17)).await;
        logged(&base, &gone, &format!("to={digits}&text={CANARY}")).await;
        house::until("all reports are in", async || {
            count(&base.db, "select count(*) from messages where report is null").await == 0
        })
        .await;
        gateway.stop().await;
        let statistics = "select cast(sum(accepted * 1000000 + segments * 1000 + delivered + cost) as bigint) from statistics";
        let counted = count(&base.db, statistics).await;
        let money = count(&base.db, "select cast(sum(price * segments) as bigint) from messages").await;
        let country = "select count(*) from messages where country = 'DE'";
        let countries = count(&base.db, country).await;

        assert_eq!(retention::run(&base).await.unwrap(), Some(Round::default()));
        assert_eq!(retention::run(&base).await.unwrap(), None, "not again within the hour");
        clock.set(NOW.after(days(31)));
        let (one, two) = tokio::join!(retention::run(&base), retention::run(&base));
        let rounds = [one.unwrap(), two.unwrap()];
        assert!(rounds.contains(&None), "one process at a time: {rounds:?}");
        assert!(rounds.contains(&Some(Round { texts: 1, numbers: 0 })), "{rounds:?}");
        assert!(!tables_with(&base.db, &digits).await.is_empty(), "the number has another month");

        clock.set(NOW.after(days(62)));
        assert_eq!(retention::run(&base).await.unwrap(), Some(Round { texts: 0, numbers: 1 }));
        assert_eq!(tables_with(&base.db, &digits).await, Vec::<String>::new(), "{}", base.db.engine());
        let of_gone = format!(
            "select count(*) from messages where account_id = {} and text <> '{}'",
            gone.id,
            storage::retention::TEXT
        );
        assert_eq!(count(&base.db, &of_gone).await, 0);
        assert_eq!(tables_with(&base.db, CANARY).await, ["messages.text"], "the other account keeps its own");
        let row = base.db.read().await.unwrap();
        let mut row = row;
        let sql = "select recipient, text, country, segments from messages where id = $1";
        let row = row.one(sql, &[first.0.into()]).await.unwrap().unwrap();
        assert_eq!(row.int(0).unwrap().to_string(), format!("49{}", "0".repeat(digits.len() - 2)));
        assert_eq!(count(&base.db, statistics).await, counted);
        assert_eq!(
            count(&base.db, "select cast(sum(price * segments) as bigint) from messages").await,
            money
        );
        assert_eq!(count(&base.db, country).await, countries);
        sound(&base).await;
    }
}

#[tokio::test]
async fn what_is_still_to_be_sent_keeps_its_text_until_it_is_sent() {
    for database in testing::engines().await {
        let clock = Clock::standing_at(NOW);
        let base = base(&database.db, clock.clone()).await;
        let main = account(&base, "main", None, 0).await;
        grant(&base, &main, 10_000_000, None).await;
        keep(&base, &main, Some(1), None).await;
        let gateway = simulated(&base).await;
        let main = fresh(&base, &main).await;
        let planned = SendRequest { send_at: Some(NOW.after(days(10))), ..canary(1) };
        let planned = sent(&gateway, &main, planned).await;
        let usual = sent(&gateway, &main, canary(2)).await;
        house::becomes(&base.db, usual, domain::message::MessageStatus::Delivered).await;
        let text = async |id: MessageId| {
            let sql = "select text from messages where id = $1";
            base.db.read().await.unwrap().one(sql, &[id.0.into()]).await.unwrap().unwrap().text(0).unwrap()
        };
        clock.set(NOW.after(days(3)));
        retention::run(&base).await.unwrap();
        assert_eq!(
            (text(planned).await.as_str(), text(usual).await.as_str()),
            (CANARY, storage::retention::TEXT)
        );
        clock.set(NOW.after(days(10) + Duration::from_secs(1)));
        house::becomes(&base.db, planned, domain::message::MessageStatus::Delivered).await;
        clock.set(NOW.after(days(12)));
        assert_eq!(retention::run(&base).await.unwrap().unwrap().texts, 1);
        assert_eq!(text(planned).await, storage::retention::TEXT);
        assert_eq!(count(&base.db, "select count(*) from jobs where kind like 'retention of%'").await, 0);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn thousands_of_messages_go_in_steps_and_new_ones_stay() {
    let database = testing::sqlite().await;
    let clock = Clock::standing_at(NOW);
    let base = base(&database.db, clock.clone()).await;
    let main = account(&base, "main", None, 0).await;
    keep(&base, &main, Some(7), Some(7)).await;
    let gateway = simulated(&base).await;
    let main = fresh(&base, &main).await;
    grant(&base, &main, 1_000_000_000, None).await;
    for round in 0..3 {
        let to = (0..400).map(|n| number(round * 400 + n)).collect();
        let many = SendRequest { recipients: to, text: CANARY.into(), ..SendRequest::default() };
        gateway.send(&main, many).await.unwrap();
    }
    house::handed_over(&base.db).await;
    clock.set(NOW.after(days(8)));
    sent(&gateway, &main, canary(1)).await;
    house::handed_over(&base.db).await;
    gateway.stop().await;
    let round = retention::run(&base).await.unwrap().unwrap();
    assert_eq!(round, Round { texts: 1_200, numbers: 1_200 });
    assert_eq!(count(&base.db, &format!("select count(*) from messages where text = '{CANARY}'")).await, 1);
    sound(&base).await;
}

#[tokio::test]
async fn settings_change_together_or_not_at_all_and_stand_in_the_log() {
    for database in testing::engines().await {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let main = account(&base, "main", None, 0).await;
        let good = Change {
            company: Some(Some(" Muster GmbH ".into())),
            time_zone: Some(Some("Europe/Vienna".into())),
            language: Some(Some("DE".into())),
            default_sender: Some(Some("Muster".into())),
            default_country: Some(Some("at".into())),
            second_factor_required: Some(true),
            new_signing_key: true,
            ..Change::default()
        };
        let changed = settings::change(&base, main.id, &good, &Actor::command_line()).await.unwrap();
        let stored = fresh(&base, &main).await;
        assert_eq!(*stored, changed);
        let of = &stored.settings;
        assert_eq!(
            (stored.name(), of.language.as_deref(), of.default_country.as_deref()),
            ("Muster GmbH", Some("de"), Some("AT"))
        );
        assert_ne!(of.signing_key, main.settings.signing_key);
        let sql = "select after from audit where action = 'settings.change'";
        let after = base.db.read().await.unwrap().one(sql, &[]).await.unwrap().unwrap().text(0).unwrap();
        assert!(
            after.contains("\"signing_key\":\"replaced\"") && !after.contains(&of.signing_key),
            "{after}"
        );
        settings::change(
            &base,
            main.id,
            &Change { language: Some(Some("de".into())), ..Change::default() },
            &Actor::command_line(),
        )
        .await
        .unwrap();
        assert_eq!(count(&base.db, "select count(*) from audit where action = 'settings.change'").await, 1);

        let half =
            Change { company: Some(Some("New".into())), text_days: Some(Some(-1)), ..Change::default() };
        let refused = settings::change(&base, main.id, &half, &Actor::command_line()).await;
        assert!(matches!(&refused, Err(SettingsError::Fields(all)) if all.len() == 1), "{refused:?}");
        assert_eq!(fresh(&base, &main).await.name(), "Muster GmbH");
        let nobody = settings::change(&base, domain::id::AccountId(1), &good, &Actor::command_line()).await;
        assert!(matches!(nobody, Err(SettingsError::NotFound(_))));
    }
}
