//! Decides the next move of a reversal.

use souk_eventsourcing::process::{Decision, Output};

use super::moves::ReversalMove;
use super::state::{Progress, ReversalState};
use super::step::ReversalStep;

/// Returns the next move. One move requests the refund and all restocks. A refused command counts as answered
/// and does not stop the other commands.
pub fn decide(state: &ReversalState) -> Option<Decision<ReversalMove, ReversalStep>> {
    let (_, reversal) = state.begun.as_ref()?;
    match state.progress {
        Progress::Begun => {
            let refund = reversal.refund.map(|_| Output::Command(ReversalStep::Refund));
            let lines = (0_u32..).zip(&reversal.lines);
            let restock = lines.map(|(line, _)| Output::Command(ReversalStep::Restock(line)));
            let outputs = refund.into_iter().chain(restock).collect();
            Some(Decision { next_move: ReversalMove::GiveBack, outputs })
        }
        Progress::Requested => Some(Decision { next_move: ReversalMove::End, outputs: Vec::new() }),
        Progress::Ended => None,
    }
}
