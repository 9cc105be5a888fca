//! `POST /api/payments/provider/dead-letters/{id}/requeue | skip`: refunds and voids that the provider refused.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::text::rules::REASON_NEEDED;
use souk_domain::{DebtId, PaymentId};
use souk_eventsourcing::Completion;
use souk_http::body::NoBody;
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::{WriteAnswer, Written, read_text};
use souk_http::{Caller, Problem, StrictJson};
use uuid::Uuid;

use crate::origin::Write;
use crate::rejected::problem;
use crate::shop::Shop;

use super::request::DeadLetterSkipRequest;

type Answer = Result<WriteAnswer<Written>, Problem>;

/// Has the provider asked again for a refund, or to let a hold go, that it refused. For admins.
///
/// It goes out as a refund or request of its own, whose outcome the payment shows.
#[utoipa::path(post, path = "/api/payments/provider/dead-letters/{id}/requeue", tag = "payments",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn requeue(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    _: NoBody,
) -> Answer {
    let (debt, payment) = find(&shop, &id).await?;
    let route = format!("POST /api/payments/provider/dead-letters/requeue {debt}");
    let write = Write::new(&shop, &caller, &headers, &route, &[]);
    send(&shop, &write, debt, payment, PaymentCommand::RetryDebt { debt }).await
}

/// Closes a dead letter that was settled in another way, such as a bank transfer, or is withdrawn. For admins.
///
/// A settled amount counts as given back. A withdrawn amount can be refunded again.
#[utoipa::path(post, path = "/api/payments/provider/dead-letters/{id}/skip", tag = "payments", request_body = DeadLetterSkipRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn skip(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<DeadLetterSkipRequest>,
) -> Answer {
    let reason = read_text("/reason", &body.value.reason, &REASON_NEEDED)?;
    let (debt, payment) = find(&shop, &id).await?;
    let route = format!("POST /api/payments/provider/dead-letters/skip {debt}");
    let write = Write::new(&shop, &caller, &headers, &route, &body.raw);
    let command = if body.value.withdrawn {
        PaymentCommand::WithdrawDebt { debt, reason }
    } else {
        PaymentCommand::SettleDebt { debt, reason }
    };
    send(&shop, &write, debt, payment, command).await
}

async fn find(shop: &Shop, id: &str) -> Result<(DebtId, PaymentId), Problem> {
    let absent = || Problem::new("not-found", "there is no such dead letter");
    let debt = id.parse::<Uuid>().map(DebtId).map_err(|_| absent())?;
    Ok((debt, shop.finder.payment_of(debt).await?.ok_or_else(absent)?))
}

async fn send(
    shop: &Shop,
    write: &Write<'_>,
    debt: DebtId,
    payment: PaymentId,
    command: PaymentCommand,
) -> Answer {
    let is_retry = matches!(command, PaymentCommand::RetryDebt { .. });
    let request = write.request(Payment::stream(payment), command);
    let outcome = shop.payments.execute(request).await.map_err(problem)?;
    if is_retry && outcome.completion == Completion::Appended {
        metrics::counter!("souk_payment_provider_requeue_total").increment(1);
    }
    Ok(WriteAnswer::written(StatusCode::OK, &debt, outcome.revision, outcome.position))
}
