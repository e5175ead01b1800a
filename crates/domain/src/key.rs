//! API keys: what one may be used for. The secret itself is stored as a hash and shown once.

use crate::id::{AccountId, KeyId};
use crate::moment::Moment;

/// An API key as it is known after it was shown: everything but its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its number.
    pub id: KeyId,
    /// The account it was created in.
    pub account: AccountId,
    /// What its owner calls it.
    pub label: String,
    /// The first characters of its secret, to recognise it by.
    pub prefix: String,
    /// Whether nothing is sent or charged with it.
    pub sandbox: bool,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Whether it may act in the accounts below its own.
    pub subaccount_access: bool,
    /// Until when it works.
    pub expires_at: Option<Moment>,
    /// When it was taken back.
    pub revoked_at: Option<Moment>,
    /// When it was created.
    pub created_at: Moment,
}

impl Key {
    /// Whether it works at this time.
    pub fn works(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// What a key may be used for.
///
/// The first sixteen are the wire's, named as it names them: each opens one endpoint of `/api`. The
/// others are Branchline's own, for `/v1`, and come in pairs: `:write` includes `:read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is explained by its words in `Scope::words`")]
pub enum Scope {
    Analytics,
    Balance,
    Contacts,
    Groups,
    Hooks,
    Journal,
    Lookup,
    Numbers,
    Pricing,
    Rcs,
    Sms,
    Status,
    Subaccounts,
    ValidateForVoice,
    Voice,
    Waba,
    AccountsRead,
    AccountsWrite,
    CreditsRead,
    CreditsWrite,
    PricesRead,
    KeysRead,
    KeysWrite,
    MembersRead,
    MembersWrite,
    SettingsRead,
    SettingsWrite,
    AccessRead,
    AuditRead,
    StatisticsRead,
    MessagesRead,
    PricesWrite,
}

/// Every scope in the order of its bit: its word, and what it opens.
#[rustfmt::skip]
const TABLE: [(Scope, &str, &str); 32] = [
    (Scope::Analytics,        "analytics",          "/api/analytics"),
    (Scope::Balance,          "balance",            "/api/balance"),
    (Scope::Contacts,         "contacts",           "/api/contacts"),
    (Scope::Groups,           "groups",             "/api/groups"),
    (Scope::Hooks,            "hooks",              "/api/hooks"),
    (Scope::Journal,          "journal",            "/api/journal"),
    (Scope::Lookup,           "lookup",             "/api/lookup"),
    (Scope::Numbers,          "numbers",            "/api/numbers"),
    (Scope::Pricing,          "pricing",            "/api/pricing"),
    (Scope::Rcs,              "rcs",                "/api/rcs"),
    (Scope::Sms,              "sms",                "/api/sms: send and cancel messages"),
    (Scope::Status,           "status",             "/api/status"),
    (Scope::Subaccounts,      "subaccounts",        "/api/subaccounts: create, credit and delete accounts below"),
    (Scope::ValidateForVoice, "validate_for_voice", "/api/validate_for_voice"),
    (Scope::Voice,            "voice",              "/api/voice"),
    (Scope::Waba,             "waba",               "/api/waba"),
    (Scope::AccountsRead,     "accounts:read",      "read accounts and those below them"),
    (Scope::AccountsWrite,    "accounts:write",     "create, change, suspend, close and reopen accounts below"),
    (Scope::CreditsRead,      "credits:read",       "read balance, statement, transfers and automatic transfers"),
    (Scope::CreditsWrite,     "credits:write",      "move credit, and set when it moves by itself"),
    (Scope::PricesRead,       "prices:read",        "read prices"),
    (Scope::KeysRead,         "keys:read",          "list API keys, without their secrets"),
    (Scope::KeysWrite,        "keys:write",         "create and revoke API keys"),
    (Scope::MembersRead,      "members:read",       "list members and invitations"),
    (Scope::MembersWrite,     "members:write",      "invite, change and remove members"),
    (Scope::SettingsRead,     "settings:read",      "read settings"),
    (Scope::SettingsWrite,    "settings:write",     "change settings"),
    (Scope::AccessRead,       "access:read",        "read who came from above, and who may"),
    (Scope::AuditRead,        "audit:read",         "read the audit log"),
    (Scope::StatisticsRead,   "statistics:read",    "read statistics"),
    (Scope::MessagesRead,     "messages:read",      "read messages: recipients, texts, what became of them"),
    (Scope::PricesWrite,      "prices:write",       "set by which prices accounts below pay"),
];

impl Scope {
    /// All scopes, in the order of their bits.
    pub const ALL: [Scope; 32] = {
        let mut all = [Scope::Analytics; 32];
        let mut i = 0;
        while i < all.len() {
            all[i] = TABLE[i].0;
            i += 1;
        }
        all
    };

    /// The word programs write.
    pub fn as_str(self) -> &'static str {
        // The table is in the order of the enum; a test holds them together.
        TABLE[self as usize].1
    }

    /// What it opens, in words.
    pub fn words(self) -> &'static str {
        TABLE[self as usize].2
    }

    /// The scope a word names.
    pub fn parse(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// The scope that includes this one.
    pub fn wider(self) -> Option<Scope> {
        let name = self.as_str().strip_suffix(":read")?;
        Scope::ALL.into_iter().find(|s| s.as_str().strip_suffix(":write") == Some(name))
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(i64);

impl Scopes {
    /// Every scope.
    pub const ALL: Scopes = Scopes((1 << Scope::ALL.len()) - 1);
    /// Those of the wire: what a key had that was made before there were others.
    pub const WIRE: Scopes = Scopes((1 << 16) - 1);

    /// The set of these scopes.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Scopes {
        Scopes(scopes.into_iter().fold(0, |bits, s| bits | 1 << s as u32))
    }

    /// Whether the set has the scope, or one that includes it.
    pub fn has(self, scope: Scope) -> bool {
        self.names(scope) || scope.wider().is_some_and(|wider| self.names(wider))
    }

    /// Whether the set has every scope of another.
    pub fn include(self, others: Scopes) -> bool {
        others.iter().all(|scope| self.has(scope))
    }

    fn names(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u32) != 0
    }

    /// The number the books use.
    pub fn bits(self) -> i64 {
        self.0
    }

    /// The set of a number in the books; unknown bits are dropped.
    pub fn from_bits(bits: i64) -> Scopes {
        Scopes(bits & Scopes::ALL.0)
    }

    /// The scopes it was made of, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |s| self.names(*s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_scopes_is_stored_and_read_back() {
        let set = Scopes::of([Scope::Sms, Scope::Waba]);
        assert_eq!(Scopes::from_bits(set.bits()), set);
        assert!(set.has(Scope::Sms) && !set.has(Scope::Balance));
        assert_eq!(Scopes::ALL.iter().count(), Scope::ALL.len());
        assert_eq!(Scopes::WIRE.iter().last(), Some(Scope::Waba));
    }

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (place, scope) in Scope::ALL.into_iter().enumerate() {
            assert_eq!(scope as usize, place, "{scope:?}");
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
    }

    #[test]
    fn who_may_write_may_read() {
        let writer = Scopes::of([Scope::CreditsWrite]);
        assert!(writer.has(Scope::CreditsRead) && !writer.has(Scope::KeysRead));
        assert!(writer.include(Scopes::of([Scope::CreditsRead])));
        assert!(!Scopes::of([Scope::CreditsRead]).include(writer));
        assert_eq!(writer.iter().collect::<Vec<_>>(), [Scope::CreditsWrite]);
        assert!(!Scopes::WIRE.has(Scope::AccountsRead), "older keys do not gain what is new");
    }
}
