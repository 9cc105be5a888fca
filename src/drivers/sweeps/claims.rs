//! Sweep that releases unused claims. A product claims a SKU, and an account claims an e-mail address, before
//! the write that uses it. A claim is unused if its owner does not have the SKU or the address one minute
//! after the claim, because this write was interrupted or refused. The owner is fenced first, so that a late
//! write is refused.

use async_trait::async_trait;
use jiff::SignedDuration;
use souk_command_api::Ports;
use souk_domain::Sku;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::product::ProductCommand;
use souk_domain::user::{User, UserCommand};
use souk_eventsourcing::{CommandRequest, Decider as _, StreamName};
use sqlx::SqlitePool;

use super::{STEP_ROWS_MAX, Sweep, origin};

/// Time after which a claim counts as unused if its owner has not written what it claimed.
const OPEN_MAX: SignedDuration = SignedDuration::from_mins(1);

pub(super) struct OpenClaims;

#[async_trait]
impl Sweep for OpenClaims {
    fn name(&self) -> &'static str {
        "claim-sweep"
    }

    async fn step(&mut self, pool: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        let claims: Vec<(String, String)> = sqlx::query_as(include_str!("claims.sql"))
            .bind((ports.clock.now() - OPEN_MAX).as_microsecond())
            .bind(STEP_ROWS_MAX)
            .fetch_all(pool)
            .await?;
        for (key, owner) in claims {
            let Ok(stream) = StreamName::parse(&owner) else { continue };
            if let Err(error) = self.release(ports, &key, stream).await {
                tracing::warn!(key, owner, error, "a claim was not released; the sweep will try again");
            }
        }
        Ok(())
    }
}

impl OpenClaims {
    /// Fences the owner, and releases the claim if the owner does not have the claimed SKU or e-mail address.
    /// `key` is the id of the claim's stream.
    pub(super) async fn release(&self, ports: &Ports, key: &str, owner: StreamName) -> Result<(), String> {
        let epoch = match Claim::sku_of(key) {
            Some(sku) => self.fence_product(ports, &sku, owner.clone()).await?,
            None => self.fence_user(ports, owner.clone()).await?,
        };
        let Some(epoch) = epoch else { return Ok(()) };
        let release = ClaimCommand::Release { owner: owner.to_string(), epoch };
        let stream = StreamName::new(Claim::CATEGORY, key);
        let request = CommandRequest::new(stream, release, origin(ports, self.name()));
        ports.aggregates.claims.execute(request).await.map_err(|error| error.to_string())?;
        tracing::info!(key, %owner, "an unused claim was released");
        Ok(())
    }

    /// Fences a product. Returns the new epoch of the product, or `None` if the product has the SKU.
    async fn fence_product(
        &self,
        ports: &Ports,
        sku: &Sku,
        owner: StreamName,
    ) -> Result<Option<u64>, String> {
        let fence = ProductCommand::Fence { sku: sku.clone() };
        let request = CommandRequest::new(owner, fence, origin(ports, self.name()));
        let fenced = ports.aggregates.products.execute(request).await.map_err(|error| error.to_string())?;
        Ok(fenced.state.variant(sku).is_none().then(|| fenced.state.epoch()))
    }

    /// Fences a user. Returns the new epoch of the user, or `None` if the user has an account, and
    /// therefore the e-mail address.
    async fn fence_user(&self, ports: &Ports, owner: StreamName) -> Result<Option<u64>, String> {
        let user = User::of_stream(&owner);
        let request = CommandRequest::new(owner, UserCommand::Fence, origin(ports, self.name()));
        let fenced = ports.aggregates.users.execute(request).await.map_err(|error| error.to_string())?;
        if fenced.state.account().is_some() {
            return Ok(None);
        }
        // The sign-up stored the password before the account, so the password is deleted too.
        if let Some(user) = user {
            let forgotten = ports.accounts.credentials.forget(&user.customer(), &[]).await;
            forgotten.map_err(|error| error.to_string())?;
        }
        Ok(Some(fenced.state.epoch()))
    }
}
