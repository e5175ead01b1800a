//! What became of the prices of a list: every version that was added or replaced, what it was before, by
//! whom and when. Only ever added to.

use domain::actor::{Actor, ActorKind};
use domain::credits::Credits;
use domain::id::PriceListId;
use domain::moment::Moment;
use domain::price::Destination;

use super::{Effect, NewRow, Step, country_text, destination};
use crate::counters;
use crate::db::{Bulk, Conn, Error, Kind, Result, Row, Tx, Value};

/// A change of one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number; later changes have greater ones.
    pub id: i64,
    /// Of what.
    pub destination: Destination,
    /// From when the new price counts.
    pub effective_from: Moment,
    /// What the destination itself cost from then on until it was changed.
    pub before: Option<Credits>,
    /// What it costs from then on; nothing where its own price ends.
    pub after: Option<Credits>,
    /// Why, as it was given.
    pub comment: String,
    /// Who changed it, by what kind of door; nothing for what is older than the history.
    pub actor: Option<(ActorKind, String)>,
    /// When.
    pub at: Moment,
}

static ADD: Bulk = Bulk::insert(
    "price_changes",
    &[
        ("id", Kind::Int),
        ("price_list_id", Kind::Int),
        ("product", Kind::Int),
        ("country", Kind::Text),
        ("network", Kind::Text),
        ("effective_from", Kind::Int),
        ("before", Kind::Int),
        ("after", Kind::Int),
        ("comment", Kind::Text),
        ("actor_kind", Kind::Int),
        ("actor_name", Kind::Text),
        ("created_at", Kind::Int),
    ],
    "",
);

/// Notes down the steps that change something.
pub(super) async fn add(
    tx: &mut Tx,
    list: PriceListId,
    steps: &[Step],
    rows: &[NewRow],
    actor: &Actor,
    now: Moment,
) -> Result<()> {
    let changes = |step: &Step| matches!(step.effect, Effect::Add | Effect::Replace(_));
    let all: Vec<_> = steps.iter().zip(rows).filter(|(step, _)| changes(step)).collect();
    let first = counters::draw(tx, "id", all.len() as i64).await?;
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(all.len() * 12);
    for (id, (step, row)) in (first..).zip(all) {
        cells.extend([
            id.into(),
            list.0.into(),
            row.destination.product.code().into(),
            country_text(&row.destination).into(),
            Value::from(&row.destination.network),
            step.from.0.into(),
            step.before.map(|price| price.0).into(),
            row.price.map(|price| price.0).into(),
            Value::from(&row.comment),
            actor.kind.code().into(),
            Value::from(&actor.name),
            now.0.into(),
        ]);
    }
    tx.bulk(&ADD, &cells).await
}

/// The changes of a list before one of them, the newest first.
pub async fn page(
    conn: &mut Conn,
    list: PriceListId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Change>> {
    let sql = "select id, product, country, network, effective_from, before, after, comment, actor_kind,
            actor_name, created_at
        from price_changes where price_list_id = $1 and id < $2 order by id desc limit $3";
    let params = [list.0.into(), before.unwrap_or(i64::MAX).into(), limit.into()];
    conn.query(sql, &params).await?.into_iter().map(change).collect()
}

/// The number of the latest change of a list; 0 when there is none.
pub async fn latest(conn: &mut Conn, list: PriceListId) -> Result<i64> {
    let sql = "select coalesce(max(id), 0) from price_changes where price_list_id = $1";
    conn.one(sql, &[list.0.into()]).await?.map_or(Ok(0), |row| row.int(0))
}

fn change(mut row: Row) -> Result<Change> {
    let kind = row.opt_int(8)?;
    let kind = kind.map(|code| {
        ActorKind::from_code(code).ok_or_else(|| Error::unreadable("price_changes.actor_kind", code))
    });
    Ok(Change {
        id: row.int(0)?,
        destination: destination(&mut row, 1)?,
        effective_from: Moment(row.int(4)?),
        before: row.opt_int(5)?.map(Credits),
        after: row.opt_int(6)?.map(Credits),
        comment: row.take_text(7),
        actor: kind.transpose()?.map(|kind| (kind, row.take_text(9))),
        at: Moment(row.int(10)?),
    })
}
