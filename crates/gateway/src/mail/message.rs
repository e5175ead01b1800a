//! What mails say: one kind each, with the values that belong into it.

use domain::credits::Credits;
use domain::id::AccountId;
use domain::label::Label;
use domain::limit::Measure;
use domain::member::Role;
use domain::moment::Moment;
use domain::phone_number::Country;
use storage::mails::SECRET;

use super::layout::{Button, Letter};
use super::words::Words;

/// An account as its mails call it.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: &'a str,
}

impl<'a> From<&'a domain::account::Account> for Account<'a> {
    fn from(account: &'a domain::account::Account) -> Account<'a> {
        Account { id: account.id, name: account.name() }
    }
}

/// From where something was done to a login.
#[derive(Clone, Copy, Debug)]
pub struct Doing<'a> {
    /// When.
    pub at: Moment,
    /// The network address.
    pub address: &'a str,
    /// The browser, in a few words (`Firefox on Linux`) or as it calls itself.
    pub browser: &'a str,
}

/// What became of somebody's second factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// Codes of an app were switched on.
    AppAdded,
    /// They were switched off.
    AppRemoved,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// New recovery codes were made; the old ones are void.
    RecoveryCodesRenewed,
    /// One was used to sign in.
    RecoveryCodeUsed,
    /// The operator switched all of them off, for one who lost theirs.
    Reset,
}

impl Factor {
    /// All.
    pub const ALL: [Factor; 7] = [
        Factor::AppAdded,
        Factor::AppRemoved,
        Factor::PasskeyAdded,
        Factor::PasskeyRemoved,
        Factor::RecoveryCodesRenewed,
        Factor::RecoveryCodeUsed,
        Factor::Reset,
    ];

    fn key(self) -> &'static str {
        match self {
            Factor::AppAdded => "factor-app-added",
            Factor::AppRemoved => "factor-app-removed",
            Factor::PasskeyAdded => "factor-passkey-added",
            Factor::PasskeyRemoved => "factor-passkey-removed",
            Factor::RecoveryCodesRenewed => "factor-codes-renewed",
            Factor::RecoveryCodeUsed => "factor-code-used",
            Factor::Reset => "factor-reset",
        }
    }
}

/// Why credit did not come by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The account above holds too little.
    NotCovered,
    /// The ceiling of the day or the month is reached.
    Ceiling,
}

/// Which of two accounts is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one below.
    Below,
    /// The one above.
    Above,
}

