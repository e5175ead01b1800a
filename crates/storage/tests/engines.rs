//! What the engines under the books do when something is in the way: a commit whose answer is lost, a
//! reader that takes its time, a copy made while others write.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use storage::db::Value;
use storage::{Address, Db, Error, Tx};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// What befalls the next commit.
const PASSES: u8 = 0;
const ARRIVES_UNANSWERED: u8 = 1;
const NEVER_ARRIVES: u8 = 2;

/// A line to the PostgreSQL server of an address that can be cut at a commit, and the address through it.
async fn through_a_line(url: &str) -> (String, Arc<AtomicU8>) {
    let config: Config = url.parse().unwrap();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let host = config.get_hosts()[0].clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = listener.local_addr().unwrap();
    let fate = Arc::new(AtomicU8::new(PASSES));
    let of_all = fate.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let fate = of_all.clone();
            match &host {
                Host::Tcp(name) => {
                    let server = TcpStream::connect((name.as_str(), port)).await.unwrap();
                    tokio::spawn(carry(client, server, fate));
                }
                Host::Unix(folder) => {
                    let server = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await.unwrap();
                    tokio::spawn(carry(client, server, fate));
                }
            }
        }
    });
    let (user, name) = (config.get_user().unwrap(), config.get_dbname().unwrap());
    (format!("postgres://{user}@{ours}/{name}"), fate)
}

async fn carry(client: TcpStream, server: impl AsyncRead + AsyncWrite, fate: Arc<AtomicU8>) {
    let ((mut client_in, mut client_out), (mut server_in, mut server_out)) =
        (client.into_split(), tokio::io::split(server));
    // When it is set, what the server says is not passed on.
    let deaf = AtomicU8::new(0);
    let deaf = &deaf;
    let there = async move {
        let mut buffer = [0; 65_536];
        while let Ok(read @ 1..) = client_in.read(&mut buffer).await {
            let commits = buffer[..read].windows(7).any(|octets| octets == b"commit\0");
            let fate = if commits { fate.swap(PASSES, Ordering::SeqCst) } else { PASSES };
            if fate == NEVER_ARRIVES {
                return;
            }
            if fate == ARRIVES_UNANSWERED {
                deaf.store(1, Ordering::SeqCst);
            }
            if server_out.write_all(&buffer[..read]).await.is_err() {
                return;
            }
            if fate == ARRIVES_UNANSWERED {
                // Long enough for the server to be done.
                tokio::time::sleep(Duration::from_millis(300)).await;
                return;
            }
        }
    };
    let back = async move {
        let mut buffer = [0; 65_536];
        while let Ok(read @ 1..) = server_in.read(&mut buffer).await {
            if deaf.load(Ordering::SeqCst) == 1 {
                continue;
            }
            if client_out.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

async fn add(db: &Db, name: &str) -> Tx {
    let mut tx = db.begin().await.unwrap();
    let sql = "insert into counters (name, value) values ($1, 1)";
    tx.execute(sql, &[Value::from(name)]).await.unwrap();
    tx
}

async fn count(db: &Db, name: &str) -> i64 {
    let mut conn = db.read().await.unwrap();
    conn.number("select count(*) from counters where name = $1", &[Value::from(name)]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_told_as_what_it_was() {
    let database = testing::postgres().await;
    let Address::Postgres(url) = &database.address else { panic!() };
    let (url, fate) = through_a_line(url).await;
    let db = Db::open(&Address::Postgres(url)).await.unwrap();

    let tx = add(&db, "passes").await;
    tx.commit().await.unwrap();
    assert_eq!(count(&database.db, "passes").await, 1);

    let tx = add(&db, "unanswered").await;
    fate.store(ARRIVES_UNANSWERED, Ordering::SeqCst);
    tx.commit().await.unwrap();
    assert_eq!(fate.load(Ordering::SeqCst), PASSES, "the line was cut");
    assert_eq!(count(&database.db, "unanswered").await, 1);

    let tx = add(&db, "never").await;
    fate.store(NEVER_ARRIVES, Ordering::SeqCst);
    let refused = tx.commit().await;
    assert!(matches!(refused, Err(Error::Gone(_))), "{refused:?}");
    assert_eq!(count(&database.db, "never").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_reader_that_takes_its_time() {
    let database = testing::sqlite().await;
    let db = &database.db;
    add(db, "before").await.commit().await.unwrap();
    let mut snapshot = db.snapshot().await.unwrap();
    for n in 0..3_000 {
        add(db, &format!("{n} {}", "x".repeat(2_000))).await.commit().await.unwrap();
    }
    let begun = Instant::now();
    for n in 0..5 {
        db.checkpoint().await.unwrap();
        add(db, &format!("meanwhile {n}")).await.commit().await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let seen = "select count(*) from counters where name = 'before' or name like 'meanwhile%'";
    assert_eq!(snapshot.number(seen, &[]).await.unwrap(), 1);
    snapshot.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_while_others_write_and_is_of_one_moment() {
    let database = testing::sqlite().await;
    let db = database.db.clone();
    for n in 0..400 {
        add(&db, &format!("{n} {}", "x".repeat(20_000))).await.commit().await.unwrap();
    }
    let stop = Arc::new(AtomicU8::new(0));
    let (writer, stopped) = (db.clone(), stop.clone());
    let writing = tokio::spawn(async move {
        let mut pairs = 0;
        while stopped.load(Ordering::SeqCst) == 0 {
            let mut tx = add(&writer, &format!("left {pairs}")).await;
            let sql = "insert into counters (name, value) values ($1, 1)";
            tx.execute(sql, &[Value::from(&format!("right {pairs}"))]).await.unwrap();
            tx.commit().await.unwrap();
            pairs += 1;
        }
        pairs
    });
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    let (copier, target) = (db.clone(), to.clone());
    tokio::task::spawn_blocking(move || copier.backup(&target)).await.unwrap().unwrap();
    stop.store(1, Ordering::SeqCst);
    assert!(writing.await.unwrap() > 0);
    let copy = Db::open(&Address::Sqlite(to)).await.unwrap();
    let mut conn = copy.read().await.unwrap();
    let of = async |conn: &mut storage::Conn, side: &str| {
        let sql = format!("select count(*) from counters where name like '{side}%'");
        conn.number(&sql, &[]).await.unwrap()
    };
    assert_eq!(of(&mut conn, "left").await, of(&mut conn, "right").await);
    assert_eq!(conn.number("select count(*) from counters where name like '399%'", &[]).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_cannot_be_written_say_so_and_that_it_may_pass() {
    for database in testing::engines().await {
        let mut tx = database.db.begin().await.unwrap();
        let read_only = if tx.is_sqlite() { "pragma query_only = on" } else { "set transaction read only" };
        tx.query(read_only, &[]).await.unwrap();
        let sql = "update counters set value = value + 1";
        let refused = tx.execute(sql, &[]).await.unwrap_err();
        assert!(matches!(refused, Error::Unwritable(_)) && refused.retryable(), "{refused:?}");
        if tx.is_sqlite() {
            tx.query("pragma query_only = off", &[]).await.unwrap();
        }
        drop(tx);
        let mut tx = database.db.begin().await.unwrap();
        assert!(tx.execute(sql, &[]).await.unwrap() > 0);
        tx.commit().await.unwrap();
    }
}
