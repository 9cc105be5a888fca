//! Erasure of the shipping addresses that orders got after the erasure of their buyers. Each of these addresses
//! has its own key. The key is destroyed when the order has ended, or when the order is shipped and the key is
//! old.

use jiff::{SignedDuration, Timestamp};
use souk_domain::OrderId;
use souk_domain::order::{Order, OrderStatus};
use souk_eventsourcing::Person;

use super::SweepError;
use crate::ports::ShopPorts;

/// Name of the sweep.
pub const NAME: &str = "readdressed-order-sweep";

/// Maximum age of the key of a shipped order that is never reported as delivered.
const SHIPPED_AGE_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Destroys the key of an order's address if the address is no longer needed. Returns true if it destroyed the
/// key. The sweep of erasures does the rest.
pub async fn erase_if_unneeded(
    ports: &ShopPorts,
    person: &Person,
    key_made_at: Timestamp,
) -> Result<bool, SweepError> {
    let Ok(order) = OrderId::parse(person.parts().1) else { return Ok(false) };
    let loaded = ports.aggregates.orders.load(&Order::stream(order)).await?;
    let status = loaded.and_then(|loaded| loaded.state.status());
    let now = ports.clock.now();
    let is_unneeded = is_unneeded(status, now.duration_since(key_made_at));
    if is_unneeded {
        ports.people.erase(person, now).await?;
    }
    Ok(is_unneeded)
}

fn is_unneeded(status: Option<OrderStatus>, key_age: SignedDuration) -> bool {
    match status {
        Some(OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Confirmed) | None => false,
        Some(OrderStatus::Shipped) => key_age > SHIPPED_AGE_MAX,
        Some(
            OrderStatus::Delivered | OrderStatus::Returned | OrderStatus::Cancelled | OrderStatus::TimedOut,
        ) => true,
    }
}
