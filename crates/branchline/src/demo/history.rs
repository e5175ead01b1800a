//! The past of the invented world, written down as the platform would have written it: accounts,
//! prices and credits by the operations everybody uses, messages by the functions of the books,
//! with their charges, margins, refunds, automatic transfers and counts.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use domain::account::{Account, AutoTransfer, Email};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::id::{AccountId, MessageId};
use domain::label::Label;
use domain::ledger::{Book, Cause, CauseKind, Cost, Group, LedgerAccount, Posting, TransferCode};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::phone_number::PhoneNumber;
use domain::price::Levels;
use domain::product::Product;
use domain::text::Content;
use gateway::accounts::NewAccount;
use gateway::clock::{day_of, start_of_day, thirty_days};
use gateway::credits::{Grant, Transfer};
use gateway::{Base, Prices};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use storage::messages::{Move, NewMessage, Submitted, levels_text};
use storage::rollups::Paths;
use storage::standing::{self, Standing};
use storage::statistics::{Line, Tally};
use storage::{Tx, counters, ledger, messages, statistics};

use super::traffic::{self, Day, Fate, People, Sending};
use super::world::{PRICES, WORLD};

/// How many days of the past there are.
pub const DAYS: u32 = 90;
/// The same seed makes the same world.
const SEED: u64 = 0x0BEA_DCAB_1E55;
/// The price list of the agency's customers.
const RESOLD: &str = "nordlicht";
/// A main account is topped up when less than this share of its first credit is left.
const TOP_UP_BELOW: i64 = 3;
const DAY: Duration = Duration::from_secs(86_400);

/// Writes the world down, from [`DAYS`] days before `now` until a few minutes before it. `base`
/// stands on a clock that is moved along. `progress` is told how many days are done.
/// Gives the accounts, in the order of the world, and how many messages were written.
pub async fn write(
    base: &Base,
    now: Moment,
    mut progress: impl FnMut(u32),
) -> Result<(Vec<AccountId>, usize)> {
    let zone = base.rules.time_zone.clone();
    let first =
        start_of_day(day_of(now.before(DAY * DAYS), &zone), &zone).context("the calendar has no such day")?;
    base.clock.set(first);
    prices(base).await?;
    let accounts = accounts(base).await?;
    let mut chance = StdRng::seed_from_u64(SEED);
    let people = People::new(&mut chance);
    let mut past = Past {
        base,
        accounts: &accounts,
        prices: base.prices().await?,
        ways: HashMap::new(),
        paths: Paths::default(),
        written: 0,
    };
    let until = now.before(Duration::from_secs(600));
    for number in 0..=DAYS {
        // The middle of a day is in it, however the clocks were changed.
        let date = day_of(first.after(DAY * number + DAY / 2), &zone);
        let Some(start) = start_of_day(date, &zone).filter(|start| *start < until) else { break };
        base.clock.set(start.after(Duration::from_secs(8 * 3600)).min(until));
        top_up(base, &accounts).await?;
        let day = Day { number, of: DAYS, start, weekday: weekday(date) };
        let mut sendings = traffic::of_day(day, &people, SEED);
        sendings.retain(|sending| sending.at < until);
        past.write_day(date, &sendings, now).await?;
        if number % 8 == 0 {
            base.db.checkpoint().await?;
        }
        progress(number);
    }
    Ok((accounts.iter().map(|account| account.id).collect(), past.written))
}

/// The day of the week of a date such as 20261123; 0 is Monday.
fn weekday(date: i64) -> usize {
    let part = |n: i64| i8::try_from(n % 100).unwrap_or(1);
    let date =
        jiff::civil::Date::new(i16::try_from(date / 10_000).unwrap_or(2026), part(date / 100), part(date));
    date.map_or(0, |date| usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0))
}

