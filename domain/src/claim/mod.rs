//! A claim makes something unique across streams: a SKU belongs to one product, an e-mail address to one
//! user.
//!
//! The key is in the stream's name (`claim-sku-85123A`, `claim-email-HASH`). Whoever claims it first has it until it is
//! released; the same owner may claim again. Claims and releases name the owner's epoch, which its stream
//! counts: it ends when the owner gives a key up, or is fenced off. A write in an epoch that has ended is
//! refused by the owner, and a claim of an ended epoch is nobody's unless the owner holds the key. So a
//! release can never take a claim away that a write under way relies on, however late either comes.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod rejection;
pub mod state;

pub use command::ClaimCommand;
pub use event::ClaimEvent;
pub use rejection::ClaimRejection;
pub use state::ClaimState;

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::names::{EmailHash, Sku};

/// What the key of a SKU begins with.
const SKU_KEY: &str = "sku-";
/// What the key of an e-mail address begins with.
const EMAIL_KEY: &str = "email-";

/// The aggregate.
#[derive(Debug)]
pub struct Claim;

impl Claim {
    /// The stream of the claim of a SKU.
    pub fn of_sku(sku: &Sku) -> StreamName {
        StreamName::new(Self::CATEGORY, &format!("{SKU_KEY}{sku}"))
    }

    /// The stream of the claim of an e-mail address.
    pub fn of_email(hash: &EmailHash) -> StreamName {
        StreamName::new(Self::CATEGORY, &format!("{EMAIL_KEY}{hash}"))
    }

    /// The SKU that a claim's stream is of, by the stream's id.
    pub fn sku_of(id: &str) -> Option<Sku> {
        id.strip_prefix(SKU_KEY).and_then(|sku| Sku::parse(sku).ok())
    }
}

impl Decider for Claim {
    const CATEGORY: &'static str = "claim";
    type State = ClaimState;
    type Command = ClaimCommand;
    type Event = ClaimEvent;
    type Rejection = ClaimRejection;

    fn decide(
        state: &ClaimState,
        command: &ClaimCommand,
        _: &Context,
    ) -> Result<Vec<ClaimEvent>, ClaimRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: ClaimState, event: &ClaimEvent) -> ClaimState {
        evolve::evolve(state, event)
    }
}

#[cfg(test)]
mod tests;
