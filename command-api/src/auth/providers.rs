//! `/api/auth/oidc/…`: sign-in through an identity provider.
//!
//! The browser carries the state of a started sign-in (the [`Flow`]) in a cookie that only this shop can
//! decrypt. When the browser returns, the user is signed in if their identity is linked to an account. If it
//! is not, a new account is created. An existing account is linked to the identity only if its user was
//! signed in when the flow started, and the provider has verified that the e-mail address of the account is
//! theirs.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use serde::{Deserialize, Serialize};
use souk_domain::limits::SHORT_CHARS_MAX;
use souk_domain::text::is_hidden;
use souk_domain::text::rules::SHORT_NEEDED;
use souk_domain::user::event::UserRole;
use souk_domain::{Email, UserId};
use souk_eventsourcing::CorrelationId;
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::routes::{Access, ApiRouter, RateClass, Side, rules};
use souk_http::{Caller, ForeignQuery, Problem, StrictJson, StrictQuery};
use souk_sign_in::identity_provider::{Callback, Flow, FlowStart};
use souk_sign_in::{Identity, ProviderFailed, SignInKind, UnlinkOutcome};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::ports::Ports;
use crate::users::erasure;

use super::accounts::{self, SignInClient};
use super::passwords::{self, NewAccount};
use super::request::{ExchangeRequest, SignedIn};
use super::return_path::own_path;
use super::routes::no_store;
use super::{addresses, sessions};

/// Name of the cookie that carries a started sign-in.
const COOKIE: &str = "souk-sign-in";

/// Query parameters of the start of a sign-in.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct StartQuery {
    /// Path of this site to which the browser returns after the sign-in, such as `/account`. It gets
    /// `#code=…` or `#error=CODE` appended. `POST /api/auth/oidc/exchange` exchanges the code for tokens,
    /// within a minute. Without this parameter, the response at the end of the sign-in is JSON.
    #[param(
        min_length = 1,
        max_length = 512,
        pattern = r#"^/(?![aA][pP][iI]([/?]|$))([A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)?([?][!-"$-\[\]-~]*)?$"#
    )]
    return_to: Option<String>,
}

/// Query parameters that an identity provider sends back. Other parameters are ignored.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// The value `state` from the start of the sign-in.
    state: Option<String>,
    /// Authorization code, which the shop exchanges for the user's identity.
    code: Option<String>,
    /// Issuer of the response (RFC 9207).
    iss: Option<String>,
    /// Reason why there is no code.
    error: Option<String>,
}

/// Returns the routes of sign-ins at identity providers.
pub(crate) fn router() -> ApiRouter<Ports> {
    let anyone = rules(Access::Anyone).counts_as(RateClass::Auth).without_version();
    let signed_in = rules(Access::SignedIn).counts_as(RateClass::Auth).without_version();
    ApiRouter::new(Side::Command)
        .route(routes!(start), anyone)
        .route(routes!(callback), anyone)
        .route(routes!(unlink), signed_in)
        .route(routes!(exchange), anyone)
}

/// Starts a sign-in: redirects the browser to an identity provider.
///
/// If the request has an access token, the identity will be linked to its account. A page with an access
/// token sends the request with `Accept: application/json`, and then opens the URL in the response.
#[utoipa::path(get, path = "/api/auth/oidc/{provider}/start", tag = "auth",
    params(("provider" = String, Path, description = "Name of the identity provider in the configuration of the shop."), StartQuery),
    responses((status = 200, description = "URL of the provider's sign-in page, if the request accepts JSON.", body = ProviderPage,
            headers(("Set-Cookie" = String))),
        (status = 302, description = "Redirect to the provider's sign-in page.", headers(("Location" = String), ("Set-Cookie" = String)))))]
