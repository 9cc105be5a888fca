//! Sessions: opening one, exchanging its refresh tokens, and ending it.
//!
//! A session is stored as a [`Session`] with the hashes of its refresh tokens.

use std::time::Duration;

use jiff::Timestamp;
use souk_domain::user::User;
use souk_domain::user::event::UserRole;
use souk_domain::{CustomerId, UserId};
use souk_http::identity::{self, Grant};
use souk_http::{Problem, Role};
use souk_sign_in::credentials::StoredSession;
use souk_sign_in::session::{ACCESS_TTL, SecretHash, TokenRefusal};
use souk_sign_in::session_end::{SESSION_WRITES_MAX, deny_access, end_session};
use souk_sign_in::{RefreshToken, Session, SessionsError, SignInKind, end_all_sessions};
use uuid::Uuid;

use crate::ports::Ports;
use crate::users::erasure;

use super::accounts::{self, Accounts, SignInClient};
use super::request::{SignedIn, TokenType};

/// Opens a session and returns its first tokens.
pub async fn open(ports: &Ports, user: UserId, role: UserRole) -> Result<SignedIn, Problem> {
    let token = RefreshToken::make(ports.clock.new_id()).map_err(|error| Problem::internal(&error))?;
    let session = Session::open(token.session, user.customer(), token.hash(), ports.clock.now());
    store(ports, user, session).await?;
    Ok(issue_tokens(ports, user, role, &token))
}

/// Opens a session for a browser that returns from an identity provider. Returns a code that can be exchanged
/// for the first tokens, once, within a minute.
pub async fn open_by_code(ports: &Ports, user: UserId) -> Result<String, Problem> {
    let code = RefreshToken::make(ports.clock.new_id()).map_err(|error| Problem::internal(&error))?;
    let session = Session::open_by_code(code.session, user.customer(), code.hash(), ports.clock.now());
    store(ports, user, session).await?;
    Ok(code.encode(&ports.keys.sign_in_code))
}

/// Stores a session. If the user is erased meanwhile, the session is deleted again. This happens even if the
/// client has disconnected.
async fn store(ports: &Ports, user: UserId, session: Session) -> Result<(), Problem> {
    let task_ports = ports.clone();
    let task = tokio::spawn(async move {
        task_ports.accounts.credentials.open_session(&session).await?;
        erasure::delete_if_erased(&task_ports, user).await
    });
    let is_erased = task.await.map_err(|error| Problem::internal(&error))??;
    if is_erased {
        return Err(Problem::new("unauthenticated", "the account was erased a moment ago"));
    }
    Ok(())
}

/// Issues an access token, and encodes the refresh token.
fn issue_tokens(ports: &Ports, user: UserId, role: UserRole, token: &RefreshToken) -> SignedIn {
    let role = match role {
        UserRole::Customer => Role::Customer,
        UserRole::Admin => Role::Admin,
    };
    let ttl = Duration::try_from(ACCESS_TTL).unwrap_or_default();
    let grant = Grant { subject: &user.customer(), role, ttl, session: Some(token.session) };
    SignedIn {
        id: user.to_string(),
        access_token: identity::issue(&ports.keys, grant, ports.clock.now(), ports.clock.new_id()),
        token_type: TokenType::Bearer,
        expires_in: ttl.as_secs(),
        refresh_token: token.encode(&ports.keys.refresh),
    }
}

fn unknown_token_problem() -> Problem {
    Problem::new("unauthenticated", "the refresh token is unknown, or its session has ended: sign in again")
}

fn unknown_code_problem() -> Problem {
    Problem::new("unauthenticated", "the code is wrong, already used, or older than a minute: sign in again")
}

/// Exchanges a refresh token for new tokens.
pub async fn refresh(ports: &Ports, text: &str, client: &SignInClient<'_>) -> Result<SignedIn, Problem> {
    let token = RefreshToken::decode(text, &ports.keys.refresh).ok_or_else(unknown_token_problem)?;
    exchange_for_tokens(ports, token, client, Session::refresh, unknown_token_problem).await
}

/// Exchanges the code of a sign-in for the first tokens of its session.
pub async fn exchange(ports: &Ports, text: &str, client: &SignInClient<'_>) -> Result<SignedIn, Problem> {
    let code = RefreshToken::decode(text, &ports.keys.sign_in_code).ok_or_else(unknown_code_problem)?;
    exchange_for_tokens(ports, code, client, Session::exchange, unknown_code_problem).await
}

