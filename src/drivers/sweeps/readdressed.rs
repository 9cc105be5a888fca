//! Sweep that erases the addresses that orders got after the erasure of their buyers: reads their keys from the
//! store of keys.

use std::sync::Arc;

use async_trait::async_trait;
use souk_domain::OrderId;
use souk_eventsourcing::Person;
use souk_process_managers::ShopPorts;
use souk_process_managers::sweeps::readdressed::{NAME, erase_if_unneeded};
use sqlx::SqlitePool;
use tokio::sync::Notify;

use super::{Sweep, SweepContext};

/// Maximum number of keys that one step handles.
const KEYS_MAX: usize = 500;

pub(super) struct ReaddressedOrders {
    /// Wakes the sweep that finishes erasures.
    erased: Arc<Notify>,
    /// Last key of the previous step. `None` at the beginning of a pass.
    after: Option<Person>,
}

impl ReaddressedOrders {
    /// Creates a sweep that begins a pass at its first step.
    pub(super) fn new(context: &SweepContext) -> Self {
        Self { erased: Arc::clone(&context.erased), after: None }
    }
}

#[async_trait]
impl Sweep for ReaddressedOrders {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn step(&mut self, _: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
        let kind = OrderId::READDRESSED;
        let found = match ports.people.keyed_after(kind, self.after.as_ref(), KEYS_MAX).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the keys of people can't be read");
                return Ok(());
            }
        };
        for (person, made_at) in &found {
            match erase_if_unneeded(ports, person, *made_at).await {
                Ok(true) => self.erased.notify_one(),
                Ok(false) => {}
                Err(error) => {
                    let error = error.as_str();
                    tracing::warn!(%person, error, "the new address of an order could not be erased; the sweep will try again");
                }
            }
        }
        self.after =
            if found.len() < KEYS_MAX { None } else { found.last().map(|(person, _)| person.clone()) };
        Ok(())
    }
}
