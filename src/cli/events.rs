//! `souk events stream | tail`: read beside a running server.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;
use serde_json::value::RawValue;
use souk_eventsourcing::{Position, RecordedEvent, Revision, StreamName};
use souk_sqlite_log::LogReader;

use crate::configuration::Configuration;

use super::output;

/// Events read at once.
const PAGE_EVENTS_MAX: usize = 1_000;
/// How often `tail --follow` looks for more; another process writes, so nobody can push.
const FOLLOW_EVERY: std::time::Duration = std::time::Duration::from_millis(250);

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Shows a stream.
    Stream {
        /// Its name, as in `order-0199c2aa-…`.
        name: String,
    },
    /// Shows the newest events.
    Tail {
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        count: u64,
        /// Goes on with those that come.
        #[arg(long, short)]
        follow: bool,
    },
}

/// Runs a command.
pub async fn run(
    configuration: &Configuration,
    command: EventsCommand,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let reader = LogReader::open(&configuration.data)?;
    match command {
        EventsCommand::Stream { name } => stream(&reader, &StreamName::parse(&name)?, json),
        EventsCommand::Tail { count, follow } => tail(&reader, count, follow, json).await,
    }
}

fn stream(reader: &LogReader, name: &StreamName, json: bool) -> anyhow::Result<ExitCode> {
    let mut from = Revision::FIRST;
    loop {
        let events = reader.read_stream(name, from, PAGE_EVENTS_MAX)?;
        let Some(last) = events.last() else { break };
        from = last.revision.next();
        for event in &events {
            print(event, json)?;
        }
    }
    if from == Revision::FIRST {
        anyhow::bail!("there is no stream `{name}`");
    }
    Ok(ExitCode::SUCCESS)
}

async fn tail(reader: &LogReader, count: u64, follow: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut after = Position(reader.head()?.0.saturating_sub(count));
    loop {
        let events = reader.read_all(after, PAGE_EVENTS_MAX)?;
        match events.last() {
            Some(last) => after = last.position,
            None if follow => tokio::time::sleep(FOLLOW_EVERY).await,
            None => return Ok(ExitCode::SUCCESS),
        }
        for event in &events {
            print(event, json)?;
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Printed<'a> {
    position: u64,
    stream: &'a StreamName,
    revision: u64,
    r#type: &'a str,
    recorded_at: jiff::Timestamp,
    actor: &'a str,
    correlation_id: &'a str,
    causation_id: Option<String>,
    command_id: String,
    data: &'a RawValue,
}

fn print(recorded: &RecordedEvent, json: bool) -> anyhow::Result<()> {
    let event = &recorded.event;
    let data: &RawValue = serde_json::from_slice(&event.data)?;
    if !json {
        output::line(format!(
            "{:>8}  {}  {} #{}  {}  {}",
            recorded.position.0,
            event.recorded_at,
            recorded.stream,
            recorded.revision,
            event.event_type,
            data
        ));
        return Ok(());
    }
    output::json(&Printed {
        position: recorded.position.0,
        stream: &recorded.stream,
        revision: recorded.revision.0,
        r#type: &event.event_type,
        recorded_at: event.recorded_at,
        actor: event.actor.as_str(),
        correlation_id: event.correlation_id.as_str(),
        causation_id: event.causation_id.map(|id| id.to_string()),
        command_id: event.command_id.to_string(),
        data,
    })
}
