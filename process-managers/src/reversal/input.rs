//! Inputs of a reversal: the events of orders that it reads.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::process::Incoming;
use souk_eventsourcing::{DecodeError, RecordedEvent};

use souk_domain::OrderId;
use souk_domain::order::OrderEvent;
use souk_domain::order::event::Reversal;

/// Types of the events that a reversal reads.
pub const EVENT_TYPES: [&str; 2] = ["order.cancelled", "order.returned"];

/// The part of an event that a reversal needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReversalEvent {
    /// Order that was cancelled or returned.
    pub order: OrderId,
    /// Goods and money to return.
    pub reversal: Reversal,
}

/// Reads a recorded event. Returns the reversal instance that it begins, or `None` if it begins none.
pub fn read(recorded: &RecordedEvent) -> Result<Option<Incoming<ReversalEvent>>, DecodeError> {
    let reversal = match recorded.decode()? {
        OrderEvent::Cancelled(event) => event.reversal,
        OrderEvent::Returned(event) => Some(event.reversal),
        _ => None,
    };
    let order = OrderId::parse(recorded.stream.id()).ok();
    let Some((order, reversal)) = order.zip(reversal) else { return Ok(None) };
    let instance = reversal.id.to_string();
    Ok(Some(Incoming { instance, starts: true, event: ReversalEvent { order, reversal } }))
}
