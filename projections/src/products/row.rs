//! A product as it is shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use souk_domain::product::Content;

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductRow {
    /// Of the stream.
    pub revision: u64,
    /// All that is said of it.
    pub content: Content,
    /// Whether it left the catalogue.
    pub withdrawn: bool,
    /// When it came into the catalogue.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl ProductRow {
    /// Whether customers see it.
    pub fn is_listed(&self) -> bool {
        self.content.active && !self.withdrawn
    }
}
