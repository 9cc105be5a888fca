//! `GET /api/admin/parked`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use souk_eventsourcing::Timestamp;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery, paging};
use utoipa_axum::routes;

use super::response::ParkedResponse;
use crate::database::{QueryState, text_of};
use crate::pages::{Page, Size, one_more};
use crate::positions::ReadYourWrites;
use crate::responses::ListOf;

/// Name of the list in its cursors.
const LIST: &str = "parked";

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin)
}

/// Query parameters of the list of parked entities.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ParkedQuery {
    /// Maximum number of items, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

type Row = (String, String, String, String, i64, i64, String, i64, i64);

/// Lists parked entities of read models and processes. For admins.
///
/// A parked entity takes no more events, because one of its events could not be applied.
/// `POST /api/admin/parked/retry` applies the event again, `POST /api/admin/parked/skip` skips it.
#[utoipa::path(
    get, path = "/api/admin/parked", tag = "operations",
    params(ParkedQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<ParkedResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<ParkedQuery>,
) -> Result<Json<ListOf<ParkedResponse>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let cursor = paging::decode::<(String, String, String)>(LIST, query.cursor.as_deref())?;
    let (owner, kind, entity) = cursor.unwrap_or_default();
    let position = state.positions.wait_during_builds(headers).await?;
    let statement = sqlx::query_as::<_, Row>(include_str!("list.sql"));
    let statement = statement.bind(owner).bind(kind).bind(entity).bind(one_more(limit));
    let mut connection = state.readers.connection_for(&caller).await?;
    let size_of = |row: &Row| Size::of_bytes(row.2.len() + row.3.len() + row.6.len());
    let page = Page::read(statement.fetch(&mut *connection), limit, size_of).await?;
    drop(connection);
    let next_cursor =
        page.next_cursor(|(owner, kind, entity, ..)| paging::encode(LIST, &(owner, kind, entity)));
    let answer = |(owner, kind, entity, stream, revision, position, error, since_us, events): Row| {
        let since = Timestamp::from_microsecond(since_us).unwrap_or_default().to_string();
        let position = position.to_string();
        let kind = text_of("kind of a parked entity", kind)?;
        Ok(ParkedResponse { owner, kind, entity, stream, revision, position, error, events, since })
    };
    let items = page.items.into_iter().map(answer).collect::<Result<_, Problem>>()?;
    Ok(Json(ListOf { items, next_cursor, position: position.to_string(), behind: None }))
}
