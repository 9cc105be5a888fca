//! `POST /api/inventory/stock | reserve | release | confirm`.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::SignedDuration;
use souk_domain::stock::{Stock, StockCommand, StockRejection};
use souk_domain::{OrderRef, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandError, CommandRequest, Completion, Outcome};
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::{WriteAnswer, Written};
use souk_http::{Caller, Problem, StrictJson};
use souk_process_managers::shop_command::reservation_command_id;

use crate::origin::Write;
use crate::rejected::{problem, problem_at};
use crate::shop::Shop;

use super::request::{ReservationRequest, ReserveRequest, StockRequest, order, sku};

/// The longest a reservation over the API lasts, in seconds.
const EXPIRES_IN_S_MAX: u32 = 86_400;

type Answer = Result<WriteAnswer<Written>, Problem>;

/// Counts stock, or changes it.
#[utoipa::path(post, path = "/api/inventory/stock", tag = "inventory", request_body = StockRequest,
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn set_stock(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<StockRequest>,
) -> Answer {
    let (sku, command) = body.value.command()?;
    let pointer = if body.value.on_hand.is_some() { "/onHand" } else { "/change" };
    let came = Write::new(&shop, &caller, &headers, &format!("POST /api/inventory/stock {sku}"), &body.raw);
    let outcome = shop.stock.execute(came.request(Stock::stream(&sku), command)).await;
    let outcome = outcome.map_err(|error| problem_at(pointer, error))?;
    Ok(WriteAnswer::written(StatusCode::OK, &sku, outcome.revision, outcome.position))
}

/// Holds units for an order.
#[utoipa::path(post, path = "/api/inventory/reserve", tag = "inventory", request_body = ReserveRequest,
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn reserve(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ReserveRequest>,
) -> Answer {
    let asked = body.value;
    if !(1..=EXPIRES_IN_S_MAX).contains(&asked.expires_in_seconds) {
        let detail = format!("1 to {EXPIRES_IN_S_MAX} seconds are allowed");
        return Err(Problem::field("/expiresInSeconds", "out-of-range", detail));
    }
    let (sku, order) = (sku(&asked.sku)?, order(&asked.order_id)?);
    let expires_at = shop.clock.now() + SignedDuration::from_secs(i64::from(asked.expires_in_seconds));
    let command = StockCommand::Reserve { order: order.clone(), quantity: asked.quantity, expires_at };
    let outcome = of_reservation(&shop, &caller, &headers, &sku, command).await?;
    // The command is one with that of any earlier request, which may have asked for another quantity.
    match outcome.state.reservation(&order) {
        Some(held) if held.quantity != asked.quantity => {
            let rejection = StockRejection::ReservationExists { quantity: held.quantity };
            Err(problem(CommandError::Rejected(rejection)))
        }
        None if outcome.completion == Completion::Repeated => {
            let detail = format!("what order {order} held of SKU {sku} was confirmed, released or expired");
            Err(Problem::new("reservation-not-open", detail))
        }
        _ => Ok(answer(&order, &sku, &outcome)),
    }
}

/// Lets units of an order go.
#[utoipa::path(post, path = "/api/inventory/release", tag = "inventory", request_body = ReservationRequest,
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn release(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ReservationRequest>,
) -> Answer {
    let (sku, order) = (sku(&body.value.sku)?, order(&body.value.order_id)?);
    let command = StockCommand::Release { order: order.clone() };
    let outcome = of_reservation(&shop, &caller, &headers, &sku, command).await?;
    Ok(answer(&order, &sku, &outcome))
}

/// Takes units of an order off the shelf.
#[utoipa::path(post, path = "/api/inventory/confirm", tag = "inventory", request_body = ReservationRequest,
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn confirm(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ReservationRequest>,
) -> Answer {
    let (sku, order) = (sku(&body.value.sku)?, order(&body.value.order_id)?);
    let command = StockCommand::Confirm { order: order.clone() };
    let outcome = of_reservation(&shop, &caller, &headers, &sku, command).await?;
    Ok(answer(&order, &sku, &outcome))
}

/// Sends a command that is one for its reservation, whoever asks and however often. Once that reservation is closed, an
/// order may hold units of the SKU again: the commands of such a reservation have ids of their requests' own.
async fn of_reservation(
    shop: &Shop,
    caller: &Caller,
    headers: &WriteHeaders,
    sku: &Sku,
    command: StockCommand,
) -> Result<Outcome<Stock>, Problem> {
    let mut own = Write::new(shop, caller, headers, &format!("reservation {sku}"), &[]).origin;
    own.request_hash = None;
    let send = |origin| {
        let request = CommandRequest::new(Stock::stream(sku), command.clone(), origin).repeatable();
        shop.stock.execute(CommandRequest { if_match: headers.if_match.clone(), ..request })
    };
    let Some(command_id) = reservation_command_id(sku, &command) else {
        return send(own).await.map_err(problem);
    };
    let first = send(Origin { command_id, ..own.clone() }).await.map_err(problem)?;
    let held = order_of(&command).and_then(|order| first.state.reservation(order));
    let is_undone = match command {
        StockCommand::Reserve { .. } => held.is_none_or(|held| held.expires_at <= shop.clock.now()),
        _ => held.is_some(),
    };
    if first.completion == Completion::Repeated && is_undone {
        return send(own).await.map_err(problem);
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

fn answer(order: &OrderRef, sku: &Sku, outcome: &Outcome<Stock>) -> WriteAnswer<Written> {
    WriteAnswer::written(StatusCode::OK, &format!("{order}:{sku}"), outcome.revision, outcome.position)
}
