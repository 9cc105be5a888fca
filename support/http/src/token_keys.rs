//! Signing keys of access tokens. Each key is a file whose name contains the time at which the key was made.
//!
//! A new key is published for a minute before it signs tokens, so that gateways have fetched it by then.
//! Tokens of the previous key are accepted for another week. When a key file is removed, its tokens are
//! refused at once.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::Serialize;
use souk_private_files::write_new;
use utoipa::ToSchema;

use crate::keys::{KeysError, random, read_key};

/// File name of the first key.
const FIRST: &str = "token.pem";
/// Time for which a new key is published before it signs tokens.
const PUBLISHED_BEFORE_SIGNING: SignedDuration = SignedDuration::from_secs(60);
/// Time for which tokens of a key are still accepted after the next key has started to sign.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Largest number of keys in a folder.
const KEYS_MAX: usize = 100;

/// A signing key.
pub struct TokenKey {
    pub(crate) id: String,
    pub(crate) encoding: EncodingKey,
    pub(crate) decoding: Arc<DecodingKey>,
    public: [u8; 32],
    /// Time from the file name. The first key has the Unix epoch, so it is older than all others.
    made_at: Timestamp,
    /// Time of the last change of the file.
    written_at: Option<Timestamp>,
}

impl TokenKey {
    /// Returns the time that operators see as the creation time. The name of the first key's file contains no
    /// time, so the time of the file is used.
    fn shown_made_at(&self) -> Option<Timestamp> {
        if self.made_at == Timestamp::UNIX_EPOCH { self.written_at } else { Some(self.made_at) }
    }
}

/// All signing keys of a folder, oldest first.
pub struct TokenKeys {
    keys: Vec<TokenKey>,
    /// Files of the keys. The caller compares them with the folder to notice new and removed keys.
    pub(crate) files: Vec<PathBuf>,
}

/// Status of a signing key, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// Id of the key: the `kid` in the header of its tokens.
    pub kid: String,
    /// Time at which the key was made. `None` if the file system does not know it.
    pub made_at: Option<Timestamp>,
    /// True if new tokens are signed with this key.
    pub signs: bool,
    /// Time until which tokens of the key are accepted. `None` for the newest key.
    pub taken_until: Option<Timestamp>,
}

impl TokenKeys {
    /// Reads the keys of a folder. Makes the first key if the folder has none.
    pub fn open(folder: &Path) -> Result<Self, KeysError> {
        let mut files = files(folder)?;
        if files.is_empty() {
            make(&folder.join(FIRST))?;
            files = self::files(folder)?;
        }
        let keys = files.iter().map(|path| TokenKey::read(path)).collect::<Result<_, _>>()?;
        Ok(Self { keys, files })
    }

    /// Returns the key that signs new tokens.
    pub(crate) fn signing(&self, now: Timestamp) -> &TokenKey {
        let ready = self.keys.iter().rev().find(|key| key.made_at + PUBLISHED_BEFORE_SIGNING <= now);
        // There is always at least one key. If none has been published for long enough, the oldest key signs.
        ready.unwrap_or(&self.keys[0])
    }

    /// Returns the key with this id, if its tokens are still accepted.
    pub(crate) fn find(&self, id: &str, now: Timestamp) -> Option<&TokenKey> {
        let index = self.keys.iter().position(|key| key.id == id)?;
        let is_expired = self.accepted_until(index).is_some_and(|until| until <= now);
        (!is_expired).then(|| &self.keys[index])
    }

    fn accepted_until(&self, index: usize) -> Option<Timestamp> {
        self.keys.get(index + 1).map(|next| next.made_at + PUBLISHED_BEFORE_SIGNING + OVERLAP)
    }

    /// Returns the status of every key, oldest first.
    pub fn statuses(&self, now: Timestamp) -> Vec<KeyStatus> {
        let signing = &self.signing(now).id;
        let status = |(index, key): (usize, &TokenKey)| KeyStatus {
            kid: key.id.clone(),
            made_at: key.shown_made_at(),
            signs: key.id == *signing,
            taken_until: self.accepted_until(index),
        };
        self.keys.iter().enumerate().map(status).collect()
    }

    /// Returns the public keys whose tokens are accepted.
    pub fn key_set(&self, now: Timestamp) -> KeySet {
        let accepted = self.keys.iter().filter(|key| self.find(&key.id, now).is_some());
        let published = |key: &TokenKey| PublicKey {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            usage: "sig",
            kid: key.id.clone(),
            x: BASE64_URL_SAFE_NO_PAD.encode(key.public),
        };
        KeySet { keys: accepted.map(published).collect() }
    }
}

/// Makes a new signing key in a folder. If `remove_old` is true, all older keys are removed, so that their
/// tokens are refused at once.
pub fn rotate(folder: &Path, now: Timestamp, remove_old: bool) -> Result<(), KeysError> {
    let before = files(folder)?;
    let path = folder.join(format!("token-{}.pem", now.as_second()));
    if before.len() >= KEYS_MAX {
        let reason = format!("the folder already has {KEYS_MAX} keys; remove old ones");
        return Err(KeysError::Malformed { path, reason });
    }
    make(&path)?;
    for old in before.iter().filter(|_| remove_old) {
        fs::remove_file(old).map_err(|error| KeysError::Io { path: old.clone(), error })?;
    }
    Ok(())
}

