//! A user: somebody with an account, what they are called and where they live.
//!
//! What tells about the person is personal data under the user's key; decisions don't look at it. A user
//! is registered once, under an e-mail address that a claim (`claim-email-…`) keeps for them, and erased
//! once: then the address is given up, and nothing is decided any more. A registration that was cut off
//! behind its claim is fenced off before the claim is released.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod rejection;
pub mod state;

pub use command::UserCommand;
pub use event::{Preferences, UserEvent};
pub use rejection::UserRejection;
pub use state::UserState;

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::names::UserId;

/// The aggregate.
#[derive(Debug)]
pub struct User;

impl User {
    /// The stream of a user.
    pub fn stream(user: UserId) -> StreamName {
        StreamName::new(Self::CATEGORY, &user.to_string())
    }

    /// The user whose stream it is.
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
mod tests;