pub async fn start(
    State(ports): State<Ports>,
    caller: Caller,
    headers: HeaderMap,
    Path(provider): Path<String>,
    StrictQuery(query): StrictQuery<StartQuery>,
) -> Result<Response, Problem> {
    let return_to = query.return_to.map(own_path).transpose()?;
    let user =
        if caller.subject.is_some() { Some(accounts::of_caller(&ports, &caller).await?.0) } else { None };
    if !ports.accounts.providers.has(&provider) {
        return Err(Problem::new("not-found", "there is no such identity provider"));
    }
    let start = ports.accounts.providers.begin(&provider, &redirect_uri(&ports, &provider)).await;
    let FlowStart { url, issuer, sends_issuer, state, nonce, verifier } =
        start.map_err(|why| provider_problem(&provider, &why))?;
    let begun_at = ports.clock.now();
    let user = user.map(UserId::customer);
    let session = caller.session;
    let flow =
        Flow { provider, issuer, sends_issuer, state, nonce, verifier, return_to, user, session, begun_at };
    let flow_json = serde_json::to_string(&flow).map_err(|error| Problem::internal(&error))?;
    let cookie = cookie(&ports, &flow.provider, flow_json);
    let jar = PrivateCookieJar::from_headers(&headers, ports.keys.sign_in.clone()).add(cookie);
    let wants_json = headers.get(header::ACCEPT).is_some_and(|kind| kind == "application/json");
    if wants_json {
        return Ok((jar, [(header::CACHE_CONTROL, "no-store")], Json(ProviderPage { url })).into_response());
    }
    Ok((jar, redirect(&url)?).into_response())
}

/// The sign-in page of an identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"url": "https://accounts.example/authorize?client_id=souk"}))]
pub struct ProviderPage {
    /// URL of the sign-in page.
    url: String,
}

/// Unlinks the caller's identity at a provider, unless it is the only way to sign in to the account.
#[utoipa::path(delete, path = "/api/auth/oidc/{provider}", tag = "auth",
    params(("provider" = String, Path, description = "Name of the identity provider in the configuration of the shop.")),
    responses((status = 204)))]
pub async fn unlink(
    State(ports): State<Ports>,
    caller: Caller,
    headers: HeaderMap,
    Path(provider): Path<String>,
) -> Result<StatusCode, Problem> {
    let (user, _) = accounts::of_caller(&ports, &caller).await?;
    let not_found = || Problem::new("not-found", "there is no such identity provider");
    let issuer = ports.accounts.providers.issuer(&provider).ok_or_else(not_found)?;
    match ports.accounts.credentials.unlink(&issuer, &user.customer()).await? {
        UnlinkOutcome::Done => {
            let client = SignInClient::of(&caller, &headers);
            accounts::record_sign_in(&ports, SignInKind::ProviderUnlinked, Some(user), None, &client).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        UnlinkOutcome::NotLinked => {
            Err(Problem::new("not-found", "no identity of this provider is linked to the account"))
        }
        UnlinkOutcome::LastSignInMethod => {
            let detail = "it is the only way to sign in to the account; first set a password with \
                          `/api/auth/password/reset`";
            Err(Problem::new("last-way-to-sign-in", detail))
        }
    }
}

/// Completes a sign-in: the browser returns here from the identity provider.
#[utoipa::path(get, path = "/api/auth/oidc/{provider}/callback", tag = "auth",
    params(("provider" = String, Path, description = "Name of the identity provider in the configuration of the shop."), CallbackQuery),
    responses((status = 200, body = SignedIn, headers(("Set-Cookie" = String))),
        (status = 302, description = "Redirect to the path `returnTo` from the start of the sign-in.",
            headers(("Location" = String), ("Set-Cookie" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            headers(("Set-Cookie" = String)))))]
pub async fn callback(
    State(ports): State<Ports>,
    method: Method,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    Path(provider): Path<String>,
    ForeignQuery(query): ForeignQuery<CallbackQuery>,
) -> Result<Response, Problem> {
    if !ports.accounts.providers.has(&provider) {
        return Err(Problem::new("not-found", "there is no such identity provider"));
    }
    if method == Method::HEAD {
        return Err(Problem::new("method-not-allowed", "a sign-in is completed with GET"));
    }
    let jar = PrivateCookieJar::from_headers(&headers, ports.keys.sign_in.clone());
    let flow = jar.get(COOKIE).and_then(|cookie| serde_json::from_str::<Flow>(cookie.value()).ok());
    // A flow is used once, with any outcome: the cookie is removed here, and the flow is marked as used
    // below.
    let jar = jar.remove(cookie(&ports, &provider, String::new()));
    let callback = Callback {
        provider: &provider,
        state: query.state.as_deref().unwrap_or_default(),
        issuer: query.iss.as_deref(),
    };
    let flow = flow.filter(|flow| flow.accepts(callback, ports.clock.now()));
    let flow = flow.filter(|flow| ports.accounts.used_flows.mark_used(flow));
    let Some(flow) = flow else { return Ok((jar, not_started()).into_response()) };
    let client = SignInClient::of(&caller, &headers);
    let user = finish_sign_in(&ports, &flow, &query, &write.correlation_id, &client).await;
    let response = match &flow.return_to {
        Some(path) => redirect_to_page(&ports, path, user).await?,
        None => token_response(&ports, user).await.unwrap_or_else(Problem::into_response),
    };
    Ok((jar, response).into_response())
}

fn not_started() -> Problem {
    let detail = "this browser has not started such a sign-in: start again";
    Problem::new("sign-in-not-begun", detail)
}

/// Redirects the browser to a page of this site, with a code that is valid for a minute. The address does not
/// contain a refresh token, since browsers store addresses and a refresh token is valid for thirty days.
async fn redirect_to_page(
    ports: &Ports,
    path: &str,
    user: Result<(UserId, UserRole), Problem>,
) -> Result<Response, Problem> {
    let code = match user {
        Ok((user, _)) => sessions::open_by_code(ports, user).await,
        Err(problem) => Err(problem),
    };
    match code {
        Ok(code) => redirect(&format!("{path}#code={code}")),
        Err(problem) => redirect(&format!("{path}#error={}", problem.code())),
    }
}

async fn token_response(
    ports: &Ports,
    user: Result<(UserId, UserRole), Problem>,
) -> Result<Response, Problem> {
    let (user, role) = user?;
    let signed_in = sessions::open(ports, user, role).await?;
    Ok(no_store(Json(signed_in)))
}

/// Exchanges the code in the fragment (`#code=…`) of a page's address for tokens. It works once, within a
/// minute after the sign-in.
#[utoipa::path(post, path = "/api/auth/oidc/exchange", tag = "auth", request_body = ExchangeRequest,
    responses((status = 200, body = SignedIn)))]
