//! Ending sessions. The access tokens of a session are refused even before the end of the session is on disk.
//!
//! The time is read again for each session: while many sessions are ended one after the other, a later one may
//! still get a new access token, and this token must be refused until it expires.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_domain::CustomerId;
use uuid::Uuid;

use crate::credentials::{Credentials, CredentialsUnavailable, StoredSession};
use crate::session::ACCESS_TTL;

/// Maximum number of attempts to write a session that other requests change at the same time.
pub const SESSION_WRITES_MAX: usize = 5;
/// Maximum time by which the clock of a service that checks access tokens may be behind.
const CLOCK_LAG_MAX: SignedDuration = SignedDuration::from_secs(5);

/// Function that returns the present time.
pub type TimeSource<'a> = &'a (dyn Fn() -> Timestamp + Sync);

/// Port to everything that checks access tokens.
#[async_trait]
pub trait AccessDenials: Send + Sync + 'static {
    /// Refuses the access tokens of a session from now on, in this process and in other instances.
    async fn deny(&self, session: Uuid, until: Timestamp, now: Timestamp);
}

/// Error: a session could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// The store of credentials failed.
    #[error(transparent)]
    Credentials(#[from] CredentialsUnavailable),
    /// Other requests changed the session during every attempt.
    #[error("other requests are changing the session; repeat the request")]
    Conflict,
}

/// Refuses the access tokens of a session until the last of them has expired.
pub async fn deny_access(denials: &dyn AccessDenials, session: Uuid, now: TimeSource<'_>) {
    let now = now();
    denials.deny(session, now + ACCESS_TTL + CLOCK_LAG_MAX, now).await;
}

/// Ends all sessions of a user, except for the session `kept`. Returns true if any other session was open.
pub async fn end_all_sessions(
    credentials: &dyn Credentials,
    denials: &dyn AccessDenials,
    user: &CustomerId,
    kept: Option<Uuid>,
    now: TimeSource<'_>,
) -> Result<bool, SessionsError> {
    let mut was_any_open = false;
    loop {
        // One call returns a limited number of open sessions.
        let mut sessions = credentials.open_sessions_of(user, now()).await?;
        sessions.retain(|stored| Some(stored.session.id) != kept);
        if sessions.is_empty() {
            return Ok(was_any_open);
        }
        was_any_open = true;
        for stored in sessions {
            end_session(credentials, denials, stored, now).await?;
        }
    }
}

/// Ends a session.
pub async fn end_session(
    credentials: &dyn Credentials,
    denials: &dyn AccessDenials,
    stored: StoredSession,
    now: TimeSource<'_>,
) -> Result<(), SessionsError> {
    let id = stored.session.id;
    deny_access(denials, id, now).await;
    let mut current = Some(stored);
    for _ in 0..SESSION_WRITES_MAX {
        let Some(mut stored) = current else { return Ok(()) };
        stored.session.revoke(now());
        if credentials.replace_session(&stored).await? {
            return Ok(());
        }
        current = credentials.session(id).await?;
    }
    Err(SessionsError::Conflict)
}
