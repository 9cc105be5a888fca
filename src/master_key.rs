//! Master key that encrypts the keys of people. It comes from the configuration, from a file, or from the
//! data folder. The data folder gets a new master key at the first start.

use std::io;
use std::path::{Path, PathBuf};

use souk_configuration::Configuration;
use souk_http::keys::KEYS_FOLDER;
use souk_private_files::{ModeChange, make_folder, secure_key, write_new};
use souk_sqlite_person_keys::{MasterKey, MasterKeyMalformed, SqlitePersonKeys};

/// Name of the master key file in the folder of keys.
const MASTER_KEY: &str = "master";

/// Reason why the master key can't be used. No file was changed.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file can't be read or written.
    #[error("the master key file {} can't be used: {error}", .path.display())]
    Io {
        /// Path of the master key file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The master key has the wrong form.
    #[error("the master key {from} is malformed: {why}")]
    Malformed {
        /// Source of the master key, for the message.
        from: String,
        /// Expected form.
        why: MasterKeyMalformed,
    },
    /// There are keys of people, but the master key for them is missing.
    #[error(
        "master-key-missing: the file {} is missing. It contains the master key that encrypts personal data in this \
        folder: put the file back, or set SOUK_MASTER_KEY_FILE to its path, or SOUK_MASTER_KEY to its 64 digits",
        .path.display()
    )]
    Missing {
        /// Path where the file should be.
        path: PathBuf,
    },
    /// The system provides no random bytes.
    #[error("a master key can't be created: {0}")]
    NoRandomness(getrandom::Error),
}

/// Returns the master key of a data folder. Creates it if the folder has no keys of people yet.
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

/// Reads a master key file. If other users could read or write the file, their rights are removed.
fn read(path: &Path) -> io::Result<String> {
    if let Some(ModeChange { before, now }) = secure_key(path)? {
        let path = path.display();
        tracing::warn!(%path, before, now, "other users could read the master key: replace it with `souk keys rewrap`");
    }
    std::fs::read_to_string(path)
}

/// Returns the path of the master key file, or `None` if the master key is in the configuration.
pub fn path(configuration: &Configuration) -> Option<PathBuf> {
    if configuration.master_key.is_some() {
        return None;
    }
    let in_folder = || configuration.data.join(KEYS_FOLDER).join(MASTER_KEY);
    Some(configuration.master_key_file.clone().unwrap_or_else(in_folder))
}

/// Returns the path of the next master key. The file exists until every key is encrypted with the next master
/// key.
pub fn next(path: &Path) -> PathBuf {
    path.with_extension("next")
}

/// Replaces the master key file by the next one, if the keys are already encrypted with the next master key.
/// This also completes an interrupted change. The old master key is kept in another file, for older backups.
pub fn finish(path: &Path, data: &Path) -> Result<(), MasterKeyError> {
    let next = next(path);
    let io = |error: io::Error| MasterKeyError::Io { path: next.clone(), error };
    let text = match read(&next) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    let id = |text: &str| MasterKey::parse(text).map(|key| key.id()).ok();
    let current = souk_sqlite_person_keys::master_id(data).ok().flatten();
    if current.is_none() || id(&text) != current {
        return Ok(());
    }
    if let Some(old) = std::fs::read_to_string(path).ok().and_then(|text| id(&text)) {
        std::fs::rename(path, path.with_extension(old)).map_err(io)?;
    }
    std::fs::rename(&next, path).map_err(io)
}

/// Creates the next master key in a separate file, or returns the one that an interrupted change left there.
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
    use crate::testing::configuration;
    use souk_configuration::Secret;

    #[test]
    fn a_new_folder_gets_a_master_key_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = configuration(folder.path());
        let made = of(&configuration).unwrap();
        assert_eq!(of(&configuration).unwrap(), made);
    }

    #[cfg(unix)]
    #[test]
    fn other_users_lose_the_right_to_read_the_master_key() {
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
    fn a_master_key_in_the_configuration_is_checked_and_has_priority() {
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
    fn a_missing_configured_file_is_an_error_and_no_master_key_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let mut configuration = configuration(folder.path());
        configuration.master_key_file = Some(folder.path().join("elsewhere"));
        let error = of(&configuration).unwrap_err().to_string();
        assert!(error.contains("elsewhere"), "{error}");
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn a_lost_master_key_is_an_error_if_there_are_keys_of_people() {
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
