//! `/api/auth/oidc/…`: signing in by the word of an identity provider.
//!
//! What a sign-in needs when it comes back is carried by the browser, in a cookie that only this shop can
//! read. Who comes back is signed in when their identity is linked to an account; without one, an account is
//! made. An account that is there already is linked only when its owner was signed in as the sign-in began,
//! and the provider shows that its e-mail address is theirs.

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
use souk_http::{Caller, Problem, StrictJson, StrictQuery};
use souk_sign_in::identity_provider::{Begun, Flow, Returned};
use souk_sign_in::{Identity, ProviderFailed, SignInKind, Unlinked};
use utoipa::ToSchema;

use crate::shop::Shop;
use crate::users::erasure;

use super::accounts::{self, Client};
use super::passwords::{self, NewAccount};
use super::request::{ExchangeRequest, SignedIn};
use super::return_path::own_path;
use super::routes::no_store;
use super::{addresses, sessions};

/// The cookie that carries a sign-in.
const COOKIE: &str = "souk-sign-in";

/// Where a sign-in leads.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct StartQuery {
    /// A path of this site, as in `/account`. The browser comes back to it with `#code=…`, which
    /// `POST /api/auth/oidc/exchange` takes for tokens within a minute, or with `#error=CODE`; without it the
    /// answer is JSON.
    #[param(
        min_length = 1,
        max_length = 512,
        pattern = r#"^/(?![aA][pP][iI]([/?]|$))([A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)?([?][!-"$-\[\]-~]*)?$"#
    )]
    return_to: Option<String>,
}

/// What a provider sends back. It may say more.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// What the sign-in began with.
    state: Option<String>,
    /// What is taken for who it is.
    code: Option<String>,
    /// Whom it is from.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Sends the browser to an identity provider. With a token, the identity is linked to its account: a page that
