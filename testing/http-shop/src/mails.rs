//! E-mails and files of the test shop.

use std::path::PathBuf;
use std::time::Duration;

use souk_mail_folder::MailFolder;

use crate::{Shop, customer_id};

/// Interval between two polls for an e-mail.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Limit of polls for an e-mail.
const POLLS_MAX: u32 = 1_000;

impl Shop {
    fn mail_files(&self, user: &str) -> Vec<PathBuf> {
        let folder = MailFolder::new(self.folder.path(), self.ports.clock.clone());
        let files = std::fs::read_dir(folder.folder_of(&customer_id(user)));
        files.into_iter().flatten().map(|file| file.unwrap().path()).collect()
    }

    /// Returns the latest e-mail to a user.
    pub fn last_mail(&self, user: &str) -> Option<String> {
        self.mail_files(user).iter().max().map(|file| std::fs::read_to_string(file).unwrap())
    }

    /// Returns the number of e-mails to a user.
    pub fn mails(&self, user: &str) -> usize {
        let files = self.mail_files(user).into_iter();
        files.filter(|path| path.extension().is_some_and(|extension| extension == "eml")).count()
    }

    /// Waits until a user has this number of e-mails.
    pub async fn until_mails(&self, user: &str, mails: usize) {
        for _ in 0..POLLS_MAX {
            if self.mails(user) == mails {
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("{} mails, not {mails}", self.mails(user));
    }

    /// Returns true if a file at the top level of the data folder contains the bytes.
    pub fn has_in_files(&self, bytes: &[u8]) -> bool {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files = files.filter(|path| path.is_file());
        files.any(|path| std::fs::read(path).unwrap().windows(bytes.len()).any(|part| part == bytes))
    }
}
