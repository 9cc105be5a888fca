//! `GET /api/admin/streams/{stream}`, and the router.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::Value;
use souk_eventsourcing::{EventStore, Position, RecordedEvent, Revision, StreamName, Timestamp};
use souk_http::problem::ProblemBody;
use souk_http::{Problem, StrictQuery, paging};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::correlations;
use super::response::{EventAnswer, StreamAnswer, without_hidden};
use crate::database::{QueryState, not_found};

/// The list as its cursors name it.
const LIST: &str = "stream";
/// Events that are folded for one answer; the state of a longer stream is not shown.
const FOLD_EVENTS_MAX: u64 = 100_000;
/// Events read at once.
const PAGE_EVENTS_MAX: usize = 1_000;
/// Payloads of a page, in bytes; its first event is there whatever its size.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the log browser looks at.
#[derive(Clone)]
pub(crate) struct LogBrowser {
    pub(crate) log: Arc<dyn EventStore>,
    /// For what is parked.
    pub(crate) query: QueryState,
}

/// A router of its own over the log.
pub fn router(log: Arc<dyn EventStore>, query: QueryState) -> OpenApiRouter {
    let state = LogBrowser { log, query };
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(correlations::read)).with_state(state)
}

/// What a stream can be asked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StreamQuery {
    /// As of this position or time (RFC 3339): later events are left out.
    #[param(example = "2026-11-21T12:00:00Z")]
    until: Option<String>,
    /// 1 to 100 events; 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the last page ended.
    cursor: Option<String>,
}

/// A moment of the log.
#[derive(Clone, Copy, Debug)]
enum Until {
    Position(Position),
    Time(Timestamp),
}

impl Until {
    fn parse(text: &str, head: Position) -> Result<Self, Problem> {
        if let Ok(position) = text.parse().map(Position) {
            let past = || Problem::parameter("until", format!("the log goes from position 1 to {head}"));
            return if (1..=head.0).contains(&position.0) {
                Ok(Self::Position(position))
            } else {
                Err(past())
            };
        }
        let allowed = "a position, or a time as in 2026-11-21T12:00:00Z, is allowed";
        text.parse().map(Self::Time).map_err(|_| Problem::parameter("until", allowed))
    }

    fn has(self, event: &RecordedEvent) -> bool {
        match self {
            Self::Position(position) => event.position <= position,
            Self::Time(time) => event.event.recorded_at <= time,
        }
    }
}

/// Reads a stream, from its first event on, with the aggregate as of then. For admins.
#[utoipa::path(
    get, path = "/api/admin/streams/{stream}", tag = "operations",
    params(("stream" = String, Path, pattern = r"^[a-z]+-(.|\s)+$", max_length = 300, example = "stock-85123A",
        description = "A category in lower-case letters, a dash and an id: 300 bytes at most"), StreamQuery),
    responses((status = 200, body = StreamAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
async fn read(
    State(state): State<LogBrowser>,
    Path(stream): Path<String>,
    StrictQuery(query): StrictQuery<StreamQuery>,
) -> Result<Json<StreamAnswer>, Problem> {
    let limit = usize::try_from(paging::limit(query.limit)?).unwrap_or(usize::MAX);
    let from = paging::decode::<Revision>(LIST, query.cursor.as_deref())?.unwrap_or(Revision::FIRST);
    let stream = StreamName::parse(&stream).map_err(|error| Problem::parameter("stream", error))?;
    let position = state.log.head().await?;
    let until = match &query.until {
        Some(text) => Until::parse(text, position)?,
        None => Until::Position(position),
    };
    let (revision, folded) = folded(&*state.log, &stream, until).await?.ok_or_else(|| not_found("stream"))?;
    let mut events = state.log.read_stream(&stream, from, limit + 1).await?;
    events.retain(|event| until.has(event));
    let shown = fitting(&events).min(limit);
    let next_cursor = events.get(shown).map(|next| paging::encode(LIST, &next.revision));
    events.truncate(shown);
    let items = events.into_iter().map(EventAnswer::from).collect();
    let position = position.to_string();
    Ok(Json(StreamAnswer {
        items,
        next_cursor,
        position,
        revision: revision.0,
        state: without_hidden(folded),
    }))
}

/// The last revision as of then, and the aggregate's state; none when nothing had happened.
async fn folded(
    log: &dyn EventStore,
    stream: &StreamName,
    until: Until,
) -> Result<Option<(Revision, Value)>, Problem> {
    let mut fold = souk_domain::fold::of_category(stream.category());
    let mut last = None;
    loop {
        let from = Revision::after(last);
        let page = log.read_stream(stream, from, PAGE_EVENTS_MAX).await?;
        let read = page.len();
        for event in page.iter().filter(|event| until.has(event)) {
            if event.revision.0 >= FOLD_EVENTS_MAX
                || fold.as_mut().is_some_and(|fold| fold.take(event).is_err())
            {
                fold = None;
            }
            last = Some(event.revision);
        }
        let is_over = page.last().is_none_or(|event| !until.has(event)) || read == 0;
        if is_over {
            let state = fold.map_or(Value::Null, |fold| fold.state());
            return Ok(last.map(|revision| (revision, state)));
        }
    }
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
