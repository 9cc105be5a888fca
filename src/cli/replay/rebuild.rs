//! Models built anew beside the live ones, compared with them, and put in their place.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projector::{Build, Purpose, ReadModelStore};
use souk_eventsourcing::{EventStore as _, Position};
use souk_sqlite_read_models::Snapshot;

use super::verify::{one_position, pairs};
use super::{Ended, Replay, ReplayArgs, differences};
use crate::cli::{output, server};
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
        let mut build = replay.read_models.begin(model, Purpose::Next).await?;
        if args.restart && build.checkpoint > Position::START {
            replay.read_models.abandon(build.build).await?;
            build = replay.read_models.begin(model, Purpose::Next).await?;
        }
        opened.push((projector, build));
    }
    let builds: Vec<Build> = opened.iter().map(|(_, opened)| opened.build).collect();
    let mut building = replay.projections(opened).await?;
    let first = building.position();
    let Some(different) = compare(replay, &mut building, &builds, json).await? else {
        return Ok(ExitCode::from(1));
    };
    let events = building.position().0 - first.0;
    report(&builds, events, started.elapsed(), json)?;
    if args.diff {
        output::line_for_people(json, "not switched; the same command without --diff goes on from here");
        return Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    if switch(replay, &mut building, &builds, json).await? == Ended::Stopped {
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

/// Brings the builds to where the live ones are and compares them there; none when it was stopped.
async fn compare(
    replay: &Replay,
    building: &mut Projections,
    builds: &[Build],
    json: bool,
) -> anyhow::Result<Option<u64>> {
    let began = Instant::now();
    loop {
        let live = Snapshot::open(&replay.folder)?;
        if pairs(&live, builds)?.is_empty() {
            output::line_for_people(json, "nothing is live yet that it could be compared with");
            let head = replay.log.head().await?;
            return Ok((replay.fold(building, head).await? == Ended::There).then_some(0));
        }
        let at = one_position(&live, builds);
        let position = building.position();
        match at {
            Ok(at) if position <= at => {
                let is_near = at.0 - position.0 <= NEAR;
                if replay.fold(building, at).await? == Ended::Stopped {
                    return Ok(None);
                }
                if is_near {
                    let fresh = Snapshot::open(&replay.folder)?;
                    let pairs = pairs(&live, builds)?;
                    let comparison = differences::compared(live, fresh, pairs).await?;
                    differences::print(&comparison, &*replay.log, building.projectors(), at, json).await?;
                    return Ok(Some(comparison.different));
                }
            }
            // Only a shop brings the live ones on.
            Ok(_) | Err(_) if replay.server.is_none() => {
                output::line_for_people(json, "the live models stand behind and are not compared with");
                return Ok(Some(0));
            }
            Ok(_) | Err(_) if began.elapsed() > STILL_MAX => bail!("the live read models stand still"),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
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
