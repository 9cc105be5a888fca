//! Row of the read model `cart_lines`.

use serde::{Deserialize, Serialize};
use souk_domain::{Money, ProductId, Sku};

/// Line of a cart: a SKU with its number of units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartLineRow {
    /// SKU of the line, unique within the cart.
    pub sku: Sku,
    /// Product that sells the SKU.
    pub product: ProductId,
    /// Number of units.
    pub quantity: u32,
    /// Price of one unit when the line was last changed.
    pub unit_price: Money,
    /// Place of the line in the cart. Lines that were added later have a higher number.
    pub added: i64,
}
