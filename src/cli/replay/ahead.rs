//! `souk replay --ahead`: builds the read models and process rows that this version of the program needs,
//! while the older version still serves requests.

use std::process::ExitCode;

use serde_json::json;
use souk_eventsourcing::process::{Process, ProcessShape};
use souk_eventsourcing::projector::{Purpose, ReadModelStore};
use souk_eventsourcing::{Clock as _, EventStore as _};
use souk_process_managers::checkout::Checkout;
use souk_process_managers::reversal::ReversalProcess;
use souk_process_managers::settlement::Settlement;
use souk_sqlite_read_models::Snapshot;

use super::{ApplyOutcome, Replay, stopped};
use crate::cli::output;
use crate::clock::SystemClock;
use crate::drivers::processes;

/// Builds the read models whose version was raised, and the rows of the processes whose shape has changed.
pub async fn run(replay: &Replay, json: bool) -> anyhow::Result<ExitCode> {
    let mut opened = Vec::new();
    let snapshot = Snapshot::open(&replay.folder)?;
    for projector in souk_projections::all() {
        let model = projector.model();
        if snapshot.live(model)?.is_none_or(|(_, version, _)| version != model.version) {
            opened
                .push((projector, replay.read_models.begin(model, Purpose::Next, SystemClock.now()).await?));
        }
    }
    drop(snapshot);
    let names: Vec<String> = opened
        .iter()
        .map(|(projector, _)| format!("{} v{}", projector.model().name, projector.model().version))
        .collect();
    if !opened.is_empty() {
        let mut building = replay.projections(opened).await?;
        let head = replay.log.head().await?;
        if replay.fold(&mut building, head).await? == ApplyOutcome::Stopped {
            return stopped(&building, json);
        }
    }
    let mut built = names;
    for prepared in [
        prepare::<Checkout>(replay).await?,
        prepare::<Settlement>(replay).await?,
        prepare::<ReversalProcess>(replay).await?,
    ] {
        built.extend(prepared);
    }
    let head = replay.log.head().await?;
    if json {
        output::json(&json!({ "built": built, "position": head.to_string() }))?;
    } else if built.is_empty() {
        output::line("nothing to build: the existing read models and process rows fit this program");
    } else {
        output::line(format!(
            "{} built up to about position {head}; this program continues from there when it starts",
            built.join(", ")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the rows of a process if none of the current shape exist. Returns the name of the process if it
/// did.
async fn prepare<P: Process>(replay: &Replay) -> anyhow::Result<Option<String>> {
    let shape = ProcessShape::of::<P>();
    let versions = Snapshot::open(&replay.folder)?.process_versions(shape.name)?;
    // Without any rows the process never ran here. With rows of this shape the running program may write
    // them.
    if versions.is_empty() || versions.contains(&shape.version) {
        return Ok(None);
    }
    let head = replay.log.head().await?;
    let bar = output::progress(head.0, "events");
    processes::prepare::<P>(&*replay.log, &*replay.read_models, head, |at| bar.set_position(at.0)).await?;
    bar.finish_and_clear();
    Ok(Some(format!("process {} v{}", shape.name, shape.version)))
}
