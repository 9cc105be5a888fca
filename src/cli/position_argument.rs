//! Arguments that name a position of the log, as a number or as a time.

use anyhow::{Context as _, bail};
use souk_eventsourcing::{EventStore as _, Position, Timestamp};
use souk_sqlite_log::LogReader;

/// Reads a position of the log from a number or a time.
pub async fn position(log: &LogReader, text: &str) -> anyhow::Result<Position> {
    let head = log.head().await?;
    if let Ok(number) = text.parse::<u64>() {
        if number == 0 || number > head.0 {
            bail!("position {number} is not in the log: its positions are 1 to {head}");
        }
        return Ok(Position(number));
    }
    let time: Timestamp = text.parse().with_context(|| {
        format!("`{text}` is neither a position (a number) nor a time (RFC 3339, as in 2026-11-21T12:00:00Z)")
    })?;
    match (log.position_at(time).await?, log.first_at().await?) {
        (Some(position), _) => Ok(position),
        (None, Some(first)) => {
            bail!("the log has no event before {time}: the first event was recorded at {first}")
        }
        (None, None) => bail!("the log is empty"),
    }
}
