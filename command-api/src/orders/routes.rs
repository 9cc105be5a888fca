//! `POST /api/orders` and what is asked of an order afterwards.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::order::draft::order_code;
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::order::{Order, OrderCommand, OrderState, OrderStatus};
use souk_domain::text::rules::{CARRIER, REASON, TRACKING};
use souk_domain::{FieldError, InvalidText, OrderId, Sku};
use souk_eventsourcing::{Loaded, Position, Revision};
use souk_http::body::{NoBody, OptionalJson};
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::{AddressShape, WriteAnswer, read_text};
use souk_http::{Caller, Problem, StrictJson};
use uuid::Uuid;

use crate::origin::Write;
use crate::rejected::problem;
use crate::settled::Watch;
use crate::shop::{OrderOwner, Shop};
use crate::users::erasure;

use super::place::{self, Placing};
use super::request::{
    CancelRequest, OrderRequest, OrderWritten, ReturnRequest, ShipRequest, ShipmentCorrection, TimersRun,
};
use super::{assemble, destination};

/// The number of an order's shipment: there is one.
const ONLY_SHIPMENT: &str = "1";

type Answer = Result<WriteAnswer<OrderWritten>, Problem>;

/// Places an order. Answers 202 at once, or with `Prefer: wait=10` 201 once it is settled.
///
/// An order of the cart empties it. The same request within a minute, a second click, is answered with the same order,
/// also without an `Idempotency-Key`. The answer is 409 `cart-empty` when it names another e-mail address, shipping
/// address or payment token, when that order was cancelled meanwhile, or when the cart was changed or cleared since.
#[utoipa::path(post, path = "/api/orders", tag = "orders", request_body = OrderRequest,
    responses((status = 201, body = OrderWritten, headers(("Location" = String))),
        (status = 202, body = OrderWritten, headers(("Location" = String))),
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
    assemble::check_count(asked.lines.len())?;
    let came = Write::new(&shop, &caller, &headers, "POST /api/orders", &body.raw);
    let order = place::order_id(came.origin.command_id, asked.cart);
    let mut watch = headers.wait.map(|_| shop.settled.watch(order));
    let placing = Placing { shop: &shop, caller: &caller, came: &came, asked: &asked, order };
    let place::Placed { order: placed, position, price_changes } =
        place::place(&placing).await.map_err(|wrong| if asked.cart { in_the_cart(wrong) } else { wrong })?;
    if placed != order {
        watch = headers.wait.map(|_| shop.settled.watch(placed));
    }
    if let (Some(watch), Some(wait)) = (&mut watch, headers.wait) {
        wait_until_settled(&shop, watch, placed, wait).await?;
    }
    let mut answer = match shop.orders.load(&Order::stream(placed)).await? {
        Some(order) => {
            let is_settled = order.state.status().is_some_and(OrderStatus::is_settled);
            let status =
                if is_settled && watch.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
            written(status, placed, &order.state, order.revision, order.position.max(position))
        }
        None => about_to_be_placed(placed, position),
    };
    answer.body.price_changes = price_changes;
    answer.location = Some(format!("/api/orders/{placed}"));
    Ok(answer)
}

/// A request for the cart names no lines: what is wrong with one of them is wrong with the cart.
fn in_the_cart(problem: Problem) -> Problem {
    problem.with_pointers(|pointer| pointer.starts_with("/lines").then(|| "/cart".to_owned()))
}