pub async fn exchange(
    State(ports): State<Ports>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<ExchangeRequest>,
) -> Result<Response, Problem> {
    let client = SignInClient::of(&caller, &headers);
    Ok(no_store(Json(sessions::exchange(&ports, &body.value.code.0, &client).await?)))
}

/// Reads the identity from the provider, and returns its user and role.
async fn finish_sign_in(
    ports: &Ports,
    flow: &Flow,
    query: &CallbackQuery,
    correlation_id: &CorrelationId,
    client: &SignInClient<'_>,
) -> Result<(UserId, UserRole), Problem> {
    let Some(code) = query.code.as_deref().filter(|_| query.error.is_none()) else {
        let detail = format!("the identity provider `{}` did not confirm the sign-in", flow.provider);
        return Err(Problem::new("sign-in-refused", detail));
    };
    // A sign-out or a new password ends the session. Then a flow that the session started ends too.
    if let Some(session) = flow.session {
        let stored = ports.accounts.credentials.session(session).await?;
        if stored.is_none_or(|stored| stored.session.is_over(ports.clock.now())) {
            return Err(not_started());
        }
    }
    let redirect_uri = redirect_uri(ports, &flow.provider);
    let identity = ports.accounts.providers.finish(flow, code, &redirect_uri).await;
    let identity = identity.map_err(|why| provider_problem(&flow.provider, &why))?;
    let (user, role) = account_of(ports, flow, &identity, correlation_id, client).await?;
    accounts::record_sign_in(ports, SignInKind::SignedIn, Some(user), None, client).await?;
    Ok((user, role))
}

/// Finds the account that is linked to an identity. If there is none, links the account that started the
/// flow, or creates an account.
async fn account_of(
    ports: &Ports,
    flow: &Flow,
    identity: &Identity,
    correlation_id: &CorrelationId,
    client: &SignInClient<'_>,
) -> Result<(UserId, UserRole), Problem> {
    let flow_user = flow.user.as_ref().and_then(UserId::of_customer);
    let linked = ports.accounts.credentials.linked_account(&identity.issuer, &identity.subject).await?;
    let linked = match linked.as_ref().and_then(UserId::of_customer) {
        Some(user) => accounts::of_user(ports, user).await?.map(|account| (user, account.role)),
        None => None,
    };
    match (linked, flow_user) {
        (Some((user, _)), Some(flow_user)) if user != flow_user => {
            return Err(Problem::new("account-not-linked", "this identity is linked to another account"));
        }
        (Some(linked), _) => return Ok(linked),
        (None, _) => {}
    }
    let Some(email) = &identity.verified_email else {
        let detail = "the identity provider has not verified an e-mail address of this identity";
        return Err(Problem::new("email-not-verified", detail));
    };
    let hash = addresses::alias_of(ports, email).await?;
    let Some(user) = flow_user else {
        if accounts::by_email(ports, &hash).await?.is_some() {
            let detail =
                "an account with this e-mail address exists: sign in to it, and then link the identity";
            return Err(Problem::new("account-not-linked", detail));
        }
        return create_account(ports, identity, email, correlation_id, client).await;
    };
    match accounts::of_user(ports, user).await? {
        Some(account) if account.email_hash == hash => {
            link(ports, identity, user).await?;
            accounts::record_sign_in(ports, SignInKind::ProviderLinked, Some(user), None, client).await?;
            Ok((user, account.role))
        }
        _ => {
            let detail = "the e-mail address of the identity differs from that of the account";
            Err(Problem::new("account-not-linked", detail))
        }
    }
}

