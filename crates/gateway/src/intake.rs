//! The intake's part of a batch: every request is decided by itself, in the order it came, against
//! balances that are locked; what is accepted is stored with its charge and its counts in the one
//! transaction that [`crate::batch`] commits before anybody is answered.

mod limits;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use domain::account::{AccountState, effective};
use domain::credits::Credits;
use domain::id::{AccountId, MessageId, NodeId};
use domain::ledger::{Book, Cause, CauseKind, Cost, Group, LedgerAccount, Posting, TransferCode};
use domain::limit::{Applied, Limit};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::product::Product;
use jiff::tz::TimeZone;
use storage::limits::{Use, Used};
use storage::messages::{Had, NewMessage, levels_text};
use storage::outbox::{self, Entry, Waiting};
use storage::standing::{self, Standing};
use storage::statistics::{Line, Tally};
use storage::{Question, Result, Tx, messages, notices, promo};
use tokio::sync::oneshot;

use crate::accept::{Drafts, RecipientRefused, SendRefused, Sent, SentMessage};
use crate::base::Base;
use crate::dispatch::Plan;
use crate::mail;
use crate::report::Day;

/// Within this time the same text does not go to the same recipient twice.
const RELOAD_LOCK: Duration = Duration::from_secs(180);

/// A request that waits to be decided.
pub struct Request {
    /// What is to be sent.
    pub drafts: Drafts,
    /// Told what became of it, once that is safely stored.
    pub reply: oneshot::Sender<std::result::Result<Sent, SendRefused>>,
}

/// What the intake must know before it decides.
#[derive(Default)]
pub struct Look<'a> {
    standing: HashMap<AccountId, Standing>,
    lots: HashMap<AccountId, Vec<promo::Lot>>,
    /// Recipients that had the same text a moment ago, by request and place in it.
    repeated: HashSet<(usize, usize)>,
    /// How many messages recipients had today, where their account limits that.
    today: HashMap<(usize, usize), i64>,
    /// What was accepted in this very batch: account, recipient and text.
    texts_here: HashSet<(AccountId, i64, &'a str)>,
    /// How much of it for each recipient, where that is limited.
    today_here: HashMap<(AccountId, i64), i64>,
    /// What has been used of limits, this batch included.
    used: HashMap<Use, Used>,
}

/// The accounts whose wallets a decision may touch: the senders, those above that earn or bear a
/// difference, those from which credit may come by itself, and those that share theirs.
pub fn wallets(requests: &[Request]) -> BTreeSet<AccountId> {
    let mut wallets = BTreeSet::new();
    for request in requests {
        let drafts = &request.drafts;
        wallets.insert(drafts.account.id);
        if drafts.has_margins() {
            wallets.extend(drafts.account.path.iter());
        }
        for pair in drafts.path.windows(2) {
            if pair[1].auto_transfer.is_some() || pair[1].shared_wallet.is_some() {
                wallets.insert(pair[0].id);
                wallets.insert(pair[1].id);
            }
        }
    }
    wallets
}

/// What the intake asks before it decides. It is asked behind the locks on the wallets, so that an
/// account that closes has either closed by now or waits for this batch.
pub struct Ask<'a> {
    accounts: BTreeSet<AccountId>,
    texts: Vec<Had<'a>>,
    counts: Vec<Had<'a>>,
    /// What the numbers of the questions mean: a request, and the place of a recipient in it.
    places: Vec<(usize, usize)>,
    /// What limits it counts against.
    uses: BTreeSet<Use>,
}

/// What the books answered.
pub struct Answers {
    pub standing: HashMap<AccountId, Standing>,
    pub texts: Vec<i64>,
    pub counts: Vec<(i64, i64)>,
    pub used: HashMap<Use, Used>,
}

