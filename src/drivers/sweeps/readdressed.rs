//! Sweep that erases the shipping addresses that orders got after the erasure of their buyers. Each of these
//! addresses has its own key. The sweep destroys the key when the order has ended, or when the order is
//! shipped and the key is old.

use async_trait::async_trait;
use jiff::SignedDuration;
use souk_command_api::Ports;
use souk_domain::OrderId;
use souk_domain::order::{Order, OrderStatus};
use souk_eventsourcing::Person;
use sqlx::SqlitePool;

use super::Sweep;

/// Maximum number of keys that one step handles.
const KEYS_MAX: usize = 500;
/// Maximum age of the key of a shipped order that is never reported as delivered.
const SHIPPED_AGE_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

#[derive(Default)]
pub(super) struct ReaddressedOrders {
    /// Last key of the previous step. `None` at the beginning of a pass.
    after: Option<Person>,
}

#[async_trait]
impl Sweep for ReaddressedOrders {
    fn name(&self) -> &'static str {
        "readdressed-order-sweep"
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
            let is_old = ports.clock.now().duration_since(*made_at) > SHIPPED_AGE_MAX;
            if let Err(error) = erase_if_unneeded(ports, person, is_old).await {
                tracing::warn!(%person, error, "the new address of an order could not be erased; the sweep will try again");
            }
        }
        self.after =
            if found.len() < KEYS_MAX { None } else { found.last().map(|(person, _)| person.clone()) };
        Ok(())
    }
}

/// Destroys the key of an order's address if the address is no longer needed. The sweep of erasures does the
/// rest.
async fn erase_if_unneeded(ports: &Ports, person: &Person, is_old: bool) -> Result<(), String> {
    let Ok(order) = person.parts().1.parse().map(OrderId) else { return Ok(()) };
    let loaded =
        ports.aggregates.orders.load(&Order::stream(order)).await.map_err(|error| error.to_string())?;
    let is_unneeded = match loaded.and_then(|loaded| loaded.state.status()) {
        Some(OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Confirmed) | None => false,
        Some(OrderStatus::Shipped) => is_old,
        Some(
            OrderStatus::Delivered | OrderStatus::Returned | OrderStatus::Cancelled | OrderStatus::TimedOut,
        ) => true,
    };
    if is_unneeded {
        ports.people.erase(person, ports.clock.now()).await.map_err(|error| error.to_string())?;
        ports.erased.notify_one();
    }
    Ok(())
}
