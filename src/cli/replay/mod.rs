//! `souk replay`: lists read models, rebuilds them from the log beside the live ones, builds them up to a
//! position, or verifies them. It works with or without a running server. If a server runs, the
//! command sends it one kind of request: to switch to a new build.

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
use souk_configuration::Configuration;
use souk_eventsourcing::projector::OpenBuild;
use souk_eventsourcing::{EventStore, Filter, Position};
use souk_sqlite_log::LogReader;
use souk_sqlite_read_models::{SqliteReadModels, Tuning};

use crate::clock::SystemClock;
use crate::data_folder::{DataFolder, lock_rebuilds, require_shop};
use crate::drivers::projections::{BoxedProjector, OnApplyFailure, Projections};

use super::output;
use super::server::Server;
use pace::Pace;

/// Events applied in one transaction while a server runs. The server waits for the database during a
/// transaction, so the page is small.
const PAGE_WITH_SERVER: usize = 2_048;
/// Events applied in one transaction while no server runs.
const PAGE_WITHOUT_SERVER: usize = 8_192;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ReplayArgs {
    /// Read models to rebuild. Without a name, the command lists all read models.
    #[arg(value_parser = model_name)]
    names: Vec<String>,
    /// Rebuilds all read models.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Compares the live read models with newly built ones. The exit status is 1 if they differ. Without a
    /// name, compares all.
    #[arg(long, conflicts_with_all = ["diff", "until", "ahead"])]
    verify: bool,
    /// Rebuilds and compares, but does not switch to the new build. The exit status is 1 if they differ.
    /// Without a name, compares all.
    #[arg(long, conflicts_with_all = ["until", "ahead"])]
    diff: bool,
    /// Builds the read models up to a position or a time (RFC 3339), as separate views beside the live ones.
    #[arg(long, value_name = "POSITION|TIME")]
    until: Option<String>,
    /// With --until: prints only the row with this key.
    #[arg(long, requires = "until")]
    key: Option<String>,
    /// With --until: removes the read models that were built up to this position or time.
    #[arg(long, requires = "until", conflicts_with = "key")]
    drop: bool,
    /// Builds the read models that this version of the program needs, while the older version still runs.
    /// This makes the first start of the new version fast.
    #[arg(long, conflicts_with_all = ["names", "all", "until"])]
    ahead: bool,
    /// Starts the rebuild from the beginning instead of continuing an earlier one that was stopped.
    #[arg(long, conflicts_with_all = ["verify", "until", "ahead"])]
    restart: bool,
    /// Uses as much CPU time as possible, even if a server runs.
    #[arg(long)]
    fast: bool,
}

/// Runs `souk replay`.
pub async fn run(configuration: &Configuration, args: ReplayArgs, json: bool) -> anyhow::Result<ExitCode> {
    require_shop(&configuration.data)?;
    let everything = args.all || ((args.verify || args.diff) && args.names.is_empty());
    let projectors = if everything { souk_projections::all() } else { named(&args.names) };
    if args.ahead {
        let replay = Replay::open(configuration, &args, &souk_projections::all())?;
        return ahead::run(&replay, json).await;
    }
    if projectors.is_empty() {
        if args.until.is_some() {
            bail!("name the read models to build with --until, or use --all");
        }
        if args.restart || args.fast {
            bail!("name the read models to rebuild, or use --all");
        }
        return list::run(configuration, json).await;
    }
    if args.verify {
        return verify::run(configuration, projectors, args.fast, json).await;
    }
    let replay = Replay::open(configuration, &args, &projectors)?;
    match &args.until {
        Some(until) => until::run(&replay, projectors, until, &args, json).await,
        None => rebuild::run(&replay, projectors, &args, json).await,
    }
}

fn named(names: &[String]) -> Vec<BoxedProjector> {
    let mut projectors = souk_projections::all();
    projectors.retain(|projector| names.iter().any(|name| name == projector.model().name));
    projectors
}

/// Reads the name of a read model from an argument.
fn model_name(text: &str) -> Result<String, String> {
    let known: Vec<&str> = souk_projections::models().iter().map(|model| model.name).collect();
    if known.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be one of {}", known.join(", ")))
    }
}

