//! `/api/auth/…` and `/.well-known/jwks.json`.
//!
//! An `Idempotency-Key` has no effect here, since every response has new tokens.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use souk_domain::user::event::UserRole;
use souk_domain::user::{User, UserCommand};
use souk_domain::{CustomerId, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandRequest, Revision};
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, RateClass, Side, rules};
use souk_http::shapes::{POSITION, PasswordShape, WriteResponse, Written};
use souk_http::sign_ins::SignInResponse;
use souk_http::token_keys::KeySet;
use souk_http::{Caller, Problem, StrictJson, StrictQuery, paging};
use souk_sign_in::{OneTimeToken, Password, Purpose, SignInKind};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::ports::Ports;
use crate::rejected::problem;
use crate::reply::Reply;

use super::accounts::{self, SignInClient};
use super::passwords::{self, NewAccount};
use super::request::{
    ChangePasswordRequest, ConfirmResetRequest, LoginRequest, LogoutRequest, RefreshRequest, ResetRequest,
    SignIns, SignUpRequest, SignedIn, Valid, VerifyRequest,
};
use super::{mailed_tokens, sessions};

/// Name of the list of sign-in events in its cursors.
const LIST: &str = "sign-ins";

/// Returns the routes of accounts and sessions.
pub(crate) fn router() -> ApiRouter<Ports> {
    let anyone = rules(Access::Anyone).counts_as(RateClass::Auth).without_version();
    let signed_in = rules(Access::SignedIn).counts_as(RateClass::Auth).without_version();
    ApiRouter::new(Side::Command)
        .route(routes!(sign_up), anyone)
        .route(routes!(make_admin), rules(Access::Admin).ignores_idempotency_keys())
        .route(routes!(login), anyone)
        .route(routes!(refresh), anyone)
        .route(routes!(logout), anyone)
        .route(routes!(validate), signed_in)
        .route(routes!(change_password), signed_in)
        .route(routes!(reset_password), anyone)
        .route(routes!(confirm_reset), anyone)
        .route(routes!(verify_email), anyone)
        .route(routes!(audit), signed_in)
        .route(routes!(key_set), rules(Access::Anyone).without_version())
}

/// Forbids caches to store a response: it has tokens or data about sign-ins.
pub(crate) fn no_store(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Creates an account and signs the user in. A token to verify the e-mail address is sent by e-mail.
#[utoipa::path(post, path = "/api/auth/signup", tag = "auth", request_body = SignUpRequest,
    responses((status = 201, body = SignedIn, headers(("X-Position" = String)))))]
pub async fn sign_up(
    State(ports): State<Ports>,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    body: StrictJson<SignUpRequest>,
) -> Result<Response, Problem> {
    let request = body.value;
    let email = request.email.read("/email")?;
    let password = passwords::new_password("/password", &request.password)?;
    let name = request.name.read("/name")?;
    let role = UserRole::Customer;
    let new = NewAccount { email: email.clone(), password: Some(password), name, role, is_verified: false };
    let (user, position) = passwords::sign_up(&ports, new, &write.correlation_id).await?;
    accounts::record_sign_in(
        &ports,
        SignInKind::SignedUp,
        Some(user),
        None,
        &SignInClient::of(&caller, &headers),
    )
    .await?;
    mailed_tokens::send(&ports, user, email, Purpose::VerifyEmail, caller.nearest_address()).await;
    let signed_in = sessions::open(&ports, user, role).await?;
    let mut response = no_store((StatusCode::CREATED, Json(signed_in)));
    response.headers_mut().insert(POSITION, HeaderValue::from(position.0));
    Ok(response)
}

/// Creates an account with the role admin. Its e-mail address counts as verified. For admins.
#[utoipa::path(post, path = "/api/admin/users", tag = "auth", request_body = SignUpRequest,
    responses((status = 201, body = Written)))]
pub async fn make_admin(
    State(ports): State<Ports>,
    write: WriteHeaders,
    body: StrictJson<SignUpRequest>,
) -> Reply {
    let request = body.value;
    let email = request.email.read("/email")?;
    let password = Some(passwords::new_password("/password", &request.password)?);
    let name = request.name.read("/name")?;
    let new = NewAccount { email, password, name, role: UserRole::Admin, is_verified: true };
    let (user, position) = passwords::sign_up(&ports, new, &write.correlation_id).await?;
    Ok(WriteResponse::written(StatusCode::CREATED, &user, Revision::FIRST, position))
}

/// Signs in with e-mail address and password.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = LoginRequest,
    responses((status = 200, body = SignedIn)))]
