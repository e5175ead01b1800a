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

/// What a key may be used for. Named as the wire names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the wire's name of the endpoint it opens")]
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
}

impl Scope {
    /// All scopes, in the order of their bits.
    pub const ALL: [Scope; 16] = [
        Scope::Analytics,
        Scope::Balance,
        Scope::Contacts,
        Scope::Groups,
        Scope::Hooks,
        Scope::Journal,
        Scope::Lookup,
        Scope::Numbers,
        Scope::Pricing,
        Scope::Rcs,
        Scope::Sms,
        Scope::Status,
        Scope::Subaccounts,
        Scope::ValidateForVoice,
        Scope::Voice,
        Scope::Waba,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Analytics => "analytics",
            Scope::Balance => "balance",
            Scope::Contacts => "contacts",
            Scope::Groups => "groups",
            Scope::Hooks => "hooks",
            Scope::Journal => "journal",
            Scope::Lookup => "lookup",
            Scope::Numbers => "numbers",
            Scope::Pricing => "pricing",
            Scope::Rcs => "rcs",
            Scope::Sms => "sms",
            Scope::Status => "status",
            Scope::Subaccounts => "subaccounts",
            Scope::ValidateForVoice => "validate_for_voice",
            Scope::Voice => "voice",
            Scope::Waba => "waba",
        }
    }

    /// The scope a word names.
    pub fn parse(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u32);

impl Scopes {
    /// Every scope.
    pub const ALL: Scopes = Scopes((1 << 16) - 1);

    /// The set of these scopes.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Scopes {
        Scopes(scopes.into_iter().fold(0, |bits, s| bits | 1 << s as u32))
    }

    /// Whether the set has the scope.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u32) != 0
    }

    /// The number the books use.
    pub fn bits(self) -> i64 {
        i64::from(self.0)
    }

    /// The set of a number in the books; unknown bits are dropped.
    pub fn from_bits(bits: i64) -> Scopes {
        Scopes((bits & Scopes::ALL.bits()) as u32)
    }

    /// Its scopes, in the order of their names.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |s| self.has(*s))
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
    }
}
