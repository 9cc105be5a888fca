//! Inputs of a settlement: the events of payments that it reads.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::process::Incoming;
use souk_eventsourcing::{DecodeError, RecordedEvent};

use souk_domain::payment::PaymentEvent;
use souk_domain::payment::event::{RefundRequested, VoidRequested};

/// Types of the events that a settlement reads.
pub const EVENT_TYPES: [&str; 6] = [
    "payment.void-requested",
    "payment.voided",
    "payment.void-failed",
    "payment.refund-requested",
    "payment.refunded",
    "payment.refund-failed",
];

/// The part of an event that a settlement needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettlementEvent {
    /// A void was requested.
    VoidRequested(VoidRequested),
    /// A refund was requested.
    RefundRequested(RefundRequested),
    /// The provider's answer was recorded: the void or refund succeeded or failed.
    Answered,
}

/// Reads a recorded event. Returns the part that a settlement needs, with the id of its instance, or `None`
/// if no settlement needs the event. The id of the instance is the id of the void or refund.
pub fn read(recorded: &RecordedEvent) -> Result<Option<Incoming<SettlementEvent>>, DecodeError> {
    let (instance, starts, event) = match recorded.decode()? {
        PaymentEvent::VoidRequested(event) => {
            (event.void.to_string(), true, SettlementEvent::VoidRequested(event))
        }
        PaymentEvent::RefundRequested(event) => {
            (event.refund.to_string(), true, SettlementEvent::RefundRequested(event))
        }
        PaymentEvent::Voided(event) => (event.void.to_string(), false, SettlementEvent::Answered),
        PaymentEvent::VoidFailed(event) => (event.void.to_string(), false, SettlementEvent::Answered),
        PaymentEvent::Refunded(event) => (event.refund.to_string(), false, SettlementEvent::Answered),
        PaymentEvent::RefundFailed(event) => (event.refund.to_string(), false, SettlementEvent::Answered),
        _ => return Ok(None),
    };
    Ok(Some(Incoming { instance, starts, event }))
}