pub async fn login(
    State(ports): State<Ports>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<LoginRequest>,
) -> Result<Response, Problem> {
    let client = SignInClient::of(&caller, &headers);
    let email = body.value.email.read("/email")?;
    let password = typed_password(body.value.password)?;
    let verified = passwords::verify(&ports, &email, password, &client).await?;
    accounts::record_sign_in(&ports, SignInKind::SignedIn, Some(verified.user), None, &client).await?;
    let signed_in = sessions::open(&ports, verified.user, verified.role).await?;
    // If the password was changed meanwhile, the change may have ended all sessions before this one was
    // opened.
    if !verified.has_same_password(&ports).await? {
        sessions::end(&ports, &signed_in.refresh_token, false).await?;
        return Err(Problem::new("unauthenticated", "e-mail address or password is wrong"));
    }
    Ok(no_store(Json(signed_in)))
}

/// Reads a password that is compared with that of an account. It is not trimmed.
fn typed_password(shape: PasswordShape) -> Result<Password, Problem> {
    let password = Password::typed(shape.0);
    if password.is_too_long() {
        return Err(Problem::field("/password", "invalid-length", "a password has at most 256 characters"));
    }
    Ok(password)
}

/// Exchanges a refresh token for a new access token and a new refresh token.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "auth", request_body = RefreshRequest,
    responses((status = 200, body = SignedIn)))]
pub async fn refresh(
    State(ports): State<Ports>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<RefreshRequest>,
) -> Result<Response, Problem> {
    let text = &body.value.refresh_token.0;
    Ok(no_store(Json(sessions::refresh(&ports, text, &SignInClient::of(&caller, &headers)).await?)))
}

/// Ends a session, or all sessions of the user. Their tokens are refused at once.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", request_body = LogoutRequest,
    responses((status = 204)))]
pub async fn logout(
    State(ports): State<Ports>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<LogoutRequest>,
) -> Result<StatusCode, Problem> {
    let ended = sessions::end(&ports, &body.value.refresh_token.0, body.value.everywhere).await?;
    if ended.is_some() {
        accounts::record_sign_in(
            &ports,
            SignInKind::SignedOut,
            ended,
            None,
            &SignInClient::of(&caller, &headers),
        )
        .await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the user, the roles and the expiry time of the caller's access token.
#[utoipa::path(get, path = "/api/auth/validate", tag = "auth",
    responses((status = 200, body = Valid)))]
pub async fn validate(caller: Caller) -> Result<Response, Problem> {
    let subject = caller.signed_in()?.to_string();
    let roles = caller.roles.clone();
    let expires_at = caller.expires_at.map(|at| at.to_string());
    Ok(no_store(Json(Valid { subject, roles, expires_at })))
}

/// Changes the caller's password. All other sessions of the caller end.
#[utoipa::path(post, path = "/api/auth/password/change", tag = "auth", request_body = ChangePasswordRequest,
    responses((status = 204)))]
pub async fn change_password(
    State(ports): State<Ports>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<ChangePasswordRequest>,
) -> Result<StatusCode, Problem> {
    let client = SignInClient::of(&caller, &headers);
    let (user, account) = accounts::of_caller(&ports, &caller).await?;
    let new = passwords::new_password("/new", &body.value.new)?;
    let current = Password::typed(body.value.current.0);
    let confirmed = passwords::confirm(&ports, user, current, "/current", &client).await?;
    passwords::change(&ports, (user, account), confirmed, new, caller.session).await?;
    accounts::record_sign_in(&ports, SignInKind::PasswordChanged, Some(user), None, &client).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends an e-mail with a token to reset the password. The response is the same if no account has this
/// address.
#[utoipa::path(post, path = "/api/auth/password/reset", tag = "auth", request_body = ResetRequest,
    responses((status = 202)))]
pub async fn reset_password(
    State(ports): State<Ports>,
    caller: Caller,
    body: StrictJson<ResetRequest>,
) -> Result<StatusCode, Problem> {
    let email = body.value.email.read("/email")?;
    mailed_tokens::send_reset(&ports, email, caller.nearest_address()).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Sets a new password with the token from the e-mail. All sessions end, and the e-mail address becomes
/// verified.
#[utoipa::path(post, path = "/api/auth/password/reset/confirm", tag = "auth", request_body = ConfirmResetRequest,
    responses((status = 204)))]
