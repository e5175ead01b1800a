//! Whether somebody sells below what the account above pays.

use std::collections::{BTreeMap, HashMap};

use domain::account::Account;
use domain::id::{AccountId, PriceListId};
use domain::moment::Moment;
use domain::price::{BelowCost, PriceList, below_cost};
use storage::{Conn, Error, Tx, accounts, prices};

use super::Loss;

/// An account with a list of its own, and the list the account above pays by.
pub(super) struct Pair<'a> {
    pub account: &'a Account,
    pub own: PriceListId,
    pub above: PriceListId,
}

/// All lists, and who has one of their own.
pub(super) struct Costs {
    pub lists: HashMap<PriceListId, PriceList>,
    pub standard: Option<PriceListId>,
    /// Each with whether it may sell below cost.
    pub with_own: Vec<(Account, bool)>,
}

impl Costs {
    pub async fn read(conn: &mut Conn) -> Result<Costs, Error> {
        let lists = prices::all(conn).await?;
        let standard = lists.iter().find(|(list, _)| list.is_standard()).map(|(list, _)| list.id);
        let lists = lists.into_iter().map(|(list, rows)| (list.id, PriceList::of(rows))).collect();
        Ok(Costs { lists, standard, with_own: accounts::with_own_prices(conn).await? })
    }

    /// The list that the account above one of those with a list of their own pays by.
    fn pairs(&self) -> impl Iterator<Item = (Pair<'_>, bool)> {
        let own: HashMap<AccountId, PriceListId> =
            self.with_own.iter().filter_map(|(a, _)| Some((a.id, a.price_list?))).collect();
        self.with_own.iter().filter(|(a, _)| a.parent.is_some()).filter_map(move |(account, allowed)| {
            let above = account.path.iter().rev().skip(1).find_map(|id| own.get(id).copied());
            let (own, above) = (account.price_list?, above.or(self.standard)?);
            Some((Pair { account, own, above }, *allowed))
        })
    }

    /// Those concerned that sell below cost and may not, and where first.
    pub fn losses(&self, now: Moment, concerns: impl Fn(&Pair<'_>) -> bool) -> Vec<(&Account, BelowCost)> {
        // Many accounts share few lists, so each pair of lists is compared once.
        let mut compared: BTreeMap<(PriceListId, PriceListId), Option<BelowCost>> = BTreeMap::new();
        let mut losses = Vec::new();
        for (pair, allowed) in self.pairs() {
            if allowed || pair.own == pair.above || !concerns(&pair) {
                continue;
            }
            let below = compared
                .entry((pair.own, pair.above))
                .or_insert_with(|| below_cost(self.lists.get(&pair.own)?, self.lists.get(&pair.above)?, now));
            losses.extend(below.clone().map(|below| (pair.account, below)));
        }
        losses
    }
}

/// The first account among those concerned that sells below cost and may not. When it is allowed,
/// those that do are noted down as allowed to, and there is none.
pub(super) async fn check_costs(
    tx: &mut Tx,
    now: Moment,
    allow: bool,
    concerns: impl Fn(&Pair<'_>) -> bool,
) -> Result<Option<Loss>, Error> {
    let costs = Costs::read(tx).await?;
    for (account, below) in costs.losses(now, concerns) {
        if !allow {
            return Ok(Some(Loss { account: account.id, below }));
        }
        accounts::set_price_list(tx, account.id, account.price_list, true).await?;
    }
    Ok(None)
}
