//! Placing an order: once, be it asked for again under its key, clicked twice, or cut off in the middle.
//!
//! A cart is first checked out, by one event that holds the whole order and empties the cart; then the
//! order is placed, by this request or by the checkout, whoever is quicker. Both send the same command.

use souk_domain::cart::{Cart, CartCommand, CartRejection};
use souk_domain::order::event::OrderLine;
use souk_domain::order::{Draft, Order, OrderCommand};
use souk_domain::shop_command::place_command_id;
use souk_domain::{CartId, FieldError, Money, OrderId};
use souk_eventsourcing::{CommandError, CommandRequest, Completion, Loaded, Outcome, Position};
use souk_web::{Caller, Problem};

use crate::cart::routes::of_caller;
use crate::listing;
use crate::origin::Write;
use crate::rejected::problem;
use crate::shop::Shop;

use super::assemble;
use super::request::OrderRequest;

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

/// The order, and the position of what was written.
type Placed = Result<(OrderId, Position), Problem>;

/// Places the order, or finds the one that the request means.
pub async fn place(placing: &Placing<'_>) -> Placed {
    let buyer = assemble::buyer(placing.caller, placing.asked)?;
    let stream = Order::stream(placing.order);
    if placing.came.keyed && placing.shop.orders.load(&stream).await?.is_some() {
        return repeated(placing).await;
    }
    if !placing.asked.cart {
        let lines = assemble::lines(placing.shop, placing.caller, &placing.asked.lines).await?;
        let draft = assemble::draft(placing.shop, placing.order, placing.asked, buyer, None, lines)?;
        return send_place(placing, draft).await;
    }
    let cart = cart_of(placing)?;
    match placing.shop.carts.load(&Cart::stream(cart)).await? {
        Some(loaded) if !loaded.state.is_empty() => from_cart(placing, cart, &loaded, buyer).await,
        _ => second_click(placing, cart).await,
    }
}

fn cart_of(placing: &Placing<'_>) -> Result<CartId, Problem> {
    of_caller(placing.caller).ok_or_else(cart_empty)
}

fn cart_empty() -> Problem {
    Problem::new("cart-empty", CartRejection::Empty.to_string())
}

/// The order is there: only whether it was asked for with the same body is left to find out. The commands
/// are sent once more to be recognised; what they would do, they can't do any more.
async fn repeated(placing: &Placing<'_>) -> Placed {
    if !placing.asked.cart {
        return send_place(placing, stand_in(placing)).await;
    }
    match check_out(placing, cart_of(placing)?, stand_in(placing)).await {
        Ok(outcome) => Ok((placing.order, outcome.position)),
        Err(CommandError::Rejected(_)) => Err(problem(CommandError::<CartRejection>::KeyReused)),
        Err(error) => Err(problem(error)),
    }
}

/// A draft without lines, for commands that are only to be recognised: no cart takes it for its own.
fn stand_in(placing: &Placing<'_>) -> Draft {
    let now = placing.shop.clock.now();
    Draft {
        order: placing.order,
        code: String::new(),
        customer: None,
        cart: None,
        email: None,
        shipping_address: None,
        lines: Vec::new(),
        charges: Vec::new(),
        total: Money::zero(placing.shop.settings.currency),
        payment_token: None,
        placed_at: now,
        pay_by: now,
    }
}

async fn check_out(
    placing: &Placing<'_>,
    cart: CartId,
    draft: Draft,
) -> Result<Outcome<Cart>, CommandError<CartRejection>> {
    let command = CartCommand::CheckOut { draft: Box::new(draft) };
    let request = CommandRequest { if_match: None, ..placing.came.request(Cart::stream(cart), command) };
    placing.shop.carts.execute(request).await
}

async fn from_cart(
    placing: &Placing<'_>,
    cart: CartId,
    loaded: &Loaded<Cart>,
    buyer: assemble::Buyer,
) -> Placed {
    let lines = cart_lines(placing.shop, loaded, placing.asked.accept_price_changes).await?;
    let draft = assemble::draft(placing.shop, placing.order, placing.asked, buyer, Some(cart), lines)?;
    let outcome = check_out(placing, cart, draft.clone()).await.map_err(problem)?;
    match outcome.completion {
        Completion::Appended => send_place(placing, draft).await,
        // It was checked out before; the checkout places that order, which may be another than this one.
        Completion::Repeated => Ok((placing.order, outcome.position)),
        // Another click was quicker.
        Completion::Unchanged => recent(placing, &outcome),
    }
}

/// The cart is empty: this is a second click on "order", a repeat of one, or a mistake. Under a key the
/// command leaves a note, so that its repeat orders nothing later.
async fn second_click(placing: &Placing<'_>, cart: CartId) -> Placed {
    let outcome = check_out(placing, cart, stand_in(placing)).await.map_err(problem)?;
    recent(placing, &outcome)
}

fn recent(placing: &Placing<'_>, cart: &Outcome<Cart>) -> Placed {
    let recent = cart.state.recent_order(placing.shop.clock.now()).ok_or_else(cart_empty)?;
    Ok((recent, cart.position))
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
        if listed.price != line.unit_price {
            let detail = format!("SKU {sku} costs {}, {} was shown", listed.price, line.unit_price);
            changed.push(FieldError::new(pointer, "price-changed", detail));
        }
        lines.push(OrderLine {
            sku: sku.clone(),
            product: listed.product,
            name: listed.state.name().to_owned(),
            quantity: line.quantity,
            unit_price: listed.price,
        });
    }
    if !withdrawn.is_empty() {
        return Err(Problem::fields(withdrawn));
    }
    if !changed.is_empty() && !accept_price_changes {
        let detail = "look at the cart again, or order with `acceptPriceChanges`";
        return Err(Problem::new("price-changed", detail).with_errors(changed));
    }
    Ok(lines)
}

async fn send_place(placing: &Placing<'_>, draft: Draft) -> Placed {
    let mut origin = placing.came.origin.clone();
    origin.command_id = place_command_id(placing.order);
    if placing.asked.cart {
        // The checkout sends the same command and knows nothing of the request; its hash is on the cart.
        origin.request_hash = None;
    }
    let command = OrderCommand::Place(Box::new(draft));
    let request = CommandRequest::new(Order::stream(placing.order), command, origin);
    let outcome = placing.shop.orders.execute(request.repeatable().creating()).await.map_err(problem)?;
    Ok((placing.order, outcome.position))
}
