//! `POST /api/payments/intents`, `POST /api/payments/{id}/refunds`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::order::OrderStatus;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::text::rules::{PAYMENT_TOKEN, REASON};
use souk_domain::{PaymentId, PersonalText, RefundId};
use souk_eventsourcing::CommandError;
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::{WriteAnswer, Written, read_text};
use souk_http::{Caller, Problem, StrictJson};
use uuid::Uuid;

use crate::orders::routes::reachable;
use crate::origin::Write;
use crate::rejected::problem;
use crate::shop::Shop;

use super::request::{IntentRequest, RefundRequest};

type Answer = Result<WriteAnswer<Written>, Problem>;

/// Starts an attempt to be paid, for an order that waits for it.
#[utoipa::path(post, path = "/api/payments/intents", tag = "payments", request_body = IntentRequest,
    responses((status = 201, body = Written, headers(("Location" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn request(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<IntentRequest>,
) -> Answer {
    let token = read_text("/token", &body.value.token, &PAYMENT_TOKEN)?;
    let (order, loaded) = reachable(&shop, &caller, &body.value.order_id).await?;
    let payment = PaymentId::of(order);
    let came =
        Write::new(&shop, &caller, &headers, &format!("POST /api/payments/intents {order}"), &body.raw);
    let (Some(amount), Some(status)) = (loaded.state.total(), loaded.state.status()) else {
        return Err(Problem::new("not-found", "there is no such order"));
    };
    let stream = Payment::stream(payment);
    if amount.amount == 0 {
        return Err(Problem::new("order-not-payable", "the order costs nothing, so nothing is to be paid"));
    }
    let is_payable = status == OrderStatus::PaymentPending;
    // A repeat is answered as done whatever became of the order. Once an order doesn't wait for payment
    // the payment that it has refuses every further attempt, so that only a repeat comes through.
    let may_be_a_repeat = came.keyed && shop.payments.load(&stream).await?.is_some();
    let not_payable = || {
        let detail = format!("an order that is {} doesn't wait for payment", status.as_str());
        Problem::new("order-not-payable", detail)
    };
    if !is_payable && !may_be_a_repeat {
        return Err(not_payable());
    }
    let token = PersonalText::from(token);
    let token = loaded.state.person().map_or(token.clone(), |person| token.of(person, "token"));
    let command = PaymentCommand::Request { order, amount, token };
    let outcome = match shop.payments.execute(came.request(stream, command)).await {
        Ok(outcome) => outcome,
        Err(CommandError::Rejected(_)) if !is_payable => return Err(not_payable()),
        Err(error) => return Err(problem(error)),
    };
    Ok(WriteAnswer::created("/api/payments", &payment, outcome.revision, outcome.position))
}

/// Gives money back.
#[utoipa::path(post, path = "/api/payments/{id}/refunds", tag = "payments", request_body = RefundRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 201, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn refund(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<RefundRequest>,
) -> Answer {
    let reason = read_text("/reason", &body.value.reason, &REASON)?;
    let absent = |_| Problem::new("not-found", "there is no such payment");
    let payment = id.parse::<Uuid>().map(PaymentId).map_err(absent)?;
    let amount = match &body.value.amount {
        Some(amount) => Some(amount.read("/amount").map_err(|wrong| Problem::fields(vec![wrong]))?),
        None => None,
    };
    let came =
        Write::new(&shop, &caller, &headers, &format!("POST /api/payments/refunds {payment}"), &body.raw);
    let refund = RefundId(came.origin.command_id.creates("refund"));
    let command = PaymentCommand::Refund { refund, amount, capped: false, reason };
    let outcome =
        shop.payments.execute(came.request(Payment::stream(payment), command)).await.map_err(problem)?;
    Ok(WriteAnswer::written(StatusCode::CREATED, &refund, outcome.revision, outcome.position))
}
