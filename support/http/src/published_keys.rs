//! The public keys of tokens as another process publishes them: what a gateway tells callers by.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderMap;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet};
use tokio::sync::Notify;

use crate::cart_token::CART_TOKEN;
use crate::identity::{Caller, Tokens, Verified};
use crate::problem::Problem;

/// Keys that were published a moment ago. A token of another key may be good: whoever publishes them
/// knows.
#[derive(Default)]
pub struct PublishedKeys {
    keys: RwLock<Arc<HashMap<String, Arc<DecodingKey>>>>,
    verified: Verified,
    /// Told when a token names a key that is not among them.
    pub missing: Notify,
}

/// The document holds no keys of tokens.
#[derive(Clone, Debug, thiserror::Error)]
#[error("it is no set of Ed25519 keys: {0}")]
pub struct NoKeys(String);

impl PublishedKeys {
    /// Takes in what was published now, all of it or nothing.
    pub fn take(&self, document: &[u8]) -> Result<(), NoKeys> {
        let set: JwkSet = serde_json::from_slice(document).map_err(|error| NoKeys(error.to_string()))?;
        let mut keys = HashMap::new();
        for key in &set.keys {
            let (Some(id), AlgorithmParameters::OctetKeyPair(pair)) = (&key.common.key_id, &key.algorithm)
            else {
                return Err(NoKeys("a key is of another kind".to_owned()));
            };
            if pair.curve != EllipticCurve::Ed25519 {
                return Err(NoKeys(format!("the key {id} is of another curve")));
            }
            let decoding = DecodingKey::from_ed_components(&pair.x);
            keys.insert(id.clone(), Arc::new(decoding.map_err(|error| NoKeys(error.to_string()))?));
        }
        if keys.is_empty() {
            return Err(NoKeys("it is empty".to_owned()));
        }
        // A map is whole at every moment, so a panic elsewhere leaves it usable.
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    /// Whether any were taken in yet.
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

    fn are_all(&self) -> bool {
        false
    }

    fn verified(&self) -> &Verified {
        &self.verified
    }

    fn read_cart(&self, headers: &HeaderMap, caller: &mut Caller) -> Result<(), Problem> {
        caller.unread.cart = headers.contains_key(CART_TOKEN);
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
    use crate::{Denials, Keys};

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
    fn what_is_published_tells_whose_a_token_is_and_others_are_left_to_the_publisher() {
        let (keys, others) = (keys(), keys());
        let published = PublishedKeys::default();
        let asks = |keys: &Keys| identity::identify(&bearer(keys), &published, &Denials::default(), noon());
        assert!(asks(&keys).unwrap().unread.token && !published.is_known());
        let document = serde_json::to_vec(&keys.tokens().key_set(noon())).unwrap();
        published.take(&document).unwrap();
        assert_eq!(asks(&keys).unwrap().subject.unwrap().as_str(), "ada");
        let unread = asks(&others).unwrap();
        assert!(unread.unread.token && unread.subject.is_none());
    }

    #[test]
    fn what_is_no_set_of_keys_changes_nothing() {
        let (keys, published) = (keys(), PublishedKeys::default());
        published.take(&serde_json::to_vec(&keys.tokens().key_set(noon())).unwrap()).unwrap();
        let rsa = r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}"#;
        for document in ["", "{}", r#"{"keys":[]}"#, rsa, "<html>"] {
            assert!(published.take(document.as_bytes()).is_err(), "{document}");
        }
        assert!(
            identity::identify(&bearer(&keys), &published, &Denials::default(), noon())
                .unwrap()
                .subject
                .is_some()
        );
    }
}