async fn wait_until_settled(
    shop: &Shop,
    watch: &mut Watch,
    order: OrderId,
    wait: Duration,
) -> Result<(), Problem> {
    // A repeat finds an order that settled long ago.
    let loaded = shop.orders.load(&Order::stream(order)).await?;
    if loaded.is_some_and(|loaded| loaded.state.status().is_some_and(OrderStatus::is_settled)) {
        return Ok(());
    }
    let mut stopping = shop.stopping.clone();
    tokio::select! {
        _ = tokio::time::timeout(wait, watch.settled()) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    Ok(())
}

/// The answer for an order whose cart is checked out and whose first event is on its way.
fn about_to_be_placed(order: OrderId, position: Position) -> WriteAnswer<OrderWritten> {
    let revision = Revision::FIRST;
    let status = OrderStatus::Placed.into();
    let (id, code, at) = (order.to_string(), order_code(order), position.to_string());
    let body =
        OrderWritten { id, revision: revision.0, position: at, status, code, price_changes: Vec::new() };
    WriteAnswer { status: StatusCode::ACCEPTED, location: None, revision, position, body }
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
        status: state.status().unwrap_or(OrderStatus::Placed).into(),
        code: state.code().unwrap_or("").to_owned(),
        price_changes: Vec::new(),
    };
    WriteAnswer { status, location: None, revision, position, body }
}

/// An order that the caller may touch: an admin, its customer, or the guest with the cart's token.
/// Somebody else's is not there, and none of its lines is read: how long that takes would tell that it is.
pub async fn reachable(shop: &Shop, caller: &Caller, id: &str) -> Result<(OrderId, Loaded<Order>), Problem> {
    let absent = || Problem::new("not-found", "there is no such order");
    caller.signed_in_or_guest()?;
    let order = id.parse::<Uuid>().map(OrderId).map_err(|_| absent())?;
    if !caller.is_admin() {
        // Read models that lag or can't be read decide nothing: then the order itself does.
        let owner = shop.finder.owner_of(order).await.ok().flatten();
        if owner.is_some_and(|owner| !owner.lets(caller)) {
            return Err(absent());
        }
    }
    let loaded = shop.orders.load(&Order::stream(order)).await?.ok_or_else(absent)?;
    let owner = OrderOwner { customer: loaded.state.customer().cloned(), cart: loaded.state.cart() };
    if owner.lets(caller) { Ok((order, loaded)) } else { Err(absent()) }
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
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn cancel(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: OptionalJson<CancelRequest>,
) -> Answer {
    let detail = read_text("/reason", &body.value.reason, &REASON)?;
    let (_, loaded) = reachable(&shop, &caller, &id).await?;
    let is_the_buyer = !caller.is_admin() || loaded.state.customer() == caller.subject.as_ref();
    let code = if is_the_buyer { ReasonCode::CancelledByCustomer } else { ReasonCode::CancelledByShop };
    let command = OrderCommand::Cancel { reason: Reason { code, detail: detail.into() } };
    send(&shop, &caller, &headers, "POST /api/orders/cancel", &body.raw, &id, command).await
}

/// Marks an order that waits for payment as paid outside.
#[utoipa::path(post, path = "/api/orders/{id}/confirm", tag = "orders",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn confirm(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    _: NoBody,
) -> Answer {
    let command = OrderCommand::MarkPaidOutside;
    send(&shop, &caller, &headers, "POST /api/orders/confirm", &[], &id, command).await
}

/// The goods are on their way.
#[utoipa::path(post, path = "/api/orders/{id}/ship", tag = "orders", request_body = ShipRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn ship(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<ShipRequest>,
) -> Answer {
    let carrier = read_text("/carrier", &body.value.carrier, &CARRIER)?;
    let tracking = read_text("/tracking", &body.value.tracking, &TRACKING)?;
    destination::require_address(&shop, &id).await?;
    let command = OrderCommand::Ship { carrier, tracking };
    send(&shop, &caller, &headers, "POST /api/orders/ship", &body.raw, &id, command).await
}

