//! `PUT | DELETE /api/users/me`, `/api/users/me/addresses`, `/api/users/me/preferences`, `DELETE
//! /api/users/{id}`.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use souk_domain::user::{User, UserCommand};
use souk_domain::{AddressId, CustomerId};
use souk_eventsourcing::envelope::Origin;
use souk_http::body::NoBody;
use souk_http::headers::WriteHeaders;
use souk_http::routes::{Access, ApiRouter, Side, rules};
use souk_http::shapes::{POSITION, PasswordShape, WriteResponse, Written};
use souk_http::{Caller, Problem, StrictJson};
use souk_sign_in::Password;
use utoipa_axum::routes;

use crate::auth::accounts::{self, SignInClient};
use crate::auth::passwords;
use crate::origin::WriteRequest;
use crate::ports::Ports;
use crate::reply::{Reply, send};

use super::erasure;
use super::request::{EntryRequest, EraseRequest, PreferencesRequest, ProfileRequest};

/// Returns the routes that write accounts.
pub(crate) fn router() -> ApiRouter<Ports> {
    ApiRouter::new(Side::Command)
        .route(routes!(change_profile), Access::SignedIn)
        .route(routes!(erase_me), rules(Access::SignedIn).with_body())
        .route(routes!(add_address), rules(Access::SignedIn).without_revision())
        .route(routes!(change_address), Access::SignedIn)
        .route(routes!(remove_address), Access::SignedIn)
        .route(routes!(set_default_address), rules(Access::SignedIn).without_fields())
        .route(routes!(change_preferences), Access::SignedIn)
        .route(routes!(erase_customer), rules(Access::Admin).without_revision())
}

fn address_id(text: &str) -> Result<AddressId, Problem> {
    AddressId::parse(text).map_err(|_| Problem::new("not-found", "there is no such address"))
}

/// Changes the caller's name and phone number.
#[utoipa::path(put, path = "/api/users/me", tag = "users", request_body = ProfileRequest,
    responses((status = 200, body = Written)))]
pub async fn change_profile(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<ProfileRequest>,
) -> Reply {
    let (user, _) = accounts::of_caller(&ports, &caller).await?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    let name = body.value.name.read("/name")?;
    let phone = body.value.phone.read("/phone")?;
    let command = UserCommand::ChangeProfile { user, name, phone };
    send(&*ports.aggregates.users, write.request(User::stream(user), command), &user).await
}

/// Adds an address to the caller's address book.
#[utoipa::path(post, path = "/api/users/me/addresses", tag = "users", request_body = EntryRequest,
    responses((status = 201, body = Written, headers(("Location" = String)))))]
pub async fn add_address(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<EntryRequest>,
) -> Reply {
    let (user, _) = accounts::of_caller(&ports, &caller).await?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    let (entry, is_default) = body.value.read()?;
    let id = AddressId(write.origin.command_id.derived_id("address"));
    let command = UserCommand::AddAddress { user, entry: Box::new(entry), is_default };
    let response = send(&*ports.aggregates.users, write.request(User::stream(user), command), &id).await?;
    let location = Some(format!("/api/users/me/addresses/{id}"));
    Ok(WriteResponse { status: StatusCode::CREATED, location, ..response })
}

/// Replaces an address in the caller's address book.
#[utoipa::path(put, path = "/api/users/me/addresses/{id}", tag = "users", request_body = EntryRequest,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn change_address(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    body: StrictJson<EntryRequest>,
) -> Reply {
    let (user, _) = accounts::of_caller(&ports, &caller).await?;
    let id = address_id(&id)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[&id], &body.raw);
    let (entry, is_default) = body.value.read()?;
    let command = UserCommand::ChangeAddress { user, id, entry: Box::new(entry), is_default };
    send(&*ports.aggregates.users, write.request(User::stream(user), command), &id).await
}

/// Removes an address from the caller's address book.
#[utoipa::path(delete, path = "/api/users/me/addresses/{id}", tag = "users",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn remove_address(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
) -> Reply {
    let (user, _) = accounts::of_caller(&ports, &caller).await?;
    let id = address_id(&id)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[&id], &[]);
    let command = UserCommand::RemoveAddress { id };
    send(&*ports.aggregates.users, write.request(User::stream(user), command), &id).await
}

/// Makes an address the caller's default address, instead of the previous one.
#[utoipa::path(put, path = "/api/users/me/addresses/{id}/default", tag = "users",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = Written)))]
pub async fn set_default_address(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
    _: NoBody,
) -> Reply {
    let (user, _) = accounts::of_caller(&ports, &caller).await?;
    let id = address_id(&id)?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[&id], &[]);
    let command = UserCommand::SetDefaultAddress { id };
    send(&*ports.aggregates.users, write.request(User::stream(user), command), &id).await
}

/// Changes the caller's preferences.
#[utoipa::path(put, path = "/api/users/me/preferences", tag = "users", request_body = PreferencesRequest,
    responses((status = 200, body = Written)))]
pub async fn change_preferences(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<PreferencesRequest>,
) -> Reply {
    let (user, _) = accounts::of_caller(&ports, &caller).await?;
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    let preferences = body.value.read()?;
    let command = UserCommand::ChangePreferences(preferences);
    send(&*ports.aggregates.users, write.request(User::stream(user), command), &user).await
}

/// Erases the caller's account and personal data. This cannot be undone. Their orders stay, without personal
/// data.
#[utoipa::path(delete, path = "/api/users/me", tag = "users", request_body = EraseRequest,
    responses((status = 202, headers(("X-Position" = String)))))]
pub async fn erase_me(
    State(ports): State<Ports>,
    caller: Caller,
    headers: WriteHeaders,
    http: HeaderMap,
    body: StrictJson<EraseRequest>,
) -> Result<Response, Problem> {
    let (user, _) = accounts::of_caller(&ports, &caller).await?;
    let client = SignInClient::of(&caller, &http);
    match body.value.password {
        Some(PasswordShape(text)) => {
            let password = Password::typed(text);
            passwords::confirm(&ports, user, password, "/password", &client).await?;
        }
        None => passwords::confirm_by_recent_sign_in(&ports, user, &caller, "/password").await?,
    }
    let write = WriteRequest::new(&ports, &caller, &headers, &[], &body.raw);
    erase(&ports, &user.customer(), &write.origin).await
}

/// Erases a customer's account and personal data. This cannot be undone. The response is 404 if the shop has
/// no data of this customer. For admins.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "users", params(("id" = String, Path, max_length = 64)),
    responses((status = 202, headers(("X-Position" = String)))))]
pub async fn erase_customer(
    State(ports): State<Ports>,
    caller: Caller,
    Path(id): Path<String>,
    headers: WriteHeaders,
) -> Result<Response, Problem> {
    let customer = CustomerId::parse(&id).map_err(|why| Problem::parameter("id", why))?;
    if !erasure::is_known(&ports, &customer).await? {
        return Err(Problem::new("not-found", "there is no such customer"));
    }
    let write = WriteRequest::new(&ports, &caller, &headers, &[&id], &[]);
    erase(&ports, &customer, &write.origin).await
}

async fn erase(ports: &Ports, customer: &CustomerId, origin: &Origin) -> Result<Response, Problem> {
    let position = erasure::erase_customer(ports, customer, origin).await?;
    let mut response = StatusCode::ACCEPTED.into_response();
    if let Some(position) = position {
        response.headers_mut().insert(POSITION, position.0.into());
    }
    Ok(response)
}
