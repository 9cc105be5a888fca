//! The document of a SKU's stock.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// The stock of a SKU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockRow {
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units of them that are held for orders.
    pub reserved: i64,
    /// Of its stream.
    pub revision: u64,
    /// When it was first counted.
    pub created_at: Timestamp,
}
