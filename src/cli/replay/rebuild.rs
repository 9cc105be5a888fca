//! Models built anew beside the live ones, compared with them, and put in their place.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projector::{Build, Purpose, ReadModelStore};
use souk_eventsourcing::{Clock as _, EventStore as _, Position};
use souk_sqlite_read_models::Snapshot;

use super::verify::{one_position, pairs};
use super::{Ended, Replay, ReplayArgs, differences, stopped};
use crate::cli::{output, server};
use crate::clock::SystemClock;
use crate::drivers::projections::{Projections, TIDY_ROWS};

/// How near the live models a build is before it is compared with them, in events.
const NEAR: u64 = 5_000;
/// How often a build that was compared may find itself too far behind to be switched.
const SWITCHES_MAX: u32 = 20;
/// How long the live models may stand still behind a build.
const STILL_MAX: Duration = Duration::from_secs(30);

/// Rebuilds models.
pub async fn run(
    replay: &Replay,
    wanted: Vec<Box<dyn ErasedProjector>>,
    args: &ReplayArgs,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let mut opened = Vec::with_capacity(wanted.len());
    for projector in wanted {
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
    if let Compared::Stopped = compared {
        return stopped(&building, json);
    }
    let events = building.position().0 - first.0;
    report(&builds, events, started.elapsed(), json)?;
    match compared {
        Compared::Different(different) if args.diff => {
            output::line_for_people(json, "not switched; the same command without --diff goes on from here");
            return Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        Compared::Not(why) if args.diff => bail!("nothing was compared: {why}"),
        Compared::Not(why) => output::line_for_people(json, format!("nothing was compared: {why}")),
        Compared::Different(_) | Compared::Stopped => {}
    }
    match switch(replay, &mut building, &builds, json).await? {
        Ended::There => Ok(ExitCode::SUCCESS),
        Ended::Stopped => stopped(&building, json),
    }
}

/// What comparing builds with the live ones came to.
enum Compared {
    /// So many rows differ.
    Different(u64),
    /// They could not be compared.
    Not(&'static str),
    /// Somebody stopped it.
    Stopped,
}

/// Brings the builds to where the live ones are and compares them there.
async fn compare(
    replay: &Replay,
    building: &mut Projections,
    builds: &[Build],
    json: bool,
) -> anyhow::Result<Compared> {
    let (mut moved_at, mut moved_to) = (Instant::now(), None);
    loop {
        // Held only for a short way: a snapshot keeps the write-ahead log from being begun anew.
        let live = Snapshot::open(&replay.folder)?;
        if pairs(&live, builds)?.is_empty() {
            drop(live);
            let head = replay.log.head().await?;
            let ended = replay.fold(building, head).await?;
            let not = Compared::Not("no read model is live yet");
            return Ok(if ended == Ended::There { not } else { Compared::Stopped });
        }
        let at = one_position(&live, builds).ok();
        let position = building.highest();
        if moved_to != at {
            (moved_at, moved_to) = (Instant::now(), at);
        }
        match at {
            Some(at) if position <= at && at.0 - building.position().0 <= NEAR => {
                if replay.fold(building, at).await? == Ended::Stopped {
                    return Ok(Compared::Stopped);
                }
                let (fresh, pairs) = (Snapshot::open(&replay.folder)?, pairs(&live, builds)?);
                let comparison = differences::compared(live, fresh, pairs).await?;
                differences::print(&comparison, &*replay.log, building.projectors(), at, json).await?;
                return Ok(Compared::Different(comparison.different));
            }
            Some(at) if position <= at => {
                drop(live);
                if replay.fold(building, at).await? == Ended::Stopped {
                    return Ok(Compared::Stopped);
                }
            }
            // Only a shop brings the live ones on.
            _ if replay.server.is_none() => {
                return Ok(Compared::Not("the live models stand behind, or not at one position"));
            }
            _ if moved_at.elapsed() > STILL_MAX => bail!("the live read models stand still"),
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
    #[expect(clippy::cast_precision_loss, reason = "a rate is for reading")]
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

/// Has the builds take the place of the live ones.
async fn switch(
    replay: &Replay,
    building: &mut Projections,
    builds: &[Build],
    json: bool,
) -> anyhow::Result<Ended> {
    let Some(server) = &replay.server else {
        let head = replay.log.head().await?;
        if replay.fold(building, head).await? == Ended::Stopped {
            return Ok(Ended::Stopped);
        }
        replay.read_models.switch(builds.to_vec()).await?;
        while replay.read_models.tidy(TIDY_ROWS * 10).await? {}
        switched(&head.to_string(), json)?;
        return Ok(Ended::There);
    };
    let wanted: Vec<_> =
        builds.iter().map(|build| json!({ "name": build.model.name, "build": build.number })).collect();
    let body = json!({ "builds": wanted });
    for _ in 0..SWITCHES_MAX {
        let answer = server.post("/api/admin/projections/switch")?.json(&body).send().await;
        let answer = answer.context("the server does not answer; the build is kept")?;
        if answer.status() != reqwest::StatusCode::CONFLICT {
            let answer: Value = server::answered(answer).await?;
            switched(answer["position"].as_str().unwrap_or_default(), json)?;
            return Ok(Ended::There);
        }
        let head = replay.log.head().await?;
        if replay.fold(building, head).await? == Ended::Stopped {
            return Ok(Ended::Stopped);
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
