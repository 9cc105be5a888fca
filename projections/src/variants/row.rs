//! Row of the read model `variants`.

use serde::{Deserialize, Serialize};
use souk_domain::{Money, ProductId};

/// Variant of a product: the data of a SKU that queries of carts and stock need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantRow {
    /// Product that sells the SKU, or that sold it last.
    pub product: ProductId,
    /// Name of the product.
    pub name: String,
    /// True if customers can see the product.
    pub active: bool,
    /// True if the SKU is no longer sold.
    pub withdrawn: bool,
    /// Price of one unit; for a withdrawn SKU, the last price.
    pub price: Money,
}
