//! Applies events to the state of a claim.

use super::event::ClaimEvent;
use super::state::{ClaimState, Held};

/// Returns the state after an event.
pub fn evolve(mut state: ClaimState, event: &ClaimEvent) -> ClaimState {
    state.held = match event {
        ClaimEvent::Claimed(event) => Some(Held { owner: event.owner.clone(), epoch: event.epoch }),
        ClaimEvent::Released(_) => None,
    };
    state
}
