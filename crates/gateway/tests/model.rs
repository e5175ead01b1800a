//! The books against a model of them: one stream of commands is carried out on SQLite, on PostgreSQL
//! and on a model that knows nothing of either, and after each command all three agree on what was
//! accepted, what it cost, and what every account holds.
//!
//! `MODEL_CASES` and `MODEL_COMMANDS` make it longer than it is by default.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod house;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::account::{Account, AccountState, AutoTransfer};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::MessageId;
use domain::moment::Moment;
use gateway::accept::{RecipientRefused, SendRefused, SendRequest};
use gateway::accounts::{CloseError, StateError, When};
use gateway::credits::{RuleError, TransferError};
use gateway::prices::ImportError;
use gateway::{Base, Clock, Gateway, accounts, credits, prices};
use house::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use testing::TestDatabase;

/// The tree: the parent of each account. The second and the fifth have prices of their own.
const PARENTS: [Option<usize>; 6] = [None, Some(0), Some(1), Some(1), Some(0), Some(4)];
const WITH_PRICES: [usize; 3] = [1, 2, 4];
const COUNTRIES: [&str; 3] = ["DE", "FR", "GB"];
const STANDARD: [i128; 3] = [75_000, 100_000, 200_000];
/// What each account holds at first.
const CREDIT: [i64; 6] = [3_000_000, 600_000, 900_000, 0, 600_000, 900_000];
/// The clock goes on by this with every command, so that no two are of the same moment.
const STEP: Duration = Duration::from_millis(100);
const LOCK: i64 = 180_000_000;

/// What each account from the top down pays.
type Levels = Vec<(usize, i128)>;

#[derive(Clone, Debug)]
enum Command {
    Send {
        from: usize,
        recipients: Vec<(usize, u64)>,
        long: bool,
        text: u8,
        no_reload: bool,
        scheduled: bool,
    },
    Transfer {
        from: usize,
        to: usize,
        amount: i64,
    },
    /// Transfers all that the wallet holds.
    Empty {
        from: usize,
        to: usize,
    },
    Grant {
        to: usize,
        amount: i64,
    },
    GrantFree {
        to: usize,
        amount: i64,
        minutes: u64,
    },
    Rule {
        of: usize,
        threshold: i64,
        amount: i64,
        day_max: Option<i64>,
    },
    CreditLine {
        of: usize,
        line: i64,
    },
    Suspend {
        of: usize,
    },
    Activate {
        of: usize,
    },
    Price {
        of: usize,
        country: usize,
        price: i64,
        allow: bool,
    },
    Cancel {
        of: usize,
        newest: usize,
        count: usize,
    },
    Close {
        of: usize,
    },
    Pass {
        seconds: u64,
    },
    EndFreeCredit,
}

fn command() -> impl Strategy<Value = Command> {
    use Command::*;
    let any = || 0..PARENTS.len();
    let below = || 1..PARENTS.len();
    let amount = || prop_oneof![1..50_000_i64, (1..40_i64).prop_map(|n| n * 25_000)];
    let send = (
        any(),
        prop::collection::vec((0..COUNTRIES.len(), 0..4_u64), 1..=5),
        prop::bool::weighted(0.3),
        0..3_u8,
        any_bool(),
        prop::bool::weighted(0.4),
    );
    prop_oneof![
        10 => send.prop_map(|(from, recipients, long, text, no_reload, scheduled)| {
            Send { from, recipients, long, text, no_reload, scheduled }
        }),
        4 => (any(), any(), amount()).prop_map(|(from, to, amount)| Transfer { from, to, amount }),
        2 => (any(), any()).prop_map(|(from, to)| Empty { from, to }),
        2 => (any(), amount()).prop_map(|(to, amount)| Grant { to, amount }),
        2 => (any(), amount(), 1..20_u64).prop_map(|(to, amount, minutes)| GrantFree { to, amount, minutes }),
        3 => (below(), amount(), amount(), prop::option::of(200_000..2_000_000_i64))
            .prop_map(|(of, threshold, amount, day_max)| Rule { of, threshold, amount, day_max }),
        1 => (any(), 0..300_000_i64).prop_map(|(of, line)| CreditLine { of, line }),
        1 => any().prop_map(|of| Suspend { of }),
        3 => any().prop_map(|of| Activate { of }),
        3 => (0..WITH_PRICES.len(), 0..COUNTRIES.len(), 60..260_i64, any_bool())
            .prop_map(|(of, country, price, allow)| Price { of, country, price: price * 1_000, allow }),
        8 => (any(), 0..6_usize, 1..4_usize).prop_map(|(of, newest, count)| Cancel { of, newest, count }),
        1 => below().prop_map(|of| Close { of }),
        2 => prop_oneof![Just(40), Just(181), 1..1_200_u64].prop_map(|seconds| Pass { seconds }),
        1 => Just(EndFreeCredit),
    ]
}

