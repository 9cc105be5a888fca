//! Events that one request caused, drawn as a tree.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use souk_domain::text::escaped_for_terminal;
use souk_eventsourcing::causation::{Node, OutputStatus, tree};
use souk_eventsourcing::process::RecordedInputKind;
use souk_eventsourcing::{CorrelationId, EventStore as _, Position, RecordedEvent};
use souk_http::Keys;
use souk_http::correlation::in_log;
use souk_sqlite_log::LogReader;
use souk_sqlite_read_models::{ParkedStatus, Snapshot};

use super::PAGE_EVENTS_MAX;
use crate::cli::output;

/// Draws the tree of events with a correlation id. With JSON, prints the whole tree in one line.
pub async fn draw(reader: &LogReader, folder: &Path, id: &str, json: bool) -> anyhow::Result<ExitCode> {
    let correlation = CorrelationId::parse(id).context("1 to 128 visible ASCII characters are allowed")?;
    let logged = match Keys::read(folder) {
        Ok(keys) => in_log(&keys.correlation, &correlation),
        // Without the keys the log is still readable.
        Err(_) => correlation.clone(),
    };
    let mut events = events_of(reader, &logged).await?;
    if events.is_empty() && logged != correlation {
        // Logs from before 2026-11-30 contain every correlation id as the client sent it.
        events = events_of(reader, &correlation).await?;
    }
    if events.is_empty() {
        bail!("no event has the correlation `{id}`");
    }
    // A restored shop that was not started yet has no read models.
    let parked = Snapshot::open(folder).and_then(|snapshot| snapshot.parked()).unwrap_or_default();
    let roots = tree(events);
    if json {
        let items: Vec<Value> = roots.iter().map(|root| value(root, &parked)).collect();
        output::json(&json!({ "correlationId": id, "items": items }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!("request {id}"));
    for (place, root) in roots.iter().enumerate() {
        draw_node(root, &parked, "", place + 1 == roots.len());
    }
    Ok(ExitCode::SUCCESS)
}

async fn events_of(reader: &LogReader, correlation: &CorrelationId) -> anyhow::Result<Vec<RecordedEvent>> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = events.last().map_or(Position::START, |last| last.position);
        let page = reader.read_correlation(correlation, after, PAGE_EVENTS_MAX).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

/// Returns the entities that are parked at the event of a node.
fn parked_at<'a>(node: &'a Node, parked: &'a [ParkedStatus]) -> impl Iterator<Item = &'a ParkedStatus> {
    let is_at_event = |item: &&ParkedStatus| {
        item.stream == node.event.stream.as_str() && item.revision == node.event.revision.0
    };
    parked.iter().filter(is_at_event)
}

fn draw_node(node: &Node, parked: &[ParkedStatus], indent: &str, is_last: bool) {
    let event = &node.event;
    let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
    output::line(format!(
        "{indent}{branch}{}  {}  {} #{}  {}  at {}",
        event.event_type(),
        event.event.actor.as_str(),
        event.stream,
        event.revision,
        event.event.recorded_at,
        event.position,
    ));
    let indent = format!("{indent}{below}");
    let trunk = if node.children.is_empty() { "   " } else { "│  " };
    for outcome in &node.outputs {
        output::line(format!("{indent}{trunk}{}", in_words(outcome)));
    }
    for item in parked_at(node, parked) {
        output::line(format!(
            "{indent}{trunk}parked: {} {} {}",
            item.owner,
            escaped_for_terminal(&item.entity),
            escaped_for_terminal(&item.error)
        ));
    }
    for (place, child) in node.children.iter().enumerate() {
        draw_node(child, parked, &indent, place + 1 == node.children.len());
    }
}

fn in_words(outcome: &OutputStatus) -> String {
    let OutputStatus { kind, step, number, at, answer, code } = outcome;
    let kind = format!("{kind:?}").to_lowercase();
    let number = number.map(|number| format!(" {number}")).unwrap_or_default();
    let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
    let answer = match (answer, code) {
        (Some(RecordedInputKind::Refused), Some(code)) => format!(": refused, {code}"),
        (Some(answer), _) => format!(": {}", format!("{answer:?}").to_lowercase()),
        (None, _) => String::new(),
    };
    format!("{kind} {step}{number}{at}{answer}")
}

fn value(node: &Node, parked: &[ParkedStatus]) -> Value {
    let event = &node.event;
    json!({
        "type": event.event_type(), "stream": event.stream.as_str(), "revision": event.revision.0,
        "position": event.position.to_string(), "recordedAt": event.event.recorded_at,
        "actor": event.event.actor.as_str(), "commandId": event.event.command_id.to_string(),
        "outputs": node.outputs,
        "parked": parked_at(node, parked).map(|item| json!({ "owner": item.owner, "entity": item.entity, "error": item.error })).collect::<Vec<_>>(),
        "children": node.children.iter().map(|child| value(child, parked)).collect::<Vec<_>>(),
    })
}
