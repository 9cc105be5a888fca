//! Reactors: what the system does to the outside world.

use async_trait::async_trait;

use crate::envelope::Origin;

/// What became of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// An aggregate has an event of the answer, which the log will show.
    InLog,
    /// The answer changed nothing.
    NothingNew,
    /// There was no answer in the time there is; the effect stays out, and is asked for again after a
    /// restart.
    NoAnswer,
}

/// Carries out the effects that a process asks for: calls a provider, sends a mail.
///
/// An effect is asked for at least once, under an id that its repeats keep: the idempotency key. A
/// reactor is never replayed: a rebuild of read models or of process state doesn't reach it.
#[async_trait]
pub trait Reactor<Effect>: Send + Sync + 'static {
    /// Carries it out and tells the aggregate it is about what came of it, as a command under the
    /// origin's id. It may take long, and holds up nobody else.
    async fn react(&self, effect: &Effect, asked: &Origin) -> Reaction;
}