fn any_bool() -> impl Strategy<Value = bool> {
    prop::bool::ANY
}

/// What came of a command, in words that all three can say.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Refused(&'static str),
    /// What each recipient cost, or why it was refused.
    Sent(Vec<Result<i128, &'static str>>),
    /// Which of an account's scheduled messages were taken back, by the order they were sent in.
    Cancelled(Vec<usize>),
}

// ---- The model ----

struct Model {
    now: i64,
    accounts: Vec<Held>,
    /// The price of a segment by list and country; the first list is the standard one.
    prices: HashMap<(usize, usize), i128>,
    allowed: [bool; PARENTS.len()],
    messages: Vec<Message>,
    /// Refunds that wait, in the order they are tried, and when they are due.
    waiting: Vec<(i64, usize)>,
    /// What one account has handed to another and not taken back.
    handed: HashMap<(usize, usize), i128>,
}

#[derive(Clone)]
struct Held {
    wallet: i128,
    line: i128,
    /// When it ends, the order it came in, what was given, what is left.
    lots: Vec<Lot>,
    state: AccountState,
    rule: Option<Rule>,
    armed: bool,
    day: i64,
    used: i128,
}

#[derive(Clone)]
struct Lot {
    ends: i64,
    order: usize,
    given: i128,
    left: i128,
}

#[derive(Clone)]
struct Rule {
    threshold: i128,
    amount: i128,
    day_max: Option<i128>,
}

struct Message {
    account: usize,
    recipient: (usize, u64),
    text: (u8, bool),
    at: i64,
    /// What each account of the path pays, root first.
    levels: Levels,
    free: i128,
    scheduled: bool,
    cancelled: bool,
}

fn path(account: usize) -> Vec<usize> {
    let mut path = PARENTS[account].map_or(Vec::new(), path);
    path.push(account);
    path
}

impl Model {
    fn new(now: Moment) -> Model {
        let held = Held {
            wallet: 0,
            line: 0,
            lots: Vec::new(),
            state: AccountState::Active,
            rule: None,
            armed: true,
            day: 0,
            used: 0,
        };
        let mut prices = HashMap::new();
        for (country, price) in STANDARD.into_iter().enumerate() {
            for list in 0..=WITH_PRICES.len() {
                prices.insert((list, country), price);
            }
        }
        let accounts = CREDIT.map(|credit| Held { wallet: credit.into(), ..held.clone() }).to_vec();
        let allowed = [false; PARENTS.len()];
        let (messages, waiting, handed) = (Vec::new(), Vec::new(), HashMap::new());
        Model { now: now.0, accounts, prices, allowed, messages, waiting, handed }
    }

    fn free(&self, account: usize) -> i128 {
        self.accounts[account].lots.iter().map(|lot| lot.left).sum()
    }

    fn state(&self, account: usize) -> AccountState {
        path(account).into_iter().map(|a| self.accounts[a].state).max().unwrap()
    }

    fn list_of(account: usize) -> usize {
        path(account)
            .into_iter()
            .rev()
            .find_map(|a| WITH_PRICES.iter().position(|w| *w == a))
            .map_or(0, |i| i + 1)
    }

    /// What a segment to a country costs each account of a path.
    fn levels(&self, account: usize, country: usize, segments: i128) -> Levels {
        path(account).into_iter().map(|a| (a, self.prices[&(Self::list_of(a), country)] * segments)).collect()
    }

    /// Takes and gives all of it, or nothing if a wallet would fall below its line by it.
    fn moves(&mut self, changes: &BTreeMap<usize, i128>) -> bool {
        let fits = |(a, change): (&usize, &i128)| {
            *change >= 0 || self.accounts[*a].wallet + change >= -self.accounts[*a].line
        };
        if !changes.iter().all(fits) {
            return false;
        }
        for (account, change) in changes {
            self.accounts[*account].wallet += change;
        }
        true
    }

