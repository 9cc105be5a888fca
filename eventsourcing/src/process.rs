//! Process managers: what the system does by itself, step by step, as pure functions.
//!
//! A process is event-sourced like an aggregate. Each instance has one stream, and each event on it is
//! a transition: the inputs that were taken, by stream and revision, the moves that were decided, with
//! their data, and the outputs that they ask for. State is a fold of inputs and recorded moves, so the
//! stream and the log together always give the whole instance back, whatever today's rules would decide.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::envelope::RecordedEvent;
use crate::id::{CommandId, Position, StreamName};
use crate::parking::{Entity, Parked, ParkingChange};
use crate::payload::DecodeError;

/// A symbol for something a process asks for: `reserve` of line 3, `authorize` of attempt 2, the timer
/// `timeout`. It names things and doesn't copy them; [`Process::command`] and [`Process::effect`] fill it in.
pub trait Step: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// As in `reserve`.
    fn name(&self) -> &'static str;
    /// The number of the line or attempt it is about, when there are several.
    fn number(&self) -> Option<u32>;
    /// Reads what the two functions above give.
    fn parse(name: &str, number: Option<u32>) -> Option<Self>;
}

/// What an instance takes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<E, S> {
    /// Something happened.
    Event(E),
    /// A command did what was asked.
    Done(S),
    /// A command found nothing to do.
    Unchanged(S),
    /// A command was refused by the rules.
    Refused {
        /// What was asked.
        step: S,
        /// The stable code of the rejection.
        code: String,
        /// The rejection in words.
        detail: String,
    },
    /// A timer went off. Timers are never cancelled: the state decides whether it still matters.
    Fired(S),
}

/// What an instance asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<S> {
    /// A command to an aggregate; its result comes back as an input, and no further transition is made
    /// while any is out.
    Command(S),
    /// Something of the outside world; its answer comes back as an event of the aggregate it is about,
    /// however late.
    Effect(S),
    /// A timer.
    Timer {
        /// What fires.
        step: S,
        /// When.
        at: Timestamp,
    },
}

/// An event that concerns an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming<E> {
    /// The instance's id: its stream is `NAME-instance`.
    pub instance: String,
    /// Whether it starts the instance; other events are dropped when there is none.
    pub starts: bool,
    /// What the process reads of it.
    pub event: E,
}

/// A decision of a process: a move, and what it asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<M, S> {
    /// The move, recorded in the transition.
    pub made: M,
    /// The outputs it asks for.
    pub outputs: Vec<Output<S>>,
}

/// A command that a process sends.
pub trait ProcessCommand: Clone + Send + Sync + 'static {
    /// The stream it is for.
    fn stream(&self) -> StreamName;
    /// An id of its own, for commands that have one whoever sends them; else it comes from the output.
    fn id(&self) -> Option<CommandId>;
}

/// A process.
pub trait Process: Send + Sync + 'static {
    /// The category of its streams.
    const NAME: &'static str;
    /// The type of its events.
    const TRANSITION: &'static str;
    /// The version of the shape of its state, events and steps, as rows of process state hold them.
    const VERSION: u32;
    /// What decisions need, and what commands are filled in from.
    type State: Default + Clone + Serialize + DeserializeOwned + Send + Sync;
    /// What it reads of the events it takes.
    type Event: Clone + Serialize + DeserializeOwned + Send + Sync;
    /// What it can ask for.
    type Step: Step;
    /// A move from one phase to the next, with the data that was decided. As JSON an object whose `move`
    /// is its name.
    type Move: Clone + std::fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// A filled-in command.
    type Command: ProcessCommand;
    /// A filled-in effect.
    type Effect: Clone + Send + Sync;

    /// The types of the events it takes.
    fn takes() -> Vec<&'static str>;
    /// Which instance an event of such a type is for; `None` when it is of no interest.
    fn read(event: &RecordedEvent) -> Result<Option<Incoming<Self::Event>>, DecodeError>;
    /// The next move; none when the instance waits. The runtime calls it after inputs were taken in, again
    /// after each move, never while a command has no answer, and never for an ended instance.
    fn decide(state: &Self::State, now: Timestamp) -> Option<Decision<Self::Move, Self::Step>>;
    /// The state after an input. It notes facts and decides nothing.
    fn take_in(state: Self::State, input: &Input<Self::Event, Self::Step>) -> Self::State;
    /// The state after a move, as it was recorded.
    fn enter(state: Self::State, made: &Self::Move) -> Self::State;
    /// The state after a transition of version 1, which recorded no moves: a frozen copy of the rules of
    /// then gives them. Outputs that have another form today are brought to it.
    fn enter_version_1(
        state: Self::State,
        inputs: &[Input<Self::Event, Self::Step>],
        outputs: &mut [Decided],
    ) -> Self::State;
    /// Whether nothing can follow any more.
    fn is_ended(state: &Self::State) -> bool;
    /// The command that a step stands for, after the transition that asked for it; `None` for a step
    /// that stands for none.
    fn command(state: &Self::State, step: &Self::Step) -> Option<Self::Command>;
    /// The effect that a step stands for; `None` for a step that stands for none.
    fn effect(state: &Self::State, step: &Self::Step) -> Option<Self::Effect>;
}

