//! Sessions whose access tokens are refused before they expire by themselves.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;
use uuid::Uuid;

/// Ended sessions, each until its last access token has expired. Asked by every request with a token.
#[derive(Debug, Default)]
pub struct Denials {
    until: RwLock<HashMap<Uuid, Timestamp>>,
}

impl Denials {
    /// Refuses a session's tokens from now on; those of others that have expired are forgotten.
    pub fn deny(&self, session: Uuid, until: Timestamp, now: Timestamp) {
        // A map is whole at every moment, so a panic elsewhere leaves it usable.
        let mut denied = self.until.write().unwrap_or_else(PoisonError::into_inner);
        denied.retain(|_, until| *until > now);
        denied.insert(session, until);
    }

    /// Whether a session's tokens are refused.
    pub fn is_denied(&self, session: Uuid) -> bool {
        self.until.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session)
    }
}

#[cfg(test)]
mod tests {
    use souk_eventsourcing::testkit::noon;

    use super::*;

    #[test]
    fn a_session_is_denied_until_its_tokens_have_expired() {
        let (denials, one, two) = (Denials::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let later = noon() + jiff::SignedDuration::from_mins(11);
        denials.deny(one, later, noon());
        assert!(denials.is_denied(one) && !denials.is_denied(two));
        denials.deny(two, later + jiff::SignedDuration::from_mins(1), later);
        assert!(!denials.is_denied(one) && denials.is_denied(two));
    }
}
