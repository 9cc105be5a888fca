//! Process of the tests: it makes a thing from parts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::envelope::RecordedEvent;
use crate::id::{CommandId, StreamName};
use crate::payload::DecodeError;
use crate::process::{Decision, Incoming, Input, Output, Process, ProcessCommand, RecordedOutput, Step};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) parts: u32,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Made {}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Painted {}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closed {
    failed: bool,
}

crate::event_enum! {
    /// Events of a thing that is made of parts.
    pub(crate) enum ThingEvent {
        Begun = "thing.begun" v 1,
        Made = "thing.made" v 1,
        Painted = "thing.painted" v 1,
        Closed = "thing.closed" v 1,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MakeStep {
    Make(u32),
    Paint,
    Close,
    Deadline,
}

impl Step for MakeStep {
    fn name(&self) -> &'static str {
        match self {
            Self::Make(_) => "make",
            Self::Paint => "paint",
            Self::Close => "close",
            Self::Deadline => "deadline",
        }
    }

    fn number(&self) -> Option<u32> {
        if let Self::Make(part) = self { Some(*part) } else { None }
    }

    fn parse(name: &str, number: Option<u32>) -> Option<Self> {
        match (name, number) {
            ("make", Some(part)) => Some(Self::Make(part)),
            ("paint", None) => Some(Self::Paint),
            ("close", None) => Some(Self::Close),
            ("deadline", None) => Some(Self::Deadline),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MakeState {
    thing: String,
    parts: u32,
    failed: bool,
    painted: bool,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    #[default]
    New,
    Making,
    Painting,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
pub(crate) enum MakeMove {
    Make,
    Paint,
    Close { failed: bool },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MakeCommand {
    pub(crate) stream: StreamName,
    pub(crate) event: ThingEvent,
}

impl ProcessCommand for MakeCommand {
    fn stream(&self) -> StreamName {
        self.stream.clone()
    }

    fn id(&self) -> Option<CommandId> {
        None
    }
}

/// Process that makes every part, has the thing painted, and closes it. The thing fails if a part is rejected
/// or if the deadline passes.
#[derive(Debug)]
pub(crate) struct Make;

impl Process for Make {
    const NAME: &'static str = "make";
    const TRANSITION: &'static str = "make.transitioned";
    const VERSION: u32 = 1;
    type State = MakeState;
    type Event = MakeEvent;
    type Step = MakeStep;
    type Move = MakeMove;
    type Command = MakeCommand;
    type Effect = StreamName;

    fn event_types() -> Vec<&'static str> {
        vec!["thing.begun", "thing.painted"]
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Incoming<MakeEvent>>, DecodeError> {
        let instance = recorded.stream.id().to_owned();
        Ok(match recorded.decode()? {
            ThingEvent::Begun(event) => {
                let event = MakeEvent::Begun { thing: instance.clone(), parts: event.parts };
                Some(Incoming { instance, starts: true, event })
            }
            ThingEvent::Painted(_) => Some(Incoming { instance, starts: false, event: MakeEvent::Painted }),
            _ => None,
        })
    }

    fn decide(state: &MakeState, now: Timestamp) -> Option<Decision<MakeMove, MakeStep>> {
        let can_close = state.failed || state.painted;
        Some(match state.phase {
            Phase::New => {
                let at = now + jiff::SignedDuration::from_secs(60);
                let deadline = Output::Timer { step: MakeStep::Deadline, at };
                let parts = (0..state.parts).map(|part| Output::Command(MakeStep::Make(part)));
                Decision { next_move: MakeMove::Make, outputs: parts.chain([deadline]).collect() }
            }
            Phase::Making | Phase::Painting if can_close => {
                let made = MakeMove::Close { failed: state.failed };
                Decision { next_move: made, outputs: vec![Output::Command(MakeStep::Close)] }
            }
            Phase::Making => {
                Decision { next_move: MakeMove::Paint, outputs: vec![Output::Effect(MakeStep::Paint)] }
            }
            Phase::Painting | Phase::Ended => return None,
        })
    }

    fn take_in(mut state: MakeState, input: &Input<MakeEvent, MakeStep>) -> MakeState {
        match input {
            Input::Event(MakeEvent::Begun { thing, parts }) => {
                state.thing.clone_from(thing);
                state.parts = *parts;
            }
            Input::Event(MakeEvent::Painted) => state.painted = true,
            Input::Refused { .. } => state.failed = true,
            Input::Fired(_) => state.failed |= !state.painted,
            Input::Done(_) | Input::Unchanged(_) => {}
        }
        state
    }

    fn enter(mut state: MakeState, made: &MakeMove) -> MakeState {
        match made {
            MakeMove::Make => state.phase = Phase::Making,
            MakeMove::Paint => state.phase = Phase::Painting,
            MakeMove::Close { failed } => {
                state.phase = Phase::Ended;
                state.failed = *failed;
            }
        }
        state
    }

    fn enter_version_1(
        _: MakeState,
        _: &[Input<MakeEvent, MakeStep>],
        _: &mut [RecordedOutput],
    ) -> MakeState {
        unreachable!("this process has no transitions of version 1")
    }

    fn is_ended(state: &MakeState) -> bool {
        state.phase == Phase::Ended
    }

    fn command(state: &MakeState, step: &MakeStep) -> Option<MakeCommand> {
        let stream = |name: &str| StreamName::new("thing", name);
        match step {
            MakeStep::Make(part) => {
                let stream = stream(&format!("{}.{part}", state.thing));
                Some(MakeCommand { stream, event: Made {}.into() })
            }
            MakeStep::Close => {
                let event = Closed { failed: state.failed }.into();
                Some(MakeCommand { stream: stream(&state.thing), event })
            }
            MakeStep::Paint | MakeStep::Deadline => None,
        }
    }

    fn effect(state: &MakeState, step: &MakeStep) -> Option<StreamName> {
        (*step == MakeStep::Paint).then(|| StreamName::new("thing", &state.thing))
    }
}

/// Events as the process reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum MakeEvent {
    Begun { thing: String, parts: u32 },
    Painted,
}
