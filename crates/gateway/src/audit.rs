//! The audit log: what operations write into it, in the transaction that changes something (who, what,
//! and the fields that changed; never texts of messages, and no secrets), and the log as a file.
//!
//! An entry is written before whatever makes a new version of the books, because whoever makes one
//! waits for others that do.

use domain::account::Account;
use domain::actor::Actor;
use domain::id::AccountId;
use domain::moment::Moment;
use serde::Serialize;
use serde_json::{Map, Value};
use storage::audit::{self, Deed, Filter};
use storage::{Error, Tx};

use crate::base::Base;
use crate::sheet;

/// The columns of the log as a file.
pub const COLUMNS: [&str; 10] = [
    "time",
    "action",
    "subject",
    "actor_kind",
    "actor",
    "from_account",
    "address",
    "program",
    "before",
    "after",
];
/// Entries in one part of a file.
const PART: i64 = 500;

/// The audit log of an account as CSV, the newest first, part by part: however long it is, it is never
/// in memory as a whole.
pub struct Export {
    base: Base,
    account: AccountId,
    filter: Filter,
    before: Option<i64>,
    begun: bool,
    done: bool,
}

impl Export {
    /// The entries of an account that a filter lets through.
    pub fn of(base: &Base, account: AccountId, filter: Filter) -> Export {
        Export { base: base.clone(), account, filter, before: None, begun: false, done: false }
    }

    /// The next part of the file, the first with the names of the columns; none at its end.
    ///
    /// # Errors
    /// Those of the books. The same part may be asked for again.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        if self.done {
            return Ok(None);
        }
        let mut conn = self.base.db.read().await?;
        let entries = audit::page(&mut conn, self.account, &self.filter, self.before, PART).await?;
        drop(conn);
        let mut text = String::new();
        if !self.begun {
            text.push_str(&sheet::line(COLUMNS.iter().map(|name| (*name).to_owned())));
        }
        for entry in &entries {
            let actor = &entry.actor;
            let above = actor.above.map_or_else(String::new, |above| above.to_string());
            let fields = [
                time(entry.at),
                entry.action.clone(),
                entry.subject.clone(),
                actor.kind.as_str().to_owned(),
                actor.name.clone(),
                above,
                actor.address.clone(),
                actor.agent.clone(),
                entry.before.clone().unwrap_or_default(),
                entry.after.clone().unwrap_or_default(),
            ];
            text.push_str(&sheet::line(fields.iter().map(|field| sheet::harmless(field))));
        }
        self.begun = true;
        self.before = entries.last().map(|entry| entry.id);
        self.done = (entries.len() as i64) < PART;
        Ok(Some(text))
    }
}

/// The fields that something changes, as they were and as they are now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl Changes {
    /// None yet.
    pub fn new() -> Changes {
        Changes::default()
    }

    /// A field, if it changes.
    pub fn field(mut self, name: &str, before: impl Serialize, after: impl Serialize) -> Changes {
        let (before, after) = (value(before), value(after));
        if before != after {
            self.before.insert(name.to_owned(), before);
            self.after.insert(name.to_owned(), after);
        }
        self
    }

    /// A field of something new.
    pub fn new_field(mut self, name: &str, after: impl Serialize) -> Changes {
        let after = value(after);
        if !after.is_null() {
            self.after.insert(name.to_owned(), after);
        }
        self
    }

    /// A field of something that is no more.
    pub fn old_field(mut self, name: &str, before: impl Serialize) -> Changes {
        let before = value(before);
        if !before.is_null() {
            self.before.insert(name.to_owned(), before);
        }
        self
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    fn texts(&self) -> (Option<String>, Option<String>) {
        let text =
            |map: &Map<String, Value>| (!map.is_empty()).then(|| Value::Object(map.clone()).to_string());
        (text(&self.before), text(&self.after))
    }
}

fn value(of: impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}

/// Writes down what is done to an account.
pub(crate) async fn note(
    tx: &mut Tx,
    account: &Account,
    actor: &Actor,
    action: &str,
    subject: &str,
    changes: &Changes,
    now: Moment,
) -> Result<(), Error> {
    note_at(tx, (account.id, account.root()), actor, action, subject, changes, now).await
}

/// As [`note`], of an account and its main account.
pub(crate) async fn note_at(
    tx: &mut Tx,
    account: (AccountId, AccountId),
    actor: &Actor,
    action: &str,
    subject: &str,
    changes: &Changes,
    now: Moment,
) -> Result<(), Error> {
    note_all(tx, &[account], actor, action, subject, changes, now).await
}

/// As [`note_at`], of many accounts.
pub(crate) async fn note_all(
    tx: &mut Tx,
    accounts: &[(AccountId, AccountId)],
    actor: &Actor,
    action: &str,
    subject: &str,
    changes: &Changes,
    now: Moment,
) -> Result<(), Error> {
    let (before, after) = changes.texts();
    let deed = Deed { action, subject, before: before.as_deref(), after: after.as_deref() };
    audit::add_all(tx, accounts, actor, deed, now).await
}

/// An account as others' logs name it: `account 1900002 (Filiale Nord)`.
pub(crate) fn named(account: &Account) -> String {
    format!("account {} ({})", account.id, account.name())
}

/// A moment as logs show it.
pub(crate) fn time(moment: Moment) -> String {
    let time = jiff::Timestamp::from_microsecond(moment.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{time:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_written() {
        let changes = Changes::new().field("a", 1, 1).field("b", "x", "y").new_field("c", None::<i64>);
        assert_eq!(changes.texts(), (Some(r#"{"b":"x"}"#.to_owned()), Some(r#"{"b":"y"}"#.to_owned())));
        assert!(Changes::new().field("a", true, true).is_empty());
    }
}