/// What a sentence holds, or what stands below it, by its name in the language files.
type Values = Vec<(&'static str, String)>;

/// A mail. Secrets are what stands at the end of a link's path.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the values are named as what they are")]
pub enum Message<'a> {
    /// To somebody who shall become a member.
    Invitation { account: Account<'a>, inviter: &'a str, role: Role, secret: &'a str, expires_at: Moment },
    /// To somebody who has become one, or whose account was just created.
    Welcome { account: Account<'a>, role: Role },
    /// To somebody who forgot their password.
    PasswordReset { secret: &'a str, doing: Doing<'a>, expires_at: Moment },
    /// To the new address, to prove it. The link is `/me/address/{secret}`.
    AddressChange { secret: &'a str, new: &'a str, expires_at: Moment },
    /// To the old address.
    AddressChanged { new: &'a str, doing: Doing<'a> },
    /// From a browser that was not seen before.
    NewSignIn { doing: Doing<'a> },
    /// A second factor was added, removed or used up.
    SecondFactorChanged { factor: Factor, doing: Doing<'a> },
    /// The password was changed.
    PasswordChanged { doing: Doing<'a> },
    /// Sessions were ended from another one.
    SessionsEnded { doing: Doing<'a> },
    /// They can sign in by a provider from now on.
    ProviderLinked { provider: &'a str, doing: Doing<'a> },
    /// And no longer.
    ProviderUnlinked { provider: &'a str, doing: Doing<'a> },
    /// Somebody from above has stepped in. `above`: the name of the account they come from.
    VisitBegan { account: Account<'a>, visitor: &'a str, above: &'a str, reason: &'a str, until: Moment },
    /// Somebody from above would like to.
    AccessAsked { account: Account<'a>, visitor: &'a str, above: &'a str, reason: &'a str },
    /// To them: the owner said yes until a moment, or no.
    AccessAnswered { account: Account<'a>, by: &'a str, granted_until: Option<Moment> },
    /// Somebody from above stepped in without being let in.
    GlassBroken { account: Account<'a>, visitor: &'a str, above: &'a str, reason: &'a str, until: Moment },
    /// To a member who shall become the owner.
    OwnershipOffered { account: Account<'a>, by: &'a str, expires_at: Moment },
    /// To both, once it is done.
    OwnershipChanged { account: Account<'a>, from: &'a str, to: &'a str },
    /// The account cannot send any more.
    AccountSuspended { account: Account<'a>, by: &'a str, reason: &'a str },
    /// The account is about to be closed.
    AccountClosing { account: Account<'a>, by: &'a str, reason: &'a str, closes_at: Moment },
    /// Credit should have come from above and did not.
    AutomaticTransferFailed {
        account: Account<'a>,
        above: Account<'a>,
        amount: Credits,
        why: Why,
        /// Who is written to.
        side: Side,
    },
    /// Messages were refused, as a wallet that two share did not hold their price.
    SharedWalletEmpty { account: Account<'a>, above: Account<'a>, side: Side },
    /// A limit is half, four fifths or wholly used up. `setter`: whose people can raise it.
    LimitFuller {
        account: Account<'a>,
        setter: Account<'a>,
        measure: Measure,
        country: Option<Country>,
        label: Option<&'a Label>,
        used: i64,
        most: i64,
        /// In percent.
        share: i64,
        /// Who is written to.
        side: Side,
    },
}

impl<'a> Message<'a> {
    /// The word the books and the operator's list have for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Message::Invitation { .. } => "invitation",
            Message::Welcome { .. } => "welcome",
            Message::PasswordReset { .. } => "password-reset",
            Message::AddressChange { .. } => "address-change",
            Message::AddressChanged { .. } => "address-changed",
            Message::NewSignIn { .. } => "new-sign-in",
            Message::SecondFactorChanged { .. } => "second-factor-changed",
            Message::PasswordChanged { .. } => "password-changed",
            Message::SessionsEnded { .. } => "sessions-ended",
            Message::ProviderLinked { .. } => "provider-linked",
            Message::ProviderUnlinked { .. } => "provider-unlinked",
            Message::VisitBegan { .. } => "visit-began",
            Message::AccessAsked { .. } => "access-asked",
            Message::AccessAnswered { .. } => "access-answered",
            Message::GlassBroken { .. } => "glass-broken",
            Message::OwnershipOffered { .. } => "ownership-offered",
            Message::OwnershipChanged { .. } => "ownership-changed",
            Message::AccountSuspended { .. } => "account-suspended",
            Message::AccountClosing { .. } => "account-closing",
            Message::AutomaticTransferFailed { .. } => "automatic-transfer-failed",
            Message::SharedWalletEmpty { .. } => "shared-wallet-empty",
            // Apart, so that mails about what is half used never keep back one about what is used up.
            Message::LimitFuller { share: 100.., .. } => "limit-reached",
            Message::LimitFuller { .. } => "limit",
        }
    }

    /// What its link opens doors with.
    pub(super) fn secret(&self) -> Option<&'a str> {
        match self {
            Message::Invitation { secret, .. }
            | Message::PasswordReset { secret, .. }
            | Message::AddressChange { secret, .. } => Some(secret),
            _ => None,
        }
    }

    /// The path its button leads to, with [`SECRET`] in place of the secret.
    fn path(&self) -> String {
        match self {
            Message::Invitation { .. } => format!("/invitation/{SECRET}"),
            Message::PasswordReset { .. } => format!("/reset/{SECRET}"),
            Message::AddressChange { .. } => format!("/me/address/{SECRET}"),
            Message::Welcome { account, .. } => format!("/a/{}", account.id),
            Message::AddressChanged { .. }
            | Message::NewSignIn { .. }
            | Message::SecondFactorChanged { .. }
            | Message::PasswordChanged { .. } => "/me".to_owned(),
            Message::ProviderLinked { .. } | Message::ProviderUnlinked { .. } => "/me/security".to_owned(),
            Message::SessionsEnded { .. } => "/me/sessions".to_owned(),
            Message::VisitBegan { account, .. } | Message::GlassBroken { account, .. } => {
                format!("/a/{}/audit", account.id)
            }
            Message::AccessAsked { account, .. } => format!("/a/{}/access", account.id),
            Message::OwnershipOffered { account, .. } => format!("/a/{}/members", account.id),
            Message::AutomaticTransferFailed { account, side: Side::Below, .. }
            | Message::SharedWalletEmpty { account, side: Side::Below, .. } => {
                format!("/a/{}/credits", account.id)
            }
            Message::AutomaticTransferFailed { above, side: Side::Above, .. }
            | Message::SharedWalletEmpty { above, side: Side::Above, .. } => {
                format!("/a/{}/credits", above.id)
            }
            Message::LimitFuller { account, side: Side::Below, .. } => format!("/a/{}/limits", account.id),
            Message::LimitFuller { account, setter, side: Side::Above, .. } => {
                format!("/a/{}/subaccounts/{}/limits", setter.id, account.id)
            }
            Message::AccessAnswered { account, .. }
            | Message::OwnershipChanged { account, .. }
            | Message::AccountSuspended { account, .. }
            | Message::AccountClosing { account, .. } => format!("/a/{}", account.id),
        }
    }

    /// The message of the language files whose parts it is made of.
    fn key(&self) -> &'static str {
        match self {
            Message::AccessAnswered { granted_until: None, .. } => "access-refused",
            Message::AccessAnswered { .. } => "access-granted",
            Message::AutomaticTransferFailed { side: Side::Above, .. } => "automatic-transfer-failed-above",
            Message::SharedWalletEmpty { side: Side::Above, .. } => "shared-wallet-empty-above",
            Message::LimitFuller { share: 100.., side: Side::Below, .. } => "limit-full",
            Message::LimitFuller { share: 100.., side: Side::Above, .. } => "limit-full-above",
            Message::LimitFuller { side: Side::Below, .. } => "limit-fuller",
            Message::LimitFuller { side: Side::Above, .. } => "limit-fuller-above",
            _ => self.kind(),
        }
    }

    /// The values its sentences hold, and the facts below them.
    fn values(&self, words: &Words<'_>) -> (Values, Values) {
        let doing = |doing: &Doing<'_>| {
            let facts = [
                ("fact-when", words.moment(doing.at)),
                ("fact-browser", words.clean(doing.browser)),
                ("fact-address", words.clean(doing.address)),
            ];
            facts.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>()
        };
        let name = |account: &Account<'_>| words.clean(account.name);
        let reason = |reason: &str| {
            let reason = words.clean_long(reason);
            if reason.is_empty() { vec![] } else { vec![("fact-reason", reason)] }
        };
        let visit = |account: &Account<'_>, visitor: &str, above: &str, until: Option<Moment>| {
            let mut values = vec![
                ("account", name(account)),
                ("visitor", words.clean(visitor)),
                ("above", words.clean(above)),
            ];
            values.extend(until.map(|until| ("until", words.moment(until))));
            values
        };
        match self {
            Message::Invitation { account, inviter, role, expires_at, .. } => (
                vec![
                    ("account", name(account)),
                    ("inviter", words.clean(inviter)),
                    ("role", words.role(*role)),
                    ("expires", words.moment(*expires_at)),
                ],
                vec![("fact-role", words.role(*role)), ("fact-may", words.role_may(*role))],
            ),
            Message::Welcome { account, role } => (
                vec![("account", name(account)), ("role", words.role(*role))],
                vec![("fact-account", name(account)), ("fact-number", account.id.to_string())],
            ),
            Message::PasswordReset { doing: d, expires_at, .. } => {
                (vec![("expires", words.moment(*expires_at))], doing(d))
            }
            Message::AddressChange { new, expires_at, .. } => {
                (vec![("new", words.clean(new)), ("expires", words.moment(*expires_at))], vec![])
            }
            Message::AddressChanged { new, doing: d } => (vec![("new", words.clean(new))], doing(d)),
            Message::NewSignIn { doing: d }
            | Message::PasswordChanged { doing: d }
            | Message::SessionsEnded { doing: d } => (vec![], doing(d)),
            Message::ProviderLinked { provider, doing: d }
            | Message::ProviderUnlinked { provider, doing: d } => {
                (vec![("provider", words.clean(provider))], doing(d))
            }
            Message::SecondFactorChanged { factor, doing: d } => {
                (vec![("what", words.say(factor.key(), &[]))], doing(d))
            }
            Message::VisitBegan { account, visitor, above, reason: r, until }
            | Message::GlassBroken { account, visitor, above, reason: r, until } => {
                let mut facts = vec![
                    ("fact-who", words.clean(visitor)),
                    ("fact-from", words.clean(above)),
                    ("fact-until", words.moment(*until)),
                ];
                facts.extend(reason(r));
                (visit(account, visitor, above, Some(*until)), facts)
            }
            Message::AccessAsked { account, visitor, above, reason: r } => {
                let mut facts = vec![("fact-who", words.clean(visitor)), ("fact-from", words.clean(above))];
                facts.extend(reason(r));
                (visit(account, visitor, above, None), facts)
            }
            Message::AccessAnswered { account, by, granted_until } => {
                let mut values = vec![("account", name(account)), ("by", words.clean(by))];
                values.extend(granted_until.map(|until| ("until", words.moment(until))));
                (values, vec![])
            }
            Message::OwnershipOffered { account, by, expires_at } => (
                vec![
                    ("account", name(account)),
                    ("by", words.clean(by)),
                    ("expires", words.moment(*expires_at)),
                ],
                vec![],
            ),
            Message::OwnershipChanged { account, from, to } => (
                vec![("account", name(account)), ("from", words.clean(from)), ("to", words.clean(to))],
                vec![],
            ),
            Message::AccountSuspended { account, by, reason: r } => {
                let mut facts = vec![("fact-account", name(account)), ("fact-by", words.clean(by))];
                facts.extend(reason(r));
                (vec![("account", name(account))], facts)
            }
            Message::AccountClosing { account, by, reason: r, closes_at } => {
                let mut facts = vec![("fact-account", name(account)), ("fact-by", words.clean(by))];
                facts.extend(reason(r));
                (vec![("account", name(account)), ("closes", words.moment(*closes_at))], facts)
            }
            Message::AutomaticTransferFailed { account, above, amount, why, .. } => {
                let amount = words.money(*amount);
                let why = match why {
                    Why::NotCovered => "transfer-not-covered",
                    Why::Ceiling => "transfer-ceiling",
                };
                let values = vec![
                    ("account", name(account)),
                    ("above", name(above)),
                    ("amount", amount.clone()),
                    ("why", words.say(why, &[("above", name(above)), ("amount", amount.clone())])),
                ];
                (
                    values,
                    vec![("fact-from", name(above)), ("fact-to", name(account)), ("fact-amount", amount)],
                )
            }
            Message::SharedWalletEmpty { account, above, side } => {
                // How little there is above is not for those below to know.
                let (account, above) = (name(account), name(above));
                let facts = vec![("fact-account", account.clone())];
                let facts = if *side == Side::Above { facts } else { Vec::new() };
                (vec![("account", account), ("above", above)], facts)
            }
            Message::LimitFuller { account, setter, measure, country, label, used, most, share, .. } => {
                let amount = |number: i64| match measure.is_money() {
                    true => words.money(Credits(number)),
                    false => number.to_string(),
                };
                let what = match measure {
                    Measure::SpendDay => "limit-spend-day",
                    Measure::SpendMonth => "limit-spend-month",
                    Measure::MessagesHour => "limit-messages-hour",
                    Measure::MessagesDay => "limit-messages-day",
                };
                let what = words.say(what, &[]);
                let mut facts = vec![
                    ("fact-account", name(account)),
                    ("fact-limit", what.clone()),
                    ("fact-most", amount(*most)),
                    ("fact-used", amount(*used)),
                ];
                facts.extend(country.map(|country| ("fact-country", country.as_str().to_owned())));
                facts.extend(label.map(|label| ("fact-label", label.as_str().to_owned())));
                let values = vec![
                    ("account", name(account)),
                    ("setter", name(setter)),
                    ("what", what),
                    ("share", share.to_string()),
                ];
                (values, facts)
            }
        }
    }

    /// All of it in a language. `link` makes an address of a path.
    pub(super) fn letter(&self, words: &Words<'_>, link: &dyn Fn(&str) -> String) -> Letter {
        let (values, facts) = self.values(words);
        let part = |part: &str| words.try_say(&format!("{}.{part}", self.key()), &values);
        let said = |name: &str| part(name).unwrap_or_default();
        Letter {
            language: words.language,
            subject: words.subject(&said("subject")),
            preview: said("preview"),
            heading: said("heading"),
            paragraphs: paragraphs(&said("text")),
            facts: facts.into_iter().map(|(key, value)| (words.say(key, &[]), value)).collect(),
            button: Button { label: said("button"), url: link(&self.path()) },
            notes: paragraphs(&said("note")),
            link_help: words.say("link-help", &[]),
            why: said("why"),
            from: words.say("from", &[("home", link("/"))]),
        }
    }
}

/// A text of the language files, split where it has an empty line.
fn paragraphs(text: &str) -> Vec<String> {
    let words = |paragraph: &str| -> Vec<String> {
        paragraph.split([' ', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let one = |paragraph: &str| words(paragraph).join(" ");
    text.split("\n\n").map(one).filter(|p| !p.is_empty()).collect()
}
