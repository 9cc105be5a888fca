//! The settlement process: returns money that the shop must not keep.
//!
//! The payment decides which money is voided or refunded, however late the provider's answers arrive. Each
//! void and each refund has a settlement of its own. The settlement calls the provider, and ends only when
//! the provider has answered.

pub mod decide;
pub mod evolve;
pub mod fill_in;
pub mod input;
pub mod moves;
pub mod state;
pub mod step;
mod version_1;

pub use input::SettlementEvent;
pub use moves::SettlementMove;
pub use state::SettlementState;
pub use step::SettlementStep;

use jiff::Timestamp;
use souk_domain::AggregateCommand;
use souk_eventsourcing::process::{Decision, Incoming, Input, Process, RecordedOutput};
use souk_eventsourcing::{DecodeError, RecordedEvent};

use crate::provider_call::ProviderCall;

/// The settlement process; there is one instance per void or refund.
#[derive(Debug)]
pub struct Settlement;

impl Process for Settlement {
    const NAME: &'static str = "settlement";
    const TRANSITION: &'static str = "settlement.transitioned";
    const VERSION: u32 = 2;
    type State = SettlementState;
    type Event = SettlementEvent;
    type Step = SettlementStep;
    type Move = SettlementMove;
    type Command = AggregateCommand;
    type Effect = ProviderCall;

    fn event_types() -> Vec<&'static str> {
        input::EVENT_TYPES.to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<Incoming<SettlementEvent>>, DecodeError> {
        input::read(event)
    }

    fn decide(state: &SettlementState, _: Timestamp) -> Option<Decision<SettlementMove, SettlementStep>> {
        decide::decide(state)
    }

    fn take_in(state: SettlementState, input: &Input<SettlementEvent, SettlementStep>) -> SettlementState {
        evolve::take_in(state, input)
    }

    fn enter(mut state: SettlementState, made: &SettlementMove) -> SettlementState {
        made.enter(&mut state);
        state
    }

    fn enter_version_1(
        state: SettlementState,
        inputs: &[Input<SettlementEvent, SettlementStep>],
        _: &mut [RecordedOutput],
    ) -> SettlementState {
        version_1::enter(state, inputs)
    }

    fn is_ended(state: &SettlementState) -> bool {
        state.is_ended()
    }

    fn command(_: &SettlementState, _: &SettlementStep) -> Option<AggregateCommand> {
        None
    }

    fn effect(state: &SettlementState, _: &SettlementStep) -> Option<ProviderCall> {
        fill_in::effect(state)
    }
}

#[cfg(test)]
mod tests;
