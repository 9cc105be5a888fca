//! Sweep that expires overdue reservations: reads their SKUs from the read model `reservations`.

use async_trait::async_trait;
use souk_domain::Sku;
use souk_process_managers::ShopPorts;
use souk_process_managers::sweeps::reservations::{NAME, expire};
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep};

pub(super) struct OverdueReservations;

#[async_trait]
impl Sweep for OverdueReservations {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
        let skus: Vec<String> = sqlx::query_scalar(include_str!("reservations.sql"))
            .bind(ports.clock.now().as_microsecond())
            .bind(STEP_ROWS_MAX)
            .fetch_all(pool)
            .await?;
        for sku in skus.iter().filter_map(|sku| Sku::parse(sku).ok()) {
            if let Err(error) = expire(ports, &sku).await {
                let error = tracing::field::display(error.as_str());
                tracing::warn!(%sku, error, "overdue reservations could not be expired; the sweep will try again");
            }
        }
        Ok(())
    }
}
