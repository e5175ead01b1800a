//! The journal: an account's messages, newest first, and what became of them. Reads only.
//!
//! Every statement is held to one account or to one tree, by an index that begins with it (or by the ids
//! themselves), so that no other tree's rows are touched.

mod message;
mod search;

use domain::credits::Credits;
use domain::delivery_report::ReportState;
use domain::id::{AccountId, MessageId};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;

use crate::db::{Conn, Result, Row, Value};
use crate::messages::{recipient, status};

pub use message::{Part, Story, message};
pub use search::{BUDGET, Cursor, Found, Recipient, Search, Whose, left_out, search, search_within};

/// What became of a message so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The message.
    pub id: MessageId,
    /// Where it is.
    pub status: MessageStatus,
    /// The last word of the carrier, and when that was.
    pub report: Option<(ReportState, Moment)>,
    /// When it came to its end.
    pub done_at: Option<Moment>,
    /// When it was accepted.
    pub created_at: Moment,
}

impl Fate {
    /// The word on it and when it was said; nothing while it is on its way and nobody has said
    /// anything. One that came to its end with us has a word, too: a cancelled one is of unknown
    /// fate for those who only know carriers' words.
    pub fn word(&self) -> Option<(ReportState, Moment)> {
        if let Some(report) = self.report {
            return Some(report);
        }
        let word = match self.status {
            MessageStatus::Delivered => ReportState::Delivered,
            MessageStatus::Undelivered => ReportState::NotDelivered,
            MessageStatus::Expired => ReportState::Expired,
            MessageStatus::Rejected => ReportState::Rejected,
            MessageStatus::Unknown | MessageStatus::Cancelled => ReportState::Unknown,
            MessageStatus::Scheduled
            | MessageStatus::Accepted
            | MessageStatus::Queued
            | MessageStatus::Submitted => return None,
        };
        Some((word, self.done_at.unwrap_or(self.created_at)))
    }
}

/// A message as the journal shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What became of it.
    pub fate: Fate,
    /// Whose it is.
    pub account: AccountId,
    /// Who it says it is from.
    pub sender: String,
    /// To whom.
    pub recipient: PhoneNumber,
    /// The text, or octets in hexadecimal.
    pub text: String,
    /// What its account paid.
    pub price: Credits,
    /// When it was to be sent.
    pub send_at: Moment,
    /// Segments.
    pub segments: i64,
    /// The country it went to; empty when none.
    pub country: String,
    /// The network it went to, as MCC and MNC; empty when not known.
    pub network: String,
    /// The program that sent it.
    pub connection: String,
    /// Its tag.
    pub label: Option<String>,
    /// The caller's name for it.
    pub foreign_id: Option<String>,
}

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// This one.
    pub id: Option<MessageId>,
    /// To be sent at this moment or later.
    pub from: Option<Moment>,
    /// To be sent earlier than this.
    pub before: Option<Moment>,
    /// With this word on them.
    pub state: Option<ReportState>,
    /// To this recipient.
    pub to: Option<PhoneNumber>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many.
    pub limit: i64,
    /// How many to leave out at the newest end.
    pub offset: i64,
}

/// An account's messages, newest first.
pub async fn sent(conn: &mut Conn, account: AccountId, filter: &Filter, page: Page) -> Result<Vec<Sent>> {
    let mut params: Vec<Value<'_>> = vec![account.0.into(), page.limit.into(), page.offset.into()];
    params.extend(filter.conditions().map(|(_, value)| Value::from(value)));
    conn.query(&statement(filter), &params).await?.into_iter().map(read).collect()
}

/// The columns that [`read`] reads, of messages or of what is called `m` like them.
const COLUMNS: &str =
    "id, status, report, report_at, done_at, created_at, sender, recipient, text, price, send_at,
            network, connection, label, foreign_id, account_id, segments, country";

/// The statement of [`sent`]: `$1` is the account, `$2` and `$3` the page, then come the values of
/// [`Filter::conditions`]. Conditions that are not asked for are left out of the text, so that the
/// engine can choose its index by those that are.
fn statement(filter: &Filter) -> String {
    let places = filter.conditions().zip(4..);
    let mut conditions: String =
        places.map(|((condition, _), place)| format!("\n        and {condition} ${place}")).collect();
    if let Some(state) = filter.state {
        conditions.push_str(&format!("\n        and {}", has_word(state)));
    }
    // The messages to one recipient are few, and found by the index of their tree's recipients; the plus
    // keeps the engine from walking through all of the account's instead.
    let account = if filter.to.is_some() {
        "root_id = (select root_id from accounts where id = $1) and account_id + 0 = $1"
    } else {
        "account_id = $1"
    };
    format!(
        "select {COLUMNS}
        from messages
        where {account}{conditions}
        order by created_at desc, id desc
        limit $2 offset $3"
    )
}