impl<'a> Ask<'a> {
    /// How the accounts stand, and what the recipients have had: the same text a moment ago, and how
    /// many messages today.
    pub fn about(requests: &'a [Request], now: Moment, time_zone: &TimeZone) -> Ask<'a> {
        let accounts = requests.iter().flat_map(|r| r.drafts.account.path.iter().copied()).collect();
        let uses = requests.iter().flat_map(|r| r.drafts.limits.iter().map(limits::use_of)).collect();
        let mut ask = Ask { accounts, texts: Vec::new(), counts: Vec::new(), places: Vec::new(), uses };
        let mut today = None;
        for (r, request) in requests.iter().enumerate() {
            let drafts = &request.drafts;
            let limited = drafts.account.settings.recipient_day_max > 0;
            if !drafts.is_locked() && !limited {
                continue;
            }
            for (d, draft) in drafts.drafts.iter().enumerate() {
                let Ok(ready) = &draft.ready else { continue };
                let had = |since| Had {
                    number: ask.places.len() as i64,
                    account: drafts.account.id,
                    root: drafts.account.root(),
                    recipient: ready.number,
                    since,
                    text: &drafts.text,
                };
                if drafts.is_locked() {
                    ask.texts.push(had(now.before(RELOAD_LOCK)));
                }
                if limited {
                    let begun =
                        || crate::clock::start_of_day(crate::clock::day_of(now, time_zone), time_zone);
                    ask.counts.push(had(*today.get_or_insert_with(|| begun().unwrap_or(now))));
                }
                ask.places.push((r, d));
            }
        }
        ask
    }

    /// How the accounts stand.
    pub fn standing(&self) -> Question<'_, HashMap<AccountId, Standing>> {
        standing::of(self.accounts.iter().copied())
    }

    /// Who had the same text.
    pub fn texts(&self) -> Question<'_, Vec<i64>> {
        messages::had_text(&self.texts)
    }

    /// What has been used of the limits, locked behind the wallets.
    pub fn used(&self) -> Question<'_, HashMap<Use, Used>> {
        storage::limits::locked(self.uses.iter().copied())
    }

    /// How much recipients had today.
    pub fn counts(&self) -> Question<'_, Vec<(i64, i64)>> {
        messages::had_count(&self.counts)
    }
}

impl<'a> Look<'a> {
    /// Takes in what was answered, and reads which free credit may be used.
    pub async fn at(
        tx: &mut Tx,
        requests: &'a [Request],
        ask: &Ask<'a>,
        answers: Answers,
        book: &Book,
        now: Moment,
    ) -> Result<Look<'a>> {
        let place = |number: i64| usize::try_from(number).ok().and_then(|n| ask.places.get(n).copied());
        let Answers { mut used, .. } = answers;
        if used.len() < ask.uses.len() {
            // What was never used has no row that could be locked. Another node may make it first.
            let unused = ask.uses.iter().copied().filter(|key| !used.contains_key(key));
            storage::limits::open(tx, unused).await?;
            used = tx.ask(ask.used()).await?;
        }
        let mut look = Look {
            used,
            standing: answers.standing,
            repeated: answers.texts.into_iter().filter_map(place).collect(),
            today: answers.counts.into_iter().filter_map(|(n, count)| Some((place(n)?, count))).collect(),
            ..Look::default()
        };
        for account in requests.iter().map(|r| r.drafts.account.id).collect::<BTreeSet<_>>() {
            if book.balance(LedgerAccount::Promo(account)).is_some_and(Credits::is_positive) {
                look.lots.insert(account, promo::lots(tx, account, now).await?);
            }
        }
        Ok(look)
    }

    /// The recipients of a request that are refused for what they had before: in the books, in this
    /// batch or in this very request.
    fn refused(&self, r: usize, drafts: &Drafts) -> HashMap<usize, RecipientRefused> {
        let (locked, max) = (drafts.is_locked(), drafts.account.settings.recipient_day_max);
        let mut refused = HashMap::new();
        if !locked && max == 0 {
            return refused;
        }
        let mut here: HashMap<i64, i64> = HashMap::with_capacity(drafts.drafts.len());
        for (d, draft) in drafts.drafts.iter().enumerate() {
            let Ok(ready) = &draft.ready else { continue };
            let (account, to) = (drafts.account.id, ready.number);
            let count = here.entry(to.as_i64()).or_default();
            let repeated = *count > 0
                || self.repeated.contains(&(r, d))
                || self.texts_here.contains(&(account, to.as_i64(), drafts.text.as_str()));
            let before = self.today.get(&(r, d)).copied().unwrap_or(0)
                + self.today_here.get(&(account, to.as_i64())).copied().unwrap_or(0);
            if locked && repeated {
                refused.insert(d, RecipientRefused::Reload { to });
            } else if max > 0 && before + *count >= max {
                refused.insert(d, RecipientRefused::DayMax { to, max });
            } else {
                *count += 1;
            }
        }
        refused
    }

    /// Notes what a recipient gets by this batch, for the requests that follow in it.
    fn note(&mut self, drafts: &'a Drafts, to: i64) {
        let settings = &drafts.account.settings;
        if settings.reload_lock {
            self.texts_here.insert((drafts.account.id, to, drafts.text.as_str()));
        }
        if settings.recipient_day_max > 0 {
            *self.today_here.entry((drafts.account.id, to)).or_default() += 1;
        }
    }
}