    /// What a charge does to each wallet, of which some is paid by free credit.
    fn charge(levels: &[(usize, i128)], free: i128) -> BTreeMap<usize, i128> {
        let mut changes: BTreeMap<usize, i128> = BTreeMap::new();
        let (sender, total) = levels[levels.len() - 1];
        *changes.entry(sender).or_default() -= total - free;
        for pair in levels.windows(2) {
            *changes.entry(pair[0].0).or_default() += pair[1].1 - pair[0].1;
        }
        changes
    }

    fn act(&mut self, command: &Command) -> Outcome {
        let refused = Outcome::Refused;
        match command {
            Command::Send { from, recipients, long, text, no_reload, scheduled } => {
                self.send(*from, recipients, (*text, *long), *no_reload, *scheduled)
            }
            Command::Transfer { from, to, amount } => {
                let amount = i128::from(*amount);
                if from == to {
                    return refused("same");
                }
                for account in [from, to] {
                    if self.accounts[*account].state == AccountState::Closed {
                        return refused("closed");
                    }
                }
                if !path(*from).contains(to) && !path(*to).contains(from) {
                    return refused("sideways");
                }
                if self.accounts[*from].wallet < amount {
                    return refused("insufficient");
                }
                self.hand(*from, *to, amount);
                self.arm_below(*to);
                Outcome::Done
            }
            Command::Empty { .. } => unreachable!("it was made a transfer"),
            Command::Grant { to, amount } => {
                if self.accounts[*to].state == AccountState::Closed {
                    return refused("closed");
                }
                self.accounts[*to].wallet += i128::from(*amount);
                self.arm_below(*to);
                Outcome::Done
            }
            Command::GrantFree { to, amount, minutes } => {
                if self.accounts[*to].state == AccountState::Closed {
                    return refused("closed");
                }
                self.add_lot(*to, i128::from(*amount), self.now + (*minutes as i64) * 60_000_000);
                Outcome::Done
            }
            Command::Rule { of, threshold, amount, day_max } => {
                let rule = Rule {
                    threshold: (*threshold).into(),
                    amount: (*amount).into(),
                    day_max: day_max.map(i128::from),
                };
                if rule.day_max.is_some_and(|max| max < rule.amount) {
                    return refused("ceiling");
                }
                if self.accounts[*of].state == AccountState::Closed {
                    return refused("closed");
                }
                (self.accounts[*of].rule, self.accounts[*of].armed) = (Some(rule), true);
                Outcome::Done
            }
            Command::CreditLine { of, line } => {
                if self.accounts[*of].state == AccountState::Closed {
                    return refused("closed");
                }
                if self.accounts[*of].wallet < -i128::from(*line) {
                    return refused("in use");
                }
                self.accounts[*of].line = (*line).into();
                Outcome::Done
            }
            Command::Suspend { of } => match self.accounts[*of].state {
                AccountState::Active | AccountState::Suspended => {
                    self.accounts[*of].state = AccountState::Suspended;
                    Outcome::Done
                }
                _ => refused("state"),
            },
            Command::Activate { of } => match self.accounts[*of].state {
                AccountState::Closed => refused("state"),
                _ => {
                    self.accounts[*of].state = AccountState::Active;
                    Outcome::Done
                }
            },
            Command::Price { of, country, price, allow } => {
                self.set_price(of + 1, *country, (*price).into(), *allow)
            }
            Command::Cancel { of, newest, count } => Outcome::Cancelled(self.cancel(*of, *newest, *count)),
            Command::Close { of } => self.close(*of),
            Command::Pass { seconds } => {
                self.now += (*seconds as i64) * 1_000_000;
                self.retry();
                Outcome::Done
            }
            Command::EndFreeCredit => {
                let now = self.now;
                for account in &mut self.accounts {
                    account.lots.retain(|lot| lot.ends > now);
                }
                Outcome::Done
            }
        }
    }

    fn hand(&mut self, from: usize, to: usize, amount: i128) {
        self.accounts[from].wallet -= amount;
        self.accounts[to].wallet += amount;
        *self.handed.entry((from, to)).or_default() += amount;
        *self.handed.entry((to, from)).or_default() -= amount;
    }

    fn arm_below(&mut self, parent: usize) {
        for (account, above) in PARENTS.into_iter().enumerate() {
            if above == Some(parent) {
                self.accounts[account].armed = true;
            }
        }
    }

