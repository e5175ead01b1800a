//! Member, a person in an account; Role, and what [`crate::permission`] makes of it.

use crate::id::{AccountId, LoginId, MemberId};
use crate::moment::Moment;

/// What a member is in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything. One an account.
    Owner,
    /// All but closing the account, giving it away and what is the owner's word alone.
    Administrator,
    /// Keys and the log of calls; no message contents, no money.
    Developer,
    /// Credits, invoices and statistics of cost; nothing else.
    Finance,
    /// Send, and read the journal; no keys, no money.
    Messaging,
    /// Statistics only.
    Analyst,
    /// Reads everything but secrets, changes nothing.
    Auditor,
}

impl Role {
    /// All, in the order of their codes.
    pub const ALL: [Role; 7] = [
        Role::Owner,
        Role::Administrator,
        Role::Developer,
        Role::Finance,
        Role::Messaging,
        Role::Analyst,
        Role::Auditor,
    ];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The role of a number in the books.
    pub fn from_code(code: i64) -> Option<Role> {
        usize::try_from(code).ok().and_then(|i| Role::ALL.get(i)).copied()
    }

    /// The word programs and people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Administrator => "administrator",
            Role::Developer => "developer",
            Role::Finance => "finance",
            Role::Messaging => "messaging",
            Role::Analyst => "analyst",
            Role::Auditor => "auditor",
        }
    }

    /// The role a word names.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether it reaches every account below by itself.
    pub fn reaches_down(self) -> bool {
        matches!(self, Role::Owner | Role::Administrator)
    }
}

/// A login's place in an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: MemberId,
    /// The account.
    pub account: AccountId,
    /// The person.
    pub login: LoginId,
    /// What they are there.
    pub role: Role,
    /// Whether the role also counts in every account below.
    pub includes_subaccounts: bool,
    /// Since when.
    pub created_at: Moment,
}

/// How an account takes visits from above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// They are written down where its members see them.
    #[default]
    Open,
    /// They are also mailed to its owner.
    Notify,
    /// Its owner must have said yes, for a time.
    Ask,
}

impl Access {
    /// All, in the order of their codes.
    pub const ALL: [Access; 3] = [Access::Open, Access::Notify, Access::Ask];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The policy of a number in the books.
    pub fn from_code(code: i64) -> Option<Access> {
        usize::try_from(code).ok().and_then(|i| Access::ALL.get(i)).copied()
    }

    /// The word programs and people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Open => "open",
            Access::Notify => "notify",
            Access::Ask => "ask",
        }
    }

    /// The policy a word names.
    pub fn parse(word: &str) -> Option<Access> {
        Access::ALL.into_iter().find(|access| access.as_str() == word)
    }
}