/// holds one asks for JSON, and goes where that says.
#[utoipa::path(get, path = "/api/auth/oidc/{provider}/start", tag = "auth",
    params(("provider" = String, Path, description = "The provider, as the shop is configured."), StartQuery),
    responses((status = 200, description = "The provider's page, for who asks for JSON.", body = ProviderPage,
            headers(("Set-Cookie" = String))),
        (status = 302, description = "The provider's page.", headers(("Location" = String), ("Set-Cookie" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn start(
    State(shop): State<Shop>,
    caller: Caller,
    headers: HeaderMap,
    Path(provider): Path<String>,
    StrictQuery(query): StrictQuery<StartQuery>,
) -> Result<Response, Problem> {
    let return_to = query.return_to.map(own_path).transpose()?;
    let user = if caller.subject.is_some() { Some(accounts::own(&shop, &caller).await?.0) } else { None };
    if !shop.accounts.providers.has(&provider) {
        return Err(Problem::new("not-found", "there is no such identity provider"));
    }
    let begun = shop.accounts.providers.begin(&provider, &redirect_uri(&shop, &provider)).await;
    let Begun { url, issuer, names_itself, state, nonce, verifier } =
        begun.map_err(|why| failed(&provider, &why))?;
    let begun_at = shop.clock.now();
    let user = user.map(UserId::customer);
    let session = caller.session;
    let flow =
        Flow { provider, issuer, names_itself, state, nonce, verifier, return_to, user, session, begun_at };
    let sealed = serde_json::to_string(&flow).map_err(|error| Problem::internal(&error))?;
    let cookie = cookie(&shop, &flow.provider, sealed);
    let jar = PrivateCookieJar::from_headers(&headers, shop.keys.sign_in.clone()).add(cookie);
    let wants_json = headers.get(header::ACCEPT).is_some_and(|kind| kind == "application/json");
    if wants_json {
        return Ok((jar, [(header::CACHE_CONTROL, "no-store")], Json(ProviderPage { url })).into_response());
    }
    Ok((jar, away(&url)?).into_response())
}

/// Where a browser goes to sign in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"url": "https://accounts.example/authorize?client_id=souk"}))]
pub struct ProviderPage {
    /// The provider's page.
    url: String,
}

/// Unlinks the caller's identity at a provider, unless it is the only way to sign in to the account.
#[utoipa::path(delete, path = "/api/auth/oidc/{provider}", tag = "auth",
    params(("provider" = String, Path, description = "The provider, as the shop is configured.")),
    responses((status = 204), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn unlink(
    State(shop): State<Shop>,
    caller: Caller,
    headers: HeaderMap,
    Path(provider): Path<String>,
) -> Result<StatusCode, Problem> {
    let (user, _) = accounts::own(&shop, &caller).await?;
    let absent = || Problem::new("not-found", "there is no identity provider of this name");
    let issuer = shop.accounts.providers.issuer(&provider).ok_or_else(absent)?;
    match shop.accounts.credentials.unlink(&issuer, &user.customer()).await? {
        Unlinked::Done => {
            let client = Client::of(&caller, &headers);
            accounts::note(&shop, SignInKind::ProviderUnlinked, Some(user), None, &client).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        Unlinked::NotLinked => {
            Err(Problem::new("not-found", "no identity of this provider is linked to the account"))
        }
        Unlinked::LastWay => {
            let detail = "nobody could sign in to the account without it; set a password first, by `/api/auth/password/reset`";
            Err(Problem::new("last-way-to-sign-in", detail))
        }
    }
}

/// Takes somebody back from an identity provider, and signs them in.
#[utoipa::path(get, path = "/api/auth/oidc/{provider}/callback", tag = "auth",
    params(("provider" = String, Path, description = "The provider, as the shop is configured."), CallbackQuery),
    responses((status = 200, body = SignedIn, headers(("Set-Cookie" = String))),
        (status = 302, description = "The path that the sign-in was to come back to.",
            headers(("Location" = String), ("Set-Cookie" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            headers(("Set-Cookie" = String)))))]
pub async fn callback(
    State(shop): State<Shop>,
    method: Method,
    caller: Caller,
    write: WriteHeaders,
    headers: HeaderMap,
    Path(provider): Path<String>,
    StrictQuery(query): StrictQuery<CallbackQuery>,
) -> Result<Response, Problem> {
    if !shop.accounts.providers.has(&provider) {
        return Err(Problem::new("not-found", "there is no such identity provider"));
    }
    if method == Method::HEAD {
        return Err(Problem::new("method-not-allowed", "a sign-in ends by GET"));
    }
    let jar = PrivateCookieJar::from_headers(&headers, shop.keys.sign_in.clone());
    let carried = jar.get(COOKIE).and_then(|cookie| serde_json::from_str::<Flow>(cookie.value()).ok());
    // Whatever comes of it, it was the one time: the browser forgets it, and this process remembers.
    let jar = jar.remove(cookie(&shop, &provider, String::new()));
    let returned = Returned {
        provider: &provider,
        state: query.state.as_deref().unwrap_or_default(),
        issuer: query.iss.as_deref(),
    };
    let flow = carried.filter(|flow| flow.is_met_by(returned, shop.clock.now()));
    let flow = flow.filter(|flow| shop.accounts.spent_flows.spend(flow));
    let Some(flow) = flow else { return Ok((jar, not_begun()).into_response()) };
    let client = Client::of(&caller, &headers);
    let proven = finished(&shop, &flow, &query, &write.correlation_id, &client).await;
    let answer = match &flow.return_to {
        Some(path) => to_page(&shop, path, proven).await?,
        None => to_client(&shop, proven).await.unwrap_or_else(Problem::into_response),
    };
    Ok((jar, answer).into_response())
}

fn not_begun() -> Problem {
    let detail = "no such sign-in is under way in this browser: begin again";
    Problem::new("sign-in-not-begun", detail)
}

/// Sends the browser to a page of this site. A token of thirty days has no place in an address, which browsers
/// keep: a code of a minute stands there.
async fn to_page(
    shop: &Shop,
    path: &str,
    proven: Result<(UserId, UserRole), Problem>,
) -> Result<Response, Problem> {
    let code = match proven {
        Ok((user, _)) => sessions::open_by_code(shop, user).await,
        Err(problem) => Err(problem),
    };
    match code {
        Ok(code) => away(&format!("{path}#code={code}")),
        Err(problem) => away(&format!("{path}#error={}", problem.code())),
    }
}

async fn to_client(shop: &Shop, proven: Result<(UserId, UserRole), Problem>) -> Result<Response, Problem> {
    let (user, role) = proven?;
    let signed_in = sessions::open(shop, user, role).await?;
    Ok(no_store(Json(signed_in)))
}

/// Takes the code behind the `#` of a page for tokens, once, within a minute of the sign-in.
#[utoipa::path(post, path = "/api/auth/oidc/exchange", tag = "auth", request_body = ExchangeRequest,
    responses((status = 200, body = SignedIn), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn exchange(
    State(shop): State<Shop>,
    caller: Caller,
    headers: HeaderMap,
    body: StrictJson<ExchangeRequest>,
) -> Result<Response, Problem> {
    let client = Client::of(&caller, &headers);
    Ok(no_store(Json(sessions::exchange(&shop, &body.value.code.0, &client).await?)))
}

async fn finished(
    shop: &Shop,
    flow: &Flow,
    query: &CallbackQuery,
    correlation_id: &CorrelationId,
    client: &Client<'_>,
) -> Result<(UserId, UserRole), Problem> {
    let Some(code) = query.code.as_deref().filter(|_| query.error.is_none()) else {
        let detail = format!("the identity provider `{}` did not sign anybody in", flow.provider);
        return Err(Problem::new("sign-in-refused", detail));
    };
    // Signing out, and a new password, end what was begun by the session as well.
    if let Some(session) = flow.session {
        let stored = shop.accounts.credentials.family(session).await?;
        if stored.is_none_or(|stored| stored.family.is_over(shop.clock.now())) {
            return Err(not_begun());
        }
    }
    let redirect_uri = redirect_uri(shop, &flow.provider);
    let identity = shop.accounts.providers.finish(flow, code, &redirect_uri).await;
    let identity = identity.map_err(|why| failed(&flow.provider, &why))?;
    let (user, role) = account_of(shop, flow, &identity, correlation_id, client).await?;
    accounts::note(shop, SignInKind::SignedIn, Some(user), None, client).await?;
    Ok((user, role))
}

/// Whose account it is: linked before, linked now, or made.
async fn account_of(
    shop: &Shop,
    flow: &Flow,
    identity: &Identity,
    correlation_id: &CorrelationId,
    client: &Client<'_>,
) -> Result<(UserId, UserRole), Problem> {
    let asking = flow.user.as_ref().and_then(UserId::of_customer);
    let linked = shop.accounts.credentials.linked(&identity.issuer, &identity.subject).await?;
    let linked = match linked.as_ref().and_then(UserId::of_customer) {
        Some(user) => accounts::of_user(shop, user).await?.map(|account| (user, account.role)),
        None => None,
    };
    match (linked, asking) {
        (Some((user, _)), Some(asking)) if user != asking => {
            return Err(Problem::new("account-not-linked", "this identity belongs to another account"));
        }
        (Some(linked), _) => return Ok(linked),
        (None, _) => {}
    }
    let Some(email) = &identity.verified_email else {
        let detail = "the identity provider does not show that an e-mail address is theirs";
        return Err(Problem::new("email-not-verified", detail));
    };
    let hash = addresses::alias_of(shop, email).await?;
    let Some(user) = asking else {
        if accounts::by_email(shop, &hash).await?.is_some() {
            let detail =
                "there is an account with this e-mail address: sign in to it, then connect the identity";
            return Err(Problem::new("account-not-linked", detail));
        }
        return made(shop, identity, email, correlation_id, client).await;
    };
    match accounts::of_user(shop, user).await? {
        Some(account) if account.email_hash == hash => {
            link(shop, identity, user).await?;
            accounts::note(shop, SignInKind::ProviderLinked, Some(user), None, client).await?;
            Ok((user, account.role))
        }
        _ => {
            let detail = "the identity has another e-mail address than the account";
            Err(Problem::new("account-not-linked", detail))
        }
    }
}

async fn link(shop: &Shop, identity: &Identity, user: UserId) -> Result<(), Problem> {
    let (issuer, subject) = (&identity.issuer, &identity.subject);
    shop.accounts.credentials.link(issuer, subject, &user.customer(), shop.clock.now()).await?;
    erasure::look_again(shop, user).await?;
    Ok(())
}

/// Makes an account without a password, and its link: both, also when nobody waits for it any more. A crash
/// in between leaves an account whose owner may set a password by mail.
async fn made(
    shop: &Shop,
    identity: &Identity,
    email: &Email,
    correlation_id: &CorrelationId,
    client: &Client<'_>,
) -> Result<(UserId, UserRole), Problem> {
    let role = UserRole::Customer;
    let name = name_of(identity, email);
    let new = NewAccount { email: email.clone(), password: None, name, role, is_verified: true };
    let (of_task, identity, correlation_id) = (shop.clone(), identity.clone(), correlation_id.clone());
    let made = tokio::spawn(async move {
        let (user, _) = passwords::sign_up(&of_task, new, &correlation_id).await?;
        link(&of_task, &identity, user).await?;
        Ok::<_, Problem>(user)
    });
    let user = made.await.map_err(|error| Problem::internal(&error))??;
    accounts::note(shop, SignInKind::SignedUp, Some(user), None, client).await?;
    Ok((user, role))
}

/// What they are called: as the provider says, else as their address begins.
fn name_of(identity: &Identity, email: &Email) -> String {
    let said = identity.name.as_deref().unwrap_or_default();
    let is_allowed = |c: &char| !c.is_control() && !is_hidden(*c);
    let said: String = said.trim().chars().filter(is_allowed).take(SHORT_CHARS_MAX).collect();
    let of_address = || email.as_str().split('@').next().unwrap_or_default().to_owned();
    SHORT_NEEDED.keep(&said).unwrap_or_else(|_| of_address())
}

fn failed(provider: &str, why: &ProviderFailed) -> Problem {
    tracing::warn!(provider, %why, "an identity provider did not say who somebody is");
    match why {
        ProviderFailed::Unavailable(_) => {
            let detail = format!("the identity provider `{provider}` can't be asked now");
            Problem::new("upstream-unavailable", detail).retry_after(5)
        }
        ProviderFailed::Refused(_) => {
            let detail = format!("what the identity provider `{provider}` says can't be believed");
            Problem::new("sign-in-refused", detail)
        }
    }
}

/// Where providers send people back to.
fn redirect_uri(shop: &Shop, provider: &str) -> String {
    format!("{}/api/auth/oidc/{provider}/callback", shop.settings.public_url)
}

fn cookie(shop: &Shop, provider: &str, value: String) -> Cookie<'static> {
    // It goes with the browser; how long it is good for stands in it.
    Cookie::build((COOKIE, value))
        .path(format!("/api/auth/oidc/{provider}"))
        .http_only(true)
        .secure(shop.settings.public_url.starts_with("https://"))
        // Providers send people back from another site.
        .same_site(SameSite::Lax)
        .build()
}

fn away(url: &str) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(url).map_err(|error| Problem::internal(&error))?;
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::FOUND, headers).into_response())
}
