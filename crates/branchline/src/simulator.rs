//! `branchline simulator`: a simulated carrier on a port, for tests, demos and other gateways.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use carriers::smsc::{self, Faults, ReceiptIds};
use clap::{Args, ValueEnum};
use gateway::Clock;
use serde_json::json;

use crate::Common;
use crate::output::count;
use crate::serve::{bind, log, signals};

/// Run a simulated carrier that others reach by SMPP.
#[derive(Args)]
pub struct Simulator {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2775")]
    listen: String,
    /// The only system id let in [default: any]
    #[arg(long, value_name = "ID")]
    system_id: Option<String>,
    /// The only password let in [default: any]
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// How long to wait before a submission is answered
    #[arg(long, value_name = "MS", default_value_t = 0)]
    answer_milliseconds: u64,
    /// How long after the answer the delivery report is sent
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    report_milliseconds: u64,
    /// How delivery reports spell message ids
    #[arg(long, value_enum, default_value_t = Ids::AsAnswered)]
    report_ids: Ids,
    /// Break the connection at every so many submissions [0: never]
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    drop_every: u64,
    /// Throttle a client that submits more than this in a second [0: nobody]
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    throttle_above: u32,
    /// Write what is submitted to a file, a line each: the recipient and the octets in hexadecimal
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Ids {
    AsAnswered,
    Decimal,
    Capitals,
}

impl Simulator {
    /// Serves until told to stop, then says what came.
    pub async fn run(self, common: &Common) -> Result<()> {
        log("warn");
        let listener = bind(&self.listen).await?;
        let address = listener.local_addr()?;
        let faults = Faults::default();
        faults.drop_every.store(self.drop_every, Ordering::Relaxed);
        faults.throttle_above.store(self.throttle_above, Ordering::Relaxed);
        let settings = smsc::Settings {
            system_id: self.system_id,
            password: self.password,
            answer_after: Duration::from_millis(self.answer_milliseconds),
            receipt_after: Duration::from_millis(self.report_milliseconds),
            receipt_ids: match self.report_ids {
                Ids::AsAnswered => ReceiptIds::AsAnswered,
                Ids::Decimal => ReceiptIds::Decimal,
                Ids::Capitals => ReceiptIds::Capitals,
            },
            started_at: Clock::of_the_machine().now(),
            record_file: self.record,
            faults: Arc::new(faults),
            ..smsc::Settings::default()
        };
        let stats = settings.stats.clone();
        let stop = signals()?;
        let output = common.output();
        output.say(&json!({ "listening": address.to_string() }), &format!("listening on {address}"));
        smsc::serve(listener, settings, stop).await;
        let read = |counter: &std::sync::atomic::AtomicU64| {
            i64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(0)
        };
        let (submits, refused, throttled) =
            (read(&stats.submits), read(&stats.refused), read(&stats.throttled));
        let (sent, acknowledged) = (read(&stats.receipts_sent), read(&stats.receipts_acked));
        let words = format!(
            "taken {}, refused {}, throttled {}; reports sent {}, acknowledged {}",
            count(submits),
            count(refused),
            count(throttled),
            count(sent),
            count(acknowledged)
        );
        if common.json {
            // The one object of this command has been said; how it went belongs to the log.
            eprintln!(
                "{}",
                json!({ "taken": submits, "refused": refused, "throttled": throttled,
                    "reports_sent": sent, "reports_acknowledged": acknowledged })
            );
        } else {
            output.say(&json!({}), &words);
        }
        Ok(())
    }
}
