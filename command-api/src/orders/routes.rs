//! `POST /api/orders`, and the later changes of an order.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::order::draft::order_code;
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::order::{Order, OrderCommand, OrderState, OrderStatus};
use souk_domain::text::rules::{CARRIER, REASON, TRACKING};
use souk_domain::{FieldError, InvalidText, OrderId, Sku};
use souk_eventsourcing::{Position, Revision};
use souk_http::body::{NoBody, OptionalJson};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side, rules};
use souk_http::shapes::{AddressShape, WriteResponse, read_text};
use souk_http::{Caller, Problem, StrictJson};
use utoipa_axum::routes;

use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::problem;
use crate::reply::Reply;
use crate::settled::Watch;
use crate::users::erasure;

use super::access::load_order;
use super::place::{self, Placement};
use super::request::{
    CancelRequest, OrderRequest, OrderWritten, ReturnRequest, ShipRequest, ShipmentCorrection, TimersRun,
};
use super::{assemble, destination};

/// The number of the shipment. Every order has only one shipment.
const ONLY_SHIPMENT: &str = "1";

/// Returns the routes that write orders.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(place), rules(Access::Buyer).without_revision().with_wait())
        .route(routes!(cancel), Access::Buyer)
        .route(routes!(confirm), rules(Access::Admin).without_fields())
        .route(routes!(ship), Access::Admin)
        .route(routes!(correct_shipment), Access::Admin)
        .route(routes!(deliver), rules(Access::Admin).without_fields())
        .route(routes!(take_back), Access::Admin)
        .route(routes!(change_address), Access::Admin)
        .route(routes!(run_timers), rules(Access::Admin).without_fields().ignores_idempotency_keys())
}

/// Places an order. The response is 202 at once. With `Prefer: wait=10` the request waits up to 10 seconds,
/// and the response is 201 if the order settles in that time.
///
/// Ordering the cart empties it. If the same request is sent again within a minute (a second click),
/// the response names the same order, even without an `Idempotency-Key`. The response is 409 `cart-empty` if
/// the second request names another e-mail address, shipping address or payment token, if the order was
/// cancelled meanwhile, or if the cart was changed or cleared meanwhile.
#[utoipa::path(post, path = "/api/orders", tag = "orders", request_body = OrderRequest,
    responses((status = 201, body = OrderWritten, headers(("Location" = String))),
        (status = 202, body = OrderWritten, headers(("Location" = String)))))]
pub async fn place(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<OrderRequest>,
) -> Reply<OrderWritten> {
    let request = body.value;
    if request.cart != request.lines.is_empty() {
        return Err(Problem::field("/lines", "ambiguous", "send either `\"cart\": true` or `lines`"));
    }
    assemble::check_count(request.lines.len())?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    let order = place::order_id(write.origin.command_id, request.cart);
    let mut watch = headers.wait.map(|_| ports.settled.watch(order));
    let placement = Placement { ports: &ports, caller: &caller, write: &write, request: &request, order };
    let result = place::place(&placement).await;
    let place::PlacedOrder { order: placed, position, price_changes } =
        result.map_err(|problem| if request.cart { with_cart_pointers(problem) } else { problem })?;
    if placed != order {
        watch = headers.wait.map(|_| ports.settled.watch(placed));
    }
    if let (Some(watch), Some(wait)) = (&mut watch, headers.wait) {
        wait_until_settled(&ports, watch, placed, wait).await?;
    }
    let mut response = match ports.aggregates.orders.load(&Order::stream(placed)).await? {
        Some(order) => {
            let is_settled = order.state.status().is_some_and(OrderStatus::is_settled);
            let status =
                if is_settled && watch.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
            written(status, placed, &order.state, order.revision, order.position.max(position))
        }
        None => not_placed_yet(placed, position),
    };
    response.body.price_changes = price_changes;
    response.location = Some(format!("/api/orders/{placed}"));
    Ok(response)
}

/// Changes the pointers of errors from `lines` to `cart`, because a request that orders the cart has no
/// `lines`.
fn with_cart_pointers(problem: Problem) -> Problem {
    problem.with_pointers(|pointer| pointer.starts_with("/lines").then(|| "/cart".to_owned()))
}

