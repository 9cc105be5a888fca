//! The clock of the test shop.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Clock, Timestamp};
use uuid::Uuid;

/// Clock that starts at [`noon`] and moves only when a test moves it. Its ids are the same in every run.
#[derive(Default)]
pub(crate) struct TestClock {
    ahead_s: AtomicI64,
    ids: AtomicU64,
}

impl TestClock {
    /// Moves the clock forward.
    pub(crate) fn pass(&self, seconds: i64) {
        self.ahead_s.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        noon() + jiff::SignedDuration::from_secs(self.ahead_s.load(Ordering::Relaxed))
    }

    fn new_id(&self) -> Uuid {
        let next = self.ids.fetch_add(1, Ordering::Relaxed) + 1;
        Uuid::from_u128(0x0199_c2aa_bbcc_7000_8000_0000_0000_0000 + u128::from(next))
    }
}
