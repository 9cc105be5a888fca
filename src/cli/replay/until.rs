//! `souk replay --until`: read models up to a position or a time, as separate views beside the live ones.

use std::process::ExitCode;

use anyhow::{bail, ensure};
use serde_json::json;
use souk_eventsourcing::projector::{Build, Purpose, ReadModelStore};
use souk_eventsourcing::{Clock as _, Position};
use souk_sqlite_read_models::{Snapshot, view_until};

use super::{ApplyOutcome, Replay, ReplayArgs, stopped};
use crate::cli::output;
use crate::cli::position_argument::position;
use crate::clock::SystemClock;
use crate::drivers::projections::{BoxedProjector, TIDY_ROWS};

/// Builds, shows or removes the read models up to a position or a time.
pub async fn run(
    replay: &Replay,
    projectors: Vec<BoxedProjector>,
    until: &str,
    args: &ReplayArgs,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let until = position(&replay.log, until).await?;
    let mut opened = Vec::with_capacity(projectors.len());
    for projector in projectors {
        let build =
            replay.read_models.begin(projector.model(), Purpose::Until(until), SystemClock.now()).await?;
        opened.push((projector, build));
    }
    let was_built = opened.iter().any(|(_, opened)| opened.checkpoint > Position::START);
    let builds: Vec<Build> = opened.iter().map(|(_, opened)| opened.build).collect();
    if args.drop {
        for build in builds {
            replay.read_models.abandon(build).await?;
        }
        ensure!(was_built, "no read model was built up to position {until}");
        while replay.read_models.tidy(TIDY_ROWS).await? {}
        output::line_unless_json(json, format!("removed the read models up to position {until}"));
        return Ok(ExitCode::SUCCESS);
    }
    let mut building = replay.projections(opened).await?;
    if replay.fold(&mut building, until).await? == ApplyOutcome::Stopped {
        return stopped(&building, json);
    }
    if let Some(key) = &args.key {
        return show(replay, &builds, key, until);
    }
    for build in builds {
        let name = build.model.name;
        let view = view_until(name, until);
        if json {
            output::json(&json!({ "name": name, "position": until.to_string(), "view": view }))?;
        } else {
            output::line(format!("{view}: {name} up to position {until}"));
        }
    }
    let path = replay.read_models.path().display();
    output::line_unless_json(json, format!("query it in {path}, or print a row with --key"));
    Ok(ExitCode::SUCCESS)
}

fn show(replay: &Replay, builds: &[Build], key: &str, until: Position) -> anyhow::Result<ExitCode> {
    let snapshot = Snapshot::open(&replay.folder)?;
    let mut found = false;
    for build in builds {
        let mut documents = Vec::new();
        snapshot.documents(*build, Some(key), &mut |_, document| documents.push(document.to_vec()))?;
        for document in documents {
            found = true;
            output::line(String::from_utf8_lossy(&document));
        }
    }
    if found {
        return Ok(ExitCode::SUCCESS);
    }
    bail!("there is no row `{key}` at position {until}")
}
