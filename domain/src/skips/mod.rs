//! Events that an operator lets a read model or process skip.
//!
//! There is one stream for each read model or process (`skips-orders`). A rebuild reads this stream first, so
//! it skips the same events.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod rejection;
pub mod state;

pub use command::SkipsCommand;
pub use event::SkipsEvent;
pub use rejection::SkipsRejection;
pub use state::SkipsState;

use souk_eventsourcing::{Context, Decider, StreamName};

/// The aggregate: the skipped events of one read model or process.
#[derive(Debug)]
pub struct Skips;

impl Skips {
    /// Returns the stream with the skipped events of a read model or process.
    pub fn stream(owner: &str) -> StreamName {
        StreamName::new(Self::CATEGORY, owner)
    }
}

impl Decider for Skips {
    const CATEGORY: &'static str = "skips";
    type State = SkipsState;
    type Command = SkipsCommand;
    type Event = SkipsEvent;
    type Rejection = SkipsRejection;

    fn decide(
        state: &SkipsState,
        command: &SkipsCommand,
        _: &Context,
    ) -> Result<Vec<SkipsEvent>, SkipsRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: SkipsState, event: &SkipsEvent) -> SkipsState {
        evolve::evolve(state, event)
    }

    fn parts(state: &SkipsState) -> usize {
        1 + state.skipped.len()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
