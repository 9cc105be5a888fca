//! Releases claims whose owner, a minute later, doesn't hold the key: the write that claimed it was cut off
//! or refused. First the owner is fenced, so that the write, should it still come, comes too late.

use async_trait::async_trait;
use jiff::SignedDuration;
use souk_command_api::Shop;
use souk_domain::Sku;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::product::ProductCommand;
use souk_domain::user::{User, UserCommand};
use souk_eventsourcing::{CommandRequest, Decider as _, StreamName};
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
        for (key, owner) in claims {
            let Ok(stream) = StreamName::parse(&owner) else { continue };
            if let Err(error) = self.release(shop, &key, stream).await {
                tracing::warn!(key, owner, error, "a claim was not released; the next sweep tries again");
            }
        }
        Ok(())
    }
}

impl Open {
    /// `key` is the id of the claim's stream.
    pub(super) async fn release(&self, shop: &Shop, key: &str, owner: StreamName) -> Result<(), String> {
        let epoch = match Claim::sku_of(key) {
            Some(sku) => self.fenced_product(shop, &sku, owner.clone()).await?,
            None => self.fenced_user(shop, owner.clone()).await?,
        };
        let Some(epoch) = epoch else { return Ok(()) };
        let release = ClaimCommand::Release { owner: owner.to_string(), epoch };
        let stream = StreamName::new(Claim::CATEGORY, key);
        let request = CommandRequest::new(stream, release, origin(shop, self.name()));
        shop.claims.execute(request).await.map_err(|error| error.to_string())?;
        tracing::info!(key, %owner, "a claim was released whose owner doesn't hold its key");
        Ok(())
    }

    /// The epoch in which the product doesn't hold the SKU; none when it does.
    async fn fenced_product(&self, shop: &Shop, sku: &Sku, owner: StreamName) -> Result<Option<u64>, String> {
        let fence = ProductCommand::Fence { sku: sku.clone() };
        let request = CommandRequest::new(owner, fence, origin(shop, self.name()));
        let fenced = shop.products.execute(request).await.map_err(|error| error.to_string())?;
        Ok(fenced.state.variant(sku).is_none().then(|| fenced.state.epoch()))
    }

    /// The same for a user and their e-mail address.
    async fn fenced_user(&self, shop: &Shop, owner: StreamName) -> Result<Option<u64>, String> {
        let user = User::of_stream(&owner);
        let request = CommandRequest::new(owner, UserCommand::Fence, origin(shop, self.name()));
        let fenced = shop.accounts.users.execute(request).await.map_err(|error| error.to_string())?;
        if fenced.state.account().is_some() {
            return Ok(None);
        }
        // Their password was kept before they were to be there.
        if let Some(user) = user {
            let forgotten = shop.accounts.credentials.forget(&user.customer(), &[]).await;
            forgotten.map_err(|error| error.to_string())?;
        }
        Ok(Some(fenced.state.epoch()))
    }
}
