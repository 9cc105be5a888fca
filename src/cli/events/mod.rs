//! `souk events stream | tail | correlation`. All of them work while a server is running.

mod correlation;

use std::process::ExitCode;

use clap::Subcommand;
use souk_configuration::Configuration;
use souk_domain::text::escaped_for_terminal;
use souk_eventsourcing::{EventStore as _, Filter, Position, RecordedEvent, Revision, StreamName};
use souk_query_api::EventResponse;
use souk_sqlite_log::LogReader;

use crate::data_folder::require_shop;

use super::output;
use super::position_argument::position;

/// Maximum number of events in one read of the log.
const PAGE_EVENTS_MAX: usize = 1_000;

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Shows the events of a stream, and the state of its aggregate after the last of them.
    Stream {
        /// Name of the stream, for example `order-0199c2aa-…`.
        name: String,
        /// Leaves out events after this position or time (RFC 3339).
        #[arg(long, value_name = "POSITION|TIME")]
        until: Option<String>,
    },
    /// Draws the tree of events that one request caused.
    Correlation {
        /// Correlation id, as in the header `X-Correlation-Id`.
        id: String,
    },
    /// Shows the newest events.
    Tail {
        /// Number of events.
        #[arg(long, short = 'n', default_value_t = 20)]
        count: u64,
        /// Waits for new events and shows them too.
        #[arg(long, short)]
        follow: bool,
    },
}

/// Runs one of the `souk events` commands.
pub async fn run(
    configuration: &Configuration,
    command: EventsCommand,
    json: bool,
) -> anyhow::Result<ExitCode> {
    require_shop(&configuration.data)?;
    let reader = LogReader::open(&configuration.data)?;
    match command {
        EventsCommand::Stream { name, until } => {
            let until = match until {
                Some(until) => position(&reader, &until).await?,
                None => reader.head().await?,
            };
            stream(&reader, &StreamName::parse(&name)?, until, json).await
        }
        EventsCommand::Correlation { id } => correlation::draw(&reader, &configuration.data, &id, json).await,
        EventsCommand::Tail { count, follow } => tail(&reader, count, follow, json).await,
    }
}

async fn stream(
    reader: &LogReader,
    name: &StreamName,
    until: Position,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut fold = souk_domain::fold::of_category(name.category());
    let mut last = None;
    loop {
        let page = reader.read_stream(name, Revision::after(last), PAGE_EVENTS_MAX).await?;
        for event in page.iter().filter(|event| event.position <= until) {
            print(event, json)?;
            if let Some(Err(error)) = fold.as_mut().map(|fold| fold.take(event)) {
                output::warn(format!(
                    "no state is shown: revision {} (position {}) can't be read: {error}",
                    event.revision, event.position
                ));
                fold = None;
            }
            last = Some(event.revision);
        }
        if page.last().is_none_or(|event| event.position > until) {
            break;
        }
    }
    let Some(revision) = last else { anyhow::bail!("stream `{name}` has no event up to position {until}") };
    let state = fold.map(|fold| fold.state());
    if json {
        output::json(&serde_json::json!({ "revision": revision.0, "state": state }))?;
    } else if let Some(state) = state {
        output::line(format!("state at revision {revision}: {state:#}"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn tail(reader: &LogReader, count: u64, follow: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut after = Position(reader.head().await?.0.saturating_sub(count));
    loop {
        let page = reader.read_all(after, PAGE_EVENTS_MAX, &Filter::all()).await?;
        if page.reached == after {
            if !follow {
                return Ok(ExitCode::SUCCESS);
            }
            reader.wait_beyond(after).await?;
        }
        after = page.reached;
        for event in &page.events {
            print(event, json)?;
        }
    }
}

fn print(recorded: &RecordedEvent, json: bool) -> anyhow::Result<()> {
    if json {
        // The JSON has the same shape as in the API.
        return output::json(&EventResponse::from(recorded.clone()));
    }
    let event = &recorded.event;
    output::line(format!(
        "{:>8}  {}  {} #{}  {}  {}",
        recorded.position.0,
        event.recorded_at,
        recorded.stream,
        recorded.revision,
        escaped_for_terminal(&event.event_type),
        escaped_for_terminal(&String::from_utf8_lossy(&event.data))
    ));
    Ok(())
}
