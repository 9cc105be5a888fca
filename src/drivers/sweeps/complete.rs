//! Sweep that records up to which position of the log the keys of people are complete. So a start after a
//! crash has to check only the newest events.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_eventsourcing::Position;
use souk_process_managers::ShopPorts;
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::{Sweep, SweepContext};
use crate::missing_keys::Completeness;

/// Interval between two records. Each record is a separate commit.
const RECORD_EVERY: SignedDuration = SignedDuration::from_secs(60);

pub(super) struct CompleteKeys {
    keys: Completeness,
    head: watch::Receiver<Position>,
    /// Position of the last record.
    recorded: Position,
    /// Time of the next record.
    next: Timestamp,
}

impl CompleteKeys {
    /// Creates a sweep that records the end of the log at its first step.
    pub(super) fn new(context: &SweepContext) -> Self {
        let SweepContext { keys, head, .. } = context.clone();
        Self { keys, head, recorded: Position::START, next: Timestamp::UNIX_EPOCH }
    }
}

#[async_trait]
impl Sweep for CompleteKeys {
    fn name(&self) -> &'static str {
        "complete-keys-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
        let head = *self.head.borrow();
        let now = ports.clock.now();
        if head == self.recorded || now < self.next {
            return Ok(());
        }
        match self.keys.record(head).await {
            Ok(()) => {
                self.recorded = head;
                self.next = now + RECORD_EVERY;
            }
            Err(error) => {
                tracing::warn!(%error, "the completeness of keys was not recorded; the next start checks more of the log");
            }
        }
        Ok(())
    }
}
