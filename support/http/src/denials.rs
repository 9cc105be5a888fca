//! Ended sessions, whose access tokens are refused before they expire.
//!
//! Every request with a token is checked, so the sessions are in memory. Other instances of the shop are
//! informed through [`OtherInstances`]. A session is forgotten once its last access token has expired.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

/// Number of sessions below which expired ones are not removed.
const CLEANUP_AT_MIN: usize = 1_024;

/// Channel that informs other instances about ended sessions.
#[async_trait]
pub trait OtherInstances: Send + Sync + 'static {
    /// Announces an ended session, within a short time. If that fails now, it is announced later.
    async fn announce(&self, session: Uuid, until: Timestamp);
}

/// Ended sessions, each kept until its last access token has expired.
#[derive(Default)]
pub struct Denials {
    ended: RwLock<EndedSessions>,
    other_instances: OnceLock<Arc<dyn OtherInstances>>,
}

#[derive(Default)]
struct EndedSessions {
    denied_until: HashMap<Uuid, Timestamp>,
    /// Number of sessions at which expired ones are next removed: twice as many as the last cleanup left, so
    /// that cleanups stay rare however many sessions end.
    cleanup_at: usize,
}

impl Denials {
    /// Sets the channel to other instances. From now on ended sessions are announced to them.
    pub fn share(&self, other_instances: Arc<dyn OtherInstances>) {
        // A process has one shop, which is set up once, so a second call does not occur.
        let _ = self.other_instances.set(other_instances);
    }

    /// Refuses the tokens of a session from now on, in this process and in other instances.
    pub async fn deny(&self, session: Uuid, until: Timestamp, now: Timestamp) {
        self.deny_here(session, until, now);
        if let Some(other_instances) = self.other_instances.get() {
            other_instances.announce(session, until).await;
        }
    }

    /// Refuses the tokens of a session in this process only.
    pub fn deny_here(&self, session: Uuid, until: Timestamp, now: Timestamp) {
        // The map is consistent at every moment, so it stays usable after a panic of another thread.
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        if ended.denied_until.len() >= ended.cleanup_at {
            ended.denied_until.retain(|_, until| *until > now);
            ended.cleanup_at = (ended.denied_until.len() * 2).max(CLEANUP_AT_MIN);
        }
        let denied_until = ended.denied_until.entry(session).or_insert(until);
        *denied_until = until.max(*denied_until);
    }

    /// Returns true if the tokens of a session are refused.
    pub fn is_denied(&self, session: Uuid, now: Timestamp) -> bool {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        ended.denied_until.get(&session).is_some_and(|until| *until > now)
    }

    /// Returns all sessions whose tokens are refused now, each with the time at which the refusal ends.
    pub fn all(&self, now: Timestamp) -> Vec<(Uuid, Timestamp)> {
        let ended = &self.ended.read().unwrap_or_else(PoisonError::into_inner).denied_until;
        ended.iter().filter(|(_, until)| **until > now).map(|(session, until)| (*session, *until)).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use souk_eventsourcing::testkit::noon;

    use super::*;

    #[test]
    fn a_session_is_denied_until_its_tokens_have_expired() {
        let denials = Denials::default();
        let one = Uuid::from_u128(1);
        let two = Uuid::from_u128(2);
        let later = noon() + SignedDuration::from_mins(11);
        denials.deny_here(one, later, noon());
        assert!(denials.is_denied(one, noon()) && !denials.is_denied(two, noon()));
        denials.deny_here(two, later + SignedDuration::from_mins(1), later);
        assert!(!denials.is_denied(one, later) && denials.is_denied(two, later));
    }

    #[test]
    fn expired_sessions_are_removed_now_and_then() {
        let denials = Denials::default();
        let soon = noon() + SignedDuration::from_mins(1);
        for n in 0..CLEANUP_AT_MIN as u128 {
            denials.deny_here(Uuid::from_u128(n), soon, noon());
        }
        let last = Uuid::from_u128(u128::MAX);
        denials.deny_here(last, soon + SignedDuration::from_mins(1), soon);
        assert_eq!(denials.ended.read().unwrap().denied_until.len(), 1);
        assert!(denials.is_denied(last, soon));
    }

    #[test]
    fn a_second_announcement_never_shortens_a_denial() {
        let denials = Denials::default();
        let session = Uuid::from_u128(1);
        let soon = noon() + SignedDuration::from_mins(1);
        let later = noon() + SignedDuration::from_mins(9);
        denials.deny_here(session, later, noon());
        denials.deny_here(session, soon, noon());
        assert_eq!(denials.all(noon()), [(session, later)]);
    }
}