async fn link(ports: &Ports, identity: &Identity, user: UserId) -> Result<(), Problem> {
    let now = ports.clock.now();
    ports.accounts.credentials.link(&identity.issuer, &identity.subject, &user.customer(), now).await?;
    erasure::delete_if_erased(ports, user).await?;
    Ok(())
}

/// Creates an account without a password, and links it to the identity. Both are done even if the client
/// disconnects. A crash in between leaves an account without a link; its owner can set a password by e-mail.
async fn create_account(
    ports: &Ports,
    identity: &Identity,
    email: &Email,
    correlation_id: &CorrelationId,
    client: &SignInClient<'_>,
) -> Result<(UserId, UserRole), Problem> {
    let role = UserRole::Customer;
    let name = name_of(identity, email);
    let new = NewAccount { email: email.clone(), password: None, name, role, is_verified: true };
    let task_ports = ports.clone();
    let identity = identity.clone();
    let correlation_id = correlation_id.clone();
    let task = tokio::spawn(async move {
        let (user, _) = passwords::sign_up(&task_ports, new, &correlation_id).await?;
        link(&task_ports, &identity, user).await?;
        Ok::<_, Problem>(user)
    });
    let user = task.await.map_err(|error| Problem::internal(&error))??;
    accounts::record_sign_in(ports, SignInKind::SignedUp, Some(user), None, client).await?;
    Ok((user, role))
}

/// Returns the name for a new account: the name of the identity, or else the part of the e-mail address
/// before the `@`.
fn name_of(identity: &Identity, email: &Email) -> String {
    let name = identity.name.as_deref().unwrap_or_default();
    let is_allowed = |c: &char| !c.is_control() && !is_hidden(*c);
    let name: String = name.trim().chars().filter(is_allowed).take(SHORT_CHARS_MAX).collect();
    let local_part = || email.as_str().split('@').next().unwrap_or_default().to_owned();
    SHORT_NEEDED.trim_and_check(&name).unwrap_or_else(|_| local_part())
}

fn provider_problem(provider: &str, why: &ProviderFailed) -> Problem {
    tracing::warn!(provider, %why, "a sign-in through an identity provider failed");
    match why {
        ProviderFailed::Unavailable(_) => {
            let detail = format!("the identity provider `{provider}` is not available now");
            Problem::new("upstream-unavailable", detail).retry_after(5)
        }
        ProviderFailed::Refused(_) => {
            let detail = format!("the response of the identity provider `{provider}` is not valid");
            Problem::new("sign-in-refused", detail)
        }
    }
}

/// Returns the URL to which a provider sends the browser back.
fn redirect_uri(ports: &Ports, provider: &str) -> String {
    format!("{}/api/auth/oidc/{provider}/callback", ports.settings.public_url)
}

fn cookie(ports: &Ports, provider: &str, value: String) -> Cookie<'static> {
    // A session cookie, deleted when the browser closes. The flow itself has the time at which it expires.
    Cookie::build((COOKIE, value))
        .path(format!("/api/auth/oidc/{provider}"))
        .http_only(true)
        .secure(ports.settings.public_url.starts_with("https://"))
        // With `Strict`, the browser would not send the cookie when the provider's site redirects to this
        // one.
        .same_site(SameSite::Lax)
        .build()
}

fn redirect(url: &str) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(url).map_err(|error| Problem::internal(&error))?;
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::FOUND, headers).into_response())
}
