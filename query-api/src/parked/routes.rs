//! `GET /api/admin/parked`.

use axum::Json;
use axum::extract::State;
use souk_eventsourcing::Timestamp;
use souk_http::headers::ReadHeaders;
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Caller, Problem, StrictQuery};
use utoipa_axum::routes;

use super::response::ParkedResponse;
use crate::database::{QueryState, parse_text};
use crate::list::{PageQuery, PageRequest};
use crate::pages::{Page, Size, one_more};
use crate::positions::ReadYourWrites;
use crate::responses::ListOf;

/// Name of the list in its cursors.
const LIST: &str = "parked";

pub(crate) fn router() -> ApiRouter<QueryState> {
    ApiRouter::new(Side::Query).route(routes!(list), Access::Admin)
}

/// Row of the statement, in the order of its columns.
type Row = (String, String, String, String, i64, i64, String, i64, i64);

/// Lists parked entities of read models and processes. For admins.
///
/// A parked entity takes no more events, because one of its events could not be applied.
/// `POST /api/admin/parked/retry` applies the event again, `POST /api/admin/parked/skip` skips it.
#[utoipa::path(
    get, path = "/api/admin/parked", tag = "operations",
    params(PageQuery, ReadYourWrites),
    responses((status = 200, body = ListOf<ParkedResponse>))
)]
async fn list(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
    StrictQuery(query): StrictQuery<PageQuery>,
) -> Result<Json<ListOf<ParkedResponse>>, Problem> {
    let request = PageRequest::new(query.limit, query.cursor)?;
    let (owner, kind, entity) = request.after::<(String, String, String)>(LIST)?.unwrap_or_default();
    let position = state.positions.wait_during_builds(headers).await?;
    let statement = sqlx::query_as::<_, Row>(include_str!("list.sql"));
    let statement = statement.bind(owner).bind(kind).bind(entity).bind(one_more(request.limit));
    let mut connection = state.readers.connection_for(&caller).await?;
    let size_of = |row: &Row| Size::of_bytes(row.2.len() + row.3.len() + row.6.len());
    let page = Page::read(statement.fetch(&mut *connection), request.limit, size_of).await?;
    drop(connection);
    let page = page.try_map(item)?;
    let sort_key = |last: &ParkedResponse| (last.owner.clone(), last.kind, last.entity.clone());
    Ok(page.respond(LIST, position, None, sort_key, Some))
}

fn item(row: Row) -> Result<ParkedResponse, Problem> {
    let (owner, kind, entity, stream, revision, position, error, since_us, events) = row;
    let kind = parse_text("kind of a parked entity", kind)?;
    let position = position.to_string();
    let since = Timestamp::from_microsecond(since_us).unwrap_or_default().to_string();
    Ok(ParkedResponse { owner, kind, entity, stream, revision, position, error, events, since })
}
