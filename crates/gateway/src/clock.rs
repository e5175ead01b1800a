//! The time of day. The only place where the machine's clock is read, so that tests can hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::moment::Moment;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Tells the time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn of_the_machine() -> Clock {
        Clock(None)
    }

    /// A clock that stands at a moment until [`Clock::set`].
    pub fn standing_at(moment: Moment) -> Clock {
        Clock(Some(Arc::new(AtomicI64::new(moment.0))))
    }

    /// Moves a standing clock; the machine's stays as it is.
    pub fn set(&self, moment: Moment) {
        if let Some(held) = &self.0 {
            held.store(moment.0, Ordering::SeqCst);
        }
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is the place the rule points to")]
    pub fn now(&self) -> Moment {
        match &self.0 {
            Some(held) => Moment(held.load(Ordering::SeqCst)),
            None => Moment(Timestamp::now().as_microsecond()),
        }
    }
}

/// The date of a moment in a time zone as a number: 20261123.
pub fn day_of(moment: Moment, time_zone: &TimeZone) -> i64 {
    let timestamp = Timestamp::from_microsecond(moment.0).unwrap_or(Timestamp::UNIX_EPOCH);
    number_of(time_zone.to_datetime(timestamp).date())
}

/// The hour of a moment, counted from 1970.
pub fn hour_of(moment: Moment) -> i64 {
    moment.0.div_euclid(3_600_000_000)
}

/// The date of a number such as 20261123.
pub fn date_of(day: i64) -> Option<Date> {
    let year = i16::try_from(day / 10_000).ok()?;
    Date::new(year, i8::try_from(day / 100 % 100).ok()?, i8::try_from(day % 100).ok()?).ok()
}

/// The number of a date: 20261123.
pub fn number_of(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

/// The first of the thirty days that end with the date of a moment.
pub fn thirty_days(now: Moment, time_zone: &TimeZone) -> i64 {
    days_before(day_of(now, time_zone), 29)
}

/// The date so many days before another, both as numbers.
pub fn days_before(day: i64, days: i64) -> i64 {
    date_of(day).map_or(day, |date| number_of(date.saturating_sub(days.days())))
}

/// The moment a date (20261123) begins in a time zone.
pub fn start_of_day(day: i64, time_zone: &TimeZone) -> Option<Moment> {
    let date = date_of(day)?;
    Some(Moment(time_zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_date_of_the_time_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let late = Moment::from_seconds(1_767_223_800); // 2025-12-31 23:30 UTC
        assert_eq!(day_of(late, &berlin), 20_260_101);
        assert_eq!(day_of(late, &TimeZone::UTC), 20_251_231);
        let start = start_of_day(20_260_101, &berlin).unwrap();
        assert_eq!(day_of(start, &berlin), 20_260_101);
        assert_eq!(day_of(Moment(start.0 - 1), &berlin), 20_251_231);
    }
}
