//! Public token keys that another process publishes. A gateway verifies access tokens with them.
//!
//! The gateway fetches the keys now and then, so it may not have the newest one. A token of an unknown key is
//! therefore not refused but marked as unverified, and the upstream verifies it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderMap;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet};
use tokio::sync::Notify;

use crate::cart_token::CART_TOKEN;
use crate::identity::{Caller, Tokens, VerifiedTokens};
use crate::problem::Problem;

/// Public token keys as they were last fetched. A token of another key may still be valid; only the publisher
/// knows.
#[derive(Default)]
pub struct PublishedKeys {
    keys: RwLock<Arc<HashMap<String, Arc<DecodingKey>>>>,
    verified: VerifiedTokens,
    /// Notified when a token names a key that is not in the set.
    pub missing: Notify,
}

/// Error: a fetched document is not a set of public token keys. The text is the reason.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the document is not a set of Ed25519 keys: {0}")]
pub struct InvalidKeySet(String);

impl PublishedKeys {
    /// Replaces the keys by those of a fetched document. If one of them is invalid, nothing changes.
    pub fn replace(&self, document: &[u8]) -> Result<(), InvalidKeySet> {
        let set: JwkSet =
            serde_json::from_slice(document).map_err(|error| InvalidKeySet(error.to_string()))?;
        let mut keys = HashMap::new();
        for key in &set.keys {
            let (Some(id), AlgorithmParameters::OctetKeyPair(pair)) = (&key.common.key_id, &key.algorithm)
            else {
                return Err(InvalidKeySet("a key is of another kind".to_owned()));
            };
            if pair.curve != EllipticCurve::Ed25519 {
                return Err(InvalidKeySet(format!("the key {id} is of another curve")));
            }
            let decoding = DecodingKey::from_ed_components(&pair.x);
            let decoding = decoding.map_err(|error| InvalidKeySet(error.to_string()))?;
            keys.insert(id.clone(), Arc::new(decoding));
        }
        if keys.is_empty() {
            return Err(InvalidKeySet("it is empty".to_owned()));
        }
        // The map is consistent at every moment, so it stays usable after a panic of another thread.
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    /// Returns true if keys were fetched at least once.
    pub fn is_known(&self) -> bool {
        !self.keys.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Tokens for PublishedKeys {
    fn key(&self, id: &str, _: Timestamp) -> Option<Arc<DecodingKey>> {
        let key = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if key.is_none() {
            self.missing.notify_one();
        }
        key
    }

    fn is_complete(&self) -> bool {
        false
    }

    fn verified(&self) -> &VerifiedTokens {
        &self.verified
    }

    fn read_cart(&self, headers: &HeaderMap, caller: &mut Caller) -> Result<(), Problem> {
        caller.unverified.cart = headers.contains_key(CART_TOKEN);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use souk_domain::CustomerId;
    use souk_eventsourcing::testkit::noon;
    use uuid::Uuid;

    use super::*;
    use crate::identity::{self, Grant, Role};
    use crate::{EndedSessions, Keys};

    fn bearer(keys: &Keys) -> HeaderMap {
        let subject = CustomerId::parse("ada").unwrap();
        let ttl = std::time::Duration::from_secs(60);
        let grant = Grant { subject: &subject, role: Role::Customer, ttl, session: None };
        let token = identity::issue(keys, grant, noon(), Uuid::nil());
        HeaderMap::from_iter([("authorization".parse().unwrap(), format!("Bearer {token}").parse().unwrap())])
    }

    fn keys() -> Keys {
        Keys::open(tempfile::tempdir().unwrap().path()).unwrap()
    }

    #[test]
    fn a_token_of_a_published_key_is_verified_and_a_token_of_another_key_is_left_to_the_publisher() {
        let shop_keys = keys();
        let other_keys = keys();
        let published = PublishedKeys::default();
        let identify =
            |keys: &Keys| identity::identify(&bearer(keys), &published, &EndedSessions::default(), noon());
        assert!(identify(&shop_keys).unwrap().unverified.token && !published.is_known());
        let document = serde_json::to_vec(&shop_keys.tokens().key_set(noon())).unwrap();
        published.replace(&document).unwrap();
        assert_eq!(identify(&shop_keys).unwrap().subject.unwrap().as_str(), "ada");
        let other_caller = identify(&other_keys).unwrap();
        assert!(other_caller.unverified.token && other_caller.subject.is_none());
    }

    #[test]
    fn an_invalid_key_set_changes_nothing() {
        let keys = keys();
        let published = PublishedKeys::default();
        published.replace(&serde_json::to_vec(&keys.tokens().key_set(noon())).unwrap()).unwrap();
        let rsa = r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}"#;
        for document in ["", "{}", r#"{"keys":[]}"#, rsa, "<html>"] {
            assert!(published.replace(document.as_bytes()).is_err(), "{document}");
        }
        assert!(
            identity::identify(&bearer(&keys), &published, &EndedSessions::default(), noon())
                .unwrap()
                .subject
                .is_some()
        );
    }
}
