//! Events that the payment provider reports by webhook, and their application to payments.
//!
//! Each event is applied to its payment once. An event that can't be applied yet, such as one about an unknown
//! payment, is stored; a sweep (`sweeps/webhooks.rs`) retries it.

use jiff::Timestamp;
use souk_domain::RefundId;
use souk_domain::payment::{Payment, PaymentCommand, PaymentRejection, PaymentState, ReportedRefund};
use souk_domain::webhook::{Webhook, WebhookCommand, WebhookRejection};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{
    Actor, CommandError, CommandId, CommandRequest, CorrelationId, Decider as _, Outcome, StoreError,
    StreamName,
};

use crate::ports::ShopPorts;
use crate::provider::FoundPayment;

/// Kind of event that the shop accepts from the payment provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderEventKind {
    /// The provider has authorized the payment: it holds the money.
    PaymentAuthorized,
    /// The payment failed.
    PaymentFailed,
    /// A refund was paid to the buyer.
    RefundProcessed,
}

impl ProviderEventKind {
    /// All accepted kinds.
    pub const ALL: [Self; 3] = [Self::PaymentAuthorized, Self::PaymentFailed, Self::RefundProcessed];

    /// Returns the kind as the provider writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaymentAuthorized => "payment.authorized",
            Self::PaymentFailed => "payment.failed",
            Self::RefundProcessed => "refund.processed",
        }
    }

    /// Reads a kind; `None` for a kind that the shop does not accept.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Event of the payment provider about a payment or a refund.
#[derive(Clone, Debug)]
pub struct ProviderEvent {
    /// Id that the provider gave to the event.
    pub id: String,
    /// Kind of the event.
    pub kind: ProviderEventKind,
    /// Id that the provider gave to the payment.
    pub provider_payment_id: String,
    /// Time at which the provider created the event.
    pub created_at: Timestamp,
    /// Refund that the event is about: the provider's id or the shop's id. If absent, the event is about the
    /// payment's only refund that waits for the provider or for staff.
    pub refund_id: Option<String>,
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

/// Reason why an event could not be applied. The provider or the sweep sends it again.
#[derive(Debug, thiserror::Error)]
pub enum ProviderEventError {
    /// The payment could not be loaded.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The command to the payment failed.
    #[error(transparent)]
    Payment(#[from] CommandError<PaymentRejection>),
}

/// Applies an event to its payment.
pub async fn apply(
    ports: &ShopPorts,
    event: &ProviderEvent,
    correlation_id: &CorrelationId,
) -> Result<WebhookOutcome, ProviderEventError> {
    let Some(found) = ports.provider.find_payment(&event.provider_payment_id).await else {
        return Ok(WebhookOutcome::UnknownPayment);
    };
    let FoundPayment { payment, attempt } = found;
    let stream = Payment::stream(payment);
    let Some(loaded) = ports.aggregates.payments.load(&stream).await? else {
        return Ok(WebhookOutcome::UnknownPayment);
    };
    let origin = origin_of(ports, event, correlation_id);
    let provider_payment_id = event.provider_payment_id.clone();
    let command = match event.kind {
        ProviderEventKind::PaymentAuthorized => {
            PaymentCommand::RecordAuthorized { attempt, provider_payment_id, attempts: 1 }
        }
        ProviderEventKind::PaymentFailed => PaymentCommand::RecordFailed {
            attempt,
            provider_payment_id: Some(provider_payment_id),
            code: "declined".to_owned(),
            detail: "the provider reported a failure".to_owned(),
            attempts: 1,
        },
        ProviderEventKind::RefundProcessed => match refund_of(ports, event, &loaded.state).await {
            Ok((refund, provider_refund_id)) => PaymentCommand::RecordRefunded { refund, provider_refund_id },
            Err(outcome) => {
                // An earlier copy of this event may have completed the only refund that the event can be
                // about.
                let is_repeat = ports.aggregates.payments.find(&stream, &origin).await?.is_some();
                return Ok(if is_repeat { WebhookOutcome::Applied } else { outcome });
            }
        },
    };
    let request = CommandRequest::new(stream, command, origin).repeatable();
    match ports.aggregates.payments.execute(request).await {
        Ok(_) => Ok(WebhookOutcome::Applied),
        Err(CommandError::Rejected(_)) => Ok(WebhookOutcome::Refused),
        Err(error) => Err(error.into()),
    }
}

/// Finds the refund that an event is about. Returns the shop's id and the provider's id of the refund; the
/// latter is empty if the event does not contain it.
///
/// `refund_id` in the event is either of the two ids. Without it, the event can only be about the only open
/// refund of the payment. If the payment has several, the event is stored; the shop learns their outcome from
/// the provider's responses.
async fn refund_of(
    ports: &ShopPorts,
    event: &ProviderEvent,
    payment: &PaymentState,
) -> Result<(RefundId, String), WebhookOutcome> {
    let Some(id) = &event.refund_id else {
        return match payment.reported_refund(event.created_at) {
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

/// Stores an event that can't be applied yet.
pub async fn store(
    ports: &ShopPorts,
    event: ProviderEvent,
    correlation_id: &CorrelationId,
) -> Result<Outcome<Webhook>, CommandError<WebhookRejection>> {
    let origin = origin_of(ports, &event, correlation_id);
    let stream = stream_of(&event);
    let ProviderEvent { id: event_id, kind, created_at, refund_id, .. } = event;
    let command = WebhookCommand::Store { event_id, kind: kind.as_str().to_owned(), refund_id, created_at };
    ports.aggregates.webhooks.execute(CommandRequest::new(stream, command, origin).repeatable()).await
}

/// Makes the origin of the commands that an event leads to.
pub(crate) fn origin_of(ports: &ShopPorts, event: &ProviderEvent, correlation_id: &CorrelationId) -> Origin {
    let actor = Actor::new("provider", ports.provider.name());
    // The command id includes the payment id: ids of what the command creates are derived from the command
    // id, and must differ between payments.
    let id = CommandId::of(&[b"webhook", event.provider_payment_id.as_bytes(), event.id.as_bytes()]);
    Origin::new(id.0, actor, correlation_id.clone())
}

/// Returns the stream of the stored events of a payment.
pub(crate) fn stream_of(event: &ProviderEvent) -> StreamName {
    StreamName::new(Webhook::CATEGORY, &event.provider_payment_id)
}
