//! Actor: who did something, as it is written down where those it concerns can read it.

use crate::id::AccountId;

/// What kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A person who is signed in.
    Person,
    /// An API key.
    Key,
    /// The operator, at the command line.
    CommandLine,
    /// A rule of the platform: an automatic transfer, the end of a time.
    Rule,
    /// The operator, signed in: a person who acts for the installation and not for an account.
    Operator,
}

impl ActorKind {
    /// All, in the order of their codes.
    pub const ALL: [ActorKind; 5] =
        [ActorKind::Person, ActorKind::Key, ActorKind::CommandLine, ActorKind::Rule, ActorKind::Operator];

    /// The number the books use.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The kind of a number in the books.
    pub fn from_code(code: i64) -> Option<ActorKind> {
        usize::try_from(code).ok().and_then(|i| ActorKind::ALL.get(i)).copied()
    }

    /// The word programs and people read.
    pub fn as_str(self) -> &'static str {
        match self {
            ActorKind::Person => "person",
            ActorKind::Key => "key",
            ActorKind::CommandLine => "command line",
            ActorKind::Rule => "rule",
            ActorKind::Operator => "operator",
        }
    }
}

/// Who acts, where they come from, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What they are.
    pub kind: ActorKind,
    /// The number of the login or the key.
    pub id: Option<i64>,
    /// What those concerned know them by: a name and address, `key 12 (shop)`.
    pub name: String,
    /// The account above that they come from; absent in their own.
    pub above: Option<AccountId>,
    /// The visit from above, when they have stepped in.
    pub visit: Option<i64>,
    /// The network address they called from; empty when there is none.
    pub address: String,
    /// The program they called with; empty when it did not say.
    pub agent: String,
}

impl Actor {
    /// The operator at the command line.
    pub fn command_line() -> Actor {
        Actor::plain(ActorKind::CommandLine, "operator")
    }

    /// Whether the operator acts, by whatever door.
    pub fn is_operator(&self) -> bool {
        matches!(self.kind, ActorKind::CommandLine | ActorKind::Operator)
    }

    /// A rule of the platform.
    pub fn rule(name: &str) -> Actor {
        Actor::plain(ActorKind::Rule, name)
    }

    fn plain(kind: ActorKind, name: &str) -> Actor {
        Actor {
            kind,
            id: None,
            name: name.to_owned(),
            above: None,
            visit: None,
            address: String::new(),
            agent: String::new(),
        }
    }

    /// The actor in a few words, for statements: `key 12 of account 1900001`.
    pub fn words(&self) -> String {
        match self.above {
            Some(account) => format!("{} of account {account}", self.name),
            None => self.name.clone(),
        }
    }
}
