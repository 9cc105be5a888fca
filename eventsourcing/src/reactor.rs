//! Reactors: the port for effects, which are calls to systems outside the program.
//!
//! Invariants: an effect may be carried out more than once, always under the same idempotency key.
//! Rebuilding a read model or process state never carries out an effect.
//!
//! On failure: a reactor retries. If it gives up, it returns [`Reaction::NoAnswer`], and the process asks
//! for the effect again after a restart.

use async_trait::async_trait;

use crate::envelope::Origin;

/// Result of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The answer was recorded as an event of an aggregate; the process will read it from the log.
    InLog,
    /// The answer changed no aggregate.
    NothingNew,
    /// No answer arrived within the time limit. The effect stays open and is requested again after a restart.
    NoAnswer,
}

/// Port that carries out the effects of a process, such as a call to a provider or an e-mail.
///
/// A process requests each effect at least once. Repeated requests have the same command id, which serves
/// as the idempotency key.
#[async_trait]
pub trait Reactor<Effect>: Send + Sync + 'static {
    /// Carries out the effect and sends the answer to the aggregate concerned, as a command with the id in
    /// `origin`. The call may take long; the caller does not let other work wait for it.
    async fn react(&self, effect: &Effect, origin: &Origin) -> Reaction;

    /// Returns true if the effect waits for a person, who may never answer. The caller limits the number of
    /// such effects separately, so that they do not block other effects.
    fn waits_for_person(&self, _: &Effect) -> bool {
        false
    }
}

/// Effect of a process that has no effects. The type has no values.
#[derive(Clone, Debug)]
pub enum NoEffect {}

/// Reactor of a process that has no effects.
pub struct NoEffects;

#[async_trait]
impl Reactor<NoEffect> for NoEffects {
    async fn react(&self, effect: &NoEffect, _: &Origin) -> Reaction {
        match *effect {}
    }
}
