//! Access to orders: an admin may access all orders, a customer their own orders, and a guest the orders that
//! belong to the cart of their cart token.

use souk_domain::OrderId;
use souk_domain::order::Order;
use souk_eventsourcing::Loaded;
use souk_http::{Caller, Problem};

use crate::ports::{OrderOwner, Ports};

/// Loads an order that the caller may access. An order of another customer is reported as not found.
///
/// The owner is looked up in the read models first, so that no event of another customer's order is read. The
/// time that this reading takes would reveal that the order exists.
pub async fn load_order(
    ports: &Ports,
    caller: &Caller,
    id: &str,
) -> Result<(OrderId, Loaded<Order>), Problem> {
    let not_found = || Problem::new("not-found", "there is no such order");
    caller.signed_in_or_guest()?;
    let order = OrderId::parse(id).map_err(|_| not_found())?;
    if !caller.is_admin() {
        // If the read models are behind or fail, the events of the order decide below.
        let owner = ports.finder.owner_of(order).await.ok().flatten();
        if owner.is_some_and(|owner| !owner.allows(caller)) {
            return Err(not_found());
        }
    }
    let loaded = ports.aggregates.orders.load(&Order::stream(order)).await?.ok_or_else(not_found)?;
    let owner = OrderOwner { customer: loaded.state.customer().cloned(), cart: loaded.state.cart() };
    if owner.allows(caller) { Ok((order, loaded)) } else { Err(not_found()) }
}
