//! Account, the customer: its place in the tree, its state, and how it tops itself up from above.

use crate::credits::Credits;
use crate::id::{AccountId, PriceListId};
use crate::member::Access;
use crate::moment::Moment;

/// The greatest depth of a tree when the operator says nothing: main account, subaccounts, theirs.
pub const DEPTH_MAX_DEFAULT: usize = 3;

/// What an account may do, the freest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountState {
    /// Everything.
    Active,
    /// Read, export and honour STOP; not send.
    Suspended,
    /// As suspended, and about to be closed; can be reopened.
    Closing,
    /// Only its books remain.
    Closed,
}

impl AccountState {
    /// All, in the order of their codes.
    pub const ALL: [AccountState; 4] =
        [AccountState::Active, AccountState::Suspended, AccountState::Closing, AccountState::Closed];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The state of a number in the books.
    pub fn from_code(code: i64) -> Option<AccountState> {
        usize::try_from(code).ok().and_then(|i| AccountState::ALL.get(i)).copied()
    }

    /// The word people read.
    pub fn as_str(self) -> &'static str {
        match self {
            AccountState::Active => "active",
            AccountState::Suspended => "suspended",
            AccountState::Closing => "closing",
            AccountState::Closed => "closed",
        }
    }
}

/// The state that counts: the worst on the path to the root.
pub fn effective(path: impl IntoIterator<Item = AccountState>) -> AccountState {
    path.into_iter().max().unwrap_or(AccountState::Closed)
}

/// Credit that comes by itself from the account above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoTransfer {
    /// A balance below this asks for credit.
    pub threshold: Credits,
    /// How much comes at once.
    pub amount: Credits,
    /// The most that may come on one day.
    pub day_max: Option<Credits>,
    /// The most that may come in one month.
    pub month_max: Option<Credits>,
}

impl AutoTransfer {
    /// Whether another transfer stays within the ceilings, given what came today and this month.
    pub fn within(&self, today: Credits, this_month: Credits) -> bool {
        let fits = |used: Credits, max: Option<Credits>| match max {
            None => true,
            Some(max) => used.checked_add(self.amount).is_some_and(|sum| sum <= max),
        };
        fits(today, self.day_max) && fits(this_month, self.month_max)
    }
}

/// The wallet of the account above, for what an account's own does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedWallet {
    /// From when on.
    pub from: Moment,
    /// Until when; absent is without an end.
    pub until: Option<Moment>,
}

impl SharedWallet {
    /// Whether the wallet is shared at a moment.
    pub fn at(self, now: Moment) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// A customer. One with a parent is a subaccount, one without a main account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// The account above.
    pub parent: Option<AccountId>,
    /// From the main account down to this one, both included.
    pub path: Vec<AccountId>,
    /// The company's name.
    pub company: Option<String>,
    /// The owner's first and last name.
    pub owner: String,
    /// Its identity, as it was given.
    pub email: Email,
    /// Its own state; what counts is [`effective`] over the path.
    pub state: AccountState,
    /// Who or what put it in that state, and why.
    pub state_reason: Option<String>,
    /// How far below zero its wallet may go.
    pub credit_line: Credits,
    /// The price list of its own; without one the parent's counts.
    pub price_list: Option<PriceListId>,
    /// Credit that comes by itself from above.
    pub auto_transfer: Option<AutoTransfer>,
    /// From when until when it uses the wallet of the account above.
    pub shared_wallet: Option<SharedWallet>,
    /// What it chose.
    pub settings: AccountSettings,
    /// When it was created.
    pub created_at: Moment,
}

/// What an account chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSettings {
    /// Who its messages are from when they do not say.
    pub default_sender: Option<String>,
    /// The country of numbers written without one; absent is the installation's.
    pub default_country: Option<String>,
    /// Whether the same text to the same recipient within 180 seconds is refused.
    pub reload_lock: bool,
    /// How many messages one recipient may get a day; 0 is no limit.
    pub recipient_day_max: i64,
    /// The key requests are signed with.
    pub signing_key: String,
    /// Whether unsigned requests are refused.
    pub signature_required: bool,
    /// How it takes visits from above.
    pub access: Access,
    /// Its time zone, by its IANA name; absent is the installation's.
    pub time_zone: Option<String>,
    /// The language it is written to in, such as `de`; absent is the installation's.
    pub language: Option<String>,
    /// Whether its members must have a second factor.
    pub second_factor_required: bool,
    /// How many days texts of messages are kept; absent is for ever.
    pub text_days: Option<i64>,
    /// How many days full numbers of recipients are kept; absent is for ever.
    pub number_days: Option<i64>,
    /// What it was created as.
    pub preset: Option<Preset>,
}

