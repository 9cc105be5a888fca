//! The master key. It wraps (encrypts) the key of every person.

use std::fmt;

use blake3::Hash;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use souk_eventsourcing::Person;
use souk_eventsourcing::personal::{NONCE_BYTES, PersonKey};
use zeroize::Zeroizing;

/// A master key: 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// The text is not a master key. The error does not contain the text.
#[derive(Debug, thiserror::Error)]
#[error("a master key has 64 hexadecimal digits, as printed by `openssl rand -hex 32`")]
pub struct MasterKeyMalformed;

impl MasterKey {
    /// Parses 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, MasterKeyMalformed> {
        let bytes = Hash::from_hex(text.trim()).map_err(|_| MasterKeyMalformed)?;
        Ok(Self(Zeroizing::new(bytes.into())))
    }

    /// Returns a new random master key, in the form that [`MasterKey::parse`] reads.
    pub fn make() -> Result<Zeroizing<String>, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Zeroizing::new(Hash::from_bytes(bytes).to_hex().to_string()))
    }

    /// Id of this master key: 16 hexadecimal digits of a hash. The key can't be computed from it.
    pub fn id(&self) -> String {
        let id = blake3::derive_key("souk 2026 master key id", &*self.0);
        Hash::from_bytes(id).to_hex()[..16].to_owned()
    }

    pub(crate) fn wrap(&self, person: &Person, key: &PersonKey) -> Result<Vec<u8>, getrandom::Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: key.bytes(), aad: person.as_str().as_bytes() };
        // The cipher fails only for texts longer than 256 GiB.
        let ciphertext = self.cipher().encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        Ok([&nonce[..], &ciphertext].concat())
    }

    /// Decrypts a wrapped key. Returns `None` if it is damaged, or was wrapped by another master key or for
    /// another person.
    pub(crate) fn unwrap(&self, person: &Person, wrapped: &[u8]) -> Option<PersonKey> {
        let (nonce, ciphertext) = wrapped.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: ciphertext, aad: person.as_str().as_bytes() };
        let bytes = Zeroizing::new(self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?);
        Some(PersonKey::new(bytes.as_slice().try_into().ok()?))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(master key)")
    }
}
