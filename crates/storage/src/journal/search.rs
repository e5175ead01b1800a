//! Looking for messages in the journal of an account or a tree, newest first, with a bound on the work of
//! one request: however many there are, it looks at so many and says how far back it has come.

use std::fmt;
use std::str::FromStr;

use domain::account::Account;
use domain::id::{AccountId, MessageId};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;

use super::{COLUMNS, Sent, read};
use crate::accounts::{path_text, within};
use crate::db::{Conn, Result, Value};

/// How many messages one request looks at.
pub const BUDGET: i64 = 10_000;
/// Up to so many accounts below are looked through each by itself; of more, the whole tree is.
const EACH_MAX: usize = 64;

/// Whose messages.
#[expect(clippy::large_enum_variant, reason = "made once a question, never held in numbers")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One account's alone.
    One(AccountId),
    /// Those that somebody in `asker`, which is the account or stands above it, may look at without being
    /// asked in.
    Open {
        /// The account.
        node: Account,
        /// Whether also those of all below it.
        tree: bool,
        /// Where they look from. Its own messages are theirs to read.
        asker: AccountId,
    },
}

/// That account `of` may be looked into from above without anybody being asked or told: it is open, or has
/// no members who could be asked; and it is not closed.
fn is_open(of: &str) -> String {
    format!(
        "exists (select 1 from accounts o where o.id = {of} and o.state <> 3
            and (o.access = 0 or not exists (select 1 from members x where x.account_id = o.id)))"
    )
}

/// How many accounts among a node and those below it may not be looked into without asking or telling
/// somebody, at most `max`; `asker` and those that are closed do not count.
pub async fn left_out(conn: &mut Conn, node: &Account, asker: AccountId, max: i64) -> Result<i64> {
    let path = path_text(&node.path);
    let sql = format!(
        "select count(*) from (select 1 from accounts o
        where o.root_id = $1 and {} and o.access <> 0 and o.state <> 3 and o.id <> $3
            and exists (select 1 from members x where x.account_id = o.id)
        limit $4) n",
        within("o.path", "cast($2 as text)")
    );
    let params = [node.root().0.into(), Value::from(&path), asker.0.into(), max.into()];
    conn.number(&sql, &params).await
}

/// To whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// This number.
    Exactly(PhoneNumber),
    /// Numbers that begin with these digits, the calling code first.
    Beginning(u64),
}

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Accepted at this moment or later.
    pub from: Option<Moment>,
    /// Accepted earlier than this.
    pub before: Option<Moment>,
    /// In one of these states; none is any.
    pub status: Vec<MessageStatus>,
    /// To whom.
    pub recipient: Option<Recipient>,
    /// From this sender.
    pub sender: Option<String>,
    /// To this country's two letters.
    pub country: Option<String>,
    /// With this label; empty is without any.
    pub label: Option<String>,
}

/// A place in a journal: further pages begin below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the message there was accepted.
    pub at: Moment,
    /// The message.
    pub id: MessageId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.0, self.id)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Cursor, ()> {
        let (at, id) = text.split_once('-').ok_or(())?;
        let number = |text: &str| text.parse::<i64>().map_err(drop);
        Ok(Cursor { at: Moment(number(at)?), id: MessageId(number(id)?) })
    }
}

/// A page of what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The messages, newest first.
    pub messages: Vec<Sent>,
    /// Where to go on; nothing when that was all.
    pub next: Option<Cursor>,
    /// When the page is not full though there may be more: how far back the search has come.
    pub searched_to: Option<Moment>,
}

