//! Deciders: the rules of an aggregate as two pure functions, `decide` and `evolve`.
//!
//! Invariants: both functions are deterministic and do no I/O. Time and ids come from [`Context`].
//!
//! On failure: a broken business rule is a [`Rejection`], which is a normal result. A panic in a rule is a
//! bug; the executor catches it and answers [`crate::CommandError::Undecided`].

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use crate::id::{CommandId, StreamName};
use crate::payload::EventPayload;

/// Data that a decision may use in addition to state and command: the only source of time and ids.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Time of the decision.
    pub now: Timestamp,
    /// Id of the command. Ids of the objects that the command creates are derived from it.
    pub command_id: CommandId,
}

impl Context {
    /// Returns the id of an object that this command creates. `what` names the object, so that a command can
    /// create several.
    pub fn derived_id(&self, what: &str) -> Uuid {
        self.command_id.derived_id(what)
    }
}

/// Rejection of a command by the aggregate's rules. It belongs to the domain and is not a system error.
pub trait Rejection: fmt::Debug + fmt::Display + Clone + Send + Sync + 'static {
    /// Returns the stable code, as in `insufficient-stock`.
    fn code(&self) -> &'static str;
}

/// Rules of one kind of aggregate.
///
/// `decide` uses no clock and does no I/O. `evolve` must accept every event that any version of `decide`
/// has returned. If the aggregate is already in the requested state, `decide` returns no events.
pub trait Decider: Send + Sync + 'static {
    /// Category of the aggregates' streams: `stock` in `stock-85123A`.
    const CATEGORY: &'static str;
    /// Data that decisions need, and nothing else. `Default` is the state before the first event.
    type State: Default + Clone + Send + Sync + 'static;
    /// Commands that the aggregate accepts.
    type Command: Clone + fmt::Debug + Send + Sync + 'static;
    /// Events that the aggregate writes.
    type Event: EventPayload + fmt::Debug;
    /// Reasons for which the aggregate rejects a command.
    type Rejection: Rejection;

    /// Returns the events that `command` causes in `state`. The list is empty if the command changes nothing.
    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &Context,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Returns the state after `event`.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// Returns the id of a command that several senders may send, but that must take effect once. The id is
    /// derived from the content of the command and from the stream that receives it. For `None`, the sender
    /// chooses the id.
    fn command_id(_: &StreamName, _: &Self::Command) -> Option<CommandId> {
        None
    }

    /// Returns the memory cost of a state in parts. The state itself is one part; each element of a list in
    /// it, such as an order line, is another.
    fn parts(_: &Self::State) -> usize {
        1
    }
}
