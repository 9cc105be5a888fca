//! Response body of stock.

use serde::Serialize;
use souk_eventsourcing::Position;
use souk_projections::stock::StockRow;
use utoipa::ToSchema;

/// Stock of a SKU.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Stock")]
#[schema(example = json!({"sku": "85123A", "onHand": 100, "reserved": 3, "available": 97, "revision": 7, "position": "42"}))]
pub(crate) struct StockResponse {
    /// SKU that the stock belongs to.
    sku: String,
    /// Number of units in the warehouse.
    on_hand: i64,
    /// Number of units on hand that are reserved for orders.
    reserved: i64,
    /// Number of units on hand that are not reserved.
    available: i64,
    /// Revision of the stock, for `If-Match`. Also 0 for a SKU without a stock entry.
    revision: u64,
    /// Log position that the read models have reached.
    position: String,
}

impl StockResponse {
    /// `row` is none for a SKU without a stock entry.
    pub(crate) fn new(sku: String, row: Option<&StockRow>, position: Position) -> Self {
        let on_hand = row.map_or(0, |row| row.on_hand);
        let reserved = row.map_or(0, |row| row.reserved);
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