/// Corrects the carrier or the tracking number of a shipment, as long as not everything came back.
#[utoipa::path(patch, path = "/api/orders/{id}/shipments/{number}", tag = "orders", request_body = ShipmentCorrection,
    params(("id" = String, Path, format = "uuid"), ("number" = u32, Path, minimum = 1, example = 1)),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn correct_shipment(
    State(shop): State<Shop>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
    headers: WriteHeaders,
    body: StrictJson<ShipmentCorrection>,
) -> Answer {
    let asked = &body.value;
    let carrier = asked.carrier.as_ref().map(|text| read_text("/carrier", text, &CARRIER)).transpose()?;
    let tracking = asked.tracking_number.as_ref();
    let tracking = tracking.map(|text| read_text("/trackingNumber", text, &TRACKING)).transpose()?;
    if number != ONLY_SHIPMENT {
        return Err(Problem::new("not-found", "there is no such shipment"));
    }
    let command = OrderCommand::CorrectShipment { carrier, tracking };
    send(&shop, &caller, &headers, "PATCH /api/orders/shipments", &body.raw, &id, command).await
}

/// The goods arrived.
#[utoipa::path(post, path = "/api/orders/{id}/deliver", tag = "orders",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn deliver(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    _: NoBody,
) -> Answer {
    send(&shop, &caller, &headers, "POST /api/orders/deliver", &[], &id, OrderCommand::Deliver).await
}

/// Goods came back to the shop: refunds them and puts them back on hand.
#[utoipa::path(post, path = "/api/orders/{id}/return", tag = "orders", request_body = ReturnRequest,
    params(("id" = String, Path, format = "uuid")),
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
    assemble::check_count(body.value.lines.len())?;
    let lines = body.value.lines.iter().enumerate().map(|(index, line)| {
        let refused =
            |why: InvalidText| FieldError::new(format!("/lines/{index}/sku"), "invalid-sku", why.to_string());
        if line.quantity == 0 {
            let pointer = format!("/lines/{index}/quantity");
            return Err(FieldError::new(pointer, "out-of-range", "at least one unit is needed"));
        }
        Ok((Sku::parse(&line.sku).map_err(refused)?, line.quantity))
    });
    let lines =
        lines.collect::<Result<Vec<_>, FieldError>>().map_err(|wrong| Problem::fields(vec![wrong]))?;
    let command = OrderCommand::Return { lines };
    send(&shop, &caller, &headers, "POST /api/orders/return", &body.raw, &id, command).await
}

/// The goods go elsewhere; before shipping, by an admin.
#[utoipa::path(put, path = "/api/orders/{id}/shipping-address", tag = "orders", request_body = AddressShape,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn change_address(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<AddressShape>,
) -> Answer {
    let address = Box::new(body.value.read("").map_err(Problem::fields)?);
    tell_of_erasure(&shop, &caller, &headers, &id, &body.raw).await?;
    let command = OrderCommand::ChangeAddress { address };
    send(&shop, &caller, &headers, "PUT /api/orders/shipping-address", &body.raw, &id, command).await
}

/// An address that is said after an erasure is the order's own, not that of whoever is erased: also when the
/// order was placed so late that nobody told it.
async fn tell_of_erasure(
    shop: &Shop,
    caller: &Caller,
    headers: &WriteHeaders,
    id: &str,
    body: &[u8],
) -> Result<(), Problem> {
    let Ok(order) = id.parse::<Uuid>().map(OrderId) else { return Ok(()) };
    let loaded = shop.orders.load(&Order::stream(order)).await?;
    if let Some(person) = loaded.as_ref().and_then(|loaded| loaded.state.person())
        && shop.people.is_erased(person).await?
    {
        let came = Write::new(shop, caller, headers, "PUT /api/orders/shipping-address", body);
        erasure::forget_order(shop, order, person, &came.origin).await?;
    }
    Ok(())
}

/// Runs the timers that are due, now.
#[utoipa::path(post, path = "/api/orders/admin/saga/timeouts/run", tag = "orders",
    responses((status = 200, body = TimersRun), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn run_timers(State(shop): State<Shop>, _: NoBody) -> Result<axum::Json<TimersRun>, Problem> {
    Ok(axum::Json(TimersRun { fired: (shop.run_timers)().await }))
}
