//! `POST /api/orders` and what is asked of an order afterwards.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::cart::{Cart, CartCommand, CartRejection};
use souk_domain::order::event::{OrderLine, Reason, ReasonCode};
use souk_domain::order::{Draft, Order, OrderCommand, OrderState};
use souk_domain::shop_command::place_command_id;
use souk_domain::limits::TEXT_CHARS_MAX;
use souk_domain::{CartId, FieldError, OrderId};
use souk_eventsourcing::{CommandError, CommandRequest, Loaded, Position, Revision};
use souk_web::headers::WriteHeaders;
use souk_web::problem::ProblemBody;
use souk_web::shapes::{AddressShape, WriteAnswer, check_text};
use souk_web::{Caller, Problem, Role, StrictJson};
use uuid::Uuid;

use crate::cart::routes::of_caller;
use crate::inventory::request::sku;
use crate::listing;
use crate::origin::Write;
use crate::rejected::problem;
use crate::shop::Shop;

use super::assemble;
use super::request::{CancelRequest, OrderRequest, OrderWritten, ReturnRequest, ShipRequest, TimersRun};

type Answer = Result<WriteAnswer<OrderWritten>, Problem>;

/// Places an order. Answers 202 at once, or with `Prefer: wait=10` 201 once it is settled.
#[utoipa::path(post, path = "/api/orders", tag = "orders", request_body = OrderRequest,
    security(("cart" = []), ("token" = [])),
    responses((status = 201, body = OrderWritten), (status = 202, body = OrderWritten),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn place(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<OrderRequest>,
) -> Answer {
    let asked = body.value;
    if asked.cart != asked.lines.is_empty() {
        return Err(Problem::field("/lines", "ambiguous", "either `\"cart\": true` or `lines` are allowed"));
    }
    let buyer = assemble::buyer(&caller, &asked)?;
    let came = Write::new(&shop, &caller, &headers, "POST /api/orders", &body.raw);
    let order = OrderId(came.origin.command_id.creates("order"));
    let name = order.to_string();
    let watch = headers.wait.map(|_| shop.settled.watch(&name));
    let placed = if asked.cart {
        let cart = of_caller(&caller).ok_or_else(|| Problem::new("cart-empty", "there is no cart yet"))?;
        from_cart(&shop, &came, order, cart, &asked, buyer).await
    } else {
        from_lines(&shop, &caller, &came, order, &asked, buyer).await
    };
    let (order, position) = match placed {
        Ok(placed) => placed,
        Err(problem) => {
            drop(watch);
            shop.settled.forget(&name);
            return Err(problem);
        }
    };
    if let (Some(mut watch), Some(wait)) = (watch, headers.wait) {
        wait_until_settled(&shop, &mut watch, order, wait).await?;
        drop(watch);
        shop.settled.forget(&name);
    }
    let loaded = load(&shop, order).await?;
    let settled = loaded.state.status().is_some_and(|status| status.is_settled());
    let status = if settled && headers.wait.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let position = loaded.position.max(position);
    let mut answer = written(status, order, &loaded.state, loaded.revision, position);
    answer.location = Some(format!("/api/orders/{order}"));
    Ok(answer)
}

async fn wait_until_settled(
    shop: &Shop,
    watch: &mut tokio::sync::watch::Receiver<bool>,
    order: OrderId,
    wait: Duration,
) -> Result<(), Problem> {
    // A repeat finds an order that settled long ago.
    let loaded = shop.orders.load(&Order::stream(order)).await?;
    if loaded.is_some_and(|loaded| loaded.state.status().is_some_and(|status| status.is_settled())) {
        return Ok(());
    }
    let mut stopping = shop.stopping.clone();
    tokio::select! {
        _ = tokio::time::timeout(wait, watch.wait_for(|settled| *settled)) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    Ok(())
}

/// The order and the position of its placing.
type Placed = Result<(OrderId, Position), Problem>;

async fn from_lines(
    shop: &Shop,
    caller: &Caller,
    came: &Write<'_>,
    order: OrderId,
    asked: &OrderRequest,
    buyer: assemble::Buyer,
) -> Placed {
    let lines = assemble::lines(shop, caller, &asked.lines).await?;
    let draft = assemble::draft(shop, order, asked, buyer, None, lines).await?;
    let position = send_place(shop, came, draft).await?;
    Ok((order, position))
}

/// First one event on the cart, which holds the whole order and empties the cart; then the order. Should
/// this process die in between, the checkout places it.
async fn from_cart(
    shop: &Shop,
    came: &Write<'_>,
    order: OrderId,
    cart: CartId,
    asked: &OrderRequest,
    buyer: assemble::Buyer,
) -> Placed {
    if shop.orders.load(&Order::stream(order)).await?.is_some() {
        return Ok((order, Position::START));
    }
    let stream = Cart::stream(cart);
    let now = shop.clock.now();
    let Some(loaded) = shop.carts.load(&stream).await? else {
        return Err(Problem::new("cart-empty", CartRejection::Empty.to_string()));
    };
    if let Some(recent) = loaded.state.recent_order(now) {
        return Ok((recent, Position::START));
    }
    let lines = cart_lines(shop, &loaded, asked.accept_price_changes).await?;
    let draft = assemble::draft(shop, order, asked, buyer, Some(cart), lines).await?;
    let command = CartCommand::CheckOut { draft: Box::new(draft.clone()) };
    let mut request = came.request(stream.clone(), command);
    request.if_match = None;
    match shop.carts.execute(request).await {
        Ok(_) => {}
        Err(CommandError::Rejected(CartRejection::Empty)) => {
            // Another click was quicker.
            let loaded = shop.carts.load(&stream).await?;
            let recent = loaded.and_then(|loaded| loaded.state.recent_order(now));
            let recent = recent.ok_or_else(|| Problem::new("cart-empty", CartRejection::Empty.to_string()))?;
            return Ok((recent, Position::START));
        }
        Err(error) => return Err(problem(error)),
    }
    let position = send_place(shop, came, draft).await?;
    Ok((order, position))
}

async fn cart_lines(
    shop: &Shop,
    cart: &Loaded<Cart>,
    accept_price_changes: bool,
) -> Result<Vec<OrderLine>, Problem> {
    if cart.state.is_empty() {
        return Err(Problem::new("cart-empty", CartRejection::Empty.to_string()));
    }
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

async fn send_place(shop: &Shop, came: &Write<'_>, draft: Draft) -> Result<Position, Problem> {
    let order = draft.order;
    let mut origin = came.origin.clone();
    origin.command_id = place_command_id(order);
    let command = OrderCommand::Place(Box::new(draft));
    let request = CommandRequest::new(Order::stream(order), command, origin).repeatable().creating();
    Ok(shop.orders.execute(request).await.map_err(problem)?.position)
}

fn written(
    status: StatusCode,
    order: OrderId,
    state: &OrderState,
    revision: Revision,
    position: Position,
) -> WriteAnswer<OrderWritten> {
    let body = OrderWritten {
        id: order.to_string(),
        revision: revision.0,
        position: position.to_string(),
        status: state.status().map_or("", |status| status.as_str()).to_owned(),
        code: state.code().unwrap_or("").to_owned(),
    };
    WriteAnswer { status, location: None, revision, position, body }
}

async fn load(shop: &Shop, order: OrderId) -> Result<Loaded<Order>, Problem> {
    let loaded = shop.orders.load(&Order::stream(order)).await?;
    loaded.ok_or_else(|| Problem::new("not-found", "there is no such order"))
}

/// An order that the caller may touch; somebody else's is not there.
pub async fn reachable(shop: &Shop, caller: &Caller, id: &str) -> Result<(OrderId, Loaded<Order>), Problem> {
    let absent = || Problem::new("not-found", "there is no such order");
    let subject = caller.signed_in()?;
    let order = id.parse::<Uuid>().map(OrderId).map_err(|_| absent())?;
    let loaded = shop.orders.load(&Order::stream(order)).await?.ok_or_else(absent)?;
    let is_own = loaded.state.customer() == Some(subject);
    if is_own || caller.is_admin() { Ok((order, loaded)) } else { Err(absent()) }
}

async fn send(
    shop: &Shop,
    caller: &Caller,
    headers: &WriteHeaders,
    route: &str,
    body: &[u8],
    id: &str,
    command: OrderCommand,
) -> Answer {
    let (order, _) = reachable(shop, caller, id).await?;
    let came = Write::new(shop, caller, headers, &format!("{route} {order}"), body);
    let outcome = shop.orders.execute(came.request(Order::stream(order), command)).await.map_err(problem)?;
    Ok(written(StatusCode::OK, order, &outcome.state, outcome.revision, outcome.position))
}

/// Cancels an order: at once when it is confirmed, else as soon as the checkout has undone what it did.
#[utoipa::path(post, path = "/api/orders/{id}/cancel", tag = "orders", request_body = CancelRequest,
    params(("id" = String, Path, format = "uuid")), security(("token" = [])),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn cancel(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<CancelRequest>,
) -> Answer {
    check_text("/reason", &body.value.reason, 0, TEXT_CHARS_MAX)?;
    let (_, loaded) = reachable(&shop, &caller, &id).await?;
    let is_own = loaded.state.customer().is_some() && loaded.state.customer() == caller.subject.as_ref();
    let code = if is_own { ReasonCode::CancelledByCustomer } else { ReasonCode::CancelledByShop };
    let command = OrderCommand::Cancel { reason: Reason { code, detail: body.value.reason } };
    send(&shop, &caller, &headers, "POST /api/orders/cancel", &body.raw, &id, command).await
}

/// Marks an order that waits for payment as paid outside.
#[utoipa::path(post, path = "/api/orders/{id}/confirm", tag = "orders",
    params(("id" = String, Path, format = "uuid")), security(("token" = [])),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn confirm(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
) -> Answer {
    caller.require(&[Role::Admin])?;
    let command = OrderCommand::MarkPaidOutside;
    send(&shop, &caller, &headers, "POST /api/orders/confirm", &[], &id, command).await
}

/// The goods are on their way.
#[utoipa::path(post, path = "/api/orders/{id}/ship", tag = "orders", request_body = ShipRequest,
    params(("id" = String, Path, format = "uuid")), security(("token" = [])),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn ship(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<ShipRequest>,
) -> Answer {
    caller.require(&[Role::Admin])?;
    let ShipRequest { carrier, tracking } = body.value;
    check_text("/carrier", &carrier, 1, TEXT_CHARS_MAX)?;
    check_text("/tracking", &tracking, 0, TEXT_CHARS_MAX)?;
    let command = OrderCommand::Ship { carrier, tracking };
    send(&shop, &caller, &headers, "POST /api/orders/ship", &body.raw, &id, command).await
}

/// The goods arrived.
#[utoipa::path(post, path = "/api/orders/{id}/deliver", tag = "orders",
    params(("id" = String, Path, format = "uuid")), security(("token" = [])),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn deliver(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
) -> Answer {
    caller.require(&[Role::Admin])?;
    send(&shop, &caller, &headers, "POST /api/orders/deliver", &[], &id, OrderCommand::Deliver).await
}

/// Goods come back: refunds them and puts them back on hand.
#[utoipa::path(post, path = "/api/orders/{id}/return", tag = "orders", request_body = ReturnRequest,
    params(("id" = String, Path, format = "uuid")), security(("token" = [])),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn take_back(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<ReturnRequest>,
) -> Answer {
    if body.value.lines.is_empty() {
        return Err(Problem::field("/lines", "missing", "at least one line is needed"));
    }
    let lines = body.value.lines.iter().map(|line| Ok((sku(&line.sku)?, line.quantity)));
    let lines = lines.collect::<Result<Vec<_>, Problem>>()?;
    let command = OrderCommand::Return { lines };
    send(&shop, &caller, &headers, "POST /api/orders/return", &body.raw, &id, command).await
}

/// The goods go elsewhere; before shipping, by an admin.
#[utoipa::path(put, path = "/api/orders/{id}/shipping-address", tag = "orders", request_body = AddressShape,
    params(("id" = String, Path, format = "uuid")), security(("token" = [])),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn change_address(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<AddressShape>,
) -> Answer {
    caller.require(&[Role::Admin])?;
    let address = Box::new(body.value.read("").map_err(Problem::fields)?);
    let command = OrderCommand::ChangeAddress { address };
    send(&shop, &caller, &headers, "PUT /api/orders/shipping-address", &body.raw, &id, command).await
}

/// Runs the timers that are due, now.
#[utoipa::path(post, path = "/api/orders/admin/saga/timeouts/run", tag = "orders", security(("token" = [])),
    responses((status = 200, body = TimersRun), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn run_timers(State(shop): State<Shop>, caller: Caller) -> Result<axum::Json<TimersRun>, Problem> {
    caller.require(&[Role::Admin])?;
    Ok(axum::Json(TimersRun { fired: (shop.run_timers)().await }))
}
