//! Rebuild of read models: builds new ones beside the live ones, compares both, and switches to the new ones.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use souk_eventsourcing::projector::{Build, Purpose, ReadModelStore};
use souk_eventsourcing::{Clock as _, EventStore as _, Position};
use souk_sqlite_read_models::Snapshot;

use super::verify::{common_position, pair_builds};
use super::{ApplyOutcome, Replay, ReplayArgs, differences, stopped};
use crate::cli::{output, server};
use crate::clock::SystemClock;
use crate::drivers::projections::{BoxedProjector, Projections, TIDY_ROWS};

/// Maximum number of events between a build and the live read models when the comparison starts.
const LAG_MAX: u64 = 5_000;
/// Maximum number of switch requests. The server refuses one if the build is too far behind.
const SWITCHES_MAX: u32 = 20;
/// Maximum time that the live read models may stay at one position while they are behind the build.
const STALL_MAX: Duration = Duration::from_secs(30);

/// Rebuilds read models.
pub async fn run(
    replay: &Replay,
    projectors: Vec<BoxedProjector>,
    args: &ReplayArgs,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let mut opened = Vec::with_capacity(projectors.len());
    for projector in projectors {
        let model = projector.model();
        let mut build = replay.read_models.begin(model, Purpose::Next, SystemClock.now()).await?;
        if args.restart && build.checkpoint > Position::START {
            replay.read_models.abandon(build.build).await?;
            build = replay.read_models.begin(model, Purpose::Next, SystemClock.now()).await?;
        }
        opened.push((projector, build));
    }
    let builds: Vec<Build> = opened.iter().map(|(_, opened)| opened.build).collect();
    let mut building = replay.projections(opened).await?;
    let first = building.position();
    let compared = compare(replay, &mut building, &builds, json).await?;
    if let ComparisonOutcome::Stopped = compared {
        return stopped(&building, json);
    }
    let events = building.position().0 - first.0;
    report(&builds, events, started.elapsed(), json)?;
    match compared {
        ComparisonOutcome::DifferentRows(different) if args.diff => {
            output::line_unless_json(
                json,
                "not switched; the same command without --diff continues from here",
            );
            return Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        ComparisonOutcome::Impossible(why) if args.diff => bail!("nothing was compared: {why}"),
        ComparisonOutcome::Impossible(why) => {
            output::line_unless_json(json, format!("nothing was compared: {why}"));
        }
        ComparisonOutcome::DifferentRows(_) | ComparisonOutcome::Stopped => {}
    }
    match switch(replay, &mut building, &builds, json).await? {
        ApplyOutcome::Reached => Ok(ExitCode::SUCCESS),
        ApplyOutcome::Stopped => stopped(&building, json),
    }
}

/// Result of comparing builds with the live read models.
enum ComparisonOutcome {
    /// The builds and the live read models were compared: the number of rows that differ.
    DifferentRows(u64),
    /// Nothing was compared: the reason.
    Impossible(&'static str),
    /// A signal stopped the command.
    Stopped,
}

/// Brings the builds to the position of the live read models and compares them there.
async fn compare(
    replay: &Replay,
    building: &mut Projections,
    builds: &[Build],
    json: bool,
) -> anyhow::Result<ComparisonOutcome> {
    let mut moved_at = Instant::now();
    let mut moved_to = None;
    loop {
        // The snapshot is kept only for a short time: while it exists, SQLite can't reset its write-ahead
        // log.
        let live = Snapshot::open(&replay.folder)?;
        if pair_builds(&live, builds)?.is_empty() {
            drop(live);
            let head = replay.log.head().await?;
            let ended = replay.fold(building, head).await?;
            let impossible = ComparisonOutcome::Impossible("no read model is live yet");
            return Ok(if ended == ApplyOutcome::Reached { impossible } else { ComparisonOutcome::Stopped });
        }
        let live_position = common_position(&live, builds).ok();
        let highest = building.highest();
        if moved_to != live_position {
            moved_at = Instant::now();
            moved_to = live_position;
        }
        match live_position {
            Some(at) if highest <= at && at.0 - building.position().0 <= LAG_MAX => {
                if replay.fold(building, at).await? == ApplyOutcome::Stopped {
                    return Ok(ComparisonOutcome::Stopped);
                }
                let fresh = Snapshot::open(&replay.folder)?;
                let pairs = pair_builds(&live, builds)?;
                let comparison = differences::compare_builds(live, fresh, pairs).await?;
                differences::print(&comparison, &*replay.log, building.projectors(), at, json).await?;
                return Ok(ComparisonOutcome::DifferentRows(comparison.different));
            }
            Some(at) if highest <= at => {
                drop(live);
                if replay.fold(building, at).await? == ApplyOutcome::Stopped {
                    return Ok(ComparisonOutcome::Stopped);
                }
            }
            // Without a server, the position of the live read models does not change.
            _ if replay.server.is_none() => {
                return Ok(ComparisonOutcome::Impossible(
                    "the live read models are behind, or at different positions",
                ));
            }
            _ if moved_at.elapsed() > STALL_MAX => bail!("the live read models make no progress"),
            _ => {
                drop(live);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn report(builds: &[Build], events: u64, took: Duration, json: bool) -> anyhow::Result<()> {
    let names: Vec<&str> = builds.iter().map(|build| build.model.name).collect();
    let seconds = took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "people read the rate; it need not be exact")]
    let rate = events as f64 / seconds.max(0.001);
    if json {
        return output::json(&json!({
            "models": names, "events": events, "seconds": seconds, "eventsPerSecond": rate,
        }));
    }
    output::line(format!(
        "{} rebuilt: {events} events in {seconds:.1} s, {rate:.0} events/s",
        names.join(", ")
    ));
    Ok(())
}

/// Replaces the live read models with the builds: through the server if one runs, or else directly.
async fn switch(
    replay: &Replay,
    building: &mut Projections,
    builds: &[Build],
    json: bool,
) -> anyhow::Result<ApplyOutcome> {
    let Some(server) = &replay.server else {
        let head = replay.log.head().await?;
        if replay.fold(building, head).await? == ApplyOutcome::Stopped {
            return Ok(ApplyOutcome::Stopped);
        }
        replay.read_models.switch(builds.to_vec()).await?;
        while replay.read_models.tidy(TIDY_ROWS * 10).await? {}
        switched(&head.to_string(), json)?;
        return Ok(ApplyOutcome::Reached);
    };
    let build_items: Vec<_> =
        builds.iter().map(|build| json!({ "name": build.model.name, "build": build.number })).collect();
    let body = json!({ "builds": build_items });
    for _ in 0..SWITCHES_MAX {
        let response = server.post("/api/admin/projections/switch")?.json(&body).send().await;
        let response = response.context("the server does not respond; the build is kept")?;
        if response.status() != reqwest::StatusCode::CONFLICT {
            let switch: Value = server::json_body(response).await?;
            switched(switch["position"].as_str().unwrap_or_default(), json)?;
            return Ok(ApplyOutcome::Reached);
        }
        let head = replay.log.head().await?;
        if replay.fold(building, head).await? == ApplyOutcome::Stopped {
            return Ok(ApplyOutcome::Stopped);
        }
    }
    bail!("the build does not catch up with the shop: repeat the command with --fast")
}

fn switched(position: &str, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(&json!({ "switchedAt": position }));
    }
    output::line(format!("switched at position {position}"));
    Ok(())
}
