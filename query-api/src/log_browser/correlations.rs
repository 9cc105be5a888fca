//! `GET /api/admin/correlations/{id}`.

use std::collections::{HashMap, HashSet};

use axum::Json;
use axum::extract::{Path, State};
use futures_util::TryStreamExt;
use souk_eventsourcing::causation::{Node, OutputStatus, tree};
use souk_eventsourcing::process::{RecordedInputKind, RecordedOutputKind};
use souk_eventsourcing::{CorrelationId, Position, RecordedEvent};
use souk_http::correlation::in_log;
use souk_http::{Caller, Problem};

use super::response::{
    CorrelationResponse, NodeResponse, OutcomeResponse, OutputEnd, OutputKind, ParkedHere,
};
use super::routes::LogBrowser;
use crate::database::{database_problem, not_found, parse_text};

/// Maximum number of events in one tree.
pub const TREE_EVENTS_MAX: usize = 10_000;
/// Maximum sum of the payload bytes in one tree. Only the first event can exceed it.
pub const TREE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Maximum number of events in one read of the log.
const PAGE_EVENTS_MAX: usize = 1_000;

type ParkedRow = (String, String, String, String, i64, String);

/// Shows the events that one request caused, as a tree. For admins.
///
/// The roots are the events of the request itself. Below each event are the outputs that processes decided on
/// after the event (commands, effects and timers, with their results), and the events that it caused.
#[utoipa::path(
    get, path = "/api/admin/correlations/{id}", tag = "operations",
    params(("id" = String, Path, pattern = "^[!-~]{1,128}$", example = "4f1e2c", description = "The `X-Correlation-Id` of the request")),
    responses((status = 200, body = CorrelationResponse))
)]
pub(crate) async fn read(
    State(state): State<LogBrowser>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CorrelationResponse>, Problem> {
    let allowed = "1 to 128 visible ASCII characters are allowed";
    let correlation = CorrelationId::parse(&id).ok_or_else(|| Problem::parameter("id", allowed))?;
    let logged_id = in_log(&state.query.ports.correlation_key, &correlation);
    let (mut events, mut is_whole) = read_events(&state, &logged_id).await?;
    if events.is_empty() && logged_id != correlation {
        // Events written before 2026-11-30 have the id as the client sent it, not its hash.
        (events, is_whole) = read_events(&state, &correlation).await?;
    }
    // The response shows the id that the admin sent, not its hash.
    for recorded in &mut events {
        if recorded.event.correlation_id == logged_id {
            recorded.event.correlation_id = correlation.clone();
        }
    }
    if events.is_empty() {
        return Err(not_found("correlation"));
    }
    let parked = parked_at(&state, &caller, &events).await?;
    let count = events.len();
    let roots = tree(events).into_iter().map(|node| answer(node, &parked)).collect();
    Ok(Json(CorrelationResponse { correlation_id: id, events: count, is_whole, items: roots }))
}

async fn read_events(
    state: &LogBrowser,
    correlation: &CorrelationId,
) -> Result<(Vec<RecordedEvent>, bool), Problem> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    let mut bytes = 0;
    loop {
        let after = events.last().map_or(Position::START, |last| last.position);
        let page = state.log.read_correlation(correlation, after, PAGE_EVENTS_MAX).await?;
        if page.is_empty() {
            return Ok((events, true));
        }
        for event in page {
            bytes += event.event.data.len();
            let is_full = events.len() == TREE_EVENTS_MAX || bytes > TREE_BYTES_MAX;
            if is_full && !events.is_empty() {
                return Ok((events, false));
            }
            events.push(event);
        }
    }
}

/// Returns the parked entities that wait at one of these events, by stream and revision of the event.
async fn parked_at(
    state: &LogBrowser,
    caller: &Caller,
    events: &[RecordedEvent],
) -> Result<HashMap<(String, i64), Vec<ParkedHere>>, Problem> {
    let shown: HashSet<(String, i64)> = events.iter().map(stream_and_revision).collect();
    let statement =
        sqlx::query_as::<_, ParkedRow>("SELECT owner, kind, entity, stream, revision, error FROM parked_now");
    let mut connection = state.query.readers.connection_for(caller).await?;
    let mut rows = statement.fetch(&mut *connection);
    let mut parked: HashMap<_, Vec<_>> = HashMap::new();
    while let Some((owner, kind, entity, stream, revision, error)) =
        rows.try_next().await.map_err(database_problem)?
    {
        let event_key = (stream, revision);
        if shown.contains(&event_key) {
            let kind = parse_text("kind of a parked entity", kind)?;
            parked.entry(event_key).or_default().push(ParkedHere { owner, kind, entity, error });
        }
    }
    Ok(parked)
}

/// Returns the stream and the revision of an event.
fn stream_and_revision(event: &RecordedEvent) -> (String, i64) {
    (event.stream.to_string(), i64::try_from(event.revision.0).unwrap_or(i64::MAX))
}

fn answer(node: Node, parked: &HashMap<(String, i64), Vec<ParkedHere>>) -> NodeResponse {
    let here = parked.get(&stream_and_revision(&node.event)).cloned().unwrap_or_default();
    NodeResponse {
        event: node.event.into(),
        outputs: node.outputs.into_iter().map(OutcomeResponse::from).collect(),
        parked: here,
        children: node.children.into_iter().map(|child| answer(child, parked)).collect(),
    }
}

impl From<OutputStatus> for OutcomeResponse {
    fn from(outcome: OutputStatus) -> Self {
        Self {
            kind: match outcome.kind {
                RecordedOutputKind::Command => OutputKind::Command,
                RecordedOutputKind::Effect => OutputKind::Effect,
                RecordedOutputKind::Timer => OutputKind::Timer,
            },
            step: outcome.step,
            number: outcome.number,
            at: outcome.at.map(|at| at.to_string()),
            answer: outcome.answer.and_then(|answer| match answer {
                RecordedInputKind::Done => Some(OutputEnd::Done),
                RecordedInputKind::Unchanged => Some(OutputEnd::Unchanged),
                RecordedInputKind::Refused => Some(OutputEnd::Refused),
                RecordedInputKind::Fired => Some(OutputEnd::Fired),
                // An event is not the result of an output.
                RecordedInputKind::Event => None,
            }),
            code: outcome.code,
        }
    }
}
