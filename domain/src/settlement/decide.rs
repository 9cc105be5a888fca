//! What an input leads to.

use souk_eventsourcing::process::{Input, Output};

use super::input::SettlementEvent;
use super::step::SettlementStep;

/// Each request is one effect.
pub fn decide(input: &Input<SettlementEvent, SettlementStep>) -> Vec<Output<SettlementStep>> {
    match input {
        Input::Event(SettlementEvent::VoidRequested(_) | SettlementEvent::RefundRequested(_)) => {
            vec![Output::Effect(SettlementStep::PayBack)]
        }
        _ => Vec::new(),
    }
}
