//! The books as values: where credits lie, what moves them, and what makes a posting legal. The
//! same rules decide in memory here and are written down by `storage::ledger::post`.

use std::collections::BTreeMap;

use crate::credits::Credits;
use crate::id::AccountId;
use crate::product::Product;

/// A place in the books where credits lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccount {
    /// What an account has paid for or was handed.
    Wallet(AccountId),
    /// What an account was given for free; used up before the wallet.
    Promo(AccountId),
    /// Money that came from, or is to go to, the outside.
    PaymentClearing,
    /// VAT that is owed.
    Vat,
    /// Rounding differences of invoices.
    Rounding,
    /// What was given away.
    Goodwill,
    /// What was lost to disputes.
    Chargeback,
    /// What a product has earned.
    Revenue(Product),
}

/// Ledger accounts of customers begin above this number; those of the installation lie below, and
/// are written last of all, because every batch needs them.
const SYSTEM_MAX: i64 = 1000;

impl LedgerAccount {
    /// The number the books use.
    pub fn id(self) -> i64 {
        match self {
            LedgerAccount::PaymentClearing => 1,
            LedgerAccount::Vat => 2,
            LedgerAccount::Rounding => 3,
            LedgerAccount::Goodwill => 4,
            LedgerAccount::Chargeback => 5,
            LedgerAccount::Revenue(product) => 10 + product.code(),
            LedgerAccount::Wallet(account) => SYSTEM_MAX + account.0 * 2,
            LedgerAccount::Promo(account) => SYSTEM_MAX + account.0 * 2 + 1,
        }
    }

    /// The ledger account of a number in the books.
    pub fn from_id(id: i64) -> Option<LedgerAccount> {
        match id {
            1 => Some(LedgerAccount::PaymentClearing),
            2 => Some(LedgerAccount::Vat),
            3 => Some(LedgerAccount::Rounding),
            4 => Some(LedgerAccount::Goodwill),
            5 => Some(LedgerAccount::Chargeback),
            10..=SYSTEM_MAX => Product::from_code(id - 10).map(LedgerAccount::Revenue),
            _ if id > SYSTEM_MAX && id % 2 == 0 => {
                Some(LedgerAccount::Wallet(AccountId((id - SYSTEM_MAX) / 2)))
            }
            _ if id > SYSTEM_MAX => Some(LedgerAccount::Promo(AccountId((id - SYSTEM_MAX) / 2))),
            _ => None,
        }
    }

    /// The customer it belongs to; none for the installation's own.
    pub fn owner(self) -> Option<AccountId> {
        match self {
            LedgerAccount::Wallet(account) | LedgerAccount::Promo(account) => Some(account),
            _ => None,
        }
    }

    /// The name people read.
    pub fn name(self) -> String {
        match self {
            LedgerAccount::Wallet(account) => format!("wallet of {account}"),
            LedgerAccount::Promo(account) => format!("promo of {account}"),
            LedgerAccount::PaymentClearing => "payment clearing".to_owned(),
            LedgerAccount::Vat => "VAT".to_owned(),
            LedgerAccount::Rounding => "rounding".to_owned(),
            LedgerAccount::Goodwill => "goodwill".to_owned(),
            LedgerAccount::Chargeback => "chargeback".to_owned(),
            LedgerAccount::Revenue(product) => format!("revenue of {}", product.as_str()),
        }
    }
}

/// What a transfer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferCode {
    /// Credit granted by the operator, or paid for.
    Grant = 10,
    /// Credit given for free.
    Promo = 20,
    /// Free credit that ran out of time.
    PromoExpiry = 21,
    /// From one account of a tree to another.
    Transfer = 30,
    /// The same, by the rule of the receiving account.
    AutoTransfer = 32,
    /// What is left when an account closes.
    Closing = 33,
    /// What the wallet above gives for messages, as it is shared.
    SharedUse = 34,
    /// Accepted messages.
    Charge = 40,
    /// What an account above earns on them.
    Margin = 41,
    /// Messages that never left.
    Refund = 50,
    /// The earnings above, given back.
    MarginRefund = 51,
    /// A correction of an earlier transfer.
    Correction = 90,
}

