//! Sweep that deletes expired sessions, tokens, sign-ins and mail. After each start it also deletes the mail
//! of erased people: a crash may have left such a mail behind, or an old mail folder may have been restored.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_mail_folder::MailFolder;
use souk_process_managers::ShopPorts;
use souk_sign_in::Outbox as _;
use sqlx::SqlitePool;

use super::Sweep;

/// Interval between two runs of the sweep. Expired items need not be deleted at once.
const EVERY: SignedDuration = SignedDuration::from_mins(10);

pub(super) struct ExpiredCredentials {
    pub(super) mail: MailFolder,
    /// Time of the next run. [`Timestamp::UNIX_EPOCH`] before the first run.
    pub(super) next: Timestamp,
}

#[async_trait]
impl Sweep for ExpiredCredentials {
    fn name(&self) -> &'static str {
        "credential-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error> {
        let now = ports.clock.now();
        if now < self.next {
            return Ok(());
        }
        if self.next == Timestamp::UNIX_EPOCH
            && let Err(why) = self.delete_mail_of_erased(ports).await
        {
            tracing::warn!(why, "mail of erased people may still exist; the sweep will try again");
            return Ok(());
        }
        self.next = now + EVERY;
        if let Err(error) = ports.credentials.sweep(now).await {
            tracing::warn!(%error, "expired credentials were not deleted; the sweep will try again");
        }
        if let Err(error) = self.mail.sweep().await {
            tracing::warn!(%error, "old mail was not deleted; the sweep will try again");
        }
        Ok(())
    }
}

impl ExpiredCredentials {
    async fn delete_mail_of_erased(&self, ports: &ShopPorts) -> Result<(), String> {
        for recipient in self.mail.recipients().await.map_err(|error| error.to_string())? {
            if ports.people.is_erased(&recipient.person()).await.map_err(|error| error.to_string())? {
                self.mail.forget(&recipient).await.map_err(|error| error.to_string())?;
                tracing::info!(reader = %recipient, "the mail of an erased person was deleted");
            }
        }
        Ok(())
    }
}
