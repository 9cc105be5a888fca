//! Where the master key comes from: the configuration, a file, or the data folder, which makes one at the
//! first start.

use std::io;
use std::path::{Path, PathBuf};

use souk_http::keys::KEYS_FOLDER;
use souk_private_files::{Mended, make_folder, mend_key, write_new};
use souk_sqlite_person_keys::{MasterKey, MasterKeyMalformed, SqlitePersonKeys};

use crate::configuration::Configuration;

/// The file of the master key in the folder of keys.
const MASTER_KEY: &str = "master";

/// Why there is no master key. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file can't be read or written.
    #[error("the master key file {} can't be used: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It holds something else.
    #[error("the master key {from} is malformed: {why}")]
    Malformed {
        /// Where it is from.
        from: String,
        /// What is wanted.
        why: MasterKeyMalformed,
    },
    /// There are keys of people, and no master key for them.
    #[error(
        "master-key-missing: {} is gone, and with it the master key that personal data in this folder is kept \
         under: put the file back, or name where it is (SOUK_MASTER_KEY_FILE, or SOUK_MASTER_KEY with its 64 \
         digits)", .path.display()
    )]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The system gives no random bytes.
    #[error("no master key can be made: {0}")]
    NoRandomness(getrandom::Error),
}

/// The master key of a data folder.
pub fn of(configuration: &Configuration) -> Result<MasterKey, MasterKeyError> {
    let parse = |text: &str, from: String| {
        MasterKey::parse(text).map_err(|why| MasterKeyError::Malformed { from, why })
    };
    if let Some(text) = &configuration.master_key {
        return parse(text.expose(), "in SOUK_MASTER_KEY".to_owned());
    }
    let in_folder = configuration.data.join(KEYS_FOLDER).join(MASTER_KEY);
    let path = configuration.master_key_file.as_ref().unwrap_or(&in_folder);
    finish(path, &configuration.data)?;
    match read(path) {
        Ok(text) => parse(&text, format!("in {}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && *path == in_folder => {
            make(path, &configuration.data)
        }
        Err(error) => Err(MasterKeyError::Io { path: path.clone(), error }),
    }
}

/// Reads a file of a master key, which its owner alone may write. Others lose the right to read it.
fn read(path: &Path) -> io::Result<String> {
    if let Some(Mended { before, now }) = mend_key(path)? {
        let path = path.display();
        tracing::warn!(%path, before, now, "others could read a master key: change it by `souk keys rewrap`");
    }
    std::fs::read_to_string(path)
}

/// Where the master key is read from, when that is a file.
pub fn path(configuration: &Configuration) -> Option<PathBuf> {
    if configuration.master_key.is_some() {
        return None;
    }
    let in_folder = || configuration.data.join(KEYS_FOLDER).join(MASTER_KEY);
    Some(configuration.master_key_file.clone().unwrap_or_else(in_folder))
}

/// Where the next master key waits until every key is wrapped by it.
pub fn next(path: &Path) -> PathBuf {
    path.with_extension("next")
}

/// Puts the next master key in the place of the one before, once the keys are wrapped by it: also after a
/// rotation that was cut off there. The one before is kept beside it, for backups that it opens.
pub fn finish(path: &Path, data: &Path) -> Result<(), MasterKeyError> {
    let next = next(path);
    let io = |error: io::Error| MasterKeyError::Io { path: next.clone(), error };
    let text = match read(&next) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    let id = |text: &str| MasterKey::parse(text).map(|key| key.id()).ok();
    let wanted = souk_sqlite_person_keys::master_id(data).ok().flatten();
    if wanted.is_none() || id(&text) != wanted {
        return Ok(());
    }
    if let Some(old) = std::fs::read_to_string(path).ok().and_then(|text| id(&text)) {
        std::fs::rename(path, path.with_extension(old)).map_err(io)?;
    }
    std::fs::rename(&next, path).map_err(io)
}

/// A new master key in a file of its own, or the one that a rotation which was cut off left there.
pub fn make_next(path: &Path) -> Result<MasterKey, MasterKeyError> {
    let next = next(path);
    let text = match read(&next) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = MasterKey::make().map_err(MasterKeyError::NoRandomness)?;
            let written = write_new(&next, format!("{}\n", *text).as_bytes());
            written.map_err(|error| MasterKeyError::Io { path: next.clone(), error })?;
            text.to_string()
        }
        Err(error) => return Err(MasterKeyError::Io { path: next, error }),
    };
    let from = format!("in {}", next.display());
    MasterKey::parse(&text).map_err(|why| MasterKeyError::Malformed { from, why })
}

fn make(path: &Path, data: &Path) -> Result<MasterKey, MasterKeyError> {
    if SqlitePersonKeys::exists_in(data) {
        return Err(MasterKeyError::Missing { path: path.to_owned() });
    }
    let text = MasterKey::make().map_err(MasterKeyError::NoRandomness)?;
    let written = make_folder(&data.join(KEYS_FOLDER))
        .and_then(|()| write_new(path, format!("{}\n", *text).as_bytes()));
    written.map_err(|error| MasterKeyError::Io { path: path.to_owned(), error })?;
    MasterKey::parse(&text)
        .map_err(|why| MasterKeyError::Malformed { from: format!("in {}", path.display()), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Secret;
    use crate::testing::configuration;

    #[test]
    fn a_folder_makes_one_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = configuration(folder.path());
        let made = of(&configuration).unwrap();
        assert_eq!(of(&configuration).unwrap(), made);
    }

    #[cfg(unix)]
    #[test]
    fn a_master_key_that_others_could_read_is_mended() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let configuration = configuration(folder.path());
        let made = of(&configuration).unwrap();
        let file = path(&configuration).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(of(&configuration).unwrap(), made);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_in_the_configuration_wins_and_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let digits = "5a".repeat(32);
        let mut configuration = configuration(folder.path());
        configuration.master_key = Some(Secret::new(digits.clone()));
        assert_eq!(of(&configuration).unwrap(), MasterKey::parse(&digits).unwrap());
        configuration.master_key = Some(Secret::new("short".to_owned()));
        let error = of(&configuration).unwrap_err().to_string();
        assert!(error.contains("SOUK_MASTER_KEY") && !error.contains("short"), "{error}");
    }

    #[test]
    fn a_file_that_was_named_and_is_not_there_is_no_reason_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut configuration = configuration(folder.path());
        configuration.master_key_file = Some(folder.path().join("elsewhere"));
        let error = of(&configuration).unwrap_err().to_string();
        assert!(error.contains("elsewhere"), "{error}");
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn a_lost_key_is_missed_where_there_are_keys_of_people() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = configuration(folder.path());
        drop(SqlitePersonKeys::open(folder.path(), of(&configuration).unwrap()).unwrap());
        let path = folder.path().join(KEYS_FOLDER).join(MASTER_KEY);
        std::fs::remove_file(&path).unwrap();
        let error = of(&configuration).unwrap_err().to_string();
        assert!(error.contains("master-key-missing") && error.contains("SOUK_MASTER_KEY"), "{error}");
        assert!(!path.exists());
    }
}
