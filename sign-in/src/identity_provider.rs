//! Identity providers: other services that confirm a person's identity, over OpenID Connect.
//!
//! A sign-in at a provider is a [`Flow`]. The browser carries it in an encrypted cookie. A flow can be
//! completed only in the same browser, within ten minutes, and once.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use souk_domain::{CustomerId, Email};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// Longest time between the start of a sign-in at a provider and its completion.
pub const FLOW_MAX: SignedDuration = SignedDuration::from_mins(10);
/// Number of completed flows that are remembered.
const USED_MAX: usize = 10_000;

/// A started sign-in at a provider. The browser carries it in an encrypted cookie.
#[derive(Clone, Serialize, Deserialize)]
pub struct Flow {
    /// Name of the provider in the configuration.
    pub provider: String,
    /// Issuer: the URL by which the provider identifies itself.
    pub issuer: String,
    /// True if the provider announces that its responses name the issuer (RFC 9207). A response without the
    /// issuer is then refused, because it comes from another provider.
    #[serde(default, rename = "names_itself")]
    pub sends_issuer: bool,
    /// Random text that the browser must bring back.
    pub state: String,
    /// Random text that the provider must include in the ID token.
    pub nonce: String,
    /// PKCE code verifier, which proves to the provider that this shop started the sign-in.
    pub verifier: String,
    /// Path of this site to which the browser goes after the sign-in.
    pub return_to: Option<String>,
    /// Account that was signed in when the flow started. The identity is linked to it.
    pub user: Option<CustomerId>,
    /// Session of that account. The identity is linked only while the session lasts.
    #[serde(default)]
    pub session: Option<Uuid>,
    /// Time at which the flow started.
    pub begun_at: Timestamp,
}

/// Parameters that the browser brings back from the provider.
#[derive(Clone, Copy, Debug)]
pub struct Callback<'a> {
    /// Name of the provider in the callback's path.
    pub provider: &'a str,
    /// Value of the parameter `state`.
    pub state: &'a str,
    /// Value of the parameter `iss` (RFC 9207), if there is one.
    pub issuer: Option<&'a str>,
}

impl Flow {
    /// Returns true if the callback belongs to this flow and the flow has not expired.
    pub fn accepts(&self, callback: Callback<'_>, now: Timestamp) -> bool {
        let is_state = bool::from(self.state.as_bytes().ct_eq(callback.state.as_bytes()));
        let is_issuer = callback.issuer.map_or(!self.sends_issuer, |issuer| issuer == self.issuer);
        let is_in_time = now.duration_since(self.begun_at).abs() <= FLOW_MAX;
        is_state && is_issuer && is_in_time && self.provider == callback.provider
    }
}

/// Flows that were completed a short time ago, so that a copied cookie can't complete a flow twice. The
/// oldest flow is dropped first.
pub struct UsedFlows(Mutex<LruCache<[u8; 32], ()>>);

impl Default for UsedFlows {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(USED_MAX).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl UsedFlows {
    /// Marks a flow as used. Returns false if it was used before.
    pub fn mark_used(&self, flow: &Flow) -> bool {
        let key = *blake3::hash(flow.state.as_bytes()).as_bytes();
        // The cache is consistent at every moment, so it stays usable after a panic of another thread.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, ()).is_none()
    }
}

/// Start of a flow: the page to which the browser goes, and the values for its [`Flow`].
pub struct FlowStart {
    /// URL of the provider's sign-in page.
    pub url: String,
    /// Issuer of the provider.
    pub issuer: String,
    /// True if the provider's responses name the issuer. See [`Flow::sends_issuer`].
    pub sends_issuer: bool,
    /// Random text that the browser must bring back.
    pub state: String,
    /// Random text that the provider must include in the ID token.
    pub nonce: String,
    /// PKCE code verifier.
    pub verifier: String,
}

/// A person's identity at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Issuer that confirms the identity.
    pub issuer: String,
    /// Id of the person at the issuer. It never changes.
    pub subject: String,
    /// E-mail address, if the provider has verified it and this shop accepts it.
    pub verified_email: Option<Email>,
    /// Name of the person.
    pub name: Option<String>,
}

/// Error: a provider did not confirm an identity.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderFailed {
    /// The provider can't be reached, or its configuration document is wrong.
    #[error("the provider is unavailable: {0}")]
    Unavailable(String),
    /// The provider responded, but its response failed a check.
    #[error("the provider's response is not valid: {0}")]
    Refused(String),
}

/// Port to the configured identity providers.
#[async_trait]
pub trait IdentityProviders: Send + Sync + 'static {
    /// Returns true if a provider of this name is configured.
    fn has(&self, name: &str) -> bool;
    /// Returns the issuer of a provider, or `None` if no provider has this name.
    fn issuer(&self, name: &str) -> Option<String>;
    /// Starts a sign-in. The provider will send the browser back to `redirect_uri`, a URL of this shop.
    async fn begin(&self, name: &str, redirect_uri: &str) -> Result<FlowStart, ProviderFailed>;
    /// Exchanges the code that the browser brought back for the person's identity.
    async fn finish(&self, flow: &Flow, code: &str, redirect_uri: &str) -> Result<Identity, ProviderFailed>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn flow() -> Flow {
        let text = str::to_owned;
        Flow {
            provider: text("work"),
            issuer: text("https://work.example"),
            sends_issuer: false,
            state: text("s"),
            nonce: text("n"),
            verifier: text("v"),
            return_to: None,
            user: None,
            session: None,
            begun_at: noon(),
        }
    }

    #[test]
    fn a_flow_accepts_only_its_own_callback_in_time() {
        let good = Callback { provider: "work", state: "s", issuer: Some("https://work.example") };
        let soon = noon() + SignedDuration::from_mins(9);
        assert!(flow().accepts(good, soon));
        assert!(flow().accepts(Callback { issuer: None, ..good }, soon));
        assert!(!flow().accepts(good, noon() + SignedDuration::from_mins(11)));
        let strict = Flow { sends_issuer: true, ..flow() };
        assert!(strict.accepts(good, soon));
        assert!(!strict.accepts(Callback { issuer: None, ..good }, soon));
        for other in [
            Callback { provider: "home", ..good },
            Callback { state: "", ..good },
            Callback { state: "ss", ..good },
            Callback { issuer: Some("https://home.example"), ..good },
        ] {
            assert!(!flow().accepts(other, soon), "{other:?}");
        }
    }
}
