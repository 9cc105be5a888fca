//! Sweep that releases unused claims: reads the open claims from the read model `open_claims`.

use async_trait::async_trait;
use souk_eventsourcing::StreamName;
use souk_process_managers::ShopPorts;
use souk_process_managers::sweeps::claims::{NAME, due_if_made_by, release};
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep};

pub(super) struct OpenClaims;

#[async_trait]
impl Sweep for OpenClaims {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
        let claims: Vec<(String, String)> = sqlx::query_as(include_str!("claims.sql"))
            .bind(due_if_made_by(ports.clock.now()).as_microsecond())
            .bind(STEP_ROWS_MAX)
            .fetch_all(pool)
            .await?;
        for (key, owner) in claims {
            let Ok(stream) = StreamName::parse(&owner) else { continue };
            match release(ports, &key, &stream).await {
                Ok(true) => tracing::info!(key, owner = %stream, "an unused claim was released"),
                Ok(false) => {}
                Err(error) => {
                    let error = error.as_str();
                    tracing::warn!(key, owner, error, "a claim was not released; the sweep will try again");
                }
            }
        }
        Ok(())
    }
}
