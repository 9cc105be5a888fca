//! Executors of any aggregate behind one face.

use souk_domain::UserId;
use souk_domain::cart::Cart;
use souk_domain::order::Order;
use souk_domain::payment::Payment;
use souk_domain::stock::Stock;
use souk_domain::user::{User, UserCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::executor::{Action, CommandResult, Executor, Ticket};
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::process_runtime::Answer;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandError, CommandId, CommandRequest, Completion, Decider,
    RecordedEvent, Rejection, Revision, StoreError, StreamName, Timestamp,
};
use souk_process_managers::ShopCommand;

/// A command to any aggregate of a run: processes command all of them but users.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    Shop(ShopCommand),
    User(UserId, UserCommand),
}

impl From<ShopCommand> for Wanted {
    fn from(command: ShopCommand) -> Self {
        Self::Shop(command)
    }
}

impl Wanted {
    fn stream(&self) -> StreamName {
        match self {
            Self::Shop(command) => command.stream(),
            Self::User(user, _) => User::stream(*user),
        }
    }

    /// The id that the command has whoever sends it; none when each request has one of its own.
    pub(crate) fn id(&self) -> Option<CommandId> {
        match self {
            Self::Shop(command) => command.id(),
            Self::User(..) => None,
        }
    }
}

/// What an executor asks for.
pub(crate) enum Asked {
    Read(StreamName, Revision),
    Find(StreamName, CommandId),
    Append(Append),
    Answer(Ticket, Sent),
}

/// What a command came to.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    /// It left an event.
    InLog,
    /// It left none; this is the answer.
    Answered(Answer),
    /// Nobody knows: it is to be sent again.
    Unknown,
}

/// An executor.
pub(crate) trait Desk {
    fn command(&mut self, ticket: Ticket, command: Wanted, origin: Origin, now: Timestamp) -> Vec<Asked>;
    fn on_read(
        &mut self,
        stream: &StreamName,
        result: Result<Vec<RecordedEvent>, StoreError>,
        now: Timestamp,
    ) -> Vec<Asked>;
    fn on_found(
        &mut self,
        stream: &StreamName,
        command: CommandId,
        result: Result<Option<FoundCommand>, StoreError>,
        now: Timestamp,
    ) -> Vec<Asked>;
    fn on_appended(
        &mut self,
        stream: &StreamName,
        result: Result<Appended, AppendError>,
        now: Timestamp,
    ) -> Vec<Asked>;
}

/// Executors of all aggregates of a run, in the order of [`place_of`].
pub(crate) fn all() -> Vec<Box<dyn Desk>> {
    // Small, so that states are read again and again.
    let parts_max = 4;
    vec![
        Box::new(Of::<Cart>(Executor::new(parts_max, true))),
        Box::new(Of::<Order>(Executor::new(parts_max, true))),
        Box::new(Of::<Payment>(Executor::new(parts_max, true))),
        Box::new(Of::<Stock>(Executor::new(parts_max, true))),
        Box::new(Of::<User>(Executor::new(parts_max, true))),
    ]
}

/// Which of them takes a command.
pub(crate) fn place_of(command: &Wanted) -> usize {
    match command {
        Wanted::Shop(ShopCommand::Cart(..)) => 0,
        Wanted::Shop(ShopCommand::Order(..)) => 1,
        Wanted::Shop(ShopCommand::Payment(..)) => 2,
        Wanted::Shop(ShopCommand::Stock(..)) => 3,
        Wanted::User(..) => 4,
    }
}

struct Of<D: Decider>(Executor<D>);

trait Takes: Decider {
    fn take(command: Wanted) -> Self::Command;
}

macro_rules! takes {
    ($($aggregate:ident by $form:pat => $command:ident),*) => {$(
        impl Takes for $aggregate {
            fn take(command: Wanted) -> Self::Command {
                let $form = command else { unreachable!("it is for another") };
                $command
            }
        }
    )*};
}
takes!(
    Cart by Wanted::Shop(ShopCommand::Cart(_, command)) => command,
    Order by Wanted::Shop(ShopCommand::Order(_, command)) => command,
    Payment by Wanted::Shop(ShopCommand::Payment(_, command)) => command,
    Stock by Wanted::Shop(ShopCommand::Stock(_, command)) => command,
    User by Wanted::User(_, command) => command
);

impl<D: Takes> Desk for Of<D> {
    fn command(&mut self, ticket: Ticket, command: Wanted, origin: Origin, now: Timestamp) -> Vec<Asked> {
        let stream = command.stream();
        let request = CommandRequest::new(stream, D::take(command), origin).repeatable();
        asked(self.0.on_command(ticket, request, now))
    }

    fn on_read(
        &mut self,
        stream: &StreamName,
        result: Result<Vec<RecordedEvent>, StoreError>,
        now: Timestamp,
    ) -> Vec<Asked> {
        asked(self.0.on_read(stream, result, now))
    }

    fn on_found(
        &mut self,
        stream: &StreamName,
        command: CommandId,
        result: Result<Option<FoundCommand>, StoreError>,
        now: Timestamp,
    ) -> Vec<Asked> {
        asked(self.0.on_found(stream, command, result, now))
    }

    fn on_appended(
        &mut self,
        stream: &StreamName,
        result: Result<Appended, AppendError>,
        now: Timestamp,
    ) -> Vec<Asked> {
        asked(self.0.on_appended(stream, result, now))
    }
}

fn asked<D: Decider>(actions: Vec<Action<D>>) -> Vec<Asked> {
    let asked = actions.into_iter().map(|action| match action {
        Action::Read(stream, from) => Asked::Read(stream, from),
        Action::Find(stream, command) => Asked::Find(stream, command),
        Action::Append(append) => Asked::Append(append),
        Action::Answer(ticket, result) => Asked::Answer(ticket, sent::<D>(result)),
        Action::AnswerLoad(..) => unreachable!("nobody loads"),
    });
    asked.collect()
}

/// As those who send commands take an answer.
fn sent<D: Decider>(result: CommandResult<D>) -> Sent {
    match result {
        Ok(outcome) => match outcome.completion {
            Completion::Appended | Completion::Unchanged => Sent::InLog,
            Completion::Repeated => Sent::Answered(Answer::Done),
        },
        Err(CommandError::Rejected(rejection)) => {
            let (code, detail) = (rejection.code().to_owned(), rejection.to_string());
            Sent::Answered(Answer::Refused { code, detail })
        }
        Err(CommandError::Conflict { .. } | CommandError::Store(_)) => Sent::Unknown,
        Err(error) => panic!("a command is answered {error}"),
    }
}