/// Ids that were drawn and not used yet.
#[derive(Default)]
pub struct Ids {
    next: i64,
    end: i64,
    drawn_at: Moment,
}

/// Ids drawn at once at the least.
const BLOCK: i64 = 10_000;
/// Ids older than this are not used any more: what goes through messages in the order of their ids
/// relies on it that they are also in the order of their time, give or take this much.
const IDS_LAST: Duration = Duration::from_secs(3_600);

impl Ids {
    /// As many ids in a row, drawn from the books when those in hand do not suffice.
    pub async fn take(&mut self, tx: &mut Tx, name: &str, count: i64, now: Moment) -> Result<i64> {
        if self.end - self.next < count || now.since(self.drawn_at) > IDS_LAST {
            let block = count.max(BLOCK);
            self.next = storage::counters::draw(tx, name, block).await?;
            self.end = self.next + block;
            self.drawn_at = now;
        }
        let first = self.next;
        self.next += count;
        Ok(first)
    }

    /// How many ids of messages the requests may need.
    pub fn needed(requests: &[Request]) -> i64 {
        requests.iter().map(|r| r.drafts.drafts.len() as i64).sum()
    }
}

/// What was decided, ready to be written.
#[derive(Default)]
pub struct Decided {
    accepted: Vec<Accepted>,
    /// What each request is told once all is stored, in their order.
    pub answers: Vec<std::result::Result<Sent, SendRefused>>,
    /// Charges and automatic transfers to be booked.
    pub groups: Vec<Group>,
    /// What is to be counted.
    pub tally: Tally,
    /// Messages that are to be sent now.
    pub ready: Vec<Waiting>,
    standing: BTreeMap<AccountId, Standing>,
    /// Accounts that credit has come to by itself.
    arm_below: BTreeSet<AccountId>,
    lots: HashMap<i64, Credits>,
    not_moved: Vec<NotMoved>,
    not_shared: Vec<NotShared>,
    /// What has been used of limits.
    used: BTreeMap<Use, Used>,
    /// Limits that have reached a share that their accounts are told of.
    fuller: BTreeMap<Use, (Applied<Limit>, Used)>,
}

/// An automatic transfer that was due and was not made.
struct NotMoved {
    account: AccountId,
    above: AccountId,
    amount: Credits,
    why: mail::Why,
}

/// What a shared wallet did not hold, so that messages were refused.
struct NotShared {
    account: AccountId,
    above: AccountId,
}

/// An accepted request: the messages' own rows are made of it when it is written.
struct Accepted {
    /// Which request.
    request: usize,
    batch: MessageId,
    /// Which drafts, their ids, and how much free credit each used.
    messages: Vec<(usize, MessageId, Credits)>,
}

