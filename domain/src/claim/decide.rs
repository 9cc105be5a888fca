//! Decides commands to a claim.

use super::command::ClaimCommand;
use super::event::{ClaimEvent, Claimed, Released};
use super::rejection::ClaimRejection;
use super::state::ClaimState;

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(state: &ClaimState, command: &ClaimCommand) -> Result<Vec<ClaimEvent>, ClaimRejection> {
    match command {
        ClaimCommand::Claim { owner, epoch } => match &state.held {
            Some(held) if held.owner != *owner => Err(ClaimRejection::Taken { owner: held.owner.clone() }),
            Some(held) if held.epoch >= *epoch => Ok(Vec::new()),
            _ => Ok(vec![Claimed { owner: owner.clone(), epoch: *epoch }.into()]),
        },
        ClaimCommand::Release { owner, epoch } => match &state.held {
            Some(held) if held.owner == *owner && held.epoch < *epoch => {
                Ok(vec![Released { owner: owner.clone() }.into()])
            }
            _ => Ok(Vec::new()),
        },
    }
}
