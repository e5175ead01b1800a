//! The journal: looking for messages of an account or of all below it, one message with its way and its
//! price, and all of what was found as a file of any length.
//!
//! Whoever stands above reads the messages of accounts that are open to them here, and each look is in
//! the log of the account it was into: see [`crate::looks`]. Accounts that mail their owner or want to be
//! asked are left out, and read by a visit.

use std::sync::Arc;

use domain::account::{Account, AccountState};
use domain::actor::Actor;
use domain::credits::Credits;
use domain::delivery_report::ReportState;
use domain::id::{AccountId, MessageId};
use domain::message::MessageStatus;
use domain::moment::Moment;
use domain::price::PriceRow;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use storage::journal::{self, Whose};
pub use storage::journal::{Cursor, Found, Part, Recipient, Search, Sent, Story};
use storage::{Conn, Result, prices};

use crate::base::Base;
use crate::looks;
use crate::scope::{Of, Scope};
use crate::sheet::{harmless, line};
use crate::visits::{self, Way};

/// Messages of a page at the most.
pub const LIMIT_MAX: i64 = 500;
/// More accounts than this that are left out are not counted.
pub const LEFT_OUT_MAX: i64 = 100;
/// Messages an export reads at once.
const EXPORT_PAGE: i64 = 2_000;

/// The messages of an account, or of those below it, that fit, newest first. Nothing when the scope names
/// an account that is not below it. That `actor` has looked into accounts below is written down first.
pub async fn page(
    base: &Base,
    account: &Account,
    scope: Scope,
    search: &Search,
    after: Option<Cursor>,
    limit: i64,
    actor: &Actor,
) -> Result<Option<Found>> {
    let Some(whose) = whose(scope.of(base, account).await?, account) else { return Ok(None) };
    let mut conn = base.db.read().await?;
    let found = journal::search(&mut conn, &whose, search, after, limit.clamp(1, LIMIT_MAX)).await?;
    drop(conn);
    looks::note(base, account, found.messages.iter().map(|sent| sent.account), actor).await?;
    Ok(Some(found))
}

fn whose(scope: Option<Of>, asker: &Account) -> Option<Whose> {
    scope.map(|of| match of.tree || of.account.id != asker.id {
        true => Whose::Open { node: (*of.account).clone(), tree: of.tree, asker: asker.id },
        false => Whose::One(asker.id),
    })
}

/// How many accounts of a scope are left out of its journal, because they mail their owner or want to be
/// asked; at most [`LEFT_OUT_MAX`]. Nothing when the scope names an account that is not below this one.
pub async fn left_out(base: &Base, account: &Account, scope: Scope) -> Result<Option<i64>> {
    let Some(of) = scope.of(base, account).await? else { return Ok(None) };
    let mut conn = base.db.read().await?;
    match of.tree {
        true => journal::left_out(&mut conn, &of.account, account.id, LEFT_OUT_MAX).await.map(Some),
        false if of.account.id == account.id => Ok(Some(0)),
        false => Ok(Some(i64::from(!is_open(&mut conn, &of.account).await?))),
    }
}

/// Whether an account is read from above without anybody being asked or mailed.
async fn is_open(conn: &mut Conn, account: &Account) -> Result<bool> {
    Ok(account.state != AccountState::Closed && visits::way(conn, account).await? == Way::Open)
}

/// What a recipient was looked for by: a whole number in any notation, or the first digits of one, with
/// the calling code first, as `+4915*` or `4915`.
pub fn recipient(written: &str, country: domain::phone_number::Country) -> Option<Recipient> {
    let written = written.trim();
    let beginning = written.strip_suffix('*');
    if beginning.is_none()
        && let Ok(number) = domain::phone_number::PhoneNumber::parse(written, country)
    {
        return Some(Recipient::Exactly(number));
    }
    let digits: String = beginning.unwrap_or(written).chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() || digits.len() > 15 { None } else { digits.parse().ok().map(Recipient::Beginning) }
}

/// A message with its way and its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// All that the books know of it.
    pub story: Story,
    /// Its account.
    pub account: Arc<Account>,
    /// What happened to it, in order.
    pub timeline: Vec<(Moment, Step)>,
    /// What it cost, and why.
    pub price: Price,
    /// Where the transfers of its request and of its refund are found in the statement of its account.
    pub charge: Vec<Booked>,
}

/// Something that happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was accepted and charged.
    Accepted,
    /// It is to be sent at this moment.
    Scheduled,
    /// A carrier took a part of it, the how-manieth of how many.
    PartTaken(i64, i64, String),
    /// A carrier has taken it whole.
    Submitted(String),
    /// A carrier's word on a part of it.
    PartReport(i64, i64, ReportState),
    /// The carrier's word on it.
    Report(ReportState),
    /// It came to its end.
    Ended(MessageStatus),
    /// What it cost was given back.
    Refunded(Credits),
}

