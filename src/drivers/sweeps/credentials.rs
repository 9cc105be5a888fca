//! Removes sessions, tokens, sign-ins and mail that are no longer to be kept.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Shop;
use souk_mail_folder::MailFolder;
use sqlx::SqlitePool;

use super::Sweep;

/// How often they are looked at: none of them has to go at once.
const EVERY: SignedDuration = SignedDuration::from_mins(10);

pub(super) struct Expired {
    pub(super) mail: MailFolder,
    /// When they are looked at again.
    pub(super) next: Timestamp,
}

#[async_trait]
impl Sweep for Expired {
    fn name(&self) -> &'static str {
        "credential-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error> {
        let now = shop.clock.now();
        if now < self.next {
            return Ok(());
        }
        self.next = now + EVERY;
        if let Err(error) = shop.accounts.credentials.sweep(now).await {
            tracing::warn!(%error, "credentials that are over stay; the next sweep tries again");
        }
        if let Err(error) = self.mail.sweep().await {
            tracing::warn!(%error, "old mail stays; the next sweep tries again");
        }
        Ok(())
    }
}
