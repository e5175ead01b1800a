//! What the overview of an account shows beside its statistics. Reads only.

use domain::account::{Account, AccountState};
use domain::credits::Credits;
use domain::id::{AccountId, KeyId};
use domain::moment::Moment;

use crate::accounts::{path_text, within};
use crate::db::{Conn, Result, Value};
use crate::notices::Notice;
use crate::statistics::Counts;

/// What an account's members may have to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Keys that count and are about to end: their number, label and end.
    pub keys: Vec<(KeyId, String, Moment)>,
    /// Invitations that wait for an answer.
    pub invitations: i64,
    /// Requests from above for access that wait for an answer.
    pub access_requests: i64,
    /// Refunds that wait until an account above can give its margin back.
    pub refunds: i64,
    /// Automatic transfers that failed lately, newest first.
    pub failed_transfers: Vec<Notice>,
}

/// What is open in an account: keys that end before `keys_before`, transfers that failed after
/// `failed_after`.
pub async fn open(
    conn: &mut Conn,
    account: AccountId,
    keys_before: Moment,
    failed_after: Moment,
    now: Moment,
) -> Result<Open> {
    let sql = "select id, label, expires_at from keys where account_id = $1 and revoked_at is null
        and expires_at > $2 and expires_at <= $3 order by expires_at, id limit 20";
    let params = [account.0.into(), now.0.into(), keys_before.0.into()];
    let key = |mut row: crate::db::Row| Ok((KeyId(row.int(0)?), row.take_text(1), Moment(row.int(2)?)));
    let keys = conn.query(sql, &params).await?.into_iter().map(key).collect::<Result<_>>()?;
    let sql = "select count(*) from invitations where account_id = $1 and accepted_at is null and revoked_at is null
        and expires_at > $2";
    let invitations = conn.number(sql, &[account.0.into(), now.0.into()]).await?;
    let sql = "select count(*) from access_grants where account_id = $1 and state = 0
        and (expires_at is null or expires_at > $2)";
    let access_requests = conn.number(sql, &[account.0.into(), now.0.into()]).await?;
    let refunds = crate::accounts::refunds_waiting(conn, account).await?;
    let failed_transfers =
        crate::notices::since(conn, account, "automatic transfer", failed_after, 5).await?;
    Ok(Open { keys, invitations, access_requests, refunds, failed_transfers })
}

/// What all accounts of a tree are and hold together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// Accounts that are not closed, the one at the top included.
    pub accounts: i64,
    /// Those below that are suspended themselves.
    pub suspended: i64,
    /// What all wallets hold.
    pub wallets: Credits,
    /// What free credit there is.
    pub promo: Credits,
}

/// What an account and all below it are and hold together.
pub async fn together(conn: &mut Conn, node: &Account) -> Result<Together> {
    let path = path_text(&node.path);
    let sql = format!(
        "select count(*), cast(coalesce(sum(case when a.state = {} and a.id <> $3 then 1 else 0 end), 0) as bigint),
            cast(coalesce(sum(w.balance), 0) as bigint), cast(coalesce(sum(p.balance), 0) as bigint)
        from accounts a
        left join ledger_accounts w on w.id = 1000 + a.id * 2
        left join ledger_accounts p on p.id = 1001 + a.id * 2
        where a.root_id = $1 and {} and a.state <> {}",
        AccountState::Suspended.code(),
        within("a.path", "cast($2 as text)"),
        AccountState::Closed.code(),
    );
    let params = [node.root().0.into(), Value::from(&path), node.id.0.into()];
    let Some(row) = conn.one(&sql, &params).await? else { return Ok(Together::default()) };
    Ok(Together {
        accounts: row.int(0)?,
        suspended: row.int(1)?,
        wallets: Credits(row.int(2)?),
        promo: Credits(row.int(3)?),
    })
}

/// What each account below one used in the last thirty days, as far as their beginning has been moved: in
/// the first minute of a day a day more.
pub async fn recent_below(conn: &mut Conn, node: &Account) -> Result<Vec<(AccountId, Counts)>> {
    let path = path_text(&node.path);
    // Of a main account all are below, and accounts need not be looked at.
    let from = if node.parent.is_some() {
        format!(
            "accounts a join account_usage u on u.account_id = a.id where a.root_id = $1 and {}",
            within("a.path", "cast($3 as text)")
        )
    } else {
        "account_usage u where u.root_id = $1 and length(cast($3 as text)) > 0".to_owned()
    };
    let sql = format!(
        "select u.account_id, u.accepted - u.accepted_before, u.segments - u.segments_before,
            u.delivered - u.delivered_before, u.failed - u.failed_before, u.cost - u.cost_before,
            u.refunds - u.refunds_before
        from {from} and u.account_id <> $2 order by u.account_id"
    );
    let params = [node.root().0.into(), node.id.0.into(), Value::from(&path)];
    let mut all: Vec<(AccountId, Counts)> = Vec::new();
    conn.scan(&sql, &params, |row| {
        let (id, counts) = (AccountId(row.int(0)?), Counts::read(row, 1)?);
        match all.last_mut().filter(|(last, _)| *last == id) {
            Some((_, sum)) => sum.add(&counts),
            None => all.push((id, counts)),
        }
        Ok(())
    })
    .await?;
    Ok(all)
}