    fn add_lot(&mut self, account: usize, amount: i128, ends: i64) {
        let order = self.accounts.iter().flat_map(|a| &a.lots).map(|lot| lot.order + 1).max().unwrap_or(0);
        self.accounts[account].lots.push(Lot { ends, order, given: amount, left: amount });
    }

    fn send(
        &mut self,
        from: usize,
        recipients: &[(usize, u64)],
        text: (u8, bool),
        no_reload: bool,
        scheduled: bool,
    ) -> Outcome {
        if self.state(from) != AccountState::Active {
            return Outcome::Refused("not active");
        }
        let segments = if text.1 { 2 } else { 1 };
        let mut answers = Vec::new();
        let mut accepted: Vec<((usize, u64), Levels)> = Vec::new();
        for recipient in recipients {
            let had = |m: &Message| {
                let same = m.account == from && m.recipient == *recipient && m.text == text;
                same && !m.cancelled && m.at > self.now - LOCK
            };
            let here = accepted.iter().any(|(r, _)| r == recipient);
            if !no_reload && (here || self.messages.iter().any(had)) {
                answers.push(Err("reload"));
                continue;
            }
            let levels = self.levels(from, recipient.0, segments);
            answers.push(Ok(levels[levels.len() - 1].1));
            accepted.push((*recipient, levels));
        }
        let mut levels: Levels = path(from).into_iter().map(|a| (a, 0)).collect();
        for (_, of_one) in &accepted {
            for (sum, (_, amount)) in levels.iter_mut().zip(of_one) {
                sum.1 += amount;
            }
        }
        let total = levels[levels.len() - 1].1;
        let now = self.now;
        let usable: i128 = self.accounts[from].lots.iter().filter(|l| l.ends > now).map(|l| l.left).sum();
        let mut free = usable.min(total);
        if total > 0 {
            let charge = Self::charge(&levels, free);
            if !self.moves(&charge) {
                // Perhaps credit that comes by itself helps; what came and did not is taken back.
                let before = (self.accounts.clone(), self.handed.clone());
                let came = self.by_rule(from, total - free);
                if !came || !self.moves(&charge) {
                    if came {
                        (self.accounts, self.handed) = before;
                    }
                    return Outcome::Refused("insufficient");
                }
            }
            let mut left = free;
            let lots = &mut self.accounts[from].lots;
            lots.sort_by_key(|lot| (lot.ends, lot.order));
            for lot in lots.iter_mut().filter(|l| l.ends > now) {
                let used = lot.left.min(left);
                (lot.left, left) = (lot.left - used, left - used);
            }
            self.by_rule(from, 0);
        }
        for (recipient, levels) in accepted {
            let price = levels[levels.len() - 1].1;
            let of_this = free.min(price);
            free -= of_this;
            self.messages.push(Message {
                account: from,
                recipient,
                text,
                at: self.now,
                levels,
                free: of_this,
                scheduled,
                cancelled: false,
            });
        }
        Outcome::Sent(answers)
    }

    /// Credit comes by itself, from the sender upwards.
    fn by_rule(&mut self, from: usize, pending: i128) -> bool {
        let today = self.now / 86_400_000_000;
        let mut came = false;
        for account in path(from).into_iter().rev() {
            let pending = if account == from { pending } else { 0 };
            let (Some(rule), Some(above)) = (self.accounts[account].rule.clone(), PARENTS[account]) else {
                continue;
            };
            let fits = |used: i128| rule.day_max.is_none_or(|max| used + rule.amount <= max);
            let there = self.accounts[above].wallet;
            let held = &mut self.accounts[account];
            let low = |wallet: i128| wallet - pending < rule.threshold;
            let (mut armed, mut used) = (held.armed, held.used);
            if held.day != today {
                armed |= !fits(used);
                used = 0;
            }
            if !low(held.wallet) {
                if !armed || held.armed != armed {
                    (held.armed, held.used, held.day) = (true, used, today);
                }
                continue;
            }
            if !armed {
                continue;
            }
            (held.used, held.day) = (used, today);
            if !fits(used) || there < rule.amount {
                held.armed = false;
                continue;
            }
            held.used += rule.amount;
            self.hand(above, account, rule.amount);
            let held = &mut self.accounts[account];
            held.armed = !low(held.wallet);
            self.arm_below(account);
            came = true;
        }
        came
    }

