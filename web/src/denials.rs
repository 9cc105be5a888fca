//! Sessions whose access tokens are refused before they expire by themselves.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

/// Tells other instances of ended sessions.
#[async_trait]
pub trait Elsewhere: Send + Sync + 'static {
    /// Tells them of one, within a short time. What can't be told now is told later.
    async fn tell(&self, session: Uuid, until: Timestamp);
}

/// Ended sessions, each until its last access token has expired. Asked by every request with a token, so it
/// is in memory; other instances are told.
#[derive(Default)]
pub struct Denials {
    until: RwLock<HashMap<Uuid, Timestamp>>,
    elsewhere: OnceLock<Arc<dyn Elsewhere>>,
}

impl Denials {
    /// From now on others are told, too.
    pub fn share(&self, elsewhere: Arc<dyn Elsewhere>) {
        // There is one shop in a process, and it is set up once.
        let _ = self.elsewhere.set(elsewhere);
    }

    /// Refuses a session's tokens from now on, here and everywhere.
    pub async fn deny(&self, session: Uuid, until: Timestamp, now: Timestamp) {
        self.deny_here(session, until, now);
        if let Some(elsewhere) = self.elsewhere.get() {
            elsewhere.tell(session, until).await;
        }
    }

    /// Refuses a session's tokens in this process; those of others that have expired are forgotten.
    pub fn deny_here(&self, session: Uuid, until: Timestamp, now: Timestamp) {
        // A map is whole at every moment, so a panic elsewhere leaves it usable.
        let mut denied = self.until.write().unwrap_or_else(PoisonError::into_inner);
        denied.retain(|_, until| *until > now);
        let kept = denied.entry(session).or_insert(until);
        *kept = until.max(*kept);
    }

    /// Whether a session's tokens are refused.
    pub fn is_denied(&self, session: Uuid) -> bool {
        self.until.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session)
    }

    /// All that are refused now.
    pub fn all(&self, now: Timestamp) -> Vec<(Uuid, Timestamp)> {
        let denied = self.until.read().unwrap_or_else(PoisonError::into_inner);
        denied.iter().filter(|(_, until)| **until > now).map(|(session, until)| (*session, *until)).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use souk_eventsourcing::testkit::noon;

    use super::*;

    #[test]
    fn a_session_is_denied_until_its_tokens_have_expired() {
        let (denials, one, two) = (Denials::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let later = noon() + SignedDuration::from_mins(11);
        denials.deny_here(one, later, noon());
        assert!(denials.is_denied(one) && !denials.is_denied(two));
        denials.deny_here(two, later + SignedDuration::from_mins(1), later);
        assert!(!denials.is_denied(one) && denials.is_denied(two));
    }

    #[test]
    fn what_is_heard_from_elsewhere_never_shortens_a_denial() {
        let (denials, session) = (Denials::default(), Uuid::from_u128(1));
        let (soon, later) = (noon() + SignedDuration::from_mins(1), noon() + SignedDuration::from_mins(9));
        denials.deny_here(session, later, noon());
        denials.deny_here(session, soon, noon());
        assert_eq!(denials.all(noon()), [(session, later)]);
    }
}
