//! `POST /api/payments/webhook`: webhook events of the payment provider.
//!
//! The signature of the raw body is checked before the body is parsed. Each event is applied to its payment
//! once. An event that can't be applied yet, such as one about an unknown payment, is stored; a sweep retries
//! it.

use std::sync::Once;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use sha2::Sha256;
use souk_domain::RefundId;
use souk_domain::limits::PROVIDER_ID_CHARS_MAX;
use souk_domain::payment::{Payment, PaymentCommand, PaymentState, ReportedRefund};
use souk_domain::webhook::{Webhook, WebhookCommand};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::{
    CommandError, CommandId, CommandRequest, Completion, CorrelationId, Decider, StreamName,
};
use souk_http::Problem;
use souk_http::body::parse;
use souk_http::routes::{Access, ApiRouter, RateClass, Side, rules};
use souk_process_managers::FoundPayment;
use utoipa_axum::routes;

use crate::ports::Ports;
use crate::rejected::problem;

use super::request::{WebhookKind, WebhookRequest};

/// Header that has the signature: the hexadecimal HMAC-SHA256 of the body.
const SIGNATURE: &str = "x-razorpay-signature";
/// Greatest age of an event.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Greatest time by which an event may be in the future, since the provider's clock may be ahead.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Returns the route of the webhook.
pub(crate) fn router() -> ApiRouter<Ports> {
    let webhook_rules = rules(Access::Signature).small_body().counts_as(RateClass::Unlimited);
    ApiRouter::new(Side::Command).route(routes!(webhook), webhook_rules)
}

/// Accepts a webhook event of the payment provider.
#[utoipa::path(post, path = "/api/payments/webhook", tag = "payments", request_body = WebhookRequest,
    params(("X-Razorpay-Signature" = String, Header, description = "hex(HMAC-SHA256(secret, body))")),
    responses((status = 200, description = "The event was applied to its payment, now or earlier."),
        (status = 202, description = "The event is stored. It is applied later, when its payment is known.")))]
pub async fn webhook(
    State(ports): State<Ports>,
    axum::Extension(correlation_id): axum::Extension<CorrelationId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    check_signature(ports.settings.webhook_secret.as_deref(), &headers, &body)?;
    let request: WebhookRequest = parse(&body)?;
    check_id("/id", &request.id)?;
    check_id("/providerPaymentId", &request.provider_payment_id)?;
    if let Some(id) = &request.refund_id {
        check_id("/refundId", id)?;
    }
    // Checked before the payment is looked up, so that only events of an accepted type are stored.
    WebhookKind::parse(&request.kind).ok_or_else(unknown_kind)?;
    let age = ports.clock.now().duration_since(request.created_at);
    if age > AGE_MAX || age < -AHEAD_MAX {
        let detail = "the event must be from the last seven days";
        return Err(Problem::field("/createdAt", "out-of-range", detail));
    }
    match apply(&ports, &request, &correlation_id).await? {
        WebhookOutcome::Applied => Ok(StatusCode::OK),
        WebhookOutcome::UnknownPayment | WebhookOutcome::UnclearRefund | WebhookOutcome::Refused => {
            store(&ports, request, &correlation_id).await
        }
    }
}

fn unknown_kind() -> Problem {
    Problem::field(
        "/type",
        "unknown-type",
        format!("the type must be one of {}", WebhookKind::ALL.map(WebhookKind::as_str).join(", ")),
    )
}

fn check_id(pointer: &str, id: &str) -> Result<(), Problem> {
    if (1..=PROVIDER_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let detail = format!("1 to {PROVIDER_ID_CHARS_MAX} visible ASCII characters are allowed");
    Err(Problem::field(pointer, "invalid-id", detail))
}

fn check_signature(secret: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let mismatch = || Problem::new("invalid-signature", "the signature does not match the body");
    let secret = secret.ok_or_else(no_secret)?;
    let signature = headers
        .get(SIGNATURE)
        .and_then(|value| value.to_str().ok())
        .and_then(from_hex)
        .ok_or_else(mismatch)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| mismatch())?;
    mac.update(body);
    // The comparison takes constant time, so it does not reveal the correct signature byte by byte.
    mac.verify_slice(&signature).map_err(|_| mismatch())
}

/// Returns the problem for every webhook to a shop without a webhook secret. The first one is also logged, so
/// that the operator learns the reason.
fn no_secret() -> Problem {
    static WARNING: Once = Once::new();
    WARNING.call_once(|| {
        tracing::warn!("a webhook was refused: all webhooks are refused until SOUK_WEBHOOK_SECRET is set");
    });
    Problem::new("invalid-signature", "webhooks are refused until `SOUK_WEBHOOK_SECRET` is set for this shop")
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok()))
        .collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The outcome of applying a webhook event to its payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// The payment has recorded the event, now or earlier.
    Applied,
    /// The shop does not know the payment yet.
    UnknownPayment,
    /// The payment has several refunds, and it is not clear yet which one the event is about.
    UnclearRefund,
    /// The payment refused the event, for example because the shop did not request this refund.
    Refused,
}

fn origin_of(ports: &Ports, request: &WebhookRequest, correlation_id: &CorrelationId) -> Origin {
    let actor = Actor::new("provider", ports.provider.name());
    // The command id includes the payment id: ids of what the command creates are derived from the command
    // id, and must differ between payments.
    let id = CommandId::of(&[b"webhook", request.provider_payment_id.as_bytes(), request.id.as_bytes()]);
    Origin::new(id.0, actor, correlation_id.clone())
}

