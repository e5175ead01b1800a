//! How arguments that several commands take are read.

use domain::id::{AccountId, KeyId};
use domain::moment::Moment;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::failure::Failure;

/// The number of an account.
pub fn account_id(text: &str) -> Result<AccountId, String> {
    number(text).map(AccountId).ok_or_else(|| "an account is named by its number, such as 1900001".to_owned())
}

/// The number of a key.
pub fn key_id(text: &str) -> Result<KeyId, String> {
    number(text)
        .map(KeyId)
        .ok_or_else(|| "a key is named by its number; 'branchline key list' tells it".to_owned())
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok().filter(|n| *n > 0)
}

/// The end of a date of the installation, for something that lasts until it.
pub fn end_of(field: &str, date: &str, time_zone: &TimeZone) -> Result<Moment, Failure> {
    let wrong = || Failure {
        usage: true,
        ..Failure::field("bad_date", field, format!("'{date}' is not a date; write it as 2027-01-31"))
    };
    let next = date.trim().parse::<Date>().ok().and_then(|date| date.tomorrow().ok()).ok_or_else(wrong)?;
    let day = i64::from(next.year()) * 10_000 + i64::from(next.month()) * 100 + i64::from(next.day());
    gateway::clock::start_of_day(day, time_zone).ok_or_else(wrong)
}

/// A moment as people of the installation read it: `2026-11-23 14:05`.
pub fn shown(moment: Moment, time_zone: &TimeZone) -> String {
    let timestamp = jiff::Timestamp::from_microsecond(moment.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    timestamp.to_zoned_datetime(time_zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A moment as programs read it: RFC 3339, in UTC.
pub fn rfc3339(moment: Moment) -> String {
    jiff::Timestamp::from_microsecond(moment.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
