//! State of the notes on an order: the facts that later decisions need.

use std::collections::BTreeMap;

use serde::Serialize;
use souk_eventsourcing::{Person, Personal};

use crate::NoteId;

/// State of the notes on one order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderNotesState {
    /// Text of each note that was not removed, sealed. A decision compares texts with it.
    pub(super) notes: BTreeMap<NoteId, Personal<String>>,
}

impl OrderNotesState {
    /// Returns the text of a note; `None` if there is no such note.
    pub fn text(&self, note: NoteId) -> Option<&Personal<String>> {
        self.notes.get(&note)
    }

    /// Returns the notes whose texts are sealed with the key of a person.
    pub fn sealed_for(&self, person: &Person) -> impl Iterator<Item = (NoteId, &Personal<String>)> {
        let notes = self.notes.iter().map(|(note, text)| (*note, text));
        notes.filter(move |(_, text)| text.person() == person)
    }
}
