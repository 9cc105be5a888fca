//! Reactors: what the system does to the outside world.

use async_trait::async_trait;

/// Carries out the effects that processes ask for: calls a provider, sends a mail.
///
/// An effect is asked for at least once, with an idempotency key that its repeats keep. A reactor is
/// never replayed: a rebuild of read models or of process state doesn't reach it.
#[async_trait]
pub trait Reactor<Effect>: Send + Sync + 'static {
    /// What the outside world answers.
    type Answer;

    /// Carries it out and answers; it may take long, and holds up nobody else.
    async fn react(&self, effect: &Effect, idempotency_key: &str) -> Self::Answer;
}
