//! Response body of a note on an order.

use serde::Serialize;
use souk_eventsourcing::KeyRing;
use souk_projections::order_notes::OrderNoteRow;
use souk_projections::orders::OrderRow;
use utoipa::ToSchema;

/// Note that staff wrote on an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "OrderNote")]
#[schema(example = json!({"id": "01a1fd90-c14b-8d05-98a0-cc6f0b1eb611", "author": "ops", "text": "The buyer asks for a call before the delivery.", "writtenAt": "2026-11-21T10:04:44.747991Z", "rewrittenBy": null, "rewrittenAt": null}))]
pub(crate) struct OrderNoteResponse {
    id: String,
    /// Subject of the caller who wrote the note.
    #[schema(example = "ops")]
    author: String,
    /// Text of the note; null if the buyer was erased.
    text: Option<String>,
    #[schema(format = DateTime)]
    written_at: String,
    /// Subject of the caller who last rewrote the note; null if the note was never rewritten.
    rewritten_by: Option<String>,
    /// Time of the last rewriting; null if the note was never rewritten.
    #[schema(format = DateTime)]
    rewritten_at: Option<String>,
}

impl OrderNoteResponse {
    pub(crate) fn new(id: String, row: OrderNoteRow, order: &OrderRow, keys: &KeyRing) -> Self {
        // A restored backup of the store of keys may contain a key that was destroyed after the backup. The
        // log decides: the text stays hidden even if its key exists.
        let is_erased = order.is_erased && !order.is_of_shop(row.text.person());
        let text = if is_erased { None } else { row.text.reveal(keys) };
        Self {
            id,
            author: row.author.to_string(),
            text,
            written_at: row.written_at.to_string(),
            rewritten_by: row.rewritten.as_ref().map(|rewriting| rewriting.author.to_string()),
            rewritten_at: row.rewritten.map(|rewriting| rewriting.at.to_string()),
        }
    }
}
