//! The reversal process: returns the goods and the money of a confirmed order.
//!
//! It begins when a confirmed order is cancelled, or when goods are returned. The event says which units go
//! back on the shelf and how much is refunded. The reversal requests the refund and restocks the units, and
//! ends when all its commands have an answer. The settlement process then calls the payment provider.

pub mod decide;
pub mod evolve;
pub mod fill_in;
pub mod input;
pub mod moves;
pub mod state;
pub mod step;
mod version_1;

pub use input::ReversalEvent;
pub use moves::ReversalMove;
pub use state::ReversalState;
pub use step::ReversalStep;

use jiff::Timestamp;
use souk_domain::AggregateCommand;
use souk_eventsourcing::process::{Decision, Incoming, Input, Process, RecordedOutput};
use souk_eventsourcing::reactor::NoEffect;
use souk_eventsourcing::{DecodeError, RecordedEvent};

/// The reversal process; there is one instance per cancellation or return.
#[derive(Debug)]
pub struct ReversalProcess;

impl Process for ReversalProcess {
    const NAME: &'static str = "reversal";
    const TRANSITION: &'static str = "reversal.transitioned";
    const VERSION: u32 = 2;
    type State = ReversalState;
    type Event = ReversalEvent;
    type Step = ReversalStep;
    type Move = ReversalMove;
    type Command = AggregateCommand;
    type Effect = NoEffect;

    fn event_types() -> Vec<&'static str> {
        input::EVENT_TYPES.to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<Incoming<ReversalEvent>>, DecodeError> {
        input::read(event)
    }

    fn decide(state: &ReversalState, _: Timestamp) -> Option<Decision<ReversalMove, ReversalStep>> {
        decide::decide(state)
    }

    fn take_in(state: ReversalState, input: &Input<ReversalEvent, ReversalStep>) -> ReversalState {
        evolve::take_in(state, input)
    }

    fn enter(mut state: ReversalState, made: &ReversalMove) -> ReversalState {
        made.enter(&mut state);
        state
    }

    fn enter_version_1(
        state: ReversalState,
        inputs: &[Input<ReversalEvent, ReversalStep>],
        _: &mut [RecordedOutput],
    ) -> ReversalState {
        version_1::enter(state, inputs)
    }

    fn is_ended(state: &ReversalState) -> bool {
        state.is_ended()
    }

    fn command(state: &ReversalState, step: &ReversalStep) -> Option<AggregateCommand> {
        fill_in::command(state, *step)
    }

    fn effect(_: &ReversalState, _: &ReversalStep) -> Option<NoEffect> {
        None
    }
}

#[cfg(test)]
mod tests;
