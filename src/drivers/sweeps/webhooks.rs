//! Sweep that delivers kept webhooks. A webhook is kept if it arrives before its payment is known.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Ports;
use souk_command_api::payments::request::WebhookRequest;
use souk_command_api::payments::webhook::retry;
use souk_eventsourcing::CorrelationId;
use souk_projections::kept_webhooks::KeptWebhookRow;
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep};

/// Maximum time after a webhook in which its payment may become known.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(14 * 24);

/// State of the sweep. Each step handles the next rows, and starts again after the last row.
#[derive(Default)]
pub(super) struct KeptWebhooks {
    /// Key of the last row of the previous step. Empty at the beginning of a pass.
    after: String,
}

#[async_trait]
impl Sweep for KeptWebhooks {
    fn name(&self) -> &'static str {
        "webhook-sweep"
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        let since: Timestamp = ports.clock.now() - WAIT_MAX;
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(include_str!("webhooks.sql"))
            .bind(&self.after)
            .bind(since.as_microsecond())
            .bind(STEP_ROWS_MAX)
            .fetch_all(pool)
            .await?;
        self.after = rows.last().map(|(key, _)| key.clone()).unwrap_or_default();
        for (id, document) in rows {
            let Ok(row) = serde_json::from_slice::<KeptWebhookRow>(&document) else { continue };
            let KeptWebhookRow { provider_payment_id, kind, refund_id, created_at } = row;
            let kept = WebhookRequest { id, kind, provider_payment_id, created_at, refund_id };
            let correlation_id = CorrelationId::from(ports.clock.new_id());
            if let Err(problem) = retry(ports, &kept, &correlation_id).await {
                let why = problem.detail();
                tracing::warn!(
                    webhook = kept.id,
                    why,
                    "a kept webhook could not be delivered; the sweep will try again"
                );
            }
        }
        Ok(())
    }
}
