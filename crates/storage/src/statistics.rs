//! Statistics: counts by day, written in the transaction of the event they count, so that they
//! always agree with the books.

use std::collections::BTreeMap;

use domain::credits::Credits;
use domain::id::AccountId;
use domain::product::Product;

use crate::db::{Bulk, Kind, Result, Tx, Value};

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
    }

    /// What is counted when messages are accepted, and what when their fate is known.
    fn apart(&self) -> [Counts; 2] {
        let Counts { accepted, segments, cost, .. } = *self;
        [
            Counts { accepted, segments, cost, ..Counts::default() },
            Counts { accepted: 0, segments: 0, cost: Credits::ZERO, ..*self },
        ]
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

/// Adds counts. The lines are written in their order, so that two batches never wait for each other
/// in a circle.
pub async fn add(tx: &mut Tx, tally: &Tally) -> Result<()> {
    let mut cells: Vec<Value<'_>> = Vec::with_capacity(tally.len() * 15);
    for (line, counts) in tally {
        for (outcome, counts) in (0..).zip(counts.apart()).filter(|(_, counts)| *counts != Counts::default())
        {
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
                counts.accepted.into(),
                counts.segments.into(),
                counts.delivered.into(),
                counts.failed.into(),
                counts.cost.0.into(),
                counts.refunds.0.into(),
            ]);
        }
    }
    tx.bulk(&ADD, &cells).await
}
