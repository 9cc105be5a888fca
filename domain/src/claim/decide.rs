//! What becomes of a command to a claim.

use super::command::ClaimCommand;
use super::event::{ClaimEvent, Claimed, Released};
use super::rejection::ClaimRejection;
use super::state::ClaimState;

/// Decides a command.
pub fn decide(state: &ClaimState, command: &ClaimCommand) -> Result<Vec<ClaimEvent>, ClaimRejection> {
    match (command, &state.owner) {
        (ClaimCommand::Claim { owner }, None) => Ok(vec![Claimed { owner: owner.clone() }.into()]),
        (ClaimCommand::Claim { owner }, Some(present)) if owner == present => Ok(Vec::new()),
        (ClaimCommand::Claim { .. }, Some(present)) => Err(ClaimRejection::Taken { owner: present.clone() }),
        (ClaimCommand::Release { owner }, Some(present)) if owner == present => {
            Ok(vec![Released { owner: owner.clone() }.into()])
        }
        (ClaimCommand::Release { .. }, _) => Ok(Vec::new()),
    }
}