/// The messages of an account or a tree that fit, newest first, below `after`, at most `limit`.
pub async fn search(
    conn: &mut Conn,
    whose: &Whose,
    search: &Search,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Found> {
    search_within(conn, whose, search, after, limit, BUDGET).await
}

/// As [`search`], looking at so many messages at the most.
pub async fn search_within(
    conn: &mut Conn,
    whose: &Whose,
    search: &Search,
    after: Option<Cursor>,
    limit: i64,
    budget: i64,
) -> Result<Found> {
    let asker = match whose {
        Whose::Open { asker, .. } => Some(*asker),
        Whose::One(_) => None,
    };
    let sources = sources(conn, whose, search, asker).await?;
    if sources.is_empty() {
        return Ok(Found { messages: Vec::new(), next: None, searched_to: None });
    }
    let budget = (budget / sources.len() as i64).max(limit + 1);
    let mut messages = Vec::new();
    // Nothing that lies further back than the latest place where a source gave up is known whole.
    let mut frontier: Option<Cursor> = None;
    for source in &sources {
        let (found, gave_up) = source.look(conn, search, asker, after, limit + 1, budget).await?;
        messages.extend(found);
        frontier = frontier.max(gave_up);
    }
    messages.retain(|sent| frontier.is_none_or(|frontier| place(sent) >= frontier));
    messages.sort_by_key(|sent| std::cmp::Reverse(place(sent)));
    let limit = usize::try_from(limit).unwrap_or(0);
    if messages.len() > limit {
        messages.truncate(limit);
        let next = messages.last().map(place);
        return Ok(Found { messages, next, searched_to: None });
    }
    Ok(Found { messages, next: frontier, searched_to: frontier.map(|frontier| frontier.at) })
}

fn place(sent: &Sent) -> Cursor {
    Cursor { at: sent.fate.created_at, id: sent.fate.id }
}

/// Rows that lie in the order of their time in one index.
enum Source {
    /// The messages of an account.
    Account(AccountId),
    /// Those of a tree, or of what is below a path of it.
    Tree(AccountId, Option<String>),
    /// Those to a number from a tree, or from one account or what is below a path of it.
    To(AccountId, i64, Option<AccountId>, Option<String>),
}

async fn sources(
    conn: &mut Conn,
    whose: &Whose,
    search: &Search,
    asker: Option<AccountId>,
) -> Result<Vec<Source>> {
    if let Some(Recipient::Exactly(number)) = search.recipient {
        let number = number.as_i64();
        return Ok(vec![match whose {
            Whose::Open { node, tree: true, .. } => Source::To(node.root(), number, None, below(node)),
            Whose::Open { node, .. } => Source::To(node.root(), number, Some(node.id), None),
            Whose::One(account) => {
                let sql = "select root_id from accounts where id = $1";
                let root = AccountId(conn.number(sql, &[account.0.into()]).await?);
                Source::To(root, number, Some(*account), None)
            }
        }]);
    }
    let node = match whose {
        Whose::One(account) => return Ok(vec![Source::Account(*account)]),
        Whose::Open { node, tree: false, .. } => return Ok(vec![Source::Account(node.id)]),
        Whose::Open { node, .. } => node,
    };
    // Accounts that are not open would have their messages walked through for nothing.
    let open = asker.map_or_else(String::new, |asker| {
        format!("and (accounts.id = {asker} or {})", is_open("accounts.id"))
    });
    let path = path_text(&node.path);
    if node.parent.is_some() {
        let sql = format!(
            "select id from accounts where root_id = $1 and {} {open} limit $3",
            within("path", "cast($2 as text)")
        );
        let params = [node.root().0.into(), Value::from(&path), (EACH_MAX as i64 + 1).into()];
        let ids = conn.query(&sql, &params).await?;
        if ids.len() <= EACH_MAX {
            return ids.iter().map(|row| Ok(Source::Account(AccountId(row.int(0)?)))).collect();
        }
    }
    Ok(vec![Source::Tree(node.root(), below(node))])
}

/// The path that those below a node begin with; of a main account all do.
fn below(node: &Account) -> Option<String> {
    node.parent.is_some().then(|| path_text(&node.path))
}

impl Source {
    /// Up to `limit` messages that fit, and where it gave up if it did.
    async fn look(
        &self,
        conn: &mut Conn,
        search: &Search,
        asker: Option<AccountId>,
        after: Option<Cursor>,
        limit: i64,
        budget: i64,
    ) -> Result<(Vec<Sent>, Option<Cursor>)> {
        let mut asked = Asked::default();
        let inner = self.rows(&mut asked, search, after);
        let budget_at = asked.param(budget.into());
        let walked = asked.params.clone();
        let mut fits = self.fits(&mut asked, search);
        if let Some(asker) = asker {
            fits += &format!(" and (m.account_id = {asker} or {})", is_open("m.account_id"));
        }
        let limit_at = asked.param(limit.into());
        // SQLite gives the rows in the order of the inner statement, and an order here would have it read
        // all of them. PostgreSQL may join the accounts in any order, so it has to be told.
        let order = if conn.is_sqlite() { "" } else { "order by created_at desc, id desc" };
        let sql = format!(
            "select {COLUMNS} from (
            select {COLUMNS} from messages where {inner}
            order by created_at desc, id desc limit {budget_at}) m
        where {fits} {order} limit {limit_at}"
        );
        let found = conn.query(&sql, &asked.params).await?;
        let found = found.into_iter().map(read).collect::<Result<Vec<Sent>>>()?;
        if found.len() as i64 >= limit {
            return Ok((found, None));
        }
        let sql = format!(
            "select created_at, id from messages where {inner}
            order by created_at desc, id desc limit 1 offset {budget_at} - 1"
        );
        let last = conn.one(&sql, &walked).await?;
        let place = |row: crate::db::Row| Ok(Cursor { at: Moment(row.int(0)?), id: MessageId(row.int(1)?) });
        Ok((found, last.map(place).transpose()?))
    }

    /// The condition on the rows that are walked through, which an index serves.
    fn rows<'a>(&'a self, asked: &mut Asked<'a>, search: &'a Search, after: Option<Cursor>) -> String {
        let mut rows = match self {
            Source::Account(account) => format!("account_id = {}", asked.param(account.0.into())),
            Source::Tree(root, _) => format!("root_id = {}", asked.param(root.0.into())),
            Source::To(root, number, ..) => {
                let root = asked.param(root.0.into());
                format!("root_id = {root} and recipient = {}", asked.param((*number).into()))
            }
        };
        if let Some(from) = search.from {
            rows += &format!(" and created_at >= {}", asked.param(from.0.into()));
        }
        if let Some(before) = search.before {
            rows += &format!(" and created_at < {}", asked.param(before.0.into()));
        }
        if let Some(Cursor { at, id }) = after {
            let at = asked.param(at.0.into());
            let id = asked.param(id.0.into());
            rows += &format!(" and created_at <= {at} and (created_at < {at} or id < {id})");
        }
        rows
    }

    /// The condition that is put to each row.
    fn fits<'a>(&'a self, asked: &mut Asked<'a>, search: &'a Search) -> String {
        let mut fits = vec!["1 = 1".to_owned()];
        if let Source::To(_, _, Some(account), _) = self {
            fits.push(format!("account_id = {}", asked.param(account.0.into())));
        }
        if let Source::Tree(root, Some(path)) | Source::To(root, _, _, Some(path)) = self {
            let root = asked.param(root.0.into());
            let path = asked.param(path.into());
            fits.push(format!(
                "account_id in (select id from accounts where root_id = {root} and {})",
                within("path", &path)
            ));
        }
        if !search.status.is_empty() {
            // The numbers are ours.
            let codes: Vec<String> = search.status.iter().map(|status| status.code().to_string()).collect();
            fits.push(format!("status in ({})", codes.join(", ")));
        }
        if let Some(Recipient::Beginning(digits)) = search.recipient {
            fits.push(beginning(digits));
        }
        for (column, wanted) in [("sender", &search.sender), ("country", &search.country)] {
            if let Some(wanted) = wanted {
                fits.push(format!("{column} = {}", asked.param(wanted.into())));
            }
        }
        if let Some(label) = &search.label {
            fits.push(format!("coalesce(label, '') = {}", asked.param(label.into())));
        }
        fits.join(" and ")
    }
}

