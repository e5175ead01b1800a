//! `branchline check`: proves that the books are right, while a server may be writing them.

use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::Common;
use crate::books::{self, Missing};
use crate::failure::Failure;
use crate::output::{Style, Table, count};

/// Prove that the books are right.
#[derive(Args)]
pub struct Check {}

impl Check {
    /// Checks, and says what was looked at; a fault ends with exit code 1.
    pub async fn run(self, common: &Common) -> Result<()> {
        let settings = common.settings(None)?;
        let db = books::open(&settings, Missing::Refuse).await?;
        let started = Instant::now();
        let report = storage::check::check(&mut *db.snapshot().await?).await?;
        let seconds = started.elapsed().as_secs_f64();
        let counts = [
            ("accounts", report.accounts),
            ("ledger_accounts", report.ledger_accounts),
            ("transfers", report.transfers),
            ("messages", report.messages),
            ("refunds", report.refunds),
            ("outbox", report.outbox),
            ("price_rows", report.price_rows),
        ];
        let mut object = json!({
            "ok": report.ok,
            "broken": report.broken,
            "broken_count": report.broken_count,
            "seconds": (seconds * 1000.0).round() / 1000.0,
        });
        let mut table = Table::new(&["", ">"]);
        for (name, number) in counts {
            object[name] = json!(number);
            table.row([name.replace('_', " "), count(i64::try_from(number).unwrap_or(i64::MAX))]);
        }
        let verdict = match report.ok {
            true => Style::Good.paint(&format!("the books are right ({seconds:.1} s)")),
            false => Style::Bad.paint(&format!("the books are broken in {} places:", report.broken_count)),
        };
        let mut words = format!("{}\n{verdict}\n", table.lines());
        for fault in &report.broken {
            words += &format!("  {fault}\n");
        }
        common.output().say(&object, &words);
        if report.ok { Ok(()) } else { Err(Failure::said().into()) }
    }
}