async fn prices(base: &Base) -> Result<()> {
    let list = |which: fn(&(&str, &str, &str)) -> String| {
        PRICES.iter().fold("country,price\n".to_owned(), |csv, price| csv + &which(price) + "\n")
    };
    let ours = list(|(country, price, _)| format!("{country},{price}"));
    let theirs = list(|(country, _, price)| format!("{country},{price}"));
    gateway::prices::import(base, ours.as_bytes(), storage::prices::STANDARD, false, &Actor::command_line())
        .await?;
    gateway::prices::import(base, theirs.as_bytes(), RESOLD, false, &Actor::command_line()).await?;
    Ok(())
}

/// Creates the accounts, each after the one above it, and hands down their first credit.
async fn accounts(base: &Base) -> Result<Vec<Account>> {
    let mut accounts: Vec<Account> = Vec::with_capacity(WORLD.len());
    for who in WORLD {
        let parent = who.parent.and_then(|place| accounts.get(place)).map(|account| account.id);
        let credits: Credits = who.credits.parse()?;
        let new = NewAccount {
            company: Some(who.company.to_owned()),
            owner: who.owner.to_owned(),
            email: Email::parse(&format!("{}@example.com", who.mailbox))?,
            parent,
            credits: if parent.is_none() { credits } else { Credits::ZERO },
        };
        let account = gateway::accounts::create(base, &new, &Actor::command_line()).await?;
        if let Some(parent) = parent {
            let handed = Transfer {
                from: parent,
                to: account.id,
                amount: credits,
                reference: "first credit".to_owned(),
                idempotency_key: None,
                asked_by: None,
            };
            gateway::credits::transfer(base, &handed, &Actor::command_line()).await?;
        }
        if let Some(amount) = who.automatic {
            let amount: Credits = amount.parse()?;
            let times = |n| amount.times(n).context("an amount of the world is too large");
            let rule = AutoTransfer {
                threshold: Credits(amount.0 / 2),
                amount,
                day_max: Some(times(3)?),
                month_max: Some(times(20)?),
            };
            gateway::credits::set_auto_transfer(base, account.id, rule, &Actor::command_line()).await?;
        }
        if who.resold {
            gateway::prices::assign(base, account.id, Some(RESOLD), false, &Actor::command_line()).await?;
        }
        if let Some(kind) = who.traffic.first() {
            let change = gateway::settings::Change {
                default_sender: Some(Some(kind.sender.to_owned())),
                ..gateway::settings::Change::default()
            };
            gateway::settings::change(base, account.id, &change, &Actor::command_line()).await?;
        }
        accounts.push(account);
    }
    Ok(accounts)
}

/// Grants main accounts more before they run out, as an operator does when a payment comes in.
async fn top_up(base: &Base, accounts: &[Account]) -> Result<()> {
    for (who, account) in WORLD.iter().zip(accounts).filter(|(who, _)| who.parent.is_none()) {
        let first: Credits = who.credits.parse()?;
        let (wallet, _) = ledger::balance(&mut *base.db.read().await?, account.id).await?;
        if wallet.0 < first.0 / TOP_UP_BELOW {
            let grant = Grant {
                account: account.id,
                amount: first,
                reason: "bank transfer received".to_owned(),
                idempotency_key: None,
                promo_until: None,
            };
            gateway::credits::grant(base, &grant, &Actor::command_line()).await?;
        }
    }
    Ok(())
}

/// What a message costs, and where it goes.
struct Way {
    country: String,
    network: String,
    levels: Levels,
    /// Whether the accounts of the path pay different prices.
    differs: bool,
}

struct Past<'a> {
    base: &'a Base,
    accounts: &'a [Account],
    prices: Arc<Prices>,
    ways: HashMap<(usize, String, String), Arc<Way>>,
    paths: Paths,
    written: usize,
}

/// A message as it is about to be written.
struct Row<'a> {
    id: MessageId,
    batch: MessageId,
    sending: &'a Sending,
    recipient: PhoneNumber,
    fate: Fate,
    way: Arc<Way>,
    segments: u8,
    alphabet: i64,
    levels: Option<String>,
}

