//! What a settlement takes in.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::process::Incoming;
use souk_eventsourcing::{DecodeError, RecordedEvent};

use souk_domain::payment::PaymentEvent;
use souk_domain::payment::event::{RefundRequested, VoidRequested};

/// The types of the events it takes.
pub const TAKES: [&str; 6] = [
    "payment.void-requested",
    "payment.voided",
    "payment.void-failed",
    "payment.refund-requested",
    "payment.refunded",
    "payment.refund-failed",
];

/// What it reads of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettlementEvent {
    /// Held money is to be let go.
    VoidRequested(VoidRequested),
    /// Taken money is to be given back.
    RefundRequested(RefundRequested),
    /// The provider answered.
    Answered,
}

/// Which settlement an event is for: one for each request.
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
