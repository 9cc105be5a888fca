//! `/api/auth/…` and `/.well-known/jwks.json`. A key of a repeat is ignored here: every token that is given
//! out is another.

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
use souk_http::problem::ProblemBody;
use souk_http::shapes::{POSITION, PasswordShape, WriteAnswer, Written};
use souk_http::sign_ins::SignInAnswer;
use souk_http::token_keys::KeySet;
use souk_http::{Caller, Problem, StrictJson, StrictQuery, paging};
use souk_sign_in::{OneTimeToken, Password, Purpose, SignInKind};
use uuid::Uuid;

use crate::rejected::problem;
use crate::shop::Shop;

use super::accounts::{self, Client};
use super::passwords::{self, NewAccount};
use super::request::{
    ChangePasswordRequest, ConfirmResetRequest, LoginRequest, LogoutRequest, RefreshRequest, ResetRequest,
    SignIns, SignUpRequest, SignedIn, Valid, VerifyRequest,
};
use super::{mailed, sessions};

/// The list of sign-ins as its cursors name it.
const LIST: &str = "sign-ins";

/// Tokens are for whoever asked, and kept by nobody in between.
pub(crate) fn no_store(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Makes an account and signs in. A token to verify the address is mailed.
#[utoipa::path(post, path = "/api/auth/signup", tag = "auth", request_body = SignUpRequest,
    responses((status = 201, body = SignedIn, headers(("X-Position" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn sign_up(
    State(shop): State<Shop>,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    body: StrictJson<SignUpRequest>,
) -> Result<Response, Problem> {
    let asked = body.value;
    let email = asked.email.read("/email")?;
    let password = passwords::new_password("/password", &asked.password)?;
    let name = asked.name.read("/name")?;
    let role = UserRole::Customer;
    let new = NewAccount { email: email.clone(), password: Some(password), name, role, is_verified: false };
    let (user, position) = passwords::sign_up(&shop, new, &write.correlation_id).await?;
    accounts::note(&shop, SignInKind::SignedUp, Some(user), None, &Client::of(&caller, &headers)).await?;
    mailed::send(&shop, user, email, Purpose::VerifyEmail, caller.nearest_address()).await;
    let signed_in = sessions::open(&shop, user, role).await?;
    let mut response = no_store((StatusCode::CREATED, Json(signed_in)));
    response.headers_mut().insert(POSITION, HeaderValue::from(position.0));
    Ok(response)
}

/// Makes an account that may do everything; its address is taken for theirs.
#[utoipa::path(post, path = "/api/admin/users", tag = "auth", request_body = SignUpRequest,
    responses((status = 201, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn make_admin(
    State(shop): State<Shop>,
    write: WriteHeaders,
    body: StrictJson<SignUpRequest>,
) -> Result<WriteAnswer<Written>, Problem> {
    let (asked, role) = (body.value, UserRole::Admin);
    let email = asked.email.read("/email")?;
    let password = passwords::new_password("/password", &asked.password)?;
    let (name, password) = (asked.name.read("/name")?, Some(password));
    let new = NewAccount { email, password, name, role, is_verified: true };
    let (user, position) = passwords::sign_up(&shop, new, &write.correlation_id).await?;
    Ok(WriteAnswer::written(StatusCode::CREATED, &user, Revision::FIRST, position))
}

/// Signs in.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = LoginRequest,
    responses((status = 200, body = SignedIn), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn login(
    State(shop): State<Shop>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<LoginRequest>,
) -> Result<Response, Problem> {
    let client = Client::of(&caller, &headers);
    let email = body.value.email.read("/email")?;
    let password = typed(body.value.password)?;
    let proven = passwords::prove(&shop, &email, password, &client).await?;
    accounts::note(&shop, SignInKind::SignedIn, Some(proven.user), None, &client).await?;
    let signed_in = sessions::open(&shop, proven.user, proven.role).await?;
    // A change of the password ended the sessions that it found: this one may have come behind.
    if !proven.still_holds(&shop).await? {
        sessions::end(&shop, &signed_in.refresh_token, false).await?;
        return Err(Problem::new("unauthenticated", "e-mail address or password is wrong"));
    }
    Ok(no_store(Json(signed_in)))
}

/// Reads a password to compare, as it was typed.
fn typed(shape: PasswordShape) -> Result<Password, Problem> {
    let password = Password::typed(shape.0);
    if password.is_too_long() {
        return Err(Problem::field("/password", "invalid-length", "a password has at most 256 characters"));
    }
    Ok(password)
}

/// Takes a refresh token for the next two tokens.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "auth", request_body = RefreshRequest,
    responses((status = 200, body = SignedIn), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn refresh(
    State(shop): State<Shop>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<RefreshRequest>,
) -> Result<Response, Problem> {
    let text = &body.value.refresh_token.0;
    Ok(no_store(Json(sessions::refresh(&shop, text, &Client::of(&caller, &headers)).await?)))
}

/// Ends a session, or all: their tokens are refused at once.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", request_body = LogoutRequest,
    responses((status = 204), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn logout(
    State(shop): State<Shop>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<LogoutRequest>,
) -> Result<StatusCode, Problem> {
    let ended = sessions::end(&shop, &body.value.refresh_token.0, body.value.everywhere).await?;
    if ended.is_some() {
        accounts::note(&shop, SignInKind::SignedOut, ended, None, &Client::of(&caller, &headers)).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Says whose token it is.
#[utoipa::path(get, path = "/api/auth/validate", tag = "auth",
    responses((status = 200, body = Valid), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn validate(caller: Caller) -> Result<Response, Problem> {
    let subject = caller.signed_in()?.to_string();
    let roles = caller.roles.clone();
    let expires_at = caller.expires_at.map(|at| at.to_string());
    Ok(no_store(Json(Valid { subject, roles, expires_at })))
}

/// Sets another password; all other sessions end.
#[utoipa::path(post, path = "/api/auth/password/change", tag = "auth", request_body = ChangePasswordRequest,
    responses((status = 204), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn change_password(
    State(shop): State<Shop>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<ChangePasswordRequest>,
) -> Result<StatusCode, Problem> {
    let client = Client::of(&caller, &headers);
    let (user, account) = accounts::own(&shop, &caller).await?;
    let new = passwords::new_password("/new", &body.value.new)?;
    let current = Password::typed(body.value.current.0);
    let confirmed = passwords::confirm(&shop, user, current, "/current", &client).await?;
    passwords::change(&shop, (user, account), confirmed, new, caller.session).await?;
    accounts::note(&shop, SignInKind::PasswordChanged, Some(user), None, &client).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mails a token for a new password, if there is such an account.
#[utoipa::path(post, path = "/api/auth/password/reset", tag = "auth", request_body = ResetRequest,
    responses((status = 202), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn reset_password(
    State(shop): State<Shop>,
    caller: Caller,
    body: StrictJson<ResetRequest>,
) -> Result<StatusCode, Problem> {
    let email = body.value.email.read("/email")?;
    mailed::forgot(&shop, email, caller.nearest_address())?;
    Ok(StatusCode::ACCEPTED)
}

/// Sets a new password by the token that was mailed; all sessions end, and the address is verified by it.
#[utoipa::path(post, path = "/api/auth/password/reset/confirm", tag = "auth", request_body = ConfirmResetRequest,
    responses((status = 204), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn confirm_reset(
    State(shop): State<Shop>,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    body: StrictJson<ConfirmResetRequest>,
) -> Result<StatusCode, Problem> {
    let password = passwords::new_password("/password", &body.value.password)?;
    let token = &body.value.token.0;
    let (user, account) = mailed::account_of(&shop, token, Purpose::ResetPassword).await?;
    passwords::reset(&shop, (user, account), OneTimeToken::hash_of(token), password).await?;
    verified(&shop, user, true, &caller, &write).await?;
    accounts::note(&shop, SignInKind::PasswordReset, Some(user), None, &Client::of(&caller, &headers))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Verifies the e-mail address of an account by the token that was mailed to it.
///
/// A caller who is signed in to the account, or who sends its password, proves that the address is the account's:
/// orders that a guest placed with the address become theirs. Without that the address is verified and no order changes
/// hands, since a stranger may have made the account, and the owner of the address have got the token. A reset of the
/// password by mail proves it as well.
#[utoipa::path(post, path = "/api/auth/email/verify", tag = "auth", request_body = VerifyRequest,
    responses((status = 204, headers(("X-Position" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn verify_email(
    State(shop): State<Shop>,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    body: StrictJson<VerifyRequest>,
) -> Result<Response, Problem> {
    let VerifyRequest { token, password } = body.value;
    let token = &token.0;
    let purpose = Purpose::VerifyEmail;
    let (user, account) = mailed::account_of(&shop, token, purpose).await?;
    let mut is_proven = caller.subject.as_ref() == Some(&user.customer());
    if let Some(password) = password.filter(|_| !is_proven) {
        let client = Client::of(&caller, &headers);
        passwords::prove_by_alias(&shop, account.email_hash, typed(password)?, &client).await?;
        is_proven = true;
    }
    let hash = OneTimeToken::hash_of(token);
    let taken = shop.accounts.credentials.take_one_time(&hash, purpose, shop.clock.now()).await?;
    taken.ok_or_else(mailed::unknown_token)?;
    let position = verified(&shop, user, is_proven, &caller, &write).await?;
    Ok((StatusCode::NO_CONTENT, [(POSITION, HeaderValue::from(position))]).into_response())
}

async fn verified(
    shop: &Shop,
    user: UserId,
    is_proven: bool,
    caller: &Caller,
    write: &WriteHeaders,
) -> Result<u64, Problem> {
    let actor = if caller.subject.is_some() { caller.actor() } else { user.actor() };
    let origin = Origin::new(shop.clock.new_id(), actor, write.correlation_id.clone());
    let verify = CommandRequest::new(User::stream(user), UserCommand::VerifyEmail { is_proven }, origin);
    Ok(shop.accounts.users.execute(verify).await.map_err(problem)?.position.0)
}

/// What the trail of sign-ins can be asked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Whose; only admins may name somebody else. An admin who names nobody sees everybody's.
    #[param(min_length = 1, max_length = 64)]
    user_id: Option<String>,
    /// 1 to 100 items; 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the last page ended.
    cursor: Option<String>,
}

/// Lists what had to do with signing in, newest first, for ninety days.
#[utoipa::path(get, path = "/api/auth/audit", tag = "auth", params(AuditQuery),
    responses((status = 200, body = SignIns), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn audit(
    State(shop): State<Shop>,
    caller: Caller,
    StrictQuery(query): StrictQuery<AuditQuery>,
) -> Result<Response, Problem> {
    let subject = caller.signed_in()?;
    let asked = query.user_id.as_deref().map(CustomerId::parse).transpose();
    let asked = asked.map_err(|error| Problem::parameter("userId", error))?;
    let of = match asked {
        asked if caller.is_admin() => asked,
        Some(asked) if asked != *subject => {
            return Err(Problem::new("forbidden", "only admins see the sign-ins of somebody else"));
        }
        _ => Some(subject.clone()),
    };
    let limit = paging::limit(query.limit)?;
    let before = paging::decode::<Uuid>(LIST, query.cursor.as_deref())?;
    let mut items = shop.accounts.credentials.sign_ins(of.as_ref(), before, limit + 1).await?;
    let has_more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| has_more).map(|last| paging::encode(LIST, &last.id));
    let items = items.into_iter().map(SignInAnswer::from).collect();
    Ok(no_store(Json(SignIns { items, next_cursor })))
}

/// The public keys of access tokens.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth",
    responses((status = 200, body = KeySet)))]
pub async fn key_set(State(shop): State<Shop>) -> Response {
    const FIVE_MINUTES: (HeaderName, HeaderValue) =
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    ([FIVE_MINUTES], Json(shop.keys.tokens().key_set(shop.clock.now()))).into_response()
}
