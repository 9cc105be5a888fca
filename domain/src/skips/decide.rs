//! What becomes of a command to what is skipped.

use super::command::SkipsCommand;
use super::event::{Skipped, SkipsEvent};
use super::rejection::SkipsRejection;
use super::state::SkipsState;

/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 500;
/// Events that one read model or process may skip.
pub const SKIPS_MAX: usize = 1_000;

/// Decides a command.
pub fn decide(state: &SkipsState, command: &SkipsCommand) -> Result<Vec<SkipsEvent>, SkipsRejection> {
    let SkipsCommand::Skip { skip, reason } = command;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(SkipsRejection::Reason);
    }
    if state.skipped.contains(skip) {
        return Ok(Vec::new());
    }
    if state.skipped.len() >= SKIPS_MAX {
        return Err(SkipsRejection::TooMany);
    }
    Ok(vec![Skipped { skip: skip.clone(), reason: reason.to_owned() }.into()])
}
