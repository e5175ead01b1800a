//! Whether someone may do something: one pure function over (actor, action, account path), and the
//! table it reads. Doors ask it and nobody else; what they make of the answer is theirs (404 for
//! [`Verdict::NotThere`], 403 with the action's name for [`Verdict::Missing`]).

use crate::id::AccountId;
use crate::key::Scope;
use crate::member::Role;

/// Something that may be allowed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is explained by its words in `Action::words`")]
pub enum Action {
    SeeAccount,
    SeeBalance,
    SeeCredits,
    MoveCredits,
    SeePrices,
    ManagePrices,
    SeeSubaccounts,
    ManageSubaccounts,
    SeeStatistics,
    SeeMessages,
    SendMessages,
    SeeKeys,
    ManageKeys,
    SeeRequests,
    SeeMembers,
    ManageMembers,
    SeeSettings,
    ManageSettings,
    SeeVisits,
    ManageAccess,
    SeeAudit,
    TransferOwnership,
    CloseAccount,
}

/// How an action reaches accounts below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    /// Not at all: it is a matter of the account's own members.
    Never,
    /// From where one stands: what the one above is answerable for anyway.
    FromAbove,
    /// After stepping in, which the account's `access` governs and its audit log shows.
    SteppedIn,
}

use Below::{FromAbove, Never, SteppedIn};
const Y: bool = true;
const N: bool = false;

/// Who may do what in their own account, and how it reaches down. The columns are [`Role::ALL`].
#[rustfmt::skip]
const TABLE: [(Action, &str, [bool; 7], Below); 23] = [
    //                                                                 own adm dev fin msg ana aud
    (Action::SeeAccount,        "see that the account exists",        [Y,  Y,  Y,  Y,  Y,  Y,  Y], FromAbove),
    (Action::SeeBalance,        "see the balance",                    [Y,  Y,  N,  Y,  N,  N,  Y], FromAbove),
    (Action::SeeCredits,        "read the statement of credits",      [Y,  Y,  N,  Y,  N,  N,  Y], FromAbove),
    (Action::MoveCredits,       "move credits and set their rules",   [Y,  Y,  N,  N,  N,  N,  N], FromAbove),
    (Action::SeePrices,         "see prices",                         [Y,  Y,  N,  Y,  N,  N,  Y], FromAbove),
    (Action::ManagePrices,      "set prices of accounts below",       [Y,  Y,  N,  N,  N,  N,  N], FromAbove),
    (Action::SeeSubaccounts,    "see the subaccounts",                [Y,  Y,  N,  N,  N,  N,  Y], FromAbove),
    (Action::ManageSubaccounts, "create, suspend and close subaccounts", [Y, Y, N,  N,  N,  N,  N], FromAbove),
    (Action::SeeStatistics,     "see statistics",                     [Y,  Y,  N,  Y,  N,  Y,  Y], FromAbove),
    (Action::SeeMessages,       "read messages",                      [Y,  Y,  N,  N,  Y,  N,  Y], SteppedIn),
    (Action::SendMessages,      "send messages",                      [Y,  Y,  N,  N,  Y,  N,  N], SteppedIn),
    (Action::SeeKeys,           "see API keys",                       [Y,  Y,  Y,  N,  N,  N,  Y], SteppedIn),
    (Action::ManageKeys,        "create and revoke API keys",         [Y,  Y,  Y,  N,  N,  N,  N], SteppedIn),
    (Action::SeeRequests,       "read the request log",               [Y,  Y,  Y,  N,  N,  N,  Y], SteppedIn),
    (Action::SeeMembers,        "see the members",                    [Y,  Y,  N,  N,  N,  N,  Y], FromAbove),
    (Action::ManageMembers,     "invite, change and remove members",  [Y,  Y,  N,  N,  N,  N,  N], SteppedIn),
    (Action::SeeSettings,       "see the settings",                   [Y,  Y,  N,  N,  N,  N,  Y], SteppedIn),
    (Action::ManageSettings,    "change the settings",                [Y,  Y,  N,  N,  N,  N,  N], SteppedIn),
    (Action::SeeVisits,         "see who came from above",            [Y,  Y,  Y,  Y,  Y,  Y,  Y], SteppedIn),
    (Action::ManageAccess,      "decide on access from above",        [Y,  N,  N,  N,  N,  N,  N], Never),
    (Action::SeeAudit,          "read the audit log",                 [Y,  Y,  N,  N,  N,  N,  Y], SteppedIn),
    (Action::TransferOwnership, "hand over the ownership",            [Y,  N,  N,  N,  N,  N,  N], Never),
    (Action::CloseAccount,      "close the account",                  [Y,  N,  N,  N,  N,  N,  N], Never),
];

