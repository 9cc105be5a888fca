//! `PUT /api/users/me` and what is below it, `DELETE /api/users/me`, `DELETE /api/users/{id}`.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use souk_domain::user::{User, UserCommand};
use souk_domain::{AddressId, CustomerId, UserId};
use souk_http::body::NoBody;
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::{POSITION, PasswordShape, WriteAnswer, Written};
use souk_http::{Caller, Problem, StrictJson};
use souk_sign_in::Password;

use crate::auth::accounts::{self, Client};
use crate::auth::passwords;
use crate::origin::Write;
use crate::rejected::problem;
use crate::shop::Shop;

use super::erasure;
use super::request::{EntryRequest, EraseRequest, PreferencesRequest, ProfileRequest};

type Answer = Result<WriteAnswer<Written>, Problem>;

async fn send(
    shop: &Shop,
    user: UserId,
    id: &impl ToString,
    came: &Write<'_>,
    command: UserCommand,
) -> Answer {
    let request = came.request(User::stream(user), command);
    let outcome = shop.accounts.users.execute(request).await.map_err(problem)?;
    Ok(WriteAnswer::written(StatusCode::OK, id, outcome.revision, outcome.position))
}

fn address_id(text: &str) -> Result<AddressId, Problem> {
    text.parse().map(AddressId).map_err(|_| Problem::new("not-found", "there is no such address"))
}

/// Says what they are called.
#[utoipa::path(put, path = "/api/users/me", tag = "users", request_body = ProfileRequest,
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn change_profile(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ProfileRequest>,
) -> Answer {
    let (user, _) = accounts::own(&shop, &caller).await?;
    let came = Write::new(&shop, &caller, &headers, "PUT /api/users/me", &body.raw);
    let (name, phone) = (body.value.name.read("/name")?, body.value.phone.read("/phone")?);
    send(&shop, user, &user, &came, UserCommand::ChangeProfile { user, name, phone }).await
}

/// Puts an address into their book.
#[utoipa::path(post, path = "/api/users/me/addresses", tag = "users", request_body = EntryRequest,
    responses((status = 201, body = Written, headers(("Location" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn add_address(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<EntryRequest>,
) -> Answer {
    let (user, _) = accounts::own(&shop, &caller).await?;
    let came = Write::new(&shop, &caller, &headers, "POST /api/users/me/addresses", &body.raw);
    let (entry, is_default) = body.value.read()?;
    let id = AddressId(came.origin.command_id.creates("address"));
    let command = UserCommand::AddAddress { user, entry: Box::new(entry), is_default };
    let answer = send(&shop, user, &id, &came, command).await?;
    let location = Some(format!("/api/users/me/addresses/{id}"));
    Ok(WriteAnswer { status: StatusCode::CREATED, location, ..answer })
}

/// Replaces an address.
#[utoipa::path(put, path = "/api/users/me/addresses/{id}", tag = "users", request_body = EntryRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn change_address(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<EntryRequest>,
) -> Answer {
    let (user, _) = accounts::own(&shop, &caller).await?;
    let id = address_id(&id)?;
    let came = Write::new(&shop, &caller, &headers, &format!("PUT /api/users/me/addresses/{id}"), &body.raw);
    let (entry, is_default) = body.value.read()?;
    let command = UserCommand::ChangeAddress { user, id, entry: Box::new(entry), is_default };
    send(&shop, user, &id, &came, command).await
}

/// Takes an address out of their book.
#[utoipa::path(delete, path = "/api/users/me/addresses/{id}", tag = "users",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn remove_address(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
) -> Answer {
    let (user, _) = accounts::own(&shop, &caller).await?;
    let id = address_id(&id)?;
    let came = Write::new(&shop, &caller, &headers, &format!("DELETE /api/users/me/addresses/{id}"), &[]);
    send(&shop, user, &id, &came, UserCommand::RemoveAddress { id }).await
}

/// Makes an address the default; no other is.
#[utoipa::path(put, path = "/api/users/me/addresses/{id}/default", tag = "users",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn set_default_address(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    _: NoBody,
) -> Answer {
    let (user, _) = accounts::own(&shop, &caller).await?;
    let id = address_id(&id)?;
    let route = format!("PUT /api/users/me/addresses/{id}/default");
    let came = Write::new(&shop, &caller, &headers, &route, &[]);
    send(&shop, user, &id, &came, UserCommand::SetDefaultAddress { id }).await
}

/// Says what they want.
#[utoipa::path(put, path = "/api/users/me/preferences", tag = "users", request_body = PreferencesRequest,
    responses((status = 200, body = Written), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn change_preferences(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<PreferencesRequest>,
) -> Answer {
    let (user, _) = accounts::own(&shop, &caller).await?;
    let came = Write::new(&shop, &caller, &headers, "PUT /api/users/me/preferences", &body.raw);
    let preferences = body.value.read()?;
    send(&shop, user, &user, &came, UserCommand::ChangePreferences(preferences)).await
}

/// Forgets the caller, for good. What they ordered stays, without saying who they were.
#[utoipa::path(delete, path = "/api/users/me", tag = "users", request_body = EraseRequest,
    responses((status = 202, headers(("X-Position" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn erase_me(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    http: HeaderMap,
    body: StrictJson<EraseRequest>,
) -> Result<Response, Problem> {
    let (user, _) = accounts::own(&shop, &caller).await?;
    let client = Client::of(&caller, &http);
    match body.value.password {
        Some(PasswordShape(text)) => {
            let password = Password::typed(text);
            passwords::confirm(&shop, user, password, "/password", &client).await?;
        }
        None => passwords::confirm_by_sign_in(&shop, user, &caller, "/password").await?,
    }
    erase(&shop, &caller, &headers, &user.customer(), "DELETE /api/users/me", &body.raw).await
}

/// Forgets somebody, for good. A customer of whom the shop knows nothing is not found.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "users", params(("id" = String, Path, max_length = 64)),
    responses((status = 202, headers(("X-Position" = String))), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn erase_somebody(
    State(shop): State<Shop>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
) -> Result<Response, Problem> {
    let customer = CustomerId::parse(&id).map_err(|why| Problem::parameter("id", why))?;
    if !erasure::is_known(&shop, &customer).await? {
        return Err(Problem::new("not-found", "there is no such customer"));
    }
    erase(&shop, &caller, &headers, &customer, &format!("DELETE /api/users/{id}"), &[]).await
}

async fn erase(
    shop: &Shop,
    caller: &Caller,
    headers: &WriteHeaders,
    customer: &CustomerId,
    route: &str,
    body: &[u8],
) -> Result<Response, Problem> {
    let came = Write::new(shop, caller, headers, route, body);
    let position = erasure::erase_customer(shop, customer, &came.origin).await?;
    let mut response = StatusCode::ACCEPTED.into_response();
    if let Some(position) = position {
        response.headers_mut().insert(POSITION, position.0.into());
    }
    Ok(response)
}