    /// The lists of the accounts that have one; nobody may sell below what the one above pays.
    fn set_price(&mut self, list: usize, country: usize, price: i128, allow: bool) -> Outcome {
        let before = self.prices.insert((list, country), price);
        let mut below = Vec::new();
        for (i, account) in WITH_PRICES.into_iter().enumerate() {
            let (own, above) = (i + 1, Self::list_of(PARENTS[account].unwrap()));
            let open = self.accounts[account].state != AccountState::Closed;
            let concerned = open && (own == list || above == list);
            let loses = (0..COUNTRIES.len()).any(|c| self.prices[&(own, c)] < self.prices[&(above, c)]);
            if concerned && loses && !self.allowed[account] {
                below.push(account);
            }
        }
        if !below.is_empty() && !allow {
            self.prices.insert((list, country), before.unwrap());
            return Outcome::Refused("below cost");
        }
        below.into_iter().for_each(|account| self.allowed[account] = true);
        Outcome::Done
    }

    fn cancel(&mut self, account: usize, newest: usize, count: usize) -> Vec<usize> {
        let mut cancelled = Vec::new();
        for place in wanted(newest, count, self.scheduled(account).len()) {
            let message = self.scheduled(account)[place];
            if !self.messages[message].cancelled {
                self.messages[message].cancelled = true;
                cancelled.push(place);
                if !self.refund(message) {
                    self.waiting.push((self.now + 30_000_000, message));
                }
            }
        }
        cancelled
    }

    /// All messages an account has ever scheduled.
    fn scheduled(&self, account: usize) -> Vec<usize> {
        let all = self.messages.iter().enumerate().filter(|(_, m)| m.account == account && m.scheduled);
        all.map(|(i, _)| i).collect()
    }

    fn refund(&mut self, message: usize) -> bool {
        let Message { account, free, ref levels, .. } = self.messages[message];
        let changes = Self::charge(levels, free).into_iter().map(|(a, change)| (a, -change)).collect();
        if !self.moves(&changes) {
            return false;
        }
        // Free credit goes back where there is room, the last to end first, else into a new lot.
        let now = self.now;
        let mut left = free;
        let lots = &mut self.accounts[account].lots;
        lots.sort_by_key(|lot| std::cmp::Reverse((lot.ends, lot.order)));
        for lot in lots.iter_mut().filter(|l| l.ends > now) {
            let back = (lot.given - lot.left).min(left);
            (lot.left, left) = (lot.left + back, left - back);
        }
        if left > 0 {
            self.add_lot(account, left, now + 30 * 86_400_000_000);
        }
        true
    }

    fn retry(&mut self) {
        self.waiting.sort_by_key(|(due, _)| *due);
        for (due, message) in std::mem::take(&mut self.waiting) {
            if due > self.now {
                self.waiting.push((due, message));
            } else if !self.refund(message) {
                self.waiting.push((self.now + 30_000_000, message));
            }
        }
    }

    fn close(&mut self, account: usize) -> Outcome {
        if self.accounts[account].state == AccountState::Closed {
            return Outcome::Refused("closed");
        }
        let open = |(child, above): (usize, Option<usize>)| {
            above == Some(account) && self.accounts[child].state != AccountState::Closed
        };
        if PARENTS.into_iter().enumerate().any(open) {
            return Outcome::Refused("children");
        }
        let scheduled = self.messages.iter().any(|m| m.account == account && m.scheduled && !m.cancelled);
        if scheduled || self.waiting.iter().any(|(_, m)| self.messages[*m].account == account) {
            return Outcome::Refused("under way");
        }
        if self.accounts[account].wallet < 0 {
            return Outcome::Refused("owes");
        }
        let mut left = self.accounts[account].wallet;
        let mut back = Vec::new();
        for above in path(account).into_iter().rev().skip(1) {
            let amount = self.handed.get(&(above, account)).copied().unwrap_or(0).clamp(0, left);
            left -= amount;
            back.push((above, amount));
        }
        if left > 0 {
            return Outcome::Refused("own credit");
        }
        for (above, amount) in back.into_iter().filter(|(_, amount)| *amount > 0) {
            self.hand(account, above, amount);
            self.arm_below(above);
        }
        self.accounts[account].lots.clear();
        self.accounts[account].state = AccountState::Closed;
        Outcome::Done
    }
}

