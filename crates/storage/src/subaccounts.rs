//! The accounts below one as a table: searched, filtered, sorted by any column, page by page. Reads only.
//!
//! One statement walks through the accounts in question for what they are sorted and chosen by, and
//! gives the numbers of a page; a second one reads the rest for those alone.

use std::collections::{BTreeSet, HashMap};

use domain::account::{Account, AccountState, effective};
use domain::credits::Credits;
use domain::id::AccountId;
use domain::moment::Moment;

use crate::accounts;
use crate::db::{Conn, Result, Row, Value};
use crate::rollups;
use crate::statistics::Counts;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subaccount {
    /// The account.
    pub account: Account,
    /// How far below the one asked about: 1 is right below.
    pub depth: usize,
    /// The state that counts: the worst on the path.
    pub effective: AccountState,
    /// What its wallet holds.
    pub wallet: Credits,
    /// What free credit it has.
    pub promo: Credits,
    /// What it used in the last thirty days, today included.
    pub recent: Counts,
    /// What it has used in all.
    pub ever: Counts,
    /// When it sent last.
    pub last_at: Option<Moment>,
    /// How many members it has.
    pub members: i64,
    /// How many accounts stand right below it.
    pub children: i64,
}

impl Subaccount {
    /// What it holds, free credit included.
    pub fn balance(&self) -> Credits {
        Credits(self.wallet.0.saturating_add(self.promo.0))
    }
}

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// The company's name, or the owner's where there is none, whatever its case.
    #[default]
    Name,
    /// When it was created.
    Created,
    /// What it holds, free credit included.
    Balance,
    /// Messages of the last thirty days.
    Messages,
    /// What they cost.
    Cost,
    /// How many of them arrived; accounts of which nothing is known come last either way.
    Delivery,
    /// Its own state.
    State,
    /// How many members it has.
    Members,
    /// When it sent last.
    LastSent,
}

impl Sort {
    /// All.
    pub const ALL: [Sort; 9] = [
        Sort::Name,
        Sort::Created,
        Sort::Balance,
        Sort::Messages,
        Sort::Cost,
        Sort::Delivery,
        Sort::State,
        Sort::Members,
        Sort::LastSent,
    ];

    /// The word of URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Created => "created",
            Sort::Balance => "balance",
            Sort::Messages => "messages",
            Sort::Cost => "cost",
            Sort::Delivery => "delivery",
            Sort::State => "state",
            Sort::Members => "members",
            Sort::LastSent => "last_sent",
        }
    }

    /// The column a word names.
    pub fn parse(word: &str) -> Option<Sort> {
        Sort::ALL.into_iter().find(|sort| sort.as_str() == word)
    }
}

/// Which accounts, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Whether also those further down.
    pub all_below: bool,
    /// Only those whose company, owner, e-mail address or number holds this, whatever its case.
    pub search: String,
    /// Only those with this state of their own; none is all that are not closed.
    pub state: Option<AccountState>,
    /// Only those that have less left than a week of their last thirty days used.
    pub low: bool,
    /// The order.
    pub sort: Sort,
    /// Whether the greatest come first.
    pub descending: bool,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            all_below: false,
            search: String::new(),
            state: None,
            low: false,
            sort: Sort::Name,
            descending: false,
        }
    }
}

/// A page of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Subaccount>,
    /// How many rows the whole table has.
    pub total: i64,
    /// Where the next page begins; nothing when this is the last one.
    pub next: Option<String>,
}

