//! Keys of the shop: the signing keys of tokens, and a secret from which all other keys are derived.
//!
//! The first start makes the keys. Only the owner of the files can read them. A key file that is missing,
//! damaged or writable for others stops the start, and the error names the file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderMap;
use axum_extra::extract::cookie::Key;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use souk_private_files::{forbid_access, forbid_writing, make_folder, secure_key, write_new};

use crate::cart_token;
use crate::identity::{Caller, Tokens, VerifiedTokens};
use crate::problem::Problem;
use crate::token_keys::{self, TokenKeys};

/// Name of the keys folder in the data folder.
pub const KEYS_FOLDER: &str = "keys";
/// File name of the secret from which all other keys are derived: 32 bytes.
const SECRET: &str = "secret";

/// All keys of the shop.
pub struct Keys {
    folder: PathBuf,
    tokens: RwLock<Arc<TokenKeys>>,
    verified: VerifiedTokens,
    pub(crate) cart: [u8; 32],
    /// Key that authenticates refresh tokens.
    pub refresh: [u8; 32],
    /// Key that authenticates the codes with which a browser completes a sign-in.
    pub sign_in_code: [u8; 32],
    /// Key that encrypts the cookie of a sign-in at an identity provider.
    pub sign_in: Key,
    /// Key of the request hashes that are stored with idempotency keys.
    pub request_hash: [u8; 32],
    /// Key of the hashes of e-mail addresses under which mails are counted.
    pub mail_counts: [u8; 32],
    /// Key of the hashes of e-mail addresses by which accounts are found. It never rotates.
    pub email_hash: [u8; 32],
    /// Key of the hashes of correlation ids that clients send. It never rotates.
    pub correlation: [u8; 32],
}

/// Error: the keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file can't be read or written.
    #[error("the key file {} can't be used: {error}", .path.display())]
    Io {
        /// Path of the key file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The secret is missing, but the data folder has data that depends on it.
    #[error(
        "keys-missing: {} is missing. Without it no account can be found by its e-mail address, so nobody could sign \
         in. Restore the file from a backup", .path.display()
    )]
    Gone {
        /// Path of the missing file.
        path: PathBuf,
    },
    /// A file does not contain a valid key.
    #[error("the key file {} is not valid: {reason}", .path.display())]
    Malformed {
        /// Path of the key file.
        path: PathBuf,
        /// Description of the error.
        reason: String,
    },
}

impl Keys {
    /// Reads the keys of a data folder that was used before. Returns an error if they are missing.
    pub fn read(data: &Path) -> Result<Self, KeysError> {
        let path = data.join(KEYS_FOLDER).join(SECRET);
        if path.exists() { Self::open(data) } else { Err(KeysError::Gone { path }) }
    }

    /// Reads the keys of a data folder. Makes them if they do not exist.
    pub fn open(data: &Path) -> Result<Self, KeysError> {
        let folder = data.join(KEYS_FOLDER);
        let io = |error| KeysError::Io { path: folder.clone(), error };
        make_folder(&folder).map_err(io)?;
        // A folder whose permissions can't be restricted (it belongs to the administrator, or is on a
        // read-only disk) may stay readable for others, but not writable.
        let change = forbid_access(&folder).or_else(|_| forbid_writing(&folder)).map_err(io)?;
        if let Some(change) = change {
            let path = folder.display();
            tracing::warn!(%path, before = change.before, now = change.now, "other users had access to the keys folder");
        }
        let tokens = RwLock::new(Arc::new(TokenKeys::open(&folder)?));
        let secret_path = folder.join(SECRET);
        let secret = read_or_make(&secret_path, || Ok(random()?.to_vec()))?;
        if secret.len() < 32 {
            let reason = "it has fewer than 32 bytes".to_owned();
            return Err(KeysError::Malformed { path: secret_path, reason });
        }
        let derived = |context| blake3::derive_key(context, &secret);
        Ok(Self {
            folder,
            tokens,
            verified: VerifiedTokens::default(),
            sign_in: Key::from(&doubled(&secret)),
            refresh: derived("souk 2026 refresh tokens"),
            sign_in_code: derived("souk 2026 codes of sign-ins"),
            cart: derived("souk 2026 guest cart tokens"),
            request_hash: derived("souk 2026 request hashes"),
            mail_counts: derived("souk 2026 counts of mails"),
            email_hash: derived("souk 2026 e-mail addresses"),
            correlation: derived("souk 2026 correlation ids"),
        })
    }
}

