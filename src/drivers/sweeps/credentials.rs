//! Sweep that deletes expired sessions, tokens, sign-ins and mail. After each start it also deletes the mail
//! of erased people, because a crash may have left a mail behind, or an older folder may have been restored.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_command_api::Ports;
use souk_mail_folder::MailFolder;
use souk_sign_in::Outbox as _;
use sqlx::SqlitePool;

use super::Sweep;

/// Interval between two sweeps. Expired items need not be deleted at once.
const EVERY: SignedDuration = SignedDuration::from_mins(10);

pub(super) struct ExpiredCredentials {
    pub(super) mail: MailFolder,
    /// Time of the next sweep.
    pub(super) next: Timestamp,
}

#[async_trait]
impl Sweep for ExpiredCredentials {
    fn name(&self) -> &'static str {
        "credential-sweep"
    }

    async fn step(&mut self, _: &SqlitePool, ports: &Ports) -> Result<(), sqlx::Error> {
        let now = ports.clock.now();
        if now < self.next {
            return Ok(());
        }
        if self.next == Timestamp::UNIX_EPOCH
            && let Err(why) = self.delete_mail_of_erased(ports).await
        {
            tracing::warn!(why, "mail of erased people may still exist; the next sweep tries again");
            return Ok(());
        }
        self.next = now + EVERY;
        if let Err(error) = ports.accounts.credentials.sweep(now).await {
            tracing::warn!(%error, "expired credentials were not deleted; the next sweep tries again");
        }
        if let Err(error) = self.mail.sweep().await {
            tracing::warn!(%error, "old mail was not deleted; the next sweep tries again");
        }
        Ok(())
    }
}

impl ExpiredCredentials {
    async fn delete_mail_of_erased(&self, ports: &Ports) -> Result<(), String> {
        for reader in self.mail.recipients().await.map_err(|error| error.to_string())? {
            if ports.people.is_erased(&reader.person()).await.map_err(|error| error.to_string())? {
                self.mail.forget(&reader).await.map_err(|error| error.to_string())?;
                tracing::info!(%reader, "the mail of an erased person was deleted");
            }
        }
        Ok(())
    }
}
