//! The audit log: who did what to an account. Only ever added to; the database itself refuses the
//! rest.

use domain::account::Account;
use domain::actor::{Actor, ActorKind};
use domain::id::AccountId;
use domain::moment::Moment;

use crate::counters;
use crate::db::{Bulk, Conn, Error, Kind, Result, Row, Tx, Value};

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; later entries have greater ones.
    pub id: i64,
    /// The account it was done to.
    pub account: AccountId,
    /// Who did it.
    pub actor: Actor,
    /// What, as `noun.verb`: `key.create`, `account.suspend`.
    pub action: String,
    /// To which of the account's things, in words: `key 12 (shop)`.
    pub subject: String,
    /// The fields that changed as they were, a JSON object.
    pub before: Option<String>,
    /// And as they are now.
    pub after: Option<String>,
    /// When.
    pub at: Moment,
}

/// What was done, as it is handed to [`add`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Deed<'a> {
    /// What, as `noun.verb`.
    pub action: &'a str,
    /// To which of the account's things, in words.
    pub subject: &'a str,
    /// The fields that changed as they were, a JSON object.
    pub before: Option<&'a str>,
    /// And as they are now.
    pub after: Option<&'a str>,
}

static ADD: Bulk = Bulk::insert(
    "audit",
    &[
        ("id", Kind::Int),
        ("account_id", Kind::Int),
        ("root_id", Kind::Int),
        ("actor_kind", Kind::Int),
        ("actor_id", Kind::Int),
        ("actor_name", Kind::Text),
        ("above_id", Kind::Int),
        ("visit_id", Kind::Int),
        ("action", Kind::Text),
        ("subject", Kind::Text),
        ("before", Kind::Text),
        ("after", Kind::Text),
        ("address", Kind::Text),
        ("agent", Kind::Text),
        ("created_at", Kind::Int),
    ],
    "",
);

/// Writes down that something was done to an account, in the transaction that does it.
pub async fn add(tx: &mut Tx, account: &Account, actor: &Actor, deed: Deed<'_>, now: Moment) -> Result<()> {
    add_at(tx, (account.id, account.root()), actor, deed, now).await
}

/// What concerns the installation and no account is kept under this one.
pub const INSTALLATION: (AccountId, AccountId) = (AccountId(0), AccountId(0));

/// As [`add`], of an account and its main account.
pub async fn add_at(
    tx: &mut Tx,
    account: (AccountId, AccountId),
    actor: &Actor,
    deed: Deed<'_>,
    now: Moment,
) -> Result<()> {
    add_all(tx, &[account], actor, deed, now).await
}

/// Writes down that the same was done to many accounts, each with its main account.
pub async fn add_all(
    tx: &mut Tx,
    accounts: &[(AccountId, AccountId)],
    actor: &Actor,
    deed: Deed<'_>,
    now: Moment,
) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let first = counters::draw(tx, "id", accounts.len() as i64).await?;
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(accounts.len() * 15);
    for (id, (account, root)) in (first..).zip(accounts) {
        cells.extend([
            id.into(),
            account.0.into(),
            root.0.into(),
            actor.kind.code().into(),
            actor.id.into(),
            Value::from(&actor.name),
            actor.above.map(|a| a.0).into(),
            actor.visit.into(),
            deed.action.into(),
            deed.subject.into(),
            deed.before.into(),
            deed.after.into(),
            Value::from(&actor.address),
            Value::from(&actor.agent),
            now.0.into(),
        ]);
    }
    tx.bulk(&ADD, &cells).await
}

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Done at this moment or later.
    pub from: Option<Moment>,
    /// Done earlier than this.
    pub before: Option<Moment>,
    /// With an action that begins so: `key.` or `key.create`.
    pub action: Option<String>,
    /// By an actor whose name holds this, whatever its case.
    pub actor: Option<String>,
    /// Only what was done from above.
    pub from_above: bool,
}

/// The entries of an account before one of them, the newest first.
pub async fn page(
    conn: &mut Conn,
    account: AccountId,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let mut sql = "select id, account_id, actor_kind, actor_id, actor_name, above_id, visit_id, action, subject, before, after,
            address, agent, created_at
        from audit where account_id = $1"
        .to_owned();
    let mut params: Vec<Value<'_>> = vec![account.0.into()];
    let (action, actor);
    if let Some(id) = before {
        params.push(id.into());
        sql.push_str(&format!(" and id < ${}", params.len()));
    }
    if let Some(from) = filter.from {
        params.push(from.0.into());
        sql.push_str(&format!(" and created_at >= ${}", params.len()));
    }
    if let Some(end) = filter.before {
        params.push(end.0.into());
        sql.push_str(&format!(" and created_at < ${}", params.len()));
    }
    if let Some(wanted) = &filter.action {
        action = wanted.to_lowercase();
        params.push(Value::from(&action));
        let place = params.len();
        sql.push_str(&format!(" and substr(action, 1, length(${place})) = ${place}"));
    }
    if let Some(wanted) = &filter.actor {
        actor = wanted.to_lowercase();
        params.push(Value::from(&actor));
        let place = params.len();
        sql.push_str(&format!(" and replace(lower(actor_name), ${place}, '') <> lower(actor_name)"));
    }
    if filter.from_above {
        sql.push_str(" and above_id is not null");
    }
    params.push(limit.into());
    sql.push_str(&format!(" order by id desc limit ${}", params.len()));
    conn.query(&sql, &params).await?.into_iter().map(entry).collect()
}

fn entry(mut row: Row) -> Result<Entry> {
    let kind = row.int(2)?;
    Ok(Entry {
        id: row.int(0)?,
        account: AccountId(row.int(1)?),
        actor: Actor {
            kind: ActorKind::from_code(kind).ok_or_else(|| Error::unreadable("audit.actor_kind", kind))?,
            id: row.opt_int(3)?,
            name: row.take_text(4),
            above: row.opt_int(5)?.map(AccountId),
            visit: row.opt_int(6)?,
            address: row.take_text(11),
            agent: row.take_text(12),
        },
        action: row.take_text(7),
        subject: row.take_text(8),
        before: row.opt_text(9)?,
        after: row.opt_text(10)?,
        at: Moment(row.int(13)?),
    })
}
