//! Decides commands to the aggregate `skips`, which records the events that a read model or process skips.

use super::command::SkipsCommand;
use super::event::{Skipped, SkipsEvent};
use super::rejection::SkipsRejection;
use super::state::SkipsState;
use crate::text::rules::REASON_NEEDED;

/// Maximum number of events that one read model or process may skip.
pub const SKIPS_MAX: usize = 1_000;

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(state: &SkipsState, command: &SkipsCommand) -> Result<Vec<SkipsEvent>, SkipsRejection> {
    let SkipsCommand::Skip { skip, reason } = command;
    let reason = REASON_NEEDED.trim_and_check(reason).map_err(SkipsRejection::Reason)?;
    if state.skipped.contains(skip) {
        return Ok(Vec::new());
    }
    if state.skipped.len() >= SKIPS_MAX {
        return Err(SkipsRejection::TooMany);
    }
    Ok(vec![Skipped { skip: skip.clone(), reason }.into()])
}
