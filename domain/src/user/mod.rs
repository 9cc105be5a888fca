//! A user: an account with a name, an e-mail address and an address book.
//!
//! All personal data is sealed with the user's key, and decisions do not read it. A user is registered once,
//! with an e-mail address that a claim (`claim-email-…`) reserves, and is erased once. After the erasure the
//! e-mail address is released, and every command is refused. If a registration crashes after its claim, the
//! user is fenced before the claim is released, so that the registration cannot complete later.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub(crate) mod id;
pub mod rejection;
pub mod state;

pub use command::UserCommand;
pub use event::{Preferences, UserEvent};
pub use rejection::UserRejection;
pub use state::UserState;

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::UserId;

/// The aggregate: one user.
#[derive(Debug)]
pub struct User;

impl User {
    /// Returns the stream of a user.
    pub fn stream(user: UserId) -> StreamName {
        StreamName::new(Self::CATEGORY, &user.to_string())
    }

    /// Returns the user that a stream belongs to; `None` if it is not the stream of a user.
    pub fn of_stream(stream: &StreamName) -> Option<UserId> {
        (stream.category() == Self::CATEGORY).then(|| stream.id().parse().ok().map(UserId))?
    }
}

impl Decider for User {
    const CATEGORY: &'static str = "user";
    type State = UserState;
    type Command = UserCommand;
    type Event = UserEvent;
    type Rejection = UserRejection;

    fn decide(
        state: &UserState,
        command: &UserCommand,
        context: &Context,
    ) -> Result<Vec<UserEvent>, UserRejection> {
        decide::decide(state, command, context)
    }

    fn evolve(state: UserState, event: &UserEvent) -> UserState {
        evolve::evolve(state, event)
    }

    fn parts(state: &UserState) -> usize {
        1 + state.account().map_or(0, |account| account.addresses.len())
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
