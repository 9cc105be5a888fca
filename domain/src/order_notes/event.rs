//! Events of the notes on an order.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::{Personal, event_enum};

use crate::{CustomerId, NoteId};

/// A note was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Id of the note, derived from the command.
    pub note: NoteId,
    /// Subject of the caller who wrote the note.
    pub author: CustomerId,
    /// Text of the note, sealed.
    pub text: Personal<String>,
}

/// The text of a note was replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rewritten {
    /// Note that was rewritten.
    pub note: NoteId,
    /// Subject of the caller who rewrote the note.
    pub author: CustomerId,
    /// New text of the note, sealed.
    pub text: Personal<String>,
}

/// A note was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// Note that was removed.
    pub note: NoteId,
}

/// The unchanged text of a note was sealed with the key of another person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resealed {
    /// Note whose text was sealed again.
    pub note: NoteId,
    /// Text of the note, sealed with the new key.
    pub text: Personal<String>,
}

event_enum! {
    /// Events of the notes on an order.
    pub enum OrderNotesEvent {
        Written = "notes.written" v 1,
        Rewritten = "notes.rewritten" v 1,
        Removed = "notes.removed" v 1,
        Resealed = "notes.resealed" v 1,
    }
}
