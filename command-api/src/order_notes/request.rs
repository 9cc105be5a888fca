//! Request body of a note on an order.

use serde::Deserialize;
use utoipa::ToSchema;

/// The text of a note on an order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"text": "The buyer asks for a call before the delivery."}))]
pub struct NoteRequest {
    /// Text of the note: 1 to 2,000 characters.
    #[schema(min_length = 1, max_length = 2_000)]
    pub text: String,
}
