//! Deciders: the rules of an aggregate as two pure functions.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use crate::id::CommandId;
use crate::payload::EventPayload;

/// What a decision may know besides state and command. Time and ids come from here alone.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The time of the decision.
    pub now: Timestamp,
    /// The command; ids of what it creates are derived from it.
    pub command_id: CommandId,
}

impl Context {
    /// The id of a thing that this command creates; `what` tells several apart.
    pub fn creates(&self, what: &str) -> Uuid {
        self.command_id.creates(what)
    }
}

/// A refusal by the rules: part of the domain, no error of the system.
pub trait Rejection: fmt::Debug + fmt::Display + Clone + Send + Sync + 'static {
    /// The stable code, as in `insufficient-stock`.
    fn code(&self) -> &'static str;
}

/// An aggregate.
///
/// `decide` never fails for lack of time, memory or network: it has neither clock nor I/O. `evolve`
/// takes every event that `decide` ever returned. A command that is in force already returns no events.
pub trait Decider: Send + Sync + 'static {
    /// What its streams are called: `stock` in `stock-85123A`.
    const CATEGORY: &'static str;
    /// What decisions need, and nothing else; `Default` is the state before the first event.
    type State: Default + Clone + Send + Sync + 'static;
    /// What can be asked for.
    type Command: Clone + fmt::Debug + Send + Sync + 'static;
    /// What can have happened.
    type Event: EventPayload + fmt::Debug;
    /// Why something is refused.
    type Rejection: Rejection;

    /// What happens when `command` is asked for in `state`: nothing, events, or a refusal.
    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &Context,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// The state after `event`.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// How many parts a state holds, such as lines, itself included: what keeping it in memory costs.
    fn parts(_: &Self::State) -> usize {
        1
    }
}
