//! Id of a note.

use crate::ids::uuid_id;

uuid_id!(
    /// Id of a note that staff wrote on an order.
    NoteId
);
