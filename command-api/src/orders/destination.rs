//! The address of an order's goods. It is opened before they are sent: a parcel whose address nobody can read is not
//! shipped.

use souk_domain::OrderId;
use souk_domain::address::Address;
use souk_domain::order::{Order, OrderEvent, OrderRejection};
use souk_eventsourcing::executor::LOAD_EVENTS_MAX;
use souk_eventsourcing::{CommandError, Personal, Revision};
use souk_http::Problem;
use uuid::Uuid;

use crate::rejected::problem;
use crate::shop::Shop;

/// Refuses an order whose address was erased, also before the order has been told, and one whose address is sealed with
/// a key that the shop has not.
pub async fn require_address(shop: &Shop, id: &str) -> Result<(), Problem> {
    let Ok(order) = id.parse::<Uuid>().map(OrderId) else { return Ok(()) };
    let loaded = shop.orders.load(&Order::stream(order)).await?;
    let Some(person) = loaded.as_ref().and_then(|loaded| loaded.state.address_person()) else {
        return Ok(());
    };
    if shop.people.is_erased(person).await? {
        return Err(problem(CommandError::Rejected(OrderRejection::AddressErased)));
    }
    let Some(address) = last_address(shop, order).await? else { return Ok(()) };
    let keys = shop.people.to_open(vec![address.person().clone()]).await?;
    if address.reveal(&keys).is_some() {
        return Ok(());
    }
    // Erased between the two looks.
    if shop.people.is_erased(address.person()).await? {
        return Err(problem(CommandError::Rejected(OrderRejection::AddressErased)));
    }
    let detail = "the key that opens the address is missing: restore person-keys.sqlite, give the order an address, or \
                  cancel it";
    Err(Problem::new("order-address-unreadable", detail))
}

/// The address that the order has now. Its state does not hold it.
async fn last_address(shop: &Shop, order: OrderId) -> Result<Option<Personal<Address>>, Problem> {
    let stream = Order::stream(order);
    let mut from = 0;
    let mut last = None;
    loop {
        let events = shop.orders.events(&stream, Revision(from), LOAD_EVENTS_MAX).await?;
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
