//! The live models held to fresh ones, built in a folder of their own up to where the live ones are.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use souk_eventsourcing::Position;
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projector::{Build, ReadModelStore};
use souk_sqlite_log::LogReader;
use souk_sqlite_read_models::{Pair, Snapshot, SqliteReadModels, Tuning};

use super::pace::Pace;
use super::{Ended, PAGE_ALONE, differences, fold, projections};
use crate::cli::output;
use crate::cli::server::Server;
use crate::configuration::Configuration;

/// What the names of folders for fresh models begin with.
const ROOM_PREFIX: &str = ".verify-";
/// Nobody verifies longer without writing.
const ROOM_AGE_MAX: Duration = Duration::from_secs(3_600);

/// Verifies models, beside a server or without one.
pub async fn run(
    configuration: &Configuration,
    wanted: Vec<Box<dyn ErasedProjector>>,
    fast: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let folder = configuration.data.as_path();
    let log = LogReader::open(folder)?;
    let is_held_back = !fast && Server::find(folder, None)?.is_some();
    let pace = Pace::new(is_held_back.then_some(configuration.rebuild_cpu_share));
    sweep(folder);
    let room = tempfile::Builder::new().prefix(ROOM_PREFIX).tempdir_in(folder);
    let room = room.with_context(|| format!("no room for fresh read models in {}", folder.display()))?;
    let fresh = SqliteReadModels::open(room.path(), log.lineage(), Tuning::REBUILDING)?;
    let models: Vec<_> = wanted.iter().map(|projector| projector.model()).collect();
    let opened = fresh.open(&models).await?;
    let builds: Vec<Build> = opened.iter().map(|opened| opened.build).collect();
    let mut building = projections(&log, &fresh, wanted.into_iter().zip(opened).collect()).await?;
    // Once more when the live ones have moved meanwhile: the second way is short. No snapshot is held while
    // so much is folded, since it would keep the write-ahead log from being begun anew.
    let stopped = "stopped; nothing was compared";
    for _ in 0..2 {
        let to = lowest(&Snapshot::open(folder)?, &builds)?;
        if fold(&*log, &mut building, to, PAGE_ALONE, &pace).await? == Ended::Stopped {
            output::line_for_people(json, stopped);
            return Ok(ExitCode::from(1));
        }
    }
    let live = Snapshot::open(folder)?;
    let at = one_position(&live, &builds)?;
    if fold(&*log, &mut building, at, PAGE_ALONE, &pace).await? == Ended::Stopped {
        output::line_for_people(json, stopped);
        return Ok(ExitCode::from(1));
    }
    let pairs = pairs(&live, &builds)?;
    let comparison = differences::compared(live, Snapshot::open(room.path())?, pairs).await?;
    differences::print(&comparison, &*log, building.projectors(), at, json).await?;
    Ok(if comparison.different == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Removes what verifications left that were killed.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_room = entry.file_name().to_string_lossy().starts_with(ROOM_PREFIX);
        let is_old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > ROOM_AGE_MAX));
        if is_room && is_old {
            // What can't be removed is found by the next.
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

/// The position that all live models are at.
pub(super) fn one_position(live: &Snapshot, builds: &[Build]) -> anyhow::Result<Position> {
    let at = lowest(live, builds)?;
    for build in builds {
        if live.live(build.model)?.is_none_or(|(_, _, position)| position != at) {
            bail!("the live read models are not at one position: start the shop, which lets them catch up");
        }
    }
    Ok(at)
}

/// The live build of each model beside a fresh one.
pub(super) fn pairs(live: &Snapshot, builds: &[Build]) -> anyhow::Result<Vec<Pair>> {
    let mut pairs = Vec::with_capacity(builds.len());
    for build in builds {
        if let Some((number, version, _)) = live.live(build.model)? {
            let left = Build { model: build.model, number };
            pairs.push(Pair { left, left_version: version, right: *build });
        }
    }
    Ok(pairs)
}
