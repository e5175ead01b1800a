//! Proves that the sums of the statistics are their sums. Those of a tree are compared by a fingerprint
//! for each account and property: the sum over all rows of each count times a number that the row's key
//! gives, which is the same only if every row is.

use std::hash::Hasher;

use domain::id::AccountId;

use super::{Map, Mixed, Node, Report, mixed};
use crate::db::{Conn, Result, Row};
use crate::rollups::Property;

/// What an account has used, as summed up or as it should be.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    root: i64,
    all: [i64; 6],
    before: [i64; 6],
    last_day: i64,
}

/// How many outcomes there are: a key of this module is an account times two and the outcome.
const OUTCOMES: i64 = 2;

pub(super) async fn check(conn: &mut Conn, tree: &Map<Node>, report: &mut Report) -> Result<()> {
    let together = conn.is_sqlite();
    let mut since: Map<i64> = Map::default();
    let mut shown: Map<Usage> = Map::default();
    let sql = "select account_id, outcome, root_id, since_day, last_day, accepted, segments, delivered, failed, cost,
            refunds, accepted_before, segments_before, delivered_before, failed_before, cost_before, refunds_before
        from account_usage";
    conn.scan(sql, &[], |row| {
        let key = row.int(0)? * OUTCOMES + row.int(1)?;
        since.insert(key, row.int(3)?);
        let usage =
            Usage { root: row.int(2)?, all: six(row, 5)?, before: six(row, 11)?, last_day: row.int(4)? };
        shown.insert(key, usage);
        Ok(())
    })
    .await?;
    let mut real: Map<Usage> = Map::default();
    let mut trees: Map<u64> = Map::default();
    let mut months: Map<u64> = Map::default();
    let sql = "select account_id, outcome, day, product, country, label, sender, accepted, segments, delivered, failed,
            cost, refunds from statistics";
    conn.scan(sql, &[], |row| {
        let account = row.int(0)?;
        let Some(node) = tree.get(&account) else { return Ok(()) };
        let outcome = if together { 0 } else { row.int(1)? };
        let (day, product, counts) = (row.int(2)?, row.int(3)?, six(row, 7)?);
        let key = account * OUTCOMES + outcome;
        let usage = real.entry(key).or_default();
        usage.root = node.path.first().map_or(account, |root| root.0);
        usage.last_day = usage.last_day.max(day);
        let early = since.get(&key).is_some_and(|since| day < *since);
        for (i, count) in counts.into_iter().enumerate() {
            usage.all[i] += count;
            usage.before[i] += if early { count } else { 0 };
        }
        let (country, label, sender) = (text(row, 4), text(row, 5), text(row, 6));
        let of_month = hash(&[account, product, outcome, day / 100], &[country, label, sender]);
        add(&mut months, account, of_month, &counts);
        let number = account.to_string();
        for above in node.path.iter().filter(|above| above.0 != account) {
            for property in Property::ALL {
                let value = match property {
                    Property::All => "",
                    Property::Country => country,
                    Property::Label => label,
                    Property::Sender => sender,
                    Property::Account => &number,
                };
                let (place, kind) = (place(*above, property), property.code());
                add(&mut trees, place, hash(&[kind, product, outcome, day], &[value]), &counts);
                if property.has_months() {
                    add(&mut trees, place, hash(&[kind, product, outcome, day / 100], &[value]), &counts);
                }
            }
        }
        Ok(())
    })
    .await?;
    differences(shown, real, |key| {
        report.broken(|| {
            format!("the usage of account {} is not the sum of its statistics", key.div_euclid(OUTCOMES))
        });
    });
    let mut shown: Map<u64> = Map::default();
    let sql = "select account_id, product, outcome, month, country, label, sender, accepted, segments, delivered, failed,
            cost, refunds, root_id from month_statistics";
    conn.scan(sql, &[], |row| {
        let (account, root) = (row.int(0)?, row.int(13)?);
        let keys = [account, row.int(1)?, row.int(2)?, row.int(3)?];
        let texts = [text(row, 4), text(row, 5), text(row, 6)];
        let whose = tree.get(&account).and_then(|node| node.path.first()).map_or(account, |root| root.0);
        // In a tree that is not its own, it is missing from its own.
        let place = if whose == root { account } else { -account };
        add(&mut shown, place, hash(&keys, &texts), &six(row, 7)?);
        Ok(())
    })
    .await?;
    differences(shown, months, |account| {
        let account = account.abs();
        report.broken(|| format!("the months of account {account} are not the sums of its statistics"));
    });
    let mut shown: Map<u64> = Map::default();
    let sql = "select node_id, kind, product, outcome, period, value, accepted, segments, delivered, failed, cost, refunds
        from tree_statistics";
    conn.scan(sql, &[], |row| {
        let (node, kind) = (row.int(0)?, row.int(1)?);
        let keys = [kind, row.int(2)?, row.int(3)?, row.int(4)?];
        add(&mut shown, node * 8 + kind, hash(&keys, &[text(row, 5)]), &six(row, 6)?);
        Ok(())
    })
    .await?;
    differences(shown, trees, |place| {
        let (node, kind) = (place.div_euclid(8), place.rem_euclid(8));
        let what = match Property::ALL.iter().find(|property| property.code() == kind) {
            Some(Property::All) => "total",
            Some(Property::Country) => "countries",
            Some(Property::Label) => "labels",
            Some(Property::Sender) => "senders",
            Some(Property::Account) => "accounts",
            None => "unknown sums",
        };
        report.broken(|| format!("the {what} below account {node} are not the sums of their statistics"));
    });
    Ok(())
}

fn place(node: AccountId, property: Property) -> i64 {
    node.0 * 8 + property.code()
}

fn six(row: &Row, first: usize) -> Result<[i64; 6]> {
    let mut six = [0; 6];
    for (i, count) in six.iter_mut().enumerate() {
        *count = row.int(first + i)?;
    }
    Ok(six)
}

fn text(row: &Row, column: usize) -> &str {
    row.str(column)
}

fn hash(numbers: &[i64], texts: &[&str]) -> u64 {
    let mut hasher = Mixed(0);
    for number in numbers {
        hasher.write_i64(*number);
    }
    for text in texts {
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hasher.write_u64(u64::from_le_bytes(word));
        }
        hasher.write_u64(text.len() as u64);
    }
    hasher.finish()
}

/// Adds the counts of a row to a fingerprint.
fn add(to: &mut Map<u64>, place: i64, row: u64, counts: &[i64; 6]) {
    let sum = to.entry(place).or_default();
    for (i, count) in (1_u64..).zip(counts) {
        // Odd, so that no count is lost.
        *sum = sum.wrapping_add((mixed(row ^ i) | 1).wrapping_mul(*count as u64));
    }
}

/// Tells the keys under which two maps hold something else; what is nothing need not be there.
fn differences<V: PartialEq + Default + Copy>(shown: Map<V>, real: Map<V>, mut tell: impl FnMut(i64)) {
    let mut keys: Vec<i64> = shown.keys().chain(real.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        if shown.get(&key).copied().unwrap_or_default() != real.get(&key).copied().unwrap_or_default() {
            tell(key);
        }
    }
}
