//! Whether the time of an answer tells if anybody has an address: signs in with a wrong password to an
//! address that is somebody's and to one that is nobody's, in turns, and prints the medians, how far the
//! two spread, and how well a guesser who sees only the times would tell them apart (0.5 is not at all).
//!
//! `cargo run --release -p gateway --example sign_in [ROUNDS]`

#![allow(clippy::unwrap_used, reason = "an example that cannot go on has failed")]

use std::time::{Duration, Instant};

use domain::account::Email;
use domain::phone_number::Country;
use gateway::sign_in::{Client, SignInError, with_password};
use gateway::{Base, Clock, Rules, logins};
use jiff::tz::TimeZone;
use storage::{Address, Db};

#[tokio::main]
async fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(200, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&Address::Sqlite(folder.path().join("branchline.db"))).await.unwrap();
    let rules = Rules {
        default_country: Country::parse("DE").unwrap(),
        time_zone: TimeZone::UTC,
        currency: "EUR".into(),
        default_sender: "Branchline".into(),
        depth_max: 3,
        public_urls: Vec::new(),
    };
    let clock = Clock::standing_at(domain::moment::Moment(1_780_000_000_000_000));
    let base = Base::new(db, clock.clone(), rules).await.unwrap();
    gateway::seal::begin(&base, &gateway::seal::Key::parse(&"A".repeat(43)).unwrap()).await.unwrap();
    let kept = logins::password("vier Worte, die passen", &[], false).await.unwrap();
    let mut tx = base.db.begin().await.unwrap();
    let email = Email::parse("somebody@example.com").unwrap();
    let new =
        logins::NewLogin { email: &email, name: "S", language: None, operator: false, password: Some(&kept) };
    logins::create(&mut tx, &new, clock.now()).await.unwrap();
    tx.commit().await.unwrap();

    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..rounds + 10 {
        for (address, times) in [("somebody@example.com", &mut known), ("nobody@example.com", &mut unknown)] {
            // Time goes by, or nothing would be compared any more.
            clock.set(clock.now().after(Duration::from_secs(3600)));
            let client = Client { address: "192.0.2.7", ..Client::default() };
            let began = Instant::now();
            let answer = with_password(&base, address, "not the password at all", &client).await;
            let took = began.elapsed();
            assert!(matches!(answer, Err(SignInError::Wrong)));
            if round >= 10 {
                times.push(took);
            }
        }
    }
    let faster = known.iter().map(|a| unknown.iter().filter(|b| a < *b).count()).sum::<usize>();
    let told_apart = faster as f64 / (known.len() * unknown.len()) as f64;
    known.sort_unstable();
    unknown.sort_unstable();
    let at = |times: &[Duration], part: usize| times[times.len() * part / 100];
    for (name, times) in [("somebody's", &known), ("nobody's", &unknown)] {
        println!("{name}: median {:?}, p5 {:?}, p95 {:?}", at(times, 50), at(times, 5), at(times, 95));
    }
    println!("told apart by time alone: {:.2} (0.50 is not at all)", told_apart.max(1.0 - told_apart));
}