/// Decides every request, in the order they came. `first_id` begins as many ids as there are
/// recipients.
pub fn decide<'a>(
    mut look: Look<'a>,
    requests: &'a [Request],
    book: &mut Book,
    first_id: i64,
    now: Moment,
    time_zone: &TimeZone,
) -> Decided {
    let mut decided = Decided::default();
    let mut day = Day { time_zone, known: None };
    let today = day.of(now);
    let mut next_id = first_id;
    for (r, request) in requests.iter().enumerate() {
        let answer = decide_one(&mut decided, &mut look, r, &request.drafts, book, &mut next_id, now, today);
        decided.answers.push(answer);
    }
    decided
}

#[expect(clippy::too_many_arguments, reason = "one step of decide(), apart for reading")]
fn decide_one<'a>(
    decided: &mut Decided,
    look: &mut Look<'a>,
    r: usize,
    drafts: &'a Drafts,
    book: &mut Book,
    next_id: &mut i64,
    now: Moment,
    today: i64,
) -> std::result::Result<Sent, SendRefused> {
    let account = drafts.account.id;
    let states =
        drafts.account.path.iter().map(|id| look.standing.get(id).map_or(AccountState::Closed, |s| s.state));
    let state = effective(states);
    if state != AccountState::Active {
        return Err(SendRefused::NotActive { account, state });
    }
    let segments = drafts.segments;
    let mut refused = look.refused(r, drafts);
    let used = match drafts.limits.is_empty() {
        true => Vec::new(),
        false => look.within_limits(drafts, &mut refused, now, today),
    };
    let mut sent = drafts.answer(|d| refused.remove(&d));
    let accepted: Vec<usize> = (0..sent.len()).filter(|d| sent[*d].refused.is_none()).collect();
    let mut by_level: Vec<(AccountId, Credits)> = Vec::new();
    for d in &accepted {
        let Ok(ready) = &drafts.drafts[*d].ready else { continue };
        if by_level.is_empty() {
            by_level = ready.way.levels.iter().map(|(account, _)| (*account, Credits::ZERO)).collect();
        }
        for (sum, (_, price)) in by_level.iter_mut().zip(&ready.way.levels) {
            let amount = price.amount.times(u64::from(segments));
            let next = amount.and_then(|a| sum.1.checked_add(a));
            sum.1 = next.ok_or(SendRefused::InsufficientCredits {
                available: Credits::ZERO,
                cost: Credits(i64::MAX),
            })?;
        }
    }
    let cost = Cost { product: Product::Sms, by_level };
    let total = cost.total();
    let batch = MessageId(*next_id);
    let promo = charge(decided, look, drafts, &cost, batch, book, now, today)?;
    let room = match payer(look, drafts, book, now) {
        Some(_) => limits::room(drafts, &used),
        None => Credits::ZERO,
    };
    look.note_used(drafts, used, decided);
    let mut promo_left = promo;
    let mut messages = Vec::with_capacity(accepted.len());
    for d in accepted {
        let id = MessageId(*next_id);
        *next_id += 1;
        let price = sent[d].price;
        let free = Credits(promo_left.0.min(price.0));
        promo_left = Credits(promo_left.0 - free.0);
        sent[d].id = Some(id);
        messages.push((d, id, free));
        let Ok(ready) = &drafts.drafts[d].ready else { continue };
        look.note(drafts, ready.number.as_i64());
        let counts = decided.tally.entry(drafts.line(ready, today)).or_default();
        counts.accepted += 1;
        counts.segments += i64::from(segments);
        counts.cost = Credits(counts.cost.0 + price.0);
        counts.last_at = now;
        if drafts.send_at.is_none() {
            decided.ready.push(drafts.waiting(ready, id, now));
        }
    }
    let balance = book
        .balance(LedgerAccount::Wallet(account))
        .and_then(|w| w.checked_add(book.balance(LedgerAccount::Promo(account)).unwrap_or(Credits::ZERO)))
        .and_then(|own| own.checked_add(room))
        .unwrap_or(Credits::ZERO);
    let answer = Sent {
        total,
        balance,
        content: drafts.content.clone(),
        sender: drafts.sender.to_string(),
        messages: sent,
    };
    if !messages.is_empty() {
        decided.accepted.push(Accepted { request: r, batch, messages });
    }
    Ok(answer)
}