/// Which of `all` scheduled messages are to be cancelled: so many, from one near the newest on.
fn wanted(newest: usize, count: usize, all: usize) -> Vec<usize> {
    let first = newest % all.max(1);
    (first..first + count).filter_map(|n| all.checked_sub(n + 1)).collect()
}

// ---- The books ----

/// One engine with a gateway at work.
struct Real {
    base: Base,
    gateway: Gateway,
    _database: TestDatabase,
}

/// A tree of one case, in the books of one engine.
struct Tree<'a> {
    real: &'a Real,
    accounts: Vec<Arc<Account>>,
    lists: Vec<String>,
    scheduled: HashMap<usize, Vec<MessageId>>,
}

impl Real {
    async fn of(database: TestDatabase) -> Real {
        let base = base(&database.db, Clock::standing_at(NOW)).await;
        let rows: Vec<String> = COUNTRIES
            .iter()
            .zip(STANDARD)
            .map(|(c, p)| format!("{c},{},2020-02-01\n", Credits(p as i64)))
            .collect();
        import(&base, "standard", &rows.concat(), false).await;
        Real { gateway: simulated(&base).await, base, _database: database }
    }

    async fn tree(&self, case: u64) -> Tree<'_> {
        let mut accounts: Vec<Arc<Account>> = Vec::new();
        for (n, parent) in PARENTS.into_iter().enumerate() {
            let parent = parent.map(|p| accounts[p].as_ref().clone());
            accounts.push(account(&self.base, &format!("c{case}a{n}"), parent.as_ref(), CREDIT[n]).await);
        }
        let mut lists = Vec::new();
        let rows: Vec<String> = COUNTRIES
            .iter()
            .zip(STANDARD)
            .map(|(c, p)| format!("{c},{},2020-01-01\n", Credits(p as i64)))
            .collect();
        for of in WITH_PRICES {
            let list = format!("c{case}l{of}");
            import(&self.base, &list, &rows.concat(), false).await;
            prices::assign(&self.base, accounts[of].id, Some(&list), false, &Actor::command_line())
                .await
                .unwrap();
            lists.push(list);
        }
        Tree { real: self, accounts, lists, scheduled: HashMap::new() }
    }
}

