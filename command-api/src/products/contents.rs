//! The whole content of a product, read from its events.
//!
//! The state of the aggregate does not hold it: descriptions and attributes are large, and few decisions need
//! them. The content is read at a revision, and a write that is based on it is made at that revision only.

use souk_domain::product::{Content, ProductEvent};
use souk_eventsourcing::executor::LOAD_EVENTS_MAX;
use souk_eventsourcing::{Revision, StreamName};
use souk_http::Problem;

use crate::ports::Ports;

/// Reads the content of a product as it was at a revision.
pub async fn content_at(ports: &Ports, product: &StreamName, revision: Revision) -> Result<Content, Problem> {
    // The last event usually has the content. If not, each further read covers eight times as many events.
    let mut until = revision.0 + 1;
    let mut events = 1;
    while until > 0 {
        let from = until.saturating_sub(events);
        if let Some(content) = last_content(ports, product, from, until).await? {
            return Ok(content);
        }
        until = from;
        events = (events * 8).min(LOAD_EVENTS_MAX as u64);
    }
    Err(Problem::internal(&format!("{product} has no content at revision {revision}")))
}

/// Returns the last content in the events from revision `from` up to, without, revision `until`.
async fn last_content(
    ports: &Ports,
    product: &StreamName,
    mut from: u64,
    until: u64,
) -> Result<Option<Content>, Problem> {
    let mut last = None;
    while from < until {
        let limit = usize::try_from(until - from).unwrap_or(LOAD_EVENTS_MAX);
        let events = ports.aggregates.products.events(product, Revision(from), limit).await?;
        if events.is_empty() {
            break;
        }
        from += events.len() as u64;
        for event in events.iter().filter(|event| !event.is_noted()) {
            match event.decode().map_err(|error| Problem::internal(&error))? {
                ProductEvent::Created(event) => last = Some(event.content),
                ProductEvent::Changed(event) => last = Some(event.content),
                ProductEvent::Withdrawn(_) | ProductEvent::Fenced(_) => {}
            }
        }
    }
    Ok(last)
}
