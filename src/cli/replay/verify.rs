//! `souk replay --verify`: builds new read models in a temporary folder, up to the position of the live ones,
//! and compares both.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use souk_configuration::Configuration;
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{Build, ReadModelStore};
use souk_sqlite_log::LogReader;
use souk_sqlite_read_models::{Pair, Snapshot, SqliteReadModels, Tuning};

use super::pace::Pace;
use super::{ApplyOutcome, PAGE_WITHOUT_SERVER, differences, fold, projections};
use crate::cli::output;
use crate::cli::server::Server;
use crate::drivers::projections::BoxedProjector;

/// Prefix of the names of temporary folders.
const FOLDER_PREFIX: &str = ".verify-";
/// Age after which a temporary folder without changes is left over from a killed command.
const FOLDER_AGE_MAX: Duration = Duration::from_secs(3_600);

/// Verifies read models, with or without a running server.
pub async fn run(
    configuration: &Configuration,
    projectors: Vec<BoxedProjector>,
    fast: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let folder = configuration.data.as_path();
    let log = LogReader::open(folder)?;
    let is_throttled = !fast && Server::find(folder, None)?.is_some();
    let pace = Pace::new(is_throttled.then_some(configuration.rebuild_cpu_share));
    remove_leftovers(folder);
    let temporary = tempfile::Builder::new().prefix(FOLDER_PREFIX).tempdir_in(folder);
    let temporary =
        temporary.with_context(|| format!("can't create a temporary folder in {}", folder.display()))?;
    let fresh = SqliteReadModels::open(temporary.path(), log.lineage(), Tuning::REBUILDING)?;
    let models: Vec<_> = projectors.iter().map(|projector| projector.model()).collect();
    let opened = fresh.open(&models).await?;
    let builds: Vec<Build> = opened.iter().map(|opened| opened.build).collect();
    let mut building = projections(&log, &fresh, projectors.into_iter().zip(opened).collect()).await?;
    // Two passes, because the live read models move during the first one; the second pass is short. No
    // snapshot is kept meanwhile, because SQLite can't reset its write-ahead log while one exists.
    let stopped = "stopped; nothing was compared";
    for _ in 0..2 {
        let to = lowest(&Snapshot::open(folder)?, &builds)?;
        if fold(&*log, &mut building, to, PAGE_WITHOUT_SERVER, &pace).await? == ApplyOutcome::Stopped {
            output::line_unless_json(json, stopped);
            return Ok(ExitCode::from(1));
        }
    }
    let live = Snapshot::open(folder)?;
    let at = common_position(&live, &builds)?;
    if fold(&*log, &mut building, at, PAGE_WITHOUT_SERVER, &pace).await? == ApplyOutcome::Stopped {
        output::line_unless_json(json, stopped);
        return Ok(ExitCode::from(1));
    }
    let pairs = pair_builds(&live, &builds)?;
    let comparison = differences::compare_builds(live, Snapshot::open(temporary.path())?, pairs).await?;
    differences::print(&comparison, &*log, building.projectors(), at, json).await?;
    Ok(if comparison.different == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Removes the temporary folders of killed verifications.
fn remove_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_temporary = entry.file_name().to_string_lossy().starts_with(FOLDER_PREFIX);
        let is_old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > FOLDER_AGE_MAX));
        if is_temporary && is_old {
            // The next verification tries again to remove it.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn lowest(live: &Snapshot, builds: &[Build]) -> anyhow::Result<Position> {
    let mut lowest = None;
    for build in builds {
        let position = live.live(build.model)?.map(|(_, _, position)| position);
        lowest = lowest.min(position).or(position);
    }
    lowest.context("no read model is live yet: start the shop once")
}

/// Returns the position of the live read models. Fails if they are at different positions.
pub(super) fn common_position(live: &Snapshot, builds: &[Build]) -> anyhow::Result<Position> {
    let at = lowest(live, builds)?;
    for build in builds {
        if live.live(build.model)?.is_none_or(|(_, _, position)| position != at) {
            bail!("the live read models are at different positions: start the shop, so that they catch up");
        }
    }
    Ok(at)
}

/// Pairs the live build of each read model with its new build.
pub(super) fn pair_builds(live: &Snapshot, builds: &[Build]) -> anyhow::Result<Vec<Pair>> {
    let mut pairs = Vec::with_capacity(builds.len());
    for build in builds {
        if let Some((number, version, _)) = live.live(build.model)? {
            let left = Build { model: build.model, number };
            pairs.push(Pair { left, left_version: version, right: *build });
        }
    }
    Ok(pairs)
}
