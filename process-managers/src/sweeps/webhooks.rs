//! Delivery of stored webhooks. A webhook is stored if it arrives before its payment is known.

use jiff::{SignedDuration, Timestamp};
use souk_domain::webhook::WebhookCommand;
use souk_eventsourcing::{CommandRequest, CorrelationId};

use super::SweepError;
use crate::ports::ShopPorts;
use crate::provider_event::{ProviderEvent, WebhookOutcome, apply, origin_of, stream_of};

/// Name of the sweep.
pub const NAME: &str = "webhook-sweep";

/// Maximum time after a webhook in which its payment may become known.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Returns the time since which a stored webhook was made that is still delivered.
pub fn due_if_made_since(now: Timestamp) -> Timestamp {
    now - WAIT_MAX
}

/// Applies a stored event again, and closes the stored event if its payment recorded or refused it.
pub async fn retry(
    ports: &ShopPorts,
    stored: &ProviderEvent,
    correlation_id: &CorrelationId,
) -> Result<WebhookOutcome, SweepError> {
    let outcome = apply(ports, stored, correlation_id).await?;
    if matches!(outcome, WebhookOutcome::Applied | WebhookOutcome::Refused) {
        let event_id = stored.id.clone();
        let is_applied = outcome == WebhookOutcome::Applied;
        let origin = origin_of(ports, stored, correlation_id).follow_up("settle");
        let command = WebhookCommand::RecordOutcome { event_id, is_applied };
        let request = CommandRequest::new(stream_of(stored), command, origin);
        ports.aggregates.webhooks.execute(request).await?;
    }
    Ok(outcome)
}
