//! Takes in keys of tokens that were made or removed by `souk keys`.

use async_trait::async_trait;
use souk_command_api::Shop;
use sqlx::SqlitePool;

use super::Sweep;

pub(super) struct Rotated;

#[async_trait]
impl Sweep for Rotated {
    fn name(&self) -> &'static str {
        "key-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        if let Err(error) = shop.keys.reload() {
            tracing::error!(%error, "the keys of tokens stay as they were");
        }
        Ok(())
    }
}
