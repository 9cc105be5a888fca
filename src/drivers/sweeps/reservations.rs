//! Sweep that expires reservations which were not confirmed in time. It only sends the command; the decider
//! of the stock decides which reservations expire.

use async_trait::async_trait;
use souk_command_api::Ports;
use souk_domain::Sku;
use souk_domain::stock::{Stock, StockCommand};
use souk_eventsourcing::CommandRequest;
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep, origin};

pub(super) struct OverdueReservations;

#[async_trait]
impl Sweep for OverdueReservations {
    fn name(&self) -> &'static str {
        "expiry-sweep"
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        let skus: Vec<String> = sqlx::query_scalar(include_str!("reservations.sql"))
            .bind(ports.clock.now().as_microsecond())
            .bind(STEP_ROWS_MAX)
            .fetch_all(pool)
            .await?;
        for sku in skus.iter().filter_map(|sku| Sku::parse(sku).ok()) {
            let origin = origin(ports, self.name());
            let request = CommandRequest::new(Stock::stream(&sku), StockCommand::ExpireDue, origin);
            if let Err(error) = ports.aggregates.stock.execute(request).await {
                tracing::warn!(%sku, %error, "overdue reservations could not be expired; the sweep will try again");
            }
        }
        Ok(())
    }
}
