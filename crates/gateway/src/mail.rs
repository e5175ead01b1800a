//! Mails to people. Each is written down, in words and as HTML, by the transaction that causes it, so
//! that it is sent exactly if that happens; [`post`] sends them.

mod layout;
mod message;
pub mod post;
pub mod server;
mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::id::AccountId;
use domain::member::Role;
use domain::moment::Moment;
use jiff::tz::TimeZone;
use storage::mails::{self, NewMail};
use storage::{Result, Tx};

pub use message::{Account, Doing, Factor, Message, Side, Why};
pub use words::{LANGUAGE, language, languages};

use crate::base::Base;
use crate::seal;

/// How many members of an account one event is mailed to.
const MEMBERS_MAX: i64 = 20;

/// To whom, and in whose manner.
#[derive(Clone, Copy, Debug, Default)]
pub struct To<'a> {
    /// The address.
    pub email: &'a str,
    /// The language they chose, or their account did: `de`. One that we do not have, or none, is English.
    pub language: Option<&'a str>,
    /// Whose dates they read; without one, the installation's.
    pub time_zone: Option<&'a str>,
    /// The account it is about, if any.
    pub account: Option<AccountId>,
}

/// Writes a mail down, to be sent when this transaction is committed. Gives its number.
///
/// # Errors
/// Those of the books.
pub async fn enqueue(
    tx: &mut Tx,
    base: &Base,
    to: &To<'_>,
    message: &Message<'_>,
    now: Moment,
) -> Result<i64> {
    let zone = to.time_zone.and_then(|name| TimeZone::get(name).ok());
    let zone = zone.as_ref().unwrap_or(&base.rules.time_zone);
    let words = words::Words::new(words::language(&[to.language]), zone, &base.rules.currency);
    let letter = message.letter(&words, &|path| base.link(path));
    let (plain, html) = (letter.plain(), letter.html());
    let sealed = message.secret().map(|secret| seal::close(base, &seal::link_to(to.email), secret));
    let sealed = sealed.transpose()?;
    let new = NewMail {
        account: to.account,
        kind: message.kind(),
        recipient: to.email,
        language: words.language,
        subject: &letter.subject,
        plain: &plain,
        html: &html,
        secret: sealed.as_deref(),
    };
    mails::insert(tx, &new, now).await
}

/// Who gets what concerns an account as a whole.
pub const LEADERS: [Role; 2] = [Role::Owner, Role::Administrator];
/// Who gets what concerns its money.
pub const MONEY: [Role; 3] = [Role::Owner, Role::Administrator, Role::Finance];

/// Writes a mail down to each member of an account who has one of these roles. An account that has no
/// such member gets it at its own address. Gives how many.
///
/// # Errors
/// Those of the books.
pub async fn enqueue_to_members(
    tx: &mut Tx,
    base: &Base,
    account: AccountId,
    roles: &[Role],
    message: &Message<'_>,
    now: Moment,
) -> Result<usize> {
    let Some(manners) = mails::manners(tx, account).await? else { return Ok(0) };
    let mut people = mails::people(tx, account, roles, MEMBERS_MAX).await?;
    if people.is_empty() {
        people.push(mails::Person { email: manners.email.clone(), language: None });
    }
    for person in &people {
        let to = To {
            email: &person.email,
            language: person.language.as_deref().or(manners.language.as_deref()),
            time_zone: manners.time_zone.as_deref(),
            account: Some(account),
        };
        enqueue(tx, base, &to, message, now).await?;
    }
    Ok(people.len())
}

/// An account gets at most this many mails of one kind within [`FLOOD_WITHIN`], where one cause can have
/// many effects: a main account without credit stops the automatic transfers of all below it.
const FLOOD_MAX: i64 = 10;
const FLOOD_WITHIN: Duration = Duration::from_secs(3600);

/// As [`enqueue_to_members`], but not when the account was told the like often enough of late.
///
/// # Errors
/// Those of the books.
pub(crate) async fn enqueue_sparingly(
    tx: &mut Tx,
    base: &Base,
    account: AccountId,
    roles: &[Role],
    message: &Message<'_>,
    now: Moment,
) -> Result<usize> {
    let of_late = mails::count_since(tx, account, message.kind(), now.before(FLOOD_WITHIN)).await?;
    // A wallet that is empty refuses message after message, and that is one thing to tell.
    let most = if matches!(message, Message::SharedWalletEmpty { .. }) { 1 } else { FLOOD_MAX };
    if of_late >= most {
        return Ok(0);
    }
    enqueue_to_members(tx, base, account, roles, message, now).await
}