/// A page of the accounts below `node`. `since` is the first of the thirty days that end today; `after` is
/// the [`Page::next`] of the page before. One that cannot be read begins anew.
pub async fn page(
    conn: &mut Conn,
    node: &Account,
    table: &Table,
    since: i64,
    after: Option<&str>,
    limit: i64,
) -> Result<Page> {
    let behind = rollups::is_behind(conn, node.root(), since).await?;
    let mut asked = Asked { sqlite: conn.is_sqlite(), behind, since, params: Vec::new() };
    let (pattern, path) = (pattern(&table.search), accounts::path_text(&node.path));
    let (from, fits) = chosen(&mut asked, node, &path, table, &pattern);
    let key = asked.key(table);
    let cursor = after.and_then(|text| Cursor::read(text, table.sort));
    if table.low || pattern != "%%" {
        // Each account is looked at, and few are left: once is enough.
        let (from, order) = (format!("{from} where {fits}"), table.descending);
        return few(conn, node, &asked, &from, &key, order, cursor, table.sort, since, limit).await;
    }
    let counted = format!("select count(*) from {from} where {fits}");
    let total = conn.number(&counted, &asked.params).await?;
    // Numbers are sorted by numbers, the name by its bytes; the number of the account decides between
    // equals.
    let (order, than) = if table.descending { ("desc", "<") } else { ("asc", ">") };
    let after = match &cursor {
        None => String::new(),
        Some(Cursor { key: value, id }) => {
            let value = match value {
                Key::Number(n) => asked.param(Value::Int(*n)),
                Key::Text(text) => asked.param(Value::from(text)),
            };
            let id = asked.param(Value::Int(*id));
            format!("and {key} {than}= {value} and ({key} {than} {value} or a.id {than} {id})")
        }
    };
    let at_most = asked.param((limit + 1).into());
    let sql = format!(
        "select a.id, {key} from {from} where {fits} {after} order by 2 {order}, 1 {order} limit {at_most}"
    );
    let mut found = conn.query(&sql, &asked.params).await?;
    let more = found.len() as i64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(0));
    let next = match found.last() {
        Some(last) if more => Some(Cursor::of(last, table.sort)?.write()),
        _ => None,
    };
    let ids: Vec<i64> = found.iter().map(|row| row.int(0)).collect::<Result<_>>()?;
    let rows = rows(conn, node, &ids, since).await?;
    Ok(Page { rows, total, next })
}

/// A page of a table whose rows are all read, so that they are counted on the way.
#[expect(clippy::too_many_arguments, reason = "one step of page(), apart for reading")]
async fn few(
    conn: &mut Conn,
    node: &Account,
    asked: &Asked<'_>,
    from: &str,
    key: &str,
    descending: bool,
    cursor: Option<Cursor>,
    sort: Sort,
    since: i64,
    limit: i64,
) -> Result<Page> {
    let sql = format!("select a.id, {key} from {from}");
    let mut all: Vec<Cursor> = Vec::new();
    conn.scan(&sql, &asked.params, |row| {
        all.push(Cursor::of(row, sort)?);
        Ok(())
    })
    .await?;
    let total = all.len() as i64;
    all.sort_unstable();
    if descending {
        all.reverse();
    }
    let begin = cursor.map_or(0, |cursor| {
        all.partition_point(|row| if descending { *row >= cursor } else { *row <= cursor })
    });
    let (rest, limit) = (&all[begin..], usize::try_from(limit).unwrap_or(0));
    let next = (rest.len() > limit).then(|| rest[limit - 1].write());
    let ids: Vec<i64> = rest.iter().take(limit).map(|row| row.id).collect();
    Ok(Page { rows: rows(conn, node, &ids, since).await?, total, next })
}

/// How many rows the table has.
pub async fn count(conn: &mut Conn, node: &Account, table: &Table, since: i64) -> Result<i64> {
    let behind = rollups::is_behind(conn, node.root(), since).await?;
    let mut asked = Asked { sqlite: conn.is_sqlite(), behind, since, params: Vec::new() };
    let (pattern, path) = (pattern(&table.search), accounts::path_text(&node.path));
    let (from, fits) = chosen(&mut asked, node, &path, table, &pattern);
    conn.number(&format!("select count(*) from {from} where {fits}"), &asked.params).await
}

/// Whether there is any account right below one that is not closed.
pub async fn any(conn: &mut Conn, id: AccountId) -> Result<bool> {
    let sql = "select 1 from accounts where parent_id = $1 and state <> 3 limit 1";
    Ok(conn.one(sql, &[id.0.into()]).await?.is_some())
}

/// Those of these accounts that have accounts right below them which are not closed.
pub async fn with_children(conn: &mut Conn, ids: &[i64]) -> Result<BTreeSet<AccountId>> {
    let sql = "select distinct parent_id from accounts where parent_id in list($1) and state <> 3";
    conn.query(sql, &[ids.into()]).await?.iter().map(|row| row.int(0).map(AccountId)).collect()
}

