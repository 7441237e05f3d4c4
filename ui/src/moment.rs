//! Times: RFC 3339 between programs, local and rounded for people.

use std::time::{Duration, SystemTime};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit, Zoned};
use vfs::Time;

use crate::units::Span;

/// `time` in RFC 3339, UTC. What lies beyond jiff's range (year ±9999) is shown as its end.
pub fn to_text(time: Time) -> String {
    timestamp(time).to_string()
}

/// The same for the system's own times.
pub(crate) fn system_text(time: std::time::SystemTime) -> String {
    Timestamp::try_from(time).unwrap_or(Timestamp::MAX).to_string()
}

/// The same as RFC 9110 has dates in HTTP's headers.
pub(crate) fn http_text(time: std::time::SystemTime) -> String {
    let exact = Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
    let written = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&exact);
    // Before the year 0 there is no such date.
    written.unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 GMT".into())
}

/// A time of the drive as the system has times.
pub(crate) fn to_system(time: Time) -> std::time::SystemTime {
    timestamp(time).into()
}

/// The other way round.
pub(crate) fn from_system(system: std::time::SystemTime) -> Time {
    time(Timestamp::try_from(system).unwrap_or(Timestamp::MAX))
}

/// The time of an RFC 3339 text.
///
/// # Errors
/// A sentence that says what a time looks like.
pub(crate) fn from_text(text: &str) -> Result<Time, String> {
    let wrong = || "a time must be RFC 3339, like 2026-11-20T13:45:00Z".to_string();
    text.parse().map(time).map_err(|_| wrong())
}

/// A time as a person means it, or none if the text is no time (then it may be a version's id):
/// `2026-11-20`, `2026-11-20 13:45`, `2026-11-20T13:45:10Z`, `2h`, `3d ago`, `yesterday`.
pub(crate) fn from_person(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Some(exact);
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return zone.to_timestamp(local).ok();
    }
    if let Ok(day) = text.parse::<Date>() {
        return zone.to_timestamp(day.at(0, 0, 0, 0)).ok();
    }
    match lower.as_str() {
        "now" => return Some(now),
        "today" => return zone.to_timestamp(now.to_zoned(zone.clone()).date().at(0, 0, 0, 0)).ok(),
        "yesterday" => {
            return now.to_zoned(zone.clone()).checked_sub(1.day()).ok().map(|then| then.timestamp());
        }
        _ => {}
    }
    let ago = lower.strip_suffix("ago").map_or(lower.as_str(), str::trim_end);
    let seconds = i64::try_from(ago.parse::<Span>().ok()?.0).ok()?;
    now.checked_sub(jiff::SignedDuration::from_secs(seconds)).ok()
}

/// An RFC 3339 text in local time, to the second; what is none is shown as it is.
pub(crate) fn shown(text: &str) -> String {
    let Ok(exact) = text.parse::<Timestamp>() else { return text.to_string() };
    let rounded = exact.round(Unit::Second).unwrap_or(exact);
    rounded.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The local minute of the week: 0 is Monday 00:00.
pub fn minute_of_week() -> u16 {
    minute_at(&Timestamp::now().to_zoned(TimeZone::system()))
}

fn minute_at(local: &Zoned) -> u16 {
    let days = u16::try_from(local.weekday().to_monday_zero_offset()).unwrap_or_default();
    let minutes = i16::from(local.hour()) * 60 + i16::from(local.minute());
    days * 24 * 60 + u16::try_from(minutes).unwrap_or_default()
}

fn timestamp(time: Time) -> Timestamp {
    let end = if time.secs < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::new(time.secs, i32::try_from(time.nanos.min(999_999_999)).unwrap_or_default()).unwrap_or(end)
}

fn time(exact: Timestamp) -> Time {
    // jiff counts nanoseconds towards zero; a Time's always count forwards.
    let (secs, nanos) = (exact.as_second(), exact.subsec_nanosecond());
    match u32::try_from(nanos) {
        Ok(nanos) => Time { secs, nanos },
        Err(_) => Time { secs: secs - 1, nanos: (nanos + 1_000_000_000) as u32 },
    }
}

/// Whether so much time has passed since then; never where `after` is zero.
pub fn is_over(since: Option<Time>, after: Duration) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    is_over_at(now, since, after)
}

fn is_over_at(now: Duration, since: Option<Time>, after: Duration) -> bool {
    let long = |since: Time| now.saturating_sub(Duration::from_millis(since.millis())) >= after;
    !after.is_zero() && since.is_some_and(long)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(1))
    }

    #[test]
    fn the_week_begins_on_monday_at_midnight() {
        for (at, minute) in [
            ("2026-11-16T00:00[UTC]", 0),
            ("2026-11-17T08:30[UTC]", 24 * 60 + 8 * 60 + 30),
            ("2026-11-22T23:59[UTC]", 7 * 24 * 60 - 1),
        ] {
            assert_eq!(minute_at(&at.parse().unwrap()), minute, "{at}");
        }
    }

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn people_write_times_in_many_ways() {
        for (text, utc) in [
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z"),
            ("2026-11-19 13:45", "2026-11-19T12:45:00Z"),
            ("2026-11-19T13:45:10", "2026-11-19T12:45:10Z"),
            ("2026-11-19", "2026-11-18T23:00:00Z"),
            ("2h", "2026-11-20T10:00:00Z"),
            ("3d ago", "2026-11-17T12:00:00Z"),
            ("1h30m ago", "2026-11-20T10:30:00Z"),
            ("yesterday", "2026-11-19T12:00:00Z"),
            ("today", "2026-11-19T23:00:00Z"),
            ("now", "2026-11-20T12:00:00Z"),
        ] {
            assert_eq!(from_person(text, now(), &berlin()), Some(utc.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn version_ids_are_no_times() {
        for text in ["", "0190a3b2c4d50001-77aa00bb", "v12", "tomorrow-ish", "7f3a"] {
            assert_eq!(from_person(text, now(), &berlin()), None, "{text}");
        }
    }

    #[test]
    fn times_before_1970_keep_their_nanoseconds() {
        let early = Time { secs: -1, nanos: 250_000_000 };
        assert_eq!(to_text(early), "1969-12-31T23:59:59.25Z");
        assert_eq!(from_text(&to_text(early)), Ok(early));
        assert!(from_text("20.11.2026").is_err());
        assert!(to_text(Time { secs: i64::MAX, nanos: u32::MAX }).starts_with("9999-"));
    }

    proptest! {
        #[test]
        fn every_time_survives_its_text(secs in -60_000_000_000i64..200_000_000_000, nanos in 0u32..1_000_000_000) {
            let exact = Time { secs, nanos };
            prop_assert_eq!(from_text(&to_text(exact)), Ok(exact));
        }
    }

    #[test]
    fn it_is_over_after_the_time_set_and_never_where_none_is() {
        let (now, hour) = (Duration::from_secs(10_000), Duration::from_secs(3600));
        let since = |secs| Some(Time { secs, nanos: 0 });
        assert!(is_over_at(now, since(6_400), hour));
        assert!(!is_over_at(now, since(6_401), hour));
        assert!(!is_over_at(now, since(20_000), hour), "a clock that was set back");
        assert!(!is_over_at(now, None, hour) && !is_over_at(now, since(0), Duration::ZERO));
    }
}