impl TransferCode {
    /// All codes.
    pub const ALL: [TransferCode; 12] = [
        TransferCode::Grant,
        TransferCode::Promo,
        TransferCode::PromoExpiry,
        TransferCode::Transfer,
        TransferCode::AutoTransfer,
        TransferCode::Closing,
        TransferCode::SharedUse,
        TransferCode::Charge,
        TransferCode::Margin,
        TransferCode::Refund,
        TransferCode::MarginRefund,
        TransferCode::Correction,
    ];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The word programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            TransferCode::Grant => "grant",
            TransferCode::Promo => "promo",
            TransferCode::PromoExpiry => "promo_expiry",
            TransferCode::Transfer => "transfer",
            TransferCode::AutoTransfer => "auto_transfer",
            TransferCode::Closing => "closing",
            TransferCode::SharedUse => "shared_use",
            TransferCode::Charge => "charge",
            TransferCode::Margin => "margin",
            TransferCode::Refund => "refund",
            TransferCode::MarginRefund => "margin_refund",
            TransferCode::Correction => "correction",
        }
    }

    /// The code a word names.
    pub fn parse(word: &str) -> Option<TransferCode> {
        TransferCode::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// The code of a number in the books.
    pub fn from_code(code: i64) -> Option<TransferCode> {
        TransferCode::ALL.into_iter().find(|c| c.code() == code)
    }
}

/// What made a group of transfers: the id that keeps it from being booked twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// What kind of thing.
    pub kind: CauseKind,
    /// Which one: the first message of a batch, the message refunded, the request.
    pub id: i64,
}

/// What kind of thing causes transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// A batch of messages was accepted; named by its first message.
    Batch = 1,
    /// A message never left.
    Refund = 2,
    /// Somebody asked for it; named by the stored request.
    Request = 3,
    /// A balance fell below its threshold; named by a counter.
    AutoTransfer = 4,
    /// An account closed; named by the account.
    Closing = 5,
    /// Free credit ran out; named by its lot.
    PromoExpiry = 6,
    /// A batch of messages took what its wallet lacked from above; named as the batch.
    SharedUse = 7,
}

impl CauseKind {
    /// All.
    pub const ALL: [CauseKind; 7] = [
        CauseKind::Batch,
        CauseKind::Refund,
        CauseKind::Request,
        CauseKind::AutoTransfer,
        CauseKind::Closing,
        CauseKind::PromoExpiry,
        CauseKind::SharedUse,
    ];

    /// The kind of a number in the books.
    pub fn from_code(code: i64) -> Option<CauseKind> {
        CauseKind::ALL.into_iter().find(|kind| *kind as i64 == code)
    }
}

/// One amount from one place to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Whence.
    pub from: LedgerAccount,
    /// Whither.
    pub to: LedgerAccount,
    /// How much, above nothing.
    pub amount: Credits,
    /// What for.
    pub code: TransferCode,
}

/// Postings that belong together: all are booked or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What made them.
    pub cause: Cause,
    /// At least one.
    pub postings: Vec<Posting>,
    /// Who did it, for the statement: `key 12`, `operator`, `rule`.
    pub actor: String,
    /// What the one who did it wrote.
    pub reference: String,
}

/// Why a group was not booked. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// A place would fall below its floor.
    #[error("the {} holds {balance} and may not give {amount}", .place.name())]
    Insufficient {
        /// Which.
        place: LedgerAccount,
        /// What it holds above its floor.
        balance: Credits,
        /// What the group takes from it.
        amount: Credits,
    },
    /// An amount is not above nothing, or too large to book.
    #[error("the amount {0} cannot be booked; it must be above zero")]
    BadAmount(Credits),
}

/// The balances a batch works on: loaded once, decided upon in memory, written back once.
#[derive(Clone, Debug, Default)]
pub struct Book {
    places: BTreeMap<i64, Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    balance: i64,
    floor: Option<i64>,
    change: i64,
}

impl Book {
    /// Takes in a balance as it is stored. A floor is what it may not fall below; the
    /// installation's own places have none.
    pub fn load(&mut self, ledger_account_id: i64, balance: Credits, floor: Option<Credits>) {
        let place = Place { balance: balance.0, floor: floor.map(|f| f.0), change: 0 };
        self.places.insert(ledger_account_id, place);
    }

    /// The balance as decided so far; nothing for a place not loaded.
    pub fn balance(&self, place: LedgerAccount) -> Option<Credits> {
        self.places.get(&place.id()).map(|p| Credits(p.balance))
    }

    /// What a place may still give: the balance above its floor.
    pub fn available(&self, place: LedgerAccount) -> Credits {
        self.places
            .get(&place.id())
            .map_or(Credits::ZERO, |p| Credits(p.balance.saturating_sub(p.floor.unwrap_or(i64::MIN)).max(0)))
    }

