//! The real clock: the one place where time and new ids come from.

use jiff::Timestamp;
use souk_eventsourcing::Clock;
use uuid::Uuid;

/// The system's time, and UUIDv7 ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is given")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // The log keeps microseconds; what is decided and what is read back shall be the same.
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}
