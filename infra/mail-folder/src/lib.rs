//! An outbox that writes mail to files instead of sending it. Each recipient has a folder, and each mail is
//! one file in it. Files are deleted after one week.

use std::cmp::Reverse;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use souk_domain::CustomerId;
use souk_eventsourcing::Clock;
use souk_private_files::{make_folder, write_new};
use souk_sign_in::mail::MailFailed;
use souk_sign_in::{Mail, Outbox, SentMail};

/// Name of the mail folder in the data folder.
pub const MAIL_FOLDER: &str = "mail";
/// Time after which a mail is deleted.
pub const MAIL_TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// Limit of the size of a mail, in bytes.
const MAIL_BYTES_MAX: usize = 1024 * 1024;

/// The mail folder of a shop.
#[derive(Clone)]
pub struct MailFolder {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Locked while a recipient's folder changes, so that no mail is written into a folder that is being
    /// removed.
    changing: Arc<Mutex<()>>,
}

impl MailFolder {
    /// Uses the mail folder in a data folder. The first mail creates it.
    pub fn new(data: &Path, clock: Arc<dyn Clock>) -> Self {
        Self { folder: data.join(MAIL_FOLDER), clock, changing: Arc::default() }
    }

    /// Path of a recipient's folder. Its name is the Base64 form of the user id, because a user id may have
    /// characters that are not allowed in file names.
    pub fn folder_of(&self, user: &CustomerId) -> PathBuf {
        self.folder.join(BASE64_URL_SAFE_NO_PAD.encode(user.as_str()))
    }

    /// Deletes mail that is older than [`MAIL_TTL`].
    pub async fn sweep(&self) -> Result<(), MailFailed> {
        let folder = self.folder.clone();
        let oldest = SystemTime::from(self.clock.now()) - MAIL_TTL;
        let changing = Arc::clone(&self.changing);
        blocking(move || {
            for person in recipient_folders(&folder)? {
                let _lock = changing.lock().unwrap_or_else(PoisonError::into_inner);
                remove_older(&person, oldest)?;
            }
            Ok(())
        })
        .await
    }

    /// Returns the people who have mail in the folder.
    pub async fn recipients(&self) -> Result<Vec<CustomerId>, MailFailed> {
        let folder = self.folder.clone();
        let folders = blocking(move || recipient_folders(&folder)).await?;
        Ok(folders.iter().filter_map(|folder| recipient_of(folder)).collect())
    }
}

#[async_trait]
impl Outbox for MailFolder {
    async fn send(&self, mail: Mail) -> Result<(), MailFailed> {
        let folder = self.folder_of(&mail.user);
        let name = format!("{}.eml", self.clock.new_id());
        let date = DateTimePrinter::new().timestamp_to_string(&self.clock.now());
        let date = date.map_err(|error| MailFailed(error.to_string()))?;
        let changing = Arc::clone(&self.changing);
        blocking(move || {
            let _lock = changing.lock().unwrap_or_else(PoisonError::into_inner);
            write(&folder, &name, &date, &mail)
        })
        .await
    }

    async fn sent_to(&self, user: &CustomerId) -> Result<Vec<SentMail>, MailFailed> {
        let folder = self.folder_of(user);
        blocking(move || sent(&folder)).await
    }

    async fn forget(&self, user: &CustomerId) -> Result<(), MailFailed> {
        let folder = self.folder_of(user);
        let changing = Arc::clone(&self.changing);
        blocking(move || {
            let _lock = changing.lock().unwrap_or_else(PoisonError::into_inner);
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, MailFailed> {
    let result = tokio::task::spawn_blocking(work).await;
    result.map_err(|error| MailFailed(error.to_string()))?.map_err(|error| MailFailed(error.to_string()))
}

fn write(folder: &Path, name: &str, date: &str, mail: &Mail) -> io::Result<()> {
    if let Some(mail_folder) = folder.parent() {
        make_folder(mail_folder)?;
    }
    make_folder(folder)?;
    let text = format!(
        "Date: {date}\r\nTo: {}\r\nSubject: {}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n",
        mail.to.as_str(),
        mail.subject,
        mail.text.replace('\n', "\r\n"),
    );
    if text.len() > MAIL_BYTES_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, "the mail is larger than 1 MiB"));
    }
    // The file gets its final name only when it is complete.
    let partial = folder.join(name).with_extension("partial");
    write_new(&partial, text.as_bytes())?;
    std::fs::rename(partial, folder.join(name))
}

fn sent(folder: &Path) -> io::Result<Vec<SentMail>> {
    let files = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        files => files?,
    };
    let mut all = Vec::new();
    for file in files {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        match std::fs::read_to_string(&path) {
            // The sweep deleted the mail after the folder was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            text => all.extend(sent_mail(&text?)),
        }
    }
    all.sort_by_key(|mail| Reverse(mail.at));
    Ok(all)
}

/// Reads the date and the subject of a mail. Returns `None` if the file is not a mail of this outbox.
fn sent_mail(text: &str) -> Option<SentMail> {
    let mut lines = text.lines();
    let date = lines.next()?.strip_prefix("Date: ")?;
    let at = DateTimeParser::new().parse_timestamp(date).ok()?;
    let subject = lines.find_map(|line| line.strip_prefix("Subject: "))?.to_owned();
    Some(SentMail { at, subject })
}

/// Lists the folders of all recipients.
fn recipient_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

