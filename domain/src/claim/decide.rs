//! Decides commands to a claim.

use super::command::ClaimCommand;
use super::event::{ClaimEvent, Claimed, Released};
use super::rejection::ClaimRejection;
use super::state::ClaimState;

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(state: &ClaimState, command: &ClaimCommand) -> Result<Vec<ClaimEvent>, ClaimRejection> {
    match command {
        ClaimCommand::Claim { owner, epoch } => match &state.holder {
            Some(holder) if holder.owner != *owner => {
                Err(ClaimRejection::Taken { owner: holder.owner.clone() })
            }
            Some(holder) if holder.epoch >= *epoch => Ok(Vec::new()),
            _ => Ok(vec![Claimed { owner: owner.clone(), epoch: *epoch }.into()]),
        },
        ClaimCommand::Release { owner, epoch } => match &state.holder {
            Some(holder) if holder.owner == *owner && holder.epoch < *epoch => {
                Ok(vec![Released { owner: owner.clone() }.into()])
            }
            _ => Ok(Vec::new()),
        },
    }
}
