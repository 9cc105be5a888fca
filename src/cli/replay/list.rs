//! Every read model: version, position, lag, state, parked.

use std::process::ExitCode;

use anyhow::bail;
use souk_eventsourcing::{EventStore as _, Position};
use souk_sqlite_log::LogReader;
use souk_sqlite_read_models::{BuildStatus, Snapshot};

use crate::cli::output;
use crate::configuration::Configuration;

/// Lists builds as they are stored; a server that runs is not asked.
pub async fn run(configuration: &Configuration, json: bool) -> anyhow::Result<ExitCode> {
    let builds = Snapshot::open(&configuration.data)?.builds()?;
    // The head is taken after the models' positions, so that none is beyond it.
    let head = LogReader::open(&configuration.data)?.head().await?;
    for build in &builds {
        print(build, head, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(build: &BuildStatus, head: Position, json: bool) -> anyhow::Result<()> {
    let BuildStatus { model, version, position, parked, .. } = build;
    let target = build.until.unwrap_or(head);
    if *position > head {
        bail!(
            "log-truncated: {model} has seen position {position}, the log ends at {head}; see `souk log verify`"
        );
    }
    let lag = target.0.saturating_sub(position.0);
    let state = match (build.state.as_str(), build.until) {
        ("live", _) => "LIVE".to_owned(),
        ("until", Some(until)) => format!("UNTIL {until}"),
        _ => "REBUILDING".to_owned(),
    };
    if json {
        return output::json(&serde_json::json!({
            "name": model, "version": version, "build": build.number, "position": position.to_string(),
            "lag": lag, "state": state, "parked": parked,
        }));
    }
    output::line(format!(
        "{model:<14} v{version}  {state:<10}  position {position}  lag {lag}  parked {parked}"
    ));
    Ok(())
}
