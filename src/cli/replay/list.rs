//! List of all read models: version, position, lag, state, and number of parked entities.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use souk_configuration::Configuration;
use souk_eventsourcing::{EventStore as _, Position};
use souk_sqlite_log::LogReader;
use souk_sqlite_read_models::{BuildStatus, Snapshot};

use crate::cli::output;
use crate::cli::server::{Server, json_body};
use crate::data_folder::{holder, rebuilding};

/// Timeout of the request for the states of the read models.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Reports about read models, from the server and from running rebuilds.
struct UpdaterReports {
    /// States of the read models as the server reports them. `None` if no server runs.
    server_states: Option<Value>,
    /// Names of the read models that a rebuild is updating.
    rebuilding: Vec<String>,
}

impl UpdaterReports {
    /// Finds the process that has locked the folder, and requests the states from the server. A server that
    /// does not respond counts as unhealthy.
    async fn find(configuration: &Configuration) -> anyhow::Result<Self> {
        let folder = &configuration.data;
        let rebuilding = rebuilding(folder);
        // A process that does not listen, such as a rebuild while the shop is stopped, locks the folder
        // without an address.
        if holder(folder).and_then(|holder| holder.address).is_none() {
            return Ok(Self { server_states: None, rebuilding });
        }
        let server_states = match Server::find(folder, None)? {
            Some(server) => Some(states(&server).await.unwrap_or_default()),
            None => None,
        };
        Ok(Self { server_states, rebuilding })
    }

    /// Returns the state of a build, with the names that the API uses. A build that ends at a position has
    /// the state `UNTIL POSITION`, which the API does not have.
    fn state(&self, build: &BuildStatus) -> String {
        if let ("until", Some(until)) = (build.state.as_str(), build.until) {
            return format!("UNTIL {until}");
        }
        if build.state == "live" {
            let Some(states) = &self.server_states else { return "STOPPED".to_owned() };
            let models = states["items"].as_array().into_iter().flatten();
            // The server lists the live build of a model before its next build.
            let state = models
                .filter(|model| model["name"] == build.model.as_str())
                .find_map(|model| model["state"].as_str());
            return state.unwrap_or("UNHEALTHY").to_owned();
        }
        let is_rebuilding = self.rebuilding.contains(&build.model);
        if is_rebuilding { "REBUILDING" } else { "STOPPED" }.to_owned()
    }
}

async fn states(server: &Server) -> anyhow::Result<Value> {
    json_body(server.get("/api/admin/projections")?.timeout(RESPONSE_TIMEOUT).send().await?).await
}

/// Lists the stored builds, with the states that the server reports if one runs.
pub async fn run(configuration: &Configuration, json: bool) -> anyhow::Result<ExitCode> {
    let updaters = UpdaterReports::find(configuration).await?;
    let builds = Snapshot::open(&configuration.data)?.builds()?;
    // The head is read after the positions of the models, so that no position is beyond it.
    let head = LogReader::open(&configuration.data)?.head().await?;
    for build in &builds {
        print(build, &updaters.state(build), head, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(build: &BuildStatus, state: &str, head: Position, json: bool) -> anyhow::Result<()> {
    let BuildStatus { model, version, position, parked, .. } = build;
    let target = build.until.unwrap_or(head);
    if *position > head {
        bail!(
            "log-truncated: {model} is at position {position}, but the log ends at {head}; see `souk log verify`"
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
