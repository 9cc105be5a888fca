//! Tells payments of webhooks that came before they were known.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Shop;
use souk_command_api::payments::request::WebhookRequest;
use souk_command_api::payments::webhook::tell_again;
use souk_eventsourcing::CorrelationId;
use souk_projections::kept_webhooks::KeptWebhookRow;
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep};

/// How long a payment may take to become known.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Goes round the rows, a step's worth at a time.
#[derive(Default)]
pub(super) struct Kept {
    /// The key of the last row that was looked at; empty before the first.
    after: String,
}

#[async_trait]
impl Sweep for Kept {
    fn name(&self) -> &'static str {
        "webhook-sweep"
    }

    async fn step(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let since: Timestamp = shop.clock.now() - WAIT_MAX;
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
            let correlation_id = CorrelationId::from(shop.clock.new_id());
            if let Err(problem) = tell_again(shop, &kept, &correlation_id).await {
                let why = problem.detail();
                tracing::warn!(
                    webhook = kept.id,
                    why,
                    "a kept webhook was not told; the next sweep tries again"
                );
            }
        }
        Ok(())
    }
}
