//! Releases claims whose owner, a minute later, doesn't hold the SKU: the write that claimed it was cut off
//! or refused. First the owner is fenced, so that the write, should it still come, comes too late.

use async_trait::async_trait;
use jiff::SignedDuration;
use souk_command_api::Shop;
use souk_domain::Sku;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::product::ProductCommand;
use souk_eventsourcing::{CommandRequest, StreamName};
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep, origin};

/// How long a write has to follow its claims.
const OPEN_MAX: SignedDuration = SignedDuration::from_mins(1);

pub(super) struct Open;

#[async_trait]
impl Sweep for Open {
    fn name(&self) -> &'static str {
        "claim-sweep"
    }

    async fn step(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let claims: Vec<(String, String)> = sqlx::query_as(include_str!("claims.sql"))
            .bind((shop.clock.now() - OPEN_MAX).as_microsecond())
            .bind(STEP_ROWS_MAX)
            .fetch_all(pool)
            .await?;
        for (sku, owner) in claims {
            let (Ok(key), Ok(stream)) = (Sku::parse(&sku), StreamName::parse(&owner)) else { continue };
            if let Err(error) = self.release(shop, &key, stream).await {
                tracing::warn!(sku, owner, error, "a claim was not released; the next sweep tries again");
            }
        }
        Ok(())
    }
}

impl Open {
    pub(super) async fn release(&self, shop: &Shop, sku: &Sku, owner: StreamName) -> Result<(), String> {
        let fence = ProductCommand::Fence { sku: sku.clone() };
        let request = CommandRequest::new(owner.clone(), fence, origin(shop, self.name()));
        let fenced = shop.products.execute(request).await.map_err(|error| error.to_string())?;
        if fenced.state.variant(sku).is_some() {
            return Ok(());
        }
        let release = ClaimCommand::Release { owner: owner.to_string(), epoch: fenced.state.epoch() };
        let request = CommandRequest::new(Claim::of_sku(sku), release, origin(shop, self.name()));
        shop.claims.execute(request).await.map_err(|error| error.to_string())?;
        tracing::info!(%sku, %owner, "a claim was released whose owner doesn't hold the SKU");
        Ok(())
    }
}
