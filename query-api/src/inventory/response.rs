//! Stock as it is answered.

use serde::Serialize;
use souk_eventsourcing::Position;
use souk_projections::stock::StockRow;
use utoipa::ToSchema;

/// How much there is of a SKU.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Stock", example = json!({"sku": "85123A", "onHand": 100, "reserved": 3, "available": 97, "revision": 7, "position": "57"}))]
#[schema(example = json!({"sku": "85123A", "onHand": 100, "reserved": 3, "available": 97, "revision": 7, "position": "42"}))]
pub(crate) struct StockAnswer {
    /// The SKU.
    sku: String,
    /// Units on the shelf.
    on_hand: i64,
    /// Units of them that are held for orders.
    reserved: i64,
    /// Units of them that nobody holds.
    available: i64,
    /// Its revision, for `If-Match`; 0 as well for a SKU that was never counted.
    revision: u64,
    /// How far the read models are.
    position: String,
}

impl StockAnswer {
    /// Of a SKU that may never have been counted.
    pub(crate) fn new(sku: String, row: Option<&StockRow>, position: Position) -> Self {
        let (on_hand, reserved) = row.map_or((0, 0), |row| (row.on_hand, row.reserved));
        Self {
            sku,
            on_hand,
            reserved,
            available: on_hand - reserved,
            revision: row.map_or(0, |row| row.revision),
            position: position.to_string(),
        }
    }
}