/// What a message cost, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What a segment cost.
    pub unit: Credits,
    /// How many there were.
    pub segments: i64,
    /// What that made.
    pub total: Credits,
    /// How much of it was free credit.
    pub promo: Credits,
    /// The price list, by its name. Told only to those above the account, or when it is the standard list.
    pub list: Option<String>,
    /// The row of the list it was charged by.
    pub row: Option<PriceRow>,
    /// The account whose list it is now, as far as the one who asks may know; nothing for the
    /// installation's own list, or one that nobody on the path has any more.
    pub level: Option<AccountId>,
    /// What each account from the one who asks down to the sender paid, where they differ.
    pub levels: Vec<(AccountId, Credits)>,
}

/// A transfer that a message gave cause for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// When.
    pub at: Moment,
    /// What the account of the message gained by all of its group; below nothing is what it gave. The
    /// charge is that of the whole request.
    pub amount: Credits,
    /// Its first transfer.
    pub transfer: domain::id::TransferId,
    /// Whether it gave back.
    pub refund: bool,
}

/// One message of an account or of those below it; of others nothing is known here.
pub async fn message(base: &Base, account: &Account, id: MessageId) -> Result<Option<Told>> {
    let mut conn = base.db.read().await?;
    let Some(story) = journal::message(&mut conn, account.root(), id).await? else { return Ok(None) };
    let Some(sender) = base.account(story.sent.account).await? else { return Ok(None) };
    if sender.id != account.id && !account.is_above(&sender) {
        return Ok(None);
    }
    let price = price(base, &mut conn, account, &sender, &story).await?;
    let booked = storage::statement::of_message(&mut conn, sender.id, story.batch, id).await?;
    let charge =
        booked.into_iter().map(|(transfer, at, amount, refund)| Booked { at, amount, transfer, refund });
    Ok(Some(Told { timeline: timeline(&story), charge: charge.collect(), account: sender, price, story }))
}

fn timeline(story: &Story) -> Vec<(Moment, Step)> {
    let sent = &story.sent;
    let of = sent.segments.max(story.parts.len() as i64);
    let mut steps = vec![(sent.fate.created_at, Step::Accepted)];
    if sent.send_at > sent.fate.created_at {
        steps.push((sent.send_at, Step::Scheduled));
    }
    if story.parts.len() > 1 {
        for part in &story.parts {
            steps.push((part.taken_at, Step::PartTaken(part.part + 1, of, part.carrier.clone())));
            steps.extend(part.report.map(|(word, at)| (at, Step::PartReport(part.part + 1, of, word))));
        }
    }
    if let (Some(at), Some(carrier)) = (story.submitted_at, &story.carrier) {
        steps.push((at, Step::Submitted(carrier.clone())));
    }
    steps.extend(sent.fate.report.map(|(word, at)| (at, Step::Report(word))));
    steps.extend(sent.fate.done_at.map(|at| (at, Step::Ended(sent.fate.status))));
    steps.extend(story.refund.map(|(at, amount)| (at, Step::Refunded(amount))));
    // A carrier's clock may say that it had delivered before we knew that it had taken it.
    steps.sort_by_key(|(at, _)| *at);
    steps
}

/// One message, for somebody who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Here it is.
    Told(Box<Told>),
    /// It is of this account below, which has to be stepped into.
    StepIn(AccountId),
}

/// As [`message`], for somebody who looks from this account: one of an account below only where that is
/// open, and it is written down there first.
pub async fn look(base: &Base, account: &Account, id: MessageId, actor: &Actor) -> Result<Option<Look>> {
    let Some(told) = message(base, account, id).await? else { return Ok(None) };
    let of = told.account.id;
    if of != account.id {
        if !is_open(&mut *base.db.read().await?, &told.account).await? {
            return Ok(Some(Look::StepIn(of)));
        }
        looks::note(base, account, [of], actor).await?;
    }
    Ok(Some(Look::Told(Box::new(told))))
}

