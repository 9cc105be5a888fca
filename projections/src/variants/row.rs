//! A variant as carts show it.

use serde::{Deserialize, Serialize};
use souk_domain::Money;

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantRow {
    /// Its product.
    pub product: String,
    /// The product's name.
    pub name: String,
    /// Its price.
    pub price: Money,
    /// Whether it can be bought.
    pub listed: bool,
}
