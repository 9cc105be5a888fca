//! Process managers: workflows that react to events and send commands, written as pure functions.
//!
//! A process is event-sourced like an aggregate. Each instance of a process has one stream. Each event on
//! that stream is a *transition*. It records the inputs that the instance took in (by stream and revision),
//! the *moves* that it decided, with their data, and the outputs that it requests.
//!
//! Invariants: the state of an instance is computed from inputs and recorded moves only. The instance's
//! stream and the log therefore always restore the instance, even after the rules have changed.
//!
//! On failure: a rule that panics on an input stops one instance, which is parked ([`crate::parking`]).
//! Rows of process state only save time; a lost row is computed again from the log.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::envelope::RecordedEvent;
use crate::id::{CommandId, Position, StreamName};
use crate::parking::{Entity, Parked, ParkingChange};
use crate::payload::DecodeError;

/// Short name of a command, effect or timer that a process requests: `reserve` for line 3, `authorize` for
/// attempt 2, the timer `timeout`. A step holds no data; [`Process::command`] and [`Process::effect`] add it.
pub trait Step: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// Returns the name, as in `reserve`.
    fn name(&self) -> &'static str;
    /// Returns the number of the order line or attempt, if the process has several steps of this name.
    fn number(&self) -> Option<u32>;
    /// Returns the step with this name and number; `None` if there is no such step.
    fn parse(name: &str, number: Option<u32>) -> Option<Self>;
}

/// Input of a process instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<E, S> {
    /// An event of another stream, as the process reads it.
    Event(E),
    /// A command was done.
    Done(S),
    /// A command changed nothing.
    Unchanged(S),
    /// A command was rejected by the aggregate's rules.
    Refused {
        /// Step of the rejected command.
        step: S,
        /// Stable code of the rejection, as in `insufficient-stock`.
        code: String,
        /// Text of the rejection for people.
        detail: String,
    },
    /// A timer fired. Timers are never cancelled; the process decides by its state if the timer matters.
    Fired(S),
}

/// Output that a process instance requests.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<S> {
    /// Command to an aggregate. Its result returns as an input. The instance makes no further transition
    /// while a command has no result.
    Command(S),
    /// Call to a system outside the program. Its answer returns as an event of the aggregate concerned. The
    /// instance does not wait for it.
    Effect(S),
    /// Timer that sends an input to the instance at a given time.
    Timer {
        /// Step that names the timer.
        step: S,
        /// Earliest time at which the timer fires.
        at: Timestamp,
    },
}

/// Event that concerns an instance of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming<E> {
    /// Id of the instance. Its stream is `NAME-instance`.
    pub instance: String,
    /// True if the event starts the instance. Any other event is dropped if the instance does not exist.
    pub starts: bool,
    /// Content of the event that the process needs.
    pub event: E,
}

/// Decision of a process: a move, and the outputs that it requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<M, S> {
    /// Move that is recorded in the transition.
    pub next_move: M,
    /// Outputs that the move requests, in order.
    pub outputs: Vec<Output<S>>,
}

/// Command that a process sends.
pub trait ProcessCommand: Clone + Send + Sync + 'static {
    /// Returns the stream of the aggregate that receives the command.
    fn stream(&self) -> StreamName;
    /// Returns the command's own id, if it must be the same whoever sends the command. For `None`, the
    /// runtime derives the id from the output.
    fn id(&self) -> Option<CommandId>;
}

/// Rules of a process manager.
pub trait Process: Send + Sync + 'static {
    /// Category of the instances' streams, as in `checkout`.
    const NAME: &'static str;
    /// Event type of the process's transitions.
    const TRANSITION: &'static str;
    /// Version of the stored form of state, events and steps in rows of process state.
    const VERSION: u32;
    /// State of an instance: the data that decisions and commands need.
    type State: Default + Clone + Serialize + DeserializeOwned + Send + Sync;
    /// Content that the process needs of the events it reads.
    type Event: Clone + Serialize + DeserializeOwned + Send + Sync;
    /// Names of the process's commands, effects and timers.
    type Step: Step;
    /// Move from one phase to the next, with the decided data. Its JSON is an object whose field `move` holds
    /// the move's name.
    type Move: Clone + std::fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// Command with all its data.
    type Command: ProcessCommand;
    /// Effect with all its data.
    type Effect: Clone + Send + Sync + 'static;

    /// Returns the types of the events that the process reads.
    fn event_types() -> Vec<&'static str>;
    /// Returns the content of an event and its instance; `None` if the event does not concern the process.
    fn read(event: &RecordedEvent) -> Result<Option<Incoming<Self::Event>>, DecodeError>;
    /// Returns the next move; `None` if the instance waits for an input. The runtime calls this function
    /// after inputs were taken in and after each move. It does not call it while a command has no answer, or
    /// for an ended instance.
    fn decide(state: &Self::State, now: Timestamp) -> Option<Decision<Self::Move, Self::Step>>;
    /// Returns the state after an input. The function records facts and decides nothing.
    fn take_in(state: Self::State, input: &Input<Self::Event, Self::Step>) -> Self::State;
    /// Returns the state after a recorded move.
    fn enter(state: Self::State, recorded_move: &Self::Move) -> Self::State;
    /// Returns the state after a transition of version 1, which recorded no moves. A frozen copy of the rules
    /// of that version computes them. The function also converts `outputs` to today's form. A process that
    /// never wrote a transition of version 1 keeps the default.
    fn enter_version_1(
        state: Self::State,
        _inputs: &[Input<Self::Event, Self::Step>],
        _outputs: &mut [RecordedOutput],
    ) -> Self::State {
        state
    }
    /// Returns true if the instance has ended and makes no further moves.
    fn is_ended(state: &Self::State) -> bool;
    /// Returns the command of a step, from the state after the transition that requested the step. Returns
    /// `None` if the step is not a command.
    fn command(state: &Self::State, step: &Self::Step) -> Option<Self::Command>;
    /// Returns the effect of a step; `None` if the step is not an effect.
    fn effect(state: &Self::State, step: &Self::Step) -> Option<Self::Effect>;
}

