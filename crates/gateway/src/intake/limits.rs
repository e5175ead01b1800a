//! Limits inside a batch: which recipients of a request still fit, what is used then, and who is told
//! that a limit has become fuller.

use std::collections::HashMap;

use domain::credits::Credits;
use domain::id::AccountId;
use domain::limit::{self, Applied, Limit, Reached, Rule};
use domain::moment::Moment;
use storage::limits::{Use, Used};
use storage::{Result, Tx};

use super::{Decided, Look};
use crate::accept::{Drafts, RecipientRefused};
use crate::base::Base;
use crate::clock::hour_of;
use crate::mail;

/// Whose use of which limit.
pub(super) fn use_of(applied: &Applied<Limit>) -> Use {
    (applied.limit.id, applied.counted)
}

/// What an account may still spend by its own limits of money; nothing when it has none. `used` is what
/// has been used of each limit that bears on it.
pub(super) fn room(drafts: &Drafts, used: &[Used]) -> Credits {
    let left = drafts.limits.iter().zip(used).filter_map(|(applied, used)| match &applied.limit.rule {
        Rule::Most { measure, country: None, label: None, most }
            if measure.is_money() && applied.counted == drafts.account.id =>
        {
            Some(most.saturating_sub(used.used).max(0))
        }
        _ => None,
    });
    Credits(left.min().unwrap_or(0))
}

impl Look<'_> {
    /// The recipients of a request that do not fit into a limit any more, and what the others take of each.
    pub(super) fn within_limits(
        &self,
        drafts: &Drafts,
        refused: &mut HashMap<usize, RecipientRefused>,
        now: Moment,
        today: i64,
    ) -> Vec<Used> {
        let hour = hour_of(now);
        let known = |applied: &Applied<Limit>| {
            let period = match &applied.limit.rule {
                Rule::Most { measure, .. } => limit::period(*measure, today, hour),
                _ => today,
            };
            self.used.get(&use_of(applied)).copied().unwrap_or_default().in_period(period)
        };
        let mut all: Vec<Used> = drafts.limits.iter().map(known).collect();
        let mut takes = Vec::with_capacity(all.len());
        for (d, draft) in drafts.drafts.iter().enumerate() {
            let Ok(ready) = &draft.ready else { continue };
            if refused.contains_key(&d) {
                continue;
            }
            takes.clear();
            let mut full = None;
            for (l, applied) in drafts.limits.iter().enumerate() {
                let Rule::Most { measure, country, label, most } = &applied.limit.rule else { continue };
                let elsewhere = country.is_some_and(|country| country.as_str() != &*ready.way.country);
                if elsewhere
                    || label.as_ref().is_some_and(|label| drafts.request.label.as_ref() != Some(label))
                {
                    continue;
                }
                let takes_of = limit::taken(*measure, drafts.price_for(applied.counted, ready));
                if all[l].used.saturating_add(takes_of) > *most {
                    full = Some(Reached {
                        limit: applied.limit.id,
                        measure: *measure,
                        most: (applied.counted == drafts.account.id).then_some(*most),
                        country: *country,
                        label: label.clone(),
                        counted: applied.counted,
                        by: applied.limit.by,
                    });
                    break;
                }
                takes.push((l, takes_of));
            }
            match full {
                Some(reached) => {
                    refused
                        .insert(d, RecipientRefused::Limit { to: ready.number, reached: Box::new(reached) });
                }
                None => takes.iter().for_each(|(l, takes)| all[*l].used += takes),
            }
        }
        all
    }

    /// Notes what a request has used of its limits, and which of them have become fuller than what their
    /// accounts were told of.
    pub(super) fn note_used(&mut self, drafts: &Drafts, used: Vec<Used>, decided: &mut Decided) {
        for (applied, mut used) in drafts.limits.iter().zip(used) {
            let key = use_of(applied);
            if self
                .used
                .get(&key)
                .is_some_and(|before| before.used == used.used && before.period == used.period)
            {
                continue;
            }
            if let Rule::Most { most, .. } = &applied.limit.rule {
                let share = limit::reached(used.used, *most);
                if share > used.warned {
                    used.warned = share;
                    decided.fuller.insert(key, (applied.clone(), used));
                }
            }
            self.used.insert(key, used);
            decided.used.insert(key, used);
        }
    }
}

impl Decided {
    /// Tells accounts of limits that have become fuller: the one whose use is counted, and the one whose
    /// people can raise it.
    pub(super) async fn tell_of_limits(&self, tx: &mut Tx, base: &Base, now: Moment) -> Result<()> {
        for ((_, counted), (applied, used)) in &self.fuller {
            let by = applied.limit.by;
            let both = storage::accounts::find_all(tx, &[counted.0, by.0]).await?;
            let find = |id: AccountId| both.iter().find(|a| a.id == id).map(mail::Account::from);
            let (Some(account), Some(setter)) = (find(*counted), find(by)) else { continue };
            let Rule::Most { measure, country, label, most } = &applied.limit.rule else { continue };
            let sides = [(account, mail::Side::Below), (setter, mail::Side::Above)];
            for (to, side) in sides.into_iter().take(if by == *counted { 1 } else { 2 }) {
                let message = mail::Message::LimitFuller {
                    account,
                    setter,
                    measure: *measure,
                    country: *country,
                    label: label.as_ref(),
                    used: used.used,
                    most: *most,
                    share: used.warned,
                    side,
                };
                mail::enqueue_sparingly(tx, base, to.id, &mail::MONEY, &message, now).await?;
            }
        }
        Ok(())
    }
}
