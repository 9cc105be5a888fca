//! The stock of a SKU as it is shown.

use serde::{Deserialize, Serialize};

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockRow {
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units held for orders.
    pub reserved: i64,
    /// Of the stream.
    pub revision: u64,
}
