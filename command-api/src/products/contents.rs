//! The whole content of a product. Its state does not hold it: descriptions and attributes are large, and few decisions
//! need them. So it is read from the log, as of a revision that the write that follows insists on.

use souk_domain::product::{Content, ProductEvent};
use souk_eventsourcing::executor::LOAD_EVENTS_MAX;
use souk_eventsourcing::{Revision, StreamName};
use souk_http::Problem;

use crate::shop::Shop;

/// The content of a product as of a revision.
pub async fn content_at(shop: &Shop, product: &StreamName, revision: Revision) -> Result<Content, Problem> {
    // Mostly the last event has it; events without content are rare. So the looks back grow.
    let mut until = revision.0 + 1;
    let mut events = 1;
    while until > 0 {
        let from = until.saturating_sub(events);
        if let Some(content) = last_content(shop, product, from, until).await? {
            return Ok(content);
        }
        until = from;
        events = (events * 8).min(LOAD_EVENTS_MAX as u64);
    }
    Err(Problem::internal(&format!("{product} has no content at revision {revision}")))
}

/// The last content among the events from one revision to before another.
async fn last_content(
    shop: &Shop,
    product: &StreamName,
    mut from: u64,
    until: u64,
) -> Result<Option<Content>, Problem> {
    let mut last = None;
    while from < until {
        let limit = usize::try_from(until - from).unwrap_or(LOAD_EVENTS_MAX);
        let events = shop.products.events(product, Revision(from), limit).await?;
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
