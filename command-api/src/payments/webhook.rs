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
use souk_domain::limits::PROVIDER_ID_CHARS_MAX;
use souk_eventsourcing::{Completion, CorrelationId};
use souk_http::Problem;
use souk_http::body::parse;
use souk_http::routes::{Access, ApiRouter, RateClass, Side, rules};
use souk_process_managers::provider_event::{
    ProviderEvent, ProviderEventError, ProviderEventKind, WebhookOutcome, apply, store,
};
use utoipa_axum::routes;

use crate::ports::Ports;
use crate::rejected::problem;

use super::request::WebhookRequest;

/// Header that has the signature: the hexadecimal HMAC-SHA256 of the body.
const SIGNATURE: &str = "x-razorpay-signature";
/// Greatest age of an event.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Greatest time by which an event may be in the future, since the provider's clock may be ahead.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Returns the route of the webhook.
pub(crate) fn router() -> ApiRouter<Ports> {
    let webhook_rules =
        rules(Access::Signature).small_body().counts_as(RateClass::Unlimited).without_version();
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
    let WebhookRequest { id, kind, provider_payment_id, created_at, refund_id } = request;
    let kind = ProviderEventKind::parse(&kind).ok_or_else(unknown_kind)?;
    let event = ProviderEvent { id, kind, provider_payment_id, created_at, refund_id };
    let age = ports.clock.now().duration_since(event.created_at);
    if age > AGE_MAX || age < -AHEAD_MAX {
        let detail = "the event must be from the last seven days";
        return Err(Problem::field("/createdAt", "out-of-range", detail));
    }
    match apply(&ports.shop(), &event, &correlation_id).await.map_err(event_problem)? {
        WebhookOutcome::Applied => Ok(StatusCode::OK),
        WebhookOutcome::UnknownPayment | WebhookOutcome::UnclearRefund | WebhookOutcome::Refused => {
            let stored = store(&ports.shop(), event, &correlation_id).await.map_err(problem)?;
            let is_repeat = stored.completion == Completion::Repeated;
            Ok(if is_repeat { StatusCode::OK } else { StatusCode::ACCEPTED })
        }
    }
}

/// Returns the problem for an event that could not be applied.
fn event_problem(error: ProviderEventError) -> Problem {
    match error {
        ProviderEventError::Log(error) => error.into(),
        ProviderEventError::Payment(error) => problem(error),
    }
}

fn unknown_kind() -> Problem {
    Problem::field(
        "/type",
        "unknown-type",
        format!(
            "the type must be one of {}",
            ProviderEventKind::ALL.map(ProviderEventKind::as_str).join(", ")
        ),
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
