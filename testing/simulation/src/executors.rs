//! Executors of any aggregate behind one interface.

use souk_domain::UserId;
use souk_domain::cart::Cart;
use souk_domain::order::Order;
use souk_domain::payment::Payment;
use souk_domain::stock::Stock;
use souk_domain::user::{User, UserCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::executor::{Action, CommandResult, Executor, Ticket};
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::process_runtime::CommandAnswer;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandError, CommandId, CommandRequest, Completion, Decider,
    RecordedEvent, Rejection, Revision, StoreError, StreamName, Timestamp,
};
use souk_process_managers::ShopCommand;

/// Command to any aggregate of a run. Processes send commands to all aggregates except users.
#[derive(Clone, Debug)]
pub(crate) enum AnyCommand {
    Shop(ShopCommand),
    User(UserId, UserCommand),
}

impl From<ShopCommand> for AnyCommand {
    fn from(command: ShopCommand) -> Self {
        Self::Shop(command)
    }
}

impl AnyCommand {
    fn stream(&self) -> StreamName {
        match self {
            Self::Shop(command) => command.stream(),
            Self::User(user, _) => User::stream(*user),
        }
    }

    /// Returns the command id, if it is derived from the command; none if each request has a new id.
    pub(crate) fn id(&self) -> Option<CommandId> {
        match self {
            Self::Shop(command) => command.id(),
            Self::User(..) => None,
        }
    }
}

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
        command: AnyCommand,
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

/// Returns the executors of all aggregates, in the order of [`executor_index`].
pub(crate) fn all() -> Vec<Box<dyn AnyExecutor>> {
    // Few states stay in memory, so that executors often read them again from the log.
    let parts_max = 4;
    vec![
        Box::new(ExecutorOf::<Cart>(Executor::new(parts_max, true))),
        Box::new(ExecutorOf::<Order>(Executor::new(parts_max, true))),
        Box::new(ExecutorOf::<Payment>(Executor::new(parts_max, true))),
        Box::new(ExecutorOf::<Stock>(Executor::new(parts_max, true))),
        Box::new(ExecutorOf::<User>(Executor::new(parts_max, true))),
    ]
}

/// Returns the index of the executor for a command.
pub(crate) fn executor_index(command: &AnyCommand) -> usize {
    match command {
        AnyCommand::Shop(ShopCommand::Cart(..)) => 0,
        AnyCommand::Shop(ShopCommand::Order(..)) => 1,
        AnyCommand::Shop(ShopCommand::Payment(..)) => 2,
        AnyCommand::Shop(ShopCommand::Stock(..)) => 3,
        AnyCommand::User(..) => 4,
    }
}

struct ExecutorOf<D: Decider>(Executor<D>);

trait FromAnyCommand: Decider {
    fn from_any(command: AnyCommand) -> Self::Command;
}

macro_rules! from_any_command {
    ($($aggregate:ident by $form:pat => $command:ident),*) => {$(
        impl FromAnyCommand for $aggregate {
            fn from_any(command: AnyCommand) -> Self::Command {
                let $form = command else { unreachable!("the command belongs to another aggregate") };
                $command
            }
        }
    )*};
}
from_any_command!(
    Cart by AnyCommand::Shop(ShopCommand::Cart(_, command)) => command,
    Order by AnyCommand::Shop(ShopCommand::Order(_, command)) => command,
    Payment by AnyCommand::Shop(ShopCommand::Payment(_, command)) => command,
    Stock by AnyCommand::Shop(ShopCommand::Stock(_, command)) => command,
    User by AnyCommand::User(_, command) => command
);

impl<D: FromAnyCommand> AnyExecutor for ExecutorOf<D> {
    fn command(
        &mut self,
        ticket: Ticket,
        command: AnyCommand,
        origin: Origin,
        now: Timestamp,
    ) -> Vec<ExecutorAction> {
        let stream = command.stream();
        let request = CommandRequest::new(stream, D::from_any(command), origin).repeatable();
        converted(self.0.on_command(ticket, request, now))
    }

    fn on_read(
        &mut self,
        stream: &StreamName,
        result: Result<Vec<RecordedEvent>, StoreError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction> {
        converted(self.0.on_read(stream, result, now))
    }

    fn on_found(
        &mut self,
        stream: &StreamName,
        command: CommandId,
        result: Result<Option<FoundCommand>, StoreError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction> {
        converted(self.0.on_found(stream, command, result, now))
    }

    fn on_appended(
        &mut self,
        stream: &StreamName,
        result: Result<Appended, AppendError>,
        now: Timestamp,
    ) -> Vec<ExecutorAction> {
        converted(self.0.on_appended(stream, result, now))
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
