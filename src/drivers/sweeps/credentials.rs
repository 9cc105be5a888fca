//! Removes sessions, tokens, sign-ins and mail that are no longer to be kept.

use async_trait::async_trait;
use souk_command_api::Shop;
use souk_mail_folder::MailFolder;
use sqlx::SqlitePool;

use super::Sweep;

pub(super) struct Expired {
    pub(super) mail: MailFolder,
}

#[async_trait]
impl Sweep for Expired {
    fn name(&self) -> &'static str {
        "credential-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        if let Err(error) = shop.accounts.credentials.sweep(shop.clock.now()).await {
            tracing::warn!(%error, "credentials that are over stay; the next sweep tries again");
        }
        if let Err(error) = self.mail.sweep().await {
            tracing::warn!(%error, "old mail stays; the next sweep tries again");
        }
        Ok(())
    }
}