/// Context of one `souk replay` command that builds read models.
struct Replay {
    folder: PathBuf,
    log: Arc<LogReader>,
    read_models: Arc<SqliteReadModels>,
    server: Option<Server>,
    pace: Pace,
    /// Events applied in one transaction.
    page_max: usize,
    /// Lock of the data folder. `None` if a server has it.
    _folder_lock: Option<DataFolder>,
    /// Lock that prevents a second process from building the same read models.
    _rebuild_lock: std::fs::File,
}

impl Replay {
    fn open(
        configuration: &Configuration,
        args: &ReplayArgs,
        projectors: &[BoxedProjector],
    ) -> anyhow::Result<Self> {
        let folder = configuration.data.clone();
        let server = Server::find(&folder, None)?;
        let folder_lock = if server.is_none() { Some(DataFolder::lock(&folder)?) } else { None };
        let names: Vec<_> = projectors.iter().map(|projector| projector.model().name).collect();
        let rebuild_lock = lock_rebuilds(&folder, &names)?;
        let log = LogReader::open(&folder)?;
        let read_models = match &server {
            Some(_) => SqliteReadModels::open_beside(&folder, log.lineage())?,
            None => SqliteReadModels::open(&folder, log.lineage(), Tuning::REBUILDING)?,
        };
        let is_throttled = server.is_some() && !args.fast;
        let pace = Pace::new(is_throttled.then_some(configuration.rebuild_cpu_share));
        let page_max = if server.is_some() { PAGE_WITH_SERVER } else { PAGE_WITHOUT_SERVER };
        Ok(Self {
            folder,
            log,
            read_models,
            server,
            pace,
            page_max,
            _folder_lock: folder_lock,
            _rebuild_lock: rebuild_lock,
        })
    }

    /// Creates the driver of the projectors. It stops at an event that a projector can't apply.
    async fn projections(&self, opened: Vec<(BoxedProjector, OpenBuild)>) -> anyhow::Result<Projections> {
        projections(&self.log, &self.read_models, opened).await
    }

    /// Applies the events up to a position.
    async fn fold(&self, projections: &mut Projections, to: Position) -> anyhow::Result<ApplyOutcome> {
        fold(&*self.log, projections, to, self.page_max, &self.pace).await
    }
}

async fn projections(
    log: &Arc<LogReader>,
    read_models: &Arc<SqliteReadModels>,
    opened: Vec<(BoxedProjector, OpenBuild)>,
) -> anyhow::Result<Projections> {
    let log = Arc::clone(log);
    let read_models = Arc::clone(read_models);
    Ok(Projections::of(log, read_models, Arc::new(SystemClock), opened, OnApplyFailure::Stop).await?)
}

/// Prints the position at which a build was stopped.
fn stopped(projections: &Projections, json: bool) -> anyhow::Result<ExitCode> {
    let position = projections.position();
    if json {
        output::json(&serde_json::json!({ "stoppedAt": position.to_string() }))?;
    } else {
        output::line(format!("stopped at position {position}; the same command continues there"));
    }
    Ok(ExitCode::from(1))
}

/// Result of applying events up to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ApplyOutcome {
    /// The position was reached.
    Reached,
    /// A signal stopped the command. A repeat of the command continues where it stopped.
    Stopped,
}

/// Applies the events up to a position, page by page, until the position is reached or a signal stops it.
async fn fold(
    log: &dyn EventStore,
    projections: &mut Projections,
    to: Position,
    page_max: usize,
    pace: &Pace,
) -> anyhow::Result<ApplyOutcome> {
    let first = projections.position();
    let bar = output::progress(to.0.saturating_sub(first.0), "events");
    let all = Filter::all();
    let limit = |after: Position| usize::try_from(to.0 - after.0).unwrap_or(page_max).min(page_max);
    if first >= to {
        return Ok(ApplyOutcome::Reached);
    }
    let mut stop = stop::on_signal();
    let mut page = log.read_all(first, limit(first), &all).await?;
    loop {
        // The next page is read while this one is applied.
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
                "log-truncated: the log ends at position {after}, before position {to}; see `souk log verify`"
            );
        }
        page = next;
        tokio::select! {
            () = pace.wait() => {}
            () = stop.wait() => {
                bar.finish_and_clear();
                return Ok(ApplyOutcome::Stopped);
            }
        }
    }
    bar.finish_and_clear();
    Ok(ApplyOutcome::Reached)
}
