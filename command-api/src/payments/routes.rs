//! `POST /api/payments/intents`, `POST /api/payments/{id}/refunds`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::order::OrderStatus;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::text::rules::{PAYMENT_TOKEN, REASON};
use souk_domain::{PaymentId, PersonalText, RefundId};
use souk_eventsourcing::CommandError;
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side, rules};
use souk_http::shapes::{WriteResponse, Written, read_text};
use souk_http::{Caller, Problem, StrictJson};
use utoipa_axum::routes;

use crate::orders::access::load_order;
use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::problem;
use crate::reply::Reply;

use super::request::{IntentRequest, RefundRequest};

/// Returns the routes that write payments.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(request), rules(Access::Buyer).without_revision())
        .route(routes!(refund), Access::Admin)
}

/// Starts an attempt to pay an order that waits for payment.
#[utoipa::path(post, path = "/api/payments/intents", tag = "payments", request_body = IntentRequest,
    responses((status = 201, body = Written, headers(("Location" = String)))))]
pub async fn request(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<IntentRequest>,
) -> Reply {
    let token = read_text("/token", &body.value.token, &PAYMENT_TOKEN)?;
    let (order, loaded) = load_order(&ports, &caller, &body.value.order_id).await?;
    let payment = PaymentId::of(order);
    let write = WriteRequest::new(&ports, &caller, &headers, &[&order], &body.raw);
    let (Some(amount), Some(status)) = (loaded.state.total(), loaded.state.status()) else {
        return Err(Problem::new("not-found", "there is no such order"));
    };
    let stream = Payment::stream(payment);
    if amount.amount == 0 {
        return Err(Problem::new("order-not-payable", "the order costs nothing, so it needs no payment"));
    }
    let is_payable = status == OrderStatus::PaymentPending;
    // A repeated request gets the response of the first one, even if the order has changed since then. If the
    // order no longer waits for payment, its payment refuses every new attempt, and only a repeat succeeds.
    let may_be_a_repeat = write.keyed && ports.aggregates.payments.load(&stream).await?.is_some();
    let not_payable = || {
        let detail = format!("an order with status {} doesn't wait for payment", status.as_str());
        Problem::new("order-not-payable", detail)
    };
    if !is_payable && !may_be_a_repeat {
        return Err(not_payable());
    }
    let token = PersonalText::from(token);
    let token = loaded.state.person().map_or(token.clone(), |person| token.of(person, "token"));
    let command = PaymentCommand::Request { order, amount, token };
    let outcome = match ports.aggregates.payments.execute(write.request(stream, command)).await {
        Ok(outcome) => outcome,
        Err(CommandError::Rejected(_)) if !is_payable => return Err(not_payable()),
        Err(error) => return Err(problem(error)),
    };
    Ok(WriteResponse::created("/api/payments", &payment, outcome.revision, outcome.position))
}

/// Refunds a payment, in full or in part.
#[utoipa::path(post, path = "/api/payments/{id}/refunds", tag = "payments", request_body = RefundRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 201, body = Written)))]
pub async fn refund(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<RefundRequest>,
) -> Reply {
    let reason = read_text("/reason", &body.value.reason, &REASON)?;
    let not_found = |_| Problem::new("not-found", "there is no such payment");
    let payment = PaymentId::parse(&id).map_err(not_found)?;
    let amount = match &body.value.amount {
        Some(amount) => Some(amount.read("/amount").map_err(|error| Problem::fields(vec![error]))?),
        None => None,
    };
    let write = WriteRequest::with_ids_last(&ports, &caller, &headers, &[&payment], &body.raw);
    let refund = RefundId(write.origin.command_id.derived_id("refund"));
    let command = PaymentCommand::Refund { refund, amount, capped: false, reason };
    let outcome = ports
        .aggregates
        .payments
        .execute(write.request(Payment::stream(payment), command))
        .await
        .map_err(problem)?;
    Ok(WriteResponse::written(StatusCode::CREATED, &refund, outcome.revision, outcome.position))
}
