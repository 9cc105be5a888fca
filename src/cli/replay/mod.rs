//! `souk replay`: read models listed, rebuilt from the log beside the live ones, looked at as of a
//! position, or verified. With a server or without one: only the switch is asked of the server.

mod ahead;
mod differences;
mod list;
mod pace;
mod rebuild;
mod stop;
mod until;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projector::{OpenBuild, ReadModelStore};
use souk_eventsourcing::{Clock, EventStore, Filter, Position};
use souk_sqlite_log::LogReader;
use souk_sqlite_read_models::{SqliteReadModels, Tuning};

use crate::clock::SystemClock;
use crate::configuration::Configuration;
use crate::data_folder::{DataFolder, lock_rebuilds, require_shop};
use crate::drivers::projections::{OnPoison, Projections};

use super::output;
use super::server::Server;
use pace::Pace;

/// Events folded at once while a server runs on the folder, which waits as long for the database.
const PAGE_BESIDE: usize = 2_048;
/// Events folded at once while nobody waits.
const PAGE_ALONE: usize = 8_192;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ReplayArgs {
    /// The read models to rebuild; none lists them.
    #[arg(value_parser = model_name)]
    names: Vec<String>,
    /// All of them.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Compares the live models with fresh ones; exit status 1 on a difference. Without a name: all.
    #[arg(long, conflicts_with_all = ["diff", "until", "ahead"])]
    verify: bool,
    /// Stops before the switch; exit status 1 on a difference. Without a name: all.
    #[arg(long, conflicts_with_all = ["until", "ahead"])]
    diff: bool,
    /// Builds the models as of a position or a time (RFC 3339), under views of their own.
    #[arg(long, value_name = "POSITION|TIME")]
    until: Option<String>,
    /// With --until: prints the row with this key.
    #[arg(long, requires = "until")]
    key: Option<String>,
    /// With --until: removes the models as of then.
    #[arg(long, requires = "until", conflicts_with = "key")]
    drop: bool,
    /// Builds what this program needs and the running one doesn't, for this program to begin with.
    #[arg(long, conflicts_with_all = ["names", "all", "until"])]
    ahead: bool,
    /// Begins anew where an earlier rebuild was stopped.
    #[arg(long, conflicts_with_all = ["verify", "until", "ahead"])]
    restart: bool,
    /// Takes as much of the machine as it can get, though a server runs.
    #[arg(long)]
    fast: bool,
}

