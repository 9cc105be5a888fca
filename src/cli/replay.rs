//! `souk replay`: read models listed, rebuilt from the log, or verified against a fresh rebuild. Here
//! only while no server runs on the folder.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projector::{Model, ReadModelStore};
use souk_eventsourcing::store::READ_EVENTS_MAX;
use souk_eventsourcing::{EventStore, Filter};
use souk_sqlite_log::SqliteLog;
use souk_sqlite_read_models::{SqliteReadModels, Tuning, compare};

use crate::configuration::Configuration;
use crate::data_folder::DataFolder;
use crate::drivers::projections::Projections;
use crate::embedded::open_log;

use super::output;

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The read models to rebuild; none lists them.
    #[arg(value_parser = model_name)]
    names: Vec<String>,
    /// All of them.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Compares the live models with fresh ones; exit status 1 on a difference. Without a name: all.
    #[arg(long)]
    verify: bool,
}

/// Runs the command.
pub async fn run(configuration: &Configuration, args: ReplayArgs, json: bool) -> anyhow::Result<ExitCode> {
    let folder = DataFolder::lock_shop(&configuration.data)?;
    let log = open_log(&folder)?;
    let everything = args.all || (args.verify && args.names.is_empty());
    let wanted = if everything { souk_projections::all() } else { named(&args.names) };
    if args.verify {
        return verify(&folder, log, wanted, json).await;
    }
    let read_models = SqliteReadModels::open(folder.path(), log.id(), Tuning::REBUILDING)?;
    if wanted.is_empty() {
        return list(&read_models, &log, json).await;
    }
    for projector in &wanted {
        read_models.open(&[projector.model()]).await?;
        read_models.reset(projector.model()).await?;
    }
    let names: Vec<&str> = wanted.iter().map(|projector| projector.model().name).collect();
    let (events, seconds) = rebuild(log, read_models, wanted).await?;
    #[expect(clippy::cast_precision_loss, reason = "a rate is for reading")]
    let rate = events as f64 / seconds.max(0.001);
    if json {
        let line = serde_json::json!({ "models": names, "events": events, "seconds": seconds, "eventsPerSecond": rate });
        output::json(&line)?;
    } else {
        output::line(format!(
            "{} rebuilt: {events} events in {seconds:.1} s, {rate:.0} events/s",
            names.join(", ")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn named(names: &[String]) -> Vec<Box<dyn ErasedProjector>> {
    let mut projectors = souk_projections::all();
    projectors.retain(|projector| names.iter().any(|name| name == projector.model().name));
    projectors
}

/// Takes the name of a read model.
fn model_name(text: &str) -> Result<String, String> {
    let known: Vec<&str> = souk_projections::models().iter().map(|model| model.name).collect();
    if known.contains(&text) { Ok(text.to_owned()) } else { Err(format!("{} are allowed", known.join(", "))) }
}

async fn list(read_models: &SqliteReadModels, log: &SqliteLog, json: bool) -> anyhow::Result<ExitCode> {
    let models = souk_projections::models();
    let checkpoints = ReadModelStore::open(read_models, &models).await?;
    let head = log.head().await?;
    for (model, position) in models.iter().zip(checkpoints) {
        let lag = head.0.saturating_sub(position.0);
        if json {
            let (name, version) = (model.name, model.version);
            output::json(
                &serde_json::json!({ "name": name, "version": version, "position": position.to_string(), "lag": lag }),
            )?;
        } else {
            output::line(format!("{:<14} v{}  position {position}  lag {lag}", model.name, model.version));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Folds the whole log into models that stand at its start, or wherever they are.
async fn rebuild(
    log: Arc<SqliteLog>,
    read_models: Arc<SqliteReadModels>,
    projectors: Vec<Box<dyn ErasedProjector>>,
) -> anyhow::Result<(u64, f64)> {
    let store: Arc<dyn EventStore> = log;
    let head = store.head().await?;
    let mut projections = Projections::open(Arc::clone(&store), read_models, projectors).await?;
    let bar = output::progress(head.0, "events");
    let started = Instant::now();
    let first = projections.position();
    let all = Filter::all();
    let mut page = store.read_all(first, READ_EVENTS_MAX, &all).await?;
    while projections.position() < head {
        // The next page is read while this one is folded.
        let next = store.read_all(page.reached, READ_EVENTS_MAX, &all);
        let (applied, next) = tokio::join!(projections.apply(&page), next);
        applied?;
        bar.set_position(page.reached.0);
        page = next?;
    }
    bar.finish_and_clear();
    Ok((head.0 - first.0, started.elapsed().as_secs_f64()))
}

/// Builds fresh models beside the live ones and compares them row by row.
async fn verify(
    folder: &DataFolder,
    log: Arc<SqliteLog>,
    wanted: Vec<Box<dyn ErasedProjector>>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let models: Vec<&'static Model> = wanted.iter().map(|projector| projector.model()).collect();
    catch_up(folder.path(), &log, &models).await?;
    let fresh = tempfile::tempdir_in(folder.path()).context("no room for fresh read models")?;
    let live_models = SqliteReadModels::open(folder.path(), log.id(), Tuning::REBUILDING)?;
    let fresh_models = SqliteReadModels::open(fresh.path(), log.id(), Tuning::REBUILDING)?;
    rebuild(log, Arc::clone(&fresh_models), wanted).await?;
    let comparison =
        tokio::task::spawn_blocking(move || compare(&live_models, &fresh_models, &models)).await??;
    if json {
        output::json(&comparison)?;
    } else {
        for difference in &comparison.differences {
            let (left, right) = (difference.left.as_deref(), difference.right.as_deref());
            let (live, fresh) = (left.unwrap_or("(not there)"), right.unwrap_or("(not there)"));
            output::line(format!(
                "{} {}\n  live:  {live}\n  fresh: {fresh}",
                difference.table, difference.key
            ));
        }
        output::line(format!("{} rows compared, {} different", comparison.rows, comparison.different));
    }
    Ok(if comparison.different == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The live models are compared at the log's end: a kill may have left them behind it.
async fn catch_up(folder: &Path, log: &Arc<SqliteLog>, models: &[&'static Model]) -> anyhow::Result<()> {
    let mut projectors = souk_projections::all();
    projectors.retain(|projector| models.contains(&projector.model()));
    rebuild(Arc::clone(log), SqliteReadModels::open(folder, log.id(), Tuning::REBUILDING)?, projectors)
        .await?;
    Ok(())
}
