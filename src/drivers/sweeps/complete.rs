//! Notes up to which position of the log the keys of people are complete, so that a start after a crash looks at little.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Shop;
use souk_eventsourcing::Position;
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{Standing, Sweep};
use crate::missing_keys::Completeness;

/// The time between two notes, each of which is a commit of its own.
const NOTE_EVERY: SignedDuration = SignedDuration::from_secs(60);

pub(super) struct Complete {
    keys: Completeness,
    head: watch::Receiver<Position>,
    /// The position that was noted last, and when the next note is due.
    noted: Position,
    next: Timestamp,
}

impl Complete {
    /// A sweep that notes the head of the log at its first step.
    pub(super) fn new(standing: &Standing) -> Self {
        let Standing { keys, head, .. } = standing.clone();
        Self { keys, head, noted: Position::START, next: Timestamp::UNIX_EPOCH }
    }
}

#[async_trait]
impl Sweep for Complete {
    fn name(&self) -> &'static str {
        "complete-keys-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let head = *self.head.borrow();
        let now = shop.clock.now();
        if head == self.noted || now < self.next {
            return Ok(());
        }
        match self.keys.note(head).await {
            Ok(()) => {
                self.noted = head;
                self.next = now + NOTE_EVERY;
            }
            Err(error) => tracing::warn!(%error, "the next start looks at more of the log"),
        }
        Ok(())
    }
}
