//! What an input leads to.

use souk_eventsourcing::process::{Input, Output};

use super::input::ReversalEvent;
use super::step::ReversalStep;

/// All that is to be given back is asked for at once.
pub fn decide(input: &Input<ReversalEvent, ReversalStep>) -> Vec<Output<ReversalStep>> {
    let Input::Event(event) = input else { return Vec::new() };
    let refund = event.reversal.refund.map(|_| Output::Command(ReversalStep::Refund));
    let lines = (0_u32..).zip(&event.reversal.lines);
    refund.into_iter().chain(lines.map(|(line, _)| Output::Command(ReversalStep::Restock(line)))).collect()
}