    /// Books a group, or nothing of it. A place that was not loaded counts as one without a floor
    /// when it is the installation's, and as empty otherwise.
    pub fn post(&mut self, postings: &[Posting]) -> Result<(), PostError> {
        let mut changes: BTreeMap<i64, (LedgerAccount, i64)> = BTreeMap::new();
        for posting in postings {
            if !posting.amount.is_positive() || posting.from == posting.to {
                return Err(PostError::BadAmount(posting.amount));
            }
            for (place, amount) in [(posting.from, -posting.amount.0), (posting.to, posting.amount.0)] {
                let change = changes.entry(place.id()).or_insert((place, 0));
                change.1 = change.1.checked_add(amount).ok_or(PostError::BadAmount(posting.amount))?;
            }
        }
        let mut next = Vec::with_capacity(changes.len());
        for (id, (place, change)) in changes {
            let floor = place.owner().map(|_| 0);
            let now = self.places.get(&id).copied().unwrap_or(Place { balance: 0, floor, change: 0 });
            let balance = now.balance.checked_add(change).ok_or(PostError::BadAmount(Credits(change)))?;
            if change < 0 && now.floor.is_some_and(|floor| balance < floor) {
                let balance = self.available(place);
                return Err(PostError::Insufficient { place, balance, amount: Credits(-change) });
            }
            next.push((id, Place { balance, change: now.change + change, ..now }));
        }
        self.places.extend(next);
        Ok(())
    }

    /// What is to be written back: places and how much each changed, customers' first, each kind in
    /// the order of their ids, so that two batches never wait for each other in a circle.
    pub fn changes(&self) -> Vec<(i64, Credits)> {
        let changed = self.places.iter().filter(|(_, p)| p.change != 0);
        let mut changes: Vec<_> = changed.map(|(id, p)| (*id, Credits(p.change))).collect();
        changes.sort_by_key(|(id, _)| (*id <= SYSTEM_MAX, *id));
        changes
    }
}

/// What a batch of messages costs each account of a path: sums of all its messages, root first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The product sold.
    pub product: Product,
    /// What each account of the path pays for them, root first, the sender last.
    pub by_level: Vec<(AccountId, Credits)>,
}

impl Cost {
    /// What the sender pays.
    pub fn total(&self) -> Credits {
        self.by_level.last().map_or(Credits::ZERO, |(_, amount)| *amount)
    }

    /// The postings of the charge: the sender pays its price, the installation gets the root's, and
    /// each account between earns the difference between what the one below pays and what it pays
    /// itself, or bears it where it chose to sell below cost. Free credit goes first, and first to
    /// the installation that gave it.
    pub fn charge(&self, promo: Credits) -> Vec<Posting> {
        let (sources, sinks) = self.flows(promo);
        matched(sources, sinks, |from, to| match (from, to) {
            (LedgerAccount::Wallet(_) | LedgerAccount::Promo(_), LedgerAccount::Wallet(_)) => {
                TransferCode::Margin
            }
            _ => TransferCode::Charge,
        })
    }

    /// The postings that give back what [`Cost::charge`] took, of which `promo` had been free.
    pub fn refund(&self, promo: Credits) -> Vec<Posting> {
        let (sources, sinks) = self.flows(promo);
        // The installation's share goes back first, to the same purse it came from.
        matched(sinks, sources, |from, _| match from {
            LedgerAccount::Wallet(_) => TransferCode::MarginRefund,
            _ => TransferCode::Refund,
        })
    }

    fn flows(&self, promo: Credits) -> (Vec<Flow>, Vec<Flow>) {
        let Some(((root, to_installation), (sender, total))) =
            self.by_level.first().zip(self.by_level.last())
        else {
            return (Vec::new(), Vec::new());
        };
        debug_assert!(promo <= *total && !root.0.is_negative());
        let mut sources = vec![
            (LedgerAccount::Promo(*sender), promo.0),
            (LedgerAccount::Wallet(*sender), total.0 - promo.0),
        ];
        let mut sinks = vec![(LedgerAccount::Revenue(self.product), to_installation.0)];
        for pair in self.by_level.windows(2) {
            let [(above, cost), (_, price)] = pair else { continue };
            match price.0 - cost.0 {
                earned if earned > 0 => sinks.push((LedgerAccount::Wallet(*above), earned)),
                borne if borne < 0 => sources.push((LedgerAccount::Wallet(*above), -borne)),
                _ => {}
            }
        }
        sources.retain(|(_, amount)| *amount > 0);
        sinks.retain(|(_, amount)| *amount > 0);
        (sources, sinks)
    }
}

/// A place and how much it gives or takes.
type Flow = (LedgerAccount, i64);

