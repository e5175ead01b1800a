//! From what a caller wrote to what may be sent: the text, the numbers, the segments and what each
//! costs. Whether the account can pay is decided in the intake's batch.

use std::sync::Arc;

use domain::account::{Account, AccountState};
use domain::credits::Credits;
use domain::id::{AccountId, MessageId};
use domain::label::{ForeignId, Label};
use domain::limit::{Applied, Limit, Measure, Reached};
use domain::message::MessageClass;
use domain::moment::Moment;
use domain::phone_number::{Country, Network, NumberError, PhoneNumber};
use domain::price::Levels;
use domain::product::Product;
use domain::sender_id::{SenderError, SenderId};
use domain::text::{Content, TextError};

use crate::base::{Base, Prices};
use crate::limits::Held;

/// Recipients one request may name.
pub const RECIPIENTS_MAX: usize = 10_000;
/// A request to more recipients than this is a mailing unless it says otherwise.
const NORMAL_RECIPIENTS_MAX: usize = 200;
/// How long a message may be tried when the request does not say, in minutes.
pub const VALIDITY_MINUTES: u32 = 2880;
/// The longest a message may be tried, in minutes: a week.
pub const VALIDITY_MINUTES_MAX: u32 = 10_080;

/// What a caller wants to be sent.
#[derive(Clone, Debug, Default)]
pub struct SendRequest {
    /// The numbers, in any notation.
    pub recipients: Vec<String>,
    /// The text, or hexadecimal octets of a binary message.
    pub text: String,
    /// Who it is from; absent is the account's default.
    pub sender: Option<String>,
    /// When to send it; absent or past is now.
    pub send_at: Option<Moment>,
    /// Shown on the screen at once and not stored.
    pub flash: bool,
    /// A user data header of the caller's own, in hexadecimal.
    pub udh: Option<String>,
    /// Whether the text is hexadecimal octets.
    pub binary: bool,
    /// Whether to send as UCS-2 what would fit GSM 03.38.
    pub ucs2: bool,
    /// How long to try, in minutes; absent is two days.
    pub validity_minutes: Option<u32>,
    /// The tag it is counted by.
    pub label: Option<Label>,
    /// The caller's own name for it.
    pub foreign_id: Option<ForeignId>,
    /// How urgent; absent is normal, or bulk above 200 recipients.
    pub class: Option<MessageClass>,
    /// The program that asks, as it calls itself.
    pub connection: String,
    /// Whether the same text may go to the same recipient again at once.
    pub no_reload: bool,
    /// Who asks, for the books: `key 12`.
    pub actor: String,
}

/// What became of a request that was not refused as a whole.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What all its messages cost together.
    pub total: Credits,
    /// What the account (wallet and free credit) holds after it.
    pub balance: Credits,
    /// The text or octets sent.
    pub content: Arc<Content>,
    /// Who it is from.
    pub sender: String,
    /// One for each recipient named, in the order they were named.
    pub messages: Vec<SentMessage>,
}

/// What became of one recipient.
#[derive(Clone, Debug)]
pub struct SentMessage {
    /// The message's number; none when it was refused, or not meant to be sent.
    pub id: Option<MessageId>,
    /// The number; none when it could not be read.
    pub recipient: Option<PhoneNumber>,
    /// The recipient as it was written.
    pub written: String,
    /// Segments.
    pub segments: u8,
    /// What it costs.
    pub price: Credits,
    /// Why it was refused.
    pub refused: Option<RecipientRefused>,
}

/// Why one recipient was refused. The others of the request are not touched by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientRefused {
    /// Not a number that can be reached.
    #[error("{0}")]
    Number(#[from] NumberError),
    /// The same text went to the same recipient less than 180 seconds ago.
    #[error(
        "the same text went to {to} less than 180 seconds ago; send it with no_reload=1 if it is meant twice"
    )]
    Reload {
        /// The recipient.
        to: PhoneNumber,
    },
    /// The recipient has had as many messages today as the account allows.
    #[error("{to} has had {max} messages today, the most the account allows")]
    DayMax {
        /// The recipient.
        to: PhoneNumber,
        /// The most a day.
        max: i64,
    },
    /// A limit is full: the account's own or one of those above.
    #[error("a limit is reached for {to}: {reached}; {}, and an administrator of account {} can raise it",
        begins_anew(.reached.measure), .reached.by)]
    Limit {
        /// The recipient.
        to: PhoneNumber,
        /// Which.
        reached: Box<Reached>,
    },
    /// Messages to the country are not allowed.
    #[error("account {by} does not allow messages to the country of {to}; an administrator of it can")]
    Country {
        /// The recipient.
        to: PhoneNumber,
        /// Whose people said so.
        by: AccountId,
    },
    /// Nobody set a price for the destination.
    #[error("there is no price for messages to {to}; the operator can set one")]
    NoPrice {
        /// The recipient.
        to: PhoneNumber,
    },
    /// No carrier takes messages to the destination.
    #[error("no route leads to {to}; the operator can set one up")]
    NoRoute {
        /// The recipient.
        to: PhoneNumber,
    },
}

