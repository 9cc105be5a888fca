//! The document of a variant.

use serde::{Deserialize, Serialize};
use souk_domain::{Money, ProductId};

/// What carts and stock need of a SKU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantRow {
    /// The product that sells it, or sold it last.
    pub product: ProductId,
    /// The product's name.
    pub name: String,
    /// Whether customers see the product.
    pub active: bool,
    /// Whether it is sold no more.
    pub withdrawn: bool,
    /// Its price, the last one when it is withdrawn.
    pub price: Money,
}