/// Payload of a transition. It changes the state in two steps: all inputs are taken in, then all moves are
/// entered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition<M> {
    /// Inputs, in the order in which they were taken in.
    pub taken: Vec<RecordedInput>,
    /// Moves, in the order in which they were decided; empty in version 1.
    #[serde(default = "Vec::new")]
    pub moves: Vec<M>,
    /// Outputs that the moves request, in order. The index is the ordinal in [`OutputId`].
    pub outputs: Vec<RecordedOutput>,
    /// True if the instance ended with this transition.
    pub ended: bool,
}

/// Input of a transition, recorded as a reference to an event or an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedInput {
    /// Kind of the input: an event, a result of a command, or a timer.
    pub kind: RecordedInputKind,
    /// Stream of the event, or of the first event of the answered command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamName>,
    /// Revision of the event, or of the first event of the answered command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Output that the input answers, written as `transition.ordinal`; `None` for an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputId>,
    /// Code of a rejection, as in `insufficient-stock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Text of a rejection for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Kind of a recorded input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedInputKind {
    /// An event of another stream.
    Event,
    /// The command was done.
    Done,
    /// The command changed nothing.
    Unchanged,
    /// The command was rejected.
    Refused,
    /// The timer fired.
    Fired,
}

/// Output of a transition, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedOutput {
    /// Kind of the output: a command, an effect, or a timer.
    pub kind: RecordedOutputKind,
    /// Name of the step, as [`Step::name`] returns it.
    pub step: String,
    /// Number of the step, as [`Step::number`] returns it. Version 1 called this field `line`.
    #[serde(default, alias = "line", skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Time at which a timer fires; `None` for commands and effects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl RecordedOutput {
    /// Returns true if the output is a command. The instance waits for the answer to a command.
    pub fn is_command(&self) -> bool {
        self.kind == RecordedOutputKind::Command
    }
}

/// Kind of a recorded output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedOutputKind {
    /// Command to an aggregate.
    Command,
    /// Call to a system outside the program.
    Effect,
    /// Timer of the instance.
    Timer,
}

/// Id of an output within its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OutputId {
    /// Revision of the transition that requested the output.
    pub transition: u64,
    /// Index in [`Transition::outputs`].
    pub ordinal: u32,
}

impl From<OutputId> for String {
    fn from(id: OutputId) -> Self {
        format!("{}.{}", id.transition, id.ordinal)
    }
}

impl TryFrom<String> for OutputId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once('.').and_then(|(transition, ordinal)| {
            Some(Self { transition: transition.parse().ok()?, ordinal: ordinal.parse().ok()? })
        });
        parts.ok_or_else(|| format!("`{text}` is not an output id; use two numbers with a dot between them"))
    }
}

/// Name of a process, and the version of the stored form of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessShape {
    /// Name of the process, which is the category of its streams.
    pub name: &'static str,
    /// Version of the rows, from [`Process::VERSION`].
    pub version: u32,
}

impl ProcessShape {
    /// Returns the shape of process `P`.
    pub const fn of<P: Process>() -> Self {
        Self { name: P::NAME, version: P::VERSION }
    }
}

/// Port to the database of process state: the open instances as of a position of the log, one row per
/// instance. The rows save the time to read the log from its start. If they are lost, the log restores them.
#[async_trait]
pub trait ProcessStateStore: Send + Sync + 'static {
    /// Returns all rows of a process that have this shape, and their checkpoint.
    async fn load(&self, process: ProcessShape) -> Result<ProcessRows, ProcessStateError>;
    /// Returns the checkpoint of the rows; [`Position::START`] if there are no rows.
    async fn checkpoint(&self, process: ProcessShape) -> Result<Position, ProcessStateError>;
    /// Writes a change in one transaction.
    async fn save(&self, process: ProcessShape, change: ProcessChange) -> Result<(), ProcessStateError>;
    /// Removes the rows of this process that have another shape.
    async fn forget_others(&self, process: ProcessShape) -> Result<(), ProcessStateError>;
    /// Returns the positions of the events that wait for a parked entity, in order.
    async fn waiting(
        &self,
        process: ProcessShape,
        entity: Entity,
    ) -> Result<Vec<Position>, ProcessStateError>;
}

/// Stored state of a process, as [`ProcessStateStore::load`] returns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessRows {
    /// Id and JSON document of each open instance.
    pub rows: Vec<(String, Vec<u8>)>,
    /// Parked entities.
    pub parked: Vec<Parked>,
    /// Position of the last event that the rows include.
    pub checkpoint: Position,
}

/// Change of the stored state, as [`ProcessStateStore::save`] writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessChange {
    /// Id and new JSON document of each changed instance; `None` removes the row.
    pub rows: Vec<(String, Option<Vec<u8>>)>,
    /// Changes of parked entities and waiting events.
    pub parking: ParkingChange,
    /// Position of the last event that the changed rows include.
    pub checkpoint: Position,
}

/// Error of the database of process state. The text is the database's message.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the process state's database failed: {0}")]
pub struct ProcessStateError(pub String);
