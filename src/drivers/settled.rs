//! Consumer of the log that notifies waiting requests when their order has settled.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use souk_command_api::SettledOrders;
use souk_eventsourcing::{Filter, Page, Position, StoreError};
use tokio::sync::watch;

use super::SharedStore;
use super::follow::{LogConsumer, LogSource, follow};
use super::parts::Part;
use crate::clock::SharedClock;

/// Maximum number of events that one read examines.
const PAGE_EVENTS_MAX: usize = 2_048;

/// State of the consumer. It outlives a restart of the part.
#[derive(Clone)]
pub struct Settling {
    /// Waiting requests by order.
    pub orders: Arc<SettledOrders>,
    /// Position up to which the log was read.
    pub position: Arc<Mutex<Position>>,
}

/// Reads the log until `stop` becomes true.
pub async fn run(
    store: SharedStore,
    clock: SharedClock,
    settling: Settling,
    part: Arc<Part>,
    stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let filter = Filter::types(SettledOrders::event_types());
    let log = LogSource { store, clock, filter, page_events_max: PAGE_EVENTS_MAX };
    let position = settling.reached();
    follow(settling, log, position, &part, stop).await
}

impl Settling {
    /// Returns the position up to which the log was read. The lock may be poisoned: a position is valid at
    /// every moment.
    fn reached(&self) -> Position {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LogConsumer for Settling {
    type Error = StoreError;
    type Work = std::convert::Infallible;

    async fn handle_page(&mut self, page: Page) -> Result<(), StoreError> {
        self.orders.observe(&page.events);
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = page.reached;
        Ok(())
    }

    async fn next_work(&mut self) -> Self::Work {
        std::future::pending().await
    }

    async fn work(&mut self, work: Self::Work) -> Result<(), StoreError> {
        match work {}
    }

    async fn step(&mut self, _: Timestamp, _: bool) -> Result<(), StoreError> {
        Ok(())
    }
}
