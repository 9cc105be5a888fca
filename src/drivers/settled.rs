//! Tells those who wait for an order that it has settled.

use std::sync::Arc;

use souk_command_api::SettledOrders;
use souk_eventsourcing::{EventStore, Filter, Position, StoreError, Subscription};
use tokio::sync::watch;

/// Events looked at at once.
const PAGE_EVENTS_MAX: usize = 2_048;

/// Follows the log from `after` until `stop` flips.
pub async fn follow(
    store: Arc<dyn EventStore>,
    after: Position,
    settled: Arc<SettledOrders>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let mut log = Subscription::new(store, after, Filter::types(SettledOrders::takes()), PAGE_EVENTS_MAX);
    loop {
        let page = tokio::select! {
            page = log.next() => page?,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        settled.observe(&page.events);
    }
}
