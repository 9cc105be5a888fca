//! Sweep that reloads the signing keys, because `souk keys` may have created or removed some.

use std::sync::Arc;

use async_trait::async_trait;
use souk_http::Keys;
use souk_process_managers::ShopPorts;
use sqlx::SqlitePool;

use super::Sweep;

pub(super) struct RotatedKeys(pub(super) Arc<Keys>);

#[async_trait]
impl Sweep for RotatedKeys {
    fn name(&self) -> &'static str {
        "key-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, _: &ShopPorts) -> Result<(), sqlx::Error> {
        if let Err(error) = self.0.reload() {
            tracing::error!(%error, "the signing keys could not be reloaded; the old ones stay in use");
        }
        Ok(())
    }
}
