//! Sweep that reloads the signing keys, because `souk keys` may have created or removed some.

use async_trait::async_trait;
use souk_command_api::Ports;
use sqlx::SqlitePool;

use super::Sweep;

pub(super) struct RotatedKeys;

#[async_trait]
impl Sweep for RotatedKeys {
    fn name(&self) -> &'static str {
        "key-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        if let Err(error) = ports.keys.reload() {
            tracing::error!(%error, "the signing keys could not be reloaded; the old ones stay in use");
        }
        Ok(())
    }
}
