//! Executors of any aggregate behind one interface.

use std::collections::BTreeMap;

use souk_domain::{AggregateCommand, for_each_aggregate};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::executor::{Action, CommandResult, Executor, Ticket};
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::process_runtime::CommandAnswer;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandError, CommandId, CommandRequest, Completion, Decider,
    RecordedEvent, Rejection, Revision, StoreError, StreamName, Timestamp,
};

/// Maximum number of parts of states that an executor keeps in memory. The number is small, so that executors
/// often read states again from the log.
const PARTS_MAX: usize = 4;

/// Executors by the category of their streams.
pub(crate) type Executors = BTreeMap<&'static str, Box<dyn AnyExecutor>>;

/// Action that an executor asks for.
pub(crate) enum ExecutorAction {
    Read(StreamName, Revision),
    Find(StreamName, CommandId),
    Append(Append),
    Answer(Ticket, CommandOutcome),
}

/// Outcome of a command.
#[derive(Clone, Debug)]
pub(crate) enum CommandOutcome {
    /// The command has an event in the log.
    InLog,
    /// The command has no new event; the sender gets this answer.
    Answered(CommandAnswer),
    /// The result is unknown, so the command must be sent again.
    Unknown,
}

/// Executor of any aggregate.
pub(crate) trait AnyExecutor {
    fn command(
        &mut self,
        ticket: Ticket,
        command: AggregateCommand,
        origin: Origin,
        now: Timestamp,
    ) -> Vec<ExecutorAction>;
    fn on_read(
        &mut self,
        stream: &StreamName,
        result: Result<Vec<RecordedEvent>, StoreError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction>;
    fn on_found(
        &mut self,
        stream: &StreamName,
        command: CommandId,
        result: Result<Option<FoundCommand>, StoreError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction>;
    fn on_appended(
        &mut self,
        stream: &StreamName,
        result: Result<Appended, AppendError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction>;
}

macro_rules! define_all {
    ($($port:ident: $name:ident = $aggregate:ty,)*) => {
        /// Returns the executors of all aggregates, by the category of their streams.
        pub(crate) fn all() -> Executors {
            [$({
                let command_of = |command| match command {
                    AggregateCommand::$name(_, command) => Some(command),
                    _ => None,
                };
                executor::<$aggregate>(command_of)
            }),*]
            .into()
        }
    };
}
for_each_aggregate!(define_all);

fn executor<D: Decider>(
    command_of: fn(AggregateCommand) -> Option<D::Command>,
) -> (&'static str, Box<dyn AnyExecutor>) {
    (D::CATEGORY, Box::new(ExecutorOf::<D> { executor: Executor::new(PARTS_MAX, true), command_of }))
}

struct ExecutorOf<D: Decider> {
    executor: Executor<D>,
    /// Returns the aggregate's own command; `None` for a command to another aggregate.
    command_of: fn(AggregateCommand) -> Option<D::Command>,
}

impl<D: Decider> AnyExecutor for ExecutorOf<D> {
    fn command(
        &mut self,
        ticket: Ticket,
        command: AggregateCommand,
        origin: Origin,
        now: Timestamp,
    ) -> Vec<ExecutorAction> {
        let stream = command.stream();
        let command = (self.command_of)(command).expect("the command belongs to this aggregate");
        let request = CommandRequest::new(stream, command, origin).repeatable();
        converted(self.executor.on_command(ticket, request, now))
    }

    fn on_read(
        &mut self,
        stream: &StreamName,
        result: Result<Vec<RecordedEvent>, StoreError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction> {
        converted(self.executor.on_read(stream, result, now))
    }

    fn on_found(
        &mut self,
        stream: &StreamName,
        command: CommandId,
        result: Result<Option<FoundCommand>, StoreError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction> {
        converted(self.executor.on_found(stream, command, result, now))
    }

    fn on_appended(
        &mut self,
        stream: &StreamName,
        result: Result<Appended, AppendError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction> {
        converted(self.executor.on_appended(stream, result, now))
    }
}

/// Converts the actions of an executor.
fn converted<D: Decider>(actions: Vec<Action<D>>) -> Vec<ExecutorAction> {
    let converted = actions.into_iter().map(|action| match action {
        Action::Read(stream, from) => ExecutorAction::Read(stream, from),
        Action::Find(stream, command) => ExecutorAction::Find(stream, command),
        Action::Append(append) => ExecutorAction::Append(append),
        Action::Answer(ticket, result) => ExecutorAction::Answer(ticket, outcome::<D>(result)),
        Action::AnswerLoad(..) => unreachable!("the simulation sends no loads"),
    });
    converted.collect()
}

/// Converts the result of a command to its outcome for the sender.
fn outcome<D: Decider>(result: CommandResult<D>) -> CommandOutcome {
    match result {
        Ok(outcome) => match outcome.completion {
            Completion::Appended | Completion::Unchanged => CommandOutcome::InLog,
            Completion::Repeated => CommandOutcome::Answered(CommandAnswer::Done),
        },
        Err(CommandError::Rejected(rejection)) => {
            let code = rejection.code().to_owned();
            let detail = rejection.to_string();
            CommandOutcome::Answered(CommandAnswer::Refused { code, detail })
        }
        Err(CommandError::Conflict { .. } | CommandError::Store(_)) => CommandOutcome::Unknown,
        Err(error) => panic!("unexpected error of a command: {error}"),
    }
}
