//! Clock of the system: the only source of time and of new ids.

use std::sync::Arc;

use jiff::Timestamp;
use souk_eventsourcing::Clock;
use uuid::Uuid;

/// Clock that several parts of the shop share. Tests use other clocks than [`SystemClock`].
pub type SharedClock = Arc<dyn Clock>;

/// Clock with the time of the system and UUIDv7 ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "all other code gets its time and ids from this clock")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // The log stores microseconds, so a finer time would change when it is read back.
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}
