//! Sweep that erases the new addresses of erased buyers' orders. The shop may give such an order a new
//! address, which has its own key. The key is destroyed when the order has ended, or long after the order was
//! shipped.

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
            if let Err(error) = forget(ports, person, is_old).await {
                tracing::warn!(%person, error, "the new address of an order could not be erased; the sweep will try again");
            }
        }
        self.after =
            if found.len() < KEYS_MAX { None } else { found.last().map(|(person, _)| person.clone()) };
        Ok(())
    }
}

/// Destroys the key of an order's address if the order has ended. The sweep of erasures does the rest.
async fn forget(ports: &Ports, person: &Person, is_old: bool) -> Result<(), String> {
    let Ok(order) = person.parts().1.parse().map(OrderId) else { return Ok(()) };
    let loaded =
        ports.aggregates.orders.load(&Order::stream(order)).await.map_err(|error| error.to_string())?;
    let is_over = match loaded.and_then(|loaded| loaded.state.status()) {
        Some(OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Confirmed) | None => false,
        Some(OrderStatus::Shipped) => is_old,
        Some(
            OrderStatus::Delivered | OrderStatus::Returned | OrderStatus::Cancelled | OrderStatus::TimedOut,
        ) => true,
    };
    if is_over {
        ports.people.erase(person, ports.clock.now()).await.map_err(|error| error.to_string())?;
        ports.erased.notify_one();
    }
    Ok(())
}
