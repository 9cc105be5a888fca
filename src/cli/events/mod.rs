//! `souk events stream | tail | correlation`: read beside a running server.

mod correlation;

use std::process::ExitCode;

use clap::Subcommand;
use souk_domain::text::shown;
use souk_eventsourcing::{EventStore as _, Filter, Position, RecordedEvent, Revision, StreamName};
use souk_query_api::EventAnswer;
use souk_sqlite_log::LogReader;

use crate::configuration::Configuration;

use super::moment::position;
use super::output;

/// Events read at once.
const PAGE_EVENTS_MAX: usize = 1_000;

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Shows a stream, and its aggregate as of then.
    Stream {
        /// Its name, as in `order-0199c2aa-…`.
        name: String,
        /// Leaves out what came after a position or a time (RFC 3339).
        #[arg(long, value_name = "POSITION|TIME")]
        until: Option<String>,
    },
    /// Draws what one request set off.
    Correlation {
        /// As in `X-Correlation-Id`.
        id: String,
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
                let (position, revision) = (event.position, event.revision);
                output::warn(format!(
                    "no state is shown: revision {revision} (position {position}) can't be read: {error}"
                ));
                fold = None;
            }
            last = Some(event.revision);
        }
        if page.last().is_none_or(|event| event.position > until) {
            break;
        }
    }
    let Some(revision) = last else { anyhow::bail!("there is no stream `{name}` as of position {until}") };
    let state = fold.map(|fold| fold.state());
    if json {
        output::json(&serde_json::json!({ "revision": revision.0, "state": state }))?;
    } else if let Some(state) = state {
        output::line(format!("as of revision {revision}: {state:#}"));
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
        // As the API shows it.
        return output::json(&EventAnswer::from(recorded.clone()));
    }
    let event = &recorded.event;
    output::line(format!(
        "{:>8}  {}  {} #{}  {}  {}",
        recorded.position.0,
        event.recorded_at,
        recorded.stream,
        recorded.revision,
        shown(&event.event_type),
        shown(&String::from_utf8_lossy(&event.data))
    ));
    Ok(())
}