/// The payload of a transition: all inputs are taken in, then the moves are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition<M> {
    /// The inputs, in the order they were taken.
    pub taken: Vec<Taken>,
    /// The moves, in the order they were made; none in version 1.
    #[serde(default = "Vec::new")]
    pub moves: Vec<M>,
    /// The outputs that the moves ask for, in order, counted from 0.
    pub outputs: Vec<Decided>,
    /// Whether the instance ended with it.
    pub ended: bool,
}

/// An input of a transition, by reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// What it was.
    pub kind: TakenKind,
    /// The event's stream, or that of the command's first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamName>,
    /// The event's revision, or that of the command's first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The output it answers, as `transition.output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputId>,
    /// The code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A refusal in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What kind of input was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TakenKind {
    /// An event of another stream.
    Event,
    /// A command that was done.
    Done,
    /// A command that found nothing to do.
    Unchanged,
    /// A command that was refused.
    Refused,
    /// A timer that fired.
    Fired,
}

/// An output of a transition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// What it is.
    pub kind: DecidedKind,
    /// The step's name.
    pub step: String,
    /// The step's number; called `line` in version 1.
    #[serde(default, alias = "line", skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// When a timer fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Decided {
    /// Returns true for a command, whose answer the instance waits for.
    pub fn is_command(&self) -> bool {
        self.kind == DecidedKind::Command
    }
}

/// What kind of output was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecidedKind {
    /// A command to an aggregate.
    Command,
    /// Something of the outside world.
    Effect,
    /// A timer.
    Timer,
}

/// An output of an instance: the revision of the transition, and its place in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OutputId {
    /// The transition's revision.
    pub transition: u64,
    /// The place among its outputs, from 0.
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
        parts.ok_or_else(|| format!("`{text}` is no output id: two numbers with a dot between are allowed"))
    }
}

/// A process, and the version of the shape of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessShape {
    /// The category of its streams.
    pub name: &'static str,
    /// Raised when the state, its events or steps change shape.
    pub version: u32,
}

impl ProcessShape {
    /// That of a process.
    pub const fn of<P: Process>() -> Self {
        Self { name: P::NAME, version: P::VERSION }
    }
}

/// Rows of process state: open instances as of a position of the log. They only spare reading the log
/// from its start; losing them loses nothing.
#[async_trait]
pub trait ProcessStateStore: Send + Sync + 'static {
    /// All rows of a process that have this shape, and the position they are as of.
    async fn load(&self, process: ProcessShape) -> Result<ProcessRows, ProcessStateError>;
    /// The position that the rows are as of, without the rows; the start when there are none.
    async fn checkpoint(&self, process: ProcessShape) -> Result<Position, ProcessStateError>;
    /// Writes what changed in one transaction.
    async fn save(&self, process: ProcessShape, change: ProcessChange) -> Result<(), ProcessStateError>;
    /// Removes rows of other shapes.
    async fn forget_others(&self, process: ProcessShape) -> Result<(), ProcessStateError>;
    /// The events that wait for a parked entity, in order of position.
    async fn waiting(
        &self,
        process: ProcessShape,
        entity: Entity,
    ) -> Result<Vec<Position>, ProcessStateError>;
}

/// What [`ProcessStateStore::load`] gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessRows {
    /// Instance and document (JSON).
    pub rows: Vec<(String, Vec<u8>)>,
    /// What is parked.
    pub parked: Vec<Parked>,
    /// How far the log is folded into them.
    pub checkpoint: Position,
}

/// What [`ProcessStateStore::save`] writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessChange {
    /// Instances and their documents; none removes a row.
    pub rows: Vec<(String, Option<Vec<u8>>)>,
    /// Who is parked or released, and what waits.
    pub parking: ParkingChange,
    /// The position they are as of.
    pub checkpoint: Position,
}

/// Why process state was not read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the process state's database failed: {0}")]
pub struct ProcessStateError(pub String);
