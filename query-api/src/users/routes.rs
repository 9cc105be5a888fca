//! `GET /api/users/me`, and what is below it.

use axum::extract::State;
use souk_accounts::SignIn;
use souk_domain::{CartId, CustomerId, UserId};
use souk_eventsourcing::{KeyRing, Position};
use souk_projections::users::UserRow;
use souk_web::headers::ReadHeaders;
use souk_web::problem::ProblemBody;
use souk_web::{Caller, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::response::{BookAnswer, ExportAnswer, Held, PreferencesAnswer, UserAnswer};
use crate::answers::Single;
use crate::cart::routes as cart;
use crate::database::{Beside, QueryState, document, failed, not_found};
use crate::orders::routes as orders;
use crate::people::keys_of;
use crate::positions::{ReadAt, ReadYourWrites};

/// Sign-ins that are read at once for an export, and how many it has at most: it says when there are more.
const SIGN_INS_PAGE: u32 = 1_000;
const SIGN_INS_MAX: usize = 10_000;

/// What users are read from.
const MODELS: &[&str] = &["users"];

pub(crate) fn router() -> OpenApiRouter<QueryState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(addresses))
        .routes(routes!(preferences))
        .routes(routes!(export))
}

/// The caller's own row, as somebody with an account.
struct Own {
    id: String,
    row: UserRow,
    keys: KeyRing,
    at: ReadAt,
}

impl Own {
    async fn read(state: &QueryState, caller: &Caller, headers: ReadHeaders) -> Result<Self, Problem> {
        let user = UserId::of_customer(caller.signed_in()?).ok_or_else(|| not_found("account"))?;
        let id = user.to_string();
        let at = state.positions.wait_for_one(headers, MODELS, &id).await?;
        let statement = sqlx::query_scalar::<_, Vec<u8>>(include_str!("get.sql")).bind(&id);
        let bytes = statement.fetch_optional(&state.pool).await.map_err(failed)?;
        let row = document(&bytes.ok_or_else(|| at.not_found("account"))?)?;
        let keys = keys_of(state, [user.person()]).await?;
        Ok(Self { id, row, keys, at })
    }

    fn position(&self) -> Position {
        self.at.position
    }

    fn single<T>(&self, body: T) -> Single<T> {
        Single { revision: Some(self.row.revision), behind: self.at.behind, body }
    }
}

/// Shows the caller what is known of them.
#[utoipa::path(get, path = "/api/users/me", tag = "users", params(ReadYourWrites),
    responses((status = 200, body = UserAnswer, headers(("ETag" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
async fn get(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Single<UserAnswer>, Problem> {
    let own = Own::read(&state, &caller, headers).await?;
    Ok(own.single(UserAnswer::new(&own.id, &own.row, &own.keys, own.position())))
}

/// Lists the caller's addresses.
#[utoipa::path(get, path = "/api/users/me/addresses", tag = "users",
    params(ReadYourWrites),
    responses((status = 200, body = BookAnswer, headers(("ETag" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
async fn addresses(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Single<BookAnswer>, Problem> {
    let own = Own::read(&state, &caller, headers).await?;
    Ok(own.single(BookAnswer::new(&own.row, &own.keys, own.position())))
}

/// Shows what the caller wants.
#[utoipa::path(get, path = "/api/users/me/preferences", tag = "users",
    params(ReadYourWrites),
    responses((status = 200, body = PreferencesAnswer, headers(("ETag" = String))),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
async fn preferences(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Single<PreferencesAnswer>, Problem> {
    let own = Own::read(&state, &caller, headers).await?;
    Ok(own.single((&own.row.preferences).into()))
}

/// Gives everything that is held about the caller, as one document.
#[utoipa::path(get, path = "/api/users/me/export", tag = "users",
    params(ReadYourWrites),
    responses((status = 200, body = ExportAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
async fn export(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Single<ExportAnswer>, Problem> {
    let own = Own::read(&state, &caller, headers).await?;
    let user = caller.signed_in()?;
    let Beside { credentials, outbox, clock, .. } = &state.beside;
    let (sign_ins, all_sign_ins) = sign_ins_of(&state, user).await?;
    let cart = cart::of(&state, CartId::of_customer(user), headers).await?;
    let held = Held {
        orders: orders::all_of(&state, &own.id, own.position()).await?,
        cart: cart.body,
        sessions: credentials.families_of(user, clock.now()).await?,
        identity_providers: credentials.links_of(user).await?,
        mails: outbox.sent_to(user).await.map_err(|error| Problem::internal(&error))?,
        sign_ins,
        all_sign_ins,
    };
    let body = ExportAnswer::new(&own.id, &own.row, held, &own.keys, own.position());
    let behind = own.at.behind.into_iter().chain(cart.behind).min();
    // Of many resources, it has the revision of none.
    Ok(Single { revision: None, behind, body })
}

/// Newest first, and whether these are all.
async fn sign_ins_of(state: &QueryState, user: &CustomerId) -> Result<(Vec<SignIn>, bool), Problem> {
    let mut all = Vec::<SignIn>::new();
    loop {
        let before = all.last().map(|sign_in| sign_in.id);
        let page = state.beside.credentials.sign_ins(Some(user), before, SIGN_INS_PAGE).await?;
        let is_last = page.len() < SIGN_INS_PAGE as usize;
        all.extend(page);
        // One more than it has says that there are more.
        if is_last || all.len() > SIGN_INS_MAX {
            let are_all = all.len() <= SIGN_INS_MAX;
            all.truncate(SIGN_INS_MAX);
            return Ok((all, are_all));
        }
    }
}
