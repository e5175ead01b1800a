//! How many messages a second pass from a request to a stored delivery report, without HTTP and
//! SMPP: `throughput [DATABASE] [MESSAGES] [CLIENTS] [RECIPIENTS]`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::id::AccountId;
use gateway::accept::SendRequest;
use gateway::dispatch::Line;
use gateway::{Base, Clock, Gateway, Rules};
use jiff::tz::TimeZone;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "sqlite:/tmp/throughput/branchline.db".to_owned());
    let messages: usize = args.next().map_or(Ok(50_000), |n| n.parse())?;
    let clients: usize = args.next().map_or(Ok(64), |n| n.parse())?;
    let recipients: usize = args.next().map_or(Ok(1), |n| n.parse())?;
    let db = storage::Db::open(&address.parse()?).await?;
    let mut tx = db.begin().await?;
    tx.execute("delete from price_rows where id = 1", &[]).await.ok();
    for sql in [
        "insert into price_lists (id, name, created_at) values (1, 'standard', 0) on conflict do nothing",
        "insert into price_rows (id, price_list_id, product, country, network, price, effective_from, comment, created_at)
            values (1, 1, 0, 'DE', '', 75000, 0, '', 0) on conflict do nothing",
        "insert into accounts (id, root_id, path, owner, email, state_at, signing_key, created_at)
            values (1, 1, '1/', 'Bench', 'bench@example.com', 0, '', 0) on conflict do nothing",
        "insert into ledger_accounts (id, account_id, balance, floor) values (1002, 1, 0, 0) on conflict do nothing",
        "insert into ledger_accounts (id, account_id, balance, floor) values (1003, 1, 0, 0) on conflict do nothing",
        "update ledger_accounts set balance = 1000000000000000 where id = 1002",
    ] {
        tx.execute(sql, &[]).await?;
    }
    tx.commit().await?;
    let rules = Rules {
        default_country: domain::phone_number::Country::parse("DE").ok_or("DE")?,
        time_zone: TimeZone::UTC,
        currency: "EUR".into(),
        default_sender: "Bench".into(),
        depth_max: 3,
        public_urls: Vec::new(),
    };
    let base = Base::new(db, Clock::of_the_machine(), rules).await?;
    let mut settings = carriers::simulator::Settings::new("simulator");
    settings.report_after = Duration::from_millis(1);
    settings.window = 256;
    let line = Line {
        name: "simulator".into(),
        message_ids: Default::default(),
        connect: Box::new(move |events| carriers::simulator::connect(settings, events)),
    };
    let route = domain::route::Route { carrier: "simulator".into(), countries: Vec::new(), priority: 1 };
    let gateway = Gateway::start(base, vec![line], vec![route]).await?;
    let account = gateway.account(AccountId(1)).await?.ok_or("no account")?;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for client in 0..clients {
        let (gateway, account) = (gateway.clone(), Arc::clone(&account));
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for i in 0..messages / clients / recipients {
                let number = |r: usize| {
                    (491_700_000_000 + ((client * messages + i) * recipients + r) as u64).to_string()
                };
                let request = SendRequest {
                    recipients: (0..recipients).map(number).collect(),
                    text: format!(
                        "A short message of a usual length {client} {i} to measure 0123456789 0123456789"
                    ),
                    connection: "http".into(),
                    actor: "key 1".into(),
                    ..SendRequest::default()
                };
                let at = Instant::now();
                if let Err(error) = gateway.send(&account, request).await {
                    eprintln!("{error}");
                }
                times.push(at.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await?);
    }
    let accepted = begun.elapsed();
    times.sort();
    let mut done = 0;
    while done < (messages / clients / recipients * clients * recipients) as i64
        && begun.elapsed() < Duration::from_secs(120)
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
        done = gateway.db.read().await?.number("select count(*) from messages where status = 4", &[]).await?;
    }
    let all = begun.elapsed();
    let per = |d: Duration| (times.len() * recipients) as f64 / d.as_secs_f64();
    println!(
        "accepted {:.0}/s p50 {:?} p99 {:?}, delivered {done} at {:.0}/s",
        per(accepted),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        per(all)
    );
    gateway.stop().await;
    Ok(())
}
