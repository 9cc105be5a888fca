//! `POST /api/inventory/stock | reserve | release | confirm`.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::SignedDuration;
use souk_domain::stock::{Stock, StockCommand, StockRejection};
use souk_domain::{OrderRef, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandError, CommandRequest, Completion, Decider as _, Outcome};
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
    let request = body.value;
    if !(1..=EXPIRES_IN_S_MAX).contains(&request.expires_in_seconds) {
        let detail = format!("1 to {EXPIRES_IN_S_MAX} seconds are allowed");
        return Err(Problem::field("/expiresInSeconds", "out-of-range", detail));
    }
    let sku = fields::sku(&request.sku)?;
    let order = order_ref(&request.order_id)?;
    let expires_at = ports.clock.now() + SignedDuration::from_secs(i64::from(request.expires_in_seconds));
    let command = StockCommand::Reserve { order: order.clone(), quantity: request.quantity, expires_at };
    let outcome = send_for_reservation(&ports, &caller, &headers, &sku, command).await?;
    // An earlier request for the same order and SKU has the same command id, but may have another quantity.
    match outcome.state.reservation(&order) {
        Some(reservation) if reservation.quantity != request.quantity => {
            let rejection = StockRejection::ReservationExists { quantity: reservation.quantity };
            Err(problem(CommandError::Rejected(rejection)))
        }
        None if outcome.completion == Completion::Repeated => {
            let detail =
                format!("the reservation of SKU {sku} for order {order} was confirmed, released or expired");
            Err(Problem::new("reservation-not-open", detail))
        }
        _ => Ok(written(&order, &sku, &outcome)),
    }
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
    let outcome = send_for_reservation(&ports, &caller, &headers, &sku, command).await?;
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
    let outcome = send_for_reservation(&ports, &caller, &headers, &sku, command).await?;
    Ok(written(&order, &sku, &outcome))
}

/// Executes a command about a reservation. The command id is derived from the order and the SKU, so that the
/// command has one effect even if several callers send it. After this first reservation is closed, the order
/// may reserve units of the SKU again. The id of a command about this later reservation is derived from its
/// request.
async fn send_for_reservation(
    ports: &Ports,
    caller: &Caller,
    headers: &WriteHeaders,
    sku: &Sku,
    command: StockCommand,
) -> Result<Outcome<Stock>, Problem> {
    let mut request_origin =
        WriteRequest::in_scope(ports, caller, headers, &format!("reservation {sku}"), &[]).origin;
    request_origin.request_hash = None;
    let stream = Stock::stream(sku);
    let send = |origin| {
        let request = CommandRequest::new(stream.clone(), command.clone(), origin).repeatable();
        ports.aggregates.stock.execute(CommandRequest { if_match: headers.if_match.clone(), ..request })
    };
    let Some(command_id) = Stock::command_id(&stream, &command) else {
        return send(request_origin).await.map_err(problem);
    };
    let first = send(Origin { command_id, ..request_origin.clone() }).await.map_err(problem)?;
    let reservation = order_of(&command).and_then(|order| first.state.reservation(order));
    let must_send_again = match command {
        StockCommand::Reserve { .. } => {
            reservation.is_none_or(|reservation| reservation.expires_at <= ports.clock.now())
        }
        _ => reservation.is_some(),
    };
    if first.completion == Completion::Repeated && must_send_again {
        return send(request_origin).await.map_err(problem);
    }
    Ok(first)
}

fn order_of(command: &StockCommand) -> Option<&OrderRef> {
    match command {
        StockCommand::Reserve { order, .. }
        | StockCommand::Release { order }
        | StockCommand::Confirm { order } => Some(order),
        _ => None,
    }
}

fn written(order: &OrderRef, sku: &Sku, outcome: &Outcome<Stock>) -> WriteResponse<Written> {
    WriteResponse::written(StatusCode::OK, &format!("{order}:{sku}"), outcome.revision, outcome.position)
}
