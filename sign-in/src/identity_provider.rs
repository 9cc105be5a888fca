//! Identity providers: others who say who somebody is.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use souk_domain::{CustomerId, Email};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// How long somebody may take at a provider.
pub const FLOW_MAX: SignedDuration = SignedDuration::from_mins(10);
/// Sign-ins that came back and are remembered.
const SPENT_MAX: usize = 10_000;

/// A sign-in on its way through a provider, as the browser carries it, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Flow {
    /// Which provider.
    pub provider: String,
    /// What the provider calls itself.
    pub issuer: String,
    /// True for a provider that says to name itself in its answer (RFC 9207): one that does not is another's.
    #[serde(default)]
    pub names_itself: bool,
    /// What comes back with the browser.
    pub state: String,
    /// What comes back in the provider's word.
    pub nonce: String,
    /// What shows that the code was meant for us (PKCE).
    pub verifier: String,
    /// Where the browser goes afterwards: a path of this shop.
    pub return_to: Option<String>,
    /// Who was signed in already.
    pub user: Option<CustomerId>,
    /// The session that they were signed in by: the identity is linked only while it lasts.
    #[serde(default)]
    pub session: Option<Uuid>,
    /// When it began.
    pub begun_at: Timestamp,
}

/// What came back with the browser.
#[derive(Clone, Copy, Debug)]
pub struct Returned<'a> {
    /// By which provider's address.
    pub provider: &'a str,
    /// The state.
    pub state: &'a str,
    /// Whom the answer says it is from (RFC 9207), when it does.
    pub issuer: Option<&'a str>,
}

impl Flow {
    /// Whether what came back belongs to it.
    pub fn is_met_by(&self, returned: Returned<'_>, now: Timestamp) -> bool {
        let is_state = bool::from(self.state.as_bytes().ct_eq(returned.state.as_bytes()));
        let is_issuer = returned.issuer.map_or(!self.names_itself, |issuer| issuer == self.issuer);
        let is_in_time = now.duration_since(self.begun_at).abs() <= FLOW_MAX;
        is_state && is_issuer && is_in_time && self.provider == returned.provider
    }
}

/// Sign-ins that came back within the last minutes, the oldest of which go first: a cookie that was kept is no
/// second sign-in.
pub struct SpentFlows(Mutex<LruCache<[u8; 32], ()>>);

impl Default for SpentFlows {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(SPENT_MAX).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl SpentFlows {
    /// Spends one; false when it was before.
    pub fn spend(&self, flow: &Flow) -> bool {
        let key = *blake3::hash(flow.state.as_bytes()).as_bytes();
        // A cache is whole at every moment, so a panic elsewhere leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, ()).is_none()
    }
}

/// A sign-in that has begun: where the browser goes, and what it carries.
pub struct Begun {
    /// The provider's page.
    pub url: String,
    /// What it calls itself.
    pub issuer: String,
    /// True when the provider names itself in its answers; see [`Flow`].
    pub names_itself: bool,
    /// See [`Flow`].
    pub state: String,
    /// See [`Flow`].
    pub nonce: String,
    /// See [`Flow`].
    pub verifier: String,
}

/// Somebody, as a provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who says so.
    pub issuer: String,
    /// What they call them: theirs for good.
    pub subject: String,
    /// Their e-mail address, when it is one that this shop takes, and when it was shown to be theirs.
    pub verified_email: Option<Email>,
    /// Their name.
    pub name: Option<String>,
}

/// Why a provider doesn't say who somebody is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderFailed {
    /// It can't be asked now, or is not what it should be.
    #[error("it can't be asked: {0}")]
    Unavailable(String),
    /// It was asked, and what it says can't be believed.
    #[error("what it says can't be believed: {0}")]
    Refused(String),
}

/// The providers that are configured.
#[async_trait]
pub trait IdentityProviders: Send + Sync + 'static {
    /// Whether there is one of this name.
    fn has(&self, name: &str) -> bool;
    /// The issuer by which one of this name signs what it says; none when there is no such provider.
    fn issuer(&self, name: &str) -> Option<String>;
    /// Begins a sign-in, which comes back to an address of this shop.
    async fn begin(&self, name: &str, redirect_uri: &str) -> Result<Begun, ProviderFailed>;
    /// Takes the code that came back for who it is.
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
            names_itself: false,
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
    fn what_comes_back_belongs_to_what_was_begun_and_to_nothing_else() {
        let good = Returned { provider: "work", state: "s", issuer: Some("https://work.example") };
        let soon = noon() + SignedDuration::from_mins(9);
        assert!(flow().is_met_by(good, soon));
        assert!(flow().is_met_by(Returned { issuer: None, ..good }, soon));
        assert!(!flow().is_met_by(good, noon() + SignedDuration::from_mins(11)));
        let names_itself = Flow { names_itself: true, ..flow() };
        assert!(names_itself.is_met_by(good, soon));
        assert!(!names_itself.is_met_by(Returned { issuer: None, ..good }, soon));
        for other in [
            Returned { provider: "home", ..good },
            Returned { state: "", ..good },
            Returned { state: "ss", ..good },
            Returned { issuer: Some("https://home.example"), ..good },
        ] {
            assert!(!flow().is_met_by(other, soon), "{other:?}");
        }
    }
}