/// Derives the two halves of a cookie key: one signs, the other encrypts.
fn doubled(secret: &[u8]) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(&blake3::derive_key("souk 2026 sign-ins through providers, signed", secret));
    key[32..].copy_from_slice(&blake3::derive_key("souk 2026 sign-ins through providers, sealed", secret));
    key
}

impl Keys {
    /// Returns the signing keys of tokens.
    pub fn tokens(&self) -> Arc<TokenKeys> {
        // The keys are consistent at every moment, so they stay usable after a panic of another thread.
        Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the signing keys again if key files were added or removed.
    pub fn reload(&self) -> Result<(), KeysError> {
        if token_keys::files(&self.folder)? == self.tokens().files {
            return Ok(());
        }
        let tokens = Arc::new(TokenKeys::open(&self.folder)?);
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(())
    }
}

impl Tokens for Keys {
    fn key(&self, id: &str, now: Timestamp) -> Option<Arc<DecodingKey>> {
        self.tokens().find(id, now).map(|key| Arc::clone(&key.decoding))
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn verified(&self) -> &VerifiedTokens {
        &self.verified
    }

    fn read_cart(&self, headers: &HeaderMap, caller: &mut Caller) -> Result<(), Problem> {
        caller.cart = cart_token::from_headers(headers, self)?;
        Ok(())
    }
}

pub(crate) fn random() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Reads a key file. If other users may read it, their permission is removed. A file that other users may
/// write is refused.
pub(crate) fn read_key(path: &Path) -> io::Result<Vec<u8>> {
    if let Some(change) = secure_key(path)? {
        let path = path.display();
        tracing::warn!(%path, before = change.before, now = change.now, "other users could read this key; make a new key");
    }
    fs::read(path)
}

fn read_or_make(path: &Path, make: impl FnOnce() -> Result<Vec<u8>, String>) -> Result<Vec<u8>, KeysError> {
    match read_key(path) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let content = make().map_err(|reason| KeysError::Malformed { path: path.to_owned(), reason })?;
            write_new(path, &content).map_err(|error| KeysError::Io { path: path.to_owned(), error })?;
            Ok(content)
        }
        Err(error) => Err(KeysError::Io { path: path.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests {
    use souk_eventsourcing::testkit::noon;

    use super::*;

    // Proves: operations.key-files
    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_a_key_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Keys::open(folder.path()).unwrap();
        for name in ["token.pem", SECRET] {
            let file = fs::metadata(folder.path().join(KEYS_FOLDER).join(name)).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_other_users_may_write_is_refused_by_name() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        let keys_folder = folder.path().join(KEYS_FOLDER);
        assert_eq!(fs::metadata(&keys_folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&keys_folder, fs::Permissions::from_mode(0o777)).unwrap();
        let planted = keys_folder.join("token-1.pem");
        fs::copy(keys_folder.join("token.pem"), &planted).unwrap();
        fs::set_permissions(&planted, fs::Permissions::from_mode(0o666)).unwrap();
        let before = keys.tokens().statuses(noon());
        assert!(keys.reload().is_err());
        assert_eq!(keys.tokens().statuses(noon()), before);
        let error = Keys::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("token-1.pem") && error.contains("key-not-private"), "{error}");
        assert_eq!(fs::metadata(&keys_folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::remove_file(planted).unwrap();
        Keys::open(folder.path()).unwrap();
    }

    #[test]
    fn a_damaged_key_file_is_refused_by_name_and_not_changed() {
        for (name, content) in [("token.pem", "no key"), (SECRET, "short")] {
            let folder = tempfile::tempdir().unwrap();
            Keys::open(folder.path()).unwrap();
            let path = folder.path().join(KEYS_FOLDER).join(name);
            fs::write(&path, content).unwrap();
            let error = Keys::open(folder.path()).err().unwrap().to_string();
            assert!(error.contains(name), "{error}");
            assert_eq!(fs::read_to_string(path).unwrap(), content);
        }
    }
}
