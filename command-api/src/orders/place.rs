//! Placing an order exactly once, even if the request is repeated under its idempotency key, the buyer clicks
//! twice, or a crash interrupts it.
//!
//! An order of a cart takes two steps. First the cart is checked out: one event holds the whole order and
//! empties the cart. Then the order is placed, either by this request or by the checkout process. Both send
//! the same command, so only the first one has an effect.

use souk_domain::cart::{Cart, CartCommand, CartEvent, CartRejection};
use souk_domain::order::event::OrderLine;
use souk_domain::order::{Draft, Order, OrderCommand};
use souk_domain::{CartId, FieldError, Money, OrderId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandId, CommandRequest, EventId, Loaded, Position};
use souk_http::{Caller, Problem};

use crate::cart::lookup::cart_of_caller;
use crate::listing;
use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::problem;

use super::request::{OrderRequest, PriceChange};
use super::{assemble, second_click};

/// Problem code for the order of an empty cart.
const CART_EMPTY: &str = "cart-empty";

/// A request to place an order.
pub struct Placement<'a> {
    /// The ports of the command side.
    pub ports: &'a Ports,
    /// Caller that places the order.
    pub caller: &'a Caller,
    /// Origin and idempotency key of the request.
    pub write: &'a WriteRequest<'a>,
    /// Body of the request.
    pub request: &'a OrderRequest,
    /// Id that the order gets, unless the request means an earlier order.
    pub order: OrderId,
}

/// An order that was placed, by this request or an earlier one.
pub struct PlacedOrder {
    /// Id of the order.
    pub order: OrderId,
    /// Position of the event that placed the order or checked the cart out.
    pub position: Position,
    /// The prices that changed since the cart showed them.
    pub price_changes: Vec<PriceChange>,
}

impl PlacedOrder {
    fn unchanged(order: OrderId, position: Position) -> Self {
        Self { order, position, price_changes: Vec::new() }
    }
}

/// Places the order, or finds the earlier order that the request means.
pub async fn place(placement: &Placement<'_>) -> Result<PlacedOrder, Problem> {
    let buyer = assemble::buyer(placement.caller, placement.request)?;
    if placement.write.keyed
        && let Some(placed) = placed_before(placement).await?
    {
        return Ok(placed);
    }
    let texts = assemble::texts(placement.request)?;
    if !placement.request.cart {
        let lines = assemble::lines(placement.ports, placement.caller, &placement.request.lines).await?;
        // A guest gets access to the order by the cart token, even if the order has explicit lines.
        let cart = if placement.caller.subject.is_none() { placement.caller.cart } else { None };
        let draft = assemble::draft(placement.ports, placement.order, texts, buyer, cart, lines)?;
        return send_place(placement, draft, None).await;
    }
    let cart = cart_of(placement)?;
    match placement.ports.aggregates.carts.load(&Cart::stream(cart)).await? {
        Some(loaded) if !loaded.state.is_empty() => {
            match from_cart(placement, cart, &loaded, buyer.clone(), texts.clone()).await {
                // Another click ordered the cart first.
                Err(problem) if problem.code() == CART_EMPTY => {
                    second_click::place(placement, cart, &buyer, &texts).await
                }
                placed => placed,
            }
        }
        _ => second_click::place(placement, cart, &buyer, &texts).await,
    }
}

/// Returns the id of the order that a request creates. An order of explicit lines and an order of a cart have
/// different ids, so that an idempotency key that is used for both can't mix them up.
pub fn order_id(command: CommandId, is_from_cart: bool) -> OrderId {
    OrderId(command.derived_id(if is_from_cart { "order from a cart" } else { "order" }))
}

/// Finds the order of an earlier request under the same idempotency key.
async fn placed_before(placement: &Placement<'_>) -> Result<Option<PlacedOrder>, Problem> {
    let ports = placement.ports;
    let command = placement.write.origin.command_id;
    let order_of_lines = order_id(command, false);
    let origin =
        Origin { command_id: Order::place_command_id(order_of_lines), ..placement.write.origin.clone() };
    if let Some(found) =
        ports.aggregates.orders.find(&Order::stream(order_of_lines), &origin).await.map_err(problem)?
    {
        return Ok(Some(PlacedOrder::unchanged(order_of_lines, found.last_position)));
    }
    match cart_of_caller(placement.caller) {
        Some(cart) => {
            let ordered = ordered_from(placement, cart).await?;
            let placed = |ordered: OrderFromCart| PlacedOrder {
                order: ordered.order,
                position: ordered.position,
                price_changes: ordered.draft.as_ref().map(PriceChange::of).unwrap_or_default(),
            };
            Ok(ordered.map(placed))
        }
        None => Ok(None),
    }
}

/// The order that this request got from a cart, as an event of the cart records it.
struct OrderFromCart {
    order: OrderId,
    position: Position,
    /// Event of the cart that names the order.
    event: EventId,
    /// The order as it was checked out; `None` if the cart was empty and the request meant an earlier order.
    draft: Option<Draft>,
}

