//! A second click on "order". The cart is already empty, because the first click ordered it less than a
//! minute ago.
//!
//! The same request gets the same order. The request is refused with `cart-empty` if it names another e-mail
//! address, shipping address or payment token, if the first order was cancelled or timed out, or if the cart
//! was changed after the first click.

use souk_domain::cart::event::CartEvent;
use souk_domain::cart::{Cart, CartCommand};
use souk_domain::order::event::OrderEvent;
use souk_domain::order::{Draft, Order, OrderStatus};
use souk_domain::{CartId, OrderId};
use souk_eventsourcing::{Loaded, RecordedEvent, Revision};
use souk_http::Problem;

use super::assemble::{Buyer, Texts};
use super::place::{PlacedOrder, Placement, order_from};

/// Maximum number of events that are read from the end of a cart's stream, to find an order that is not
/// placed yet.
const EVENTS_MAX: usize = 100;

/// Finds the recent order that the request repeats. If there is none, refuses the request, because the cart
/// is empty.
pub(super) async fn place(
    placement: &Placement<'_>,
    cart: CartId,
    buyer: &Buyer,
    texts: &Texts,
) -> Result<PlacedOrder, Problem> {
    let order = match placement.ports.aggregates.carts.load(&Cart::stream(cart)).await? {
        Some(loaded) => recent_order(placement, cart, &loaded, buyer, texts).await?,
        None => None,
    };
    order_from(placement, cart, CartCommand::RecallOrder { order }).await
}

/// Returns the recent order of the cart, unless it was cancelled or timed out, or another request placed it.
async fn recent_order(
    placement: &Placement<'_>,
    cart: CartId,
    loaded: &Loaded<Cart>,
    buyer: &Buyer,
    texts: &Texts,
) -> Result<Option<OrderId>, Problem> {
    let ports = placement.ports;
    let Some(order) = loaded.state.recent_order(ports.clock.now()) else { return Ok(None) };
    let stream = Order::stream(order);
    let placed = ports.aggregates.orders.load(&stream).await?;
    let status = placed.as_ref().and_then(|placed| placed.state.status());
    if matches!(status, Some(OrderStatus::Cancelled | OrderStatus::TimedOut)) {
        return Ok(None);
    }
    let draft = match placed {
        Some(_) => placed_draft(placement, order).await?,
        None => checked_out_draft(placement, cart, loaded.revision, order).await?,
    };
    let Some(draft) = draft else { return Ok(None) };
    let person = Draft::person_of(draft.order, draft.customer.as_ref());
    let keys = ports.people.keys_for_opening(vec![person]).await?;
    let is_equal_request = buyer.is_buyer_of(&draft, &keys) && texts.are_same_as(&draft, &keys);
    Ok(is_equal_request.then_some(order))
}

async fn placed_draft(placement: &Placement<'_>, order: OrderId) -> Result<Option<Draft>, Problem> {
    let first = placement.ports.aggregates.orders.events(&Order::stream(order), Revision::FIRST, 1).await?;
    let event = first.first().map(RecordedEvent::decode).transpose();
    Ok(match event.map_err(|error| Problem::internal(&error))? {
        Some(OrderEvent::Placed(placed)) => Some(placed.draft),
        _ => None,
    })
}

/// Reads the order from the events of the cart, because the second click came before `order.placed` was
/// appended.
async fn checked_out_draft(
    placement: &Placement<'_>,
    cart: CartId,
    last: Revision,
    order: OrderId,
) -> Result<Option<Draft>, Problem> {
    let from = Revision(last.0.saturating_sub(EVENTS_MAX as u64 - 1));
    let events = placement.ports.aggregates.carts.events(&Cart::stream(cart), from, EVENTS_MAX).await?;
    for event in events.iter().filter(|event| !event.is_noted()) {
        if let CartEvent::CheckedOut(checked_out) =
            event.decode().map_err(|error| Problem::internal(&error))?
            && checked_out.draft.order == order
        {
            return Ok(Some(checked_out.draft));
        }
    }
    Ok(None)
}