/// Books the charge of a request, free credit first, and the automatic transfers it gives cause
/// for. Gives how much of it was free.
#[expect(clippy::too_many_arguments, reason = "one step of decide_one(), apart for reading")]
fn charge(
    decided: &mut Decided,
    look: &mut Look,
    drafts: &Drafts,
    cost: &Cost,
    batch: MessageId,
    book: &mut Book,
    now: Moment,
    today: i64,
) -> std::result::Result<Credits, SendRefused> {
    let account = drafts.account.id;
    let total = cost.total();
    if !total.is_positive() {
        return Ok(Credits::ZERO);
    }
    let usable: i64 = look.lots.get(&account).map_or(0, |lots| lots.iter().map(|l| l.remaining.0).sum());
    let promo = Credits(usable.min(total.0).min(book.available(LedgerAccount::Promo(account)).0));
    let postings = cost.charge(promo);
    let missing = Credits(total.0 - promo.0);
    // Who pays what the sender's wallet lacks, and how much that is.
    let shared = payer(look, drafts, book, now).and_then(|payer| {
        let own = book.balance(LedgerAccount::Wallet(account)).unwrap_or(Credits::ZERO).max(Credits::ZERO);
        Some((payer, Credits(missing.0 - own.0))).filter(|(_, lacking)| lacking.is_positive())
    });
    let share = shared.map(|(payer, amount)| Posting {
        from: LedgerAccount::Wallet(payer),
        to: LedgerAccount::Wallet(account),
        amount,
        code: TransferCode::SharedUse,
    });
    let all: Vec<Posting> = share.iter().chain(&postings).copied().collect();
    if book.post(&all).is_err() {
        // The balance would fall below its threshold by this very request: what comes by itself
        // comes before it, if it helps.
        let mut tried = book.clone();
        let before = (decided.groups.len(), decided.not_moved.len());
        let stood = (decided.standing.clone(), decided.arm_below.clone(), look.standing.clone());
        let pending = shared.unwrap_or((account, missing));
        let came = transfer_automatically(decided, look, drafts, &mut tried, now, today, pending);
        if !came || tried.post(&all).is_err() {
            if came {
                // It would not have helped: what was noted of it is undone.
                decided.groups.truncate(before.0);
                decided.not_moved.truncate(before.1);
                (decided.standing, decided.arm_below, look.standing) = stood;
            }
            if let Some((above, _)) = shared {
                decided.not_shared.push(NotShared { account, above });
            }
            let available = Credits(book.available(LedgerAccount::Wallet(account)).0.saturating_add(promo.0));
            return Err(SendRefused::InsufficientCredits { available, cost: total });
        }
        *book = tried;
    }
    let group = |kind, postings| Group {
        cause: Cause { kind, id: batch.0 },
        postings,
        actor: drafts.request.actor.clone(),
        reference: String::new(),
    };
    decided.groups.extend(share.map(|share| group(CauseKind::SharedUse, vec![share])));
    decided.groups.push(group(CauseKind::Batch, postings));
    let mut left = promo.0;
    for lot in look.lots.get_mut(&account).into_iter().flatten() {
        let used = lot.remaining.0.min(left);
        if used > 0 {
            lot.remaining = Credits(lot.remaining.0 - used);
            left -= used;
            decided.lots.insert(lot.id, lot.remaining);
        }
    }
    transfer_automatically(decided, look, drafts, book, now, today, (account, Credits::ZERO));
    Ok(promo)
}

/// The account whose wallet pays what the sender's own lacks: the next one up that uses its own. None
/// when the sender's is not shared.
fn payer(look: &Look, drafts: &Drafts, book: &Book, now: Moment) -> Option<AccountId> {
    let mut at = drafts.account.id;
    while let Some(standing) = look.standing.get(&at)
        && standing.shared.is_some_and(|shared| shared.at(now))
    {
        at = standing.parent?;
    }
    // Only wallets that are locked can pay: sharing that began while the request waited acts on the next.
    let payer = LedgerAccount::Wallet(at);
    (at != drafts.account.id && book.balance(payer).is_some()).then_some(at)
}

