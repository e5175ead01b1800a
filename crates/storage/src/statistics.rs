//! Statistics: counts by day, written in the transaction of the event they count, so that they
//! always agree with the books.

use std::collections::BTreeMap;

use domain::credits::Credits;
use domain::id::AccountId;
use domain::moment::Moment;
use domain::product::Product;

use crate::db::{Bulk, Conn, Error, Kind, Result, Row, Tx, Value};
use crate::rollups::{self, Paths};

/// What is counted separately.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// Whose messages.
    pub account: AccountId,
    /// The date they were accepted on, as 20261123.
    pub day: i64,
    /// What was sold.
    pub product: Product,
    /// Where to; empty when no country's.
    pub country: String,
    /// Which network; empty when not known.
    pub network: String,
    /// The tag; empty when none.
    pub label: String,
    /// Who they were from.
    pub sender: String,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages accepted.
    pub accepted: i64,
    /// Their segments.
    pub segments: i64,
    /// Messages that reached the handset.
    pub delivered: i64,
    /// Messages that will not.
    pub failed: i64,
    /// What was charged.
    pub cost: Credits,
    /// What was given back.
    pub refunds: Credits,
    /// When the last of them was accepted.
    pub last_at: Moment,
}

/// Segments that one account sent between two dates, both included: by product, country and network, each
/// of the latter empty where it is not known.
pub async fn networks(
    conn: &mut Conn,
    account: AccountId,
    first_day: i64,
    last_day: i64,
) -> Result<Vec<(Product, String, String, i64)>> {
    let sql = "select product, country, network, cast(sum(segments) as bigint) from statistics
        where account_id = $1 and day between $2 and $3
        group by product, country, network order by product, country, network";
    let read = |mut row: Row| {
        let code = row.int(0)?;
        let product =
            Product::from_code(code).ok_or_else(|| Error::unreadable("statistics.product", code))?;
        Ok((product, row.take_text(1), row.take_text(2), row.int(3)?))
    };
    let params = [account.0.into(), first_day.into(), last_day.into()];
    conn.query(sql, &params).await?.into_iter().map(read).collect()
}

impl Counts {
    /// Adds other counts to these.
    pub fn add(&mut self, other: &Counts) {
        self.accepted += other.accepted;
        self.segments += other.segments;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.cost = Credits(self.cost.0 + other.cost.0);
        self.refunds = Credits(self.refunds.0 + other.refunds.0);
        self.last_at = self.last_at.max(other.last_at);
    }

    /// Takes other counts off these.
    pub fn subtract(&mut self, other: &Counts) {
        self.accepted -= other.accepted;
        self.segments -= other.segments;
        self.delivered -= other.delivered;
        self.failed -= other.failed;
        self.cost = Credits(self.cost.0 - other.cost.0);
        self.refunds = Credits(self.refunds.0 - other.refunds.0);
    }

    /// What it cost in the end: less what was given back.
    pub fn spent(&self) -> Credits {
        Credits(self.cost.0 - self.refunds.0)
    }

    /// Of how many in a million messages with a known fate it is that they arrived; nothing while no
    /// fate is known.
    pub fn delivery_rate(&self) -> Option<i64> {
        let known = self.delivered + self.failed;
        (known > 0)
            .then(|| i64::try_from(i128::from(self.delivered) * 1_000_000 / i128::from(known)).unwrap_or(0))
    }

    /// Messages whose fate is not known (yet): on their way, cancelled, or never told of.
    pub fn in_flight(&self) -> i64 {
        self.accepted - self.delivered - self.failed
    }

    /// The six counts, in the order of the columns.
    pub(crate) fn numbers(&self) -> [i64; 6] {
        [self.accepted, self.segments, self.delivered, self.failed, self.cost.0, self.refunds.0]
    }

    /// Reads them from six columns in a row.
    pub(crate) fn read(row: &Row, first: usize) -> Result<Counts> {
        Ok(Counts {
            accepted: row.int(first)?,
            segments: row.int(first + 1)?,
            delivered: row.int(first + 2)?,
            failed: row.int(first + 3)?,
            cost: Credits(row.int(first + 4)?),
            refunds: Credits(row.int(first + 5)?),
            last_at: Moment(0),
        })
    }

    /// What is counted when messages are accepted, and what when their fate is known: each in a row of
    /// its own, which `outcome` names, or both in one.
    pub(crate) fn rows(&self, together: bool) -> impl Iterator<Item = (i64, Counts)> {
        let Counts { accepted, segments, cost, last_at, .. } = *self;
        let rows = if together {
            [*self, Counts::default()]
        } else {
            [
                Counts { accepted, segments, cost, last_at, ..Counts::default() },
                Counts { accepted: 0, segments: 0, cost: Credits::ZERO, last_at: Moment(0), ..*self },
            ]
        };
        (0..).zip(rows).filter(|(_, counts)| *counts != Counts::default())
    }
}

/// Counts of one batch, added up before they are written.
pub type Tally = BTreeMap<Line, Counts>;

static ADD: Bulk = Bulk::insert(
    "statistics",
    &[
        ("account_id", Kind::Int),
        ("day", Kind::Int),
        ("product", Kind::Int),
        ("country", Kind::Text),
        ("network", Kind::Text),
        ("label", Kind::Text),
        ("sender", Kind::Text),
        ("campaign_id", Kind::Int),
        ("outcome", Kind::Int),
        ("accepted", Kind::Int),
        ("segments", Kind::Int),
        ("delivered", Kind::Int),
        ("failed", Kind::Int),
        ("cost", Kind::Int),
        ("refunds", Kind::Int),
    ],
    "on conflict (account_id, day, product, country, network, label, sender, campaign_id, outcome) do update set
        accepted = statistics.accepted + excluded.accepted,
        segments = statistics.segments + excluded.segments,
        delivered = statistics.delivered + excluded.delivered,
        failed = statistics.failed + excluded.failed,
        cost = statistics.cost + excluded.cost,
        refunds = statistics.refunds + excluded.refunds",
);

/// Adds counts, and adds them to all their sums. The lines are written in their order, so that two
/// batches never wait for each other in a circle. `since` is the first of the thirty days that end
/// today; `paths` is what the writer remembers of accounts.
pub async fn add(tx: &mut Tx, tally: &Tally, paths: &mut Paths, since: i64) -> Result<()> {
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(tally.len() * 15);
    for (line, counts) in tally {
        for (outcome, counts) in counts.rows(false) {
            cells.extend([
                line.account.0.into(),
                line.day.into(),
                line.product.code().into(),
                Value::from(&line.country),
                Value::from(&line.network),
                Value::from(&line.label),
                Value::from(&line.sender),
                0.into(),
                Value::Int(outcome),
            ]);
            cells.extend(counts.numbers().map(Value::Int));
        }
    }
    tx.bulk(&ADD, &cells).await?;
    rollups::add(tx, tally, paths, since).await
}
