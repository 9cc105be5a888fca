//! A line of a cart.

use serde::{Deserialize, Serialize};
use souk_domain::{Money, ProductId};

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartLineRow {
    /// Its product.
    pub product: ProductId,
    /// Units.
    pub quantity: u32,
    /// What the buyer was shown.
    pub unit_price: Money,
    /// The cart's revision when the line was put in: lines are shown in that order.
    pub added: u64,
}