impl Row<'_> {
    fn price(&self) -> Credits {
        let unit = self.way.levels.last().map_or(Credits::ZERO, |(_, price)| price.amount);
        unit.times(u64::from(self.segments)).unwrap_or(Credits::ZERO)
    }
}

impl Past<'_> {
    /// One day in one transaction; within it the books move by the hour.
    async fn write_day(&mut self, date: i64, sendings: &[Sending], now: Moment) -> Result<()> {
        let mut tx = self.base.db.begin().await?;
        let mut standing = tx.ask(standing::of(self.accounts.iter().map(|account| account.id))).await?;
        let mut acted: BTreeSet<AccountId> = BTreeSet::new();
        let mut tally = Tally::new();
        let mut rows = Vec::with_capacity(sendings.len());
        let count = sendings.iter().map(|sending| sending.to.len()).sum::<usize>();
        let mut next_id = counters::draw(&mut tx, "message", i64::try_from(count)?).await?;
        for hour in sendings.chunk_by(|a, b| a.at.seconds() / 3600 == b.at.seconds() / 3600) {
            let mut book = Book::default();
            ledger::lock(&mut tx, &mut book, self.accounts.iter().map(|account| account.id)).await?;
            let mut groups = Vec::new();
            for sending in hour {
                let drafted = self.draft(sending, &mut next_id).await?;
                let charged = charge(sending, &drafted, &mut book, &mut groups);
                if !charged {
                    // It was refused for want of credit, and so it has never been.
                    continue;
                }
                for row in &drafted {
                    refund(row, &mut book, &mut groups);
                    let account = &self.accounts[sending.who];
                    note(row, account.id, date, now, &mut tally);
                }
                transfer_automatically(
                    &self.accounts[sending.who],
                    date,
                    &mut standing,
                    &mut acted,
                    &mut book,
                    &mut groups,
                );
                rows.extend(drafted);
            }
            let transfers = groups.iter().map(|group| group.postings.len()).sum::<usize>();
            let (Some(last), true) = (hour.last(), transfers > 0) else { continue };
            let first = counters::draw(&mut tx, "transfer", i64::try_from(transfers)?).await?;
            ledger::post(&mut tx, &book, &groups, first, last.at).await?;
        }
        self.insert(&mut tx, &rows, now).await?;
        let since = thirty_days(now, &self.base.rules.time_zone);
        statistics::add(&mut tx, &tally, &mut self.paths, since).await?;
        for account in acted {
            if let Some(standing) = standing.get(&account) {
                standing::set_auto(&mut tx, account, standing).await?;
            }
        }
        tx.commit().await?;
        self.written += rows.len();
        Ok(())
    }

    async fn draft<'a>(&mut self, sending: &'a Sending, next_id: &mut i64) -> Result<Vec<Row<'a>>> {
        let content = Content::text(&sending.text, false)?;
        let batch = MessageId(*next_id);
        let mut rows = Vec::with_capacity(sending.to.len());
        for (recipient, fate) in &sending.to {
            let way = self.way(sending.who, *recipient, sending.at).await?;
            let segments = content.segments();
            let levels = way.differs.then(|| {
                let of_message = way.levels.iter().filter_map(|(account, price)| {
                    Some((*account, price.amount.times(u64::from(segments))?))
                });
                levels_text(&of_message.collect::<Vec<_>>())
            });
            rows.push(Row {
                id: MessageId(*next_id),
                batch,
                sending,
                recipient: *recipient,
                fate: *fate,
                way,
                segments,
                alphabet: content.alphabet().code(),
                levels,
            });
            *next_id += 1;
        }
        Ok(rows)
    }

    async fn way(&mut self, who: usize, to: PhoneNumber, at: Moment) -> Result<Arc<Way>> {
        let destination = to.destination();
        let country = destination.country.map_or(String::new(), |country| country.as_str().to_owned());
        let network = destination.network.map_or(String::new(), |network| network.mccmnc());
        let key = (who, country, network);
        if let Some(way) = self.ways.get(&key) {
            return Ok(way.clone());
        }
        let account =
            Arc::new(self.base.account(self.accounts[who].id).await?.context("an account was just made")?);
        let path = self.base.path(&account).await?;
        let levels = Base::levels(&self.prices, &path, Product::Sms, destination.country, &key.2, at);
        let levels = levels.ok_or_else(|| anyhow!("the world has no price for {}", key.1))?;
        let differs = levels.windows(2).any(|pair| pair[0].1.amount != pair[1].1.amount);
        let way = Arc::new(Way { country: key.1.clone(), network: key.2.clone(), levels, differs });
        self.ways.insert(key, way.clone());
        Ok(way)
    }

    async fn insert(&self, tx: &mut Tx, rows: &[Row<'_>], now: Moment) -> Result<()> {
        let new = rows.iter().map(|row| {
            let account = &self.accounts[row.sending.who];
            NewMessage {
                id: row.id,
                account: account.id,
                root: account.root(),
                batch: row.batch,
                sender: row.sending.kind.sender,
                recipient: row.recipient,
                text: &row.sending.text,
                alphabet: row.alphabet,
                udh: None,
                flash: false,
                segments: i64::from(row.segments),
                price: row.price(),
                promo: Credits::ZERO,
                price_row: row.way.levels.last().map_or(0, |(_, price)| price.row.0),
                levels: row.levels.as_deref(),
                class: row.sending.kind.class,
                label: Some(row.sending.kind.label),
                foreign_id: None,
                connection: "http",
                country: &row.way.country,
                network: &row.way.network,
                validity_minutes: i64::from(gateway::accept::VALIDITY_MINUTES),
                created_at: row.sending.at,
                send_at: row.sending.at,
                status: MessageStatus::Queued,
            }
        });
        messages::insert(tx, &new.collect::<Vec<_>>()).await?;
        let taken = rows.iter().filter(|row| !row.fate.refused).map(|row| Submitted {
            id: row.id,
            carrier: super::CARRIER,
            at: row.sending.at.after(row.fate.after / 20),
        });
        messages::submitted(tx, &taken.collect::<Vec<_>>()).await?;
        let ended = rows.iter().filter_map(|row| {
            let at = ended_at(row, now)?;
            Some(Move {
                id: row.id,
                submitted: None,
                status: row.fate.status,
                report: row.fate.report,
                report_at: Some(at),
                error: row.fate.error,
                done_at: Some(at),
            })
        });
        messages::advance(tx, &ended.collect::<Vec<_>>()).await?;
        Ok(())
    }
}