impl Filter {
    fn conditions(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let all = [
            ("id =", self.id.map(|id| id.0)),
            ("recipient =", self.to.map(PhoneNumber::as_i64)),
            ("send_at >=", self.from.map(|at| at.0)),
            ("send_at <", self.before.map(|at| at.0)),
            // Nothing is to be sent before it was accepted: this the index knows.
            ("created_at <", self.before.map(|at| at.0)),
        ];
        all.into_iter().filter_map(|(condition, value)| Some((condition, value?)))
    }
}

/// The condition that a message has this word, as [`Fate::word`] says it. The numbers are ours.
fn has_word(word: ReportState) -> String {
    let has = |status: &MessageStatus| {
        let (id, created_at) = (MessageId(0), Moment(0));
        let fate = Fate { id, status: *status, report: None, done_at: None, created_at };
        fate.word().is_some_and(|(its, _)| its == word)
    };
    let ended = MessageStatus::ALL.into_iter().filter(has).map(|status| status.code().to_string());
    match ended.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => format!("report = {}", word.code()),
        codes => format!("(report = {} or (report is null and status in ({codes})))", word.code()),
    }
}

fn read(mut row: Row) -> Result<Sent> {
    Ok(Sent {
        fate: fate(&row)?,
        sender: row.take_text(6),
        recipient: recipient(row.int(7)?)?,
        text: row.take_text(8),
        price: Credits(row.int(9)?),
        send_at: Moment(row.int(10)?),
        account: AccountId(row.int(15)?),
        segments: row.int(16)?,
        country: row.take_text(17),
        network: row.take_text(11),
        connection: row.take_text(12),
        label: row.opt_text(13)?.filter(|label| !label.is_empty()),
        foreign_id: row.opt_text(14)?.filter(|id| !id.is_empty()),
    })
}

/// What became of those of an account's messages that have these ids, in no order. Ids of other
/// accounts are as unknown as those of none.
pub async fn fates(conn: &mut Conn, account: AccountId, ids: &[i64]) -> Result<Vec<Fate>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "select id, status, report, report_at, done_at, created_at
        from messages
        where id in list($2)
        and account_id = $1";
    conn.query(sql, &[account.0.into(), ids.into()]).await?.iter().map(fate).collect()
}

fn fate(row: &Row) -> Result<Fate> {
    let report = row.opt_int(2)?.and_then(ReportState::from_code);
    let created_at = Moment(row.int(5)?);
    let report_at = row.opt_int(3)?.map(Moment);
    Ok(Fate {
        id: MessageId(row.int(0)?),
        status: status(row.int(1)?)?,
        report: report.map(|state| (state, report_at.unwrap_or(created_at))),
        done_at: row.opt_int(4)?.map(Moment),
        created_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_final_status_has_a_word_and_no_other() {
        for status in MessageStatus::ALL {
            let (id, created_at) = (MessageId(1), Moment(1));
            let fate = Fate { id, status, report: None, done_at: Some(Moment(7)), created_at };
            assert_eq!(fate.word().is_some(), status.is_final(), "{status:?}");
        }
        assert_eq!(has_word(ReportState::Buffered), "report = 2");
        assert_eq!(has_word(ReportState::Unknown), "(report = 8 or (report is null and status in (8, 9)))");
    }

    #[tokio::test]
    async fn no_other_accounts_rows_are_touched() {
        let folder = tempfile::tempdir().unwrap();
        let address = crate::Address::Sqlite(folder.path().join("a.db"));
        let db = crate::Db::open(&address).await.unwrap();
        let mut conn = db.read().await.unwrap();
        let from = Some(Moment(1));
        let to = PhoneNumber::from_i64(4_915_100_000_001);
        let state = Some(ReportState::Delivered);
        #[rustfmt::skip]
        let cases = [
            (Filter::default(),                                        "messages_by_account (account_id=?)"),
            (Filter { from, before: from, state, ..Filter::default() }, "messages_by_account (account_id=? AND created_at<?)"),
            (Filter { id: Some(MessageId(1)), ..Filter::default() },   "INTEGER PRIMARY KEY (rowid=?)"),
            (Filter { to, ..Filter::default() },                       "messages_by_recipient (root_id=? AND recipient=?)"),
            (Filter { to, from, state, ..Filter::default() },          "messages_by_recipient (root_id=? AND recipient=?)"),
        ];
        for (filter, index) in cases {
            let sql = format!("explain query plan {}", statement(&filter));
            let plan: Vec<String> =
                conn.query(&sql, &[]).await.unwrap().iter().map(|row| row.text(3).unwrap()).collect();
            assert!(plan.iter().any(|step| step.contains(index)), "{filter:?}: {plan:?}");
            assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{filter:?}: {plan:?}");
        }
    }
}