/// Runs the command.
pub async fn run(configuration: &Configuration, args: ReplayArgs, json: bool) -> anyhow::Result<ExitCode> {
    require_shop(&configuration.data)?;
    let everything = args.all || ((args.verify || args.diff) && args.names.is_empty());
    let wanted = if everything { souk_projections::all() } else { named(&args.names) };
    if args.ahead {
        let replay = Replay::open(configuration, &args, &souk_projections::all())?;
        return ahead::run(&replay, json).await;
    }
    if wanted.is_empty() {
        if args.until.is_some() {
            bail!("name the read models, or say --all: --until is of some of them");
        }
        if args.restart || args.fast {
            bail!("name the read models to rebuild, or say --all");
        }
        return list::run(configuration, json).await;
    }
    if args.verify {
        return verify::run(configuration, wanted, args.fast, json).await;
    }
    let replay = Replay::open(configuration, &args, &wanted)?;
    match &args.until {
        Some(until) => until::run(&replay, wanted, until, &args, json).await,
        None => rebuild::run(&replay, wanted, &args, json).await,
    }
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

/// What builds are made with.
struct Replay {
    folder: PathBuf,
    log: Arc<LogReader>,
    read_models: Arc<SqliteReadModels>,
    server: Option<Server>,
    pace: Pace,
    page: usize,
    /// Held when there is no server.
    _held: Option<DataFolder>,
    _lock: std::fs::File,
}

impl Replay {
    fn open(
        configuration: &Configuration,
        args: &ReplayArgs,
        wanted: &[Box<dyn ErasedProjector>],
    ) -> anyhow::Result<Self> {
        let folder = configuration.data.clone();
        let server = Server::find(&folder, None)?;
        let held = if server.is_none() { Some(DataFolder::lock(&folder)?) } else { None };
        let names: Vec<_> = wanted.iter().map(|projector| projector.model().name).collect();
        let lock = lock_rebuilds(&folder, &names)?;
        let log = LogReader::open(&folder)?;
        let read_models = match &server {
            Some(_) => SqliteReadModels::open_beside(&folder, log.lineage())?,
            None => SqliteReadModels::open(&folder, log.lineage(), Tuning::REBUILDING)?,
        };
        let is_held_back = server.is_some() && !args.fast;
        let pace = Pace::new(is_held_back.then_some(configuration.rebuild_cpu_share));
        let page = if server.is_some() { PAGE_BESIDE } else { PAGE_ALONE };
        Ok(Self { folder, log, read_models, server, pace, page, _held: held, _lock: lock })
    }

    /// Projectors over builds that stop at what they can't take.
    async fn projections(
        &self,
        opened: Vec<(Box<dyn ErasedProjector>, OpenBuild)>,
    ) -> anyhow::Result<Projections> {
        projections(&self.log, &self.read_models, opened).await
    }

    /// Folds up to a position.
    async fn fold(&self, projections: &mut Projections, to: Position) -> anyhow::Result<Ended> {
        fold(&*self.log, projections, to, self.page, &self.pace).await
    }
}

async fn projections(
    log: &Arc<LogReader>,
    read_models: &Arc<SqliteReadModels>,
    opened: Vec<(Box<dyn ErasedProjector>, OpenBuild)>,
) -> anyhow::Result<Projections> {
    let log: Arc<dyn EventStore> = log.clone();
    let read_models: Arc<dyn ReadModelStore> = read_models.clone();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Projections::of(log, read_models, clock, opened, OnPoison::Stop).await?)
}

/// Says where a build goes on that was stopped.
fn stopped(projections: &Projections, json: bool) -> anyhow::Result<ExitCode> {
    let position = projections.position();
    if json {
        output::json(&serde_json::json!({ "stoppedAt": position.to_string() }))?;
    } else {
        output::line(format!("stopped at position {position}; the same command goes on there"));
    }
    Ok(ExitCode::from(1))
}

/// How folding ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It is where it was to be.
    There,
    /// Somebody stopped it; it goes on where it was.
    Stopped,
}

/// Folds up to a position, a page after the other, until it is there or stopped.
async fn fold(
    log: &dyn EventStore,
    projections: &mut Projections,
    to: Position,
    page_max: usize,
    pace: &Pace,
) -> anyhow::Result<Ended> {
    let first = projections.position();
    let bar = output::progress(to.0.saturating_sub(first.0), "events");
    let all = Filter::all();
    let limit = |after: Position| usize::try_from(to.0 - after.0).unwrap_or(page_max).min(page_max);
    if first >= to {
        return Ok(Ended::There);
    }
    let mut stop = stop::asked();
    let mut page = log.read_all(first, limit(first), &all).await?;
    loop {
        // The next page is read while this one is folded.
        let after = page.reached;
        let next = async {
            if after < to { log.read_all(after, limit(after), &all).await.map(Some) } else { Ok(None) }
        };
        let (applied, next) = tokio::join!(projections.apply(&page), next);
        applied?;
        bar.set_position(after.0 - first.0);
        let Some(next) = next? else { break };
        if next.reached == after {
            bail!(
                "log-truncated: the log ends at position {after}, {to} was to be reached; see `souk log verify`"
            );
        }
        page = next;
        tokio::select! {
            () = pace.keep() => {}
            () = stop.wait() => {
                bar.finish_and_clear();
                return Ok(Ended::Stopped);
            }
        }
    }
    bar.finish_and_clear();
    Ok(Ended::There)
}
