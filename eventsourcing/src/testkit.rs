//! Given events, when a command, then events or a refusal: rules as examples.

use jiff::Timestamp;
use uuid::Uuid;

use crate::decider::{Context, Decider, Rejection};
use crate::id::CommandId;
use crate::process::{Input, Output, Process};

/// The time at which examples are decided unless they say otherwise: 2026-11-21T12:00:00Z.
///
/// # Panics
/// Never: the instant is in range.
pub fn noon() -> Timestamp {
    Timestamp::from_second(1_795_262_400).expect("a fixed instant is in range")
}

/// The context of the `n`-th command of an example.
pub fn context(n: u128, now: Timestamp) -> Context {
    Context { now, command_id: CommandId(Uuid::from_u128(n)) }
}

/// The state after `events`.
pub fn fold<'a, D: Decider>(events: impl IntoIterator<Item = &'a D::Event>) -> D::State {
    events.into_iter().fold(D::State::default(), D::evolve)
}

/// An aggregate that has a history.
pub struct Given<D: Decider> {
    state: D::State,
    now: Timestamp,
}

/// What came of a command.
pub struct Then<D: Decider> {
    result: Result<Vec<D::Event>, D::Rejection>,
}

/// Starts an example with what has happened before.
pub fn given<D: Decider>(events: &[D::Event]) -> Given<D> {
    Given { state: fold::<D>(events), now: noon() }
}

impl<D: Decider> Given<D> {
    /// Decides at another time than noon.
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// Asks for something.
    pub fn when(self, command: &D::Command) -> Then<D> {
        Then { result: D::decide(&self.state, command, &context(1, self.now)) }
    }
}

impl<D: Decider> Then<D>
where
    D::Event: PartialEq,
{
    /// These events happen, and no others.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then(self, expected: &[D::Event]) {
        match self.result {
            Ok(events) => assert_eq!(events, expected),
            Err(rejection) => panic!("refused with `{}`: {rejection}", rejection.code()),
        }
    }

    /// Nothing happens: it is so already.
    #[track_caller]
    pub fn then_nothing(self) {
        self.then(&[]);
    }

    /// It is refused with this code.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then_refused(self, code: &str) {
        match self.result {
            Ok(events) => panic!("expected a refusal with `{code}`, got {events:?}"),
            Err(rejection) => assert_eq!(rejection.code(), code),
        }
    }
}

/// Feeds inputs to a process one after another and returns what each led to.
pub fn run_process<P: Process>(
    state: &mut P::State,
    inputs: &[Input<P::Event, P::Step>],
    now: Timestamp,
) -> Vec<Vec<Output<P::Step>>> {
    let mut outputs = Vec::new();
    for input in inputs {
        if P::is_ended(state) {
            outputs.push(Vec::new());
            continue;
        }
        outputs.push(P::decide(state, input, now));
        *state = P::evolve(std::mem::take(state), input);
    }
    outputs
}