impl Tree<'_> {
    async fn act(&mut self, command: &Command) -> Outcome {
        let base = &self.real.base;
        let (accounts_of, amount_of) = (|n: &usize| &self.accounts[*n], |amount: &i64| Credits(*amount));
        match command {
            Command::Send { .. } => self.send(command).await,
            Command::Transfer { from, to, amount } => {
                let transfer = moving(accounts_of(from), accounts_of(to), *amount);
                of_transfer(credits::transfer(base, &transfer, &Actor::command_line()).await)
            }
            Command::Empty { .. } => unreachable!("it was made a transfer"),
            Command::Grant { to, amount } => self.grant(*to, *amount, None).await,
            Command::GrantFree { to, amount, minutes } => {
                let end = base.clock.now().after(Duration::from_secs(60 * minutes));
                self.grant(*to, *amount, Some(end)).await
            }
            Command::Rule { of, threshold, amount, day_max } => {
                let rule = AutoTransfer { day_max: day_max.map(Credits), ..rule(*threshold, *amount) };
                of_rule(
                    credits::set_auto_transfer(base, accounts_of(of).id, rule, &Actor::command_line()).await,
                )
            }
            Command::CreditLine { of, line } => of_rule(
                credits::set_credit_line(base, accounts_of(of).id, amount_of(line), &Actor::command_line())
                    .await,
            ),
            Command::Suspend { of } => {
                of_state(accounts::suspend(base, accounts_of(of).id, "test", &Actor::command_line()).await)
            }
            Command::Activate { of } => {
                of_state(accounts::activate(base, accounts_of(of).id, &Actor::command_line()).await)
            }
            Command::Price { of, country, price, allow } => {
                let file = format!("country,price\n{},{}\n", COUNTRIES[*country], amount_of(price));
                match prices::import(base, file.as_bytes(), &self.lists[*of], *allow, &Actor::command_line())
                    .await
                {
                    Ok(_) => Outcome::Done,
                    Err(ImportError::BelowCost(_)) => Outcome::Refused("below cost"),
                    Err(other) => panic!("{other}"),
                }
            }
            Command::Cancel { of, newest, count } => {
                let ids = self.scheduled.get(of).cloned().unwrap_or_default();
                let asked: Vec<MessageId> =
                    wanted(*newest, *count, ids.len()).into_iter().map(|n| ids[n]).collect();
                let taken_back =
                    self.real.gateway.cancel(accounts_of(of), &asked, &Actor::command_line()).await.unwrap();
                let place = |id: &MessageId| ids.iter().position(|i| i == id).unwrap();
                Outcome::Cancelled(taken_back.iter().map(place).collect())
            }
            Command::Close { of } => {
                match accounts::close(base, accounts_of(of).id, When::AtOnce, "over", &Actor::command_line())
                    .await
                {
                    Ok(_) => Outcome::Done,
                    Err(CloseError::Closed(_)) => Outcome::Refused("closed"),
                    Err(CloseError::OpenChildren { .. }) => Outcome::Refused("children"),
                    Err(CloseError::UnderWay { .. }) => Outcome::Refused("under way"),
                    Err(CloseError::Owes { .. }) => Outcome::Refused("owes"),
                    Err(CloseError::OwnCredit { .. }) => Outcome::Refused("own credit"),
                    Err(other) => panic!("{other}"),
                }
            }
            Command::Pass { seconds } => {
                base.clock.set(base.clock.now().after(Duration::from_secs(*seconds)));
                self.real.gateway.retry_refunds().await.unwrap();
                let due = format!("select count(*) from jobs where due_at <= {}", base.clock.now().0);
                until("the refunds that are due are tried", async || count(&base.db, &due).await == 0).await;
                Outcome::Done
            }
            Command::EndFreeCredit => {
                credits::end_free_credit(base).await.unwrap();
                Outcome::Done
            }
        }
    }

    async fn grant(&self, to: usize, amount: i64, promo_until: Option<Moment>) -> Outcome {
        let grant = gateway::credits::Grant {
            account: self.accounts[to].id,
            amount: Credits(amount),
            reason: "test".into(),
            idempotency_key: None,
            promo_until,
        };
        of_transfer(credits::grant(&self.real.base, &grant, &Actor::command_line()).await)
    }

    async fn send(&mut self, command: &Command) -> Outcome {
        let Command::Send { from, recipients, long, text, no_reload, scheduled } = command else {
            unreachable!()
        };
        let Real { base, gateway, .. } = self.real;
        let numbers = recipients.iter().map(|(country, n)| match COUNTRIES[*country] {
            "DE" => number(*n),
            "FR" => format!("+3361234567{n}"),
            _ => format!("+44740012345{n}"),
        });
        let body = if *long { format!("{LONG} {text}") } else { format!("text {text}") };
        let request = SendRequest {
            no_reload: *no_reload,
            // So far off that only a cancel ends it.
            send_at: scheduled.then(|| base.clock.now().after(Duration::from_secs(3_600 * 24 * 365))),
            ..to(numbers, &body)
        };
        let account = base.account(self.accounts[*from].id).await.unwrap().unwrap();
        let outcome = match gateway.send(&account, request).await {
            Ok(sent) => {
                let ids = sent.messages.iter().filter_map(|m| m.id);
                if *scheduled {
                    self.scheduled.entry(*from).or_default().extend(ids);
                }
                let word = |m: &gateway::accept::SentMessage| match &m.refused {
                    None => Ok(i128::from(m.price.0)),
                    Some(RecipientRefused::Reload { .. }) => Err("reload"),
                    Some(other) => panic!("{other}"),
                };
                let total: i128 = sent.messages.iter().map(|m| i128::from(m.price.0)).sum();
                assert_eq!(total, i128::from(sent.total.0));
                Outcome::Sent(sent.messages.iter().map(word).collect())
            }
            Err(SendRefused::InsufficientCredits { .. }) => Outcome::Refused("insufficient"),
            Err(SendRefused::NotActive { .. }) => Outcome::Refused("not active"),
            Err(other) => panic!("{other}"),
        };
        handed_over(&base.db).await;
        outcome
    }

    async fn holdings(&self) -> Vec<(i128, i128)> {
        let ids: Vec<i64> = self.accounts.iter().map(|a| a.id.0).collect();
        let mut conn = self.real.base.db.read().await.unwrap();
        let all = storage::accounts::balances(&mut conn, &ids).await.unwrap();
        self.accounts.iter().map(|a| (all[&a.id].0.0.into(), all[&a.id].1.0.into())).collect()
    }
}

