//! Placing an order: once, be it asked for again under its key, clicked twice, or cut off in the middle.
//!
//! A cart is first checked out, by one event that holds the whole order and empties the cart; then the
//! order is placed, by this request or by the checkout, whoever is quicker. Both send the same command.

use souk_domain::cart::{Cart, CartCommand, CartEvent, CartRejection};
use souk_domain::order::event::OrderLine;
use souk_domain::order::{Draft, Order, OrderCommand};
use souk_domain::{CartId, FieldError, Money, OrderId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandId, CommandRequest, EventId, Loaded, Position};
use souk_http::{Caller, Problem};
use souk_process_managers::shop_command::place_command_id;

use crate::cart::routes::of_caller;
use crate::listing;
use crate::origin::Write;
use crate::rejected::problem;
use crate::shop::Shop;

use super::request::{OrderRequest, PriceChange};
use super::{assemble, second_click};

/// The code of a refusal to order an empty cart.
const CART_EMPTY: &str = "cart-empty";

/// A request to place an order.
pub struct Placing<'a> {
    /// The shop.
    pub shop: &'a Shop,
    /// Who asks.
    pub caller: &'a Caller,
    /// The write that it is.
    pub came: &'a Write<'a>,
    /// What is asked for.
    pub asked: &'a OrderRequest,
    /// The id that the order gets.
    pub order: OrderId,
}

/// An order that was placed, by this request or before.
pub struct Placed {
    /// Its id.
    pub order: OrderId,
    /// The position of what was written.
    pub position: Position,
    /// The prices that changed since the buyer was shown them.
    pub price_changes: Vec<PriceChange>,
}

impl Placed {
    fn unchanged(order: OrderId, position: Position) -> Self {
        Self { order, position, price_changes: Vec::new() }
    }
}

/// Places the order, or finds the one that the request means.
pub async fn place(placing: &Placing<'_>) -> Result<Placed, Problem> {
    let buyer = assemble::buyer(placing.caller, placing.asked)?;
    if placing.came.keyed
        && let Some(placed) = placed_before(placing).await?
    {
        return Ok(placed);
    }
    let texts = assemble::texts(placing.asked)?;
    if !placing.asked.cart {
        let lines = assemble::lines(placing.shop, placing.caller, &placing.asked.lines).await?;
        // A guest is known again by the cart's token, whatever was ordered with it.
        let cart = if placing.caller.subject.is_none() { placing.caller.cart } else { None };
        let draft = assemble::draft(placing.shop, placing.order, texts, buyer, cart, lines)?;
        return send_place(placing, draft, None).await;
    }
    let cart = cart_of(placing)?;
    match placing.shop.carts.load(&Cart::stream(cart)).await? {
        Some(loaded) if !loaded.state.is_empty() => {
            match from_cart(placing, cart, &loaded, buyer.clone(), texts.clone()).await {
                // Another click was quicker.
                Err(problem) if problem.code() == CART_EMPTY => {
                    second_click::place(placing, cart, &buyer, &texts).await
                }
                placed => placed,
            }
        }
        _ => second_click::place(placing, cart, &buyer, &texts).await,
    }
}

/// The id of the order that a request makes. Orders of lines and those from a cart have different ones,
/// so that a key that is used for both at once can't mix the two.
pub fn order_id(command: CommandId, is_from_cart: bool) -> OrderId {
    OrderId(command.creates(if is_from_cart { "order from a cart" } else { "order" }))
}

/// What an earlier request under the same key ordered.
async fn placed_before(placing: &Placing<'_>) -> Result<Option<Placed>, Problem> {
    let (shop, command) = (placing.shop, placing.came.origin.command_id);
    let of_lines = order_id(command, false);
    let origin = Origin { command_id: place_command_id(of_lines), ..placing.came.origin.clone() };
    if let Some(found) = shop.orders.find(&Order::stream(of_lines), &origin).await.map_err(problem)? {
        return Ok(Some(Placed::unchanged(of_lines, found.last_position)));
    }
    match of_caller(placing.caller) {
        Some(cart) => {
            let ordered = ordered_from(placing, cart).await?;
            let placed = |ordered: Ordered| Placed {
                order: ordered.order,
                position: ordered.position,
                price_changes: ordered.draft.as_ref().map(PriceChange::of).unwrap_or_default(),
            };
            Ok(ordered.map(placed))
        }
        None => Ok(None),
    }
}

/// What the log says this request did with a cart.
struct Ordered {
    order: OrderId,
    position: Position,
    /// The event that says so.
    event: EventId,
    /// The order as it was checked out; none when the cart was empty and an order of before was meant.
    draft: Option<Draft>,
}