/// Applies a webhook event to its payment.
pub async fn apply(
    ports: &Ports,
    request: &WebhookRequest,
    correlation_id: &CorrelationId,
) -> Result<WebhookOutcome, Problem> {
    let Some(found) = ports.provider.find_payment(&request.provider_payment_id).await else {
        return Ok(WebhookOutcome::UnknownPayment);
    };
    let FoundPayment { payment, attempt } = found;
    let stream = Payment::stream(payment);
    let Some(loaded) = ports.aggregates.payments.load(&stream).await? else {
        return Ok(WebhookOutcome::UnknownPayment);
    };
    let origin = origin_of(ports, request, correlation_id);
    let provider_payment_id = request.provider_payment_id.clone();
    let command = match WebhookKind::parse(&request.kind).ok_or_else(unknown_kind)? {
        WebhookKind::PaymentAuthorized => {
            PaymentCommand::RecordAuthorized { attempt, provider_payment_id, attempts: 1 }
        }
        WebhookKind::PaymentFailed => PaymentCommand::RecordFailed {
            attempt,
            provider_payment_id: Some(provider_payment_id),
            code: "declined".to_owned(),
            detail: "the provider reported a failure".to_owned(),
            attempts: 1,
        },
        WebhookKind::RefundProcessed => match refund_of(ports, request, &loaded.state).await {
            Ok((refund, provider_refund_id)) => PaymentCommand::RecordRefunded { refund, provider_refund_id },
            Err(outcome) => {
                // An earlier copy of this event may have completed the only refund that the event can be
                // about.
                let is_repeat =
                    ports.aggregates.payments.find(&stream, &origin).await.map_err(problem)?.is_some();
                return Ok(if is_repeat { WebhookOutcome::Applied } else { outcome });
            }
        },
    };
    let request = CommandRequest::new(stream, command, origin).repeatable();
    match ports.aggregates.payments.execute(request).await {
        Ok(_) => Ok(WebhookOutcome::Applied),
        Err(CommandError::Rejected(_)) => Ok(WebhookOutcome::Refused),
        Err(error) => Err(problem(error)),
    }
}

/// Finds the refund that a webhook event is about. Returns the shop's id and the provider's id of the refund;
/// the latter is empty if the event does not contain it.
///
/// `refundId` in the event is either of the two ids. Without it, the event can only be about the only open
/// refund of the payment. If the payment has several, the event is stored; the shop learns their outcome from
/// the provider's responses.
async fn refund_of(
    ports: &Ports,
    request: &WebhookRequest,
    payment: &PaymentState,
) -> Result<(RefundId, String), WebhookOutcome> {
    let Some(id) = &request.refund_id else {
        return match payment.reported_refund(request.created_at) {
            ReportedRefund::One(refund) => Ok((refund, String::new())),
            ReportedRefund::None => Err(WebhookOutcome::Refused),
            ReportedRefund::Unclear => Err(WebhookOutcome::UnclearRefund),
        };
    };
    match ports.provider.find_refund(id).await {
        Some(refund) => Ok((refund, id.clone())),
        None => id.parse().map(|id| (RefundId(id), String::new())).map_err(|_| WebhookOutcome::Refused),
    }
}

/// Stores an event that can't be applied yet. Returns 202, or 200 if the event is already stored.
async fn store(
    ports: &Ports,
    request: WebhookRequest,
    correlation_id: &CorrelationId,
) -> Result<StatusCode, Problem> {
    let origin = origin_of(ports, &request, correlation_id);
    let WebhookRequest { id: event_id, kind, created_at, refund_id, provider_payment_id } = request;
    let command = WebhookCommand::Store { event_id, kind, refund_id, created_at };
    let request = CommandRequest::new(stream_of(&provider_payment_id), command, origin).repeatable();
    let outcome = ports.aggregates.webhooks.execute(request).await.map_err(problem)?;
    let is_repeat = outcome.completion == Completion::Repeated;
    Ok(if is_repeat { StatusCode::OK } else { StatusCode::ACCEPTED })
}

/// Applies a stored event again, and closes the stored event if its payment recorded or refused it.
pub async fn retry(
    ports: &Ports,
    stored: &WebhookRequest,
    correlation_id: &CorrelationId,
) -> Result<WebhookOutcome, Problem> {
    let outcome = apply(ports, stored, correlation_id).await?;
    if matches!(outcome, WebhookOutcome::Applied | WebhookOutcome::Refused) {
        let event_id = stored.id.clone();
        let taken = outcome == WebhookOutcome::Applied;
        let origin = origin_of(ports, stored, correlation_id).step("settle");
        let command = WebhookCommand::Settle { event_id, taken };
        let request = CommandRequest::new(stream_of(&stored.provider_payment_id), command, origin);
        ports.aggregates.webhooks.execute(request).await.map_err(problem)?;
    }
    Ok(outcome)
}

fn stream_of(provider_payment_id: &str) -> StreamName {
    StreamName::new(Webhook::CATEGORY, provider_payment_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Proves: payments.webhook-signature
    #[test]
    fn a_webhook_to_a_shop_without_a_secret_is_refused_with_the_reason() {
        let refused = check_signature(None, &HeaderMap::new(), b"{}").unwrap_err();
        assert_eq!(refused.code(), "invalid-signature");
        assert!(refused.detail().contains("SOUK_WEBHOOK_SECRET"), "{}", refused.detail());
        let wrong = check_signature(Some("secret"), &HeaderMap::new(), b"{}").unwrap_err();
        assert!(wrong.detail().contains("does not match"), "{}", wrong.detail());
    }
}
