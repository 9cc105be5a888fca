//! Mail into a folder: one of its own for each person, a file for each mail, for a week.

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

/// The folder's name in the data folder.
pub const MAIL_FOLDER: &str = "mail";
/// How long a mail is kept.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes of a mail, at most.
const MAIL_BYTES_MAX: usize = 1024 * 1024;

/// The folder.
#[derive(Clone)]
pub struct MailFolder {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Held while a person's folder is changed, so that no mail is written into a folder that is being removed.
    changing: Arc<Mutex<()>>,
}

impl MailFolder {
    /// Mail in a data folder; nothing is made before the first.
    pub fn new(data: &Path, clock: Arc<dyn Clock>) -> Self {
        Self { folder: data.join(MAIL_FOLDER), clock, changing: Arc::default() }
    }

    /// Where somebody's mail lies. An opaque id can have any character, a folder can't.
    pub fn of(&self, user: &CustomerId) -> PathBuf {
        self.folder.join(BASE64_URL_SAFE_NO_PAD.encode(user.as_str()))
    }

    /// Removes mail that is older than a week.
    pub async fn sweep(&self) -> Result<(), MailFailed> {
        let folder = self.folder.clone();
        let than = SystemTime::from(self.clock.now()) - KEPT;
        let changing = Arc::clone(&self.changing);
        blocking(move || {
            for person in people(&folder)? {
                let _alone = changing.lock().unwrap_or_else(PoisonError::into_inner);
                remove_older(&person, than)?;
            }
            Ok(())
        })
        .await
    }

    /// People whose mail is kept.
    pub async fn readers(&self) -> Result<Vec<CustomerId>, MailFailed> {
        let folder = self.folder.clone();
        let folders = blocking(move || people(&folder)).await?;
        Ok(folders.iter().filter_map(|folder| reader_of(folder)).collect())
    }
}

#[async_trait]
impl Outbox for MailFolder {
    async fn send(&self, mail: Mail) -> Result<(), MailFailed> {
        let folder = self.of(&mail.user);
        let name = format!("{}.eml", self.clock.new_id());
        let date = DateTimePrinter::new().timestamp_to_string(&self.clock.now());
        let date = date.map_err(|error| MailFailed(error.to_string()))?;
        let changing = Arc::clone(&self.changing);
        blocking(move || {
            let _alone = changing.lock().unwrap_or_else(PoisonError::into_inner);
            write(&folder, &name, &date, &mail)
        })
        .await
    }

    async fn sent_to(&self, user: &CustomerId) -> Result<Vec<SentMail>, MailFailed> {
        let folder = self.of(user);
        blocking(move || sent(&folder)).await
    }

    async fn forget(&self, user: &CustomerId) -> Result<(), MailFailed> {
        let folder = self.of(user);
        let changing = Arc::clone(&self.changing);
        blocking(move || {
            let _alone = changing.lock().unwrap_or_else(PoisonError::into_inner);
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
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| MailFailed(error.to_string()))?.map_err(|error| MailFailed(error.to_string()))
}

fn write(folder: &Path, name: &str, date: &str, mail: &Mail) -> io::Result<()> {
    if let Some(mail) = folder.parent() {
        make_folder(mail)?;
    }
    make_folder(folder)?;
    let text = format!(
        "Date: {date}\r\nTo: {}\r\nSubject: {}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n",
        mail.to.as_str(),
        mail.subject,
        mail.text.replace('\n', "\r\n"),
    );
    if text.len() > MAIL_BYTES_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, "a mail has at most 1 MiB"));
    }
    // Under its name only when it is whole.
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
            // Its week is over since the folder was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            text => all.extend(heads(&text?)),
        }
    }
    all.sort_by_key(|mail| Reverse(mail.at));
    Ok(all)
}

/// What stands above a mail's text; none when it is no mail of ours.
fn heads(text: &str) -> Option<SentMail> {
    let mut lines = text.lines();
    let date = lines.next()?.strip_prefix("Date: ")?;
    let at = DateTimeParser::new().parse_timestamp(date).ok()?;
    let subject = lines.find_map(|line| line.strip_prefix("Subject: "))?.to_owned();
    Some(SentMail { at, subject })
}

/// The folders of people.
fn people(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        people => people?.map(|person| Ok(person?.path())).collect(),
    }
}

/// The person whose mail lies in a folder; none when it is no folder of ours.
fn reader_of(folder: &Path) -> Option<CustomerId> {
    let name = BASE64_URL_SAFE_NO_PAD.decode(folder.file_name()?.as_encoded_bytes()).ok()?;
    CustomerId::parse(std::str::from_utf8(&name).ok()?).ok()
}

/// Removes the older mail of one person.
fn remove_older(person: &Path, than: SystemTime) -> io::Result<()> {
    let mails = match std::fs::read_dir(person) {
        // Its reader was erased since the folders were listed.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        mails => mails?,
    };
    for mail in mails {
        let mail = mail?;
        if mail.metadata()?.modified()? < than {
            std::fs::remove_file(mail.path())?;
        }
    }
    // One that has mail still is not removed by this.
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
    async fn a_mail_is_a_file_in_a_folder_of_its_readers_own() {
        let data = tempfile::tempdir().unwrap();
        let folder = MailFolder::new(data.path(), Arc::new(Noon));
        folder.send(mail("../ada")).await.unwrap();
        let path = folder.of(&CustomerId::parse("../ada").unwrap());
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
    async fn mail_that_is_written_meanwhile_keeps_nobody_from_being_forgotten() {
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
        let mut readers = folder.readers().await.unwrap();
        readers.sort();
        assert_eq!(readers, ["../bob", "ada"].map(|reader| CustomerId::parse(reader).unwrap()));
        folder.forget(&ada).await.unwrap();
        assert!(!folder.of(&ada).exists());
    }

    #[tokio::test]
    async fn mail_goes_with_its_reader_and_after_a_week() {
        let data = tempfile::tempdir().unwrap();
        let folder = MailFolder::new(data.path(), Arc::new(Noon));
        folder.sweep().await.unwrap();
        folder.send(mail("ada")).await.unwrap();
        folder.send(mail("bob")).await.unwrap();
        folder.forget(&CustomerId::parse("ada").unwrap()).await.unwrap();
        folder.forget(&CustomerId::parse("ada").unwrap()).await.unwrap();
        let bobs = folder.of(&CustomerId::parse("bob").unwrap());
        assert!(!folder.of(&CustomerId::parse("ada").unwrap()).exists() && bobs.exists());
        folder.sweep().await.unwrap();
        assert!(bobs.exists());
        let mail = std::fs::read_dir(&bobs).unwrap().next().unwrap().unwrap().path();
        let file = std::fs::File::options().write(true).open(mail).unwrap();
        file.set_modified(SystemTime::from(noon()) - KEPT - Duration::from_secs(1)).unwrap();
        folder.sweep().await.unwrap();
        assert!(!bobs.exists());
    }
}
