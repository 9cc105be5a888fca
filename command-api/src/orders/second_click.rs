//! A second click on "order": the cart is empty, since the first one ordered it a moment ago.
//!
//! The same request then means the same order. Another one (to another address, with another payment token), one after
//! the order was cancelled or after the cart was changed, orders nothing.

use souk_domain::cart::Cart;
use souk_domain::cart::event::CartEvent;
use souk_domain::order::event::OrderEvent;
use souk_domain::order::{Draft, Order, OrderStatus};
use souk_domain::{CartId, Money, OrderId};
use souk_eventsourcing::{Loaded, RecordedEvent, Revision};
use souk_http::Problem;

use super::assemble::{Buyer, Texts};
use super::place::{Placed, Placing, check_out};

/// The latest events of a cart among which the order of a moment ago is looked for before it is placed.
const EVENTS_MAX: usize = 100;

/// Finds the order of a moment ago that the request means.
pub(super) async fn place(
    placing: &Placing<'_>,
    cart: CartId,
    buyer: &Buyer,
    texts: &Texts,
) -> Result<Placed, Problem> {
    let recalls = match placing.shop.carts.load(&Cart::stream(cart)).await? {
        Some(loaded) => meant(placing, cart, &loaded, buyer, texts).await?,
        None => None,
    };
    check_out(placing, cart, stand_in(placing), recalls).await
}

/// The order of a moment ago, if it stands and came of the same request.
async fn meant(
    placing: &Placing<'_>,
    cart: CartId,
    loaded: &Loaded<Cart>,
    buyer: &Buyer,
    texts: &Texts,
) -> Result<Option<OrderId>, Problem> {
    let shop = placing.shop;
    let Some(order) = loaded.state.recent_order(shop.clock.now()) else { return Ok(None) };
    let stream = Order::stream(order);
    let ended = [OrderStatus::Cancelled, OrderStatus::TimedOut];
    let placed = shop.orders.load(&stream).await?;
    if placed.as_ref().and_then(|placed| placed.state.status()).is_some_and(|status| ended.contains(&status))
    {
        return Ok(None);
    }
    let draft = match placed {
        Some(_) => placed_draft(placing, order).await?,
        None => checked_out_draft(placing, cart, loaded.revision, order).await?,
    };
    let Some(draft) = draft else { return Ok(None) };
    let person = Draft::person_of(draft.order, draft.customer.as_ref());
    let keys = shop.people.to_open(vec![person]).await?;
    let is_meant = buyer.is_of(&draft, &keys) && texts.are_of(&draft, &keys);
    Ok(is_meant.then_some(order))
}

async fn placed_draft(placing: &Placing<'_>, order: OrderId) -> Result<Option<Draft>, Problem> {
    let first = placing.shop.orders.events(&Order::stream(order), Revision::FIRST, 1).await?;
    let event = first.first().map(RecordedEvent::decode).transpose();
    Ok(match event.map_err(|error| Problem::internal(&error))? {
        Some(OrderEvent::Placed(placed)) => Some(placed.draft),
        _ => None,
    })
}

/// The order as it stands in the cart, for a click that comes before it is placed.
async fn checked_out_draft(
    placing: &Placing<'_>,
    cart: CartId,
    last: Revision,
    order: OrderId,
) -> Result<Option<Draft>, Problem> {
    let from = Revision(last.0.saturating_sub(EVENTS_MAX as u64 - 1));
    let events = placing.shop.carts.events(&Cart::stream(cart), from, EVENTS_MAX).await?;
    for event in events.iter().filter(|event| !event.is_noted()) {
        if let CartEvent::CheckedOut(said) = event.decode().map_err(|error| Problem::internal(&error))?
            && said.draft.order == order
        {
            return Ok(Some(said.draft));
        }
    }
    Ok(None)
}

/// A draft without lines, of an empty cart: no other takes it for its own.
fn stand_in(placing: &Placing<'_>) -> Draft {
    let now = placing.shop.clock.now();
    Draft {
        order: placing.order,
        code: String::new(),
        customer: None,
        cart: None,
        email: None,
        email_hash: None,
        shipping_address: None,
        lines: Vec::new(),
        charges: Vec::new(),
        total: Money::zero(placing.shop.settings.currency),
        payment_token: None,
        placed_at: now,
        pay_by: now,
    }
}
