//! Applies events to the state of a claim.

use super::event::ClaimEvent;
use super::state::{ClaimHolder, ClaimState};

/// Returns the state after an event.
pub fn evolve(mut state: ClaimState, event: &ClaimEvent) -> ClaimState {
    state.holder = match event {
        ClaimEvent::Claimed(event) => Some(ClaimHolder { owner: event.owner.clone(), epoch: event.epoch }),
        ClaimEvent::Released(_) => None,
    };
    state
}