/// What a text is searched by, for `like`.
fn pattern(search: &str) -> String {
    let folded = search.trim().to_lowercase();
    format!("%{}%", folded.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// The row of one account, whatever its state.
pub async fn one(conn: &mut Conn, node: &Account, id: AccountId, since: i64) -> Result<Option<Subaccount>> {
    Ok(rows(conn, node, &[id.0], since).await?.pop())
}

/// Where the rows come from, and the condition on them.
fn chosen<'a>(
    asked: &mut Asked<'a>,
    node: &Account,
    path: &'a str,
    table: &Table,
    pattern: &'a str,
) -> (String, String) {
    let mut from = "accounts a".to_owned();
    let money = table.low || table.sort == Sort::Balance;
    let usage =
        table.low || matches!(table.sort, Sort::Messages | Sort::Cost | Sort::Delivery | Sort::LastSent);
    if money {
        from += " left join ledger_accounts w on w.id = 1000 + a.id * 2
            left join ledger_accounts p on p.id = 1001 + a.id * 2";
    }
    if usage {
        from += " left join account_usage u on u.account_id = a.id and u.outcome = 0";
        if !asked.sqlite {
            from += " left join account_usage v on v.account_id = a.id and v.outcome = 1";
        }
    }
    let mut fits = if table.all_below {
        let (root, id) = (asked.param(node.root().0.into()), asked.param(node.id.0.into()));
        let path = asked.param(path.into());
        format!("a.root_id = {root} and a.id <> {id} and {}", accounts::within("a.path", &path))
    } else {
        format!("a.parent_id = {}", asked.param(node.id.0.into()))
    };
    match table.state {
        // The numbers are ours.
        Some(state) => fits += &format!(" and a.state = {}", state.code()),
        None => fits += &format!(" and a.state <> {}", AccountState::Closed.code()),
    }
    if pattern != "%%" {
        fits += &format!(" and a.search like {} escape '\\'", asked.param(pattern.into()));
    }
    if table.low {
        fits += &format!(
            " and a.credit_line + coalesce(w.balance, 0) + coalesce(p.balance, 0) < {} * 7 / 30",
            asked.spent()
        );
    }
    (from, fits)
}

struct Asked<'a> {
    sqlite: bool,
    /// Whether the beginning of the thirty days of some account has still to be moved.
    behind: bool,
    /// Where the thirty days begin: a number of ours, written into the text.
    since: i64,
    params: Vec<Value<'a>>,
}

impl<'a> Asked<'a> {
    fn param(&mut self, value: Value<'a>) -> String {
        let kind = if matches!(value, Value::Int(_)) { "bigint" } else { "text" };
        self.params.push(value);
        format!("cast(${} as {kind})", self.params.len())
    }

    /// A count of the last thirty days.
    fn recent(&self, column: &str) -> String {
        let of = |usage: &str| {
            let mut count = format!("coalesce({usage}.{column} - {usage}.{column}_before, 0)");
            if self.behind {
                // What has left the thirty days since their beginning was moved last, and what has come
                // back when the clock was set back.
                let and =
                    if self.sqlite { String::new() } else { format!(" and s.outcome = {usage}.outcome") };
                let since = &self.since;
                count = format!(
                    "({count}
                - coalesce((select cast(sum(s.{column}) as bigint) from statistics s where s.account_id = a.id
                    and s.day >= {usage}.since_day and s.day < {since}{and}), 0)
                + coalesce((select cast(sum(s.{column}) as bigint) from statistics s where s.account_id = a.id
                    and s.day >= {since} and s.day < {usage}.since_day{and}), 0))"
                );
            }
            count
        };
        if self.sqlite { of("u") } else { format!("({} + {})", of("u"), of("v")) }
    }

    fn spent(&self) -> String {
        format!("({} - {})", self.recent("cost"), self.recent("refunds"))
    }

    /// What the rows are sorted by.
    fn key(&self, table: &Table) -> String {
        match table.sort {
            Sort::Name => "a.name_folded".to_owned(),
            Sort::Created => "a.id".to_owned(),
            Sort::Balance => "(coalesce(w.balance, 0) + coalesce(p.balance, 0))".to_owned(),
            Sort::Messages => self.recent("accepted"),
            Sort::Cost => self.spent(),
            Sort::Delivery => {
                let (delivered, failed) = (self.recent("delivered"), self.recent("failed"));
                // Nothing known comes last.
                let nothing = if table.descending { -1 } else { 1_000_001 };
                format!(
                    "(case when {delivered} + {failed} <= 0 then {nothing}
                    else {delivered} * 1000000 / ({delivered} + {failed}) end)"
                )
            }
            Sort::State => "a.state".to_owned(),
            Sort::Members => "(select count(*) from members m where m.account_id = a.id)".to_owned(),
            Sort::LastSent => "coalesce(u.last_at, 0)".to_owned(),
        }
    }
}

/// What a row is sorted by: names by their bytes, as the books do.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}

/// Where a row stands, or a page ended.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    key: Key,
    id: i64,
}

impl Cursor {
    fn of(row: &Row, sort: Sort) -> Result<Cursor> {
        let key = if sort == Sort::Name { Key::Text(row.text(1)?) } else { Key::Number(row.int(1)?) };
        Ok(Cursor { key, id: row.int(0)? })
    }

