//! Row of the read model `stock`.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// Stock of a SKU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockRow {
    /// Number of units on hand, including reserved ones.
    pub on_hand: i64,
    /// Number of units that are reserved for orders.
    pub reserved: i64,
    /// Last revision of the stock's stream.
    pub revision: u64,
    /// Time of the first event of the stock.
    pub created_at: Timestamp,
}