/// When a message came to its end; nothing when it has not yet.
fn ended_at(row: &Row<'_>, now: Moment) -> Option<Moment> {
    Some(row.sending.at.after(row.fate.after)).filter(|at| *at < now)
}

/// What each account of the path pays for these messages together.
fn cost(rows: &[Row<'_>]) -> Cost {
    let mut by_level: Vec<(AccountId, Credits)> = Vec::new();
    for row in rows {
        if by_level.is_empty() {
            by_level = row.way.levels.iter().map(|(account, _)| (*account, Credits::ZERO)).collect();
        }
        for (sum, (_, price)) in by_level.iter_mut().zip(&row.way.levels) {
            let amount = price.amount.times(u64::from(row.segments)).unwrap_or(Credits::ZERO);
            sum.1 = sum.1.checked_add(amount).unwrap_or(sum.1);
        }
    }
    Cost { product: Product::Sms, by_level }
}

/// Books what a request costs; false when the account cannot pay.
fn charge(sending: &Sending, rows: &[Row<'_>], book: &mut Book, groups: &mut Vec<Group>) -> bool {
    let Some(first) = rows.first() else { return false };
    let postings = cost(rows).charge(Credits::ZERO);
    if book.post(&postings).is_err() {
        return false;
    }
    groups.push(Group {
        cause: Cause { kind: CauseKind::Batch, id: first.batch.0 },
        postings,
        actor: format!("key of {}", WORLD[sending.who].company),
        reference: String::new(),
    });
    true
}

/// Gives back what a message cost that the carrier refused.
fn refund(row: &Row<'_>, book: &mut Book, groups: &mut Vec<Group>) {
    if !row.fate.refused {
        return;
    }
    let postings = cost(std::slice::from_ref(row)).refund(Credits::ZERO);
    // What was earned on it a moment ago is still there.
    if book.post(&postings).is_ok() {
        groups.push(Group {
            cause: Cause { kind: CauseKind::Refund, id: row.id.0 },
            postings,
            actor: "carrier".to_owned(),
            reference: String::new(),
        });
    }
}

fn note(row: &Row<'_>, account: AccountId, date: i64, now: Moment, tally: &mut Tally) {
    debug_assert!(Label::parse(row.sending.kind.label).is_ok());
    let line = Line {
        account,
        day: date,
        product: Product::Sms,
        country: row.way.country.clone(),
        network: row.way.network.clone(),
        label: row.sending.kind.label.to_owned(),
        sender: row.sending.kind.sender.to_owned(),
    };
    let counts = tally.entry(line).or_default();
    counts.accepted += 1;
    counts.segments += i64::from(row.segments);
    counts.cost = Credits(counts.cost.0 + row.price().0);
    counts.last_at = counts.last_at.max(row.sending.at);
    if ended_at(row, now).is_some() {
        match row.fate.status {
            MessageStatus::Delivered => counts.delivered += 1,
            _ => counts.failed += 1,
        }
    }
    if row.fate.refused {
        counts.refunds = Credits(counts.refunds.0 + row.price().0);
    }
}

/// Credit that comes by itself, as the intake lets it come: from the sender upwards, once a crossing
/// of the threshold, within the ceilings, and only what is there.
fn transfer_automatically(
    sender: &Account,
    date: i64,
    standing: &mut HashMap<AccountId, Standing>,
    acted: &mut BTreeSet<AccountId>,
    book: &mut Book,
    groups: &mut Vec<Group>,
) {
    for id in sender.path.iter().rev() {
        let Some(of_account) = standing.get_mut(id) else { continue };
        let (Some(rule), Some(parent)) = (of_account.auto, of_account.parent) else { continue };
        let (wallet, above) = (LedgerAccount::Wallet(*id), LedgerAccount::Wallet(parent));
        if book.balance(wallet).is_none_or(|balance| balance >= rule.threshold) {
            continue;
        }
        if of_account.day != date {
            if of_account.day / 100 != date / 100 {
                of_account.month_used = Credits::ZERO;
            }
            (of_account.day, of_account.day_used) = (date, Credits::ZERO);
        }
        let posting =
            Posting { from: above, to: wallet, amount: rule.amount, code: TransferCode::AutoTransfer };
        let covered = book.balance(above).is_some_and(|balance| balance >= rule.amount);
        if !covered
            || !rule.within(of_account.day_used, of_account.month_used)
            || book.post(&[posting]).is_err()
        {
            continue;
        }
        of_account.count += 1;
        of_account.day_used = Credits(of_account.day_used.0 + rule.amount.0);
        of_account.month_used = Credits(of_account.month_used.0 + rule.amount.0);
        acted.insert(*id);
        groups.push(Group {
            cause: Cause { kind: CauseKind::AutoTransfer, id: id.0 * 10_000_000 + of_account.count },
            postings: vec![posting],
            actor: "rule".to_owned(),
            reference: String::new(),
        });
    }
}
