//! Differences between two builds of a read model, with the events that touched the rows.

use std::collections::HashMap;

use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::store::READ_EVENTS_MAX;
use souk_eventsourcing::{EventStore, Filter, Position};
use souk_sqlite_read_models::{Comparison, Difference, Pair, Snapshot, compare};

use crate::cli::output;

/// Maximum number of events shown for one row: the newest ones.
const EVENTS_SHOWN_MAX: usize = 10;

/// Compares pairs of builds that are at the same position, and shows a progress bar.
pub async fn compared(live: Snapshot, fresh: Snapshot, pairs: Vec<Pair>) -> anyhow::Result<Comparison> {
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

/// An event that touched a row.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Touch {
    position: String,
    stream: String,
    revision: u64,
    #[serde(rename = "type")]
    event_type: String,
}

/// Prints the rows that differ, each with the events up to a position that touched it.
pub async fn print(
    comparison: &Comparison,
    log: &dyn EventStore,
    projectors: &[Box<dyn ErasedProjector>],
    until: Position,
    json: bool,
) -> anyhow::Result<()> {
    let touches = touches(&comparison.differences, log, projectors, until).await?;
    let touched = |difference: &Difference| {
        touches.get(&(difference.model, difference.key.clone())).cloned().unwrap_or_default()
    };
    if json {
        let differences: Vec<_> = comparison
            .differences
            .iter()
            .map(|difference| {
                serde_json::json!({
                    "model": difference.model, "table": difference.table, "key": difference.key,
                    "live": difference.left, "fresh": difference.right, "events": touched(difference),
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
        for touch in touched(difference) {
            let Touch { position, stream, revision, event_type } = touch;
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

/// Reads the log once and collects the events that touched the rows to show.
async fn touches(
    differences: &[Difference],
    log: &dyn EventStore,
    projectors: &[Box<dyn ErasedProjector>],
    until: Position,
) -> anyhow::Result<HashMap<(&'static str, String), Vec<Touch>>> {
    let mut touches: HashMap<(&'static str, String), Vec<Touch>> = differences
        .iter()
        .map(|difference| ((difference.model, difference.key.clone()), Vec::new()))
        .collect();
    let mut after = Position::START;
    while !touches.is_empty() && after < until {
        let page = log.read_all(after, READ_EVENTS_MAX, &Filter::all()).await?;
        if page.reached == after {
            break;
        }
        after = page.reached;
        for event in page.events.iter().filter(|event| event.position <= until) {
            for projector in projectors {
                for key in projector.keys(event) {
                    let Some(touches) = touches.get_mut(&(projector.model().name, key)) else { continue };
                    if touches.len() == EVENTS_SHOWN_MAX {
                        touches.remove(0);
                    }
                    touches.push(Touch {
                        position: event.position.to_string(),
                        stream: event.stream.to_string(),
                        revision: event.revision.0,
                        event_type: event.event_type().to_owned(),
                    });
                }
            }
        }
    }
    Ok(touches)
}
