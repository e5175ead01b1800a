//! Nodes: running processes. Each renews a lease; what is in the hand of one whose lease has ended
//! is free for the others.

use std::time::Duration;

use domain::id::NodeId;
use domain::moment::Moment;

use crate::db::{Conn, Result, Tx};

/// How long a node counts as alive without a word from it.
pub const LEASE: Duration = Duration::from_secs(10);

/// Enters a new node. Where the books are not shared it is the only one, and all others are dead.
pub async fn enter(tx: &mut Tx, now: Moment, alone: bool) -> Result<NodeId> {
    if alone {
        tx.execute("delete from nodes", &[]).await?;
    }
    let id = crate::counters::draw(tx, "node", 1).await?;
    tx.execute(
        "insert into nodes (id, started_at, lease_until) values ($1, $2, $3)",
        &[id.into(), now.0.into(), now.after(LEASE).0.into()],
    )
    .await?;
    Ok(NodeId(id))
}

/// Renews the lease. False when the node was declared dead meanwhile: it must not send any more.
pub async fn renew(tx: &mut Tx, node: NodeId, now: Moment) -> Result<bool> {
    let sql = "update nodes set lease_until = $2 where id = $1";
    Ok(tx.execute(sql, &[node.0.into(), now.after(LEASE).0.into()]).await? == 1)
}

/// Leaves: what was in the node's hand is free at once.
pub async fn leave(tx: &mut Tx, node: NodeId) -> Result<()> {
    tx.execute("delete from nodes where id = $1", &[node.0.into()]).await.map(drop)
}

/// Buries the nodes whose lease has ended. Tells whether there were any.
pub async fn bury(tx: &mut Tx, now: Moment) -> Result<bool> {
    Ok(tx.execute("delete from nodes where lease_until < $1", &[now.0.into()]).await? > 0)
}

/// How many nodes are there, alive or not yet buried.
pub async fn count(conn: &mut Conn) -> Result<i64> {
    conn.number("select count(*) from nodes", &[]).await
}

/// The node that has been there longest: it does what one alone is to do.
pub async fn first(conn: &mut Conn) -> Result<Option<NodeId>> {
    let row = conn.one("select min(id) from nodes", &[]).await?;
    Ok(row.map(|row| row.opt_int(0)).transpose()?.flatten().map(NodeId))
}
