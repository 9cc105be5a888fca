//! Commands to the notes on an order.

use souk_eventsourcing::Personal;

use crate::{CustomerId, NoteId};

/// A command to the notes on one order.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderNotesCommand {
    /// Writes a new note.
    Write {
        /// Subject of the caller who writes the note.
        author: CustomerId,
        /// Text of the note.
        text: Personal<String>,
    },
    /// Replaces the text of a note.
    Rewrite {
        /// Note to rewrite.
        note: NoteId,
        /// Subject of the caller who rewrites the note.
        author: CustomerId,
        /// New text of the note.
        text: Personal<String>,
        /// Stored text that equals the new one. A decision can't compare sealed texts, so the sender of the
        /// command opens the stored text and compares it. `None` if the texts differ.
        equal: Option<Personal<String>>,
    },
    /// Removes a note.
    Remove {
        /// Note to remove.
        note: NoteId,
    },
    /// Seals the text of a note with the key of another person, because the order was attached to a customer.
    Reseal {
        /// Note whose text is sealed again.
        note: NoteId,
        /// Stored text that was opened. If the note has another text meanwhile, the command does nothing.
        stored: Personal<String>,
        /// The same text, with the new person.
        text: Personal<String>,
    },
}