/// Lets credit come from above where a balance on the path is below its threshold, from the sender
/// upwards: a transfer may in turn take the account above below its own. The account of `pending` is about
/// to be charged that much. True when any came.
fn transfer_automatically(
    decided: &mut Decided,
    look: &mut Look,
    drafts: &Drafts,
    book: &mut Book,
    now: Moment,
    today: i64,
    pending: (AccountId, Credits),
) -> bool {
    let mut came = false;
    for id in drafts.account.path.iter().rev() {
        let Some(mut standing) = look.standing.get(id).cloned() else { continue };
        let (Some(rule), Some(parent)) = (standing.auto, standing.parent) else { continue };
        if standing.shared.is_some_and(|shared| shared.at(now)) {
            // What its wallet lacks comes from above anyway, and no more than that.
            continue;
        }
        let (wallet, above) = (LedgerAccount::Wallet(*id), LedgerAccount::Wallet(parent));
        // Only accounts whose balance this batch has locked can have fallen, and a rule that was set
        // while the request waited acts on the next one.
        let (Some(balance), Some(there)) = (book.balance(wallet), book.balance(above)) else { continue };
        let pending = if *id == pending.0 { pending.1 } else { Credits::ZERO };
        let low = |balance: Credits| balance.0.saturating_sub(pending.0) < rule.threshold.0;
        if standing.day != today {
            // Whom the ceiling has stopped, a new day sets going again.
            standing.armed |= !rule.within(standing.day_used, standing.month_used);
            if standing.day / 100 != today / 100 {
                standing.month_used = Credits::ZERO;
            }
            standing.day_used = Credits::ZERO;
            standing.day = today;
        }
        if !low(balance) {
            if !standing.armed {
                standing.armed = true;
                look.standing.insert(*id, standing.clone());
                decided.standing.insert(*id, standing);
            }
            continue;
        }
        if !standing.armed {
            continue;
        }
        let within = rule.within(standing.day_used, standing.month_used);
        // Never borrowed money: what is above must be there, not on credit.
        let covered = there >= rule.amount;
        let posting =
            Posting { from: above, to: wallet, amount: rule.amount, code: TransferCode::AutoTransfer };
        if within && covered && book.post(&[posting]).is_ok() {
            standing.count += 1;
            standing.day_used = Credits(standing.day_used.0 + rule.amount.0);
            standing.month_used = Credits(standing.month_used.0 + rule.amount.0);
            decided.groups.push(Group {
                // The rule acts at most once for each of its numbers, whatever is tried again.
                cause: Cause { kind: CauseKind::AutoTransfer, id: id.0 * 10_000_000 + standing.count },
                postings: vec![posting],
                actor: "rule".to_owned(),
                reference: String::new(),
            });
            came = true;
            // One a crossing: it acts again once the balance has been above the threshold.
            standing.armed = book.balance(wallet).is_some_and(|balance| !low(balance));
            // Whoever gets credit lets the rules below act again.
            decided.arm_below.insert(*id);
            let known = look.standing.values_mut().chain(decided.standing.values_mut());
            known.filter(|below| below.parent == Some(*id)).for_each(|below| below.armed = true);
        } else {
            standing.armed = false;
            let why = if within { mail::Why::NotCovered } else { mail::Why::Ceiling };
            decided.not_moved.push(NotMoved { account: *id, above: parent, amount: rule.amount, why });
        }
        look.standing.insert(*id, standing.clone());
        decided.standing.insert(*id, standing);
    }
    came
}

