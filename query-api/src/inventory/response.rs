//! Stock as it is answered.

use serde::Serialize;
use souk_projections::stock::StockRow;
use utoipa::ToSchema;

/// The stock of a SKU.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"sku": "85123A", "onHand": 100, "reserved": 3, "available": 97, "revision": 7, "position": "57"}))]
pub struct StockResponse {
    /// The SKU.
    pub sku: String,
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units held for orders.
    pub reserved: i64,
    /// Units that can be reserved.
    pub available: i64,
    /// Its revision; none when it was never counted.
    pub revision: Option<u64>,
    /// How far the read models are.
    pub position: String,
}

/// A page of stock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockPage {
    /// By SKU.
    pub items: Vec<StockResponse>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
    /// How far the read models are.
    pub position: String,
}

impl StockResponse {
    /// A row, or none for a SKU that was never counted.
    pub fn new(sku: String, row: Option<StockRow>, position: &str) -> Self {
        let revision = row.as_ref().map(|row| row.revision);
        let StockRow { on_hand, reserved, .. } = row.unwrap_or_default();
        Self { sku, on_hand, reserved, available: on_hand - reserved, revision, position: position.to_owned() }
    }
}