async fn wait_until_settled(
    ports: &Ports,
    watch: &mut Watch,
    order: OrderId,
    wait: Duration,
) -> Result<(), Problem> {
    // For a repeated request, the order may have settled before the watch began.
    let loaded = ports.aggregates.orders.load(&Order::stream(order)).await?;
    if loaded.is_some_and(|loaded| loaded.state.status().is_some_and(OrderStatus::is_settled)) {
        return Ok(());
    }
    let mut stopping = ports.stopping.clone();
    tokio::select! {
        _ = tokio::time::timeout(wait, watch.settled()) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    Ok(())
}

/// Returns the response for an order whose cart is checked out and whose first event is not written yet.
fn not_placed_yet(order: OrderId, position: Position) -> WriteResponse<OrderWritten> {
    let revision = Revision::FIRST;
    let body = OrderWritten {
        id: order.to_string(),
        revision: revision.0,
        position: position.to_string(),
        status: OrderStatus::Placed.into(),
        code: order_code(order),
        price_changes: Vec::new(),
    };
    WriteResponse { status: StatusCode::ACCEPTED, location: None, revision, position, body }
}

fn written(
    status: StatusCode,
    order: OrderId,
    state: &OrderState,
    revision: Revision,
    position: Position,
) -> WriteResponse<OrderWritten> {
    let body = OrderWritten {
        id: order.to_string(),
        revision: revision.0,
        position: position.to_string(),
        status: state.status().unwrap_or(OrderStatus::Placed).into(),
        code: state.code().unwrap_or("").to_owned(),
        price_changes: Vec::new(),
    };
    WriteResponse { status, location: None, revision, position, body }
}

/// Executes a command on an order that the caller may access.
async fn send_to_order(
    ports: &Ports,
    caller: &Caller,
    headers: &WriteHeaders,
    body: &[u8],
    id: &str,
    command: OrderCommand,
) -> Reply<OrderWritten> {
    let (order, _) = load_order(ports, caller, id).await?;
    let write = WriteRequest::with_ids_last(ports, caller, headers, &[&order], body);
    let outcome = ports
        .aggregates
        .orders
        .execute(write.request(Order::stream(order), command))
        .await
        .map_err(problem)?;
    Ok(written(StatusCode::OK, order, &outcome.state, outcome.revision, outcome.position))
}

/// Cancels an order. A confirmed order is cancelled at once, any other as soon as the checkout has undone its
/// steps.
#[utoipa::path(post, path = "/api/orders/{id}/cancel", tag = "orders", request_body = CancelRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten)))]
pub async fn cancel(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: OptionalJson<CancelRequest>,
) -> Reply<OrderWritten> {
    let detail = read_text("/reason", &body.value.reason, &REASON)?;
    let (_, loaded) = load_order(&ports, &caller, &id).await?;
    let is_buyer = !caller.is_admin() || loaded.state.customer() == caller.subject.as_ref();
    let code = if is_buyer { ReasonCode::CancelledByCustomer } else { ReasonCode::CancelledByShop };
    let command = OrderCommand::Cancel { reason: Reason { code, detail: detail.into() } };
    send_to_order(&ports, &caller, &headers, &body.raw, &id, command).await
}

/// Confirms an order that waits for payment and was paid in another way, such as by bank transfer.
#[utoipa::path(post, path = "/api/orders/{id}/confirm", tag = "orders",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten)))]
pub async fn confirm(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    _: NoBody,
) -> Reply<OrderWritten> {
    let command = OrderCommand::MarkPaidOutside;
    send_to_order(&ports, &caller, &headers, &[], &id, command).await
}

/// Marks an order as shipped.
#[utoipa::path(post, path = "/api/orders/{id}/ship", tag = "orders", request_body = ShipRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten)))]
pub async fn ship(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<ShipRequest>,
) -> Reply<OrderWritten> {
    let carrier = read_text("/carrier", &body.value.carrier, &CARRIER)?;
    let tracking = read_text("/tracking", &body.value.tracking, &TRACKING)?;
    destination::require_address(&ports, &id).await?;
    let command = OrderCommand::Ship { carrier, tracking };
    send_to_order(&ports, &caller, &headers, &body.raw, &id, command).await
}

/// Corrects the carrier or the tracking number of a shipment, unless all its goods were returned.
#[utoipa::path(patch, path = "/api/orders/{id}/shipments/{number}", tag = "orders", request_body = ShipmentCorrection,
    params(("id" = String, Path, format = "uuid"), ("number" = u32, Path, minimum = 1, example = 1)),
    responses((status = 200, body = OrderWritten)))]
