//! The keys that tokens are signed with, the newest of which signs: a file each, named by when it was made.
//!
//! A new key is published for a minute before it signs, so that whoever keeps the published ones knows it
//! by then; the one before it is good for what it has signed for another week. Removing a key's file refuses
//! its tokens at once.

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

/// The first key's file.
const FIRST: &str = "token.pem";
/// How long a key is published before it signs.
const PUBLISHED_BEFORE: SignedDuration = SignedDuration::from_secs(60);
/// How long a key's tokens are taken after the next one signs.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Keys that are kept at once, at most.
const KEYS_MAX: usize = 100;

/// A key.
pub struct TokenKey {
    pub(crate) id: String,
    pub(crate) encoding: EncodingKey,
    pub(crate) decoding: Arc<DecodingKey>,
    public: [u8; 32],
    /// By the name of its file: the first key is older than all others.
    made_at: Timestamp,
    /// By the file itself.
    written_at: Option<Timestamp>,
}

impl TokenKey {
    /// The moment at which it was made, as people are told: the first key's file has no time in its name.
    fn told_made_at(&self) -> Option<Timestamp> {
        if self.made_at == Timestamp::UNIX_EPOCH { self.written_at } else { Some(self.made_at) }
    }
}

/// All keys there are, oldest first.
pub struct TokenKeys {
    keys: Vec<TokenKey>,
    /// Their files, to see when there are others.
    pub(crate) files: Vec<PathBuf>,
}

/// What an operator is shown of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// Its id: the `kid` of its tokens.
    pub kid: String,
    /// When it was made; none if the file system does not tell.
    pub made_at: Option<Timestamp>,
    /// Whether it signs by now.
    pub signs: bool,
    /// Until when its tokens are taken; none for the newest.
    pub taken_until: Option<Timestamp>,
}

impl TokenKeys {
    /// Reads the keys of a folder, or makes the first.
    pub fn open(folder: &Path) -> Result<Self, KeysError> {
        let mut files = files(folder)?;
        if files.is_empty() {
            make(&folder.join(FIRST))?;
            files = self::files(folder)?;
        }
        let keys = files.iter().map(|path| TokenKey::read(path)).collect::<Result<_, _>>()?;
        Ok(Self { keys, files })
    }

    /// The key that signs.
    pub(crate) fn signing(&self, now: Timestamp) -> &TokenKey {
        let ready = self.keys.iter().rev().find(|key| key.made_at + PUBLISHED_BEFORE <= now);
        // There is always one; the first has nobody to take over from.
        ready.unwrap_or(&self.keys[0])
    }

    /// The key with this id, while its tokens are taken.
    pub(crate) fn find(&self, id: &str, now: Timestamp) -> Option<&TokenKey> {
        let place = self.keys.iter().position(|key| key.id == id)?;
        let is_over = self.taken_until(place).is_some_and(|until| until <= now);
        (!is_over).then(|| &self.keys[place])
    }

    fn taken_until(&self, place: usize) -> Option<Timestamp> {
        self.keys.get(place + 1).map(|next| next.made_at + PUBLISHED_BEFORE + OVERLAP)
    }

    /// What there is, oldest first.
    pub fn statuses(&self, now: Timestamp) -> Vec<KeyStatus> {
        let signing = &self.signing(now).id;
        let status = |(place, key): (usize, &TokenKey)| KeyStatus {
            kid: key.id.clone(),
            made_at: key.told_made_at(),
            signs: key.id == *signing,
            taken_until: self.taken_until(place),
        };
        self.keys.iter().enumerate().map(status).collect()
    }

    /// The public keys whose tokens are taken.
    pub fn key_set(&self, now: Timestamp) -> KeySet {
        let taken = self.keys.iter().filter(|key| self.find(&key.id, now).is_some());
        let published = |key: &TokenKey| PublicKey {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            usage: "sig",
            kid: key.id.clone(),
            x: BASE64_URL_SAFE_NO_PAD.encode(key.public),
        };
        KeySet { keys: taken.map(published).collect() }
    }
}

