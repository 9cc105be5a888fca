//! The next move of a reversal.

use souk_eventsourcing::process::{Decision, Output};

use super::moves::ReversalMove;
use super::state::{Progress, ReversalState};
use super::step::ReversalStep;

/// All that is to be given back is asked for at once. A refusal is an answer too: it does not stop the rest.
pub fn decide(state: &ReversalState) -> Option<Decision<ReversalMove, ReversalStep>> {
    let (_, reversal) = state.begun.as_ref()?;
    match state.progress {
        Progress::Begun => {
            let refund = reversal.refund.map(|_| Output::Command(ReversalStep::Refund));
            let lines = (0_u32..).zip(&reversal.lines);
            let restock = lines.map(|(line, _)| Output::Command(ReversalStep::Restock(line)));
            let outputs = refund.into_iter().chain(restock).collect();
            Some(Decision { made: ReversalMove::GiveBack, outputs })
        }
        Progress::Asked => Some(Decision { made: ReversalMove::End, outputs: Vec::new() }),
        Progress::Ended => None,
    }
}