async fn ordered_from(placing: &Placing<'_>, cart: CartId) -> Result<Option<Ordered>, Problem> {
    let found = placing.shop.carts.find(&Cart::stream(cart), &placing.came.origin).await.map_err(problem)?;
    let Some(found) = found else { return Ok(None) };
    let (position, event) = (found.last_position, found.first.event.id);
    Ok(match found.first.decode().map_err(|error| Problem::internal(&error))? {
        CartEvent::CheckedOut(said) => {
            Some(Ordered { order: said.draft.order, position, event, draft: Some(said.draft) })
        }
        CartEvent::OrderRecalled(said) => Some(Ordered { order: said.order, position, event, draft: None }),
        _ => None,
    })
}

fn cart_of(placing: &Placing<'_>) -> Result<CartId, Problem> {
    of_caller(placing.caller).ok_or_else(cart_empty)
}

fn cart_empty() -> Problem {
    Problem::new(CART_EMPTY, CartRejection::Empty.to_string())
}

/// Checks the cart out and places the order that came of it: that of this request, of one under the same
/// key that was quicker, or the one of a moment ago.
pub(super) async fn check_out(
    placing: &Placing<'_>,
    cart: CartId,
    draft: Draft,
    recalls: Option<OrderId>,
) -> Result<Placed, Problem> {
    let command = CartCommand::CheckOut { draft: Box::new(draft), recalls };
    let request = CommandRequest { if_match: None, ..placing.came.request(Cart::stream(cart), command) };
    placing.shop.carts.execute(request).await.map_err(problem)?;
    let ordered = ordered_from(placing, cart).await?.ok_or_else(cart_empty)?;
    match ordered.draft {
        Some(draft) => send_place(placing, draft, Some(ordered.event)).await,
        None => Ok(Placed::unchanged(ordered.order, ordered.position)),
    }
}

async fn from_cart(
    placing: &Placing<'_>,
    cart: CartId,
    loaded: &Loaded<Cart>,
    buyer: assemble::Buyer,
    texts: assemble::Texts,
) -> Result<Placed, Problem> {
    let lines = cart_lines(placing.shop, loaded, placing.asked.accept_price_changes).await?;
    let draft = assemble::draft(placing.shop, placing.order, texts, buyer, Some(cart), lines)?;
    check_out(placing, cart, draft, None).await
}

async fn cart_lines(
    shop: &Shop,
    cart: &Loaded<Cart>,
    accept_price_changes: bool,
) -> Result<Vec<OrderLine>, Problem> {
    let (mut lines, mut withdrawn, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (sku, line)) in cart.state.lines().enumerate() {
        let pointer = format!("/lines/{index}");
        let Some(listed) = listing::find(shop, sku).await? else {
            let detail = format!("SKU {sku} is no longer for sale");
            withdrawn.push(FieldError::new(pointer, "withdrawn", detail));
            continue;
        };
        if is_worse(listed.price, line.unit_price) {
            let detail = format!("SKU {sku} costs {}, {} was shown", listed.price, line.unit_price);
            changed.push(FieldError::new(pointer, "price-changed", detail));
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
    let foreign = assemble::other_currencies(&lines).map(|(index, line, others)| {
        let sku = &line.sku;
        let currency = line.unit_price.currency.code();
        let detail =
            format!("SKU {sku} is priced in {currency} by now, the other lines in {others}: remove its line");
        FieldError::new(format!("/lines/{index}"), "currency-mismatch", detail)
    });
    withdrawn.extend(foreign);
    if !withdrawn.is_empty() {
        return Err(Problem::fields(withdrawn));
    }
    if !changed.is_empty() && !accept_price_changes {
        let detail =
            "set the lines again to take them at the prices of now, or order with `acceptPriceChanges`";
        return Err(Problem::new("price-changed", detail).with_errors(changed));
    }
    Ok(lines)
}

/// Returns true if the buyer must accept a price before paying it: it rose, or is in another currency. A lower price
/// is passed on.
fn is_worse(price: Money, shown: Money) -> bool {
    price.currency != shown.currency || price.amount > shown.amount
}

async fn send_place(placing: &Placing<'_>, draft: Draft, cause: Option<EventId>) -> Result<Placed, Problem> {
    let mut origin = Origin { causation_id: cause, ..placing.came.origin.clone() };
    origin.command_id = place_command_id(draft.order);
    if placing.asked.cart {
        // The checkout sends the same command and knows nothing of the request; its hash is on the cart.
        origin.request_hash = None;
    }
    let order = draft.order;
    let price_changes = PriceChange::of(&draft);
    let command = OrderCommand::Place(Box::new(draft));
    let request = CommandRequest::new(Order::stream(order), command, origin);
    let outcome = placing.shop.orders.execute(request.repeatable().creating()).await.map_err(problem)?;
    Ok(Placed { order, position: outcome.position, price_changes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_makes_two_ids_for_two_kinds_of_order() {
        let command = CommandId::of(&[b"key"]);
        assert_eq!(order_id(command, true), order_id(command, true));
        assert_ne!(order_id(command, true), order_id(command, false));
    }
}
