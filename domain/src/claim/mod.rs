//! A claim makes a key unique across streams: a SKU belongs to one product, and an e-mail address to one
//! user.
//!
//! The key is part of the stream's name (`claim-sku-85123A`, `claim-email-HASH`). The first owner that claims
//! the key owns it until the key is released. Until then, only this owner may claim it again.
//!
//! Each claim or release names an *epoch* of the owner: a number in the owner's state. An epoch ends when the
//! owner gives up a key, or when the owner is fenced. The owner refuses a write that names an ended epoch. A
//! claim that was made in an ended epoch is valid only if the owner has the SKU or address. So a release
//! never removes a claim that a running write relies on, however late the release or the write arrives.

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

use crate::{EmailHash, Sku};

/// Prefix of a SKU's key.
const SKU_KEY: &str = "sku-";
/// Prefix of an e-mail address's key.
const EMAIL_KEY: &str = "email-";

/// The aggregate: the claim on one key.
#[derive(Debug)]
pub struct Claim;

impl Claim {
    /// Returns the stream of the claim on a SKU.
    pub fn of_sku(sku: &Sku) -> StreamName {
        StreamName::new(Self::CATEGORY, &format!("{SKU_KEY}{sku}"))
    }

    /// Returns the stream of the claim on an e-mail address.
    pub fn of_email(hash: &EmailHash) -> StreamName {
        StreamName::new(Self::CATEGORY, &format!("{EMAIL_KEY}{hash}"))
    }

    /// Returns the SKU that a claim's stream is about, from the stream's id. Returns `None` for a claim on
    /// another kind of key.
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
mod properties;
#[cfg(test)]
mod tests;