/// Pairs what is given with what is taken, in order. Both sides have the same sum.
fn matched(
    mut sources: Vec<Flow>,
    mut sinks: Vec<Flow>,
    code: impl Fn(LedgerAccount, LedgerAccount) -> TransferCode,
) -> Vec<Posting> {
    let mut postings = Vec::with_capacity(sources.len() + sinks.len());
    sources.reverse();
    sinks.reverse();
    while let (Some(mut source), Some(mut sink)) = (sources.pop(), sinks.pop()) {
        let amount = source.1.min(sink.1);
        postings.push(Posting {
            from: source.0,
            to: sink.0,
            amount: Credits(amount),
            code: code(source.0, sink.0),
        });
        source.1 -= amount;
        sink.1 -= amount;
        if source.1 > 0 {
            sources.push(source);
        }
        if sink.1 > 0 {
            sinks.push(sink);
        }
    }
    postings
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMS: LedgerAccount = LedgerAccount::Revenue(Product::Sms);

    fn wallet(id: i64) -> LedgerAccount {
        LedgerAccount::Wallet(AccountId(id))
    }

    fn net(postings: &[Posting]) -> BTreeMap<LedgerAccount, i64> {
        let mut net = BTreeMap::new();
        for p in postings {
            assert!(p.amount.is_positive() && p.from != p.to);
            *net.entry(p.from).or_default() -= p.amount.0;
            *net.entry(p.to).or_default() += p.amount.0;
        }
        net
    }

    fn cost(levels: &[i64]) -> Cost {
        let by_level = levels.iter().zip(1..).map(|(c, id)| (AccountId(id), Credits(*c))).collect();
        Cost { product: Product::Sms, by_level }
    }

    #[test]
    fn every_ledger_account_is_read_back_from_its_number() {
        let all = [wallet(1_900_001), LedgerAccount::Promo(AccountId(1_900_001)), SMS, LedgerAccount::Vat];
        for place in all {
            assert_eq!(LedgerAccount::from_id(place.id()), Some(place));
        }
        assert_eq!(LedgerAccount::from_id(0), None);
    }

    #[test]
    fn margin_flows_up_the_tree_level_by_level() {
        let net = net(&cost(&[70, 90, 100]).charge(Credits::ZERO));
        assert_eq!(net[&wallet(3)], -100);
        assert_eq!(net[&wallet(2)], 10);
        assert_eq!(net[&wallet(1)], 20);
        assert_eq!(net[&SMS], 70);
    }

    #[test]
    fn who_sells_below_cost_bears_the_difference() {
        let net = net(&cost(&[70, 50]).charge(Credits::ZERO));
        assert_eq!((net[&wallet(2)], net[&wallet(1)], net[&SMS]), (-50, -20, 70));
    }

    #[test]
    fn free_credit_goes_first_and_a_refund_puts_it_back() {
        let cost = cost(&[70, 100]);
        let charge = net(&cost.charge(Credits(30)));
        assert_eq!(charge[&LedgerAccount::Promo(AccountId(2))], -30);
        assert_eq!(charge[&wallet(2)], -70);
        let refund = net(&cost.refund(Credits(30)));
        for (place, amount) in charge {
            assert_eq!(refund[&place], -amount, "{place:?}");
        }
    }

    #[test]
    fn a_group_is_booked_whole_or_not_at_all() {
        let mut book = Book::default();
        book.load(wallet(1).id(), Credits(100), Some(Credits(0)));
        book.load(wallet(2).id(), Credits(5), Some(Credits(-10)));
        let give =
            |from, to, amount| Posting { from, to, amount: Credits(amount), code: TransferCode::Transfer };
        let refused = book.post(&[give(wallet(1), wallet(2), 60), give(wallet(1), SMS, 60)]);
        assert!(matches!(refused, Err(PostError::Insufficient { .. })));
        assert_eq!(book.changes(), []);
        // What comes in within the group may go out again within it; the line below zero may be used.
        assert_eq!(book.post(&[give(wallet(1), wallet(2), 100), give(wallet(2), SMS, 115)]), Ok(()));
        assert_eq!(book.balance(wallet(2)), Some(Credits(-10)));
        assert!(book.post(&[give(wallet(2), SMS, 1)]).is_err());
        assert!(book.post(&[give(wallet(2), wallet(2), 1)]).is_err());
        assert!(book.post(&[give(SMS, wallet(2), 0)]).is_err());
        assert_eq!(book.changes().iter().map(|(_, c)| c.0).sum::<i64>(), 0);
        assert_eq!(book.changes().last().map(|(id, _)| *id), Some(SMS.id()));
    }
}
