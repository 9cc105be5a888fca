//! `GET /api/admin/streams/{stream}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use souk_eventsourcing::{EventStore, RecordedEvent, Revision, StreamName};
use souk_web::{Caller, Problem, Role, StrictQuery, paging};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::response::EventAnswer;
use crate::answers::ListOf;
use crate::database::not_found;

/// The list as its cursors name it.
const LIST: &str = "stream";
/// Payloads of a page, in bytes; its first event is there whatever its size.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A router of its own over the log.
pub fn router(log: Arc<dyn EventStore>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(read)).with_state(log)
}

/// What a stream can be asked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StreamQuery {
    /// 1 to 100 events; 20 unless said.
    limit: Option<u32>,
    /// Where the last page ended.
    cursor: Option<String>,
}

/// Reads a stream, from its first event on. For admins.
///
/// `position` is the log's head, read before the events.
#[utoipa::path(
    get, path = "/api/admin/streams/{stream}", tag = "operations",
    params(("stream" = String, Path, example = "stock-85123A"), StreamQuery),
    responses((status = 200, body = ListOf<EventAnswer>), (status = 400), (status = 401), (status = 403), (status = 404))
)]
async fn read(
    State(log): State<Arc<dyn EventStore>>,
    caller: Caller,
    Path(stream): Path<String>,
    StrictQuery(query): StrictQuery<StreamQuery>,
) -> Result<Json<ListOf<EventAnswer>>, Problem> {
    caller.require(&[Role::Admin])?;
    let limit = usize::try_from(paging::limit(query.limit)?).unwrap_or(usize::MAX);
    let from = paging::decode::<Revision>(LIST, query.cursor.as_deref())?.unwrap_or(Revision::FIRST);
    let stream = StreamName::parse(&stream).map_err(|error| Problem::parameter("stream", error))?;
    let position = log.head().await?;
    let mut events = log.read_stream(&stream, from, limit + 1).await?;
    if events.is_empty() && from == Revision::FIRST {
        return Err(not_found("stream"));
    }
    let shown = fitting(&events).min(limit);
    let next_cursor = events.get(shown).map(|next| paging::encode(LIST, &next.revision));
    events.truncate(shown);
    let items = events.into_iter().map(EventAnswer::from).collect();
    Ok(Json(ListOf { items, next_cursor, position: position.to_string() }))
}

/// How many of the events fit on a page.
fn fitting(events: &[RecordedEvent]) -> usize {
    let mut bytes = 0;
    let fits = |event: &&RecordedEvent| {
        bytes += event.event.data.len();
        bytes <= PAGE_BYTES_MAX
    };
    events.iter().take_while(fits).count().max(1)
}
