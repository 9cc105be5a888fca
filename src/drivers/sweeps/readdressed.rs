//! Sweep that erases the addresses that orders got after the erasure of their buyers: reads their keys from the
//! store of keys.

use async_trait::async_trait;
use souk_command_api::Ports;
use souk_domain::OrderId;
use souk_eventsourcing::Person;
use souk_process_managers::sweeps::readdressed::{NAME, erase_if_unneeded};
use sqlx::SqlitePool;

use super::Sweep;

/// Maximum number of keys that one step handles.
const KEYS_MAX: usize = 500;

#[derive(Default)]
pub(super) struct ReaddressedOrders {
    /// Last key of the previous step. `None` at the beginning of a pass.
    after: Option<Person>,
}

#[async_trait]
impl Sweep for ReaddressedOrders {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn step(&mut self, _: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        let kind = OrderId::READDRESSED;
        let found = match ports.people.keyed_after(kind, self.after.as_ref(), KEYS_MAX).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the keys of people can't be read");
                return Ok(());
            }
        };
        for (person, made_at) in &found {
            match erase_if_unneeded(&ports.shop(), person, *made_at).await {
                Ok(true) => ports.erased.notify_one(),
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