impl Action {
    /// All.
    pub const ALL: [Action; 23] = {
        let mut all = [Action::SeeAccount; 23];
        let mut i = 0;
        while i < 23 {
            all[i] = TABLE[i].0;
            i += 1;
        }
        all
    };

    fn row(self) -> &'static (Action, &'static str, [bool; 7], Below) {
        // The table is in the order of the enum; a test holds them together.
        &TABLE[self as usize]
    }

    /// What is allowed, in words that follow "may".
    pub fn words(self) -> &'static str {
        self.row().1
    }

    /// Whether a role may do it in its own account.
    pub fn is_of(self, role: Role) -> bool {
        self.row().2[role as usize]
    }

    /// How it reaches accounts below.
    pub fn below(self) -> Below {
        self.row().3
    }

    /// The word programs read, such as `manage_members`.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::SeeAccount => "see_account",
            Action::SeeBalance => "see_balance",
            Action::SeeCredits => "see_credits",
            Action::MoveCredits => "move_credits",
            Action::SeePrices => "see_prices",
            Action::ManagePrices => "manage_prices",
            Action::SeeSubaccounts => "see_subaccounts",
            Action::ManageSubaccounts => "manage_subaccounts",
            Action::SeeStatistics => "see_statistics",
            Action::SeeMessages => "see_messages",
            Action::SendMessages => "send_messages",
            Action::SeeKeys => "see_keys",
            Action::ManageKeys => "manage_keys",
            Action::SeeRequests => "see_requests",
            Action::SeeMembers => "see_members",
            Action::ManageMembers => "manage_members",
            Action::SeeSettings => "see_settings",
            Action::ManageSettings => "manage_settings",
            Action::SeeVisits => "see_visits",
            Action::ManageAccess => "manage_access",
            Action::SeeAudit => "see_audit",
            Action::TransferOwnership => "transfer_ownership",
            Action::CloseAccount => "close_account",
        }
    }
}

/// Whether a role may do all that another may.
pub fn includes(role: Role, other: Role) -> bool {
    Action::ALL.into_iter().all(|action| action.is_of(role) || !action.is_of(other))
}

/// What a key does by a scope, in the eyes of the accounts below its own.
pub fn of_scope(scope: Scope) -> Action {
    match scope {
        Scope::Analytics | Scope::StatisticsRead => Action::SeeStatistics,
        Scope::Balance => Action::SeeBalance,
        Scope::Pricing | Scope::PricesRead => Action::SeePrices,
        Scope::Subaccounts | Scope::AccountsWrite => Action::ManageSubaccounts,
        Scope::Journal | Scope::Status | Scope::MessagesRead => Action::SeeMessages,
        Scope::Sms | Scope::Rcs | Scope::Voice | Scope::ValidateForVoice | Scope::Waba => {
            Action::SendMessages
        }
        Scope::Contacts | Scope::Groups | Scope::Lookup | Scope::Numbers => Action::SendMessages,
        Scope::Hooks | Scope::KeysWrite => Action::ManageKeys,
        Scope::AccountsRead => Action::SeeSubaccounts,
        Scope::CreditsRead => Action::SeeCredits,
        Scope::CreditsWrite => Action::MoveCredits,
        Scope::PricesWrite => Action::ManagePrices,
        Scope::KeysRead => Action::SeeKeys,
        Scope::MembersRead => Action::SeeMembers,
        Scope::MembersWrite => Action::ManageMembers,
        Scope::SettingsRead => Action::SeeSettings,
        Scope::SettingsWrite => Action::ManageSettings,
        Scope::AccessRead => Action::SeeVisits,
        Scope::AuditRead => Action::SeeAudit,
    }
}

/// A role somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The account one is a member of.
    pub account: AccountId,
    /// As what.
    pub role: Role,
    /// Whether the role also counts in every account below.
    pub includes_subaccounts: bool,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, as a member of the account itself.
    Own,
    /// Yes, from this account above.
    Above(AccountId),
    /// Yes once one has stepped in from this account above.
    StepIn(AccountId),
    /// One knows the account and lacks the permission.
    Missing,
    /// For this person the account does not exist.
    NotThere,
}