async fn price(
    base: &Base,
    conn: &mut Conn,
    asker: &Account,
    sender: &Account,
    story: &Story,
) -> Result<Price> {
    let (total, segments) = (story.sent.price, story.sent.segments);
    let found = prices::row(conn, story.price_row).await?;
    let path = base.path(sender).await?;
    let (mut list, mut row, mut level) = (None, None, None);
    if let Some((of_list, of_row)) = found {
        let is_standard = of_list.is_standard();
        level = path.iter().rev().find(|a| a.price_list == Some(of_list.id)).map(|a| a.id);
        // Which list another account has given it is not the sender's to know, and still less one above.
        list =
            Some(of_list.name).filter(|_| is_standard || level.is_some_and(|level| is_below(asker, level)));
        row = Some(of_row);
    }
    let seen = |id: AccountId| id == asker.id || is_below(asker, id);
    let mut levels: Vec<(AccountId, Credits)> =
        story.levels.iter().filter(|(id, _)| seen(*id)).copied().collect();
    if levels.len() < 2 {
        levels.clear();
    }
    Ok(Price {
        unit: Credits(total.0 / segments.max(1)),
        segments,
        total,
        promo: story.promo,
        list,
        row,
        level: level.filter(|level| seen(*level)),
        levels,
    })
}

/// Whether an account of a path on which the one who asks is stands below it.
fn is_below(asker: &Account, other: AccountId) -> bool {
    !asker.path.contains(&other)
}

/// All that fits as CSV, piece by piece, newest first. What is accepted after it was begun is not in it.
pub struct Export {
    base: Base,
    asker: Account,
    actor: Actor,
    whose: Whose,
    search: Search,
    zone: TimeZone,
    after: Option<Cursor>,
    begun: bool,
    ended: bool,
    has_prices: bool,
}

/// The columns of an export.
pub const COLUMNS: [&str; 16] = [
    "id",
    "account",
    "accepted_at",
    "send_at",
    "from",
    "to",
    "country",
    "network",
    "text",
    "segments",
    "price",
    "status",
    "done_at",
    "label",
    "foreign_id",
    "connection",
];

/// Begins an export; times are written in `zone`. Nothing when the scope names an account that is not
/// below this one. That `actor` has looked into accounts below is written down before each piece.
pub async fn export(
    base: &Base,
    account: &Account,
    scope: Scope,
    search: Search,
    zone: TimeZone,
    actor: &Actor,
) -> Result<Option<Export>> {
    let Some(whose) = whose(scope.of(base, account).await?, account) else { return Ok(None) };
    let now = Moment(base.clock.now().0 + 1);
    let before = search.before.map_or(now, |before| before.min(now));
    let search = Search { before: Some(before), ..search };
    Ok(Some(Export {
        base: base.clone(),
        asker: account.clone(),
        actor: actor.clone(),
        whose,
        search,
        zone,
        after: None,
        begun: false,
        ended: false,
        has_prices: true,
    }))
}

impl Export {
    /// Leaves out what messages cost, for those who may not see it.
    pub fn without_prices(self) -> Export {
        Export { has_prices: false, ..self }
    }

    /// The next piece; nothing when that was all. Each takes a bounded time and amount of memory, however
    /// many messages there are; a piece may be empty while none fits.
    pub async fn next(&mut self) -> Result<Option<String>> {
        if self.ended {
            return Ok(None);
        }
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            let columns = COLUMNS.into_iter().filter(|column| self.has_prices || *column != "price");
            text = line(columns.map(str::to_owned));
        }
        let mut conn = self.base.db.read().await?;
        let found = journal::search(&mut conn, &self.whose, &self.search, self.after, EXPORT_PAGE).await?;
        drop(conn);
        let accounts = found.messages.iter().map(|sent| sent.account);
        looks::note(&self.base, &self.asker, accounts, &self.actor).await?;
        for sent in found.messages {
            text.push_str(&self.line(sent));
        }
        self.after = found.next;
        self.ended = found.next.is_none();
        Ok(Some(text))
    }

    fn line(&self, sent: Sent) -> String {
        let at = |moment: Moment| {
            let timestamp = Timestamp::from_microsecond(moment.0).unwrap_or(Timestamp::UNIX_EPOCH);
            timestamp.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        };
        let cells = [
            sent.fate.id.to_string(),
            sent.account.to_string(),
            at(sent.fate.created_at),
            at(sent.send_at),
            harmless(&sent.sender),
            sent.recipient.to_string(),
            sent.country,
            sent.network,
            harmless(&sent.text),
            sent.segments.to_string(),
            sent.price.to_string(),
            sent.fate.status.as_str().to_owned(),
            sent.fate.done_at.map_or(String::new(), at),
            harmless(&sent.label.unwrap_or_default()),
            harmless(&sent.foreign_id.unwrap_or_default()),
            harmless(&sent.connection),
        ];
        let shown =
            COLUMNS.into_iter().zip(cells).filter(|(column, _)| self.has_prices || *column != "price");
        line(shown.map(|(_, cell)| cell))
    }
}
