//! Reversal: what a confirmed order took is given back.
//!
//! It begins with a cancellation after confirmation or with a return, which say what comes back and what
//! is paid back. It asks for the refund and puts the goods back on hand, and ends when all of that is
//! answered; the money's way back is the settlement's business.

pub mod decide;
pub mod evolve;
pub mod fill_in;
pub mod input;
pub mod state;
pub mod step;

pub use input::ReversalEvent;
pub use state::ReversalState;
pub use step::ReversalStep;

use jiff::Timestamp;
use souk_eventsourcing::process::{Incoming, Input, Output, Process};
use souk_eventsourcing::{DecodeError, RecordedEvent};

use crate::provider::ProviderCall;
use crate::shop_command::ShopCommand;

/// The process.
#[derive(Debug)]
pub struct ReversalProcess;

impl Process for ReversalProcess {
    const NAME: &'static str = "reversal";
    const TRANSITION: &'static str = "reversal.transitioned";
    const VERSION: u32 = 1;
    type State = ReversalState;
    type Event = ReversalEvent;
    type Step = ReversalStep;
    type Command = ShopCommand;
    type Effect = ProviderCall;

    fn takes() -> Vec<&'static str> {
        input::TAKES.to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<Incoming<ReversalEvent>>, DecodeError> {
        input::read(event)
    }

    fn decide(
        _: &ReversalState,
        input: &Input<ReversalEvent, ReversalStep>,
        _: Timestamp,
    ) -> Vec<Output<ReversalStep>> {
        decide::decide(input)
    }

    fn evolve(state: ReversalState, input: &Input<ReversalEvent, ReversalStep>) -> ReversalState {
        evolve::evolve(state, input)
    }

    fn is_ended(state: &ReversalState) -> bool {
        state.is_ended()
    }

    fn command(state: &ReversalState, step: &ReversalStep) -> Option<ShopCommand> {
        fill_in::command(state, *step)
    }

    fn effect(_: &ReversalState, _: &ReversalStep) -> Option<ProviderCall> {
        None
    }
}

#[cfg(test)]
mod tests;
