//! Every read model: version, position, lag, state, parked.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use souk_eventsourcing::{EventStore as _, Position};
use souk_sqlite_log::LogReader;
use souk_sqlite_read_models::{BuildStatus, Snapshot};

use crate::cli::output;
use crate::cli::server::{Server, answered};
use crate::configuration::Configuration;
use crate::data_folder::{holder, rebuilding};

/// The time that a server has to say how its read models are.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The processes that bring read models further.
struct Working {
    /// The states of models as the server tells them: no server runs where there is none.
    server: Option<Value>,
    /// The models that a process rebuilds.
    rebuilding: Vec<String>,
}

impl Working {
    /// Looks who holds the folder, and asks the server. One that doesn't answer is not healthy.
    async fn on(configuration: &Configuration) -> anyhow::Result<Self> {
        let folder = &configuration.data;
        let rebuilding = rebuilding(folder);
        // A folder is held without an address by a process that does not listen, as a rebuild of a shop that is
        // stopped.
        if holder(folder).and_then(|holder| holder.address).is_none() {
            return Ok(Self { server: None, rebuilding });
        }
        let server = match Server::find(folder, None)? {
            Some(server) => Some(told(&server).await.unwrap_or_default()),
            None => None,
        };
        Ok(Self { server, rebuilding })
    }

    /// The state of a build, in the words of the API but for one as of a position.
    fn state(&self, build: &BuildStatus) -> String {
        if let ("until", Some(until)) = (build.state.as_str(), build.until) {
            return format!("UNTIL {until}");
        }
        if build.state == "live" {
            let Some(told) = &self.server else { return "STOPPED".to_owned() };
            let models = told["items"].as_array().into_iter().flatten();
            // The live build of a model comes before the one that is to take its place.
            let state = models
                .filter(|model| model["name"] == build.model.as_str())
                .find_map(|model| model["state"].as_str());
            return state.unwrap_or("UNHEALTHY").to_owned();
        }
        let is_worked_on = self.rebuilding.contains(&build.model);
        if is_worked_on { "REBUILDING" } else { "STOPPED" }.to_owned()
    }
}

async fn told(server: &Server) -> anyhow::Result<Value> {
    answered(server.get("/api/admin/projections")?.timeout(ANSWER_MAX).send().await?).await
}

/// Lists builds as they are stored, with the states that the server tells, if one runs.
pub async fn run(configuration: &Configuration, json: bool) -> anyhow::Result<ExitCode> {
    let working = Working::on(configuration).await?;
    let builds = Snapshot::open(&configuration.data)?.builds()?;
    // The head is taken after the models' positions, so that none is beyond it.
    let head = LogReader::open(&configuration.data)?.head().await?;
    for build in &builds {
        print(build, &working.state(build), head, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(build: &BuildStatus, state: &str, head: Position, json: bool) -> anyhow::Result<()> {
    let BuildStatus { model, version, position, parked, .. } = build;
    let target = build.until.unwrap_or(head);
    if *position > head {
        bail!(
            "log-truncated: {model} has seen position {position}, the log ends at {head}; see `souk log verify`"
        );
    }
    let lag = target.0.saturating_sub(position.0);
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
