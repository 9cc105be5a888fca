//! Expires reservations that nobody confirmed in time. The stock's decider judges; this only asks.

use async_trait::async_trait;
use souk_command_api::Shop;
use souk_domain::Sku;
use souk_domain::stock::{Stock, StockCommand};
use souk_eventsourcing::CommandRequest;
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep, origin};

pub(super) struct Overdue;

#[async_trait]
impl Sweep for Overdue {
    fn name(&self) -> &'static str {
        "expiry-sweep"
    }

    async fn step(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let skus: Vec<String> = sqlx::query_scalar(include_str!("reservations.sql"))
            .bind(shop.clock.now().as_microsecond())
            .bind(STEP_ROWS_MAX)
            .fetch_all(pool)
            .await?;
        for sku in skus.iter().filter_map(|sku| Sku::parse(sku).ok()) {
            let origin = origin(shop, self.name());
            let request = CommandRequest::new(Stock::stream(&sku), StockCommand::ExpireDue, origin);
            if let Err(error) = shop.stock.execute(request).await {
                tracing::warn!(%sku, %error, "overdue reservations were not expired; the next sweep tries again");
            }
        }
        Ok(())
    }
}