fn begins_anew(measure: Measure) -> &'static str {
    match measure {
        Measure::SpendDay | Measure::MessagesDay => "it begins anew tomorrow",
        Measure::SpendMonth => "it begins anew next month",
        Measure::MessagesHour => "it begins anew with the next hour",
    }
}

/// Why a request was refused as a whole. Nothing of it is stored or charged.
#[derive(Debug, thiserror::Error)]
pub enum SendRefused {
    /// No recipient is named.
    #[error("the parameter 'to' is missing; name at least one recipient")]
    NoRecipient,
    /// Too many are.
    #[error("the request names {count} recipients; send at most {RECIPIENTS_MAX} with one request")]
    TooManyRecipients {
        /// How many.
        count: usize,
    },
    /// The text cannot be sent.
    #[error("the parameter 'text': {0}")]
    Text(#[from] TextError),
    /// The sender cannot be shown.
    #[error("the parameter 'from': {0}")]
    Sender(#[from] SenderError),
    /// The account may not use this sender.
    #[error(
        "the parameter 'from': account {by} does not allow the sender '{sender}'; use one it allows, or ask an administrator of it"
    )]
    SenderNotAllowed {
        /// The sender.
        sender: String,
        /// Whose people said so.
        by: AccountId,
    },
    /// The validity is out of range.
    #[error("the parameter 'ttl' is {minutes} minutes; use 1 to {VALIDITY_MINUTES_MAX}")]
    Validity {
        /// What was asked for.
        minutes: u32,
    },
    /// The account cannot pay for it.
    #[error("the balance of {available} does not cover the cost of {cost}")]
    InsufficientCredits {
        /// What the account can spend.
        available: Credits,
        /// What the request costs.
        cost: Credits,
    },
    /// The account, or one above it, may not send.
    #[error("account {account} is {}; an administrator above it can change that", .state.as_str())]
    NotActive {
        /// The account.
        account: AccountId,
        /// Its effective state.
        state: AccountState,
    },
    /// Too much is under way. Nothing was stored; the same may be sent again.
    #[error("too many requests are under way, try again in a moment")]
    Busy,
    /// The books cannot be written. Nothing was stored; the same may be sent again.
    #[error("{0}")]
    Storage(#[from] Arc<storage::Error>),
}

/// A request that is fit to be decided: what the batch needs, and nothing it has to work out.
#[derive(Debug)]
pub struct Drafts {
    pub(crate) account: Arc<Account>,
    pub(crate) path: Vec<Arc<Account>>,
    pub(crate) content: Arc<Content>,
    /// The text as it is stored.
    pub(crate) text: String,
    pub(crate) udh: Option<String>,
    pub(crate) segments: u8,
    pub(crate) sender: Arc<str>,
    pub(crate) request: SendRequest,
    pub(crate) class: MessageClass,
    pub(crate) validity_minutes: u32,
    pub(crate) send_at: Option<Moment>,
    /// The limits it counts against, in the order they are locked.
    pub(crate) limits: Arc<[Applied<Limit>]>,
    pub(crate) drafts: Vec<Draft>,
}

/// One recipient of a request.
#[derive(Debug)]
pub(crate) struct Draft {
    pub written: String,
    pub number: Option<PhoneNumber>,
    pub ready: Result<Ready, RecipientRefused>,
}

/// A recipient that can be reached, and what that costs.
#[derive(Debug)]
pub(crate) struct Ready {
    pub number: PhoneNumber,
    pub way: Arc<Way>,
}

/// Where a message goes, and what a segment there costs each account of the path.
#[derive(Debug)]
pub(crate) struct Way {
    pub country: Arc<str>,
    pub network: Arc<str>,
    pub levels: Levels,
    /// Whether any account of the path pays something else than another.
    pub differs: bool,
}

impl Way {
    /// What so many segments cost the sender.
    pub fn price(&self, segments: u8) -> Credits {
        let unit = self.levels.last().map_or(Credits::ZERO, |(_, price)| price.amount);
        unit.times(u64::from(segments)).unwrap_or(Credits(i64::MAX))
    }