/// Makes another key beside those of a folder, or in their place.
pub fn rotate(folder: &Path, now: Timestamp, instead: bool) -> Result<(), KeysError> {
    let before = files(folder)?;
    let path = folder.join(format!("token-{}.pem", now.as_second()));
    if before.len() >= KEYS_MAX {
        let reason = format!("there are {KEYS_MAX} keys beside it already: remove old ones");
        return Err(KeysError::Malformed { path, reason });
    }
    make(&path)?;
    for old in before.iter().filter(|_| instead) {
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

/// When a file's key was made, by its name; none for other files.
fn made_at(path: &Path) -> Option<Timestamp> {
    let name = path.file_name()?.to_str()?;
    if name == FIRST {
        return Some(Timestamp::UNIX_EPOCH);
    }
    let seconds = name.strip_prefix("token-")?.strip_suffix(".pem")?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

/// When a file was written last, as the file system says.
fn written_at(path: &Path) -> Option<Timestamp> {
    Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok()
}

/// The files of keys, oldest first.
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
        let of_pem = |error: jsonwebtoken::errors::Error| malformed(error.to_string());
        Ok(Self {
            id: blake3::hash(public.as_bytes()).to_hex()[..16].to_owned(),
            encoding: EncodingKey::from_ed_pem(&pem).map_err(of_pem)?,
            decoding: Arc::new(DecodingKey::from_ed_pem(public_pem.as_bytes()).map_err(of_pem)?),
            public: *public.as_bytes(),
            made_at: made_at(path).unwrap_or(Timestamp::UNIX_EPOCH),
            written_at: written_at(path),
        })
    }
}

/// The public keys of tokens, as RFC 7517 and RFC 8037 have it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "KeySet", example = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "6f1c0a2b3d4e5f60", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}))]
pub struct KeySet {
    /// Every key whose tokens are taken.
    pub keys: Vec<PublicKey>,
}

/// A public key.
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

    fn after(keys: &TokenKeys, seconds: i64) -> (String, usize) {
        let now = noon() + SignedDuration::from_secs(seconds);
        (keys.signing(now).id.clone(), keys.key_set(now).keys.len())
    }

    #[test]
    fn a_new_key_is_published_then_signs_and_the_one_before_is_taken_for_a_week() {
        let folder = tempfile::tempdir().unwrap();
        let first = TokenKeys::open(folder.path()).unwrap().keys[0].id.clone();
        rotate(folder.path(), noon(), false).unwrap();
        let keys = TokenKeys::open(folder.path()).unwrap();
        let second = keys.keys[1].id.clone();
        let week = OVERLAP.as_secs();
        assert_eq!(after(&keys, 0), (first.clone(), 2));
        assert_eq!(after(&keys, 59), (first.clone(), 2));
        assert_eq!(after(&keys, 60), (second.clone(), 2));
        assert_eq!(after(&keys, 60 + week), (second.clone(), 1));
        assert!(keys.find(&first, noon() + OVERLAP).is_some());
        assert!(keys.find(&first, noon() + OVERLAP + PUBLISHED_BEFORE).is_none());
        let signs: Vec<bool> = keys.statuses(noon()).into_iter().map(|status| status.signs).collect();
        assert_eq!(signs, [true, false]);
    }

    #[test]
    fn the_first_key_says_when_it_was_made_and_is_the_oldest_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        TokenKeys::open(folder.path()).unwrap();
        let file = std::fs::File::options().write(true).open(folder.path().join(FIRST)).unwrap();
        let hour = SignedDuration::from_hours(1);
        // A copy of a folder may have a later time than keys that were made after it.
        file.set_modified((noon() + hour).into()).unwrap();
        rotate(folder.path(), noon(), false).unwrap();
        let statuses = TokenKeys::open(folder.path()).unwrap().statuses(noon());
        let made: Vec<_> = statuses.iter().map(|status| status.made_at).collect();
        assert_eq!(made, [Some(noon() + hour), Some(noon())]);
        assert!(statuses[0].signs && statuses[0].taken_until.is_some());
    }

    #[test]
    fn a_key_that_was_given_away_is_replaced_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = TokenKeys::open(folder.path()).unwrap().keys[0].id.clone();
        rotate(folder.path(), noon(), true).unwrap();
        let keys = TokenKeys::open(folder.path()).unwrap();
        assert!(keys.find(&first, noon()).is_none());
        assert_eq!(after(&keys, 0).1, 1);
        assert_ne!(after(&keys, 0).0, first);
    }
}
