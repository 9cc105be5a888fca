//! Sessions whose access tokens are refused before they expire by themselves.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

/// Sessions up to which nobody looks for those that have expired.
const FORGET_AT_MIN: usize = 1_024;

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
    denied: RwLock<Denied>,
    elsewhere: OnceLock<Arc<dyn Elsewhere>>,
}

#[derive(Default)]
struct Denied {
    until: HashMap<Uuid, Timestamp>,
    /// How many there are when those that have expired are next forgotten: twice as many as were left then, so
    /// that many at once don't go through all of them each.
    forget_at: usize,
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

    /// Refuses a session's tokens in this process.
    pub fn deny_here(&self, session: Uuid, until: Timestamp, now: Timestamp) {
        // A map is whole at every moment, so a panic elsewhere leaves it usable.
        let mut denied = self.denied.write().unwrap_or_else(PoisonError::into_inner);
        if denied.until.len() >= denied.forget_at {
            denied.until.retain(|_, until| *until > now);
            denied.forget_at = (denied.until.len() * 2).max(FORGET_AT_MIN);
        }
        let kept = denied.until.entry(session).or_insert(until);
        *kept = until.max(*kept);
    }

    /// Whether a session's tokens are refused.
    pub fn is_denied(&self, session: Uuid, now: Timestamp) -> bool {
        let denied = self.denied.read().unwrap_or_else(PoisonError::into_inner);
        denied.until.get(&session).is_some_and(|until| *until > now)
    }

    /// All that are refused now.
    pub fn all(&self, now: Timestamp) -> Vec<(Uuid, Timestamp)> {
        let denied = &self.denied.read().unwrap_or_else(PoisonError::into_inner).until;
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
        assert!(denials.is_denied(one, noon()) && !denials.is_denied(two, noon()));
        denials.deny_here(two, later + SignedDuration::from_mins(1), later);
        assert!(!denials.is_denied(one, later) && denials.is_denied(two, later));
    }

    #[test]
    fn those_that_have_expired_are_forgotten_now_and_then() {
        let denials = Denials::default();
        let soon = noon() + SignedDuration::from_mins(1);
        for n in 0..FORGET_AT_MIN as u128 {
            denials.deny_here(Uuid::from_u128(n), soon, noon());
        }
        let last = Uuid::from_u128(u128::MAX);
        denials.deny_here(last, soon + SignedDuration::from_mins(1), soon);
        assert_eq!(denials.denied.read().unwrap().until.len(), 1);
        assert!(denials.is_denied(last, soon));
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
