//! A claim makes something unique across streams: a SKU belongs to one product.
//!
//! The key is in the stream's name (`claim-sku-85123A`). Whoever claims it first has it until it is
//! released; the same owner may claim again. A claim whose owner doesn't hold the key after a while (a
//! crash between the two appends) can be released by anybody who names that owner.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod rejection;
pub mod state;

pub use command::ClaimCommand;
pub use event::ClaimEvent;
pub use rejection::ClaimRejection;
pub use state::ClaimState;

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::names::Sku;

/// The aggregate.
#[derive(Debug)]
pub struct Claim;

impl Claim {
    /// The stream of the claim of a SKU.
    pub fn of_sku(sku: &Sku) -> StreamName {
        StreamName::new(Self::CATEGORY, &format!("sku-{sku}"))
    }
}

impl Decider for Claim {
    const CATEGORY: &'static str = "claim";
    type State = ClaimState;
    type Command = ClaimCommand;
    type Event = ClaimEvent;
    type Rejection = ClaimRejection;

    fn decide(
        state: &ClaimState,
        command: &ClaimCommand,
        _: &Context,
    ) -> Result<Vec<ClaimEvent>, ClaimRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: ClaimState, event: &ClaimEvent) -> ClaimState {
        evolve::evolve(state, event)
    }
}

#[cfg(test)]
mod tests;
