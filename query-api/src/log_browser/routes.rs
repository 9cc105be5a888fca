//! `GET /api/admin/streams/{stream}`, and the router of the log browser.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::Value;
use souk_eventsourcing::{EventStore, Position, RecordedEvent, Revision, StreamName, Timestamp};
use souk_http::routes::{Access, ApiRouter, Side};
use souk_http::{Problem, StrictQuery, paging};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::correlations;
use super::response::{EventResponse, StreamResponse, without_hidden};
use crate::database::{QueryState, not_found};

/// Maximum number of events folded for one response. The state of a longer stream is not shown.
const FOLD_EVENTS_MAX: u64 = 100_000;
/// Maximum number of events in one read of the log.
const PAGE_EVENTS_MAX: usize = 1_000;
/// Maximum sum of the payload bytes on a page. Only the first event can exceed it.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// State of the routes of the log browser.
#[derive(Clone)]
pub(crate) struct LogBrowser {
    pub(crate) log: Arc<dyn EventStore>,
    /// Read models, for the parked entities.
    pub(crate) query: QueryState,
}

/// Returns the routes of the log browser.
pub(crate) fn router() -> ApiRouter<LogBrowser> {
    ApiRouter::new(Side::Query)
        .route(routes!(read), Access::Admin)
        .route(routes!(correlations::read), Access::Admin)
}

/// Returns the router of the log browser.
pub fn log_browser(log: Arc<dyn EventStore>, query: QueryState) -> OpenApiRouter {
    router().into_router().with_state(LogBrowser { log, query })
}

/// Query parameters of a stream.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StreamQuery {
    /// Position or time (RFC 3339) of the last event to show. Later events are left out.
    #[param(example = "2026-11-21T12:00:00Z")]
    until: Option<String>,
    /// Maximum number of events, from 1 to 100. The default is 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Position or time up to which a stream is shown.
#[derive(Clone, Copy, Debug)]
enum Until {
    Position(Position),
    Time(Timestamp),
}

impl Until {
    fn parse(text: &str, head: Position) -> Result<Self, Problem> {
        if let Ok(position) = text.parse().map(Position) {
            let out_of_range =
                || Problem::parameter("until", format!("the log has positions from 1 to {head}"));
            return if (1..=head.0).contains(&position.0) {
                Ok(Self::Position(position))
            } else {
                Err(out_of_range())
            };
        }
        let allowed = "a position or a time is allowed, for example 2026-11-21T12:00:00Z";
        text.parse().map(Self::Time).map_err(|_| Problem::parameter("until", allowed))
    }

    fn includes(self, event: &RecordedEvent) -> bool {
        match self {
            Self::Position(position) => event.position <= position,
            Self::Time(time) => event.event.recorded_at <= time,
        }
    }
}

/// Lists the events of a stream, oldest first, with the state of its aggregate. For admins.
#[utoipa::path(
    get, path = "/api/admin/streams/{stream}", tag = "operations",
    params(("stream" = String, Path, pattern = r"^[a-z]+-(.|\s)+$", max_length = 300, example = "stock-85123A",
        description = "Name of the stream: a category in lower-case letters, a dash and an id, at most 300 bytes"), StreamQuery),
    responses((status = 200, body = StreamResponse))
)]
async fn read(
    State(state): State<LogBrowser>,
    Path(stream): Path<String>,
    StrictQuery(query): StrictQuery<StreamQuery>,
) -> Result<Json<StreamResponse>, Problem> {
    let limit = usize::try_from(paging::limit(query.limit)?).unwrap_or(usize::MAX);
    let stream = StreamName::parse(&stream).map_err(|error| Problem::parameter("stream", error))?;
    let list = format!("stream:{stream}");
    let from = paging::decode::<Revision>(&list, query.cursor.as_deref())?.unwrap_or(Revision::FIRST);
    let position = state.log.head().await?;
    let until = match &query.until {
        Some(text) => Until::parse(text, position)?,
        None => Until::Position(position),
    };
    let (revision, aggregate_state) =
        fold_until(&*state.log, &stream, until).await?.ok_or_else(|| not_found("stream"))?;
    let mut events = state.log.read_stream(&stream, from, limit + 1).await?;
    events.retain(|event| until.includes(event));
    let shown = count_that_fits(&events).min(limit);
    let next_cursor = events.get(shown).map(|next| paging::encode(&list, &next.revision));
    events.truncate(shown);
    let items = events.into_iter().map(EventResponse::from).collect();
    let position = position.to_string();
    Ok(Json(StreamResponse {
        items,
        next_cursor,
        position,
        revision: revision.0,
        state: without_hidden(aggregate_state),
    }))
}

/// Returns the last revision up to `until`, and the state of the aggregate at that point. None if the stream
/// has no event up to then.
async fn fold_until(
    log: &dyn EventStore,
    stream: &StreamName,
    until: Until,
) -> Result<Option<(Revision, Value)>, Problem> {
    let mut fold = souk_domain::fold::of_category(stream.category());
    let mut last = None;
    loop {
        let from = Revision::after(last);
        let page = log.read_stream(stream, from, PAGE_EVENTS_MAX).await?;
        for event in page.iter().filter(|event| until.includes(event)) {
            if event.revision.0 >= FOLD_EVENTS_MAX
                || fold.as_mut().is_some_and(|fold| fold.take(event).is_err())
            {
                fold = None;
            }
            last = Some(event.revision);
        }
        let is_end = page.last().is_none_or(|event| !until.includes(event));
        if is_end {
            let state = fold.map_or(Value::Null, |fold| fold.state());
            return Ok(last.map(|revision| (revision, state)));
        }
    }
}

/// Returns the number of events that fit on a page: at least 1.
fn count_that_fits(events: &[RecordedEvent]) -> usize {
    let mut bytes = 0;
    let fits = |event: &&RecordedEvent| {
        bytes += event.event.data.len();
        bytes <= PAGE_BYTES_MAX
    };
    events.iter().take_while(fits).count().max(1)
}