pub async fn correct_shipment(
    State(ports): State<Ports>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
    headers: WriteHeaders,
    body: StrictJson<ShipmentCorrection>,
) -> Reply<OrderWritten> {
    let correction = &body.value;
    let carrier =
        correction.carrier.as_ref().map(|text| read_text("/carrier", text, &CARRIER)).transpose()?;
    let tracking = correction.tracking_number.as_ref();
    let tracking = tracking.map(|text| read_text("/trackingNumber", text, &TRACKING)).transpose()?;
    if number != ONLY_SHIPMENT {
        return Err(Problem::new("not-found", "there is no such shipment"));
    }
    let command = OrderCommand::CorrectShipment { carrier, tracking };
    send_to_order(&ports, &caller, &headers, &body.raw, &id, command).await
}

/// Marks an order as delivered.
#[utoipa::path(post, path = "/api/orders/{id}/deliver", tag = "orders",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten)))]
pub async fn deliver(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    _: NoBody,
) -> Reply<OrderWritten> {
    send_to_order(&ports, &caller, &headers, &[], &id, OrderCommand::Deliver).await
}

/// Records returned goods, refunds their price and adds them to the stock on hand.
#[utoipa::path(post, path = "/api/orders/{id}/return", tag = "orders", request_body = ReturnRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten)))]
pub async fn take_back(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<ReturnRequest>,
) -> Reply<OrderWritten> {
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
        lines.collect::<Result<Vec<_>, FieldError>>().map_err(|error| Problem::fields(vec![error]))?;
    let command = OrderCommand::Return { lines };
    send_to_order(&ports, &caller, &headers, &body.raw, &id, command).await
}

/// Changes the shipping address of an order that is not shipped yet. For admins.
#[utoipa::path(put, path = "/api/orders/{id}/shipping-address", tag = "orders", request_body = AddressShape,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = OrderWritten)))]
pub async fn change_address(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<AddressShape>,
) -> Reply<OrderWritten> {
    let address = Box::new(body.value.read("").map_err(Problem::fields)?);
    record_erasure(&ports, &caller, &headers, &id, &body.raw).await?;
    let command = OrderCommand::ChangeAddress { address };
    send_to_order(&ports, &caller, &headers, &body.raw, &id, command).await
}

/// Records on the order that its buyer was erased, if that is not recorded yet. The order may have been
/// placed just after the erasure. After this record, a new address is sealed with a separate key of the
/// order, and not with the key of the erased person.
async fn record_erasure(
    ports: &Ports,
    caller: &Caller,
    headers: &WriteHeaders,
    id: &str,
    body: &[u8],
) -> Result<(), Problem> {
    let Ok(order) = OrderId::parse(id) else { return Ok(()) };
    let loaded = ports.aggregates.orders.load(&Order::stream(order)).await?;
    if let Some(person) = loaded.as_ref().and_then(|loaded| loaded.state.person())
        && ports.people.is_erased(person).await?
    {
        let write = WriteRequest::with_ids_last(ports, caller, headers, &[], body);
        erasure::erase_order(ports, order, person, &write.origin).await?;
    }
    Ok(())
}

/// Fires all due timers of orders at once. Returns their number.
#[utoipa::path(post, path = "/api/orders/admin/saga/timeouts/run", tag = "orders",
    responses((status = 200, body = TimersRun)))]
pub async fn run_timers(State(ports): State<Ports>, _: NoBody) -> Result<axum::Json<TimersRun>, Problem> {
    Ok(axum::Json(TimersRun { fired: (ports.run_timers)().await }))
}
