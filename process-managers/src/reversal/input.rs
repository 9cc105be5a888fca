//! What a reversal takes in.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::process::Incoming;
use souk_eventsourcing::{DecodeError, RecordedEvent};
use uuid::Uuid;

use souk_domain::names::OrderId;
use souk_domain::order::OrderEvent;
use souk_domain::order::event::Reversal;

/// The types of the events it takes.
pub const TAKES: [&str; 2] = ["order.cancelled", "order.returned"];

/// What it reads of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReversalEvent {
    /// The order.
    pub order: OrderId,
    /// What is taken back of it.
    pub reversal: Reversal,
}

/// Which reversal an event begins.
pub fn read(recorded: &RecordedEvent) -> Result<Option<Incoming<ReversalEvent>>, DecodeError> {
    let reversal = match recorded.decode()? {
        OrderEvent::Cancelled(event) => event.reversal,
        OrderEvent::Returned(event) => Some(event.reversal),
        _ => None,
    };
    let order = Uuid::parse_str(recorded.stream.id()).ok().map(OrderId);
    let (Some(order), Some(reversal)) = (order, reversal) else { return Ok(None) };
    let instance = reversal.id.to_string();
    Ok(Some(Incoming { instance, starts: true, event: ReversalEvent { order, reversal } }))
}
