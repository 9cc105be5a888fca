//! The document of a product.

use serde::{Deserialize, Serialize};
use souk_domain::product::event::Content;
use souk_eventsourcing::Timestamp;

/// A product that is in the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductRow {
    /// All that is said of it.
    pub content: Content,
    /// Of its stream.
    pub revision: u64,
    /// When it came into the catalogue.
    pub created_at: Timestamp,
    /// When something was last said of it.
    pub updated_at: Timestamp,
}
