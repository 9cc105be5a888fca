//! Decides commands to the notes on an order.

use souk_eventsourcing::{Context, Personal};

use crate::NoteId;
use crate::limits::NOTES_MAX;

use super::command::OrderNotesCommand;
use super::event::{OrderNotesEvent, Removed, Resealed, Rewritten, Written};
use super::rejection::OrderNotesRejection;
use super::state::OrderNotesState;

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(
    state: &OrderNotesState,
    command: &OrderNotesCommand,
    context: &Context,
) -> Result<Vec<OrderNotesEvent>, OrderNotesRejection> {
    let event = match command {
        OrderNotesCommand::Write { author, text } => {
            if state.notes.len() >= NOTES_MAX {
                return Err(OrderNotesRejection::TooMany);
            }
            let note = NoteId(context.derived_id("note"));
            Written { note, author: author.clone(), text: text.clone() }.into()
        }
        OrderNotesCommand::Rewrite { note, author, text, equal } => {
            let stored = require(state, *note)?;
            if equal.as_ref() == Some(stored) {
                return Ok(Vec::new());
            }
            Rewritten { note: *note, author: author.clone(), text: text.clone() }.into()
        }
        OrderNotesCommand::Remove { note } => {
            require(state, *note)?;
            Removed { note: *note }.into()
        }
        OrderNotesCommand::Reseal { note, stored, text } => {
            let is_current = state.text(*note) == Some(stored);
            if !is_current || stored.person() == text.person() {
                return Ok(Vec::new());
            }
            Resealed { note: *note, text: text.clone() }.into()
        }
    };
    Ok(vec![event])
}

/// Returns the text of a note that must exist.
fn require(state: &OrderNotesState, note: NoteId) -> Result<&Personal<String>, OrderNotesRejection> {
    state.text(note).ok_or(OrderNotesRejection::NotFound)
}
