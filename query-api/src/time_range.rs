//! `from` and `to` in queries: days, or instants; both ends are included.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use souk_http::Problem;

/// Microseconds since 1970 of the first instant that is wanted.
pub(crate) fn from(text: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(i64::MIN) };
    let start = match text.parse::<Timestamp>() {
        Ok(instant) => Some(instant),
        Err(_) => text.parse::<Date>().ok().and_then(start_of),
    };
    start.map(Timestamp::as_microsecond).ok_or_else(|| refused("from"))
}

/// Microseconds since 1970 of the last instant that is wanted.
pub(crate) fn to(text: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(i64::MAX) };
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant.as_microsecond());
    }
    let next_day = text.parse::<Date>().ok().and_then(|day| start_of(day.tomorrow().ok()?));
    next_day.map(|next| next.as_microsecond() - 1).ok_or_else(|| refused("to"))
}

/// A UTC day.
pub(crate) fn day(name: &str, text: Option<&str>) -> Result<Option<Date>, Problem> {
    let refused = |_| Problem::parameter(name, "a UTC day is allowed, as in 2026-11-21");
    text.map(|text| text.parse().map_err(refused)).transpose()
}

/// Refuses a range whose end comes before its beginning.
pub(crate) fn check<T: PartialOrd>(from: &T, to: &T) -> Result<(), Problem> {
    if from <= to {
        Ok(())
    } else {
        Err(Problem::parameter("from", "a moment before `to`, or the same, is allowed"))
    }
}

fn start_of(day: Date) -> Option<Timestamp> {
    day.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp())
}

fn refused(name: &str) -> Problem {
    let allowed = "a UTC day or an instant is allowed, as in 2026-11-21 or 2026-11-21T12:00:00Z";
    Problem::parameter(name, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_ends_before_the_next() {
        let day_us = 24 * 60 * 60 * 1_000_000;
        assert_eq!(from(Some("1970-01-02")).unwrap(), day_us);
        assert_eq!(to(Some("1970-01-02")).unwrap(), 2 * day_us - 1);
    }

    #[test]
    fn instants_are_taken_as_they_are_and_other_texts_refused() {
        assert_eq!(from(Some("1970-01-01T00:00:01Z")).unwrap(), 1_000_000);
        assert_eq!(to(Some("1970-01-01T01:00:01+01:00")).unwrap(), 1_000_000);
        assert!(from(Some("yesterday")).is_err() && to(Some("")).is_err());
    }
}