impl Decided {
    /// Writes all but the transfers and the statistics, which the batch writes for everyone. What
    /// each message's place is was planned by the dispatcher.
    pub async fn write(
        &self,
        tx: &mut Tx,
        requests: &[Request],
        plan: &Plan,
        node: NodeId,
        now: Moment,
    ) -> Result<()> {
        let left = plan.left_ids();
        let at_once = plan.at_once_ids();
        let mut levels: Vec<Option<String>> = Vec::new();
        for accepted in &self.accepted {
            for (d, _, _) in &accepted.messages {
                levels.push(requests[accepted.request].drafts.levels(*d));
            }
        }
        let mut rows = Vec::with_capacity(levels.len());
        let mut entries = Vec::with_capacity(levels.len());
        let mut levels = levels.iter();
        for Accepted { request, batch, messages } in &self.accepted {
            let drafts = &requests[*request].drafts;
            let send_at = drafts.send_at.unwrap_or(now);
            for (d, id, free) in messages {
                let levels = levels.next().and_then(|l| l.as_deref());
                let Ok(ready) = &drafts.drafts[*d].ready else { continue };
                let status =
                    if drafts.send_at.is_some() { MessageStatus::Scheduled } else { MessageStatus::Queued };
                rows.push(NewMessage {
                    id: *id,
                    account: drafts.account.id,
                    root: drafts.account.root(),
                    batch: *batch,
                    sender: &drafts.sender,
                    recipient: ready.number,
                    text: &drafts.text,
                    alphabet: drafts.content.alphabet().code(),
                    udh: drafts.udh.as_deref(),
                    flash: drafts.request.flash,
                    segments: i64::from(drafts.segments),
                    price: drafts.price(ready),
                    promo: *free,
                    price_row: ready.way.row(),
                    levels,
                    class: drafts.class,
                    label: drafts.request.label.as_ref().map(domain::label::Label::as_str),
                    foreign_id: drafts.request.foreign_id.as_ref().map(domain::label::ForeignId::as_str),
                    connection: &drafts.request.connection,
                    country: &ready.way.country,
                    network: &ready.way.network,
                    validity_minutes: i64::from(drafts.validity_minutes),
                    created_at: now,
                    send_at,
                    status,
                });
                let (node, attempts) = match () {
                    () if drafts.send_at.is_some() => (outbox::LATER, 0),
                    () if at_once.contains(id) => (node, 1),
                    () if left.contains(id) => (outbox::NOBODY, 0),
                    () => (node, 0),
                };
                entries.push(Entry {
                    message: *id,
                    root: drafts.account.root(),
                    class: drafts.class,
                    due_at: send_at,
                    node,
                    attempts,
                });
            }
        }
        storage::messages::insert(tx, &rows).await?;
        outbox::insert(tx, &entries).await?;
        for account in &self.arm_below {
            storage::accounts::arm_children(tx, *account).await?;
        }
        for (account, standing) in &self.standing {
            standing::set_auto(tx, *account, standing).await?;
        }
        for (lot, remaining) in &self.lots {
            promo::set_remaining(tx, *lot, *remaining).await?;
        }
        if !self.used.is_empty() {
            storage::limits::set(tx, self.used.iter().map(|(key, used)| (*key, *used))).await?;
        }
        Ok(())
    }

    /// Tells both sides of automatic transfers that were not made. After all else, as it takes the counter
    /// that everybody draws from.
    pub async fn tell(&self, tx: &mut Tx, base: &Base, now: Moment) -> Result<()> {
        for NotMoved { account, above, amount, why } in &self.not_moved {
            let reason = match why {
                mail::Why::NotCovered => format!("account {above} holds less than {amount}"),
                mail::Why::Ceiling => "the ceiling of the day or month is reached".to_owned(),
            };
            let text = format!("no automatic transfer of {amount} to account {account}: {reason}");
            for told in [*account, *above] {
                notices::insert(tx, told, "automatic transfer", &text, now).await?;
            }
            let both = storage::accounts::find_all(tx, &[account.0, above.0]).await?;
            let find = |id: AccountId| both.iter().find(|a| a.id == id).map(mail::Account::from);
            let (Some(below), Some(above)) = (find(*account), find(*above)) else { continue };
            for (to, side) in [(below, mail::Side::Below), (above, mail::Side::Above)] {
                let message = mail::Message::AutomaticTransferFailed {
                    account: below,
                    above,
                    amount: *amount,
                    why: *why,
                    side,
                };
                mail::enqueue_sparingly(tx, base, to.id, &mail::MONEY, &message, now).await?;
            }
        }
        for NotShared { account, above } in &self.not_shared {
            let both = storage::accounts::find_all(tx, &[account.0, above.0]).await?;
            let find = |id: AccountId| both.iter().find(|a| a.id == id).map(mail::Account::from);
            let (Some(account), Some(above)) = (find(*account), find(*above)) else { continue };
            for (to, side) in [(account, mail::Side::Below), (above, mail::Side::Above)] {
                let message = mail::Message::SharedWalletEmpty { account, above, side };
                mail::enqueue_sparingly(tx, base, to.id, &mail::MONEY, &message, now).await?;
            }
        }
        self.tell_of_limits(tx, base, now).await
    }
}

