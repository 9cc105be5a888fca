//! `souk parked list | retry | skip`: entities that a read model or a process has parked, because it can't
//! handle one of their events.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};
use souk_command_api::maintenance::routes::{SkippedEvent, skip_event};
use souk_configuration::Configuration;
use souk_domain::text::escaped_for_terminal;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, Clock as _, CommandRequest, CorrelationId, Position};
use souk_sqlite_read_models::Snapshot;

use crate::clock::SystemClock;
use crate::data_folder::require_shop;
use crate::embedded::Embedded;

use super::output;
use super::server::{self, Server};

#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// Lists the parked entities.
    List,
    /// Applies the waiting events of a parked entity with this version of the program.
    Retry {
        /// Read model or process, as printed by `parked list`.
        owner: String,
        /// Key of the row, or name of the stream, as printed by `parked list`.
        entity: String,
        /// URL of a running server. `SOUK_TOKEN` must hold an administrator's token.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Skips the event that parked the entity and continues with the next event. The log records the skip.
    Skip {
        /// Read model or process, as printed by `parked list`.
        owner: String,
        /// Key of the row, or name of the stream, as printed by `parked list`.
        entity: String,
        /// Reason for the skip: 1 to 500 characters.
        #[arg(long)]
        reason: String,
        /// Position of the event to skip. Needed only if the event stops `souk replay` but the entity is not
        /// parked.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        position: Option<u64>,
        /// URL of a running server. `SOUK_TOKEN` must hold an administrator's token.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}

/// Runs one of the `souk parked` commands.
pub async fn run(
    configuration: &Configuration,
    command: ParkedCommand,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    match command {
        ParkedCommand::List => list(configuration, as_json),
        ParkedCommand::Retry { owner, entity, url } => {
            let events = retry(configuration, &owner, &entity, url).await?;
            report(as_json, &owner, &entity, events)
        }
        ParkedCommand::Skip { owner, entity, reason, position, url } => {
            let position = position.map(Position);
            let passed = SkippedEvent { owner: &owner, entity: &entity, position, reason };
            let events = skip(configuration, passed, url).await?;
            match position {
                Some(position) if events == 0 && !as_json => {
                    output::line(format!("{owner} will skip the event at position {position} for {entity}"));
                    Ok(ExitCode::SUCCESS)
                }
                _ => report(as_json, &owner, &entity, events),
            }
        }
    }
}

fn list(configuration: &Configuration, as_json: bool) -> anyhow::Result<ExitCode> {
    require_shop(&configuration.data)?;
    let parked = Snapshot::open(&configuration.data)?.parked()?;
    for item in &parked {
        if as_json {
            output::json(&json!({
                "owner": item.owner, "kind": item.kind, "entity": item.entity, "stream": item.stream,
                "revision": item.revision, "position": item.position.to_string(), "error": item.error,
                "events": item.waiting, "since": item.since,
            }))?;
        } else {
            output::line(format!(
                "{} {} {}\n  since {}: {} event(s) waiting, the first at position {} ({} #{})\n  {}",
                item.owner,
                item.kind,
                escaped_for_terminal(&item.entity),
                item.since,
                item.waiting,
                item.position,
                escaped_for_terminal(&item.stream),
                item.revision,
                escaped_for_terminal(&item.error)
            ));
        }
    }
    if parked.is_empty() && !as_json {
        output::line("nothing is parked");
    }
    Ok(ExitCode::SUCCESS)
}

fn report(as_json: bool, owner: &str, entity: &str, events: u64) -> anyhow::Result<ExitCode> {
    if as_json {
        output::json(&json!({ "owner": owner, "entity": entity, "events": events }))?;
    } else {
        output::line(format!("{owner} {entity} is no longer parked: {events} event(s) no longer wait"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn retry(
    configuration: &Configuration,
    owner: &str,
    entity: &str,
    url: Option<String>,
) -> anyhow::Result<u64> {
    if let Some(server) = Server::find(&configuration.data, url)? {
        return post(&server, "retry", json!({ "owner": owner, "entity": entity })).await;
    }
    require_shop(&configuration.data)?;
    let shop = Embedded::start(configuration).await?;
    let retried = shop.ports.maintenance.retry(owner, entity, None).await;
    shop.stop().await;
    Ok(u64::try_from(retried?)?)
}

async fn skip(
    configuration: &Configuration,
    passed: SkippedEvent<'_>,
    url: Option<String>,
) -> anyhow::Result<u64> {
    if let Some(server) = Server::find(&configuration.data, url)? {
        let SkippedEvent { owner, entity, position, reason } = passed;
        let mut body = json!({ "owner": owner, "entity": entity, "reason": reason });
        if let Some(position) = position {
            body["position"] = json!(position.to_string());
        }
        return post(&server, "skip", body).await;
    }
    require_shop(&configuration.data)?;
    let shop = Embedded::start(configuration).await?;
    let id = SystemClock.new_id();
    let origin = Origin::new(id, Actor::new("admin", "command-line"), CorrelationId::from(id));
    let request = |stream, command| CommandRequest::new(stream, command, origin);
    let skipped = skip_event(&shop.ports, passed, request).await;
    shop.stop().await;
    match skipped {
        Ok(events) => Ok(u64::try_from(events)?),
        Err(problem) => bail!("{}: {}", problem.code(), problem.detail()),
    }
}

/// Sends the action to the server. Returns the number of events that were waiting.
async fn post(server: &Server, action: &str, body: Value) -> anyhow::Result<u64> {
    let request = server.post(&format!("/api/admin/parked/{action}"))?;
    let response: Value = server::json_body(request.json(&body).send().await?).await?;
    Ok(response["events"].as_u64().unwrap_or(0))
}
