//! The shop's keys: made at the first start, readable by their owner alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::Serialize;
use utoipa::ToSchema;

/// The folder of the keys in the data folder.
pub const KEYS_FOLDER: &str = "keys";
/// The key that signs tokens, as PKCS 8.
const TOKEN_KEY: &str = "token.pem";
/// The secret that all other keys come from: 32 bytes.
const SECRET: &str = "secret";

/// Keys for tokens, carts and request hashes.
pub struct Keys {
    pub(crate) encoding: EncodingKey,
    pub(crate) decoding: DecodingKey,
    pub(crate) key_id: String,
    public: [u8; 32],
    pub(crate) cart: [u8; 32],
    /// Tells refresh tokens that this shop gave out.
    pub refresh: [u8; 32],
    /// Hashes requests.
    pub request_hash: [u8; 32],
    /// Hashes e-mail addresses, to look them up; it never rotates.
    pub email_hash: [u8; 32],
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
    /// Reads the keys of a data folder, or makes them.
    pub fn open(data: &Path) -> Result<Self, KeysError> {
        let folder = data.join(KEYS_FOLDER);
        fs::create_dir_all(&folder).map_err(|error| KeysError::Io { path: folder.clone(), error })?;
        let path = folder.join(TOKEN_KEY);
        let pem = read_or_make(&path, || {
            let key = SigningKey::from_bytes(&random()?);
            let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| error.to_string())?;
            Ok(pem.as_bytes().to_vec())
        })?;
        let malformed = |path: &Path, reason: String| KeysError::Malformed { path: path.to_owned(), reason };
        let text = String::from_utf8_lossy(&pem);
        let key = SigningKey::from_pkcs8_pem(&text).map_err(|error| malformed(&path, error.to_string()))?;
        let public = key.verifying_key();
        let public_pem =
            public.to_public_key_pem(LineEnding::LF).map_err(|error| malformed(&path, error.to_string()))?;
        let of_pem = |error: jsonwebtoken::errors::Error| malformed(&path, error.to_string());
        let encoding = EncodingKey::from_ed_pem(&pem).map_err(of_pem)?;
        let decoding = DecodingKey::from_ed_pem(public_pem.as_bytes()).map_err(of_pem)?;
        let secret_path = folder.join(SECRET);
        let secret = read_or_make(&secret_path, || Ok(random()?.to_vec()))?;
        if secret.len() < 32 {
            return Err(malformed(&secret_path, "it has fewer than 32 bytes".to_owned()));
        }
        let key_id = blake3::hash(public.as_bytes()).to_hex()[..16].to_owned();
        let derived = |context| blake3::derive_key(context, &secret);
        Ok(Self {
            encoding,
            decoding,
            key_id,
            public: *public.as_bytes(),
            refresh: derived("souk 2026 refresh tokens"),
            cart: derived("souk 2026 guest cart tokens"),
            request_hash: derived("souk 2026 request hashes"),
            email_hash: derived("souk 2026 e-mail addresses"),
        })
    }
}

/// The public keys of tokens, as RFC 7517 and RFC 8037 have it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "KeySet", example = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "6f1c0a2b3d4e5f60", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}))]
pub struct KeySet {
    /// Every key that tokens may be signed with.
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

impl Keys {
    /// The public keys of tokens.
    pub fn key_set(&self) -> KeySet {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.public);
        let kid = self.key_id.clone();
        KeySet { keys: vec![PublicKey { kty: "OKP", crv: "Ed25519", alg: "EdDSA", usage: "sig", kid, x }] }
    }
}

fn random() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn read_or_make(path: &Path, make: impl FnOnce() -> Result<Vec<u8>, String>) -> Result<Vec<u8>, KeysError> {
    match fs::read(path) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let content = make().map_err(|reason| KeysError::Malformed { path: path.to_owned(), reason })?;
            write_private(path, &content).map_err(|error| KeysError::Io { path: path.to_owned(), error })?;
            Ok(content)
        }
        Err(error) => Err(KeysError::Io { path: path.to_owned(), error }),
    }
}

/// Writes a new file that its owner alone may read.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn key_files_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Keys::open(folder.path()).unwrap();
        for name in [TOKEN_KEY, SECRET] {
            let file = fs::metadata(folder.path().join(KEYS_FOLDER).join(name)).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_damaged_key_file_is_refused_by_name_and_left_as_it_is() {
        for (name, content) in [(TOKEN_KEY, "no key"), (SECRET, "short")] {
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