pub async fn confirm_reset(
    State(ports): State<Ports>,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    body: StrictJson<ConfirmResetRequest>,
) -> Result<StatusCode, Problem> {
    let password = passwords::new_password("/password", &body.value.password)?;
    let token = &body.value.token.0;
    let (user, account) = mailed_tokens::account_of(&ports, token, Purpose::ResetPassword).await?;
    passwords::reset(&ports, (user, account), OneTimeToken::hash_of(token), password).await?;
    mark_verified(&ports, user, true, &caller, &write).await?;
    accounts::record_sign_in(
        &ports,
        SignInKind::PasswordReset,
        Some(user),
        None,
        &SignInClient::of(&caller, &headers),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Verifies the e-mail address of an account with the token from the e-mail.
///
/// If the caller is signed in to the account, or sends its password, this proves that the owner of the
/// address uses the account. Then orders that a guest placed with the address are attached to the account.
/// Otherwise, the address becomes verified, but no order is attached, because a stranger may have created the
/// account with somebody else's address. Resetting the password by e-mail is a proof too.
#[utoipa::path(post, path = "/api/auth/email/verify", tag = "auth", request_body = VerifyRequest,
    responses((status = 204, headers(("X-Position" = String)))))]
pub async fn verify_email(
    State(ports): State<Ports>,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    body: StrictJson<VerifyRequest>,
) -> Result<Response, Problem> {
    let VerifyRequest { token, password } = body.value;
    let token = &token.0;
    let purpose = Purpose::VerifyEmail;
    let (user, account) = mailed_tokens::account_of(&ports, token, purpose).await?;
    let mut is_proven = caller.subject.as_ref() == Some(&user.customer());
    if let Some(password) = password.filter(|_| !is_proven) {
        let client = SignInClient::of(&caller, &headers);
        passwords::verify_by_alias(&ports, account.email_hash, typed_password(password)?, &client).await?;
        is_proven = true;
    }
    let hash = OneTimeToken::hash_of(token);
    let taken = ports.accounts.credentials.take_one_time(&hash, purpose, ports.clock.now()).await?;
    taken.ok_or_else(mailed_tokens::unknown_token)?;
    let position = mark_verified(&ports, user, is_proven, &caller, &write).await?;
    Ok((StatusCode::NO_CONTENT, [(POSITION, HeaderValue::from(position))]).into_response())
}

/// Marks the e-mail address of a user as verified. Returns the position of the event.
async fn mark_verified(
    ports: &Ports,
    user: UserId,
    is_proven: bool,
    caller: &Caller,
    write: &WriteHeaders,
) -> Result<u64, Problem> {
    let actor = if caller.subject.is_some() { caller.actor() } else { user.actor() };
    let origin = Origin::new(ports.clock.new_id(), actor, write.correlation_id.clone());
    let verify = CommandRequest::new(User::stream(user), UserCommand::VerifyEmail { is_proven }, origin);
    Ok(ports.aggregates.users.execute(verify).await.map_err(problem)?.position.0)
}

/// Query parameters of the list of sign-in events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Id of the user whose events are listed. Only admins may send the id of another user. If an admin sends
    /// none, the events of all users are listed; for other callers, their own.
    #[param(min_length = 1, max_length = 64)]
    user_id: Option<String>,
    /// Largest number of items in a page: 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Cursor from the previous page.
    cursor: Option<String>,
}

/// Lists the sign-in events of the last 90 days, newest first.
#[utoipa::path(get, path = "/api/auth/audit", tag = "auth", params(AuditQuery),
    responses((status = 200, body = SignIns)))]
pub async fn audit(
    State(ports): State<Ports>,
    caller: Caller,
    StrictQuery(query): StrictQuery<AuditQuery>,
) -> Result<Response, Problem> {
    let subject = caller.signed_in()?;
    let user = query.user_id.as_deref().map(CustomerId::parse).transpose();
    let user = user.map_err(|error| Problem::parameter("userId", error))?;
    let user = match user {
        user if caller.is_admin() => user,
        Some(user) if user != *subject => {
            return Err(Problem::new("forbidden", "only admins may list the sign-ins of another user"));
        }
        _ => Some(subject.clone()),
    };
    let limit = paging::limit(query.limit)?;
    let before = paging::decode::<Uuid>(LIST, query.cursor.as_deref())?;
    let mut items = ports.accounts.credentials.sign_ins(user.as_ref(), before, limit + 1).await?;
    let has_more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| has_more).map(|last| paging::encode(LIST, &last.id));
    let items = items.into_iter().map(SignInResponse::from).collect();
    Ok(no_store(Json(SignIns { items, next_cursor })))
}

/// Returns the public keys that verify access tokens, as a JSON Web Key Set.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth",
    responses((status = 200, body = KeySet)))]
pub async fn key_set(State(ports): State<Ports>) -> Response {
    const FIVE_MINUTES: (HeaderName, HeaderValue) =
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    ([FIVE_MINUTES], Json(ports.keys.tokens().key_set(ports.clock.now()))).into_response()
}
