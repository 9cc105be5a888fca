//! Row of the read model `order_notes`.

use serde::{Deserialize, Serialize};
use souk_domain::CustomerId;
use souk_eventsourcing::{Personal, Timestamp};

/// Note that staff wrote on an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderNoteRow {
    /// Id of the order.
    pub order: String,
    /// Revision of the event that wrote the note. It sorts the notes of an order, oldest first.
    pub number: u64,
    /// Subject of the caller who wrote the note.
    pub author: CustomerId,
    /// Text of the note, sealed.
    pub text: Personal<String>,
    /// Time of writing.
    pub written_at: Timestamp,
    /// Last rewriting; `None` if the note was never rewritten.
    pub rewritten: Option<Rewriting>,
}

/// Replacement of a note's text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rewriting {
    /// Subject of the caller who rewrote the note.
    pub author: CustomerId,
    /// Time of the replacement.
    pub at: Timestamp,
}
