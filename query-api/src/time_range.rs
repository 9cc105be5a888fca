//! Query parameters `from` and `to`: UTC days or instants. Both ends are included in the range.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use souk_http::Problem;

/// Returns the first instant of the range, in microseconds since 1970.
pub(crate) fn from(text: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(i64::MIN) };
    let start = match text.parse::<Timestamp>() {
        Ok(instant) => Some(instant),
        Err(_) => text.parse::<Date>().ok().and_then(start_of),
    };
    start.map(Timestamp::as_microsecond).ok_or_else(|| invalid("from"))
}

/// Returns the last instant of the range, in microseconds since 1970.
pub(crate) fn to(text: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(i64::MAX) };
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant.as_microsecond());
    }
    let next_day = text.parse::<Date>().ok().and_then(|day| start_of(day.tomorrow().ok()?));
    next_day.map(|next| next.as_microsecond() - 1).ok_or_else(|| invalid("to"))
}

/// Parses the parameter `name` as a UTC day.
pub(crate) fn day(name: &str, text: Option<&str>) -> Result<Option<Date>, Problem> {
    let invalid = |_| Problem::parameter(name, "a UTC day is allowed, for example 2026-11-21");
    text.map(|text| text.parse().map_err(invalid)).transpose()
}

/// Returns a problem if the range ends before it starts.
pub(crate) fn check<T: PartialOrd>(from: &T, to: &T) -> Result<(), Problem> {
    if from <= to {
        Ok(())
    } else {
        Err(Problem::parameter("from", "a day or an instant that is not later than `to` is allowed"))
    }
}

fn start_of(day: Date) -> Option<Timestamp> {
    day.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp())
}

fn invalid(name: &str) -> Problem {
    let allowed = "a UTC day or an instant is allowed, for example 2026-11-21 or 2026-11-21T12:00:00Z";
    Problem::parameter(name, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_at_midnight_and_ends_before_the_next_day() {
        let day_us = 24 * 60 * 60 * 1_000_000;
        assert_eq!(from(Some("1970-01-02")).unwrap(), day_us);
        assert_eq!(to(Some("1970-01-02")).unwrap(), 2 * day_us - 1);
    }

    #[test]
    fn instants_are_accepted_and_other_texts_are_rejected() {
        assert_eq!(from(Some("1970-01-01T00:00:01Z")).unwrap(), 1_000_000);
        assert_eq!(to(Some("1970-01-01T01:00:01+01:00")).unwrap(), 1_000_000);
        assert!(from(Some("yesterday")).is_err() && to(Some("")).is_err());
    }
}
