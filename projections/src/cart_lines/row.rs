//! The document of a cart's line.

use serde::{Deserialize, Serialize};
use souk_domain::{Money, ProductId, Sku};

/// A line of a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartLineRow {
    /// What.
    pub sku: Sku,
    /// Its product.
    pub product: ProductId,
    /// Units.
    pub quantity: u32,
    /// What one cost when the line was last changed.
    pub unit_price: Money,
    /// Grows in the order in which lines were added.
    pub added: i64,
}
