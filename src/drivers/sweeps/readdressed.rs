//! Destroys the keys of addresses that the shop gave to orders whose buyer was erased: when the order has ended, or
//! long after it was shipped.

use async_trait::async_trait;
use jiff::SignedDuration;
use souk_command_api::Shop;
use souk_domain::OrderId;
use souk_domain::order::{Order, OrderStatus};
use souk_eventsourcing::Person;
use sqlx::SqlitePool;

use super::Sweep;

/// Keys looked at in one step.
const KEYS_MAX: usize = 500;
/// The time for which the address of a shipped order is kept, from the making of its key, when nobody says that
/// the parcel arrived.
const SHIPPED_KEPT_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

#[derive(Default)]
pub(super) struct Readdressed {
    /// The last of the step before; none at the beginning of a pass.
    after: Option<Person>,
}

#[async_trait]
impl Sweep for Readdressed {
    fn name(&self) -> &'static str {
        "readdressed-order-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let kind = OrderId::READDRESSED;
        let found = match shop.people.keyed_after(kind, self.after.as_ref(), KEYS_MAX).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the keys of people can't be read");
                return Ok(());
            }
        };
        for (person, made_at) in &found {
            let is_old = shop.clock.now().duration_since(*made_at) > SHIPPED_KEPT_MAX;
            if let Err(error) = forget(shop, person, is_old).await {
                tracing::warn!(%person, error, "an address is not forgotten; the next sweep tries again");
            }
        }
        self.after =
            if found.len() < KEYS_MAX { None } else { found.last().map(|(person, _)| person.clone()) };
        Ok(())
    }
}

/// Destroys the key of an order's address once the order is over. The sweep of erasures does the rest.
async fn forget(shop: &Shop, person: &Person, is_old: bool) -> Result<(), String> {
    let Ok(order) = person.parts().1.parse().map(OrderId) else { return Ok(()) };
    let loaded = shop.orders.load(&Order::stream(order)).await.map_err(|error| error.to_string())?;
    let is_over = match loaded.and_then(|loaded| loaded.state.status()) {
        Some(OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Confirmed) | None => false,
        Some(OrderStatus::Shipped) => is_old,
        Some(
            OrderStatus::Delivered | OrderStatus::Returned | OrderStatus::Cancelled | OrderStatus::TimedOut,
        ) => true,
    };
    if is_over {
        shop.people.erase(person, shop.clock.now()).await.map_err(|error| error.to_string())?;
        shop.erased.notify_one();
    }
    Ok(())
}
