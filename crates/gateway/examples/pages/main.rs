//! The books of a large customer, and how long pages take to read them.
//!
//! ```text
//! cargo run --release -p gateway --example pages -- fill sqlite:target/bench/pages.db 10000000
//! cargo run --release -p gateway --example pages -- measure sqlite:target/bench/pages.db 30
//! cargo run --release -p gateway --example pages -- check sqlite:target/bench/pages.db
//! ```
//!
//! `fill` makes one main account with 20,000 accounts below it and as many messages of the last year as
//! it says, with their charges, margins, refunds and sums, all of which agree. The database must be
//! empty. `measure` reads each page so many times. `bench/pages` does the same through the console.

#![expect(clippy::print_stdout, reason = "a program that prints what it found")]

mod fill;
mod measure;

use std::time::Instant;

use domain::phone_number::Country;
use gateway::{Base, Clock, Rules};
use jiff::tz::TimeZone;
use storage::Db;

type Done = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let address = arguments.next().unwrap_or_else(|| "sqlite:target/bench/pages.db".to_owned());
    let number: i64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let db = Db::open(&address.parse()?).await?;
    let rules = Rules {
        default_country: Country::parse("DE").ok_or("DE")?,
        time_zone: TimeZone::UTC,
        currency: "EUR".into(),
        default_sender: "Nordlicht".into(),
        depth_max: 3,
        public_urls: Vec::new(),
    };
    let base = Base::new(db, Clock::of_the_machine(), rules).await?;
    let begun = Instant::now();
    match what.as_str() {
        "fill" => fill::fill(&base, if number > 0 { number } else { 10_000_000 }).await?,
        "measure" => measure::measure(&base, if number > 0 { number as usize } else { 30 }).await?,
        "check" => {
            let mut snapshot = base.db.snapshot().await?;
            let report = storage::check::check(&mut snapshot).await?;
            snapshot.end().await?;
            println!(
                "{} messages, {} transfers, {} refunds, ok: {} {:#?}",
                report.messages, report.transfers, report.refunds, report.ok, report.broken
            );
        }
        _ => return Err("say fill, measure or check, then the database and a number".into()),
    }
    println!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}
