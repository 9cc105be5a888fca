//! `POST /api/payments/webhook`: what the provider calls about.
//!
//! The signature is checked over the raw body before anything of it is read. Each of the provider's
//! events is taken in once; one about a payment that nobody here knows is kept.

use std::sync::Once;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use sha2::Sha256;
use souk_domain::RefundId;
use souk_domain::limits::PROVIDER_ID_CHARS_MAX;
use souk_domain::payment::{MeantRefund, Payment, PaymentCommand, PaymentState};
use souk_domain::webhook::{Webhook, WebhookCommand};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::{
    CommandError, CommandId, CommandRequest, Completion, CorrelationId, Decider, StreamName,
};
use souk_http::Problem;
use souk_http::body::parse;
use souk_http::problem::ProblemBody;
use souk_process_managers::FoundPayment;

use crate::rejected::problem;
use crate::shop::Shop;

use super::request::{WebhookKind, WebhookRequest};

/// The header of the signature.
const SIGNATURE: &str = "x-razorpay-signature";
/// How old a webhook may be.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far in the future a webhook may have been made, for clocks that differ.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Takes in what the provider says.
#[utoipa::path(post, path = "/api/payments/webhook", tag = "payments", request_body = WebhookRequest,
    params(("X-Razorpay-Signature" = String, Header, description = "hex(HMAC-SHA256(secret, body))")),
    responses((status = 200, description = "taken in, now or before"), (status = 202, description = "kept: the payment is not known"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn webhook(
    State(shop): State<Shop>,
    axum::Extension(correlation_id): axum::Extension<CorrelationId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    check_signature(shop.settings.webhook_secret.as_deref(), &headers, &body)?;
    let asked: WebhookRequest = parse(&body)?;
    check_id("/id", &asked.id)?;
    check_id("/providerPaymentId", &asked.provider_payment_id)?;
    if let Some(id) = &asked.refund_id {
        check_id("/refundId", id)?;
    }
    // Before the payment is looked for: what is kept for later must be something it can be told.
    WebhookKind::parse(&asked.kind).ok_or_else(unknown_kind)?;
    let age = shop.clock.now().duration_since(asked.created_at);
    if age > AGE_MAX || age < -AHEAD_MAX {
        let allowed = "an event of the last seven days is allowed";
        return Err(Problem::field("/createdAt", "out-of-range", allowed));
    }
    match tell(&shop, &asked, &correlation_id).await? {
        Told::Taken => Ok(StatusCode::OK),
        Told::Unknown | Told::Unclear | Told::Refused => keep(&shop, asked, &correlation_id).await,
    }
}

fn unknown_kind() -> Problem {
    Problem::field(
        "/type",
        "unknown-type",
        format!("{} are allowed", WebhookKind::ALL.map(WebhookKind::as_str).join(", ")),
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
    let refused = || Problem::new("invalid-signature", "the signature does not match the body");
    let secret = secret.ok_or_else(no_secret)?;
    let given = headers
        .get(SIGNATURE)
        .and_then(|value| value.to_str().ok())
        .and_then(from_hex)
        .ok_or_else(refused)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| refused())?;
    mac.update(body);
    // Takes the same time wherever the first difference is.
    mac.verify_slice(&given).map_err(|_| refused())
}

/// The refusal of every webhook by a shop that knows no secret. The operator reads why in the log, once.
fn no_secret() -> Problem {
    static IS_TOLD: Once = Once::new();
    IS_TOLD.call_once(|| {
        tracing::warn!(
            "a webhook came and was refused: webhooks are refused until SOUK_WEBHOOK_SECRET is set"
        );
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

/// What a payment makes of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It took it in, now or before.
    Taken,
    /// There is no such payment.
    Unknown,
    /// Which of several refunds it is about is not clear yet.
    Unclear,
    /// It is about something of the payment that nobody here knows, as a refund made elsewhere.
    Refused,
}

fn origin_of(shop: &Shop, asked: &WebhookRequest, correlation_id: &CorrelationId) -> Origin {
    let actor = Actor::new("provider", shop.provider.name());
    // An event of the provider is one of its payment: what the command creates has ids derived from its own, and
    // two payments must never create the same.
    let id = CommandId::of(&[b"webhook", asked.provider_payment_id.as_bytes(), asked.id.as_bytes()]);
    Origin::new(id.0, actor, correlation_id.clone())
}

/// Tells the payment what the provider says.
pub async fn tell(
    shop: &Shop,
    asked: &WebhookRequest,
    correlation_id: &CorrelationId,
) -> Result<Told, Problem> {
    let Some(found) = shop.provider.find_payment(&asked.provider_payment_id).await else {
        return Ok(Told::Unknown);
    };
    let FoundPayment { payment, attempt } = found;
    let stream = Payment::stream(payment);
    let Some(loaded) = shop.payments.load(&stream).await? else { return Ok(Told::Unknown) };
    let origin = origin_of(shop, asked, correlation_id);
    let provider_payment_id = asked.provider_payment_id.clone();
    let command = match WebhookKind::parse(&asked.kind).ok_or_else(unknown_kind)? {
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
        WebhookKind::RefundProcessed => match refund_of(shop, asked, &loaded.state).await {
            Ok((refund, provider_refund_id)) => PaymentCommand::RecordRefunded { refund, provider_refund_id },
            Err(told) => {
                // The first of two equal reports may have ended the only refund that it could mean.
                let is_repeat = shop.payments.find(&stream, &origin).await.map_err(problem)?.is_some();
                return Ok(if is_repeat { Told::Taken } else { told });
            }
        },
    };
    let request = CommandRequest::new(stream, command, origin).repeatable();
    match shop.payments.execute(request).await {
        Ok(_) => Ok(Told::Taken),
        Err(CommandError::Rejected(_)) => Ok(Told::Refused),
        Err(error) => Err(problem(error)),
    }
}

/// The refund that a webhook is about, and the provider's id of it, empty when it does not say. `refundId` is the
/// provider's or the shop's; without one it can only be the one refund of the payment. Beside others the webhook is kept,
/// and the refunds have their answers from the provider itself.
async fn refund_of(
    shop: &Shop,
    asked: &WebhookRequest,
    payment: &PaymentState,
) -> Result<(RefundId, String), Told> {
    let Some(id) = &asked.refund_id else {
        return match payment.meant_refund(asked.created_at) {
            MeantRefund::One(refund) => Ok((refund, String::new())),
            MeantRefund::None => Err(Told::Refused),
            MeantRefund::Unclear => Err(Told::Unclear),
        };
    };
    match shop.provider.find_refund(id).await {
        Some(refund) => Ok((refund, id.clone())),
        None => id.parse().map(|id| (RefundId(id), String::new())).map_err(|_| Told::Refused),
    }
}

async fn keep(
    shop: &Shop,
    asked: WebhookRequest,
    correlation_id: &CorrelationId,
) -> Result<StatusCode, Problem> {
    let origin = origin_of(shop, &asked, correlation_id);
    let WebhookRequest { id: event_id, kind, created_at, refund_id, provider_payment_id } = asked;
    let command = WebhookCommand::Keep { event_id, kind, refund_id, created_at };
    let request = CommandRequest::new(stream_of(&provider_payment_id), command, origin).repeatable();
    let outcome = shop.webhooks.execute(request).await.map_err(problem)?;
    let is_repeat = outcome.completion == Completion::Repeated;
    Ok(if is_repeat { StatusCode::OK } else { StatusCode::ACCEPTED })
}

/// Tells the payment of a kept webhook, once there is one.
pub async fn tell_again(
    shop: &Shop,
    kept: &WebhookRequest,
    correlation_id: &CorrelationId,
) -> Result<Told, Problem> {
    let told = tell(shop, kept, correlation_id).await?;
    if matches!(told, Told::Taken | Told::Refused) {
        let (event_id, taken) = (kept.id.clone(), told == Told::Taken);
        let origin = origin_of(shop, kept, correlation_id).step("settle");
        let command = WebhookCommand::Settle { event_id, taken };
        let request = CommandRequest::new(stream_of(&kept.provider_payment_id), command, origin);
        shop.webhooks.execute(request).await.map_err(problem)?;
    }
    Ok(told)
}

fn stream_of(provider_payment_id: &str) -> StreamName {
    StreamName::new(Webhook::CATEGORY, provider_payment_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_without_a_secret_says_why_it_takes_no_webhook() {
        let refused = check_signature(None, &HeaderMap::new(), b"{}").unwrap_err();
        assert_eq!(refused.code(), "invalid-signature");
        assert!(refused.detail().contains("SOUK_WEBHOOK_SECRET"), "{}", refused.detail());
        let wrong = check_signature(Some("secret"), &HeaderMap::new(), b"{}").unwrap_err();
        assert!(wrong.detail().contains("does not match"), "{}", wrong.detail());
    }
}
