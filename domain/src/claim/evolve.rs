//! What an event makes of a claim.

use super::event::ClaimEvent;
use super::state::ClaimState;

/// The state after an event.
pub fn evolve(mut state: ClaimState, event: &ClaimEvent) -> ClaimState {
    state.owner = match event {
        ClaimEvent::Claimed(event) => Some(event.owner.clone()),
        ClaimEvent::Released(_) => None,
    };
    state
}
