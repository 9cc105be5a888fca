//! Removes sessions, tokens, sign-ins and mail that are no longer to be kept. After each start it removes the mail of
//! people who are erased: a crash may have left a mail that was being written, or an older folder was put back.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Shop;
use souk_mail_folder::MailFolder;
use souk_sign_in::Outbox as _;
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
        if self.next == Timestamp::UNIX_EPOCH
            && let Err(why) = self.forget_erased(shop).await
        {
            tracing::warn!(why, "mail of people who are erased may stay; the next sweep tries again");
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

impl Expired {
    async fn forget_erased(&self, shop: &Shop) -> Result<(), String> {
        for reader in self.mail.readers().await.map_err(|error| error.to_string())? {
            if shop.people.is_erased(&reader.person()).await.map_err(|error| error.to_string())? {
                self.mail.forget(&reader).await.map_err(|error| error.to_string())?;
                tracing::info!(%reader, "mail of somebody who is erased is removed");
            }
        }
        Ok(())
    }
}