/// Finds the event that this request left on the cart, and the order that it names.
async fn ordered_from(placement: &Placement<'_>, cart: CartId) -> Result<Option<OrderFromCart>, Problem> {
    let found = placement
        .ports
        .aggregates
        .carts
        .find(&Cart::stream(cart), &placement.write.origin)
        .await
        .map_err(problem)?;
    let Some(found) = found else { return Ok(None) };
    let position = found.last_position;
    let event = found.first.event.id;
    Ok(match found.first.decode().map_err(|error| Problem::internal(&error))? {
        CartEvent::CheckedOut(checked_out) => {
            let draft = checked_out.draft;
            Some(OrderFromCart { order: draft.order, position, event, draft: Some(draft) })
        }
        CartEvent::OrderRecalled(recalled) => {
            Some(OrderFromCart { order: recalled.order, position, event, draft: None })
        }
        _ => None,
    })
}

fn cart_of(placement: &Placement<'_>) -> Result<CartId, Problem> {
    cart_of_caller(placement.caller).ok_or_else(cart_empty)
}

fn cart_empty() -> Problem {
    Problem::new(CART_EMPTY, CartRejection::Empty.to_string())
}

/// Sends a command that checks the cart out or recalls an order, and places the resulting order. That is the
/// order of this request, or of a simultaneous request under the same idempotency key.
pub(super) async fn order_from(
    placement: &Placement<'_>,
    cart: CartId,
    command: CartCommand,
) -> Result<PlacedOrder, Problem> {
    let request = CommandRequest { if_match: None, ..placement.write.request(Cart::stream(cart), command) };
    placement.ports.aggregates.carts.execute(request).await.map_err(problem)?;
    let ordered = ordered_from(placement, cart).await?.ok_or_else(cart_empty)?;
    match ordered.draft {
        Some(draft) => send_place(placement, draft, Some(ordered.event)).await,
        None => Ok(PlacedOrder::unchanged(ordered.order, ordered.position)),
    }
}

async fn from_cart(
    placement: &Placement<'_>,
    cart: CartId,
    loaded: &Loaded<Cart>,
    buyer: assemble::Buyer,
    texts: assemble::Texts,
) -> Result<PlacedOrder, Problem> {
    let lines = cart_lines(placement.ports, loaded, placement.request.accept_price_changes).await?;
    let draft = assemble::draft(placement.ports, placement.order, texts, buyer, Some(cart), lines)?;
    order_from(placement, cart, CartCommand::CheckOut { draft: Box::new(draft) }).await
}

async fn cart_lines(
    ports: &Ports,
    cart: &Loaded<Cart>,
    accept_price_changes: bool,
) -> Result<Vec<OrderLine>, Problem> {
    let mut lines = Vec::new();
    let mut errors = Vec::new();
    let mut changed_prices = Vec::new();
    for (index, (sku, line)) in cart.state.lines().enumerate() {
        let pointer = format!("/lines/{index}");
        let Some(listed) = listing::find(ports, sku).await? else {
            let detail = format!("SKU {sku} is no longer for sale");
            errors.push(FieldError::new(pointer, "withdrawn", detail));
            continue;
        };
        if is_worse(listed.price, line.unit_price) {
            let detail = format!("SKU {sku} costs {}; the cart showed {}", listed.price, line.unit_price);
            changed_prices.push(FieldError::new(pointer, "price-changed", detail));
        }
        lines.push(OrderLine {
            sku: sku.clone(),
            product: listed.product,
            name: listed.state.name().to_owned(),
            quantity: line.quantity,
            unit_price: listed.price,
            shown_price: Some(line.unit_price).filter(|shown| *shown != listed.price),
        });
    }
    let currency_errors = assemble::other_currencies(&lines).map(|(index, line, order_currency)| {
        let sku = &line.sku;
        let currency = line.unit_price.currency.code();
        let detail = format!(
            "SKU {sku} is now priced in {currency}, but other lines are priced in {order_currency}: \
             remove its line"
        );
        FieldError::new(format!("/lines/{index}"), "currency-mismatch", detail)
    });
    errors.extend(currency_errors);
    if !errors.is_empty() {
        return Err(Problem::fields(errors));
    }
    if !changed_prices.is_empty() && !accept_price_changes {
        let detail = "set the lines again to accept the current prices, or order with `acceptPriceChanges`";
        return Err(Problem::new("price-changed", detail).with_errors(changed_prices));
    }
    Ok(lines)
}

/// Returns true if the buyer must accept a price before paying it: the price rose, or is in another currency.
/// A lower price needs no consent.
fn is_worse(price: Money, shown: Money) -> bool {
    price.currency != shown.currency || price.amount > shown.amount
}

async fn send_place(
    placement: &Placement<'_>,
    draft: Draft,
    cause: Option<EventId>,
) -> Result<PlacedOrder, Problem> {
    let mut origin = Origin { causation_id: cause, ..placement.write.origin.clone() };
    origin.command_id = Order::place_command_id(draft.order);
    if placement.request.cart {
        // The checkout process sends the same command and does not know the request hash. The cart's event
        // has the hash.
        origin.request_hash = None;
    }
    let order = draft.order;
    let price_changes = PriceChange::of(&draft);
    let command = OrderCommand::Place(Box::new(draft));
    let request = CommandRequest::new(Order::stream(order), command, origin);
    let outcome =
        placement.ports.aggregates.orders.execute(request.repeatable().creating()).await.map_err(problem)?;
    Ok(PlacedOrder { order, position: outcome.position, price_changes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_gives_different_ids_to_an_order_of_a_cart_and_an_order_order_of_lines() {
        let command = CommandId::of(&[b"key"]);
        assert_eq!(order_id(command, true), order_id(command, true));
        assert_ne!(order_id(command, true), order_id(command, false));
    }
}
