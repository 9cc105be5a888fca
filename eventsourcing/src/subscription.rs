//! Subscriptions: reading the log from a position onwards, first the stored events, then new ones.
//!
//! Invariants: every matching event is returned once and in order. A slow reader misses no event and does
//! not delay writers or other readers.
//!
//! On failure: a failed read returns an error and leaves the position unchanged, so the caller can retry.

use std::sync::Arc;

use crate::id::Position;
use crate::store::{EventStore, Filter, Page, StoreError};

/// Reader of the log that keeps its own position.
///
/// Reading old events and following new ones are the same operation: a read after the current position. A
/// read that finds no event waits for the next append. The engine can serve readers near the head of the log
/// from memory, and the other readers from disk.
pub struct Subscription {
    store: Arc<dyn EventStore>,
    filter: Filter,
    position: Position,
    page_events_max: usize,
}

impl Subscription {
    /// Makes a subscription to all events after position `after` that match the filter. Each page covers up
    /// to `page_events_max` events of the log.
    pub fn new(store: Arc<dyn EventStore>, after: Position, filter: Filter, page_events_max: usize) -> Self {
        Self { store, filter, position: after, page_events_max }
    }

    /// Position up to which the subscription has read the log.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns the next page, and waits if the subscription is at the head of the log. A page without events
    /// means that the log had new events, but none of them matched. The future can be dropped without losing
    /// an event.
    pub async fn next(&mut self) -> Result<Page, StoreError> {
        loop {
            let page = self.store.read_all(self.position, self.page_events_max, &self.filter).await?;
            if page.reached > self.position {
                self.position = page.reached;
                return Ok(page);
            }
            self.store.wait_beyond(self.position).await?;
        }
    }
}
