//! Reading the log for ever: first what is there, then what comes.

use std::sync::Arc;

use crate::id::Position;
use crate::store::{EventStore, Filter, Page, StoreError};

/// A reader with a place of its own in the log.
///
/// There is no seam between catching up and live: both are the same read after the same position, and
/// only an empty read waits. A slow reader therefore misses nothing and holds up nobody; the engine
/// serves those near the head from memory and the others from disk.
pub struct Subscription {
    store: Arc<dyn EventStore>,
    filter: Filter,
    position: Position,
    page_events_max: usize,
}

impl Subscription {
    /// Everything after `after` that the filter takes, in pages that look at up to `page_events_max`
    /// events each.
    pub fn new(store: Arc<dyn EventStore>, after: Position, filter: Filter, page_events_max: usize) -> Self {
        Self { store, filter, position: after, page_events_max }
    }

    /// How far it has read.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next page. It may hold no events and still have moved on; it waits only at the head.
    /// Dropping the future loses nothing.
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
