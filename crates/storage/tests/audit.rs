//! The audit log is only ever added to: the database itself refuses the rest, in copies too.

#![expect(clippy::unwrap_used, reason = "these are tests, also outside of their functions")]

mod world;

use domain::actor::Actor;
use domain::id::AccountId;
use domain::moment::Moment;
use storage::audit::{self, Deed, Filter};
use storage::{Address, Db};

use world::NOW;

async fn written(db: &Db, account: &domain::account::Account, actions: &[&str]) {
    for (n, action) in (0..).zip(actions) {
        let mut tx = db.begin().await.unwrap();
        let deed = Deed { action, subject: "it", before: None, after: Some("{\"a\":1}") };
        let actor = Actor { name: format!("Ada {n}"), ..Actor::command_line() };
        audit::add(&mut tx, account, &actor, deed, Moment(NOW.0 + n)).await.unwrap();
        tx.commit().await.unwrap();
    }
}

const TRIES: [&str; 5] = [
    "update audit set actor_name = 'nobody'",
    "update audit set after = null where id = (select min(id) from audit)",
    "delete from audit",
    "delete from audit where action = 'key.create'",
    "insert into audit (id, account_id, root_id, actor_kind, actor_name, action, subject, address, agent, created_at)
        select id, 1, 1, 0, 'nobody', 'nothing', '', '', '', 0 from audit where id = (select min(id) from audit)",
];

async fn stays(db: &Db) {
    let own: &[&str] = match db.engine() {
        "sqlite" => {
            &["replace into audit select * from audit", "insert or replace into audit select * from audit"]
        }
        _ => &["truncate audit", "truncate audit, calls cascade"],
    };
    let count = "select count(*) from audit where actor_name like 'Ada %' and after is not null";
    let before = db.read().await.unwrap().number(count, &[]).await.unwrap();
    assert!(before > 0);
    for sql in TRIES.iter().chain(own) {
        let mut tx = db.begin().await.unwrap();
        let done = tx.execute(sql, &[]).await;
        assert!(done.is_err(), "{}: {sql} changed {done:?} rows", db.engine());
    }
    assert_eq!(db.read().await.unwrap().number(count, &[]).await.unwrap(), before);
}

#[tokio::test]
async fn nobody_changes_what_was_written_down() {
    for database in testing::engines().await {
        let db = &database.db;
        let world = world::build(db).await;
        written(db, &world.child, &["key.create", "key.revoke", "settings.change"]).await;
        stays(db).await;
    }
}

#[tokio::test]
async fn a_backup_has_the_log_and_keeps_it_too() {
    let database = testing::sqlite().await;
    let world = world::build(&database.db).await;
    written(&database.db, &world.child, &["key.create", "key.revoke"]).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    database.db.backup(&copy).unwrap();
    // Opening brings the tables up to date, which they are.
    let copy = Db::open(&Address::Sqlite(copy)).await.unwrap();
    assert_eq!(copy.read().await.unwrap().number("select count(*) from audit", &[]).await.unwrap(), 2);
    stays(&copy).await;
}

#[tokio::test]
async fn a_log_is_read_in_pages_and_by_what_is_looked_for() {
    for database in testing::engines().await {
        let db = &database.db;
        let world = world::build(db).await;
        written(db, &world.child, &["key.create", "key.revoke", "settings.change", "key.create"]).await;
        written(db, &world.other, &["key.create"]).await;
        let mut conn = db.read().await.unwrap();
        let mut read = async |account: AccountId, filter: &Filter, before, limit| {
            let page = audit::page(&mut conn, account, filter, before, limit).await.unwrap();
            page.into_iter().map(|entry| (entry.id, entry.action)).collect::<Vec<_>>()
        };
        let all = read(world.child.id, &Filter::default(), None, 10).await;
        let actions: Vec<_> = all.iter().map(|(_, action)| action.as_str()).collect();
        assert_eq!(actions, ["key.create", "settings.change", "key.revoke", "key.create"]);
        let first = read(world.child.id, &Filter::default(), None, 3).await;
        let rest = read(world.child.id, &Filter::default(), Some(first[2].0), 3).await;
        assert_eq!([first, rest].concat(), all);
        let keys = Filter { action: Some("KEY.".into()), ..Filter::default() };
        assert_eq!(read(world.child.id, &keys, None, 10).await.len(), 3);
        let ada = Filter { actor: Some("ada 2".into()), ..Filter::default() };
        assert_eq!(read(world.child.id, &ada, None, 10).await[0].1, "settings.change");
        let later =
            Filter { from: Some(Moment(NOW.0 + 1)), before: Some(Moment(NOW.0 + 3)), ..Filter::default() };
        assert_eq!(read(world.child.id, &later, None, 10).await.len(), 2);
        let above = Filter { from_above: true, ..Filter::default() };
        assert_eq!(read(world.child.id, &above, None, 10).await.len(), 0);
    }
}
