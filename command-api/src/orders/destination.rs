//! The shipping address of an order. An order can be marked as shipped only if its address can be decrypted.

use souk_domain::OrderId;
use souk_domain::address::Address;
use souk_domain::order::{Order, OrderEvent, OrderRejection};
use souk_eventsourcing::executor::LOAD_EVENTS_MAX;
use souk_eventsourcing::{CommandError, Personal, Revision};
use souk_http::Problem;

use crate::ports::Ports;
use crate::rejected::problem;

/// Refuses an order whose shipping address can't be read: it was erased, or its key is missing. An address
/// counts as erased as soon as its key is destroyed, even if the order has no event about the erasure yet.
pub async fn require_address(ports: &Ports, id: &str) -> Result<(), Problem> {
    let Ok(order) = OrderId::parse(id) else { return Ok(()) };
    let loaded = ports.aggregates.orders.load(&Order::stream(order)).await?;
    let Some(person) = loaded.as_ref().and_then(|loaded| loaded.state.address_person()) else {
        return Ok(());
    };
    if ports.people.is_erased(person).await? {
        return Err(problem(CommandError::Rejected(OrderRejection::AddressErased)));
    }
    let Some(address) = last_address(ports, order).await? else { return Ok(()) };
    let keys = ports.people.keys_for_opening(vec![address.person().clone()]).await?;
    if address.reveal(&keys).is_some() {
        return Ok(());
    }
    // The key may have been destroyed after the first check.
    if ports.people.is_erased(address.person()).await? {
        return Err(problem(CommandError::Rejected(OrderRejection::AddressErased)));
    }
    let detail = "the key of the shipping address is missing: restore person-keys.sqlite, set another address, or \
                  cancel the order";
    Err(Problem::new("order-address-unreadable", detail))
}

/// Reads the current shipping address from the events of the order. The state of the aggregate does not hold
/// it.
async fn last_address(ports: &Ports, order: OrderId) -> Result<Option<Personal<Address>>, Problem> {
    let stream = Order::stream(order);
    let mut from = 0;
    let mut last = None;
    loop {
        let events = ports.aggregates.orders.events(&stream, Revision(from), LOAD_EVENTS_MAX).await?;
        if events.is_empty() {
            return Ok(last);
        }
        from += events.len() as u64;
        for event in events.iter().filter(|event| !event.is_noted()) {
            match event.decode().map_err(|error| Problem::internal(&error))? {
                OrderEvent::Placed(event) => last = event.draft.shipping_address,
                OrderEvent::AddressChanged(event) => last = Some(event.address),
                OrderEvent::Attached(event) => last = event.shipping_address,
                _ => {}
            }
        }
    }
}