impl Drafts {
    /// The answer for every recipient, refused or priced; ids are not given yet.
    pub(crate) fn answer(
        &self,
        mut refused: impl FnMut(usize) -> Option<RecipientRefused>,
    ) -> Vec<SentMessage> {
        let one = |(d, draft): (usize, &crate::accept::Draft)| {
            let (recipient, price, why) = match &draft.ready {
                Ok(ready) => (Some(ready.number), self.price(ready), refused(d)),
                Err(why) => (draft.number, Credits::ZERO, Some(why.clone())),
            };
            SentMessage {
                id: None,
                recipient,
                written: draft.written.clone(),
                segments: self.segments,
                price: if why.is_some() { Credits::ZERO } else { price },
                refused: why,
            }
        };
        self.drafts.iter().enumerate().map(one).collect()
    }

    /// Whether the same text may not go to the same recipient again.
    fn is_locked(&self) -> bool {
        self.account.settings.reload_lock && !self.request.no_reload
    }

    fn price(&self, ready: &crate::accept::Ready) -> Credits {
        ready.way.price(self.segments)
    }

    /// What a message costs an account of the path.
    fn price_for(&self, account: AccountId, ready: &crate::accept::Ready) -> Credits {
        let level = ready.way.levels.iter().find(|(at, _)| *at == account);
        let amount = level.and_then(|(_, price)| price.amount.times(u64::from(self.segments)));
        amount.unwrap_or_else(|| self.price(ready))
    }

    /// Whether any account of the path pays something else than another.
    fn has_margins(&self) -> bool {
        self.drafts.iter().filter_map(|d| d.ready.as_ref().ok()).any(|ready| ready.way.differs)
    }

    fn levels(&self, d: usize) -> Option<String> {
        let Ok(ready) = &self.drafts[d].ready else { return None };
        if !ready.way.differs {
            return None;
        }
        let segments = u64::from(self.segments);
        let of_message: Vec<(AccountId, Credits)> = ready
            .way
            .levels
            .iter()
            .map(|(account, price)| (*account, price.amount.times(segments).unwrap_or(Credits(i64::MAX))))
            .collect();
        Some(levels_text(&of_message))
    }

    fn line(&self, ready: &crate::accept::Ready, day: i64) -> Line {
        Line {
            account: self.account.id,
            day,
            product: Product::Sms,
            country: ready.way.country.to_string(),
            network: ready.way.network.to_string(),
            label: self.request.label.as_ref().map_or(String::new(), |l| l.as_str().to_owned()),
            sender: self.sender.to_string(),
        }
    }

    fn waiting(&self, ready: &crate::accept::Ready, id: MessageId, now: Moment) -> Waiting {
        Waiting {
            id,
            account: self.account.id,
            root: self.account.root(),
            class: self.class,
            sender: self.sender.clone(),
            recipient: ready.number,
            content: self.content.clone(),
            flash: self.request.flash,
            segments: self.segments,
            validity_minutes: self.validity_minutes,
            expires_at: now.after(Duration::from_secs(60 * u64::from(self.validity_minutes))),
            attempts: 0,
            taken: Vec::new(),
            country: ready.way.country.clone(),
        }
    }
}