/// Function that exchanges a token or code of a session for the next refresh token. The arguments are the
/// session, the hash of the token or code, the hash of the next token, and the time.
type Exchange = fn(&mut Session, SecretHash, SecretHash, Timestamp) -> Result<(), TokenRefusal>;

/// Exchanges a refresh token or a code for new tokens. If the token or code is refused because it was used
/// before, the session ends.
async fn exchange_for_tokens(
    ports: &Ports,
    token: RefreshToken,
    client: &SignInClient<'_>,
    exchange: Exchange,
    unknown: fn() -> Problem,
) -> Result<SignedIn, Problem> {
    let next = RefreshToken::make(token.session).map_err(|error| Problem::internal(&error))?;
    for _ in 0..SESSION_WRITES_MAX {
        let mut stored = find(ports, token.session).await?.ok_or_else(unknown_token_problem)?;
        let now = ports.clock.now();
        let exchanged = exchange(&mut stored.session, token.hash(), next.hash(), now);
        if exchanged == Err(TokenRefusal::Ended) {
            return Err(unknown());
        }
        // A repeated token may be stolen. The access tokens of the session are refused even before the end of
        // the session is on disk.
        if exchanged.is_err() {
            deny_access(&*ports.accounts.ended_sessions, token.session, &|| ports.clock.now()).await;
        }
        if !ports.accounts.credentials.replace_session(&stored).await? {
            continue;
        }
        let user = UserId::of_customer(&stored.session.user).ok_or_else(unknown_token_problem)?;
        if exchanged.is_err() {
            accounts::record_sign_in(ports, SignInKind::TokenReused, Some(user), None, client).await?;
            return Err(unknown());
        }
        let loaded = ports.aggregates.users.load(&User::stream(user)).await?;
        let role = loaded.and_then(|loaded| loaded.state.account().map(|account| account.role));
        return Ok(issue_tokens(ports, user, role.ok_or_else(unknown_token_problem)?, &next));
    }
    Err(sessions_problem(SessionsError::Conflict))
}

/// Ends the session of a refresh token, or all sessions of its user if `everywhere` is true. All sessions can
/// be ended even if the session of the token has already ended. Returns the user, or `None` if no session was
/// open.
pub async fn end(ports: &Ports, text: &str, everywhere: bool) -> Result<Option<UserId>, Problem> {
    let token = RefreshToken::decode(text, &ports.keys.refresh).ok_or_else(unknown_token_problem)?;
    let stored = find(ports, token.session).await?.ok_or_else(unknown_token_problem)?;
    let has_ended = stored.session.revoked_at.is_some();
    if has_ended && !everywhere {
        return Ok(None);
    }
    let user = stored.session.user.clone();
    let task_ports = ports.clone();
    let owner = user.clone();
    // Runs in a task, so that it completes even if the client disconnects. The session of the token ends
    // last, so that a repeated request still finds that session open.
    let task = tokio::spawn(async move {
        let mut was_any_open = !has_ended;
        if everywhere {
            was_any_open |= end_all(&task_ports, &owner, Some(stored.session.id)).await?;
        }
        if !has_ended {
            revoke(&task_ports, stored).await?;
        }
        Ok::<_, Problem>(was_any_open)
    });
    let was_any_open = task.await.map_err(|error| Problem::internal(&error))??;
    if !was_any_open {
        return Ok(None);
    }
    UserId::of_customer(&user).map(Some).ok_or_else(unknown_token_problem)
}

/// Ends all sessions of a user, except for the session `kept`. Returns true if any other session was open.
pub async fn end_all(ports: &Ports, user: &CustomerId, kept: Option<Uuid>) -> Result<bool, Problem> {
    let Accounts { credentials, ended_sessions, .. } = &ports.accounts;
    let ended = end_all_sessions(&**credentials, &**ended_sessions, user, kept, &|| ports.clock.now()).await;
    ended.map_err(sessions_problem)
}

async fn find(ports: &Ports, session: Uuid) -> Result<Option<StoredSession>, Problem> {
    Ok(ports.accounts.credentials.session(session).await?)
}

async fn revoke(ports: &Ports, stored: StoredSession) -> Result<(), Problem> {
    let Accounts { credentials, ended_sessions, .. } = &ports.accounts;
    let ended = end_session(&**credentials, &**ended_sessions, stored, &|| ports.clock.now()).await;
    ended.map_err(sessions_problem)
}

/// Returns the problem for a session that could not be ended.
pub fn sessions_problem(error: SessionsError) -> Problem {
    match error {
        SessionsError::Credentials(error) => error.into(),
        SessionsError::Conflict => Problem::new("revision-conflict", error.to_string()),
    }
}