impl Verdict {
    /// Whether it is a yes as it stands.
    pub fn allows(self) -> bool {
        matches!(self, Verdict::Own | Verdict::Above(_))
    }
}

/// Whether one who stands in these places may do this in the account of this path (root first, the
/// account last). `stepped_in`: whether they are in the account now, from above.
pub fn may(standings: &[Standing], action: Action, path: &[AccountId], stepped_in: bool) -> Verdict {
    let Some((account, above)) = path.split_last() else { return Verdict::NotThere };
    let mut verdict = Verdict::NotThere;
    for standing in standings {
        let one = if standing.account == *account {
            if action.is_of(standing.role) { Verdict::Own } else { Verdict::Missing }
        } else if above.contains(&standing.account) {
            from_above(standing, action, stepped_in)
        } else {
            Verdict::NotThere
        };
        if rank(one) > rank(verdict) {
            verdict = one;
        }
    }
    verdict
}

fn from_above(standing: &Standing, action: Action, stepped_in: bool) -> Verdict {
    let role = match standing.role {
        // They hold an administrator's rights below, whatever they are above.
        Role::Owner | Role::Administrator => Role::Administrator,
        other if standing.includes_subaccounts => other,
        _ => return Verdict::NotThere,
    };
    if !action.is_of(role) {
        return Verdict::Missing;
    }
    match action.below() {
        Below::Never => Verdict::Missing,
        Below::FromAbove => Verdict::Above(standing.account),
        Below::SteppedIn if stepped_in => Verdict::Above(standing.account),
        Below::SteppedIn => Verdict::StepIn(standing.account),
    }
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::NotThere => 0,
        Verdict::Missing => 1,
        Verdict::StepIn(_) => 2,
        Verdict::Above(_) => 3,
        Verdict::Own => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (i, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action as usize, i, "{action:?}");
        }
    }

    /// The whole table again, by another way: for every role, every relation and every action.
    #[test]
    fn every_cell_of_the_table_holds() {
        let (root, own, child, sibling) = (AccountId(1), AccountId(2), AccountId(3), AccountId(9));
        let path = [root, own, child];
        for role in Role::ALL {
            for action in Action::ALL {
                for includes_subaccounts in [false, true] {
                    let at = |account| [Standing { account, role, includes_subaccounts }];
                    let there = |account, stepped_in| may(&at(account), action, &path, stepped_in);
                    let is_own = if action.is_of(role) { Verdict::Own } else { Verdict::Missing };
                    assert_eq!(there(child, false), is_own);
                    assert_eq!(there(sibling, true), Verdict::NotThere);
                    // Nothing reaches up.
                    assert_eq!(may(&at(child), action, &path[..2], true), Verdict::NotThere);
                    let reaches = role.reaches_down() || includes_subaccounts;
                    let below = if role.reaches_down() { Role::Administrator } else { role };
                    for above in [root, own] {
                        let (outside, inside) = (there(above, false), there(above, true));
                        if !reaches {
                            assert_eq!((outside, inside), (Verdict::NotThere, Verdict::NotThere));
                        } else if !action.is_of(below) || action.below() == Below::Never {
                            assert_eq!((outside, inside), (Verdict::Missing, Verdict::Missing));
                        } else {
                            assert_eq!(inside, Verdict::Above(above));
                            let stepping = action.below() == Below::SteppedIn;
                            assert_eq!(matches!(outside, Verdict::StepIn(_)), stepping, "{action:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_role_includes_what_may_less() {
        for role in Role::ALL {
            assert!(includes(Role::Owner, role) && includes(role, role));
            assert!(!includes(role, Role::Owner) || role == Role::Owner, "{role:?}");
        }
        assert!(includes(Role::Administrator, Role::Auditor) && includes(Role::Finance, Role::Analyst));
        assert!(!includes(Role::Auditor, Role::Messaging) && !includes(Role::Messaging, Role::Analyst));
    }

    #[test]
    fn the_best_of_several_memberships_counts() {
        let path = [AccountId(1), AccountId(2)];
        let standings = [
            Standing { account: AccountId(2), role: Role::Analyst, includes_subaccounts: false },
            Standing { account: AccountId(1), role: Role::Owner, includes_subaccounts: false },
        ];
        assert_eq!(may(&standings, Action::SeeStatistics, &path, false), Verdict::Own);
        assert_eq!(may(&standings, Action::MoveCredits, &path, false), Verdict::Above(AccountId(1)));
        assert_eq!(may(&[], Action::SeeAccount, &path, true), Verdict::NotThere);
    }
}
