//! Tells requests that wait for an order that it has settled.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use souk_command_api::SettledOrders;
use souk_eventsourcing::{Clock, EventStore, Filter, Page, Position, StoreError};
use tokio::sync::watch;

use super::follow::{Follows, Log, follow};
use super::parts::Part;

/// Events looked at at once.
const PAGE_EVENTS_MAX: usize = 2_048;

/// The requests that wait, and where the log was read to; both stay when the follower is started again.
#[derive(Clone)]
pub struct Settling {
    /// The requests that wait.
    pub orders: Arc<SettledOrders>,
    /// The position that the log was read to.
    pub position: Arc<Mutex<Position>>,
}

/// Follows the log until `stop` flips.
pub async fn run(
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    settling: Settling,
    part: Arc<Part>,
    stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let filter = Filter::types(SettledOrders::takes());
    let log = Log { store, clock, filter, page_events_max: PAGE_EVENTS_MAX };
    let position = settling.reached();
    follow(settling, log, position, &part, stop).await
}

impl Settling {
    /// A position is whole at every moment, so a panic elsewhere leaves it usable.
    fn reached(&self) -> Position {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Follows for Settling {
    type Error = StoreError;
    type Work = std::convert::Infallible;

    async fn take_in(&mut self, page: Page) -> Result<(), StoreError> {
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
