//! The statement of an account: lines with what it held after each, as a page or as a file of any length.

use domain::account::Account;
use domain::id::AccountId;
use domain::moment::Moment;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use storage::notices::Notice;
pub use storage::statement::{Cursor, Filter, Kind, Line, Page};
use storage::{Result, notices, statement};

use crate::base::Base;
use crate::sheet::{harmless, line};

/// Lines of a page at the most.
pub const LIMIT_MAX: i64 = 500;
/// Lines an export reads at once.
const EXPORT_PAGE: i64 = 2_000;

/// A page of the statement of an account, newest first.
pub async fn page(
    base: &Base,
    account: &Account,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Page> {
    let limit = limit.clamp(1, LIMIT_MAX);
    if after.is_some() || filter.kind != Kind::All {
        let mut conn = base.db.read().await?;
        return statement::page(&mut conn, account.id, filter, after, limit).await;
    }
    let mut snapshot = base.db.snapshot().await?;
    let page = statement::page(&mut snapshot, account.id, filter, None, limit).await;
    snapshot.end().await?;
    page
}

/// The automatic transfers to an account, or to those right below it, that failed, and why; newest first.
pub async fn failed_transfers(
    base: &Base,
    account: &Account,
    since: Moment,
    limit: i64,
) -> Result<Vec<Notice>> {
    notices::since(&mut *base.db.read().await?, account.id, "automatic transfer", since, limit).await
}

/// A statement as CSV, piece by piece, newest first. What is booked after it was begun is not in it.
pub struct Export {
    base: Base,
    account: AccountId,
    filter: Filter,
    zone: TimeZone,
    after: Option<Cursor>,
    begun: bool,
    ended: bool,
}

/// The columns of an export.
pub const COLUMNS: [&str; 9] =
    ["id", "booked_at", "code", "amount", "balance", "account", "message", "actor", "reference"];

/// Begins an export; times are written in `zone`.
pub fn export(base: &Base, account: &Account, filter: Filter, zone: TimeZone) -> Export {
    let now = Moment(base.clock.now().0 + 1);
    let filter = Filter { before: Some(filter.before.map_or(now, |before| before.min(now))), ..filter };
    Export { base: base.clone(), account: account.id, filter, zone, after: None, begun: false, ended: false }
}

impl Export {
    /// The next piece; nothing when that was all. Each takes a bounded amount of memory.
    pub async fn next(&mut self) -> Result<Option<String>> {
        if self.ended {
            return Ok(None);
        }
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            text = line(COLUMNS.map(str::to_owned));
        }
        let mut snapshot = self.base.db.snapshot().await?;
        let page = statement::page(&mut snapshot, self.account, &self.filter, self.after, EXPORT_PAGE).await;
        snapshot.end().await?;
        let page = page?;
        for of_page in page.lines {
            text.push_str(&self.line(of_page));
        }
        self.after = page.next;
        self.ended = page.next.is_none();
        Ok(Some(text))
    }

    fn line(&self, of: Line) -> String {
        let timestamp = Timestamp::from_microsecond(of.at.0).unwrap_or(Timestamp::UNIX_EPOCH);
        let at = timestamp.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let message = match of.cause {
            domain::ledger::CauseKind::Batch | domain::ledger::CauseKind::Refund => of.cause_id.to_string(),
            _ => String::new(),
        };
        line([
            of.id.to_string(),
            at,
            of.code.as_str().to_owned(),
            of.amount.to_string(),
            of.balance.map_or(String::new(), |balance| balance.to_string()),
            of.other.map_or(String::new(), |other| other.to_string()),
            message,
            harmless(&of.actor),
            harmless(&of.reference),
        ])
    }
}