#[derive(Default)]
struct Asked<'a> {
    params: Vec<Value<'a>>,
}

impl<'a> Asked<'a> {
    /// The place of a parameter, written so that PostgreSQL knows its type wherever it stands.
    fn param(&mut self, value: Value<'a>) -> String {
        let kind = if matches!(value, Value::Int(_)) { "bigint" } else { "text" };
        self.params.push(value);
        format!("cast(${} as {kind})", self.params.len())
    }
}

/// Numbers of any length that begin with these digits. The numbers in the text are ours.
fn beginning(digits: u64) -> String {
    let mut ranges = Vec::new();
    let (mut low, mut past) = (i128::from(digits), i128::from(digits) + 1);
    while low < 1_000_000_000_000_000 {
        if past > 1_000_000 {
            ranges.push(format!("(recipient >= {low} and recipient < {past})"));
        }
        (low, past) = (low * 10, past * 10);
        if low == 0 {
            break;
        }
    }
    if ranges.is_empty() { "1 = 0".to_owned() } else { format!("({})", ranges.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let cursor = Cursor { at: Moment(1_780_000_000_000_000), id: MessageId(77_000_000_001) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!("".parse::<Cursor>().is_err() && "1-x".parse::<Cursor>().is_err());
    }

    #[test]
    fn a_beginning_is_a_range_for_each_length() {
        assert!(beginning(49).contains("(recipient >= 490000000000 and recipient < 500000000000)"));
        assert!(
            beginning(491_701_234_567)
                .starts_with("((recipient >= 491701234567 and recipient < 491701234568)")
        );
        assert_eq!(beginning(1_000_000_000_000_000), "1 = 0");
        assert_eq!(beginning(0), "1 = 0");
    }
}
