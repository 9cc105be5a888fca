//! Ended sessions, whose access tokens are refused before they expire.
//!
//! Every request with a token is checked, so the sessions are in memory. Other instances of the shop are
//! informed through [`OtherInstances`]. A session is forgotten once its last access token has expired.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::Timestamp;
use souk_sign_in::AccessDenials;
use uuid::Uuid;

/// Smallest number of sessions that starts a cleanup, which removes the expired ones.
const CLEANUP_AT_MIN: usize = 1_024;

/// Channel that informs other instances about ended sessions.
#[async_trait]
pub trait OtherInstances: Send + Sync + 'static {
    /// Announces an ended session. Returns after a short time; a failed announcement is repeated later.
    async fn announce(&self, session: Uuid, until: Timestamp);
}

/// Ended sessions, each kept until its last access token has expired.
#[derive(Default)]
pub struct EndedSessions {
    ended: RwLock<Expiries>,
    other_instances: OnceLock<Arc<dyn OtherInstances>>,
}

/// Times until which the tokens of ended sessions are refused.
#[derive(Default)]
struct Expiries {
    denied_until: HashMap<Uuid, Timestamp>,
    /// Number of sessions that starts the next cleanup: twice the number of sessions that the last cleanup
    /// left, and at least [`CLEANUP_AT_MIN`]. So cleanups are rare, even if many sessions end.
    cleanup_at: usize,
}

impl EndedSessions {
    /// Sets the channel to other instances. From now on ended sessions are announced to them.
    pub fn share(&self, other_instances: Arc<dyn OtherInstances>) {
        // A process sets up its one shop once, so there is no second call.
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

#[async_trait]
impl AccessDenials for EndedSessions {
    async fn deny(&self, session: Uuid, until: Timestamp, now: Timestamp) {
        EndedSessions::deny(self, session, until, now).await;
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use souk_eventsourcing::testkit::noon;

    use super::*;

    #[test]
    fn a_session_is_denied_until_its_tokens_have_expired() {
        let ended_sessions = EndedSessions::default();
        let one = Uuid::from_u128(1);
        let two = Uuid::from_u128(2);
        let later = noon() + SignedDuration::from_mins(11);
        ended_sessions.deny_here(one, later, noon());
        assert!(ended_sessions.is_denied(one, noon()) && !ended_sessions.is_denied(two, noon()));
        ended_sessions.deny_here(two, later + SignedDuration::from_mins(1), later);
        assert!(!ended_sessions.is_denied(one, later) && ended_sessions.is_denied(two, later));
    }

    #[test]
    fn expired_sessions_are_removed_by_the_next_cleanup() {
        let ended_sessions = EndedSessions::default();
        let soon = noon() + SignedDuration::from_mins(1);
        for n in 0..CLEANUP_AT_MIN as u128 {
            ended_sessions.deny_here(Uuid::from_u128(n), soon, noon());
        }
        let last = Uuid::from_u128(u128::MAX);
        ended_sessions.deny_here(last, soon + SignedDuration::from_mins(1), soon);
        assert_eq!(ended_sessions.ended.read().unwrap().denied_until.len(), 1);
        assert!(ended_sessions.is_denied(last, soon));
    }

    #[test]
    fn a_second_announcement_never_shortens_a_denial() {
        let ended_sessions = EndedSessions::default();
        let session = Uuid::from_u128(1);
        let soon = noon() + SignedDuration::from_mins(1);
        let later = noon() + SignedDuration::from_mins(9);
        ended_sessions.deny_here(session, later, noon());
        ended_sessions.deny_here(session, soon, noon());
        assert_eq!(ended_sessions.all(noon()), [(session, later)]);
    }
}