/// Returns the recipient of the mail in a folder, or `None` if the folder name is not a user id in Base64.
fn recipient_of(folder: &Path) -> Option<CustomerId> {
    let name = BASE64_URL_SAFE_NO_PAD.decode(folder.file_name()?.as_encoded_bytes()).ok()?;
    CustomerId::parse(std::str::from_utf8(&name).ok()?).ok()
}

/// Deletes the mail of one recipient that is older than `oldest`, and the folder if it is empty then.
fn remove_older(person: &Path, oldest: SystemTime) -> io::Result<()> {
    let mails = match std::fs::read_dir(person) {
        // The recipient was erased after the folders were listed.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        mails => mails?,
    };
    for mail in mails {
        let mail = mail?;
        if mail.metadata()?.modified()? < oldest {
            std::fs::remove_file(mail.path())?;
        }
    }
    // Fails if the folder still has mail, and leaves it.
    let _ = std::fs::remove_dir(person);
    Ok(())
}

#[cfg(test)]
mod tests {
    use souk_domain::Email;
    use souk_eventsourcing::testkit::noon;
    use uuid::Uuid;

    use super::*;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> souk_eventsourcing::Timestamp {
            noon()
        }

        fn new_id(&self) -> Uuid {
            Uuid::from_u128(7)
        }
    }

    fn mail(user: &str) -> Mail {
        Mail {
            user: CustomerId::parse(user).unwrap(),
            to: Email::parse("ada@example.org").unwrap(),
            subject: "Your address".into(),
            text: "One\nTwo".into(),
        }
    }

    #[tokio::test]
    async fn a_mail_is_a_file_in_the_folder_of_its_recipient() {
        let data = tempfile::tempdir().unwrap();
        let folder = MailFolder::new(data.path(), Arc::new(Noon));
        folder.send(mail("../ada")).await.unwrap();
        let path = folder.folder_of(&CustomerId::parse("../ada").unwrap());
        assert_eq!(path.parent().unwrap(), data.path().join(MAIL_FOLDER));
        let files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()).collect();
        let text = std::fs::read_to_string(&files[0]).unwrap();
        assert!(text.contains("To: ada@example.org\r\n") && text.ends_with("One\r\nTwo\r\n"), "{text}");
        assert!(text.starts_with("Date: Sat, 21 Nov 2026 12:00:00 -0000"), "{text}");
        assert_eq!(files.len(), 1);
        let sent = folder.sent_to(&CustomerId::parse("../ada").unwrap()).await.unwrap();
        assert_eq!(sent, [SentMail { at: noon(), subject: "Your address".into() }]);
        let partial = files[0].with_file_name("another.partial");
        std::fs::copy(&files[0], partial).unwrap();
        assert_eq!(folder.sent_to(&CustomerId::parse("../ada").unwrap()).await.unwrap().len(), 1);
        assert!(folder.sent_to(&CustomerId::parse("bob").unwrap()).await.unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_recipient_can_be_erased_while_mail_is_written() {
        struct Ids(std::sync::atomic::AtomicU64);
        impl Clock for Ids {
            fn now(&self) -> souk_eventsourcing::Timestamp {
                noon()
            }
            fn new_id(&self) -> Uuid {
                Uuid::from_u128(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed).into())
            }
        }
        let data = tempfile::tempdir().unwrap();
        let folder = MailFolder::new(data.path(), Arc::new(Ids(std::sync::atomic::AtomicU64::new(0))));
        let ada = CustomerId::parse("ada").unwrap();
        let writes = (0..4).map(|_| {
            let folder = folder.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    folder.send(mail("ada")).await.unwrap();
                }
            })
        });
        let writes: Vec<_> = writes.collect();
        while writes.iter().any(|write| !write.is_finished()) {
            folder.forget(&ada).await.unwrap();
            folder.sweep().await.unwrap();
        }
        folder.send(mail("ada")).await.unwrap();
        folder.send(mail("../bob")).await.unwrap();
        let mut recipients = folder.recipients().await.unwrap();
        recipients.sort();
        assert_eq!(recipients, ["../bob", "ada"].map(|user| CustomerId::parse(user).unwrap()));
        folder.forget(&ada).await.unwrap();
        assert!(!folder.folder_of(&ada).exists());
    }

    #[tokio::test]
    async fn mail_is_deleted_with_its_recipient_or_after_a_week() {
        let data = tempfile::tempdir().unwrap();
        let folder = MailFolder::new(data.path(), Arc::new(Noon));
        folder.sweep().await.unwrap();
        folder.send(mail("ada")).await.unwrap();
        folder.send(mail("bob")).await.unwrap();
        folder.forget(&CustomerId::parse("ada").unwrap()).await.unwrap();
        folder.forget(&CustomerId::parse("ada").unwrap()).await.unwrap();
        let bobs = folder.folder_of(&CustomerId::parse("bob").unwrap());
        assert!(!folder.folder_of(&CustomerId::parse("ada").unwrap()).exists() && bobs.exists());
        folder.sweep().await.unwrap();
        assert!(bobs.exists());
        let mail = std::fs::read_dir(&bobs).unwrap().next().unwrap().unwrap().path();
        let file = std::fs::File::options().write(true).open(mail).unwrap();
        file.set_modified(SystemTime::from(noon()) - MAIL_TTL - Duration::from_secs(1)).unwrap();
        folder.sweep().await.unwrap();
        assert!(!bobs.exists());
    }
}
