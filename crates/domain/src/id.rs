//! One type an id, so that an account's is never taken for a message's. All fit 53 bits, and
//! account ids 31, because the wire's strict clients hold them in such numbers.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// An account's number. The first one of an installation is 1900001.
    AccountId
);
id!(
    /// A message's number, on the wire a string of eleven digits that starts with 77.
    MessageId
);
id!(
    /// A transfer's number in the ledger.
    TransferId
);
id!(
    /// An API key's number (not its secret).
    KeyId
);
id!(
    /// A price list's number.
    PriceListId
);
id!(
    /// The number of a stored price row: which price a message was charged by.
    PriceRowId
);
id!(
    /// A limit's number.
    LimitId
);
id!(
    /// A person's number.
    LoginId
);
id!(
    /// The number of a browser's being signed in.
    SessionId
);
id!(
    /// A passkey's number.
    PasskeyId
);
id!(
    /// The number of a person's place in an account.
    MemberId
);
id!(
    /// A running `serve` process. 0 is none.
    NodeId
);
