//! `POST /api/inventory/stock | reserve | release | confirm`.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::SignedDuration;
use souk_domain::stock::{Stock, StockCommand};
use souk_domain::{OrderRef, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandRequest, Completion, Decider as _, Outcome};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::shapes::{WriteResponse, Written};
use souk_http::{Caller, Problem, StrictJson};
use utoipa_axum::routes;

use crate::fields;
use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::{problem, problem_at};
use crate::reply::Reply;

use super::request::{ReservationRequest, ReserveRequest, StockRequest, order_ref};

/// Longest duration of a reservation that is made over the API, in seconds.
const EXPIRES_IN_S_MAX: u32 = 86_400;

/// Returns the routes that write stock and reservations.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(set_stock), Access::Staff)
        .route(routes!(reserve), Access::Staff)
        .route(routes!(release), Access::Staff)
        .route(routes!(confirm), Access::Staff)
}

/// Sets the stock on hand to a count, or adds a change to it.
#[utoipa::path(post, path = "/api/inventory/stock", tag = "inventory", request_body = StockRequest,
    responses((status = 200, body = Written)))]
pub async fn set_stock(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<StockRequest>,
) -> Reply {
    let (sku, command) = body.value.command()?;
    let pointer = if body.value.on_hand.is_some() { "/onHand" } else { "/change" };
    let write = WriteRequest::new(&ports, &caller, &headers, &[&sku], &body.raw);
    let outcome = ports.aggregates.stock.execute(write.request(Stock::stream(&sku), command)).await;
    let outcome = outcome.map_err(|error| problem_at(pointer, error))?;
    Ok(WriteResponse::written(StatusCode::OK, &sku, outcome.revision, outcome.position))
}

/// Reserves units of a SKU for an order.
#[utoipa::path(post, path = "/api/inventory/reserve", tag = "inventory", request_body = ReserveRequest,
    responses((status = 200, body = Written)))]
pub async fn reserve(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ReserveRequest>,
) -> Reply {
    let request = &body.value;
    if !(1..=EXPIRES_IN_S_MAX).contains(&request.expires_in_seconds) {
        let detail = format!("1 to {EXPIRES_IN_S_MAX} seconds are allowed");
        return Err(Problem::field("/expiresInSeconds", "out-of-range", detail));
    }
    let sku = fields::sku(&request.sku)?;
    let order = order_ref(&request.order_id)?;
    let expires_at = ports.clock.now() + SignedDuration::from_secs(i64::from(request.expires_in_seconds));
    let command = StockCommand::Reserve { order: order.clone(), quantity: request.quantity, expires_at };
    let write = WriteRequest::new(&ports, &caller, &headers, &[&sku, &order], &body.raw);
    let outcome = send_for_reservation(&ports, &write, &sku, &order, command).await?;
    Ok(written(&order, &sku, &outcome))
}

/// Releases the units that are reserved for an order, so that others can buy them.
#[utoipa::path(post, path = "/api/inventory/release", tag = "inventory", request_body = ReservationRequest,
    responses((status = 200, body = Written)))]
pub async fn release(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ReservationRequest>,
) -> Reply {
    let sku = fields::sku(&body.value.sku)?;
    let order = order_ref(&body.value.order_id)?;
    let command = StockCommand::Release { order: order.clone() };
    let write = WriteRequest::new(&ports, &caller, &headers, &[&sku, &order], &body.raw);
    let outcome = send_for_reservation(&ports, &write, &sku, &order, command).await?;
    Ok(written(&order, &sku, &outcome))
}

/// Confirms a reservation: its units leave the stock on hand.
#[utoipa::path(post, path = "/api/inventory/confirm", tag = "inventory", request_body = ReservationRequest,
    responses((status = 200, body = Written)))]
pub async fn confirm(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ReservationRequest>,
) -> Reply {
    let sku = fields::sku(&body.value.sku)?;
    let order = order_ref(&body.value.order_id)?;
    let command = StockCommand::Confirm { order: order.clone() };
    let write = WriteRequest::new(&ports, &caller, &headers, &[&sku, &order], &body.raw);
    let outcome = send_for_reservation(&ports, &write, &sku, &order, command).await?;
    Ok(written(&order, &sku, &outcome))
}

/// Executes a command about a reservation. With an idempotency key, its id belongs to the request, as for
/// every write.
///
/// Without a key, its id is derived from the order and the SKU, so that the command has one effect even if
/// several callers send it. After this first reservation is closed, the order may reserve units of the SKU
/// again. A command about this later reservation gets a new id.
async fn send_for_reservation(
    ports: &Ports,
    write: &WriteRequest<'_>,
    sku: &Sku,
    order: &OrderRef,
    command: StockCommand,
) -> Result<Outcome<Stock>, Problem> {
    let stock = &ports.aggregates.stock;
    let stream = Stock::stream(sku);
    let shared_id = if write.keyed { None } else { Stock::command_id(&stream, &command) };
    let request = write.request(stream, command.clone());
    let Some(command_id) = shared_id else {
        return stock.execute(request).await.map_err(problem);
    };
    let origin = Origin { command_id, ..request.origin.clone() };
    let first = CommandRequest { origin, ..request.clone() }.repeatable();
    let first = stock.execute(first).await.map_err(problem)?;
    let reservation = first.state.reservation(order);
    let is_done = match command {
        StockCommand::Reserve { quantity, .. } => reservation.is_some_and(|reservation| {
            reservation.quantity == quantity && reservation.expires_at > ports.clock.now()
        }),
        _ => reservation.is_none(),
    };
    if first.completion == Completion::Repeated && !is_done {
        return stock.execute(request).await.map_err(problem);
    }
    Ok(first)
}

fn written(order: &OrderRef, sku: &Sku, outcome: &Outcome<Stock>) -> WriteResponse<Written> {
    WriteResponse::written(StatusCode::OK, &format!("{order}:{sku}"), outcome.revision, outcome.position)
}