fn of_transfer<T>(done: Result<T, TransferError>) -> Outcome {
    match done {
        Ok(_) => Outcome::Done,
        Err(TransferError::Same(_)) => Outcome::Refused("same"),
        Err(TransferError::Closed(_)) => Outcome::Refused("closed"),
        Err(TransferError::Sideways { .. }) => Outcome::Refused("sideways"),
        Err(TransferError::Insufficient { .. }) => Outcome::Refused("insufficient"),
        Err(other) => panic!("{other}"),
    }
}

fn of_rule(done: Result<(), RuleError>) -> Outcome {
    match done {
        Ok(()) => Outcome::Done,
        Err(RuleError::Closed(_)) => Outcome::Refused("closed"),
        Err(RuleError::Ceiling { .. }) => Outcome::Refused("ceiling"),
        Err(RuleError::InUse { .. }) => Outcome::Refused("in use"),
        Err(other) => panic!("{other}"),
    }
}

fn of_state(done: Result<Account, StateError>) -> Outcome {
    match done {
        Ok(_) => Outcome::Done,
        Err(StateError::WrongState { .. }) => Outcome::Refused("state"),
        Err(other) => panic!("{other}"),
    }
}

// ---- The three together ----

async fn agree(all: &[Real], case: u64, commands: &[Command]) -> Result<(), TestCaseError> {
    let mut trees = Vec::new();
    // A case that failed has left one behind the other.
    let now = all.iter().map(|real| real.base.clock.now()).max().unwrap();
    for real in all {
        real.base.clock.set(now);
        trees.push(real.tree(case).await);
    }
    let mut model = Model::new(now);
    for (n, command) in commands.iter().enumerate() {
        model.now += STEP.as_micros() as i64;
        let command = &match command {
            Command::Empty { from, to } => {
                let amount = (model.accounts[*from].wallet as i64).max(1);
                Command::Transfer { from: *from, to: *to, amount }
            }
            other => other.clone(),
        };
        let expected = model.act(command);
        println!(
            "STAT {} {}",
            format!("{command:?}").split(" ").next().unwrap(),
            match &expected {
                Outcome::Sent(v) => format!("sent {}", v.iter().filter(|x| x.is_ok()).count()),
                Outcome::Cancelled(v) => format!("cancelled {} waiting {}", v.len(), model.waiting.len()),
                o => format!("{o:?}"),
            }
        );
        let holdings: Vec<(i128, i128)> =
            (0..PARENTS.len()).map(|a| (model.accounts[a].wallet, model.free(a))).collect();
        for tree in &mut trees {
            let base = &tree.real.base;
            base.clock.set(base.clock.now().after(STEP));
            let outcome = tree.act(command).await;
            let which = format!("{}, command {n}: {command:?}", tree.real.base.db.engine());
            prop_assert_eq!(&outcome, &expected, "{}", which);
            prop_assert_eq!(&tree.holdings().await, &holdings, "{}", which);
            prop_assert_eq!(tree.real.base.clock.now().0, model.now);
        }
    }
    for real in all {
        let mut snapshot = real.base.db.snapshot().await.unwrap();
        let report = storage::check::check(&mut snapshot).await.unwrap();
        snapshot.end().await.unwrap();
        prop_assert!(report.ok, "{}: {:#?}", real.base.db.engine(), report.broken);
    }
    Ok(())
}

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn the_books_do_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let all = runtime.block_on(async {
        let mut all = Vec::new();
        for database in testing::engines().await {
            all.push(Real::of(database).await);
        }
        all
    });
    let config = Config {
        cases: setting("MODEL_CASES", 24),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..Config::default()
    };
    let length = setting("MODEL_COMMANDS", 40) as usize;
    let streams = prop::collection::vec(command(), length / 2..=length + length / 2);
    let case = AtomicU64::new(0);
    let result = TestRunner::new(config).run(&streams, |commands| {
        let case = case.fetch_add(1, Ordering::Relaxed);
        runtime.block_on(agree(&all, case, &commands))
    });
    runtime.block_on(async {
        for real in &all {
            real.gateway.stop().await;
        }
    });
    if let Err(TestError::Fail(why, commands)) = result {
        let commands: Vec<String> = commands.iter().map(|c| format!("  {c:?}\n")).collect();
        panic!("{why}\nafter\n{}", commands.concat());
    }
}