    /// The price row of the sender.
    pub fn row(&self) -> i64 {
        self.levels.last().map_or(0, |(_, price)| price.row.0)
    }
}

/// Reads a request: checks all that can be checked without the books, and finds out what each
/// recipient costs.
pub(crate) async fn draft(
    base: &Base,
    leads_to: impl Fn(Option<Country>) -> bool,
    account: &Arc<Account>,
    request: SendRequest,
) -> Result<Drafts, SendRefused> {
    match request.recipients.len() {
        0 => return Err(SendRefused::NoRecipient),
        count if count > RECIPIENTS_MAX => return Err(SendRefused::TooManyRecipients { count }),
        _ => {}
    }
    let content = Content::from_request(&request.text, request.udh.as_deref(), request.binary, request.ucs2)?;
    let sender = sender(base, account, request.sender.as_deref())?;
    let validity_minutes = request.validity_minutes.unwrap_or(VALIDITY_MINUTES);
    if !(1..=VALIDITY_MINUTES_MAX).contains(&validity_minutes) {
        return Err(SendRefused::Validity { minutes: validity_minutes });
    }
    let bulk = request.recipients.len() > NORMAL_RECIPIENTS_MAX;
    let class = request.class.unwrap_or(if bulk { MessageClass::Bulk } else { MessageClass::Normal });
    let now = base.clock.now();
    let home = home(base, account);
    let path = base.path(account).await.map_err(Arc::new)?;
    let prices = base.prices().await.map_err(Arc::new)?;
    let held = base.limits(account).await.map_err(Arc::new)?;
    if let Some(limit) = held.against_sender(sender.as_str()) {
        return Err(SendRefused::SenderNotAllowed { sender: sender.as_str().to_owned(), by: limit.by });
    }
    let mut ways = Ways::new(&prices, &path, &held, now, leads_to);
    let drafts = request.recipients.iter().map(|written| ways.draft(written, home)).collect();
    Ok(Drafts {
        account: account.clone(),
        path,
        text: content.shown().into_owned(),
        udh: content.udh_shown(),
        segments: content.segments(),
        content: Arc::new(content),
        sender: sender.as_str().into(),
        class,
        validity_minutes,
        send_at: request.send_at.filter(|at| *at > now),
        limits: held.counting.clone(),
        drafts,
        request,
    })
}

/// Who a message is from: as the request says, else the account's default, else the installation's.
pub(crate) fn sender(base: &Base, account: &Account, written: Option<&str>) -> Result<SenderId, SenderError> {
    let sender = written.or(account.settings.default_sender.as_deref());
    SenderId::parse(sender.unwrap_or(&base.rules.default_sender))
}

/// The country of numbers that are written without one.
pub(crate) fn home(base: &Base, account: &Account) -> Country {
    let country = account.settings.default_country.as_deref().and_then(Country::parse);
    country.unwrap_or(base.rules.default_country)
}

/// The ways found so far in a request: most of its recipients are in the same few networks.
pub(crate) struct Ways<'a, F> {
    known: Vec<(Option<Country>, Option<Network>, Found)>,
    prices: &'a Prices,
    path: &'a [Arc<Account>],
    held: &'a Held,
    now: Moment,
    leads_to: F,
}

type Found = Result<Arc<Way>, Unreachable>;

#[derive(Clone, Copy)]
enum Unreachable {
    NotAllowed(AccountId),
    NoPrice,
    NoRoute,
}

impl<'a, F: Fn(Option<Country>) -> bool> Ways<'a, F> {
    /// None yet, for an account of this path at this time.
    pub fn new(
        prices: &'a Prices,
        path: &'a [Arc<Account>],
        held: &'a Held,
        now: Moment,
        leads_to: F,
    ) -> Ways<'a, F> {
        Ways { known: Vec::new(), prices, path, held, now, leads_to }
    }

    /// A recipient as it was written.
    pub fn draft(&mut self, written: &str, home: Country) -> Draft {
        match PhoneNumber::parse(written, home) {
            Ok(number) => self.draft_of(written, number),
            Err(error) => Draft { written: written.to_owned(), number: None, ready: Err(error.into()) },
        }
    }

    /// A recipient that has been read.
    pub fn draft_of(&mut self, written: &str, number: PhoneNumber) -> Draft {
        let ready = self.to(number).map(|way| Ready { number, way });
        Draft { written: written.to_owned(), number: Some(number), ready }
    }

    fn to(&mut self, to: PhoneNumber) -> Result<Arc<Way>, RecipientRefused> {
        let destination = to.destination();
        let (country, network) = (destination.country, destination.network);
        let known = self.known.iter().find(|(c, n, _)| *c == country && *n == network);
        let way = match known {
            Some((_, _, way)) => way.clone(),
            None => {
                let way = self.find(country, network);
                self.known.push((country, network, way.clone()));
                way
            }
        };
        way.map_err(|why| match why {
            Unreachable::NotAllowed(by) => RecipientRefused::Country { to, by },
            Unreachable::NoPrice => RecipientRefused::NoPrice { to },
            Unreachable::NoRoute => RecipientRefused::NoRoute { to },
        })
    }

    fn find(&self, country: Option<Country>, network: Option<Network>) -> Result<Arc<Way>, Unreachable> {
        if let Some(limit) = self.held.against_country(country) {
            return Err(Unreachable::NotAllowed(limit.by));
        }
        if !(self.leads_to)(country) {
            return Err(Unreachable::NoRoute);
        }
        let network = network.map_or(String::new(), |n| n.mccmnc());
        let levels = Base::levels(self.prices, self.path, Product::Sms, country, &network, self.now);
        let levels = levels.filter(|l| !l.is_empty()).ok_or(Unreachable::NoPrice)?;
        let differs = levels.windows(2).any(|pair| pair[0].1.amount != pair[1].1.amount);
        let country = country.map_or(String::new(), |c| c.as_str().to_owned());
        Ok(Arc::new(Way { country: country.into(), network: network.into(), levels, differs }))
    }
}