    fn write(&self) -> String {
        match &self.key {
            Key::Number(n) => format!("{}.{n}", self.id),
            Key::Text(text) => format!("{}.{text}", self.id),
        }
    }

    fn read(text: &str, sort: Sort) -> Option<Cursor> {
        let (id, key) = text.split_once('.')?;
        let key = match sort {
            Sort::Name => Key::Text(key.to_owned()),
            _ => Key::Number(key.parse().ok()?),
        };
        Some(Cursor { key, id: id.parse().ok()? })
    }
}

/// The rows of these accounts, in the order given.
async fn rows(conn: &mut Conn, node: &Account, ids: &[i64], since: i64) -> Result<Vec<Subaccount>> {
    let mut accounts: HashMap<i64, Account> =
        accounts::find_all(conn, ids).await?.into_iter().map(|account| (account.id.0, account)).collect();
    let balances = accounts::balances(conn, ids).await?;
    let usage = usage(conn, ids, since).await?;
    let members =
        counts(conn, "select account_id, count(*) from members where account_id in list($1) group by 1", ids)
            .await?;
    let sql =
        "select parent_id, count(*) from accounts where parent_id in list($1) and state <> 3 group by 1";
    let children = counts(conn, sql, ids).await?;
    let path: std::collections::BTreeSet<i64> =
        accounts.values().flat_map(|account| account.path.iter().map(|id| id.0)).collect();
    let path: Vec<i64> = path.into_iter().collect();
    let states = accounts::states(conn, &path).await?;
    let row = |id: &i64| {
        let account = accounts.remove(id)?;
        let state = |id: &AccountId| states.get(id).copied().unwrap_or(AccountState::Closed);
        let (wallet, promo) = balances.get(&account.id).copied().unwrap_or_default();
        let (recent, ever) = usage.get(id).copied().unwrap_or_default();
        Some(Subaccount {
            depth: account.path.len().saturating_sub(node.path.len()),
            effective: effective(account.path.iter().map(state)),
            wallet,
            promo,
            recent,
            ever,
            last_at: Some(ever.last_at).filter(|at| at.0 > 0),
            members: members.get(id).copied().unwrap_or(0),
            children: children.get(id).copied().unwrap_or(0),
            account,
        })
    };
    Ok(ids.iter().filter_map(row).collect())
}

async fn counts(conn: &mut Conn, sql: &str, ids: &[i64]) -> Result<HashMap<i64, i64>> {
    conn.query(sql, &[ids.into()]).await?.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
}

/// What these accounts have used since a date, and ever.
pub async fn usage(conn: &mut Conn, ids: &[i64], since: i64) -> Result<HashMap<i64, (Counts, Counts)>> {
    let sql =
        "select account_id, since_day, accepted, segments, delivered, failed, cost, refunds, accepted_before,
            segments_before, delivered_before, failed_before, cost_before, refunds_before, last_at, outcome
        from account_usage where account_id in list($1)";
    let mut usage: HashMap<i64, (Counts, Counts)> = HashMap::with_capacity(ids.len());
    let mut behind = Vec::new();
    for row in conn.query(sql, &[ids.into()]).await? {
        let id = row.int(0)?;
        let (mut ever, before) = (Counts::read(&row, 2)?, Counts::read(&row, 8)?);
        ever.last_at = Moment(row.int(14)?);
        let of_account = usage.entry(id).or_default();
        of_account.1.add(&ever);
        of_account.0.add(&ever);
        of_account.0.subtract(&before);
        if row.int(1)? != since {
            behind.push((id, row.int(1)?, row.int(15)?));
        }
    }
    let of_outcome = if conn.is_sqlite() { "" } else { "and outcome = $4" };
    for (id, was, outcome) in behind {
        let sql = format!(
            "select cast(coalesce(sum(accepted), 0) as bigint), cast(coalesce(sum(segments), 0) as bigint),
                cast(coalesce(sum(delivered), 0) as bigint), cast(coalesce(sum(failed), 0) as bigint),
                cast(coalesce(sum(cost), 0) as bigint), cast(coalesce(sum(refunds), 0) as bigint)
            from statistics where account_id = $1 and day >= $2 and day < $3 {of_outcome}"
        );
        let mut params: Vec<Value<'_>> = vec![id.into(), was.min(since).into(), was.max(since).into()];
        if !conn.is_sqlite() {
            params.push(outcome.into());
        }
        let Some(row) = conn.one(&sql, &params).await? else { continue };
        let difference = Counts::read(&row, 0)?;
        let recent = &mut usage.entry(id).or_default().0;
        if was < since { recent.subtract(&difference) } else { recent.add(&difference) }
    }
    Ok(usage)
}