fn make(path: &Path) -> Result<(), KeysError> {
    let malformed = |reason: String| KeysError::Malformed { path: path.to_owned(), reason };
    let key = SigningKey::from_bytes(&random().map_err(malformed)?);
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| malformed(error.to_string()))?;
    write_new(path, pem.as_bytes()).map_err(|error| KeysError::Io { path: path.to_owned(), error })
}

/// Returns the time in the name of a key file, or `None` for other files.
fn made_at(path: &Path) -> Option<Timestamp> {
    let name = path.file_name()?.to_str()?;
    if name == FIRST {
        return Some(Timestamp::UNIX_EPOCH);
    }
    let seconds = name.strip_prefix("token-")?.strip_suffix(".pem")?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

/// Returns the time of the last change of a file, if the file system knows it.
fn written_at(path: &Path) -> Option<Timestamp> {
    Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok()
}

/// Returns the key files of a folder, oldest first.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, KeysError> {
    let failed = |error: std::io::Error| KeysError::Io { path: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if let Some(at) = made_at(&path) {
            files.push((at, path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

impl TokenKey {
    fn read(path: &Path) -> Result<Self, KeysError> {
        let malformed = |reason: String| KeysError::Malformed { path: path.to_owned(), reason };
        let pem = read_key(path).map_err(|error| KeysError::Io { path: path.to_owned(), error })?;
        let key = SigningKey::from_pkcs8_pem(&String::from_utf8_lossy(&pem))
            .map_err(|error| malformed(error.to_string()))?;
        let public = key.verifying_key();
        let public_pem =
            public.to_public_key_pem(LineEnding::LF).map_err(|error| malformed(error.to_string()))?;
        let invalid_pem = |error: jsonwebtoken::errors::Error| malformed(error.to_string());
        Ok(Self {
            id: blake3::hash(public.as_bytes()).to_hex()[..16].to_owned(),
            encoding: EncodingKey::from_ed_pem(&pem).map_err(invalid_pem)?,
            decoding: Arc::new(DecodingKey::from_ed_pem(public_pem.as_bytes()).map_err(invalid_pem)?),
            public: *public.as_bytes(),
            made_at: made_at(path).unwrap_or(Timestamp::UNIX_EPOCH),
            written_at: written_at(path),
        })
    }
}

/// The public token keys as a JSON Web Key Set (RFC 7517, RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "KeySet", example = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "6f1c0a2b3d4e5f60", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}))]
pub struct KeySet {
    /// All keys whose tokens are accepted.
    pub keys: Vec<PublicKey>,
}

/// A public token key as a JSON Web Key.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    kid: String,
    x: String,
}

#[cfg(test)]
mod tests {
    use souk_eventsourcing::testkit::noon;

    use super::*;

    /// Returns the id of the signing key and the number of published keys, some seconds after noon.
    fn signing_and_published(keys: &TokenKeys, seconds: i64) -> (String, usize) {
        let now = noon() + SignedDuration::from_secs(seconds);
        (keys.signing(now).id.clone(), keys.key_set(now).keys.len())
    }

    // Proves: sign-in.signing-keys
    #[test]
    fn a_new_key_is_published_then_signs_and_tokens_of_the_old_key_are_accepted_for_a_week() {
        let folder = tempfile::tempdir().unwrap();
        let first = TokenKeys::open(folder.path()).unwrap().keys[0].id.clone();
        rotate(folder.path(), noon(), false).unwrap();
        let keys = TokenKeys::open(folder.path()).unwrap();
        let second = keys.keys[1].id.clone();
        let week = OVERLAP.as_secs();
        assert_eq!(signing_and_published(&keys, 0), (first.clone(), 2));
        assert_eq!(signing_and_published(&keys, 59), (first.clone(), 2));
        assert_eq!(signing_and_published(&keys, 60), (second.clone(), 2));
        assert_eq!(signing_and_published(&keys, 60 + week), (second.clone(), 1));
        assert!(keys.find(&first, noon() + OVERLAP).is_some());
        assert!(keys.find(&first, noon() + OVERLAP + PUBLISHED_BEFORE_SIGNING).is_none());
        let signs: Vec<bool> = keys.statuses(noon()).into_iter().map(|status| status.signs).collect();
        assert_eq!(signs, [true, false]);
    }

    #[test]
    fn the_first_key_shows_the_time_of_its_file_and_counts_as_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        TokenKeys::open(folder.path()).unwrap();
        let file = std::fs::File::options().write(true).open(folder.path().join(FIRST)).unwrap();
        let hour = SignedDuration::from_hours(1);
        // If a folder was copied, the file of the first key may be newer than the times in the other names.
        file.set_modified((noon() + hour).into()).unwrap();
        rotate(folder.path(), noon(), false).unwrap();
        let statuses = TokenKeys::open(folder.path()).unwrap().statuses(noon());
        let made: Vec<_> = statuses.iter().map(|status| status.made_at).collect();
        assert_eq!(made, [Some(noon() + hour), Some(noon())]);
        assert!(statuses[0].signs && statuses[0].taken_until.is_some());
    }

    #[test]
    fn a_leaked_key_is_replaced_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = TokenKeys::open(folder.path()).unwrap().keys[0].id.clone();
        rotate(folder.path(), noon(), true).unwrap();
        let keys = TokenKeys::open(folder.path()).unwrap();
        assert!(keys.find(&first, noon()).is_none());
        assert_eq!(signing_and_published(&keys, 0).1, 1);
        assert_ne!(signing_and_published(&keys, 0).0, first);
    }
}
