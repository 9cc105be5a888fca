//! The shop's keys: made at the first start, readable by their owner alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderMap;
use axum_extra::extract::cookie::Key;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use souk_private_files::{make_folder, mend, mend_key, mend_private, write_new};

use crate::cart_token;
use crate::identity::{Caller, Tokens, Verified};
use crate::problem::Problem;
use crate::token_keys::{self, TokenKeys};

/// The folder of the keys in the data folder.
pub const KEYS_FOLDER: &str = "keys";
/// The secret that all other keys come from: 32 bytes.
const SECRET: &str = "secret";

/// Keys for tokens, carts and request hashes.
pub struct Keys {
    folder: PathBuf,
    tokens: RwLock<Arc<TokenKeys>>,
    verified: Verified,
    pub(crate) cart: [u8; 32],
    /// Tells refresh tokens that this shop gave out.
    pub refresh: [u8; 32],
    /// Tells codes of sign-ins that this shop gave out.
    pub sign_in_code: [u8; 32],
    /// Seals what a browser carries through an identity provider.
    pub sign_in: Key,
    /// Hashes requests.
    pub request_hash: [u8; 32],
    /// Hashes e-mail addresses, to count mails.
    pub mail_counts: [u8; 32],
    /// Hashes e-mail addresses, to look them up; it never rotates.
    pub email_hash: [u8; 32],
    /// Hashes correlation ids that clients send; it never rotates.
    pub correlation: [u8; 32],
}

/// Why keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file can't be read or written.
    #[error("the key file {} can't be used: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The secret is gone, and others that belong to it are there.
    #[error(
        "keys-missing: {} is gone, and with it what e-mail addresses are looked up by: nobody who has an account \
         could sign in; put the file back", .path.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no key.
    #[error("the key file {} holds no key of its kind: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Keys {
    /// Reads the keys of a data folder where they must be: something was kept under them before.
    pub fn read(data: &Path) -> Result<Self, KeysError> {
        let path = data.join(KEYS_FOLDER).join(SECRET);
        if path.exists() { Self::open(data) } else { Err(KeysError::Gone { path }) }
    }

    /// Reads the keys of a data folder, or makes them.
    pub fn open(data: &Path) -> Result<Self, KeysError> {
        let folder = data.join(KEYS_FOLDER);
        let io = |error| KeysError::Io { path: folder.clone(), error };
        make_folder(&folder).map_err(io)?;
        // The administrator's folder, or one on a disk that can't be written, may stay readable, never writable.
        let mended = mend_private(&folder).or_else(|_| mend(&folder)).map_err(io)?;
        if let Some(mended) = mended {
            let path = folder.display();
            tracing::warn!(%path, before = mended.before, now = mended.now, "others could open the folder of keys");
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
            verified: Verified::default(),
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

/// A key for signing and one for sealing, side by side.
fn doubled(secret: &[u8]) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(&blake3::derive_key("souk 2026 sign-ins through providers, signed", secret));
    key[32..].copy_from_slice(&blake3::derive_key("souk 2026 sign-ins through providers, sealed", secret));
    key
}

impl Keys {
    /// The keys that tokens are signed with.
    pub fn tokens(&self) -> Arc<TokenKeys> {
        // The keys are whole at every moment, so a panic elsewhere leaves them usable.
        Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in keys that were made or removed since.
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

    fn are_all(&self) -> bool {
        true
    }

    fn verified(&self) -> &Verified {
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

/// Reads a key file that its owner alone may write; others lose the right to read it.
pub(crate) fn read_key(path: &Path) -> io::Result<Vec<u8>> {
    if let Some(mended) = mend_key(path)? {
        let path = path.display();
        tracing::warn!(%path, before = mended.before, now = mended.now, "others could read a key: make a new one");
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

    #[cfg(unix)]
    #[test]
    fn key_files_are_their_owners_alone() {
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
    fn a_planted_key_that_others_may_write_is_refused_by_name_and_signs_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        let of_folder = folder.path().join(KEYS_FOLDER);
        assert_eq!(fs::metadata(&of_folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&of_folder, fs::Permissions::from_mode(0o777)).unwrap();
        let planted = of_folder.join("token-1.pem");
        fs::copy(of_folder.join("token.pem"), &planted).unwrap();
        fs::set_permissions(&planted, fs::Permissions::from_mode(0o666)).unwrap();
        let before = keys.tokens().statuses(noon());
        assert!(keys.reload().is_err());
        assert_eq!(keys.tokens().statuses(noon()), before);
        let error = Keys::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("token-1.pem") && error.contains("key-not-private"), "{error}");
        assert_eq!(fs::metadata(&of_folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::remove_file(planted).unwrap();
        Keys::open(folder.path()).unwrap();
    }

    #[test]
    fn a_damaged_key_file_is_refused_by_name_and_left_as_it_is() {
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
