//! Row of the read model `products`.

use serde::{Deserialize, Serialize};
use souk_domain::product::event::Content;
use souk_eventsourcing::Timestamp;

/// Product in the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductRow {
    /// Name, description, variants and all other content.
    pub content: Content,
    /// Revision of the last event that was applied to the row.
    pub revision: u64,
    /// Time at which the product was created.
    pub created_at: Timestamp,
    /// Time of the last change of the content.
    pub updated_at: Timestamp,
}