/// What an account is created as: which choices it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// A customer of an agency: asked before somebody steps in.
    Customer,
    /// A department of the same house.
    Department,
    /// A branch that tops itself up from above.
    Branch,
}

impl Preset {
    /// All.
    pub const ALL: [Preset; 3] = [Preset::Customer, Preset::Department, Preset::Branch];

    /// The word programs and people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Customer => "customer",
            Preset::Department => "department",
            Preset::Branch => "branch",
        }
    }

    /// The preset a word names.
    pub fn parse(word: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.as_str() == word)
    }

    /// How it takes visits from above to begin with.
    pub fn access(self) -> Access {
        match self {
            Preset::Customer => Access::Ask,
            Preset::Department | Preset::Branch => Access::Open,
        }
    }

    /// Whether a rule of automatic transfers is proposed.
    pub fn tops_up(self) -> bool {
        self == Preset::Branch
    }
}

impl Account {
    /// The main account of its tree.
    pub fn root(&self) -> AccountId {
        self.path.first().copied().unwrap_or(self.id)
    }

    /// Whether this account stands above the other, at any distance.
    pub fn is_above(&self, other: &Account) -> bool {
        self.id != other.id && other.path.contains(&self.id)
    }

    /// The name to show: the company, else the owner.
    pub fn name(&self) -> &str {
        self.company.as_deref().filter(|c| !c.is_empty()).unwrap_or(&self.owner)
    }
}

/// An e-mail address: the identity of an account, compared without case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// Why a text is not an e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a valid e-mail address; write it as name@example.com")]
pub struct EmailError(pub String);

impl Email {
    /// Reads an address: something before an `@`, a dotted name after it, no spaces, at most 254
    /// characters. Whether it exists only a mail to it can tell.
    pub fn parse(text: &str) -> Result<Email, EmailError> {
        let text = text.trim();
        let wrong = || EmailError(text.chars().take(80).collect());
        let (local, host) = text.rsplit_once('@').ok_or_else(wrong)?;
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>(),;:\\\"[]".contains(c);
        let host_ok = host.split('.').count() > 1
            && host.split('.').all(|l| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-'))
            && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
        let local_ok = !local.is_empty() && local.len() <= 64 && local.chars().all(|c| plain(c) && c != '@');
        if text.len() <= 254 && local_ok && host_ok { Ok(Email(text.to_owned())) } else { Err(wrong()) }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is compared by.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_state_on_the_path_counts() {
        use AccountState::*;
        assert_eq!(effective([Active, Active]), Active);
        assert_eq!(effective([Suspended, Active]), Suspended);
        assert_eq!(effective([Active, Closing, Suspended]), Closing);
        assert_eq!(effective([Closed, Active]), Closed);
    }

    #[test]
    fn an_address_is_read_and_compared_without_case() {
        for good in ["a@b.de", "First.Last+tag@Example.COM", "ü@müller.example"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "a@b", "@b.de", "a@.de", "a b@c.de", "a@b..de", "<a@b.de>", "a@-b.de"] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Email::parse("A@B.de").unwrap().folded(), Email::parse("a@b.DE").unwrap().folded());
    }

    #[test]
    fn an_automatic_transfer_stays_within_its_ceilings() {
        let rule = AutoTransfer {
            threshold: Credits(5),
            amount: Credits(10),
            day_max: Some(Credits(20)),
            month_max: Some(Credits(30)),
        };
        assert!(rule.within(Credits(10), Credits(20)));
        assert!(!rule.within(Credits(11), Credits(11)));
        assert!(!rule.within(Credits(0), Credits(21)));
    }
}
