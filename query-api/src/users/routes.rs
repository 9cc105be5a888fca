//! `GET /api/users/me` and the paths below it.

use axum::extract::State;
use souk_domain::UserId;
use souk_eventsourcing::{KeyRing, Position};
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem};
use souk_projections::users::UserRow;
use utoipa_axum::routes;

use super::export;
use super::response::{BookResponse, PreferencesResponse, UserResponse};
use crate::database::{QueryState, database_problem, not_found, parse_document};
use crate::people::keys_of;
use crate::positions::{ReadAt, ReadYourWrites};
use crate::responses::Single;

/// Read models of users.
const MODELS: &[&str] = &["users"];

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query)
        .route(routes!(get), Access::SignedIn)
        .route(routes!(addresses), Access::SignedIn)
        .route(routes!(preferences), Access::SignedIn)
        .route(routes!(export::export), Access::SignedIn)
}

/// Account of the caller, with the keys that open it.
pub(super) struct OwnAccount {
    pub(super) id: String,
    pub(super) row: UserRow,
    pub(super) keys: KeyRing,
    pub(super) at: ReadAt,
}

impl OwnAccount {
    pub(super) async fn read(
        state: &QueryState,
        caller: &Caller,
        headers: ReadHeaders,
    ) -> Result<Self, Problem> {
        let user = UserId::of_customer(caller.signed_in()?).ok_or_else(|| not_found("account"))?;
        let id = user.to_string();
        let at = state.positions.wait_for_one(headers, MODELS, &id).await?;
        let statement = sqlx::query_scalar::<_, Vec<u8>>(include_str!("get.sql")).bind(&id);
        let bytes = statement
            .fetch_optional(&mut *state.readers.connection_for(caller).await?)
            .await
            .map_err(database_problem)?;
        let row = parse_document(&bytes.ok_or_else(|| at.not_found("account"))?)?;
        let keys = keys_of(state, [user.person()]).await?;
        Ok(Self { id, row, keys, at })
    }

    pub(super) fn position(&self) -> Position {
        self.at.position
    }

    fn single<T>(&self, body: T) -> Single<T> {
        Single { revision: Some(self.row.revision), parked_since: self.at.parked_since, body }
    }
}

/// Shows the caller's account.
#[utoipa::path(get, path = "/api/users/me", tag = "users", params(ReadYourWrites),
    responses((status = 200, body = UserResponse, headers(("ETag" = String)))))]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Single<UserResponse>, Problem> {
    let own = OwnAccount::read(&state, &caller, headers).await?;
    Ok(own.single(UserResponse::new(&own.id, &own.row, &own.keys, own.position())))
}

/// Lists the caller's addresses.
#[utoipa::path(get, path = "/api/users/me/addresses", tag = "users",
    params(ReadYourWrites),
    responses((status = 200, body = BookResponse, headers(("ETag" = String)))))]
async fn addresses(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Single<BookResponse>, Problem> {
    let own = OwnAccount::read(&state, &caller, headers).await?;
    Ok(own.single(BookResponse::new(&own.row, &own.keys, own.position())))
}

/// Shows the caller's preferences.
#[utoipa::path(get, path = "/api/users/me/preferences", tag = "users",
    params(ReadYourWrites),
    responses((status = 200, body = PreferencesResponse, headers(("ETag" = String)))))]
async fn preferences(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Single<PreferencesResponse>, Problem> {
    let own = OwnAccount::read(&state, &caller, headers).await?;
    Ok(own.single((&own.row.preferences).into()))
}
