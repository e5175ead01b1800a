//! Dates and times as the wire writes them: local times of the installation's zone.

use domain::moment::Moment;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::parameters::whole;

/// Seconds from here on are taken for milliseconds: as seconds, they are beyond the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Reads when to send: Unix seconds or milliseconds, `YYYY-MM-DD hh:mm` with or without seconds,
/// or ISO 8601 with an offset. Nothing when it is none of these, or beyond the year 9999.
///
/// A local time that the clocks skip in spring is taken as the same span after the change, one
/// that comes twice in autumn as the first.
pub fn delay(text: &str, time_zone: &TimeZone) -> Option<Moment> {
    let text = text.trim();
    let timestamp = match whole(text) {
        Some(number) if number.abs() >= MILLISECONDS_FROM => Timestamp::from_millisecond(number).ok()?,
        Some(number) => Timestamp::from_second(number).ok()?,
        None => match text.parse::<Timestamp>() {
            Ok(timestamp) => timestamp,
            Err(_) => text.parse::<DateTime>().ok()?.to_zoned_datetime(time_zone.clone()).ok()?.timestamp(),
        },
    };
    Some(Moment(timestamp.as_microsecond()))
}

/// `YYYY-MM-DD HH:MM:SS.mmm`.
pub fn millis(moment: Moment, time_zone: &TimeZone) -> String {
    let timestamp = Timestamp::from_microsecond(moment.0).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = timestamp.to_zoned_datetime(time_zone.clone()).datetime();
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

/// Reads `YYYY-MM-DD`, and nothing else.
pub fn date(text: &str) -> Option<Date> {
    let shaped = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    shaped.then(|| text.parse().ok()).flatten()
}

/// The moment a date begins.
pub fn start_of(date: Date, time_zone: &TimeZone) -> Option<Moment> {
    Some(Moment(date.to_zoned_datetime(time_zone.clone()).ok()?.timestamp().as_microsecond()))
}

/// The date of a moment.
pub fn date_of(moment: Moment, time_zone: &TimeZone) -> Date {
    let timestamp = Timestamp::from_microsecond(moment.0).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned_datetime(time_zone.clone()).date()
}

/// A date as the statistics number it: 20260105.
pub fn number_of(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    #[test]
    fn a_delay_is_read_in_every_form() {
        #[rustfmt::skip]
        let cases = [
            ("1767225600",                Some(1_767_225_600_000)),
            ("1767225600123",             Some(1_767_225_600_123)), // milliseconds, as JS sends them
            ("1.7672256e+09",             Some(1_767_225_600_000)), // as Go writes its numbers
            ("1.767225600123e+12",        Some(1_767_225_600_123)),
            ("2026-01-01 01:00",          Some(1_767_225_600_000)),
            ("2026-01-01 01:00:00",       Some(1_767_225_600_000)),
            ("2026-01-01T01:00:00",       Some(1_767_225_600_000)),
            ("2026-01-01T00:00:00Z",      Some(1_767_225_600_000)),
            ("2026-01-01T02:00:00+02:00", Some(1_767_225_600_000)),
            ("2026-07-01 12:00",          Some(1_782_900_000_000)), // summer time
            ("0",                         Some(0)),
            ("-5",                        Some(-5_000)),
            ("tomorrow",                  None),
            ("2026-13-01 00:00",          None),
            ("2026-01-01 25:00",          None),
            ("99999999999999999",         None),
            ("2026-01-01 01:00 PM",       None),
        ];
        for (text, millis) in cases {
            assert_eq!(delay(text, &berlin()).map(|m| m.0), millis.map(|m: i64| m * 1000), "{text}");
        }
    }

    #[test]
    fn times_are_local_and_have_three_decimals() {
        assert_eq!(millis(Moment(1_767_225_600_012_999), &berlin()), "2026-01-01 01:00:00.012");
        assert_eq!(millis(Moment(1_782_900_000_000_000), &berlin()), "2026-07-01 12:00:00.000");
    }

    #[test]
    fn a_date_is_ten_characters() {
        assert_eq!(date("2026-01-05").map(number_of), Some(20_260_105));
        for bad in ["label", "", "2026-1-5", "20260105", "2026-02-30", "2026-01-05 10:00", "undefined"] {
            assert_eq!(date(bad), None, "{bad}");
        }
        assert_eq!(start_of(date("2026-01-05").unwrap(), &berlin()), Some(Moment(1_767_567_600_000_000)));
    }
}
