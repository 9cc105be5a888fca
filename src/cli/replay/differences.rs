//! Differences between two builds of a read model, with the events that affected the rows.

use std::collections::HashMap;

use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::store::READ_EVENTS_MAX;
use souk_eventsourcing::{EventStore, Filter, Position};
use souk_sqlite_read_models::{Comparison, Difference, Pair, Snapshot, compare};

use crate::cli::output;

/// Maximum number of events shown for one row: the newest ones.
const EVENTS_SHOWN_MAX: usize = 10;

/// Compares pairs of builds that are at the same position, and shows a progress bar.
pub async fn compare_builds(live: Snapshot, fresh: Snapshot, pairs: Vec<Pair>) -> anyhow::Result<Comparison> {
    let bar = output::progress(0, "rows");
    let shown = bar.clone();
    let comparison = tokio::task::spawn_blocking(move || {
        compare(&live, &fresh, &pairs, &mut |done, all| {
            shown.set_length(all.max(done));
            shown.set_position(done);
        })
    });
    let comparison = comparison.await??;
    bar.finish_and_clear();
    Ok(comparison)
}

/// Event that affected a row.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct AffectingEvent {
    position: String,
    stream: String,
    revision: u64,
    #[serde(rename = "type")]
    event_type: String,
}

/// Prints the rows that differ, each with the newest events that affected it. Events after position `until`
/// are left out.
pub async fn print(
    comparison: &Comparison,
    log: &dyn EventStore,
    projectors: &[Box<dyn ErasedProjector>],
    until: Position,
    json: bool,
) -> anyhow::Result<()> {
    let affecting_events = affecting_events(&comparison.differences, log, projectors, until).await?;
    let events_of = |difference: &Difference| {
        affecting_events.get(&(difference.model, difference.key.clone())).cloned().unwrap_or_default()
    };
    if json {
        let differences: Vec<_> = comparison
            .differences
            .iter()
            .map(|difference| {
                serde_json::json!({
                    "model": difference.model, "table": difference.table, "key": difference.key,
                    "live": difference.left, "fresh": difference.right, "events": events_of(difference),
                })
            })
            .collect();
        return output::json(&serde_json::json!({
            "rows": comparison.rows, "different": comparison.different, "position": until.to_string(),
            "differences": differences,
        }));
    }
    for difference in &comparison.differences {
        let live = difference.left.as_deref().unwrap_or("(no row)");
        let fresh = difference.right.as_deref().unwrap_or("(no row)");
        output::line(format!("{} {}\n  live:  {live}\n  fresh: {fresh}", difference.table, difference.key));
        for event in events_of(difference) {
            let AffectingEvent { position, stream, revision, event_type } = event;
            output::line(format!("  {position:>8}  {stream} #{revision}  {event_type}"));
        }
    }
    let shown = comparison.differences.len();
    if comparison.different > shown as u64 {
        output::line(format!("only the first {shown} of {} differences are shown", comparison.different));
    }
    output::line(format!(
        "{} rows compared at position {until}, {} different",
        comparison.rows, comparison.different
    ));
    Ok(())
}

/// Reads the log up to position `until` once, and returns the newest events that affected each of the rows.
async fn affecting_events(
    differences: &[Difference],
    log: &dyn EventStore,
    projectors: &[Box<dyn ErasedProjector>],
    until: Position,
) -> anyhow::Result<HashMap<(&'static str, String), Vec<AffectingEvent>>> {
    let mut affecting_events: HashMap<(&'static str, String), Vec<AffectingEvent>> = differences
        .iter()
        .map(|difference| ((difference.model, difference.key.clone()), Vec::new()))
        .collect();
    let mut after = Position::START;
    while !affecting_events.is_empty() && after < until {
        let page = log.read_all(after, READ_EVENTS_MAX, &Filter::all()).await?;
        if page.reached == after {
            break;
        }
        after = page.reached;
        for event in page.events.iter().filter(|event| event.position <= until) {
            for projector in projectors {
                for key in projector.keys(event) {
                    let Some(affecting_events) = affecting_events.get_mut(&(projector.model().name, key))
                    else {
                        continue;
                    };
                    if affecting_events.len() == EVENTS_SHOWN_MAX {
                        affecting_events.remove(0);
                    }
                    affecting_events.push(AffectingEvent {
                        position: event.position.to_string(),
                        stream: event.stream.to_string(),
                        revision: event.revision.0,
                        event_type: event.event_type().to_owned(),
                    });
                }
            }
        }
    }
    Ok(affecting_events)
}
