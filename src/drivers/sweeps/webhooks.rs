//! Sweep that delivers stored webhooks: reads them from the read model `kept_webhooks`.

use async_trait::async_trait;
use souk_eventsourcing::CorrelationId;
use souk_process_managers::ShopPorts;
use souk_process_managers::provider_event::{ProviderEvent, ProviderEventKind};
use souk_process_managers::sweeps::webhooks::{NAME, due_if_made_since, retry};
use souk_projections::kept_webhooks::KeptWebhookRow;
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep};

/// State of the sweep. Each step handles the next rows, and starts again after the last row.
#[derive(Default)]
pub(super) struct KeptWebhooks {
    /// Key of the last row of the previous step. Empty at the beginning of a pass.
    after: String,
}

#[async_trait]
impl Sweep for KeptWebhooks {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(include_str!("webhooks.sql"))
            .bind(&self.after)
            .bind(due_if_made_since(ports.clock.now()).as_microsecond())
            .bind(STEP_ROWS_MAX)
            .fetch_all(pool)
            .await?;
        self.after = rows.last().map(|(key, _)| key.clone()).unwrap_or_default();
        for (id, document) in rows {
            let Some(stored) = stored_event(&id, &document) else {
                tracing::warn!(webhook = id, "a kept webhook can't be read by this version of the program");
                continue;
            };
            let correlation_id = CorrelationId::from(ports.clock.new_id());
            if let Err(error) = retry(ports, &stored, &correlation_id).await {
                let why = error.as_str();
                tracing::warn!(
                    webhook = stored.id,
                    why,
                    "a kept webhook could not be delivered; the sweep will try again"
                );
            }
        }
        Ok(())
    }
}

/// Reads a row; `None` if the row is unreadable.
fn stored_event(id: &str, document: &[u8]) -> Option<ProviderEvent> {
    let row: KeptWebhookRow = serde_json::from_slice(document).ok()?;
    let KeptWebhookRow { provider_payment_id, kind, refund_id, created_at } = row;
    let kind = ProviderEventKind::parse(&kind)?;
    Some(ProviderEvent { id: id.to_owned(), kind, provider_payment_id, created_at, refund_id })
}
