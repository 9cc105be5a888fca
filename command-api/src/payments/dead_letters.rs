//! `POST /api/payments/provider/dead-letters/{id}/requeue | skip`: the handling of dead letters.
//!
//! A dead letter is a refund or a void that the payment provider refused.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::text::rules::REASON_NEEDED;
use souk_domain::{DebtId, PaymentId};
use souk_eventsourcing::Completion;
use souk_http::body::NoBody;
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side, rules};
use souk_http::shapes::{WriteResponse, Written, read_text};
use souk_http::{Caller, Problem, StrictJson};
use utoipa_axum::routes;

use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::rejected::problem;
use crate::reply::{Reply, send};

use super::request::DeadLetterSkipRequest;

/// Returns the routes that handle dead letters.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(requeue), rules(Access::Admin).without_fields())
        .route(routes!(skip), Access::Admin)
}

/// Sends a refund or void that the payment provider refused to the provider again. For admins.
///
/// The provider gets it as a new request with a new id. The payment shows the outcome.
#[utoipa::path(post, path = "/api/payments/provider/dead-letters/{id}/requeue", tag = "payments",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn requeue(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    _: NoBody,
) -> Reply {
    let (debt, payment) = find(&ports, &id).await?;
    let write = WriteRequest::with_ids_last(&ports, &caller, &headers, &[&debt], &[]);
    let request = write.request(Payment::stream(payment), PaymentCommand::RetryDebt { debt });
    let outcome = ports.aggregates.payments.execute(request).await.map_err(problem)?;
    if outcome.completion == Completion::Appended {
        metrics::counter!("souk_payment_provider_requeue_total").increment(1);
    }
    Ok(WriteResponse::written(StatusCode::OK, &debt, outcome.revision, outcome.position))
}

/// Closes a dead letter that staff settled in another way, such as by bank transfer, or withdrew. For admins.
///
/// A settled amount counts as refunded. A withdrawn amount can be refunded again.
#[utoipa::path(post, path = "/api/payments/provider/dead-letters/{id}/skip", tag = "payments", request_body = DeadLetterSkipRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn skip(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<DeadLetterSkipRequest>,
) -> Reply {
    let reason = read_text("/reason", &body.value.reason, &REASON_NEEDED)?;
    let (debt, payment) = find(&ports, &id).await?;
    let write = WriteRequest::with_ids_last(&ports, &caller, &headers, &[&debt], &body.raw);
    let command = if body.value.withdrawn {
        PaymentCommand::WithdrawDebt { debt, reason }
    } else {
        PaymentCommand::SettleDebt { debt, reason }
    };
    send(&*ports.aggregates.payments, write.request(Payment::stream(payment), command), &debt).await
}

async fn find(ports: &Ports, id: &str) -> Result<(DebtId, PaymentId), Problem> {
    let not_found = || Problem::new("not-found", "there is no such dead letter");
    let debt = DebtId::parse(id).map_err(|_| not_found())?;
    Ok((debt, ports.finder.payment_of(debt).await?.ok_or_else(not_found)?))
}
